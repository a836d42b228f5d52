//! What parts of a pipeline compute: linear sums, forests, formulas, models of other libraries.
//!
//! Owns the arithmetic of each, rows in, margins out, all in f64. It must not know where a part's
//! columns are from.

use super::formula::Formula;
use super::words::Words;
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::forest::Forest;
use crate::model::{Model, NumericModel, Scores, Wants, Worker};
use crate::outcome::Margins;

/// What is done to a row's margins at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    None,
    /// One margin becomes two, of either sign.
    BothSides,
    /// The logistic function of each, divided by their sum.
    EachAlone,
}

/// In which precision trees read their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TreeReads {
    /// As they are.
    Double,
    /// Rounded to single precision.
    Single,
    /// The same, and what is infinite then is an error.
    FiniteSingle,
}

/// What an estimator computes.
#[derive(Debug)]
pub(super) enum Engine {
    /// Sums of columns times coefficients, which are stored output after output.
    Linear {
        intercepts: Vec<f64>,
        coefficients: Vec<f64>,
        ending: Finish,
    },
    /// Trees, whose sums are divided at the end.
    Forest {
        forest: Box<Forest>,
        reads: TreeReads,
        divisor: f64,
    },
    /// A formula of one row.
    Formula(Formula),
    /// A model of another library, in its own precision.
    Foreign(Box<dyn NumericModel>),
    /// A vectoriser of one text; its margins are sparse.
    Words(Box<Words>),
    /// The columns as they are.
    Columns,
}

impl Engine {
    /// The family's name.
    pub(super) fn family(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "linear",
            Self::Forest { .. } => "forest",
            Self::Formula(formula) => formula.name,
            Self::Foreign(model) => model.family(),
            Self::Words(_) | Self::Columns => "pipeline",
        }
    }

    /// Whether it reads columns rounded to f32.
    pub(super) fn rounds(&self) -> bool {
        matches!(
            self,
            Self::Forest {
                reads: TreeReads::Single | TreeReads::FiniteSingle,
                ..
            }
        )
    }

    /// Whether it refuses numbers that are infinite once they are rounded.
    pub(super) fn is_bounded(&self) -> bool {
        matches!(
            self,
            Self::Forest {
                reads: TreeReads::FiniteSingle,
                ..
            }
        )
    }

    /// The number of margins that it makes of so many columns.
    pub(super) fn width(&self, column_count: usize) -> usize {
        match self {
            Self::Linear {
                ending: Finish::BothSides,
                ..
            } => 2,
            Self::Linear { intercepts, .. } => intercepts.len(),
            Self::Forest { forest, .. } => forest.margin_count(),
            Self::Formula(formula) => formula.width,
            Self::Foreign(model) => model.margin_count(),
            Self::Words(words) => words.width,
            Self::Columns => column_count,
        }
    }

    /// The bytes that it holds.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Linear {
                intercepts,
                coefficients,
                ..
            } => size_of::<f64>() * (intercepts.len() + coefficients.len()),
            Self::Forest { forest, .. } => forest.memory_bytes(),
            Self::Formula(formula) => formula.memory_bytes,
            Self::Foreign(model) => model.memory_bytes(),
            Self::Words(words) => words.memory_bytes(),
            Self::Columns => 0,
        }
    }

    /// The worker of the model inside, if there is one.
    pub(super) fn worker(&self) -> Option<Box<dyn Worker + '_>> {
        match self {
            Self::Forest { forest, .. } => Some(forest.worker()),
            Self::Foreign(model) => Some(model.worker()),
            _ => None,
        }
    }

    /// Computes the margins of a block that has rows, row after row; those of a linear engine
    /// start from `sums`.
    ///
    /// # Errors
    /// Those of the model inside.
    pub(super) fn score(
        &self,
        features: &FeatureBlock,
        worker: Option<&mut (dyn Worker + '_)>,
        wants: &Wants<'_>,
        sums: Vec<f64>,
        scores: &mut Scores,
    ) -> Result<()> {
        let internal = || Error::internal("a part of a pipeline without a worker of its own");
        if let Self::Forest {
            forest, divisor, ..
        } = self
        {
            // Numbers that are rounded already are found faster among cuts that are, too.
            let rounded = match features {
                FeatureBlock::Double(columns) if self.rounds() && forest.takes_single() => {
                    Some(in_precision(columns, Precision::Single))
                }
                _ => None,
            };
            let features = rounded.as_ref().unwrap_or(features);
            worker
                .ok_or_else(internal)?
                .score(features, wants, scores)?;
            if let Margins::Double(margins) = &mut scores.margins
                && *divisor != 1.0
            {
                margins.iter_mut().for_each(|margin| *margin /= divisor);
            }
            return Ok(());
        }
        let FeatureBlock::Double(columns) = features else {
            return Err(internal());
        };
        match self {
            Self::Foreign(model) => {
                let block = in_precision(columns, model.precision());
                let mut own = Scores::empty(model.precision());
                worker
                    .ok_or_else(internal)?
                    .score(&block, wants, &mut own)?;
                let margins = match own.margins {
                    Margins::Single(values) => values.into_iter().map(f64::from).collect(),
                    Margins::Double(values) => values,
                };
                *scores = Scores {
                    margins: Margins::Double(margins),
                    ..own
                };
            }
            Self::Linear { .. } | Self::Formula(_) | Self::Columns => {
                let mut margins = sums;
                self.compute(columns, &mut margins)?;
                *scores = Scores {
                    margins: Margins::Double(margins),
                    ..Scores::empty(Precision::Double)
                };
            }
            Self::Forest { .. } | Self::Words(_) => return Err(internal()),
        }
        Ok(())
    }

    fn compute(&self, columns: &Columns<f64>, margins: &mut Vec<f64>) -> Result<()> {
        match self {
            Self::Linear {
                intercepts,
                coefficients,
                ending,
            } => {
                linear(intercepts, coefficients, columns, margins);
                end(*ending, margins, intercepts.len());
            }
            Self::Formula(formula) => formula.run(columns, margins)?,
            _ => {
                margins.resize(columns.values().len(), 0.0);
                let width = columns.feature_count().max(1);
                for (row, values) in margins.chunks_exact_mut(width).enumerate() {
                    gather(columns, row, values);
                }
            }
        }
        Ok(())
    }
}

