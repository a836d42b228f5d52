//! A comparison of two tables or profiles from its request to its report.
//!
//! Owns the order of the steps. It must not know how it is shown.

use super::events::Events;
use super::findings::{Findings, head};
use super::report_path::refuse_taken;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::compat_table::{Comparison as OfTool, Tool, compare};
use crate::monitor::drift::Limits;
use crate::monitor::profile_table::profile_of;
use crate::output::report as report_file;
use crate::plan::monitoring::other_scores;
use crate::plan::options::share_of_one;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::compat;
use crate::report::drift::Comparison;
use crate::report::gate_names::{self, Verb};
use crate::report::gates::{Judged, planned};
use crate::request::comparison::{Comparison as Request, Compat};
use crate::storage::Location;
use crate::table::location::locate;
use crate::table::origin::of_files;
use crate::table::output_format::OutputFormat;

/// What a comparison found.
#[derive(Debug)]
pub struct Drifted {
    /// Facts, and what gates say of them.
    pub findings: Findings,
    /// The numbers of another tool, if they were asked for: there is no verdict of ours then.
    pub of_tool: Option<OfTool>,
}

/// Compares two tables or profiles, and writes the report.
///
/// # Errors
/// A usage error for flags that do not fit together; a contract error for tables without a column
/// in common; fails if a table cannot be read or compared, or the report cannot be written.
pub fn drift(request: &Request, interrupt: &Interrupt, events: &dyn Events) -> Result<Drifted> {
    let limits = limits(request)?;
    let gates = planned(&request.gate)?;
    let verb = if request.compat.is_some() {
        Verb::Compat
    } else {
        Verb::Drift
    };
    gate_names::check(&gates, verb)?;
    let paths = [&request.baseline, &request.current].map(Clone::clone);
    if let Some(path) = &request.output {
        OutputFormat::of_name(path)?;
        refuse_taken(path, request.overwrite, &paths)?;
    }
    let options = dialect_options(&request.text, &[])?;
    let mut facts = head(process::now());
    let of_tool = if let Some(tool) = request.compat {
        let tool = match tool {
            Compat::Evidently => Tool::Evidently,
            Compat::NannyMl => Tool::NannyMl,
        };
        let compared = compare(tool, &paths[0], &paths[1], &options, interrupt)?;
        facts.extend(compat::facts(tool, &compared));
        Some(compared)
    } else {
        let baseline = profile_of(&paths[..1], &options, interrupt)?;
        let current = profile_of(&paths[1..], &options, interrupt)?;
        warn_of_models(&paths, events)?;
        let compared = Comparison::of(&baseline, &current, limits);
        if compared.is_empty() {
            return Err(nothing_to_compare(&paths));
        }
        facts.extend(compared.facts());
        None
    };
    let judged = Judged::of_known(&gates, &mut facts, request.strict_gates)?;
    let warnings = judged.warnings();
    warnings.iter().for_each(|warning| events.warned(warning));
    if let Some(path) = &request.output {
        report_file::create(path, process::unique_text().trim(), &facts)?;
    }
    let failure = judged.failure("");
    Ok(Drifted {
        findings: Findings { facts, failure },
        of_tool,
    })
}

/// The error of tables that have nothing in common.
fn nothing_to_compare([before, now]: &[Location; 2]) -> Error {
    let message = format!(
        "no column can be compared with `{}`: none has the same name and holds the same kind",
        before.display()
    );
    let error = Error::contract(message).at_path(now);
    error.hint("`tallow inspect` shows the columns of a table or a profile")
}

/// Warns of scores that are of different models.
fn warn_of_models(paths: &[Location; 2], events: &dyn Events) -> Result<()> {
    let [before, now] = paths.each_ref().map(|path| {
        let table = locate(std::slice::from_ref(path), false)?.files;
        Ok::<_, Error>(of_files(table.iter().map(|file| &file.path)))
    });
    if let (Some(before), Some(now)) = (before?, now?)
        && before.is_other_than(&now)
    {
        events.warned(&other_scores(&before.title()).at_path(&paths[0]));
    }
    Ok(())
}

fn limits(request: &Request) -> Result<Limits> {
    let default = Limits::default();
    Ok(Limits {
        js: share_of_one("--max-js", request.max_js)?.unwrap_or(default.js),
        ks: share_of_one("--max-ks", request.max_ks)?.unwrap_or(default.ks),
    })
}
