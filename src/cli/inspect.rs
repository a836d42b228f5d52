//! `tallow inspect`: what a path is, shown: a model with its inputs, tables with their columns, a
//! report with what it says of its run, a profile with its histograms.

use serde_json::json;

use super::console::Console;
use super::inspect_args::InspectArgs;
use super::user::local;
use super::{inspect_data, inspect_model, inspect_profile};
use crate::error::{Error, Result};
use crate::report::renderer::{Detail, Report};
use crate::report::stored::StoredReport;
use crate::request::inspection::Inspection;
use crate::run::inspect::{Inspected, inspect, refuse_untrusted};
use crate::run::named_model::find_unless_file;
use crate::storage::Location;

pub(super) fn run(args: InspectArgs, console: &Console) -> Result<()> {
    let mut request = Inspection::from(args);
    let (path, registry) = (&mut request.path, request.registry.as_ref());
    let warning = find_unless_file(path, registry, &local())?;
    warning.iter().for_each(|warning| console.warning(warning));
    let path = &request.path;
    let inspected = inspect(&request)?;
    let (page, object) = match &inspected {
        Inspected::Model(opened) => inspect_model::page(opened),
        Inspected::Tables(tables) => inspect_data::tables(path, tables),
        Inspected::DataSet(set) => inspect_data::data_set(path, set)?,
        Inspected::Profile(stored) => inspect_profile::page(stored),
        Inspected::Report(reports) => return report(path, reports, console),
    };
    if console.is_json() {
        console.json(&object)?;
    } else {
        console.show(&page)?;
    }
    refuse_untrusted(&inspected)
}

/// Shows what the last run in a report did.
fn report(path: &Location, reports: &[StoredReport], console: &Console) -> Result<()> {
    let last = reports
        .last()
        .ok_or_else(|| Error::internal("a report without a run"))?;
    let head = [
        ("kind", json!("report")),
        ("path", json!(path.text())),
        ("run_id", json!(last.run_id)),
        ("runs", json!(reports.len())),
    ];
    console.report(&Report {
        head: head
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
        facts: &last.facts,
        detail: Detail::All,
        lines_around: 0,
    })
}
