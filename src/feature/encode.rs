//! Columns to numbers: one encoder per input, which fills a run of the feature block and passes verdicts on rows.
//!
//! Every implicit step is counted: a null let through, a category nobody trained on, text that became a number. Numbers
//! from text and decimals go through `f64` first, as in the Python scripts that the models come from.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, UInt64Type};

use super::{Columns, FeatureBlock, Precision};
use crate::contract::binding::BoundInput;
use crate::contract::{CategoryValue, InputKind, Policy, Vocabulary};
use crate::error::{Error, Result};

/// Why a row was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A value is missing.
    Null,
    /// A category is not in the vocabulary.
    Unseen,
    /// A text is no number.
    NotANumber,
}

impl Reason {
    /// The code that reports carry.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Unseen => "unseen_category",
            Self::NotANumber => "not_a_number",
        }
    }
}

/// What was done to the values of one column, in numbers of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coercions {
    /// Nulls, missing tokens and NaN that came in.
    pub null_count: u64,
    /// Categories that are not in the vocabulary.
    pub unseen_count: u64,
    /// Texts that became numbers.
    pub parsed_count: u64,
    /// Texts that are no numbers.
    pub unparsable_count: u64,
    /// Values replaced by a default.
    pub defaulted_count: u64,
    /// Integers that the model's precision cannot hold exactly.
    pub rounded_count: u64,
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
    }

    /// (name, count) in the order of the report.
    #[must_use]
    pub fn named(&self) -> [(&'static str, u64); 6] {
        [
            ("null", self.null_count),
            ("unseen_category", self.unseen_count),
            ("text_to_number", self.parsed_count),
            ("not_a_number", self.unparsable_count),
            ("defaulted", self.defaulted_count),
            ("rounded", self.rounded_count),
        ]
    }
}

/// The rows that a batch leaves out, each with the first input that refused it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// (row in the batch, input, reason), at most one per row, by input first.
    rejected: Vec<(usize, usize, Reason)>,
}

impl Verdicts {
    fn reject(&mut self, row: usize, input: usize, reason: Reason) {
        self.rejected.push((row, input, reason));
    }

    /// (row, input, reason) in row order, the first input's reason for each row.
    #[must_use]
    pub fn into_rows(mut self) -> Vec<(usize, usize, Reason)> {
        self.rejected.sort_unstable_by_key(|&(row, input, _)| (row, input));
        self.rejected.dedup_by_key(|(row, ..)| *row);
        self.rejected
    }
}

/// A floating-point type that blocks are made of.
trait Real: Copy + Send + Sync {
    const MISSING: Self;
    fn from_double(value: f64) -> Self;
    fn from_integer(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;
    fn holds(value: i64) -> bool;
    fn is_missing(self) -> bool;
}

macro_rules! real {
    ($type:ty, $digits:expr) => {
        impl Real for $type {
            const MISSING: Self = Self::NAN;
            fn from_double(value: f64) -> Self {
                value as Self
            }
            fn from_integer(value: i64) -> Self {
                value as Self
            }
            fn from_unsigned(value: u64) -> Self {
                value as Self
            }
            fn holds(value: i64) -> bool {
                value.unsigned_abs() <= 1 << $digits || (value as Self) as i128 == i128::from(value)
            }
            fn is_missing(self) -> bool {
                self.is_nan()
            }
        }
    };
}

real!(f32, 24);
real!(f64, 53);

/// The categories of a vocabulary, ready to be looked up. A vocabulary may hold texts and numbers side by side.
#[derive(Debug)]
enum Lookup {
    None,
    Values {
        texts: HashMap<String, f64>,
        /// By the value's bits, −0 as 0.
        numbers: HashMap<u64, f64>,
    },
}

impl Lookup {
    fn new(kind: &InputKind) -> Self {
        let InputKind::Category(Vocabulary { values, .. }) = kind else { return Self::None };
        let (mut texts, mut numbers) = (HashMap::new(), HashMap::new());
        for (code, value) in values.iter().enumerate().rev() {
            let number = match value {
                CategoryValue::Text(text) => {
                    texts.insert(text.clone(), code as f64);
                    continue;
                }
                CategoryValue::Integer(value) => *value as f64,
                CategoryValue::Number(value) => *value,
                CategoryValue::Boolean(value) => f64::from(u8::from(*value)),
            };
            numbers.insert(key(number), code as f64);
        }
        Self::Values { texts, numbers }
    }
}

fn key(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// Turns the columns of a batch into a feature block.
#[derive(Debug)]
pub struct Encoder {
    inputs: Vec<(BoundInput, Lookup)>,
    missing_tokens: Vec<String>,
    precision: Precision,
}

/// Where a batch's rows come from, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The file.
    pub path: &'a std::path::Path,
    /// The row numbers in the file, counted from 0; none where rows are in file order from `first_row`.
    pub kept_rows: Option<&'a [u32]>,
    /// The rows before the batch's first.
    pub first_row: u64,
}

impl<'a> Origin<'a> {
    /// The origin of `rows` rows from row `start` of the batch on.
    #[must_use]
    pub fn from(&self, start: usize, rows: usize) -> Origin<'a> {
        let first_row = if self.kept_rows.is_some() { self.first_row } else { self.first_row + start as u64 };
        Self { path: self.path, kept_rows: self.kept_rows.map(|kept| &kept[start..start + rows]), first_row }
    }

