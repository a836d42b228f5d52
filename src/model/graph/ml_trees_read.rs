//! The three ways in which ONNX writes trees, read to one: branches and leaves with votes.
//!
//! Every index is checked and every tree is walked once, so that no later walk can leave it or go in circles.

use std::collections::HashMap;

use super::layout::length_of;
use super::operator::{Attribute, Definition, lacks};
use super::tensor::{ElementType, Tensor};
use crate::error::{Error, Result};
use crate::model::forest::ensemble::Child;

/// What a branch asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    Member,
}

/// One question and where its answers lead.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) feature: u32,
    pub(super) mode: Mode,
    pub(super) threshold: f64,
    /// What a `Member` branch looks the value up in.
    pub(super) members: Vec<f64>,
    /// Whether NaN follows the true branch.
    pub(super) missing_is_true: bool,
    pub(super) yes: Child,
    pub(super) no: Child,
}

/// A tree; a leaf is its votes: (target, weight).
#[derive(Clone, Debug)]
pub(super) struct VoteTree {
    pub(super) root: Child,
    pub(super) branches: Vec<Branch>,
    pub(super) leaves: Vec<Vec<(usize, f64)>>,
}

/// The numbers of an attribute, or of the one that ends in `_as_tensor`; true if they are in double precision.
pub(super) fn reals(node: &Definition, name: &str) -> Result<(Vec<f64>, bool)> {
    if let Some(Attribute::Tensor(tensor)) = node.attributes.get(&format!("{name}_as_tensor")).or_else(|| node.attributes.get(name)) {
        return Ok((tensor.doubles()?, tensor.element_type() == ElementType::Double));
    }
    Ok((node.find_floats(name)?.unwrap_or_default().into_iter().map(f64::from).collect(), false))
}

fn integers(node: &Definition, name: &str) -> Result<Vec<i64>> {
    node.find_ints(name)?.ok_or_else(|| lacks(name))
}

fn wrong(what: &str) -> Error {
    Error::failed(format!("the trees are broken: {what}"))
}

fn feature_of(number: i64) -> Result<u32> {
    u32::try_from(number).ok().filter(|&feature| feature < 1 << 24).ok_or_else(|| wrong("a feature's number is out of range"))
}

/// The trees of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`; votes are in `class_*` or `target_*`. True if in double precision.
pub(super) fn read_listed(node: &Definition, votes: &str, target_count: usize) -> Result<(Vec<VoteTree>, bool)> {
    let (tree_ids, node_ids) = (integers(node, "nodes_treeids")?, integers(node, "nodes_nodeids")?);
    let (features, yes, no) = (integers(node, "nodes_featureids")?, integers(node, "nodes_truenodeids")?, integers(node, "nodes_falsenodeids")?);
    let modes = node.find_strings("nodes_modes")?.ok_or_else(|| lacks("nodes_modes"))?;
    let (thresholds, is_double) = reals(node, "nodes_values")?;
    let missing = node.find_ints("nodes_missing_value_tracks_true")?.unwrap_or_default();
    let count = tree_ids.len();
    if [node_ids.len(), features.len(), yes.len(), no.len(), modes.len(), thresholds.len()] != [count; 6]
        || !(missing.is_empty() || missing.len() == count)
    {
        return Err(wrong("the `nodes_*` attributes are of different lengths"));
    }
    let mut places = HashMap::with_capacity(count);
    for place in 0..count {
        if places.insert((tree_ids[place], node_ids[place]), place).is_some() {
            return Err(wrong("two nodes of a tree have one number"));
        }
    }
    let mut leaf_votes = votes_by_node(node, votes, target_count, &places)?;
    let mut roots: Vec<usize> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    (0..count).filter(|place| seen.insert(tree_ids[*place])).for_each(|place| roots.push(place));
    let mut trees = Vec::with_capacity(roots.len());
    for root in roots {
        let child = |parent: usize, number: i64| places.get(&(tree_ids[parent], number)).copied().ok_or_else(|| wrong("a branch leads to no node"));
        let describe = |place: usize| -> Result<Option<Found>> {
            let Some(mode) = mode_of(&modes[place])? else { return Ok(None) };
            let missing_is_true = missing.get(place).is_some_and(|flag| *flag != 0);
            let branch = (feature_of(features[place])?, mode, thresholds[place], Vec::new(), missing_is_true);
            Ok(Some(Found { branch, yes: child(place, yes[place])?, no: child(place, no[place])? }))
        };
        trees.push(walk(root, count, describe, |place| Ok(leaf_votes.remove(&place).unwrap_or_default()))?);
    }
    Ok((trees, is_double))
}

