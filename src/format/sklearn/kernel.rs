//! Models of kernels over rows of training: `KernelRidge`, Gaussian processes, `KernelPCA`, and the
//! features of `Nystroem` and `RBFSampler`; PLS, which is linear.
//!
//! Sources: `sklearn/kernel_ridge.py`, `gaussian_process/_gpr.py`, `_gpc.py` and
//! `kernels.py`, `decomposition/_kernel_pca.py`,
//! `kernel_approximation.py`, `metrics/pairwise.py`, `cross_decomposition/_pls.py` of 0.24 to 1.9.

use std::cell::Cell;

use super::column::Column;
use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, dot, squared_distance};
use super::inputs::{Inputs, numbers};
use super::labels::labels;
use super::object::{Matrix, Object};
use crate::error::Result;
use crate::outcome::{Shown, Task};

/// The most kernels that one is made of.
const PARTS_LIMIT: usize = 1_000;

/// How alike two rows are.
#[derive(Debug)]
enum Kernel {
    Linear,
    Polynomial {
        gamma: f64,
        coef0: f64,
        degree: f64,
    },
    Radial {
        gamma: f64,
    },
    Laplacian {
        gamma: f64,
    },
    Sigmoid {
        gamma: f64,
        coef0: f64,
    },
    Cosine,
    Sum(Box<[Kernel; 2]>),
    Product(Box<[Kernel; 2]>),
    Power(Box<Kernel>, f64),
    Constant(f64),
    /// Noise of a row alone: 0 between two, which those of training are.
    White(f64),
    /// Of rows divided by a length for each column, or one for all.
    Squares {
        lengths: Vec<f64>,
    },
    Matern {
        lengths: Vec<f64>,
        nu: f64,
    },
    Rational {
        length: f64,
        alpha: f64,
    },
    Periodic {
        length: f64,
        period: f64,
    },
    DotProduct {
        square: f64,
    },
}

/// The squared distance of rows in units of lengths.
fn scaled(one: &[f64], other: &[f64], lengths: &[f64]) -> f64 {
    let length = |column: usize| match lengths {
        [length] => *length,
        all => all.get(column).copied().unwrap_or(1.0),
    };
    let parts = one.iter().zip(other).enumerate();
    parts
        .map(|(column, (one, other))| {
            let difference = one / length(column) - other / length(column);
            difference * difference
        })
        .sum()
}

impl Kernel {
    fn of(&self, one: &[f64], other: &[f64]) -> f64 {
        match self {
            Self::Linear => dot(one, other),
            Self::Polynomial {
                gamma,
                coef0,
                degree,
            } => (gamma * dot(one, other) + coef0).powf(*degree),
            Self::Radial { gamma } => (-gamma * squared_distance(one, other)).exp(),
            Self::Laplacian { gamma } => {
                let parts = one.iter().zip(other);
                let sum: f64 = parts.map(|(one, other)| (one - other).abs()).sum();
                (-gamma * sum).exp()
            }
            Self::Sigmoid { gamma, coef0 } => (gamma * dot(one, other) + coef0).tanh(),
            Self::Cosine => {
                let norm = |row: &[f64]| match dot(row, row).sqrt() {
                    0.0 => 1.0,
                    norm => norm,
                };
                dot(one, other) / (norm(one) * norm(other))
            }
            Self::Sum(both) => both[0].of(one, other) + both[1].of(one, other),
            Self::Product(both) => both[0].of(one, other) * both[1].of(one, other),
            Self::Power(inner, exponent) => inner.of(one, other).powf(*exponent),
            Self::Constant(value) => *value,
            Self::White(_) => 0.0,
            Self::Squares { lengths } => (-0.5 * scaled(one, other, lengths)).exp(),
            Self::Matern { lengths, nu } => matern(scaled(one, other, lengths).sqrt(), *nu),
            Self::Rational { length, alpha } => {
                let share = squared_distance(one, other) / (2.0 * alpha * length * length);
                (1.0 + share).powf(-alpha)
            }
            Self::Periodic { length, period } => {
                let distance = squared_distance(one, other).sqrt();
                let wave = (std::f64::consts::PI / period * distance).sin() / length;
                (-2.0 * wave * wave).exp()
            }
            Self::DotProduct { square } => dot(one, other) + square,
        }
    }

