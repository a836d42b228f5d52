//! How far answers lie from those that are expected: numbers by a tolerance, texts by their
//! letters, lists and structs part by part.
//!
//! It must not know where the answers come from.

use arrow::array::{Array, ArrayRef, AsArray, new_empty_array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, Float64Type};

use crate::error::{Error, Result};
use crate::table::cast::{is_number, is_text};

/// The largest difference of a number in two columns of as many rows, relative to the number, or
/// to 1 if that is more.
///
/// # Errors
/// A contract error, with the row counted from 1, where a number differs by more than `tolerance`,
/// a text at all, or a list has another length; and for columns that hold other things.
pub fn difference(expected: &ArrayRef, actual: &ArrayRef, tolerance: f64) -> Result<f64> {
    let rows: Vec<usize> = (0..expected.len()).collect();
    compare(expected, actual, &rows, tolerance)
}

/// The difference of values that stand in these rows of the table.
fn compare(expected: &ArrayRef, actual: &ArrayRef, rows: &[usize], tolerance: f64) -> Result<f64> {
    let (expected_type, actual_type) = (expected.data_type(), actual.data_type());
    let is_numeric = |data_type: &DataType| is_number(data_type) || *data_type == DataType::Null;
    if is_numeric(expected_type) && is_numeric(actual_type) {
        return compare_numbers(expected, actual, rows, tolerance);
    }
    let other = || {
        Error::contract(format!(
            "the model gives {actual_type}, expected is {expected_type}"
        ))
    };
    match (is_list(expected_type), is_list(actual_type)) {
        (true, true) => return compare_lists(expected, actual, rows, tolerance),
        (false, false) => {}
        _ => return Err(other()),
    }
    if let (Some(expected), Some(actual)) = (expected.as_struct_opt(), actual.as_struct_opt()) {
        let mut largest = 0.0_f64;
        for (field, expected) in expected.fields().iter().zip(expected.columns()) {
            let missing = || {
                Error::contract(format!(
                    "the golden rows expect `{}`, which the model's answers have not",
                    field.name()
                ))
            };
            let actual = actual.column_by_name(field.name()).ok_or_else(missing)?;
            largest = largest.max(compare(expected, actual, rows, tolerance)?);
        }
        return Ok(largest);
    }
    if is_text(expected_type) != is_text(actual_type) {
        return Err(other());
    }
    compare_texts(expected, actual, rows)
}

fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    )
}

fn as_type(array: &ArrayRef, expected: &DataType) -> Result<ArrayRef> {
    cast(array, expected).map_err(|error| {
        Error::contract(format!(
            "golden answers of {} cannot be compared",
            array.data_type()
        ))
        .because(error)
    })
}

