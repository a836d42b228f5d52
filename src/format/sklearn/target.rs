//! `TransformedTargetRegressor`: a regression whose values go back through a transformer.
//!
//! Source: `sklearn/compose/_target.py` and the `inverse_transform` methods of 0.24 to 1.9.

use super::affine::{min_max_inverse, unscaled};
use super::answer::answer;
use super::column::{Column, Step};
use super::fitted::{Finished, Fitted};
use super::function::named_function;
use super::inputs::Inputs;
use super::object::Object;
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
        ("preprocessing", "StandardScaler" | "RobustScaler" | "MaxAbsScaler") => {
            return unscaled(object, columns);
        }
        ("preprocessing", "MinMaxScaler") => return min_max_inverse(object, columns),
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
