//! Resizing: axes made longer or shorter, each place of the result a neighbour picked or several
//! weighed.
//!
//! Axes are resized one after another. Coordinates are computed in single precision, as ONNX
//! Runtime computes them, because which neighbour is the nearest hangs on their last bit. Source:
//! the operator's specification and `onnx.reference`.

use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::Entry;
use crate::graph::layout::{axes_of, length_of, split_at_axis};
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::tensor::{ELEMENT_LIMIT, Tensor, element_count};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Resize", 1, 4, resize).since(10).floats(),
    Entry::new("Upsample", 1, 2, upsample).since(7).floats(),
];

/// Which of two neighbours is the nearest.
#[derive(Clone, Copy)]
enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
    /// Of operator sets up to 10: down where the axis grows, up where it shrinks.
    Simple,
}

#[derive(Clone, Copy)]
enum Mode {
    Nearest(Rounding),
    Linear,
    Cubic,
}

/// Where a place of the result lies on the axis before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    Crop,
}

/// What needed lengths do to an image's proportions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aspect {
    Stretch,
    NotLarger,
    NotSmaller,
}

/// What a node says of resizing.
struct Resizing {
    mode: Mode,
    coordinates: Coordinates,
    aspect: Aspect,
    axes: Option<Vec<i64>>,
    cubic: f64,
    extrapolation: f64,
    is_antialiased: bool,
    excludes_outside: bool,
}

/// One axis to be resized.
struct Axis {
    number: usize,
    input: usize,
    output: usize,
    scale: f32,
    /// The length that the scale gives, before it is made whole.
    exact: f32,
    /// The part of the axis that is looked at, as fractions of it.
    region: (f32, f32),
}

/// The neighbours of every place of an axis and their weights, as many for each.
struct Neighbours {
    count: usize,
    indices: Vec<usize>,
    weights: Vec<f64>,
    /// The positions that lie outside the axis and get a fixed value.
    outside: Vec<bool>,
}

fn resize(node: &Definition) -> Result<Built> {
    let is_old = node.version <= 10;
    let roundings = [
        Rounding::PreferFloor,
        Rounding::PreferCeil,
        Rounding::Floor,
        Rounding::Ceil,
    ];
    let rounding = roundings[node.choice(
        "nearest_mode",
        &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"],
        0,
    )?];
    let all = [
        Coordinates::HalfPixel,
        Coordinates::HalfPixelSymmetric,
        Coordinates::PytorchHalfPixel,
        Coordinates::AlignCorners,
        Coordinates::Asymmetric,
        Coordinates::Crop,
    ];
    let names = [
        "half_pixel",
        "half_pixel_symmetric",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "tf_crop_and_resize",
    ];
    let coordinates = all[node.choice(
        "coordinate_transformation_mode",
        &names,
        if is_old { 4 } else { 0 },
    )?];
    let policies = ["stretch", "not_larger", "not_smaller"];
    let resizing = Resizing {
        mode: mode(node, if is_old { Rounding::Simple } else { rounding })?,
        coordinates,
        aspect: [Aspect::Stretch, Aspect::NotLarger, Aspect::NotSmaller]
            [node.choice("keep_aspect_ratio_policy", &policies, 0)?],
        axes: node.find_ints("axes")?,
        cubic: f64::from(node.float("cubic_coeff_a", -0.75)?),
        extrapolation: f64::from(node.float("extrapolation_value", 0.0)?),
        is_antialiased: node.flag("antialias", false)?,
        excludes_outside: node.flag("exclude_outside", false)?,
    };
    let (scales_at, region_at) = if is_old { (1, usize::MAX) } else { (2, 1) };
    single(move |call| {
        let provided = |position: usize| -> Result<Option<&Tensor>> {
            Ok(call.optional(position)?.filter(|tensor| !tensor.is_empty()))
        };
        let data = call.tensor(0)?;
        let region = if resizing.coordinates == Coordinates::Crop {
            provided(region_at)?.map(Tensor::doubles).transpose()?
        } else {
            None
        };
        let sizes = if is_old {
            None
        } else {
            call.optional(3)?.map(Tensor::integers).transpose()?
        };
        let scales = provided(scales_at)?.map(Tensor::doubles).transpose()?;
        let axes = resizing.axes(
            data,
            scales.as_deref(),
            sizes.filter(|sizes| !sizes.is_empty()).as_deref(),
            region.as_deref(),
        )?;
        resizing.run(data, &axes)
    })
}

