//! Rules of a run: conditions that rows, columns and the table should meet.
//!
//! Owns what a rule asks of a portion, as expressions see it, and which rows are rejected for it.
//! Conditions on rows are judged once for each portion; what they are counted for is an
//! [observer's](super::observer) business. It must not know reports.

mod example;
mod form;

use std::collections::{BTreeSet, HashMap};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, max};
use arrow::datatypes::{DataType, Schema, TimeUnit, TimestampMicrosecondType};

use self::form::Form;
use super::mask::Mask;
use super::scoring::Rejection;
use super::selection::View;
use crate::contract::Input;
use crate::contract::renaming::column_names;
use crate::error::{Error, Result};
use crate::feature::missing::MissingValues;
use crate::feature::verdict::{Origin, Reason};
use crate::package::manifest::{OnFail, RuleEntry};
use crate::query::condition::Conditions;
use crate::query::{Derived, Query};
use crate::table::cast::{is_number, is_text};
use crate::table::name_index::NameIndex;
use crate::table::shown_type::shown_type;

/// The derived column that holds a time as microseconds.
const TIME: &str = "time";

/// A rule, bound.
#[derive(Debug)]
pub struct Rule {
    /// What it is called in reports.
    pub name: String,
    /// What the user wrote.
    pub expression: String,
    /// The least share of rows that must meet it.
    pub mostly: f64,
    /// What happens if it does not hold.
    pub on_fail: OnFail,
    /// What it asks.
    pub ask: Ask,
}

/// What a rule asks.
#[derive(Debug)]
pub enum Ask {
    /// A condition on each row, by its index among the conditions.
    Row(usize),
    /// No value of a column comes twice, nulls aside.
    Unique {
        /// The column.
        column: String,
        /// Whether all values are compared, not estimated.
        is_exact: bool,
    },
    /// The newest value of a column is at most so old.
    Fresh {
        /// The column.
        column: String,
        /// The age in seconds.
        max_age_seconds: f64,
        /// How the column becomes timestamps; none for one that has a time zone, and so is one.
        query: Option<Box<Query>>,
    },
    /// The table has so many rows.
    RowCount {
        /// The fewest.
        min: u64,
        /// The most.
        max: u64,
    },
}

/// All rules of a run, in order.
#[derive(Debug, Default)]
pub struct Rules {
    list: Vec<Rule>,
    conditions: Option<Conditions>,
    columns: BTreeSet<String>,
    views: HashMap<String, View>,
    /// How many rows that do not meet a rule are named in the report.
    example_count: usize,
    /// Which columns of these rows are hashed or left out.
    mask: Mask,
    /// The columns that expressions add: they may repeat what the mask hides.
    derived: BTreeSet<String>,
}

/// For each condition on rows, whether each row of a portion meets it.
pub type Verdicts = Vec<BooleanArray>;

