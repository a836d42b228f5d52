//! A contract bound to a table: which column feeds which input, or one error that names everything
//! that does not fit.
//!
//! Columns are found by name, case-exact. Binding looks at schemas and footers only, so it fails
//! before the first row is read.

use std::collections::HashSet;

use arrow::datatypes::{DataType, Schema};
use regex::Regex;

use super::fitting::{accepts, at_first_file, check_types, is_parsed, value_type};
use super::policies::{apply_policies, check_graph_policies, check_names, check_policies};
use super::reads::{is_vector, of_lists, of_nameless, wants};
use super::renaming::{
    Expected, Renaming, column_names, missing_columns, refuse_ambiguous, stored_names,
};
use super::{Contract, Input, InputKind, NativeType, NumberRange, Policy, Width};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::table::cast::{is_number, list_depth};
use crate::table::dataset::Dataset;
use crate::table::name_index::NameIndex;
use crate::table::nested;
use crate::table::shown_type::shown_type;
use crate::table::spelling::did_you_mean_column;

/// How a user overrides what binding would do by itself.
#[derive(Clone, Debug, Default)]
pub struct BindingOptions {
    /// The columns that feed the inputs, in their order: names, or one `/regex/` that picks
    /// columns in the table's order.
    pub features: Option<Vec<String>>,
    /// (column or `*`, policy) for null, the last that applies wins.
    pub on_null: Vec<(String, Policy)>,
    /// (column or `*`, policy) for unseen categories and for text that is not a number.
    pub on_unseen: Vec<(String, Policy)>,
    /// The columns of the margins' offsets, bound after the inputs.
    pub offset: Vec<String>,
    /// How the model's library changed the names of its columns.
    pub renaming: Renaming,
    /// Whether policies may be for inputs of other models of the run.
    pub has_others: bool,
}

/// An input and the column that feeds it.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundInput {
    /// What the model needs.
    pub input: Input,
    /// The column's name in the table.
    pub column: String,
    /// The column's type in the table; text columns of delimited files are parsed.
    pub data_type: DataType,
}

impl std::fmt::Display for BoundInput {
    /// `feature <- column (type)`, features in a column of their own.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            input,
            column,
            data_type,
        } = self;
        match data_type {
            DataType::Null => write!(f, "{:24} <- {column} (missing in every row)", input.name),
            _ => write!(
                f,
                "{:24} <- {column} ({})",
                input.name,
                shown_type(data_type)
            ),
        }
    }
}

/// Binds every input of the contract to a column.
///
/// `schema` is the data set's, derived columns included. Returns one entry per input, in the
/// contract's order, then one per column of offsets.
///
/// # Errors
/// A contract error that names the columns that are missing, doubled or of the wrong type, and the
/// file where one is missing them.
pub fn bind(
    contract: &Contract,
    schema: &Schema,
    dataset: &Dataset,
    options: &BindingOptions,
) -> Result<Vec<BoundInput>> {
    if let Some(contract) = by_vector(contract, schema, options) {
        return bind(
            &contract,
            schema,
            dataset,
            &BindingOptions {
                features: None,
                ..options.clone()
            },
        );
    }
    let mut columns = chosen_columns(contract, schema, options)?;
    let names = NameIndex::new(schema);
    if options.features.is_none() {
        refuse_ambiguous(&columns, schema, &names, options.renaming)?;
        stored_names(&mut columns, schema, &names, options.renaming);
    }
    let is_missing = |(input, name): &(&Input, &String)| {
        input.required && names.position(name).is_none() && nested::find(schema, name).is_none()
    };
    let missing: Vec<&str> = contract
        .inputs
        .iter()
        .zip(&columns)
        .filter(is_missing)
        .map(|(_, name)| name.as_str())
        .collect();
    if !missing.is_empty() {
        let own: HashSet<&str> = columns.iter().map(String::as_str).collect();
        let expected = Expected {
            features: &columns,
            own: &own,
            renaming: options.renaming,
        };
        let error = missing_columns(&missing, schema, &expected, dataset);
        let is_open = |input: &Input| {
            matches!(
                input.kind,
                InputKind::Native(NativeType {
                    width: Width::Multiple(1),
                    ..
                })
            )
        };
        let is_list =
            |input: &&Input| is_vector(&input.kind) && missing.contains(&input.name.as_str());
        return Err(match contract.inputs.as_slice() {
            [_, _, ..] if contract.inputs.iter().any(|input| is_list(&input)) => {
                error.hint(of_lists(contract.inputs.iter().filter(is_list)))
            }
            [one] if is_open(one) => error.hint(
                "the model reads rows of any length: name the columns of a row, in the order of \
                 training, `--features a,b,c`, or one column of lists",
            ),
            _ => error,
        });
    }
    let mut bound = Vec::with_capacity(columns.len());
    for (input, column) in contract.inputs.iter().zip(columns) {
        let mut input = input.clone();
        apply_policies(&mut input, &column, options)?;
        bound.push(bind_one(input, column, schema, &names, dataset)?);
    }
    for column in &options.offset {
        bound.push(bind_offset(column, &names, dataset, options)?);
    }
    check_types(&bound, dataset)?;
    if !options.has_others {
        check_names(bound.iter(), options, &[])?;
    }
    check_policies(&bound)?;
    check_graph_policies(&bound, options)?;
    Ok(bound)
}

