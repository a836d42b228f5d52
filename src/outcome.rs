//! What margins mean: links, labels, thresholds, and the columns that come of them.
//!
//! Owns the step from a model's raw margins to the answer a user reads, in the precision of the
//! margins. It must not know how the margins were computed.

mod label;
mod link;
mod margins;
mod threshold;
pub mod uncertainty;

use arrow::array::{ArrayRef, AsArray, new_empty_array};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};

pub use self::label::Label;
use self::label::{FLAGS, flag_field, label_array, label_field};
pub use self::link::Link;
use self::link::Linked;
pub use self::margins::Margins;
use self::uncertainty::Uncertain;
use crate::feature::Precision;

impl Link {
    /// The function in words.
    #[must_use]
    pub fn formula(self) -> String {
        let text = match self {
            Self::Identity => "margin",
            Self::Logistic { slope: 1.0 } => "1 / (1 + exp(-margin))",
            Self::Logistic { slope } => return format!("1 / (1 + exp(-{slope} * margin))"),
            Self::Exponential => "exp(margin)",
            Self::SoftPlus => "ln(1 + exp(margin))",
            Self::SignedSquare => "sign(margin) * margin^2",
            Self::Softmax => "softmax(margins)",
            Self::Hinge => "1 if margin > 0, else 0",
            Self::MeanAndVariance => "margin 0, exp(2 * margin 1)",
        };
        text.to_owned()
    }
}

/// The least probability that is called positive where the original library calls a tie, 0.5 of two
/// classes, the first class.
pub const ABOVE_HALF: f64 = 0.5_f64.next_up();

/// Which columns come of the scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// One number a row: `prediction`.
    Value,
    /// Several numbers a row: `prediction_<name>` each.
    Values(Vec<String>),
    /// `probability` of the second label, and `prediction`: the second label at or above the
    /// threshold.
    Binary {
        /// The negative and the positive class.
        labels: [Label; 2],
        /// The least probability that is called positive.
        threshold: f64,
    },
    /// `prediction` (the label of the largest score) and `probability_<label>` each;
    /// `probabilities` false: only the label.
    Classes {
        /// One per margin.
        labels: Vec<Label>,
        /// Whether the probabilities are written.
        probabilities: bool,
    },
    /// Several labels that are true or not, each by itself: `prediction_<name>`, 1 where the score
    /// is above one half, else 0, and `probability_<name>`.
    Flags(Vec<String>),
    /// Each margin is a column of its own: these, in order.
    Listed(Vec<Shown>),
    /// The model finishes its own columns: these.
    Columns(Finished),
    /// The columns of another task, and what several readings of the model say of its uncertainty.
    Uncertain(Box<Uncertain>),
}

/// A column that one margin is.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The column's name.
    pub name: String,
    /// The labels that the margin is an index of; none for a number.
    pub labels: Option<Vec<Label>>,
    /// The index of another margin and a threshold that decide between two labels in place of this
    /// margin: the second from the threshold on.
    pub decided: Option<(usize, f64)>,
}

impl Shown {
    /// A column of numbers.
    #[must_use]
    pub fn number(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            labels: None,
            decided: None,
        }
    }

    /// A column of labels.
    #[must_use]
    pub fn label(name: impl Into<String>, labels: Vec<Label>) -> Self {
        Self {
            name: name.into(),
            labels: Some(labels),
            decided: None,
        }
    }
}

/// The columns that a model finishes itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Finished {
    /// The columns.
    pub fields: Vec<Field>,
    /// The negative and the positive class, where the columns are a `probability` and the label
    /// `prediction`.
    pub classes: Option<[Label; 2]>,
    /// The least probability that is called positive; none leaves the model's own labels.
    pub threshold: Option<f64>,
}

