//! A model that is named in a registry, and the trust that every model needs.
//!
//! Owns that a run which goes on keeps the version that it began with. It must not know how names
//! are looked up.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::output::identity::Versions;
use crate::package::Resolved;
use crate::registry::model::{self, Local};
use crate::registry::name::Reference;
use crate::request::challenger::{Challengers, Located, name_of, split_name};
use crate::request::signature::TrustRequest;
use crate::request::work::Work;
use crate::storage::{Location, find};

/// Puts the model's path in place of its name in a registry, and adds what the user's configuration
/// requires of every model. `begun` has the versions of the run that goes on, if one does. Returns
/// warnings.
///
/// # Errors
/// Fails if the name leads nowhere; [`crate::error::Kind::Trust`] if the registry was tampered
/// with.
pub fn locate(
    work: &mut Work,
    begun: Option<Versions>,
    local: &Local,
    trust: &TrustRequest,
) -> Result<Vec<Error>> {
    let begun = begun.unwrap_or_default();
    let mut warnings = Vec::from_iter(model::locate(work, local, begun.model)?);
    warnings.extend(locate_challengers(work, begun.challengers, local));
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
fn locate_challengers(
    work: &mut Work,
    mut begun: BTreeMap<String, Resolved>,
    local: &Local,
) -> Vec<Error> {
    let mut warnings = Vec::new();
    let located = work.challengers.challenger.iter().enumerate();
    let located = located.map(|(index, text)| {
        let (name, (_, model)) = (name_of(text), split_name(text));
        let begun = begun.remove(&name);
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
