//! The three ways in which ONNX writes trees, read to one: branches and leaves with votes.
//!
//! Every index is checked and every tree is walked once, so that no later walk can leave it or go in circles. The lists of a forest are as large as
//! its file, so they are borrowed and searched, not copied into maps.

use std::collections::HashSet;

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
    pub(super) members: Box<[f64]>,
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
    /// The votes of all leaves, and where each leaf's end.
    votes: Vec<(u32, f64)>,
    ends: Vec<u32>,
}

impl VoteTree {
    pub(super) fn leaf_count(&self) -> usize {
        self.ends.len()
    }

    /// The votes of a leaf: (target, weight).
    pub(super) fn leaf(&self, leaf: usize) -> &[(u32, f64)] {
        let start = leaf.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.votes[start..self.ends[leaf] as usize]
    }

    /// The votes of each leaf.
    pub(super) fn leaves(&self) -> impl Iterator<Item = &[(u32, f64)]> {
        (0..self.leaf_count()).map(|leaf| self.leaf(leaf))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self.branches.as_slice()) + size_of_val(self.votes.as_slice()) + size_of_val(self.ends.as_slice())
    }

    /// The votes of all leaves.
    pub(super) fn votes(&self) -> &[(u32, f64)] {
        &self.votes
    }
}

/// The numbers of an attribute, or of the one that ends in `_as_tensor`; true if they are in double precision.
pub(super) fn reals(node: &Definition, name: &str) -> Result<(Vec<f64>, bool)> {
    if let Some(Attribute::Tensor(tensor)) = node.attributes.get(&format!("{name}_as_tensor")).or_else(|| node.attributes.get(name)) {
        return Ok((tensor.doubles()?, tensor.element_type() == ElementType::Double));
    }
    Ok((node.floats_of(name)?.unwrap_or_default().iter().map(|value| f64::from(*value)).collect(), false))
}

fn integers<'a>(node: &'a Definition, name: &str) -> Result<&'a [i64]> {
    node.ints_of(name)?.ok_or_else(|| lacks(name))
}

fn wrong(what: &str) -> Error {
    Error::failed(format!("the trees are broken: {what}"))
}

fn feature_of(number: i64) -> Result<u32> {
    u32::try_from(number).ok().filter(|&feature| feature < 1 << 24).ok_or_else(|| wrong("a feature's number is out of range"))
}

/// Where the node of a tree lies in the lists.
struct Places<'a> {
    trees: &'a [i64],
    nodes: &'a [i64],
    /// The places in the order of tree and node, where the lists are in another.
    order: Vec<u32>,
}

impl<'a> Places<'a> {
    fn new(trees: &'a [i64], nodes: &'a [i64]) -> Result<Self> {
        let key = |place: usize| (trees[place], nodes[place]);
        let count = u32::try_from(trees.len()).map_err(|_| wrong("there are too many nodes"))?;
        let mut order = Vec::new();
        if !(1..trees.len()).all(|place| key(place - 1) < key(place)) {
            order = (0..count).collect();
            order.sort_unstable_by_key(|place| key(*place as usize));
            if order.windows(2).any(|pair| key(pair[0] as usize) == key(pair[1] as usize)) {
                return Err(wrong("two nodes of a tree have one number"));
            }
        }
        Ok(Self { trees, nodes, order })
    }

    /// `near` is a place to look from: nodes of a tree mostly lie in the order of their numbers.
    fn find(&self, tree: i64, node: i64, near: usize) -> Option<usize> {
        let key = |place: usize| (self.trees[place], self.nodes[place]);
        let guess = self.nodes.get(near).and_then(|known| usize::try_from((near as i64).checked_add(node.checked_sub(*known)?)?).ok());
        if let Some(guess) = guess.filter(|guess| *guess < self.trees.len() && key(*guess) == (tree, node)) {
            return Some(guess);
        }
        if self.order.is_empty() {
            let (start, end) = (self.trees.partition_point(|known| *known < tree), self.trees.partition_point(|known| *known <= tree));
            return self.nodes[start..end].binary_search(&node).ok().map(|index| start + index);
        }
        self.order.binary_search_by_key(&(tree, node), |place| key(*place as usize)).ok().map(|index| self.order[index] as usize)
    }
}

/// The trees of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`; votes are in `class_*` or `target_*`. True if in double precision.
pub(super) fn read_listed(node: &Definition, votes: &str, target_count: usize) -> Result<(Vec<VoteTree>, bool)> {
    let (tree_ids, node_ids) = (integers(node, "nodes_treeids")?, integers(node, "nodes_nodeids")?);
    let (features, yes, no) = (integers(node, "nodes_featureids")?, integers(node, "nodes_truenodeids")?, integers(node, "nodes_falsenodeids")?);
    let modes = node.strings_of("nodes_modes")?.ok_or_else(|| lacks("nodes_modes"))?;
    let (thresholds, is_double) = reals(node, "nodes_values")?;
    let missing = node.ints_of("nodes_missing_value_tracks_true")?.unwrap_or_default();
    let count = tree_ids.len();
    if [node_ids.len(), features.len(), yes.len(), no.len(), modes.len(), thresholds.len()] != [count; 6]
        || !(missing.is_empty() || missing.len() == count)
    {
        return Err(wrong("the `nodes_*` attributes are of different lengths"));
    }
    let places = Places::new(tree_ids, node_ids)?;
    let leaf_votes = LeafVotes::new(node, votes, target_count, &places)?;
    let mut seen = HashSet::new();
    let roots: Vec<usize> = (0..count).filter(|place| seen.insert(tree_ids[*place])).collect();
    let mut trees = Vec::with_capacity(roots.len());
    for root in roots {
        let child = |parent: usize, number: i64| places.find(tree_ids[parent], number, parent).ok_or_else(|| wrong("a branch leads to no node"));
        let describe = |place: usize| -> Result<Option<Found>> {
            let Some(mode) = mode_of(&modes[place])? else { return Ok(None) };
            let missing_is_true = missing.get(place).is_some_and(|flag| *flag != 0);
            let branch = (feature_of(features[place])?, mode, thresholds[place], Box::default(), missing_is_true);
            Ok(Some(Found { branch, yes: child(place, yes[place])?, no: child(place, no[place])? }))
        };
        trees.push(walk(root, count, describe, |place, votes| {
            leaf_votes.add(place, votes);
            Ok(())
        })?);
    }
    Ok((trees, is_double))
}

