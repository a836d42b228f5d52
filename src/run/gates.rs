//! What a run watched, judged: after the last row, before anything is published.
//!
//! Owns when gates and rules are judged and what becomes of a run of which one failed. What a gate
//! says is [`crate::monitor::judgement`]'s.

use super::Run;
use crate::error::{Error, Kind, Result};
use crate::monitor::judgement::State;
use crate::monitor::profile::Profile;
use crate::monitor::profiling::RunProfile;
use crate::output::names;
use crate::package::manifest::OnFail;
use crate::pipeline::Outcomes;
use crate::plan::Plan;
use crate::plan::monitoring::is_automatic;
use crate::plan::target::{refuse_input, refuse_stream, same_target};
use crate::report::Fact;
use crate::report::gates::Judged;
use crate::report::models::{self, Model};
use crate::report::monitoring::{Found, Watched};
use crate::report::quality::{self, Broken};
use crate::report::run::{RunContext, Status, facts};
use crate::storage::Location;
use crate::table::origin::Origin;

/// What was found of rows that were all read; `challengers` scored them too.
pub(super) fn found(
    plan: &Plan,
    outcomes: &Outcomes,
    challengers: &[Model<'_>],
    context: &RunContext,
) -> Found {
    let watched = watched(plan);
    let mut found = watched.map_or_else(Vec::new, |watched| watched.facts(&outcomes.seen));
    found.extend(model_facts(plan, outcomes, challengers));
    let mut all = facts(&plan.job, outcomes, context);
    all.extend(found.iter().cloned());
    if let Some(history) = &plan.monitor.history {
        let of_history = history.facts(&all);
        all.extend(of_history.iter().cloned());
        found.extend(of_history);
    }
    let judged = judged(plan, &all);
    found.extend(judged.facts());
    Found {
        facts: found,
        judged,
        broken: quality::broken(&all, OnFail::Fail),
    }
}

/// What a plan's gates say of facts.
fn judged(plan: &Plan, facts: &[Fact]) -> Judged {
    let inputs = plan.job.arms.inputs();
    let inputs: Vec<String> = inputs.map(|bound| bound.column.clone()).collect();
    let monitor = &plan.monitor;
    Judged::new(&monitor.gates, facts, &inputs, monitor.is_strict)
}

/// The facts of several models, if there are several.
fn model_facts(plan: &Plan, outcomes: &Outcomes, challengers: &[Model<'_>]) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !plan.split.is_empty() {
        let others = plan.split.iter();
        let others = others.map(|arm| (&arm.identity, Some(arm.share)));
        let all: Vec<_> = std::iter::once((&plan.model, None)).chain(others).collect();
        facts.extend(models::split_facts(&plan.job, outcomes, &all));
    }
    if !challengers.is_empty() {
        facts.extend(models::facts(&plan.model, outcomes, challengers));
    }
    facts
}

fn watched(plan: &Plan) -> Option<Watched<'_>> {
    let monitor = &plan.monitor;
    let baseline = monitor.baseline.as_ref();
    Some(Watched {
        observer: monitor.observer.as_deref()?,
        baseline: baseline.map(|baseline| (&baseline.profile, &baseline.path)),
        limits: monitor.limits,
        shows_values: monitor.shows_values,
        owners: &monitor.owners,
        history: monitor.history.as_ref().filter(|_| monitor.is_learning),
        model: &plan.model.digest,
    })
}

