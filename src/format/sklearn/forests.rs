//! Trees, forests and both gradient boostings on the forest's kernels.
//!
//! Sources: the `predict_proba`, `decision_function` and `predict` methods of scikit-learn's
//! ensembles, 0.24 to 1.9.

use super::column::{Column, Step};
use super::engine::{Engine, TreeReads};
use super::fitted::{Finished, Fitted};
use super::grove::{Grove, class_shares, frame, not_repeated};
use super::inputs::{Inputs, numbers};
use super::labels::{classes, labels, task_of};
use super::object::{Object, reals};
use super::tree::of_predictor;
use crate::error::{Error, Result};
use crate::forest::{Forest, Target};
use crate::format::python::record::Id;
use crate::outcome::{Link, Task};

/// Trees whose answers are averaged, or one tree.
pub(super) fn averaged(object: &Object, count: usize) -> Result<Fitted> {
    let is_classifier = object.class().1.ends_with("Classifier");
    let grove = Grove::of(object, count)?;
    let outputs = object
        .find("n_outputs_")
        .map_or(Ok(1.0), |_| object.real("n_outputs_"))? as usize;
    let (task, width) = match (is_classifier, outputs) {
        (true, 1) => {
            let labels = labels(object)?;
            let count = labels.len().max(1);
            (task_of(labels), count)
        }
        (true, _) => return Err(object.refuse("several outputs of classes are not supported")),
        (false, 1) => (Task::Value, 1),
        (false, _) => (
            Task::Values((0..outputs).map(|output| output.to_string()).collect()),
            outputs,
        ),
    };
    if width > object.arena.file_bytes() {
        return Err(object.refuse("it has more outputs than the file can hold"));
    }
    let has_weights = is_classifier && !object.is_since(1, 4);
    let is_binary = is_classifier && width == 2;
    let margins = if is_binary { 1 } else { width };
    let target = if margins == 1 {
        Target::Margin(0)
    } else {
        Target::All
    };
    let forest = grove.forest(object, vec![0.0; margins], target, |_, leaf, added| {
        let shares = class_shares(leaf.values, width, has_weights);
        added.extend(shares.skip(usize::from(is_binary)));
    })?;
    let divisor = grove.members.len() as f64;
    Ok(Fitted {
        engine: of_trees(forest, divisor),
        task,
        link: Link::Identity,
        takes_missing: takes_missing(object)?,
    })
}

/// Whether a tree takes missing values, or a forest, which asks its first tree.
///
/// Sources: `_support_missing_values` and the tag `allow_nan` of `sklearn/tree/_classes.py`, and
/// `_validate_X_predict` of `ensemble/_forest.py`.
pub(super) fn takes_missing(object: &Object) -> Result<bool> {
    if object.find("estimators_").is_none() {
        return Ok(tree_takes_missing(object));
    }
    let first = object.list("estimators_")?.first();
    let first = first.map(|id| object.part("estimators_[0]", *id));
    let takes_missing = first
        .transpose()?
        .is_some_and(|tree| tree_takes_missing(&tree));
    Ok(object.is_since(1, 4) && takes_missing)
}

/// Whether one tree takes missing values: it depends on how it was grown.
pub(super) fn tree_takes_missing(tree: &Object) -> bool {
    const CRITERIA: [&str; 6] = [
        "gini",
        "log_loss",
        "entropy",
        "squared_error",
        "friedman_mse",
        "poisson",
    ];
    // An `ExtraTreeRegressor` of 1.6 does not say that its splits must be random.
    let is_extra = match tree.class().1 {
        "ExtraTreeClassifier" => tree.is_since(1, 6),
        "ExtraTreeRegressor" => tree.is_since(1, 7),
        _ => false,
    };
    let takes_splits = match tree.text("splitter") {
        "best" => !is_extra && tree.is_since(1, 3),
        "random" => tree.is_since(1, 6),
        _ => false,
    };
    let is_plain =
        CRITERIA.contains(&tree.text("criterion")) && tree.find("monotonic_cst").is_none();
    takes_splits && (is_plain || tree.is_since(1, 9))
}

/// Trees that read their columns rounded to f32, all of which are finite.
pub(super) fn of_trees(forest: Forest, divisor: f64) -> Engine {
    of_trees_reading(forest, divisor, TreeReads::FiniteSingle)
}

