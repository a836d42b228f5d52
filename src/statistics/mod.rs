//! Statistics of values that are the same for any order, cut or merge.
//!
//! Owns exact sums, quantile sketches, distributions and counts of labels. Each can be merged with
//! another one of the same kind, and written to bytes and read back: parts of a run and shards are
//! added up later. It must not know columns, rows or files.

mod buckets;
pub mod bytes;
pub mod categories;
pub mod distinct;
pub mod distribution;
pub mod exact_sum;
pub mod hash;
pub mod labels;
pub mod quantile_sketch;
