//! What flows along a graph's edges: tensors, sequences of them, optional ones, and one map per row
//! as `ZipMap` makes them.
//!
//! It must not know operators.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::ArrayRef;

use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock};

/// A value's number.
pub type ValueId = usize;

/// A value of a graph.
#[derive(Clone, Debug)]
pub enum Value {
    /// A tensor.
    Tensor(Tensor),
    /// Values one after another.
    Sequence(Vec<Value>),
    /// A value or none.
    Optional(Option<Box<Value>>),
    /// One map for each row, all with the same keys: `keys` is a vector of texts or integers,
    /// `values` has the shape rows × keys.
    Maps {
        /// The keys of every row's map.
        keys: Tensor,
        /// Their values.
        values: Tensor,
    },
    /// The columns that feed an input, as they came.
    Columns(Vec<ArrayRef>),
    /// A table in single precision, column after column, for operators that take it so.
    Block(Arc<FeatureBlock>),
}

impl Value {
    /// The tensor.
    ///
    /// # Errors
    /// Fails if it is something else.
    pub fn tensor(&self) -> Result<&Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor),
            Self::Optional(Some(inner)) => inner.tensor(),
            other => Err(Error::contract(format!(
                "{} where a tensor is expected",
                other.kind()
            ))),
        }
    }

    /// The tensor, taken out.
    ///
    /// # Errors
    /// Fails if it is something else.
    pub fn into_tensor(self) -> Result<Tensor> {
        match self {
            Self::Tensor(tensor) => Ok(tensor),
            Self::Optional(Some(inner)) => inner.into_tensor(),
            other => Err(Error::contract(format!(
                "{} where a tensor is expected",
                other.kind()
            ))),
        }
    }

    /// The table in single precision, if it is one column after column.
    #[must_use]
    pub fn block(&self) -> Option<&Columns<f32>> {
        match self {
            Self::Block(block) => match &**block {
                FeatureBlock::Single(columns) => Some(columns),
                FeatureBlock::Double(_) => None,
            },
            _ => None,
        }
    }

    /// The tensor, or the block as one.
    ///
    /// # Errors
    /// Fails if it is something else.
    pub fn table(&self) -> Result<Cow<'_, Tensor>> {
        let Some(block) = self.block() else {
            return self.tensor().map(Cow::Borrowed);
        };
        let (rows, width) = (block.row_count(), block.feature_count());
        Ok(Cow::Owned(Tensor::new(
            vec![rows, width],
            by_rows(block, width),
        )?))
    }

    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tensor(_) => "a tensor",
            Self::Sequence(_) => "a sequence",
            Self::Optional(_) => "an optional",
            Self::Maps { .. } => "a map",
            Self::Columns(_) => "columns",
            Self::Block(_) => "a block of columns",
        }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

/// The values of a block of `width` columns, row by row.
pub(super) fn by_rows(block: &Columns<f32>, width: usize) -> Vec<f32> {
    let mut values = vec![0.0; block.row_count() * width];
    for feature in 0..if block.row_count() == 0 { 0 } else { width } {
        let indices = values[feature..].iter_mut().step_by(width);
        indices
            .zip(block.column(feature))
            .for_each(|(index, value)| *index = *value);
    }
    values
}
