//! `ai.onnx.ml`: what is done to columns before a model: scaling, imputing, coding, putting
//! together.
//!
//! Follows the operators' text and, where it is silent, ONNX Runtime.

use std::collections::HashMap;
use std::sync::Arc;

use super::broadcast::map;
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::element::unsupported;
use crate::graph::entry::{ANY, Entry, ML};
use crate::graph::layout::length_of;
use crate::graph::operator::{
    Attribute, Built, Call, Definition, missing_attribute, several, single,
};
use crate::graph::tensor::{Data, ElementType, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Scaler", 1, 1, scaler).of(ML),
    Entry::new("Imputer", 1, 1, imputer).of(ML),
    Entry::new("Normalizer", 1, 1, normalizer).of(ML),
    Entry::new("Binarizer", 1, 1, binarizer).of(ML),
    Entry::new("OneHotEncoder", 1, 1, one_hot_encoder).of(ML),
    Entry::new("LabelEncoder", 1, 1, label_encoder)
        .of(ML)
        .by_row(),
    Entry::new("CategoryMapper", 1, 1, category_mapper).of(ML),
    Entry::new("ArrayFeatureExtractor", 2, 2, |_| single(extract)).of(ML),
    Entry::new("FeatureVectorizer", 1, ANY, feature_vectorizer).of(ML),
    Entry::new("DictVectorizer", 1, 1, dict_vectorizer).of(ML),
    Entry::new("CastMap", 1, 1, cast_map).of(ML),
    Entry::new("ZipMap", 1, 1, zip_map).of(ML).by_row(),
];

/// Rows × columns, a vector being one row.
pub(crate) fn table_shape(tensor: &Tensor) -> Result<(usize, usize)> {
    match *tensor.shape() {
        [columns] => Ok((1, columns)),
        [rows, columns] => Ok((rows, columns)),
        _ => Err(Error::failed(format!(
            "a tensor of shape {:?} is not a table",
            tensor.shape()
        ))),
    }
}

/// Numbers of any type in single precision, as these operators compute.
fn singles(tensor: &Tensor) -> Result<Vec<f32>> {
    match tensor.data() {
        Data::Float(values) => Ok(values.to_vec()),
        _ => Ok(tensor
            .doubles()?
            .into_iter()
            .map(|value| value as f32)
            .collect()),
    }
}

/// One parameter for all columns or one for each.
fn per_column(values: &[f32], columns: usize) -> Result<impl Fn(usize) -> f32 + '_> {
    if values.len() != 1 && values.len() != columns {
        return Err(Error::failed(format!(
            "{} parameters for {columns} columns",
            values.len()
        )));
    }
    Ok(move |index: usize| {
        if values.len() == 1 {
            values[0]
        } else {
            values[index % columns]
        }
    })
}

fn scaler(node: &Definition) -> Result<Built> {
    let offset = node
        .find_floats("offset")?
        .ok_or_else(|| missing_attribute("offset"))?;
    let scale = node
        .find_floats("scale")?
        .ok_or_else(|| missing_attribute("scale"))?;
    single(move |call| {
        let data = call.tensor(0)?;
        let columns = data.shape().last().copied().unwrap_or(1);
        let (offset, scale) = (per_column(&offset, columns)?, per_column(&scale, columns)?);
        let values = singles(data)?
            .iter()
            .enumerate()
            .map(|(index, value)| (value - offset(index)) * scale(index))
            .collect();
        Tensor::new(data.shape().to_vec(), values)
    })
}

