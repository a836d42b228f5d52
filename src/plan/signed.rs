//! Signing a model, and whether one may be used: its signature, and what was revoked.
//!
//! Owns the paths of keys and signatures, and that a model whose signature is required is verified
//! before it is opened. Whom to trust the request says.

use std::io::Write;

use crate::error::{Error, Kind, Result, shell_word};
use crate::format::ImportOptions;
use crate::interrupt::Interrupt;
use crate::output::manifest::Manifest;
use crate::output::names;
use crate::package::open::{OpenedModel, golden_rows, open};
use crate::package::signature::SIGNATURE_NAME;
use crate::package::signature::certificate::Authority;
use crate::package::signature::key::{KEY_BYTES_LIMIT, PrivateKey};
use crate::package::signature::sign::{SigningIdentity, sign, sign_as};
use crate::package::signature::trust::Trust;
use crate::package::signature::verify::{Verified, verify};
use crate::process::seconds_now;
use crate::request::signature::{Sign, TrustRequest, Verify};
use crate::request::work::Work;
use crate::storage::{Location, PendingFile, Pins, Vouched, find, metadata, read};
use crate::table::FORMATS;
use crate::timestamp;

/// The most bytes of a data set's manifest.
const MANIFEST_BYTES_LIMIT: u64 = 1 << 30;

/// The most bytes of a file of a package besides its model.
const PACKAGE_FILE_LIMIT: u64 = 1 << 30;

/// Where the signature of a model lies by default.
///
/// # Errors
/// Fails if there is no such model.
pub fn default_signature(model: &Location) -> Result<Location> {
    if is_data_set(model)? {
        return Ok(model.join(names::SIGNATURE));
    }
    if metadata(model)?.is_directory {
        return Ok(model.join(SIGNATURE_NAME));
    }
    Ok(default_signature_of_file(model))
}

