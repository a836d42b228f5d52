//! A tokenizer's normalizers and pre-tokenizers, with limits on what a text may cost.
//!
//! Owns two of them: what a normalizer makes of one text may not grow without bound, and a pattern
//! that reaches the limit of its engine is an error; the library would end the split there without
//! a word. All else is the library's own.

use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

use fancy_regex::Regex;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::normalizers::{Lowercase, Prepend};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::processors::PostProcessorWrapper;
use tokenizers::tokenizer::pattern::Invert;
use tokenizers::tokenizer::{Normalizer, PreTokenizer, Result, SplitDelimiterBehavior};
use tokenizers::{
    ModelWrapper, NormalizedString, NormalizerWrapper, PreTokenizedString, PreTokenizerWrapper,
    TokenizerImpl,
};

use crate::memory;

/// A tokenizer whose steps have limits.
pub(super) type BoundedTokenizer = TokenizerImpl<
    ModelWrapper,
    BoundedNormalizer,
    BoundedPreTokenizer,
    PostProcessorWrapper,
    DecoderWrapper,
>;

/// Bytes that a normalizer may make of a text of any length, if there is memory for them.
const NORMALIZED_BYTES: usize = 8 << 20;

/// What a byte that a normalizer makes costs.
const NORMALIZED_COST: usize = 20;

/// Beyond [`NORMALIZED_BYTES`]: a normalizer may make this many times the text. Full decomposition
/// of real texts makes 3 of 1.
const NORMALIZED_GROWTH: usize = 4;

/// Bytes that a real normalizer writes for one match or one character; the longest decomposition
/// has 33.
const MAX_REPLACEMENT_BYTES: usize = 1024;

/// Characters of a word that `WordPiece` may split: its time grows with their cube. BERT's
/// tokenizers say 100.
const MAX_WORD_CHARACTERS: usize = 1000;

/// The pattern of byte-level pre-tokenizers, GPT-2's.
static BYTE_LEVEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
        .expect("a constant pattern")
});

thread_local! {
    /// Why a normalizer failed on this thread: the library goes on with what it has made so far.
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
    /// Whether memory was missing on this thread: no fault of the text.
    static NO_MEMORY: Cell<bool> = const { Cell::new(false) };
}

/// Whether memory was missing since this was last asked on this thread.
pub(super) fn take_no_memory() -> bool {
    NO_MEMORY.take()
}

/// What `work` gives, unless a normalizer failed in it.
///
/// # Errors
/// As `work`, and with what the normalizer said.
pub(super) fn checked<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    FAILURE.take();
    let done = work()?;
    FAILURE
        .take()
        .map_or(Ok(done), |failure| Err(failure.into()))
}

/// Normalizers, one after the other.
#[derive(Clone, Debug)]
pub(super) struct BoundedNormalizer(Vec<NormalizerStep>);

#[derive(Clone, Debug)]
enum NormalizerStep {
    Replace { pattern: Regex, content: String },
    Own(Box<NormalizerWrapper>),
}

impl BoundedNormalizer {
    /// The library's normalizer alone.
    pub(super) fn of(normalizer: impl Into<NormalizerWrapper>) -> Self {
        Self(vec![NormalizerStep::Own(Box::new(normalizer.into()))])
    }

    /// The one normalizer that it is, if it is one of the library's.
    pub(super) fn only(&self) -> Option<&NormalizerWrapper> {
        match self.0.as_slice() {
            [NormalizerStep::Own(one)] => Some(one),
            _ => None,
        }
    }

    /// Whether a step makes letters small.
    pub(super) fn lowers(&self) -> bool {
        self.0.iter().any(|step| match step {
            NormalizerStep::Own(one) => match &**one {
                NormalizerWrapper::Lowercase(_) => true,
                NormalizerWrapper::BertNormalizer(bert) => bert.lowercase,
                _ => false,
            },
            NormalizerStep::Replace { .. } => false,
        })
    }

    /// The same behind a step that makes letters small.
    pub(super) fn lowered(mut self) -> Self {
        self.0
            .insert(0, NormalizerStep::Own(Box::new(Lowercase.into())));
        self
    }

    fn steps(value: Json) -> Result<Vec<NormalizerStep>> {
        match kind(&value) {
            "Sequence" => parts(&value, "normalizers")
                .into_iter()
                .map(Self::steps)
                .collect::<Result<Vec<_>>>()
                .map(|all| all.concat()),
            "Replace" => {
                let content = value
                    .get("content")
                    .and_then(Json::as_str)
                    .unwrap_or_default()
                    .to_owned();
                check_length("Replace", &content)?;
                Ok(vec![NormalizerStep::Replace {
                    pattern: pattern(&value)?,
                    content,
                }])
            }
            _ => {
                let own: NormalizerWrapper = serde_json::from_value(value)?;
                if let NormalizerWrapper::Prepend(Prepend { prepend }) = &own {
                    check_length("Prepend", prepend)?;
                }
                Ok(vec![NormalizerStep::Own(Box::new(own))])
            }
        }
    }
}

