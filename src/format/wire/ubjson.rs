//! Reads UBJSON as XGBoost writes it: big-endian, lists with counts, flat runs of one number type.
//!
//! Owns the encoding only; the result is the same tree of values that the JSON reader makes. Counts
//! are checked against the bytes that are left before anything is allocated. It must not know any
//! field of a model. Source: the UBJSON draft 12 specification.

use super::value::{DEPTH_LIMIT, Object, Value};
use crate::error::{Error, Result};

/// Reads a whole file; runs of numbers in fields of the names `unread` are passed over.
///
/// # Errors
/// Names the byte where it stops to be UBJSON.
pub(crate) fn read(bytes: &[u8], unread: &'static [&'static str]) -> Result<Value> {
    let mut reader = Reader {
        bytes,
        position: 0,
        unread,
    };
    let value = reader.value(0)?;
    if reader.position < bytes.len() {
        return Err(reader.broken("bytes after the end of the model"));
    }
    Ok(value)
}

/// The first name of the object that `head` begins, if it is UBJSON.
pub(crate) fn first_key(head: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader {
        bytes: head,
        position: 0,
        unread: &[],
    };
    (reader.byte().ok()? == b'{').then_some(())?;
    reader.key().ok()
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    unread: &'static [&'static str],
}

impl<'a> Reader<'a> {
    fn broken(&self, what: &str) -> Error {
        Error::failed(format!(
            "cannot read the UBJSON: {what} at byte {}",
            self.position
        ))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            let error = self.broken(&format!(
                "{count} bytes are needed and {} are left",
                rest.len()
            ));
            return Err(error.hint("the file is cut short: copy or export the model again"));
        };
        self.position += count;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        self.fixed().map(|[byte]| byte)
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.position) == Some(&byte);
        self.position += usize::from(found);
        found
    }

    fn integer(&mut self, marker: u8) -> Result<i64> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.fixed()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.fixed()?)),
            b'l' => i64::from(i32::from_be_bytes(self.fixed()?)),
            b'L' => i64::from_be_bytes(self.fixed()?),
            _ => {
                return Err(self.broken(&format!(
                    "`{}` is not a type of an integer",
                    marker.escape_ascii()
                )));
            }
        })
    }

    /// A count of things that take at least `width` bytes each, all of which must still be there.
    fn count(&mut self, width: usize) -> Result<usize> {
        let marker = self.byte()?;
        let count = self.integer(marker)?;
        let left = self.bytes.len() - self.position;
        match usize::try_from(count)
            .ok()
            .filter(|count| count.checked_mul(width).is_some_and(|bytes| bytes <= left))
        {
            Some(count) => Ok(count),
            None => Err(self.broken(&format!("a count of {count} with {left} bytes left"))),
        }
    }

    fn key(&mut self) -> Result<&'a [u8]> {
        let length = self.count(1)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String> {
        let bytes = self.key()?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|error| self.broken("a text that is not UTF-8").because(error))
    }

    fn value(&mut self, depth: usize) -> Result<Value> {
        if depth > DEPTH_LIMIT {
            return Err(self.broken(&format!("more than {DEPTH_LIMIT} levels")));
        }
        Ok(match self.byte()? {
            b'{' => Value::Object(self.object(depth)?),
            b'[' => self.list(depth)?,
            b'S' => Value::Text(self.text()?),
            b'Z' => Value::Null,
            b'T' => Value::Boolean(true),
            b'F' => Value::Boolean(false),
            b'd' => Value::Float(f32::from_be_bytes(self.fixed()?)),
            b'D' => Value::Float(f64::from_be_bytes(self.fixed()?) as f32),
            marker => Value::Integer(self.integer(marker)?),
        })
    }

    fn object(&mut self, depth: usize) -> Result<Object> {
        let mut object = Object::default();
        while !self.next_is(b'}') {
            let key = self.text()?;
            let is_run = self
                .bytes
                .get(self.position..)
                .is_some_and(|rest| rest.starts_with(b"[$"));
            if is_run && self.unread.contains(&key.as_str()) {
                self.position += 2;
                self.numbers()?;
                continue;
            }
            object.0.push((key, self.value(depth + 1)?));
        }
        Ok(object)
    }

    fn list(&mut self, depth: usize) -> Result<Value> {
        if self.next_is(b'$') {
            return self.run();
        }
        let mut items = Vec::new();
        if self.next_is(b'#') {
            for _ in 0..self.count(1)? {
                items.push(self.value(depth + 1)?);
            }
        } else {
            while !self.next_is(b']') {
                items.push(self.value(depth + 1)?);
            }
        }
        Ok(Value::List(items))
    }

    /// The type and the bytes of numbers of one type, without a marker each.
    fn numbers(&mut self) -> Result<(u8, &'a [u8])> {
        let marker = self.byte()?;
        let width = match marker {
            b'i' | b'U' => 1,
            b'I' => 2,
            b'l' | b'd' => 4,
            b'L' | b'D' => 8,
            _ => return Err(self.broken(&format!("a list of type `{}`", marker.escape_ascii()))),
        };
        if !self.next_is(b'#') {
            return Err(self.broken("a typed list without its count"));
        }
        let count = self.count(width)?;
        Ok((marker, self.take(count * width)?))
    }

    /// Numbers of one type; those of few bits stay so, for they are most of a model.
    fn run(&mut self) -> Result<Value> {
        let (marker, bytes) = self.numbers()?;
        Ok(match marker {
            b'd' => Value::Floats(each(bytes, f32::from_be_bytes)),
            b'D' => Value::Floats(each(bytes, |number| f64::from_be_bytes(number) as f32)),
            b'i' => Value::Integers(each(bytes, |number| i64::from(i8::from_be_bytes(number)))),
            b'U' => Value::Bytes(bytes.to_vec()),
            b'I' => Value::Integers(each(bytes, |number| i64::from(i16::from_be_bytes(number)))),
            b'l' => Value::Words(each(bytes, i32::from_be_bytes)),
            _ => Value::Integers(each(bytes, i64::from_be_bytes)),
        })
    }
}

