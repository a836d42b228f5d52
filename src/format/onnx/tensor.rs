//! `TensorProto` to tensor: raw bytes, typed fields, and external data alongside the model.

use std::sync::Arc;

use half::{bf16, f16};
use sha2::{Digest, Sha256};

use super::schema::{SparseTensorProto, TensorProto};
use crate::digest::hexadecimal;
use crate::error::{Error, Result};
use crate::format::Artefact;
use crate::graph::tensor::{Data, Element, ElementType, Tensor, shape_count};
use crate::memory::{self, Reservation};
use crate::storage::Location;

/// Files alongside a model, each read once.
pub(super) struct External<'a> {
    artefact: Option<&'a Artefact>,
    files: std::cell::RefCell<std::collections::HashMap<String, Arc<Vec<u8>>>>,
    held: std::cell::RefCell<Vec<Reservation>>,
}

impl<'a> External<'a> {
    pub(super) fn new(artefact: Option<&'a Artefact>) -> Self {
        Self {
            artefact,
            files: std::cell::RefCell::default(),
            held: std::cell::RefCell::default(),
        }
    }

    /// The content of these files, (name, content), and of no others.
    pub(super) fn holding(files: Vec<(String, Vec<u8>)>) -> Self {
        let external = Self::new(None);
        let files = files
            .into_iter()
            .map(|(name, bytes)| (name, Arc::new(bytes)));
        external.files.borrow_mut().extend(files);
        external
    }

    /// (name, SHA-256) of every file that was read, by name.
    pub(super) fn digests(&self) -> Vec<(String, String)> {
        let digest = |(name, bytes): (&String, &Arc<Vec<u8>>)| {
            (name.clone(), hexadecimal(&Sha256::digest(bytes.as_slice())))
        };
        let mut digests: Vec<_> = self.files.borrow().iter().map(digest).collect();
        digests.sort_unstable();
        digests
    }

    fn bytes(&self, name: &str) -> Result<Arc<Vec<u8>>> {
        if let Some(found) = self.files.borrow().get(name) {
            return Ok(found.clone());
        }
        let artefact = self.artefact.ok_or_else(|| {
            Error::contract(format!("the model's data are in another file, `{name}`"))
        })?;
        let bytes = Arc::new(artefact.read_sidecar(&Location::from(name))?);
        self.held.borrow_mut().push(memory::reserve(
            bytes.len() as u64,
            "the model's data file",
        )?);
        self.files
            .borrow_mut()
            .insert(name.to_owned(), bytes.clone());
        Ok(bytes)
    }
}

/// Decodes a tensor.
///
/// # Errors
/// Fails for lengths that do not fit the shape; a contract error for types that are not supported;
/// a trust error for data outside the folder.
pub(super) fn decode(tensor: &TensorProto, external: &External) -> Result<Tensor> {
    let decoded = decode_nameless(tensor, external);
    decoded.map_err(|error| {
        if tensor.name.is_empty() {
            error
        } else {
            error.at_node(format!("tensor `{}`", tensor.name))
        }
    })
}

/// The most elements that a sparse tensor may become, the most for each that it holds, and how many
/// it may become in any case: a small file may name any shape.
const SPARSE_ELEMENTS: usize = 1 << 26;
const SPARSE_SHARE: usize = 1 << 8;
const SPARSE_LEAST: usize = 1 << 20;

/// Decodes a sparse tensor as a dense one.
///
/// # Errors
/// As [`decode`]; also for indices outside the shape, and for a shape that is too large.
pub(super) fn decode_sparse(sparse: &SparseTensorProto, external: &External) -> Result<Tensor> {
    let without = |what: &str| Error::failed(format!("a sparse tensor without {what}"));
    let values_of = sparse.values.as_ref().ok_or_else(|| without("values"))?;
    let values = decode(values_of, external)?;
    let dense = dense(sparse, &values, external);
    dense.map_err(|error| {
        if values_of.name.is_empty() {
            error
        } else {
            error.at_node(format!("tensor `{}`", values_of.name))
        }
    })
}

