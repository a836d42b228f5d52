//! A graph as a model of tables: arrow columns to its inputs, its outputs to finished columns.
//!
//! Owns the groups of rows in which the graph runs and what the outputs are called. It must not
//! know file formats or files.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field};

use super::Graph;
use super::answer::{Answer, AnswerColumns, width, with_rows_first};
use super::arrays::{column, input_tensor, padded, spread};
use super::feed::{Feed, list_lengths};
use super::fuel::Made;
use super::probe::{
    changes_neighbours, first_length, mixes_rows, row_cost, row_cost_of_none, tried,
};
use super::tensor::Tensor;
use super::value::Value;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::memory::Pool;
use crate::model::trace::{self, Keep};
use crate::model::{ColumnModel, ColumnScores, ColumnWorker, Model};

/// The name of the fact that says what runs a graph, and its last word where rows run alone.
pub const RUNS_AS: &str = "runs_as";
/// See [`RUNS_AS`].
pub const ROW_BY_ROW: &str = "row by row";

/// Elements of the graph's inputs that go through at once, at most.
const GROUP_ELEMENTS: usize = 1 << 20;

/// Bytes that the largest value between two operators may have: about what the second-level cache
/// holds, alongside what it is made of.
const VALUE_BYTES: usize = 1 << 20;

/// Bytes that it may have so that an operator's own costs are shared by more rows.
const MAX_VALUE_BYTES: usize = 1 << 26;

/// The part of the memory that is there for models which the values of one group of rows may take,
/// as a divisor.
const LIVE_SHARE: u64 = 4;

/// The length of an open axis of rows that are made up, unless the graph takes another only.
const SAMPLE_LENGTH: usize = 16;

/// The fewest rows that go through at once: an operator's own costs are shared by them.
const FEWEST_ROWS: usize = 16;

/// Elements of all values that one worker makes before another may take rows over: some hundredths
/// of a second.
const BLOCK_ELEMENTS: usize = 1 << 22;

/// The blocks of a portion, whose pages are decoded once.
const PORTION_BLOCKS: usize = 32;

/// Rows of a block from which on a graph is no slower than the blocks of other models expect.
const ORDINARY_BLOCK_ROWS: usize = 1 << 14;

/// A graph that scores tables.
#[derive(Debug)]
pub struct GraphModel {
    graph: Graph,
    feeds: Vec<Feed>,
    /// For each input, whether the graph wants its columns as they are.
    takes_columns: Vec<bool>,
    answers: AnswerColumns,
    /// The number of rows of a graph with a fixed batch size.
    pub(super) batch: Option<usize>,
    /// How long an open axis is where rows are made up.
    sample: usize,
    /// What it makes of a row, if that is known.
    row_cost: Option<Made>,
    /// Whether a row must go through alone, because others would change what is made of it.
    pub(super) mixes_rows: bool,
    /// For each output its axis that counts rows, where that is not the first.
    pub(super) output_axes: Vec<Option<usize>>,
}

impl GraphModel {
    /// A graph with its feeds in the order of its inputs; answers are added by
    /// [`GraphModel::answered`].
    ///
    /// # Errors
    /// Fails if there is not a feed for each input, or a fixed batch of no rows.
    pub fn new(mut graph: Graph, feeds: Vec<Feed>, batch: Option<usize>) -> Result<Self> {
        if feeds.len() != graph.input_count() || batch == Some(0) {
            return Err(Error::failed(format!(
                "{} inputs are fed, the graph has {}",
                feeds.len(),
                graph.input_count()
            )));
        }
        feeds.iter().try_for_each(Feed::check)?;
        // Where the rows are fixed in number, the last group is filled up, which only tensors are.
        let plain = |feed: &Feed| match feed.row_shape.as_slice() {
            [Some(width)]
                if *width == feed.column_count && batch.is_none() && feed.rows_axis == Some(0) =>
            {
                Some((feed.element, *width))
            }
            _ => None,
        };
        let takes_columns = if trace::kept() < Keep::Steps {
            graph.assemble(&feeds.iter().map(plain).collect::<Vec<_>>())
        } else {
            vec![false; feeds.len()]
        };
        let mixes_rows = graph.mixes_rows();
        // An input that holds one row is filled by one row.
        let batch = if feeds.iter().any(|feed| feed.rows_axis.is_none()) {
            Some(1)
        } else {
            batch
        };
        let (answers, output_axes) = (AnswerColumns::default(), vec![None; graph.outputs.len()]);
        Ok(Self {
            graph,
            takes_columns,
            feeds,
            answers,
            batch,
            sample: SAMPLE_LENGTH,
            row_cost: None,
            mixes_rows,
            output_axes,
        })
    }

