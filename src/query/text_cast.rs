//! What texts mean to `CAST`: more forms than literals may have, as `DuckDB` reads them.
//!
//! A text that `DuckDB`'s versions read differently, or that has no counterpart here, is unclear:
//! it stops the expression under `TRY_CAST` too, so that its row does not fall out of a filter
//! unseen. It must not know columns.

use std::borrow::Cow;

use arrow::datatypes::DataType;

use super::calendar::{Moment, SECONDS_OF_DAY, days_from, length_of};

/// The most digits of a number that is read exactly.
const MAX_DIGITS: usize = 60;

const NANOSECONDS: i64 = 1_000_000_000;

/// Texts that stand for a time in `DuckDB`, and for none here.
const TIMES_APART: [&str; 5] = ["epoch", "infinity", "-infinity", "inf", "-inf"];

/// An integer: in digits, with a fraction and an exponent, in hexadecimal or binary digits.
pub(super) fn integer(text: &str) -> Option<i128> {
    let start = text.trim_start();
    for (prefixes, radix) in [(["0x", "0X"], 16), (["0b", "0B"], 2)] {
        let digits = prefixes
            .iter()
            .find_map(|prefix| start.strip_prefix(prefix));
        if let Some(digits) = digits {
            let is_digit = |byte: u8| char::from(byte).is_digit(radix);
            let digits = without_underscores(digits, is_digit)?;
            let is_plain = digits.bytes().all(is_digit);
            return i128::from_str_radix(&digits, radix)
                .ok()
                .filter(|_| is_plain);
        }
    }
    decimal(text, 0)
}

/// A number as digits at a scale; a half is rounded away from 0.
pub(super) fn decimal(text: &str, scale: i8) -> Option<i128> {
    let text = number(text)?;
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(index) => (&text[..index], text[index + 1..].parse::<i16>().ok()?),
        None => (&*text, 0),
    };
    let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_number = whole.len() + fraction.len() > 0
        && whole
            .bytes()
            .chain(fraction.bytes())
            .all(|byte| byte.is_ascii_digit());
    if !is_number || whole.len() + fraction.len() > MAX_DIGITS {
        return None;
    }
    // More digits than a number of this type can hold decide at most its rounding.
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let digits: i128 = if digits.is_empty() {
        0
    } else {
        digits.parse().ok()?
    };
    let own = i16::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    let value = if digits == 0 {
        0
    } else {
        super::conversion::rescaled(digits, i8::try_from(own).ok()?, scale)?
    };
    Some(if is_negative { -value } else { value })
}

/// A number in double precision.
pub(super) fn double(text: &str) -> Option<f64> {
    number(text)?.parse().ok()
}

/// A number in single precision; one that is too large is infinite.
pub(super) fn single(text: &str) -> Option<f32> {
    number(text)?.parse().ok()
}

/// The text without blanks around it and without the underscores between its digits.
fn number(text: &str) -> Option<Cow<'_, str>> {
    without_underscores(text.trim(), |byte| byte.is_ascii_digit())
}

/// None where an underscore is not between two digits.
fn without_underscores(text: &str, is_digit: impl Fn(u8) -> bool) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let digit_at = |index: usize| bytes.get(index).is_some_and(|byte| is_digit(*byte));
    let is_between =
        |index: usize| index.checked_sub(1).is_some_and(digit_at) && digit_at(index + 1);
    let mut all = text.bytes().enumerate().filter(|(_, byte)| *byte == b'_');
    all.all(|(index, _)| is_between(index))
        .then(|| Cow::Owned(text.replace('_', "")))
}

/// The days of a date, or of the date of a timestamp.
pub(super) fn date(text: &str) -> Option<i32> {
    let (days, rest) = day(text.trim_start())?;
    if !rest.trim().is_empty() {
        time_of_day(rest)?;
    }
    i32::try_from(days).ok()
}

/// The moment of a date or of a timestamp without a zone.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let (days, rest) = day(text.trim_start())?;
    if rest.is_empty() {
        return Some(Moment {
            days,
            nanoseconds: 0,
        });
    }
    let (nanoseconds, has_zone) = time_of_day(rest)?;
    let of_day = SECONDS_OF_DAY * NANOSECONDS;
    (!has_zone).then(|| Moment {
        // 24:00 is the next day.
        days: days + nanoseconds / of_day,
        nanoseconds: nanoseconds % of_day,
    })
}

