//! What XGBoost's objectives mean: the link of the answer, the space of the intercept, the columns
//! that come out.
//!
//! Owns the list of objectives. Source: `src/objective` of XGBoost 1.7 to 3.2, whose `ProbToMargin`
//! and `PredTransform` agree over these versions for every model file; the space of `base_score`
//! never changed, only whether it is one number or several.

use crate::error::{Error, Result};
use crate::format::wire::value::short;
use crate::outcome::{ABOVE_HALF, Label, Link, Outcome, Task};

/// XGBoost's `kRtEps`, the distance that it keeps from 0 and 1.
const PROBABILITY_MARGIN: f32 = 1e-6;

/// How the user's intercept becomes a margin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intercept {
    Margin,
    Probability,
    Mean,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Value,
    Binary,
    Probabilities,
    Class,
}

/// The meaning of one objective.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objective {
    intercept: Intercept,
    link: Link,
    answer: Answer,
}

impl Objective {
    /// The objective of this name.
    ///
    /// # Errors
    /// Says which objectives are known.
    pub(super) fn named(name: &str) -> Result<Self> {
        let (intercept, link, answer) = match name {
            "reg:squarederror"
            | "reg:linear"
            | "reg:squaredlogerror"
            | "reg:pseudohubererror"
            | "reg:absoluteerror"
            | "reg:quantileerror"
            | "rank:pairwise"
            | "rank:ndcg"
            | "rank:map"
            | "binary:logitraw" => (Intercept::Margin, Link::Identity, Answer::Value),
            "reg:logistic" => (
                Intercept::Probability,
                Link::Logistic { slope: 1.0 },
                Answer::Value,
            ),
            "binary:logistic" => (
                Intercept::Probability,
                Link::Logistic { slope: 1.0 },
                Answer::Binary,
            ),
            "binary:hinge" => (Intercept::Margin, Link::Hinge, Answer::Value),
            "count:poisson" | "reg:gamma" | "reg:tweedie" | "survival:cox" | "survival:aft" => {
                (Intercept::Mean, Link::Exponential, Answer::Value)
            }
            "multi:softprob" => (Intercept::Margin, Link::Softmax, Answer::Probabilities),
            // The class is that of the largest margin; rounding a softmax could only blur it.
            "multi:softmax" => (Intercept::Margin, Link::Identity, Answer::Class),
            other => {
                let error =
                    Error::contract(format!("the objective `{}` is not supported", short(other)));
                return Err(error.hint(
                    "supported are XGBoost's `reg:`, `binary:`, `multi:`, `count:`, `rank:` and \
                     `survival:` objectives up to 3.2",
                ));
            }
        };
        Ok(Self {
            intercept,
            link,
            answer,
        })
    }

    /// The intercept in margin space, in XGBoost's own single precision.
    pub(super) fn margin(self, base_score: f32) -> f32 {
        match self.intercept {
            Intercept::Margin => base_score,
            Intercept::Probability => {
                let probability = base_score.clamp(PROBABILITY_MARGIN, 1.0 - PROBABILITY_MARGIN);
                -(1.0 / probability - 1.0).ln()
            }
            Intercept::Mean => base_score.ln(),
        }
    }

    /// What the margins mean.
    pub(super) fn outcome(self, margin_count: usize) -> Outcome {
        let labels = || (0..margin_count as i64).map(Label::Integer).collect();
        let task = match self.answer {
            Answer::Probabilities => Task::Classes {
                labels: labels(),
                probabilities: true,
            },
            Answer::Class => Task::Classes {
                labels: labels(),
                probabilities: false,
            },
            Answer::Binary if margin_count > 1 => Task::Flags(numbers(margin_count)),
            _ if margin_count > 1 => Task::Values(numbers(margin_count)),
            Answer::Binary => Task::Binary {
                labels: [Label::Integer(0), Label::Integer(1)],
                threshold: ABOVE_HALF,
            },
            Answer::Value => Task::Value,
        };
        Outcome {
            task,
            link: self.link,
        }
    }
}

/// The names of outputs that have none.
fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|output| output.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intercepts_move_to_margin_space_in_single_precision() {
        for (name, base, expected) in [
            ("binary:logistic", 0.5, -0.0),
            ("binary:logistic", 0.25, -3.0_f32.ln()),
            (
                "reg:logistic",
                1.0,
                -(1.0 / (1.0 - PROBABILITY_MARGIN) - 1.0).ln(),
            ),
            ("count:poisson", 2.0, 2.0_f32.ln()),
            ("binary:logitraw", 0.25, 0.25),
            ("binary:hinge", 0.25, 0.25),
        ] {
            let margin = Objective::named(name)
                .expect("a known objective")
                .margin(base);
            assert_eq!(margin.to_bits(), expected.to_bits(), "{name} at {base}");
        }
    }

    #[test]
    fn several_outputs_of_a_plain_objective_are_numbered_values() {
        let outcome = |name: &str, count| {
            Objective::named(name)
                .expect("a known objective")
                .outcome(count)
                .task
        };
        assert_eq!(
            outcome("reg:quantileerror", 2),
            Task::Values(vec!["0".into(), "1".into()])
        );
        assert_eq!(
            outcome("binary:logistic", 2),
            Task::Flags(vec!["0".into(), "1".into()])
        );
        assert!(matches!(outcome("binary:logistic", 1), Task::Binary { .. }));
        assert!(matches!(
            outcome("multi:softmax", 2),
            Task::Classes {
                probabilities: false,
                ..
            }
        ));
        assert!(
            Objective::named("reg:nonsense")
                .expect_err("unknown")
                .message()
                .contains("`reg:nonsense`")
        );
    }
}
