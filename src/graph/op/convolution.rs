//! Convolutions of any number of axes. Those in single precision have a kernel of their own; of
//! other numbers the windows are laid out as a matrix, with one product for each image and group.

use super::elementwise::Number;
use super::product::Factor;
use super::window::{OUTSIDE, Padding, Sliding, Window, group_count};
use crate::error::{Error, Result};
use crate::graph::element::unsupported;
use crate::graph::entry::Entry;
use crate::graph::layout::{length_of, product};
use crate::graph::operator::{Built, Definition, single};
use crate::graph::pass::role_joint;
use crate::graph::tensor::{Data, Tensor, element_count, room_of};
use crate::kernel::convolution::{Activation, Axis, Filters, Finish, Images};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Conv", 2, 3, convolution)
        .joins(role_joint::convolution)
        .floats(),
    Entry::new("ConvTranspose", 2, 3, transposed_convolution).floats(),
    Entry::new("ConvInteger", 2, 4, integer_convolution),
];

fn convolution(node: &Definition) -> Result<Built> {
    let (sliding, groups) = (Sliding::of(node)?, group_count(node)?);
    single(move |call| {
        let (data, weights, bias) = (call.tensor(0)?, call.tensor(1)?, call.optional(2)?);
        match data.data() {
            Data::Float(_) if !weights.is_empty() => {
                let finish = Finish {
                    residual: None,
                    activation: Activation::None,
                };
                let out = Packed::new(weights, bias, groups)?.run(data, &sliding, finish)?;
                call.fuel.burn_products(
                    out.len().saturating_mul(product(&weights.shape()[1..])),
                    weights.len(),
                )?;
                Ok(out)
            }
            Data::Float(values) => convolved::<f32>(data, values, weights, bias, &sliding, groups),
            Data::Double(values) => convolved::<f64>(data, values, weights, bias, &sliding, groups),
            other => Err(unsupported(other)),
        }
    })
}

/// Rows of the last axis in a band of one place of the first: each has entries of its own in
/// tables. Films have some thousand.
const MAX_BAND_ROWS: usize = 1 << 20;

/// Filters in single precision, packed for the kernel.
pub(crate) struct Packed {
    filters: Filters,
    /// Filters × channels of a group × window.
    shape: Vec<usize>,
    groups: usize,
}

impl Packed {
    /// Weights that are not empty, and one bias for each filter.
    pub(crate) fn new(weights: &Tensor, bias: Option<&Tensor>, groups: usize) -> Result<Self> {
        let &[filters, channels, ref window @ ..] = weights.shape() else {
            return Err(Error::failed("a convolution of tensors without channels"));
        };
        let bias = bias.map(Tensor::values::<f32>).transpose()?;
        if let Some(bias) = bias.filter(|bias| bias.len() != filters) {
            return Err(Error::failed(format!(
                "{} biases for {filters} filters",
                bias.len()
            )));
        }
        if !filters.is_multiple_of(groups) {
            return Err(Error::failed(format!(
                "{filters} filters in {groups} groups"
            )));
        }
        let filters = Filters::new(
            groups,
            [filters, channels, product(window)],
            weights.values::<f32>()?,
            bias,
        )?;
        Ok(Self {
            filters,
            shape: weights.shape().to_vec(),
            groups,
        })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.filters.memory_bytes()
    }

    /// The taps of a filter.
    pub(crate) fn depth(&self) -> usize {
        product(&self.shape[1..])
    }

    /// The shape of the results, and the axes that the filters slide along.
    fn axes(&self, data: &Tensor, sliding: &Sliding) -> Result<(Vec<usize>, Vec<Axis>)> {
        let (&[images, channels, ref offsets @ ..], &[filters, group_channels, ref kernel @ ..]) =
            (data.shape(), self.shape.as_slice())
        else {
            return Err(Error::failed("a convolution of tensors without channels"));
        };
        if group_channels.checked_mul(self.groups) != Some(channels) {
            return Err(Error::failed(format!(
                "{channels} channels and {filters} filters in {} groups of {group_channels}",
                self.groups
            )));
        }
        let window = sliding.over(offsets, kernel)?;
        let axis = |axis: usize| Axis {
            input: window.input[axis],
            output: window.output[axis],
            kernel: window.kernel[axis],
            stride: window.strides[axis],
            dilation: window.dilations[axis],
            before: window.pads[axis].0,
        };
        // An axis of one place in front says nothing, and would keep the kernel from going band by
        // band along the next.
        let is_silent =
            |axis: &Axis| (axis.input, axis.output, axis.kernel, axis.before) == (1, 1, 1, 0);
        let all: Vec<Axis> = (0..offsets.len()).map(axis).collect();
        let silent = all
            .iter()
            .take(all.len().saturating_sub(1))
            .take_while(|axis| is_silent(axis))
            .count();
        let axes = all[silent..].to_vec();
        let rows = axes
            .iter()
            .rev()
            .skip(1)
            .rev()
            .skip(1)
            .try_fold(1_usize, |rows, axis| {
                rows.checked_mul(axis.input.max(axis.output).max(1))
            });
        if rows.is_none_or(|rows| rows > MAX_BAND_ROWS) {
            return Err(Error::contract(format!(
                "a convolution over images of shape {offsets:?}, of which a band has more than \
                 {MAX_BAND_ROWS} rows"
            )));
        }
        let shape = [&[images, filters], window.output.as_slice()].concat();
        element_count(&shape).map(|_| (shape, axes))
    }