fn dense(sparse: &SparseTensorProto, values: &Tensor, external: &External) -> Result<Tensor> {
    let length = |&length: &i64| {
        usize::try_from(length).map_err(|_| Error::failed(format!("an axis of length {length}")))
    };
    let shape = sparse
        .dims
        .iter()
        .map(length)
        .collect::<Result<Vec<usize>>>()?;
    let count = shape_count(&shape)?;
    // Each index is a number of its own on the way.
    let most = SPARSE_ELEMENTS.min(values.len().saturating_mul(SPARSE_SHARE).max(SPARSE_LEAST));
    if count > most {
        return Err(Error::contract(format!(
            "a sparse tensor of {count} elements, and tallow makes at most {most} of one that \
             holds {}",
            values.len()
        )));
    }
    let indices = sparse
        .indices
        .as_ref()
        .map(|indices| decode(indices, external))
        .transpose()?;
    let outside = || Error::failed("an index of a sparse tensor is outside its shape");
    let positions: Vec<usize> = match indices {
        None if values.is_empty() => Vec::new(),
        None => return Err(Error::failed("a sparse tensor without indices")),
        Some(indices) => {
            let numbers = indices.integers()?;
            match *indices.shape() {
                [_] => numbers
                    .into_iter()
                    .map(|position| {
                        usize::try_from(position)
                            .ok()
                            .filter(|position| *position < count)
                            .ok_or_else(outside)
                    })
                    .collect(),
                [_, rank] if rank == shape.len() && rank > 0 => numbers
                    .chunks_exact(rank)
                    .map(|index| {
                        index
                            .iter()
                            .zip(&shape)
                            .try_fold(0, |position, (index, length)| {
                                let index = usize::try_from(*index)
                                    .ok()
                                    .filter(|index| index < length)
                                    .ok_or_else(outside)?;
                                Ok(position * length + index)
                            })
                    })
                    .collect(),
                _ => Err(Error::failed(format!(
                    "indices of shape {:?} for a sparse tensor of {} axes",
                    indices.shape(),
                    shape.len()
                ))),
            }?
        }
    };
    if positions.len() != values.len() {
        return Err(Error::failed(format!(
            "{} indices for {} values of a sparse tensor",
            positions.len(),
            values.len()
        )));
    }
    let mut from = vec![None; count];
    positions
        .into_iter()
        .enumerate()
        .for_each(|(value, position)| from[position] = Some(value));
    values.picked(&from, None, shape)
}

fn decode_nameless(tensor: &TensorProto, external: &External) -> Result<Tensor> {
    if tensor.is_segmented {
        return Err(Error::contract("tensors in segments are not supported"));
    }
    let element_type = ElementType::from_code(tensor.data_type)?;
    let length = |&length: &i64| {
        usize::try_from(length).map_err(|_| Error::failed(format!("an axis of length {length}")))
    };
    let shape = tensor
        .dims
        .iter()
        .map(length)
        .collect::<Result<Vec<usize>>>()?;
    let count = shape_count(&shape)?;
    let data = if tensor.location == 1 {
        let (bytes, range) = external_range(tensor, external)?;
        from_bytes(
            element_type,
            bytes
                .get(range)
                .ok_or_else(|| Error::failed("the model's data file is too short"))?,
            count,
        )?
    } else if let Some(raw) = tensor.raw.filter(|raw| !raw.is_empty() || count == 0) {
        from_bytes(element_type, raw, count)?
    } else {
        from_fields(element_type, tensor)?
    };
    Tensor::from_data(shape, data)
}

fn external_range(
    tensor: &TensorProto,
    external: &External,
) -> Result<(Arc<Vec<u8>>, std::ops::Range<usize>)> {
    let entry = |key: &str| {
        tensor
            .external
            .iter()
            .find(|pair| pair.key == key)
            .map(|pair| pair.value)
    };
    let number = |key: &str| {
        entry(key).map(|text| {
            text.parse::<usize>().map_err(|_| {
                Error::failed(format!("`{key} = {text}` of external data is not a number"))
            })
        })
    };
    let bytes = external.bytes(
        entry("location").ok_or_else(|| Error::failed("external data without a location"))?,
    )?;
    let start = number("offset").transpose()?.unwrap_or(0);
    let end = number("length")
        .transpose()?
        .map_or(Some(bytes.len()), |length| start.checked_add(length));
    let end = end
        .filter(|end| (start..=bytes.len()).contains(end))
        .ok_or_else(|| Error::failed("the model's data file is too short"))?;
    Ok((bytes, start..end))
}

