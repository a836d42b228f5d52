//! Drift and gates in the summary of a run.
//!
//! Owns which of them are shown, the worst first, and in which words. It must not know how they
//! were found.

use super::control;
use super::drift::{SECTION, severity};
use super::facts::{Fact, find, number, of_section, text};
use super::gates::GATES;
use super::renderer::Detail;
use super::weight::{Line, Weight};
use super::{moment, quality};
use crate::count::{and_more, counted};
use crate::monitor::judgement::shown;
use crate::monitor::profile::Kind;
use crate::package::manifest::OnFail;

/// The most columns or gates that are listed where lines are not counted; the report has them all.
const SHOWN: usize = 5;

/// A line with how much it matters.
type Weighed = (Weight, Line);

/// What the first line of a summary says of gates and of rules that must hold: `: all 9 gates
/// passed`.
#[must_use]
pub fn verdict(facts: &[Fact]) -> String {
    let broken = quality::broken(facts, OnFail::Fail).len();
    let of_rules = match broken {
        0 => None,
        1 => Some("a rule does not hold".to_owned()),
        _ => Some(format!("{} do not hold", counted(broken, "rule"))),
    };
    let withheld = is_withheld(facts).then(|| "output withheld".to_owned());
    let parts = [of_gates(facts), of_rules, withheld];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!(": {}", parts.join(", "))
    }
}

/// What became of the gates, if there are some.
fn of_gates(facts: &[Fact]) -> Option<String> {
    let count = |metric: &str| number(facts, GATES, "", metric).unwrap_or(0.0) as u64;
    let undecided = count("undecided");
    Some(match (count("count"), count("failed"), count("warned")) {
        (0, ..) => return None,
        (1, 0, 0) if undecided > 0 => "its gate is undecided".to_owned(),
        (all, 0, 0) if undecided > 0 => {
            format!("{undecided} of {} undecided", counted(all, "gate"))
        }
        (1, 0, 0) => "its gate passed".to_owned(),
        (1, 1, _) => "its gate failed".to_owned(),
        (all, 0, 0) => format!("all {all} gates passed"),
        (all, 0, warned) => format!("{warned} of {} warned", counted(all, "gate")),
        (all, failed, _) => format!("{failed} of {} failed", counted(all, "gate")),
    })
}

/// Whether gates or rules that fail make the run a failure.
pub(super) fn has_failed(facts: &[Fact]) -> bool {
    let failed = number(facts, GATES, "", "failed").unwrap_or(0.0);
    failed > 0.0 || !quality::broken(facts, OnFail::Fail).is_empty()
}

/// Lines about drift, gates and history, the worst first; a summary has no limit of its own.
pub(super) fn lines(facts: &[Fact], detail: Detail) -> Vec<Weighed> {
    let max = match detail {
        Detail::Summary => usize::MAX,
        Detail::Verbose | Detail::All => SHOWN,
    };
    // A summary is followed by an error and warnings, which name the gates.
    let gates = match detail {
        Detail::Summary => Vec::new(),
        Detail::Verbose | Detail::All => gates(facts),
    };
    let drift = drift(facts, max).into_iter();
    drift.chain(gates).chain(history(facts, max)).collect()
}

/// How many lines follow a summary: the error with its hint, and warnings.
pub(super) fn lines_after(facts: &[Fact]) -> usize {
    let states = || of_section(facts, GATES).filter(|fact| fact.metric == "state");
    let has = |state: &str| states().any(|fact| fact.as_text() == Some(state));
    let two = |is_there: bool| if is_there { 2 } else { 0 };
    let is_withheld = is_withheld(facts);
    let gates = usize::from(has("warn")) + two(has("undecided"));
    // Rules that only warn are for outputs that are published; several have a hint.
    let rules = if is_withheld {
        0
    } else {
        quality::broken(facts, OnFail::Warn).len().min(2)
    };
    two(has("fail") || has_failed(facts)) + gates + rules
}

/// Facts that are not as on earlier nights.
fn history(facts: &[Fact], max: usize) -> Vec<Weighed> {
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
    let mut lines: Vec<Weighed> = bad
        .iter()
        .take(max)
        .map(|(name, verdict, _)| {
            let own = |metric: &str| {
                number(facts, control::SECTION, name, metric).map_or_else(String::new, shown)
            };
            let limit = |metric: &str| number(facts, control::SECTION, name, metric);
            let limits = limit("limit_low").zip(limit("limit_high"));
            let has_varied = control::has_varied(limits);
            let text = if *verdict == "beyond" && !has_varied {
                format!(
                    "`{name}` is {}, always {} before",
                    own("value"),
                    own("median")
                )
            } else if *verdict == "beyond" {
                let (low, high) = (own("limit_low"), own("limit_high"));
                format!("`{name}` is {}, beyond {low} to {high}", own("value"))
            } else {
                format!("`{name}` has moved for several nights, to {}", own("ewma"))
            };
            let label = labels.next().unwrap_or_default().to_owned();
            (Weight::Change, (label, text))
        })
        .collect();
    lines.extend(more(bad.len(), max, "fact"));
    lines
}

