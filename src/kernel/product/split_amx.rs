//! The tiles of products in parts: up to 32 rows and 32 columns in four registers of 16 × 16 sums.

#![expect(
    unsafe_code,
    reason = "the instructions have no other form than assembly"
)]

use std::arch::asm;
use std::arch::x86_64::{
    __m256bh, __m256i, _mm256_storeu_si256, _mm512_add_ps, _mm512_castsi512_ps,
    _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_load_ps, _mm512_loadu_ps,
    _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_slli_epi32, _mm512_sub_ps,
};
use std::mem::MaybeUninit;

use super::amx::{TILE_ROWS, store_square};
use super::line::LINE;
use super::split::{PARTS, PairLine, STEP, SplitTile};

/// Rows of the highest tile.
pub(super) const MAX_ROWS: usize = 2 * TILE_ROWS;

/// Which part of the rows meets which of the columns, so that few registers are loaded again.
const MEETINGS: [[usize; 2]; 3] = [[1, 0], [0, 0], [0, 1]];

/// The sums of a tile, row-major, on lines of the cache.
#[repr(C, align(64))]
struct Sums([f32; MAX_ROWS * 2 * LINE]);

/// Splits a row; what lies behind it up to the end of a step becomes 0.
///
/// # Panics
/// If a part has less room.
pub(super) fn split(values: &[f32], parts: [&mut [u16]; PARTS]) {
    let room = values.len().next_multiple_of(STEP);
    assert!(
        parts.iter().all(|part| part.len() >= room),
        "parts are as long as the row"
    );
    // SAFETY: callers have asked for the instructions, and the parts have room for whole steps.
    unsafe { split_row(values, parts.map(<[u16]>::as_mut_ptr), room) };
}

/// # Safety
/// The processor must have the instructions and each part room for `room` numbers, a multiple of
/// 32.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn split_row(values: &[f32], parts: [*mut u16; PARTS], room: usize) {
    for index in (0..room).step_by(LINE) {
        let count = values.len().saturating_sub(index).min(LINE);
        let mask = if count == LINE {
            u16::MAX
        } else {
            (1 << count) - 1
        };
        // SAFETY: the mask leaves only numbers of the row.
        let mut left = unsafe { _mm512_maskz_loadu_ps(mask, values.as_ptr().wrapping_add(index)) };
        for part in parts {
            let rounded: __m256bh = _mm512_cvtneps_pbh(left);
            // SAFETY: both are 256 bits of plain data; the part has room for whole steps.
            unsafe {
                let bits = std::mem::transmute::<__m256bh, __m256i>(rounded);
                _mm256_storeu_si256(part.add(index).cast(), bits);
                left = _mm512_sub_ps(
                    left,
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits))),
                );
            }
        }
    }
}

/// Multiplies a tile of `row_count` rows, at most 32; the registers are configured.
pub(super) fn tile(tile: &SplitTile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(
        row_count <= MAX_ROWS && tile.holds(row_count, out),
        "a tile lies inside its slices"
    );
    let mut sums = MaybeUninit::<Sums>::uninit();
    let index = sums.as_mut_ptr().cast();
    // SAFETY: the tile lies inside its slices, whole registers of it; what is read of the sums has
    // been written.
    unsafe {
        match (row_count > TILE_ROWS, tile.width()) {
            (true, 2) => multiply::<true, true>(tile, index),
            (true, _) => multiply::<true, false>(tile, index),
            (false, 2) => multiply::<false, true>(tile, index),
            (false, _) => multiply::<false, false>(tile, index),
        }
        finish(tile, row_count, index, out);
    }
}

/// # Safety
/// The registers must be configured, and the tile must hold whole registers: twice 16 rows if there
/// is a second, two if there are two of columns.
unsafe fn multiply<const SECOND_ROWS: bool, const SECOND_COLUMNS: bool>(
    tile: &SplitTile<'_>,
    sums: *mut f32,
) {
    const LINE_BYTES: usize = size_of::<PairLine>();
    let row_stride = tile.stride * size_of::<u16>();
    // SAFETY: registers only.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            options(nostack, nomem)
        );
    };
    for step in 0..tile.steps {
        let mut held = [PARTS; 2];
        for [of_rows, of_columns] in MEETINGS {
            // SAFETY: 16 rows of 64 bytes each, and where there are second ones 16 more behind
            // them, as the caller promises.
            unsafe {
                if held[0] != of_rows {
                    let rows = tile.parts[of_rows].as_ptr().add(step * STEP);
                    asm!("tileloadd tmm4, [{} + {}*1]", in(reg) rows,
                        in(reg) row_stride, options(nostack, readonly));
                    if SECOND_ROWS {
                        let second = rows.add(TILE_ROWS * tile.stride);
                        asm!("tileloadd tmm5, [{} + {}*1]", in(reg) second,
                            in(reg) row_stride, options(nostack, readonly));
                    }
                }
                if held[1] != of_columns {
                    let columns = tile
                        .lines
                        .as_ptr()
                        .add((step * PARTS + of_columns) * tile.width() * TILE_ROWS);
                    asm!("tileloadd tmm6, [{} + {}*1]", in(reg) columns,
                        in(reg) LINE_BYTES, options(nostack, readonly));
                    if SECOND_COLUMNS {
                        let second = columns.add(TILE_ROWS);
                        asm!("tileloadd tmm7, [{} + {}*1]", in(reg) second,
                            in(reg) LINE_BYTES, options(nostack, readonly));
                    }
                }
                held = [of_rows, of_columns];
                asm!("tdpbf16ps tmm0, tmm4, tmm6", options(nostack, nomem));
                if SECOND_COLUMNS {
                    asm!("tdpbf16ps tmm1, tmm4, tmm7", options(nostack, nomem));
                }
                if SECOND_ROWS {
                    asm!("tdpbf16ps tmm2, tmm5, tmm6", options(nostack, nomem));
                    if SECOND_COLUMNS {
                        asm!("tdpbf16ps tmm3, tmm5, tmm7", options(nostack, nomem));
                    }
                }
            }
        }
    }
    // SAFETY: the caller's promise; the sums are such a square.
    unsafe { store_square::<SECOND_ROWS, SECOND_COLUMNS, _>(sums) };
}

/// Adds the bias and stores the sums.
///
/// # Safety
/// The tile must hold `row_count` rows, and their sums must have been written.
#[target_feature(enable = "avx512f")]
unsafe fn finish(tile: &SplitTile<'_>, row_count: usize, sums: *const f32, out: &mut [f32]) {
    for part in 0..tile.width() {
        let columns = (tile.columns - part * LINE).min(LINE);
        let mask = if columns == LINE {
            u16::MAX
        } else {
            (1 << columns) - 1
        };
        // SAFETY: a line has as many numbers as a register.
        let bias = unsafe { _mm512_loadu_ps(tile.bias[part].0.as_ptr()) };
        for row in 0..row_count {
            // SAFETY: half of a row of sums, on a boundary of 64 bytes; the mask leaves only the
            // columns that are meant, and these lie inside the slice.
            unsafe {
                let sum = _mm512_load_ps(sums.add(row * 2 * LINE + part * LINE));
                _mm512_mask_storeu_ps(
                    out.as_mut_ptr().add(row * tile.out_stride + part * LINE),
                    mask,
                    _mm512_add_ps(sum, bias),
                );
            }
        }
    }
}
