//! One column on its way through the transformers: an input of the table, and what is done to its
//! values.
//!
//! Owns the steps and their arithmetic, which is scikit-learn's own in f64. It must not know
//! estimators.

use std::sync::Arc;

use super::label::Mark;
use super::names::Name;
use crate::contract::CategoryValue;

/// The most columns that a pipeline may make.
pub(super) const COLUMNS_LIMIT: usize = 1 << 20;

/// The code of a value that is not in a vocabulary.
pub(super) const UNSEEN: f64 = -1.0;

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
    /// The code of the input's category becomes the one that a reader of other categories has for
    /// it, and [`UNSEEN`] where it has none.
    Recode(Arc<[f64]>),
    /// The same for a reader that scikit-learn raises at for such a category: its code becomes NaN.
    /// The rows are refused (see [`super::finite`]).
    RecodeKnown(Arc<[f64]>),
    /// Numbers that are not in a list, which scikit-learn raises at, become NaN. The rows are
    /// refused (see [`super::finite`]).
    Known(Arc<[f64]>),
    /// A function of one number.
    Function(fn(f64) -> f64),
    /// A function of one number with numbers of its own.
    Mapping(Mapping),
    /// 1 from this value on, else 0; NaN stays.
    AtLeast(f64),
    /// Numbers below this limit, which scikit-learn raises at, become NaN; the limit itself only if
    /// it is `excluded`. The rows are refused (see [`super::finite`]).
    Refuse {
        limit: f64,
        excluded: bool,
    },
    /// The value as it is, which is the output of a step of the pipeline.
    Mark(Mark),
}

/// A function of one number that holds others.
#[derive(Clone)]
pub(super) struct Mapping(pub(super) Arc<dyn Fn(f64) -> f64 + Send + Sync>);

impl std::fmt::Debug for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mapping")
    }
}

impl Step {
    /// A function of one number that holds others.
    pub(super) fn mapping(function: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        Self::Mapping(Mapping(Arc::new(function)))
    }
}

impl Step {
    pub(super) fn run(&self, values: &mut [f64]) {
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
            Self::Recode(codes) => each(values, |code| recoded(code, codes, UNSEEN)),
            Self::RecodeKnown(codes) => each(values, |code| recoded(code, codes, f64::NAN)),
            Self::Known(known) => each(values, |value| {
                if known.contains(&value) {
                    value
                } else {
                    f64::NAN
                }
            }),
            Self::Function(function) => each(values, function),
            Self::Mapping(Mapping(function)) => each(values, |value| function(value)),
            Self::Mark(_) => {}
            Self::AtLeast(other) => each(values, |value| {
                if value.is_nan() {
                    value
                } else {
                    one(value >= *other)
                }
            }),
            Self::Refuse { limit, excluded } => each(values, |value| {
                if value < *limit || *excluded && value == *limit {
                    f64::NAN
                } else {
                    value
                }
            }),
        }
    }
}

/// What a reader of other categories has for a code; codes of none and NaN stay.
fn recoded(code: f64, codes: &[f64], other: f64) -> f64 {
    if code.is_nan() || code < 0.0 {
        return code;
    }
    let own = codes.get(code as usize).copied().unwrap_or(UNSEEN);
    if own == UNSEEN { other } else { own }
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
    /// Whether the imputer fills in NaN alone and leaves `None` as it is.
    pub(super) leaves_none: bool,
    /// Whether scikit-learn holds it in a sparse matrix, in which zeros are not stored.
    pub(super) is_sparse: bool,
    /// What scikit-learn calls it, where that is known.
    pub(super) name: Name,
}

impl Column {
    /// An input as it is.
    pub(super) fn of(input: usize) -> Self {
        Self {
            input,
            steps: Vec::new(),
            may_miss: true,
            filled: None,
            leaves_none: false,
            is_sparse: false,
            name: None,
        }
    }

    /// Nulls of the input are `None`: an imputer that leaves them did nothing.
    pub(super) fn keep_none(&mut self) {
        if std::mem::take(&mut self.leaves_none) {
            self.filled = None;
            self.steps.retain(|step| !matches!(step, Step::Fill(_)));
            self.may_miss = true;
        }
    }

    /// The output of a part.
    pub(super) fn computed(slot: usize) -> Self {
        Self {
            may_miss: false,
            ..Self::of(slot)
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

    /// Whether each of its numbers is still what it was, but for those that stand for a missing
    /// one.
    pub(super) fn keeps_numbers(&self) -> bool {
        let keeps = |step: &Step| matches!(step, Step::Fill(_) | Step::Replace(..) | Step::Mark(_));
        self.steps.iter().all(keeps) && self.filled.is_none()
    }

    /// Whether a step refuses numbers below a limit.
    pub(super) fn refuses(&self) -> bool {
        let refuses = |step: &Step| {
            matches!(
                step,
                Step::Refuse { .. } | Step::Known(_) | Step::RecodeKnown(_)
            )
        };
        self.steps.iter().any(refuses)
    }

    /// Whether no step changes its values.
    pub(super) fn has_no_steps(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.all(|step| matches!(step, Step::Mark(_)))
    }

    /// Whether nothing was done to it.
    pub(super) fn is_raw(&self) -> bool {
        self.has_no_steps() && self.filled.is_none()
    }
}
