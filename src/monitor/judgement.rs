//! What gates say of the facts of a report.
//!
//! Owns when a gate holds, trips or cannot be decided. Facts `NAME_low` and `NAME_high` of a
//! subject enclose `NAME`: a gate on `NAME` is decided only if the limit is not between them. A
//! gate whose fact is absent trips: nothing shows that it holds. It must not know where facts come
//! from or what happens when a gate trips.

use std::collections::{HashMap, HashSet};

use super::gate::{Gate, Measured};
use crate::error::Result;
use crate::package::manifest::{GateEntry, GateLevel};

/// How bad it is if a gate does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The run fails.
    Fail,
    /// The run warns.
    Warn,
}

impl Severity {
    /// The word in manifests and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
        }
    }
}

/// A gate of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedGate {
    /// The gate.
    pub gate: Gate,
    /// What happens if it does not hold.
    pub severity: Severity,
    /// What the scheduler is told then.
    pub on_trip: Option<String>,
}

impl PlannedGate {
    /// A gate of a flag, which fails.
    ///
    /// # Errors
    /// A usage error for a text that is not a gate.
    pub fn of_flag(text: &str) -> Result<Self> {
        let gate = Gate::parse(text)?;
        gate.check_star()?;
        Ok(Self {
            gate,
            severity: Severity::Fail,
            on_trip: None,
        })
    }

    /// A gate of a package.
    ///
    /// # Errors
    /// A usage error for an expression that is not a gate.
    pub fn of_package(entry: &GateEntry) -> Result<Self> {
        Ok(Self {
            gate: Gate::parse(&entry.expression)?,
            severity: match entry.level {
                GateLevel::Fail => Severity::Fail,
                GateLevel::Warn => Severity::Warn,
            },
            on_trip: entry.on_trip.clone(),
        })
    }
}

/// What a gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Ok,
    /// It does not, and the run fails.
    Fail,
    /// It does not, and the run warns.
    Warn,
    /// The limit lies between what the value is at least and at most.
    Undecided,
}

impl State {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Undecided => "undecided",
        }
    }
}

/// A gate with what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The gate.
    pub planned: PlannedGate,
    /// What it says.
    pub state: State,
    /// The subject and the value that decided, the worst of all; none if there is no such fact.
    pub decided_by: Option<(String, f64)>,
    /// The subjects whose value is not allowed.
    pub tripped_count: u64,
}

impl std::fmt::Display for Judgement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let gate = &self.planned.gate;
        let Some((subject, value)) = &self.decided_by else {
            return write!(f, "`{gate}`: there is no such value");
        };
        write!(f, "`{gate}`: ")?;
        if gate.subject() == "*" {
            write!(f, "`{subject}` has ")?;
        }
        f.write_str(&shown(*value))?;
        let more = self.tripped_count.saturating_sub(1);
        if more > 0 {
            write!(f, ", and {more} more")?;
        }
        Ok(())
    }
}