impl Finished {
    /// The columns with the labels that the threshold gives, if there is one.
    fn relabelled(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        let slot = |name: &str| self.fields.iter().position(|field| field.name() == name);
        let mut columns = columns.to_vec();
        let (Some(threshold), Some(labels)) = (self.threshold, &self.classes) else {
            return columns;
        };
        let (Some(probability), Some(prediction)) = (slot("probability"), slot("prediction"))
        else {
            return columns;
        };
        let class = |value: f64| (!value.is_nan()).then(|| usize::from(value >= threshold));
        let classes: Option<Vec<Option<usize>>> = match columns[probability].data_type() {
            DataType::Float32 => {
                columns[probability]
                    .as_primitive_opt::<Float32Type>()
                    .map(|values| {
                        values
                            .values()
                            .iter()
                            .map(|value| class(f64::from(*value)))
                            .collect()
                    })
            }
            _ => columns[probability]
                .as_primitive_opt::<Float64Type>()
                .map(|values| values.values().iter().map(|value| class(*value)).collect()),
        };
        if let Some(classes) = classes {
            columns[prediction] = label_array(labels, classes.into_iter());
        }
        columns
    }
}

/// Whether a number can be a probability, and so a threshold of one.
#[must_use]
pub fn is_probability(number: f64) -> bool {
    (0.0..=1.0).contains(&number)
}

/// The meaning of a model's margins.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which columns come out.
    pub task: Task,
    /// From margin to score.
    pub link: Link,
}

impl Outcome {
    /// The columns that come out for `margin_count` margins of this precision, in order; `raw` adds
    /// the margins. Finished columns, which have no precision, come out as they are.
    #[must_use]
    pub fn fields(
        &self,
        margin_count: usize,
        precision: Option<Precision>,
        raw: bool,
    ) -> Vec<Field> {
        let number = match precision {
            Some(Precision::Single) => DataType::Float32,
            Some(Precision::Double) | None => DataType::Float64,
        };
        let field = |name: String| Field::new(name, number.clone(), true);
        if let Task::Uncertain(uncertain) = &self.task {
            let (own, width) = self.own(uncertain, margin_count);
            return own
                .fields(width, precision, raw)
                .into_iter()
                .chain(uncertain.fields())
                .collect();
        }
        let mut fields = match &self.task {
            Task::Value => vec![field("prediction".into())],
            Task::Values(names) => names
                .iter()
                .map(|name| field(format!("prediction_{name}")))
                .collect(),
            Task::Binary { labels, .. } => vec![field("probability".into()), label_field(labels)],
            Task::Classes {
                labels,
                probabilities,
            } => {
                let shown = labels
                    .iter()
                    .filter(|_| *probabilities)
                    .map(|label| field(format!("probability_{label}")));
                std::iter::once(label_field(labels)).chain(shown).collect()
            }
            Task::Flags(names) => {
                let flags = names.iter().map(|name| flag_field(name));
                let odds = names
                    .iter()
                    .map(|name| field(format!("probability_{name}")));
                flags.chain(odds).collect()
            }
            Task::Listed(shown) => shown
                .iter()
                .map(|one| match &one.labels {
                    Some(labels) => label_field(labels).with_name(&one.name),
                    None => field(one.name.clone()),
                })
                .collect(),
            Task::Columns(finished) => finished.fields.clone(),
            Task::Uncertain(_) => Vec::new(),
        };
        if raw && !matches!(self.task, Task::Columns(_) | Task::Listed(_)) {
            fields.extend(self.margin_names(margin_count).into_iter().map(field));
        }
        fields
    }

    /// The model's own outcome without its readings, and the number of its margins.
    fn own(&self, uncertain: &Uncertain, margin_count: usize) -> (Self, usize) {
        (
            Self {
                task: uncertain.own.clone(),
                link: self.link,
            },
            margin_count / (uncertain.readings + 1),
        )
    }

    fn margin_names(&self, margin_count: usize) -> Vec<String> {
        match &self.task {
            Task::Values(names) | Task::Flags(names) => {
                names.iter().map(|name| format!("margin_{name}")).collect()
            }
            Task::Classes { labels, .. } if margin_count > 1 => labels
                .iter()
                .map(|label| format!("margin_{label}"))
                .collect(),
            _ => vec!["margin".into()],
        }
    }

    /// The arrays of [`Outcome::fields`] for row-major margins, `margin_count` a row.
    #[must_use]
    pub fn columns(&self, margins: &Margins, margin_count: usize, raw: bool) -> Vec<ArrayRef> {
        match margins {
            Margins::Single(values) => self.columns_of(values, margin_count, raw),
            Margins::Double(values) => self.columns_of(values, margin_count, raw),
        }
    }

