//! Decision trees as scikit-learn holds them, to the trees of the forest's kernels.
//!
//! Owns the layout of `Tree` and `TreePredictor` in all versions: fields are read by name, every
//! index is checked. A left child is where the value is at most the threshold.

use std::cell::OnceCell;

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

    /// The conditions above each node; of a broken tree anything.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.left.len()];
        for index in 0..self.left.len() {
            for child in [self.left[index], self.right[index]] {
                let child = usize::try_from(child).ok();
                if let Some(child) = child.filter(|one| *one > index && *one < depths.len()) {
                    depths[child] = depths[index] + 1;
                }
            }
        }
        depths
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

/// The largest `f32` that is not above a threshold. These trees compare values that were rounded to
/// `f32`, to which the two are the same; thresholds that are the same to them are asked once.
fn as_single(threshold: f64) -> f64 {
    let nearest = threshold as f32;
    f64::from(if f64::from(nearest) > threshold {
        nearest.next_down()
    } else {
        nearest
    })
}

fn has(array: &Array, field: &str) -> bool {
    array.data_type.field(field).is_some()
}

/// What is known of a leaf.
pub(super) struct Leaf<'a> {
    /// Its values.
    pub(super) values: &'a [f64],
    node: usize,
    tree: &'a LeafFacts<'a>,
}

/// What is worked out of a tree's leaves only where it is asked for.
struct LeafFacts<'a> {
    read: &'a Nodes,
    nodes: &'a Array,
    depths: OnceCell<Vec<usize>>,
    row_counts: OnceCell<Result<Vec<f64>>>,
}

impl Leaf<'_> {
    /// The number of the node that it is.
    pub(super) fn node(&self) -> usize {
        self.node
    }

    /// The conditions above it.
    pub(super) fn depth(&self) -> usize {
        let depths = self.tree.depths.get_or_init(|| self.tree.read.depths());
        depths[self.node]
    }

    /// The rows of training in it. Where they cannot be read, [`of_estimator`] fails.
    pub(super) fn row_count(&self) -> f64 {
        let read = || self.tree.nodes.field_reals("n_node_samples");
        let counts = self.tree.row_counts.get_or_init(read).as_ref();
        let own = counts.ok().and_then(|counts| counts.get(self.node));
        own.copied().unwrap_or(f64::NAN)
    }
}

