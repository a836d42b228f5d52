//! The verdict of a comparison in one sentence, from its facts.
//!
//! Owns its words, which are the fact `sentence`. It must not know how the verdict is found.

use super::comparison::{MODELS, SECTION, SIDES};
use super::evaluation::number_text;
use super::evaluation_lines::label;
use super::facts::{Fact, find, number, text};
use super::number as numbers;
use crate::count::counted;
use crate::monitor::evaluate::is_loss;

/// The fact that states the verdict.
#[must_use]
pub fn fact(facts: &[Fact]) -> Fact {
    Fact::text(SECTION, "", "sentence", sentence(facts))
}

/// What the two tables are called: `name:version` of their models where these differ, else `a` and
/// `b`.
#[must_use]
pub(super) fn labels(facts: &[Fact]) -> [String; 2] {
    let model = |side: &str| {
        let of = |metric: &str| find(facts, MODELS, side, metric).and_then(Fact::as_text);
        let version = of("registry_version").or_else(|| of("version"));
        let name = of("registry_model").or_else(|| of("name"))?;
        Some(version.map_or_else(|| name.to_owned(), |version| format!("{name}:{version}")))
    };
    match SIDES.map(model) {
        [Some(first), Some(second)] if first != second => [first, second],
        _ => SIDES.map(str::to_owned),
    }
}

/// A metric of `b` less that of `a`, with its interval: `+0.0049 (+0.0045 to +0.0052)`.
#[must_use]
pub(super) fn difference(facts: &[Fact], subject: &str, metric: &str) -> Option<String> {
    let of = |end: &str| {
        let metric = format!("{metric}_difference{end}");
        number(facts, SECTION, subject, &metric)
    };
    let value = signed(of("")?);
    let ends = of("_low")
        .zip(of("_high"))
        .map(|ends| (signed(ends.0), signed(ends.1)));
    Some(ends.map_or(value.clone(), |(low, high)| {
        format!("{value} ({low} to {high})")
    }))
}

fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", number_text(value))
}

fn sentence(facts: &[Fact]) -> String {
    let [a, b] = labels(facts);
    let number = |metric: &str| number(facts, SECTION, "", metric);
    let Some((metric, verdict)) =
        text(facts, SECTION, "metric").zip(text(facts, SECTION, "verdict"))
    else {
        return without_labels(facts, &a, &b);
    };
    let margin = number("margin").map(number_text);
    let by = margin
        .as_ref()
        .map_or(String::new(), |margin| format!(" by more than {margin}"));
    let count = number("rows_with_label").unwrap_or_default();
    let rows = counted(count as u64, "row");
    let decided = match verdict {
        "better" => format!("{b} is better than {a}"),
        "worse" => format!("{b} is worse than {a}{by}"),
        "not_inferior" if is_worse(facts, metric) => format!("{b} is worse than {a}, but not{by}"),
        "not_inferior" => format!("{b} is not worse than {a}{by}"),
        "same" if number("identical").is_none_or(|share| share == 1.0) => format!(
            "no row of {} tells {a} and {b} apart",
            numbers::count(count)
        ),
        "same" => format!("{a} and {b} differ, but not in what is measured on {rows}"),
        _ if is_worse(facts, metric) => {
            format!("{b} is worse than {a}, and it is not clear whether{by}")
        }
        _ if margin.is_some() => format!("{a} and {b} cannot be told apart, {rows} are too few"),
        _ => format!("{a} and {b} cannot be told apart on {rows}"),
    };
    let difference = difference(facts, "", metric).unwrap_or_default();
    format!("{decided}: {} {difference}", label(metric))
}

/// Whether the interval of the difference lies on the bad side of 0: a margin does not undo that.
fn is_worse(facts: &[Fact], metric: &str) -> bool {
    let end = |end: &str| number(facts, SECTION, "", &format!("{metric}_difference_{end}"));
    if is_loss(metric) {
        end("low").is_some_and(|low| low > 0.0)
    } else {
        end("high").is_some_and(|high| high < 0.0)
    }
}

