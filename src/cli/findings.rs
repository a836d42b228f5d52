//! Findings on the console: facts as JSON or as a summary, and the gate that failed.

use serde_json::{Map, Value as Json, json};

use super::console::Console;
use super::page::Page;
use crate::error::Result;
use crate::report::Fact;
use crate::report::json::sections;
use crate::report::renderer::{Detail, Report};
use crate::run::findings::Findings;
use crate::run::result::Failure;

/// Shows findings as JSON where that is asked for, else as `page` does.
pub(super) fn show(
    findings: Findings,
    console: &Console,
    page: impl FnOnce(&Findings) -> Result<Page>,
) -> Result<(), Failure> {
    show_with(findings, Map::new(), console, page)
}

/// The same; `extra` is what the JSON object has besides facts.
pub(super) fn show_with(
    findings: Findings,
    extra: Map<String, Json>,
    console: &Console,
    page: impl FnOnce(&Findings) -> Result<Page>,
) -> Result<(), Failure> {
    if !console.is_json() {
        console.show(&page(&findings)?)?;
        return findings.failure.map_or(Ok(()), |error| Err(error.into()));
    }
    let status = findings.facts.iter().find_map(Fact::as_status);
    let mut head = extra;
    head.insert("status".to_owned(), json!(status));
    // The console adds the error to the object.
    if let Some(error) = findings.failure {
        let mut object = sections(&findings.facts);
        object.extend(head);
        return Err(Failure {
            object,
            ..error.into()
        });
    }
    Ok(console.report(&Report {
        head,
        facts: &findings.facts,
        detail: Detail::All,
        lines_around: 0,
    })?)
}

/// The summary of findings as text.
pub(super) fn summary(findings: &Findings, console: &Console) -> Result<()> {
    console.report(&Report {
        head: Map::new(),
        facts: &findings.facts,
        detail: console.detail(),
        lines_around: 0,
    })
}
