//! Paths as text, for JSON and tables: a path need not be UTF-8, and what is written must be read
//! back.
//!
//! A path of UTF-8 is a JSON string; any other is an object with its bytes, `{"bytes":
//! "caf\\xe9"}`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as one text; bytes that are not UTF-8 are written `\xe9`, so that two paths stay two.
#[must_use]
pub(super) fn text(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    path.to_str()
        .map_or_else(|| bytes.escape_ascii().to_string(), str::to_owned)
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Bytes { bytes: String },
}

impl Form {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes { bytes: text(path) },
        }
    }

    fn path(self) -> Option<PathBuf> {
        match self {
            Self::Text(text) => Some(text.into()),
            Self::Bytes { bytes } => Some(PathBuf::from(OsString::from_vec(unescaped(&bytes)?))),
        }
    }
}

/// The bytes of a text that [`<[u8]>::escape_ascii`] wrote.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (byte, length) = match after.first()? {
            b'x' => (
                u8::from_str_radix(std::str::from_utf8(after.get(1..3)?).ok()?, 16).ok()?,
                3,
            ),
            b't' => (b'\t', 1),
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            other => (*other, 1),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    Some(bytes)
}

/// Writes a path.
///
/// # Errors
/// Those of the serializer.
pub(super) fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    Form::of(path).serialize(serializer)
}

/// Reads a path.
///
/// # Errors
/// Those of the deserializer; fails for bytes that cannot be read.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let form = Form::deserialize(deserializer)?;
    form.path()
        .ok_or_else(|| D::Error::custom("a path whose bytes are not written as `\\xe9`"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::storage::Location;

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Paths {
        one: Location,
        maybe: Option<Location>,
        many: Vec<Location>,
    }

    #[test]
    fn any_path_is_read_back_from_json() {
        let path = |bytes: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(bytes));
        for odd in [
            b"caf\xe9".as_slice(),
            b"a\\xe9\xff\n\t\"'",
            b"\xff",
            b"plain",
            b"",
            "Größe".as_bytes(),
        ] {
            let paths = Paths {
                one: path(odd).into(),
                maybe: Some(path(odd).into()),
                many: vec![path(odd).into(), path(b"x").into()],
            };
            let json = serde_json::to_string(&paths).unwrap();
            assert_eq!(
                serde_json::from_str::<Paths>(&json).unwrap(),
                paths,
                "{json}"
            );
        }
        assert_eq!(
            serde_json::from_str::<Paths>(r#"{"one": "a", "maybe": null, "many": ["b"]}"#)
                .unwrap()
                .one,
            path(b"a"),
            "as paths were written before"
        );
        assert!(serde_json::from_str::<Paths>(r#"{"one": {"bytes": "\\x"}, "many": []}"#).is_err());
        assert_ne!(
            text(&path(b"caf\xe9")),
            text(&path(b"caf\xe8")),
            "two paths stay two"
        );
    }
}
