//! As much of YAML as `MLflow` writes: maps and lists by indentation, and scalars plain or in
//! quotes, also over several lines.
//!
//! Anchors, tags, documents, block scalars and flow maps with content are refused with their line,
//! not guessed at.

use crate::error::{Error, Result};

/// Lines of a file that is read; real ones have some dozens.
const MAX_LINES: usize = 100_000;

/// Maps and lists inside one another.
const MAX_DEPTH: usize = 64;

/// A value; scalars are the text that they stand for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Yaml {
    Null,
    Scalar(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// The value of a key of a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(pairs) => pairs
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Self::Scalar(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// A contract error with the line for what `MLflow` does not write.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error::contract("the file is not UTF-8 text").because(error))?;
        if text.lines().take(MAX_LINES + 1).count() > MAX_LINES {
            return Err(Error::contract(format!("more than {MAX_LINES} lines")));
        }
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_end();
            let content = line.trim_start_matches(' ');
            if content.starts_with('\t') {
                return Err(refused(number, "a tab in an indentation of spaces"));
            }
            lines.push(Line {
                number,
                indent: line.len() - content.len(),
                text: content,
            });
        }
        let mut reader = Reader {
            lines,
            next: 0,
            depth: 0,
        };
        reader.skip();
        let value = reader.block(0)?;
        match reader.peek() {
            None => Ok(value),
            Some(line) => Err(refused(line.number, "a line that belongs to nothing")),
        }
    }
}

fn refused(number: usize, what: &str) -> Error {
    Error::contract(format!("cannot read the YAML: {what}"))
        .at_node(format!("line {number}"))
        .hint("write it as MLflow does: plain maps, lists and values")
}

#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    indent: usize,
    text: &'a str,
}

struct Reader<'a> {
    lines: Vec<Line<'a>>,
    next: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Line<'a>> {
        self.lines.get(self.next).copied()
    }

    /// Leaves out empty lines and comments.
    fn skip(&mut self) {
        while self
            .peek()
            .is_some_and(|line| line.text.is_empty() || line.text.starts_with('#'))
        {
            self.next += 1;
        }
    }

    /// A map or list whose lines are indented by at least so much.
    fn block(&mut self, least: usize) -> Result<Yaml> {
        let Some(first) = self.peek().filter(|line| line.indent >= least) else {
            return Ok(Yaml::Null);
        };
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(refused(first.number, "too many maps inside one another"));
        }
        let value = if is_item(first.text) {
            self.list(first.indent)?
        } else {
            self.map(first.indent)?
        };
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self, indent: usize) -> Result<Yaml> {
        let mut items = Vec::new();
        while let Some(line) = self
            .peek()
            .filter(|line| line.indent == indent && is_item(line.text))
        {
            let rest = line.text[1..].trim_start();
            if rest.is_empty() {
                self.next += 1;
                self.skip();
                items.push(self.block(indent + 1)?);
            } else if is_item(rest) || key(rest).is_some() {
                // A map or list that begins on the item's own line.
                let inner = indent + line.text.len() - rest.len();
                self.lines[self.next] = Line {
                    number: line.number,
                    indent: inner,
                    text: rest,
                };
                items.push(self.block(inner)?);
            } else {
                items.push(self.scalar(rest, indent)?);
            }
            self.skip();
        }
        Ok(Yaml::List(items))
    }

    fn map(&mut self, indent: usize) -> Result<Yaml> {
        let mut pairs: Vec<(String, Yaml)> = Vec::new();
        while let Some(line) = self
            .peek()
            .filter(|line| line.indent == indent && !is_item(line.text))
        {
            let Some((name, rest)) = key(line.text) else {
                return Err(refused(line.number, "a line without a key"));
            };
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(refused(line.number, "a key that is there twice"));
            }
            let value = if rest.is_empty() {
                self.next += 1;
                self.skip();
                // A list may stand as far left as its key.
                let least = if self
                    .peek()
                    .is_some_and(|next| next.indent == indent && is_item(next.text))
                {
                    indent
                } else {
                    indent + 1
                };
                self.block(least)?
            } else {
                self.scalar(rest, indent)?
            };
            pairs.push((name, value));
            self.skip();
        }
        if let Some(line) = self.peek().filter(|line| line.indent > indent) {
            return Err(refused(
                line.number,
                "a line that is indented more than its neighbours",
            ));
        }
        Ok(Yaml::Map(pairs))
    }

    /// A scalar that begins on this line; it may go on in lines that are indented more, or, in
    /// quotes, until they close.
    fn scalar(&mut self, first: &str, indent: usize) -> Result<Yaml> {
        let number = self.peek().map_or(0, |line| line.number);
        self.next += 1;
        match first.as_bytes()[0] {
            quote @ (b'\'' | b'"') => {
                let mut text = first[1..].to_owned();
                loop {
                    if let Some(end) = closing(&text, quote) {
                        if !without_comment(&text[end + 1..]).is_empty() {
                            return Err(refused(number, "something behind a closing quote"));
                        }
                        return unquoted(&text[..end], quote)
                            .map(Yaml::Scalar)
                            .ok_or_else(|| refused(number, "an escape that JSON does not have"));
                    }
                    let Some(line) = self.peek() else {
                        return Err(refused(number, "a quote that never closes"));
                    };
                    // A line break is a blank, an empty line a line break.
                    let is_break = line.text.is_empty() || text.ends_with('\n');
                    text.push_str(if line.text.is_empty() {
                        "\n"
                    } else if is_break {
                        ""
                    } else {
                        " "
                    });
                    text.push_str(line.text);
                    self.next += 1;
                }
            }
            b'&' | b'*' | b'!' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                Err(refused(number, "an anchor, a tag or a block of text"))
            }
            b'{' if without_comment(first) == "{}" => Ok(Yaml::Map(Vec::new())),
            b'{' => Err(refused(number, "a map in braces")),
            b'[' => {
                let inner = without_comment(first)
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'));
                let inner = inner.filter(|inner| !inner.contains(['[', ']', '{', '}', '\'', '"']));
                let inner = inner.ok_or_else(|| {
                    refused(number, "a list in brackets of more than plain words")
                })?;
                Ok(Yaml::List(
                    inner
                        .split(',')
                        .map(str::trim)
                        .filter(|item| !item.is_empty())
                        .map(plain)
                        .collect(),
                ))
            }
            _ => {
                let mut text = without_comment(first).to_owned();
                while let Some(line) = self.peek().filter(|line| {
                    line.indent > indent && !line.text.is_empty() && !line.text.starts_with('#')
                }) {
                    if key(line.text).is_some() {
                        return Err(refused(line.number, "a key behind a value"));
                    }
                    text.push(' ');
                    text.push_str(without_comment(line.text));
                    self.next += 1;
                }
                Ok(plain(&text))
            }
        }
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// The key of a line and what stands behind the colon.
fn key(text: &str) -> Option<(String, &str)> {
    if let Some(quote @ (b'\'' | b'"')) = text.bytes().next() {
        let end = closing(&text[1..], quote)? + 1;
        let rest = text[end + 1..]
            .strip_prefix(':')
            .filter(|rest| rest.is_empty() || rest.starts_with(' '))?;
        return Some((unquoted(&text[1..end], quote)?, rest.trim_start()));
    }
    let end = text
        .find(": ")
        .or_else(|| text.ends_with(':').then(|| text.len() - 1))?;
    let rest = text[end + 1..].trim_start();
    Some((
        text[..end].to_owned(),
        if rest.starts_with('#') { "" } else { rest },
    ))
}

