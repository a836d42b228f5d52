//! Pipelines that only transform: their columns are what comes out.

use super::column::Column;
use super::fitted::{Finished, Fitted};
use super::inputs::Inputs;
use super::object::Object;
use super::transformer::transform;
use crate::error::Result;
use crate::outcome::{Shown, Task};

/// The packages whose classes transform and do not predict.
const TRANSFORMING: [&str; 9] = [
    "compose",
    "decomposition",
    "feature_extraction",
    "feature_selection",
    "impute",
    "kernel_approximation",
    "pipeline",
    "preprocessing",
    "random_projection",
];

/// The classes of other packages that transform and do not predict.
const ALONE: [&str; 5] = [
    "BernoulliRBM",
    "FeatureAgglomeration",
    "NeighborhoodComponentsAnalysis",
    "PLSSVD",
    "RandomTreesEmbedding",
];

/// The columns of a transformer at the end of a pipeline; none for estimators.
///
/// # Errors
/// Those of its translation.
pub(super) fn transformed(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Option<Finished>> {
    let (package, name) = object.class();
    let predicts = name == "TransformedTargetRegressor";
    let transforms = TRANSFORMING.contains(&package) || ALONE.contains(&name);
    if !transforms || predicts {
        return Ok(None);
    }
    let made = transform(object, columns.to_vec(), inputs)?;
    if made.is_empty() {
        return Err(object.refuse("it makes no columns"));
    }
    if let Some(column) = made.iter().find(|column| column.filled.is_some()) {
        let name = inputs.name(column.input).to_owned();
        return Err(object.refuse(&format!("its column `{name}` is a text, not a number")));
    }
    let shown = names(&made, inputs).into_iter().map(Shown::number);
    let task = Task::Listed(shown.collect());
    Ok(Some((made, Fitted::columns(task))))
}

/// The name of its input where a column is the only one of it, else one by number.
fn names(columns: &[Column], inputs: &Inputs) -> Vec<String> {
    let is_alone = |column: &Column| {
        let of_input = columns.iter().filter(|one| one.input == column.input);
        inputs.is_input(column.input) && of_input.count() == 1
    };
    let name = |(index, column): (usize, &Column)| {
        if is_alone(column) {
            inputs.name(column.input).to_owned()
        } else {
            format!("column_{index}")
        }
    };
    let mut names: Vec<String> = columns.iter().enumerate().map(name).collect();
    // An input may be called `column_3`, too.
    let mut seen = std::collections::HashSet::new();
    for (index, name) in names.iter_mut().enumerate() {
        while !seen.insert(name.clone()) {
            *name = format!("{name}_{index}");
        }
    }
    names
}
