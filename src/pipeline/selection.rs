//! The rows that a run scores: derived columns appended, filtered rows dropped, every row's place
//! in its file remembered.
//!
//! In delimited text all columns are text; the columns that the model reads as numbers are numbers
//! to the expressions as well, while the model's encoder still sees the text itself, with its own
//! policies for text that is not a number. What makes a text of such a column sees the text, too
//! (see [`crate::query::text_name`]). A value that stands for a missing one is null to the
//! expressions, in every format.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray,
};
use arrow::compute::{cast, filter_record_batch, nullif};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema, SchemaRef};

use crate::contract::{CategoryValue, Input, InputKind};
use crate::error::{Error, Result};
use crate::feature::category_hash::category_hash;
use crate::feature::missing::{MissingValues, Sentinels};
use crate::feature::number::parse;
use crate::feature::token_use::meets;
use crate::query::{Derived, Query, Selection as Selected, text_name};
use crate::table::batch::of_columns;
use crate::table::cast::{is_number, is_text};

/// A query, and how it sees the columns that it reads.
#[derive(Debug)]
pub struct Selection {
    query: Query,
    views: HashMap<String, View>,
}

/// How an expression sees a column.
#[derive(Debug)]
pub(super) enum View {
    /// Text that the model reads as numbers.
    Number(Sentinels),
    /// The values as they are, but for those that stand for a missing one.
    Values {
        sentinels: Sentinels,
        kind: InputKind,
    },
    /// Delimited text that the model does not read: an empty field is null, as in every other
    /// reader of SQL.
    Text,
}

impl View {
    /// How a column of this type is seen; none if as it is. `input` is what the column feeds.
    fn new(
        data_type: &DataType,
        name: &str,
        input: Option<&Input>,
        missing: &MissingValues,
    ) -> Option<Self> {
        let is_text = is_text(data_type);
        let Some(input) = input else {
            return (missing.is_untyped && is_text).then_some(Self::Text);
        };
        let sentinels = missing.of(input, name);
        let is_category = matches!(
            input.kind,
            InputKind::Category(_) | InputKind::HashedCategory(_) | InputKind::Text
        );
        if is_text
            && missing.is_untyped_column(name)
            && !is_category
            && !is_native_text(&input.kind)
        {
            return Some(Self::Number(sentinels));
        }
        (!sentinels.is_empty()).then(|| Self::Values {
            sentinels,
            kind: input.kind.clone(),
        })
    }

    /// How each column of a table is seen that is not seen as it is. `fed` are the columns that
    /// feed the model's inputs, as far as that is known.
    pub(super) fn of_schema(
        schema: &Schema,
        fed: &[(String, Input)],
        missing: &MissingValues,
    ) -> HashMap<String, Self> {
        let inputs: HashMap<&str, &Input> = fed
            .iter()
            .map(|(name, input)| (name.as_str(), input))
            .collect();
        let view = |field: &Field| {
            let input = inputs.get(field.name().as_str()).copied();
            Self::new(field.data_type(), field.name(), input, missing)
        };
        schema
            .fields()
            .iter()
            .filter_map(|field| Some((field.name().clone(), view(field)?)))
            .collect()
    }

    /// The columns in the types that they are seen in.
    pub(super) fn typed(schema: &Schema, views: &HashMap<String, Self>) -> Schema {
        let typed = schema
            .fields()
            .iter()
            .map(|field| match views.get(field.name()) {
                Some(Self::Number(_)) => {
                    Arc::new(Field::new(field.name(), DataType::Float64, true))
                }
                _ => field.clone(),
            });
        Schema::new(typed.collect::<Vec<_>>())
    }

    /// The columns of numbers that are written as text.
    pub(super) fn written(views: &HashMap<String, Self>) -> BTreeSet<String> {
        let numbers = views.iter();
        let numbers = numbers.filter(|(_, view)| matches!(view, Self::Number(_)));
        numbers.map(|(name, _)| name.clone()).collect()
    }

