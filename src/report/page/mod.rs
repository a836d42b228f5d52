//! Reports as one HTML page: of one run, or of many nights.
//!
//! Owns the page. It is one file without script, and its policy forbids every request. It holds
//! aggregates alone: values of inputs, whole paths and messages about files are shown only on
//! request. It must not know where reports are stored.

pub mod block;
pub mod drift;
pub mod estimates;
pub mod evaluation;
pub mod gates;
pub mod history;
pub mod inputs;
pub mod night;
pub mod origin;
pub mod overlaid;
pub mod performance;
pub mod rows;
pub mod scores;
pub mod svg;
pub mod trend;
pub mod verdict;
pub mod wording;

use std::fmt::{self, Display, Formatter};

use self::block::{Section, State, html, on_page};
use self::night::{Night, nights};
use self::verdict::verdict;
use super::number;
use super::stored::StoredReport;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::escape;

/// The style sheet.
const STYLE: &str = include_str!("style.css");

/// The shapes of states, and the link that skips to the report.
const ICONS: &str = include_str!("icons.html");

/// What a page begins with. Its policy forbids every request.
const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" \
content=\"default-src 'none'; style-src 'unsafe-inline'\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta name=\"generator\" content=\"tallow\">
";

/// What a page may show.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Whether extremes of inputs, whole paths and messages about files are shown.
    pub show_values: bool,
}

/// A number at the top of the page.
#[derive(Debug)]
struct Key {
    label: String,
    value: String,
    note: String,
    state: State,
}

impl Key {
    fn new(label: &str, value: String, note: String) -> Self {
        Self {
            label: label.to_owned(),
            value: on_page(&value),
            note,
            state: State::Ok,
        }
    }
}

/// A line of what to do.
#[derive(Debug)]
struct Step {
    text: String,
    code: String,
}

/// The page.
#[derive(Debug, Default)]
struct Page {
    title: String,
    eyebrow: Vec<String>,
    name: String,
    detail: String,
    trouble: String,
    verdict: String,
    next: Vec<Step>,
    keys: Vec<Key>,
    strip: String,
    sections: Vec<Section>,
    footer: String,
}

/// The page of these reports. One report, or one of each kind, is a page of one night; more are a
/// page of their history, followed by the last night. `card` is the model card of the last run.
///
/// # Errors
/// An internal error if the template fails; fails without a report.
pub fn page(reports: &[StoredReport], card: Option<&str>, options: Options) -> Result<String> {
    let nights = nights(reports);
    let Some(last) = nights.last() else {
        return Err(Error::usage("there is no report to show"));
    };
    let mut page = if nights.len() == 1 {
        of_night(last, options)
    } else {
        history::page(&nights, options)
    };
    page.sections.extend(card.and_then(origin::card));
    page.footer = format!(
        "Made by tallow {} from {}. The page holds aggregates and no rows, and loads nothing.",
        env!("CARGO_PKG_VERSION"),
        counted(reports.len(), "report")
    );
    Ok(page.to_string())
}

impl Display for Page {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{HEAD}<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n",
            html(&self.title)
        )?;
        write!(f, "<body>\n{ICONS}<div class=\"page\">\n")?;
        self.header(f)?;
        f.write_str("<nav aria-label=\"Sections\"><ol>")?;
        for section in &self.sections {
            write!(
                f,
                "\n<li><a href=\"#{}\">{} <span class=\"{}\">{}</span></a></li>",
                section.id,
                html(&section.title),
                section.state.class(),
                html(&section.note)
            )?;
        }
        f.write_str("\n</ol></nav>\n<main id=\"main\">")?;
        self.sections
            .iter()
            .try_for_each(|section| section.fmt(f))?;
        let footer = html(&self.footer);
        write!(
            f,
            "\n</main>\n<footer>{footer}</footer>\n</div>\n</body>\n</html>\n"
        )
    }
}

impl Page {
    /// The verdict, the next step and the numbers that a reader looks for first.
    fn header(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("<header>\n<p class=\"eyebrow\">")?;
        for part in &self.eyebrow {
            write!(f, "<span>{}</span>", html(part))?;
        }
        let (name, detail) = (html(&self.name), html(&self.detail));
        write!(
            f,
            "</p>\n<h1>{name} <small>{detail}</small></h1>\n<p class=\"verdict\">"
        )?;
        if !self.trouble.is_empty() {
            write!(f, "<b>{}</b> ", html(&self.trouble))?;
        }
        write!(f, "{}</p>\n", html(&self.verdict))?;
        if !self.next.is_empty() {
            let calm = if self.trouble.is_empty() { " calm" } else { "" };
            write!(f, "<div class=\"next{calm}\"><p>What to do</p>")?;
            for Step { text, code } in &self.next {
                write!(f, "\n<p>{}", html(text))?;
                if !code.is_empty() {
                    write!(f, " <code>{}</code>", html(code))?;
                }
                f.write_str("</p>")?;
            }
            f.write_str("</div>\n")?;
        }
        if !self.keys.is_empty() {
            f.write_str("<dl class=\"key\">")?;
            for Key {
                label,
                value,
                note,
                state,
            } in &self.keys
            {
                write!(
                    f,
                    "\n<div><dt>{}</dt><dd class=\"{}\">{}<span class=\"sub\">{}</span></dd></div>",
                    html(label),
                    state.class(),
                    html(value),
                    html(note)
                )?;
            }
            f.write_str("\n</dl>\n")?;
        }
        write!(f, "{}</header>\n", self.strip)
    }
}

