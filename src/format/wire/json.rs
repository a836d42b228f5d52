//! Reads the JSON that XGBoost writes.
//!
//! Owns two things that ordinary JSON readers do not do: `NaN` and `Infinity` without quotes, and
//! numbers rounded once, straight from their digits to `f32`, as XGBoost reads them. It must not
//! know any field of a model.

use super::value::{DEPTH_LIMIT, Object, Value, short};
use crate::error::{Error, Result};

/// Reads a whole file; runs of numbers in fields of the names `unread` are passed over.
///
/// # Errors
/// Names the byte where it stops to be JSON.
pub(crate) fn read(bytes: &[u8], unread: &'static [&'static str]) -> Result<Value> {
    let mut reader = Reader {
        bytes,
        position: 0,
        unread,
    };
    let value = reader.value(0)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.broken("the end of the file")),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    unread: &'static [&'static str],
}

impl<'a> Reader<'a> {
    fn broken(&self, expected: &str) -> Error {
        let found = match self.bytes.get(self.position) {
            None => "the file ends".to_owned(),
            Some(byte) => format!("there is `{}`", byte.escape_ascii()),
        };
        let error = Error::failed(format!(
            "cannot read the JSON: expected {expected} at byte {}, but {found}",
            self.position
        ));
        if self.position >= self.bytes.len() {
            error.hint("the file is cut short: copy or export the model again")
        } else {
            error
        }
    }

    /// The next byte that is no white space, not yet taken.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        self.position += rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.bytes.get(self.position).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, what: &str) -> Result<()> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.broken(what))
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_LIMIT {
            return Err(Error::failed(format!(
                "cannot read the JSON: more than {DEPTH_LIMIT} levels at byte {}",
                self.position
            )));
        }
        match self.peek() {
            Some(b'{') => self.object(depth).map(Value::Object),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Value::Text),
            Some(b't') => self.word("true", Value::Boolean(true)),
            Some(b'f') => self.word("false", Value::Boolean(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'-' | b'+' | b'0'..=b'9' | b'.' | b'N' | b'I') => self.number(),
            _ => Err(self.broken("a value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value> {
        if self
            .bytes
            .get(self.position..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()))
        {
            self.position += word.len();
            return Ok(value);
        }
        Err(self.broken(&format!("`{word}`")))
    }

    fn object(&mut self, depth: usize) -> Result<Object> {
        self.expect(b'{', "`{`")?;
        let mut object = Object::default();
        if self.take(b'}') {
            return Ok(object);
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.broken("a name in quotes"));
            }
            let key = self.text()?;
            self.expect(b':', "`:`")?;
            if !(self.unread.contains(&key.as_str()) && self.pass_over_numbers()) {
                object.0.push((key, self.value(depth + 1)?));
            }
            if !self.take(b',') {
                self.expect(b'}', "`,` or `}`")?;
                return Ok(object);
            }
        }
    }

    /// Numbers gather in a flat run that becomes a list of values only if something else follows.
    fn list(&mut self, depth: usize) -> Result<Value> {
        self.expect(b'[', "`[`")?;
        let mut items = Value::List(Vec::new());
        if self.take(b']') {
            return Ok(items);
        }
        loop {
            let item = self.value(depth + 1)?;
            items = append(items, item);
            if !self.take(b',') {
                self.expect(b']', "`,` or `]`")?;
                return Ok(items);
            }
        }
    }

    /// Passes over a list that holds nothing but numbers, if there is one.
    fn pass_over_numbers(&mut self) -> bool {
        if self.peek() != Some(b'[') {
            return false;
        }
        let rest = &self.bytes[self.position + 1..];
        let is_number = |byte: u8| {
            matches!(
                byte,
                b'0'..=b'9'
                    | b'-'
                    | b'+'
                    | b'.'
                    | b'e'
                    | b'E'
                    | b','
                    | b' '
                    | b'\n'
                    | b'\r'
                    | b'\t'
            )
        };
        let length = rest.iter().take_while(|byte| is_number(**byte)).count();
        let is_closed = rest.get(length) == Some(&b']');
        self.position += if is_closed { length + 2 } else { 0 };
        is_closed
    }

    fn text(&mut self) -> Result<String> {
        let start = self.position;
        let mut end = start + 1;
        let mut escaped = false;
        loop {
            match self.bytes.get(end) {
                None => {
                    self.position = end;
                    return Err(self.broken("a closing quote"));
                }
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    end += 2;
                }
                Some(_) => end += 1,
            }
        }
        self.position = end + 1;
        let broken = || {
            Error::failed(format!(
                "cannot read the JSON: the text at byte {start} is not valid"
            ))
        };
        if escaped {
            return serde_json::from_slice(&self.bytes[start..=end])
                .map_err(|error| broken().because(error));
        }
        std::str::from_utf8(&self.bytes[start + 1..end])
            .map(str::to_owned)
            .map_err(|error| broken().because(error))
    }

    fn number(&mut self) -> Result<Value> {
        let token = self.token();
        let whole = token.strip_prefix('-').unwrap_or(token);
        // `-0` keeps its sign only as a fraction.
        let is_whole = whole.bytes().all(|byte| byte.is_ascii_digit()) && token != "-0";
        if let Some(value) = is_whole.then(|| token.parse().ok()).flatten() {
            return Ok(Value::Integer(value));
        }
        let known = whole
            .trim_start_matches('+')
            .starts_with(|first: char| first.is_ascii_digit() || first == '.')
            || matches!(whole, "NaN" | "Infinity");
        let float = if known { token.parse().ok() } else { None };
        float.map(Value::Float).ok_or_else(|| {
            Error::failed(format!(
                "cannot read the JSON: `{}` before byte {} is not a number",
                short(token),
                self.position
            ))
        })
    }

    fn token(&mut self) -> &'a str {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
            .count();
        self.position += length;
        std::str::from_utf8(&rest[..length]).unwrap_or_default()
    }
}