/// The numbers of a run, `N` bytes each.
fn each<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|bytes| number(*bytes))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_type_are_read() {
        let bytes = b"{i\x01a[$d#i\x02\x3f\x80\0\0\xbf\x80\0\0i\x01b[#U\x02TZ\
            i\x01c[$l#i\x01\xff\xff\xff\xff\
            i\x01dSi\x02hii\x01e[I\x01\0]i\x01fD\x3f\xe0\0\0\0\0\0\0}";
        let Value::Object(mut object) = read(bytes, &[]).expect("it is UBJSON") else {
            panic!("an object")
        };
        assert_eq!(object.floats("a").expect("floats"), [1.0, -1.0]);
        assert_eq!(
            object.list("b").expect("a list"),
            [Value::Boolean(true), Value::Null]
        );
        assert_eq!(object.integers("c").expect("integers"), [-1]);
        assert_eq!(object.text("d").expect("a text"), "hi");
        assert_eq!(object.integers("e").expect("integers"), [256]);
        assert_eq!(object.take("f"), Some(Value::Float(0.5)));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length], &[]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn absurd_counts_and_depths_are_refused_before_anything_is_allocated() {
        for (bytes, expected) in [
            (
                b"[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff".as_slice(),
                "a count of 9223372036854775807 with 0 bytes left",
            ),
            (
                b"[#L\x00\xff\xff\xff\xff\xff\xff\xffZ",
                "a count of 72057594037927935 with 1 bytes left",
            ),
            (b"Si\xff", "a count of -1"),
            (b"[$Z#i\x01", "a list of type `Z`"),
            (b"H", "`H` is not a type of an integer"),
            (b"ZZ", "bytes after the end"),
        ] {
            let error = read(bytes, &[]).expect_err(expected);
            assert!(error.message().contains(expected), "{error}");
        }
        assert!(
            read(&b"[".repeat(100_000), &[])
                .expect_err("too deep")
                .message()
                .contains("more than 64 levels")
        );
    }
}
