//! Paths as text, for JSON and tables: a path need not be UTF-8, and what is written must be read
//! back.
//!
//! A path of UTF-8 is a JSON string; any other is an object with its bytes, `{"bytes":
//! "caf\\xe9"}`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as one text; bytes that are not UTF-8 are written `\xe9`, so that two paths stay two.
#[must_use]
pub fn text(path: &Path) -> String {
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

fn read<E: serde::de::Error>(form: Form) -> Result<PathBuf, E> {
    form.path()
        .ok_or_else(|| E::custom("a path whose bytes are not written as `\\xe9`"))
}

/// Writes a path.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    Form::of(path).serialize(serializer)
}

/// Reads a path.
///
/// # Errors
/// Those of the deserializer; fails for bytes that cannot be read.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Form::deserialize(deserializer).and_then(read)
}

/// A path that may be missing.
pub mod option {
    use super::{Deserialize, Deserializer, Form, PathBuf, Serialize, Serializer, read};

    /// Writes a path or nothing.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_deref().map(Form::of).serialize(serializer)
    }

    /// Reads a path or nothing.
    ///
    /// # Errors
    /// As for one path.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Option::<Form>::deserialize(deserializer)?
            .map(read)
            .transpose()
    }
}

/// Several paths.
pub mod list {
    use super::{Deserialize, Deserializer, Form, PathBuf, Serializer, read};

    /// Writes paths.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| Form::of(path)))
    }

    /// Reads paths.
    ///
    /// # Errors
    /// As for one path.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<PathBuf>, D::Error> {
        Vec::<Form>::deserialize(deserializer)?
            .into_iter()
            .map(read)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize, Serialize)]
    struct Paths {
        #[serde(with = "crate::path_text")]
        one: PathBuf,
        #[serde(with = "crate::path_text::option", default)]
        maybe: Option<PathBuf>,
        #[serde(with = "crate::path_text::list")]
        many: Vec<PathBuf>,
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
                one: path(odd),
                maybe: Some(path(odd)),
                many: vec![path(odd), path(b"x")],
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
