//! Facts of earlier reports, and what they say of today's.
//!
//! Owns which facts are followed from night to night, and the section `history`: one subject for
//! each followed fact, written as in a gate, such as `mean(probability)`. It must not know how
//! limits are computed.
//!
//! | metric | meaning |
//! |---|---|
//! | `zscore` | how far today's value is from the median to the side that is trouble |
//! | `value`, `median`, `limit_low`, `limit_high` | today's value and its control limits |
//! | `ewma`, `ewma_limit_low`, `ewma_limit_high` | the weighted mean of the nights, its limits |
//! | `page_hinkley`, `adwin` | 1 if there was a lasting change, else 0 |
//! | `nights` | reports that the limits were learnt from |
//! | `verdict` | text: `ok`, `beyond` its limits on the side that is trouble, `shift` |
//!
//! `zscore` is in scaled median absolute deviations. Both sides are trouble for means and counts of
//! rows, whose distance has no sign; of missing values only more, of areas under curves only less.
//! With an empty subject: `reports`, those that were read.

use std::collections::{HashMap, HashSet};

use super::facts::Fact;
use super::stored::StoredReport;
use crate::error::Result;
use crate::monitor::control::Side;
use crate::monitor::history::Control;
use crate::storage::{Location, find};
use crate::table::location::resolve_present;

/// The section of history.
pub const SECTION: &str = "history";

/// The metrics of a followed fact that gates can read.
pub const METRICS: [&str; 5] = ["zscore", "median", "ewma", "page_hinkley", "adwin"];

/// (section, metrics) of facts that are followed, each with the side that is trouble: fewer missing
/// values than ever are none.
const FOLLOWED: [(&str, &[(&str, Side)]); 5] = [
    (
        "ledger",
        &[
            ("rows_in", Side::Both),
            ("scored", Side::Both),
            ("rejected", Side::High),
            ("filtered", Side::Both),
        ],
    ),
    (
        "scores",
        &[
            ("mean", Side::Both),
            ("standard_deviation", Side::Both),
            ("null_count", Side::High),
            ("nan_count", Side::High),
        ],
    ),
    (
        "inputs",
        &[
            ("mean", Side::Both),
            ("standard_deviation", Side::Both),
            ("missing_rate", Side::High),
        ],
    ),
    (
        "drift",
        &[
            ("js", Side::High),
            ("psi", Side::High),
            ("unseen_rate", Side::High),
            ("drifted_share", Side::High),
        ],
    ),
    (
        "evaluation",
        &[
            ("roc_auc", Side::Low),
            ("log_loss", Side::High),
            ("accuracy", Side::Low),
            ("rmse", Side::High),
        ],
    ),
];

/// Distances of section `drift` that alarm only if they are more than chance.
const DISTANCES: [&str; 2] = ["js", "psi"];

/// Limits that are so close are of a fact that was the same on every night.
const NO_WIDTH: f64 = 1e-9;

/// Whether a fact with these limits has ever changed.
#[must_use]
pub fn has_varied(limits: Option<(f64, f64)>) -> bool {
    limits.is_none_or(|(low, high)| high - low > NO_WIDTH)
}

/// Runs whose facts are learnt from: those that were published without complaint.
const GOOD: [&str; 1] = ["done"];

/// Values of a fact, with the time of each run and the model that scored.
type Series = Vec<(String, Option<String>, f64)>;

/// Facts of earlier nights, by their names in gates.
#[derive(Clone, Debug, Default)]
pub struct History {
    series: HashMap<String, Series>,
    report_count: usize,
}

/// Whether a fact is about scores, and starts anew with another model; `scores` are the columns of
/// them.
fn is_of_model(fact: &Fact, scores: &HashSet<&str>) -> bool {
    match &*fact.section {
        "scores" | "evaluation" => true,
        super::drift::SECTION => scores.contains(fact.subject.as_str()),
        _ => false,
    }
}

/// The columns of scores that a report has facts of.
fn score_columns(facts: &[Fact]) -> HashSet<&str> {
    let scores = super::facts::of_section(facts, "scores");
    scores.map(|fact| fact.subject.as_str()).collect()
}

