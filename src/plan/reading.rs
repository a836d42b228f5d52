//! Flags about files as the options that files are read with.
//!
//! Owns the texts of these flags. It must not open files.

use arrow::datatypes::DataType;

use super::list::{assignment, items};
use super::warning::listed;
use crate::contract::binding::BindingOptions;
use crate::contract::{CategoryValue, Contract, InputKind, NativeElement, NativeType};
use crate::error::{Error, Result};
use crate::feature::missing::DEFAULT_WORDS;
use crate::request::rows::{Dialect, Rows};
use crate::table::csv_typed::{type_names, type_of};
use crate::table::dataset::Dataset;
use crate::table::encoding::Encoding;
use crate::table::number_format::NumberFormat;
use crate::table::{DEFAULT_PORTION_ROWS, Escape, ReadOptions};

/// How files are read; how large portions are is decided once it is known what they take. `renames`
/// are (name in the files, new name).
pub(super) fn read_options(
    rows: &Rows,
    batch_rows: Option<usize>,
    renames: &[(String, String)],
) -> Result<ReadOptions> {
    let Rows {
        filter: _,
        limit: _,
        missing,
        on_bad_file: _,
        any_ending: _,
        text,
    } = rows;
    let missing = missing_words(missing)?;
    if batch_rows == Some(0) {
        return Err(Error::usage(
            "`--batch-rows 0`: a batch needs at least one row",
        ));
    }
    let portion_rows = batch_rows.unwrap_or(DEFAULT_PORTION_ROWS);
    Ok(ReadOptions {
        missing,
        portion_rows,
        ..dialect_options(text, renames)?
    })
}

/// How delimited text is read.
///
/// # Errors
/// A usage error for a flag whose value has no meaning.
pub fn dialect_options(text: &Dialect, renames: &[(String, String)]) -> Result<ReadOptions> {
    let Dialect {
        delimiter,
        quote,
        escape,
        decimal,
        thousands,
        skip_rows,
        comment,
        trim,
        encoding,
        types,
        no_header,
    } = text;
    let byte = |flag: &str, text: &Option<String>| {
        text.as_deref().map(|text| one_byte(flag, text)).transpose()
    };
    Ok(ReadOptions {
        delimiter: byte("--delimiter", delimiter)?,
        quote: if quote == "none" {
            None
        } else {
            Some(one_byte("--quote", quote)?)
        },
        escape: match escape.as_deref() {
            None => Escape::Unsaid,
            Some("none") => Escape::Never,
            Some(text) => Escape::Byte(one_byte("--escape", text)?),
        },
        comment: byte("--comment", comment)?,
        trim: *trim,
        encoding: encoding
            .as_deref()
            .map_or(Ok(Encoding::Utf8), Encoding::of)?,
        skipped_lines: *skip_rows,
        numbers: numbers(decimal.as_deref(), thousands.as_deref())?,
        types: column_types(types, renames)?,
        has_header: !no_header,
        ..ReadOptions::default()
    })
}

fn one_byte(flag: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] => Ok(*byte),
        _ if text == "tab" || text == "\\t" => Ok(b'\t'),
        b"\\\\" => Ok(b'\\'),
        _ => Err(Error::usage(format!(
            "`{flag} {text}` is not one ASCII character"
        ))),
    }
}

fn numbers(decimal: Option<&str>, thousands: Option<&str>) -> Result<NumberFormat> {
    let mark = |flag: &str, text: &str| {
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(mark), None) => Ok(mark),
            _ if text == "space" => Ok(' '),
            _ => Err(Error::usage(format!(
                "`{flag} {text}` is not one character"
            ))),
        }
    };
    let decimal = decimal.map_or(Ok('.'), |text| mark("--decimal", text))?;
    NumberFormat::new(
        decimal,
        thousands
            .map(|text| mark("--thousands", text))
            .transpose()?,
    )
}

/// Texts that mean a missing value in columns of `--types`.
fn missing_words(texts: &[String]) -> Result<Vec<String>> {
    let shared = texts.iter().filter(|text| assignment(text).is_none());
    let words = shared
        .map(|text| items("--missing", text))
        .collect::<Result<Vec<_>>>()?
        .concat();
    Ok(if words.is_empty() {
        DEFAULT_WORDS.map(str::to_owned).to_vec()
    } else {
        words
    })
}

