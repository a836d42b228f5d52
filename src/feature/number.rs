//! Numbers as users write them in text: what they stand for, to the last bit.
//!
//! Owns the reading of a number from text. Most numbers of a table are a sign, some digits and
//! perhaps a point: those whose digits a double holds exactly, over a power of ten that it holds
//! exactly too, are one division, which IEEE 754 rounds correctly (the fast path of W.
//! Clinger, "How to read floating point numbers accurately", 1990). All others are the standard
//! library's. It must not know columns or policies.
//!
//! What was tried, on a million floats of seven to nine digits (ns for a number, on a busy machine,
//! in one run): the standard library alone 30; all sixteen characters in one register of 128 bits,
//! the point squeezed out, 25; **the whole part digit by digit, of the rest eight at once** 18.

/// Characters of a number after its sign, at most: their digits are below 10^16, and a double holds
/// the powers of ten that they may be divided by.
const MAX_CHARACTERS: usize = 16;

/// What moves a number up by so many digits.
const SHIFTS: [u64; 9] = [
    1,
    10,
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

/// What a number of so many digits after its point is divided by.
const POWERS: [f64; MAX_CHARACTERS] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// Every integer up to here is a double.
const WHOLE: u64 = 1 << 53;

/// A number as users write it: decimal or scientific, `inf`, or a boolean; blanks around it do
/// not matter.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    match text {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => plain(text.as_bytes()).or_else(|| text.parse().ok()),
    }
}

/// The number that a sign, at most sixteen digits and a point stand for, if it is exact or
/// correctly rounded in one step; none says nothing of the text.
#[inline]
#[must_use]
pub(super) fn plain(text: &[u8]) -> Option<f64> {
    let is_negative = text.first() == Some(&b'-');
    let text = &text[usize::from(is_negative)..];
    if text.len() > MAX_CHARACTERS {
        return None;
    }
    let whole_count = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let whole = text[..whole_count]
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    let (value, indices) = match &text[whole_count..] {
        [] => (whole, 0),
        [b'.', fraction @ ..] if fraction.len() <= 8 => (
            whole * SHIFTS[fraction.len()] + last_digits(text, fraction.len())?,
            fraction.len(),
        ),
        [b'.', fraction @ ..] => {
            let first = eight_digits(u64::from_le_bytes(*fraction.first_chunk()?))?;
            let rest = fraction.len() - 8;
            (
                (whole * SHIFTS[8] + first) * SHIFTS[rest] + last_digits(text, rest)?,
                fraction.len(),
            )
        }
        _ => return None,
    };
    // A point alone is not a number, and an empty text neither.
    if value > WHOLE || text.len() == usize::from(whole_count < text.len()) {
        return None;
    }
    let value = value as f64 / POWERS[indices];
    Some(if is_negative { -value } else { value })
}

/// The number of the last digits, at most eight of them, if they are digits.
#[inline]
fn last_digits(text: &[u8], count: usize) -> Option<u64> {
    const ZEROS: u64 = u64::from_le_bytes([b'0'; 8]);
    if let Some(last) = text.last_chunk() {
        // What stands before the digits becomes zeros.
        let expected = if count == 0 {
            0
        } else {
            u64::MAX << (8 * (8 - count))
        };
        return eight_digits(u64::from_le_bytes(*last) & expected | ZEROS & !expected);
    }
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    text[text.len() - count..]
        .iter()
        .try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
}

/// The number of eight digits, the first in the lowest byte, if they are eight digits: neighbours
/// are put together, then pairs, then fours.
#[inline]
fn eight_digits(text: u64) -> Option<u64> {
    let digits = text.wrapping_sub(0x3030_3030_3030_3030);
    // Above `9` the addition reaches the highest bit, below `0` the subtraction does; a byte that
    // borrows is itself no digit.
    if (text.wrapping_add(0x4646_4646_4646_4646) | digits) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn booleans_blanks_and_what_the_standard_library_reads_are_numbers() {
        for (text, value) in [
            (" 1.5\t", 1.5),
            ("True", 1.0),
            ("FALSE", 0.0),
            ("1e3", 1000.0),
            ("+7", 7.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse(text), Some(value), "{text}");
        }
        assert!(parse("NaN").unwrap().is_nan());
        assert_eq!(parse("-0").unwrap().to_bits(), (-0.0_f64).to_bits());
        for text in [
            "",
            " ",
            ".",
            "-",
            "-.",
            "1,5",
            "1_000",
            "0x1",
            "--1",
            "1-",
            "1.2.3",
            "12345678x",
            "1234567/",
            "1234567:",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_fast_path_takes_what_tables_are_full_of() {
        for text in [
            "0",
            "-2.1744983",
            "0.46018675",
            "1",
            "-12.5",
            "1234567",
            "123.4567",
            "9007199254740992",
            "0.00000000000001",
        ] {
            assert_eq!(
                plain(text.as_bytes()).map(f64::to_bits),
                text.parse().ok().map(f64::to_bits),
                "{text}"
            );
            assert!(plain(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "9007199254740993",
            "12345678901234567",
            "0.000000000000000",
            "1e5",
            "+1",
            "",
            "-",
            ".",
            "-.",
            "1.2.3",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn any_text_is_the_number_that_the_standard_library_reads(
            text in "-?[0-9]{0,12}[.]?[0-9]{0,12}[e:/x]?",
            other in "[-+.0-9e:/]{0,10}",
        ) {
            for text in [text, other] {
                prop_assert_eq!(
                    parse(&text).map(f64::to_bits),
                    text.parse::<f64>().ok().map(f64::to_bits),
                    "{}",
                    text
                );
            }
        }

        #[test]
        fn any_number_comes_back(
            single in any::<f32>(),
            double in any::<f64>(),
            whole in any::<i64>(),
        ) {
            for text in [
                single.to_string(),
                double.to_string(),
                whole.to_string(),
                format!("{double:.6}"),
                format!("{single:.3}"),
            ] {
                prop_assert_eq!(
                    parse(&text).map(f64::to_bits),
                    text.parse::<f64>().ok().map(f64::to_bits),
                    "{}",
                    text
                );
            }
        }
    }
}
