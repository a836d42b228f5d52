//! Transformers that project onto components or sample features of a kernel, beyond the plain
//! products of `decomposition`.
//!
//! Sources: `sklearn/decomposition/_factor_analysis.py` and `_sparse_pca.py`,
//! `neural_network/_rbm.py`, `cluster/_agglomerative.py` and `_feature_agglomeration.py`,
//! `kernel_approximation.py`, `cross_decomposition/_pls.py` of 0.24 to 1.9.

use super::column::{Column, Step};
use super::decomposition::{Around, product};
use super::fitted::same_count;
use super::formula::{Formula, dot, logistic};
use super::inputs::Inputs;
use super::object::{Matrix, Object, positions};
use crate::error::Result;

/// The most components whose matrix is solved for.
const COMPONENTS_LIMIT: usize = 2_048;

/// Solves `matrix × x = right` for a square matrix of `size` rows and a right side of `width`
/// columns, by elimination with pivots; none for a singular one.
fn solved(
    mut matrix: Vec<f64>,
    mut right: Vec<f64>,
    size: usize,
    width: usize,
) -> Option<Vec<f64>> {
    for step in 0..size {
        let pivot = (step..size).max_by(|one, other| {
            let size_of = |row: &usize| matrix[row * size + step].abs();
            size_of(one).total_cmp(&size_of(other))
        })?;
        if matrix[pivot * size + step] == 0.0 || matrix[pivot * size + step].is_nan() {
            return None;
        }
        for column in 0..size {
            matrix.swap(step * size + column, pivot * size + column);
        }
        for column in 0..width {
            right.swap(step * width + column, pivot * width + column);
        }
        for row in 0..size {
            if row == step {
                continue;
            }
            let factor = matrix[row * size + step] / matrix[step * size + step];
            if factor == 0.0 {
                continue;
            }
            for column in step..size {
                matrix[row * size + column] -= factor * matrix[step * size + column];
            }
            for column in 0..width {
                right[row * width + column] -= factor * right[step * width + column];
            }
        }
    }
    for row in 0..size {
        let pivot = matrix[row * size + row];
        right[row * width..(row + 1) * width]
            .iter_mut()
            .for_each(|value| *value /= pivot);
    }
    Some(right)
}

/// `components` as they are multiplied with: (components · scaledᵀ + diagonal)⁻¹ · scaled.
fn regressed(
    object: &Object,
    components: &Matrix,
    scaled: Vec<f64>,
    diagonal: f64,
) -> Result<Matrix> {
    let (count, width) = (components.rows, components.columns);
    if count > COMPONENTS_LIMIT {
        return Err(object.refuse("it has more than 2,048 components"));
    }
    if scaled.len() != components.values.len() || scaled.len() != count * width {
        return Err(object.refuse("its `components_` has a shape that does not fit its numbers"));
    }
    let row = |values: &[f64], index: usize| values[index * width..(index + 1) * width].to_vec();
    let mut matrix = vec![0.0; count * count];
    for one in 0..count {
        let own = row(&scaled, one);
        for other in 0..count {
            let added = if one == other { diagonal } else { 0.0 };
            matrix[one * count + other] = dot(&own, &row(&components.values, other)) + added;
        }
    }
    let values = solved(matrix, scaled, count, width);
    let values = values.ok_or_else(|| object.refuse("its components depend on one another"))?;
    Ok(Matrix {
        rows: count,
        columns: width,
        values,
    })
}

/// `FactorAnalysis`: the expected factors, given the noise of each column.
pub(super) fn factors(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let components = object.matrix("components_")?;
    let noise = object.reals("noise_variance_")?;
    same_count(object, noise.len(), components.columns)?;
    let scaled = components
        .values
        .iter()
        .enumerate()
        .map(|(index, value)| value / noise[index % noise.len().max(1)])
        .collect();
    // (I + Wψ · Wᵀ) is symmetric.
    let rows = regressed(object, &components, scaled, 1.0)?;
    let centre = Some(object.reals("mean_")?);
    let around = Around {
        centre,
        ..Around::default()
    };
    product(object, columns, inputs, rows, around)
}

