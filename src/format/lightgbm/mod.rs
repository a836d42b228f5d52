//! LightGBM text models, 2.x to 4.x: what the file's trees, objective and features mean in tallow's
//! terms.
//!
//! Owns the translation of [`self::text`] to a [`Forest`], a contract and an outcome. The
//! rules are those of `Tree::Predict`, `NumericalDecision` and `CategoricalDecision` in LightGBM's
//! `tree.h`, and of the objectives' `ConvertOutput`: doubles throughout, each margin is 0.0 plus
//! its leaf values in the order of the trees, which is LightGBM's own order and precision. A random
//! forest's margin is that sum times 1 / rounds (LightGBM's `raw_score` is the sum itself).

mod contract;
mod lines;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use self::lines::Fields;
use self::text::{TextModel, TextTree};
use super::rounds::{Rounds, UsedRounds};
use super::{Artefact, FileImporter, ImportOptions, LABELS};
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::forest::ensemble::ZERO_THRESHOLD;
use crate::forest::{
    Child, Condition, Forest, Frame, LinearLeaf, Missing, Node, Shape, Target, Test, Tree,
};
use crate::model::{Description, LoadedModel, OffsetRule, TrainedModel};
use crate::outcome::{ABOVE_HALF, Label, Link, Outcome, Task};

/// The importer of LightGBM text models.
#[derive(Debug)]
pub(super) struct LightGbm;

/// Bit 0 of `decision_type`: the split asks for membership in a set of categories.
const CATEGORICAL: u8 = 1;
/// Bit 1 of `decision_type`: a missing value goes left.
const DEFAULT_LEFT: u8 = 2;

impl FileImporter for LightGbm {
    fn name(&self) -> &'static str {
        "lightgbm"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        text::recognises(artefact.head())
    }

    fn import(&self, artefact: &Artefact, options: &ImportOptions) -> Result<LoadedModel> {
        import(&artefact.bytes, options)
    }
}

/// The model in the text of a file, wherever it comes from: a file, or an object of Python's that
/// holds it.
///
/// # Errors
/// Those of [`FileImporter::import`].
pub(crate) fn import(bytes: &[u8], options: &ImportOptions) -> Result<LoadedModel> {
    let text = text::parse(bytes)?;
    let tree_count = text.trees.len();
    if text.trees_per_round == 0
        || tree_count == 0
        || !tree_count.is_multiple_of(text.trees_per_round)
    {
        return Err(Error::failed(format!(
            "{tree_count} trees do not make rounds of {} trees",
            text.trees_per_round
        ))
        .hint("train the model for one round at least, and save it again"));
    }
    // The file holds no best iteration: `save_model` cuts the trees there unless it is asked
    // for all.
    let rounds = Rounds::plain(tree_count / text.trees_per_round);
    let used = rounds.used(options.trees)?;
    let outcome = outcome(text.objective.as_deref(), text.trees_per_round)?;
    let (model, found) = forest(&text, used.count)?;
    let contract = contract::contract(&text, &found.categorical)?;
    Ok(LoadedModel {
        model: TrainedModel::numeric(model),
        contract,
        outcome,
        description: describe(&text, rounds, used, found.is_linear),
    })
}

/// What trees tell of the whole model.
#[derive(Default)]
struct Found {
    /// Features that are split by category.
    categorical: BTreeSet<usize>,
    /// Whether a leaf of those that are used is a linear model.
    is_linear: bool,
}

impl Found {
    fn read(&mut self, fields: &Fields) -> Result<TextTree> {
        let tree = TextTree::read(fields)?;
        let splits = tree.split_features.iter().zip(&tree.decision_types);
        self.categorical.extend(
            splits
                .filter(|&(_, kind)| kind & CATEGORICAL != 0)
                .map(|(&feature, _)| feature as usize),
        );
        self.is_linear |= !tree.linear.is_empty();
        Ok(tree)
    }
}

