//! The trees of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: one entry a node in lists of
//! equal length, one entry a vote in others.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::Hash;

use super::ml_trees_read::{
    Found, Listing, Mode, Questions, Reals, Vote, VoteTree, Votes, feature_of, integers, walk,
    wrong,
};
use crate::background::both;
use crate::error::{Error, Result};
use crate::graph::layout::length_of;
use crate::graph::lists::IntegerList;
use crate::graph::operator::{Definition, missing_attribute};

/// Calls `work` with the trees of a node whose votes are in `class_*` or `target_*`.
///
/// # Errors
/// Fails if the lists do not fit each other, and as `work` does.
pub(super) fn with_listed<R>(
    node: &Definition,
    votes: &str,
    target_count: usize,
    work: impl FnOnce(&dyn Listing) -> Result<R>,
) -> Result<R> {
    let of_nodes = [
        "treeids",
        "nodeids",
        "featureids",
        "truenodeids",
        "falsenodeids",
    ]
    .map(|name| integers(node, &format!("nodes_{name}")));
    let of_votes =
        ["treeids", "nodeids", "ids"].map(|name| integers(node, &format!("{votes}_{name}")));
    let lists = of_nodes
        .into_iter()
        .chain(of_votes)
        .collect::<Result<Vec<&IntegerList>>>()?;
    let missing = node.integer_list_of("nodes_missing_value_tracks_true")?;
    let lists = lists.into_iter().chain(missing);
    if let Some(narrow) = lists
        .clone()
        .map(IntegerList::narrow)
        .collect::<Option<Vec<Cow<[i16]>>>>()
    {
        return work(&ListedTrees::of(
            node,
            votes,
            target_count,
            &slices(&narrow),
        )?);
    }
    if let Some(short) = lists
        .clone()
        .map(IntegerList::short)
        .collect::<Option<Vec<Cow<[i32]>>>>()
    {
        return work(&ListedTrees::of(
            node,
            votes,
            target_count,
            &slices(&short),
        )?);
    }
    let long: Vec<Cow<[i64]>> = lists.map(IntegerList::long).collect();
    work(&ListedTrees::of(node, votes, target_count, &slices(&long))?)
}

fn slices<'a, I: Clone>(lists: &'a [Cow<[I]>]) -> Vec<&'a [I]> {
    lists.iter().map(|list| &**list).collect()
}

/// An integer of any width.
trait Whole: Copy + Ord + Hash + Into<i64> + Send + Sync {}

impl Whole for i16 {}
impl Whole for i32 {}
impl Whole for i64 {}

/// The lists of a node's trees.
struct ListedTrees<'a, I> {
    indices: NodeIndex<'a, I>,
    roots: Vec<usize>,
    features: &'a [I],
    yes: &'a [I],
    no: &'a [I],
    /// The kinds of node that there are, and each node's.
    modes: (Vec<Option<Mode>>, &'a [u32]),
    thresholds: Reals<'a>,
    is_double: bool,
    /// Empty, or one for each node.
    missing: &'a [I],
    votes: LeafVotes<'a, I>,
    questions: Questions,
}

