//! Expressions as polars computes them.
//!
//! Owns which parts of an expression polars computes with the meaning that SQL has here:
//! comparisons, `AND`, `OR`, `NOT`, `BETWEEN`, `IN`, `IS NULL`, `IS TRUE`, patterns, lengths, and
//! `+ - * /` of doubles. All else (casts, dates, rounding, integers that may overflow, text
//! functions, `CASE`) is computed by this room first, and polars reads it as a column of its own.
//! It must not know rows.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::concat;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampNanosecondType,
};
use polars::prelude as pl;
use polars::prelude::Literal;

use super::comparison::matched;
use super::evaluate::{Rows, evaluate};
use super::frame;
use super::node::{Comparison, Node, Operator};
use super::pattern::as_regex;
use super::value::{Value, shared_type};

/// Where the values of a column of polars come from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    /// A column of the table.
    Column(String),
    /// A part of an expression that polars does not compute.
    Computed(Node),
}

/// Translates expressions, and numbers the columns that they read.
pub(super) struct Translator<'a> {
    /// No rows of every column.
    empty: &'a Rows,
    sources: Vec<Source>,
}

/// The name of a column by its number: names of tables may mean something to polars.
pub(super) fn name_of(number: usize) -> String {
    format!("c{number}")
}

impl<'a> Translator<'a> {
    /// A translator for tables whose columns have the types of these.
    pub(super) fn new(empty: &'a Rows) -> Self {
        Self {
            empty,
            sources: Vec::new(),
        }
    }

    /// The columns in the order of their numbers.
    pub(super) fn into_sources(self) -> Vec<Source> {
        self.sources
    }

    /// Whether a row meets the condition; null counts as no.
    pub(super) fn condition(&mut self, node: &Node) -> pl::Expr {
        let is_constant = evaluate(node, self.empty).is_ok_and(|value| value.is_constant);
        // A constant of polars has one row, whatever the table has.
        let expression = if is_constant {
            self.computed(node)
        } else {
            self.any(node)
        };
        expression.fill_null(false.lit())
    }

    fn any(&mut self, node: &Node) -> pl::Expr {
        match self.translated(node) {
            Some(expression) => expression,
            None => self.computed(node),
        }
    }

    fn computed(&mut self, node: &Node) -> pl::Expr {
        self.column(Source::Computed(node.clone()))
    }

    fn column(&mut self, source: Source) -> pl::Expr {
        let known = self.sources.iter().position(|known| *known == source);
        let number = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        pl::col(name_of(number))
    }

    /// What polars computes of a part; none if it means something else by it.
    fn translated(&mut self, node: &Node) -> Option<pl::Expr> {
        let value = evaluate(node, self.empty).ok()?;
        if value.is_constant {
            return literal(&value.array);
        }
        match node {
            Node::Column(name) => Some(self.column(Source::Column(name.clone()))),
            Node::Not(inner) => Some(self.any(inner).not()),
            Node::And(left, right) => Some(self.any(left).and(self.any(right))),
            Node::Or(left, right) => Some(self.any(left).or(self.any(right))),
            Node::IsNull(inner) => Some(self.any(inner).is_null()),
            Node::IsTruth(inner, expected) => Some(self.any(inner).eq_missing(expected.lit())),
            Node::Compare(how, left, right) => self.compared(*how, left, right),
            Node::Between { value, low, high } => {
                let low = self.compared(Comparison::GreaterOrEqual, value, low)?;
                let high = self.compared(Comparison::LessOrEqual, value, high)?;
                Some(low.and(high))
            }
            Node::In(value, items) => self.among(value, items),
            Node::Matches {
                value,
                pattern,
                how,
            } => {
                let text = self.text(value)?;
                let pattern = evaluate(pattern, self.empty).ok()?;
                if !pattern.is_constant || *pattern.data_type() != DataType::Utf8 {
                    return None;
                }
                let patterns = pattern.array.as_string::<i32>();
                let pattern = patterns.iter().next().flatten()?;
                Some(text.str().contains(as_regex(pattern, *how)?.lit(), true))
            }
            Node::Arithmetic(operator, left, right) => self.arithmetic(*operator, left, right),
            Node::Call(name, arguments) => self.called(name, arguments),
            _ => None,
        }
    }

    fn compared(&mut self, how: Comparison, left: &Node, right: &Node) -> Option<pl::Expr> {
        let own = (
            evaluate(left, self.empty).ok()?,
            evaluate(right, self.empty).ok()?,
        );
        let shared = matched(&own.0, &own.1).ok()?;
        let left = self.operand(left, &own.0, &shared.0)?;
        let right = self.operand(right, &own.1, &shared.1)?;
        Some(match how {
            Comparison::Equal => left.eq(right),
            Comparison::NotEqual => left.neq(right),
            Comparison::Less => left.lt(right),
            Comparison::LessOrEqual => left.lt_eq(right),
            Comparison::Greater => left.gt(right),
            Comparison::GreaterOrEqual => left.gt_eq(right),
            Comparison::Distinct => left.neq_missing(right),
            Comparison::NotDistinct => left.eq_missing(right),
        })
    }

    /// A side of a comparison, in the type that both have in common.
    fn operand(&mut self, node: &Node, own: &Value, shared: &Value) -> Option<pl::Expr> {
        if own.is_constant {
            return literal(&shared.array);
        }
        widened(self.any(node), own.data_type(), shared.data_type())
    }

