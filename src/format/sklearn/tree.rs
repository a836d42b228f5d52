//! Decision trees as scikit-learn holds them, to the trees of the forest's kernels.
//!
//! Owns the layout of `Tree` and `TreePredictor` in all versions: fields are read by name, every
//! index is checked. A left child is where the value is at most the threshold.

use super::object::Object;
use crate::error::{Error, Result};
use crate::forest::{Child, Condition, Missing, Node, Shape, Target, Test, Tree};
use crate::format::python::numpy::Array;

/// What is read of a tree before its leaves have values.
struct Nodes {
    left: Vec<i64>,
    right: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    /// Where missing values go; empty for trees that refuse them.
    missing_left: Vec<i64>,
}

impl Nodes {
    /// The shape, and the node that each leaf is.
    fn shape(&self, feature_count: usize) -> Result<(Shape, Vec<usize>)> {
        let count = self.left.len();
        let broken =
            |index: usize, what: &str| Err(Error::failed(what).at_node(format!("node {index}")));
        if count == 0 {
            return Err(Error::failed("a tree has no nodes"));
        }
        let (mut children, mut leaves, mut inner) = (Vec::with_capacity(count), Vec::new(), 0_u32);
        for left in &self.left {
            if *left < 0 {
                children.push(Child::Leaf(leaves.len() as u32));
                leaves.push(children.len() - 1);
            } else {
                children.push(Child::Node(inner));
                inner += 1;
            }
        }
        let mut nodes = Vec::with_capacity(inner as usize);
        for index in (0..count).filter(|index| self.left[*index] >= 0) {
            let child = |to: i64| {
                usize::try_from(to)
                    .ok()
                    .filter(|to| *to > index && *to < count)
            };
            let (Some(left), Some(right)) = (child(self.left[index]), child(self.right[index]))
            else {
                return broken(index, "a child of a tree's node is not behind its parent");
            };
            let feature = usize::try_from(self.feature[index]).ok();
            let Some(feature) = feature.filter(|feature| *feature < feature_count) else {
                return broken(index, "a tree reads a feature that there is not");
            };
            let left_if_missing = self.missing_left.get(index).is_some_and(|flag| *flag != 0);
            nodes.push(Node {
                condition: Condition {
                    feature: feature as u32,
                    test: Test::LessOrEqual(self.threshold[index]),
                    missing: Missing::Nan {
                        left: left_if_missing,
                    },
                },
                left: children[left],
                right: children[right],
            });
        }
        Ok((
            Shape::Branching {
                root: children[0],
                nodes,
            },
            leaves,
        ))
    }

    fn check(&self) -> Result<()> {
        let count = self.left.len();
        let lengths = [self.right.len(), self.feature.len(), self.threshold.len()];
        if lengths.iter().all(|length| *length == count) {
            Ok(())
        } else {
            Err(Error::failed("a tree's arrays differ in length"))
        }
    }
}

fn has(array: &Array, field: &str) -> bool {
    array.data_type.field(field).is_some()
}

/// The tree of an estimator; `leaf` turns the values of a leaf into what it adds.
///
/// # Errors
/// Fails for a broken tree; a contract error for several outputs.
pub(super) fn of_estimator(
    estimator: &Object,
    feature_count: usize,
    target: Target,
    leaf: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Tree> {
    let tree = estimator.attribute("tree_")?;
    let (nodes, values) = (tree.array("nodes")?, tree.array("values")?);
    let missing_left = if has(nodes, "missing_go_to_left") {
        nodes.field_integers("missing_go_to_left")?
    } else {
        Vec::new()
    };
    let read = Nodes {
        left: nodes.field_integers("left_child")?,
        right: nodes.field_integers("right_child")?,
        feature: nodes.field_integers("feature")?,
        threshold: nodes.field_reals("threshold")?,
        missing_left,
    };
    read.check()?;
    let [count, 1, width] = *values.shape else {
        return Err(estimator.refuse("several outputs of a tree are not supported"));
    };
    if count != read.left.len() || width == 0 {
        return Err(Error::failed("a tree has more or fewer values than nodes"));
    }
    let (shape, leaves) = read.shape(feature_count)?;
    let values = values.reals()?;
    let leaf_values = leaves
        .iter()
        .flat_map(|at| leaf(&values[at * width..(at + 1) * width]));
    Ok(Tree {
        shape,
        leaf_values: leaf_values.collect(),
        target,
        linear: Vec::new(),
    })
}

/// The tree of a predictor of histogram gradient boosting.
///
/// # Errors
/// Fails for a broken tree; a contract error for splits by category.
pub(super) fn of_predictor(
    predictor: &Object,
    feature_count: usize,
    target: Target,
) -> Result<Tree> {
    let nodes = predictor.array("nodes")?;
    let threshold = if has(nodes, "num_threshold") {
        "num_threshold"
    } else {
        "threshold"
    };
    if has(nodes, "is_categorical") && nodes.field_integers("is_categorical")?.contains(&1) {
        return Err(predictor.refuse("splits by category are not supported"));
    }
    let is_leaf = nodes.field_integers("is_leaf")?;
    let left = nodes.field_integers("left")?;
    let read = Nodes {
        left: left
            .iter()
            .zip(&is_leaf)
            .map(|(left, leaf)| if *leaf != 0 { -1 } else { *left })
            .collect(),
        right: nodes.field_integers("right")?,
        feature: nodes.field_integers("feature_idx")?,
        threshold: nodes.field_reals(threshold)?,
        missing_left: nodes.field_integers("missing_go_to_left")?,
    };
    read.check()?;
    let (shape, leaves) = read.shape(feature_count)?;
    let values = nodes.field_reals("value")?;
    let leaf_values = leaves.iter().map(|at| values[*at]).collect();
    Ok(Tree {
        shape,
        leaf_values,
        target,
        linear: Vec::new(),
    })
}
