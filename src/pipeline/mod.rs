//! Moving the rows: bounded read, parallel score, ordered write.
//!
//! The only room that starts threads. Portions are numbered as they are handed out; any worker decodes, filters, encodes and scores
//! one on its own, serially; results are put back in order and delivered one at a time, by whichever worker finds the next number
//! ready. So N threads are N threads, the output is the input's order, and nothing depends on who was faster.
//!
//! Doors left open: [`Job::scoring`] is one model's work on a decoded batch (a champion and its challengers would be several);
//! statistics are taken at delivery, in row order, so they cost no lock and no byte depends on threads.

pub mod job;
pub mod ledger;
mod ordered;
pub mod scoring;
pub mod selection;
pub mod stage;

pub use job::{Job, Outcomes, run};
