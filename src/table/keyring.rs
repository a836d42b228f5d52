//! The keys of encrypted Parquet files: those that open what is read, and those that rows are
//! written with.
//!
//! Owns which key belongs to which column, and the keys of this process. It must not know where
//! keys come from. A key is never shown, stored or digested.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::storage::seal_rows;

/// The lengths that a key may have, in bytes: AES-128 and AES-256.
pub const KEY_BYTES: [usize; 2] = [16, 32];

/// The identifier of the footer's key where the user gives none. Columns without a key of their
/// own name it too, so a reader knows which key opens them.
pub(super) const FOOTER_ID: &str = "footer";

/// The keys that this process has.
static OF_PROCESS: RwLock<Option<Arc<Keyring>>> = RwLock::new(None);

/// The columns with keys of their own that Parquet files had which this process read.
static READ_COLUMNS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A key of AES, in 16 or 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// A key of these bytes; none for another length.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        KEY_BYTES.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Bytes of a key of any length.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes")
    }
}

/// The keys of files: that of their footers, and those of single columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The key of the footer, and of every column that has no key of its own.
    pub footer: Key,
    /// The keys of columns, by name.
    pub columns: Vec<(String, Key)>,
}

impl Keys {
    /// The key of a column chunk at `path`, whose writer names its key `metadata`. `footer_id` is
    /// what the writer names the footer's key.
    #[must_use]
    pub fn of_column(
        &self,
        path: &[String],
        metadata: Option<&[u8]>,
        footer_id: Option<&[u8]>,
    ) -> Option<&Key> {
        let named = self.named(path);
        let is_footers = || {
            metadata.is_some_and(|id| {
                !id.is_empty() && (footer_id == Some(id) || id == FOOTER_ID.as_bytes())
            })
        };
        named
            .map(|(_, key)| key)
            .or_else(|| is_footers().then_some(&self.footer))
    }

    /// The key that the user names for a column chunk at `path`, with that name: the whole path, or
    /// else its first part.
    #[must_use]
    pub fn named(&self, path: &[String]) -> Option<&(String, Key)> {
        let find = |name: &str| self.columns.iter().find(|(own, _)| own == name);
        find(&path.join(".")).or_else(|| path.first().and_then(|root| find(root)))
    }
}

/// How rows are written: the keys, and what files say of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// The keys.
    pub keys: Keys,
    /// The identifier of the footer's key.
    pub footer_id: Option<String>,
    /// The identifiers of columns' keys, by column.
    pub column_ids: Vec<(String, String)>,
    /// Whether the footer stays readable without a key.
    pub has_plain_footer: bool,
}

impl Encryption {
    /// The identifier of the footer's key, as files name it.
    #[must_use]
    pub fn footer_id(&self) -> &str {
        self.footer_id.as_deref().unwrap_or(FOOTER_ID)
    }

    /// The key of a column chunk at `path`, and its identifier.
    #[must_use]
    pub fn of_column(&self, path: &[String]) -> (&Key, Option<&str>) {
        match self.keys.named(path) {
            Some((name, key)) => {
                let id = self.column_ids.iter().find(|(column, _)| column == name);
                (key, id.map(|(_, id)| id.as_str()))
            }
            None => (&self.keys.footer, Some(self.footer_id())),
        }
    }
}

/// All keys of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    /// The keys that open what is read: a file is opened with the first that open it.
    pub reading: Vec<Keys>,
    /// The keys that rows are written with; none if they are not encrypted.
    pub writing: Option<Encryption>,
    /// The key that columns are hashed with.
    pub hashing: Option<SecretBytes>,
}

impl Keyring {
    /// The keys of this process; none unless they were installed.
    #[must_use]
    pub fn of_process() -> Arc<Self> {
        let installed = OF_PROCESS.read().unwrap_or_else(PoisonError::into_inner);
        installed.clone().unwrap_or_default()
    }