/// `id=int64,amount=decimal(18,2)`, by the columns' names in the files.
fn column_types(texts: &[String], renames: &[(String, String)]) -> Result<Vec<(String, DataType)>> {
    let mut types: Vec<(String, DataType)> = Vec::new();
    for text in texts.iter().flat_map(|text| between_commas(text)) {
        let wrong =
            |message: String| Error::usage(message).hint("such as `--types id=int64,day=date`");
        let parts = if text.starts_with('"') {
            assignment(text)
        } else {
            text.rsplit_once('=')
                .map(|(name, own)| (name.to_owned(), own))
        };
        let (name, type_text) =
            parts.ok_or_else(|| wrong(format!("`--types {text}`: there is no `=`")))?;
        let Some(data_type) = type_of(type_text) else {
            let error = Error::usage(format!("`--types {text}`: `{type_text}` is not a type"));
            return Err(error.hint(format!("types are {}", type_names())));
        };
        let name = renames
            .iter()
            .find(|(_, new)| *new == name)
            .map_or(&name, |(own, _)| own);
        if types.iter().any(|(other, _)| other == name) {
            return Err(wrong(format!(
                "`--types` gives the column `{name}` two types"
            )));
        }
        types.push((name.clone(), data_type));
    }
    Ok(types)
}

/// The parts between commas that are neither in parentheses nor in double quotes.
fn between_commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut is_quoted = false;
    for (position, character) in text.char_indices() {
        match character {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..position]);
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The columns, by their names in the files, that the model reads as texts: numbers that
/// directories give for them stay texts.
pub(super) fn text_columns(
    contract: &Contract,
    binding: &BindingOptions,
    renames: &[(String, String)],
) -> Vec<String> {
    let is_text = |kind: &InputKind| match kind {
        InputKind::Text
        | InputKind::Native(NativeType {
            element: NativeElement::Text,
            ..
        }) => true,
        InputKind::Category(vocabulary) => vocabulary
            .values
            .iter()
            .any(|value| matches!(value, CategoryValue::Text(_))),
        _ => false,
    };
    let features = binding
        .features
        .as_deref()
        .filter(|features| features.len() == contract.inputs.len());
    let column = |index: usize, name: &str| {
        features
            .map_or(name, |features| features[index].as_str())
            .to_owned()
    };
    let columns = contract
        .inputs
        .iter()
        .enumerate()
        .filter(|(_, input)| is_text(&input.kind))
        .map(|(index, input)| column(index, &input.name));
    columns
        .map(|column| {
            renames
                .iter()
                .find(|(_, new)| *new == column)
                .map_or(column, |(own, _)| own.clone())
        })
        .collect()
}

/// Warns of flags about delimited text that change nothing, because the data has types of its own.
///
/// # Errors
/// A contract error for a type that is given to a column which has one.
pub(super) fn without_effect(rows: &Rows, dataset: &Dataset) -> Result<Option<Error>> {
    if dataset.is_text() {
        return Ok(None);
    }
    let typed = dataset
        .options()
        .types
        .iter()
        .find(|(name, _)| !dataset.files_give_only_by_directories(name));
    if let Some((name, _)) = typed {
        let error =
            Error::contract("`--types` names a column that has a type of its own in the file")
                .at_column(name);
        let error = dataset
            .files
            .iter()
            .take(1)
            .fold(error, |error, file| error.at_path(&file.path));
        return Err(
            error.hint("remove it from `--types`, or cast the column where the file is written")
        );
    }
    let flags = rows.text.set_flags();
    let message = format!(
        "the data is not delimited text, so nothing reads {}",
        listed(&flags)
    );
    Ok((!flags.is_empty()).then(|| {
        Error::usage(message)
            .hint("remove the flag, or check that the inputs are the files you mean")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_listed_with_commas_that_may_be_within_parentheses() {
        let texts = [
            "id=int64,amount=decimal(18,2)".to_owned(),
            "a=b=date".to_owned(),
        ];
        let types = column_types(&texts, &[("ID".to_owned(), "id".to_owned())]).unwrap();
        let names: Vec<&str> = types.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ID", "amount", "a=b"], "by the names in the files");
        assert_eq!(types[1].1, DataType::Decimal128(18, 2));
        for wrong in ["id", "id=int63", "id=int64,id=int32", "", "id=decimal(18)"] {
            assert_eq!(
                column_types(&[wrong.to_owned()], &[]).unwrap_err().kind(),
                crate::error::Kind::Usage,
                "{wrong}"
            );
        }
    }
}