/// The page of one night.
fn of_night(night: &Night, options: Options) -> Page {
    let verdict = verdict(night);
    let name = night.name();
    let day = number::day(night.started_at());
    let summary = if verdict.trouble.is_empty() {
        &verdict.text
    } else {
        &verdict.trouble
    };
    Page {
        title: safe(&format!("{name}, {day}: {}", summary.trim_end_matches('.'))),
        eyebrow: eyebrow(night),
        name: safe(&name),
        detail: safe(&detail(night)),
        keys: keys(night),
        trouble: safe(&verdict.trouble),
        verdict: safe(&verdict.text),
        next: verdict
            .next
            .iter()
            .map(|(text, code)| Step {
                text: safe(text),
                code: code.clone(),
            })
            .collect(),
        sections: sections(night, options),
        ..Page::default()
    }
}

/// A text that no character of turns around or hides.
fn safe(text: &str) -> String {
    escape::line(text).into_owned()
}

/// Every section that the reports of a night have something for.
fn sections(night: &Night, options: Options) -> Vec<Section> {
    let found = [
        gates::section(night),
        rows::section(night, options),
        drift::section(night, options),
        scores::section(night),
        gates::rules(night),
        inputs::section(night, options),
        estimates::section(night),
        evaluation::section(night),
        performance::section(night),
        origin::others(night),
        Some(origin::section(night, options)),
    ];
    found.into_iter().flatten().collect()
}

fn eyebrow(night: &Night) -> Vec<String> {
    let mut parts = vec!["tallow report".to_owned()];
    let started_at = number::time(night.started_at());
    parts.extend((!started_at.is_empty()).then_some(started_at));
    let run: String = night.main().report.run_id.chars().take(12).collect();
    parts.push(format!("run {}", safe(&run)));
    parts
}

/// The model's version, format and objective.
fn detail(night: &Night) -> String {
    let version = night.version().map(|version| {
        if version.starts_with("digest ") {
            version
        } else {
            format!("version {version}")
        }
    });
    let text = |metric: &str| night.text("model", metric).map(str::to_owned);
    let parts = [
        version,
        text("format"),
        text("objective"),
        night.text("evaluation", "task").map(str::to_owned),
    ];
    parts
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" \u{b7} ")
}

/// At most six numbers that a reader looks for first.
fn keys(night: &Night) -> Vec<Key> {
    let mut keys = Vec::new();
    if let Some(scored) = night.number("ledger", "scored") {
        let all = night.number("ledger", "rows_in").unwrap_or(scored);
        let rejected = night.number("ledger", "rejected").unwrap_or(0.0);
        let note = match rejected {
            0.0 => format!("of {} in", number::count(all)),
            some => format!(
                "of {} in, {} rejected",
                number::count(all),
                number::count(some)
            ),
        };
        keys.push(Key::new("Rows scored", number::count(scored), note));
    }
    let gates = night.gates();
    if !gates.is_empty() {
        let count = |state: State| gates.iter().filter(|gate| gate.state == state).count();
        let (failed, warned) = (count(State::Fail), count(State::Warn));
        let passed = gates.len() - failed - warned;
        let (value, note) = match failed {
            0 if warned > 0 => (format!("{passed} ok"), counted(warned, "warning")),
            0 => (format!("{passed} ok"), "none failed".to_owned()),
            _ => (
                format!("{failed} failed"),
                format!("{warned} with a warning, {passed} ok"),
            ),
        };
        let mut key = Key::new("Gates", value, note);
        key.state = gates[0].state;
        keys.push(key);
    }
    let columns = night.columns();
    let compared = columns.len();
    if compared > 0 {
        let count = |state: State| columns.iter().filter(|one| one.state == state).count();
        let drifted = count(State::Fail) + count(State::Warn);
        let note = format!("{} undecided", count(State::Undecided));
        let mut key = Key::new(
            "Columns that drifted",
            format!("{drifted} of {compared}"),
            note,
        );
        key.state = if drifted > 0 {
            columns[0].state
        } else {
            State::Ok
        };
        keys.push(key);
    }
    if let Some(report) = night.with("scores") {
        let subjects = report.subjects("scores");
        let mean = subjects
            .iter()
            .find_map(|(name, _)| Some((*name, report.number("scores", name, "mean")?)));
        if let Some((name, mean)) = mean {
            let before = night.of("drift", name, "baseline_mean");
            let note = match (before, report.number("scores", name, "quantile_0.5")) {
                (Some(before), _) => format!("baseline {}", number::short(before)),
                (None, Some(median)) => format!("median {}", number::short(median)),
                (None, None) => String::new(),
            };
            keys.push(Key::new(&format!("Mean {name}"), number::short(mean), note));
        }
    }
    if let Some(report) = night.with("evaluation")
        && let Some((name, value)) = evaluation::main_metric(report)
    {
        let end = |end: &str| report.number("evaluation", "", &format!("{name}_{end}"));
        let note = match (end("low"), end("high")) {
            (Some(low), Some(high)) => {
                format!("{} to {}", number::metric(low), number::metric(high))
            }
            _ => String::new(),
        };
        keys.push(Key::new(
            &wording::metric_name(name),
            number::metric(value),
            note,
        ));
    }
    if let Some(wall) = night.number("performance", "wall_seconds") {
        let rate = night.number("performance", "rows_per_second");
        let note = rate.map_or(String::new(), |rate| {
            format!("{} rows/s", number::short(rate))
        });
        keys.push(Key::new("Wall time", number::seconds(wall), note));
    }
    keys.truncate(6);
    keys
}
