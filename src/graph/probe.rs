//! What a graph is like, found by running it on a few rows that are made up: what a row costs, and
//! whether rows change each other.
//!
//! Shapes follow from what a file declares only in part; a run shows them all. A graph that refuses
//! rows that are made up is taken to be ordinary; of one that takes too long or too much memory
//! what was seen until then is a lower bound of its cost, and its rows go through one by one.

use arrow::array::ArrayRef;

use super::answer::with_rows_first;
use super::arrays;
use super::cast::cast;
use super::feed::Feed;
use super::fuel::{Fuel, Made};
use super::op::movement;
use super::table::GraphModel;
use super::tensor::{ElementType, Tensor};
use super::value::Value;
use crate::error::Result;
use crate::memory::{self, Pool};

/// Nodes that the runs of one question may execute, large values and products counted more often:
/// some tenths of a second, at worst some seconds.
const PROBE_STEPS: u64 = 200_000;

impl Made {
    /// What one of so many rows takes of it.
    fn share(self, rows: usize) -> Self {
        let share = |all: usize| all.div_ceil(rows.max(1));
        Self {
            largest_bytes: share(self.largest_bytes),
            elements: share(self.elements),
            live_bytes: share(self.live_bytes),
        }
    }

    /// What it is more than another.
    fn less(self, other: Self) -> Self {
        Self {
            largest_bytes: self.largest_bytes.saturating_sub(other.largest_bytes),
            elements: self.elements.saturating_sub(other.elements),
            live_bytes: self.live_bytes.saturating_sub(other.live_bytes),
        }
    }
}

/// Which outputs have an axis that is as long as there are rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// All of them, as far as trial runs show.
    All,
    /// One or more, and not all.
    Some,
    /// Not one.
    None,
}

/// What trial rows may take of the memory that is left, in hundredths, and at most.
const TRIAL_PERCENT: u64 = 25;
const TRIAL_BYTES: u64 = 1 << 30;

/// Does work on rows that are made up; also returns whether it was refused memory.
pub(super) fn tried<T>(work: impl FnOnce() -> T) -> (T, bool) {
    memory::confined(
        (Pool::of_process().left() / 100 * TRIAL_PERCENT).min(TRIAL_BYTES),
        work,
    )
}

/// The first of these lengths of open axes with which the graph runs on rows of zeros.
pub(super) fn first_length(
    model: &mut GraphModel,
    lengths: impl Iterator<Item = usize>,
) -> Option<usize> {
    let fuel = Fuel::probing(PROBE_STEPS);
    for length in lengths {
        model.set_sample(length);
        if run_zeros(model, model.batch().unwrap_or(2), &fuel).is_some_and(|is_done| is_done) {
            return Some(length);
        }
        if fuel.is_out() {
            return None;
        }
    }
    None
}

/// Runs the graph on so many rows of zeros; false if it took too long, none if it refused.
fn run_zeros(model: &GraphModel, rows: usize, fuel: &Fuel) -> Option<bool> {
    let run = || {
        let inputs = inputs(
            model,
            &Tensor::zeros(ElementType::Float, vec![rows, model.row_length()])?,
        )?;
        model.graph().run_with(inputs, fuel)
    };
    match tried(run) {
        (Ok(_), _) => Some(true),
        (Err(_), was_refused) if was_refused || fuel.is_out() => Some(false),
        (Err(_), _) => None,
    }
}

/// What a graph that keeps rows apart makes of a row, as the shapes of what it makes of none say
/// it; none if it refuses to run on none.
pub(super) fn row_cost_of_none(model: &GraphModel) -> Option<Made> {
    let fuel = Fuel::probing(PROBE_STEPS);
    tried(|| model.graph().run_with(model.zeros(0).ok()?, &fuel).ok()).0?;
    Some(fuel.take_made())
}

