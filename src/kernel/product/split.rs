//! Products of single precision on tiles of AMX, which multiply numbers of 16 bits and add in
//! single precision.
//!
//! A number is taken as the sum of two of 8 bits each (bfloat16), high and low, which hold 17 of
//! its 24 bits; three of the four products of the parts are added, all but low with low. PyTorch
//! calls this precision `high`. Against sums in double precision a result of random numbers errs by
//! 4e-6 of its size (root mean square; plain single precision by 4e-7 to 1e-6). Sums run through
//! the inner dimension from first to last wherever a row stands: a row's bits do not depend on its
//! company.
//!
//! A panel of 32 columns holds, for each 32 rows of the matrix, two parts of one or two registers:
//! 16 lines of two numbers for each of 16 columns.
//!
//! Measured on one core in November 2026 (Emerald Rapids, shared machine): 400–750 GFLOP/s on the
//! shapes of MiniLM and BERT where AVX-512 gives 190–220. Tried: three parts and six products,
//! which err by 1.6e-7, give 150–350, because twice the bytes come from the second-level cache;
//! cutting the inner dimension so that a chunk of columns stays in the first-level cache costs more
//! for the sums that come and go than it saves.

use super::amx::{TILE_ROWS, Tiles};
use super::finish::Finish;
use super::line::{LINE, Line, Rows};
use super::split_amx;
use crate::error::{Error, Result};
use crate::kernel::processor::{Instructions, features};

/// Parts of a number.
pub(super) const PARTS: usize = 2;

/// Rows of the matrix that one instruction multiplies.
pub(super) const STEP: usize = 32;

/// Two numbers of each of 16 columns.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct PairLine(pub(super) [u16; 2 * LINE]);

/// Rows as two parts each.
#[derive(Debug, Default)]
pub struct SplitRows {
    pub(super) parts: [Vec<u16>; PARTS],
    /// Numbers from a row's first to the next row's.
    pub(super) stride: usize,
    width: usize,
    count: usize,
}

impl SplitRows {
    /// Puts these rows in the place of those that were here.
    ///
    /// # Panics
    /// If a row does not lie inside its slice, or the processor has no tiles.
    pub fn fill(&mut self, rows: Rows<'_>) {
        assert!(
            features().amx_halves,
            "rows are split where there are tiles"
        );
        (self.width, self.count) = (rows.width, rows.count);
        // An odd number of the cache's lines, so that rows below each other do not share its sets.
        self.stride = (rows.width.div_ceil(STEP) | 1) * STEP;
        // Registers are filled to their last row.
        let expected = self.stride * (rows.count + TILE_ROWS - 1);
        for part in &mut self.parts {
            if part.len() < expected {
                part.resize(expected, 0);
            }
        }
        for row in 0..rows.count {
            let values = &rows.values[row * rows.stride..row * rows.stride + rows.width];
            let parts = self
                .parts
                .each_mut()
                .map(|part| &mut part[row * self.stride..(row + 1) * self.stride]);
            split_amx::split(values, parts);
        }
    }
}

/// A matrix with a bias for each column, packed in two parts.
#[derive(Debug)]
pub struct SplitDense {
    inner: usize,
    outer: usize,
    panels: Vec<SplitPanel>,
    lines: Vec<PairLine>,
    instructions: Instructions,
}

#[derive(Debug)]
struct SplitPanel {
    first_column: usize,
    columns: usize,
    first_line: usize,
    bias: [Line; 2],
}

/// A tile's share of a product.
pub(super) struct SplitTile<'a> {
    pub(super) parts: [&'a [u16]; PARTS],
    pub(super) stride: usize,
    pub(super) steps: usize,
    /// For each step two parts of as many registers as the panel is wide.
    pub(super) lines: &'a [PairLine],
    pub(super) bias: &'a [Line; 2],
    pub(super) columns: usize,
    pub(super) out_stride: usize,
}

impl SplitDense {
    /// Packs a matrix; `weight(k, j)` is the number in row k and column j.
    ///
    /// # Errors
    /// Fails for a matrix without rows or columns, for a bias of another length, and if the
    /// processor has no tiles.
    pub fn new(
        instructions: Instructions,
        [inner, outer]: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        if inner == 0 || outer == 0 || bias.is_some_and(|bias| bias.len() != outer) {
            return Err(Error::failed(format!(
                "a matrix of {inner} × {outer} with {} biases",
                bias.map_or(0, <[f32]>::len)
            )));
        }
        if !features().amx_halves {
            return Err(Error::internal(
                "tiles of AMX, which this processor does not have",
            ));
        }
        let mut dense = Self {
            inner,
            outer,
            panels: Vec::new(),
            lines: Vec::new(),
            instructions,
        };
        for first_column in (0..outer).step_by(2 * LINE) {
            let columns = (outer - first_column).min(2 * LINE);
            let mut own = SplitPanel {
                first_column,
                columns,
                first_line: dense.lines.len(),
                bias: [Line::default(); 2],
            };
            for column in 0..columns {
                own.bias[column / LINE].0[column % LINE] =
                    bias.map_or(0.0, |bias| bias[first_column + column]);
            }
            dense.panels.push(own);
            for step in 0..inner.div_ceil(STEP) {
                dense.pack(step * STEP, first_column, columns, &weight);
            }
        }
        Ok(dense)
    }

