//! Trees that vote for outputs, scored by the forest kernels wherever their questions are
//! orderings.
//!
//! Owns the way from votes to [`Forest`]; equality and membership, and the largest or least leaf
//! in place of the sum, are walked plainly, because no exporter writes them where speed matters.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::ml_features::table_shape;
use super::ml_trees_read::{Branch as Question, Listing, Mode, Questions, VoteTree};
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::forest::ensemble::{Child, Condition, Frame, Missing, Node, Shape, Target, Test, Tree};
use crate::forest::{Forest, ForestWorkspace};
use crate::graph::tensor::element_count;
use crate::graph::value::Value;
use crate::model::Model;
use crate::model::trace::{self, Branch, TreePath};
use crate::outcome::Margins;

/// What becomes of the leaves of all trees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Average,
    Sum,
    Least,
    Greatest,
}

/// In the order of their numbers in `TreeEnsemble`.
pub(super) const AGGREGATES: [Aggregate; 4] = [
    Aggregate::Average,
    Aggregate::Sum,
    Aggregate::Least,
    Aggregate::Greatest,
];

/// Trees, ready to be scored.
pub(super) struct VotingTrees {
    target_count: usize,
    feature_count: usize,
    engine: Engine,
}

/// What each output starts from.
pub(super) struct Base {
    pub(super) values: Vec<f64>,
    /// Whether outputs that no tree votes for get theirs too.
    pub(super) is_for_all: bool,
}

enum Engine {
    Kernel(Box<Forest>, Precision, Workspaces),
    Plain {
        trees: Vec<VoteTree>,
        aggregate: Aggregate,
        base: Vec<f64>,
        is_for_all: bool,
        is_double: bool,
    },
}

impl VotingTrees {
    /// The listed trees, dropped one by one as they are laid out for the kernels, or kept where
    /// those cannot do them.
    pub(super) fn new(
        listing: &dyn Listing,
        aggregate: Aggregate,
        base: Base,
        target_count: usize,
    ) -> Result<Self> {
        let Base {
            values: base,
            is_for_all,
        } = base;
        if !(base.is_empty() || base.len() == target_count) {
            return Err(Error::failed(format!(
                "{} base values for {target_count} outputs",
                base.len()
            )));
        }
        let (
            Questions {
                feature_count,
                are_ordered,
            },
            is_double,
        ) = (listing.questions()?, listing.is_double());
        let adds = matches!(aggregate, Aggregate::Sum | Aggregate::Average);
        // Where a row may get no vote for an output, ONNX Runtime gives it no base value and never
        // names it.
        let is_harmless = base.is_empty() && listing.votes().are_positive;
        let is_complete = || {
            Ok(is_harmless
                || is_for_all && !base.is_empty()
                || all_are_voted(listing, target_count)?)
        };
        let engine = if adds && listing.tree_count() > 0 && are_ordered && is_complete()? {
            let precision = if is_double {
                Precision::Double
            } else {
                Precision::Single
            };
            let scale = if aggregate == Aggregate::Average {
                1.0 / listing.tree_count() as f64
            } else {
                1.0
            };
            let frame = Frame {
                precision,
                feature_count: feature_count.max(1),
                base: vec![0.0; target_count],
                scale,
                bias: base,
            };
            let trees = listing.trees().map(|tree| translated(&tree?, target_count));
            Engine::Kernel(
                Box::new(Forest::new(&frame, trees)?),
                precision,
                Workspaces::default(),
            )
        } else {
            let trees = listing
                .trees()
                .map(|tree| tree.map(VoteTree::shrunk))
                .collect::<Result<_>>()?;
            Engine::Plain {
                trees,
                aggregate,
                base,
                is_for_all,
                is_double,
            }
        };
        Ok(Self {
            target_count,
            feature_count,
            engine,
        })
    }

