//! A ranking of several models, as facts and as lines to read.
//!
//! Section `arms`, one subject for each: `rank` (1 is the best), every metric with its interval,
//! `rows_evaluated`, `standing` (`best`, `worse`, `undecided`, `same`), and, on the rows that it
//! shares with the best, `difference` with its interval, `p`, `p_adjusted` and `test`; which model
//! it is, as far as its files say: `name`, `version`, `digest`, `registry_version`, …. With an
//! empty subject: `metric`, `best`, `count`, and `first`, which the rest of the report is about.

use super::facts::{Fact, find, number, of_section, text};
use super::number::share;
use super::renderer::Detail;
use crate::count::and_more;
use crate::monitor::compare::Paired;
use crate::monitor::interval::Estimate;

/// The section.
pub const SECTION: &str = "arms";

/// The most arms of a summary.
const ARMS_SHOWN: usize = 8;

/// An arm in its place.
#[derive(Clone, Debug)]
pub struct ArmLine<'a> {
    /// Its name.
    pub name: &'a str,
    /// The rows that were evaluated.
    pub rows: u64,
    /// The metric that ranks.
    pub estimate: Estimate,
    /// All metrics by their names.
    pub metrics: &'a [(String, Estimate)],
    /// What its files say of its model, by name.
    pub model: &'a [(String, String)],
    /// This arm less the best.
    pub difference: Option<&'a Paired>,
    /// The corrected probability.
    pub p_adjusted: Option<f64>,
    /// What is known of it.
    pub standing: &'static str,
}

/// The facts of the section, by the metric that ranks; the best arm comes first. `first` is the arm
/// that the rest of the report is about.
#[must_use]
pub fn facts((metric, first): (&str, &str), arms: &[ArmLine<'_>]) -> Vec<Fact> {
    let mut facts = vec![
        Fact::text(SECTION, "", "metric", metric),
        Fact::text(SECTION, "", "first", first),
        Fact::count(SECTION, "", "count", arms.len() as u64, ""),
    ];
    facts.extend(
        arms.first()
            .map(|best| Fact::text(SECTION, "", "best", best.name)),
    );
    for (index, arm) in arms.iter().enumerate() {
        let number = |name: &str, value: f64| Fact::number(SECTION, arm.name, name, value, "");
        let ends = |name: &str, estimate: Estimate| {
            let ends = estimate.interval.into_iter();
            ends.flat_map(|(low, high)| {
                [
                    number(&format!("{name}_low"), low),
                    number(&format!("{name}_high"), high),
                ]
            })
            .collect::<Vec<_>>()
        };
        facts.push(Fact::count(SECTION, arm.name, "rank", index as u64 + 1, ""));
        let model = arm.model.iter();
        facts.extend(model.map(|(name, value)| Fact::text(SECTION, arm.name, name, value)));
        for (name, estimate) in arm.metrics {
            facts.push(number(name, estimate.value));
            facts.extend(ends(name, *estimate));
        }
        facts.push(Fact::count(
            SECTION,
            arm.name,
            "rows_evaluated",
            arm.rows,
            "rows",
        ));
        facts.push(Fact::text(SECTION, arm.name, "standing", arm.standing));
        if let Some(paired) = arm.difference {
            facts.push(number("difference", paired.difference.value));
            facts.extend(ends("difference", paired.difference));
            facts.extend(paired.p.map(|p| number("p", p)));
            facts.extend(arm.p_adjusted.map(|p| number("p_adjusted", p)));
            facts.push(Fact::text(SECTION, arm.name, "test", paired.test));
        }
    }
    facts
}

/// The ranking for users, line by line; nothing if the report holds none. A summary has the first
/// arms alone.
#[must_use]
pub fn lines(facts: &[Fact], detail: Detail) -> Vec<String> {
    let Some(metric) = text(facts, SECTION, "metric") else {
        return Vec::new();
    };
    let own = of_section(facts, SECTION).filter(|fact| fact.metric == "rank");
    let names: Vec<&str> = own.map(|fact| fact.subject.as_str()).collect();
    let width = names.iter().map(|name| name.chars().count()).max();
    let width = width.unwrap_or(0).clamp(8, 40);
    let line = |(index, name): (usize, &&str)| {
        let of = |metric: &str| number(facts, SECTION, name, metric);
        let ends = |metric: &str| {
            let ends = of(&format!("{metric}_low")).zip(of(&format!("{metric}_high")));
            ends.map_or_else(String::new, |(low, high)| format!(" [{low:.4}, {high:.4}]"))
        };
        let against = of("difference").map_or_else(String::new, |difference| {
            let p = of("p_adjusted").or(of("p"));
            let p = p.map_or_else(String::new, |p| format!(", p {}", probability(p)));
            format!(" ({difference:+.4}{}{p})", ends("difference"))
        });
        let standing = find(facts, SECTION, name, "standing").and_then(Fact::as_text);
        format!(
            "  {} {name:width$} {:.4}{}  {}{against}",
            index + 1,
            of(metric).unwrap_or(f64::NAN),
            ends(metric),
            standing.unwrap_or_default()
        )
    };
    let max = match detail {
        Detail::Summary => ARMS_SHOWN,
        Detail::Verbose | Detail::All => usize::MAX,
    };
    let mut lines = vec![format!(
        "arms by {metric}; differences from the best on shared rows, p corrected by Holm"
    )];
    lines.extend(names.iter().enumerate().take(max).map(line));
    if names.len() > max {
        let more = and_more(names.len() - max, "arm");
        lines.push(format!("  \u{2026}{more}; -v shows all"));
    }
    lines
}

/// A probability with the digits that it needs; 1 only for exactly that.
fn probability(p: f64) -> String {
    if p >= 1e-4 {
        share(p, 4)
    } else {
        format!("{p:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranking of so many arms, shown.
    fn shown(count: usize, detail: Detail) -> Vec<String> {
        let names: Vec<String> = (0..count).map(|arm| format!("arm{arm}")).collect();
        let arm = |name| ArmLine {
            name,
            rows: 100,
            estimate: Estimate::exactly(0.5),
            metrics: &[],
            model: &[],
            difference: None,
            p_adjusted: None,
            standing: "same",
        };
        let arms: Vec<ArmLine<'_>> = names.iter().map(|name| arm(name.as_str())).collect();
        lines(&facts(("roc_auc", "arm0"), &arms), detail)
    }

    #[test]
    fn a_summary_ranks_eight_arms_and_says_what_shows_more() {
        for (count, more) in [
            (2, None),
            (8, None),
            (9, Some("  \u{2026} and 1 more arm; -v shows all")),
            (20, Some("  \u{2026} and 12 more arms; -v shows all")),
        ] {
            let lines = shown(count, Detail::Summary);
            let has = |arm: usize| {
                lines
                    .iter()
                    .any(|line| line.contains(&format!(" arm{arm} ")))
            };
            assert!((0..count.min(8)).all(has), "{lines:#?}");
            let last = lines.last().map(String::as_str);
            assert_eq!(last.filter(|line| line.contains("more")), more);
            assert_eq!(shown(count, Detail::Verbose).len(), count + 1);
        }
    }
}
