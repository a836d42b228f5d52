//! Rows of numbers that are written again for every batch.

use crate::kernel::product::Rows;

/// Rows of one width, row-major, each beginning `stride` numbers after the one before.
#[derive(Debug, Default)]
pub(super) struct Grid {
    values: Vec<f32>,
    width: usize,
    stride: usize,
}

/// Rows whose beginnings lie a power of two apart share the sets of the cache; a line between them
/// keeps them apart.
pub(super) fn stride_of(width: usize) -> usize {
    width.next_multiple_of(16) + 16
}

impl Grid {
    /// Makes room for so many rows; their numbers are whatever they were.
    pub(super) fn shape(&mut self, row_count: usize, width: usize) {
        (self.width, self.stride) = (width, stride_of(width));
        if self.values.len() < row_count * self.stride {
            self.values.resize(row_count * self.stride, 0.0);
        }
    }

    /// From a row's first number to the next row's.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// `count` rows from `first` on, to be read.
    pub(super) fn rows(&self, [first, count]: [usize; 2]) -> Rows<'_> {
        Rows {
            values: &self.values[first * self.stride..(first + count) * self.stride],
            width: self.width,
            stride: self.stride,
            count,
        }
    }

    /// All numbers from a row on.
    pub(super) fn from(&mut self, first: usize) -> &mut [f32] {
        &mut self.values[first * self.stride..]
    }

    /// One row.
    pub(super) fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.stride..][..self.width]
    }

    /// One row, to be written.
    pub(super) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.stride..][..self.width]
    }

    /// Takes rows of another grid in place of its own, which then begin at 0.
    pub(super) fn copy(&mut self, other: &Self, [first, count]: [usize; 2]) {
        self.shape(count, other.width);
        self.values[..count * self.stride]
            .copy_from_slice(&other.values[first * other.stride..(first + count) * other.stride]);
    }
}
