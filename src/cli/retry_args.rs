//! Arguments of `tallow retry`: flags that clap derives.

use std::path::PathBuf;

use clap::Args;

use super::dialect_args::FieldArgs;
use super::key_args::{DecryptionArgs, MovedKeyArgs};
use super::output_args::ObserverArgs;
use super::score_args::JobArgs;
use super::work_args::ResourceArgs;

/// `tallow retry`
///
/// The rejected rows are in the data set's `_tallow/rejected/`. Correct them there, or in a copy
/// named by `--corrected`. Keep the columns `rejected_file` and `rejected_row`: they say where each
/// row belongs. Parts without a corrected row are not touched. If no row was corrected, there is
/// nothing to do.
#[derive(Clone, Debug, Args)]
pub struct RetryArgs {
    /// A job file; the data set is its `output`
    #[command(flatten)]
    pub job: JobArgs,
    /// The data set, as `tallow score --output DIR/` wrote it
    #[arg(value_name = "DIR", required = true)]
    pub directory: PathBuf,
    /// Tables of corrected rows [default: the data set's `_tallow/rejected/`]
    ///
    /// Each row must be one that was rejected.
    #[arg(long, alias = "mended", value_name = "FILES")]
    pub corrected: Vec<PathBuf>,
    /// How they are written, where they are delimited text
    #[command(flatten)]
    pub text: FieldArgs,
    /// Keys of encrypted files [default: those of the run that made the data set]
    #[command(flatten)]
    pub keys: DecryptionArgs,
    /// Keys of the data set [default: those of the run that made it]
    #[command(flatten)]
    pub moved_keys: MovedKeyArgs,
    /// Exit with this code instead of 0 if no row was corrected
    ///
    /// Airflow skips on 99.
    #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
    pub skip_code: Option<u8>,
    /// Notifications: metrics, lineage and logs
    #[command(flatten)]
    pub observers: ObserverArgs,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}
