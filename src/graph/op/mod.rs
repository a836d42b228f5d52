//! The operators, a file a family: what each makes of its inputs.
//!
//! Must not know how a graph is built of them or what is done to a graph before it runs.

pub(crate) mod activation;
pub(crate) mod attention;
pub(crate) mod block_quantised;
pub(crate) mod broadcast;
pub(crate) mod category;
pub(crate) mod control;
pub(crate) mod conversion;
pub(crate) mod convolution;
pub(crate) mod determinant;
pub(crate) mod einsum;
pub(crate) mod elementwise;
pub(crate) mod gather;
pub(crate) mod grid;
pub(crate) mod heads;
pub(crate) mod logic;
pub(crate) mod loss;
pub(crate) mod ml_categories;
pub(crate) mod ml_features;
pub(crate) mod ml_linear;
pub(crate) mod ml_scores;
pub(crate) mod ml_trees;
pub(crate) mod ml_trees_compact;
pub(crate) mod ml_trees_listed;
pub(crate) mod ml_trees_read;
pub(crate) mod ml_trees_vote;
pub(crate) mod movement;
pub(crate) mod normalization;
pub(crate) mod pooling;
pub(crate) mod power;
pub(crate) mod product;
pub(crate) mod quantised;
pub(crate) mod quantised_fused;
pub(crate) mod recurrent;
pub(crate) mod recurrent_exact;
pub(crate) mod recurrent_gate;
pub(crate) mod recurrent_packed;
#[cfg(test)]
pub(crate) mod recurrent_tests;
pub(crate) mod reduction;
pub(crate) mod region;
pub(crate) mod resize;
pub(crate) mod selection;
pub(crate) mod sequence;
pub(crate) mod shape;
pub(crate) mod spectrum;
pub(crate) mod text;
pub(crate) mod vectors;
pub(crate) mod window;
