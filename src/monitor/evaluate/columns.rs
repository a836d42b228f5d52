//! Which columns hold what, and rows read from them.
//!
//! Owns the columns of predictions and of labels, the kind of task that they stand for, and the
//! step from a batch to rows. It must not know how rows are joined or counted.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};

use super::found::Counts;
use super::gather::{Actual, Gather, NO_CLASS, Prediction};
use super::join::{Join, key_bytes};
use super::label::{Labels, spelling};
use super::question::{Question, Task};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::table::dataset::Dataset;
use crate::table::spelling::did_you_mean_column;

/// How the columns of several classes begin.
const CLASS_PREFIX: &str = "probability_";

const PROBABILITY: &str = "probability";
const PREDICTION: &str = "prediction";

/// The columns of the predictions, as indices into what is read of them.
#[derive(Debug)]
pub(in crate::monitor) struct Columns {
    schema: SchemaRef,
    pub(in crate::monitor) task: Task,
    pub(super) scores: Vec<usize>,
    /// The classes that the scores are of.
    pub(in crate::monitor) classes: Vec<String>,
    predicted: Option<usize>,
    pub(in crate::monitor) label: Option<usize>,
    pub(in crate::monitor) key: Vec<usize>,
    by: Vec<usize>,
    group: Option<usize>,
    /// The distance of the scores' number type from 1.
    pub(in crate::monitor) epsilon: f64,
}

/// Columns that are picked from a table one by one.
struct Picked<'a> {
    table: &'a Dataset,
    fields: Vec<Arc<Field>>,
}

impl Picked<'_> {
    /// The index, among what is read, of the column that a flag names.
    fn column(&mut self, name: &str, flag: &str) -> Result<usize> {
        if let Some(index) = self.fields.iter().position(|field| field.name() == name) {
            return Ok(index);
        }
        let schema = self.table.schema();
        let Ok(field) = schema.field_with_name(name) else {
            let names = schema.fields().iter().map(|field| field.name().as_str());
            let mut error =
                Error::contract(format!("`{flag}` names a column that is missing")).at_column(name);
            if let Some(file) = self.table.files.first() {
                error = error.at_path(&file.path);
            }
            return Err(error.hint(did_you_mean_column(name, &names)));
        };
        self.fields.push(Arc::new(field.clone()));
        Ok(self.fields.len() - 1)
    }

    /// The column that a flag names, or the one that `score` would have written.
    fn column_or(&mut self, named: Option<&str>, default: &str, flag: &str) -> Result<usize> {
        let schema = self.table.schema();
        if named.is_some() || schema.column_with_name(default).is_some() {
            return self.column(named.unwrap_or(default), flag);
        }
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let hint = did_you_mean_column(default, &names);
        let error = Error::contract(format!(
            "the predictions have no column `{default}`, and `{flag}` names no other"
        ))
        .hint(format!("pass `{flag} COLUMN`; {hint}"));
        Err(match self.table.files.first() {
            Some(file) => error.at_path(&file.path),
            None => error,
        })
    }

    fn columns(&mut self, names: &[String], flag: &str) -> Result<Vec<usize>> {
        names.iter().map(|name| self.column(name, flag)).collect()
    }
}

/// Whether predictions with these columns are of two classes, several, or numbers.
fn task_of(request: &Question, table: &Dataset) -> Task {
    let schema = table.schema();
    let has = |name: &str| schema.column_with_name(name).is_some();
    let class_count = class_names(&schema).len();
    let prediction = request.prediction.as_deref().unwrap_or(PREDICTION);
    let is_text = |name: &str| {
        let is_text = |field: &Field| {
            field.data_type().is_string()
                || matches!(field.data_type(), DataType::Dictionary(_, value) if value.is_string())
        };
        !table.is_text() && schema.field_with_name(name).is_ok_and(is_text)
    };
    match request.task {
        Some(task) => task,
        None if request.group.is_some() => Task::Ranking,
        None if request.score.is_some() || has(PROBABILITY) => Task::Binary,
        None if class_count > 1 || is_text(prediction) => Task::Classes,
        None => Task::Regression,
    }
}

fn class_names(schema: &Schema) -> Vec<String> {
    let names = schema.fields().iter().map(|field| field.name());
    names
        .filter(|name| name.starts_with(CLASS_PREFIX))
        .cloned()
        .collect()
}

