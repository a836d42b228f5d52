//! Elements put together, cut apart and laid out anew, none of them changed.

use crate::error::{Error, Result};
use crate::graph::element::any;
use crate::graph::entry::{ANY, Entry};
use crate::graph::layout::{
    axes_of, axis_of, expanded, length_of, product, shape_of, split_at_axis, strides_of,
    transposed, viewed, walk,
};
use crate::graph::operator::{Built, Call, Definition, missing_attribute, several, single};
use crate::graph::pass::role_column;
use crate::graph::tensor::{Element, Tensor, room_of, shape_count};
use crate::graph::value::Value;
use crate::memory;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Concat", 1, ANY, concat).columns(role_column::joined),
    Entry::new("Split", 1, 2, split),
    Entry::new("Slice", 1, 5, slice),
    Entry::new("Expand", 2, 2, |_| single(expand)),
    Entry::new("Tile", 2, 2, |_| single(tile)).since(6),
    Entry::new("Pad", 1, 4, pad),
    Entry::new("DepthToSpace", 1, 1, depth_to_space),
    Entry::new("SpaceToDepth", 1, 1, space_to_depth),
    Entry::new("ReverseSequence", 2, 2, reverse_sequence),
    Entry::new("Trilu", 1, 2, trilu),
    Entry::new("CenterCropPad", 2, 2, center_crop_pad),
];

fn concat(node: &Definition) -> Result<Built> {
    let axis = node.int("axis", 1)?;
    single(move |call| concatenated(&call.tensors()?, axis))
}

/// The tensors one after another along an axis.
pub(super) fn concatenated(tensors: &[&Tensor], axis: i64) -> Result<Tensor> {
    fn typed<T: Element>(
        _: &[T],
        tensors: &[&Tensor],
        axis: usize,
        shape: Vec<usize>,
    ) -> Result<Tensor> {
        let parts = tensors
            .iter()
            .map(|tensor| tensor.values::<T>())
            .collect::<Result<Vec<&[T]>>>()?;
        let mut values = Vec::with_capacity(room_of::<T>(&shape)?);
        for outer in 0..product(&shape[..axis]) {
            for (part, tensor) in parts.iter().zip(tensors) {
                let run = product(&tensor.shape()[axis..]);
                values.extend_from_slice(&part[outer * run..(outer + 1) * run]);
            }
        }
        Tensor::new(shape, values)
    }
    let first = tensors
        .first()
        .ok_or_else(|| Error::failed("nothing to put together"))?;
    let axis = axis_of(axis, first.rank())?;
    let mut shape = first.shape().to_vec();
    for tensor in &tensors[1..] {
        let fits = tensor.rank() == first.rank()
            && (0..first.rank())
                .all(|other| other == axis || tensor.shape()[other] == shape[other]);
        if !fits {
            return Err(Error::failed(format!(
                "shapes {:?} and {:?} do not go together along axis {axis}",
                first.shape(),
                tensor.shape()
            )));
        }
        shape[axis] = shape[axis].saturating_add(tensor.shape()[axis]);
    }
    shape_count(&shape)?;
    any!(first.data(), values => typed(values, tensors, axis, shape))
}

/// `length` neighbours from `start` on along an axis.
pub(crate) fn part(tensor: &Tensor, axis: usize, start: usize, length: usize) -> Result<Tensor> {
    let mut shape = tensor.shape().to_vec();
    shape[axis] = length;
    let strides = strides_of(tensor.shape());
    viewed(tensor, start * strides[axis], &shape, &strides)
}

fn split(node: &Definition) -> Result<Built> {
    let (axis, attribute) = (node.int("axis", 0)?, node.find_ints("split")?);
    let count = node
        .find_int("num_outputs")?
        .map_or(Ok(node.outputs.len()), length_of)?;
    several(move |call| {
        let data = call.tensor(0)?;
        let axis = axis_of(axis, data.rank())?;
        let length = data.shape()[axis];
        let lengths = match call.integers(1)?.or_else(|| attribute.clone()) {
            Some(lengths) => lengths
                .into_iter()
                .map(length_of)
                .collect::<Result<Vec<usize>>>()?,
            None => even_parts(length, count)?,
        };
        split_into(data, axis, &lengths).map(|parts| parts.into_iter().map(Value::Tensor).collect())
    })
}

fn even_parts(length: usize, count: usize) -> Result<Vec<usize>> {
    if count == 0 || count > length.max(1) {
        return Err(Error::failed(format!(
            "an axis of length {length} cannot be split into {count} parts"
        )));
    }
    let part = length.div_ceil(count);
    Ok((0..count)
        .map(|index| part.min(length.saturating_sub(index * part)))
        .collect())
}

