//! What a user types for `replay` and `log`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::key_args::{DecryptionArgs, MovedKeyArgs};
use super::work_args::ResourceArgs;

/// `tallow replay`
///
/// The manifest of a data set holds the options, the digests of inputs and model, and the digest of
/// every part; the report of a single output holds the same of one file. The run is done again in a
/// temporary directory, and each file is compared with the record and with what is there. The
/// output is not changed. Exit code 3: an input, the model or tallow itself is another one; 6:
/// bytes differ.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The data set or output, as `tallow score` wrote it
    #[arg(value_name = "OUTPUT", required = true)]
    pub directory: PathBuf,
    /// Put the scores of the replay below this directory [default: the temporary directory]
    ///
    /// They are removed afterwards.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Keys of encrypted files [default: those of the run]
    #[command(flatten)]
    pub keys: DecryptionArgs,
    /// Keys of the output [default: those of the run]
    #[command(flatten)]
    pub moved_keys: MovedKeyArgs,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// `tallow explain`
///
/// The row is read and scored again, with the options that the run recorded. The model and the
/// input must be those of the run. Values of the row are shown: that is what is asked for.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("rows").required(true))]
pub struct ExplainArgs {
    /// The data set or output, as `tallow score` wrote it
    #[arg(value_name = "OUTPUT", required = true)]
    pub directory: PathBuf,
    /// The number of a row of the input, from 1, through all files
    #[arg(long, value_name = "N", group = "rows")]
    pub row: Option<u64>,
    /// Rows that satisfy this SQL expression, such as `customer_id = 'C-00021'`
    #[arg(long = "where", value_name = "SQL", group = "rows")]
    pub filter: Option<String>,
    /// Show at most N rows [default: 10]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        hide_default_value = true
    )]
    pub max_rows: usize,
    /// Keys of encrypted files [default: those of the run]
    #[command(flatten)]
    pub keys: DecryptionArgs,
}

/// `tallow log`
///
/// One line for each run, the oldest first. A data set's manifest says who ran it; a report says
/// how each run ended.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Data sets, outputs or reports
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Keys of encrypted outputs
    #[command(flatten)]
    pub keys: DecryptionArgs,
}