impl<'a, I: Whole> ListedTrees<'a, I> {
    fn of(
        node: &'a Definition,
        votes: &str,
        target_count: usize,
        lists: &[&'a [I]],
    ) -> Result<Self> {
        let [
            tree_ids,
            node_ids,
            features,
            yes,
            no,
            vote_trees,
            vote_nodes,
            targets,
            ref missing @ ..,
        ] = *lists
        else {
            return Err(Error::internal("a forest of other lists"));
        };
        let missing = missing.first().copied().unwrap_or_default();
        let modes = node
            .text_list_of("nodes_modes")?
            .ok_or_else(|| missing_attribute("nodes_modes"))?;
        let (thresholds, is_double) = Reals::of(node, "nodes_values")?;
        let count = tree_ids.len();
        if [
            node_ids.len(),
            features.len(),
            yes.len(),
            no.len(),
            modes.indices.len(),
            thresholds.len(),
        ] != [count; 6]
            || !(missing.is_empty() || missing.len() == count)
        {
            return Err(wrong("the `nodes_*` attributes are of different lengths"));
        }
        let indices = NodeIndex::new(tree_ids, node_ids)?;
        let modes = (
            modes
                .distinct
                .iter()
                .map(|name| mode_of(name))
                .collect::<Result<Vec<_>>>()?,
            modes.indices.as_slice(),
        );
        let branches = (0..count)
            .filter_map(|position| Some((position, modes.0[modes.1[position] as usize]?)));
        let asked = branches
            .map(|(position, mode)| (features[position].into(), mode, thresholds.get(position)));
        let votes = VoteLists {
            trees: vote_trees,
            nodes: vote_nodes,
            targets,
            weights: Reals::of(node, &format!("{votes}_weights"))?.0,
        };
        let (votes, (roots, questions)) = both(
            || votes.by_node(target_count, &indices),
            || (roots(tree_ids), Questions::of(asked)),
        )?;
        let (votes, questions) = (votes?, questions?);
        Ok(Self {
            indices,
            roots,
            features,
            yes,
            no,
            modes,
            thresholds,
            is_double,
            missing,
            votes,
            questions,
        })
    }

    fn describe(&self, position: usize) -> Result<Option<Found>> {
        let Some(mode) = self.modes.0[self.modes.1[position] as usize] else {
            return Ok(None);
        };
        let child = |number: I| {
            self.indices
                .find(self.indices.trees[position], number, position)
                .ok_or_else(|| wrong("a branch leads to no node"))
        };
        let missing_is_true = self
            .missing
            .get(position)
            .is_some_and(|flag| (*flag).into() != 0);
        let branch = (
            feature_of(self.features[position].into())?,
            mode,
            self.thresholds.get(position),
            Box::default(),
            missing_is_true,
        );
        Ok(Some(Found {
            branch,
            yes: child(self.yes[position])?,
            no: child(self.no[position])?,
        }))
    }
}

impl<I: Whole> Listing for ListedTrees<'_, I> {
    fn is_double(&self) -> bool {
        self.is_double
    }

    fn tree_count(&self) -> usize {
        self.roots.len()
    }

    fn tree(&self, index: usize) -> Result<VoteTree> {
        walk(
            self.roots[index],
            self.features.len(),
            |position| self.describe(position),
            |position, votes| votes.extend(self.votes.of_leaf(position)),
        )
    }

    fn questions(&self) -> Result<Questions> {
        Ok(self.questions)
    }

    fn votes(&self) -> Votes {
        self.votes.all
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
        other => {
            return Err(Error::contract(format!(
                "branches of the mode `{other}` are not supported"
            )));
        }
    }))
}

/// The first node of each tree, which is its root, in the order of the file.
fn roots<I: Whole>(tree_ids: &[I]) -> Vec<usize> {
    let mut seen = HashSet::new();
    let is_first = |position: &usize| {
        (*position == 0 || tree_ids[*position] != tree_ids[*position - 1])
            && seen.insert(tree_ids[*position])
    };
    (0..tree_ids.len()).filter(is_first).collect()
}

/// Where the node of a tree lies in the lists.
struct NodeIndex<'a, I> {
    trees: &'a [I],
    nodes: &'a [I],
    /// The positions in the order of tree and node, where the lists are in another.
    order: Option<Vec<u32>>,
}

impl<'a, I: Whole> NodeIndex<'a, I> {
    /// Of lists that are equally long.
    fn new(trees: &'a [I], nodes: &'a [I]) -> Result<Self> {
        let mut indices = Self {
            trees,
            nodes,
            order: None,
        };
        let count = u32::try_from(trees.len()).map_err(|_| wrong("there are too many nodes"))?;
        let keys = || trees.iter().zip(nodes);
        if !keys().is_sorted_by(|one, other| one < other) {
            let mut order: Vec<u32> = (0..count).collect();
            order.sort_unstable_by_key(|position| indices.key(*position as usize));
            if order
                .windows(2)
                .any(|pair| indices.key(pair[0] as usize) == indices.key(pair[1] as usize))
            {
                return Err(wrong("two nodes of a tree have one number"));
            }
            indices.order = Some(order);
        }
        Ok(indices)
    }

