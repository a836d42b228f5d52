//! Tensors: an element type, a shape, and elements in row-major order that clones share.
//!
//! Owns shapes and the limit on its size: every tensor of a graph is made here, so nothing a model
//! asks for allocates more than [`ELEMENT_LIMIT`] elements at once, and all tensors together are
//! counted by [`crate::memory`]. It must not know operators.

use std::sync::Arc;

pub use super::element::{Data, Element, ElementType};
use super::element::{any, unsupported};
use crate::error::{Error, Result};
use crate::memory::{self, Charge};

/// The most elements of one tensor: 1 GiB of single precision, more than any real model of tables
/// or texts needs at once.
pub const ELEMENT_LIMIT: usize = 1 << 28;

/// What a text takes apart from its characters: its counters, the allocator's share.
pub(super) const TEXT_BYTES: usize = 24;

/// The most axes of a tensor; ONNX Runtime and numpy stop earlier.
pub const AXIS_LIMIT: usize = 64;

/// A dense tensor, row-major.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
    /// What its elements and the tensor itself take.
    #[expect(dead_code, reason = "it counts for as long as it lives")]
    charge: Arc<Charge>,
    /// What texts take that were made for it.
    content: Option<Arc<Charge>>,
}

/// What a tensor takes apart from its elements: its shape, its counters, the allocator's share.
const TENSOR_BYTES: usize = 224;

/// The number of elements of a shape that are about to be allocated, in a type of at most 8 bytes.
///
/// # Errors
/// As [`shape_count`]; also if so much memory is not left.
pub fn element_count(shape: &[usize]) -> Result<usize> {
    room_of::<f64>(shape)
}

/// The number of elements of a shape that are about to be allocated as values of `T`.
///
/// # Errors
/// As [`shape_count`]; also if so much memory is not left.
pub fn room_of<T>(shape: &[usize]) -> Result<usize> {
    let count = shape_count(shape)?;
    memory::room_for(count.saturating_mul(size_of::<T>()))?;
    Ok(count)
}

/// The number of elements of a shape.
///
/// # Errors
/// Fails above [`ELEMENT_LIMIT`] elements or [`AXIS_LIMIT`] axes.
pub fn shape_count(shape: &[usize]) -> Result<usize> {
    // Empty axes count as one, so that no product of some of the lengths can overflow either.
    let count = shape.iter().try_fold(1_usize, |product, &length| {
        product.checked_mul(length.max(1))
    });
    match count {
        Some(count) if count <= ELEMENT_LIMIT && shape.len() <= AXIS_LIMIT => {
            Ok(if shape.contains(&0) { 0 } else { count })
        }
        _ => Err(Error::failed(format!(
            "a tensor of shape {shape:?} is larger than the {ELEMENT_LIMIT} elements that a \
             tensor may have"
        ))),
    }
}

impl Tensor {
    /// A tensor of this shape.
    ///
    /// # Errors
    /// Fails if the number of values is not the shape's.
    pub fn new<T: Element>(shape: Vec<usize>, values: Vec<T>) -> Result<Self> {
        Self::from_data(shape, T::wrap(Arc::new(values)))
    }

    /// A tensor of this shape.
    ///
    /// # Errors
    /// Fails if the number of elements is not the shape's.
    pub fn from_data(shape: Vec<usize>, data: Data) -> Result<Self> {
        check_shape(&shape, &data)?;
        let charge = memory::charge(data.byte_count() + TENSOR_BYTES)?;
        Ok(Self {
            shape,
            data,
            charge: Arc::new(charge),
            content: None,
        })
    }

    /// A tensor whose elements exist already and cannot be refused any more.
    fn noted(shape: Vec<usize>, data: Data) -> Self {
        let charge = memory::note(data.byte_count() + TENSOR_BYTES);
        Self {
            shape,
            data,
            charge: Arc::new(charge),
            content: None,
        }
    }

    /// A tensor without axes.
    #[must_use]
    pub fn scalar<T: Element>(value: T) -> Self {
        Self::noted(Vec::new(), T::wrap(Arc::new(vec![value])))
    }

