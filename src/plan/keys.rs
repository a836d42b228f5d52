//! The keys of encrypted Parquet files, from their files to this process.
//!
//! Owns how a key file is read and what may be wrong with it. Neither a key nor a digest of it is
//! in any message.

use arrow::datatypes::Schema;

use super::list::assignment;
use crate::error::{Error, Result, shell_word};
use crate::request::keys::{Keys as Request, split_column};
use crate::storage::{Location, is_open_to_others, read};
use crate::table::keyring::{Encryption, KEY_BYTES, Key, Keyring, Keys, SecretBytes};
use crate::table::parquet_sink::leaf_paths;
use crate::table::spelling::did_you_mean;

/// A key file is small; whatever is larger is something else.
const MAX_BYTES: u64 = 1 << 16;

/// The shortest key of hashes: as long as a key of encryption.
const FEWEST_HASH_BYTES: usize = 16;

/// How a key file is made.
const MAKE: &str = "make one with `openssl rand 32 > footer.key`";

/// How a key of hashes is made.
const MAKE_HASH_KEY: &str = "make one with `openssl rand 32 > hash.key`";

/// Reads the keys that a request names and makes them those of the process. Returns warnings.
///
/// # Errors
/// A usage error for flags that contradict each other and for a file that does not hold a key;
/// fails if a file cannot be read.
pub fn install(request: &Request) -> Result<Vec<Error>> {
    let mut warnings = Vec::new();
    loaded(request, &mut warnings)?.install();
    Ok(warnings)
}

/// Gives this process the keys that a run read its inputs with, after those that it has. Keys whose
/// files are gone or changed are passed over: whatever needs them says so.
pub fn add_inputs(of_run: &Request) {
    let Ok(reading) = reading(&of_run.decryption_key, &mut Vec::new()) else {
        return;
    };
    let mut keyring = Keyring::clone(&Keyring::of_process());
    keyring.reading.extend(reading);
    keyring.install();
}

/// The warning of a key of hashes where no column is hashed, though somebody may think so.
#[must_use]
pub fn hashes_nothing() -> Error {
    Error::usage("`--hash-key` does nothing without `--hash-columns`")
        .hint("name the columns to hash: `--hash-columns customer_id`")
}

/// A warning for each column of `--decryption-key` that no file had which was read.
#[must_use]
pub fn unread_columns() -> Vec<Error> {
    let keyring = Keyring::of_process();
    let warning = |column: &&str| {
        let message = "`--decryption-key` names a column that no file has which was read";
        Error::usage(message)
            .at_column(*column)
            .hint("`tallow inspect FILE --decryption-key footer.key` lists the columns of a file")
    };
    keyring.unread_columns().iter().map(warning).collect()
}

/// Checks that columns with keys of their own are in what is written, or may be in rejected rows.
///
/// # Errors
/// A usage error that names the first that is in neither, with the nearest name.
pub(super) fn check_columns(output: &Schema, data: &Schema) -> Result<()> {
    let keyring = Keyring::of_process();
    let Some(writing) = &keyring.writing else {
        return Ok(());
    };
    let leaves = [leaf_paths(output), leaf_paths(data)].concat();
    let roots = output.fields().iter().chain(data.fields());
    let roots = roots.map(|field| field.name().as_str());
    let names = roots.chain(leaves.iter().map(String::as_str));
    let mut keys = writing.keys.columns.iter();
    let Some((name, _)) = keys.find(|(name, _)| names.clone().all(|own| own != name)) else {
        return Ok(());
    };
    let message = "`--encryption-key` names a column that is not in the output";
    let root = name.split('.').next().unwrap_or_default();
    let inner = leaves
        .iter()
        .filter(|leaf| leaf.split('.').next() == Some(root));
    let inner: Vec<String> = inner.map(|leaf| format!("`{leaf}`")).collect();
    let otherwise = match &inner[..] {
        [] => "`tallow check` lists the columns of the output".to_owned(),
        inner => {
            let inner = &inner[..inner.len().min(MAX_NAMED_LEAVES)];
            format!("name `{root}`, or one of its leaves: {}", inner.join(", "))
        }
    };
    let error = Error::usage(message).at_column(name);
    Err(error.hint(did_you_mean(name, &names, &otherwise)))
}

