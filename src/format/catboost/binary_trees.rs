//! The trees of a `.cbm` file: splits and leaf values, as they lie there.
//!
//! Owns their ranges and counts, which are hostile until checked.

use std::collections::HashMap;

use super::stored::{DEPTH_LIMIT, Question, StoredTree, number};
use crate::error::{Error, Result};
use crate::forest::Child;

/// The value of no leaf.
const NO_VALUE: u32 = u32::MAX;

/// The trees as they lie in the file.
pub(super) struct Trees {
    pub(super) questions: Vec<Question>,
    pub(super) splits: Vec<i32>,
    pub(super) sizes: Vec<i32>,
    pub(super) starts: Vec<i32>,
    pub(super) values: Vec<f64>,
    pub(super) output_count: usize,
}

impl Trees {
    /// For each tree the range of its splits.
    fn ranges(&self) -> Result<Vec<std::ops::Range<usize>>> {
        if self.sizes.len() != self.starts.len() {
            return Err(Error::failed(format!(
                "{} sizes of trees, but {} starts",
                self.sizes.len(),
                self.starts.len()
            )));
        }
        let range = |(tree, (&size, &start)): (usize, (&i32, &i32))| {
            let (start, size) = (usize::try_from(start).ok(), usize::try_from(size).ok());
            start
                .zip(size)
                .and_then(|(start, size)| Some(start..start.checked_add(size)?))
                .filter(|range| range.end <= self.splits.len())
                .ok_or_else(|| {
                    Error::failed("the tree's splits lie outside the file's")
                        .at_node(format!("tree {tree}"))
                })
        };
        let pairs = self.sizes.iter().zip(&self.starts);
        let ranges: Vec<_> = pairs.enumerate().map(range).collect::<Result<_>>()?;
        let total: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        if total > self.splits.len() {
            return Err(Error::failed(format!(
                "the trees have {total} splits, and the file {}",
                self.splits.len()
            )));
        }
        Ok(ranges)
    }

    fn question(&self, split: usize) -> Result<Question> {
        let index = self.splits[split];
        usize::try_from(index)
            .ok()
            .and_then(|index| self.questions.get(index))
            .copied()
            .ok_or_else(|| {
                Error::failed(format!(
                    "a split asks for condition {index} of {}",
                    self.questions.len()
                ))
            })
    }

    /// Trees whose nodes at one depth ask one question.
    pub(super) fn symmetric(&self) -> Result<Vec<StoredTree>> {
        let mut values = self.values.as_slice();
        let mut tree = |range: std::ops::Range<usize>| {
            let depth = range.len();
            if depth > DEPTH_LIMIT {
                return Err(Error::failed("too many splits"));
            }
            let count = self.output_count.checked_mul(1 << depth);
            let (own, left) = count
                .and_then(|count| values.split_at_checked(count))
                .ok_or_else(|| Error::failed("the file ends before the tree's leaf values"))?;
            values = left;
            Ok(StoredTree::Symmetric {
                questions: range
                    .map(|split| self.question(split))
                    .collect::<Result<_>>()?,
                values: own.to_vec(),
            })
        };
        let ranges = self.ranges()?.into_iter().enumerate();
        ranges
            .map(|(index, range)| tree(range).map_err(|error| at_tree(error, index)))
            .collect()
    }

    pub(super) fn branching(
        &self,
        steps: &[(u16, u16)],
        leaves: &[u32],
    ) -> Result<Vec<StoredTree>> {
        if steps.len() != self.splits.len() || leaves.len() != self.splits.len() {
            return Err(Error::failed(format!(
                "{} splits, but {} steps and {} leaves",
                self.splits.len(),
                steps.len(),
                leaves.len()
            )));
        }
        let (mut trees, mut left) = (Vec::new(), self.values.len());
        for (index, range) in self.ranges()?.into_iter().enumerate() {
            let tree = self
                .branches(
                    &steps[range.clone()],
                    &leaves[range.clone()],
                    range.start,
                    &mut left,
                )
                .map_err(|error| at_tree(error, index))?;
            trees.push(tree);
        }
        Ok(trees)
    }

    /// One tree of these steps to the children and first leaf values; its nodes begin with `first`
    /// in the file. A step of 0 leads to the node's own leaf. `left` are the leaf values that no
    /// tree has taken yet.
    fn branches(
        &self,
        steps: &[(u16, u16)],
        leaves: &[u32],
        first: usize,
        left: &mut usize,
    ) -> Result<StoredTree> {
        let is_inner = |&(left, right): &(u16, u16)| left != 0 || right != 0;
        // Leaves are numbered in the order of their values, as CatBoost numbers them.
        let owned = steps.iter().zip(leaves);
        let mut starts: Vec<u32> = owned
            .filter(|((left, right), leaf)| (*left == 0 || *right == 0) && **leaf != NO_VALUE)
            .map(|(_, &leaf)| leaf)
            .collect();
        starts.sort_unstable();
        starts.dedup();
        let count = starts.len().saturating_mul(self.output_count);
        *left = left
            .checked_sub(count)
            .ok_or_else(|| Error::failed("the trees share leaf values"))?;
        let mut values = Vec::with_capacity(count);
        for &start in &starts {
            let own = self
                .values
                .get(start as usize..)
                .and_then(|rest| rest.get(..self.output_count))
                .ok_or_else(|| Error::failed(format!("a leaf's values begin at {start}")))?;
            values.extend_from_slice(own);
        }
        let leaf_of: HashMap<u32, u32> = starts.into_iter().zip(0..).collect();
        // The position of each inner node among the inner ones.
        let mut inner = Vec::with_capacity(steps.len());
        let mut count = 0_u32;
        for step in steps {
            inner.push(count);
            count += u32::from(is_inner(step));
        }
        let leaf = |node: usize| {
            let found = leaf_of.get(&leaves[node]).copied();
            found
                .map(Child::Leaf)
                .ok_or_else(|| Error::failed(format!("node {node} has neither a child nor a leaf")))
        };
        let child = |node: usize, step: u16| {
            if step == 0 {
                return leaf(node);
            }
            let target = node + usize::from(step);
            match steps.get(target) {
                Some(step) if is_inner(step) => Ok(Child::Node(inner[target])),
                Some(_) => leaf(target),
                None => Err(Error::failed(format!(
                    "node {node} leads to node {target} of {}",
                    steps.len()
                ))),
            }
        };
        let mut nodes = Vec::with_capacity(count as usize);
        for (node, step) in steps.iter().enumerate().filter(|(_, step)| is_inner(step)) {
            let question = self.question(first + node)?;
            nodes.push((question, child(node, step.0)?, child(node, step.1)?));
        }
        let root = match steps.first() {
            Some(step) if is_inner(step) => Child::Node(0),
            Some(_) => leaf(0)?,
            None => return Err(Error::failed("the tree has no nodes")),
        };
        number(nodes.len())?;
        Ok(StoredTree::Branching {
            root,
            nodes,
            values,
        })
    }
}

fn at_tree(error: Error, index: usize) -> Error {
    error.at_node(format!("tree {index}"))
}