    /// How alike a row is to itself.
    fn of_itself(&self, row: &[f64]) -> f64 {
        match self {
            Self::White(level) => *level,
            Self::Sum(both) => both[0].of_itself(row) + both[1].of_itself(row),
            Self::Product(both) => both[0].of_itself(row) * both[1].of_itself(row),
            Self::Power(inner, exponent) => inner.of_itself(row).powf(*exponent),
            other => other.of(row, row),
        }
    }

    /// One that an estimator names, with its `gamma`, `coef0` and `degree`.
    fn named(object: &Object, width: usize) -> Result<Self> {
        let number =
            |name: &str, default: f64| object.find(name).map_or(Ok(default), |_| object.real(name));
        let gamma = number("gamma", 1.0 / width as f64)?;
        let coef0 = number("coef0", 1.0)?;
        Ok(match object.text("kernel") {
            "linear" => Self::Linear,
            "poly" | "polynomial" => Self::Polynomial {
                gamma,
                coef0,
                degree: number("degree", 3.0)?,
            },
            "rbf" => Self::Radial { gamma },
            "laplacian" => Self::Laplacian { gamma },
            "sigmoid" => Self::Sigmoid { gamma, coef0 },
            "cosine" => Self::Cosine,
            "" => return Err(object.refuse("its kernel is a function")),
            other => return Err(object.refuse(&format!("the kernel `{other}` is not supported"))),
        })
    }

    /// One of a Gaussian process.
    fn of_process(object: &Object, width: usize) -> Result<Self> {
        Self::counted(object, width, &Cell::new(0))
    }

    /// The same, as one of so many parts. A file of a few kernels can name each of them twice, over
    /// and over.
    fn counted(object: &Object, width: usize, parts: &Cell<usize>) -> Result<Self> {
        parts.set(parts.get() + 1);
        if parts.get() > PARTS_LIMIT {
            return Err(object.refuse("its kernel has more than 1,000 parts"));
        }
        Self::composed(object, width, parts)
    }

    fn composed(object: &Object, width: usize, parts: &Cell<usize>) -> Result<Self> {
        let inner = |name: &str| Self::counted(&object.attribute(name)?, width, parts);
        let two = || Ok::<_, crate::error::Error>(Box::new([inner("k1")?, inner("k2")?]));
        let lengths = || {
            let lengths = match object.real("length_scale") {
                Ok(length) => vec![length],
                Err(_) => object.reals("length_scale")?,
            };
            if lengths.len() > 1 {
                same_count(object, lengths.len(), width)?;
            }
            Ok::<_, crate::error::Error>(lengths)
        };
        Ok(match object.class() {
            ("gaussian_process", "Sum") => Self::Sum(two()?),
            ("gaussian_process", "Product") => Self::Product(two()?),
            ("gaussian_process", "Exponentiation") => {
                Self::Power(Box::new(inner("kernel")?), object.real("exponent")?)
            }
            ("gaussian_process", "ConstantKernel") => {
                Self::Constant(object.real("constant_value")?)
            }
            ("gaussian_process", "WhiteKernel") => Self::White(object.real("noise_level")?),
            ("gaussian_process", "RBF") => Self::Squares {
                lengths: lengths()?,
            },
            ("gaussian_process", "Matern") => {
                let nu = object.real("nu")?;
                if ![0.5, 1.5, 2.5, f64::INFINITY].contains(&nu) {
                    return Err(object.refuse("a `nu` other than 0.5, 1.5, 2.5 and infinity"));
                }
                Self::Matern {
                    lengths: lengths()?,
                    nu,
                }
            }
            ("gaussian_process", "RationalQuadratic") => Self::Rational {
                length: object.real("length_scale")?,
                alpha: object.real("alpha")?,
            },
            ("gaussian_process", "ExpSineSquared") => Self::Periodic {
                length: object.real("length_scale")?,
                period: object.real("periodicity")?,
            },
            ("gaussian_process", "DotProduct") => {
                let sigma = object.real("sigma_0")?;
                Self::DotProduct {
                    square: sigma * sigma,
                }
            }
            _ => return Err(object.unknown()),
        })
    }
}

fn matern(distance: f64, nu: f64) -> f64 {
    if nu == 0.5 {
        return (-distance).exp();
    }
    if nu.is_infinite() {
        return (-distance * distance / 2.0).exp();
    }
    let reach = distance * (2.0 * nu).sqrt();
    let rest = if nu == 1.5 { 0.0 } else { reach * reach / 3.0 };
    (1.0 + reach + rest) * (-reach).exp()
}

