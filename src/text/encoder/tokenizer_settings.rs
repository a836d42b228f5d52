//! What `tokenizer_config.json` changes of `tokenizer.json`, as transformers applies it.
//!
//! Owns the classes of tokenizers. Most of transformers' classes build their normalizer anew from
//! settings, with defaults where a setting is missing; the general class reads the file as it is.
//! What differs and is not built here is refused.

use serde_json::Value as Json;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::tokenizer::AddedToken;
use tokenizers::{ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::bounded::{BoundedNormalizer, BoundedTokenizer};
use super::config::Config;
use super::parts::Parts;
use crate::error::{Error, Result};

/// The file.
const FILE: &str = "tokenizer_config.json";

/// How a class of transformers makes its tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// From the file alone.
    AsSaved,
    /// `WordPiece` behind BERT's normalizer, made from settings.
    Bert,
    /// Byte-level BPE without a normalizer.
    Roberta,
    /// Unigrams; its normalizer depends on settings, which must agree with the file.
    Unigram {
        /// Whether it makes letters small where nothing is said; none: it has no such setting.
        lowers: Option<bool>,
    },
}

/// (transformers' name without `Fast`, the class).
const CLASSES: [(&str, Class); 11] = [
    ("BertTokenizer", Class::Bert),
    ("DistilBertTokenizer", Class::Bert),
    ("ElectraTokenizer", Class::Bert),
    ("MPNetTokenizer", Class::Bert),
    ("RobertaTokenizer", Class::Roberta),
    ("XLMRobertaTokenizer", Class::Unigram { lowers: None }),
    ("CamembertTokenizer", Class::Unigram { lowers: None }),
    ("AlbertTokenizer", Class::Unigram { lowers: Some(true) }),
    (
        "DebertaV2Tokenizer",
        Class::Unigram {
            lowers: Some(false),
        },
    ),
    ("TokenizersBackend", Class::AsSaved),
    ("PreTrainedTokenizer", Class::AsSaved),
];

/// (`model_type`, the class where nothing names one); others are read as they are saved.
const BY_MODEL: [(&str, &str); 10] = [
    ("bert", "BertTokenizer"),
    ("distilbert", "BertTokenizer"),
    ("electra", "BertTokenizer"),
    ("nomic_bert", "BertTokenizer"),
    ("mpnet", "MPNetTokenizer"),
    ("roberta", "RobertaTokenizer"),
    ("xlm-roberta", "XLMRobertaTokenizer"),
    ("camembert", "CamembertTokenizer"),
    ("albert", "AlbertTokenizer"),
    ("deberta-v2", "DebertaV2Tokenizer"),
];

/// Settings that name one token each.
const NAMED_TOKENS: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// How to make a file that every version of transformers reads alike.
const SAVE_AGAIN: &str = "save the tokenizer again with the library that scores with it: \
    `python -c \"from transformers import AutoTokenizer; \
    AutoTokenizer.from_pretrained('DIRECTORY').save_pretrained('DIRECTORY')\"`, or set \
    `tokenizer_class` to `PreTrainedTokenizerFast` in tokenizer_config.json if tokenizer.json is \
    right";

/// Changes the tokenizer as the settings say; `vocabulary` is how many tokens the model has.
///
/// # Errors
/// A trust error for a tokenizer whose class is the model's own code; a contract error for settings
/// that contradict the file.
pub(super) fn apply(
    tokenizer: &mut BoundedTokenizer,
    parts: &Parts,
    vocabulary: usize,
) -> Result<()> {
    let settings = &parts.tokenizer_config;
    let own_code = [settings, &parts.config].into_iter().find_map(|config| {
        config
            .object("auto_map")?
            .value(&["AutoTokenizer"])
            .cloned()
    });
    if let Some(class) = own_code.or_else(|| {
        settings
            .value(&["auto_map"])
            .filter(|map| map.is_array())
            .cloned()
    }) {
        let error = Error::trust(format!(
            "the tokenizer is code of the model's own: `auto_map` names {class}"
        ))
        .at_node(FILE);
        return Err(error
            .hint("tallow runs no such code; use a model whose tokenizer is transformers' own"));
    }
    let class = class(parts);
    if class != Class::AsSaved && tokenizer.get_post_processor().is_none() {
        return Err(contradiction("has no post-processor")
            .at_node(FILE)
            .hint(SAVE_AGAIN));
    }
    match class {
        Class::AsSaved => Ok(()),
        Class::Bert => bert(tokenizer, settings),
        Class::Roberta => roberta(tokenizer, settings),
        Class::Unigram { lowers } => unigram(tokenizer, settings, lowers),
    }
    .map_err(|error| error.at_node(FILE).hint(SAVE_AGAIN))?;
    add_tokens(tokenizer, parts, vocabulary)?;
    tokenizer.set_encode_special_tokens(settings.boolean("split_special_tokens", false));
    Ok(())
}