/// The tree of an estimator; `features` are the columns that its features are, and `leaf` turns a
/// leaf into what it adds.
///
/// # Errors
/// Fails for a broken tree; a contract error for several outputs of several classes.
pub(super) fn of_estimator(
    estimator: &Object,
    feature_count: usize,
    features: Option<&[usize]>,
    target: Target,
    leaf: impl Fn(&Leaf<'_>) -> Vec<f64>,
) -> Result<Tree> {
    let tree = estimator.attribute("tree_")?;
    let (nodes, values) = (tree.array("nodes")?, tree.array("values")?);
    let missing_left = if has(nodes, "missing_go_to_left") {
        nodes.field_integers("missing_go_to_left")?
    } else {
        Vec::new()
    };
    let mut read = Nodes {
        left: nodes.field_integers("left_child")?,
        right: nodes.field_integers("right_child")?,
        feature: nodes.field_integers("feature")?,
        threshold: nodes
            .field_reals("threshold")?
            .into_iter()
            .map(as_single)
            .collect(),
        missing_left,
    };
    read.check()?;
    let width = match *values.shape {
        [count, outputs, classes] if count == read.left.len() && (outputs == 1 || classes == 1) => {
            outputs * classes
        }
        [count, _, _] if count == read.left.len() => {
            return Err(estimator.refuse("several outputs of classes are not supported"));
        }
        _ => 0,
    };
    if width == 0 {
        return Err(Error::failed("a tree has more or fewer values than nodes"));
    }
    if let Some(features) = features {
        let moved = |feature: i64| {
            usize::try_from(feature)
                .ok()
                .and_then(|one| features.get(one))
        };
        for feature in &mut read.feature {
            *feature = moved(*feature).map_or(-1, |one| *one as i64);
        }
    }
    let (shape, leaves) = read.shape(feature_count)?;
    let values = values.reals()?;
    let facts = LeafFacts {
        read: &read,
        nodes,
        depths: OnceCell::new(),
        row_counts: OnceCell::new(),
    };
    let mut leaf_values = Vec::with_capacity(leaves.len());
    for node in leaves {
        leaf_values.extend(leaf(&Leaf {
            values: &values[node * width..(node + 1) * width],
            node,
            tree: &facts,
        }));
    }
    if let Some(Err(error)) = facts.row_counts.into_inner() {
        return Err(error);
    }
    Ok(Tree {
        shape,
        leaf_values,
        target,
        linear: Vec::new(),
    })
}

/// Which of 256 categories a row of eight words holds.
fn in_words(words: &[u32]) -> Vec<u32> {
    let held = |category: &u32| words[*category as usize / 32] >> (category % 32) & 1 == 1;
    (0..256).filter(held).collect()
}

/// The question of a split by category: the categories that go left. Unknown ones go where missing
/// ones do.
fn by_category(left: &[u32], known: &[u32], missing_left: bool) -> Test {
    if missing_left {
        let right = known.iter().filter(|one| left.binary_search(one).is_err());
        Test::NotIn(right.copied().collect())
    } else {
        Test::In(left.into())
    }
}

/// The tree of a predictor of histogram gradient boosting.
///
/// # Errors
/// Fails for a broken tree.
pub(super) fn of_predictor(
    predictor: &Object,
    feature_count: usize,
    known: &[Option<Vec<u32>>],
    target: Target,
) -> Result<Tree> {
    let nodes = predictor.array("nodes")?;
    let threshold = if has(nodes, "num_threshold") {
        "num_threshold"
    } else {
        "threshold"
    };
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
    let (mut shape, leaves) = read.shape(feature_count)?;
    if has(nodes, "is_categorical") && nodes.field_integers("is_categorical")?.contains(&1) {
        split_by_category(predictor, &mut shape, &read, known)?;
    }
    let values = nodes.field_reals("value")?;
    let leaf_values = leaves.iter().map(|at| values[*at]).collect();
    Ok(Tree {
        shape,
        leaf_values,
        target,
        linear: Vec::new(),
    })
}

/// Makes splits by category of those nodes that are.
fn split_by_category(
    predictor: &Object,
    shape: &mut Shape,
    read: &Nodes,
    known: &[Option<Vec<u32>>],
) -> Result<()> {
    let nodes = predictor.array("nodes")?;
    let flags = nodes.field_integers("is_categorical")?;
    let sets = nodes.field_integers("bitset_idx")?;
    let words: Vec<u32> = predictor
        .reals("raw_left_cat_bitsets")?
        .into_iter()
        .map(|word| word as u32)
        .collect();
    let Shape::Branching { nodes, .. } = shape else {
        return Ok(());
    };
    let inner = (0..read.left.len()).filter(|index| read.left[*index] >= 0);
    for (node, index) in nodes.iter_mut().zip(inner) {
        if flags.get(index) != Some(&1) {
            continue;
        }
        let at = sets.get(index).and_then(|set| usize::try_from(*set).ok());
        let set = at.and_then(|set| words.get(set.checked_mul(8)?..(set + 1).checked_mul(8)?));
        let known = known
            .get(node.condition.feature as usize)
            .and_then(Option::as_ref);
        let (Some(set), Some(known)) = (set, known) else {
            return Err(Error::failed("a split by category has no categories")
                .at_node(format!("node {index}")));
        };
        let missing_left = read.missing_left.get(index).is_some_and(|flag| *flag != 0);
        node.condition.test = by_category(&in_words(set), known, missing_left);
    }
    Ok(())
}
