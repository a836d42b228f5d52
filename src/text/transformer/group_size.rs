//! How many tokens go together: a matter of the second-level cache.

use super::linear::Arithmetic;
use crate::text::encoder::architecture::Architecture;

/// Tokens of a group. Weights stream by once for each group and block; measured on MiniLM, 96 to 1
/// 024: 256 is best or near it for both.
pub(super) const GROUP_TOKENS: usize = 256;

/// The least rows of a block: what makes a pass over the weights worth its while.
const MIN_ROWS: usize = 64;

/// Rows that go through the feed-forward part together: its middle is the widest of all and, with
/// the rows that enter it, should stay in the second-level cache.
///
/// Measured on MiniLM, where a row is 7.5 KiB: bytes 26 000 tokens a second with 64 rows, 24 000
/// with 128, 20 500 with 256; single precision on tiles of AMX 11 000 with 96 and 128, 12 000 with
/// 256; single precision with AVX-512 6 600 with 64, 6 750 with 112 and 256.
pub(super) fn block_rows(architecture: &Architecture, arithmetic: Arithmetic) -> usize {
    let cache_bytes = match arithmetic {
        Arithmetic::Single => 2 << 20,
        Arithmetic::Bytes => 600 << 10,
    };
    let row_bytes = (architecture.feed_forward.size + architecture.hidden) * size_of::<f32>();
    let rows = (cache_bytes / row_bytes.max(1)).clamp(MIN_ROWS, GROUP_TOKENS);
    rows / TILE_ROWS * TILE_ROWS
}

/// Rows of the highest tile of a product.
const TILE_ROWS: usize = 32;
