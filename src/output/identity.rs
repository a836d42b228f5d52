//! Who a run is: model, options and inputs, and what changed of them since an earlier run.
//!
//! Owns when two runs give the same bytes. It must not know where a run is recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::count::listed;
use crate::package::Resolved;
use crate::storage::Location;

/// An input as it was when the run began.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct InputRecord {
    /// Its path.
    pub path: Location,
    /// Its size.
    pub bytes: u64,
    /// When it was last written to, RFC 3339, UTC.
    pub modified: String,
    /// The digest of its content.
    pub digest: String,
}

/// What a run works on and how: two runs of one identity give the same bytes.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct RunIdentity {
    /// The version of this program.
    pub tool_version: String,
    /// The digest of the model.
    pub model_digest: String,
    /// The version in a registry, if the model was named by one; how it was found does not show in
    /// the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<Resolved>,
    /// The same of challengers, by their names in the run; they do not show in the output either.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub challenger_versions: BTreeMap<String, Resolved>,
    /// Every option that shows in the output.
    pub configuration: BTreeMap<String, Json>,
    /// The files, in order.
    pub inputs: Vec<InputRecord>,
}

/// The versions of a registry's models that a run began with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Versions {
    /// That of its own model, if it was named by a registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Resolved>,
    /// Those of its challengers and of the models that answer a share of the rows, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub challengers: BTreeMap<String, Resolved>,
}

impl RunIdentity {
    /// The versions of a registry's models that the run began with.
    #[must_use]
    pub fn versions(&self) -> Versions {
        let split = self.configuration.get("--split");
        let arms = split.and_then(|split| split.get("arms")?.as_array());
        let version = |arm: &Json| {
            let name = arm.get("name")?.as_str()?.to_owned();
            let resolved = serde_json::from_value(arm.get("resolved")?.clone()).ok()?;
            Some((name, resolved))
        };
        let mut challengers = self.challenger_versions.clone();
        challengers.extend(arms.into_iter().flatten().filter_map(version));
        Versions {
            model: self.model_version.clone(),
            challengers,
        }
    }

    /// What changed from `earlier` to this one, in words; empty if nothing did.
    #[must_use]
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.tool_version != earlier.tool_version {
            changes.push(format!(
                "tallow itself, from {} to {}",
                earlier.tool_version, self.tool_version
            ));
        }
        if self.model_digest != earlier.model_digest {
            changes.push("the model".to_owned());
        }
        let names: BTreeSet<&String> = self
            .configuration
            .keys()
            .chain(earlier.configuration.keys())
            .collect();
        let value = |identity: &Self, name: &String| match identity.configuration.get(name) {
            None => "nothing".to_owned(),
            // Marks of keys are nothing to read.
            Some(_) if name == ENCRYPTION_KEY || name == HASH_KEY => "a key".to_owned(),
            Some(value) => value.to_string(),
        };
        for name in names.into_iter().filter(|name| {
            differs(
                name,
                self.configuration.get(*name),
                earlier.configuration.get(*name),
            )
        }) {
            let both = [&self.configuration, &earlier.configuration];
            if name == HASH_KEY && both.iter().all(|one| one.contains_key(name)) {
                changes.push("the key of `--hash-key`".to_owned());
                continue;
            }
            if name == ENCRYPTION_KEY
                && let [Some(now), Some(then)] = both.map(|one| one.get(name))
                && let Some(keys) = changed_keys(now, then)
            {
                changes.extend(keys);
                continue;
            }
            if name == ENCRYPTION_KEY && both.iter().all(|one| one.contains_key(name)) {
                changes.push("what `--encryption-key` encrypts".to_owned());
                continue;
            }
            changes.push(format!(
                "`{name}`, from {} to {}",
                value(earlier, name),
                value(self, name)
            ));
        }
        changes.extend(input_changes(&self.inputs, &earlier.inputs));
        changes
    }
}

/// Under this name the configuration holds a mark of the key that columns are hashed with.
pub const HASH_KEY: &str = "--hash-key";

/// Under this name the configuration holds marks of the keys that rows are encrypted with.
pub const ENCRYPTION_KEY: &str = "--encryption-key";

/// Which keys of the same columns are others, where nothing else of the encryption is.
fn changed_keys(now: &Json, then: &Json) -> Option<Vec<String>> {
    let names = |value: &Json| {
        let columns = value.get("columns")?.as_object()?;
        Some(columns.keys().cloned().collect::<BTreeSet<String>>())
    };
    let rest = ["key_id", "plaintext_footer"];
    let columns = names(now)?;
    if names(then)? != columns || rest.iter().any(|name| now.get(name) != then.get(name)) {
        return None;
    }
    let of = |value: &Json, column: &str| value["columns"].get(column).cloned();
    let footer =
        (now.get("key") != then.get("key")).then(|| "the key of `--encryption-key`".to_owned());
    let others = columns
        .iter()
        .filter(|column| of(now, column) != of(then, column));
    let others = others.map(|column| format!("the key of `--encryption-key {column}=…`"));
    Some(footer.into_iter().chain(others).collect())
}

