//! What a node can be to a pass, as far as its definition shows.
//!
//! A node keeps its roles until the passes have run. Must not know how a pass uses them.

use std::sync::Arc;

use super::column::{Encoder, Kind, Step};
use crate::graph::op::window::Sliding;
use crate::graph::tensor::Tensor;
use crate::graph::value::ValueId;
use crate::kernel::convolution;
use crate::network::step;

/// What a node can be in a chain.
#[derive(Debug)]
pub(crate) struct Role {
    /// The value that flows through.
    pub(crate) data: ValueId,
    pub(crate) part: Part,
}

#[derive(Debug)]
pub(crate) enum Part {
    Product(Matrix),
    /// A number for each column, or one for all.
    Add(Tensor),
    Multiply(Tensor),
    Activation(step::Activation),
    /// By a number for each column, or one for all; no step of a chain, but part of a larger
    /// pattern, as are the next two.
    Divide(Tensor),
    /// The error function.
    Erf,
    /// Element by element with another value.
    Times(ValueId),
}

/// A constant matrix, `outer × inner` if it is turned.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(super) weight: Tensor,
    pub(super) is_transposed: bool,
    pub(super) scale: f32,
    pub(super) bias: Option<(Tensor, f32)>,
    /// Whether the operator takes tensors of two axes and no others.
    pub(super) is_strict: bool,
}

/// What a node can be alongside a convolution.
#[derive(Debug)]
pub(crate) enum Joint {
    Convolution(Source),
    Normalization(Normalization),
    /// Of two tensors, neither of them constant.
    Sum([ValueId; 2]),
    Activation(convolution::Activation),
}

/// A convolution with constant filters.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(super) data: ValueId,
    pub(super) sliding: Sliding,
    pub(super) groups: usize,
    pub(super) weights: Tensor,
    pub(super) bias: Option<Tensor>,
}

/// Each channel times a factor, and a shift added.
#[derive(Debug)]
pub(crate) struct Normalization {
    pub(super) factors: Vec<f64>,
    pub(super) shifts: Vec<f64>,
}

/// What a node does to columns.
#[derive(Debug)]
pub(crate) enum ColumnRole {
    /// Joins tables.
    Concat {
        tables: Vec<ValueId>,
        axis: i64,
    },
    /// Makes an indicator of each category.
    OneHot {
        data: ValueId,
        encoder: Arc<Encoder>,
        count: usize,
    },
    /// Makes a number of each category.
    Code {
        data: ValueId,
        encoder: Arc<Encoder>,
        kind: Kind,
    },
    Reshape {
        data: ValueId,
        shape: Vec<i64>,
    },
    /// One step for each column, or one for all.
    Steps {
        data: ValueId,
        steps: Vec<Step>,
    },
    /// Integers to reals.
    Float {
        data: ValueId,
    },
    Same {
        data: ValueId,
    },
    Pick {
        data: ValueId,
        columns: Vec<i64>,
    },
}
