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
    /// Publish the scored rows as well
    Publish,
}

/// What to do with a file that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadFile {
    /// Stop the run
    #[default]
    Fail,
    /// Skip the whole file and report it; every file is read once in advance
    Skip,
}

/// The format of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Apache Parquet, zstd
    Parquet,
    /// Comma-separated values with a header
    Csv,
}
