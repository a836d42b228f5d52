//! From the files of a directory to a model: which task, which head, which cut, and what a person
//! should know of it.

use serde_json::Value as Json;

use super::classes::{Classes, Meaning};
use super::description::description;
use super::entities::Tagging;
use super::family::{Described, describe};
use super::head::Head;
use super::load::TensorFiles;
use super::meaning::{is_cross_encoder, meaning};
use super::parts::{Entry, Parts, TextOptions, TextTask};
use super::pooling::Pooling;
use super::text_model::{OTHER_TOKENIZER, Reading, Tables, TextModel, Work};
use super::tokenizer::{Cut, TextTokenizer};
use super::unread::{self, PassOver};
use super::{bag, device, exported, forward, names, settings};
use crate::contract::{Contract, Input, InputKind};
use crate::error::{Error, Result};
use crate::model::{Description, LoadedModel};
use crate::outcome::{ABOVE_HALF, Finished, Link, Outcome, Task};

/// The most tokens of a text where nothing says how many a model was made for.
const DEFAULT_TOKENS: usize = 512;

/// A stated maximum above this means that there is none.
const NO_LIMIT: u64 = 1 << 30;

/// What a model is called among several columns of texts.
pub const TEXT: &str = "text";

/// What the second column of a pair is called.
pub const TEXT_PAIR: &str = "text_pair";

/// The model that the files are, for what the user wants of it.
///
/// # Errors
/// A contract error for what is not supported, does not fit together or was asked of the wrong
/// task; [`crate::error::Kind::Failed`] for broken files.
pub fn assemble(mut parts: Parts, options: &TextOptions) -> Result<LoadedModel> {
    settings::check(&parts)?;
    if let Some(graph) = parts.graph.take() {
        return exported::assemble(&parts, &graph, options);
    }
    if parts.entry == Entry::StaticEmbedding {
        return bag::assemble(parts, options);
    }
    let described = describe(&parts.config).map_err(|error| error.at_node("config.json"))?;
    let task = task(&parts, options)?;
    refuse_options(task, options)?;
    let device = device::open(options.processor)?;
    let content = std::mem::take(&mut parts.weights);
    let mut files = TensorFiles::open(&content)?;
    let weights = names::weights(&described, &mut files)?;
    let hidden = described.architecture.hidden;
    let (reading, is_pair) = reading(
        &parts,
        options,
        task,
        hidden,
        &mut |labels, is_per_token| {
            Head::load(&described, &parts.config, labels, is_per_token, &mut files)
        },
    )?;
    files.check()?;
    unread::check(described.family, &files, passed_over(&parts, options, task))?;
    let parameter_count = files.parameter_count;
    // What is packed next would lie in memory beside it.
    drop(content);
    let mut tokenizer = tokenizer(&parts, options, Reads::encoder(&parts, &described), is_pair)?;
    let reading = fitted(reading, &parts, &mut tokenizer)?;
    let embedding = &described.architecture.embedding;
    let tables = Tables {
        hidden: described.architecture.hidden,
        vocabulary: embedding.vocabulary,
        type_count: if gives_types(&parts) {
            embedding.type_count
        } else {
            1
        },
        positions: embedding.positions,
    };
    let description = description(
        &parts,
        options,
        task,
        &described,
        &tokenizer,
        &reading,
        parameter_count,
    );
    let forward = forward(
        described.architecture,
        weights,
        options.precision.unwrap_or_default(),
        device,
    )?;
    let model = TextModel {
        tokenizer,
        forward,
        tables,
        reading,
        input_count: if is_pair { 2 } else { 1 },
        work: Work::default(),
    };
    Ok(loaded(model, description))
}

