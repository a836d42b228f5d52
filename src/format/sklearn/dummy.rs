//! Dummy estimators, which answer without reading anything.
//!
//! Source: `sklearn/dummy.py` of 0.24 to 1.9.

use super::engine::Engine;
use super::fitted::Fitted;
use super::formula::{Formula, largest};
use super::labels::{labels, labels_of, task_of};
use super::object::Object;
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
        return Err(object.refuse("several outputs of classes are not supported"));
    }
    let labels = labels(object)?;
    let priors = object.reals("class_prior_")?;
    if priors.len() != labels.len() || labels.is_empty() {
        return Err(object.refuse("its priors do not fit its classes"));
    }
    let one = |class: usize| -> Vec<f64> {
        (0..labels.len())
            .map(|index| f64::from(u8::from(index == class)))
            .collect()
    };
    let first = largest(&priors);
    let (class, odds) = match object.text("strategy") {
        "prior" | "" => (first, priors),
        "most_frequent" => (first, one(first)),
        "constant" => {
            let class = constant(object, &labels)?;
            (class, one(class))
        }
        other => {
            return Err(object.refuse(&format!(
                "the strategy `{other}` answers at random, which cannot be repeated"
            )));
        }
    };
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

fn constant(object: &Object, labels: &[Label]) -> Result<usize> {
    let unknown = || object.refuse("its constant is not one of its classes");
    let id = object.need("constant")?;
    let found = match object.arena.array(id) {
        Some(array) => labels_of(object, array)?.swap_remove(0).to_string(),
        None => match object.arena.text(id) {
            Some(text) => text.to_owned(),
            None => super::object::real(object.arena, id)
                .ok_or_else(unknown)?
                .to_string(),
        },
    };
    let is_it = |label: &Label| label.to_string() == found;
    labels.iter().position(is_it).ok_or_else(unknown)
}
