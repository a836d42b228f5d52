//! `tallow score`: the main job, from plan to published output and report.

use super::console::Console;
use super::run_events::listener;
use super::{scheduler, signal};
use crate::error::Result;
use crate::request::Request;
use crate::run::ending::{Failure, RunResult};
use crate::run::score::score;

pub(super) fn run(request: &Request, console: &Console) -> Result<RunResult, Failure> {
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let events = listener(console);
    score(request, &caller, &interrupt, events)
}
