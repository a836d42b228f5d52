//! A comparison as facts, and as lines to read.
//!
//! Owns the names of its sections and the layout of its tables. The first table is `a`, the second
//! `b`. It must not know how measures are computed.

use indicatif::HumanCount;

use super::evaluation::{estimate_text, number_text, task_name};
use super::facts::Fact;
use crate::count::{and_more, counted};
use crate::monitor::compare::{Comparison, Decision, MovedRow, Paired, Segment, Verdict};
use crate::table::origin::Origin;

/// The section of measures.
pub const SECTION: &str = "comparison";

/// The section of the models that made the tables.
pub const MODELS: &str = "models";

/// The names of the two tables.
pub const SIDES: [&str; 2] = ["a", "b"];

/// The most segments that are listed for users; the report has them all.
const SEGMENTS_SHOWN: usize = 20;

/// The most pairs of decisions that are listed.
const DECISIONS_SHOWN: usize = 12;

/// Width of the longest bar of a histogram.
const BAR_WIDTH: u64 = 40;

/// Facts of a comparison: measures of all rows and of every segment, and tables. `<metric>_a` and
/// `<metric>_b` are a metric of each, `<metric>_difference` is that of `b` less that of `a`.
#[must_use]
pub fn facts(found: &Comparison, origins: [Option<&Origin>; 2]) -> Vec<Fact> {
    let mut facts = vec![Fact::text(SECTION, "", "task", task_name(found.task))];
    if let Some(positive) = &found.positive {
        facts.push(Fact::text(SECTION, "", "positive", positive));
    }
    facts.extend(
        row_counts(found).map(|(name, count)| Fact::count(SECTION, "", name, count, "rows")),
    );
    for segment in &found.segments {
        facts.extend(segment_facts(segment));
    }
    facts.extend(verdict_facts(found));
    for (side, origin) in SIDES.into_iter().zip(origins) {
        let Some(origin) = origin else {
            continue;
        };
        facts.extend(origin_facts(MODELS, side, origin));
    }
    facts
}

/// Facts of the model that made predictions.
pub(super) fn origin_facts(
    section: &'static str,
    subject: &str,
    origin: &Origin,
) -> impl Iterator<Item = Fact> {
    let known = [
        ("name", Some(&origin.name)),
        ("version", origin.version.as_ref()),
        ("digest", Some(&origin.digest)),
    ];
    let facts: Vec<Fact> = known
        .into_iter()
        .filter_map(|(metric, value)| Some(Fact::text(section, subject, metric, value?)))
        .collect();
    facts.into_iter()
}

fn row_counts(found: &Comparison) -> impl Iterator<Item = (String, u64)> {
    let counts = found.counts;
    let of_sides = [
        ("rows_read", counts.read),
        ("rows_without_prediction", counts.without_prediction),
        ("rows_without_key", counts.without_key),
        ("rows_with_duplicate_key", counts.duplicate_keys),
        ("rows_without_partner", counts.alone),
    ];
    let whole = [
        ("rows_compared", counts.compared),
        ("rows_with_label", counts.labelled),
        ("rows_with_conflicting_labels", counts.conflicting_labels),
    ];
    let sided = of_sides.into_iter().flat_map(|(name, counts)| {
        let sides = SIDES.into_iter().zip(counts);
        sides.map(move |(side, count)| (format!("{name}_{side}"), count))
    });
    whole
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .chain(sided)
}

fn segment_facts(segment: &Segment) -> Vec<Fact> {
    let name = &segment.name;
    let number = |metric: String, value: f64| Fact::number(SECTION, name, metric, value, "");
    let mut facts = Vec::new();
    if !name.is_empty() {
        facts.push(Fact::count(
            SECTION,
            name,
            "rows_compared",
            segment.rows,
            "rows",
        ));
        facts.push(Fact::count(
            SECTION,
            name,
            "rows_with_label",
            segment.labelled,
            "rows",
        ));
    }
    facts.extend(
        segment
            .measures
            .iter()
            .map(|(metric, value)| number((*metric).to_owned(), *value)),
    );
    for metric in &segment.metrics {
        for (side, value) in SIDES.into_iter().zip(metric.values) {
            facts.push(number(format!("{}_{side}", metric.name), value));
        }
        let name = format!("{}_difference", metric.name);
        facts.push(number(name.clone(), metric.difference.value));
        if let Some((low, high)) = metric.difference.interval {
            facts.push(number(format!("{name}_low"), low));
            facts.push(number(format!("{name}_high"), high));
        }
        if let Some(p) = metric.p {
            facts.push(number(format!("{}_p", metric.name), p));
        }
    }
    if segment.name.is_empty() {
        facts.extend(table_facts(segment));
    }
    facts
}

