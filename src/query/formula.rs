//! Formulas: what polars computes of a condition, step by step.
//!
//! Owns the steps and how each is computed on columns, eagerly: the parts of a condition are few
//! and their columns are in memory, so that a planner has nothing to gain. It must not know SQL;
//! which formula means the same as an expression, [`super::translation`] knows.

use polars::prelude as pl;
use polars::prelude::{ChunkCompareEq, ChunkCompareIneq, IntoSeries};
use polars_ops::prelude::{StringNameSpaceImpl, is_in};

use super::node::{Comparison, Operator};

/// One step, and the steps whose columns it reads.
#[derive(Clone, Debug)]
pub(super) enum Formula {
    /// The column of this number.
    Column(usize),
    /// One value for all rows.
    Constant(pl::Scalar),
    /// True for false; null stays null.
    Not(Box<Self>),
    /// Both, with the truth table of SQL.
    And(Box<Self>, Box<Self>),
    /// One of both, with the truth table of SQL.
    Or(Box<Self>, Box<Self>),
    /// Whether a value is null.
    IsNull(Box<Self>),
    /// How two values of one type compare.
    Compare(Comparison, Box<Self>, Box<Self>),
    /// Whether a value equals one of these, none of which is null.
    Among(Box<Self>, pl::Series),
    /// Whether a text has a part that matches the regular expression.
    Matches(Box<Self>, String),
    /// How many characters a text has.
    Length(Box<Self>),
    /// What a double is.
    Is(Kind, Box<Self>),
    /// `+ - * /` of doubles, or of integers of 128 bits.
    Arithmetic(Operator, Box<Self>, Box<Self>),
    /// A value in another type.
    Cast(Box<Self>, pl::DataType),
}

/// Kinds of doubles.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    NotANumber,
    Infinite,
    Finite,
}

impl Formula {
    /// The step after this one.
    pub(super) fn then(self, step: impl FnOnce(Box<Self>) -> Self) -> Self {
        step(Box::new(self))
    }

    /// A step of this column and another.
    pub(super) fn with(self, other: Self, step: impl FnOnce(Box<Self>, Box<Self>) -> Self) -> Self {
        step(Box::new(self), Box::new(other))
    }

    /// The step that compares.
    pub(super) fn compare(how: Comparison) -> impl FnOnce(Box<Self>, Box<Self>) -> Self {
        move |left, right| Self::Compare(how, left, right)
    }

    /// The column of a formula: one value for each row, or a single one for all rows.
    pub(super) fn compute(&self, columns: &[pl::Column]) -> pl::PolarsResult<pl::Column> {
        let of = |formula: &Self| formula.compute(columns);
        Ok(match self {
            Self::Column(number) => columns[*number].clone(),
            Self::Constant(value) => {
                pl::Column::new_scalar(pl::PlSmallStr::EMPTY, value.clone(), 1)
            }
            Self::Not(inner) => column(!of(inner)?.bool()?.clone()),
            Self::And(left, right) => (&of(left)? & &of(right)?)?,
            Self::Or(left, right) => (&of(left)? | &of(right)?)?,
            Self::IsNull(inner) => column(of(inner)?.is_null()),
            Self::Compare(how, left, right) => column(compared(*how, &of(left)?, &of(right)?)?),
            Self::Among(value, items) => {
                let items = items.implode()?.into_series();
                column(is_in(of(value)?.as_materialized_series(), &items, false)?)
            }
            Self::Matches(text, pattern) => column(of(text)?.str()?.contains(pattern, true)?),
            Self::Length(text) => column(of(text)?.str()?.str_len_chars()),
            Self::Is(kind, number) => column(is_kind(*kind, of(number)?.as_materialized_series())?),
            Self::Arithmetic(operator, left, right) => {
                arithmetic(*operator, &of(left)?, &of(right)?)?
            }
            Self::Cast(inner, data_type) => of(inner)?.strict_cast(data_type)?,
        })
    }
}

fn column<T: pl::PolarsDataType>(values: pl::ChunkedArray<T>) -> pl::Column
where
    pl::ChunkedArray<T>: IntoSeries,
{
    pl::Column::from(values.into_series())
}

fn compared(
    how: Comparison,
    left: &pl::Column,
    right: &pl::Column,
) -> pl::PolarsResult<pl::BooleanChunked> {
    match how {
        Comparison::Equal => left.equal(right),
        Comparison::NotEqual => left.not_equal(right),
        Comparison::Less => left.lt(right),
        Comparison::LessOrEqual => left.lt_eq(right),
        Comparison::Greater => left.gt(right),
        Comparison::GreaterOrEqual => left.gt_eq(right),
        Comparison::Distinct => left.not_equal_missing(right),
        Comparison::NotDistinct => left.equal_missing(right),
    }
}

fn is_kind(kind: Kind, numbers: &pl::Series) -> pl::PolarsResult<pl::BooleanChunked> {
    match kind {
        Kind::NotANumber => numbers.is_nan(),
        Kind::Infinite => numbers.is_infinite(),
        Kind::Finite => numbers.is_finite(),
    }
}

fn arithmetic(
    operator: Operator,
    left: &pl::Column,
    right: &pl::Column,
) -> pl::PolarsResult<pl::Column> {
    match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::DivideWhole | Operator::Remainder => Err(pl::PolarsError::InvalidOperation(
            "rounded division is not computed by polars".into(),
        )),
    }
}
