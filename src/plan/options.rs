//! Texts of flags as values.

use super::list::{all_items, assignment, items, name};
use crate::contract::Policy;
use crate::contract::binding::{BindingOptions, first_duplicate};
use crate::count::counted;
use crate::error::{Error, Result, shell_word};
use crate::feature::missing::{DEFAULT_WORDS, MissingValues};
use crate::format::{GraphFeatures, RowsAxis, TreeSelection};
use crate::model::OffsetRule;
use crate::outcome::Task;
use crate::package::open::OpenedModel;
use crate::request::work::Binding;

/// `library`, `best`, `all` or a number of rounds; `library` where nothing is said.
///
/// # Errors
/// A usage error for anything else.
pub fn tree_selection(text: Option<&str>) -> Result<TreeSelection> {
    match text.unwrap_or("library") {
        "library" => Ok(TreeSelection::Library),
        "best" => Ok(TreeSelection::Best),
        "all" => Ok(TreeSelection::All),
        number => match number.parse() {
            Ok(rounds) if rounds > 0 => Ok(TreeSelection::First(rounds)),
            _ => Err(Error::usage(format!(
                "`--trees {number}` is none of `library`, `best`, `all` and a number above 0"
            ))),
        },
    }
}

/// A distance between 0 and 1, if one is given.
///
/// # Errors
/// A usage error for another number.
pub fn share_of_one(flag: &str, value: Option<f64>) -> Result<Option<f64>> {
    match value {
        Some(value) if !(0.0..=1.0).contains(&value) => Err(Error::usage(format!(
            "`{flag} {value}`: the distance lies between 0 and 1"
        ))),
        value => Ok(value),
    }
}

pub(super) fn set_threshold(opened: &mut OpenedModel, threshold: Option<f64>) -> Result<()> {
    let Some(threshold) = threshold else {
        return Ok(());
    };
    opened.loaded.outcome.task.set_threshold(threshold)
}

/// Checks that the model can be read as virtual ensembles, if it is to be.
pub(super) fn check_virtual_ensembles(opened: &OpenedModel, count: Option<usize>) -> Result<()> {
    let format = &opened.loaded.description.format;
    match count {
        Some(_) if format != "catboost" => Err(Error::usage(format!(
            "`--virtual-ensembles` is for models of CatBoost, and this is one of {format}"
        ))
        .hint("remove the flag")),
        _ => Ok(()),
    }
}

/// Checks that the model takes offsets, one for each of its margins.
pub(super) fn check_offset(opened: &OpenedModel, columns: &[String]) -> Result<Option<OffsetRule>> {
    if columns.is_empty() {
        return Ok(None);
    }
    let (model, format) = (&opened.loaded.model, &opened.loaded.description.format);
    let Some(rule) = model.offset_rule() else {
        if matches!(opened.loaded.outcome.task, Task::Uncertain(_)) {
            return Err(Error::usage(
                "`--offset` and `--virtual-ensembles` exclude each other, as in CatBoost",
            )
            .hint("remove one of them"));
        }
        let message = if format == "lightgbm" {
            "`--offset` has no effect on a random forest of LightGBM, which averages its trees"
                .to_owned()
        } else {
            format!(
                "`--offset` is for models of XGBoost, LightGBM and CatBoost, and this is one of \
                 {format}"
            )
        };
        return Err(Error::usage(message).hint("remove `--offset`"));
    };
    match model.margin_count() {
        count if count == columns.len() => Ok(Some(rule)),
        count => Err(Error::contract(format!(
            "`--offset` names {}, and the model has {}",
            counted(columns.len(), "column"),
            counted(count, "margin")
        ))
        .hint(
            "name one column for each margin, `--offset a,b,c`, in the order of the model's \
             classes",
        )),
    }
}