/// Whether a metric of this section is followed.
#[must_use]
pub fn follows(section: &str, metric: &str) -> bool {
    side(section, metric).is_some()
}

/// The side of a followed fact that is trouble; none of others.
fn side(section: &str, metric: &str) -> Option<Side> {
    let (_, metrics) = FOLLOWED.iter().find(|(own, _)| *own == section)?;
    let found = metrics.iter().find(|(own, _)| *own == metric);
    found.map(|(_, side)| *side)
}

/// A fact's name in a gate.
#[must_use]
pub fn name(subject: &str, metric: &str) -> String {
    if subject.is_empty() {
        metric.to_owned()
    } else {
        format!("{metric}({subject})")
    }
}

fn is_followed(fact: &Fact) -> bool {
    follows(&fact.section, &fact.metric)
}

fn model_of(facts: &[Fact]) -> Option<String> {
    super::facts::text(facts, "model", "digest").map(str::to_owned)
}

impl History {
    /// Reads the reports in a directory, or of a pattern; files that are no reports are passed
    /// over in a directory.
    ///
    /// # Errors
    /// Fails if a file that was named cannot be read.
    pub fn read(path: &Location) -> Result<Self> {
        let mut history = Self::default();
        let is_directory = find(path)?.is_some_and(|found| found.is_directory);
        for file in resolve_present(path)? {
            match StoredReport::read(&file) {
                Err(_) if is_directory => {}
                reports => reports?.iter().for_each(|report| history.add(report)),
            }
        }
        for series in history.series.values_mut() {
            series.sort_by(|one, other| one.0.cmp(&other.0));
        }
        Ok(history)
    }

    /// How many runs are learnt from.
    #[must_use]
    pub fn report_count(&self) -> usize {
        self.report_count
    }

    fn add(&mut self, report: &StoredReport) {
        if !report.status().is_some_and(|status| GOOD.contains(&status)) {
            return;
        }
        self.report_count += 1;
        let time = report.text("run", "started_at").unwrap_or_default();
        let model = model_of(&report.facts);
        let scores = score_columns(&report.facts);
        let mut seen = HashSet::new();
        for fact in report.facts.iter().filter(|fact| is_followed(fact)) {
            let Some(value) = fact.as_number() else {
                continue;
            };
            let model = model.clone().filter(|_| is_of_model(fact, &scores));
            // `mean` of an input and of a score have one name only if they are one column.
            let own = name(&fact.subject, &fact.metric);
            if seen.insert(own.clone()) {
                let series = self.series.entry(own).or_default();
                series.push((time.to_owned(), model, value));
            }
        }
    }

    /// The limit of a fact that earlier nights teach, those of this model where it is about scores;
    /// none from too few.
    #[must_use]
    pub fn learnt(&self, subject: &str, metric: &str, model: &str) -> Option<f64> {
        let series = self.series.get(&name(subject, metric))?;
        let own = |of: &Option<String>| of.as_deref().is_none_or(|of| of == model);
        let known: Vec<f64> = series
            .iter()
            .filter(|(_, of, _)| own(of))
            .map(|(.., value)| *value)
            .collect();
        let control = Control::new(&known, *known.last()?)?;
        Some(control.limits()[1])
    }

    /// What earlier nights say of today's facts.
    #[must_use]
    pub fn facts(&self, today: &[Fact]) -> Vec<Fact> {
        let count = self.report_count as u64;
        let mut facts = vec![Fact::count(SECTION, "", "reports", count, "reports")];
        let model = model_of(today);
        let mut seen = HashSet::new();
        for fact in today {
            let Some(side) = side(&fact.section, &fact.metric) else {
                continue;
            };
            let own = name(&fact.subject, &fact.metric);
            let (Some(value), Some(series)) = (fact.as_number(), self.series.get(&own)) else {
                continue;
            };
            let known: Vec<f64> = series
                .iter()
                .filter(|(_, of, _)| of.is_none() || *of == model)
                .map(|(.., value)| *value)
                .collect();
            if !seen.insert(own.clone()) {
                continue;
            }
            if let Some(control) = Control::new(&known, value) {
                let is_chance = fact.section == super::drift::SECTION
                    && DISTANCES.contains(&fact.metric.as_str())
                    && super::drift::is_chance(today, &fact.subject);
                facts.extend(control_facts(&own, value, &control, side, is_chance));
            }
        }
        facts
    }
}

