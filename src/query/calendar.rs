//! Dates and timestamps: the Gregorian calendar, spans of time, the parts of a date, and dates as
//! text.
//!
//! A date is days since 1970, a timestamp a number of ticks since then, of a unit that the caller
//! names. What a text says is read exactly or not at all. It must not know columns.

/// Ticks of a second in the unit of most timestamps.
pub(super) const MICROSECONDS: i64 = 1_000_000;

pub(super) const SECONDS_OF_DAY: i64 = 86_400;

/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i64 = 719_468;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// A part of a date or of a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Millennium,
    Century,
    Decade,
    Year,
    IsoYear,
    Quarter,
    Month,
    Week,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl Field {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "millennium" | "millenium" => Self::Millennium,
            "century" => Self::Century,
            "decade" => Self::Decade,
            "year" | "years" => Self::Year,
            "isoyear" => Self::IsoYear,
            "quarter" => Self::Quarter,
            "month" | "months" => Self::Month,
            "week" | "weeks" | "weekofyear" | "isoweek" => Self::Week,
            "day" | "days" | "dayofmonth" => Self::Day,
            "dow" | "dayofweek" | "weekday" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" | "dayofyear" => Self::DayOfYear,
            "hour" | "hours" => Self::Hour,
            "minute" | "minutes" => Self::Minute,
            "second" | "seconds" => Self::Second,
            "millisecond" | "milliseconds" => Self::Millisecond,
            "microsecond" | "microseconds" => Self::Microsecond,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }
}

/// A point in time, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Since 1970.
    pub(super) days: i64,
    /// Of the day.
    pub(super) nanoseconds: i64,
}

impl Moment {
    pub(super) fn of_ticks(ticks: i64, ticks_of_second: i64) -> Self {
        let of_day = SECONDS_OF_DAY * ticks_of_second;
        Self {
            days: ticks.div_euclid(of_day),
            nanoseconds: ticks.rem_euclid(of_day) * (1_000_000_000 / ticks_of_second),
        }
    }

    pub(super) fn ticks(self, ticks_of_second: i64) -> Option<i64> {
        self.days
            .checked_mul(SECONDS_OF_DAY * ticks_of_second)?
            .checked_add(self.nanoseconds / (1_000_000_000 / ticks_of_second))
    }

    fn date(self) -> (i64, i64, i64) {
        civil(self.days)
    }

    /// The part of this name.
    pub(super) fn field(self, field: Field) -> i64 {
        let (year, month, day) = self.date();
        let seconds = self.nanoseconds / 1_000_000_000;
        let subseconds = self.nanoseconds % 60_000_000_000;
        match field {
            Field::Millennium => {
                if year > 0 {
                    (year - 1) / 1_000 + 1
                } else {
                    year / 1_000 - 1
                }
            }
            Field::Century => {
                if year > 0 {
                    (year - 1) / 100 + 1
                } else {
                    year / 100 - 1
                }
            }
            Field::Decade => year / 10,
            Field::Year => year,
            Field::IsoYear => iso_week(self.days).0,
            Field::Quarter => (month - 1) / 3 + 1,
            Field::Month => month,
            Field::Week => iso_week(self.days).1,
            Field::Day => day,
            Field::DayOfWeek => weekday(self.days),
            Field::IsoDayOfWeek => (weekday(self.days) + 6) % 7 + 1,
            Field::DayOfYear => self.days - days_from(year, 1, 1) + 1,
            Field::Hour => seconds / 3_600,
            Field::Minute => seconds / 60 % 60,
            Field::Second => seconds % 60,
            Field::Millisecond => subseconds / 1_000_000,
            Field::Microsecond => subseconds / 1_000,
            Field::Epoch => self.days * SECONDS_OF_DAY + seconds,
        }
    }

    /// The beginning of the part that this moment lies in.
    pub(super) fn truncated(self, field: Field) -> Option<Self> {
        let (year, month, _) = self.date();
        let first = |year, month| Self {
            days: days_from(year, month, 1),
            nanoseconds: 0,
        };
        let within = |unit: i64| Self {
            nanoseconds: self.nanoseconds / unit * unit,
            ..self
        };
        Some(match field {
            Field::Millennium => first(year.div_euclid(1_000) * 1_000, 1),
            Field::Century => first(year.div_euclid(100) * 100, 1),
            Field::Decade => first(year.div_euclid(10) * 10, 1),
            Field::Year => first(year, 1),
            Field::Quarter => first(year, (month - 1) / 3 * 3 + 1),
            Field::Month => first(year, month),
            Field::Week => Self {
                days: self.days - (weekday(self.days) + 6) % 7,
                nanoseconds: 0,
            },
            Field::Day | Field::DayOfWeek | Field::IsoDayOfWeek | Field::DayOfYear => {
                within(SECONDS_OF_DAY * 1_000_000_000)
            }
            Field::Hour => within(3_600_000_000_000),
            Field::Minute => within(60_000_000_000),
            Field::Second | Field::Epoch => within(1_000_000_000),
            Field::Millisecond => within(1_000_000),
            Field::Microsecond => within(1_000),
            Field::IsoYear => return None,
        })
    }

