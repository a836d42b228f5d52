//! `AdaBoost`: weighted votes of classifiers, weighted medians of regressors.
//!
//! Source: `sklearn/ensemble/_weight_boosting.py` of 0.24 to 1.9.

use super::answer::{answer, probabilities};
use super::column::{Column, Step};
use super::engine::Engine;
use super::fitted::{Finished, Fitted};
use super::forests::of_trees;
use super::formula::{Formula, largest, logistic};
use super::grove::{Grove, class_shares};
use super::inputs::{Inputs, numbers};
use super::labels::labels;
use super::object::Object;
use super::steps::members;

use crate::error::Result;
use crate::forest::Target;
use crate::outcome::{Link, Task};

/// How members vote: by their classes, or by their probabilities (up to 1.5).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vote {
    /// Up to 1.2 the other classes got nothing, since then −1 / (classes − 1).
    ClassAlone,
    Class,
    Probability,
}

fn vote(object: &Object) -> Result<Vote> {
    match object.text("algorithm") {
        "SAMME.R" => Ok(Vote::Probability),
        "SAMME" if !object.is_since(1, 3) => Ok(Vote::ClassAlone),
        "SAMME" | "deprecated" | "" => Ok(Vote::Class),
        other => Err(object.refuse(&format!("the algorithm `{other}` is not known"))),
    }
}

/// What a member with these probabilities adds, before its weight.
fn added(vote: Vote, shares: &[f64]) -> Vec<f64> {
    let others = shares.len() as f64 - 1.0;
    if vote != Vote::Probability {
        let class = largest(shares);
        let other = if vote == Vote::Class {
            -1.0 / others
        } else {
            0.0
        };
        let one = |index: usize| if index == class { 1.0 } else { other };
        return (0..shares.len()).map(one).collect();
    }
    let logs: Vec<f64> = shares
        .iter()
        .map(|share| share.max(f64::EPSILON).ln())
        .collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    logs.into_iter().map(|log| others * (log - mean)).collect()
}

/// The sums of the votes divided by the weights, one column a class.
fn votes(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<(Vec<Column>, usize)> {
    let vote = vote(object)?;
    let width = labels(object)?.len();
    if width < 2 {
        return Err(object.refuse("a classifier of one class is not supported"));
    }
    let weights = object.reals("estimator_weights_")?;
    let grove = Grove::new(object, columns.len())?;
    let count = grove.members.len();
    if weights.len() < count {
        return Err(object.refuse("its weights do not fit its members"));
    }
    let sum: f64 = weights.iter().sum();
    let is_complete = |member: &Object| labels(member).is_ok_and(|own| own.len() == width);
    if grove.is_of_trees() && grove.members.iter().all(is_complete) {
        numbers(object, columns, inputs)?;
        inputs.reject_missing(columns);
        let has_weights = !object.is_since(1, 4);
        let forest = grove.forest(
            object,
            vec![0.0; width],
            Target::All,
            |index, leaf, sums| {
                let shares: Vec<f64> = class_shares(leaf.values, width, has_weights).collect();
                let weight = if vote == Vote::Probability {
                    1.0
                } else {
                    weights[index]
                };
                let added = added(vote, &shares).into_iter();
                sums.extend(added.map(|value| value * weight));
            },
        )?;
        let votes = inputs.push(columns.to_vec(), of_trees(forest, sum));
        return Ok((votes, width));
    }
    let mut answers = Vec::new();
    for member in &grove.members {
        let own = answer(member, columns, inputs)?;
        // Members see the labels as they are; all of them know all.
        if own.labels() != Some(labels(object)?) {
            return Err(member.refuse("its classes are not those of the estimator around it"));
        }
        if vote == Vote::Probability {
            let found = probabilities(member, &own, width, inputs)?;
            answers.extend(found.ok_or_else(|| member.refuse("it has no probabilities"))?);
        } else {
            answers.extend(own.predictions(inputs));
        }
    }
    let formula = Formula::new("pipeline", width, weights.len(), move |values, output| {
        let are_shares = vote == Vote::Probability;
        let runs = values.chunks_exact(if are_shares { width } else { 1 });
        for (own, weight) in runs.zip(&weights) {
            let (shares, weight) = if are_shares {
                (own.to_vec(), 1.0)
            } else {
                let share = |class| f64::from(u8::from(class as f64 == own[0]));
                ((0..width).map(share).collect::<Vec<f64>>(), *weight)
            };
            for (to, value) in output.iter_mut().zip(added(vote, &shares)) {
                *to += value * weight;
            }
        }
        output.iter_mut().for_each(|value| *value /= sum);
    });
    Ok((inputs.push(answers, Engine::Formula(formula)), width))
}

/// `decision_function`: one column for two classes, else one a class.
pub(super) fn decisions(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let (votes, width) = votes(object, columns, inputs)?;
    if width > 2 {
        return Ok(votes);
    }
    let formula = Formula::new("forest", 1, 0, |values, output| {
        output[0] = values[1] - values[0];
    });
    Ok(inputs.push(votes, Engine::Formula(formula)))
}

/// `AdaBoostClassifier`.
pub(super) fn classifier(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let decisions = decisions(object, columns, inputs)?;
    let labels = labels(object)?;
    if labels.len() == 2 {
        // Softmax of ∓d/2, where the decision is d.
        let columns = decisions
            .into_iter()
            .map(|one| one.then([Step::Function(logistic)]))
            .collect();
        return Ok((columns, Fitted::columns(super::labels::task_of(labels))));
    }
    let others = labels.len() as f64 - 1.0;
    let columns = decisions
        .into_iter()
        .map(|one| one.then([Step::Divide(others)]))
        .collect();
    let task = Task::Classes {
        labels,
        probabilities: true,
    };
    let fitted = Fitted {
        link: Link::Softmax,
        ..Fitted::columns(task)
    };
    Ok((columns, fitted))
}

/// `AdaBoostRegressor`: the median of the members' values by their weights.
pub(super) fn regressor(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    // It looks for them whatever its members take.
    inputs.reject_missing(columns);
    let members = members(object, "estimators_")?;
    let mut weights = object.reals("estimator_weights_")?;
    if weights.len() < members.len() {
        return Err(object.refuse("its weights do not fit its members"));
    }
    weights.truncate(members.len());
    let mut answers = Vec::new();
    for member in &members {
        answers.extend(answer(member, columns, inputs)?.predictions(inputs));
    }
    let formula = Formula::new("pipeline", 1, weights.len(), move |values, output| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
        let mut sums = Vec::with_capacity(order.len());
        let mut sum = 0.0;
        for index in &order {
            sum += weights[*index];
            sums.push(sum);
        }
        let at = sums.iter().position(|one| *one >= 0.5 * sum).unwrap_or(0);
        output[0] = values[order[at]];
    });
    Ok((
        answers,
        Fitted::plain(Engine::Formula(formula), Task::Value),
    ))
}
