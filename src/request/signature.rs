//! What is asked of signatures: to sign a model, to verify one, and whom to trust.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// A model to sign.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Sign {
    /// A package, another directory or a file
    pub model: Location,
    /// The private key
    pub key: Location,
    /// The key's certificate and those above it
    pub certificates: Vec<Location>,
    /// The signature file [default: `model.sig` in the directory, `FILE.sig` next to a file]
    pub signature: Option<Location>,
    /// Replace an existing signature
    pub overwrite: bool,
}

/// A model whose signature to verify.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Verify {
    /// The signed model
    pub model: Location,
    /// The signature file [default: as for signing]
    pub signature: Option<Location>,
    /// Whether the model is a version of a registry's
    #[serde(default)]
    pub is_registered: bool,
    /// Whom to trust
    pub trust: TrustRequest,
}

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct TrustRequest {
    /// Files with public keys, or certificates of authorities
    #[serde(rename = "require_signature")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Location>,
    /// Digests that are refused by whichever key they are signed
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<String>,
    /// The time at which certificates must be valid [default: now]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature_time: Option<String>,
}
