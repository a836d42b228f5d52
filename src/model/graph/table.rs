//! A graph as a model of tables: arrow columns to its inputs, its outputs to finished columns.
//!
//! Owns the groups of rows in which the graph runs and what the outputs are called. It must not know file formats or files.

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field};

use super::arrays::{column, input_tensor, padded, row_length, spread};
use super::tensor::{ElementType, Tensor, element_count};
use super::value::Value;
use super::{Graph, movement};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::feature::{FeatureBlock, Precision};
use crate::model::{Margins, Model, Scratch};

/// Elements of the graph's inputs that go through at once: wide rows go in smaller groups, so that what lies between layers stays small.
const GROUP_ELEMENTS: usize = 1 << 20;

/// How columns become one input of the graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// What the input's elements are.
    pub element: ElementType,
    /// The input's shape without the batch's axis.
    pub row_shape: Vec<usize>,
    /// The number of columns that it takes; 1 for a column of lists.
    pub column_count: usize,
}

impl Feed {
    pub(super) fn row_length(&self) -> usize {
        self.row_shape.iter().product()
    }
}

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
    /// The probability of each class, as the columns of this name; an empty name leaves the class out.
    Classes {
        /// The output's position.
        output: usize,
        /// One name for each class.
        names: Vec<String>,
    },
}

/// For each feature, the values that no encoder of it knows: what a worker counts while it scores.
#[derive(Debug)]
struct Unseen(Vec<u64>);

/// A graph that scores tables.
#[derive(Debug)]
pub struct GraphModel {
    graph: Graph,
    feeds: Vec<Feed>,
    /// For each input, whether the graph wants its columns as they are.
    takes_columns: Vec<bool>,
    answers: Vec<Answer>,
    /// The answer's columns.
    fields: Vec<Field>,
    /// The number of rows that the graph insists on, if it does.
    batch: Option<usize>,
}

impl GraphModel {
    /// A graph with its feeds in the order of its inputs; answers are added by [`GraphModel::answered`].
    ///
    /// # Errors
    /// Fails if there is not a feed for each input, or a fixed batch of no rows.
    pub fn new(mut graph: Graph, feeds: Vec<Feed>, batch: Option<usize>) -> Result<Self> {
        if feeds.len() != graph.input_count() || batch == Some(0) {
            return Err(Error::failed(format!("{} inputs are fed, the graph has {}", feeds.len(), graph.input_count())));
        }
        for feed in &feeds {
            element_count(&feed.row_shape)?;
        }
        // Where the rows are fixed in number, the last group is filled up, which only tensors are.
        let plain = |feed: &Feed| match feed.row_shape.as_slice() {
            [width] if *width == feed.column_count && batch.is_none() => Some((feed.element, *width)),
            _ => None,
        };
        let takes_columns = graph.assemble(&feeds.iter().map(plain).collect::<Vec<_>>());
        Ok(Self { graph, takes_columns, feeds, answers: Vec::new(), fields: Vec::new(), batch })
    }