fn compare_numbers(
    expected: &ArrayRef,
    actual: &ArrayRef,
    rows: &[usize],
    tolerance: f64,
) -> Result<f64> {
    let (expected, actual) = (
        as_type(expected, &DataType::Float64)?,
        as_type(actual, &DataType::Float64)?,
    );
    let value = |array: &ArrayRef, index: usize| {
        if array.is_null(index) {
            f64::NAN
        } else {
            array.as_primitive::<Float64Type>().value(index)
        }
    };
    let mut largest = 0.0_f64;
    for (index, row) in rows.iter().enumerate() {
        let (expected, actual) = (value(&expected, index), value(&actual, index));
        let is_same = expected == actual || expected.is_nan() && actual.is_nan();
        let difference = if is_same {
            0.0
        } else {
            (expected - actual).abs() / expected.abs().max(1.0)
        };
        if difference > tolerance || difference.is_nan() {
            return Err(differs(*row, &actual.to_string(), &expected.to_string()));
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

fn compare_texts(expected: &ArrayRef, actual: &ArrayRef, rows: &[usize]) -> Result<f64> {
    let (expected, actual) = (
        as_type(expected, &DataType::Utf8)?,
        as_type(actual, &DataType::Utf8)?,
    );
    let (expected, actual) = (expected.as_string::<i32>(), actual.as_string::<i32>());
    let is_other = |index: &usize| {
        expected.is_null(*index) != actual.is_null(*index)
            || expected.value(*index) != actual.value(*index)
    };
    match (0..expected.len()).find(is_other) {
        Some(index) => Err(differs(
            rows[index],
            actual.value(index),
            expected.value(index),
        )),
        None => Ok(0.0),
    }
}

/// Lists of one length, value by value.
fn compare_lists(
    expected: &ArrayRef,
    actual: &ArrayRef,
    rows: &[usize],
    tolerance: f64,
) -> Result<f64> {
    let (expected, actual) = (entries(expected)?, entries(actual)?);
    let mut inner = Vec::new();
    for ((row, expected), actual) in rows.iter().zip(&expected.lists).zip(&actual.lists) {
        match (expected, actual) {
            (None, None) => {}
            (Some(expected), Some(actual)) if expected.len() == actual.len() => {
                inner.extend(std::iter::repeat_n(*row, expected.len()));
            }
            _ => {
                let text = |list: &Option<ArrayRef>| {
                    list.as_ref().map_or_else(
                        || "nothing".to_owned(),
                        |list| format!("a list of {}", list.len()),
                    )
                };
                return Err(differs(*row, &text(actual), &text(expected)));
            }
        }
    }
    compare(&expected.joined()?, &actual.joined()?, &inner, tolerance)
}

/// The lists of a column; none for a missing one.
struct Entries {
    value_type: DataType,
    lists: Vec<Option<ArrayRef>>,
}

fn entries(array: &ArrayRef) -> Result<Entries> {
    let value = |row: usize| -> Result<ArrayRef> {
        if let Some(lists) = array.as_fixed_size_list_opt() {
            return Ok(lists.value(row));
        }
        if let Some(lists) = array.as_list_opt::<i32>() {
            return Ok(lists.value(row));
        }
        array
            .as_list_opt::<i64>()
            .map(|lists| lists.value(row))
            .ok_or_else(|| Error::internal("a list that is none"))
    };
    let value_type = match array.data_type() {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            field.data_type().clone()
        }
        other => other.clone(),
    };
    let lists = (0..array.len())
        .map(|row| {
            if array.is_null(row) {
                Ok(None)
            } else {
                value(row).map(Some)
            }
        })
        .collect::<Result<_>>()?;
    Ok(Entries { value_type, lists })
}

impl Entries {
    /// The values of all lists, one after the other.
    fn joined(&self) -> Result<ArrayRef> {
        let parts: Vec<&dyn Array> = self.lists.iter().flatten().map(AsRef::as_ref).collect();
        if parts.is_empty() {
            return Ok(new_empty_array(&self.value_type));
        }
        concat(&parts).map_err(|error| Error::internal("lists of different types").because(error))
    }
}

fn differs(row: usize, actual: &str, expected: &str) -> Error {
    Error::contract(format!(
        "the model does not give its golden rows' answers: `{actual}`, expected `{expected}`"
    ))
    .at_row(row as u64 + 1)
    .hint("the model, its manifest or the golden rows were changed: export the package again")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        FixedSizeListArray, Float32Array, Int32Array, ListArray, StringArray, StructArray,
    };
    use arrow::datatypes::{Float32Type, Int32Type};

    use super::*;

    fn vectors(rows: Vec<Option<Vec<Option<f32>>>>) -> ArrayRef {
        Arc::new(FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, 2))
    }

    fn lists(rows: Vec<Option<Vec<Option<i32>>>>) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(rows))
    }

    #[test]
    fn lists_are_compared_value_by_value_and_named_by_their_row() {
        let vector = |a: f32, b: f32| Some(vec![Some(a), Some(b)]);
        let expected = lists(vec![
            Some(vec![Some(1), Some(2)]),
            None,
            Some(vec![Some(3), Some(4)]),
        ]);
        assert!(
            (difference(
                &expected,
                &vectors(vec![vector(1.0, 2.0), None, vector(3.0, 4.5)]),
                0.2
            )
            .unwrap()
                - 0.125)
                .abs()
                < 1e-9
        );
        let refused = difference(
            &expected,
            &vectors(vec![vector(1.0, 2.0), None, vector(3.0, 6.0)]),
            0.2,
        )
        .unwrap_err();
        assert_eq!(
            (
                refused.location().row,
                refused.message().ends_with("`6`, expected `4`")
            ),
            (Some(3), true),
            "{refused}"
        );
        let refused = difference(
            &expected,
            &vectors(vec![vector(1.0, 2.0), vector(0.0, 0.0), None]),
            0.2,
        )
        .unwrap_err();
        assert_eq!(
            (
                refused.location().row,
                refused
                    .message()
                    .ends_with("`a list of 2`, expected `nothing`")
            ),
            (Some(2), true),
            "{refused}"
        );
        let longer = lists(vec![Some(vec![Some(1)]), None, None]);
        assert!(
            difference(&longer, &expected, 1.0)
                .unwrap_err()
                .message()
                .ends_with("`a list of 2`, expected `a list of 1`")
        );
        assert!(
            difference(
                &expected,
                &(Arc::new(Float32Array::from(vec![1.0; 3])) as ArrayRef),
                1.0
            )
            .unwrap_err()
            .message()
            .contains("expected is List")
        );
        assert_eq!(
            difference(
                &lists(vec![None, Some(vec![])]),
                &lists(vec![None, Some(vec![])]),
                0.0
            )
            .unwrap(),
            0.0
        );
    }

    #[test]
    fn structs_are_compared_part_by_part() {
        let entity = |word: &str, start: i32| -> ArrayRef {
            let (word, start): (ArrayRef, ArrayRef) = (
                Arc::new(StringArray::from(vec![word])),
                Arc::new(Int32Array::from(vec![start])),
            );
            Arc::new(StructArray::try_from(vec![("word", word), ("start", start)]).unwrap())
        };
        assert_eq!(
            difference(&entity("a", 1), &entity("a", 1), 0.0).unwrap(),
            0.0
        );
        assert!(difference(&entity("a", 1), &entity("b", 1), 1.0).is_err());
        assert!(difference(&entity("a", 1), &entity("a", 3), 0.5).is_err());
        assert!(
            difference(
                &entity("a", 1),
                &(Arc::new(StringArray::from(vec!["a"])) as ArrayRef),
                0.5
            )
            .is_err()
        );
    }
}
