//! Pools over regions of images, and what undoes windows: maxima put back in their positions,
//! columns added up to images, windows with offsets.

use super::product::Factor;
use super::window::{OUTSIDE, Sliding};
use crate::error::{Error, Result};
use crate::graph::cast::cast;
use crate::graph::element::unsupported;
use crate::graph::entry::Entry;
use crate::graph::layout::{length_of, product, shape_of};
use crate::graph::operator::{Built, Definition, missing_attribute, single};
use crate::graph::tensor::{Data, ELEMENT_LIMIT, Tensor, element_count};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("RoiAlign", 3, 3, align).since(10).floats(),
    Entry::new("MaxRoiPool", 2, 2, max_pool).floats(),
    Entry::new("MaxUnpool", 2, 3, max_unpool).since(9).floats(),
    Entry::new("Col2Im", 3, 3, columns_to_image)
        .since(18)
        .widened(),
    Entry::new("DeformConv", 3, 5, deformed).since(19).floats(),
];

/// Images × channels × height × width.
fn image_shape(data: &Tensor) -> Result<[usize; 4]> {
    <[usize; 4]>::try_from(data.shape()).map_err(|_| {
        Error::failed(format!(
            "a tensor of shape {:?} where images are expected",
            data.shape()
        ))
    })
}

/// The two neighbours of a coordinate and the weight of the second; none outside.
type Neighbours = Option<(usize, usize, f64)>;

/// The neighbours of a coordinate on an axis of this length.
fn between(at: f64, length: usize) -> Neighbours {
    if !(-1.0..=length as f64).contains(&at) || length == 0 {
        return None;
    }
    let at = at.max(0.0);
    let low = at as usize;
    if low >= length - 1 {
        Some((length - 1, length - 1, 0.0))
    } else {
        Some((low, low + 1, at - low as f64))
    }
}

/// What a node says of regions to align.
struct Aligning {
    is_half_pixel: bool,
    takes_max: bool,
    output: [usize; 2],
    sampling: usize,
    scale: f64,
}

fn align(node: &Definition) -> Result<Built> {
    // Operator set 10 knows no half pixels.
    let default = usize::from(node.version < 16);
    let aligning = Aligning {
        is_half_pixel: node.choice(
            "coordinate_transformation_mode",
            &["half_pixel", "output_half_pixel"],
            default,
        )? == 0,
        takes_max: node.choice("mode", &["avg", "max"], 0)? == 1,
        output: [
            length_of(node.int("output_height", 1)?)?,
            length_of(node.int("output_width", 1)?)?,
        ],
        sampling: length_of(node.int("sampling_ratio", 0)?.max(0))?,
        scale: f64::from(node.float("spatial_scale", 1.0)?),
    };
    single(move |call| aligning.run(call.tensor(0)?, call.tensor(1)?, call.tensor(2)?))
}

impl Aligning {
    fn run(&self, data: &Tensor, regions: &Tensor, images: &Tensor) -> Result<Tensor> {
        let [image_count, channels, height, width] = image_shape(data)?;
        let (images, bounds) = (images.integers()?, regions.doubles()?);
        if *regions.shape() != [images.len(), 4] {
            return Err(Error::failed(format!(
                "regions of shape {:?} for {} images",
                regions.shape(),
                images.len()
            )));
        }
        let shape = vec![images.len(), channels, self.output[0], self.output[1]];
        let mut out = Vec::with_capacity(element_count(&shape)?);
        let values = data.doubles()?;
        for (image, bounds) in images.iter().zip(bounds.chunks_exact(4)) {
            let image = length_of(*image)?;
            if image >= image_count {
                return Err(Error::failed(format!(
                    "a region of image {image} of {image_count}"
                )));
            }
            let rows = self.samples([bounds[1], bounds[3]], 0, height)?;
            let columns = self.samples([bounds[0], bounds[2]], 1, width)?;
            element_count(&[rows.concat().len(), columns.concat().len(), channels])?;
            for channel in 0..channels {
                let plane =
                    &values[(image * channels + channel) * height * width..][..height * width];
                out.extend(rows.iter().flat_map(|rows| {
                    columns
                        .iter()
                        .map(|columns| self.pooled(plane, width, rows, columns))
                }));
            }
        }
        cast(&Tensor::new(shape, out)?, data.element_type())
    }

