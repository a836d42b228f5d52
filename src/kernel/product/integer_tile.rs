//! A tile of a product of bytes: what one call of a kernel multiplies.

use super::line::{LINE, Line};

/// Rows of the matrix that one instruction multiplies.
pub(super) const QUAD: usize = 4;

/// Four bytes of each of 16 columns.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct ByteLine(pub(super) [i8; QUAD * LINE]);

/// Integers, one for each of 16 columns.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(super) struct WholeLine(pub(super) [i32; LINE]);

/// A tile's share of a product.
pub(super) struct ByteTile<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) stride: usize,
    pub(super) row_scales: &'a [f32],
    pub(super) row_zeros: &'a [i32],
    /// Instructions' worth of a row.
    pub(super) quads: usize,
    /// `quads` times the panel's width.
    pub(super) lines: &'a [ByteLine],
    pub(super) scales: &'a [Line; 2],
    pub(super) bias: &'a [Line; 2],
    pub(super) sums: &'a [WholeLine; 2],
    pub(super) columns: usize,
    /// Whether the lines behind these, which come next, are to be brought nearer meanwhile.
    pub(super) fetches_next: bool,
    pub(super) out_stride: usize,
}

impl ByteTile<'_> {
    /// Lines of the panel for each four numbers of a row.
    pub(super) fn width(&self) -> usize {
        self.columns.div_ceil(LINE)
    }

    /// Whether a tile of so many rows lies inside its slices; what the kernels' reads and writes
    /// rest on.
    pub(super) fn holds(&self, row_count: usize, out: &[f32]) -> bool {
        row_count > 0
            && self.stride >= self.quads * QUAD
            && self.bytes.len() >= row_count * self.stride
            && self.row_scales.len().min(self.row_zeros.len()) >= row_count
            && self.lines.len() >= self.quads * self.width()
            && (1..=2 * LINE).contains(&self.columns)
            && out.len() >= (row_count - 1) * self.out_stride + self.columns
    }
}
