//! What happened: facts about a run in long form, one row a fact, for Parquet, JSON and the terminal.
//!
//! Owns what is gathered while rows pass and how it is put together. What is gathered is a pure function of the rows: each part is
//! observed batch by batch on any thread and merged in any order, and comes out the same to the last byte. It must not know models or
//! formats of tables, and it prints nothing itself.

pub mod distribution;
pub mod exact_sum;
pub mod labels;
pub mod quantile_sketch;