fn votes_by_node(
    node: &Definition,
    votes: &str,
    target_count: usize,
    places: &HashMap<(i64, i64), usize>,
) -> Result<HashMap<usize, Vec<(usize, f64)>>> {
    let attribute = |suffix: &str| integers(node, &format!("{votes}_{suffix}"));
    let (trees, nodes, targets) = (attribute("treeids")?, attribute("nodeids")?, attribute("ids")?);
    let (weights, _) = reals(node, &format!("{votes}_weights"))?;
    if [nodes.len(), targets.len(), weights.len()] != [trees.len(); 3] {
        return Err(wrong("the votes' attributes are of different lengths"));
    }
    let mut by_node: HashMap<usize, Vec<(usize, f64)>> = HashMap::new();
    for (((tree, node), target), weight) in trees.iter().zip(&nodes).zip(&targets).zip(&weights) {
        let place = *places.get(&(*tree, *node)).ok_or_else(|| wrong("a vote of no node"))?;
        let target = length_of(*target)?;
        if target >= target_count {
            return Err(wrong("a vote for an output that there is not"));
        }
        by_node.entry(place).or_default().push((target, *weight));
    }
    Ok(by_node)
}

/// None for a leaf.
fn mode_of(name: &str) -> Result<Option<Mode>> {
    Ok(Some(match name {
        "LEAF" => return Ok(None),
        "BRANCH_LEQ" => Mode::LessOrEqual,
        "BRANCH_LT" => Mode::Less,
        "BRANCH_GTE" => Mode::GreaterOrEqual,
        "BRANCH_GT" => Mode::Greater,
        "BRANCH_EQ" => Mode::Equal,
        "BRANCH_NEQ" => Mode::NotEqual,
        other => return Err(Error::contract(format!("branches of the mode `{other}` are not supported"))),
    }))
}

struct Found {
    branch: (u32, Mode, f64, Vec<f64>, bool),
    yes: usize,
    no: usize,
}

/// Numbers the nodes below a root from 0 on, branches and leaves apart. A node that is met twice is refused.
fn walk(
    root: usize,
    node_count: usize,
    describe: impl Fn(usize) -> Result<Option<Found>>,
    mut votes: impl FnMut(usize) -> Result<Vec<(usize, f64)>>,
) -> Result<VoteTree> {
    let mut tree = VoteTree { root: Child::Leaf(0), branches: Vec::new(), leaves: Vec::new() };
    // (place in the file, branch that leads here and whether by yes)
    let mut open: Vec<(usize, Option<(usize, bool)>)> = vec![(root, None)];
    let mut met = 0;
    while let Some((place, parent)) = open.pop() {
        met += 1;
        if met > node_count {
            return Err(wrong("a tree goes in circles"));
        }
        let child = match describe(place)? {
            None => {
                tree.leaves.push(votes(place)?);
                Child::Leaf(tree.leaves.len() as u32 - 1)
            }
            Some(Found { branch: (feature, mode, threshold, members, missing_is_true), yes, no }) => {
                let index = tree.branches.len();
                open.push((no, Some((index, false))));
                open.push((yes, Some((index, true))));
                let nowhere = Child::Leaf(u32::MAX);
                tree.branches.push(Branch { feature, mode, threshold, members, missing_is_true, yes: nowhere, no: nowhere });
                Child::Node(index as u32)
            }
        };
        match parent {
            None => tree.root = child,
            Some((parent, true)) => tree.branches[parent].yes = child,
            Some((parent, false)) => tree.branches[parent].no = child,
        }
    }
    Ok(tree)
}

