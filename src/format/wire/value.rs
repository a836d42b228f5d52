//! What both of XGBoost's encodings say before it means anything: objects, lists, numbers and
//! texts.
//!
//! Owns the tree of values that [`super::json`] and [`super::ubjson`] read, and typed
//! access with messages that name the field. Runs of numbers are kept flat, since nearly all of a
//! model is such runs. It must not know any field of a model.

use std::str::FromStr;

use crate::error::{Error, Result};

/// Objects and lists inside each other; XGBoost's own files need about ten.
pub(crate) const DEPTH_LIMIT: usize = 64;

/// One value of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f32),
    Text(String),
    List(Vec<Value>),
    /// A list of integers only.
    Integers(Vec<i64>),
    /// The same of 32 bits.
    Words(Vec<i32>),
    /// The same from 0 to 255.
    Bytes(Vec<u8>),
    /// A list of numbers, at least one of them a fraction.
    Floats(Vec<f32>),
    Object(Object),
}

/// Fields in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object(pub(crate) Vec<(String, Value)>);

impl Value {
    fn what(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_)
            | Self::Integers(_)
            | Self::Words(_)
            | Self::Bytes(_)
            | Self::Floats(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl Object {
    /// Takes the field of this name out.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        let index = self.0.iter().position(|(name, _)| name == key)?;
        Some(std::mem::replace(&mut self.0[index].1, Value::Null))
    }

    /// Whether there is a field of this name.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| name == key)
    }

    fn need(&mut self, key: &str) -> Result<Value> {
        self.take(key)
            .ok_or_else(|| Error::failed(format!("the field `{key}` is missing")))
    }

    pub(crate) fn object(&mut self, key: &str) -> Result<Self> {
        match self.need(key)? {
            Value::Object(object) => Ok(object),
            other => Err(wrong(key, "an object", other.what())),
        }
    }

    pub(crate) fn text(&mut self, key: &str) -> Result<String> {
        match self.need(key)? {
            Value::Text(text) => Ok(text),
            other => Err(wrong(key, "a text", other.what())),
        }
    }

    /// A number or a list of numbers as the text that XGBoost writes for it; other writers keep the
    /// number.
    pub(crate) fn numbers_as_text(&mut self, key: &str) -> Result<String> {
        match self.need(key)? {
            Value::Text(text) => Ok(text),
            Value::Integer(number) => Ok(number.to_string()),
            Value::Float(number) => Ok(number.to_string()),
            other => {
                let numbers = floats(key, other)?;
                Ok(format!(
                    "[{}]",
                    numbers
                        .iter()
                        .map(f32::to_string)
                        .collect::<Vec<_>>()
                        .join(",")
                ))
            }
        }
    }

    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<Value>> {
        match self.need(key)? {
            Value::List(values) => Ok(values),
            Value::Integers(values) => Ok(values.into_iter().map(Value::Integer).collect()),
            Value::Words(values) => Ok(values
                .into_iter()
                .map(|value| Value::Integer(value.into()))
                .collect()),
            Value::Bytes(values) => Ok(values
                .into_iter()
                .map(|value| Value::Integer(value.into()))
                .collect()),
            Value::Floats(values) => Ok(values.into_iter().map(Value::Float).collect()),
            other => Err(wrong(key, "a list", other.what())),
        }
    }

    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>> {
        let text = |value| {
            if let Value::Text(text) = value {
                Ok(text)
            } else {
                Err(wrong(key, "a list of texts", "another list"))
            }
        };
        self.list(key)?.into_iter().map(text).collect()
    }

    pub(crate) fn objects(&mut self, key: &str) -> Result<Vec<Self>> {
        let object = |value| {
            if let Value::Object(object) = value {
                Ok(object)
            } else {
                Err(wrong(key, "a list of objects", "another list"))
            }
        };
        self.list(key)?.into_iter().map(object).collect()
    }

    /// Integers; booleans count as 0 and 1, as old files write directions so.
    pub(crate) fn integers(&mut self, key: &str) -> Result<Vec<i64>> {
        integers(key, self.need(key)?)
    }

