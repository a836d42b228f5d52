//! How a row got its score, as an object and as lines.
//!
//! Owns the names of what is shown. Contributions of features are not among them. It must not know
//! how a row is found or scored.

use serde::Serialize;
use serde_json::{Map, Value as Json};

/// The most trees of which the path is shown; the object has them all.
const TREES_SHOWN: usize = 5;

/// How a row got its score.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The input file.
    pub file: String,
    /// The row in that file, from 1.
    pub row: u64,
    /// `scored`, `rejected` or `filtered`.
    pub outcome: String,
    /// Why the row was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The model: name, version, digest, format, and the version in a registry.
    pub model: Map<String, Json>,
    /// Columns that are passed through, and their values.
    pub columns: Map<String, Json>,
    /// What the model reads.
    pub inputs: Vec<InputValue>,
    /// Columns that expressions add, and their values.
    pub derived: Map<String, Json>,
    /// What the run adds to the row.
    pub scores: Map<String, Json>,
    /// The raw scores before the link; empty for a model of columns.
    pub margins: Vec<f64>,
    /// The way through every tree; empty for other models, and where it is not known.
    pub trees: Vec<TreePath>,
}

/// A value that a model reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct InputValue {
    /// The feature.
    pub feature: String,
    /// The column that feeds it.
    pub column: String,
    /// The value in the table; none if it is missing.
    pub value: Option<String>,
    /// The number that the model reads, where it reads numbers; `NaN` for missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// What was done to the value: `missing`, `parsed`, `defaulted`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub coercions: Vec<String>,
}

/// The way of a row through a tree.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TreePath {
    /// The tree, from 0.
    pub tree: usize,
    /// The conditions on the way, from the root.
    pub path: Vec<Step>,
    /// The leaf, from 0.
    pub leaf: usize,
    /// What the leaf adds to the margins.
    pub values: Vec<f64>,
}

/// A condition on the way.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Step {
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

/// Lines for users.
#[must_use]
pub fn lines(one: &Explanation) -> Vec<String> {
    let mut lines = vec![format!("row {} of {}: {}", one.row, one.file, one.outcome)];
    lines.extend(
        one.reason
            .iter()
            .map(|reason| format!("  {:24} {reason}", "reason")),
    );
    let section = |title: &str, values: &Map<String, Json>| {
        let mut lines = Vec::new();
        if !values.is_empty() {
            lines.push(title.to_owned());
        }
        lines.extend(values.iter().map(|(name, value)| {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            format!("  {name:24} {value}")
        }));
        lines
    };
    lines.extend(section("model", &one.model));
    lines.extend(section("columns", &one.columns));
    lines.push("inputs of the model: column, value, what is read".to_owned());
    lines.extend(one.inputs.iter().map(input_line));
    lines.extend(section("derived columns", &one.derived));
    lines.extend(section("scores", &one.scores));
    if !one.margins.is_empty() {
        let margins: Vec<String> = one.margins.iter().map(ToString::to_string).collect();
        lines.push(format!("  {:24} {}", "margin", margins.join(", ")));
    }
    lines.extend(tree_lines(&one.trees));
    lines
}

fn input_line(input: &InputValue) -> String {
    let value = match input.value.as_deref() {
        None => "(missing)",
        Some("") => "(empty)",
        Some(value) => value,
    };
    let read = input
        .read
        .as_ref()
        .filter(|read| *read != value)
        .map_or_else(String::new, |read| format!(" read as {read}"));
    let coercions = if input.coercions.is_empty() {
        String::new()
    } else {
        format!(" ({})", input.coercions.join(", "))
    };
    let name = if input.feature == input.column {
        input.feature.clone()
    } else {
        format!("{} <- {}", input.feature, input.column)
    };
    format!("  {name:24} {value}{read}{coercions}")
}

fn tree_lines(trees: &[TreePath]) -> Vec<String> {
    let size = |tree: &TreePath| {
        tree.values
            .iter()
            .fold(0.0_f64, |most, one| most.max(one.abs()))
    };
    let mut largest: Vec<&TreePath> = trees.iter().collect();
    largest.sort_by(|left, right| size(right).total_cmp(&size(left)));
    let mut lines = Vec::new();
    if !trees.is_empty() {
        lines.push(format!(
            "trees: the largest leaves of {} (`--format json` has all paths)",
            trees.len()
        ));
    }
    for tree in largest.iter().take(TREES_SHOWN) {
        let values: Vec<String> = tree.values.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "  tree {}, leaf {}: {}",
            tree.tree,
            tree.leaf,
            values.join(", ")
        ));
        lines.extend(tree.path.iter().map(|step| {
            let answer = if step.is_left { "yes" } else { "no" };
            format!(
                "    {} {}: {answer} ({})",
                step.feature, step.test, step.value
            )
        }));
    }
    lines
}
