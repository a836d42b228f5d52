//! Estimators of other libraries in Python files: XGBoost, LightGBM and CatBoost, wrappers and
//! native boosters.
//!
//! Each holds its model as the bytes or the text that its library saves; the importer of that
//! format reads them. Owns where these lie and what the wrapper adds: labels, the missing value,
//! the best iteration. Sources: `XGBModel` and `Booster` of XGBoost 1.6 to 3.2, `LGBMModel` and
//! `Booster` of LightGBM 3.3 to 4.7, `CatBoost` of 0.24 to 1.2.

use super::codes::Codes;
use super::column::{Column, Step, UNSEEN};
use super::encoder::checked;
use super::engine::Engine;
use super::fitted::{Finished, Fitted, same_count};
use super::inputs::{Inputs, numbers};
use super::labels::labels;
use super::object::Object;
use super::steps::{inner, is_skipped, steps};
use crate::contract::{Input, InputKind, Policy};
use crate::error::Result;
use crate::format::importer::{ImportOptions, SavedFrom, TreeSelection};
use crate::format::python::record::Value;
use crate::format::{catboost, lightgbm, xgboost};
use crate::model::{LoadedModel, TrainedModel};
use crate::outcome::{ABOVE_HALF, Label, Link, Outcome, Task};

/// A library of boosted trees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    Xgboost,
    Lightgbm,
    Catboost,
}

/// The library of an object, if its class is one of an estimator or a booster.
fn library(object: &Object) -> Option<Library> {
    let (module, name) = object.arena.class(object.id)?;
    match (module.split('.').next()?, name) {
        (
            "xgboost",
            "Booster" | "XGBClassifier" | "XGBRegressor" | "XGBModel" | "XGBRanker"
            | "XGBRFClassifier" | "XGBRFRegressor",
        ) => Some(Library::Xgboost),
        (
            "lightgbm",
            "Booster" | "LGBMClassifier" | "LGBMRegressor" | "LGBMModel" | "LGBMRanker",
        ) => Some(Library::Lightgbm),
        (
            "catboost",
            "CatBoost" | "CatBoostClassifier" | "CatBoostRegressor" | "CatBoostRanker",
        ) => Some(Library::Catboost),
        _ => None,
    }
}

/// Whether an estimator of LightGBM has a `decision_function`, as from 4.7.0 on: its raw scores.
/// Such files say whether the estimator was fitted on named features; those before 4.7.0 don't.
pub(super) fn has_decisions(object: &Object) -> bool {
    library(object) == Some(Library::Lightgbm)
        && object.find("_fitted_with_feature_names").is_some()
}

/// The part that holds the model: the booster in a wrapper, or the object itself.
fn booster<'a>(object: &Object<'a>) -> Result<Object<'a>> {
    if object.find("_Booster").is_some() {
        object.attribute("_Booster")
    } else {
        Ok(object.clone())
    }
}

/// The bytes that an attribute holds, whether as bytes or as a text.
fn held(object: &Object, names: &[&str]) -> Result<Vec<u8>> {
    let found = names.iter().find_map(|name| object.find(name));
    let id = found.ok_or_else(|| object.unfitted())?;
    match object.arena.get(id) {
        Value::Bytes(bytes) | Value::Text(bytes) => Ok(bytes.to_vec()),
        _ => Err(object.refuse("its model is not held as bytes")),
    }
}