impl Run<'_> {
    /// Judges a run that read all of its rows, once; `challengers` are those that scored them too.
    pub(super) fn judge(&self, outcomes: &Outcomes, challengers: &[Model<'_>]) -> &Found {
        self.found.get_or_init(|| {
            let context = self.context_after(self.start.elapsed(), Status::Done, 0);
            found(self.plan(), outcomes, challengers, &context)
        })
    }

    /// What this run's gates say of facts.
    pub(super) fn judged_facts(&self, facts: &[Fact]) -> Judged {
        judged(self.plan(), facts)
    }

    /// Warns of gates that do not hold and only warn, and of those that cannot be decided.
    pub(super) fn warn_of_gates(&self) {
        let found = self.found.get();
        let warnings = found.iter().flat_map(|found| found.judged.warnings());
        warnings.for_each(|warning| self.audience.warn_at_end(warning));
    }

    /// The failure of a run of which a gate or a rule failed.
    pub(super) fn failed_verdict(&self) -> Option<Error> {
        let found = self.found.get()?;
        let publishes = self.plan().monitor.publishes;
        let what = if publishes {
            "the output was published"
        } else {
            "the output was withheld"
        };
        let error = self.failure_of(&found.judged, &found.broken, what)?;
        let keeps = self.target().is_dataset() || self.keeps_withheld();
        Some(match (publishes, keeps) {
            (true, _) => error,
            (false, true) => error.further_hint(
                "to publish it as it is, without scoring again: add `--on-gate publish`",
            ),
            (false, false) => error.further_hint("to publish it as it is: add `--on-gate publish`"),
        })
    }

    /// The failure that gates and rules come to, and `what` became of the output; none if nothing
    /// failed.
    pub(super) fn failure_of(
        &self,
        judged: &Judged,
        broken: &[Broken],
        what: &str,
    ) -> Option<Error> {
        let of_rules = quality::message(broken);
        let error = match (judged.failure(&format!(", {what}")), of_rules) {
            (None, None) => return None,
            (Some(error), None) => error,
            (None, Some(rules)) => Error::new(Kind::Gate, format!("{rules}; {what}")),
            (Some(error), Some(rules)) => {
                Error::new(Kind::Gate, format!("{}; {rules}", error.message()))
            }
        };
        let hints = self.owners_of_failed(judged).into_iter();
        let hints = hints.chain(quality::how_to_see(broken));
        Some(hints.fold(error.at_path(&self.target().path), Error::further_hint))
    }

    /// Whether a single file that a gate withholds can be found by the next run: challengers have
    /// no answers kept, and what comes from a stream or goes to one is gone.
    pub(super) fn keeps_withheld(&self) -> bool {
        let (plan, target) = (self.plan(), self.target());
        let mut inputs = plan.job.dataset.files.iter();
        !target.is_dataset()
            && !target.is_stream()
            && plan.challengers.is_empty()
            && inputs.all(|file| !file.name.is_stream())
    }

    /// Whom to ask about the columns of gates that failed.
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

    /// Whether a gate or a rule failed, if they were judged.
    pub(super) fn has_failed_verdict(&self) -> bool {
        let found = self.found.get();
        found.is_some_and(|found| {
            !found.broken.is_empty() || found.judged.of(State::Fail).next().is_some()
        })
    }

    /// The model whose scores these are; none if several gave them.
    pub(super) fn origin(&self) -> Option<Origin> {
        let plan = self.plan();
        plan.split.is_empty().then(|| plan.model.origin())
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
            (true, false) if target.is_stream() => None,
            (true, false) => Some(names::profile(&target.path, false)),
            (false, _) => Some(path.clone()),
        }
    }

    /// Checks that the profile does not replace what the run reads or writes.
    pub(super) fn refuse_profile(&self) -> Result<()> {
        let target = self.target();
        let requested = self.plan().monitor.profile.as_ref();
        if target.is_stream() && requested.is_some_and(is_automatic) {
            let error = Error::usage("`--profile` has no name next to standard output");
            return Err(error.hint("name the file: `--profile FILE`"));
        }
        let Some(path) = self.profile_path() else {
            return Ok(());
        };
        refuse_stream("--profile", &path)?;
        let files = [
            Some(&target.path),
            target.report.as_ref(),
            target.rejected.as_ref(),
        ];
        let plan = self.plan();
        refuse_input(&path, &plan.model.path, &plan.job.dataset)?;
        let is_taken = files
            .into_iter()
            .flatten()
            .any(|other| same_target(other, &path));
        if is_taken {
            let error = Error::usage("`--profile` names another file of the run").at_path(&path);
            return Err(error.hint("choose another name"));
        }
        Ok(())
    }
}
