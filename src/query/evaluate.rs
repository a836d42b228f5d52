//! An expression over the rows of a batch.
//!
//! Owns the walk over the tree: which rows each part is computed for, and what null means. `CASE`
//! and `COALESCE` compute each branch for the rows that come to it alone, so what another branch
//! could not compute stops nothing. It must not know SQL's text or files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::{and_kleene, concat, is_null, not, or_kleene};
use arrow::datatypes::{DataType, Field};

use super::arithmetic::{arithmetic, negate};
use super::comparison::{compare, is_in};
use super::conversion::convert;
use super::made_text::{counted, interleaved, taken, text_bytes};
use super::moments;
use super::node::{Comparison, Literal, Node};
use super::pattern::matches;
use super::value::{Fault, Outcome, Value, name_of};
use super::width::{integer_digits, shared_type};
use super::{maths, strings};

/// The columns that an expression reads, as it computes with them.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) columns: HashMap<String, ArrayRef>,
    /// The digits of columns of integers whose array's type does not show them.
    pub(super) integer_digits: Arc<HashMap<String, u8>>,
    pub(super) count: usize,
}

impl Rows {
    /// Some of the rows, with the columns that a part of the expression reads.
    fn some(&self, rows: &UInt32Array, node: &Node) -> Outcome<Self> {
        let mut columns = HashMap::new();
        for name in node.columns() {
            if let Some(column) = self.columns.get(&name) {
                columns.insert(name, taken(column, rows)?);
            }
        }
        Ok(Self {
            columns,
            integer_digits: Arc::clone(&self.integer_digits),
            count: rows.len(),
        })
    }

    /// Adds a derived column of this type, as expressions compute with it.
    pub(super) fn add(&mut self, field: &Field, array: ArrayRef) {
        if let Some(digits) = integer_digits(field.data_type()) {
            Arc::make_mut(&mut self.integer_digits).insert(field.name().clone(), digits);
        }
        self.columns.insert(field.name().clone(), array);
    }

    /// One row.
    pub(super) fn slice(&self, start: usize, count: usize) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|(name, column)| (name.clone(), column.slice(start, count)))
            .collect();
        Self {
            columns,
            integer_digits: Arc::clone(&self.integer_digits),
            count,
        }
    }
}

/// The value of an expression for every row. However deep it nests, the stack of the caller
/// suffices.
pub(super) fn evaluate(node: &Node, rows: &Rows) -> Outcome<Value> {
    stacker::maybe_grow(STACK_LEFT, STACK_MORE, || evaluate_here(node, rows))
}

/// A part takes less than this of the stack.
const STACK_LEFT: usize = 128 << 10;

/// What is added where that is not left.
const STACK_MORE: usize = 2 << 20;

