//! Dates and timestamps as texts: read exactly or not at all.
//!
//! Owns the ISO form that stands in expressions and the formats of `strptime`. It must not know
//! columns.

use super::calendar::{MICROSECONDS, MONTHS, Moment, days_from, length_of};

/// Whether `strptime` knows every letter of a format.
pub(super) fn is_readable(format: &str) -> bool {
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter == '%'
            && !letters
                .next()
                .is_some_and(|next| "YymdHIMSfpbBhFT%".contains(next))
        {
            return false;
        }
    }
    true
}

/// The moment that a text stands for in a format that [`is_readable`].
pub(super) fn read(text: &str, format: &str) -> Option<Moment> {
    let format = format.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S");
    let (
        mut year,
        mut month,
        mut day,
        mut hour,
        mut minute,
        mut second,
        mut nanoseconds,
        mut is_afternoon,
    ) = (1900, 1, 1, 0, 0, 0, 0, None);
    let mut rest = text;
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            rest = rest.strip_prefix(letter)?;
            continue;
        }
        match letters.next()? {
            'Y' => year = leading(&mut rest, 4)?,
            'y' => {
                year = leading(&mut rest, 2).map(|short| {
                    if short < 69 {
                        2000 + short
                    } else {
                        1900 + short
                    }
                })?;
            }
            'm' => month = leading(&mut rest, 2)?,
            'd' => day = leading(&mut rest, 2)?,
            'H' | 'I' => hour = leading(&mut rest, 2)?,
            'M' => minute = leading(&mut rest, 2)?,
            'S' => second = leading(&mut rest, 2)?,
            'f' => {
                let before = rest.len();
                let digits = leading(&mut rest, 9)?;
                nanoseconds = digits * 10_i64.pow(9 - (before - rest.len()) as u32);
            }
            'p' => {
                let half = rest.get(..2)?;
                is_afternoon = Some(if half.eq_ignore_ascii_case("pm") {
                    true
                } else if half.eq_ignore_ascii_case("am") {
                    false
                } else {
                    return None;
                });
                rest = &rest[2..];
            }
            'B' => (month, rest) = named_month(rest, |name| name)?,
            'b' | 'h' => (month, rest) = named_month(rest, |name| &name[..3])?,
            '%' => rest = rest.strip_prefix('%')?,
            _ => return None,
        }
    }
    if let Some(is_afternoon) = is_afternoon {
        hour = (1..=12)
            .contains(&hour)
            .then_some(hour % 12 + if is_afternoon { 12 } else { 0 })?;
    }
    let is_whole = rest.is_empty()
        && (1..=12).contains(&month)
        && (1..=length_of(year, month.clamp(1, 12))).contains(&day);
    let is_time = hour < 24 && minute < 60 && second < 60;
    (is_whole && is_time).then(|| Moment {
        days: days_from(year, month, day),
        nanoseconds: (hour * 3_600 + minute * 60 + second) * 1_000_000_000 + nanoseconds,
    })
}

/// The number of the digits that a text begins with, at most so many; they are taken off.
fn leading(rest: &mut &str, most: usize) -> Option<i64> {
    let count = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let (digits, behind) = rest.split_at(count);
    *rest = behind;
    digits.parse().ok()
}

fn named_month(text: &str, short: impl Fn(&'static str) -> &'static str) -> Option<(i64, &str)> {
    let is_there = |name: &str| {
        text.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    let index = MONTHS.iter().position(|name| is_there(short(name)))?;
    Some((index as i64 + 1, &text[short(MONTHS[index]).len()..]))
}

/// A point in time as a text gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant {
    /// Of the clock that the text reads.
    pub(super) moment: Moment,
    pub(super) has_time: bool,
    /// That clock's lead over UTC, where the text says so.
    pub(super) offset_seconds: Option<i64>,
}

/// `2024-01-31`, then perhaps `T` or a space and `10:00`, `10:00:00` or `10:00:00.123456789`, then
/// perhaps `Z` or `+02:00`.
pub(super) fn instant(text: &str) -> Option<Instant> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split('-');
    let (year, month, day) = (
        digits(parts.next()?, 4)?,
        digits(parts.next()?, 2)?,
        digits(parts.next()?, 2)?,
    );
    if parts.next().is_some()
        || !(1..=12).contains(&month)
        || !(1..=length_of(year, month)).contains(&day)
    {
        return None;
    }
    let days = days_from(year, month, day);
    if rest.is_empty() {
        return Some(Instant {
            moment: Moment {
                days,
                nanoseconds: 0,
            },
            has_time: false,
            offset_seconds: None,
        });
    }
    let (clock, offset_seconds) = without_zone(rest.strip_prefix(['T', ' '])?)?;
    let (whole, fraction) = clock
        .split_once('.')
        .map_or((clock, None), |(whole, fraction)| (whole, Some(fraction)));
    let parts = whole
        .split(':')
        .map(|part| digits(part, 2))
        .collect::<Option<Vec<i64>>>()?;
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] if fraction.is_none() => (*hours, *minutes, 0),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return None,
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let fraction = match fraction {
        None => 0,
        Some(text) => digits(text, text.len().max(1))?
            .checked_mul(10_i64.pow(9_u32.checked_sub(u32::try_from(text.len()).ok()?)?))?,
    };
    let nanoseconds = (hours * 3_600 + minutes * 60 + seconds) * 1_000_000_000 + fraction;
    Some(Instant {
        moment: Moment { days, nanoseconds },
        has_time: true,
        offset_seconds,
    })
}

