//! Which files hold the keys of encrypted Parquet files.
//!
//! Owns these options: paths and names of keys, never a key. It must not know how keys are read.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

use crate::storage::Location;

/// The keys of what is read and of what is written.
#[derive(Clone, Debug, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Keys {
    /// Keys of encrypted inputs, as `[COLUMN=]FILE`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub decryption_key: Vec<Location>,
    /// Keys that rows are encrypted with, as `[COLUMN=]FILE`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encryption_key: Vec<Location>,
    /// The names that files give their keys, as `[COLUMN=]NAME`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub encryption_key_id: Vec<String>,
    /// Whether the footers of encrypted files stay readable
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub plaintext_footer: bool,
    /// Key of hashed columns
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_key: Option<Location>,
}

impl Keys {
    /// The same with paths that begin at `base`.
    #[must_use]
    pub fn anchored(&self, base: &Location) -> Self {
        let all = |keys: &[Location]| keys.iter().map(|key| anchored(key, base)).collect();
        Self {
            decryption_key: all(&self.decryption_key),
            encryption_key: all(&self.encryption_key),
            hash_key: self.hash_key.as_ref().map(|key| base.join(key)),
            ..self.clone()
        }
    }
}

/// The column in `COLUMN=FILE`, if there is one, and the file. A name with a `/` is that of a file.
#[must_use]
pub fn split_column(text: &Location) -> (Option<String>, Location) {
    let named = text.to_str().and_then(|text| text.split_once('='));
    match named.filter(|(name, file)| !name.is_empty() && !file.is_empty() && !name.contains('/')) {
        Some((name, file)) => (Some(name.to_owned()), Location::from(file)),
        None => (None, text.clone()),
    }
}

/// `[COLUMN=]FILE` with the file's path from `base` on.
#[must_use]
pub fn anchored(text: &Location, base: &Location) -> Location {
    let (column, file) = split_column(text);
    let file = base.join(file);
    column.map_or(file.clone(), |column| {
        let mut named = OsString::from(format!("{column}="));
        named.push(file.as_os_str());
        Location::from(&named)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_the_footer_or_of_the_column_before_it() {
        for (text, column, file) in [
            ("footer.key", None, "footer.key"),
            ("amount=keys/a.key", Some("amount"), "keys/a.key"),
            ("keys/a=b.key", None, "keys/a=b.key"),
            ("=x", None, "=x"),
            ("x=", None, "x="),
        ] {
            let found = split_column(&Location::from(text));
            assert_eq!(found, (column.map(str::to_owned), Location::from(file)));
        }
        let base = Location::from("/jobs");
        let at = |text: &str| anchored(&Location::from(text), &base);
        assert_eq!(at("amount=a.key"), Location::from("amount=/jobs/a.key"));
        assert_eq!(at("/keys/a.key"), Location::from("/keys/a.key"));
    }
}
