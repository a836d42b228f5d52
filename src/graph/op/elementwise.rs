//! Arithmetic between tensors that broadcast: sums, products, extremes.
//!
//! Integers wrap as ONNX Runtime's do; dividing one by zero is an error, because no number would be
//! right.

use super::broadcast::{choose, map, zip};
use crate::error::{Error, Result};
use crate::graph::element::{number, numbers};
use crate::graph::entry::{ANY, Entry};
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::pass::{role_chain, role_column, role_joint};
use crate::graph::tensor::{Element, Tensor};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Add", 2, 2, |_| binary(Arithmetic::Add))
        .chains(role_chain::add)
        .joins(role_joint::sum)
        .columns(role_column::add)
        .since(7)
        .widened(),
    Entry::new("Sub", 2, 2, |_| binary(Arithmetic::Subtract))
        .columns(role_column::subtract)
        .since(7)
        .widened(),
    Entry::new("Mul", 2, 2, |_| binary(Arithmetic::Multiply))
        .chains(role_chain::multiply)
        .columns(role_column::multiply)
        .since(7)
        .widened(),
    Entry::new("Div", 2, 2, |_| binary(Arithmetic::Divide))
        .chains(role_chain::divide)
        .columns(role_column::divide)
        .since(7)
        .widened(),
    Entry::new("PRelu", 2, 2, |_| binary(Arithmetic::Slope))
        .since(7)
        .widened(),
    Entry::new("Mod", 2, 2, modulo).widened(),
    Entry::new("Max", 1, ANY, |_| fold(Arithmetic::Greatest))
        .since(6)
        .widened(),
    Entry::new("Min", 1, ANY, |_| fold(Arithmetic::Least))
        .since(6)
        .widened(),
    Entry::new("Sum", 1, ANY, |_| fold(Arithmetic::Add))
        .since(6)
        .widened(),
    Entry::new("Mean", 1, ANY, |_| single(mean))
        .since(6)
        .widened(),
    Entry::new("Clip", 1, 3, clip)
        .joins(role_joint::clip)
        .widened(),
    Entry::new("Where", 3, 3, |_| {
        single(|call| choose(call.tensor(0)?, call.tensor(1)?, call.tensor(2)?))
    }),
];

/// What is done to two numbers.
#[derive(Clone, Copy)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// The left one, times the right one where it is negative.
    Slope,
    Greatest,
    Least,
    /// Python's: of the sign of the divisor.
    Modulo,
    /// C's: of the sign of the dividend.
    Remainder,
}

/// The arithmetic of one type.
pub(crate) trait Number: Element + Copy {
    fn add(self, other: Self) -> Self;
    fn subtract(self, other: Self) -> Self;
    fn multiply(self, other: Self) -> Self;
    fn divide(self, other: Self) -> Self;
    fn modulo(self, other: Self) -> Self;
    fn remainder(self, other: Self) -> Self;
    /// NaN if either is.
    fn largest(self, other: Self) -> Self;
    /// NaN if either is.
    fn least(self, other: Self) -> Self;
    fn from_double(value: f64) -> Self;
    fn to_double(self) -> f64;
    /// The number without its fraction.
    fn to_whole(self) -> i128;
    /// Whether dividing by it has no answer.
    fn is_no_divisor(self) -> bool;
}

macro_rules! real {
    ($type:ty) => {
        impl Number for $type {
            fn add(self, other: Self) -> Self {
                self + other
            }
            fn subtract(self, other: Self) -> Self {
                self - other
            }
            fn multiply(self, other: Self) -> Self {
                self * other
            }
            fn divide(self, other: Self) -> Self {
                self / other
            }
            fn modulo(self, other: Self) -> Self {
                let rest = self % other;
                if rest != 0.0 && (rest < 0.0) != (other < 0.0) {
                    rest + other
                } else {
                    rest
                }
            }
            fn remainder(self, other: Self) -> Self {
                self % other
            }
            fn largest(self, other: Self) -> Self {
                if self.is_nan() || self > other {
                    self
                } else {
                    other
                }
            }
            fn least(self, other: Self) -> Self {
                if self.is_nan() || self < other {
                    self
                } else {
                    other
                }
            }
            fn from_double(value: f64) -> Self {
                value as Self
            }
            fn to_double(self) -> f64 {
                f64::from(self)
            }
            fn to_whole(self) -> i128 {
                self as i128
            }
            fn is_no_divisor(self) -> bool {
                false
            }
        }
    };
}

