//! Graphs of operators, as ONNX files hold them: tensors in, tensors out, on one thread.
//!
//! Owns the values, the operators and the order of execution. Every operator is written here: attributes are read when the graph is built,
//! constants are folded, values are dropped after their last use. It must not know file formats, tables or columns.

mod activation;
pub mod answer;
pub mod arrays;
mod assembly;
mod attention;
mod broadcast;
pub mod build;
mod category;
mod column;
mod control;
mod conversion;
mod convolution;
pub mod element;
mod elementwise;
pub mod feed;
mod fuse;
mod gather;
mod gelu;
mod grid;
mod ir;
mod join;
#[cfg(test)]
mod join_tests;
mod layout;
mod logic;
mod loss;
mod ml_features;
mod ml_linear;
mod ml_scores;
mod ml_trees;
mod ml_trees_read;
mod movement;
mod normalization;
pub mod operator;
mod pooling;
mod probe;
mod product;
mod quantised;
mod recurrent;
mod recurrent_exact;
mod recurrent_gate;
mod recurrent_packed;
#[cfg(test)]
mod recurrent_tests;
mod reduction;
mod region;
pub mod registry;
mod resize;
mod selection;
mod sequence;
mod shape;
mod spectrum;
pub mod table;
pub mod tensor;
#[cfg(test)]
mod tests;
mod text;
pub mod value;
mod vectors;
mod window;

pub use ir::{Graph, ValueId};
pub use tensor::{ElementType, Tensor};
pub use value::Value;