/// The class that transformers takes: the named one, except for ModernBERT, whose directories name
/// a wrong one.
fn class(parts: &Parts) -> Class {
    let model = parts.config.text("model_type").unwrap_or_default();
    let Some((_, registered)) = BY_MODEL.iter().find(|(name, _)| *name == model) else {
        return Class::AsSaved;
    };
    let named = parts
        .tokenizer_config
        .text("tokenizer_class")
        .or_else(|| parts.config.text("tokenizer_class"))
        .unwrap_or(registered);
    let plain = named.strip_suffix("Fast").unwrap_or(named);
    CLASSES
        .iter()
        .find(|(name, _)| *name == plain)
        .map_or(Class::AsSaved, |(_, class)| *class)
}

fn bert(tokenizer: &mut BoundedTokenizer, settings: &Config) -> Result<()> {
    if !matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_)) {
        return Err(contradiction("is not a WordPiece model"));
    }
    if !matches!(
        tokenizer.get_pre_tokenizer().and_then(|steps| steps.only()),
        Some(PreTokenizerWrapper::BertPreTokenizer(_))
    ) {
        return Err(contradiction("has another pre-tokenizer than BERT's"));
    }
    let Some(NormalizerWrapper::BertNormalizer(saved)) =
        tokenizer.get_normalizer().and_then(BoundedNormalizer::only)
    else {
        return Err(contradiction("has another normalizer than BERT's"));
    };
    let accents = settings.value(&["strip_accents"]).and_then(Json::as_bool);
    let made = BertNormalizer::new(
        true,
        settings.boolean("tokenize_chinese_chars", true),
        accents,
        settings.boolean("do_lower_case", true),
    );
    let facts = |one: &BertNormalizer| {
        (
            one.clean_text,
            one.handle_chinese_chars,
            one.strip_accents,
            one.lowercase,
        )
    };
    if facts(saved) == facts(&made) {
        return Ok(());
    }
    set_normalizer(tokenizer, BoundedNormalizer::of(made))
}

fn roberta(tokenizer: &mut BoundedTokenizer, settings: &Config) -> Result<()> {
    if !matches!(tokenizer.get_model(), ModelWrapper::BPE(_)) {
        return Err(contradiction("is not a BPE model"));
    }
    if tokenizer.get_normalizer().is_some() {
        return Err(contradiction("has a normalizer, and RoBERTa's has none"));
    }
    let Some(mut split) = tokenizer
        .get_pre_tokenizer()
        .filter(|steps| steps.is_byte_level())
        .cloned()
    else {
        return Err(contradiction("has another pre-tokenizer than RoBERTa's"));
    };
    split.set_adds_blank(settings.boolean("add_prefix_space", false));
    tokenizer.with_pre_tokenizer(Some(split));
    Ok(())
}

fn unigram(tokenizer: &BoundedTokenizer, settings: &Config, lowers: Option<bool>) -> Result<()> {
    if !matches!(tokenizer.get_model(), ModelWrapper::Unigram(_)) {
        return Err(contradiction("is not a unigram model"));
    }
    let saved = tokenizer
        .get_normalizer()
        .is_some_and(BoundedNormalizer::lowers);
    if let Some(lowers) = lowers.map(|default| settings.boolean("do_lower_case", default))
        && lowers != saved
    {
        return Err(contradiction(if lowers {
            "keeps capitals, and `do_lower_case` is true"
        } else {
            "makes capitals small, and `do_lower_case` is false"
        }));
    }
    let splits = tokenizer
        .get_pre_tokenizer()
        .is_some_and(super::bounded::BoundedPreTokenizer::splits_punctuation);
    if settings.boolean("split_by_punct", false) && !splits {
        return Err(contradiction(
            "does not split at punctuation, and `split_by_punct` is true",
        ));
    }
    settings.refuse("add_prefix_space", |value| value == &Json::Bool(false))
}

