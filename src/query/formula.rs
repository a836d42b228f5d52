//! Formulas: what polars computes of a condition, step by step.
//!
//! Owns the steps and how each is computed on columns, eagerly: the parts of a condition are few
//! and their columns are in memory, so that a planner has nothing to gain. It must not know SQL;
//! which formula means the same as an expression, [`super::translation`] knows.

use polars::prelude as pl;
use polars::prelude::arity::unary_elementwise_values;
use polars::prelude::{ChunkCompareEq, ChunkCompareIneq};
use polars_ops::prelude::StringNameSpaceImpl;

use super::frame::Column;
use super::items::Items;
use super::node::{Comparison, Operator};

/// One step, and the steps whose columns it reads.
#[derive(Clone, Debug)]
pub(super) enum Formula {
    /// The column of this number.
    Column(usize),
    /// One value for all rows.
    Constant(Column),
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
    /// Whether a value equals one of these; null for null.
    Among(Box<Self>, Items),
    /// Whether a text has a part that matches the regular expression.
    Matches(Box<Self>, String),
    /// How many characters a text has.
    Length(Box<Self>),
    /// What a double is.
    Is(Kind, Box<Self>),
    /// `+ - * /` of doubles.
    Arithmetic(Operator, Box<Self>, Box<Self>),
    /// A number as a double.
    Real(Box<Self>),
    /// An integer in units of a decimal: so many to one.
    Units(Box<Self>, i128),
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

    /// The column of a formula: one value for each row, or a single one for all rows; none if the
    /// columns have other types than the formula was made for.
    pub(super) fn compute(&self, columns: &[Column]) -> Option<Column> {
        let of = |formula: &Self| formula.compute(columns);
        let booleans = |formula: &Self| formula.booleans(columns);
        Some(match self {
            Self::Column(number) => columns.get(*number)?.clone(),
            Self::Constant(value) => value.clone(),
            Self::Not(inner) => Column::Boolean(!booleans(inner)?),
            Self::And(left, right) => Column::Boolean(booleans(left)? & booleans(right)?),
            Self::Or(left, right) => Column::Boolean(booleans(left)? | booleans(right)?),
            Self::IsNull(inner) => Column::Boolean(is_null(&of(inner)?)),
            Self::Compare(how, left, right) => {
                Column::Boolean(compared(*how, &of(left)?, &of(right)?)?)
            }
            Self::Among(value, items) => Column::Boolean(items.contain(&of(value)?)?),
            Self::Matches(text, pattern) => match of(text)? {
                Column::Text(texts) => Column::Boolean(texts.contains(pattern, true).ok()?),
                _ => return None,
            },
            Self::Length(text) => match of(text)? {
                Column::Text(texts) => Column::Int64(integers(&texts.str_len_chars())),
                _ => return None,
            },
            Self::Is(kind, number) => Column::Boolean(is_kind(*kind, &of(number)?)?),
            Self::Arithmetic(operator, left, right) => {
                Column::Float64(arithmetic(*operator, &of(left)?, &of(right)?)?)
            }
            Self::Real(inner) => Column::Float64(real(&of(inner)?)?),
            Self::Units(inner, units) => Column::Int128(in_units(&of(inner)?, *units)?),
        })
    }

    /// The column of a formula that is true or false.
    pub(super) fn booleans(&self, columns: &[Column]) -> Option<pl::BooleanChunked> {
        match self.compute(columns)? {
            Column::Boolean(values) => Some(values),
            _ => None,
        }
    }
}

fn is_null(column: &Column) -> pl::BooleanChunked {
    match column {
        Column::Boolean(values) => values.is_null(),
        Column::Int32(values) => values.is_null(),
        Column::Int64(values) => values.is_null(),
        Column::Int128(values) => values.is_null(),
        Column::Float32(values) => values.is_null(),
        Column::Float64(values) => values.is_null(),
        Column::Text(values) => values.is_null(),
    }
}

fn compared(how: Comparison, left: &Column, right: &Column) -> Option<pl::BooleanChunked> {
    Some(match (left, right) {
        (Column::Boolean(left), Column::Boolean(right)) => of_one_type(how, left, right),
        (Column::Int32(left), Column::Int32(right)) => of_one_type(how, left, right),
        (Column::Int64(left), Column::Int64(right)) => of_one_type(how, left, right),
        (Column::Int128(left), Column::Int128(right)) => of_one_type(how, left, right),
        (Column::Float32(left), Column::Float32(right)) => of_one_type(how, left, right),
        (Column::Float64(left), Column::Float64(right)) => of_one_type(how, left, right),
        (Column::Text(left), Column::Text(right)) => of_one_type(how, left, right),
        _ => return None,
    })
}

fn of_one_type<T>(how: Comparison, left: &T, right: &T) -> pl::BooleanChunked
where
    T: for<'a> ChunkCompareEq<&'a T, Item = pl::BooleanChunked>
        + for<'a> ChunkCompareIneq<&'a T, Item = pl::BooleanChunked>,
{
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

fn is_kind(kind: Kind, column: &Column) -> Option<pl::BooleanChunked> {
    let Column::Float64(numbers) = column else {
        return None;
    };
    Some(match kind {
        Kind::NotANumber => numbers.is_nan(),
        Kind::Infinite => numbers.is_infinite(),
        Kind::Finite => numbers.is_finite(),
    })
}

fn arithmetic(operator: Operator, left: &Column, right: &Column) -> Option<pl::Float64Chunked> {
    let (Column::Float64(left), Column::Float64(right)) = (left, right) else {
        return None;
    };
    Some(match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        Operator::Divide => left / right,
        Operator::DivideWhole | Operator::Remainder => return None,
    })
}

fn integers(lengths: &pl::UInt32Chunked) -> pl::Int64Chunked {
    unary_elementwise_values(lengths, i64::from)
}

fn real(column: &Column) -> Option<pl::Float64Chunked> {
    Some(match column {
        Column::Int64(values) => unary_elementwise_values(values, |value| value as f64),
        Column::Float32(values) => unary_elementwise_values(values, f64::from),
        _ => return None,
    })
}

/// Products never overflow: a type that holds both sides was found before.
fn in_units(column: &Column, units: i128) -> Option<pl::Int128Chunked> {
    let scaled = |value: i128| value.wrapping_mul(units);
    Some(match column {
        Column::Int64(values) => {
            unary_elementwise_values(values, |value: i64| scaled(i128::from(value)))
        }
        Column::Int128(values) => unary_elementwise_values(values, scaled),
        _ => return None,
    })
}
