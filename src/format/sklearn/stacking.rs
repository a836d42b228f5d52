//! Stacking: an estimator that reads what others answer.
//!
//! Owns which answers it reads, of one output or of several labels a row. Source:
//! `sklearn/ensemble/_stacking.py` of 0.24 to 1.9.

use super::answer::{Answer, answer};
use super::class_outputs::labels_of_outputs;
use super::column::{Column, Step};
use super::fitted::{Finished, Fitted, broken};
use super::inputs::Inputs;
use super::labels::{has_outputs, labels};
use super::multiple::class_columns;
use super::object::Object;
use super::steps::{bare, members};
use crate::error::Result;
use crate::outcome::{Label, Task};

/// What a stacking estimator predicts.
enum Target {
    Value,
    Classes(Vec<Label>),
    /// The classes of each of several labels.
    Labels(Vec<Vec<Label>>),
}

impl Target {
    fn of(object: &Object) -> Result<Self> {
        if object.class().1 != "StackingClassifier" {
            return Ok(Self::Value);
        }
        if has_outputs(object, "classes_") {
            return labels_of_outputs(object).map(Self::Labels);
        }
        labels(object).map(Self::Classes)
    }

    /// Whether the first column of probabilities is left out: those of two classes, and by the
    /// same test those of two labels.
    fn drops_first(&self) -> bool {
        match self {
            Self::Value => false,
            Self::Classes(labels) => labels.len() == 2,
            Self::Labels(outputs) => outputs.len() == 2,
        }
    }
}

/// `StackingClassifier` and `StackingRegressor`.
pub(super) fn stacking(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let members = members(object, "estimators_")?;
    let methods = object.list("stack_method_")?;
    let methods: Vec<&str> = methods
        .iter()
        .map(|id| object.arena.text(*id).unwrap_or_default())
        .collect();
    if methods.len() != members.len() {
        return Err(object.refuse("its members do not fit `stack_method_`"));
    }
    let target = Target::of(object)?;
    // Others are fitted on the numbers of the classes.
    let is_fitted_before = object.text("cv") == "prefit";
    let mut answers = Vec::new();
    for (member, method) in members.iter().zip(methods) {
        let missing = || member.refuse(&format!("it has no `{method}`"));
        match method {
            "predict_proba" => {
                let own = answer(member, columns, inputs)?;
                let found = probabilities(&target, member, &own, inputs)?;
                answers.extend(found.ok_or_else(missing)?);
            }
            "decision_function" => {
                answers.extend(inputs.decisions(member, columns)?.ok_or_else(missing)?);
            }
            "predict" => {
                let own = answer(member, columns, inputs)?;
                let values = if is_fitted_before {
                    own.predicted_values(inputs)
                } else {
                    Some(own.all_predictions(inputs))
                };
                answers.extend(values.ok_or_else(|| member.refuse("its classes are texts"))?);
            }
            _ => return Err(missing()),
        }
    }
    if object.flag("passthrough") {
        let is_sparse = columns.iter().any(|column| column.is_sparse);
        answers.extend(columns.iter().cloned());
        let all = answers.iter_mut();
        all.for_each(|column| column.is_sparse = is_sparse);
    }
    let last = object.attribute("final_estimator_")?;
    if let Target::Labels(labels) = &target {
        let own = answer(&last, &answers, inputs)?;
        return several(&last, &own, labels, inputs);
    }
    let (columns, fitted) = inputs.finish(&last, answers)?;
    let task = match target {
        Target::Classes(labels) => renamed(&last, fitted.task, labels)?,
        _ => fitted.task,
    };
    Ok((columns, Fitted { task, ..fitted }))
}

/// The probabilities of a member that a stacking estimator reads.
fn probabilities(
    target: &Target,
    member: &Object,
    own: &Answer,
    inputs: &mut Inputs,
) -> Result<Option<Vec<Column>>> {
    let Target::Labels(_) = target else {
        let found = own.probabilities(inputs);
        let first = usize::from(target.drops_first());
        return Ok(found.map(|all| all.into_iter().skip(first).collect()));
    };
    let Some(odds) = own.odds_of_outputs(inputs) else {
        return Ok(None);
    };
    let mut odds: Vec<Column> = odds.into_iter().flatten().collect();
    let (package, name) = bare(member)?.class();
    if name == "StackingClassifier" {
        // Its `predict_proba` of several labels is that of the first class of each.
        let opposite = |one: Column| one.then([Step::Multiply(-1.0), Step::Add(1.0)]);
        odds = odds.into_iter().map(opposite).collect();
    }
    // Others give one matrix an output.
    let gives_one_matrix = matches!(package, "neural_network" | "multiclass" | "")
        || matches!(name, "ClassifierChain" | "StackingClassifier");
    if gives_one_matrix && target.drops_first() {
        odds.drain(..odds.len().min(1));
    }
    Ok(Some(odds))
}

/// The classes of several labels, as the last estimator predicts them, and the probability of the
/// second class of each.
fn several(
    last: &Object,
    own: &Answer,
    labels: &[Vec<Label>],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let unfit = || last.refuse("its outputs are not those of the estimator around it");
    let predicted = own.all_predictions(inputs);
    let odds = own.odds_of_outputs(inputs);
    let has_as_many = |odds: &Vec<Option<Column>>| odds.len() == labels.len();
    let fits = predicted.len() == labels.len() && odds.as_ref().is_none_or(has_as_many);
    if !fits || labels.iter().any(|labels| labels.len() > 2) {
        return Err(unfit());
    }
    let mut odds = odds.map(Vec::into_iter);
    let (mut made, mut shown) = (Vec::new(), Vec::new());
    for (output, (labels, predicted)) in labels.iter().zip(predicted).enumerate() {
        let own = match &mut odds {
            None => None,
            // The class is its index, 0.
            Some(odds) if labels.len() == 1 => {
                odds.next();
                Some(vec![predicted.clone().then([Step::Add(1.0)])])
            }
            Some(odds) => {
                let second = odds.next().flatten().ok_or_else(unfit)?;
                Some(vec![second.clone(), second])
            }
        };
        let (columns, names) = class_columns(output, labels, vec![predicted], own);
        made.extend(columns);
        shown.extend(names);
    }
    Ok((made, Fitted::columns(Task::Listed(shown))))
}

/// The task with the labels of an outer classifier, whose classes are numbers for the inner one.
fn renamed(inner: &Object, task: Task, found: Vec<Label>) -> Result<Task> {
    let fits = match &task {
        Task::Binary { .. } => found.len() == 2,
        Task::Classes { labels, .. } => labels.len() == found.len(),
        _ => false,
    };
    if !fits {
        return Err(inner.refuse("its classes are not those of the estimator around it"));
    }
    Ok(match task {
        Task::Binary { threshold, .. } => match <[Label; 2]>::try_from(found) {
            Ok(labels) => Task::Binary { labels, threshold },
            Err(_) => return broken("two classes have other labels than two"),
        },
        Task::Classes { probabilities, .. } => Task::Classes {
            labels: found,
            probabilities,
        },
        other => other,
    })
}