    /// The same of 32 bits; what is beyond them is the nearest that is not, as no number of nodes
    /// or features is.
    pub(crate) fn words(&mut self, key: &str) -> Result<Vec<i32>> {
        let word = |value: i64| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        match self.need(key)? {
            Value::Words(values) => Ok(values),
            other => Ok(integers(key, other)?.into_iter().map(word).collect()),
        }
    }

    /// The same as booleans.
    pub(crate) fn booleans(&mut self, key: &str) -> Result<Vec<bool>> {
        match self.need(key)? {
            Value::Bytes(values) => Ok(values.into_iter().map(|value| value != 0).collect()),
            other => Ok(integers(key, other)?
                .into_iter()
                .map(|value| value != 0)
                .collect()),
        }
    }

    pub(crate) fn floats(&mut self, key: &str) -> Result<Vec<f32>> {
        floats(key, self.need(key)?)
    }

    /// A parameter, which XGBoost writes as text; none if the version that wrote the file did not
    /// know it.
    pub(crate) fn parameter<T: FromStr>(&mut self, key: &str) -> Result<Option<T>> {
        let text = match self.take(key) {
            None => return Ok(None),
            Some(Value::Text(text)) => text,
            Some(Value::Integer(number)) => number.to_string(),
            Some(Value::Boolean(flag)) => u8::from(flag).to_string(),
            // Some writers know not integers.
            Some(Value::Float(number)) => number.to_string(),
            Some(other) => return Err(wrong(key, "a number as text", other.what())),
        };
        text.trim().parse().map(Some).map_err(|_| {
            Error::failed(format!(
                "the field `{key}` holds `{}`, which is not a number of that type",
                short(&text)
            ))
        })
    }
}

/// Numbers; as texts too, as some writers of JSON put them in quotes.
fn floats(key: &str, list: Value) -> Result<Vec<f32>> {
    let float = |value| match value {
        Value::Float(value) => Ok(value),
        Value::Integer(value) => Ok(value as f32),
        Value::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| wrong(key, "a list of numbers", "a text")),
        other => Err(wrong(key, "a list of numbers", other.what())),
    };
    match list {
        Value::Floats(values) => Ok(values),
        Value::Integers(values) => Ok(values.into_iter().map(|value| value as f32).collect()),
        Value::Words(values) => Ok(values.into_iter().map(|value| value as f32).collect()),
        Value::Bytes(values) => Ok(values.into_iter().map(f32::from).collect()),
        Value::List(values) => values.into_iter().map(float).collect(),
        other => Err(wrong(key, "a list of numbers", other.what())),
    }
}

/// A number without a fraction as an integer, exact as long as `f32` is.
fn whole(value: f32) -> Option<i64> {
    const EXACT: f32 = 16_777_216.0;
    (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
}

fn integers(key: &str, list: Value) -> Result<Vec<i64>> {
    let fraction = || wrong(key, "a list of integers", "a fraction");
    let integer = |value| match value {
        Value::Boolean(value) => Ok(i64::from(value)),
        Value::Integer(value) => Ok(value),
        Value::Float(value) => whole(value).ok_or_else(fraction),
        Value::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| wrong(key, "a list of integers", "a text")),
        other => Err(wrong(key, "a list of integers", other.what())),
    };
    match list {
        Value::Integers(values) => Ok(values),
        Value::Words(values) => Ok(values.into_iter().map(i64::from).collect()),
        Value::Bytes(values) => Ok(values.into_iter().map(i64::from).collect()),
        Value::Floats(values) => values
            .into_iter()
            .map(|value| whole(value).ok_or_else(fraction))
            .collect(),
        Value::List(values) => values.into_iter().map(integer).collect(),
        other => Err(wrong(key, "a list of integers", other.what())),
    }
}

/// The beginning of a text from a file, so that a message stays readable.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

fn wrong(key: &str, expected: &str, found: &str) -> Error {
    Error::failed(format!(
        "the field `{key}` should hold {expected}, not {found}"
    ))
}
