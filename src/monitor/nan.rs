//! How many NaN a column of floating-point numbers holds.
//!
//! Owns what counts as one: not what a null hides, and nothing in a rejected row. It must not know
//! whose column it is.

use arrow::array::{Array, ArrowPrimitiveType, PrimitiveArray};

/// Numbers whose NaN are counted in 32 bits.
const NAN_CHUNK: usize = 1 << 20;

/// The NaN of a column of floating-point numbers, in rows that were not rejected.
pub(super) fn nan_count<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    rejected: &[usize],
    is_nan: impl Fn(T::Native) -> bool,
) -> u64 {
    let values = column.values();
    // Most columns have none, not even where a null hides it.
    // Sums of half the width take half the time.
    let of_chunk = |values: &[T::Native]| -> u32 {
        values.iter().map(|value| u32::from(is_nan(*value))).sum()
    };
    let all: u64 = values
        .chunks(NAN_CHUNK)
        .map(|chunk| u64::from(of_chunk(chunk)))
        .sum();
    if all == 0 {
        return 0;
    }
    let counts = |row: usize| column.is_valid(row) && is_nan(values[row]);
    let of_rejected = rejected
        .iter()
        .filter(|row| **row < values.len() && counts(**row));
    let among_nulls = (0..values.len()).filter(|row| column.is_null(*row) && is_nan(values[*row]));
    let hidden = if column.null_count() == 0 {
        0
    } else {
        among_nulls.count() as u64
    };
    all - hidden - of_rejected.count() as u64
}
