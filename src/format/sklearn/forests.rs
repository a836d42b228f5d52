//! Trees, forests and both gradient boostings on the forest's kernels.
//!
//! Sources: the `predict_proba`, `decision_function` and `predict` methods of scikit-learn's
//! ensembles, 0.24 to 1.9.

use super::answer::{answer, probabilities};
use super::column::{Column, Step};
use super::engine::{Engine, TreeReads};
use super::fitted::{Finished, Fitted};
use super::formula::Formula;
use super::function::log_odds;
use super::grove::{Grove, class_shares, frame, not_repeated};
use super::inputs::{Inputs, numbers};
use super::labels::classes;
use super::object::{Object, reals};
use super::tree::{of_estimator, of_predictor};
use crate::error::{Error, Result};
use crate::forest::{Forest, Target};
use crate::format::python::record::Id;
use crate::outcome::{Link, Task};

/// How close to 0 and 1 the probabilities are that gradient boosting starts from: the precision of
/// single numbers up to 1.7.
fn clip(object: &Object) -> f64 {
    if object.is_since(1, 8) {
        f64::EPSILON
    } else {
        f64::from(f32::EPSILON)
    }
}

/// Trees whose answers are averaged, or one tree.
pub(super) fn averaged(object: &Object, count: usize) -> Result<Fitted> {
    let is_classifier = object.class().1.ends_with("Classifier");
    let grove = Grove::of(object, count)?;
    let outputs = object
        .find("n_outputs_")
        .map_or(Ok(1.0), |_| object.real("n_outputs_"))? as usize;
    let (task, width) = match (is_classifier, outputs) {
        (true, 1) => classes(object)?,
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
        takes_missing: takes_missing(object),
    })
}