pub(super) fn split_into(data: &Tensor, axis: usize, lengths: &[usize]) -> Result<Vec<Tensor>> {
    let total = lengths
        .iter()
        .fold(0_usize, |sum, length| sum.saturating_add(*length));
    if total != data.shape()[axis] {
        return Err(Error::failed(format!(
            "parts of {total} together for an axis of length {}",
            data.shape()[axis]
        )));
    }
    let mut start = 0;
    let mut parts = Vec::with_capacity(lengths.len());
    for &length in lengths {
        parts.push(part(data, axis, start, length)?);
        start += length;
    }
    Ok(parts)
}

/// Starts and ends are inputs from operator set 10 on, attributes before.
fn slice(node: &Definition) -> Result<Built> {
    let attributes = (
        node.find_ints("starts")?,
        node.find_ints("ends")?,
        node.find_ints("axes")?,
    );
    single(move |call| {
        let starts = call
            .integers(1)?
            .or_else(|| attributes.0.clone())
            .ok_or_else(|| missing_attribute("starts"))?;
        let ends = call
            .integers(2)?
            .or_else(|| attributes.1.clone())
            .ok_or_else(|| missing_attribute("ends"))?;
        let data = call.tensor(0)?;
        let axes = match call.integers(3)?.or_else(|| attributes.2.clone()) {
            Some(axes) => axes_of(&axes, data.rank())?,
            None => (0..starts.len()).collect(),
        };
        let steps = call.integers(4)?.unwrap_or_else(|| vec![1; starts.len()]);
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || starts.len() > data.rank()
        {
            return Err(Error::failed(
                "starts, ends, axes and steps are not as many",
            ));
        }
        let mut result = data.clone();
        for (((&axis, &start), &end), &step) in axes.iter().zip(&starts).zip(&ends).zip(&steps) {
            result = sliced(&result, axis, start, end, step)?;
        }
        Ok(result)
    })
}

fn sliced(data: &Tensor, axis: usize, start: i64, end: i64, step: i64) -> Result<Tensor> {
    let length = data.shape()[axis] as i64;
    if step == 0 {
        return Err(Error::failed("a slice with a step of 0"));
    }
    let counted = |position: i64| {
        if position < 0 {
            position.saturating_add(length)
        } else {
            position
        }
    };
    let (low, high) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let (start, end) = (
        counted(start).clamp(low.max(0), high.max(0)),
        counted(end).clamp(low, high),
    );
    let count = if step > 0 {
        (end - start).max(0) as u64
    } else {
        (start - end).max(0) as u64
    }
    .div_ceil(step.unsigned_abs()) as usize;
    if count == 0 || length == 0 {
        return part(data, axis, 0, 0);
    }
    if step == 1 {
        return part(data, axis, start as usize, count);
    }
    let (outer, _, inner) = split_at_axis(data.shape(), axis);
    memory::temporary(shape_count(&[outer, count])? * size_of::<usize>())?;
    let mut starts = Vec::with_capacity(outer * count);
    for block in 0..outer {
        starts.extend(
            (0..count as i64)
                .map(|index| (block * length as usize + (start + index * step) as usize) * inner),
        );
    }
    let mut shape = data.shape().to_vec();
    shape[axis] = count;
    data.runs(&starts, inner, shape)
}

fn expand(call: &mut Call) -> Result<Tensor> {
    let data = call.tensor(0)?;
    let shape = shape_of(&call.tensor(1)?.integers()?)?;
    let shape = crate::graph::layout::broadcast(data.shape(), &shape)?;
    expanded(data, &shape)
}

fn tile(call: &mut Call) -> Result<Tensor> {
    let data = call.tensor(0)?;
    let repeats = call
        .tensor(1)?
        .integers()?
        .into_iter()
        .map(length_of)
        .collect::<Result<Vec<usize>>>()?;
    if repeats.len() != data.rank() {
        return Err(Error::failed(format!(
            "{} repeats for {} axes",
            repeats.len(),
            data.rank()
        )));
    }
    let pairs: Vec<usize> = repeats
        .iter()
        .zip(data.shape())
        .flat_map(|(&repeat, &length)| [repeat, length])
        .collect();
    let own = strides_of(data.shape());
    let strides: Vec<usize> = own.iter().flat_map(|&stride| [0, stride]).collect();
    let shape: Vec<usize> = pairs
        .chunks_exact(2)
        .map(|pair| pair[0].saturating_mul(pair[1]))
        .collect();
    shape_count(&shape)?;
    viewed(data, 0, &pairs, &strides)?.reshaped(shape)
}