    /// A tensor of one axis.
    #[must_use]
    pub fn vector<T: Element>(values: Vec<T>) -> Self {
        Self::noted(vec![values.len()], T::wrap(Arc::new(values)))
    }

    /// A tensor of equal elements.
    ///
    /// # Errors
    /// Fails if the shape is too large.
    pub fn filled<T: Element>(shape: Vec<usize>, value: T) -> Result<Self> {
        let values = vec![value; room_of::<T>(&shape)?];
        Self::new(shape, values)
    }

    /// The lengths of the axes.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of axes.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements, taken out.
    #[must_use]
    pub fn into_data(self) -> Data {
        self.data
    }

    /// The elements as values of `T`, taken out; copied where something shares them.
    ///
    /// # Errors
    /// Fails if they are of another type, or if a copy is needed and there is no room for one.
    pub(super) fn into_values<T: Element>(self) -> Result<Vec<T>> {
        if self.data.is_shared() {
            memory::room_for(self.byte_count())?;
        }
        T::take(self.data)
            .ok_or_else(|| Error::internal("a tensor of another type than was asked for"))
    }

    /// The same tensor, counted with the texts that were made for it.
    ///
    /// # Errors
    /// Fails if so much memory is not left.
    pub(super) fn with_content(mut self, bytes: usize) -> Result<Self> {
        self.content = Some(Arc::new(memory::charge(bytes)?));
        Ok(self)
    }

    /// What the elements are.
    #[must_use]
    pub fn element_type(&self) -> ElementType {
        self.data.element_type()
    }

    /// The elements as values of `T`.
    ///
    /// # Errors
    /// Fails if they are of another type.
    pub fn values<T: Element>(&self) -> Result<&[T]> {
        T::slice(&self.data).ok_or_else(|| {
            Error::contract(format!(
                "a tensor of `{}` where one of `{}` is expected",
                self.element_type().name(),
                T::TYPE.name()
            ))
        })
    }

    /// The same elements in another shape of as many.
    ///
    /// # Errors
    /// Fails if the number of elements differs.
    pub fn reshaped(self, shape: Vec<usize>) -> Result<Self> {
        check_shape(&shape, &self.data)?;
        Ok(Self { shape, ..self })
    }

