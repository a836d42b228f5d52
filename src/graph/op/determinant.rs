//! `Det`: determinants of square matrices.

use crate::error::{Error, Result};
use crate::graph::entry::Entry;
use crate::graph::layout::product;
use crate::graph::operator::{Call, single};
use crate::graph::tensor::{Data, Tensor};
use std::sync::Arc;

pub(crate) const OPERATORS: &[Entry] = &[Entry::new("Det", 1, 1, |_| single(determinant)).floats()];

/// By elimination with the largest pivot, in double precision.
fn determinant(call: &mut Call) -> Result<Tensor> {
    let data = call.tensor(0)?;
    let [.., rows, columns] = *data.shape() else {
        return Err(Error::failed("a tensor of fewer than two axes"));
    };
    if rows != columns {
        return Err(Error::failed("the matrices are not square"));
    }
    let values = data.doubles()?;
    let outer = data.shape()[..data.rank() - 2].to_vec();
    let matrices = if rows == 0 {
        vec![1.0; product(&outer)]
    } else {
        values
            .chunks_exact(rows * rows)
            .map(|matrix| eliminate(matrix.to_vec(), rows))
            .collect()
    };
    match data.data() {
        Data::Double(_) => Tensor::new(outer, matrices),
        _ => Tensor::from_data(
            outer,
            Data::Float(Arc::new(
                matrices.into_iter().map(|value| value as f32).collect(),
            )),
        ),
    }
}

fn eliminate(mut matrix: Vec<f64>, size: usize) -> f64 {
    let mut determinant = 1.0;
    for step in 0..size {
        let pivot = (step..size).fold(step, |best, row| {
            if matrix[row * size + step].abs() > matrix[best * size + step].abs() {
                row
            } else {
                best
            }
        });
        if matrix[pivot * size + step] == 0.0 {
            return 0.0;
        }
        if pivot != step {
            (0..size).for_each(|column| matrix.swap(pivot * size + column, step * size + column));
            determinant = -determinant;
        }
        determinant *= matrix[step * size + step];
        for row in step + 1..size {
            let factor = matrix[row * size + step] / matrix[step * size + step];
            (step..size).for_each(|column| {
                matrix[row * size + column] -= factor * matrix[step * size + column];
            });
        }
    }
    determinant
}
