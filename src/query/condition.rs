//! Conditions on rows: several expressions that are true or false, computed at once by polars.
//!
//! Owns the step from texts to a boolean for each row and condition. The text is SQL as everywhere
//! in this room, understood and checked against the table's columns by the same parser; polars
//! computes what it gives the same meaning, the rest is computed here before. A row meets a
//! condition if that is true: null, and what cannot be computed for the row, is not. It must not
//! know what becomes of the rows.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Schema};

use super::evaluate::{Rows, attempted};
use super::expression::Expression;
use super::formula::Formula;
use super::frame::Column;
use super::pieces::in_pieces;
use super::translation::{Source, Translator};
use super::{empty_column, rows_of, value};
use crate::error::{Error, Result};
use crate::panics::caught;

/// What polars may take of the stack, however deep a condition nests.
const STACK: usize = 16 << 20;

/// Conditions, bound to the columns of a table.
#[derive(Debug)]
pub struct Conditions {
    columns: BTreeSet<String>,
    /// Those that are read as they are written, too.
    texts: BTreeSet<String>,
    sources: Vec<Source>,
    formulas: Vec<Formula>,
}

impl Conditions {
    /// Parses the conditions and binds them to a table of this schema, in which numbers of the
    /// columns `written` stand as text.
    ///
    /// # Errors
    /// A usage error for text that is not an expression or looks at other rows; a contract error
    /// for a column that the table does not have, for types that do not fit, and for what is not
    /// true or false.
    pub fn new(texts: &[&str], schema: &Schema, written: &BTreeSet<String>) -> Result<Self> {
        let parsed = texts.iter();
        let parsed = parsed.map(|text| Expression::parse(text, schema, written));
        let parsed = parsed.collect::<Result<Vec<_>>>()?;
        let columns: BTreeSet<String> = parsed.iter().flat_map(Expression::columns).collect();
        let texts: BTreeSet<String> = parsed.iter().flat_map(Expression::texts).collect();
        let empty = rows_of(&columns, &texts, 0, |name| empty_column(schema, name))?;
        let mut translator = Translator::new(&empty);
        let mut formulas = Vec::with_capacity(parsed.len());
        for expression in &parsed {
            let found = expression.check(&empty)?;
            if !matches!(found, DataType::Boolean | DataType::Null) {
                return Err(Error::contract(format!(
                    "the expression `{}` gives {}, not true or false",
                    expression.text(),
                    value::name_of(&found)
                ))
                .hint("compare the value with something, such as `amount > 0`"));
            }
            formulas.push(translator.condition(expression.node()));
        }
        Ok(Self {
            sources: translator.into_sources(),
            columns,
            texts,
            formulas,
        })
    }

    /// The columns of the table that the conditions read.
    #[must_use]
    pub fn columns(&self) -> &BTreeSet<String> {
        &self.columns
    }

    /// Those of them whose text the conditions read: batches have it as [`super::text_name`].
    #[must_use]
    pub fn texts(&self) -> &BTreeSet<String> {
        &self.texts
    }

    /// The columns that are computed before polars sees the rows.
    #[must_use]
    pub fn computed_count(&self) -> usize {
        let computed = self.sources.iter();
        computed
            .filter(|source| matches!(source, Source::Computed(_)))
            .count()
    }

    /// For each condition, whether each row meets it; without nulls.
    ///
    /// # Errors
    /// Fails if there is not enough memory; an internal error if the batch does not have the
    /// columns that the conditions were bound to.
    pub fn hold(&self, batch: &RecordBatch) -> Result<Vec<BooleanArray>> {
        if self.formulas.is_empty() {
            return Ok(Vec::new());
        }
        let count = batch.num_rows();
        if count == 0 {
            let none = || BooleanArray::from(Vec::<bool>::new());
            return Ok(self.formulas.iter().map(|_| none()).collect());
        }
        let rows = rows_of(&self.columns, &self.texts, count, |name| {
            batch.column_by_name(name).cloned()
        })?;
        let columns = self.sources.iter().map(|source| {
            Column::new(&values(source, &rows)?)
                .ok_or_else(|| Error::internal("a value of a type that polars does not know"))
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let met = self.formulas.iter();
        met.map(|formula| met_by_rows(formula, &columns, count))
            .collect()
    }
}

/// Whether each row meets a formula; null is no.
fn met_by_rows(formula: &Formula, columns: &[Column], count: usize) -> Result<BooleanArray> {
    let work = || {
        let computed = stacker::grow(STACK, || formula.booleans(columns));
        computed.ok_or_else(|| Error::internal("polars cannot compute a rule"))
    };
    let computed = caught("polars stopped at a rule", work)?;
    let is_met = |value: Option<bool>| value.unwrap_or(false);
    match computed.len() {
        length if length == count => Ok(computed.iter().map(|value| Some(is_met(value))).collect()),
        // Of constants alone.
        1 => Ok(BooleanArray::from(vec![is_met(computed.get(0)); count])),
        _ => Err(Error::internal("a rule was computed for other rows")),
    }
}

fn values(source: &Source, rows: &Rows) -> Result<ArrayRef> {
    match source {
        Source::Column(name) => rows.columns.get(name).cloned().ok_or_else(|| {
            Error::internal("a batch is missing a column that a rule reads").at_column(name)
        }),
        Source::Computed(node) => in_pieces(
            rows,
            |piece| attempted(node, piece).and_then(|value| value.expanded(piece.count)),
            |fault, _| {
                let error = Error::failed(format!("cannot compute a rule: {}", fault.message));
                fault.hint.into_iter().fold(error, Error::hint)
            },
        ),
    }
}

#[cfg(test)]
mod tests;
