//! Rows of bytes times a matrix of bytes: a quarter of the memory, and with VNNI three to four
//! times the speed.
//!
//! Every row of numbers gets its own scale and zero when it comes (`x ≈ scale · (byte − zero)`,
//! bytes from 0 to 255, the range always holding 0), every column of the matrix its scale once (`w
//! ≈ scale · byte`, bytes from −127 to 127). Sums of products of bytes are integers and exact,
//! and what is done to a sum afterwards is rounded step by step, so that all kinds of instructions
//! give the same bits; a row's bytes do not depend on its company. Rows with a number that is not
//! finite give NaN.
//!
//! A panel of 32 columns holds, for each four rows of the matrix, one line of 64 bytes for 16
//! columns: four bytes a column, the order of `vpdpbusd`. The tiles are 14 rows high as those of
//! single precision. AVX2 without VNNI widens to 16 bits: `vpmaddubsw`, which takes bytes, would
//! saturate. AMX reads the same lines, 16 at a time.
//!
//! Measured on one core in November 2026 (Emerald Rapids, shared machine), 64 to 256 rows on the
//! shapes of MiniLM and BERT, scaled and stored: AMX 1 400–2 900 GOP/s, AVX-512 VNNI 610–880,
//! AVX-VNNI 250–390; making bytes of rows 0.2 ns a number. With AMX GELU costs more than the
//! product that it follows.

use super::finish::Finish;
use super::integer_tile::{ByteLine, ByteTile, QUAD, WholeLine};
use super::line::{LINE, Line};
use super::quantised::QuantisedRows;
use super::tile::MAX_TILE_ROWS;
use crate::error::{Error, Result};
use crate::kernel::processor::{Instructions, features};

/// The longest sum that 32 bits hold, with the share of the zero: 2 · 255 · 127 · 32 768 < 2³¹.
const MAX_INNER: usize = 32_768;

/// How a processor multiplies bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteInstructions {
    Portable,
    /// AVX2, bytes widened to 16 bits.
    Avx2,
    /// VNNI in registers of 256 bits (AVX-VNNI).
    Vnni256,
    /// VNNI in registers of 512 bits (AVX-512 VNNI).
    Vnni512,
    /// Tiles of AMX.
    Amx,
}

impl ByteInstructions {
    /// Those that this processor has, best first.
    pub(super) fn available() -> Vec<Self> {
        let features = features();
        let all = [
            (Self::Amx, features.amx_bytes),
            (Self::Vnni512, features.vnni_512),
            (Self::Vnni256, features.vnni_256),
            (Self::Avx2, features.avx2),
            (Self::Portable, true),
        ];
        let available = all.into_iter().filter(|(_, is_here)| *is_here);
        available.map(|(one, _)| one).collect()
    }

    /// The best that goes with these instructions of single precision.
    pub(super) fn for_instructions(instructions: Instructions) -> Self {
        let fits = |one: &Self| match instructions {
            Instructions::Amx => true,
            Instructions::Avx512 => *one != Self::Amx,
            Instructions::Avx2 => !matches!(one, Self::Vnni512 | Self::Amx),
            Instructions::Portable => *one == Self::Portable,
        };
        Self::available()
            .into_iter()
            .find(fits)
            .unwrap_or(Self::Portable)
    }

