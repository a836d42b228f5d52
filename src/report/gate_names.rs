//! The names of facts that gates of `evaluate`, `compare` and `drift` can read, whatever the data.
//!
//! Owns these names, so that a misspelt one is an error before any data is read. Which of them a
//! report has in the end depends on the data: [`super::gates`] checks that again. It must not know
//! how facts are computed.

use super::monitoring::{DRIFT_METRICS, ESTIMATED, INPUT_METRICS};
use super::{control, models};
use crate::error::{Error, Result};
use crate::feature::verdict::{Coercions, Reason};
use crate::monitor::judgement::PlannedGate;
use crate::table::spelling::did_you_mean;

/// Metrics of predictions, of which there are intervals.
const METRICS: [&str; 38] = [
    "roc_auc",
    "gini",
    "average_precision",
    "ks",
    "log_loss",
    "brier",
    "ece",
    "calibration_in_the_large",
    "positive_rate",
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "mcc",
    "precision_macro",
    "precision_micro",
    "precision_weighted",
    "recall_macro",
    "recall_micro",
    "recall_weighted",
    "f1_macro",
    "f1_micro",
    "f1_weighted",
    "roc_auc_macro",
    "roc_auc_weighted",
    "mae",
    "mse",
    "rmse",
    "r2",
    "median_absolute_error",
    "mape",
    "smape",
    "mean_error",
    "ndcg",
    "map",
    "difference",
];

/// Counts of an evaluation, and numbers of its tables.
const OF_EVALUATIONS: [&str; 29] = [
    "rows_read",
    "rows_evaluated",
    "rows_without_prediction",
    "rows_without_label",
    "rows_with_conflicting_labels",
    "duplicate_predictions",
    "labels_read",
    "duplicate_labels",
    "labels_without_prediction",
    "labels_not_numbers",
    "groups",
    "groups_without_relevance",
    "rows",
    "mean_probability",
    "positives",
    "lowest_score",
    "lift",
    "captured",
    "threshold",
    "true_positives",
    "false_positives",
    "false_negatives",
    "cost",
    "false_positive_cost",
    "false_negative_cost",
    "count",
    "rank",
    "p",
    "p_adjusted",
];

/// Measures and counts of a comparison.
const OF_COMPARISONS: [&str; 36] = [
    "agreement",
    "flips",
    "flip_rate",
    "identical",
    "rank_correlation",
    "psi",
    "decile_swaps",
    "mean_difference",
    "mean_absolute_difference",
    "difference_min",
    "difference_max",
    "difference_p01",
    "difference_p05",
    "difference_p25",
    "difference_p50",
    "difference_p75",
    "difference_p95",
    "difference_p99",
    "max_absolute_difference",
    "rows_compared",
    "rows_with_label",
    "rows_with_conflicting_labels",
    "margin",
    "not_inferior",
    "low",
    "high",
    "rows",
    "mean_a",
    "mean_b",
    "mean_data_a_model_b",
    "mean_data_b_model_a",
    "change",
    "change_by_data",
    "change_by_model",
    "share_of_data",
    "share_of_model",
];

/// What a comparison counts of each table.
const OF_SIDES: [&str; 7] = [
    "rows_read",
    "rows_without_prediction",
    "rows_without_key",
    "rows_with_duplicate_key",
    "rows_without_partner",
    "mean_score",
    "positive_rate",
];

/// Numbers of drift.
const OF_DRIFT: [&str; 30] = [
    "js",
    "js_high",
    "js_noise",
    "psi",
    "ks",
    "ks_low",
    "ks_high",
    "wasserstein",
    "wasserstein_low",
    "wasserstein_high",
    "missing_rate",
    "baseline_missing_rate",
    "unseen_rate",
    "unseen_rate_high",
    "chi_square_p",
    "p",
    "mean",
    "baseline_mean",
    "max_js",
    "max_ks",
    "baseline_rows",
    "rows",
    "drifted_share",
    "drifted_share_high",
    "columns",
    "drifted",
    "undecided",
    "missing_columns",
    "new_columns",
    "other_kind_columns",
];

/// Numbers of runs, besides those of inputs, scores and models.
const OF_RUNS: [&str; 24] = [
    "threads",
    "wall_seconds",
    "rows_per_second",
    "processor_seconds",
    "peak_memory_bytes",
    "rows_before",
    "bytes_read",
    "bytes_written",
    "energy_joules",
    "price",
    "price_per_hour",
    "tokens_per_second",
    "rows_without_score",
    "rows_with_loss",
    "rows_without_loss",
    "reference_rows",
    "compliance",
    "tested_count",
    "failed_count",
    "mostly",
    "age_seconds",
    "reports",
    "rejected",
    "filtered",
];

/// A verb whose gates are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `tallow evaluate`
    Evaluate,
    /// `tallow compare`
    Compare,
    /// `tallow drift`
    Drift,
    /// `tallow drift --compat`, whose facts begin with the tool's name
    Compat,
    /// `tallow score`, whatever the model and the data
    Score,
}