/// The most leaves of a column that a hint names.
const MAX_NAMED_LEAVES: usize = 5;

fn loaded(request: &Request, warnings: &mut Vec<Error>) -> Result<Keyring> {
    let Request {
        decryption_key,
        encryption_key,
        encryption_key_id,
        plaintext_footer,
        hash_key,
    } = request;
    let hashing = hash_key
        .as_ref()
        .map(|file| hash_bytes(file, warnings))
        .transpose()?;
    let reading = reading(decryption_key, warnings)?;
    let writing = keys("--encryption-key", encryption_key, warnings)?;
    let Some(writing) = writing else {
        let alone = [
            ("--encryption-key-id", !encryption_key_id.is_empty()),
            ("--plaintext-footer", *plaintext_footer),
        ];
        if let Some((flag, _)) = alone.into_iter().find(|(_, is_set)| *is_set) {
            let error = Error::usage(format!("`{flag}` needs `--encryption-key`"));
            return Err(error.hint("add `--encryption-key FILE`, the key of the footer"));
        }
        return Ok(Keyring {
            reading,
            writing: None,
            hashing,
        });
    };
    let mut encryption = Encryption {
        keys: writing,
        footer_id: None,
        column_ids: Vec::new(),
        has_plain_footer: *plaintext_footer,
    };
    for text in encryption_key_id {
        name_key(&mut encryption, text)?;
    }
    Ok(Keyring {
        reading,
        writing: Some(encryption),
        hashing,
    })
}

/// Takes down the name of a key.
fn name_key(encryption: &mut Encryption, text: &str) -> Result<()> {
    let twice = || {
        Error::usage(format!(
            "`--encryption-key-id {text}` names a key a second time"
        ))
    };
    let Some((column, id)) = assignment(text) else {
        return match encryption.footer_id.replace(text.to_owned()) {
            None => Ok(()),
            Some(_) => Err(twice()),
        };
    };
    if encryption.column_ids.iter().any(|(own, _)| *own == column) {
        return Err(twice());
    }
    if encryption
        .keys
        .columns
        .iter()
        .all(|(own, _)| *own != column)
    {
        let message = format!("`--encryption-key-id` names a key of `{column}`, which has none");
        let key = shell_word(&format!("{column}=FILE"));
        return Err(Error::usage(message).hint(format!("add `--encryption-key {key}`")));
    }
    encryption.column_ids.push((column, id.to_owned()));
    Ok(())
}

/// The keys that open what is read. Each key of a footer begins a set, with the keys of columns
/// that follow it; those before the first one belong to it, too.
fn reading(texts: &[Location], warnings: &mut Vec<Error>) -> Result<Vec<Keys>> {
    let footers = texts.iter().enumerate();
    let footers = footers.filter(|(_, text)| split_column(text).0.is_none());
    let ends = footers.skip(1).map(|(index, _)| index).chain([texts.len()]);
    let mut sets = Vec::new();
    let mut start = 0;
    for end in ends {
        sets.extend(keys("--decryption-key", &texts[start..end], warnings)?);
        start = end;
    }
    Ok(sets)
}

/// One set of keys; none if there is no key.
fn keys(flag: &str, texts: &[Location], warnings: &mut Vec<Error>) -> Result<Option<Keys>> {
    let (mut footer, mut columns) = (None, Vec::<(String, Key)>::new());
    for text in texts {
        let (column, file) = split_column(text);
        let key = key(flag, &file, warnings)?;
        let twice = |what: &str| {
            let error = Error::usage(format!("`{flag}` gives {what} two keys")).at_path(&file);
            error.hint("keep one of them")
        };
        match column {
            None if footer.is_some() => return Err(twice("the footer")),
            None => footer = Some(key),
            Some(column) if columns.iter().any(|(own, _)| *own == column) => {
                return Err(twice(&format!("the column `{column}`")));
            }
            Some(column) => columns.push((column, key)),
        }
    }
    if texts.is_empty() {
        return Ok(None);
    }
    let footer = footer.ok_or_else(|| {
        let error = Error::usage(format!(
            "`{flag}` names keys of columns, and none of the footer"
        ));
        error.hint(format!("add `{flag} FILE`, the key of the footer"))
    })?;
    Ok(Some(Keys { footer, columns }))
}

