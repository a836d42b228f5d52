//! A packed linear layer in single precision or in bytes, behind one door.

use crate::error::Result;
use crate::model::product::{Dense, Finish, Instructions, IntegerDense, QuantisedRows, Rows};

/// How the products of the layers are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Single precision throughout.
    Single,
    /// Bytes, summed exactly; everything between two products stays in single precision.
    Bytes,
}

/// A matrix with a bias, packed.
#[derive(Debug)]
pub(super) enum Linear {
    Single(Dense),
    Bytes(IntegerDense),
}

impl Linear {
    /// Packs a matrix; `weight(k, j)` is the number in row k and column j.
    pub(super) fn new(
        instructions: Instructions,
        arithmetic: Arithmetic,
        shape: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        match arithmetic {
            Arithmetic::Single => Dense::for_instructions(instructions, shape, weight, bias).map(Self::Single),
            Arithmetic::Bytes => IntegerDense::new(instructions, shape, weight, bias).map(Self::Bytes),
        }
    }

    /// Makes bytes of the rows if the layer multiplies bytes; to be called once for all layers that read the rows.
    pub(super) fn prepare(&self, instructions: Instructions, rows: Rows<'_>, bytes: &mut QuantisedRows) {
        if matches!(self, Self::Bytes(_)) {
            bytes.fill(instructions, rows);
        }
    }

    /// `rows · matrix + bias`, joined with `out` as `finish` says; `bytes` are the rows' own.
    pub(super) fn multiply(&self, rows: Rows<'_>, bytes: &QuantisedRows, finish: Finish, out: &mut [f32], out_stride: usize) {
        match self {
            Self::Single(dense) => dense.multiply_into(rows, finish, out, out_stride),
            Self::Bytes(dense) => dense.multiply_into(bytes, [0, rows.count], finish, out, out_stride),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Single(dense) => dense.memory_bytes(),
            Self::Bytes(dense) => dense.memory_bytes(),
        }
    }
}
