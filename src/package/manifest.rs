//! The manifest as it is written: `tallow.toml`, key by key, with unknown keys refused.
//!
//! Owns the parse and the checks that need nothing but the text. It must not know models or disks:
//! the rest of [`super`] gives the words their meaning.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::input::{Derived, InputEntry};
use super::output::{Outputs, TaskName, unique};
use super::text::{self, TextEntry};
use crate::error::{Error, Result};
use crate::format::{GraphFeatures, RowsAxis};
use crate::network::Architecture;
use crate::storage::Location;
use crate::table::spelling::nearest;

/// All that a manifest may say; what it drops comes from the artefact.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The model's name, as reports and registries show it.
    pub name: String,
    /// The model's version, in the owner's own counting.
    pub version: Option<String>,
    /// What the model is for.
    pub task: Option<TaskName>,
    /// The model card: free text.
    pub description: Option<String>,
    /// The files of the package; the first one is the model. Of a text model its directory, or all
    /// files that are read of it.
    #[serde(default)]
    pub artefacts: Vec<ArtefactEntry>,
    /// What is known of inputs; for a network all of them, in the order of the first layer; for a
    /// text model the columns of texts.
    #[serde(default)]
    pub inputs: Vec<InputEntry>,
    /// Columns made of other columns before the inputs are bound.
    #[serde(default)]
    pub derived: Vec<Derived>,
    /// What the margins mean.
    #[serde(default)]
    pub outputs: Outputs,
    /// The layers, if the model is a dense network.
    pub network: Option<Architecture>,
    /// How columns meet the inputs of an ONNX graph.
    pub graph: Option<GraphEntry>,
    /// How texts are read and answered, if the model reads texts.
    pub text: Option<TextEntry>,
    /// Rows with known answers.
    pub golden: Option<Golden>,
    /// What the training data was like.
    pub baseline: Option<Baseline>,
    /// How well the model did on labelled rows.
    pub reference: Option<ReferenceEntry>,
    /// Conditions on the rows that the model scores.
    #[serde(default)]
    pub rules: Vec<RuleEntry>,
    /// Conditions on a run, without which its output is withheld, and on an evaluation, without
    /// which a registry does not promote the model.
    #[serde(default)]
    pub gates: Vec<GateEntry>,
    /// When a column has drifted.
    #[serde(default)]
    pub drift: DriftEntry,
}

/// Distances from which a column has drifted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftEntry {
    /// The Jensen–Shannon distance.
    pub max_js: Option<f64>,
    /// The Kolmogorov–Smirnov distance.
    pub max_ks: Option<f64>,
}

/// A condition on rows, on a column or on the table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    /// What reports call it; by default its expression.
    pub name: Option<String>,
    /// SQL over the columns of a row, or a short form such as `range(age, 0, 120)`.
    pub expression: String,
    /// The least share of rows that must meet it.
    #[serde(default = "all_rows")]
    pub mostly: f64,
    /// What happens if it does not hold.
    #[serde(default)]
    pub on_fail: OnFail,
}

impl RuleEntry {
    /// What reports call it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.expression)
    }
}

const fn all_rows() -> f64 {
    1.0
}

/// What happens if a rule does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFail {
    /// The report says so, and the run goes on.
    #[default]
    Warn,
    /// The rows that do not meet it are rejected.
    Reject,
    /// The output is withheld.
    Fail,
}

impl OnFail {
    /// As manifests write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Reject => "reject",
            Self::Fail => "fail",
        }
    }
}

/// A condition on the facts of a report.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateEntry {
    /// Such as `roc_auc >= 0.75`; only carried here.
    pub expression: String,
    /// What happens if it does not hold.
    #[serde(default)]
    pub level: GateLevel,
    /// What a scheduler should do then, such as `retrain`; only passed on.
    pub on_trip: Option<String>,
}

/// What happens if a gate does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateLevel {
    /// The command fails.
    #[default]
    Fail,
    /// The command warns.
    Warn,
}

/// What the training data was like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// A profile of it, from the package's directory.
    pub profile: Location,
}

/// How well the model did on labelled rows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceEntry {
    /// A file of `tallow evaluate --save-reference`, from the package's directory.
    pub performance: Location,
}

