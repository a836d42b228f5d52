//! CatBoost's trees as an [`Ensemble`]: splits to conditions, borders to thresholds, leaves in
//! CatBoost's own order.
//!
//! Owns the arithmetic's translation. It must not know names, labels or links: those are
//! [`crate::format::catboost`]. What is kept, bit for bit: a value is rounded to `f32` and goes right if it
//! is greater than the border; the leaf values of a row are added in `f64`, one after the other
//! from 0 in tree order (CatBoost's evaluator takes four trees at a time, but adds them in that
//! order too); then comes `sum · scale + bias`, two roundings.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::file::{Branch, File, FloatFeature, Numbers, Split, SymmetricTree};
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::forest::{Child, Condition, Ensemble, Frame, Missing, Node, Shape, Target, Test, Tree};

/// The most splits of a symmetric tree: twice CatBoost's own limit would still be a table of 2^32
/// leaves.
const DEPTH_LIMIT: usize = 24;

/// The most leaf values that may be made of classes that the training data lacked: such classes
/// cost memory, but no bytes of the file.
const PADDED_VALUE_LIMIT: usize = 1 << 24;

/// How splits name features, resolved to the positions of the contract.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// By index among the float features: the contract's position, and where NaN goes.
    pub(super) floats: HashMap<u32, (u32, Missing)>,
    /// By index among the categorical features: the contract's position, and the codes that stand
    /// for a hash.
    pub(super) categories: HashMap<u32, (u32, Arc<HashCodes>)>,
}

/// The codes of the values that have a hash.
pub(super) type HashCodes = HashMap<u32, Vec<u32>>;

/// The hashes that splits ask of each categorical feature, by its index among them.
pub(super) fn asked_hashes(file: &File) -> HashMap<u32, BTreeSet<u32>> {
    let mut asked: HashMap<u32, BTreeSet<u32>> = HashMap::new();
    let mut note = |split: &Split| {
        if let (Some(index), Some(hash)) = (split.cat_feature_index, split.value.and_then(hash)) {
            asked.entry(index).or_default().insert(hash);
        }
    };
    file.oblivious_trees
        .iter()
        .flatten()
        .flat_map(|tree| tree.splits.iter().flatten())
        .for_each(&mut note);
    let mut branches: Vec<&Branch> = file.trees.iter().flatten().collect();
    while let Some(branch) = branches.pop() {
        branch.split.iter().for_each(&mut note);
        branches.extend(
            [&branch.left, &branch.right]
                .into_iter()
                .flatten()
                .map(|child| &**child),
        );
    }
    asked
}

/// Where NaN goes: treated as it is, `NaN > border` is false; the other treatments put an infinity
/// in its place, but only for features that had NaN in training.
///
/// # Errors
/// Fails for a treatment that CatBoost does not have.
pub(super) fn missing_rule(feature: &FloatFeature) -> Result<Missing> {
    match feature.nan_value_treatment.as_deref() {
        Some("AsTrue") => Ok(Missing::Nan {
            left: !feature.has_nans,
        }),
        None | Some("AsIs" | "AsFalse") => Ok(Missing::Nan { left: true }),
        Some(other) => Err(Error::failed(format!("unknown treatment of NaN `{other}`"))
            .at_node(format!("float feature {}", feature.feature_index))),
    }
}

/// The greatest `f64` that does not exceed `border` once it is rounded to `f32`, so that `value <=
/// threshold` asks what CatBoost asks of the rounded value. It is the middle between the border and
/// the next `f32`, or the `f64` below where the middle itself rounds up (to the even neighbour).
pub(super) fn threshold(border: f32) -> f64 {
    let past_largest = 2.0 * 2.0_f64.powi(127);
    if border.is_nan() || border == f32::INFINITY {
        return f64::from(border);
    }
    let lower = if border == f32::NEG_INFINITY {
        -past_largest
    } else {
        f64::from(border)
    };
    let upper = if border < f32::MAX {
        f64::from(border.next_up())
    } else {
        past_largest
    };
    let middle = lower.midpoint(upper);
    if border.to_bits().is_multiple_of(2) {
        middle
    } else {
        middle.next_down()
    }
}

