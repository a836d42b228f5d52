//! Which kernel is cheapest for which trees, and which way for how many rows: estimates from
//! counts.
//!
//! The bit-sliced kernel pays for nodes, whether a row visits them or not; the walking kernel pays
//! for steps of rows. The constants are nanoseconds as `cargo bench --bench forest` gave them in
//! November 2026 (2.8 GHz Ice Lake, one core); only their ratios matter. What the bench says of
//! trees that share no conditions, single precision, ns for a row and a tree, best of many:
//!
//! | leaves | walking | AVX-512 | AVX2 | portable |
//! |---|---|---|---|---|
//! | 500 | 27 | **9** | **21** | 41 |
//! | 1 000 | 32 | **18** | 45 | 82 |
//! | 2 000 | 38 | **36** | 88 | 160 |
//! | 4 000 | **53** | 74 | 181 | 332 |
//! | 8 000 | **95** | 178 | 456 | 675 |
//!
//! A slice costs nearly the same however few its rows; a row that goes alone
//! ([`small_batch`](super::small_batch)) pays its steps and its answers. Microseconds in November
//! 2026, on a processor with AMX, where slices take two thirds of what the constants say, so that
//! those of a row are its own times one and a half; few rows are those of which a slice costs more
//! than all of them alone, each with AVX-512, AVX2 and portable:
//!
//! | | a slice of few | a row alone | few rows, measured | estimated |
//! |---|---|---|---|---|
//! | 500 trees of depth 8, single precision | 170, 340, 930 | 9–12 | 14, 34, 101 | 12, 32, 100 |
//! | 500 trees of depths 3 to 8, half of them complete, single | 106, 287, 610 | 10–11 | 10, 28, 58 | 10, 26, 70 |
//! | 500 trees of 255 leaves, double | 350, 600, 1 080 | 17–20 | 18, 36, 60 | 18, 38, 74 |
//! | 50 trees of 1 000 leaves that share nothing, single | 312, 650, 1 880 | 11–13 | 25, 57, 160 | 29, 73, 147 |
//! | 50 trees of 4 000 leaves that share their conditions, double | 510, 1 000, 1 930 | 3.7–4 | 140, 270, 490 | 159, 401, all |
//! | 500 symmetric trees of 6 conditions, double | 52, 124, 305 | 6–8 | 6, 21, 53 | 7, 27, 56 |
//! | 200 trees of depth 6 with eight values a leaf, double | 154, 310, 520 | 7–12 | 14, 52, 80 | 11, 55, 119 |
//! | 300 trees of 31 leaves between sets of 60 of 200 categories, double | 101, 250, 270–2 000 | 19–21 | 5, 13, 100 | 3, 8, 19 |
//! | 50 of the same between sets of 600 of 2 000 categories | 9–150, 17–170, 25–180 | 3.6 | 6, 16, 24 | 4, 11, 26 |
//!
//! Laid out for walking as huge trees are, one row takes 0.4 to 4 times as long and 16 rows 0.1 to
//! 1.5 times (least where nothing is shared); but that would be another layout of every tree, for
//! milliseconds at the start and as much memory again.
//!
//! Trees that share conditions are cheaper to slice. Groups are judged with the conditions of all
//! their trees, so that a forest of 255-leaf trees is not taken for one that shares nothing.

use super::bins::Codes;
use super::ensemble::{Condition, Shape, Target, Test, Tree};
use super::processor::Processor;
use super::program::{Outline, levels};
use super::slice::{NARROW_LEAVES, SLICE};
use crate::feature::Precision;
use crate::kernel::processor::Instructions;

/// Masks of a group: 2 MiB. On the LightGBM workload (500 trees, 19 000 conditions) one group takes
/// 2.3 ns for a row and a tree, two groups 2.7, three 3.7, eight 6: what is saved in the
/// second-level cache is lost by ranking values and answering shared conditions again.
pub(super) const MAX_CONDITIONS: usize = 32_768;

/// The most nodes of a tree that is sliced at all; half the masks that 16 bits can number.
const MAX_NODES: usize = 32_767;

/// The most conditions of a symmetric tree that is sliced: a leaf's number has 16 bits.
const MAX_SYMMETRIC: usize = 16;

/// How trees are evaluated; the result is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// Row by row through the nodes.
    Walking,
    /// As bit logic on the conditions of 512 rows, wherever a tree allows it.
    Sliced(Instructions),
    /// Row by row through trees that are laid out for slicing, as few rows go.
    SmallBatch(Instructions),
}

