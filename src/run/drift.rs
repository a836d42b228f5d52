//! A comparison of two tables or profiles from its request to its report.
//!
//! Owns the order of the steps. It must not know how it is shown.

use super::events::Events;
use super::findings::{Findings, head};
use super::report_path::refuse_taken;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::monitor::compat_table::{Comparison as OfTool, Tool, compare};
use crate::monitor::drift::Limits;
use crate::monitor::profile_table::profile_of;
use crate::output::report as report_file;
use crate::plan::options::share_of_one;
use crate::plan::reading::dialect_options;
use crate::process;
use crate::report::compat;
use crate::report::drift::Comparison;
use crate::report::gate_names::{self, Verb};
use crate::report::gates::{Judged, planned};
use crate::request::comparison::{Comparison as Request, Compat};
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
/// A usage error for flags that do not fit together; fails if a table cannot be read or compared,
/// or the report cannot be written.
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
        facts.extend(Comparison::of(&baseline, &current, limits).facts());
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

fn limits(request: &Request) -> Result<Limits> {
    let default = Limits::default();
    Ok(Limits {
        js: share_of_one("--max-js", request.max_js)?.unwrap_or(default.js),
        ks: share_of_one("--max-ks", request.max_ks)?.unwrap_or(default.ks),
    })
}
