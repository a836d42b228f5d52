//! Arithmetic on the processor's widest vectors: products with matrices that never change,
//! convolutions and layer norms; what is counted of a column's numbers, and where bytes of a text
//! are.
//!
//! Must not know layers, graphs or columns.

pub mod cells;
pub mod convolution;
pub mod needles;
pub(crate) mod norm;
pub mod processor;
pub mod product;
pub mod tally;
#[cfg(target_arch = "x86_64")]
mod tally_avx2;
