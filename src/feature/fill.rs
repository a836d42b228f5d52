//! One input being filled: a column of any type, value by value, under the input's policies.
//!
//! Numbers without nulls are copied in one sweep; everything else goes value by value, so that each
//! step can be counted. It must not know the other inputs.

use std::any::TypeId;

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Decimal256Type, DecimalType, Float32Type, Float64Type, Int32Type,
    Int64Type, UInt64Type, i256,
};

use super::lookup::{Lookup, Number};
use super::missing::Sentinels;
use super::number::{parse, plain};
use super::range::{is_digits, misfit, out_of_range};
use super::real::Real;
use super::token_use::meets;
use super::verdict::{Coercions, Origin, Reason, Verdicts};
use crate::contract::binding::BoundInput;
use crate::contract::fitting::integer_limits;
use crate::contract::reads::wants;
use crate::contract::{
    ColumnType, HashedCategories, HashedCode, InputKind, NativeElement, NativeType, NumberRange,
    Policy,
};
use crate::error::{Error, Result, shell_word};
use crate::table::number_format::other_format;
use crate::table::spelling::nearest;

/// One input being filled.
pub(super) struct Filling<'a, 'b, T> {
    pub(super) bound: &'a BoundInput,
    pub(super) lookup: &'a Lookup,
    pub(super) index: usize,
    /// Values that stand for a missing one.
    pub(super) missing: &'a Sentinels,
    /// Whether messages may hold the values of rows.
    pub(super) shows_values: bool,
    pub(super) out: &'a mut [T],
    pub(super) counts: &'a mut Coercions,
    pub(super) verdicts: &'b mut Verdicts,
    pub(super) origin: Origin<'a>,
}

