//! Texts to token ids: the model's own `tokenizer.json`, cut to the tokens that the model reads.
//!
//! Owns truncation, chunks and prompts. Runs on the caller's thread alone.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::tokenizer::{Decoder, EncodeInput, PostProcessor};
use tokenizers::{Encoding, ModelWrapper, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use crate::error::{Error, Result};

/// Bytes of a text for each token that is read: longer texts are cut before they are tokenized, at a blank and far behind the last token that counts.
const BYTES_PER_TOKEN: usize = 32;

/// Tokens behind the last one that counts; what stands so far behind changes none before.
const TOKENS_BEHIND: usize = 64;

/// How texts are cut.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// The most tokens of a text or chunk, special ones included.
    pub(super) most_tokens: usize,
    /// The tokens that chunks share; none: what is too long is cut off.
    pub(super) stride: Option<usize>,
    /// Whether the beginning is cut off, not the end.
    pub(super) is_left: bool,
    /// Whether texts come in pairs.
    pub(super) is_pair: bool,
}

/// A tokenizer with its settings.
#[derive(Debug)]
pub(super) struct TextTokenizer {
    tokenizer: Tokenizer,
    cut: Cut,
    /// Whether texts are turned to lower case before.
    pub(super) lowers: bool,
    /// Stands before every text.
    pub(super) prompt: String,
    /// Whether the places of tokens in the text are kept.
    pub(super) keeps_places: bool,
}

/// The tokens of a text: one piece, or its chunks.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) pieces: Vec<Encoding>,
    /// Whether tokens were cut off.
    pub(super) is_truncated: bool,
}

impl TextTokenizer {
    pub(super) fn open(bytes: &[u8], cut: Cut) -> Result<Self> {
        let opened = guarded(|| Tokenizer::from_bytes(bytes)).map_err(|error| {
            let error = Error::failed("cannot read `tokenizer.json`").because(std::io::Error::other(error));
            error.hint("download it again, or write it with a current `tokenizers`")
        });
        let mut tokenizer = opened?;
        let added = tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(cut.is_pair));
        let least = added + cut.stride.unwrap_or(0) + 1;
        if cut.most_tokens < least {
            let message = format!("{} tokens a text are too few: {added} are the model's own marks", cut.most_tokens);
            return Err(Error::contract(message).hint(format!("give at least {least}")));
        }
        let direction = if cut.is_left { TruncationDirection::Left } else { TruncationDirection::Right };
        let (max_length, stride, strategy) = (cut.most_tokens, cut.stride.unwrap_or(0), TruncationStrategy::LongestFirst);
        tokenizer.with_padding(None);
        let set = tokenizer.with_truncation(Some(TruncationParams { direction, max_length, strategy, stride })).map(|_| ());
        set.map_err(|error| Error::contract("the tokenizer cannot cut texts so").because(std::io::Error::other(error.to_string())))?;
        Ok(Self { tokenizer, cut, lowers: false, prompt: String::new(), keeps_places: false })
    }

    /// One more than the greatest id, as far as the vocabulary tells.
    pub(super) fn vocabulary_size(&self) -> usize {
        let added = self.tokenizer.get_added_tokens_decoder().keys().max().map_or(0, |id| *id as usize + 1);
        self.tokenizer.get_vocab_size(true).max(added)
    }

    pub(super) fn most_tokens(&self) -> usize {
        self.cut.most_tokens
    }

    /// The tokens that the prompt takes at the beginning of every text.
    pub(super) fn prompt_length(&self) -> Result<usize> {
        let encoding = self.encode(EncodeInput::from(self.prompt.as_str()))?;
        let ends_so = encoding.get_special_tokens_mask().last() == Some(&1);
        Ok(encoding.len() - usize::from(ends_so))
    }

    pub(super) fn tokens(&self, text: &str, pair: Option<&str>) -> Result<Tokens> {
        let text = self.prepared(text)?;
        let mut encoding = match pair {
            None => self.encode(EncodeInput::from(&*text))?,
            Some(pair) => self.encode(EncodeInput::from((&*text, &*self.prepared(pair)?)))?,
        };
        let rest = encoding.take_overflowing();
        let is_chunked = self.cut.stride.is_some();
        let is_truncated = !is_chunked && !rest.is_empty();
        let chunks = if is_chunked { rest } else { Vec::new() };
        Ok(Tokens { pieces: std::iter::once(encoding).chain(chunks).collect(), is_truncated })
    }

    fn prepared<'a>(&self, text: &'a str) -> Result<Cow<'a, str>> {
        let mut text = Cow::Borrowed(text);
        if !self.prompt.is_empty() {
            text = Cow::Owned(format!("{}{text}", self.prompt));
        }
        if self.lowers {
            text = Cow::Owned(text.to_lowercase());
        }
        if self.cut.stride.is_none() && !self.cut.is_left {
            let length = self.shortened(&text)?;
            text = match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[..length]),
                Cow::Owned(mut text) => {
                    text.truncate(length);
                    Cow::Owned(text)
                }
            };
        }
        Ok(text)
    }

    /// The bytes of a very long text that its first tokens depend on.
    fn shortened(&self, text: &str) -> Result<usize> {
        let mut length = self.cut.most_tokens.saturating_mul(BYTES_PER_TOKEN);
        while length < text.len() {
            let Some(blank) = text.as_bytes()[..length].iter().rposition(u8::is_ascii_whitespace) else { break };
            let encoding = self.encode(EncodeInput::from(&text[..blank]))?;
            let count = encoding.len() + encoding.get_overflowing().iter().map(Encoding::len).sum::<usize>();
            if count > self.cut.most_tokens + TOKENS_BEHIND {
                return Ok(blank);
            }
            length = length.saturating_mul(4);
        }
        Ok(text.len())
    }

    fn encode(&self, input: EncodeInput<'_>) -> Result<Encoding> {
        let encoded =
            guarded(|| if self.keeps_places { self.tokenizer.encode_char_offsets(input, true) } else { self.tokenizer.encode_fast(input, true) });
        encoded.map_err(|error| Error::failed("cannot tokenize the text").because(std::io::Error::other(error)))
    }

    /// The token of an id.
    pub(super) fn token(&self, id: u32) -> String {
        self.tokenizer.id_to_token(id).unwrap_or_default()
    }

    pub(super) fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    /// Whether tokens inside a word are marked as such.
    pub(super) fn marks_subwords(&self) -> bool {
        match self.tokenizer.get_model() {
            ModelWrapper::WordPiece(model) => !model.continuing_subword_prefix.is_empty(),
            ModelWrapper::BPE(model) => model.continuing_subword_prefix.as_ref().is_some_and(|prefix| !prefix.is_empty()),
            _ => false,
        }
    }

    /// Tokens as the text that they stand for.
    pub(super) fn joined(&self, tokens: Vec<String>) -> String {
        match self.tokenizer.get_decoder() {
            Some(decoder) => guarded(|| decoder.decode(tokens)).unwrap_or_default(),
            None => tokens.join(" "),
        }
    }
}

/// What `work` gives; a panic in it, which a hostile file may cause, becomes an error.
fn guarded<T, E: ToString>(work: impl FnOnce() -> std::result::Result<T, E>) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the tokenizer stopped at an impossible state".to_owned()),
    }
}
