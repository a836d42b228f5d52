//! Static embeddings: the mean of the vectors of a text's tokens, without any encoder.
//!
//! Owns sentence-transformers' `StaticEmbedding` and the weights that model2vec saves for it. A
//! text goes through as its tokens alone, without marks, and without a cut unless the tokenizer has
//! one.

use serde::Deserialize;

use super::load::{TensorFiles, numbers};
use super::packed::{Forward, PackedTokens, Pass};
use super::parts::{Parts, Processor, TextOptions, TextTask};
use super::pooling::Pooling;
use super::reads::{self, Reads};
use super::text_model::{Reading, Tables, TextModel};
use super::{ProductPrecision, reading, task};
use crate::error::{Error, Result};
use crate::model::{Description, LoadedModel};

/// The most tokens where nothing limits them: more than a text can have.
const UNLIMITED_TOKENS: usize = 1 << 30;

/// About how many tokens go together.
const BATCH_TOKENS: usize = 1 << 16;

/// A vector for each token, of which a text's are averaged.
#[derive(Debug)]
pub(super) struct Bag {
    /// \[rows × width\].
    table: Vec<f32>,
    width: usize,
    /// The row of each token; none: its own.
    rows: Option<Vec<u32>>,
    /// What the vector of each token is multiplied by.
    weights: Option<Vec<f32>>,
}

impl Bag {
    fn load(files: &mut TensorFiles<'_>) -> Result<Self> {
        let name = if files.has("embedding.weight") {
            "embedding.weight"
        } else {
            "embeddings"
        };
        let shape = files.shape(name).unwrap_or_default();
        let &[row_count, width] = shape.as_slice() else {
            return Err(Error::contract(
                "the weights have no table of vectors, `embedding.weight`",
            )
            .at_node("model.safetensors"));
        };
        let table = files.take(name, &shape);
        let rows = files
            .has("mapping")
            .then(|| files.indices("mapping", row_count));
        let token_count = rows.as_ref().map_or(row_count, Vec::len);
        let weights = files
            .has("weights")
            .then(|| files.take("weights", &[token_count]));
        files.check()?;
        files.check_all_read(&|_| false)?;
        Ok(Self {
            table: numbers(&table)?,
            width,
            rows,
            weights: weights.as_ref().map(numbers).transpose()?,
        })
    }

    fn token_count(&self) -> usize {
        self.rows
            .as_ref()
            .map_or(self.table.len() / self.width.max(1), Vec::len)
    }

    /// The mean of the tokens' vectors, summed in their order; 0 for none.
    fn mean(&self, tokens: &[u32], out: &mut Vec<f32>) {
        let mut sums = vec![0_f64; self.width];
        for token in tokens {
            let row = self
                .rows
                .as_ref()
                .map_or(*token, |rows| rows[*token as usize]) as usize;
            let weight = self
                .weights
                .as_ref()
                .map_or(1.0, |weights| weights[*token as usize]);
            let vector = &self.table[row * self.width..][..self.width];
            sums.iter_mut()
                .zip(vector)
                .for_each(|(sum, value)| *sum += f64::from(value * weight));
        }
        let count = tokens.len().max(1) as f64;
        out.extend(sums.iter().map(|sum| (sum / count) as f32));
    }
}

impl Pass for &Bag {
    fn hidden(&mut self, tokens: &PackedTokens, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        tokens
            .starts()
            .windows(2)
            .for_each(|ends| self.mean(&tokens.ids()[ends[0]..ends[1]], out));
        Ok(())
    }
}

impl Forward for Bag {
    fn pass(&self) -> Box<dyn Pass + '_> {
        Box::new(self)
    }

    fn is_pooled(&self) -> bool {
        true
    }

    fn batch_tokens(&self) -> usize {
        BATCH_TOKENS
    }

    fn memory_bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, Vec::len);
        (self.table.len() + rows + self.weights.as_ref().map_or(0, Vec::len)) * size_of::<f32>()
    }
}

