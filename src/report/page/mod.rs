//! Reports as one HTML page: of one run, or of many nights.
//!
//! Owns the page. It is one file without script, and its policy forbids every request. It holds
//! aggregates alone: values of inputs, whole paths and messages about files are shown only on
//! request. It must not know where reports are stored.

pub mod block;
pub mod calendar;
mod card;
pub mod comparison;
mod costs;
pub mod curves;
pub mod document;
pub mod drift;
pub mod earlier;
pub mod estimates;
pub mod evaluation;
pub mod gates;
pub mod grid;
pub mod history;
pub mod inputs;
mod markup;
pub mod models;
pub mod night;
mod nights;
pub mod one_night;
pub mod origin;
pub mod overlaid;
pub mod performance;
pub mod rows;
pub mod runs;
pub mod scores;
pub mod svg;
pub mod trend;
pub mod verdict;
pub mod wording;

use askama::Template;

use self::document::{Options, STYLE};
use self::nights::nights;
use super::stored::StoredReport;
use crate::count::counted;
use crate::error::{Error, Result};

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
        one_night::page(last, options)
    } else {
        history::page(&nights, options)
    };
    page.sections.extend(card.and_then(card::section));
    page.footer = format!(
        "Made by tallow {} from {}. The page holds aggregates and no rows, and loads nothing.",
        env!("CARGO_PKG_VERSION"),
        counted(reports.len(), "report")
    );
    page.style = STYLE;
    let text = page.render();
    text.map_err(|error| Error::internal("the page has no form in HTML").because(error))
}
