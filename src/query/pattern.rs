//! `LIKE`, `ILIKE` and regular expressions.
//!
//! `%` stands for any characters, `_` for one; nothing is an escape unless `ESCAPE` says so. It
//! must not know expressions.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use regex::{Regex, RegexBuilder};

use super::node::Pattern;
use super::value::{Fault, Outcome, Value, name_of};

/// The most memory that a compiled regular expression may take.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Whether texts match patterns.
pub(super) fn matches(
    value: &Value,
    pattern: &Value,
    how: Pattern,
    row_count: usize,
) -> Outcome<Value> {
    let (value, pattern) = (text(value)?, text(pattern)?);
    let is_constant = value.is_constant && pattern.is_constant;
    let count = if is_constant { 1 } else { row_count };
    let texts = value.expanded(count)?;
    let texts = texts.as_string::<i32>();
    let array: BooleanArray = if pattern.is_constant {
        let patterns = pattern.array.as_string::<i32>();
        if patterns.is_null(0) {
            BooleanArray::new_null(count)
        } else {
            let matcher = Matcher::new(patterns.value(0), how)?;
            texts
                .iter()
                .map(|text| text.map(|text| matcher.is_match(text)))
                .collect()
        }
    } else {
        let patterns = pattern.array.as_string::<i32>();
        let step = |(text, pattern): (Option<&str>, Option<&str>)| match (text, pattern) {
            (Some(text), Some(pattern)) => Ok(Some(Matcher::new(pattern, how)?.is_match(text))),
            _ => Ok(None),
        };
        texts
            .iter()
            .zip(patterns)
            .map(step)
            .collect::<Outcome<BooleanArray>>()?
    };
    Ok(Value::computed(Arc::new(array), is_constant))
}

fn text(value: &Value) -> Outcome<Value> {
    match value.data_type() {
        DataType::Utf8 => Ok(value.clone()),
        DataType::Null => Ok(value.typed(&DataType::Utf8)),
        other => Err(Fault::new(format!(
            "a pattern is matched against texts, not {}",
            name_of(other)
        ))
        .hint("make a text of it with `CAST(… AS VARCHAR)`")),
    }
}

/// The regular expression that matches the same texts; none where its way of folding case is
/// another.
pub(super) fn as_regex(pattern: &str, how: Pattern) -> Option<String> {
    match how {
        Pattern::Like {
            folds_case: true, ..
        } => None,
        Pattern::Like { escape, .. } => {
            let part = |part: &Part| match part {
                Part::Letter(letter) => regex::escape(&letter.to_string()),
                Part::AnyOne => ".".to_owned(),
                Part::AnyMany => ".*".to_owned(),
            };
            let inner: String = parts(pattern, escape).ok()?.iter().map(part).collect();
            Some(format!("(?s)^{inner}$"))
        }
        Pattern::Regex {
            folds_case,
            is_whole,
        } => {
            let flag = if folds_case { "(?i)" } else { "" };
            Some(if is_whole {
                format!("{flag}^(?:{pattern})$")
            } else {
                format!("{flag}{pattern}")
            })
        }
    }
}

/// A pattern, ready to be matched.
enum Matcher {
    Like { parts: Vec<Part>, folds_case: bool },
    Regex(Regex),
}

/// A part of a `LIKE` pattern.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Letter(char),
    AnyOne,
    AnyMany,
}

impl Matcher {
    fn new(pattern: &str, how: Pattern) -> Outcome<Self> {
        match how {
            Pattern::Like { folds_case, escape } => Ok(Self::Like {
                parts: parts(&folded(pattern, folds_case), escape)?,
                folds_case,
            }),
            Pattern::Regex {
                folds_case,
                is_whole,
            } => {
                let pattern = if is_whole {
                    format!("^(?:{pattern})$")
                } else {
                    pattern.to_owned()
                };
                let built = RegexBuilder::new(&pattern)
                    .case_insensitive(folds_case)
                    .size_limit(MAX_REGEX_BYTES)
                    .build();
                built
                    .map(Self::Regex)
                    .map_err(|_| Fault::new("a regular expression is broken or too large"))
            }
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Regex(regex) => regex.is_match(text),
            Self::Like { parts, folds_case } => is_like(
                &folded(text, *folds_case).chars().collect::<Vec<_>>(),
                parts,
            ),
        }
    }
}

fn folded(text: &str, folds_case: bool) -> std::borrow::Cow<'_, str> {
    if folds_case {
        text.to_lowercase().into()
    } else {
        text.into()
    }
}

fn parts(pattern: &str, escape: Option<char>) -> Outcome<Vec<Part>> {
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            _ if Some(letter) == escape => {
                let next = letters
                    .next()
                    .ok_or_else(|| Fault::new("a LIKE pattern ends with its escape character"))?;
                Part::Letter(next)
            }
            '%' if parts.last() == Some(&Part::AnyMany) => continue,
            '%' => Part::AnyMany,
            '_' => Part::AnyOne,
            _ => Part::Letter(letter),
        });
    }
    Ok(parts)
}

/// Whether the whole text is like the pattern; goes back to the last `%` only, so its time is the
/// product of both lengths at most.
fn is_like(text: &[char], parts: &[Part]) -> bool {
    let (mut index, mut part, mut retry) = (0, 0, None);
    while index < text.len() {
        match parts.get(part) {
            Some(Part::AnyMany) => {
                retry = Some((part + 1, index));
                part += 1;
            }
            Some(Part::AnyOne) => (index, part) = (index + 1, part + 1),
            Some(Part::Letter(letter)) if *letter == text[index] => {
                (index, part) = (index + 1, part + 1);
            }
            _ => match &mut retry {
                Some((behind, from)) => {
                    *from += 1;
                    (part, index) = (*behind, *from);
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| *part == Part::AnyMany)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_matched_to_its_end() {
        let like = |text: &str, pattern: &str, escape| {
            is_like(
                &text.chars().collect::<Vec<_>>(),
                &parts(pattern, escape).unwrap(),
            )
        };
        for (text, pattern, is_one) in [
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("abc", "a%c", true),
            ("abcb", "a%c", false),
            ("aXbXc", "%X_", true),
            ("mississippi", "%iss%ip%i", true),
            ("\u{e4}b", "_b", true),
            ("50%", "50%", true),
            ("a\\b", "a\\b", true),
        ] {
            assert_eq!(like(text, pattern, None), is_one, "{text} LIKE {pattern}");
        }
        assert!(
            like("50%", "50!%", Some('!'))
                && !like("505", "50!%", Some('!'))
                && like("a!b", "a!!b", Some('!'))
        );
        assert!(parts("a!", Some('!')).is_err());
        let long = "a".repeat(3_000);
        assert!(!like(&long, &"%aa%a_b".repeat(1_000), None));
    }
}
