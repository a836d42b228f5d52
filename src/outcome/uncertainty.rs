//! How sure a model is: what several readings of one model (CatBoost's virtual ensembles) say of
//! its uncertainty.
//!
//! Owns the formulas, those of CatBoost's prediction type `TotalUncertainty`, and their columns. It
//! must not know how the readings were computed. Source: CatBoost's documentation "Uncertainty" and
//! `eval_helpers.cpp`, 1.2.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Field};

use super::{Link, Task};

/// What the readings measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// One number: the mean of the readings, and their variance (knowledge uncertainty).
    Number,
    /// A mean and a variance: the same of the means, and the mean of the variances (data
    /// uncertainty).
    MeanAndVariance,
    /// Classes: the mean entropy of the readings (data uncertainty), and the entropy of their mean
    /// (total uncertainty).
    Classes,
}

/// A task whose rows have several readings after the model's own margins.
#[derive(Clone, Debug, PartialEq)]
pub struct Uncertain {
    /// What the model's own margins mean.
    pub own: Task,
    /// The number of readings.
    pub readings: usize,
    /// What they measure.
    pub measure: Measure,
}

impl Measure {
    /// What can be measured of such margins; none if `CatBoost` has no formula for them.
    #[must_use]
    pub fn of(task: &Task, link: Link) -> Option<Self> {
        match (task, link) {
            (Task::Value, Link::Identity) => Some(Self::Number),
            (Task::Values(_), Link::MeanAndVariance) => Some(Self::MeanAndVariance),
            (Task::Binary { .. }, Link::Logistic { .. })
            | (Task::Classes { .. }, Link::Softmax) => Some(Self::Classes),
            _ => None,
        }
    }

    const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Number => &["ensemble_mean", "knowledge_uncertainty"],
            Self::MeanAndVariance => {
                &["ensemble_mean", "knowledge_uncertainty", "data_uncertainty"]
            }
            Self::Classes => &["data_uncertainty", "total_uncertainty"],
        }
    }

    /// The measures of one row; `readings` holds `width` margins for each reading.
    fn measures(self, readings: &[f64], width: usize, link: Link) -> Vec<f64> {
        let count = (readings.len() / width) as f64;
        let mean_of = |values: &[f64]| values.iter().sum::<f64>() / count;
        let linked = || {
            readings.chunks_exact(width).map(|row| {
                let mut row = row.to_vec();
                link.apply(&mut row);
                row
            })
        };
        match self {
            Self::Number | Self::MeanAndVariance => {
                let means: Vec<f64> = readings.iter().step_by(width).copied().collect();
                let mean = mean_of(&means);
                let variance = means
                    .iter()
                    .map(|value| (value - mean) * (value - mean))
                    .sum::<f64>()
                    / count;
                let data = linked()
                    .filter_map(|row| row.get(1).copied())
                    .collect::<Vec<f64>>();
                let mut measures = vec![mean, variance];
                measures.extend((self == Self::MeanAndVariance).then(|| mean_of(&data)));
                measures
            }
            Self::Classes => {
                let probabilities: Vec<Vec<f64>> = linked()
                    .map(|row| {
                        if let [positive] = row[..] {
                            vec![1.0 - positive, positive]
                        } else {
                            row
                        }
                    })
                    .collect();
                let entropies: Vec<f64> = probabilities.iter().map(|row| entropy(row)).collect();
                let classes = probabilities.first().map_or(0, Vec::len);
                let mean: Vec<f64> = (0..classes)
                    .map(|class| probabilities.iter().map(|row| row[class]).sum::<f64>() / count)
                    .collect();
                vec![mean_of(&entropies), entropy(&mean)]
            }
        }
    }
}

impl Uncertain {
    /// The columns of the measures.
    pub(super) fn fields(&self) -> impl Iterator<Item = Field> {
        self.measure
            .names()
            .iter()
            .map(|name| Field::new(*name, DataType::Float64, true))
    }

    /// The arrays of [`Uncertain::fields`]; each row holds `own_width` margins of the model itself,
    /// then as many for each reading.
    pub(super) fn columns(&self, rows: &[f64], own_width: usize, link: Link) -> Vec<ArrayRef> {
        let mut columns = vec![Vec::new(); self.measure.names().len()];
        for row in rows.chunks_exact(own_width * (self.readings + 1)) {
            let measures = self.measure.measures(&row[own_width..], own_width, link);
            columns
                .iter_mut()
                .zip(measures)
                .for_each(|(column, measure)| column.push(measure));
        }
        columns
            .into_iter()
            .map(|column| Arc::new(Float64Array::from(column)) as ArrayRef)
            .collect()
    }
}

/// In natural units; a class of probability 0 adds nothing.
fn entropy(probabilities: &[f64]) -> f64 {
    -probabilities
        .iter()
        .filter(|value| **value > 0.0)
        .map(|value| value * value.ln())
        .sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_follow_their_definitions() {
        assert_eq!(
            Measure::Number.measures(&[1.0, 3.0], 1, Link::Identity),
            [2.0, 1.0]
        );
        let measured =
            Measure::MeanAndVariance.measures(&[1.0, 0.0, 3.0, 0.0], 2, Link::MeanAndVariance);
        assert_eq!(measured, [2.0, 1.0, 1.0]);
        // Two readings that are sure of opposite classes: no doubt in either, all doubt between
        // them.
        let measured =
            Measure::Classes.measures(&[800.0, -800.0], 1, Link::Logistic { slope: 1.0 });
        assert_eq!(measured, [0.0, std::f64::consts::LN_2]);
    }
}