/// How columns meet the inputs of an ONNX graph.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphEntry {
    /// For each input named here, the columns that feed it, in the order of its values.
    #[serde(default)]
    pub features: BTreeMap<String, Vec<String>>,
    /// For each input named here, the axis that counts the rows, from 0, or `"none"` if it holds
    /// the values of one row.
    #[serde(default)]
    pub rows_axis: BTreeMap<String, AxisName>,
}

/// An axis of a graph's input.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "an axis is a number from 0 on, or \"none\"")]
pub enum AxisName {
    /// Its number.
    Number(usize),
    /// `none`.
    Word(NoAxis),
}

/// No axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the one word is explained where it is used")]
pub enum NoAxis {
    None,
}

impl GraphEntry {
    /// The axes, as an import takes them.
    #[must_use]
    pub fn rows_axes(&self) -> Vec<RowsAxis> {
        let axis = |axis: &AxisName| {
            if let AxisName::Number(axis) = axis {
                Some(*axis)
            } else {
                None
            }
        };
        self.rows_axis
            .iter()
            .map(|(input, name)| RowsAxis {
                input: input.clone(),
                axis: axis(name),
            })
            .collect()
    }

    /// The columns, as an import takes them.
    #[must_use]
    pub fn graph_features(&self) -> Vec<GraphFeatures> {
        self.features
            .iter()
            .map(|(input, columns)| GraphFeatures {
                input: input.clone(),
                columns: columns.clone(),
            })
            .collect()
    }
}

/// Rows with known answers, scored again by `tallow check`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// A table of the model's columns, from the package's directory.
    pub rows: Location,
    /// A table of the answers, row by row, in columns named as the output's.
    pub expected: Location,
    /// The largest difference of a number, relative to the number, or to 1 if that is more.
    #[serde(default = "tolerance")]
    pub tolerance: f64,
}

/// What single precision and another order of additions make of a probability.
const fn tolerance() -> f64 {
    1e-5
}

/// A file of the package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtefactEntry {
    /// Where it lies, from the package's directory.
    pub path: Location,
    /// The SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: Option<String>,
}

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// [`crate::error::Kind::Contract`], with the line, for what is not TOML, an unknown key, a
    /// value of the wrong type, or a contradiction.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error::contract("the manifest is not UTF-8 text").because(error))?;
        let manifest: Self = toml::from_str(text).map_err(|error| {
            let refused = Error::contract(format!(
                "cannot read the manifest: {}",
                error.message().trim_end().replace('\n', ", ")
            ));
            let refused = hint(error.message()).into_iter().fold(refused, Error::hint);
            match error.span() {
                Some(span) => refused.at_node(format!("line {}", line_of(text, span.start))),
                None => refused,
            }
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    fn check(&self) -> Result<()> {
        if self.name.trim().is_empty() {
            return Err(Error::contract("the manifest's `name` is empty"));
        }
        unique(self.inputs.iter().map(|input| input.name.as_str()), "input")?;
        unique(
            self.derived.iter().map(|derived| derived.name.as_str()),
            "derived column",
        )?;
        if let Some(derived) = self
            .derived
            .iter()
            .find(|derived| derived.expression.trim().is_empty())
        {
            return Err(Error::contract(format!(
                "the derived column `{}` has an empty expression",
                derived.name
            )));
        }
        self.inputs
            .iter()
            .try_for_each(|input| input.check().map_err(|error| error.at_column(&input.name)))?;
        unique(self.rules.iter().map(RuleEntry::name), "rule")?;
        if let Some(golden) = self
            .golden
            .as_ref()
            .filter(|golden| !(golden.tolerance >= 0.0 && golden.tolerance.is_finite()))
        {
            return Err(Error::contract(format!(
                "`tolerance = {}` of `[golden]` is not a difference",
                golden.tolerance
            )));
        }
        self.outputs.check()
    }
}

/// What is meant by a name that serde does not know, from its message: ``unknown field `a`,
/// expected one of `b`, `c` ``.
fn hint(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let name = quoted.next().filter(|_| message.starts_with("unknown "))?;
    text::said_elsewhere(name, &quoted)
        .or_else(|| Some(format!("did you mean `{}`?", nearest(name, &quoted)?)))
}

/// The line of a byte, counted from 1.
#[must_use]
pub fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}
