//! Trees laid out one after the other, each for the kernel that is cheaper for it.
//!
//! Owns the way from an ensemble's trees to segments. A tree is dropped as soon as it is laid out,
//! so that the next one's nodes lie where its own lay: a model of a hundred thousand nodes never
//! lies in memory as nodes. Only the first trees of a group are kept, until the conditions that
//! they share have made the group worth it.

use std::ops::Range;

use super::compiled::Compiled;
use super::cost_model::{Counts, Estimate, Plan};
use super::ensemble::{Frame, NODE_LIMIT, Shape, Tree};
use super::lane_number::LaneNumber;
use super::program::Outline;
use super::sliced::{Builder, Group};
use crate::error::{Error, Result};

/// Consecutive trees and how they are evaluated.
#[derive(Debug)]
pub(super) enum Segment<T> {
    /// These trees of the walking kernel.
    Walked(Range<usize>),
    /// A group of the bit-sliced kernel.
    Sliced(Box<Group<T>>),
}

/// Takes an ensemble's trees in their order.
pub(super) struct LayoutBuilder<'a, T: LaneNumber> {
    frame: &'a Frame,
    plan: &'a Plan,
    walking: Compiled<T>,
    segments: Vec<Segment<T>>,
    /// The group that is being filled.
    builder: Builder<T>,
    group: Filling,
    node_count: usize,
}

/// What is known of the group that is being filled.
#[derive(Default)]
struct Filling {
    /// What its trees cost, their conditions not counted.
    trees: Estimate,
    /// What their conditions ask.
    asked: Counts,
    /// Its trees, as long as walking them is cheaper.
    kept: Vec<Tree>,
    is_worth_it: bool,
}

impl<T: LaneNumber> Segment<T> {
    /// The number of its trees.
    pub(super) fn tree_count(&self) -> usize {
        match self {
            Self::Walked(trees) => trees.len(),
            Self::Sliced(group) => group.tree_count(),
        }
    }
}

impl<'a, T: LaneNumber> LayoutBuilder<'a, T> {
    /// No tree yet.
    pub(super) fn new(frame: &'a Frame, plan: &'a Plan) -> Self {
        let builder = Builder::new(frame.margin_count(), plan.processor);
        Self {
            frame,
            plan,
            walking: Compiled::default(),
            segments: Vec::new(),
            builder,
            group: Filling::default(),
            node_count: 0,
        }
    }

    /// Lays out the next tree, which is valid.
    pub(super) fn plant(&mut self, tree: Tree, outline: &Outline) -> Result<()> {
        if let Shape::Branching { nodes, .. } = &tree.shape {
            self.node_count += nodes.len();
        }
        if self.node_count > NODE_LIMIT {
            return Err(Error::failed(format!(
                "the trees have more than the {NODE_LIMIT} nodes that a forest may have"
            )));
        }
        if let Some(estimate) = self.plan.estimate(
            &tree,
            outline,
            self.frame.precision,
            self.frame.margin_count(),
        ) {
            self.slice(tree, outline, estimate);
        } else {
            self.close();
            self.walk(&tree);
        }
        Ok(())
    }

    /// The trees of the walking kernel, and the segments in the order of the trees.
    pub(super) fn finish(mut self) -> (Compiled<T>, Vec<Segment<T>>) {
        self.close();
        (self.walking, self.segments)
    }

    fn slice(&mut self, tree: Tree, outline: &Outline, estimate: Estimate) {
        if !self.push(&tree, outline, estimate) {
            self.close();
            self.push(&tree, outline, estimate);
        }
        if self.group.is_worth_it {
            self.group.kept = Vec::new();
        } else {
            self.group.kept.push(tree);
        }
    }

    /// Adds a tree to the group, or says no if it is full or would be cheaper to walk with it,
    /// having been worth it without; an empty group takes any tree.
    fn push(&mut self, tree: &Tree, outline: &Outline, estimate: Estimate) -> bool {
        let trees = self.group.trees + estimate;
        let was_worth_it = self.group.is_worth_it;
        let (mut is_worth_it, mut asked) = (false, Counts::default());
        let is_taken = self.builder.push(tree, outline, |counts| {
            asked = counts;
            is_worth_it = self.plan.is_worth_slicing(trees, counts);
            is_worth_it || !was_worth_it
        });
        if is_taken {
            (self.group.trees, self.group.asked, self.group.is_worth_it) =
                (trees, asked, is_worth_it);
        }
        is_taken
    }

    /// Ends the group that is being filled; its trees are walked if it was not worth it.
    fn close(&mut self) {
        let group = std::mem::take(&mut self.group);
        if group.is_worth_it {
            let small_batch = self.plan.small_batch(group.trees, group.asked);
            self.segments
                .push(Segment::Sliced(Box::new(self.builder.finish(small_batch))));
        } else {
            self.builder.clear();
            group.kept.iter().for_each(|tree| self.walk(tree));
        }
    }

    fn walk(&mut self, tree: &Tree) {
        let index = self.walking.plant(tree, self.frame.margin_count());
        match self.segments.last_mut() {
            Some(Segment::Walked(before)) => before.end = index + 1,
            _ => self.segments.push(Segment::Walked(index..index + 1)),
        }
    }
}
