//! The tile registers of AMX: configured around a product, given back after it.
//!
//! Eight registers of 16 rows of 64 bytes. Four hold a square of 32 × 32 sums, two the rows and two
//! the columns that are being multiplied. The compiler knows nothing of these registers, so that
//! they keep their contents between two pieces of assembly.

#![expect(
    unsafe_code,
    reason = "the instructions have no other form than assembly"
)]

use std::arch::asm;

use super::line::LINE;

/// Rows of a register, and of the square's half.
pub(super) const TILE_ROWS: usize = 16;

/// The registers, configured on this thread until it is dropped.
pub(super) struct Tiles(());

#[repr(C, align(64))]
struct Configuration([u8; 64]);

impl Tiles {
    /// Eight registers of full size.
    ///
    /// # Safety
    /// The processor must have tiles, see [`crate::kernel::processor::Features`].
    pub(super) unsafe fn configure() -> Self {
        static ALL: Configuration = {
            let mut bytes = [0; 64];
            bytes[0] = 1;
            let mut tile = 0;
            while tile < 8 {
                bytes[16 + 2 * tile] = 64;
                bytes[48 + tile] = TILE_ROWS as u8;
                tile += 1;
            }
            Configuration(bytes)
        };
        // SAFETY: the caller's promise; 64 bytes are read.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const ALL, options(nostack, readonly)) };
        Self(())
    }
}

/// Stores the square of sums that the first four registers hold, row-major with rows of two lines:
/// the second ones only where there are any.
///
/// # Safety
/// The registers must be configured, `sums` be a square of 32 × 32 numbers of four bytes.
#[inline]
pub(super) unsafe fn store_square<const SECOND_ROWS: bool, const SECOND_COLUMNS: bool, T>(
    sums: *mut T,
) {
    let stride = 2 * LINE * size_of::<T>();
    // SAFETY: each register's 16 rows of 16 sums lie inside the square.
    unsafe {
        let second = sums.add(TILE_ROWS * 2 * LINE);
        asm!("tilestored [{} + {}*1], tmm0", in(reg) sums, in(reg) stride, options(nostack));
        if SECOND_COLUMNS {
            asm!("tilestored [{} + {}*1], tmm1", in(reg) sums.add(LINE),
                in(reg) stride, options(nostack));
        }
        if SECOND_ROWS {
            asm!("tilestored [{} + {}*1], tmm2", in(reg) second, in(reg) stride, options(nostack));
            if SECOND_COLUMNS {
                asm!("tilestored [{} + {}*1], tmm3", in(reg) second.add(LINE),
                    in(reg) stride, options(nostack));
            }
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: there are such registers, or they could not have been configured.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
