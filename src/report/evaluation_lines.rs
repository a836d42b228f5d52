//! An evaluation as lines to read, from its facts.
//!
//! Owns the layout: the metric that decides first, then metrics in two columns, calibration,
//! deciles, segments and the confusion matrix. Its short form is [`super::evaluation_summary`]'s.
//! It must not know how metrics are computed.

use super::evaluation::{SECTION, THRESHOLDS, number_text};
use super::facts::{Fact, number, of_section, text};
use super::renderer::Detail;
use super::spark::bar;
use super::width::{shortened, shortened_to};
use super::{evaluation_summary, number as numbers};
use crate::count::{and_more, counted};

/// The longest name of a segment that is shown whole: it has a value of each column of `--by`.
pub(super) const SEGMENT_WIDTH: usize = 48;

/// The most segments that are listed for users; the report has them all.
const SEGMENTS_SHOWN: usize = 20;

/// The most classes whose confusion matrix is shown; the report has it for any number.
const CLASSES_SHOWN: usize = 8;

/// The most metrics that are listed.
const METRICS_SHOWN: usize = 40;

/// The cells of a bar that stands for all rows of a decile.
const BAR_CELLS: usize = 20;

/// Units of counts, which are no metrics.
const COUNTS: [&str; 2] = ["rows", "groups"];

/// Metrics of which the first that is known decides.
const HEADLINES: [&str; 4] = ["roc_auc", "accuracy", "mae", "ndcg"];

/// Metrics as they are written, where that is not their fact's name with spaces.
const NAMES: [(&str, &str); 13] = [
    ("roc_auc", "ROC AUC"),
    ("brier", "Brier"),
    ("ece", "ECE"),
    ("ks", "KS"),
    ("f1", "F1"),
    ("mcc", "MCC"),
    ("mae", "MAE"),
    ("rmse", "RMSE"),
    ("r2", "R²"),
    ("mape", "MAPE"),
    ("smape", "sMAPE"),
    ("ndcg", "NDCG"),
    ("map", "MAP"),
];

/// What a report says of an evaluation, in a summary the few lines that matter; nothing if it holds
/// none.
#[must_use]
pub fn lines(facts: &[Fact], detail: Detail) -> Vec<String> {
    if text(facts, SECTION, "task").is_none() {
        return Vec::new();
    }
    let names = metrics(facts, "");
    let first = HEADLINES.iter().find(|name| names.contains(name));
    let first = first.copied().or_else(|| names.first().copied());
    if detail == Detail::Summary {
        let body = evaluation_summary::lines(facts, &names, first);
        return spaced(headline(facts, first), [body]);
    }
    let blocks = [
        metric_lines(facts, &names, first),
        calibration(facts),
        deciles(facts),
        segments(facts, first),
        confusion(facts),
        thresholds(facts),
        note(facts).into_iter().collect(),
    ];
    spaced(headline(facts, first), blocks)
}

/// The first line, then the blocks that have lines, each after an empty one.
pub(super) fn spaced(first: String, blocks: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let mut lines = vec![first];
    for block in blocks.into_iter().filter(|block| !block.is_empty()) {
        lines.push(String::new());
        lines.extend(block);
    }
    lines
}

/// The metrics of a subject in the report's order, without counts and the ends of intervals.
fn metrics<'a>(facts: &'a [Fact], subject: &str) -> Vec<&'a str> {
    let own = || of_section(facts, SECTION).filter(move |fact| fact.subject == subject);
    let is_metric = |fact: &&Fact| fact.as_number().is_some() && !COUNTS.contains(&&*fact.unit);
    let names = own().filter(is_metric);
    let names: Vec<&str> = names.map(|fact| fact.metric.as_str()).collect();
    let is_end = |name: &str| {
        let base = name.strip_suffix("_low").or(name.strip_suffix("_high"));
        base.is_some_and(|base| names.contains(&base))
    };
    names.iter().copied().filter(|name| !is_end(name)).collect()
}

/// The metric as it is written.
pub(super) fn label(metric: &str) -> String {
    let known = NAMES.iter().find(|(name, _)| *name == metric);
    known.map_or_else(|| metric.replace('_', " "), |(_, word)| (*word).to_owned())
}

