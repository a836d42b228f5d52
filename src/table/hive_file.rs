//! Files below Hive's directories: `region=north/part-00000.parquet` has a column `region` that says `north` in every row.
//!
//! Owns the columns that directories give: their names, their values, their types. A column of the file's own of the same name is the one that
//! counts. How directories are named is `hive`'s.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::commit::Identity;
use super::demand::Demand;
use super::{ColumnRequest, Portion, Portions, ReadOptions, Start, TableFile};
use crate::error::{Error, Result};

/// A value that a directory's name says; none for null.
pub type Partition = (String, Option<String>);

/// The type of each column that directories give: integers if every value is one as people write it, else text.
#[must_use]
pub fn types<'a>(partitions: impl Iterator<Item = &'a Partition>) -> BTreeMap<String, DataType> {
    let mut types = BTreeMap::new();
    for (name, value) in partitions {
        let data_type = types.entry(name.clone()).or_insert(DataType::Int64);
        let is_integer = |text: &String| text.parse::<i64>().is_ok_and(|number| number.to_string() == *text);
        if value.as_ref().is_some_and(|text| !is_integer(text)) {
            *data_type = DataType::Utf8;
        }
    }
    types
}

/// A file with the columns that its directories give.
#[derive(Debug)]
pub struct HiveFile {
    table: Box<dyn TableFile>,
    /// The columns behind the file's own.
    constants: Vec<Constant>,
}

/// A column of one value.
#[derive(Clone, Debug)]
struct Constant {
    name: String,
    /// An array of one value.
    value: ArrayRef,
}

impl HiveFile {
    /// The file with those of its `partitions` that it has no column for; as it is if that is none. In text all columns are text.
    ///
    /// # Errors
    /// An internal error if a value is not of its type.
    pub fn of(table: Box<dyn TableFile>, partitions: &[Partition], types: &BTreeMap<String, DataType>) -> Result<Box<dyn TableFile>> {
        let schema = table.schema();
        let own: HashSet<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let further = partitions.iter().filter(|(name, _)| !own.contains(name));
        let constant = |(name, value): &Partition| {
            let data_type = if table.is_text() { &DataType::Utf8 } else { types.get(name).unwrap_or(&DataType::Utf8) };
            let number = value.as_ref().map(|text| text.parse::<i64>()).transpose();
            let value: ArrayRef = match (data_type, number) {
                (DataType::Int64, Ok(number)) => Arc::new(Int64Array::from(vec![number])),
                (DataType::Int64, Err(error)) => return Err(Error::internal("a directory's number").at_column(name).because(error)),
                _ => Arc::new(StringArray::from(vec![value.as_deref()])),
            };
            Ok(Constant { name: name.clone(), value })
        };
        let constants = further.map(constant).collect::<Result<Vec<_>>>()?;
        Ok(if constants.is_empty() { table } else { Box::new(Self { table, constants }) })
    }

    fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.iter().find(|constant| constant.name == name)
    }

    fn own(&self, columns: &[ColumnRequest]) -> Vec<ColumnRequest> {
        columns.iter().filter(|column| self.constant(&column.name).is_none()).cloned().collect()
    }
}

impl TableFile for HiveFile {
    fn schema(&self) -> SchemaRef {
        let schema = self.table.schema();
        let further = self.constants.iter().map(|constant| Arc::new(Field::new(&constant.name, constant.value.data_type().clone(), true)));
        Arc::new(Schema::new_with_metadata(schema.fields().iter().cloned().chain(further).collect::<Vec<_>>(), schema.metadata().clone()))
    }

    fn row_count(&self) -> Option<u64> {
        self.table.row_count()
    }

    fn identity(&self) -> Identity {
        self.table.identity()
    }

    fn row_group_count(&self) -> Option<usize> {
        self.table.row_group_count()
    }

    fn decoded_bytes(&self) -> Option<u64> {
        self.table.decoded_bytes()
    }

    fn is_text(&self) -> bool {
        self.table.is_text()
    }

    fn integer_ranges(&self, columns: &[&str]) -> Result<Vec<Option<(i128, i128)>>> {
        let own = self.table.integer_ranges(columns)?;
        let range = |name: &str| {
            let value = self.constant(name)?.value.as_any().downcast_ref::<Int64Array>()?.iter().next()??;
            Some((i128::from(value), i128::from(value)))
        };
        Ok(columns.iter().zip(own).map(|(name, own)| own.or_else(|| range(name))).collect())
    }

    fn demands(&self, columns: &[ColumnRequest], options: &[ReadOptions], looks_into_pages: bool) -> Result<Vec<Demand>> {
        self.table.demands(&self.own(columns), options, looks_into_pages)
    }

    fn portions(&self, columns: &[ColumnRequest], options: &ReadOptions, start: Start) -> Result<Box<dyn Portions>> {
        let portions = self.table.portions(&self.own(columns), options, start)?;
        let constants = columns.iter().map(|column| {
            let Some(constant) = self.constant(&column.name) else { return Ok(None) };
            cast(&constant.value, &column.data_type).map(Some).map_err(internal)
        });
        let constants = constants.collect::<Result<Arc<[_]>>>()?;
        let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
        Ok(Box::new(HivePortions { portions, constants, schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())) }))
    }
}

/// The portions of a file, with its constant columns in their places.
struct HivePortions {
    portions: Box<dyn Portions>,
    /// For each requested column its value, if it is constant.
    constants: Arc<[Option<ArrayRef>]>,
    schema: SchemaRef,
}

impl Portions for HivePortions {
    fn next_portion(&mut self, most_rows: u64) -> Option<Result<Portion>> {
        let portion = self.portions.next_portion(most_rows)?;
        let (constants, schema) = (Arc::clone(&self.constants), self.schema.clone());
        Some(portion.map(|Portion { first_row, row_count, end_byte, decode }| {
            let decode = Box::new(move || with_constants(&decode()?, &constants, schema));
            Portion { first_row, row_count, end_byte, decode }
        }))
    }
}

fn with_constants(batch: &RecordBatch, constants: &[Option<ArrayRef>], schema: SchemaRef) -> Result<RecordBatch> {
    let first = UInt32Array::from(vec![0; batch.num_rows()]);
    let mut own = batch.columns().iter();
    let columns = constants.iter().map(|constant| match constant {
        Some(value) => take(value, &first, None).map_err(internal),
        None => own.next().cloned().ok_or_else(|| Error::internal("a file gave too few columns")),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new_with_options(schema, columns, &RecordBatchOptions::new().with_row_count(Some(batch.num_rows()))).map_err(internal)
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal("the columns that directories give").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_of_integers_only_if_every_value_is_one_as_people_write_it() {
        let of = |values: &[Option<&str>]| {
            let partitions: Vec<Partition> = values.iter().map(|value| ("day".to_owned(), value.map(str::to_owned))).collect();
            types(partitions.iter())["day"].clone()
        };
        assert_eq!([of(&[Some("20260101"), None, Some("-7"), Some("0")]), of(&[None])], [DataType::Int64, DataType::Int64]);
        for text in ["00123", "+1", "-0", "1.0", "9223372036854775808", "north", " 1"] {
            assert_eq!(of(&[Some("1"), Some(text)]), DataType::Utf8, "{text}");
        }
    }
}
