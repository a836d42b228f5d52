//! The integer product's tiles with AMX: up to 32 rows and 32 columns in four registers of 16 × 16
//! sums.

#![expect(
    unsafe_code,
    reason = "the instructions have no other form than assembly"
)]

use std::arch::asm;
use std::arch::x86_64::{
    _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_cvtepi32_ps, _mm512_load_si512,
    _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_mul_ps, _mm512_mullo_epi32, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_sub_epi32,
};
use std::mem::MaybeUninit;

use super::amx::{TILE_ROWS, store_square};
use super::integer_tile::ByteTile;
use super::line::LINE;

/// Rows of the highest tile.
pub(super) const MAX_ROWS: usize = 2 * TILE_ROWS;

/// Fours of a row's bytes that one instruction multiplies.
pub(super) const QUADS: usize = 16;

/// The sums of a tile, row-major, on lines of the cache.
#[repr(C, align(64))]
struct Sums([i32; MAX_ROWS * 2 * LINE]);

/// Multiplies a tile of `row_count` rows, at most 32; the registers are configured.
pub(super) fn tile(tile: &ByteTile<'_>, row_count: usize, out: &mut [f32]) {
    assert!(
        row_count <= MAX_ROWS && tile.holds(row_count, out),
        "a tile lies inside its slices"
    );
    assert!(
        tile.bytes.len() >= row_count.next_multiple_of(TILE_ROWS) * tile.stride,
        "registers are filled to the last row"
    );
    assert!(
        tile.quads.is_multiple_of(QUADS),
        "registers are filled to the last column"
    );
    let mut sums = MaybeUninit::<Sums>::uninit();
    // SAFETY: the tile lies inside its slices, whole registers of it; a matrix holds these
    // instructions only where the processor has them.
    unsafe {
        match (row_count > TILE_ROWS, tile.width()) {
            (true, 2) => multiply::<true, true>(tile, sums.as_mut_ptr().cast()),
            (true, _) => multiply::<true, false>(tile, sums.as_mut_ptr().cast()),
            (false, 2) => multiply::<false, true>(tile, sums.as_mut_ptr().cast()),
            (false, _) => multiply::<false, false>(tile, sums.as_mut_ptr().cast()),
        }
        // What is read of the sums has been written.
        finish(tile, row_count, sums.as_ptr().cast(), out);
    }
}

/// # Safety
/// The registers must be configured, and the tile must hold whole registers: twice 16 rows if there
/// is a second, two lines if there are two.
unsafe fn multiply<const SECOND_ROWS: bool, const SECOND_COLUMNS: bool>(
    tile: &ByteTile<'_>,
    sums: *mut i32,
) {
    let line = size_of::<super::integer_tile::ByteLine>();
    let columns_stride = tile.width() * line;
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
    for step in 0..tile.quads / QUADS {
        // SAFETY: 16 rows of 64 bytes each, and where there are second ones 16 more behind them, as
        // the caller promises.
        unsafe {
            let rows = tile.bytes.as_ptr().add(step * 64);
            let columns = tile
                .lines
                .as_ptr()
                .cast::<u8>()
                .add(step * QUADS * columns_stride);
            if tile.fetches_next {
                let next = columns.wrapping_add(size_of_val(tile.lines));
                (0..QUADS * tile.width()).for_each(|index| {
                    _mm_prefetch::<_MM_HINT_T0>(next.wrapping_add(index * line).cast());
                });
            }
            asm!("tileloadd tmm4, [{} + {}*1]", in(reg) rows, in(reg) tile.stride,
                options(nostack, readonly));
            asm!("tileloadd tmm6, [{} + {}*1]", in(reg) columns,
                in(reg) columns_stride, options(nostack, readonly));
            asm!("tdpbusd tmm0, tmm4, tmm6", options(nostack, nomem));
            if SECOND_COLUMNS {
                asm!("tileloadd tmm7, [{} + {}*1]", in(reg) columns.add(line),
                    in(reg) columns_stride, options(nostack, readonly));
                asm!("tdpbusd tmm1, tmm4, tmm7", options(nostack, nomem));
            }
            if SECOND_ROWS {
                asm!("tileloadd tmm5, [{} + {}*1]", in(reg) rows.add(TILE_ROWS * tile.stride),
                    in(reg) tile.stride, options(nostack, readonly));
                asm!("tdpbusd tmm2, tmm5, tmm6", options(nostack, nomem));
                if SECOND_COLUMNS {
                    asm!("tdpbusd tmm3, tmm5, tmm7", options(nostack, nomem));
                }
            }
        }
    }
    // SAFETY: the caller's promise; the sums are such a square.
    unsafe { store_square::<SECOND_ROWS, SECOND_COLUMNS, _>(sums) };
}

/// Takes the zeros' share away, and scales, shifts and stores the sums.
///
/// # Safety
/// The tile must hold `row_count` rows.
#[target_feature(enable = "avx512f")]
unsafe fn finish(tile: &ByteTile<'_>, row_count: usize, sums: *const i32, out: &mut [f32]) {
    for part in 0..tile.width() {
        let columns = (tile.columns - part * LINE).min(LINE);
        let mask = if columns == LINE {
            u16::MAX
        } else {
            (1 << columns) - 1
        };
        // SAFETY: a line has as many numbers as a register.
        let (shares, scales, bias) = unsafe {
            let shares = _mm512_load_si512(tile.sums[part].0.as_ptr().cast());
            (
                shares,
                _mm512_loadu_ps(tile.scales[part].0.as_ptr()),
                _mm512_loadu_ps(tile.bias[part].0.as_ptr()),
            )
        };
        for row in 0..row_count {
            let zero = _mm512_set1_epi32(tile.row_zeros[row]);
            // SAFETY: half of a row of sums, on a boundary of 64 bytes.
            let sum = unsafe { _mm512_load_si512(sums.add(row * 2 * LINE + part * LINE).cast()) };
            let whole = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zero, shares));
            let factors = _mm512_mul_ps(_mm512_set1_ps(tile.row_scales[row]), scales);
            let result = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(whole), factors), bias);
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
