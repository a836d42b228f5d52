//! Many files' columns as one table's: which there are, in which type, under which name.
//!
//! Owns the union of schemas and the renaming of columns. Which types go together is `cast`'s.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::datatypes::{DataType, Field, Schema};

use super::cast::common_type;
use super::dataset_file::DatasetFile;
use super::name_index::NameIndex;
use super::parquet_annotation::WHOLE;
use super::shown_type::shown_type;
use super::spelling::did_you_mean_column;
use crate::error::{Error, Result, shell_word};

/// The columns of all files together.
pub(super) struct Unified {
    pub(super) columns: Vec<Field>,
    /// Names of columns that not every file has, with the first file that is missing them.
    pub(super) partial: HashMap<String, usize>,
}

/// Where a column was first met, and in how many files it is.
struct Met {
    position: usize,
    file: usize,
    count: usize,
}

/// The union of all files' columns, in the order of first appearance.
pub(super) fn unify(files: &[DatasetFile]) -> Result<Unified> {
    let mut columns: Vec<Field> = Vec::new();
    let mut met: HashMap<String, Met> = HashMap::new();
    for (file, DatasetFile { path, table, .. }) in files.iter().enumerate() {
        for field in table.schema().fields() {
            let Some(known) = met.get_mut(field.name()).filter(|_| file > 0) else {
                met.insert(
                    field.name().clone(),
                    Met {
                        position: columns.len(),
                        file,
                        count: 1,
                    },
                );
                columns.push(field.as_ref().clone().with_nullable(true));
                continue;
            };
            known.count += 1;
            let unified = &mut columns[known.position];
            let common = common_type(unified.data_type(), field.data_type()).ok_or_else(|| {
                let [own, other] = [field, &*unified].map(|one| shown_type(one.data_type()));
                Error::contract(format!(
                    "the column is {own} here, but {other} in `{}`",
                    files[known.file].path.display()
                ))
                .at_path(path)
                .at_column(field.name())
                .hint("write the files with one schema, or score them in separate runs")
            })?;
            // What only some of the files say of a column is not true of all of its values.
            unified
                .metadata_mut()
                .retain(|key, value| field.metadata().get(key) == Some(value));
            if common != *unified.data_type() {
                *unified = unified.clone().with_data_type(common);
            }
        }
    }
    // Where a file is missing a column its rows have nulls.
    for met in met.values().filter(|met| met.count < files.len()) {
        columns[met.position].metadata_mut().remove(WHOLE);
    }
    let mut partial: HashMap<String, usize> = HashMap::new();
    let mut open: Vec<&String> = met
        .iter()
        .filter(|(_, met)| met.count < files.len())
        .map(|(name, _)| name)
        .collect();
    for (index, file) in files.iter().enumerate() {
        if open.is_empty() {
            break;
        }
        let schema = file.table.schema();
        let names = NameIndex::new(&schema);
        let (known, missing): (Vec<_>, Vec<_>) = open
            .into_iter()
            .partition(|name| names.position(name).is_some());
        partial.extend(missing.into_iter().map(|name| (name.clone(), index)));
        open = known;
    }
    Ok(Unified { columns, partial })
}

/// The columns under their new names, and for each new name the one in the files; `renames` are
/// (name in the files, new name).
pub(super) fn rename(
    columns: &[Field],
    renames: &[(String, String)],
) -> Result<(Schema, HashMap<String, String>)> {
    let known: HashSet<&str> = columns.iter().map(|field| field.name().as_str()).collect();
    if let Some((from, _)) = renames
        .iter()
        .find(|(from, _)| !known.contains(from.as_str()))
    {
        let of_struct = columns.iter().find(|field| {
            let inner = from.strip_prefix(field.name().as_str());
            inner.is_some_and(|inner| inner.starts_with('.'))
                && matches!(field.data_type(), DataType::Struct(_))
        });
        let hint = if let Some(outer) = of_struct {
            format!(
                "fields of `{}` keep their names: bind one by its path, such as with `--features \
                 {from}`",
                outer.name()
            )
        } else {
            did_you_mean_column(from, &columns.iter().map(|field| field.name().as_str()))
        };
        return Err(
            Error::contract("`--rename` names a column that is not in the data")
                .at_column(from)
                .hint(hint),
        );
    }
    let targets: BTreeMap<&str, &String> = renames
        .iter()
        .map(|(from, to)| (from.as_str(), to))
        .collect();
    let sources: BTreeMap<&str, &str> = renames
        .iter()
        .map(|(from, to)| (to.as_str(), from.as_str()))
        .collect();
    let taken = columns
        .iter()
        .map(|field| field.name().as_str())
        .find(|name| sources.contains_key(name) && !targets.contains_key(name));
    if let Some(name) = taken {
        let (own, other) = (
            shell_word(&format!("{}={name}", sources[name])),
            shell_word(&format!("{name}={name}_before")),
        );
        return Err(Error::contract(format!(
            "`--rename {own}` gives a name that another column of the data has"
        ))
        .at_column(name)
        .hint(format!(
            "rename that one too: `--rename {own} --rename {other}`"
        )));
    }
    let renamed = |name: &String| targets.get(name.as_str()).copied().unwrap_or(name).clone();
    let originals = columns
        .iter()
        .map(|field| (renamed(field.name()), field.name().clone()))
        .collect();
    let fields = columns
        .iter()
        .map(|field| field.clone().with_name(renamed(field.name())));
    Ok((Schema::new(fields.collect::<Vec<_>>()), originals))
}
