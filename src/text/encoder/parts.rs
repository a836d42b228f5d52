//! The files of a text model, read but not understood, and what a user asks of it.

use std::sync::Arc;

use serde::Deserialize;

use super::config::Config;
use super::precision::ProductPrecision;
use crate::graph::{ElementType, Graph};

/// All files of a Hugging Face directory that matter.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// `config.json`.
    pub config: Config,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `tokenizer_config.json`; empty where it is missing.
    pub tokenizer_config: Config,
    /// `special_tokens_map.json`, where `tokenizer_config.json` does not list the tokens; empty
    /// where it is missing.
    pub special_tokens: Config,
    /// `added_tokens.json`, likewise.
    pub added_tokens: Config,
    /// What the first module of `modules.json` is.
    pub entry: Entry,
    /// sentence-transformers' settings of the encoder, such as `sentence_bert_config.json`; empty
    /// where they are missing.
    pub transformer_settings: Config,
    /// `config_sentence_transformers.json`; empty where it is missing.
    pub sentence_settings: Config,
    /// (name, content) of every safetensors file of the encoder.
    pub weights: Vec<(String, Vec<u8>)>,
    /// The encoder as an ONNX graph, where there are no safetensors files.
    pub graph: Option<GraphPart>,
    /// The modules behind the encoder that `modules.json` lists; none without such a file.
    pub modules: Option<Vec<ModulePart>>,
}

/// What reads the texts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Entry {
    /// An encoder of transformers.
    #[default]
    Transformer,
    /// A table of vectors, of which the text's are averaged.
    StaticEmbedding,
}

/// A module of `modules.json`.
#[derive(Clone, Debug, Default)]
pub struct ModulePart {
    /// The last part of its type's name, such as `Pooling`.
    pub kind: String,
    /// Its `config.json`.
    pub config: Config,
    /// Its `model.safetensors`, if there is one.
    pub weights: Option<Vec<u8>>,
}

/// A graph, as its file describes it.
#[derive(Clone, Debug)]
pub struct GraphPart {
    /// The file's path in the directory.
    pub file: String,
    /// What runs.
    pub graph: Arc<Graph>,
    /// Its inputs, in order.
    pub inputs: Vec<GraphInput>,
    /// The names of its outputs, in order.
    pub outputs: Vec<String>,
}

/// An input of a graph.
#[derive(Clone, Debug)]
pub struct GraphInput {
    /// Its name.
    pub name: String,
    /// The type of its elements; none if the file does not declare it.
    pub element: Option<ElementType>,
    /// The lengths of its axes, none where they are open; none if it is not a tensor of a declared
    /// number of axes.
    pub shape: Option<Vec<Option<usize>>>,
}

/// What a text model is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTask {
    /// A vector for each text.
    Embedding,
    /// Labels or numbers for each text, or for each pair.
    Classification,
    /// A score for each pair of texts.
    Reranking,
    /// Entities in each text.
    TokenClassification,
}

impl TextTask {
    /// The name in reports and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embedding => "embedding",
            Self::Classification => "classification",
            Self::Reranking => "reranking",
            Self::TokenClassification => "token-classification",
        }
    }
}

/// How the labels of tokens become entities, as in transformers' pipeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// Every token by itself.
    None,
    /// Neighbours of one label together.
    #[default]
    Simple,
    /// Words by their first token.
    First,
    /// Words by the mean of their tokens.
    Average,
    /// Words by their surest token.
    Max,
}

impl Aggregation {
    /// The name in reports and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Simple => "simple",
            Self::First => "first",
            Self::Average => "average",
            Self::Max => "max",
        }
    }
}

/// Where the encoder runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processor {
    /// On the CPU.
    #[default]
    Cpu,
    /// On the CUDA device of this number, by candle's operations.
    Cuda(u16),
    /// On the CPU, but by candle's operations as on another device: to compare with, slow.
    Reference,
}

impl Processor {
    /// What users call it.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Cpu => "cpu".to_owned(),
            Self::Cuda(number) => format!("cuda:{number}"),
            Self::Reference => "reference".to_owned(),
        }
    }
}

/// What a user, or a package, asks of a text model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextOptions {
    /// What it is used for; none: what the files say.
    pub task: Option<TextTask>,
    /// Whether a second column of texts was named.
    pub has_pair: bool,
    /// The name of one of the model's prompts.
    pub prompt: Option<String>,
    /// A text to put before every text.
    pub prompt_text: Option<String>,
    /// Numbers of a vector to keep.
    pub dimensions: Option<usize>,
    /// Whether vectors are scaled to length 1 at the end; none: they are not.
    pub normalizes: Option<bool>,
    /// The most tokens of a text, special ones included.
    pub max_tokens: Option<usize>,
    /// Tokens of a chunk, special ones included.
    pub chunk: Option<usize>,
    /// Tokens that a chunk shares with the one before.
    pub stride: Option<usize>,
    /// How tokens become entities.
    pub aggregation: Option<Aggregation>,
    /// The least probability that is called positive.
    pub threshold: Option<f64>,
    /// Whether raw scores come out too.
    pub raw: bool,
    /// How products of matrices are computed; none: in single precision.
    pub precision: Option<ProductPrecision>,
    /// Where it runs.
    pub processor: Processor,
}

impl TextOptions {
    /// What a user asks, and where they leave something open, what the package says. What was said
    /// of one task does not count for another, and of two ways to say one thing the user's stands
    /// alone.
    #[must_use]
    pub fn over(self, package: Self) -> Self {
        let is_other_task =
            matches!((self.task, package.task), (Some(asked), Some(packaged)) if asked != packaged);
        let package = if is_other_task {
            Self {
                precision: package.precision,
                max_tokens: package.max_tokens,
                ..Self::default()
            }
        } else {
            package
        };
        let (prompt, prompt_text) = match (self.prompt, self.prompt_text) {
            (None, None) => (package.prompt, package.prompt_text),
            asked => asked,
        };
        let is_cut = self.max_tokens.is_some();
        Self {
            task: self.task.or(package.task),
            has_pair: self.has_pair || package.has_pair,
            prompt,
            prompt_text,
            dimensions: self.dimensions.or(package.dimensions),
            normalizes: self.normalizes.or(package.normalizes),
            max_tokens: self
                .max_tokens
                .or(package.max_tokens.filter(|_| self.chunk.is_none())),
            chunk: self.chunk.or(package.chunk.filter(|_| !is_cut)),
            stride: self.stride.or(package.stride.filter(|_| !is_cut)),
            aggregation: self.aggregation.or(package.aggregation),
            threshold: self.threshold.or(package.threshold),
            raw: self.raw,
            precision: self.precision.or(package.precision),
            processor: self.processor,
        }
    }
}
