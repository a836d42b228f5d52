//! What became of the rules, as facts.

use super::facts::Fact;
use crate::monitor::quality::Finding;
pub use crate::monitor::quality::findings;

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
    facts.extend(
        finding
            .age_seconds
            .map(|age| number("age_seconds", age, "seconds")),
    );
    let examples = finding.examples.iter().enumerate();
    facts.extend(examples.map(|(index, row)| text(&format!("example_{}", index + 1), row)));
    facts
}