/// The trees of `TreeEnsemble` (version 5). True if in double precision.
pub(super) fn read_compact(node: &Definition, target_count: usize) -> Result<(Vec<VoteTree>, bool)> {
    let roots = integers(node, "tree_roots")?;
    let modes = node.find_tensor("nodes_modes")?.ok_or_else(|| lacks("nodes_modes"))?.integers()?;
    let (splits, is_double) = reals(node, "nodes_splits")?;
    let (features, yes, no) = (integers(node, "nodes_featureids")?, integers(node, "nodes_truenodeids")?, integers(node, "nodes_falsenodeids")?);
    let (yes_leaf, no_leaf) = (integers(node, "nodes_trueleafs")?, integers(node, "nodes_falseleafs")?);
    let missing = node.find_ints("nodes_missing_value_tracks_true")?.unwrap_or_default();
    let count = modes.len();
    if [splits.len(), features.len(), yes.len(), no.len(), yes_leaf.len(), no_leaf.len()] != [count; 6]
        || !(missing.is_empty() || missing.len() == count)
    {
        return Err(wrong("the `nodes_*` attributes are of different lengths"));
    }
    let members = member_sets(node, &modes)?;
    let targets = integers(node, "leaf_targetids")?;
    let (weights, _) = reals(node, "leaf_weights")?;
    if targets.len() != weights.len() || targets.iter().any(|target| length_of(*target).map_or(true, |target| target >= target_count)) {
        return Err(wrong("the leaves' attributes do not fit"));
    }
    // Leaves are numbered after the branches.
    let child = |number: i64, is_leaf: i64| {
        let number = length_of(number)?;
        let (limit, offset) = if is_leaf != 0 { (weights.len(), count) } else { (count, 0) };
        if number < limit { Ok(number + offset) } else { Err(wrong("a branch leads to no node")) }
    };
    let all = [Mode::LessOrEqual, Mode::Less, Mode::GreaterOrEqual, Mode::Greater, Mode::Equal, Mode::NotEqual, Mode::Member];
    let describe = |place: usize| -> Result<Option<Found>> {
        if place >= count {
            return Ok(None);
        }
        let mode = *usize::try_from(modes[place]).ok().and_then(|mode| all.get(mode)).ok_or_else(|| wrong("an unknown mode"))?;
        let missing_is_true = missing.get(place).is_some_and(|flag| *flag != 0);
        let branch = (feature_of(features[place])?, mode, splits[place], members[place].clone(), missing_is_true);
        Ok(Some(Found { branch, yes: child(yes[place], yes_leaf[place])?, no: child(no[place], no_leaf[place])? }))
    };
    let votes = |place: usize| Ok(vec![(length_of(targets[place - count])?, weights[place - count])]);
    let root_of = |root: &i64| child(*root, 0);
    let limit = 2 * count + 1;
    let trees = roots.iter().map(|root| walk(root_of(root)?, limit, describe, votes)).collect::<Result<Vec<VoteTree>>>()?;
    Ok((trees, is_double))
}

/// The members of each `Member` branch, which the file lists one set after another with NaN between.
fn member_sets(node: &Definition, modes: &[i64]) -> Result<Vec<Vec<f64>>> {
    let values = node.find_tensor("membership_values")?.as_ref().map(Tensor::doubles).transpose()?.unwrap_or_default();
    let mut sets = values.split(|value| value.is_nan());
    let set = |mode: &i64| if *mode == 6 { sets.next().map(<[f64]>::to_vec).ok_or_else(|| wrong("a set without members")) } else { Ok(Vec::new()) };
    modes.iter().map(set).collect()
}