/// The number of values in a leaf.
///
/// # Errors
/// Fails if there is no tree, or if the first one is broken.
pub(super) fn output_count(file: &File) -> Result<usize> {
    let broken = |message: &str| Error::failed(message).at_node("tree 0");
    let count = match (file.oblivious_trees.as_deref(), file.trees.as_deref()) {
        (Some([tree, ..]), _) => {
            let leaf_count = leaf_count(tree).ok_or_else(|| broken("too many splits"))?;
            tree.leaf_values.as_ref().map_or(0, Vec::len) / leaf_count
        }
        (None, Some([branch, ..])) => first_leaf(branch).map_or(0, |value| value.0.len()),
        _ => return Err(Error::failed("the model holds no trees")),
    };
    if count == 0 {
        Err(broken("the tree has no leaf values"))
    } else {
        Ok(count)
    }
}

fn leaf_count(tree: &SymmetricTree) -> Option<usize> {
    let depth = tree.splits.as_ref().map_or(0, Vec::len);
    (depth <= DEPTH_LIMIT).then(|| 1 << depth)
}

fn first_leaf(branch: &Branch) -> Option<&Numbers> {
    branch
        .value
        .as_ref()
        .or_else(|| first_leaf(branch.left.as_deref()?))
}

/// Translates the first `tree_count` trees. `classes` gives the class of each output among
/// `margin_count`; a class that no output stands for was absent in training: its margin is −∞, as
/// in CatBoost.
///
/// # Errors
/// Names the tree and the node that is broken.
pub(super) fn ensemble(
    file: &File,
    positions: &Positions,
    feature_count: usize,
    tree_count: usize,
    outputs: &Outputs,
) -> Result<Ensemble> {
    let translate = |(index, tree): (usize, Tree)| {
        outputs
            .place(tree)
            .map_err(|error| error.at_node(format!("tree {index}")))
    };
    let planted: Result<Vec<Tree>> = match (&file.oblivious_trees, &file.trees) {
        (Some(trees), _) => trees
            .iter()
            .take(tree_count)
            .enumerate()
            .map(|(index, tree)| symmetric(tree, positions, index, outputs.count))
            .collect(),
        (None, Some(trees)) => trees
            .iter()
            .take(tree_count)
            .enumerate()
            .map(|(index, tree)| branching(tree, positions, index, outputs.count))
            .collect(),
        (None, None) => Ok(Vec::new()),
    };
    let planted = planted?;
    let value_count: usize = planted
        .iter()
        .map(|tree| tree.leaf_values.len() / outputs.count)
        .sum();
    if outputs.is_padded()
        && value_count.saturating_mul(outputs.margin_count()) > PADDED_VALUE_LIMIT
    {
        return Err(Error::failed(format!(
            "{} classes, of which only {} were trained, take too much memory",
            outputs.margin_count(),
            outputs.count
        )));
    }
    let trees = planted
        .into_iter()
        .enumerate()
        .map(translate)
        .collect::<Result<Vec<Tree>>>()?;
    let (scale, bias) = file
        .scale_and_bias
        .clone()
        .unwrap_or((1.0, Numbers::default()));
    let bias = outputs.place_bias(bias.0)?;
    let frame = Frame {
        precision: Precision::Double,
        feature_count,
        base: outputs.base(),
        scale,
        bias,
    };
    Ok(Ensemble { frame, trees })
}

/// The outputs of the trees and the margins that they stand for.
#[derive(Debug)]
pub(super) struct Outputs {
    /// The number of values in a leaf.
    pub(super) count: usize,
    /// The margin of each output, ascending or not, all different.
    pub(super) margins: Vec<usize>,
    /// The number of margins, at least that of outputs.
    pub(super) total: usize,
}

impl Outputs {
    /// As many margins as outputs, in the same order.
    pub(super) fn plain(count: usize) -> Self {
        Self {
            count,
            margins: (0..count).collect(),
            total: count,
        }
    }

    fn margin_count(&self) -> usize {
        self.total
    }

    fn is_padded(&self) -> bool {
        self.total != self.count
            || self
                .margins
                .iter()
                .enumerate()
                .any(|(output, &margin)| output != margin)
    }

    fn base(&self) -> Vec<f64> {
        let mut base = vec![f64::NEG_INFINITY; self.total];
        self.margins
            .iter()
            .filter_map(|&margin| base.get_mut(margin).map(|value| *value = 0.0))
            .count();
        base
    }

    fn spread(&self, values: &[f64]) -> Vec<f64> {
        let mut spread = vec![0.0; self.total];
        for (&margin, &value) in self.margins.iter().zip(values) {
            if let Some(place) = spread.get_mut(margin) {
                *place = value;
            }
        }
        spread
    }