fn evaluate_here(node: &Node, rows: &Rows) -> Outcome<Value> {
    match node {
        Node::Column(name) => {
            let column = rows
                .columns
                .get(name)
                .ok_or_else(|| Fault::new(format!("there is no column `{name}`")))?;
            let integer_digits = rows.integer_digits.get(name).copied();
            Ok(Value::rows(column.clone()).with_integer_digits(integer_digits))
        }
        Node::Literal(literal) => Ok(Value::literal(literal)),
        Node::Span(_) => Err(Fault::new("an interval stands alone")
            .hint("add it to a date or a timestamp: `day + INTERVAL '1 day'`")),
        Node::Negate(inner) => negate(&evaluate(inner, rows)?),
        Node::Not(inner) => {
            let value = boolean(evaluate(inner, rows)?, "NOT")?;
            Ok(value.with(Arc::new(not(value.array.as_boolean())?)))
        }
        Node::Arithmetic(operator, left, right) => match (&**left, &**right) {
            (_, Node::Span(span)) => moments::shifted(*operator, &evaluate(left, rows)?, *span),
            (Node::Span(span), _) => moments::shifted_by(*operator, &evaluate(right, rows)?, *span),
            _ => arithmetic(*operator, &evaluate(left, rows)?, &evaluate(right, rows)?),
        },
        Node::Compare(how, left, right) => {
            compare(*how, &evaluate(left, rows)?, &evaluate(right, rows)?)
        }
        Node::Between { value, low, high } => {
            let value = evaluate(value, rows)?;
            let low = compare(Comparison::GreaterOrEqual, &value, &evaluate(low, rows)?)?;
            let high = compare(Comparison::LessOrEqual, &value, &evaluate(high, rows)?)?;
            both(low, high, rows.count, and_kleene)
        }
        Node::And(left, right) => {
            let (left, right) = (
                boolean(evaluate(left, rows)?, "AND")?,
                boolean(evaluate(right, rows)?, "AND")?,
            );
            both(left, right, rows.count, and_kleene)
        }
        Node::Or(left, right) => {
            let (left, right) = (
                boolean(evaluate(left, rows)?, "OR")?,
                boolean(evaluate(right, rows)?, "OR")?,
            );
            both(left, right, rows.count, or_kleene)
        }
        Node::IsNull(inner) => {
            let value = evaluate(inner, rows)?;
            Ok(value.with(Arc::new(nulls(&value.array)?)))
        }
        Node::IsTruth(inner, expected) => {
            let value = boolean(evaluate(inner, rows)?, "IS TRUE")?;
            let is_it = |boolean: Option<bool>| Some(boolean == Some(*expected));
            Ok(value.with(Arc::new(
                value
                    .array
                    .as_boolean()
                    .iter()
                    .map(is_it)
                    .collect::<BooleanArray>(),
            )))
        }
        Node::In(value, list) => {
            let items = list
                .iter()
                .map(|item| evaluate(item, rows))
                .collect::<Outcome<Vec<_>>>()?;
            is_in(&evaluate(value, rows)?, &items, rows.count)
        }
        Node::Case {
            operand,
            branches,
            otherwise,
        } => case(operand.as_deref(), branches, otherwise.as_deref(), rows),
        Node::Coalesce(nodes) => coalesce(nodes, rows),
        Node::Matches {
            value,
            pattern,
            how,
        } => matches(
            &evaluate(value, rows)?,
            &evaluate(pattern, rows)?,
            *how,
            rows.count,
        ),
        Node::Cast {
            value,
            target,
            tries,
        } => {
            let value = evaluate(value, rows)?;
            let converted = value.with(convert(&value.array, target, *tries)?);
            Ok(converted.with_integer_digits(integer_digits(target)))
        }
        Node::Try(inner) => attempted(inner, rows),
        Node::Extract(field, inner) => moments::extract(*field, &evaluate(inner, rows)?),
        Node::Call(name, arguments) => {
            let values = arguments
                .iter()
                .map(|argument| evaluate(argument, rows))
                .collect::<Outcome<Vec<_>>>()?;
            call(name, &values, rows.count)
        }
    }
}

fn call(name: &'static str, arguments: &[Value], row_count: usize) -> Outcome<Value> {
    if let Some(value) = maths::call(name, arguments, row_count)
        .or_else(|| moments::call(name, arguments, row_count))
    {
        return value;
    }
    strings::call(name, arguments, row_count)
}

fn nulls(array: &ArrayRef) -> Outcome<BooleanArray> {
    if *array.data_type() == DataType::Null {
        return Ok(BooleanArray::from(vec![true; array.len()]));
    }
    Ok(is_null(array)?)
}

