//! The end of a portion in which the run stops, left out.
//!
//! Owns that rows behind the row which exceeded the error budget count as not read, so that the
//! account of a stopped run adds up whatever the size of portions. It must not know budgets.

use super::job::{Finished, Job};
use super::observer::{Partials, observe_scores};
use crate::error::Result;

impl Finished {
    /// Keeps the rows up to the last of `count` rejections. Observers that need more than scores
    /// see nothing of a portion that is cut.
    ///
    /// # Errors
    /// An observer's failure.
    pub(super) fn cut(&mut self, job: &Job, count: usize) -> Result<()> {
        self.rejections.truncate(count);
        let (rows_in, kept) = self.rejections.last().map_or((0, 0), |last| {
            (last.number - self.first_row, last.row as u64 + 1)
        });
        (self.rows_in, self.filtered) = (rows_in, rows_in - kept);
        let scored = kept as usize - self.rejections.len();
        self.output = self.output.slice(0, scored);
        let scores = &self.output.columns()[job.passthrough.len()..];
        let seen = job.observers.iter().map(|observer| {
            if observer.needs_only_scores() {
                observe_scores(&**observer, &job.read_schema, scores)
            } else {
                Ok(observer.empty())
            }
        });
        self.seen = Partials::new(seen.collect::<Result<_>>()?);
        Ok(())
    }
}
