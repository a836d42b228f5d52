//! The section of several models: those of a run with challengers, and the arms of an evaluation.
//!
//! Owns the tables: one row for each model. It must not know how models are compared.

use super::block::{Block, Cell, Head, Section, State, Table, on_page};
use super::night::{Indexed, Night};
use super::wording;
use crate::count::counted;
use crate::report::number;
use crate::report::{arms, comparison, models};

/// What is listed of each model of a run, where any model has it.
const OF_RUN: [&str; 8] = [
    "share",
    "scored",
    "rejected",
    "agreement",
    "flips",
    "rank_correlation",
    "psi",
    "seconds_per_million_rows",
];

/// The models of a run, if there is more than one.
#[must_use]
pub fn section(night: &Night) -> Option<Section> {
    let report = night
        .reports()
        .iter()
        .find(|report| report.has(models::SECTION) && !report.has(comparison::SECTION))?;
    let subjects = report.subjects(models::SECTION);
    if subjects.len() < 2 {
        return None;
    }
    let number = |name: &str, metric: &str| report.number(models::SECTION, name, metric);
    let metrics = OF_RUN.into_iter().filter(|metric| {
        let mut all = subjects.iter();
        all.any(|(name, _)| number(name, metric).is_some())
    });
    let metrics: Vec<&str> = metrics.collect();
    let mut table = Table::new("Models", &[("Model", ""), ("Version", ""), ("State", "")]);
    table.heads.extend(
        metrics
            .iter()
            .map(|metric| Head::new(wording::words(metric), "r")),
    );
    let mut dropped = 0;
    for (name, _) in &subjects {
        let text = |metric: &str| report.text(models::SECTION, name, metric);
        let is_dropped = text("status") == Some("dropped");
        dropped += u64::from(is_dropped);
        let (state, word) = if is_dropped {
            (State::Warn, "dropped out")
        } else {
            (State::Ok, text("role").unwrap_or("model"))
        };
        let mut row = vec![
            Cell::head(*name),
            Cell::text(version(report, models::SECTION, name)),
            Cell::state(state, word),
        ];
        row.extend(metrics.iter().map(|metric| {
            let value = number(name, metric);
            Cell::number(value.map_or_else(
                || number::UNKNOWN.to_owned(),
                |value| on_page(&wording::value(metric, value)),
            ))
        }));
        table.rows.push(row);
    }
    let others = subjects.len() - 1;
    let mut lead = format!(
        "{} next to the run's own model. Agreement, flips, ranks and PSI are against it.",
        counted(others, "model")
    );
    if dropped > 0 {
        lead.push_str(" The report file has the reason why a model dropped out.");
    }
    Some(Section {
        id: "models",
        title: "Models".to_owned(),
        note: if dropped > 0 {
            format!("{dropped} dropped out")
        } else {
            counted(subjects.len(), "model")
        },
        state: if dropped > 0 { State::Warn } else { State::Ok },
        lead,
        blocks: vec![Block::Table(table)],
        ..Section::default()
    })
}

fn version<'a>(report: &Indexed<'a>, section: &str, name: &str) -> &'a str {
    let text = |metric: &str| report.text(section, name, metric);
    let version = text("registry_version").or_else(|| text("version"));
    version.unwrap_or_default()
}

/// The arms of an evaluation, the best first.
#[must_use]
pub fn ranking(night: &Night) -> Option<Section> {
    let report = night.with(arms::SECTION)?;
    let metric = report.text(arms::SECTION, "", "metric")?;
    let mut table = Table::new(
        "Ranking",
        &[
            ("Arm", ""),
            ("Version", ""),
            ("Standing", ""),
            ("Rows", "r"),
        ],
    );
    table.heads.extend([
        Head::new(wording::metric_name(metric), "r"),
        Head::new("Less the best", "r"),
        Head::new("p, corrected", "r"),
    ]);
    for (name, _) in report.subjects(arms::SECTION) {
        let of = |metric: &str| report.number(arms::SECTION, name, metric);
        let with_ends = |metric: &str| {
            let end = |end: &str| of(&format!("{metric}_{end}"));
            let ends = end("low").zip(end("high"));
            let ends = ends.map(|(low, high)| {
                let [low, high] = [low, high].map(|end| on_page(&number::metric(end)));
                format!("{low} to {high}")
            });
            let value = of(metric).map_or_else(|| number::UNKNOWN.to_owned(), number::metric);
            Cell::number(value).noted(ends.unwrap_or_default())
        };
        let p = of("p_adjusted").or_else(|| of("p"));
        let standing = report.text(arms::SECTION, name, "standing");
        table.rows.push(vec![
            Cell::head(name),
            Cell::text(version(report, arms::SECTION, name)),
            Cell::text(wording::words(standing.unwrap_or_default())),
            Cell::number(of("rows_evaluated").map_or_else(String::new, number::count)),
            with_ends(metric),
            with_ends("difference"),
            Cell::number(p.map_or_else(|| number::UNKNOWN.to_owned(), |p| number::share(p, 4))),
        ]);
    }
    let best = report.text(arms::SECTION, "", "best").unwrap_or_default();
    Some(Section {
        id: "ranking",
        title: "Ranking".to_owned(),
        note: best.to_owned(),
        lead: format!(
            "By {}, with 95% intervals. An arm is worse than the best if the difference on the \
             rows of both is real: p below 5%, corrected for the number of arms.",
            wording::metric_name(metric)
        ),
        blocks: vec![Block::Table(table)],
        ..Section::default()
    })
}
