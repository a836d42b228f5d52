//! Arguments of `tallow registry`: clap derives only.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where names of models are looked up, for verbs that take a model.
#[derive(Clone, Debug, Args)]
pub struct LookupArgs {
    /// The registry of models that `--model NAME@ALIAS` is looked up in
    #[arg(
        long,
        value_name = "DIR",
        env = "TALLOW_REGISTRY",
        help_heading = "Registry"
    )]
    pub registry: Option<PathBuf>,
}

/// `tallow registry`
#[derive(Clone, Debug, Args)]
pub struct RegistryArgs {
    /// The registry: a directory, which the first push creates
    #[arg(long, global = true, value_name = "DIR", env = "TALLOW_REGISTRY")]
    pub registry: Option<PathBuf>,
    /// Who the log names [default: your user name and host]
    #[arg(long, global = true, value_name = "NAME", env = "TALLOW_ACTOR")]
    pub actor: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub verb: RegistryVerb,
}

/// The verbs of a registry.
#[derive(Clone, Debug, Subcommand)]
pub enum RegistryVerb {
    /// Add a package as the next version of a model
    ///
    /// The files are stored by their digests. A package that the registry has already is not added
    /// again.
    Push {
        /// A package, another model directory, or a model file
        #[arg(value_name = "PACKAGE")]
        package: PathBuf,
        /// The model's name [default: the package's]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List models and where their aliases point
    List,
    /// Show the versions of a model, or the files of one version
    Show {
        /// `NAME`, `NAME:VERSION` or `NAME@ALIAS`
        #[arg(value_name = "MODEL")]
        model: String,
    },
    /// Point an alias at a version
    Promote {
        /// `NAME:VERSION`, or `NAME@ALIAS` for where another alias points
        #[arg(value_name = "MODEL")]
        target: String,
        /// The alias, such as `champion`
        #[arg(value_name = "ALIAS")]
        alias: String,
        /// Check the package's gates on this report of `tallow evaluate` (exit 5 if one trips)
        #[arg(long, value_name = "FILE")]
        evaluation: Option<PathBuf>,
        /// Check the gates on this report of `tallow compare` too, whose B is this version
        #[arg(long, value_name = "FILE")]
        comparison: Option<PathBuf>,
        /// A further gate, such as `roc_auc >= 0.75`; may be repeated
        #[arg(long = "gate", value_name = "EXPRESSION")]
        gates: Vec<String>,
        /// Promote without checking the package's gates
        #[arg(long, conflicts_with_all = ["evaluation", "comparison"])]
        skip_gates: bool,
        /// Read reports that do not say that they are of this version
        #[arg(long, conflicts_with = "skip_gates")]
        accept_unnamed: bool,
        /// Fail unless the alias points at this version now
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Point an alias back at the version before
    Rollback {
        /// `NAME@ALIAS`
        #[arg(value_name = "ALIAS")]
        alias: String,
        /// Fail unless the alias points at this version now
        #[arg(long, value_name = "VERSION")]
        expect: Option<u64>,
        /// Why; kept in the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Show who changed what, and when
    Log {
        /// The model's name
        #[arg(value_name = "NAME")]
        model: String,
    },
    /// Check every log entry and every stored byte
    Verify {
        /// The model's name [default: all models]
        #[arg(value_name = "NAME")]
        model: Option<String>,
        /// A log head that must still be part of the log; may be repeated
        ///
        /// Reports hold it as `log_head`. It proves that no entry was removed or rewritten since.
        #[arg(long = "head", value_name = "SEQ:DIGEST", requires = "model")]
        heads: Vec<String>,
    },
    /// Remove files that no version refers to
    ///
    /// They are left by pushes that were interrupted. Versions and logs are never removed.
    Gc {
        /// Minimum age of what is removed, such as `7d`
        #[arg(long, value_name = "AGE", default_value = "7d")]
        older_than: String,
        /// Only count
        #[arg(long)]
        dry_run: bool,
    },
}
