//! One input being filled: a column of any type, value by value, under the input's policies.
//!
//! Numbers without nulls are copied in one sweep; everything else goes value by value, so that each step can be counted. It must not know
//! the other inputs.

use std::collections::HashMap;

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type, Int64Type, UInt64Type};

use super::verdict::{Coercions, Origin, Reason, Verdicts};
use crate::contract::binding::{BoundInput, integer_limits};
use crate::contract::{CategoryValue, ColumnType, InputKind, Policy, Vocabulary};
use crate::error::{Error, Result, shell_word};

/// A floating-point type that blocks are made of.
pub(super) trait Real: Copy + Send + Sync {
    const MISSING: Self;
    fn from_double(value: f64) -> Self;
    fn from_integer(value: i64) -> Self;
    fn from_unsigned(value: u64) -> Self;
    fn holds(value: i64) -> bool;
    fn holds_unsigned(value: u64) -> bool;
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
            fn holds_unsigned(value: u64) -> bool {
                value <= 1 << $digits || (value as Self) as u128 == u128::from(value)
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
pub(super) enum Lookup {
    None,
    Values {
        texts: HashMap<String, f64>,
        /// By the value's bits, −0 as 0.
        numbers: HashMap<u64, f64>,
    },
}

impl Lookup {
    pub(super) fn new(kind: &InputKind) -> Self {
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

/// One input being filled.
pub(super) struct Filling<'a, 'b, T> {
    pub(super) bound: &'a BoundInput,
    pub(super) lookup: &'a Lookup,
    pub(super) index: usize,
    pub(super) tokens: &'a [String],
    pub(super) out: &'a mut [T],
    pub(super) counts: &'a mut Coercions,
    pub(super) verdicts: &'b mut Verdicts,
    pub(super) origin: Origin<'a>,
}

impl<T: Real> Filling<'_, '_, T> {
    pub(super) fn fill(&mut self, column: &ArrayRef) -> Result<()> {
        let column = plain(column)?;
        let nulls = column.nulls();
        match column.data_type() {
            DataType::Utf8 => self.texts(&column.as_string::<i32>()),
            DataType::Utf8View => self.texts(&column.as_string_view()),
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
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>().values();
                let rounded = values.iter().enumerate().filter(|(row, value)| column.is_valid(*row) && !T::holds_unsigned(**value)).count();
                self.counts.rounded_count += rounded as u64;
                self.numbers(values, nulls, |value| value as f64, T::from_unsigned)
            }
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

    fn texts<'s>(&mut self, values: &impl ArrayAccessor<Item = &'s str>) -> Result<()> {
        for row in 0..values.len() {
            let text = values.value(row);
            // A category that the model knows is a value, even if it is spelt like a missing one.
            let is_known = matches!(self.lookup, Lookup::Values { texts, .. } if texts.contains_key(text));
            if values.is_null(row) || !is_known && self.tokens.iter().any(|token| token == text) {
                self.missing(row)?;
            } else {
                self.text(row, text)?;
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
        if let Some(value) = parse(text).filter(|value| self.is_of_type(*value)) {
            self.counts.parsed_count += 1;
            return self.number(row, value);
        }
        self.counts.unparsable_count += 1;
        self.settle(row, self.bound.input.on_unseen, f64::NAN, Reason::NotANumber)
    }

    /// Whether a number from text is of the integer type that the manifest insists on, if it does.
    fn is_of_type(&self, value: f64) -> bool {
        match self.bound.input.column_type {
            None | Some(ColumnType::Boolean | ColumnType::Float | ColumnType::Double | ColumnType::String) => true,
            Some(integer) => {
                let (low, high) = integer_limits(integer);
                value.is_nan() || value.fract() == 0.0 && value >= low as f64 && value <= high as f64
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
        let policy = |name: &str| shell_word(&format!("{}={name}", self.bound.column));
        let (message, flag) = match reason {
            Reason::Null => ("a value is missing", "--on-null"),
            Reason::Unseen => ("a category was never seen in training", "--on-unseen"),
            Reason::NotANumber => ("a text is no number", "--on-unseen"),
        };
        Error::failed(message).at_row(self.origin.row_number(row)).hint(format!(
            "mend the row, or let the run go on: `{flag} {}` leaves such rows out, `{flag} {}` reads them as missing",
            policy("reject"),
            policy("null")
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
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal128(..) | DataType::Decimal256(..) => DataType::Float64,
        _ => return Ok(column.clone()),
    };
    let column = cast(column, &wanted).map_err(|error| Error::failed("cannot decode the column").because(error))?;
    if *column.data_type() == wanted
        && !matches!(wanted, DataType::Utf8 | DataType::Utf8View | DataType::Int32 | DataType::Int64 | DataType::Float32 | DataType::Float64)
    {
        return plain(&column);
    }
    Ok(column)
}
