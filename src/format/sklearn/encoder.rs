//! Encoders of categories: `OneHotEncoder` and `OrdinalEncoder`.
//!
//! Owns their tables, from fitted categories to numbers. Sources: the `transform` methods of
//! scikit-learn 0.24 to 1.9.

use std::sync::Arc;

use super::codes::Codes;
use super::column::{COLUMNS_LIMIT, Column, Step};
use super::engine::Engine;
use super::formula::Formula;
use super::inputs::Inputs;
use super::object::{Object, positions, reals};
use super::steps::bounded;
use crate::contract::CategoryValue;
use crate::error::Result;
use crate::format::python::numpy::{Elements, Kind, Number};
use crate::format::python::record::{Id, Value};

/// The most numbers in the tables of one encoded column.
const TABLES_LIMIT: usize = 1 << 24;

/// What stands for a missing value among the categories of a column, which is what a null of the
/// table is, too. Both at once are two categories, of which a null may be either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// Python's `None`: a category like any other, the last one.
    None,
    /// NaN, for which encoders have settings of their own.
    Nan,
}

/// The categories of a column, and the missing value that is the last one, if it is.
pub(super) struct Categories {
    values: Vec<CategoryValue>,
    missing: Option<Missing>,
}

impl Categories {
    /// The number of categories, the missing one included.
    fn count(&self) -> usize {
        self.values.len() + usize::from(self.missing.is_some())
    }

    /// A category as Python's `str` writes it; none for numbers that it may write otherwise.
    fn name(&self, code: usize) -> Option<String> {
        match (self.values.get(code), self.missing) {
            (Some(CategoryValue::Text(text)), _) => Some(text.clone()),
            (Some(CategoryValue::Integer(value)), _) => Some(value.to_string()),
            (Some(CategoryValue::Boolean(true)), _) => Some("True".to_owned()),
            (Some(CategoryValue::Boolean(false)), _) => Some("False".to_owned()),
            (Some(CategoryValue::Number(value)), _) => {
                let is_plain = *value == 0.0 || (1e-4..1e16).contains(&value.abs());
                is_plain.then(|| format!("{value:?}"))
            }
            (None, Some(Missing::None)) => Some("None".to_owned()),
            (None, Some(Missing::Nan)) => Some("nan".to_owned()),
            (None, None) => None,
        }
    }
}

impl Categories {
    /// The categories as numbers; none if one is a text.
    fn numbers(&self) -> Option<Vec<f64>> {
        let number = |value: &CategoryValue| match value {
            CategoryValue::Integer(value) => Some(*value as f64),
            CategoryValue::Number(value) => Some(*value),
            CategoryValue::Boolean(value) => Some(f64::from(u8::from(*value))),
            CategoryValue::Text(_) => None,
        };
        self.values.iter().map(number).collect()
    }
}

fn categories(object: &Object, id: Id) -> Result<Categories> {
    let arena = object.arena;
    let array = arena
        .array(id)
        .ok_or_else(|| object.refuse("`categories_` is not of arrays"))?;
    let mut missing = None;
    let mut values = Vec::new();
    if let Elements::Objects(list) = array.elements {
        for item in arena.items(list).unwrap_or_default() {
            let value = match arena.get(*item) {
                Value::Integer(value) => CategoryValue::Integer(*value),
                Value::Boolean(value) => CategoryValue::Boolean(*value),
                Value::None if missing.is_none() => {
                    missing = Some(Missing::None);
                    continue;
                }
                Value::Float(value) if value.is_nan() && missing.is_none() => {
                    missing = Some(Missing::Nan);
                    continue;
                }
                Value::Float(value) if value.is_nan() => {
                    return Err(object.refuse(
                        "`None` and NaN are two of its categories, and a null may be either",
                    ));
                }
                Value::Float(value) => CategoryValue::Number(*value),
                _ => match arena.text(*item) {
                    Some(text) => CategoryValue::Text(text.to_owned()),
                    None => return Err(object.refuse("a category is of an unknown type")),
                },
            };
            if missing.is_some() {
                return Err(object.refuse("a missing value is not its last category"));
            }
            values.push(value);
        }
    } else if array.data_type.kind == Kind::Text {
        values.extend(array.texts()?.into_iter().map(CategoryValue::Text));
    } else {
        let is_boolean = array.data_type.kind == Kind::Boolean;
        for number in array.numbers()? {
            values.push(match number {
                Number::Integer(value) if is_boolean => CategoryValue::Boolean(value != 0),
                Number::Integer(value) => CategoryValue::Integer(value),
                Number::Unsigned(value) => CategoryValue::Integer(value as i64),
                Number::Float(value) if value.is_nan() => {
                    missing = Some(Missing::Nan);
                    continue;
                }
                Number::Float(value) => CategoryValue::Number(value),
            });
        }
    }
    Ok(Categories { values, missing })
}