    /// How many borders of the part lie between this moment and a later one.
    pub(super) fn borders(self, later: Self, field: Field) -> Option<i64> {
        let months = |moment: Self| moment.field(Field::Year) * 12 + moment.field(Field::Month) - 1;
        let units = |moment: Self, unit: i64| -> Option<i64> {
            let of_day = SECONDS_OF_DAY * 1_000_000_000 / unit;
            moment
                .days
                .checked_mul(of_day)?
                .checked_add(moment.nanoseconds / unit)
        };
        let count = |of: &dyn Fn(Self) -> Option<i64>| of(later)?.checked_sub(of(self)?);
        match field {
            Field::Millennium => count(&|moment| Some(moment.field(Field::Year).div_euclid(1_000))),
            Field::Century => count(&|moment| Some(moment.field(Field::Year).div_euclid(100))),
            Field::Decade => count(&|moment| Some(moment.field(Field::Year).div_euclid(10))),
            Field::Year => count(&|moment| Some(moment.field(Field::Year))),
            Field::IsoYear => count(&|moment| Some(moment.field(Field::IsoYear))),
            Field::Quarter => count(&|moment| Some(months(moment).div_euclid(3))),
            Field::Month => count(&|moment| Some(months(moment))),
            // Whole weeks, wherever they begin.
            Field::Week => Some(later.days.checked_sub(self.days)? / 7),
            Field::Day | Field::DayOfWeek | Field::IsoDayOfWeek | Field::DayOfYear => {
                count(&|moment| Some(moment.days))
            }
            Field::Hour => count(&|moment| units(moment, 3_600_000_000_000)),
            Field::Minute => count(&|moment| units(moment, 60_000_000_000)),
            Field::Second | Field::Epoch => count(&|moment| units(moment, 1_000_000_000)),
            Field::Millisecond => count(&|moment| units(moment, 1_000_000)),
            Field::Microsecond => count(&|moment| units(moment, 1_000)),
        }
    }

    /// The moment a span later; none beyond the calendar.
    pub(super) fn after(self, span: Span) -> Option<Self> {
        let (year, month, day) = self.date();
        let months = year * 12 + month - 1 + span.months;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        let days =
            days_from(year, month, day.min(length_of(year, month))).checked_add(span.days)?;
        let nanoseconds = i128::from(self.nanoseconds) + i128::from(span.microseconds) * 1_000;
        let of_day = i128::from(SECONDS_OF_DAY) * 1_000_000_000;
        let days = days.checked_add(i64::try_from(nanoseconds.div_euclid(of_day)).ok()?)?;
        let in_calendar = (-300_000_000..300_000_000).contains(&days);
        in_calendar.then_some(Self {
            days,
            nanoseconds: i64::try_from(nanoseconds.rem_euclid(of_day)).ok()?,
        })
    }

    /// `2024-01-31`
    pub(super) fn date_text(self) -> String {
        let (year, month, day) = self.date();
        if year > 0 {
            format!("{year:04}-{month:02}-{day:02}")
        } else {
            format!("{:04}-{month:02}-{day:02} (BC)", 1 - year)
        }
    }

    /// `10:00:00`, and of a fraction the digits that say something.
    pub(super) fn time_text(self) -> String {
        let seconds = self.nanoseconds / 1_000_000_000;
        let clock = format!(
            "{:02}:{:02}:{:02}",
            seconds / 3_600,
            seconds / 60 % 60,
            seconds % 60
        );
        match self.nanoseconds % 1_000_000_000 {
            0 => clock,
            fraction => format!("{clock}.{}", format!("{fraction:09}").trim_end_matches('0')),
        }
    }

