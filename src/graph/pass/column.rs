//! One column of a table that a graph makes of its inputs: where it comes from, what is done to its
//! values, and the values themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float32Type, Int64Type};

use crate::error::{Error, Result};
use crate::feature::Columns;
use crate::graph::op::category::{Categories, UNKNOWN};

/// Columns that one table may have: beyond, the operators do it.
pub(super) const MAX_COLUMNS: usize = 1 << 16;

/// What a column's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Whole,
    Real,
}

/// A column, still to be computed.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) source: Source,
    pub(crate) steps: Vec<Step>,
    pub(crate) kind: Kind,
}

/// Where a column comes from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A column of an input of the graph, as it came.
    Input(ColumnRef),
    /// 1 where the input's value is the category, else 0.
    Indicator {
        reference: ColumnRef,
        encoder: Arc<Encoder>,
        category: u32,
    },
    /// A number for each category.
    Code {
        reference: ColumnRef,
        encoder: Arc<Encoder>,
    },
}

/// A column of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColumnRef {
    pub(crate) input: usize,
    pub(crate) column: usize,
}

/// An encoder of categories.
#[derive(Debug)]
pub(crate) struct Encoder {
    pub(crate) categories: Categories,
    /// Whether a value that is not a category stops the run.
    pub(crate) refuses_unknown: bool,
    /// The number of each category; empty for encoders that make indicators.
    pub(crate) codes: Vec<f32>,
    /// The number of what is not a category.
    pub(crate) unknown_code: f32,
}

/// What is done to each value, in single precision and in the operators' own order.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A missing value is replaced.
    Impute {
        missing: f32,
        by: f32,
    },
    /// (x − offset) · scale.
    Scale {
        offset: f32,
        scale: f32,
    },
    Add(f32),
    Subtract(f32),
    Multiply(f32),
    Divide(f32),
}

impl Column {
    /// The input that it reads.
    pub(crate) fn input(&self) -> usize {
        match &self.source {
            Source::Input(reference)
            | Source::Indicator { reference, .. }
            | Source::Code { reference, .. } => reference.input,
        }
    }
}

impl Step {
    fn apply(self, values: &mut [f32]) {
        match self {
            Self::Impute { missing, by } if missing.is_nan() => values
                .iter_mut()
                .for_each(|value| *value = if value.is_nan() { by } else { *value }),
            Self::Impute { missing, by } => values
                .iter_mut()
                .for_each(|value| *value = if *value == missing { by } else { *value }),
            Self::Scale { offset, scale } => values
                .iter_mut()
                .for_each(|value| *value = (*value - offset) * scale),
            Self::Add(by) => values.iter_mut().for_each(|value| *value += by),
            Self::Subtract(by) => values.iter_mut().for_each(|value| *value -= by),
            Self::Multiply(by) => values.iter_mut().for_each(|value| *value *= by),
            Self::Divide(by) => values.iter_mut().for_each(|value| *value /= by),
        }
    }
}

/// Computes columns of `row_count` rows; `inputs` are the columns of each input, `unseen` is
/// reported how many values an encoder does not know.
pub(crate) fn computed(
    columns: &[Column],
    inputs: &[&[ArrayRef]],
    row_count: usize,
    unseen: impl Fn(ColumnRef, u64),
) -> Result<Columns<f32>> {
    let mut block = Columns::filled(row_count, columns.len(), 0.0_f32);
    let mut known: Option<(ColumnRef, &Arc<Encoder>, Vec<u32>)> = None;
    for (position, column) in columns.iter().enumerate() {
        if row_count == 0 {
            break;
        }
        let out = block.column_mut(position);
        match &column.source {
            Source::Input(reference) => numbers(array(inputs, *reference)?, out)?,
            Source::Indicator {
                reference, encoder, ..
            }
            | Source::Code { reference, encoder } => {
                // The indicators of one encoder follow one another.
                let is_known = known
                    .as_ref()
                    .is_some_and(|(of, by, _)| of == reference && Arc::ptr_eq(by, encoder));
                if !is_known {
                    let codes = encoder.categories.codes(array(inputs, *reference)?)?;
                    match codes
                        .iter()
                        .filter(|reference| **reference == UNKNOWN)
                        .count()
                    {
                        0 => {}
                        _ if encoder.refuses_unknown => {
                            return Err(Error::failed(
                                "a category was never seen in training, and the model's encoder \
                                 refuses such",
                            ));
                        }
                        count => unseen(*reference, count as u64),
                    }
                    known = Some((*reference, encoder, codes));
                }
                let codes = known.as_ref().map_or(&[][..], |(.., codes)| codes);
                match &column.source {
                    Source::Indicator { category, .. } => {
                        out.iter_mut().zip(codes).for_each(|(out, reference)| {
                            *out = f32::from(u8::from(reference == category));
                        });
                    }
                    _ => out.iter_mut().zip(codes).for_each(|(out, reference)| {
                        *out = encoder
                            .codes
                            .get(*reference as usize)
                            .copied()
                            .unwrap_or(encoder.unknown_code);
                    }),
                }
            }
        }
        column.steps.iter().for_each(|step| step.apply(out));
    }
    Ok(block)
}

fn array<'a>(inputs: &[&'a [ArrayRef]], reference: ColumnRef) -> Result<&'a ArrayRef> {
    inputs
        .get(reference.input)
        .and_then(|columns| columns.get(reference.column))
        .ok_or_else(|| Error::internal("a column of no input"))
}

fn numbers(array: &ArrayRef, out: &mut [f32]) -> Result<()> {
    match array.data_type() {
        DataType::Float32 => out.copy_from_slice(array.as_primitive::<Float32Type>().values()),
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>().values();
            out.iter_mut()
                .zip(values)
                .for_each(|(out, value)| *out = *value as f32);
        }
        other => {
            return Err(Error::internal(format!(
                "a column of {other} where numbers are expected"
            )));
        }
    }
    Ok(())
}