/// The task of so many values.
fn values(outputs: usize) -> Task {
    match outputs {
        1 => Task::Value,
        _ => Task::Values((0..outputs).map(|output| output.to_string()).collect()),
    }
}

/// Rows of training and the weights that each has, an output a column.
struct Weighted {
    kernel: Kernel,
    rows: Matrix,
    /// Row after row.
    weights: Vec<f64>,
    outputs: usize,
}

impl Weighted {
    /// `weights` names an array of a number, or a row of numbers, for each row.
    fn new(object: &Object, kernel: Kernel, rows: Matrix, weights: &str) -> Result<Self> {
        let weights = object.reals(weights)?;
        if rows.rows == 0 || weights.is_empty() || !weights.len().is_multiple_of(rows.rows) {
            return Err(object.refuse("its weights do not fit its rows"));
        }
        Ok(Self {
            outputs: weights.len() / rows.rows,
            kernel,
            rows,
            weights,
        })
    }

    fn sum(&self, values: &[f64], output: &mut [f64]) {
        let rows = self.rows.values.chunks_exact(self.rows.columns.max(1));
        for (row, weights) in rows.zip(self.weights.chunks_exact(self.outputs.max(1))) {
            let share = self.kernel.of(values, row);
            for (to, weight) in output.iter_mut().zip(weights) {
                *to += share * weight;
            }
        }
    }

    fn held(&self) -> usize {
        self.rows.values.len() + self.weights.len()
    }
}

/// `KernelRidge`.
pub(super) fn ridge(object: &Object, count: usize) -> Result<Fitted> {
    let rows = object.matrix("X_fit_")?;
    same_count(object, rows.columns, count)?;
    let weighted = Weighted::new(object, Kernel::named(object, count)?, rows, "dual_coef_")?;
    let (outputs, held) = (weighted.outputs, weighted.held());
    let formula = Formula::new("kernels", outputs, held, move |values, output| {
        weighted.sum(values, output);
    });
    Ok(Fitted::plain(Engine::Formula(formula), values(outputs)))
}

/// `GaussianProcessRegressor`: the mean.
pub(super) fn process(object: &Object, count: usize) -> Result<Fitted> {
    let rows = object.matrix("X_train_")?;
    same_count(object, rows.columns, count)?;
    let kernel = Kernel::of_process(&object.attribute("kernel_")?, count)?;
    let weighted = Weighted::new(object, kernel, rows, "alpha_")?;
    let (outputs, held) = (weighted.outputs, weighted.held());
    let each = |name: &str, default: f64| {
        let found = match object.find(name) {
            Some(_) => object
                .real(name)
                .map(|one| vec![one])
                .or_else(|_| object.reals(name))?,
            None => vec![default],
        };
        Ok::<_, crate::error::Error>(match found.as_slice() {
            [one] => vec![*one; outputs],
            _ => found,
        })
    };
    let (means, scales) = (each("_y_train_mean", 0.0)?, each("_y_train_std", 1.0)?);
    if means.len() != outputs || scales.len() != outputs {
        return Err(object.refuse("its means do not fit its outputs"));
    }
    let formula = Formula::new("kernels", outputs, held, move |values, output| {
        weighted.sum(values, output);
        for ((to, mean), scale) in output.iter_mut().zip(&means).zip(&scales) {
            *to = scale * *to + mean;
        }
    });
    Ok(Fitted::plain(Engine::Formula(formula), values(outputs)))
}

/// What the error functions, whose sum is near the logistic function, are multiplied with, inside
/// and outside (Williams and Barber, "Bayesian Classification with Gaussian Processes").
const WAVES: [(f64, f64); 5] = [
    (0.41, -1_854.821_415_1),
    (0.4, 3_516.898_936_46),
    (0.37, 221.293_467_12),
    (0.44, 128.123_238_05),
    (0.39, -2_010.494_226_54),
];