fn imputer(node: &Definition) -> Result<Built> {
    let (floats, whole) = (
        node.find_floats("imputed_value_floats")?,
        node.find_ints("imputed_value_int64s")?,
    );
    let (missing, missing_whole) = (
        node.float("replaced_value_float", 0.0)?,
        node.int("replaced_value_int64", 0)?,
    );
    single(move |call| {
        let data = call.tensor(0)?;
        let columns = data.shape().last().copied().unwrap_or(1);
        let shape = data.shape().to_vec();
        if let Data::Int64(values) = data.data() {
            let imputed = whole
                .as_ref()
                .ok_or_else(|| missing_attribute("imputed_value_int64s"))?;
            if imputed.len() != 1 && imputed.len() != columns {
                return Err(Error::failed(format!(
                    "{} imputed values for {columns} columns",
                    imputed.len()
                )));
            }
            let value = |(index, value): (usize, &i64)| {
                if *value == missing_whole {
                    imputed[index % imputed.len()]
                } else {
                    *value
                }
            };
            return Tensor::new(shape, values.iter().enumerate().map(value).collect());
        }
        let imputed = per_column(
            floats
                .as_ref()
                .ok_or_else(|| missing_attribute("imputed_value_floats"))?,
            columns,
        )?;
        let is_missing =
            |value: f64| value == f64::from(missing) || value.is_nan() && missing.is_nan();
        let value = |(index, value): (usize, &f32)| {
            if is_missing(f64::from(*value)) {
                imputed(index)
            } else {
                *value
            }
        };
        match data.data() {
            Data::Double(values) => {
                let value = |(index, value): (usize, &f64)| {
                    if is_missing(*value) {
                        f64::from(imputed(index))
                    } else {
                        *value
                    }
                };
                Tensor::new(shape, values.iter().enumerate().map(value).collect())
            }
            _ => Tensor::new(
                shape,
                singles(data)?.iter().enumerate().map(value).collect(),
            ),
        }
    })
}

fn normalizer(node: &Definition) -> Result<Built> {
    let norm = node.choice("norm", &["MAX", "L1", "L2"], 0)?;
    single(move |call| {
        let data = call.tensor(0)?;
        let (_, columns) = table_shape(data)?;
        let mut values = singles(data)?;
        for row in values.chunks_exact_mut(columns.max(1)) {
            let size = match norm {
                0 => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                1 => row.iter().map(|value| value.abs()).sum(),
                _ => row.iter().map(|value| value * value).sum::<f32>().sqrt(),
            };
            if size != 0.0 {
                row.iter_mut().for_each(|value| *value /= size);
            }
        }
        Tensor::new(data.shape().to_vec(), values)
    })
}

fn binarizer(node: &Definition) -> Result<Built> {
    let threshold = node.float("threshold", 0.0)?;
    single(move |call| {
        let data = call.tensor(0)?;
        match data.data() {
            Data::Float(_) => map(data, |value: &f32| f32::from(u8::from(*value > threshold))),
            Data::Double(_) => map(data, |value: &f64| {
                f64::from(u8::from(*value > f64::from(threshold)))
            }),
            Data::Int64(_) => map(data, |value: &i64| i64::from(*value as f32 > threshold)),
            Data::Int32(_) => map(data, |value: &i32| i32::from(*value as f32 > threshold)),
            other => Err(unsupported(other)),
        }
    })
}

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
enum Key {
    Text(Arc<str>),
    Number(u64),
    Whole(i64),
}

