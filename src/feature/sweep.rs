//! Whether any number of a column meets a condition, found in vectors.
//!
//! A search that stops at the first hit asks about one number at a time; most columns have none.
//! It must not know what the conditions mean.

/// Numbers that are asked about together.
const TOGETHER: usize = 512;

/// Whether any of the numbers meets the condition, which should be free of branches.
#[inline]
pub(super) fn any<T: Copy>(values: &[T], condition: impl Fn(T) -> bool) -> bool {
    let of_chunk = |values: &[T]| {
        values
            .iter()
            .fold(false, |found, value| found | condition(*value))
    };
    values.chunks(TOGETHER).any(of_chunk)
}