impl Columns {
    /// The columns that the request names, or that `score` writes. A request without labels and
    /// without a column of labels has predictions alone.
    ///
    /// # Errors
    /// A contract error for a column that is missing.
    pub(in crate::monitor) fn of_predictions(request: &Question, table: &Dataset) -> Result<Self> {
        let task = task_of(request, table);
        request.refuse_ignored(task)?;
        let schema = table.schema();
        let mut picked = Picked {
            table,
            fields: Vec::new(),
        };
        let prediction = request.prediction.as_deref().unwrap_or(PREDICTION);
        let score = request.score.as_deref();
        let named = request.prediction.as_deref();
        let scores = match task {
            Task::Binary => vec![picked.column_or(score, PROBABILITY, "--score")?],
            Task::Classes => picked.columns(&class_names(&schema), "--score")?,
            Task::Regression => vec![picked.column_or(named, PREDICTION, "--prediction")?],
            Task::Ranking => vec![picked.column_or(score.or(named), PREDICTION, "--score")?],
        };
        let has_prediction = schema.column_with_name(prediction).is_some();
        let is_picked = match task {
            Task::Binary => named.is_some() || (request.threshold.is_none() && has_prediction),
            Task::Classes => has_prediction || scores.is_empty(),
            Task::Regression | Task::Ranking => false,
        };
        let predicted = is_picked
            .then(|| picked.column_or(named, PREDICTION, "--prediction"))
            .transpose()?;
        let label = if request.labels.is_empty() && !request.label.is_empty() {
            Some(picked.column(&request.label, "--label")?)
        } else {
            None
        };
        let key = picked.columns(&request.key, "--key")?;
        let by = picked.columns(&request.by, "--by")?;
        let group = request.group.as_deref();
        let group = group
            .map(|name| picked.column(name, "--group"))
            .transpose()?;
        let is_single = |index: &usize| *picked.fields[*index].data_type() == DataType::Float32;
        let epsilon = if scores.iter().any(is_single) {
            f64::from(f32::EPSILON)
        } else {
            f64::EPSILON
        };
        let prefix = CLASS_PREFIX.len();
        let classes = scores
            .iter()
            .filter(|_| task == Task::Classes)
            .map(|index| spelling(&picked.fields[*index].name()[prefix..]))
            .collect();
        Ok(Self {
            schema: Arc::new(Schema::new(picked.fields)),
            task,
            scores,
            classes,
            predicted,
            label,
            key,
            by,
            group,
            epsilon,
        })
    }

    /// Reads predictions whose labels are a column of their own.
    pub(super) fn read_labelled(
        &self,
        table: &Arc<Dataset>,
        labels: &mut Labels,
        gather: &mut Gather,
        counts: &mut Counts,
        interrupt: &Interrupt,
    ) -> Result<()> {
        self.read(
            table,
            labels,
            counts,
            interrupt,
            |labels, counts, batch, rows| {
                let Some(column) = self.label else {
                    return Ok(());
                };
                let actual = actuals(batch.column(column), self.task, labels, counts)?;
                for (row, prediction) in rows {
                    match actual[row] {
                        Some(actual) => {
                            gather.add(&prediction, actual)?;
                            counts.evaluated += 1;
                        }
                        None => counts.without_label += 1,
                    }
                }
                Ok(())
            },
        )
    }

    /// Reads predictions that wait for their labels.
    pub(super) fn read_keyed(
        &self,
        table: &Arc<Dataset>,
        labels: &mut Labels,
        join: &mut Join,
        counts: &mut Counts,
        interrupt: &Interrupt,
    ) -> Result<()> {
        self.read(
            table,
            labels,
            counts,
            interrupt,
            |_, counts, batch, rows| {
                let keys = key_columns(batch, &self.key)?;
                for (row, prediction) in rows {
                    match key_bytes(&keys, row) {
                        Some(key) => join.predict(&key, &prediction)?,
                        None => counts.without_label += 1,
                    }
                }
                Ok(())
            },
        )
    }

