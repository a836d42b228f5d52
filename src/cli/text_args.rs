//! What a user types for text models: clap derives only. The doc comments are the manual.

use clap::Args;

use crate::request::text::{AggregationName, PrecisionName, TaskName};

/// Text models. What a package says under `[text]`, `[[inputs]]` and `task` comes after what is
/// said here; `device` no package says.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct TextArgs {
    /// The column of texts [default: the only string column, or `text`]
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Text models"
    )]
    pub text: Option<String>,
    /// The column of second texts, for models of pairs
    #[arg(
        long,
        value_name = "COLUMN",
        allow_hyphen_values = true,
        help_heading = "Text models"
    )]
    pub text_pair: Option<String>,
    /// Task of the model [default: from its files]
    #[arg(long, value_enum, value_name = "TASK", help_heading = "Text models")]
    pub task: Option<TaskName>,
    /// Prefix every text with one of the model's prompts, or `none`
    ///
    /// [default: the model's default prompt]
    #[arg(
        long,
        value_name = "NAME",
        allow_hyphen_values = true,
        help_heading = "Text models"
    )]
    pub prompt: Option<String>,
    /// Prefix every text with this, such as `search_query: `
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = "Text models"
    )]
    pub prompt_text: Option<String>,
    /// Keep only the first N numbers of each vector (Matryoshka models)
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Text models"
    )]
    pub dimensions: Option<usize>,
    /// Scale vectors to length 1, after `--dimensions`
    ///
    /// `--normalize=false` overrides a package.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", help_heading = "Text models")]
    pub normalize: Option<bool>,
    /// Maximum tokens per text [default: the model's limit]
    ///
    /// Special tokens included. Longer texts are truncated and counted.
    #[arg(
        long,
        value_name = "TOKENS",
        allow_negative_numbers = true,
        help_heading = "Text models"
    )]
    pub max_tokens: Option<usize>,
    /// Split long texts into chunks of this many tokens and average their vectors
    #[arg(
        long,
        value_name = "TOKENS",
        allow_negative_numbers = true,
        help_heading = "Text models"
    )]
    pub chunk: Option<usize>,
    /// Tokens that a chunk shares with the one before [default: 0]
    #[arg(
        long,
        value_name = "TOKENS",
        allow_negative_numbers = true,
        help_heading = "Text models"
    )]
    pub stride: Option<usize>,
    /// How token labels become entities [default: simple]
    ///
    /// As in transformers' pipeline.
    #[arg(
        long,
        value_enum,
        value_name = "STRATEGY",
        help_heading = "Text models"
    )]
    pub aggregation: Option<AggregationName>,
    /// Precision of the text model's products
    ///
    /// `int8` is faster and slightly less accurate.
    #[arg(
        long,
        value_enum,
        value_name = "PRECISION",
        help_heading = "Text models"
    )]
    pub precision: Option<PrecisionName>,
    /// Where a text model runs: `cpu`, `cuda:0` or `reference`
    ///
    /// `cuda:0` needs a build with `--features cuda`. `reference` is the CPU without tallow's own
    /// kernels: slow, for comparison.
    #[arg(long, value_name = "DEVICE", help_heading = "Text models")]
    pub device: Option<String>,
}
