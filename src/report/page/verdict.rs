//! What is to be said of a night in one sentence, and what to do next.
//!
//! Owns the sentences. Each is made from facts; no advice stands without one. The terminal and the
//! page say the same.

use super::block::State;
use super::evaluation::headline;
use super::gates::rule_state;
use super::night::{Column, Gate, Night};
use super::wording;
use crate::count::{counted, listed, some_of};
use crate::report::number;

/// The most causes that are named.
const CAUSES: usize = 2;

/// The most owners of columns that are named.
const OWNERS: usize = 3;

/// A sentence, the part of it that is trouble, and the next step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What failed; empty on a good night.
    pub trouble: String,
    /// The rest.
    pub text: String,
    /// What to do: a sentence, and a command or nothing.
    pub next: Vec<(String, String)>,
}

/// The verdict on a night.
#[must_use]
pub fn verdict(night: &Night) -> Verdict {
    let gates = night.gates();
    let columns = night.columns();
    let status = night.main().report.status().unwrap_or("done");
    let (trouble, text) = sentence(night, status, &gates, &columns);
    Verdict {
        trouble,
        text,
        next: next(night, status, &gates, &columns),
    }
}

fn sentence(night: &Night, status: &str, gates: &[Gate], columns: &[Column]) -> (String, String) {
    let failed: Vec<&Gate> = gates
        .iter()
        .filter(|gate| gate.state == State::Fail)
        .collect();
    let warned: Vec<&Gate> = gates
        .iter()
        .filter(|gate| gate.state == State::Warn)
        .collect();
    let of_gates = format!("{} failed", some_of(failed.len(), gates.len(), "gate"));
    let of_rules = rules_sentence(&rules_in(night, |state| state == State::Fail));
    let is_run = night.main().has("ledger");
    match status {
        "withheld" if !failed.is_empty() => (
            format!("Output withheld: {of_gates}."),
            with_rules(causes(&failed), of_rules),
        ),
        "withheld" if of_rules.is_some() => {
            ("Output withheld.".to_owned(), of_rules.unwrap_or_default())
        }
        "withheld" => ("Output withheld.".to_owned(), budget(night)),
        "over_budget" => ("Error budget exceeded.".to_owned(), budget(night)),
        "interrupted" => (
            "The run was stopped.".to_owned(),
            "The same command goes on where it stopped.".to_owned(),
        ),
        "failed" => ("The run failed.".to_owned(), String::new()),
        "gates_failed" if !failed.is_empty() && is_run => (
            format!("Output published all the same: {of_gates}."),
            with_rules(causes(&failed), of_rules),
        ),
        "gates_failed" if !failed.is_empty() => {
            let of_gates = of_gates.replacen("the only", "The only", 1);
            (format!("{of_gates}."), causes(&failed))
        }
        "gates_failed" if of_rules.is_some() => (
            "Output published all the same.".to_owned(),
            of_rules.unwrap_or_default(),
        ),
        _ if !failed.is_empty() => (
            format!("Published with failed gates: {of_gates}."),
            causes(&failed),
        ),
        "done" | "gates_failed" if !warned.is_empty() => {
            let count = counted(warned.len(), "warning");
            (
                String::new(),
                format!("Passed with {count}: {}", causes(&warned)),
            )
        }
        "done" => (String::new(), calm(night, gates, columns)),
        other => (
            format!("The run ended as {}.", wording::words(other)),
            String::new(),
        ),
    }
}

/// What made gates trip, at most two causes.
fn causes(gates: &[&Gate]) -> String {
    let one = |gate: &&Gate| {
        let value = gate.value.map_or_else(
            || "unknown".to_owned(),
            |value| wording::value(gate.metric, value),
        );
        match gate.metric {
            "js" | "psi" | "ks_low" | "ks_high" | "wasserstein" => {
                format!("{} drifted ({} {value})", gate.subject, gate.metric)
            }
            "missing_rate" => format!("{} is missing in {value} of rows", gate.subject),
            "unseen_rate" => format!("{} has new categories in {value} of rows", gate.subject),
            _ => format!("{} is {value}", gate.fact()),
        }
    };
    let mut texts: Vec<String> = gates.iter().map(one).collect();
    texts.dedup();
    format!("{}.", listed(texts, CAUSES, " and ", ""))
}

/// What was rejected, and why.
fn budget(night: &Night) -> String {
    let [rejected, all] = ["rejected", "rows_in"].map(|metric| night.number("ledger", metric));
    match (rejected, all) {
        (Some(rejected), Some(all)) if all > 0.0 => format!(
            "{} of {} rows were rejected ({}).",
            number::count(rejected),
            number::count(all),
            number::percent(rejected / all)
        ),
        _ => String::new(),
    }
}

