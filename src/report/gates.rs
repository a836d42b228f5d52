//! Gates judged over the facts of a report, and the facts of what they say: section `gates`.
//!
//! Owns the one judge of all verbs, the names of these facts, and the errors of gates that do not
//! hold. What one gate means is [`crate::monitor::judgement`]'s.
//!
//! One subject for each gate, named by its expression:
//!
//! | metric | meaning |
//! |---|---|
//! | `state` | text: `ok`, `fail`, `warn`, `undecided` |
//! | `level` | text: `fail`, `warn` |
//! | `value` | the value that decided: of all subjects the worst; absent if there is none |
//! | `limit` | what it is compared with |
//! | `operator` | text: `<`, `<=`, `>`, `>=`, `==`, `!=` |
//! | `metric`, `subject` | texts: of the value that decided |
//! | `tripped` | subjects whose value the gate does not allow |
//! | `on_trip` | text: what the manifest names for the scheduler, where the gate tripped |
//!
//! With an empty subject: `count`, `failed`, `warned`, `undecided`.
//!
//! Facts `NAME_low` and `NAME_high` enclose the exact `NAME` in most sections, and a gate on `NAME`
//! is undecided if its limit lies between them. In evaluations and comparisons they are the ends of
//! a 95 % interval around a value that is exact: the value alone decides, unless gates are strict.

use std::collections::HashSet;

use super::facts::{Fact, Value};
use super::run::Status;
use super::{control, models};
use crate::count::{listed, some_of};
use crate::error::{Error, Kind, Result};
use crate::feature::verdict::{Coercions, Reason};
use crate::monitor::gate::{Gate, Measured};
use crate::monitor::judgement::{Judgement, PlannedGate, State, judge};
use crate::table::spelling::did_you_mean;

/// The section of gates.
pub const GATES: &str = "gates";

/// The metric, and the field of the JSON object, of what the scheduler should do.
pub const ON_TRIP: &str = "on_trip";

/// The status of work that is done and of which a gate failed.
const GATES_FAILED: &str = Status::GatesFailed.name();

/// The most gates that an error names.
const GATES_NAMED: usize = 5;

/// Sections whose `NAME_low` and `NAME_high` are the ends of an interval around an exact value.
const WITH_INTERVALS: [&str; 4] = ["evaluation", "arms", "comparison", "reliability"];

/// Sections that gates do not read: what a report is called, and gates themselves.
const UNREAD: [&str; 2] = ["run", GATES];

/// The ends of facts of history, which are open before there are enough nights.
const OPEN_ENDS: [(&str, [&str; 2]); control::METRICS.len()] = [
    ("zscore", ["zscore_low", "zscore_high"]),
    ("median", ["median_low", "median_high"]),
    ("ewma", ["ewma_low", "ewma_high"]),
    ("page_hinkley", ["page_hinkley_low", "page_hinkley_high"]),
    ("adwin", ["adwin_low", "adwin_high"]),
];

/// Reads gates of a flag.
///
/// # Errors
/// A usage error for a text that is not a gate.
pub fn planned(texts: &[String]) -> Result<Vec<PlannedGate>> {
    texts
        .iter()
        .map(|text| PlannedGate::of_flag(text))
        .collect()
}

/// What all gates of a report say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged(pub Vec<Judgement>);

/// One warning of these gates, in the singular or with their number; none of none.
fn warning(gates: &[impl ToString], [one, several]: [&str; 2]) -> Option<Error> {
    let what = match gates.len() {
        0 => return None,
        1 => one.to_owned(),
        count => format!("{count} {several}"),
    };
    let named = listed(gates.iter().map(ToString::to_string), GATES_NAMED, "; ", "");
    Some(Error::new(Kind::Gate, format!("{what}: {named}")))
}

impl Judged {
    /// Judges the facts of a report. Counts that are zero have no fact; `inputs` are their columns.
    /// Of facts of too few nights anything is possible, so that gates on them are not decided.
    #[must_use]
    pub fn new(gates: &[PlannedGate], facts: &[Fact], inputs: &[String], is_strict: bool) -> Self {
        let judged = gates.iter().map(|planned| {
            let measured = measured(&planned.gate, facts, inputs, is_strict);
            judge(planned, &measured, is_strict)
        });
        Self(judged.collect())
    }

    /// Judges facts that are all there, and adds what the gates say to them.
    ///
    /// # Errors
    /// A usage error for a gate whose fact is not there.
    pub fn of_known(gates: &[PlannedGate], facts: &mut Vec<Fact>, is_strict: bool) -> Result<Self> {
        let judged = Self::new(gates, facts, &[], is_strict);
        if let Some(error) = judged.unknown(facts) {
            return Err(error);
        }
        facts.extend(judged.facts());
        if judged.of(State::Fail).next().is_some() {
            let status = facts.iter_mut().filter(|fact| fact.as_status().is_some());
            status.for_each(|fact| fact.value = Value::Text(GATES_FAILED.to_owned()));
        }
        Ok(judged)
    }

