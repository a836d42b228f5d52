//! Rejected rows as a table: their values as they were read, where they come from, and what is
//! wrong with them.
//!
//! Owns the table's columns. Who writes it, and where, is the destination's.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::pipeline::Job;
use crate::pipeline::scoring::Rejection;
use crate::storage::Location;
use crate::table::dataset::Dataset;

/// The columns behind the row's own: the file, the row in it (from 1), the first column that was
/// refused, or the rule that the row does not meet, a code and a text.
pub const COLUMNS: [&str; 5] = [
    "rejected_file",
    "rejected_row",
    "rejected_column",
    "rejected_reason",
    "rejected_message",
];

/// Whether a file is a table of rejected rows.
#[must_use]
pub fn is_table(path: &Location) -> bool {
    let has_columns = |dataset: Arc<Dataset>| {
        COLUMNS
            .iter()
            .all(|name| dataset.schema().column_with_name(name).is_some())
    };
    Dataset::of_file(path).is_ok_and(has_columns)
}

/// Makes the table.
#[derive(Debug)]
pub struct Quarantine {
    schema: SchemaRef,
    paths: Vec<Location>,
    /// The columns that feed the model, in the order of its inputs, then the names of the rules.
    refusing: Vec<String>,
}

impl Quarantine {
    /// The quarantine of a job.
    ///
    /// # Errors
    /// A contract error if the data has a column of the name of one of [`COLUMNS`].
    pub fn new(job: &Job) -> Result<Self> {
        let table = job.mask.schema(&job.table_schema);
        let own = table.fields();
        if let Some(field) = own
            .iter()
            .find(|field| COLUMNS.contains(&field.name().as_str()))
        {
            let error = Error::contract(
                "the data has a column of the same name as one that rejected rows get",
            )
            .at_column(field.name());
            return Err(error.hint("rename it with `--rename`"));
        }
        let ours = COLUMNS.map(|name| {
            Field::new(
                name,
                if name == "rejected_row" {
                    DataType::Int64
                } else {
                    DataType::Utf8
                },
                false,
            )
        });
        let fields: Vec<Field> = own
            .iter()
            .map(|field| field.as_ref().clone())
            .chain(ours)
            .collect();
        let refusing = job.refusing().into_iter().map(str::to_owned).collect();
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
            paths: job
                .dataset
                .files
                .iter()
                .map(|file| file.name.clone())
                .collect(),
            refusing,
        })
    }

    /// The table's columns, in the types that files declare.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Rows of one file as rows of the table; their own columns keep the types that they were read
    /// as.
    ///
    /// # Errors
    /// An internal error if there are not as many rows as rejections.
    pub fn batch(
        &self,
        file: usize,
        rows: &RecordBatch,
        rejections: &[Rejection],
    ) -> Result<RecordBatch> {
        let texts = |of: &dyn Fn(&Rejection) -> String| {
            Arc::new(
                rejections
                    .iter()
                    .map(|one| Some(of(one)))
                    .collect::<StringArray>(),
            ) as ArrayRef
        };
        let path = self.paths[file].text();
        let ours: [ArrayRef; 5] = [
            texts(&|_| path.clone()),
            Arc::new(
                rejections
                    .iter()
                    .map(|one| one.number as i64)
                    .collect::<Int64Array>(),
            ),
            texts(&|one| self.refusing[one.input].clone()),
            texts(&|one| one.reason.code().to_owned()),
            texts(&|one| one.reason.message().to_owned()),
        ];
        let columns: Vec<ArrayRef> = rows.columns().iter().cloned().chain(ours).collect();
        let fields = self
            .schema
            .fields()
            .iter()
            .zip(&columns)
            .map(|(field, column)| {
                field
                    .as_ref()
                    .clone()
                    .with_data_type(column.data_type().clone())
            });
        let schema = Schema::new(
            fields
                .map(|field| field.with_nullable(true))
                .collect::<Vec<_>>(),
        );
        RecordBatch::try_new(Arc::new(schema), columns)
            .map_err(|error| Error::internal("rejected rows do not fit their table").because(error))
    }
}
