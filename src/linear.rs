//! Linear models: a margin is an intercept and a weighted sum of the features that are present.
//!
//! Owns the sum and its order: intercept first, then feature after feature in single precision, a
//! missing value dropped. That is XGBoost's `gblinear`, bit for bit. It must not know formats,
//! columns or links.

use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::trace::{self, Sum, Term};
use crate::model::{Model, NumericModel, OffsetRule, Scores, Wants, Worker};
use crate::outcome::Margins;

/// A linear model with one or more outputs.
#[derive(Debug)]
pub struct Linear {
    feature_count: usize,
    /// One for each output: the biases on top of the start.
    intercepts: Vec<f32>,
    /// What a row's own start is added to, one for each output.
    biases: Vec<f32>,
    /// One for each output, feature after feature.
    weights: Vec<f32>,
}

impl Linear {
    /// A model of as many outputs as `biases`, all of which start at `start`; the weight of
    /// (feature, output) lies at `feature * outputs + output`.
    ///
    /// # Errors
    /// Fails if there is no output or the number of weights is not features times outputs.
    pub fn new(
        feature_count: usize,
        start: f32,
        biases: Vec<f32>,
        weights: Vec<f32>,
    ) -> Result<Self> {
        if biases.is_empty() || feature_count.checked_mul(biases.len()) != Some(weights.len()) {
            let message = format!(
                "{} weights for {feature_count} features and {} outputs",
                weights.len(),
                biases.len()
            );
            return Err(Error::failed(message));
        }
        let intercepts = biases.iter().map(|bias| bias + start).collect();
        Ok(Self {
            feature_count,
            intercepts,
            biases,
            weights,
        })
    }

    /// Fills the margins of all rows; `offsets` holds each row's own start.
    fn fill(
        &self,
        block: &FeatureBlock,
        offsets: Option<&Columns<f32>>,
        margins: &mut Margins,
    ) -> Result<()> {
        let (FeatureBlock::Single(columns), Margins::Single(margins)) = (block, margins) else {
            return Err(Error::internal(
                "a block of another precision than the linear model's",
            ));
        };
        margins.clear();
        if columns.row_count() == 0 {
            return Ok(());
        }
        let width = self.intercepts.len();
        let fits = |offsets: &Columns<f32>| {
            (offsets.row_count(), offsets.feature_count()) == (columns.row_count(), width)
        };
        if columns.feature_count() != self.feature_count || !offsets.is_none_or(fits) {
            return Err(Error::internal(
                "a block of another width than the linear model's",
            ));
        }
        for row in 0..columns.row_count() {
            match offsets {
                Some(offsets) => margins.extend(
                    self.biases
                        .iter()
                        .enumerate()
                        .map(|(output, bias)| bias + offsets.column(output)[row]),
                ),
                None => margins.extend_from_slice(&self.intercepts),
            }
        }
        let starts = trace::is_followed().then(|| margins[..width].to_vec());
        self.add(columns, margins);
        if let Some(starts) = starts {
            self.note(columns, &starts, margins);
        }
        Ok(())
    }

    /// Notes the sums of the first row.
    fn note(&self, columns: &Columns<f32>, starts: &[f32], margins: &[f32]) {
        let width = self.intercepts.len();
        for (output, (start, sum)) in starts.iter().zip(margins).enumerate() {
            let term = |(feature, weights): (usize, &[f32])| {
                let (value, coefficient) = (columns.column(feature)[0], weights[output]);
                (!value.is_nan()).then(|| Term {
                    feature: trace::name(feature),
                    value: value.into(),
                    coefficient: coefficient.into(),
                    product: (value * coefficient).into(),
                })
            };
            let terms = self.weights.chunks_exact(width).enumerate();
            trace::note_sum(Sum {
                output,
                intercept: (*start).into(),
                terms: terms.filter_map(term).collect(),
                sum: (*sum).into(),
            });
        }
    }

