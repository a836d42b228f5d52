//! Words too long for `WordPiece`, made shorter before they are tokenized.
//!
//! `WordPiece` gives one unknown token for a word of more than some hundred characters, however
//! long it is; normalising ten megabytes to learn that costs seconds, and a hundred times their
//! memory. Of a run of ASCII letters and digits, only the ends count: BERT's normaliser turns each
//! into one of them, its pre-tokenizer never splits between two, and no added token that holds a
//! mark, such as `[MASK]`, lies inside. So the middle is dropped, and the tokens are the same.

use std::borrow::Cow;

use tokenizers::{Encoding, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::bounded::{BoundedNormalizer, BoundedPreTokenizer, BoundedTokenizer};

/// Bytes of a run that are kept at each of its ends.
const KEPT_BYTES: usize = 1024;

/// The longest word that `WordPiece` may split, and the longest added token: with both, what is
/// kept of a run is an unknown word still.
const MAX_CHARACTERS: usize = 256;

/// A text without the middle of its longest words.
pub(super) struct Shortened<'a> {
    pub(super) text: Cow<'a, str>,
    /// Where characters were dropped of the shorter text, and how many, in its order.
    removed: Vec<(usize, usize)>,
}

/// Whether the middle of a long word changes no token.
pub(super) fn can_shorten(tokenizer: &BoundedTokenizer) -> bool {
    let is_unknown_word = |model: &ModelWrapper| {
        matches!(model, ModelWrapper::WordPiece(model)
        if model.max_input_chars_per_word <= MAX_CHARACTERS)
    };
    // Marks survive the normaliser; `É` might become a letter that lies in a run.
    let has_mark = |token: &str| {
        token.len() <= MAX_CHARACTERS && token.bytes().any(|byte| byte.is_ascii_punctuation())
    };
    is_unknown_word(tokenizer.get_model())
        && matches!(
            tokenizer.get_normalizer().and_then(BoundedNormalizer::only),
            Some(NormalizerWrapper::BertNormalizer(_))
        )
        && matches!(
            tokenizer
                .get_pre_tokenizer()
                .and_then(BoundedPreTokenizer::only),
            Some(PreTokenizerWrapper::BertPreTokenizer(_))
        )
        && tokenizer
            .get_added_tokens_decoder()
            .values()
            .all(|token| has_mark(&token.content))
}