/// A boolean, or a null of any type.
fn boolean(value: Value, what: &str) -> Outcome<Value> {
    match value.data_type() {
        DataType::Boolean => Ok(value),
        DataType::Null => Ok(value.typed(&DataType::Boolean)),
        other => {
            let fault = Fault::new(format!("{what} reads a {}, not a boolean", name_of(other)));
            Err(fault.hint("compare it with something, such as `amount > 0`"))
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "operands end where they are joined"
)]
fn both(
    left: Value,
    right: Value,
    row_count: usize,
    join: impl Fn(&BooleanArray, &BooleanArray) -> Result<BooleanArray, arrow::error::ArrowError>,
) -> Outcome<Value> {
    if left.is_constant && right.is_constant {
        return Ok(Value::constant(Arc::new(join(
            left.array.as_boolean(),
            right.array.as_boolean(),
        )?)));
    }
    let (left, right) = (left.expanded(row_count)?, right.expanded(row_count)?);
    Ok(Value::rows(Arc::new(join(
        left.as_boolean(),
        right.as_boolean(),
    )?)))
}

/// Null in the rows for which the expression cannot be computed.
pub(super) fn attempted(node: &Node, rows: &Rows) -> Outcome<Value> {
    let fault = match evaluate(node, rows) {
        Ok(value) => return Ok(value),
        Err(fault) if fault.is_memory => return Err(fault),
        Err(fault) => fault,
    };
    // Types are wrong for no row at all; values are wrong for some.
    let empty = evaluate(node, &rows.slice(0, 0)).map_err(|_| fault.clone())?;
    if empty.is_constant || rows.count == 0 {
        return Err(fault);
    }
    if rows.count == 1 {
        return Ok(Value::rows(new_null_array(empty.data_type(), 1)));
    }
    let half = rows.count / 2;
    let first = attempted(node, &rows.slice(0, half))?.expanded(half)?;
    let second =
        attempted(node, &rows.slice(half, rows.count - half))?.expanded(rows.count - half)?;
    let bytes = text_bytes(&first).saturating_add(text_bytes(&second));
    counted(bytes, || Ok(concat(&[&first, &second])?)).map(Value::rows)
}

/// A value for some of the rows.
struct Branch {
    value: Value,
    /// The rows that have it, in order.
    rows: Vec<u32>,
}

fn case(
    operand: Option<&Node>,
    branches: &[(Node, Node)],
    otherwise: Option<&Node>,
    rows: &Rows,
) -> Outcome<Value> {
    let operand = operand.map(|operand| evaluate(operand, rows)).transpose()?;
    let mut open: Vec<u32> = (0..rows.count as u32).collect();
    let mut found = Vec::with_capacity(branches.len() + 1);
    for (when, then) in branches {
        let positions = UInt32Array::from(open.clone());
        let condition = match &operand {
            Some(operand) => {
                let operand = if operand.is_constant {
                    operand.clone()
                } else {
                    Value::rows(taken(&operand.array, &positions)?)
                };
                compare(
                    Comparison::Equal,
                    &operand,
                    &evaluate(when, &rows.some(&positions, when)?)?,
                )?
            }
            None => boolean(evaluate(when, &rows.some(&positions, when)?)?, "WHEN")?,
        };
        let condition = condition.expanded(open.len())?;
        let condition = condition.as_boolean();
        let is_met = |index: usize| condition.is_valid(index) && condition.value(index);
        let met: Vec<u32> = open
            .iter()
            .enumerate()
            .filter(|(index, _)| is_met(*index))
            .map(|(_, row)| *row)
            .collect();
        open = open
            .iter()
            .enumerate()
            .filter(|(index, _)| !is_met(*index))
            .map(|(_, row)| *row)
            .collect();
        let value = evaluate(then, &rows.some(&UInt32Array::from(met.clone()), then)?)?;
        found.push(Branch { value, rows: met });
    }
    let value = match otherwise {
        Some(node) => evaluate(node, &rows.some(&UInt32Array::from(open.clone()), node)?)?,
        None => Value::literal(&Literal::Null),
    };
    found.push(Branch { value, rows: open });
    merged(found, rows.count, "CASE")
}

fn coalesce(nodes: &[Node], rows: &Rows) -> Outcome<Value> {
    let mut open: Vec<u32> = (0..rows.count as u32).collect();
    let mut found = Vec::with_capacity(nodes.len());
    for node in nodes {
        let value = evaluate(node, &rows.some(&UInt32Array::from(open.clone()), node)?)?;
        let array = value.expanded(open.len())?;
        let nulls = nulls(&array)?;
        let all: Vec<u32> = open.clone();
        let here: Vec<u32> = all
            .iter()
            .enumerate()
            .filter(|(index, _)| !nulls.value(*index))
            .map(|(_, row)| *row)
            .collect();
        open = all
            .iter()
            .enumerate()
            .filter(|(index, _)| nulls.value(*index))
            .map(|(_, row)| *row)
            .collect();
        let indices: Vec<u32> = (0..all.len() as u32)
            .filter(|index| !nulls.value(*index as usize))
            .collect();
        let array = taken(&array, &UInt32Array::from(indices))?;
        found.push(Branch {
            value: Value {
                array,
                is_constant: false,
                ..value
            },
            rows: here,
        });
    }
    found.push(Branch {
        value: Value::literal(&Literal::Null),
        rows: open,
    });
    merged(found, rows.count, "COALESCE")
}

/// All rows in order, in the type that the branches have in common.
#[expect(
    clippy::needless_pass_by_value,
    reason = "branches end where they are merged"
)]
fn merged(branches: Vec<Branch>, row_count: usize, what: &str) -> Outcome<Value> {
    let shared = shared_type(branches.iter().map(|branch| &branch.value), what)?;
    let mut indices = vec![(0, 0); row_count];
    let mut arrays = Vec::with_capacity(branches.len());
    for (number, branch) in branches.iter().enumerate() {
        arrays.push(convert(&branch.value.array, &shared.data_type, false)?);
        for (index, row) in branch.rows.iter().enumerate() {
            indices[*row as usize] = (number, if branch.value.is_constant { 0 } else { index });
        }
    }
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    let merged = Value::rows(interleaved(&arrays, &indices)?);
    Ok(merged.with_integer_digits(shared.integer_digits))
}