    /// The bytes that the elements take, texts counted by their references.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.len() * self.element_bytes()
    }

    /// The bytes of an element, a text's by its reference.
    pub(super) fn element_bytes(&self) -> usize {
        self.data.element_bytes()
    }

    /// Integers of any integer type, as shapes, axes and indices are given.
    ///
    /// # Errors
    /// Fails for other types.
    pub fn integers(&self) -> Result<Vec<i64>> {
        memory::temporary(self.len().saturating_mul(size_of::<i64>()))?;
        match &self.data {
            Data::Int64(values) => Ok(values.to_vec()),
            Data::Int32(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
            Data::Int8(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
            Data::Int16(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
            Data::Uint8(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
            Data::Uint16(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
            Data::Uint32(values) => Ok(values.iter().map(|&value| i64::from(value)).collect()),
            other => Err(unsupported(other)),
        }
    }

    /// The one integer that it holds.
    ///
    /// # Errors
    /// Fails for other types and for no or several elements.
    pub fn integer(&self) -> Result<i64> {
        match self.integers()?.as_slice() {
            [one] => Ok(*one),
            several => Err(Error::failed(format!(
                "{} numbers where one is expected",
                several.len()
            ))),
        }
    }

    /// Numbers of any type in double precision; truth is 1.
    ///
    /// # Errors
    /// Fails for texts.
    pub fn doubles(&self) -> Result<Vec<f64>> {
        memory::temporary(self.len().saturating_mul(size_of::<f64>()))?;
        match &self.data {
            Data::Float(values) => Ok(values.iter().map(|&value| f64::from(value)).collect()),
            Data::Double(values) => Ok(values.to_vec()),
            Data::Float16(values) => Ok(values.iter().map(|value| value.to_f64()).collect()),
            Data::Bfloat16(values) => Ok(values.iter().map(|value| value.to_f64()).collect()),
            Data::Bool(values) => Ok(values
                .iter()
                .map(|&value| f64::from(u8::from(value)))
                .collect()),
            Data::Uint64(values) => Ok(values.iter().map(|&value| value as f64).collect()),
            _ => Ok(self
                .integers()?
                .into_iter()
                .map(|value| value as f64)
                .collect()),
        }
    }

    /// The one number that it holds, in double precision.
    ///
    /// # Errors
    /// Fails for texts and for no or several elements.
    pub fn number(&self) -> Result<f64> {
        if self.len() != 1 {
            return Err(Error::failed(format!(
                "{} numbers where one is expected",
                self.len()
            )));
        }
        Ok(self.doubles()?[0])
    }

    /// `run` consecutive elements from each start, in order: what every operator that moves
    /// elements comes down to.
    ///
    /// # Errors
    /// Fails if the shape has another number of elements, or a run leaves the tensor.
    pub(super) fn runs(&self, starts: &[usize], run: usize, shape: Vec<usize>) -> Result<Self> {
        let count = shape_count(&shape)?;
        memory::room_for(count.saturating_mul(self.element_bytes()))?;
        let inside = |start: &usize| start.checked_add(run).is_some_and(|end| end <= self.len());
        if starts.len().checked_mul(run) != Some(count) || !starts.iter().all(inside) {
            return Err(Error::failed("elements outside the tensor are asked for"));
        }
        Self::from_data(
            shape,
            any!(&self.data, values => copy_runs(values, starts, run)),
        )
    }

    /// The elements at these positions; none stands for the type's zero.
    ///
    /// # Errors
    /// Fails if the shape has another number of elements, or a place is outside the tensor.
    pub fn picked(
        &self,
        indices: &[Option<usize>],
        fill: Option<&Self>,
        shape: Vec<usize>,
    ) -> Result<Self> {
        fn pick<T: Element>(
            values: &[T],
            indices: &[Option<usize>],
            fill: Option<&Data>,
        ) -> Result<Data> {
            let zero = match fill {
                None => T::zero(),
                Some(fill) => T::slice(fill)
                    .and_then(|fill| fill.first())
                    .cloned()
                    .ok_or_else(|| Error::contract("the fill value is of another type"))?,
            };
            let value = |index: &Option<usize>| match index {
                None => Ok(zero.clone()),
                Some(index) => values
                    .get(*index)
                    .cloned()
                    .ok_or_else(|| Error::failed("elements outside the tensor are asked for")),
            };
            Ok(T::wrap(Arc::new(
                indices.iter().map(value).collect::<Result<Vec<T>>>()?,
            )))
        }
        memory::room_for(indices.len().saturating_mul(self.element_bytes()))?;
        let data = any!(&self.data, values => pick(values, indices, fill.map(Tensor::data)))?;
        Self::from_data(shape, data)
    }
}

fn check_shape(shape: &[usize], data: &Data) -> Result<()> {
    if shape_count(shape)? == data.len() {
        return Ok(());
    }
    Err(Error::failed(format!(
        "{} elements for a tensor of shape {shape:?}",
        data.len()
    )))
}

fn copy_runs<T: Element>(values: &[T], starts: &[usize], run: usize) -> Data {
    let mut copy = Vec::with_capacity(starts.len() * run);
    match run {
        1 => copy.extend(starts.iter().map(|&start| values[start].clone())),
        // Heads of attention have these widths; a copy of a length that is known takes a few
        // instructions.
        8 => starts
            .iter()
            .for_each(|&start| copy.extend_from_slice(&values[start..start + 8])),
        16 => starts
            .iter()
            .for_each(|&start| copy.extend_from_slice(&values[start..start + 16])),
        32 => starts
            .iter()
            .for_each(|&start| copy.extend_from_slice(&values[start..start + 32])),
        _ => starts
            .iter()
            .for_each(|&start| copy.extend_from_slice(&values[start..start + run])),
    }
    T::wrap(Arc::new(copy))
}
