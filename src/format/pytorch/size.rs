//! Integers that a run makes: the lengths of open axes and what is computed with them.

use super::call::{Call, Write};
use super::value::{Size, Written};
use super::writer::Writer;
use crate::error::{Error, Result};

pub(super) const OPERATORS: &[(&str, Write)] = &[
    ("sym_size", |graph, call| {
        let x = call.tensor("self")?;
        let axis = x.axis(call.integer("dim", 0))?;
        Ok(Written::Size(graph.length(&x, axis)))
    }),
    ("_operator.add", |graph, call| {
        computed(graph, call, "Add", i64::checked_add)
    }),
    ("_operator.sub", |graph, call| {
        computed(graph, call, "Sub", i64::checked_sub)
    }),
    ("_operator.mul", |graph, call| {
        computed(graph, call, "Mul", i64::checked_mul)
    }),
    ("_operator.floordiv", |graph, call| {
        computed(graph, call, "Div", i64::checked_div_euclid)
    }),
    ("_operator.mod", |graph, call| {
        computed(graph, call, "Mod", i64::checked_rem_euclid)
    }),
    ("torch.sym_max", |graph, call| {
        computed(graph, call, "Max", |a, b| Some(a.max(b)))
    }),
    ("torch.sym_min", |graph, call| {
        computed(graph, call, "Min", |a, b| Some(a.min(b)))
    }),
    ("torch._sym_max", |graph, call| {
        computed(graph, call, "Max", |a, b| Some(a.max(b)))
    }),
];

fn computed(
    graph: &mut Writer,
    call: &Call,
    operator: &str,
    fixed: fn(i64, i64) -> Option<i64>,
) -> Result<Written> {
    let names: Vec<&str> = call
        .node
        .inputs
        .iter()
        .map(|input| input.name.as_str())
        .collect();
    let [a, b] = names.as_slice() else {
        return Err(Error::failed("not two integers"));
    };
    let of = |name: &str| {
        let size = call.find_size(name)?;
        size.ok_or_else(|| Error::contract("only integers are computed with"))
    };
    let (a, b) = (of(a)?, of(b)?);
    if let (Size::Fixed(a), Size::Fixed(b)) = (&a, &b) {
        let value = fixed(*a, *b).ok_or_else(|| Error::failed("an integer overflows"))?;
        return Ok(Written::Size(Size::Fixed(value)));
    }
    let (a, b) = (graph.size(&a), graph.size(&b));
    Ok(Written::Size(Size::Made(graph.node(operator, &[&a, &b]))))
}
