//! A run that is not carried out: all that `score` would do before its first row, and every row
//! read and scored into nothing where that is asked for.

use std::collections::HashMap;
use std::time::Instant;

use arrow::array::RecordBatch;

use super::events::{Events, Progress};
use super::gates;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::lane::{ChallengerReceiver, Entry};
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{self, Control, Input, Outcomes, Receiver};
use crate::plan::draft::Draft;
use crate::plan::replay::{Replay, replay};
use crate::plan::target::Target;
use crate::plan::{Plan, effect};
use crate::process;
use crate::report::monitoring;
use crate::report::quality;
use crate::report::run::RunContext;
use crate::request::Request;
use crate::storage::find;

/// What was found out about a run.
#[derive(Debug)]
pub struct Found {
    /// What it would do.
    pub plan: Plan,
    /// What it would take at most, in bytes.
    pub estimated_bytes: u64,
    /// How the model's golden rows agree, if it has any.
    pub replay: Option<Replay>,
    /// What became of the rows, if they were read.
    pub scanned: Option<Outcomes>,
    /// The challengers: the name of each, and why it would drop out, if it would.
    pub challengers: Vec<(String, Option<String>)>,
}

/// Checks a request; with `has_output` also where its results would go, and with `is_scanning`
/// every row.
///
/// # Errors
/// Whatever would end the run.
pub fn check(
    request: &Request,
    has_output: bool,
    is_scanning: bool,
    interrupt: &Interrupt,
    events: &dyn Events,
) -> Result<Found> {
    let target = has_output
        .then(|| Target::resolve(&request.output))
        .transpose()?;
    if let Some(target) = &target {
        effect::refuse_alone(&request.output, &request.limits, &request.telemetry, target)?;
        target.refuse_inside_inputs(&request.work.inputs)?;
    }
    let mut draft = Draft::resolve(request, target, &HashMap::new())?;
    let unreadable = draft.unreadable(interrupt)?;
    let doubt = draft.doubt.take();
    let plan = draft.finish(unreadable, |_| Ok(false))?;
    if let Some(target) = &plan.target {
        target.partitioning(&plan.job.output_schema, plan.job.passthrough.len())?;
        refuse_existing(target)?;
    }
    plan.guards.before(
        &plan.job.dataset,
        plan.job.row_count(),
        process::seconds_now(),
    )?;
    let estimated_bytes = plan.estimated_bytes()?;
    plan.warnings
        .iter()
        .chain(&doubt)
        .for_each(|warning| events.warned(warning));
    let replay = replay(&request.work)?;
    let own = plan.challengers.iter();
    let mut challengers: Vec<(String, Option<String>)> = own
        .map(|one| (one.name.clone(), one.index.clone().err()))
        .collect();
    let scanned = is_scanning
        .then(|| scanned(&plan, interrupt, events, &mut challengers))
        .transpose()?;
    Ok(Found {
        plan,
        estimated_bytes,
        replay,
        scanned,
        challengers,
    })
}

/// A file that `score` would not replace.
fn refuse_existing(target: &Target) -> Result<()> {
    if target.is_dataset() || target.overwrite || find(&target.path)?.is_none() {
        return Ok(());
    }
    let error = Error::failed("the output exists already").at_path(&target.path);
    Err(error.hint("pass `--overwrite` to replace it, or choose another name"))
}

/// Reads, filters and scores every row, and forgets the scores; notes which challengers drop out.
fn scanned(
    plan: &Plan,
    interrupt: &Interrupt,
    events: &dyn Events,
    challengers: &mut [(String, Option<String>)],
) -> Result<Outcomes> {
    let start = Instant::now();
    let job = &plan.job;
    let arms = job.challengers.iter().flat_map(|all| &all.arms);
    let mut sinks: Vec<(&str, Nowhere, Outcomes, Option<Error>)> = arms
        .map(|arm| {
            let outcomes = Outcomes::of_challenger(job, arm);
            (arm.name.as_str(), Nowhere, outcomes, None)
        })
        .collect();
    let entries = sinks
        .iter_mut()
        .map(|(_, receiver, outcomes, dropped)| Entry {
            receiver,
            outcomes,
            dropped,
        });
    let control = Control {
        interrupt: interrupt.clone(),
        budget: plan.budget,
    };
    let mut outcomes = Outcomes::new(&plan.job);
    events.progressed(Progress::Begun {
        row_count: plan.job.row_count(),
        rows_before: 0,
    });
    let ended = pipeline::run(
        &plan.job,
        Input::whole(&plan.job),
        &mut Nowhere,
        &control,
        &mut outcomes,
        entries.collect(),
        &|rows| events.progressed(Progress::Rows(rows)),
    );
    events.progressed(Progress::Ended);
    for (own, .., dropped) in sinks {
        let found = challengers.iter_mut().find(|(name, _)| name == own);
        if let (Some((_, reason)), Some(error)) = (found, dropped) {
            *reason = Some(error.in_one_line());
        }
    }
    let elsewhere = |error: Error| match error.kind() {
        Kind::ErrorBudget => error.hint(
            "`tallow score` writes the rejected rows, with the reason for each, next to its output",
        ),
        _ => error,
    };
    ended.map_err(elsewhere)?;
    let total = outcomes.ledger.total();
    plan.guards.rows(total.rows_in)?;
    let context = RunContext {
        wall: start.elapsed(),
        processor_seconds: process::processor_seconds(),
        peak_memory_bytes: process::peak_memory_bytes(),
        ..RunContext::of_nothing(plan.model.clone())
    };
    // What gates read of challengers is known to a run alone.
    let monitoring::Found { judged, broken, .. } = gates::found(plan, &outcomes, &[], &context);
    quality::failure(&broken).map_or(Ok(()), Err)?;
    judged.failure("").map_or(Ok(()), Err)?;
    let unmet = plan.unmet_missing(total.rows_in);
    unmet.iter().for_each(|warning| events.warned(warning));
    control
        .budget
        .judge(&total)
        .map_or(Ok(outcomes), |error| Err(elsewhere(error)))
}

/// Takes rows and keeps none.
pub(super) struct Nowhere;

impl Receiver for Nowhere {
    fn write(&mut self, _part: u64, _output: &RecordBatch) -> Result<()> {
        Ok(())
    }

    fn reject(
        &mut self,
        _part: u64,
        _file: usize,
        _rows: &RecordBatch,
        _rejections: &[Rejection],
    ) -> Result<()> {
        Ok(())
    }

    fn end_part(&mut self, _account: &PartAccount, _seen: &Partials) -> Result<()> {
        Ok(())
    }
}

impl ChallengerReceiver for Nowhere {
    fn drop_out(&mut self, _error: &Error) {}
}
