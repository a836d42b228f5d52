//! A comparison as facts.
//!
//! Owns the names of its sections. The first table is `a`, the second `b`. It must not know how
//! measures are computed, or how they are shown.

use super::evaluation::task_name;
use super::facts::Fact;
use crate::monitor::compare::{Comparison, Segment};
use crate::table::origin::Origin;

/// The section of measures.
pub const SECTION: &str = "comparison";

/// The section of the models that made the tables.
pub const MODELS: &str = "models";

/// The names of the two tables.
pub const SIDES: [&str; 2] = ["a", "b"];

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
    let texts = origin.texts();
    texts.map(move |(metric, value)| Fact::text(section, subject, metric, value))
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
        let test = format!("{}_test", metric.name);
        facts.push(Fact::text(SECTION, &segment.name, test, metric.test));
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
    facts
}
