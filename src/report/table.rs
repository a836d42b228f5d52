//! The report as a table: one row a fact, so that a year of reports is one table.
//!
//! Owns the columns, both ways. It must not know in which format of tables they are stored.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};

use super::facts::{Fact, Value};
use super::renderer::{Rendered, Renderer, Report};
use crate::error::{Error, Result};

/// Renders the facts as rows; the head names the run.
#[derive(Clone, Copy, Debug)]
pub struct Table;

impl Renderer for Table {
    fn name(&self) -> &'static str {
        "table"
    }

    fn render(&self, report: &Report<'_>) -> Result<Rendered> {
        let run_id = report.text("run_id").unwrap_or_default();
        Ok(Rendered::Table(table(run_id, report.facts)?))
    }
}

/// The facts in a table of [`schema`], each with its run's name; none if the table is another one.
/// Columns may be of other types, as CSV files give them.
#[must_use]
pub fn from_table(batch: &RecordBatch) -> Option<Vec<(String, Fact)>> {
    let texts = |name: &str| cast(batch.column_by_name(name)?, &DataType::Utf8).ok();
    let (run_ids, sections, subjects) = (texts("run_id")?, texts("section")?, texts("subject")?);
    let (metrics, values, units) = (texts("metric")?, texts("text")?, texts("unit")?);
    let numbers = cast(batch.column_by_name("value")?, &DataType::Float64).ok()?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let fact = |row: usize| {
        let text = |column: &ArrayRef| column.as_string::<i32>().value(row).to_owned();
        let value = if numbers.is_valid(row) {
            Value::Number(numbers.value(row))
        } else {
            Value::Text(text(&values))
        };
        let fact = Fact {
            section: text(&sections).into(),
            subject: text(&subjects),
            metric: text(&metrics),
            value,
            unit: text(&units).into(),
        };
        (text(&run_ids), fact)
    };
    Some((0..batch.num_rows()).map(fact).collect())
}

/// The report's columns: `run_id`, `section`, `subject`, `metric`, `value` (double, null for
/// texts), `text` (null for numbers), `unit`.
#[must_use]
pub fn schema() -> SchemaRef {
    let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("run_id", false),
        text("section", false),
        text("subject", false),
        text("metric", false),
        Field::new("value", DataType::Float64, true),
        text("text", true),
        text("unit", false),
    ]))
}

/// The facts of one run as a batch of [`schema`].
///
/// # Errors
/// An internal error if the columns do not fit the schema.
pub fn table(run_id: &str, facts: &[Fact]) -> Result<RecordBatch> {
    let texts = |of: &dyn Fn(&Fact) -> String| {
        Arc::new(
            facts
                .iter()
                .map(|fact| Some(of(fact)))
                .collect::<StringArray>(),
        )
    };
    let text = |fact: &Fact| {
        if let Value::Text(value) = &fact.value {
            Some(value.clone())
        } else {
            None
        }
    };
    let columns: Vec<ArrayRef> = vec![
        texts(&|_| run_id.to_owned()),
        texts(&|fact| fact.section.clone().into_owned()),
        texts(&|fact| fact.subject.clone()),
        texts(&|fact| fact.metric.clone()),
        Arc::new(facts.iter().map(Fact::as_number).collect::<Float64Array>()),
        Arc::new(facts.iter().map(text).collect::<StringArray>()),
        texts(&|fact| fact.unit.clone().into_owned()),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|error| {
        Error::internal("the report's columns do not fit its schema").because(error)
    })
}
