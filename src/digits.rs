//! The shortest digits that give a float back, as Python, pandas and `DuckDB` write them.
//!
//! Owns the choice between two texts that are as short and as near: the even one. It must not know
//! layouts: what it returns has an exponent, `5.1533e2`.

use std::fmt::LowerExp;
use std::str::FromStr;

/// Fewer digits than these are never between two neighbours: of single and of double precision.
const TIED_DIGITS: [usize; 2] = [8, 16];

/// The digits of a double, with an exponent.
#[must_use]
pub fn of_double(value: f64) -> String {
    even(value, TIED_DIGITS[1])
}

/// The digits of a float in single precision, with an exponent.
#[must_use]
pub fn of_single(value: f32) -> String {
    even(value, TIED_DIGITS[0])
}

fn even<T: Copy + LowerExp + FromStr + PartialEq>(value: T, tied_digits: usize) -> String {
    let shortest = format!("{value:e}");
    let mantissa = shortest.split('e').next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if digits < tied_digits {
        return shortest;
    }
    // The exact value, rounded to as many digits: halves to even.
    let rounded = format!("{value:.decimals$e}", decimals = digits - 1);
    let has_exponent = rounded.split('e').next_back() == shortest.split('e').next_back();
    let is_value = rounded.parse().is_ok_and(|parsed: T| parsed == value);
    if has_exponent && is_value {
        rounded
    } else {
        shortest
    }
}

/// The digits of a double without an exponent.
#[must_use]
pub fn plain(value: f64) -> String {
    let text = of_double(value);
    let plain = value.to_string();
    let digits: Vec<u8> = text
        .split('e')
        .next()
        .unwrap_or_default()
        .bytes()
        .filter(u8::is_ascii_digit)
        .collect();
    // The layout is that of the other text, which has as many digits.
    let is_before = |byte: &u8| !(b'1'..=b'9').contains(byte);
    let start = plain.bytes().take_while(is_before).count();
    let mut digits = digits.into_iter();
    let shown = plain.bytes().enumerate().map(|(index, byte)| {
        if index >= start && byte.is_ascii_digit() {
            digits.next().unwrap_or(byte)
        } else {
            byte
        }
    });
    shown.map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_even_as_in_python() {
        // Python 3.11: repr(value)
        for (value, expected) in [
            (f64::from(515.333_3_f32), "515.3333129882812"),
            (f64::from(-515.333_3_f32), "-515.3333129882812"),
            (0.1, "0.1"),
            (0.3, "0.3"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e300, &format!("1{}", "0".repeat(300))),
            (1e-7, "0.0000001"),
            (1.0 / 3.0, "0.3333333333333333"),
            (f64::from(0.1_f32), "0.10000000149011612"),
            (f64::from(77.7_f32), "77.69999694824219"),
        ] {
            assert_eq!(plain(value), expected);
            assert_eq!(plain(value).parse::<f64>(), Ok(value));
        }
        assert_eq!(of_single(16_777_216.0), "1.6777216e7");
        assert_eq!(of_double(0.0), "0e0");
    }

    #[test]
    fn every_text_gives_its_number_back() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = crate::statistics::hash::spread(state);
            let double = f64::from_bits(state);
            if double.is_finite() {
                assert_eq!(of_double(double).parse::<f64>(), Ok(double));
                assert_eq!(plain(double).parse::<f64>(), Ok(double));
            }
            let single = f32::from_bits(state as u32);
            if single.is_finite() {
                assert_eq!(of_single(single).parse::<f32>(), Ok(single));
            }
        }
    }
}
