//! Comparisons, logic and bits.

use super::broadcast::{change, zip};
use crate::error::Result;
use crate::graph::element::{any, numbers, unsupported};
use crate::graph::entry::Entry;
use crate::graph::operator::{Built, Definition, single};
use crate::graph::tensor::{Data, Element, Tensor};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Equal", 2, 2, |_| {
        single(|call| equal(call.tensor(0)?, call.tensor(1)?))
    })
    .since(7),
    Entry::new("Greater", 2, 2, |_| order(std::cmp::Ordering::is_gt))
        .since(7)
        .widened(),
    Entry::new("Less", 2, 2, |_| order(std::cmp::Ordering::is_lt))
        .since(7)
        .widened(),
    Entry::new("GreaterOrEqual", 2, 2, |_| order(std::cmp::Ordering::is_ge)).widened(),
    Entry::new("LessOrEqual", 2, 2, |_| order(std::cmp::Ordering::is_le)).widened(),
    Entry::new("And", 2, 2, |_| logic(|a, b| a & b)).since(7),
    Entry::new("Or", 2, 2, |_| logic(|a, b| a | b)).since(7),
    Entry::new("Xor", 2, 2, |_| logic(|a, b| a ^ b)).since(7),
    Entry::new("Not", 1, 1, |_| {
        single(|call| change(call.take(0)?, |value: &mut bool| *value = !*value))
    }),
    Entry::new("BitwiseAnd", 2, 2, |_| bits(|a, b| a & b)).widened(),
    Entry::new("BitwiseOr", 2, 2, |_| bits(|a, b| a | b)).widened(),
    Entry::new("BitwiseXor", 2, 2, |_| bits(|a, b| a ^ b)).widened(),
    Entry::new("BitwiseNot", 1, 1, |_| {
        single(|call| inverted(call.take(0)?))
    })
    .widened(),
    Entry::new("BitShift", 2, 2, shift).widened(),
];

fn equal(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    fn typed<T: Element>(left: &Tensor, _: &[T], right: &Tensor) -> Result<Tensor> {
        zip(left, right, |a: &T, b: &T| a == b)
    }
    any!(left.data(), values => typed(left, values, right))
}

/// NaN is in no order.
fn order(is_so: fn(std::cmp::Ordering) -> bool) -> Result<Built> {
    fn typed<T: Element>(
        left: &Tensor,
        _: &[T],
        right: &Tensor,
        is_so: fn(std::cmp::Ordering) -> bool,
    ) -> Result<Tensor> {
        zip(left, right, |a: &T, b: &T| {
            a.partial_cmp(b).is_some_and(is_so)
        })
    }
    single(move |call| {
        let (left, right) = (call.tensor(0)?, call.tensor(1)?);
        numbers!((left.data(), right.data()), (values, _b) => typed(left, values, right, is_so))
    })
}

fn logic(function: fn(bool, bool) -> bool) -> Result<Built> {
    single(move |call| {
        zip(call.tensor(0)?, call.tensor(1)?, |a: &bool, b: &bool| {
            function(*a, *b)
        })
    })
}

fn bits(function: fn(u64, u64) -> u64) -> Result<Built> {
    single(move |call| {
        let (left, right) = (call.tensor(0)?, call.tensor(1)?);
        match left.data() {
            Data::Int32(_) => zip(left, right, |a: &i32, b: &i32| {
                function(*a as u64, *b as u64) as i32
            }),
            Data::Int64(_) => zip(left, right, |a: &i64, b: &i64| {
                function(*a as u64, *b as u64) as i64
            }),
            Data::Uint64(_) => zip(left, right, |a: &u64, b: &u64| function(*a, *b)),
            other => Err(unsupported(other)),
        }
    })
}

fn inverted(tensor: Tensor) -> Result<Tensor> {
    match tensor.data() {
        Data::Int32(_) => change(tensor, |value: &mut i32| *value = !*value),
        Data::Int64(_) => change(tensor, |value: &mut i64| *value = !*value),
        Data::Uint64(_) => change(tensor, |value: &mut u64| *value = !*value),
        other => Err(unsupported(other)),
    }
}

fn shift(node: &Definition) -> Result<Built> {
    let is_left = node.choice("direction", &["LEFT", "RIGHT"], 0)? == 0;
    let by = move |value: u64, indices: u64| match u32::try_from(indices) {
        Ok(indices) if is_left => value.checked_shl(indices).unwrap_or(0),
        Ok(indices) => value.checked_shr(indices).unwrap_or(0),
        Err(_) => 0,
    };
    single(move |call| {
        let (left, right) = (call.tensor(0)?, call.tensor(1)?);
        match left.data() {
            Data::Int32(_) if is_left => zip(left, right, |a: &i32, b: &i32| {
                by(*a as u64, *b as u64) as i32
            }),
            Data::Int32(_) => zip(left, right, |a: &i32, b: &i32| {
                a >> (if (0..32).contains(b) { *b } else { 31 })
            }),
            Data::Int64(_) if is_left => zip(left, right, |a: &i64, b: &i64| {
                by(*a as u64, *b as u64) as i64
            }),
            Data::Int64(_) => zip(left, right, |a: &i64, b: &i64| {
                a >> (if (0..64).contains(b) { *b } else { 63 })
            }),
            Data::Uint64(_) => zip(left, right, |a: &u64, b: &u64| by(*a, *b)),
            other => Err(unsupported(other)),
        }
    })
}
