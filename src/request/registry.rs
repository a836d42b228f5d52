//! What is asked of a registry.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// A registry and what to do with it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RegistryRequest {
    /// The directory
    pub registry: Location,
    /// Who asks: `ann@host`
    pub actor: String,
    /// What to do
    pub command: RegistryCommand,
}

/// What to do with a registry.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistryCommand {
    /// Add a version
    Push {
        /// A package, another model directory, or a model file
        package: Location,
        /// The model's name [default: the package's]
        name: Option<String>,
        /// Why
        reason: Option<String>,
    },
    /// List models and their aliases
    List,
    /// Show versions and aliases of a model, or the files of a version
    Show {
        /// `NAME`, `NAME:VERSION` or `NAME@ALIAS`
        model: String,
    },
    /// Point an alias at a version
    Promote {
        /// `NAME:VERSION` or `NAME@ALIAS`
        version: String,
        /// The alias
        alias: String,
        /// The report of an evaluation, for the package's gates
        evaluation: Option<Location>,
        /// The report of a comparison, for the package's gates
        #[serde(default)]
        comparison: Option<Location>,
        /// Further gates
        gates: Vec<String>,
        /// Whether the package's gates are not checked
        skip_gates: bool,
        /// Whether reports are read that do not say which model they are of
        #[serde(default)]
        accept_unnamed: bool,
        /// The version at which the alias must point before
        expect: Option<u64>,
        /// Why
        reason: Option<String>,
    },
    /// Point an alias back at the version before
    Rollback {
        /// `NAME@ALIAS`
        alias: String,
        /// The version at which the alias must point before
        expect: Option<u64>,
        /// Why
        reason: Option<String>,
    },
    /// Show who changed what
    Log {
        /// The model's name
        model: String,
    },
    /// Check logs and objects
    Verify {
        /// The model's name [default: all]
        model: Option<String>,
        /// Heads that the log must contain
        heads: Vec<String>,
    },
    /// Remove what nothing refers to
    Gc {
        /// The least age of what is removed
        older_than_seconds: u64,
        /// Only count
        dry_run: bool,
    },
}
