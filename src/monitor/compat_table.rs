//! Tables as Evidently and `NannyML` see them: all values of every column in memory.
//!
//! Owns the reading. What is computed of the values is [`super::compat`]'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;

use super::compat::{Number, Verdict, evidently, nannyml};
use super::number_column::{converted, doubles};
use super::profile::Kind;
use super::profile_table::is_profile;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::location::locate;

/// Whose numbers are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Evidently.
    Evidently,
    /// `NannyML`.
    NannyMl,
}

/// A column's values.
#[derive(Debug)]
enum Values {
    Numbers(Vec<f64>),
    Categories(BTreeMap<String, u64>),
    /// Values that the tools do not compare: binary values, lists, structs.
    Other,
}

impl Values {
    fn kind(&self) -> Kind {
        match self {
            Self::Numbers(_) => Kind::Numbers,
            Self::Categories(_) => Kind::Categories,
            Self::Other => Kind::Other,
        }
    }
}

/// A column with the tool's numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The column.
    pub name: String,
    /// The numbers.
    pub numbers: Vec<Number>,
    /// What the tool says by default; none for one that needs more than two tables.
    pub verdict: Option<Verdict>,
}

/// Why a column has no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The current table does not have it.
    Missing,
    /// The baseline does not have it.
    New,
    /// It holds something else than the baseline's: what that holds, and what it holds now.
    OtherKind([Kind; 2]),
    /// The tools do not compare such values.
    NotCompared,
    /// One side has no value.
    NoValues,
}

impl Reason {
    /// The word in reports, that of `tallow drift` where it has one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::New => "new",
            Self::OtherKind(_) => "other_kind",
            Self::NotCompared => "not_compared",
            Self::NoValues => "no_values",
        }
    }
}

/// All columns of two tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Those that have numbers, in the order of the baseline.
    pub compared: Vec<Compared>,
    /// (column, reason) of those without.
    pub uncompared: Vec<(String, Reason)>,
}

/// The tool's numbers of the columns that both tables have.
///
/// # Errors
/// A usage error for a profile, which has no values; fails if a table cannot be read.
pub fn compare(
    tool: Tool,
    baseline: &Location,
    current: &Location,
    options: &ReadOptions,
    interrupt: &Interrupt,
) -> Result<Comparison> {
    let baseline = columns(tool, baseline, options, interrupt)?;
    let mut current = columns(tool, current, options, interrupt)?;
    let indices = current.iter().enumerate();
    let mut indices: HashMap<String, usize> = indices
        .map(|(index, (name, _))| (name.clone(), index))
        .collect();
    let mut found = Comparison::default();
    for (name, before) in baseline {
        let Some(index) = indices.remove(&name) else {
            found.uncompared.push((name, Reason::Missing));
            continue;
        };
        match of_column(tool, &before, &current[index].1) {
            Ok((numbers, verdict)) => found.compared.push(Compared {
                name,
                numbers,
                verdict,
            }),
            Err(reason) => found.uncompared.push((name, reason)),
        }
    }
    current.retain(|(name, _)| indices.contains_key(name));
    let new = current.into_iter().map(|(name, _)| (name, Reason::New));
    found.uncompared.extend(new);
    Ok(found)
}

/// The tool's numbers of one column, or why there are none.
fn of_column(
    tool: Tool,
    before: &Values,
    now: &Values,
) -> Result<(Vec<Number>, Option<Verdict>), Reason> {
    let found = match (before, now) {
        (Values::Numbers(before), Values::Numbers(now)) => match tool {
            Tool::Evidently => evidently::numbers(before, now).map(with_verdict),
            Tool::NannyMl => nannyml::numbers(before, now).map(without_verdict),
        },
        (Values::Categories(before), Values::Categories(now)) => {
            let counts = side_by_side(before, now);
            match tool {
                Tool::Evidently => evidently::categories(&counts).map(with_verdict),
                Tool::NannyMl => nannyml::categories(&counts).map(without_verdict),
            }
        }
        (Values::Other, Values::Other) => return Err(Reason::NotCompared),
        _ => return Err(Reason::OtherKind([before.kind(), now.kind()])),
    };
    found.ok_or(Reason::NoValues)
}

fn with_verdict((numbers, verdict): (Vec<Number>, Verdict)) -> (Vec<Number>, Option<Verdict>) {
    (numbers, Some(verdict))
}

fn without_verdict(numbers: Vec<Number>) -> (Vec<Number>, Option<Verdict>) {
    (numbers, None)
}

fn side_by_side(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> [Vec<u64>; 2] {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    [before, now].map(|side| {
        let counts = names.iter().map(|name| side.get(*name).copied());
        counts.map(Option::unwrap_or_default).collect()
    })
}

/// The columns of a table, numbers sorted. Infinite numbers are missing to Evidently.
fn columns(
    tool: Tool,
    path: &Location,
    options: &ReadOptions,
    interrupt: &Interrupt,
) -> Result<Vec<(String, Values)>> {
    let files = locate(std::slice::from_ref(path), false)?.files;
    let table = Arc::new(Dataset::open(&files, &[], options)?);
    let schema = table.schema();
    if is_profile(&schema) {
        let error = Error::usage("`--compat` computes from values, and a profile has none");
        return Err(error.at_path(path).hint("name the tables themselves"));
    }
    let mut columns: Vec<(String, Values)> = Vec::new();
    for field in schema.fields() {
        let values = match Kind::of(field.data_type(), table.is_untyped(field.name())) {
            kind if kind.has_numbers() => Values::Numbers(Vec::new()),
            Kind::Categories | Kind::Untyped => Values::Categories(BTreeMap::new()),
            _ => Values::Other,
        };
        columns.push((field.name().clone(), values));
    }
    for batch in table.batches(&table.as_read(&schema)) {
        interrupt.check()?;
        let batch = batch?;
        for (name, values) in &mut columns {
            let Some(column) = batch.column_by_name(name) else {
                continue;
            };
            match values {
                Values::Numbers(numbers) => {
                    let column = doubles(column)
                        .map_err(|error| error.at_path(path).at_column(name.as_str()))?;
                    numbers.extend(column.iter().flatten().filter(|value| {
                        !value.is_nan() && (tool == Tool::NannyMl || value.is_finite())
                    }));
                }
                Values::Categories(counts) => {
                    let texts = converted(column, &DataType::Utf8)
                        .map_err(|error| error.at_path(path).at_column(name.as_str()))?;
                    let texts = texts.as_string::<i32>();
                    for text in (0..texts.len()).filter(|row| texts.is_valid(*row)) {
                        *counts.entry(texts.value(text).to_owned()).or_default() += 1;
                    }
                }
                Values::Other => {}
            }
        }
    }
    for (name, values) in &mut columns {
        if let Values::Categories(counts) = values
            && table.is_untyped(name)
            && let Some(numbers) = parsed(counts)
        {
            *values = Values::Numbers(numbers);
        }
        if let Values::Numbers(numbers) = values {
            numbers.sort_unstable_by(f64::total_cmp);
        }
    }
    Ok(columns)
}

/// The numbers that texts without types stand for, if each but the empty one is a number.
fn parsed(counts: &BTreeMap<String, u64>) -> Option<Vec<f64>> {
    let mut numbers = Vec::new();
    for (text, count) in counts.iter().filter(|(text, _)| !text.trim().is_empty()) {
        let number: f64 = text.trim().parse().ok()?;
        if number.is_finite() {
            numbers.extend((0..*count).map(|_| number));
        }
    }
    (!numbers.is_empty()).then_some(numbers)
}
