//! Shifting and scaling by statistics: of the batch at training, of a channel, a group or a row.

use super::broadcast::{change_all, map};
use super::elementwise::{Arithmetic, Number, combine};
use super::reduction::by_rows;
use crate::error::{Error, Result};
use crate::graph::element::unsupported;
use crate::graph::entry::Entry;
use crate::graph::layout::{axes_of, axis_of, product};
use crate::graph::operator::{Built, Call, Definition, several, single};
use crate::graph::pass::role_joint;
use crate::graph::tensor::{Data, Tensor};
use crate::graph::value::Value;
use crate::kernel::norm::Norm;
use crate::kernel::processor::Instructions;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("BatchNormalization", 5, 5, batch_normalization)
        .joins(role_joint::normalization)
        .since(7)
        .floats(),
    Entry::new("InstanceNormalization", 3, 3, instance_normalization)
        .since(6)
        .floats(),
    Entry::new("GroupNormalization", 3, 3, group_normalization)
        .since(18)
        .floats(),
    Entry::new("LayerNormalization", 2, 3, layer_normalization).floats(),
    Entry::new("RMSNormalization", 2, 2, root_normalization).floats(),
    Entry::new("SimplifiedLayerNormalization", 2, 2, root_normalization).floats(),
    Entry::new("LpNormalization", 1, 1, length_normalization).floats(),
    Entry::new("MeanVarianceNormalization", 1, 1, mean_variance).floats(),
    Entry::new("LRN", 1, 1, local_response).floats(),
];

/// The tensor with a function of (block, values) applied to consecutive blocks, in double
/// precision.
fn by_blocks(
    data: &Tensor,
    length: usize,
    mut block: impl FnMut(usize, &mut [f64]),
) -> Result<Tensor> {
    fn typed<T: Number>(
        data: &Tensor,
        values: &[T],
        length: usize,
        block: &mut dyn FnMut(usize, &mut [f64]),
    ) -> Result<Tensor> {
        let mut results = Vec::with_capacity(values.len());
        let mut wide = Vec::with_capacity(length);
        for (index, chunk) in values.chunks(length.max(1)).enumerate() {
            wide.clear();
            wide.extend(chunk.iter().map(|value| value.to_double()));
            block(index, &mut wide);
            results.extend(wide.iter().map(|value| T::from_double(*value)));
        }
        Tensor::new(data.shape().to_vec(), results)
    }
    match data.data() {
        Data::Float(values) => typed(data, values, length, &mut block),
        Data::Double(values) => typed(data, values, length, &mut block),
        other => Err(unsupported(other)),
    }
}

/// (mean, variance).
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (
        mean,
        values
            .iter()
            .map(|value| (value - mean) * (value - mean))
            .sum::<f64>()
            / count,
    )
}

fn standardise(values: &mut [f64], epsilon: f64) {
    let (mean, variance) = moments(values);
    let scale = 1.0 / (variance + epsilon).sqrt();
    values
        .iter_mut()
        .for_each(|value| *value = (*value - mean) * scale);
}

/// Rows × channels × positions; a tensor of one axis has one channel.
fn channel_shape(data: &Tensor) -> Result<(usize, usize)> {
    match data.shape() {
        [_] => Ok((1, 1)),
        [_, channels, indices @ ..] => Ok((*channels, product(indices))),
        [] => Err(Error::failed("a scalar has no channels")),
    }
}

fn per_channel(tensor: &Tensor, channels: usize) -> Result<Vec<f64>> {
    let values = tensor.doubles()?;
    if values.len() == channels {
        Ok(values)
    } else {
        Err(Error::failed(format!(
            "{} parameters for {channels} channels",
            values.len()
        )))
    }
}

fn batch_normalization(node: &Definition) -> Result<Built> {
    if node.flag("training_mode", false)?
        || node.version < 14 && node.outputs.iter().skip(1).any(|expected| *expected)
    {
        return Err(Error::contract(
            "batch normalisation in training mode makes a row's score depend on the others",
        ));
    }
    let epsilon = f64::from(node.float("epsilon", 1e-5)?);
    single(move |call| {
        let data = call.tensor(0)?;
        let (channels, indices) = channel_shape(data)?;
        let parameter = |position: usize| per_channel(call.tensor(position)?, channels);
        let (scale, bias, mean, variance) =
            (parameter(1)?, parameter(2)?, parameter(3)?, parameter(4)?);
        by_blocks(data, indices, |block, values| {
            let channel = block % channels;
            let factor = scale[channel] / (variance[channel] + epsilon).sqrt();
            values
                .iter_mut()
                .for_each(|value| *value = (*value - mean[channel]) * factor + bias[channel]);
        })
    })
}

