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

/// Trees are read one after the other and dropped when they are planted. Those that are not needed
/// tell of the features too.
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

#[cfg(test)]
mod tests {
    use super::text::tests::{BRANCHING, CONSTANT, file, sample};
    use super::*;
    use crate::contract::{CategoryValue, InputKind};
    use crate::feature::{Columns, FeatureBlock};
    use crate::format::TreeSelection;
    use crate::outcome::Margins;

    fn load(text: &str, trees: TreeSelection) -> Result<LoadedModel> {
        LightGbm.import(
            &Artefact::new("model.txt", text.as_bytes().to_vec()),
            &ImportOptions {
                trees,
                ..ImportOptions::default()
            },
        )
    }

    fn refusal(text: &str) -> String {
        load(text, TreeSelection::Best)
            .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
    }

    /// The margins of rows of (age, shop).
    fn margins(text: &str, rows: &[(f64, f64)]) -> Vec<f64> {
        let model = load(text, TreeSelection::Best).unwrap().model;
        let mut columns = Columns::filled(rows.len(), 2, 0.0);
        columns
            .column_mut(0)
            .iter_mut()
            .zip(rows)
            .for_each(|(value, row)| *value = row.0);
        columns
            .column_mut(1)
            .iter_mut()
            .zip(rows)
            .for_each(|(value, row)| *value = row.1);
        let model = model.as_numeric().unwrap();
        let margins = model.margins(&FeatureBlock::Double(columns)).unwrap();
        let Margins::Double(margins) = margins else {
            unreachable!("a LightGBM model computes in f64")
        };
        margins
    }

    #[test]
    fn categories_are_cut_to_whole_numbers_and_all_else_goes_right() {
        let rows: Vec<(f64, f64)> = [
            1.0,
            33.9,
            1.5,
            0.0,
            -1.0,
            -33.0,
            34.0,
            65.0,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ]
        .map(|shop| (9.0, shop))
        .into();
        let (member, other) = (-1.0 + 0.5, 1e-3 + 0.5);
        let expected = [
            member, member, member, other, other, other, other, other, other, other, other, other,
        ];
        assert_eq!(margins(&sample(), &rows), expected);
        assert_eq!(
            margins(
                &sample().replace("decision_type=10 1", "decision_type=10 9"),
                &rows[11..]
            ),
            [other]
        );
    }

    #[test]
    fn the_three_missing_types_send_nan_and_zero_their_own_ways() {
        let rows = [
            (f64::NAN, 0.0),
            (0.0, 0.0),
            (-1e-36, 0.0),
            (0.5, 0.0),
            (0.5_f64.next_up(), 0.0),
        ];
        let (left, right) = (0.25 + 0.5, 1e-3 + 0.5);
        let with = |kind: &str| {
            margins(
                &sample().replace("decision_type=10 1", &format!("decision_type={kind:>2} 1")),
                &rows,
            )
        };
        assert_eq!(with("10"), [left, left, left, left, right], "NaN goes left");
        assert_eq!(
            with("8"),
            [right, left, left, left, right],
            "NaN goes right"
        );
        assert_eq!(
            with("4"),
            [right, right, right, left, right],
            "zero and NaN go right"
        );
        assert_eq!(with("2"), [left, left, left, left, right], "NaN is 0");
        assert_eq!(
            refusal(&sample().replace("decision_type=10 1", "decision_type=12 1")),
            "the decision type 12 has no meaning (node 0)"
        );
    }

    #[test]
    fn values_within_the_zero_band_are_zero_to_a_threshold() {
        let with = |threshold: &str, age: f64| {
            let tree = BRANCHING.replace("threshold=0.5 0", &format!("threshold={threshold} 0"));
            margins(&file("regression", 1, &[&tree]), &[(age, 0.0)])[0].to_bits()
                == 0.25_f64.to_bits()
        };
        let band = f64::from(1e-35_f32);
        assert!(with("0", 1e-36) && with("0", band) && !with("0", band.next_up()));
        assert!(
            with("1.0000000180025095e-35", band)
                && !with("-1.0000000180025095e-35", -band)
                && with("-1.0000000180025095e-35", -2.0 * band)
        );
    }

