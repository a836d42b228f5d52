//! Scalers that subtract and divide, each column by itself.
//!
//! Source: `sklearn/preprocessing/_data.py` of 0.24 to 1.9.

use super::column::{Column, Step};
use super::object::{Object, by_column};
use crate::error::Result;

/// (x − center) / scale, each where it is.
pub(super) fn scaled(
    object: &Object,
    columns: Vec<Column>,
    center: &str,
    scale: &str,
) -> Result<Vec<Column>> {
    let centers = by_column(object, center, columns.len())?;
    let scales = by_column(object, scale, columns.len())?;
    let change = |(index, column): (usize, Column)| {
        let center = centers.as_ref().map(|values| Step::Subtract(values[index]));
        let scale = scales.as_ref().map(|values| Step::Divide(values[index]));
        column.then(center.into_iter().chain(scale))
    };
    Ok(columns.into_iter().enumerate().map(change).collect())
}

/// `MinMaxScaler`.
pub(super) fn min_max(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let missing = || object.refuse("it was not fitted");
    let scales = by_column(object, "scale_", columns.len())?.ok_or_else(missing)?;
    let starts = by_column(object, "min_", columns.len())?.ok_or_else(missing)?;
    let range = object.reals("feature_range")?;
    let clip = match (object.flag("clip"), range.as_slice()) {
        (true, [low, high]) => Some(Step::Clip(*low, *high)),
        (true, _) => return Err(object.refuse("`feature_range` is not a pair")),
        (false, _) => None,
    };
    let change = |((column, scale), start): ((Column, f64), f64)| {
        column.then(
            [Step::Multiply(scale), Step::Add(start)]
                .into_iter()
                .chain(clip.clone()),
        )
    };
    Ok(columns
        .into_iter()
        .zip(scales)
        .zip(starts)
        .map(change)
        .collect())
}