impl Verb {
    /// All names, longer ones that are made of others included.
    fn names(self) -> Vec<String> {
        let with = |names: &[&str], ends: &[&str]| -> Vec<String> {
            let all = names
                .iter()
                .flat_map(|name| ends.iter().map(move |end| format!("{name}{end}")));
            all.collect()
        };
        match self {
            Self::Evaluate => {
                let mut names = with(&METRICS, &["", "_low", "_high"]);
                names.extend(with(&OF_EVALUATIONS, &[""]));
                names
            }
            Self::Compare => {
                let ends = [
                    "_a",
                    "_b",
                    "_difference",
                    "_difference_low",
                    "_difference_high",
                    "_p",
                ];
                let mut names = with(&METRICS, &ends);
                names.extend(with(&OF_COMPARISONS, &[""]));
                names.extend(with(&OF_SIDES, &["_a", "_b"]));
                names
            }
            Self::Drift => with(&OF_DRIFT, &[""]),
            Self::Compat => Vec::new(),
            Self::Score => {
                let mut names = with(&OF_RUNS, &["", "_per_million_rows"]);
                let constant: [&[&str]; 8] = [
                    &INPUT_METRICS,
                    &DRIFT_METRICS,
                    &models::MODEL_METRICS,
                    &models::ROW_METRICS,
                    &[models::SHARE],
                    &models::LABEL_METRICS,
                    &models::SCORE_METRICS,
                    &control::METRICS,
                ];
                names.extend(constant.iter().flat_map(|metrics| with(metrics, &[""])));
                names.extend(Reason::ALL.map(|reason| reason.code().to_owned()));
                let coercions = Coercions::default().named();
                names.extend(coercions.map(|(metric, _)| metric.to_owned()));
                names
            }
        }
    }

    /// Whether its reports may have such a fact.
    pub(super) fn has(self, metric: &str) -> bool {
        let begins = |beginning: &&str| metric.starts_with(beginning);
        self.beginnings().iter().any(begins) || self.names().iter().any(|name| name == metric)
    }

    /// How names begin that are made of what the data holds: of bins, of categories, of a tool's
    /// words.
    fn beginnings(self) -> &'static [&'static str] {
        match self {
            Self::Evaluate => &[],
            Self::Compare => &["decile_"],
            Self::Drift => &["histogram_", "category_"],
            Self::Compat => &["evidently_", "nannyml_"],
            Self::Score => &[ESTIMATED, "reference_", "quantile_", "count_", "rejected_"],
        }
    }
}

/// Whether a report of `evaluate` or `compare` may have such a fact.
#[must_use]
pub fn is_of_reports(metric: &str) -> bool {
    [Verb::Evaluate, Verb::Compare]
        .iter()
        .any(|verb| verb.has(metric))
}

/// Checks that gates of a flag are about facts that reports of this verb may have.
///
/// # Errors
/// A usage error for the first that is not; it asks whether the nearest name is meant.
pub fn check(gates: &[PlannedGate], verb: Verb) -> Result<()> {
    let unknown = gates.iter().find(|one| !verb.has(one.gate.metric()));
    let Some(PlannedGate { gate, .. }) = unknown else {
        return Ok(());
    };
    let otherwise = match verb {
        Verb::Compat => "its facts begin with `evidently_` or `nannyml_`",
        _ => "`tallow inspect REPORT` and `--format json` list all facts",
    };
    let names = verb.names();
    let known = names.iter().map(String::as_str);
    let message = format!("the gate `{gate}` is about a fact that the report does not have");
    Err(Error::usage(message).hint(did_you_mean(gate.metric(), &known, otherwise)))
}

/// Checks that gates of a package are about facts that some report may have; `of_model` are the
/// numbers of its own model.
///
/// # Errors
/// A usage error for the first that is not; it asks whether the nearest name is meant.
pub fn check_package(gates: &[PlannedGate], of_model: &[String]) -> Result<()> {
    let verbs = [Verb::Evaluate, Verb::Compare, Verb::Drift, Verb::Score];
    let is_known = |metric: &str| {
        verbs.iter().any(|verb| verb.has(metric)) || of_model.iter().any(|name| name == metric)
    };
    let unknown = gates.iter().find(|one| !is_known(one.gate.metric()));
    let Some(PlannedGate { gate, .. }) = unknown else {
        return Ok(());
    };
    let mut names: Vec<String> = verbs.iter().flat_map(|verb| verb.names()).collect();
    names.extend_from_slice(of_model);
    let known = names.iter().map(String::as_str);
    let message = format!("the gate `{gate}` is about a fact that no report has");
    let otherwise = "`tallow guide monitoring` lists the facts that gates read";
    Err(Error::usage(message).hint(did_you_mean(gate.metric(), &known, otherwise)))
}

#[cfg(test)]
mod tests {
    use super::super::gates::planned;
    use super::*;

    fn hint(gate: &str, verb: Verb) -> Option<String> {
        let gates = planned(&[gate.to_owned()]).unwrap();
        let error = check(&gates, verb).err()?;
        assert!(error.to_string().contains(gate), "{error}");
        error.hint_text().map(str::to_owned)
    }

    #[test]
    fn names_are_checked_and_the_nearest_is_named() {
        for (verb, right, wrong, near) in [
            (
                Verb::Evaluate,
                "roc_auc >= 0.7",
                "roc_acu >= 0.7",
                "roc_auc",
            ),
            (
                Verb::Evaluate,
                "f1_macro_low > 0",
                "f1_makro > 0",
                "f1_macro",
            ),
            (
                Verb::Compare,
                "brier_difference <= 0",
                "brier_differnce <= 0",
                "brier_difference",
            ),
            (Verb::Compare, "flips < 10", "flip < 10", "flips"),
            (Verb::Drift, "ks(age) < 0.1", "jss(age) < 0.1", "js"),
            (
                Verb::Drift,
                "drifted_share <= 0.3",
                "driftedshare <= 0.3",
                "drifted_share",
            ),
        ] {
            assert_eq!(hint(right, verb), None);
            let found = hint(wrong, verb).unwrap_or_default();
            assert!(found.contains(&format!("`{near}`")), "{wrong}: {found}");
        }
        assert_eq!(hint("evidently_score(age) < 1", Verb::Compat), None);
        let found = hint("js(age) < 1", Verb::Compat).unwrap_or_default();
        assert!(found.contains("nannyml_"), "{found}");
    }
}
