//! Outputs as a manifest states them: task, link, labels, threshold.
//!
//! Owns the checks of what margins are said to mean.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::outcome::{Label, is_probability};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskName {
    /// One number a row.
    Regression,
    /// One number a row, a count.
    Counts,
    /// One number a row, meaningful by its order.
    Ranking,
    /// Two classes, one margin.
    Binary,
    /// Several classes, one margin each.
    Classes,
    /// Several numbers a row.
    Values,
    /// A vector for each text.
    Embedding,
    /// Labels or a number for each text or pair of texts.
    Classification,
    /// A score for each pair of texts.
    Reranking,
    /// Entities in each text.
    TokenClassification,
}

impl TaskName {
    /// As manifests write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Counts => "counts",
            Self::Ranking => "ranking",
            Self::Binary => "binary",
            Self::Classes => "classes",
            Self::Values => "values",
            Self::Embedding => "embedding",
            Self::Classification => "classification",
            Self::Reranking => "reranking",
            Self::TokenClassification => "token-classification",
        }
    }
}

/// What the margins mean.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// From margin to score.
    pub link: Option<LinkName>,
    /// The classes, in the order of the margins; for two classes with one margin the negative one
    /// first.
    pub labels: Option<Vec<LabelName>>,
    /// The least probability that is called positive.
    pub threshold: Option<f64>,
    /// The names of several numbers a row.
    pub names: Option<Vec<String>>,
}

/// From margin to score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of crate::outcome::Link")]
pub enum LinkName {
    Identity,
    Logistic,
    Softmax,
    Exponential,
}

/// A class's name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a label is a text or an integer")]
pub enum LabelName {
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
}

impl From<&LabelName> for Label {
    fn from(label: &LabelName) -> Self {
        match label {
            LabelName::Integer(value) => Self::Integer(*value),
            LabelName::Text(value) => Self::Text(value.clone()),
        }
    }
}

impl Outputs {
    pub(super) fn check(&self) -> Result<()> {
        if let Some(threshold) = self
            .threshold
            .filter(|threshold| !is_probability(*threshold))
        {
            return Err(Error::contract(format!(
                "`threshold = {threshold}` is not a probability"
            )));
        }
        let labels: Vec<String> = self
            .labels
            .iter()
            .flatten()
            .map(|label| format!("{label:?}"))
            .collect();
        unique(labels.iter().map(String::as_str), "label")?;
        unique(self.names.iter().flatten().map(String::as_str), "output")
    }
}

pub(super) fn unique<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> Result<()> {
    let mut known = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            return Err(Error::contract(format!(
                "the manifest has a {what} without a name"
            )));
        }
        if !known.insert(name) {
            return Err(Error::contract(format!(
                "the manifest names the {what} `{name}` twice"
            )));
        }
    }
    Ok(())
}
