//! Statistics of the scores as facts, and in a few words for the summary.

use super::facts::Fact;
use crate::count::{counted, listed};
use crate::monitor::scores::{ScoreStatistics, Statistic};
use crate::statistics::distribution::{BIN_COUNT, Distribution, QUANTILES};

/// What is said of the scores where there are none.
const NOTHING_SCORED: &str = "no row was scored";

/// Columns described to a person; the report has them all.
const DESCRIBED: usize = 8;

/// The facts of the section `scores`.
#[must_use]
pub fn facts(statistics: &ScoreStatistics) -> Vec<Fact> {
    statistics
        .columns()
        .flat_map(|(name, statistic)| statistic_facts(name, statistic))
        .collect()
}

/// (column, what the user needs to know of it); margins are left out.
#[must_use]
pub fn described(statistics: &ScoreStatistics) -> Vec<(String, String)> {
    let shown = statistics
        .columns()
        .filter(|(name, _)| !name.starts_with("margin"));
    shown
        .take(DESCRIBED)
        .map(|(name, statistic)| (name.to_owned(), description(statistic)))
        .collect()
}

fn statistic_facts(name: &str, statistic: &Statistic) -> Vec<Fact> {
    match statistic {
        Statistic::Number(distribution) => number_facts(name, distribution),
        Statistic::Label(counts, _) => counts
            .iter()
            .map(|(label, count)| {
                Fact::count("scores", name, format!("count_{label}"), count, "rows")
            })
            .collect(),
    }
}

fn description(statistic: &Statistic) -> String {
    match statistic {
        Statistic::Number(distribution) if distribution.count() == distribution.null_count() => {
            NOTHING_SCORED.to_owned()
        }
        Statistic::Label(_, 0) => NOTHING_SCORED.to_owned(),
        Statistic::Label(counts, rows) if counts.total() == 0 => format!(
            "none in {}",
            counted(usize::try_from(*rows).unwrap_or(usize::MAX), "row")
        ),
        Statistic::Number(distribution) => {
            let shown = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), four_digits);
            let median = shown(distribution.quantile(0.5));
            let (mean, min, max) = (
                shown(distribution.mean()),
                shown(distribution.min()),
                shown(distribution.max()),
            );
            let nan = if distribution.nan_count() > 0 {
                format!(", {} NaN", distribution.nan_count())
            } else {
                String::new()
            };
            if distribution.finite_count() == 0 {
                return format!("no finite number{nan}");
            }
            format!("mean {mean}, min {min}, median {median}, max {max}{nan}")
        }
        Statistic::Label(counts, _) => {
            let labels = counts
                .iter()
                .map(|(label, count)| format!("{label}: {}", indicatif::HumanCount(count)));
            listed(labels, DESCRIBED, ", ", "label")
        }
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

/// Four significant digits, as a person reads them.
pub(super) fn four_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let places = 3 - value.abs().log10().floor() as i32;
    if (-4..=9).contains(&places) {
        format!("{value:.*}", places.max(0) as usize)
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ArrayRef, FixedSizeListArray, Float32Array, ListArray, StringArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{DataType, Field, Float64Type};

    use super::*;
    use crate::report::facts::Value;

    #[test]
    fn lists_of_numbers_are_observed_number_by_number() {
        let lists = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]].map(|pair| Some(pair.map(Some)));
        let lists: ArrayRef =
            std::sync::Arc::new(
                FixedSizeListArray::from_iter_primitive::<Float64Type, _, _>(lists, 2),
            );
        let fields = [
            Field::new("targets", lists.data_type().clone(), true),
            Field::new("prediction", DataType::Float32, true),
        ];
        let mut statistics = ScoreStatistics::new(&fields);
        let numbers: ArrayRef = std::sync::Arc::new(Float32Array::from(vec![0.5, 0.25]));
        statistics.observe(&[lists.slice(1, 2), numbers]).unwrap();
        let described = super::described(&statistics);
        assert!(
            described[0].1.starts_with("mean 4.500, min 3.000")
                && described[0].1.ends_with("max 6.000"),
            "{described:?}"
        );
    }

    #[test]
    fn missing_scores_are_counted_and_left_out_of_every_other_number() {
        let fields = [Field::new("probability", DataType::Float32, true)];
        let mut statistics = ScoreStatistics::new(&fields);
        statistics
            .observe(&[std::sync::Arc::new(Float32Array::from(vec![
                None,
                None::<f32>,
            ]))])
            .unwrap();
        assert_eq!(described(&statistics)[0].1, NOTHING_SCORED);
        statistics
            .observe(&[std::sync::Arc::new(Float32Array::from(vec![
                Some(0.5),
                None,
                Some(0.75),
            ]))])
            .unwrap();
        assert!(
            described(&statistics)[0]
                .1
                .starts_with("mean 0.6250, min 0.5000"),
            "{:?}",
            described(&statistics)
        );
        let value = |metric: &str| {
            facts(&statistics)
                .into_iter()
                .find(|fact| fact.metric == metric)
                .map(|fact| fact.value)
        };
        assert_eq!(
            [value("count"), value("null_count"), value("min")],
            [5.0, 3.0, 0.5].map(|number| Some(Value::Number(number)))
        );
    }

    #[test]
    fn lists_without_a_label_are_rows_that_were_scored() {
        let lists = ListArray::new(
            std::sync::Arc::new(Field::new_list_field(DataType::Utf8, true)),
            OffsetBuffer::from_lengths([0, 0, 0]),
            std::sync::Arc::new(StringArray::from(Vec::<&str>::new())),
            Some(vec![true, false, true].into()),
        );
        let mut statistics =
            ScoreStatistics::new(&[Field::new("prediction", lists.data_type().clone(), true)]);
        assert_eq!(described(&statistics)[0].1, NOTHING_SCORED);
        statistics.observe(&[std::sync::Arc::new(lists)]).unwrap();
        assert_eq!(described(&statistics)[0].1, "none in 2 rows");
    }
}
