//! Rows of blocks in the model's own types: what stands in for rejected ones, and one row alone.
//!
//! A graph may stop at a value, such as a category that its encoder refuses; a row that a policy
//! drops must not be what it stops at.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;

use super::FeatureBlock;
use crate::error::{Error, Result};

/// The block with the first accepted row in place of every rejected one; none if that changes
/// nothing: for blocks of numbers, where no row stops a model, and where no row is accepted.
///
/// # Errors
/// An internal error if a column cannot be picked from.
pub fn without_rejected(block: &FeatureBlock, rejected: &[usize]) -> Result<Option<FeatureBlock>> {
    let FeatureBlock::Native(columns) = block else {
        return Ok(None);
    };
    // A model that takes missing values does not stop at them.
    let is_taken = |row: &usize| columns.iter().any(|column| column.is_null(*row));
    if rejected.iter().all(is_taken) {
        return Ok(None);
    }
    let mut indices: Vec<u32> = (0..block.row_count() as u32).collect();
    let mut is_rejected = vec![false; indices.len()];
    rejected.iter().for_each(|row| is_rejected[*row] = true);
    let Some(accepted) = is_rejected.iter().position(|rejected| !rejected) else {
        return Ok(None);
    };
    rejected
        .iter()
        .for_each(|row| indices[*row] = accepted as u32);
    let indices = UInt32Array::from(indices);
    let picked = |column: &ArrayRef| {
        take(column, &indices, None)
            .map_err(|error| Error::internal("a column without rows").because(error))
    };
    Ok(Some(FeatureBlock::Native(
        columns.iter().map(picked).collect::<Result<_>>()?,
    )))
}

/// The first row of a block in the model's own types for which `refuses` is true of the row alone.
#[must_use]
pub fn first_refused(
    block: &FeatureBlock,
    mut refuses: impl FnMut(&FeatureBlock) -> bool,
) -> Option<usize> {
    (0..block.row_count()).find(|row| row_alone(block, *row).is_some_and(|row| refuses(&row)))
}

/// One row of a block in the model's own types.
#[must_use]
pub fn row_alone(block: &FeatureBlock, row: usize) -> Option<FeatureBlock> {
    let FeatureBlock::Native(columns) = block else {
        return None;
    };
    Some(FeatureBlock::Native(
        columns.iter().map(|column| column.slice(row, 1)).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, StringArray};

    use super::*;
    use crate::feature::Columns;

    #[test]
    fn rejected_rows_become_copies_of_an_accepted_one() {
        let block =
            FeatureBlock::Native(vec![Arc::new(StringArray::from(vec!["x", "a", "y", "b"]))]);
        let Some(FeatureBlock::Native(columns)) = without_rejected(&block, &[0, 2]).unwrap() else {
            panic!("a block")
        };
        assert_eq!(
            columns[0]
                .as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>(),
            ["a", "a", "a", "b"]
        );
        assert!(without_rejected(&block, &[]).unwrap().is_none());
        assert!(without_rejected(&block, &[0, 1, 2, 3]).unwrap().is_none());
        assert!(
            without_rejected(&FeatureBlock::Single(Columns::filled(4, 1, 0.0)), &[1])
                .unwrap()
                .is_none()
        );
    }
}