    /// How work ended that is done, and whose gates are judged: the word in reports and objects.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.of(State::Fail).next().is_some() {
            GATES_FAILED
        } else {
            Status::Done.name()
        }
    }

    /// The usage error of the first gate that found no fact among these, if one did not.
    #[must_use]
    pub fn unknown(&self, facts: &[Fact]) -> Option<Error> {
        let unknown = self.0.iter().find(|one| one.decided_by.is_none())?;
        let gate = &unknown.planned.gate;
        let (metric, subject) = (gate.metric(), gate.subject());
        let readable = facts.iter().filter(|fact| is_readable(fact));
        let subjects = readable.clone().filter(|fact| fact.metric == metric);
        let otherwise = "`tallow inspect REPORT` and `--format json` list all facts";
        let (message, hint) = if subjects.clone().next().is_none() {
            let names = readable.map(|fact| fact.metric.as_str());
            (
                "is about a fact that the report does not have",
                did_you_mean(metric, &names, otherwise),
            )
        } else if subject.is_empty() {
            (
                "has no subject",
                format!("write `{metric}(SUBJECT)`, or `{metric}(*)` for every one"),
            )
        } else {
            let names = subjects.map(|fact| fact.subject.as_str());
            let names = names.filter(|name| !name.is_empty());
            let hint = if names.clone().next().is_none() {
                let has = |section: &str| facts.iter().any(|fact| fact.section == section);
                let verb = VERBS_OF_SEGMENTS.iter().find(|(section, _)| has(section));
                let by = verb.and_then(|(_, verb)| segment_flag(subject, verb));
                let by = by.map_or_else(String::new, |by| format!("; {by}"));
                format!("write `{metric}`: there is one value, of the whole{by}")
            } else {
                did_you_mean(subject, &names, otherwise)
            };
            ("is about a subject that the report does not have", hint)
        };
        Some(Error::usage(format!("the gate `{gate}` {message}")).hint(hint))
    }

    /// The gates in this state.
    pub fn of(&self, state: State) -> impl Iterator<Item = &Judgement> {
        self.0.iter().filter(move |one| one.state == state)
    }

    /// The error of gates that failed: how many, `so` what, and which; none if none did.
    #[must_use]
    pub fn failure(&self, so: &str) -> Option<Error> {
        let failed: Vec<&Judgement> = self.of(State::Fail).collect();
        if failed.is_empty() {
            return None;
        }
        let message = format!(
            "{} failed{so}: {}",
            some_of(failed.len(), self.0.len(), "gate"),
            listed(&failed, GATES_NAMED, "; ", "")
        );
        Some(Error::new(Kind::Gate, message))
    }

    /// Warnings of gates that do not hold and only warn, and of those that cannot be decided: one
    /// for each reason, however many gates there are.
    #[must_use]
    pub fn warnings(&self) -> Vec<Error> {
        let is_learning = |one: &&Judgement| {
            let by = one.decided_by.as_ref();
            by.is_some_and(|by| by.1.is_infinite())
        };
        let (learning, open): (Vec<&Judgement>, Vec<&Judgement>) =
            self.of(State::Undecided).partition(is_learning);
        let warned: Vec<&Judgement> = self.of(State::Warn).collect();
        let learning: Vec<String> = learning
            .iter()
            .map(|one| format!("`{}`", one.planned.gate))
            .collect();
        let strict = "`--strict-gates` makes that a failure";
        let warned = warning(&warned, ["a gate does not hold", "gates do not hold"]);
        let learning = warning(
            &learning,
            [
                "a gate cannot be decided yet",
                "gates cannot be decided yet",
            ],
        )
        .map(|warning| {
            let why = "limits are learnt from 14 earlier reports of `--history`";
            warning.hint(format!("{why}; {strict}"))
        });
        let open = warning(
            &open,
            ["a gate cannot be decided", "gates cannot be decided"],
        )
        .map(|warning| {
            let why = "its limit lies between two bounds of the value";
            warning.hint(format!("{why}; {strict}"))
        });
        warned.into_iter().chain(learning).chain(open).collect()
    }

    /// What the scheduler should do because of gates that tripped.
    #[must_use]
    pub fn on_trip(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self
            .0
            .iter()
            .filter(|one| [State::Fail, State::Warn].contains(&one.state))
            .filter_map(|one| one.planned.on_trip.as_deref())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The facts of section `gates`.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let count =
            |metric: &str, count: usize| Fact::count(GATES, "", metric, count as u64, "gates");
        let mut facts = vec![
            count("count", self.0.len()),
            count("failed", self.of(State::Fail).count()),
            count("warned", self.of(State::Warn).count()),
            count("undecided", self.of(State::Undecided).count()),
        ];
        let mut seen = HashSet::new();
        let first = self
            .0
            .iter()
            .filter(|one| seen.insert(one.planned.gate.to_string()));
        facts.extend(first.flat_map(gate_facts));
        facts
    }
}

