//! A comparison as lines to read, from its facts.
//!
//! Owns the layout: the verdict first, then metrics of both tables, decisions, ranks and
//! differences, segments, and the rows that were not compared. It must not know how measures are
//! computed.

use super::comparison::{MODELS, SECTION, SIDES};
use super::comparison_verdict::{difference, labels};
use super::evaluation::number_text;
use super::evaluation_lines::{label, spaced};
use super::facts::{Fact, number, of_section, text};
use super::number as numbers;
use super::spark;
use super::width::shortened;
use crate::count::{and_more, counted, listed};
use crate::monitor::compare::MovedRow;

/// The most segments that are listed for users; the report has them all.
const SEGMENTS_SHOWN: usize = 20;

/// The most pairs of decisions that are listed.
const DECISIONS_SHOWN: usize = 4;

/// Width of the keys at the left.
const KEY_WIDTH: usize = 11;

/// What a report says of a comparison; nothing if it holds none.
#[must_use]
pub fn lines(facts: &[Fact]) -> Vec<String> {
    let Some(sentence) = text(facts, SECTION, "sentence") else {
        return Vec::new();
    };
    let measures = [
        models(facts),
        rows(facts),
        decisions(facts),
        ranks(facts),
        differences(facts),
    ];
    let blocks = [
        metrics(facts),
        measures.concat(),
        segments(facts),
        note(facts).into_iter().collect(),
    ];
    spaced(sentence.to_owned(), blocks)
}

fn of(facts: &[Fact], metric: &str) -> Option<f64> {
    number(facts, SECTION, "", metric)
}

fn keyed(key: &str, text: &str) -> String {
    format!("  {key:KEY_WIDTH$}{text}")
}

/// The metrics that both tables have, in the report's order.
fn metric_names<'a>(facts: &'a [Fact], subject: &str) -> Vec<&'a str> {
    let own = of_section(facts, SECTION).filter(|fact| fact.subject == subject);
    own.filter_map(|fact| {
        let name = fact.metric.strip_suffix("_difference")?;
        number(facts, SECTION, subject, &format!("{name}_a")).map(|_| name)
    })
    .collect()
}

fn metrics(facts: &[Fact]) -> Vec<String> {
    let rows: Vec<[String; 4]> = metric_names(facts, "")
        .into_iter()
        .map(|name| {
            let side = |side: &str| of(facts, &format!("{name}_{side}"));
            let [first, second] = SIDES.map(|one| side(one).map_or_else(unknown, number_text));
            let p = side("p").map_or_else(String::new, |p| format!("p {}", numbers::share(p, 4)));
            let difference = difference(facts, "", name).unwrap_or_default();
            [label(name), format!("{first} -> {second}"), difference, p]
        })
        .collect();
    aligned(&rows)
}

fn unknown() -> String {
    numbers::UNKNOWN.to_owned()
}

/// Rows of cells, each column as wide as its widest cell.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> Vec<String> {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths);
        let line = cells.fold(String::new(), |line, (cell, width)| {
            line + &format!("  {cell:width$}")
        });
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// The models that made the tables, where that is known.
fn models(facts: &[Fact]) -> Vec<String> {
    let texts = SIDES.into_iter().filter_map(|side| {
        let model = |metric: &str| {
            let fact = of_section(facts, MODELS)
                .find(|fact| fact.subject == side && fact.metric == metric);
            fact.and_then(Fact::as_text)
        };
        let name = model("name")?;
        let version = model("registry_version").or_else(|| model("version"));
        let version = version.map_or(String::new(), |version| format!(" ({version})"));
        Some(format!("{side} is of {name}{version}"))
    });
    let texts: Vec<String> = texts.collect();
    if texts.is_empty() {
        return Vec::new();
    }
    vec![keyed("models", &texts.join(", "))]
}

