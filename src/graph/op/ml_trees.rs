//! `ai.onnx.ml`: tree ensembles. Labels and second classes follow ONNX Runtime.
//!
//! Owns the operators; the trees are [`VotingTrees`].

use super::ml_features::labels;
use super::ml_scores::{TRANSFORMS, Transform, labelled, logistic};
use super::ml_trees_compact::CompactTrees;
use super::ml_trees_listed::with_listed;
use super::ml_trees_read::{Reals, Votes};
use super::ml_trees_vote::{AGGREGATES, Aggregate, Base, VotingTrees};
use crate::error::{Error, Result};
use crate::graph::entry::{Entry, ML};
use crate::graph::layout::length_of;
use crate::graph::operator::{Built, Definition, several, single};
use crate::graph::tensor::{Data, Tensor, element_count};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("TreeEnsembleRegressor", 1, 1, regressor)
        .of(ML)
        .family("forest")
        .blocks()
        .by_row(),
    Entry::new("TreeEnsembleClassifier", 1, 1, classifier)
        .of(ML)
        .family("forest")
        .blocks()
        .by_row(),
    Entry::new("TreeEnsemble", 1, 1, ensemble)
        .of(ML)
        .family("forest")
        .blocks()
        .by_row(),
];

/// The scores as a tensor, each row transformed.
fn finished(
    scores: &[f64],
    rows: usize,
    targets: usize,
    transform: Transform,
    is_double: bool,
) -> Result<Tensor> {
    if is_double && transform == Transform::None {
        return Tensor::new(vec![rows, targets], scores.to_vec());
    }
    let mut scores: Vec<f32> = scores.iter().map(|score| *score as f32).collect();
    // ONNX Runtime leaves a single target alone, but for the probit.
    if targets > 1 || transform == Transform::Probit {
        scores
            .chunks_exact_mut(targets.max(1))
            .for_each(|row| transform.apply(row));
    }
    Tensor::new(vec![rows, targets], scores)
}

fn base_values(node: &Definition) -> Result<Vec<f64>> {
    Ok(Reals::of(node, "base_values")?.0.iter().collect())
}

fn target_count(node: &Definition) -> Result<usize> {
    let count = length_of(node.int("n_targets", 1)?)?;
    if count == 0 {
        Err(Error::failed("an ensemble without outputs"))
    } else {
        element_count(&[count])
    }
}

fn regressor(node: &Definition) -> Result<Built> {
    let targets = target_count(node)?;
    let aggregate =
        AGGREGATES[node.choice("aggregate_function", &["AVERAGE", "SUM", "MIN", "MAX"], 1)?];
    let base = Base {
        values: base_values(node)?,
        is_for_all: false,
    };
    let scorer = with_listed(node, "target", targets, |listing| {
        VotingTrees::new(listing, aggregate, base, targets)
    })?;
    let transform = Transform::of(node)?;
    let memory_bytes = scorer.memory_bytes();
    let built = single(move |call| {
        let (scores, rows) = scorer.scores(call.value(0)?)?;
        finished(&scores, rows, targets, transform, false)
    })?;
    Ok(built.holding(memory_bytes))
}

fn ensemble(node: &Definition) -> Result<Built> {
    let targets = target_count(node)?;
    let listing = CompactTrees::of(node, targets)?;
    let choice = |name: &str, default: i64| {
        usize::try_from(node.int(name, default)?)
            .map_err(|_| Error::failed(format!("`{name}` is out of range")))
    };
    let aggregate = *AGGREGATES
        .get(choice("aggregate_function", 1)?)
        .ok_or_else(|| Error::failed("an unknown aggregate"))?;
    let transform = *TRANSFORMS
        .get(choice("post_transform", 0)?)
        .ok_or_else(|| Error::failed("an unknown transform"))?;
    let scorer = VotingTrees::new(
        &listing,
        aggregate,
        Base {
            values: Vec::new(),
            is_for_all: false,
        },
        targets,
    )?;
    let memory_bytes = scorer.memory_bytes();
    let built = single(move |call| {
        let value = call.value(0)?;
        let (scores, rows) = scorer.scores(value)?;
        let is_double = value
            .tensor()
            .is_ok_and(|data| matches!(data.data(), Data::Double(_)));
        finished(&scores, rows, targets, transform, is_double)
    })?;
    Ok(built.holding(memory_bytes))
}

fn classifier(node: &Definition) -> Result<Built> {
    let labels = labels(node, "classlabels_strings", "classlabels_int64s")?;
    let classes = labels.len();
    let mut base = base_values(node)?;
    let ((is_one_sided, is_positive, voted, shift), scorer) =
        with_listed(node, "class", classes, |listing| {
            let Votes {
                first_target,
                have_one_target,
                are_positive,
            } = listing.votes();
            let (is_one_sided, voted) = (
                classes == 2 && first_target.is_some() && have_one_target,
                first_target.unwrap_or(0) as usize,
            );
            // A model of two classes that votes for one of them has one score, and may have one
            // base value.
            let shift = if is_one_sided && base.len() == 1 {
                base.pop().filter(|_| voted == 0).unwrap_or(0.0)
            } else {
                0.0
            };
            let scorer = VotingTrees::new(
                listing,
                Aggregate::Sum,
                Base {
                    values: base,
                    is_for_all: true,
                },
                classes,
            )?;
            Ok(((is_one_sided, are_positive, voted, shift), scorer))
        })?;
    let transform = Transform::of(node)?;
    let memory_bytes = scorer.memory_bytes();
    let built = several(move |call| {
        let (votes, rows) = scorer.votes(call.value(0)?)?;
        let mut scores: Vec<f32> = votes
            .iter()
            .map(|score| score.unwrap_or_default() as f32)
            .collect();
        let mut chosen = Vec::with_capacity(rows);
        for (row, votes) in scores
            .chunks_exact_mut(classes)
            .zip(votes.chunks_exact(classes))
        {
            if is_one_sided {
                row[voted] += shift as f32;
                chosen.push(usize::from(
                    row[voted] > if is_positive { 0.5 } else { 0.0 },
                ));
            } else {
                chosen.push(max_voted(row, votes));
            }
            if is_one_sided && voted == 0 {
                row.copy_from_slice(&second_class(row[0], is_positive, transform));
            } else {
                transform.apply(row);
            }
        }
        labelled(&labels, &chosen, Tensor::new(vec![rows, classes], scores)?)
    })?;
    Ok(built.holding(memory_bytes))
}

/// The first class of those with the largest score that some tree votes for; the first of all if
/// there is none.
fn max_voted(scores: &[f32], votes: &[Option<f64>]) -> usize {
    let voted = (0..scores.len()).filter(|class| votes[*class].is_some());
    voted
        .reduce(|best, class| {
            if scores[class] > scores[best] {
                class
            } else {
                best
            }
        })
        .unwrap_or(0)
}

/// The scores of both classes where the trees vote for the first alone, which then stands for the
/// second.
fn second_class(score: f32, is_positive: bool, transform: Transform) -> [f32; 2] {
    match transform {
        Transform::Logistic => [logistic(-score), logistic(score)],
        Transform::Probit => {
            let mut one = [score];
            transform.apply(&mut one);
            [1.0 - one[0], one[0]]
        }
        _ if is_positive => [1.0 - score, score],
        _ => [-score, score],
    }
}
