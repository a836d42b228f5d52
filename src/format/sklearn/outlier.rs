//! Outlier detectors: `prediction` 1 or −1, and `score`, the decision function, below 0 for
//! outliers.
//!
//! Sources: `sklearn/ensemble/_iforest.py`, `covariance/_elliptic_envelope.py`,
//! `neighbors/_lof.py`, `svm/_classes.py` and `linear_model/_stochastic_gradient.py` of 0.24 to
//! 1.9.

use super::column::{Column, Step};
use super::engine::TreeReads;
use super::fitted::{Finished, Fitted, same_count};
use super::forests::of_trees_reading;
use super::formula::{Formula, dot};
use super::grove::Grove;
use super::inputs::{Inputs, numbers};
use super::neighbors::Points;
use super::object::Object;
use super::svm;
use crate::error::Result;
use crate::forest::Target;
use crate::outcome::{Label, Shown, Task};

/// The detectors but the forest.
pub(super) const DETECTORS: [&str; 4] = [
    "OneClassSVM",
    "SGDOneClassSVM",
    "EllipticEnvelope",
    "LocalOutlierFactor",
];

/// The columns of a detector whose decisions are these.
fn detected(decision: Column, is_strict: bool) -> Finished {
    let labels = vec![Label::Integer(-1), Label::Integer(1)];
    let shown = vec![Shown::label("prediction", labels), Shown::number("score")];
    let step = if is_strict {
        Step::Above(0.0)
    } else {
        Step::AtLeast(0.0)
    };
    let made = vec![decision.clone().then([step]), decision];
    (made, Fitted::columns(Task::Listed(shown)))
}

/// The mean length of a path to one of so many rows.
fn path_length(count: f64) -> f64 {
    /// Euler's constant.
    const GAMMA: f64 = 0.577_215_664_901_532_9;
    if count <= 1.0 {
        0.0
    } else if count == 2.0 {
        1.0
    } else {
        2.0 * ((count - 1.0).ln() + GAMMA) - 2.0 * (count - 1.0) / count
    }
}

/// `IsolationForest`.
pub(super) fn isolation(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    numbers(object, columns, inputs)?;
    if !object.is_since(1, 6) {
        inputs.reject_missing(columns);
    }
    let samples = ["_max_samples", "max_samples_"]
        .into_iter()
        .find(|name| object.find(name).is_some())
        .unwrap_or("max_samples_");
    let samples = object.real(samples)?;
    let grove = Grove::new(object, columns.len())?;
    let forest = grove.forest(object, vec![0.0], Target::Margin(0), |_, leaf, added| {
        added.push(leaf.depth() as f64 + path_length(leaf.row_count()));
    })?;
    let denominator = grove.members.len() as f64 * path_length(samples);
    let offset = object.real("offset_")?;
    // Since it takes missing values, it does not look for infinite ones either.
    let reads = if object.is_since(1, 6) {
        inputs.allow_infinity(columns);
        TreeReads::Single
    } else {
        TreeReads::FiniteSingle
    };
    let depths = inputs.push(columns.to_vec(), of_trees_reading(forest, 1.0, reads));
    let score = Step::mapping(move |depth| {
        let ratio = if denominator == 0.0 {
            1.0
        } else {
            depth / denominator
        };
        -((-ratio).exp2()) - offset
    });
    Ok(detected(depths[0].clone().then([score]), false))
}

/// The other detectors.
pub(super) fn detector(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    numbers(object, columns, inputs)?;
    let count = columns.len();
    let (formula, is_strict) = match object.class().1 {
        "OneClassSVM" => (svm::Machine::new(object, count)?.decision(), true),
        "SGDOneClassSVM" => (on_a_side(object, count)?, false),
        "EllipticEnvelope" => (elliptic(object, count)?, false),
        _ => (local_factor(object, count)?, false),
    };
    let decision = inputs.compute(columns.to_vec(), formula);
    Ok(detected(decision[0].clone(), is_strict))
}

fn on_a_side(object: &Object, count: usize) -> Result<Formula> {
    let coefficients = object.reals("coef_")?;
    same_count(object, coefficients.len(), count)?;
    let offset = object.reals("offset_")?;
    let offset = offset.first().copied().unwrap_or(0.0);
    Ok(Formula::new("linear", 1, count, move |values, output| {
        output[0] = dot(values, &coefficients) - offset;
    }))
}

/// `EllipticEnvelope`: the squared Mahalanobis distance.
fn elliptic(object: &Object, count: usize) -> Result<Formula> {
    let location = object.reals("location_")?;
    let precision = object.matrix("precision_")?;
    same_count(object, location.len(), count)?;
    if (precision.rows, precision.columns) != (count, count) {
        return Err(object.refuse("its precision matrix is not square"));
    }
    let offset = object.real("offset_")?;
    Ok(Formula::new(
        "covariance",
        1,
        count * count,
        move |values, output| {
            let centred: Vec<f64> = values
                .iter()
                .zip(&location)
                .map(|(value, centre)| value - centre)
                .collect();
            let rows = precision.values.chunks_exact(count.max(1));
            let distance: f64 = rows
                .zip(&centred)
                .map(|(row, value)| dot(row, &centred) * value)
                .sum();
            output[0] = -distance - offset;
        },
    ))
}

/// `LocalOutlierFactor` with `novelty=True`.
fn local_factor(object: &Object, count: usize) -> Result<Formula> {
    if !object.flag("novelty") {
        return Err(object.refuse("it scores new rows only with `novelty=True`"));
    }
    let points = Points::new(object, count)?;
    let neighbours = object.real("n_neighbors_")? as usize;
    let distances = object.matrix("_distances_fit_X_")?;
    let densities = object.reals("_lrd")?;
    let is_fitting = distances.rows == points.len()
        && densities.len() == points.len()
        && neighbours >= 1
        && distances.columns >= neighbours;
    if !is_fitting {
        return Err(object.refuse("its distances do not fit its points"));
    }
    let offset = object.real("offset_")?;
    let numbers = points.len() * (count + 2);
    Ok(Formula::new(
        "neighbors",
        1,
        numbers,
        move |values, output| {
            let nearest = points.nearest(values, neighbours);
            let reach = |(index, distance): &(usize, f64)| {
                let own = distances.values[index * distances.columns + neighbours - 1];
                distance.max(own)
            };
            let mean = nearest.iter().map(reach).sum::<f64>() / nearest.len() as f64;
            let density = 1.0 / (mean + 1e-10);
            let ratio = |(index, _): &(usize, f64)| densities[*index] / density;
            let factor = nearest.iter().map(ratio).sum::<f64>() / nearest.len() as f64;
            output[0] = -factor - offset;
        },
    ))
}
