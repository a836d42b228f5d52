//! The section of performance: how long a run took, on what, and what it cost.

use super::block::{Block, Cell, Section, State, Table};
use super::night::{Indexed, Night};
use super::svg::Chart;
use crate::report::number;

const SECTION: &str = "performance";

/// The section, if a report has it.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night.with(SECTION)?;
    let number = |metric: &str| report.number(SECTION, "", metric);
    let rate = number("rows_per_second").map(number::short);
    let wall = number("wall_seconds").map(number::seconds);
    let threads = number("threads").map(number::count);
    let mut lead = match (&wall, rate, threads) {
        (Some(wall), Some(rate), Some(threads)) => {
            let threads = if threads == "1" {
                "1 thread".to_owned()
            } else {
                format!("{threads} threads")
            };
            format!("{wall} for all rows, {rate} rows/s on {threads}.")
        }
        _ => String::new(),
    };
    if let Some(peak) = number("peak_memory_bytes") {
        lead.push_str(&format!(" Peak memory {}.", number::bytes(peak)));
    }
    let facts = facts(report);
    let stages = stages(report, night.number("ledger", "rows_in"));
    let blocks = vec![Block::Grid(
        "two",
        stages
            .map(Block::Table)
            .into_iter()
            .chain([Block::Facts(facts)])
            .collect(),
    )];
    Some(Section {
        id: "performance",
        title: "Time and cost".to_owned(),
        note: wall.unwrap_or_default(),
        state: State::Ok,
        lead,
        blocks,
        ..Section::default()
    })
}

/// Names and values of what was used.
fn facts(report: &Indexed) -> Vec<(String, String)> {
    let number = |metric: &str| report.number(SECTION, "", metric);
    let per_million = |metric: &str, text: &dyn Fn(f64) -> String| {
        number(&format!("{metric}_per_million_rows")).map_or(String::new(), |value| {
            format!(" ({} per million rows)", text(value))
        })
    };
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("Wall time", number("wall_seconds").map(number::seconds));
    let processor = number("processor_seconds").map(|value| {
        let more = per_million("processor_seconds", &number::seconds);
        format!("{}{more}", number::seconds(value))
    });
    add("CPU time", processor);
    let busy = number("processor_seconds").zip(number("wall_seconds"));
    let busy = busy
        .filter(|(_, wall)| *wall > 0.0)
        .map(|(processor, wall)| {
            let threads = number("threads").map_or(String::new(), |threads| {
                format!(" of {}", number::count(threads))
            });
            format!("{}{threads}", number::short(processor / wall))
        });
    add("Cores kept busy", busy);
    add(
        "Peak memory",
        number("peak_memory_bytes").map(number::bytes),
    );
    for (metric, name) in [("bytes_read", "Read"), ("bytes_written", "Written")] {
        let value = number(metric).map(|value| {
            format!(
                "{}{}",
                number::bytes(value),
                per_million(metric, &number::bytes)
            )
        });
        add(name, value);
    }
    let joules = |value: f64| format!("{} J", number::short(value));
    let energy = number("energy_joules").map(|value| {
        format!(
            "{}{}, RAPL",
            joules(value),
            per_million("energy_joules", &joules)
        )
    });
    add("Energy of the processors", energy);
    let currency = report
        .whole(SECTION)
        .iter()
        .find(|fact| fact.metric == "price")
        .map_or(String::new(), |fact| fact.unit.to_string());
    let money = |value: f64| {
        format!("{} {currency}", number::short(value))
            .trim()
            .to_owned()
    };
    let price = number("price").map(|value| {
        let hour = number("price_per_hour").map_or(String::new(), |hour| {
            format!(", at {} per hour", money(hour))
        });
        format!("{}{}{hour}", money(value), per_million("price", &money))
    });
    add("Price", price);
    facts
}

/// Seconds of work by stage.
fn stages(report: &Indexed, rows: Option<f64>) -> Option<Table> {
    let stages: Vec<(&str, f64)> = report
        .subjects(SECTION)
        .into_iter()
        .filter_map(|(stage, _)| Some((*stage, report.number(SECTION, stage, "work_seconds")?)))
        .filter(|(_, seconds)| *seconds > 0.0)
        .collect();
    let total: f64 = stages.iter().map(|stage| stage.1).sum();
    if stages.is_empty() {
        return None;
    }
    let full = stages
        .iter()
        .map(|stage| stage.1)
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut table = Table::new(
        "Work by stage",
        &[
            ("Stage", ""),
            ("CPU time", "mid"),
            ("CPU s", "r"),
            ("Share", "r"),
            ("ns/row", "r"),
        ],
    );
    table.rows = stages
        .into_iter()
        .map(|(stage, seconds)| {
            let mut chart = Chart::new(10, "");
            chart.rect("q", 0.0, 100.0 * seconds / full, 0.0, 100.0);
            let per_row = rows
                .filter(|rows| *rows > 0.0)
                .map(|rows| 1e9 * seconds / rows);
            vec![
                Cell::head(stage),
                Cell::chart("mid", chart.finish()),
                Cell::number(number::share(seconds, 4)),
                Cell::number(number::percent(seconds / total)),
                Cell::number(per_row.map_or_else(|| number::UNKNOWN.to_owned(), number::short)),
            ]
        })
        .collect();
    Some(table)
}
