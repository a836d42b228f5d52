//! Trees as ONNX means them, whichever way they are written: branches, and leaves with votes.
//!
//! Every index is checked, and a tree is walked once when it is read, so that no later walk can
//! leave it or go in circles. The lists of a forest are as large as its file: they are borrowed,
//! and each tree is read of them when it is needed.

use crate::error::{Error, Result};
use crate::forest::ensemble::Child;
use crate::graph::lists::IntegerList;
use crate::graph::operator::{Attribute, Definition, missing_attribute};
use crate::graph::tensor::ElementType;

/// What a branch asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    Member,
}

impl Mode {
    /// Whether it asks which of two numbers is greater.
    pub(crate) fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual | Self::Member)
    }
}

/// One question and where its answers lead.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) feature: u32,
    pub(crate) mode: Mode,
    pub(crate) threshold: f64,
    /// What a `Member` branch looks the value up in.
    pub(crate) members: Box<[f64]>,
    /// Whether NaN follows the true branch.
    pub(crate) missing_is_true: bool,
    pub(crate) yes: Child,
    pub(crate) no: Child,
}

/// What a leaf gives an output: (target, weight).
pub(super) type Vote = (u32, f64);

/// A tree; a leaf is its votes.
#[derive(Clone, Debug)]
pub(crate) struct VoteTree {
    pub(crate) root: Child,
    pub(crate) branches: Vec<Branch>,
    /// The votes of all leaves, and where each leaf's end.
    votes: Vec<Vote>,
    ends: Vec<u32>,
}

impl VoteTree {
    pub(crate) fn leaf_count(&self) -> usize {
        self.ends.len()
    }

    /// The votes of a leaf.
    pub(crate) fn leaf(&self, leaf: usize) -> &[Vote] {
        let start = leaf
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        &self.votes[start..self.ends[leaf] as usize]
    }

    /// The votes of each leaf.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = &[Vote]> {
        (0..self.leaf_count()).map(|leaf| self.leaf(leaf))
    }

    /// The same tree in no more memory than it needs, to be kept.
    pub(crate) fn shrunk(mut self) -> Self {
        self.branches.shrink_to_fit();
        self.votes.shrink_to_fit();
        self.ends.shrink_to_fit();
        self
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(self.branches.as_slice())
            + size_of_val(self.votes.as_slice())
            + size_of_val(self.ends.as_slice())
    }

    /// The votes of all leaves.
    pub(crate) fn votes(&self) -> &[Vote] {
        &self.votes
    }
}

/// What branches ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Questions {
    /// The number of features that they read.
    pub(crate) feature_count: usize,
    /// Whether every branch asks which of two numbers is greater, and none of a NaN.
    pub(crate) are_ordered: bool,
}

impl Questions {
    /// Of branches: (feature, mode, threshold).
    pub(crate) fn of(mut branches: impl Iterator<Item = (i64, Mode, f64)>) -> Result<Self> {
        branches.try_fold(
            Self {
                feature_count: 0,
                are_ordered: true,
            },
            |all, (feature, mode, threshold)| {
                let feature_count = all.feature_count.max(feature_of(feature)? as usize + 1);
                Ok(Self {
                    feature_count,
                    are_ordered: all.are_ordered && mode.is_order() && !threshold.is_nan(),
                })
            },
        )
    }
}

/// What leaves vote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Votes {
    /// The target of the first vote of the file.
    pub(crate) first_target: Option<u32>,
    /// Whether all votes are for that one.
    pub(crate) have_one_target: bool,
    /// Whether no vote is negative or a NaN.
    pub(crate) are_positive: bool,
}

impl Votes {
    /// No vote yet.
    pub(crate) const NONE: Self = Self {
        first_target: None,
        have_one_target: true,
        are_positive: true,
    };

    /// With the next vote of the file.
    pub(crate) fn with(self, (target, weight): Vote) -> Self {
        let first = self.first_target.unwrap_or(target);
        Self {
            first_target: Some(first),
            have_one_target: self.have_one_target && target == first,
            are_positive: self.are_positive && weight >= 0.0,
        }
    }
}

