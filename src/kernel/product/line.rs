//! What products read and write: rows of numbers, and lines of sixteen of them.

/// Numbers of a vector line: one register of AVX-512, one line of the cache.
pub(crate) const LINE: usize = 16;

/// Sixteen numbers that lie on one line of the cache.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Line(pub(crate) [f32; LINE]);

/// Rows to be multiplied: row r begins at `r * stride`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// The numbers of a row.
    pub width: usize,
    /// From a row's first number to the next row's.
    pub stride: usize,
    /// The number of rows.
    pub count: usize,
}
