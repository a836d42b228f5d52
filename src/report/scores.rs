//! The distribution of each column that the model adds: numbers by their moments and quantiles,
//! labels by their counts.
//!
//! Every statistic is a function of the values alone, whatever the order or grouping in which they
//! were observed, so threads and batches do not change a report, and shards can be merged.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};

use super::distribution::{BIN_COUNT, Distribution, QUANTILES};
use super::facts::Fact;
use super::labels::LabelCounts;
use crate::count::counted;
use crate::error::{Error, Result};

/// What is said of the scores where there are none.
const NOTHING_SCORED: &str = "no row was scored";

/// Columns described to a person; the report has them all.
const DESCRIBED: usize = 8;

/// Statistics of one column.
#[derive(Debug)]
enum Statistic {
    Number(Box<Distribution>),
    /// The labels, and how many rows had an answer, which may be a list without one.
    Label(LabelCounts, u64),
}

/// Statistics of all columns that the model adds.
#[derive(Debug)]
pub struct ScoreStatistics {
    /// The position in the output of the first of them.
    first: usize,
    columns: Vec<(String, Statistic)>,
}

impl ScoreStatistics {
    /// Nothing observed yet, of these columns, which stand in the output from position `first` on.
    #[must_use]
    pub fn new(fields: &[Field], first: usize) -> Self {
        let is_number = |field: &Field| {
            matches!(
                element(field.data_type()),
                DataType::Float32 | DataType::Float64
            )
        };
        let statistic = |field: &Field| {
            if is_number(field) {
                Statistic::Number(Box::default())
            } else {
                Statistic::Label(LabelCounts::default(), 0)
            }
        };
        Self {
            first,
            columns: fields
                .iter()
                .map(|field| (field.name().clone(), statistic(field)))
                .collect(),
        }
    }

    /// Takes in a batch of the output.
    ///
    /// # Errors
    /// An internal error if a column is of a type that no model gives.
    pub fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        self.observe_columns(&batch.columns()[self.first..])
    }

    /// Takes in the columns that the model added, without the others.
    ///
    /// # Errors
    /// As [`ScoreStatistics::observe`].
    pub fn observe_columns(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.columns
            .iter_mut()
            .zip(columns)
            .try_for_each(|((_, statistic), column)| statistic.observe(column))
    }

    /// The facts of the section `scores`.
    #[must_use]
    pub fn facts(&self) -> Vec<Fact> {
        self.columns
            .iter()
            .flat_map(|(name, statistic)| statistic.facts(name))
            .collect()
    }

    /// (column, what a person wants to know of it); margins are left out.
    #[must_use]
    pub fn described(&self) -> Vec<(String, String)> {
        let shown = self
            .columns
            .iter()
            .filter(|(name, _)| !name.starts_with("margin"));
        shown
            .take(DESCRIBED)
            .map(|(name, statistic)| (name.clone(), statistic.described()))
            .collect()
    }
}

impl Statistic {
    fn observe(&mut self, column: &ArrayRef) -> Result<()> {
        if let Self::Label(_, rows) = self {
            *rows += (column.len() - column.null_count()) as u64;
        }
        let column = &elements(column);
        match self {
            Self::Number(distribution) => {
                distribution.observe_nulls(column.null_count() as u64);
                let column = &present(column)?;
                match column.data_type() {
                    DataType::Float32 => {
                        distribution.observe_f32(column.as_primitive::<Float32Type>().values());
                    }
                    DataType::Float64 => {
                        distribution.observe_f64(column.as_primitive::<Float64Type>().values());
                    }
                    other => return Err(Error::internal(format!("a score of type {other}"))),
                }
                Ok(())
            }
            Self::Label(counts, _) => observe_labels(counts, column),
        }
    }

    fn facts(&self, name: &str) -> Vec<Fact> {
        match self {
            Self::Number(distribution) => number_facts(name, distribution),
            Self::Label(counts, _) => counts
                .iter()
                .map(|(label, count)| {
                    Fact::count("scores", name, format!("count_{label}"), count, "rows")
                })
                .collect(),
        }
    }