/// Where the signature of a file lies by default.
#[must_use]
pub fn default_signature_of_file(file: &Location) -> Location {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// Signs a model, and returns where the signature lies.
///
/// # Errors
/// As [`sign`]; fails if the signature exists and may not be replaced, or cannot be written.
pub fn sign_model(request: &Sign) -> Result<Location> {
    sign_model_as(request, None)
}

/// As [`sign_model`], for a model that will have another name.
///
/// # Errors
/// As [`sign_model`].
pub fn sign_model_as(request: &Sign, name: Option<&str>) -> Result<Location> {
    let path = match &request.signature {
        Some(path) => path.clone(),
        None => default_signature(&request.model)?,
    };
    let identity = identity(&request.key, &request.certificates)?;
    // Before the file is created, which would be part of the model until it has its name.
    let signed = signed_path(&request.model)?;
    let bytes = match name {
        Some(name) => sign_as(name, &signed, &path, &identity)?,
        None => sign(&signed, &path, &identity)?,
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

/// Who signs, from files with a private key and its certificates.
///
/// # Errors
/// A usage error for a file that does not hold what it should; fails if one cannot be read.
pub fn identity(key: &Location, certificates: &[Location]) -> Result<SigningIdentity> {
    let own =
        PrivateKey::from_pem(&read(key, KEY_BYTES_LIMIT)?).map_err(|error| error.at_path(key))?;
    let mut chain = Vec::new();
    for file in certificates {
        let found = Authority::from_pem(&read(file, KEY_BYTES_LIMIT)?)
            .map_err(|error| error.at_path(file))?;
        if found.is_empty() {
            return Err(Error::usage("the file does not hold a certificate").at_path(file));
        }
        chain.extend(found);
    }
    Ok(SigningIdentity {
        key: own,
        certificates: chain,
    })
}

/// Verifies a model, or a data set of scores.
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
        return Err(unsigned(request)?.at_path(&signature));
    }
    let verified = verify(&signed_path(&request.model)?, &signature, &trust)?;
    if is_data_set(&request.model)? {
        return verify_data_set(&request.model, verified);
    }
    Ok(verified)
}

/// Verifies as [`verify_model`], and that everything is signed which tallow reads of a model. A
/// signer chooses which files are ignored, and others are by default (`.git…`).
///
/// # Errors
/// As [`verify_model`]; a trust error for a file that is read and not signed.
pub fn verify_all(request: &Verify) -> Result<Verified> {
    let verified = verify_model(request)?;
    if is_data_set(&request.model)? {
        return Ok(verified);
    }
    let vouched = Vouched::new(&request.model, verified.files.clone())?;
    let options = ImportOptions {
        for_inspection: true,
        ..ImportOptions::default()
    };
    let read = vouched.guard(|| {
        let opened = open(&request.model, &options)?;
        Ok((opened.monitoring, golden_rows(&request.model)?))
    });
    let (monitoring, golden) = match read {
        Ok(read) => read,
        Err(error) if error.kind() == Kind::Trust => return Err(error),
        // What is signed is no model of ours: there is nothing that a run would read.
        Err(_) => return Ok(verified),
    };
    let golden = golden
        .iter()
        .flat_map(|golden| [&golden.rows, &golden.expected]);
    let watched = [&monitoring.baseline, &monitoring.reference];
    let watched = watched.into_iter().flatten();
    vouched.pin(watched.chain(golden), PACKAGE_FILE_LIMIT)?;
    Ok(verified)
}

/// The error of a model or of scores without a signature.
fn unsigned(request: &Verify) -> Result<Error> {
    let path = &request.model;
    if request.is_registered {
        // Its files are those of a cache, to which nothing may be added.
        return Ok(Error::trust("the model is not signed").hint(
            "sign the package and push it again: `tallow sign PACKAGE --key KEY.pem`, then \
             `tallow registry push PACKAGE`",
        ));
    }
    let what = if is_data_set(path)? {
        "data set"
    } else if is_table(path)? {
        "table"
    } else {
        let sign = format!("tallow sign {}", shell_word(&path.to_string_lossy()));
        let error = Error::trust("the model is not signed");
        return Ok(error.hint(format!("{sign} --key KEY.pem")));
    };
    let error = Error::trust(format!("the {what} is not signed"));
    Ok(error.hint("score again with `--sign-key KEY.pem`, which signs what is written"))
}

/// Whether a file has the name of a table.
fn is_table(path: &Location) -> Result<bool> {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let mut endings = FORMATS.iter().flat_map(|format| format.reader.endings());
    Ok(metadata(path)?.is_file && endings.any(|known| ending == *known))
}

/// Whether a directory is a data set that tallow wrote.
fn is_data_set(path: &Location) -> Result<bool> {
    Ok(metadata(path)?.is_directory && find(path.join(names::MANIFEST))?.is_some())
}

/// What a signature is over: the manifest of a data set, else the model itself.
fn signed_path(path: &Location) -> Result<Location> {
    let is_data_set = is_data_set(path)?;
    Ok(if is_data_set {
        path.join(names::MANIFEST)
    } else {
        path.to_owned()
    })
}

/// Compares a data set with its manifest, whose signature was verified.
fn verify_data_set(directory: &Location, verified: Verified) -> Result<Verified> {
    let path = directory.join(names::MANIFEST);
    // The bytes that are parsed are those that were verified.
    let manifest = Vouched::new(&path, verified.files.clone())?
        .guard(|| Manifest::of_bytes(&read(&path, MANIFEST_BYTES_LIMIT)?, &path))?;
    if let Some(changed) = manifest.first_changed(directory, &Interrupt::default())? {
        return Err(
            Error::trust("the file is missing or not the one that was signed")
                .at_path(directory.join(changed))
                .hint("score again, or restore the data set"),
        );
    }
    if let Some(extra) = manifest.first_extra(directory)? {
        return Err(Error::trust("a file is not signed")
            .at_path(directory.join(extra))
            .hint("remove the file: readers of the data set would take it for one of its parts"));
    }
    let files = manifest.digests().chain(verified.files).collect();
    Ok(Verified { files, ..verified })
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

/// The files that a trusted signature vouches for, and the facts of a report about it.
type Vouching = (Option<Vouched>, Vec<(String, String)>);

/// Verifies the model's signature; without files if no signature is required.
pub(super) fn verified(args: &Work) -> Result<Vouching> {
    if args.trust.keys.is_empty() {
        if args.trust.signature_time.is_some() {
            return Err(Error::usage(
                "`--signature-time` does nothing without `--require-signature`",
            )
            .hint("add `--require-signature KEY`, or remove `--signature-time`"));
        }
        return Ok((None, Vec::new()));
    }
    let request = Verify {
        model: args.model.clone(),
        signature: None,
        is_registered: args.resolved.is_some(),
        trust: args.trust.clone(),
    };
    let verified = verify_model(&request)?;
    let facts = vec![
        ("signer".to_owned(), verified.signer),
        ("signed_digest".to_owned(), verified.digest),
    ];
    Ok((Some(Vouched::new(&args.model, verified.files)?), facts))
}

/// Does `work`, which opens a model, reading only what its signature vouches for.
///
/// # Errors
/// As `work`; a trust error for a file that is not signed, or changed since it was verified.
pub(super) fn guarded<T>(vouched: Option<&Vouched>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match vouched {
        Some(vouched) => vouched.guard(work),
        None => work(),
    }
}

/// Pins the files of a package that a run reads as tables, later than its model. A signer chooses
/// which files are ignored, and others are by default (`.git…`): those are refused.
///
/// # Errors
/// A trust error for a file that is not signed, or changed since its signature was verified.
pub(super) fn pinned<'a>(
    vouched: Option<&Vouched>,
    files: impl IntoIterator<Item = &'a Location>,
) -> Result<Pins> {
    vouched.map_or_else(
        || Ok(Pins::default()),
        |vouched| vouched.pin(files, PACKAGE_FILE_LIMIT),
    )
}

/// Refuses a model whose digest was revoked: its own, in or out of a package, that of a package, of
/// one of its files, or of its version in a registry.
pub(super) fn refuse_revoked(args: &Work, opened: &OpenedModel) -> Result<()> {
    let version = args.resolved.iter().map(|resolved| &resolved.digest);
    let files = opened.artefacts.iter().map(|artefact| &artefact.sha256);
    let own = [&opened.digest, &opened.file_digest].into_iter();
    let revoked = Trust {
        revoked: args.trust.revoked.clone(),
        ..Trust::default()
    };
    let mut digests = own.chain(files).chain(version);
    match digests.find(|digest| revoked.is_revoked(digest)) {
        None => Ok(()),
        Some(digest) => Err(Error::trust(format!("the model `{digest}` was revoked"))
            .at_path(&args.model)
            .hint("use another version, or remove the digest from `[trust]` in config.toml")),
    }
}
