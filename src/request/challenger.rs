//! Which further models score the same rows, and how rows are split between models.
//!
//! Owns these options and the names of challengers. It must not know how they are typed, opened or
//! run.

use serde::{Deserialize, Serialize};

use crate::package::Resolved;
use crate::storage::Location;

/// Challengers, and the rows that they answer.
#[derive(Clone, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Challengers {
    /// Models that score the same rows, as `[NAME=]MODEL`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub challenger: Vec<Location>,
    /// The work that each challenger may take
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenger_time: Option<String>,
    /// The memory that challengers may take together
    #[serde(skip_serializing_if = "Option::is_none")]
    pub challenger_memory: Option<String>,
    /// The share of the rows that a challenger answers: `NAME=10%`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub split: Vec<String>,
    /// The columns whose values decide which model answers a row
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub split_by: Vec<String>,
    /// A word that makes the split of one experiment independent of that of another
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_salt: Option<String>,
    /// The versions that challengers' names led to, in their order
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resolved_challengers: Vec<Option<Resolved>>,
    /// Where the challengers are, once they were looked up
    #[serde(skip)]
    pub located: Vec<Located>,
}

/// A challenger whose model was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// Its name in the run.
    pub name: String,
    /// Its model, as it was named.
    pub model: Location,
    /// The path of its files, or why there is none.
    pub path: Result<Location, String>,
    /// The version of a registry's model that it is.
    pub resolved: Option<Resolved>,
}

/// The name in `NAME=MODEL`, if there is one, and the model.
#[must_use]
pub fn split_name(text: &Location) -> (Option<&str>, Location) {
    let named = text.to_str().and_then(|text| text.split_once('='));
    match named.filter(|(name, model)| is_name(name) && !model.is_empty()) {
        Some((name, model)) => (Some(name), Location::from(model)),
        None => (None, text.clone()),
    }
}

/// What stands before and after the first `=` of a text that gives no name; none if it gives one,
/// or has no `=`.
#[must_use]
pub fn misnamed(text: &Location) -> Option<(&str, Location)> {
    let (name, model) = text.to_str()?.split_once('=')?;
    let is_named = is_name(name) && !model.is_empty();
    (!is_named).then(|| (name, Location::from(model)))
}

/// The name of a challenger in its run: its own, else that of its model.
#[must_use]
pub fn name_of(text: &Location) -> String {
    let (name, model) = split_name(text);
    name.map_or_else(|| default_name(&model), str::to_owned)
}

/// Whether a text can be a name: it is one of a file, too.
fn is_name(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.bytes().all(is_inner)
        && text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
}

/// The last name of a path without its extension; `churn@next` is `churn-next`.
fn default_name(model: &Location) -> String {
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let has_extension = model
        .extension()
        .is_some_and(|extension| is_word(&extension.to_string_lossy()));
    let own = if has_extension {
        model.file_stem()
    } else {
        model.file_name()
    };
    let plain: String = own
        .unwrap_or_default()
        .to_string_lossy()
        .chars()
        .map(|one| {
            if is_name(&format!("a{one}")) {
                one
            } else {
                '-'
            }
        })
        .collect();
    let trimmed = plain.trim_start_matches(['.', '_', '-']);
    if trimmed.is_empty() {
        "challenger".to_owned()
    } else {
        trimmed.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenger_has_the_name_of_its_model_unless_it_has_its_own() {
        for (text, name, model) in [
            ("models/churn_v2.json", "churn_v2", "models/churn_v2.json"),
            ("models/v1.2", "v1.2", "models/v1.2"),
            ("packages/next/", "next", "packages/next/"),
            ("churn@next", "churn-next", "churn@next"),
            ("churn:7", "churn-7", "churn:7"),
            ("b=models/x.json", "b", "models/x.json"),
            ("a/b=c.json", "b-c", "a/b=c.json"),
            ("..", "challenger", ".."),
            ("_x.ubj", "x", "_x.ubj"),
        ] {
            assert_eq!(name_of(&Location::from(text)), name, "{text}");
            assert_eq!(
                split_name(&Location::from(text)).1,
                Location::from(model),
                "{text}"
            );
        }
    }
}
