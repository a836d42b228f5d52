//! `tallow profile` and `tallow drift`: what columns hold, and how that changed.

use serde_json::{Map, json};

use super::console::Console;
use super::drift_args::{DriftArgs, ProfileArgs};
use super::page::Page;
use super::signal;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::monitor::drift::Limits;
use crate::monitor::profile_table::{profile_of, table};
use crate::output::report as report_file;
use crate::output::table_writer::write_table;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::Fact;
use crate::report::drift::Comparison;
use crate::report::renderer::{Detail, Report};
use crate::request::comparison::{Comparison as Request, Profiling};
pub(super) use crate::run::report_path::refuse_taken;
use crate::storage::PendingFile;
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
    let options = dialect_options(&request.text, &[])?;
    let profile = profile_of(&request.inputs, &options, &interrupt)?;
    let mut file = PendingFile::create(path, request.overwrite)?;
    write_table(&mut file, &table(&profile)?)?;
    file.publish(request.overwrite)?;
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

pub(super) fn drift(args: DriftArgs, console: &Console) -> Result<()> {
    let request = Request::from(args);
    let limits = limits(&request)?;
    let paths = [&request.baseline, &request.current].map(Clone::clone);
    if let Some(path) = &request.output {
        OutputFormat::of_name(path)?;
        refuse_taken(path, request.overwrite, &paths)?;
    }
    let interrupt = signal::watch(console)?;
    let options = dialect_options(&request.text, &[])?;
    let started_at = process::now();
    let baseline = profile_of(&paths[..1], &options, &interrupt)?;
    let current = profile_of(&paths[1..], &options, &interrupt)?;
    let compared = Comparison::of(&baseline, &current, limits);
    let mut facts = vec![
        Fact::text("run", "", "status", "done"),
        Fact::text("run", "", "tool_version", env!("CARGO_PKG_VERSION")),
        Fact::text("run", "", "started_at", started_at),
    ];
    facts.extend(compared.facts());
    if let Some(path) = &request.output {
        report_file::create(path, process::unique_text().trim(), &facts)?;
    }
    if console.is_json() {
        let head = Map::from_iter([("status".to_owned(), json!("done"))]);
        return console.report(&Report {
            head,
            facts: &facts,
            detail: Detail::All,
        });
    }
    let mut page = Page::default();
    compared.lines().iter().for_each(|line| page.line(line));
    if let Some(path) = &request.output {
        page.line(format!("report {}", path.display()));
    }
    console.show(&page)
}

fn limits(request: &Request) -> Result<Limits> {
    let default = Limits::default();
    let limit = |flag: &str, limit: Option<f64>, default: f64| match limit {
        Some(limit) if !(0.0..=1.0).contains(&limit) => Err(Error::usage(format!(
            "`{flag} {limit}`: the distance lies between 0 and 1"
        ))),
        limit => Ok(limit.unwrap_or(default)),
    };
    Ok(Limits {
        js: limit("--max-js", request.max_js, default.js)?,
        ks: limit("--max-ks", request.max_ks, default.ks)?,
    })
}
