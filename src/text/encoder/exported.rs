//! An encoder that was exported as an ONNX graph, as optimum and sentence-transformers do: token
//! ids in, vectors or logits out.
//!
//! Owns which numbers of the tokenizer each input takes, which output answers a task, and how texts
//! go through the graph without padding. Operators are [`crate::graph`]'s business.

use std::sync::Arc;

use super::description::reading_facts;
use super::family::describe;

use super::head::Head;
use super::packed::{Forward, PackedTokens, Pass};
use super::parts::{GraphPart, Parts, Processor, TextOptions, TextTask};
use super::pooling::Pooling;
use super::ports::{Feed, First, SENTENCE, feeds, no_answer, output};
use super::reads::{self, Reads};
use super::text_model::{Reading, Tables, TextModel};
use super::{ProductPrecision, reading, task};
use crate::error::{Error, Result};
use crate::graph::{ElementType, Graph, Tensor, Value};
use crate::memory::{self, Pool};
use crate::model::{Description, LoadedModel};

/// About how many tokens go through together.
const BATCH_TOKENS: usize = 1 << 11;

/// Tokens of the texts of a trial run.
const TRIAL_TOKENS: usize = 5;

/// What a trial run may take of the memory that is left: one part of so many.
const TRIAL_SHARE: u64 = 4;

/// The largest vocabulary and table of token types that a configuration may name.
const MAX_COUNT: usize = 1 << 30;

/// What one run of the graph gives for each text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One vector for each token.
    Tokens,
    /// One vector for the text.
    Text,
}

/// A graph between a tokenizer and what stands behind an encoder.
#[derive(Debug)]
struct Exported {
    graph: Arc<Graph>,
    /// What each input takes, and whether in 64 bits.
    feeds: Vec<(Feed, bool)>,
    /// The output that is read.
    output: usize,
    shape: Shape,
    /// Numbers of a vector.
    width: usize,
    /// Whether each text goes through by itself, because others would change its numbers.
    goes_alone: bool,
}

/// The model that the files are.
///
/// # Errors
/// As [`fn@super::assemble`]; a contract error for a graph whose inputs or outputs are not those
/// of a text model.
pub(super) fn assemble(
    parts: &Parts,
    part: &GraphPart,
    options: &TextOptions,
) -> Result<LoadedModel> {
    refuse_options(options)?;
    let task = task::task(parts, options)?;
    task::refuse_options(parts, task, options)?;
    let described = describe(&parts.config).ok();
    let reads = match &described {
        Some(described) => Reads::encoder(parts, described),
        None => Reads::exported(parts, MAX_COUNT)?,
    };
    let positions = described.as_ref().map(First::of);
    let forward = Exported::open(parts, part, task, reads.vocabulary, positions)
        .map_err(|error| error.at_node(part.file.clone()))?;
    let (reading, is_pair) = reading(parts, options, task, &forward)?;
    let mut tokenizer = reads::tokenizer(parts, options, task, reads, is_pair)?;
    let reading = reading::fitted(reading, parts, &mut tokenizer)?;
    let type_count = parts
        .config
        .count(&["type_vocab_size"], MAX_COUNT)
        .ok()
        .flatten()
        .unwrap_or(2);
    let tables = Tables {
        hidden: forward.width,
        vocabulary: reads.vocabulary,
        type_count: if reading::gives_types(parts) {
            type_count
        } else {
            1
        },
        positions: None,
    };
    let alone = forward.goes_alone.then(|| "text by text".to_owned());
    let facts = [
        (
            "architecture",
            parts.config.text("model_type").map(str::to_owned),
        ),
        ("task", Some(task.name().to_owned())),
        ("graph", Some(part.file.clone())),
        ("graph_output", part.outputs.get(forward.output).cloned()),
        ("runs_as", alone),
        ("max_tokens", Some(tokenizer.max_tokens().to_string())),
    ];
    let facts = facts
        .into_iter()
        .chain(reading_facts(parts, options, &reading))
        .chain([(
            "prompt",
            Some(tokenizer.prompt.clone()).filter(|prompt| !prompt.is_empty()),
        )])
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    let description = Description {
        format: "huggingface".to_owned(),
        format_version: parts.config.text("transformers_version").map(str::to_owned),
        facts,
        sidecars: Vec::new(),
    };
    let model = TextModel {
        tokenizer,
        forward: Box::new(forward),
        tables,
        reading,
        input_count: if is_pair { 2 } else { 1 },
    };
    Ok(reading::loaded(model, description))
}

