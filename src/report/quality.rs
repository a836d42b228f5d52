//! What became of the rules, as facts, and the error of those that do not hold.
//!
//! Owns the names of these facts. Errors are made from facts, so that the report of an earlier run
//! gives the error of that run.

use super::facts::{Fact, find, of_section};
use crate::count::counted;
use crate::error::{Error, Kind, shell_word};
pub use crate::monitor::quality::findings;
use crate::monitor::quality::{Finding, Verdict};
use crate::package::manifest::OnFail;

/// The section of rules.
pub const SECTION: &str = "quality";

/// The facts of the section `quality`: one subject for each rule.
#[must_use]
pub fn facts(findings: &[Finding]) -> Vec<Fact> {
    findings.iter().flat_map(finding_facts).collect()
}

fn finding_facts(finding: &Finding) -> Vec<Fact> {
    let name = finding.name.as_str();
    let text = |metric: &str, value: &str| Fact::text(SECTION, name, metric, value);
    let number = |metric: &str, value: f64, unit: &'static str| {
        Fact::number(SECTION, name, metric, value, unit)
    };
    let mut facts = vec![
        number("compliance", finding.compliance, ""),
        Fact::count(SECTION, name, "tested_count", finding.tested, "rows"),
        Fact::count(SECTION, name, "failed_count", finding.failed, "rows"),
        number("mostly", finding.mostly, ""),
        text("verdict", finding.verdict.name()),
        text("finding", &finding.text()),
        text("on_fail", finding.on_fail.name()),
        text("expression", &finding.expression),
    ];
    facts.extend(finding.age_seconds.map(|seconds| age(name, seconds)));
    let examples = finding.examples.iter().enumerate();
    facts.extend(examples.map(|(index, row)| text(&format!("example_{}", index + 1), row)));
    facts
}

/// The age of the newest value that a rule about freshness met.
#[must_use]
pub fn age(rule: &str, seconds: f64) -> Fact {
    Fact::number(SECTION, rule, "age_seconds", seconds, "seconds")
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    name: String,
    expression: String,
    /// How many rows do not meet it.
    text: String,
}

/// The rules that do not hold and have this consequence, by the facts of a report.
#[must_use]
pub fn broken(facts: &[Fact], on_fail: OnFail) -> Vec<Broken> {
    let text = |name: &str, metric: &str| find(facts, SECTION, name, metric)?.as_text();
    let rules = of_section(facts, SECTION)
        .filter(|fact| fact.metric == "verdict" && fact.as_text() == Some(Verdict::Broken.name()));
    rules
        .map(|fact| fact.subject.as_str())
        .filter(|name| text(name, "on_fail") == Some(on_fail.name()))
        .map(|name| Broken {
            name: name.to_owned(),
            expression: text(name, "expression").unwrap_or(name).to_owned(),
            text: text(name, "finding").unwrap_or_default().to_owned(),
        })
        .collect()
}

impl Broken {
    /// What does not hold, and of how many rows.
    fn message(&self) -> String {
        format!("the data breaks the rule `{}`: {}", self.name, self.text)
    }
}

/// What is said of rules that do not hold: the first, and how many more there are.
#[must_use]
pub fn message(broken: &[Broken]) -> Option<String> {
    let message = broken.first()?.message();
    Some(match broken.len() - 1 {
        0 => message,
        more => format!("{message}, and {}", counted(more as u64, "more rule")),
    })
}

/// How to see rows that do not meet the first of these rules.
#[must_use]
pub fn how_to_see(broken: &[Broken]) -> Option<String> {
    let expression = shell_word(&broken.first()?.expression);
    Some(format!(
        "`tallow check --scan --rule-examples 5 --rule {expression}` names rows"
    ))
}

/// The error of rules that must hold and do not; none if all hold.
#[must_use]
pub fn failure(broken: &[Broken]) -> Option<Error> {
    let error = Error::new(Kind::Gate, message(broken)?);
    Some(error.hint(how_to_see(broken)?))
}

/// What is to be said of rules that do not hold and stop nothing; none if all hold.
#[must_use]
pub fn warning(broken: &[Broken]) -> Option<Error> {
    let warning = Error::new(Kind::Gate, message(broken)?);
    Some(match broken.len() {
        1 => warning,
        _ => warning.hint("the section `quality` of the report has them all"),
    })
}
