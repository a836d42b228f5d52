//! One column on its way through the transformers: an input of the table, and what is done to its
//! values.
//!
//! Owns the steps and their arithmetic, which is scikit-learn's own in f64. It must not know
//! estimators.

use std::sync::Arc;

use crate::contract::{CategoryValue, Contract, Input, InputKind, Policy, Vocabulary};

/// The code of a value that is not in a vocabulary.
const UNSEEN: f64 = -1.0;

/// One operation on each value.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Subtract(f64),
    Divide(f64),
    Multiply(f64),
    Add(f64),
    /// Between the two, both included; NaN stays.
    Clip(f64, f64),
    /// NaN becomes this.
    Fill(f64),
    /// This value becomes the other.
    Replace(f64, f64),
    /// 1 for NaN, else 0.
    IsMissing,
    /// 1 for this value, else 0.
    Equals(f64),
    /// 1 above this value, else 0.
    Above(f64),
    /// The value of this index; anything else becomes the last of all.
    Table(Arc<[f64]>, f64),
    /// The position of the value in a list; −1 where it is not in it.
    Find(Arc<[f64]>),
    /// A function of one number.
    Function(fn(f64) -> f64),
}

impl Step {
    fn run(&self, values: &mut [f64]) {
        fn each(values: &mut [f64], change: impl Fn(f64) -> f64) {
            values.iter_mut().for_each(|value| *value = change(*value));
        }
        let one = |is_one: bool| f64::from(u8::from(is_one));
        match self {
            Self::Subtract(other) => each(values, |value| value - other),
            Self::Divide(other) => each(values, |value| value / other),
            Self::Multiply(other) => each(values, |value| value * other),
            Self::Add(other) => each(values, |value| value + other),
            Self::Clip(low, high) => each(values, |value| {
                if value < *low {
                    *low
                } else if value > *high {
                    *high
                } else {
                    value
                }
            }),
            Self::Fill(other) => each(values, |value| if value.is_nan() { *other } else { value }),
            Self::Replace(from, to) => {
                each(values, |value| if value == *from { *to } else { value });
            }
            Self::IsMissing => each(values, |value| one(value.is_nan())),
            Self::Equals(other) => each(values, |value| one(value == *other)),
            Self::Above(other) => each(values, |value| one(value > *other)),
            Self::Table(table, other) => each(values, |value| {
                let index = if value >= 0.0 {
                    value as usize
                } else {
                    usize::MAX
                };
                table.get(index).copied().unwrap_or(*other)
            }),
            Self::Find(known) => each(values, |value| {
                let found = known.iter().position(|one| *one == value);
                if value.is_nan() {
                    value
                } else {
                    found.map_or(UNSEEN, |found| found as f64)
                }
            }),
            Self::Function(function) => each(values, function),
        }
    }
}

/// A column that an estimator reads.
#[derive(Clone, Debug)]
pub(super) struct Column {
    /// The input that it is made of.
    pub(super) input: usize,
    pub(super) steps: Vec<Step>,
    /// Whether a null of the input is still missing here.
    pub(super) may_miss: bool,
    /// What an imputer puts in the place of null, before an encoder reads the text.
    pub(super) filled: Option<CategoryValue>,
}

impl Column {
    /// An input as it is.
    pub(super) fn of(input: usize) -> Self {
        Self {
            input,
            steps: Vec::new(),
            may_miss: true,
            filled: None,
        }
    }

    /// The column with more steps.
    pub(super) fn then(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    /// Runs the steps on the input's values.
    pub(super) fn run(&self, values: &mut [f64]) {
        self.steps.iter().for_each(|step| step.run(values));
    }

    /// Whether nothing was done to it.
    pub(super) fn is_raw(&self) -> bool {
        self.steps.is_empty() && self.filled.is_none()
    }
}

/// An input as far as the translation knows it.
#[derive(Clone, Debug)]
struct Known {
    name: String,
    categories: Option<Vec<CategoryValue>>,
    is_number: bool,
    rejects_null: bool,
    rejects_unseen: bool,
}

/// The inputs of the pipeline.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    known: Vec<Known>,
    named: bool,
    /// Transformers that were translated.
    visits: usize,
}

impl Inputs {
    /// Inputs by name, or so many without names.
    pub(super) fn new(names: Option<Vec<String>>, count: usize) -> Self {
        let named = names.is_some();
        let names = names.unwrap_or_else(|| (0..count).map(|one| format!("x{one}")).collect());
        let known = names.into_iter().map(|name| Known {
            name,
            categories: None,
            is_number: false,
            rejects_null: false,
            rejects_unseen: false,
        });
        Self {
            known: known.collect(),
            named,
            visits: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Counts a transformer; false after more than any honest file has, which one that refers to a
    /// part of itself over and over can reach.
    pub(super) fn visit(&mut self) -> bool {
        const VISITS_LIMIT: usize = 100_000;
        self.visits += 1;
        self.visits <= VISITS_LIMIT
    }

    /// The index of the input of this name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.known.iter().position(|input| input.name == name)
    }

    /// The input's name.
    pub(super) fn name(&self, input: usize) -> &str {
        &self.known[input].name
    }

    /// Takes the input for a number; false if it is read as categories elsewhere.
    pub(super) fn number(&mut self, input: usize) -> bool {
        self.known[input].is_number = true;
        self.known[input].categories.is_none()
    }

    /// Takes the input for codes of these categories; false if it is read otherwise elsewhere.
    pub(super) fn categories(&mut self, input: usize, values: Vec<CategoryValue>) -> bool {
        let known = &mut self.known[input];
        let fits = known
            .categories
            .as_ref()
            .is_none_or(|other| *other == values);
        known.categories = Some(values);
        fits && !known.is_number
    }

    /// A null of this input is an error in scikit-learn.
    pub(super) fn reject_null(&mut self, input: usize) {
        self.known[input].rejects_null = true;
    }

    /// An unseen category of this input is an error in scikit-learn.
    pub(super) fn reject_unseen(&mut self, input: usize) {
        self.known[input].rejects_unseen = true;
    }

    /// What the pipeline needs of a table.
    pub(super) fn contract(self) -> Contract {
        let inputs = self.known.into_iter().map(|known| {
            let mut input = match known.categories {
                Some(values) => {
                    let vocabulary = Vocabulary {
                        values,
                        unseen_code: UNSEEN,
                    };
                    Input::of_kind(known.name, InputKind::Category(vocabulary))
                }
                None => Input::number(known.name),
            };
            if known.rejects_null {
                input.on_null = Policy::Reject;
            }
            if known.rejects_unseen {
                input.on_unseen = Policy::Reject;
            }
            input
        });
        Contract {
            inputs: inputs.collect(),
            named: self.named,
            vector: None,
        }
    }
}