    /// Rows × targets, in double precision holding what the trees' precision gives; none where no
    /// tree votes.
    pub(super) fn votes(&self, value: &Value) -> Result<(Vec<Option<f64>>, usize)> {
        if let (Some(columns), Engine::Kernel(forest, Precision::Single, workspaces)) =
            (value.block(), &self.engine)
            && columns.feature_count() >= self.feature_count.max(1)
        {
            let block = FeatureBlock::Single(columns.first(self.feature_count.max(1)));
            let scores = workspaces.score(forest, &block, Precision::Single)?;
            return Ok((scores.into_iter().map(Some).collect(), columns.row_count()));
        }
        // A block of no rows does not tell its columns.
        if value
            .block()
            .is_some_and(|columns| columns.row_count() == 0)
        {
            return Ok((Vec::new(), 0));
        }
        let data = &*value.table()?;
        let (rows, columns) = table_shape(data)?;
        if columns < self.feature_count {
            return Err(Error::failed(format!(
                "{columns} columns for trees that read {} features",
                self.feature_count
            )));
        }
        let values = data.doubles()?;
        match &self.engine {
            Engine::Kernel(forest, precision, workspaces) => {
                let block = block_of(
                    *precision,
                    &values,
                    [rows, columns, self.feature_count.max(1)],
                );
                let scores = workspaces.score(forest, &block, *precision)?;
                Ok((scores.into_iter().map(Some).collect(), rows))
            }
            Engine::Plain {
                trees,
                aggregate,
                base,
                is_for_all,
                is_double,
            } => {
                let rounded = |value: &f64| {
                    if *is_double {
                        *value
                    } else {
                        f64::from(*value as f32)
                    }
                };
                let mut scores = Vec::with_capacity(element_count(&[rows, self.target_count])?);
                for row in 0..rows {
                    let row: Vec<f64> = values[row * columns..(row + 1) * columns]
                        .iter()
                        .map(rounded)
                        .collect();
                    let votes = plain(trees, &row, *aggregate, base, self.target_count);
                    let based = |(target, vote): (usize, Option<f64>)| {
                        vote.or_else(|| base.get(target).copied().filter(|_| *is_for_all))
                    };
                    scores.extend(votes.into_iter().enumerate().map(based));
                }
                Ok((scores, rows))
            }
        }
    }
}

impl VotingTrees {
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.engine {
            Engine::Kernel(forest, ..) => forest.memory_bytes(),
            Engine::Plain { trees, .. } => trees.iter().map(VoteTree::memory_bytes).sum(),
        }
    }

    /// Rows × targets, 0 where no tree votes.
    pub(super) fn scores(&self, value: &Value) -> Result<(Vec<f64>, usize)> {
        let (votes, rows) = self.votes(value)?;
        Ok((
            votes.into_iter().map(Option::unwrap_or_default).collect(),
            rows,
        ))
    }
}

