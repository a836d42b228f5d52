//! `ai.onnx.ml`: tree ensembles, scored by the forest kernels wherever their questions are
//! orderings.
//!
//! Owns the way from votes to [`Forest`]; equality and membership, and the largest or least leaf
//! in place of the sum, are walked plainly, because no exporter writes them where speed matters.
//! Labels and second classes follow ONNX Runtime.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::ml_features::{labels, table_shape};
use super::ml_scores::{TRANSFORMS, Transform, labelled, logistic};
use super::ml_trees_compact::CompactTrees;
use super::ml_trees_listed::with_listed;
use super::ml_trees_read::{Branch, Listing, Mode, Questions, Reals, VoteTree, Votes};
use crate::error::{Error, Result};
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::forest::ensemble::{Child, Condition, Frame, Missing, Node, Shape, Target, Test, Tree};
use crate::forest::{Forest, ForestWorkspace};
use crate::graph::entry::{Entry, ML};
use crate::graph::layout::length_of;
use crate::graph::operator::{Built, Definition, several, single};
use crate::graph::tensor::{Data, Tensor, element_count};
use crate::graph::value::Value;
use crate::model::Model;
use crate::outcome::Margins;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("TreeEnsembleRegressor", 1, 1, regressor)
        .of(ML)
        .family("forest")
        .blocks()
        .by_row(),
    Entry::new("TreeEnsembleClassifier", 1, 1, classifier)
        .of(ML)
        .family("forest")
        .blocks()
        .by_row(),
    Entry::new("TreeEnsemble", 1, 1, ensemble)
        .of(ML)
        .family("forest")
        .blocks()
        .by_row(),
];

/// What becomes of the leaves of all trees.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Average,
    Sum,
    Least,
    Greatest,
}

/// In the order of their numbers in `TreeEnsemble`.
const AGGREGATES: [Aggregate; 4] = [
    Aggregate::Average,
    Aggregate::Sum,
    Aggregate::Least,
    Aggregate::Greatest,
];

/// Trees, ready to be scored.
struct Scorer {
    target_count: usize,
    feature_count: usize,
    engine: Engine,
}

