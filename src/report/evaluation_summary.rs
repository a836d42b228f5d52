//! An evaluation in a few lines: the metrics that say most, the worst segments, where probabilities
//! are furthest from what came, and labels that are missing or differ.
//!
//! Owns what is said where there is room for ten lines. All of it is [`super::evaluation_lines`]'s.

use std::cmp::Ordering;

use super::evaluation::SECTION;
use super::evaluation_lines::{
    SEGMENT_WIDTH, classes_of, estimate, metric_lines, note, segment_names, thresholds,
};
use super::facts::{Fact, number, of_section, text};
use super::renderer::Detail;
use super::weight::Weight;
use super::width::{shortened, shortened_to};
use super::{arms, number as numbers, watch_lines};
use crate::count::counted;
use crate::monitor::evaluate::is_loss;

/// The most lines of a summary below its first two, with those that follow.
const MAX_LINES: usize = 8;

/// Lines that state where the report and the reference are.
const FILES: usize = 2;

/// The most segments that are named.
const SEGMENTS_NAMED: usize = 3;

/// Metrics that say most besides the first, in the order in which they are kept.
const IMPORTANT: [&str; 14] = [
    "average_precision",
    "f1",
    "log_loss",
    "ece",
    "precision",
    "recall",
    "balanced_accuracy",
    "f1_macro",
    "mcc",
    "rmse",
    "r2",
    "median_absolute_error",
    "mean_error",
    "map",
];

/// The most of them that are shown.
const METRICS_SHOWN: usize = 6;

/// The lines below the first one of an evaluation: at most as many as make ten with it, those that
/// follow, and what gates say.
pub(super) fn lines(facts: &[Fact], names: &[&str], first: Option<&str>) -> Vec<String> {
    let after = FILES + arms::lines(facts, Detail::Summary).len() + watch_lines::lines_after(facts);
    let mut all: Vec<(Weight, String)> = Vec::new();
    let mut add = |weights: [Weight; 3], lines: Vec<String>| {
        let weight = |index: usize| weights[index.min(2)];
        let lines = lines.into_iter().enumerate();
        all.extend(lines.map(|(index, line)| (weight(index), line)));
    };
    let important = IMPORTANT.iter().filter(|name| names.contains(name));
    let important = important.copied().filter(|name| Some(*name) != first);
    let important: Vec<&str> = important.take(METRICS_SHOWN).collect();
    let metrics = metric_lines(facts, &important, first);
    add([Weight::Change, Weight::Note, Weight::Detail], metrics);
    let worst = segments(facts, first);
    add([Weight::Broken, Weight::Change, Weight::Note], worst);
    add([Weight::Note; 3], calibration(facts).into_iter().collect());
    add([Weight::Note; 3], errors(facts).into_iter().collect());
    add([Weight::Detail; 3], thresholds(facts));
    add([Weight::Broken; 3], note(facts).into_iter().collect());
    // The last line says what has not been said.
    let max = MAX_LINES.saturating_sub(after).max(2) - 1;
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(all[*index].0));
    order.truncate(max);
    order.sort_unstable();
    let kept = order.into_iter().map(|index| all[index].1.clone());
    let rest = rest(facts, names.len());
    kept.chain([rest]).collect()
}

