//! Statistics of the scores as facts.

use super::facts::Fact;
use crate::monitor::scores::{ScoreStatistics, Statistic};
use crate::statistics::distribution::{BIN_COUNT, Distribution, QUANTILES};

/// The facts of the section `scores`.
#[must_use]
pub fn facts(statistics: &ScoreStatistics) -> Vec<Fact> {
    statistics
        .columns()
        .flat_map(|(name, statistic)| statistic_facts(name, statistic))
        .collect()
}

fn statistic_facts(name: &str, statistic: &Statistic) -> Vec<Fact> {
    match statistic {
        Statistic::Number(distribution) => number_facts(name, distribution),
        // A column of lists that are all empty has a fact too.
        Statistic::Label(counts, rows) if counts.total() == 0 => {
            vec![Fact::count("scores", name, "count", *rows, "rows")]
        }
        Statistic::Label(counts, _) => counts
            .iter()
            .map(|(label, count)| {
                Fact::count("scores", name, format!("count_{label}"), count, "rows")
            })
            .collect(),
    }
}

fn number_facts(name: &str, distribution: &Distribution) -> Vec<Fact> {
    let fact = |metric: &str, value: f64| Fact::number("scores", name, metric, value, "");
    let mut facts: Vec<Fact> = [
        ("count", distribution.count()),
        ("null_count", distribution.null_count()),
        ("nan_count", distribution.nan_count()),
        (
            "infinite_count",
            distribution.positive_infinity_count() + distribution.negative_infinity_count(),
        ),
    ]
    .map(|(metric, count)| Fact::count("scores", name, metric, count, "rows"))
    .into();
    let moments = [
        ("min", distribution.min()),
        ("max", distribution.max()),
        ("mean", distribution.mean()),
        ("standard_deviation", distribution.standard_deviation()),
    ];
    facts.extend(
        moments
            .into_iter()
            .filter_map(|(metric, value)| Some(fact(metric, value?))),
    );
    let quantiles = QUANTILES.iter().zip(distribution.quantiles(&QUANTILES));
    facts.extend(
        quantiles.filter_map(|(share, value)| Some(fact(&format!("quantile_{share}"), value?))),
    );
    for (index, bin) in distribution.histogram(BIN_COUNT).iter().enumerate() {
        facts.push(fact(&format!("histogram_{index:02}_low"), bin.low));
        facts.push(fact(&format!("histogram_{index:02}_high"), bin.high));
        facts.push(Fact::count(
            "scores",
            name,
            format!("histogram_{index:02}_count"),
            bin.count,
            "rows",
        ));
    }
    facts
}
