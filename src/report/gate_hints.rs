//! What to do about a gate whose value a report does not have.
//!
//! Owns which command and which flag would give the value. It must not know what is done without.

use super::facts::{Fact, of_section};
use super::gate_names::Verb;
use super::gates::{VERBS_OF_SEGMENTS, segment_columns, segment_flag};
use crate::monitor::gate::Gate;
use crate::table::spelling::did_you_mean;

/// Where all facts are listed.
const LISTED: &str = "`tallow inspect REPORT` and `--format json` list all facts";

/// What to do about a gate of a promotion, whose reports have these facts but not its value.
#[must_use]
pub fn absent(gate: &Gate, facts: &[Fact]) -> String {
    let (metric, subject) = (gate.metric(), gate.subject());
    let own = facts.iter().filter(|fact| fact.metric == metric);
    let mut subjects = own.map(|fact| fact.subject.as_str()).peekable();
    let has = |section: &str| of_section(facts, section).next().is_some();
    if subjects.peek().is_none() {
        let (is_evaluated, is_compared) = (Verb::Evaluate.has(metric), Verb::Compare.has(metric));
        return if is_compared && !is_evaluated && !has("comparison") {
            format!("`tallow compare` gives `{metric}`: name its report, `--comparison FILE`")
        } else if is_evaluated && !has("evaluation") {
            format!("`tallow evaluate` gives `{metric}`: name its report, `--evaluation FILE`")
        } else {
            LISTED.to_owned()
        };
    }
    let names: Vec<&str> = subjects.filter(|name| !name.is_empty()).collect();
    if subject.is_empty() {
        return format!("write `{metric}(SUBJECT)`, or `{metric}(*)` for every one");
    }
    let is_near = |name: &&str| segment_columns(name) == segment_columns(subject);
    if names.iter().any(is_near) {
        return did_you_mean(subject, &names.iter().copied(), LISTED);
    }
    let own = facts.iter().find(|fact| fact.metric == metric);
    let verb = VERBS_OF_SEGMENTS
        .iter()
        .find(|(section, _)| own.is_some_and(|fact| fact.section == *section));
    let (_, verb) = verb.unwrap_or(&VERBS_OF_SEGMENTS[0]);
    segment_flag(subject, verb)
        .unwrap_or_else(|| did_you_mean(subject, &names.iter().copied(), LISTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_without_a_value_gets_the_flag_that_gives_it() {
        let fact = |section: &'static str, subject: &str, metric: &str| {
            Fact::number(section, subject, metric, 0.5, "")
        };
        let whole = vec![fact("evaluation", "", "accuracy")];
        let mut by_region = whole.clone();
        by_region.push(fact("evaluation", "region=north", "accuracy"));
        let compared = vec![fact("comparison", "", "flips")];
        for (gate, facts, expected) in [
            (
                "accuracy(region=n) > 0",
                &whole,
                "`--by region` of `tallow evaluate`",
            ),
            (
                "accuracy(region=*) > 0",
                &whole,
                "`--by region` of `tallow evaluate`",
            ),
            (
                "accuracy(a=1,b=2) > 0",
                &whole,
                "`--by a,b` of `tallow evaluate`",
            ),
            (
                "accuracy(*) > 0",
                &whole,
                "`--by COLUMN` of `tallow evaluate`",
            ),
            (
                "accuracy(plan=pro) > 0",
                &by_region,
                "`--by plan` of `tallow evaluate`",
            ),
            ("accuracy(region=nrth) > 0", &by_region, "`region=north`"),
            ("flip_rate < 1", &whole, "`--comparison FILE`"),
            ("not_inferior == 1", &whole, "`--comparison FILE`"),
            ("flips(*) < 1", &compared, "of `tallow compare`"),
            (
                "flips(region=n) < 1",
                &compared,
                "`--by region` of `tallow compare`",
            ),
            ("roc_auc > 0.5", &compared, "`--evaluation FILE`"),
            ("roc_auc > 0.5", &whole, "list all facts"),
        ] {
            let hint = absent(&Gate::parse(gate).unwrap(), facts);
            assert!(hint.contains(expected), "{gate}: {hint}");
        }
    }
}
