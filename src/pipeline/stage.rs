//! Time spent in each stage, added up over all workers.

use std::time::{Duration, Instant};

/// The stages that a batch passes, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading and decoding.
    Read,
    /// Filters and derived columns.
    Query,
    /// Columns to numbers.
    Encode,
    /// Numbers to margins.
    Score,
    /// Margins to columns, and their statistics.
    Finish,
    /// Encoding and writing of the output.
    Write,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 6] = [
        Self::Read,
        Self::Query,
        Self::Encode,
        Self::Score,
        Self::Finish,
        Self::Write,
    ];

    /// The name in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Query => "query",
            Self::Encode => "encode",
            Self::Score => "score",
            Self::Finish => "finish",
            Self::Write => "write",
        }
    }
}

/// Seconds of work per stage; with several workers they add up to more than the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes([Duration; 6]);

impl StageTimes {
    /// Runs `work` and books its time on `stage`.
    pub fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0[stage as usize] += start.elapsed();
        result
    }

    /// Adds another batch's times.
    pub fn add(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(sum, time)| *sum += time);
    }

    /// The time of one stage.
    #[must_use]
    pub fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }
}