/// A value and half of its interval: the longer half.
pub(super) fn estimate(
    facts: &[Fact],
    section: &str,
    subject: &str,
    metric: &str,
) -> Option<String> {
    let of = |metric: &str| number(facts, section, subject, metric);
    let value = of(metric)?;
    let ends = of(&format!("{metric}_low")).zip(of(&format!("{metric}_high")));
    let half = ends.map(|(low, high)| (value - low).max(high - value));
    let half = half.filter(|half| half.is_finite());
    let shown = number_text(value);
    Some(half.map_or(shown.clone(), |half| {
        format!("{shown} \u{b1} {}", number_text(half))
    }))
}

fn headline(facts: &[Fact], first: Option<&str>) -> String {
    let of = |metric: &str| number(facts, SECTION, "", metric);
    let rows = counted(of("rows_evaluated").unwrap_or_default() as u64, "row");
    let model = text(facts, "model", "name").map_or(String::new(), |name| format!("{name}: "));
    let best = first.and_then(|metric| {
        let shown = estimate(facts, SECTION, "", metric)?;
        Some(format!("{} {shown}", label(metric)))
    });
    let best = best.unwrap_or_else(|| "no metric is defined".to_owned());
    let what = match (
        text(facts, SECTION, "positive"),
        text(facts, SECTION, "task"),
    ) {
        (Some(positive), _) => of("positive_rate").map_or_else(
            || format!(", `{positive}` is positive"),
            |share| format!(", {} are `{positive}`", numbers::percent(share)),
        ),
        (None, Some("classes")) => {
            format!(", {}", counted(classes(facts).len(), "class"))
        }
        (None, Some("ranking")) => {
            let groups = of("groups").unwrap_or_default() as u64;
            format!(", ranked within {}", counted(groups, "group"))
        }
        _ => String::new(),
    };
    format!("{model}{best}  ({rows}{what})")
}

/// The other metrics in two columns, each from top to bottom.
pub(super) fn metric_lines(facts: &[Fact], names: &[&str], first: Option<&str>) -> Vec<String> {
    let others = names.iter().filter(|name| Some(**name) != first);
    let cells: Vec<(String, String)> = others
        .filter_map(|name| Some((label(name), estimate(facts, SECTION, "", name)?)))
        .collect();
    let shown = &cells[..cells.len().min(METRICS_SHOWN)];
    let (left, right) = shown.split_at(shown.len().div_ceil(2));
    let widths = [left, right].map(|column| {
        let widths = column.iter();
        let widths = widths.map(|(name, value)| (name.chars().count(), value.chars().count()));
        widths.fold((0, 0), |most, one| (most.0.max(one.0), most.1.max(one.1)))
    });
    let cell = |column: &[(String, String)], row: usize, (name, value): (usize, usize)| {
        column.get(row).map_or(String::new(), |(label, shown)| {
            format!("  {label:name$}  {shown:value$}")
        })
    };
    let mut lines: Vec<String> = (0..left.len())
        .map(|row| {
            let line = cell(left, row, widths[0]) + "    " + &cell(right, row, widths[1]);
            line.trim_end().to_owned()
        })
        .collect();
    if cells.len() > shown.len() {
        lines.push(rest(cells.len() - shown.len(), "metric"));
    }
    lines
}

/// What is not shown.
fn rest(count: usize, noun: &str) -> String {
    format!(
        "  \u{2026}{}; the report has them all",
        and_more(count, noun)
    )
}

/// What a probability says, over the share that is positive.
fn calibration(facts: &[Fact]) -> Vec<String> {
    let bins = of_section(facts, "reliability").filter(|fact| fact.metric == "mean_probability");
    let (mut predicted, mut observed) = (String::new(), String::new());
    for fact in bins {
        let share = number(facts, "reliability", &fact.subject, "positive_rate");
        if let (Some(probability), Some(share)) = (fact.as_number(), share) {
            predicted += &format!("  {probability:.2}");
            observed += &format!("  {share:.2}");
        }
    }
    if predicted.is_empty() {
        return Vec::new();
    }
    vec![
        format!("  calibration  predicted {predicted}"),
        format!("               observed  {observed}"),
    ]
}

