//! `SimpleImputer` and `MissingIndicator`.
//!
//! scikit-learn knows two missing values where a table has null: NaN and, in columns of objects,
//! `None`. An imputer of NaN leaves `None` as it is. Which of them a null is shows in the
//! categories that an encoder found behind the imputer (see [`super::encoder`]): if `None` is among
//! them, the imputer left it; else it fills nulls in.
//!
//! Source: `sklearn/impute/_base.py` of 0.24 to 1.9.

use super::column::{Column, Step};
use super::inputs::{Inputs, numbers};
use super::object::Object;
use crate::contract::CategoryValue;
use crate::error::Result;
use crate::format::python::numpy::{Elements, Kind};
use crate::format::python::record::{Id, Value};

/// The fitted values of an imputer, one a column.
enum Statistic {
    Number(f64),
    Category(CategoryValue),
    /// `None`, the most frequent value: a null stays one.
    None,
}

/// What an imputer fills in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Marker {
    /// NaN, and not `None`.
    Nan,
    /// `None`, or what pandas takes for missing.
    Null,
    /// A number.
    Number(f64),
}

/// Whether a value is `pandas.NA`, whose module is a private one before pandas 3.
fn is_pandas_missing(object: &Object, id: Id) -> bool {
    let global = object.arena.global(id);
    global.is_some_and(|(module, name)| name == "NA" && module.starts_with("pandas"))
}

fn marker(object: &Object) -> Result<Marker> {
    let Some(id) = object.arena.attribute(object.id, "missing_values") else {
        return Ok(Marker::Nan);
    };
    match object.arena.get(id) {
        Value::None => Ok(Marker::Null),
        Value::Float(value) if value.is_nan() => Ok(Marker::Nan),
        Value::Float(value) => Ok(Marker::Number(*value)),
        Value::Integer(value) => Ok(Marker::Number(*value as f64)),
        _ if is_pandas_missing(object, id) => Ok(Marker::Null),
        _ => Err(object.refuse("`missing_values` is not a number")),
    }
}

fn statistics(object: &Object) -> Result<Vec<Statistic>> {
    let array = object.array("statistics_")?;
    let broken = || object.refuse("a value that it fills in is of an unknown type");
    if let Elements::Objects(list) = array.elements {
        let items = object.arena.items(list).unwrap_or_default();
        let one = |id: &Id| match object.arena.get(*id) {
            Value::Float(value) => Ok(Statistic::Number(*value)),
            Value::Integer(value) => Ok(Statistic::Number(*value as f64)),
            Value::Boolean(value) => Ok(Statistic::Category(CategoryValue::Boolean(*value))),
            Value::None => Ok(Statistic::None),
            _ => object
                .arena
                .text(*id)
                .map(|text| Statistic::Category(CategoryValue::Text(text.to_owned())))
                .ok_or_else(broken),
        };
        return items.iter().map(one).collect();
    }
    if array.data_type.kind == Kind::Text {
        let texts = array.texts()?.into_iter();
        return Ok(texts
            .map(|text| Statistic::Category(CategoryValue::Text(text)))
            .collect());
    }
    Ok(array.reals()?.into_iter().map(Statistic::Number).collect())
}

/// `SimpleImputer`.
pub(super) fn imputed(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let statistics = statistics(object)?;
    if statistics.len() != columns.len() {
        return Err(object.refuse("it fills in more or fewer values than there are columns"));
    }
    let marker = marker(object)?;
    let leaves_none = marker == Marker::Nan;
    let is_number = matches!(marker, Marker::Number(_));
    let keeps_empty = object.flag("keep_empty_features");
    let mut made = Vec::new();
    let sources = columns.clone();
    for (mut column, statistic) in columns.into_iter().zip(statistics) {
        match statistic {
            // Columns without a value in training are dropped.
            Statistic::Number(value) if value.is_nan() && !keeps_empty => {}
            Statistic::Number(value) => {
                let value = if value.is_nan() { 0.0 } else { value };
                let fill = match marker {
                    Marker::Number(marker) => Step::Replace(marker, value),
                    Marker::Nan | Marker::Null => Step::Fill(value),
                };
                numbers(object, std::slice::from_ref(&column), inputs)?;
                column.may_miss &= is_number;
                column.leaves_none = leaves_none && column.is_raw();
                made.push(column.then([fill]));
            }
            Statistic::None => made.push(column),
            Statistic::Category(value) => {
                if is_number || !column.is_raw() {
                    return Err(object.refuse("texts are filled in after another step"));
                }
                column.filled = Some(value);
                column.leaves_none = leaves_none;
                column.may_miss = false;
                made.push(column);
            }
        }
    }
    if object.flag("add_indicator") && is_number {
        return Err(object.refuse("an indicator of a special value is not supported"));
    }
    made.extend(indicated(object, &sources)?);
    Ok(made)
}

/// The columns that say which values of others are missing, where an imputer adds them.
pub(super) fn indicated(object: &Object, sources: &[Column]) -> Result<Vec<Column>> {
    if !object.flag("add_indicator") {
        return Ok(Vec::new());
    }
    flags(&object.attribute("indicator_")?, sources)
}

fn flags(indicator: &Object, sources: &[Column]) -> Result<Vec<Column>> {
    let features = indicator.reals("features_")?.into_iter();
    let flag = |feature: f64| {
        let source = sources.get(feature as usize);
        let source =
            source.ok_or_else(|| indicator.refuse("it reads a column that there is not"))?;
        let mut column = source.clone().then([Step::IsMissing]);
        column.may_miss = false;
        Ok(column)
    };
    features.map(flag).collect()
}

/// `MissingIndicator`: a null in a column that training had none of is an error by default.
pub(super) fn indicator(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let marker = object.find("missing_values").map(|id| object.arena.get(id));
    if !matches!(marker, None | Some(Value::Float(_)))
        || matches!(marker, Some(Value::Float(value)) if !value.is_nan())
    {
        return Err(object.refuse("an indicator of a special value is not supported"));
    }
    numbers(object, columns, inputs)?;
    if object.flag("error_on_new") && object.text("features") == "missing-only" {
        let seen = object.reals("features_")?;
        let new = columns.iter().enumerate();
        let new = new.filter(|(index, _)| !seen.contains(&(*index as f64)));
        let new: Vec<Column> = new.map(|(_, column)| column.clone()).collect();
        inputs.reject_missing(&new);
    }
    flags(object, columns)
}
