//! `ai.onnx.ml`: categories to numbers and back.
//!
//! Follows the operators' text and, where it is silent, ONNX Runtime.

use super::broadcast::map;
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::element::unsupported;
use crate::graph::entry::{Entry, ML};
use crate::graph::operator::{Attribute, Built, Definition, missing_attribute, single};
use crate::graph::pass::role_column;
use crate::graph::tensor::{Data, ElementType, Tensor};
use std::collections::HashMap;
use std::sync::Arc;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("OneHotEncoder", 1, 1, one_hot_encoder)
        .columns(role_column::one_hot)
        .of(ML),
    Entry::new("LabelEncoder", 1, 1, label_encoder)
        .columns(role_column::coded)
        .of(ML)
        .by_row(),
    Entry::new("CategoryMapper", 1, 1, category_mapper).of(ML),
];

/// The categories of an encoder: texts or integers.
fn one_hot_encoder(node: &Definition) -> Result<Built> {
    let (texts, whole) = (
        node.find_strings("cats_strings")?,
        node.find_ints("cats_int64s")?,
    );
    let takes_unknown = node.flag("zeros", true)?;
    let count = texts
        .as_ref()
        .map(Vec::len)
        .or(whole.as_ref().map(Vec::len))
        .ok_or_else(|| missing_attribute("cats_int64s"))?;
    let by_text: HashMap<Arc<str>, usize> = texts
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, text)| (text, index))
        .collect();
    let by_number: HashMap<i64, usize> = whole
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, number)| (number, index))
        .collect();
    single(move |call| {
        let data = call.tensor(0)?;
        let indices: Vec<Option<usize>> = match data.data() {
            Data::String(values) => values
                .iter()
                .map(|text| by_text.get(text).copied())
                .collect(),
            Data::Int64(values) => values
                .iter()
                .map(|number| by_number.get(number).copied())
                .collect(),
            _ => data
                .doubles()?
                .iter()
                .map(|number| by_number.get(&(*number as i64)).copied())
                .collect(),
        };
        if !takes_unknown && indices.iter().any(Option::is_none) {
            return Err(Error::failed(
                "a category was never seen in training, and the model's encoder refuses such",
            ));
        }
        let shape = [data.shape(), &[count]].concat();
        let mut codes = vec![0_f32; crate::graph::tensor::element_count(&shape)?];
        indices.iter().enumerate().for_each(|(row, index)| {
            index
                .iter()
                .for_each(|index| codes[row * count + index] = 1.0);
        });
        Tensor::new(shape, codes)
    })
}

/// A key that can be looked up: numbers by their bits, −0 as 0, every NaN the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Text(Arc<str>),
    Number(u64),
    Whole(i64),
}

pub(super) fn keys(tensor: &Tensor) -> Result<Vec<Key>> {
    let number = |value: f64| {
        Key::Number(if value.is_nan() {
            f64::NAN.to_bits()
        } else {
            (value + 0.0).to_bits()
        })
    };
    Ok(match tensor.data() {
        Data::String(values) => values.iter().cloned().map(Key::Text).collect(),
        Data::Float(_) | Data::Double(_) | Data::Float16(_) => {
            tensor.doubles()?.into_iter().map(number).collect()
        }
        Data::Bool(values) => values
            .iter()
            .map(|value| Key::Whole(i64::from(*value)))
            .collect(),
        _ => tensor.integers()?.into_iter().map(Key::Whole).collect(),
    })
}

/// The one of several attributes that is given, as a vector.
fn vector(node: &Definition, prefix: &str) -> Option<Tensor> {
    let find = |suffix: &str| node.attributes.get(&format!("{prefix}_{suffix}"));
    match (
        find("strings"),
        find("int64s"),
        find("floats"),
        find("tensor"),
    ) {
        (Some(Attribute::Strings(values)), ..) => Some(Tensor::vector(values.to_vec())),
        (_, Some(Attribute::Ints(values)), ..) => Some(Tensor::vector(values.to_vec())),
        (_, _, Some(Attribute::Floats(values)), _) => Some(Tensor::vector(values.to_vec())),
        (.., Some(Attribute::Tensor(tensor))) => Some(tensor.clone()),
        _ => None,
    }
}

