//! Imputers that read a whole row: `KNNImputer` and `IterativeImputer`.
//!
//! Sources: `sklearn/impute/_knn.py` and `_iterative.py` of 0.24 to 1.9.

use super::column::Column;
use super::engine::Engine;
use super::fitted::same_count;
use super::formula::{Formula, dot};
use super::impute::indicated;
use super::inputs::{Inputs, numbers};
use super::linear::coefficients;
use super::object::{Matrix, Object, positions, real};
use crate::error::Result;
use crate::format::python::record::{Id, Value};

/// Refuses markers of missing values other than NaN.
fn check_marker(object: &Object) -> Result<()> {
    let marker = object.find("missing_values").map(|id| object.arena.get(id));
    match marker {
        None => Ok(()),
        Some(Value::Float(value)) if value.is_nan() => Ok(()),
        Some(_) => Err(object.refuse("`missing_values` other than NaN is not supported")),
    }
}

/// How neighbours count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weights {
    Uniform,
    Distance,
}

/// The rows of training that fill in for others.
struct Donors {
    rows: Matrix,
    count: usize,
    weights: Weights,
    /// The mean of each column; NaN for one that training had no value of.
    means: Vec<f64>,
}

/// `KNNImputer`: the mean of the nearest rows of training that have a value, by the distance of
/// what both rows have.
pub(super) fn by_neighbours(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    check_marker(object)?;
    numbers(object, &columns, inputs)?;
    let rows = object.matrix("_fit_X")?;
    same_count(object, rows.columns, columns.len())?;
    if object.find("metric").is_some() && object.text("metric") != "nan_euclidean" {
        return Err(object.refuse("only the metric `nan_euclidean` is supported"));
    }
    let weights = match object.text("weights") {
        "uniform" => Weights::Uniform,
        "distance" => Weights::Distance,
        _ => return Err(object.refuse("its weights are a function")),
    };
    let count = object.real("n_neighbors")? as usize;
    if rows.rows == 0 || count == 0 {
        return Err(object.refuse("it has no neighbours"));
    }
    let width = rows.columns;
    let means = (0..width).map(|column| {
        let known = rows.values.iter().skip(column).step_by(width.max(1));
        let known: Vec<f64> = known.copied().filter(|value| !value.is_nan()).collect();
        known.iter().sum::<f64>() / known.len() as f64
    });
    let means: Vec<f64> = means.collect();
    let kept: Vec<usize> = (0..width)
        .filter(|column| object.flag("keep_empty_features") || !means[*column].is_nan())
        .collect();
    let donors = Donors {
        rows,
        count,
        weights,
        means,
    };
    let width = kept.len();
    let held = donors.rows.values.len();
    let formula = Formula::new("neighbours", width, held, move |values, output| {
        donors.fill(values, &kept, output);
    });
    let sources = columns.clone();
    let mut made = inputs.push(columns, Engine::Formula(formula));
    made.extend(indicated(object, &sources)?);
    Ok(made)
}

impl Donors {
    fn fill(&self, values: &[f64], kept: &[usize], output: &mut [f64]) {
        let mut distances = Vec::new();
        for (to, column) in output.iter_mut().zip(kept) {
            let value = values[*column];
            *to = match (value.is_nan(), self.means[*column].is_nan()) {
                (_, true) => 0.0,
                (false, _) => value,
                (true, _) => {
                    if distances.is_empty() {
                        distances = self.distances(values);
                    }
                    self.filled(*column, &distances)
                }
            };
        }
    }

    /// The distance of each row, over the columns that both have; NaN if there is none. Squares and
    /// products are added and what is missing is taken off again, as scikit-learn does.
    fn distances(&self, values: &[f64]) -> Vec<f64> {
        let width = values.len();
        let filled = |value: f64| if value.is_nan() { 0.0 } else { value };
        let square = |value: f64| filled(value) * filled(value);
        let own: f64 = values.iter().copied().map(square).sum();
        let one = |row: &[f64]| {
            let pairs = || values.iter().copied().zip(row.iter().copied());
            let product: f64 = pairs()
                .map(|(one, other)| filled(one) * filled(other))
                .sum();
            let squares: f64 = row.iter().copied().map(square).sum();
            let all = (-2.0 * product + own + squares).max(0.0);
            let missing = |of: &dyn Fn((f64, f64)) -> f64| pairs().map(of).sum::<f64>();
            let there = missing(&|(one, other)| if other.is_nan() { square(one) } else { 0.0 });
            let here = missing(&|(one, other)| if one.is_nan() { square(other) } else { 0.0 });
            let sum = (all - there - here).max(0.0);
            let present = pairs()
                .filter(|(one, other)| !one.is_nan() && !other.is_nan())
                .count();
            if present == 0 {
                f64::NAN
            } else {
                (sum / present as f64 * width as f64).sqrt()
            }
        };
        self.rows
            .values
            .chunks_exact(width.max(1))
            .map(one)
            .collect()
    }

