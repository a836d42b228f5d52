//! How a row got its score, as an object and as lines.
//!
//! Owns the names of what is shown; contributions of features will be another field. It must not
//! know how a row is found or scored.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::model::trace::{Step, Sum, Term, TreePath, is_zero};

/// The most trees of which the path is shown; the object has them all.
const TREES_SHOWN: usize = 5;

/// The most values of a step, and terms of a sum, that are shown.
const VALUES_SHOWN: usize = 16;

/// The most steps that are shown.
const STEPS_SHOWN: usize = 40;

/// How a row got its score.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// The input file.
    pub file: String,
    /// The row in that file, from 1.
    pub row: u64,
    /// `scored`, `rejected` or `filtered`.
    pub outcome: String,
    /// Why the row was rejected or filtered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What `retry` did to the row, if it did something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<Correction>,
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
    /// How the margins become scores; none for a model of columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// What the model computes on the way: steps of a pipeline, weighted sums, nodes of a graph,
    /// layers of a network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// The way through every tree; empty for other models, and where it is not known.
    pub trees: Vec<TreePath>,
}

/// What `retry` did to a row that was rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Correction {
    /// The table of corrected rows that has, or had, the values that were scored.
    pub table: String,
    /// Whether it still has them. If not, it is not known which rows of the part were corrected.
    pub is_kept: bool,
    /// When the data set was finished, by the last `retry`.
    pub finished_at: String,
    /// Why the row of the input was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected_because: Option<String>,
}