/// The share that is positive in each tenth of the rows, the highest scores first.
fn deciles(facts: &[Fact]) -> Vec<String> {
    let rates = of_section(facts, "gains").filter(|fact| fact.metric == "positive_rate");
    let cells: Vec<String> = rates
        .filter_map(Fact::as_number)
        .enumerate()
        .map(|(index, rate)| {
            let bar = bar(rate, BAR_CELLS);
            let space = if bar.is_empty() { "" } else { " " };
            format!("{:>2} {bar}{space}{}", index + 1, numbers::percent(rate))
        })
        .collect();
    let (left, right) = cells.split_at(cells.len().div_ceil(2));
    let width = left.iter().map(|cell| cell.chars().count()).max();
    let width = width.unwrap_or(0);
    let lines = left.iter().enumerate().map(|(row, cell)| {
        let title = if row == 0 { "decile" } else { "" };
        let other = right.get(row).map_or("", String::as_str);
        let line = format!("  {title:11}  {cell:width$}   {other}");
        line.trim_end().to_owned()
    });
    lines.collect()
}

/// The segments by their names.
pub(super) fn segment_names(facts: &[Fact]) -> Vec<&str> {
    let named = of_section(facts, SECTION)
        .filter(|fact| fact.metric == "rows_evaluated" && !fact.subject.is_empty());
    named.map(|fact| fact.subject.as_str()).collect()
}

