//! Sampling between the positions of a tensor: at a grid of coordinates, and the grids that affine
//! transformations give.
//!
//! Source: the operators' specifications and `onnx.reference`, which follows PyTorch's
//! `grid_sample`.

use super::resize::cubic_weight;
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::entry::Entry;
use crate::graph::layout::{length_of, product, shape_of, strides_of};
use crate::graph::operator::{Built, Definition, single};
use crate::graph::tensor::{ElementType, Tensor, element_count};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("GridSample", 2, 2, grid_sample)
        .since(16)
        .floats(),
    Entry::new("AffineGrid", 2, 2, affine_grid)
        .since(20)
        .floats(),
];

/// PyTorch's steepness of cubic convolution.
const CUBIC: f64 = -0.75;

/// The most axes that a grid may have: every further one takes four times the work.
const AXES: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Linear,
    Nearest,
    Cubic,
}

/// What lies outside the tensor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outside {
    Zeros,
    Border,
    Reflection,
}

struct Sampling {
    mode: Mode,
    outside: Outside,
    aligns_corners: bool,
}

fn grid_sample(node: &Definition) -> Result<Built> {
    let modes = [
        Mode::Linear,
        Mode::Linear,
        Mode::Nearest,
        Mode::Cubic,
        Mode::Cubic,
    ];
    let sampling = Sampling {
        mode: modes[node.choice(
            "mode",
            &["linear", "bilinear", "nearest", "cubic", "bicubic"],
            0,
        )?],
        outside: [Outside::Zeros, Outside::Border, Outside::Reflection]
            [node.choice("padding_mode", &["zeros", "border", "reflection"], 0)?],
        aligns_corners: node.flag("align_corners", false)?,
    };
    single(move |call| sampling.run(call.tensor(0)?, call.tensor(1)?))
}

impl Sampling {
    fn run(&self, data: &Tensor, grid: &Tensor) -> Result<Tensor> {
        let (&[images, channels, ref indices @ ..], &[grids, ref out_lengths @ .., axes]) =
            (data.shape(), grid.shape())
        else {
            return Err(Error::failed("a grid over a tensor without channels"));
        };
        if axes > AXES {
            return Err(Error::contract(format!(
                "a grid over {axes} axes, more than the {AXES} that are supported"
            )));
        }
        if images != grids || axes != indices.len() || out_lengths.len() != axes || axes == 0 {
            return Err(Error::failed(format!(
                "a grid of shape {:?} over a tensor of shape {:?}",
                grid.shape(),
                data.shape()
            )));
        }
        let shape = [&[images, channels], out_lengths].concat();
        let mut out = vec![0.0; element_count(&shape)?];
        let (size, out_size) = (product(indices), product(out_lengths));
        if size == 0 && !out.is_empty() {
            return Err(Error::failed("a grid over an empty tensor"));
        }
        let (values, coordinates) = (data.doubles()?, grid.doubles()?);
        let is_single = grid.element_type() == ElementType::Float;
        let strides = strides_of(indices);
        let mut samples = Vec::new();
        for (index, coordinates) in coordinates.chunks_exact(axes).enumerate() {
            let (image, position) = (index / out_size, index % out_size);
            samples.clear();
            samples.push((0, 1.0));
            // Coordinates run from the last axis to the first.
            for (axis, &coordinate) in coordinates.iter().rev().enumerate() {
                let neighbours = self.neighbours(coordinate, indices[axis], is_single);
                let spread = |&(offset, weight): &(usize, f64)| {
                    let stride = strides[axis];
                    neighbours
                        .iter()
                        .filter(|one| one.1 != 0.0)
                        .map(move |one| (offset + one.0 * stride, weight * one.1))
                        .collect::<Vec<_>>()
                };
                samples = samples.iter().flat_map(spread).collect();
            }
            for channel in 0..channels {
                let plane = &values[(image * channels + channel) * size..][..size];
                out[(image * channels + channel) * out_size + position] = samples
                    .iter()
                    .map(|(offset, weight)| plane[*offset] * weight)
                    .sum();
            }
        }
        cast(&Tensor::new(shape, out)?, data.element_type())
    }