    /// The shape of the results for images of this one.
    pub(crate) fn result_shape(&self, data: &Tensor, sliding: &Sliding) -> Result<Vec<usize>> {
        self.axes(data, sliding).map(|(shape, _)| shape)
    }

    /// Images × channels × positions.
    pub(crate) fn run(
        &self,
        data: &Tensor,
        sliding: &Sliding,
        finish: Finish<'_>,
    ) -> Result<Tensor> {
        let (shape, axes) = self.axes(data, sliding)?;
        let images = Images {
            values: data.values::<f32>()?,
            count: shape[0],
        };
        Tensor::new(shape, self.filters.convolve(images, &axes, finish)?)
    }
}

/// Images × channels × positions by filters × channels of a group × window.
pub(super) fn convolved<T: Factor>(
    data: &Tensor,
    values: &[T],
    weights: &Tensor,
    bias: Option<&Tensor>,
    sliding: &Sliding,
    groups: usize,
) -> Result<Tensor> {
    let (&[images, channels, ref offsets @ ..], &[filters, group_channels, ref kernel @ ..]) =
        (data.shape(), weights.shape())
    else {
        return Err(Error::failed("a convolution of tensors without channels"));
    };
    if group_channels.checked_mul(groups) != Some(channels) || !filters.is_multiple_of(groups) {
        return Err(Error::failed(format!(
            "{channels} channels and {filters} filters in {groups} groups of {group_channels}"
        )));
    }
    let window = sliding.over(offsets, kernel)?;
    let (weights, map) = (weights.values::<T>()?, window.offsets());
    let (size, input_size, rows) = (window.output_size(), product(offsets), filters / groups);
    let depth = group_channels * window.kernel_size();
    let mut columns = vec![T::zero(); room_of::<T>(&[depth, size])?];
    let shape = [&[images, filters], window.output.as_slice()].concat();
    let mut out = vec![T::zero(); room_of::<T>(&shape)?];
    for (image, group) in (0..images).flat_map(|image| (0..groups).map(move |group| (image, group)))
    {
        for channel in 0..group_channels {
            let source = &values
                [(image * channels + group * group_channels + channel) * input_size..]
                [..input_size];
            let target = &mut columns[channel * map.len()..(channel + 1) * map.len()];
            target.iter_mut().zip(&map).for_each(|(to, &index)| {
                *to = if index == OUTSIDE {
                    T::zero()
                } else {
                    source[index]
                }
            });
        }
        let factor = &weights[group * rows * depth..(group + 1) * rows * depth];
        let target = &mut out[(image * filters + group * rows) * size..][..rows * size];
        T::multiply_matrices(factor, &columns, target, [rows, depth, size]);
    }
    add_bias(&mut out, bias, filters, size)?;
    Tensor::new(shape, out)
}

pub(super) fn add_bias<T: Number>(
    out: &mut [T],
    bias: Option<&Tensor>,
    filters: usize,
    size: usize,
) -> Result<()> {
    let Some(bias) = bias else { return Ok(()) };
    let bias = bias.values::<T>()?;
    if bias.len() != filters {
        return Err(Error::failed(format!(
            "{} biases for {filters} filters",
            bias.len()
        )));
    }
    out.chunks_exact_mut(size.max(1))
        .enumerate()
        .for_each(|(index, chunk)| {
            chunk
                .iter_mut()
                .for_each(|value| *value = value.add(bias[index % filters]));
        });
    Ok(())
}

fn transposed_convolution(node: &Definition) -> Result<Built> {
    let (sliding, groups) = (Sliding::of(node)?, group_count(node)?);
    let (more, expected) = (
        node.find_ints("output_padding")?,
        node.find_ints("output_shape")?,
    );
    single(move |call| {
        let (data, weights, bias) = (call.tensor(0)?, call.tensor(1)?, call.optional(2)?);
        let (&[_, _, ref offsets @ ..], &[_, _, ref kernel @ ..]) = (data.shape(), weights.shape())
        else {
            return Err(Error::failed("a convolution of tensors without channels"));
        };
        let window = spread_window(
            &sliding,
            offsets,
            kernel,
            more.as_deref(),
            expected.as_deref(),
        )?;
        match data.data() {
            Data::Float(values) => spread::<f32>(data, values, weights, bias, &window, groups),
            Data::Double(values) => spread::<f64>(data, values, weights, bias, &window, groups),
            other => Err(unsupported(other)),
        }
    })
}

