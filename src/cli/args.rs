//! What a user types: clap derives only. The doc comments are the manual.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

pub use super::choices::{OnBadFile, OnBudget, OutputFormat};
use super::rows_args::{DialectArgs, RowsArgs};
use super::shell_args::{CompletionsArgs, ManArgs};
use super::text_args::TextArgs;

/// Score tables with trained models, offline
///
/// Parquet or CSV in, predictions and a report out. Columns are bound by name, every row is
/// accounted for, and the output appears whole or not at all.
#[derive(Clone, Debug, Parser)]
#[command(name = "tallow", version, propagate_version = true, max_term_width = 110, after_long_help = EXIT_CODES)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
    /// How to show it
    #[command(flatten)]
    pub console: ConsoleArgs,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed while running, 2 usage, 3 model and data \
                          do not fit, 4 too many bad rows, 5 a gate tripped, 6 trust (digest, \
                          unsafe model), 75 busy, 99 nothing to do (with --skip-code 99), 130/143 \
                          stopped by a signal";

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Verb {
    /// Score files of rows with a model
    Score(Box<ScoreArgs>),
    /// Show what a model, data, a data set that tallow wrote or a report is
    Inspect(InspectArgs),
    /// Dry run: bind model to data and open everything, but write nothing
    Check(Box<CheckArgs>),
    /// Score the rejected rows of a data set again, once they are mended, and put them where they
    /// belong
    Retry(RetryArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the manual page of tallow or of a verb
    Man(ManArgs),
}

/// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct ConsoleArgs {
    /// How results go to standard output
    ///
    /// `text` tells people: of runs on standard error, of what was asked for (`inspect`, `check`)
    /// on standard output. `json` prints one JSON object as the last line of standard output, on
    /// failure too, for Airflow's XCom and for `jq`.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "TALLOW_FORMAT",
        help_heading = "Display"
    )]
    pub format: ResultFormat,
    /// How standard error is written: lines for people, or one JSON object per line
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        env = "TALLOW_LOG_FORMAT",
        help_heading = "Display"
    )]
    pub log_format: LogFormat,
    /// Print only warnings and errors: skipped files and rejected rows too; `-qq` prints only
    /// errors
    #[arg(short, long, global = true, action = ArgAction::Count, env = "TALLOW_QUIET", value_parser = quiet_level, help_heading = "Display")]
    pub quiet: u8,
    /// Say more: which column feeds which feature, time per stage
    #[arg(short, long, global = true, help_heading = "Display")]
    pub verbose: bool,
    /// Seconds between two lines that tell how far a run came, where standard error is no terminal
    #[arg(
        long,
        global = true,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = 30,
        env = "TALLOW_PROGRESS_SECONDS",
        help_heading = "Display"
    )]
    pub progress_seconds: u64,
}

/// The level of `--quiet`: a number of flags, or a word that `TALLOW_QUIET` may hold.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for this signature")]
fn quiet_level(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "n" | "no" | "f" | "false" | "off" => Ok(0),
        text => Ok(text.parse().unwrap_or(1)),
    }
}

/// How results go to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// A summary for people, on standard error
    #[default]
    Text,
    /// One JSON object, the last line of standard output
    Json,
}

/// How standard error is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people; a progress bar on a terminal
    #[default]
    Text,
    /// One JSON object per line: time, level, message, what the run is called, and facts; no bar,
    /// no colour
    Json,
}

/// `tallow score`
#[derive(Clone, Debug, Args)]
pub struct ScoreArgs {
    /// Model, data and how they fit
    #[command(flatten)]
    pub work: WorkArgs,
    /// Where results go
    #[command(flatten)]
    pub output: OutputArgs,
    /// What is too bad to go on
    #[command(flatten)]
    pub guards: GuardArgs,
    /// Who is told of the run
    #[command(flatten)]
    pub observers: ObserverArgs,
}

/// Who is told of the run, beside people.
#[derive(Clone, Debug, Default, Args)]
pub struct ObserverArgs {
    /// Write gauges of the run here, for the textfile collector of Prometheus' node exporter:
    /// `tallow_last_success_timestamp_seconds`, …
    ///
    /// Written anew by every run, under a hidden name first; on failure too, then with the time of
    /// the last success that was in it. Give each job a file of its own.
    #[arg(long, value_name = "FILE.prom", help_heading = "Observers")]
    pub metrics_file: Option<PathBuf>,
    /// Append OpenLineage events here, one JSON object per line: START, then COMPLETE, FAIL or
    /// ABORT
    #[arg(long, value_name = "FILE.jsonl", help_heading = "Observers")]
    pub lineage_file: Option<PathBuf>,
    /// What the job is called in metrics and lineage [default: the model's name]
    #[arg(
        long,
        value_name = "NAME",
        allow_hyphen_values = true,
        help_heading = "Observers"
    )]
    pub job: Option<String>,
}

