//! From a text to its terms: what scikit-learn's text vectorisers call the analyser.
//!
//! Owns lower case, accents, stop words and n-grams. Source: `_VectorizerMixin` in
//! `sklearn/feature_extraction/text.py` of 0.24 to 1.9.

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

use super::object::{Object, reals};
use super::pattern::Pattern;
use crate::error::Result;
use crate::format::python::record::Value;

/// scikit-learn's English stop words, which have stayed the same since 0.20.
const ENGLISH: &str = include_str!("english.txt");

/// The longest n-grams that are made.
const NGRAM_LIMIT: usize = 100;

/// Which accents are taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Accents {
    Kept,
    Ascii,
    Unicode,
}

/// What a term is.
#[derive(Debug)]
enum Terms {
    /// Runs of tokens that a pattern finds, without stop words.
    Words {
        pattern: Pattern,
        stop_words: HashSet<String>,
    },
    /// Runs of characters; within words, with a space at either side.
    Characters { within_words: bool },
}

/// From a text to its terms.
#[derive(Debug)]
pub(super) struct Analysis {
    lowercase: bool,
    accents: Accents,
    terms: Terms,
    /// The least and the largest length of an n-gram.
    lengths: (usize, usize),
}

impl Analysis {
    /// The analyser of a vectoriser.
    ///
    /// # Errors
    /// A contract error for functions of its own and patterns that are not known.
    pub(super) fn new(object: &Object) -> Result<Self> {
        for name in ["preprocessor", "tokenizer"] {
            if object.find(name).is_some() {
                return Err(object.refuse(&format!("a `{name}` of its own is not supported")));
            }
        }
        if !matches!(object.text("input"), "content" | "") {
            return Err(object.refuse("texts that lie in files are not supported"));
        }
        let terms = match object.text("analyzer") {
            "word" => words(object)?,
            "char" => Terms::Characters {
                within_words: false,
            },
            "char_wb" => Terms::Characters { within_words: true },
            _ => return Err(object.refuse("an `analyzer` of its own is not supported")),
        };
        let accents = match object.text("strip_accents") {
            "ascii" => Accents::Ascii,
            "unicode" => Accents::Unicode,
            _ if object.find("strip_accents").is_none() => Accents::Kept,
            _ => return Err(object.refuse("`strip_accents` of its own is not supported")),
        };
        let lengths = reals(object.arena, object.need("ngram_range")?);
        let lengths = match lengths.as_deref() {
            Some([least, most]) if *least >= 1.0 && *most <= NGRAM_LIMIT as f64 => {
                (*least as usize, *most as usize)
            }
            _ => return Err(object.refuse("`ngram_range` is not a pair of lengths up to 100")),
        };
        Ok(Self {
            lowercase: object.flag("lowercase"),
            accents,
            terms,
            lengths,
        })
    }

    /// Calls `take` with each term of a text, as often as it is in it.
    pub(super) fn each(&self, text: &str, take: &mut dyn FnMut(&str)) {
        let lowered = if self.lowercase {
            text.to_lowercase()
        } else {
            text.to_owned()
        };
        let text = match self.accents {
            Accents::Kept => lowered,
            Accents::Ascii => lowered.nfkd().filter(char::is_ascii).collect(),
            Accents::Unicode if lowered.is_ascii() => lowered,
            Accents::Unicode => lowered
                .nfkd()
                .filter(|one| canonical_combining_class(*one) == 0)
                .collect(),
        };
        match &self.terms {
            Terms::Words {
                pattern,
                stop_words,
            } => {
                let mut tokens = pattern.tokens(&text);
                tokens.retain(|token| !stop_words.contains(*token));
                self.runs_of_words(&tokens, take);
            }
            Terms::Characters {
                within_words: false,
            } => self.runs_of_characters(&single_spaces(&text), take),
            Terms::Characters { within_words: true } => {
                let spaced = single_spaces(&text);
                for word in spaced.split(is_space).filter(|word| !word.is_empty()) {
                    self.runs_within(&format!(" {word} "), take);
                }
            }
        }
    }

    fn runs_of_words(&self, tokens: &[&str], take: &mut dyn FnMut(&str)) {
        let (least, most) = self.lengths;
        for length in least..=most.min(tokens.len()) {
            if length == 1 {
                tokens.iter().for_each(|token| take(token));
            } else {
                tokens
                    .windows(length)
                    .for_each(|window| take(&window.join(" ")));
            }
        }
        // Without n-grams of several words all tokens are terms, whatever the least length is.
        if most == 1 && least > 1 {
            tokens.iter().for_each(|token| take(token));
        }
    }

