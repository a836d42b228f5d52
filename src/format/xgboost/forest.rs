//! XGBoost's trees as a forest: rounds chosen, nodes checked, leaves numbered.
//!
//! Owns the meaning of a node: `value < threshold` goes left in single precision, a category in the
//! node's list goes right, a missing value follows `default_left`; and `dart`'s weights, multiplied
//! into the leaves in single precision as XGBoost does row by row. It must not know the encoding,
//! the objective or the columns. Source: `predict_fn.h`, `categorical.h` and `gbtree.cc`.

use super::schema::{Forest as StoredForest, Tree as StoredTree};
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::forest::ensemble::CATEGORY_LIMIT;
use crate::forest::{Child, Condition, Forest, Frame, Missing, Node, Shape, Target, Test, Tree};

/// Bytes that all category sets of a model may take as bits; one node may ask for 2 MiB with a
/// single absurd code.
const CATEGORY_SET_BYTES: usize = 1 << 30;

/// The child of a leaf.
const NO_CHILD: i32 = -1;

impl StoredForest {
    /// Where each boosting round begins in the list of trees, and the end.
    ///
    /// # Errors
    /// Fails if the stored bounds do not rise from 0 to the number of trees.
    pub(super) fn round_bounds(&self) -> Result<Vec<usize>> {
        let Some(stored) = &self.iteration_indptr else {
            // Before 2.0: as many trees in each round as there are outputs and parallel trees.
            let groups = self
                .tree_info
                .iter()
                .copied()
                .max()
                .and_then(|group| usize::try_from(group).ok())
                .map_or(1, |group| group.saturating_add(1));
            let per_round = groups.saturating_mul(self.parallel_tree_count).max(1);
            return Ok((0..=self.trees.len() / per_round)
                .map(|round| round * per_round)
                .collect());
        };
        let bounds: Option<Vec<usize>> = stored
            .iter()
            .map(|&bound| usize::try_from(bound).ok())
            .collect();
        let bounds = bounds.map(|bounds| {
            if bounds.is_empty() && self.trees.is_empty() {
                vec![0]
            } else {
                bounds
            }
        });
        bounds
            .filter(|bounds| {
                bounds.first() == Some(&0)
                    && bounds.last() == Some(&self.trees.len())
                    && bounds.is_sorted()
            })
            .ok_or_else(|| {
                Error::failed(format!(
                    "`iteration_indptr` does not rise from 0 to the {} trees",
                    self.trees.len()
                ))
            })
    }

    /// The forest of the first `tree_count` trees on top of `base`, one margin per output.
    ///
    /// # Errors
    /// Names the tree and the node, numbered as in the file, that is wrong.
    pub(super) fn forest(
        &self,
        tree_count: usize,
        base: Vec<f64>,
        feature_count: usize,
    ) -> Result<Forest> {
        let frame = Frame {
            feature_count,
            precision: Precision::Single,
            base,
            scale: 1.0,
            bias: Vec::new(),
        };
        let mut set_bytes = 0;
        let trees = self
            .trees
            .iter()
            .zip(&self.tree_info)
            .enumerate()
            .take(tree_count)
            .map(|(index, (tree, &group))| {
                let weight = self
                    .weight_drop
                    .as_ref()
                    .and_then(|weights| weights.get(index))
                    .copied();
                let built = tree
                    .translate(index, group, frame.margin_count(), weight)
                    .map_err(|error| error.at_node(format!("tree {index}")))?;
                set_bytes += built.1;
                if set_bytes > CATEGORY_SET_BYTES {
                    return Err(Error::failed(format!(
                        "the categorical splits need more than {CATEGORY_SET_BYTES} bytes"
                    ))
                    .at_node(format!("tree {index}")));
                }
                Ok(built.0)
            });
        Forest::new(&frame, trees)
    }
}

impl StoredTree {
    /// The tree, and the bytes that its category sets take as bits.
    fn translate(
        &self,
        index: usize,
        group: i64,
        margin_count: usize,
        weight: Option<f32>,
    ) -> Result<(Tree, usize)> {
        let (children, leaves) = self.walk(index)?;
        let nodes =
            (0..self.left.len()).filter(|&node| matches!(children[node], Some(Child::Node(_))));
        let mut categories = self.categories.iter().peekable();
        let mut set_bytes = 0;
        let mut built = Vec::new();
        for node in nodes {
            while categories.next_if(|(at, _)| *at < node).is_some() {}
            let set = categories
                .next_if(|(at, _)| *at == node)
                .map(|(_, codes)| codes.as_slice());
            let condition = self
                .condition(node, set)
                .map_err(|error| error.at_node(location(index, node)))?;
            if let Test::NotIn(codes) = &condition.test {
                set_bytes += codes.last().map_or(0, |&code| code as usize / 8 + 8);
            }
            let child = |child: i32| {
                usize::try_from(child)
                    .ok()
                    .and_then(|child| children[child])
                    .unwrap_or(Child::Leaf(0))
            };
            built.push(Node {
                condition,
                left: child(self.left[node]),
                right: child(self.right[node]),
            });
        }
        let root = children[0].unwrap_or(Child::Leaf(0));
        let several = self.leaf_width > 1;
        if several && (self.leaf_width != margin_count || weight.is_some()) {
            return Err(Error::failed(format!(
                "leaves of {} values in a model of {margin_count} outputs",
                self.leaf_width
            )));
        }
        let leaf_values = if several {
            self.leaf_vectors(index, &leaves)?
        } else {
            self.leaf_values(&leaves, weight)
        };
        let target = if several {
            Target::All
        } else {
            Target::Margin(output(group, margin_count)?)
        };
        Ok((
            Tree {
                shape: Shape::Branching { root, nodes: built },
                leaf_values,
                target,
                linear: Vec::new(),
            },
            set_bytes,
        ))
    }