    /// A batch as expressions see it, with the text of some columns at its end.
    pub(super) fn all_seen(
        views: &HashMap<String, Self>,
        texts: &BTreeSet<String>,
        batch: &RecordBatch,
    ) -> Result<RecordBatch> {
        if views.is_empty() {
            return Ok(batch.clone());
        }
        let seen = |(field, column): (&Arc<Field>, &ArrayRef)| {
            views
                .get(field.name())
                .map_or_else(|| Ok(column.clone()), |view| view.seen(column))
        };
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(seen);
        let written = |name: &String| {
            let column = batch.column_by_name(name);
            match (column, views.get(name)) {
                (Some(column), Some(Self::Number(sentinels))) => as_written(column, sentinels),
                _ => Err(Error::internal("a column without the text that is read").at_column(name)),
            }
        };
        let columns = columns.chain(texts.iter().map(written));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let names = schema.fields().iter().map(|field| field.name().clone());
        let names = names.chain(texts.iter().map(|name| text_name(name)));
        let fields = names
            .zip(&columns)
            .map(|(name, column)| Field::new(name, column.data_type().clone(), true))
            .collect::<Vec<_>>();
        of_columns(Arc::new(Schema::new(fields)), columns, batch.num_rows())
            .map_err(|error| Error::internal("a batch of text and numbers").because(error))
    }

    /// A column in which an empty field of delimited text is null, and all else as it is.
    pub(super) fn seen_as_text(&self, column: &ArrayRef) -> Result<ArrayRef> {
        match self {
            Self::Number(_) | Self::Text => Self::Text.seen(column),
            Self::Values { .. } => self.seen(column),
        }
    }

    fn seen(&self, column: &ArrayRef) -> Result<ArrayRef> {
        let is_missing: BooleanArray = match self {
            Self::Number(sentinels) => return numbers(column, sentinels),
            Self::Text => match column.as_string_opt::<i32>() {
                Some(texts) => texts.iter().map(|text| Some(text == Some(""))).collect(),
                None => return Ok(column.clone()),
            },
            Self::Values { sentinels, kind } => missing_values(column, sentinels, kind)?,
        };
        if is_missing.true_count() == 0 {
            return Ok(column.clone());
        }
        nullif(column, &is_missing).map_err(|error| {
            Error::internal("cannot replace values of a column by null").because(error)
        })
    }
}

fn is_native_text(kind: &InputKind) -> bool {
    use crate::contract::{NativeElement, NativeType};
    matches!(
        kind,
        InputKind::Native(NativeType {
            element: NativeElement::Text,
            ..
        })
    )
}

/// The numbers that texts stand for; null for any other text.
fn numbers(column: &ArrayRef, sentinels: &Sentinels) -> Result<ArrayRef> {
    let texts = cast(column, &DataType::Utf8)
        .map_err(|error| Error::failed("cannot decode the column").because(error))?;
    let number = |text: Option<&str>| {
        let value = text
            .filter(|text| !sentinels.is_text(text, || false))
            .and_then(|text| {
                sentinels
                    .number_format
                    .plain(text)
                    .and_then(|text| parse(&text))
            });
        value.filter(|value| !sentinels.is_number(*value, || false))
    };
    Ok(Arc::new(
        texts
            .as_string::<i32>()
            .iter()
            .map(number)
            .collect::<Float64Array>(),
    ))
}

/// The texts themselves; null for an empty one, and for one that stands for a missing value.
fn as_written(column: &ArrayRef, sentinels: &Sentinels) -> Result<ArrayRef> {
    let texts = cast(column, &DataType::Utf8)
        .map_err(|error| Error::failed("cannot decode the column").because(error))?;
    let is_missing = |text: &str| {
        let plain = sentinels.number_format.plain(text);
        let number = || plain.and_then(|plain| parse(&plain));
        text.is_empty()
            || sentinels.is_text(text, || false)
            || number().is_some_and(|number| sentinels.is_number(number, || false))
    };
    let written = texts.as_string::<i32>().iter();
    let written = written.map(|text| text.filter(|text| !is_missing(text)));
    Ok(Arc::new(written.collect::<StringArray>()))
}

