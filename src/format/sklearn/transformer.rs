//! Transformers: what each does to the columns that it is given.
//!
//! Owns one function a transformer, from fitted attributes to steps on columns. Sources: the
//! `transform` methods of scikit-learn 0.24 to 1.9.

use super::column::{Column, Inputs, Step};
use super::encoder::{encoded, one_hot, ordinal};
use super::object::{Object, reals};
use crate::contract::CategoryValue;
use crate::error::Result;
use crate::format::python::numpy::{Elements, Kind};
use crate::format::python::record::{Arena, Id, Value};

/// The most columns that a pipeline may make.
pub(super) const COLUMNS_LIMIT: usize = 1 << 20;

/// The most steps on all columns together.
const STEPS_LIMIT: usize = 1 << 24;

/// The columns that a transformer makes of others.
///
/// # Errors
/// A contract error for a transformer, or a way of it, that is not supported.
pub(super) fn transform(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let steps_count: usize = columns.iter().map(|column| column.steps.len()).sum();
    if !inputs.visit() || steps_count > STEPS_LIMIT {
        return Err(object.refuse("the file repeats its transformers over and over"));
    }
    let columns = match object.class() {
        ("pipeline", "Pipeline") => {
            let steps = steps(object, "steps")?;
            return steps.into_iter().try_fold(columns, |columns, step| {
                transform_or_pass(&step, columns, inputs)
            });
        }
        ("pipeline", "FeatureUnion") => return union(object, &columns, inputs),
        ("compose", "ColumnTransformer") => return column_transformer(object, &columns, inputs),
        ("preprocessing", "StandardScaler") => scaled(object, columns, "mean_", "scale_")?,
        ("preprocessing", "RobustScaler") => scaled(object, columns, "center_", "scale_")?,
        ("preprocessing", "MaxAbsScaler") => scaled(object, columns, "", "scale_")?,
        ("preprocessing", "MinMaxScaler") => min_max(object, columns)?,
        ("preprocessing", "Binarizer") => {
            let threshold = object.real("threshold")?;
            columns
                .into_iter()
                .map(|column| column.then([Step::Above(threshold)]))
                .collect()
        }
        ("preprocessing", "FunctionTransformer") => function(object, columns)?,
        ("preprocessing", "OneHotEncoder") => return encoded(object, columns, inputs, one_hot),
        ("preprocessing", "OrdinalEncoder") => return encoded(object, columns, inputs, ordinal),
        ("impute", "SimpleImputer") => return imputed(object, columns, inputs),
        _ => return Err(object.unknown()),
    };
    numbers(object, &columns, inputs)?;
    Ok(columns)
}

/// The (name, estimator) pairs of a list.
pub(super) fn steps<'a>(object: &Object<'a>, name: &str) -> Result<Vec<Object<'a>>> {
    let pair = |item: &Id| match object.arena.items(*item) {
        Some([name, part, ..]) => object.part(object.arena.text(*name).unwrap_or("?"), *part),
        _ => Err(object.refuse(&format!("`{name}` is not of pairs"))),
    };
    object.list(name)?.iter().map(pair).collect()
}

/// Whether the place of a transformer says that columns pass as they are, or are dropped.
fn pass(arena: &Arena, id: Id) -> Option<bool> {
    match arena.get(id) {
        Value::None => Some(true),
        _ => match arena.text(id) {
            Some("passthrough") => Some(true),
            Some("drop") => Some(false),
            _ => None,
        },
    }
}

fn transform_or_pass(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    match pass(object.arena, object.id) {
        Some(true) => Ok(columns),
        Some(false) => Ok(Vec::new()),
        None => transform(object, columns, inputs),
    }
}

