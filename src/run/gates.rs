//! What a run watched, judged: after the last row, before anything is published.
//!
//! Owns when gates are judged and what becomes of a run of which one failed. What a gate says is
//! [`crate::monitor::judgement`]'s.

use super::Run;
use crate::count::counted;
use crate::error::{Error, Kind, Result};
use crate::monitor::judgement::State;
use crate::monitor::profile::Profile;
use crate::monitor::profiling::RunProfile;
use crate::output::names;
use crate::pipeline::Outcomes;
use crate::plan::monitoring::is_automatic;
use crate::report::monitoring::{Found, Judged, Watched};
use crate::report::run::{Status, facts};
use crate::storage::Location;

/// The most gates that an error names.
const GATES_NAMED: usize = 5;

impl Run<'_> {
    /// Judges a run that read all of its rows, once.
    pub(super) fn found(&self, outcomes: &Outcomes) -> &Found {
        self.found.get_or_init(|| {
            let plan = self.plan();
            let mut found = self
                .watched()
                .map_or_else(Vec::new, |watched| watched.facts(&outcomes.seen));
            let context = self.context_after(self.start.elapsed(), Status::Done, 0);
            let mut all = facts(&plan.job, outcomes, &context);
            all.extend(found.iter().cloned());
            if let Some(history) = &plan.monitor.history {
                let of_history = history.facts(&all);
                all.extend(of_history.iter().cloned());
                found.extend(of_history);
            }
            let inputs = plan.job.arms.inputs();
            let inputs: Vec<String> = inputs.map(|bound| bound.column.clone()).collect();
            let monitor = &plan.monitor;
            let judged = Judged::new(&monitor.gates, &all, &inputs, monitor.is_strict);
            found.extend(judged.facts());
            Found {
                facts: found,
                judged,
            }
        })
    }

    fn watched(&self) -> Option<Watched<'_>> {
        let monitor = &self.plan().monitor;
        let baseline = monitor.baseline.as_ref();
        Some(Watched {
            observer: monitor.observer.as_deref()?,
            baseline: baseline.map(|baseline| (&baseline.profile, &baseline.path)),
            limits: monitor.limits,
            shows_values: monitor.shows_values,
            owners: &monitor.owners,
            history: monitor.history.as_ref().filter(|_| monitor.is_learning),
        })
    }

    /// Warns of gates that do not hold and only warn, and of those that cannot be decided.
    pub(super) fn warn_of_gates(&self, outcomes: &Outcomes) {
        let judged = &self.found(outcomes).judged;
        for one in judged.of(State::Warn) {
            let warning = Error::new(Kind::Gate, format!("a gate does not hold: {one}"));
            self.audience.warn_at_end(warning);
        }
        for one in judged.of(State::Undecided) {
            let is_learning = one.decided_by.as_ref().is_some_and(|by| by.1.is_infinite());
            let gate = &one.planned.gate;
            let (message, hint) = if is_learning {
                let message = format!("a gate cannot be decided yet: `{gate}`");
                (
                    message,
                    "limits are learnt from 14 earlier reports of `--history`",
                )
            } else {
                let message = format!("a gate cannot be decided: {one}");
                (message, "its limit lies between two bounds of the value")
            };
            let hint = format!("{hint}; `--strict-gates` makes that a failure");
            let warning = Error::new(Kind::Gate, message).hint(hint);
            self.audience.warn_at_end(warning);
        }
    }

    /// The failure of a run of which a gate failed.
    pub(super) fn gate_failure(&self, outcomes: &Outcomes) -> Option<Error> {
        let judged = &self.found(outcomes).judged;
        let failed: Vec<String> = judged.of(State::Fail).map(ToString::to_string).collect();
        if failed.is_empty() {
            return None;
        }
        let hidden = failed.len().saturating_sub(GATES_NAMED);
        let more = match hidden {
            0 => String::new(),
            hidden => format!("; and {hidden} more"),
        };
        let publishes = self.plan().monitor.publishes;
        let what = if publishes {
            "the output was published"
        } else {
            "the output was withheld"
        };
        let message = format!(
            "{} of {} failed, {what}: {}{more}",
            failed.len(),
            counted(judged.0.len(), "gate"),
            failed[..failed.len() - hidden].join("; ")
        );
        let error = Error::new(Kind::Gate, message).at_path(&self.target().path);
        let owners = self.owners_of_failed(judged);
        let hint = match (publishes, self.target().is_dataset()) {
            (true, _) => None,
            (false, true) => {
                Some("to publish it as it is, without scoring again: add `--on-gate publish`")
            }
            (false, false) => Some("to publish it as it is: add `--on-gate publish`"),
        };
        let hints: Vec<String> = owners.into_iter().chain(hint.map(str::to_owned)).collect();
        Some(if hints.is_empty() {
            error
        } else {
            error.hint(hints.join("; "))
        })
    }

    fn owners_of_failed(&self, judged: &Judged) -> Option<String> {
        let columns = judged.of(State::Fail);
        let columns = columns.filter_map(|one| Some(one.decided_by.as_ref()?.0.as_str()));
        let mut named: Vec<String> = columns
            .filter_map(|column| {
                let owner = self.plan().monitor.owner(column)?;
                Some(format!("ask {owner} about `{column}`"))
            })
            .collect();
        named.dedup();
        (!named.is_empty()).then(|| named.join(", "))
    }

    /// Whether a gate failed, if the gates were judged.
    pub(super) fn has_failed_gates(&self) -> bool {
        let found = self.found.get();
        found.is_some_and(|found| found.judged.of(State::Fail).next().is_some())
    }

    /// The profile of a run that read all of its rows, if one is to be written.
    pub(super) fn profile<'a>(&self, outcomes: &'a Outcomes) -> Option<&'a Profile> {
        self.plan().monitor.profile.as_ref()?;
        let profile = outcomes.seen.get::<RunProfile>()?;
        Some(&profile.profile)
    }

    /// Where the profile goes; none for one that is a file of the data set.
    pub(super) fn profile_path(&self) -> Option<Location> {
        let path = self.plan().monitor.profile.as_ref()?;
        let target = self.target();
        match (is_automatic(path), target.is_dataset()) {
            (true, true) => None,
            (true, false) => Some(names::profile(&target.path, false)),
            (false, _) => Some(path.clone()),
        }
    }

    /// Checks that the profile does not replace what the run reads or writes.
    pub(super) fn refuse_profile(&self) -> Result<()> {
        let Some(path) = self.profile_path() else {
            return Ok(());
        };
        let target = self.target();
        let files = [
            Some(&target.path),
            target.report.as_ref(),
            target.rejected.as_ref(),
        ];
        let is_taken = files.into_iter().flatten().any(|other| *other == path);
        let is_input = self
            .plan()
            .job
            .dataset
            .files
            .iter()
            .any(|file| file.path == path);
        if is_taken || is_input {
            let error = Error::usage("`--profile` names another file of the run").at_path(&path);
            return Err(error.hint("choose another name"));
        }
        Ok(())
    }
}
