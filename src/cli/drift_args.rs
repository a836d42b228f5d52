//! What a user types for `profile` and `drift`: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::Args;

use super::dialect_args::DialectArgs;
use super::paths::locations;
use super::work_args::BindingArgs;
use crate::request::comparison::{Comparison, Compat, Profiling};
use crate::storage::Location;

/// `tallow profile`
///
/// The profile holds counts, moments, quantiles, categories and distinct values of every column,
/// and no rows. It depends on the values alone: rows and files in any order give the same profile.
#[derive(Clone, Debug, Args)]
pub struct ProfileArgs {
    /// Tables: files, globs and directories
    #[arg(value_name = "DATA", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Profile the inputs as this model reads them, and its scores
    ///
    /// Such a profile is the `--baseline` of `tallow score`.
    #[arg(short, long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// How columns meet the model
    #[command(flatten)]
    pub binding: BindingArgs,
    /// Write the profile here, as Parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace an existing profile
    #[arg(long)]
    pub overwrite: bool,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
    /// Maximum memory, such as `1GiB`
    ///
    /// Does not change the profile. Caps the peak resident size with smaller portions and, with
    /// `--model`, fewer workers. A limit that cannot be met is rejected before the first row, and
    /// the error says what would be enough.
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        env = "TALLOW_MEMORY",
        help_heading = "Resources"
    )]
    pub memory: Option<String>,
}

/// `tallow drift`
///
/// Compares columns of the same name. Either side is a profile or a table.
#[derive(Clone, Debug, Args)]
pub struct DriftArgs {
    /// The baseline: a profile, a table, a glob or a directory
    #[arg(value_name = "BASELINE", required = true)]
    pub baseline: PathBuf,
    /// What is compared with it
    #[arg(value_name = "CURRENT", required = true)]
    pub current: PathBuf,
    /// Jensen–Shannon distance from which a column has drifted [default: 0.1]
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub max_js: Option<f64>,
    /// Kolmogorov–Smirnov distance from which a column has drifted [default: 0.1]
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    pub max_ks: Option<f64>,
    /// Compute the numbers of another tool instead, from all values of both tables
    ///
    /// Both tables are held in memory, and neither may be a profile.
    #[arg(long, value_enum, value_name = "TOOL")]
    pub compat: Option<Compat>,
    /// Fail (exit 5) unless this holds: `js(age) < 0.1`, `drifted_share <= 0.3`; may be repeated
    #[arg(long, value_name = "EXPRESSION")]
    pub gate: Vec<String>,
    /// Also fail if a gate cannot be decided because its limit lies between two bounds
    #[arg(long, requires = "gate")]
    pub strict_gates: bool,
    /// Write the report here; `.csv` makes it CSV, everything else Parquet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace an existing report
    #[arg(long)]
    pub overwrite: bool,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}

impl From<ProfileArgs> for Profiling {
    fn from(args: ProfileArgs) -> Self {
        let ProfileArgs {
            inputs,
            model,
            binding,
            output,
            overwrite,
            text,
            memory,
        } = args;
        Self {
            inputs: locations(inputs),
            model: model.map(Location::from),
            binding: binding.into(),
            output: output.into(),
            overwrite,
            text: text.into(),
            memory,
        }
    }
}

impl From<DriftArgs> for Comparison {
    fn from(args: DriftArgs) -> Self {
        let DriftArgs {
            baseline,
            current,
            max_js,
            max_ks,
            compat,
            gate,
            strict_gates,
            output,
            overwrite,
            text,
        } = args;
        Self {
            baseline: baseline.into(),
            current: current.into(),
            max_js,
            max_ks,
            compat,
            gate,
            strict_gates,
            output: output.map(Location::from),
            overwrite,
            text: text.into(),
        }
    }
}
