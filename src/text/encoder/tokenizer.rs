//! Texts to token ids: the model's own `tokenizer.json`, cut to the tokens that the model reads.
//!
//! Owns truncation, chunks and prompts. Runs on the caller's thread alone.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::tokenizer::{Decoder, EncodeInput, InputSequence, PostProcessor};
use tokenizers::{
    Encoding, ModelWrapper, TruncationDirection, TruncationParams, TruncationStrategy,
};

use super::bounded::{self, BoundedNormalizer, BoundedTokenizer};
use super::long_word::{self, Shortened};
use super::parts::Parts;
use super::tokenizer_settings;
use crate::error::{Error, Result};
use crate::memory;

/// Bytes of a text for each token that is read: longer texts are cut before they are tokenized, at
/// a blank and far behind the last token that counts.
const BYTES_PER_TOKEN: usize = 32;

/// Bytes behind the last token that counts; what stands so far behind changes none before.
const BYTES_BEHIND: usize = 1024;

/// A text without a blank in so many bytes is cut where it is.
const MAX_WORD_BYTES: usize = 1 << 16;

/// Bytes that one byte of a text may cost until its tokens are made: about twenty for its
/// normalized form with the place of each in the original, the rest for tokens.
const COST: usize = 48;

/// What the tokens of a text may cost without being counted.
const FREE_BYTES: usize = 1 << 20;

/// Why a text was not tokenized.
#[derive(Debug)]
pub(super) enum Failure {
    /// The tokenizer refuses the text, for this reason: a bad row.
    Text(String),
    /// The run cannot go on.
    Run(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Run(error)
    }
}

impl Failure {
    fn into_error(self) -> Error {
        match self {
            Self::Text(reason) => not_tokenized(reason),
            Self::Run(error) => error,
        }
    }
}

/// What tokenizing gives.
type Tokenized<T> = std::result::Result<T, Failure>;

/// How texts are cut.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    /// The most tokens of a text or chunk, special ones included.
    pub(super) max_tokens: usize,
    /// The tokens that chunks share; none: what is too long is cut off.
    pub(super) stride: Option<usize>,
    /// Whether the beginning is cut off, not the end; none: as `tokenizer.json` says.
    pub(super) is_left: Option<bool>,
    /// Whether texts come in pairs.
    pub(super) is_pair: bool,
    /// Whether the model's own marks are put around a text.
    pub(super) adds_specials: bool,
}

/// A tokenizer with its settings.
#[derive(Debug)]
pub(super) struct TextTokenizer {
    tokenizer: BoundedTokenizer,
    cut: Cut,
    /// Whether the middle of a word that is too long changes no token.
    leaves_middles: bool,
    /// Whether the model's own marks are put around a text.
    pub(super) adds_specials: bool,
    /// Stands before every text; of a pair, before the first.
    pub(super) prompt: String,
    /// Whether the positions of tokens in the text are kept.
    pub(super) keeps_positions: bool,
}

/// The tokens of a text: one piece, or its chunks.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) pieces: Vec<Encoding>,
    /// Whether tokens were cut off.
    pub(super) is_truncated: bool,
}

