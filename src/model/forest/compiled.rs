//! The ensemble laid out for speed, and the kernel that walks blocks of rows through it.
//!
//! One instance for each precision: thresholds, leaves and sums are all `f32` or all `f64`, so every comparison and addition is the
//! original's. Rows go through in blocks of [`BLOCK_ROWS`], tree after tree, so that a tree stays in the first-level cache while its
//! block passes, and each margin is still added up in tree order.

use super::ensemble::{Child, Condition, Ensemble, LinearLeaf, Missing, Node, Shape, Target, Test, Tree, ZERO_THRESHOLD, category};
use super::walk::{Comparable, LANES, Plain};
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::model::{Margins, Model, Scratch};

/// Rows that walk through one tree before the next tree is taken: their features (28 columns × 64 × 4 bytes) and a tree of a few
/// hundred nodes share the first-level cache.
const BLOCK_ROWS: usize = 64;

/// A tree ensemble, ready to score.
#[derive(Debug)]
pub struct Forest(Layout);

#[derive(Debug)]
enum Layout {
    Single(Compiled<f32>),
    Double(Compiled<f64>),
}

impl Forest {
    /// Checks the ensemble and lays it out.
    ///
    /// # Errors
    /// What [`Ensemble::validate`] finds.
    pub fn new(ensemble: &Ensemble) -> Result<Self> {
        ensemble.validate()?;
        Ok(Self(match ensemble.precision {
            Precision::Single => Layout::Single(Compiled::new(ensemble)),
            Precision::Double => Layout::Double(Compiled::new(ensemble)),
            Precision::Native => return Err(Error::internal("a forest computes in one precision")),
        }))
    }
}

impl Model for Forest {
    fn family(&self) -> &'static str {
        "forest"
    }

    fn precision(&self) -> Precision {
        match &self.0 {
            Layout::Single(_) => Precision::Single,
            Layout::Double(_) => Precision::Double,
        }
    }

    fn feature_count(&self) -> usize {
        match &self.0 {
            Layout::Single(compiled) => compiled.feature_count,
            Layout::Double(compiled) => compiled.feature_count,
        }
    }

    fn margin_count(&self) -> usize {
        match &self.0 {
            Layout::Single(compiled) => compiled.base.len(),
            Layout::Double(compiled) => compiled.base.len(),
        }
    }

    fn score(&self, block: &FeatureBlock, _scratch: &mut Scratch, margins: &mut Margins) -> Result<()> {
        match (&self.0, block, margins) {
            (Layout::Single(compiled), FeatureBlock::Single(columns), Margins::Single(margins)) => compiled.score(columns, margins),
            (Layout::Double(compiled), FeatureBlock::Double(columns), Margins::Double(margins)) => compiled.score(columns, margins),
            _ => return Err(Error::internal("a block of another precision than the forest's")),
        }
        Ok(())
    }

    fn leaves(&self, block: &FeatureBlock) -> Result<Option<Vec<u32>>> {
        match (&self.0, block) {
            (Layout::Single(compiled), FeatureBlock::Single(columns)) => Ok(Some(compiled.leaves(columns))),
            (Layout::Double(compiled), FeatureBlock::Double(columns)) => Ok(Some(compiled.leaves(columns))),
            _ => Err(Error::internal("a block of another precision than the forest's")),
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.0 {
            Layout::Single(compiled) => compiled.memory_bytes(),
            Layout::Double(compiled) => compiled.memory_bytes(),
        }
    }
}

/// The arithmetic of one precision.
trait Real: Comparable + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> + Send + Sync + std::fmt::Debug {
    fn from_double(value: f64) -> Self;
    fn to_double(self) -> f64;
}

impl Real for f32 {
    fn from_double(value: f64) -> Self {
        value as Self
    }

