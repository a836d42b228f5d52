//! The verdict on work that is done already: by this run's budget and gates, as if it had done it.
//!
//! Owns that the same command gives the same exit code again. What an earlier run measured comes
//! from its report; where a data set has none, from what its parts hold.

use serde_json::{Map, Value as Json};

use super::Run;
use super::events::Events;
use super::record;
use super::result::{Failure, RunResult};
use crate::error::{Error, Result};
use crate::output::checkpoint::Checkpoint;
use crate::output::manifest::Manifest;
use crate::output::observed::restore;
use crate::package::manifest::OnFail;
use crate::pipeline::Outcomes;
use crate::pipeline::budget::Budget;
use crate::pipeline::part::RowCounts;
use crate::report::facts::{find, text};
use crate::report::gates::{GATES, Judged, ON_TRIP};
use crate::report::quality::{self, Broken};
use crate::report::stored::StoredReport;
use crate::report::{Fact, drift, json};
use crate::storage::Location;

impl Run<'_> {
    /// Ends a run that found nothing to `do` (`do with`, `correct in`) the output; `budget` says
    /// how many of its rows may have been rejected.
    ///
    /// # Errors
    /// The failure that the run which made the output should have ended with, by the budget and the
    /// gates of this one.
    pub(super) fn nothing_to_do(
        &self,
        doing: &str,
        because: &str,
        budget: &Budget,
    ) -> Result<RunResult, Failure> {
        let output = self.target.path.display().to_string();
        self.audience
            .noted(&format!("nothing to {doing} `{output}`: {because}"));
        self.published();
        let judged = self.judge_earlier(&output, budget)?;
        let mut object = judged.as_ref().map(passed_on).unwrap_or_default();
        let code = self.plan.skip_code.unwrap_or(0);
        let named: [(&str, Json); 4] = [
            ("status", "nothing_to_do".into()),
            ("exit_code", code.into()),
            ("run_id", self.plan.run_id.clone().into()),
            ("output", output.into()),
        ];
        object.extend(named.map(|(name, value)| (name.to_owned(), value)));
        Ok(RunResult {
            object,
            code,
            was_idle: true,
        })
    }

    /// Judges what an earlier run published: what the gates say, if there are any.
    fn judge_earlier(&self, output: &str, budget: &Budget) -> Result<Option<Judged>, Failure> {
        let manifest = if self.target.is_dataset() {
            Manifest::find(&self.target.path)?
        } else {
            None
        };
        let run_id = manifest
            .as_ref()
            .map_or(&self.plan.run_id, |one| &one.run_id);
        let last = self.target.last_report()?;
        let stored = last
            .as_ref()
            .and_then(|path| StoredReport::read(path).ok()?.pop());
        let stored = stored.filter(|report| report.run_id == *run_id);
        let facts = stored.map(|report| report.facts);
        let digest = match &manifest {
            Some(manifest) => manifest.baseline_digest.clone(),
            None => last
                .and_then(|path| record::of_report(&path))
                .and_then(|record| record.baseline_digest),
        };
        let other_baseline = self.other_baseline(facts.as_deref(), digest.as_deref());
        let rows = manifest.as_ref().map(|manifest| manifest.ledger);
        let rows = rows.or_else(|| facts.as_deref().map(row_counts));
        if let Some(error) = rows.and_then(|rows| budget.judge(&rows)) {
            let error = error.at_path(&self.target.path);
            let error =
                error.hint("an earlier run published the output; allow more, or correct them");
            return Err(self.failed_before("over_budget", output, Map::new(), error));
        }
        if let Some(rows) = rows {
            let guarded = self.plan.guards.rows(rows.rows_in);
            guarded.map_err(|error| self.failed_before("failed", output, Map::new(), error))?;
        }
        let has_gates = !self.plan.monitor.gates.is_empty();
        if !has_gates {
            self.warn_of_baseline(other_baseline);
            if !self.plan.job.rules.may(OnFail::Fail) {
                return Ok(None);
            }
        }
        // What rules say does not depend on a baseline.
        let other_baseline = other_baseline.filter(|_| has_gates);
        let facts = facts.filter(|_| other_baseline.is_none());
        let said = self.said_before(facts.as_deref(), manifest)?;
        let (judged, broken) = said.ok_or_else(|| self.not_judged(other_baseline))?;
        let warnings = judged.warnings().into_iter();
        warnings.for_each(|warning| self.audience.warn_at_end(warning));
        self.audience.judged(&judged.facts());
        let so = "and an earlier run published the output";
        match self.failure_of(&judged, &broken, so) {
            None => Ok(Some(judged)),
            Some(error) => {
                Err(self.failed_before("gates_failed", output, passed_on(&judged), error))
            }
        }
    }

    /// What gates and rules say of work that is done, by its report or by what its parts hold; none
    /// if neither is there.
    fn said_before(
        &self,
        facts: Option<&[Fact]>,
        manifest: Option<Manifest>,
    ) -> Result<Option<(Judged, Vec<Broken>)>> {
        let of_report = facts.and_then(|facts| {
            Some((
                self.judged_before(facts)?,
                quality::broken(facts, OnFail::Fail),
            ))
        });
        let (None, Some(manifest)) = (&of_report, manifest) else {
            return Ok(of_report);
        };
        let outcomes = self.restored(manifest)?;
        Ok(outcomes.map(|outcomes| {
            let found = self.judge(&outcomes, &[]);
            (found.judged.clone(), found.broken.clone())
        }))
    }

    /// A failure whose object has these sections, and how the run ended.
    fn failed_before(
        &self,
        status: &str,
        output: &str,
        sections: Map<String, Json>,
        error: Error,
    ) -> Failure {
        let mut failure = Failure::from(error);
        failure.object = sections;
        let named = [
            ("status", status),
            ("run_id", self.plan.run_id.as_str()),
            ("output", output),
        ];
        let named = named.map(|(name, text)| (name.to_owned(), text.into()));
        failure.object.extend(named);
        failure
    }

    /// Where this run's baseline lies, if the earlier run did not compare with what it holds now.
    /// Records of earlier versions have no digest: there the path has to do.
    fn other_baseline(&self, facts: Option<&[Fact]>, recorded: Option<&str>) -> Option<&Location> {
        let monitor = &self.plan.monitor;
        let path = &monitor.baseline.as_ref()?.path;
        let is_same = match (recorded, monitor.baseline_digest()) {
            (Some(recorded), Some(own)) => recorded == own,
            _ => facts.is_none_or(|facts| {
                text(facts, drift::SECTION, "baseline") == Some(path.display().to_string().as_str())
            }),
        };
        (!is_same).then_some(path)
    }

    /// Warns that the report of what is there is not about this run's baseline.
    fn warn_of_baseline(&self, other_baseline: Option<&Location>) {
        let Some(path) = other_baseline else {
            return;
        };
        let warning = Error::failed(
            "the output exists already, and its report compares it with another baseline, or with \
             none",
        );
        let hint = format!("{} makes it again, and compares", self.again());
        self.audience.warn_at_end(warning.at_path(path).hint(hint));
    }

    /// The flags that make the output again.
    fn again(&self) -> &'static str {
        if self.target.is_dataset() {
            "`--overwrite --restart`"
        } else {
            "`--overwrite`"
        }
    }

    /// What the gates say of the facts of an earlier run's report; none if it has not all that they
    /// read.
    fn judged_before(&self, facts: &[Fact]) -> Option<Judged> {
        let judged = self.judged_facts(facts);
        let is_settled = judged.0.iter().all(|one| {
            let gate = one.planned.gate.to_string();
            one.decided_by.is_some() || find(facts, GATES, &gate, "state").is_some()
        });
        is_settled.then_some(judged)
    }

    /// What came of the rows of a data set; none if its parts do not hold all that is needed.
    fn restored(&self, manifest: Manifest) -> Result<Option<Outcomes>> {
        let job = &self.plan.job;
        let mut outcomes = Outcomes::new(job);
        let mut checkpoint = Checkpoint::of_finished(&self.target.path, manifest.parts)?;
        for number in checkpoint.parts.keys().copied().collect::<Vec<_>>() {
            self.interrupt().check()?;
            let Some((account, seen)) = restore(job, &mut checkpoint, number)? else {
                return Ok(None);
            };
            outcomes.add(&account, &seen)?;
        }
        Ok(Some(outcomes))
    }

    /// The error of gates about facts that were not measured, perhaps because of another baseline.
    fn not_judged(&self, other_baseline: Option<&Location>) -> Error {
        let error = match other_baseline {
            Some(path) => Error::failed(format!(
                "the output exists already, and was compared with another baseline than `{}` \
                 holds now, or with none: it is unknown whether the gates pass",
                path.display()
            )),
            None => Error::failed(
                "the output exists already, and its run kept no record of what the \
                 gates and rules said",
            ),
        };
        error
            .at_path(&self.target.path)
            .hint(format!("{} scores again, and judges them", self.again()))
    }
}

/// What the JSON object holds of gates: their facts, and what the scheduler should do.
fn passed_on(judged: &Judged) -> Map<String, Json> {
    let mut object = json::sections(&judged.facts());
    let on_trip = judged.on_trip();
    if !on_trip.is_empty() {
        object.insert(ON_TRIP.to_owned(), on_trip.into());
    }
    object
}

fn row_counts(facts: &[Fact]) -> RowCounts {
    let count = |metric: &str| {
        let fact = find(facts, "ledger", "", metric).and_then(Fact::as_number);
        fact.unwrap_or_default() as u64
    };
    RowCounts {
        rows_in: count("rows_in"),
        scored: count("scored"),
        rejected: count("rejected"),
        filtered: count("filtered"),
    }
}