/// Where results go.
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
pub struct OutputArgs {
    /// The file to write, or a directory for a data set of parts
    ///
    /// A file is written under a hidden name beside it and renamed at the end, so readers see the
    /// old file or the new one, never half. The name's end decides the format: `.csv` is CSV,
    /// everything else Parquet. A name that ends in `/`, or an existing directory, becomes a data
    /// set: `part-00000.parquet`, …, all else below `_tallow/` and, last, `_SUCCESS`; the same
    /// command after a crash goes on with the part where it stopped.
    #[arg(
        short,
        long,
        value_name = "FILE|DIR/",
        env = "TALLOW_OUTPUT",
        help_heading = "Output"
    )]
    #[serde(with = "crate::path_text")]
    pub output: PathBuf,
    /// Replace the output if it exists
    #[arg(long, help_heading = "Output")]
    pub overwrite: bool,
    /// Forget an unfinished run that lies in the output directory, and start over
    #[arg(long, help_heading = "Output")]
    pub restart: bool,
    /// Write the output in this format, whatever its name
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output_format: Option<OutputFormat>,
    /// Rows of the input in each part of a data set [default: 1048576]
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Output",
        conflicts_with = "bytes_per_part"
    )]
    pub rows_per_part: Option<u64>,
    /// About how large each part should become, such as `256MiB`; turned into rows before the run
    /// by what the inputs take
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        help_heading = "Output"
    )]
    pub bytes_per_part: Option<String>,
    /// Sort the rows of each part into Hive directories by these columns:
    /// `region=north/part-00000.parquet`
    ///
    /// They wait until their part has all of its rows: in memory while they are few, then on the
    /// output's disk. Names that hold commas are quoted as in CSV: `'"a,b",c'`.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    pub partition_by: Vec<String>,
    /// Where the report goes, or `none`; a name that ends in `.csv` makes it CSV [default: beside
    /// the output, ending in `.report.pq`; `_tallow/report.pq` in a data set]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    #[serde(with = "crate::path_text::option", default)]
    pub report: Option<PathBuf>,
    /// Where rejected rows go, or `none`; a name that ends in `.csv` makes them CSV [default:
    /// beside the output, ending in `.rejected.pq`; `_tallow/rejected/` in a data set]
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    #[serde(with = "crate::path_text::option", default)]
    pub rejected: Option<PathBuf>,
}

/// What is too bad to go on.
#[derive(Clone, Debug, Default, Args)]
pub struct GuardArgs {
    /// Fail (exit 4) if more rows than this are rejected
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_errors: Option<u64>,
    /// Fail (exit 4) if a larger share of the rows than this is rejected: `0.01` or `1%`
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_error_rate: Option<String>,
    /// What to do with the output when too many rows are rejected; the exit code is 4 in either
    /// case
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t,
        help_heading = "Guards"
    )]
    pub on_budget: OnBudget,
    /// Fail (exit 5) if the input has fewer rows
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub min_rows: Option<u64>,
    /// Fail (exit 5) if no input file is younger than this: `26h`, `90m`, `2d`
    #[arg(
        long,
        value_name = "AGE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_age: Option<String>,
    /// Fail (exit 5) if the number of rows differs by a larger share from that of the last good
    /// run: `30%`
    ///
    /// The last good run is the one whose report this run would replace, or the newest of
    /// `--previous-report`. Without one, the run passes with a warning.
    #[arg(
        long,
        value_name = "SHARE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub max_row_delta: Option<String>,
    /// Reports of earlier runs of the same job: a file or a pattern
    #[arg(
        long,
        value_name = "FILES",
        help_heading = "Guards",
        requires = "max_row_delta"
    )]
    pub previous_report: Option<PathBuf>,
    /// Exit with this code instead of 0 if the output is there already, made from the same inputs
    /// by the same model: 99 is what Airflow skips on
    #[arg(
        long,
        value_name = "CODE",
        allow_negative_numbers = true,
        help_heading = "Guards"
    )]
    pub skip_code: Option<u8>,
}

/// `tallow check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Model, data and how they fit
    #[command(flatten)]
    pub work: WorkArgs,
    /// Also read, filter and score every row, so that what would stop `score` at a row stops here;
    /// writes nothing
    #[arg(long, help_heading = "Check")]
    pub scan: bool,
    /// Where results would go: `check` takes the flags of `score`, so that a command can be tried
    /// by its verb alone
    #[command(flatten)]
    pub output: Option<OutputArgs>,
    /// Limits that would stop the run
    #[command(flatten)]
    pub guards: GuardArgs,
    /// Who would hear of the run; `check` writes none of these files
    #[command(flatten)]
    pub observers: ObserverArgs,
}