    fn key(&self, position: usize) -> (I, I) {
        (self.trees[position], self.nodes[position])
    }

    /// `near` is a place to look from: nodes of a tree mostly lie in the order of their numbers.
    fn find(&self, tree: I, node: I, near: usize) -> Option<usize> {
        let (count, number): (usize, i64) = (self.trees.len(), node.into());
        let guess = self.nodes.get(near).and_then(|known| {
            usize::try_from((near as i64).checked_add(number.checked_sub((*known).into())?)?).ok()
        });
        if let Some(guess) =
            guess.filter(|guess| *guess < count && self.key(*guess) == (tree, node))
        {
            return Some(guess);
        }
        // The first of the positions in order that is not before the node.
        let at = |index: usize| {
            self.order
                .as_ref()
                .map_or(index, |order| order[index] as usize)
        };
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            if self.key(at(middle)) < (tree, node) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < count)
            .then(|| at(low))
            .filter(|position| self.key(*position) == (tree, node))
    }
}

/// The lists of votes, each for a node of a tree.
struct VoteLists<'a, I> {
    trees: &'a [I],
    nodes: &'a [I],
    targets: &'a [I],
    weights: Reals<'a>,
}

impl<'a, I: Whole> VoteLists<'a, I> {
    fn by_node(self, target_count: usize, indices: &NodeIndex<I>) -> Result<LeafVotes<'a, I>> {
        let Self {
            trees,
            nodes,
            targets,
            weights,
        } = self;
        if [nodes.len(), targets.len(), weights.len()] != [trees.len(); 3]
            || u32::try_from(trees.len()).is_err()
        {
            return Err(wrong("the votes' attributes are of different lengths"));
        }
        let mut found = Vec::with_capacity(trees.len());
        let mut starts = vec![0_u32; indices.trees.len() + 1];
        let (mut near, mut all) = (0, Votes::NONE);
        for (vote, ((tree, node), target)) in trees.iter().zip(nodes).zip(targets).enumerate() {
            near = indices
                .find(*tree, *node, near)
                .ok_or_else(|| wrong("a vote of no node"))?;
            let target = length_of((*target).into())?;
            if target >= target_count {
                return Err(wrong("a vote for an output that there is not"));
            }
            all = all.with((target as u32, weights.get(vote)));
            starts[near + 1] += 1;
            found.push(near as u32);
        }
        (1..starts.len()).for_each(|position| starts[position] += starts[position - 1]);
        let order = (!found.is_sorted()).then(|| {
            let mut order: Vec<u32> = (0..found.len() as u32).collect();
            // The votes of one node stay in their order.
            order.sort_by_key(|vote| found[*vote as usize]);
            order
        });
        Ok(LeafVotes {
            starts,
            targets,
            weights,
            order,
            all,
        })
    }
}

/// The votes of all leaves.
struct LeafVotes<'a, I> {
    /// Where the votes of each node begin, and where the last end.
    starts: Vec<u32>,
    targets: &'a [I],
    weights: Reals<'a>,
    /// The votes in the order of their nodes' positions, where the lists are in another.
    order: Option<Vec<u32>>,
    all: Votes,
}

impl<I: Whole> LeafVotes<'_, I> {
    fn vote(&self, vote: usize) -> Vote {
        (self.targets[vote].into() as u32, self.weights.get(vote))
    }

    fn of_leaf(&self, position: usize) -> impl Iterator<Item = Vote> + '_ {
        let votes = self.starts[position] as usize..self.starts[position + 1] as usize;
        votes.map(|index| {
            self.vote(
                self.order
                    .as_ref()
                    .map_or(index, |order| order[index] as usize),
            )
        })
    }
}