impl<'de> Deserialize<'de> for BoundedNormalizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::steps(Json::deserialize(deserializer)?)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl Normalizer for BoundedNormalizer {
    fn normalize(&self, text: &mut NormalizedString) -> Result<()> {
        self.apply(text)
            .inspect_err(|error| FAILURE.set(Some(error.to_string())))
    }
}

impl BoundedNormalizer {
    fn apply(&self, text: &mut NormalizedString) -> Result<()> {
        let limit = NORMALIZED_BYTES.max(text.get().len().saturating_mul(NORMALIZED_GROWTH));
        for step in &self.0 {
            match step {
                NormalizerStep::Replace { pattern, content } => {
                    let length = replaced_length(text.get(), pattern, content)?;
                    check_growth(text, length, limit)?;
                    text.replace(pattern, content)?;
                }
                NormalizerStep::Own(one) => {
                    check_growth(text, normalized_length(text.get(), one, limit), limit)?;
                    one.normalize(text)?;
                }
            }
            check_growth(text, text.get().len(), limit)?;
        }
        Ok(())
    }
}

/// Bytes of the text with every match replaced.
fn replaced_length(text: &str, pattern: &Regex, content: &str) -> Result<usize> {
    // What replaces a match by a byte or two cannot grow much.
    if content.len() <= NORMALIZED_GROWTH {
        return Ok(text.len());
    }
    let mut length = text.len();
    for found in pattern.find_iter(text) {
        length = (length - found?.range().len()).saturating_add(content.len());
    }
    Ok(length)
}

/// At most so many bytes a character table makes of the text, character by character; for others
/// the text's own.
fn normalized_length(text: &str, normalizer: &NormalizerWrapper, limit: usize) -> usize {
    let NormalizerWrapper::Precompiled(table) = normalizer else {
        return text.len();
    };
    let (mut length, mut buffer) = (0_usize, [0; 4]);
    for character in text.chars() {
        let made = table
            .transform(character.encode_utf8(&mut buffer))
            .map_or(character.len_utf8(), str::len);
        length = length.saturating_add(made);
        if length > limit {
            break;
        }
    }
    length
}

/// Fails if a text becomes longer than the limit, or takes more memory than there is until it is
/// tokenized.
fn check_growth(text: &NormalizedString, length: usize, limit: usize) -> Result<()> {
    let growth = length.saturating_sub(text.get_original().len());
    if length <= limit {
        let room = memory::temporary(growth.saturating_mul(NORMALIZED_COST));
        return room.map_err(|error| {
            NO_MEMORY.set(true);
            error.message().to_owned().into()
        });
    }
    Err(format!("its normalizer makes more than {limit} bytes of one text").into())
}

fn check_length(kind: &str, content: &str) -> Result<()> {
    if content.len() <= MAX_REPLACEMENT_BYTES {
        return Ok(());
    }
    Err(format!(
        "a normalizer `{kind}` writes {} bytes at once, more than {MAX_REPLACEMENT_BYTES}",
        content.len()
    )
    .into())
}

/// Pre-tokenizers, one after the other.
#[derive(Clone, Debug)]
pub(super) struct BoundedPreTokenizer(Vec<SplitStep>);

#[derive(Clone, Debug)]
enum SplitStep {
    Split {
        pattern: Regex,
        behavior: SplitDelimiterBehavior,
        is_inverted: bool,
    },
    /// GPT-2's pattern, behind a blank if it should begin with one.
    Bytes {
        adds_blank: bool,
        bytes: ByteLevel,
    },
    Own(PreTokenizerWrapper),
}

impl BoundedPreTokenizer {
    /// The one pre-tokenizer that it is, if it is one of the library's without a pattern.
    pub(super) fn only(&self) -> Option<&PreTokenizerWrapper> {
        match self.0.as_slice() {
            [SplitStep::Own(one)] => Some(one),
            _ => None,
        }
    }

    /// Whether it splits bytes by GPT-2's pattern and nothing else.
    pub(super) fn is_byte_level(&self) -> bool {
        matches!(self.0.as_slice(), [SplitStep::Bytes { .. }])
    }

    /// Has it put a blank before every text, or not.
    pub(super) fn set_adds_blank(&mut self, adds: bool) {
        if let [SplitStep::Bytes { adds_blank, .. }] = self.0.as_mut_slice() {
            *adds_blank = adds;
        }
    }

    /// Whether punctuation is split off.
    pub(super) fn splits_punctuation(&self) -> bool {
        let splits = |step: &SplitStep| {
            matches!(
                step,
                SplitStep::Own(
                    PreTokenizerWrapper::Punctuation(_) | PreTokenizerWrapper::BertPreTokenizer(_)
                )
            )
        };
        self.0.iter().any(splits)
    }

