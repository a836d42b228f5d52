//! A run that scores: from its request to its published output.

use std::collections::HashMap;

use super::caller::Caller;
use super::challengers::Challengers;
use super::destination::{Begun, Destination};
use super::events::{Audience, Events};
use super::result::{Failure, RunResult};
use super::to_dataset::ToDataset;
use super::to_file::ToFile;
use super::{Run, telemetry};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::request::Request;

/// Why there may be nothing to do.
const SAME: &str = "it is there, made from the same inputs by the same model";

/// Carries a request out; `listener` hears of it first, then the files that the request names.
///
/// # Errors
/// Whatever ends the run.
pub fn score(
    request: &Request,
    caller: &Caller,
    interrupt: &Interrupt,
    listener: Box<dyn Events + '_>,
) -> Result<RunResult, Failure> {
    let files = telemetry::open(
        &request.telemetry,
        &telemetry::named_outputs(&request.output),
        &request.work.inputs,
        Some(&request.work.model),
        caller,
    )?;
    let audience = Audience::new(std::iter::once(listener).chain(files).collect());
    audience.watch(&caller.invocation_id, || {
        let run = Run::begin(request, &HashMap::new(), caller, &audience, interrupt)?;
        run.carry_out(|| {
            if run.target().is_dataset() {
                into(&run, &mut ToDataset::new(&run))
            } else {
                into(&run, &mut ToFile::new(&run))
            }
        })
    })
}

/// Scores what is left to do, and publishes.
pub(super) fn into(run: &Run, destination: &mut dyn Destination) -> Result<RunResult, Failure> {
    let mut challengers = Challengers::new(run);
    let Some(Begun {
        input,
        mut outcomes,
    }) = destination.begin(&mut challengers)?
    else {
        return run.nothing_to_do("do with", SAME, &run.control.budget);
    };
    if let Err(error) = run.score(
        input,
        &mut *destination,
        &mut outcomes,
        challengers.entries(),
    ) {
        let rejected = destination.withhold(&error, &outcomes)?;
        return Err(run.unfinished(error, &outcomes, rejected));
    }
    // What gates read of challengers is all there; their outputs still wait for their names.
    challengers.finish();
    // Before anything is published, and before what could not be taken back.
    run.judge(&outcomes, &challengers.models());
    if !run.plan().monitor.publishes
        && let Some(error) = run.failed_verdict()
    {
        run.warn_of_gates();
        warn_of_dropped(run, &challengers);
        let rejected = destination.withhold(&error, &outcomes)?;
        return Err(run.unfinished(error, &outcomes, rejected));
    }
    let mut written = destination.finish()?;
    outcomes.ledger.check(written.row_count)?;
    let status = run.final_status(&outcomes);
    let facts = run.facts(&outcomes, status, written.output_bytes);
    if let Err(error) = destination.seal(&facts) {
        return Err(run.unfinished(error, &outcomes, None));
    }
    challengers.publish();
    if !destination.corrects() {
        challengers.remove_others();
    }
    warn_of_dropped(run, &challengers);
    written.report = destination.publish(&outcomes, &facts)?;
    run.finish(&outcomes, &facts, &written)
}

/// Warns of challengers that dropped out.
fn warn_of_dropped(run: &Run, challengers: &Challengers<'_>) {
    let warnings = challengers.warnings().into_iter();
    warnings.for_each(|warning| run.audience.warn_at_end(warning));
}