/// Takes the inputs of columns for numbers.
pub(super) fn numbers(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<()> {
    if let Some(column) = columns.iter().find(|column| column.filled.is_some()) {
        let name = inputs.name(column.input).to_owned();
        return Err(object.refuse(&format!("column `{name}` is a text where numbers are read")));
    }
    for column in columns {
        let is_coded = column
            .steps
            .iter()
            .any(|step| matches!(step, Step::Equals(_) | Step::Table(..) | Step::Find(_)));
        if !is_coded && !inputs.number(column.input) {
            let name = inputs.name(column.input).to_owned();
            return Err(object.refuse(&format!(
                "column `{name}` is read as a number here and as categories elsewhere"
            )));
        }
    }
    Ok(())
}

fn union(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Vec<Column>> {
    let weights = object.find("transformer_weights");
    let mut made = Vec::new();
    for step in steps(object, "transformer_list")? {
        if weights.is_some() {
            return Err(object.refuse("weights of transformers are not supported"));
        }
        made.extend(transform_or_pass(&step, columns.to_vec(), inputs)?);
    }
    bounded(object, made)
}

pub(super) fn bounded(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    if columns.len() > COLUMNS_LIMIT {
        return Err(object.refuse("it makes more than a million columns"));
    }
    Ok(columns)
}

fn column_transformer(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    if object.find("transformer_weights").is_some() {
        return Err(object.refuse("weights of transformers are not supported"));
    }
    let mut made = Vec::new();
    for (position, item) in object.list("transformers_")?.iter().enumerate() {
        let Some([name, part, chosen, ..]) = object.arena.items(*item) else {
            return Err(object.refuse("`transformers_` is not of triples"));
        };
        let name = object.arena.text(*name).unwrap_or("?");
        let indices = match object.find("_transformer_to_input_indices") {
            Some(indices) => object
                .arena
                .entry(indices, name)
                .and_then(|indices| positions(object.arena, indices)),
            // Before 1.0 the columns are as they were asked for.
            None => asked_for(object, position, *chosen, inputs),
        };
        let indices = indices.ok_or_else(|| {
            object.refuse(&format!(
                "the columns of `{name}` are chosen in an unknown way"
            ))
        })?;
        let chosen = indices.iter().map(|index| columns.get(*index).cloned());
        let chosen = chosen
            .collect::<Option<Vec<Column>>>()
            .ok_or_else(|| object.refuse(&format!("`{name}` reads a column that there is not")))?;
        if !chosen.is_empty() {
            made.extend(transform_or_pass(
                &object.part(name, *part)?,
                chosen,
                inputs,
            )?);
        }
    }
    bounded(object, made)
}

/// A list of positions.
pub(super) fn positions(arena: &Arena, id: Id) -> Option<Vec<usize>> {
    let values = reals(arena, id)?;
    let is_position = |value: &&f64| **value >= 0.0 && value.fract() == 0.0;
    (values.iter().filter(is_position).count() == values.len())
        .then(|| values.into_iter().map(|value| value as usize).collect())
}

/// The columns that were asked for by number, name, mask or slice.
fn asked_for(object: &Object, position: usize, chosen: Id, inputs: &Inputs) -> Option<Vec<usize>> {
    let arena = object.arena;
    let chosen = match object
        .find("_columns")
        .and_then(|columns| arena.items(columns))
    {
        Some(columns) => columns.get(position).copied().unwrap_or(chosen),
        None => chosen,
    };
    let names = object.texts("_feature_names_in");
    let by_name = |name: &str| {
        let own = names
            .as_ref()
            .and_then(|names| names.iter().position(|one| one == name));
        own.or_else(|| inputs.index(name))
    };
    let items = match arena.get(chosen) {
        Value::Text(_) => return Some(vec![by_name(arena.text(chosen)?)?]),
        Value::Integer(index) => return Some(vec![usize::try_from(*index).ok()?]),
        Value::List(items) | Value::Tuple(items) => items,
        Value::Record(record) => {
            // slice(start, stop, step)
            let parts = arena.items(record.arguments?)?;
            let number = |id: &Id| match arena.get(*id) {
                Value::Integer(value) => usize::try_from(*value).ok().map(Some),
                Value::None => Some(None),
                _ => None,
            };
            let [start, stop, step] = [parts.first()?, parts.get(1)?, parts.get(2)?].map(number);
            let stop = stop?.unwrap_or(inputs.len()).min(inputs.len());
            let step = step?.unwrap_or(1).max(1);
            return Some((start?.unwrap_or(0)..stop).step_by(step).collect());
        }
        Value::Array(_) => return positions(arena, chosen),
        _ => return None,
    };
    if items
        .iter()
        .all(|item| matches!(arena.get(*item), Value::Boolean(_)))
        && !items.is_empty()
    {
        let is_chosen = |item: &Id| matches!(arena.get(*item), Value::Boolean(true));
        let chosen = items.iter().enumerate().filter(|(_, item)| is_chosen(item));
        return Some(chosen.map(|(index, _)| index).collect());
    }
    items
        .iter()
        .map(|item| match arena.text(*item) {
            Some(name) => by_name(name),
            None => positions(arena, *item)?.first().copied(),
        })
        .collect()
}

/// One number a column of an attribute; none if there is no such attribute.
fn by_column(object: &Object, name: &str, count: usize) -> Result<Option<Vec<f64>>> {
    if object.find(name).is_none() {
        return Ok(None);
    }
    let values = object.reals(name)?;
    if values.len() != count {
        let message = format!("`{name}` has {} values for {count} columns", values.len());
        return Err(object.refuse(&message));
    }
    Ok(Some(values))
}

/// (x − center) / scale, each where it is.
fn scaled(object: &Object, columns: Vec<Column>, center: &str, scale: &str) -> Result<Vec<Column>> {
    let centers = by_column(object, center, columns.len())?;
    let scales = by_column(object, scale, columns.len())?;
    let change = |(index, column): (usize, Column)| {
        let center = centers.as_ref().map(|values| Step::Subtract(values[index]));
        let scale = scales.as_ref().map(|values| Step::Divide(values[index]));
        column.then(center.into_iter().chain(scale))
    };
    Ok(columns.into_iter().enumerate().map(change).collect())
}

fn min_max(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let missing = || object.refuse("it was not fitted");
    let scales = by_column(object, "scale_", columns.len())?.ok_or_else(missing)?;
    let starts = by_column(object, "min_", columns.len())?.ok_or_else(missing)?;
    let range = object.reals("feature_range")?;
    let clip = match (object.flag("clip"), range.as_slice()) {
        (true, [low, high]) => Some(Step::Clip(*low, *high)),
        (true, _) => return Err(object.refuse("`feature_range` is not a pair")),
        (false, _) => None,
    };
    let change = |((column, scale), start): ((Column, f64), f64)| {
        column.then(
            [Step::Multiply(scale), Step::Add(start)]
                .into_iter()
                .chain(clip.clone()),
        )
    };
    Ok(columns
        .into_iter()
        .zip(scales)
        .zip(starts)
        .map(change)
        .collect())
}

fn function(object: &Object, columns: Vec<Column>) -> Result<Vec<Column>> {
    let Some(function) = object.find("func") else {
        return Ok(columns);
    };
    let has_arguments = object.find("kw_args").is_some_and(|arguments| {
        object
            .arena
            .pairs(arguments)
            .is_none_or(|pairs| !pairs.is_empty())
    });
    let name = object.arena.global(function);
    // A ufunc is kept by its name: `numpy._core._ufunc_reconstruct` up to numpy 1, plain since.
    let is_numpy = |module: &str| {
        [
            "numpy",
            "numpy.core._multiarray_umath",
            "numpy._core._multiarray_umath",
        ]
        .contains(&module)
    };
    let plain = name.filter(|(module, _)| is_numpy(module));
    let named = plain.map_or_else(
        || {
            let record = object.arena.record(function);
            let arguments = record.and_then(|record| object.arena.items(record.arguments?));
            let name = arguments.and_then(|items| object.arena.text(*items.get(1)?));
            let maker = object.arena.class(function).map_or("", |(_, name)| name);
            name.filter(|_| maker == "_ufunc_reconstruct")
                .unwrap_or_default()
        },
        |(_, name)| name,
    );
    let function: fn(f64) -> f64 = match named {
        "log1p" => f64::ln_1p,
        "log" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "exp" => f64::exp,
        "expm1" => f64::exp_m1,
        "sqrt" => f64::sqrt,
        "square" => |value| value * value,
        "abs" | "absolute" | "fabs" => f64::abs,
        "cbrt" => f64::cbrt,
        "tanh" => f64::tanh,
        "negative" => |value| -value,
        "sin" => f64::sin,
        "cos" => f64::cos,
        _ => {
            let shown = match name {
                Some((module, name)) => format!("`{module}.{name}`"),
                None => "a function of its own".into(),
            };
            return Err(object.refuse(&format!(
                "the function {shown} is not one of numpy's that are known"
            )));
        }
    };
    if has_arguments {
        return Err(object.refuse("arguments of the function are not supported"));
    }
    Ok(columns
        .into_iter()
        .map(|column| column.then([Step::Function(function)]))
        .collect())
}

/// The fitted values of an imputer, one a column.
enum Statistic {
    Number(f64),
    Category(CategoryValue),
}

fn statistics(object: &Object) -> Result<Vec<Statistic>> {
    let array = object.array("statistics_")?;
    let broken = || object.refuse("a value that it fills in is of an unknown type");
    if let Elements::Objects(list) = array.elements {
        let items = object.arena.items(list).unwrap_or_default();
        let one = |id: &Id| match object.arena.get(*id) {
            Value::Float(value) => Ok(Statistic::Number(*value)),
            Value::Integer(value) => Ok(Statistic::Number(*value as f64)),
            Value::Boolean(value) => Ok(Statistic::Category(CategoryValue::Boolean(*value))),
            Value::None => Ok(Statistic::Number(f64::NAN)),
            _ => object
                .arena
                .text(*id)
                .map(|text| Statistic::Category(CategoryValue::Text(text.to_owned())))
                .ok_or_else(broken),
        };
        return items.iter().map(one).collect();
    }
    if array.data_type.kind == Kind::Text {
        let texts = array.texts()?.into_iter();
        return Ok(texts
            .map(|text| Statistic::Category(CategoryValue::Text(text)))
            .collect());
    }
    Ok(array.reals()?.into_iter().map(Statistic::Number).collect())
}

fn imputed(object: &Object, columns: Vec<Column>, inputs: &mut Inputs) -> Result<Vec<Column>> {
    let statistics = statistics(object)?;
    if statistics.len() != columns.len() {
        return Err(object.refuse("it fills in more or fewer values than there are columns"));
    }
    let marker = match object.arena.attribute(object.id, "missing_values") {
        Some(id) => match object.arena.get(id) {
            Value::None => None,
            Value::Float(value) if value.is_nan() => None,
            Value::Float(value) => Some(*value),
            Value::Integer(value) => Some(*value as f64),
            _ => return Err(object.refuse("`missing_values` is not a number")),
        },
        None => None,
    };
    let keeps_empty = object.flag("keep_empty_features");
    let mut made = Vec::new();
    let sources = columns.clone();
    for (mut column, statistic) in columns.into_iter().zip(statistics) {
        match statistic {
            // Columns without a value in training are dropped.
            Statistic::Number(value) if value.is_nan() && !keeps_empty => {}
            Statistic::Number(value) => {
                let value = if value.is_nan() { 0.0 } else { value };
                let marked = marker.map(|marker| Step::Replace(marker, value));
                let fill = marked.unwrap_or(Step::Fill(value));
                numbers(object, std::slice::from_ref(&column), inputs)?;
                column.may_miss &= marker.is_some();
                made.push(column.then([fill]));
            }
            Statistic::Category(value) => {
                if marker.is_some() || !column.is_raw() {
                    return Err(object.refuse("texts are filled in after another step"));
                }
                column.filled = Some(value);
                column.may_miss = false;
                made.push(column);
            }
        }
    }
    if object.flag("add_indicator") {
        let indicator = object.attribute("indicator_")?;
        if marker.is_some() {
            return Err(object.refuse("an indicator of a special value is not supported"));
        }
        for feature in indicator.reals("features_")? {
            let source = sources
                .get(feature as usize)
                .ok_or_else(|| indicator.refuse("it reads a column that there is not"))?;
            let mut column = source.clone().then([Step::IsMissing]);
            column.may_miss = false;
            made.push(column);
        }
    }
    Ok(made)
}