/// The bytes of a key file; a warning if others may read it.
fn bytes(flag: &str, make: &str, file: &Location, warnings: &mut Vec<Error>) -> Result<Vec<u8>> {
    let bytes = read(file, MAX_BYTES)
        .map_err(|error| error.hint(format!("`{flag} FILE` names the file of a key; {make}")))?;
    if is_open_to_others(file)? {
        let path = shell_word(&file.to_string_lossy());
        let warning = Error::usage("other users of this machine can read the key").at_path(file);
        warnings.push(warning.hint(format!("chmod 600 {path}")));
    }
    Ok(bytes)
}

/// The key of hashes in a file. Every byte counts, so a text that ends with a newline is refused.
fn hash_bytes(file: &Location, warnings: &mut Vec<Error>) -> Result<SecretBytes> {
    let bytes = bytes("--hash-key", MAKE_HASH_KEY, file, warnings)?;
    let count = bytes.len();
    if count < FEWEST_HASH_BYTES {
        let message = format!(
            "the key file holds {count} bytes; a key of hashes has at least {FEWEST_HASH_BYTES}"
        );
        return Err(Error::usage(message).at_path(file).hint(MAKE_HASH_KEY));
    }
    if bytes.is_ascii() && bytes.ends_with(b"\n") {
        let path = shell_word(&file.to_string_lossy());
        let error =
            Error::usage("the key file ends with a newline, which would be part of the key");
        return Err(error.at_path(file).hint(format!(
            "write it without: `printf %s \"$(cat {path})\" > FILE`"
        )));
    }
    Ok(SecretBytes::new(bytes))
}

/// The key in a file.
fn key(flag: &str, file: &Location, warnings: &mut Vec<Error>) -> Result<Key> {
    let bytes = bytes(flag, MAKE, file, warnings)?;
    let count = bytes.len();
    let trouble = trouble(&bytes);
    if count == 32 && bytes.iter().all(u8::is_ascii_hexdigit) {
        let path = shell_word(&file.to_string_lossy());
        let warning = Error::usage(
            "the key file holds hexadecimal digits, which are taken as the key's own bytes",
        );
        warnings.push(warning.at_path(file).hint(format!(
            "if they stand for a key of 16 bytes, write those: `xxd -r -p {path} > FILE`"
        )));
    }
    Key::new(bytes).ok_or_else(|| {
        let [short, long] = KEY_BYTES;
        let message = format!("the key file holds {count} bytes; a key has {short} or {long}");
        let path = shell_word(&file.to_string_lossy());
        let hint = match trouble {
            Some(Trouble::Newline) => {
                format!("it ends with a newline: `printf %s \"$(cat {path})\" > FILE`")
            }
            Some(Trouble::Hexadecimal) => {
                format!("it holds hexadecimal digits: `xxd -r -p {path} > FILE`")
            }
            Some(Trouble::Base64) => format!("it holds Base64: `base64 -d {path} > FILE`"),
            Some(Trouble::Aes192) => {
                "AES-192 is not supported: encrypt with a key of 16 or 32 bytes".to_owned()
            }
            None => MAKE.to_owned(),
        };
        Error::usage(message).at_path(file).hint(hint)
    })
}

/// What is likely wrong with a key file.
enum Trouble {
    Newline,
    Hexadecimal,
    Base64,
    Aes192,
}

