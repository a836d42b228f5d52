//! A vocabulary, ready to be looked up: which code has this text, or this number?
//!
//! Numbers are compared as what they are, not as what a float would make of them: two ids beyond
//! 2^53 that differ by one are two categories. It must not know columns or policies.

use std::collections::{HashMap, HashSet};

use super::category_hash::category_hash;
use crate::contract::{CategoryValue, HashedCategories, HashedCode, InputKind, Vocabulary};

/// A number of a column, exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    /// An integer of any integer type, or of text.
    Integer(i128),
    /// A floating-point number.
    Real(f64),
}

impl Number {
    /// As users write it.
    pub(super) fn to_text(self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
        }
    }

    /// The nearest double.
    pub(super) fn to_double(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Real(value) => value,
        }
    }
}

/// The categories of a vocabulary. It may hold texts and numbers side by side.
#[derive(Debug)]
pub(super) enum Lookup {
    /// The input is not a category with a vocabulary.
    None,
    /// Codes by value.
    Values {
        texts: HashMap<String, f64>,
        /// By [`key`].
        numbers: HashMap<i128, f64>,
    },
    /// Codes by the hash of a value's text.
    Hashes {
        codes: HashMap<u32, f64>,
        other_code: f64,
    },
    /// The hash of a value's text is its code.
    OwnHashes {
        known: HashSet<u32>,
        is_complete: bool,
    },
}

impl Lookup {
    pub(super) fn new(kind: &InputKind) -> Self {
        let values = match kind {
            InputKind::Category(Vocabulary { values, .. }) => values,
            InputKind::HashedCategory(HashedCategories { hashes, code }) => {
                let codes = hashes.iter().enumerate();
                return match *code {
                    HashedCode::Position { other } => Self::Hashes {
                        codes: codes.map(|(code, &hash)| (hash, code as f64)).collect(),
                        other_code: other,
                    },
                    HashedCode::Hash { is_complete } => Self::OwnHashes {
                        known: hashes.iter().copied().collect(),
                        is_complete,
                    },
                };
            }
            _ => return Self::None,
        };
        let (mut texts, mut numbers) = (HashMap::new(), HashMap::new());
        for (code, value) in values.iter().enumerate().rev() {
            let number = match value {
                CategoryValue::Text(text) => {
                    texts.insert(text.clone(), code as f64);
                    continue;
                }
                CategoryValue::Integer(value) => Number::Integer(i128::from(*value)),
                CategoryValue::Number(value) => Number::Real(*value),
                CategoryValue::Boolean(value) => Number::Integer(i128::from(*value)),
            };
            numbers.insert(key(number), code as f64);
        }
        Self::Values { texts, numbers }
    }

    /// Whether the model asks for this text by name or hash.
    pub(super) fn knows(&self, text: &str) -> bool {
        self.known_code(text).is_some()
    }

    /// The code of a text that the model asks for by name or hash.
    pub(super) fn known_code(&self, text: &str) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Values { texts, .. } => texts.get(text).copied(),
            Self::Hashes { codes, .. } => codes.get(&category_hash(text)).copied(),
            Self::OwnHashes { known, .. } => {
                let hash = category_hash(text);
                known.contains(&hash).then_some(f64::from(hash))
            }
        }
    }

    /// Whether the model asks for this number by value or hash.
    pub(super) fn knows_number(&self, number: Number) -> bool {
        match self {
            Self::None => false,
            Self::Values { numbers, .. } => numbers.contains_key(&key(number)),
            Self::Hashes { .. } | Self::OwnHashes { .. } => self.knows(&key(number).to_string()),
        }
    }

    /// The code of a text that is not known; none if it is unseen.
    pub(super) fn other_code(&self, text: &str) -> Option<f64> {
        match self {
            Self::None
            | Self::Values { .. }
            | Self::OwnHashes {
                is_complete: true, ..
            } => None,
            Self::Hashes { other_code, .. } => Some(*other_code),
            Self::OwnHashes { .. } => Some(f64::from(category_hash(text))),
        }
    }

    /// What the model reads for an unseen value that is let through, where its text decides it.
    pub(super) fn unseen_code(&self, text: &str) -> Option<f64> {
        matches!(self, Self::OwnHashes { .. }).then(|| f64::from(category_hash(text)))
    }

    /// The code of the number or boolean that a text of no known type spells, if it is no
    /// category itself: `True` is read as 1 and `10.0` as 10, as they would be had the column a
    /// type.
    pub(super) fn code_of_spelling(&self, text: &str) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Values { texts, numbers } => {
                let real = || {
                    text.parse()
                        .ok()
                        .filter(|value: &f64| value.to_string() == text)
                        .map(Number::Real)
                };
                let number = spelled(text).map(Number::Integer).or_else(real);
                number
                    .and_then(|number| numbers.get(&key(number)).copied())
                    .or_else(|| boolean_code(texts, text))
            }
            Self::Hashes { .. } | Self::OwnHashes { .. } => {
                self.known_code(&spelled(text)?.to_string())
            }
        }
    }

    /// The code of a number; none if it is unseen. By hash, an integer is the text of its
    /// digits; there are no others.
    pub(super) fn code_of_number(&self, number: Number) -> Option<f64> {
        match self {
            Self::None => None,
            Self::Values { numbers, .. } => numbers.get(&key(number)).copied(),
            Self::Hashes { .. } | Self::OwnHashes { .. } => match number {
                Number::Real(value) if value.fract() != 0.0 || !value.is_finite() => None,
                whole => {
                    let text = key(whole).to_string();
                    self.known_code(&text).or_else(|| self.other_code(&text))
                }
            },
        }
    }

    /// Whether texts are looked up as they are; otherwise they stand for numbers.
    pub(super) fn holds_texts(&self) -> bool {
        match self {
            Self::None => false,
            Self::Values { texts, numbers } => !texts.is_empty() || numbers.is_empty(),
            Self::Hashes { .. } | Self::OwnHashes { .. } => true,
        }
    }
}

