//! The fact: one measured thing about a run, and facts as a table.

use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::error::{Error, Result};

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; counts are exact to 2^53.
    Number(f64),
    /// A text, such as a digest or a version.
    Text(String),
}

/// One measured thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The report's section: run, ledger, coercions, model, performance, scores.
    pub section: &'static str,
    /// What it is about: a file, a column, a stage; empty for the run as a whole.
    pub subject: String,
    /// What was measured.
    pub metric: String,
    /// The measured value.
    pub value: Value,
    /// The unit: rows, seconds, bytes, …; empty for none.
    pub unit: &'static str,
}

impl Fact {
    /// A number with its unit.
    #[must_use]
    pub fn number(section: &'static str, subject: impl Into<String>, metric: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { section, subject: subject.into(), metric: metric.into(), value: Value::Number(value), unit }
    }

    /// A count of things.
    #[must_use]
    pub fn count(section: &'static str, subject: impl Into<String>, metric: impl Into<String>, value: u64, unit: &'static str) -> Self {
        Self::number(section, subject, metric, value as f64, unit)
    }

    /// A text.
    #[must_use]
    pub fn text(section: &'static str, subject: impl Into<String>, metric: impl Into<String>, value: impl Into<String>) -> Self {
        Self { section, subject: subject.into(), metric: metric.into(), value: Value::Text(value.into()), unit: "" }
    }

    /// How the run ended, if that is what the fact says.
    #[must_use]
    pub fn as_status(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if (self.section, self.metric.as_str()) == ("run", "status") => Some(text),
            _ => None,
        }
    }
}

/// The report's columns: `run_id`, `section`, `subject`, `metric`, `value` (double, null for texts), `text` (null for numbers), `unit`.
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
    let texts = |of: &dyn Fn(&Fact) -> String| Arc::new(facts.iter().map(|fact| Some(of(fact))).collect::<StringArray>());
    let number = |fact: &Fact| if let Value::Number(value) = fact.value { Some(value) } else { None };
    let text = |fact: &Fact| if let Value::Text(value) = &fact.value { Some(value.clone()) } else { None };
    let columns: Vec<arrow::array::ArrayRef> = vec![
        texts(&|_| run_id.to_owned()),
        texts(&|fact| fact.section.to_owned()),
        texts(&|fact| fact.subject.clone()),
        texts(&|fact| fact.metric.clone()),
        Arc::new(facts.iter().map(number).collect::<Float64Array>()),
        Arc::new(facts.iter().map(text).collect::<StringArray>()),
        texts(&|fact| fact.unit.to_owned()),
    ];
    RecordBatch::try_new(schema(), columns).map_err(|error| Error::internal("the report's columns do not fit its schema").because(error))
}