/// The contract of a model that reads one matrix, where the table has its rows in one column of
/// lists: the one that the model's input is named for, or the only one of `--features`.
fn by_vector(contract: &Contract, schema: &Schema, options: &BindingOptions) -> Option<Contract> {
    let vector = contract.vector.as_deref()?;
    let name = match options.features.as_deref() {
        None => vector.name.as_str(),
        Some([name]) => name.as_str(),
        Some(_) => return None,
    };
    let field = schema.fields().iter().find(|field| field.name() == name)?;
    let is_list = list_depth(field.data_type()) > 0;
    is_list.then(|| Contract {
        inputs: vec![Input {
            name: name.to_owned(),
            ..vector.clone()
        }],
        named: true,
        ..Contract::default()
    })
}

fn chosen_columns(
    contract: &Contract,
    schema: &Schema,
    options: &BindingOptions,
) -> Result<Vec<String>> {
    let Some(features) = &options.features else {
        if contract.named {
            return Ok(contract
                .inputs
                .iter()
                .map(|input| input.name.clone())
                .collect());
        }
        let message = format!(
            "the model does not name its {}",
            counted(contract.inputs.len(), "feature")
        );
        return Err(Error::contract(message).hint(of_nameless(contract, schema)));
    };
    let columns = match features.as_slice() {
        [pattern] if is_pattern(pattern) => matching_columns(pattern, schema)?,
        names => names.to_vec(),
    };
    if let Some(name) = first_duplicate(columns.iter().map(String::as_str)) {
        return Err(Error::usage("`--features` names a column twice").at_column(name));
    }
    if columns.len() != contract.inputs.len() {
        let message = format!(
            "`--features` gives {}, the model reads {}",
            counted(columns.len(), "column"),
            contract.inputs.len()
        );
        let lists = contract
            .inputs
            .iter()
            .filter(|input| is_vector(&input.kind));
        return Err(Error::contract(message).hint(match lists.clone().count() {
            0 => "`tallow inspect MODEL` lists what the model reads".to_owned(),
            _ => of_lists(lists),
        }));
    }
    Ok(columns)
}

/// The first name that was there before, if any.
pub(crate) fn first_duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

fn matching_columns(pattern: &str, schema: &Schema) -> Result<Vec<String>> {
    let regex = Regex::new(&pattern[1..pattern.len() - 1])
        .map_err(|error| Error::usage("`--features` holds a broken regex").because(error))?;
    Ok(schema
        .fields()
        .iter()
        .map(|field| field.name())
        .filter(|name| regex.is_match(name))
        .cloned()
        .collect())
}

