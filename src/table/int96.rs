//! Times of the type INT96: 12 bytes of nanoseconds and a Julian day, as Spark, Hive and Impala
//! write them, made timestamps without losing one.
//!
//! Such a column can hold any nanosecond of any year; a timestamp in nanoseconds ends in the year
//! 2262, one in microseconds drops digits. Owns the choice of the unit by what a file holds, and
//! the conversion, which refuses a value that does not fit.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, GenericListArray, MapArray, OffsetSizeTrait,
    PrimitiveArray, StructArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, TimeUnit};

use super::cast::cast_column;
use super::parquet_annotation::INT96_BYTES;
use crate::error::{Error, Result};

/// The Julian day of 1970-01-01.
const EPOCH_DAY: i128 = 2_440_588;

const NANOSECONDS_OF_DAY: i128 = 86_400_000_000_000;

/// Nanoseconds since 1970: of UTC where Spark wrote the file, else of a clock without a time zone.
fn nanoseconds(value: &[u8]) -> Option<i128> {
    let (time, day) = value.split_at_checked(8)?;
    let time = i64::from_le_bytes(time.try_into().ok()?);
    // Days before the first Julian one are written as negative numbers by some.
    let day = i32::from_le_bytes(day.try_into().ok()?);
    Some((i128::from(day) - EPOCH_DAY) * NANOSECONDS_OF_DAY + i128::from(time))
}

/// What the values of a column need of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    nanoseconds: bool,
    far_years: bool,
}

impl Needs {
    /// Looks at the values of a column, at any depth.
    pub(super) fn look(&mut self, column: &dyn Array) {
        if let Some(values) = column
            .as_fixed_size_binary_opt()
            .filter(|values| values.value_length() == INT96_BYTES)
        {
            for instant in values.iter().flatten().filter_map(nanoseconds) {
                self.nanoseconds |= instant % 1_000 != 0;
                self.far_years |= i64::try_from(instant).is_err();
            }
        } else if let Some(values) = column.as_struct_opt() {
            values.columns().iter().for_each(|column| self.look(column));
        } else if let Some(lists) = column.as_list_opt::<i32>() {
            self.look(lists.values());
        } else if let Some(lists) = column.as_list_opt::<i64>() {
            self.look(lists.values());
        } else if let Some(maps) = column.as_map_opt() {
            maps.entries()
                .columns()
                .iter()
                .for_each(|column| self.look(column));
        }
    }

    /// The unit that holds all of them, or else as many years as there are.
    pub(super) fn unit(self) -> TimeUnit {
        if self.nanoseconds && !self.far_years {
            TimeUnit::Nanosecond
        } else {
            TimeUnit::Microsecond
        }
    }

    /// Whether looking further cannot change the unit.
    pub(super) fn is_settled(self) -> bool {
        self.far_years
    }
}

/// Whether a column of the first type is one of 12 bytes that the second type asks for as times.
fn is_time(own: &DataType, expected: &DataType) -> bool {
    matches!(
        (own, expected),
        (
            DataType::FixedSizeBinary(INT96_BYTES),
            DataType::Timestamp(..)
        )
    )
}

/// Whether there are such times at some depth.
pub(super) fn has_times(own: &DataType, expected: &DataType) -> bool {
    match (own, expected) {
        (DataType::Struct(own), DataType::Struct(expected)) => own
            .iter()
            .zip(expected)
            .any(|(own, expected)| has_times(own.data_type(), expected.data_type())),
        (DataType::List(own), DataType::List(expected))
        | (DataType::LargeList(own), DataType::LargeList(expected))
        | (DataType::Map(own, _), DataType::Map(expected, _)) => {
            has_times(own.data_type(), expected.data_type())
        }
        _ => is_time(own, expected),
    }
}

/// The column with its times as timestamps; none if it has none.
///
/// # Errors
/// Fails at a time that the unit cannot hold.
pub(super) fn with_timestamps(column: &ArrayRef, expected: &DataType) -> Option<Result<ArrayRef>> {
    has_times(column.data_type(), expected).then(|| converted(column, expected))
}

fn converted(column: &ArrayRef, expected: &DataType) -> Result<ArrayRef> {
    let odd = || Error::internal("a column is not of its own type");
    let wrong = |error| Error::internal("times that do not fit their lists").because(error);
    match (column.data_type(), expected) {
        (DataType::FixedSizeBinary(_), DataType::Timestamp(unit, zone)) => timestamps(
            column.as_fixed_size_binary_opt().ok_or_else(odd)?,
            *unit,
            zone.as_ref(),
        ),
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let values = column.as_struct_opt().ok_or_else(odd)?;
            let columns = values
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| cast_column(column, field.data_type()))
                .collect::<Result<_>>()?;
            Ok(Arc::new(
                StructArray::try_new(fields.clone(), columns, values.nulls().cloned())
                    .map_err(wrong)?,
            ))
        }
        (DataType::List(_), DataType::List(item)) => {
            list(column.as_list_opt::<i32>().ok_or_else(odd)?, item)
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            list(column.as_list_opt::<i64>().ok_or_else(odd)?, item)
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let maps = column.as_map_opt().ok_or_else(odd)?;
            let pairs: ArrayRef = Arc::new(maps.entries().clone());
            let pairs = cast_column(&pairs, entries.data_type())?;
            let pairs = pairs.as_struct_opt().ok_or_else(odd)?.clone();
            Ok(Arc::new(
                MapArray::try_new(
                    Arc::clone(entries),
                    maps.offsets().clone(),
                    pairs,
                    maps.nulls().cloned(),
                    *sorted,
                )
                .map_err(wrong)?,
            ))
        }
        _ => Err(odd()),
    }
}

