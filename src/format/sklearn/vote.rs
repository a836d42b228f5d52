//! Voting and bagging: estimators whose members answer, and what is made of the answers.
//!
//! Sources: `sklearn/ensemble/_voting.py` and `_bagging.py` of 0.24 to 1.9.

use super::answer::{answer, probabilities};
use super::column::Column;
use super::engine::Engine;
use super::fitted::{Finished, Fitted};
use super::forests::{of_trees, tree_takes_missing};
use super::formula::Formula;
use super::grove::{Grove, class_shares};
use super::inputs::{Inputs, numbers};
use super::labels::{labels, task_of};
use super::object::{Object, reals};
use super::steps::members;
use crate::error::Result;
use crate::forest::Target;
use crate::outcome::{Label, Task};

/// The columns of a classifier's probabilities and the task that they are.
pub(super) fn shown_probabilities(mut columns: Vec<Column>, labels: Vec<Label>) -> Finished {
    if labels.len() == 2 {
        columns.drain(..columns.len().min(1));
    }
    (columns, Fitted::columns(task_of(labels)))
}

/// The weights of members that are not dropped; 1 each where there are none.
fn weights(object: &Object, count: usize) -> Result<Vec<f64>> {
    let Some(id) = object.find("weights") else {
        return Ok(vec![1.0; count]);
    };
    let mut weights =
        reals(object.arena, id).ok_or_else(|| object.refuse("its weights are not numbers"))?;
    if weights.len() != count {
        let is_kept = |id: &_| {
            let pair = object.arena.items(*id).unwrap_or_default();
            pair.get(1)
                .is_some_and(|part| object.arena.record(*part).is_some())
        };
        let mut kept = object.list("estimators")?.iter().map(is_kept);
        weights.retain(|_| kept.next().unwrap_or(false));
    }
    if weights.len() != count {
        return Err(object.refuse("its weights do not fit its members"));
    }
    Ok(weights)
}

/// `VotingClassifier` and `VotingRegressor`.
pub(super) fn voting(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Finished> {
    let members = members(object, "estimators_")?;
    let weights = weights(object, members.len())?;
    let is_classifier = object.class().1 == "VotingClassifier";
    let labels = if is_classifier {
        labels(object)?
    } else {
        Vec::new()
    };
    let is_soft = object.text("voting") == "soft";
    let mut answers = Vec::new();
    for member in &members {
        let own = answer(member, columns, inputs)?;
        if is_classifier && is_soft {
            let found = probabilities(member, &own, labels.len(), inputs)?;
            answers.extend(found.ok_or_else(|| member.refuse("it has no probabilities"))?);
        } else {
            answers.extend(own.predictions(inputs));
        }
    }
    if !is_classifier || is_soft {
        let width = if is_classifier { labels.len() } else { 1 };
        if answers.len() != width * members.len() {
            return Err(object.refuse("its members answer with more or fewer numbers than it"));
        }
        let mean = inputs.push(answers, Engine::Formula(Formula::mean(weights, width)));
        return Ok(if is_classifier {
            shown_probabilities(mean, labels)
        } else {
            (mean, Fitted::columns(Task::Value))
        });
    }
    let width = labels.len();
    let formula = Formula::new("pipeline", width, weights.len(), move |values, output| {
        for (class, weight) in values.iter().zip(&weights) {
            if let Some(votes) = output.get_mut(*class as usize) {
                *votes += weight;
            }
        }
    });
    let task = Task::Classes {
        labels,
        probabilities: false,
    };
    Ok((answers, Fitted::plain(Engine::Formula(formula), task)))
}

/// `BaggingClassifier` and `BaggingRegressor`.
pub(super) fn bagging(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let is_classifier = object.class().1 == "BaggingClassifier";
    let labels = if is_classifier {
        labels(object)?
    } else {
        Vec::new()
    };
    let grove = Grove::new(object, columns.len())?;
    let divisor = grove.members.len() as f64;
    let complete = |member: &Object| {
        let classes = member
            .array("classes_")
            .map(super::super::python::numpy::Array::len);
        classes.is_ok_and(|count| count == labels.len())
    };
    if grove.is_of_trees() && (!is_classifier || grove.members.iter().all(complete)) {
        numbers(object, columns, inputs)?;
        let width = if is_classifier {
            labels.len().max(1)
        } else {
            grove.output_count()?
        };
        let has_weights = is_classifier && !grove.members[0].is_since(1, 4);
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
        let task = if is_classifier {
            task_of(labels)
        } else {
            values(width)
        };
        let fitted = Fitted {
            takes_missing: object.is_since(1, 3) && tree_takes_missing(&grove.members[0]),
            ..Fitted::plain(of_trees(forest, divisor), task)
        };
        return Ok((columns.to_vec(), fitted));
    }
    let mut answers = Vec::new();
    let mut are_votes = false;
    for (index, member) in grove.members.iter().enumerate() {
        let own = answer(member, &grove.columns(index, columns), inputs)?;
        if !is_classifier {
            answers.extend(own.predictions(inputs));
            continue;
        }
        if let Some(found) = probabilities(member, &own, labels.len(), inputs)? {
            answers.extend(found);
        } else {
            are_votes = true;
            answers.extend(own.predictions(inputs));
        }
    }
    let count = grove.members.len();
    let width = if is_classifier {
        labels.len().max(1)
    } else {
        (answers.len() / count).max(1)
    };
    let expected = if are_votes { count } else { count * width };
    if answers.len() != expected {
        return Err(object.refuse("its members answer with more or fewer numbers than it"));
    }
    let formula = if are_votes {
        Formula::new("pipeline", width, 0, move |values, output| {
            for class in values {
                if let Some(votes) = output.get_mut(*class as usize) {
                    *votes += 1.0 / count as f64;
                }
            }
        })
    } else {
        Formula::mean(vec![1.0; count], width)
    };
    let mean = inputs.push(answers, Engine::Formula(formula));
    Ok(if is_classifier {
        shown_probabilities(mean, labels)
    } else {
        (mean, Fitted::columns(values(width)))
    })
}

/// One number a row, or so many.
fn values(width: usize) -> Task {
    match width {
        1 => Task::Value,
        _ => Task::Values((0..width).map(|output| output.to_string()).collect()),
    }
}