/// What becomes of one column's codes.
type Encoding = fn(&Object, usize, &Categories, &Column) -> Result<Vec<Column>>;

/// Turns columns into codes, and these into an encoder's output.
pub(super) fn encoded(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
    encoding: Encoding,
) -> Result<Vec<Column>> {
    let listed = object.list("categories_")?;
    if listed.len() != columns.len() {
        return Err(object.refuse("it has categories of more or fewer columns than it is given"));
    }
    let is_target = object.class().1 == "TargetEncoder";
    let is_strict = !is_target && matches!(object.text("handle_unknown"), "error" | "");
    let mut made = Vec::new();
    for (index, (mut column, id)) in columns.into_iter().zip(listed).enumerate() {
        let categories = categories(object, *id)?;
        let input = column.input;
        if categories.missing == Some(Missing::None) {
            column.keep_none();
        }
        let known = categories.numbers();
        // An imputer before it may have read numbers.
        let is_number = known.is_some() && inputs.is_number(input);
        if column.has_no_steps() && inputs.is_input(input) && !is_number {
            let filled = column.filled.take();
            let code = filled.map(|value| {
                let found = categories.values.iter().position(|one| same(one, &value));
                found.map_or(-1.0, |found| found as f64)
            });
            if code == Some(-1.0) && is_strict {
                inputs.reject_null(input);
            }
            let codes = inputs
                .categories(input, &categories.values)
                .ok_or_else(|| {
                    let name = inputs.name(input).to_owned();
                    object.refuse(&format!(
                        "column `{name}` is read as categories here and otherwise elsewhere"
                    ))
                })?;
            column = match codes {
                Codes::Other(codes) if is_strict => {
                    let takes_missing = categories.missing.is_some() || code.is_some();
                    checked(column, Step::RecodeKnown(codes), takes_missing, inputs)
                }
                codes => column.then(codes.steps()),
            };
            column.steps.extend(code.map(Step::Fill));
        } else {
            let known = known.ok_or_else(|| {
                object.refuse("texts are encoded after a step that makes numbers")
            })?;
            let known: Arc<[f64]> = known.into();
            if is_strict {
                let step = Step::Known(Arc::clone(&known));
                column = checked(column, step, categories.missing.is_some(), inputs);
            }
            column.steps.push(Step::Find(known));
        }
        if categories.missing.is_some() {
            column
                .steps
                .push(Step::Fill(categories.values.len() as f64));
        } else if is_strict && column.may_miss {
            inputs.reject_null(input);
        }
        if is_strict {
            inputs.reject_unseen(input);
        }
        column.may_miss = false;
        made.extend(encoding(object, index, &categories, &column)?);
    }
    bounded(object, made)
}

/// A column of which the values that a step refuses are an error, as a missing one is unless it is
/// a category.
pub(super) fn checked(
    column: Column,
    step: Step,
    takes_missing: bool,
    inputs: &mut Inputs,
) -> Column {
    let may_miss = column.may_miss && takes_missing;
    let column = column.then([step]);
    let same = Formula::new("pipeline", 1, 0, |values, output| output[0] = values[0]);
    if !takes_missing {
        inputs.reject_missing(std::slice::from_ref(&column));
    }
    let mut made = inputs.push_reading(vec![column], Engine::Formula(same), !takes_missing);
    Column {
        may_miss,
        ..made.swap_remove(0)
    }
}

/// Whether two categories are the same value: 1 and 1.0 are.
fn same(one: &CategoryValue, other: &CategoryValue) -> bool {
    match (one, other) {
        (CategoryValue::Integer(one), CategoryValue::Number(other))
        | (CategoryValue::Number(other), CategoryValue::Integer(one)) => *one as f64 == *other,
        _ => one == other,
    }
}

pub(super) fn ordinal(
    object: &Object,
    index: usize,
    categories: &Categories,
    column: &Column,
) -> Result<Vec<Column>> {
    // `None` has a code like any other category.
    let is_none = categories.missing == Some(Missing::None);
    let count = categories.values.len() + usize::from(is_none);
    // Rare categories share the last code.
    let mut table: Vec<f64> = match grouping(object, index) {
        Some(mapping) if mapping.len() >= count => {
            let codes = mapping.into_iter().take(count);
            codes.map(|code| code as f64).collect()
        }
        Some(_) => return Err(object.refuse("its rare categories do not fit its categories")),
        None => (0..count).map(|code| code as f64).collect(),
    };
    if categories.missing == Some(Missing::Nan) {
        let encoded = if object.has("encoded_missing_value") {
            object.real("encoded_missing_value")?
        } else {
            f64::NAN
        };
        table.push(encoded);
    }
    let unknown = object
        .find("unknown_value")
        .map(|_| object.real("unknown_value"));
    let unknown = unknown.transpose()?.unwrap_or(f64::NAN);
    // A missing value that training did not see is unknown, too.
    let may_miss = unknown.is_nan() && object.find("unknown_value").is_some()
        || table.iter().any(|value| value.is_nan());
    let column = column.clone().then([Step::Table(table.into(), unknown)]);
    Ok(vec![Column { may_miss, ..column }])
}

