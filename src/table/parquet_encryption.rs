//! Encrypted Parquet files: footers and columns opened with keys, and the properties of files that
//! are written with keys.
//!
//! Owns which key opens what, and the errors of keys that do not. The ciphers are the reader's
//! beneath. Source: "Parquet Modular Encryption" of Apache Parquet's format 2.12; `AES_GCM_V1`.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::errors::{ParquetError, Result};
use parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
};
use parquet::schema::types::SchemaDescriptor;

use super::keyring::{Encryption, FOOTER_ID, Keyring, Keys};
use super::parquet_footer::{ENCRYPTED_MAGIC, MAGIC};
use super::thrift::Kind::{self, Binary, Struct, Truth, Union};
use super::thrift::struct_length;
use super::thrift_tree::{Fields, Value};
use crate::error::{Error, shell_word};
use crate::escape::escaped;

/// What to do about an encrypted file.
pub(super) const DECRYPT: &str = "pass its key: `--decryption-key footer.key`";

/// Prefix and identifier of the file's modules, and whether readers must know the prefix.
const ALGORITHM_FIELDS: Kind = Struct(&[Binary, Binary, Truth]);

/// AES-GCM for all modules, or AES-CTR for pages.
const ALGORITHM: Kind = Union(&[ALGORITHM_FIELDS, ALGORITHM_FIELDS]);

/// What stands before an encrypted footer: the algorithm, and what the writer says of the key.
static FILE_CRYPTO: &[Kind] = &[ALGORITHM, Binary];

/// A module's length, nonce and tag.
const LENGTH_BYTES: usize = 4;
const SEAL_BYTES: usize = 12 + 16;

/// How an encrypted file's footer is decoded.
#[derive(Debug)]
pub(super) struct Sealed {
    /// The footer and what follows it: all of the file that is needed.
    tail: Bytes,
    properties: Arc<FileDecryptionProperties>,
    /// The leaves whose keys are not known, each with the reason.
    pub(super) locked: BTreeMap<usize, String>,
}

impl Sealed {
    /// The footer of a file whose footer is encrypted, opened with the first key that does.
    ///
    /// # Errors
    /// Says which key is missing or wrong.
    pub(super) fn of_encrypted(
        footer: &Bytes,
        keyring: &Keyring,
    ) -> std::result::Result<Self, Error> {
        let footer_id = crypto_of(footer)?;
        let tail = with_tail(footer, ENCRYPTED_MAGIC);
        Self::open(&tail, footer_id.as_deref(), keyring, || {
            Error::failed("cannot read the file: its Parquet footer is encrypted")
        })
    }

