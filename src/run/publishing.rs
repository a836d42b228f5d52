//! What a run notes in its output's lock before its results get their names, for the next run of
//! it: if this one is killed, some have them, and they are of the versions that it began with.
//!
//! Owns the form of the note. It must not know how locks keep it.

use crate::output::identity::Versions;

/// How a note begins.
const PUBLISHING: &str = "publishing ";

/// The note of a run.
pub(super) fn note(run_id: &str, versions: &Versions) -> String {
    // Without them, the next run looks names up again.
    let versions = serde_json::to_string(versions).unwrap_or_default();
    format!("{PUBLISHING}{run_id} {versions}")
}

/// The run that left a note, and the versions that it began with.
pub(super) fn read(note: &str) -> Option<(&str, Versions)> {
    let note = note.strip_prefix(PUBLISHING)?;
    let (run_id, versions) = note.split_once(' ').unwrap_or((note, ""));
    Some((run_id, serde_json::from_str(versions).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::package::Resolved;

    #[test]
    fn a_note_returns_the_run_and_its_versions() {
        let version = |number: u64| Resolved {
            reference: "churn@champion".to_owned(),
            model: "churn".to_owned(),
            version: number,
            digest: format!("sha256:{number}"),
            log_head: "3:ab".to_owned(),
        };
        let versions = Versions {
            model: Some(version(1)),
            challengers: BTreeMap::from([("next".to_owned(), version(2))]),
        };
        for versions in [versions, Versions::default()] {
            let note = note("abc", &versions);
            assert_eq!(note.lines().count(), 1);
            assert_eq!(read(&note), Some(("abc", versions)));
        }
        assert_eq!(read("publishing abc"), Some(("abc", Versions::default())));
        assert_eq!(read("scoring abc"), None);
    }
}
