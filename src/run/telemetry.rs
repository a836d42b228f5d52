//! The files that a run describes itself in, apart from its report: opened before the first row.
//!
//! Owns which names they may have. Both are opened before anything else, so that a name that cannot
//! be written is refused while that is cheap.

use super::caller::Caller;
use super::events::Events;
use super::lineage_file::LineageFile;
use super::metrics_file::MetricsFile;
use crate::error::{Error, Result, shell_word};
use crate::plan::target::{refuse_inside, refuse_stream};
use crate::request::output::{Output, Telemetry};
use crate::storage::{Location, absolute};

/// Opens the files that a request names; `outputs` are the run's other files, each with its flag,
/// `inputs` its data, and `model` is the model's path, where that is known yet.
///
/// # Errors
/// A usage error for a name that another file of the run has, or that the next run would read as
/// data; fails if a file cannot be made or is there and holds something else.
pub(super) fn open<'a>(
    telemetry: &Telemetry,
    outputs: &[(&'static str, &Location)],
    inputs: &[Location],
    model: Option<&Location>,
    caller: &Caller,
) -> Result<Vec<Box<dyn Events + 'a>>> {
    let Telemetry {
        metrics_file,
        lineage_file,
        job_name,
        price_per_hour: _,
    } = telemetry;
    for (what, flag, path) in [
        ("metrics file", "--metrics-file", metrics_file),
        ("lineage file", "--lineage-file", lineage_file),
    ] {
        let Some(path) = path else { continue };
        refuse_stream(flag, path)?;
        refuse_inside(what, path, path, inputs)?;
    }
    refuse_duplicate(telemetry, outputs)?;
    let model = model.and_then(Location::file_stem).map_or_else(
        || "unknown".into(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let job = job_name.as_deref();
    let metrics = metrics_file
        .as_ref()
        .map(|path| MetricsFile::open(path, job, &model))
        .transpose()?;
    let lineage = lineage_file
        .as_ref()
        .map(|path| LineageFile::open(path, job, &model, caller))
        .transpose()?;
    let lineage = lineage.map(|file| Box::new(file) as Box<dyn Events>);
    let metrics = metrics.map(|file| Box::new(file) as Box<dyn Events>);
    Ok(lineage.into_iter().chain(metrics).collect())
}

pub(super) fn foreign(flag: &str, path: &Location) -> Error {
    let error =
        Error::usage(format!("`{flag}` names a file that holds something else")).at_path(path);
    error.hint(format!(
        "choose another name; if the file is not needed: rm {}",
        shell_word(&path.to_string_lossy())
    ))
}

/// The files that the output's flags name, each with its flag.
pub(super) fn named_outputs(args: &Output) -> Vec<(&'static str, &Location)> {
    let further = [("--report", &args.report), ("--rejected", &args.rejected)];
    let further = further
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, path.as_ref()?)));
    [("--output", &args.output)]
        .into_iter()
        .chain(further)
        .collect()
}

/// Each file of a run has a name of its own.
fn refuse_duplicate(args: &Telemetry, outputs: &[(&'static str, &Location)]) -> Result<()> {
    let Telemetry {
        metrics_file,
        lineage_file,
        job_name: _,
        price_per_hour: _,
    } = args;
    let mut taken: Vec<(&str, Location)> = outputs
        .iter()
        .map(|(flag, path)| (*flag, absolute_path(path)))
        .collect();
    let named = [
        ("--metrics-file", metrics_file),
        ("--lineage-file", lineage_file),
    ];
    for (flag, path) in named
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, absolute_path(path.as_ref()?))))
    {
        if let Some((other, path)) = taken.iter().find(|(_, taken)| *taken == path) {
            return Err(
                Error::usage(format!("`{other}` and `{flag}` have the same name"))
                    .at_path(path)
                    .hint("give each file a name of its own"),
            );
        }
        taken.push((flag, path));
    }
    Ok(())
}

/// The path from the root on, without `.` and a slash at its end; links and `..` stay as they are.
pub(super) fn absolute_path(path: &Location) -> Location {
    absolute(path).tidied()
}
