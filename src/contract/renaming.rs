//! Names that a library changed when it stored a model: which column of a table is meant by them.
//!
//! Owns the libraries' rules, and the error for columns that no rule finds, with the renames to
//! type. It must not know types or policies.

use std::collections::HashSet;

use arrow::datatypes::Schema;

use crate::count::listed;
use crate::error::{Error, Result, shell_word};
use crate::table::dataset::Dataset;
use crate::table::name_index::NameIndex;
use crate::table::nested;
use crate::table::spelling::nearest;

/// The most renames that a hint spells out.
const SUGGESTED: usize = 40;

/// How the library that wrote a model changed the names of its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renaming {
    /// Not at all.
    #[default]
    None,
    /// LightGBM: a space becomes `_` (`Dataset::set_feature_names`).
    LightGbm,
    /// skl2onnx: what is neither a letter, a digit, `_` nor `+` becomes `_`, and a leading digit
    /// gets one in front (`_generate_unique_name`).
    Skl2onnx,
}

impl Renaming {
    /// The name that a column has in the model.
    fn stored(self, column: &str) -> String {
        match self {
            Self::None => column.to_owned(),
            Self::LightGbm => column.replace(' ', "_"),
            Self::Skl2onnx => {
                let kept = |letter: char| {
                    if letter.is_alphanumeric() || "_+".contains(letter) {
                        letter
                    } else {
                        '_'
                    }
                };
                let name: String = column.chars().map(kept).collect();
                if name.starts_with(|first: char| first.is_ascii_digit()) {
                    format!("_{name}")
                } else {
                    name
                }
            }
        }
    }

    /// Whether the library may have stored a column under this name: skl2onnx numbers names that
    /// become alike.
    fn may_be_stored(self, column: &str, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::LightGbm => self.stored(column) == name,
            Self::Skl2onnx => {
                let stored = self.stored(column);
                let number = name.strip_prefix(stored.as_str());
                number.is_some_and(|number| number.bytes().all(|digit| digit.is_ascii_digit()))
            }
        }
    }

    /// The only column whose stored name is this one, and that no input has for its own.
    pub(super) fn column<'a>(
        self,
        name: &str,
        schema: &'a Schema,
        own: &HashSet<&str>,
    ) -> Option<&'a str> {
        if self == Self::None {
            return None;
        }
        let mut found = column_names(schema)
            .filter(|column| !own.contains(column) && self.stored(column) == name);
        found.next().filter(|_| found.next().is_none())
    }
}

/// What a model asks of a table.
pub(super) struct Expected<'a> {
    /// The columns of all features, in order.
    pub(super) features: &'a [String],
    /// The same, to look one up.
    pub(super) own: &'a HashSet<&'a str>,
    /// How the model's library changed names.
    pub(super) renaming: Renaming,
}

/// The error that names every column that is missing, and what to type.
pub(super) fn missing_columns(
    missing: &[&str],
    schema: &Schema,
    expected: &Expected<'_>,
    dataset: &Dataset,
) -> Error {
    let names = missing.iter().map(|name| format!("`{name}`"));
    let names = listed(names, 10, ", ", "");
    let [word, verb] = if missing.len() == 1 {
        ["column", "is"]
    } else {
        ["columns", "are"]
    };
    let inside = || inside_structs(missing, schema, expected.features);
    let above = missing
        .iter()
        .find_map(|name| Some((name, dataset.directory_above(name)?)));
    let of_path = above.map(|(name, directory)| {
        let directory = shell_word(&directory.display().to_string());
        format!(
            "the path has a directory `{name}=…`: name the one above it, {directory}, as the \
             input, and it becomes a column"
        )
    });
    let known = of_path
        .or_else(|| dataset.other_reading(missing))
        .or_else(|| other_delimiter(dataset))
        .or_else(inside);
    let hint = known
        .or_else(|| suggested(missing, schema, expected.own, expected.renaming))
        .unwrap_or_else(|| {
            let feature = missing.first().copied().unwrap_or_default();
            let flag = shell_word(&format!("COLUMN={feature}"));
            format!(
                "pass `--rename {flag}` with the name that it has in the data; `tallow inspect` \
                 lists the columns of a file"
            )
        });
    let error = Error::contract(format!(
        "the model needs the {word} {names}, which {verb} not in the data"
    ))
    .hint(hint);
    // Rows in memory lie in no file.
    match dataset.files.first() {
        Some(file) => error.at_path(&file.path),
        None => error,
    }
}

