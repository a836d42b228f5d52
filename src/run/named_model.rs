//! A model that is named in a registry, and the trust that every model needs.
//!
//! Owns that a run which goes on keeps the version that it began with. It must not know how names
//! are looked up.

use crate::error::Result;
use crate::output::checkpoint;
use crate::plan::target::Target;
use crate::registry::model::{self, Local};
use crate::request::signature::TrustRequest;
use crate::request::work::Work;

/// Puts the model's path in place of its name in a registry, and adds what the user's configuration
/// requires of every model. `target` is where results go, if they do.
///
/// # Errors
/// Fails if the name leads nowhere; [`crate::error::Kind::Trust`] if the registry was tampered
/// with.
pub fn locate(
    work: &mut Work,
    target: Option<&Target>,
    local: &Local,
    trust: &TrustRequest,
) -> Result<()> {
    let goes_on = target.filter(|target| target.is_dataset() && !target.restart);
    let begun = match goes_on {
        Some(target) => checkpoint::begun(&target.path)?,
        None => None,
    };
    model::locate(work, local, begun)?;
    if work.trust.keys.is_empty() {
        work.trust.keys.clone_from(&trust.keys);
    }
    for digest in &trust.revoked {
        if !work.trust.revoked.contains(digest) {
            work.trust.revoked.push(digest.clone());
        }
    }
    Ok(())
}