    /// The row's number in the file, counted from 1.
    #[must_use]
    pub fn row_number(&self, row: usize) -> u64 {
        self.first_row + self.kept_rows.map_or(row as u64, |kept| u64::from(kept[row])) + 1
    }
}

impl Encoder {
    /// An encoder for these inputs; `missing_tokens` are texts of delimited files that mean null.
    #[must_use]
    pub fn new(inputs: Vec<BoundInput>, missing_tokens: Vec<String>, precision: Precision) -> Self {
        let with_lookup = |bound: BoundInput| (Lookup::new(&bound.input.kind), bound);
        let inputs = inputs.into_iter().map(with_lookup).map(|(lookup, bound)| (bound, lookup)).collect();
        Self { inputs, missing_tokens, precision }
    }

    /// The inputs in the order of the model's features.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = &BoundInput> {
        self.inputs.iter().map(|(bound, _)| bound)
    }

    /// Fills `block` with the columns (one array per input, all of `row_count` rows), counts what was done to each column and says which
    /// rows must be left out.
    ///
    /// # Errors
    /// Fails at the first value whose policy is to stop, naming row and column.
    pub fn encode(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
        block: &mut FeatureBlock,
        counts: &mut [Coercions],
        origin: Origin,
    ) -> Result<Verdicts> {
        let mut verdicts = Verdicts::default();
        match block {
            FeatureBlock::Single(block) if self.precision == Precision::Single => {
                self.fill(columns, row_count, block, counts, origin, &mut verdicts)?
            }
            FeatureBlock::Double(block) if self.precision == Precision::Double => {
                self.fill(columns, row_count, block, counts, origin, &mut verdicts)?
            }
            _ => return Err(Error::internal("a feature block of the wrong precision")),
        }
        Ok(verdicts)
    }

    fn fill<T: Real>(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
        block: &mut Columns<T>,
        counts: &mut [Coercions],
        origin: Origin,
        verdicts: &mut Verdicts,
    ) -> Result<()> {
        block.reset(row_count, self.inputs.len(), T::MISSING);
        for (index, ((bound, lookup), column)) in self.inputs.iter().zip(columns).enumerate() {
            let mut filling = Filling {
                bound,
                lookup,
                index,
                tokens: &self.missing_tokens,
                out: block.column_mut(index),
                counts: &mut counts[index],
                verdicts,
                origin,
            };
            filling.fill(column).map_err(|error| error.at_path(origin.path).at_column(&bound.column))?;
        }
        Ok(())
    }
}

/// One input being filled.
struct Filling<'a, 'b, T> {
    bound: &'a BoundInput,
    lookup: &'a Lookup,
    index: usize,
    tokens: &'a [String],
    out: &'a mut [T],
    counts: &'a mut Coercions,
    verdicts: &'b mut Verdicts,
    origin: Origin<'a>,
}

impl<T: Real> Filling<'_, '_, T> {
    fn fill(&mut self, column: &ArrayRef) -> Result<()> {
        let column = plain(column)?;
        let nulls = column.nulls();
        match column.data_type() {
            DataType::Utf8 => self.texts(column.as_string::<i32>()),
            DataType::Float32 => {
                self.numbers(column.as_primitive::<Float32Type>().values(), nulls, f64::from, |value| T::from_double(f64::from(value)))
            }
            DataType::Float64 => self.numbers(column.as_primitive::<Float64Type>().values(), nulls, |value| value, T::from_double),
            DataType::Int32 => {
                let values = column.as_primitive::<Int32Type>().values();
                self.count_rounded(values.iter().map(|&value| i64::from(value)), nulls);
                self.numbers(values, nulls, f64::from, |value| T::from_integer(i64::from(value)))
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>().values();
                self.count_rounded(values.iter().copied(), nulls);
                self.numbers(values, nulls, |value| value as f64, T::from_integer)
            }
            DataType::UInt64 => self.numbers(column.as_primitive::<UInt64Type>().values(), nulls, |value| value as f64, T::from_unsigned),
            DataType::Boolean => {
                let values: Vec<u8> = column.as_boolean().values().iter().map(u8::from).collect();
                self.numbers(&values, nulls, f64::from, |value| T::from_integer(i64::from(value)))
            }
            DataType::Null => (0..column.len()).try_for_each(|row| self.missing(row)),
            other => Err(Error::internal(format!("no encoding for {other}"))),
        }
    }

    fn count_rounded(&mut self, values: impl Iterator<Item = i64>, nulls: Option<&NullBuffer>) {
        let rounded = values.enumerate().filter(|(row, value)| !T::holds(*value) && nulls.is_none_or(|nulls| nulls.is_valid(*row)));
        self.counts.rounded_count += rounded.count() as u64;
    }

