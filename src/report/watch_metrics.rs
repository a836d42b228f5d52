//! Drift and gates as metrics of Prometheus and as facets of OpenLineage.
//!
//! Owns which facts are passed on, and their names there. It must not know where the text goes.

use serde_json::{Map, Value as Json, json};

use super::drift::SECTION;
use super::facts::{Fact, find, number, of_section};
use super::gates::{GATES, ON_TRIP};
use super::monitoring::INPUTS;
use super::quality;
use crate::monitor::quality::Verdict;

/// (name, help, section, metric) of gauges about the run as a whole.
const WHOLE: [(&str, &str, &str, &str); 4] = [
    (
        "tallow_gates_failed",
        "Gates of the last run that failed.",
        GATES,
        "failed",
    ),
    (
        "tallow_gates_warned",
        "Gates of the last run that do not hold and only warn.",
        GATES,
        "warned",
    ),
    (
        "tallow_gates_undecided",
        "Gates of the last run that could not be decided.",
        GATES,
        "undecided",
    ),
    (
        "tallow_drifted_share",
        "Share of the columns of the last run that have drifted.",
        SECTION,
        "drifted_share",
    ),
];

/// (name, help, section, metric, label) of gauges about columns and gates.
const NAMED: [(&str, &str, &str, &str, &str); 7] = [
    (
        "tallow_gate_value",
        "Value that decided a gate of the last run.",
        GATES,
        "value",
        "gate",
    ),
    (
        "tallow_drift_js",
        "Jensen-Shannon distance of a column from the baseline.",
        SECTION,
        "js",
        "column",
    ),
    (
        "tallow_drift_psi",
        "Population stability index of a column against the baseline.",
        SECTION,
        "psi",
        "column",
    ),
    (
        "tallow_drift_unseen_rate",
        "Share of rows in categories that the baseline does not have.",
        SECTION,
        "unseen_rate",
        "column",
    ),
    (
        "tallow_missing_rate",
        "Share of rows of an input without a value.",
        INPUTS,
        "missing_rate",
        "column",
    ),
    (
        "tallow_rule_compliance",
        "Share of rows of the last run that meet a rule.",
        quality::SECTION,
        "compliance",
        "rule",
    ),
    (
        "tallow_score_mean",
        "Mean of a column of scores.",
        "scores",
        "mean",
        "column",
    ),
];

/// (name, help, section, verdict, label) of gauges that are 1 for a verdict, else 0.
const VERDICTS: [(&str, &str, &str, &str, &str); 2] = [
    (
        "tallow_rule_broken",
        "1 if the data of the last run breaks a rule, else 0.",
        quality::SECTION,
        BROKEN,
        "rule",
    ),
    (
        "tallow_drifted",
        "1 if a column has drifted from the baseline, else 0.",
        SECTION,
        "drift",
        "column",
    ),
];

/// What is said of a rule that the data breaks.
const BROKEN: &str = Verdict::Broken.name();

