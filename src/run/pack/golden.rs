//! Golden rows: a sample of a table, and the answers that this machine gives.
//!
//! Owns their files, and the comparison with the original library's answers. It must not know the
//! rest of the package.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::Schema;

use super::sample::Sample;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::table_writer::write_table;
use crate::package::GoldenRows;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{Control, Input, Outcomes, Receiver, run};
use crate::plan::Plan;
use crate::plan::agreement::difference;
use crate::plan::replay::ORIGINAL_PREFIX;
use crate::request::pack::Pack;
use crate::request::work::Work;
use crate::storage::{Location, PendingFile, remove_below};
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::location::locate;
use crate::table::spelling::did_you_mean_column;

/// The name of the answers' file.
pub(super) const EXPECTED: &str = "golden_expected.parquet";

/// The names of the rows' file. Values of delimited text keep their spelling in delimited text.
const ROWS: [&str; 2] = ["golden_rows.parquet", "golden_rows.csv"];

/// The names of all files of golden rows.
pub(super) const NAMES: [&str; 3] = [ROWS[0], ROWS[1], EXPECTED];

/// How far answers of another machine, or of the original library, may be from those of this one.
pub(super) const TOLERANCE: f64 = 1e-5;

/// Golden rows that were made.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// The number of rows.
    pub row_count: usize,
    /// The name of the rows' file.
    pub rows_name: &'static str,
    /// The largest difference from the original library's answers, if the data has them.
    pub original_difference: Option<f64>,
}

impl Golden {
    /// Rows that a package has already; none if their file does not say how many there are.
    ///
    /// # Errors
    /// Fails if they cannot be opened.
    pub(super) fn kept(rows: &GoldenRows) -> Result<Option<Self>> {
        let row_count = dataset(std::slice::from_ref(&rows.expected))?.row_count();
        Ok(row_count.map(|row_count| Self {
            row_count: row_count as usize,
            rows_name: "",
            original_difference: None,
        }))
    }
}

/// A table by its paths.
pub(super) fn dataset(paths: &[Location]) -> Result<Dataset> {
    Dataset::open(&locate(paths, false)?.files, &[], &ReadOptions::default())
}

/// Samples rows of the table that `work` names, scores them, and writes both to `directory`.
///
/// # Errors
/// Fails if the rows cannot be scored, if all are rejected, or if the original's answers differ by
/// more than [`TOLERANCE`].
pub(super) fn golden(
    work: &Work,
    request: &Pack,
    directory: &Location,
    interrupt: &Interrupt,
) -> Result<Golden> {
    let original = request.original.as_deref().map(original);
    let mut own = work.clone();
    own.outcome.passthrough = Some(vec!["none".into()]);
    let job = Plan::bind(&own)?.job;
    let read = names(&job.table_schema);
    let mut answers = job.output_schema.fields().iter();
    if let Some(answer) = answers.find(|answer| read.contains(answer.name())) {
        return Err(Error::contract(
            "golden rows need answers of other names than the model's inputs",
        )
        .at_column(answer.name())
        .hint("pack the model without `--golden`"));
    }
    if let Some((column, _)) = original {
        refuse_unknown(column, &job.dataset.schema(), &read)?;
    }
    // What the model reads, and the original's answers, come along.
    let along = original.iter().map(|(column, _)| (*column).to_owned());
    let along = along.filter(|column| !read.contains(column));
    own.outcome.passthrough = Some(read.iter().cloned().chain(along).collect());
    let plan = Plan::bind(&own)?;
    let mut receiver = Receiving {
        sample: Sample::new(request.golden_rows),
    };
    let mut outcomes = Outcomes::new(&plan.job);
    let input = Input::whole(&plan.job);
    let control = Control {
        interrupt: interrupt.clone(),
        ..Control::default()
    };
    run(
        &plan.job,
        input,
        &mut receiver,
        &control,
        &mut outcomes,
        Vec::new(),
        &|_| {},
    )?;
    let sampled = receiver.sample.finish(&plan.job.output_schema)?;
    if sampled.num_rows() == 0 {
        return Err(Error::contract("no golden row could be scored")
            .hint("`tallow check --scan` counts rejected rows by reason"));
    }
    let answered = plan.job.passthrough.len();
    let rows = project(&sampled, |index, name| {
        index < answered && read.iter().any(|own| own == name)
    })?;
    let mut answers = project(&sampled, |index, _| index >= answered)?;
    let mut original_difference = None;
    if let Some((column, output)) = original {
        let (provided, compared) = (column_of(&sampled, column)?, main_output(&answers, output)?);
        let answer = column_of(&answers, &compared)?;
        let found = difference(&provided, &answer, TOLERANCE).map_err(|error| {
            Error::new(
                error.kind(),
                "this machine's answers differ from the original library's",
            )
            .because(error)
            .at_column(column)
        })?;
        original_difference = Some(found);
        answers = with_column(&answers, &format!("{ORIGINAL_PREFIX}{compared}"), provided)?;
    }
    let rows_name = ROWS[usize::from(plan.job.dataset.is_text())];
    // Those of an earlier package.
    ROWS.iter()
        .try_for_each(|name| remove_below(directory, *name))?;
    for (name, batch) in [(rows_name, &rows), (EXPECTED, &answers)] {
        let mut file = PendingFile::create(directory.join(name), true)?;
        write_table(&mut file, batch, &[])?;
        file.publish(true)?;
    }
    Ok(Golden {
        row_count: rows.num_rows(),
        rows_name,
        original_difference,
    })
}