    /// The same model with these columns as its answer; `outline` are values such as a run gives,
    /// of whatever rows.
    ///
    /// # Errors
    /// Fails if an output is of no kind that a column can hold.
    pub fn answered(mut self, answers: Vec<Answer>, outline: &[Value]) -> Result<Self> {
        let longer = self.run_longer(outline);
        self.answers = AnswerColumns::new(answers, outline, &longer, self.batch)?;
        let has_rows_first = |feed: &Feed| !feed.row_shape.is_empty() && feed.rows_axis == Some(0);
        let are_apart = self.batch.is_none()
            && self.graph.keeps_rows_apart()
            && self.feeds.iter().all(has_rows_first);
        // What refuses no rows takes its input for something else than rows.
        let made = if are_apart {
            row_cost_of_none(&self)
        } else {
            None
        };
        self.row_cost = made.or_else(|| row_cost(&self));
        self.mixes_rows |= match self.batch {
            None => made.is_none() && mixes_rows(&self),
            Some(1) => false,
            Some(_) => changes_neighbours(&self),
        };
        Ok(self)
    }

    /// The same model with the first of these lengths for open axes of rows that are made up,
    /// unless the graph runs with the usual one, or with none.
    #[must_use]
    pub fn sampled(mut self, lengths: impl Iterator<Item = usize>) -> Self {
        if self.is_open() {
            let length = first_length(&mut self, std::iter::once(SAMPLE_LENGTH).chain(lengths));
            self.sample = length.unwrap_or(SAMPLE_LENGTH);
        }
        self
    }

    pub(super) fn set_sample(&mut self, length: usize) {
        self.sample = length;
    }

