//! What a user types: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::challenger_args::ChallengerArgs;
use super::compare_args::CompareArgs;
pub use super::console_args::{ConsoleArgs, LogFormat, ResultFormat};
use super::dialect_args::{DialectArgs, FieldArgs};
use super::drift_args::{DriftArgs, ProfileArgs};
use super::evaluate_args::EvaluateArgs;
use super::key_args::{DecryptionArgs, EncryptionArgs};
use super::merge_args::MergeArgs;
pub use super::monitoring_args::MonitoringArgs;
pub use super::output_args::{GuardArgs, ObserverArgs, OutputArgs};
use super::pack_args::PackArgs;
use super::quality_args::QualityArgs;
use super::record_args::{ExplainArgs, LogArgs, ReplayArgs};
use super::registry_args::RegistryArgs;
use super::report_args::ReportArgs;
use super::rows_args::RowsArgs;
use super::shell_args::{CompletionsArgs, GuideArgs, ManArgs};
use super::signature_args::{SignArgs, TrustArgs, VerifyArgs};
use super::text_args::TextArgs;

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
    /// Model, data and how they fit
    #[command(flatten)]
    pub work: WorkArgs,
    /// Where results go
    #[command(flatten)]
    pub output: OutputArgs,
    /// Whether rows are encrypted
    #[command(flatten)]
    pub encryption: EncryptionArgs,
    /// What is too bad to go on
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
    /// Model, data and how they fit
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

/// Model, data and how they fit: what `score` and `check` share.
#[derive(Clone, Debug, Args)]
pub struct WorkArgs {
    /// The model: a file, a directory or `NAME@ALIAS`
    ///
    /// XGBoost JSON or UBJ, LightGBM text, CatBoost JSON, ONNX, an MLflow model directory, a
    /// Hugging Face text model directory, or a package: a directory with a `tallow.toml`. The
    /// format is detected by content. With `--registry`, `NAME@ALIAS` and `NAME:VERSION` are
    /// models of the registry.
    #[arg(short, long, value_name = "PATH", env = "TALLOW_MODEL")]
    pub model: PathBuf,
    /// The registry of models that `--model NAME@ALIAS` is looked up in
    #[arg(
        long,
        value_name = "DIR",
        env = "TALLOW_REGISTRY",
        help_heading = "Registry"
    )]
    pub registry: Option<PathBuf>,
    /// Use the version that the alias pointed at then: `2026-11-01` or `2026-11-01T06:00:00Z`
    ///
    /// A date means 00:00 UTC.
    #[arg(long, value_name = "TIME", help_heading = "Registry")]
    pub as_of: Option<String>,
    /// The data: files, globs and directories, read in this order
    ///
    /// Parquet, CSV or TSV, plain or compressed with gzip or zstd. Directories are read
    /// recursively, except names that begin with `_` or `.`. Subdirectories named `column=value`
    /// become columns. `-` is standard input.
    #[arg(value_name = "INPUT", required = true)]
    pub inputs: Vec<PathBuf>,
    /// Whose signature the model must have
    #[command(flatten)]
    pub trust: TrustArgs,
    /// How columns meet the model
    #[command(flatten)]
    pub binding: BindingArgs,
    /// Which rows, and how text is read
    #[command(flatten)]
    pub rows: RowsArgs,
    /// What rows should be like
    #[command(flatten)]
    pub quality: QualityArgs,
    /// What comes out
    #[command(flatten)]
    pub outcome: OutcomeArgs,
    /// Text models
    #[command(flatten)]
    pub text: TextArgs,
    /// Further models
    #[command(flatten)]
    pub challengers: ChallengerArgs,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// How columns meet the model.
#[derive(Clone, Debug, Args)]
pub struct BindingArgs {
    /// Read the data's column FROM as TO; may be repeated
    #[arg(
        long,
        value_name = "FROM=TO",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub rename: Vec<String>,
    /// Columns that feed the model, in its order: `a,b,c` or `/regex/`
    ///
    /// Only needed for models that do not name their features. For other models it binds by
    /// position. A regex takes the columns in the data's order and prints a warning. Quote names
    /// that contain commas as in CSV: `'"a,b",c'`. For an ONNX graph with several inputs,
    /// `INPUT=a,b` names the columns of one input; repeat it for each.
    #[arg(
        long,
        value_name = "[INPUT=]COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub features: Option<Vec<String>>,
    /// The axis of an ONNX input that counts rows, from 0: `x=1`
    ///
    /// Needed where the file leaves it open. `x=none` is an input that holds one row. By default it
    /// is the axis named `batch`, `N` or similar, else the one that inputs and outputs share, else
    /// the first.
    #[arg(long, value_name = "INPUT=AXIS", help_heading = "Binding")]
    pub rows_axis: Vec<String>,
    /// Missing values: error, reject, null or a number
    ///
    /// `COLUMN=POLICY` is for one column. `error` stops the run. `reject` rejects the row and
    /// counts it. `null` passes a missing value to the model. A number replaces the missing value.
    /// By default, models that support missing values get them, and other models stop the run.
    #[arg(
        long,
        value_name = "[COLUMN=]POLICY",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub on_null: Vec<String>,
    /// Unseen categories and values that do not fit: as `--on-null`
    ///
    /// Such values are text that is not a number and lists of the wrong length. By default an
    /// unseen category goes where the model's own library sends it. Where that library refuses it
    /// (XGBoost with stored categories, networks), the run stops. Text that is not a number and
    /// lists of the wrong length stop the run. In an ONNX graph, the encoders decide about
    /// categories.
    #[arg(
        long,
        value_name = "[COLUMN=]POLICY",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub on_unseen: Vec<String>,
    /// Columns added to the margin: `base_margin`, `init_score`, `baseline`
    ///
    /// One column, or one per class: `a,b,c`, in the order of the classes. XGBoost uses it in place
    /// of its base score. LightGBM's own `predict` ignores it; here it is added, as with CatBoost.
    /// A missing value stops the run unless `--on-null` says otherwise. Quote names that contain
    /// commas as in CSV: `'"a,b",c'`.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub offset: Vec<String>,
}

