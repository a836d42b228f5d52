//! What a model computes on the way to the score of a row, for explanations.
//!
//! Owns the record of a thread: models note there what they make of the first row of a block,
//! while one is taken, and importers keep what that needs, such as trees, while asked to. It must
//! not know families, formats or how a value is shown.

use std::cell::{Cell, RefCell};

use serde::Serialize;

/// The most steps that are noted: a loop of a graph may take millions.
const STEPS_LIMIT: usize = 2_000;

/// The most values of a step that are noted.
pub const VALUES_LIMIT: usize = 256;

/// The most trees that are noted.
const TREES_LIMIT: usize = 100_000;

/// A value with its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Value {
    /// What it is called.
    pub name: String,
    /// The value as text, with the digits of its precision.
    pub value: String,
}

/// A product of a weighted sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Term {
    /// The feature.
    pub feature: String,
    /// Its value.
    pub value: f64,
    /// What it is multiplied by.
    pub coefficient: f64,
    /// The product, as it is added.
    pub product: f64,
}

/// A weighted sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sum {
    /// Which output it is, from 0.
    pub output: usize,
    /// What is added to the products.
    pub intercept: f64,
    /// The products.
    pub terms: Vec<Term>,
    /// The sum.
    pub sum: f64,
}

/// A step on the way: one of a pipeline, a node of a graph, a layer of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
    /// Its name in the model: `prep → scale`.
    pub name: String,
    /// What it is: `StandardScaler`, `Gemm`, `dense 16 → 8`.
    pub operation: String,
    /// What it reads, where that is not what another step makes alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Value>,
    /// What it makes; only values other than zero where there are many.
    pub outputs: Vec<Value>,
    /// How many values it makes.
    pub output_count: usize,
    /// The weighted sums that it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<Sum>,
}

/// The way of a row through a tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TreePath {
    /// The step that the tree belongs to; empty where the model is its trees.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// The tree, from 0.
    pub tree: usize,
    /// The conditions on the way, from the root.
    pub path: Vec<Branch>,
    /// The leaf, from 0.
    pub leaf: usize,
    /// What the leaf adds to the margins.
    pub values: Vec<f64>,
    /// The margin of each value, from 0; empty where the model has a single one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub margins: Vec<usize>,
    /// What each of these margins stands for, such as a class; empty where that is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
}

/// A condition on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Branch {
    /// The node, from 0.
    pub node: usize,
    /// The feature that it asks about.
    pub feature: String,
    /// What is asked: `< 35.5`.
    pub test: String,
    /// The value; `NaN` for a missing one.
    pub value: String,
    /// Whether the answer is yes; for a missing value, whether it goes where yes leads.
    pub is_left: bool,
}

/// A feature of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feature {
    /// Its name.
    pub name: String,
    /// The categories that its codes stand for.
    pub categories: Vec<String>,
}

/// What was noted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// The steps in order.
    pub steps: Vec<Step>,
    /// The way through every tree.
    pub trees: Vec<TreePath>,
}

/// How much importers keep for explanations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// Trees and names; what runs is what runs otherwise.
    Names,
    /// The same, and every step runs as the file has it, although joined ones would be faster.
    Steps,
}

#[derive(Debug, Default)]
struct Record {
    features: Vec<Feature>,
    names: Option<Vec<String>>,
    trace: Trace,
    sums: Vec<Sum>,
    /// The trees whose step is not noted yet begin here.
    first_tree: usize,
}