    /// (place, weight) along one axis of this length for a coordinate between -1 and 1.
    fn neighbours(&self, coordinate: f64, length: usize, is_single: bool) -> Vec<(usize, f64)> {
        let span = length as f64;
        let (least, most) = if self.aligns_corners {
            (0.0, span - 1.0)
        } else {
            (-0.5, span - 0.5)
        };
        let mut at = if self.aligns_corners {
            0.5 * (coordinate + 1.0) * (span - 1.0)
        } else {
            0.5 * ((coordinate + 1.0) * span - 1.0)
        };
        if is_single {
            at = f64::from(at as f32);
        }
        if self.mode == Mode::Nearest {
            at = at.round_ties_even();
        }
        if at < least || at > most {
            match self.outside {
                Outside::Zeros => {}
                Outside::Border => at = at.clamp(0.0, span - 1.0),
                Outside::Reflection => at = reflected(at, least, most),
            }
        }
        let first = at.floor();
        let fraction = at - first;
        let weights: Vec<(f64, f64)> = match self.mode {
            Mode::Nearest => vec![(at, 1.0)],
            Mode::Linear => vec![(first, 1.0 - fraction), (first + 1.0, fraction)],
            Mode::Cubic => (-1..3)
                .map(|step| {
                    (
                        first + f64::from(step),
                        cubic_weight((f64::from(step) - fraction).abs(), CUBIC),
                    )
                })
                .collect(),
        };
        weights
            .into_iter()
            .map(|(position, weight)| self.positioned(position, weight, length, (least, most)))
            .collect()
    }

    /// A neighbour where it lies, or what stands for it outside.
    fn positioned(
        &self,
        position: f64,
        weight: f64,
        length: usize,
        (least, most): (f64, f64),
    ) -> (usize, f64) {
        let is_inside = position >= 0.0 && position < length as f64;
        let last = length as f64 - 1.0;
        match self.outside {
            _ if is_inside => (position as usize, weight),
            Outside::Zeros => (0, 0.0),
            Outside::Border => (position.clamp(0.0, last) as usize, weight),
            Outside::Reflection => (
                reflected(position, least, most).clamp(0.0, last) as usize,
                weight,
            ),
        }
    }
}

/// A coordinate thrown back at the borders until it lies between them.
fn reflected(at: f64, least: f64, most: f64) -> f64 {
    let range = most - least;
    if range <= 0.0 || !at.is_finite() {
        return least.max(0.0);
    }
    let (excess, is_below) = if at < least {
        (least - at, true)
    } else {
        (at - most, false)
    };
    if excess <= 0.0 {
        return at;
    }
    let turns = (excess / range).floor();
    let rest = excess - turns * range;
    if (turns % 2.0 == 0.0) == is_below {
        least + rest
    } else {
        most - rest
    }
}

fn affine_grid(node: &Definition) -> Result<Built> {
    let aligns_corners = node.flag("align_corners", false)?;
    single(move |call| {
        let (transforms, size) = (call.tensor(0)?, call.tensor(1)?.integers()?);
        let [images, _, indices @ ..] = size.as_slice() else {
            return Err(Error::failed("a grid of a tensor without channels"));
        };
        let (images, indices) = (length_of(*images)?, shape_of(indices)?);
        let axes = indices.len();
        if *transforms.shape() != [images, axes, axes + 1] || axes == 0 {
            return Err(Error::failed(format!(
                "transformations of shape {:?} for {axes} axes",
                transforms.shape()
            )));
        }
        let shape = [&[images], indices.as_slice(), &[axes]].concat();
        let mut out = Vec::with_capacity(element_count(&shape)?);
        let strides = strides_of(&indices);
        let along = |axis: usize, position: usize| match indices[axis] as f64 {
            1.0 if aligns_corners => 0.0,
            length if aligns_corners => -1.0 + 2.0 * position as f64 / (length - 1.0),
            length => -1.0 + (2.0 * position as f64 + 1.0) / length,
        };
        let count = if images == 0 { 0 } else { product(&indices) };
        let values = transforms.doubles()?;
        for transform in values.chunks_exact(axes * (axes + 1)) {
            for index in 0..count {
                for row in transform.chunks_exact(axes + 1) {
                    // The last axis comes first.
                    let terms = (0..axes).map(|column| {
                        row[column]
                            * along(
                                axes - 1 - column,
                                index / strides[axes - 1 - column] % indices[axes - 1 - column],
                            )
                    });
                    out.push(terms.sum::<f64>() + row[axes]);
                }
            }
        }
        cast(&Tensor::new(shape, out)?, transforms.element_type())
    })
}