fn rows(facts: &[Fact]) -> Vec<String> {
    let count = |metric: &str| of(facts, metric).map_or_else(unknown, numbers::count);
    let labelled = of(facts, "rows_with_label").filter(|count| *count > 0.0);
    let labelled = labelled.map_or(String::new(), |count| {
        format!(", {} with a label", numbers::count(count))
    });
    let margin = of(facts, "margin").map_or(String::new(), |margin| {
        format!(", margin {}", number_text(margin))
    });
    let [first, second] = SIDES.map(|side| count(&format!("rows_read_{side}")));
    let compared = count("rows_compared");
    vec![keyed(
        "rows",
        &format!("{compared} compared of {first} and {second}{labelled}{margin}"),
    )]
}

fn decisions(facts: &[Fact]) -> Vec<String> {
    let mut parts = Vec::new();
    let agreement = of(facts, "agreement").map(numbers::percent);
    parts.extend(agreement.map(|share| format!("{share} agree")));
    let identical = of(facts, "identical").map(numbers::percent);
    parts.extend(identical.map(|share| format!("{share} are identical")));
    let mut text = parts.join(", ");
    let mut flips: Vec<(&str, &str, f64)> = of_section(facts, "decisions")
        .filter_map(|fact| {
            let (first, second) = fact.metric.strip_prefix("a=")?.split_once(",b=")?;
            Some((first, second, fact.as_number()?))
        })
        .filter(|(first, second, _)| first != second)
        .collect();
    flips.sort_by(|one, other| other.2.total_cmp(&one.2));
    if let Some(count) = of(facts, "flips").filter(|count| *count > 0.0) {
        let texts = flips.iter().map(|(first, second, count)| {
            let [first, second] = [first, second].map(|name| shortened(name));
            format!("{} {first} -> {second}", numbers::count(*count))
        });
        let listed = listed(texts, DECISIONS_SHOWN, ", ", "pair");
        text += &format!("; {} differ: {listed}", numbers::count(count));
    }
    if text.is_empty() {
        return Vec::new();
    }
    vec![keyed("decisions", &text)]
}

fn ranks(facts: &[Fact]) -> Vec<String> {
    let mut parts = Vec::new();
    let correlation = of(facts, "rank_correlation").map(number_text);
    parts.extend(correlation.map(|text| format!("correlation {text}")));
    let mut apart = [0.0; 2];
    let mut all = 0.0;
    for fact in of_section(facts, "deciles") {
        let decile = |text: &str, side: &str| {
            let index = text.strip_prefix(side)?.strip_prefix("=decile_")?;
            index.parse::<usize>().ok()
        };
        let both = decile(&fact.subject, "a").zip(decile(&fact.metric, "b"));
        let (Some((first, second)), Some(count)) = (both, fact.as_number()) else {
            continue;
        };
        all += count;
        if let Some(sum) = apart.get_mut(first.abs_diff(second)) {
            *sum += count;
        }
    }
    if all > 0.0 {
        let [same, next] = apart.map(|count| numbers::percent(count / all));
        parts.push(format!("same decile {same}, one away {next}"));
    }
    // The verdict holds that of tables that share no rows.
    let is_joined = of(facts, "rows_compared").is_some_and(|rows| rows > 0.0);
    let psi = of(facts, "psi").filter(|_| is_joined);
    let psi = psi.map(|psi| numbers::share(psi, 3));
    parts.extend(psi.map(|psi| format!("PSI {psi}")));
    if parts.is_empty() {
        return Vec::new();
    }
    vec![keyed("ranks", &parts.join("; "))]
}

