//! What is scored by what: model, inputs, binding, answers, resources.
//!
//! Owns the options that `score` and `check` share. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use super::challenger::Challengers;
use super::rows::Rows;
use super::signature::TrustRequest;
use super::text::TextModel;
use crate::package::Resolved;
use crate::storage::Location;

/// Model, data and how columns are bound: what `score` and `check` share.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Work {
    /// The model: a file, a directory, or a name in a registry
    pub model: Location,
    /// The registry of models that names are looked up in
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Location>,
    /// The time at which the registry's aliases are looked up
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Whose signature the model must have
    #[serde(flatten)]
    pub trust: TrustRequest,
    /// The version that a name led to; `model` is the path of its files then
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Resolved>,
    /// The data: files, globs and directories, read in this order
    pub inputs: Vec<Location>,
    /// How columns meet the model
    #[serde(flatten)]
    pub binding: Binding,
    /// Which rows, and how text is read
    #[serde(flatten)]
    pub rows: Rows,
    /// What rows should be like
    #[serde(flatten)]
    pub quality: Quality,
    /// What comes out
    #[serde(flatten)]
    pub outcome: Prediction,
    /// Text models
    #[serde(flatten)]
    pub text: TextModel,
    /// Further models
    #[serde(flatten)]
    pub challengers: Challengers,
    /// Resources
    #[serde(flatten)]
    pub resources: Resources,
}

/// How columns meet the model.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Binding {
    /// Read the data's column FROM as TO; may be repeated
    pub rename: Vec<String>,
    /// Columns that feed the model, in its order: `a,b,c` or `/regex/`
    #[serde(deserialize_with = "one_or_several")]
    pub features: Option<Vec<String>>,
    /// The axis of an ONNX input that counts rows, from 0: `x=1`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows_axis: Vec<String>,
    /// Missing values: error, reject, null or a number
    pub on_null: Vec<String>,
    /// Unseen categories and values that do not fit: as `--on-null`
    pub on_unseen: Vec<String>,
    /// Columns added to the margin: `base_margin`, `init_score`, `baseline`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offset: Vec<String>,
}

/// What rows should be like.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Quality {
    /// A condition on rows: `[NAME:] EXPRESSION[; mostly=SHARE][; on-fail=…]`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<String>,
    /// How many rows that do not meet a rule are named in the report
    #[serde(skip_serializing_if = "is_zero")]
    pub rule_examples: usize,
    /// What labelled rows of the same model showed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<Location>,
    /// The column of what a loss model expects of each row
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_column: Option<String>,
    /// The digest of the reference of a recorded run, which is not read again
    #[serde(skip)]
    pub reference_digest: Option<String>,
    /// Whether no rule is applied, not even the package's: to rows that are not the user's data
    #[serde(skip)]
    pub is_off: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Prediction {
    /// Columns to pass through [default: all that are not features]
    pub passthrough: Option<Vec<String>>,
    /// Also write the raw score before the link, as `margin`
    pub raw: bool,
    /// Minimum probability of the positive class [default: the model's, else 0.5]
    pub threshold: Option<f64>,
    /// Add CatBoost's uncertainty, from N virtual ensembles
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_ensembles: Option<usize>,
    /// Trees to use: `library`, `best`, `all` or a number of rounds [default: library]
    pub trees: Option<String>,
    /// Columns of the data whose values are hashed in outputs
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash_columns: Vec<String>,
    /// Columns of the data that outputs do not have
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drop_columns: Vec<String>,
}

/// Resources.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Resources {
    /// Worker threads [default: the available CPUs]
    pub threads: Option<usize>,
    /// Maximum rows per batch; does not change the output
    pub batch_rows: Option<usize>,
    /// Maximum memory, such as `1GiB`
    pub memory: Option<String>,
    /// Allow messages and logs to contain the value that stops a run
    pub show_values: bool,
}

/// A text, as manifests of earlier versions hold it, or several.
fn one_or_several<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    Ok(
        Option::<Texts>::deserialize(deserializer)?.map(|texts| match texts {
            Texts::One(text) => vec![text],
            Texts::Several(texts) => texts,
        }),
    )
}
