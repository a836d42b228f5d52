//! The neutral ensemble: what the trees of any library mean, with a check of every index and the
//! plain scorer that defines it.
//!
//! The scorer here is the definition, ten lines that read like the papers; the compiled kernel must
//! agree with it bit for bit.

use crate::error::{Error, Result};
use crate::feature::Precision;

/// Where a branch leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Child {
    /// To the node of this index in the same tree.
    Node(u32),
    /// To the leaf of this index in the same tree.
    Leaf(u32),
}

/// What is asked of a present value; yes goes left.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `value < threshold` (XGBoost).
    Less(f64),
    /// `value <= threshold` (LightGBM, CatBoost, scikit-learn).
    LessOrEqual(f64),
    /// The value, cut to an integer as LightGBM's cast does (−0.5 is 0), is one of these
    /// categories (ascending).
    In(Box<[u32]>),
    /// The value, cut to an integer, is not one of these categories (ascending); unknown ones
    /// go left too, and so does every value below 0, −0.5 among them (XGBoost's `InvalidCat`).
    NotIn(Box<[u32]>),
}

/// Which values count as missing, and where they go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// NaN goes left if true.
    Nan {
        /// Whether a missing value goes left.
        left: bool,
    },
    /// NaN and every |value| ≤ 1e-35 (LightGBM's `kZeroThreshold`) go left if true.
    ZeroOrNan {
        /// Whether a missing value goes left.
        left: bool,
    },
    /// Nothing is missing: NaN is read as 0.
    NanIsZero,
}

/// One question about one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The feature's index.
    pub feature: u32,
    /// What is asked.
    pub test: Test,
    /// What happens to a missing value.
    pub missing: Missing,
}

/// A condition and where its answers lead.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The question.
    pub condition: Condition,
    /// Where yes leads.
    pub left: Child,
    /// Where no leads.
    pub right: Child,
}

/// How a tree finds a row's leaf.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// From the root by branches; a tree that is one leaf has the root `Child::Leaf(0)` and no
    /// nodes.
    Branching {
        /// Where to start.
        root: Child,
        /// The nodes, in any order.
        nodes: Vec<Node>,
    },
    /// All conditions asked at once (CatBoost's symmetric trees): bit i of the leaf's index is set
    /// where condition i is answered no.
    Symmetric(Vec<Condition>),
}

/// A linear model in a leaf (LightGBM's `linear_tree`): `constant + Σ coefficient · value`, or the
/// plain leaf value if any value is NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearLeaf {
    /// The intercept.
    pub constant: f64,
    /// (feature, coefficient), added in this order.
    pub terms: Vec<(u32, f64)>,
}

/// Which margins a tree adds to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// One value a leaf, added to this margin.
    Margin(u32),
    /// As many values a leaf as there are margins.
    All,
}

/// One tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// How a row finds its leaf.
    pub shape: Shape,
    /// Leaf values, leaf after leaf; one each, or `margin_count` each for [`Target::All`].
    pub leaf_values: Vec<f64>,
    /// Which margins it adds to.
    pub target: Target,
    /// One for each leaf, or empty.
    pub linear: Vec<LinearLeaf>,
}

/// What is said of all trees at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The width of every comparison and addition.
    pub precision: Precision,
    /// The number of features that a row has.
    pub feature_count: usize,
    /// Where each margin starts before the first tree; its length is the number of margins.
    pub base: Vec<f64>,
    /// What the sum is multiplied by; 1 leaves it untouched.
    pub scale: f64,
    /// What is added to each margin at the end; empty for nothing.
    pub bias: Vec<f64>,
}

/// Trees that are added up: margin = (base + Σ leaf values in tree order) · scale + bias, all in
/// the frame's precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// What is said of all trees.
    pub frame: Frame,
    /// The trees in the order of addition.
    pub trees: Vec<Tree>,
}

/// LightGBM's `kZeroThreshold`: values this close to zero count as zero.
pub const ZERO_THRESHOLD: f64 = 1e-35_f32 as f64;

/// Codes at or above this are refused: XGBoost's own limit (2^24, the last integer that f32
/// counts to), and a cap on a set's memory.
pub const CATEGORY_LIMIT: u32 = 1 << 24;

/// Features of an ensemble: conditions are packed with 29 bits of their feature.
const FEATURE_LIMIT: usize = 1 << 28;

/// Nodes of all trees together; the compiled layout links them by `i32`.
pub(super) const NODE_LIMIT: usize = 1 << 30;

impl Condition {
    /// Whether a value goes left; `value` is already rounded to the ensemble's precision.
    #[must_use]
    pub fn goes_left(&self, value: f64) -> bool {
        let value = match self.missing {
            Missing::Nan { left } if value.is_nan() => return left,
            Missing::ZeroOrNan { left } if value.is_nan() || value.abs() <= ZERO_THRESHOLD => {
                return left;
            }
            Missing::NanIsZero if value.is_nan() => 0.0,
            _ => value,
        };
        match &self.test {
            Test::Less(threshold) => value < *threshold,
            Test::LessOrEqual(threshold) => value <= *threshold,
            Test::In(categories) => {
                category(value).is_some_and(|code| categories.binary_search(&code).is_ok())
            }
            Test::NotIn(_) if value < 0.0 => true,
            Test::NotIn(categories) => {
                category(value).is_none_or(|code| categories.binary_search(&code).is_err())
            }
        }
    }
}

