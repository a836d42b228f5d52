//! The sections that say where a report is from: the run and the model; and all facts that
//! no other section shows.

use super::block::{Block, Cell, Section, State, Table, on_page};
use super::document::Options;
use super::night::Night;
use super::wording;
use crate::report::facts::Value;
use crate::report::number;

/// Sections that the page shows elsewhere.
const SHOWN: [&str; 26] = [
    "run",
    "ledger",
    "files",
    "rejections",
    "bad_files",
    "ignored_files",
    "coercions",
    "model",
    "performance",
    "scores",
    "drift",
    "gates",
    "estimates",
    "quality",
    "evaluation",
    "reliability",
    "gains",
    "thresholds",
    "comparison",
    "decisions",
    "differences",
    "deciles",
    "models",
    "arms",
    "attribution",
    "history",
];

/// The most rows of a table of other facts.
const ROWS: usize = 60;

/// Facts about the run and the model.
#[must_use]
pub fn section(night: &Night, options: Options) -> Section {
    let mut blocks = Vec::new();
    for report in night.reports() {
        let mut facts = vec![("run id".to_owned(), report.report.run_id.clone())];
        for section in ["run", "model"] {
            for fact in report.whole(section) {
                let value = match &fact.value {
                    Value::Text(text) if is_path(&fact.metric) => {
                        wording::path(text, options.show_values)
                    }
                    Value::Text(text) if fact.metric == "started_at" => number::time(text),
                    Value::Text(text) => text.clone(),
                    Value::Number(value) => on_page(&wording::value(&fact.metric, *value)),
                };
                let name = if section == "model" {
                    format!("model {}", wording::words(&fact.metric))
                } else {
                    wording::words(&fact.metric)
                };
                facts.push((name, value));
            }
        }
        let ignored = report.subjects("ignored_files").len();
        if ignored > 0 {
            facts.push(("files not read".to_owned(), number::count(ignored as f64)));
        }
        if night.reports().len() > 1 {
            blocks.push(Block::Heading(report.title().to_owned()));
        }
        blocks.push(Block::Facts(facts));
    }
    Section {
        id: "origin",
        title: "Origin".to_owned(),
        blocks,
        ..Section::default()
    }
}

fn is_path(metric: &str) -> bool {
    ["path", "output", "baseline", "model"].contains(&metric)
}

/// A section for every section of the report that has none of its own: numbers alone, since texts
/// may be values of rows.
#[must_use]
pub fn others(night: &Night) -> Option<Section> {
    let mut blocks = Vec::new();
    for report in night.reports() {
        for section in report.sections() {
            if SHOWN.contains(&section)
                || ["confusion", "inputs", "scheduler", "split"].contains(&section)
            {
                continue;
            }
            let mut table = Table::new(section, &[("Fact", ""), ("About", ""), ("Value", "r")]);
            let named = report.subjects(section);
            let whole = report.whole(section).iter().map(|fact| ("", *fact));
            let named = named
                .iter()
                .flat_map(|(subject, facts)| facts.iter().map(move |fact| (*subject, *fact)));
            table.rows = whole
                .chain(named)
                .filter_map(|(subject, fact)| {
                    let value = fact.as_number()?;
                    let mut subject = Cell::code(subject);
                    subject.is_head = false;
                    Some(vec![
                        Cell::head(wording::words(&fact.metric)),
                        subject,
                        Cell::number(on_page(&wording::value(&fact.metric, value))),
                    ])
                })
                .take(ROWS)
                .collect();
            if !table.rows.is_empty() {
                blocks.push(Block::Heading(wording::words(section)));
                blocks.push(Block::Table(table));
            }
        }
    }
    (!blocks.is_empty()).then(|| Section {
        id: "others",
        title: "Other facts".to_owned(),
        state: State::Ok,
        blocks,
        ..Section::default()
    })
}
