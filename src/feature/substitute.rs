//! Rows of columns in the model's own types: what stands in for rejected ones, and one row alone.
//!
//! A graph may stop at a value, such as a category that its encoder refuses; a row that a policy
//! leaves out must not be what it stops at.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::error::{Error, Result};

/// The columns with the first accepted row in the place of every rejected one; none if that changes
/// nothing: where no row is rejected, or none is accepted.
///
/// # Errors
/// An internal error if a column cannot be picked from.
pub fn without_rejected(columns: &[ArrayRef], rejected: &[usize]) -> Result<Option<Vec<ArrayRef>>> {
    // A model that takes missing values does not stop at them.
    let is_taken = |row: &usize| columns.iter().any(|column| column.is_null(*row));
    if rejected.iter().all(is_taken) {
        return Ok(None);
    }
    let mut sources: Vec<u32> = (0..row_count(columns) as u32).collect();
    let mut is_rejected = vec![false; sources.len()];
    rejected.iter().for_each(|row| is_rejected[*row] = true);
    let Some(accepted) = is_rejected.iter().position(|rejected| !rejected) else {
        return Ok(None);
    };
    rejected
        .iter()
        .for_each(|row| sources[*row] = accepted as u32);
    let sources = UInt32Array::from(sources);
    let picked = |column: &ArrayRef| {
        take(column, &sources, None)
            .map_err(|error| Error::internal("a column without rows").because(error))
    };
    columns.iter().map(picked).collect::<Result<_>>().map(Some)
}

/// The first row for which `refuses` is true of the row alone.
#[must_use]
pub fn first_refused(
    columns: &[ArrayRef],
    mut refuses: impl FnMut(&[ArrayRef]) -> bool,
) -> Option<usize> {
    (0..row_count(columns)).find(|row| refuses(&row_alone(columns, *row)))
}

/// One row of the columns.
#[must_use]
pub fn row_alone(columns: &[ArrayRef], row: usize) -> Vec<ArrayRef> {
    columns.iter().map(|column| column.slice(row, 1)).collect()
}

/// The number of rows; 0 without columns.
#[must_use]
pub fn row_count(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, Array::len)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, StringArray};

    use super::*;

    #[test]
    fn rejected_rows_become_copies_of_an_accepted_one() {
        let columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from(vec!["x", "a", "y", "b"]))];
        let substitute = without_rejected(&columns, &[0, 2]).unwrap().unwrap();
        assert_eq!(
            substitute[0]
                .as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>(),
            ["a", "a", "a", "b"]
        );
        assert!(without_rejected(&columns, &[]).unwrap().is_none());
        assert!(without_rejected(&columns, &[0, 1, 2, 3]).unwrap().is_none());
    }
}
