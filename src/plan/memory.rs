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

/// What a portion takes for each byte of its decoded columns: pages and values, the output's columns, copies for filters.
const COPIES: u64 = 3;

/// Portions in flight for each worker.
const PORTIONS_PER_WORKER: u64 = 2;

/// Smaller portions cost more in overhead than they save.
const LEAST_PORTION_BYTES: u64 = 512 << 10;

/// The share of the ceiling at which nothing new is begun.
const PRESSURE: f64 = 0.8;

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

/// What `threads` workers with a model of `model_bytes` may take if the process has `memory_bytes`: fewer workers and smaller portions where
/// it is little.
///
/// # Errors
/// A usage error if not even one worker fits; it says what would.
pub fn allow(memory_bytes: Option<u64>, threads: usize, model_bytes: u64) -> Result<Allowance> {
    let fixed = PROGRAM_BYTES + WRITER_BYTES + 2 * model_bytes;
    let estimated = |threads: usize, portion_bytes: u64| fixed + threads as u64 * PORTIONS_PER_WORKER * COPIES * portion_bytes;
    let Some(most) = memory_bytes else {
        let portion_bytes = DEFAULT_PORTION_BYTES;
        return Ok(Allowance { threads, portion_bytes, pressure_bytes: None, estimated_bytes: estimated(threads, portion_bytes as u64) });
    };
    let least = estimated(1, LEAST_PORTION_BYTES);
    if most < least {
        let message = format!("`--memory` of {} MiB is too little: this model needs at least {} MiB", most >> 20, least.div_ceil(1 << 20));
        return Err(Error::usage(message));
    }
    let workers = ((most - fixed) / (PORTIONS_PER_WORKER * COPIES * LEAST_PORTION_BYTES)).min(threads as u64).max(1);
    let portion_bytes = ((most - fixed) / (workers * PORTIONS_PER_WORKER * COPIES)).min(DEFAULT_PORTION_BYTES as u64);
    let pressure_bytes = Some((most as f64 * PRESSURE) as u64);
    let threads = workers as usize;
    Ok(Allowance { threads, portion_bytes: portion_bytes as usize, pressure_bytes, estimated_bytes: estimated(threads, portion_bytes).min(most) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_means_smaller_portions_then_fewer_workers() {
        let allowed = |mebibytes: u64, threads| allow(Some(mebibytes << 20), threads, 1 << 20).unwrap();
        assert_eq!(
            allowed(4_096, 2),
            Allowance { threads: 2, portion_bytes: 16 << 20, pressure_bytes: Some(3_435_973_836), estimated_bytes: 346 << 20 }
        );
        assert!(allowed(200, 2).portion_bytes < 8 << 20);
        assert!(allowed(200, 64).threads < 64);
        assert!(allow(Some(100 << 20), 1, 1 << 20).unwrap_err().message().contains("at least 157 MiB"));
        assert_eq!(allow(None, 3, 0).unwrap().pressure_bytes, None);
    }
}