/// The code of a boolean that other programs write `true` or `TRUE`, where pandas made the texts
/// `True` and `False` of booleans and there is no other category.
fn boolean_code(texts: &HashMap<String, f64>, text: &str) -> Option<f64> {
    let name = match text {
        "true" | "TRUE" => "True",
        "false" | "FALSE" => "False",
        _ => return None,
    };
    let are_booleans = texts
        .keys()
        .all(|known| known == "True" || known == "False");
    texts.get(name).copied().filter(|_| are_booleans)
}

/// The integer of a boolean or of digits, with or without zeros behind a point; `007` may
/// be the name of something else.
fn spelled(text: &str) -> Option<i128> {
    match text {
        "true" | "True" | "TRUE" => Some(1),
        "false" | "False" | "FALSE" => Some(0),
        _ => {
            let (whole, zeros) = text.split_once('.').unwrap_or((text, "0"));
            let is_whole = !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0');
            whole
                .parse()
                .ok()
                .filter(|value: &i128| is_whole && value.to_string() == whole)
        }
    }
}

/// One number's key, whatever its type: an integer is its own, any other has the bits of its
/// float, below all integers.
pub(super) fn key(number: Number) -> i128 {
    /// Beyond every integer that a column holds, and still exact as a float.
    const WHOLE_LIMIT: f64 = 36_893_488_147_419_103_232.0;
    match number {
        Number::Integer(value) => value,
        Number::Real(value) if value.fract() == 0.0 && value.abs() <= WHOLE_LIMIT => value as i128,
        Number::Real(value) => i128::MIN + i128::from(value.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_key_whatever_their_type() {
        assert_eq!(key(Number::Integer(7)), key(Number::Real(7.0)));
        assert_eq!(key(Number::Real(-0.0)), key(Number::Integer(0)));
        assert_eq!(
            key(Number::Integer(i128::from(u64::MAX) + 1)),
            key(Number::Real(18_446_744_073_709_551_616.0))
        );
        let keys = [
            Number::Real(0.5),
            Number::Real(-0.5),
            Number::Real(f64::INFINITY),
            Number::Real(f64::MIN),
            Number::Integer(0),
        ]
        .map(key);
        assert!((0..keys.len()).all(|index| !keys[..index].contains(&keys[index])));
    }

    #[test]
    fn a_value_without_a_name_is_found_by_the_hash_of_its_text() {
        let hashes = vec![
            category_hash("red"),
            category_hash("-5"),
            category_hash("1"),
        ];
        let lookup = Lookup::new(&InputKind::HashedCategory(HashedCategories {
            hashes,
            code: HashedCode::Position { other: -1.0 },
        }));
        assert_eq!(
            ["red", "-5", "blue", "-05"].map(|text| lookup.known_code(text)),
            [Some(0.0), Some(1.0), None, None]
        );
        assert_eq!(lookup.other_code("blue"), Some(-1.0));
        let numbers = [
            Number::Integer(-5),
            Number::Real(-5.0),
            Number::Integer(1),
            Number::Integer(i128::from(u64::MAX)),
        ];
        assert_eq!(
            numbers.map(|number| lookup.code_of_number(number)),
            [Some(1.0), Some(1.0), Some(2.0), Some(-1.0)]
        );
        assert_eq!(
            [0.5, f64::INFINITY].map(|value| lookup.code_of_number(Number::Real(value))),
            [None, None]
        );
        assert!(lookup.knows("red") && !lookup.knows("NA") && lookup.holds_texts());
        let spellings = [
            "True", "-5.0", "1.00", "1", "False", "1.5", "01.0", "01", "1.", ".0", "red", "7.0",
        ];
        let codes = spellings.map(|text| lookup.code_of_spelling(text));
        assert_eq!(
            codes,
            [
                Some(2.0),
                Some(1.0),
                Some(2.0),
                Some(2.0),
                None,
                None,
                None,
                None,
                None,
                None,
                None,
                None
            ]
        );
    }

    #[test]
    fn a_hash_that_is_its_own_code_is_unseen_only_where_all_are_listed() {
        let hash = |text: &str| f64::from(category_hash(text));
        let lookup = |is_complete| {
            Lookup::new(&InputKind::HashedCategory(HashedCategories {
                hashes: vec![category_hash("red"), category_hash("1")],
                code: HashedCode::Hash { is_complete },
            }))
        };
        for is_complete in [false, true] {
            let lookup = lookup(is_complete);
            let other = |text: &str| (!is_complete).then(|| hash(text));
            assert_eq!(lookup.known_code("red"), Some(hash("red")));
            assert_eq!(
                (lookup.known_code("blue"), lookup.other_code("blue")),
                (None, other("blue"))
            );
            assert_eq!(lookup.unseen_code("blue"), Some(hash("blue")));
            assert_eq!(lookup.code_of_number(Number::Real(1.0)), Some(hash("1")));
            assert_eq!(lookup.code_of_number(Number::Integer(2)), other("2"));
            assert_eq!(lookup.code_of_number(Number::Real(0.5)), None);
            assert_eq!(lookup.code_of_spelling("True"), Some(hash("1")));
            assert_eq!(lookup.code_of_spelling("2.0"), None);
        }
    }

    #[test]
    fn booleans_of_other_programs_are_those_of_pandas_where_there_is_nothing_else() {
        let lookup = |texts: &[&str]| {
            let values = texts.iter().map(|text| CategoryValue::Text((*text).into()));
            Lookup::new(&InputKind::Category(Vocabulary {
                values: values.collect(),
                unseen_code: -1.0,
            }))
        };
        let codes = |texts: &[&str]| {
            let lookup = lookup(texts);
            ["true", "TRUE", "false", "yes"].map(|text| lookup.code_of_spelling(text))
        };
        assert_eq!(
            codes(&["False", "True"]),
            [Some(1.0), Some(1.0), Some(0.0), None]
        );
        assert_eq!(codes(&["True"]), [Some(0.0), Some(0.0), None, None]);
        assert_eq!(codes(&["False", "True", "unknown"]), [None; 4]);
    }

    #[test]
    fn texts_of_no_known_type_spell_the_numbers_of_a_mixed_vocabulary() {
        let values = vec![
            CategoryValue::Integer(4),
            CategoryValue::Number(2.5),
            CategoryValue::Boolean(true),
            CategoryValue::Text("x".into()),
        ];
        let lookup = Lookup::new(&InputKind::Category(Vocabulary {
            values,
            unseen_code: f64::NAN,
        }));
        assert!(
            lookup.holds_texts()
                && lookup.known_code("x") == Some(3.0)
                && lookup.known_code("4").is_none()
        );
        let spellings = [
            "4", "4.0", "2.5", "True", "1", "04", "2.50", "x", "inf", "5",
        ];
        let codes = spellings.map(|text| lookup.code_of_spelling(text));
        assert_eq!(
            codes,
            [
                Some(0.0),
                Some(0.0),
                Some(1.0),
                Some(2.0),
                Some(2.0),
                None,
                None,
                None,
                None,
                None
            ]
        );
    }

    #[test]
    fn neighbours_beyond_the_precision_of_floats_are_two_categories() {
        let values = vec![
            CategoryValue::Integer((1 << 53) + 1),
            CategoryValue::Integer(1 << 53),
            CategoryValue::Boolean(true),
        ];
        let Lookup::Values { numbers, .. } = Lookup::new(&InputKind::Category(Vocabulary {
            values,
            unseen_code: f64::NAN,
        })) else {
            panic!("none")
        };
        let code = |number| numbers.get(&key(number)).copied();
        assert_eq!(
            (
                code(Number::Integer((1 << 53) + 1)),
                code(Number::Integer(1 << 53)),
                code(Number::Real(2_f64.powi(53)))
            ),
            (Some(0.0), Some(1.0), Some(1.0))
        );
        assert_eq!(
            (code(Number::Real(1.0)), code(Number::Real(2.0))),
            (Some(2.0), None)
        );
    }
}
