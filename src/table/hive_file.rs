//! Files below Hive's directories: `region=north/part-00000.parquet` has a column `region` that
//! says `north` in every row.
//!
//! Owns the columns that directories give: their names, their values, their types. A column of the
//! file's own of the same name must hold the same value. How directories are named is `hive`'s.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, Scalar, StringArray, UInt32Array,
};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::batch::of_columns;
use super::csv_typed::Reading;
use super::demand::Demand;
use super::{ColumnRequest, Portion, Portions, ReadOptions, Start, TableFile};
use crate::error::{Error, Result};
use crate::storage::Identity;

/// A value that a directory's name says; none for null.
pub type Partition = (String, Option<String>);

/// What a column holds that directories give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Integers as users write them: the column is one of integers.
    Integers,
    /// Numbers in another spelling, such as `00` or `1.50`: the column is text, which a model may
    /// read as numbers.
    Numbers,
    /// Text.
    Texts,
}

/// What each column holds that directories give, over all files.
#[must_use]
pub fn kinds<'a>(partitions: impl Iterator<Item = &'a Partition>) -> BTreeMap<String, Kind> {
    let mut kinds = BTreeMap::new();
    for (name, value) in partitions {
        let kind = kinds.entry(name.clone()).or_insert(Kind::Integers);
        let Some(text) = value else { continue };
        let is_integer = text
            .parse::<i64>()
            .is_ok_and(|number| number.to_string() == *text);
        let is_number = || {
            text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '.'))
                && text.parse::<f64>().is_ok()
        };
        *kind = match kind {
            Kind::Integers if is_integer => Kind::Integers,
            Kind::Integers | Kind::Numbers if is_integer || is_number() => Kind::Numbers,
            _ => Kind::Texts,
        };
    }
    kinds
}

/// A file with the columns that its directories give.
#[derive(Debug)]
pub struct HiveFile {
    table: Box<dyn TableFile>,
    /// The columns behind the file's own.
    constants: Vec<Constant>,
    /// The file's own columns that directories name too: both must say the same.
    checked: Vec<Partition>,
}

/// A column of one value.
#[derive(Clone, Debug)]
struct Constant {
    name: String,
    /// An array of one value.
    value: ArrayRef,
}

impl HiveFile {
    /// The file with those of its `partitions` that it has no column for; as it is if there are
    /// none. In text all columns are text, unless `options` give them types.
    ///
    /// # Errors
    /// Fails if a value is not of the type that `options` give its column.
    pub fn of(
        table: Box<dyn TableFile>,
        partitions: &[Partition],
        kinds: &BTreeMap<String, Kind>,
        options: &ReadOptions,
    ) -> Result<Box<dyn TableFile>> {
        let schema = table.schema();
        let own: HashSet<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let (checked, further): (Vec<&Partition>, Vec<&Partition>) =
            partitions.iter().partition(|(name, _)| own.contains(name));
        let constant = |(name, value): &&Partition| {
            let is_integer = !table.is_text()
                && kinds.get(name) == Some(&Kind::Integers)
                && !options.text_columns.contains(name);
            let data_type = options.type_of(name).unwrap_or(if is_integer {
                DataType::Int64
            } else {
                DataType::Utf8
            });
            let text: ArrayRef = Arc::new(StringArray::from(vec![value.as_deref()]));
            let value = if data_type == DataType::Utf8 {
                text
            } else {
                let typed = Reading::default().typed(&text, &data_type);
                typed.map_err(|(_, error)| {
                    error.at_column(name).hint(
                        "the value is in a directory's name: give the column another type with \
                         `--types`",
                    )
                })?
            };
            Ok(Constant {
                name: name.clone(),
                value,
            })
        };
        let constants = further.iter().map(constant).collect::<Result<Vec<_>>>()?;
        let checked: Vec<Partition> = checked.into_iter().cloned().collect();
        Ok(if constants.is_empty() && checked.is_empty() {
            table
        } else {
            Box::new(Self {
                table,
                constants,
                checked,
            })
        })
    }

    fn constant(&self, name: &str) -> Option<&Constant> {
        self.constants.iter().find(|constant| constant.name == name)
    }

    fn own(&self, columns: &[ColumnRequest]) -> Vec<ColumnRequest> {
        columns
            .iter()
            .filter(|column| self.constant(&column.name).is_none())
            .cloned()
            .collect()
    }
}

