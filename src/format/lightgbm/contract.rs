//! LightGBM's features as inputs of a table: names, which are categorical, and which pandas
//! categories belong to which.
//!
//! Owns the matching of `pandas_categorical` to features. The file lists the categories of every
//! pandas column of type `category` in the order of the columns, but not which columns those were;
//! where that cannot be determined, the model is refused rather than scored with another column's
//! codes. It must not know trees' meaning beyond which features are split by category.

use std::collections::BTreeSet;

use super::text::TextModel;
use crate::contract::renaming::Renaming;
use crate::contract::{CategoryValue, Contract, Input, InputKind, Vocabulary};
use crate::error::{Error, Result};

/// One input per feature; `split` are those that trees split by category. A model without names
/// gets LightGBM's own `Column_0`, `Column_1`, …
pub(super) fn contract(text: &TextModel, split: &BTreeSet<usize>) -> Result<Contract> {
    let categorical = categorical(text, split);
    let mut kinds = vec![InputKind::Number; text.feature_names.len()];
    for &feature in &categorical {
        kinds[feature] = InputKind::CategoryCode;
    }
    for (feature, list) in matched(text, &categorical)? {
        // pandas gives a value outside the categories the code -1, which LightGBM's wrapper
        // replaces by NaN.
        kinds[feature] = InputKind::Category(Vocabulary {
            values: list.clone(),
            unseen_code: f64::NAN,
        });
    }
    let inputs = text
        .feature_names
        .iter()
        .zip(kinds)
        .map(|(name, kind)| match kind {
            InputKind::Number => Input::number(name),
            other => Input::of_kind(name, other),
        });
    let named = text
        .feature_names
        .iter()
        .enumerate()
        .any(|(index, name)| *name != format!("Column_{index}"));
    Ok(Contract {
        inputs: inputs.collect(),
        named,
        renaming: Renaming::LightGbm,
        ..Contract::default()
    })
}

/// The features known to be categorical: their info lists codes, a tree splits them by category, or
/// the parameters name them.
fn categorical(text: &TextModel, split: &BTreeSet<usize>) -> BTreeSet<usize> {
    let feature_count = text.feature_names.len();
    let listed = (0..feature_count).filter(|&feature| lists_codes(&text.feature_infos[feature]));
    let declared = declared(text).unwrap_or_default();
    listed
        .chain(split.iter().copied())
        .chain(declared)
        .filter(|&feature| feature < feature_count)
        .collect()
}

fn lists_codes(info: &str) -> bool {
    info != "none" && !info.starts_with('[')
}

/// `[categorical_feature: 0,3]`, which LightGBM's Python package fills in, constant features
/// included.
fn declared(text: &TextModel) -> Option<Vec<usize>> {
    let indices = text
        .parameters
        .get("categorical_feature")
        .or_else(|| text.parameters.get("categorical_column"))?;
    indices
        .split(',')
        .map(|index| index.trim().parse().ok())
        .collect()
}

/// Which feature each list of categories belongs to.
///
/// Without the parameter, a feature of one value (`none`) may or may not have been categorical.
/// Lists and features keep their order, so feature `f` gets list (categorical features before it +
/// such features chosen before it); unless all choices agree, no one knows.
fn matched<'a>(
    text: &'a TextModel,
    categorical: &BTreeSet<usize>,
) -> Result<Vec<(usize, &'a Vec<CategoryValue>)>> {
    let lists = &text.pandas_categories;
    if lists.is_empty() {
        return Ok(Vec::new());
    }
    let may_be = |feature: &usize| {
        declared(text).is_none()
            && text.feature_infos[*feature] == "none"
            && !categorical.contains(feature)
    };
    let optional: Vec<usize> = (0..text.feature_names.len()).filter(may_be).collect();
    let chosen = lists
        .len()
        .checked_sub(categorical.len())
        .filter(|&chosen| chosen <= optional.len());
    let chosen = chosen.ok_or_else(|| {
        ambiguous(
            text,
            &format!("{} features are categorical", categorical.len()),
        )
    })?;
    if chosen == optional.len() {
        let all: BTreeSet<usize> = categorical.iter().copied().chain(optional).collect();
        return all
            .into_iter()
            .zip(lists)
            .map(|(feature, list)| fits(text, feature, list).map(|()| (feature, list)))
            .collect();
    }
    let mut matches = Vec::new();
    for (before, &feature) in categorical.iter().enumerate() {
        let optional_before = optional.partition_point(|&other| other < feature);
        let (least, most) = (
            chosen.saturating_sub(optional.len() - optional_before),
            chosen.min(optional_before),
        );
        if least != most {
            return Err(ambiguous(
                text,
                &format!(
                    "any of them may belong to the constant features before `{}`",
                    text.feature_names[feature]
                ),
            ));
        }
        let list = &lists[before + least];
        fits(text, feature, list)?;
        matches.push((feature, list));
    }
    Ok(matches)
}

fn fits(text: &TextModel, feature: usize, list: &[CategoryValue]) -> Result<()> {
    let info = &text.feature_infos[feature];
    let largest = info
        .split(':')
        .filter_map(|code| code.parse::<i64>().ok())
        .max()
        .filter(|_| lists_codes(info));
    if largest.is_some_and(|code| code >= list.len() as i64) {
        return Err(ambiguous(
            text,
            &format!(
                "`{}` has more codes than its list has values",
                text.feature_names[feature]
            ),
        ));
    }
    Ok(())
}

fn ambiguous(text: &TextModel, why: &str) -> Error {
    let count = text.pandas_categories.len();
    Error::contract(format!(
        "cannot determine which features the {count} lists of `pandas_categorical` belong to: {why}"
    ))
    .hint(
        "train again with unordered pandas categories as the only categorical features, or with \
         integer codes in plain columns",
    )
}