/// What a graph makes of one row more, or at least that.
pub(super) fn row_cost(model: &GraphModel) -> Option<Made> {
    let fuel = Fuel::probing(PROBE_STEPS);
    if let Some(batch) = model.batch() {
        run_zeros(model, batch, &fuel)?;
        return Some(fuel.take_made().share(batch));
    }
    // One row alone may be a case of its own; what two and three have in common no row adds.
    let is_done = run_zeros(model, 2, &fuel)?;
    let two = fuel.take_made();
    if !is_done || run_zeros(model, 3, &fuel) != Some(true) {
        return Some(two.share(2));
    }
    Some(fuel.take_made().less(two))
}

/// Whether what the graph makes of a row depends on the rows alongside it, as it does where the
/// mean of a batch is taken or rows are sorted: three rows together and each alone give other bits,
/// or only each alone gives anything.
pub(super) fn mixes_rows(model: &GraphModel) -> bool {
    const ROWS: usize = 3;
    let (width, fuel) = (model.row_length(), Fuel::probing(PROBE_STEPS));
    let all = unordered(width).concat();
    let run = |rows: std::ops::Range<usize>| -> Result<Vec<ArrayRef>> {
        let count = rows.len();
        let inputs = inputs(
            model,
            &Tensor::new(
                vec![count, width],
                all[rows.start * width..rows.end * width].to_vec(),
            )?,
        )?;
        let outputs = with_rows_first(
            model.graph().run_with(inputs, &fuel)?,
            model.output_axes(),
            count,
        )?;
        model.columns(&outputs, count)
    };
    let (together, was_refused) = tried(|| run(0..ROWS));
    if was_refused || fuel.is_out() {
        return true;
    }
    let (alone, was_refused) = tried(|| {
        (0..ROWS)
            .map(|row| run(row..row + 1))
            .collect::<Vec<Result<Vec<ArrayRef>>>>()
    });
    if was_refused || fuel.is_out() {
        return true;
    }
    let Ok(together) = together else {
        return alone.iter().all(Result::is_ok);
    };
    alone.iter().enumerate().any(|(row, alone)| {
        let differs = |(together, alone): (&ArrayRef, &ArrayRef)| {
            together.slice(row, 1).as_ref() != alone.as_ref()
        };
        alone
            .as_ref()
            .is_ok_and(|alone| together.iter().zip(alone).any(differs))
    })
}

impl GraphModel {
    /// The same model with the axis of each output that counts rows, where the file names it.
    #[must_use]
    pub fn with_output_axes(mut self, axes: Vec<Option<usize>>) -> Self {
        self.output_axes = axes;
        self.output_axes.resize(self.graph().outputs.len(), None);
        self
    }

    /// For each output its axis that counts rows, where that is not the first.
    #[must_use]
    pub fn output_axes(&self) -> &[Option<usize>] {
        &self.output_axes
    }

    /// Finds the axes of outputs that count rows, by trial runs.
    pub fn find_output_axes(&mut self) -> Following {
        let found = if self.batch == Some(1) {
            None
        } else {
            output_axes(self)
        };
        let Some(found) = found else {
            return Following::All;
        };
        for (known, found) in self.output_axes.iter_mut().zip(&found) {
            *known = known.or(found.filter(|axis| *axis > 0));
        }
        match found.iter().flatten().count() {
            count if count == found.len() => Following::All,
            0 => Following::None,
            _ => Following::Some,
        }
    }

    /// Whether rows change what is made of each other, as far as trial runs show.
    #[must_use]
    pub fn mixes_rows(&self) -> bool {
        self.mixes_rows
    }

    /// The same model with each row alone.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.batch = Some(1);
        self
    }
}

