//! What operators work on: tensors of the graph, numbers of the program, integers that a run makes.

use super::message::Length;
use crate::error::{Error, Result};
use crate::graph::ElementType;

/// A tensor of the graph.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// Its name in the graph that is written.
    pub(super) name: String,
    pub(super) element: ElementType,
    pub(super) shape: Vec<Length>,
}

impl Tensor {
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The axis that a number means, which counts from the end if it is negative.
    pub(super) fn axis(&self, axis: i64) -> Result<usize> {
        axis_of(axis, self.rank())
    }

    /// The length of an axis that is known.
    pub(super) fn fixed(&self, axis: usize) -> Result<i64> {
        match self.shape.get(axis) {
            Some(Length::Fixed(length)) => Ok(*length),
            _ => Err(Error::contract(format!(
                "the operator needs to know the length of axis {axis}, which is open"
            ))
            .hint("export with a fixed length there; only the rows may be open")),
        }
    }
}

/// The axis of `rank` that a number means; a number alone counts as one axis.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let count = rank.max(1) as i64;
    let positive = if axis < 0 { axis + count } else { axis };
    usize::try_from(positive)
        .ok()
        .filter(|_| positive < count)
        .ok_or_else(|| Error::failed(format!("the axis {axis} of a tensor of {rank}")))
}

/// A number that is written in the program.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Boolean(bool),
    Integer(i64),
    Real(f64),
}

impl Number {
    pub(super) fn real(self) -> f64 {
        match self {
            Self::Boolean(value) => f64::from(u8::from(value)),
            Self::Integer(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// An integer of the program: known, or the name of one that a run makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Fixed(i64),
    /// The name of a tensor of no axes.
    Made(String),
}

/// What an operator works on.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Tensor(Tensor),
    Number(Number),
    /// The name of an integer that a run makes.
    Made(String),
}

/// What a call made: the names of tensors in the graph, or an integer.
pub(super) enum Written {
    Tensors(Vec<String>),
    Size(Size),
}

impl From<String> for Written {
    fn from(name: String) -> Self {
        Self::Tensors(vec![name])
    }
}
