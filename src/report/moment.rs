//! Times of a profile as texts to read.
//!
//! Owns the layout of dates, times of day and durations. It must not know where they are shown.

use arrow::temporal_conversions::timestamp_us_to_datetime;

use super::number;
use crate::monitor::number_column::MICROSECONDS_OF_DAY;
use crate::monitor::profile::Kind;

/// What a date says of its first instant.
const MIDNIGHT: &str = " 00:00:00";

/// A time that a column of this kind holds, in microseconds: `2026-01-31 10:00:00`, `10:00:00`,
/// `90 s`. None of other kinds, and beyond the calendar.
#[must_use]
pub fn text(kind: Kind, microseconds: f64) -> Option<String> {
    let moment = || timestamp_us_to_datetime(microseconds.round() as i64);
    match kind {
        Kind::Times => Some(moment()?.to_string()),
        Kind::TimesOfDay if microseconds.round() == MICROSECONDS_OF_DAY as f64 => {
            Some("24:00:00".to_owned())
        }
        Kind::TimesOfDay => Some(moment()?.time().to_string()),
        Kind::Durations => Some(format!("{} s", number::short(microseconds / 1e6))),
        Kind::Numbers | Kind::Categories | Kind::Untyped | Kind::Other => None,
    }
}

/// A number of a column as a text to read: a time of columns of times, else by `number`.
#[must_use]
pub fn or_number(kind: Option<Kind>, value: f64, number: impl Fn(f64) -> String) -> String {
    let time = kind.and_then(|kind| text(kind, value));
    time.map_or_else(
        || number(value),
        |time| without_midnight(&without_fraction(&time)),
    )
}

/// A time without parts of a second.
fn without_fraction(text: &str) -> String {
    match text.rsplit_once('.') {
        Some((seconds, rest)) if rest.bytes().all(|byte| byte.is_ascii_digit()) => {
            seconds.to_owned()
        }
        _ => text.to_owned(),
    }
}

/// A date that is the same without its first instant.
#[must_use]
pub fn without_midnight(text: &str) -> String {
    text.strip_suffix(MIDNIGHT).unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_and_clocks() {
        let shown = |kind, value: f64| text(kind, value);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown(Kind::Times, 1_767_225_600e6),
            some("2026-01-01 00:00:00")
        );
        assert_eq!(shown(Kind::Times, -1.0), some("1969-12-31 23:59:59.999999"));
        assert_eq!(shown(Kind::Times, 1e300), None);
        assert_eq!(shown(Kind::TimesOfDay, 82_801e6), some("23:00:01"));
        assert_eq!(shown(Kind::TimesOfDay, 86_400e6), some("24:00:00"));
        assert_eq!(shown(Kind::Durations, -90e6), some("-90.0 s"));
        assert_eq!(shown(Kind::Numbers, 1.0), None);
        assert_eq!(without_midnight("2026-01-01 00:00:00"), "2026-01-01");
    }
}
