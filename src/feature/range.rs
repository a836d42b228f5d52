//! Which numbers the types of a graph's inputs hold.

use half::{bf16, f16};

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