/// The element of a list that belongs to a column; none where it is `None`.
fn element(object: &Object, name: &str, index: usize) -> Option<Id> {
    let id = object.find(name)?;
    let list = match object.arena.get(id) {
        Value::Array(array) => match array.elements {
            Elements::Objects(list) => list,
            _ => return None,
        },
        _ => id,
    };
    let found = *object.arena.items(list)?.get(index)?;
    (!matches!(object.arena.get(found), Value::None)).then_some(found)
}

/// The code of each category of a column where rare ones share one.
fn grouping(object: &Object, index: usize) -> Option<Vec<usize>> {
    let id = element(object, "_default_to_infrequent_mappings", index)?;
    positions(object.arena, id)
}

pub(super) fn one_hot(
    object: &Object,
    index: usize,
    categories: &Categories,
    column: &Column,
) -> Result<Vec<Column>> {
    let count = categories.count();
    let mapping = grouping(object, index);
    let width = match &mapping {
        Some(mapping) if mapping.len() == count => mapping.iter().max().map_or(0, |max| max + 1),
        Some(_) => return Err(object.refuse("its rare categories do not fit its categories")),
        None => count,
    };
    if mapping.is_some() && count.saturating_mul(width) > TABLES_LIMIT {
        return Err(object.refuse("it groups too many categories into too many columns"));
    }
    // Since 1.1 the dropped column is counted among the grouped ones.
    let grouped = object.has("_drop_idx_after_grouping");
    let dropped = if grouped {
        "_drop_idx_after_grouping"
    } else {
        "drop_idx_"
    };
    let dropped = match object.find(dropped) {
        None => None,
        Some(id) => match object.arena.array(id).map(|array| &array.elements) {
            Some(Elements::Objects(_)) | None => element(object, dropped, index)
                .and_then(|id| positions(object.arena, id)?.first().copied()),
            Some(_) => reals(object.arena, id)
                .and_then(|all| all.get(index).copied())
                .map(|one| one as usize),
        },
    };
    // A function may join them otherwise.
    let is_joined =
        object.text("feature_name_combiner") == "concat" || !object.has("feature_name_combiner");
    let takes_unknown = object.text("handle_unknown") == "infrequent_if_exist" && mapping.is_some();
    let mut made = Vec::new();
    for output in (0..width).filter(|output| Some(*output) != dropped) {
        let step = match &mapping {
            None => Step::Equals(output as f64),
            Some(mapping) => {
                let is_last = output + 1 == width;
                let table = mapping
                    .iter()
                    .map(|one| f64::from(u8::from(*one == output)));
                Step::Table(
                    table.collect(),
                    f64::from(u8::from(is_last && takes_unknown)),
                )
            }
        };
        let name = match &mapping {
            None => categories.name(output),
            // Frequent ones keep their order; the rare ones share the last code.
            Some(mapping) if output + 1 < width => {
                let own = mapping.iter().position(|one| *one == output);
                own.and_then(|own| categories.name(own))
            }
            Some(_) => Some("infrequent_sklearn".to_owned()),
        };
        let whole = column.name.as_ref().zip(name).filter(|_| is_joined);
        let whole = whole.map(|(input, own)| format!("{input}_{own}").into());
        made.push(Column {
            name: whole,
            ..column.clone().then([step])
        });
    }
    if made.len() > COLUMNS_LIMIT {
        return Err(object.refuse("it makes more than a million columns"));
    }
    Ok(made)
}

/// `TargetEncoder`: the mean of the target by category, and of all for unknown ones.
pub(super) fn by_target(
    object: &Object,
    index: usize,
    categories: &Categories,
    column: &Column,
) -> Result<Vec<Column>> {
    let count = categories.count();
    let per_column = if object.text("target_type_") == "multiclass" {
        object.array("classes_")?.len()
    } else {
        1
    };
    let encodings = object.list("encodings_")?;
    let means = object.reals("target_mean_")?;
    let mut made = Vec::new();
    for class in 0..per_column {
        let table = encodings
            .get(index * per_column + class)
            .and_then(|id| reals(object.arena, *id))
            .filter(|table| table.len() == count);
        let (Some(table), Some(mean)) = (table, means.get(class)) else {
            return Err(object.refuse("its encodings do not fit its categories"));
        };
        let unknown = *mean;
        // A missing value that training did not see is unknown, too.
        made.push(column.clone().then([Step::Table(table.into(), unknown)]));
    }
    Ok(made)
}