/// The category that a present value stands for: the value cut towards zero, none if it is negative
/// or too large.
#[must_use]
pub fn category(value: f64) -> Option<u32> {
    let whole = value.trunc();
    (whole >= 0.0 && whole <= f64::from(u32::MAX) && value > -1.0).then_some(whole as u32)
}

impl Tree {
    /// The number of leaves that the values stand for, given the ensemble's margins.
    #[must_use]
    pub fn leaf_count(&self, margin_count: usize) -> usize {
        match self.target {
            Target::Margin(_) => self.leaf_values.len(),
            Target::All => self.leaf_values.len() / margin_count.max(1),
        }
    }

    /// The leaf that a row (one value per feature) falls into.
    #[must_use]
    pub fn leaf(&self, row: &[f64]) -> usize {
        let left = |condition: &Condition| condition.goes_left(row[condition.feature as usize]);
        match &self.shape {
            Shape::Symmetric(conditions) => conditions
                .iter()
                .enumerate()
                .fold(0, |leaf, (bit, condition)| {
                    leaf | usize::from(!left(condition)) << bit
                }),
            Shape::Branching { root, nodes } => {
                let mut child = *root;
                while let Child::Node(node) = child {
                    let node = &nodes[node as usize];
                    child = if left(&node.condition) {
                        node.left
                    } else {
                        node.right
                    };
                }
                let Child::Leaf(leaf) = child else { return 0 };
                leaf as usize
            }
        }
    }
}

impl Ensemble {
    /// The margins of one row, the plain way. Values of `row` must already be of the ensemble's
    /// precision; the ensemble's own numbers are rounded to it.
    #[must_use]
    pub fn score_row(&self, row: &[f64]) -> Vec<f64> {
        let Frame {
            precision,
            base,
            scale,
            bias,
            ..
        } = &self.frame;
        let round = |value: f64| {
            if *precision == Precision::Single {
                f64::from(value as f32)
            } else {
                value
            }
        };
        let mut margins: Vec<f64> = base.iter().map(|&base| round(base)).collect();
        for tree in &self.trees {
            let leaf = tree.leaf(row);
            match tree.target {
                Target::Margin(margin) => {
                    let value = tree
                        .linear
                        .get(leaf)
                        .and_then(|linear| linear.value(row))
                        .unwrap_or(tree.leaf_values[leaf]);
                    margins[margin as usize] = round(margins[margin as usize] + round(value));
                }
                Target::All => {
                    for (margin, value) in margins
                        .iter_mut()
                        .zip(&tree.leaf_values[leaf * base.len()..])
                    {
                        *margin = round(*margin + round(*value));
                    }
                }
            }
        }
        for margin in &mut margins {
            *margin = round(*margin * round(*scale));
        }
        margins
            .iter_mut()
            .zip(bias)
            .for_each(|(margin, bias)| *margin = round(*margin + round(*bias)));
        margins
    }
}

impl Frame {
    /// The number of margins.
    #[must_use]
    pub fn margin_count(&self) -> usize {
        self.base.len()
    }

    /// Checks what is said of all trees.
    ///
    /// # Errors
    /// Fails if the base scores and biases do not fit each other, and for more features than can be
    /// distinguished.
    pub fn validate(&self) -> Result<()> {
        let margin_count = self.margin_count();
        if margin_count == 0 || !(self.bias.is_empty() || self.bias.len() == margin_count) {
            return Err(Error::failed(
                "the ensemble's base scores do not match its outputs",
            ));
        }
        if self.feature_count > FEATURE_LIMIT {
            return Err(Error::failed(format!(
                "{} features are more than the {FEATURE_LIMIT} that a forest may have",
                self.feature_count
            )));
        }
        Ok(())
    }
}

/// What is met on the way through a branching tree; nothing in a symmetric one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visit {
    /// The nodes that are reached, parents before children, left before right.
    pub preorder: Vec<u32>,
    /// The leaves that are reached.
    pub leaf_count: usize,
    /// The most questions to a leaf.
    pub depth: u32,
    /// The questions to all leaves together.
    pub total_depth: u64,
}

impl LinearLeaf {
    /// The linear model's value, or none if a value that it reads is NaN.
    #[must_use]
    pub fn value(&self, row: &[f64]) -> Option<f64> {
        let mut sum = self.constant;
        for &(feature, coefficient) in &self.terms {
            let value = row[feature as usize];
            if value.is_nan() {
                return None;
            }
            sum += coefficient * value;
        }
        Some(sum)
    }
}

