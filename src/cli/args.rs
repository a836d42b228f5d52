//! What a user types: clap derives only. The doc comments are the manual.

use clap::{Parser, Subcommand};

use super::compare_args::CompareArgs;
use super::console_args::ConsoleArgs;
use super::drift_args::{DriftArgs, ProfileArgs};
use super::evaluate_args::EvaluateArgs;
use super::inspect_args::InspectArgs;
use super::merge_args::MergeArgs;
use super::pack_args::PackArgs;
use super::record_args::{ExplainArgs, LogArgs, ReplayArgs};
use super::registry_args::RegistryArgs;
use super::report_args::ReportArgs;
use super::retry_args::RetryArgs;
use super::score_args::{CheckArgs, ScoreArgs};
use super::shell_args::{CompletionsArgs, GuideArgs, ManArgs};
use super::signature_args::{SignArgs, VerifyArgs};

/// Score tables with trained models, offline
///
/// Give it Parquet or CSV; it writes predictions and a run report. Columns are bound by name, every
/// row is accounted for, and the output appears complete or not at all.
#[derive(Clone, Debug, Parser)]
#[command(name = "tallow", version, propagate_version = true, max_term_width = 110,
    after_long_help = EXIT_CODES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// How to show it
    #[command(flatten)]
    pub console: ConsoleArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed while running, 2 usage, 3 model and data \
                          do not fit, 4 too many bad rows, 5 a guard tripped, 6 trust (digest, \
                          unsafe model), 75 busy, 99 nothing to do (with --skip-code 99), 130/143 \
                          stopped by a signal";

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Score tables with a model
    Score(Box<ScoreArgs>),
    /// Show a model, a table, a data set or a report
    Inspect(InspectArgs),
    /// Dry run: bind model and data, verify golden rows, write nothing
    Check(Box<CheckArgs>),
    /// Score the corrected rows of a data set and merge them into it
    Retry(RetryArgs),
    /// Sum up the columns of tables in one small file
    Profile(ProfileArgs),
    /// Compare two tables or profiles, column by column
    Drift(DriftArgs),
    /// Join profiles of parts of the data
    Merge(MergeArgs),
    /// Compare predictions with labels: metrics with 95 % intervals
    Evaluate(Box<EvaluateArgs>),
    /// Compare predictions of two models or runs: agreement, flips, paired tests
    Compare(Box<CompareArgs>),
    /// Show reports as one HTML page: a night, or the history of many
    Report(ReportArgs),
    /// Show how rows of a recorded run got their scores
    Explain(ExplainArgs),
    /// Run a recorded run again, and compare the bytes
    Replay(ReplayArgs),
    /// List the runs of data sets, outputs and reports: who ran what, when
    Log(LogArgs),
    /// Make a package of a model: digests, column types, golden rows, model card
    Pack(Box<PackArgs>),
    /// Named versions of models, and aliases that point at them
    Registry(RegistryArgs),
    /// Sign a model
    Sign(SignArgs),
    /// Verify the signature of a model
    Verify(VerifyArgs),
    /// Read the manual
    Guide(GuideArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
    /// Print a manual page
    Man(ManArgs),
}