    /// Reads batches and those of their rows that have a prediction.
    pub(in crate::monitor) fn read(
        &self,
        table: &Arc<Dataset>,
        labels: &mut Labels,
        counts: &mut Counts,
        interrupt: &Interrupt,
        mut take: impl FnMut(
            &mut Labels,
            &mut Counts,
            &RecordBatch,
            Vec<(usize, Prediction)>,
        ) -> Result<()>,
    ) -> Result<()> {
        for batch in table.batches(&table.as_read(&self.schema)) {
            interrupt.check()?;
            let batch = batch?;
            let rows = self.rows(&batch, labels)?;
            counts.predictions += batch.num_rows() as u64;
            counts.without_prediction += (batch.num_rows() - rows.len()) as u64;
            take(labels, counts, &batch, rows)?;
        }
        Ok(())
    }

    /// The rows that have a prediction.
    fn rows(&self, batch: &RecordBatch, labels: &mut Labels) -> Result<Vec<(usize, Prediction)>> {
        let column = |index: &usize| batch.column(*index);
        let scores = self.scores.iter().map(|index| numbers(column(index)));
        let scores = scores.collect::<Result<Vec<Float64Array>>>()?;
        let predicted = self
            .predicted
            .as_ref()
            .map(|index| texts(column(index)))
            .transpose()?;
        let group = self
            .group
            .as_ref()
            .map(|index| texts(column(index)))
            .transpose()?;
        let by = self.by.iter().map(|index| texts(column(index)));
        let by = by.collect::<Result<Vec<StringArray>>>()?;
        let mut rows = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let is_number =
                |scores: &Float64Array| scores.is_valid(row) && !scores.value(row).is_nan();
            let class = match &predicted {
                Some(predicted) => match text(predicted, row) {
                    Some(class) => labels.class(class)?,
                    None => continue,
                },
                None => NO_CLASS,
            };
            if !scores.iter().all(is_number) {
                continue;
            }
            let segment = match by.as_slice() {
                [] => 0,
                by => labels.segment(&self.segment_name(by, row))?,
            };
            let group = group
                .as_ref()
                .map(|group| text(group, row).unwrap_or_default().to_owned());
            rows.push((
                row,
                Prediction {
                    segment,
                    class,
                    scores: scores.iter().map(|scores| scores.value(row)).collect(),
                    group: group.unwrap_or_default(),
                },
            ));
        }
        Ok(rows)
    }

    /// `region=north, plan=pro`.
    fn segment_name(&self, by: &[StringArray], row: usize) -> String {
        let parts = self.by.iter().zip(by).map(|(index, values)| {
            let value = text(values, row).unwrap_or("(missing)");
            format!("{}={value}", self.schema.field(*index).name())
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// The names of the columns of scores, class by class.
    pub(super) fn score_names(&self) -> Vec<String> {
        let names = self.scores.iter();
        names
            .map(|index| self.schema.field(*index).name().clone())
            .collect()
    }

    /// The name of the column of predicted labels, if there is one.
    pub(super) fn predicted_name(&self) -> Option<String> {
        self.predicted
            .map(|index| self.schema.field(index).name().clone())
    }

    /// Whether segments were asked for.
    pub(in crate::monitor) fn has_segments(&self) -> bool {
        !self.by.is_empty()
    }

    /// Refuses tables without a row to evaluate.
    pub(super) fn refuse_nothing(counts: &Counts, table: &Dataset) -> Result<()> {
        if counts.evaluated > 0 {
            return Ok(());
        }
        let mut error = Error::contract("no row has both a prediction and a label");
        if let Some(file) = table.files.first() {
            error = error.at_path(&file.path);
        }
        let hint = if counts.predictions == 0 {
            "the table of predictions has no rows"
        } else if counts.without_prediction == counts.predictions {
            "the predictions are missing or no numbers; for labels in text pass `--task classes`"
        } else if counts.labels_not_numbers > 0 {
            "the labels are not numbers: for classes pass `--task classes`"
        } else if counts.labels > 0 {
            "no key of the labels is a key of the predictions: check `--key`"
        } else {
            "the labels are missing, or no numbers where the task needs them: check `--label`"
        };
        Err(error.hint(hint))
    }
}

/// The columns of a table of labels.
#[derive(Debug)]
pub(in crate::monitor) struct LabelColumns {
    schema: SchemaRef,
    label: usize,
    key: Vec<usize>,
}

impl LabelColumns {
    /// The columns that the request names.
    ///
    /// # Errors
    /// A contract error for a column that is missing.
    pub(in crate::monitor) fn of(request: &Question, table: &Dataset) -> Result<Self> {
        let mut picked = Picked {
            table,
            fields: Vec::new(),
        };
        let label = picked.column(&request.label, "--label")?;
        let key = picked.columns(&request.key, "--key")?;
        Ok(Self {
            schema: Arc::new(Schema::new(picked.fields)),
            label,
            key,
        })
    }

    /// Reads labels with their keys.
    pub(in crate::monitor) fn read(
        &self,
        table: &Arc<Dataset>,
        task: Task,
        labels: &mut Labels,
        counts: &mut Counts,
        interrupt: &Interrupt,
        mut take: impl FnMut(&[u8], Actual) -> Result<()>,
    ) -> Result<()> {
        for batch in table.batches(&table.as_read(&self.schema)) {
            interrupt.check()?;
            let batch = batch?;
            let keys = key_columns(&batch, &self.key)?;
            let actual = actuals(batch.column(self.label), task, labels, counts)?;
            counts.labels += batch.num_rows() as u64;
            for (row, actual) in actual.into_iter().enumerate() {
                // A label that is missing has not come yet; one without a key belongs to no row.
                match (key_bytes(&keys, row), actual) {
                    (Some(key), Some(actual)) => take(&key, actual)?,
                    (None, _) => counts.labels_without_prediction += 1,
                    (Some(_), None) => {}
                }
            }
        }
        Ok(())
    }
}

/// The columns of a key as text; a float that is an integer is spelled as one, since integers with
/// missing values are often stored so.
pub(in crate::monitor) fn key_columns(
    batch: &RecordBatch,
    key: &[usize],
) -> Result<Vec<StringArray>> {
    let column = |index: &usize| {
        let column = batch.column(*index);
        let texts = texts(column)?;
        Ok(if column.data_type().is_floating() {
            texts.iter().map(|text| text.map(spelling)).collect()
        } else {
            texts
        })
    };
    key.iter().map(column).collect()
}

/// The labels of a column: classes, or numbers; none where they are missing.
pub(in crate::monitor) fn actuals(
    column: &ArrayRef,
    task: Task,
    labels: &mut Labels,
    counts: &mut Counts,
) -> Result<Vec<Option<Actual>>> {
    if matches!(task, Task::Regression | Task::Ranking) {
        let numbers = numbers(column)?;
        counts.labels_not_numbers += not_numbers(column, &numbers)?;
        let number =
            |number: Option<f64>| number.filter(|number| !number.is_nan()).map(Actual::Number);
        return Ok(numbers.iter().map(number).collect());
    }
    let texts = texts(column)?;
    (0..texts.len())
        .map(|row| match text(&texts, row) {
            Some(text) if !text.eq_ignore_ascii_case("nan") => {
                labels.class(text).map(Actual::Class).map(Some)
            }
            _ => Ok(None),
        })
        .collect()
}

/// A column's numbers; what is not a number is null.
fn numbers(column: &ArrayRef) -> Result<Float64Array> {
    let cast = cast(column, &DataType::Float64).map_err(|error| unreadable(column, &error))?;
    Ok(cast.as_primitive::<Float64Type>().clone())
}

/// How many texts of a column are no numbers, blank ones aside.
fn not_numbers(column: &ArrayRef, numbers: &Float64Array) -> Result<u64> {
    if numbers.null_count() == column.null_count() {
        return Ok(0);
    }
    let texts = texts(column)?;
    let is_other = |row: &usize| {
        numbers.is_null(*row) && text(&texts, *row).is_some_and(|text| !text.trim().is_empty())
    };
    Ok((0..texts.len()).filter(is_other).count() as u64)
}

/// A column's values as text.
fn texts(column: &ArrayRef) -> Result<StringArray> {
    let cast = cast(column, &DataType::Utf8).map_err(|error| unreadable(column, &error))?;
    Ok(cast.as_string::<i32>().clone())
}

fn unreadable(column: &ArrayRef, error: &arrow::error::ArrowError) -> Error {
    Error::contract(format!(
        "a column of type {} holds neither labels nor numbers",
        column.data_type()
    ))
    .because(error.to_string())
}

/// The text of a row; none where it is missing or empty.
fn text(texts: &StringArray, row: usize) -> Option<&str> {
    texts
        .is_valid(row)
        .then(|| texts.value(row))
        .filter(|text| !text.is_empty())
}
