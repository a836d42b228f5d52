//! `LabelPropagation` and `LabelSpreading`: the classes of a row by the labels of rows near it.
//!
//! Source: `sklearn/semi_supervised/_label_propagation.py` of 0.24 to 1.9.

use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, largest, squared_distance};
use super::labels::labels;
use super::object::{Matrix, Object};
use crate::error::Result;
use crate::outcome::{Shown, Task};

/// How much each row of training counts.
enum Weight {
    Radial(f64),
    Nearest(usize),
}

struct Labelled {
    rows: Matrix,
    /// Row after row: the share of each class.
    shares: Vec<f64>,
    width: usize,
    weight: Weight,
}

impl Labelled {
    fn new(object: &Object, count: usize, width: usize) -> Result<Self> {
        let (rows, shares) = (object.matrix("X_")?, object.matrix("label_distributions_")?);
        same_count(object, rows.columns, count)?;
        if shares.rows != rows.rows || shares.columns != width || rows.rows == 0 {
            return Err(object.refuse("its label distributions do not fit its rows"));
        }
        let weight = match object.text("kernel") {
            "rbf" => Weight::Radial(object.real("gamma")?),
            "knn" => Weight::Nearest(object.real("n_neighbors")? as usize),
            "" => return Err(object.refuse("its kernel is a function")),
            other => return Err(object.refuse(&format!("the kernel `{other}` is not supported"))),
        };
        Ok(Self {
            rows,
            shares: shares.values,
            width,
            weight,
        })
    }

    /// The probability of each class; NaN for a row so far from all that no weight is left.
    fn run(&self, values: &[f64]) -> Vec<f64> {
        let rows = self.rows.values.chunks_exact(self.rows.columns.max(1));
        let mut near: Vec<(f64, usize)> = rows
            .map(|row| squared_distance(values, row))
            .zip(0..)
            .collect();
        if let Weight::Nearest(count) = self.weight {
            near.sort_by(|one, other| one.0.total_cmp(&other.0));
            near.truncate(count);
        }
        let mut sums = vec![0.0; self.width];
        for (distance, row) in near {
            let weight = match self.weight {
                Weight::Radial(gamma) => (-gamma * distance).exp(),
                Weight::Nearest(_) => 1.0,
            };
            let own = &self.shares[row * self.width..(row + 1) * self.width];
            for (sum, share) in sums.iter_mut().zip(own) {
                *sum += weight * share;
            }
        }
        let total: f64 = sums.iter().sum();
        sums.iter_mut().for_each(|sum| *sum /= total);
        sums
    }
}

/// Either of the two. The class is that of the largest probability, the first where all are NaN.
///
/// # Errors
/// A contract error for kernels that are not known.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let labelled = Labelled::new(object, count, labels.len())?;
    let held = labelled.rows.values.len() + labelled.shares.len();
    if labels.is_empty() {
        return Err(object.refuse("it has no classes"));
    }
    let is_binary = labels.len() == 2;
    let width = if is_binary { 2 } else { labels.len() + 1 };
    let formula = Formula::new("neighbors", width, held, move |values, output| {
        let shares = labelled.run(values);
        let class = largest(&shares) as f64;
        if is_binary {
            output.copy_from_slice(&[shares[1], class]);
        } else {
            output[0] = class;
            output[1..].copy_from_slice(&shares);
        }
    });
    let names = labels.iter().map(|label| format!("probability_{label}"));
    let odds: Vec<Shown> = names.map(Shown::number).collect();
    let label = Shown::label("prediction", labels);
    let shown = if is_binary {
        vec![Shown::number("probability"), label]
    } else {
        std::iter::once(label).chain(odds).collect()
    };
    Ok(Fitted::plain(Engine::Formula(formula), Task::Listed(shown)))
}
