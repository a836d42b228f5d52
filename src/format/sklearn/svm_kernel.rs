//! Kernels of support vector machines with libsvm's arithmetic, and the vectors that they read.
//!
//! Owns dense and sparse vectors, whose sums are those of libsvm: over the columns in order.

use super::fitted::same_count;
use super::formula::{dot, squared_distance};
use super::object::Object;
use super::sparse_matrix::SparseMatrix;
use crate::error::Result;

/// A kernel with its parameters.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    Linear,
    Polynomial { gamma: f64, start: f64, degree: i32 },
    Radial { gamma: f64 },
    Sigmoid { gamma: f64, start: f64 },
}

impl Kernel {
    /// The kernel of an estimator.
    ///
    /// # Errors
    /// A contract error for kernels that are not known.
    pub(super) fn of(object: &Object) -> Result<Self> {
        let gamma = || object.real("_gamma");
        let start = || object.real("coef0");
        Ok(match object.text("kernel") {
            "linear" => Self::Linear,
            "poly" => Self::Polynomial {
                gamma: gamma()?,
                start: start()?,
                degree: object.real("degree")? as i32,
            },
            "rbf" => Self::Radial { gamma: gamma()? },
            "sigmoid" => Self::Sigmoid {
                gamma: gamma()?,
                start: start()?,
            },
            "precomputed" => return Err(object.refuse("precomputed kernels are not supported")),
            _ => return Err(object.refuse("a kernel of its own is not supported")),
        })
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Polynomial { .. } => "polynomial",
            Self::Radial { .. } => "rbf",
            Self::Sigmoid { .. } => "sigmoid",
        }
    }

    fn value(self, one: &[f64], other: &[f64]) -> f64 {
        self.of_parts(|| dot(one, other), || squared_distance(one, other))
    }

    /// The kernel of a row, as columns that are not 0 and their values, and of a sparse vector.
    fn of_sparse(self, row: &[(usize, f64)], columns: &[usize], values: &[f64]) -> f64 {
        self.of_parts(
            || merged(row, columns, values, |one, other| one * other),
            || {
                merged(row, columns, values, |one, other| {
                    (one - other) * (one - other)
                })
            },
        )
    }

    fn of_parts(self, product: impl Fn() -> f64, distance: impl Fn() -> f64) -> f64 {
        match self {
            Self::Linear => product(),
            Self::Polynomial {
                gamma,
                start,
                degree,
            } => (gamma * product() + start).powi(degree),
            Self::Radial { gamma } => (-gamma * distance()).exp(),
            Self::Sigmoid { gamma, start } => (gamma * product() + start).tanh(),
        }
    }
}

/// The sum of what is made of each column that either of two sparse rows holds.
fn merged(
    row: &[(usize, f64)],
    columns: &[usize],
    values: &[f64],
    make: impl Fn(f64, f64) -> f64,
) -> f64 {
    let mut sum = 0.0;
    let mut row = row.iter().peekable();
    for (column, other) in columns.iter().zip(values) {
        while let Some((_, one)) = row.next_if(|(own, _)| own < column) {
            sum += make(*one, 0.0);
        }
        let one = row.next_if(|(own, _)| own == column);
        sum += make(one.map_or(0.0, |(_, one)| *one), *other);
    }
    row.fold(sum, |sum, (_, one)| sum + make(*one, 0.0))
}

/// The support vectors.
#[derive(Clone, Debug)]
pub(super) enum Vectors {
    Dense {
        values: Vec<f64>,
        width: usize,
    },
    /// Of a machine that was fitted on a sparse matrix.
    Sparse(SparseMatrix),
}

impl Vectors {
    /// Reads the vectors, which have so many columns.
    ///
    /// # Errors
    /// A contract error for another number of columns; fails for broken matrices.
    pub(super) fn of(object: &Object, count: usize) -> Result<Self> {
        let name = "support_vectors_";
        if object.is_sparse(name) {
            let matrix = SparseMatrix::of(object, name)?;
            same_count(object, matrix.columns, count)?;
            return Ok(Self::Sparse(matrix));
        }
        let matrix = object.matrix(name)?;
        if matrix.rows > 0 {
            same_count(object, matrix.columns, count)?;
        }
        Ok(Self::Dense {
            values: matrix.values,
            width: count,
        })
    }

    /// The number of vectors.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dense { values, width } => values.len() / (*width).max(1),
            Self::Sparse(matrix) => matrix.row_count(),
        }
    }

    /// The numbers that are held.
    pub(super) fn number_count(&self) -> usize {
        match self {
            Self::Dense { values, .. } => values.len(),
            Self::Sparse(matrix) => matrix.number_count(),
        }
    }

    /// The kernel of a row and each vector.
    pub(super) fn kernels(&self, kernel: Kernel, values: &[f64]) -> Vec<f64> {
        match self {
            Self::Dense {
                values: vectors,
                width,
            } => {
                let vectors = vectors.chunks_exact((*width).max(1));
                let value = |vector| kernel.value(values, vector);
                vectors.map(value).collect()
            }
            Self::Sparse(matrix) => {
                let row = values.iter().enumerate();
                let row: Vec<(usize, f64)> = row
                    .filter(|(_, value)| **value != 0.0)
                    .map(|(column, value)| (column, *value))
                    .collect();
                let vectors = matrix.rows();
                let value = |(columns, own)| kernel.of_sparse(&row, columns, own);
                vectors.map(value).collect()
            }
        }
    }
}