fn trouble(bytes: &[u8]) -> Option<Trouble> {
    let text = bytes.trim_ascii_end();
    let is_hex = text.iter().all(u8::is_ascii_hexdigit);
    let is_base64 = text
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte));
    match text.len() {
        32 | 48 | 64 if is_hex => Some(Trouble::Hexadecimal),
        24 | 44 if is_base64 && text.ends_with(b"=") => Some(Trouble::Base64),
        24 if bytes.len() == 24 => Some(Trouble::Aes192),
        length if KEY_BYTES.contains(&length) => Some(Trouble::Newline),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(directory: &tempfile::TempDir, name: &str, bytes: &[u8]) -> Location {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        Location::from(&path)
    }

    fn named(column: &str, file: &Location) -> Location {
        Location::from(&format!("{column}={}", file.display()))
    }

    #[test]
    fn a_key_file_holds_a_key_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        for (bytes, hint) in [
            (&b"0123456789012345\n"[..], "it ends with a newline"),
            (
                b"00112233445566778899aabbccddeeff\n",
                "it holds hexadecimal digits",
            ),
            (&[b'0'; 64], "it holds hexadecimal digits"),
            (b"MDEyMzQ1Njc4OTAxMjM0NQ==", "it holds Base64"),
            (&[7; 24], "AES-192 is not supported"),
            (b"", "make one with"),
            (&[7; 17], "make one with"),
        ] {
            let path = file(&directory, "k", bytes);
            let error = key("--decryption-key", &path, &mut Vec::new()).unwrap_err();
            assert_eq!(
                error.message(),
                format!(
                    "the key file holds {} bytes; a key has 16 or 32",
                    bytes.len()
                )
            );
            let found = error.hint_text().unwrap();
            assert!(found.starts_with(hint), "{found}");
        }
        let mut warnings = Vec::new();
        let path = file(&directory, "k", &[7; 16]);
        key("--decryption-key", &path, &mut warnings).unwrap();
        assert!(warnings.is_empty());
        std::fs::set_permissions(
            directory.path().join("k"),
            std::fs::Permissions::from_mode(0o640),
        )
        .unwrap();
        key("--decryption-key", &path, &mut warnings).unwrap();
        assert_eq!(
            warnings[0].message(),
            "other users of this machine can read the key"
        );
        let missing = Location::from(&directory.path().join("none"));
        let error = key("--decryption-key", &missing, &mut warnings).unwrap_err();
        assert!(
            error
                .hint_text()
                .unwrap()
                .starts_with("`--decryption-key FILE` names")
        );
    }

    #[test]
    fn hexadecimal_digits_as_long_as_a_key_are_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        for (bytes, is_warned) in [
            (&b"00112233445566778899aabbccddeeFF"[..], true),
            (b"00112233445566778899aabbccddeefg", false),
            (&[7; 32], false),
            (b"0123456789abcdef", false),
        ] {
            let path = file(&directory, "k", bytes);
            let mut warnings = Vec::new();
            key("--encryption-key", &path, &mut warnings).unwrap();
            assert_eq!(warnings.len(), usize::from(is_warned), "{bytes:?}");
            for warning in warnings {
                let message = warning.message().to_owned();
                assert!(
                    message.contains("taken as the key's own bytes"),
                    "{message}"
                );
                assert!(warning.hint_text().unwrap().contains("`xxd -r -p "));
            }
        }
    }

    #[test]
    fn flags_that_contradict_each_other_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let (a, b) = (
            file(&directory, "a", &[1; 16]),
            file(&directory, "b", &[2; 32]),
        );
        let message = |request: &Request| {
            let error = loaded(request, &mut Vec::new()).unwrap_err();
            error.message().to_owned()
        };
        let writing = |keys: &[Location], ids: &[&str]| Request {
            encryption_key: keys.to_vec(),
            encryption_key_id: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Request::default()
        };
        let x = named("x", &b);
        assert_eq!(
            message(&writing(&[], &["k"])),
            "`--encryption-key-id` needs `--encryption-key`"
        );
        assert_eq!(
            message(&writing(std::slice::from_ref(&x), &[])),
            "`--encryption-key` names keys of columns, and none of the footer"
        );
        assert_eq!(
            message(&writing(&[a.clone(), b.clone()], &[])),
            "`--encryption-key` gives the footer two keys"
        );
        assert_eq!(
            message(&writing(&[a.clone(), x.clone(), named("x", &a)], &[])),
            "`--encryption-key` gives the column `x` two keys"
        );
        assert_eq!(
            message(&writing(std::slice::from_ref(&a), &["x=k"])),
            "`--encryption-key-id` names a key of `x`, which has none"
        );
        let good = loaded(&writing(&[a, x], &["k1", "x=k2"]), &mut Vec::new()).unwrap();
        let writing = good.writing.unwrap();
        assert_eq!(writing.footer_id(), "k1");
        assert_eq!(writing.column_ids, [("x".to_owned(), "k2".to_owned())]);
    }
}