/// The window that slides over the output and stands at each place of the input once.
fn spread_window(
    sliding: &Sliding,
    offsets: &[usize],
    kernel: &[usize],
    more: Option<&[i64]>,
    expected: Option<&[i64]>,
) -> Result<Window> {
    let rank = offsets.len();
    let (strides, dilations, mut pads) = sliding.parameters(rank)?;
    let more = more.map_or_else(|| vec![0; rank], <[i64]>::to_vec);
    let expected =
        expected.map(|expected| expected[expected.len().saturating_sub(rank)..].to_vec());
    if kernel.len() != rank
        || more.len() != rank
        || expected
            .as_ref()
            .is_some_and(|expected| expected.len() != rank)
    {
        return Err(Error::failed(format!(
            "parameters that are not for {rank} axes"
        )));
    }
    let mut input = Vec::with_capacity(rank);
    for axis in 0..rank {
        let extent = (kernel[axis].max(1) - 1)
            .saturating_mul(dilations[axis])
            .saturating_add(1);
        let full = (offsets[axis].max(1) - 1)
            .saturating_mul(strides[axis])
            .saturating_add(extent) as i64;
        let full = full.saturating_add(more[axis]);
        let is_same = matches!(sliding.padding, Padding::Upper | Padding::Lower);
        let length = match &expected {
            Some(expected) => Some(expected[axis]),
            None if is_same => Some(offsets[axis].saturating_mul(strides[axis]) as i64),
            None => None,
        };
        if let Some(length) = length {
            let total = (full - length).max(0);
            pads[axis] = if sliding.padding == Padding::Upper {
                (total / 2, total - total / 2)
            } else {
                (total - total / 2, total / 2)
            };
        }
        let own = length.unwrap_or_else(|| {
            full.saturating_sub(pads[axis].0)
                .saturating_sub(pads[axis].1)
        });
        input.push(length_of(own)?);
    }
    element_count(&input)?;
    element_count(&[element_count(offsets)?, element_count(kernel)?])?;
    Ok(Window {
        input,
        kernel: kernel.to_vec(),
        strides,
        dilations,
        pads,
        output: offsets.to_vec(),
    })
}

fn spread<T: Factor>(
    data: &Tensor,
    values: &[T],
    weights: &Tensor,
    bias: Option<&Tensor>,
    window: &Window,
    groups: usize,
) -> Result<Tensor> {
    let (images, channels, filters) = (data.shape()[0], data.shape()[1], weights.shape()[1]);
    if weights.shape()[0] != channels || !channels.is_multiple_of(groups) {
        return Err(Error::failed(format!(
            "{channels} channels in {groups} groups for weights of shape {:?}",
            weights.shape()
        )));
    }
    let (map, own) = (window.offsets(), channels / groups);
    let (size, input_size, kernel) = (
        window.output_size(),
        product(&window.input),
        window.kernel_size(),
    );
    let rows = filters * kernel;
    // Channels × (filters × window) turned to (filters × window) × channels, group by group.
    let oriented = crate::graph::layout::transposed(
        &weights.clone().reshaped(vec![groups, own, rows])?,
        &[0, 2, 1],
    )?;
    let oriented = oriented.values::<T>()?;
    let mut columns = vec![T::zero(); room_of::<T>(&[rows, size])?];
    let shape = [&[images, filters * groups], window.input.as_slice()].concat();
    let mut out = vec![T::zero(); room_of::<T>(&shape)?];
    for (image, group) in (0..images).flat_map(|image| (0..groups).map(move |group| (image, group)))
    {
        let source = &values[(image * channels + group * own) * size..][..own * size];
        columns.fill(T::zero());
        T::multiply_matrices(
            &oriented[group * rows * own..(group + 1) * rows * own],
            source,
            &mut columns,
            [rows, own, size],
        );
        for filter in 0..filters {
            let target = &mut out
                [(image * filters * groups + group * filters + filter) * input_size..]
                [..input_size];
            let parts = &columns[filter * map.len()..(filter + 1) * map.len()];
            for (part, &index) in parts
                .iter()
                .zip(&map)
                .filter(|(_, index)| **index != OUTSIDE)
            {
                target[index] = target[index].add(*part);
            }
        }
    }
    add_bias(&mut out, bias, filters * groups, input_size)?;
    Tensor::new(shape, out)
}

/// 8-bit integers less their zero points, multiplied and added in 32 bits.
fn integer_convolution(node: &Definition) -> Result<Built> {
    let (sliding, groups) = (Sliding::of(node)?, group_count(node)?);
    single(move |call| {
        let data = super::quantised::centred(call.tensor(0)?, call.optional(2)?, 0)?;
        let weights = super::quantised::centred(call.tensor(1)?, call.optional(3)?, 0)?;
        convolved::<i32>(
            &data,
            data.values::<i32>()?,
            &weights,
            None,
            &sliding,
            groups,
        )
    })
}