/// Fails for options that mean nothing to a graph.
fn refuse_options(options: &TextOptions) -> Result<()> {
    if let Some(precision) = options
        .precision
        .filter(|precision| *precision != ProductPrecision::Single)
    {
        let name = match precision {
            ProductPrecision::Bytes => "int8",
            ProductPrecision::Single | ProductPrecision::SingleExact => "f32-exact",
        };
        return Err(Error::usage(format!(
            "`--precision {name}` has no effect on a model in ONNX, whose file decides it"
        ))
        .hint("remove `--precision`, or save the model with `model.safetensors`"));
    }
    if matches!(options.processor, Processor::Cuda(_)) {
        return Err(Error::usage("a model in ONNX runs on the CPU only")
            .hint("remove `--device`, or save the model with `model.safetensors`"));
    }
    Ok(())
}

/// What becomes of the graph's vectors, and whether texts come in pairs.
fn reading(
    parts: &Parts,
    options: &TextOptions,
    task: TextTask,
    forward: &Exported,
) -> Result<(Reading, bool)> {
    if task == TextTask::Embedding && forward.shape == Shape::Text {
        let mut pooling = Pooling::of_texts(&[], forward.width)?;
        pooling.shorten(
            reading::dimensions(parts, options),
            options.normalizes.unwrap_or(false),
        )?;
        let reading = Reading::Embedding {
            pooling,
            passed_over: 0,
        };
        return Ok((reading, false));
    }
    reading::reading(parts, options, task, forward.width, &mut |labels, _| {
        if labels == forward.width {
            Ok(Head::none())
        } else {
            Err(Error::contract(format!(
                "the graph gives {} numbers for the {labels} labels of config.json",
                forward.width
            ))
            .hint("export the model again, with the config.json that belongs to it"))
        }
    })
}

impl Reads {
    /// What an encoder of a family that tallow does not know reads.
    fn exported(parts: &Parts, max_count: usize) -> Result<Self> {
        let count = |name: &str| {
            let count = parts.config.count(&[name], max_count);
            count.map_err(|error| error.at_node("config.json"))
        };
        let room = count("max_position_embeddings")?;
        Ok(Self::of(
            parts,
            room,
            count("vocab_size")?.unwrap_or(max_count),
        ))
    }
}

impl Exported {
    /// The graph for a task, tried on two texts.
    fn open(
        parts: &Parts,
        part: &GraphPart,
        task: TextTask,
        vocabulary: usize,
        positions: Option<First>,
    ) -> Result<Self> {
        let mut goes_alone = part.graph.mixes_rows();
        let feeds = feeds(&part.inputs, positions, &mut goes_alone)?;
        let output = output(parts, part, task)?;
        let mut exported = Self {
            graph: part.graph.clone(),
            feeds,
            output,
            shape: Shape::Tokens,
            width: 0,
            goes_alone,
        };
        exported.try_out(vocabulary).map_err(|error| {
            Error::contract("the graph does not run on two short texts").because(error)
        })?;
        let expected = match task {
            TextTask::Embedding if part.outputs[output] == SENTENCE => Shape::Text,
            TextTask::Embedding | TextTask::TokenClassification => Shape::Tokens,
            TextTask::Classification | TextTask::Reranking => Shape::Text,
        };
        if exported.shape != expected {
            return Err(no_answer(part, task));
        }
        Ok(exported)
    }

