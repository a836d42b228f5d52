//! Several classifiers for several classes, and several outputs: one-vs-rest, one-vs-one,
//! multi-output and chains.
//!
//! Sources: `sklearn/multiclass.py` and `multioutput.py` of 0.24 to 1.9.

use super::answer::{Answer, answer};
use super::column::{Column, Step};
use super::engine::Engine;
use super::fitted::{Finished, Fitted, same_count};
use super::formula::{Formula, pairwise, squared_distance};
use super::inputs::Inputs;
use super::labels::{labels, labels_of, task_of, values_of};
use super::neighbors::nearest_of;
use super::object::{Object, positions};
use super::steps::members;
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

/// What decides between two classes: the decision, else the probability of the second.
fn binary_score(
    member: &Object,
    own: &Answer,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<(Column, f64)> {
    if let Some(mut found) = inputs.decisions(member, columns)?
        && found.len() == 1
    {
        return Ok((found.swap_remove(0), 0.0));
    }
    if own.labels().is_none() {
        let mut values = own.predictions(inputs);
        if values.len() == 1 {
            return Ok((values.swap_remove(0), 0.5));
        }
    }
    let positive = own.probabilities(inputs).and_then(|mut all| all.pop());
    let positive = positive.ok_or_else(|| member.refuse("it decides between no two classes"))?;
    Ok((positive, 0.5))
}

/// A member that always says the same, whatever it reads: its answer.
fn constant(member: &Object) -> Result<Option<f64>> {
    if member.class() != ("multiclass", "_ConstantPredictor") {
        return Ok(None);
    }
    let value = member.reals("y_")?;
    Ok(Some(value.first().copied().unwrap_or(0.0)))
}

/// `OneVsRestClassifier`.
pub(super) fn one_vs_rest(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let binarizer = object.attribute("label_binarizer_")?;
    let labels = labels(&binarizer)?;
    let members = members(object, "estimators_")?;
    let is_multilabel = binarizer.text("y_type_").starts_with("multilabel");
    let (mut scores, mut odds) = (Vec::new(), Vec::new());
    let mut thresholds = Vec::new();
    for member in &members {
        if let Some(value) = constant(member)? {
            let always = Formula::new("pipeline", 1, 1, move |_, output| output[0] = value);
            let made = inputs.push(Vec::new(), Engine::Formula(always));
            scores.push(made[0].clone());
            odds.push(made[0].clone());
            thresholds.push(0.5);
            continue;
        }
        let own = answer(member, columns, inputs)?;
        let (score, threshold) = binary_score(member, &own, columns, inputs)?;
        scores.push(score);
        thresholds.push(threshold);
        odds.extend(own.probabilities(inputs).and_then(|mut all| all.pop()));
    }
    let has_odds = odds.len() == members.len();
    if is_multilabel {
        same_count(object, labels.len(), members.len())?;
        return Ok(multilabel(&labels, scores, &thresholds, odds));
    }
    if members.len() == 1 && labels.len() == 2 {
        let (score, threshold) = (scores.swap_remove(0), thresholds[0]);
        if has_odds {
            return Ok((odds, Fitted::columns(task_of(labels))));
        }
        let predicted = score.then([Step::Above(threshold)]);
        let shown = vec![Shown::label("prediction", labels)];
        return Ok((vec![predicted], Fitted::columns(Task::Listed(shown))));
    }
    same_count(object, labels.len(), members.len())?;
    // Up to 1.7 the last of equal classes is predicted.
    let decided = if object.is_since(1, 8) {
        Formula::largest()
    } else {
        Formula::last_largest()
    };
    let mut made = inputs.push(scores, Engine::Formula(decided));
    let mut shown = vec![Shown::label("prediction", labels.clone())];
    if has_odds {
        let shares = Formula::new("pipeline", labels.len(), 0, |values, output| {
            let sum: f64 = values.iter().sum();
            for (to, value) in output.iter_mut().zip(values) {
                *to = if sum == 0.0 { *value } else { value / sum };
            }
        });
        made.extend(inputs.push(odds, Engine::Formula(shares)));
        let names = labels.iter().map(|label| format!("probability_{label}"));
        shown.extend(names.map(Shown::number));
    }
    Ok((made, Fitted::columns(Task::Listed(shown))))
}

/// For each label whether it is predicted, and how probable it is.
pub(super) fn multilabel(
    labels: &[Label],
    scores: Vec<Column>,
    thresholds: &[f64],
    odds: Vec<Column>,
) -> Finished {
    let threshold = thresholds.first().copied().unwrap_or(0.5);
    let flags = vec![Label::Integer(0), Label::Integer(1)];
    let mut made: Vec<Column> = scores
        .into_iter()
        .map(|score| score.then([Step::Above(threshold)]))
        .collect();
    let mut shown: Vec<Shown> = labels
        .iter()
        .map(|label| Shown::label(format!("prediction_{label}"), flags.clone()))
        .collect();
    if odds.len() == labels.len() {
        made.extend(odds);
        let names = labels.iter().map(|label| format!("probability_{label}"));
        shown.extend(names.map(Shown::number));
    }
    (made, Fitted::columns(Task::Listed(shown)))
}

/// `OneVsOneClassifier`: votes of all pairs, with their decisions between ties.
pub(super) fn one_vs_one(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    if object.find("pairwise_indices_").is_some() {
        return Err(object.refuse("precomputed kernels are not supported"));
    }
    let labels = labels(object)?;
    let count = labels.len();
    let members = members(object, "estimators_")?;
    same_count(object, members.len(), count * (count.max(1) - 1) / 2)?;
    let (mut predictions, mut scores) = (Vec::new(), Vec::new());
    let mut threshold = 0.0;
    let mut are_classifiers = true;
    for member in &members {
        let own = answer(member, columns, inputs)?;
        are_classifiers &= own.labels().is_some();
        predictions.extend(own.predictions(inputs));
        let (score, its) = binary_score(member, &own, columns, inputs)?;
        scores.push(score);
        threshold = its;
    }
    if count == 2 && are_classifiers {
        let predicted = scores.swap_remove(0).then([Step::Above(threshold)]);
        let shown = vec![Shown::label("prediction", labels)];
        return Ok((vec![predicted], Fitted::columns(Task::Listed(shown))));
    }
    predictions.extend(scores);
    let formula = Formula::new("pipeline", count, 0, move |values, output| {
        let (classes, scores) = values.split_at(values.len() / 2);
        // A regressor votes where it predicts the number of a class.
        let vote = |class: f64| (class == 0.0 || class == 1.0).then_some(class == 1.0);
        pairwise(count, output, |pair| (vote(classes[pair]), scores[pair]));
    });
    if count == 2 {
        let mut votes = inputs.push(predictions, Engine::Formula(formula));
        let predicted = votes.swap_remove(1).then([Step::Above(threshold)]);
        let shown = vec![Shown::label("prediction", labels)];
        return Ok((vec![predicted], Fitted::columns(Task::Listed(shown))));
    }
    let task = Task::Classes {
        labels,
        probabilities: false,
    };
    Ok((predictions, Fitted::plain(Engine::Formula(formula), task)))
}

/// `OutputCodeClassifier`: the class whose code is nearest to the decisions of all members.
pub(super) fn output_codes(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let labels = labels(object)?;
    let members = members(object, "estimators_")?;
    let codes = object.matrix("code_book_")?;
    same_count(object, codes.rows, labels.len())?;
    same_count(object, codes.columns, members.len())?;
    let mut scores = Vec::new();
    for member in &members {
        if let Some(value) = constant(member)? {
            let always = Formula::new("pipeline", 1, 1, move |_, output| output[0] = value);
            scores.extend(inputs.push(Vec::new(), Engine::Formula(always)));
            continue;
        }
        let own = answer(member, columns, inputs)?;
        scores.push(binary_score(member, &own, columns, inputs)?.0);
    }
    let task = Task::Classes {
        labels,
        probabilities: false,
    };
    let formula = nearest_of(codes.values, members.len(), squared_distance);
    Ok((scores, Fitted::plain(Engine::Formula(formula), task)))
}

/// What one member gives, and the columns that the next members of a chain read.
type Part<T> = (T, Vec<Column>);

/// Members that each predict one output. Those of a chain read the columns of the table and the
/// answers of the members before them.
struct Outputs<'a> {
    object: &'a Object<'a>,
    members: Vec<Object<'a>>,
    /// The output that each member is of; none for members that are no chain.
    order: Option<Vec<usize>>,
}

