//! The product's tiles with AVX2 and FMA: up to 6 rows and one line in 12 registers.

use std::arch::x86_64::{
    _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_set1_ps,
    _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::line::{LINE, Line};
use super::tile::Tile;

/// Numbers of a register.
const HALF: usize = LINE / 2;

/// Multiplies a tile of `row_count` rows, at most 6.
pub(super) fn tile(tile: &Tile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(tile.holds(row_count, out), "a tile lies inside its slices");
    macro_rules! of_height {
        ($($rows:literal)*) => {
            match row_count {
                $($rows => run::<$rows>,)*
                _ => unreachable!("tiles are at most 6 rows high"),
            }
        };
    }
    let run: unsafe fn(&Tile<'_>, usize, &mut [f32]) = of_height!(1 2 3 4 5 6);
    for part in 0..tile.width() {
        #[expect(
            unsafe_code,
            reason = "the instructions are not part of every processor"
        )]
        // SAFETY: `Dense` holds these instructions only where the processor has them, and the tile
        // lies inside its slices.
        unsafe {
            run(tile, part, out);
        }
    }
}

/// # Safety
/// The tile must hold `ROWS` rows and have the line `part`.
#[expect(unsafe_code, reason = "reads without a check for each")]
#[target_feature(enable = "avx2,fma")]
unsafe fn run<const ROWS: usize>(tile: &Tile<'_>, part: usize, out: &mut [f32]) {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    let rows = tile.rows.as_ptr();
    for index in 0..tile.inner {
        // SAFETY: there are `inner` times `width` lines of two registers each.
        let weights = unsafe {
            let line = tile
                .lines
                .as_ptr()
                .add(index * tile.width() + part)
                .cast::<f32>();
            [_mm256_loadu_ps(line), _mm256_loadu_ps(line.add(HALF))]
        };
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: every one of the `ROWS` rows has `inner` numbers.
            let value = _mm256_set1_ps(unsafe { *rows.add(row * tile.stride + index) });
            sums[0] = _mm256_fmadd_ps(value, weights[0], sums[0]);
            sums[1] = _mm256_fmadd_ps(value, weights[1], sums[1]);
        }
    }
    let columns = (tile.columns - part * LINE).min(LINE);
    for (row, sums) in sums.iter().enumerate() {
        let mut result = Line::default();
        for (half, sum) in sums.iter().enumerate() {
            // SAFETY: a line has two registers' numbers, of the bias and of the result.
            unsafe {
                let mut sum = _mm256_add_ps(
                    *sum,
                    _mm256_loadu_ps(tile.bias[part].0.as_ptr().add(half * HALF)),
                );
                if tile.rectifies {
                    // Of a number and NaN it gives the second.
                    sum = _mm256_max_ps(_mm256_setzero_ps(), sum);
                }
                _mm256_storeu_ps(result.0.as_mut_ptr().add(half * HALF), sum);
            }
        }
        let first = row * tile.out_stride + part * LINE;
        out[first..first + columns].copy_from_slice(&result.0[..columns]);
    }
}
