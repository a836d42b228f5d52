//! The front door for Rust programs: a model that is opened once, batches of rows in memory in,
//! batches of answers out.
//!
//! Owns how rooms are put together for rows that are in no file. It must not know files of tables,
//! reports or threads: a predictor scores on the caller's thread, and any number of threads may
//! share one.

use std::sync::{Arc, RwLock};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::compute::{cast, nullif};
use arrow::datatypes::{Field, Schema, SchemaRef};

use crate::contract::Contract;
use crate::contract::binding::{BindingOptions, bind, fed_columns};
use crate::error::{Error, Result};
use crate::feature::encode::Encoder;
use crate::feature::missing::MissingValues;
use crate::feature::verdict::{Origin, Reason};
use crate::format::ImportOptions;
use crate::model::LoadedModel;
use crate::package::open::{Identity, OpenedModel, open};
use crate::pipeline::scoring::{Rejection, Scored, Scoring};
use crate::pipeline::selection::Selection;
use crate::plan::text;
use crate::query::Derived;
use crate::request::text::TextModel;
use crate::storage::Location;
use crate::table::batch::of_columns;
use crate::table::dataset::Dataset;

/// What rows in memory are called in messages.
const ORIGIN: &str = "rows in memory";

/// A model ready to score rows in memory.
///
/// Columns are bound by name, as `tallow score` binds those of a Parquet file, with the package's
/// policies and derived columns. A predictor may be shared by threads.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let batch = arrow::array::RecordBatch::new_empty(arrow::datatypes::Schema::empty().into());
/// let predictor = tallow::Predictor::open("data/demo/churn")?;
/// let answers = predictor.predict(&batch)?;
/// println!("{:?}", answers.batch.column_by_name("probability"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Predictor {
    model: Arc<LoadedModel>,
    derived: Vec<Derived>,
    identity: Identity,
    options: PredictorOptions,
    bound: RwLock<Option<BoundPredictor>>,
}

/// How a model is opened, bound and asked.
#[derive(Clone, Debug, Default)]
pub struct PredictorOptions {
    /// What is asked of the model's file.
    pub import: ImportOptions,
    /// Which columns feed the model, and what is done with missing and unseen values.
    pub binding: BindingOptions,
    /// The probability from which the positive class is predicted; none: the model's own.
    pub threshold: Option<f64>,
    /// Whether the answers hold the margins, too.
    pub raw: bool,
}

/// The answers to a batch.
#[derive(Clone, Debug)]
pub struct Predictions {
    /// One row for each row of the batch, in its order; a rejected row is null in every column.
    pub batch: RecordBatch,
    /// The rows that a policy rejected, in order.
    pub rejected: Vec<Rejected>,
}

/// A row without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The row's index in the batch.
    pub row: usize,
    /// The column that refused it.
    pub column: String,
    /// Why.
    pub reason: Reason,
}

/// A model bound to batches of one schema: which column feeds which input is decided, and
/// everything that could be wrong with the columns was found. A clone is cheap, and threads may
/// share one.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let batches: Vec<arrow::array::RecordBatch> = Vec::new();
/// # let schema = arrow::datatypes::Schema::empty().into();
/// let bound = tallow::Predictor::open("data/demo/churn")?.bind(&schema)?;
/// for batch in &batches {
///     println!("{} rows", bound.predict(batch)?.batch.num_rows());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BoundPredictor(Arc<Bound>);

#[derive(Debug)]
struct Bound {
    model: Arc<LoadedModel>,
    raw: bool,
    schema: SchemaRef,
    /// The columns with the types that encoders read.
    read: SchemaRef,
    selection: Option<Selection>,
    scoring: Scoring,
}

impl Predictor {
    /// Opens a model: a package, a model file or a directory, whatever `tallow score` takes.
    ///
    /// # Errors
    /// As `tallow score`: a file that is broken, untrusted or of no known format.
    pub fn open(path: impl Into<Location>) -> Result<Self> {
        Self::with_options(path, PredictorOptions::default())
    }

