//! The rows that a run scores: derived columns appended, filtered rows dropped, every row's place in its file remembered.
//!
//! In delimited text all columns are text; the columns that the model reads as numbers are numbers to the expressions as well, while the
//! model's encoder still sees the text itself, with its own policies for what is no number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::contract::{Contract, Input, InputKind};
use crate::error::{Error, Result};
use crate::feature::number::parse;
use crate::table::query::{Derived, Query, Selection as Selected};

/// A query, and which text columns are numbers to it.
#[derive(Debug)]
pub struct Selection {
    query: Query,
    numeric: Vec<String>,
    missing_tokens: Vec<String>,
    derived_count: usize,
}

impl Selection {
    /// Binds filter and derived columns to a table of this schema; none if there are none. In text files (`is_text`) the inputs that `contract`
    /// calls numbers are numbers.
    ///
    /// # Errors
    /// What [`Query::new`] finds wrong with an expression.
    pub fn new(
        filter: Option<&str>,
        derived: &[Derived],
        schema: &Schema,
        is_text: bool,
        contract: &Contract,
        missing_tokens: &[String],
    ) -> Result<Option<Self>> {
        if filter.is_none() && derived.is_empty() {
            return Ok(None);
        }
        let is_category = |input: &Input| matches!(input.kind, InputKind::Category(_) | InputKind::HashedCategory(_));
        let is_numeric = |name: &str| is_text && contract.inputs.iter().any(|input| input.name == name && !is_category(input));
        let typed = schema
            .fields()
            .iter()
            .map(|field| if is_numeric(field.name()) { Arc::new(Field::new(field.name(), DataType::Float64, true)) } else { field.clone() });
        let query = Query::new(filter, derived, &Schema::new(typed.collect::<Vec<_>>()))?;
        let numeric = query.columns().iter().filter(|name| is_numeric(name)).cloned().collect();
        Ok(Some(Self { query, numeric, missing_tokens: missing_tokens.to_vec(), derived_count: derived.len() }))
    }

    /// Whether an expression reads the column of the table, or the derived one.
    #[must_use]
    pub fn reads(&self, column: &str) -> bool {
        self.query.columns().contains(column) || self.query.derived_columns().contains(column)
    }

    /// `schema` with the derived columns at its end.
    #[must_use]
    pub fn widened(&self, schema: &Schema) -> SchemaRef {
        let all = self.query.schema().fields();
        let derived = &all[all.len() - self.derived_count..];
        Arc::new(Schema::new(schema.fields().iter().chain(derived).cloned().collect::<Vec<_>>()))
    }

    /// The rows that pass, with the derived columns, and their positions in `batch`; no positions if all pass.
    ///
    /// # Errors
    /// Fails if a value cannot be computed.
    pub fn apply(&self, batch: &RecordBatch) -> Result<(RecordBatch, Option<Vec<u32>>)> {
        let selected = if self.numeric.is_empty() { self.query.apply(batch)? } else { self.apply_to_text(batch)? };
        let kept_rows = selected.kept.is_some().then(|| selected.kept_rows().map(|row| row as u32).collect());
        Ok((selected.batch, kept_rows))
    }

    /// The expressions see numbers; what goes on is the text itself.
    fn apply_to_text(&self, batch: &RecordBatch) -> Result<Selected> {
        let internal = |error| Error::internal("a batch of text and numbers").because(error);
        let columns =
            batch.schema().fields().iter().zip(batch.columns()).map(|(field, column)| self.seen(field.name(), column)).collect::<Vec<ArrayRef>>();
        let fields = batch
            .schema()
            .fields()
            .iter()
            .zip(&columns)
            .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
            .collect::<Vec<_>>();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let seen = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(internal)?;
        let selected = self.query.apply(&seen)?;
        let own = match &selected.kept {
            Some(kept) => filter_record_batch(batch, kept).map_err(internal)?,
            None => batch.clone(),
        };
        let derived = &selected.batch.columns()[batch.num_columns()..];
        let columns = own.columns().iter().chain(derived).cloned().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(own.num_rows()));
        let batch = RecordBatch::try_new_with_options(self.widened(&batch.schema()), columns, &options).map_err(internal)?;
        Ok(Selected { batch, kept: selected.kept })
    }

    fn seen(&self, name: &str, column: &ArrayRef) -> ArrayRef {
        let Some(texts) = column.as_string_opt::<i32>().filter(|_| self.numeric.iter().any(|numeric| numeric == name)) else { return column.clone() };
        let number = |text: Option<&str>| text.filter(|text| !self.missing_tokens.iter().any(|token| token == text)).and_then(parse);
        Arc::new(texts.iter().map(number).collect::<Float64Array>())
    }
}
