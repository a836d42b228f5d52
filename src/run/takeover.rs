//! An output that is taken for a run, and what an earlier run left undone there.
//!
//! Owns which versions of models the run that goes on keeps. It must not know how they are found.

use super::publishing;
use crate::error::Result;
use crate::output::identity::Versions;
use crate::output::{checkpoint, publication};
use crate::plan::target::Target;
use crate::storage::Lock;

/// Takes the output for this run alone, and ends the publication that an earlier run had begun;
/// returns the versions that the run which goes on began with too.
pub(super) fn taken(
    target: &Target,
    started_at: &str,
    noted: &dyn Fn(&str),
) -> Result<(Lock, Versions)> {
    let lock = target.lock(&format!(
        "process {} since {started_at}",
        std::process::id()
    ))?;
    if let Some(previous) = lock.previous_owner() {
        let when = if lock.previous_note().is_some() {
            " while it published"
        } else {
            ""
        };
        // Of a single file nothing is kept before it is whole.
        let what = if target.is_dataset() || !when.is_empty() {
            "resuming after"
        } else {
            "starting again after"
        };
        noted(&format!("{what} a run that died{when} ({previous})"));
    }
    let mut recovered = None;
    if target.is_dataset() && target.restart {
        publication::abandon(&target.path)?;
    } else if target.is_dataset()
        && let Some(manifest) = publication::recover(&target.path)?
    {
        noted("finished the publication that an earlier run had begun");
        let versions = manifest.identity.versions();
        lock.note(&publishing::note(&manifest.run_id, &versions))?;
        recovered = Some(versions);
    }
    if recovered.is_some() || lock.previous_note().is_some() {
        // The note counts until a run has published, or has found all of it published.
        lock.leave_behind();
    }
    let begun = match recovered {
        Some(versions) => versions,
        None => begun(target, &lock)?,
    };
    Ok((lock, begun))
}

/// The versions that the run which goes on began with: of a data set that is unfinished, or of an
/// output that may have been published before its run could end.
fn begun(target: &Target, lock: &Lock) -> Result<Versions> {
    if target.is_dataset() && target.restart {
        return Ok(Versions::default());
    }
    if target.is_dataset()
        && let Some(versions) = checkpoint::begun(&target.path)?
    {
        return Ok(versions);
    }
    let note = lock.previous_note().and_then(publishing::read);
    Ok(note.map(|(_, versions)| versions).unwrap_or_default())
}