    fn among(&mut self, value: &Node, items: &[Node]) -> Option<pl::Expr> {
        let own = evaluate(value, self.empty).ok()?;
        let (mut shared, mut has_null, mut constants) = (None, false, Vec::new());
        for item in items {
            let item = evaluate(item, self.empty).ok()?;
            let (seen, item) = matched(&own, &item).ok()?;
            if !item.is_constant {
                return None;
            }
            if item.array.is_null(0) {
                has_null = true;
                continue;
            }
            if *shared.get_or_insert_with(|| seen.data_type().clone()) != *item.data_type() {
                return None;
            }
            constants.push(item.array);
        }
        let shared = shared?;
        let constants: Vec<&dyn Array> = constants.iter().map(AsRef::as_ref).collect();
        let constants = frame::column("items", &concat(&constants).ok()?)?;
        let constants = constants.as_materialized_series().clone().lit();
        let value = widened(self.any(value), own.data_type(), &shared)?;
        let found = value.is_in(constants.implode(true), false);
        // In none of them, but perhaps in the one that is null.
        let unknown = pl::Scalar::null(pl::DataType::Boolean).lit();
        Some(if has_null { found.or(unknown) } else { found })
    }

    fn arithmetic(&mut self, operator: Operator, left: &Node, right: &Node) -> Option<pl::Expr> {
        let own = (
            evaluate(left, self.empty).ok()?,
            evaluate(right, self.empty).ok()?,
        );
        let shared = shared_type([&own.0, &own.1].into_iter(), "+").ok()?;
        let is_real = shared == DataType::Float64
            || shared == DataType::Int64 && operator == Operator::Divide;
        if !is_real {
            return None;
        }
        let left = self.real(left, &own.0)?;
        let right = self.real(right, &own.1)?;
        Some(match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            Operator::Divide => left / right,
            Operator::DivideWhole | Operator::Remainder => return None,
        })
    }

    fn real(&mut self, node: &Node, own: &Value) -> Option<pl::Expr> {
        widened(self.any(node), own.data_type(), &DataType::Float64)
    }

    fn text(&mut self, node: &Node) -> Option<pl::Expr> {
        let value = evaluate(node, self.empty).ok()?;
        (*value.data_type() == DataType::Utf8).then(|| self.any(node))
    }

    fn called(&mut self, name: &str, arguments: &[Node]) -> Option<pl::Expr> {
        let [only] = arguments else {
            return None;
        };
        if name == "length" {
            let text = self.text(only)?;
            return Some(text.str().len_chars().cast(pl::DataType::Int64));
        }
        if *evaluate(only, self.empty).ok()?.data_type() != DataType::Float64 {
            return None;
        }
        match name {
            "isnan" => Some(self.any(only).is_nan()),
            "isinf" => Some(self.any(only).is_infinite()),
            "isfinite" => Some(self.any(only).is_finite()),
            _ => None,
        }
    }
}

/// A value in a type that holds it without loss, or as SQL rounds it; none where polars rounds in
/// another way.
fn widened(expression: pl::Expr, own: &DataType, shared: &DataType) -> Option<pl::Expr> {
    match (own, shared) {
        (own, shared) if own == shared => Some(expression),
        (DataType::Int64 | DataType::Float32, DataType::Float64) => {
            Some(expression.cast(pl::DataType::Float64))
        }
        (DataType::Int64, DataType::Decimal128(_, scale)) => {
            let units = i128::from(10).checked_pow(u32::try_from(*scale).ok()?)?;
            Some(expression.cast(pl::DataType::Int128) * integer(units))
        }
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) if to >= from => {
            let units = i128::from(10).checked_pow(u32::from(to.abs_diff(*from)))?;
            Some(expression * integer(units))
        }
        _ => None,
    }
}

fn integer(value: i128) -> pl::Expr {
    pl::Scalar::new(pl::DataType::Int128, pl::AnyValue::Int128(value)).lit()
}

/// The one value of an array.
fn literal(array: &ArrayRef) -> Option<pl::Expr> {
    let data_type = frame::polars_type(array.data_type())?;
    if array.is_null(0) || *array.data_type() == DataType::Null {
        return Some(pl::Scalar::null(data_type).lit());
    }
    let value = match array.data_type() {
        DataType::Boolean => pl::AnyValue::Boolean(array.as_boolean().value(0)),
        DataType::Int64 => pl::AnyValue::Int64(array.as_primitive::<Int64Type>().value(0)),
        DataType::Float32 => pl::AnyValue::Float32(array.as_primitive::<Float32Type>().value(0)),
        DataType::Float64 => pl::AnyValue::Float64(array.as_primitive::<Float64Type>().value(0)),
        DataType::Date32 => pl::AnyValue::Int32(array.as_primitive::<Date32Type>().value(0)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            pl::AnyValue::Int64(array.as_primitive::<TimestampMicrosecondType>().value(0))
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            pl::AnyValue::Int64(array.as_primitive::<TimestampNanosecondType>().value(0))
        }
        DataType::Decimal128(..) => {
            pl::AnyValue::Int128(array.as_primitive::<Decimal128Type>().value(0))
        }
        DataType::Utf8 => {
            let text = array.as_string::<i32>().value(0);
            pl::AnyValue::StringOwned(pl::PlSmallStr::from_str(text))
        }
        _ => return None,
    };
    Some(pl::Scalar::new(data_type, value).lit())
}