/// The trees of a node, read one by one.
pub(super) trait Listing: Sync {
    /// Whether thresholds and votes are in double precision.
    fn is_double(&self) -> bool;

    /// The number of trees.
    fn tree_count(&self) -> usize;

    /// A tree.
    fn tree(&self, index: usize) -> Result<VoteTree>;

    /// What all branches ask, reached or not.
    fn questions(&self) -> Result<Questions>;

    /// What all leaves vote, reached or not.
    fn votes(&self) -> Votes;

    /// All trees in their order.
    fn trees(&self) -> Box<dyn Iterator<Item = Result<VoteTree>> + Send + '_> {
        Box::new((0..self.tree_count()).map(|index| self.tree(index)))
    }
}

/// Numbers of either precision.
pub(crate) enum Reals<'a> {
    Single(&'a [f32]),
    Double(Vec<f64>),
}

impl<'a> Reals<'a> {
    /// The numbers of an attribute, or of the one that ends in `_as_tensor`; true if they are in
    /// double precision.
    pub(crate) fn of(node: &'a Definition, name: &str) -> Result<(Self, bool)> {
        if let Some(Attribute::Tensor(tensor)) = node
            .attributes
            .get(&format!("{name}_as_tensor"))
            .or_else(|| node.attributes.get(name))
        {
            return Ok((
                Self::Double(tensor.doubles()?),
                tensor.element_type() == ElementType::Double,
            ));
        }
        Ok((
            Self::Single(node.floats_of(name)?.unwrap_or_default()),
            false,
        ))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    /// The number at this place, which there is.
    pub(crate) fn get(&self, position: usize) -> f64 {
        match self {
            Self::Single(values) => f64::from(values[position]),
            Self::Double(values) => values[position],
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).map(|position| self.get(position))
    }
}

/// The integers of an attribute that must be there.
pub(crate) fn integers<'a>(node: &'a Definition, name: &str) -> Result<&'a IntegerList> {
    node.integer_list_of(name)?
        .ok_or_else(|| missing_attribute(name))
}

pub(crate) fn wrong(what: &str) -> Error {
    Error::failed(format!("the trees are broken: {what}"))
}

/// A feature's number.
pub(super) fn feature_of(number: i64) -> Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|&feature| feature < 1 << 24)
        .ok_or_else(|| wrong("a feature's number is out of range"))
}

/// A branch, and the positions that it leads to.
pub(crate) struct Found {
    pub(crate) branch: (u32, Mode, f64, Box<[f64]>, bool),
    pub(crate) yes: usize,
    pub(crate) no: usize,
}

/// Numbers the nodes below a root from 0 on, branches and leaves apart. More of them than there are
/// nodes are refused.
pub(crate) fn walk(
    root: usize,
    node_count: usize,
    describe: impl Fn(usize) -> Result<Option<Found>>,
    votes: impl Fn(usize, &mut Vec<Vote>),
) -> Result<VoteTree> {
    let mut tree = VoteTree {
        root: Child::Leaf(0),
        branches: Vec::new(),
        votes: Vec::new(),
        ends: Vec::new(),
    };
    // (place in the file, branch that leads here and whether by yes)
    let mut open: Vec<(usize, Option<(usize, bool)>)> = vec![(root, None)];
    let mut met = 0;
    while let Some((position, parent)) = open.pop() {
        met += 1;
        if met > node_count {
            return Err(wrong("a tree goes in circles"));
        }
        let child = match describe(position)? {
            None => {
                votes(position, &mut tree.votes);
                tree.ends.push(
                    u32::try_from(tree.votes.len())
                        .map_err(|_| wrong("there are too many votes"))?,
                );
                Child::Leaf(tree.ends.len() as u32 - 1)
            }
            Some(Found {
                branch: (feature, mode, threshold, members, missing_is_true),
                yes,
                no,
            }) => {
                let index = tree.branches.len();
                open.push((no, Some((index, false))));
                open.push((yes, Some((index, true))));
                let nowhere = Child::Leaf(u32::MAX);
                tree.branches.push(Branch {
                    feature,
                    mode,
                    threshold,
                    members,
                    missing_is_true,
                    yes: nowhere,
                    no: nowhere,
                });
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
