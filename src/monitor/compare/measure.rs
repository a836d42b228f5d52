//! From sums and sorted rows to the measures of a segment.
//!
//! Owns which measures a task has, and their names. It must not know how they are shown.

use std::collections::BTreeMap;

use super::found::{Paired, Segment};
use super::gather::{CALLED_NEGATIVE, CALLED_POSITIVE, Losses, Sums};
use crate::monitor::evaluate::Task;
use crate::monitor::evaluate::gather::NO_CLASS;
use crate::monitor::interval::{Estimate, Mean, bootstrap};
use crate::monitor::paired::{PairedRanks, probability};
use crate::monitor::special::sign_test;

/// Quantiles of the differences by their names.
pub(super) const QUANTILES: [(&str, f64); 7] = [
    ("difference_p01", 0.01),
    ("difference_p05", 0.05),
    ("difference_p25", 0.25),
    ("difference_p50", 0.5),
    ("difference_p75", 0.75),
    ("difference_p95", 0.95),
    ("difference_p99", 0.99),
];

/// What measures need to know of the whole.
pub(super) struct Whole<'a> {
    pub(super) task: Task,
    pub(super) classes: &'a [String],
    pub(super) positive: Option<u32>,
}

impl<'a> Whole<'a> {
    /// The task, its classes, and the positive one by its name.
    pub(super) fn new(task: Task, classes: &'a [String], positive: Option<&String>) -> Self {
        let positive = positive.and_then(|name| classes.iter().position(|class| class == name));
        Self {
            task,
            classes,
            positive: positive.map(|index| index as u32),
        }
    }

    /// Whether a decision is the positive class.
    pub(super) fn is_called(&self, decision: u32) -> bool {
        decision == CALLED_POSITIVE || Some(decision) == self.positive
    }

    /// Two decisions that are alike.
    fn agree(&self, [first, second]: [u32; 2]) -> bool {
        let is_by_score = |decision| decision == CALLED_POSITIVE || decision == CALLED_NEGATIVE;
        if is_by_score(first) == is_by_score(second) {
            first == second
        } else {
            self.is_called(first) == self.is_called(second)
        }
    }

    fn is_right(&self, actual: u32, decision: u32) -> bool {
        match self.task {
            Task::Binary => self.is_called(decision) == (Some(actual) == self.positive),
            _ => actual == decision,
        }
    }

    /// The name of a decision.
    pub(super) fn decision(&self, decision: u32) -> String {
        match decision {
            CALLED_POSITIVE => "positive".to_owned(),
            CALLED_NEGATIVE => "negative".to_owned(),
            NO_CLASS => String::new(),
            class => self
                .classes
                .get(class as usize)
                .cloned()
                .unwrap_or_default(),
        }
    }
}

/// A segment as far as its sums say.
pub(super) fn segment(
    whole: &Whole,
    name: String,
    sums: &Sums,
    ranks: Option<&PairedRanks>,
) -> Segment {
    let mut segment = Segment {
        name,
        rows: sums.rows,
        labelled: sums.labelled,
        ..Segment::default()
    };
    let rows = sums.rows as f64;
    let mut add = |name, value: Option<f64>| {
        if let Some(value) = value {
            segment.measures.push((name, value));
        }
    };
    let is_number = matches!(whole.task, Task::Regression | Task::Ranking);
    if is_number {
        add("agreement", Some(sums.within_tolerance as f64 / rows));
    } else {
        let flips: u64 = sums
            .decisions
            .iter()
            .filter(|(decisions, _)| !whole.agree(**decisions))
            .map(|(_, count)| count)
            .sum();
        add("agreement", Some((sums.rows - flips) as f64 / rows));
        add("flips", Some(flips as f64));
        add("flip_rate", Some(flips as f64 / rows));
    }
    add("identical", Some(sums.identical as f64 / rows));
    if let Some(ranks) = ranks {
        add("rank_correlation", ranks.rank_correlation);
        add("psi", ranks.psi);
        let same: u64 = (0..ranks.deciles.len())
            .map(|at| ranks.deciles[at][at])
            .sum();
        add("decile_swaps", Some((sums.rows - same) as f64));
        segment.deciles = Some(ranks.deciles);
    }
    let mut add = |name, value: Option<f64>| {
        if let Some(value) = value {
            segment.measures.push((name, value));
        }
    };
    add("mean_difference", sums.differences.value());
    add("mean_absolute_difference", sums.absolute.value());
    if let Some([low, high]) = sums.ends {
        add("difference_min", Some(low));
        add("difference_max", Some(high));
        add("max_absolute_difference", Some(low.abs().max(high.abs())));
    }
    if !is_number {
        let mut decisions: Vec<_> = sums.decisions.iter().collect();
        decisions.sort_unstable();
        segment.decisions = decisions
            .into_iter()
            .map(|(decisions, count)| (decisions.map(|one| whole.decision(one)), *count))
            .collect();
        segment.decisions.sort();
    }
    segment.metrics = metrics(whole, sums, ranks);
    segment
}