/// The values of one row.
pub(super) fn gather(columns: &Columns<f64>, row: usize, values: &mut [f64]) {
    for (feature, value) in values.iter_mut().enumerate() {
        *value = columns.column(feature)[row];
    }
}

/// The columns in the precision of what reads them.
fn in_precision(columns: &Columns<f64>, precision: Precision) -> FeatureBlock {
    if precision != Precision::Single {
        return FeatureBlock::Double(columns.clone());
    }
    let mut block = Columns::filled(columns.row_count(), columns.feature_count(), 0.0_f32);
    for feature in 0..columns.feature_count() {
        let values = block.column_mut(feature).iter_mut();
        values
            .zip(columns.column(feature))
            .for_each(|(to, from)| *to = *from as f32);
    }
    FeatureBlock::Single(block)
}

fn linear(
    intercepts: &[f64],
    coefficients: &[f64],
    features: &Columns<f64>,
    margins: &mut Vec<f64>,
) {
    let (rows, width) = (features.row_count(), intercepts.len().max(1));
    margins.resize(rows * width, 0.0);
    let count = features.feature_count();
    for (output, own) in coefficients.chunks_exact(count.max(1)).enumerate() {
        for (feature, coefficient) in own.iter().enumerate() {
            let sums = margins.iter_mut().skip(output).step_by(width);
            for (sum, value) in sums.zip(features.column(feature)) {
                *sum += value * coefficient;
            }
        }
    }
    for row in margins.chunks_exact_mut(width) {
        row.iter_mut()
            .zip(intercepts)
            .for_each(|(sum, intercept)| *sum += intercept);
    }
}

fn end(ending: Finish, margins: &mut Vec<f64>, width: usize) {
    match ending {
        Finish::None => {}
        Finish::BothSides => {
            *margins = margins
                .iter()
                .flat_map(|margin| [-margin, *margin])
                .collect();
        }
        Finish::EachAlone => {
            for row in margins.chunks_exact_mut(width) {
                row.iter_mut()
                    .for_each(|value| *value = 1.0 / (1.0 + (-*value).exp()));
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|value| *value /= sum);
            }
        }
    }
}
