//! A run as the command line sees it: what was asked for, how it is told, how it ends.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::HumanCount;
use serde_json::{Map, Value as Json};

use super::console::Console;
use super::existing::is_left_behind;
use super::observers::Observers;
use super::{Ending, Failure, scheduler};
use crate::contract::Policy;
use crate::count::counted;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::output::dataset::Layout;
use crate::output::quarantine::Quarantine;
use crate::output::table_writer::TableFormat;
use crate::output::{publication, report};
use crate::package::open::Identity;
use crate::pipeline::part::{RowCounts, Segment};
use crate::pipeline::{self, Control, Destination, Outcomes, verification};
use crate::plan::guard::{Guards, budget};
use crate::plan::target::Target;
use crate::plan::{Plan, effect};
use crate::process;
use crate::report::run::{Circumstances, Status, facts};
use crate::report::stored::StoredReport;
use crate::report::{Fact, json, summary};
use crate::request::Request;
use crate::request::rows::OnBadFile;
use crate::storage::{Lock, PendingFile, find};

/// A run with all that it was told.
pub(super) struct Run<'a> {
    pub(super) request: Request,
    pub(super) target: Target,
    pub(super) plan: Plan,
    pub(super) console: &'a Console,
    observers: &'a Observers<'a>,
    /// The directory that relative paths begin at.
    pub(super) working_directory: PathBuf,
    guards: Guards,
    pub(super) control: Control,
    start: Instant,
    /// How long it took, once it was told: all accounts of a run say the same.
    wall: OnceCell<Duration>,
    started_at: String,
    /// Files of a data set whose manifest cannot be read, which this run was asked to replace.
    pub(super) replaces: BTreeSet<PathBuf>,
    /// Held until the run is over.
    lock: Lock,
}

/// The key, in a Parquet file's footer, of the run's name.
pub(super) const RUN_ID: &str = "tallow.run_id";

/// What a run notes before its results get their names.
fn publication_of(run_id: &str) -> String {
    format!("publishing {run_id}")
}

/// The warning of a run without a row in its output, where none was rejected.
fn no_rows(total: &RowCounts) -> Option<Error> {
    match *total {
        RowCounts { rows_in: 0, .. } => Some(
            Error::failed("the input has no rows, so the output has none")
                .hint("pass `--min-rows 1` to make that an error"),
        ),
        RowCounts {
            scored: 0,
            rejected: 0,
            ..
        } => Some(Error::failed(
            "`--where` kept no row, so the output has none",
        )),
        _ => None,
    }
}

/// What a run wrote, as people are told.
#[derive(Default)]
pub(super) struct Written {
    pub(super) output_bytes: u64,
    pub(super) rejected: Option<String>,
    pub(super) report: Option<String>,
}

impl<'a> Run<'a> {
    /// Takes the output for this run, plans it and asks the guards.
    pub(super) fn begin(
        request: Request,
        console: &'a Console,
        observers: &'a Observers,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let (start, started_at) = (Instant::now(), process::now());
        let target = Target::resolve(&request.output)?;
        effect::refuse_alone(
            &request.output,
            &request.limits,
            &request.telemetry,
            &target,
        )?;
        target.refuse_inside_inputs(&request.work.inputs)?;
        let lock = target.lock(&format!(
            "process {} since {started_at}",
            std::process::id()
        ))?;
        if let Some(previous) = lock.previous_owner() {
            let how = if lock.previous_note().is_some() {
                "while its results got their names"
            } else {
                "without a word"
            };
            console.tell(&format!(
                "took over from a run that ended {how} ({previous})"
            ));
        }
        if target.is_dataset() && target.restart {
            publication::abandon(&target.path)?;
        } else if target.is_dataset() && publication::recover(&target.path)? {
            console.tell("finished the publication that an earlier run had begun");
        }
        let plan = Plan::resolve(&request.work)?;
        target.refuse_inputs(&request.work.model, &plan.job.dataset)?;
        let (guards, doubt) = Guards::resolve(&request.limits, target.last_report()?.as_deref())?;
        doubt.into_iter().for_each(|doubt| observers.warn(doubt));
        let control = Control {
            interrupt: interrupt.clone(),
            budget: budget(&request.limits, plan.job.row_count())?,
        };
        let working_directory = std::env::current_dir().unwrap_or_default();
        let (wall, replaces) = (OnceCell::new(), BTreeSet::new());
        Ok(Self {
            request,
            target,
            plan,
            console,
            observers,
            working_directory,
            guards,
            control,
            start,
            wall,
            started_at,
            replaces,
            lock,
        })
    }

