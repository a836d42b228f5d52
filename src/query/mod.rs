//! SQL over rows: filters and derived columns.
//!
//! Owns the step from an expression's text to its value for every row of a record batch. It must
//! not know models or files.
//!
//! **How it counts.** As `DuckDB` does; `data/golden/sql.py` compares thousands of expressions.
//! Integers are computed with in 64 bits, whatever their column's type, and decimals exactly;
//! a result beyond their range stops the run at its row and never wraps. `/` divides as floats,
//! `//` cuts towards 0, `%` has the sign of what is divided, halves are rounded away from 0. NaN
//! equals NaN and is above every number. A comparison with null is null, and a filter that is null
//! drops its row. `CASE` and `COALESCE` compute a branch only for the rows that come to it.
//!
//! **Where it is stricter.** Names of columns are case-exact. A text is read as a date, a timestamp
//! or a number exactly or not at all. `//` is for integers. There are no implicit
//! casts but those among numbers, from dates to timestamps, and of a text that stands in the
//! expression.
//!
//! **Row by row only.** Aggregates, windows and subqueries are refused by name, since batches are
//! cut arbitrarily; so is what changes from run to run, such as `NOW()` and `RANDOM()`.
//!
//! **Only what is read.** A derived column that nothing reads is checked, not computed; one that
//! the filter does not read is computed for the rows that pass. A [`Query`] is immutable and may be
//! applied from many threads at once.

mod arithmetic;
mod calendar;
mod comparison;
pub mod condition;
mod conversion;
mod date_text;
mod evaluate;
mod expression;
mod formula;
mod frame;
mod functions;
mod items;
mod made_text;
mod maths;
mod moments;
mod node;
#[cfg(test)]
mod number_tests;
mod parse;
mod pattern;
mod pieces;
mod special;
mod sql_type;
mod strings;
#[cfg(test)]
mod tests;
mod text_cast;
mod translation;
mod value;
mod width;
mod written;

pub use self::written::text_name;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, new_empty_array};
use arrow::compute::{filter, filter_record_batch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use self::evaluate::Rows;
use self::expression::{Expression, as_promised};
use self::value::{canonical, name_of};
use self::width::integer_digits;
use crate::error::{Error, Result};
use crate::table::batch::of_columns;

/// A column to be computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The new column's name.
    pub name: String,
    /// The SQL expression that gives its values.
    pub expression: String,
}

/// The rows of a batch that a query lets through.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The rows that passed, with the derived columns appended.
    pub batch: RecordBatch,
    /// For each row of the input whether it passed, without nulls; none if all did.
    pub kept: Option<BooleanArray>,
}

impl Selection {
    /// The number of rows that the filter took out.
    #[must_use]
    pub fn dropped(&self) -> usize {
        self.kept.as_ref().map_or(0, BooleanArray::false_count)
    }

    /// The positions in the input of the rows that passed, in order.
    pub fn kept_rows(&self) -> impl Iterator<Item = usize> + '_ {
        let passed = self.batch.num_rows();
        let all = if self.kept.is_none() { passed } else { 0 };
        (0..all).chain(
            self.kept
                .iter()
                .flat_map(|kept| kept.values().set_indices()),
        )
    }
}

/// A derived column, bound.
#[derive(Debug)]
struct Step {
    expression: Expression,
    field: FieldRef,
    /// Whether the filter reads it, straight or through another.
    is_filtered_by: bool,
}

/// Derived columns and a filter, bound to the columns of a table.
#[derive(Debug)]
pub struct Query {
    columns: BTreeSet<String>,
    /// Those that are read as they are written, too.
    texts: BTreeSet<String>,
    /// The columns of numbers whose text is at hand.
    written: BTreeSet<String>,
    /// The derived columns that a later expression reads.
    derived_columns: BTreeSet<String>,
    schema: SchemaRef,
    derived: Vec<Step>,
    filter: Option<Expression>,
}

