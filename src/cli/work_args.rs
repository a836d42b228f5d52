//! Model, data and how columns are bound: flags that clap derives.

use std::path::PathBuf;

use clap::Args;

use super::challenger_args::ChallengerArgs;
use super::quality_args::QualityArgs;
use super::registry_args::LookupArgs;
use super::rows_args::RowsArgs;
use super::signature_args::TrustArgs;
use super::text_args::TextArgs;

/// Model, data and how columns are bound: what `score` and `check` share.
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
    /// Where names of models are looked up
    #[command(flatten)]
    pub lookup: LookupArgs,
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
    /// Read column FROM as TO; may be repeated
    #[arg(
        long,
        value_name = "FROM=TO",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub rename: Vec<String>,
    /// Columns for the model, in its order
    ///
    /// `a,b,c` or `/regex/`. Only needed for models that do not name their features. For other
    /// models it binds by position. A regex takes the columns in the data's order and prints a
    /// warning. Quote names that contain commas as in CSV: `'"a,b",c'`. For an ONNX graph with
    /// several inputs, `INPUT=a,b` names the columns of one input; repeat it for each.
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
    /// Missing: error, reject, null or a number
    ///
    /// `COLUMN=POLICY` is for one column. `error` stops the run. `reject` rejects the row and
    /// counts it. `null` passes a missing value to the model. A number replaces the missing value.
    /// By default, models that support missing values get them. A scikit-learn pipeline rejects the
    /// row where the library would raise an error, and other models stop the run.
    #[arg(
        long,
        value_name = "[COLUMN=]POLICY",
        allow_hyphen_values = true,
        help_heading = "Binding"
    )]
    pub on_null: Vec<String>,
    /// Values that do not fit: as `--on-null`
    ///
    /// They are categories that training did not see, text that is not a number and lists of the
    /// wrong length. By default an unseen category is treated as in the model's own library. Where
    /// that library refuses it (XGBoost with stored categories, networks), the run stops. Text
    /// that is not a number and lists of the wrong length stop the run. In an ONNX graph, the
    /// encoders decide about categories.
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
    /// Drop these columns from predictions and rejected rows
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
