//! Scalers that subtract and divide, each column by itself.
//!
//! Source: `sklearn/preprocessing/_data.py` of 0.24 to 1.9.

use super::column::{Column, Step};
use super::object::{Object, by_column};
use crate::error::Result;

/// What a fit stores for each column.
fn fitted(object: &Object, name: &str, count: usize) -> Result<Vec<f64>> {
    let missing = || object.unfitted();
    by_column(object, name, count)?.ok_or_else(missing)
}

/// What a scaler subtracts and divides by, column by column; none where it leaves a part out.
struct Scaling {
    centers: Option<Vec<f64>>,
    scales: Option<Vec<f64>>,
}

impl Scaling {
    /// That of a `StandardScaler`, `RobustScaler` or `MaxAbsScaler` of so many columns. A fit
    /// stores the mean of a `StandardScaler` even where `with_mean` says not to subtract it.
    fn new(object: &Object, count: usize) -> Result<Self> {
        let [center, scale] = match object.class().1 {
            "StandardScaler" => [Some(("with_mean", "mean_")), Some(("with_std", "scale_"))],
            "RobustScaler" => [
                Some(("with_centering", "center_")),
                Some(("with_scaling", "scale_")),
            ],
            _ => [None, Some(("", "scale_"))],
        };
        let found = |names: Option<(&str, &str)>| {
            let used = names.filter(|(flag, _)| object.find(flag).is_none() || object.flag(flag));
            used.map(|(_, name)| fitted(object, name, count))
                .transpose()
        };
        Ok(Self {
            centers: found(center)?,
            scales: found(scale)?,
        })
    }
}

/// (x − center) / scale, each where it is; `MaxAbsScaler` may clip the result to −1 to 1.
pub(super) fn scaled(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let Scaling { centers, scales } = Scaling::new(object, columns.len())?;
    let is_clipped = object.class().1 == "MaxAbsScaler" && object.flag("clip");
    let clip = is_clipped.then_some(Step::Clip(-1.0, 1.0));
    let change = |(index, column): (usize, Column)| {
        let center = centers.as_ref().map(|values| Step::Subtract(values[index]));
        let scale = scales.as_ref().map(|values| Step::Divide(values[index]));
        column.then(center.into_iter().chain(scale).chain(clip.clone()))
    };
    Ok(columns.into_iter().enumerate().map(change).collect())
}

/// The columns that [`scaled`] would make these of.
pub(super) fn unscaled(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let Scaling { centers, scales } = Scaling::new(object, columns.len())?;
    let change = |(index, column): (usize, Column)| {
        let scale = scales.as_ref().map(|values| Step::Multiply(values[index]));
        let center = centers.as_ref().map(|values| Step::Add(values[index]));
        column.then(scale.into_iter().chain(center))
    };
    Ok(columns.into_iter().enumerate().map(change).collect())
}

/// `MinMaxScaler`.
pub(super) fn min_max(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let scales = fitted(object, "scale_", columns.len())?;
    let starts = fitted(object, "min_", columns.len())?;
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

/// The columns that a `MinMaxScaler` would make these of.
pub(super) fn min_max_inverse(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let starts = fitted(object, "min_", columns.len())?;
    let scales = fitted(object, "scale_", columns.len())?;
    let change = |((column, start), scale): ((Column, f64), f64)| {
        column.then([Step::Subtract(start), Step::Divide(scale)])
    };
    Ok(columns
        .into_iter()
        .zip(starts)
        .zip(scales)
        .map(change)
        .collect())
}
