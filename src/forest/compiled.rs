//! Trees laid out for walking, and the kernel that walks blocks of rows through them.
//!
//! Rows go through in blocks of [`BLOCK_ROWS`], tree after tree, so that a tree stays in the
//! first-level cache while its block passes, and each margin is still added up in tree order. It
//! can do every tree; the bit-sliced kernel does most of them faster, but not huge ones.

use std::ops::Range;

use super::cut::{Cut, Ordered};
use super::ensemble::{
    Child, Condition, LinearLeaf, Missing, Node, Shape, Target, Test, Tree, ZERO_THRESHOLD,
    category,
};
use super::slice::{Rows, Slice};
use super::walk::{LANES, Plain};
use crate::feature::Columns;

/// Rows that walk through one tree before the next tree is taken: their features (28 columns × 64 ×
/// 4 bytes) and a tree of a few hundred nodes share the first-level cache.
const BLOCK_ROWS: usize = 64;

#[derive(Clone, Copy, Debug)]
enum Question<T> {
    Compare(Cut<T>),
    In,
    NotIn,
}

/// A condition in the ensemble's precision; categories lie in [`Compiled::sets`].
#[derive(Clone, Copy, Debug)]
struct Split<T> {
    question: Question<T>,
    feature: u32,
    /// The index of the category set, where the question asks for one.
    set: u32,
    missing: Missing,
}

#[derive(Clone, Copy, Debug)]
struct Branch<T> {
    split: Split<T>,
    /// The next branch of the ensemble, or `!leaf` of the tree.
    left: i32,
    right: i32,
}

#[derive(Debug)]
struct Planted<T> {
    roots: Roots<T>,
    /// Where the tree's leaf values begin.
    leaf_offset: usize,
    target: Target,
    /// Where the tree's linear leaves begin, if it has any.
    linear_offset: Option<usize>,
}

#[derive(Debug)]
enum Roots<T> {
    /// Comparisons only.
    Plain(Plain<T>),
    /// The first branch, or `!leaf`.
    Branching(i32),
    /// The range of conditions that are all asked.
    Symmetric(std::ops::Range<usize>),
}

/// Trees, ready to be walked.
#[derive(Debug)]
pub(super) struct Compiled<T> {
    trees: Vec<Planted<T>>,
    branches: Vec<Branch<T>>,
    conditions: Vec<Split<T>>,
    leaf_values: Vec<T>,
    linear: Vec<LinearLeaf>,
    /// Category sets as bits, 64 categories a word.
    sets: Vec<Vec<u64>>,
}

impl<T> Default for Compiled<T> {
    fn default() -> Self {
        Self {
            trees: Vec::new(),
            branches: Vec::new(),
            conditions: Vec::new(),
            leaf_values: Vec::new(),
            linear: Vec::new(),
            sets: Vec::new(),
        }
    }
}

impl<T: Ordered> Compiled<T> {
    /// Lays out a tree that is valid, and gives its number.
    pub(super) fn plant(&mut self, tree: &Tree, margin_count: usize) -> usize {
        let roots = match &tree.shape {
            Shape::Symmetric(conditions) => {
                let start = self.conditions.len();
                for condition in conditions {
                    let split = self.split(condition);
                    self.conditions.push(split);
                }
                Roots::Symmetric(start..self.conditions.len())
            }
            Shape::Branching { root, nodes } => {
                self.root(*root, nodes, tree.leaf_count(margin_count))
            }
        };
        let linear_offset = (!tree.linear.is_empty()).then_some(self.linear.len());
        self.trees.push(Planted {
            roots,
            leaf_offset: self.leaf_values.len(),
            target: tree.target,
            linear_offset,
        });
        self.linear.extend_from_slice(&tree.linear);
        self.leaf_values
            .extend(tree.leaf_values.iter().map(|&value| T::from_double(value)));
        self.trees.len() - 1
    }