/// What stands behind the encoder, with what it asks of the tokenizer.
pub(super) fn fitted(
    reading: Reading,
    parts: &Parts,
    tokenizer: &mut TextTokenizer,
) -> Result<Reading> {
    Ok(match reading {
        Reading::Embedding { pooling, .. } => {
            let passed_over = if pooling.includes_prompt || tokenizer.prompt.is_empty() {
                0
            } else {
                tokenizer.prompt_length()?
            };
            Reading::Embedding {
                pooling,
                passed_over,
            }
        }
        Reading::Tokens { head, mut tagging } => {
            tokenizer.keeps_places = true;
            tagging.unknown_id = parts
                .tokenizer_config
                .text("unk_token")
                .and_then(|token| tokenizer.id(token));
            Reading::Tokens { head, tagging }
        }
        other @ Reading::Classification { .. } => other,
    })
}

/// The model with its columns.
pub(super) fn loaded(model: TextModel, description: Description) -> LoadedModel {
    let outcome = Outcome {
        task: Task::Columns(Finished {
            fields: model.fields(),
            ..Finished::default()
        }),
        link: Link::Identity,
    };
    let names = [TEXT, TEXT_PAIR].into_iter().take(model.input_count);
    let contract = Contract {
        inputs: names
            .map(|name| Input::of_kind(name, InputKind::Text))
            .collect(),
        named: false,
        vector: None,
    };
    LoadedModel {
        model: Box::new(model),
        contract,
        outcome,
        description,
    }
}

/// Which tensors of heads the task may do without.
fn passed_over(parts: &Parts, options: &TextOptions, task: TextTask) -> PassOver {
    match task {
        TextTask::Embedding if options.task.is_some() => PassOver::All,
        TextTask::Embedding if parts.modules.is_some() => PassOver::Known,
        _ => PassOver::Other,
    }
}

/// Whether transformers would hand the tokenizer's types of tokens to the model: as its settings
/// say, or the class that wrote them. The class that transformers 5 writes for tokenizers of no
/// family of their own gives none by itself.
pub(super) fn gives_types(parts: &Parts) -> bool {
    match parts
        .tokenizer_config
        .value(&["model_input_names"])
        .and_then(Json::as_array)
    {
        Some(names) => names.iter().any(|name| name == "token_type_ids"),
        None => parts.tokenizer_config.text("tokenizer_class") != Some("TokenizersBackend"),
    }
}

/// What the files say, unless the user says otherwise.
pub(super) fn task(parts: &Parts, options: &TextOptions) -> Result<TextTask> {
    let architecture = parts
        .config
        .value(&["architectures"])
        .and_then(Json::as_array)
        .and_then(|all| all.first())
        .and_then(Json::as_str)
        .unwrap_or_default();
    let pools = parts
        .modules
        .iter()
        .flatten()
        .any(|module| module.kind == "Pooling");
    if let Some(task) = options.task {
        return check_head(architecture, task).map(|()| task);
    }
    if pools {
        return Ok(TextTask::Embedding);
    }
    if architecture.ends_with("ForTokenClassification") {
        return Ok(TextTask::TokenClassification);
    }
    if architecture.ends_with("ForSequenceClassification") {
        let is_number = labels(parts).len() == 1;
        let is_regression = parts.config.text("problem_type") == Some("regression");
        let is_reranker =
            is_number && (is_cross_encoder(parts) || options.has_pair && !is_regression);
        return Ok(if is_reranker {
            TextTask::Reranking
        } else {
            TextTask::Classification
        });
    }
    if [
        "ForQuestionAnswering",
        "ForMultipleChoice",
        "ForNextSentencePrediction",
    ]
    .iter()
    .any(|end| architecture.ends_with(end))
    {
        let error = Error::contract(format!("the task of `{architecture}` is not supported"))
            .at_node("config.json");
        return Err(error.hint(SUPPORTED_TASKS));
    }
    // With modules sentence-transformers takes the encoder whatever the class is.
    if parts.modules.is_none()
        && !architecture.is_empty()
        && !CLASS_ENDS.iter().any(|end| architecture.ends_with(end))
    {
        let error = Error::contract(format!(
            "the class `{architecture}` is not one of transformers' own"
        ))
        .at_node("config.json");
        return Err(error.hint(SUPPORTED_TASKS));
    }
    Ok(TextTask::Embedding)
}