    fn filled(&self, column: usize, distances: &[f64]) -> f64 {
        let width = self.rows.columns;
        let value = |row: usize| self.rows.values[row * width + column];
        let mut near: Vec<usize> = (0..distances.len())
            .filter(|row| !value(*row).is_nan() && !distances[*row].is_nan())
            .collect();
        if near.is_empty() {
            return self.means[column];
        }
        near.sort_by(|one, other| distances[*one].total_cmp(&distances[*other]));
        near.truncate(self.count);
        let has_same = near.iter().any(|row| distances[*row] == 0.0);
        let weight = |row: usize| match self.weights {
            Weights::Uniform => 1.0,
            Weights::Distance if has_same => f64::from(u8::from(distances[row] == 0.0)),
            Weights::Distance => 1.0 / distances[row],
        };
        let (mut sum, mut weights) = (0.0, 0.0);
        for row in near {
            sum += value(row) * weight(row);
            weights += weight(row);
        }
        sum / weights
    }
}

/// One step of an iterative imputer: a column that is predicted of others.
struct Turn {
    column: usize,
    others: Vec<usize>,
    coefficients: Vec<f64>,
    intercept: f64,
    range: [f64; 2],
}

/// `IterativeImputer` with linear estimators: the steps of training, one after the other.
pub(super) fn by_turns(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    check_marker(object)?;
    numbers(object, &columns, inputs)?;
    if object.flag("sample_posterior") {
        return Err(object.refuse("`sample_posterior` draws random numbers"));
    }
    let first = object.attribute("initial_imputer_")?;
    let starts = first.reals("statistics_")?;
    same_count(object, starts.len(), columns.len())?;
    let keeps_empty = object.flag("keep_empty_features");
    let kept: Vec<usize> = (0..starts.len())
        .filter(|column| keeps_empty || !starts[*column].is_nan())
        .collect();
    let [lows, highs] = ["_min_value", "_max_value"].map(|name| object.reals(name));
    let limits: Vec<[f64; 2]> = lows?.into_iter().zip(highs?).map(|(a, b)| [a, b]).collect();
    let mut turns = Vec::new();
    for (index, id) in object.list("imputation_sequence_")?.iter().enumerate() {
        turns.push(turn(object, index, *id, kept.len(), &limits)?);
    }
    let held = turns.iter().map(|turn| turn.coefficients.len() + 4).sum();
    let width = kept.len();
    let (indices, starts) = (kept.clone(), starts);
    let formula = Formula::new("turns", width, held, move |values, output| {
        for (to, column) in output.iter_mut().zip(&indices) {
            let (value, start) = (values[*column], starts[*column]);
            *to = match (value.is_nan(), start.is_nan()) {
                (_, true) => 0.0,
                (true, _) => start,
                (false, _) => value,
            };
        }
        for turn in &turns {
            if values[indices[turn.column]].is_nan() {
                let others: Vec<f64> = turn.others.iter().map(|other| output[*other]).collect();
                let found = dot(&others, &turn.coefficients) + turn.intercept;
                let [low, high] = turn.range;
                output[turn.column] = found.max(low).min(high);
            }
        }
    });
    let sources = columns.clone();
    let mut made = inputs.push(columns, Engine::Formula(formula));
    made.extend(indicated(object, &sources)?);
    Ok(made)
}

fn turn(object: &Object, index: usize, id: Id, width: usize, limits: &[[f64; 2]]) -> Result<Turn> {
    let arena = object.arena;
    let broken = || object.refuse("its steps are of an unknown form");
    let arguments = arena
        .record(id)
        .and_then(|record| record.arguments)
        .unwrap_or(id);
    let Some([column, others, estimator, ..]) = arena.items(arguments) else {
        return Err(broken());
    };
    let column = real(arena, *column).map(|column| column as usize);
    let others = positions(arena, *others);
    let (Some(column), Some(others)) = (column, others) else {
        return Err(broken());
    };
    if column >= width || others.iter().any(|other| *other >= width) {
        return Err(broken());
    }
    let part = object.part(&format!("imputation_sequence_[{index}]"), *estimator)?;
    let is_linear = matches!(
        part.class(),
        (
            "linear_model",
            "BayesianRidge"
                | "ARDRegression"
                | "LinearRegression"
                | "Ridge"
                | "RidgeCV"
                | "Lasso"
                | "LassoCV"
                | "ElasticNet"
                | "ElasticNetCV"
                | "HuberRegressor"
                | "Lars"
                | "LarsCV"
                | "LassoLars"
                | "SGDRegressor"
                | "TheilSenRegressor"
        )
    );
    if !is_linear {
        return Err(part.refuse("only linear estimators are supported in an iterative imputer"));
    }
    let (matrix, intercepts) = coefficients(&part, others.len())?;
    Ok(Turn {
        column,
        others,
        coefficients: matrix.values,
        intercept: intercepts.first().copied().unwrap_or(0.0),
        range: limits.get(column).copied().ok_or_else(broken)?,
    })
}
