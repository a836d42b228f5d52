//! What a graph is like, found by running it on a few rows that are made up: what a row costs, and whether rows change each other.
//!
//! Shapes follow from what a file declares only in part; a run shows them all. What cannot be found, because the graph refuses rows that are made up or
//! takes too long, is taken to be ordinary.

use arrow::array::ArrayRef;

use super::answer::by_row;
use super::conversion::cast;
use super::feed::Feed;
use super::operator::Fuel;
use super::table::GraphModel;
use super::tensor::{ElementType, Tensor};
use super::value::Value;
use super::{arrays, movement};
use crate::error::Result;

/// Nodes that such a run may execute, large values counted more often: about a tenth of a second of the slowest operators.
const PROBE_STEPS: u64 = 100_000;

/// What a run made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// Bytes of the largest value.
    pub(super) largest_bytes: usize,
    /// Elements of all values.
    pub(super) elements: usize,
}

/// Whether the graph runs on rows of zeros.
pub(super) fn runs(model: &GraphModel) -> bool {
    made(model, model.batch().unwrap_or(2)).is_some()
}

/// What a run on so many rows of zeros makes.
fn made(model: &GraphModel, rows: usize) -> Option<Made> {
    let fuel = Fuel::new(PROBE_STEPS);
    let inputs = inputs(model, &Tensor::zeros(ElementType::Float, vec![rows, model.row_length()]).ok()?).ok()?;
    model.graph().run_with(inputs, &fuel).ok().map(|_| fuel.made())
}

/// What a graph makes of one row more.
pub(super) fn row_cost(model: &GraphModel) -> Option<Made> {
    if let Some(batch) = model.batch() {
        let all = made(model, batch)?;
        return Some(Made { largest_bytes: all.largest_bytes.div_ceil(batch), elements: all.elements.div_ceil(batch) });
    }
    // One row alone may be a case of its own; what two and four have in common no row adds.
    let (two, four) = (made(model, 2)?, made(model, 4)?);
    let half = |four: usize, two: usize| four.saturating_sub(two).div_ceil(2);
    Some(Made { largest_bytes: half(four.largest_bytes, two.largest_bytes), elements: half(four.elements, two.elements) })
}

/// Whether what the graph makes of a row depends on the rows beside it, as it does where the mean of a batch is taken: three rows together and
/// each alone give other bits.
pub(super) fn mixes_rows(model: &GraphModel) -> bool {
    const ROWS: usize = 3;
    let width = model.row_length();
    let all = varied(ROWS * width);
    let run = |rows: std::ops::Range<usize>| -> Result<Vec<ArrayRef>> {
        let count = rows.len();
        let inputs = inputs(model, &Tensor::new(vec![count, width], all[rows.start * width..rows.end * width].to_vec())?)?;
        let outputs = by_row(model.graph().run_with(inputs, &Fuel::new(PROBE_STEPS))?, count)?;
        model.columns(&outputs, count)
    };
    let Ok(together) = run(0..ROWS) else { return false };
    (0..ROWS).any(|row| {
        run(row..row + 1).is_ok_and(|alone| together.iter().zip(&alone).any(|(together, alone)| together.slice(row, 1).as_ref() != alone.as_ref()))
    })
}

/// Numbers between −1 and 1, spread by the golden ratio.
fn varied(count: usize) -> Vec<f32> {
    (0..count as u32).map(|place| place.wrapping_mul(0x9e37_79b9) as f32 / (1_u32 << 31) as f32 - 1.0).collect()
}

/// The graph's inputs made of a table of numbers, as wide as they all are together.
fn inputs(model: &GraphModel, table: &Tensor) -> Result<Vec<Value>> {
    let (rows, mut first) = (table.shape()[0], 0);
    let mut inputs = Vec::new();
    for (feed, takes_columns) in model.feeds() {
        let length = feed.row_length(model.sample());
        let own = movement::part(table, 1, first, length)?;
        first += length;
        let tensor = elements(feed, &own)?;
        inputs.push(if takes_columns {
            let columns = (0..feed.column_count).map(|place| arrays::column(&movement::part(&tensor, 1, place, 1)?, 1, rows));
            Value::Columns(columns.collect::<Result<Vec<ArrayRef>>>()?)
        } else {
            Value::Tensor(tensor.reshaped(feed.shape(rows, length))?)
        });
    }
    Ok(inputs)
}

/// Numbers as what the input's elements are: whole ones are 0 and 1, texts those two digits.
fn elements(feed: &Feed, numbers: &Tensor) -> Result<Tensor> {
    match feed.element {
        ElementType::Float | ElementType::Double | ElementType::Float16 | ElementType::Bfloat16 => cast(numbers, feed.element),
        _ => {
            let values = numbers.values::<f32>()?.iter().map(|value| i64::from(*value > 0.0)).collect();
            cast(&Tensor::new(numbers.shape().to_vec(), values)?, feed.element)
        }
    }
}
