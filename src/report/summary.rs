//! The body of a summary, line by line.
//!
//! Owns which facts are shown, in which order and in which words. It must not know how wide a line
//! may be.

use indicatif::{HumanBytes, HumanCount};

use super::estimates::{ASSUMPTIONS, SECTION};
use super::facts::{Fact, Value, number, of_section, text};
use super::renderer::{Detail, Report};
use super::score_lines::{four_digits, scores};
use super::value_lines::values;
use super::weight::{Line, Weight, fit, line};
use super::{models, watch_lines};
use crate::count::counted;
use crate::format::rounds::ROUNDS_USED;
use crate::graph::table::{ROW_BY_ROW, RUNS_AS};
use crate::package::manifest::OnFail;
use crate::pipeline::part::RowCounts;

/// The most lines of a summary below its first two, with the error and the warnings around it.
const MAX_LINES: usize = 8;

/// The most ignored files that are named.
const IGNORED_NAMED: usize = 3;

/// The body of a summary: the worst first, and no more than a user reads in the morning.
pub(super) fn lines(report: &Report<'_>) -> Vec<Line> {
    let (facts, detail) = (report.facts, report.detail);
    let mut lines = Lines::default();
    let rows = row_counts(facts).map(|counts| line("rows", &rows_text(&counts)));
    lines.add(Weight::Whole, rows);
    lines.0.extend(rules(facts));
    let rejected = of_section(facts, "rejections").filter_map(rejection);
    lines.add(Weight::Change, rejected);
    let estimated = estimates(facts).map(|text| line("estimated", &text));
    lines.add(Weight::Note, estimated);
    if detail != Detail::Summary {
        let texts = ASSUMPTIONS.iter();
        let texts = texts.filter_map(|metric| text(facts, SECTION, metric));
        lines.add(Weight::Note, texts.map(|text| line("if", text)));
    }
    for (index, one) in scores(facts, detail).into_iter().enumerate() {
        let weight = match index {
            0 => Weight::Score,
            _ if one.0.is_empty() => Weight::Picture,
            _ => Weight::Note,
        };
        lines.0.push((weight, one));
    }
    lines.0.extend(watch_lines::lines(facts, detail));
    lines.add(Weight::Detail, values(facts, detail));
    lines.add(Weight::Broken, of_model(facts, ROUNDS_USED, "rounds used"));
    lines.add(Weight::Detail, work(facts, detail));
    // Who names challengers wants to know of the first at least, also on a bad night.
    for (index, one) in models::lines(facts).into_iter().enumerate() {
        let weight = if index == 0 {
            Weight::Broken
        } else {
            Weight::Score
        };
        lines.0.push((weight, one));
    }
    lines.add(Weight::Whole, files(report));
    let dropped = of_section(facts, "bad_files").enumerate();
    lines.0.extend(dropped.map(|(index, fact)| {
        let weight = if index == 0 {
            Weight::Broken
        } else {
            Weight::Change
        };
        let text = format!("{}: {}", fact.subject, value_text(&fact.value));
        (weight, line("dropped", &text))
    }));
    let ignored = of_section(facts, "ignored_files").map(|fact| fact.subject.clone());
    let ignored = ignored_text(&ignored.collect::<Vec<_>>());
    lines.add(Weight::Note, ignored.map(|text| line("ignored", &text)));
    let max = match detail {
        Detail::Summary => MAX_LINES.saturating_sub(report.lines_around).max(1),
        Detail::Verbose | Detail::All => usize::MAX,
    };
    let page = report.text("report").map_or_else(
        || "-v shows all".to_owned(),
        |path| format!("tallow inspect {path}"),
    );
    fit(lines.0, max, &page)
}

/// How many files in directories were not read because of their endings, and the first of them;
/// none if there are none.
#[must_use]
pub fn ignored_text(paths: &[String]) -> Option<String> {
    let named = &paths[..paths.len().min(IGNORED_NAMED)];
    let more = if paths.len() > named.len() {
        ", …"
    } else {
        ""
    };
    let count = counted(paths.len() as u64, "file");
    (!paths.is_empty()).then(|| {
        format!(
            "{count} not read because of the ending: {}{more} (`--any-ending` reads all)",
            named.join(", ")
        )
    })
}

pub(super) fn row_counts(facts: &[Fact]) -> Option<RowCounts> {
    let count = |metric: &str| Some(number(facts, "ledger", "", metric)? as u64);
    Some(RowCounts {
        rows_in: count("rows_in")?,
        scored: count("scored")?,
        rejected: count("rejected")?,
        filtered: count("filtered")?,
    })
}

/// What became of rows.
#[must_use]
pub fn rows_text(counts: &RowCounts) -> String {
    let RowCounts {
        rows_in,
        scored,
        rejected,
        filtered,
    } = *counts;
    let [all, scored, rejected, filtered] = [rows_in, scored, rejected, filtered].map(HumanCount);
    format!("{all} in = {scored} scored + {rejected} rejected + {filtered} filtered")
}

/// Lines, each with how much it matters.
#[derive(Default)]
struct Lines(Vec<(Weight, Line)>);

impl Lines {
    fn add(&mut self, weight: Weight, lines: impl IntoIterator<Item = Line>) {
        let lines = lines.into_iter();
        self.0.extend(lines.map(|line| (weight, line)));
    }
}

