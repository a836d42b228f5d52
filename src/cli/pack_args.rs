//! Arguments of `tallow pack`: clap derives only.

use std::path::PathBuf;

use clap::Args;

use super::key_args::DecryptionArgs;
use super::paths::locations;
use crate::request::pack::Pack;
use crate::storage::Location;

/// `tallow pack`
///
/// A package is a directory: the model, a manifest (`tallow.toml`) with digests and column types,
/// golden rows, a baseline profile and a model card (`README.md`). The same inputs give the same
/// bytes.
#[derive(Clone, Debug, Args)]
pub struct PackArgs {
    /// The model: a file, a directory, an MLflow model or a package
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// The package's directory
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// The model's name [default: the model's own]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The model's version
    #[arg(long, value_name = "TEXT")]
    pub model_version: Option<String>,
    /// Names for the features of a model that has none, in its order; of a graph: `x=a,b`
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub features: Option<Vec<String>>,
    /// Training data, for column types and the baseline profile; may be repeated
    #[arg(long, value_name = "PATH")]
    pub data: Vec<PathBuf>,
    /// Take golden rows from this table; may be repeated
    ///
    /// The package holds the values of these rows in the columns that the model reads, and this
    /// machine's answers. `tallow check` scores them again.
    #[arg(long, value_name = "PATH")]
    pub golden: Vec<PathBuf>,
    /// Number of golden rows
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub golden_rows: usize,
    /// The column of the golden rows with the original library's answers
    ///
    /// They are compared with this machine's (exit 3 if they differ) and kept in the package.
    /// OUTPUT is the output column that they belong to [default: `probability`, or the first].
    #[arg(long, value_name = "COLUMN[=OUTPUT]")]
    pub original: Option<String>,
    /// How well the model did on labelled rows: a file of `evaluate --save-reference`
    ///
    /// `tallow score` then estimates how well it does before labels come, as with `--reference`.
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// A condition on the rows to be scored, as `score --rule` has it; may be repeated
    #[arg(long = "rule", value_name = "RULE", allow_hyphen_values = true)]
    pub rules: Vec<String>,
    /// A condition for `tallow registry promote`, such as `roc_auc >= 0.75`; may be repeated
    #[arg(long = "gate", value_name = "EXPRESSION")]
    pub gates: Vec<String>,
    /// A model card whose text is kept [default: the `README.md` of the earlier package]
    #[arg(long, value_name = "FILE.md")]
    pub card: Option<PathBuf>,
    /// Sign the package with this private key
    #[arg(long, value_name = "KEY")]
    pub sign_key: Option<PathBuf>,
    /// The key's certificate, and those between it and an authority; may be repeated
    #[arg(long, value_name = "FILE", requires = "sign_key")]
    pub certificate: Vec<PathBuf>,
    /// Replace an existing package
    #[arg(long)]
    pub overwrite: bool,
    /// Keys of encrypted tables
    #[command(flatten)]
    pub keys: DecryptionArgs,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("write a number from 1 on".to_owned()),
    }
}

impl From<PackArgs> for Pack {
    fn from(args: PackArgs) -> Self {
        let PackArgs {
            model,
            output,
            name,
            model_version,
            features,
            data,
            golden,
            golden_rows,
            original,
            reference,
            rules,
            gates,
            card,
            sign_key,
            certificate,
            overwrite,
            keys: _,
        } = args;
        Self {
            model: model.into(),
            output: output.into(),
            name,
            model_version,
            features,
            data: locations(data),
            golden: locations(golden),
            golden_rows,
            original,
            reference: reference.map(Location::from),
            rules,
            gates,
            card: card.map(Location::from),
            sign_key: sign_key.map(Location::from),
            certificates: locations(certificate),
            overwrite,
        }
    }
}
