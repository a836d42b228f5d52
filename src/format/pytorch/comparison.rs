//! Comparisons, booleans, and what is picked by them.

use super::arithmetic::pair;
use super::call::{Call, Write};
use super::value::{Number, Operand, Written};
use super::writer::{Writer, is_integer};
use crate::error::Result;
use crate::graph::ElementType;

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("isnan", |graph, call| {
        tested(graph, call, &["IsNaN"], false)
    }),
    ("isinf", |graph, call| {
        tested(graph, call, &["IsInf"], false)
    }),
    ("isfinite", |graph, call| {
        tested(graph, call, &["IsNaN", "IsInf"], true)
    }),
    ("eq", |graph, call| compared(graph, call, "Equal", false)),
    ("ne", |graph, call| compared(graph, call, "Equal", true)),
    ("lt", |graph, call| compared(graph, call, "Less", false)),
    ("le", |graph, call| {
        compared(graph, call, "LessOrEqual", false)
    }),
    ("gt", |graph, call| compared(graph, call, "Greater", false)),
    ("ge", |graph, call| {
        compared(graph, call, "GreaterOrEqual", false)
    }),
    ("logical_not", |graph, call| {
        let x = call.tensor("self")?;
        let x = graph.as_type(&x, ElementType::Bool);
        Ok(graph.node("Not", &[&x]).into())
    }),
    ("bitwise_not", |graph, call| {
        let x = call.tensor("self")?;
        let is_boolean = x.element == ElementType::Bool;
        let operator = if is_boolean { "Not" } else { "BitwiseNot" };
        Ok(graph.node(operator, &[&x.name]).into())
    }),
    ("logical_and", |graph, call| logical(graph, call, "And")),
    ("logical_or", |graph, call| logical(graph, call, "Or")),
    ("logical_xor", |graph, call| logical(graph, call, "Xor")),
    ("bitwise_and", |graph, call| {
        bitwise(graph, call, ["And", "BitwiseAnd"])
    }),
    ("bitwise_or", |graph, call| {
        bitwise(graph, call, ["Or", "BitwiseOr"])
    }),
    ("bitwise_xor", |graph, call| {
        bitwise(graph, call, ["Xor", "BitwiseXor"])
    }),
    ("__and__", |graph, call| {
        bitwise(graph, call, ["And", "BitwiseAnd"])
    }),
    ("__or__", |graph, call| {
        bitwise(graph, call, ["Or", "BitwiseOr"])
    }),
    ("__xor__", |graph, call| {
        bitwise(graph, call, ["Xor", "BitwiseXor"])
    }),
    ("where", |graph, call| {
        let element = call.output(0)?.element;
        let condition = call.tensor("condition")?;
        let condition = graph.as_type(&condition, ElementType::Bool);
        let [a, b] = pair(graph, call, element)?;
        Ok(graph.node("Where", &[&condition, &a, &b]).into())
    }),
    ("masked_fill", |graph, call| {
        let element = call.output(0)?.element;
        let (x, mask) = (call.tensor("self")?, call.tensor("mask")?);
        let value = graph.operand(&call.operand("value")?, element)?;
        Ok(graph.node("Where", &[&mask.name, &value, &x.name]).into())
    }),
];

/// Whether one of the tests is true, or none.
fn tested(graph: &mut Writer, call: &Call, tests: &[&str], is_none: bool) -> Result<Written> {
    let x = call.tensor("self")?;
    // Integers are all finite.
    let element = if x.element.is_float() {
        x.element
    } else {
        ElementType::Float
    };
    let x = graph.as_type(&x, element);
    let mut found = graph.node(tests[0], &[&x]);
    for test in &tests[1..] {
        let other = graph.node(test, &[&x]);
        found = graph.node("Or", &[&found, &other]);
    }
    if is_none {
        found = graph.node("Not", &[&found]);
    }
    Ok(found.into())
}

/// How types rank: booleans, integers, real numbers.
const fn category(element: ElementType) -> u8 {
    match element {
        ElementType::Bool => 0,
        _ if is_integer(element) => 1,
        _ => 2,
    }
}

/// The type that two operands are compared in: tensors with axes before those without, before
/// numbers, unless these are of a higher category.
fn promoted(operands: [&Operand; 2]) -> ElementType {
    let rank = |operand: &Operand| match operand {
        Operand::Tensor(tensor) => (tensor.element, u8::from(tensor.rank() > 0) + 1),
        Operand::Number(Number::Boolean(_)) => (ElementType::Bool, 0),
        Operand::Number(Number::Integer(_)) | Operand::Made(_) => (ElementType::Int64, 0),
        Operand::Number(Number::Real(_)) => (ElementType::Float, 0),
    };
    let [(a, a_priority), (b, b_priority)] = operands.map(rank);
    let by = |element, priority| (category(element), priority);
    match by(a, a_priority).cmp(&by(b, b_priority)) {
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Equal if a == b => a,
        std::cmp::Ordering::Equal => match (a, b) {
            (ElementType::Float16, ElementType::Bfloat16)
            | (ElementType::Bfloat16, ElementType::Float16) => ElementType::Float,
            (ElementType::Uint8, ElementType::Int8) | (ElementType::Int8, ElementType::Uint8) => {
                ElementType::Int16
            }
            _ if a.bytes() >= b.bytes() => a,
            _ => b,
        },
    }
}

fn compared(graph: &mut Writer, call: &Call, operator: &str, is_not: bool) -> Result<Written> {
    let [a, b] = [call.operand("self")?, call.operand("other")?];
    let mut element = promoted([&a, &b]);
    if element == ElementType::Bool && operator != "Equal" {
        element = ElementType::Int32;
    }
    let [a, b] = [graph.operand(&a, element)?, graph.operand(&b, element)?];
    let mut found = graph.node(operator, &[&a, &b]);
    if is_not {
        found = graph.node("Not", &[&found]);
    }
    Ok(found.into())
}

fn logical(graph: &mut Writer, call: &Call, operator: &str) -> Result<Written> {
    let [a, b] = pair(graph, call, ElementType::Bool)?;
    Ok(graph.node(operator, &[&a, &b]).into())
}

fn bitwise(graph: &mut Writer, call: &Call, operators: [&str; 2]) -> Result<Written> {
    let element = call.output(0)?.element;
    let [a, b] = pair(graph, call, element)?;
    let operator = operators[usize::from(element != ElementType::Bool)];
    Ok(graph.node(operator, &[&a, &b]).into())
}