/// Whether for each output some tree votes with every leaf.
fn all_are_voted(listing: &dyn Listing, target_count: usize) -> Result<bool> {
    let mut is_voted = HashSet::new();
    for tree in listing.trees() {
        let tree = tree?;
        // (leaves that vote for the target, the last of them)
        let mut leaf_counts = HashMap::<u32, (usize, usize)>::new();
        for (leaf, votes) in tree.leaves().enumerate() {
            for (target, _) in votes {
                let (count, last) = leaf_counts.entry(*target).or_insert((0, usize::MAX));
                *count += usize::from(*last != leaf);
                *last = leaf;
            }
        }
        is_voted.extend(
            leaf_counts
                .into_iter()
                .filter(|(_, (count, _))| *count == tree.leaf_count())
                .map(|(target, _)| target),
        );
        if is_voted.len() == target_count {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What runs of a forest write on, kept from one run to the next.
#[derive(Default)]
struct Workspaces(Mutex<Vec<ForestWorkspace>>);

impl Workspaces {
    /// The sums of every row, in double precision holding what the forest's precision gives.
    fn score(
        &self,
        forest: &Forest,
        block: &FeatureBlock,
        precision: Precision,
    ) -> Result<Vec<f64>> {
        let kept = self.0.lock().ok().and_then(|mut kept| kept.pop());
        let mut workspace = kept.unwrap_or_else(|| forest.workspace());
        let mut margins = Margins::empty(precision);
        forest.score_on(&mut workspace, block, None, &mut margins)?;
        if let Ok(mut kept) = self.0.lock() {
            kept.push(workspace);
        }
        match margins {
            Margins::Single(margins) => Ok(margins.into_iter().map(f64::from).collect()),
            Margins::Double(margins) => Ok(margins),
        }
    }
}

fn block_of(
    precision: Precision,
    values: &[f64],
    [rows, columns, features]: [usize; 3],
) -> FeatureBlock {
    let value = |row: usize, feature: usize| {
        if feature < columns {
            values[row * columns + feature]
        } else {
            0.0
        }
    };
    if precision == Precision::Single {
        let mut block = Columns::filled(rows, features, 0.0_f32);
        (0..features).for_each(|feature| {
            block
                .column_mut(feature)
                .iter_mut()
                .enumerate()
                .for_each(|(row, to)| *to = value(row, feature) as f32);
        });
        FeatureBlock::Single(block)
    } else {
        let mut block = Columns::filled(rows, features, 0.0_f64);
        (0..features).for_each(|feature| {
            block
                .column_mut(feature)
                .iter_mut()
                .enumerate()
                .for_each(|(row, to)| *to = value(row, feature));
        });
        FeatureBlock::Double(block)
    }
}

fn plain(
    trees: &[VoteTree],
    row: &[f64],
    aggregate: Aggregate,
    base: &[f64],
    target_count: usize,
) -> Vec<Option<f64>> {
    let mut scores: Vec<Option<f64>> = vec![None; target_count];
    if trace::is_followed() {
        let numbered = trees.iter().enumerate();
        numbered.for_each(|(number, tree)| note_path(number, tree, row));
    }
    for tree in trees {
        let mut child = tree.root;
        while let Child::Node(node) = child {
            let branch = &tree.branches[node as usize];
            child = if is_true_at(branch, row[branch.feature as usize]) {
                branch.yes
            } else {
                branch.no
            };
        }
        let Child::Leaf(leaf) = child else { continue };
        for &(target, weight) in tree.leaf(leaf as usize) {
            let target = target as usize;
            scores[target] = Some(match (scores[target], aggregate) {
                (None, _) => weight,
                (Some(score), Aggregate::Sum | Aggregate::Average) => score + weight,
                (Some(score), Aggregate::Least) => score.min(weight),
                (Some(score), Aggregate::Greatest) => score.max(weight),
            });
        }
    }
    let divisor = if aggregate == Aggregate::Average {
        trees.len() as f64
    } else {
        1.0
    };
    let based = |(target, score): (usize, Option<f64>)| {
        score.map(|score| score / divisor + base.get(target).copied().unwrap_or(0.0))
    };
    scores.into_iter().enumerate().map(based).collect()
}

/// Notes the way of a row through a tree.
fn note_path(number: usize, tree: &VoteTree, row: &[f64]) {
    let (mut child, mut path) = (tree.root, Vec::new());
    while let Child::Node(node) = child {
        let branch = &tree.branches[node as usize];
        let value = row[branch.feature as usize];
        let is_left = is_true_at(branch, value);
        let sign = match branch.mode {
            Mode::LessOrEqual => "<=",
            Mode::Less => "<",
            Mode::GreaterOrEqual => ">=",
            Mode::Greater => ">",
            Mode::Equal => "=",
            Mode::NotEqual => "<>",
            Mode::Member => "in",
        };
        let missing = if branch.missing_is_true {
            " or missing"
        } else {
            ""
        };
        path.push(Branch {
            node: node as usize,
            feature: trace::name(branch.feature as usize),
            test: match branch.mode {
                Mode::Member => format!("in {:?}{missing}", branch.members),
                _ => format!("{sign} {}{missing}", branch.threshold),
            },
            value: value.to_string(),
            is_left,
        });
        child = if is_left { branch.yes } else { branch.no };
    }
    let Child::Leaf(leaf) = child else { return };
    let votes = tree.leaf(leaf as usize);
    trace::note_tree(TreePath {
        tree: number,
        path,
        leaf: leaf as usize,
        values: votes.iter().map(|(_, weight)| *weight).collect(),
        margins: votes.iter().map(|(target, _)| *target as usize).collect(),
        ..TreePath::default()
    });
}

fn is_true_at(branch: &Question, value: f64) -> bool {
    if value.is_nan() && branch.missing_is_true {
        return true;
    }
    match branch.mode {
        Mode::LessOrEqual => value <= branch.threshold,
        Mode::Less => value < branch.threshold,
        Mode::GreaterOrEqual => value >= branch.threshold,
        Mode::Greater => value > branch.threshold,
        Mode::Equal => value == branch.threshold,
        Mode::NotEqual => value != branch.threshold,
        Mode::Member => branch.members.contains(&value),
    }
}

/// A question that asks for more becomes the one that asks for less, with its answers exchanged.
fn translated(tree: &VoteTree, target_count: usize) -> Result<Tree> {
    let node = |branch: &Question| {
        let is_transposed = matches!(branch.mode, Mode::GreaterOrEqual | Mode::Greater);
        let test = match branch.mode {
            Mode::Less | Mode::GreaterOrEqual => Test::Less(branch.threshold),
            _ => Test::LessOrEqual(branch.threshold),
        };
        let (left, right) = if is_transposed {
            (branch.no, branch.yes)
        } else {
            (branch.yes, branch.no)
        };
        let missing = Missing::Nan {
            left: branch.missing_is_true != is_transposed,
        };
        Node {
            condition: Condition {
                feature: branch.feature,
                test,
                missing,
            },
            left,
            right,
        }
    };
    let nodes = tree.branches.iter().map(node).collect();
    let one_target = tree.votes().first().map_or(0, |vote| vote.0);
    let is_single = tree
        .leaves()
        .all(|votes| votes.len() <= 1 && votes.iter().all(|vote| vote.0 == one_target));
    let (leaf_values, target) = if is_single {
        let values = tree
            .leaves()
            .map(|votes| votes.first().map_or(0.0, |vote| vote.1))
            .collect();
        (values, Target::Margin(one_target))
    } else {
        let mut values = vec![0.0; element_count(&[tree.leaf_count(), target_count])?];
        for (leaf, votes) in tree.leaves().enumerate() {
            votes.iter().for_each(|(target, weight)| {
                values[leaf * target_count + *target as usize] += weight;
            });
        }
        (values, Target::All)
    };
    Ok(Tree {
        shape: Shape::Branching {
            root: tree.root,
            nodes,
        },
        leaf_values,
        target,
        linear: Vec::new(),
    })
}
