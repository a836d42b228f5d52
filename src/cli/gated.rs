//! Gates of the verbs that compare and evaluate: judged over the facts that they found.
//!
//! Owns the error of a gate that failed. What a gate says is [`crate::monitor::judgement`]'s.

use super::console::Console;
use crate::count::counted;
use crate::error::{Error, Kind, Result};
use crate::monitor::gate::Gate;
use crate::monitor::judgement::{PlannedGate, Severity, State};
use crate::report::Fact;
use crate::report::monitoring::Judged;

/// Reads gates before anything is computed.
///
/// # Errors
/// A usage error for a text that is not a gate.
pub(super) fn parsed(texts: &[String]) -> Result<Vec<PlannedGate>> {
    let gates = texts.iter().map(|text| {
        Ok(PlannedGate {
            gate: Gate::parse(text)?,
            severity: Severity::Fail,
            on_trip: None,
        })
    });
    gates.collect()
}

/// Judges the facts, adds what the gates say to them, and gives the failure, if one failed.
///
/// # Errors
/// A usage error for a gate whose fact is not there.
pub(super) fn judge(
    gates: &[PlannedGate],
    facts: &mut Vec<Fact>,
    is_strict: bool,
    console: &Console,
) -> Result<Option<Error>> {
    let judged = Judged::new(gates, facts, &[], is_strict);
    if let Some(unknown) = judged.0.iter().find(|one| one.decided_by.is_none()) {
        let gate = &unknown.planned.gate;
        let error = Error::usage(format!(
            "the gate `{gate}` is about a fact that was not found"
        ));
        return Err(error.hint("`--format json` shows all facts"));
    }
    facts.extend(judged.facts());
    for one in judged.of(State::Undecided) {
        let warning = Error::new(Kind::Gate, format!("a gate cannot be decided: {one}"));
        console.warning(&warning.hint("`--strict-gates` makes that a failure"));
    }
    let failed: Vec<String> = judged.of(State::Fail).map(ToString::to_string).collect();
    Ok((!failed.is_empty()).then(|| {
        let message = format!(
            "{} of {} failed: {}",
            failed.len(),
            counted(judged.0.len(), "gate"),
            failed.join("; ")
        );
        Error::new(Kind::Gate, message)
    }))
}
