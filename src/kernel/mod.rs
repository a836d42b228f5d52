//! Arithmetic on the processor's widest vectors: products with matrices that never change, and
//! convolutions.
//!
//! Must not know layers, graphs or columns.

pub mod convolution;
pub mod processor;
pub mod product;
