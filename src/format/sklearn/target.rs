//! `TransformedTargetRegressor`: a regression whose values go back through a transformer.
//!
//! Source: `sklearn/compose/_target.py` and the `inverse_transform` methods of 0.24 to 1.9.

use super::answer::answer;
use super::column::{Column, Step};
use super::fitted::{Finished, Fitted};
use super::function::named_function;
use super::inputs::Inputs;
use super::object::{Object, by_column};
use super::scaling::{power_inverse, quantile_inverse};
use super::steps::{is_skipped, steps};
use crate::error::Result;
use crate::outcome::Task;

pub(super) fn transformed(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let regressor = object.attribute("regressor_")?;
    let own = answer(&regressor, columns, inputs)?;
    let task = match &own.task {
        Task::Value => Task::Value,
        Task::Values(names) => Task::Values(names.clone()),
        _ => return Err(regressor.refuse("it is not a regression")),
    };
    let values = own.predictions(inputs);
    let values = inverse(&object.attribute("transformer_")?, values)?;
    Ok((values, Fitted::columns(task)))
}

/// The columns that a transformer would make these of.
fn inverse(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let count = columns.len();
    let affine =
        |first: Option<Vec<f64>>, second: Option<Vec<f64>>, order: [fn(f64) -> Step; 2]| {
            let change = |(index, column): (usize, Column)| {
                let first = first.as_ref().map(|all| order[0](all[index]));
                let second = second.as_ref().map(|all| order[1](all[index]));
                column.then(first.into_iter().chain(second))
            };
            columns.iter().cloned().enumerate().map(change).collect()
        };
    let of = |name: &str| by_column(object, name, count);
    Ok(match object.class() {
        ("pipeline", "Pipeline") => {
            let mut columns = columns;
            for step in steps(object, "steps")?.iter().rev() {
                if !is_skipped(step) {
                    columns = inverse(step, columns)?;
                }
            }
            return Ok(columns);
        }
        ("preprocessing", "StandardScaler") => {
            affine(of("scale_")?, of("mean_")?, [Step::Multiply, Step::Add])
        }
        ("preprocessing", "RobustScaler") => {
            affine(of("scale_")?, of("center_")?, [Step::Multiply, Step::Add])
        }
        ("preprocessing", "MaxAbsScaler") => {
            affine(of("scale_")?, None, [Step::Multiply, Step::Add])
        }
        ("preprocessing", "MinMaxScaler") => {
            affine(of("min_")?, of("scale_")?, [Step::Subtract, Step::Divide])
        }
        ("preprocessing", "FunctionTransformer") => {
            let Some(function) = named_function(object, "inverse_func", "inv_kw_args")? else {
                return Ok(columns);
            };
            let change = |column: Column| column.then([Step::Function(function)]);
            columns.into_iter().map(change).collect()
        }
        ("preprocessing", "PowerTransformer") => return power_inverse(object, columns),
        ("preprocessing", "QuantileTransformer") => return quantile_inverse(object, columns),
        _ => return Err(object.unknown()),
    })
}