fn mode(node: &Definition, rounding: Rounding) -> Result<Mode> {
    Ok([
        Mode::Nearest(rounding),
        Mode::Linear,
        Mode::Linear,
        Mode::Cubic,
    ][node.choice("mode", &["nearest", "linear", "bilinear", "cubic"], 0)?])
}

fn upsample(node: &Definition) -> Result<Built> {
    let resizing = Resizing {
        mode: mode(node, Rounding::Simple)?,
        coordinates: Coordinates::Asymmetric,
        aspect: Aspect::Stretch,
        axes: None,
        cubic: -0.75,
        extrapolation: 0.0,
        is_antialiased: false,
        excludes_outside: false,
    };
    let own = node.find_floats("scales")?;
    single(move |call: &mut Call| {
        let scales = match &own {
            Some(own) => own.iter().map(|scale| f64::from(*scale)).collect(),
            None => call.tensor(1)?.doubles()?,
        };
        let data = call.tensor(0)?;
        resizing.run(data, &resizing.axes(data, Some(&scales), None, None)?)
    })
}

impl Resizing {
    /// The axes that change, with their lengths and scales.
    fn axes(
        &self,
        data: &Tensor,
        scales: Option<&[f64]>,
        sizes: Option<&[i64]>,
        region: Option<&[f64]>,
    ) -> Result<Vec<Axis>> {
        let rank = data.rank();
        let numbers = self
            .axes
            .as_ref()
            .map_or_else(|| Ok((0..rank).collect()), |axes| axes_of(axes, rank))?;
        let count = numbers.len();
        if [
            scales.map(<[f64]>::len),
            sizes.map(<[i64]>::len),
            region.map(|region| region.len() / 2),
        ]
        .iter()
        .flatten()
        .any(|length| *length != count)
        {
            return Err(Error::failed(format!(
                "scales, sizes or regions that are not for {count} axes"
            )));
        }
        let mut axes = Vec::with_capacity(count);
        let ratio = |index: usize, size: i64| size as f32 / data.shape()[numbers[index]] as f32;
        let common = sizes
            .filter(|_| self.aspect != Aspect::Stretch)
            .map(|sizes| {
                let ratios = sizes
                    .iter()
                    .enumerate()
                    .map(|(index, size)| ratio(index, *size));
                if self.aspect == Aspect::NotLarger {
                    ratios.fold(f32::INFINITY, f32::min)
                } else {
                    ratios.fold(0.0, f32::max)
                }
            });
        for (index, &number) in numbers.iter().enumerate() {
            let input = data.shape()[number];
            let (scale, output, exact) = match (scales, sizes) {
                (_, Some(_)) if common.is_some_and(f32::is_finite) => {
                    let scale = common.unwrap_or(1.0);
                    (
                        scale,
                        length_of((scale * input as f32 + 0.5) as i64)?,
                        scale * input as f32,
                    )
                }
                (_, Some(sizes)) if input as i64 == sizes[index] => (1.0, input, input as f32),
                (_, Some(sizes)) => (
                    ratio(index, sizes[index]),
                    length_of(sizes[index])?,
                    sizes[index] as f32,
                ),
                (Some(scales), None) => {
                    let scale = scales[index] as f32;
                    (
                        scale,
                        length_of((scale * input as f32) as i64)?,
                        scale * input as f32,
                    )
                }
                (None, None) => return Err(Error::failed("neither scales nor sizes")),
            };
            let region = region.map_or((0.0, 1.0), |region| {
                (region[index] as f32, region[index + count] as f32)
            });
            if output != input || (scale - 1.0).abs() > 1e-9 || region != (0.0, 1.0) {
                axes.push(Axis {
                    number,
                    input,
                    output,
                    scale,
                    exact,
                    region,
                });
            }
        }
        let mut shape = data.shape().to_vec();
        axes.iter()
            .for_each(|axis| shape[axis.number] = axis.output);
        element_count(&shape)?;
        match axes.iter().find(|axis| {
            axis.output > 0 && (axis.input == 0 || !(axis.scale > 0.0 && axis.scale.is_finite()))
        }) {
            Some(axis) => Err(Error::failed(format!(
                "an axis of {} cannot be made one of {}",
                axis.input, axis.output
            ))),
            None => Ok(axes),
        }
    }