    /// As [`Predictor::open`], with options.
    ///
    /// # Errors
    /// As [`Predictor::open`]; a usage error for a threshold that is not a probability or that the
    /// model has no use for.
    pub fn with_options(path: impl Into<Location>, options: PredictorOptions) -> Result<Self> {
        let opened = open(&path.into(), &options.import)?;
        let identity = opened.identity();
        let OpenedModel {
            mut loaded,
            derived,
            ..
        } = opened;
        if let Some(threshold) = options.threshold {
            loaded.outcome.task.set_threshold(threshold)?;
        }
        Ok(Self {
            model: Arc::new(loaded),
            derived,
            identity,
            options,
            bound: RwLock::default(),
        })
    }

    /// Which model it is: name, version, digest, format.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The columns that the model reads.
    #[must_use]
    pub fn contract(&self) -> &Contract {
        &self.model.contract
    }

    /// The columns of the answers.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        fields(&self.model, self.options.raw)
    }

    /// Scores the rows of `batch`. Answers are those of `tallow score` for a Parquet file of the
    /// same rows, bit for bit, and do not depend on how rows are cut into batches.
    ///
    /// # Errors
    /// A contract error if a column is missing or of the wrong type; an error at the first row that
    /// a policy refuses, where the policy is to stop.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Predictions> {
        self.bound_to(&batch.schema())?.predict(batch)
    }

    /// The binding to this schema: the last one, if it is the same.
    fn bound_to(&self, schema: &SchemaRef) -> Result<BoundPredictor> {
        let last = self.bound.read().ok().and_then(|bound| bound.clone());
        if let Some(last) = last.filter(|last| last.0.schema == *schema) {
            return Ok(last);
        }
        let bound = self.bind(schema)?;
        if let Ok(mut last) = self.bound.write() {
            *last = Some(bound.clone());
        }
        Ok(bound)
    }

    /// Binds the model to batches of a schema before there is a row.
    ///
    /// # Errors
    /// A contract error that names the column if one is missing or of the wrong type.
    pub fn bind(&self, schema: &SchemaRef) -> Result<BoundPredictor> {
        let table = Dataset::of_schema(schema.clone());
        let (contract, missing) = (&self.model.contract, MissingValues::default());
        let mut options = BindingOptions {
            renaming: contract.renaming,
            ..self.options.binding.clone()
        };
        let fed = fed_columns(contract, schema, &options)?;
        let selection = Selection::new(None, &self.derived, schema, &fed, &missing)?;
        let widen = |schema: &SchemaRef| match &selection {
            Some(selection) => selection.widened(schema),
            None => schema.clone(),
        };
        let wide = widen(schema);
        if text::reads_texts(contract) && options.features.is_none() {
            options.features = text::columns(&TextModel::default(), contract, &wide, false)?;
        }
        let inputs = bind(contract, &wide, &table, &options)?;
        let encoder = Encoder::new(inputs, &missing, self.model.model.precision());
        let read = table.as_read(schema);
        let scoring = Scoring::new(self.model.clone(), encoder, &widen(&read), self.options.raw)?;
        Ok(BoundPredictor(Arc::new(Bound {
            model: self.model.clone(),
            raw: self.options.raw,
            scoring: scoring.with_offsets(options.offset.len()),
            schema: schema.clone(),
            read,
            selection,
        })))
    }
}

impl BoundPredictor {
    /// Scores the rows of `batch`, as [`Predictor::predict`] does.
    ///
    /// # Errors
    /// A contract error for a batch of other columns than those that were bound; an error at the
    /// first row that a policy refuses, where the policy is to stop.
    pub fn predict(&self, batch: &RecordBatch) -> Result<Predictions> {
        let Self(bound) = self;
        bound.check(&batch.schema())?;
        let rows = bound.as_read(batch)?;
        let rows = match &bound.selection {
            Some(selection) => selection.apply(&rows)?.0,
            None => rows,
        };
        let scored = bound.score(&rows)?;
        bound.answers(scored, rows.num_rows())
    }