    /// The moment as a format of `strftime` says; none for a format with a letter that is not
    /// known.
    pub(super) fn formatted(self, format: &str) -> Option<String> {
        let (year, month, day) = self.date();
        let seconds = self.nanoseconds / 1_000_000_000;
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let mut text = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            let next = letters.next()?;
            let (padding, next) = if next == '-' {
                (0, letters.next()?)
            } else {
                (2, next)
            };
            let number = |value: i64| format!("{value:0padding$}");
            text += &match next {
                'Y' => format!("{year:04}"),
                'y' => number(year.rem_euclid(100)),
                'm' => number(month),
                'd' => number(day),
                'H' => number(hour),
                'I' => number((hour + 11) % 12 + 1),
                'M' => number(minute),
                'S' => number(second),
                'f' => format!("{:06}", self.nanoseconds / 1_000 % 1_000_000),
                'g' => format!("{:03}", self.nanoseconds / 1_000_000 % 1_000),
                'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
                'j' if padding == 0 => self.field(Field::DayOfYear).to_string(),
                'j' => format!("{:03}", self.field(Field::DayOfYear)),
                'a' => WEEKDAYS[weekday(self.days) as usize][..3].to_owned(),
                'A' => WEEKDAYS[weekday(self.days) as usize].to_owned(),
                'b' | 'h' => MONTHS[month as usize - 1][..3].to_owned(),
                'B' => MONTHS[month as usize - 1].to_owned(),
                'u' => self.field(Field::IsoDayOfWeek).to_string(),
                'w' => weekday(self.days).to_string(),
                'V' => format!("{:02}", self.field(Field::Week)),
                'G' => format!("{:04}", self.field(Field::IsoYear)),
                'F' => self.date_text(),
                'T' => format!("{hour:02}:{minute:02}:{second:02}"),
                '%' => "%".to_owned(),
                _ => return None,
            };
        }
        Some(text)
    }
}

/// A length of time, as `INTERVAL` writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) months: i64,
    pub(super) days: i64,
    pub(super) microseconds: i64,
}

impl Span {
    /// `1 day`, `2 years 3 months`, `-90 minutes`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut span = Self::default();
        let mut words = text.split_whitespace();
        let mut is_empty = true;
        while let Some(word) = words.next() {
            let digits = word
                .find(|letter: char| letter.is_ascii_alphabetic())
                .unwrap_or(word.len());
            let (number, unit) = word.split_at(digits);
            let unit = if unit.is_empty() { words.next()? } else { unit };
            let number: i64 = number
                .parse()
                .ok()
                .filter(|value: &i64| value.unsigned_abs() < 1_000_000_000_000)?;
            let unit = unit.to_ascii_lowercase();
            match unit.strip_suffix('s').unwrap_or(&unit) {
                "year" => span.months += number.checked_mul(12)?,
                "quarter" => span.months += number.checked_mul(3)?,
                "month" => span.months += number,
                "week" => span.days += number.checked_mul(7)?,
                "day" => span.days += number,
                "hour" => {
                    span.microseconds = span
                        .microseconds
                        .checked_add(number.checked_mul(3_600 * MICROSECONDS)?)?;
                }
                "minute" => {
                    span.microseconds = span
                        .microseconds
                        .checked_add(number.checked_mul(60 * MICROSECONDS)?)?;
                }
                "second" => {
                    span.microseconds = span
                        .microseconds
                        .checked_add(number.checked_mul(MICROSECONDS)?)?;
                }
                "millisecond" => {
                    span.microseconds =
                        span.microseconds.checked_add(number.checked_mul(1_000)?)?;
                }
                "microsecond" => span.microseconds = span.microseconds.checked_add(number)?,
                _ => return None,
            }
            is_empty = false;
        }
        let is_small = span.months.abs() < 12_000_000 && span.days.abs() < 200_000_000;
        (!is_empty && is_small).then_some(span)
    }

    pub(super) fn negated(self) -> Self {
        Self {
            months: -self.months,
            days: -self.days,
            microseconds: -self.microseconds,
        }
    }
}

/// Days since 1970 of a day of the Gregorian calendar, whose years are counted from March here.
pub(super) fn days_from(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - DAYS_BEFORE_1970
}

/// Year, month and day.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_BEFORE_1970;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (
        year_of_era + era * 400,
        if month < 10 { month + 3 } else { month - 9 },
    );
    (if month <= 2 { year + 1 } else { year }, month, day)
}

pub(super) fn length_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// From Sunday, 0, to Saturday.
fn weekday(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

/// Year and week by ISO 8601: a week belongs to the year of its Thursday.
fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - (weekday(days) + 6) % 7 + 3;
    let (year, ..) = civil(thursday);
    (year, (thursday - days_from(year, 1, 1)) / 7 + 1)
}