fn instance_normalization(node: &Definition) -> Result<Built> {
    let epsilon = f64::from(node.float("epsilon", 1e-5)?);
    single(move |call| {
        let data = call.tensor(0)?;
        let (channels, indices) = channel_shape(data)?;
        let (scale, bias) = (
            per_channel(call.tensor(1)?, channels)?,
            per_channel(call.tensor(2)?, channels)?,
        );
        by_blocks(data, indices, |block, values| {
            standardise(values, epsilon);
            values.iter_mut().for_each(|value| {
                *value = *value * scale[block % channels] + bias[block % channels];
            });
        })
    })
}

/// Scale and bias are of groups before operator set 21, of channels from there on.
fn group_normalization(node: &Definition) -> Result<Built> {
    let epsilon = f64::from(node.float("epsilon", 1e-5)?);
    let groups = crate::graph::layout::length_of(node.required_int("num_groups")?)?;
    let is_by_group = node.version < 21;
    single(move |call| {
        let data = call.tensor(0)?;
        let (channels, indices) = channel_shape(data)?;
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::failed(format!(
                "{channels} channels in {groups} groups"
            )));
        }
        let parameters = if is_by_group { groups } else { channels };
        let (scale, bias) = (
            per_channel(call.tensor(1)?, parameters)?,
            per_channel(call.tensor(2)?, parameters)?,
        );
        let normal = by_blocks(data, channels / groups * indices, |_, values| {
            standardise(values, epsilon);
        })?;
        by_blocks(&normal, indices, |block, values| {
            let channel = block % channels;
            let parameter = if is_by_group {
                channel / (channels / groups)
            } else {
                channel
            };
            values
                .iter_mut()
                .for_each(|value| *value = *value * scale[parameter] + bias[parameter]);
        })
    })
}

fn layer_normalization(node: &Definition) -> Result<Built> {
    let (axis, epsilon) = (
        node.int("axis", -1)?,
        f64::from(node.float("epsilon", 1e-5)?),
    );
    let has_statistics = node.has_output(1) || node.has_output(2);
    several(move |call| {
        if !has_statistics && let Some(result) = normalised_rows(call, axis, epsilon as f32)? {
            return Ok(vec![result.into()]);
        }
        let data = call.tensor(0)?;
        let axis = axis_of(axis, data.rank())?;
        let (mut means, mut scales) = (Vec::new(), Vec::new());
        let normal = by_blocks(data, product(&data.shape()[axis..]), |_, values| {
            if has_statistics {
                let (mean, variance) = moments(values);
                means.push(mean as f32);
                scales.push((1.0 / (variance + epsilon).sqrt()) as f32);
            }
            standardise(values, epsilon);
        })?;
        let mut result = combine(Arithmetic::Multiply, &normal, call.tensor(1)?)?;
        if let Some(bias) = call.optional(2)? {
            result = combine(Arithmetic::Add, &result, bias)?;
        }
        if !has_statistics {
            return Ok(vec![Value::Tensor(result)]);
        }
        let shape: Vec<usize> = (0..data.rank())
            .map(|other| if other < axis { data.shape()[other] } else { 1 })
            .collect();
        Ok(vec![
            Value::Tensor(result),
            Value::Tensor(Tensor::new(shape.clone(), means)?),
            Value::Tensor(Tensor::new(shape, scales)?),
        ])
    })
}

/// A shape without the axes in front that are 1 long.
fn without_ones(shape: &[usize]) -> &[usize] {
    &shape[shape.iter().take_while(|length| **length == 1).count()..]
}