    #[test]
    fn a_forest_is_averaged_and_a_selection_counts_rounds() {
        let text = file(
            "multiclass num_class:2",
            2,
            &[CONSTANT, BRANCHING, CONSTANT, CONSTANT],
        );
        let averaged = text.replace("feature_names", "average_output\nfeature_names");
        assert_eq!(margins(&text, &[(0.0, 0.0)]), [1.0, 0.75]);
        assert_eq!(margins(&averaged, &[(0.0, 0.0)]), [0.5, 0.375]);
        let facts = load(&text, TreeSelection::First(1))
            .unwrap()
            .description
            .facts;
        assert!(facts.contains(&(
            "rounds_used".to_owned(),
            "1 of 2 (2 of 4 trees), as `--trees` asks".to_owned()
        )));
        for requested in [0, 3] {
            let error = load(&text, TreeSelection::First(requested)).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("cannot use {requested} boosting rounds of a model that has 2")
            );
        }
    }

    #[test]
    fn objectives_have_their_links() {
        let link = |objective: &str| outcome(Some(objective), 1).map(|outcome| outcome.link);
        assert_eq!(
            link("binary sigmoid:0.7").unwrap(),
            Link::Logistic { slope: 0.7 }
        );
        assert_eq!(link("quantile sqrt alpha:0.9").unwrap(), Link::SignedSquare);
        assert_eq!(link("poisson sqrt").unwrap(), Link::Exponential);
        assert_eq!(link("cross_entropy_lambda").unwrap(), Link::SoftPlus);
        assert_eq!(
            link("binary sigmoid:nan").unwrap_err().to_string(),
            "the objective's `sigmoid` is `nan`"
        );
        assert_eq!(
            link("wizardry").unwrap_err().to_string(),
            "LightGBM's objective `wizardry` is not supported"
        );
        assert_eq!(
            outcome(Some("binary"), 2).unwrap_err().to_string(),
            "the objective `binary` with 2 trees a round"
        );
        assert_eq!(
            outcome(None, 2).unwrap().task,
            Task::Values(vec!["0".into(), "1".into()])
        );
    }

    #[test]
    fn broken_trees_are_refused_with_their_position() {
        for (from, to, message) in [
            (
                "right_child=1 -3",
                "right_child=9 -3",
                "leads to node 9 of 2 (tree 0, node 0)",
            ),
            (
                "right_child=1 -3",
                "right_child=0 -3",
                "leads to node 0, which is reached twice: the tree has a cycle (tree 0, node 0)",
            ),
            (
                "right_child=1 -3",
                "right_child=1 -9",
                "leads to leaf 8 of 3 (tree 0, node 1)",
            ),
            (
                "left_child=-1 -2",
                "left_child=-1 -2147483648",
                "leads to leaf 2147483647 of 3 (tree 0, node 1)",
            ),
            (
                "threshold=0.5 0",
                "threshold=nan 0",
                "the threshold is NaN (tree 0, node 0)",
            ),
            (
                "threshold=0.5 0",
                "threshold=0.5 1",
                "asks for set 1 of 1 sets of categories (node 1)",
            ),
            (
                "threshold=0.5 0",
                "threshold=0.5 -inf",
                "asks for set -inf of 1 sets of categories (node 1)",
            ),
            (
                "decision_type=10 1",
                "decision_type=1 1",
                "asks for set 0.5 of 1 sets of categories (node 0)",
            ),
            (
                "split_feature=0 1",
                "split_feature=7 1",
                "splits on feature 7 of 2 (tree 0, node 0)",
            ),
        ] {
            assert_eq!(
                refusal(&file("regression", 1, &[&BRANCHING.replace(from, to)])),
                message,
                "{to}"
            );
        }
        assert_eq!(
            refusal(&file("regression", 1, &[])),
            "0 trees do not make rounds of 1 trees"
        );
        assert_eq!(
            refusal(&file("multiclass", 9_000_000, &[CONSTANT])),
            "1 trees do not make rounds of 9000000 trees"
        );
    }

    #[test]
    fn inputs_are_numbers_codes_or_pandas_categories() {
        let kinds = |text: &str| {
            load(text, TreeSelection::Best).map(|model| {
                model
                    .contract
                    .inputs
                    .into_iter()
                    .map(|input| input.kind)
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(
            kinds(&sample()).unwrap(),
            [InputKind::Number, InputKind::CategoryCode]
        );
        let named = |text: &str| load(text, TreeSelection::Best).unwrap().contract.named;
        assert!(named(&sample()) && !named(&sample().replace("age shop", "Column_0 Column_1")));
        let list = (0..40)
            .map(|code| format!("\"shop {code}\""))
            .collect::<Vec<_>>()
            .join(", ");
        let kinds_with = |categories: &str| kinds(&sample().replace("null", categories));
        let found = kinds_with(&format!("[[{list}]]")).unwrap();
        let InputKind::Category(vocabulary) = &found[1] else {
            panic!("{found:?}")
        };
        assert_eq!(
            (&vocabulary.values[3], vocabulary.unseen_code.is_nan()),
            (&CategoryValue::Text("shop 3".into()), true)
        );
        let message = "cannot determine which features the 1 lists of \
            `pandas_categorical` belong to: \
                       `shop` has more codes than its list has values";
        assert_eq!(
            kinds_with("[[1.5, true]]").unwrap_err().to_string(),
            message
        );
        let message = "cannot determine which features the 2 lists of \
            `pandas_categorical` belong to: \
                       1 features are categorical";
        assert_eq!(
            kinds_with(&format!("[[{list}], [1]]"))
                .unwrap_err()
                .to_string(),
            message
        );
    }

    #[test]
    fn a_constant_column_takes_a_list_only_where_that_is_certain() {
        let text = sample()
            .replace("[categorical_feature: 1]\n", "")
            .replace("[0:9]", "none");
        let list = (0..40)
            .map(|code| code.to_string())
            .collect::<Vec<_>>()
            .join(", ");
        let two = load(
            &text.replace("null", &format!("[[\"same\"], [{list}]]")),
            TreeSelection::Best,
        )
        .unwrap();
        assert!(
            two.contract
                .inputs
                .iter()
                .all(|input| matches!(input.kind, InputKind::Category(_)))
        );
        let one = load(
            &text.replace("null", &format!("[[{list}]]")),
            TreeSelection::Best,
        )
        .unwrap();
        assert_eq!(one.contract.inputs[0].kind, InputKind::Number);
    }
}