/// `SparsePCA` and `MiniBatchSparsePCA`: ridge regression onto the components.
pub(super) fn sparse(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let components = object.matrix("components_")?;
    let scaled = components.values.clone();
    let rows = regressed(object, &components, scaled, object.real("ridge_alpha")?)?;
    let around = Around {
        centre: Some(object.reals("mean_")?),
        ..Around::default()
    };
    product(object, columns, inputs, rows, around)
}

/// `BernoulliRBM`: how probable each hidden unit is.
pub(super) fn hidden_units(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let rows = object.matrix("components_")?;
    let starts = object.reals("intercept_hidden_")?;
    same_count(object, rows.columns, columns.len())?;
    if starts.len() != rows.rows {
        return Err(object.refuse("its intercepts do not fit its components"));
    }
    let (width, held) = (rows.rows, rows.values.len());
    let formula = Formula::new("pipeline", width, held, move |values, output| {
        let components = rows.values.chunks_exact(rows.columns.max(1));
        for ((to, component), start) in output.iter_mut().zip(components).zip(&starts) {
            *to = logistic(dot(values, component) + start);
        }
    });
    Ok(inputs.compute(columns, formula))
}

/// How `FeatureAgglomeration` makes one number of several.
#[derive(Clone, Copy)]
enum Pool {
    Mean,
    Median,
    Largest,
    Smallest,
    Sum,
}

impl Pool {
    fn of(object: &Object) -> Result<Self> {
        let function = object.need("pooling_func")?;
        let (module, name) = object.arena.global(function).unwrap_or_default();
        Ok(match name {
            _ if !module.starts_with("numpy") => {
                return Err(object.refuse("its `pooling_func` is not a function of numpy"));
            }
            "mean" => Self::Mean,
            "median" => Self::Median,
            "max" | "amax" => Self::Largest,
            "min" | "amin" => Self::Smallest,
            "sum" => Self::Sum,
            other => return Err(object.refuse(&format!("`pooling_func` {other} is not known"))),
        })
    }

    fn run(self, values: &mut [f64]) -> f64 {
        let count = values.len() as f64;
        match self {
            Self::Mean => values.iter().sum::<f64>() / count,
            Self::Sum => values.iter().sum(),
            Self::Largest => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Smallest => values.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Median => {
                values.sort_by(f64::total_cmp);
                let half = values.len() / 2;
                if values.len().is_multiple_of(2) {
                    f64::midpoint(values[half - 1], values[half])
                } else {
                    values[half]
                }
            }
        }
    }
}

/// `FeatureAgglomeration`: one number for each cluster of columns.
pub(super) fn pooled(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let pool = Pool::of(object)?;
    let labels = positions(object.arena, object.need("labels_")?)
        .ok_or_else(|| object.refuse("its labels are not clusters"))?;
    same_count(object, labels.len(), columns.len())?;
    let width = labels.iter().max().map_or(0, |label| label + 1);
    let mut clusters: Vec<Vec<usize>> = vec![Vec::new(); width.min(labels.len())];
    for (column, label) in labels.iter().enumerate() {
        let cluster = clusters.get_mut(*label);
        let cluster = cluster.ok_or_else(|| object.refuse("its labels are not clusters"))?;
        cluster.push(column);
    }
    if clusters.iter().any(Vec::is_empty) {
        return Err(object.refuse("its labels are not clusters"));
    }
    let formula = Formula::new(
        "pipeline",
        clusters.len(),
        labels.len(),
        move |values, output| {
            for (to, cluster) in output.iter_mut().zip(&clusters) {
                let mut own: Vec<f64> = cluster.iter().map(|column| values[*column]).collect();
                *to = pool.run(&mut own);
            }
        },
    );
    Ok(inputs.compute(columns, formula))
}

/// Columns whose numbers below a limit are refused, and the limit itself if it is `excluded`.
pub(super) fn at_least(columns: Vec<Column>, limit: f64, excluded: bool) -> Vec<Column> {
    let checked = |column: Column| column.then([Step::Refuse { limit, excluded }]);
    columns.into_iter().map(checked).collect()
}

