//! Dummy estimators, which answer without reading anything.
//!
//! Source: `sklearn/dummy.py` of 0.24 to 1.9.

use super::class_outputs::labels_of_outputs;
use super::engine::Engine;
use super::fitted::Fitted;
use super::formula::{Formula, largest};
use super::labels::{label_of, labels, labels_of, task_of};
use super::multiple::class_names;
use super::object::{Object, reals};
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

/// `DummyClassifier` and `DummyRegressor`.
pub(super) fn fitted(object: &Object, _count: usize) -> Result<Fitted> {
    let (values, task) = match object.class().1 {
        "DummyRegressor" => {
            let constants = object.reals("constant_")?;
            let names = (0..constants.len()).map(|output| output.to_string());
            let task = match constants.len() {
                1 => Task::Value,
                _ => Task::Values(names.collect()),
            };
            (constants, task)
        }
        "DummyClassifier" => classifier(object)?,
        _ => return Err(object.unknown()),
    };
    let width = values.len();
    let formula = Formula::new("constant", width, width, move |_, output| {
        output.copy_from_slice(&values);
    });
    Ok(Fitted {
        takes_missing: true,
        ..Fitted::plain(Engine::Formula(formula), task)
    })
}

fn classifier(object: &Object) -> Result<(Vec<f64>, Task)> {
    if object.find("n_outputs_").is_some() && object.real("n_outputs_")? != 1.0 {
        return outputs(object);
    }
    let labels = labels(object)?;
    let (class, odds) = answer(object, &labels, object.reals("class_prior_")?, 0)?;
    // The first of the most frequent classes is predicted, which may be the second of two.
    let ties = labels.len() == 2 && class == 0 && odds[1] > 0.5;
    if ties || labels.len() == 1 {
        let shown = vec![Shown::label("prediction", labels)];
        return Ok((vec![class as f64], Task::Listed(shown)));
    }
    let odds = if labels.len() == 2 {
        vec![odds[1]]
    } else {
        odds
    };
    Ok((odds, task_of(labels)))
}

/// The same of several outputs.
fn outputs(object: &Object) -> Result<(Vec<f64>, Task)> {
    let labels = labels_of_outputs(object)?;
    let priors = object.list("class_prior_")?;
    let unfit = || object.refuse("its priors do not fit its outputs");
    if priors.len() != labels.len() {
        return Err(unfit());
    }
    let (mut values, mut shown) = (Vec::new(), Vec::new());
    for (output, (labels, priors)) in labels.iter().zip(priors).enumerate() {
        let priors = reals(object.arena, *priors).ok_or_else(unfit)?;
        let (class, odds) = answer(object, labels, priors, output)?;
        values.push(class as f64);
        values.extend(odds.into_iter().skip(usize::from(labels.len() == 2)));
        shown.extend(class_names(output, labels));
    }
    Ok((values, Task::Listed(shown)))
}

/// The class that one output answers, and the probability of each.
fn answer(
    object: &Object,
    labels: &[Label],
    priors: Vec<f64>,
    output: usize,
) -> Result<(usize, Vec<f64>)> {
    if priors.len() != labels.len() || labels.is_empty() {
        return Err(object.refuse("its priors do not fit its classes"));
    }
    let one = |class: usize| -> Vec<f64> {
        (0..labels.len())
            .map(|index| f64::from(u8::from(index == class)))
            .collect()
    };
    let first = largest(&priors);
    match object.text("strategy") {
        "prior" | "" => Ok((first, priors)),
        "most_frequent" => Ok((first, one(first))),
        "constant" => {
            let class = constant(object, labels, output)?;
            Ok((class, one(class)))
        }
        other => Err(object.refuse(&format!(
            "the strategy `{other}` answers at random, which cannot be repeated"
        ))),
    }
}

/// The index of the class that the user chose for an output.
fn constant(object: &Object, labels: &[Label], output: usize) -> Result<usize> {
    let unknown = || object.refuse("its constant is not one of its classes");
    let id = object.need("constant")?;
    let found = match (object.arena.array(id), object.arena.items(id)) {
        (Some(array), _) => labels_of(object, array)?.get(output).cloned(),
        (None, Some(items)) => match items.get(output) {
            Some(item) => Some(label_of(object, *item)?),
            None => None,
        },
        (None, None) => Some(label_of(object, id)?),
    };
    let found = found.ok_or_else(unknown)?.to_string();
    let is_it = |label: &Label| label.to_string() == found;
    labels.iter().position(is_it).ok_or_else(unknown)
}