    /// Where each bin of an axis is sampled.
    fn samples(
        &self,
        [start, end]: [f64; 2],
        axis: usize,
        length: usize,
    ) -> Result<Vec<Vec<Neighbours>>> {
        let (offset, bins) = (
            if self.is_half_pixel { 0.5 } else { 0.0 },
            self.output[axis],
        );
        let (start, end) = (start * self.scale - offset, end * self.scale - offset);
        let extent = if self.is_half_pixel {
            end - start
        } else {
            (end - start).max(1.0)
        };
        let bin = extent / bins as f64;
        let count = if self.sampling > 0 {
            self.sampling
        } else {
            bin.ceil().clamp(0.0, ELEMENT_LIMIT as f64) as usize
        };
        element_count(&[bins, count])?;
        let at = |slot: usize, step: usize| {
            start + slot as f64 * bin + (step as f64 + 0.5) * bin / count as f64
        };
        Ok((0..bins)
            .map(|slot| {
                (0..count)
                    .map(|step| between(at(slot, step), length))
                    .collect()
            })
            .collect())
    }

    fn pooled(
        &self,
        plane: &[f64],
        width: usize,
        rows: &[Neighbours],
        columns: &[Neighbours],
    ) -> f64 {
        let sample = |row: &Neighbours, column: &Neighbours| {
            let (Some((top, bottom, y)), Some((left, right, x))) = (row, column) else {
                return [0.0; 4];
            };
            let value = |row: &usize, column: &usize| plane[row * width + column];
            [
                (1.0 - y) * (1.0 - x) * value(top, left),
                (1.0 - y) * x * value(top, right),
                y * (1.0 - x) * value(bottom, left),
                y * x * value(bottom, right),
            ]
        };
        let samples = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| sample(row, column)));
        if self.takes_max {
            samples
                .map(|parts| parts.into_iter().fold(f64::NEG_INFINITY, f64::max))
                .reduce(f64::max)
                .unwrap_or(0.0)
        } else {
            samples.flatten().sum::<f64>() / (rows.len() * columns.len()).max(1) as f64
        }
    }
}

fn max_pool(node: &Definition) -> Result<Built> {
    let output = node
        .find_ints("pooled_shape")?
        .ok_or_else(|| missing_attribute("pooled_shape"))?;
    let output = shape_of(&output)?;
    let &[rows, columns] = output.as_slice() else {
        return Err(Error::failed("a pool of other than two axes"));
    };
    let scale = f64::from(node.float("spatial_scale", 1.0)?);
    single(move |call| {
        let (data, regions) = (call.tensor(0)?, call.tensor(1)?);
        let [images, channels, height, width] = image_shape(data)?;
        let &[count, 5] = regions.shape() else {
            return Err(Error::failed(format!(
                "regions of shape {:?}",
                regions.shape()
            )));
        };
        let shape = vec![count, channels, rows, columns];
        let mut out = Vec::with_capacity(element_count(&shape)?);
        let values = data.doubles()?;
        let bins = |start: f64, end: f64, bins: usize, length: usize| -> Vec<(usize, usize)> {
            let (start, end) = ((start * scale).round(), (end * scale).round());
            let bin = (end - start + 1.0).max(1.0) / bins as f64;
            let inside = |at: f64| (at + start).clamp(0.0, length as f64) as usize;
            (0..bins)
                .map(|slot| {
                    (
                        inside((slot as f64 * bin).floor()),
                        inside(((slot + 1) as f64 * bin).ceil()),
                    )
                })
                .collect()
        };
        for region in regions.doubles()?.chunks_exact(5) {
            let image = region[0] as usize;
            if region[0] < 0.0 || image >= images {
                return Err(Error::failed(format!(
                    "a region of image {} of {images}",
                    region[0]
                )));
            }
            let (across, down) = (
                bins(region[1], region[3], columns, width),
                bins(region[2], region[4], rows, height),
            );
            for channel in 0..channels {
                let plane =
                    &values[(image * channels + channel) * height * width..][..height * width];
                for (top, bottom) in &down {
                    for (left, right) in &across {
                        let covered = (*top..*bottom).flat_map(|row| {
                            &plane[row * width + left.min(right)..row * width + right]
                        });
                        out.push(covered.copied().reduce(f64::max).unwrap_or(0.0));
                    }
                }
            }
        }
        cast(&Tensor::new(shape, out)?, data.element_type())
    })
}

