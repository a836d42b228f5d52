//! What a user types about encrypted Parquet files: clap derives only. The doc comments are the
//! manual.

use std::path::PathBuf;

use clap::Args;

use super::paths::locations;
use crate::request::keys::Keys;
use crate::storage::Location;

/// Keys of what is read.
#[derive(Clone, Debug, Default, Args)]
pub struct DecryptionArgs {
    /// Key file for encrypted Parquet: of the footer, or `COLUMN=FILE` of a column; may be repeated
    ///
    /// The file holds the key itself: 16 or 32 bytes, no newline. Columns without a key of their
    /// own use the footer's. Where files have different keys, name each footer's, followed by those
    /// of its columns. `tallow guide privacy` has examples with pyarrow and `DuckDB`.
    #[arg(long, value_name = "[COLUMN=]FILE", help_heading = "Encryption")]
    pub decryption_key: Vec<PathBuf>,
}

/// Keys of what is written.
#[derive(Clone, Debug, Default, Args)]
pub struct EncryptionArgs {
    /// Encrypt predictions and rejected rows with the key in FILE; may be repeated
    ///
    /// The first key is the footer's, and that of every column without a key of its own. The report
    /// holds no rows and stays readable.
    #[arg(long, value_name = "[COLUMN=]FILE", help_heading = "Encryption")]
    pub encryption_key: Vec<PathBuf>,
    /// Name of a key, stored in the file: `NAME`, or `COLUMN=NAME`; may be repeated
    #[arg(long, value_name = "[COLUMN=]NAME", help_heading = "Encryption")]
    pub encryption_key_id: Vec<String>,
    /// Key file for `--hash-columns`: at least 16 bytes; all of them count, a newline too
    #[arg(long, value_name = "FILE", help_heading = "Privacy")]
    pub hash_key: Option<PathBuf>,
    /// Leave the footer readable: the schema, the number of rows, and no statistics
    #[arg(long, help_heading = "Encryption")]
    pub plaintext_footer: bool,
}

/// Keys that a recorded run wrote its output with, where their files lie now.
#[derive(Clone, Debug, Default, Args)]
pub struct MovedKeyArgs {
    /// Key file of the output, where it was moved since the run; may be repeated
    ///
    /// Name all keys of the run again, the footer's first. They must be the same keys.
    #[arg(long, value_name = "[COLUMN=]FILE", help_heading = "Encryption")]
    pub encryption_key: Vec<PathBuf>,
    /// Key file of hashed columns, where it was moved since the run
    #[arg(long, value_name = "FILE", help_heading = "Privacy")]
    pub hash_key: Option<PathBuf>,
}

impl MovedKeyArgs {
    /// With the keys of what is read, as one part of a request.
    pub(super) fn with(self, decryption: DecryptionArgs) -> Keys {
        Keys {
            encryption_key: locations(self.encryption_key),
            hash_key: self.hash_key.map(Location::from),
            ..decryption.into()
        }
    }
}

impl From<DecryptionArgs> for Keys {
    fn from(args: DecryptionArgs) -> Self {
        Self {
            decryption_key: locations(args.decryption_key),
            ..Self::default()
        }
    }
}

/// Both as one part of a request.
pub(super) fn keys(decryption: DecryptionArgs, encryption: EncryptionArgs) -> Keys {
    let EncryptionArgs {
        encryption_key,
        encryption_key_id,
        hash_key,
        plaintext_footer,
    } = encryption;
    Keys {
        encryption_key: locations(encryption_key),
        encryption_key_id,
        plaintext_footer,
        hash_key: hash_key.map(Location::from),
        ..decryption.into()
    }
}
