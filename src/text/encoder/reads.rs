//! Which tokens a model reads: how many, cut how, and what stands before them.

use serde_json::Value as Json;

use super::family::Described;
use super::parts::{Parts, TextOptions, TextTask};
use super::task::reads_prompts;
use super::text_model::OTHER_TOKENIZER;
use super::tokenizer::{Cut, TextTokenizer};
use crate::error::{Error, Result};

/// The most tokens of a text where nothing says how many a model was made for.
const DEFAULT_TOKENS: usize = 512;

/// A stated maximum above this means that there is none.
const NO_LIMIT: u64 = 1 << 30;

/// What a model reads of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reads {
    /// The most tokens that it has room for, if there is a limit.
    pub(super) room: Option<usize>,
    /// The most tokens where the user names no other number.
    pub(super) max_tokens: usize,
    /// Tokens that it has.
    pub(super) vocabulary: usize,
    /// Whether the beginning of a text is cut off, not the end; none if only the tokenizer says so.
    pub(super) is_left: Option<bool>,
    /// Whether the model's own marks are put around a text.
    pub(super) adds_specials: bool,
}

impl Reads {
    /// What an encoder reads.
    pub(super) fn encoder(parts: &Parts, described: &Described) -> Self {
        let room = described.architecture.max_tokens().or(described.max_tokens);
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
            is_left: parts
                .tokenizer_config
                .text("truncation_side")
                .map(|side| side == "left"),
            adds_specials: true,
        }
    }
}

/// The model's tokenizer, cut to what its tables hold and what was asked for.
pub(super) fn tokenizer(
    parts: &Parts,
    options: &TextOptions,
    task: TextTask,
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
    if options.chunk.is_some() && options.max_tokens.is_some() {
        return Err(Error::usage(
            "`--chunk` and `--max-tokens` exclude each other: `--chunk` reads all of a text",
        ));
    }
    for (flag, asked) in [
        ("--max-tokens", options.max_tokens),
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
        max_tokens: options.chunk.or(options.max_tokens).unwrap_or(most),
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
    if reads_prompts(parts, task) {
        tokenizer.prompt = prompt(parts, options)?;
    }
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

fn prompt(parts: &Parts, options: &TextOptions) -> Result<String> {
    if let Some(text) = &options.prompt_text {
        return match options.prompt {
            Some(_) => Err(Error::usage(
                "`--prompt` and `--prompt-text` exclude each other",
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