fn max_unpool(node: &Definition) -> Result<Built> {
    let sliding = Sliding::of(node)?;
    let kernel = sliding
        .kernel
        .clone()
        .ok_or_else(|| missing_attribute("kernel_shape"))?;
    single(move |call| {
        let (data, offsets, expected) = (
            call.tensor(0)?,
            call.tensor(1)?.integers()?,
            call.integers(2)?,
        );
        let rank = kernel.len();
        if data.rank() != rank + 2 || offsets.len() != data.len() {
            return Err(Error::failed(format!(
                "{} indices for a tensor of shape {:?}",
                offsets.len(),
                data.shape()
            )));
        }
        let (strides, _, pads) = sliding.parameters(rank)?;
        let mut shape = data.shape().to_vec();
        for axis in 0..rank {
            let grown = (shape[axis + 2] as i64 - 1)
                .saturating_mul(strides[axis] as i64)
                .saturating_add(kernel[axis] as i64);
            shape[axis + 2] = length_of(
                grown
                    .saturating_sub(pads[axis].0)
                    .saturating_sub(pads[axis].1),
            )?;
        }
        let count = element_count(&shape)?;
        let mut from = vec![None; count];
        for (source, slot) in offsets.iter().enumerate() {
            *from.get_mut(length_of(*slot)?).ok_or_else(|| {
                Error::failed(format!("index {slot} in a tensor of {count} elements"))
            })? = Some(source);
        }
        let spread = data.picked(&from, None, shape.clone())?;
        let Some(expected) = expected else {
            return Ok(spread);
        };
        let expected = shape_of(&expected)?;
        if expected.len() != shape.len()
            || expected
                .iter()
                .zip(&shape)
                .any(|(expected, own)| expected < own)
        {
            return Err(Error::failed(format!(
                "a tensor of shape {shape:?} does not fit into {expected:?}"
            )));
        }
        let own = crate::graph::layout::strides_of(&shape);
        let inner = crate::graph::layout::strides_of(&expected);
        let inside = |index: usize| {
            let mut slot = 0;
            for axis in 0..expected.len() {
                let at = index / inner[axis] % expected[axis].max(1);
                if at >= shape[axis] {
                    return None;
                }
                slot += at * own[axis];
            }
            Some(slot)
        };
        let offsets: Vec<Option<usize>> = (0..element_count(&expected)?).map(inside).collect();
        spread.picked(&offsets, None, expected.clone())
    })
}

fn columns_to_image(node: &Definition) -> Result<Built> {
    let sliding = Sliding::of(node)?;
    single(move |call| {
        let (data, offsets, kernel) = (
            call.tensor(0)?,
            shape_of(&call.tensor(1)?.integers()?)?,
            shape_of(&call.tensor(2)?.integers()?)?,
        );
        let window = sliding.over(&offsets, &kernel)?;
        let (steps, positions, size) = (
            window.kernel_size(),
            window.output_size(),
            product(&offsets),
        );
        let &[images, rows, columns] = data.shape() else {
            return Err(Error::failed(format!(
                "columns of shape {:?}",
                data.shape()
            )));
        };
        if columns != positions || steps == 0 || !rows.is_multiple_of(steps) {
            return Err(Error::failed(format!(
                "{rows} × {columns} columns for {positions} positions of a window of {steps}"
            )));
        }
        let shape = [&[images, rows / steps], offsets.as_slice()].concat();
        let mut out = vec![0.0; element_count(&shape)?];
        let (map, values) = (window.offsets(), data.doubles()?);
        for plane in 0..images * (rows / steps) {
            let (target, source) = (
                &mut out[plane * size..(plane + 1) * size],
                &values[plane * steps * positions..],
            );
            map.iter()
                .zip(source)
                .filter(|(slot, _)| **slot != OUTSIDE)
                .for_each(|(slot, value)| target[*slot] += value);
        }
        cast(&Tensor::new(shape, out)?, data.element_type())
    })
}

/// What a node says of a convolution whose windows have offsets.
struct Deforming {
    sliding: Sliding,
    groups: usize,
    offset_groups: usize,
}

