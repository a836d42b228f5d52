//! Drift and gates in the summary of a run.
//!
//! Owns which of them are shown, the worst first, and in which words. It must not know how they
//! were found.

use super::control;
use super::drift::SECTION;
use super::facts::{Fact, find, number, of_section, text};
use super::gates::GATES;
use crate::count::{and_more, counted};
use crate::monitor::judgement::shown;

/// The most columns or gates that are listed; the report has them all.
const SHOWN: usize = 5;

/// A label and its text.
type Line = (String, String);

/// What the first line of a summary says of gates: `: all 9 gates passed`.
#[must_use]
pub fn verdict(facts: &[Fact]) -> String {
    let count = |metric: &str| number(facts, GATES, "", metric).unwrap_or(0.0) as u64;
    match (count("count"), count("failed"), count("warned")) {
        (0, ..) => String::new(),
        (1, 0, 0) => ": its gate passed".to_owned(),
        (1, 1, _) => ": its gate failed".to_owned(),
        (all, 0, 0) => format!(": all {all} gates passed"),
        (all, 0, warned) => format!(": {warned} of {} warned", counted(all, "gate")),
        (all, failed, _) => format!(": {failed} of {} failed", counted(all, "gate")),
    }
}

/// Lines about drift and gates, the worst first.
#[must_use]
pub fn lines(facts: &[Fact]) -> Vec<Line> {
    let drift = drift(facts).into_iter();
    drift.chain(gates(facts)).chain(history(facts)).collect()
}

/// Facts that are not as on earlier nights.
fn history(facts: &[Fact]) -> Vec<Line> {
    let verdicts = of_section(facts, control::SECTION).filter(|fact| fact.metric == "verdict");
    let mut bad: Vec<(&str, &str, f64)> = verdicts
        .filter_map(|fact| {
            let verdict = fact.as_text().filter(|verdict| *verdict != "ok")?;
            let zscore = number(facts, control::SECTION, &fact.subject, "zscore")?;
            Some((fact.subject.as_str(), verdict, zscore.abs()))
        })
        .collect();
    bad.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(other.0)));
    let mut labels = std::iter::once("history").chain(std::iter::repeat(""));
    let mut lines: Vec<Line> = bad
        .iter()
        .take(SHOWN)
        .map(|(name, verdict, _)| {
            let own = |metric: &str| {
                number(facts, control::SECTION, name, metric).map_or_else(String::new, shown)
            };
            let text = if *verdict == "beyond" {
                let (low, high) = (own("limit_low"), own("limit_high"));
                format!("`{name}` is {}, beyond {low} to {high}", own("value"))
            } else {
                format!("`{name}` has moved for several nights, to {}", own("ewma"))
            };
            (labels.next().unwrap_or_default().to_owned(), text)
        })
        .collect();
    if bad.len() > SHOWN {
        let more = and_more(bad.len() - SHOWN, "fact");
        lines.push((String::new(), more.trim_start().to_owned()));
    }
    lines
}

/// A column with how far it is from the baseline.
struct Column<'a> {
    name: &'a str,
    verdict: &'a str,
    js: f64,
}

fn drift(facts: &[Fact]) -> Vec<Line> {
    let verdicts = of_section(facts, SECTION).filter(|fact| fact.metric == "verdict");
    let mut columns: Vec<Column<'_>> = verdicts
        .map(|fact| Column {
            name: &fact.subject,
            verdict: fact.as_text().unwrap_or_default(),
            js: number(facts, SECTION, &fact.subject, "js").unwrap_or(-1.0),
        })
        .collect();
    if columns.is_empty() {
        return Vec::new();
    }
    let rank = |verdict: &str| match verdict {
        "drift" => 0,
        "ok" => 3,
        "undecided" => 2,
        _ => 1,
    };
    columns.sort_by(|left, right| {
        rank(left.verdict)
            .cmp(&rank(right.verdict))
            .then(right.js.total_cmp(&left.js))
            .then(left.name.cmp(right.name))
    });
    let with = |verdict: &str| columns.iter().filter(|one| one.verdict == verdict).count();
    let (drifted, undecided) = (with("drift"), with("undecided"));
    let mut summary = format!("{drifted} of {}", counted(columns.len(), "column"));
    if undecided > 0 {
        summary.push_str(&format!(", {undecided} undecided"));
    }
    // What few rows give by chance is not what to look at: it is above its limit, and ok.
    let is_chance = |one: &&Column<'_>| {
        let limit = number(facts, SECTION, one.name, "max_js");
        one.verdict == "ok" && limit.is_some_and(|limit| one.js >= limit)
    };
    let largest = columns
        .iter()
        .filter(|one| !is_chance(one))
        .max_by(|one, other| one.js.total_cmp(&other.js));
    if let Some(largest) = largest.filter(|one| one.js >= 0.0) {
        let limit = number(facts, SECTION, largest.name, "max_js").unwrap_or(0.0);
        summary.push_str(&format!(
            "; largest JS {:.3} (`{}`, limit {limit})",
            largest.js, largest.name
        ));
    }
    let mut lines = vec![("drift".to_owned(), summary)];
    let bad: Vec<&Column<'_>> = columns.iter().filter(|one| one.verdict != "ok").collect();
    for column in bad.iter().take(SHOWN) {
        lines.push((String::new(), column_text(facts, column)));
    }
    if bad.len() > SHOWN {
        let more = and_more(bad.len() - SHOWN, "column");
        lines.push((String::new(), more.trim_start().to_owned()));
    }
    lines
}