/// A line for each segment: its rows, the metric that decides, the share that is positive.
fn segments(facts: &[Fact], first: Option<&str>) -> Vec<String> {
    let names = segment_names(facts);
    if names.is_empty() {
        return Vec::new();
    }
    let column = names[0].split_once('=').map_or("", |(column, _)| column);
    let prefix = format!("{column}=");
    let is_one = !column.is_empty()
        && names.iter().all(|name| {
            name.strip_prefix(&prefix)
                .is_some_and(|rest| !rest.contains('='))
        });
    let row = |name: &str| {
        let of = |metric: &str| number(facts, SECTION, name, metric);
        let shown = if is_one { &name[prefix.len()..] } else { name };
        let rows = numbers::count(of("rows_evaluated").unwrap_or_default());
        let best = first.and_then(|metric| estimate(facts, SECTION, name, metric));
        let positive = of("positive_rate").map_or(String::new(), numbers::percent);
        let best = best.unwrap_or_else(|| numbers::UNKNOWN.to_owned());
        [shortened_to(SEGMENT_WIDTH, shown), rows, best, positive]
    };
    let has_positive = number(facts, SECTION, "", "positive_rate").is_some();
    let head = [
        shortened(if is_one { column } else { "segment" }),
        "rows".to_owned(),
        first.map_or(String::new(), label),
        if has_positive { "positive" } else { "" }.to_owned(),
    ];
    let shown = names.iter().take(SEGMENTS_SHOWN).map(|name| row(name));
    let table: Vec<[String; 4]> = std::iter::once(head).chain(shown).collect();
    let width = |column: usize| {
        let widths = table.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (name, rows, best, positive) = (width(0), width(1), width(2), width(3));
    let mut lines: Vec<String> = table
        .iter()
        .map(|row| {
            let line = format!(
                "  {:name$}  {:>rows$}  {:best$}  {:>positive$}",
                row[0], row[1], row[2], row[3]
            );
            line.trim_end().to_owned()
        })
        .collect();
    if names.len() > SEGMENTS_SHOWN {
        lines.push(rest(names.len() - SEGMENTS_SHOWN, "segment"));
    }
    lines
}

/// Actual and predicted class of a fact of the confusion matrix.
pub(super) fn classes_of(fact: &Fact) -> Option<(&str, &str)> {
    fact.metric
        .strip_prefix("actual=")?
        .split_once(",predicted=")
}

/// The classes in order.
fn classes(facts: &[Fact]) -> Vec<&str> {
    let own = of_section(facts, "confusion").filter(|fact| fact.subject.is_empty());
    let mut classes: Vec<&str> = Vec::new();
    for (actual, _) in own.filter_map(classes_of) {
        if classes.last() != Some(&actual) {
            classes.push(actual);
        }
    }
    classes
}

/// The rows of each actual class across, of each predicted class down.
fn confusion(facts: &[Fact]) -> Vec<String> {
    let classes = classes(facts);
    if !(2..=CLASSES_SHOWN).contains(&classes.len()) {
        return Vec::new();
    }
    let count = |actual: &str, predicted: &str| {
        let metric = format!("actual={actual},predicted={predicted}");
        numbers::count(number(facts, "confusion", "", &metric).unwrap_or_default())
    };
    let names: Vec<String> = classes.iter().map(|class| shortened(class)).collect();
    let longest = names.iter().map(|name| name.chars().count()).max();
    let longest = longest.unwrap_or(0);
    let first = "predicted ".len() + longest;
    let width = longest.max("1,000,000".len());
    let row = |title: String, cells: &mut dyn Iterator<Item = String>| {
        cells.fold(format!("  {title:first$}"), |line, cell| {
            line + &format!("  {cell:>width$}")
        })
    };
    let mut lines = vec![row("actual".to_owned(), &mut names.iter().cloned())];
    lines.extend(classes.iter().zip(&names).map(|(predicted, name)| {
        let mut cells = classes.iter().map(|actual| count(actual, predicted));
        row(format!("predicted {name}"), &mut cells)
    }));
    lines
}

/// The best thresholds.
pub(super) fn thresholds(facts: &[Fact]) -> Vec<String> {
    let of = |subject: &str, metric: &str| number(facts, THRESHOLDS, subject, metric);
    let best = of("best_f1", "threshold").zip(of("best_f1", "f1"));
    let cheapest = of("lowest_cost", "cost").zip(at_lowest_cost(facts));
    let texts = [
        best.map(|(at, f1)| format!("highest F1 {f1:.4} at {}", numbers::share(at, 4))),
        cheapest.map(|(cost, at)| format!("lowest cost {} {at}", numbers::count(cost))),
    ];
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    if texts.is_empty() {
        return Vec::new();
    }
    vec![format!("  threshold    {}", texts.join(", "))]
}

/// Where the cost is lowest: at a score, or where no row or every one is called positive.
fn at_lowest_cost(facts: &[Fact]) -> Option<String> {
    let of = |metric: &str| number(facts, THRESHOLDS, "lowest_cost", metric);
    let called = of("true_positives")? + of("false_positives")?;
    Some(if called == 0.0 {
        "with no row called positive".to_owned()
    } else if number(facts, SECTION, "", "rows_evaluated") == Some(called) {
        "with every row called positive".to_owned()
    } else {
        format!("at {}", numbers::share(of("threshold")?, 4))
    })
}

/// Rows and labels that are not in the metrics, and duplicates.
pub(super) fn note(facts: &[Fact]) -> Option<String> {
    let counts = of_section(facts, SECTION).filter(|fact| {
        let is_plain = ["rows_read", "rows_evaluated", "labels_read", "groups"];
        fact.subject.is_empty()
            && COUNTS.contains(&&*fact.unit)
            && !is_plain.contains(&&*fact.metric)
    });
    let texts: Vec<String> = counts
        .filter_map(|fact| {
            let count = fact.as_number().filter(|count| *count > 0.0)?;
            let (noun, rest) = fact
                .metric
                .split_once('_')
                .filter(|(noun, _)| ["rows", "labels", "groups"].contains(noun))
                .map_or(("", fact.metric.as_str()), |(noun, rest)| (noun, rest));
            let rest = rest.replace('_', " ");
            let one = |nouns: &str| nouns.strip_suffix('s').unwrap_or(nouns).to_owned();
            Some(if noun.is_empty() {
                counted(count as u64, &one(&rest))
            } else {
                format!("{} {rest}", counted(count as u64, &one(noun)))
            })
        })
        .collect();
    (!texts.is_empty()).then(|| format!("note: {}", texts.join("; ")))
}