impl Query {
    /// Parses the expressions and binds them to a table of this schema. A derived column may use
    /// those before it, the filter all.
    ///
    /// # Errors
    /// A usage error for text that is not an expression or looks at other rows; a contract error
    /// for a column that the table does not have or has already, for types that an expression does
    /// not fit, and for a filter that is not boolean.
    pub fn new(filter: Option<&str>, derived: &[Derived], schema: &Schema) -> Result<Self> {
        Self::over_texts(filter, derived, schema, BTreeSet::new())
    }

    /// The same for a table in which numbers of the columns `written` stand as text: where an
    /// expression makes a text of one, it is the one that stands there.
    ///
    /// # Errors
    /// As [`Query::new`].
    pub fn over_texts(
        filter: Option<&str>,
        derived: &[Derived],
        schema: &Schema,
        written: BTreeSet<String>,
    ) -> Result<Self> {
        let mut query = Self {
            columns: BTreeSet::new(),
            texts: BTreeSet::new(),
            written,
            derived_columns: BTreeSet::new(),
            schema: Arc::new(schema.clone()),
            derived: Vec::new(),
            filter: None,
        };
        for column in derived {
            query
                .derive(column)
                .map_err(|error| in_derived(error, &column.name))?;
        }
        if let Some(text) = filter {
            query.filter_by(text)?;
        }
        query.trace_filter();
        Ok(query)
    }

    /// The columns of the table that the expressions read.
    #[must_use]
    pub fn columns(&self) -> &BTreeSet<String> {
        &self.columns
    }

    /// Those of them whose text the expressions read: batches have it as [`text_name`].
    #[must_use]
    pub fn texts(&self) -> &BTreeSet<String> {
        &self.texts
    }

    /// The derived columns that a later expression reads.
    #[must_use]
    pub fn derived_columns(&self) -> &BTreeSet<String> {
        &self.derived_columns
    }

    /// The table's columns, then the derived ones in their order.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The fields of the derived columns.
    pub fn derived_fields(&self) -> impl Iterator<Item = &FieldRef> {
        self.derived.iter().map(|step| &step.field)
    }

    /// Forgets the derived columns that neither `is_read` nor an expression that stays reads: they
    /// need not be computed.
    pub fn keep_only(&mut self, is_read: impl Fn(&str) -> bool) {
        let mut read: BTreeSet<String> = self.filter.iter().flat_map(Expression::columns).collect();
        let mut kept = Vec::new();
        for step in std::mem::take(&mut self.derived).into_iter().rev() {
            if is_read(step.field.name()) || read.contains(step.field.name()) {
                read.extend(step.expression.columns());
                kept.push(step);
            }
        }
        kept.reverse();
        self.derived = kept;
        let is_derived = |name: &String| self.derived.iter().any(|step| step.field.name() == name);
        (self.derived_columns, self.columns) = read.into_iter().partition(is_derived);
        let steps = self.derived.iter().map(|step| &step.expression);
        let expressions = steps.chain(&self.filter);
        self.texts = expressions.flat_map(Expression::texts).collect();
        let own = self
            .schema
            .fields()
            .iter()
            .filter(|field| self.columns.contains(field.name()));
        let fields: Vec<FieldRef> = own
            .chain(self.derived.iter().map(|step| &step.field))
            .cloned()
            .collect();
        self.schema = Arc::new(Schema::new_with_metadata(
            fields,
            self.schema.metadata().clone(),
        ));
    }

