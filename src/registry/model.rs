//! From the name of a registry's model to its files on this machine.
//!
//! Owns when a model is a name and when a path, and that a run which goes on keeps its version. It
//! must not know what is done with the model.

use super::cache::{checked_log, fetch, remember, remembered};
use super::name::Reference;
use super::{Registry, Resolved};
use crate::error::{Error, Result};
use crate::request::work::Work;
use crate::storage::{Location, find};
use crate::timestamp;

/// Where this machine keeps what it read of registries.
#[derive(Clone, Debug, Default)]
pub struct Local {
    /// Versions' files; empty where the user has no directory of their own.
    pub cache: Location,
    /// The last heads of logs; empty likewise.
    pub state: Location,
    /// The registry that is used now, if the user names one: where that of a recorded run may be.
    pub registry: Option<Location>,
}

/// The reference that the model of a run is; none if it is a path. With a registry a name such as
/// `churn@champion` is one of its models, and `./churn@champion` a path; without one, a name that
/// is not a path is an error.
///
/// # Errors
/// A usage error for a name without a registry, and for `--as-of` with a path.
pub fn reference(work: &Work) -> Result<Option<Reference>> {
    let reference = work.model.to_str().and_then(Reference::parse);
    if work.registry.is_none()
        && let Some(reference) = &reference
    {
        if find(&work.model)?.is_some() {
            return path_only(work);
        }
        return Err(Error::usage(format!(
            "`{reference}` names a model of a registry, and no registry was given"
        ))
        .hint("name it with `--registry DIR` or `TALLOW_REGISTRY`; `./NAME` is a path"));
    }
    if reference.is_none() && find(&work.model)?.is_none() {
        refuse_misspelt(&work.model)?;
    }
    match reference {
        Some(reference) => Ok(Some(reference)),
        None => path_only(work),
    }
}

/// Refuses what is neither a path nor a reference, but was meant as one.
fn refuse_misspelt(model: &Location) -> Result<()> {
    let text = model.to_string_lossy();
    if text.contains('/') || !text.contains(['@', ':']) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`{text}` is neither a path nor a version of a model"
    ))
    .hint("write `NAME:VERSION` or `NAME@ALIAS`, such as `churn:7` or `churn@champion`"))
}

fn path_only(work: &Work) -> Result<Option<Reference>> {
    match &work.as_of {
        Some(time) => Err(Error::usage(format!(
            "`--as-of {time}` is for models of a registry, and `{}` is a path",
            work.model.display()
        ))
        .hint("name the model as `NAME@ALIAS`")),
        None => Ok(None),
    }
}

/// Puts the path of the files in place of a model's name, and notes which version it is. `begun` is
/// the version of the run that goes on, if one does: it is kept if it was named alike, and the
/// warning returned if the name leads to another one by now. A model that is a path stays as it is.
///
/// # Errors
/// As the registry's; [`crate::error::Kind::Trust`] if the log has lost entries that this machine
/// has seen.
pub fn locate(work: &mut Work, local: &Local, begun: Option<Resolved>) -> Result<Option<Error>> {
    if let Some(resolved) = work.resolved.clone() {
        work.model = files(&resolved, work.registry.as_ref(), local)?;
        return Ok(None);
    }
    let Some(reference) = reference(work)? else {
        return Ok(None);
    };
    let as_of = work
        .as_of
        .as_deref()
        .map(|text| timestamp::seconds(text, "--as-of"))
        .transpose()?;
    let name = reference.to_string();
    let begun = begun.filter(|begun| begun.reference == name && as_of.is_none());
    let mut warning = None;
    let resolved = if let Some(begun) = begun {
        warning = moved(&reference, &begun, work.registry.as_ref());
        begun
    } else {
        let directory = work.registry.clone().unwrap_or_default();
        match Registry::open(&directory) {
            Ok(registry) => {
                let log = checked_log(&local.state, &registry, &reference.model)?;
                let resolved = registry.resolve_in(log, &reference, as_of)?;
                // Only a run without the registry would need it.
                let _ = remember(&local.state, &directory, &resolved);
                resolved
            }
            Err(error) => {
                let known = remembered(&local.state, &directory, &reference);
                let Some(resolved) = known.filter(|_| as_of.is_none()) else {
                    return Err(error);
                };
                let message = format!("`{reference}` is taken from the cache of this machine");
                warning = Some(Error::failed(message).because(error));
                resolved
            }
        }
    };
    work.model = files(&resolved, work.registry.as_ref(), local)?;
    work.resolved = Some(resolved);
    Ok(warning)
}

/// A warning, if a name leads to another version than the one that a run began with. A registry
/// that cannot be read is not needed.
fn moved(reference: &Reference, begun: &Resolved, registry: Option<&Location>) -> Option<Error> {
    let registry = Registry::open(registry?).ok()?;
    let now = registry.resolve(reference, None).ok()?;
    let model = &reference.model;
    let message = format!(
        "the run goes on with `{model}:{}`, with which it began; `{reference}` is `{model}:{}` now",
        begun.version, now.version
    );
    let warning = Error::failed(message).hint(
        "`--overwrite`, once it is finished, or `--restart` of a data set that is not, scores all \
         rows with that one",
    );
    (now.digest != begun.digest).then_some(warning)
}

/// The path of a version's files. The registry need not be there if they are in the cache.
fn files(resolved: &Resolved, registry: Option<&Location>, local: &Local) -> Result<Location> {
    let opened = registry.map(Registry::open);
    match opened {
        Some(Ok(registry)) => Ok(fetch(&local.cache, &resolved.digest, Some(&registry))?.path()),
        Some(Err(error)) => {
            if let Ok(fetched) = fetch(&local.cache, &resolved.digest, None) {
                return Ok(fetched.path());
            }
            // It may have been moved since it was recorded.
            let moved = local.registry.as_ref().map(Registry::open);
            let Some(Ok(moved)) = moved else {
                let hint = "set `TALLOW_REGISTRY` to where the registry is now";
                return Err(error.further_hint(hint));
            };
            Ok(fetch(&local.cache, &resolved.digest, Some(&moved))?.path())
        }
        None => Ok(fetch(&local.cache, &resolved.digest, None)?.path()),
    }
}