/// Whether a text stands for a time that is none here, or not in all of `DuckDB`'s versions.
pub(super) fn is_unclear(text: &str, target: &DataType) -> bool {
    let is_timestamp = matches!(target, DataType::Timestamp(..));
    if !is_timestamp && *target != DataType::Date32 {
        return false;
    }
    let text = text.trim();
    let lower = text.to_ascii_lowercase();
    let is_apart = TIMES_APART.contains(&lower.as_str()) || lower.ends_with("(bc)");
    let before_year_0 = text.strip_prefix('-').and_then(day).is_some();
    let has_zone = || {
        let found = day(text).and_then(|(_, rest)| time_of_day(&rest.to_ascii_uppercase()));
        found.is_some_and(|(_, has_zone)| has_zone)
    };
    is_apart || before_year_0 || is_timestamp && has_zone()
}

/// The days that a text begins with, and what follows: `2024-01-31`, `2024/1/31`, `2024 1 31`.
fn day(text: &str) -> Option<(i64, &str)> {
    let (year, rest) = digits(text, 1..=7)?;
    let separator = rest.chars().next().filter(|it| " -/\\".contains(*it))?;
    let (month, rest) = digits(&rest[1..], 1..=2)?;
    let (day, rest) = digits(rest.strip_prefix(separator)?, 1..=2)?;
    let is_valid = (1..=12).contains(&month) && (1..=length_of(year, month)).contains(&day);
    is_valid.then(|| (days_from(year, month, day), rest))
}

/// Nanoseconds of the day, and whether a zone follows: ` 10:00`, `T1:2:3.25`, ` 24:00:00+02`.
fn time_of_day(text: &str) -> Option<(i64, bool)> {
    let text = text.strip_prefix('T').or_else(|| {
        text.starts_with(char::is_whitespace)
            .then(|| text.trim_start())
    })?;
    let (hours, rest) = digits(text, 1..=2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 1..=2)?;
    let (seconds, fraction, rest) = match rest.strip_prefix(':') {
        Some(rest) => {
            let (seconds, rest) = digits(rest, 1..=2)?;
            let (fraction, rest) = rest.strip_prefix('.').map_or((0, rest), fraction);
            (seconds, fraction, rest)
        }
        None => (0, 0, rest),
    };
    let nanoseconds = (hours * 3_600 + minutes * 60 + seconds) * NANOSECONDS + fraction;
    let is_valid =
        minutes < 60 && seconds < 60 && (hours < 24 || nanoseconds == SECONDS_OF_DAY * NANOSECONDS);
    is_valid.then_some(())?;
    Some((nanoseconds, is_zone(rest)?))
}

/// Nanoseconds of the digits after a point; those after the ninth don't count.
fn fraction(text: &str) -> (i64, &str) {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    let nine = format!("{:0<9}", &digits[..count.min(9)]);
    (nine.parse().unwrap_or(0), rest)
}

/// Whether the end of a time of day is a zone; none if it is something else.
fn is_zone(text: &str) -> Option<bool> {
    let zone = text.trim();
    if zone.is_empty() {
        return Some(false);
    }
    let is_name = text.starts_with(char::is_whitespace)
        && zone
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    let is_offset = || {
        let parts: Vec<&str> = zone.strip_prefix(['+', '-'])?.split(':').collect();
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        let is_digits = zone[1..]
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':');
        let is_known = matches!(lengths.as_slice(), [2 | 4] | [2, 2] | [2, 2, 2]);
        (is_digits && is_known).then_some(true)
    };
    if zone == "Z" || is_name && zone.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Some(true);
    }
    is_offset()
}