/// What the first version wrote for `--missing` where it was not given; the words count as missing
/// in delimited text as they did.
const FIRST_MISSING: [&str; 8] = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"];

/// Whether a flag is another one: a version that did not have it did what this one does without it.
fn differs(name: &str, now: Option<&Json>, then: Option<&Json>) -> bool {
    let is_nothing = |value: &Json| {
        let is_empty = value.as_array().is_some_and(Vec::is_empty) || value.as_str() == Some("");
        value.is_null() || *value == Json::Bool(false) || value.as_u64() == Some(0) || is_empty
    };
    let words = |value: &Json| {
        value.as_array().is_some_and(Vec::is_empty) || *value == Json::from(FIRST_MISSING.to_vec())
    };
    match (now, then) {
        (Some(now), Some(then)) => {
            now != then && !(name == "--missing" && words(now) && words(then))
        }
        (Some(only), None) | (None, Some(only)) => !is_nothing(only),
        (None, None) => false,
    }
}

/// The most files that are named of those that are new, gone or changed.
const NAMED: usize = 5;

/// What is different about inputs, with the files' names.
fn input_changes(now: &[InputRecord], then: &[InputRecord]) -> Vec<String> {
    let digests = |inputs: &[InputRecord]| {
        inputs
            .iter()
            .map(|input| (input.path.clone(), input.digest.clone()))
            .collect::<BTreeMap<_, _>>()
    };
    let (new, old) = (digests(now), digests(then));
    let named = |paths: Vec<&Location>, what: &str| {
        let names = paths.iter().map(|path| format!("`{}`", path.display()));
        (!paths.is_empty()).then(|| format!("{what} {}", listed(names, NAMED, ", ", "file")))
    };
    let only = |these: &'_ BTreeMap<Location, String>, others: &BTreeMap<Location, String>| {
        these
            .keys()
            .filter(|path| !others.contains_key(*path))
            .cloned()
            .collect::<Vec<_>>()
    };
    let (added, removed) = (only(&new, &old), only(&old, &new));
    let changed = new
        .iter()
        .filter(|(path, digest)| old.get(*path).is_some_and(|earlier| earlier != *digest))
        .map(|(path, _)| path);
    let changes = [
        named(added.iter().collect(), "there is a new input:"),
        named(removed.iter().collect(), "an input is gone:"),
        named(changed.collect(), "the input"),
    ];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    let is_reordered = changes.is_empty()
        && !now
            .iter()
            .map(|input| &input.path)
            .eq(then.iter().map(|input| &input.path));
    if is_reordered {
        vec!["the order of the inputs, or how often one is given".to_owned()]
    } else {
        changes
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_that_a_version_did_not_have_is_not_a_change_unless_it_is_given() {
        let absent = [json!(null), json!(false), json!([]), json!(0), json!("")];
        assert!(
            absent
                .iter()
                .all(|value| !differs("--new", Some(value), None)
                    && !differs("--old", None, Some(value)))
        );
        for provided in [json!(1), json!(true), json!(["a"]), json!("x"), json!(0.5)] {
            assert!(differs("--new", Some(&provided), None), "{provided}");
        }
        assert!(
            differs("--limit", Some(&json!(0)), Some(&json!(null))),
            "both versions have it"
        );
        assert!(!differs(
            "--missing",
            Some(&json!([])),
            Some(&json!(FIRST_MISSING))
        ));
        assert!(differs(
            "--missing",
            Some(&json!(["-1"])),
            Some(&json!(FIRST_MISSING))
        ));
    }

    #[test]
    fn inputs_that_are_new_gone_changed_or_moved_are_named() {
        let input = |path: &str, digest: &str| InputRecord {
            path: path.into(),
            bytes: 1,
            modified: String::new(),
            digest: digest.to_owned(),
        };
        let then = [input("a", "1"), input("b", "2")];
        assert!(input_changes(&then, &then).is_empty());
        let now = [input("b", "3"), input("c", "4")];
        assert_eq!(
            input_changes(&now, &then),
            [
                "there is a new input: `c`",
                "an input is gone: `a`",
                "the input `b`"
            ]
        );
        let moved = [input("b", "2"), input("a", "1")];
        assert_eq!(
            input_changes(&moved, &then),
            ["the order of the inputs, or how often one is given"]
        );
    }
}