impl Rules {
    /// Binds rules to rows of this schema, derived columns included. `table` are the columns of
    /// the table alone, `fed` those that feed the model's inputs.
    ///
    /// # Errors
    /// A usage error for a rule that cannot be understood, two of one name, or one that rejects
    /// rows and is not about rows; a contract error for columns that do not fit.
    pub fn new(
        entries: &[RuleEntry],
        wide: &Schema,
        table: &Schema,
        fed: &[(String, Input)],
        missing: &MissingValues,
    ) -> Result<Self> {
        let views = View::of_schema(table, fed, missing);
        let typed = View::typed(wide, &views);
        let (mut rules, mut texts): (Vec<Rule>, Vec<String>) = (Vec::new(), Vec::new());
        let mut columns = BTreeSet::new();
        for entry in entries {
            if rules.iter().any(|known| known.name == entry.name()) {
                return Err(
                    Error::usage(format!("two rules have the name `{}`", entry.name()))
                        .hint("name one of them: `--rule 'NAME: EXPRESSION'`"),
                );
            }
            let rule = Rule::new(entry, &typed, &mut texts, &mut columns);
            rules.push(rule.map_err(|error| in_rule(error, entry))?);
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let conditions = (!texts.is_empty())
            .then(|| Conditions::new(&texts, &typed, &View::written(&views)))
            .transpose()?;
        columns.extend(conditions.iter().flat_map(Conditions::columns).cloned());
        let own = NameIndex::new(table);
        Ok(Self {
            views: views
                .into_iter()
                .filter(|(name, _)| columns.contains(name))
                .collect(),
            list: rules,
            conditions,
            columns,
            example_count: 0,
            mask: Mask::default(),
            derived: column_names(wide)
                .filter(|name| own.position(name).is_none())
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The same, for which another column is read: one of numbers, or of texts that may be.
    ///
    /// # Errors
    /// A contract error if rows of this schema do not have such a column.
    pub fn with_numbers(mut self, column: Option<&str>, wide: &Schema) -> Result<Self> {
        if let Some(column) = column {
            let data_type = field(wide, column)?.data_type();
            if !is_number(data_type) && !is_text(data_type) {
                let error = Error::contract(format!(
                    "the column is {}, not numbers",
                    shown_type(data_type)
                ));
                return Err(error.at_column(column));
            }
            self.columns.insert(column.to_owned());
        }
        Ok(self)
    }

    /// How many rows that do not meet a rule are named in the report.
    #[must_use]
    pub fn example_count(&self) -> usize {
        self.example_count
    }

    /// The rules in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rule> {
        self.list.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a rule reads the column.
    #[must_use]
    pub fn reads(&self, column: &str) -> bool {
        self.columns.contains(column)
    }

    /// Whether a rule that does not hold has this consequence.
    #[must_use]
    pub fn may(&self, on_fail: OnFail) -> bool {
        self.list.iter().any(|rule| rule.on_fail == on_fail)
    }

    /// The bytes that judging takes for each row of a portion.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        // What polars makes of a column on the way to booleans, and those.
        let computed = self
            .conditions
            .as_ref()
            .map_or(0, Conditions::computed_count);
        (16 * (self.columns.len() + computed) + 2 * self.list.len()) as u64
    }

    /// For each condition on rows, whether each row meets it.
    ///
    /// # Errors
    /// Fails if there is not enough memory to judge them.
    pub fn judge(&self, batch: &RecordBatch) -> Result<Verdicts> {
        let Some(conditions) = &self.conditions else {
            return Ok(Verdicts::new());
        };
        conditions.hold(&View::all_seen(&self.views, conditions.texts(), batch)?)
    }

    /// Adds the rows that a rule rejects to those that were rejected before; each is rejected
    /// once, for the first rule. `input_count` numbers the rules behind the inputs.
    pub fn reject(
        &self,
        verdicts: &Verdicts,
        rejections: &mut Vec<Rejection>,
        input_count: usize,
        origin: Origin<'_>,
    ) {
        let known = rejections.len();
        for (number, rule) in self.list.iter().enumerate() {
            let (OnFail::Reject, Ask::Row(index)) = (rule.on_fail, &rule.ask) else {
                continue;
            };
            let Some(met) = verdicts.get(*index) else {
                continue;
            };
            let fails = (0..met.len()).filter(|row| !met.value(*row));
            rejections.extend(fails.map(|row| Rejection {
                row,
                number: origin.row_number(row),
                input: input_count + number,
                reason: Reason::Rule,
            }));
        }
        if rejections.len() > known {
            // Stable: what was rejected first stays first.
            rejections.sort_by_key(|rejection| rejection.row);
            rejections.dedup_by_key(|rejection| rejection.row);
        }
    }

    /// A column of the portion as rules about whole columns see it: an empty field of delimited
    /// text is null, numbers stay as they are written.
    ///
    /// # Errors
    /// An internal error if the portion does not have it.
    pub fn column(&self, batch: &RecordBatch, name: &str) -> Result<ArrayRef> {
        let column = batch.column_by_name(name).ok_or_else(|| {
            Error::internal("a batch is missing a column that a rule reads").at_column(name)
        })?;
        match self.views.get(name) {
            Some(view) => view.seen_as_text(column),
            None => Ok(column.clone()),
        }
    }

    /// The newest time of a portion, in microseconds since 1970; none if it has none.
    ///
    /// # Errors
    /// Fails if a value cannot be computed.
    pub fn newest(query: Option<&Query>, column: &str, values: ArrayRef) -> Result<Option<i64>> {
        let Some(query) = query else {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            let times = cast(&values, &utc)
                .map_err(|error| Error::internal("instants of another unit").because(error))?;
            return Ok(max(times.as_primitive::<TimestampMicrosecondType>()));
        };
        let batch = RecordBatch::try_from_iter_with_nullable([(column, values, true)])
            .map_err(|error| Error::internal("one column is not a batch").because(error))?;
        let computed = query.apply(&batch)?.batch;
        let times = computed.column_by_name(TIME).and_then(|times| {
            let times = times.as_primitive_opt::<TimestampMicrosecondType>()?;
            Some(max(times))
        });
        times.ok_or_else(|| Error::internal("a rule did not give timestamps"))
    }
}

impl Rule {
    fn new(
        entry: &RuleEntry,
        typed: &Schema,
        texts: &mut Vec<String>,
        columns: &mut BTreeSet<String>,
    ) -> Result<Self> {
        let ask = match form::parse(&entry.expression)? {
            Form::Row(text) => {
                // One by one, so that what is wrong with it is said of this rule.
                Conditions::new(&[&text], typed, &BTreeSet::new())?;
                texts.push(text);
                Ask::Row(texts.len() - 1)
            }
            Form::Unique { column, is_exact } => {
                let field = field(typed, &column)?;
                text_of(&arrow::array::new_empty_array(field.data_type()))?;
                columns.insert(column.clone());
                Ask::Unique { column, is_exact }
            }
            Form::Fresh {
                column,
                max_age_seconds,
            } => {
                let field = field(typed, &column)?.clone();
                let time = Derived {
                    name: TIME.to_owned(),
                    expression: format!(
                        "TRY_CAST(\"{}\" AS TIMESTAMP)",
                        column.replace('"', "\"\"")
                    ),
                };
                let query = match field.data_type() {
                    DataType::Timestamp(_, Some(_)) => Ok(None),
                    _ => Query::new(None, &[time], &Schema::new(vec![field.clone()]))
                        .map(|query| Some(Box::new(query))),
                };
                let query = query.map_err(|_| {
                    Error::contract(format!(
                        "`fresh` is for dates and timestamps, and the column is {}",
                        shown_type(field.data_type())
                    ))
                    .at_column(&column)
                })?;
                columns.insert(column.clone());
                Ask::Fresh {
                    column,
                    max_age_seconds,
                    query,
                }
            }
            Form::RowCount { min, max } => Ask::RowCount { min, max },
        };
        if entry.on_fail == OnFail::Reject && !matches!(ask, Ask::Row(_)) {
            return Err(Error::usage(
                "it is about the whole table, and only rules about single rows can reject rows",
            )
            .hint("write `on-fail=warn` or `on-fail=fail`"));
        }
        if !(entry.mostly > 0.0 && entry.mostly <= 1.0) {
            return Err(Error::usage(format!(
                "`mostly={}` is not a share above 0 and up to 1",
                entry.mostly
            )));
        }
        Ok(Self {
            name: entry.name().to_owned(),
            expression: entry.expression.clone(),
            mostly: entry.mostly,
            on_fail: entry.on_fail,
            ask,
        })
    }
}

/// Values as texts, of which equal ones are equal.
///
/// # Errors
/// A contract error for a column whose values have no text.
pub fn text_of(array: &ArrayRef) -> Result<ArrayRef> {
    let value_type = match array.data_type() {
        DataType::Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    // Bytes that are no text would all become null.
    let has_text = !value_type.is_nested() && !value_type.is_binary();
    let texts = has_text
        .then(|| cast(array, &DataType::Utf8).ok())
        .flatten();
    texts.ok_or_else(|| {
        Error::contract(format!(
            "values of the type `{}` cannot be compared",
            array.data_type()
        ))
        .hint("`unique` is for numbers, texts, dates and timestamps")
    })
}

fn field<'a>(schema: &'a Schema, column: &str) -> Result<&'a arrow::datatypes::Field> {
    schema
        .field_with_name(column)
        .map_err(|_| Error::contract("the table does not have the column").at_column(column))
}

fn in_rule(error: Error, entry: &RuleEntry) -> Error {
    error.adding(&format!(", in the rule `{}`", entry.name()))
}
