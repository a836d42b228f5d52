//! CatBoost's trees as an [`Ensemble`]: splits to conditions, borders to thresholds, leaves in
//! CatBoost's own order.
//!
//! Owns the arithmetic's translation. It must not know names, labels or links: those are
//! [`crate::format::catboost`]. What is kept, bit for bit: a value is rounded to `f32` and goes
//! right if it is greater than the border; the leaf values of a row are added in `f64`, one after
//! the other from 0 in tree order (CatBoost's evaluator takes four trees at a time, but adds them
//! in that order too); then comes `sum · scale + bias`, two roundings.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::stored::{DEPTH_LIMIT, Question, Stored, StoredTree};
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::forest::{Condition, Ensemble, Frame, Missing, Node, Shape, Target, Test, Tree};

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
    /// By index among the CTRs: the position of its values behind the contract's; none if no tree
    /// that is used asks for it.
    pub(super) ctrs: Vec<Option<u32>>,
    /// The number of features that trees see.
    pub(super) count: usize,
}

/// The codes of the values that have a hash.
pub(super) type HashCodes = HashMap<u32, Vec<u32>>;

/// The hashes that splits ask of each categorical feature, by its index among them.
pub(super) fn asked_hashes(stored: &Stored) -> HashMap<u32, BTreeSet<u32>> {
    let mut asked: HashMap<u32, BTreeSet<u32>> = HashMap::new();
    for question in stored.trees.iter().flat_map(StoredTree::questions) {
        if let Question::OneHot { feature, hash } = question {
            asked.entry(feature).or_default().insert(hash);
        }
    }
    asked
}

/// The largest `f64` that does not exceed `border` once it is rounded to `f32`, so that `value <=
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

/// Translates the first `tree_count` trees. `classes` gives the class of each output among
/// `margin_count`; a class that no output stands for was absent in training: its margin is −∞, as
/// in CatBoost.
///
/// # Errors
/// Names the tree and the node that is broken.
pub(super) fn ensemble(
    stored: &Stored,
    positions: &Positions,
    tree_count: usize,
    outputs: &Outputs,
) -> Result<Ensemble> {
    let translate = |(index, tree): (usize, Tree)| {
        outputs
            .position(tree)
            .map_err(|error| error.at_node(format!("tree {index}")))
    };
    let planted = stored.trees.iter().take(tree_count).enumerate();
    let planted: Result<Vec<Tree>> = planted
        .map(|(index, tree)| translated(tree, positions, index, outputs.count))
        .collect();
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
    let bias = outputs.position_bias(stored.bias.clone())?;
    let frame = Frame {
        precision: Precision::Double,
        feature_count: positions.count,
        base: outputs.base(),
        scale: stored.scale,
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
            if let Some(position) = spread.get_mut(margin) {
                *position = value;
            }
        }
        spread
    }

    fn position(&self, mut tree: Tree) -> Result<Tree> {
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

    fn position_bias(&self, bias: Vec<f64>) -> Result<Vec<f64>> {
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

fn translated(
    tree: &StoredTree,
    positions: &Positions,
    index: usize,
    output_count: usize,
) -> Result<Tree> {
    let (shape, leaf_values) = match tree {
        StoredTree::Symmetric { questions, values } => {
            let count = (questions.len() <= DEPTH_LIMIT).then(|| 1_usize << questions.len());
            if count.and_then(|count| count.checked_mul(output_count)) != Some(values.len()) {
                let message = format!(
                    "{} leaf values for {} splits and {output_count} outputs a leaf",
                    values.len(),
                    questions.len()
                );
                return Err(Error::failed(message).at_node(format!("tree {index}")));
            }
            let conditions = questions.iter().enumerate().map(|(split, &question)| {
                condition(question, positions)
                    .map_err(|error| error.at_node(format!("tree {index}, split {split}")))
            });
            (Shape::Symmetric(conditions.collect::<Result<_>>()?), values)
        }
        StoredTree::Branching {
            root,
            nodes,
            values,
        } => {
            let node = |(number, &(question, left, right)): (usize, &(Question, _, _))| {
                let condition = condition(question, positions)
                    .map_err(|error| error.at_node(format!("tree {index}, node {number}")))?;
                Ok(Node {
                    condition,
                    left,
                    right,
                })
            };
            let nodes = nodes.iter().enumerate().map(node).collect::<Result<_>>()?;
            (Shape::Branching { root: *root, nodes }, values)
        }
    };
    Ok(Tree {
        shape,
        leaf_values: leaf_values.clone(),
        target: Target::All,
        linear: Vec::new(),
    })
}

/// Left is CatBoost's "no": not greater than the border, not equal to the category.
fn condition(question: Question, positions: &Positions) -> Result<Condition> {
    let nan_left = Missing::Nan { left: true };
    match question {
        Question::Float { feature, border } => {
            let &(feature, missing) = positions
                .floats
                .get(&feature)
                .ok_or_else(|| unlisted("float", feature))?;
            Ok(Condition {
                feature,
                test: Test::LessOrEqual(threshold(border)),
                missing,
            })
        }
        Question::OneHot { feature, hash } => {
            let (feature, codes) = positions
                .categories
                .get(&feature)
                .ok_or_else(|| unlisted("categorical", feature))?;
            let codes = codes
                .get(&hash)
                .ok_or_else(|| Error::internal("a hash without a code"))?;
            Ok(Condition {
                feature: *feature,
                test: Test::NotIn(codes.as_slice().into()),
                missing: nan_left,
            })
        }
        // The values of CTRs are of single precision already.
        Question::Ctr { ctr, border } => Ok(Condition {
            feature: positions
                .ctrs
                .get(ctr)
                .copied()
                .flatten()
                .ok_or_else(|| Error::internal("a CTR without values"))?,
            test: Test::LessOrEqual(f64::from(border)),
            missing: nan_left,
        }),
    }
}

pub(super) fn unlisted(kind: &str, index: u32) -> Error {
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
        fn comparing_in_f64_answers_as_comparing_the_rounded_value(
            bits: u32,
            steps in -3_i32..=3,
            any: f64,
            near in 0_u8..4,
        ) {
            let border = f32::from_bits(bits);
            prop_assume!(!border.is_nan());
            let edge = threshold(border);
            let start = match near {
                0 => any,
                1 => f64::from(border),
                2 => f64::from(border.next_up()),
                _ => edge,
            };
            let value = (0..steps.abs()).fold(start, |value, _| {
                if steps < 0 {
                    value.next_down()
                } else {
                    value.next_up()
                }
            });
            prop_assume!(!value.is_nan());
            prop_assert_eq!(
                value <= edge,
                value as f32 <= border,
                "{} against {}",
                value,
                border
            );
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
}