/// The number of the digits that a text begins with, if they are so many.
fn digits(text: &str, counts: std::ops::RangeInclusive<usize>) -> Option<(i64, &str)> {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    let value = digits.parse().ok().filter(|_| counts.contains(&count))?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        let found = moment(text)?;
        Some(format!("{} {}", found.date_text(), found.time_text()))
    }

    /// Texts and what `DuckDB` 2.0.1 reads them as.
    #[test]
    fn dates_and_timestamps_are_read_as_duckdb_reads_them() {
        for (text, expected) in [
            ("2024-1-5", Some("2024-01-05 00:00:00")),
            ("2024/01/05", Some("2024-01-05 00:00:00")),
            ("2024 01 05", Some("2024-01-05 00:00:00")),
            ("2024\\1\\5", Some("2024-01-05 00:00:00")),
            ("24-1-5", Some("0024-01-05 00:00:00")),
            (" 2024-01-05", Some("2024-01-05 00:00:00")),
            ("2024-01-31 1:2:3", Some("2024-01-31 01:02:03")),
            ("2024-01-31 1:2", Some("2024-01-31 01:02:00")),
            ("2024-01-31T10:00:00.", Some("2024-01-31 10:00:00")),
            ("2024-01-31\t10:00:00 ", Some("2024-01-31 10:00:00")),
            ("2024-01-31  10:00:00.5", Some("2024-01-31 10:00:00.5")),
            ("2024-01-31 24:00:00", Some("2024-02-01 00:00:00")),
            ("2024-01-31 24:00:01", None),
            ("2024-01-31 23:60:00", None),
            ("2024-01-31 10:00.5", None),
            ("2024-01-31 10", None),
            ("2024-01-31T", None),
            ("2024-01-31 ", None),
            ("2024-01-31t10:00:00", None),
            ("2024-01/05", None),
            ("2024-001-05", None),
            ("2024-01-005", None),
            ("2023-02-29", None),
            ("2024-1-5x", None),
            ("+2024-01-05", None),
            ("20240105", None),
            ("", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text:?}");
        }
        let fine = moment("2024-01-31 10:00:00.1234567891").unwrap();
        assert_eq!(fine.nanoseconds % NANOSECONDS, 123_456_789);
    }

    #[test]
    fn a_date_is_what_a_timestamp_begins_with_whatever_its_zone() {
        for text in [
            "2024-01-31",
            "2024-01-31 ",
            "2024-1-31 23:00:00-02",
            "2024-01-31 10:00:00 Europe/Berlin",
            "2024-01-31T10:00:00Z",
            "2024-01-31 24:00:00",
        ] {
            assert_eq!(date(text), Some(19_753), "{text:?}");
        }
        for text in [
            "2024-01-31 x",
            "2024-01-31 10:00:00+2",
            "2024-01-31 10:00:00+02:3",
        ] {
            assert_eq!(date(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_versions_read_differently_is_unclear() {
        let timestamp = DataType::Timestamp(TimeUnit::Microsecond, None);
        for text in [
            "2024-01-31T10:00:00Z",
            "2024-01-31 10:00:00+02",
            "2024-01-31 10:00:00 +02:30",
            "2024-01-31 10:00:00+0230",
            "2024-01-31 10:00:00 UTC",
            "2024-01-31 10:00:00 europe/berlin",
            "epoch",
            "Infinity",
            "-2024-01-05",
            "2024-01-05 (BC)",
        ] {
            assert!(is_unclear(text, &timestamp), "{text:?}");
            assert_eq!(moment(text), None, "{text:?}");
        }
        for text in [
            "2024-01-31",
            "soon",
            "",
            "2024-01-31 10:00:00",
            "\u{e4}",
            "-5",
        ] {
            assert!(!is_unclear(text, &timestamp), "{text:?}");
        }
        assert!(!is_unclear("2024-01-31 10:00:00+02", &DataType::Date32));
        assert!(!is_unclear("inf", &DataType::Float64));
    }

    /// Texts and what `DuckDB` 2.0.1 reads them as.
    #[test]
    fn numbers_are_read_as_duckdb_reads_them() {
        for (text, expected) in [
            ("0x10", Some(16)),
            (" 0X1F", Some(31)),
            ("0x1_0", Some(16)),
            ("0b101", Some(5)),
            ("0B1_0", Some(2)),
            ("0xFFFFFFFFFFFFFFFF", Some(i128::from(u64::MAX))),
            ("1_000", Some(1_000)),
            ("1_000.5_5", Some(1_001)),
            ("-1_0", Some(-10)),
            ("1_0e1", Some(100)),
            ("1e0_1", Some(10)),
            ("+5", Some(5)),
            ("-0x10", None),
            ("+0x10", None),
            ("0x10 ", None),
            ("0x", None),
            ("0x_1", None),
            ("0x+1", None),
            ("0b102", None),
            ("0o17", None),
            ("_1", None),
            ("1_", None),
            ("1__0", None),
            ("1_.5", None),
            ("1._5", None),
            ("1e_1", None),
        ] {
            assert_eq!(integer(text), expected, "{text:?}");
        }
        assert_eq!(decimal("1_000.5", 3), Some(1_000_500));
        assert_eq!((double("1_000.5"), double("0x10")), (Some(1_000.5), None));
        assert_eq!(
            (single("1e40"), single("-1e40")),
            (Some(f32::INFINITY), Some(f32::NEG_INFINITY))
        );
    }
}
