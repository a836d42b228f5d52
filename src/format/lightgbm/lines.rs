//! The lines of LightGBM's text models: one looked at after the other, `key=value` most of them,
//! and lists of numbers in them.
//!
//! Knows what a line is, and not what a key means.

use std::str::FromStr;

use crate::error::{Error, Result};

/// The `key=value` lines of the header or a tree; of lines with one key the last counts.
#[derive(Debug, Default)]
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| *known == key)
            .map(|(_, value)| *value)
    }

    pub(super) fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }
}

/// Lines with their offsets, one of them looked at.
pub(super) struct Lines<'a> {
    pub(super) text: &'a str,
    pub(super) offset: usize,
    /// Where the line after the one that is looked at begins.
    next: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut lines = Self {
            text,
            offset: 0,
            next: 0,
        };
        lines.advance();
        lines
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        let line = &self.text[self.offset..self.next];
        (!line.is_empty()).then(|| line.trim_end_matches(['\r', '\n']))
    }

    pub(super) fn advance(&mut self) {
        self.offset = self.next;
        let rest = &self.text[self.offset..];
        self.next += rest.find('\n').map_or(rest.len(), |end| end + 1);
    }

    /// The `key=value` lines up to the next line that begins a tree or ends them; a line without
    /// `=` is a flag.
    pub(super) fn fields(&mut self) -> Fields<'a> {
        let mut fields = Fields::default();
        while let Some(line) = self
            .peek()
            .filter(|line| !line.starts_with("Tree=") && !ends_trees(line))
        {
            if !line.is_empty() {
                fields.0.push(line.split_once('=').unwrap_or((line, "")));
            }
            self.advance();
        }
        fields
    }
}

fn ends_trees(line: &str) -> bool {
    line == "end of trees" || is_importance_heading(line)
}

/// Up to 2.1 with a space, since then with an underscore.
pub(super) fn is_importance_heading(line: &str) -> bool {
    line == "feature importances:" || line == "feature_importances:"
}

pub(super) fn cut_off(what: &str) -> Error {
    Error::failed(format!("the LightGBM model ends before {what}"))
        .hint("the file is incomplete: copy or export it again with `save_model`")
}

pub(super) fn number<T: FromStr>(fields: &Fields<'_>, key: &str) -> Result<T> {
    let value = fields
        .get(key)
        .ok_or_else(|| cut_off(&format!("its line `{key}`")))?;
    value.trim().parse().map_err(|_| {
        Error::failed(format!(
            "`{key}` is `{value}`, which is not a number that it may be"
        ))
    })
}

pub(super) fn array<T: FromStr>(fields: &Fields<'_>, key: &str, count: usize) -> Result<Vec<T>> {
    let value = fields
        .get(key)
        .ok_or_else(|| cut_off(&format!("its line `{key}`")))?;
    let values: Vec<T> = parse_all(value, count).ok_or_else(|| {
        Error::failed(format!(
            "`{key}` holds something that is not a number of its kind"
        ))
    })?;
    if values.len() == count {
        Ok(values)
    } else {
        Err(Error::failed(format!(
            "`{key}` has {} entries and should have {count}",
            values.len()
        )))
    }
}

/// Numbers with spaces between, as many as are expected or not.
pub(super) fn parse_all<T: FromStr>(text: &str, expected: usize) -> Option<Vec<T>> {
    let mut values = Vec::with_capacity(expected.min(text.len() / 2 + 1));
    for word in text.split_ascii_whitespace() {
        values.push(word.parse().ok()?);
    }
    Some(values)
}
