//! Gradient boosting, and what it starts from.
//!
//! Sources: `sklearn/ensemble/_gb.py` and `_gb_losses.py` of 0.24 to 1.9.

use super::answer::{answer, probabilities};
use super::column::{Column, Step};
use super::engine::Engine;
use super::fitted::{Finished, Fitted};
use super::forests::of_trees;
use super::formula::Formula;
use super::function::log_odds;
use super::grove::{frame, not_repeated};
use super::inputs::{Inputs, numbers};
use super::labels::classes;
use super::object::Object;
use super::steps::bare;
use super::tree::of_estimator;
use crate::error::{Error, Result};
use crate::forest::{Forest, Target};
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
    not_turned(object, &first, class_count)?;
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

/// Fails where scikit-learn's own answers depend on the other rows of a call: before 1.3 it adds
/// trees to the probabilities of these estimators as if their rows came one after another, and
/// their columns do.
fn not_turned(object: &Object, first: &Object, class_count: usize) -> Result<()> {
    let last = bare(first)?;
    let is_turned = match last.class() {
        ("naive_bayes", _) => true,
        ("discriminant_analysis", name) => name == "QuadraticDiscriminantAnalysis",
        _ => false,
    };
    if class_count > 2 && is_turned && !object.is_since(1, 3) {
        return Err(object.refuse(
            "scikit-learn before 1.3 adds the trees of one row to another row of the same call \
             where `init` is naive Bayes or `QuadraticDiscriminantAnalysis`",
        ));
    }
    Ok(())
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