fn table_facts(segment: &Segment) -> Vec<Fact> {
    let mut facts = Vec::new();
    for ([first, second], count) in &segment.decisions {
        let metric = format!("a={first},b={second}");
        facts.push(Fact::count("decisions", "", metric, *count, "rows"));
    }
    for (index, ([low, high], count)) in segment.histogram.iter().enumerate() {
        let subject = format!("bin_{:02}", index + 1);
        facts.push(Fact::number("differences", &subject, "low", *low, ""));
        facts.push(Fact::number("differences", &subject, "high", *high, ""));
        facts.push(Fact::count("differences", &subject, "rows", *count, "rows"));
    }
    for (first, row) in segment.deciles.iter().flatten().enumerate() {
        for (second, count) in row.iter().enumerate() {
            let subject = format!("a=decile_{}", first + 1);
            let metric = format!("b=decile_{}", second + 1);
            facts.push(Fact::count("deciles", subject, metric, *count, "rows"));
        }
    }
    facts
}

fn verdict_facts(found: &Comparison) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(verdict) = &found.verdict {
        facts.push(Fact::text(SECTION, "", "metric", verdict.metric.name));
        facts.push(Fact::text(SECTION, "", "verdict", verdict.decision.word()));
        if let Some(margin) = verdict.margin {
            facts.push(Fact::number(SECTION, "", "margin", margin, ""));
        }
        if let Some(is_not_inferior) = verdict.is_not_inferior() {
            let value = f64::from(u8::from(is_not_inferior));
            facts.push(Fact::number(SECTION, "", "not_inferior", value, ""));
        }
    }
    facts.push(Fact::text(SECTION, "", "sentence", sentence(found)));
    facts
}

/// The verdict in one sentence.
#[must_use]
pub fn sentence(found: &Comparison) -> String {
    let Some(all) = found.segments.first() else {
        return String::new();
    };
    match &found.verdict {
        Some(verdict) => verdict_sentence(verdict),
        None => without_labels(all),
    }
}

fn without_labels(all: &Segment) -> String {
    let of = |name: &str| {
        let found = all.measures.iter().find(|(measure, _)| *measure == name);
        found.map(|(_, value)| *value)
    };
    let rows = counted(all.rows, "row");
    match (of("agreement"), of("flips"), of("mean_absolute_difference")) {
        (_, Some(0.0), Some(0.0)) | (Some(1.0), None, Some(0.0)) => {
            format!("a and b are the same on {rows}")
        }
        (Some(agreement), Some(flips), _) => format!(
            "a and b decide alike on {} of {rows}; {} differ",
            percent(agreement),
            counted(flips as u64, "decision")
        ),
        (_, _, Some(difference)) => format!(
            "a and b differ by {} on average over {rows}",
            number_text(difference)
        ),
        _ => format!("a and b were compared on {rows}"),
    }
}

fn verdict_sentence(verdict: &Verdict) -> String {
    let Paired {
        name,
        values: [first, second],
        difference,
        p,
        test,
    } = &verdict.metric;
    let margin = verdict.margin.map_or_else(String::new, |margin| {
        format!(" by more than {}", number_text(margin))
    });
    let decided = match verdict.decision {
        Decision::Better => "b is better than a".to_owned(),
        Decision::Worse => format!("b is worse than a{margin}"),
        Decision::NotInferior => format!("b is not worse than a{margin}"),
        Decision::Same => "no row tells a and b apart".to_owned(),
        Decision::Undecided if verdict.margin.is_some() => {
            format!("it is undecided whether b is worse than a{margin}")
        }
        Decision::Undecided => "it is undecided which is better".to_owned(),
    };
    let ends = difference.interval.map_or_else(String::new, |(low, high)| {
        format!(
            ", 95 % interval {} to {}",
            number_text(low),
            number_text(high)
        )
    });
    let p = p.map_or_else(String::new, |p| format!(", p = {}", number_text(p)));
    format!(
        "{decided}: {name} is {} for a and {} for b (difference {}{ends}{p}; {test})",
        number_text(*first),
        number_text(*second),
        number_text(difference.value),
    )
}

fn percent(share: f64) -> String {
    // Not rounded up to the whole: one row in a million is one that differs.
    let percent = (share * 1e4).floor() / 100.0;
    format!("{percent:.2} %")
}

