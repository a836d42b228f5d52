//! Logits of whole texts as columns: labels, probabilities, numbers.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float32Array, ListBuilder, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field};

use super::curve::Curve;

/// What logits mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// One of the labels.
    OneOf,
    /// Any of the labels.
    AnyOf,
    /// A number, through this curve.
    Score(Curve),
}

/// The labels of a model and what its logits mean.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    pub(super) labels: Vec<String>,
    pub(super) meaning: Meaning,
    pub(super) threshold: f64,
    pub(super) raw: bool,
}

impl Classes {
    /// Whether a threshold decides.
    pub(super) fn has_threshold(&self) -> bool {
        self.meaning == Meaning::AnyOf || self.is_binary()
    }

    fn is_binary(&self) -> bool {
        self.meaning == Meaning::OneOf && self.labels.len() == 2
    }

    /// The columns that come out.
    pub(super) fn fields(&self) -> Vec<Field> {
        let number = |name: String| Field::new(name, DataType::Float32, true);
        let prediction = |data_type: DataType| Field::new("prediction", data_type, true);
        let probabilities = || {
            self.labels
                .iter()
                .map(|label| number(format!("probability_{label}")))
        };
        let mut fields = match self.meaning {
            Meaning::Score(_) => vec![prediction(DataType::Float32)],
            Meaning::OneOf if self.is_binary() => {
                vec![number("probability".into()), prediction(DataType::Utf8)]
            }
            Meaning::OneOf => std::iter::once(prediction(DataType::Utf8))
                .chain(probabilities())
                .collect(),
            Meaning::AnyOf => std::iter::once(prediction(DataType::new_list(DataType::Utf8, true)))
                .chain(probabilities())
                .collect(),
        };
        if self.raw {
            fields.extend(self.margin_names().into_iter().map(number));
        }
        fields
    }

    fn margin_names(&self) -> Vec<String> {
        match self.labels.as_slice() {
            [_] => vec!["margin".into()],
            labels => labels
                .iter()
                .map(|label| format!("margin_{label}"))
                .collect(),
        }
    }

    /// The columns of rows whose logits these are; none for a row without a text.
    pub(super) fn columns(&self, rows: &[Option<Vec<f32>>]) -> Vec<ArrayRef> {
        let scores: Vec<Option<Vec<f32>>> = rows
            .iter()
            .map(|row| row.as_deref().map(|logits| self.scores(logits)))
            .collect();
        let mut columns = match self.meaning {
            Meaning::Score(_) => vec![column(&scores, 0)],
            Meaning::OneOf if self.is_binary() => {
                let label = |row: &Option<Vec<f32>>| {
                    row.as_ref()
                        .map(|row| &*self.labels[usize::from(f64::from(row[1]) >= self.threshold)])
                };
                vec![
                    column(&scores, 1),
                    Arc::new(scores.iter().map(label).collect::<StringArray>()) as ArrayRef,
                ]
            }
            Meaning::OneOf => {
                let label =
                    |row: &Option<Vec<f32>>| row.as_ref().map(|row| &*self.labels[largest(row)]);
                let labels: ArrayRef = Arc::new(scores.iter().map(label).collect::<StringArray>());
                std::iter::once(labels)
                    .chain((0..self.labels.len()).map(|index| column(&scores, index)))
                    .collect()
            }
            Meaning::AnyOf => std::iter::once(self.label_lists(&scores))
                .chain((0..self.labels.len()).map(|index| column(&scores, index)))
                .collect(),
        };
        if self.raw {
            columns.extend((0..self.labels.len()).map(|index| column(rows, index)));
        }
        columns
    }

    fn scores(&self, logits: &[f32]) -> Vec<f32> {
        match self.meaning {
            Meaning::Score(curve) => logits.iter().map(|logit| curve.of(*logit)).collect(),
            Meaning::AnyOf => logits
                .iter()
                .map(|logit| Curve::Sigmoid.of(*logit))
                .collect(),
            Meaning::OneOf => softmax(logits),
        }
    }

    fn label_lists(&self, scores: &[Option<Vec<f32>>]) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for row in scores {
            let chosen = row
                .iter()
                .flatten()
                .zip(&self.labels)
                .filter(|(score, _)| f64::from(**score) >= self.threshold);
            chosen.for_each(|(_, label)| lists.values().append_value(label));
            lists.append(row.is_some());
        }
        Arc::new(lists.finish())
    }
}

/// Probabilities that sum to 1.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

/// The first of the largest.
pub(super) fn largest(values: &[f32]) -> usize {
    values.iter().enumerate().fold(
        0,
        |best, (index, value)| if *value > values[best] { index } else { best },
    )
}

fn column(rows: &[Option<Vec<f32>>], index: usize) -> ArrayRef {
    Arc::new(
        rows.iter()
            .map(|row| row.as_ref().map(|row| row[index]))
            .collect::<Float32Array>(),
    )
}

/// Which rows have a text.
pub(super) fn present<T>(rows: &[Option<T>]) -> BooleanArray {
    rows.iter().map(|row| Some(row.is_some())).collect()
}