/// Nanoseconds of the bit-sliced kernel for a slice.
#[derive(Clone, Copy, Debug)]
struct Costs {
    /// A node of a complete tree.
    choice: f64,
    /// A node between boundaries, in a tree of at most [`NARROW_LEAVES`] leaves, and in a larger
    /// one.
    boundary: [f64; 2],
    /// A distinct condition.
    condition: f64,
    /// Looking leaves up and adding them, in single and in double precision.
    leaves: [f64; 2],
    /// Ranking the values of a column.
    column: f64,
    /// Looking up the leaf of one row, in single and in double precision.
    leaf: [f64; 2],
}

const AVX512: Costs = Costs {
    choice: 0.8,
    boundary: [2.8, 6.0],
    condition: 3.0,
    leaves: [95.0, 180.0],
    column: 1_000.0,
    leaf: [6.0, 9.0],
};
// Doubles of leaves are gathered, which differs most between processors: 600 on Ice Lake, 330 on
// the one with AMX.
const AVX2: Costs = Costs {
    choice: 1.5,
    boundary: [4.5, 14.0],
    condition: 8.0,
    leaves: [270.0, 450.0],
    column: 5_000.0,
    leaf: [3.0; 2],
};
const PORTABLE: Costs = Costs {
    choice: 4.9,
    boundary: [7.5, 20.0],
    condition: 24.0,
    leaves: [800.0, 900.0],
    column: 5_000.0,
    leaf: [3.0; 2],
};

/// Nanoseconds of a step of a row that walks: in single precision, in double precision, and for a
/// condition of a symmetric tree.
const STEP: [f64; 3] = [2.6, 6.0, 4.0];

/// What a further margin of a tree costs, as a part of what the first does.
const FURTHER_MARGIN: f64 = 0.6;

/// Nanoseconds for a slice of a set of more than 251 categories, which is looked up row by row.
const WIDE_SET: f64 = 700.0;

/// Nanoseconds of a row that goes alone through trees that are laid out for slicing.
const ROW: RowCosts = RowCosts {
    choice: 2.0,
    boundary: 2.2,
    condition: 0.22,
    set: 2.3,
    column: 45.0,
};

/// What a row pays that goes alone, besides its leaves.
#[derive(Clone, Copy, Debug)]
struct RowCosts {
    /// A level of a complete tree, or a condition of a symmetric one.
    choice: f64,
    /// A step between boundaries, of as many as the tree is deep: trees of one depth go at the
    /// same time.
    boundary: f64,
    /// Answering a comparison.
    condition: f64,
    /// Looking a category up in a set.
    set: f64,
    /// Ranking the value of a column.
    column: f64,
}

/// What a group of trees asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    /// Distinct conditions.
    pub(super) conditions: usize,
    /// Columns whose values are ranked or looked up.
    pub(super) columns: usize,
    /// Category sets, and those of more than 251 codes.
    pub(super) sets: usize,
    pub(super) wide_sets: usize,
}

/// What trees cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Estimate {
    /// A slice, by bit logic.
    pub(super) sliced: f64,
    /// A slice's rows, walking.
    pub(super) walked: f64,
    /// One row, alone through what is laid out for slicing.
    pub(super) row: f64,
}

impl std::ops::Add for Estimate {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sliced: self.sliced + other.sliced,
            walked: self.walked + other.walked,
            row: self.row + other.row,
        }
    }
}

/// How a forest chooses.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) processor: Processor,
    costs: Costs,
    /// The kernel that was asked for, whatever it costs.
    only: Option<Kernel>,
}

impl Plan {
    /// The fastest by estimate.
    pub(super) fn fastest() -> Self {
        let processor = Processor::best();
        Self {
            processor,
            costs: costs(processor.instructions()),
            only: None,
        }
    }

    /// This kernel, if the processor can run it.
    pub(super) fn only(kernel: Kernel) -> Option<Self> {
        let processor = match kernel {
            Kernel::Walking => Processor::best(),
            Kernel::Sliced(instructions) | Kernel::SmallBatch(instructions) => {
                Processor::with(instructions)?
            }
        };
        Some(Self {
            processor,
            costs: costs(processor.instructions()),
            only: Some(kernel),
        })
    }

    /// The plan of a processor of these instructions, whatever this one has.
    #[cfg(test)]
    pub(super) fn of(instructions: Instructions) -> Self {
        Self {
            processor: Processor::best(),
            costs: costs(instructions),
            only: None,
        }
    }

