//! The product's tiles with AVX-512: up to 14 rows and 32 columns in 28 registers.

use std::arch::x86_64::{
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps,
    _mm512_max_ps, _mm512_set1_ps, _mm512_setzero_ps,
};

use super::line::LINE;
use super::tile::Tile;

/// Multiplies a tile of `row_count` rows, at most 14.
pub(super) fn tile(tile: &Tile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(tile.holds(row_count, out), "a tile lies inside its slices");
    let run: unsafe fn(&Tile<'_>, &mut [f32]) = of_shape!(run, row_count, tile.width());
    #[expect(
        unsafe_code,
        reason = "the instructions are not part of every processor"
    )]
    // SAFETY: `Dense` holds these instructions only where the processor has them, and the tile lies
    // inside its slices.
    unsafe {
        run(tile, out);
    }
}

/// # Safety
/// The tile must hold `ROWS` rows and be `WIDTH` lines wide.
#[expect(unsafe_code, reason = "reads and writes without a check for each")]
#[target_feature(enable = "avx512f")]
unsafe fn run<const ROWS: usize, const WIDTH: usize>(tile: &Tile<'_>, out: &mut [f32]) {
    let mut sums = [[_mm512_setzero_ps(); WIDTH]; ROWS];
    let (rows, lines) = (tile.rows.as_ptr(), tile.lines.as_ptr().cast::<f32>());
    for index in 0..tile.inner {
        let mut weights = [_mm512_setzero_ps(); WIDTH];
        for (part, weights) in weights.iter_mut().enumerate() {
            // SAFETY: there are `inner` times `WIDTH` lines, each on a boundary of 64 bytes.
            *weights = unsafe { _mm512_load_ps(lines.add((index * WIDTH + part) * LINE)) };
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: every one of the `ROWS` rows has `inner` numbers.
            let value = _mm512_set1_ps(unsafe { *rows.add(row * tile.stride + index) });
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_fmadd_ps(value, *weights, *sum);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        for (part, sum) in sums.iter().enumerate() {
            // SAFETY: a line has as many numbers as a register.
            let mut sum =
                _mm512_add_ps(*sum, unsafe { _mm512_loadu_ps(tile.bias[part].0.as_ptr()) });
            if tile.rectifies {
                // Of a number and NaN it gives the second.
                sum = _mm512_max_ps(_mm512_setzero_ps(), sum);
            }
            let columns = (tile.columns - part * LINE).min(LINE);
            let mask = if columns == LINE {
                u16::MAX
            } else {
                (1 << columns) - 1
            };
            // SAFETY: the mask leaves only the columns that are meant, and these lie inside the
            // slice.
            unsafe {
                _mm512_mask_storeu_ps(
                    out.as_mut_ptr().add(row * tile.out_stride + part * LINE),
                    mask,
                    sum,
                );
            };
        }
    }
}
