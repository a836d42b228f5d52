//! Numbers of other tools as facts, and as lines to read.
//!
//! Owns the names of the facts: the tool's word after `evidently_` or `nannyml_`. It must not know
//! how they are computed.

use super::drift::SECTION;
use super::facts::Fact;
use crate::count::counted;
use crate::monitor::compat_table::{Comparison, Reason, Tool};

/// How the names of a tool's facts begin.
const fn prefix(tool: Tool) -> &'static str {
    match tool {
        Tool::Evidently => "evidently",
        Tool::NannyMl => "nannyml",
    }
}

/// The facts of all columns.
#[must_use]
pub fn facts(tool: Tool, columns: &Comparison) -> Vec<Fact> {
    let prefix = prefix(tool);
    let mut facts = Vec::new();
    for column in &columns.compared {
        let name = |metric: &str| format!("{prefix}_{metric}");
        let own =
            |metric: &str, value| Fact::number(SECTION, &column.name, name(metric), value, "");
        if let Some(verdict) = &column.verdict {
            let word = if verdict.is_drifted { "drift" } else { "ok" };
            facts.push(Fact::text(SECTION, &column.name, name("verdict"), word));
            facts.push(Fact::text(
                SECTION,
                &column.name,
                name("method"),
                verdict.method,
            ));
            facts.push(own("score", verdict.score));
            facts.push(own("limit", verdict.limit));
        }
        facts.extend(column.numbers.iter().map(|one| own(one.name, one.value)));
    }
    for (name, reason) in &columns.uncompared {
        let text = |metric: &str, word: &str| {
            Fact::text(SECTION, name, format!("{prefix}_{metric}"), word)
        };
        facts.push(text("verdict", reason.name()));
        if let Reason::OtherKind([baseline, now]) = reason {
            facts.push(text("baseline_kind", baseline.name()));
            facts.push(text("kind", now.name()));
        }
    }
    facts
}

/// The same for users.
#[must_use]
pub fn lines(columns: &Comparison) -> Vec<String> {
    let Comparison {
        compared,
        uncompared,
    } = columns;
    let known = compared.iter().filter_map(|column| column.verdict.as_ref());
    let drifted = known.clone().filter(|verdict| verdict.is_drifted).count();
    let all = counted(compared.len(), "column");
    let others = match uncompared.len() {
        0 => String::new(),
        some => format!(", {some} not compared"),
    };
    let mut lines = vec![if known.count() > 0 {
        format!("{drifted} of {all} drifted{others}")
    } else {
        format!("{all} compared{others}")
    }];
    lines.extend(compared.iter().map(|column| {
        let verdict = column.verdict.as_ref();
        let verdict = verdict.map_or(String::new(), |verdict| {
            let word = if verdict.is_drifted { "drift" } else { "ok" };
            format!("{word:6} by {}  ", verdict.method)
        });
        let numbers = column.numbers.iter();
        let numbers: Vec<String> = numbers
            .map(|one| format!("{} {:.6}", one.name, one.value + 0.0))
            .collect();
        format!("  {:24} {verdict}{}", column.name, numbers.join("  "))
    }));
    lines.extend(uncompared.iter().map(|(name, reason)| {
        let kinds = match reason {
            Reason::OtherKind([before, now]) => {
                format!(": {}, the baseline has {}", now.name(), before.name())
            }
            _ => String::new(),
        };
        format!("  {name:24} {}{kinds}", reason.name().replace('_', " "))
    }));
    lines
}