    /// Makes these the keys of the process.
    pub fn install(self) {
        seal_rows(!self.reading.is_empty() || self.writing.is_some());
        *OF_PROCESS.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(self));
    }

    /// Notes the leaves of a file that is read, where columns have keys of their own.
    pub(super) fn note_leaves<'a>(&self, leaves: impl Iterator<Item = &'a [String]>) {
        let own: BTreeSet<&str> = self.read_names().collect();
        if own.is_empty() {
            return;
        }
        let named = leaves.flat_map(|path| [Some(path.join(".")), path.first().cloned()]);
        let mut read = READ_COLUMNS.lock().unwrap_or_else(PoisonError::into_inner);
        read.extend(named.flatten().filter(|name| own.contains(name.as_str())));
    }

    /// The columns with keys for reading that no Parquet file had which this process read.
    #[must_use]
    pub fn unread_columns(&self) -> Vec<&str> {
        let read = READ_COLUMNS.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_names()
            .filter(|name| !read.contains(*name))
            .collect()
    }

    /// The columns with keys for reading.
    fn read_names(&self) -> impl Iterator<Item = &str> {
        let columns = self.reading.iter().flat_map(|keys| &keys.columns);
        columns.map(|(name, _)| name.as_str())
    }

    /// The keys that may open a file: those for reading, then those that this process writes with.
    #[must_use]
    pub fn candidates(&self) -> Vec<&Keys> {
        let written = self.writing.as_ref().map(|writing| &writing.keys);
        let mut all: Vec<&Keys> = self.reading.iter().chain(written).collect();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(vec![byte; 16]).unwrap()
    }

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn a_key_has_16_or_32_bytes_and_is_never_shown() {
        for (length, is_key) in [(0, false), (15, false), (16, true), (24, false), (32, true)] {
            assert_eq!(Key::new(vec![7; length]).is_some(), is_key, "{length}");
        }
        let keys = Keys {
            footer: key(0x41),
            columns: vec![("a".to_owned(), key(0x42))],
        };
        assert_eq!(
            format!("{keys:?}"),
            "Keys { footer: Key, columns: [(\"a\", Key)] }"
        );
    }

    #[test]
    fn a_column_has_its_own_key_or_the_one_that_the_file_names() {
        let keys = Keys {
            footer: key(1),
            columns: vec![("a".to_owned(), key(2)), ("b.c".to_owned(), key(3))],
        };
        let of = |text: &str, id: Option<&str>| {
            let found = keys.of_column(&path(text), id.map(str::as_bytes), Some(b"k1"));
            found.map(|key| key.bytes()[0])
        };
        assert_eq!(of("a", None), Some(2));
        assert_eq!(of("a.list.element", Some("k1")), Some(2));
        assert_eq!(of("b.c", None), Some(3));
        assert_eq!(of("b.d", None), None);
        assert_eq!(of("x", Some("k1")), Some(1));
        assert_eq!(of("x", Some("footer")), Some(1));
        assert_eq!(of("x", Some("k2")), None);
        assert_eq!(of("x", Some("")), None);
    }

    #[test]
    fn the_key_of_a_leaf_counts_more_than_that_of_its_root_in_any_order() {
        let (root, leaf) = (("a".to_owned(), key(2)), ("a.b".to_owned(), key(3)));
        for columns in [[root.clone(), leaf.clone()], [leaf, root]] {
            let keys = Keys {
                footer: key(1),
                columns: columns.to_vec(),
            };
            let encryption = Encryption {
                keys: keys.clone(),
                footer_id: None,
                column_ids: Vec::new(),
                has_plain_footer: false,
            };
            for (text, expected) in [("a.b", 3), ("a.c", 2), ("a.b.c", 2), ("b", 1)] {
                let (written, _) = encryption.of_column(&path(text));
                assert_eq!(written.bytes()[0], expected, "{text}");
                let read = keys.of_column(&path(text), Some(b"footer"), None).unwrap();
                assert_eq!(read.bytes()[0], expected, "{text}");
            }
        }
    }

    #[test]
    fn columns_without_a_key_are_written_with_the_footers() {
        let encryption = Encryption {
            keys: Keys {
                footer: key(1),
                columns: vec![("a".to_owned(), key(2))],
            },
            footer_id: None,
            column_ids: vec![("a".to_owned(), "k-a".to_owned())],
            has_plain_footer: false,
        };
        assert_eq!(encryption.of_column(&path("a")), (&key(2), Some("k-a")));
        assert_eq!(encryption.of_column(&path("b")), (&key(1), Some("footer")));
    }
}