/// What to type for features that lie inside structs: all columns in the model's order, the missing
/// ones by their paths.
fn inside_structs(missing: &[&str], schema: &Schema, features: &[String]) -> Option<String> {
    let (name, path) = missing
        .iter()
        .find_map(|name| Some((name, nested::path_to(schema, name)?)))?;
    let column = |feature: &String| {
        let path = missing
            .contains(&feature.as_str())
            .then(|| nested::path_to(schema, feature));
        path.flatten().unwrap_or_else(|| feature.clone())
    };
    let columns: Vec<String> = features.iter().map(column).collect();
    let is_plain = columns
        .iter()
        .all(|name| !name.contains(',') && !name.contains('"'));
    let how = if is_plain && columns.len() <= SUGGESTED {
        let list = shell_word(&columns.join(","));
        format!("name all columns in the model's order, `--features {list}`")
    } else {
        format!("name it `{path}` in `--features`, which lists all columns in the model's order")
    };
    Some(format!(
        "`{name}` lies inside a struct, as `{path}`: {how}, or list `{path}` under `[[inputs]]` of \
         a package"
    ))
}

/// Puts the table's own names where the model stores a changed one.
pub(super) fn stored_names(
    columns: &mut [String],
    schema: &Schema,
    names: &NameIndex,
    renaming: Renaming,
) {
    if renaming == Renaming::None || columns.iter().all(|name| names.position(name).is_some()) {
        return;
    }
    let features = columns.to_vec();
    let own: HashSet<&str> = features.iter().map(String::as_str).collect();
    for name in columns
        .iter_mut()
        .filter(|name| names.position(name).is_none())
    {
        if let Some(column) = renaming.column(name, schema, &own) {
            column.clone_into(name);
        }
    }
}

/// Refuses a feature that two columns may be: one has its name, and one has the name that the
/// library would have stored as it.
///
/// # Errors
/// A contract error that names the feature and both columns.
pub(super) fn refuse_ambiguous(
    features: &[String],
    schema: &Schema,
    names: &NameIndex,
    renaming: Renaming,
) -> Result<()> {
    if renaming == Renaming::None {
        return Ok(());
    }
    let own: HashSet<&str> = features.iter().map(String::as_str).collect();
    let ambiguous = column_names(schema)
        .filter(|column| !own.contains(column))
        .find_map(|column| {
            let name = renaming.stored(column);
            let is_other = own.contains(name.as_str()) && names.position(&name).is_some();
            is_other.then_some((column, name))
        });
    let Some((column, name)) = ambiguous else {
        return Ok(());
    };
    Err(Error::contract(format!(
        "the model's feature `{name}` may be the column `{name}` or the column `{column}`: its \
         library stores both names as `{name}`"
    ))
    .hint("name the columns of all features, in the model's order: `--features 'first,second'`"))
}

/// What to type if a file of delimited text was read as one column because something else lies
/// between its fields.
fn other_delimiter(dataset: &Dataset) -> Option<String> {
    let schema = dataset.schema();
    let [column] = schema.fields().iter().as_slice() else {
        return None;
    };
    let delimiters = [(';', ";"), ('\t', "tab"), ('|', "|"), (',', ",")];
    let (_, name) = delimiters
        .iter()
        .find(|(delimiter, _)| dataset.is_text() && column.name().contains(*delimiter))?;
    let header = column.name().replace(char::is_control, " ");
    Some(format!(
        "the file has one column, `{header}`: pass `--delimiter {}`",
        shell_word(name)
    ))
}

