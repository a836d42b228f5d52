//! A packed linear layer in single precision or in bytes, behind one door.

use crate::error::Result;
use crate::kernel::processor::Instructions;
use crate::kernel::product::{Dense, Finish, IntegerDense, QuantisedRows, Rows};
#[cfg(target_arch = "x86_64")]
use crate::kernel::product::{SplitDense, SplitRows};

/// How the products of the layers are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Single precision; where the processor has tiles (AMX), products of numbers in two parts of
    /// 16 bits, which hold 17 of 24 bits.
    Single,
    /// Bytes, summed exactly; everything between two products stays in single precision.
    Bytes,
}

/// A matrix with a bias, packed.
#[derive(Debug)]
pub(super) enum Linear {
    Single(Dense),
    /// Single precision in parts, on tiles.
    #[cfg(target_arch = "x86_64")]
    Split(SplitDense),
    Bytes(IntegerDense),
}

/// Rows in the form that a layer multiplies.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    bytes: QuantisedRows,
    #[cfg(target_arch = "x86_64")]
    split: SplitRows,
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
            #[cfg(target_arch = "x86_64")]
            Arithmetic::Single if instructions == Instructions::Amx => {
                SplitDense::new(instructions, shape, weight, bias).map(Self::Split)
            }
            Arithmetic::Single => {
                Dense::for_instructions(instructions, shape, weight, bias).map(Self::Single)
            }
            Arithmetic::Bytes => {
                IntegerDense::new(instructions, shape, weight, bias).map(Self::Bytes)
            }
        }
    }

    /// Brings rows into the form that the layer multiplies; to be called once for all layers that
    /// read the rows.
    pub(super) fn prepare(
        &self,
        instructions: Instructions,
        rows: Rows<'_>,
        prepared: &mut Prepared,
    ) {
        match self {
            Self::Single(_) => {}
            #[cfg(target_arch = "x86_64")]
            Self::Split(_) => prepared.split.fill(rows),
            Self::Bytes(_) => prepared.bytes.fill(instructions, rows),
        }
    }

    /// `rows · matrix + bias`, joined with `out` as `finish` says; the rows have been prepared.
    pub(super) fn multiply(
        &self,
        rows: Rows<'_>,
        prepared: &Prepared,
        finish: Finish,
        out: &mut [f32],
        out_stride: usize,
    ) {
        match self {
            Self::Single(dense) => dense.multiply_into(rows, finish, out, out_stride),
            #[cfg(target_arch = "x86_64")]
            Self::Split(dense) => dense.multiply_into(&prepared.split, finish, out, out_stride),
            Self::Bytes(dense) => {
                dense.multiply_into(&prepared.bytes, [0, rows.count], finish, out, out_stride);
            }
        }
    }

    /// Numbers of a row that comes out.
    pub(super) fn outer(&self) -> usize {
        match self {
            Self::Single(dense) => dense.outer(),
            #[cfg(target_arch = "x86_64")]
            Self::Split(dense) => dense.outer(),
            Self::Bytes(dense) => dense.outer(),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Single(dense) => dense.memory_bytes(),
            #[cfg(target_arch = "x86_64")]
            Self::Split(dense) => dense.memory_bytes(),
            Self::Bytes(dense) => dense.memory_bytes(),
        }
    }
}
