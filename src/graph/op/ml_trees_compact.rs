//! The trees of `TreeEnsemble` (`ai.onnx.ml` 5): branches and leaves in lists of their own.

use super::ml_trees_read::{
    Found, Listing, Mode, Questions, Reals, Vote, VoteTree, Votes, feature_of, integers, walk,
    wrong,
};
use crate::error::Result;
use crate::graph::layout::length_of;
use crate::graph::lists::IntegerList;
use crate::graph::operator::{Definition, missing_attribute};
use crate::graph::tensor::Tensor;

/// In the order of their numbers.
const MODES: [Mode; 7] = [
    Mode::LessOrEqual,
    Mode::Less,
    Mode::GreaterOrEqual,
    Mode::Greater,
    Mode::Equal,
    Mode::NotEqual,
    Mode::Member,
];

/// The lists of a node's trees.
pub(super) struct CompactTrees<'a> {
    roots: &'a IntegerList,
    modes: Vec<Mode>,
    splits: Reals<'a>,
    is_double: bool,
    features: &'a IntegerList,
    yes: Children<'a>,
    no: Children<'a>,
    missing: Option<&'a IntegerList>,
    /// What each branch that asks for membership looks the value up in.
    members: Vec<Box<[f64]>>,
    targets: &'a IntegerList,
    weights: Reals<'a>,
}

/// Where branches lead by one answer, and whether to leaves.
#[derive(Clone, Copy)]
struct Children<'a> {
    numbers: &'a IntegerList,
    are_leaves: &'a IntegerList,
}

impl<'a> CompactTrees<'a> {
    /// The lists of a node.
    pub(crate) fn of(node: &'a Definition, target_count: usize) -> Result<Self> {
        let roots = integers(node, "tree_roots")?;
        let modes = node
            .find_tensor("nodes_modes")?
            .ok_or_else(|| missing_attribute("nodes_modes"))?
            .integers()?;
        let (splits, is_double) = Reals::of(node, "nodes_splits")?;
        let features = integers(node, "nodes_featureids")?;
        let yes = Children {
            numbers: integers(node, "nodes_truenodeids")?,
            are_leaves: integers(node, "nodes_trueleafs")?,
        };
        let no = Children {
            numbers: integers(node, "nodes_falsenodeids")?,
            are_leaves: integers(node, "nodes_falseleafs")?,
        };
        let missing = node
            .integer_list_of("nodes_missing_value_tracks_true")?
            .filter(|flags| !flags.is_empty());
        let count = modes.len();
        if [
            splits.len(),
            features.len(),
            yes.numbers.len(),
            no.numbers.len(),
            yes.are_leaves.len(),
            no.are_leaves.len(),
        ] != [count; 6]
            || missing.is_some_and(|flags| flags.len() != count)
        {
            return Err(wrong("the `nodes_*` attributes are of different lengths"));
        }
        let mode = |mode: &i64| {
            usize::try_from(*mode)
                .ok()
                .and_then(|mode| MODES.get(mode))
                .copied()
                .ok_or_else(|| wrong("an unknown mode"))
        };
        let modes = modes.iter().map(mode).collect::<Result<Vec<Mode>>>()?;
        let members = member_sets(node, &modes)?;
        let targets = integers(node, "leaf_targetids")?;
        let (weights, _) = Reals::of(node, "leaf_weights")?;
        if targets.len() != weights.len()
            || targets
                .iter()
                .any(|target| length_of(target).map_or(true, |target| target >= target_count))
        {
            return Err(wrong("the leaves' attributes do not fit"));
        }
        Ok(Self {
            roots,
            modes,
            splits,
            is_double,
            features,
            yes,
            no,
            missing,
            members,
            targets,
            weights,
        })
    }

    /// Leaves are numbered after the branches.
    fn position(&self, number: i64, is_leaf: bool) -> Result<usize> {
        let number = length_of(number)?;
        let (limit, offset) = if is_leaf {
            (self.weights.len(), self.modes.len())
        } else {
            (self.modes.len(), 0)
        };
        if number < limit {
            Ok(number + offset)
        } else {
            Err(wrong("a branch leads to no node"))
        }
    }

    fn describe(&self, position: usize) -> Result<Option<Found>> {
        let Some(&mode) = self.modes.get(position) else {
            return Ok(None);
        };
        let missing_is_true = self.missing.is_some_and(|flags| flags.get(position) != 0);
        let branch = (
            feature_of(self.features.get(position))?,
            mode,
            self.splits.get(position),
            self.members[position].clone(),
            missing_is_true,
        );
        let child = |children: Children| {
            self.position(
                children.numbers.get(position),
                children.are_leaves.get(position) != 0,
            )
        };
        Ok(Some(Found {
            branch,
            yes: child(self.yes)?,
            no: child(self.no)?,
        }))
    }

    fn vote(&self, leaf: usize) -> Vote {
        (self.targets.get(leaf) as u32, self.weights.get(leaf))
    }
}

impl Listing for CompactTrees<'_> {
    fn is_double(&self) -> bool {
        self.is_double
    }

    fn tree_count(&self) -> usize {
        self.roots.len()
    }

    fn tree(&self, index: usize) -> Result<VoteTree> {
        let votes = |position: usize, votes: &mut Vec<Vote>| {
            votes.push(self.vote(position - self.modes.len()));
        };
        walk(
            self.position(self.roots.get(index), false)?,
            2 * self.modes.len() + 1,
            |position| self.describe(position),
            votes,
        )
    }

    fn questions(&self) -> Result<Questions> {
        Questions::of(self.modes.iter().enumerate().map(|(position, mode)| {
            (
                self.features.get(position),
                *mode,
                self.splits.get(position),
            )
        }))
    }

    fn votes(&self) -> Votes {
        (0..self.targets.len()).fold(Votes::NONE, |votes, leaf| votes.with(self.vote(leaf)))
    }
}

/// The members of each `Member` branch, which the file lists one set after another with NaN
/// between.
fn member_sets(node: &Definition, modes: &[Mode]) -> Result<Vec<Box<[f64]>>> {
    let values = node
        .find_tensor("membership_values")?
        .as_ref()
        .map(Tensor::doubles)
        .transpose()?
        .unwrap_or_default();
    let mut sets = values.split(|value| value.is_nan());
    let set = |mode: &Mode| {
        if *mode == Mode::Member {
            sets.next()
                .map(Box::from)
                .ok_or_else(|| wrong("a set without members"))
        } else {
            Ok(Box::default())
        }
    };
    modes.iter().map(set).collect()
}