    /// The arrays of [`Outcome::fields`] for the columns that a model finished.
    #[must_use]
    pub fn finished(&self, columns: &[ArrayRef]) -> Vec<ArrayRef> {
        match &self.task {
            // Without a row there is no block, and so no column yet.
            _ if columns.is_empty() => self
                .fields(1, None, false)
                .iter()
                .map(|field| new_empty_array(field.data_type()))
                .collect(),
            Task::Columns(finished) => finished.relabelled(columns),
            _ => columns.to_vec(),
        }
    }

    fn columns_of<T: Linked>(
        &self,
        margins: &[T],
        margin_count: usize,
        raw: bool,
    ) -> Vec<ArrayRef> {
        if let Task::Uncertain(uncertain) = &self.task {
            let (own, width) = self.own(uncertain, margin_count);
            let of_model: Vec<T> = margins
                .chunks_exact(margin_count)
                .flat_map(|row| row[..width].iter().copied())
                .collect();
            let mut columns = own.columns_of(&of_model, width, raw);
            let rows: Vec<f64> = margins.iter().map(|margin| margin.to_double()).collect();
            columns.extend(uncertain.columns(&rows, width, self.link));
            return columns;
        }
        let mut scores = margins.to_vec();
        scores
            .chunks_exact_mut(margin_count)
            .for_each(|row| self.link.apply(row));
        let mut columns = match &self.task {
            Task::Value | Task::Values(_) | Task::Columns(_) | Task::Uncertain(_) => {
                split(&scores, margin_count)
            }
            Task::Flags(_) => {
                let flag = |output: usize| {
                    let own = scores.iter().skip(output).step_by(margin_count);
                    label_array(&FLAGS, own.map(|score| side(*score, ABOVE_HALF)))
                };
                let mut columns: Vec<ArrayRef> = (0..margin_count).map(flag).collect();
                columns.extend(split(&scores, margin_count));
                columns
            }
            Task::Listed(shown) => shown
                .iter()
                .enumerate()
                .map(|(index, one)| {
                    let of = |index: usize| scores.iter().skip(index).step_by(margin_count);
                    match (&one.labels, one.decided) {
                        (Some(labels), Some((other, threshold))) => {
                            label_array(labels, of(other).map(|score| side(*score, threshold)))
                        }
                        (Some(labels), None) => {
                            label_array(labels, of(index).copied().map(index_of))
                        }
                        (None, _) => T::array(of(index).copied().collect()),
                    }
                })
                .collect(),
            Task::Binary { labels, threshold } => {
                let classes = scores.iter().map(|score| side(*score, *threshold));
                let predictions = label_array(labels, classes);
                vec![T::array(scores), predictions]
            }
            Task::Classes {
                labels,
                probabilities,
            } => {
                let class = |row: &[T]| {
                    if row.len() == 1 && labels.len() > 1 {
                        usize::from(row[0].to_double() > 0.5)
                    } else {
                        largest(row)
                    }
                };
                let known = |row: &[T]| !row.iter().any(|score| score.to_double().is_nan());
                let classes = scores
                    .chunks_exact(margin_count)
                    .map(|row| known(row).then(|| class(row)));
                let mut columns = vec![label_array(labels, classes)];
                if *probabilities {
                    columns.extend(split(&scores, margin_count));
                }
                columns
            }
        };
        if raw && !matches!(self.task, Task::Listed(_)) {
            columns.extend(split(margins, margin_count));
        }
        columns
    }
}

/// The index of the class of a probability, 1 from the threshold on; none for NaN.
fn side<T: Linked>(score: T, threshold: f64) -> Option<usize> {
    let score = score.to_double();
    (!score.is_nan()).then(|| usize::from(score >= threshold))
}

/// The index that a margin is; none for NaN.
fn index_of<T: Linked>(value: T) -> Option<usize> {
    let value = value.to_double();
    (value >= 0.0).then_some(value as usize)
}

/// The first of the largest values; NaN is never greater.
fn largest<T: Linked>(row: &[T]) -> usize {
    row.iter().enumerate().fold(
        0,
        |best, (index, value)| if *value > row[best] { index } else { best },
    )
}

fn split<T: Linked>(scores: &[T], width: usize) -> Vec<ArrayRef> {
    (0..width)
        .map(|output| T::array(scores.iter().skip(output).step_by(width).copied().collect()))
        .collect()
}
