//! A ceiling on memory as a size of portions and a number of workers.
//!
//! What a run takes beside its portions is estimated from above; what its portions take is theirs by their number. The pipeline also looks
//! at the resident size while it runs, and begins nothing new beside what is at work while that is near the ceiling.

use crate::error::{Error, Result};
use crate::table::DEFAULT_PORTION_BYTES;

/// The program itself, its libraries and the allocator's reserve.
const PROGRAM_BYTES: u64 = 56 << 20;

/// A row group of the output being encoded, its pages and the chunk that is spelt out.
const WRITER_BYTES: u64 = 96 << 20;

/// What a worker takes beside its portions: its stack, the pages of a column, the model's scratch space, what the allocator keeps for its thread.
/// Measured with 16 workers and small portions: 13 MiB with numbers, 24 MiB with texts of 4 kB.
const WORKER_BYTES: u64 = 24 << 20;

/// What a portion takes for each byte of its decoded columns, at most: values, the output's columns, copies for filters, and what the allocator
/// keeps. Measured with 16 workers: 1 for numbers, 3 for texts of 4 kB.
const COPIES: u64 = 4;

/// Portions in flight for each worker.
const PORTIONS_PER_WORKER: u64 = 2;

/// A further worker is worth it only if all have portions of this size: each portion decodes whole pages, so that finer ones decode the same
/// pages again. Two workers with 1 MiB took twice as long as one with 5 MiB.
const WORTHWHILE_PORTION_BYTES: u64 = 4 << 20;

/// Smaller portions cost more in overhead than they save.
const LEAST_PORTION_BYTES: u64 = 512 << 10;

/// The share of the ceiling at which nothing new is begun.
const PRESSURE: f64 = 0.7;

/// How much a run may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The number of workers.
    pub threads: usize,
    /// The decoded size of a portion.
    pub portion_bytes: usize,
    /// The resident size at which no further portion is begun beside others.
    pub pressure_bytes: Option<u64>,
    /// What the run is expected to take at most.
    pub estimated_bytes: u64,
}

/// What `threads` workers with a model of `model_bytes` may take if the process has `memory_bytes`: smaller portions and fewer workers where
/// it is little.
///
/// # Errors
/// A usage error if not even one worker fits; it says what would.
pub fn allow(memory_bytes: Option<u64>, threads: usize, model_bytes: u64) -> Result<Allowance> {
    let fixed = PROGRAM_BYTES + WRITER_BYTES + 2 * model_bytes;
    let estimated = |threads: usize, portion_bytes: u64| fixed + threads as u64 * (WORKER_BYTES + PORTIONS_PER_WORKER * COPIES * portion_bytes);
    let Some(most) = memory_bytes else {
        let portion_bytes = DEFAULT_PORTION_BYTES;
        return Ok(Allowance { threads, portion_bytes, pressure_bytes: None, estimated_bytes: estimated(threads, portion_bytes as u64) });
    };
    let least = estimated(1, LEAST_PORTION_BYTES);
    if most < least {
        let message = format!("`--memory` of {} MiB is too little: this model needs at least {} MiB", most >> 20, least.div_ceil(1 << 20));
        return Err(Error::usage(message));
    }
    let workers = ((most - fixed) / (WORKER_BYTES + PORTIONS_PER_WORKER * COPIES * WORTHWHILE_PORTION_BYTES)).min(threads as u64).max(1);
    let for_portions = most - fixed - workers * WORKER_BYTES;
    let portion_bytes = (for_portions / (workers * PORTIONS_PER_WORKER * COPIES)).min(DEFAULT_PORTION_BYTES as u64);
    let pressure_bytes = Some((most as f64 * PRESSURE) as u64);
    let threads = workers as usize;
    Ok(Allowance { threads, portion_bytes: portion_bytes as usize, pressure_bytes, estimated_bytes: estimated(threads, portion_bytes).min(most) })
}

/// A query's engine. Measured with 2 000 rows: 28 MiB.
const QUERY_BYTES: u64 = 40 << 20;

impl Allowance {
    /// What a run is expected to take at most: no more than `decoded_bytes` of input in `file_count` files can fill, where that is known.
    #[must_use]
    pub fn expected_bytes(&self, model_bytes: u64, has_query: bool, decoded_bytes: Option<u64>, file_count: usize) -> u64 {
        let Some(decoded) = decoded_bytes else { return self.estimated_bytes };
        let portions = decoded / (self.portion_bytes as u64).max(1) + file_count as u64;
        let fixed = PROGRAM_BYTES + 2 * model_bytes + if has_query { QUERY_BYTES } else { 0 };
        let workers = portions.min(self.threads as u64).saturating_mul(WORKER_BYTES);
        let rows = decoded.saturating_mul(COPIES).saturating_add(decoded.min(WRITER_BYTES));
        self.estimated_bytes.min(fixed.saturating_add(workers).saturating_add(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_input_is_expected_to_take_little() {
        let allowance = allow(None, 16, 1 << 20).unwrap();
        let expected = |decoded, has_query| allowance.expected_bytes(1 << 20, has_query, decoded, 1);
        assert_eq!((expected(Some(0), false), expected(Some(1 << 20), true)), (82 << 20, (82 + 40 + 5) << 20));
        assert_eq!([expected(None, true), expected(Some(1 << 40), true), expected(Some(u64::MAX), true)], [allowance.estimated_bytes; 3]);
    }

    #[test]
    fn little_memory_means_smaller_portions_then_fewer_workers() {
        let allowed = |mebibytes: u64, threads| allow(Some(mebibytes << 20), threads, 1 << 20).unwrap();
        let plenty = allowed(4_096, 2);
        assert_eq!((plenty.threads, plenty.portion_bytes, plenty.estimated_bytes), (2, 16 << 20, (154 + 2 * (24 + 8 * 16)) << 20));
        assert_eq!((allowed(420, 2).threads, allowed(420, 2).portion_bytes), (2, 13 << 20 | 5 << 17));
        assert_eq!((allowed(256, 2).threads, allowed(256, 2).portion_bytes), (1, 9 << 20 | 3 << 18), "one worker that is not kept from its work");
        assert_eq!((allowed(512, 64).threads, allowed(200, 64).threads), (6, 1));
        assert!([200, 256, 512, 1_000].iter().all(|&most| allowed(most, 64).estimated_bytes <= most << 20));
        assert!(allow(Some(100 << 20), 1, 1 << 20).unwrap_err().message().contains("at least 182 MiB"));
        assert_eq!(allow(None, 3, 0).unwrap().pressure_bytes, None);
    }
}