    /// Does the work, once it is known of what; a run that is stopped before its first row leaves a
    /// report too.
    pub(super) fn account_for(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<Ending, Failure>,
    ) -> Result<Ending, Failure> {
        match self
            .prepare()
            .map_err(Failure::from)
            .and_then(|()| work(&mut self))
        {
            Err(Failure {
                error: Some(error),
                object,
                ..
            }) if error.is_signal() && object.is_empty() => {
                Err(self.unfinished(error, &Outcomes::new(&self.plan.job), None))
            }
            ended => ended,
        }
    }

    /// Settles which files are read, names the run by them, tells of it and asks the guards.
    fn prepare(&mut self) -> Result<()> {
        self.interrupt().check()?;
        if self.request.work.rows.on_bad_file == OnBadFile::Skip {
            let unreadable = verification::unreadable(&self.plan.job, self.interrupt())?;
            self.plan.leave_out(unreadable)?;
        }
        let row_count = self.plan.job.row_count();
        self.control.budget = budget(&self.request.limits, row_count)?;
        self.plan.job.rows_per_part = self.target.rows_per_part(&self.plan);
        // A run that died while it gave names may have given some: they are of the same content,
        // and this run may give them again.
        self.target.overwrite |= self
            .lock
            .previous_note()
            .is_some_and(|note| note == publication_of(&self.plan.run_id));
        self.target.overwrite |= is_left_behind(&self.target)?;
        self.refuse_foreign()?;
        self.console.name_run(&self.plan.run_id);
        let may_reject = effect::may_reject(self.plan.job.scoring.encoder().inputs());
        self.plan.warnings.extend(effect::of_rejections(
            Some(&self.request.output),
            &self.request.limits,
            may_reject,
        ));
        self.plan
            .warnings
            .iter()
            .for_each(|warning| self.console.warning(warning));
        self.console
            .binding(self.plan.job.scoring.encoder().inputs());
        self.observers.planned(&self.plan, &self.target);
        self.guards
            .before(&self.plan.job.dataset, row_count, process::seconds_now())
    }

