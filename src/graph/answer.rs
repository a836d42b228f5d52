//! The outputs of a graph as columns.
//!
//! Owns what the columns are called and of which type they are. It must not know how the graph is
//! fed.

use arrow::array::ArrayRef;
use arrow::datatypes::Field;

use super::arrays::{column, lists, row_length};
use super::feed::rows_first;
use super::op::movement;
use super::tensor::Tensor;
use super::value::Value;
use crate::error::{Error, Result};

/// What becomes of an output of the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// One column of values, or of lists of them.
    Column {
        /// The output's position.
        output: usize,
        /// The column's name.
        name: String,
    },
    /// The probability of each class, as the columns of this name; an empty name leaves the class
    /// out.
    Classes {
        /// The output's position.
        output: usize,
        /// One name for each class.
        names: Vec<String>,
    },
}

/// All columns that come of a graph.
#[derive(Debug, Default)]
pub(super) struct AnswerColumns {
    all: Vec<Answer>,
    /// The columns.
    pub(super) fields: Vec<Field>,
    /// For each output, whether rows may have different numbers of values; empty if none may.
    is_open: Vec<bool>,
}

/// The numbers of a row of a value.
pub(super) fn width(value: &Value) -> usize {
    value_tensor(value).map_or(0, row_length)
}

impl AnswerColumns {
    /// These answers; `outline` are outputs such as a run gives, of whatever rows, and `longer`
    /// those of rows whose open axes are longer, in several ways.
    ///
    /// # Errors
    /// Fails if an output is of no kind that a column can hold.
    pub(super) fn new(
        all: Vec<Answer>,
        outline: &[Value],
        longer: &[Vec<Value>],
        batch: Option<usize>,
    ) -> Result<Self> {
        let differs = |output: usize| {
            longer
                .iter()
                .any(|longer| longer.get(output).map(width) != outline.get(output).map(width))
        };
        let is_open = (0..outline.len()).map(differs).collect();
        let mut answers = Self {
            all,
            fields: Vec::new(),
            is_open,
        };
        let rows = outline.first().map_or(0, |value| {
            value_tensor(value).map_or(0, |tensor| tensor.shape().first().copied().unwrap_or(1))
        });
        let columns = answers.columns(outline, rows, batch.unwrap_or(rows).max(rows))?;
        let names = answers.all.iter().flat_map(|answer| match answer {
            Answer::Column { name, .. } => vec![name.clone()],
            Answer::Classes { names, .. } => names
                .iter()
                .filter(|name| !name.is_empty())
                .cloned()
                .collect(),
        });
        answers.fields = names
            .zip(columns)
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect();
        Ok(answers)
    }

    /// The first `rows` values of every column, where the graph gave `batch`.
    pub(super) fn columns(
        &self,
        outputs: &[Value],
        rows: usize,
        batch: usize,
    ) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for answer in &self.all {
            let (Answer::Column { output, .. } | Answer::Classes { output, .. }) = answer;
            let tensor = value_tensor(
                outputs
                    .get(*output)
                    .ok_or_else(|| Error::internal("an answer of an output that there is not"))?,
            )?;
            // A single answer of a batch of one may come without the batch's axis.
            let fits = tensor.shape().first() == Some(&batch) || tensor.rank() == 0 && batch == 1;
            if !fits {
                return Err(Error::contract(format!(
                    "an output of shape {:?} does not have one entry for each of {batch} rows",
                    tensor.shape()
                )));
            }
            let width = row_length(tensor);
            match answer {
                Answer::Column { .. } if self.is_open.get(*output) == Some(&true) => {
                    columns.push(lists(tensor, width, rows)?);
                }
                Answer::Column { .. } => columns.push(column(tensor, width, rows)?),
                Answer::Classes { names, .. } => {
                    if names.len() != width {
                        return Err(Error::failed(format!(
                            "{width} probabilities for {} classes",
                            names.len()
                        )));
                    }
                    let table = tensor.clone().reshaped(vec![batch, width])?;
                    for class in (0..width).filter(|class| !names[*class].is_empty()) {
                        columns.push(column(&movement::part(&table, 1, class, 1)?, 1, rows)?);
                    }
                }
            }
        }
        Ok(columns)
    }
}

/// The outputs of a batch of so many rows, with the rows, which are these axes of them, as their
/// first.
pub(super) fn with_rows_first(
    outputs: Vec<Value>,
    axes: &[Option<usize>],
    batch: usize,
) -> Result<Vec<Value>> {
    let positioned =
        |(output, value): (usize, Value)| match (value, axes.get(output).copied().flatten()) {
            // What one row gives is its own, wherever an axis for rows may be.
            (Value::Tensor(tensor), _)
                if batch == 1 && tensor.rank() > 0 && tensor.shape()[0] != 1 =>
            {
                let width = tensor.len();
                tensor.reshaped(vec![1, width]).map(Value::Tensor)
            }
            (Value::Tensor(tensor), Some(axis)) if tensor.shape().get(axis) == Some(&batch) => {
                rows_first(&tensor, axis).map(Value::Tensor)
            }
            (value, _) => Ok(value),
        };
    let positioned = outputs
        .into_iter()
        .enumerate()
        .map(positioned)
        .collect::<Result<Vec<Value>>>()?;
    by_row(positioned, batch)
}

/// The outputs of a batch of so many rows, labels that lie side by side in one row, as skl2onnx
/// picks them from a list, one a row.
fn by_row(outputs: Vec<Value>, batch: usize) -> Result<Vec<Value>> {
    let by_row = |value: Value| match value {
        Value::Tensor(tensor) if batch != 1 && *tensor.shape() == [1, batch] => {
            tensor.reshaped(vec![batch]).map(Value::Tensor)
        }
        other => Ok(other),
    };
    outputs.into_iter().map(by_row).collect()
}

/// The tensor of an output; of maps, their values.
fn value_tensor(value: &Value) -> Result<&Tensor> {
    match value {
        Value::Maps { values, .. } => Ok(values),
        other => other.tensor(),
    }
}