    /// Finds by trial runs what comes out, and whether texts change each other's numbers.
    fn try_out(&mut self, vocabulary: usize) -> Result<()> {
        let last = u32::try_from(vocabulary.saturating_sub(1)).unwrap_or(u32::MAX);
        let text = |first: u32| -> Vec<u32> {
            let ids = first..first + TRIAL_TOKENS as u32;
            ids.map(|id| id.min(last)).collect()
        };
        let mut both = PackedTokens::new();
        let types = [0; TRIAL_TOKENS];
        both.push(&text(2), &types, None);
        both.push(&text(4), &types, None);
        let run = |first: usize, count: usize| {
            let left = Pool::of_process().left() / TRIAL_SHARE;
            memory::confined(left, || self.run(&both, first, count, TRIAL_TOKENS)).0
        };
        let alone = [run(0, 1)?, run(1, 1)?];
        let (shape, width) = match *alone[0].shape() {
            [1, TRIAL_TOKENS, width] => (Shape::Tokens, width),
            [1, width] => (Shape::Text, width),
            ref other => return Err(other_shape(other)),
        };
        let together = if self.goes_alone {
            None
        } else {
            run(0, 2).ok().and_then(|values| numbers(&values).ok())
        };
        let separate = [numbers(&alone[0])?, numbers(&alone[1])?].concat();
        let is_same = together.is_some_and(|together| {
            together
                .iter()
                .map(|value| value.to_bits())
                .eq(separate.iter().map(|value| value.to_bits()))
        });
        (self.shape, self.width, self.goes_alone) = (shape, width, !is_same);
        Ok(())
    }

    /// What the graph gives for texts of one length.
    fn run(
        &self,
        tokens: &PackedTokens,
        first: usize,
        count: usize,
        length: usize,
    ) -> Result<Tensor> {
        let start = tokens.starts()[first];
        let range = start..start + count * length;
        let input = |&(feed, is_wide): &(Feed, bool)| {
            let values: Vec<u32> = match feed {
                Feed::Ids => tokens.ids()[range.clone()].to_vec(),
                Feed::Types => tokens.types()[range.clone()].to_vec(),
                Feed::Mask => vec![1; range.len()],
                Feed::Positions(first) => tokens.ids()[range.clone()]
                    .chunks(length.max(1))
                    .flat_map(|ids| first.rows(ids))
                    .collect(),
            };
            let shape = vec![count, length];
            let tensor = if is_wide {
                Tensor::new(shape, values.into_iter().map(i64::from).collect())
            } else {
                Tensor::new(shape, values.into_iter().map(|id| id as i32).collect())
            };
            tensor.map(Value::Tensor)
        };
        let inputs = self.feeds.iter().map(input).collect::<Result<Vec<_>>>()?;
        let mut outputs = self.graph.run(inputs)?;
        outputs.swap_remove(self.output).into_tensor()
    }

    /// How many texts from this one on go through together: as long as they have its length.
    fn group(&self, starts: &[usize], first: usize) -> usize {
        let length = starts[first + 1] - starts[first];
        let most = if self.goes_alone {
            1
        } else {
            (BATCH_TOKENS / length.max(1)).max(1)
        };
        starts[first..]
            .windows(2)
            .take(most)
            .take_while(|ends| ends[1] - ends[0] == length)
            .count()
    }
}

impl Pass for &Exported {
    fn hidden(&mut self, tokens: &PackedTokens, out: &mut Vec<f32>) -> Result<()> {
        out.clear();
        let starts = tokens.starts();
        let mut first = 0;
        while first < tokens.text_count() {
            let count = self.group(starts, first);
            let length = starts[first + 1] - starts[first];
            let expected = match self.shape {
                Shape::Tokens => vec![count, length, self.width],
                Shape::Text => vec![count, self.width],
            };
            if length == 0 {
                out.resize(out.len() + expected.iter().product::<usize>(), 0.0);
            } else {
                let values = self.run(tokens, first, count, length)?;
                if values.shape() != expected {
                    return Err(other_shape(values.shape()));
                }
                out.extend(numbers(&values)?);
            }
            first += count;
        }
        Ok(())
    }
}

impl Forward for Exported {
    fn pass(&self) -> Box<dyn Pass + '_> {
        Box::new(self)
    }

    fn is_pooled(&self) -> bool {
        self.shape == Shape::Text
    }

    fn batch_tokens(&self) -> usize {
        BATCH_TOKENS
    }

    fn memory_bytes(&self) -> usize {
        self.graph.memory_bytes()
    }
}

fn other_shape(shape: &[usize]) -> Error {
    Error::contract(format!(
        "the graph gives a tensor of shape {shape:?} where one vector for each text or each of \
         its tokens is expected"
    ))
}

/// The numbers in single precision.
fn numbers(values: &Tensor) -> Result<Vec<f32>> {
    match values.element_type() {
        ElementType::Float => Ok(values.values::<f32>()?.to_vec()),
        _ => Ok(values.doubles()?.into_iter().map(|x| x as f32).collect()),
    }
}