/// Lines for users.
#[must_use]
pub fn lines(found: &Comparison) -> Vec<String> {
    let counts = found.counts;
    let mut lines = vec![format!(
        "compared {} of {} and {}",
        counted(counts.compared, "row"),
        HumanCount(counts.read[0]),
        HumanCount(counts.read[1])
    )];
    lines.extend(
        row_counts(found)
            .filter(|(name, count)| {
                *count > 0 && !name.starts_with("rows_read") && name != "rows_compared"
            })
            .map(|(name, count)| format!("  {:32} {}", name.replace('_', " "), HumanCount(count))),
    );
    let Some((all, segments)) = found.segments.split_first() else {
        return lines;
    };
    lines.push("measures: a is the first table, b the second".to_owned());
    lines.extend(
        all.measures
            .iter()
            .map(|(name, value)| format!("  {name:32} {:>10}", measure_text(name, *value))),
    );
    lines.extend(decision_lines(all));
    lines.extend(histogram_lines(all));
    lines.extend(metric_lines(all));
    lines.extend(segment_lines(segments));
    lines.extend(moved_lines(&found.moved));
    lines.push(sentence(found));
    lines
}

fn measure_text(name: &str, value: f64) -> String {
    if ["flips", "decile_swaps"].contains(&name) {
        HumanCount(value as u64).to_string()
    } else {
        number_text(value)
    }
}

fn decision_lines(all: &Segment) -> Vec<String> {
    let mut flips: Vec<_> = all
        .decisions
        .iter()
        .filter(|([first, second], _)| first != second)
        .collect();
    if flips.is_empty() {
        return Vec::new();
    }
    flips.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut lines = vec!["decisions that differ".to_owned()];
    lines.extend(
        flips
            .iter()
            .take(DECISIONS_SHOWN)
            .map(|([first, second], count)| {
                format!(
                    "  {:32} {:>10}",
                    format!("{first} → {second}"),
                    HumanCount(*count)
                )
            }),
    );
    lines
}

fn histogram_lines(all: &Segment) -> Vec<String> {
    let largest = all
        .histogram
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(0);
    if all.histogram.len() < 2 || largest == 0 {
        return Vec::new();
    }
    let mut lines = vec!["differences, b less a".to_owned()];
    lines.extend(all.histogram.iter().map(|([low, high], count)| {
        let length = (count * BAR_WIDTH).div_ceil(largest);
        let bar = "█".repeat(length as usize);
        let (low, high) = (number_text(*low), number_text(*high));
        format!(
            "  {low:>11} to {high:>11} {:>10} {bar}",
            HumanCount(*count).to_string()
        )
        .trim_end()
        .to_owned()
    }));
    lines
}

fn metric_lines(all: &Segment) -> Vec<String> {
    if all.metrics.is_empty() {
        return Vec::new();
    }
    let mut lines = vec!["metrics, with 95 % intervals of the difference".to_owned()];
    lines.push(format!(
        "  {:18} {:>10} {:>10} {:>10}",
        "", "a", "b", "b less a"
    ));
    lines.extend(all.metrics.iter().map(|metric| {
        let [first, second] = metric.values.map(number_text);
        let p = metric
            .p
            .map_or_else(String::new, |p| format!("  p {}", number_text(p)));
        let difference = estimate_text(metric.difference);
        format!(
            "  {:18} {first:>10} {second:>10} {difference}{p}  {}",
            metric.name, metric.test
        )
    }));
    lines
}

fn segment_lines(segments: &[Segment]) -> Vec<String> {
    let mut lines: Vec<String> = segments
        .iter()
        .take(SEGMENTS_SHOWN)
        .map(|segment| {
            let measures = segment.measures.iter().take(1);
            let mut parts: Vec<String> = measures
                .map(|(name, value)| format!("{name} {}", measure_text(name, *value)))
                .collect();
            parts.extend(segment.metrics.first().map(|metric| {
                let difference = estimate_text(metric.difference);
                format!("{} difference {}", metric.name, difference.trim_start())
            }));
            format!(
                "  {:28} {}: {}",
                segment.name,
                counted(segment.rows, "row"),
                parts.join("; ")
            )
        })
        .collect();
    let hidden = segments.len().saturating_sub(SEGMENTS_SHOWN);
    if hidden > 0 {
        let more = and_more(hidden, "segment");
        lines.push(format!("  …{more}; the report has them all"));
    }
    if !lines.is_empty() {
        lines.insert(0, "segments".to_owned());
    }
    lines
}

fn moved_lines(moved: &[MovedRow]) -> Vec<String> {
    let mut lines: Vec<String> = moved
        .iter()
        .map(|row| {
            let [first, second] = row.scores.map(number_text);
            let decisions = match &row.decisions {
                [first, second] if first != second => format!("  {first} → {second}"),
                _ => String::new(),
            };
            format!(
                "  {:32} {first:>10} → {second:>10}{decisions}",
                row.key.join(", ")
            )
        })
        .collect();
    if !lines.is_empty() {
        lines.insert(0, "most moved rows".to_owned());
    }
    lines
}
