//! Sweeps: the same promise tried at many moments, seeds and settings. Short in every test run;
//! `TALLOW_SWEEP_SECONDS=600` gives each sweep ten minutes, and `TALLOW_SWEEP_SEED=n` begins at
//! another seed.
//!
//! Faults (a full disk, an I/O error, an interrupted call at the k-th file operation) are swept
//! where the hook for them is, in the unit tests of `src/cli/failing_disk.rs` (outputs) and
//! `src/cli/failing_input.rs` (streamed inputs and short reads): with `TALLOW_SWEEP_SECONDS` every
//! operation fails in every way.

mod determinism;
mod kills;
mod registry_kills;
mod version_kills;

use std::time::{Duration, Instant};

use crate::mutation::Generator;

/// How long a sweep goes on, and where it begins.
pub(crate) struct Sweep {
    end: Option<Instant>,
    left: u64,
    seed: u64,
}

impl Sweep {
    /// A sweep of `count` tries, or of as many as there are seconds for.
    pub(crate) fn new(count: u64) -> Self {
        let number = |name: &str| {
            std::env::var(name)
                .ok()
                .map(|text| text.parse::<u64>().expect("a number"))
        };
        let end = number("TALLOW_SWEEP_SECONDS")
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        Self {
            end,
            left: count,
            seed: number("TALLOW_SWEEP_SEED").unwrap_or(0),
        }
    }
}

impl Iterator for Sweep {
    type Item = (u64, Generator);

    /// The next seed and its generator.
    fn next(&mut self) -> Option<Self::Item> {
        let goes_on = self.end.map_or(self.left > 0, |end| Instant::now() < end);
        self.left = self.left.saturating_sub(1);
        self.seed += 1;
        goes_on.then(|| (self.seed, Generator::new(self.seed)))
    }
}
