//! `tallow retry`: scores the corrected rows of a data set and puts them where they belong.

use super::console::Console;
use super::paths::locations;
use super::retry_args::RetryArgs;
use super::run_events::listener;
use super::{scheduler, signal};
use crate::error::Result;
use crate::run::result::{Failure, RunResult};
use crate::run::retry::{Retry, retry};

pub(super) fn run(args: RetryArgs, console: &Console) -> Result<RunResult, Failure> {
    let RetryArgs {
        job: _,
        directory,
        corrected,
        text,
        keys,
        moved_keys,
        skip_code,
        observers,
        resources,
    } = args;
    let asked = Retry {
        directory: directory.into(),
        corrected: locations(corrected),
        dialect: text.into(),
        keys: moved_keys.with(keys),
        skip_code,
        telemetry: observers.into(),
        resources: resources.into(),
    };
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let events = listener(console);
    retry(&asked, &caller, &interrupt, events)
}
