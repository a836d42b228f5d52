//! What is asked of `pack`.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// A model to make a package of.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Pack {
    /// The model: a file, a directory, an MLflow model or a package
    pub model: Location,
    /// The package's directory
    pub output: Location,
    /// The model's name [default: the model's own]
    pub name: Option<String>,
    /// The model's version
    pub model_version: Option<String>,
    /// Names for the features of a model without names, in its order
    pub features: Option<Vec<String>>,
    /// Training data: column types and the baseline profile are learnt from it
    pub data: Vec<Location>,
    /// Rows from which golden rows are sampled
    pub golden: Vec<Location>,
    /// The number of golden rows
    pub golden_rows: usize,
    /// The column of the golden rows that holds the original library's answers, as
    /// `COLUMN[=OUTPUT]`
    pub original: Option<String>,
    /// How well the model did on labelled rows
    pub reference: Option<Location>,
    /// Rules for the rows that the model scores
    pub rules: Vec<String>,
    /// Gates that an evaluation must pass before the model is promoted
    pub gates: Vec<String>,
    /// A model card whose text is kept
    pub card: Option<Location>,
    /// Sign the package with this private key
    pub sign_key: Option<Location>,
    /// The key's certificate and those above it
    pub certificates: Vec<Location>,
    /// Replace an existing package
    pub overwrite: bool,
}
