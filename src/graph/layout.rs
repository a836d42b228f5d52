//! Where elements lie: axes, strides, broadcasting, and walks over tensors.
//!
//! It must not know element types or operators.

use super::tensor::{Tensor, shape_count};
use crate::error::{Error, Result};
use crate::memory;

/// The axis that a number between −rank and rank − 1 means.
pub(super) fn axis_of(axis: i64, rank: usize) -> Result<usize> {
    let rank_signed = rank as i64;
    let counted = if axis < 0 {
        axis.saturating_add(rank_signed)
    } else {
        axis
    };
    if (0..rank_signed).contains(&counted) {
        Ok(counted as usize)
    } else {
        Err(Error::failed(format!(
            "axis {axis} of a tensor with {rank} axes"
        )))
    }
}

/// The axes, each once, in the order given.
pub(super) fn axes_of(axes: &[i64], rank: usize) -> Result<Vec<usize>> {
    let axes = axes
        .iter()
        .map(|&axis| axis_of(axis, rank))
        .collect::<Result<Vec<usize>>>()?;
    let mut seen = vec![false; rank];
    for &axis in &axes {
        if std::mem::replace(&mut seen[axis], true) {
            return Err(Error::failed(format!("axis {axis} is named twice")));
        }
    }
    Ok(axes)
}

/// A length or count that may not be negative.
pub(super) fn length_of(value: i64) -> Result<usize> {
    usize::try_from(value).map_err(|_| Error::failed(format!("{value} is not a length")))
}

/// The shape that these numbers give.
pub(super) fn shape_of(numbers: &[i64]) -> Result<Vec<usize>> {
    let shape = numbers
        .iter()
        .map(|&number| length_of(number))
        .collect::<Result<Vec<usize>>>()?;
    shape_count(&shape).map(|_| shape)
}

/// The steps between neighbours along each axis of a row-major tensor.
pub(super) fn strides_of(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

/// The product of lengths; they belong to a tensor that exists, so it cannot overflow.
pub(super) fn product(lengths: &[usize]) -> usize {
    lengths.iter().product()
}

/// A shape cut at an axis: elements before, along, and after it.
pub(super) fn split_at_axis(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (
        product(&shape[..axis]),
        shape[axis],
        product(&shape[axis + 1..]),
    )
}

/// The shape that two shapes broadcast to, as numpy does.
pub(super) fn broadcast(left: &[usize], right: &[usize]) -> Result<Vec<usize>> {
    let rank = left.len().max(right.len());
    let length = |shape: &[usize], axis: usize| {
        if axis + shape.len() >= rank {
            shape[axis + shape.len() - rank]
        } else {
            1
        }
    };
    let lengths = (0..rank).map(|axis| match (length(left, axis), length(right, axis)) {
        (a, b) if a == b => Ok(a),
        (1, b) => Ok(b),
        (a, 1) => Ok(a),
        _ => Err(Error::failed(format!(
            "shapes {left:?} and {right:?} do not broadcast"
        ))),
    });
    let shape = lengths.collect::<Result<Vec<usize>>>()?;
    shape_count(&shape).map(|_| shape)
}

/// The strides with which a tensor of shape `from` is read as one of shape `to`, which it
/// broadcasts to: 0 along stretched axes.
pub(super) fn broadcast_strides(from: &[usize], to: &[usize]) -> Vec<usize> {
    let own = strides_of(from);
    let skipped = to.len() - from.len();
    (0..to.len())
        .map(|axis| {
            if axis < skipped || from[axis - skipped] == 1 {
                0
            } else {
                own[axis - skipped]
            }
        })
        .collect()
}

/// Calls `visit` with the offset of every element of `shape` in row-major order, for as many
/// layouts as there are strides.
pub(super) fn walk<const N: usize>(
    shape: &[usize],
    strides: [&[usize]; N],
    mut visit: impl FnMut([usize; N]),
) {
    if shape.contains(&0) {
        return;
    }
    let Some((&last, outer)) = shape.split_last() else {
        return visit([0; N]);
    };
    let steps = strides.map(|strides| strides[outer.len()]);
    let (mut index, mut offsets) = (vec![0; outer.len()], [0; N]);
    loop {
        let mut inner = offsets;
        for _ in 0..last {
            visit(inner);
            inner
                .iter_mut()
                .zip(&steps)
                .for_each(|(offset, step)| *offset += step);
        }
        let mut axis = outer.len();
        loop {
            if axis == 0 {
                return;
            }
            axis -= 1;
            index[axis] += 1;
            (0..N).for_each(|one| offsets[one] += strides[one][axis]);
            if index[axis] < outer[axis] {
                break;
            }
            (0..N).for_each(|one| offsets[one] -= strides[one][axis] * outer[axis]);
            index[axis] = 0;
        }
    }
}

/// The tensor whose axis i is axis `order[i]` of this one.
pub(super) fn transposed(tensor: &Tensor, order: &[usize]) -> Result<Tensor> {
    let own = strides_of(tensor.shape());
    let shape: Vec<usize> = order.iter().map(|&axis| tensor.shape()[axis]).collect();
    let strides: Vec<usize> = order.iter().map(|&axis| own[axis]).collect();
    viewed(tensor, 0, &shape, &strides)
}

/// The elements of a view, copied: `shape` read from `offset` on with these strides. Trailing axes
/// that lie together are copied whole.
pub(super) fn viewed(
    tensor: &Tensor,
    offset: usize,
    shape: &[usize],
    strides: &[usize],
) -> Result<Tensor> {
    let count = shape_count(shape)?;
    let (mut run, mut outer) = (1, shape.len());
    while outer > 0 && (strides[outer - 1] == run || shape[outer - 1] == 1) {
        outer -= 1;
        run *= shape[outer];
    }
    if count == 0 {
        return tensor.runs(&[], 0, shape.to_vec());
    }
    let starts_count = count / run.max(1);
    memory::room_for(count.saturating_mul(tensor.element_bytes()))?;
    memory::temporary(starts_count.saturating_mul(size_of::<usize>()))?;
    let mut starts = Vec::with_capacity(starts_count);
    walk(&shape[..outer], [&strides[..outer]], |[start]| {
        starts.push(offset + start);
    });
    tensor.runs(&starts, run, shape.to_vec())
}

/// The tensor stretched to a shape that it broadcasts to.
pub(super) fn expanded(tensor: &Tensor, shape: &[usize]) -> Result<Tensor> {
    if tensor.shape() == shape {
        return Ok(tensor.clone());
    }
    if broadcast(tensor.shape(), shape)? != shape {
        return Err(Error::failed(format!(
            "a tensor of shape {:?} does not broadcast to {shape:?}",
            tensor.shape()
        )));
    }
    viewed(tensor, 0, shape, &broadcast_strides(tensor.shape(), shape))
}