    /// Whether inputs have axes that are as long as each row has them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.feeds.iter().any(Feed::is_open)
    }

    /// What rows give whose open axes are longer than those of the sample; by a little, and by so
    /// much that what is pooled is longer too. A graph of which no rows show something else than
    /// `outline` runs on zeros: reshaping no elements has no one result.
    fn run_longer(&mut self, outline: &[Value]) -> Vec<Vec<Value>> {
        let (sample, mut longer) = (self.sample, Vec::new());
        let widths = |values: &[Value]| values.iter().map(width).collect::<Vec<usize>>();
        let shows = |empty: Vec<Value>| widths(&empty) == widths(outline);
        let is_shown = self.is_open() && self.run_empty().is_ok_and(shows);
        for length in [sample + 1, 2 * sample, 4 * sample]
            .into_iter()
            .filter(|_| self.is_open())
            .collect::<Vec<usize>>()
        {
            self.sample = length;
            longer.extend(if is_shown {
                self.run_empty()
            } else {
                self.run_zeros()
            });
        }
        self.sample = sample;
        longer
    }

    /// What runs it: the families whose kernels run nodes of it, and the number of nodes that the
    /// graph's own operators are.
    #[must_use]
    pub fn runs_as(&self) -> String {
        let own = self
            .graph
            .nodes
            .iter()
            .filter(|node| node.family.is_none())
            .count();
        let operators = (own > 0).then(|| counted(own, "operator"));
        let alone = self.mixes_rows.then(|| ROW_BY_ROW.to_owned());
        self.graph
            .families()
            .into_iter()
            .map(str::to_owned)
            .chain(operators)
            .chain(alone)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The number of rows of a graph with a fixed batch size.
    #[must_use]
    pub fn batch(&self) -> Option<usize> {
        self.batch
    }

    /// Runs the graph on no rows, to see what comes out: nothing in a row can be refused where
    /// there is none.
    ///
    /// # Errors
    /// Fails where the graph does, and for a graph with a fixed batch size.
    pub fn run_empty(&self) -> Result<Vec<Value>> {
        match self.batch {
            None => self.run_rows(0),
            Some(batch) => Err(Error::contract(format!(
                "the graph has a fixed batch size of {batch} rows"
            ))),
        }
    }

    /// Runs the graph on two rows of zeros, or on as many as it insists on, to see what comes out.
    ///
    /// # Errors
    /// Fails where the graph does.
    pub fn run_zeros(&self) -> Result<Vec<Value>> {
        self.run_rows(self.batch.unwrap_or(2))
    }

    fn run_rows(&self, rows: usize) -> Result<Vec<Value>> {
        tried(|| self.outputs(self.zeros(rows)?, rows, &mut [])).0
    }

    /// The graph's inputs for so many rows of zeros and empty texts.
    pub(super) fn zeros(&self, rows: usize) -> Result<Vec<Value>> {
        let zeros = |(feed, takes_columns): (&Feed, &bool)| {
            if *takes_columns {
                let column = column(&Tensor::zeros(feed.element, vec![rows])?, 1, rows)?;
                return Ok(Value::Columns(vec![column; feed.column_count]));
            }
            let rows = Tensor::zeros(feed.element, feed.shape(rows, feed.row_length(self.sample)))?;
            feed.laid_out(rows).map(Value::Tensor)
        };
        self.feeds
            .iter()
            .zip(&self.takes_columns)
            .map(zeros)
            .collect()
    }

    pub(super) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The feeds, and whether the graph wants their columns as they are.
    pub(super) fn feeds(&self) -> impl Iterator<Item = (&Feed, bool)> {
        self.feeds.iter().zip(self.takes_columns.iter().copied())
    }

    /// The length of an open axis of rows that are made up.
    pub(super) fn sample(&self) -> usize {
        self.sample
    }

    /// The values of a row of all inputs; of one that is made up, where they differ.
    pub(super) fn row_length(&self) -> usize {
        self.feeds
            .iter()
            .map(|feed| feed.row_length(self.sample))
            .sum()
    }

    /// What the graph gives for a batch of so many rows. Values that no encoder knows are added to
    /// `unseen`, by feature.
    fn outputs(&self, inputs: Vec<Value>, batch: usize, unseen: &mut [u64]) -> Result<Vec<Value>> {
        let (outputs, met) = self.graph.run_counting(inputs)?;
        for ((input, column), count) in met {
            let feature = self.feeds[..input]
                .iter()
                .map(|feed| feed.column_count)
                .sum::<usize>()
                + column;
            if let Some(all) = unseen.get_mut(feature) {
                *all += count;
            }
        }
        with_rows_first(outputs, &self.output_axes, batch)
    }

    /// The answer's columns in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.answers.fields
    }

    /// The rows that go through at once; a score must not depend on the rows alongside it.
    fn group_rows(&self) -> usize {
        if self.mixes_rows {
            return 1;
        }
        if let Some(batch) = self.batch {
            return batch;
        }
        let most = (GROUP_ELEMENTS / self.row_length().max(1)).max(1);
        let Some(Made {
            largest_bytes,
            live_bytes,
            ..
        }) = self.row_cost
        else {
            return most;
        };
        let in_cache = VALUE_BYTES / largest_bytes.max(1);
        let in_memory = (MAX_VALUE_BYTES / largest_bytes.max(1)).max(1);
        let allowed = Pool::of_process().limit() / LIVE_SHARE / live_bytes.max(1) as u64;
        in_cache
            .max(FEWEST_ROWS.min(in_memory))
            .min(most)
            .min(allowed.max(1) as usize)
    }

    /// All rows, which have as many values, in groups of so many.
    fn groups(
        &self,
        columns: &[ArrayRef],
        row_count: usize,
        group_rows: usize,
        unseen: &mut [u64],
    ) -> Result<Vec<ArrayRef>> {
        let starts = (0..row_count).step_by(group_rows);
        let parts = starts
            .map(|start| self.group(columns, start, group_rows.min(row_count - start), unseen));
        joined(&parts.collect::<Result<Vec<_>>>()?)
    }

    /// Rows that may differ in length: those of one length go through together, and the answers are
    /// put in the rows' order again.
    fn by_length(&self, columns: &[ArrayRef], unseen: &mut [u64]) -> Result<Vec<ArrayRef>> {
        let open = self
            .feeds
            .iter()
            .zip(columns)
            .filter(|(feed, _)| feed.is_open());
        let lengths = open
            .map(|(_, column)| list_lengths(column))
            .collect::<Result<Vec<_>>>()?;
        let mut rows_of = BTreeMap::<Vec<usize>, Vec<u64>>::new();
        for row in 0..columns.first().map_or(0, Array::len) {
            rows_of
                .entry(lengths.iter().map(|lengths| lengths[row]).collect())
                .or_default()
                .push(row as u64);
        }
        let picked = |rows: &UInt64Array, column: &ArrayRef| {
            take(column, rows, None)
                .map_err(|error| Error::internal("rows that are not there").because(error))
        };
        let (mut parts, mut indices) = (Vec::new(), vec![0; rows_of.values().map(Vec::len).sum()]);
        let mut index = 0;
        for (lengths, rows) in rows_of {
            for row in &rows {
                indices[*row as usize] = index;
                index += 1;
            }
            let longest = lengths.iter().copied().max().unwrap_or(1).max(1);
            let rows = UInt64Array::from(rows);
            let own = columns
                .iter()
                .map(|column| picked(&rows, column))
                .collect::<Result<Vec<_>>>()?;
            let group_rows = if self.mixes_rows {
                1
            } else {
                (self.group_rows() * self.sample / longest).max(1)
            };
            let group_rows = self
                .batch
                .filter(|_| !self.mixes_rows)
                .unwrap_or(group_rows);
            parts.push(self.groups(&own, rows.len(), group_rows, unseen)?);
        }
        let indices = UInt64Array::from(indices);
        joined(&parts)?
            .iter()
            .map(|column| picked(&indices, column))
            .collect()
    }

    /// The first `rows` values of every column of the answer.
    pub(super) fn columns(&self, outputs: &[Value], rows: usize) -> Result<Vec<ArrayRef>> {
        self.answers
            .columns(outputs, rows, self.batch.unwrap_or(rows).max(rows))
    }

    fn group(
        &self,
        columns: &[ArrayRef],
        start: usize,
        rows: usize,
        unseen: &mut [u64],
    ) -> Result<Vec<ArrayRef>> {
        let mut left = columns.iter();
        let mut inputs = Vec::with_capacity(self.feeds.len());
        for (feed, takes_columns) in self.feeds.iter().zip(&self.takes_columns) {
            let own: Vec<ArrayRef> = left
                .by_ref()
                .take(feed.column_count)
                .map(|column| column.slice(start, rows))
                .collect();
            if *takes_columns {
                inputs.push(Value::Columns(spread(own, feed.column_count)?));
                continue;
            }
            let tensor = input_tensor(feed, &own, rows)?;
            inputs.push(Value::Tensor(feed.laid_out(match self.batch {
                Some(batch) if batch > rows => padded(&tensor, batch)?,
                _ => tensor,
            })?));
        }
        let outputs = self.outputs(inputs, self.batch.unwrap_or(rows), unseen)?;
        let columns = self.columns(&outputs, rows)?;
        let other = self
            .answers
            .fields
            .iter()
            .zip(&columns)
            .find(|(field, column)| field.data_type() != column.data_type());
        match other {
            Some((field, column)) => Err(Error::contract(format!(
                "the graph gives {} for `{}`, which the file declares to be {}",
                column.data_type(),
                field.name(),
                field.data_type()
            ))),
            None => Ok(columns),
        }
    }
}

