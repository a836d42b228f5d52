//! `tallow replay`: a recorded run again, byte for byte.

use serde_json::Value as Json;

use super::console::Console;
use super::page::Page;
use super::record_args::ReplayArgs;
use super::run_events::listener;
use super::{scheduler, signal};
use crate::run::replay::{Replay, replay};
use crate::run::result::Failure;

/// The most files that are listed; JSON has them all.
const FILES_SHOWN: usize = 50;

pub(super) fn run(args: ReplayArgs, console: &Console) -> Result<(), Failure> {
    let interrupt = signal::watch(console)?;
    let caller = scheduler::caller(console)?;
    let asked = Replay {
        directory: args.directory.into(),
        scratch: args.scratch.unwrap_or_else(std::env::temp_dir).into(),
        resources: args.resources.into(),
        keys: args.moved_keys.with(args.keys),
    };
    let replayed = replay(&asked, &caller, &interrupt, listener(console))?;
    let error = replayed.error(&asked.directory);
    if console.is_json() {
        let Some(error) = error else {
            return Ok(console.json(&Json::Object(replayed.object()))?);
        };
        return Err(Failure {
            object: replayed.object(),
            ..error.into()
        });
    }
    let mut page = Page::new(&replayed.headline());
    page.list(replayed.lines(), FILES_SHOWN);
    console.show(&page)?;
    error.map_or(Ok(()), |error| Err(error.into()))
}