impl TextTokenizer {
    /// The tokenizer of a model with so many tokens.
    pub(super) fn open(parts: &Parts, vocabulary: usize, mut cut: Cut) -> Result<Self> {
        let mut tokenizer = parse(&parts.tokenizer)?;
        tokenizer_settings::apply(&mut tokenizer, parts, vocabulary)?;
        if parts.transformer_settings.boolean("do_lower_case", false) {
            lower(&mut tokenizer)?;
        }
        let added = tokenizer
            .get_post_processor()
            .filter(|_| cut.adds_specials)
            .map_or(0, |processor| processor.added_tokens(cut.is_pair));
        let least = added + cut.stride.unwrap_or(0) + 1;
        if cut.max_tokens < least {
            let message = format!(
                "{} tokens a text are too few: {added} are the model's own marks",
                cut.max_tokens
            );
            return Err(Error::contract(message).hint(format!("give at least {least}")));
        }
        let own = tokenizer.get_truncation().map(|own| own.direction);
        let is_left = cut
            .is_left
            .unwrap_or(own == Some(TruncationDirection::Left));
        cut.is_left = Some(is_left);
        let direction = if is_left {
            TruncationDirection::Left
        } else {
            TruncationDirection::Right
        };
        let (max_length, strategy) = (cut.max_tokens, TruncationStrategy::LongestFirst);
        tokenizer.with_padding(None);
        let adds_specials = cut.adds_specials;
        // With a cut the tokenizer reads no further than that, so chunks are made of all tokens
        // without one.
        let truncation = cut.stride.is_none().then_some(TruncationParams {
            direction,
            max_length,
            strategy,
            stride: 0,
        });
        let set = tokenizer.with_truncation(truncation).map(|_| ());
        set.map_err(|error| {
            Error::contract("the tokenizer cannot cut texts so")
                .because(std::io::Error::other(error.to_string()))
        })?;
        let leaves_middles = long_word::can_shorten(&tokenizer);
        Ok(Self {
            tokenizer,
            cut,
            leaves_middles,
            adds_specials,
            prompt: String::new(),
            keeps_positions: false,
        })
    }

    /// One more than the largest id, as far as the vocabulary shows.
    pub(super) fn vocabulary_size(&self) -> usize {
        let added = self
            .tokenizer
            .get_added_tokens_decoder()
            .keys()
            .max()
            .map_or(0, |id| *id as usize + 1);
        self.tokenizer.get_vocab_size(true).max(added)
    }

    pub(super) fn max_tokens(&self) -> usize {
        self.cut.max_tokens
    }

    /// The tokens that the prompt takes at the beginning of every text.
    pub(super) fn prompt_length(&self) -> Result<usize> {
        let encoding = self
            .encode(EncodeInput::from(self.prompt.as_str()))
            .map_err(Failure::into_error)?;
        let ends_so = encoding.get_special_tokens_mask().last() == Some(&1);
        Ok(encoding.len() - usize::from(ends_so))
    }

    pub(super) fn tokens(&self, text: &str, pair: Option<&str>) -> Tokenized<Tokens> {
        let text = self.prepared(self.prompted(text))?;
        if let Some(stride) = self.cut.stride {
            return Ok(Tokens {
                pieces: self.chunks(&text.text, stride)?,
                is_truncated: false,
            });
        }
        let mut encoding = match pair {
            None => self.encode(EncodeInput::from(&*text.text))?,
            Some(pair) => self.encode(EncodeInput::from((
                &*text.text,
                &*self.prepared(Cow::Borrowed(pair))?.text,
            )))?,
        };
        if self.keeps_positions {
            encoding = text.positioned(encoding);
        }
        let is_truncated = !encoding.take_overflowing().is_empty();
        Ok(Tokens {
            pieces: vec![encoding],
            is_truncated,
        })
    }

