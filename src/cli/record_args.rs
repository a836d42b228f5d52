//! What a user types for `replay` and `log`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::args::ResourceArgs;

/// `tallow replay`
///
/// The manifest of a data set holds the options, the digests of inputs and model, and the digest of
/// every part. The run is done again in a temporary directory, and each part is compared with the
/// manifest and with the file. Nothing of the data set is changed. Exit code 3: an input, the model
/// or tallow itself is another one; 6: bytes differ.
#[derive(Clone, Debug, Args)]
pub struct ReplayArgs {
    /// The data set, as `tallow score --output DIR/` wrote it
    #[arg(value_name = "DIR", required = true)]
    pub directory: PathBuf,
    /// Put the scores of the replay below this directory [default: the temporary directory]
    ///
    /// They are removed afterwards.
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// `tallow explain`
///
/// The row is read and scored again, with the options of the data set's manifest. The model and the
/// input must have the digests that the manifest records. Values of the row are shown: that is what
/// is asked for.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("rows").required(true))]
pub struct ExplainArgs {
    /// The data set, as `tallow score --output DIR/` wrote it
    #[arg(value_name = "DIR", required = true)]
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
}