impl TableFile for HiveFile {
    fn schema(&self) -> SchemaRef {
        let schema = self.table.schema();
        let further = self.constants.iter().map(|constant| {
            Arc::new(Field::new(
                &constant.name,
                constant.value.data_type().clone(),
                true,
            ))
        });
        Arc::new(Schema::new_with_metadata(
            schema
                .fields()
                .iter()
                .cloned()
                .chain(further)
                .collect::<Vec<_>>(),
            schema.metadata().clone(),
        ))
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
            let value = self
                .constant(name)?
                .value
                .as_any()
                .downcast_ref::<Int64Array>()?
                .iter()
                .next()??;
            Some((i128::from(value), i128::from(value)))
        };
        Ok(columns
            .iter()
            .zip(own)
            .map(|(name, own)| own.or_else(|| range(name)))
            .collect())
    }

    fn demands(
        &self,
        columns: &[ColumnRequest],
        options: &[ReadOptions],
        looks_into_pages: bool,
    ) -> Result<Vec<Demand>> {
        self.table
            .demands(&self.own(columns), options, looks_into_pages)
    }

    fn portions(
        &self,
        columns: &[ColumnRequest],
        options: &ReadOptions,
        start: Start,
    ) -> Result<Box<dyn Portions>> {
        let portions = self.table.portions(&self.own(columns), options, start)?;
        let constants = columns.iter().map(|column| {
            let Some(constant) = self.constant(&column.name) else {
                return Ok(None);
            };
            cast(&constant.value, &column.data_type)
                .map(Some)
                .map_err(internal)
        });
        let constants = constants.collect::<Result<Arc<[_]>>>()?;
        let fields = columns
            .iter()
            .map(|column| Field::new(&column.name, column.data_type.clone(), true));
        let value = |column: &ColumnRequest| {
            self.checked
                .iter()
                .find(|(name, _)| *name == column.name)
                .map(|(_, value)| value.clone())
        };
        let checked = columns.iter().map(value).collect();
        Ok(Box::new(HivePortions {
            portions,
            constants,
            checked,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        }))
    }
}

/// The portions of a file, with its constant columns in their positions.
struct HivePortions {
    portions: Box<dyn Portions>,
    /// For each requested column its value, if it is constant.
    constants: Arc<[Option<ArrayRef>]>,
    /// For each requested column of the file's own the value that a directory gives it, if one
    /// does.
    #[expect(
        clippy::option_option,
        reason = "none is not a value in the path, and one of null a null there"
    )]
    checked: Arc<[Option<Option<String>>]>,
    schema: SchemaRef,
}

impl Portions for HivePortions {
    fn next_portion(&mut self, max_rows: u64) -> Option<Result<Portion>> {
        let portion = self.portions.next_portion(max_rows)?;
        let (constants, checked, schema) = (
            Arc::clone(&self.constants),
            Arc::clone(&self.checked),
            self.schema.clone(),
        );
        Some(portion.map(
            |Portion {
                 first_row,
                 row_count,
                 end_byte,
                 decode,
             }| {
                let decode = Box::new(move || {
                    let batch = with_constants(&decode()?, &constants, schema)?;
                    check_values(&batch, &checked, first_row)?;
                    Ok(batch)
                });
                Portion {
                    first_row,
                    row_count,
                    end_byte,
                    decode,
                }
            },
        ))
    }
}

fn with_constants(
    batch: &RecordBatch,
    constants: &[Option<ArrayRef>],
    schema: SchemaRef,
) -> Result<RecordBatch> {
    let first = UInt32Array::from(vec![0; batch.num_rows()]);
    let mut own = batch.columns().iter();
    let columns = constants.iter().map(|constant| match constant {
        Some(value) => take(value, &first, None).map_err(internal),
        None => own
            .next()
            .cloned()
            .ok_or_else(|| Error::internal("a file gave too few columns")),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    of_columns(schema, columns, batch.num_rows()).map_err(internal)
}

/// Checks that columns which are both in the file and in its path say the same: readers differ in
/// which of them they take.
#[expect(
    clippy::option_option,
    reason = "none is not a value in the path, and one of null a null there"
)]
fn check_values(
    batch: &RecordBatch,
    checked: &[Option<Option<String>>],
    first_row: u64,
) -> Result<()> {
    for ((column, field), value) in batch
        .columns()
        .iter()
        .zip(batch.schema().fields())
        .zip(checked)
    {
        let Some(row) = value
            .as_ref()
            .and_then(|value| first_other(column, value.as_deref()))
        else {
            continue;
        };
        let error = Error::failed(
            "the column has one value in the file and another in the directory's name",
        );
        let error = error
            .at_row(first_row + row as u64 + 1)
            .at_column(field.name());
        return Err(error.hint(
            "rename the directory, or name the directory below it as the input, so that only the \
             file's own column is read",
        ));
    }
    Ok(())
}