const SUPPORTED_TASKS: &str = "supported: embedding, classification, reranking, \
                               token-classification; `--task embedding` takes the encoder alone";

/// How transformers' classes end, by what stands on the encoder. A class with another end is its
/// author's own, and may have any head.
const CLASS_ENDS: [&str; 8] = [
    "Model",
    "ForMaskedLM",
    "ForMultipleChoice",
    "ForNextSentencePrediction",
    "ForPreTraining",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
];

/// Fails if the model's class has no head for the task.
fn check_head(architecture: &str, task: TextTask) -> Result<()> {
    let wanted = match task {
        TextTask::Embedding => return Ok(()),
        TextTask::TokenClassification => "ForTokenClassification",
        TextTask::Classification | TextTask::Reranking => "ForSequenceClassification",
    };
    if architecture.ends_with(wanted) || !CLASS_ENDS.iter().any(|end| architecture.ends_with(end)) {
        return Ok(());
    }
    let message = format!(
        "`--task {}` needs a head that the model has not: it is a `{architecture}`",
        task.name()
    );
    let hint =
        format!("leave `--task` out, or give a model whose class in config.json is `…{wanted}`");
    Err(Error::contract(message).at_node("config.json").hint(hint))
}

/// Fails for an option that says nothing to the task.
pub(super) fn refuse_options(task: TextTask, options: &TextOptions) -> Result<()> {
    use TextTask::{Classification, Embedding, Reranking, TokenClassification};
    let given: [(&str, bool, &[TextTask]); 9] = [
        ("--prompt", options.prompt.is_some(), &[Embedding]),
        ("--prompt-text", options.prompt_text.is_some(), &[Embedding]),
        ("--dimensions", options.dimensions.is_some(), &[Embedding]),
        (
            "--normalize",
            options.normalizes == Some(true),
            &[Embedding],
        ),
        ("--chunk", options.chunk.is_some(), &[Embedding]),
        ("--stride", options.stride.is_some(), &[Embedding]),
        (
            "--aggregation",
            options.aggregation.is_some(),
            &[TokenClassification],
        ),
        (
            "--text-pair",
            options.has_pair,
            &[Classification, Reranking],
        ),
        (
            "--threshold",
            options.threshold.is_some(),
            &[Classification],
        ),
    ];
    match given
        .iter()
        .find(|(_, is_given, tasks)| *is_given && !tasks.contains(&task))
    {
        Some((flag, ..)) => Err(Error::usage(format!(
            "`{flag}` says nothing to a model whose task is {}",
            task.name()
        ))),
        None => Ok(()),
    }
}

/// The labels in the order of their numbers.
fn labels(parts: &Parts) -> Vec<String> {
    let named = |object: &super::config::Config| {
        let mut all: Vec<(u64, String)> = object
            .names()
            .filter_map(|key| Some((key.parse().ok()?, object.text(key)?.to_owned())))
            .collect();
        all.sort();
        all.into_iter().map(|(_, label)| label).collect::<Vec<_>>()
    };
    let count = parts
        .config
        .value(&["num_labels"])
        .and_then(Json::as_u64)
        .unwrap_or(2)
        .clamp(1, 1 << 16);
    parts
        .config
        .object("id2label")
        .map(|object| named(&object))
        .filter(|labels| !labels.is_empty())
        .unwrap_or_else(|| (0..count).map(|place| format!("LABEL_{place}")).collect())
}

