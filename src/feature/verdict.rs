//! What encoding says of values and rows: counts of every implicit step, and the rows that must be
//! dropped.
//!
//! Owns the reasons and their codes in reports, and where a row comes from. It must not know how
//! values become numbers.

use crate::storage::Location;

/// Why a row was dropped.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A value is missing.
    Null,
    /// A category is not in the vocabulary.
    Unseen,
    /// A text is not a number.
    NotANumber,
    /// A list of the wrong length.
    Length,
    /// A number is outside the range of the type that the model reads.
    Range,
    /// A number has a fraction, and the model reads integers.
    Fraction,
    /// A number is infinite in the model's precision, and the model's library refuses those.
    Infinite,
    /// A step of the model makes NaN of a number, and what reads it refuses that.
    Undefined,
    /// The tokenizer of a text model refuses the text.
    Text,
    /// A rule that rejects rows does not hold.
    Rule,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Null,
        Self::Unseen,
        Self::NotANumber,
        Self::Length,
        Self::Range,
        Self::Fraction,
        Self::Infinite,
        Self::Undefined,
        Self::Text,
    ];

    /// The code that reports carry.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unseen => "unseen_category",
            Self::NotANumber => "not_a_number",
            Self::Length => "wrong_length",
            Self::Range => "out_of_range",
            Self::Fraction => "not_an_integer",
            Self::Infinite => "infinite",
            Self::Undefined => "undefined",
            Self::Text => "not_tokenized",
            Self::Rule => "rule",
        }
    }

    /// What is wrong, in words.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Null => "a value is missing",
            Self::Unseen => "a category was never seen in training",
            Self::NotANumber => "a text is not a number",
            Self::Length => "a list has the wrong length",
            Self::Range => "a number is outside the range of the type that the model reads",
            Self::Fraction => "a number has a fraction, and the model reads integers",
            Self::Infinite => {
                "a number is infinite or too large for the model's precision, which its library \
                 refuses"
            }
            Self::Undefined => {
                "a step of the model makes NaN of a number, which its library refuses"
            }
            Self::Text => "the tokenizer refuses the text",
            Self::Rule => "the row does not meet the rule",
        }
    }
}

/// What was done to the values of one column, in numbers of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Coercions {
    /// Nulls, missing tokens and NaN that came in.
    pub null_count: u64,
    /// Categories that are not in the vocabulary.
    pub unseen_count: u64,
    /// Texts that became numbers.
    pub parsed_count: u64,
    /// Strings that are not numbers, and lists of the wrong length.
    pub unparsable_count: u64,
    /// Values replaced by a default.
    pub defaulted_count: u64,
    /// Integers and decimals some of whose digits the model's precision cannot hold; floats
    /// are not counted.
    pub rounded_count: u64,
    /// Texts of which a text model reads only the beginning.
    #[serde(default)]
    pub truncated_count: u64,
    /// Numbers that the type of a graph's input cannot hold: out of its range, or with a fraction;
    /// and texts that a tokenizer refuses.
    #[serde(default)]
    pub unfit_count: u64,
}

impl Coercions {
    /// Adds another batch's counts.
    pub fn add(&mut self, other: &Self) {
        self.null_count += other.null_count;
        self.unseen_count += other.unseen_count;
        self.parsed_count += other.parsed_count;
        self.unparsable_count += other.unparsable_count;
        self.defaulted_count += other.defaulted_count;
        self.rounded_count += other.rounded_count;
        self.truncated_count += other.truncated_count;
        self.unfit_count += other.unfit_count;
    }

    /// (name, count) in the order of the report.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 8] {
        [
            ("missing", self.null_count),
            ("unseen", self.unseen_count),
            ("text_to_number", self.parsed_count),
            ("not_a_number", self.unparsable_count),
            ("defaulted", self.defaulted_count),
            ("rounded", self.rounded_count),
            ("truncated", self.truncated_count),
            ("does_not_fit", self.unfit_count),
        ]
    }
}

/// The rows that a batch drops, each with the first input that refused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// (row in the batch, input, reason), at most one per row, by input first.
    rejected: Vec<(usize, usize, Reason)>,
}

impl Verdicts {
    pub(super) fn reject(&mut self, row: usize, input: usize, reason: Reason) {
        self.rejected.push((row, input, reason));
    }

    /// (row, input, reason) in row order, the first input's reason for each row.
    #[must_use]
    pub fn into_rows(mut self) -> Vec<(usize, usize, Reason)> {
        self.rejected
            .sort_unstable_by_key(|&(row, input, _)| (row, input));
        self.rejected.dedup_by_key(|(row, ..)| *row);
        self.rejected
    }
}

/// Where a batch's rows come from, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The file.
    pub path: &'a Location,
    /// The row numbers in the file, counted from 0; none where rows are in file order from
    /// `first_row`.
    pub kept_rows: Option<&'a [u32]>,
    /// The rows before the batch's first.
    pub first_row: u64,
}

impl<'a> Origin<'a> {
    /// The origin of `rows` rows from row `start` of the batch on.
    #[must_use]
    pub fn from(&self, start: usize, rows: usize) -> Origin<'a> {
        let first_row = if self.kept_rows.is_some() {
            self.first_row
        } else {
            self.first_row + start as u64
        };
        Self {
            path: self.path,
            kept_rows: self.kept_rows.map(|kept| &kept[start..start + rows]),
            first_row,
        }
    }

    /// The row's number in the file, counted from 1.
    #[must_use]
    pub fn row_number(&self, row: usize) -> u64 {
        self.first_row
            + self
                .kept_rows
                .map_or(row as u64, |kept| u64::from(kept[row]))
            + 1
    }
}
