//! The report as text: a few aligned lines about a run.
//!
//! Owns the first lines and the layout, of a run that has just ended and of one that was read back.
//! It must not know where the facts are from.

use indicatif::HumanCount;
use serde_json::Value as Json;

use super::facts::{Fact, number, of_section, text};
use super::history::registered;
use super::renderer::{Detail, Rendered, Renderer, Report};
use super::run::ROWS_BEFORE;
use super::summary::{lines, row_counts};
use super::weight::{Line, line};
use super::{arms, attribution, comparison_lines, drift_lines, evaluation_lines, watch_lines};
use crate::count::counted;
use crate::error::Result;
use crate::escape;

/// Width of the labels at the left, which columns of long names make wider, up to the other.
const LABEL_WIDTHS: [usize; 2] = [12, 24];

/// Width of the labels of a run that was read back.
const LABEL_WIDTH: usize = 16;

/// The text for a user: the summary of a run that has just ended, or, with all details, a run that
/// was read back.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Text {
    /// The text, each line ended by a line break.
    #[must_use]
    pub fn text(&self, report: &Report<'_>) -> String {
        let body = of_other_verbs(report);
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

/// What an evaluation, a comparison or one with a baseline found; none for a report of a run.
fn of_other_verbs(report: &Report<'_>) -> Option<Vec<String>> {
    let facts = report.facts;
    if of_section(facts, "ledger").next().is_some() {
        return None;
    }
    let mut lines = evaluation_lines::lines(facts, report.detail);
    lines.extend(arms::lines(facts, report.detail));
    lines.extend(drift_lines::lines(facts, report.detail));
    lines.extend(comparison_lines::lines(facts));
    lines.extend(attribution::lines(facts));
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
    add("registered", registered(facts));
    for metric in ["registry_digest", "log_head", "signer", "signed_digest"] {
        add(metric, own("model", metric));
    }
    add("time", time(facts, None));
    lines
}

fn headline(facts: &[Fact]) -> String {
    let scored = row_counts(facts).map_or(0, |counts| counts.scored);
    let read = row_counts(facts).map_or(0, |counts| counts.rows_in);
    let how = match number(facts, "performance", "", ROWS_BEFORE) {
        None => "in",
        Some(before) if before as u64 >= read => "in an earlier run and judged them again in",
        Some(_) => "in several runs, the last one in",
    };
    // Rows that were filtered out are not those of the headline.
    let seconds = number(facts, "performance", "", "wall_seconds");
    let rate = seconds.filter(|seconds| how == "in" && *seconds > 0.0);
    let rate = rate.map(|seconds| scored as f64 / seconds);
    format!(
        "{}{} scored {} {how} {}{}",
        if watch_lines::has_failed(facts) {
            "failed: "
        } else {
            ""
        },
        model(facts),
        counted(scored, "row"),
        time(facts, rate).unwrap_or_default(),
        watch_lines::verdict(facts)
    )
}

/// The model's name and format.
fn model(facts: &[Fact]) -> String {
    let name = text(facts, "model", "name").unwrap_or_default();
    let format = text(facts, "model", "format");
    format.map_or_else(|| name.to_owned(), |format| format!("{name} ({format})"))
}

/// Memory in as many digits as say something.
fn memory_text(bytes: f64) -> String {
    const MIB: f64 = (1 << 20) as f64;
    if bytes < 1024.0 * MIB {
        format!("{:.0} MiB", bytes / MIB)
    } else {
        format!("{:.1} GiB", bytes / 1024.0 / MIB)
    }
}

/// How long the run took, how fast it was (at `rate`, or by the rows that were read), what memory
/// it took.
fn time(facts: &[Fact], rate: Option<f64>) -> Option<String> {
    let number = |metric: &str| number(facts, "performance", "", metric);
    let speed = match rate.or(number("rows_per_second"))? {
        0.0 => String::new(),
        speed => format!("{} rows/s", HumanCount(speed as u64)),
    };
    let memory = number("peak_memory_bytes").map_or(String::new(), |bytes| {
        format!("{} peak", memory_text(bytes))
    });
    let seconds = number("wall_seconds")?;
    let parts = [speed, memory].into_iter().filter(|part| !part.is_empty());
    let parts = parts.collect::<Vec<_>>().join(", ");
    Some(format!("{seconds:.2} s ({parts})"))
}
