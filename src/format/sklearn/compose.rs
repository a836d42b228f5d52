//! Pipelines that only transform: their columns are what comes out.

use super::column::Column;
use super::fitted::{Finished, Fitted};
use super::inputs::Inputs;
use super::object::Object;
use super::transformer::transform;
use crate::contract::CategoryValue;
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

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
    // Names are those of `get_feature_names_out`, which most classes have since 1.1.
    let own = made.iter().map(|column| column.name.as_deref());
    let own = own.map(|name| name.map(str::to_owned));
    let own: Option<Vec<String>> = own.collect();
    let names = own.filter(|_| object.is_since(1, 1));
    let names = distinct(names.unwrap_or_else(|| self::names(&made, inputs)));
    let mut shown = Vec::with_capacity(made.len());
    for ((output, column), name) in made.iter().enumerate().zip(names) {
        shown.push(match &column.filled {
            None => Shown::number(name),
            Some(filled) => {
                let filled = passed(object, output, column, filled, &made, inputs)?;
                Shown::label(name, vec![filled])
            }
        });
    }
    Ok(Some((made, Fitted::columns(Task::Listed(shown)))))
}

/// Passes the text of the table on that an imputer leaves; what takes the place of missing ones.
fn passed(
    object: &Object,
    output: usize,
    column: &Column,
    filled: &CategoryValue,
    made: &[Column],
    inputs: &mut Inputs,
) -> Result<Label> {
    let name = inputs.name(column.input).to_owned();
    let CategoryValue::Text(filled) = filled else {
        let message = format!("its column `{name}` is neither of texts nor of numbers");
        return Err(object.refuse(&message));
    };
    let others = made.iter().filter(|one| one.input == column.input);
    let is_text_alone = others.into_iter().all(|one| one.filled.is_some());
    if !is_text_alone || !inputs.pass(output, column.input, filled.clone()) {
        let message = format!("column `{name}` is a text here and is read otherwise elsewhere");
        return Err(object.refuse(&message));
    }
    Ok(Label::Text(filled.clone()))
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
    columns.iter().enumerate().map(name).collect()
}

/// The same names, each once: an input may be called `column_3`, too.
fn distinct(mut names: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    for (index, name) in names.iter_mut().enumerate() {
        while !seen.insert(name.clone()) {
            *name = format!("{name}_{index}");
        }
    }
    names
}
