//! Results that last: files that appear whole, data sets that can be resumed, rejected rows that
//! can be corrected.
//!
//! Owns where rows go once they are scored: one file, or a directory of parts with a manifest, and
//! the rejected rows alongside either. A run that is killed leaves nothing half-written under a
//! name that anybody reads, and a data set goes on where it stopped. It must not know models or how
//! rows are scored.

pub mod checkpoint;
pub mod corrected;
pub mod correction_origin;
pub mod dataset;
pub mod file;
pub mod identity;
pub mod manifest;
pub mod names;
pub mod observed;
pub mod partition;
pub mod profile;
pub mod publication;
pub mod quarantine;
pub mod reading;
pub mod records;
pub mod report;
pub mod table_writer;
pub mod withheld;