/// For each output the axis that is as long as there are rows, none for one without; none if no run
/// shows it.
fn output_axes(model: &GraphModel) -> Option<Vec<Option<usize>>> {
    let fuel = Fuel::probing(PROBE_STEPS);
    let run = |rows: usize| {
        Some((
            rows,
            tried(|| model.graph().run_with(model.zeros(rows).ok()?, &fuel).ok()).0?,
        ))
    };
    let runs = match model.batch() {
        Some(batch) => vec![run(batch)?],
        // Lengths that are those of two numbers of rows are no accident; of no rows there is no
        // length but theirs.
        None => match run(0) {
            Some(none) => vec![none],
            None => vec![run(5)?, run(7)?],
        },
    };
    let (_, first) = runs.first()?;
    let axis = |output: usize| {
        let shape = |values: &[Value]| match values.get(output) {
            Some(Value::Tensor(tensor)) => tensor.shape().to_vec(),
            // Maps and others are row by row.
            _ => Vec::new(),
        };
        let counts_rows = |axis: usize| {
            runs.iter()
                .all(|(rows, values)| shape(values).get(axis) == Some(rows))
        };
        let is_tensor = matches!(first.get(output), Some(Value::Tensor(_)));
        if is_tensor {
            (0..shape(first).len()).find(|axis| counts_rows(*axis))
        } else {
            Some(0)
        }
    };
    Some((0..first.len()).map(axis).collect())
}

/// Whether a row of a graph with a fixed batch size changes what is made of the others;
/// false where that cannot be seen.
pub(super) fn changes_neighbours(model: &GraphModel) -> bool {
    let Some(batch) = model.batch().filter(|batch| *batch > 1) else {
        return false;
    };
    let (width, fuel) = (model.row_length(), Fuel::probing(PROBE_STEPS));
    let run = |numbers: Vec<f32>| -> Result<Vec<ArrayRef>> {
        let inputs = inputs(model, &Tensor::new(vec![batch, width], numbers)?)?;
        let outputs = with_rows_first(
            model.graph().run_with(inputs, &fuel)?,
            model.output_axes(),
            batch,
        )?;
        model.columns(&outputs, batch)
    };
    let before = varied(batch * width);
    let mut after = before.clone();
    after[..width]
        .iter_mut()
        .for_each(|number| *number = -*number);
    let ((Ok(before), Ok(after)), _) = tried(|| (run(before), run(after))) else {
        return false;
    };
    before.iter().zip(&after).any(|(before, after)| {
        before.slice(1, batch - 1).as_ref() != after.slice(1, batch - 1).as_ref()
    })
}

/// Numbers between −1 and 1, spread by the golden ratio.
fn varied(count: usize) -> Vec<f32> {
    (0..count as u32)
        .map(|index| index.wrapping_mul(0x9e37_79b9) as f32 / (1_u32 << 31) as f32 - 1.0)
        .collect()
}

/// Three rows of so many numbers. In no column they ascend or descend, as numbers or by their
/// signs: a graph that sorts rows shows.
fn unordered(width: usize) -> [Vec<f32>; 3] {
    let sizes = varied(3 * width);
    let mut rows = [(); 3].map(|()| Vec::with_capacity(width));
    for (column, sizes) in sizes.chunks_exact(3).enumerate() {
        let (near, far) = (
            sizes[0].abs().min(sizes[2].abs()),
            sizes[0].abs().max(sizes[2].abs()),
        );
        let sign = if column % 2 == 0 { 1.0 } else { -1.0 };
        let values = [-sign * near, sign * sizes[1].abs(), -sign * far];
        rows.iter_mut()
            .zip(values)
            .for_each(|(row, value)| row.push(value));
    }
    rows
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
            let columns = (0..feed.column_count)
                .map(|index| arrays::column(&movement::part(&tensor, 1, index, 1)?, 1, rows));
            Value::Columns(columns.collect::<Result<Vec<ArrayRef>>>()?)
        } else {
            Value::Tensor(feed.laid_out(tensor.reshaped(feed.shape(rows, length))?)?)
        });
    }
    Ok(inputs)
}

/// Numbers as what the input's elements are: whole ones are 0 and 1, texts those two digits.
fn elements(feed: &Feed, numbers: &Tensor) -> Result<Tensor> {
    match feed.element {
        ElementType::Float | ElementType::Double | ElementType::Float16 | ElementType::Bfloat16 => {
            cast(numbers, feed.element)
        }
        _ => {
            let values = numbers
                .values::<f32>()?
                .iter()
                .map(|value| i64::from(*value > 0.0))
                .collect();
            cast(
                &Tensor::new(numbers.shape().to_vec(), values)?,
                feed.element,
            )
        }
    }
}