fn without_labels(facts: &[Fact], a: &str, b: &str) -> String {
    let of = |metric: &str| number(facts, SECTION, "", metric);
    let compared = of("rows_compared").unwrap_or_default();
    if compared == 0.0 {
        return format!("{a} and {b} share no rows{}", apart(facts));
    }
    let rows = counted(compared as u64, "row");
    match (of("agreement"), of("flips"), of("mean_absolute_difference")) {
        (_, Some(0.0), Some(0.0)) | (Some(1.0), None, Some(0.0)) => {
            format!("{a} and {b} are the same on {rows}")
        }
        (Some(agreement), Some(flips), _) => format!(
            "{a} and {b} decide alike on {} of {rows}: {}",
            numbers::percent(agreement),
            counted(flips as u64, "other decision")
        ),
        (_, _, Some(difference)) => format!(
            "{a} and {b} differ by {} on average over {rows}",
            number_text(difference)
        ),
        _ => format!("{a} and {b} were compared on {rows}"),
    }
}

/// How the scores of tables that share no rows differ: `: mean score 0.30 -> 0.34, PSI 0.01`.
fn apart(facts: &[Fact]) -> String {
    let of = |metric: &str| number(facts, SECTION, "", metric);
    let sides = |metric: &str| both(SIDES.map(|side| of(&format!("{metric}_{side}"))));
    let mean = sides("mean_score").map(|[first, second]| {
        let [first, second] = [first, second].map(number_text);
        format!("mean score {first} -> {second}")
    });
    let rate = sides("positive_rate").map(|[first, second]| {
        let [first, second] = [first, second].map(numbers::percent);
        format!("positive {first} -> {second}")
    });
    let psi = of("psi").map(|psi| format!("PSI {}", numbers::share(psi, 3)));
    let parts: Vec<String> = [mean, rate, psi].into_iter().flatten().collect();
    if parts.is_empty() {
        return String::new();
    }
    format!(": {}", parts.join(", "))
}

