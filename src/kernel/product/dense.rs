//! Rows times a matrix in single precision, packed in panels.

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use super::avx2;
#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::finish::Finish;
use super::line::{LINE, Line, Rows};
use super::portable;
use super::tile::{MAX_TILE_ROWS, Tile};
use crate::error::{Error, Result};
use crate::kernel::processor::Instructions;

/// A matrix of `inner` rows and `outer` columns with a bias for each column, packed for one kind of
/// instructions.
#[derive(Debug)]
pub struct Dense {
    inner: usize,
    outer: usize,
    panels: Vec<Group>,
    lines: Vec<Line>,
    rectifies: bool,
    instructions: Instructions,
}

/// Columns that are multiplied together.
#[derive(Clone, Debug)]
struct Group {
    first_column: usize,
    /// The columns that are meant; the others of its lines are 0.
    columns: usize,
    /// The first of its lines: `inner` times as many as it is wide.
    first_line: usize,
    /// One number for each of its columns, and zeros up to two lines.
    bias: [Line; 2],
}

/// Columns of a matrix, packed: for each of its rows one or two lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel<'a> {
    /// As many for each number of a row as the columns need.
    pub(crate) lines: &'a [Line],
    pub(crate) bias: &'a [Line; 2],
    /// From 1 to 32.
    pub(crate) columns: usize,
    pub(crate) rectifies: bool,
}

impl Dense {
    /// Packs a matrix for the best instructions of this processor; `weight(k, j)` is the number in
    /// row k and column j.
    ///
    /// # Errors
    /// Fails for a matrix without rows or columns, for a bias of another length, or if the packed
    /// matrix is larger than memory can be.
    pub fn new(
        inner: usize,
        outer: usize,
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let best = Instructions::available()[0];
        Self::with(best, [inner, outer], weight, bias)
    }

    /// Packs a matrix whose rows lie one after another, for the instructions of
    /// [`Instructions::exact`].
    ///
    /// # Errors
    /// As [`Self::new`], and for another number of values.
    pub(crate) fn of_rows(values: &[f32], [inner, outer]: [usize; 2]) -> Result<Self> {
        if inner.checked_mul(outer) != Some(values.len()) {
            return Err(Error::failed(format!(
                "a matrix of {inner} × {outer} with {} values",
                values.len()
            )));
        }
        let part = |row: usize, columns: Range<usize>| {
            &values[row * outer + columns.start..row * outer + columns.end]
        };
        Self::pack(
            Instructions::exact(),
            [inner, outer],
            None,
            |row, columns, indices| indices.copy_from_slice(part(row, columns)),
        )
    }

    /// The same for these instructions, which the processor must have.
    ///
    /// # Errors
    /// As [`Self::new`], and if the processor does not have them.
    pub fn for_instructions(
        instructions: Instructions,
        [inner, outer]: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        if !Instructions::available().contains(&instructions) {
            return Err(Error::internal(format!(
                "products with {instructions:?}, which this processor does not have"
            )));
        }
        Self::with(instructions, [inner, outer], weight, bias)
    }

    /// Packs a matrix for these instructions, which the processor must have.
    pub(super) fn with(
        instructions: Instructions,
        shape: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        Self::pack(instructions, shape, bias, |row, columns, indices| {
            indices
                .iter_mut()
                .zip(columns)
                .for_each(|(index, column)| *index = weight(row, column));
        })
    }

    /// The same; `fill` puts the numbers of a row in some columns, at most a line of them, in their
    /// positions.
    fn pack(
        instructions: Instructions,
        [inner, outer]: [usize; 2],
        bias: Option<&[f32]>,
        fill: impl Fn(usize, Range<usize>, &mut [f32]),
    ) -> Result<Self> {
        if inner == 0 || outer == 0 || bias.is_some_and(|bias| bias.len() != outer) {
            return Err(Error::failed(format!(
                "a matrix of {inner} × {outer} with {} biases",
                bias.map_or(0, <[f32]>::len)
            )));
        }
        if inner
            .checked_mul(outer.next_multiple_of(LINE))
            .is_none_or(|count| count > isize::MAX as usize / size_of::<Line>())
        {
            return Err(Error::failed(format!(
                "a matrix of {inner} × {outer}, which no memory holds"
            )));
        }
        let (mut panels, mut lines) = (
            Vec::with_capacity(outer.div_ceil(2 * LINE)),
            Vec::with_capacity(inner * outer.div_ceil(LINE)),
        );
        for first_column in (0..outer).step_by(2 * LINE) {
            let columns = (outer - first_column).min(2 * LINE);
            let mut own = [Line::default(); 2];
            for column in 0..columns {
                own[column / LINE].0[column % LINE] =
                    bias.map_or(0.0, |bias| bias[first_column + column]);
            }
            panels.push(Group {
                first_column,
                columns,
                first_line: lines.len(),
                bias: own,
            });
            for row in 0..inner {
                for start in (0..columns).step_by(LINE) {
                    let mut line = Line::default();
                    let end = columns.min(start + LINE);
                    fill(
                        row,
                        first_column + start..first_column + end,
                        &mut line.0[..end - start],
                    );
                    lines.push(line);
                }
            }
        }
        Ok(Self {
            inner,
            outer,
            panels,
            lines,
            rectifies: false,
            instructions,
        })
    }

