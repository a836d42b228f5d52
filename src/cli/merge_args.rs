//! What a user types for `merge`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::paths::locations;
use crate::request::merging::Merging;

/// `tallow merge`
///
/// The result is, byte for byte, the profile of one pass over all their data, whatever the order
/// of the profiles.
#[derive(Clone, Debug, Args)]
pub struct MergeArgs {
    /// Profiles of parts of the data: files and globs
    #[arg(value_name = "PROFILE", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Write the joined profile here, as Parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    pub overwrite: bool,
}

impl From<MergeArgs> for Merging {
    fn from(args: MergeArgs) -> Self {
        let MergeArgs {
            inputs,
            output,
            overwrite,
        } = args;
        Self {
            inputs: locations(inputs),
            output: output.into(),
            overwrite,
        }
    }
}
