//! Who a run is: what it works on and every option that shows in its output.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::Plan;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::identity::{ENCRYPTION_KEY, HASH_KEY, InputRecord, RunIdentity, Versions};
use crate::pipeline::mask::HashKey;
use crate::process::rfc3339;
use crate::request::work::Work;
use crate::storage::{SharedFile, check_unchanged};
use crate::table::dataset_file::DatasetFile;
use crate::table::keyring::Keyring;

/// The digest of the reference that a run's scores are compared with.
pub const REFERENCE: &str = "--reference";

/// The options that show in a run's rows, by the names of their flags; threads, batches and memory
/// do not.
///
/// # Errors
/// An internal error if they have no form as JSON.
pub fn configuration(args: &Work) -> Result<BTreeMap<String, Json>> {
    let Work {
        model: _,
        registry: _,
        as_of: _,
        trust: _,
        resolved: _,
        inputs: _,
        binding,
        rows,
        quality,
        outcome,
        text,
        challengers: _,
        resources: _,
    } = args;
    let json = |value: serde_json::Result<Json>| {
        value.map_err(|error| Error::internal("options that are not JSON").because(error))
    };
    let groups = [
        json(serde_json::to_value(binding))?,
        json(serde_json::to_value(rows))?,
        json(serde_json::to_value(quality))?,
        json(serde_json::to_value(outcome))?,
        json(serde_json::to_value(text))?,
    ];
    let fields = groups.into_iter().flat_map(|group| {
        if let Json::Object(fields) = group {
            fields
        } else {
            Map::new()
        }
    });
    Ok(fields
        .map(|(name, value)| (format!("--{}", name.replace('_', "-")), value))
        .collect())
}

/// Whether rows are encrypted, and which columns have keys of their own, with a short mark of each
/// key: never a key.
///
/// # Errors
/// Never: keys of all lengths are keys.
pub(super) fn encryption() -> Result<Option<(String, Json)>> {
    let keyring = Keyring::of_process();
    let Some(writing) = keyring.writing.as_ref() else {
        return Ok(None);
    };
    let columns = writing.keys.columns.iter();
    let columns = columns.map(|(name, key)| Ok((name.clone(), mark(key.bytes())?.into())));
    let described = serde_json::json!({
        "columns": columns.collect::<Result<Map<String, Json>>>()?,
        "key": mark(writing.keys.footer.bytes())?,
        "key_id": writing.footer_id,
        "plaintext_footer": writing.has_plain_footer,
    });
    Ok(Some((ENCRYPTION_KEY.to_owned(), described)))
}

/// A mark of a key, which does not show it.
fn mark(key: &[u8]) -> Result<String> {
    let mut mark = HashKey::new(key)?.hash(MARKED);
    mark.truncate(MARK_DIGITS);
    Ok(mark)
}

/// Which key columns are hashed with: a short mark of it, which does not show the key. None if no
/// column is hashed.
///
/// # Errors
/// Never: keys of all lengths are keys.
pub(super) fn hashing(hashed: &[String]) -> Result<Option<(String, Json)>> {
    let keyring = Keyring::of_process();
    let Some(key) = keyring.hashing.as_ref().filter(|_| !hashed.is_empty()) else {
        return Ok(None);
    };
    Ok(Some((HASH_KEY.to_owned(), mark(key.bytes())?.into())))
}

/// The text whose hash marks a key.
const MARKED: &str = "tallow: which key";

/// As much of the hash as is stored.
const MARK_DIGITS: usize = 16;

/// The identity of a run that writes a data set; takes the digest of every input.
///
/// # Errors
/// Fails if an input cannot be read; [`crate::error::Kind::Signal`] if `interrupt` says so.
pub fn of(plan: &Plan, interrupt: &Interrupt) -> Result<RunIdentity> {
    let files = plan.job.dataset.files.iter();
    let inputs = files.map(|file| input(file, interrupt));
    with_inputs(plan, inputs.collect::<Result<_>>()?)
}

/// The same without digests, for which every input would have to be read.
///
/// # Errors
/// An internal error of a run without an output.
pub fn without_digests(plan: &Plan) -> Result<RunIdentity> {
    let inputs = plan.job.dataset.files.iter().map(input_without_digest);
    with_inputs(plan, inputs.collect())
}

/// The versions of a registry's models that a run begins with.
#[must_use]
pub fn versions(plan: &Plan) -> Versions {
    let challengers = plan.challengers.iter();
    let challengers = challengers.map(|one| (&one.name, &one.resolved));
    let arms = plan.split.iter().map(|arm| (&arm.name, &arm.resolved));
    Versions {
        model: plan.model_version.clone(),
        challengers: challengers
            .chain(arms)
            .filter_map(|(name, resolved)| Some((name.clone(), resolved.clone()?)))
            .collect(),
    }
}

fn with_inputs(plan: &Plan, inputs: Vec<InputRecord>) -> Result<RunIdentity> {
    let mut configuration = plan.configuration.clone();
    let target = plan
        .target
        .as_ref()
        .ok_or_else(|| Error::internal("a run without an output"))?;
    configuration.insert("--rows-per-part".into(), plan.job.rows_per_part.into());
    configuration.insert("--partition-by".into(), target.partition_by.clone().into());
    configuration.insert("--output-format".into(), target.format.name().into());
    Ok(RunIdentity {
        tool_version: env!("CARGO_PKG_VERSION").into(),
        model_digest: plan.model.digest.clone(),
        model_version: plan.model_version.clone(),
        challenger_versions: plan
            .challengers
            .iter()
            .filter_map(|one| Some((one.name.clone(), one.resolved.clone()?)))
            .collect(),
        configuration,
        inputs,
    })
}

/// An input as it is now, with its digest.
///
/// # Errors
/// As [`of`].
pub fn input(file: &DatasetFile, interrupt: &Interrupt) -> Result<InputRecord> {
    let identity = file.table.identity();
    let mut digest = blake3::Hasher::new();
    SharedFile::reopen(&file.path, &identity)?.read_through(|piece| {
        digest.update(piece);
        interrupt.check()
    })?;
    check_unchanged(&file.path, &identity)?;
    Ok(InputRecord {
        digest: format!("blake3:{}", digest.finalize().to_hex()),
        ..input_without_digest(file)
    })
}

/// An input as it is now, unread.
#[must_use]
pub fn input_without_digest(file: &DatasetFile) -> InputRecord {
    let identity = file.table.identity();
    InputRecord {
        path: file.name.clone(),
        bytes: identity.byte_count(),
        modified: rfc3339(u64::try_from(identity.modified_seconds()).unwrap_or(0)),
        digest: String::new(),
    }
}
