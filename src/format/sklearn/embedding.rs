//! `RandomTreesEmbedding`: for each tree the leaf of a row, as a column for each leaf.
//!
//! Source: `sklearn/ensemble/_forest.py` of 0.24 to 1.9.

use super::column::{COLUMNS_LIMIT, Column, Step};
use super::forests::of_trees;
use super::grove::{frame, not_repeated};
use super::inputs::Inputs;
use super::object::{Object, reals};
use super::steps::members;
use super::tree::of_estimator;
use crate::error::Result;
use crate::forest::{Forest, Target};

/// A column for each leaf of each tree, 1 where it is the row's.
///
/// # Errors
/// A contract error for trees that do not fit the encoder of their leaves; fails for broken trees.
pub(super) fn embedded(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let trees = members(object, "estimators_")?;
    not_repeated(object, &trees, "tree_")?;
    let encoder = object.attribute("one_hot_encoder_")?;
    let leaves = encoder.list("categories_")?;
    if leaves.len() != trees.len() {
        return Err(object.refuse("it encodes the leaves of more or fewer trees than it has"));
    }
    let count = columns.len();
    let of_tree = |(index, tree): (usize, &Object)| {
        let target = Target::Margin(index as u32);
        of_estimator(tree, count, None, target, |leaf, added| {
            added.push(leaf.node() as f64);
        })
    };
    let frame = frame(count, vec![0.0; trees.len()]);
    let forest = Forest::new(&frame, trees.iter().enumerate().map(of_tree))?;
    let takes_missing = object.is_since(1, 6);
    if !takes_missing {
        inputs.reject_missing(&columns);
    }
    let reached = inputs.push_reading(columns, of_trees(forest, 1.0), !takes_missing);
    let mut made = Vec::new();
    for (tree, known) in reached.into_iter().zip(leaves) {
        let known = reals(encoder.arena, *known)
            .ok_or_else(|| encoder.refuse("its categories are not leaves"))?;
        if made.len() + known.len() > COLUMNS_LIMIT {
            return Err(object.refuse("it makes more than a million columns"));
        }
        made.extend(
            known
                .into_iter()
                .map(|leaf| tree.clone().then([Step::Equals(leaf)])),
        );
    }
    Ok(made)
}