pub(super) fn renames(binding: &Binding) -> Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let wrong = || {
            Error::usage(format!("`--rename {text}` is not of the form FROM=TO"))
                .hint("quote a name that holds a `=`: `'\"a=b\"=c'`")
        };
        let (from, to) = assignment(text).ok_or_else(wrong)?;
        Ok((from, name(to).ok_or_else(wrong)?))
    };
    let pairs = binding
        .rename
        .iter()
        .map(pair)
        .collect::<Result<Vec<(String, String)>>>()?;
    for (index, (from, to)) in pairs.iter().enumerate() {
        if to.is_empty()
            || pairs[..index]
                .iter()
                .any(|(other, target)| other == from || target == to)
        {
            return Err(Error::usage(format!(
                "`--rename {from}={to}` leaves a column without a name of its own"
            )));
        }
    }
    Ok(pairs)
}

pub(super) fn binding_options(binding: &Binding) -> Result<BindingOptions> {
    let Binding {
        rename: _,
        features,
        rows_axis: _,
        on_null,
        on_unseen,
        offset,
    } = binding;
    let policies = |flag: &str, texts: &[String]| {
        texts
            .iter()
            .map(|text| policy(flag, text))
            .collect::<Result<Vec<_>>>()
    };
    let features = match features.as_deref() {
        Some([text]) => Some(feature_list(text)?),
        // Each is for an input of a graph, which takes them when it is opened.
        _ => None,
    };
    let offset = all_items("--offset", offset)?;
    if let Some(name) = first_duplicate(offset.iter().map(String::as_str)) {
        return Err(Error::usage("`--offset` names a column twice").at_column(name));
    }
    let (on_null, on_unseen) = (
        policies("--on-null", on_null)?,
        policies("--on-unseen", on_unseen)?,
    );
    Ok(BindingOptions {
        features,
        on_null,
        on_unseen,
        offset,
        ..BindingOptions::default()
    })
}

/// The columns that `--features INPUT=a,b` names for inputs of a graph.
///
/// # Errors
/// A usage error if it is given several times and not each time for an input.
pub(super) fn graph_features(binding: &Binding) -> Result<Vec<GraphFeatures>> {
    let all = binding.features.as_deref().unwrap_or_default();
    let one = |text: &String| {
        let (input, columns) = text
            .split_once('=')
            .filter(|(input, columns)| !input.is_empty() && !columns.is_empty())?;
        Some(GraphFeatures {
            input: input.to_owned(),
            columns: feature_list(columns).ok()?,
        })
    };
    let found: Vec<GraphFeatures> = all.iter().filter_map(one).collect();
    if all.len() > 1 && found.len() < all.len() {
        return Err(Error::usage(
            "`--features` is given several times, and not each time as `INPUT=COLUMNS`",
        )
        .hint(
            "list the columns of a model in one: `--features a,b,c`; of a graph of several \
             inputs: `--features x=a,b --features y=c`",
        ));
    }
    if let Some(one) = found
        .iter()
        .find(|one| all.len() > 1 && one.columns.iter().any(|column| column.starts_with('/')))
    {
        return Err(Error::usage(format!(
            "`--features {}=` takes names of columns, no regex",
            one.input
        )));
    }
    for one in &found {
        if let Some(name) =
            first_duplicate(one.columns.iter().map(String::as_str)).filter(|_| all.len() > 1)
        {
            return Err(
                Error::usage(format!("`--features {}=` names a column twice", one.input))
                    .at_column(name),
            );
        }
    }
    Ok(found)
}

/// The axes that `--rows-axis INPUT=AXIS` names.
///
/// # Errors
/// A usage error for anything else.
pub(super) fn rows_axes(binding: &Binding) -> Result<Vec<RowsAxis>> {
    let one = |text: &String| {
        let wrong = || {
            let error = Error::usage(format!(
                "`--rows-axis {text}` is not an input of the graph and an axis"
            ));
            error.hint(
                "write the input's name and the number of the axis, from 0: `--rows-axis x=1`",
            )
        };
        let (input, axis) = text.rsplit_once('=').ok_or_else(wrong)?;
        let axis = if axis == "none" {
            None
        } else {
            Some(axis.parse().map_err(|_| wrong())?)
        };
        Ok(RowsAxis {
            input: input.to_owned(),
            axis,
        })
    };
    binding.rows_axis.iter().map(one).collect()
}