fn column_text(facts: &[Fact], column: &Column<'_>) -> String {
    let Column { name, verdict, js } = column;
    let own = |metric: &str| number(facts, SECTION, name, metric);
    let mut parts = vec![format!("`{name}`: {}", verdict.replace('_', " "))];
    if *js >= 0.0 {
        parts.push(format!("JS {js:.3}"));
    }
    if let (Some(low), Some(high)) = (own("ks_low"), own("ks_high")) {
        let is_point = format!("{low:.3}") == format!("{high:.3}");
        parts.push(if is_point {
            format!("KS {low:.3}")
        } else {
            format!("KS {low:.3} to {high:.3}")
        });
    }
    if let (Some(before), Some(now)) = (own("baseline_mean"), own("mean")) {
        parts.push(format!("mean {} (baseline {})", shown(now), shown(before)));
    }
    if let (Some(before), Some(now)) = (own("baseline_missing_rate"), own("missing_rate"))
        && percent(before) != percent(now)
    {
        parts.push(format!("missing {} -> {}", percent(before), percent(now)));
    }
    if let Some(unseen) = own("unseen_rate").filter(|rate| *rate > 0.0) {
        parts.push(format!("new categories in {} of rows", percent(unseen)));
    }
    if let Some(owner) = find(facts, SECTION, name, "owner").and_then(Fact::as_text) {
        parts.push(format!("owner {owner}"));
    }
    parts.join(", ")
}

fn percent(share: f64) -> String {
    let share = 100.0 * share;
    if share == 0.0 || share == 100.0 {
        format!("{share:.0}%")
    } else if share < 0.1 {
        format!("{share:.2}%")
    } else {
        format!("{:.1}%", share.min(99.9))
    }
}

fn gates(facts: &[Fact]) -> Vec<Line> {
    let states = of_section(facts, GATES).filter(|fact| fact.metric == "state");
    let bad: Vec<(&str, &str)> = states
        .filter_map(|fact| Some((fact.subject.as_str(), fact.as_text()?)))
        .filter(|(_, state)| *state != "ok")
        .collect();
    let order = ["fail", "warn", "undecided"];
    let sorted = order
        .iter()
        .flat_map(|state| bad.iter().filter(move |one| one.1 == *state));
    let mut labels = std::iter::once("gates").chain(std::iter::repeat(""));
    let mut lines: Vec<Line> = sorted
        .take(SHOWN)
        .map(|(gate, state)| {
            let value = number(facts, GATES, gate, "value");
            let value = value.map_or("no value".to_owned(), shown);
            let subject = find(facts, GATES, gate, "subject").and_then(Fact::as_text);
            let subject = subject.filter(|_| gate.contains("(*)"));
            let subject = subject.map_or(String::new(), |name| format!(" in `{name}`"));
            let label = labels.next().unwrap_or_default().to_owned();
            (label, format!("{state}: `{gate}` is {value}{subject}"))
        })
        .collect();
    if bad.len() > SHOWN {
        let more = and_more(bad.len() - SHOWN, "gate");
        lines.push((String::new(), more.trim_start().to_owned()));
    }
    lines
}

/// Whether a gate kept the output back.
#[must_use]
pub fn is_withheld_by_gates(facts: &[Fact]) -> bool {
    text(facts, "run", "status") == Some("withheld")
        && number(facts, GATES, "", "failed").is_some_and(|count| count > 0.0)
}
