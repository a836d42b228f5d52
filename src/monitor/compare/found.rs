//! What a comparison found.
//!
//! Owns the counts of rows, the measures of every segment and the verdict. It must not know how
//! they come about, or how they are shown.

use crate::monitor::evaluate::{Disjoint, Task, is_loss};
use crate::monitor::interval::Estimate;
use crate::monitor::paired::DECILES;

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PairCounts {
    /// Rows of the first and of the second table.
    pub read: [u64; 2],
    /// Rows that are compared.
    pub compared: u64,
    /// Rows that are compared and have a label.
    pub labelled: u64,
    /// Rows whose score or prediction is missing or NaN.
    pub without_prediction: [u64; 2],
    /// Rows whose key is missing.
    pub without_key: [u64; 2],
    /// Rows whose key several rows of one table have.
    pub duplicate_keys: [u64; 2],
    /// Rows whose key the other table does not have, or several times. A row whose partner has no
    /// prediction is not among them: the partner is counted.
    pub alone: [u64; 2],
    /// Rows whose key has labels that differ.
    pub conflicting_labels: u64,
}

/// Two tables of predictions, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What became of the rows.
    pub counts: PairCounts,
    /// What kind of predictions they are.
    pub task: Task,
    /// The positive class of two, as far as it is known.
    pub positive: Option<String>,
    /// All rows first, then the segments in the order of their names.
    pub segments: Vec<Segment>,
    /// The most moved rows, as far as they were asked for.
    pub moved: Vec<MovedRow>,
    /// What the labels say.
    pub verdict: Option<Verdict>,
    /// Labels and decisions of either table that should be the same classes and are not.
    pub disjoint: [Option<Disjoint>; 2],
}

/// Rows that are compared together.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// `column=value`, or nothing for all rows.
    pub name: String,
    /// The rows.
    pub rows: u64,
    /// Rows that have a label.
    pub labelled: u64,
    /// Measures by their names, in the order in which they are shown.
    pub measures: Vec<(&'static str, f64)>,
    /// Rows by decision of the first and of the second.
    pub decisions: Vec<([String; 2], u64)>,
    /// Bins of differences: their ends and rows.
    pub histogram: Vec<([f64; 2], u64)>,
    /// Rows by decile of both scores.
    pub deciles: Option<[[u64; DECILES]; DECILES]>,
    /// Metrics of both against the labels.
    pub metrics: Vec<Paired>,
}

/// A metric of both, and the second less the first.
#[derive(Clone, Debug, PartialEq)]
pub struct Paired {
    /// As scikit-learn names it.
    pub name: &'static str,
    /// The metric of each.
    pub values: [f64; 2],
    /// The second less the first.
    pub difference: Estimate,
    /// The two-sided probability of such a difference if there were none.
    pub p: Option<f64>,
    /// What the interval or probability comes from.
    pub test: &'static str,
}

impl Paired {
    /// Whether a higher value is better.
    #[must_use]
    pub fn is_score(&self) -> bool {
        !is_loss(self.name)
    }
}

/// What is decided of the second, against the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The interval of the difference lies on the good side of 0.
    Better,
    /// It lies on the bad side, beyond the margin.
    Worse,
    /// It does not reach beyond the margin.
    NotInferior,
    /// No row tells the two apart.
    Same,
    /// It holds 0, or the margin.
    Undecided,
}

impl Decision {
    /// The word of the report.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::NotInferior => "not_inferior",
            Self::Same => "same",
            Self::Undecided => "undecided",
        }
    }
}

/// What the metric that decides says.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The metric.
    pub metric: Paired,
    /// By how much the second may be worse.
    pub margin: Option<f64>,
    /// What is decided.
    pub decision: Decision,
}

impl Verdict {
    /// What a metric says.
    #[must_use]
    pub fn of(metric: &Paired, margin: Option<f64>) -> Self {
        let sign = if metric.is_score() { 1.0 } else { -1.0 };
        let allowed = margin.unwrap_or(0.0);
        let decision = match metric.difference.interval {
            None if metric.difference.value == 0.0 => Decision::Same,
            None => Decision::Undecided,
            Some((low, high)) => {
                let [low, high] = if sign > 0.0 {
                    [low, high]
                } else {
                    [-high, -low]
                };
                match margin {
                    _ if low > 0.0 => Decision::Better,
                    Some(_) if low > -allowed => Decision::NotInferior,
                    _ if high < -allowed => Decision::Worse,
                    _ => Decision::Undecided,
                }
            }
        };
        Self {
            metric: metric.clone(),
            margin,
            decision,
        }
    }

    /// Whether the second is not worse by more than the margin; none without one.
    #[must_use]
    pub fn is_not_inferior(&self) -> Option<bool> {
        self.margin.map(|_| {
            matches!(
                self.decision,
                Decision::Better | Decision::NotInferior | Decision::Same
            )
        })
    }
}

/// A row whose score moved.
#[derive(Clone, Debug, PartialEq)]
pub struct MovedRow {
    /// Its key, or the number of the row from 1.
    pub key: Vec<String>,
    /// Both scores.
    pub scores: [f64; 2],
    /// Both decisions.
    pub decisions: [String; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_interval_and_the_margin() {
        let of = |name, interval: Option<(f64, f64)>, margin| {
            let value = interval.map_or(0.0, |(low, high)| f64::midpoint(low, high));
            let metric = Paired {
                name,
                values: [0.0, value],
                difference: Estimate { value, interval },
                p: None,
                test: "delong",
            };
            Verdict::of(&metric, margin).decision
        };
        let cases = [
            ("roc_auc", Some((0.01, 0.02)), None, Decision::Better),
            ("roc_auc", Some((-0.02, -0.01)), None, Decision::Worse),
            ("roc_auc", Some((-0.01, 0.02)), None, Decision::Undecided),
            (
                "roc_auc",
                Some((-0.01, 0.02)),
                Some(0.015),
                Decision::NotInferior,
            ),
            (
                "roc_auc",
                Some((-0.02, 0.02)),
                Some(0.015),
                Decision::Undecided,
            ),
            (
                "roc_auc",
                Some((-0.012, -0.01)),
                Some(0.015),
                Decision::NotInferior,
            ),
            (
                "roc_auc",
                Some((-0.03, -0.02)),
                Some(0.015),
                Decision::Worse,
            ),
            ("roc_auc", None, Some(0.015), Decision::Same),
            ("mae", Some((0.01, 0.02)), None, Decision::Worse),
            ("mae", Some((-0.02, -0.01)), None, Decision::Better),
            (
                "mae",
                Some((-0.02, 0.01)),
                Some(0.02),
                Decision::NotInferior,
            ),
        ];
        for (name, interval, margin, expected) in cases {
            assert_eq!(
                of(name, interval, margin),
                expected,
                "{name} {interval:?} {margin:?}"
            );
        }
    }
}
