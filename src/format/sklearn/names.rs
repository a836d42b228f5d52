//! What scikit-learn calls the columns that transformers make: `get_feature_names_out`.
//!
//! Owns the names by class, for pipelines that only transform. Where scikit-learn has none, or they
//! are not known here, a column has none. Source: the methods of that name, 1.1 to 1.9.

use std::sync::Arc;

use super::column::Column;
use super::object::{Object, positions};

/// The name of a column, if it is known.
pub(super) type Name = Option<Arc<str>>;

/// Names the columns that a transformer made of others, which had the names `before`.
pub(super) fn mark(object: &Object, before: &[Name], made: &mut [Column]) {
    match object.class() {
        // Their steps have named them.
        ("pipeline" | "feature_selection", _)
        | ("compose", "ColumnTransformer")
        | ("preprocessing", "OneHotEncoder") => {}
        ("impute", _) => imputed(object, before, made),
        ("preprocessing", "FunctionTransformer") => {
            if object.text("feature_names_out") == "one-to-one" {
                same(before, made);
            } else {
                each(made, |_| None);
            }
        }
        (
            "preprocessing",
            "StandardScaler"
            | "MinMaxScaler"
            | "MaxAbsScaler"
            | "RobustScaler"
            | "Normalizer"
            | "Binarizer"
            | "PowerTransformer"
            | "QuantileTransformer"
            | "OrdinalEncoder"
            | "TargetEncoder",
        ) => same(before, made),
        (
            "decomposition"
            | "cross_decomposition"
            | "random_projection"
            | "cluster"
            | "kernel_approximation"
            | "neighbors"
            | "discriminant_analysis"
            | "neural_network",
            class,
        ) if class != "AdditiveChi2Sampler" => {
            let class = class.to_lowercase();
            each(made, |index| Some(format!("{class}{index}").into()));
        }
        _ => each(made, |_| None),
    }
}

/// Puts the name of a step in front of those of its columns, as unions and column transformers do
/// by default.
pub(super) fn prefix(object: &Object, step: &str, made: &mut [Column]) {
    const VERBOSE: &str = "verbose_feature_names_out";
    let is_bool = !object.has(VERBOSE) || object.real(VERBOSE).is_ok();
    if object.has(VERBOSE) && is_bool && !object.flag(VERBOSE) {
        return;
    }
    for column in made {
        let own = column.name.take().filter(|_| is_bool);
        column.name = own.map(|name| format!("{step}__{name}").into());
    }
}

fn each(made: &mut [Column], name: impl Fn(usize) -> Name) {
    for (index, column) in made.iter_mut().enumerate() {
        column.name = name(index);
    }
}

/// The names of the columns that it read, where it makes one of each.
fn same(before: &[Name], made: &mut [Column]) {
    let is_same = before.len() == made.len();
    each(made, |index| {
        before.get(index).cloned().flatten().filter(|_| is_same)
    });
}

/// Imputers: the columns that are left, then those that say what was missing.
fn imputed(object: &Object, before: &[Name], made: &mut [Column]) {
    let is_indicator = object.class().1 == "MissingIndicator";
    let indicator = if is_indicator {
        Some(object.clone())
    } else if object.flag("add_indicator") {
        object.attribute("indicator_").ok()
    } else {
        None
    };
    let features = indicator.and_then(|one| positions(one.arena, one.find("features_")?));
    let features = features.unwrap_or_default();
    let (left, flags) = made.split_at_mut(made.len().saturating_sub(features.len()));
    // Columns without a value in training may be gone: the others kept their names.
    if object.class().1 != "SimpleImputer" {
        if left.len() == before.len() {
            same(before, left);
        } else {
            each(left, |_| None);
        }
    }
    for (flag, feature) in flags.iter_mut().zip(features) {
        let own = before.get(feature).cloned().flatten();
        flag.name = own.map(|name| format!("missingindicator_{name}").into());
    }
}