/// What becomes of vectors of so many numbers, and whether texts come in pairs. `head` makes the
/// head for a number of labels, of each token or of whole texts.
pub(super) fn reading(
    parts: &Parts,
    options: &TextOptions,
    task: TextTask,
    hidden: usize,
    head: &mut dyn FnMut(usize, bool) -> Result<Head>,
) -> Result<(Reading, bool)> {
    let labels = labels(parts);
    let mut head = |is_per_token: bool| head(labels.len(), is_per_token);
    match task {
        TextTask::Embedding => {
            let mut pooling = Pooling::load(parts.modules.as_deref(), hidden)?;
            pooling.shorten(
                dimensions(parts, options),
                options.normalizes.unwrap_or(false),
            )?;
            Ok((
                Reading::Embedding {
                    pooling,
                    passed_over: 0,
                },
                false,
            ))
        }
        TextTask::TokenClassification => {
            let head = head(true)?;
            let tagging = Tagging {
                labels,
                aggregation: options.aggregation.unwrap_or_default(),
                unknown_id: None,
            };
            Ok((Reading::Tokens { head, tagging }, false))
        }
        TextTask::Classification | TextTask::Reranking => {
            refuse_modules(parts, options)?;
            let head = head(false)?;
            let meaning = meaning(parts, task, labels.len())?;
            // transformers takes the first of two equal scores.
            let own = if meaning == Meaning::OneOf {
                ABOVE_HALF
            } else {
                0.5
            };
            let classes = Classes {
                labels,
                meaning,
                threshold: options.threshold.unwrap_or(own),
                raw: options.raw,
            };
            if let Some(threshold) = options.threshold {
                if !(0.0..=1.0).contains(&threshold) {
                    return Err(Error::usage(format!(
                        "`--threshold {threshold}` is no probability"
                    )));
                }
                if !classes.has_threshold() {
                    return Err(Error::usage(
                        "`--threshold` is for models with two classes or with several labels at \
                         once",
                    ));
                }
            }
            Ok((
                Reading::Classification { head, classes },
                options.has_pair || task == TextTask::Reranking,
            ))
        }
    }
}

/// Fails for modules behind a head that would change its scores.
fn refuse_modules(parts: &Parts, options: &TextOptions) -> Result<()> {
    match parts
        .modules
        .iter()
        .flatten()
        .next()
        .filter(|_| options.task.is_none())
    {
        Some(module) => {
            let error = Error::contract(format!(
                "a module `{}` behind a classification head is not supported",
                module.kind
            ))
            .at_node("modules.json");
            Err(error.hint("`--task classification` takes the head alone"))
        }
        None => Ok(()),
    }
}

/// The numbers of a vector that are kept: as asked, or as the model says.
pub(super) fn dimensions(parts: &Parts, options: &TextOptions) -> Option<usize> {
    let own = || {
        parts
            .sentence_settings
            .value(&["truncate_dim"])
            .and_then(Json::as_u64)
            .and_then(|count| usize::try_from(count).ok())
    };
    options.dimensions.or_else(own)
}

/// What a model reads of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    /// The most tokens that it has room for, if there is a limit.
    pub(super) room: Option<usize>,
    /// The most tokens where the user names no other number.
    pub(super) max_tokens: usize,
    /// Tokens that it has.
    pub(super) vocabulary: usize,
    /// Whether the beginning of a text is cut off, not the end.
    pub(super) is_left: bool,
    /// Whether the model's own marks are put around a text.
    pub(super) adds_specials: bool,
}

impl Reads {
    /// What an encoder reads.
    pub(super) fn encoder(parts: &Parts, described: &Described) -> Self {
        let room = described
            .architecture
            .most_tokens()
            .or(described.most_tokens);
        Self::of(parts, room, described.architecture.embedding.vocabulary)
    }

    /// What an encoder with so much room and so many tokens reads.
    pub(super) fn of(parts: &Parts, room: Option<usize>, vocabulary: usize) -> Self {
        Self {
            room,
            max_tokens: stated_tokens(parts)
                .into_iter()
                .chain(room)
                .min()
                .unwrap_or(DEFAULT_TOKENS),
            vocabulary,
            is_left: parts.tokenizer_config.text("truncation_side") == Some("left"),
            adds_specials: true,
        }
    }
}