thread_local! {
    static KEEP: Cell<Keep> = const { Cell::new(Keep::Nothing) };
    static RECORD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// Imports a model that can be followed.
pub fn keeping<T>(keep: Keep, import: impl FnOnce() -> T) -> T {
    let before = KEEP.replace(keep);
    let made = import();
    KEEP.set(before);
    made
}

/// How much an import on this thread keeps.
#[must_use]
pub fn kept() -> Keep {
    KEEP.get()
}

/// Has a model score a row of these features, and returns what it noted.
pub fn followed<T>(features: Vec<Feature>, score: impl FnOnce() -> T) -> (T, Trace) {
    let record = Record {
        features,
        ..Record::default()
    };
    let before = RECORD.replace(Some(record));
    let made = score();
    let record = RECORD.replace(before).unwrap_or_default();
    let mut trace = record.trace;
    if !record.sums.is_empty() {
        trace.steps.push(Step {
            operation: "linear".to_owned(),
            sums: record.sums,
            ..Step::default()
        });
    }
    (made, trace)
}

/// Whether notes are taken on this thread.
#[must_use]
pub fn is_followed() -> bool {
    RECORD.with_borrow(Option::is_some)
}

fn with_record<T: Default>(change: impl FnOnce(&mut Record) -> T) -> T {
    RECORD.with_borrow_mut(|record| record.as_mut().map(change).unwrap_or_default())
}

/// Runs `work`, to which features have these names.
pub fn with_names<T>(names: Vec<String>, work: impl FnOnce() -> T) -> T {
    let before = with_record(|record| record.names.replace(names));
    let made = work();
    with_record(|record| record.names = before);
    made
}

/// What a feature is called: `x3` where it has no name.
#[must_use]
pub fn name(feature: usize) -> String {
    let known = with_record(|record| match &record.names {
        Some(names) => names.get(feature).cloned(),
        None => record.features.get(feature).map(|one| one.name.clone()),
    });
    known.unwrap_or_else(|| format!("x{feature}"))
}

/// What a code of an input of the model stands for.
#[must_use]
pub fn category(input: usize, code: usize) -> Option<String> {
    with_record(|record| record.features.get(input)?.categories.get(code).cloned())
}

/// What a code of a feature stands for, where the features are the inputs of the model.
#[must_use]
pub fn category_of_feature(feature: usize, code: usize) -> Option<String> {
    with_record(|record| {
        let features = record.names.is_none().then_some(&record.features)?;
        features.get(feature)?.categories.get(code).cloned()
    })
}

/// Notes a weighted sum, which belongs to the next step that is noted.
pub fn note_sum(sum: Sum) {
    with_record(|record| {
        if record.sums.len() < VALUES_LIMIT {
            record.sums.push(sum);
        }
    });
}

/// Notes the way through a tree, which belongs to the next step that is noted.
pub fn note_tree(tree: TreePath) {
    with_record(|record| {
        if record.trace.trees.len() < TREES_LIMIT {
            record.trace.trees.push(tree);
        }
    });
}

/// Notes a step; of many outputs, those that are not zero.
pub fn note_step(mut step: Step) {
    with_record(|record| {
        step.sums = std::mem::take(&mut record.sums);
        let trees = &mut record.trace.trees;
        for tree in &mut trees[record.first_tree..] {
            if tree.step.is_empty() {
                tree.step.clone_from(&step.name);
            }
        }
        record.first_tree = trees.len();
        step.output_count = step.output_count.max(step.outputs.len());
        if step.outputs.len() > VALUES_LIMIT {
            step.outputs.retain(|one| !is_zero(&one.value));
            step.outputs.truncate(VALUES_LIMIT);
        }
        step.inputs.truncate(VALUES_LIMIT);
        if record.trace.steps.len() < STEPS_LIMIT {
            record.trace.steps.push(step);
        }
    });
}

/// Adds outputs to the last step of this name, or notes it; each output once.
pub fn extend_step(step: Step) {
    let left = with_record(|record| {
        let mut steps = record.trace.steps.iter_mut().rev();
        let Some(known) = steps.find(|known| known.name == step.name) else {
            return Some(step);
        };
        for output in step.outputs {
            if known.outputs.len() < VALUES_LIMIT && !known.outputs.contains(&output) {
                known.outputs.push(output);
            }
        }
        known.output_count = known.output_count.max(step.output_count);
        None
    });
    left.into_iter().for_each(note_step);
}

/// Whether a value is a zero.
#[must_use]
pub fn is_zero(value: &str) -> bool {
    value.parse::<f64>().is_ok_and(|value| value == 0.0)
}