    fn run(&self, data: &Tensor, axes: &[Axis]) -> Result<Tensor> {
        if let (Mode::Nearest(rounding), false) = (self.mode, self.coordinates == Coordinates::Crop)
        {
            return axes.iter().try_fold(data.clone(), |data, axis| {
                self.picked(&data, axis, rounding)
            });
        }
        let mut shape = data.shape().to_vec();
        let mut values = data.doubles()?;
        for axis in axes {
            let neighbours = self.neighbours(axis)?;
            let (outer, _, inner) = split_at_axis(&shape, axis.number);
            shape[axis.number] = axis.output;
            let mut resized = vec![0.0; element_count(&shape)?];
            if !resized.is_empty() {
                for block in 0..outer {
                    let source = &values[block * axis.input * inner..][..axis.input * inner];
                    let target = &mut resized[block * axis.output * inner..][..axis.output * inner];
                    neighbours.weigh(source, target, inner, self.extrapolation);
                }
            }
            values = resized;
        }
        cast(&Tensor::new(shape, values)?, data.element_type())
    }

    /// Where a place of the result lies on the axis before.
    fn coordinate(&self, axis: &Axis, index: usize) -> f32 {
        let (index, length) = (index as f32, axis.input as f32);
        match self.coordinates {
            Coordinates::HalfPixel => (index + 0.5) / axis.scale - 0.5,
            Coordinates::HalfPixelSymmetric => {
                let shift = length / 2.0 * (1.0 - axis.output as f32 / axis.exact);
                shift + (index + 0.5) / axis.scale - 0.5
            }
            Coordinates::PytorchHalfPixel if axis.output > 1 => (index + 0.5) / axis.scale - 0.5,
            Coordinates::PytorchHalfPixel => -0.5,
            Coordinates::AlignCorners if axis.exact == 1.0 => 0.0,
            Coordinates::AlignCorners => index * (length - 1.0) / (axis.exact - 1.0),
            Coordinates::Asymmetric => index / axis.scale,
            Coordinates::Crop => {
                let (start, end) = axis.region;
                if axis.output > 1 {
                    start * (length - 1.0)
                        + index * (end - start) * (length - 1.0) / (axis.exact - 1.0)
                } else {
                    0.5 * (start + end) * (length - 1.0)
                }
            }
        }
    }

    fn picked(&self, data: &Tensor, axis: &Axis, rounding: Rounding) -> Result<Tensor> {
        let (outer, length, inner) = split_at_axis(data.shape(), axis.number);
        let indices: Vec<usize> = (0..axis.output)
            .map(|index| rounding.index(self.coordinate(axis, index), axis.scale, length))
            .collect();
        let mut shape = data.shape().to_vec();
        shape[axis.number] = axis.output;
        if element_count(&shape)? == 0 {
            return data.runs(&[], 0, shape);
        }
        let starts: Vec<usize> = (0..outer)
            .flat_map(|block| {
                indices
                    .iter()
                    .map(move |index| (block * length + index) * inner)
            })
            .collect();
        data.runs(&starts, inner, shape)
    }

