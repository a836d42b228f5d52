//! The fact: one measured thing about a run, and facts as a table.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};

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
    pub section: Cow<'static, str>,
    /// What it is about: a file, a column, a stage; empty for the run as a whole.
    pub subject: String,
    /// What was measured.
    pub metric: String,
    /// The measured value.
    pub value: Value,
    /// The unit: rows, seconds, bytes, …; empty for none.
    pub unit: Cow<'static, str>,
}

impl Fact {
    /// A number with its unit.
    #[must_use]
    pub fn number(
        section: &'static str,
        subject: impl Into<String>,
        metric: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Self {
            section: section.into(),
            subject: subject.into(),
            metric: metric.into(),
            value: Value::Number(value),
            unit: unit.into(),
        }
    }

    /// A count of things.
    #[must_use]
    pub fn count(
        section: &'static str,
        subject: impl Into<String>,
        metric: impl Into<String>,
        value: u64,
        unit: &'static str,
    ) -> Self {
        Self::number(section, subject, metric, value as f64, unit)
    }

    /// A text.
    #[must_use]
    pub fn text(
        section: &'static str,
        subject: impl Into<String>,
        metric: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        Self {
            section: section.into(),
            subject: subject.into(),
            metric: metric.into(),
            value: Value::Text(value.into()),
            unit: "".into(),
        }
    }

    /// The value, if it is a number.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        if let Value::Number(number) = self.value {
            Some(number)
        } else {
            None
        }
    }

    /// The value, if it is a text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// How the run ended, if that is what the fact says.
    #[must_use]
    pub fn as_status(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if (&*self.section, self.metric.as_str()) == ("run", "status") => {
                Some(text)
            }
            _ => None,
        }
    }
}

/// A fact about `subject`, which is empty for the run as a whole.
#[must_use]
pub fn find<'a>(facts: &'a [Fact], section: &str, subject: &str, metric: &str) -> Option<&'a Fact> {
    facts
        .iter()
        .find(|fact| fact.section == section && fact.subject == subject && fact.metric == metric)
}

/// A text about the run as a whole.
#[must_use]
pub fn text<'a>(facts: &'a [Fact], section: &str, metric: &str) -> Option<&'a str> {
    match &find(facts, section, "", metric)?.value {
        Value::Text(text) => Some(text),
        Value::Number(_) => None,
    }
}

/// A number about `subject`, which is empty for the run as a whole.
#[must_use]
pub fn number(facts: &[Fact], section: &str, subject: &str, metric: &str) -> Option<f64> {
    find(facts, section, subject, metric)?.as_number()
}

/// The facts of a section.
pub fn of_section<'a>(facts: &'a [Fact], section: &'a str) -> impl Iterator<Item = &'a Fact> {
    facts.iter().filter(move |fact| fact.section == section)
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
