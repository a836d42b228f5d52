//! What labels are expected to show, as facts.
//!
//! Section `estimates`, with an empty subject: `estimated_<metric>` with the ends of its band
//! (`…_low`, `…_high`), `reference_<metric>` (what the labels of the reference showed), `rows`,
//! `rows_without_score`, `reference_rows` and the text `assumption`. Of a loss model
//! `estimated_loss`, `…_low`, `…_high`, `rows_with_loss`, `rows_without_loss` and the text
//! `loss_assumption`.

use super::facts::Fact;
use crate::monitor::estimate::loss::LossCounts;
use crate::monitor::estimate::observer::{Estimates, PerformanceCounts};
use crate::monitor::estimate::{ASSUMPTION, LOSS_ASSUMPTION};
use crate::pipeline::Outcomes;

/// The section of estimates without labels.
pub const SECTION: &str = "estimates";

/// The texts of what estimates from scores, and that of a loss model, rest on.
pub const ASSUMPTIONS: [&str; 2] = ["assumption", "loss_assumption"];

/// The facts of the section.
#[must_use]
pub fn facts(outcomes: &Outcomes) -> Vec<Fact> {
    let mut facts = of_classes(outcomes);
    if let Some(losses) = outcomes.seen.get::<LossCounts>() {
        let LossCounts { mean, missing } = losses;
        let number = |metric: &str, value: f64| Fact::number(SECTION, "", metric, value, "");
        facts.push(Fact::count(
            SECTION,
            "",
            "rows_with_loss",
            mean.count(),
            "rows",
        ));
        facts.push(Fact::count(
            SECTION,
            "",
            "rows_without_loss",
            *missing,
            "rows",
        ));
        facts.push(Fact::text(SECTION, "", ASSUMPTIONS[1], LOSS_ASSUMPTION));
        if let Some(estimate) = losses.estimate() {
            facts.push(number("estimated_loss", estimate.value));
            if let Some((low, high)) = estimate.interval {
                facts.push(number("estimated_loss_low", low));
                facts.push(number("estimated_loss_high", high));
            }
        }
    }
    facts
}

fn of_classes(outcomes: &Outcomes) -> Vec<Fact> {
    let Some(counts) = outcomes.seen.get::<PerformanceCounts>() else {
        return Vec::new();
    };
    let Some(found) = counts.estimates() else {
        return Vec::new();
    };
    let reference = counts.reference();
    let Estimates {
        rows,
        without_score,
        metrics,
    } = found;
    let number = |metric: String, value: f64| Fact::number(SECTION, "", metric, value, "");
    let mut facts = vec![
        Fact::count(SECTION, "", "rows", rows, "rows"),
        Fact::count(SECTION, "", "rows_without_score", without_score, "rows"),
        Fact::text(SECTION, "", ASSUMPTIONS[0], ASSUMPTION),
    ];
    for (name, estimate) in metrics {
        facts.push(number(format!("estimated_{name}"), estimate.value));
        if let Some((low, high)) = estimate.interval {
            facts.push(number(format!("estimated_{name}_low"), low));
            facts.push(number(format!("estimated_{name}_high"), high));
        }
        let known = reference.metrics.get(&name);
        facts.extend(known.map(|value| number(format!("reference_{name}"), *value)));
    }
    facts.push(Fact::count(
        SECTION,
        "",
        "reference_rows",
        reference.rows,
        "rows",
    ));
    facts
}
