//! Functions of texts.
//!
//! Positions count characters from 1. What a function makes is bounded, value by value and for a
//! batch: an expression must not take the machine's memory. It must not know expressions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array};
use arrow::datatypes::{DataType, Int64Type};
use unicode_segmentation::UnicodeSegmentation;

use super::conversion::convert;
use super::made_text::MadeText;
use super::value::{Fault, Outcome, Value, name_of};

/// What `TRIM` removes unless it is named: Unicode's separators of words. Tabs and line ends stay.
const SPACES: &str = " \u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\u{2005}\u{2006}\
                      \u{2007}\u{2008}\u{2009}\u{200a}\u{202f}\u{205f}\u{3000}";

/// The longest text that a function may make, in bytes.
const LONGEST_TEXT: usize = 1 << 20;

/// The function of this name.
pub(super) fn call(name: &'static str, arguments: &[Value], row_count: usize) -> Outcome<Value> {
    let is_constant = arguments.iter().all(|argument| argument.is_constant);
    let count = if is_constant { 1 } else { row_count };
    let array = match name {
        "||" | "concat" | "concat_ws" => joined(name, arguments, count)?,
        _ => {
            let columns = arguments
                .iter()
                .enumerate()
                .map(|(slot, value)| Column::new(name, slot, value))
                .collect::<Outcome<Vec<_>>>()?;
            apply(name, &columns, count)?
        }
    };
    Ok(Value::computed(array, is_constant))
}

/// An argument: texts or integers, one for each row or a single one for all.
struct Column {
    array: ArrayRef,
    is_constant: bool,
}

impl Column {
    fn new(name: &'static str, slot: usize, value: &Value) -> Outcome<Self> {
        let wants_number = match name {
            "left" | "right" | "repeat" | "lpad" | "rpad" => slot == 1,
            "substring" => slot >= 1,
            "split_part" => slot == 2,
            _ => false,
        };
        let expected = if wants_number {
            DataType::Int64
        } else {
            DataType::Utf8
        };
        if *value.data_type() != expected && *value.data_type() != DataType::Null {
            let what = if wants_number { "an integer" } else { "a text" };
            let fault = Fault::new(format!(
                "argument {} of `{}` is {what}, not {}",
                slot + 1,
                name.to_uppercase(),
                name_of(value.data_type())
            ));
            return Err(fault.hint(if wants_number {
                "cut it with `CAST(… AS BIGINT)`"
            } else {
                "make a text of it with `CAST(… AS VARCHAR)`"
            }));
        }
        Ok(Self {
            array: value.typed(&expected).array,
            is_constant: value.is_constant,
        })
    }

    /// Where the value of a row is.
    fn index(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }

    fn is_null(&self, row: usize) -> bool {
        self.array.is_null(self.index(row))
    }

    fn text(&self, row: usize) -> &str {
        let texts = self.array.as_string_opt::<i32>();
        texts.map_or("", |texts| texts.value(self.index(row)))
    }

    fn number(&self, row: usize) -> i64 {
        let numbers = self.array.as_primitive_opt::<Int64Type>();
        numbers.map_or(0, |numbers| numbers.value(self.index(row)))
    }
}

fn apply(name: &'static str, columns: &[Column], count: usize) -> Outcome<ArrayRef> {
    let is_null = |row: usize| columns.iter().any(|column| column.is_null(row));
    let rows = || (0..count).map(|row| (!is_null(row)).then_some(row));
    let text = |slot: usize, row: usize| columns[slot].text(row);
    let tests = |test: fn(&str, &str) -> bool| -> Outcome<ArrayRef> {
        Ok(Arc::new(
            rows()
                .map(|row| row.map(|row| test(text(0, row), text(1, row))))
                .collect::<BooleanArray>(),
        ))
    };
    let counts = |of: &dyn Fn(usize) -> i64| -> Outcome<ArrayRef> {
        Ok(Arc::new(
            rows().map(|row| row.map(of)).collect::<Int64Array>(),
        ))
    };
    match name {
        "starts_with" => return tests(|text, other| text.starts_with(other)),
        "ends_with" => return tests(|text, other| text.ends_with(other)),
        "contains" => return tests(|text, other| text.contains(other)),
        "length" => return counts(&|row| text(0, row).chars().count() as i64),
        "octet_length" => return counts(&|row| text(0, row).len() as i64),
        "strpos" => return counts(&|row| position(text(0, row), text(1, row))),
        _ => {}
    }
    let mut made = MadeText::new(count);
    for row in rows() {
        match row {
            None => made.push(None)?,
            Some(row) => made.push(Some(&[&make(name, columns, row)?]))?,
        }
    }
    made.finish()
}

