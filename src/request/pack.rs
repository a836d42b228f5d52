//! What is asked of `pack`.
//!
//! Owns these options. It must not know how they are typed or checked.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A model to make a package of.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Pack {
    /// The model: a file, a directory, an MLflow model or a package
    #[serde(with = "crate::path_text")]
    pub model: PathBuf,
    /// The package's directory
    #[serde(with = "crate::path_text")]
    pub output: PathBuf,
    /// The model's name [default: the model's own]
    pub name: Option<String>,
    /// The model's version
    pub model_version: Option<String>,
    /// Names for the features of a model without names, in its order
    pub features: Option<Vec<String>>,
    /// Training data: column types and the baseline profile are learnt from it
    #[serde(with = "crate::path_text::list")]
    pub data: Vec<PathBuf>,
    /// Rows from which golden rows are sampled
    #[serde(with = "crate::path_text::list")]
    pub golden: Vec<PathBuf>,
    /// The number of golden rows
    pub golden_rows: usize,
    /// The column of the golden rows that holds the original library's answers, as
    /// `COLUMN[=OUTPUT]`
    pub original: Option<String>,
    /// Gates that an evaluation must pass before the model is promoted
    pub gates: Vec<String>,
    /// A model card whose text is kept
    #[serde(with = "crate::path_text::option")]
    pub card: Option<PathBuf>,
    /// Sign the package with this private key
    #[serde(with = "crate::path_text::option")]
    pub sign_key: Option<PathBuf>,
    /// The key's certificate and those above it
    #[serde(with = "crate::path_text::list")]
    pub certificates: Vec<PathBuf>,
    /// Replace an existing package
    pub overwrite: bool,
}