    fn max_tile_rows(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => super::integer_amx::MAX_ROWS,
            Self::Vnni512 => MAX_TILE_ROWS,
            Self::Vnni256 => 6,
            Self::Avx2 => 2,
            _ => 4,
        }
    }

    /// Fours of bytes that one instruction takes of a row.
    fn quads(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => super::integer_amx::QUADS,
            _ => 1,
        }
    }

    /// Where the tiles of so many rows begin and end: of nearly equal height, but with AMX, whose
    /// tiles cost the same at any height, as high as they can be.
    fn bounds(self, tile: usize, count: usize) -> [usize; 2] {
        let (most, tiles) = (self.max_tile_rows(), count.div_ceil(self.max_tile_rows()));
        match self {
            Self::Amx => [tile * most, ((tile + 1) * most).min(count)],
            _ => [tile * count / tiles, (tile + 1) * count / tiles],
        }
    }

    /// The registers that they need, for as long as they are needed.
    #[cfg(target_arch = "x86_64")]
    fn configured(self) -> Option<super::amx::Tiles> {
        #[expect(
            unsafe_code,
            reason = "the instructions are not part of every processor"
        )]
        // SAFETY: a matrix holds these instructions only where the processor has them.
        (self == Self::Amx).then(|| unsafe { super::amx::Tiles::configure() })
    }

    fn tile(self, tile: &ByteTile<'_>, row_count: usize, out: &mut [f32]) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx => super::integer_amx::tile(tile, row_count, out),
            #[cfg(target_arch = "x86_64")]
            Self::Vnni512 => super::integer_avx512::tile(tile, row_count, out),
            #[cfg(target_arch = "x86_64")]
            Self::Vnni256 => super::integer_avx2::tile_vnni(tile, row_count, out),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => super::integer_avx2::tile_wide(tile, row_count, out),
            _ => super::integer_portable::tile(tile, row_count, out),
        }
    }
}

/// A matrix of bytes with a scale and a bias for each column, packed for one kind of instructions.
#[derive(Debug)]
pub struct IntegerDense {
    inner: usize,
    outer: usize,
    panels: Vec<BytePanel>,
    lines: Vec<ByteLine>,
    instructions: Instructions,
    byte_instructions: ByteInstructions,
}

#[derive(Debug)]
struct BytePanel {
    first_column: usize,
    columns: usize,
    first_line: usize,
    scales: [Line; 2],
    bias: [Line; 2],
    sums: [WholeLine; 2],
}

impl IntegerDense {
    /// Quantises and packs a matrix; `weight(k, j)` is the number in row k and column j.
    ///
    /// # Errors
    /// Fails for a matrix without rows or columns or with more than 32 768 rows, for a bias of
    /// another length, and for weights that are not finite.
    pub fn new(
        instructions: Instructions,
        [inner, outer]: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        Self::with(
            [inner, outer],
            instructions,
            ByteInstructions::for_instructions(instructions),
            weight,
            bias,
        )
    }

