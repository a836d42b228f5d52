//! Which operators are known, those that are written out in others among them.

use super::registry::{all, find};

/// Whether the operator of this name is known, in this domain and version.
pub(crate) fn is_known(domain: &str, name: &str, version: i64) -> bool {
    find(domain, name, version).is_some()
}

/// (domain, name) of every operator that is known, sorted; the domain of `ai.onnx` is spelled out.
#[must_use]
pub fn operators() -> Vec<(&'static str, &'static str)> {
    let domain = |domain: &'static str| if domain.is_empty() { "ai.onnx" } else { domain };
    let mut names: Vec<_> = all()
        .map(|entry| (domain(entry.domain), entry.name))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
