//! The distribution of each column that the model adds: numbers by their moments and quantiles,
//! labels by their counts.
//!
//! Every statistic is a function of the values alone, whatever the order or grouping in which they
//! were observed, so threads and batches do not change a report, and shards can be merged.

use std::any::Any;
use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};

use crate::error::{Error, Result};
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};
use crate::statistics::distribution::Distribution;
use crate::statistics::labels::LabelCounts;

/// Statistics of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Statistic {
    /// Of a column of numbers, or lists of numbers.
    Number(Box<Distribution>),
    /// Of a column of labels: how often each came, and how many rows had an answer, which may be a
    /// list without a label.
    Label(LabelCounts, u64),
}

/// Statistics of all columns that the model adds.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreStatistics {
    columns: Vec<(String, Statistic)>,
}

/// Observes the columns that the model adds.
#[derive(Debug)]
pub struct ScoreObserver {
    fields: Vec<Field>,
}

impl ScoreObserver {
    /// The observer of these columns.
    #[must_use]
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }
}

impl Observer for ScoreObserver {
    fn name(&self) -> &'static str {
        "scores"
    }

    fn version(&self) -> u32 {
        1
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::new(ScoreStatistics::new(&self.fields))
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let mut statistics = ScoreStatistics::new(&self.fields);
        statistics.observe(portion.scores)?;
        Ok(Box::new(statistics))
    }

    fn needs_only_scores(&self) -> bool {
        true
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let statistics = ScoreStatistics::read(&mut Reader::new(bytes))?;
        let is_mine = statistics
            .columns
            .iter()
            .map(kind)
            .eq(ScoreStatistics::new(&self.fields).columns.iter().map(kind));
        is_mine.then(|| Box::new(statistics) as Box<dyn Partial>)
    }
}

/// What makes two columns of statistics the same: name and kind.
fn kind((name, statistic): &(String, Statistic)) -> (&str, bool) {
    (name, matches!(statistic, Statistic::Number(_)))
}

impl Partial for ScoreStatistics {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other = other
            .downcast_ref::<Self>()
            .filter(|other| {
                other
                    .columns
                    .iter()
                    .map(kind)
                    .eq(self.columns.iter().map(kind))
            })
            .ok_or_else(|| Error::internal("statistics of other columns"))?;
        for ((_, statistic), (_, other)) in self.columns.iter_mut().zip(&other.columns) {
            statistic.merge(other);
        }
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.columns.len() as u64);
        for (name, statistic) in &self.columns {
            writer.text(name);
            match statistic {
                Statistic::Number(distribution) => {
                    writer.integer(NUMBER);
                    distribution.write(&mut writer);
                }
                Statistic::Label(counts, rows) => {
                    writer.integer(LABEL);
                    counts.write(&mut writer);
                    writer.integer(*rows);
                }
            }
        }
        writer.into_bytes()
    }
}

/// Integer labels below this one are counted in a table.
const FEW_LABELS: usize = 64;

/// The tag of a column of numbers, in bytes.
const NUMBER: u64 = 0;

/// The tag of a column of labels, in bytes.
const LABEL: u64 = 1;

impl ScoreStatistics {
    /// Nothing observed yet, of these columns.
    #[must_use]
    pub fn new(fields: &[Field]) -> Self {
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
            columns: fields
                .iter()
                .map(|field| (field.name().clone(), statistic(field)))
                .collect(),
        }
    }

    /// Takes in values of the columns, in their order.
    ///
    /// # Errors
    /// An internal error if a column is of a type that no model gives.
    pub fn observe(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.columns
            .iter_mut()
            .zip(columns)
            .try_for_each(|((_, statistic), column)| statistic.observe(column))
    }

    /// The columns by their names, in order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Statistic)> {
        self.columns
            .iter()
            .map(|(name, statistic)| (name.as_str(), statistic))
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        let mut columns = Vec::new();
        for _ in 0..reader.length()? {
            let name = reader.text()?.to_owned();
            let statistic = match reader.integer()? {
                NUMBER => Statistic::Number(Box::new(Distribution::read(reader)?)),
                LABEL => Statistic::Label(LabelCounts::read(reader)?, reader.count()?),
                _ => return None,
            };
            columns.push((name, statistic));
        }
        reader.is_at_end().then_some(Self { columns })
    }
}