    fn root(&mut self, root: Child, nodes: &[Node], leaf_count: usize) -> Roots<T> {
        if let Some(plain) = Plain::new(root, nodes, leaf_count) {
            return Roots::Plain(plain);
        }
        let offset = self.branches.len();
        for node in nodes {
            let split = self.split(&node.condition);
            self.branches.push(Branch {
                split,
                left: link(node.left, offset),
                right: link(node.right, offset),
            });
        }
        Roots::Branching(link(root, offset))
    }

    fn split(&mut self, condition: &Condition) -> Split<T> {
        let (question, categories) = match (&condition.test, Cut::of(&condition.test)) {
            (Test::NotIn(categories), _) => (Question::NotIn, Some(categories)),
            (Test::In(categories), _) => (Question::In, Some(categories)),
            (Test::Less(_) | Test::LessOrEqual(_), cut) => {
                (Question::Compare(cut.unwrap_or(Cut::Always)), None)
            }
        };
        let set = categories.map_or(0, |categories| {
            self.sets.push(bits(categories));
            u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX)
        });
        Split {
            question,
            feature: condition.feature,
            set,
            missing: condition.missing,
        }
    }

    #[inline]
    fn goes_left(&self, split: &Split<T>, value: T) -> bool {
        let is_nan = value.partial_cmp(&value).is_none();
        let value = match split.missing {
            Missing::Nan { left } if is_nan => return left,
            Missing::ZeroOrNan { left } if is_nan || value.to_double().abs() <= ZERO_THRESHOLD => {
                return left;
            }
            Missing::NanIsZero if is_nan => T::from_double(0.0),
            _ => value,
        };
        match split.question {
            Question::Compare(cut) => cut.holds(value),
            Question::In => contains(&self.sets[split.set as usize], value.to_double()),
            Question::NotIn => {
                value.to_double() < 0.0
                    || !contains(&self.sets[split.set as usize], value.to_double())
            }
        }
    }

    #[inline]
    fn leaf(&self, tree: &Planted<T>, columns: &Columns<T>, row: usize) -> usize {
        let rows = columns.row_count();
        let value = |split: &Split<T>| columns.values()[split.feature as usize * rows + row];
        match &tree.roots {
            Roots::Plain(plain) => plain.leaf(columns.values(), rows, row) as usize,
            Roots::Branching(root) => {
                let mut next = *root;
                while let Ok(index) = usize::try_from(next) {
                    let branch = &self.branches[index];
                    next = if self.goes_left(&branch.split, value(&branch.split)) {
                        branch.left
                    } else {
                        branch.right
                    };
                }
                usize::try_from(!next).unwrap_or(0)
            }
            Roots::Symmetric(range) => {
                let conditions = self.conditions[range.clone()].iter().enumerate();
                conditions.fold(0, |leaf, (bit, split)| {
                    leaf | usize::from(!self.goes_left(split, value(split))) << bit
                })
            }
        }
    }

    /// Adds the trees of this range for these rows to `sums`: a slice for each margin.
    pub(super) fn add(&self, trees: Range<usize>, rows: Rows<'_, T>, sums: &mut [Slice<T>]) {
        for offset in (0..rows.count).step_by(BLOCK_ROWS) {
            let block = offset..rows.count.min(offset + BLOCK_ROWS);
            for tree in &self.trees[trees.clone()] {
                self.add_tree(tree, rows.columns, rows.first, block.clone(), sums);
            }
        }
    }

    /// Adds a tree for the rows `first_row + block`.
    fn add_tree(
        &self,
        tree: &Planted<T>,
        columns: &Columns<T>,
        first_row: usize,
        block: Range<usize>,
        sums: &mut [Slice<T>],
    ) {
        let mut block = block;
        if let (Roots::Plain(plain), Target::Margin(margin), None) =
            (&tree.roots, tree.target, tree.linear_offset)
        {
            block.start += self.add_plain(
                plain,
                tree,
                columns,
                first_row + block.start,
                &mut sums[margin as usize].0[block.clone()],
            );
        }
        for row in block {
            let leaf = self.leaf(tree, columns, first_row + row);
            match tree.target {
                Target::Margin(margin) => {
                    let sum = &mut sums[margin as usize].0[row];
                    *sum = *sum + self.leaf_value(tree, leaf, columns, first_row + row);
                }
                Target::All => {
                    let values =
                        &self.leaf_values[tree.leaf_offset + leaf * sums.len()..][..sums.len()];
                    sums.iter_mut()
                        .zip(values)
                        .for_each(|(sums, value)| sums.0[row] = sums.0[row] + *value);
                }
            }
        }
    }

    /// Adds a plain tree with one value a leaf, [`LANES`] rows at a time; gives the number of rows
    /// that are done.
    fn add_plain(
        &self,
        plain: &Plain<T>,
        tree: &Planted<T>,
        columns: &Columns<T>,
        first_row: usize,
        sums: &mut [T],
    ) -> usize {
        let values = &self.leaf_values[tree.leaf_offset..];
        let mut done = 0;
        for sums in sums.chunks_exact_mut(LANES) {
            let leaves = plain.leaves(columns.values(), columns.row_count(), first_row + done);
            for (sum, leaf) in sums.iter_mut().zip(leaves) {
                *sum = *sum + values[leaf as usize];
            }
            done += LANES;
        }
        done
    }

    #[inline]
    fn leaf_value(&self, tree: &Planted<T>, leaf: usize, columns: &Columns<T>, row: usize) -> T {
        let plain = self.leaf_values[tree.leaf_offset + leaf];
        let Some(offset) = tree.linear_offset else {
            return plain;
        };
        let linear = &self.linear[offset + leaf];
        let mut sum = linear.constant;
        for &(feature, coefficient) in &linear.terms {
            let value = columns.column(feature as usize)[row].to_double();
            if value.is_nan() {
                return plain;
            }
            sum += coefficient * value;
        }
        T::from_double(sum)
    }

    /// Calls `put` with each of these rows, counted from the first, each of these trees, counted
    /// likewise, and the row's leaf; gives the number of trees.
    pub(super) fn leaves(
        &self,
        trees: Range<usize>,
        rows: Rows<'_, T>,
        mut put: impl FnMut(usize, usize, u32),
    ) -> usize {
        for (index, tree) in self.trees[trees.clone()].iter().enumerate() {
            for row in 0..rows.count {
                put(
                    row,
                    index,
                    u32::try_from(self.leaf(tree, rows.columns, rows.first + row))
                        .unwrap_or(u32::MAX),
                );
            }
        }
        trees.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Branch<T>>() * self.branches.len()
            + self
                .trees
                .iter()
                .map(|tree| {
                    if let Roots::Plain(plain) = &tree.roots {
                        plain.memory_bytes()
                    } else {
                        0
                    }
                })
                .sum::<usize>()
            + size_of::<Split<T>>() * self.conditions.len()
            + size_of::<Planted<T>>() * self.trees.len()
            + size_of::<T>() * self.leaf_values.len()
            + self.sets.iter().map(|set| 8 * set.len()).sum::<usize>()
            + self
                .linear
                .iter()
                .map(|linear| size_of::<LinearLeaf>() + 16 * linear.terms.len())
                .sum::<usize>()
    }
}

fn link(child: Child, offset: usize) -> i32 {
    match child {
        Child::Node(node) => i32::try_from(offset + node as usize).unwrap_or(i32::MAX),
        Child::Leaf(leaf) => !i32::try_from(leaf).unwrap_or(i32::MAX),
    }
}

fn bits(categories: &[u32]) -> Vec<u64> {
    let words = categories.last().map_or(0, |&last| last as usize / 64 + 1);
    let mut set = vec![0; words];
    for &code in categories {
        set[code as usize / 64] |= 1 << (code % 64);
    }
    set
}

#[inline]
fn contains(set: &[u64], value: f64) -> bool {
    category(value).is_some_and(|code| {
        set.get(code as usize / 64)
            .is_some_and(|word| word >> (code % 64) & 1 == 1)
    })
}
