//! Decisions: what `decision_function` returns, for estimators that read those of others.
//!
//! Owns the choice by class; some estimators go on to probabilities by themselves, and some have no
//! decisions though their engines have margins.

use super::answer::answer;
use super::column::Column;
use super::engine::{Engine, Finish};
use super::formula::Formula;
use super::grove::Grove;
use super::inputs::{Inputs, numbers};
use super::labels::{has_labels, labels};
use super::linear::linear;
use super::object::Object;
use super::steps::{inner, is_skipped, members, steps};
use super::transformer::transform;
use super::{adaboost, foreign, svm};
use crate::error::Result;

/// The decisions of an estimator, as its `decision_function` returns them; none if it has none.
///
/// # Errors
/// Those of its translation.
pub(super) fn decisions(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Option<Vec<Column>>> {
    if let Some(inner) = inner(object)? {
        return decisions(&inner, columns, inputs);
    }
    match object.class() {
        ("pipeline", "Pipeline") => {
            let mut steps = steps(object, "steps")?;
            let Some(last) = steps.pop() else {
                return Err(object.refuse("it has no steps"));
            };
            let mut columns = columns.to_vec();
            for step in steps.iter().filter(|step| !is_skipped(step)) {
                columns = transform(step, columns, inputs)?;
            }
            decisions(&last, &columns, inputs)
        }
        ("linear_model" | "discriminant_analysis", _) | ("svm", "LinearSVC")
            if object.find("coef_").is_some() =>
        {
            if !has_labels(object) {
                // A regressor has none.
                return Ok(None);
            }
            // Some of their engines go on to probabilities.
            numbers(object, columns, inputs)?;
            inputs.reject_missing(columns);
            let (engine, _) = linear(object, columns.len(), Finish::None)?;
            Ok(Some(inputs.push_reading(columns.to_vec(), engine, true)))
        }
        ("svm", "SVC" | "NuSVC") => svm::decisions(object, columns, inputs).map(Some),
        ("ensemble", "AdaBoostClassifier") => {
            adaboost::decisions(object, columns, inputs).map(Some)
        }
        ("feature_selection", "RFE" | "RFECV") => {
            let columns = transform(object, columns.to_vec(), inputs)?;
            decisions(&object.attribute("estimator_")?, &columns, inputs)
        }
        _ if foreign::has_decisions(object) => {
            let found = answer(object, columns, inputs)?.decisions();
            let refusal = || object.refuse("its raw scores are not supported as decisions");
            found.ok_or_else(refusal).map(Some)
        }
        // Some of these have margins, and no decisions.
        (
            "" | "model_selection" | "calibration" | "multioutput" | "naive_bayes" | "tree"
            | "neural_network" | "gaussian_process" | "semi_supervised" | "dummy",
            _,
        )
        | ("neighbors", "KNeighborsClassifier" | "RadiusNeighborsClassifier")
        | ("ensemble", "VotingClassifier" | "RandomForestClassifier" | "ExtraTreesClassifier")
        | ("multiclass", "OutputCodeClassifier") => Ok(None),
        ("multiclass", "OneVsRestClassifier") => rest(object, columns, inputs),
        ("neighbors", "NearestCentroid") => {
            Err(object.refuse("its decisions are not supported, only its classes are"))
        }
        ("multiclass", "OneVsOneClassifier") if labels(object)?.len() == 2 => {
            Err(object.refuse("its decisions are not supported, only its classes are"))
        }
        ("ensemble", "BaggingClassifier") => bagged(object, columns, inputs),
        _ => Ok(answer(object, columns, inputs)?.decisions()),
    }
}

/// The mean of the decisions of bagged members, if they have any.
fn bagged(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Option<Vec<Column>>> {
    let grove = Grove::new(object, columns.len())?;
    let mut all = Vec::new();
    for (index, member) in grove.members.iter().enumerate() {
        let Some(own) = decisions(member, &grove.columns(index, columns), inputs)? else {
            return Ok(None);
        };
        all.extend(own);
    }
    let count = grove.members.len();
    let width = all.len() / count;
    if width == 0 || !all.len().is_multiple_of(count) {
        return Err(object.refuse("its members have more or fewer decisions than one another"));
    }
    let mean = Formula::mean(vec![1.0; count], width);
    Ok(Some(inputs.push(all, Engine::Formula(mean))))
}

/// The decisions of one against all others: those of each member, if they have any.
fn rest(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Option<Vec<Column>>> {
    let mut all = Vec::new();
    for member in members(object, "estimators_")? {
        if member.class() == ("multiclass", "_ConstantPredictor") {
            return Err(object.refuse("the decisions of constant members are not supported"));
        }
        let Some(own) = decisions(&member, columns, inputs)? else {
            return Ok(None);
        };
        all.extend(own);
    }
    Ok(Some(all))
}
