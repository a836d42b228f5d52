//! What a run asks of a text model.
//!
//! Owns these options. It must not know how they are typed or checked.

use serde::{Deserialize, Serialize};

/// Text models. What a package says under `[text]`, `[[inputs]]` and `task` comes after what is
/// said here; `device` no package says.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct TextModel {
    /// The column of texts [default: the only string column, or `text`]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The column of second texts, for models of pairs
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// Task of the model [default: from its files]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskName>,
    /// Prefix every text with one of the model's prompts, or `none`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Prefix every text with this, such as `search_query: `
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_text: Option<String>,
    /// Keep only the first N numbers of each vector (Matryoshka models)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<usize>,
    /// Scale vectors to length 1, after `--dimensions`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalize: Option<bool>,
    /// Maximum tokens per text [default: the model's limit]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Split long texts into chunks of this many tokens and average their vectors
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunk: Option<usize>,
    /// Tokens that a chunk shares with the one before [default: 0]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// How token labels become entities [default: simple]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation: Option<AggregationName>,
    /// Precision of the text model's products
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<PrecisionName>,
    /// Where a text model runs: `cpu`, `cuda:0` or `reference`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

/// What a text model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskName {
    /// A vector for each text
    Embedding,
    /// Labels or a number for each text, or pair of texts
    Classification,
    /// A score for each pair of texts
    Reranking,
    /// Entities in each text
    TokenClassification,
}

/// How products of matrices are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrecisionName {
    /// Single precision; with AMX, 17 bits of each number are multiplied
    F32,
    /// Single precision with all 24 bits on every processor
    F32Exact,
    /// Bytes, scaled per row and per column
    Int8,
}

/// How the labels of tokens become entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AggregationName {
    /// Each token on its own, with its label unchanged
    None,
    /// Adjacent tokens of one label, merged
    Simple,
    /// Words, labelled by their first token
    First,
    /// Words, labelled by the mean of their tokens
    Average,
    /// Words, labelled by their most certain token
    Max,
}
