//! One run's life: its output taken, its plan made, its rows scored, its results published.
//!
//! Owns the order of these steps for every verb that scores, the events on the way, and how a run
//! ends. A run begins with a request; once it has its plan, nothing changes that or looks at the
//! request again. It must not know how events are shown, nor read the environment.

pub mod arms;
mod attribute;
mod below;
pub mod caller;
mod challenger_record;
mod challengers;
pub mod check;
pub mod compare;
mod conclusion;
mod corrected_row;
mod destination;
pub mod drift;
pub mod evaluate;
pub mod events;
mod existing;
pub mod explain;
mod explained_values;
pub mod findings;
mod follow;
mod gates;
pub mod history;
pub mod inspect;
mod lineage_file;
pub mod merge;
mod meter;
mod metrics_file;
pub mod named_model;
mod own_filter;
pub mod pack;
pub mod profile;
mod publishing;
mod record;
pub mod replay;
pub mod report_page;
pub mod report_path;
pub mod result;
pub mod retry;
mod retry_request;
mod same_models;
pub mod score;
mod scratch;
mod split_footer;
mod split_record;
mod takeover;
mod telemetry;
mod to_dataset;
mod to_file;
mod verdict;

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use self::caller::Caller;
use self::events::{Audience, Events, Progress};
use self::existing::is_left_behind;
use self::meter::Meter;
use self::result::{Failure, RunResult};
use crate::contract::Policy;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::output::quarantine::Quarantine;
use crate::package::manifest::OnFail;
use crate::package::signature::sign::SigningIdentity;
use crate::pipeline::lane::Entry;
use crate::pipeline::{self, Control, Input, Outcomes, Receiver};
use crate::plan::draft::Draft;
use crate::plan::target::Target;
use crate::plan::{Plan, effect, geo, identity, keys, signed};
use crate::process;
use crate::report::monitoring::Found;
use crate::request::Request;
use crate::storage::{Location, Lock};
use crate::table::origin::{RUN_ID, SPLIT_MODELS};
use crate::table::output_format::OutputFormat;

/// A run with its plan.
pub struct Run<'a> {
    plan: Plan,
    target: Target,
    caller: &'a Caller,
    audience: &'a Audience<'a>,
    control: Control,
    start: Instant,
    /// How long it took, once it was told: all accounts of a run say the same.
    wall: OnceLock<Duration>,
    started_at: String,
    /// What it costs.
    meter: Meter,
    /// What the output's footer repeats of the input's.
    carried: OnceLock<Vec<(String, String)>>,
    /// Whether an earlier run scored some of the rows.
    is_resumed: OnceLock<bool>,
    /// What was found once all rows were read.
    found: OnceLock<Found>,
    /// Who signs the output, if it is to be signed.
    signer: Option<SigningIdentity>,
    /// Whether it was stopped before it knew whether there is something to do.
    stopped_at_output: OnceLock<()>,
    /// Held until the run is over.
    lock: Lock,
}

/// Whether a run of this name may replace an output that is there, though the user did not ask for
/// it. A run that died while it gave names may have given some: they are of the same content, and
/// this run may give them again. A data set knows its own files.
fn may_replace(lock: &Lock, target: &Target, run_id: &str) -> Result<bool> {
    let note = lock.previous_note().and_then(publishing::read);
    let is_same = note.is_some_and(|(own, _)| own == run_id) && !target.is_dataset();
    Ok(is_same || is_left_behind(target)?)
}

/// What a run wrote.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The rows of the output.
    pub row_count: u64,
    /// The size of the output.
    pub output_bytes: u64,
    /// The rejected rows, if there are any.
    pub rejected: Option<String>,
    /// The report, if there is one.
    pub report: Option<String>,
}

