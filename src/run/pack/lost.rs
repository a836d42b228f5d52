//! Conditions of an earlier package that the new one does not have.
//!
//! Owns which packages are earlier ones: the one that is packed again, and the one that is
//! replaced. A promotion that nothing judges any more must not come as a surprise.

use super::{MANIFEST_BYTES_LIMIT, MANIFEST_NAME};
use crate::error::{Error, Result, shell_word};
use crate::package::Manifest;
use crate::request::pack::Pack;
use crate::storage::{Location, find, read};

/// The flags that give conditions.
const FLAGS: [&str; 2] = ["--gate", "--rule"];

/// Gates and rules, as texts.
type Conditions = [Vec<String>; 2];

/// The conditions of the package that is packed, and of the one that it replaces.
pub(super) fn earlier(request: &Pack) -> Result<Conditions> {
    let mut all = Conditions::default();
    for directory in [&request.model, &request.output] {
        let is_directory = find(directory)?.is_some_and(|found| found.is_directory);
        if is_directory && find(directory.join(MANIFEST_NAME))?.is_some() {
            // What cannot be read says so where it is needed.
            let found = conditions(directory).unwrap_or_default();
            for (all, found) in all.iter_mut().zip(found) {
                all.extend(found);
            }
        }
    }
    Ok(all)
}

/// A warning for each kind of which the package at `directory` does not have all.
pub(super) fn lost(earlier: Conditions, directory: &Location) -> Result<Vec<Error>> {
    let kept = conditions(directory)?;
    let mut warnings = Vec::new();
    for ((mut earlier, kept), flag) in earlier.into_iter().zip(kept).zip(FLAGS) {
        earlier.retain(|one| !kept.contains(one));
        earlier.sort_unstable();
        earlier.dedup();
        if earlier.is_empty() {
            continue;
        }
        let kind = flag.trim_start_matches('-');
        let listed: Vec<String> = earlier.iter().map(|one| format!("`{one}`")).collect();
        let flags: Vec<String> = earlier
            .iter()
            .map(|one| format!("{flag} {}", shell_word(one)))
            .collect();
        let message = format!(
            "the earlier package has {kind}s that this one does not have: {}",
            listed.join(", ")
        );
        let hint = format!("to keep them: `{}`", flags.join(" "));
        warnings.push(Error::contract(message).hint(hint));
    }
    Ok(warnings)
}

fn conditions(directory: &Location) -> Result<Conditions> {
    let path = directory.join(MANIFEST_NAME);
    let manifest = Manifest::parse(&read(&path, MANIFEST_BYTES_LIMIT)?)?;
    let gates = manifest.gates.into_iter().map(|gate| gate.expression);
    let rules = manifest.rules.into_iter().map(|rule| rule.expression);
    Ok([gates.collect(), rules.collect()])
}