    /// Whether the run was asked to stop.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.control.interrupt
    }

    /// Leaves word that from here on the results get their names.
    pub(super) fn note_publication(&self) -> Result<()> {
        // The last moment at which it can be stopped without a trace; from here on it takes
        // milliseconds.
        self.interrupt().check()?;
        self.plan.check_unchanged()?;
        self.lock.note(&publication_of(&self.plan.run_id))
    }

    /// Ends a run that found nothing to `do` (`do with`, `mend in`) the output.
    pub(super) fn nothing_to_do(&self, doing: &str, because: &str) -> Ending {
        let output = self.target.path.display().to_string();
        self.console
            .tell(&format!("nothing to {doing} `{output}`: {because}"));
        let code = self.request.limits.skip_code.unwrap_or(0);
        let object: [(&str, Json); 4] = [
            ("status", "nothing_to_do".into()),
            ("exit_code", code.into()),
            ("run_id", self.plan.run_id.clone().into()),
            ("output", output.into()),
        ];
        Ending {
            object: object
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
            code,
            was_idle: true,
        }
    }

    /// The report's file. That its name is taken, while the output's is not, is a surprise to
    /// whoever named only the output.
    pub(super) fn open_report(&self) -> Result<Option<PendingFile>> {
        let Target {
            report,
            overwrite,
            is_report_named,
            ..
        } = &self.target;
        let Some(path) = report else { return Ok(None) };
        let created = PendingFile::create(path, *overwrite).map_err(|error| {
            let is_taken = !overwrite
                && find(path).is_ok_and(|found| found.is_some())
                && find(&self.target.path).is_ok_and(|found| found.is_none());
            if *is_report_named || !is_taken {
                return error;
            }
            error.hint(
                "another run's report has the name that this one's would have: name it with \
                 `--report FILE`, or pass `--overwrite` to replace it",
            )
        });
        created.map(Some)
    }

    /// The table of rejected rows; none if they are not wanted or no policy rejects any.
    pub(super) fn quarantine(&self) -> Result<Option<Quarantine>> {
        let mut inputs = self
            .plan
            .job
            .scoring
            .encoder()
            .inputs()
            .map(|bound| &bound.input);
        let may_reject = inputs
            .any(|input| input.on_null == Policy::Reject || input.on_unseen == Policy::Reject);
        let Some(path) = self.target.rejected.as_ref().filter(|_| may_reject) else {
            return Ok(None);
        };
        let quarantine = Quarantine::new(&self.plan.job)?;
        TableFormat::of_name(path)?
            .check(&quarantine.schema())
            .map_err(|error| error.at_path(path))?;
        Ok(Some(quarantine))
    }

    /// How the files of a data set are written.
    pub(super) fn layout(&self) -> Result<Layout> {
        let job = &self.plan.job;
        Ok(Layout {
            directory: self.target.path.clone(),
            format: self.target.format,
            partitioning: self
                .target
                .partitioning(&job.output_schema, job.passthrough.len())?,
            schema: job.output_schema.clone(),
            metadata: self.footer(),
        })
    }

    /// What the output's footer says of where it comes from.
    pub(super) fn footer(&self) -> Vec<(String, String)> {
        let Identity {
            name,
            version,
            digest,
            ..
        } = &self.plan.model;
        let pairs = [
            (RUN_ID, Some(self.plan.run_id.as_str())),
            ("tallow.version", Some(env!("CARGO_PKG_VERSION"))),
            ("tallow.model_name", Some(name.as_str())),
            ("tallow.model_version", version.as_deref()),
            ("tallow.model_digest", Some(digest.as_str())),
        ];
        pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect()
    }

    /// The options as they were given, for a later run that corrects this one.
    pub(super) fn options(&self) -> Result<Json> {
        let options = self.request.to_json();
        options
            .map(Json::Object)
            .map_err(|error| Error::internal("options that have no form as JSON").because(error))
    }

    /// Scores the segments into the destination and judges what came of it.
    pub(super) fn score(
        &self,
        segments: Vec<Segment>,
        destination: &mut dyn Destination,
        outcomes: &mut Outcomes,
    ) -> Result<()> {
        let progress = self.console.progress(self.plan.job.row_count());
        progress.advance(outcomes.ledger.total().rows_in);
        let scored = pipeline::run(
            &self.plan.job,
            segments,
            destination,
            &self.control,
            outcomes,
            &|rows| progress.advance(rows),
        );
        progress.finish();
        scored?;
        self.plan.check_unchanged()?;
        let total = outcomes.ledger.total();
        self.guards.rows(total.rows_in)?;
        let budget = &self.control.budget;
        budget
            .judge(&total)
            .filter(|_| !budget.publishes)
            .map_or(Ok(()), Err)
    }

    /// How a run ends whose rows are all there.
    pub(super) fn final_status(&self, outcomes: &Outcomes) -> Status {
        if self.over_budget(outcomes).is_some() {
            Status::OverBudget
        } else {
            Status::Done
        }
    }

    fn over_budget(&self, outcomes: &Outcomes) -> Option<Error> {
        self.control.budget.judge(&outcomes.ledger.total())
    }

    /// All that the report says.
    pub(super) fn facts(
        &self,
        outcomes: &Outcomes,
        status: Status,
        output_bytes: u64,
    ) -> Vec<Fact> {
        facts(
            &self.plan.job,
            outcomes,
            &self.circumstances(status, output_bytes),
        )
    }

    fn circumstances(&self, status: Status, output_bytes: u64) -> Circumstances {
        Circumstances {
            run_id: self.plan.run_id.clone(),
            invocation_id: self.invocation_id().to_owned(),
            status,
            started_at: self.started_at.clone(),
            wall: *self.wall.get_or_init(|| self.start.elapsed()),
            processor_seconds: process::processor_seconds(),
            peak_memory_bytes: process::peak_memory_bytes(),
            model: self.plan.model.clone(),
            output: self.target.path.display().to_string(),
            output_bytes,
            bad_files: self.plan.bad_files.clone(),
            ignored: self.plan.ignored.clone(),
            scheduler: scheduler::context(),
        }
    }

    /// Tells what was done; a run whose output was published over its budget fails all the same.
    pub(super) fn finish(
        &self,
        outcomes: &Outcomes,
        facts: &[Fact],
        written: &Written,
    ) -> Result<Ending, Failure> {
        self.observers.done(&self.plan, outcomes, facts, written);
        // All that was promised is there; what is older may stay.
        let _ = self.forget_earlier_files();
        let circumstances = self.circumstances(Status::Done, written.output_bytes);
        let files = summary::Files {
            report: written.report.as_deref(),
            rejected: written.rejected.as_deref(),
        };
        let lines = summary::lines(
            &self.plan.job,
            outcomes,
            &circumstances,
            &files,
            self.console.is_verbose(),
        );
        let object = self.object(facts, written);
        self.console.summary(&lines, &object);
        self.warn_of_losses(outcomes, written);
        if let Some(number) = self.interrupt().came() {
            return Err(self.stopped_too_late(number, object));
        }
        if let Some(error) = self.over_budget(outcomes) {
            return Err(Failure {
                object,
                ..error.into()
            });
        }
        Ok(Ending {
            object,
            code: 0,
            was_idle: false,
        })
    }

    /// Warns of an output without a row; and of what the summary would show, where that is hidden.
    fn warn_of_losses(&self, outcomes: &Outcomes, written: &Written) {
        let total = outcomes.ledger.total();
        if let Some(warning) = no_rows(&total) {
            self.observers.warn(warning.at_path(&self.target.path));
        }
        if !self.console.shows_only_warnings() {
            return;
        }
        for file in &self.plan.bad_files {
            self.console.warning(
                &Error::failed(format!("a file was left out: {}", file.reason)).at_path(&file.path),
            );
        }
        if total.rejected > 0 {
            let message = format!(
                "{} of {} were rejected",
                HumanCount(total.rejected),
                counted(total.rows_in, "row")
            );
            let warning = Error::failed(message).at_path(&self.target.path);
            let hint = written
                .rejected
                .as_ref()
                .map(|path| format!("each with its reason, they are in `{path}`"));
            self.console
                .warning(&hint.into_iter().fold(warning, Error::hint));
        }
    }

    /// Ends a run that was told to stop while its results got their names: they have them, and the
    /// same command may give them again.
    fn stopped_too_late(&self, number: u8, object: Map<String, Json>) -> Failure {
        // The next run of the same name may give the names again.
        if !self.target.is_dataset() {
            self.lock.leave_behind();
        }
        let error = Error::new(
            Kind::Signal(number),
            format!("by signal {number}, when the output was being published: it is whole"),
        );
        Failure {
            object,
            ..error
                .at_path(&self.target.path)
                .hint("nothing is left to do; the same command again changes nothing")
                .into()
        }
    }

    /// What this attempt at the run is called.
    pub(super) fn invocation_id(&self) -> &str {
        self.observers.invocation_id()
    }

    fn object(&self, facts: &[Fact], written: &Written) -> Map<String, Json> {
        let mut object = json::sections(facts);
        object.insert("invocation_id".into(), self.invocation_id().into());
        object.insert(
            "status".into(),
            facts
                .iter()
                .find_map(Fact::as_status)
                .unwrap_or_default()
                .into(),
        );
        object.insert("run_id".into(), self.plan.run_id.clone().into());
        object.insert("report".into(), written.report.clone().into());
        object.insert("rejected".into(), written.rejected.clone().into());
        object
    }

    /// Ends a run that did not come to its end. One that was stopped, or withheld its output,
    /// leaves a report of how far it came, which replaces no good one.
    pub(super) fn unfinished(
        &self,
        error: Error,
        outcomes: &Outcomes,
        rejected: Option<String>,
    ) -> Failure {
        let status = match error.kind() {
            Kind::Signal(_) => Status::Interrupted,
            Kind::ErrorBudget => Status::Withheld,
            _ => Status::Failed,
        };
        let facts = self.facts(outcomes, status, 0);
        let is_free = |path: &PathBuf| {
            find(path).is_ok_and(|found| found.is_none()) || StoredReport::read(path).is_ok()
        };
        let path = self
            .target
            .unfinished_report()
            .filter(|path| status != Status::Failed && is_free(path));
        // The run's own failure is the one to tell, not that of its report.
        let report = path
            .filter(|path| report::create(path, &self.plan.run_id, &facts).is_ok())
            .map(|path| path.display().to_string());
        let error = match (&rejected, &report) {
            (Some(path), _) if status == Status::Withheld => error.hint(format!(
                "the rejected rows, each with its reason, are in `{path}`"
            )),
            (_, Some(report)) => {
                let hint = error
                    .hint_text()
                    .map_or_else(String::new, |hint| format!("{hint}; "));
                error.hint(format!("{hint}how far it came is in `{report}`"))
            }
            _ => error,
        };
        let written = Written {
            output_bytes: 0,
            rejected,
            report,
        };
        self.observers.done(&self.plan, outcomes, &facts, &written);
        let object = self.object(&facts, &written);
        Failure {
            object,
            ..error.into()
        }
    }
}
