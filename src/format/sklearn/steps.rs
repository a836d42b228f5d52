//! How estimators hold others: steps of pipelines, members of ensembles, what a search found.

use super::column::{COLUMNS_LIMIT, Column};
use super::object::Object;
use crate::error::Result;
use crate::format::python::record::{Id, Value};

/// The (name, estimator) pairs of a list.
pub(super) fn steps<'a>(object: &Object<'a>, name: &str) -> Result<Vec<Object<'a>>> {
    let pair = |item: &Id| match object.arena.items(*item) {
        Some([name, part, ..]) => object.part(object.arena.text(*name).unwrap_or("?"), *part),
        _ => Err(object.refuse(&format!("`{name}` is not of pairs"))),
    };
    object.list(name)?.iter().map(pair).collect()
}

/// The estimator that a search found or another one wraps without a change; else none.
pub(super) fn inner<'a>(object: &Object<'a>) -> Result<Option<Object<'a>>> {
    Ok(match object.class() {
        ("model_selection", name) if name.ends_with("SearchCV") => {
            Some(object.attribute("best_estimator_")?)
        }
        ("frozen", "FrozenEstimator") => Some(object.attribute("estimator")?),
        ("linear_model", "RANSACRegressor") => Some(object.attribute("estimator_")?),
        ("semi_supervised", "SelfTrainingClassifier") => {
            // Up to 1.5 it is called otherwise.
            let is_new = object.find("estimator_").is_some();
            let name = if is_new {
                "estimator_"
            } else {
                "base_estimator_"
            };
            Some(object.attribute(name)?)
        }
        ("gaussian_process", "GaussianProcessClassifier") => {
            Some(object.attribute("base_estimator_")?)
        }
        _ => None,
    })
}

/// The estimator itself, without the searches and pipelines around it.
///
/// # Errors
/// Fails for broken parts.
pub(super) fn bare<'a>(object: &Object<'a>) -> Result<Object<'a>> {
    if let Some(inner) = inner(object)? {
        return bare(&inner);
    }
    if object.class() == ("pipeline", "Pipeline") {
        let steps = steps(object, "steps")?;
        if let Some(last) = steps.iter().rev().find(|step| !is_skipped(step)) {
            return bare(last);
        }
    }
    Ok(object.clone())
}

/// Whether a step of a pipeline passes its columns on as they are.
pub(super) fn is_skipped(step: &Object) -> bool {
    match step.arena.get(step.id) {
        Value::None => true,
        _ => step.arena.text(step.id) == Some("passthrough"),
    }
}

/// The fitted members of an estimator.
pub(super) fn members<'a>(object: &Object<'a>, name: &str) -> Result<Vec<Object<'a>>> {
    let list = object.list(name)?.iter().enumerate();
    let members: Vec<Object> = list
        .map(|(index, id)| object.part(&format!("{name}[{index}]"), *id))
        .collect::<Result<_>>()?;
    if members.is_empty() {
        return Err(object.refuse("it has no members"));
    }
    Ok(members)
}

/// Fails for more columns than a pipeline may make.
///
/// # Errors
/// A contract error.
pub(super) fn bounded(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    if columns.len() > COLUMNS_LIMIT {
        return Err(object.refuse("it makes more than a million columns"));
    }
    Ok(columns)
}
