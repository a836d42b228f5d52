//! Texts of a column into an input: numbers that they spell, and categories. It must not know what
//! policies do.

use arrow::array::ArrayAccessor;

use super::fill::Filling;
use super::lookup::{Lookup, Number};
use super::number::{parse, plain};
use super::range::misfit;
use super::real::Real;
use super::verdict::Reason;
use crate::contract::ColumnType;
use crate::contract::fitting::integer_limits;
use crate::error::{Error, Result};
use crate::table::number_format::other_format;

impl<T: Real> Filling<'_, '_, T> {
    pub(super) fn texts<'s>(&mut self, values: &impl ArrayAccessor<Item = &'s str>) -> Result<()> {
        let takes_any_number = self.takes_any_number();
        for row in 0..values.len() {
            let text = values.value(row);
            if takes_any_number
                && let Some(value) =
                    plain(text.as_bytes()).filter(|value| value.abs() <= T::WHOLE as f64)
                && values.is_valid(row)
            {
                self.counts.parsed_count += 1;
                self.out[row] = T::from_double(value);
                continue;
            }
            if values.is_null(row) || self.is_missing_text(text) {
                self.missing(row)?;
            } else {
                self.text(row, text)?;
            }
        }
        Ok(())
    }

    /// Whether a number in text is just that: no category, of no type in particular, and no sign
    /// that a value is missing.
    fn takes_any_number(&self) -> bool {
        matches!(self.lookup, Lookup::None)
            && self.missing.number_format.is_plain()
            && matches!(
                self.bound.input.column_type,
                None | Some(ColumnType::Float | ColumnType::Double)
            )
            && !self.missing.has_numbers()
    }

    /// Whether a text stands for a missing value. A category that the model knows is a value, even
    /// if it is spelled like a missing one; an empty field of delimited text is not a number, so it
    /// is missing where one is expected.
    fn is_missing_text(&self, text: &str) -> bool {
        let is_empty = text.is_empty() && self.missing.is_untyped && !self.lookup.holds_texts();
        self.missing.is_text(text, || self.lookup.knows(text)) || is_empty
    }

    fn text(&mut self, row: usize, text: &str) -> Result<()> {
        if self.lookup.holds_texts() {
            let known = self.lookup.known_code(text);
            let plain = self
                .missing
                .number_format
                .plain(text)
                .filter(|_| known.is_none() && self.missing.is_untyped);
            let spelled = plain.and_then(|text| self.lookup.code_of_spelling(&text));
            self.counts.parsed_count += u64::from(spelled.is_some());
            let code = known.or(spelled).or_else(|| self.lookup.other_code(text));
            return self.category(row, code, &|| text.to_owned());
        }
        let parsed = self.parsed(text);
        if let Some(value) = parsed.filter(|value| self.is_of_type(*value)) {
            self.counts.parsed_count += 1;
            return self.number(row, value);
        }
        let reason = parsed.map_or(Reason::NotANumber, |value| misfit(value.to_double()));
        let count = if reason == Reason::NotANumber {
            &mut self.counts.unparsable_count
        } else {
            &mut self.counts.unfit_count
        };
        *count += 1;
        let settled = self.settle(row, self.bound.input.on_unseen, f64::NAN, reason);
        settled.map_err(|error| {
            let error = self.showing(error, &|| text.to_owned());
            if reason == Reason::NotANumber {
                self.with_other_format(error, text)
            } else {
                error
            }
        })
    }

    /// The error for a text that is not a number; its hint names the format that would make it one.
    pub(super) fn with_other_format(&self, error: Error, text: &str) -> Error {
        let other = if self.missing.number_format.is_plain() {
            other_format(text)
        } else {
            None
        };
        let own = error.hint_text().unwrap_or_default().to_owned();
        match other {
            Some(flag) => error.hint(format!("{flag}; or {own}")),
            // MySQL and Hive write NULL so.
            None if text == "\\N" => error.hint(format!(
                "`\\N` is how MySQL and Hive write NULL: pass `--missing ',\\N'`; or {own}"
            )),
            None if self.missing.is_untyped => error.hint(format!(
                "{own}; `--missing` names texts that mean a missing value"
            )),
            None => error,
        }
    }

    /// The number that a text stands for; whole ones that the precision may not hold are kept
    /// exactly.
    fn parsed(&self, text: &str) -> Option<Number> {
        let text = &*self.missing.number_format.plain(text)?;
        let value = parse(text)?;
        let whole = if value.abs() > T::WHOLE as f64 {
            text.trim().parse().ok()
        } else {
            None
        };
        Some(whole.map_or(Number::Real(value), Number::Integer))
    }

    /// Whether a number from text is of the integer type that the manifest insists on, if it does.
    fn is_of_type(&self, value: Number) -> bool {
        match self.bound.input.column_type {
            None
            | Some(
                ColumnType::Boolean | ColumnType::Float | ColumnType::Double | ColumnType::String,
            ) => true,
            Some(integer) => {
                let (low, high) = integer_limits(integer);
                match value {
                    Number::Integer(value) => (low..=high).contains(&value),
                    Number::Real(value) => {
                        value.is_nan()
                            || value.fract() == 0.0 && value >= low as f64 && value <= high as f64
                    }
                }
            }
        }
    }
}
