//! Decision trees as scikit-learn holds them, to the trees of the forest's kernels.
//!
//! Owns the layout of `Tree` and `TreePredictor` in all versions: fields are read by name, every
//! index is checked. A left child is where the value is at most the threshold.

use std::cell::{Cell, OnceCell};

use super::object::Object;
use crate::error::{Error, Result};
use crate::forest::{Child, Condition, Missing, Node, Shape, Target, Test, Tree};
use crate::format::python::field::Field;
use crate::format::python::numpy::Array;

/// The nodes of a tree, read in place.
struct Nodes<'a> {
    left: Field<'a>,
    right: Field<'a>,
    feature: Field<'a>,
    threshold: Field<'a>,
    /// Where missing values go; none for trees that refuse them.
    missing_left: Option<Field<'a>>,
    /// Which nodes are leaves; none where a leaf has no left child.
    is_leaf: Option<Field<'a>>,
    /// The columns that the features are; none where they are the columns in order.
    columns: Option<&'a [usize]>,
    /// Whether values are rounded to `f32` before they are compared.
    rounds: bool,
}

impl Nodes<'_> {
    /// Whether a node is a leaf.
    fn is_leaf(&self, index: usize) -> bool {
        match &self.is_leaf {
            Some(flags) => flags.integer(index) != Some(0),
            None => self.left.integer(index).is_none_or(|left| left < 0),
        }
    }

    /// The child of a node, which lies behind it.
    fn child(&self, field: &Field<'_>, index: usize) -> Option<usize> {
        let child = usize::try_from(field.integer(index)?).ok()?;
        (child > index && child < self.left.len()).then_some(child)
    }

    /// The column that a node reads, of so many.
    fn column(&self, index: usize, column_count: usize) -> Option<usize> {
        let feature = usize::try_from(self.feature.integer(index)?).ok()?;
        let column = match self.columns {
            Some(columns) => *columns.get(feature)?,
            None => feature,
        };
        (column < column_count).then_some(column)
    }

    fn is_missing_left(&self, index: usize) -> bool {
        let flags = self.missing_left.as_ref();
        flags.is_some_and(|flags| flags.integer(index).is_some_and(|flag| flag != 0))
    }

    /// The question of a node, and where its answers lead.
    fn node(&self, index: usize, column_count: usize, children: &[Child]) -> Result<Node> {
        let broken = |what: &str| Error::failed(what).at_node(format!("node {index}"));
        let children_of = (
            self.child(&self.left, index),
            self.child(&self.right, index),
        );
        let (Some(left), Some(right)) = children_of else {
            return Err(broken("a child of a tree's node is not behind its parent"));
        };
        let feature = self
            .column(index, column_count)
            .ok_or_else(|| broken("a tree reads a feature that there is not"))?;
        let threshold = self.threshold.real(index).unwrap_or(f64::NAN);
        Ok(Node {
            condition: Condition {
                feature: feature as u32,
                test: Test::LessOrEqual(if self.rounds {
                    as_single(threshold)
                } else {
                    threshold
                }),
                missing: Missing::Nan {
                    left: self.is_missing_left(index),
                },
            },
            left: children[left],
            right: children[right],
        })
    }

    /// The shape, and the node that each leaf is.
    fn shape(&self, column_count: usize) -> Result<(Shape, Vec<usize>)> {
        let count = self.left.len();
        if count == 0 {
            return Err(Error::failed("a tree has no nodes"));
        }
        let mut children = Vec::with_capacity(count);
        let (mut leaves, mut inner) = (Vec::with_capacity(count / 2 + 1), Vec::new());
        inner.reserve(count / 2);
        for index in 0..count {
            if self.is_leaf(index) {
                children.push(Child::Leaf(leaves.len() as u32));
                leaves.push(index);
            } else {
                children.push(Child::Node(inner.len() as u32));
                inner.push(index);
            }
        }
        let node = |index: &usize| self.node(*index, column_count, &children);
        let nodes = inner.iter().map(node).collect::<Result<_>>()?;
        let root = children[0];
        Ok((Shape::Branching { root, nodes }, leaves))
    }

    /// The conditions above each node; of a broken tree anything.
    fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.left.len()];
        for index in 0..self.left.len() {
            for field in [&self.left, &self.right] {
                if let Some(child) = self.child(field, index) {
                    depths[child] = depths[index] + 1;
                }
            }
        }
        depths
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
    read: &'a Nodes<'a>,
    depths: OnceCell<Vec<usize>>,
    row_counts: Option<Field<'a>>,
    /// Whether a row count was asked for and is not there.
    is_uncounted: Cell<bool>,
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
        let counts = self.tree.row_counts.as_ref();
        let own = counts.and_then(|counts| counts.real(self.node));
        self.tree.is_uncounted.set(own.is_none());
        own.unwrap_or(f64::NAN)
    }
}

