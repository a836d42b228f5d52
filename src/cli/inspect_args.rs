//! Arguments of `tallow inspect`: flags that clap derives.

use std::path::PathBuf;

use clap::Args;

use super::dialect_args::DialectArgs;
use super::registry_args::LookupArgs;
use crate::request::inspection::Inspection;
use crate::storage::Location;

/// `tallow inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// A model, a package, tables, a data set, a report, or a model's name in a registry
    #[arg(value_name = "PATH", required = true)]
    pub path: PathBuf,
    /// Trees to count, as `tallow score --trees`
    #[arg(long, value_name = "library|best|all|N")]
    pub trees: Option<String>,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
    /// Where names of models are looked up
    #[command(flatten)]
    pub lookup: LookupArgs,
}

impl From<InspectArgs> for Inspection {
    fn from(args: InspectArgs) -> Self {
        let InspectArgs {
            path,
            trees,
            text,
            lookup,
        } = args;
        Self {
            path: path.into(),
            registry: lookup.registry.map(Location::from),
            trees,
            text: text.into(),
        }
    }
}
