//! Graphs of operators, as ONNX files hold them: tensors in, tensors out, on one thread.
//!
//! Owns the values, the operators and the order of execution. Every operator is written here:
//! attributes are read when the graph is built, constants are folded, values are dropped after
//! their last use. It must not know file formats, tables or columns.
//!
//! # Why an engine of our own
//!
//! candle-onnx gives wrong results and has no `ai.onnx.ml`. `rten` is pure Rust, fused and has
//! AVX-512 kernels, but no `ai.onnx.ml` either, and turns doubles into single precision and 64-bit
//! integers into 32 bits. ONNX Runtime is C++. What a table needs (operators over columns,
//! texts, 64-bit integers, doubles) had to be written whichever engine ran the rest; the rest was
//! decided by time. Processor seconds on one thread in November 2026 (Sapphire Rapids, shared
//! machine, medians of three runs in turn, batches of 256 rows): of rten 0.27 with packed weights
//! and ONNX Runtime 1.31 the session alone, of tallow the whole process with reading, binding and
//! writing; before are the same operators written plainly.
//!
//! | network | rows | before | rten | ONNX Runtime | tallow |
//! |---|---|---|---|---|---|
//! | ResNet-18 of 32 to 256 channels over 3 × 32 × 32 | 1 000 | 4.8 | 3.54 | 1.54 | 1.67 |
//! | inverted residuals, as `MobileNet` has, over 3 × 32 × 32 | 2 000 | 7.7 | 5.99 | 1.56 | 1.32 |
//! | LSTM, two layers of 64, 50 steps of 16 | 10 000 | 7.8 | 1.03 | 0.54 | 0.63 |
//! | GRU, the same | 10 000 | 5.5 | 0.66 | 0.62 | 0.47 |
//! | transformer, two layers of 128, 32 tokens | 4 000 | 2.7 | 1.32 | 1.06 | 0.98 |
//! | FT-Transformer, three layers of 64, 24 columns | 10 000 | | 2.04 | 1.18 | 1.20 |
//!
//! The answers differ from ONNX Runtime's by less than 1e-6. What made the difference: convolutions
//! without a matrix of windows ([`crate::kernel::convolution`]), recurrent layers whose rows take
//! each step together ([`recurrent`](op::recurrent)), groups of rows whose values stay in the
//! second-level cache ([`probe`]; memory of the transformer 906 to 103 MB), chains of dense layers
//! on packed products ([`fuse`](pass::fuse)) that take in GELU where it is written out
//! ([`gelu`](pass::gelu)), softmax and norms on vectors ([`vectors`](op::vectors)), small products
//! on packed matrices ([`product`](op::product)).

pub mod answer;
pub mod arrays;
pub mod build;
mod cast;
pub mod element;
mod entry;
pub mod feed;
mod follow;
mod fuel;
mod ir;
pub mod known;
mod layout;
pub mod lists;
mod op;
mod operand;
pub mod operator;
mod pass;
mod probe;
#[cfg(test)]
mod probe_tests;
pub(crate) mod registry;
pub mod table;
pub mod tensor;
#[cfg(test)]
mod tests;
pub mod value;
mod widening;

pub use ir::Graph;
pub use probe::Following;
pub use tensor::{ElementType, Tensor};
pub use value::{Value, ValueId};
