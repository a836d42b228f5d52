//! What a run watches: profile, baseline, gates.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// What a run watches.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Monitoring {
    /// Profile of inputs and scores: a file, or `auto`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Location>,
    /// What inputs and scores are compared with: a profile, or `none`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Location>,
    /// Jensen–Shannon distance from which a column has drifted
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_js: Option<f64>,
    /// Kolmogorov–Smirnov distance from which a column has drifted
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ks: Option<f64>,
    /// Conditions on the facts of the report
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gate: Vec<String>,
    /// Reports of earlier runs: a directory or a pattern
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Location>,
    /// What happens to the output when a gate fails
    #[serde(skip_serializing_if = "is_default")]
    pub on_gate: OnGate,
    /// Whether a gate that cannot be decided fails
    #[serde(skip_serializing_if = "is_default")]
    pub strict_gates: bool,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What to do with the output of a run of which a gate failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnGate {
    /// Keep it back
    #[default]
    Withhold,
    /// Publish it
    Publish,
}
