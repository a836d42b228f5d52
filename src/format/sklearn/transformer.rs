//! Transformers: what each does to the columns that it is given.
//!
//! Owns one function a transformer, from fitted attributes to steps on columns. Sources: the
//! `transform` methods of scikit-learn 0.24 to 1.9.

use super::affine::{min_max, scaled};
use super::column::{Column, Step};
use super::encoder::{by_target, encoded, one_hot, ordinal};
use super::follow::marked;
use super::function::{function, passes};
use super::impute::{imputed, indicator};
use super::impute_rows::{by_neighbours, by_turns};
use super::inputs::{Inputs, numbers};
use super::object::{Object, positions, real};
use super::selection::selected;
use super::steps::{bounded, steps};
use super::words::{Weighing, Words};
use super::{
    cluster, components, decomposition, embedding, expansion, kernel, names, scaling, sparsity,
    topics,
};
use crate::error::Result;
use crate::format::python::record::{Arena, Id, Value};

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
    let around = inputs.enter(object);
    let was_sparse = columns.iter().any(|column| column.is_sparse);
    let before: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
    let made = transformed(object, columns, inputs).map(|mut made| {
        sparsity::mark(object, was_sparse, &mut made);
        names::mark(object, &before, &mut made);
        made
    });
    match inputs.leave(around) {
        Some(label) if object.class() != ("pipeline", "Pipeline") => Ok(marked(made?, &label)),
        _ => made,
    }
}

fn transformed(object: &Object, columns: Vec<Column>, inputs: &mut Inputs) -> Result<Vec<Column>> {
    let steps_count: usize = columns.iter().map(|column| column.steps.len()).sum();
    if !inputs.visit() || steps_count > STEPS_LIMIT {
        return Err(object.refuse("the file repeats its transformers over and over"));
    }
    inputs.check_bytes(object)?;
    let columns = match object.class() {
        ("pipeline", "Pipeline") => {
            let steps = steps(object, "steps")?;
            return steps.into_iter().try_fold(columns, |columns, step| {
                transform_or_pass(&step, columns, inputs)
            });
        }
        ("pipeline", "FeatureUnion") => return union(object, &columns, inputs),
        ("compose", "ColumnTransformer") => return column_transformer(object, &columns, inputs),
        ("preprocessing", "FunctionTransformer") if passes(object) => return Ok(columns),
        _ => columns,
    };
    inputs.read(&columns);
    let columns = match object.class() {
        ("preprocessing", "StandardScaler" | "RobustScaler" | "MaxAbsScaler") => {
            scaled(object, columns)?
        }
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
        ("preprocessing", "TargetEncoder") => {
            return encoded(object, columns, inputs, by_target);
        }
        ("impute", "SimpleImputer") => return imputed(object, columns, inputs),
        ("impute", "MissingIndicator") => return indicator(object, &columns, inputs),
        ("impute", "KNNImputer") => return by_neighbours(object, columns, inputs),
        ("impute", "IterativeImputer") => return by_turns(object, columns, inputs),
        ("feature_selection", _) => return selected(object, columns),
        ("feature_extraction", _) => return vectorised(object, columns, inputs),
        ("preprocessing", "QuantileTransformer") => scaling::quantiles(object, columns)?,
        ("preprocessing", "PowerTransformer") => scaling::power(object, columns)?,
        _ => {
            numbers(object, &columns, inputs)?;
            return mixing(object, columns, inputs);
        }
    };
    numbers(object, &columns, inputs)?;
    Ok(columns)
}

/// Vectorisers of texts, and what weighs their terms.
fn vectorised(object: &Object, columns: Vec<Column>, inputs: &mut Inputs) -> Result<Vec<Column>> {
    match object.class().1 {
        "CountVectorizer" | "TfidfVectorizer" | "HashingVectorizer" => {
            let words = Words::new(object)?;
            let unfit = || object.refuse("it reads one column of texts, as the table has it");
            let [column] = <[Column; 1]>::try_from(columns).map_err(|_| unfit())?;
            if !column.is_raw() || !inputs.is_input(column.input) {
                return Err(unfit());
            }
            inputs.words(column, words).ok_or_else(unfit)
        }
        "TfidfTransformer" => {
            let weighing = Weighing::new(object, columns.len())?;
            if let Some(words) = inputs.vectoriser(&columns) {
                words.weigh(weighing);
                return Ok(columns);
            }
            numbers(object, &columns, inputs)?;
            let width = columns.len();
            Ok(inputs.compute(columns, weighing.formula(width)))
        }
        _ => Err(object.unknown()),
    }
}

