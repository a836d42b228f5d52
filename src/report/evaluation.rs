//! An evaluation as facts.
//!
//! Owns the names of its sections. It must not know how metrics are computed or shown.

use super::comparison::origin_facts;
use super::facts::Fact;
use crate::monitor::curve::{AtThreshold, Costs, Gain};
use crate::monitor::evaluate::{ALL, Evaluation, Segment, Task};
use crate::monitor::interval::Estimate;

/// The section of metrics.
pub const SECTION: &str = "evaluation";

/// The section of what thresholds do.
pub const THRESHOLDS: &str = "thresholds";

/// The section of the models of an A/B test: which they are, by their names in the column `model`.
pub const SPLIT: &str = "split";

/// Counts among the metrics of a ranking.
const GROUP_COUNTS: [&str; 2] = ["groups", "groups_without_relevance"];

/// Facts of an evaluation: metrics with the ends of their 95 % intervals (`_low`, `_high`), counts
/// of rows, and tables.
#[must_use]
pub fn facts(evaluation: &Evaluation) -> Vec<Fact> {
    let mut facts = vec![Fact::text(SECTION, "", "task", task_name(evaluation.task))];
    if let Some(positive) = &evaluation.positive {
        facts.push(Fact::text(SECTION, "", "positive", positive));
    }
    facts.extend(
        row_counts(evaluation).map(|(name, count)| Fact::count(SECTION, "", name, count, "rows")),
    );
    if evaluation.has_areas() {
        // Rows are sorted by score, on a disk if they are many: nothing is bracketed.
        facts.push(Fact::text(SECTION, "", "roc_auc_method", "exact"));
    }
    for segment in &evaluation.segments {
        facts.extend(segment_facts(evaluation, segment));
    }
    if let Some(origin) = &evaluation.origin {
        facts.extend(origin_facts("model", "", origin));
    }
    facts
}

/// The metric of the run that made the predictions, where it is known.
pub const RUN_ID: &str = "run_id";

/// The word for a task.
#[must_use]
pub const fn task_name(task: Task) -> &'static str {
    match task {
        Task::Binary => "binary",
        Task::Classes => "classes",
        Task::Regression => "regression",
        Task::Ranking => "ranking",
    }
}

/// Counts of rows by their names.
fn row_counts(evaluation: &Evaluation) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = evaluation.counts;
    [
        ("rows_read", counts.predictions),
        ("rows_evaluated", counts.evaluated),
        ("rows_without_prediction", counts.without_prediction),
        ("rows_without_label", counts.without_label),
        ("rows_with_conflicting_labels", counts.conflicting_labels),
        ("duplicate_predictions", counts.duplicate_predictions),
        ("labels_read", counts.labels),
        ("duplicate_labels", counts.duplicate_labels),
        ("labels_not_numbers", counts.labels_not_numbers),
        (
            "labels_without_prediction",
            counts.labels_without_prediction,
        ),
    ]
    .into_iter()
}

fn segment_facts(evaluation: &Evaluation, segment: &Segment) -> Vec<Fact> {
    let number = |metric: String, value: f64| {
        let unit = if GROUP_COUNTS.contains(&&*metric) {
            "groups"
        } else {
            ""
        };
        Fact::number(SECTION, &segment.name, metric, value, unit)
    };
    let mut facts = Vec::new();
    if segment.name != ALL {
        facts.push(Fact::count(
            SECTION,
            &segment.name,
            "rows_evaluated",
            segment.rows,
            "rows",
        ));
    }
    for (name, Estimate { value, interval }) in &segment.metrics {
        facts.push(number(name.clone(), *value));
        if let Some((low, high)) = interval {
            facts.push(number(format!("{name}_low"), *low));
            facts.push(number(format!("{name}_high"), *high));
        }
    }
    facts.extend(confusion_facts(evaluation, segment));
    if segment.name == ALL {
        facts.extend(reliability_facts(segment));
        facts.extend(curve_facts(evaluation, segment));
    }
    facts
}

fn confusion_facts(evaluation: &Evaluation, segment: &Segment) -> Vec<Fact> {
    let Some(confusion) = &segment.tables.confusion else {
        return Vec::new();
    };
    let classes = &evaluation.classes;
    let cells = (0..classes.len())
        .flat_map(|actual| (0..classes.len()).map(move |called| (actual, called)));
    cells
        .map(|(actual, called)| {
            let metric = format!("actual={},predicted={}", classes[actual], classes[called]);
            Fact::count(
                "confusion",
                &segment.name,
                metric,
                confusion.count(actual, called),
                "rows",
            )
        })
        .collect()
}

