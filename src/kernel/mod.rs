//! Arithmetic on the processor's widest vectors: products with matrices that never change,
//! convolutions and layer norms.
//!
//! Must not know layers, graphs or columns.

pub mod convolution;
pub(crate) mod norm;
pub mod processor;
pub mod product;