    fn to_double(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn from_double(value: f64) -> Self {
        value
    }

    fn to_double(self) -> f64 {
        self
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Less,
    LessOrEqual,
    In,
    NotIn,
}

/// A condition with its threshold in the ensemble's precision; categories lie in [`Compiled::sets`].
#[derive(Clone, Copy, Debug)]
struct Split<T> {
    threshold: T,
    feature: u32,
    /// The index of the category set, where the question asks for one.
    set: u32,
    question: Question,
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

#[derive(Debug)]
struct Compiled<T> {
    feature_count: usize,
    base: Vec<T>,
    scale: T,
    bias: Vec<T>,
    trees: Vec<Planted<T>>,
    branches: Vec<Branch<T>>,
    conditions: Vec<Split<T>>,
    leaf_values: Vec<T>,
    linear: Vec<LinearLeaf>,
    /// Category sets as bits, 64 categories a word.
    sets: Vec<Vec<u64>>,
}

impl<T: Real> Compiled<T> {
    fn new(ensemble: &Ensemble) -> Self {
        let mut compiled = Self {
            feature_count: ensemble.feature_count,
            base: ensemble.base.iter().map(|&value| T::from_double(value)).collect(),
            scale: T::from_double(ensemble.scale),
            bias: ensemble.bias.iter().map(|&value| T::from_double(value)).collect(),
            trees: Vec::with_capacity(ensemble.trees.len()),
            branches: Vec::new(),
            conditions: Vec::new(),
            leaf_values: Vec::new(),
            linear: Vec::new(),
            sets: Vec::new(),
        };
        ensemble.trees.iter().for_each(|tree| compiled.plant(tree, ensemble.margin_count()));
        compiled
    }

    fn plant(&mut self, tree: &Tree, margin_count: usize) {
        let roots = match &tree.shape {
            Shape::Symmetric(conditions) => {
                let start = self.conditions.len();
                for condition in conditions {
                    let split = self.split(condition);
                    self.conditions.push(split);
                }
                Roots::Symmetric(start..self.conditions.len())
            }
            Shape::Branching { root, nodes } => self.root(*root, nodes, tree.leaf_count(margin_count)),
        };
        let linear_offset = (!tree.linear.is_empty()).then_some(self.linear.len());
        self.trees.push(Planted { roots, leaf_offset: self.leaf_values.len(), target: tree.target, linear_offset });
        self.linear.extend_from_slice(&tree.linear);
        self.leaf_values.extend(tree.leaf_values.iter().map(|&value| T::from_double(value)));
    }

    fn root(&mut self, root: Child, nodes: &[Node], leaf_count: usize) -> Roots<T> {
        if let Some(plain) = Plain::new(root, nodes, leaf_count) {
            return Roots::Plain(plain);
        }
        let offset = self.branches.len();
        for node in nodes {
            let split = self.split(&node.condition);
            self.branches.push(Branch { split, left: link(node.left, offset), right: link(node.right, offset) });
        }
        Roots::Branching(link(root, offset))
    }

    fn split(&mut self, condition: &Condition) -> Split<T> {
        let (question, threshold, categories) = match &condition.test {
            Test::Less(threshold) => (Question::Less, *threshold, None),
            Test::LessOrEqual(threshold) => (Question::LessOrEqual, *threshold, None),
            Test::In(categories) => (Question::In, 0.0, Some(categories)),
            Test::NotIn(categories) => (Question::NotIn, 0.0, Some(categories)),
        };
        let set = categories.map_or(0, |categories| {
            self.sets.push(bits(categories));
            u32::try_from(self.sets.len() - 1).unwrap_or(u32::MAX)
        });
        Split { threshold: T::from_double(threshold), feature: condition.feature, set, question, missing: condition.missing }
    }

    #[inline]
    fn goes_left(&self, split: &Split<T>, value: T) -> bool {
        let is_nan = value.partial_cmp(&value).is_none();
        let value = match split.missing {
            Missing::Nan { left } if is_nan => return left,
            Missing::ZeroOrNan { left } if is_nan || value.to_double().abs() <= ZERO_THRESHOLD => return left,
            Missing::NanIsZero if is_nan => T::from_double(0.0),
            _ => value,
        };
        match split.question {
            Question::Less => value < split.threshold,
            Question::LessOrEqual => value <= split.threshold,
            Question::In => contains(&self.sets[split.set as usize], value.to_double()),
            Question::NotIn => value.to_double() < 0.0 || !contains(&self.sets[split.set as usize], value.to_double()),
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
                    next = if self.goes_left(&branch.split, value(&branch.split)) { branch.left } else { branch.right };
                }
                usize::try_from(!next).unwrap_or(0)
            }
            Roots::Symmetric(range) => {
                let conditions = self.conditions[range.clone()].iter().enumerate();
                conditions.fold(0, |leaf, (bit, split)| leaf | usize::from(!self.goes_left(split, value(split))) << bit)
            }
        }
    }

    fn score(&self, columns: &Columns<T>, margins: &mut Vec<T>) {
        let width = self.base.len();
        margins.clear();
        (0..columns.row_count()).for_each(|_| margins.extend_from_slice(&self.base));
        for (block, sums) in margins.chunks_mut(BLOCK_ROWS * width).enumerate() {
            for tree in &self.trees {
                self.add_tree(tree, columns, block * BLOCK_ROWS, sums);
            }
        }
        if self.scale.to_double().to_bits() != 1.0_f64.to_bits() {
            for margin in margins.iter_mut() {
                *margin = *margin * self.scale;
            }
        }
        if !self.bias.is_empty() {
            margins.chunks_exact_mut(width).flat_map(|row| row.iter_mut().zip(&self.bias)).for_each(|(margin, bias)| *margin = *margin + *bias);
        }
    }

    /// Adds a plain tree with one value a leaf, [`LANES`] rows at a time; gives the number of rows that are done.
    fn add_plain(&self, plain: &Plain<T>, tree: &Planted<T>, margin: u32, columns: &Columns<T>, first_row: usize, sums: &mut [T]) -> usize {
        let (width, rows) = (self.base.len(), columns.row_count());
        let values = &self.leaf_values[tree.leaf_offset..];
        let mut done = 0;
        for lanes in sums.chunks_exact_mut(LANES * width) {
            let leaves = plain.leaves(columns.values(), rows, first_row + done);
            for (sum, leaf) in lanes[margin as usize..].iter_mut().step_by(width).zip(leaves) {
                *sum = *sum + values[leaf as usize];
            }
            done += LANES;
        }
        done
    }

    fn add_tree(&self, tree: &Planted<T>, columns: &Columns<T>, first_row: usize, sums: &mut [T]) {
        let width = self.base.len();
        let done = match (&tree.roots, tree.target) {
            (Roots::Plain(plain), Target::Margin(margin)) if tree.linear_offset.is_none() => {
                self.add_plain(plain, tree, margin, columns, first_row, sums)
            }
            _ => 0,
        };
        for (offset, sum) in sums.chunks_exact_mut(width).enumerate().skip(done) {
            let row = first_row + offset;
            let leaf = self.leaf(tree, columns, row);
            match tree.target {
                Target::Margin(margin) => sum[margin as usize] = sum[margin as usize] + self.leaf_value(tree, leaf, columns, row),
                Target::All => {
                    let values = &self.leaf_values[tree.leaf_offset + leaf * width..][..width];
                    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum = *sum + *value);
                }
            }
        }
    }

