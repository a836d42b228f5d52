//! Times as users write them: a date, or a date and a time of day, UTC.
//!
//! Owns the spelling. It must not know what happened then.

use crate::error::{Error, Result};

/// The seconds since 1970 of `2026-11-01` (at 00:00), `2026-11-01T06:00Z` or
/// `2026-11-01T06:00:00Z`.
///
/// # Errors
/// A usage error for another text; `flag` names where it was written.
pub fn seconds(text: &str, flag: &str) -> Result<u64> {
    parse(text).ok_or_else(|| {
        Error::usage(format!("`{flag} {text}` is not a date or a time")).hint(format!(
            "write `{flag} 2026-11-01` or `{flag} 2026-11-01T06:00:00Z` (UTC)"
        ))
    })
}

fn parse(text: &str) -> Option<u64> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = match time.len() {
        5 => {
            let [hour, minute] = numbers(time, ':', [2, 2])?;
            [hour, minute, 0]
        }
        _ => numbers(time, ':', [2, 2, 2])?,
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(is_leap),
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn numbers<const COUNT: usize>(
    text: &str,
    separator: char,
    lengths: [usize; COUNT],
) -> Option<[u64; COUNT]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let mut numbers = [0; COUNT];
    if parts.len() != COUNT {
        return None;
    }
    for ((number, part), length) in numbers.iter_mut().zip(parts).zip(lengths) {
        if part.len() != length || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    Some(numbers)
}

/// Days since 1970-01-01 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::rfc3339;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        for seconds in (0..4_102_444_800).step_by(7_654_321) {
            assert_eq!(parse(&rfc3339(seconds)), Some(seconds));
        }
        assert_eq!(parse("2026-11-01"), Some(1_793_491_200));
        assert_eq!(
            parse("2026-11-01T06:30Z"),
            Some(1_793_491_200 + 6 * 3600 + 30 * 60)
        );
        assert_eq!(parse("2024-02-29"), Some(1_709_164_800));
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-01",
            "2026-1-1",
            "2026-11-01T06:00",
            "2026-11-01T24:00:00Z",
            "2026-11-01 06:00:00",
            "1969-12-31",
            "2026-11-01T06:00:00+01:00",
            "-2026-11-01",
            "2026-11-+1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(
            seconds("yesterday", "--as-of").unwrap_err().message(),
            "`--as-of yesterday` is not a date or a time"
        );
    }
}
