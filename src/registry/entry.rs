//! One entry of a log, as bytes: what was done, and the digests that chain it to the one before.
//!
//! Owns the form of an entry: one line of JSON that ends in `,"digest":"…"}`, where the digest is
//! the SHA-256 of all bytes before that. It must not know other entries.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::name::digest_digits;
use crate::digest::hexadecimal;
use crate::error::{Error, Result};

/// The version of the form.
pub(super) const FORMAT: u32 = 1;

/// The most bytes of an entry.
pub(super) const BYTES_LIMIT: u64 = 1 << 16;

const DIGEST_KEY: &str = ",\"digest\":\"";
const END: &str = "\"}\n";

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Entry {
    /// The version of this form.
    pub format: u32,
    /// The model whose log it is.
    pub model: String,
    /// Its number, from 1.
    pub seq: u64,
    /// The digest of the entry before; none of the first.
    pub previous: Option<String>,
    /// When it was made: seconds since 1970, never less than those of the entry before.
    pub seconds: u64,
    /// When it was made: RFC 3339, UTC.
    pub time: String,
    /// Who made it.
    pub actor: String,
    /// A text that no other entry has.
    pub id: String,
    /// What was done.
    #[serde(flatten)]
    pub action: Action,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest of the evaluation whose facts passed the gates: `sha256:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
    /// The digest of the comparison, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// A version was added.
    Push {
        /// Its number.
        version: u64,
        /// The digest of its list of files: `sha256:…`.
        package: String,
        /// What its maker calls it, such as `2.1.0`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
    },
    /// An alias was pointed at a version.
    Promote(Target),
    /// An alias was pointed back at an earlier version.
    Rollback(Target),
}

/// A move of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Target {
    /// The alias.
    pub alias: String,
    /// The version that it points at now.
    pub version: u64,
    /// The version that it pointed at before.
    pub from: Option<u64>,
}

/// The kinds of moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// To any version.
    Promote,
    /// Back to an earlier one.
    Rollback,
}

impl Entry {
    /// The bytes of the file, and the digest in them.
    ///
    /// # Errors
    /// Fails if it is longer than an entry may be.
    pub(super) fn to_bytes(&self) -> Result<(Vec<u8>, String)> {
        let json = serde_json::to_string(self)
            .map_err(|error| Error::internal("a log entry without JSON").because(error))?;
        let body = json.strip_suffix("}").unwrap_or(&json);
        let digest = hexadecimal(&Sha256::digest(body));
        let bytes = format!("{body}{DIGEST_KEY}{digest}{END}").into_bytes();
        if bytes.len() as u64 > BYTES_LIMIT {
            return Err(Error::usage(format!(
                "the log entry would have more than {BYTES_LIMIT} bytes"
            ))
            .hint("shorten `--reason`"));
        }
        Ok((bytes, digest))
    }

    /// The entry that these bytes hold, and its digest.
    ///
    /// # Errors
    /// [`crate::error::Kind::Trust`] if the bytes do not have the digest that they end in, or are
    /// not an entry.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<(Self, String)> {
        let edited = || Error::trust("the log entry was edited or cut short");
        let tail_length = DIGEST_KEY.len() + 64 + END.len();
        let body_length = bytes.len().checked_sub(tail_length).ok_or_else(edited)?;
        let (body, tail) = bytes.split_at(body_length);
        let listed = std::str::from_utf8(tail)
            .ok()
            .and_then(|tail| tail.strip_prefix(DIGEST_KEY)?.strip_suffix(END))
            .and_then(digest_digits)
            .ok_or_else(edited)?;
        if hexadecimal(&Sha256::digest(body)) != listed {
            return Err(edited());
        }
        let entry = serde_json::from_slice::<Self>(&[body, b"}"].concat())
            .map_err(|error| Error::trust("cannot read the log entry").because(error))?;
        if entry.format > FORMAT {
            return Err(Error::failed(format!(
                "the log entry has format {}, and this version of tallow reads format {FORMAT}",
                entry.format
            ))
            .hint("use a newer version of tallow"));
        }
        Ok((entry, listed.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_of_json_and_every_byte_of_it_counts() {
        let entry = Entry {
            format: FORMAT,
            model: "churn".into(),
            seq: 2,
            previous: Some("ab".repeat(32)),
            seconds: 0,
            time: "1970-01-01T00:00:00Z".into(),
            actor: "ann@host".into(),
            id: "x".into(),
            action: Action::Promote(Target {
                alias: "champion".into(),
                version: 1,
                from: None,
            }),
            reason: Some("a brace } at the end }".into()),
            evaluation: None,
            comparison: None,
        };
        let (bytes, digest) = entry.to_bytes().unwrap();
        assert_eq!(Entry::from_bytes(&bytes).unwrap(), (entry, digest.clone()));
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            (&json["action"], &json["digest"]),
            (&"promote".into(), &digest.into())
        );
        for index in 0..bytes.len() {
            for bit in [1, 32, 128] {
                let mut edited = bytes.clone();
                edited[index] ^= bit;
                assert!(Entry::from_bytes(&edited).is_err(), "byte {index}");
            }
            assert!(
                Entry::from_bytes(&bytes[..index]).is_err(),
                "cut to {index}"
            );
        }
        assert!(Entry::from_bytes(&[&bytes[..], b"\n"].concat()).is_err());
    }
}
