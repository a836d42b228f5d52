//! What is done to a graph before it runs: operators written out as several of `ai.onnx`, chains of
//! layers joined, tables of columns recognised.
//!
//! Must not know files or tables.

pub(crate) mod assembly;
pub(crate) mod column;
pub(crate) mod expansion;
pub(crate) mod expansion_quantised;
pub(crate) mod fuse;
pub(crate) mod gelu;
pub(crate) mod join;
#[cfg(test)]
pub(crate) mod join_tests;
pub(crate) mod role;
pub(crate) mod role_chain;
pub(crate) mod role_column;
pub(crate) mod role_joint;
pub(crate) mod writer;