    fn add(&self, columns: &Columns<f32>, margins: &mut [f32]) {
        let width = self.intercepts.len();
        // Chosen rather than branched on, so that several rows are added at once.
        let added = |sum: f32, value: f32, weight: f32| {
            if value.is_nan() {
                sum
            } else {
                sum + value * weight
            }
        };
        for (feature, weights) in self.weights.chunks_exact(width).enumerate() {
            let values = columns.column(feature);
            if let [weight] = weights {
                margins
                    .iter_mut()
                    .zip(values)
                    .for_each(|(sum, &value)| *sum = added(*sum, value, *weight));
            } else {
                for (sums, &value) in margins.chunks_exact_mut(width).zip(values) {
                    sums.iter_mut()
                        .zip(weights)
                        .for_each(|(sum, &weight)| *sum = added(*sum, value, weight));
                }
            }
        }
    }
}

impl Model for Linear {
    fn family(&self) -> &'static str {
        "linear"
    }

    fn feature_count(&self) -> usize {
        self.feature_count
    }

    fn memory_bytes(&self) -> usize {
        size_of::<f32>() * (self.weights.len() + self.intercepts.len() + self.biases.len())
    }
}

impl NumericModel for Linear {
    fn precision(&self) -> Precision {
        Precision::Single
    }

    fn margin_count(&self) -> usize {
        self.intercepts.len()
    }

    fn worker(&self) -> Box<dyn Worker + '_> {
        Box::new(self)
    }

    fn offset_rule(&self) -> Option<OffsetRule> {
        Some(OffsetRule::Start)
    }
}

impl Worker for &Linear {
    fn score(
        &mut self,
        block: &FeatureBlock,
        wants: &Wants<'_>,
        scores: &mut Scores,
    ) -> Result<()> {
        scores.reset();
        let offsets = match wants.offsets {
            None => None,
            Some(FeatureBlock::Single(offsets)) => Some(offsets),
            Some(_) => {
                return Err(Error::internal(
                    "offsets of another precision than the linear model's",
                ));
            }
        };
        self.fill(block, offsets, &mut scores.margins)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_the_intercept_and_what_is_present() {
        let model = Linear::new(2, 0.5, vec![0.5, -1.5], vec![2.0, 3.0, 10.0, 20.0])
            .expect("the shapes agree");
        let mut columns = Columns::filled(2, 2, 1.0);
        columns.column_mut(1)[1] = f32::NAN;
        let margins = model
            .margins(&FeatureBlock::Single(columns))
            .expect("the block fits");
        assert_eq!(margins, Margins::Single(vec![13.0, 22.0, 3.0, 2.0]));
        let mut columns = Columns::filled(1, 2, 1.0);
        columns.column_mut(1)[0] = f32::NAN;
        let mut offsets = Columns::filled(1, 2, 10.0);
        offsets.column_mut(1)[0] = 20.0;
        let (block, offsets) = (FeatureBlock::Single(columns), FeatureBlock::Single(offsets));
        let wants = Wants {
            offsets: Some(&offsets),
            leaves: false,
        };
        let mut scores = Scores {
            margins,
            leaves: Some(vec![1]),
            refused: Vec::new(),
        };
        model
            .worker()
            .score(&block, &wants, &mut scores)
            .expect("the blocks fit");
        assert_eq!(scores.leaves, None, "what a former block left is dropped");
        assert_eq!(
            scores.margins,
            Margins::Single(vec![12.5, 21.5]),
            "an offset stands in place of the start"
        );
    }

    #[test]
    fn wrong_shapes_are_refused() {
        assert!(Linear::new(2, 0.0, vec![1.0], vec![1.0]).is_err());
        assert!(Linear::new(usize::MAX, 0.0, vec![1.0, 2.0], vec![1.0]).is_err());
        assert!(Linear::new(0, 0.0, vec![], vec![]).is_err());
    }
}