impl<'a, T: Real> Filling<'a, '_, T> {
    /// The same input with another output.
    pub(super) fn with_output<'c, U>(&'c mut self, out: &'c mut [U]) -> Filling<'c, 'c, U>
    where
        'a: 'c,
    {
        let Self {
            bound,
            lookup,
            index,
            missing,
            shows_values,
            counts,
            verdicts,
            origin,
            ..
        } = self;
        Filling {
            bound,
            lookup,
            index: *index,
            missing,
            shows_values: *shows_values,
            out,
            counts,
            verdicts,
            origin: *origin,
        }
    }

    pub(super) fn fill(&mut self, column: &ArrayRef) -> Result<()> {
        let column = decoded(column)?;
        let nulls = column.nulls();
        match column.data_type() {
            DataType::Utf8 => self.texts(&column.as_string::<i32>()),
            DataType::Utf8View => self.texts(&column.as_string_view()),
            DataType::Float32 => self.numbers(
                column.as_primitive::<Float32Type>().values(),
                nulls,
                |value| Number::Real(f64::from(value)),
                |value| T::from_double(f64::from(value)),
            ),
            DataType::Float64 => self.numbers(
                column.as_primitive::<Float64Type>().values(),
                nulls,
                Number::Real,
                T::from_double,
            ),
            DataType::Int32 => {
                let values = column.as_primitive::<Int32Type>().values();
                self.count_rounded(
                    values.iter().map(|&value| T::holds(i64::from(value))),
                    nulls,
                );
                self.numbers(
                    values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    |value| T::from_integer(i64::from(value)),
                )
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>().values();
                self.count_rounded(values.iter().map(|&value| T::holds(value)), nulls);
                self.numbers(
                    values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    T::from_integer,
                )
            }
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>().values();
                self.count_rounded(values.iter().map(|&value| T::holds_unsigned(value)), nulls);
                self.numbers(
                    values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    T::from_unsigned,
                )
            }
            DataType::Decimal128(..) => {
                self.decimals(&column, column.as_primitive::<Decimal128Type>(), Some)
            }
            DataType::Decimal256(..) => self.decimals(
                &column,
                column.as_primitive::<Decimal256Type>(),
                i256::to_i128,
            ),
            DataType::Boolean => {
                let values: Vec<u8> = column.as_boolean().values().iter().map(u8::from).collect();
                self.numbers(
                    &values,
                    nulls,
                    |value| Number::Integer(i128::from(value)),
                    |value| T::from_integer(i64::from(value)),
                )
            }
            DataType::Null => (0..column.len()).try_for_each(|row| self.missing(row)),
            other => Err(Error::internal(format!("no encoding for {other}"))),
        }
    }

    /// Counts the numbers that are not held; a category is looked up as it is, so nothing is
    /// rounded.
    fn count_rounded(&mut self, held: impl Iterator<Item = bool>, nulls: Option<&NullBuffer>) {
        if matches!(self.lookup, Lookup::None) {
            let rounded = held
                .enumerate()
                .filter(|(row, held)| !held && nulls.is_none_or(|nulls| nulls.is_valid(*row)));
            self.counts.rounded_count += rounded.count() as u64;
        }
    }

    /// Decimals go through `f64`. One counts as rounded if its digits do not come back from what
    /// the model reads; fewer digits than the precision has always do, so only long ones are tried.
    fn decimals<D: DecimalType>(
        &mut self,
        column: &ArrayRef,
        decimals: &PrimitiveArray<D>,
        digits: impl Fn(D::Native) -> Option<i128>,
    ) -> Result<()> {
        let doubles = cast(column, &DataType::Float64)
            .map_err(|error| Error::failed("cannot decode the column").because(error))?;
        let doubles = doubles.as_primitive::<Float64Type>();
        let fraction_digits = usize::try_from(decimals.scale()).unwrap_or(0);
        let is_short = |row: usize| {
            digits(decimals.value(row))
                .is_some_and(|digits| digits.unsigned_abs() <= u128::from(T::WHOLE / 2))
        };
        let comes_back = |row: usize| {
            format!(
                "{:.fraction_digits$}",
                T::from_double(doubles.value(row)).to_double()
            ) == decimals.value_as_string(row)
        };
        self.count_rounded(
            (0..decimals.len())
                .map(|row| is_short(row) || decimals.is_null(row) || comes_back(row)),
            decimals.nulls(),
        );
        self.numbers(
            doubles.values(),
            doubles.nulls(),
            Number::Real,
            T::from_double,
        )
    }

    /// Numbers: straight to the model, or through the vocabulary.
    fn numbers<V: Copy + 'static>(
        &mut self,
        values: &[V],
        nulls: Option<&NullBuffer>,
        wide: impl Fn(V) -> Number,
        narrow: impl Fn(V) -> T,
    ) -> Result<()> {
        let is_single = TypeId::of::<V>() == TypeId::of::<f32>();
        if !matches!(self.lookup, Lookup::None) {
            let is_null = |row| nulls.is_some_and(|nulls| nulls.is_null(row));
            return values.iter().enumerate().try_for_each(|(row, &value)| {
                if is_null(row) {
                    self.missing(row)
                } else {
                    self.number(row, wide(value))
                }
            });
        }
        self.out
            .iter_mut()
            .zip(values)
            .for_each(|(out, &value)| *out = narrow(value));
        if self.missing.has_numbers() {
            self.forget_sentinels(is_single);
        }
        if nulls.is_none_or(|nulls| nulls.null_count() == 0)
            && !self.out.iter().any(|value| self.stands_out(*value))
        {
            return Ok(());
        }
        let is_infinite = |value: &T| !value.is_missing() && self.stands_out(*value);
        if self.bound.input.on_null == Policy::Null && !self.out.iter().any(is_infinite) {
            self.let_missing_through(nulls);
            return Ok(());
        }
        for row in 0..self.out.len() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) || self.out[row].is_missing() {
                self.missing(row)?;
            } else {
                self.finite(row)?;
            }
        }
        Ok(())
    }

    /// Whether a number may be more than a number: a missing one, or one that the model refuses.
    fn stands_out(&self, value: T) -> bool {
        match self.bound.input.numbers {
            NumberRange::All => value.is_missing(),
            NumberRange::Finite => !value.is_finite_number(),
            NumberRange::Single => !(value.to_double() as f32).is_finite(),
        }
    }

    /// Does what the policy says to the number of a row if it is infinite, or too large.
    fn finite(&mut self, row: usize) -> Result<()> {
        let value = self.out[row];
        if value.is_missing() || !self.stands_out(value) {
            return Ok(());
        }
        self.counts.unfit_count += 1;
        self.settle(row, self.bound.input.on_unseen, f64::NAN, Reason::Infinite)
    }

    /// Makes NaN of the numbers that stand for a missing value. They are compared in the precision
    /// that the column and the model have in common, as XGBoost compares its `missing`.
    fn forget_sentinels(&mut self, is_single: bool) {
        let narrow = |value: f64| {
            T::from_double(if is_single {
                f64::from(value as f32)
            } else {
                value
            })
            .to_double()
        };
        let sentinels = self.missing.numbers(narrow);
        for out in self
            .out
            .iter_mut()
            .filter(|out| meets(&sentinels, &out.to_double()))
        {
            *out = T::MISSING;
        }
    }

    /// What [`Filling::missing`] does under [`Policy::Null`], for all rows in one sweep.
    fn let_missing_through(&mut self, nulls: Option<&NullBuffer>) {
        let mut count = 0;
        let mut settle = |out: &mut T, is_null: bool| {
            let is_missing = is_null | out.is_missing();
            count += u64::from(is_missing);
            *out = if is_missing { T::MISSING } else { *out };
        };
        match nulls {
            None => self.out.iter_mut().for_each(|out| settle(out, false)),
            Some(nulls) => self
                .out
                .iter_mut()
                .zip(nulls)
                .for_each(|(out, is_valid)| settle(out, !is_valid)),
        }
        self.counts.null_count += count;
    }

    fn texts<'s>(&mut self, values: &impl ArrayAccessor<Item = &'s str>) -> Result<()> {
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

    /// Whether a number stands for a missing value: compared as the model reads it, or exactly
    /// where it is a category.
    fn is_missing_number(&self, value: Number) -> bool {
        let narrow = |value: f64| T::from_double(value).to_double();
        match self.lookup {
            Lookup::None => self.missing.is_narrowed(value.to_double(), narrow),
            lookup => self
                .missing
                .is_number(value.to_double(), || lookup.knows_number(value)),
        }
    }

    /// Whether a text stands for a missing value. A category that the model knows is a value, even
    /// if it is spelt like a missing one; an empty field of delimited text is not a number, so it
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
            let spelt = plain.and_then(|text| self.lookup.code_of_spelling(&text));
            self.counts.parsed_count += u64::from(spelt.is_some());
            let code = known.or(spelt).or_else(|| self.lookup.other_code(text));
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

    fn number(&mut self, row: usize, value: Number) -> Result<()> {
        match (self.lookup, value) {
            (_, Number::Real(value)) if value.is_nan() => self.missing(row),
            (_, value) if self.is_missing_number(value) => self.missing(row),
            (Lookup::None, Number::Real(value)) => {
                self.out[row] = T::from_double(value);
                self.finite(row)
            }
            (Lookup::Hashes { .. } | Lookup::OwnHashes { .. }, Number::Real(value))
                if !is_digits(value) =>
            {
                self.not_a_category(row, value)
            }
            (Lookup::None, Number::Integer(value)) => {
                self.counts.rounded_count += u64::from(!T::holds_wide(value));
                self.out[row] = T::from_double(value as f64);
                self.finite(row)
            }
            (lookup, value) => {
                self.category(row, lookup.code_of_number(value), &|| value.to_text())
            }
        }
    }

    fn category(&mut self, row: usize, code: Option<f64>, text: &dyn Fn() -> String) -> Result<()> {
        match code {
            Some(code) => Ok(self.out[row] = T::from_double(code)),
            None => self
                .unseen(row, text)
                .map_err(|error| self.near_known(self.showing(error, text), &text())),
        }
    }

    /// Settles a number that has no text of digits, by which CatBoost knows its categories: it
    /// refuses them, so nothing lets them through.
    fn not_a_category(&mut self, row: usize, value: f64) -> Result<()> {
        self.counts.unfit_count += 1;
        let policy = match self.bound.input.on_unseen {
            Policy::Null => Policy::Error,
            other => other,
        };
        let text = || Number::Real(value).to_text();
        self.settle(row, policy, f64::NAN, misfit(value))
            .map_err(|error| self.showing(error, &text))
    }

    fn missing(&mut self, row: usize) -> Result<()> {
        self.counts.null_count += 1;
        self.settle(row, self.bound.input.on_null, f64::NAN, Reason::Null)
    }

    fn unseen(&mut self, row: usize, text: &dyn Fn() -> String) -> Result<()> {
        self.counts.unseen_count += 1;
        let code = match &self.bound.input.kind {
            InputKind::Category(vocabulary) => vocabulary.unseen_code,
            InputKind::HashedCategory(HashedCategories {
                code: HashedCode::Position { other },
                ..
            }) => *other,
            InputKind::HashedCategory(_) => self.lookup.unseen_code(&text()).unwrap_or(f64::NAN),
            _ => f64::NAN,
        };
        self.settle(row, self.bound.input.on_unseen, code, Reason::Unseen)
    }

    /// Does what the policy says to a value that the input cannot take; `through` is what the model
    /// reads if it is let through.
    pub(super) fn settle(
        &mut self,
        row: usize,
        policy: Policy,
        through: f64,
        reason: Reason,
    ) -> Result<()> {
        match policy {
            Policy::Null => self.out[row] = T::from_double(through),
            Policy::Default(value) => {
                self.counts.defaulted_count += 1;
                self.out[row] = T::from_double(self.code_instead(value));
            }
            Policy::Reject => {
                self.out[row] = T::MISSING;
                self.verdicts.reject(row, self.index, reason);
            }
            Policy::Error => return Err(self.stop(row, reason)),
        }
        Ok(())
    }

    /// What the model reads for a number that a policy puts in a value's stead: where hashes are
    /// codes, the category that is written so.
    fn code_instead(&self, value: f64) -> f64 {
        if matches!(self.lookup, Lookup::OwnHashes { .. }) {
            let code = self.lookup.unseen_code(&Number::Real(value).to_text());
            code.unwrap_or(value)
        } else {
            value
        }
    }

    /// Names the value, if that was asked for.
    pub(super) fn showing(&self, error: Error, text: &dyn Fn() -> String) -> Error {
        if self.shows_values {
            error.adding(&format!(": `{}`", text()))
        } else {
            error
        }
    }

    /// Names the category that is spelt most like this one.
    fn near_known(&self, error: Error, text: &str) -> Error {
        let InputKind::Category(vocabulary) = &self.bound.input.kind else {
            return error;
        };
        let known: Vec<String> = vocabulary.values.iter().map(ToString::to_string).collect();
        let Some(near) = nearest(text, &known.iter().map(String::as_str)) else {
            return error;
        };
        let rest = error
            .hint_text()
            .map_or_else(String::new, |hint| format!("; {hint}"));
        error.hint(format!(
            "the nearest category that is known is `{near}`{rest}"
        ))
    }

    fn stop(&self, row: usize, reason: Reason) -> Error {
        let policy = |name: &str| shell_word(&format!("{}={name}", self.bound.column));
        let flag = if reason == Reason::Null {
            "--on-null"
        } else {
            "--on-unseen"
        };
        let (instead, as_what) = match &self.bound.input.kind {
            InputKind::Native(NativeType {
                element: NativeElement::Text,
                ..
            }) => ("null", "as the empty text"),
            InputKind::Native(NativeType {
                element: NativeElement::Integer(_) | NativeElement::Boolean,
                ..
            }) => ("0", "as 0"),
            InputKind::Native(_) => ("null", "as NaN"),
            _ => ("null", "as missing"),
        };
        let spelt = if self.missing.is_untyped && reason == Reason::Null {
            "; `--missing` says which texts mean a missing value"
        } else {
            ""
        };
        let message = match (&self.bound.input.kind, reason) {
            (InputKind::Native(native), Reason::Range) => out_of_range(native.element),
            (InputKind::Native(_), Reason::Length) => format!(
                "a list is of another length: the model reads {}",
                wants(&self.bound.input.kind)
            ),
            _ => reason.message().to_owned(),
        };
        let is_hashed = matches!(self.bound.input.kind, InputKind::HashedCategory(_));
        if is_hashed && matches!(reason, Reason::Fraction | Reason::Range) {
            return Error::failed("a category is a number that is not an integer of 64 bits")
                .at_row(self.origin.row_number(row))
                .hint(format!(
                    "make the column integers or strings, as in training, or leave such rows out: \
                     `--on-unseen {}`",
                    policy("reject")
                ));
        }
        Error::failed(message)
            .at_row(self.origin.row_number(row))
            .hint(format!(
                "fix the row, or let the run go on: `{flag} {}` leaves such rows out, `{flag} \
                 {}` reads them {as_what}{spelt}",
                policy("reject"),
                policy(instead)
            ))
    }
}

/// The column in one of the few types that encoders read.
fn decoded(column: &ArrayRef) -> Result<ArrayRef> {
    let expected = match column.data_type() {
        DataType::Dictionary(_, value) => value.as_ref().clone(),
        DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        _ => return Ok(column.clone()),
    };
    let column = cast(column, &expected)
        .map_err(|error| Error::failed("cannot decode the column").because(error))?;
    if *column.data_type() == expected
        && !matches!(
            expected,
            DataType::Utf8
                | DataType::Utf8View
                | DataType::Int32
                | DataType::Int64
                | DataType::Float32
                | DataType::Float64
        )
    {
        return decoded(&column);
    }
    Ok(column)
}