/// How far scores are apart, and the histogram of that.
fn differences(facts: &[Fact]) -> Vec<String> {
    let range = |low: &str, high: &str| {
        let (low, high) = of(facts, low).zip(of(facts, high))?;
        Some(format!("{} to {}", number_text(low), number_text(high)))
    };
    let mut parts = Vec::new();
    let mean = of(facts, "mean_difference").map(number_text);
    parts.extend(mean.map(|mean| format!("mean {mean}")));
    let most = range("difference_p05", "difference_p95");
    parts.extend(most.map(|range| format!("90% {range}")));
    let all = range("difference_min", "difference_max");
    parts.extend(all.map(|range| format!("all {range}")));
    if parts.is_empty() {
        return Vec::new();
    }
    let [a, b] = labels(facts);
    let mut lines = vec![keyed(
        "scores",
        &format!("{b} less {a}: {}", parts.join(", ")),
    )];
    let counts: Vec<f64> = of_section(facts, "differences")
        .filter(|fact| fact.metric == "rows")
        .filter_map(Fact::as_number)
        .collect();
    if counts.len() > 2 {
        let picture = spark::cells(&counts, spark::largest(&counts));
        lines.push(keyed("", picture.trim_end()));
    }
    lines
}

/// A line for each segment: its rows, how far both agree, and the metric that decides.
fn segments(facts: &[Fact]) -> Vec<String> {
    let named = of_section(facts, SECTION)
        .filter(|fact| fact.metric == "rows_compared" && !fact.subject.is_empty());
    let names: Vec<&str> = named.map(|fact| fact.subject.as_str()).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let first = text(facts, SECTION, "metric").or_else(|| metric_names(facts, "").first().copied());
    let head = [
        "segment".to_owned(),
        "rows".to_owned(),
        "agree".to_owned(),
        first.map_or_else(String::new, label),
    ];
    let row = |name: &&str| {
        let own = |metric: &str| number(facts, SECTION, name, metric);
        [
            shortened(name),
            numbers::count(own("rows_compared").unwrap_or_default()),
            own("agreement").map_or_else(unknown, numbers::percent),
            first
                .map(|metric| difference(facts, name, metric).unwrap_or_else(unknown))
                .unwrap_or_default(),
        ]
    };
    let rows = names.iter().take(SEGMENTS_SHOWN).map(row);
    let mut lines = aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    let hidden = names.len().saturating_sub(SEGMENTS_SHOWN);
    if hidden > 0 {
        let more = and_more(hidden, "segment");
        lines.push(format!("  \u{2026}{more}; the report has them all"));
    }
    lines
}

/// Rows that were not compared, and labels that disagree.
fn note(facts: &[Fact]) -> Option<String> {
    let count = |metric: &str| of(facts, metric).filter(|count| *count > 0.0);
    let mut texts = Vec::new();
    for (metric, what) in [
        ("rows_without_prediction", "without prediction"),
        ("rows_without_key", "without key"),
        ("rows_with_duplicate_key", "with a duplicate key"),
        ("rows_without_partner", "without partner"),
    ] {
        for side in SIDES {
            let found = count(&format!("{metric}_{side}"));
            let rows = found.map(|found| counted(found as u64, "row"));
            texts.extend(rows.map(|rows| format!("{rows} of {side} {what}")));
        }
    }
    let conflicting = count("rows_with_conflicting_labels");
    let rows = conflicting.map(|found| counted(found as u64, "row"));
    texts.extend(rows.map(|rows| format!("{rows} with conflicting labels")));
    (!texts.is_empty()).then(|| format!("note: {}", texts.join("; ")))
}

/// The most moved rows with their keys, which no report holds.
#[must_use]
pub fn moved(moved: &[MovedRow]) -> Vec<String> {
    if moved.is_empty() {
        return Vec::new();
    }
    let rows: Vec<[String; 3]> = moved
        .iter()
        .map(|row| {
            let [first, second] = row.scores.map(number_text);
            let decisions = match &row.decisions {
                [first, second] if first != second => format!("{first} -> {second}"),
                _ => String::new(),
            };
            [
                row.key.join(", "),
                format!("{first} -> {second}"),
                decisions,
            ]
        })
        .collect();
    let title = [String::new(), "most moved rows".to_owned()];
    title.into_iter().chain(aligned(&rows)).collect()
}
