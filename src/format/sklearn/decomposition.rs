//! Decompositions and other products with a fixed matrix.
//!
//! Sources: `sklearn/decomposition`, `random_projection.py` and the `transform` of linear
//! discriminant analysis, 0.24 to 1.9.

use super::column::Column;
use super::engine::{Engine, Finish};
use super::fitted::same_count;
use super::formula::{Formula, dot};
use super::inputs::Inputs;
use super::object::{Matrix, Object};
use crate::error::Result;

/// What is done around a product.
#[derive(Default)]
pub(super) struct Around {
    /// Subtracted before.
    pub(super) centre: Option<Vec<f64>>,
    /// Divided by after.
    pub(super) scale: Option<Vec<f64>>,
}

/// A product with a fixed matrix, a row for each output.
///
/// # Errors
/// A contract error for a matrix that does not fit the columns.
pub(super) fn product(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
    rows: Matrix,
    around: Around,
) -> Result<Vec<Column>> {
    same_count(object, rows.columns, columns.len())?;
    let is_fitting = around
        .centre
        .as_ref()
        .is_none_or(|one| one.len() == rows.columns)
        && around
            .scale
            .as_ref()
            .is_none_or(|one| one.len() == rows.rows);
    if !is_fitting || rows.columns == 0 || rows.rows == 0 {
        return Err(object.refuse("its components do not fit its columns"));
    }
    if around.centre.is_none() && around.scale.is_none() {
        inputs.reject_missing(&columns);
        let engine = Engine::Linear {
            intercepts: vec![0.0; rows.rows],
            coefficients: rows.values,
            ending: Finish::None,
        };
        return Ok(inputs.push_reading(columns, engine, true));
    }
    let numbers = rows.values.len();
    let formula = Formula::new("pipeline", rows.rows, numbers, move |values, output| {
        let centred: Vec<f64> = match &around.centre {
            Some(centre) => values
                .iter()
                .zip(centre)
                .map(|(one, other)| one - other)
                .collect(),
            None => values.to_vec(),
        };
        let components = rows.values.chunks_exact(rows.columns);
        for (to, component) in output.iter_mut().zip(components) {
            *to = dot(&centred, component);
        }
        if let Some(scale) = &around.scale {
            output
                .iter_mut()
                .zip(scale)
                .for_each(|(to, scale)| *to /= scale);
        }
    });
    Ok(inputs.compute(columns, formula))
}

/// The matrix with rows and columns exchanged.
fn transposed(matrix: &Matrix) -> Matrix {
    let mut values = Vec::with_capacity(matrix.values.len());
    for column in 0..matrix.columns {
        for row in 0..matrix.rows {
            values.push(matrix.values[row * matrix.columns + column]);
        }
    }
    Matrix {
        rows: matrix.columns,
        columns: matrix.rows,
        values,
    }
}

/// A transformer that multiplies.
///
/// # Errors
/// A contract error for classes that are not known.
pub(super) fn decomposed(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let optional = |name: &str| match object.find(name) {
        Some(_) => object.reals(name).map(Some),
        None => Ok(None),
    };
    match object.class().1 {
        "PCA" | "IncrementalPCA" => {
            let scale = if object.flag("whiten") {
                let scales = object.reals("explained_variance_")?.into_iter();
                Some(scales.map(|one| one.sqrt().max(f64::EPSILON)).collect())
            } else {
                None
            };
            let around = Around {
                centre: optional("mean_")?,
                scale,
            };
            product(
                object,
                columns,
                inputs,
                object.matrix("components_")?,
                around,
            )
        }
        "TruncatedSVD"
        | "GaussianRandomProjection"
        | "SparseRandomProjection"
        | "NeighborhoodComponentsAnalysis" => {
            let components = object.matrix("components_")?;
            product(object, columns, inputs, components, Around::default())
        }
        "FastICA" => {
            let around = Around {
                centre: if object.has("mean_") && !is_unwhitened(object) {
                    optional("mean_")?
                } else {
                    None
                },
                scale: None,
            };
            product(
                object,
                columns,
                inputs,
                object.matrix("components_")?,
                around,
            )
        }
        "LinearDiscriminantAnalysis" => {
            let scalings = transposed(&object.matrix("scalings_")?);
            let most = object.real("_max_components")? as usize;
            let rows = scalings.rows.min(most);
            let scalings = Matrix {
                rows,
                values: scalings.values[..rows * scalings.columns].to_vec(),
                ..scalings
            };
            let centre = match object.text("solver") {
                "svd" | "" => Some(object.reals("xbar_")?),
                "eigen" => None,
                _ => return Err(object.refuse("its solver does not transform")),
            };
            let around = Around {
                centre,
                scale: None,
            };
            product(object, columns, inputs, scalings, around)
        }
        "NMF" | "MiniBatchNMF" => Err(object.refuse(
            "it iterates over all rows of a call together, so that a row's result depends on the \
             others",
        )),
        _ => Err(object.unknown()),
    }
}

fn is_unwhitened(object: &Object) -> bool {
    object.find("whiten").is_some() && object.text("whiten").is_empty() && !object.flag("whiten")
}