    fn place(&self, mut tree: Tree) -> Result<Tree> {
        if !tree.leaf_values.len().is_multiple_of(self.count) {
            return Err(Error::failed(format!(
                "{} leaf values for {} outputs a leaf",
                tree.leaf_values.len(),
                self.count
            )));
        }
        if self.is_padded() {
            tree.leaf_values = tree
                .leaf_values
                .chunks_exact(self.count)
                .flat_map(|values| self.spread(values))
                .collect();
        }
        tree.target = if self.total == 1 {
            Target::Margin(0)
        } else {
            Target::All
        };
        Ok(tree)
    }

    fn place_bias(&self, bias: Vec<f64>) -> Result<Vec<f64>> {
        if bias.iter().all(|value| value.to_bits() == 0) {
            return Ok(Vec::new());
        }
        match bias.len() {
            length if length == self.count => Ok(if self.is_padded() {
                self.spread(&bias)
            } else {
                bias
            }),
            length => Err(
                Error::failed(format!("{length} biases for {} outputs", self.count))
                    .at_node("scale_and_bias"),
            ),
        }
    }
}

fn symmetric(
    tree: &SymmetricTree,
    positions: &Positions,
    index: usize,
    output_count: usize,
) -> Result<Tree> {
    let splits = tree.splits.as_deref().unwrap_or_default();
    let leaf_values = tree.leaf_values.clone().unwrap_or_default();
    let expected = leaf_count(tree).and_then(|count| count.checked_mul(output_count));
    if expected != Some(leaf_values.len()) {
        let message = format!(
            "{} leaf values for {} splits and {output_count} outputs a leaf",
            leaf_values.len(),
            splits.len()
        );
        return Err(Error::failed(message).at_node(format!("tree {index}")));
    }
    let conditions = splits.iter().enumerate().map(|(node, split)| {
        let place = format!("tree {index}, split {node}");
        condition(split, positions).map_err(|error| error.at_node(place))
    });
    Ok(Tree {
        shape: Shape::Symmetric(conditions.collect::<Result<_>>()?),
        leaf_values,
        target: Target::All,
        linear: Vec::new(),
    })
}

fn branching(
    root: &Branch,
    positions: &Positions,
    index: usize,
    output_count: usize,
) -> Result<Tree> {
    let mut planter = Planter {
        positions,
        output_count,
        nodes: Vec::new(),
        leaf_values: Vec::new(),
    };
    let root = planter
        .plant(root)
        .map_err(|error| error.at_node(format!("tree {index}")))?;
    let shape = Shape::Branching {
        root,
        nodes: planter.nodes,
    };
    Ok(Tree {
        shape,
        leaf_values: planter.leaf_values,
        target: Target::All,
        linear: Vec::new(),
    })
}

/// Numbers nodes and leaves depth first, left before right, as CatBoost does when it reads the
/// file.
struct Planter<'a> {
    positions: &'a Positions,
    output_count: usize,
    nodes: Vec<Node>,
    leaf_values: Vec<f64>,
}

impl Planter<'_> {
    /// Recursion is bounded by the reader's limit on nesting.
    fn plant(&mut self, branch: &Branch) -> Result<Child> {
        match branch {
            Branch {
                value: Some(value), ..
            } => self.leaf(value),
            Branch {
                split: Some(split),
                left: Some(left),
                right: Some(right),
                ..
            } => {
                let place = self.nodes.len();
                let condition = condition(split, self.positions)?;
                self.nodes.push(Node {
                    condition,
                    left: Child::Leaf(0),
                    right: Child::Leaf(0),
                });
                let (left, right) = (self.plant(left)?, self.plant(right)?);
                self.nodes[place].left = left;
                self.nodes[place].right = right;
                Ok(Child::Node(number(place)?))
            }
            _ => Err(Error::failed(format!(
                "node {} has neither a value nor a split with two branches",
                self.nodes.len()
            ))),
        }
    }

    fn leaf(&mut self, value: &Numbers) -> Result<Child> {
        let leaf = self.leaf_values.len() / self.output_count;
        if value.0.len() != self.output_count {
            return Err(Error::failed(format!(
                "leaf {leaf} has {} values for {} outputs",
                value.0.len(),
                self.output_count
            )));
        }
        self.leaf_values.extend_from_slice(&value.0);
        Ok(Child::Leaf(number(leaf)?))
    }
}

