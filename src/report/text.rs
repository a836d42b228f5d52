//! The report as text: a few aligned lines about a run.
//!
//! Owns which facts are shown, in which order and in which words: of a run that has just ended, and
//! of one that was read back. It must not know where the facts are from.

use indicatif::{HumanBytes, HumanCount};
use serde_json::Value as Json;

use super::facts::{Fact, Value, number, of_section, text};
use super::renderer::{Detail, Rendered, Renderer, Report};
use super::score_lines::{four_digits, scores};
use super::value_group::{GROUPS, value_group};
use super::{drift_lines, evaluation_lines, models, watch_lines};
use crate::count::{and_more, counted, listed};
use crate::error::Result;
use crate::escape;
use crate::format::rounds::ROUNDS_USED;
use crate::graph::table::{ROW_BY_ROW, RUNS_AS};
use crate::pipeline::part::RowCounts;

/// Width of the labels at the left, which columns of long names make wider, up to the other.
const LABEL_WIDTHS: [usize; 2] = [12, 24];

/// Width of the labels of a run that was read back.
const LABEL_WIDTH: usize = 16;

/// A label and its text.
pub(super) type Line = (String, String);

/// The most columns of a group of values that are listed in a summary.
const COLUMNS_SHOWN: usize = 6;

/// The widest list of columns in a summary, so that it stays on one line of a terminal.
const LINE_WIDTH: usize = 60;

/// The most ignored files that are named.
const IGNORED_NAMED: usize = 3;

/// The text for a user: the summary of a run that has just ended, or, with all details, a run that
/// was read back.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Text {
    /// The text, each line ended by a line break.
    #[must_use]
    pub fn text(&self, report: &Report<'_>) -> String {
        let body = of_other_verbs(report.facts);
        let (first, lines) = match (report.detail, &body) {
            (Detail::Summary | Detail::Verbose, Some(_)) => (Vec::new(), Vec::new()),
            (Detail::Summary | Detail::Verbose, None) => {
                let first = vec![headline(report.facts), String::new()];
                (first, lines(report))
            }
            (Detail::All, Some(_)) => (vec!["report".to_owned()], description(report)),
            (Detail::All, None) => {
                let mut all = description(report);
                all.extend(lines(report));
                (vec!["report".to_owned()], all)
            }
        };
        let width = match report.detail {
            Detail::Summary | Detail::Verbose => label_width(&lines),
            Detail::All => LABEL_WIDTH,
        };
        let lines = lines
            .iter()
            .map(|(label, text)| format!("  {label:width$} {text}"));
        let lines = first
            .into_iter()
            .chain(lines)
            .chain(body.into_iter().flatten());
        lines.fold(String::new(), |all, line| all + &escape::line(&line) + "\n")
    }
}

impl Renderer for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn render(&self, report: &Report<'_>) -> Result<Rendered> {
        Ok(Rendered::Text(self.text(report)))
    }
}

/// What an evaluation or a comparison with a baseline found; none for a report of a run.
fn of_other_verbs(facts: &[Fact]) -> Option<Vec<String>> {
    if of_section(facts, "ledger").next().is_some() {
        return None;
    }
    let mut lines = evaluation_lines::lines(facts);
    lines.extend(drift_lines::lines(facts));
    (!lines.is_empty()).then_some(lines)
}

/// The width that a summary's labels take.
fn label_width(lines: &[Line]) -> usize {
    let [min, max] = LABEL_WIDTHS;
    let widths = lines.iter().map(|(label, _)| label.chars().count());
    widths.max().unwrap_or(0).clamp(min, max)
}

