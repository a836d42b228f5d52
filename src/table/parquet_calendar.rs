//! Files whose old dates are of another calendar: Spark's LEGACY mode writes the days before
//! 1582-10-15 by the Julian calendar, and says so in the footer alone.
//!
//! Owns which files may hold such days, and the refusal of a day that is one: other readers, who do
//! not know the footer's key, are up to ten days off. Source: `DataSourceUtils` and
//! `RebaseDateTime` of Spark 4. It must not know how pages are decoded.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use parquet::file::metadata::KeyValue;

use crate::error::Error;

/// 1582-10-15, the first day of the Gregorian calendar, in days since 1970.
const GREGORIAN_DAY: i32 = -141_427;

/// 1900-01-01, before which Spark may have moved instants by the local mean time of its zone, in
/// seconds since 1970.
const FIXED_ZONES: i64 = -2_208_988_800;

const VERSION: &str = "org.apache.spark.version";
const LEGACY_DATES: &str = "org.apache.spark.legacyDateTime";
const LEGACY_INT96: &str = "org.apache.spark.legacyINT96";
const ROWS: &str = "org.apache.spark.sql.parquet.row.metadata";

/// Which columns of a file may hold days of the Julian calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calendar {
    dates: bool,
    int96: bool,
}

impl Calendar {
    /// By the footer's metadata: Spark writes a key in LEGACY mode, and 2.x knew no other.
    pub(super) fn of(metadata: Option<&Vec<KeyValue>>) -> Self {
        let pairs = || metadata.into_iter().flatten();
        let has = |key: &str| pairs().any(|pair| pair.key == key);
        let version = pairs().find(|pair| pair.key == VERSION);
        let is_before = |first: [u32; 2]| match version.and_then(|pair| pair.value.as_deref()) {
            Some(version) => number(version).is_some_and(|version| version < first),
            None => has(ROWS),
        };
        Self {
            dates: has(LEGACY_DATES) || is_before([3, 0]),
            int96: has(LEGACY_INT96) || is_before([3, 1]),
        }
    }

    /// Refuses a column that holds such a day; `is_int96` says how the file holds it.
    pub(super) fn check(self, column: &ArrayRef, is_int96: bool) -> Result<(), Error> {
        let is_asked = if is_int96 { self.int96 } else { self.dates };
        if !is_asked || !holds_old_days(column) {
            return Ok(());
        }
        Err(Error::failed(
            "a date or time lies before the Gregorian calendar, in a file that Spark wrote in its \
             LEGACY mode: other readers take it for another day",
        )
        .hint(
            "write the file again with Spark: \
             `spark.sql.parquet.datetimeRebaseModeInRead=LEGACY`, \
             `spark.sql.parquet.int96RebaseModeInRead=LEGACY` and the same of `InWrite` as \
             `CORRECTED`; or exclude the column with `--passthrough`",
        ))
    }
}

/// The first two parts of a version.
fn number(version: &str) -> Option<[u32; 2]> {
    let mut parts = version.split('.');
    let mut part = || parts.next()?.parse().ok();
    Some([part()?, part()?])
}

/// Whether a day, at any depth, is before the calendars are the same.
fn holds_old_days(column: &ArrayRef) -> bool {
    match column.data_type() {
        DataType::Date32 => any::<Date32Type>(column, |day| day < GREGORIAN_DAY),
        DataType::Timestamp(unit, _) => match unit {
            TimeUnit::Second => any::<TimestampSecondType>(column, |time| time < FIXED_ZONES),
            TimeUnit::Millisecond => {
                any::<TimestampMillisecondType>(column, |time| time < FIXED_ZONES * 1_000)
            }
            TimeUnit::Microsecond => {
                any::<TimestampMicrosecondType>(column, |time| time < FIXED_ZONES * 1_000_000)
            }
            TimeUnit::Nanosecond => {
                any::<TimestampNanosecondType>(column, |time| time < FIXED_ZONES * 1_000_000_000)
            }
        },
        DataType::Struct(_) => column.as_struct().columns().iter().any(holds_old_days),
        DataType::List(_) => holds_old_days(column.as_list::<i32>().values()),
        DataType::LargeList(_) => holds_old_days(column.as_list::<i64>().values()),
        DataType::FixedSizeList(..) => holds_old_days(column.as_fixed_size_list().values()),
        DataType::Map(..) => column
            .as_map()
            .entries()
            .columns()
            .iter()
            .any(holds_old_days),
        _ => false,
    }
}

fn any<T: ArrowPrimitiveType>(column: &ArrayRef, is_old: impl Fn(T::Native) -> bool) -> bool {
    let values = column.as_primitive::<T>();
    values.iter().flatten().any(is_old)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, TimestampMicrosecondArray};

    use super::*;

    fn calendar(pairs: &[(&str, &str)]) -> Calendar {
        let pairs = pairs
            .iter()
            .map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned()));
        Calendar::of(Some(&pairs.collect()))
    }

    #[test]
    fn the_footer_says_whether_spark_wrote_in_its_legacy_mode() {
        for (pairs, dates, int96) in [
            (&[][..], false, false),
            (&[(VERSION, "4.0.0"), (ROWS, "{}")], false, false),
            (&[(VERSION, "3.0.3"), (ROWS, "{}")], false, true),
            (&[(VERSION, "2.4.8"), (ROWS, "{}")], true, true),
            (&[(ROWS, "{}")], true, true),
            (&[(VERSION, "3.5.1"), (LEGACY_DATES, "")], true, false),
            (&[(VERSION, "3.5.1"), (LEGACY_INT96, "")], false, true),
        ] {
            assert_eq!(calendar(pairs), Calendar { dates, int96 }, "{pairs:?}");
        }
        assert_eq!(Calendar::of(None), Calendar::default());
    }

    #[test]
    fn only_days_of_the_other_calendar_are_refused() {
        let dates = |days: Vec<i32>| Arc::new(Date32Array::from(days)) as ArrayRef;
        let times = |seconds: i64| {
            Arc::new(TimestampMicrosecondArray::from(vec![seconds * 1_000_000])) as ArrayRef
        };
        let legacy = Calendar {
            dates: true,
            int96: false,
        };
        assert!(legacy.check(&dates(vec![0, GREGORIAN_DAY]), false).is_ok());
        assert!(
            legacy
                .check(&dates(vec![0, GREGORIAN_DAY - 1]), false)
                .is_err()
        );
        assert!(legacy.check(&times(FIXED_ZONES), false).is_ok());
        assert!(legacy.check(&times(FIXED_ZONES - 1), false).is_err());
        assert!(
            legacy.check(&times(FIXED_ZONES - 1), true).is_ok(),
            "of another key"
        );
        let plain = Calendar::default();
        assert!(plain.check(&dates(vec![GREGORIAN_DAY - 1]), false).is_ok());
    }
}