/// One text.
fn make(name: &'static str, columns: &[Column], row: usize) -> Outcome<String> {
    let text = columns[0].text(row);
    let number = |slot: usize| columns[slot].number(row);
    let other = |slot: usize| columns.get(slot).map_or(" ", |column| column.text(row));
    Ok(match name {
        "lower" => text.chars().map(lowered).collect(),
        "upper" => text.chars().map(capital).collect(),
        // Accents stay on their letters.
        "reverse" => text.graphemes(true).rev().collect(),
        "trim" | "ltrim" | "rtrim" => {
            let letters = columns.get(1).map_or(SPACES, |column| column.text(row));
            trimmed(name, text, letters).to_owned()
        }
        "left" => cut(text, 1, Some(kept(text, number(1)))),
        "right" => {
            let (length, kept) = (text.chars().count() as i64, kept(text, number(1)));
            cut(text, length - kept + 1, None)
        }
        "substring" => cut(text, number(1), columns.get(2).map(|_| number(2))),
        "lpad" | "rpad" => padded(name, text, number(1), other(2))?,
        "repeat" => {
            let count = usize::try_from(number(1)).unwrap_or(0);
            within(text.len().saturating_mul(count))?;
            text.repeat(count)
        }
        "replace" => replaced(text, other(1), other(2))?,
        "split_part" => part(text, other(1), number(2)),
        other => return Err(Fault::new(format!("there is no function `{other}`"))),
    })
}

/// The letter without its capital.
fn lowered(letter: char) -> char {
    if letter == 'İ' {
        'i'
    } else {
        single(letter, letter.to_lowercase())
    }
}

/// The capital of a letter. Where it is several letters, `DuckDB` takes the one for titles.
fn capital(letter: char) -> char {
    let code = u32::from(letter);
    let title = match code {
        0xdf => 0x1e9e,
        0x1f80..=0x1f87 | 0x1f90..=0x1f97 | 0x1fa0..=0x1fa7 => code + 8,
        0x1fb3 | 0x1fc3 | 0x1ff3 => code + 9,
        _ => return single(letter, letter.to_uppercase()),
    };
    char::from_u32(title).unwrap_or(letter)
}

/// A letter's other case, where that is one letter.
fn single(letter: char, mut others: impl ExactSizeIterator<Item = char>) -> char {
    if others.len() == 1 {
        others.next().unwrap_or(letter)
    } else {
        letter
    }
}

/// How many characters `LEFT` and `RIGHT` keep: a negative number says how many they leave out.
fn kept(text: &str, number: i64) -> i64 {
    let length = text.chars().count() as i64;
    if number >= 0 {
        number.min(length)
    } else {
        length.saturating_add(number).max(0)
    }
}

/// The characters from a position on, which counts from the end if it is negative; a negative
/// length goes to the left.
fn cut(text: &str, start: i64, length: Option<i64>) -> String {
    let count = text.chars().count() as i64;
    let start = if start < 0 {
        count.saturating_add(start).saturating_add(1)
    } else {
        start
    };
    let (from, to) = match length {
        None => (start, i64::MAX),
        Some(length) if length < 0 => (start.saturating_add(length), start),
        Some(length) => (start, start.saturating_add(length)),
    };
    let (from, to) = (from.max(1), to.min(count.saturating_add(1)));
    text.chars()
        .skip((from - 1) as usize)
        .take((to - from).max(0) as usize)
        .collect()
}

fn trimmed<'a>(name: &str, text: &'a str, letters: &str) -> &'a str {
    let is_one = |letter: char| letters.contains(letter);
    match name {
        "ltrim" => text.trim_start_matches(is_one),
        "rtrim" => text.trim_end_matches(is_one),
        _ => text.trim_matches(is_one),
    }
}

fn padded(name: &str, text: &str, length: i64, filler: &str) -> Outcome<String> {
    let length = usize::try_from(length).unwrap_or(0);
    let count = text.chars().count();
    if count >= length {
        return Ok(text.chars().take(length).collect());
    }
    if filler.is_empty() {
        return Err(Fault::new(format!(
            "`{}` has nothing to fill a text with",
            name.to_uppercase()
        )));
    }
    within(
        text.len()
            .saturating_add((length - count).saturating_mul(filler.len())),
    )?;
    let padding = filler.chars().cycle().take(length - count);
    Ok(if name == "lpad" {
        padding.chain(text.chars()).collect()
    } else {
        text.chars().chain(padding).collect()
    })
}