macro_rules! integer {
    ($type:ty) => {
        impl Number for $type {
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn subtract(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn multiply(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            fn divide(self, other: Self) -> Self {
                if other == 0 {
                    0
                } else {
                    self.wrapping_div(other)
                }
            }
            fn modulo(self, other: Self) -> Self {
                let rest = self.remainder(other);
                let is_below = |value: Self| value < Self::default();
                if rest != 0 && is_below(rest) != is_below(other) {
                    rest.wrapping_add(other)
                } else {
                    rest
                }
            }
            fn remainder(self, other: Self) -> Self {
                if other == 0 {
                    0
                } else {
                    self.wrapping_rem(other)
                }
            }
            fn largest(self, other: Self) -> Self {
                self.max(other)
            }
            fn least(self, other: Self) -> Self {
                self.min(other)
            }
            fn from_double(value: f64) -> Self {
                value as Self
            }
            fn to_double(self) -> f64 {
                i128::from(self) as f64
            }
            fn to_whole(self) -> i128 {
                self.into()
            }
            fn is_no_divisor(self) -> bool {
                self == 0
            }
        }
    };
}

real!(f32);
real!(f64);
integer!(i32);
integer!(i64);
integer!(u64);

fn binary(operation: Arithmetic) -> Result<Built> {
    single(move |call| combine(operation, call.tensor(0)?, call.tensor(1)?))
}

/// `left operation right`, broadcast.
pub(crate) fn combine(operation: Arithmetic, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    fn typed<T: Number>(
        operation: Arithmetic,
        left: &Tensor,
        right: &Tensor,
        divisors: &[T],
    ) -> Result<Tensor> {
        let divides = matches!(
            operation,
            Arithmetic::Divide | Arithmetic::Modulo | Arithmetic::Remainder
        );
        if divides && divisors.iter().any(|value| value.is_no_divisor()) {
            return Err(Error::failed("an integer is divided by zero"));
        }
        match operation {
            Arithmetic::Add => zip(left, right, |a: &T, b: &T| a.add(*b)),
            Arithmetic::Subtract => zip(left, right, |a: &T, b: &T| a.subtract(*b)),
            Arithmetic::Multiply => zip(left, right, |a: &T, b: &T| a.multiply(*b)),
            Arithmetic::Divide => zip(left, right, |a: &T, b: &T| a.divide(*b)),
            Arithmetic::Slope => zip(left, right, |a: &T, b: &T| {
                if *a < T::zero() { a.multiply(*b) } else { *a }
            }),
            Arithmetic::Greatest => zip(left, right, |a: &T, b: &T| a.largest(*b)),
            Arithmetic::Least => zip(left, right, |a: &T, b: &T| a.least(*b)),
            Arithmetic::Modulo => zip(left, right, |a: &T, b: &T| a.modulo(*b)),
            Arithmetic::Remainder => zip(left, right, |a: &T, b: &T| a.remainder(*b)),
        }
    }
    numbers!((left.data(), right.data()), (_a, divisors) => typed(operation, left, right, divisors))
}

fn modulo(node: &Definition) -> Result<Built> {
    binary(if node.flag("fmod", false)? {
        Arithmetic::Remainder
    } else {
        Arithmetic::Modulo
    })
}

fn fold(operation: Arithmetic) -> Result<Built> {
    single(move |call| folded(operation, call))
}

fn folded(operation: Arithmetic, call: &Call) -> Result<Tensor> {
    let tensors = call.tensors()?;
    tensors[1..]
        .iter()
        .try_fold(tensors[0].clone(), |sum, next| {
            combine(operation, &sum, next)
        })
}

fn mean(call: &mut Call) -> Result<Tensor> {
    fn divided<T: Number>(sum: &Tensor, _: &[T], count: f64) -> Result<Tensor> {
        map(sum, |value: &T| T::from_double(value.to_double() / count))
    }
    let (sum, count) = (folded(Arithmetic::Add, call)?, call.inputs.len() as f64);
    number!(sum.data(), values => divided(&sum, values, count))
}

/// The limits are inputs from operator set 11 on, attributes before.
fn clip(node: &Definition) -> Result<Built> {
    if node.version >= 11 {
        return single(|call| {
            let mut result = call.tensor(0)?.clone();
            if let Some(least) = call.optional(1)? {
                result = combine(Arithmetic::Greatest, &result, least)?;
            }
            if let Some(most) = call.optional(2)? {
                result = combine(Arithmetic::Least, &result, most)?;
            }
            Ok(result)
        });
    }
    let (least, most) = (node.float("min", f32::MIN)?, node.float("max", f32::MAX)?);
    single(move |call| {
        fn limited<T: Number>(tensor: &Tensor, _: &[T], least: f32, most: f32) -> Result<Tensor> {
            let (least, most) = (
                T::from_double(f64::from(least)),
                T::from_double(f64::from(most)),
            );
            map(tensor, |value: &T| value.largest(least).least(most))
        }
        let tensor = call.tensor(0)?;
        number!(tensor.data(), values => limited(tensor, values, least, most))
    })
}
