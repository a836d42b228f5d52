//! Arguments of `tallow score` and `tallow check`: flags that clap derives.

use std::path::PathBuf;

use clap::Args;

use super::key_args::EncryptionArgs;
use super::monitoring_args::MonitoringArgs;
use super::output_args::{GuardArgs, ObserverArgs, OutputArgs};
use super::work_args::WorkArgs;

/// A job file instead of flags.
#[derive(Clone, Debug, Default, Args)]
pub struct JobArgs {
    /// Take options from a job file
    ///
    /// A job file is TOML, and its keys are named as the flags, with `_` for `-`:
    /// `model = "churn"`, `inputs = ["landing/*.parquet"]`, `output = "scores/"`, `on_null =
    /// ["age=reject"]`. Flags override `TALLOW_*` variables, and these override the file. Relative
    /// paths begin at the file's directory. `--print-job` prints such a file for the flags given.
    #[arg(long, value_name = "FILE.toml", env = "TALLOW_JOB")]
    pub job: Option<PathBuf>,
}

/// `tallow score`
#[derive(Clone, Debug, Args)]
pub struct ScoreArgs {
    /// A job file
    #[command(flatten)]
    pub job: JobArgs,
    /// Print the job file for these flags on standard output, and score nothing
    #[arg(long)]
    pub print_job: bool,
    /// Model, data and how columns are bound
    #[command(flatten)]
    pub work: WorkArgs,
    /// Where results go
    #[command(flatten)]
    pub output: OutputArgs,
    /// Whether rows are encrypted
    #[command(flatten)]
    pub encryption: EncryptionArgs,
    /// Limits that stop the run
    #[command(flatten)]
    pub guards: GuardArgs,
    /// Whether inputs and scores look as they should
    #[command(flatten)]
    pub monitoring: MonitoringArgs,
    /// Notifications: metrics, lineage and logs
    #[command(flatten)]
    pub observers: ObserverArgs,
}

/// `tallow check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// A job file
    #[command(flatten)]
    pub job: JobArgs,
    /// Model, data and how columns are bound
    #[command(flatten)]
    pub work: WorkArgs,
    /// Also read, filter and score every row; still writes nothing
    ///
    /// Whatever would stop `score` at a row stops `check --scan` there.
    #[arg(long, help_heading = "Rows")]
    pub scan: bool,
    /// Where results would go: `check` takes the flags of `score`, so that a command can be tried
    /// by its verb alone
    #[command(flatten)]
    pub output: Option<OutputArgs>,
    /// Whether rows would be encrypted
    #[command(flatten)]
    pub encryption: EncryptionArgs,
    /// Limits that would stop the run
    #[command(flatten)]
    pub guards: GuardArgs,
    /// What would be watched
    #[command(flatten)]
    pub monitoring: MonitoringArgs,
    /// Who would hear of the run; `check` writes none of these files
    #[command(flatten)]
    pub observers: ObserverArgs,
}