    fn runs_of_characters(&self, text: &str, take: &mut dyn FnMut(&str)) {
        let bounds = bounds(text);
        let count = bounds.len() - 1;
        let (least, most) = self.lengths;
        for length in least..=most.min(count) {
            for start in 0..=count - length {
                take(&text[bounds[start]..bounds[start + length]]);
            }
        }
    }

    /// Runs within a padded word; one that is shorter than a run is taken whole, once.
    fn runs_within(&self, word: &str, take: &mut dyn FnMut(&str)) {
        let bounds = bounds(word);
        let count = bounds.len() - 1;
        let (least, most) = self.lengths;
        for length in least..=most {
            take(&word[..bounds[length.min(count)]]);
            for start in 1..=count.saturating_sub(length) {
                take(&word[bounds[start]..bounds[start + length]]);
            }
            if length >= count {
                break;
            }
        }
    }
}

/// Where the characters of a text begin, and its end.
fn bounds(text: &str) -> Vec<usize> {
    let starts = text.char_indices().map(|(at, _)| at);
    starts.chain(std::iter::once(text.len())).collect()
}

/// Whether a character is white space for Python.
fn is_space(one: char) -> bool {
    one.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&one)
}

/// The text with runs of two or more spaces as one.
fn single_spaces(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(one) = rest.next() {
        if is_space(one) && rest.peek().copied().is_some_and(is_space) {
            while rest.next_if(|next| is_space(*next)).is_some() {}
            made.push(' ');
        } else {
            made.push(one);
        }
    }
    made
}

fn words(object: &Object) -> Result<Terms> {
    let python = object.text("token_pattern");
    let pattern = Pattern::new(python).ok_or_else(|| {
        let shown: String = python.chars().take(60).collect();
        object.refuse(&format!(
            "the `token_pattern` `{shown}` has parts that are not known, several groups, or empty \
             tokens"
        ))
    })?;
    Ok(Terms::Words {
        pattern,
        stop_words: stop_words(object)?,
    })
}

fn stop_words(object: &Object) -> Result<HashSet<String>> {
    let Some(id) = object.find("stop_words") else {
        return Ok(HashSet::new());
    };
    match object.arena.text(id) {
        Some("english") => {
            return Ok(ENGLISH.split_whitespace().map(str::to_owned).collect());
        }
        Some(other) => return Err(object.refuse(&format!("the stop words `{other}` are unknown"))),
        None => {}
    }
    let (Value::List(items) | Value::Tuple(items) | Value::Set(items)) = object.arena.get(id)
    else {
        return Err(object.refuse("its stop words are not a list"));
    };
    let word = |id: &_| object.arena.text(*id).map(str::to_owned);
    let words: Option<HashSet<String>> = items.iter().map(word).collect();
    words.ok_or_else(|| object.refuse("a stop word is not a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(terms: Terms, lengths: (usize, usize), accents: Accents, text: &str) -> Vec<String> {
        let analysis = Analysis {
            lowercase: true,
            accents,
            terms,
            lengths,
        };
        let mut found = Vec::new();
        analysis.each(text, &mut |term| found.push(term.to_owned()));
        found
    }

    fn words(pattern: &str) -> Terms {
        Terms::Words {
            pattern: Pattern::new(pattern).unwrap(),
            stop_words: HashSet::from(["the".to_owned()]),
        }
    }

    /// The expected terms are those of `CountVectorizer(...).build_analyzer()` of scikit-learn 1.9.
    #[test]
    fn terms_are_those_of_scikit_learn() {
        let default = r"(?u)\b\w\w+\b";
        let kept = Accents::Kept;
        assert_eq!(
            terms(words(default), (1, 2), kept, "The Quick a fox_1 ran"),
            ["quick", "fox_1", "ran", "quick fox_1", "fox_1 ran"]
        );
        assert_eq!(
            terms(words(default), (1, 1), Accents::Unicode, "Café naïve Ω"),
            ["cafe", "naive"]
        );
        let characters = |within_words| Terms::Characters { within_words };
        assert_eq!(
            terms(characters(false), (2, 3), kept, "ab  c"),
            ["ab", "b ", " c", "ab ", "b c"]
        );
        assert_eq!(
            terms(characters(true), (2, 4), kept, "abc d"),
            [
                " a", "ab", "bc", "c ", " ab", "abc", "bc ", " abc", "abc ", " d", "d ", " d "
            ]
        );
    }
}