fn replaced(text: &str, from: &str, to: &str) -> Outcome<String> {
    if from.is_empty() {
        return Ok(text.to_owned());
    }
    if to.len() > from.len() {
        let count = text.matches(from).count();
        within(
            text.len()
                .saturating_add(count.saturating_mul(to.len() - from.len())),
        )?;
    }
    Ok(text.replace(from, to))
}

/// The part of this number, from the end if it is negative; empty if there is none. Without a
/// separator every character is a part.
fn part(text: &str, separator: &str, number: i64) -> String {
    let characters = || {
        text.char_indices()
            .map(|(slot, letter)| &text[slot..slot + letter.len_utf8()])
            .collect()
    };
    let parts: Vec<&str> = if separator.is_empty() {
        characters()
    } else {
        text.split(separator).collect()
    };
    let slot = if number > 0 {
        number - 1
    } else {
        parts.len() as i64 + number
    };
    let found = usize::try_from(slot)
        .ok()
        .filter(|_| number != 0)
        .and_then(|slot| parts.get(slot));
    found.map_or_else(String::new, |part| (*part).to_owned())
}

/// The position of the first occurrence, 0 for none.
fn position(text: &str, other: &str) -> i64 {
    text.find(other)
        .map_or(0, |slot| text[..slot].chars().count() as i64 + 1)
}

/// `||`, whose result is null if either side is, and the functions that pass over nulls.
fn joined(name: &'static str, arguments: &[Value], count: usize) -> Outcome<ArrayRef> {
    let texts = arguments.iter().map(|value| {
        Ok(Column {
            array: convert(&value.array, &DataType::Utf8, false)?,
            is_constant: value.is_constant,
        })
    });
    let texts = texts.collect::<Outcome<Vec<Column>>>()?;
    let (separators, parts) = if name == "concat_ws" {
        (texts.first(), &texts[1..])
    } else {
        (None, texts.as_slice())
    };
    let mut made = MadeText::new(count);
    let mut pieces = Vec::new();
    for row in 0..count {
        let is_null = separators.is_some_and(|texts| texts.is_null(row))
            || name == "||" && parts.iter().any(|texts| texts.is_null(row));
        if is_null {
            made.push(None)?;
            continue;
        }
        let separator = separators.map_or("", |texts| texts.text(row));
        pieces.clear();
        for texts in parts.iter().filter(|texts| !texts.is_null(row)) {
            if !pieces.is_empty() {
                pieces.push(separator);
            }
            pieces.push(texts.text(row));
        }
        within(pieces.iter().map(|piece| piece.len()).sum())?;
        made.push(Some(&pieces))?;
    }
    made.finish()
}

fn within(byte_count: usize) -> Outcome<()> {
    if byte_count <= LONGEST_TEXT {
        return Ok(());
    }
    let fault = Fault::new(format!(
        "the expression makes a text of more than {} MiB",
        LONGEST_TEXT >> 20
    ));
    Err(fault.hint("shorten it with LEFT, or exclude the row with `--where`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_beyond_ascii_change_as_duckdb_changes_them() {
        // `UPPER`, `LOWER` and `TRIM` of every character: DuckDB differs from Rust's own in these.
        for (small, large) in [
            ('ß', 'ẞ'),
            ('ᾀ', 'ᾈ'),
            ('ᾗ', 'ᾟ'),
            ('ᾧ', 'ᾯ'),
            ('ᾳ', 'ᾼ'),
            ('ῃ', 'ῌ'),
            ('ῳ', 'ῼ'),
            ('ŉ', 'ŉ'),
            ('ﬁ', 'ﬁ'),
            ('é', 'É'),
        ] {
            assert_eq!(capital(small), large, "{small}");
        }
        for (large, small) in [('İ', 'i'), ('É', 'é'), ('ẞ', 'ß'), ('本', '本')] {
            assert_eq!(lowered(large), small, "{large}");
        }
        assert_eq!(SPACES.chars().count(), 17);
        assert_eq!(trimmed("trim", "\u{a0}\u{3000}x\t ", SPACES), "x\t");
        assert_eq!(trimmed("ltrim", "\u{a0}x ", SPACES), "x ");
        let reversed: String = "e\u{301}x👩\u{200d}👧".graphemes(true).rev().collect();
        assert_eq!(reversed, "👩\u{200d}👧xe\u{301}");
    }
}
