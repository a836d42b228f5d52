//! `tallow inspect` of a profile: a line for each column, with its histogram.

use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value as Json, json};

use super::page::{LISTED, Page};
use crate::count::{counted, listed};
use crate::monitor::number_column::MICROSECONDS_OF_DAY;
use crate::monitor::overlay::Overlay;
use crate::monitor::profile::{ColumnProfile, Kind, Profile};
use crate::report::page::wording::value;
use crate::report::{moment, number, spark};
use crate::run::inspect::StoredProfile;
use crate::storage::Location;

/// The most cells of a histogram.
const CELLS: usize = 20;

/// The width of the column of extremes.
const MIN_RANGE: usize = 22;
const MAX_RANGE: usize = 42;

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
    let ranges = profile.columns.iter().map(|column| range(column).len());
    let widths = [width, ranges.max().unwrap_or(0).clamp(MIN_RANGE, MAX_RANGE)];
    page.line(format!(
        "  {:width$}  {:11}  {:>7}  {:range$}  distribution",
        "column",
        "type",
        "missing",
        "min .. max",
        range = widths[1],
    ));
    let lines = profile.columns.iter().map(|column| line(column, widths));
    page.list(lines, LISTED);
    (page, object(path, profile))
}

/// The extremes of numbers and times.
fn range(column: &ColumnProfile) -> String {
    let kind = column.kind();
    let (Some(min), Some(max)) = (column.numbers.min(), column.numbers.max()) else {
        return String::new();
    };
    let is_midnight = |time: f64| time % MICROSECONDS_OF_DAY as f64 == 0.0;
    let time = |time: f64| match moment::text(kind, time) {
        Some(text) if is_midnight(min) && is_midnight(max) => moment::without_midnight(&text),
        Some(text) => text,
        None => value("", time),
    };
    if kind.has_numbers() {
        format!("{} .. {}", time(min), time(max))
    } else {
        String::new()
    }
}

fn line(column: &ColumnProfile, [width, range_width]: [usize; 2]) -> String {
    let ColumnProfile { name, .. } = column;
    let missing = column
        .missing_rate()
        .map_or("-".to_owned(), number::percent);
    let range = range(column);
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
        Kind::Times => "time".to_owned(),
        Kind::TimesOfDay => "time of day".to_owned(),
        Kind::Durations => "duration".to_owned(),
    };
    let line = format!("  {name:width$}  {kind:11}  {missing:>7}  {range:range_width$}  {picture}");
    line.trim_end().to_owned()
}

fn object(path: &Location, profile: &Profile) -> Json {
    let columns = profile.columns.iter().map(|column| {
        let numbers = &column.numbers;
        let text = |end: Option<f64>| moment::text(column.kind(), end?);
        json!({
            "name": column.name,
            "kind": column.kind().name(),
            "rows": column.rows,
            "missing": column.missing,
            "missing_rate": column.missing_rate(),
            "distinct": column.distinct.estimate().round(),
            "min": numbers.min(),
            "max": numbers.max(),
            "min_text": text(numbers.min()),
            "max_text": text(numbers.max()),
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
