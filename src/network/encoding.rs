//! How a feature enters a network: as a standardised number, as a row of an embedding table, or as
//! one place of several.
//!
//! Owns the way from a feature's column to its positions in the first layer's rows. A category
//! arrives as its code; a code that is none of the table's becomes NaN, for the contract decides
//! about unseen values, not the network.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::tensor;
use super::weights::{Extent, Weights};
use crate::error::{Error, Result};

/// What a manifest says of a feature.
#[derive(Clone, Debug, PartialEq)]
pub enum Encoding {
    /// `(x − mean) / scale`, in single precision.
    Number {
        /// What is taken away.
        mean: f32,
        /// What it is divided by.
        scale: f32,
    },
    /// The row of a table, by code.
    Embedding {
        /// The prefix of the table's tensor, `<prefix>.weight` of shape \[codes, width\]
        /// (`torch.nn.Embedding`).
        weights: String,
    },
    /// As many positions as there are categories, all 0 but that of the code.
    OneHot {
        /// The number of categories.
        categories: usize,
    },
}

/// A feature, ready to be written into rows.
#[derive(Debug)]
pub(super) enum Feature {
    Number {
        mean: f32,
        scale: f32,
    },
    Table {
        values: Arc<[f32]>,
        codes: usize,
        width: usize,
    },
    OneHot {
        categories: usize,
    },
}

/// Fits the encodings to the weights; two features may share a table.
pub(super) fn features(encodings: &[Encoding], weights: &mut Weights<'_>) -> Result<Vec<Feature>> {
    let mut tables: BTreeMap<&str, (Arc<[f32]>, usize, usize)> = BTreeMap::new();
    let mut features = Vec::with_capacity(encodings.len());
    for (index, encoding) in encodings.iter().enumerate() {
        features.push(match encoding {
            Encoding::Number { mean, scale } => Feature::Number {
                mean: *mean,
                scale: *scale,
            },
            Encoding::OneHot { categories } => Feature::OneHot {
                categories: *categories,
            },
            Encoding::Embedding { weights: prefix } => {
                if !tables.contains_key(prefix.as_str()) {
                    let table = weights
                        .take(&tensor(prefix, "weight"), &[Extent::Any, Extent::Any])
                        .map_err(|error| error.at_node(format!("input {index}")))?;
                    let &[codes, width] = table.shape.as_slice() else {
                        return Err(Error::internal("a table that is not a matrix"));
                    };
                    tables.insert(prefix, (table.values.into(), codes, width));
                }
                let (values, codes, width) = tables[prefix.as_str()].clone();
                Feature::Table {
                    values,
                    codes,
                    width,
                }
            }
        });
    }
    Ok(features)
}

impl Feature {
    /// The number of positions that it takes in a row.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Table { width, .. } => *width,
            Self::OneHot { categories } => *categories,
        }
    }

    /// The number of codes that it knows, if it is a category.
    pub(super) fn codes(&self) -> Option<usize> {
        match self {
            Self::Number { .. } => None,
            Self::Table { codes, .. } => Some(*codes),
            Self::OneHot { categories } => Some(*categories),
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Table { values, .. } => size_of_val::<[f32]>(values),
            _ => 0,
        }
    }

    /// Writes one value into its positions.
    pub(super) fn write(&self, value: f32, indices: &mut [f32]) {
        match self {
            Self::Number { mean, scale } => indices
                .iter_mut()
                .for_each(|location| *location = (value - mean) / scale),
            Self::Table {
                values,
                codes,
                width,
            } => match code(value, *codes) {
                Some(code) => indices.copy_from_slice(&values[code * width..(code + 1) * width]),
                None => indices.fill(f32::NAN),
            },
            Self::OneHot { categories } => match code(value, *categories) {
                Some(code) => indices[code] = 1.0,
                None => indices.fill(f32::NAN),
            },
        }
    }
}

/// The code that a number is, if it is an integer below `count`.
fn code(value: f32, count: usize) -> Option<usize> {
    let code = value as usize;
    // Adding 0 makes a negative zero the code 0.
    let is_whole = (value + 0.0).to_bits() == (code as f32).to_bits();
    (is_whole && code < count).then_some(code)
}