/// A column with how far it is from the baseline.
struct Column<'a> {
    name: &'a str,
    verdict: &'a str,
    js: f64,
    severity: f64,
}

fn drift(facts: &[Fact], max: usize) -> Vec<Weighed> {
    let verdicts = of_section(facts, SECTION).filter(|fact| fact.metric == "verdict");
    let mut columns: Vec<Column<'_>> = verdicts
        .map(|fact| Column {
            name: &fact.subject,
            verdict: fact.as_text().unwrap_or_default(),
            js: number(facts, SECTION, &fact.subject, "js").unwrap_or(-1.0),
            severity: severity(|metric| number(facts, SECTION, &fact.subject, metric)),
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
            .then(right.severity.total_cmp(&left.severity))
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
    let by_chance = columns.iter().filter(is_chance).count();
    let largest = columns
        .iter()
        .filter(|one| !is_chance(one))
        .max_by(|one, other| one.js.total_cmp(&other.js));
    if let Some(largest) = largest.filter(|one| one.js >= 0.0) {
        let others = match by_chance {
            0 => String::new(),
            1 => " apart from 1 column that differs by chance".to_owned(),
            count => format!(" apart from {count} columns that differ by chance"),
        };
        let limit = number(facts, SECTION, largest.name, "max_js").unwrap_or(0.0);
        summary.push_str(&format!(
            "; largest JS {:.3} (`{}`, limit {}){others}",
            largest.js,
            largest.name,
            shown(limit)
        ));
    }
    let mut lines = vec![(Weight::Broken, ("drift".to_owned(), summary))];
    let bad: Vec<&Column<'_>> = columns.iter().filter(|one| one.verdict != "ok").collect();
    lines.extend(bad.iter().take(max).enumerate().map(|(index, column)| {
        let weight = match (column.verdict, index) {
            ("undecided", _) => Weight::Note,
            (_, 0) => Weight::Broken,
            _ => Weight::Change,
        };
        (weight, (String::new(), column_text(facts, column)))
    }));
    lines.extend(more(bad.len(), max, "column"));
    lines
}

/// How many are not listed.
fn more(count: usize, max: usize, noun: &str) -> Option<Weighed> {
    let hidden = count.saturating_sub(max);
    let text = and_more(hidden, noun).trim_start().to_owned();
    (hidden > 0).then_some((Weight::Note, (String::new(), text)))
}

fn column_text(facts: &[Fact], column: &Column<'_>) -> String {
    let Column {
        name, verdict, js, ..
    } = column;
    let own = |metric: &str| number(facts, SECTION, name, metric);
    let mut parts = vec![format!("`{name}`: {}", verdict.replace('_', " "))];
    if *js >= 0.0 {
        parts.push(match own("js_high") {
            Some(high) => format!("JS {js:.3} to {high:.3}"),
            None => format!("JS {js:.3}"),
        });
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
        let kind = find(facts, SECTION, name, "kind").and_then(Fact::as_text);
        let kind = kind.and_then(Kind::time_of_name);
        let [now, before] = [now, before].map(|mean| moment::or_number(kind, mean, shown));
        parts.push(format!("mean {now} (baseline {before})"));
    }
    if let (Some(before), Some(now)) = (own("baseline_missing_rate"), own("missing_rate"))
        && percent(before) != percent(now)
    {
        parts.push(format!("missing {} -> {}", percent(before), percent(now)));
    }
    match (own("unseen_rate"), own("unseen_rate_high")) {
        (Some(low), Some(high)) => parts.push(format!(
            "new categories in {} to {} of rows",
            percent(low),
            percent(high)
        )),
        (Some(rate), None) if rate > 0.0 => {
            parts.push(format!("new categories in {} of rows", percent(rate)));
        }
        _ => {}
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

fn gates(facts: &[Fact]) -> Vec<Weighed> {
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
    let mut lines: Vec<Weighed> = sorted
        .take(SHOWN)
        .map(|(gate, state)| {
            let value = number(facts, GATES, gate, "value");
            let value = value.map_or("no value".to_owned(), shown);
            let subject = find(facts, GATES, gate, "subject").and_then(Fact::as_text);
            let subject = subject.filter(|_| gate.contains("(*)"));
            let subject = subject.map_or(String::new(), |name| format!(" in `{name}`"));
            let label = labels.next().unwrap_or_default().to_owned();
            let text = format!("{state}: `{gate}` is {value}{subject}");
            (Weight::Change, (label, text))
        })
        .collect();
    lines.extend(more(bad.len(), SHOWN, "gate"));
    lines
}

/// Whether a gate or a rule kept the output back.
#[must_use]
pub fn is_withheld(facts: &[Fact]) -> bool {
    text(facts, "run", "status") == Some("withheld") && has_failed(facts)
}