fn import(object: &Object, library: Library, options: &ImportOptions) -> Result<LoadedModel> {
    let booster = booster(object)?;
    let mut options = options.clone();
    options.saved_from = if object.find("_Booster").is_some() {
        SavedFrom::Estimator
    } else {
        SavedFrom::Booster
    };
    let mut loaded = match library {
        Library::Xgboost => xgboost::import_snapshot(&held(&booster, &["handle"])?, &options)?,
        Library::Lightgbm => {
            let best = booster
                .find("best_iteration")
                .and_then(|id| super::object::real(booster.arena, id));
            if options.trees != TreeSelection::All
                && !matches!(options.trees, TreeSelection::First(_))
                && let Some(best) = best.filter(|best| *best >= 1.0)
            {
                options.trees = TreeSelection::First(best as usize);
            }
            let text = held(&booster, &["_handle", "handle", "model_str"])?;
            lightgbm::import(&text, &options)?
        }
        Library::Catboost => catboost::import(&held(object, &["__model"])?, &options)?,
    };
    loaded.outcome = estimated(object, library, loaded.outcome);
    if object.find("classes_").is_some() || object.find("_classes").is_some() {
        relabel(&mut loaded.outcome.task, labels(object)?);
    } else if object.find("_le").is_some() {
        let encoder = object.attribute("_le")?;
        if encoder.find("classes_").is_some() {
            relabel(&mut loaded.outcome.task, labels(&encoder)?);
        }
    }
    if library == Library::Xgboost
        && let Some(id) = object.find("missing")
        && let Some(missing) = super::object::real(object.arena, id)
        && !missing.is_nan()
    {
        for input in &mut loaded.contract.inputs {
            let text = missing.to_string();
            if !input.missing.contains(&text) {
                input.missing.push(text);
            }
        }
    }
    // A wrapper that was fitted on a table knows names that its booster may not.
    if let Some(names) = object.texts("feature_names_in_")
        && !loaded.contract.named
        && names.len() == loaded.contract.inputs.len()
    {
        let inputs = loaded.contract.inputs.iter_mut();
        inputs
            .zip(names)
            .for_each(|(input, name)| input.name = name);
        loaded.contract.named = true;
    }
    Ok(loaded)
}

/// What the `predict` and `predict_proba` of a wrapper say, which its objective may not: those of
/// a regressor are numbers, those of a classifier are classes.
fn estimated(object: &Object, library: Library, outcome: Outcome) -> Outcome {
    let Outcome { task, link } = outcome;
    let name = object.arena.class(object.id).map_or("", |(_, name)| name);
    let numbers = |count: usize| (0..count).map(|output| output.to_string()).collect();
    let integers = |count: usize| (0..count as i64).map(Label::Integer).collect();
    let two = [Label::Integer(0), Label::Integer(1)];
    // XGBoost and LightGBM compare with one half.
    let binary = |labels| Task::Binary {
        labels,
        threshold: ABOVE_HALF,
    };
    match (library, name) {
        (Library::Xgboost, "XGBRegressor" | "XGBRFRegressor" | "XGBModel" | "XGBRanker")
        | (Library::Lightgbm, "LGBMRegressor" | "LGBMModel" | "LGBMRanker") => {
            let task = match task {
                Task::Binary { .. } => Task::Value,
                Task::Flags(names) => Task::Values(names),
                Task::Classes {
                    labels,
                    probabilities: true,
                } => Task::Values(numbers(labels.len())),
                other => other,
            };
            Outcome { task, link }
        }
        (Library::Xgboost, "XGBClassifier" | "XGBRFClassifier") => match (task, link) {
            (Task::Value, Link::Logistic { .. } | Link::Hinge) => Outcome {
                task: binary(two),
                link,
            },
            // `predict` compares any other score with one half, too.
            (Task::Value, _) => Outcome {
                task: Task::Classes {
                    labels: two.to_vec(),
                    probabilities: false,
                },
                link,
            },
            // `multi:softmax`, of which `predict_proba` takes the softmax.
            (
                Task::Classes {
                    labels,
                    probabilities: false,
                },
                _,
            ) => Outcome {
                task: Task::Classes {
                    labels,
                    probabilities: true,
                },
                link: Link::Softmax,
            },
            (Task::Values(names), _)
                if object.real("n_classes_").is_ok_and(|count| count > 2.0) =>
            {
                let task = Task::Classes {
                    labels: integers(names.len()),
                    probabilities: false,
                };
                Outcome { task, link }
            }
            (Task::Values(names), _) => Outcome {
                task: Task::Flags(names),
                link,
            },
            (task, link) => Outcome { task, link },
        },
        // An objective of the user's own gives its scores as they are.
        (Library::Lightgbm, "LGBMClassifier")
            if task == Task::Value && !object.text("_objective").is_empty() =>
        {
            Outcome {
                task: binary(two),
                link,
            }
        }
        _ => Outcome { task, link },
    }
}

/// Names the classes as the wrapper's `predict` does.
fn relabel(task: &mut Task, found: Vec<Label>) {
    match task {
        Task::Binary { labels, .. } => {
            if let Ok(found) = <[Label; 2]>::try_from(found) {
                *labels = found;
            }
        }
        Task::Classes { labels, .. } if labels.len() == found.len() => *labels = found,
        Task::Uncertain(uncertain) => relabel(&mut uncertain.own, found),
        _ => {}
    }
}