/// Model, data and how they fit: what `score` and `check` share.
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
pub struct WorkArgs {
    /// The model: a file or a directory
    ///
    /// XGBoost JSON or UBJ, LightGBM text, CatBoost JSON, ONNX, a directory with an `MLmodel`, a
    /// text model as the Hugging Face hub lays it out, or a package: a directory with a
    /// `tallow.toml` that says more of one of these, or what a network's weights (safetensors)
    /// mean. The format is found by content.
    #[arg(short, long, value_name = "PATH", env = "TALLOW_MODEL")]
    #[serde(with = "crate::path_text")]
    pub model: PathBuf,
    /// The data: files, globs and directories, read in the order given
    ///
    /// Parquet, CSV or TSV, plain or as gzip or zstd. Directories are read to their depth, names
    /// that begin with `_` or `.` left out; below them, `column=value` directories are columns.
    #[arg(value_name = "INPUT", required = true)]
    #[serde(with = "crate::path_text::list")]
    pub inputs: Vec<PathBuf>,
    /// How columns meet the model
    #[command(flatten)]
    pub binding: BindingArgs,
    /// Which rows, and how text is read
    #[command(flatten)]
    pub rows: RowsArgs,
    /// What comes out
    #[command(flatten)]
    pub outcome: OutcomeArgs,
    /// Text models
    #[command(flatten)]
    #[serde(default)]
    pub text: TextArgs,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}

/// How columns meet the model.
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
pub struct BindingArgs {
    /// Read the data's column FROM as TO; may be repeated
    #[arg(
        long,
        value_name = "FROM=TO",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub rename: Vec<String>,
    /// The columns that feed the model, in its order: `a,b,c`, or `/regex/` over the data's
    /// columns
    ///
    /// Only needed for models that do not name their features; for others it binds by position,
    /// which is what it says. A regex takes the columns in the data's order, and a warning names
    /// it. Names that hold commas are quoted as in CSV: `'"a,b",c'`. For an ONNX graph of several
    /// inputs `INPUT=a,b` names the columns of one input; repeat it for each.
    #[arg(
        long,
        value_name = "[INPUT=]COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    #[serde(default, deserialize_with = "one_or_several")]
    pub features: Option<Vec<String>>,
    /// The axis of an ONNX graph's input that counts the rows, from 0, where the file leaves it
    /// open: `x=1`; `x=none` for an input that holds one row
    ///
    /// By default it is the axis named `batch`, `N` or alike, else the one that inputs and outputs
    /// share, else the first.
    #[arg(long, value_name = "INPUT=AXIS", help_heading = "Binding")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows_axis: Vec<String>,
    /// What to do with missing values: error, reject, null or a number; `COLUMN=POLICY` for one
    /// column
    ///
    /// `error` stops the run, `reject` leaves the row out and counts it, `null` lets the model see
    /// a missing value, a number is put in its place. By default models that know missing values
    /// see them, and others stop the run.
    #[arg(
        long,
        value_name = "[COLUMN=]POLICY",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub on_null: Vec<String>,
    /// What to do with unseen categories, with text that is no number and with lists of another
    /// length: as `--on-null`
    ///
    /// By default an unseen category goes where the model's own library sends it, and stops the
    /// run where that library refuses it (XGBoost with stored categories, networks); text that is
    /// no number and a list of another length than the model reads stop the run. A graph's
    /// encoders decide themselves about categories.
    #[arg(
        long,
        value_name = "[COLUMN=]POLICY",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub on_unseen: Vec<String>,
    /// Columns that move the margins: XGBoost's `base_margin`, LightGBM's `init_score`, CatBoost's
    /// `baseline`
    ///
    /// One column; a model of several margins takes one for each, `a,b,c`, in the order of its
    /// classes. XGBoost starts there in place of its base score; for LightGBM, whose own `predict`
    /// leaves it to the user, and for CatBoost it is added. A missing value stops the run unless
    /// `--on-null` says otherwise. Names that hold commas are quoted as in CSV: `'"a,b",c'`.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offset: Vec<String>,
}

/// A text, as manifests of earlier versions hold it, or several.
fn one_or_several<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    Ok(
        Option::<Texts>::deserialize(deserializer)?.map(|texts| match texts {
            Texts::One(text) => vec![text],
            Texts::Several(texts) => texts,
        }),
    )
}

