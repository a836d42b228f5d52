//! `tallow profile` and `tallow drift`: what columns hold, and how that changed.

use serde_json::{Map, json};

use super::console::Console;
use super::drift_args::{DriftArgs, ProfileArgs};
use super::page::Page;
use super::user::local;
use super::{signal, trust};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::monitor::compat_table::{Tool, compare};
use crate::monitor::drift::Limits;
use crate::monitor::profile_table::profile_of;
use crate::output::profile as profile_file;
use crate::output::report as report_file;
use crate::plan::options::share_of_one;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::drift::Comparison;
use crate::report::gates::{Judged, planned};
use crate::report::json::sections;
use crate::report::renderer::{Detail, Report};
use crate::report::{Fact, compat};
use crate::request::comparison::{Comparison as Request, Compat, Profiling};
use crate::request::rows::Rows;
use crate::request::work::{Binding, Work};
use crate::run::ending::Failure;
use crate::run::named_model;
use crate::run::profile::profile_as_read;
pub(super) use crate::run::report_path::refuse_taken;
use crate::storage::Location;
use crate::table::output_format::OutputFormat;

pub(super) fn profile(args: ProfileArgs, console: &Console) -> Result<()> {
    let request = Profiling::from(args);
    let path = &request.output;
    if OutputFormat::of_name(path)? != OutputFormat::parquet() {
        let error = Error::usage("a profile is a Parquet file").at_path(path);
        return Err(error.hint("end the name in `.parquet` or `.pq`"));
    }
    refuse_taken(path, request.overwrite, &request.inputs)?;
    let interrupt = signal::watch(console)?;
    let profile = if let Some(model) = &request.model {
        profile_as_read(&work(&request, model)?, &interrupt)?
    } else {
        if request.binding != Binding::default() {
            let error = Error::usage("how columns meet a model, and no model is named");
            return Err(error.hint("add `--model PATH`"));
        }
        let options = dialect_options(&request.text, &[])?;
        profile_of(&request.inputs, &options, &interrupt)?
    };
    profile_file::create(path, request.overwrite, &profile)?;
    let rows = profile.columns.first().map_or(0, |column| column.rows);
    let columns = profile.columns.len();
    if console.is_json() {
        let output = path.display().to_string();
        return console.json(&json!({
            "status": "done", "rows": rows, "columns": columns, "output": output,
        }));
    }
    let (rows, columns) = (counted(rows, "row"), counted(columns, "column"));
    console.show(&Page::new(&format!(
        "profiled {rows} in {columns}: {}",
        path.display()
    )))
}

/// The work of a run that scores what is profiled.
fn work(request: &Profiling, model: &Location) -> Result<Work> {
    let mut work = Work {
        model: model.to_owned(),
        inputs: request.inputs.clone(),
        binding: request.binding.clone(),
        rows: Rows {
            text: request.text.clone(),
            ..Rows::default()
        },
        ..Work::default()
    };
    work.outcome.passthrough = Some(vec!["none".into()]);
    named_model::locate(&mut work, None, &local(), &trust::configured()?)?;
    Ok(work)
}

pub(super) fn drift(args: DriftArgs, console: &Console) -> Result<(), Failure> {
    let request = Request::from(args);
    let limits = limits(&request)?;
    let gates = planned(&request.gate)?;
    let paths = [&request.baseline, &request.current].map(Clone::clone);
    if let Some(path) = &request.output {
        OutputFormat::of_name(path)?;
        refuse_taken(path, request.overwrite, &paths)?;
    }
    let interrupt = signal::watch(console)?;
    let options = dialect_options(&request.text, &[])?;
    let started_at = process::now();
    // Of another tool's numbers there is no verdict of ours to show.
    let (found, lines) = if let Some(tool) = request.compat {
        let tool = match tool {
            Compat::Evidently => Tool::Evidently,
            Compat::NannyMl => Tool::NannyMl,
        };
        let compared = compare(tool, &paths[0], &paths[1], &options, &interrupt)?;
        (
            compat::facts(tool, &compared),
            Some(compat::lines(&compared)),
        )
    } else {
        let baseline = profile_of(&paths[..1], &options, &interrupt)?;
        let current = profile_of(&paths[1..], &options, &interrupt)?;
        let compared = Comparison::of(&baseline, &current, limits);
        (compared.facts(), None)
    };
    let mut facts = vec![
        Fact::text("run", "", "status", "done"),
        Fact::text("run", "", "tool_version", env!("CARGO_PKG_VERSION")),
        Fact::text("run", "", "started_at", started_at),
    ];
    facts.extend(found);
    let judged = Judged::of_known(&gates, &mut facts, request.strict_gates)?;
    let warnings = judged.warnings();
    warnings.iter().for_each(|warning| console.warning(warning));
    let failure = judged.failure("");
    if let Some(path) = &request.output {
        report_file::create(path, process::unique_text().trim(), &facts)?;
    }
    if console.is_json() && failure.is_none() {
        let head = Map::from_iter([("status".to_owned(), json!("done"))]);
        return Ok(console.report(&Report {
            head,
            facts: &facts,
            detail: Detail::All,
        })?);
    }
    if console.is_json() {
        // The console adds the error to the object.
        return failure.map_or(Ok(()), |error| {
            Err(Failure {
                object: sections(&facts),
                ..error.into()
            })
        });
    }
    let mut page = Page::default();
    match lines {
        Some(lines) => lines.iter().for_each(|line| page.line(line)),
        None => console.report(&Report {
            head: Map::new(),
            facts: &facts,
            detail: Detail::Summary,
        })?,
    }
    if let Some(path) = &request.output {
        page.line(format!("report {}", path.display()));
    }
    console.show(&page)?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

fn limits(request: &Request) -> Result<Limits> {
    let default = Limits::default();
    Ok(Limits {
        js: share_of_one("--max-js", request.max_js)?.unwrap_or(default.js),
        ks: share_of_one("--max-ks", request.max_ks)?.unwrap_or(default.ks),
    })
}
