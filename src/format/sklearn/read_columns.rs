//! Which columns a saved object reads: the names and the number that it was fitted on.
//!
//! Owns the way to the part that reads the table first. Newer versions and most estimators say it
//! themselves; others leave it to what they hold.

use super::object::{Object, reals};
use super::steps::{inner, steps};
use super::{calibration, foreign};
use crate::error::Result;
use crate::format::importer::ImportOptions;

/// The names of the columns that a part was fitted on, and their number.
pub(super) fn columns_read(
    first: &Object,
    options: &ImportOptions,
) -> Result<(Option<Vec<String>>, Option<usize>)> {
    let names = first.texts("feature_names_in_");
    if names.is_none() {
        // LightGBM before 4.0 keeps them in its booster alone.
        let (names, count) = foreign::columns(first)?;
        if count.is_some() {
            return Ok((names, count));
        }
    }
    let (package, name) = first.class();
    if package == "feature_extraction" && name != "TfidfTransformer" || package == "isotonic" {
        // A vectoriser reads one column of texts.
        return Ok((names, Some(1)));
    }
    let count = ["n_features_in_", "n_features_", "_n_features"]
        .iter()
        .find_map(|name| first.find(name))
        .and_then(|id| reals(first.arena, id)?.first().copied())
        .map(|count| count as usize)
        .or_else(|| names.as_ref().map(Vec::len))
        .or(options.feature_count);
    if count.is_some() {
        return Ok((names, count));
    }
    // Nor do unions of transformers, all of which read all columns.
    if first.class() == ("pipeline", "FeatureUnion") {
        let steps = steps(first, "transformer_list")?;
        let mut parts = steps
            .iter()
            .filter(|step| step.arena.record(step.id).is_some());
        if let Some(part) = parts.next() {
            return columns_read(&self::first(part)?, options);
        }
    }
    // Estimators of estimators do not repeat what their members know.
    if let Some(member) = member(first)? {
        return columns_read(&self::first(&member)?, options);
    }
    Ok((names, None))
}

/// A fitted estimator in an estimator, all of whose columns it reads.
fn member<'a>(object: &Object<'a>) -> Result<Option<Object<'a>>> {
    for name in ["regressor_", "estimator_"] {
        if object.find(name).is_some() {
            return Ok(Some(object.attribute(name)?));
        }
    }
    for name in ["estimators_", "calibrated_classifiers_"] {
        if object.find(name).is_some()
            && let Some(first) = object.list(name)?.first()
            && object.arena.record(*first).is_some()
        {
            let member = object.part(name, *first)?;
            return Ok(Some(match calibration::inner(&member)? {
                Some(inner) => inner,
                None => member,
            }));
        }
    }
    Ok(None)
}

/// The part that reads the table first.
pub(super) fn first<'a>(object: &Object<'a>) -> Result<Object<'a>> {
    // What is inside may have been fitted on an array without names.
    if object.find("feature_names_in_").is_some() {
        return Ok(object.clone());
    }
    if let Some(inner) = inner(object)? {
        let own = first(&inner)?;
        let knows = ["feature_names_in_", "n_features_in_"];
        let is_known = |object: &Object| knows.iter().any(|name| object.find(name).is_some());
        return Ok(if is_known(object) && !is_known(&own) {
            object.clone()
        } else {
            own
        });
    }
    if object.class() == ("pipeline", "Pipeline") {
        let mut steps = steps(object, "steps")?.into_iter();
        let step = steps.find(|step| step.arena.record(step.id).is_some());
        return step.map_or_else(
            || Err(object.refuse("it has no steps")),
            |step| first(&step),
        );
    }
    Ok(object.clone())
}