/// The votes of all leaves, in the order of the leaves' places.
struct LeafVotes {
    /// Where the votes of each place begin, and where the last end.
    starts: Vec<u32>,
    votes: Vec<(u32, f64)>,
}

impl LeafVotes {
    fn new(node: &Definition, votes: &str, target_count: usize, places: &Places) -> Result<Self> {
        let attribute = |suffix: &str| integers(node, &format!("{votes}_{suffix}"));
        let (trees, nodes, targets) = (attribute("treeids")?, attribute("nodeids")?, attribute("ids")?);
        let (weights, _) = reals(node, &format!("{votes}_weights"))?;
        if [nodes.len(), targets.len(), weights.len()] != [trees.len(); 3] || u32::try_from(trees.len()).is_err() {
            return Err(wrong("the votes' attributes are of different lengths"));
        }
        let mut found = Vec::with_capacity(trees.len());
        let mut starts = vec![0_u32; places.trees.len() + 1];
        let mut near = 0;
        for ((tree, node), target) in trees.iter().zip(nodes).zip(targets) {
            near = places.find(*tree, *node, near).ok_or_else(|| wrong("a vote of no node"))?;
            if length_of(*target)? >= target_count {
                return Err(wrong("a vote for an output that there is not"));
            }
            starts[near + 1] += 1;
            found.push(near as u32);
        }
        (1..starts.len()).for_each(|place| starts[place] += starts[place - 1]);
        let mut next = starts.clone();
        let mut sorted = vec![(0, 0.0); found.len()];
        for (vote, place) in found.into_iter().enumerate() {
            let index = &mut next[place as usize];
            sorted[*index as usize] = (targets[vote] as u32, weights[vote]);
            *index += 1;
        }
        Ok(Self { starts, votes: sorted })
    }

    fn add(&self, place: usize, to: &mut Vec<(u32, f64)>) {
        to.extend_from_slice(&self.votes[self.starts[place] as usize..self.starts[place + 1] as usize]);
    }
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
    branch: (u32, Mode, f64, Box<[f64]>, bool),
    yes: usize,
    no: usize,
}

/// Numbers the nodes below a root from 0 on, branches and leaves apart. A node that is met twice is refused.
fn walk(
    root: usize,
    node_count: usize,
    describe: impl Fn(usize) -> Result<Option<Found>>,
    votes: impl Fn(usize, &mut Vec<(u32, f64)>) -> Result<()>,
) -> Result<VoteTree> {
    let mut tree = VoteTree { root: Child::Leaf(0), branches: Vec::new(), votes: Vec::new(), ends: Vec::new() };
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
                votes(place, &mut tree.votes)?;
                tree.ends.push(u32::try_from(tree.votes.len()).map_err(|_| wrong("there are too many votes"))?);
                Child::Leaf(tree.ends.len() as u32 - 1)
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
    tree.branches.shrink_to_fit();
    tree.votes.shrink_to_fit();
    tree.ends.shrink_to_fit();
    Ok(tree)
}

/// The trees of `TreeEnsemble` (version 5). True if in double precision.
pub(super) fn read_compact(node: &Definition, target_count: usize) -> Result<(Vec<VoteTree>, bool)> {
    let roots = integers(node, "tree_roots")?;
    let modes = node.find_tensor("nodes_modes")?.ok_or_else(|| lacks("nodes_modes"))?.integers()?;
    let (splits, is_double) = reals(node, "nodes_splits")?;
    let (features, yes, no) = (integers(node, "nodes_featureids")?, integers(node, "nodes_truenodeids")?, integers(node, "nodes_falsenodeids")?);
    let (yes_leaf, no_leaf) = (integers(node, "nodes_trueleafs")?, integers(node, "nodes_falseleafs")?);
    let missing = node.ints_of("nodes_missing_value_tracks_true")?.unwrap_or_default();
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
    let votes = |place: usize, votes: &mut Vec<(u32, f64)>| {
        votes.push((targets[place - count] as u32, weights[place - count]));
        Ok(())
    };
    let root_of = |root: &i64| child(*root, 0);
    let limit = 2 * count + 1;
    let trees = roots.iter().map(|root| walk(root_of(root)?, limit, describe, votes)).collect::<Result<Vec<VoteTree>>>()?;
    Ok((trees, is_double))
}

/// The members of each `Member` branch, which the file lists one set after another with NaN between.
fn member_sets(node: &Definition, modes: &[i64]) -> Result<Vec<Box<[f64]>>> {
    let values = node.find_tensor("membership_values")?.as_ref().map(Tensor::doubles).transpose()?.unwrap_or_default();
    let mut sets = values.split(|value| value.is_nan());
    let set = |mode: &i64| if *mode == 6 { sets.next().map(Box::from).ok_or_else(|| wrong("a set without members")) } else { Ok(Box::default()) };
    modes.iter().map(set).collect()
}