/// A value in three significant digits, a large one whole.
#[must_use]
pub fn shown(value: f64) -> String {
    if value == 0.0 || !value.is_finite() || value.abs() >= 1e6 || value.fract() == 0.0 {
        return value.to_string();
    }
    let decimals = (2 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    format!("{value:.decimals$}")
}

/// What a gate says of the facts; `is_strict` makes what cannot be decided a trip.
#[must_use]
pub fn judge(planned: &PlannedGate, facts: &[Measured<'_>], is_strict: bool) -> Judgement {
    let gate = &planned.gate;
    let (mut tripped_count, mut undecided_count) = (0, 0);
    let mut worst: Option<(bool, f64, &str, f64)> = None;
    for (subject, low, high) in values(gate, facts) {
        let allowed = gate.allows(low, high);
        tripped_count += u64::from(allowed == Some(false));
        undecided_count += u64::from(allowed.is_none());
        let value = if gate.excess(low) > gate.excess(high) {
            low
        } else {
            high
        };
        let excess = gate.excess(value);
        let is_tripped = allowed == Some(false);
        let is_worse = worst.is_none_or(|(tripped, most, ..)| {
            is_tripped && !tripped || is_tripped == tripped && excess > most
        });
        if is_worse {
            worst = Some((is_tripped, excess, subject, value));
        }
    }
    let trip = match planned.severity {
        Severity::Fail => State::Fail,
        Severity::Warn => State::Warn,
    };
    let state = match (&worst, tripped_count, undecided_count) {
        (None, ..) | (_, 1.., _) => trip,
        (_, _, 1..) if is_strict => trip,
        (_, _, 1..) => State::Undecided,
        _ => State::Ok,
    };
    Judgement {
        planned: planned.clone(),
        state,
        decided_by: worst.map(|(.., subject, value)| (subject.to_owned(), value)),
        tripped_count,
    }
}

/// The subjects that a gate is about, each with what its value is at least and at most.
fn values<'a>(gate: &Gate, facts: &[Measured<'a>]) -> Vec<(&'a str, f64, f64)> {
    let (low_name, high_name) = (
        format!("{}_low", gate.metric()),
        format!("{}_high", gate.metric()),
    );
    let mut ends: HashMap<&str, [Option<f64>; 2]> = HashMap::new();
    for (subject, metric, value) in facts {
        for (end, name) in [&low_name, &high_name].into_iter().enumerate() {
            if metric == name {
                ends.entry(subject).or_default()[end].get_or_insert(*value);
            }
        }
    }
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for &(subject, metric, value) in facts {
        let is_low = metric == low_name;
        let is_meant =
            gate.is_about(subject, metric) || is_low && gate.is_about(subject, gate.metric());
        if !is_meant || !seen.insert(subject) {
            continue;
        }
        let (low, high) = match ends.get(subject) {
            Some([Some(low), Some(high)]) => (*low, *high),
            Some([None, Some(high)]) if !is_low => (value, *high),
            _ => (value, value),
        };
        found.push((subject, low, high));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: [Measured<'static>; 10] = [
        ("age", "ks_low", 0.09),
        ("age", "ks_high", 0.11),
        ("plan", "js", 0.2),
        ("age", "js", 0.05),
        ("", "drifted_share", 0.2),
        ("", "drifted_share_high", 0.4),
        ("income", "missing_rate", 0.1),
        ("income", "missing_rate", 0.1),
        ("mean(probability)", "zscore", 5.0),
        ("", "mcc", f64::NAN),
    ];

    fn judged(text: &str, is_strict: bool) -> (State, String) {
        let planned = PlannedGate::of_flag(text).unwrap();
        let judgement = judge(&planned, &FACTS, is_strict);
        (judgement.state, judgement.to_string())
    }

    #[test]
    fn a_gate_holds_trips_or_cannot_be_decided() {
        for (text, state, words) in [
            ("ks(age) < 0.1", State::Undecided, "0.110"),
            ("ks(age) < 0.2", State::Ok, "0.110"),
            ("ks(age) >= 0.05", State::Ok, "0.0900"),
            ("ks(*) <= 0.05", State::Fail, "`age` has 0.110"),
            ("js(*) < 0.1", State::Fail, "`plan` has 0.200"),
            ("js(*) < 0.01", State::Fail, "`plan` has 0.200, and 1 more"),
            ("drifted_share <= 0.3", State::Undecided, "0.400"),
            ("drifted_share <= 0.1", State::Fail, "0.400"),
            ("missing_rate(income) <= 0.05", State::Fail, "0.100"),
            ("zscore(mean(probability)) <= 4", State::Fail, "5"),
            ("mcc > 0", State::Fail, "NaN"),
            ("psi(age) < 1", State::Fail, "there is no such value"),
        ] {
            let (found, shown) = judged(text, false);
            assert_eq!(found, state, "{text}");
            assert_eq!(shown, format!("`{text}`: {words}"), "{text}");
        }
        assert_eq!(judged("ks(age) < 0.1", true).0, State::Fail);
        assert_eq!(judged("ks(age) < 0.2", true).0, State::Ok);
    }
}
