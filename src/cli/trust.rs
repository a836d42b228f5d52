//! `[trust]` in the user's configuration file: whose models may be used, and which may not.
//!
//! Owns where the file lies and its form. It must not know how signatures are verified.

use serde::Deserialize;

use super::user::user_directory;
use crate::digest::from_hexadecimal;
use crate::error::{Error, Result};
use crate::request::signature::TrustRequest;
use crate::storage::{Location, find, read};

/// The most bytes of the file.
const BYTES_LIMIT: u64 = 1 << 20;

#[derive(Debug, Default, Deserialize)]
struct Configuration {
    #[serde(default)]
    trust: Trust,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Trust {
    /// Whether every model must be signed.
    require: bool,
    /// Files with public keys or certificates, from the file's directory.
    keys: Vec<Location>,
    /// Digests of keys, models and files that are not trusted.
    revoked: Vec<String>,
}

/// What the file requires of every model: whose signature it must have, if it must, and what was
/// revoked.
///
/// # Errors
/// Fails if the file cannot be read, or requires signatures without a key.
pub(super) fn configured() -> Result<TrustRequest> {
    let (trust, path) = read_file()?;
    if trust.require && trust.keys.is_empty() {
        return Err(
            Error::usage("`[trust]` requires signatures and lists no keys")
                .at_path(path)
                .hint("keys = [\"KEY.pub\"]"),
        );
    }
    Ok(TrustRequest {
        keys: if trust.require {
            trust.keys
        } else {
            Vec::new()
        },
        revoked: trust.revoked,
        ..TrustRequest::default()
    })
}

/// Adds the file's keys where none is named, and what was revoked.
///
/// # Errors
/// Fails if the file cannot be read.
pub(super) fn complete(request: &mut TrustRequest) -> Result<()> {
    let (trust, _) = read_file()?;
    if request.keys.is_empty() {
        request.keys = trust.keys;
    }
    request.revoked.extend(trust.revoked);
    Ok(())
}

fn read_file() -> Result<(Trust, Location)> {
    let directory = user_directory("XDG_CONFIG_HOME", ".config");
    let path = directory.map(|directory| directory.join("config.toml"));
    // What it would demand is not known if it cannot be looked for.
    let elsewhere = |error: Error| {
        error.hint("set `XDG_CONFIG_HOME` to a directory that this user may read, such as `/etc`")
    };
    let path = match path {
        Some(path) if find(&path).map_err(elsewhere)?.is_some() => path,
        path => return Ok((Trust::default(), path.unwrap_or_default())),
    };
    let wrong = |error: &str| {
        Error::usage(format!("cannot read the configuration file: {error}")).at_path(&path)
    };
    let text =
        String::from_utf8(read(&path, BYTES_LIMIT)?).map_err(|_| wrong("it is not UTF-8"))?;
    let configuration: Configuration =
        toml::from_str(&text).map_err(|error| wrong(error.message()))?;
    let mut trust = configuration.trust;
    if let Some(text) = trust.revoked.iter().find(|text| !is_digest(text)) {
        let text = format!("`revoked` lists `{text}`, which is not a SHA-256 digest");
        let hint = "write all 64 hexadecimal digits, with or without `sha256:` before them";
        return Err(wrong(&text).hint(hint));
    }
    let directory = path.parent().unwrap_or_default();
    trust.keys = trust.keys.iter().map(|key| directory.join(key)).collect();
    Ok((trust, path))
}

/// Whether a text is a SHA-256 digest.
fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.len() == 64 && from_hexadecimal(digits).is_some()
}
