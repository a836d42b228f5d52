//! The fast walk: plain trees, eight rows in flight.
//!
//! A tree is plain if every question is a comparison and only NaN is missing. `x <= t` becomes `x <
//! next_up(t)`, which is the same for every `x` of the precision, so one comparison serves all
//! libraries. Leaves are nodes that lead to themselves: rows that arrive early wait there, and no
//! lane needs a branch. Eight rows hide the latency of the loads, four steps share one check for
//! the end.
//!
//! Measured against one row at a time (`tallow score -v`, 500 000 rows, 100 trees of depth 6, 28
//! columns, a busy machine with two cores, November 2026): 2.45 s of work instead of 5.48 s. `cargo
//! bench --bench forest` times it alone.

use super::cut::{Cut, Ordered};
use super::ensemble::{Child, Missing, Node};

/// Rows that walk at the same time.
pub(super) const LANES: usize = 8;

/// Steps between two checks whether all rows have arrived.
const STEPS_PER_CHECK: usize = 4;

/// Set in [`Step::feature`] where a missing value goes left.
const MISSING_LEFT: u32 = 1 << 31;

/// A node of a plain tree; a leaf leads to itself whatever the value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step<T> {
    threshold: T,
    feature: u32,
    /// Where no leads, where yes leads.
    next: [u32; 2],
}

/// A plain tree's nodes, then its leaves in the order of their numbers; `inner` nodes are no
/// leaves.
#[derive(Debug)]
pub(super) struct Plain<T> {
    steps: Vec<Step<T>>,
    inner: u32,
    root: u32,
}

impl<T: Ordered> Plain<T> {
    /// The tree laid out for walking, or none if it is not plain.
    pub(super) fn new(root: Child, nodes: &[Node], leaf_count: usize) -> Option<Self> {
        let inner = u32::try_from(nodes.len()).ok().filter(|&inner| {
            u32::try_from(leaf_count).is_ok_and(|leaves| inner.checked_add(leaves).is_some())
        })?;
        let position = |child: Child| match child {
            Child::Node(node) => node,
            Child::Leaf(leaf) => inner + leaf,
        };
        let mut steps = Vec::with_capacity(nodes.len() + leaf_count);
        for node in nodes {
            let Missing::Nan { left } = node.condition.missing else {
                return None;
            };
            let Some(Cut::Below(threshold)) = Cut::of(&node.condition.test) else {
                return None;
            };
            let feature = node.condition.feature | if left { MISSING_LEFT } else { 0 };
            steps.push(Step {
                threshold,
                feature,
                next: [position(node.right), position(node.left)],
            });
        }
        let zero = T::default();
        steps.extend((0..leaf_count as u32).map(|leaf| Step {
            threshold: zero,
            feature: 0,
            next: [inner + leaf; 2],
        }));
        Some(Self {
            steps,
            inner,
            root: position(root),
        })
    }

    /// The leaves of the rows `first_row..first_row + LANES` of a column-major block of `row_count`
    /// rows.
    #[inline]
    pub(super) fn leaves(&self, values: &[T], row_count: usize, first_row: usize) -> [u32; LANES] {
        let mut at = [self.root; LANES];
        while at.iter().any(|&position| position < self.inner) {
            for _ in 0..STEPS_PER_CHECK {
                for (lane, position) in at.iter_mut().enumerate() {
                    *position = self.step(*position, values, row_count, first_row + lane);
                }
            }
        }
        at.map(|position| position - self.inner)
    }

    /// The leaf of one row.
    #[inline]
    pub(super) fn leaf(&self, values: &[T], row_count: usize, row: usize) -> u32 {
        let mut position = self.root;
        while position < self.inner {
            position = self.step(position, values, row_count, row);
        }
        position - self.inner
    }

    #[inline]
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a lazy operator would be a branch that the processor guesses wrongly half the \
                  time"
    )]
    fn step(&self, position: u32, values: &[T], row_count: usize, row: usize) -> u32 {
        let step = &self.steps[position as usize];
        let value = values[(step.feature & !MISSING_LEFT) as usize * row_count + row];
        let is_missing = value.partial_cmp(&value).is_none();
        let left = (value < step.threshold) | (is_missing & (step.feature & MISSING_LEFT != 0));
        step.next[usize::from(left)]
    }

    /// The bytes that the tree holds.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Step<T>>() * self.steps.len()
    }
}
