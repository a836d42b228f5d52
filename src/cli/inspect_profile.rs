//! `tallow inspect` of a profile: a line for each column, with its histogram.

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value as Json, json};

use super::page::{LISTED, Page};
use crate::count::{counted, listed};
use crate::monitor::overlay::Overlay;
use crate::monitor::profile::{ColumnProfile, Kind, Profile};
use crate::report::page::wording::value;
use crate::report::{number, spark};
use crate::run::inspect::StoredProfile;
use crate::storage::Location;

/// The most cells of a histogram.
const CELLS: usize = 20;

/// The widest names that are shown whole.
const MAX_NAME: usize = 32;

/// The page of a profile, and the same as JSON.
pub(super) fn page(stored: &StoredProfile) -> (Page, Json) {
    let StoredProfile {
        path,
        byte_count,
        profile,
    } = stored;
    let rows = profile.columns.iter().map(|column| column.rows).max();
    let rows = rows.unwrap_or(0);
    let mut page = Page::new(&format!(
        "profile  {}, {}  ({})",
        counted(rows, "row"),
        counted(profile.columns.len(), "column"),
        HumanBytes(*byte_count)
    ));
    page.line("");
    let names = profile
        .columns
        .iter()
        .map(|column| column.name.chars().count());
    let width = names.max().unwrap_or(0).clamp(6, MAX_NAME);
    page.line(format!(
        "  {:width$}  {:11}  {:>7}  {:22}  distribution",
        "column", "type", "missing", "min .. max"
    ));
    let lines = profile.columns.iter().map(|column| line(column, width));
    page.list(lines, LISTED);
    (page, object(path, profile))
}

fn line(column: &ColumnProfile, width: usize) -> String {
    let ColumnProfile { name, numbers, .. } = column;
    let missing = column
        .missing_rate()
        .map_or("-".to_owned(), number::percent);
    let range = match (numbers.min(), numbers.max()) {
        (Some(min), Some(max)) if column.kind() == Kind::Numbers => {
            format!("{} .. {}", value("", min), value("", max))
        }
        _ => String::new(),
    };
    let (range, picture) = match Overlay::of(column, column) {
        Some(Overlay::Numbers { bins, is_log }) => {
            let heights: Vec<f64> = bins.iter().map(|bin| bin.counts[0] as f64).collect();
            let heights = &heights[..heights.len().min(CELLS)];
            let cells = spark::cells(heights, spark::largest(heights));
            let scale = if is_log { " log" } else { "" };
            (format!("{range}{scale}"), cells)
        }
        Some(Overlay::Categories { named, .. }) => {
            let total = column.categories.total().max(1) as f64;
            let shares = named.iter().map(|(text, [count, _])| {
                format!("{text} {}", number::percent(*count as f64 / total))
            });
            (range, listed(shares, 1, ", ", ""))
        }
        None => (range, String::new()),
    };
    let kind = match column.kind() {
        Kind::Numbers => "number".to_owned(),
        Kind::Categories => {
            format!(
                "{} values",
                HumanCount(column.distinct.estimate().round() as u64)
            )
        }
        Kind::Untyped => "text".to_owned(),
        Kind::Other => "other".to_owned(),
    };
    let line = format!("  {name:width$}  {kind:11}  {missing:>7}  {range:22}  {picture}");
    line.trim_end().to_owned()
}

fn object(path: &Location, profile: &Profile) -> Json {
    let columns = profile.columns.iter().map(|column| {
        let numbers = &column.numbers;
        json!({
            "name": column.name,
            "kind": column.kind().name(),
            "rows": column.rows,
            "missing": column.missing,
            "missing_rate": column.missing_rate(),
            "distinct": column.distinct.estimate().round(),
            "min": numbers.min(),
            "max": numbers.max(),
            "mean": numbers.mean(),
            "standard_deviation": numbers.standard_deviation(),
        })
    });
    json!({
        "kind": "profile",
        "path": path.text(),
        "columns": columns.collect::<Vec<_>>(),
    })
}