/// What one gate says.
fn gate_facts(one: &Judgement) -> Vec<Fact> {
    let gate = &one.planned.gate;
    let name = gate.to_string();
    let text = |metric: &str, value: &str| Fact::text(GATES, name.clone(), metric, value);
    let number = |metric: &str, value: f64| Fact::number(GATES, name.clone(), metric, value, "");
    let mut facts = vec![
        text("state", one.state.name()),
        text("level", one.planned.severity.name()),
        text("metric", gate.metric()),
        text("operator", gate.operator()),
        number("limit", gate.limit()),
    ];
    if let Some((subject, value)) = &one.decided_by {
        facts.push(number("value", *value));
        facts.push(text("subject", subject));
    }
    let tripped = one.tripped_count;
    facts.push(Fact::count(GATES, &name, "tripped", tripped, "subjects"));
    let is_tripped = [State::Fail, State::Warn].contains(&one.state);
    if let Some(what) = one.planned.on_trip.as_ref().filter(|_| is_tripped) {
        facts.push(text(ON_TRIP, what));
    }
    facts
}

/// The sections whose facts may be those of segments, each with its verb.
pub const VERBS_OF_SEGMENTS: [(&str, &str); 2] =
    [("evaluation", "evaluate"), ("comparison", "compare")];

/// How a verb gets values of such a segment; none if it is not one.
#[must_use]
pub fn segment_flag(subject: &str, verb: &str) -> Option<String> {
    let columns = match subject {
        "*" => "COLUMN".to_owned(),
        _ => segment_columns(subject)?.join(","),
    };
    Some(format!(
        "`--by {columns}` of `tallow {verb}` adds values of segments"
    ))
}

/// The columns of a segment: `region` of `region=north`.
#[must_use]
pub fn segment_columns(subject: &str) -> Option<Vec<&str>> {
    let parts = subject.split(',').map(|part| part.split_once('='));
    parts.map(|part| Some(part?.0.trim())).collect()
}

fn is_readable(fact: &Fact) -> bool {
    !UNREAD.contains(&&*fact.section) && fact.as_number().is_some()
}

/// What a gate can read of the facts.
fn measured<'a>(
    gate: &'a Gate,
    facts: &'a [Fact],
    inputs: &'a [String],
    is_strict: bool,
) -> Vec<Measured<'a>> {
    let of = |fact: &'a Fact| Some((&*fact.subject, &*fact.metric, fact.as_number()?));
    let is_of_models = |fact: &&Fact| fact.section == models::SECTION;
    let is_value = |fact: &&Fact| {
        is_strict || fact.metric == gate.metric() || !WITH_INTERVALS.contains(&&*fact.section)
    };
    let readable = || {
        facts
            .iter()
            .filter(|fact| is_readable(fact))
            .filter(is_value)
    };
    let others = readable().filter(|fact| !is_of_models(fact));
    let mut measured: Vec<Measured<'_>> = others.filter_map(of).collect();
    let metric = gate.metric();
    let zeros = Coercions::default().named().map(|(metric, _)| metric);
    if zeros.contains(&metric) || Reason::ALL.iter().any(|one| one.code() == metric) {
        // A fact that is there comes first and counts.
        measured.extend(inputs.iter().map(|input| (input.as_str(), metric, 0.0)));
    }
    // Columns come first: `psi(*)` does not mean challengers where there are columns.
    let means_columns = gate.subject() == "*"
        && measured
            .iter()
            .any(|(subject, metric, _)| gate.is_about(subject, metric));
    if !means_columns {
        measured.extend(readable().filter(is_of_models).filter_map(of));
    }
    let of_history = OPEN_ENDS.iter().find(|(name, _)| *name == metric);
    let is_known = |one: &Measured<'_>| gate.is_about(one.0, one.1);
    if let Some((_, [low, high])) = of_history.filter(|_| gate.subject() != "*")
        && !measured.iter().any(is_known)
    {
        measured.push((gate.subject(), low, f64::NEG_INFINITY));
        measured.push((gate.subject(), high, f64::INFINITY));
    }
    measured
}