impl Statistic {
    fn merge(&mut self, other: &Self) {
        match (self, other) {
            (Self::Number(own), Self::Number(other)) => own.merge(other),
            (Self::Label(own, rows), Self::Label(other, more)) => {
                own.merge(other);
                *rows += more;
            }
            _ => {}
        }
    }

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

/// The values that are not missing: what lies behind a missing one is not a score.
fn present(column: &ArrayRef) -> Result<ArrayRef> {
    if column.null_count() == 0 {
        return Ok(column.clone());
    }
    let present = is_not_null(column).and_then(|present| filter(column, &present));
    present.map_err(|error| {
        Error::internal("scores cannot be distinguished from missing ones").because(error)
    })
}

fn observe_labels(counts: &mut LabelCounts, column: &ArrayRef) -> Result<()> {
    if let Some(numbers) = column.as_primitive_opt::<Int64Type>() {
        // Equal labels are counted together: turning each into text would cost more than scoring
        // it. The classes of most models are numbered from 0.
        let mut few = [0_u64; FEW_LABELS];
        let mut others = BTreeMap::new();
        for value in numbers.iter().flatten() {
            match usize::try_from(value)
                .ok()
                .and_then(|index| few.get_mut(index))
            {
                Some(count) => *count += 1,
                None => *others.entry(value).or_insert(0_u64) += 1,
            }
        }
        let few = (0..).zip(few).filter(|(_, count)| *count > 0);
        for (value, count) in few.chain(others) {
            counts.observe(&i64::to_string(&value), count);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float32Array, StringArray};

    use super::*;

    fn observed(numbers: &[f32], labels: &[&str]) -> ScoreStatistics {
        let mut statistics = ScoreStatistics::new(&fields());
        let numbers: ArrayRef = Arc::new(Float32Array::from(numbers.to_vec()));
        let labels: ArrayRef = Arc::new(StringArray::from(labels.to_vec()));
        statistics.observe(&[numbers, labels]).unwrap();
        statistics
    }

    fn fields() -> Vec<Field> {
        vec![
            Field::new("probability", DataType::Float32, true),
            Field::new("label", DataType::Utf8, true),
        ]
    }

    #[test]
    fn parts_that_were_stored_and_read_back_are_the_whole() {
        let observer = ScoreObserver::new(fields());
        let mut merged = observer.empty();
        for (numbers, labels) in [(&[0.25, 0.5][..], &["a", "b"][..]), (&[0.75], &["a"])] {
            let bytes = observed(numbers, labels).to_bytes();
            let part = observer.partial_of(&bytes).unwrap();
            merged.merge(&*part).unwrap();
        }
        let merged: &dyn Any = &*merged;
        assert_eq!(
            merged.downcast_ref(),
            Some(&observed(&[0.25, 0.5, 0.75], &["a", "b", "a"]))
        );
    }

    #[test]
    fn bytes_of_other_columns_or_without_their_end_are_not_taken() {
        let bytes = observed(&[0.5], &["a"]).to_bytes();
        let other = ScoreObserver::new(vec![Field::new("probability", DataType::Float32, true)]);
        assert!(other.partial_of(&bytes).is_none());
        let observer = ScoreObserver::new(fields());
        assert!((0..bytes.len()).all(|end| observer.partial_of(&bytes[..end]).is_none()));
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(observer.partial_of(&longer).is_none());
        let mut mine = observer.empty();
        assert!(mine.merge(&*other.empty()).is_err());
    }
}