/// `a,b,c`, or one `/regex/`, which may hold commas.
fn feature_list(text: &str) -> Result<Vec<String>> {
    match text.strip_prefix('/') {
        Some(rest) if rest.len() > 1 && rest.ends_with('/') => Ok(vec![text.to_owned()]),
        Some(_) => Err(Error::usage(format!(
            "`--features {text}` begins a regex that no `/` ends"
        ))),
        None => items("--features", text),
    }
}

/// What `--missing` says: tokens for all of the model's columns, and for single ones.
pub(super) fn missing_values(texts: &[String], is_untyped: bool) -> Result<MissingValues> {
    let mut values = MissingValues {
        is_untyped,
        ..MissingValues::default()
    };
    for text in texts {
        match assignment(text) {
            Some((column, tokens)) => {
                if let Some((first, second)) = two_assignments(tokens) {
                    let error = Error::usage(format!(
                        "`--missing {text}` names two columns, and it takes one at a time"
                    ));
                    let first = shell_word(&format!("{column}={first}"));
                    return Err(error.hint(format!(
                        "repeat it: `--missing {first} --missing {}`; quote a value that holds a \
                         `=`: `'\"a=b\"'`",
                        shell_word(second)
                    )));
                }
                values.columns.push((column, items("--missing", tokens)?));
            }
            None => values
                .everywhere
                .get_or_insert_default()
                .extend(items("--missing", text)?),
        }
    }
    // The default, typed out, says nothing new.
    values.everywhere = values.everywhere.filter(|tokens| *tokens != DEFAULT_WORDS);
    Ok(values)
}

/// The values of a column, and what follows them, if that is another column with its values.
fn two_assignments(values: &str) -> Option<(&str, &str)> {
    let (first, _) = values.split_once('=')?;
    let (first, second) = first.rsplit_once(',')?;
    let is_quoted = values.contains('"');
    (!is_quoted)
        .then(|| (first, &values[first.len() + 1..]))
        .filter(|_| !second.is_empty())
}

/// `POLICY` for all columns (`*`) or `COLUMN=POLICY`; a column may be in double quotes, as in
/// lists.
fn policy(flag: &str, text: &str) -> Result<(String, Policy)> {
    let quoted = assignment(text).filter(|_| text.starts_with('"'));
    let (column, name) = match &quoted {
        Some((column, name)) => (column.as_str(), *name),
        None => text.rsplit_once('=').unwrap_or(("*", text)),
    };
    let two = ["=error,", "=reject,", "=null,"]
        .iter()
        .filter(|_| quoted.is_none())
        .find_map(|between| text.find(between).map(|start| start + between.len()));
    if let Some(end) = two {
        let error = Error::usage(format!(
            "`{flag} {text}` names two columns, and it takes one at a time"
        ));
        return Err(error.hint(format!(
            "repeat it: `{flag} {} {flag} {}`",
            shell_word(&text[..end - 1]),
            shell_word(&text[end..])
        )));
    }
    let policy = match name {
        "error" => Policy::Error,
        "reject" => Policy::Reject,
        "null" => Policy::Null,
        number => match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Policy::Default(value),
            _ => {
                let error = Error::usage(format!(
                    "`{flag} {text}`: `{number}` is none of error, reject, null and a finite \
                     number"
                ));
                return Err(error.hint("`null` lets the model see a missing value"));
            }
        },
    };
    Ok((column.to_owned(), policy))
}

