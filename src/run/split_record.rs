//! The models of an A/B test, each of which answered some of the rows of an output.
//!
//! Owns what reports repeat of such a run's files and record. It must not know how rows are split.

use serde_json::Value as Json;

use super::record::{is_split, recorded};
use crate::output::manifest::Manifest;
use crate::package::Resolved;
use crate::storage::Location;
use crate::table::origin::SplitModel;

/// (name, value) of what a report says of a model.
pub(super) type Texts = Vec<(String, String)>;

/// What a report says of each model that answered rows of a table, by its name in the column
/// `model`; nothing of a table of one model. `named` are those that its files name.
pub(super) fn models(path: &Location, named: &[SplitModel]) -> Vec<(String, Texts)> {
    let of_record = recorded(path)
        .ok()
        .filter(|recorded| is_split(&recorded.manifest))
        .map_or_else(Vec::new, |recorded| of_manifest(&recorded.manifest));
    let version = |arm: &str, digest: &str| {
        let mut known = of_record.iter();
        let known = known.find(|(model, _)| model.arm == arm && model.digest == digest)?;
        known.1.clone()
    };
    let of = |model: &SplitModel, resolved: Option<Resolved>| {
        let texts = model.texts();
        let texts = texts.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let facts = resolved.iter().flat_map(Resolved::facts);
        (model.arm.clone(), texts.chain(facts).collect())
    };
    if named.is_empty() {
        let all = of_record.iter();
        return all
            .map(|(model, resolved)| of(model, resolved.clone()))
            .collect();
    }
    let named = named.iter();
    named
        .map(|model| of(model, version(&model.arm, &model.digest)))
        .collect()
}

/// The models that a record names, the run's own first.
fn of_manifest(manifest: &Manifest) -> Vec<(SplitModel, Option<Resolved>)> {
    let identity = &manifest.identity;
    let split = identity.configuration.get("--split");
    let text = |value: &Json, name: &str| value[name].as_str().map(str::to_owned);
    let champion = split.map_or(&Json::Null, |split| &split["champion"]);
    let own = SplitModel {
        arm: text(champion, "model").unwrap_or_default(),
        name: text(champion, "model"),
        version: text(champion, "version"),
        digest: identity.model_digest.clone(),
    };
    let arms = split.and_then(|split| split["arms"].as_array());
    let others = arms.into_iter().flatten().map(|arm| {
        let model = SplitModel {
            arm: text(arm, "name").unwrap_or_default(),
            name: text(arm, "model"),
            version: text(arm, "version"),
            digest: text(arm, "digest").unwrap_or_default(),
        };
        let resolved = serde_json::from_value(arm["resolved"].clone());
        (model, resolved.ok().flatten())
    });
    std::iter::once((own, identity.model_version.clone()))
        .chain(others)
        .collect()
}