    fn steps(value: Json) -> Result<Vec<SplitStep>> {
        match kind(&value) {
            "Sequence" => parts(&value, "pretokenizers")
                .into_iter()
                .map(Self::steps)
                .collect::<Result<Vec<_>>>()
                .map(|all| all.concat()),
            "Split" => {
                let pattern = pattern(&value)?;
                let behavior =
                    serde_json::from_value(value.get("behavior").cloned().unwrap_or_default())?;
                let is_inverted = value.get("invert").and_then(Json::as_bool).unwrap_or(false);
                Ok(vec![SplitStep::Split {
                    pattern,
                    behavior,
                    is_inverted,
                }])
            }
            _ => Ok(vec![match serde_json::from_value(value)? {
                PreTokenizerWrapper::ByteLevel(bytes) if bytes.use_regex => {
                    let plain = bytes.add_prefix_space(false).use_regex(false);
                    SplitStep::Bytes {
                        adds_blank: bytes.add_prefix_space,
                        bytes: plain,
                    }
                }
                own => SplitStep::Own(own),
            }]),
        }
    }
}

impl<'de> Deserialize<'de> for BoundedPreTokenizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::steps(Json::deserialize(deserializer)?)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl PreTokenizer for BoundedPreTokenizer {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> Result<()> {
        for step in &self.0 {
            match step {
                SplitStep::Split {
                    pattern,
                    behavior,
                    is_inverted: true,
                } => text.split(|_, part| part.split(Invert(pattern), *behavior))?,
                SplitStep::Split {
                    pattern, behavior, ..
                } => text.split(|_, part| part.split(pattern, *behavior))?,
                SplitStep::Bytes { adds_blank, bytes } => {
                    text.split(|_, mut part| {
                        if *adds_blank && !part.get().starts_with(' ') {
                            part.prepend(" ");
                        }
                        part.split(&*BYTE_LEVEL, SplitDelimiterBehavior::Isolated)
                    })?;
                    bytes.pre_tokenize(text)?;
                }
                SplitStep::Own(own) => own.pre_tokenize(text)?,
            }
        }
        Ok(())
    }
}

/// The tokenizer in `tokenizer.json`.
///
/// # Errors
/// Fails for what is not one, and names a setting that makes texts cost without bound or differ
/// from run to run.
pub(super) fn parse(bytes: &[u8]) -> Result<BoundedTokenizer> {
    let tokenizer: BoundedTokenizer = serde_json::from_slice(bytes)?;
    match tokenizer.get_model() {
        ModelWrapper::WordPiece(model) if model.max_input_chars_per_word > MAX_WORD_CHARACTERS => {
            let found = model.max_input_chars_per_word;
            return Err(format!(
                "`max_input_chars_per_word` is {found}, and words of more than \
                 {MAX_WORD_CHARACTERS} take too long"
            )
            .into());
        }
        ModelWrapper::BPE(_) => check_dropout(bytes)?,
        _ => {}
    }
    check_decoder(tokenizer.get_decoder())?;
    Ok(tokenizer)
}

/// The library keeps this setting to itself.
fn check_dropout(bytes: &[u8]) -> Result<()> {
    #[derive(Deserialize)]
    struct Outline {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        dropout: Option<f32>,
    }
    let Outline { model } = serde_json::from_slice(bytes)?;
    if model.dropout.is_none_or(|share| share == 0.0) {
        return Ok(());
    }
    Err("its model has a `dropout`, with which the same text has other tokens each time".into())
}

/// Decoders write the words of entities.
fn check_decoder(decoder: Option<&DecoderWrapper>) -> Result<()> {
    match decoder {
        Some(DecoderWrapper::Replace(replace)) => check_length("Replace", &replace.content),
        Some(DecoderWrapper::Sequence(all)) => all
            .get_decoders()
            .iter()
            .try_for_each(|one| check_decoder(Some(one))),
        _ => Ok(()),
    }
}

fn kind(value: &Json) -> &str {
    value.get("type").and_then(Json::as_str).unwrap_or_default()
}

fn parts(value: &Json, name: &str) -> Vec<Json> {
    value
        .get(name)
        .and_then(Json::as_array)
        .cloned()
        .unwrap_or_default()
}

/// The pattern of a `Split` or a `Replace`, as the library compiles it.
fn pattern(value: &Json) -> Result<Regex> {
    let pattern = value.get("pattern");
    let part = |name: &str| {
        pattern
            .and_then(|pattern| pattern.get(name))
            .and_then(Json::as_str)
    };
    match (part("String"), part("Regex")) {
        (Some(text), _) => Ok(Regex::new(&regex::escape(text))?),
        (None, Some(text)) => Ok(Regex::new(text)?),
        (None, None) => Err(format!("a `{}` has no pattern", kind(value)).into()),
    }
}