fn list<O: OffsetSizeTrait>(
    lists: &GenericListArray<O>,
    item: &arrow::datatypes::FieldRef,
) -> Result<ArrayRef> {
    let values = cast_column(lists.values(), item.data_type())?;
    let lists = GenericListArray::<O>::try_new(
        Arc::clone(item),
        lists.offsets().clone(),
        values,
        lists.nulls().cloned(),
    );
    Ok(Arc::new(lists.map_err(|error| {
        Error::internal("times that do not fit their lists").because(error)
    })?))
}

fn timestamps(
    values: &FixedSizeBinaryArray,
    unit: TimeUnit,
    zone: Option<&Arc<str>>,
) -> Result<ArrayRef> {
    let zone = zone.cloned();
    let tick = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    let ticks = values
        .iter()
        .map(|value| value.map(|value| exact(value, tick)).transpose());
    let ticks = ticks.collect::<Result<Vec<Option<i64>>>>()?;
    let array: PrimitiveArray<arrow::datatypes::Int64Type> = ticks.into_iter().collect();
    let (_, ticks, nulls) = array.into_parts();
    Ok(match unit {
        TimeUnit::Nanosecond => {
            Arc::new(TimestampNanosecondArray::new(ticks, nulls).with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(TimestampMicrosecondArray::new(ticks, nulls).with_timezone_opt(zone))
        }
        TimeUnit::Millisecond => {
            Arc::new(TimestampMillisecondArray::new(ticks, nulls).with_timezone_opt(zone))
        }
        TimeUnit::Second => {
            Arc::new(TimestampSecondArray::new(ticks, nulls).with_timezone_opt(zone))
        }
    })
}

fn exact(value: &[u8], tick: i128) -> Result<i64> {
    let instant = nanoseconds(value).ok_or_else(|| Error::internal("a time of another length"))?;
    let hint = "exclude the column with `--passthrough`, or write the file with timestamps that \
                are not INT96";
    if instant % tick != 0 {
        let reason =
            "the column holds years that a timestamp in nanoseconds cannot hold, and nanoseconds";
        return Err(
            Error::contract(format!("cannot read an INT96 time exactly: {reason}")).hint(hint),
        );
    }
    i64::try_from(instant / tick).map_err(|_| {
        Error::contract("cannot read an INT96 time exactly: its year is too far away").hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve bytes as Spark and pyarrow write them.
    fn time(nanoseconds: i64, day: i32) -> Vec<u8> {
        [nanoseconds.to_le_bytes().as_slice(), &day.to_le_bytes()].concat()
    }

    fn column(values: &[Option<Vec<u8>>]) -> ArrayRef {
        Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                values.iter().cloned(),
                INT96_BYTES,
            )
            .unwrap(),
        )
    }

    #[test]
    fn years_from_1_to_9999_come_out_as_they_went_in() {
        // 9999-12-31 23:59:59, 0001-01-01, 1970-01-01 00:00:00.000001, null: the days by pyarrow's
        // writer.
        let values = [
            Some(time(86_399_000_000_000, 5_373_484)),
            Some(time(0, 1_721_426)),
            Some(time(1_000, 2_440_588)),
            None,
        ];
        let column = column(&values);
        let mut needs = Needs::default();
        needs.look(&column);
        assert_eq!(needs.unit(), TimeUnit::Microsecond);
        let found =
            cast_column(&column, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap();
        let found: Vec<Option<i64>> = found
            .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
            .iter()
            .collect();
        assert_eq!(
            found,
            [
                Some(253_402_300_799_000_000),
                Some(-62_135_596_800_000_000),
                Some(1),
                None
            ]
        );
        let error =
            cast_column(&column, &DataType::Timestamp(TimeUnit::Nanosecond, None)).unwrap_err();
        assert_eq!(
            error.message(),
            "cannot read an INT96 time exactly: its year is too far away"
        );
    }

    #[test]
    fn nanoseconds_are_kept_and_never_dropped() {
        let fine = column(&[Some(time(123_456_789, 2_440_588))]);
        let mut needs = Needs::default();
        needs.look(&fine);
        assert_eq!(
            (needs.unit(), needs.is_settled()),
            (TimeUnit::Nanosecond, false)
        );
        let found = cast_column(&fine, &DataType::Timestamp(TimeUnit::Nanosecond, None)).unwrap();
        assert_eq!(
            found
                .as_primitive::<arrow::datatypes::TimestampNanosecondType>()
                .value(0),
            123_456_789
        );
        let error =
            cast_column(&fine, &DataType::Timestamp(TimeUnit::Microsecond, None)).unwrap_err();
        assert!(
            error.message().ends_with("cannot hold, and nanoseconds"),
            "{error}"
        );
    }
}