/// The flags that rename columns to the missing names, where the table has one that is nearly
/// called so; each column once.
fn suggested(
    missing: &[&str],
    schema: &Schema,
    own: &HashSet<&str>,
    renaming: Renaming,
) -> Option<String> {
    let mut free: Vec<&str> = column_names(schema)
        .filter(|column| !own.contains(column))
        .collect();
    let mut pairs = Vec::new();
    let mut others = Vec::new();
    for name in missing.iter().take(SUGGESTED) {
        // Names that the library stores alike follow one another, as it numbers them.
        let mut alike = free
            .iter()
            .filter(|column| renaming.may_be_stored(column, name));
        if let Some(column) = alike.next().copied() {
            free.retain(|other| *other != column);
            pairs.push((column, *name));
            others.push(*name);
            continue;
        }
        let near = nearest(name, &free.iter().copied())
            .and_then(|near| free.iter().position(|column| *column == near));
        pairs.extend(near.map(|index| (free.remove(index), *name)));
    }
    let (columns, verb) = match pairs.as_slice() {
        [] => return None,
        [(column, _)] => (format!("`{column}`"), "that is"),
        several => (
            several
                .iter()
                .map(|(column, _)| format!("`{column}`"))
                .collect::<Vec<_>>()
                .join(", "),
            "those are",
        ),
    };
    let flags: Vec<String> = pairs
        .iter()
        .map(|(column, name)| format!("--rename {}", shell_word(&format!("{column}={name}"))))
        .collect();
    let left: Vec<String> = free
        .iter()
        .filter_map(|column| {
            let mut names = others.iter();
            let name = names.find(|name| renaming.may_be_stored(column, name))?;
            Some(shell_word(&format!("{column}={name}")))
        })
        .collect();
    let instead = if left.is_empty() {
        String::new()
    } else {
        format!(
            "; other columns may be meant as well: `--rename {}`",
            left.join("`, `--rename ")
        )
    };
    let mut several = others.iter().filter(|name| {
        let alike = pairs
            .iter()
            .filter(|(column, _)| renaming.may_be_stored(column, name));
        alike.count() > 1
    });
    let order = if several.next().is_some() {
        "; which of them is which depends on their order in training, not in this table"
    } else {
        ""
    };
    Some(format!(
        "the data has {columns}: if {verb} meant, pass `{}`{order}{instead}",
        flags.join(" ")
    ))
}