impl Correction {
    fn lines(&self) -> Vec<String> {
        let Self {
            table, finished_at, ..
        } = self;
        let rejected = self.rejected_because.iter();
        let rejected = rejected.map(|reason| format!("  {:24} {reason}", "rejected before"));
        let corrected = if self.is_kept {
            format!(
                "by `retry`, which finished at {finished_at}; its values are those of `{table}`"
            )
        } else {
            format!(
                "maybe, by `retry`, which finished at {finished_at}: `{table}`, which had the \
                 corrected values, is gone; look for the row's score in the output"
            )
        };
        let corrected = format!("  {:24} {corrected}", "corrected");
        rejected.chain([corrected]).collect()
    }
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

/// Lines for users.
#[must_use]
pub fn lines(one: &Explanation) -> Vec<String> {
    let mut lines = vec![format!("row {} of {}: {}", one.row, one.file, one.outcome)];
    lines.extend(
        one.reason
            .iter()
            .map(|reason| format!("  {:24} {reason}", "reason")),
    );
    lines.extend(one.correction.iter().flat_map(Correction::lines));
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
    if !one.inputs.is_empty() {
        lines.push("inputs of the model: column, value, what is read".to_owned());
    }
    lines.extend(one.inputs.iter().map(input_line));
    lines.extend(section("derived columns", &one.derived));
    lines.extend(section("scores", &one.scores));
    if !one.margins.is_empty() {
        let margins: Vec<String> = one.margins.iter().map(ToString::to_string).collect();
        lines.push(format!("  {:24} {}", "margin", margins.join(", ")));
        let link = one.link.iter();
        lines.extend(link.map(|link| format!("  {:24} {link}", "link")));
    }
    lines.extend(step_lines(&one.steps));
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
        .filter(|read| !is_same(value, read))
        .map_or_else(String::new, |read| format!(" read as {read}"));
    let mut coercions: Vec<&str> = input.coercions.iter().map(String::as_str).collect();
    if input.value.is_none() {
        // The value says so.
        coercions.retain(|name| *name != "missing");
    }
    let coercions = if coercions.is_empty() {
        String::new()
    } else {
        format!(" ({})", coercions.join(", "))
    };
    let name = if input.feature == input.column {
        input.feature.clone()
    } else {
        format!("{} <- {}", input.feature, input.column)
    };
    format!("  {name:24} {value}{read}{coercions}")
}

/// Whether a value is the text of the number that is read, in one way of writing or another:
/// `47.0` is `47`.
fn is_same(value: &str, read: &str) -> bool {
    let whole = |text: &str| {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        (plain && !whole.is_empty())
            .then(|| (whole.to_owned(), fraction.trim_end_matches('0').to_owned()))
    };
    value == read || whole(value).is_some_and(|value| Some(value) == whole(read))
}

fn step_lines(steps: &[Step]) -> Vec<String> {
    let mut lines = Vec::new();
    if !steps.is_empty() {
        lines.push("steps of the model (`--format json` has all values)".to_owned());
    }
    for step in steps.iter().take(STEPS_SHOWN) {
        let title = match (step.name.as_str(), step.operation.as_str()) {
            (name, operation) if name.is_empty() || name == operation => operation.to_owned(),
            (name, "") => name.to_owned(),
            (name, operation) => format!("{name} ({operation})"),
        };
        lines.push(format!("  {title}"));
        if step.sums.is_empty() {
            lines.extend(value_lines(step));
        } else {
            let is_one = step.sums.len() == 1;
            lines.extend(step.sums.iter().flat_map(|sum| sum_lines(sum, is_one)));
        }
    }
    if steps.len() > STEPS_SHOWN {
        lines.push(format!("  and {} more steps", steps.len() - STEPS_SHOWN));
    }
    lines
}

/// The outputs of a step; of many those that are not zero.
fn value_lines(step: &Step) -> Vec<String> {
    let is_large = step.output_count > VALUES_SHOWN;
    let outputs = step.outputs.iter();
    let shown = outputs
        .filter(|output| !is_large || !is_zero(&output.value))
        .take(VALUES_SHOWN);
    let line = |name: &str, value: &str| format!("    {name:22} {value}");
    let mut lines: Vec<String> = shown
        .map(|output| line(&output.name, &output.value))
        .collect();
    if is_large {
        lines.push(line("", &format!("{} values", step.output_count)));
    }
    lines
}

/// A weighted sum: its largest terms, what is left, the intercept and the sum.
fn sum_lines(sum: &Sum, is_one: bool) -> Vec<String> {
    let line = |name: &str, value: String| format!("    {name:22} {value}");
    let mut terms: Vec<&Term> = sum.terms.iter().collect();
    terms.sort_by(|left, right| right.product.abs().total_cmp(&left.product.abs()));
    let mut lines = Vec::new();
    if !is_one {
        lines.push(format!("    output {}", sum.output));
    }
    lines.extend(terms.iter().take(VALUES_SHOWN).map(|term| {
        let Term {
            value,
            coefficient,
            product,
            ..
        } = term;
        line(
            &term.feature,
            format!("{value} x {coefficient} = {product}"),
        )
    }));
    let left = &terms[terms.len().min(VALUES_SHOWN)..];
    if !left.is_empty() {
        let total: f64 = left.iter().map(|term| term.product).sum();
        lines.push(line(
            &format!("{} smaller terms", left.len()),
            total.to_string(),
        ));
    }
    lines.push(line("intercept", sum.intercept.to_string()));
    lines.push(line("sum", sum.sum.to_string()));
    lines
}

/// What a leaf adds, and to what where there are several margins.
fn vote(tree: &TreePath, index: usize, value: f64) -> String {
    match (tree.outputs.get(index), tree.margins.get(index)) {
        (Some(output), _) => format!("{value} for {output}"),
        (None, Some(margin)) => format!("{value} for margin {margin}"),
        (None, None) => value.to_string(),
    }
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
        let values = tree.values.iter().enumerate();
        let values: Vec<String> = values
            .map(|(index, value)| vote(tree, index, *value))
            .collect();
        lines.push(format!(
            "  {}tree {}, leaf {}: {}",
            if tree.step.is_empty() {
                String::new()
            } else {
                format!("{}, ", tree.step)
            },
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
