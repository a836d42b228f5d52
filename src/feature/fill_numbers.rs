//! Numbers of a column into an input: copied in one sweep where nothing stands out, else value by
//! value. It must not know how texts become numbers, nor what policies do.

use std::any::TypeId;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, DecimalType, Float64Type};

use super::fill::Filling;
use super::lookup::{Lookup, Number};
use super::range::is_digits;
use super::real::Real;
use super::sweep::any;
use super::token_use::meets;
use super::verdict::Reason;
use crate::contract::{NumberRange, Policy};
use crate::error::{Error, Result};

impl<T: Real> Filling<'_, '_, T> {
    /// Decimals go through `f64`. One counts as rounded if its digits do not come back from what
    /// the model reads; fewer digits than the precision has always do, so only long ones are tried.
    pub(super) fn decimals<D: DecimalType>(
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
    pub(super) fn numbers<V: Copy + 'static>(
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
        if nulls.is_none_or(|nulls| nulls.null_count() == 0) && !self.any_stands_out() {
            return Ok(());
        }
        if self.bound.input.on_null == Policy::Null && !self.any_unfit() {
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

    /// Whether any number of the column stands out.
    fn any_stands_out(&self) -> bool {
        match self.bound.input.numbers {
            NumberRange::All => any(self.out, T::is_missing),
            NumberRange::Finite => any(self.out, |value| !value.is_finite_number()),
            NumberRange::Single => any(self.out, |value| !(value.to_double() as f32).is_finite()),
        }
    }

    /// Whether any number stands out that is not a missing one.
    fn any_unfit(&self) -> bool {
        match self.bound.input.numbers {
            NumberRange::All => false,
            _ => any(self.out, |value| {
                !value.is_missing() & self.stands_out(value)
            }),
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

    pub(super) fn number(&mut self, row: usize, value: Number) -> Result<()> {
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
}
