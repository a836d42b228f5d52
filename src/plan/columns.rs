//! The columns of a run: which are read, which come along, which are written.
//!
//! Owns their names and order. It must not know how values are read or scored.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};

use super::list::all_items;
use crate::contract::binding::{BoundInput, first_duplicate};
use crate::contract::renaming::column_names;
use crate::error::{Error, Result};
use crate::pipeline::rule::Rules;
use crate::pipeline::selection::Selection;
use crate::request::work::Prediction;
use crate::table::dataset::Dataset;
use crate::table::name_index::NameIndex;
use crate::table::nested;
use crate::table::spelling::did_you_mean_column;

/// The names of the columns that come along: by default the table's that feed no input; if named,
/// derived ones may be among them.
pub(super) fn passthrough(
    outcome: &Prediction,
    bound: &[BoundInput],
    schema: &Schema,
    widened: &Schema,
) -> Result<Vec<String>> {
    let all = || schema.fields().iter().map(|field| field.name().clone());
    let named = outcome
        .passthrough
        .as_deref()
        .map(|texts| all_items("--passthrough", texts))
        .transpose()?;
    match named.as_deref() {
        None => {
            let features: HashSet<&str> = bound.iter().map(|input| input.column.as_str()).collect();
            Ok(all()
                .filter(|name| !features.contains(name.as_str()))
                .collect())
        }
        Some([one]) if one == "all" => Ok(all().collect()),
        Some([one]) if one == "none" => Ok(Vec::new()),
        Some(names) => {
            let known = NameIndex::new(widened);
            match names.iter().find(|name| known.position(name).is_none()) {
                Some(name) => Err(Error::contract(
                    "`--passthrough` names a column that is not in the data",
                )
                .at_column(name)
                .hint(did_you_mean_column(name, &column_names(widened)))),
                None => Ok(names.to_vec()),
            }
        }
    }
}

/// A schema and the columns that a selection derives.
pub(super) fn widened(selection: Option<&Selection>, schema: &SchemaRef) -> SchemaRef {
    selection.map_or_else(|| schema.clone(), |selection| selection.widened(schema))
}

/// Only the columns that something reads, in the table's order.
pub(super) fn requested_columns(
    bound: &[BoundInput],
    along: &[String],
    selection: Option<&Selection>,
    rules: &Rules,
    schema: &Schema,
) -> SchemaRef {
    // A field inside a struct is read with the struct's column.
    let root = |input: &BoundInput| {
        schema
            .column_with_name(&input.column)
            .is_none()
            .then(|| nested::find(schema, &input.column))
            .flatten()
    };
    let roots = bound
        .iter()
        .filter_map(root)
        .map(|nested| schema.field(nested.column).name());
    let names: HashSet<&str> = bound
        .iter()
        .map(|input| &input.column)
        .chain(along)
        .chain(roots)
        .map(String::as_str)
        .collect();
    let expected = |name: &str| {
        names.contains(name)
            || rules.reads(name)
            || selection.is_some_and(|selection| selection.reads(name))
    };
    Arc::new(Schema::new(
        schema
            .fields()
            .iter()
            .filter(|field| expected(field.name()))
            .cloned()
            .collect::<Vec<_>>(),
    ))
}

/// Names decide what is read, so a name that is read must be unique; columns that nothing reads may
/// be called what they like.
pub(super) fn refuse_duplicates(schema: &Schema, dataset: &Dataset) -> Result<()> {
    let Some(name) = first_duplicate(schema.fields().iter().map(|field| field.name().as_str()))
    else {
        return Ok(());
    };
    let error = Error::contract("the data has two columns of this name").at_column(name);
    let error = dataset
        .files
        .iter()
        .fold(error, |error, file| error.at_path(&file.path));
    Err(error.hint("omit the column with `--passthrough`, or rename one where the file is written"))
}

pub(super) fn positions(names: &[String], schema: &Schema) -> Result<Vec<usize>> {
    let index = NameIndex::new(schema);
    let position = |name: &String| {
        index
            .position(name)
            .ok_or_else(|| Error::internal("a passthrough column is not read").at_column(name))
    };
    names.iter().map(position).collect()
}

pub(super) fn output_schema(
    passthrough: &[String],
    table: &Schema,
    outcome: Vec<Field>,
) -> Result<SchemaRef> {
    let along: HashSet<&str> = passthrough.iter().map(String::as_str).collect();
    if let Some(field) = outcome
        .iter()
        .find(|field| along.contains(field.name().as_str()))
    {
        let error =
            Error::contract("the data has a column of the same name as one that the model adds")
                .at_column(field.name());
        return Err(
            error.hint("select other columns with `--passthrough`, or rename it with `--rename`")
        );
    }
    if let Some(name) = first_duplicate(outcome.iter().map(|field| field.name().as_str())) {
        let error = Error::contract("the model adds two columns of this name").at_column(name);
        return Err(error.hint(
            "its classes or outputs share a name: list others as `labels` under `[outputs]` in \
             `tallow.toml`",
        ));
    }
    if let Some(name) = first_duplicate(passthrough.iter().map(String::as_str)) {
        return Err(
            Error::contract("the output would have two columns of this name")
                .at_column(name)
                .hint("name each column once in `--passthrough`"),
        );
    }
    let index = NameIndex::new(table);
    let field = |name: &String| {
        index
            .field(name)
            .cloned()
            .ok_or_else(|| Error::internal("a passthrough column is not known").at_column(name))
    };
    let fields = passthrough
        .iter()
        .map(field)
        .chain(outcome.into_iter().map(Ok))
        .collect::<Result<Vec<Field>>>()?;
    Ok(Arc::new(Schema::new(fields)))
}
