//! What an input's policies do to a value that it cannot take, and the error where they stop. It
//! must not know where the value comes from.

use super::fill::Filling;
use super::lookup::{Lookup, Number};
use super::range::{misfit, out_of_range};
use super::real::Real;
use super::verdict::Reason;
use crate::contract::reads::wants;
use crate::contract::{HashedCategories, HashedCode, InputKind, NativeElement, NativeType, Policy};
use crate::error::{Error, Result, shell_word};
use crate::table::spelling::nearest;

impl<T: Real> Filling<'_, '_, T> {
    pub(super) fn category(
        &mut self,
        row: usize,
        code: Option<f64>,
        text: &dyn Fn() -> String,
    ) -> Result<()> {
        match code {
            Some(code) => Ok(self.out[row] = T::from_double(code)),
            None => self
                .unseen(row, text)
                .map_err(|error| self.near_known(self.showing(error, text), &text())),
        }
    }

    /// Settles a number that has no text of digits, by which CatBoost knows its categories: it
    /// refuses them, so nothing lets them through.
    pub(super) fn not_a_category(&mut self, row: usize, value: f64) -> Result<()> {
        self.counts.unfit_count += 1;
        let policy = match self.bound.input.on_unseen {
            Policy::Null => Policy::Error,
            other => other,
        };
        let text = || Number::Real(value).to_text();
        self.settle(row, policy, f64::NAN, misfit(value))
            .map_err(|error| self.showing(error, &text))
    }

    pub(super) fn missing(&mut self, row: usize) -> Result<()> {
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

    /// What the model reads for a number that a policy puts in a value's stead: where categories
    /// are known by their hashes, the category that is written so.
    fn code_instead(&self, value: f64) -> f64 {
        let text = || Number::Real(value).to_text();
        match self.lookup {
            Lookup::Hashes { other_code, .. } => {
                self.lookup.known_code(&text()).unwrap_or(*other_code)
            }
            Lookup::OwnHashes { .. } => self.lookup.unseen_code(&text()).unwrap_or(value),
            Lookup::None | Lookup::Values { .. } => value,
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

    /// Names the category that is spelled most like this one.
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
        let spelled = if self.missing.is_untyped && reason == Reason::Null {
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
                    "make the column integers or strings, as in training, or reject such rows: \
                     `--on-unseen {}`",
                    policy("reject")
                ));
        }
        Error::failed(message)
            .at_row(self.origin.row_number(row))
            .hint(format!(
                "fix the row, or let the run continue: `{flag} {}` rejects such rows, `{flag} \
                 {}` reads them {as_what}{spelled}",
                policy("reject"),
                policy(instead)
            ))
    }
}