    /// For each node that is reached what it becomes, and the nodes that are leaves, both in the
    /// order of the file.
    fn walk(&self, tree: usize) -> Result<(Vec<Option<Child>>, Vec<usize>)> {
        let count = self.left.len();
        let mut reached = vec![false; count];
        let mut open = vec![0];
        while let Some(node) = open.pop() {
            if std::mem::replace(&mut reached[node], true) {
                return Err(
                    Error::failed("the node is reached twice: the tree has a cycle")
                        .at_node(location(tree, node)),
                );
            }
            if self.left[node] == NO_CHILD {
                continue;
            }
            for child in [self.left[node], self.right[node]] {
                let child = usize::try_from(child).ok().filter(|child| *child < count);
                open.push(child.ok_or_else(|| {
                    Error::failed(format!(
                        "a child of the node is not among the {count} nodes"
                    ))
                    .at_node(location(tree, node))
                })?);
            }
        }
        let mut leaves = Vec::new();
        let mut node_count = 0;
        let mut children = vec![None; count];
        for node in (0..count).filter(|&node| reached[node]) {
            if self.left[node] == NO_CHILD {
                children[node] = Some(Child::Leaf(leaves.len() as u32));
                leaves.push(node);
            } else {
                children[node] = Some(Child::Node(node_count));
                node_count += 1;
            }
        }
        Ok((children, leaves))
    }

    fn condition(&self, node: usize, categories: Option<&[i64]>) -> Result<Condition> {
        let feature = u32::try_from(self.feature[node])
            .map_err(|_| Error::failed(format!("splits on feature {}", self.feature[node])))?;
        let test = match categories {
            None if self.condition[node].is_nan() => {
                return Err(Error::failed("the threshold is NaN"));
            }
            None => Test::Less(f64::from(self.condition[node])),
            Some(codes) => Test::NotIn(category_set(codes)?.into()),
        };
        Ok(Condition {
            feature,
            test,
            missing: Missing::Nan {
                left: self.default_left[node],
            },
        })
    }

    fn leaf_values(&self, leaves: &[usize], weight: Option<f32>) -> Vec<f64> {
        leaves
            .iter()
            .map(|&leaf| {
                f64::from(
                    weight.map_or(self.condition[leaf], |weight| self.condition[leaf] * weight),
                )
            })
            .collect()
    }

    fn leaf_vectors(&self, tree: usize, leaves: &[usize]) -> Result<Vec<f64>> {
        let vectors = leaves.iter().map(|&leaf| {
            let (values, index) = match &self.leaf_weights {
                Some(values) => (values, usize::try_from(self.right[leaf]).ok()),
                None => (&self.base_weights, Some(leaf)),
            };
            let start = index.and_then(|index| index.checked_mul(self.leaf_width));
            let vector =
                start.and_then(|start| values.get(start..start.checked_add(self.leaf_width)?));
            vector.ok_or_else(|| {
                Error::failed("the leaf's values are not in the file").at_node(location(tree, leaf))
            })
        });
        Ok(vectors
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .flatten()
            .map(|&value| f64::from(value))
            .collect())
    }
}

fn location(tree: usize, node: usize) -> String {
    format!("tree {tree}, node {node}")
}

fn output(group: i64, margin_count: usize) -> Result<u32> {
    let output = u32::try_from(group)
        .ok()
        .filter(|output| (*output as usize) < margin_count);
    output.ok_or_else(|| Error::failed(format!("adds to output {group} of {margin_count}")))
}

fn category_set(codes: &[i64]) -> Result<Vec<u32>> {
    let code = |&code: &i64| {
        u32::try_from(code)
            .ok()
            .filter(|code| *code < CATEGORY_LIMIT)
    };
    let mut set: Vec<u32> = codes
        .iter()
        .map(code)
        .collect::<Option<_>>()
        .ok_or_else(|| Error::failed("a category code is negative or above 2^24"))?;
    set.sort_unstable();
    set.dedup();
    Ok(set)
}