fn metrics(whole: &Whole, sums: &Sums, ranks: Option<&PairedRanks>) -> Vec<Paired> {
    let mut metrics = Vec::new();
    if let Some(curves) = ranks.and_then(|ranks| ranks.curves.as_ref()) {
        metrics.push(Paired {
            name: "roc_auc",
            values: curves.areas,
            difference: curves.area_difference,
            p: curves.p,
            test: "delong",
        });
        let resampled = [
            ("average_precision", curves.average_precision),
            ("ks", curves.ks),
        ];
        metrics.extend(resampled.into_iter().filter_map(|(name, found)| {
            let (values, difference) = found?;
            Some(bootstrapped(name, values, difference))
        }));
    }
    for (name, losses) in losses(whole, sums) {
        metrics.extend(paired_loss(name, &losses));
        if name == "mse" {
            metrics.extend(rmse(&losses));
        }
    }
    metrics.extend(decided(whole, sums));
    metrics
}

fn bootstrapped(name: &'static str, values: [f64; 2], difference: Estimate) -> Paired {
    Paired {
        name,
        values,
        difference,
        p: None,
        test: "bootstrap",
    }
}

/// The losses of a task by name, those of both labels of two classes in one.
fn losses(whole: &Whole, sums: &Sums) -> BTreeMap<&'static str, Losses> {
    let mut merged: BTreeMap<&'static str, Losses> = BTreeMap::new();
    if sums.has_other_scores {
        return merged;
    }
    for ((name, class), losses) in &sums.losses {
        let (name, is_of_negative) = match *name {
            "negative_log_loss" => ("log_loss", true),
            "negative_brier" => ("brier", true),
            name => (name, false),
        };
        let is_negative = whole.task == Task::Binary && Some(*class) != whole.positive;
        if is_negative != is_of_negative {
            continue;
        }
        let into = merged.entry(name).or_default();
        for (into, from) in into.each.iter_mut().zip(&losses.each) {
            into.merge(from);
        }
        into.difference.merge(&losses.difference);
    }
    merged
}

/// A loss of each, and the mean of the differences with its standard error.
fn paired_loss(name: &'static str, losses: &Losses) -> Option<Paired> {
    let difference = losses.difference.estimate((f64::MIN, f64::MAX))?;
    let error = losses.difference.standard_error();
    Some(Paired {
        name,
        values: [losses.each[0].value()?, losses.each[1].value()?],
        difference,
        p: error.map(|error| probability(difference.value, error)),
        test: "paired_z",
    })
}

/// The roots of mean squared errors, by the delta method.
fn rmse(losses: &Losses) -> Option<Paired> {
    let root = |mean: &Mean| Some(mean.value()?.sqrt());
    let values = [root(&losses.each[0])?, root(&losses.each[1])?];
    let value = values[1] - values[0];
    // Var(x/2a − y/2b) from the variances of x, y and y − x.
    let count = losses.difference.count() as f64;
    let variance = |mean: &Mean| mean.squared_deviations() / (count - 1.0) / count;
    let [first, second] = [0, 1].map(|side| variance(&losses.each[side]));
    let both = (first + second - variance(&losses.difference)) / 2.0;
    let scale = values.map(|root| 1.0 / (2.0 * root));
    let moved = scale[0] * scale[0] * first + scale[1] * scale[1] * second
        - 2.0 * scale[0] * scale[1] * both;
    let error = if value == 0.0 {
        0.0
    } else {
        moved.max(0.0).sqrt()
    };
    Some(Paired {
        name: "rmse",
        values,
        difference: Estimate::normal(value, error, (f64::MIN, f64::MAX)),
        p: (count > 1.0).then(|| probability(value, error)),
        test: "delta",
    })
}

