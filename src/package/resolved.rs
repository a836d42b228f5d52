//! Which version of a registry's model a package is.
//!
//! Owns what a run records of it. It must not know registries.

use serde::{Deserialize, Serialize};

/// A version of a registry's model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Resolved {
    /// The name that was asked for, such as `churn@champion`
    pub reference: String,
    /// The model's name
    pub model: String,
    /// The version's number
    pub version: u64,
    /// The digest of the version's list of files: `sha256:…`
    pub digest: String,
    /// The last entry of the log when it was read, as `SEQ:DIGEST`
    pub log_head: String,
}

impl Resolved {
    /// `MODEL:VERSION`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.model, self.version)
    }

    /// (name, value) of what a report says of it.
    #[must_use]
    pub fn facts(&self) -> Vec<(String, String)> {
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            fact("registry_reference", &self.reference),
            fact("registry_model", &self.model),
            fact("registry_version", &self.version.to_string()),
            fact("registry_digest", &self.digest),
            fact("log_head", &self.log_head),
        ]
    }
}
