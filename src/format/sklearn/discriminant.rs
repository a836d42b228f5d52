//! Quadratic discriminant analysis.
//!
//! Source: `sklearn/discriminant_analysis.py` of 0.24 to 1.9.

use super::bayes::{by_class, of_classes};
use super::fitted::{Fitted, same_count};
use super::formula::Formula;
use super::labels::labels;
use super::object::{Object, reals};
use crate::error::Result;

/// A class: its mean, the axes with their scales in them, and what is added to the distance.
struct Class {
    mean: Vec<f64>,
    /// One row a feature, one column an axis.
    axes: Vec<f64>,
    axis_count: usize,
    constant: f64,
}

fn of_class(object: &Object, index: usize, count: usize, prior: f64) -> Result<Class> {
    let unfit = || object.refuse("its rotations do not fit its means");
    let element = |name: &str| -> Result<Vec<f64>> {
        let id = object.list(name)?.get(index).copied().ok_or_else(unfit)?;
        reals(object.arena, id).ok_or_else(unfit)
    };
    let (rotation, scales) = (element("rotations_")?, element("scalings_")?);
    let means = object.matrix("means_")?;
    same_count(object, means.columns, count)?;
    let axis_count = scales.len();
    if axis_count == 0 || rotation.len() != count * axis_count || index >= means.rows {
        return Err(unfit());
    }
    let axes = rotation
        .iter()
        .enumerate()
        .map(|(at, value)| value * scales[at % axis_count].powf(-0.5))
        .collect();
    let logs: f64 = scales.iter().map(|scale| scale.ln()).sum();
    Ok(Class {
        mean: means.values[index * count..(index + 1) * count].to_vec(),
        axes,
        axis_count,
        constant: -0.5 * logs + prior.ln(),
    })
}

impl Class {
    fn likelihood(&self, values: &[f64]) -> f64 {
        let mut moved = vec![0.0; self.axis_count];
        let rows = self.axes.chunks_exact(self.axis_count);
        for ((value, mean), row) in values.iter().zip(&self.mean).zip(rows) {
            for (to, axis) in moved.iter_mut().zip(row) {
                *to += (value - mean) * axis;
            }
        }
        let norm: f64 = moved.iter().map(|value| value * value).sum();
        -0.5 * norm + self.constant
    }
}

/// `QuadraticDiscriminantAnalysis`.
pub(super) fn quadratic(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let priors = by_class(object, "priors_", labels.len())?;
    let classes = priors
        .iter()
        .enumerate()
        .map(|(index, prior)| of_class(object, index, count, *prior))
        .collect::<Result<Vec<Class>>>()?;
    let numbers = classes.iter().map(|class| class.axes.len()).sum();
    let formula = Formula::new(
        "discriminant",
        classes.len(),
        numbers,
        move |values, output| {
            for (to, class) in output.iter_mut().zip(&classes) {
                *to = class.likelihood(values);
            }
        },
    );
    Ok(of_classes(formula, labels))
}