/// The model's tokenizer, cut to what its tables hold and what was asked for.
pub(super) fn tokenizer(
    parts: &Parts,
    options: &TextOptions,
    reads: Reads,
    is_pair: bool,
) -> Result<TextTokenizer> {
    let Reads {
        room,
        max_tokens: most,
        vocabulary,
        is_left,
        adds_specials,
    } = reads;
    if options.stride.is_some() && options.chunk.is_none() {
        return Err(Error::usage("`--stride` needs `--chunk`"));
    }
    if options.chunk.is_some() && options.most_tokens.is_some() {
        return Err(Error::usage(
            "`--chunk` reads all of a text, so `--max-tokens` has no place beside it",
        ));
    }
    for (flag, asked) in [
        ("--max-tokens", options.most_tokens),
        ("--chunk", options.chunk),
    ] {
        if let (Some(asked), Some(room)) = (asked, room)
            && asked > room
        {
            let error = Error::contract(format!(
                "`{flag} {asked}`: the model has room for {room} tokens"
            ));
            return Err(error.hint(format!(
                "give at most {room}, or read longer texts in chunks: `--chunk {room}`"
            )));
        }
    }
    if let (Some(chunk), Some(stride)) = (options.chunk, options.stride)
        && stride >= chunk
    {
        let error = Error::contract(format!(
            "`--stride {stride}`: chunks of {chunk} tokens cannot share so many"
        ));
        return Err(error.hint(
            "`--stride` is how many tokens a chunk shares with the one before: give a part of \
             `--chunk`, such as an eighth",
        ));
    }
    let cut = Cut {
        most_tokens: options.chunk.or(options.most_tokens).unwrap_or(most),
        stride: options.chunk.map(|_| options.stride.unwrap_or(0)),
        is_left,
        is_pair,
        adds_specials,
    };
    let mut tokenizer = TextTokenizer::open(parts, vocabulary, cut)?;
    let size = tokenizer.vocabulary_size();
    if size > vocabulary {
        return Err(Error::contract(format!(
            "the tokenizer has {size} tokens, the model {vocabulary}"
        ))
        .hint(OTHER_TOKENIZER));
    }
    tokenizer.prompt = prompt(parts, options)?;
    Ok(tokenizer)
}

/// The most tokens that the files name: sentence-transformers' own setting counts before the
/// tokenizer's.
fn stated_tokens(parts: &Parts) -> Option<usize> {
    let stated = |value: Option<&Json>| {
        value
            .and_then(Json::as_u64)
            .filter(|count| *count < NO_LIMIT)
            .map(|count| count as usize)
    };
    let settings = &parts.transformer_settings;
    let mut arguments = ["tokenizer_args", "processor_kwargs"].iter();
    let own =
        arguments.find_map(|name| stated(settings.object(name)?.value(&["model_max_length"])));
    let own = own.or_else(|| stated(settings.value(&["max_seq_length"])));
    own.or_else(|| stated(parts.tokenizer_config.value(&["model_max_length"])))
}

pub(super) fn prompt(parts: &Parts, options: &TextOptions) -> Result<String> {
    if let Some(text) = &options.prompt_text {
        return match options.prompt {
            Some(_) => Err(Error::usage(
                "`--prompt` and `--prompt-text` say two things",
            )),
            None => Ok(text.clone()),
        };
    }
    let prompts = parts
        .sentence_settings
        .object("prompts")
        .unwrap_or_default();
    let name = match options.prompt.as_deref() {
        Some("none") => return Ok(String::new()),
        Some(name) => name,
        None => match parts.sentence_settings.text("default_prompt_name") {
            Some(name) => name,
            None => return Ok(String::new()),
        },
    };
    prompts.text(name).map(str::to_owned).ok_or_else(|| {
        let known: Vec<String> = prompts.names().map(|name| format!("`{name}`")).collect();
        let known = if known.is_empty() {
            "the model has none".to_owned()
        } else {
            format!("the model has {}", known.join(", "))
        };
        Error::contract(format!("no prompt is called `{name}`"))
            .hint(format!("{known}; `--prompt-text` takes any text"))
    })
}