    /// The same model with these columns as its answer; `outline` are values such as a run gives, of whatever rows.
    ///
    /// # Errors
    /// Fails if an output is of no kind that a column can hold.
    pub fn answered(mut self, answers: Vec<Answer>, outline: &[Value]) -> Result<Self> {
        self.answers = answers;
        let rows = outline.first().map_or(0, |value| value_tensor(value).map_or(0, |tensor| tensor.shape().first().copied().unwrap_or(1)));
        let columns = self.columns(outline, rows)?;
        let names = self.answers.iter().flat_map(|answer| match answer {
            Answer::Column { name, .. } => vec![name.clone()],
            Answer::Classes { names, .. } => names.iter().filter(|name| !name.is_empty()).cloned().collect(),
        });
        self.fields = names.zip(columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
        Ok(self)
    }

    /// What runs it: the families whose kernels run nodes of it, and the number of nodes that the graph's own operators are.
    #[must_use]
    pub fn runs_as(&self) -> String {
        let own = self.graph.nodes.iter().filter(|node| node.family.is_none()).count();
        let operators = (own > 0).then(|| counted(own, "operator"));
        let alone = self.graph.mixes_rows().then(|| "row by row".to_owned());
        self.graph.families().into_iter().map(str::to_owned).chain(operators).chain(alone).collect::<Vec<_>>().join(", ")
    }

    /// The number of rows that the graph insists on, if it does.
    #[must_use]
    pub fn batch(&self) -> Option<usize> {
        self.batch
    }

    /// Runs the graph on no rows, to see what comes out: nothing in a row can be refused where there is none.
    ///
    /// # Errors
    /// Fails where the graph does, and for a graph that insists on a number of rows.
    pub fn run_empty(&self) -> Result<Vec<Value>> {
        match self.batch {
            None => self.run_rows(0),
            Some(batch) => Err(Error::contract(format!("the graph insists on {batch} rows"))),
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
        let zeros = |(feed, takes_columns): (&Feed, &bool)| {
            if *takes_columns {
                let column = column(&Tensor::zeros(feed.element, vec![rows])?, 1, rows)?;
                return Ok(Value::Columns(vec![column; feed.column_count]));
            }
            Tensor::zeros(feed.element, [&[rows], feed.row_shape.as_slice()].concat()).map(Value::Tensor)
        };
        let inputs = self.feeds.iter().zip(&self.takes_columns).map(zeros).collect::<Result<Vec<Value>>>()?;
        self.outputs(inputs, rows, &mut [])
    }

    /// What the graph gives for a batch of so many rows. Labels that lie side by side in one row, as skl2onnx picks them from a list, become one a row.
    /// Values that no encoder knows are added to `unseen`, by feature.
    fn outputs(&self, inputs: Vec<Value>, batch: usize, unseen: &mut [u64]) -> Result<Vec<Value>> {
        let by_row = |value: Value| match value {
            Value::Tensor(tensor) if batch != 1 && *tensor.shape() == [1, batch] => tensor.reshaped(vec![batch]).map(Value::Tensor),
            other => Ok(other),
        };
        let (outputs, met) = self.graph.run_counting(inputs)?;
        for ((input, column), count) in met {
            let feature = self.feeds[..input].iter().map(|feed| feed.column_count).sum::<usize>() + column;
            if let Some(all) = unseen.get_mut(feature) {
                *all += count;
            }
        }
        outputs.into_iter().map(by_row).collect()
    }

    /// The answer's columns in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn group_rows(&self) -> usize {
        let width: usize = self.feeds.iter().map(Feed::row_length).sum();
        // A score must not depend on the rows beside it.
        let most = if self.graph.mixes_rows() { 1 } else { GROUP_ELEMENTS };
        self.batch.unwrap_or_else(|| (most / width.max(1)).max(1))
    }

    fn group(&self, columns: &[ArrayRef], start: usize, rows: usize, unseen: &mut [u64]) -> Result<Vec<ArrayRef>> {
        let mut left = columns.iter();
        let mut inputs = Vec::with_capacity(self.feeds.len());
        for (feed, takes_columns) in self.feeds.iter().zip(&self.takes_columns) {
            let own: Vec<ArrayRef> = left.by_ref().take(feed.column_count).map(|column| column.slice(start, rows)).collect();
            if *takes_columns {
                inputs.push(Value::Columns(spread(own, feed.column_count)?));
                continue;
            }
            let tensor = input_tensor(feed, &own, rows)?;
            inputs.push(Value::Tensor(match self.batch {
                Some(batch) if batch > rows => padded(&tensor, batch)?,
                _ => tensor,
            }));
        }
        let outputs = self.outputs(inputs, self.batch.unwrap_or(rows), unseen)?;
        let columns = self.columns(&outputs, rows)?;
        let other = self.fields.iter().zip(&columns).find(|(field, column)| field.data_type() != column.data_type());
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

    /// The first `rows` values of every column of the answer.
    fn columns(&self, outputs: &[Value], rows: usize) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::new();
        for answer in &self.answers {
            let (Answer::Column { output, .. } | Answer::Classes { output, .. }) = answer;
            let tensor = value_tensor(outputs.get(*output).ok_or_else(|| Error::internal("an answer of an output that there is not"))?)?;
            let batch = self.batch.unwrap_or(rows).max(rows);
            // A single answer of a batch of one may come without the batch's axis.
            let fits = tensor.shape().first() == Some(&batch) || tensor.rank() == 0 && batch == 1;
            if !fits {
                return Err(Error::contract(format!("an output of shape {:?} does not have one entry for each of {batch} rows", tensor.shape())));
            }
            let width = row_length(tensor);
            match answer {
                Answer::Column { .. } => columns.push(column(tensor, width, rows)?),
                Answer::Classes { names, .. } => {
                    if names.len() != width {
                        return Err(Error::failed(format!("{width} probabilities for {} classes", names.len())));
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

impl Model for GraphModel {
    fn family(&self) -> &'static str {
        "graph"
    }

    fn precision(&self) -> Precision {
        Precision::Native
    }

    fn feature_count(&self) -> usize {
        self.feeds.iter().map(|feed| feed.column_count).sum()
    }

    fn margin_count(&self) -> usize {
        1
    }

    fn scratch(&self) -> Scratch {
        Scratch(Box::new(Unseen(vec![0; self.feature_count()])))
    }

    fn take_unseen(&self, scratch: &mut Scratch) -> Vec<u64> {
        let taken = scratch.0.downcast_mut::<Unseen>().map(|unseen| std::mem::replace(&mut unseen.0, vec![0; self.feature_count()]));
        taken.unwrap_or_default()
    }

    fn score(&self, block: &FeatureBlock, scratch: &mut Scratch, margins: &mut Margins) -> Result<()> {
        let (FeatureBlock::Native(columns), Margins::Native(margins)) = (block, margins) else {
            return Err(Error::internal("a block of another precision than the graph's"));
        };
        margins.clear();
        let row_count = block.row_count();
        // The rows of a matrix may come as one column of lists.
        let is_vector = self.feeds.len() == 1 && matches!(columns.as_slice(), [one] if matches!(one.data_type(), DataType::FixedSizeList(..)));
        if row_count > 0 && columns.len() != self.feature_count() && !is_vector {
            return Err(Error::internal(format!("a block of {} columns for a graph of {}", columns.len(), self.feature_count())));
        }
        let mut parts: Vec<Vec<ArrayRef>> = Vec::new();
        for start in (0..row_count).step_by(self.group_rows()) {
            let unseen = scratch.0.downcast_mut::<Unseen>().map_or(&mut [][..], |unseen| &mut unseen.0);
            parts.push(self.group(columns, start, self.group_rows().min(row_count - start), unseen)?);
        }
        for column in 0..parts.first().map_or(0, Vec::len) {
            let pieces: Vec<&dyn Array> = parts.iter().map(|part| part[column].as_ref()).collect();
            margins.push(concat(&pieces).map_err(|error| Error::failed("the graph's answers differ in type").because(error))?);
        }
        Ok(())
    }

    fn memory_bytes(&self) -> usize {
        self.graph.memory_bytes()
    }
}

/// The tensor of an output; of maps, their values.
fn value_tensor(value: &Value) -> Result<&Tensor> {
    match value {
        Value::Maps { values, .. } => Ok(values),
        other => other.tensor(),
    }
}