/// The tree of an estimator; `columns` are those that its features are, and `leaf` adds what a leaf
/// adds to the margins.
///
/// # Errors
/// Fails for a broken tree.
pub(super) fn of_estimator(
    estimator: &Object,
    column_count: usize,
    columns: Option<&[usize]>,
    target: Target,
    leaf: impl Fn(&Leaf<'_>, &mut Vec<f64>),
) -> Result<Tree> {
    let tree = estimator.attribute("tree_")?;
    let (nodes, values) = (tree.array("nodes")?, tree.array("values")?);
    let read = Nodes {
        left: Field::of_integers(nodes, "left_child")?,
        right: Field::of_integers(nodes, "right_child")?,
        feature: Field::of_integers(nodes, "feature")?,
        threshold: Field::of(nodes, "threshold")?,
        missing_left: flags(nodes, "missing_go_to_left")?,
        is_leaf: None,
        columns,
        rounds: true,
    };
    let width = match *values.shape {
        [count, outputs, classes] if count == read.left.len() => outputs * classes,
        _ => 0,
    };
    if width == 0 {
        return Err(Error::failed("a tree has more or fewer values than nodes"));
    }
    let (shape, leaves) = read.shape(column_count)?;
    let values = Field::of(values, "")?;
    let facts = LeafFacts {
        read: &read,
        depths: OnceCell::new(),
        row_counts: Field::of(nodes, "n_node_samples").ok(),
        is_uncounted: Cell::new(false),
    };
    let mut leaf_values = Vec::with_capacity(leaves.len());
    let mut own = vec![0.0; width];
    for node in leaves {
        for (output, to) in own.iter_mut().enumerate() {
            *to = values.real(node * width + output).unwrap_or(f64::NAN);
        }
        let found = Leaf {
            values: &own,
            node,
            tree: &facts,
        };
        leaf(&found, &mut leaf_values);
    }
    if facts.is_uncounted.get() {
        return Err(Error::failed("a tree has no `n_node_samples`"));
    }
    Ok(Tree {
        shape,
        leaf_values,
        target,
        linear: Vec::new(),
    })
}

/// Flags of nodes; none in versions that have no such field.
fn flags<'a>(nodes: &'a Array, name: &str) -> Result<Option<Field<'a>>> {
    let is_there = has(nodes, name);
    is_there
        .then(|| Field::of_integers(nodes, name))
        .transpose()
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
    let read = Nodes {
        left: Field::of_integers(nodes, "left")?,
        right: Field::of_integers(nodes, "right")?,
        feature: Field::of_integers(nodes, "feature_idx")?,
        threshold: Field::of(nodes, threshold)?,
        missing_left: Some(Field::of_integers(nodes, "missing_go_to_left")?),
        is_leaf: Some(Field::of_integers(nodes, "is_leaf")?),
        columns: None,
        rounds: false,
    };
    let (mut shape, leaves) = read.shape(feature_count)?;
    if has(nodes, "is_categorical") && nodes.field_integers("is_categorical")?.contains(&1) {
        split_by_category(predictor, &mut shape, &read, known)?;
    }
    let values = Field::of(nodes, "value")?;
    let value = |node: &usize| values.real(*node).unwrap_or(f64::NAN);
    let leaf_values = leaves.iter().map(value).collect();
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
    read: &Nodes<'_>,
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
    let inner = (0..read.left.len()).filter(|index| !read.is_leaf(*index));
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
        node.condition.test = by_category(&in_words(set), known, read.is_missing_left(index));
    }
    Ok(())
}
