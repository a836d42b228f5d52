//! `ai.onnx.ml`: what is done to columns before a model: scaling, imputing, putting together.
//!
//! Follows the operators' text and, where it is silent, ONNX Runtime.

use super::broadcast::map;
use super::ml_categories::keys;
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::element::unsupported;
use crate::graph::entry::{ANY, Entry, ML};
use crate::graph::layout::length_of;
use crate::graph::operator::{Built, Call, Definition, missing_attribute, several, single};
use crate::graph::pass::role_column;
use crate::graph::tensor::{Data, ElementType, Tensor};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Scaler", 1, 1, scaler)
        .columns(role_column::scaled)
        .of(ML),
    Entry::new("Imputer", 1, 1, imputer)
        .columns(role_column::imputed)
        .of(ML),
    Entry::new("Normalizer", 1, 1, normalizer).of(ML),
    Entry::new("Binarizer", 1, 1, binarizer).of(ML),
    Entry::new("ArrayFeatureExtractor", 2, 2, |_| single(extract))
        .columns(role_column::picked)
        .of(ML),
    Entry::new("FeatureVectorizer", 1, ANY, feature_vectorizer).of(ML),
    Entry::new("DictVectorizer", 1, 1, dict_vectorizer).of(ML),
    Entry::new("CastMap", 1, 1, cast_map).of(ML),
    Entry::new("ZipMap", 1, 1, zip_map).of(ML).by_row(),
];

/// Rows × columns, a vector being one row.
pub(super) fn table_shape(tensor: &Tensor) -> Result<(usize, usize)> {
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
