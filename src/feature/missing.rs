//! Values that stand for a missing one: words of delimited text, and sentinels such as -999 in
//! columns of any type.
//!
//! Owns which of them count in which column. A token that is a number is compared as a number, so
//! `-999` is also `-999.0`; any other is compared letter by letter. It must not know rows or
//! policies.

use std::collections::HashSet;

use crate::contract::Input;
use crate::table::number_format::NumberFormat;

/// The words that mean a missing value in delimited text where no one says otherwise.
pub const DEFAULT_WORDS: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"];

/// What is known of missing values before the columns are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MissingValues {
    /// Whether the columns are texts of unknown types: those of delimited text.
    pub is_untyped: bool,
    /// Columns of text that stand for numbers in other data: those that directories spell, such as
    /// `hour=00`.
    pub spelt_numbers: HashSet<String>,
    /// How numbers are written in text.
    pub number_format: NumberFormat,
    /// Tokens for the model's columns; none: the default words, in delimited text alone.
    pub everywhere: Option<Vec<String>>,
    /// Tokens of single columns, by the column's or the feature's name.
    pub columns: Vec<(String, Vec<String>)>,
}

impl MissingValues {
    /// Whether the texts of a column stand for values of whatever type is needed.
    #[must_use]
    pub fn is_untyped_column(&self, column: &str) -> bool {
        self.is_untyped || self.spelt_numbers.contains(column)
    }

    /// The sentinels of one input, fed by `column`.
    #[must_use]
    pub fn of(&self, input: &Input, column: &str) -> Sentinels {
        let defaults = || {
            if self.is_untyped {
                DEFAULT_WORDS.map(str::to_owned).to_vec()
            } else {
                Vec::new()
            }
        };
        let named = self
            .columns
            .iter()
            .filter(|(name, _)| name == column || *name == input.name);
        let own = named
            .flat_map(|(_, tokens)| tokens)
            .chain(&input.missing)
            .cloned();
        let (is_untyped, number_format) = (self.is_untyped_column(column), self.number_format);
        Sentinels {
            is_untyped,
            number_format,
            own: Tokens::new(own),
            shared: Tokens::new(self.everywhere.clone().unwrap_or_else(defaults)),
        }
    }
}

/// What means a missing value in one column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sentinels {
    /// Whether the column is a text of an unknown type.
    pub is_untyped: bool,
    /// How numbers are written in text.
    pub number_format: NumberFormat,
    /// Said of this column.
    own: Tokens,
    /// Said of all columns: a category of the model that is spelt so is a value all the same.
    shared: Tokens,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tokens {
    texts: Vec<String>,
    numbers: Vec<f64>,
}

impl Tokens {
    fn new(tokens: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<String> = tokens.into_iter().collect();
        // NaN is missing everywhere.
        let numbers = texts
            .iter()
            .filter_map(|text| text.trim().parse().ok())
            .filter(|value: &f64| !value.is_nan())
            .collect();
        Self { texts, numbers }
    }

    fn has_text(&self, text: &str) -> bool {
        self.texts.iter().any(|token| token == text)
    }
}

impl Sentinels {
    /// Whether a text is one of the tokens; `is_value` says whether the model knows it as a
    /// category.
    #[must_use]
    pub fn is_text(&self, text: &str, is_value: impl Fn() -> bool) -> bool {
        self.own.has_text(text) || self.shared.has_text(text) && !is_value()
    }

    /// Whether a number is one of the tokens; `is_value` says whether the model knows it as a
    /// category.
    #[must_use]
    pub fn is_number(&self, value: f64, is_value: impl Fn() -> bool) -> bool {
        self.own.numbers.contains(&value) || self.shared.numbers.contains(&value) && !is_value()
    }

    /// The tokens that are numbers.
    pub fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        self.own.numbers.iter().chain(&self.shared.numbers).copied()
    }

    /// The tokens as they were written.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.own
            .texts
            .iter()
            .chain(&self.shared.texts)
            .map(String::as_str)
    }

    /// Whether any token is a number.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        self.numbers().next().is_some()
    }

    /// Whether nothing is missing but null and NaN.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts().next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentinels(
        is_untyped: bool,
        everywhere: Option<&[&str]>,
        columns: &[(&str, &[&str])],
    ) -> Sentinels {
        let list = |tokens: &[&str]| {
            tokens
                .iter()
                .map(|token| (*token).to_owned())
                .collect::<Vec<_>>()
        };
        let columns = columns
            .iter()
            .map(|(name, tokens)| ((*name).to_owned(), list(tokens)))
            .collect();
        MissingValues {
            is_untyped,
            everywhere: everywhere.map(list),
            columns,
            ..MissingValues::default()
        }
        .of(&Input::number("f"), "a")
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_words_as_words() {
        let found = sentinels(
            false,
            Some(&["-999", "none"]),
            &[("a", &["0"]), ("f", &["x"]), ("b", &["7"])],
        );
        let no = || false;
        assert_eq!(
            [-999.0, 0.0, -0.0, 7.0, f64::NAN].map(|value| found.is_number(value, no)),
            [true, true, true, false, false]
        );
        assert_eq!(
            ["none", "x", "-999", "-999.0", "None"].map(|text| found.is_text(text, no)),
            [true, true, true, false, false]
        );
        assert!(
            !found.is_number(-999.0, || true) && found.is_number(0.0, || true),
            "a known category is a value unless its own column says so"
        );
    }

    #[test]
    fn the_default_words_are_for_delimited_text_alone() {
        assert!(sentinels(false, None, &[]).is_empty());
        assert!(sentinels(true, None, &[("a", &["-1"])]).is_text("NA", || false));
        assert!(!sentinels(true, Some(&["-1"]), &[]).is_text("NA", || false));
    }
}