/// Refuses a column of the original's answers that the golden rows do not have.
fn refuse_unknown(column: &str, schema: &Schema, read: &[String]) -> Result<()> {
    let all = names(schema);
    let known = all.iter().chain(read).map(String::as_str);
    if known.clone().any(|name| name == column) {
        return Ok(());
    }
    let error = Error::contract("`--original` names a column that the golden rows do not have");
    Err(error
        .at_column(column)
        .hint(did_you_mean_column(column, &known)))
}

/// `COLUMN[=OUTPUT]`.
fn original(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((column, output)) => (column, Some(output)),
        None => (text, None),
    }
}

fn names(schema: &Schema) -> Vec<String> {
    schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect()
}

/// The output that the original's answers are compared with: the one that is named, else
/// `probability`, else the first.
fn main_output(answers: &RecordBatch, named: Option<&str>) -> Result<String> {
    let outputs = names(&answers.schema());
    let found = match named {
        Some(named) => outputs.iter().find(|output| *output == named),
        None => outputs
            .iter()
            .find(|output| *output == "probability")
            .or(outputs.first()),
    };
    found.cloned().ok_or_else(|| {
        Error::usage(format!(
            "the model has no output `{}`",
            named.unwrap_or_default()
        ))
        .hint(format!("its outputs are: {}", outputs.join(", ")))
    })
}

fn column_of(batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
    let column = batch.column_by_name(name).cloned();
    column.ok_or_else(|| Error::contract("the golden rows have no such column").at_column(name))
}

fn project(batch: &RecordBatch, keeps: impl Fn(usize, &str) -> bool) -> Result<RecordBatch> {
    let schema = batch.schema();
    let kept = schema.fields().iter().enumerate();
    let kept = kept.filter(|(index, field)| keeps(*index, field.name()));
    let kept: Vec<usize> = kept.map(|(index, _)| index).collect();
    let projected = batch.project(&kept);
    projected.map_err(|error| Error::internal("columns that are not there").because(error))
}

fn with_column(batch: &RecordBatch, name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let schema = batch.schema();
    let own = schema.fields().iter().map(|field| field.name().as_str());
    let columns = own.zip(batch.columns().iter().cloned());
    RecordBatch::try_from_iter_with_nullable(
        columns
            .chain([(name, column)])
            .map(|(name, column)| (name, column, true)),
    )
    .map_err(|error| Error::internal("answers of different lengths").because(error))
}

/// Samples what comes out; rejected rows are not among it.
struct Receiving {
    sample: Sample,
}

impl Receiver for Receiving {
    fn write(&mut self, _part: u64, output: &RecordBatch) -> Result<()> {
        self.sample.add(output)
    }

    fn reject(
        &mut self,
        _part: u64,
        _file: usize,
        _rows: &RecordBatch,
        _rejections: &[Rejection],
    ) -> Result<()> {
        Ok(())
    }

    fn end_part(&mut self, _account: &PartAccount, _seen: &Partials) -> Result<()> {
        Ok(())
    }
}