    /// Appends 32 rows of a panel.
    fn pack(
        &mut self,
        first_row: usize,
        first_column: usize,
        columns: usize,
        weight: impl Fn(usize, usize) -> f32,
    ) {
        let width = columns.div_ceil(LINE);
        let start = self.lines.len();
        self.lines
            .resize(start + PARTS * width * TILE_ROWS, PairLine([0; 2 * LINE]));
        for row in 0..STEP.min(self.inner - first_row) {
            for column in 0..columns {
                let parts = parts(weight(first_row + row, first_column + column));
                for (index, part) in parts.into_iter().enumerate() {
                    let line = start + (index * width + column / LINE) * TILE_ROWS + row / 2;
                    self.lines[line].0[column % LINE * 2 + row % 2] = part;
                }
            }
        }
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

    /// `rows · matrix + bias`, joined with what is in `out` as `finish` says; row r of the result
    /// begins at `r * out_stride`.
    ///
    /// # Panics
    /// If rows have another width than the matrix, or a row of the result does not lie inside its
    /// slice.
    pub fn multiply_into(
        &self,
        rows: &SplitRows,
        finish: Finish,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let count = rows.count;
        if count == 0 {
            return;
        }
        assert!(
            rows.width == self.inner,
            "rows are as wide as the matrix is high"
        );
        assert!(
            out_stride >= self.outer && out.len() >= (count - 1) * out_stride + self.outer,
            "results lie inside their slice"
        );
        let steps = self.inner.div_ceil(STEP);
        #[expect(
            unsafe_code,
            reason = "the instructions are not part of every processor"
        )]
        // SAFETY: there is no such matrix where the processor has no tiles.
        let _tiles = unsafe { Tiles::configure() };
        for panel in &self.panels {
            let lines = &self.lines[panel.first_line
                ..panel.first_line + steps * PARTS * panel.columns.div_ceil(LINE) * TILE_ROWS];
            for first in (0..count).step_by(split_amx::MAX_ROWS) {
                let row_count = split_amx::MAX_ROWS.min(count - first);
                let out = &mut out[first * out_stride + panel.first_column..];
                finish.join(
                    self.instructions,
                    [row_count, panel.columns],
                    out,
                    out_stride,
                    |out, out_stride| {
                        let tile = SplitTile {
                            parts: rows
                                .parts
                                .each_ref()
                                .map(|part| &part[first * rows.stride..]),
                            stride: rows.stride,
                            steps,
                            lines,
                            bias: &panel.bias,
                            columns: panel.columns,
                            out_stride,
                        };
                        split_amx::tile(&tile, row_count, out);
                    },
                );
            }
        }
    }
}

impl SplitTile<'_> {
    /// Registers of each part of a step.
    pub(super) fn width(&self) -> usize {
        self.columns.div_ceil(LINE)
    }

    /// Whether a tile of so many rows lies inside its slices, whole registers of it; what the
    /// kernel's reads and writes rest on.
    pub(super) fn holds(&self, row_count: usize, out: &[f32]) -> bool {
        row_count > 0
            && self.stride >= self.steps * STEP
            && self
                .parts
                .iter()
                .all(|part| part.len() >= row_count.next_multiple_of(TILE_ROWS) * self.stride)
            && self.lines.len() >= self.steps * PARTS * self.width() * TILE_ROWS
            && (1..=2 * LINE).contains(&self.columns)
            && out.len() >= (row_count - 1) * self.out_stride + self.columns
    }
}

/// The parts of a number; each is what is left, rounded to 8 bits.
fn parts(number: f32) -> [u16; PARTS] {
    let mut left = number;
    std::array::from_fn(|_| {
        let part = rounded(left);
        left -= f32::from_bits(u32::from(part) << 16);
        part
    })
}

/// The upper half of a number's bits, rounded to the nearest, halves to even; NaN stays.
fn rounded(number: f32) -> u16 {
    let bits = number.to_bits();
    if number.is_nan() {
        return (bits >> 16) as u16 | 1 << 6;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}
