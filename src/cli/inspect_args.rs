//! Arguments of `tallow inspect`: flags that clap derives.

use std::path::PathBuf;

use clap::Args;

use super::dialect_args::DialectArgs;

/// `tallow inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// A model or package, a table or a directory of tables, a data set, or a report
    #[arg(value_name = "PATH", required = true)]
    pub path: PathBuf,
    /// Trees to count, as `tallow score --trees`
    #[arg(long, value_name = "library|best|all|N")]
    pub trees: Option<String>,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}
