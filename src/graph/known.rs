//! Which operators are known, those that are written out in others among them.

use super::entry::MICROSOFT;
use super::pass::expansion;
use super::registry::{all, find};

/// Whether the operator of this name is known, in this domain and version.
pub(crate) fn is_known(domain: &str, name: &str, version: i64) -> bool {
    find(domain, name, version).is_some() || expansion::is_written_out(domain, name)
}

/// (domain, name) of every operator that is known, sorted; the domain of `ai.onnx` is spelt out.
#[must_use]
pub fn operators() -> Vec<(&'static str, &'static str)> {
    let own = all().map(|entry| {
        (
            if entry.domain.is_empty() {
                "ai.onnx"
            } else {
                entry.domain
            },
            entry.name,
        )
    });
    let mut names: Vec<_> = own
        .chain(expansion::names().map(|name| (MICROSOFT, name)))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
