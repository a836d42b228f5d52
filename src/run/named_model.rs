//! A model that is named in a registry, and the trust that every model needs.
//!
//! Owns that a run which goes on keeps the version that it began with. It must not know how names
//! are looked up.

use crate::error::{Error, Result};
use crate::output::{checkpoint, names};
use crate::plan::target::Target;
use crate::registry::model::{self, Local};
use crate::registry::name::Reference;
use crate::request::challenger::{Challengers, Located, name_of, split_name};
use crate::request::signature::TrustRequest;
use crate::request::work::Work;
use crate::storage::{Location, find};

/// Puts the model's path in place of its name in a registry, and adds what the user's configuration
/// requires of every model. `target` is where results go, if they do. Returns warnings.
///
/// # Errors
/// Fails if the name leads nowhere; [`crate::error::Kind::Trust`] if the registry was tampered
/// with.
pub fn locate(
    work: &mut Work,
    target: Option<&Target>,
    local: &Local,
    trust: &TrustRequest,
) -> Result<Vec<Error>> {
    let goes_on = target.filter(|target| target.is_dataset() && !target.restart);
    let begun = match goes_on {
        Some(target) => checkpoint::begun(&target.path)?,
        None => None,
    };
    let mut warnings = Vec::from_iter(model::locate(work, local, begun)?);
    warnings.extend(locate_challengers(work, goes_on, local));
    if work.trust.keys.is_empty() {
        work.trust.keys.clone_from(&trust.keys);
    }
    for digest in &trust.revoked {
        if !work.trust.revoked.contains(digest) {
            work.trust.revoked.push(digest.clone());
        }
    }
    Ok(warnings)
}

/// Puts the path of a model in place of its name in a registry. Returns a warning.
///
/// # Errors
/// As [`locate`].
pub fn find_named(
    model: &mut Location,
    registry: Option<&Location>,
    local: &Local,
) -> Result<Option<Error>> {
    let mut work = Work {
        model: model.clone(),
        registry: registry.cloned(),
        ..Work::default()
    };
    let warning = model::locate(&mut work, local, None)?;
    *model = work.model;
    Ok(warning)
}

/// As [`find_named`], unless something lies at the path, or it is no model's name.
///
/// # Errors
/// As [`locate`].
pub fn find_unless_file(
    path: &mut Location,
    registry: Option<&Location>,
    local: &Local,
) -> Result<Option<Error>> {
    if is_reference(path) && find(&*path)?.is_none() {
        return find_named(path, registry, local);
    }
    Ok(None)
}

/// Looks up the models of all challengers. One that is not found is none of the run's concern: the
/// plan says what becomes of it. Returns warnings.
fn locate_challengers(work: &mut Work, goes_on: Option<&Target>, local: &Local) -> Vec<Error> {
    let mut warnings = Vec::new();
    let is_split = !work.challengers.split.is_empty();
    let located = work.challengers.challenger.iter().enumerate();
    let located = located.map(|(index, text)| {
        let (name, (_, model)) = (name_of(text), split_name(text));
        let begun = goes_on.and_then(|target| {
            if is_split {
                return checkpoint::begun_split(&target.path).ok()?.remove(&name);
            }
            checkpoint::begun(&names::challenger(&target.path, true, &name)).ok()?
        });
        let known = work.challengers.resolved_challengers.get(index);
        let mut own = work.clone();
        own.model = model.clone();
        own.resolved = known.cloned().flatten();
        own.challengers = Challengers::default();
        if !is_reference(&model) {
            own.as_of = None;
        }
        let found = model::locate(&mut own, local, begun);
        let found = found.map(|warning| warnings.extend(warning));
        Located {
            name,
            model,
            path: found
                .map(|()| own.model)
                .map_err(|error| error.in_one_line()),
            resolved: own.resolved,
        }
    });
    let located: Vec<Located> = located.collect();
    if located.iter().any(|one| one.resolved.is_some()) {
        let resolved = located.iter().map(|one| one.resolved.clone());
        work.challengers.resolved_challengers = resolved.collect();
    }
    work.challengers.located = located;
    warnings
}

fn is_reference(model: &Location) -> bool {
    model.to_str().and_then(Reference::parse).is_some()
}
