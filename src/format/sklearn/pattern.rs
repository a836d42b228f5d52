//! Python's regular expressions for tokens, as Rust's.
//!
//! Owns what differs: Python's `\w` has no combining marks and all numbers, its `\s` has the four
//! separators of ASCII, and brackets in a set are characters. Rust's `\b` follows Rust's `\w`, so
//! it is spelled by what is around it. It must not know vectorisers.

use fancy_regex::{Regex, RegexBuilder};

/// A character of a word for Python: letters and numbers of any script, and the underscore.
const WORD: &str = r"\p{L}\p{N}_";

/// White space for Python.
const SPACE: &str = r"\s\x1c-\x1f";

/// How often a search may step back; patterns of tokens need far less.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// A pattern that finds tokens.
#[derive(Debug)]
pub(super) struct Pattern {
    regex: Regex,
    /// The group that is the token: 0 for the whole.
    group: usize,
}

impl Pattern {
    /// Reads a pattern of Python's `re`; none if it has parts whose meaning is not known to be the
    /// same, if it has several groups, or if it finds empty tokens.
    pub(super) fn new(python: &str) -> Option<Self> {
        let python = python.strip_prefix("(?u)").unwrap_or(python);
        let spelled = translated(python)?;
        let regex = RegexBuilder::new(&spelled)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .ok()?;
        let group = regex.captures_len() - 1;
        let finds_nothing = regex.is_match("").unwrap_or(true);
        (group <= 1 && !finds_nothing).then_some(Self { regex, group })
    }

    /// The tokens of a text. One that a search gives up on is none.
    pub(super) fn tokens<'t>(&self, text: &'t str) -> Vec<&'t str> {
        if self.group == 0 {
            let found = self.regex.find_iter(text).filter_map(Result::ok);
            return found.map(|token| token.as_str()).collect();
        }
        let found = self.regex.captures_iter(text).filter_map(Result::ok);
        found
            .map(|captures| captures.get(self.group).map_or("", |group| group.as_str()))
            .collect()
    }
}

/// The pattern as Rust spells it.
fn translated(python: &str) -> Option<String> {
    let mut made = String::new();
    let mut rest = python.chars().peekable();
    let mut in_set = false;
    while let Some(one) = rest.next() {
        match one {
            '\\' => made.push_str(&escape(rest.next()?, in_set)?),
            '[' if !in_set => {
                in_set = true;
                made.push('[');
                if rest.next_if_eq(&'^').is_some() {
                    made.push('^');
                }
                // A bracket that comes first is a character.
                if rest.next_if_eq(&']').is_some() {
                    made.push_str(r"\]");
                }
            }
            ']' if in_set => {
                in_set = false;
                made.push(']');
            }
            '[' | '&' | '~' if in_set => made.extend(['\\', one]),
            '(' if !in_set && rest.peek() == Some(&'?') => {
                rest.next();
                made.push_str("(?");
                match rest.next()? {
                    kind @ (':' | '=' | '!') => made.push(kind),
                    '<' => {
                        let kind = rest.next_if(|next| matches!(next, '=' | '!'))?;
                        made.extend(['<', kind]);
                    }
                    _ => return None,
                }
            }
            '*' | '+' | '?' | '}' if !in_set && rest.peek() == Some(&'+') => return None,
            // Before a line break at the end Python's `$` matches, too.
            '$' if !in_set => made.push_str(r"(?=\n?\z)"),
            _ => made.push(one),
        }
    }
    Some(made)
}