    /// The footer of a file whose footer is readable and some of whose columns are encrypted; none
    /// if there is no key, and the other columns are read. Keys that rows are written with are
    /// tried too, but they need not be this file's.
    ///
    /// # Errors
    /// Says which key is wrong.
    pub(super) fn of_plain(
        footer: &Bytes,
        footer_id: Option<&[u8]>,
        keyring: &Keyring,
    ) -> std::result::Result<Option<Self>, Error> {
        if keyring.candidates().is_empty() {
            return Ok(None);
        }
        let tail = with_tail(footer, MAGIC);
        let opened = Self::open(&tail, footer_id, keyring, || {
            Error::failed("cannot read the file: some of its columns are encrypted")
        });
        match opened {
            Err(_) if keyring.reading.is_empty() => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn open(
        tail: &Bytes,
        footer_id: Option<&[u8]>,
        keyring: &Keyring,
        missing: impl FnOnce() -> Error,
    ) -> std::result::Result<Self, Error> {
        let mut first = None;
        for keys in keyring.candidates() {
            match Self::with(tail, footer_id, keys) {
                Ok(opened) => return Ok(opened),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        let Some(error) = first else {
            return Err(named(missing(), footer_id).hint(DECRYPT));
        };
        Err(refused(&error, footer_id))
    }

    fn with(tail: &Bytes, footer_id: Option<&[u8]>, keys: &Keys) -> Result<Self> {
        let exact: Vec<(String, Vec<u8>)> = keys
            .columns
            .iter()
            .map(|(name, key)| (name.clone(), key.bytes().to_vec()))
            .collect();
        let properties = properties_of(keys, &exact)?;
        let metadata = decode(tail, &properties, None)?;
        let mut closed = closed_columns(&metadata, &exact);
        let mut sealed = Self {
            tail: tail.clone(),
            properties,
            locked: BTreeMap::new(),
        };
        let opens = |columns: &[(String, Vec<u8>)]| {
            let properties = properties_of(keys, columns)?;
            Ok::<_, ParquetError>(decode(tail, &properties, None).is_ok())
        };
        let groups = groups(&closed, keys, footer_id);
        let all = groups.iter().flat_map(LeafGroup::keys);
        let all: Vec<_> = exact.iter().cloned().chain(all).collect();
        // One wrong key must not lock what the others open.
        let is_joint = !groups.is_empty() && opens(&all)?;
        let (mut opening, mut wrong) = (exact, BTreeSet::new());
        for group in groups {
            let own: Vec<_> = group.keys().collect();
            let leaves = group.leaves.iter().map(|(leaf, _)| *leaf);
            if is_joint || opens(&own)? {
                opening.extend(own);
                leaves.for_each(|leaf| _ = closed.remove(&leaf));
            } else {
                wrong.extend(leaves);
            }
        }
        sealed.properties = properties_of(keys, &opening)?;
        sealed.locked = closed
            .into_iter()
            .map(|(leaf, column)| {
                let reason = column.reason();
                let reason = if wrong.contains(&leaf) {
                    format!("{reason}, and the key passed for it does not open it")
                } else {
                    reason
                };
                (leaf, reason)
            })
            .collect();
        Ok(sealed)
    }

    /// The footer, decoded.
    pub(super) fn decode(
        &self,
        options: Option<ParquetMetaDataOptions>,
    ) -> Result<ParquetMetaData> {
        decode(&self.tail, &self.properties, options)
    }
}

/// A column with a key of its own that is not known.
struct ClosedColumn {
    path: Vec<String>,
    key_id: Option<Vec<u8>>,
}

impl ClosedColumn {
    fn reason(&self) -> String {
        let id = self.key_id.as_deref();
        let id = id.filter(|id| *id != FOOTER_ID.as_bytes());
        if let Some(master) = id.and_then(wrapping_key) {
            return format!(
                "it is encrypted with a key that the key `{master}` of a service wraps"
            );
        }
        id.and_then(shown).map_or_else(
            || "it is encrypted".to_owned(),
            |id| format!("it is encrypted with the key `{id}`"),
        )
    }
}

/// Leaves whose key is the same one, as far as the file and the flags say.
struct LeafGroup {
    key: Vec<u8>,
    /// Each with its path.
    leaves: Vec<(usize, String)>,
}

impl LeafGroup {
    /// The paths with their key.
    fn keys(&self) -> impl Iterator<Item = (String, Vec<u8>)> {
        let paths = self.leaves.iter().map(|(_, path)| path.clone());
        paths.map(|path| (path, self.key.clone()))
    }
}

/// The leaves that there are keys for. Those that share a key and its name in the file are opened
/// by it together, or none of them is.
fn groups(
    closed: &BTreeMap<usize, ClosedColumn>,
    keys: &Keys,
    footer_id: Option<&[u8]>,
) -> Vec<LeafGroup> {
    let mut groups = BTreeMap::<(&[u8], &[u8], Option<usize>), Vec<(usize, String)>>::new();
    for (leaf, column) in closed {
        let id = column.key_id.as_deref();
        let Some(key) = keys.of_column(&column.path, id, footer_id) else {
            continue;
        };
        let alone = id.is_none_or(<[u8]>::is_empty).then_some(*leaf);
        let group = groups
            .entry((key.bytes(), id.unwrap_or_default(), alone))
            .or_default();
        group.push((*leaf, column.path.join(".")));
    }
    let group = |((key, ..), leaves): ((&[u8], _, _), _)| LeafGroup {
        key: key.to_vec(),
        leaves,
    };
    groups.into_iter().map(group).collect()
}

/// The leaves with keys of their own, without those whose path is in `known`.
fn closed_columns(
    metadata: &ParquetMetaData,
    known: &[(String, Vec<u8>)],
) -> BTreeMap<usize, ClosedColumn> {
    let mut closed = BTreeMap::new();
    for group in metadata.row_groups() {
        for (leaf, chunk) in group.columns().iter().enumerate() {
            let Some(ColumnCryptoMetaData::ENCRYPTION_WITH_COLUMN_KEY(own)) =
                chunk.crypto_metadata()
            else {
                continue;
            };
            let path = own.path_in_schema.join(".");
            if known.iter().all(|(name, _)| *name != path) {
                closed.entry(leaf).or_insert_with(|| ClosedColumn {
                    path: own.path_in_schema.clone(),
                    key_id: own.key_metadata.clone(),
                });
            }
        }
    }
    closed
}

/// Whether the pages of a column chunk are encrypted.
pub(super) fn is_encrypted(chunk: &ColumnChunkMetaData) -> bool {
    chunk.crypto_metadata().is_some()
}

fn properties_of(
    keys: &Keys,
    columns: &[(String, Vec<u8>)],
) -> Result<Arc<FileDecryptionProperties>> {
    let builder = FileDecryptionProperties::builder(keys.footer.bytes().to_vec());
    columns
        .iter()
        .fold(builder, |builder, (name, key)| {
            builder.with_column_key(name, key.clone())
        })
        .build()
}

fn decode(
    tail: &Bytes,
    properties: &Arc<FileDecryptionProperties>,
    options: Option<ParquetMetaDataOptions>,
) -> Result<ParquetMetaData> {
    // The decoder underneath panics on some damaged files.
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        ParquetMetaDataReader::new()
            .with_decryption_properties(Some(Arc::clone(properties)))
            .with_metadata_options(options)
            .parse_and_finish(tail)
    }));
    decoded.unwrap_or_else(|_| {
        Err(ParquetError::General(
            "its encrypted modules are damaged".to_owned(),
        ))
    })
}

/// A footer as the end of a file.
fn with_tail(footer: &Bytes, magic: &[u8]) -> Bytes {
    let length = u32::try_from(footer.len()).unwrap_or(u32::MAX);
    [footer, &length.to_le_bytes()[..], magic].concat().into()
}

/// What a file with an encrypted footer says of the footer's key, once its algorithm and length are
/// checked.
fn crypto_of(footer: &Bytes) -> std::result::Result<Option<Vec<u8>>, Error> {
    let damaged = |text: String| {
        Error::failed("cannot read the encrypted Parquet footer")
            .because(text)
            .hint("the file is cut off or damaged: write or copy it again")
    };
    let length =
        struct_length(footer, FILE_CRYPTO).map_err(|refusal| damaged(refusal.to_string()))?;
    let mut crypto =
        Fields::read(footer, FILE_CRYPTO).map_err(|refusal| damaged(refusal.to_string()))?;
    let footer_id = crypto.bytes(2).map(<[u8]>::to_vec);
    let algorithm = crypto
        .fields(1)
        .ok_or_else(|| damaged("it does not name its algorithm".to_owned()))?;
    if algorithm.fields(2).is_some() {
        let error = Error::failed("cannot read the file: it is encrypted with AES_GCM_CTR_V1");
        return Err(error.hint("write it with AES_GCM_V1, the default of Parquet writers"));
    }
    let is_bound = algorithm
        .fields(1)
        .is_some_and(|gcm| gcm.bytes(2).is_some_and(|unique| !unique.is_empty()));
    if !is_bound {
        return Err(unbound());
    }
    let needs_prefix = algorithm
        .fields(1)
        .is_some_and(|gcm| gcm.get(3) == Some(&Value::Truth(true)));
    if needs_prefix {
        let error = Error::failed(
            "cannot read the file: its writer keeps the AAD prefix that its keys need elsewhere",
        );
        return Err(error.hint("write it with the prefix stored in the file, or without one"));
    }
    let module = footer.get(length..).unwrap_or_default();
    let promised = module
        .first_chunk::<LENGTH_BYTES>()
        .map(|bytes| u32::from_le_bytes(*bytes) as usize);
    if promised.is_none_or(|count| {
        count < SEAL_BYTES || count.checked_add(LENGTH_BYTES) != Some(module.len())
    }) {
        return Err(damaged("its length is not the one it states".to_owned()));
    }
    Ok(footer_id)
}

/// A file without the identifier that every cipher of the standard takes along.
fn unbound() -> Error {
    let error = Error::failed(
        "cannot read the file: it is encrypted without the identifier that binds its parts to it, \
         as DuckDB writes",
    );
    error.hint("write it with pyarrow or Spark")
}

/// A key's identifier as text, if it is one that can be shown in a line.
fn shown(id: &[u8]) -> Option<String> {
    const LONGEST: usize = 200;
    let text = std::str::from_utf8(id).ok()?;
    (!text.is_empty() && text.len() <= LONGEST).then(|| escaped(text).into_owned())
}

/// The master key that wraps a key, where a writer that asks a service of keys says so.
fn wrapping_key(id: &[u8]) -> Option<String> {
    let material: serde_json::Value = serde_json::from_slice(id).ok()?;
    material.get("keyMaterialType")?;
    let master = material.get("masterKeyID")?.as_str()?;
    shown(master.as_bytes())
}

/// The error with the name that the file has for its footer's key.
fn named(error: Error, footer_id: Option<&[u8]>) -> Error {
    let id = footer_id.filter(|id| *id != FOOTER_ID.as_bytes());
    let id = id.and_then(|id| wrapping_key(id).or_else(|| shown(id)));
    match id {
        Some(id) => {
            let message = format!("{}, with the key `{id}`", error.message());
            Error::new(error.kind(), message)
        }
        None => error,
    }
}

/// What is said of keys that do not open a file.
fn refused(error: &ParquetError, footer_id: Option<&[u8]>) -> Error {
    let text = error.to_string();
    let column = text
        .split_once("Unable to decrypt column '")
        .and_then(|(_, rest)| rest.split_once('\''))
        .map(|(column, _)| column);
    if let Some(column) = column {
        let error = Error::failed("cannot read the file: the key of a column does not open it");
        let key = shell_word(&format!("{column}=FILE"));
        return error.at_column(column).hint(format!(
            "pass the key that the column was encrypted with: `--decryption-key {key}`"
        ));
    }
    let hint = "pass the key that the file was encrypted with: `--decryption-key FILE`; the file \
                holds the key's own bytes, not their hexadecimal digits";
    if text.contains("unable to decrypt parquet footer") {
        let error = Error::failed(
            "cannot read the file: the key does not open its Parquet footer, which is encrypted",
        );
        return named(error, footer_id).hint(hint);
    }
    if text.contains("signature verification failed") {
        let error = Error::failed(
            "cannot read the file: its Parquet footer does not have the signature that the key \
             gives",
        );
        return error.hint("the key is another one, or the file was changed since it was written");
    }
    if text.contains("AAD unique file identifier") {
        return unbound();
    }
    if text.contains("AES_GCM_CTR_V1") {
        let error = Error::failed("cannot read the file: it is encrypted with AES_GCM_CTR_V1");
        return error.hint("write it with AES_GCM_V1, the default of Parquet writers");
    }
    Error::failed("cannot read the encrypted Parquet footer")
        .because(text)
        .hint("the file is cut off or damaged: write or copy it again")
}

/// How a file of these columns is written.
pub(super) fn encryption_properties(
    encryption: &Encryption,
    schema: &SchemaDescriptor,
) -> Result<Arc<FileEncryptionProperties>> {
    let footer = encryption.keys.footer.bytes().to_vec();
    let builder = FileEncryptionProperties::builder(footer)
        .with_footer_key_metadata(encryption.footer_id().as_bytes().to_vec())
        .with_plaintext_footer(encryption.has_plain_footer);
    let columns = schema.columns().iter().map(|column| column.path().parts());
    let has_own = columns
        .clone()
        .any(|path| encryption.of_column(path).0 != &encryption.keys.footer);
    if !has_own {
        return builder.build();
    }
    // The writer beneath leaves a column without a key of its own unencrypted, so each has one.
    let builder = columns.fold(builder, |builder, path| {
        let (key, id) = encryption.of_column(path);
        let (name, key) = (path.join("."), key.bytes().to_vec());
        match id {
            Some(id) => builder.with_column_key_and_metadata(&name, key, id.as_bytes().to_vec()),
            None => builder.with_column_key(&name, key),
        }
    });
    builder.build()
}