/// What each output starts from.
struct Base {
    values: Vec<f64>,
    /// Whether outputs that no tree votes for get theirs too.
    is_for_all: bool,
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

impl Scorer {
    /// The listed trees, dropped one by one as they are laid out for the kernels, or kept where
    /// those cannot do them.
    fn new(
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
    fn votes(&self, value: &Value) -> Result<(Vec<Option<f64>>, usize)> {
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

impl Scorer {
    fn memory_bytes(&self) -> usize {
        match &self.engine {
            Engine::Kernel(forest, ..) => forest.memory_bytes(),
            Engine::Plain { trees, .. } => trees.iter().map(VoteTree::memory_bytes).sum(),
        }
    }

    /// Rows × targets, 0 where no tree votes.
    fn scores(&self, value: &Value) -> Result<(Vec<f64>, usize)> {
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
            Margins::Native(_) => Err(Error::internal("a forest that gives finished columns")),
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

fn is_true_at(branch: &Branch, value: f64) -> bool {
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
    let node = |branch: &Branch| {
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

/// The scores as a tensor, each row transformed.
fn finished(
    scores: &[f64],
    rows: usize,
    targets: usize,
    transform: Transform,
    is_double: bool,
) -> Result<Tensor> {
    if is_double && transform == Transform::None {
        return Tensor::new(vec![rows, targets], scores.to_vec());
    }
    let mut scores: Vec<f32> = scores.iter().map(|score| *score as f32).collect();
    // ONNX Runtime leaves a single target alone, but for the probit.
    if targets > 1 || transform == Transform::Probit {
        scores
            .chunks_exact_mut(targets.max(1))
            .for_each(|row| transform.apply(row));
    }
    Tensor::new(vec![rows, targets], scores)
}

fn base_values(node: &Definition) -> Result<Vec<f64>> {
    Ok(Reals::of(node, "base_values")?.0.iter().collect())
}

fn target_count(node: &Definition) -> Result<usize> {
    let count = length_of(node.int("n_targets", 1)?)?;
    if count == 0 {
        Err(Error::failed("an ensemble without outputs"))
    } else {
        element_count(&[count])
    }
}

fn regressor(node: &Definition) -> Result<Built> {
    let targets = target_count(node)?;
    let aggregate =
        AGGREGATES[node.choice("aggregate_function", &["AVERAGE", "SUM", "MIN", "MAX"], 1)?];
    let base = Base {
        values: base_values(node)?,
        is_for_all: false,
    };
    let scorer = with_listed(node, "target", targets, |listing| {
        Scorer::new(listing, aggregate, base, targets)
    })?;
    let transform = Transform::of(node)?;
    let memory_bytes = scorer.memory_bytes();
    let built = single(move |call| {
        let (scores, rows) = scorer.scores(call.value(0)?)?;
        finished(&scores, rows, targets, transform, false)
    })?;
    Ok(built.holding(memory_bytes))
}

fn ensemble(node: &Definition) -> Result<Built> {
    let targets = target_count(node)?;
    let listing = CompactTrees::of(node, targets)?;
    let choice = |name: &str, default: i64| {
        usize::try_from(node.int(name, default)?)
            .map_err(|_| Error::failed(format!("`{name}` is out of range")))
    };
    let aggregate = *AGGREGATES
        .get(choice("aggregate_function", 1)?)
        .ok_or_else(|| Error::failed("an unknown aggregate"))?;
    let transform = *TRANSFORMS
        .get(choice("post_transform", 0)?)
        .ok_or_else(|| Error::failed("an unknown transform"))?;
    let scorer = Scorer::new(
        &listing,
        aggregate,
        Base {
            values: Vec::new(),
            is_for_all: false,
        },
        targets,
    )?;
    let memory_bytes = scorer.memory_bytes();
    let built = single(move |call| {
        let value = call.value(0)?;
        let (scores, rows) = scorer.scores(value)?;
        let is_double = value
            .tensor()
            .is_ok_and(|data| matches!(data.data(), Data::Double(_)));
        finished(&scores, rows, targets, transform, is_double)
    })?;
    Ok(built.holding(memory_bytes))
}

fn classifier(node: &Definition) -> Result<Built> {
    let labels = labels(node, "classlabels_strings", "classlabels_int64s")?;
    let classes = labels.len();
    let mut base = base_values(node)?;
    let ((is_one_sided, is_positive, voted, shift), scorer) =
        with_listed(node, "class", classes, |listing| {
            let Votes {
                first_target,
                have_one_target,
                are_positive,
            } = listing.votes();
            let (is_one_sided, voted) = (
                classes == 2 && first_target.is_some() && have_one_target,
                first_target.unwrap_or(0) as usize,
            );
            // A model of two classes that votes for one of them has one score, and may have one
            // base value.
            let shift = if is_one_sided && base.len() == 1 {
                base.pop().filter(|_| voted == 0).unwrap_or(0.0)
            } else {
                0.0
            };
            let scorer = Scorer::new(
                listing,
                Aggregate::Sum,
                Base {
                    values: base,
                    is_for_all: true,
                },
                classes,
            )?;
            Ok(((is_one_sided, are_positive, voted, shift), scorer))
        })?;
    let transform = Transform::of(node)?;
    let memory_bytes = scorer.memory_bytes();
    let built = several(move |call| {
        let (votes, rows) = scorer.votes(call.value(0)?)?;
        let mut scores: Vec<f32> = votes
            .iter()
            .map(|score| score.unwrap_or_default() as f32)
            .collect();
        let mut chosen = Vec::with_capacity(rows);
        for (row, votes) in scores
            .chunks_exact_mut(classes)
            .zip(votes.chunks_exact(classes))
        {
            if is_one_sided {
                row[voted] += shift as f32;
                chosen.push(usize::from(
                    row[voted] > if is_positive { 0.5 } else { 0.0 },
                ));
            } else {
                chosen.push(max_voted(row, votes));
            }
            if is_one_sided && voted == 0 {
                row.copy_from_slice(&second_class(row[0], is_positive, transform));
            } else {
                transform.apply(row);
            }
        }
        labelled(&labels, &chosen, Tensor::new(vec![rows, classes], scores)?)
    })?;
    Ok(built.holding(memory_bytes))
}

/// The first class of those with the largest score that some tree votes for; the first of all if
/// there is none.
fn max_voted(scores: &[f32], votes: &[Option<f64>]) -> usize {
    let voted = (0..scores.len()).filter(|class| votes[*class].is_some());
    voted
        .reduce(|best, class| {
            if scores[class] > scores[best] {
                class
            } else {
                best
            }
        })
        .unwrap_or(0)
}

/// The scores of both classes where the trees vote for the first alone, which then stands for the
/// second.
fn second_class(score: f32, is_positive: bool, transform: Transform) -> [f32; 2] {
    match transform {
        Transform::Logistic => [logistic(-score), logistic(score)],
        Transform::Probit => {
            let mut one = [score];
            transform.apply(&mut one);
            [1.0 - one[0], one[0]]
        }
        _ if is_positive => [1.0 - score, score],
        _ => [-score, score],
    }
}