    fn neighbours(&self, axis: &Axis) -> Result<Neighbours> {
        let shrinking = if self.is_antialiased {
            f64::from(axis.scale).min(1.0)
        } else {
            1.0
        };
        let reach = match self.mode {
            Mode::Nearest(_) => 0.5,
            Mode::Linear => (1.0 / shrinking).ceil(),
            Mode::Cubic => (2.0 / shrinking).ceil(),
        };
        if reach >= ELEMENT_LIMIT as f64 {
            return Err(Error::failed(format!(
                "an axis of {} cannot be made one of {}",
                axis.input, axis.output
            )));
        }
        let count = (2.0 * reach) as usize;
        let total = element_count(&[axis.output, count])?;
        let mut all = Neighbours {
            count,
            indices: Vec::with_capacity(total),
            weights: Vec::with_capacity(total),
            outside: Vec::new(),
        };
        for index in 0..axis.output {
            let center = self.coordinate(axis, index);
            all.outside.push(
                self.coordinates == Coordinates::Crop
                    && !(0.0..=axis.input.saturating_sub(1) as f32).contains(&center),
            );
            if let Mode::Nearest(rounding) = self.mode {
                all.indices
                    .push(rounding.index(center, axis.scale, axis.input));
                all.weights.push(1.0);
                continue;
            }
            let center = f64::from(center);
            let first = (center.floor() as i64).saturating_add(1 - reach as i64);
            let known = all.weights.len();
            for step in 0..count as i64 {
                let neighbour = first.saturating_add(step);
                let is_inside = (0..axis.input as i64).contains(&neighbour);
                let weight = if self.excludes_outside && !is_inside {
                    0.0
                } else {
                    self.weight((neighbour as f64 - center).abs() * shrinking)
                };
                all.indices
                    .push(neighbour.clamp(0, axis.input as i64 - 1) as usize);
                all.weights.push(weight);
            }
            let sum: f64 = all.weights[known..].iter().sum();
            if (self.is_antialiased || self.excludes_outside) && sum != 0.0 {
                all.weights[known..]
                    .iter_mut()
                    .for_each(|weight| *weight /= sum);
            }
        }
        Ok(all)
    }

    /// The weight of a neighbour at this distance.
    fn weight(&self, distance: f64) -> f64 {
        if matches!(self.mode, Mode::Linear) {
            (1.0 - distance).max(0.0)
        } else {
            cubic_weight(distance, self.cubic)
        }
    }
}

/// The weight of a neighbour at this distance in cubic convolution, whose steepness is `a`.
pub(super) fn cubic_weight(distance: f64, a: f64) -> f64 {
    if distance <= 1.0 {
        ((a + 2.0) * distance - (a + 3.0)) * distance * distance + 1.0
    } else if distance < 2.0 {
        ((a * distance - 5.0 * a) * distance + 8.0 * a) * distance - 4.0 * a
    } else {
        0.0
    }
}

impl Rounding {
    /// The nearest place to a coordinate on an axis of this length.
    fn index(self, coordinate: f32, scale: f32, length: usize) -> usize {
        let nearest = match self {
            Self::PreferFloor => (coordinate - 0.5).ceil(),
            Self::PreferCeil => (coordinate + 0.5).floor(),
            Self::Floor => coordinate.floor(),
            Self::Ceil => coordinate.ceil(),
            Self::Simple if scale < 1.0 => coordinate.ceil(),
            Self::Simple => coordinate.trunc(),
        };
        (nearest as i64).clamp(0, length.saturating_sub(1) as i64) as usize
    }
}

impl Neighbours {
    /// One axis of a block: rows of `inner` values, each the weighed sum of others.
    fn weigh(&self, source: &[f64], target: &mut [f64], inner: usize, extrapolation: f64) {
        for (index, row) in target.chunks_exact_mut(inner).enumerate() {
            if self.outside[index] {
                row.fill(extrapolation);
                continue;
            }
            let own = index * self.count..(index + 1) * self.count;
            for (neighbour, weight) in self.indices[own.clone()]
                .iter()
                .zip(&self.weights[own])
                .filter(|(_, weight)| **weight != 0.0)
            {
                let from = &source[neighbour * inner..(neighbour + 1) * inner];
                row.iter_mut()
                    .zip(from)
                    .for_each(|(sum, value)| *sum += weight * value);
            }
        }
    }
}