/// What comes out.
#[derive(Clone, Debug, Args)]
pub struct OutcomeArgs {
    /// Columns to pass through [default: all that are not features]
    ///
    /// `id,region`, `all` or `none`. Quote names that contain commas as in CSV: `'"a,b",c'`.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    pub passthrough: Option<Vec<String>>,
    /// Also write the raw score before the link, as `margin`
    #[arg(long, help_heading = "Output")]
    pub raw: bool,
    /// Minimum probability of the positive class [default: the model's, else 0.5]
    #[arg(
        long,
        value_name = "PROBABILITY",
        allow_negative_numbers = true,
        help_heading = "Output"
    )]
    pub threshold: Option<f64>,
    /// Add CatBoost's uncertainty, from N virtual ensembles
    ///
    /// Regression adds `ensemble_mean` and `knowledge_uncertainty`, and with `RMSEWithUncertainty`
    /// also `data_uncertainty`. Classification adds `data_uncertainty` and `total_uncertainty`. The
    /// numbers are those of `virtual_ensembles_predict(prediction_type="TotalUncertainty")`.
    #[arg(long, value_name = "N", help_heading = "Output")]
    pub virtual_ensembles: Option<usize>,
    /// Trees to use: `library`, `best`, `all` or a number of rounds [default: library]
    ///
    /// `library` uses as many as the library that saved the file: an XGBoost estimator of the
    /// scikit-learn interface stops at its best iteration, a booster uses all trees. `best` stops
    /// at the stored best iteration. LightGBM and CatBoost cut the trees there when they save. If
    /// fewer trees are used than the file has, the summary and the report say so.
    #[arg(long, value_name = "library|best|all|N", help_heading = "Output")]
    pub trees: Option<String>,
    /// Replace the values of these columns by a keyed hash, in predictions and rejected rows
    ///
    /// HMAC-SHA-256 under the key of `--hash-key`, in hexadecimal digits. The same value has the
    /// same hash in every run, format and table. `tallow guide privacy` says what is hashed.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Privacy"
    )]
    pub hash_columns: Vec<String>,
    /// Leave these columns out of predictions and rejected rows
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Privacy"
    )]
    pub drop_columns: Vec<String>,
}

/// Resources.
#[derive(Clone, Debug, Args)]
pub struct ResourceArgs {
    /// Worker threads [default: the available CPUs]
    ///
    /// Available is what the CPU affinity and the container's CPU quota allow.
    #[arg(
        short = 'j',
        long,
        value_name = "N",
        allow_negative_numbers = true,
        env = "TALLOW_THREADS",
        help_heading = "Resources"
    )]
    pub threads: Option<usize>,
    /// Maximum rows per batch; does not change the output
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Resources"
    )]
    pub batch_rows: Option<usize>,
    /// Maximum memory, such as `1GiB`
    ///
    /// Does not change the output. Caps the peak resident size with smaller portions and fewer
    /// workers. A limit that cannot be met is rejected before the first row, and the error says
    /// what would be enough. `tallow check` prints the estimate.
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        env = "TALLOW_MEMORY",
        help_heading = "Resources"
    )]
    pub memory: Option<String>,
    /// Allow messages and logs to contain the value that stops a run
    #[arg(long, help_heading = "Display")]
    pub show_values: bool,
}

/// `tallow inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// A model or package, a table or a directory of tables, a data set, or a report
    #[arg(value_name = "PATH", required = true)]
    pub path: PathBuf,
    /// Trees to count, as `tallow score --trees`
    #[arg(long, value_name = "library|best|all|N")]
    pub trees: Option<String>,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}

/// `tallow retry`
///
/// The rejected rows are in the data set's `_tallow/rejected/`. Correct them there, or in a copy
/// named by `--corrected`. Keep the columns `rejected_file` and `rejected_row`: they say where each
/// row belongs. Parts without a corrected row are not touched. If no row was corrected, there is
/// nothing to do.
#[derive(Clone, Debug, Args)]
pub struct RetryArgs {
    /// A job file; the data set is its `output`
    #[command(flatten)]
    pub job: JobArgs,
    /// The data set, as `tallow score --output DIR/` wrote it
    #[arg(value_name = "DIR", required = true)]
    pub directory: PathBuf,
    /// Tables of corrected rows [default: the data set's `_tallow/rejected/`]
    ///
    /// Each row must be one that was rejected.
    #[arg(long, alias = "mended", value_name = "FILES")]
    pub corrected: Vec<PathBuf>,
    /// How they are written, where they are delimited text
    #[command(flatten)]
    pub text: FieldArgs,
    /// Keys of encrypted files [default: those of the run that made the data set]
    #[command(flatten)]
    pub keys: DecryptionArgs,
    /// Exit with this code instead of 0 if no row was corrected
    ///
    /// Airflow skips on 99.
    #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
    pub skip_code: Option<u8>,
    /// Notifications: metrics, lineage and logs
    #[command(flatten)]
    pub observers: ObserverArgs,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}