/// A size in bytes: `1GiB`, `512MB`, `1000000`.
///
/// # Errors
/// A usage error for anything else.
pub fn byte_size(flag: &str, text: &str) -> Result<u64> {
    const UNITS: [(&str, u64); 14] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("tib", 1 << 40),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("tb", 1_000_000_000_000),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
        ("t", 1 << 40),
        ("b", 1),
        ("", 1),
    ];
    let wrong = || {
        Error::usage(format!("`{flag} {text}` is not a size"))
            .hint("write a number and a unit: `512MiB`, `1GiB`")
    };
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(name, bytes)| Some((lower.strip_suffix(name)?, bytes)))
        .ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    let bytes = number * *unit as f64;
    if bytes.is_finite() && bytes >= 1.0 {
        Ok(bytes as u64)
    } else {
        Err(wrong())
    }
}

/// A share between 0 and, if `is_bounded`, 1: `0.01` or `1%`.
///
/// # Errors
/// A usage error for anything else.
pub fn share(flag: &str, text: &str, is_bounded: bool) -> Result<f64> {
    let range = if is_bounded {
        "between 0 and 1, or a percentage"
    } else {
        "a number of at least 0, or a percentage"
    };
    let wrong = || {
        Error::usage(format!("`{flag}` must be {range}; got `{text}`")).hint("write `1%` or `0.01`")
    };
    let (number, divisor) = text
        .strip_suffix('%')
        .map_or((text, 1.0), |number| (number, 100.0));
    let value = number.trim().parse::<f64>().map_err(|_| wrong())? / divisor;
    if value.is_finite() && value >= 0.0 && (!is_bounded || value <= 1.0) {
        Ok(value)
    } else {
        Err(wrong())
    }
}

/// A time span in seconds: `26h`, `90m`, `45s`, `2d`.
///
/// # Errors
/// A usage error for anything else.
pub fn seconds(flag: &str, text: &str) -> Result<f64> {
    let wrong = || {
        Error::usage(format!("`{flag} {text}` is not a time span"))
            .hint("write a number and a unit: `26h`, `90m`, `2d`")
    };
    let (number, unit) = match text.char_indices().next_back() {
        Some((end, 's')) => (&text[..end], 1.0),
        Some((end, 'm')) => (&text[..end], 60.0),
        Some((end, 'h')) => (&text[..end], 3_600.0),
        Some((end, 'd')) => (&text[..end], 86_400.0),
        _ => return Err(wrong()),
    };
    let value = number.trim().parse::<f64>().map_err(|_| wrong())? * unit;
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_its_column_as_lists_do() {
        for (text, column) in [
            ("reject", "*"),
            ("a=reject", "a"),
            ("c=d=reject", "c=d"),
            ("\"a,b\"=reject", "a,b"),
            ("\"c=d\"=reject", "c=d"),
        ] {
            assert_eq!(
                policy("--on-null", text).unwrap(),
                (column.to_owned(), Policy::Reject),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes_shares_and_spans_are_read_as_users_write_them() {
        let size = |text| byte_size("--memory", text).ok();
        assert_eq!(
            [size("1GiB"), size("1.5 mib"), size("2kb"), size("7")],
            [Some(1 << 30), Some(3 << 19), Some(2_000), Some(7)]
        );
        assert_eq!(
            [
                size("GiB"),
                size("-1MiB"),
                size("nan"),
                size("1 parsec"),
                size("0")
            ],
            [None; 5]
        );
        assert_eq!(
            (
                share("--x", "30%", true).ok(),
                share("--x", "0.5", true).ok(),
                share("--x", "150%", true).ok()
            ),
            (Some(0.3), Some(0.5), None)
        );
        assert_eq!(share("--x", "150%", false).ok(), Some(1.5));
        assert_eq!(
            (seconds("--x", "26h").ok(), seconds("--x", "1.5d").ok()),
            (Some(93_600.0), Some(129_600.0))
        );
        assert!(
            ["", "h", "5", "-1h", "inf s", "\u{e4}"]
                .iter()
                .all(|text| seconds("--x", text).is_err())
        );
    }
}
