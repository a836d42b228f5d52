//! The section of estimates: what labels will probably show, before they are known.

use super::block::{Block, Cell, Section, Table};
use super::night::Night;
use super::wording;
use crate::report::estimates::ASSUMPTIONS;
use crate::report::number;

/// The section in reports.
const SECTION: &str = "estimates";

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night.with(SECTION)?;
    let number = |metric: &str| report.number(SECTION, "", metric);
    let mut table = Table::new(
        "Estimates",
        &[
            ("Estimate", ""),
            ("Value", "r"),
            ("Band", "r"),
            ("Reference", "r"),
        ],
    );
    let mut note = String::new();
    for fact in report.whole(SECTION) {
        let Some(name) = fact.metric.strip_prefix("estimated_") else {
            continue;
        };
        let is_end = ["_low", "_high"].iter().any(|end| name.ends_with(end));
        let Some(value) = fact.as_number().filter(|_| !is_end) else {
            continue;
        };
        let ends = ["low", "high"].map(|end| number(&format!("estimated_{name}_{end}")));
        let band = match ends {
            [Some(low), Some(high)] => {
                format!("{} to {}", number::metric(low), number::metric(high))
            }
            _ => number::UNKNOWN.to_owned(),
        };
        let reference = number(&format!("reference_{name}"));
        let reference = reference.map_or_else(|| number::UNKNOWN.to_owned(), number::metric);
        if note.is_empty() {
            note = format!("{} {}", wording::metric_name(name), number::metric(value));
        }
        table.rows.push(vec![
            Cell::head(wording::metric_name(name)),
            Cell::number(number::metric(value)),
            Cell::number(band),
            Cell::number(reference),
        ]);
    }
    if table.rows.is_empty() {
        return None;
    }
    let rows = number("rows").or_else(|| number("rows_with_loss"));
    let rows = rows.map(|rows| format!("Over {} rows.", number::count(rows)));
    let assumptions = ASSUMPTIONS
        .into_iter()
        .filter_map(|metric| report.text(SECTION, "", metric))
        .map(|text| format!("Assumption: {text}."));
    let lead: Vec<String> = rows.into_iter().chain(assumptions).collect();
    Some(Section {
        id: "estimates",
        title: "Estimates without labels".to_owned(),
        note,
        lead: lead.join(" "),
        blocks: vec![Block::Table(table)],
        ..Section::default()
    })
}
