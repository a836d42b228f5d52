//! Which numbers the types of inputs hold.

use half::{bf16, f16};

use super::verdict::Reason;
use crate::contract::NativeElement;
use crate::contract::fitting::integer_limits;

/// The message for a number that the type of a graph's input does not hold.
pub(super) fn out_of_range(element: NativeElement) -> String {
    let name = element.name();
    match element {
        NativeElement::Integer(integer) => {
            let (low, high) = integer_limits(integer);
            format!(
                "a number is outside the range of `{name}`, {low} to {high}, which the model reads"
            )
        }
        _ => format!("a number is too large for `{name}`, which the model reads"),
    }
}

/// Whether a finite number becomes infinite in this type.
pub(super) fn overflows(element: NativeElement, value: f32) -> bool {
    match element {
        NativeElement::Float16 => f16::from_f32(value).is_infinite(),
        NativeElement::Bfloat16 => bf16::from_f32(value).is_infinite(),
        _ => value.is_infinite(),
    }
}

/// Whether a number may become infinite in this type: exact for single precision, and quick for
/// the others.
pub(super) fn may_overflow(element: NativeElement, value: f32) -> bool {
    let is_beyond = value.abs() >= f16::MAX.to_f32();
    value.is_infinite() | (is_beyond & !matches!(element, NativeElement::Float))
}

/// Whether a float is written as digits alone.
pub(super) fn is_digits(value: f64) -> bool {
    /// Beyond every integer of 64 bits.
    const WHOLE_LIMIT: f64 = 18_446_744_073_709_551_616.0;
    value.fract() == 0.0 && value.abs() <= WHOLE_LIMIT
}

/// Why a number does not fit a type of integers.
pub(super) fn misfit(value: f64) -> Reason {
    if value.is_finite() && value.fract() != 0.0 {
        Reason::Fraction
    } else {
        Reason::Range
    }
}