    #[inline]
    fn leaf_value(&self, tree: &Planted<T>, leaf: usize, columns: &Columns<T>, row: usize) -> T {
        let plain = self.leaf_values[tree.leaf_offset + leaf];
        let Some(offset) = tree.linear_offset else { return plain };
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

    fn leaves(&self, columns: &Columns<T>) -> Vec<u32> {
        let rows = 0..columns.row_count();
        rows.flat_map(|row| self.trees.iter().map(move |tree| u32::try_from(self.leaf(tree, columns, row)).unwrap_or(u32::MAX))).collect()
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Branch<T>>() * self.branches.len()
            + self.trees.iter().map(|tree| if let Roots::Plain(plain) = &tree.roots { plain.memory_bytes() } else { 0 }).sum::<usize>()
            + size_of::<Split<T>>() * self.conditions.len()
            + size_of::<Planted<T>>() * self.trees.len()
            + size_of::<T>() * self.leaf_values.len()
            + self.sets.iter().map(|set| 8 * set.len()).sum::<usize>()
            + self.linear.iter().map(|linear| size_of::<LinearLeaf>() + 16 * linear.terms.len()).sum::<usize>()
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
    category(value).is_some_and(|code| set.get(code as usize / 64).is_some_and(|word| word >> (code % 64) & 1 == 1))
}
