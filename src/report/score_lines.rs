//! Lines of a summary about scores: moments, counts of labels, a picture of the histogram.
//!
//! Owns how a column of scores is said in a few words. Which lines a summary has is `text`'s.

use indicatif::HumanCount;

use super::facts::{Fact, of_section};
use super::renderer::Detail;
use super::spark;
use super::weight::{Line, line};
use crate::count::{counted, listed};

/// The most columns of scores that are described in a summary.
const SCORES_SHOWN: usize = 8;

/// The most labels of a column that are listed; the report has them all.
const LABELS_SHOWN: usize = 8;

/// The text for scores where there are none.
const NOTHING_SCORED: &str = "no row was scored";

/// A line for each column of scores: moments of numbers, counts of labels.
pub(super) fn scores(facts: &[Fact], detail: Detail) -> Vec<Line> {
    let facts: Vec<&Fact> = of_section(facts, "scores").collect();
    let columns = facts.chunk_by(|one, other| one.subject == other.subject);
    let lines = columns.map(|facts| {
        (
            line(&facts[0].subject, &score_text(facts)),
            histogram(facts),
        )
    });
    let lines: Vec<(Line, Option<String>)> = if detail == Detail::All {
        lines.collect()
    } else {
        lines
            .filter(|((name, _), _)| !name.starts_with("margin"))
            .take(SCORES_SHOWN)
            .collect()
    };
    // One picture is enough for a summary.
    let first = lines.iter().position(|(_, picture)| picture.is_some());
    let lines = lines.into_iter().enumerate();
    lines
        .flat_map(|(index, (text, picture))| {
            let picture = picture.filter(|_| Some(index) == first);
            std::iter::once(text).chain(picture.map(|picture| line("", &picture)))
        })
        .collect()
}

/// The histogram of a column of scores in one line; none for fewer than three bins.
fn histogram(facts: &[&Fact]) -> Option<String> {
    let counts = facts
        .iter()
        .filter(|fact| fact.metric.starts_with("histogram_") && fact.metric.ends_with("_count"));
    let counts: Vec<f64> = counts.filter_map(|fact| fact.as_number()).collect();
    let picture = spark::cells(&counts, spark::largest(&counts));
    (counts.len() > 2).then(|| picture.trim_end().to_owned())
}

/// The facts of one column of scores in a few words.
fn score_text(facts: &[&Fact]) -> String {
    let number = |metric: &str| {
        let found = facts.iter().find(|fact| fact.metric == metric);
        found.and_then(|fact| fact.as_number())
    };
    let count = |metric: &str| number(metric).unwrap_or(0.0);
    let mut labels = facts.iter().filter_map(|fact| {
        let label = fact.metric.strip_prefix("count_")?;
        Some(format!("{label}: {}", HumanCount(fact.as_number()? as u64)))
    });
    let is_of_numbers = number("null_count").or_else(|| number("mean")).is_some();
    if !is_of_numbers && let Some(first) = labels.next() {
        return listed(
            std::iter::once(first).chain(labels),
            LABELS_SHOWN,
            ", ",
            "label",
        );
    }
    if count("count") == count("null_count") {
        return NOTHING_SCORED.to_owned();
    }
    if !is_of_numbers {
        return format!("none in {}", counted(count("count") as u64, "row"));
    }
    let nan = number("nan_count")
        .filter(|count| *count > 0.0)
        .map_or(String::new(), |count| format!(", {count} NaN"));
    let Some(mean) = number("mean") else {
        return format!("no finite number{nan}");
    };
    let shown = |metric: &str| number(metric).map_or_else(|| "none".to_owned(), four_digits);
    format!(
        "mean {}, min {}, median {}, max {}{nan}",
        four_digits(mean),
        shown("min"),
        shown("quantile_0.5"),
        shown("max")
    )
}

/// Four significant digits.
pub(super) fn four_digits(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = 3 - value.abs().log10().floor() as i32;
    if (-4..=9).contains(&decimals) {
        format!("{value:.*}", decimals.max(0) as usize)
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
    use crate::monitor::scores::ScoreStatistics;
    use crate::report::facts::Value;
    use crate::report::scores::facts;

    fn described(statistics: &ScoreStatistics) -> Vec<Line> {
        scores(&facts(statistics), Detail::Summary)
    }

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
        let described = described(&statistics);
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
