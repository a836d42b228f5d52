//! What margins mean: links, labels, thresholds, and the columns that come of them.
//!
//! Owns the step from a model's raw margins to the answer a user reads. It must not know how the margins were computed.

/// The function from a margin to a score, in the precision of the margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// The margin itself.
    Identity,
    /// 1 / (1 + exp(−slope · margin)).
    Logistic {
        /// LightGBM's `sigmoid`; 1 elsewhere.
        slope: f64,
    },
    /// exp(margin).
    Exponential,
    /// ln(1 + exp(margin)): LightGBM's `cross_entropy_lambda`.
    SoftPlus,
    /// sign(margin) · margin²: LightGBM's `reg_sqrt`.
    SignedSquare,
    /// Softmax over all margins of a row.
    Softmax,
    /// 1 where the margin is above 0, else 0: XGBoost's `binary:hinge`.
    Hinge,
}

/// A class's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

/// Which columns come of the scores.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// One number a row: `prediction`.
    Value,
    /// Several numbers a row: `prediction_<name>` each.
    Values(Vec<String>),
    /// `probability` of the second label, and `prediction`: the second label at or above the threshold.
    Binary {
        /// The negative and the positive class.
        labels: [Label; 2],
        /// The least probability that is called positive.
        threshold: f64,
    },
    /// `prediction` (the label of the greatest score) and `probability_<label>` each; `probabilities` false: only the label.
    Classes {
        /// One per margin.
        labels: Vec<Label>,
        /// Whether the probabilities are written.
        probabilities: bool,
    },
}

/// The meaning of a model's margins.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which columns come out.
    pub task: Task,
    /// From margin to score.
    pub link: Link,
}