/// What follows a backslash.
fn escape(one: char, in_set: bool) -> Option<String> {
    let set = |inside: &str, is_negated: bool| match (in_set, is_negated) {
        (true, false) => inside.to_owned(),
        (_, true) => format!("[^{inside}]"),
        (false, false) => format!("[{inside}]"),
    };
    Some(match one {
        'w' | 'W' => set(WORD, one == 'W'),
        's' | 'S' => set(SPACE, one == 'S'),
        'd' | 'D' => set(r"\p{Nd}", one == 'D'),
        'b' if !in_set => {
            let word = format!("[{WORD}]");
            format!("(?:(?<={word})(?!{word})|(?<!{word})(?={word}))")
        }
        'B' if !in_set => {
            let word = format!("[{WORD}]");
            format!("(?:(?<={word})(?={word})|(?<!{word})(?!{word}))")
        }
        'A' if !in_set => r"\A".to_owned(),
        'Z' if !in_set => r"\z".to_owned(),
        'n' | 't' | 'r' | 'f' | 'v' | 'x' | 'u' => format!(r"\{one}"),
        _ if one.is_ascii_punctuation() => format!(r"\{one}"),
        _ if !one.is_alphanumeric() => one.to_string(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected tokens are those of `re.findall` of Python 3.11.
    #[test]
    fn tokens_are_those_of_python() {
        let text = "It's naïve: 3kg of नमस्ते, a_b x² [q] e\u{301}t, don't--stop";
        for (pattern, tokens) in PYTHON {
            let found = Pattern::new(pattern).unwrap_or_else(|| panic!("{pattern}"));
            assert_eq!(found.tokens(text), *tokens, "{pattern}");
        }
    }

    #[test]
    fn patterns_that_may_differ_are_not_read() {
        for pattern in [
            r"[a-z]*",
            r"(\w)(\w)",
            r"(\w)\1",
            r"(?i)[a-z]+",
            r"(?P<name>\w+)",
            r"\w++",
            r"(?>\w+)",
            r"\q",
            r"[a-z",
        ] {
            assert!(Pattern::new(pattern).is_none(), "{pattern}");
        }
    }

    const PYTHON: &[(&str, &[&str])] = &[
        (
            r"(?u)\b\w\w+\b",
            &[
                "It",
                "naïve",
                "3kg",
                "of",
                "नमस",
                "a_b",
                "x²",
                "don",
                "stop",
            ],
        ),
        (
            r"\w{1,}",
            &[
                "It",
                "s",
                "naïve",
                "3kg",
                "of",
                "नमस",
                "त",
                "a_b",
                "x²",
                "q",
                "e",
                "t",
                "don",
                "t",
                "stop",
            ],
        ),
        (r"\b[a-zA-Z]{3,}\b", &["don", "stop"]),
        (
            r"(\w+)'?",
            &[
                "It",
                "s",
                "naïve",
                "3kg",
                "of",
                "नमस",
                "त",
                "a_b",
                "x²",
                "q",
                "e",
                "t",
                "don",
                "t",
                "stop",
            ],
        ),
        (
            r"\w+'\w+|\w+",
            &[
                "It's",
                "naïve",
                "3kg",
                "of",
                "नमस",
                "त",
                "a_b",
                "x²",
                "q",
                "e",
                "t",
                "don't",
                "stop",
            ],
        ),
        (
            r"[^\s,]+",
            &[
                "It's",
                "naïve:",
                "3kg",
                "of",
                "नमस्ते",
                "a_b",
                "x²",
                "[q]",
                "e\u{301}t",
                "don't--stop",
            ],
        ),
        (
            r"\b[^\d\W]+\b",
            &[
                "It",
                "s",
                "naïve",
                "of",
                "नमस",
                "त",
                "a_b",
                "x²",
                "q",
                "e",
                "t",
                "don",
                "t",
                "stop",
            ],
        ),
        (r"(?<=a)\w+", &["ïve", "_b"]),
        (
            r"\S+",
            &[
                "It's",
                "naïve:",
                "3kg",
                "of",
                "नमस्ते,",
                "a_b",
                "x²",
                "[q]",
                "e\u{301}t,",
                "don't--stop",
            ],
        ),
        (
            r"[\w'-]+",
            &[
                "It's",
                "naïve",
                "3kg",
                "of",
                "नमस",
                "त",
                "a_b",
                "x²",
                "q",
                "e",
                "t",
                "don't--stop",
            ],
        ),
        (
            r"[][a-z]+",
            &[
                "t", "s", "na", "ve", "kg", "of", "a", "b", "x", "[q]", "e", "t", "don", "t",
                "stop",
            ],
        ),
        (r"\d\w*", &["3kg"]),
        (
            r"(?:[a-z]+)(?!\w)",
            &[
                "t", "s", "ve", "kg", "of", "b", "q", "e", "t", "don", "t", "stop",
            ],
        ),
        (
            r"[a-z&&~]+",
            &[
                "t", "s", "na", "ve", "kg", "of", "a", "b", "x", "q", "e", "t", "don", "t", "stop",
            ],
        ),
        (r"\b\d+\w\b|\bof\b", &["of"]),
        (r"\w+$", &["stop"]),
        (
            r"[^\W_]+",
            &[
                "It",
                "s",
                "naïve",
                "3kg",
                "of",
                "नमस",
                "त",
                "a",
                "b",
                "x²",
                "q",
                "e",
                "t",
                "don",
                "t",
                "stop",
            ],
        ),
        (r"\B\w+\B", &["aïv", "k", "म", "_", "o", "to"]),
    ];
}
