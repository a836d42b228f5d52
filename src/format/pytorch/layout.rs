//! Where an exported program lies in its archive, and the bytes of its tensors.
//!
//! Owns the three layouts that `torch.export.save` has written: one file for the program and one
//! checkpoint for the weights (up to 2.7), the same in folders (2.8), and weights as raw bytes with
//! a list of them (since 2.9). Checkpoints go through the pickle machine, as data. Source:
//! `torch/export/__init__.py` and `torch/export/pt2_archive/`.

use std::collections::HashMap;

use bytes::Bytes;
use safetensors::{Dtype, SafeTensors};

use super::program::{Payload, Payloads, Program, SymbolicLength, TensorMeta};
use crate::error::{Error, Result};
use crate::format::python::archive::{self, Archive};
use crate::format::python::torch;
use crate::graph::ElementType;
use crate::memory;

/// The program in the layout up to 2.7.
const OLD_PROGRAM: &str = "serialized_exported_program.json";

/// What lies in `models`, in newer layouts.
const MODELS: &str = "/models/";

/// The folder of machine code.
const COMPILED: &str = "/data/aotinductor/";

/// What the JSON may take in memory for each of its bytes.
const JSON_SHARE: u64 = 4;

/// The bytes that tensors may take, for each byte of the file and in any case.
const SHARES: usize = 4;
const ROOM: usize = 1 << 20;

/// How to save a program that is read.
pub(super) const HINT: &str = "save the program that `torch.export` makes, \
                               `torch.export.save(torch.export.export(model.eval(), inputs, \
                               dynamic_shapes=…), \"model.pt2\")`";

/// Which layout an archive has, by the names in it.
fn program_name(names: &[String]) -> Option<&str> {
    let own = |name: &&String| {
        name.as_str() == OLD_PROGRAM
            || name.split_once(MODELS).is_some_and(|(folder, file)| {
                let is_json = file
                    .rsplit_once('.')
                    .is_some_and(|(_, ending)| ending == "json");
                !folder.contains('/') && is_json && !file.contains('/')
            })
    };
    names.iter().find(own).map(String::as_str)
}

/// Whether bytes are an archive of an exported program, of machine code alone too.
pub(super) fn is_program(bytes: &[u8]) -> bool {
    bytes.starts_with(archive::START)
        && archive::directory_names(bytes).is_some_and(|names| {
            program_name(&names).is_some() || names.iter().any(|name| name.contains(COMPILED))
        })
}

/// Whether a file that begins so may be one.
pub(super) fn may_begin(head: &[u8]) -> bool {
    const PARTS: [&str; 5] = [
        "/data/weights/",
        "/data/constants/",
        "/archive_format",
        MODELS,
        COMPILED,
    ];
    archive::first_name(head).is_some_and(|name| {
        name == OLD_PROGRAM || name == "version" || PARTS.iter().any(|part| name.contains(part))
    })
}

/// The element type of this number in PyTorch's schema.
pub(super) fn element_type(dtype: i64) -> Result<ElementType> {
    Ok(match dtype {
        1 => ElementType::Uint8,
        2 => ElementType::Int8,
        3 => ElementType::Int16,
        4 => ElementType::Int32,
        5 => ElementType::Int64,
        6 => ElementType::Float16,
        7 => ElementType::Float,
        8 => ElementType::Double,
        12 => ElementType::Bool,
        13 => ElementType::Bfloat16,
        28 => ElementType::Uint16,
        34 => ElementType::Uint32,
        35 => ElementType::Uint64,
        other => {
            let name = match other {
                9..=11 => "complex numbers",
                29..=33 => "8-bit floats",
                _ => "an unknown type",
            };
            return Err(Error::contract(format!(
                "tensors of {name} (type {other}) are not supported"
            )));
        }
    })
}

/// A tensor of the archive: its type, shape and elements in C order.
pub(super) struct Stored {
    pub(super) element: ElementType,
    pub(super) shape: Vec<i64>,
    pub(super) bytes: Vec<u8>,
}

