//! The arm that answers one row, for explanations.

use arrow::array::RecordBatch;

use super::{Arm, Arms};
use crate::error::{Error, Result};

impl Arms {
    /// The arm that answers the only row of a batch, its index, and the row as the arm reads it.
    /// The first `read_count` columns are those that were read.
    ///
    /// # Errors
    /// As for a portion's rows.
    pub fn of_row(
        &self,
        row: &RecordBatch,
        read_count: usize,
    ) -> Result<(usize, &Arm, RecordBatch)> {
        let arm = |index: usize| {
            let arm = self.arms.get(index);
            arm.ok_or_else(|| Error::internal("a row of no arm"))
        };
        if self.split.is_none() {
            return Ok((0, arm(0)?, row.clone()));
        }
        let rows = self.rows(row, read_count, None)?;
        let mut own = rows.into_iter().enumerate();
        let own = own.find(|(_, rows)| !rows.positions.is_empty());
        let (index, rows) = own.ok_or_else(|| Error::internal("a row of no arm"))?;
        Ok((index, arm(index)?, rows.batch))
    }
}