    pub(super) fn with(
        [inner, outer]: [usize; 2],
        instructions: Instructions,
        byte_instructions: ByteInstructions,
        weight: impl Fn(usize, usize) -> f32,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        if inner == 0
            || outer == 0
            || inner > MAX_INNER
            || bias.is_some_and(|bias| bias.len() != outer)
        {
            return Err(Error::failed(format!(
                "a matrix of {inner} × {outer} with {} biases",
                bias.map_or(0, <[f32]>::len)
            )));
        }
        let quads = inner
            .div_ceil(QUAD)
            .next_multiple_of(byte_instructions.quads());
        let mut dense = Self {
            inner,
            outer,
            panels: Vec::new(),
            lines: Vec::with_capacity(quads * outer.div_ceil(LINE)),
            instructions,
            byte_instructions,
        };
        for first_column in (0..outer).step_by(2 * LINE) {
            let columns = (outer - first_column).min(2 * LINE);
            let scales = scales(inner, first_column..first_column + columns, &weight)?;
            let mut own = BytePanel {
                first_column,
                columns,
                first_line: dense.lines.len(),
                scales,
                bias: [Line::default(); 2],
                sums: [WholeLine::default(); 2],
            };
            for column in 0..columns {
                own.bias[column / LINE].0[column % LINE] =
                    bias.map_or(0.0, |bias| bias[first_column + column]);
            }
            for quad in 0..quads {
                for part in 0..columns.div_ceil(LINE) {
                    let line = own.line(quad, part, inner, &weight);
                    own.sums[part]
                        .0
                        .iter_mut()
                        .zip(line.0.chunks(QUAD))
                        .for_each(|(sum, bytes)| {
                            *sum += bytes.iter().map(|byte| i32::from(*byte)).sum::<i32>();
                        });
                    dense.lines.push(line);
                }
            }
            dense.panels.push(own);
        }
        Ok(dense)
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
    /// begins at `r * out_stride`. The rows are those from `first` on, `count` of them.
    ///
    /// # Panics
    /// If rows have another width than the matrix, there are not as many, or a row of the result
    /// does not lie inside its slice.
    pub fn multiply_into(
        &self,
        rows: &QuantisedRows,
        [first, count]: [usize; 2],
        finish: Finish,
        out: &mut [f32],
        out_stride: usize,
    ) {
        if count == 0 {
            return;
        }
        assert!(
            rows.width == self.inner && rows.scales.len() >= first + count,
            "rows are as wide as the matrix is high"
        );
        assert!(
            out_stride >= self.outer && out.len() >= (count - 1) * out_stride + self.outer,
            "results lie inside their slice"
        );
        let quads = self
            .inner
            .div_ceil(QUAD)
            .next_multiple_of(self.byte_instructions.quads());
        #[cfg(target_arch = "x86_64")]
        let _tiles = self.byte_instructions.configured();
        let tiles = count.div_ceil(self.byte_instructions.max_tile_rows());
        for panel in &self.panels {
            let lines = &self.lines
                [panel.first_line..panel.first_line + quads * panel.columns.div_ceil(LINE)];
            for tile in 0..tiles {
                let [start, end] = self
                    .byte_instructions
                    .bounds(tile, count)
                    .map(|row| first + row);
                let out = &mut out[(start - first) * out_stride + panel.first_column..];
                finish.join(
                    self.instructions,
                    [end - start, panel.columns],
                    out,
                    out_stride,
                    |out, out_stride| {
                        let share = ByteTile {
                            bytes: &rows.bytes[start * rows.stride..],
                            stride: rows.stride,
                            row_scales: &rows.scales[start..end],
                            row_zeros: &rows.zeros[start..end],
                            quads,
                            lines,
                            scales: &panel.scales,
                            bias: &panel.bias,
                            sums: &panel.sums,
                            columns: panel.columns,
                            fetches_next: tile == 0,
                            out_stride,
                        };
                        self.byte_instructions.tile(&share, end - start, out);
                    },
                );
            }
        }
    }
}

/// The scale of each column: its largest number is 127.
fn scales(
    inner: usize,
    columns: std::ops::Range<usize>,
    weight: impl Fn(usize, usize) -> f32,
) -> Result<[Line; 2]> {
    let mut scales = [Line::default(); 2];
    for (index, column) in columns.enumerate() {
        let mut largest = 0.0_f32;
        for row in 0..inner {
            let size = weight(row, column).abs();
            if !size.is_finite() {
                return Err(Error::failed(format!(
                    "the weight in row {row} and column {column} is {size}, which no byte stands \
                     for"
                )));
            }
            largest = largest.max(size);
        }
        scales[index / LINE].0[index % LINE] = largest / 127.0;
    }
    Ok(scales)
}

impl BytePanel {
    /// The bytes of four rows and 16 columns.
    fn line(
        &self,
        quad: usize,
        part: usize,
        inner: usize,
        weight: impl Fn(usize, usize) -> f32,
    ) -> ByteLine {
        let mut line = ByteLine([0; QUAD * LINE]);
        for column in 0..LINE.min(self.columns - part * LINE) {
            let scale = self.scales[part].0[column];
            for row in quad * QUAD..inner.min((quad + 1) * QUAD) {
                if scale > 0.0 {
                    let byte = (weight(row, self.first_column + part * LINE + column) / scale)
                        .round_ties_even()
                        .clamp(-127.0, 127.0);
                    line.0[column * QUAD + row % QUAD] = byte as i8;
                }
            }
        }
        line
    }
}
