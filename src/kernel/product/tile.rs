//! A tile of a product in single precision: what one call of a kernel multiplies.

use super::line::{LINE, Line};

/// Rows of the highest tile.
pub(super) const MAX_TILE_ROWS: usize = 14;

/// A tile's share of a product.
pub(super) struct Tile<'a> {
    pub(super) rows: &'a [f32],
    pub(super) stride: usize,
    pub(super) inner: usize,
    /// `inner` times the panel's width.
    pub(super) lines: &'a [Line],
    pub(super) bias: &'a [Line; 2],
    pub(super) columns: usize,
    pub(super) rectifies: bool,
    pub(super) out_stride: usize,
}

impl Tile<'_> {
    /// Lines of the panel for each number of a row.
    pub(super) fn width(&self) -> usize {
        self.columns.div_ceil(LINE)
    }

    /// Whether a tile of so many rows lies inside its slices; what the kernels' reads and writes
    /// rest on.
    pub(super) fn holds(&self, row_count: usize, out: &[f32]) -> bool {
        row_count > 0
            && self.rows.len() >= (row_count - 1) * self.stride + self.inner
            && self.lines.len() >= self.inner * self.width()
            && (1..=2 * LINE).contains(&self.columns)
            && out.len() >= (row_count - 1) * self.out_stride + self.columns
    }
}