/// The first row whose value is another than the text stands for in the column's type; none for
/// types that no directory names.
fn first_other(column: &ArrayRef, value: Option<&str>) -> Option<usize> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, value) => cast(column, value).ok()?,
        DataType::LargeUtf8 | DataType::Utf8View => cast(column, &DataType::Utf8).ok()?,
        _ => Arc::clone(column),
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![value]));
    let expected = cast(&text, plain.data_type()).ok()?;
    let others = distinct(&plain, &Scalar::new(expected)).ok()?;
    let spelt_otherwise = |row: usize| {
        let own = plain
            .as_string_opt::<i32>()
            .filter(|own| own.is_valid(row))
            .and_then(|own| own.value(row).trim().parse::<f64>().ok());
        own.is_some() && own == value.and_then(|value| value.parse().ok())
            || value.is_none()
                && plain
                    .as_string_opt::<i32>()
                    .is_some_and(|own| own.value(row).is_empty())
    };
    (0..others.len()).find(|row| others.value(*row) && !spelt_otherwise(*row))
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal("the columns that directories give").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_of_integers_only_if_every_value_is_one_as_users_write_it() {
        let of = |values: &[Option<&str>]| {
            let partitions: Vec<Partition> = values
                .iter()
                .map(|value| ("day".to_owned(), value.map(str::to_owned)))
                .collect();
            kinds(partitions.iter())["day"]
        };
        assert_eq!(
            [
                of(&[Some("20260101"), None, Some("-7"), Some("0")]),
                of(&[None])
            ],
            [Kind::Integers, Kind::Integers]
        );
        for text in ["00123", "-0", "1.0", "9223372036854775808", "1e5", ".5"] {
            assert_eq!(
                of(&[Some("1"), Some(text), Some("2")]),
                Kind::Numbers,
                "{text}"
            );
        }
        for text in [
            "north",
            " 1",
            "+1",
            "",
            "inf",
            "nan",
            "2024-01-31",
            "0x10",
            "1_000",
            "١",
        ] {
            assert_eq!(
                of(&[Some("00"), Some(text), Some("2")]),
                Kind::Texts,
                "{text}"
            );
        }
    }

    #[test]
    fn a_column_of_the_file_must_say_what_its_directory_states() {
        use arrow::array::{BooleanArray, Date32Array, DictionaryArray};
        let columns: [(ArrayRef, &str, Option<usize>); 8] = [
            (Arc::new(Int64Array::from(vec![7, 7, 8])), "07", Some(2)),
            (Arc::new(Int64Array::from(vec![7, 7])), "7", None),
            (
                Arc::new(Int64Array::from(vec![Some(7), None])),
                "7",
                Some(1),
            ),
            (
                Arc::new(StringArray::from(vec!["7", "07", "x"])),
                "07",
                Some(2),
            ),
            (
                Arc::new(StringArray::from(vec!["north", "south"])),
                "north",
                Some(1),
            ),
            (
                Arc::new(Date32Array::from(vec![19_753, 19_754])),
                "2024-01-31",
                Some(1),
            ),
            (
                Arc::new(BooleanArray::from(vec![true, false])),
                "true",
                Some(1),
            ),
            (
                Arc::new(
                    vec!["a", "b"]
                        .into_iter()
                        .collect::<DictionaryArray<arrow::datatypes::Int32Type>>(),
                ),
                "a",
                Some(1),
            ),
        ];
        for (column, value, row) in columns {
            assert_eq!(first_other(&column, Some(value)), row, "{value} {column:?}");
        }
        let nulls: ArrayRef = Arc::new(StringArray::from(vec![None, Some(""), Some("x")]));
        assert_eq!(first_other(&nulls, None), Some(2));
        assert_eq!(first_other(&nulls, Some("x")), Some(0));
    }
}