fn control_facts(
    name: &str,
    value: f64,
    control: &Control,
    side: Side,
    is_chance: bool,
) -> Vec<Fact> {
    let verdict = if is_chance {
        "ok"
    } else if control.is_beyond(side) {
        "beyond"
    } else if control.has_shifted(side) {
        "shift"
    } else {
        "ok"
    };
    let [low, high] = control.limits();
    // What only grows worse is never below 0.
    let low = if side == Side::High {
        low.max(0.0)
    } else {
        low
    };
    let [ewma_low, ewma_high] = control.ewma_limits;
    let numbers = [
        ("zscore", side.distance(control.zscore)),
        ("value", value),
        ("median", control.median),
        ("limit_low", low),
        ("limit_high", high),
        ("ewma", control.ewma),
        ("ewma_limit_low", ewma_low),
        ("ewma_limit_high", ewma_high),
        ("page_hinkley", f64::from(u8::from(control.page_hinkley))),
        ("adwin", f64::from(u8::from(control.adwin.is_some()))),
        ("nights", control.nights as f64),
    ];
    let numbers = numbers
        .into_iter()
        .map(|(metric, value)| Fact::number(SECTION, name, metric, value, ""));
    std::iter::once(Fact::text(SECTION, name, "verdict", verdict))
        .chain(numbers)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_of_scores_start_anew_with_another_model() {
        let report = |night: u32, model: &str| StoredReport {
            facts: vec![
                Fact::text("run", "", "status", "done"),
                Fact::text(
                    "run",
                    "",
                    "started_at",
                    format!("2026-11-{night:02}T02:00:00Z"),
                ),
                Fact::text("model", "", "digest", model),
                Fact::number("scores", "probability", "mean", 0.3, ""),
                Fact::number(
                    "drift",
                    "probability",
                    "js",
                    0.01 + f64::from(night % 3) / 1e3,
                    "",
                ),
                Fact::number("drift", "age", "js", 0.01 + f64::from(night % 3) / 1e3, ""),
            ],
            run_id: String::new(),
        };
        let mut history = History::default();
        (1..=20).for_each(|night| history.add(&report(night, "one")));
        assert!(history.learnt("probability", "js", "one").is_some());
        assert_eq!(history.learnt("probability", "js", "two"), None);
        assert!(history.learnt("age", "js", "two").is_some());
        let verdicts = |model: &str| {
            let facts = history.facts(&report(21, model).facts);
            let own = |name: &str| facts.iter().any(|fact| fact.subject == name);
            [own("js(probability)"), own("js(age)")]
        };
        assert_eq!(
            (verdicts("one"), verdicts("two")),
            ([true, true], [false, true])
        );
    }

    #[test]
    fn only_the_side_that_is_trouble_is_an_alarm() {
        let known: Vec<f64> = (0..20)
            .map(|night| 0.1 + f64::from(night % 3) / 100.0)
            .collect();
        for (section, metric, [less, more]) in [
            ("drift", "js", ["ok", "beyond"]),
            ("inputs", "missing_rate", ["ok", "beyond"]),
            ("evaluation", "roc_auc", ["beyond", "ok"]),
            ("scores", "mean", ["beyond", "beyond"]),
        ] {
            let side = side(section, metric).unwrap();
            for (today, expected) in [(0.0, less), (0.5, more)] {
                let control = Control::new(&known, today).unwrap();
                let facts = control_facts("name", today, &control, side, false);
                let verdict = facts[0].as_text().unwrap();
                assert_eq!(verdict, expected, "{metric} {today}");
                let distance = super::super::facts::number(&facts, SECTION, "name", "zscore");
                assert_eq!(
                    distance.unwrap() > 4.0,
                    expected == "beyond",
                    "{metric} {today}"
                );
            }
        }
        assert!(!follows("drift", "ks_low"));
    }
}
