//! The section of inputs: values that were missing, unknown, invalid or converted, and what the
//! model read.

use std::collections::BTreeMap;

use super::block::{Block, Cell, Section, State, Table, on_page};
use super::document::Options;
use super::night::{Indexed, Night};
use super::wording;
use crate::count::counted;
use crate::report::monitoring::INPUTS;
use crate::report::number;
use crate::report::value_group::value_group;

/// The most columns that are listed.
const COLUMNS: usize = 60;

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night, options: Options) -> Option<Section> {
    let mut blocks = Vec::new();
    let mut noted = 0;
    if let Some(report) = night.with(INPUTS) {
        blocks.extend(inputs(report, options).map(Block::Table));
        noted = report.subjects(INPUTS).len();
    }
    if let Some(report) = night.with("coercions") {
        let (table, columns) = coercions(report, night.number("ledger", "rows_in"));
        if columns > 0 {
            blocks.push(Block::Table(table));
            noted = noted.max(columns);
        }
    }
    if blocks.is_empty() {
        return None;
    }
    Some(Section {
        id: "inputs",
        title: "Inputs".to_owned(),
        note: counted(noted, "column"),
        state: State::Ok,
        lead: "What the model read, and values that were not as they should be.".to_owned(),
        blocks,
        ..Section::default()
    })
}

fn inputs(report: &Indexed, options: Options) -> Option<Table> {
    let subjects = report.subjects(INPUTS);
    let has = |metric: &str| {
        let mut all = subjects.iter();
        all.any(|(name, _)| report.number(INPUTS, name, metric).is_some())
    };
    if subjects.is_empty() {
        return None;
    }
    let mut heads = vec![("Column", "")];
    let all = [
        ("rows", "Rows"),
        ("missing_rate", "Missing"),
        ("mean", "Mean"),
        ("standard_deviation", "Standard deviation"),
        ("distinct", "Distinct"),
        ("infinite", "Infinite"),
        ("min", "Smallest"),
        ("max", "Largest"),
    ];
    let metrics: Vec<(&str, &'static str)> = all
        .into_iter()
        .filter(|(metric, _)| has(metric))
        // Extremes are values of single rows.
        .filter(|(metric, _)| options.show_values || !["min", "max"].contains(metric))
        .collect();
    heads.extend(metrics.iter().map(|(_, head)| (*head, "r")));
    let mut table = Table::new("What the model read", &heads);
    table.is_sticky = true;
    let mut sorted: Vec<&str> = subjects.iter().map(|(name, _)| *name).collect();
    let missing = |name: &str| report.number(INPUTS, name, "missing_rate").unwrap_or(0.0);
    sorted.sort_by(|left, right| missing(right).total_cmp(&missing(left)));
    table.rows = sorted
        .into_iter()
        .take(COLUMNS)
        .map(|name| {
            let mut row = vec![Cell::code(name)];
            row.extend(metrics.iter().map(|(metric, _)| {
                let value = report.number(INPUTS, name, metric);
                let text = value.map(|value| on_page(&wording::value(metric, value)));
                Cell::number(text.unwrap_or_else(|| number::UNKNOWN.to_owned()))
            }));
            row
        })
        .collect();
    Some(table)
}

/// Counts of values by column and kind, and how many columns have any.
fn coercions(report: &Indexed, rows: Option<f64>) -> (Table, usize) {
    let mut found: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for (column, facts) in report.subjects("coercions") {
        // Numbers in delimited text are what they should be.
        for fact in facts
            .iter()
            .filter(|fact| value_group(&fact.metric).is_some())
        {
            if let Some(count) = fact.as_number().filter(|count| *count > 0.0) {
                found.insert((column, fact.metric.as_str()), count);
            }
        }
    }
    let mut sorted: Vec<((&str, &str), f64)> = found.into_iter().collect();
    sorted.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    let mut columns: Vec<&str> = sorted.iter().map(|((column, _), _)| *column).collect();
    columns.sort_unstable();
    columns.dedup();
    let mut table = Table::new(
        "Values that were missing or converted",
        &[
            ("Column", ""),
            ("What was found", ""),
            ("Values", "r"),
            ("Share of rows", "r"),
        ],
    );
    table.rows = sorted
        .into_iter()
        .take(COLUMNS)
        .map(|((column, kind), count)| {
            let share = rows.filter(|rows| *rows > 0.0).map(|rows| count / rows);
            let share = share.map_or_else(|| number::UNKNOWN.to_owned(), number::percent);
            vec![
                Cell::code(column),
                Cell::text(wording::words(kind)),
                Cell::number(number::count(count)),
                Cell::number(share),
            ]
        })
        .collect();
    (table, columns.len())
}