/// Whether a tree or forest takes missing values.
pub(super) fn takes_missing(object: &Object) -> bool {
    match object.class().1 {
        "DecisionTreeClassifier" | "DecisionTreeRegressor" => object.is_since(1, 3),
        "RandomForestClassifier" | "RandomForestRegressor" => object.is_since(1, 4),
        _ => object.is_since(1, 6),
    }
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

/// Where gradient boosting starts: what its first estimator says, as a margin.
pub(super) fn start(object: &Object, width: usize, classes: usize) -> Result<Vec<f64>> {
    if object.text("init") == "zero" {
        return Ok(vec![0.0; width]);
    }
    let first = object.attribute("init_")?;
    let least = clip(object);
    let clipped = |value: f64| value.clamp(least, 1.0 - least);
    match first.class() {
        ("dummy", "DummyRegressor") => first.reals("constant_"),
        ("dummy", "DummyClassifier") if first.text("strategy") == "prior" => {
            let prior = first.reals("class_prior_")?;
            if prior.len() != classes {
                return Err(first.refuse("its classes are not those of the boosting"));
            }
            if width == 1 {
                let positive = clipped(prior[1]);
                let odds = (positive / (1.0 - positive)).ln();
                let is_exponential = object.text("loss") == "exponential";
                return Ok(vec![if is_exponential { 0.5 * odds } else { odds }]);
            }
            let logs: Vec<f64> = prior.into_iter().map(|prior| clipped(prior).ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            let centre = if object.is_since(1, 4) { mean } else { 0.0 };
            Ok(logs.into_iter().map(|log| log - centre).collect())
        }
        _ => Err(first.refuse("gradient boosting that starts from it is not supported")),
    }
}

pub(super) fn boosted(object: &Object, count: usize) -> Result<Fitted> {
    let (task, class_count) = task_of(object)?;
    let width = if class_count == 2 { 1 } else { class_count };
    let base = start(object, width, class_count)?;
    if base.len() != width {
        return Err(object.refuse("it starts from more or fewer values than it has outputs"));
    }
    Ok(Fitted {
        engine: boosted_from(object, count, base)?,
        task,
        link: link_of(object, class_count),
        takes_missing: false,
    })
}

/// The task of gradient boosting, and the number of its classes.
fn task_of(object: &Object) -> Result<(Task, usize)> {
    if object.class().1.ends_with("Classifier") {
        classes(object)
    } else {
        Ok((Task::Value, 1))
    }
}

fn link_of(object: &Object, class_count: usize) -> Link {
    match (class_count, object.text("loss")) {
        (1, _) => Link::Identity,
        (2, "exponential") => Link::Logistic { slope: 2.0 },
        (2, _) => Link::Logistic { slope: 1.0 },
        _ => Link::Softmax,
    }
}

/// The trees of gradient boosting, added to where it starts.
fn boosted_from(object: &Object, count: usize, base: Vec<f64>) -> Result<Engine> {
    let width = base.len();
    let rate = object.real("learning_rate")?;
    let list = object.list("estimators_")?;
    if list.is_empty() || !list.len().is_multiple_of(width) {
        return Err(Error::failed("its trees do not make whole stages"));
    }
    let member = |(index, id): (usize, &_)| {
        let (stage, output) = (index / width, index % width);
        object.part(&format!("estimators_[{stage}, {output}]"), *id)
    };
    let members = list.iter().enumerate().map(member);
    let members = members.collect::<Result<Vec<_>>>()?;
    not_repeated(object, &members, "tree_")?;
    let trees = members.iter().enumerate().map(|(index, member)| {
        let target = Target::Margin((index % width) as u32);
        of_estimator(member, count, None, target, |leaf, added| {
            added.push(rate * leaf.values[0]);
        })
    });
    Ok(of_trees(Forest::new(&frame(count, base), trees)?, 1.0))
}

/// Whether gradient boosting starts from an estimator that reads the row.
pub(super) fn starts_from_estimator(object: &Object) -> bool {
    if object.text("init") == "zero" {
        return false;
    }
    object
        .attribute("init_")
        .is_ok_and(|first| match first.class() {
            ("dummy", "DummyRegressor") => false,
            ("dummy", _) => first.text("strategy") != "prior",
            _ => true,
        })
}

/// Gradient boosting that starts from an estimator, which reads what the trees read: the columns in
/// single precision. What scikit-learn then computes in single precision is computed in double.
pub(super) fn boosted_on(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    numbers(object, columns, inputs)?;
    inputs.reject_missing(columns);
    let (task, class_count) = task_of(object)?;
    let width = if class_count == 2 { 1 } else { class_count };
    let single = |column: &Column| {
        let rounded = Step::Function(|value| f64::from(value as f32));
        column.clone().then([rounded])
    };
    let first = object.attribute("init_")?;
    let own = answer(
        &first,
        &columns.iter().map(single).collect::<Vec<_>>(),
        inputs,
    )?;
    let mut starts = if class_count == 1 {
        own.predictions(inputs)
    } else {
        let odds = probabilities(&first, &own, class_count, inputs)?;
        let odds = odds.ok_or_else(|| first.refuse("it has no probabilities"))?;
        let least = clip(object);
        let clip = Step::Clip(least, 1.0 - least);
        let clipped = odds.into_iter().map(|one| one.then([clip.clone()]));
        let clipped: Vec<Column> = clipped.collect();
        if class_count == 2 {
            let is_exponential = object.text("loss") == "exponential";
            let half = is_exponential.then_some(Step::Multiply(0.5));
            let margin = |one: Column| one.then([Step::Function(log_odds)]).then(half.clone());
            clipped.into_iter().skip(1).map(margin).collect()
        } else {
            inputs.push(clipped, Engine::Formula(logs(width, object.is_since(1, 4))))
        }
    };
    if starts.len() != width {
        return Err(object.refuse("it starts from more or fewer values than it has outputs"));
    }
    let trees = boosted_from(object, columns.len(), vec![0.0; width])?;
    starts.extend(inputs.push_reading(columns.to_vec(), trees, true));
    let sum = Formula::new("forest", width, 0, move |values, output| {
        let (starts, sums) = values.split_at(output.len());
        for (to, (start, sum)) in output.iter_mut().zip(starts.iter().zip(sums)) {
            *to = start + sum;
        }
    });
    let fitted = Fitted {
        link: link_of(object, class_count),
        ..Fitted::plain(Engine::Formula(sum), task)
    };
    Ok((starts, fitted))
}

/// The logs of probabilities, which are centred since 1.4.
fn logs(width: usize, are_centred: bool) -> Formula {
    Formula::new("forest", width, 0, move |values, output| {
        let logs = values.iter().map(|value| value.ln());
        let mean = logs.clone().sum::<f64>() / values.len() as f64;
        let centre = if are_centred { mean } else { 0.0 };
        for (to, log) in output.iter_mut().zip(logs) {
            *to = log - centre;
        }
    })
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