    fn described(&self) -> String {
        match self {
            Self::Number(distribution) if distribution.count() == distribution.null_count() => {
                NOTHING_SCORED.to_owned()
            }
            Self::Label(_, 0) => NOTHING_SCORED.to_owned(),
            Self::Label(counts, rows) if counts.total() == 0 => format!(
                "none in {}",
                counted(usize::try_from(*rows).unwrap_or(usize::MAX), "row")
            ),
            Self::Number(distribution) => {
                let shown =
                    |value: Option<f64>| value.map_or_else(|| "none".to_owned(), four_digits);
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
            Self::Label(counts, _) => {
                let shown: Vec<String> = counts
                    .iter()
                    .take(DESCRIBED)
                    .map(|(label, count)| format!("{label}: {}", indicatif::HumanCount(count)))
                    .collect();
                let more = counts.iter().count().saturating_sub(DESCRIBED);
                shown.join(", ")
                    + &if more > 0 {
                        format!(" and {}", counted(more, "more label"))
                    } else {
                        String::new()
                    }
            }
        }
    }
}

/// What a column's values are; of lists of a fixed length, what these hold.
fn element(data_type: &DataType) -> &DataType {
    if let DataType::FixedSizeList(field, _) = data_type {
        field.data_type()
    } else {
        data_type
    }
}

/// A column's values; of lists, all that these hold.
fn elements(column: &ArrayRef) -> ArrayRef {
    if let Some(lists) = column.as_list_opt::<i32>() {
        let (start, end) = (
            lists.value_offsets()[0] as usize,
            lists.value_offsets()[lists.len()] as usize,
        );
        let values = lists.values().slice(start, end - start);
        // Of entities, what they are.
        return match values
            .as_struct_opt()
            .and_then(|parts| parts.column_by_name("entity_group"))
        {
            Some(labels) => labels.clone(),
            None => values,
        };
    }
    let Some(lists) = column.as_fixed_size_list_opt() else {
        return column.clone();
    };
    if lists.null_count() > 0
        && let Ok(present) = present(column)
    {
        return elements(&present);
    }
    let width = usize::try_from(lists.value_length()).unwrap_or(0);
    lists
        .values()
        .slice(lists.offset() * width, lists.len() * width)
}

/// The values that are not missing: what lies behind a missing one is no score.
fn present(column: &ArrayRef) -> Result<ArrayRef> {
    if column.null_count() == 0 {
        return Ok(column.clone());
    }
    let present = is_not_null(column).and_then(|present| filter(column, &present));
    present
        .map_err(|error| Error::internal("scores cannot be told from missing ones").because(error))
}

fn observe_labels(counts: &mut LabelCounts, column: &ArrayRef) -> Result<()> {
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        // Runs of equal labels are counted together: turning each into text would cost more than
        // scoring it.
        let mut small = std::collections::BTreeMap::new();
        for value in numbers.iter().flatten() {
            *small.entry(value).or_insert(0_u64) += 1;
        }
        for (value, count) in small {
            counts.observe(&value.to_string(), count);
        }
        return Ok(());
    }
    let texts = cast(column, &DataType::Utf8)
        .map_err(|error| Error::internal("a label of a type that no model gives").because(error))?;
    texts
        .as_string::<i32>()
        .iter()
        .flatten()
        .for_each(|label| counts.observe(label, 1));
    Ok(())
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
    use arrow::array::{FixedSizeListArray, Float32Array, ListArray, StringArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Float64Type;

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
        let mut statistics = ScoreStatistics::new(&fields, 0);
        let numbers: ArrayRef = std::sync::Arc::new(Float32Array::from(vec![0.5, 0.25]));
        statistics
            .observe_columns(&[lists.slice(1, 2), numbers])
            .unwrap();
        let described = statistics.described();
        assert!(
            described[0].1.starts_with("mean 4.500, min 3.000")
                && described[0].1.ends_with("max 6.000"),
            "{described:?}"
        );
    }

    #[test]
    fn missing_scores_are_counted_and_left_out_of_every_other_number() {
        let fields = [Field::new("probability", DataType::Float32, true)];
        let mut statistics = ScoreStatistics::new(&fields, 0);
        statistics
            .observe_columns(&[std::sync::Arc::new(Float32Array::from(vec![
                None,
                None::<f32>,
            ]))])
            .unwrap();
        assert_eq!(statistics.described()[0].1, NOTHING_SCORED);
        statistics
            .observe_columns(&[std::sync::Arc::new(Float32Array::from(vec![
                Some(0.5),
                None,
                Some(0.75),
            ]))])
            .unwrap();
        assert!(
            statistics.described()[0]
                .1
                .starts_with("mean 0.6250, min 0.5000"),
            "{:?}",
            statistics.described()
        );
        let value = |metric: &str| {
            statistics
                .facts()
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
        let mut statistics = ScoreStatistics::new(
            &[Field::new("prediction", lists.data_type().clone(), true)],
            0,
        );
        assert_eq!(statistics.described()[0].1, NOTHING_SCORED);
        statistics
            .observe_columns(&[std::sync::Arc::new(lists)])
            .unwrap();
        assert_eq!(statistics.described()[0].1, "none in 2 rows");
    }
}
