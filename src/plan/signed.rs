//! Signing a model, and whether one may be used: its signature, and what was revoked.
//!
//! Owns the paths of keys and signatures, and that a model whose signature is required is verified
//! before it is opened. Whom to trust the request says.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, shell_word};
use crate::package::open::OpenedModel;
use crate::package::signature::SIGNATURE_NAME;
use crate::package::signature::certificate::Authority;
use crate::package::signature::key::{KEY_BYTES_LIMIT, PrivateKey};
use crate::package::signature::sign::{Identity, sign, sign_as};
use crate::package::signature::trust::Trust;
use crate::package::signature::verify::{Verified, verify};
use crate::process::seconds_now;
use crate::request::signature::{Sign, TrustRequest, Verify};
use crate::request::work::Work;
use crate::storage::{PendingFile, Vouched, find, metadata, read};
use crate::timestamp;

/// Where the signature of a model lies by default.
///
/// # Errors
/// Fails if there is no such model.
pub fn default_signature(model: &Path) -> Result<PathBuf> {
    if metadata(model)?.is_directory {
        return Ok(model.join(SIGNATURE_NAME));
    }
    let mut name = model.as_os_str().to_owned();
    name.push(".sig");
    Ok(name.into())
}

/// Signs a model, and returns where the signature lies.
///
/// # Errors
/// As [`sign`]; fails if the signature exists and may not be replaced, or cannot be written.
pub fn sign_model(request: &Sign) -> Result<PathBuf> {
    sign_model_as(request, None)
}

/// As [`sign_model`], for a model that will have another name.
///
/// # Errors
/// As [`sign_model`].
pub fn sign_model_as(request: &Sign, name: Option<&str>) -> Result<PathBuf> {
    let path = match &request.signature {
        Some(path) => path.clone(),
        None => default_signature(&request.model)?,
    };
    let key = PrivateKey::from_pem(&read(&request.key, KEY_BYTES_LIMIT)?)
        .map_err(|error| error.at_path(&request.key))?;
    let mut certificates = Vec::new();
    for file in &request.certificates {
        let found = Authority::from_pem(&read(file, KEY_BYTES_LIMIT)?)
            .map_err(|error| error.at_path(file))?;
        if found.is_empty() {
            return Err(Error::usage("the file does not hold a certificate").at_path(file));
        }
        certificates.extend(found);
    }
    // Before the file is created, which would be part of the model until it has its name.
    let identity = Identity { key, certificates };
    let bytes = match name {
        Some(name) => sign_as(name, &request.model, &path, &identity)?,
        None => sign(&request.model, &path, &identity)?,
    };
    let mut file = PendingFile::create(&path, request.overwrite)?;
    file.write_all(&bytes).map_err(|error| {
        Error::failed("cannot write the signature")
            .because(error)
            .at_path(&path)
    })?;
    file.publish(request.overwrite)?;
    Ok(path)
}

/// Verifies a model.
///
/// # Errors
/// As [`verify`]; a trust error if there is no signature; a usage error if no key is trusted.
pub fn verify_model(request: &Verify) -> Result<Verified> {
    let signature = match &request.signature {
        Some(path) => path.clone(),
        None => default_signature(&request.model)?,
    };
    let trust = trust(&request.trust)?;
    if trust.is_empty() {
        return Err(
            Error::usage("no key is trusted").hint("name the signer's key: `--key KEY.pub`")
        );
    }
    if find(&signature)?.is_none() {
        return Err(Error::trust("the model is not signed")
            .at_path(&signature)
            .hint(format!(
                "tallow sign {} --key KEY.pem",
                shell_word(&request.model.to_string_lossy())
            )));
    }
    verify(&request.model, &signature, &trust)
}

fn trust(request: &TrustRequest) -> Result<Trust> {
    let time = request.signature_time.as_deref();
    let time = time
        .map(|text| timestamp::seconds(text, "--signature-time"))
        .transpose()?;
    let mut trust = Trust {
        revoked: request.revoked.clone(),
        time: time.unwrap_or_else(seconds_now),
        ..Trust::default()
    };
    for file in &request.keys {
        trust
            .add_pem(&read(file, KEY_BYTES_LIMIT)?)
            .map_err(|error| error.at_path(file))?;
    }
    Ok(trust)
}

/// The files that a trusted signature vouches for, and what a report says of it; none if no
/// signature is required.
pub(super) fn verified(args: &Work) -> Result<(Option<Vouched>, Vec<(String, String)>)> {
    if args.trust.keys.is_empty() {
        return Ok((None, Vec::new()));
    }
    let request = Verify {
        model: args.model.clone(),
        signature: None,
        trust: args.trust.clone(),
    };
    let verified = verify_model(&request)?;
    let facts = vec![
        ("signer".to_owned(), verified.signer),
        ("signed_digest".to_owned(), verified.digest),
    ];
    Ok((Some(Vouched::new(&args.model, verified.files)?), facts))
}

/// Refuses a model whose digest, or that of its version in a registry, was revoked.
pub(super) fn refuse_revoked(args: &Work, opened: &OpenedModel) -> Result<()> {
    let version = args
        .resolved
        .as_ref()
        .map(|resolved| resolved.digest.as_str());
    for digest in [Some(opened.digest.as_str()), version]
        .into_iter()
        .flatten()
    {
        let plain = |text: &str| {
            text.strip_prefix("sha256:")
                .unwrap_or(text)
                .to_ascii_lowercase()
        };
        if args
            .trust
            .revoked
            .iter()
            .any(|revoked| plain(revoked) == plain(digest))
        {
            return Err(Error::trust(format!("the model `{digest}` was revoked"))
                .at_path(&args.model)
                .hint("use another version, or remove the digest from `[trust]` in config.toml"));
        }
    }
    Ok(())
}