/// Trees that read their columns so.
pub(super) fn of_trees_reading(forest: Forest, divisor: f64, reads: TreeReads) -> Engine {
    Engine::Forest {
        forest: Box::new(forest),
        reads,
        divisor,
    }
}

/// Makes of a categorical column what a set of 256 categories reads of it: missing below 0, and of
/// larger values the last byte.
fn byte(value: f64) -> f64 {
    if value.is_nan() || value < 0.0 {
        f64::NAN
    } else if value < 256.0 {
        value.trunc()
    } else {
        f64::from((value as i64 & 0xff) as u8)
    }
}

/// The known categories of each categorical feature of the trees.
fn known_categories(object: &Object) -> Result<Vec<Option<Vec<u32>>>> {
    if object.find("_bin_mapper").is_none() {
        return Ok(Vec::new());
    }
    let mapper = object.attribute("_bin_mapper")?;
    if mapper.find("is_categorical_").is_none() {
        return Ok(Vec::new());
    }
    let flags = mapper.reals("is_categorical_")?;
    let bins = mapper.list("bin_thresholds_")?;
    let of_feature = |(flag, id): (&f64, &Id)| {
        if *flag == 0.0 {
            return Ok(None);
        }
        let known = reals(mapper.arena, *id)
            .ok_or_else(|| mapper.refuse("its categories are not numbers"))?;
        let mut known: Vec<u32> = known
            .into_iter()
            .filter(|value| *value >= 0.0)
            .map(|value| byte(value) as u32)
            .collect();
        known.sort_unstable();
        known.dedup();
        Ok(Some(known))
    };
    flags.iter().zip(bins).map(of_feature).collect()
}

/// Puts the columns in the order of the trees, with categories as the codes that they read.
fn prepared(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
    known: &[Option<Vec<u32>>],
) -> Result<Vec<Column>> {
    let mut columns = columns.to_vec();
    if object.find("_preprocessor").is_some() {
        columns = inputs.transform(&object.attribute("_preprocessor")?, columns)?;
    }
    numbers(object, &columns, inputs)?;
    inputs.allow_infinity(&columns);
    for (column, _) in columns
        .iter_mut()
        .zip(known)
        .filter(|(_, known)| known.is_some())
    {
        column.steps.push(Step::Function(byte));
    }
    Ok(columns)
}

pub(super) fn histogram_boosted(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let known = known_categories(object)?;
    let columns = prepared(object, columns, inputs, &known)?;
    let count = columns.len();
    let is_classifier = object.class().1.ends_with("Classifier");
    let (task, class_count) = if is_classifier {
        classes(object)?
    } else {
        (Task::Value, 1)
    };
    let width = if class_count == 2 { 1 } else { class_count };
    let base = object.reals("_baseline_prediction")?;
    if base.len() != width {
        return Err(object.refuse("it starts from more or fewer values than it has outputs"));
    }
    let mut trees = Vec::new();
    for (round, stage) in object.list("_predictors")?.iter().enumerate() {
        let stage = object.arena.items(*stage).unwrap_or_default();
        if stage.len() != width {
            return Err(Error::failed("its trees do not make whole stages"));
        }
        for (output, id) in stage.iter().enumerate() {
            trees.push((
                object.part(&format!("_predictors[{round}][{output}]"), *id)?,
                output,
            ));
        }
    }
    let members: Vec<Object> = trees.iter().map(|(tree, _)| tree.clone()).collect();
    not_repeated(object, &members, "")?;
    let trees = trees
        .iter()
        .map(|(tree, output)| of_predictor(tree, count, &known, Target::Margin(*output as u32)));
    let forest = Forest::new(&frame(count, base), trees)?;
    let link = match (class_count, object.text("loss")) {
        (1, "poisson" | "gamma") => Link::Exponential,
        (1, _) => Link::Identity,
        (2, _) => Link::Logistic { slope: 1.0 },
        _ => Link::Softmax,
    };
    let engine = Engine::Forest {
        forest: Box::new(forest),
        reads: TreeReads::Double,
        divisor: 1.0,
    };
    let fitted = Fitted {
        engine,
        task,
        link,
        takes_missing: true,
    };
    Ok((columns, fitted))
}
