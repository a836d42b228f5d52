//! Keys and values of one head of one text, packed as the columns of a product: keys turned, values
//! as they are.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use crate::kernel::processor::Instructions;
use crate::kernel::product::lanes::{Lanes, Task};
use crate::kernel::product::{Finish, LINE, Line, Panel, Rows};

/// No bias.
const NOTHING: [Line; 2] = [Line([0.0; LINE]); 2];

/// A matrix that changes with every text, packed in panels of 32 columns.
#[derive(Debug, Default)]
pub(super) struct Columns {
    lines: Vec<Line>,
    inner: usize,
    outer: usize,
}

impl Columns {
    fn shape(&mut self, inner: usize, outer: usize) {
        (self.inner, self.outer) = (inner, outer);
        self.lines
            .resize(inner * outer.div_ceil(LINE), Line::default());
    }

    /// The matrix whose columns are these rows.
    pub(super) fn turn(&mut self, instructions: Instructions, rows: Rows<'_>) {
        self.shape(rows.width, rows.count);
        instructions.run(Turn {
            rows,
            columns: self,
        });
    }

    /// The matrix whose rows are these.
    pub(super) fn copy(&mut self, rows: Rows<'_>) {
        self.shape(rows.count, rows.width);
        let mut index = 0;
        for first in (0..rows.width).step_by(2 * LINE) {
            for row in 0..rows.count {
                let values = &rows.values[row * rows.stride + first
                    ..row * rows.stride + rows.width.min(first + 2 * LINE)];
                let (whole, rest) = values.as_chunks::<LINE>();
                for values in whole {
                    self.lines[index].0 = *values;
                    index += 1;
                }
                if !rest.is_empty() {
                    self.lines[index] = Line::default();
                    self.lines[index].0[..rest.len()].copy_from_slice(rest);
                    index += 1;
                }
            }
        }
    }

    /// `rows · matrix` for the rows of the matrix in `part` and the panels that hold one of the
    /// `columns`; result r begins at `r * out_stride` with the first column of the first of these
    /// panels.
    pub(super) fn multiply(
        &self,
        instructions: Instructions,
        rows: Rows<'_>,
        part: std::ops::Range<usize>,
        columns: std::ops::Range<usize>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let begin = columns.start / (2 * LINE) * 2 * LINE;
        for first in (begin..columns.end).step_by(2 * LINE) {
            let columns = (self.outer - first).min(2 * LINE);
            let width = columns.div_ceil(LINE);
            let start = first / LINE * self.inner;
            let lines = &self.lines[start + part.start * width..start + part.end * width];
            let panel = Panel {
                lines,
                bias: &NOTHING,
                columns,
                rectifies: false,
            };
            panel.multiply(
                instructions,
                rows,
                Finish::Store,
                &mut out[first - begin..],
                out_stride,
            );
        }
    }
}

struct Turn<'a, 'b> {
    rows: Rows<'a>,
    columns: &'b mut Columns,
}

impl Task for Turn<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Rows {
            values,
            width,
            stride,
            count,
        } = self.rows;
        for first in (0..count).step_by(LINE) {
            let rows = (count - first).min(LINE);
            // The line of the first number of these rows: a panel has two for each number, the last
            // one perhaps one.
            let panel = first / (2 * LINE);
            let lines_each = (count - panel * 2 * LINE).min(2 * LINE).div_ceil(LINE);
            let start = panel * 2 * width + first / LINE % 2;
            for index in (0..width).step_by(LINE) {
                let numbers = (width - index).min(LINE);
                let mut square = [lanes.splat(0.0); LINE];
                for (row, vector) in square.iter_mut().enumerate().take(rows) {
                    let values = &values[(first + row) * stride + index..];
                    *vector = match values.first_chunk::<LINE>() {
                        Some(line) if numbers == LINE => lanes.load(line),
                        _ => lanes.load_some(&values[..numbers], 0.0),
                    };
                }
                let square = lanes.transpose(square);
                for (number, vector) in square.into_iter().enumerate().take(numbers) {
                    lanes.store(
                        vector,
                        &mut self.columns.lines[start + (index + number) * lines_each].0,
                    );
                }
            }
        }
    }
}