    /// What the tree costs, its conditions not counted; none if it is walked in any case.
    pub(super) fn estimate(
        &self,
        tree: &Tree,
        outline: &Outline,
        precision: Precision,
        margin_count: usize,
    ) -> Option<Estimate> {
        if self.only == Some(Kernel::Walking) || !can_slice(tree, outline) {
            return None;
        }
        let is_double = usize::from(precision == Precision::Double);
        let width = if tree.target == Target::All {
            margin_count
        } else {
            1
        };
        let leaves = self.costs.leaves[is_double] * (1.0 + FURTHER_MARGIN * (width as f64 - 1.0));
        let (nodes, steps, row) = match &tree.shape {
            Shape::Symmetric(conditions) => (
                0.0,
                conditions.len() as f64 * STEP[2],
                conditions.len() as f64 * ROW.choice,
            ),
            Shape::Branching { .. } => {
                let is_wide = usize::from(outline.visit.leaf_count > NARROW_LEAVES);
                let boundaries = outline.visit.preorder.len() as f64 * self.costs.boundary[is_wide];
                let (nodes, row) = match levels(outline) {
                    Some(levels) => (
                        f64::from(1 << levels) * self.costs.choice,
                        f64::from(levels) * ROW.choice,
                    ),
                    None => (boundaries, f64::from(outline.visit.depth) * ROW.boundary),
                };
                (nodes, (outline.mean_depth() + 1.0) * STEP[is_double], row)
            }
        };
        let estimate = Estimate {
            sliced: nodes + leaves,
            walked: steps * SLICE as f64,
            row: row + self.costs.leaf[is_double] * width as f64,
        };
        (self.only.is_some() || estimate.sliced < estimate.walked).then_some(estimate)
    }

    /// Whether a group of these trees is cheaper to slice, its conditions counted.
    pub(super) fn is_worth_slicing(&self, trees: Estimate, counts: Counts) -> bool {
        self.only.is_some()
            || trees.sliced + self.answers(counts) + SLICE as f64 * self.rows(counts) < trees.walked
    }

    /// How many rows of a slice cost less one by one through a group of these trees than all
    /// together.
    pub(super) fn small_batch(&self, trees: Estimate, counts: Counts) -> usize {
        let Counts {
            conditions,
            columns,
            sets,
            ..
        } = counts;
        let row = trees.row
            + columns as f64 * ROW.column
            + (conditions - sets) as f64 * ROW.condition
            + sets as f64 * ROW.set;
        // A row costs something in a slice too.
        let dearer = (row - self.rows(counts)).max(1.0);
        match self.only {
            None => (((trees.sliced + self.answers(counts)) / dearer) as usize).min(SLICE),
            Some(Kernel::SmallBatch(_)) => SLICE,
            Some(Kernel::Sliced(_) | Kernel::Walking) => 0,
        }
    }

    /// What answering the conditions of a group costs for a slice, however few its rows.
    fn answers(&self, counts: Counts) -> f64 {
        counts.conditions as f64 * self.costs.condition
    }

    /// What answering the conditions of a group costs for each row of a slice.
    fn rows(&self, counts: Counts) -> f64 {
        (counts.columns as f64 * self.costs.column + counts.wide_sets as f64 * WIDE_SET)
            / SLICE as f64
    }
}

fn costs(instructions: Instructions) -> Costs {
    match instructions {
        Instructions::Portable => PORTABLE,
        Instructions::Avx2 => AVX2,
        Instructions::Avx512 | Instructions::Amx => AVX512,
    }
}

/// Whether the bit-sliced kernel can do the tree: no linear leaves, and numbers that fit 16 bits.
fn can_slice(tree: &Tree, outline: &Outline) -> bool {
    let fits = |condition: &Condition| match &condition.test {
        Test::In(categories) | Test::NotIn(categories) => {
            categories.last().is_none_or(|&code| code < Codes::MOST)
        }
        Test::Less(_) | Test::LessOrEqual(_) => true,
    };
    let shape = match &tree.shape {
        Shape::Branching { nodes, .. } => {
            outline.visit.preorder.len() <= MAX_NODES
                && nodes.len() <= MAX_NODES
                && nodes.iter().all(|node| fits(&node.condition))
        }
        Shape::Symmetric(conditions) => {
            conditions.len() <= MAX_SYMMETRIC && conditions.iter().all(fits)
        }
    };
    shape && tree.linear.is_empty()
}