fn without_comment(text: &str) -> &str {
    text.find(" #").map_or(text, |index| &text[..index]).trim()
}

fn plain(text: &str) -> Yaml {
    if matches!(text, "null" | "~" | "Null" | "NULL") {
        Yaml::Null
    } else {
        Yaml::Scalar(text.to_owned())
    }
}

/// The place of the quote that closes.
fn closing(text: &str, quote: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' if quote == b'"' => index += 2,
            byte if byte == quote && quote == b'\'' && bytes.get(index + 1) == Some(&quote) => {
                index += 2;
            }
            byte if byte == quote => return Some(index),
            _ => index += 1,
        }
    }
    None
}

fn unquoted(text: &str, quote: u8) -> Option<String> {
    if quote == b'\'' {
        return Some(text.replace("''", "'"));
    }
    serde_json::from_str(&format!("\"{}\"", text.replace('\n', "\\n"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lists_and_scalars_are_read() {
        let text = "a:\n  b: one two # said\n  'c d': 'it''s\n    long'\n  e: \"x\\ty\"\nf:\n- \
                    1\n- g: 2\n  h: [p, q]\n- - z\ni: null\nj: {}\nk: plain\n  goes on\n";
        let yaml = Yaml::parse(text.as_bytes()).unwrap();
        let inner = yaml.get("a").unwrap();
        assert_eq!(inner.get("b").and_then(Yaml::text), Some("one two"));
        assert_eq!(inner.get("c d").and_then(Yaml::text), Some("it's long"));
        assert_eq!(inner.get("e").and_then(Yaml::text), Some("x\ty"));
        let scalar = |text: &str| Yaml::Scalar(text.into());
        let second = Yaml::Map(vec![
            ("g".into(), scalar("2")),
            ("h".into(), Yaml::List(vec![scalar("p"), scalar("q")])),
        ]);
        assert_eq!(
            yaml.get("f"),
            Some(&Yaml::List(vec![
                scalar("1"),
                second,
                Yaml::List(vec![scalar("z")])
            ]))
        );
        assert_eq!(
            (yaml.get("i"), yaml.get("j")),
            (Some(&Yaml::Null), Some(&Yaml::Map(Vec::new())))
        );
        assert_eq!(yaml.get("k").and_then(Yaml::text), Some("plain goes on"));
    }

    #[test]
    fn what_is_not_read_is_refused_with_its_line() {
        for (text, line) in [
            ("a: &b c", 1),
            ("x: 1\na: !!python/object c", 2),
            ("a: |\n  b", 1),
            ("a: {b: c}", 1),
            ("a: 1\na: 2", 2),
            ("a: 'b", 1),
            ("\tb", 1),
        ] {
            let error = Yaml::parse(text.as_bytes()).unwrap_err();
            assert_eq!(
                error.location().node.as_deref(),
                Some(format!("line {line}").as_str()),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn nesting_has_an_end_and_no_prefix_panics() {
        let deep = (0..200)
            .map(|depth| " ".repeat(depth) + "a:")
            .collect::<Vec<String>>()
            .join("\n");
        assert!(Yaml::parse(deep.as_bytes()).is_err());
        assert!(Yaml::parse("- ".repeat(10_000).as_bytes()).is_err());
        let text = "a:\n  b: 'x''y'\n  - \"z\\u00e9\"\nc: [1, 2]\n";
        (0..text.len()).for_each(|end| drop(Yaml::parse(&text.as_bytes()[..end])));
    }
}