/// Rows of single precision by the kernel of text models, where scale and shift have one number for
/// each of a row's.
fn normalised_rows(call: &mut Call, axis: i64, epsilon: f32) -> Result<Option<Tensor>> {
    let (data, scale) = (call.tensor(0)?, call.tensor(1)?);
    let own = &data.shape()[axis_of(axis, data.rank())?..];
    let width = product(own);
    let fits = |tensor: &Tensor| without_ones(tensor.shape()) == without_ones(own);
    if !fits(scale) || !call.optional(2)?.is_none_or(fits) {
        return Ok(None);
    }
    let (Data::Float(_), Data::Float(gain)) = (data.data(), scale.data()) else {
        return Ok(None);
    };
    let shift = match call.optional(2)? {
        None => vec![0.0; width],
        Some(bias) => match bias.data() {
            Data::Float(values) => values.to_vec(),
            _ => return Ok(None),
        },
    };
    if width == 0 || gain.len() != width || shift.len() != width {
        return Ok(None);
    }
    let norm = Norm {
        gain: gain.to_vec(),
        shift,
        epsilon,
    };
    let rows = data.len() / width;
    change_all(call.take(0)?, |values| {
        norm.apply(Instructions::exact(), values, width, rows);
    })
    .map(Some)
}

fn root_normalization(node: &Definition) -> Result<Built> {
    let (axis, epsilon) = (
        node.int("axis", -1)?,
        f64::from(node.float("epsilon", 1e-5)?),
    );
    single(move |call| {
        let data = call.tensor(0)?;
        let axis = axis_of(axis, data.rank())?;
        let normal = by_blocks(data, product(&data.shape()[axis..]), |_, values| {
            let square =
                values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
            let scale = 1.0 / (square + epsilon).sqrt();
            values.iter_mut().for_each(|value| *value *= scale);
        })?;
        combine(Arithmetic::Multiply, &normal, call.tensor(1)?)
    })
}

fn length_normalization(node: &Definition) -> Result<Built> {
    let (axis, is_absolute) = (node.int("axis", -1)?, node.int("p", 2)? == 1);
    single(move |call| {
        let data = call.tensor(0)?;
        by_rows(data, axis_of(axis, data.rank())?, |line| {
            let length = if is_absolute {
                line.iter().map(|value| value.abs()).sum::<f64>()
            } else {
                line.iter().map(|value| value * value).sum::<f64>().sqrt()
            };
            line.iter_mut()
                .for_each(|value| *value = if length == 0.0 { 0.0 } else { *value / length });
        })
    })
}

fn mean_variance(node: &Definition) -> Result<Built> {
    let axes = node.find_ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    single(move |call| {
        use super::reduction::{Reduction, reduced};
        let data = call.tensor(0)?;
        let axes = axes_of(&axes, data.rank())?;
        let mean = reduced(data, &axes, true, Reduction::Mean)?;
        let centred = combine(Arithmetic::Subtract, data, &mean)?;
        let variance = reduced(
            &combine(Arithmetic::Multiply, &centred, &centred)?,
            &axes,
            true,
            Reduction::Mean,
        )?;
        let deviation = match variance.data() {
            Data::Double(_) => map(&variance, |value: &f64| value.sqrt() + 1e-9)?,
            _ => map(&variance, |value: &f32| value.sqrt() + 1e-9)?,
        };
        combine(Arithmetic::Divide, &centred, &deviation)
    })
}

fn local_response(node: &Definition) -> Result<Built> {
    let (alpha, beta, bias) = (
        f64::from(node.float("alpha", 1e-4)?),
        f64::from(node.float("beta", 0.75)?),
        f64::from(node.float("bias", 1.0)?),
    );
    let size = crate::graph::layout::length_of(node.required_int("size")?)?.max(1);
    single(move |call| {
        let data = call.tensor(0)?;
        if data.rank() < 2 {
            return Err(Error::failed("a tensor without channels"));
        }
        by_rows(data, 1, |line| {
            let squares: Vec<f64> = line.iter().map(|value| value * value).collect();
            for (channel, value) in line.iter_mut().enumerate() {
                let end = (channel + size / 2 + size % 2).min(squares.len());
                let sum: f64 = squares[channel.saturating_sub((size - 1) / 2)
                    ..end.max(channel + 1).min(squares.len())]
                    .iter()
                    .sum();
                *value /= (bias + alpha / size as f64 * sum).powf(beta);
            }
        })
    })
}
