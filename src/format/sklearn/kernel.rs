//! Models of kernels over rows of training: `KernelRidge`, `GaussianProcessRegressor`, and the
//! features of `Nystroem` and `RBFSampler`; PLS, which is linear.
//!
//! Sources: `sklearn/kernel_ridge.py`, `gaussian_process/_gpr.py` and `kernels.py`,
//! `kernel_approximation.py`, `metrics/pairwise.py`, `cross_decomposition/_pls.py` of 0.24 to 1.9.

use super::column::Column;
use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, dot, squared_distance};
use super::inputs::{Inputs, numbers};
use super::object::{Matrix, Object};
use crate::error::Result;
use crate::outcome::Task;

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
        let inner = |name: &str| Self::of_process(&object.attribute(name)?, width);
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
            // Noise of rows that are the same, which those of training are not.
            ("gaussian_process", "WhiteKernel") => Self::Constant(0.0),
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