fn number(index: usize) -> Result<u32> {
    u32::try_from(index).map_err(|_| Error::failed("the tree has too many nodes"))
}

/// Left is CatBoost's "no": not greater than the border, not equal to the category.
fn condition(split: &Split, positions: &Positions) -> Result<Condition> {
    match split.kind.as_str() {
        "FloatFeature" => {
            let (Some(index), Some(border)) = (split.float_feature_index, split.border) else {
                return Err(incomplete(split));
            };
            let &(feature, missing) = positions
                .floats
                .get(&index)
                .ok_or_else(|| unlisted("float", index))?;
            Ok(Condition {
                feature,
                test: Test::LessOrEqual(threshold(border as f32)),
                missing,
            })
        }
        "OneHotFeature" => {
            let (Some(index), Some(value)) = (split.cat_feature_index, split.value) else {
                return Err(incomplete(split));
            };
            let (feature, codes) = positions
                .categories
                .get(&index)
                .ok_or_else(|| unlisted("categorical", index))?;
            let codes = hash(value)
                .and_then(|hash| codes.get(&hash))
                .ok_or_else(|| {
                    Error::failed(format!("a split asks for `{value}`, which is no hash"))
                })?;
            Ok(Condition {
                feature: *feature,
                test: Test::NotIn(codes.as_slice().into()),
                missing: Missing::Nan { left: true },
            })
        }
        other => Err(Error::contract(format!(
            "a split of type `{other}` is not supported"
        ))),
    }
}

/// The 32 bits of a category's hash, which the file writes signed in one place and unsigned in
/// another.
pub(super) fn hash(value: i64) -> Option<u32> {
    u32::try_from(value)
        .ok()
        .or_else(|| i32::try_from(value).ok().map(i32::cast_unsigned))
}

fn incomplete(split: &Split) -> Error {
    Error::failed(format!(
        "a split of type `{}` lacks its feature or its value",
        split.kind
    ))
}

fn unlisted(kind: &str, index: u32) -> Error {
    Error::failed(format!(
        "a split asks for {kind} feature {index}, which the file does not list"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_threshold_is_the_middle_to_the_next_f32_and_ties_go_to_the_even_one() {
        assert_eq!(threshold(0.0), 2.0_f64.powi(-150));
        assert_eq!(threshold(-0.0), 2.0_f64.powi(-150));
        assert_eq!(threshold(1.0), 1.0 + 2.0_f64.powi(-24));
        assert_eq!(
            threshold(1.0_f32.next_up()),
            (1.0 + 3.0 * 2.0_f64.powi(-24)).next_down()
        );
        assert_eq!(
            threshold(f32::MAX),
            (2.0_f64.powi(128) - 2.0_f64.powi(103)).next_down()
        );
        assert_eq!(threshold(f32::INFINITY), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn comparing_in_f64_answers_as_comparing_the_rounded_value(bits: u32, steps in -3_i32..=3, any: f64, near in 0_u8..4) {
            let border = f32::from_bits(bits);
            prop_assume!(!border.is_nan());
            let edge = threshold(border);
            let start = match near {
                0 => any,
                1 => f64::from(border),
                2 => f64::from(border.next_up()),
                _ => edge,
            };
            let value = (0..steps.abs()).fold(start, |value, _| if steps < 0 { value.next_down() } else { value.next_up() });
            prop_assume!(!value.is_nan());
            prop_assert_eq!(value <= edge, value as f32 <= border, "{} against {}", value, border);
        }
    }

    #[test]
    fn the_extreme_borders_answer_as_the_rounded_value() {
        let borders = [
            f32::NEG_INFINITY,
            f32::MIN,
            -f32::from_bits(1),
            -0.0,
            0.0,
            f32::from_bits(1),
            f32::MIN_POSITIVE,
            f32::MAX,
            f32::INFINITY,
        ];
        for border in borders {
            let edge = threshold(border);
            for value in [
                edge,
                edge.next_up(),
                edge.next_down(),
                f64::from(border),
                f64::INFINITY,
                f64::NEG_INFINITY,
                0.0,
                -0.0,
                f64::MAX,
                f64::MIN,
            ] {
                assert_eq!(
                    value <= edge,
                    value as f32 <= border,
                    "{value} against {border}"
                );
            }
        }
    }

    #[test]
    fn hashes_are_the_same_signed_and_unsigned() {
        assert_eq!(hash(-784_473_192), hash(3_510_494_104));
        assert_eq!(hash(1 << 40), None);
    }
}