/// The classifier of two classes inside a `GaussianProcessClassifier`: the probability of the
/// second (algorithm 3.2 of Rasmussen and Williams). The class is by the sign of the mean: half of
/// the sum of [`WAVES`] is not quite one half, which the probability of rows far away is.
pub(super) fn process_classes(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let rows = object.matrix("X_train_")?;
    same_count(object, rows.columns, count)?;
    let kernel = Kernel::of_process(&object.attribute("kernel_")?, count)?;
    let (labelled, shares) = (object.reals("y_train_")?, object.reals("pi_")?);
    let (roots, factor) = (object.reals("W_sr_")?, object.matrix("L_")?);
    let all = rows.rows;
    let is_fitting = [
        labelled.len(),
        shares.len(),
        roots.len(),
        factor.rows,
        factor.columns,
    ]
    .iter()
    .all(|length| *length == all);
    if !is_fitting || all == 0 || labels.len() != 2 {
        return Err(object.refuse("its attributes do not fit its rows"));
    }
    let slopes: Vec<f64> = labelled
        .iter()
        .zip(&shares)
        .map(|(one, share)| one - share)
        .collect();
    let held = rows.values.len() + factor.values.len() + 2 * all;
    let formula = Formula::new("kernels", 2, held, move |values, output| {
        let alike: Vec<f64> = rows
            .values
            .chunks_exact(rows.columns.max(1))
            .map(|row| kernel.of(row, values))
            .collect();
        let mean = dot(&alike, &slopes);
        // L · v = W½ · k, from the first row on.
        let mut solved: Vec<f64> = Vec::with_capacity(all);
        for (row, own) in factor.values.chunks_exact(all).enumerate() {
            let rest = dot(&own[..row], &solved);
            solved.push((roots[row] * alike[row] - rest) / own[row]);
        }
        let variance = kernel.of_itself(values) - dot(&solved, &solved);
        output[0] = expected_share(mean, variance);
        output[1] = f64::from(u8::from(mean > 0.0));
    });
    let shown = vec![
        Shown::number("probability"),
        Shown::label("prediction", labels),
    ];
    Ok(Fitted::plain(Engine::Formula(formula), Task::Listed(shown)))
}

/// The mean of the logistic function over a normal distribution, by five error functions.
fn expected_share(mean: f64, variance: f64) -> f64 {
    let alpha = 1.0 / (2.0 * variance);
    let half: f64 = WAVES.iter().map(|(_, outside)| outside).sum::<f64>() * 0.5;
    let part = |(inside, outside): &(f64, f64)| {
        let wave = libm::erf(inside * mean * (alpha / (alpha + inside * inside)).sqrt());
        let scale = 2.0 * (variance * 2.0 * std::f64::consts::PI).sqrt();
        outside * ((std::f64::consts::PI / alpha).sqrt() * wave / scale)
    };
    WAVES.iter().map(part).sum::<f64>() + half
}

/// `KernelPCA`: the centred kernel of each row of training, times scaled eigenvectors.
pub(super) fn principal(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let rows = object.matrix("X_fit_")?;
    same_count(object, rows.columns, columns.len())?;
    let kernel = Kernel::named(object, columns.len())?;
    let centerer = object.attribute("_centerer")?;
    let (means, mean) = (centerer.reals("K_fit_rows_")?, centerer.real("K_fit_all_")?);
    // Up to 0.24 they are called otherwise.
    let is_new = object.find("eigenvalues_").is_some();
    let (values, vectors) = if is_new {
        ("eigenvalues_", "eigenvectors_")
    } else {
        ("lambdas_", "alphas_")
    };
    let (values, mut vectors) = (object.reals(values)?, object.matrix(vectors)?);
    if vectors.rows != rows.rows || vectors.columns != values.len() || means.len() != rows.rows {
        return Err(object.refuse("its eigenvectors do not fit its rows"));
    }
    for vector in vectors.values.chunks_exact_mut(values.len().max(1)) {
        for (to, value) in vector.iter_mut().zip(&values) {
            *to = if *value == 0.0 {
                0.0
            } else {
                *to / value.sqrt()
            };
        }
    }
    let (width, held) = (values.len(), rows.values.len() + vectors.values.len());
    let formula = Formula::new("kernels", width, held, move |values, output| {
        let rows = rows.values.chunks_exact(rows.columns.max(1));
        let alike: Vec<f64> = rows.map(|row| kernel.of(values, row)).collect();
        let own = alike.iter().sum::<f64>() / means.len() as f64;
        let vectors = vectors.values.chunks_exact(width.max(1));
        for ((one, of_row), vector) in alike.iter().zip(&means).zip(vectors) {
            let centred = one - of_row - own + mean;
            for (to, weight) in output.iter_mut().zip(vector) {
                *to += centred * weight;
            }
        }
    });
    Ok(inputs.compute(columns, formula))
}