/// What was read, and how the model ran.
fn work(facts: &[Fact], detail: Detail) -> Vec<Line> {
    let mut lines = Vec::new();
    lines.extend(tokens(facts).map(|text| line("tokens", &text)));
    lines.extend(of_model(facts, "offset", "offset"));
    lines.extend(of_model(facts, "arithmetic", "arithmetic"));
    let alone = of_section(facts, "model").find(|fact| fact.metric == RUNS_AS);
    let alone = alone.map(|fact| value_text(&fact.value));
    let alone = alone.filter(|text| text.ends_with(ROW_BY_ROW));
    lines.extend(alone.map(|text| line("runs as", &text)));
    if detail == Detail::Verbose {
        let stages = of_section(facts, "performance").filter(|fact| fact.metric == "work_seconds");
        lines.extend(stages.filter_map(|fact| {
            let seconds = fact.as_number()?;
            Some(line(&fact.subject, &format!("{seconds:.3} s of work")))
        }));
    }
    lines
}

/// A fact of the model.
fn of_model(facts: &[Fact], metric: &str, label: &str) -> Option<Line> {
    let own = of_section(facts, "model").find(|fact| fact.metric == metric)?;
    Some(line(label, &value_text(&own.value)))
}

/// The files that the run wrote.
fn files(report: &Report<'_>) -> Vec<Line> {
    let facts = report.facts;
    let output = output(facts).filter(|_| !watch_lines::is_withheld(facts));
    let output = output.map(|text| line("output", &text));
    let named = [("report", "report"), ("rejected", "rejected in")];
    let named = named
        .into_iter()
        .filter_map(|(name, label)| Some(line(label, report.text(name)?)));
    output.into_iter().chain(named).collect()
}

fn output(facts: &[Fact]) -> Option<String> {
    let path = text(facts, "run", "output")?;
    let size = number(facts, "run", "", "output_bytes").map_or(String::new(), |bytes| {
        format!(" ({})", HumanBytes(bytes as u64))
    });
    Some(format!("{path}{size}"))
}

/// What a text model read, how fast, and what it need not have.
fn tokens(facts: &[Fact]) -> Option<String> {
    let number = |metric: &str| {
        number(facts, "performance", "", metric).map(|number| HumanCount(number as u64))
    };
    let (tokens, padding) = (number("tokens")?, number("padding_avoided")?);
    let speed = number("tokens_per_second").unwrap_or(HumanCount(0));
    Some(format!(
        "{tokens} ({speed} tokens/s), {padding} of padding avoided"
    ))
}

fn rejection(fact: &Fact) -> Option<Line> {
    let rows = counted(fact.as_number()? as u64, "row");
    let text = format!("{rows}: {} in `{}`", fact.metric, fact.subject);
    Some(line("rejected", &text))
}

/// What labels are expected to show, in a few words.
fn estimates(facts: &[Fact]) -> Option<String> {
    let number = |metric: &str| number(facts, SECTION, "", metric);
    let text = |name: &str| {
        let value = number(&format!("estimated_{name}"))?;
        let band = [
            number(&format!("estimated_{name}_low")),
            number(&format!("estimated_{name}_high")),
        ];
        let band = match band {
            [Some(low), Some(high)] => format!(" [{}, {}]", four_digits(low), four_digits(high)),
            _ => String::new(),
        };
        let known = number(&format!("reference_{name}"));
        let known = known.map_or_else(String::new, |value| {
            format!(", reference {}", four_digits(value))
        });
        Some(format!("{name} {}{band}{known}", four_digits(value)))
    };
    let names = [
        "roc_auc",
        "roc_auc_macro",
        "f1",
        "f1_macro",
        "accuracy",
        "loss",
    ];
    let texts: Vec<String> = names.into_iter().filter_map(text).take(2).collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

/// How many rules hold, then a line for each that does not.
fn rules(facts: &[Fact]) -> Vec<(Weight, Line)> {
    let facts: Vec<&Fact> = of_section(facts, "quality").collect();
    let of_rule: Vec<&[&Fact]> = facts
        .chunk_by(|one, other| one.subject == other.subject)
        .collect();
    let of = |facts: &[&Fact], metric: &str| {
        let found = facts.iter().find(|fact| fact.metric == metric);
        found.map(|fact| value_text(&fact.value))
    };
    let is = |verdict: &'static str| {
        let is_it = move |facts: &&&[&Fact]| of(facts, "verdict").as_deref() == Some(verdict);
        of_rule.iter().filter(is_it)
    };
    let counts = ["ok", "broken", "undecided"].map(|verdict| (verdict, is(verdict).count()));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(verdict, count)| format!("{count} {verdict}"))
        .collect();
    let mut lines = Vec::new();
    if !of_rule.is_empty() {
        lines.push((Weight::Note, line("rules", &counts.join(", "))));
    }
    // A rule that decides about the output comes first.
    let decides = |facts: &&&[&Fact]| of(facts, "on_fail").as_deref() == Some(OnFail::Fail.name());
    let decided = is("broken").filter(decides);
    let others = is("broken").filter(|facts| !decides(facts));
    let shown = decided.chain(others).map(|facts| ("broken", facts));
    let shown = shown.chain(is("undecided").map(|facts| ("undecided", facts)));
    lines.extend(shown.enumerate().map(|(index, (verdict, facts))| {
        let weight = match (verdict, index) {
            ("broken", 0) => Weight::Broken,
            ("broken", _) => Weight::Change,
            _ => Weight::Note,
        };
        let text = of(facts, "finding").unwrap_or_default();
        let text = format!("`{}`: {text}", facts[0].subject);
        (weight, line(verdict, &text))
    }));
    lines
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    }
}
