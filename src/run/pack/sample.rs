//! A sample of rows that depends on the rows' positions alone.
//!
//! Owns the choice: the rows whose positions have the smallest hashes. Batches of any size give the
//! same sample. It must not know what is in the rows.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;

use crate::error::{Error, Result};

/// Rows so far.
#[derive(Debug)]
pub(super) struct Sample {
    limit: usize,
    seen: u64,
    /// The rows that are kept, by their hashes: each with its position and as a batch of its own.
    kept: BTreeMap<u64, (u64, RecordBatch)>,
}

impl Sample {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            seen: 0,
            kept: BTreeMap::new(),
        }
    }

    /// The next rows.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        for row in 0..batch.num_rows() as u64 {
            let (position, hash) = (self.seen, hash(self.seen));
            self.seen += 1;
            let is_full = self.kept.len() >= self.limit;
            if is_full
                && self
                    .kept
                    .last_key_value()
                    .is_none_or(|(last, _)| *last < hash)
            {
                continue;
            }
            // A copy: a slice would hold the whole batch in memory.
            let own = take_record_batch(batch, &UInt64Array::from(vec![row])).map_err(|error| {
                Error::internal("a row that is not in its batch").because(error)
            })?;
            self.kept.insert(hash, (position, own));
            if is_full {
                self.kept.pop_last();
            }
        }
        Ok(())
    }

    /// The sampled rows, in the order of the table.
    pub(super) fn finish(self, schema: &SchemaRef) -> Result<RecordBatch> {
        let mut rows: Vec<(u64, RecordBatch)> = self.kept.into_values().collect();
        rows.sort_by_key(|(position, _)| *position);
        let batches: Vec<RecordBatch> = rows.into_iter().map(|(_, row)| row).collect();
        let schema = batches
            .first()
            .map_or_else(|| schema.clone(), RecordBatch::schema);
        concat_batches(&schema, &batches)
            .map_err(|error| Error::internal("rows of different columns").because(error))
    }
}

/// `SplitMix64`'s finalizer (Steele, Lea and Flood, 2014), a bijection: no two positions share a
/// hash.
fn hash(position: u64) -> u64 {
    let mut mixed = position.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn sampled(limit: usize, count: i64, batch_rows: usize) -> Vec<i64> {
        let column = Int64Array::from_iter_values(0..count);
        let batch = RecordBatch::try_from_iter([("n", Arc::new(column) as _)]).unwrap();
        let mut sample = Sample::new(limit);
        for start in (0..count as usize).step_by(batch_rows) {
            let rows = batch_rows.min(count as usize - start);
            sample.add(&batch.slice(start, rows)).unwrap();
        }
        let rows = sample.finish(&batch.schema()).unwrap();
        rows.column(0).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn a_sample_does_not_depend_on_batches_and_keeps_the_order() {
        let whole = sampled(20, 10_000, 10_000);
        assert_eq!(whole.len(), 20);
        assert!(whole.is_sorted());
        assert!(
            whole[19] > 5_000 && whole[0] < 5_000,
            "spread over the table: {whole:?}"
        );
        for batch_rows in [1, 7, 4096] {
            assert_eq!(sampled(20, 10_000, batch_rows), whole);
        }
        assert_eq!(sampled(20, 5, 2), [0, 1, 2, 3, 4]);
        assert_eq!(sampled(20, 0, 1), [0_i64; 0]);
        // Rows that are added at the end change only what they displace.
        let more = sampled(20, 10_500, 10_500);
        assert!(whole.iter().filter(|row| more.contains(row)).count() >= 15);
    }
}
