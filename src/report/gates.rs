//! Gates as facts: what was asked of a report, and whether it holds.
//!
//! Owns who fills the section `gates` of reports that no run of a model makes. What a gate means is
//! [`crate::monitor::gate`]'s.

use super::facts::{Fact, Value};
use super::monitoring::GATES;
use crate::count::counted;
use crate::error::{Error, Kind, Result};
use crate::monitor::gate::{Gate, Trip};

/// Reads the gates of a flag.
///
/// # Errors
/// A usage error for a text that is not a gate.
pub fn parse(texts: &[String]) -> Result<Vec<Gate>> {
    texts.iter().map(|text| Gate::parse(text)).collect()
}

/// Adds what became of each gate to the facts that it is about. Returns the values that no gate
/// allows.
///
/// # Errors
/// A usage error for a gate about a fact that is not there.
pub fn judge(gates: &[Gate], facts: &mut Vec<Fact>) -> Result<Vec<Trip>> {
    let mut judged = Vec::new();
    let mut tripped = Vec::new();
    for gate in gates {
        let measured = facts
            .iter()
            .filter_map(|fact| Some((&*fact.subject, &*fact.metric, fact.as_number()?)));
        let trips = gate.check(measured)?;
        let (text, count) = (gate.to_string(), trips.len() as u64);
        let state = if trips.is_empty() { "ok" } else { "fail" };
        judged.push(Fact::text(GATES, &text, "state", state));
        judged.push(Fact::text(GATES, &text, "level", "fail"));
        judged.push(Fact::count(GATES, &text, "tripped", count, "subjects"));
        tripped.extend(trips);
    }
    if !gates.is_empty() {
        let failed = judged.iter().filter(|fact| match &fact.value {
            Value::Text(state) => fact.metric == "state" && state == "fail",
            Value::Number(_) => false,
        });
        let failed = failed.count() as u64;
        judged.push(Fact::count(GATES, "", "count", gates.len() as u64, ""));
        judged.push(Fact::count(GATES, "", "failed", failed, ""));
    }
    facts.extend(judged);
    Ok(tripped)
}

/// The error of gates that tripped; none for none.
#[must_use]
pub fn error(tripped: &[Trip]) -> Option<Error> {
    let first = tripped.first()?;
    let more = match tripped.len() {
        1 => String::new(),
        count => format!(", and {}", counted(count - 1, "more value")),
    };
    Some(Error::new(Kind::Gate, format!("{first}{more}")))
}