/// The names of all columns.
pub(crate) fn column_names(schema: &Schema) -> impl Iterator<Item = &str> + Clone {
    schema.fields().iter().map(|field| field.name().as_str())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field};

    use super::*;

    fn schema(names: &[&str]) -> Schema {
        Schema::new(
            names
                .iter()
                .map(|name| Field::new(*name, DataType::Float64, true))
                .collect::<Vec<_>>(),
        )
    }

    /// The stored names are those of lightgbm 4.7 (`feature_name()`) and skl2onnx 1.20
    /// (`graph.input`).
    #[test]
    fn each_library_renames_in_its_own_way() {
        for (column, lightgbm, skl2onnx) in [
            ("a  b", "a__b", "a__b"),
            ("tab\tx", "tab\tx", "tab_x"),
            ("capital-gain", "capital-gain", "capital_gain"),
            ("1st", "1st", "_1st"),
            ("é e", "é_e", "é_e"),
            ("a+b", "a+b", "a+b"),
            ("native.country", "native.country", "native_country"),
        ] {
            assert_eq!(
                (
                    Renaming::LightGbm.stored(column).as_str(),
                    Renaming::Skl2onnx.stored(column).as_str()
                ),
                (lightgbm, skl2onnx)
            );
        }
    }

    #[test]
    fn a_stored_name_binds_only_where_one_column_has_it() {
        let table = schema(&["a b", "c-d", "c d", "e f", "e_f"]);
        let own = HashSet::from(["e_f"]);
        let column = |rule: Renaming, name| rule.column(name, &table, &own);
        assert_eq!(column(Renaming::LightGbm, "a_b"), Some("a b"));
        assert_eq!(column(Renaming::LightGbm, "c_d"), Some("c d"));
        assert_eq!(
            column(Renaming::Skl2onnx, "c_d"),
            None,
            "two columns are stored as `c_d`"
        );
        assert_eq!(column(Renaming::None, "a_b"), None);
    }

    #[test]
    fn a_feature_that_two_columns_may_be_is_refused() {
        let table = schema(&["a b", "a_b", "c d", "e"]);
        let names = NameIndex::new(&table);
        let refused = |rule, features: &[&str]| {
            let features: Vec<String> = features.iter().map(|name| (*name).to_owned()).collect();
            refuse_ambiguous(&features, &table, &names, rule).is_err()
        };
        assert!(refused(Renaming::LightGbm, &["a_b", "c_d"]));
        assert!(refused(Renaming::Skl2onnx, &["e", "a_b"]));
        assert!(!refused(Renaming::None, &["a_b"]));
        assert!(!refused(Renaming::LightGbm, &["c_d", "e"]));
        assert!(
            !refused(Renaming::Skl2onnx, &["a b", "a_b"]),
            "both are features"
        );
    }

    #[test]
    fn all_renames_are_suggested_at_once() {
        let table = schema(&["Credit Score", "loan amount", "x"]);
        let hint = suggested(
            &["credit_score", "LoanAmount", "income"],
            &table,
            &HashSet::from(["x"]),
            Renaming::None,
        );
        let flags = "--rename 'Credit Score=credit_score' --rename 'loan amount=LoanAmount'";
        assert_eq!(
            hint,
            Some(format!(
                "the data has `Credit Score`, `loan amount`: if those are meant, pass `{flags}`"
            ))
        );
        assert_eq!(
            suggested(&["y"], &table, &HashSet::new(), Renaming::None),
            None
        );
    }

    /// skl2onnx 1.20 names the columns `a-b` and `a b` of a table `a_b` and `a_b1`.
    #[test]
    fn names_that_a_library_stores_alike_are_suggested_together() {
        let table = schema(&["a-b", "a b", "x"]);
        let hint = |missing: &[&str]| {
            suggested(missing, &table, &HashSet::from(["x"]), Renaming::Skl2onnx).unwrap()
        };
        assert_eq!(
            hint(&["a_b", "a_b1"]),
            "the data has `a-b`, `a b`: if those are meant, pass `--rename a-b=a_b --rename 'a \
             b=a_b1'`; which of them is which depends on their order in training, not in this \
             table"
        );
        assert_eq!(
            hint(&["a_b"]),
            "the data has `a-b`: if that is meant, pass `--rename a-b=a_b`; other columns may be \
             meant as well: `--rename 'a b=a_b'`"
        );
    }

    #[test]
    fn features_inside_structs_are_named_by_their_paths_in_the_models_order() {
        let address = DataType::Struct(vec![Field::new("zip", DataType::Float64, true)].into());
        let table = Schema::new(vec![
            Field::new("age", DataType::Float64, true),
            Field::new("address", address, true),
        ]);
        let features = ["zip", "age"].map(str::to_owned);
        assert_eq!(
            inside_structs(&["zip"], &table, &features).unwrap(),
            "`zip` lies inside a struct, as `address.zip`: name all columns in the model's order, \
             `--features address.zip,age`, or list `address.zip` under `[[inputs]]` of a package"
        );
        assert_eq!(inside_structs(&["income"], &table, &features), None);
    }
}
