//! How numbers are written in delimited text: the decimal mark, and what separates thousands.
//!
//! Owns the step from such a number to the same number with a point. It must not parse numbers.

use std::borrow::Cow;

use crate::error::{Error, Result};

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberFormat {
    decimal: char,
    thousands: Option<char>,
}

impl Default for NumberFormat {
    fn default() -> Self {
        Self {
            decimal: '.',
            thousands: None,
        }
    }
}

impl NumberFormat {
    /// Numbers with this mark before their fraction and this one between groups of digits.
    ///
    /// # Errors
    /// A usage error if both are one, or if one is a digit, a sign or a letter.
    pub fn new(decimal: char, thousands: Option<char>) -> Result<Self> {
        let is_mark = |mark: char| !mark.is_alphanumeric() && !matches!(mark, '+' | '-' | '"');
        let wrong = |flag: &str, mark: char| {
            Error::usage(format!("`{flag} {mark}`: not a mark that numbers can hold"))
        };
        if !is_mark(decimal) || decimal.is_whitespace() {
            return Err(wrong("--decimal", decimal).hint("such as `--decimal ,`"));
        }
        match thousands {
            Some(mark) if !is_mark(mark) => {
                Err(wrong("--thousands", mark).hint("such as `--thousands .`"))
            }
            Some(mark) if mark == decimal => {
                let error = Error::usage(format!(
                    "`{mark}` cannot be both the decimal mark and the separator of thousands"
                ));
                Err(error.hint(if mark == '.' {
                    "pass `--decimal ,` too if a comma is the decimal mark"
                } else {
                    "name the mark of each, such as `--decimal , --thousands .`"
                }))
            }
            thousands => Ok(Self { decimal, thousands }),
        }
    }

    /// Whether numbers are written with a point and without separators.
    #[must_use]
    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    /// The same number with a point and without separators; none if the text is not written so.
    /// What has no digit, such as `inf`, is left as it is.
    #[must_use]
    pub fn plain(self, text: &str) -> Option<Cow<'_, str>> {
        if self.is_plain() {
            return Some(Cow::Borrowed(text));
        }
        let text = text.trim();
        if !text.contains(|character: char| character.is_ascii_digit()) {
            return Some(Cow::Borrowed(text));
        }
        let mantissa_end = text.find(['e', 'E']).unwrap_or(text.len());
        let (mantissa, exponent) = text.split_at(mantissa_end);
        let (whole, fraction) = mantissa
            .split_once(self.decimal)
            .map_or((mantissa, None), |(whole, fraction)| {
                (whole, Some(fraction))
            });
        let mut number = self.without_separators(whole)?;
        if let Some(fraction) = fraction {
            if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            number.push('.');
            number.push_str(fraction);
        }
        number.push_str(exponent);
        Some(Cow::Owned(number))
    }

    /// The whole part, a sign and digits, whose separators stand where groups of digits end: the
    /// last group has three, the others two (as in India) or three, the first at least one.
    fn without_separators(self, whole: &str) -> Option<String> {
        let (sign, digits) = match whole.strip_prefix(['+', '-']) {
            Some(digits) => (&whole[..1], digits),
            None => ("", whole),
        };
        let are_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
        let Some(mark) = self.thousands.filter(|mark| digits.contains(*mark)) else {
            return are_digits(digits).then(|| whole.to_owned());
        };
        let groups: Vec<&str> = digits.split(mark).collect();
        let (first, last) = (groups.first()?, groups.last()?);
        let middle = &groups[1..groups.len() - 1];
        let is_grouped = (1..=3).contains(&first.len())
            && last.len() == 3
            && middle.iter().all(|group| matches!(group.len(), 2 | 3));
        (is_grouped && groups.iter().all(|group| are_digits(group)))
            .then(|| format!("{sign}{}", groups.concat()))
    }
}

