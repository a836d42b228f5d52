//! What a user types about challengers and A/B tests: clap derives only. The doc comments are the
//! manual.

use std::path::PathBuf;

use clap::Args;

/// Challengers, and the rows that they answer.
#[derive(Clone, Debug, Default, Args)]
pub struct ChallengerArgs {
    /// Also score the rows with this model; may be repeated
    ///
    /// A file, a directory, or `NAME@ALIAS` with `--registry`. The data is read once. The answers
    /// go to `OUTPUT.challengers/NAME.pq`, or for a data set to a data set
    /// `OUTPUT.challengers/NAME/`. NAME is the model's file name, unless `NAME=MODEL` says
    /// otherwise. A challenger never changes the output: one that fails is dropped, and the report
    /// says why.
    #[arg(long, value_name = "[NAME=]MODEL", help_heading = "Challengers")]
    pub challenger: Vec<PathBuf>,
    /// Drop a challenger whose work takes longer: `20m`, `2h`
    ///
    /// Work is the time that all threads spend on the challenger, added up: `8m` are over after a
    /// minute if eight threads wait for it. [default: ten times the work of the model itself, and
    /// at least 60s]
    #[arg(long, value_name = "SPAN", help_heading = "Challengers")]
    pub challenger_time: Option<String>,
    /// Drop a challenger that does not fit into this memory, such as `2GiB`
    ///
    /// All challengers share it. [default: half of what the model leaves of `--memory`, or of half
    /// of the machine's memory]
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Challengers"
    )]
    pub challenger_memory: Option<String>,
    /// A/B test: let this challenger answer a share of the rows: `NAME=10%`
    ///
    /// Each row is answered by one model, which the columns `model` and `model_version` name. Every
    /// challenger needs a share; the model itself answers the rest.
    #[arg(
        long,
        value_name = "NAME=SHARE",
        requires = "challenger",
        help_heading = "Challengers"
    )]
    pub split: Vec<String>,
    /// The key that decides which model answers a row, such as `customer_id`
    ///
    /// Rows with the same key have the same model, in every run. `tallow guide life-cycle` has the
    /// hash. Rows without a key (null, NaN or empty) are answered by the model itself.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Challengers"
    )]
    pub split_by: Vec<String>,
    /// A word that makes this split independent of others by the same key
    #[arg(
        long,
        value_name = "WORD",
        allow_hyphen_values = true,
        help_heading = "Challengers"
    )]
    pub split_salt: Option<String>,
}
