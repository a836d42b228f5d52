//! Values that stand for a missing one: words of delimited text, and sentinels such as -999 in
//! columns of any type.
//!
//! Owns which of them count in which column. A token that is a number is compared as a number, so
//! `-999` is also `-999.0`; any other is compared letter by letter. It must not know rows or
//! policies.

use std::collections::HashSet;

use super::token_use::{NamedBy, TokenUse, TokenUses};
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
    /// Which of the tokens occur.
    pub uses: TokenUses,
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
        let named = self
            .columns
            .iter()
            .filter(|(name, _)| name == column || *name == input.name);
        let own = named.flat_map(|(name, tokens)| {
            tokens
                .iter()
                .map(|token| (token, NamedBy::FlagOf(name.clone())))
        });
        let of_model = input.missing.iter().map(|token| (token, NamedBy::Model));
        let own = own
            .chain(of_model)
            .map(|(token, named_by)| (token.clone(), self.uses.of(named_by, token)));
        Sentinels {
            is_untyped: self.is_untyped_column(column),
            number_format: self.number_format,
            own: Tokens::new(own),
            shared: Tokens::new(self.shared()),
        }
    }

    /// The tokens of all columns. Words that mean a missing value without being named are of no
    /// account where they do not occur.
    fn shared(&self) -> Vec<(String, TokenUse)> {
        let default = |word: &str| (word.to_owned(), TokenUse::default());
        match &self.everywhere {
            None if self.is_untyped => DEFAULT_WORDS.map(default).to_vec(),
            None => Vec::new(),
            Some(tokens) => tokens
                .iter()
                .map(|token| match token.as_str() {
                    word if self.is_untyped && DEFAULT_WORDS.contains(&word) => default(word),
                    token => (token.to_owned(), self.uses.of(NamedBy::Flag, token)),
                })
                .collect(),
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
    /// Said of all columns: a category of the model that is spelled so is a value all the same.
    shared: Tokens,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tokens {
    texts: Vec<(String, TokenUse)>,
    numbers: Vec<(f64, TokenUse)>,
}

impl Tokens {
    fn new(tokens: impl IntoIterator<Item = (String, TokenUse)>) -> Self {
        let texts: Vec<(String, TokenUse)> = tokens.into_iter().collect();
        // NaN is missing everywhere.
        let numbers = texts
            .iter()
            .filter_map(|(text, token)| Some((text.trim().parse().ok()?, token.clone())))
            .filter(|(value, _): &(f64, TokenUse)| !value.is_nan())
            .collect();
        Self { texts, numbers }
    }

    fn text(&self, text: &str) -> Option<&TokenUse> {
        let mut texts = self.texts.iter();
        texts.find(|(token, _)| token == text).map(|(_, met)| met)
    }

    fn number(&self, value: f64) -> Option<&TokenUse> {
        let mut numbers = self.numbers.iter();
        numbers
            .find(|(token, _)| *token == value)
            .map(|(_, met)| met)
    }
}

impl Sentinels {
    /// Whether a text is one of the tokens; `is_value` says whether the model knows it as a
    /// category.
    #[must_use]
    pub fn is_text(&self, text: &str, is_value: impl Fn() -> bool) -> bool {
        noted(self.own.text(text), self.shared.text(text), is_value)
    }

    /// Whether a number is one of the tokens; `is_value` says whether the model knows it as a
    /// category.
    #[must_use]
    pub fn is_number(&self, value: f64, is_value: impl Fn() -> bool) -> bool {
        noted(self.own.number(value), self.shared.number(value), is_value)
    }

    /// Whether a number is one of the tokens once both are narrowed so; for inputs that are not
    /// categories.
    #[must_use]
    pub fn is_narrowed(&self, value: f64, narrow: impl Fn(f64) -> f64) -> bool {
        let value = narrow(value);
        let mut all = self.own.numbers.iter().chain(&self.shared.numbers);
        let met = all.find(|(token, _)| narrow(*token) == value);
        if let Some((_, token)) = met {
            token.mark();
        }
        met.is_some()
    }

    /// The tokens that are numbers, in the precision in which they are compared.
    pub(crate) fn numbers<T>(&self, narrow: impl Fn(f64) -> T) -> Vec<(T, &TokenUse)> {
        let all = self.own.numbers.iter().chain(&self.shared.numbers);
        all.map(|(value, token)| (narrow(*value), token)).collect()
    }

    /// Whether any token is a number.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        !(self.own.numbers.is_empty() && self.shared.numbers.is_empty())
    }

    /// Whether nothing is missing but null and NaN.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.texts.is_empty() && self.shared.texts.is_empty()
    }
}

/// Whether a value is a token of its column, or one of all columns and not a value of the model.
fn noted(own: Option<&TokenUse>, shared: Option<&TokenUse>, is_value: impl Fn() -> bool) -> bool {
    let met = own.or_else(|| shared.filter(|_| !is_value()));
    if let Some(token) = met {
        token.mark();
    }
    met.is_some()
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

    #[test]
    fn tokens_that_no_value_equals_are_known_once_rows_were_read() {
        let values = MissingValues {
            is_untyped: true,
            everywhere: Some(["NA", "x", "-1"].map(str::to_owned).to_vec()),
            columns: vec![("a".into(), vec!["9".into(), "8".into()])],
            ..MissingValues::default()
        };
        let input = Input {
            missing: vec!["-7".into()],
            ..Input::number("f")
        };
        let found = values.of(&input, "a");
        let unmet = || {
            let unmet = values.uses.unmet().into_iter();
            unmet.map(|(_, token)| token).collect::<Vec<String>>()
        };
        assert_eq!(unmet(), ["-1", "x", "8", "9", "-7"], "NA is a default word");
        assert!(found.is_number(9.0, || false) && found.is_text("x", || false));
        assert!(
            !found.is_text("-1", || true),
            "a category that is known is a value"
        );
        assert_eq!(unmet(), ["-1", "8", "-7"]);
        assert!(values.of(&input, "b").is_number(-7.0, || false));
        assert_eq!(unmet(), ["-1", "8"], "all who ask share a flag");
    }
}