/// Trees are parsed one at a time and dropped once they are laid out. Trees that are not needed
/// still contribute to the feature list.
fn forest(text: &TextModel, round_count: usize) -> Result<(Forest, Found)> {
    let width = text.trees_per_round;
    let frame = Frame {
        precision: Precision::Double,
        feature_count: text.feature_names.len(),
        base: vec![0.0; width],
        scale: if text.average_output {
            1.0 / round_count as f64
        } else {
            1.0
        },
        bias: Vec::new(),
    };
    let mut found = Found::default();
    let mut fields = text.trees.iter().enumerate();
    let slot = |index: usize| move |error: Error| error.at_node(format!("tree {index}"));
    let requested = fields.by_ref().take(round_count * width);
    let trees = requested.map(|(index, fields)| {
        found
            .read(fields)
            .and_then(|tree| tree_of(tree, index % width))
            .map_err(slot(index))
    });
    let forest = Forest::new(&frame, trees)?;
    // A mean of trees has no margin to start from: LightGBM refuses `init_score` for `rf`.
    let forest = if text.average_output {
        forest
    } else {
        forest.with_offsets(OffsetRule::Added)
    };
    let is_linear = found.is_linear;
    fields.try_for_each(|(index, fields)| found.read(fields).map(drop).map_err(slot(index)))?;
    Ok((forest, Found { is_linear, ..found }))
}

fn tree_of(text: TextTree, margin: usize) -> Result<Tree> {
    let mut used_sets = vec![false; text.category_sets.len()];
    let nodes = (0..text.split_features.len())
        .map(|index| node(&text, index, &mut used_sets))
        .collect::<Result<Vec<_>>>()?;
    let linear = text
        .linear
        .into_iter()
        .map(|(constant, terms)| LinearLeaf { constant, terms });
    Ok(Tree {
        shape: Shape::Branching {
            root: if nodes.is_empty() {
                Child::Leaf(0)
            } else {
                Child::Node(0)
            },
            nodes,
        },
        leaf_values: text.leaf_values,
        target: Target::Margin(margin as u32),
        linear: linear.collect(),
    })
}

fn node(text: &TextTree, index: usize, used_sets: &mut [bool]) -> Result<Node> {
    let (threshold, kind) = (text.thresholds[index], text.decision_types[index]);
    let (question, missing) = if kind & CATEGORICAL == 0 {
        (
            Test::LessOrEqual(beyond_zero(threshold)),
            missing(kind, index)?,
        )
    } else {
        // NaN goes right whatever the missing type: 4.x says so, older ones cast it to the smallest
        // integer, which goes right too.
        (
            Test::In(
                codes(text, threshold, used_sets)
                    .map_err(|error| error.at_node(format!("node {index}")))?
                    .into(),
            ),
            Missing::Nan { left: false },
        )
    };
    let condition = Condition {
        feature: text.split_features[index],
        test: question,
        missing,
    };
    Ok(Node {
        condition,
        left: child(text.left_children[index]),
        right: child(text.right_children[index]),
    })
}

fn missing(kind: u8, node: usize) -> Result<Missing> {
    let left = kind & DEFAULT_LEFT != 0;
    match kind >> 2 & 3 {
        0 => Ok(Missing::NanIsZero),
        1 => Ok(Missing::ZeroOrNan { left }),
        2 => Ok(Missing::Nan { left }),
        _ => Err(
            Error::failed(format!("the decision type {kind} has no meaning"))
                .at_node(format!("node {node}")),
        ),
    }
}

/// LightGBM reads every value within 1e-35 of zero as 0 before it compares
/// (`RowPairFunctionFromDenseMatric` drops it); moving such a threshold past that band gives the
/// same answer for values that are not flushed.
fn beyond_zero(threshold: f64) -> f64 {
    if (0.0..=ZERO_THRESHOLD).contains(&threshold) {
        ZERO_THRESHOLD
    } else if (-ZERO_THRESHOLD..0.0).contains(&threshold) {
        (-ZERO_THRESHOLD).next_down()
    } else {
        threshold
    }
}

/// The set that a categorical node's threshold numbers; each belongs to one node, so that a file
/// cannot multiply it.
fn codes(text: &TextTree, threshold: f64, used_sets: &mut [bool]) -> Result<Vec<u32>> {
    let position = (threshold >= 0.0 && threshold.fract() == 0.0)
        .then_some(threshold as usize)
        .filter(|&position| position < used_sets.len());
    let position = position.ok_or_else(|| {
        Error::failed(format!(
            "asks for set {threshold} of {} sets of categories",
            used_sets.len()
        ))
    })?;
    if std::mem::replace(&mut used_sets[position], true) {
        return Err(Error::failed(format!(
            "the set {position} of categories belongs to two nodes"
        )));
    }
    let mut codes = Vec::new();
    for (word_index, &word) in text.category_sets[position]
        .iter()
        .enumerate()
        .filter(|&(_, &word)| word != 0)
    {
        let first = u32::try_from(word_index * 32)
            .map_err(|_| Error::failed("a category code above 2^32"))?;
        codes.extend(
            (0..32)
                .filter(|bit| word >> bit & 1 == 1)
                .map(|bit| first + bit),
        );
    }
    Ok(codes)
}