fn from_bytes(element_type: ElementType, bytes: &[u8], count: usize) -> Result<Data> {
    fn read<T: Element, const N: usize>(
        bytes: &[u8],
        count: usize,
        element: impl Fn([u8; N]) -> T,
    ) -> Result<Data> {
        let (chunks, rest) = bytes.as_chunks::<N>();
        if chunks.len() != count || !rest.is_empty() {
            return Err(Error::failed(format!(
                "{} bytes for {count} elements of {N}",
                bytes.len()
            )));
        }
        Ok(T::wrap(Arc::new(
            chunks.iter().map(|chunk| element(*chunk)).collect(),
        )))
    }
    match element_type {
        ElementType::Float => read(bytes, count, f32::from_le_bytes),
        ElementType::Double => read(bytes, count, f64::from_le_bytes),
        ElementType::Float16 => read(bytes, count, f16::from_le_bytes),
        ElementType::Bfloat16 => read(bytes, count, bf16::from_le_bytes),
        ElementType::Int8 => read(bytes, count, i8::from_le_bytes),
        ElementType::Int16 => read(bytes, count, i16::from_le_bytes),
        ElementType::Int32 => read(bytes, count, i32::from_le_bytes),
        ElementType::Int64 => read(bytes, count, i64::from_le_bytes),
        ElementType::Uint8 => read(bytes, count, u8::from_le_bytes),
        ElementType::Uint16 => read(bytes, count, u16::from_le_bytes),
        ElementType::Uint32 => read(bytes, count, u32::from_le_bytes),
        ElementType::Uint64 => read(bytes, count, u64::from_le_bytes),
        ElementType::Bool => read(bytes, count, |[byte]| byte != 0),
        ElementType::String => Err(Error::failed("texts as raw bytes")),
    }
}

fn from_fields(element_type: ElementType, tensor: &TensorProto) -> Result<Data> {
    fn each<S: Copy, T: Element>(values: &[S], element: impl Fn(S) -> T) -> Data {
        T::wrap(Arc::new(
            values.iter().map(|&value| element(value)).collect(),
        ))
    }
    let small = &tensor.int32s;
    Ok(match element_type {
        ElementType::Float => each(&tensor.floats, |value| value),
        ElementType::Double => each(&tensor.doubles, |value| value),
        ElementType::Float16 => each(small, |bits| f16::from_bits(bits as u16)),
        ElementType::Bfloat16 => each(small, |bits| bf16::from_bits(bits as u16)),
        ElementType::Int8 => each(small, |value| value as i8),
        ElementType::Int16 => each(small, |value| value as i16),
        ElementType::Int32 => each(small, |value| value as i32),
        ElementType::Int64 => each(&tensor.int64s, |value| value),
        ElementType::Uint8 => each(small, |value| value as u8),
        ElementType::Uint16 => each(small, |value| value as u16),
        ElementType::Uint32 => each(&tensor.uint64s, |value| value as u32),
        ElementType::Uint64 => each(&tensor.uint64s, |value| value as u64),
        ElementType::Bool => each(small, |value| value != 0),
        ElementType::String => Data::String(Arc::new(
            tensor
                .strings
                .iter()
                .map(|bytes| text(bytes))
                .collect::<Result<Vec<Arc<str>>>>()?,
        )),
    })
}

/// A text of the file.
pub(super) fn text(bytes: &[u8]) -> Result<Arc<str>> {
    std::str::from_utf8(bytes)
        .map(Arc::from)
        .map_err(|error| Error::failed("a text is not UTF-8").because(error))
}