/// `AdditiveChi2Sampler`.
pub(super) fn additive(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let steps = object.real("sample_steps")? as usize;
    let name = ["sample_interval_", "sample_interval"]
        .into_iter()
        .find(|name| object.find(name).is_some());
    let interval = match (name, steps) {
        (Some(name), _) => object.real(name)?,
        (None, 1) => 0.8,
        (None, 2) => 0.5,
        (None, 3) => 0.4,
        (None, _) => return Err(object.refuse("its `sample_interval` is missing")),
    };
    let count = columns.len();
    if steps == 0 || steps > 64 {
        return Err(object.refuse("its `sample_steps` are not from 1 to 64"));
    }
    let width = count * (2 * steps - 1);
    let formula = Formula::new("kernels", width, 2, move |values, output| {
        for (column, value) in values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value != 0.0)
        {
            output[column] = (value * interval).sqrt();
            let (log, twice) = (interval * value.ln(), 2.0 * value * interval);
            for step in 1..steps {
                let wave = std::f64::consts::PI * step as f64 * interval;
                let factor = (twice / wave.cosh()).sqrt();
                let angle = step as f64 * log;
                output[(2 * step - 1) * count + column] = factor * angle.cos();
                output[2 * step * count + column] = factor * angle.sin();
            }
        }
    });
    Ok(inputs.compute(at_least(columns, 0.0, false), formula))
}

/// `SkewedChi2Sampler`.
pub(super) fn skewed(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let matrix = object.matrix("random_weights_")?;
    let offsets = object.reals("random_offset_")?;
    let skew = object.real("skewedness")?;
    same_count(object, matrix.rows, columns.len())?;
    if offsets.len() != matrix.columns {
        return Err(object.refuse("its offsets do not fit its directions"));
    }
    let (width, held) = (matrix.columns, matrix.values.len());
    let factor = 2.0_f64.sqrt() / (width as f64).sqrt();
    let formula = Formula::new("kernels", width, held, move |values, output| {
        for (value, weights) in values.iter().zip(matrix.values.chunks_exact(width.max(1))) {
            let log = (value + skew).ln();
            for (to, weight) in output.iter_mut().zip(weights) {
                *to += log * weight;
            }
        }
        for (to, offset) in output.iter_mut().zip(&offsets) {
            *to = (*to + offset).cos() * factor;
        }
    });
    let columns = at_least(columns, -skew, true);
    Ok(inputs.compute(columns, formula))
}

/// Partial least squares in the middle of a pipeline: rotations of centred, scaled columns.
pub(super) fn rotated(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let name = if object.class().1 == "PLSSVD" {
        "x_weights_"
    } else {
        "x_rotations_"
    };
    let (matrix, centre) = (object.matrix(name)?, object.reals("_x_mean")?);
    let scale = object.reals("_x_std")?;
    same_count(object, matrix.rows, columns.len())?;
    same_count(object, centre.len(), columns.len())?;
    same_count(object, scale.len(), columns.len())?;
    let (width, held) = (matrix.columns, matrix.values.len());
    let formula = Formula::new("linear", width, held, move |values, output| {
        let weights = matrix.values.chunks_exact(width.max(1));
        for (column, (value, weights)) in values.iter().zip(weights).enumerate() {
            let value = (value - centre[column]) / scale[column];
            for (to, weight) in output.iter_mut().zip(weights) {
                *to += value * weight;
            }
        }
    });
    Ok(inputs.compute(columns, formula))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equations_are_solved_with_pivots_and_singular_ones_are_not() {
        // numpy.linalg.solve([[0, 2], [4, 1]], [[2, 4], [5, 6]]) = [[1, 1], [1, 2]]
        let found = solved(vec![0.0, 2.0, 4.0, 1.0], vec![2.0, 4.0, 5.0, 6.0], 2, 2);
        assert_eq!(found, Some(vec![1.0, 1.0, 1.0, 2.0]));
        assert_eq!(solved(vec![1.0, 2.0, 2.0, 4.0], vec![1.0, 1.0], 2, 1), None);
        assert_eq!(solved(vec![f64::NAN], vec![1.0], 1, 1), None);
    }
}