fn label_encoder(node: &Definition) -> Result<Built> {
    if let Some(classes) = node.find_strings("classes_strings")? {
        return old_label_encoder(node, &classes);
    }
    let from = vector(node, "keys").ok_or_else(|| missing_attribute("keys_*"))?;
    let to = vector(node, "values").ok_or_else(|| missing_attribute("values_*"))?;
    if from.len() != to.len() {
        return Err(Error::failed(format!(
            "{} keys for {} values",
            from.len(),
            to.len()
        )));
    }
    let default = match (to.element_type(), node.find_tensor("default_tensor")?) {
        (_, Some(default)) => default,
        (ElementType::String, None) => {
            Tensor::scalar(Arc::<str>::from(node.string("default_string", "_Unused")?))
        }
        (other, None) if other.is_float() => {
            cast(&Tensor::scalar(node.float("default_float", -0.0)?), other)?
        }
        (other, None) => cast(&Tensor::scalar(node.int("default_int64", -1)?), other)?,
    };
    let mut indices: HashMap<Key, usize> = keys(&from)?
        .into_iter()
        .enumerate()
        .map(|(index, key)| (key, index))
        .collect();
    if node.version < 4 {
        // Only from operator set 4 on is NaN a key like any other.
        indices.remove(&Key::Number(f64::NAN.to_bits()));
    }
    let from_type = from.element_type();
    single(move |call| {
        let data = call.tensor(0)?;
        let same_kind = data.element_type() == from_type
            || data.element_type() != ElementType::String && from_type != ElementType::String;
        if !same_kind {
            return Err(Error::contract(format!(
                "keys of `{}` for values of `{}`",
                from_type.name(),
                data.element_type().name()
            )));
        }
        let data = if data.element_type() == from_type {
            data.clone()
        } else {
            cast(data, from_type)?
        };
        let found: Vec<Option<usize>> = keys(&data)?
            .iter()
            .map(|key| indices.get(key).copied())
            .collect();
        to.picked(&found, Some(&default), data.shape().to_vec())
    })
}

/// Operator set 1: texts to their positions, or back.
fn old_label_encoder(node: &Definition, classes: &[Arc<str>]) -> Result<Built> {
    let (default_text, default_number) = (
        Arc::<str>::from(node.string("default_string", "_Unused")?),
        node.int("default_int64", -1)?,
    );
    texts_and_offsets(
        classes.to_vec(),
        (0..classes.len() as i64).collect(),
        default_text,
        default_number,
    )
}

fn category_mapper(node: &Definition) -> Result<Built> {
    let texts = node
        .find_strings("cats_strings")?
        .ok_or_else(|| missing_attribute("cats_strings"))?;
    let numbers = node
        .find_ints("cats_int64s")?
        .ok_or_else(|| missing_attribute("cats_int64s"))?;
    if texts.len() != numbers.len() {
        return Err(Error::failed(format!(
            "{} texts for {} numbers",
            texts.len(),
            numbers.len()
        )));
    }
    texts_and_offsets(
        texts,
        numbers,
        Arc::from(node.string("default_string", "_Unused")?),
        node.int("default_int64", -1)?,
    )
}

/// Texts become numbers, numbers become texts.
fn texts_and_offsets(
    texts: Vec<Arc<str>>,
    numbers: Vec<i64>,
    default_text: Arc<str>,
    default_number: i64,
) -> Result<Built> {
    let to_number: HashMap<Arc<str>, i64> =
        texts.iter().cloned().zip(numbers.iter().copied()).collect();
    let to_text: HashMap<i64, Arc<str>> = numbers.into_iter().zip(texts).collect();
    single(move |call| {
        let data = call.tensor(0)?;
        match data.data() {
            Data::String(_) => map(data, |text: &Arc<str>| {
                to_number.get(text).copied().unwrap_or(default_number)
            }),
            Data::Int64(_) => map(data, |number: &i64| {
                to_text
                    .get(number)
                    .cloned()
                    .unwrap_or_else(|| default_text.clone())
            }),
            other => Err(unsupported(other)),
        }
    })
}
