//! A graph as a model of tables: arrow columns to its inputs, its outputs to finished columns.
//!
//! Owns the groups of rows in which the graph runs and what the outputs are called. It must not know file formats or files.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array, StringArray, UInt64Array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Int64Type};

use super::conversion::cast;
use super::tensor::{Data, ElementType, Tensor, element_count};
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
    fn row_length(&self) -> usize {
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
        self.graph.families().into_iter().map(str::to_owned).chain(operators).collect::<Vec<_>>().join(", ")
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
        self.outputs(self.feeds.iter().zip(&self.takes_columns).map(zeros).collect::<Result<Vec<Value>>>()?, rows)
    }

    /// What the graph gives for a batch of so many rows. Labels that lie side by side in one row, as skl2onnx picks them from a list, become one a row.
    fn outputs(&self, inputs: Vec<Value>, batch: usize) -> Result<Vec<Value>> {
        let by_row = |value: Value| match value {
            Value::Tensor(tensor) if batch != 1 && *tensor.shape() == [1, batch] => tensor.reshaped(vec![batch]).map(Value::Tensor),
            other => Ok(other),
        };
        self.graph.run(inputs)?.into_iter().map(by_row).collect()
    }

    /// The answer's columns in order.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn group_rows(&self) -> usize {
        let width: usize = self.feeds.iter().map(Feed::row_length).sum();
        self.batch.unwrap_or_else(|| (GROUP_ELEMENTS / width.max(1)).max(1))
    }

    fn group(&self, columns: &[ArrayRef], start: usize, rows: usize) -> Result<Vec<ArrayRef>> {
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
        let outputs = self.outputs(inputs, self.batch.unwrap_or(rows))?;
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

    fn score(&self, block: &FeatureBlock, _scratch: &mut Scratch, margins: &mut Margins) -> Result<()> {
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
            parts.push(self.group(columns, start, self.group_rows().min(row_count - start))?);
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

/// The number of elements that belong to one row, even where there are no rows.
#[must_use]
pub fn row_length(tensor: &Tensor) -> usize {
    tensor.shape().iter().skip(1).product()
}

/// One column for each place of the lists, where there are as many places as columns wanted.
fn spread(columns: Vec<ArrayRef>, count: usize) -> Result<Vec<ArrayRef>> {
    let [lists] = columns.as_slice() else { return Ok(columns) };
    let Some(lists) = lists.as_fixed_size_list_opt().filter(|lists| lists.value_length() as usize == count) else { return Ok(columns) };
    let place = |place: usize| {
        let indices = UInt64Array::from_iter_values((0..lists.len()).map(|row| (lists.value_offset_at(row) + place) as u64));
        take(lists.values(), &indices, None).map_err(|error| Error::internal("a list without its values").because(error))
    };
    (0..count).map(place).collect()
}

/// Rows of the columns, one after another.
fn input_tensor(feed: &Feed, columns: &[ArrayRef], rows: usize) -> Result<Tensor> {
    let shape = [&[rows], feed.row_shape.as_slice()].concat();
    let [first, ..] = columns else { return Err(Error::internal("an input without columns")) };
    let wrong = || Error::internal("a column of another type than the graph's input");
    macro_rules! interleaved {
        ($values:expr) => {{
            let all = columns.iter().map($values).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
            (0..rows).flat_map(|row| all.iter().map(move |values| values[row].clone())).collect()
        }};
    }
    if let DataType::FixedSizeList(..) = first.data_type() {
        let lists = first.as_fixed_size_list_opt().ok_or_else(wrong)?;
        let width = feed.row_length();
        let values = lists.values().slice(lists.offset() * width, rows * width);
        let flat = Feed { row_shape: vec![], ..feed.clone() };
        return input_tensor(&flat, &[values], rows * width)?.reshaped(shape);
    }
    let tensor = match first.data_type() {
        DataType::Float32 => {
            Tensor::new(shape, interleaved!(|column: &ArrayRef| column.as_primitive_opt::<Float32Type>().map(|array| array.values().to_vec())))?
        }
        DataType::Float64 => {
            Tensor::new(shape, interleaved!(|column: &ArrayRef| column.as_primitive_opt::<Float64Type>().map(|array| array.values().to_vec())))?
        }
        DataType::Int64 => {
            Tensor::new(shape, interleaved!(|column: &ArrayRef| column.as_primitive_opt::<Int64Type>().map(|array| array.values().to_vec())))?
        }
        DataType::Boolean => {
            Tensor::new(shape, interleaved!(|column: &ArrayRef| column.as_boolean_opt().map(|array| array.values().iter().collect::<Vec<bool>>())))?
        }
        DataType::Utf8 => {
            let texts = |column: &ArrayRef| {
                column.as_string_opt::<i32>().map(|array| array.iter().map(|text| Arc::from(text.unwrap_or_default())).collect::<Vec<Arc<str>>>())
            };
            Tensor::new(shape, interleaved!(texts))?
        }
        DataType::Utf8View => {
            let texts = |column: &ArrayRef| {
                let shared = |text: Option<&str>| Arc::from(text.unwrap_or_default());
                column.as_string_view_opt().map(|array| array.iter().map(shared).collect::<Vec<Arc<str>>>())
            };
            Tensor::new(shape, interleaved!(texts))?
        }
        _ => return Err(wrong()),
    };
    if tensor.element_type() == feed.element { Ok(tensor) } else { cast(&tensor, feed.element) }
}

/// The rows, and copies of the first up to the batch that the graph insists on.
fn padded(tensor: &Tensor, batch: usize) -> Result<Tensor> {
    let rows = tensor.shape()[0];
    let run = tensor.len() / rows.max(1);
    let starts: Vec<usize> = (0..batch).map(|row| if row < rows { row * run } else { 0 }).collect();
    let shape = [&[batch], &tensor.shape()[1..]].concat();
    tensor.runs(&starts, run, shape)
}

/// A column of the first `rows` entries, `width` values each.
fn column(tensor: &Tensor, width: usize, rows: usize) -> Result<ArrayRef> {
    let count = rows * width;
    let plain = |tensor: &Tensor| -> Result<ArrayRef> {
        Ok(match tensor.data() {
            Data::Float(values) => Arc::new(Float32Array::from(values[..count].to_vec())),
            Data::Double(values) => Arc::new(Float64Array::from(values[..count].to_vec())),
            Data::Int64(values) => Arc::new(Int64Array::from(values[..count].to_vec())),
            Data::Bool(values) => Arc::new(BooleanArray::from(values[..count].to_vec())),
            Data::String(values) => Arc::new(StringArray::from_iter_values(values[..count].iter().map(AsRef::<str>::as_ref))),
            other => return Err(super::element::unsupported(other)),
        })
    };
    let values = match tensor.element_type() {
        ElementType::Float16 | ElementType::Bfloat16 => plain(&cast(tensor, ElementType::Float)?)?,
        ElementType::Float | ElementType::Double | ElementType::Int64 | ElementType::Bool | ElementType::String => plain(tensor)?,
        ElementType::Uint64 => plain(&cast(tensor, ElementType::Double)?)?,
        _ => plain(&cast(tensor, ElementType::Int64)?)?,
    };
    if width == 1 {
        return Ok(values);
    }
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let width = i32::try_from(width).map_err(|_| Error::failed("lists that are too long"))?;
    let lists =
        FixedSizeListArray::try_new(field, width, values, None).map_err(|error| Error::failed("cannot make lists of the output").because(error))?;
    Ok(Arc::new(lists))
}
