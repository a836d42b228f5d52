//! Clusterings and mixtures: `prediction` is the cluster, mixtures add probabilities.
//!
//! Sources: `sklearn/cluster/_kmeans.py` and `mixture/_gaussian_mixture.py` of 0.24 to 1.9.

use super::bayes::of_classes;
use super::column::Column;
use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, dot, squared_distance};
use super::inputs::Inputs;
use super::neighbors::nearest_of;
use super::object::Object;
use crate::error::Result;
use crate::outcome::{Label, Task};

/// Any clustering that assigns new rows.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    match object.class() {
        ("cluster", "KMeans" | "MiniBatchKMeans" | "MeanShift" | "AffinityPropagation") => {
            centres(object, count)
        }
        ("mixture", "GaussianMixture") => mixture(object, count),
        _ => Err(object.unknown()),
    }
}

fn numbered(count: usize) -> Vec<Label> {
    (0..count as i64).map(Label::Integer).collect()
}

fn centres(object: &Object, count: usize) -> Result<Fitted> {
    let centres = object.matrix("cluster_centers_")?;
    same_count(object, centres.columns, count)?;
    let labels = numbered(centres.rows);
    let formula = nearest_of(centres.values, count, squared_distance);
    let task = Task::Classes {
        labels,
        probabilities: false,
    };
    Ok(Fitted::plain(Engine::Formula(formula), task))
}

/// How the precisions of a mixture's parts are held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Full,
    Tied,
    Diagonal,
    Spherical,
}

/// `GaussianMixture`: log density of each part plus the log of its weight.
fn mixture(object: &Object, count: usize) -> Result<Fitted> {
    let means = object.matrix("means_")?;
    same_count(object, means.columns, count)?;
    let parts = means.rows;
    let weights = object.reals("weights_")?;
    let factors = object.reals("precisions_cholesky_")?;
    let (shape, expected) = match object.text("covariance_type") {
        "full" => (Shape::Full, parts * count * count),
        "tied" => (Shape::Tied, count * count),
        "diag" => (Shape::Diagonal, parts * count),
        "spherical" => (Shape::Spherical, parts),
        other => return Err(object.refuse(&format!("`covariance_type` {other} is not known"))),
    };
    if factors.len() != expected || weights.len() != parts || parts == 0 {
        return Err(object.refuse("its precisions do not fit its means"));
    }
    let starts: Vec<f64> = (0..parts)
        .map(|part| {
            let logs = log_determinant(shape, &factors, part, count);
            let constant = count as f64 * (2.0 * std::f64::consts::PI).ln();
            -0.5 * constant + logs + weights[part].ln()
        })
        .collect();
    let numbers = factors.len() + means.values.len();
    let means = means.values;
    let formula = Formula::new("mixture", parts, numbers, move |values, output| {
        for (part, to) in output.iter_mut().enumerate() {
            let mean = &means[part * count..(part + 1) * count];
            let centred: Vec<f64> = values
                .iter()
                .zip(mean)
                .map(|(value, mean)| value - mean)
                .collect();
            *to = starts[part] - 0.5 * distance(shape, &factors, part, &centred);
        }
    });
    Ok(of_classes(formula, numbered(parts)))
}

/// The factor of a part: the whole where all share one.
fn factor(shape: Shape, factors: &[f64], part: usize, count: usize) -> &[f64] {
    let (start, length) = match shape {
        Shape::Full => (part * count * count, count * count),
        Shape::Tied => (0, count * count),
        Shape::Diagonal => (part * count, count),
        Shape::Spherical => (part, 1),
    };
    &factors[start..start + length]
}

fn log_determinant(shape: Shape, factors: &[f64], part: usize, count: usize) -> f64 {
    let own = factor(shape, factors, part, count);
    match shape {
        Shape::Full | Shape::Tied => (0..count).map(|at| own[at * count + at].ln()).sum(),
        Shape::Diagonal => own.iter().map(|value| value.ln()).sum(),
        Shape::Spherical => count as f64 * own[0].ln(),
    }
}

fn distance(shape: Shape, factors: &[f64], part: usize, centred: &[f64]) -> f64 {
    let count = centred.len();
    let own = factor(shape, factors, part, count);
    match shape {
        Shape::Full | Shape::Tied => {
            let mut moved = vec![0.0; count];
            for (value, row) in centred.iter().zip(own.chunks_exact(count.max(1))) {
                for (to, weight) in moved.iter_mut().zip(row) {
                    *to += value * weight;
                }
            }
            dot(&moved, &moved)
        }
        Shape::Diagonal => centred
            .iter()
            .zip(own)
            .map(|(value, scale)| (value * scale) * (value * scale))
            .sum(),
        Shape::Spherical => dot(centred, centred) * own[0] * own[0],
    }
}

/// The distances to the centres: what k-means transforms to.
pub(super) fn distances(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let centres = object.matrix("cluster_centers_")?;
    same_count(object, centres.columns, columns.len())?;
    let formula = nearest_of(centres.values, columns.len(), |one, other| {
        -squared_distance(one, other).sqrt()
    });
    Ok(inputs.compute(columns, formula))
}
