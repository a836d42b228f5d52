//! The integer product's tiles in registers of 256 bits: with AVX-VNNI up to 6 rows and one line,
//! with AVX2 alone up to 2 rows and one line, widened to 16 bits.

use std::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm_set1_epi32, _mm256_add_epi32, _mm256_add_ps,
    _mm256_cvtepi8_epi16, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16, _mm256_dpbusd_avx_epi32,
    _mm256_hadd_epi32, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_mul_ps,
    _mm256_mullo_epi32, _mm256_permute4x64_epi64, _mm256_set1_epi32, _mm256_set1_ps,
    _mm256_setzero_si256, _mm256_storeu_ps, _mm256_sub_epi32,
};

use super::integer_tile::ByteTile;
use super::line::{LINE, Line};

/// Numbers of a register.
const HALF: usize = LINE / 2;

type Run = unsafe fn(&ByteTile<'_>, usize, &mut [f32]);

/// Multiplies a tile of `row_count` rows, at most 6, with AVX-VNNI.
pub(super) fn tile_vnni(tile: &ByteTile<'_>, row_count: usize, out: &mut [f32]) {
    macro_rules! of_height {
        ($($rows:literal)*) => {
            match row_count {
                $($rows => vnni::<$rows>,)*
                _ => unreachable!("tiles are at most 6 rows high"),
            }
        };
    }
    let run: Run = of_height!(1 2 3 4 5 6);
    each_part(tile, row_count, out, run);
}

/// Multiplies a tile of `row_count` rows, at most 2, with AVX2.
pub(super) fn tile_wide(tile: &ByteTile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(row_count <= 2, "tiles are at most 2 rows high");
    let run: Run = if row_count == 1 { wide::<1> } else { wide::<2> };
    each_part(tile, row_count, out, run);
}

fn each_part(tile: &ByteTile<'_>, row_count: usize, out: &mut [f32], run: Run) {
    assert!(tile.holds(row_count, out), "a tile lies inside its slices");
    for part in 0..tile.width() {
        #[expect(
            unsafe_code,
            reason = "the instructions are not part of every processor"
        )]
        // SAFETY: a matrix holds these instructions only where the processor has them, and the tile
        // lies inside its slices.
        unsafe {
            run(tile, part, out);
        }
    }
}

/// # Safety
/// The tile must hold `ROWS` rows and have the line `part`.
#[expect(unsafe_code, reason = "reads without a check for each")]
#[target_feature(enable = "avx2,avxvnni")]
unsafe fn vnni<const ROWS: usize>(tile: &ByteTile<'_>, part: usize, out: &mut [f32]) {
    let mut sums = [[_mm256_setzero_si256(); 2]; ROWS];
    let bytes = tile.bytes.as_ptr();
    for quad in 0..tile.quads {
        // SAFETY: there are `quads` times `width` lines of two registers each.
        let weights = unsafe {
            let line = tile
                .lines
                .as_ptr()
                .add(quad * tile.width() + part)
                .cast::<__m256i>();
            [_mm256_loadu_si256(line), _mm256_loadu_si256(line.add(1))]
        };
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: every one of the `ROWS` rows has `quads` times four bytes.
            let four = _mm256_set1_epi32(unsafe {
                bytes
                    .add(row * tile.stride + quad * 4)
                    .cast::<i32>()
                    .read_unaligned()
            });
            sums[0] = _mm256_dpbusd_avx_epi32(sums[0], four, weights[0]);
            sums[1] = _mm256_dpbusd_avx_epi32(sums[1], four, weights[1]);
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        finish(tile, part, row, *sums, out);
    }
}

/// # Safety
/// The tile must hold `ROWS` rows and have the line `part`.
#[expect(unsafe_code, reason = "reads without a check for each")]
#[target_feature(enable = "avx2")]
unsafe fn wide<const ROWS: usize>(tile: &ByteTile<'_>, part: usize, out: &mut [f32]) {
    // Of four columns each: two sums a column, of the first two and of the last two of four
    // products.
    let mut sums = [[_mm256_setzero_si256(); 4]; ROWS];
    let bytes = tile.bytes.as_ptr();
    for quad in 0..tile.quads {
        let mut weights = [_mm256_setzero_si256(); 4];
        for (fourth, weights) in weights.iter_mut().enumerate() {
            // SAFETY: there are `quads` times `width` lines of four times 16 bytes each.
            let narrow = unsafe {
                _mm_loadu_si128(
                    tile.lines
                        .as_ptr()
                        .add(quad * tile.width() + part)
                        .cast::<i8>()
                        .add(16 * fourth)
                        .cast(),
                )
            };
            *weights = _mm256_cvtepi8_epi16(narrow);
        }
        for (row, sums) in sums.iter_mut().enumerate() {
            // SAFETY: every one of the `ROWS` rows has `quads` times four bytes.
            let four = _mm_set1_epi32(unsafe {
                bytes
                    .add(row * tile.stride + quad * 4)
                    .cast::<i32>()
                    .read_unaligned()
            });
            let four = _mm256_cvtepu8_epi16(four);
            for (sum, weights) in sums.iter_mut().zip(&weights) {
                *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(four, *weights));
            }
        }
    }
    for (row, sums) in sums.iter().enumerate() {
        // Adding neighbours leaves the middle pairs of columns swapped.
        let low = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(sums[0], sums[1]));
        let high = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_hadd_epi32(sums[2], sums[3]));
        finish(tile, part, row, [low, high], out);
    }
}

/// Takes the zero's share away, and scales, shifts and stores a line.
#[expect(unsafe_code, reason = "registers are loaded from lines")]
#[target_feature(enable = "avx2")]
fn finish(tile: &ByteTile<'_>, part: usize, row: usize, sums: [__m256i; 2], out: &mut [f32]) {
    let (zero, row_scale) = (
        _mm256_set1_epi32(tile.row_zeros[row]),
        _mm256_set1_ps(tile.row_scales[row]),
    );
    let mut result = Line::default();
    for (half, sum) in sums.into_iter().enumerate() {
        // SAFETY: a line has two registers' numbers.
        unsafe {
            let shares = _mm256_loadu_si256(tile.sums[part].0.as_ptr().add(half * HALF).cast());
            let whole = _mm256_sub_epi32(sum, _mm256_mullo_epi32(zero, shares));
            let scales = _mm256_mul_ps(
                row_scale,
                _mm256_loadu_ps(tile.scales[part].0.as_ptr().add(half * HALF)),
            );
            let scaled = _mm256_mul_ps(_mm256_cvtepi32_ps(whole), scales);
            let sum = _mm256_add_ps(
                scaled,
                _mm256_loadu_ps(tile.bias[part].0.as_ptr().add(half * HALF)),
            );
            _mm256_storeu_ps(result.0.as_mut_ptr().add(half * HALF), sum);
        }
    }
    let columns = (tile.columns - part * LINE).min(LINE);
    let first = row * tile.out_stride + part * LINE;
    out[first..first + columns].copy_from_slice(&result.0[..columns]);
}