/// Which values stand for a missing one.
fn missing_values(
    column: &ArrayRef,
    sentinels: &Sentinels,
    kind: &InputKind,
) -> Result<BooleanArray> {
    let decoded = |expected| {
        cast(column, &expected)
            .map_err(|error| Error::failed("cannot decode the column").because(error))
    };
    let value_type = if let DataType::Dictionary(_, value) = column.data_type() {
        value.as_ref()
    } else {
        column.data_type()
    };
    if is_text(value_type) {
        let texts = decoded(DataType::Utf8)?;
        let is_missing = |text: &str| sentinels.is_text(text, || is_category(kind, text));
        return Ok(texts
            .as_string::<i32>()
            .iter()
            .map(|text| Some(text.is_some_and(is_missing)))
            .collect());
    }
    if !is_number(value_type) || !sentinels.has_numbers() {
        return Ok(BooleanArray::from(vec![false; column.len()]));
    }
    if *value_type == DataType::Float32 {
        let narrow = sentinels.numbers(|value| value as f32);
        let values = decoded(DataType::Float32)?;
        return Ok(values
            .as_primitive::<Float32Type>()
            .iter()
            .map(|value| Some(value.is_some_and(|value| meets(&narrow, &value))))
            .collect());
    }
    let values = decoded(DataType::Float64)?;
    let is_missing = |value: f64| sentinels.is_number(value, || false);
    Ok(values
        .as_primitive::<Float64Type>()
        .iter()
        .map(|value| Some(value.is_some_and(is_missing)))
        .collect())
}

/// Whether the model knows a text as a category.
fn is_category(kind: &InputKind, text: &str) -> bool {
    match kind {
        InputKind::Category(vocabulary) => vocabulary
            .values
            .iter()
            .any(|value| matches!(value, CategoryValue::Text(known) if known == text)),
        InputKind::HashedCategory(categories) => categories.hashes.contains(&category_hash(text)),
        _ => false,
    }
}

impl Selection {
    /// Binds filter and derived columns to a table of this schema; none if there are none. `fed`
    /// are the columns that feed the model's inputs, as far as that is known.
    ///
    /// # Errors
    /// What [`Query::new`] finds wrong with an expression.
    pub fn new(
        filter: Option<&str>,
        derived: &[Derived],
        schema: &Schema,
        fed: &[(String, Input)],
        missing: &MissingValues,
    ) -> Result<Option<Self>> {
        if filter.is_none() && derived.is_empty() {
            return Ok(None);
        }
        let mut views = View::of_schema(schema, fed, missing);
        let typed = View::typed(schema, &views);
        let query = Query::over_texts(filter, derived, &typed, View::written(&views))?;
        views.retain(|name, _| query.columns().contains(name));
        Ok(Some(Self { query, views }))
    }

    /// Forgets the derived columns that nothing reads, neither `is_read` nor another expression.
    pub fn keep_only(&mut self, is_read: impl Fn(&str) -> bool) {
        self.query.keep_only(is_read);
        self.views
            .retain(|name, _| self.query.columns().contains(name));
    }

    /// Whether an expression reads the column of the table, or the derived one.
    #[must_use]
    pub fn reads(&self, column: &str) -> bool {
        self.query.columns().contains(column) || self.query.derived_columns().contains(column)
    }

    /// `schema` with the derived columns at its end.
    #[must_use]
    pub fn widened(&self, schema: &Schema) -> SchemaRef {
        Arc::new(Schema::new(
            schema
                .fields()
                .iter()
                .chain(self.query.derived_fields())
                .cloned()
                .collect::<Vec<_>>(),
        ))
    }

    /// The rows that pass, with the derived columns, and their positions in `batch`; no positions
    /// if all pass.
    ///
    /// # Errors
    /// Fails if a value cannot be computed.
    pub fn apply(&self, batch: &RecordBatch) -> Result<(RecordBatch, Option<Vec<u32>>)> {
        let selected = if self.views.is_empty() {
            self.query.apply(batch)?
        } else {
            self.apply_to_views(batch)?
        };
        let kept_rows = selected
            .kept
            .is_some()
            .then(|| selected.kept_rows().map(|row| row as u32).collect());
        Ok((selected.batch, kept_rows))
    }

    /// The expressions see numbers and nulls; what goes on are the columns themselves.
    fn apply_to_views(&self, batch: &RecordBatch) -> Result<Selected> {
        let internal = |error| Error::internal("a batch of text and numbers").because(error);
        let seen = View::all_seen(&self.views, self.query.texts(), batch)?;
        let selected = self.query.apply(&seen)?;
        let own = match &selected.kept {
            Some(kept) => filter_record_batch(batch, kept).map_err(internal)?,
            None => batch.clone(),
        };
        let derived = &selected.batch.columns()[seen.num_columns()..];
        let columns = own.columns().iter().chain(derived).cloned().collect();
        let schema = self.widened(&batch.schema());
        let batch = of_columns(schema, columns, own.num_rows()).map_err(internal)?;
        Ok(Selected {
            batch,
            kept: selected.kept,
        })
    }
}
