//! The section of rows: what became of every row, by file, and why rows were rejected.

use super::block::{Block, Cell, Figure, Section, State, Table};
use super::document::Options;
use super::night::{Indexed, Night};
use super::svg::Chart;
use super::wording;
use crate::count::counted;
use crate::report::number;

/// The most files that are listed.
const FILES: usize = 40;

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night, options: Options) -> Option<Section> {
    let report = night.with("ledger")?;
    let number = |metric: &str| report.number("ledger", "", metric).unwrap_or(0.0);
    let [all, scored, rejected, filtered] =
        ["rows_in", "scored", "rejected", "filtered"].map(number);
    let is_balanced = all == scored + rejected + filtered;
    let [all_text, scored_text, rejected_text, filtered_text] =
        [all, scored, rejected, filtered].map(number::count);
    let mut lead = format!(
        "{all_text} in = {scored_text} scored + {rejected_text} rejected + {filtered_text} \
         filtered."
    );
    if !is_balanced {
        lead.push_str(" The ledger does not balance.");
    }
    let mut blocks = Vec::new();
    if all > 0.0 {
        let part = |count: f64| number::percent(count / all);
        let label = format!(
            "{} scored, {} rejected, {} filtered",
            part(scored),
            part(rejected),
            part(filtered)
        );
        let mut chart = Chart::new(26, &label);
        let share = |count: f64| 100.0 * count / all;
        chart.rect("q", 0.0, share(scored), 0.0, 100.0);
        // A handful among millions is still to be seen.
        let seen = |count: f64| {
            if count > 0.0 {
                share(count).max(0.2)
            } else {
                0.0
            }
        };
        chart.rect(
            "rej",
            100.0 - share(filtered) - seen(rejected),
            seen(rejected),
            0.0,
            100.0,
        );
        chart.rect("fil", 100.0 - seen(filtered), seen(filtered), 0.0, 100.0);
        let mut figure = Figure {
            chart: chart.finish(),
            class: "bare",
            ..Figure::default()
        };
        figure.values = format!("<p class=\"cap\">{}</p>", super::block::html(&label));
        blocks.push(Block::Figure(figure));
    }
    blocks.extend(rejections(report, all).map(Block::Table));
    blocks.extend(files(report, options));
    blocks.extend(dropped(report, options));
    let bad = report.subjects("bad_files").len();
    let note = match (is_balanced, bad, rejected > 0.0) {
        (false, ..) => "not balanced".to_owned(),
        (_, 1.., _) => format!("{} dropped", counted(bad, "file")),
        (_, _, true) => format!("{rejected_text} rejected"),
        _ => "balanced".to_owned(),
    };
    Some(Section {
        id: "rows",
        title: "Rows".to_owned(),
        note,
        state: if !is_balanced {
            State::Fail
        } else if bad > 0 {
            State::Warn
        } else {
            State::Ok
        },
        lead,
        blocks,
        ..Section::default()
    })
}

fn rejections(report: &Indexed, all: f64) -> Option<Table> {
    let mut rows: Vec<(&str, &str, f64)> = Vec::new();
    for (column, facts) in report.subjects("rejections") {
        rows.extend(
            facts
                .iter()
                .filter_map(|fact| Some((*column, fact.metric.as_str(), fact.as_number()?))),
        );
    }
    if rows.is_empty() {
        return None;
    }
    rows.sort_by(|left, right| {
        let names = |row: &(&str, &str, f64)| (row.0.to_owned(), row.1.to_owned());
        right
            .2
            .total_cmp(&left.2)
            .then_with(|| names(left).cmp(&names(right)))
    });
    let mut table = Table::new(
        "Rejected rows by reason",
        &[
            ("Reason for rejection", ""),
            ("Column", ""),
            ("Rows", "r"),
            ("Share", "r"),
        ],
    );
    table.rows = rows
        .into_iter()
        .map(|(column, reason, count)| {
            let mut name = Cell::code(column);
            name.is_head = false;
            vec![
                Cell::head(wording::words(reason)),
                name,
                Cell::number(number::count(count)),
                Cell::number(number::percent(if all > 0.0 { count / all } else { 0.0 })),
            ]
        })
        .collect();
    Some(table)
}

fn files(report: &Indexed, options: Options) -> Vec<Block> {
    let files = report.subjects("files");
    if files.len() < 2 {
        return Vec::new();
    }
    let mut table = Table::new(
        "Rows by file",
        &[
            ("File", ""),
            ("Rows in", "r"),
            ("Scored", "r"),
            ("Rejected", "r"),
            ("Filtered", "r"),
        ],
    );
    let mut sorted: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let count = |path: &str, metric: &str| report.number("files", path, metric).unwrap_or(0.0);
    // Files with rejected rows first; all others in the order of the run.
    sorted.sort_by(|left, right| count(right, "rejected").total_cmp(&count(left, "rejected")));
    table.rows = sorted
        .iter()
        .take(FILES)
        .map(|path| {
            let cell = |metric: &str| Cell::number(number::count(count(path, metric)));
            vec![
                Cell::code(wording::path(path, options.show_values)),
                cell("rows_in"),
                cell("scored"),
                cell("rejected"),
                cell("filtered"),
            ]
        })
        .collect();
    let mut blocks = vec![Block::Table(table)];
    if sorted.len() > FILES {
        let more = counted(sorted.len() - FILES, "more file");
        blocks.push(Block::Note(format!(
            "{more}: the report file has all of them."
        )));
    }
    blocks
}

/// Files that could not be read. Their error may hold a value, so it is shown only on request.
fn dropped(report: &Indexed, options: Options) -> Option<Block> {
    let bad = report.subjects("bad_files");
    if bad.is_empty() {
        return None;
    }
    let mut table = Table::new("Dropped files", &[("Dropped file", ""), ("Why", "")]);
    table.rows = bad
        .iter()
        .map(|(path, facts)| {
            let why = facts.iter().find_map(|fact| match &fact.value {
                crate::report::Value::Text(text) if options.show_values => Some(text.as_str()),
                _ => None,
            });
            vec![
                Cell::code(wording::path(path, options.show_values)),
                Cell::text(why.unwrap_or("could not be read")).with_class("wrap"),
            ]
        })
        .collect();
    Some(Block::Table(table))
}
