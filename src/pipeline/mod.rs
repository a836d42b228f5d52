//! Moving the rows: bounded read, parallel score, ordered write.
//!
//! The only room that starts threads. Portions are numbered as they are handed out; any worker
//! decodes, filters, encodes and scores one; of the scoring, workers that have nothing else to do
//! take blocks of rows; results are put back in order and delivered one at a time, by whichever
//! worker finds the next number ready. So N threads are N threads, the output is the input's order,
//! and nothing depends on who was faster. Rows are counted in parts, whose borders depend on the
//! input alone: what a run may resume from. Where results go is a [`Receiver`]'s business.
//!
//! Statistics are taken by observers on the workers (see [`observer`]) and merged at delivery, in
//! the order of the input, so that they cost no lock and no byte depends on threads; large ones are
//! gathered by part and worker (see [`gathering`]). A job has
//! [`arm`]s, whose answers are the output: one model in an ordinary run. Its [`challenger`]s score
//! the same rows, and what comes of them goes elsewhere.

mod apart;
pub mod arm;
pub mod budget;
pub mod challenger;
pub mod correction;
mod cut;
mod gathering;
pub mod job;
pub mod lane;
pub mod ledger;
pub mod mask;
mod model_output;
pub mod observer;
mod ordered;
pub mod part;
mod pieces;
mod portion_work;
mod refused;
pub mod rule;
pub mod run;
pub mod scorer;
pub mod scoring;
pub mod selection;
pub mod split;
pub mod stage;
pub mod verification;
mod work_clock;

pub use job::Job;
pub use run::{Control, Input, Outcomes, Receiver, run};
