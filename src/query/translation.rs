//! Expressions as formulas that polars computes.
//!
//! Owns which parts of an expression polars computes with the meaning that SQL has here:
//! comparisons, `AND`, `OR`, `NOT`, `BETWEEN`, `IN`, `IS NULL`, `IS TRUE`, patterns, lengths, and
//! `+ - * /` of doubles. All else (casts, dates, rounding, integers that may overflow, text
//! functions, `CASE`) is computed by this room first, and polars reads it as a column of its own.
//! It must not know rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::concat;
use arrow::datatypes::DataType;

use super::comparison::{is_wide, matched};
use super::evaluate::{Rows, evaluate};
use super::formula::{Formula, Kind};
use super::frame::Column;
use super::items::Items;
use super::node::{Comparison, Node, Operator};
use super::pattern::as_regex;
use super::value::Value;
use super::width::shared_type;

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

    /// Whether a row meets the condition; null is no.
    pub(super) fn condition(&mut self, node: &Node) -> Formula {
        let is_constant = evaluate(node, self.empty).is_ok_and(|value| value.is_constant);
        // A constant of polars has one row, whatever the table has.
        if is_constant {
            self.computed(node)
        } else {
            self.any(node)
        }
    }

    fn any(&mut self, node: &Node) -> Formula {
        let known = self.sources.len();
        self.translated(node).unwrap_or_else(|| {
            // Of what was begun, no column is read.
            self.sources.truncate(known);
            self.computed(node)
        })
    }

    fn computed(&mut self, node: &Node) -> Formula {
        self.column(Source::Computed(node.clone()))
    }

    fn column(&mut self, source: Source) -> Formula {
        let known = self.sources.iter().position(|known| *known == source);
        let number = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        Formula::Column(number)
    }

    /// What polars computes of a part; none if it means something else by it.
    fn translated(&mut self, node: &Node) -> Option<Formula> {
        let value = evaluate(node, self.empty).ok()?;
        if value.is_constant {
            return constant(&value.array);
        }
        match node {
            Node::Column(name) => Some(self.column(Source::Column(name.clone()))),
            Node::Not(inner) => Some(self.any(inner).then(Formula::Not)),
            Node::And(left, right) => Some(self.any(left).with(self.any(right), Formula::And)),
            Node::Or(left, right) => Some(self.any(left).with(self.any(right), Formula::Or)),
            Node::IsNull(inner) => Some(self.any(inner).then(Formula::IsNull)),
            Node::IsTruth(inner, expected) => {
                let same = Formula::compare(Comparison::NotDistinct);
                Some(self.any(inner).with(boolean(Some(*expected))?, same))
            }
            Node::Compare(how, left, right) => self.compared(*how, left, right),
            Node::Between { value, low, high } => {
                let low = self.compared(Comparison::GreaterOrEqual, value, low)?;
                let high = self.compared(Comparison::LessOrEqual, value, high)?;
                Some(low.with(high, Formula::And))
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
                let pattern = as_regex(pattern, *how)?;
                Some(text.then(|text| Formula::Matches(text, pattern)))
            }
            Node::Arithmetic(operator, left, right) => self.arithmetic(*operator, left, right),
            Node::Call(name, arguments) => self.called(name, arguments),
            _ => None,
        }
    }

    fn compared(&mut self, how: Comparison, left: &Node, right: &Node) -> Option<Formula> {
        let own = (
            evaluate(left, self.empty).ok()?,
            evaluate(right, self.empty).ok()?,
        );
        if is_wide(&own.0, &own.1) {
            return None;
        }
        let shared = matched(&own.0, &own.1).ok()?;
        let left = self.operand(left, &own.0, &shared.0)?;
        let right = self.operand(right, &own.1, &shared.1)?;
        Some(left.with(right, Formula::compare(how)))
    }

    /// A side of a comparison, in the type that both have in common.
    fn operand(&mut self, node: &Node, own: &Value, shared: &Value) -> Option<Formula> {
        if own.is_constant {
            return constant(&shared.array);
        }
        widened(self.any(node), own.data_type(), shared.data_type())
    }

    fn among(&mut self, value: &Node, items: &[Node]) -> Option<Formula> {
        let own = evaluate(value, self.empty).ok()?;
        let (mut shared, mut has_null, mut constants) = (None, false, Vec::new());
        for item in items {
            let item = evaluate(item, self.empty).ok()?;
            if !item.is_constant || is_wide(&own, &item) {
                return None;
            }
            let (seen, item) = matched(&own, &item).ok()?;
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
        let items = Items::new(&Column::new(&concat(&constants).ok()?)?);
        let value = widened(self.any(value), own.data_type(), &shared)?;
        let found = value.then(|value| Formula::Among(value, items));
        // In none of them, but perhaps in the one that is null.
        if has_null {
            return Some(found.with(boolean(None)?, Formula::Or));
        }
        Some(found)
    }

    fn arithmetic(&mut self, operator: Operator, left: &Node, right: &Node) -> Option<Formula> {
        let own = (
            evaluate(left, self.empty).ok()?,
            evaluate(right, self.empty).ok()?,
        );
        let shared = shared_type([&own.0, &own.1].into_iter(), "+").ok()?;
        let shared = shared.data_type;
        let is_rounded = matches!(operator, Operator::DivideWhole | Operator::Remainder);
        let is_real = shared == DataType::Float64
            || shared == DataType::Int64 && operator == Operator::Divide;
        if is_rounded || !is_real {
            return None;
        }
        let left = self.real(left, &own.0)?;
        let right = self.real(right, &own.1)?;
        let computed = |left, right| Formula::Arithmetic(operator, left, right);
        Some(left.with(right, computed))
    }

    fn real(&mut self, node: &Node, own: &Value) -> Option<Formula> {
        widened(self.any(node), own.data_type(), &DataType::Float64)
    }

    fn text(&mut self, node: &Node) -> Option<Formula> {
        let value = evaluate(node, self.empty).ok()?;
        (*value.data_type() == DataType::Utf8).then(|| self.any(node))
    }

    fn called(&mut self, name: &str, arguments: &[Node]) -> Option<Formula> {
        let [only] = arguments else {
            return None;
        };
        if name == "length" {
            let text = self.text(only)?;
            return Some(text.then(Formula::Length));
        }
        if *evaluate(only, self.empty).ok()?.data_type() != DataType::Float64 {
            return None;
        }
        let kind = match name {
            "isnan" => Kind::NotANumber,
            "isinf" => Kind::Infinite,
            "isfinite" => Kind::Finite,
            _ => return None,
        };
        Some(self.any(only).then(|number| Formula::Is(kind, number)))
    }
}

/// A value in a type that holds it without loss, or as SQL rounds it; none where polars rounds in
/// another way.
fn widened(formula: Formula, own: &DataType, shared: &DataType) -> Option<Formula> {
    match (own, shared) {
        (own, shared) if own == shared => Some(formula),
        (DataType::Int64 | DataType::Float32, DataType::Float64) => {
            Some(formula.then(Formula::Real))
        }
        (DataType::Int64, DataType::Decimal128(_, scale)) => {
            in_units(formula, u32::try_from(*scale).ok()?)
        }
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) if to >= from => {
            in_units(formula, u32::from(to.abs_diff(*from)))
        }
        _ => None,
    }
}

/// Integers with so many decimal digits more.
fn in_units(formula: Formula, digits: u32) -> Option<Formula> {
    let units = i128::from(10).checked_pow(digits)?;
    Some(formula.then(|inner| Formula::Units(inner, units)))
}

/// True, false, or unknown.
fn boolean(value: Option<bool>) -> Option<Formula> {
    constant(&(Arc::new(BooleanArray::from(vec![value])) as ArrayRef))
}

/// The one value of an array.
fn constant(array: &ArrayRef) -> Option<Formula> {
    Column::new(array).map(Formula::Constant)
}
