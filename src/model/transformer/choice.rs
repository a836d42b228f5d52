//! How many tokens go together: a matter of the second-level cache.

use super::linear::Arithmetic;
use crate::model::encoder::architecture::Architecture;

/// Bytes of the second-level cache that rows of numbers may take beside the weights; most servers have one or two megabytes a core.
const CACHE_BYTES: usize = 800 << 10;

/// Tokens of a group.
pub(super) fn group_tokens(_architecture: &Architecture, arithmetic: Arithmetic) -> usize {
    match arithmetic {
        Arithmetic::Single => 256,
        Arithmetic::Bytes => 128,
    }
}

/// Rows that go through the feed-forward part together: its middle is the widest of all.
pub(super) fn block_rows(architecture: &Architecture, _arithmetic: Arithmetic) -> usize {
    let row_bytes = (architecture.feed_forward.size + architecture.hidden) * size_of::<f32>();
    (CACHE_BYTES / row_bytes.max(1)).clamp(28, 256)
}