    /// The text behind the prompt.
    fn prompted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.prompt.is_empty() {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(format!("{}{text}", self.prompt))
        }
    }

    /// The text as it is tokenized, without what changes no token that is read.
    fn prepared<'a>(&self, text: Cow<'a, str>) -> Tokenized<Shortened<'a>> {
        let mut text = if self.leaves_middles {
            long_word::shortened(text)
        } else {
            Shortened::whole(text)
        };
        if self.cut.stride.is_none() && self.cut.is_left != Some(true) {
            let length = self.shortened(&text.text)?;
            text.truncate(length);
        }
        Ok(text)
    }

    /// The bytes of a very long text that its first tokens depend on: up to a blank behind a text
    /// that has enough of them by itself.
    fn shortened(&self, text: &str) -> Tokenized<usize> {
        let mut length = self
            .cut
            .max_tokens
            .saturating_mul(BYTES_PER_TOKEN)
            .saturating_add(2 * BYTES_BEHIND);
        while length < text.len() {
            let (inner, end) = (
                cut_before(text, length - BYTES_BEHIND),
                cut_before(text, length),
            );
            if let (Some(inner), Some(end)) = (inner, end)
                && !self
                    .encode(EncodeInput::from(&text[..inner]))?
                    .get_overflowing()
                    .is_empty()
            {
                return Ok(end);
            }
            length = length.saturating_mul(4);
        }
        Ok(text.len())
    }

    /// The chunks of a text, all of which is tokenized.
    fn chunks(&self, text: &str, stride: usize) -> Tokenized<Vec<Encoding>> {
        let added = self
            .tokenizer
            .get_post_processor()
            .filter(|_| self.adds_specials)
            .map_or(0, |processor| processor.added_tokens(false));
        counted(text.len(), || {
            let mut all = bounded::checked(|| self.tokenizer.encode_fast(text, false))?;
            all.truncate(
                self.cut.max_tokens - added,
                stride,
                TruncationDirection::Right,
            );
            let mut first = self.tokenizer.post_process(all, None, self.adds_specials)?;
            let rest = first.take_overflowing();
            Ok::<_, tokenizers::Error>(std::iter::once(first).chain(rest).collect())
        })
    }

    fn encode(&self, input: EncodeInput<'_>) -> Tokenized<Encoding> {
        let specials = self.adds_specials;
        let byte_count = byte_count(&input);
        let encode = || {
            if self.keeps_positions {
                self.tokenizer.encode_char_offsets(input, specials)
            } else {
                self.tokenizer.encode_fast(input, specials)
            }
        };
        counted(byte_count, || bounded::checked(encode))
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
            ModelWrapper::BPE(model) => model
                .continuing_subword_prefix
                .as_ref()
                .is_some_and(|prefix| !prefix.is_empty()),
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

fn parse(bytes: &[u8]) -> Result<BoundedTokenizer> {
    guarded(|| bounded::parse(bytes)).map_err(|error| {
        let error =
            Error::failed("cannot read `tokenizer.json`").because(std::io::Error::other(error));
        error.hint("download it again, or write it with a current `tokenizers`")
    })
}

/// Makes letters small before all else, unless the tokenizer does so by itself:
/// sentence-transformers' `do_lower_case`.
fn lower(tokenizer: &mut BoundedTokenizer) -> Result<()> {
    let normalizer = match tokenizer.get_normalizer() {
        Some(normalizer) if normalizer.lowers() => return Ok(()),
        Some(normalizer) => normalizer.clone().lowered(),
        None => BoundedNormalizer::of(tokenizers::normalizers::Lowercase),
    };
    tokenizer_settings::set_normalizer(tokenizer, normalizer)
}

/// The last place up to `length` bytes where a text may be cut: at a blank, or between two
/// characters of what is not a word any more.
fn cut_before(text: &str, length: usize) -> Option<usize> {
    let blank = text.as_bytes()[..length]
        .iter()
        .rposition(u8::is_ascii_whitespace);
    blank.or_else(|| (length >= MAX_WORD_BYTES).then(|| text.floor_char_boundary(length)))
}

/// What `work` gives; a panic in it, which a hostile file may cause, becomes an error.
fn guarded<T, E: ToString>(
    work: impl FnOnce() -> std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(_) => Err("the tokenizer stopped at an impossible state".to_owned()),
    }
}

fn not_tokenized(reason: String) -> Error {
    Error::failed("cannot tokenize the text").because(std::io::Error::other(reason))
}

/// What tokenizing a text of so many bytes gives, if there is memory for it.
fn counted<T>(
    byte_count: usize,
    work: impl FnOnce() -> std::result::Result<T, tokenizers::Error>,
) -> Tokenized<T> {
    let cost = byte_count.saturating_mul(COST);
    let reserved = (cost > FREE_BYTES)
        .then(|| memory::reserve(cost as u64, "tokenizing a text"))
        .transpose()?;
    bounded::take_no_memory();
    let done = memory::step(|| guarded(work));
    drop(reserved);
    done.map_err(|reason| {
        if bounded::take_no_memory() {
            Failure::Run(not_tokenized(reason))
        } else {
            Failure::Text(reason)
        }
    })
}

fn byte_count(input: &EncodeInput<'_>) -> usize {
    let length = |sequence: &InputSequence<'_>| match sequence {
        InputSequence::Raw(text) => text.len(),
        _ => 0,
    };
    match input {
        EncodeInput::Single(text) => length(text),
        EncodeInput::Dual(text, pair) => length(text).saturating_add(length(pair)),
    }
}
