//! The trees of an ensemble, and how they become a forest.
//!
//! Owns which features each member reads and what its leaves hold. It must not know what an
//! ensemble makes of the answers of its trees.

use super::column::Column;
use super::object::{Object, positions};
use super::tree::{Leaf, of_estimator};
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::forest::{Forest, Frame, Target};

/// Fails if trees share their nodes: each is laid out on its own, so a small file could make a
/// large forest.
pub(super) fn not_repeated(object: &Object, members: &[Object], tree: &str) -> Result<()> {
    /// What an inflated archive may hold more than its file.
    const INFLATED: usize = 16;
    let mut bytes = 0_usize;
    for member in members {
        let holder = if tree.is_empty() {
            member.clone()
        } else {
            member.attribute(tree)?
        };
        let nodes = holder.array("nodes")?;
        bytes = bytes.saturating_add(nodes.len().saturating_mul(nodes.data_type.size));
    }
    if bytes > object.arena.file_bytes().saturating_mul(INFLATED) {
        return Err(Error::failed("the file repeats its trees over and over")
            .hint("no library writes such a file: do not trust where it is from"));
    }
    Ok(())
}

pub(super) fn frame(feature_count: usize, base: Vec<f64>) -> Frame {
    Frame {
        precision: Precision::Double,
        feature_count,
        base,
        scale: 1.0,
        bias: Vec::new(),
    }
}

/// How the trees of an ensemble are read.
pub(super) struct Grove<'a> {
    pub(super) members: Vec<Object<'a>>,
    /// For each member the features that it reads; empty where all read all, in order.
    pub(super) features: Vec<Vec<usize>>,
    /// The number of columns.
    pub(super) count: usize,
}

impl<'a> Grove<'a> {
    /// The members of an ensemble.
    pub(super) fn new(object: &Object<'a>, count: usize) -> Result<Self> {
        let list = object.list("estimators_")?.iter().enumerate();
        let members: Vec<Object> = list
            .map(|(index, id)| object.part(&format!("estimators_[{index}]"), *id))
            .collect::<Result<_>>()?;
        if members.is_empty() {
            return Err(object.refuse("it has no trees"));
        }
        let mut features = Vec::new();
        if object.find("estimators_features_").is_some() {
            for id in object.list("estimators_features_")? {
                let chosen = positions(object.arena, *id)
                    .filter(|chosen| chosen.iter().all(|feature| *feature < count));
                features.push(
                    chosen.ok_or_else(|| {
                        object.refuse("a member reads a column that there is not")
                    })?,
                );
            }
            if features.len() != members.len() {
                return Err(object.refuse("its members do not fit their features"));
            }
            let all: Vec<usize> = (0..count).collect();
            if features.iter().all(|chosen| *chosen == all) {
                features.clear();
            }
        }
        Ok(Self {
            members,
            features,
            count,
        })
    }

    /// The members of an ensemble, or the tree that the estimator is.
    pub(super) fn of(object: &Object<'a>, count: usize) -> Result<Self> {
        if object.class().0 != "tree" {
            return Self::new(object, count);
        }
        Ok(Self {
            members: vec![object.clone()],
            features: Vec::new(),
            count,
        })
    }

    /// The columns that a member reads.
    pub(super) fn columns(&self, index: usize, columns: &[Column]) -> Vec<Column> {
        match self.features.get(index) {
            Some(features) => features.iter().map(|one| columns[*one].clone()).collect(),
            None => columns.to_vec(),
        }
    }

    /// The outputs of members that are trees.
    pub(super) fn output_count(&self) -> Result<usize> {
        let first = self.members[0].attribute("tree_")?;
        match *first.array("values")?.shape {
            [_, outputs, 1] if outputs > 0 => Ok(outputs),
            _ => Err(first.refuse("its values are not those of a regression")),
        }
    }

    /// Whether all members are trees.
    pub(super) fn is_of_trees(&self) -> bool {
        self.members.iter().all(|member| member.class().0 == "tree")
    }

    /// The trees, each leaf of which adds what `leaf` makes of its values.
    pub(super) fn forest(
        &self,
        object: &Object,
        base: Vec<f64>,
        target: Target,
        leaf: impl Fn(usize, &Leaf<'_>, &mut Vec<f64>) + Send + Sync,
    ) -> Result<Forest> {
        not_repeated(object, &self.members, "tree_")?;
        let trees = self.members.iter().enumerate().map(|(index, member)| {
            let features = self.features.get(index).map(Vec::as_slice);
            of_estimator(member, self.count, features, target, |values, added| {
                leaf(index, values, added);
            })
        });
        Forest::new(&frame(self.count, base), trees)
    }
}

/// The shares of the classes in a leaf. Up to 1.3 a leaf of a classifier holds weights, since 1.4
/// fractions.
pub(super) fn class_shares(
    values: &[f64],
    width: usize,
    has_weights: bool,
) -> impl Iterator<Item = f64> + '_ {
    let used = &values[..values.len().min(width)];
    let sum: f64 = used.iter().sum();
    let sum = if sum == 0.0 || !has_weights { 1.0 } else { sum };
    used.iter()
        .map(move |value| if has_weights { value / sum } else { *value })
}