fn calm(night: &Night, gates: &[Gate], columns: &[Column]) -> String {
    let undecided = gates
        .iter()
        .filter(|gate| gate.state == State::Undecided)
        .count();
    let (compared, others): (Vec<&Column>, Vec<&Column>) =
        columns.iter().partition(|column| column.is_compared());
    let drifted: Vec<&str> = compared
        .iter()
        .filter(|column| column.state < State::Undecided)
        .map(|column| column.name)
        .collect();
    let compared = compared.len();
    let mut parts = Vec::new();
    if !gates.is_empty() {
        parts.push(match (gates.len(), undecided) {
            (1, 0) => "The gate passed.".to_owned(),
            (all, 0) => format!("All {all} gates passed."),
            (all, open) => format!("{} of {all} gates passed, {open} undecided.", all - open),
        });
    }
    let broken = rules_in(night, |state| state < State::Undecided);
    parts.extend(rules_sentence(&broken));
    let gone: Vec<&Column> = others.into_iter().filter(|one| one.has_changed).collect();
    if !gone.is_empty() {
        let names = listed(gone.iter().map(|one| one.name), CAUSES, ", ", "column");
        let verb = if gone.len() == 1 { "is" } else { "are" };
        parts.push(format!("{names} {verb} missing or of another type."));
    }
    if compared > 0 {
        let count = drifted.len();
        parts.push(match count {
            0 => format!("None of {} drifted.", counted(compared, "column")),
            _ => format!(
                "{count} of {} drifted: {}.",
                counted(compared, "column"),
                listed(&drifted, CAUSES, ", ", "")
            ),
        });
    }
    if let (Some(sentence), true) = (night.text("comparison", "sentence"), parts.is_empty()) {
        parts.push(format!("{sentence}."));
    }
    if let (Some(report), true) = (night.with("evaluation"), parts.is_empty())
        && let Some(headline) = headline(report)
    {
        let of = headline.best.map_or_else(String::new, |(best, count)| {
            format!("{best} is first of {}: ", counted(count as u64, "arm"))
        });
        parts.push(format!(
            "{of}{} {} over {}.",
            wording::metric_name(headline.metric),
            number::metric(headline.value),
            counted(headline.rows as u64, "row")
        ));
    }
    if let (Some(rejected), Some(scored), true) = (
        night.number("ledger", "rejected"),
        night.number("ledger", "scored"),
        parts.is_empty(),
    ) {
        parts.push(if rejected > 0.0 {
            let rows = counted(rejected as u64, "row");
            let verb = if rejected == 1.0 { "was" } else { "were" };
            format!(
                "{} scored, {rows} {verb} rejected.",
                counted(scored as u64, "row")
            )
        } else {
            format!("{} scored, none rejected.", counted(scored as u64, "row"))
        });
    }
    if parts.is_empty() {
        "The run is done.".to_owned()
    } else {
        parts.join(" ")
    }
}

/// The rules in these states, by name.
fn rules_in<'a>(night: &Night<'a>, holds: impl Fn(State) -> bool) -> Vec<&'a str> {
    let Some(report) = night.with("quality") else {
        return Vec::new();
    };
    let names = report.subjects("quality").into_iter();
    let names = names.map(|(name, _)| *name);
    names
        .filter(|name| holds(rule_state(report, name)))
        .collect()
}

/// That rules do not hold, in a sentence; none of none.
fn rules_sentence(broken: &[&str]) -> Option<String> {
    let (noun, verb) = match broken.len() {
        0 => return None,
        1 => ("rule", "does"),
        _ => ("rules", "do"),
    };
    let names = listed(broken.iter().copied(), CAUSES, ", ", "rule");
    Some(format!("The {noun} {names} {verb} not hold."))
}

/// Causes, and the sentence of rules.
fn with_rules(causes: String, of_rules: Option<String>) -> String {
    let texts = std::iter::once(causes).chain(of_rules);
    texts.collect::<Vec<_>>().join(" ")
}

/// What to do: for columns that changed, rows that were rejected, outputs that were withheld.
fn next(night: &Night, status: &str, gates: &[Gate], columns: &[Column]) -> Vec<(String, String)> {
    let mut next = Vec::new();
    let changed: Vec<&Column> = columns
        .iter()
        .filter(|column| column.state < State::Undecided)
        .collect();
    let mut owners: Vec<Option<&str>> = changed.iter().map(|one| one.text("owner")).collect();
    owners.sort_unstable_by_key(|owner| (owner.is_none(), *owner));
    owners.dedup();
    for owner in owners.into_iter().take(OWNERS) {
        let own = changed
            .iter()
            .filter(|column| column.text("owner") == owner);
        let names = listed(own.map(|column| column.name), 3, ", ", "column");
        let whom = owner.unwrap_or("the owner of the data");
        next.push((
            format!("Ask {whom}: {names} changed since the baseline."),
            String::new(),
        ));
    }
    let is_gated = gates.iter().any(|gate| gate.state == State::Fail)
        || !rules_in(night, |state| state == State::Fail).is_empty();
    if status == "withheld" && is_gated {
        next.push((
            "If the change is real, publish this run; nothing is scored again:".to_owned(),
            "tallow score \u{2026} --on-gate publish".to_owned(),
        ));
    }
    if night
        .number("ledger", "rejected")
        .is_some_and(|rejected| rejected > 0.0)
    {
        next.push((
            "Correct the rejected rows and score them alone:".to_owned(),
            "tallow retry".to_owned(),
        ));
    }
    if status == "interrupted" {
        next.push(("Run the same command again.".to_owned(), String::new()));
    }
    next
}