impl Model for GraphModel {
    fn family(&self) -> &'static str {
        "graph"
    }

    fn feature_count(&self) -> usize {
        self.feeds.iter().map(|feed| feed.column_count).sum()
    }

    fn memory_bytes(&self) -> usize {
        self.graph.memory_bytes()
    }

    fn worker_bytes(&self) -> usize {
        // What an operator makes on its way to a value is about as large as the value.
        let row = self
            .row_cost
            .map_or(0, |made| made.live_bytes.saturating_add(made.largest_bytes));
        row.saturating_mul(self.group_rows())
    }

    fn block_rows(&self) -> Option<usize> {
        let rows = (BLOCK_ELEMENTS / self.row_cost?.elements.max(1)).max(1);
        (rows < ORDINARY_BLOCK_ROWS).then(|| rows.next_multiple_of(self.group_rows()))
    }

    fn portion_rows(&self) -> Option<usize> {
        self.block_rows().map(|rows| rows * PORTION_BLOCKS)
    }
}

impl ColumnModel for GraphModel {
    fn worker(&self) -> Box<dyn ColumnWorker + '_> {
        Box::new(self)
    }
}

impl ColumnWorker for &GraphModel {
    fn score(&mut self, columns: &[ArrayRef]) -> Result<ColumnScores> {
        let row_count = columns.first().map_or(0, Array::len);
        // The rows of a matrix may come as one column of lists.
        let is_vector = self.feeds.len() == 1
            && matches!(columns, [one] if matches!(one.data_type(), DataType::FixedSizeList(..)));
        if row_count > 0 && columns.len() != self.feature_count() && !is_vector {
            return Err(Error::internal(format!(
                "a block of {} columns for a graph of {}",
                columns.len(),
                self.feature_count()
            )));
        }
        let mut unseen = vec![0; self.feature_count()];
        let columns = if self.is_open() {
            self.by_length(columns, &mut unseen)?
        } else {
            self.groups(columns, row_count, self.group_rows(), &mut unseen)?
        };
        Ok(ColumnScores {
            columns,
            unseen,
            ..ColumnScores::default()
        })
    }
}

/// Answers one after another, column by column.
fn joined(parts: &[Vec<ArrayRef>]) -> Result<Vec<ArrayRef>> {
    let column = |column: usize| {
        let pieces: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
        concat(&pieces)
            .map_err(|error| Error::failed("the graph's answers differ in type").because(error))
    };
    (0..parts.first().map_or(0, Vec::len)).map(column).collect()
}
