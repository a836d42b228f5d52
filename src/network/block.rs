//! Blocks of rows between two layers, and the pool that keeps them for the next block.

use crate::feature::Columns;
use crate::kernel::product::Rows;

/// Rows of one width, row-major, each beginning `stride` numbers after the one before.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// At least `row_count` rows; what lies beyond is left from before.
    pub(crate) values: Vec<f32>,
    /// From a row's first number to the next row's.
    pub(crate) stride: usize,
    width: usize,
    row_count: usize,
}

/// Blocks that no one uses at the moment.
#[derive(Debug, Default)]
pub(crate) struct Pool(Vec<Block>);

/// Rows whose beginnings lie a power of two apart share the sets of the cache; a line between them
/// keeps them apart.
fn stride_of(width: usize) -> usize {
    if width >= 128 {
        width.next_multiple_of(16) + 16
    } else {
        width
    }
}

impl Block {
    /// The rows, to be read.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows {
            values: &self.values,
            width: self.width,
            stride: self.stride,
            count: self.row_count,
        }
    }

    /// Each row, to be changed.
    pub(crate) fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let width = self.width;
        self.values
            .chunks_mut(self.stride.max(1))
            .take(self.row_count)
            .map(move |row| &mut row[..width])
    }

    /// Appends the rows to a result without gaps.
    pub(crate) fn append_to(&self, out: &mut Vec<f32>) {
        self.values
            .chunks(self.stride.max(1))
            .take(self.row_count)
            .for_each(|row| out.extend_from_slice(&row[..self.width]));
    }

    /// Adds the numbers of a block of the same shape.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sums, values) in self
            .rows_mut()
            .zip(other.values.chunks(other.stride.max(1)))
        {
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value);
        }
    }
}

impl Pool {
    /// A block of this shape; its numbers are whatever they were.
    pub(crate) fn take(&mut self, row_count: usize, width: usize) -> Block {
        let mut block = self.0.pop().unwrap_or_default();
        (block.stride, block.width, block.row_count) = (stride_of(width), width, row_count);
        let expected = row_count * block.stride;
        if block.values.len() < expected {
            block.values.resize(expected, 0.0);
        }
        block
    }

    /// A block with these rows.
    pub(crate) fn copy(&mut self, rows: Rows<'_>) -> Block {
        let mut block = self.take(rows.count, rows.width);
        block
            .rows_mut()
            .zip(rows.values.chunks(rows.stride.max(1)))
            .for_each(|(to, from)| to.copy_from_slice(&from[..to.len()]));
        block
    }

    /// A block with these rows of a table, column after column.
    pub(crate) fn enter(
        &mut self,
        columns: &Columns<f32>,
        first_row: usize,
        row_count: usize,
    ) -> Block {
        /// Columns that are turned together: a line of the cache in the block's rows.
        const TOGETHER: usize = 16;
        let width = columns.feature_count();
        let mut block = self.take(row_count, width);
        let stride = block.stride;
        for start in (0..width).step_by(TOGETHER) {
            let end = (start + TOGETHER).min(width);
            let sources: Vec<&[f32]> = (start..end)
                .map(|feature| &columns.column(feature)[first_row..first_row + row_count])
                .collect();
            for (row, indices) in block.values.chunks_mut(stride).take(row_count).enumerate() {
                indices[start..end]
                    .iter_mut()
                    .zip(&sources)
                    .for_each(|(location, source)| *location = source[row]);
            }
        }
        block
    }

    /// Takes a block back.
    pub(crate) fn give(&mut self, block: Block) {
        self.0.push(block);
    }
}
