//! Which kernel is cheapest for which trees and how many rows: an estimate from counts.

use super::bins::Codes;
use super::ensemble::{Condition, Shape, Test, Tree};
use super::kernel::Kernel;
use super::lanes::Processor;
use super::program::MOST_LEVELS;

/// Masks of a group: 16 384 × 64 bytes.
const MOST_CONDITIONS: usize = 32_768;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    processor: Processor,
    most_nodes: usize,
    fewest_rows: usize,
}

impl Plan {
    pub(super) fn fastest() -> Self {
        Self { processor: Processor::best(), most_nodes: 4096, fewest_rows: 40 }
    }

    pub(super) fn only(kernel: Kernel) -> Option<Self> {
        match kernel {
            Kernel::Walking => Some(Self { processor: Processor::best(), most_nodes: 0, fewest_rows: usize::MAX }),
            Kernel::Sliced(instructions) => Processor::with(instructions).map(|processor| Self { processor, most_nodes: 30_000, fewest_rows: 0 }),
        }
    }

    pub(super) fn processor(&self) -> Processor {
        self.processor
    }

    pub(super) fn fewest_rows(&self) -> usize {
        self.fewest_rows
    }

    pub(super) fn most_conditions(&self) -> usize {
        MOST_CONDITIONS
    }

    pub(super) fn slices(&self, tree: &Tree, margin_count: usize) -> bool {
        let fits = |condition: &Condition| match &condition.test {
            Test::In(categories) | Test::NotIn(categories) => categories.last().is_none_or(|&code| code < Codes::MOST),
            Test::Less(_) | Test::LessOrEqual(_) => true,
        };
        let shape = match &tree.shape {
            Shape::Branching { nodes, .. } => nodes.len() <= self.most_nodes && nodes.iter().all(|node| fits(&node.condition)),
            Shape::Symmetric(conditions) => conditions.len() <= 16 && conditions.iter().all(fits),
        };
        shape && tree.linear.is_empty() && tree.leaf_count(margin_count) <= 1 << 16
    }
}

/// How many levels a branching tree is filled up to; none if boundaries are cheaper.
pub(super) fn levels(node_count: usize, depth: u32) -> Option<u32> {
    (depth <= MOST_LEVELS && (1 << depth) <= 4 * node_count + 4).then_some(depth)
}