/// What to type if a text is a number in another format than the plain one; `None` if it is not.
#[must_use]
pub fn other_format(text: &str) -> Option<&'static str> {
    let reads = |decimal, thousands| {
        let format = NumberFormat { decimal, thousands };
        let has_mark = text.contains(|character| {
            character == decimal && decimal != '.' || Some(character) == thousands
        });
        has_mark
            && format
                .plain(text)
                .is_some_and(|number| number.parse::<f64>().is_ok())
    };
    match (reads(',', None), reads('.', Some(','))) {
        (true, true) => Some(
            "if the comma is the decimal mark, pass `--decimal ,`; if it separates thousands, \
             `--thousands ,`",
        ),
        (true, false) => Some("the comma looks like a decimal mark: pass `--decimal ,`"),
        (false, true) => {
            Some("the comma looks like a separator of thousands: pass `--thousands ,`")
        }
        _ if reads(',', Some('.')) => {
            Some("the number looks like a European one: pass `--decimal , --thousands .`")
        }
        _ if reads('.', Some(' ')) => Some("a space separates thousands: pass `--thousands ' '`"),
        _ if reads('.', Some('\'')) => {
            Some("an apostrophe separates thousands: pass `--thousands \"'\"`")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_other_positions_are_written_with_a_point() {
        let plain = |decimal, thousands, text| {
            NumberFormat::new(decimal, thousands)
                .unwrap()
                .plain(text)
                .map(Cow::into_owned)
        };
        // pandas.read_csv reads the same numbers with `decimal` and `thousands`; where it joins
        // groups of any size, we refuse.
        for (decimal, thousands, text, number) in [
            (',', None, "0,5", Some("0.5")),
            (',', None, " -1,25e3 ", Some("-1.25e3")),
            (',', None, "7", Some("7")),
            (',', None, ",5", Some(".5")),
            (',', None, "5,", Some("5.")),
            (',', None, "inf", Some("inf")),
            (',', None, "1.5", None),
            (',', None, "1,5,0", None),
            (',', Some('.'), "1.234.567,8", Some("1234567.8")),
            (',', Some('.'), "1234,5", Some("1234.5")),
            (',', Some('.'), "1.5", None),
            ('.', Some(','), "-1,234", Some("-1234")),
            ('.', Some(','), "12,34,567.5", Some("1234567.5")),
            ('.', Some(','), "1,5", None),
            ('.', Some(','), "1,2345", None),
            ('.', Some(','), ",234", None),
            ('.', Some('\''), "1'234'567", Some("1234567")),
            ('.', Some('\u{202f}'), "1\u{202f}234", Some("1234")),
            ('.', None, "1,5", Some("1,5")),
        ] {
            assert_eq!(plain(decimal, thousands, text).as_deref(), number, "{text}");
        }
    }

    #[test]
    fn marks_that_numbers_need_otherwise_are_refused() {
        for (decimal, thousands) in [
            (',', Some(',')),
            ('5', None),
            ('.', Some('-')),
            ('e', None),
            (' ', None),
            ('.', Some('.')),
        ] {
            assert_eq!(
                NumberFormat::new(decimal, thousands).unwrap_err().kind(),
                crate::error::Kind::Usage
            );
        }
    }

    #[test]
    fn the_flag_for_a_number_of_another_format_is_suggested() {
        let flags = [
            "0,5", "1,234", "1,234.5", "1.234,5", "1 234", "abc", "", "1.5", "a,5",
        ]
        .map(other_format);
        let has = |index: usize, flag: &str| flags[index].is_some_and(|text| text.contains(flag));
        assert!(
            has(0, "--decimal ,")
                && has(1, "--thousands ,")
                && has(1, "--decimal ,")
                && has(2, "--thousands ,")
        );
        assert!(has(3, "--decimal , --thousands .") && has(4, "--thousands ' '"));
        assert!(flags[5..].iter().all(Option::is_none));
    }
}