/// What `-v` shows.
fn rest(facts: &[Fact], metrics: usize) -> String {
    let has = |section: &str| of_section(facts, section).next().is_some();
    let segments = segment_names(facts).len();
    let parts = [
        Some(counted(metrics as u64, "metric")),
        (segments > 0).then(|| counted(segments as u64, "segment")),
        has("reliability").then(|| "calibration".to_owned()),
        has("gains").then(|| "deciles".to_owned()),
        has("confusion").then(|| "confusion matrix".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("  -v shows     {}", parts.join(", "))
}

/// The worst segments by the metric that decides. One of few rows is not called worst for what may
/// be chance: the better end of its interval counts.
fn segments(facts: &[Fact], first: Option<&str>) -> Vec<String> {
    let Some(metric) = first else {
        return Vec::new();
    };
    let sign = if is_loss(metric) { -1.0 } else { 1.0 };
    let end = if is_loss(metric) { "_low" } else { "_high" };
    let names = segment_names(facts);
    let mut worst: Vec<(f64, &str)> = names
        .iter()
        .filter_map(|name| {
            let of = |metric: &str| number(facts, SECTION, name, metric);
            let value = of(metric)?;
            let best = of(&format!("{metric}{end}")).unwrap_or(value);
            Some((sign * best, *name))
        })
        .collect();
    let by_value = |one: &(f64, &str), other: &(f64, &str)| -> Ordering {
        one.0.total_cmp(&other.0).then(one.1.cmp(other.1))
    };
    worst.sort_by(by_value);
    worst.truncate(SEGMENTS_NAMED);
    let cells: Vec<[String; 3]> = worst
        .iter()
        .map(|(_, name)| {
            let of = |metric: &str| number(facts, SECTION, name, metric);
            let rows = counted(of("rows_evaluated").unwrap_or_default() as u64, "row");
            let positive = of("positive_rate").map_or(String::new(), |share| {
                format!(", {} positive", numbers::percent(share))
            });
            let best = estimate(facts, SECTION, name, metric).unwrap_or_default();
            let name = shortened_to(SEGMENT_WIDTH, name);
            [name, best, format!("({rows}{positive})")]
        })
        .collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|cell| cell[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (name, best) = (width(0), width(1));
    let title = if names.len() > cells.len() {
        format!("worst of {}", names.len())
    } else {
        "segments".to_owned()
    };
    let first = title.len().max("calibration".len());
    let titles = std::iter::once(title.as_str()).chain(std::iter::repeat(""));
    let lines = titles.zip(&cells);
    lines
        .map(|(title, [segment, value, rows])| {
            format!("  {title:first$}  {segment:name$}  {value:best$}  {rows}")
        })
        .collect()
}

/// The bin whose probability is furthest from the share that came, beyond what may be chance.
fn calibration(facts: &[Fact]) -> Option<String> {
    let bins = of_section(facts, "reliability").filter(|fact| fact.metric == "mean_probability");
    let (mut count, mut furthest) = (0, None::<(f64, f64, f64)>);
    for fact in bins {
        let of = |metric: &str| number(facts, "reliability", &fact.subject, metric);
        let Some((predicted, came)) = fact.as_number().zip(of("positive_rate")) else {
            continue;
        };
        count += 1;
        let low = of("positive_rate_low").unwrap_or(came);
        let high = of("positive_rate_high").unwrap_or(came);
        let beyond = (low - predicted).max(predicted - high);
        if beyond > furthest.map_or(0.0, |known| known.0) {
            furthest = Some((beyond, predicted, came));
        }
    }
    if count == 0 {
        return None;
    }
    let bins = counted(count as u64, "bin");
    let text = furthest.map_or_else(
        || format!("within the 95% interval in each of {bins}"),
        |(_, predicted, came)| {
            format!("predicted {predicted:.2}, observed {came:.2}, the furthest of {bins}")
        },
    );
    Some(format!("  calibration  {text}"))
}

/// What is taken for what.
fn errors(facts: &[Fact]) -> Option<String> {
    let own = of_section(facts, "confusion").filter(|fact| fact.subject.is_empty());
    let cells: Vec<(&str, &str, f64)> = own
        .filter_map(|fact| {
            let (actual, predicted) = classes_of(fact)?;
            Some((actual, predicted, fact.as_number()?))
        })
        .collect();
    let wrong = cells
        .iter()
        .filter(|(actual, predicted, _)| actual != predicted);
    let text = if let Some(positive) = text(facts, SECTION, "positive") {
        let of = |is_false_positive: bool| {
            let wrong = wrong.clone();
            let own =
                wrong.filter(|(_, predicted, _)| (*predicted == positive) == is_false_positive);
            counted(
                own.map(|cell| cell.2).sum::<f64>() as u64,
                if is_false_positive {
                    "false positive"
                } else {
                    "false negative"
                },
            )
        };
        (!cells.is_empty()).then(|| format!("{}, {}", of(true), of(false)))
    } else {
        let most = wrong.max_by(|one, other| one.2.total_cmp(&other.2));
        let most = most.filter(|cell| cell.2 > 0.0);
        most.map(|(actual, predicted, count)| {
            let rows = counted(*count as u64, "row");
            let [actual, predicted] = [actual, predicted].map(|name| shortened(name));
            format!("most often `{actual}` is predicted as `{predicted}`: {rows}")
        })
    };
    text.map(|text| format!("  errors       {text}"))
}

#[cfg(test)]
mod tests {
    use super::super::evaluation_lines;
    use super::*;

    /// An evaluation of two classes with so many segments, the last of which is really worse, and
    /// the one before by chance.
    fn evaluation(segments: usize) -> Vec<Fact> {
        let number = |subject: &str, metric: &str, value: f64| {
            Fact::number(SECTION, subject, metric, value, "")
        };
        let rows = |subject: &str, metric: &str, count: u64| {
            Fact::count(SECTION, subject, metric, count, "rows")
        };
        let mut facts = vec![
            Fact::text(SECTION, "", "task", "binary"),
            Fact::text(SECTION, "", "positive", "yes"),
            rows("", "rows_evaluated", 1000),
            rows("", "rows_without_label", 20),
            rows("", "rows_with_conflicting_labels", 3),
        ];
        let metrics = ["roc_auc", "gini", "average_precision", "f1", "log_loss"];
        for metric in metrics.into_iter().chain(["ece", "brier", "recall", "mcc"]) {
            facts.push(number("", metric, 0.8));
            facts.push(number("", &format!("{metric}_low"), 0.7));
            facts.push(number("", &format!("{metric}_high"), 0.9));
        }
        for index in 0..segments {
            let name = format!("region=r{index:02}");
            let (value, half) = match segments - index {
                1 => (0.6, 0.01),
                2 => (0.5, 0.4),
                _ => (0.8, 0.02),
            };
            facts.push(rows(&name, "rows_evaluated", 10));
            facts.push(number(&name, "roc_auc", value));
            facts.push(number(&name, "roc_auc_low", value - half));
            facts.push(number(&name, "roc_auc_high", value + half));
        }
        for (bin, came) in [("0.0-0.1", 0.05), ("0.1-0.2", 0.31)] {
            let of = |metric: &str, value: f64| Fact::number("reliability", bin, metric, value, "");
            facts.push(of("mean_probability", if came < 0.1 { 0.04 } else { 0.15 }));
            facts.push(of("positive_rate", came));
            facts.push(of("positive_rate_low", came - 0.02));
            facts.push(of("positive_rate_high", came + 0.02));
        }
        for (actual, predicted, count) in [
            ("no", "no", 600),
            ("no", "yes", 41),
            ("yes", "no", 1),
            ("yes", "yes", 300),
        ] {
            let metric = format!("actual={actual},predicted={predicted}");
            facts.push(Fact::count("confusion", "", metric, count, "rows"));
        }
        facts
    }

    #[test]
    fn a_summary_has_ten_lines_with_what_is_worst() {
        let state = |state: &str| Fact::text("gates", "roc_auc >= 0.9", "state", state);
        for segments in [0, 1, 3, 4, 40] {
            for gates in [
                vec![],
                vec![state("fail")],
                vec![state("fail"), state("warn")],
            ] {
                let facts = [evaluation(segments), gates].concat();
                let lines = evaluation_lines::lines(&facts, Detail::Summary);
                let after = FILES + watch_lines::lines_after(&facts);
                assert!(lines.len() + after <= 10, "{lines:#?}");
                let has = |part: &str| lines.iter().any(|line| line.contains(part));
                assert!(lines[0].starts_with("ROC AUC 0.8000 \u{b1} 0.1000"));
                assert!(has("20 rows without label; 3 rows with conflicting labels"));
                assert!(has("-v shows"), "{lines:#?}");
                let worst = format!("region=r{:02}", segments.saturating_sub(1));
                assert_eq!(has(&worst), segments > 0, "{lines:#?}");
                assert_eq!(has("worst of 40  region=r39"), segments == 40, "{lines:#?}");
            }
        }
        let lines = evaluation_lines::lines(&evaluation(0), Detail::Summary);
        let text = lines.join("\n");
        for part in [
            "calibration  predicted 0.15, observed 0.31, the furthest of 2 bins",
            "errors       41 false positives, 1 false negative",
            "-v shows     9 metrics, calibration, confusion matrix",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