/// What comes out.
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
pub struct OutcomeArgs {
    /// The columns that come along: `id,region`, `all` or `none` [default: all that are not
    /// features]
    ///
    /// Names that hold commas are quoted as in CSV: `'"a,b",c'`.
    #[arg(
        long,
        value_name = "COLUMNS",
        allow_hyphen_values = true,
        help_heading = "Outcome"
    )]
    pub passthrough: Option<Vec<String>>,
    /// Also write the raw scores before the link, as `margin`
    #[arg(long, help_heading = "Outcome")]
    pub raw: bool,
    /// The least probability that is called positive, of two classes [default: the model's, else
    /// 0.5]
    #[arg(
        long,
        value_name = "PROBABILITY",
        allow_negative_numbers = true,
        help_heading = "Outcome"
    )]
    pub threshold: Option<f64>,
    /// Read a CatBoost model as so many virtual ensembles, and write how sure it is
    ///
    /// Regression adds `ensemble_mean` and `knowledge_uncertainty` (with `RMSEWithUncertainty`
    /// also `data_uncertainty`), classification `data_uncertainty` and `total_uncertainty`: the
    /// numbers of `virtual_ensembles_predict(prediction_type="TotalUncertainty")`.
    #[arg(long, value_name = "N", help_heading = "Outcome")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_ensembles: Option<usize>,
    /// How many trees to use: `library`, `best` (up to the best iteration where the model stores
    /// one), `all`, or a number of rounds [default: library]
    ///
    /// `library` uses as many as the library that saved the file: an XGBoost estimator of the
    /// scikit-learn interface stops at its best iteration, a booster uses all trees. LightGBM and
    /// CatBoost cut the trees there when they save. Where fewer trees are used than there are, the
    /// summary and the report say so.
    #[arg(long, value_name = "library|best|all|N", help_heading = "Outcome")]
    pub trees: Option<String>,
}

/// Resources.
#[derive(Clone, Debug, Args, Deserialize, Serialize)]
pub struct ResourceArgs {
    /// Worker threads [default: what affinity and the container's CPU quota allow]
    #[arg(
        short = 'j',
        long,
        value_name = "N",
        allow_negative_numbers = true,
        env = "TALLOW_THREADS",
        help_heading = "Resources"
    )]
    pub threads: Option<usize>,
    /// The most rows of a batch; the output does not depend on it
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Resources"
    )]
    pub batch_rows: Option<usize>,
    /// The most memory of the whole process, such as `1GiB`; the output does not depend on it
    ///
    /// It holds as peak resident size: portions become smaller and workers fewer. What cannot hold
    /// is refused before the first row, and the message says what would do. `tallow check` says
    /// what a run is expected to take at most.
    #[arg(
        long,
        value_name = "SIZE",
        allow_negative_numbers = true,
        env = "TALLOW_MEMORY",
        help_heading = "Resources"
    )]
    pub memory: Option<String>,
    /// Let messages hold the value that stops a run; without it values of rows stay out of
    /// messages and logs
    #[arg(long, help_heading = "Display")]
    #[serde(default)]
    pub show_values: bool,
}

/// `tallow inspect`
#[derive(Clone, Debug, Args)]
pub struct InspectArgs {
    /// A model file or package, a data file or a directory of them, a data set that tallow wrote,
    /// or a report
    #[arg(value_name = "PATH", required = true)]
    pub path: PathBuf,
    /// How many trees count: as `tallow score --trees`
    #[arg(long, value_name = "library|best|all|N")]
    pub trees: Option<String>,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}

/// `tallow retry`
///
/// The rejected rows lie in the data set's `_tallow/rejected/`: change what is wrong with them
/// there, or in a copy named by `--mended`, and keep the columns `rejected_file`
/// and `rejected_row`, which say where each row belongs. Parts without a mended row are not
/// touched; where nothing was mended, there is nothing to do.
#[derive(Clone, Debug, Args)]
pub struct RetryArgs {
    /// The data set, as `tallow score --output DIR/` wrote it
    #[arg(value_name = "DIR", required = true)]
    pub directory: PathBuf,
    /// Tables with the mended rows, each of a row that was rejected [default: the data set's own
    /// `_tallow/rejected/`]
    #[arg(long, value_name = "FILES")]
    pub mended: Vec<PathBuf>,
    /// Exit with this code instead of 0 if nothing was mended: 99 is what Airflow skips on
    #[arg(long, value_name = "CODE", allow_negative_numbers = true)]
    pub skip_code: Option<u8>,
    /// Who is told of the run
    #[command(flatten)]
    pub observers: ObserverArgs,
    /// Resources
    #[command(flatten)]
    pub resources: ResourceArgs,
}
