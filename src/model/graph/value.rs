//! What flows along a graph's edges: tensors, sequences of them, optional ones, and one map per row as `ZipMap` makes them.
//!
//! It must not know operators.

use super::tensor::Tensor;
use crate::error::{Error, Result};

/// A value of a graph.
#[derive(Clone, Debug)]
pub enum Value {
    /// A tensor.
    Tensor(Tensor),
    /// Values one after another.
    Sequence(Vec<Value>),
    /// A value or none.
    Optional(Option<Box<Value>>),
    /// One map for each row, all with the same keys: `keys` is a vector of texts or integers, `values` has the shape rows × keys.
    Maps {
        /// The keys of every row's map.
        keys: Tensor,
        /// Their values.
        values: Tensor,
    },
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
            other => Err(Error::contract(format!("{} where a tensor is wanted", other.kind()))),
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
            other => Err(Error::contract(format!("{} where a tensor is wanted", other.kind()))),
        }
    }

    /// What it is, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tensor(_) => "a tensor",
            Self::Sequence(_) => "a sequence",
            Self::Optional(_) => "an optional",
            Self::Maps { .. } => "a map",
        }
    }
}