impl<'a> Outputs<'a> {
    fn new(object: &'a Object<'a>) -> Result<Self> {
        let members = members(object, "estimators_")?;
        if !object.class().1.ends_with("Chain") {
            let order = None;
            return Ok(Self {
                object,
                members,
                order,
            });
        }
        let (count, order) = (members.len(), object.need("order_")?);
        let order = positions(object.arena, order)
            .filter(|order| order.len() == count && (0..count).all(|one| order.contains(&one)));
        let order = order.ok_or_else(|| object.refuse("its order is not one of its members"))?;
        let order = Some(order);
        Ok(Self {
            object,
            members,
            order,
        })
    }

    /// What `finish` makes of each member's answer, in the order of the outputs. It gets the
    /// member, its index and its output, and gives what the next members read, too.
    fn each<T>(
        &self,
        columns: &[Column],
        inputs: &mut Inputs,
        mut finish: impl FnMut(&Self, usize, usize, &Answer, &mut Inputs) -> Result<Part<T>>,
    ) -> Result<Vec<T>> {
        let mut read = columns.to_vec();
        let mut made: Vec<Option<T>> = self.members.iter().map(|_| None).collect();
        for (index, member) in self.members.iter().enumerate() {
            let own = answer(member, &read, inputs)?;
            let output = self.order.as_ref().map_or(index, |order| order[index]);
            let (one, next) = finish(self, index, output, &own, inputs)?;
            if self.order.is_some() {
                let is_sparse = read.iter().any(|column| column.is_sparse);
                read.extend(next.into_iter().map(|column| Column {
                    is_sparse,
                    ..column
                }));
            }
            made[output] = Some(one);
        }
        Ok(made.into_iter().flatten().collect())
    }