fn reliability_facts(segment: &Segment) -> Vec<Fact> {
    let Some(calibration) = &segment.tables.calibration else {
        return Vec::new();
    };
    let bins = calibration.bins();
    let mut facts = Vec::new();
    for (index, bin) in bins.iter().enumerate() {
        let edge = |index: usize| index as f64 / bins.len() as f64;
        let subject = format!("{:.1}-{:.1}", edge(index), edge(index + 1));
        facts.push(Fact::count(
            "reliability",
            &subject,
            "rows",
            bin.total(),
            "rows",
        ));
        let (Some(score), Some(share)) = (bin.mean_score(), bin.positive_share()) else {
            continue;
        };
        let number =
            |metric: &str, value: f64| Fact::number("reliability", &subject, metric, value, "");
        facts.push(number("mean_probability", score));
        facts.push(number("positive_rate", share.value));
        if let Some((low, high)) = share.interval {
            facts.push(number("positive_rate_low", low));
            facts.push(number("positive_rate_high", high));
        }
    }
    facts
}

fn curve_facts(evaluation: &Evaluation, segment: &Segment) -> Vec<Fact> {
    let Some(curve) = &segment.tables.curve else {
        return Vec::new();
    };
    let positives = positives(segment);
    let costs = evaluation.costs;
    let cost = |metric: &str, cost: f64| Fact::number(THRESHOLDS, "", metric, cost, "");
    let mut facts = vec![
        cost("false_positive_cost", costs.false_positive),
        cost("false_negative_cost", costs.false_negative),
    ];
    for (index, gain) in gains(&curve.gains, segment.rows, positives)
        .into_iter()
        .enumerate()
    {
        let subject = format!("decile_{}", index + 1);
        let number = |metric: &str, value: f64| Fact::number("gains", &subject, metric, value, "");
        facts.extend([
            number("rows", gain.gain.rows),
            number("positives", gain.gain.positives),
            number("lowest_score", gain.gain.lowest_score),
            number("positive_rate", gain.rate),
            number("lift", gain.lift),
            number("captured", gain.captured),
        ]);
    }
    let best = [("best_f1", curve.best_f1), ("lowest_cost", curve.cheapest)];
    let best = best
        .into_iter()
        .filter_map(|(name, at)| Some((name.to_owned(), at?)));
    let swept = curve
        .sweep
        .iter()
        .map(|at| (format!("{:.2}", at.threshold), *at));
    for (subject, at) in swept.chain(best) {
        facts.extend(threshold_facts(&subject, at, positives, costs));
    }
    facts
}

fn threshold_facts(subject: &str, at: AtThreshold, positives: u64, costs: Costs) -> Vec<Fact> {
    let count = |metric: &str, count: u64| Fact::count(THRESHOLDS, subject, metric, count, "rows");
    let number = |metric: &str, value: f64| Fact::number(THRESHOLDS, subject, metric, value, "");
    let called = at.true_positives + at.false_positives;
    let mut facts = vec![
        number("threshold", at.threshold),
        count("true_positives", at.true_positives),
        count("false_positives", at.false_positives),
        count("false_negatives", positives - at.true_positives),
        number("f1", at.f1(positives)),
        number("cost", at.cost(positives, costs)),
    ];
    facts.extend(
        Estimate::proportion(at.true_positives, called).map(|one| number("precision", one.value)),
    );
    facts.extend(
        Estimate::proportion(at.true_positives, positives).map(|one| number("recall", one.value)),
    );
    facts
}

fn positives(segment: &Segment) -> u64 {
    let confusion = segment.tables.confusion.as_ref();
    confusion.map_or(0, |confusion| confusion.class(1).support)
}

/// A decile with what follows from it.
struct GainLine {
    gain: Gain,
    rate: f64,
    lift: f64,
    captured: f64,
}

fn gains(gains: &[Gain], rows: u64, positives: u64) -> Vec<GainLine> {
    let share = positives as f64 / rows as f64;
    let mut captured = 0.0;
    let known = gains.iter().filter(|gain| gain.rows > 0.0 && positives > 0);
    known
        .map(|gain| {
            captured += gain.positives;
            let rate = gain.positives / gain.rows;
            GainLine {
                gain: *gain,
                rate,
                lift: rate / share,
                captured: captured / positives as f64,
            }
        })
        .collect()
}

/// A number with the digits that its size needs.
pub(super) fn number_text(value: f64) -> String {
    if value != 0.0 && !(1e-4..1e7).contains(&value.abs()) {
        format!("{value:.4e}")
    } else if value.abs() >= 1000.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.4}")
    }
}