    /// Appends the derived columns and drops the rows that fail the filter. The batch holds at
    /// least [`Self::columns`], of the types that the query was bound to; rows keep their order.
    ///
    /// # Errors
    /// Fails if a value cannot be computed, such as a `CAST` of text that is not a number; the row
    /// is counted from 1 in the batch.
    pub fn apply(&self, batch: &RecordBatch) -> Result<Selection> {
        let mut rows = self.rows(batch.num_rows(), |name| batch.column_by_name(name).cloned())?;
        let mut values: HashMap<&str, ArrayRef> = HashMap::new();
        for step in self.derived.iter().filter(|step| step.is_filtered_by) {
            values.insert(step.field.name(), Self::compute(step, &mut rows, batch)?);
        }
        let (mut batch, mut kept) = (batch.clone(), None);
        if let Some(filter) = &self.filter {
            let verdicts = verdicts(&filter.values(&rows)?);
            if verdicts.false_count() > 0 {
                batch = filter_record_batch(&batch, &verdicts).map_err(cannot_take)?;
                rows = taken(&rows, &verdicts)?;
                for array in values.values_mut() {
                    *array = filter_array(array, &verdicts)?;
                }
                kept = Some(verdicts);
            }
        }
        for step in self.derived.iter().filter(|step| !step.is_filtered_by) {
            let computed = Self::compute(step, &mut rows, &batch)
                .map_err(|error| error.map_row(|row| row_of(kept.as_ref(), row)))?;
            values.insert(step.field.name(), computed);
        }
        let fields = batch
            .schema()
            .fields()
            .iter()
            .chain(self.derived_fields())
            .cloned()
            .collect::<Vec<_>>();
        let derived = self
            .derived_fields()
            .filter_map(|field| values.get(field.name().as_str()));
        let arrays = batch.columns().iter().chain(derived).cloned().collect();
        let wide = Arc::new(Schema::new_with_metadata(
            fields,
            batch.schema().metadata().clone(),
        ));
        let batch = of_columns(wide, arrays, batch.num_rows()).map_err(|source| {
            Error::internal("derived columns do not fit their batch").because(source)
        })?;
        Ok(Selection { batch, kept })
    }

    /// A derived column as the output has it; later expressions compute with it as with any other.
    fn compute(step: &Step, rows: &mut Rows, batch: &RecordBatch) -> Result<ArrayRef> {
        let name = step.field.name();
        let array = step
            .expression
            .values(rows)
            .map_err(|error| in_derived(error, name))?;
        rows.add(&step.field, array.clone());
        let own = step
            .expression
            .as_column()
            .and_then(|column| batch.column_by_name(column));
        own.filter(|own| own.data_type() == step.field.data_type())
            .map_or_else(
                || as_promised(array, step.field.data_type()),
                |own| Ok(own.clone()),
            )
    }

    fn derive(&mut self, column: &Derived) -> Result<()> {
        if self.schema.column_with_name(&column.name).is_some() {
            return Err(Error::contract(format!(
                "the derived column `{}` has the name of a column that the table has",
                column.name
            ))
            .hint("give the derived column another name"));
        }
        let expression = self.bind(&column.expression)?;
        let found = expression.check(&self.empty_frame()?)?;
        if found == DataType::Null {
            return Err(Error::contract(format!(
                "the expression `{}` is always null, without a type",
                expression.text()
            ))
            .at_column(&column.name)
            .hint("wrap it in a CAST, such as CAST(… AS DOUBLE) or CAST(… AS VARCHAR)"));
        }
        let same = expression
            .as_column()
            .and_then(|name| self.schema.field_with_name(name).ok());
        let data_type = same.map_or(found, |field| field.data_type().clone());
        let field = Arc::new(Field::new(&column.name, data_type, true));
        let mut fields = self.schema.fields().to_vec();
        fields.push(field.clone());
        self.schema = Arc::new(Schema::new_with_metadata(
            fields,
            self.schema.metadata().clone(),
        ));
        self.derived.push(Step {
            expression,
            field,
            is_filtered_by: false,
        });
        Ok(())
    }

    fn filter_by(&mut self, text: &str) -> Result<()> {
        let filter = self.bind(text)?;
        let verdict = filter.check(&self.empty_frame()?)?;
        if verdict != DataType::Boolean {
            return Err(Error::contract(format!(
                "the filter `{text}` gives {}, not true or false",
                name_of(&verdict)
            ))
            .hint("`--where` takes a condition: compare the value, such as `amount > 0`"));
        }
        self.filter = Some(filter);
        Ok(())
    }

    /// Marks the derived columns that the filter reads, straight or through others.
    fn trace_filter(&mut self) {
        let mut read: BTreeSet<String> = self.filter.iter().flat_map(Expression::columns).collect();
        for step in self.derived.iter_mut().rev() {
            step.is_filtered_by = read.contains(step.field.name());
            if step.is_filtered_by {
                read.extend(step.expression.columns());
            }
        }
    }