/// Negative children are leaves, in complement.
fn child(link: i32) -> Child {
    u32::try_from(link).map_or(Child::Leaf(!link as u32), Child::Node)
}

fn outcome(objective: Option<&str>, margin_count: usize) -> Result<Outcome> {
    let mut words = objective.unwrap_or("custom").split_ascii_whitespace();
    let name = words.next().unwrap_or("custom");
    let settings: Vec<&str> = words.collect();
    let logistic = || slope(&settings).map(|slope| Link::Logistic { slope });
    let integers = |count: usize| (0..count as i64).map(Label::Integer);
    let (task, link) = match name {
        "binary" => (
            Task::Binary {
                labels: [Label::Integer(0), Label::Integer(1)],
                threshold: ABOVE_HALF,
            },
            logistic()?,
        ),
        "multiclass" | "softmax" => (
            Task::Classes {
                labels: integers(margin_count).collect(),
                probabilities: true,
            },
            Link::Softmax,
        ),
        "multiclassova" | "multiclass_ova" | "ova" | "ovr" => (
            Task::Classes {
                labels: integers(margin_count).collect(),
                probabilities: true,
            },
            logistic()?,
        ),
        "regression" | "regression_l2" | "regression_l1" | "l1" | "l2" | "huber" | "fair"
        | "quantile" | "mape" => (
            Task::Value,
            if settings.contains(&"sqrt") {
                Link::SignedSquare
            } else {
                Link::Identity
            },
        ),
        "poisson" | "gamma" | "tweedie" => (Task::Value, Link::Exponential),
        "cross_entropy" | "xentropy" => (Task::Value, Link::Logistic { slope: 1.0 }),
        "cross_entropy_lambda" | "xentlambda" => (Task::Value, Link::SoftPlus),
        "lambdarank" | "rank_xendcg" | "xendcg" => (Task::Value, Link::Identity),
        "custom" | "none" | "null" | "na" if margin_count == 1 => (Task::Value, Link::Identity),
        "custom" | "none" | "null" | "na" => (
            Task::Values((0..margin_count).map(|margin| margin.to_string()).collect()),
            Link::Identity,
        ),
        other => {
            return Err(Error::contract(format!(
                "LightGBM's objective `{other}` is not supported"
            )));
        }
    };
    let one_margin = matches!(task, Task::Value | Task::Binary { .. });
    if one_margin != (margin_count == 1) {
        return Err(Error::failed(format!(
            "the objective `{name}` with {margin_count} trees a round"
        )));
    }
    Ok(Outcome { task, link })
}

fn slope(settings: &[&str]) -> Result<f64> {
    let Some(text) = settings
        .iter()
        .find_map(|setting| setting.strip_prefix("sigmoid:"))
    else {
        return Ok(1.0);
    };
    text.parse()
        .ok()
        .filter(|slope: &f64| slope.is_finite() && *slope > 0.0)
        .ok_or_else(|| Error::failed(format!("the objective's `sigmoid` is `{text}`")))
}

fn describe(text: &TextModel, rounds: Rounds, used: UsedRounds, is_linear: bool) -> Description {
    let mut facts = vec![(
        "objective".to_owned(),
        text.objective.clone().unwrap_or_else(|| "custom".into()),
    )];
    facts.extend(
        text.parameters
            .get("boosting")
            .map(|boosting| ("boosting".to_owned(), boosting.clone())),
    );
    facts.extend(rounds.facts(used, text.trees.len(), used.count * text.trees_per_round));
    let task = text.objective.as_deref().unwrap_or_default();
    if task.starts_with("binary") || task.starts_with("multiclass") {
        facts.push((
            LABELS.into(),
            "numbers in the sorted order of training's labels; the file holds no names".into(),
        ));
    }
    if is_linear {
        facts.push(("leaves".into(), "linear".into()));
    }
    Description {
        format: "lightgbm".into(),
        format_version: Some(text.version.clone()),
        facts,
        sidecars: Vec::new(),
    }
}
