//! Trees, forests and neighbours of several outputs of classes.
//!
//! Sources: `predict_proba` and `predict` in `sklearn/tree/_classes.py`, `ensemble/_forest.py` and
//! `neighbors/_classification.py` of 0.24 to 1.9.

use super::column::Column;
use super::engine::Engine;
use super::fitted::{Finished, Fitted};
use super::forests::{of_trees, takes_missing};
use super::formula::{Formula, largest};
use super::grove::{Grove, class_shares};
use super::inputs::{Inputs, numbers};
use super::labels::labels_of;
use super::multiple::{class_columns, class_names};
use super::neighbors::{Neighbourhood, outliers};
use super::object::{Object, positions};
use crate::error::Result;
use crate::forest::Target;
use crate::outcome::{Label, Shown, Task};

/// The classes of each output.
pub(super) fn labels_of_outputs(object: &Object) -> Result<Vec<Vec<Label>>> {
    let unfit = || object.refuse("its classes do not fit its outputs");
    let list = object.list("classes_")?.iter();
    let labels = list.map(|id| {
        let array = object.arena.array(*id).ok_or_else(unfit)?;
        let labels = labels_of(object, array)?;
        if labels.is_empty() {
            return Err(unfit());
        }
        Ok(labels)
    });
    labels.collect()
}

/// Whether a classifier has several outputs.
pub(super) fn has_several(object: &Object) -> bool {
    object.find("n_outputs_").is_some() && object.real("n_outputs_").is_ok_and(|count| count > 1.0)
}

/// A tree, or the mean of trees.
pub(super) fn averaged(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    numbers(object, columns, inputs)?;
    let labels = labels_of_outputs(object)?;
    let sizes: Vec<usize> = labels.iter().map(Vec::len).collect();
    let width: usize = sizes.iter().sum();
    let most = sizes.iter().copied().max().unwrap_or(1);
    if width > object.arena.file_bytes() {
        return Err(object.refuse("it has more outputs than the file can hold"));
    }
    let grove = Grove::of(object, columns.len())?;
    let has_weights = !object.is_since(1, 4);
    let forest = grove.forest(object, vec![0.0; width], Target::All, |_, leaf, added| {
        // Outputs of fewer classes are filled up.
        for (own, size) in leaf.values.chunks_exact(most).zip(&sizes) {
            added.extend(class_shares(own, *size, has_weights));
        }
    })?;
    let takes_missing = takes_missing(object)?;
    if !takes_missing {
        inputs.reject_missing(columns);
    }
    let trees = of_trees(forest, grove.members.len() as f64);
    let mut shares = inputs
        .push_reading(columns.to_vec(), trees, !takes_missing)
        .into_iter();
    let (mut made, mut shown) = (Vec::new(), Vec::new());
    for (output, labels) in labels.iter().enumerate() {
        let own: Vec<Column> = shares.by_ref().take(labels.len()).collect();
        let predicted = inputs.push(own.clone(), Engine::Formula(Formula::largest()));
        let (columns, names) = class_columns(output, labels, predicted, Some(own));
        made.extend(columns);
        shown.extend(names);
    }
    Ok((made, Fitted::columns(Task::Listed(shown))))
}

/// `KNeighborsClassifier` and `RadiusNeighborsClassifier`: for each output the shares of the
/// classes of the neighbours.
pub(super) fn neighbours(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels_of_outputs(object)?;
    let outputs = labels.len();
    let neighbourhood = Neighbourhood::new(object, count)?;
    let sizes: Vec<usize> = labels.iter().map(Vec::len).collect();
    let classes = positions(object.arena, object.need("_y")?).filter(|classes| {
        let mut own = classes.iter().enumerate();
        outputs.checked_mul(neighbourhood.row_count()) == Some(classes.len())
            && own.all(|(index, class)| *class < sizes[index % outputs])
    });
    let classes = classes.ok_or_else(|| object.refuse("its classes do not fit its rows"))?;
    let mut predicted = labels.clone();
    let outliers = outliers_of(object, &mut predicted)?;
    let own = labels.iter().zip(predicted).enumerate();
    let shown = own.flat_map(|(output, (labels, predicted))| {
        let mut shown = class_names(output, labels);
        if let Some(first) = shown.first_mut() {
            first.labels = Some(predicted);
        }
        shown
    });
    let shown: Vec<Shown> = shown.collect();
    let takes_missing = neighbourhood.takes_missing();
    let numbers = neighbourhood.number_count() + classes.len();
    let formula = Formula::new("neighbors", shown.len(), numbers, move |values, made| {
        let found = neighbourhood.of(values);
        let mut made = made.iter_mut();
        for (output, size) in sizes.iter().enumerate() {
            let mut shares = vec![0.0; *size];
            for (row, weight) in &found {
                shares[classes[row * outputs + output]] += weight;
            }
            let sum: f64 = shares.iter().sum();
            let class = match outliers.get(output) {
                Some(outlier) if sum == 0.0 => {
                    if let Some(share) = shares.get_mut(*outlier) {
                        *share = 1.0;
                    }
                    *outlier as f64
                }
                None if sum == 0.0 => {
                    shares.fill(f64::NAN);
                    f64::NAN
                }
                _ => {
                    shares.iter_mut().for_each(|share| *share /= sum);
                    largest(&shares) as f64
                }
            };
            let shares = shares.into_iter().skip(usize::from(*size == 2));
            let own = std::iter::once(class).chain(shares);
            own.zip(made.by_ref()).for_each(|(value, to)| *to = value);
        }
    });
    Ok(Fitted {
        takes_missing,
        ..Fitted::plain(Engine::Formula(formula), Task::Listed(shown))
    })
}

/// The index of each output's label of rows without neighbours, among the labels that may be
/// predicted, to which it adds those that are no class.
fn outliers_of(object: &Object, predicted: &mut [Vec<Label>]) -> Result<Vec<usize>> {
    let Some(outliers) = outliers(object)? else {
        return Ok(Vec::new());
    };
    if outliers.len() != predicted.len() {
        return Err(object.refuse("its `outlier_label_` does not fit its outputs"));
    }
    let of_output = |(label, predicted): (Label, &mut Vec<Label>)| {
        let found = predicted.iter().position(|one| *one == label);
        found.unwrap_or_else(|| {
            predicted.push(label);
            predicted.len() - 1
        })
    };
    Ok(outliers.into_iter().zip(predicted).map(of_output).collect())
}