    /// Numbers: straight to the model, or through the vocabulary.
    fn numbers<V: Copy>(&mut self, values: &[V], nulls: Option<&NullBuffer>, wide: impl Fn(V) -> f64, narrow: impl Fn(V) -> T) -> Result<()> {
        if !matches!(self.lookup, Lookup::None) {
            let is_null = |row| nulls.is_some_and(|nulls| nulls.is_null(row));
            return values
                .iter()
                .enumerate()
                .try_for_each(|(row, &value)| if is_null(row) { self.missing(row) } else { self.number(row, wide(value)) });
        }
        self.out.iter_mut().zip(values).for_each(|(out, &value)| *out = narrow(value));
        if nulls.is_none_or(|nulls| nulls.null_count() == 0) && !self.out.iter().any(|value| value.is_missing()) {
            return Ok(());
        }
        for row in 0..self.out.len() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) || self.out[row].is_missing() {
                self.missing(row)?;
            }
        }
        Ok(())
    }

    fn texts(&mut self, values: &StringArray) -> Result<()> {
        for row in 0..values.len() {
            if values.is_null(row) || self.tokens.iter().any(|token| token == values.value(row)) {
                self.missing(row)?;
            } else {
                self.text(row, values.value(row))?;
            }
        }
        Ok(())
    }

    fn text(&mut self, row: usize, text: &str) -> Result<()> {
        if let Lookup::Values { texts, numbers } = self.lookup
            && (!texts.is_empty() || numbers.is_empty())
        {
            return match texts.get(text) {
                Some(code) => Ok(self.out[row] = T::from_double(*code)),
                None => self.unseen(row),
            };
        }
        match parse(text) {
            Some(value) => {
                self.counts.parsed_count += 1;
                self.number(row, value)
            }
            None => {
                self.counts.unparsable_count += 1;
                self.settle(row, self.bound.input.on_unseen, f64::NAN, Reason::NotANumber)
            }
        }
    }

    fn number(&mut self, row: usize, value: f64) -> Result<()> {
        match self.lookup {
            _ if value.is_nan() => self.missing(row),
            Lookup::None => Ok(self.out[row] = T::from_double(value)),
            Lookup::Values { numbers, .. } => match numbers.get(&key(value)) {
                Some(code) => Ok(self.out[row] = T::from_double(*code)),
                None => self.unseen(row),
            },
        }
    }

    fn missing(&mut self, row: usize) -> Result<()> {
        self.counts.null_count += 1;
        self.settle(row, self.bound.input.on_null, f64::NAN, Reason::Null)
    }

    fn unseen(&mut self, row: usize) -> Result<()> {
        self.counts.unseen_count += 1;
        let code = if let InputKind::Category(vocabulary) = &self.bound.input.kind { vocabulary.unseen_code } else { f64::NAN };
        self.settle(row, self.bound.input.on_unseen, code, Reason::Unseen)
    }

    /// Does what the policy says to a value that the input cannot take; `through` is what the model reads if it is let through.
    fn settle(&mut self, row: usize, policy: Policy, through: f64, reason: Reason) -> Result<()> {
        match policy {
            Policy::Null => self.out[row] = T::from_double(through),
            Policy::Default(value) => {
                self.counts.defaulted_count += 1;
                self.out[row] = T::from_double(value);
            }
            Policy::Reject => {
                self.out[row] = T::MISSING;
                self.verdicts.reject(row, self.index, reason);
            }
            Policy::Error => return Err(self.stop(row, reason)),
        }
        Ok(())
    }

    fn stop(&self, row: usize, reason: Reason) -> Error {
        let column = &self.bound.column;
        let (message, flag) = match reason {
            Reason::Null => ("a value is missing", "--on-null"),
            Reason::Unseen => ("a category was never seen in training", "--on-unseen"),
            Reason::NotANumber => ("a text is no number", "--on-unseen"),
        };
        Error::failed(message).at_row(self.origin.row_number(row)).hint(format!(
            "mend the row, or let the run go on: `{flag} {column}=reject` leaves such rows out, `{flag} {column}=null` reads them as missing"
        ))
    }
}

/// A number as people write it: decimal or scientific, `inf`, or a truth value; blanks around it do not matter.
#[must_use]
pub fn parse(text: &str) -> Option<f64> {
    let text = text.trim();
    match text {
        "true" | "True" | "TRUE" => Some(1.0),
        "false" | "False" | "FALSE" => Some(0.0),
        _ => text.parse().ok(),
    }
}

/// The column in one of the few types that encoders read.
fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    let wanted = match column.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal128(..) | DataType::Decimal256(..) => DataType::Float64,
        _ => return Ok(column.clone()),
    };
    let column = cast(column, &wanted).map_err(|error| Error::failed("cannot decode the column").because(error))?;
    if *column.data_type() == wanted && !matches!(wanted, DataType::Utf8 | DataType::Int32 | DataType::Int64 | DataType::Float32 | DataType::Float64)
    {
        return plain(&column);
    }
    Ok(column)
}