    /// The columns of the answers.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        fields(&self.0.model, self.0.raw)
    }

    /// What feeds the model: each input with its column, in the model's order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str)> {
        let inputs = self.0.scoring.encoder().inputs();
        inputs.map(|bound| (bound.input.name.as_str(), bound.column.as_str()))
    }
}

/// The columns of the answers of a model.
fn fields(model: &LoadedModel, raw: bool) -> Vec<Field> {
    let LoadedModel { model, outcome, .. } = model;
    let fields = outcome.fields(model.margin_count(), model.precision(), raw);
    fields
        .into_iter()
        .map(|field| field.with_nullable(true))
        .collect()
}

impl Bound {
    /// Checks that a batch has the columns that were bound, in their order.
    fn check(&self, schema: &SchemaRef) -> Result<()> {
        let column = |field: &Arc<Field>| (field.name().clone(), field.data_type().clone());
        let [bound, own] = [&self.schema, schema].map(|schema| schema.fields().iter().map(column));
        if bound.eq(own) {
            return Ok(());
        }
        let error = Error::contract("the batch has other columns than those that were bound");
        Err(error.hint("bind the predictor to the batch's schema, or call `Predictor::predict`"))
    }

    fn answers(&self, scored: Scored, row_count: usize) -> Result<Predictions> {
        let mut columns = scored.columns;
        if !scored.rejections.is_empty() {
            let mut is_rejected = vec![false; row_count];
            scored
                .rejections
                .iter()
                .for_each(|one| is_rejected[one.row] = true);
            let is_rejected = BooleanArray::from(is_rejected);
            let blank = |column: &ArrayRef| nullif(column, &is_rejected);
            columns = columns
                .iter()
                .map(blank)
                .collect::<std::result::Result<_, _>>()
                .map_err(|error| Error::internal("rejected rows stay").because(error))?;
        }
        let names: Vec<&str> = self
            .scoring
            .encoder()
            .inputs()
            .map(|input| input.column.as_str())
            .collect();
        let rejected = |one: &Rejection| Rejected {
            row: one.row,
            column: names.get(one.input).copied().unwrap_or_default().to_owned(),
            reason: one.reason,
        };
        Ok(Predictions {
            batch: batch_of(fields(&self.model, self.raw), columns, row_count)?,
            rejected: scored.rejections.iter().map(rejected).collect(),
        })
    }

    /// The columns of the batch in the types that encoders read.
    fn as_read(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let read = |(field, column): (&Arc<Field>, &ArrayRef)| {
            cast(column, field.data_type()).map_err(|error| {
                Error::contract("the column cannot be read")
                    .at_column(field.name())
                    .because(error)
            })
        };
        let columns = self.read.fields().iter().zip(batch.columns()).map(read);
        let fields = self.read.fields().iter().map(|field| (**field).clone());
        batch_of(
            fields.collect(),
            columns.collect::<Result<_>>()?,
            batch.num_rows(),
        )
    }

    fn score(&self, rows: &RecordBatch) -> Result<Scored> {
        let origin = Origin {
            path: &Location::from(ORIGIN),
            kept_rows: None,
            first_row: 0,
        };
        let mut scorer = self.scoring.scorer();
        let (row_count, block_rows) = (rows.num_rows(), self.scoring.block_rows());
        let blocks = (0..row_count).step_by(block_rows).map(|start| {
            let end = (start + block_rows).min(row_count);
            scorer.score(rows, start..end, origin, None)
        });
        let blocks = blocks.collect::<Result<_>>()?;
        self.scoring.gather(blocks)
    }
}

fn batch_of(fields: Vec<Field>, columns: Vec<ArrayRef>, row_count: usize) -> Result<RecordBatch> {
    of_columns(Arc::new(Schema::new(fields)), columns, row_count)
        .map_err(|error| Error::internal("columns that do not fit their schema").because(error))
}