    /// Parses an expression and notes the columns of the table that it reads.
    fn bind(&mut self, text: &str) -> Result<Expression> {
        let expression = Expression::parse(text, &self.schema, &self.written)?;
        self.texts.extend(expression.texts());
        let is_derived = |name: &String| self.derived.iter().any(|step| step.field.name() == name);
        let (derived, read): (Vec<String>, Vec<String>) =
            expression.columns().into_iter().partition(is_derived);
        self.derived_columns.extend(derived);
        self.columns.extend(read);
        Ok(expression)
    }

    /// No rows of every column that an expression may read so far.
    fn empty_frame(&self) -> Result<Rows> {
        let empty = |name: &str| empty_column(&self.schema, name);
        let mut rows = self.rows(0, empty)?;
        for step in &self.derived {
            let array = step.expression.values(&rows)?;
            rows.add(&step.field, array);
        }
        Ok(rows)
    }

    fn rows(&self, count: usize, array: impl Fn(&str) -> Option<ArrayRef>) -> Result<Rows> {
        rows_of(&self.columns, &self.texts, count, array)
    }
}

/// No rows of a column, or of its text.
fn empty_column(schema: &Schema, name: &str) -> Option<ArrayRef> {
    if written::column_of(name).1 {
        return Some(new_empty_array(&DataType::Utf8));
    }
    let field = schema.field_with_name(name).ok()?;
    Some(new_empty_array(field.data_type()))
}

/// The columns of these names, as expressions compute with them, and the texts of some.
fn rows_of(
    names: &BTreeSet<String>,
    texts: &BTreeSet<String>,
    count: usize,
    array: impl Fn(&str) -> Option<ArrayRef>,
) -> Result<Rows> {
    let (mut columns, mut integers) = (HashMap::new(), HashMap::new());
    let texts = texts.iter().map(|name| text_name(name));
    for name in names.iter().cloned().chain(texts) {
        let array = array(&name).ok_or_else(|| {
            Error::internal("a batch is missing a column that an expression reads").at_column(&name)
        })?;
        let computable = canonical(&array).ok_or_else(|| {
            let message = format!(
                "an expression reads a column of the type `{}`, which expressions cannot \
                 compute with",
                array.data_type()
            );
            Error::contract(message).at_column(&name).hint(
                "numbers, booleans, text, dates, timestamps and decimals of up to 38 digits \
                 work",
            )
        })?;
        let computable =
            computable.map_err(|fault| Error::failed(fault.message).at_column(&name))?;
        if let Some(digits) = integer_digits(array.data_type()) {
            integers.insert(name.clone(), digits);
        }
        columns.insert(name, computable);
    }
    Ok(Rows {
        columns,
        integer_digits: Arc::new(integers),
        count,
    })
}

/// The error of an expression of a derived column, which names that.
fn in_derived(error: Error, name: &str) -> Error {
    error.adding(&format!(
        ", in the derived column `{name}` of the package's manifest"
    ))
}

fn cannot_take(source: arrow::error::ArrowError) -> Error {
    Error::internal("cannot take rows from a batch").because(source)
}

fn filter_array(array: &ArrayRef, verdicts: &BooleanArray) -> Result<ArrayRef> {
    filter(array, verdicts).map_err(cannot_take)
}

fn taken(rows: &Rows, verdicts: &BooleanArray) -> Result<Rows> {
    let columns = rows
        .columns
        .iter()
        .map(|(name, column)| Ok((name.clone(), filter_array(column, verdicts)?)));
    Ok(Rows {
        columns: columns.collect::<Result<_>>()?,
        integer_digits: Arc::clone(&rows.integer_digits),
        count: verdicts.true_count(),
    })
}

/// The number, among all rows of a batch, of the one that has this number among those that passed.
fn row_of(kept: Option<&BooleanArray>, row: u64) -> u64 {
    let Some(kept) = kept else { return row };
    let index = usize::try_from(row.saturating_sub(1))
        .ok()
        .and_then(|index| kept.values().set_indices().nth(index));
    index.map_or(row, |index| index as u64 + 1)
}

/// Which rows pass; null does not.
fn verdicts(array: &ArrayRef) -> BooleanArray {
    array
        .as_boolean()
        .iter()
        .map(|verdict| Some(verdict == Some(true)))
        .collect()
}