/// The model, where the file holds such an estimator with nothing in front of it.
///
/// # Errors
/// Those of its format.
pub(super) fn alone(object: &Object, options: &ImportOptions) -> Result<Option<LoadedModel>> {
    if let Some(library) = library(object) {
        return import(object, library, options).map(Some);
    }
    if let Some(inner) = inner(object)? {
        return alone(&inner, options);
    }
    if object.class() == ("pipeline", "Pipeline") {
        let steps = steps(object, "steps")?;
        let mut steps = steps.iter().filter(|step| !is_skipped(step));
        if let (Some(step), None) = (steps.next(), steps.next()) {
            return alone(step, options);
        }
    }
    Ok(None)
}

/// The names of the columns of such an estimator, and their number.
///
/// # Errors
/// Those of its format.
pub(super) fn columns(object: &Object) -> Result<(Option<Vec<String>>, Option<usize>)> {
    let Some(library) = library(object) else {
        return Ok((None, None));
    };
    let contract = import(object, library, &ImportOptions::default())?.contract;
    let count = contract.inputs.len();
    let names = contract.inputs.into_iter().map(|input| input.name);
    Ok((contract.named.then(|| names.collect()), Some(count)))
}

/// Such an estimator behind other steps; none for other classes.
///
/// # Errors
/// Those of its format; a contract error where a category of its own does not reach it as it is.
pub(super) fn finish(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Option<Finished>> {
    let Some(library) = library(object) else {
        return Ok(None);
    };
    let mut loaded = import(object, library, &ImportOptions::default())?;
    inputs.note(std::mem::take(&mut loaded.description.facts));
    let inputs_read = &loaded.contract.inputs;
    let renaming = loaded.contract.renaming;
    let is_own = |(column, input): (&Column, &Input)| {
        column.is_raw() && inputs.is_input(column.input) && *inputs.name(column.input) == input.name
    };
    if columns.iter().zip(inputs_read).all(is_own) {
        inputs.renamed_by(renaming);
    }
    same_count(object, inputs_read.len(), columns.len())?;
    inputs.allow_infinity(columns);
    let mut made = Vec::new();
    for (column, input) in columns.iter().zip(inputs_read) {
        let mut column = column.clone();
        let is_raw = column.is_raw() && inputs.is_input(column.input);
        match &input.kind {
            InputKind::Number => numbers(object, std::slice::from_ref(&column), inputs)?,
            InputKind::CategoryCode if !is_raw => {}
            kind => {
                let fits = match kind {
                    InputKind::Category(vocabulary) if is_raw && !vocabulary.values.is_empty() => {
                        let slot = column.input;
                        let codes = inputs.categories(slot, &vocabulary.values);
                        let fits = codes.is_some();
                        let is_strict = input.on_unseen == Policy::Error;
                        if is_strict {
                            inputs.reject_unseen(slot);
                        }
                        // Encoders may read its codes, too.
                        column = match codes {
                            Some(Codes::Other(codes)) if is_strict => {
                                checked(column, Step::RecodeKnown(codes), true, inputs)
                            }
                            codes => column.then(codes.and_then(Codes::steps)),
                        };
                        let unseen = Step::Replace(UNSEEN, vocabulary.unseen_code);
                        column.steps.push(unseen);
                        fits
                    }
                    kind => is_raw && inputs.kind(column.input, kind),
                };
                if !fits {
                    return Err(object.refuse(&format!(
                        "its categorical feature `{}` is changed by a step before it, or read \
                         otherwise elsewhere",
                        input.name
                    )));
                }
            }
        }
        if input.on_null == Policy::Reject && column.may_miss {
            inputs.reject_null(column.input);
        }
        for missing in input.missing.iter().filter_map(|text| text.parse().ok()) {
            column.steps.push(Step::Replace(missing, f64::NAN));
        }
        if library == Library::Xgboost && column.is_sparse {
            // What a sparse matrix does not store is missing.
            column.steps.push(Step::Replace(0.0, f64::NAN));
        }
        made.push(column);
    }
    let TrainedModel::Numeric(model) = loaded.model else {
        return Err(object.refuse("it is not a model of numbers"));
    };
    let fitted = Fitted {
        engine: Engine::Foreign(model),
        task: loaded.outcome.task,
        link: loaded.outcome.link,
        takes_missing: true,
    };
    Ok(Some((made, fitted)))
}
