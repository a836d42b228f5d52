//! The integer product's tiles with AVX-512 VNNI: up to 14 rows and 32 columns in 28 registers.

use std::arch::x86_64::{
    _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_load_si512, _mm512_loadu_ps,
    _mm512_mask_storeu_ps, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_si512,
};

use super::integer_tile::ByteTile;
use super::line::LINE;

/// Multiplies a tile of `row_count` rows, at most 14.
pub(super) fn tile(tile: &ByteTile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(tile.holds(row_count, out), "a tile lies inside its slices");
    let run: unsafe fn(&ByteTile<'_>, &mut [f32]) = of_shape!(run, row_count, tile.width());
    #[expect(
        unsafe_code,
        reason = "the instructions are not part of every processor"
    )]
    // SAFETY: a matrix holds these instructions only where the processor has them, and the tile
    // lies inside its slices.
    unsafe {
        run(tile, out);
    }
}

/// # Safety
/// The tile must hold `ROWS` rows and be `WIDTH` lines wide.
#[expect(unsafe_code, reason = "reads and writes without a check for each")]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn run<const ROWS: usize, const WIDTH: usize>(tile: &ByteTile<'_>, out: &mut [f32]) {
    let mut sums = [[_mm512_setzero_si512(); WIDTH]; ROWS];
    for (row, sums) in sums.iter_mut().enumerate() {
        // SAFETY: there is a zero for each of the `ROWS` rows.
        let zero = _mm512_set1_epi32(-unsafe { *tile.row_zeros.get_unchecked(row) });
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: a line has as many numbers as a register and lies on a boundary of 64 bytes.
            *sum = _mm512_mullo_epi32(zero, unsafe {
                _mm512_load_si512(tile.sums[part].0.as_ptr().cast())
            });
        }
    }
    let (bytes, lines) = (tile.bytes.as_ptr(), tile.lines.as_ptr());
    for quad in 0..tile.quads {
        let mut weights = [_mm512_setzero_si512(); WIDTH];
        for (part, weights) in weights.iter_mut().enumerate() {
            // SAFETY: there are `quads` times `WIDTH` lines, each on a boundary of 64 bytes.
            *weights = unsafe { _mm512_load_si512(lines.add(quad * WIDTH + part).cast()) };
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: every one of the `ROWS` rows has `quads` times four bytes.
            let four = _mm512_set1_epi32(unsafe {
                bytes
                    .add(row * tile.stride + quad * 4)
                    .cast::<i32>()
                    .read_unaligned()
            });
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm512_dpbusd_epi32(*sum, four, *weights);
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        // SAFETY: there is a scale for each of the `ROWS` rows.
        let row_scale = _mm512_set1_ps(unsafe { *tile.row_scales.get_unchecked(row) });
        for (part, sum) in sums.iter().enumerate() {
            // SAFETY: a line has as many numbers as a register.
            let (scales, bias) = unsafe {
                (
                    _mm512_loadu_ps(tile.scales[part].0.as_ptr()),
                    _mm512_loadu_ps(tile.bias[part].0.as_ptr()),
                )
            };
            let result = _mm512_add_ps(
                _mm512_mul_ps(_mm512_cvtepi32_ps(*sum), _mm512_mul_ps(row_scale, scales)),
                bias,
            );
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
                    result,
                );
            };
        }
    }
}