/// The inputs with the columns that feed them, before derived columns are known: as far as names
/// say it.
///
/// # Errors
/// A usage error for a regex that is broken.
pub fn fed_columns(
    contract: &Contract,
    schema: &Schema,
    options: &BindingOptions,
) -> Result<Vec<(String, Input)>> {
    let mut names: Vec<String> = match options.features.as_deref() {
        Some([pattern]) if is_pattern(pattern) => matching_columns(pattern, schema)?,
        Some(names) => names.to_vec(),
        None if contract.named => contract
            .inputs
            .iter()
            .map(|input| input.name.clone())
            .collect(),
        None => Vec::new(),
    };
    if options.features.is_none() {
        stored_names(
            &mut names,
            schema,
            &NameIndex::new(schema),
            options.renaming,
        );
    }
    let inputs = names.into_iter().zip(contract.inputs.iter().cloned());
    let offsets = options
        .offset
        .iter()
        .map(|column| (column.clone(), Input::number(column)));
    Ok(inputs.chain(offsets).collect())
}

fn is_pattern(text: &str) -> bool {
    text.len() > 1 && text.starts_with('/') && text.ends_with('/')
}

/// A column of offsets: numbers, of which none may be missing unless a policy says otherwise.
fn bind_offset(
    column: &str,
    names: &NameIndex,
    dataset: &Dataset,
    options: &BindingOptions,
) -> Result<BoundInput> {
    if names.field(column).is_none() {
        let error = Error::contract("`--offset` names a column that the data does not have")
            .at_column(column);
        let hint = did_you_mean_column(column, &column_names(&dataset.schema()));
        return Err(at_first_file(error, dataset).hint(hint));
    }
    let mut input = Input {
        on_null: Policy::Error,
        numbers: NumberRange::Finite,
        ..Input::number(column)
    };
    apply_policies(&mut input, column, options)?;
    bind_one(input, column.to_owned(), &dataset.schema(), names, dataset)
}

fn bind_one(
    input: Input,
    column: String,
    schema: &Schema,
    names: &NameIndex,
    dataset: &Dataset,
) -> Result<BoundInput> {
    // A field inside a struct is read with the struct's column.
    let nested = if names.field(&column).is_some() {
        None
    } else {
        nested::find(schema, &column)
    };
    let Some(field) = names
        .field(&column)
        .or(nested.as_ref().map(|nested| nested.field))
    else {
        return Ok(BoundInput {
            input,
            column,
            data_type: DataType::Null,
        });
    };
    let whole = nested.as_ref().map_or(column.as_str(), |nested| {
        schema.field(nested.column).name().as_str()
    });
    if names.is_duplicate(whole) {
        let error = at_first_file(
            Error::contract("the data has two columns of this name").at_column(&column),
            dataset,
        );
        return Err(
            error.hint("rename one where the file is written: names decide what the model reads")
        );
    }
    // A derived column is in no file and needs none.
    if let Some(path) = dataset.file_without(whole).filter(|_| input.required) {
        return Err(
            Error::contract("this file is missing a column that the model needs")
                .at_path(path)
                .at_column(&column)
                .hint("write the file with all columns, or remove it from the inputs"),
        );
    }
    let data_type = field.data_type().clone();
    let is_vector = is_vector(&input.kind);
    if !(is_parsed(&column, &data_type, dataset) && !is_vector
        || accepts(&input.kind, value_type(&data_type)))
    {
        let message = format!(
            "the column is {}, the model reads {}",
            shown_type(&data_type),
            wants(&input.kind)
        );
        let error = at_first_file(Error::contract(message).at_column(&column), dataset);
        return Err(error.hint(if is_parsed(&column, &data_type, dataset) {
            "delimited text holds no lists: write the data as Parquet, or name the columns of a \
             row, `--features INPUT=a,b,c`"
        } else if dataset.is_of_directories(&column) {
            "the column comes from the names of directories, `column=value`, of which some are not \
             numbers: exclude those directories, or rename them"
        } else if matches!(input.kind, InputKind::Text) {
            "name a column of texts with `--text`, or cast this one where the file is written; \
             `tallow inspect` lists the columns of a file"
        } else if is_number(&data_type) {
            "cast the column where the file is written; numbers are never taken for text in a \
             typed file"
        } else {
            "cast the column where the file is written; text is never taken for numbers in a typed \
             file"
        }));
    }
    Ok(BoundInput {
        input,
        column,
        data_type,
    })
}