    /// The same with negative results put to 0; NaN stays.
    #[must_use]
    pub fn rectified(mut self) -> Self {
        self.rectifies = true;
        self
    }

    /// Whether negative results are put to 0.
    #[must_use]
    pub fn is_rectified(&self) -> bool {
        self.rectifies
    }

    /// Numbers of a row that goes in.
    #[must_use]
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// Numbers of a row that comes out.
    #[must_use]
    pub fn outer(&self) -> usize {
        self.outer
    }

    /// Bytes of the packed matrix.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.lines.as_slice()) + size_of_val(self.panels.as_slice())
    }

    /// `out = rows · matrix + bias`; row r of the result begins at `r * out_stride`, and what lies
    /// between two rows is left alone.
    ///
    /// # Panics
    /// If rows have another width than the matrix, a row does not lie inside the slices, or two
    /// rows of the result overlap.
    pub fn multiply(&self, rows: Rows<'_>, out: &mut [f32], out_stride: usize) {
        self.multiply_into(rows, Finish::Store, out, out_stride);
    }

    /// The same, the result joined with what is in `out` as `finish` says.
    ///
    /// # Panics
    /// As [`Self::multiply`].
    pub fn multiply_into(
        &self,
        rows: Rows<'_>,
        finish: Finish,
        out: &mut [f32],
        out_stride: usize,
    ) {
        self.multiply_columns(rows, 0..self.outer, finish, out, out_stride);
    }

    /// The same for all panels that hold one of these columns; the others are left alone.
    pub(crate) fn multiply_columns(
        &self,
        rows: Rows<'_>,
        columns: Range<usize>,
        finish: Finish,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if rows.count == 0 {
            return;
        }
        assert!(
            rows.width == self.inner && rows.stride >= self.inner,
            "rows are as wide as the matrix is high"
        );
        assert!(
            out_stride >= self.outer && out.len() >= (rows.count - 1) * out_stride + self.outer,
            "results lie inside theirs"
        );
        for panel in
            &self.panels[columns.start / (2 * LINE)..columns.end.min(self.outer).div_ceil(2 * LINE)]
        {
            let lines = &self.lines
                [panel.first_line..panel.first_line + self.inner * panel.columns.div_ceil(LINE)];
            let columns = Panel {
                lines,
                bias: &panel.bias,
                columns: panel.columns,
                rectifies: self.rectifies,
            };
            columns.multiply(
                self.instructions,
                rows,
                finish,
                &mut out[panel.first_column..],
                out_stride,
            );
        }
    }
}

impl Panel<'_> {
    /// `out = rows · panel + bias`, joined with what is there as `finish` says.
    pub(crate) fn multiply(
        &self,
        instructions: Instructions,
        rows: Rows<'_>,
        finish: Finish,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if rows.count == 0 {
            return;
        }
        assert!(
            rows.values.len() >= (rows.count - 1) * rows.stride + rows.width,
            "rows lie inside their slice"
        );
        let tiles = rows.count.div_ceil(max_tile_rows(instructions));
        for tile in 0..tiles {
            let (first, end) = (tile * rows.count / tiles, (tile + 1) * rows.count / tiles);
            let out = &mut out[first * out_stride..];
            finish.join(
                instructions,
                [end - first, self.columns],
                out,
                out_stride,
                |out, out_stride| {
                    let share = Tile {
                        rows: &rows.values[first * rows.stride..],
                        stride: rows.stride,
                        inner: rows.width,
                        lines: self.lines,
                        bias: self.bias,
                        columns: self.columns,
                        rectifies: self.rectifies,
                        out_stride,
                    };
                    multiply_tile(instructions, &share, end - first, out);
                },
            );
        }
    }
}

/// Rows of the highest tile of single precision.
fn max_tile_rows(instructions: Instructions) -> usize {
    match instructions {
        Instructions::Amx | Instructions::Avx512 => MAX_TILE_ROWS,
        Instructions::Avx2 => 6,
        Instructions::Portable => 4,
    }
}

fn multiply_tile(instructions: Instructions, tile: &Tile<'_>, row_count: usize, out: &mut [f32]) {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Amx | Instructions::Avx512 => avx512::tile(tile, row_count, out),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => avx2::tile(tile, row_count, out),
        _ => portable::tile(tile, row_count, out),
    }
}