    /// The labels of a member.
    fn labels(&self, index: usize, own: &Answer) -> Result<Vec<Label>> {
        let (object, member) = (self.object, &self.members[index]);
        let labels = own
            .labels()
            .ok_or_else(|| member.refuse("it has no classes"))?;
        if self.order.is_none() && object.find("classes_").is_some() {
            let listed = object.list("classes_")?;
            if let Some(array) = listed.get(index).and_then(|id| object.arena.array(*id)) {
                return labels_of(object, array);
            }
        }
        Ok(labels)
    }
}

/// `MultiOutputRegressor` and `RegressorChain`.
pub(super) fn regressors(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let outputs = Outputs::new(object)?;
    let made = outputs.each(columns, inputs, |outputs, index, _, own, inputs| {
        let mut values = own.predictions(inputs);
        if values.len() != 1 {
            return Err(outputs.members[index].refuse("it has more than one output"));
        }
        let value = values.swap_remove(0);
        Ok((value.clone(), vec![value]))
    })?;
    let names = (0..made.len()).map(|output| output.to_string());
    Ok((made, Fitted::columns(Task::Values(names.collect()))))
}

/// `MultiOutputClassifier` and `ClassifierChain`.
pub(super) fn classifiers(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let outputs = Outputs::new(object)?;
    let is_chain = outputs.order.is_some();
    let parts = outputs.each(columns, inputs, |outputs, index, output, own, inputs| {
        let labels = outputs.labels(index, own)?;
        let predicted = own.predictions(inputs);
        let mut next = Vec::new();
        let method = object.text("chain_method_");
        let read = match method {
            "predict_proba" => own.probabilities(inputs),
            "decision_function" => own.decisions(),
            _ => None,
        };
        if let Some(read) = read {
            // Of two classes what says how likely the second is.
            next.extend(
                read.into_iter()
                    .skip(usize::from(method == "predict_proba")),
            );
        } else if is_chain && !matches!(method, "" | "predict") {
            let member = &outputs.members[index];
            return Err(member.refuse(&format!("`chain_method` is `{method}`, which it has not")));
        } else if is_chain {
            let values = values_of(&labels).ok_or_else(|| {
                outputs.members[index].refuse("a chain of classes that are not numbers")
            })?;
            let step = Step::Table(values.into(), f64::NAN);
            next.extend(predicted.iter().map(|one| one.clone().then([step.clone()])));
        }
        Ok((
            class_columns(output, &labels, predicted, own.probabilities(inputs)),
            next,
        ))
    })?;
    let (made, shown): (Vec<Vec<Column>>, Vec<Vec<Shown>>) = parts.into_iter().unzip();
    let task = Task::Listed(shown.into_iter().flatten().collect());
    Ok((made.into_iter().flatten().collect(), Fitted::columns(task)))
}

/// The columns of one output of several classes, and what they are called.
pub(super) fn class_columns(
    output: usize,
    labels: &[Label],
    predicted: Vec<Column>,
    odds: Option<Vec<Column>>,
) -> (Vec<Column>, Vec<Shown>) {
    let mut made = predicted;
    let mut shown = class_names(output, labels);
    match odds {
        Some(odds) => made.extend(odds.into_iter().skip(usize::from(labels.len() == 2))),
        None => shown.truncate(1),
    }
    (made, shown)
}

/// The columns of one output of several classes: its prediction, then its probabilities; of two
/// classes that of the second.
pub(super) fn class_names(output: usize, labels: &[Label]) -> Vec<Shown> {
    let name = format!("prediction_{output}");
    let mut shown = vec![Shown::label(name, labels.to_vec())];
    if labels.len() == 2 {
        shown.push(Shown::number(format!("probability_{output}")));
    } else {
        let names = labels.iter();
        let names = names.map(|label| format!("probability_{output}_{label}"));
        shown.extend(names.map(Shown::number));
    }
    shown
}
