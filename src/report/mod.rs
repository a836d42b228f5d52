//! What happened: facts in long form, as a Parquet table, as one JSON line, as a summary for
//! people.
//!
//! One row is one fact (section, subject, metric, value, unit), so that a year of reports is one
//! table. Facts are aggregates; no value of a row ever gets here. Rendering gives text and bytes;
//! who prints or writes them is not known here.

pub mod drift;
pub mod evaluation;
pub mod facts;
pub mod json;
pub mod lineage;
pub mod metrics;
pub mod previous;
pub mod run;
pub mod scores;
pub mod stored;
pub mod summary;

pub use facts::{Fact, Value};
