//! The end of a run: its facts, its JSON object, and the error that it ends with.
//!
//! Owns what is said of a run that came to its end, and of one that did not. It must not know where
//! results go.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::events::{Account, Events};
use super::result::{Failure, RunResult};
use super::{Run, Written};
use crate::error::{Error, Kind, Result};
use crate::output::report;
use crate::package::manifest::OnFail;
use crate::pipeline::Outcomes;
use crate::pipeline::part::RowCounts;
use crate::process;
use crate::report::gates::ON_TRIP;
use crate::report::quality;
use crate::report::run::{RunContext, Status, facts};
use crate::report::stored::StoredReport;
use crate::report::{Fact, json};
use crate::storage::{Location, find};

impl Run<'_> {
    /// How a run ends whose rows are all there.
    pub(super) fn final_status(&self, outcomes: &Outcomes) -> Status {
        if self.over_budget(outcomes).is_some() {
            Status::OverBudget
        } else if self.has_failed_verdict() {
            Status::GatesFailed
        } else {
            Status::Done
        }
    }

    fn over_budget(&self, outcomes: &Outcomes) -> Option<Error> {
        self.control.budget.judge(&outcomes.ledger.total())
    }

    /// All that the report says. Of a run that did not read all rows nothing was judged.
    pub(super) fn facts(
        &self,
        outcomes: &Outcomes,
        status: Status,
        output_bytes: u64,
    ) -> Vec<Fact> {
        let mut facts = facts(
            &self.plan.job,
            outcomes,
            &self.context(status, output_bytes),
        );
        let found = self.found.get();
        facts.extend(found.iter().flat_map(|found| found.facts.iter().cloned()));
        facts
    }

    fn context(&self, status: Status, output_bytes: u64) -> RunContext {
        let wall = *self.wall.get_or_init(|| self.start.elapsed());
        RunContext {
            cost: self.meter.cost(),
            ..self.context_after(wall, status, output_bytes)
        }
    }

    pub(super) fn context_after(
        &self,
        wall: Duration,
        status: Status,
        output_bytes: u64,
    ) -> RunContext {
        RunContext {
            run_id: self.plan.run_id.clone(),
            invocation_id: self.caller.invocation_id.clone(),
            status,
            started_at: self.started_at.clone(),
            wall,
            processor_seconds: process::processor_seconds(),
            peak_memory_bytes: process::peak_memory_bytes(),
            cost: self.meter.so_far(),
            model: self.plan.model.clone(),
            output: self.target.path.display().to_string(),
            output_bytes,
            bad_files: self.plan.bad_files.clone(),
            ignored: self.plan.ignored.clone(),
            scheduler: self.caller.scheduler.clone(),
        }
    }

    /// Passes on what was done; a run whose output was published over its budget fails all the
    /// same.
    pub(super) fn finish(
        &self,
        outcomes: &Outcomes,
        facts: &[Fact],
        written: &Written,
    ) -> Result<RunResult, Failure> {
        // All that was promised is there; what is older may stay.
        let _ = self.forget_earlier_files();
        if let Some(warning) = no_rows(&outcomes.ledger.total()) {
            self.audience
                .warn_at_end(warning.at_path(&self.target.path));
        }
        if let Some(warning) = quality::warning(&quality::broken(facts, OnFail::Warn)) {
            self.audience.warn_at_end(warning);
        }
        // Rows of an earlier run may hold what these do not.
        if self.is_resumed.get() == Some(&false) {
            let rows_in = outcomes.ledger.total().rows_in;
            let unmet = self.plan.unmet_missing(rows_in).into_iter();
            unmet.for_each(|warning| self.audience.warn_at_end(warning));
        }
        self.warn_of_gates();
        let failure = self.over_budget(outcomes);
        let failure = failure.or_else(|| self.failed_verdict());
        let object = self.object(facts, written);
        self.audience.delivered(&Account {
            plan: &self.plan,
            outcomes,
            facts,
            context: &self.context(Status::Done, written.output_bytes),
            written,
            object: &object,
            is_published: true,
            lines_after: failure.as_ref().map_or(0, Error::line_count),
        })?;
        if let Some(number) = self.interrupt().came() {
            return Err(self.stopped_too_late(number, object));
        }
        self.published();
        if let Some(error) = failure {
            return Err(Failure {
                object,
                ..error.into()
            });
        }
        Ok(RunResult {
            object,
            code: 0,
            was_idle: false,
        })
    }

    /// Ends a run that was asked to stop while its results got their names: they have them, and the
    /// same command may give them again.
    fn stopped_too_late(&self, number: u8, object: Map<String, Json>) -> Failure {
        // The next run of the same name may give the names again, and keeps its versions.
        self.lock.leave_behind();
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

    /// The error of a run that was stopped while it looked whether an output that is there is as it
    /// was written: there is nothing to report of it.
    pub(super) fn stopped_at_output(&self, error: Error) -> Error {
        let Kind::Signal(number) = error.kind() else {
            return error;
        };
        let _ = self.stopped_at_output.set(());
        let message = format!(
            "by signal {number}, while an earlier run's output was looked at: it is as it was"
        );
        Error::new(Kind::Signal(number), message)
            .at_path(&self.target.path)
            .hint("the same command again says whether there is something to do")
    }

    fn object(&self, facts: &[Fact], written: &Written) -> Map<String, Json> {
        let mut object = json::sections(facts);
        object.insert(
            "invocation_id".into(),
            self.caller.invocation_id.clone().into(),
        );
        object.insert(
            "status".into(),
            facts
                .iter()
                .find_map(Fact::as_status)
                .unwrap_or_default()
                .into(),
        );
        if let Some(found) = self.found.get() {
            let on_trip = found.judged.on_trip();
            if !on_trip.is_empty() {
                object.insert(ON_TRIP.into(), on_trip.into());
            }
        }
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
            Kind::Gate if self.has_failed_verdict() => Status::Withheld,
            _ => Status::Failed,
        };
        let facts = self.facts(outcomes, status, 0);
        let is_free = |path: &Location| {
            find(path).is_ok_and(|found| found.is_none()) || StoredReport::read(path).is_ok()
        };
        let path = self
            .target
            .unfinished_report()
            .filter(|path| status != Status::Failed && is_free(path));
        // The run's own failure is the one to report, not that of its report.
        let report = path
            .filter(|path| report::create(path, &self.plan.run_id, &facts).is_ok())
            .map(|path| path.display().to_string());
        let error = match (&rejected, &report) {
            _ if self.has_failed_verdict() => error,
            (Some(path), _) if status == Status::Withheld => error.hint(format!(
                "the rejected rows, each with its reason, are in `{path}`"
            )),
            (_, Some(report)) => error.further_hint(format!("how far it came is in `{report}`")),
            _ => error,
        };
        let written = Written {
            rejected,
            report,
            ..Written::default()
        };
        let object = self.object(&facts, &written);
        let account = Account {
            plan: &self.plan,
            outcomes,
            facts: &facts,
            context: &self.context(status, 0),
            written: &written,
            object: &object,
            is_published: false,
            lines_after: error.line_count(),
        };
        // What a listener cannot write is a warning of the audience's.
        let _ = self.audience.delivered(&account);
        Failure {
            object,
            ..error.into()
        }
    }
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