fn deformed(node: &Definition) -> Result<Built> {
    let count = |name: &str| length_of(node.int(name, 1)?).map(|count| count.max(1));
    let deforming = Deforming {
        sliding: Sliding::of(node)?,
        groups: count("group")?,
        offset_groups: count("offset_group")?,
    };
    single(move |call| {
        let (data, weights, offsets) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
        let (bias, mask) = (call.optional(3)?, call.optional(4)?);
        match data.data() {
            Data::Float(values) => deforming.run::<f32>(data, values, weights, offsets, bias, mask),
            Data::Double(values) => {
                deforming.run::<f64>(data, values, weights, offsets, bias, mask)
            }
            other => Err(unsupported(other)),
        }
    })
}

impl Deforming {
    fn run<T: Factor>(
        &self,
        data: &Tensor,
        values: &[T],
        weights: &Tensor,
        offsets: &Tensor,
        bias: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let ([images, channels, height, width], [filters, own, down, across]) =
            (image_shape(data)?, image_shape(weights)?);
        let (groups, parts) = (self.groups, self.offset_groups);
        if own.checked_mul(groups) != Some(channels)
            || !filters.is_multiple_of(groups)
            || !channels.is_multiple_of(parts)
        {
            return Err(Error::failed(format!(
                "{channels} channels and {filters} filters in {groups} and {parts} groups"
            )));
        }
        let window = self.sliding.over(&[height, width], &[down, across])?;
        let (steps, size) = (window.kernel_size(), window.output_size());
        let offset_count = element_count(&[images, parts, 2, steps, size])?;
        if offsets.len() != offset_count || mask.is_some_and(|mask| 2 * mask.len() != offset_count)
        {
            return Err(Error::failed(format!(
                "offsets of shape {:?} for {size} positions of a window of {steps}",
                offsets.shape()
            )));
        }
        let (offsets, mask, weights) = (
            offsets.doubles()?,
            mask.map(Tensor::doubles).transpose()?,
            weights.values::<T>()?,
        );
        let shape = [&[images, filters], window.output.as_slice()].concat();
        let mut out = vec![T::zero(); element_count(&shape)?];
        let mut columns = vec![T::zero(); element_count(&[own, steps, size])?];
        for (image, group) in
            (0..images).flat_map(|image| (0..groups).map(move |group| (image, group)))
        {
            for channel in 0..own {
                let number = group * own + channel;
                let part = image * parts + number / (channels / parts);
                let plane =
                    &values[(image * channels + number) * height * width..][..height * width];
                for (step, position) in
                    (0..steps).flat_map(|step| (0..size).map(move |position| (step, position)))
                {
                    let own_offset =
                        |axis: usize| offsets[((part * steps + step) * 2 + axis) * size + position];
                    let row = (position / window.output[1] * window.strides[0]
                        + step / across * window.dilations[0]) as f64;
                    let column = (position % window.output[1] * window.strides[1]
                        + step % across * window.dilations[1])
                        as f64;
                    let (row, column) = (
                        row - window.pads[0].0 as f64 + own_offset(0),
                        column - window.pads[1].0 as f64 + own_offset(1),
                    );
                    let factor = mask
                        .as_ref()
                        .map_or(1.0, |mask| mask[(part * steps + step) * size + position]);
                    columns[(channel * steps + step) * size + position] =
                        T::from_double(factor * sampled(plane, [height, width], row, column));
                }
            }
            let rows = filters / groups;
            let factor = &weights[group * rows * own * steps..(group + 1) * rows * own * steps];
            let target = &mut out[(image * filters + group * rows) * size..][..rows * size];
            T::multiply_matrices(factor, &columns, target, [rows, own * steps, size]);
        }
        super::convolution::add_bias(&mut out, bias, filters, size)?;
        Tensor::new(shape, out)
    }
}

/// The value between four positions; outside the plane it is 0.
fn sampled<T: Factor>(plane: &[T], [height, width]: [usize; 2], row: f64, column: f64) -> f64 {
    let (top, left) = (row.floor(), column.floor());
    let (y, x) = (row - top, column - left);
    let value = |row: f64, column: f64| {
        let is_inside = row >= 0.0 && row < height as f64 && column >= 0.0 && column < width as f64;
        if is_inside {
            plane[row as usize * width + column as usize].to_double()
        } else {
            0.0
        }
    };
    (1.0 - y) * ((1.0 - x) * value(top, left) + x * value(top, left + 1.0))
        + y * ((1.0 - x) * value(top + 1.0, left) + x * value(top + 1.0, left + 1.0))
}
