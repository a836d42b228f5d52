//! What models make of the blocks of a batch, and how it is put together.
//!
//! Owns the order of blocks. It must not know how they are scored.

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;

use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::outcome::Margins;

/// What a model made of a block.
#[derive(Debug)]
pub(super) enum ModelOutput {
    Margins(Margins),
    Columns(Vec<ArrayRef>),
}

/// The answers to a batch's blocks, to be put together.
pub(super) enum Gathered {
    Single(Vec<f32>),
    Double(Vec<f64>),
    /// For each column, its blocks.
    Columns(Vec<Vec<ArrayRef>>),
}

impl Gathered {
    pub(super) fn new(precision: Option<Precision>) -> Self {
        match precision {
            Some(Precision::Single) => Self::Single(Vec::new()),
            Some(Precision::Double) => Self::Double(Vec::new()),
            None => Self::Columns(Vec::new()),
        }
    }

    pub(super) fn add(&mut self, block: ModelOutput) -> Result<()> {
        match (self, block) {
            (Self::Single(all), ModelOutput::Margins(Margins::Single(block))) => extend(all, block),
            (Self::Double(all), ModelOutput::Margins(Margins::Double(block))) => extend(all, block),
            (Self::Columns(all), ModelOutput::Columns(block)) if all.is_empty() => {
                all.extend(block.into_iter().map(|column| vec![column]));
            }
            (Self::Columns(all), ModelOutput::Columns(block)) if all.len() == block.len() => {
                all.iter_mut()
                    .zip(block)
                    .for_each(|(blocks, column)| blocks.push(column));
            }
            _ => return Err(Error::internal("margins of the wrong precision")),
        }
        Ok(())
    }

    pub(super) fn joined(self) -> Result<ModelOutput> {
        let whole = |blocks: Vec<ArrayRef>| {
            let blocks: Vec<&dyn Array> = blocks.iter().map(AsRef::as_ref).collect();
            concat(&blocks).map_err(|error| {
                Error::internal("blocks of a column do not go together").because(error)
            })
        };
        Ok(match self {
            Self::Single(all) => ModelOutput::Margins(Margins::Single(all)),
            Self::Double(all) => ModelOutput::Margins(Margins::Double(all)),
            Self::Columns(all) => {
                ModelOutput::Columns(all.into_iter().map(whole).collect::<Result<_>>()?)
            }
        })
    }
}

/// Appends values; the first are taken as they are.
fn extend<T: Copy>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend_from_slice(&more);
    }
}

/// Adds counts to those of the same counters.
pub(super) fn add_counts(sums: &mut [u64], counts: &[u64]) {
    sums.iter_mut()
        .zip(counts)
        .for_each(|(sum, count)| *sum += count);
}