/// The text without the middle of every run of ASCII letters and digits that is longer than both of
/// its ends.
pub(super) fn shortened(text: Cow<'_, str>) -> Shortened<'_> {
    if text.len() <= 2 * KEPT_BYTES {
        return Shortened::whole(text);
    }
    let (mut kept, mut removed, mut rest, mut characters) = (String::new(), Vec::new(), 0, 0);
    for (start, end) in long_runs(text.as_bytes()) {
        let (head, tail) = (start + KEPT_BYTES, end - KEPT_BYTES);
        kept.push_str(&text[rest..head]);
        characters += text[rest..head].chars().count();
        removed.push((characters, tail - head));
        rest = tail;
    }
    if removed.is_empty() {
        return Shortened::whole(text);
    }
    kept.push_str(&text[rest..]);
    Shortened {
        text: Cow::Owned(kept),
        removed,
    }
}

/// Where runs begin and end that have more than what is kept of them.
fn long_runs(bytes: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let mut index = 0;
    let runs = bytes
        .chunk_by(|left, right| left.is_ascii_alphanumeric() == right.is_ascii_alphanumeric())
        .map(move |run| {
            let start = index;
            index += run.len();
            (run, start)
        });
    runs.filter(|(run, _)| run.len() > 2 * KEPT_BYTES && run[0].is_ascii_alphanumeric())
        .map(|(run, start)| (start, start + run.len()))
}

impl<'a> Shortened<'a> {
    pub(super) fn whole(text: Cow<'a, str>) -> Self {
        Self {
            text,
            removed: Vec::new(),
        }
    }

    /// Keeps the first bytes only, up to the end of a character.
    pub(super) fn truncate(&mut self, length: usize) {
        match &mut self.text {
            Cow::Borrowed(text) => *text = &text[..length],
            Cow::Owned(text) => text.truncate(length),
        }
    }

    /// The encoding of the shorter text, with the positions of its tokens, in characters, as they
    /// are in the whole one.
    pub(super) fn positioned(&self, mut encoding: Encoding) -> Encoding {
        if self.removed.is_empty() {
            return encoding;
        }
        let whole = |index: usize| {
            index
                + self
                    .removed
                    .iter()
                    .take_while(|(cut, _)| *cut < index)
                    .map(|(_, count)| count)
                    .sum::<usize>()
        };
        let offsets = encoding
            .get_offsets()
            .iter()
            .map(|(start, end)| (whole(*start), whole(*end)))
            .collect();
        let overflowing = encoding.take_overflowing();
        Encoding::new(
            encoding.get_ids().to_vec(),
            encoding.get_type_ids().to_vec(),
            encoding.get_tokens().to_vec(),
            encoding.get_word_ids().to_vec(),
            offsets,
            encoding.get_special_tokens_mask().to_vec(),
            encoding.get_attention_mask().to_vec(),
            overflowing,
            std::iter::empty().collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::encoder::bounded;

    fn json(name: &str) -> String {
        std::fs::read_to_string(format!(
            "{}/data/golden/text/tokenizers/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap()
    }

    fn parsed(json: &str) -> BoundedTokenizer {
        let mut tokenizer = bounded::parse(json.as_bytes()).unwrap();
        tokenizer.with_padding(None);
        tokenizer
    }

    fn tokenizer(name: &str) -> BoundedTokenizer {
        parsed(&json(name))
    }

    /// Texts with runs of every length around what is kept, alongside blanks, marks, accents,
    /// Chinese and added tokens.
    fn texts() -> Vec<String> {
        let run = |length: usize| "Ab3".chars().cycle().take(length).collect::<String>();
        let lengths = [99, 100, 101, 2047, 2048, 2049, 2050, 5000, 70_000];
        let around = [
            ("", ""),
            ("the quick ", " brown fox"),
            ("é", "é"),
            ("[MASK]", "[MASK] fox"),
            ("你好", "世界"),
            ("e\u{301}", "\u{301}e"),
            ("\u{0}", "\u{ad}x"),
            ("fox-", "-fox"),
        ];
        let mut texts: Vec<String> = lengths
            .iter()
            .flat_map(|length| {
                around.map(|(before, after)| format!("{before}{}{after}", run(*length)))
            })
            .collect();
        texts.push(format!(
            "fox {} fox {}, fox {}é{} fox",
            run(3000),
            run(4000),
            run(2500),
            run(2500)
        ));
        texts
    }

    #[test]
    fn long_words_without_their_middle_give_the_tokens_and_positions_of_the_whole_text() {
        let tokenizer = tokenizer("wordpiece");
        assert!(can_shorten(&tokenizer));
        let mut shortened_count = 0;
        for text in texts() {
            let whole = tokenizer.encode_char_offsets(&*text, true).unwrap();
            let short = shortened(Cow::Borrowed(&text));
            shortened_count += usize::from(short.text.len() < text.len());
            let found =
                short.positioned(tokenizer.encode_char_offsets(&*short.text, true).unwrap());
            let facts = |encoding: &Encoding| {
                (
                    encoding.get_ids().to_vec(),
                    encoding.get_offsets().to_vec(),
                    encoding.get_type_ids().to_vec(),
                    encoding.get_word_ids().to_vec(),
                )
            };
            assert_eq!(facts(&found), facts(&whole), "{} bytes", text.len());
            assert_eq!(
                found.get_special_tokens_mask(),
                whole.get_special_tokens_mask()
            );
        }
        assert!(
            shortened_count > 30,
            "{shortened_count} texts were made shorter"
        );
    }

    #[test]
    fn only_where_the_middle_cannot_count_is_it_left_out() {
        assert!(!can_shorten(&tokenizer("bytelevel")) && !can_shorten(&tokenizer("unigram")));
        let mut with_letters = tokenizer("wordpiece");
        with_letters
            .add_tokens([tokenizers::AddedToken::from("foxes", false)])
            .unwrap();
        assert!(
            !can_shorten(&with_letters),
            "an added token could lie in the middle"
        );
        let mut with_accent = tokenizer("wordpiece");
        with_accent
            .add_tokens([tokenizers::AddedToken::from("É", false)])
            .unwrap();
        assert!(
            !can_shorten(&with_accent),
            "an added token could become a letter"
        );
        let changed = |from: &str, to: &str| {
            let json = serde_json::from_str::<serde_json::Value>(&json("wordpiece"))
                .unwrap()
                .to_string();
            assert!(json.contains(from), "no {from} in {json}");
            parsed(&json.replace(from, to))
        };
        assert!(!can_shorten(&changed(
            "\"max_input_chars_per_word\":100",
            "\"max_input_chars_per_word\":1000"
        )));
        assert!(!can_shorten(&changed(
            "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}",
            "\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true}"
        )));
    }
}
