//! How columns become one input of a graph: its shape, of which one axis may be as long as each row
//! has it.
//!
//! It must not know graphs.

use arrow::array::{Array, ArrayRef, AsArray};

use super::layout::transposed;
use super::tensor::{ElementType, Tensor, shape_count};
use crate::error::{Error, Result};

/// How columns become one input of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// What the input's elements are.
    pub element: ElementType,
    /// The input's shape without the batch's axis; none for an axis that is as long as each row
    /// has it.
    pub row_shape: Vec<Option<usize>>,
    /// The number of columns that it takes; 1 for a column of lists.
    pub column_count: usize,
    /// The input's axis that counts rows; none for an input that holds the values of one row
    /// alone.
    pub rows_axis: Option<usize>,
}

impl Feed {
    /// # Errors
    /// Fails for shapes that are too large, and for more than one axis of no fixed length.
    pub(super) fn check(&self) -> Result<()> {
        shape_count(
            &self
                .row_shape
                .iter()
                .map(|length| length.unwrap_or(1))
                .collect::<Vec<usize>>(),
        )?;
        match self
            .row_shape
            .iter()
            .filter(|length| length.is_none())
            .count()
        {
            0 | 1 => Ok(()),
            open => Err(Error::contract(format!(
                "an input of {open} axes whose length is open, alongside that of the rows"
            ))),
        }
    }

    /// A tensor of rows, which are its first axis, as the input wants it.
    ///
    /// # Errors
    /// Fails for several rows where the input holds one.
    pub(super) fn laid_out(&self, rows: Tensor) -> Result<Tensor> {
        match self.rows_axis {
            Some(0) => Ok(rows),
            Some(axis) => {
                let others = (1..rows.rank()).collect::<Vec<usize>>();
                let at = axis.min(others.len());
                transposed(&rows, &[&others[..at], &[0], &others[at..]].concat())
            }
            None => {
                let shape = rows.shape().get(1..).unwrap_or_default().to_vec();
                rows.reshaped(shape)
            }
        }
    }

    /// Whether rows may have different numbers of values.
    pub(super) fn is_open(&self) -> bool {
        self.row_shape.contains(&None)
    }

    /// The values of a row whose open axis is `length` long.
    pub(super) fn row_length(&self, length: usize) -> usize {
        self.row_shape
            .iter()
            .map(|own| own.unwrap_or(length))
            .product()
    }

    /// The shape of so many rows with so many values each.
    pub(super) fn shape(&self, rows: usize, values: usize) -> Vec<usize> {
        let unit = self.row_length(1).max(1);
        std::iter::once(rows)
            .chain(
                self.row_shape
                    .iter()
                    .map(|length| length.unwrap_or(values / unit)),
            )
            .collect()
    }
}

/// A tensor with its rows, which are one of its axes, as the first axis.
pub(super) fn rows_first(tensor: &Tensor, axis: usize) -> Result<Tensor> {
    let order: Vec<usize> = std::iter::once(axis)
        .chain((0..tensor.rank()).filter(|other| *other != axis))
        .collect();
    transposed(tensor, &order)
}

/// The values that each row has in a column of lists.
pub(super) fn list_lengths(column: &ArrayRef) -> Result<Vec<usize>> {
    let lists = column
        .as_list_opt::<i64>()
        .ok_or_else(|| Error::internal("lists of another kind than the encoder makes"))?;
    Ok(lists
        .value_offsets()
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as usize)
        .collect())
}

/// The values of all rows, one after another, and how many each row has if there are rows and all
/// have as many.
pub(super) fn list_values(column: &ArrayRef) -> Result<(ArrayRef, Option<usize>)> {
    let lengths = list_lengths(column)?;
    let lists = column.as_list::<i64>();
    let (start, count) = (lists.value_offsets()[0] as usize, lengths.iter().sum());
    let first = lengths
        .first()
        .copied()
        .filter(|first| lengths.iter().all(|length| length == first));
    Ok((lists.values().slice(start, count), first))
}