/// Metrics in the text format; `labels` are those of every sample, `escape` makes a label's value.
#[must_use]
pub fn prometheus(labels: &str, facts: &[Fact], escape: impl Fn(&str) -> String) -> String {
    let mut all = String::new();
    let mut metric = |name: &str, help: &str, samples: &[(String, f64)]| {
        if samples.is_empty() {
            return;
        }
        all.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (further, value) in samples {
            let all_labels = format!("{labels}{further}");
            let all_labels = all_labels.trim_start_matches(',');
            all.push_str(&format!("{name}{{{all_labels}}} {value}\n"));
        }
    };
    for (name, help, section, of) in WHOLE {
        let value = number(facts, section, "", of);
        let samples: Vec<_> = value
            .map(|value| (String::new(), value))
            .into_iter()
            .collect();
        metric(name, help, &samples);
    }
    for (name, help, section, of, label) in NAMED {
        let own = of_section(facts, section).filter(|fact| fact.metric == of);
        let samples: Vec<_> = own
            .filter_map(|fact| {
                let value = fact.as_number()?;
                Some((format!(",{label}=\"{}\"", escape(&fact.subject)), value))
            })
            .collect();
        metric(name, help, &samples);
    }
    let states = || of_section(facts, GATES).filter(|fact| fact.metric == "state");
    let failed: Vec<_> = states()
        .map(|fact| {
            let level = find(facts, GATES, &fact.subject, "level");
            let level = level.and_then(Fact::as_text).unwrap_or_default();
            let is_tripped = matches!(fact.as_text(), Some("fail" | "warn"));
            let further = format!(",gate=\"{}\",level=\"{level}\"", escape(&fact.subject));
            (further, f64::from(u8::from(is_tripped)))
        })
        .collect();
    metric(
        "tallow_gate_tripped",
        "1 if a gate of the last run does not hold, else 0.",
        &failed,
    );
    for (name, help, section, verdict, label) in VERDICTS {
        let own = of_section(facts, section).filter(|fact| fact.metric == "verdict");
        let samples: Vec<_> = own
            .map(|fact| {
                let is_so = fact.as_text() == Some(verdict);
                let further = format!(",{label}=\"{}\"", escape(&fact.subject));
                (further, f64::from(u8::from(is_so)))
            })
            .collect();
        metric(name, help, &samples);
    }
    let mut actions: Vec<&str> = of_section(facts, GATES)
        .filter(|fact| fact.metric == ON_TRIP)
        .filter_map(Fact::as_text)
        .collect();
    actions.sort_unstable();
    actions.dedup();
    let actions: Vec<_> = actions
        .into_iter()
        .map(|action| (format!(",action=\"{}\"", escape(action)), 1.0))
        .collect();
    metric(
        "tallow_on_trip",
        "1 for what the manifest names for the scheduler because a gate tripped.",
        &actions,
    );
    all
}

/// What the run found of its inputs, as the fields of the facet `dataQualityMetrics`; none if it
/// watched nothing.
#[must_use]
pub fn quality(facts: &[Fact], row_count: u64) -> Option<Json> {
    let mut columns: Map<String, Json> = Map::new();
    for fact in of_section(facts, INPUTS).filter(|fact| !fact.subject.is_empty()) {
        let name = match fact.metric.as_str() {
            "null_count" => "nullCount",
            "count" => "count",
            _ => continue,
        };
        let Some(value) = fact.as_number() else {
            continue;
        };
        let column = columns
            .entry(fact.subject.clone())
            .or_insert_with(|| json!({}));
        // Nulls of OpenLineage are all rows without a value.
        let nan = number(facts, INPUTS, &fact.subject, "nan_count");
        let nan = nan.filter(|_| name == "nullCount").unwrap_or(0.0);
        column[name] = ((value + nan) as u64).into();
    }
    (!columns.is_empty()).then(|| json!({"rowCount": row_count, "columnMetrics": columns}))
}

/// What gates and rules say, as the fields of the facet `dataQualityAssertions`; none without them.
#[must_use]
pub fn assertions(facts: &[Fact]) -> Option<Json> {
    let states = of_section(facts, GATES).filter(|fact| fact.metric == "state");
    let gates = states.map(|fact| {
        let state = fact.as_text().unwrap_or_default();
        let mut assertion = json!({
            "assertion": fact.subject,
            "success": state == "ok" || state == "undecided",
        });
        let subject = find(facts, GATES, &fact.subject, "subject").and_then(Fact::as_text);
        if let Some(column) = subject.filter(|subject| is_column(facts, subject)) {
            assertion["column"] = column.into();
        }
        assertion
    });
    let verdicts = of_section(facts, quality::SECTION).filter(|fact| fact.metric == "verdict");
    let rules = verdicts.map(|fact| {
        let is_broken = fact.as_text() == Some(BROKEN);
        json!({"assertion": fact.subject, "success": !is_broken})
    });
    let assertions: Vec<Json> = gates.chain(rules).collect();
    (!assertions.is_empty()).then(|| json!({"assertions": assertions}))
}

/// Whether a fact is about a column, rather than a rule or a challenger.
fn is_column(facts: &[Fact], subject: &str) -> bool {
    let mut of_columns = [INPUTS, SECTION, "scores"]
        .into_iter()
        .flat_map(|section| of_section(facts, section));
    !subject.is_empty() && of_columns.any(|fact| fact.subject == subject)
}