/// The time of day, and the zone's lead in seconds.
fn without_zone(text: &str) -> Option<(&str, Option<i64>)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, Some(0)));
    }
    let Some(index) = text.find(['+', '-']) else {
        return Some((text, None));
    };
    let (clock, zone) = text.split_at(index);
    let (hours, minutes) = zone[1..].split_once(':')?;
    let lead = digits(hours, 2)? * 3_600 + digits(minutes, 2)? * 60;
    Some((
        clock,
        Some(if zone.starts_with('-') { -lead } else { lead }),
    ))
}

/// The number that exactly `count` digits stand for.
fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A date without a time of day.
pub(super) fn date_of(text: &str) -> Option<i32> {
    let found = instant(text).filter(|found| !found.has_time)?;
    i32::try_from(found.moment.days).ok()
}

/// A date and perhaps a time of day without a zone, in microseconds and not finer.
pub(super) fn timestamp_of(text: &str) -> Option<i64> {
    let found = instant(text)
        .filter(|found| found.offset_seconds.is_none() && found.moment.nanoseconds % 1_000 == 0)?;
    found.moment.ticks(MICROSECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::compute::kernels::cast_utils::Parser;
    use arrow::datatypes::Date32Type;
    use proptest::prelude::*;

    #[test]
    fn texts_are_read_exactly_or_not_at_all() {
        assert_eq!(
            [
                date_of("1970-01-01"),
                date_of("2024-02-29"),
                date_of("0000-03-01")
            ],
            [Some(0), Some(19_782), Some(-719_468)]
        );
        let second = 1_706_695_200;
        assert_eq!(
            timestamp_of("2024-01-31 10:00"),
            Some(second * MICROSECONDS)
        );
        assert_eq!(
            timestamp_of("2024-01-31T10:00:00.5"),
            Some(second * MICROSECONDS + 500_000)
        );
        for text in [
            "2024-01-31 00:00:00",
            "2023-02-29",
            "2024-1-31",
            "soon",
            "2024-01-3\u{e4}",
        ] {
            assert_eq!(date_of(text), None, "{text}");
        }
        for text in [
            "2024-01-31 10:00:00.0000001",
            "2024-01-31 10:00:00Z",
            "2024-01-31 24:00:00",
            "2024-01-31 10:00:00.",
        ] {
            assert_eq!(timestamp_of(text), None, "{text}");
        }
        assert_eq!(
            instant("2024-01-31 12:30:00+02:30").unwrap().offset_seconds,
            Some(9_000)
        );
    }

    #[test]
    fn formats_are_written_and_read_back() {
        let moment = Moment {
            days: date_of("2024-02-05").unwrap().into(),
            nanoseconds: (15 * 3_600 + 4 * 60 + 9) * 1_000_000_000,
        };
        for (format, text) in [
            ("%d.%m.%Y", "05.02.2024"),
            ("%-d/%-m/%y", "5/2/24"),
            ("%I:%M %p, %b", "03:04 PM, Feb"),
            ("%F %T", "2024-02-05 15:04:09"),
        ] {
            assert_eq!(moment.formatted(format).as_deref(), Some(text));
        }
        assert_eq!(read("2024-02-05 15:04:09", "%F %T"), Some(moment));
        assert_eq!(
            read("5.2.2024 3PM", "%d.%m.%Y %I%p").map(|found| found.nanoseconds),
            Some(15 * 3_600 * 1_000_000_000)
        );
        assert_eq!(
            [
                read("30.02.2024", "%d.%m.%Y"),
                read("5.2.2024x", "%d.%m.%Y")
            ],
            [None; 2]
        );
        assert!(is_readable("%d. %B %Y") && !is_readable("%Q") && !is_readable("%"));
    }

    proptest! {
        #[test]
        fn dates_are_the_days_that_arrow_counts(
            year in 0_u32..10_000,
            month in 0_u32..14,
            day in 0_u32..33,
        ) {
            let text = format!("{year:04}-{month:02}-{day:02}");
            let days = date_of(&text);
            prop_assert_eq!(days, Date32Type::parse(&text), "{}", text);
            if let Some(days) = days.filter(|_| year > 0) {
                prop_assert_eq!(
                    Moment {
                        days: days.into(),
                        nanoseconds: 0
                    }
                    .date_text(),
                    text
                );
            }
        }
    }
}