/// The weights or the constants of a program.
#[derive(Debug)]
enum Tensors {
    /// A file for each storage in this folder, and the list of them.
    Raw {
        folder: String,
        payloads: HashMap<String, Payload>,
    },
    /// All in one checkpoint, read when the first is asked for.
    Checkpoint { name: String, read: Option<Bytes> },
    /// There are none.
    Missing,
}

/// An archive and the tensors in it.
#[derive(Debug)]
pub(super) struct Saved {
    archive: Archive,
    weights: Tensors,
    constants: Tensors,
    /// The bytes that tensors may still take: they may share storages, but not over and over.
    room: usize,
}

fn broken(what: impl std::fmt::Display) -> Error {
    Error::failed(format!("cannot read the exported program: {what}"))
        .hint("the file is damaged or cut short: copy or save it again")
}

impl Saved {
    /// Opens an archive, and reads the program in it.
    ///
    /// # Errors
    /// Fails for a broken archive; a trust error for machine code; a contract error for a layout
    /// that is not read.
    pub(super) fn open(bytes: Bytes) -> Result<(Self, Program)> {
        let names = archive::directory_names(&bytes).unwrap_or_default();
        let Some(path) = program_name(&names) else {
            return Err(Error::trust(
                "refusing a compiled PyTorch package: it holds machine code, and running it could \
                 do anything",
            )
            .hint(HINT));
        };
        let room = bytes.len().saturating_mul(SHARES).saturating_add(ROOM);
        let mut archive = Archive::open(bytes)?;
        let content = archive.read(path)?;
        let json_bytes = JSON_SHARE.saturating_mul(content.len() as u64);
        let _reservation = memory::reserve(json_bytes, "reading the exported program")?;
        let program: Program = serde_json::from_slice(&content)
            .map_err(|error| broken(format!("`{path}` is not such a program")).because(error))?;
        let (weights, constants) = if path == OLD_PROGRAM {
            let checkpoint = |name: &str| checkpoint(&names, name.to_owned());
            (
                checkpoint("serialized_state_dict.pt"),
                checkpoint("serialized_constants.pt"),
            )
        } else {
            let (root, model) = path.split_once(MODELS).unwrap_or_default();
            let order = format!("{root}/byteorder");
            if names.contains(&order) && archive.read(&order)?.trim_ascii() != b"little" {
                return Err(Error::contract("the program's weights are big-endian").hint(HINT));
            }
            let model = model.trim_end_matches(".json");
            (
                tensors(&mut archive, &names, [root, model, "weights"])?,
                tensors(&mut archive, &names, [root, model, "constants"])?,
            )
        };
        let saved = Self {
            archive,
            weights,
            constants,
            room,
        };
        Ok((saved, program))
    }

    /// The tensor of this name: a parameter, a buffer or a constant.
    ///
    /// # Errors
    /// Fails if there is none, or if it does not fit its bytes.
    pub(super) fn tensor(&mut self, name: &str) -> Result<Stored> {
        for tensors in [&mut self.weights, &mut self.constants] {
            if let Some(found) = tensors.find(&mut self.archive, name, self.room)? {
                self.room = self.room.saturating_sub(found.bytes.len());
                return Ok(found);
            }
        }
        Err(broken(format!("it has no tensor `{name}`")))
    }
}

fn checkpoint(names: &[String], name: String) -> Tensors {
    if names.contains(&name) {
        Tensors::Checkpoint { name, read: None }
    } else {
        Tensors::Missing
    }
}

/// The weights or constants of a model in a newer layout.
fn tensors(archive: &mut Archive, names: &[String], at: [&str; 3]) -> Result<Tensors> {
    let [root, model, kind] = at;
    let folder = format!("{root}/data/{kind}/");
    let list = format!("{folder}{model}_{kind}_config.json");
    if !names.contains(&list) {
        return Ok(checkpoint(names, format!("{folder}{model}.pt")));
    }
    let content = archive.read(&list)?;
    let payloads: Payloads = serde_json::from_slice(&content)
        .map_err(|error| broken(format!("`{list}` is not a list of tensors")).because(error))?;
    Ok(Tensors::Raw {
        folder,
        payloads: payloads.config,
    })
}

