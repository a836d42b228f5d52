//! `tallow score`: the main job, from plan to published output and report.

use super::console::Console;
use super::run_events::listener;
use super::{scheduler, signal};
use crate::error::{Error, Result};
use crate::process;
use crate::request::Request;
use crate::run::result::{Failure, RunResult};
use crate::run::score::score;

pub(super) fn run(request: &Request, console: &Console) -> Result<RunResult, Failure> {
    refuse_stream(request, console)?;
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let events = listener(console);
    score(request, &caller, &interrupt, events)
}

/// Checks that standard output can take what goes there.
fn refuse_stream(request: &Request, console: &Console) -> Result<()> {
    let output = &request.output;
    if !output.output.is_stream() {
        return Ok(());
    }
    if console.is_json() {
        let error = Error::usage("`--output -` and `--format json` both write to standard output");
        return Err(error.hint("name a file as the output, or remove `--format json`"));
    }
    if process::output_is_closed() {
        return Err(Error::usage("`--output -`: standard output is closed")
            .hint("redirect it, or name a file"));
    }
    let is_text = output
        .output_format
        .is_none_or(|format| !format.keeps_metadata());
    if console.is_on_terminal() && !is_text {
        let error = Error::usage("a terminal cannot show Parquet");
        return Err(error.hint("redirect it: `> predictions.parquet`, or name a file"));
    }
    Ok(())
}