/// How the positions outside a tensor are filled.
#[derive(Clone, Copy)]
enum Fill {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

impl Fill {
    /// The place inside that stands for a place outside.
    fn inside(self, position: i64, length: i64) -> Option<usize> {
        if (0..length).contains(&position) {
            return Some(position as usize);
        }
        match self {
            _ if length == 0 => None,
            Self::Constant => None,
            Self::Edge => Some(position.clamp(0, length - 1) as usize),
            Self::Wrap => Some(position.rem_euclid(length) as usize),
            Self::Reflect if length == 1 => Some(0),
            Self::Reflect => {
                let folded = position.rem_euclid(2 * (length - 1));
                Some(if folded < length {
                    folded
                } else {
                    2 * (length - 1) - folded
                } as usize)
            }
        }
    }
}

fn pad(node: &Definition) -> Result<Built> {
    let fill = [Fill::Constant, Fill::Reflect, Fill::Edge, Fill::Wrap]
        [node.choice("mode", &["constant", "reflect", "edge", "wrap"], 0)?];
    let attribute = node.find_ints("pads")?.or(node.find_ints("paddings")?);
    let value = node.float("value", 0.0)?;
    single(move |call| {
        let data = call.tensor(0)?;
        let pads = call
            .integers(1)?
            .or_else(|| attribute.clone())
            .ok_or_else(|| missing_attribute("pads"))?;
        let axes = match call.integers(3)? {
            Some(axes) => axes_of(&axes, data.rank())?,
            None => (0..data.rank()).collect(),
        };
        if pads.len() != 2 * axes.len() {
            return Err(Error::failed(format!(
                "{} pads for {} axes",
                pads.len(),
                axes.len()
            )));
        }
        let mut both = vec![(0, 0); data.rank()];
        axes.iter()
            .enumerate()
            .for_each(|(index, &axis)| both[axis] = (pads[index], pads[index + axes.len()]));
        let attribute = if value == 0.0 {
            None
        } else {
            Some(crate::graph::cast::cast(
                &Tensor::scalar(value),
                data.element_type(),
            )?)
        };
        padded(data, &both, fill, call.optional(2)?.or(attribute.as_ref()))
    })
}

fn padded(
    data: &Tensor,
    pads: &[(i64, i64)],
    fill: Fill,
    value: Option<&Tensor>,
) -> Result<Tensor> {
    let lengths = data
        .shape()
        .iter()
        .zip(pads)
        .map(|(&length, &(before, after))| {
            (length as i64)
                .saturating_add(before)
                .saturating_add(after)
                .max(0)
        });
    let shape = shape_of(&lengths.collect::<Vec<i64>>())?;
    let strides = strides_of(data.shape());
    // The positions of all elements, those of all axes but the last while they are made, and those
    // along the axes.
    let count = shape_count(&shape)?.saturating_add(shape.iter().sum());
    memory::temporary(count.saturating_mul(2 * size_of::<Option<usize>>()))?;
    let sources: Vec<Vec<Option<usize>>> = (0..data.rank())
        .map(|axis| {
            (0..shape[axis] as i64)
                .map(|position| {
                    fill.inside(position - pads[axis].0, data.shape()[axis] as i64)
                        .map(|inside| inside * strides[axis])
                })
                .collect()
        })
        .collect();
    let mut indices: Vec<Option<usize>> = vec![Some(0)];
    for source in &sources {
        let mut next = Vec::with_capacity(indices.len() * source.len());
        next.extend(
            indices
                .iter()
                .flat_map(|outer| source.iter().map(move |inner| Some((*outer)? + (*inner)?))),
        );
        indices = next;
    }
    data.picked(&indices, value, shape)
}

fn block_shape(data: &Tensor, size: i64) -> Result<([usize; 4], usize)> {
    let size = length_of(size)?;
    match *data.shape() {
        [batch, depth, height, width] if size > 0 => Ok(([batch, depth, height, width], size)),
        _ => Err(Error::failed(
            "not a tensor of four axes, or a block size of 0",
        )),
    }
}

fn depth_to_space(node: &Definition) -> Result<Built> {
    let (size, is_column_first) = (
        node.required_int("blocksize")?,
        node.choice("mode", &["DCR", "CRD"], 0)? == 1,
    );
    single(move |call| {
        let data = call.take(0)?;
        let ([batch, depth, height, width], size) = block_shape(&data, size)?;
        let channels = depth / size.saturating_mul(size).max(1);
        let (cut, order) = if is_column_first {
            (
                [batch, channels, size, size, height, width],
                [0, 1, 4, 2, 5, 3],
            )
        } else {
            (
                [batch, size, size, channels, height, width],
                [0, 3, 4, 1, 5, 2],
            )
        };
        transposed(&data.reshaped(cut.to_vec())?, &order)?.reshaped(vec![
            batch,
            channels,
            height * size,
            width * size,
        ])
    })
}

fn space_to_depth(node: &Definition) -> Result<Built> {
    let (size, is_column_first) = (
        node.required_int("blocksize")?,
        node.choice("mode", &["DCR", "CRD"], 0)? == 1,
    );
    single(move |call| {
        let data = call.take(0)?;
        let ([batch, depth, height, width], size) = block_shape(&data, size)?;
        let cut = vec![batch, depth, height / size, size, width / size, size];
        let order = if is_column_first {
            [0, 1, 3, 5, 2, 4]
        } else {
            [0, 3, 5, 1, 2, 4]
        };
        transposed(&data.reshaped(cut)?, &order)?.reshaped(vec![
            batch,
            depth * size * size,
            height / size,
            width / size,
        ])
    })
}

fn reverse_sequence(node: &Definition) -> Result<Built> {
    let (batch_axis, time_axis) = (node.int("batch_axis", 1)?, node.int("time_axis", 0)?);
    single(move |call| {
        let data = call.tensor(0)?;
        let (batch_axis, time_axis) = (
            axis_of(batch_axis, data.rank())?,
            axis_of(time_axis, data.rank())?,
        );
        if batch_axis == time_axis {
            return Err(Error::failed("batch and time are the same axis"));
        }
        let lengths = call
            .tensor(1)?
            .integers()?
            .into_iter()
            .map(length_of)
            .collect::<Result<Vec<usize>>>()?;
        let (batch, time) = (data.shape()[batch_axis], data.shape()[time_axis]);
        if lengths.len() != batch || lengths.iter().any(|&length| length > time) {
            return Err(Error::failed("lengths that do not fit the batch"));
        }
        let strides = strides_of(data.shape());
        let mut unit = [vec![0; data.rank()], vec![0; data.rank()]];
        unit[0][batch_axis] = 1;
        unit[1][time_axis] = 1;
        memory::temporary(data.len().saturating_mul(size_of::<usize>()))?;
        let mut starts = Vec::with_capacity(data.len());
        walk(
            data.shape(),
            [&strides, &unit[0], &unit[1]],
            |[offset, row, step]| {
                let reversed = if step < lengths[row] {
                    lengths[row] - 1 - step
                } else {
                    step
                };
                starts.push(offset - step * strides[time_axis] + reversed * strides[time_axis]);
            },
        );
        data.runs(&starts, 1, data.shape().to_vec())
    })
}

fn trilu(node: &Definition) -> Result<Built> {
    let is_upper = node.flag("upper", true)?;
    single(move |call| {
        let data = call.tensor(0)?;
        let diagonal = call.optional(1)?.map_or(Ok(0), Tensor::integer)?;
        let [.., rows, columns] = *data.shape() else {
            return Err(Error::failed("a tensor of fewer than two axes"));
        };
        let kept = |position: usize| {
            let (row, column) = (
                (position / columns % rows) as i64,
                (position % columns) as i64,
            );
            let edge = row.saturating_add(diagonal);
            if is_upper {
                column >= edge
            } else {
                column <= edge
            }
        };
        memory::temporary(data.len().saturating_mul(size_of::<Option<usize>>()))?;
        let indices: Vec<Option<usize>> = (0..data.len())
            .map(|position| kept(position).then_some(position))
            .collect();
        data.picked(&indices, None, data.shape().to_vec())
    })
}

fn center_crop_pad(node: &Definition) -> Result<Built> {
    let axes = node.find_ints("axes")?;
    single(move |call| {
        let data = call.tensor(0)?;
        let axes = match &axes {
            Some(axes) => axes_of(axes, data.rank())?,
            None => (0..data.rank()).collect(),
        };
        let expected = shape_of(&call.tensor(1)?.integers()?)?;
        if expected.len() != axes.len() {
            return Err(Error::failed(format!(
                "{} lengths for {} axes",
                expected.len(),
                axes.len()
            )));
        }
        let mut pads = vec![(0, 0); data.rank()];
        for (&axis, &expected) in axes.iter().zip(&expected) {
            let more = expected as i64 - data.shape()[axis] as i64;
            let before = if more >= 0 { more / 2 } else { -((-more) / 2) };
            pads[axis] = (before, more - before);
        }
        padded(data, &pads, Fill::Constant, None)
    })
}