/// How a run is called, and how it ended.
fn description(report: &Report<'_>) -> Vec<Line> {
    let facts = report.facts;
    let mut lines = Vec::new();
    let mut add = |label: &str, text: Option<String>| {
        lines.extend(text.map(|text| line(label, &text)));
    };
    let head = |name: &str| report.text(name).map(str::to_owned);
    let own = |section: &str, metric: &str| text(facts, section, metric).map(str::to_owned);
    add("path", head("path"));
    let runs = report.head.get("runs").and_then(Json::as_u64);
    let runs = runs.filter(|count| *count > 1);
    add(
        "runs",
        runs.map(|count| format!("{count}, of which the last is shown")),
    );
    add("run_id", head("run_id"));
    for metric in ["invocation_id", "status", "started_at", "tool_version"] {
        add(metric, own("run", metric));
    }
    add("model", own("model", "name").map(|_| model(facts)));
    add("model_version", own("model", "version"));
    add("model_digest", own("model", "digest"));
    add("time", time(facts));
    lines
}

/// The body of a summary.
fn lines(report: &Report<'_>) -> Vec<Line> {
    let (facts, detail) = (report.facts, report.detail);
    let mut lines = Vec::new();
    lines.extend(row_counts(facts).map(|counts| line("rows", &rows_text(&counts))));
    lines.extend(of_section(facts, "rejections").filter_map(rejection));
    lines.extend(rules(facts));
    lines.extend(estimates(facts).map(|text| line("estimated", &text)));
    lines.extend(scores(facts, detail));
    lines.extend(watch_lines::lines(facts));
    lines.extend(values(facts, detail));
    lines.extend(tokens(facts).map(|text| line("tokens", &text)));
    for (metric, label) in [
        (ROUNDS_USED, "rounds used"),
        ("offset", "offset"),
        ("arithmetic", "arithmetic"),
    ] {
        let own = of_section(facts, "model").find(|fact| fact.metric == metric);
        lines.extend(own.map(|fact| line(label, &value_text(&fact.value))));
    }
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
    lines.extend(models::lines(facts));
    let output = output(facts).filter(|_| !watch_lines::is_withheld_by_gates(facts));
    lines.extend(output.map(|text| line("output", &text)));
    lines.extend(report.text("report").map(|path| line("report", path)));
    lines.extend(
        report
            .text("rejected")
            .map(|path| line("rejected in", path)),
    );
    lines.extend(of_section(facts, "bad_files").map(|fact| {
        let text = format!("{}: {}", fact.subject, value_text(&fact.value));
        line("dropped", &text)
    }));
    let ignored = of_section(facts, "ignored_files").map(|fact| fact.subject.clone());
    lines.extend(ignored_text(&ignored.collect::<Vec<_>>()).map(|text| line("ignored", &text)));
    lines
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

pub(super) fn line(label: &str, text: &str) -> Line {
    (label.to_owned(), text.to_owned())
}

fn headline(facts: &[Fact]) -> String {
    let scored = row_counts(facts).map_or(0, |counts| counts.scored);
    format!(
        "{} scored {} in {}{}",
        model(facts),
        counted(scored, "row"),
        time(facts).unwrap_or_default(),
        watch_lines::verdict(facts)
    )
}

/// The model's name and format.
fn model(facts: &[Fact]) -> String {
    let name = text(facts, "model", "name").unwrap_or_default();
    let format = text(facts, "model", "format");
    format.map_or_else(|| name.to_owned(), |format| format!("{name} ({format})"))
}

/// How long the run took, how fast it was, what memory it took.
fn time(facts: &[Fact]) -> Option<String> {
    let number = |metric: &str| number(facts, "performance", "", metric);
    let speed = HumanCount(number("rows_per_second")? as u64);
    let memory = number("peak_memory_bytes").map_or(String::new(), |bytes| {
        format!(", {} peak", HumanBytes(bytes as u64))
    });
    let seconds = number("wall_seconds")?;
    Some(format!("{seconds:.2} s ({speed} rows/s{memory})"))
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

fn row_counts(facts: &[Fact]) -> Option<RowCounts> {
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

fn rejection(fact: &Fact) -> Option<Line> {
    let rows = counted(fact.as_number()? as u64, "row");
    let text = format!("{rows}: {} in `{}`", fact.metric, fact.subject);
    Some(line("rejected", &text))
}

/// What labels are expected to show, in a few words.
fn estimates(facts: &[Fact]) -> Option<String> {
    let number = |metric: &str| number(facts, "estimates", "", metric);
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
fn rules(facts: &[Fact]) -> Vec<Line> {
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
        lines.push(line("rules", &counts.join(", ")));
    }
    let shown = is("broken").map(|facts| ("broken", facts));
    let shown = shown.chain(is("undecided").map(|facts| ("undecided", facts)));
    lines.extend(shown.map(|(verdict, facts)| {
        let text = of(facts, "finding").unwrap_or_default();
        line(verdict, &format!("`{}`: {text}", facts[0].subject))
    }));
    lines
}

/// Lines about the values of columns, group after group.
fn values(facts: &[Fact], detail: Detail) -> Vec<Line> {
    // Reports of earlier versions have other names.
    let kind = |metric: &'_ str| match metric {
        "null" => "missing".to_owned(),
        "unseen_category" => "unseen".to_owned(),
        metric => metric.to_owned(),
    };
    let counts = of_section(facts, "coercions").filter_map(|fact| {
        let count = fact.as_number()? as u64;
        Some((fact.subject.as_str(), kind(&fact.metric), count))
    });
    let counts: Vec<(&str, String, u64)> = counts.collect();
    let counts: Vec<(&str, &str, u64)> = counts
        .iter()
        .map(|(column, kind, count)| (*column, kind.as_str(), *count))
        .collect();
    let mut lines = Vec::new();
    // Next to a baseline missing values are shown where their share changed.
    let is_compared = of_section(facts, super::drift::SECTION).next().is_some();
    let is_hidden = |label: &str| is_compared && detail == Detail::Summary && label == "missing";
    let all = value_lines(&counts).into_iter();
    for (label, mut texts) in all.filter(|(label, _)| !is_hidden(label)) {
        if detail == Detail::Summary {
            lines.push(line(label, &on_one_line(&texts)));
            continue;
        }
        let hidden = match detail {
            Detail::All => 0,
            Detail::Summary | Detail::Verbose => texts.len().saturating_sub(COLUMNS_SHOWN),
        };
        texts.truncate(texts.len() - hidden);
        if hidden > 0 {
            let more = and_more(hidden, "column");
            texts.push(format!("{} (the report has them all)", more.trim_start()));
        }
        let labels = std::iter::once(label).chain(std::iter::repeat(match detail {
            Detail::All => label,
            Detail::Summary | Detail::Verbose => "",
        }));
        lines.extend(labels.zip(&texts).map(|(label, text)| line(label, text)));
    }
    lines
}

/// As many of the texts as a line holds, but at least one, and how many more there are.
fn on_one_line(texts: &[String]) -> String {
    let mut widths = texts.iter().scan(0, |width, text| {
        *width += text.chars().count() + 2;
        Some(*width)
    });
    let shown = widths.position(|width| width > LINE_WIDTH);
    let shown = shown.unwrap_or(texts.len()).clamp(1, COLUMNS_SHOWN);
    listed(texts, shown, ", ", "column")
}

/// For each group that has any: a text for each column, from (column, kind, count), which go column
/// after column.
fn value_lines(counts: &[(&str, &str, u64)]) -> Vec<(&'static str, Vec<String>)> {
    let texts = |group: &'static str| {
        let own: Vec<_> = counts
            .iter()
            .filter(|(_, kind, count)| *count > 0 && value_group(kind) == Some(group))
            .collect();
        let one = |&&(_, kind, count): &&(&str, &str, u64)| {
            if group == "coerced" {
                format!("{} {kind}", HumanCount(count))
            } else {
                HumanCount(count).to_string()
            }
        };
        let columns = own.chunk_by(|one, other| one.0 == other.0);
        let texts = columns.map(|counts| {
            format!(
                "{}: {}",
                counts[0].0,
                counts.iter().map(one).collect::<Vec<_>>().join(", ")
            )
        });
        (group, texts.collect::<Vec<_>>())
    };
    GROUPS
        .map(texts)
        .into_iter()
        .filter(|(_, texts)| !texts.is_empty())
        .collect()
}

fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
    }
}