impl<'a> Run<'a> {
    /// Takes the output for this run and makes its plan; `names` are those of input files that are
    /// recorded under other names than their paths.
    ///
    /// # Errors
    /// Whatever the plan finds wrong; [`Kind::Busy`](crate::error::Kind::Busy) if another run has
    /// the output.
    fn begin(
        request: &Request,
        names: &HashMap<Location, Location>,
        caller: &'a Caller,
        audience: &'a Audience<'a>,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let (start, started_at) = (Instant::now(), process::now());
        let meter = Meter::start(request.telemetry.price_per_hour.as_deref())?;
        let warnings = keys::install(&request.keys)?;
        warnings.iter().for_each(|warning| audience.warned(warning));
        let target = Target::resolve(&request.output)?;
        effect::refuse_alone(
            &request.output,
            &request.limits,
            &request.telemetry,
            &target,
        )?;
        if request.keys.hash_key.is_some() && request.work.outcome.hash_columns.is_empty() {
            audience.warned(&keys::hashes_nothing());
        }
        target.refuse_inside_inputs(&request.work.inputs)?;
        target.refuse_challengers(&request.work.challengers)?;
        let key = request.output.sign_key.as_ref();
        let signer = key
            .map(|key| signed::identity(key, &request.output.sign_certificate))
            .transpose()?;
        let (lock, begun) = takeover::taken(&target, &started_at, &|text| audience.noted(text))?;
        let mut request = request.clone();
        let warnings =
            named_model::locate(&mut request.work, Some(begun), &caller.local, &caller.trust)?;
        warnings.iter().for_each(|warning| audience.warned(warning));
        let mut draft = Draft::resolve(&request, Some(target.clone()), names)?;
        if let Some(doubt) = draft.doubt.take() {
            audience.warn_at_end(doubt);
        }
        let unreadable = interrupt.check().and_then(|()| draft.unreadable(interrupt));
        let (unreadable, stopped) = match unreadable {
            Ok(unreadable) => (unreadable, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let plan = draft.finish(unreadable, |run_id| may_replace(&lock, &target, run_id))?;
        let target = plan.target.clone().unwrap_or(target);
        let control = Control {
            interrupt: interrupt.clone(),
            budget: plan.budget,
        };
        let run = Self {
            plan,
            target,
            caller,
            audience,
            control,
            start,
            wall: OnceLock::new(),
            started_at,
            meter,
            carried: OnceLock::new(),
            is_resumed: OnceLock::new(),
            found: OnceLock::new(),
            signer,
            stopped_at_output: OnceLock::new(),
            lock,
        };
        if let Some(error) = stopped {
            return Err(run.stopped_early(error.into()));
        }
        run.refuse_foreign()?;
        run.refuse_profile()?;
        Ok(run)
    }

    /// Passes the plan on, asks the guards and does the work. A run that is stopped before its
    /// first row leaves a report too.
    fn carry_out(
        &self,
        work: impl FnOnce() -> Result<RunResult, Failure>,
    ) -> Result<RunResult, Failure> {
        let plan = &self.plan;
        self.audience.planned(plan)?;
        plan.guards.before(
            &plan.job.dataset,
            plan.job.row_count(),
            process::seconds_now(),
        )?;
        work().map_err(|failure| self.stopped_early(failure))
    }

    /// A failure before the first row: of a run that was stopped, with a report.
    fn stopped_early(&self, failure: Failure) -> Failure {
        match failure {
            Failure {
                error: Some(error),
                object,
                ..
            } if error.is_signal()
                && object.is_empty()
                && self.stopped_at_output.get().is_none() =>
            {
                self.unfinished(error, &Outcomes::new(&self.plan.job), None)
            }
            failure => failure,
        }
    }

    /// What is to be done.
    fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where results go.
    fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the run was asked to stop.
    fn interrupt(&self) -> &Interrupt {
        &self.control.interrupt
    }

    /// Leaves word that from here on the results get their names.
    fn note_publication(&self) -> Result<()> {
        // The last moment at which it can be stopped without a trace; from here on it takes
        // milliseconds.
        self.interrupt().check()?;
        self.plan.check_unchanged()?;
        let versions = identity::versions(&self.plan);
        self.lock
            .note(&publishing::note(&self.plan.run_id, &versions))?;
        self.lock.leave_behind();
        Ok(())
    }

    /// All results have their names, and who asked for them knows: the next run has nothing to go
    /// on with.
    fn published(&self) {
        self.lock.give_back();
    }

    /// The table of rejected rows; none if they are not needed or no policy rejects any.
    fn quarantine(&self) -> Result<Option<Quarantine>> {
        let mut inputs = self.plan.job.arms.inputs().map(|bound| &bound.input);
        let may_reject = inputs
            .any(|input| input.on_null == Policy::Reject || input.on_unseen == Policy::Reject)
            || self.plan.job.rules.may(OnFail::Reject);
        let Some(path) = self.target.rejected.as_ref().filter(|_| may_reject) else {
            return Ok(None);
        };
        let quarantine = Quarantine::new(&self.plan.job)?;
        OutputFormat::of_name(path)?
            .check(&quarantine.schema())
            .map_err(|error| error.at_path(path))?;
        Ok(Some(quarantine))
    }

    /// What the output's footer says of where it comes from, and of columns that come along.
    fn footer(&self) -> Vec<(String, String)> {
        let split = split_footer::footer(&self.plan);
        let of_model = match &split {
            // Rows of several models are not those of the first one.
            Some(models) => vec![(SPLIT_MODELS.to_owned(), models.clone())],
            None => self.plan.model.origin().footer(),
        };
        let own = [
            (RUN_ID, self.plan.run_id.as_str()),
            ("tallow.version", env!("CARGO_PKG_VERSION")),
        ];
        own.into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .chain(of_model)
            .chain(
                self.carried
                    .get_or_init(|| geo::carried(&self.plan.job))
                    .clone(),
            )
            .collect()
    }

    /// Scores the input into the receiver and judges what came of it.
    fn score(
        &self,
        input: Input,
        receiver: &mut dyn Receiver,
        outcomes: &mut Outcomes,
        challengers: Vec<Entry<'_>>,
    ) -> Result<()> {
        let rows_before = outcomes.ledger.total().rows_in;
        let _ = self.is_resumed.set(rows_before > 0);
        self.audience.progressed(Progress::Begun {
            row_count: self.plan.job.row_count(),
            rows_before,
        });
        let scored = pipeline::run(
            &self.plan.job,
            input,
            receiver,
            &self.control,
            outcomes,
            challengers,
            &|rows| self.audience.progressed(Progress::Rows(rows)),
        );
        self.audience.progressed(Progress::Ended);
        scored?;
        self.plan.check_unchanged()?;
        let total = outcomes.ledger.total();
        self.plan.guards.rows(total.rows_in)?;
        let budget = &self.control.budget;
        budget
            .judge(&total)
            .filter(|_| !budget.publishes)
            .map_or(Ok(()), Err)
    }
}