/// PLS regressions: centred columns, which were scaled too up to 1.4, times coefficients.
pub(super) fn partial_squares(object: &Object, count: usize) -> Result<Fitted> {
    // 1.1 and 1.2 keep them under a name of their own.
    let name = if object.has("coef_") {
        "coef_"
    } else {
        "_coef_"
    };
    let (centre, matrix) = (object.reals("_x_mean")?, object.matrix(name)?);
    same_count(object, centre.len(), count)?;
    // Up to 1.0 the outputs are the columns.
    let is_new = object.is_since(1, 3) || name == "_coef_";
    let (outputs, fitted) = if is_new {
        (matrix.rows, matrix.columns)
    } else {
        (matrix.columns, matrix.rows)
    };
    same_count(object, fitted, count)?;
    // Since 1.5 the coefficients hold the scale.
    let scale = if object.is_since(1, 5) {
        vec![1.0; count]
    } else {
        object.reals("_x_std")?
    };
    let starts = match object.find("intercept_") {
        Some(_) => object.reals("intercept_")?,
        None => object.reals("_y_mean")?,
    };
    if scale.len() != count || starts.len() != outputs {
        return Err(object.refuse("its scales do not fit its columns"));
    }
    let held = matrix.values.len() + 2 * count + outputs;
    let coefficients = matrix.values;
    let formula = Formula::new("linear", outputs, held, move |values, output| {
        for (column, value) in values.iter().enumerate() {
            let value = (value - centre[column]) / scale[column];
            for (index, to) in output.iter_mut().enumerate() {
                let at = if is_new {
                    index * count + column
                } else {
                    column * outputs + index
                };
                *to += value * coefficients[at];
            }
        }
        output
            .iter_mut()
            .zip(&starts)
            .for_each(|(to, start)| *to += start);
    });
    Ok(Fitted::plain(Engine::Formula(formula), values(outputs)))
}

/// `Nystroem`: the kernel of each component, through the normalization.
pub(super) fn components(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    numbers(object, &columns, inputs)?;
    let parameters = object.find("kernel_params");
    if parameters.is_some_and(|id| object.arena.pairs(id).is_none_or(|pairs| !pairs.is_empty())) {
        return Err(object.refuse("`kernel_params` is not supported, only `gamma` and the like"));
    }
    let (rows, matrix) = (
        object.matrix("components_")?,
        object.matrix("normalization_")?,
    );
    same_count(object, rows.columns, columns.len())?;
    if matrix.columns != rows.rows {
        return Err(object.refuse("its normalization does not fit its components"));
    }
    let kernel = Kernel::named(object, columns.len())?;
    let (outputs, held) = (matrix.rows, rows.values.len() + matrix.values.len());
    let formula = Formula::new("kernels", outputs, held, move |values, output| {
        let rows = rows.values.chunks_exact(rows.columns.max(1));
        let shares: Vec<f64> = rows.map(|row| kernel.of(values, row)).collect();
        let weights = matrix.values.chunks_exact(matrix.columns.max(1));
        for (to, weights) in output.iter_mut().zip(weights) {
            *to = dot(&shares, weights);
        }
    });
    Ok(inputs.compute(columns, formula))
}

/// `RBFSampler`: cosines of random directions.
pub(super) fn waves(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    numbers(object, &columns, inputs)?;
    let (matrix, offsets) = (
        object.matrix("random_weights_")?,
        object.reals("random_offset_")?,
    );
    same_count(object, matrix.rows, columns.len())?;
    if offsets.len() != matrix.columns {
        return Err(object.refuse("its offsets do not fit its directions"));
    }
    let outputs = matrix.columns;
    let factor = (2.0 / outputs as f64).sqrt();
    let held = matrix.values.len() + outputs;
    let formula = Formula::new("kernels", outputs, held, move |values, output| {
        for (value, weights) in values
            .iter()
            .zip(matrix.values.chunks_exact(outputs.max(1)))
        {
            for (to, weight) in output.iter_mut().zip(weights) {
                *to += value * weight;
            }
        }
        for (to, offset) in output.iter_mut().zip(&offsets) {
            *to = (*to + offset).cos() * factor;
        }
    });
    Ok(inputs.compute(columns, formula))
}