fn both([first, second]: [Option<f64>; 2]) -> Option<[f64; 2]> {
    Some([first?, second?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(verdict: Option<&str>, numbers: &[(&str, f64)], models: [&str; 2]) -> String {
        let mut facts: Vec<Fact> = numbers
            .iter()
            .map(|(metric, value)| Fact::number(SECTION, "", *metric, *value, ""))
            .collect();
        facts.extend(verdict.map(|verdict| Fact::text(SECTION, "", "verdict", verdict)));
        facts.extend(verdict.map(|_| Fact::text(SECTION, "", "metric", "roc_auc")));
        for (side, version) in SIDES.into_iter().zip(models) {
            facts.push(Fact::text(MODELS, side, "name", "churn"));
            facts.push(Fact::text(MODELS, side, "version", version));
        }
        sentence(&facts)
    }

    #[test]
    fn every_verdict_has_a_sentence() {
        let numbers = [
            ("rows_with_label", 700.0),
            ("roc_auc_difference", 0.0049),
            ("roc_auc_difference_low", -0.0045),
            ("roc_auc_difference_high", 0.0052),
        ];
        let with_margin = [&numbers[..], &[("margin", 0.02)]].concat();
        let verdicts = ["better", "worse", "not_inferior", "same", "undecided"];
        let mut lines: Vec<String> = verdicts
            .iter()
            .map(|verdict| of(Some(verdict), &with_margin, ["7", "8"]))
            .collect();
        let alike = [&numbers[..], &[("identical", 0.0)]].concat();
        lines.push(of(Some("same"), &alike, ["7", "8"]));
        lines.push(of(Some("undecided"), &numbers, ["7", "7"]));
        lines.push(of(Some("same"), &[("roc_auc_difference", 0.0)], ["7", "7"]));
        let metric = "ROC AUC +0.0049 (-0.0045 to +0.0052)";
        let expected = [
            format!("churn:8 is better than churn:7: {metric}"),
            format!("churn:8 is worse than churn:7 by more than 0.0200: {metric}"),
            format!("churn:8 is not worse than churn:7 by more than 0.0200: {metric}"),
            format!("no row of 700 tells churn:7 and churn:8 apart: {metric}"),
            format!("churn:7 and churn:8 cannot be told apart, 700 rows are too few: {metric}"),
            format!(
                "churn:7 and churn:8 differ, but not in what is measured on 700 rows: {metric}"
            ),
            format!("a and b cannot be told apart on 700 rows: {metric}"),
            "no row of 0 tells a and b apart: ROC AUC 0.0000".to_owned(),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_margin_does_not_deny_a_difference() {
        let of = |verdict, metric: &str, [low, high]: [f64; 2]| {
            let end = |end: &str, value| {
                let metric = format!("{metric}_difference{end}");
                Fact::number(SECTION, "", metric, value, "")
            };
            let facts = [
                Fact::number(SECTION, "", "rows_with_label", 2000.0, ""),
                Fact::number(SECTION, "", "margin", 0.02, ""),
                Fact::text(SECTION, "", "verdict", verdict),
                Fact::text(SECTION, "", "metric", metric),
                end("", f64::midpoint(low, high)),
                end("_low", low),
                end("_high", high),
            ];
            sentence(&facts)
        };
        let lines = [
            of("undecided", "roc_auc", [-0.044, -0.0103]),
            of("undecided", "log_loss", [0.0103, 0.044]),
            of("not_inferior", "roc_auc", [-0.0125, -0.0025]),
            of("not_inferior", "log_loss", [-0.0125, -0.0025]),
            of("undecided", "log_loss", [-0.0125, 0.0425]),
        ];
        assert_eq!(
            lines,
            [
                "b is worse than a, and it is not clear whether by more than 0.0200: ROC AUC \
                 -0.0272 (-0.0440 to -0.0103)",
                "b is worse than a, and it is not clear whether by more than 0.0200: log loss \
                 +0.0272 (+0.0103 to +0.0440)",
                "b is worse than a, but not by more than 0.0200: ROC AUC -0.0075 (-0.0125 to \
                 -0.0025)",
                "b is not worse than a by more than 0.0200: log loss -0.0075 (-0.0125 to -0.0025)",
                "a and b cannot be told apart, 2,000 rows are too few: log loss +0.0150 (-0.0125 \
                 to +0.0425)",
            ]
        );
    }

    #[test]
    fn without_labels_it_is_how_far_both_agree() {
        let of = |numbers: &[(&str, f64)]| {
            let rows = ("rows_compared", 1e6);
            super::tests::of(None, &[numbers, &[rows]].concat(), ["7", "7"])
        };
        let lines = [
            of(&[
                ("agreement", 1.0),
                ("flips", 0.0),
                ("mean_absolute_difference", 0.0),
            ]),
            of(&[
                ("agreement", 0.999_999),
                ("flips", 1.0),
                ("mean_absolute_difference", 0.1),
            ]),
            of(&[("mean_absolute_difference", 0.25)]),
            of(&[]),
            of(&[("rows_compared", 0.0)]),
            of(&[
                ("rows_compared", 0.0),
                ("mean_score_a", 0.25),
                ("mean_score_b", 0.5),
                ("positive_rate_a", 0.125),
                ("positive_rate_b", 0.25),
                ("psi", 0.0123),
            ]),
        ];
        assert_eq!(
            lines,
            [
                "a and b are the same on 1,000,000 rows",
                "a and b decide alike on >99.9% of 1,000,000 rows: 1 other decision",
                "a and b differ by 0.2500 on average over 1,000,000 rows",
                "a and b were compared on 1,000,000 rows",
                "a and b share no rows",
                "a and b share no rows: mean score 0.2500 -> 0.5000, positive 12.5% -> 25.0%, \
                 PSI 0.012",
            ]
        );
    }
}