/// Transformers that make a column of several, or several of one.
fn mixing(object: &Object, columns: Vec<Column>, inputs: &mut Inputs) -> Result<Vec<Column>> {
    match object.class() {
        ("preprocessing", "Normalizer") => scaling::normalized(object, columns, inputs),
        ("preprocessing", "KBinsDiscretizer") => scaling::binned(object, columns, inputs),
        ("preprocessing", "PolynomialFeatures") => expansion::polynomial(object, columns, inputs),
        ("preprocessing", "SplineTransformer") => expansion::splines(object, columns, inputs),
        ("decomposition", "FactorAnalysis") => components::factors(object, columns, inputs),
        ("decomposition", "SparsePCA" | "MiniBatchSparsePCA") => {
            components::sparse(object, columns, inputs)
        }
        ("decomposition", "KernelPCA") => kernel::principal(object, columns, inputs),
        ("decomposition", "LatentDirichletAllocation") => {
            topics::allocated(object, columns, inputs)
        }
        ("neural_network", "BernoulliRBM") => components::hidden_units(object, columns, inputs),
        ("cluster", "FeatureAgglomeration") => components::pooled(object, columns, inputs),
        ("kernel_approximation", "AdditiveChi2Sampler") => {
            components::additive(object, columns, inputs)
        }
        ("kernel_approximation", "SkewedChi2Sampler") => {
            components::skewed(object, columns, inputs)
        }
        ("ensemble", "RandomTreesEmbedding") => embedding::embedded(object, columns, inputs),
        ("cross_decomposition", _) => components::rotated(object, columns, inputs),
        ("decomposition" | "random_projection", _)
        | ("neighbors", "NeighborhoodComponentsAnalysis")
        | ("discriminant_analysis", "LinearDiscriminantAnalysis") => {
            decomposition::decomposed(object, columns, inputs)
        }
        ("kernel_approximation", "Nystroem") => kernel::components(object, columns, inputs),
        ("kernel_approximation", "RBFSampler") => kernel::waves(object, columns, inputs),
        ("cluster", "KMeans" | "MiniBatchKMeans" | "BisectingKMeans" | "Birch") => {
            cluster::distances(object, columns, inputs)
        }
        _ => Err(object.unknown()),
    }
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

fn union(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Vec<Column>> {
    let mut made = Vec::new();
    for (index, step) in steps(object, "transformer_list")?.iter().enumerate() {
        let name = object.list("transformer_list")?.get(index);
        let name = name.and_then(|item| object.arena.items(*item)?.first());
        let name = name
            .and_then(|name| object.arena.text(*name))
            .unwrap_or_default();
        let mut columns = transform_or_pass(step, columns.to_vec(), inputs)?;
        names::prefix(object, name, &mut columns);
        made.extend(weighted(object, name, columns)?);
    }
    bounded(object, made)
}

fn column_transformer(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
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
            let part = object.part(name, *part)?;
            let mut columns = transform_or_pass(&part, chosen, inputs)?;
            names::prefix(object, name, &mut columns);
            made.extend(weighted(object, name, columns)?);
        }
    }
    bounded(object, made)
}

/// Columns times the weight that `transformer_weights` gives the transformer of this name.
fn weighted(object: &Object, name: &str, columns: Vec<Column>) -> Result<Vec<Column>> {
    let weights = object.find("transformer_weights");
    let Some(weight) = weights.and_then(|weights| object.arena.entry(weights, name)) else {
        return Ok(columns);
    };
    let weight = real(object.arena, weight)
        .ok_or_else(|| object.refuse(&format!("the weight of `{name}` is not a number")))?;
    if columns.iter().any(|column| column.filled.is_some()) {
        return Err(object.refuse(&format!("the texts of `{name}` have a weight")));
    }
    let multiplied = |column: Column| column.then([Step::Multiply(weight)]);
    Ok(columns.into_iter().map(multiplied).collect())
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