/// Metrics of decisions: those of `McNemar`, and those of the bootstrap.
fn decided(whole: &Whole, sums: &Sums) -> Vec<Paired> {
    let has_classes = matches!(whole.task, Task::Binary | Task::Classes);
    let labelled: u64 = sums.outcomes.values().sum();
    if !has_classes || labelled == 0 {
        return Vec::new();
    }
    let mut right = [0_u64; 2];
    let mut alone = [0_u64; 2];
    for ((actual, decisions), count) in &sums.outcomes {
        let is_right = decisions.map(|decision| whole.is_right(*actual, decision));
        for side in 0..2 {
            right[side] += if is_right[side] { *count } else { 0 };
            alone[side] += if is_right[side] && !is_right[1 - side] {
                *count
            } else {
                0
            };
        }
    }
    let n = labelled as f64;
    let values = right.map(|right| right as f64 / n);
    let difference = (alone[1] as f64 - alone[0] as f64) / n;
    let discordant = (alone[0] + alone[1]) as f64 / n;
    // The variance of a difference of paired proportions.
    let error = ((discordant - difference * difference).max(0.0) / n).sqrt();
    let mut metrics = vec![Paired {
        name: "accuracy",
        values,
        difference: Estimate::normal(difference, error, (-1.0, 1.0)),
        p: Some(sign_test(alone[0], alone[1])),
        test: "mcnemar",
    }];
    if whole.task == Task::Binary {
        metrics.extend(called(whole, sums));
    }
    metrics
}

/// Rows by label and by both decisions: 4 · label + 2 · first + second.
const CELLS: usize = 8;

/// A metric of a confusion matrix: true positives, false positives, false negatives, true
/// negatives.
type OfConfusion = fn([f64; 4]) -> f64;

const OF_CONFUSION: [(&str, OfConfusion); 5] = [
    ("balanced_accuracy", |[tp, fp, fal, tn]| {
        f64::midpoint(tp / (tp + fal), tn / (tn + fp))
    }),
    ("precision", |[tp, fp, _, _]| {
        if tp + fp > 0.0 { tp / (tp + fp) } else { 0.0 }
    }),
    ("recall", |[tp, _, fal, _]| tp / (tp + fal)),
    ("f1", |[tp, fp, fal, _]| 2.0 * tp / (2.0 * tp + fp + fal)),
    ("mcc", |[tp, fp, fal, tn]| {
        let scale = ((tp + fp) * (tp + fal) * (tn + fp) * (tn + fal)).sqrt();
        if scale > 0.0 {
            (tp * tn - fp * fal) / scale
        } else {
            0.0
        }
    }),
];

/// The confusion matrix of a side.
fn confusion(cells: &[u64], side: usize) -> [f64; 4] {
    let mut confusion = [0.0; 4];
    for (cell, count) in cells.iter().enumerate() {
        let is_positive = cell & 4 != 0;
        let is_called = cell & if side == 0 { 2 } else { 1 } != 0;
        let at = match (is_positive, is_called) {
            (true, true) => 0,
            (false, true) => 1,
            (true, false) => 2,
            (false, false) => 3,
        };
        confusion[at] += *count as f64;
    }
    confusion
}

fn called(whole: &Whole, sums: &Sums) -> Vec<Paired> {
    let mut cells = [0_u64; CELLS];
    for ((actual, decisions), count) in &sums.outcomes {
        let is_positive = usize::from(Some(*actual) == whole.positive);
        let [first, second] = decisions.map(|decision| usize::from(whole.is_called(decision)));
        cells[4 * is_positive + 2 * first + second] += count;
    }
    let metric = |(name, of): (&'static str, OfConfusion)| {
        let values = [0, 1].map(|side| of(confusion(&cells, side)));
        let replicates = bootstrap(&cells, |cells| {
            of(confusion(cells, 1)) - of(confusion(cells, 0))
        });
        let estimate = Estimate::of_replicates(values[1] - values[0], replicates);
        values
            .iter()
            .all(|value| value.is_finite())
            .then(|| bootstrapped(name, values, estimate))
    };
    OF_CONFUSION.into_iter().filter_map(metric).collect()
}
