//! Numbers as users read them, on a page and in a terminal alike.
//!
//! Owns how many digits a number has where. The same fact looks the same everywhere, but for the
//! minus sign. It must not know which fact a number is.

use indicatif::HumanCount;

/// What is shown for a number that is not known.
pub const UNKNOWN: &str = "\u{2013}";

/// All digits with commas: `2,001,187`; numbers that are not integers as [`short`].
#[must_use]
pub fn count(value: f64) -> String {
    if value >= 0.0 && value.fract() == 0.0 && value < 9_007_199_254_740_992.0 {
        HumanCount(value as u64).to_string()
    } else {
        short(value)
    }
}

/// A share or a distance between 0 and 1 with so many decimals: `0.214`, `<0.001`, `0`.
#[must_use]
pub fn share(value: f64, decimals: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let shown = format!("{value:.decimals$}");
    let smallest = 10_f64.powi(-(decimals as i32));
    let is_one = shown.parse::<f64>().is_ok_and(|one| one == 1.0);
    if value > 0.0 && value < smallest / 2.0 {
        format!("<{smallest}")
    } else if is_one && value < 1.0 {
        format!(">{}", 1.0 - smallest)
    } else {
        shown
    }
}

/// A share as a percentage: `17.4%`, `0.013%`, `>99.9%`; 0% and 100% only for exactly that.
#[must_use]
pub fn percent(value: f64) -> String {
    let hundredths = 100.0 * value;
    if value == 0.0 {
        "0%".to_owned()
    } else if value == 1.0 {
        "100%".to_owned()
    } else if value > 0.0 && hundredths < 0.1 {
        let digits = decimals(hundredths, 2).min(6);
        if hundredths < 5e-7 {
            "<0.000001%".to_owned()
        } else {
            format!("{hundredths:.digits$}%")
        }
    } else if hundredths < 100.0 && format!("{hundredths:.1}") == "100.0" {
        ">99.9%".to_owned()
    } else {
        format!("{hundredths:.1}%")
    }
}

/// Three significant digits, from 1,000 on all digits before the point: `62.5`, `12,410`, `2.1e-9`.
#[must_use]
pub fn short(value: f64) -> String {
    significant(value, 3)
}

/// So many significant digits, from 1,000 on all digits before the point.
#[must_use]
pub fn significant(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-4..1e12).contains(&size) {
        return format!("{value:.*e}", digits.saturating_sub(1));
    }
    let decimals = decimals(size, digits);
    if decimals > 0 {
        return format!("{value:.decimals$}");
    }
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", HumanCount(size.round() as u64))
}

/// A metric between 0 and 1 with four decimals, others with four significant digits.
#[must_use]
pub fn metric(value: f64) -> String {
    if value.abs() <= 1.0 {
        share(value, 4)
    } else {
        significant(value, 5)
    }
}

/// Seconds with three significant digits: `2.94 s`.
#[must_use]
pub fn seconds(value: f64) -> String {
    format!(
        "{} s",
        if value < 0.001 {
            share(value, 3)
        } else {
            short(value)
        }
    )
}

/// A size in KiB, MiB or GiB: `412 MiB`, `38.2 MiB`.
#[must_use]
pub fn bytes(value: f64) -> String {
    let (unit, name) = match value {
        small if small < 1024.0 => return format!("{} B", count(small.round())),
        small if small < 1024.0 * 1024.0 => (1024.0, "KiB"),
        small if small < 1024.0 * 1024.0 * 1024.0 => (1024.0 * 1024.0, "MiB"),
        _ => (1024.0 * 1024.0 * 1024.0, "GiB"),
    };
    format!("{} {name}", short(value / unit))
}

/// The time as a reader writes it: `2026-11-28 02:10:04Z`.
#[must_use]
pub fn time(rfc3339: &str) -> String {
    rfc3339.replacen('T', " ", 1)
}

/// The day of a time: `2026-11-28`.
#[must_use]
pub fn day(rfc3339: &str) -> &str {
    rfc3339.get(..10).unwrap_or(rfc3339)
}

/// Decimals that show so many significant digits of a number below 10^`digits`.
fn decimals(size: f64, digits: usize) -> usize {
    let before_point = size.log10().floor() as i64 + 1;
    (digits as i64 - before_point).max(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_as_the_manual_states() {
        let shown = [
            count(2_001_187.0),
            share(0.2144, 3),
            share(0.0002, 3),
            share(0.9999, 3),
            share(1.0, 3),
            share(0.0, 3),
            percent(0.174),
            percent(0.000_133),
            percent(0.999_99),
            percent(1.0),
            percent(0.0),
            percent(1e-12),
            short(62.54),
            short(12_410.3),
            short(0.000_700_1),
            short(-1234.0),
            short(2.1e-9),
            short(f64::NAN),
            metric(0.816_02),
            metric(12.3456),
            seconds(2.9412),
            seconds(0.0),
            bytes(432_013_312.0),
            bytes(12.0),
            time("2026-11-28T02:10:04Z"),
        ];
        insta::assert_snapshot!(shown.join(" | "), @r#"2,001,187 | 0.214 | <0.001 | >0.999 | 1.000 | 0 | 17.4% | 0.013% | >99.9% | 100% | 0% | <0.000001% | 62.5 | 12,410 | 0.000700 | -1,234 | 2.10e-9 | NaN | 0.8160 | 12.346 | 2.94 s | 0 s | 412 MiB | 12 B | 2026-11-28 02:10:04Z"#);
    }

    #[test]
    fn no_number_panics() {
        for value in [
            f64::MIN,
            f64::MAX,
            f64::INFINITY,
            -f64::NAN,
            5e-324,
            -0.0,
            1e300,
            -1e-300,
        ] {
            for text in [
                count(value),
                share(value, 3),
                percent(value),
                short(value),
                metric(value),
                seconds(value),
                bytes(value),
            ] {
                assert!(!text.is_empty() && text.len() < 400, "{value}: {text}");
            }
        }
    }
}