fn contradiction(what: &str) -> Error {
    Error::contract(format!(
        "the settings do not fit `tokenizer.json`, which {what}: \
            versions of transformers differ in which of the two counts"
    ))
}

/// Has the tokenizer use this normalizer.
pub(super) fn set_normalizer(
    tokenizer: &mut BoundedTokenizer,
    normalizer: BoundedNormalizer,
) -> Result<()> {
    let set = tokenizer.with_normalizer(Some(normalizer)).map(|_| ());
    set.map_err(|error| {
        Error::contract("the tokenizer's added tokens cannot be normalized")
            .because(std::io::Error::other(error))
    })
}

/// Adds the tokens that only the settings list: texts are split around them. One that the model has
/// no number for is passed over; the original would fail at a text that holds it.
fn add_tokens(tokenizer: &mut BoundedTokenizer, parts: &Parts, vocabulary: usize) -> Result<()> {
    let settings = &parts.tokenizer_config;
    let mut listed: Vec<(u64, AddedToken)> = Vec::new();
    if let Some(all) = settings.object("added_tokens_decoder") {
        listed.extend(
            all.names()
                .filter_map(|id| Some((id.parse().ok()?, token(all.value(&[id])?, false)?))),
        );
    } else {
        let all = &parts.added_tokens;
        listed.extend(all.names().filter_map(|name| {
            Some((all.value(&[name])?.as_u64()?, AddedToken::from(name, false)))
        }));
    }
    listed.sort_by_key(|(id, _)| *id);
    let named = [settings, &parts.special_tokens]
        .into_iter()
        .flat_map(special_tokens);
    let mut known: Vec<String> = tokenizer
        .get_added_tokens_decoder()
        .values()
        .map(|token| token.content.clone())
        .collect();
    let all: Vec<AddedToken> = listed
        .into_iter()
        .map(|(_, token)| token)
        .chain(named)
        .collect();
    for token in all {
        let has_id = tokenizer.token_to_id(&token.content).is_some()
            || tokenizer.get_vocab_size(true) < vocabulary;
        if token.content.is_empty() || known.contains(&token.content) || !has_id {
            continue;
        }
        known.push(token.content.clone());
        let added = tokenizer.add_tokens([token.clone()]);
        added.map_err(|error| {
            Error::contract(format!("cannot add the token `{}`", token.content))
                .because(std::io::Error::other(error))
        })?;
    }
    Ok(())
}

fn special_tokens(settings: &Config) -> Vec<AddedToken> {
    let lists = ["additional_special_tokens", "extra_special_tokens"];
    let one = NAMED_TOKENS
        .iter()
        .filter_map(|name| settings.value(&[name]));
    let many = lists
        .iter()
        .filter_map(|name| settings.value(&[name]))
        .flat_map(|list| match list {
            Json::Array(list) => list.iter().collect(),
            Json::Object(map) => map.values().collect(),
            _ => Vec::new(),
        });
    one.chain(many)
        .filter_map(|value| token(value, true))
        .collect()
}

/// A token as a text, or as an object with its flags.
fn token(value: &Json, is_special: bool) -> Option<AddedToken> {
    if let Some(content) = value.as_str() {
        return Some(AddedToken::from(content, is_special));
    }
    let flag = |name: &str| value.get(name).and_then(Json::as_bool);
    let is_special = flag("special").unwrap_or(is_special);
    let token = AddedToken::from(value.get("content")?.as_str()?, is_special);
    let token = token
        .single_word(flag("single_word").unwrap_or(false))
        .lstrip(flag("lstrip").unwrap_or(false));
    Some(
        token
            .rstrip(flag("rstrip").unwrap_or(false))
            .normalized(flag("normalized").unwrap_or(!is_special)),
    )
}
