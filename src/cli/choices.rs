//! What a user may choose with a flag, by name: values that several verbs share.
//!
//! Owns the words of the choices. It must not know which flag takes them.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What to do with the output of a run that rejected too many rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnBudget {
    /// Publish nothing but the rejected rows
    #[default]
    Withhold,
    /// Publish it all the same
    Publish,
}

/// What to do with a file that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadFile {
    /// Stop the run
    #[default]
    Fail,
    /// Leave the whole file out and say so; every file is read once before, to know
    Skip,
}

/// The format of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Apache Parquet, zstd
    Parquet,
    /// Comma-separated text with a header
    Csv,
}