impl Tree {
    /// Checks every index, shape and threshold, so that scoring can neither panic nor loop, and
    /// shows what was met on the way.
    ///
    /// # Errors
    /// Names the tree, which is the one of number `index`, and the node that is wrong.
    pub fn validate(&self, frame: &Frame, index: usize) -> Result<Visit> {
        let (feature_count, margin_count) = (frame.feature_count, frame.margin_count());
        let broken = |message: String| Error::failed(message).at_node(format!("tree {index}"));
        let width = if self.target == Target::All {
            margin_count
        } else {
            1
        };
        if self.leaf_values.is_empty() || !self.leaf_values.len().is_multiple_of(width) {
            return Err(broken(format!(
                "{} leaf values for {width} outputs a leaf",
                self.leaf_values.len()
            )));
        }
        if matches!(self.target, Target::Margin(margin) if margin as usize >= margin_count) {
            return Err(broken(format!(
                "adds to output {:?} of {margin_count}",
                self.target
            )));
        }
        let leaf_count = self.leaf_count(margin_count);
        if !self.linear.is_empty()
            && (self.linear.len() != leaf_count || self.target == Target::All)
        {
            return Err(broken(format!(
                "{} linear models for {leaf_count} leaves",
                self.linear.len()
            )));
        }
        let too_far = self
            .linear
            .iter()
            .flat_map(|linear| &linear.terms)
            .find(|(feature, _)| *feature as usize >= feature_count);
        if let Some((feature, _)) = too_far {
            return Err(broken(format!(
                "a linear leaf reads feature {feature} of {feature_count}"
            )));
        }
        match &self.shape {
            Shape::Symmetric(conditions) => {
                if conditions.len() > 24 || leaf_count != 1 << conditions.len() {
                    return Err(broken(format!(
                        "{leaf_count} leaves for {} splits",
                        conditions.len()
                    )));
                }
                conditions
                    .iter()
                    .enumerate()
                    .try_for_each(|(bit, condition)| {
                        condition.validate(feature_count, index, bit)
                    })?;
                Ok(Visit::default())
            }
            Shape::Branching { root, nodes } => {
                visit(*root, nodes, [leaf_count, feature_count], index)
            }
        }
    }
}

impl Condition {
    fn validate(&self, feature_count: usize, tree: usize, node: usize) -> Result<()> {
        let broken = |message: String| {
            Err(Error::failed(message).at_node(format!("tree {tree}, node {node}")))
        };
        if self.feature as usize >= feature_count {
            return broken(format!(
                "splits on feature {} of {feature_count}",
                self.feature
            ));
        }
        match &self.test {
            Test::Less(threshold) | Test::LessOrEqual(threshold) if threshold.is_nan() => {
                broken("the threshold is NaN".into())
            }
            Test::In(categories) | Test::NotIn(categories) if !categories.is_sorted() => {
                broken("the categories are not sorted".into())
            }
            Test::In(categories) | Test::NotIn(categories)
                if categories
                    .last()
                    .is_some_and(|&code| code >= CATEGORY_LIMIT) =>
            {
                broken(format!("a category code above {CATEGORY_LIMIT}"))
            }
            _ => Ok(()),
        }
    }
}

/// Each node must be reached once at most: a second visit is a cycle or a shared branch.
fn visit(
    root: Child,
    nodes: &[Node],
    [leaf_count, feature_count]: [usize; 2],
    tree: usize,
) -> Result<Visit> {
    let broken = |message: String, node: u32| {
        Error::failed(message).at_node(format!("tree {tree}, node {node}"))
    };
    let mut seen = vec![false; nodes.len()];
    let mut visit = Visit {
        preorder: Vec::with_capacity(nodes.len()),
        ..Visit::default()
    };
    let mut open = vec![(root, 0, 0)];
    while let Some((child, parent, depth)) = open.pop() {
        match child {
            Child::Leaf(leaf) if leaf as usize >= leaf_count => {
                return Err(broken(
                    format!("leads to leaf {leaf} of {leaf_count}"),
                    parent,
                ));
            }
            Child::Leaf(_) => {
                visit.leaf_count += 1;
                visit.depth = visit.depth.max(depth);
                visit.total_depth += u64::from(depth);
            }
            Child::Node(index) => {
                let node = nodes.get(index as usize).ok_or_else(|| {
                    broken(format!("leads to node {index} of {}", nodes.len()), parent)
                })?;
                if std::mem::replace(&mut seen[index as usize], true) {
                    return Err(broken(
                        format!(
                            "leads to node {index}, which is reached twice: the tree has a cycle"
                        ),
                        parent,
                    ));
                }
                node.condition
                    .validate(feature_count, tree, index as usize)?;
                visit.preorder.push(index);
                open.extend([
                    (node.right, index, depth + 1),
                    (node.left, index, depth + 1),
                ]);
            }
        }
    }
    // What is never reached is laid out all the same.
    let unreached = nodes.iter().enumerate().zip(seen).filter(|(_, seen)| !seen);
    unreached
        .map(|(node, _)| node)
        .try_for_each(|(index, node)| node.condition.validate(feature_count, tree, index))?;
    Ok(visit)
}