impl Tensors {
    fn find(&mut self, archive: &mut Archive, name: &str, room: usize) -> Result<Option<Stored>> {
        match self {
            Self::Missing => Ok(None),
            Self::Raw { folder, payloads } => {
                let Some(payload) = payloads.get(name) else {
                    return Ok(None);
                };
                let at_tensor = |error: Error| error.at_node(format!("tensor `{name}`"));
                let Some(meta) = payload.tensor_meta.as_ref().filter(|_| !payload.use_pickle)
                else {
                    let error = Error::contract("the tensor is saved as a Python object");
                    return Err(at_tensor(error.hint(HINT)));
                };
                let storage = archive.read(&format!("{folder}{}", payload.path_name))?;
                raw(meta, &storage, room).map(Some).map_err(at_tensor)
            }
            Self::Checkpoint { name: path, read } => {
                if read.is_none() {
                    let content = archive.read(path)?;
                    // A dictionary of no tensors is refused, which means the same here.
                    let tensors = torch::to_safetensors(content)
                        .map_err(|error| error.at_node(format!("`{path}` of the archive")));
                    *read = Some(match tensors {
                        Err(error) if error.message().ends_with("holds no tensors") => Bytes::new(),
                        other => other?.into(),
                    });
                }
                let bytes = read.as_deref().unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(None);
                }
                let all = SafeTensors::deserialize(bytes)
                    .map_err(|error| broken(format!("`{path}`")).because(error))?;
                let Ok(view) = all.tensor(name) else {
                    return Ok(None);
                };
                Ok(Some(Stored {
                    element: own_type(view.dtype())?,
                    shape: view.shape().iter().map(|axis| *axis as i64).collect(),
                    bytes: view.data().to_vec(),
                }))
            }
        }
    }
}

fn own_type(dtype: Dtype) -> Result<ElementType> {
    Ok(match dtype {
        Dtype::F32 => ElementType::Float,
        Dtype::F64 => ElementType::Double,
        Dtype::F16 => ElementType::Float16,
        Dtype::BF16 => ElementType::Bfloat16,
        Dtype::I8 => ElementType::Int8,
        Dtype::I16 => ElementType::Int16,
        Dtype::I32 => ElementType::Int32,
        Dtype::I64 => ElementType::Int64,
        Dtype::U8 => ElementType::Uint8,
        Dtype::U16 => ElementType::Uint16,
        Dtype::U32 => ElementType::Uint32,
        Dtype::U64 => ElementType::Uint64,
        Dtype::BOOL => ElementType::Bool,
        other => {
            return Err(Error::contract(format!(
                "tensors of the type {other:?} are not supported"
            )));
        }
    })
}

/// The elements of a tensor that lies in a storage, by its strides.
fn raw(meta: &TensorMeta, storage: &[u8], room: usize) -> Result<Stored> {
    /// The number of dense tensors among the layouts.
    const STRIDED: i64 = 7;
    if meta.layout != STRIDED {
        return Err(Error::contract("sparse tensors are not supported").hint(HINT));
    }
    let element = element_type(meta.dtype)?;
    let fits = || broken("a tensor's shape does not fit its strides or its bytes");
    let number = |length: &SymbolicLength| {
        let value = length.as_int.and_then(|value| usize::try_from(value).ok());
        value.ok_or_else(fits)
    };
    let numbers =
        |lengths: &[SymbolicLength]| lengths.iter().map(number).collect::<Result<Vec<usize>>>();
    let (shape, strides) = (numbers(&meta.sizes)?, numbers(&meta.strides)?);
    let offset = meta.storage_offset.as_ref().map_or(Ok(0), number)?;
    let bytes = torch::strided(storage, element.bytes(), offset, (&shape, &strides), room)
        .ok_or_else(fits)?;
    Ok(Stored {
        element,
        shape: shape.iter().map(|axis| *axis as i64).collect(),
        bytes,
    })
}