fn keys(tensor: &Tensor) -> Result<Vec<Key>> {
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

/// The columns of these numbers along the last axis.
fn extract(call: &mut Call) -> Result<Tensor> {
    let (data, columns) = (call.tensor(0)?, call.tensor(1)?);
    let flat = columns.clone().reshaped(vec![columns.len()])?;
    let picked = super::gather::gathered(data, &flat, -1)?;
    if data.rank() == 1 {
        picked.reshaped(vec![1, columns.len()])
    } else {
        Ok(picked)
    }
}

fn feature_vectorizer(node: &Definition) -> Result<Built> {
    let widths = node
        .find_ints("inputdimensions")?
        .ok_or_else(|| missing_attribute("inputdimensions"))?;
    let widths = widths
        .into_iter()
        .map(length_of)
        .collect::<Result<Vec<usize>>>()?;
    single(move |call| {
        let mut parts = Vec::new();
        for (position, &width) in widths.iter().enumerate().take(call.inputs.len()) {
            let data = cast(call.tensor(position)?, ElementType::Float)?;
            let rows = data.shape().first().copied().unwrap_or(1);
            let columns = data.len().checked_div(rows).unwrap_or(0);
            if columns < width {
                return Err(Error::failed(format!(
                    "an input of {columns} columns where {width} are declared"
                )));
            }
            parts.push(super::movement::part(
                &data.reshaped(vec![rows, columns])?,
                1,
                0,
                width,
            )?);
        }
        super::movement::concatenated(&parts.iter().collect::<Vec<_>>(), 1)
    })
}

fn dict_vectorizer(node: &Definition) -> Result<Built> {
    let vocabulary = match (
        node.find_strings("string_vocabulary")?,
        node.find_ints("int64_vocabulary")?,
    ) {
        (Some(texts), _) => Tensor::vector(texts),
        (None, Some(numbers)) => Tensor::vector(numbers),
        (None, None) => return Err(missing_attribute("string_vocabulary")),
    };
    let expected = keys(&vocabulary)?;
    single(move |call| {
        let Value::Maps {
            keys: provided,
            values,
        } = call.value(0)?
        else {
            return Err(Error::contract("the input is not a map"));
        };
        let provided = keys(provided)?;
        let (rows, columns) = table_shape(values)?;
        let indices: Vec<Option<usize>> = expected
            .iter()
            .map(|key| provided.iter().position(|other| other == key))
            .collect();
        let all: Vec<Option<usize>> = (0..rows)
            .flat_map(|row| {
                indices
                    .iter()
                    .map(move |index| index.map(|index| row * columns + index))
            })
            .collect();
        values.picked(&all, None, vec![rows, expected.len()])
    })
}

fn cast_map(node: &Definition) -> Result<Built> {
    let to = [ElementType::Float, ElementType::String, ElementType::Int64]
        [node.choice("cast_to", &["TO_FLOAT", "TO_STRING", "TO_INT64"], 0)?];
    let is_sparse = node.choice("map_form", &["DENSE", "SPARSE"], 0)? == 1;
    let width = length_of(node.int("max_map", 1)?)?;
    single(move |call| {
        let Value::Maps {
            keys: provided,
            values,
        } = call.value(0)?
        else {
            return Err(Error::contract("the input is not a map"));
        };
        let (rows, columns) = table_shape(values)?;
        let values = cast(values, to)?;
        if !is_sparse {
            return Ok(values);
        }
        // A key is the place of its value; positions without one hold zero.
        let keys = provided.integers()?;
        let index = |expected: usize| keys.iter().position(|key| *key == expected as i64);
        let all: Vec<Option<usize>> = (0..rows)
            .flat_map(|row| {
                (0..width)
                    .map(move |expected| index(expected).map(|index| row * columns + index))
                    .collect::<Vec<_>>()
            })
            .collect();
        values.picked(&all, None, vec![rows, width])
    })
}

fn zip_map(node: &Definition) -> Result<Built> {
    let keys = labels(node, "classlabels_strings", "classlabels_int64s")?;
    several(move |call| {
        let values = call.take(0)?;
        let (rows, columns) = table_shape(&values)?;
        if columns != keys.len() {
            return Err(Error::failed(format!(
                "{columns} values for {} keys",
                keys.len()
            )));
        }
        Ok(vec![Value::Maps {
            keys: keys.clone(),
            values: values.reshaped(vec![rows, columns])?,
        }])
    })
}

/// The labels of a model's classes: texts or integers.
pub(crate) fn labels(node: &Definition, texts: &str, numbers: &str) -> Result<Tensor> {
    match (node.find_strings(texts)?, node.find_ints(numbers)?) {
        (Some(texts), _) if !texts.is_empty() => Ok(Tensor::vector(texts)),
        (_, Some(numbers)) if !numbers.is_empty() => Ok(Tensor::vector(numbers)),
        _ => Err(missing_attribute(numbers)),
    }
}