/// The model that the files are.
///
/// # Errors
/// As [`fn@super::assemble`].
pub(super) fn assemble(mut parts: Parts, options: &TextOptions) -> Result<LoadedModel> {
    refuse_options(&parts, options)?;
    let content = std::mem::take(&mut parts.weights);
    let mut files = TensorFiles::open(&content)?;
    let bag = Bag::load(&mut files)?;
    let parameter_count = files.parameter_count;
    drop(content);
    let mut pooling = Pooling::of_texts(parts.modules.as_deref().unwrap_or_default(), bag.width)?;
    pooling.shorten(
        reading::dimensions(&parts, options),
        options.normalizes.unwrap_or(false),
    )?;
    let reads = reads(&parts.tokenizer, bag.token_count())?;
    let tokenizer = reads::tokenizer(&parts, options, TextTask::Embedding, reads, false)?;
    let tables = Tables {
        hidden: bag.width,
        vocabulary: reads.vocabulary,
        type_count: 1,
        positions: None,
    };
    let max_tokens = Some(tokenizer.max_tokens()).filter(|count| *count < UNLIMITED_TOKENS);
    let facts = [
        ("architecture", Some("static embedding".to_owned())),
        ("task", Some(TextTask::Embedding.name().to_owned())),
        ("parameters", Some(parameter_count.to_string())),
        ("vocabulary", Some(reads.vocabulary.to_string())),
        ("max_tokens", max_tokens.map(|count| count.to_string())),
        ("chunk", options.chunk.map(|chunk| chunk.to_string())),
        ("stride", options.stride.map(|stride| stride.to_string())),
        ("pooling", Some(pooling.described())),
        ("dimensions", Some(pooling.dimensions.to_string())),
        (
            "prompt",
            Some(tokenizer.prompt.clone()).filter(|prompt| !prompt.is_empty()),
        ),
    ];
    let facts = facts
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    let description = Description {
        format: "huggingface".to_owned(),
        format_version: None,
        facts,
        sidecars: Vec::new(),
    };
    let reading = Reading::Embedding {
        pooling,
        passed_over: 0,
    };
    let model = TextModel {
        tokenizer,
        forward: Box::new(bag),
        tables,
        reading,
        input_count: 1,
    };
    Ok(reading::loaded(model, description))
}

/// Fails for options that mean nothing to a table of vectors.
fn refuse_options(parts: &Parts, options: &TextOptions) -> Result<()> {
    if let Some(task) = options.task.filter(|task| *task != TextTask::Embedding) {
        let error = Error::contract(format!(
            "`--task {}` needs a head, and the model is a table of vectors",
            task.name()
        ));
        return Err(error.at_node("modules.json").hint("remove `--task`"));
    }
    task::refuse_options(parts, TextTask::Embedding, options)?;
    if options.precision == Some(ProductPrecision::Bytes) {
        return Err(
            Error::usage("`--precision int8` has no effect on a table of vectors")
                .hint("remove `--precision`"),
        );
    }
    if matches!(options.processor, Processor::Cuda(_)) {
        return Err(
            Error::usage("a table of vectors runs on the CPU only").hint("remove `--device`")
        );
    }
    Ok(())
}

/// What the tokenizer's own cut leaves of a text: unlike an encoder's, it counts.
fn reads(tokenizer: &[u8], vocabulary: usize) -> Result<Reads> {
    #[derive(Deserialize)]
    struct Outline {
        truncation: Option<Truncation>,
    }
    #[derive(Deserialize)]
    struct Truncation {
        max_length: usize,
        #[serde(default)]
        direction: String,
    }
    let outline: Outline = serde_json::from_slice(tokenizer)
        .map_err(|error| Error::failed("cannot read `tokenizer.json`").because(error))?;
    let truncation = outline.truncation.unwrap_or(Truncation {
        max_length: UNLIMITED_TOKENS,
        direction: String::new(),
    });
    Ok(Reads {
        room: None,
        max_tokens: truncation.max_length.min(UNLIMITED_TOKENS),
        vocabulary,
        is_left: Some(truncation.direction == "Left"),
        adds_specials: false,
    })
}