fn append(items: Value, item: Value) -> Value {
    match (items, item) {
        (Value::List(items), Value::Integer(item)) if items.is_empty() => {
            Value::Integers(vec![item])
        }
        (Value::List(items), Value::Float(item)) if items.is_empty() => Value::Floats(vec![item]),
        (Value::Integers(mut items), Value::Integer(item)) => {
            items.push(item);
            Value::Integers(items)
        }
        (Value::Integers(items), Value::Float(item)) => Value::Floats(
            items
                .into_iter()
                .map(|item| item as f32)
                .chain([item])
                .collect(),
        ),
        (Value::Floats(mut items), Value::Float(item)) => {
            items.push(item);
            Value::Floats(items)
        }
        (Value::Floats(mut items), Value::Integer(item)) => {
            items.push(item as f32);
            Value::Floats(items)
        }
        (Value::List(mut items), item) => {
            items.push(item);
            Value::List(items)
        }
        (Value::Integers(items), item) => Value::List(
            items
                .into_iter()
                .map(Value::Integer)
                .chain([item])
                .collect(),
        ),
        (Value::Floats(items), item) => {
            Value::List(items.into_iter().map(Value::Float).chain([item]).collect())
        }
        (_, item) => Value::List(vec![item]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_once_and_runs_stay_flat() {
        let value =
            read(br#" {"a": [1, -2], "b": [1, 5E-1, NaN, -Infinity], "c": "x\u00e9\"", "d": [], "e": [true, null]} "#, &[]).expect("it is JSON");
        let Value::Object(mut object) = value else {
            panic!("an object")
        };
        assert_eq!(object.integers("a").expect("whole"), [1, -2]);
        let floats = object.floats("b").expect("numbers");
        assert_eq!(
            (floats[1], floats[2].is_nan(), floats[3]),
            (0.5, true, f32::NEG_INFINITY)
        );
        assert_eq!(object.text("c").expect("a text"), "x\u{e9}\"");
        assert!(object.floats("d").expect("empty").is_empty());
        assert_eq!(
            object.list("e").expect("a list"),
            [Value::Boolean(true), Value::Null]
        );
        // The digits lie just above the middle of two floats: rounding to f64 first would land on
        // the middle and go down.
        assert_eq!(
            read(b"1.00000005960464477539062500000001", &[]).expect("a number"),
            Value::Float(1.000_000_1)
        );
        assert!(
            matches!(read(b"-0", &[]).expect("a number"), Value::Float(zero)
                if zero.is_sign_negative())
        );
    }

    #[test]
    fn broken_json_names_the_byte() {
        for (text, expected) in [
            (
                "{\"a\":1",
                "expected `,` or `}` at byte 6, but the file ends",
            ),
            ("{\"a\" 1}", "expected `:` at byte 5, but there is `1`"),
            ("[1-2]", "`1-2` before byte 4 is not a number"),
            ("[inf]", "expected a value at byte 1, but there is `i`"),
            (
                "{} x",
                "expected the end of the file at byte 3, but there is `x`",
            ),
            (
                "\"\\",
                "expected a closing quote at byte 3, but the file ends",
            ),
        ] {
            let error = read(text.as_bytes(), &[]).expect_err(text);
            assert!(error.message().contains(expected), "{text}: {error}");
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert!(
            read(&deep, &[])
                .expect_err("too deep")
                .message()
                .contains("more than 64 levels")
        );
    }
}
