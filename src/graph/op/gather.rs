//! Elements picked and put by index: gathers, scatters, one-hot codes, selections.

use super::elementwise::Number;
use crate::error::{Error, Result};
use crate::graph::element::{any, number};
use crate::graph::entry::Entry;
use crate::graph::layout::{axis_of, length_of, product, split_at_axis, strides_of, walk};
use crate::graph::operator::{Built, Definition, single};
use crate::graph::pass::role_column;
use crate::graph::tensor::{Element, Tensor, element_count, shape_count};
use crate::memory;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("Gather", 2, 2, gather).columns(role_column::gathered),
    Entry::new("GatherElements", 2, 2, gather_elements),
    Entry::new("GatherND", 2, 2, gather_nd),
    Entry::new("Scatter", 3, 3, scatter_elements),
    Entry::new("ScatterElements", 3, 3, scatter_elements),
    Entry::new("ScatterND", 3, 3, scatter_nd),
    Entry::new("TensorScatter", 2, 3, tensor_scatter),
    Entry::new("OneHot", 3, 3, one_hot),
    Entry::new("Compress", 2, 2, compress),
    Entry::new("NonZero", 1, 1, |_| {
        single(|call| non_zero(call.tensor(0)?))
    }),
];

/// Indices counted from the end where they are negative.
pub(crate) fn positions(indices: &Tensor, length: usize) -> Result<Vec<usize>> {
    let slot = |index: i64| {
        let counted = if index < 0 {
            index.saturating_add(length as i64)
        } else {
            index
        };
        usize::try_from(counted)
            .ok()
            .filter(|&slot| slot < length)
            .ok_or_else(|| Error::failed(format!("index {index} of an axis of length {length}")))
    };
    indices.integers()?.into_iter().map(slot).collect()
}

fn gather(node: &Definition) -> Result<Built> {
    let axis = node.int("axis", 0)?;
    single(move |call| gathered(call.tensor(0)?, call.tensor(1)?, axis))
}

/// The slices at these indices along an axis; the indices' shape takes the axis's place.
pub(crate) fn gathered(data: &Tensor, indices: &Tensor, axis: i64) -> Result<Tensor> {
    let axis = axis_of(axis, data.rank())?;
    let (outer, length, inner) = split_at_axis(data.shape(), axis);
    let positions = positions(indices, length)?;
    let shape = [
        &data.shape()[..axis],
        indices.shape(),
        &data.shape()[axis + 1..],
    ]
    .concat();
    shape_count(&shape)?;
    memory::room_for(product(&shape).saturating_mul(data.element_bytes()))?;
    memory::temporary(
        outer
            .saturating_mul(positions.len())
            .saturating_mul(size_of::<usize>()),
    )?;
    let starts: Vec<usize> = (0..outer)
        .flat_map(|block| {
            positions
                .iter()
                .map(move |slot| (block * length + slot) * inner)
        })
        .collect();
    if inner == 0 {
        data.runs(&[], 0, shape)
    } else {
        data.runs(&starts, inner, shape)
    }
}

/// For each element of `indices`, its place in `data`, which differs only along `axis`.
fn element_offsets(data: &Tensor, indices: &Tensor, axis: usize) -> Result<Vec<usize>> {
    let fits = indices.rank() == data.rank()
        && (0..data.rank())
            .all(|other| other == axis || indices.shape()[other] <= data.shape()[other]);
    if !fits {
        return Err(Error::failed(format!(
            "indices of shape {:?} for a tensor of shape {:?}",
            indices.shape(),
            data.shape()
        )));
    }
    let along = positions(indices, data.shape()[axis])?;
    let strides = strides_of(data.shape());
    let mut others = strides.clone();
    others[axis] = 0;
    memory::temporary(along.len().saturating_mul(size_of::<usize>()))?;
    let mut found = Vec::with_capacity(along.len());
    let mut next = along.iter();
    walk(indices.shape(), [&others], |[offset]| {
        found.extend(next.next().map(|slot| offset + slot * strides[axis]));
    });
    Ok(found)
}

fn gather_elements(node: &Definition) -> Result<Built> {
    let axis = node.int("axis", 0)?;
    single(move |call| {
        let (data, indices) = (call.tensor(0)?, call.tensor(1)?);
        let starts = element_offsets(data, indices, axis_of(axis, data.rank())?)?;
        data.runs(&starts, 1, indices.shape().to_vec())
    })
}

/// For each index tuple, the start of the block that it names, and the block's length.
fn tuple_offsets(
    data: &Tensor,
    indices: &Tensor,
    batch_axes: usize,
) -> Result<(Vec<usize>, usize, usize)> {
    let (Some((&width, outer)), true) = (indices.shape().split_last(), batch_axes < indices.rank())
    else {
        return Err(Error::failed("indices without axes"));
    };
    if batch_axes.saturating_add(width) > data.rank()
        || indices.shape()[..batch_axes] != data.shape()[..batch_axes]
    {
        return Err(Error::failed(format!(
            "indices of shape {:?} for a tensor of shape {:?}",
            indices.shape(),
            data.shape()
        )));
    }
    let strides = strides_of(data.shape());
    let run = product(&data.shape()[batch_axes + width..]);
    let per_batch = product(&outer[batch_axes..]);
    let batch_run = product(&data.shape()[batch_axes..]);
    let numbers = indices.integers()?;
    let count = product(outer);
    let mut starts = Vec::with_capacity(count);
    for tuple in 0..count {
        let mut start = tuple / per_batch.max(1) * batch_run;
        for (position, &index) in numbers[tuple * width..(tuple + 1) * width]
            .iter()
            .enumerate()
        {
            let length = data.shape()[batch_axes + position];
            start += positions(&Tensor::scalar(index), length)?[0] * strides[batch_axes + position];
        }
        starts.push(start);
    }
    Ok((starts, run, width))
}

fn gather_nd(node: &Definition) -> Result<Built> {
    let batch_axes = length_of(node.int("batch_dims", 0)?)?;
    single(move |call| {
        let (data, indices) = (call.tensor(0)?, call.tensor(1)?);
        let (starts, run, width) = tuple_offsets(data, indices, batch_axes)?;
        let shape = [
            &indices.shape()[..indices.rank() - 1],
            &data.shape()[batch_axes + width..],
        ]
        .concat();
        if run == 0 {
            data.runs(&[], 0, shape)
        } else {
            data.runs(&starts, run, shape)
        }
    })
}

/// What happens to an element that a scatter meets.
#[derive(Clone, Copy)]
enum Meeting {
    Replace,
    Add,
    Multiply,
    Greatest,
    Least,
}

fn meeting(node: &Definition) -> Result<Meeting> {
    let all = [
        Meeting::Replace,
        Meeting::Add,
        Meeting::Multiply,
        Meeting::Greatest,
        Meeting::Least,
    ];
    Ok(all[node.choice("reduction", &["none", "add", "mul", "max", "min"], 0)?])
}

/// `data` with runs of `updates` put, one after another, to each start.
fn scattered(
    data: Tensor,
    updates: &Tensor,
    starts: &[usize],
    run: usize,
    meeting: Meeting,
) -> Result<Tensor> {
    fn put<T: Element>(
        data: Tensor,
        updates: &[T],
        starts: &[usize],
        run: usize,
        join: impl Fn(&T, &T) -> T,
    ) -> Result<Tensor> {
        let shape = data.shape().to_vec();
        if T::TYPE != data.element_type() {
            return Err(Error::contract("updates of another type than the tensor"));
        }
        let mut values = data.into_values::<T>()?;
        for (start, update) in starts.iter().zip(updates.chunks_exact(run.max(1))) {
            let target = values
                .get_mut(*start..start + run)
                .ok_or_else(|| Error::failed("an update outside the tensor"))?;
            target
                .iter_mut()
                .zip(update)
                .for_each(|(old, new)| *old = join(old, new));
        }
        Tensor::new(shape, values)
    }
    fn arithmetic<T: Number>(
        data: Tensor,
        updates: &[T],
        starts: &[usize],
        run: usize,
        meeting: Meeting,
    ) -> Result<Tensor> {
        put(
            data,
            updates,
            starts,
            run,
            |old: &T, new: &T| match meeting {
                Meeting::Replace => *new,
                Meeting::Add => old.add(*new),
                Meeting::Multiply => old.multiply(*new),
                Meeting::Greatest => old.largest(*new),
                Meeting::Least => old.least(*new),
            },
        )
    }
    fn replaced<T: Element>(
        data: Tensor,
        updates: &[T],
        starts: &[usize],
        run: usize,
    ) -> Result<Tensor> {
        put(data, updates, starts, run, |_, new| new.clone())
    }
    if starts.len() * run != updates.len() {
        return Err(Error::failed(format!(
            "{} updates for {} indices",
            updates.len(),
            starts.len() * run
        )));
    }
    match meeting {
        Meeting::Replace => any!(updates.data(), values => replaced(data, values, starts, run)),
        _ => number!(updates.data(), values => arithmetic(data, values, starts, run, meeting)),
    }
}

fn scatter_elements(node: &Definition) -> Result<Built> {
    let (axis, meeting) = (node.int("axis", 0)?, meeting(node)?);
    single(move |call| {
        let data = call.take(0)?;
        let starts = element_offsets(&data, call.tensor(1)?, axis_of(axis, data.rank())?)?;
        scattered(data, call.tensor(2)?, &starts, 1, meeting)
    })
}

fn scatter_nd(node: &Definition) -> Result<Built> {
    let meeting = meeting(node)?;
    single(move |call| {
        let data = call.take(0)?;
        let (starts, run, _) = tuple_offsets(&data, call.tensor(1)?, 0)?;
        scattered(data, call.tensor(2)?, &starts, run, meeting)
    })
}

/// A cache with new entries written from each row's place on.
fn tensor_scatter(node: &Definition) -> Result<Built> {
    let (axis, is_circular) = (
        node.int("axis", -2)?,
        node.choice("mode", &["linear", "circular"], 0)? == 1,
    );
    single(move |call| {
        let data = call.take(0)?;
        let update = call.tensor(1)?;
        let axis = axis_of(axis, data.rank())?;
        let same = update.rank() == data.rank()
            && (0..data.rank())
                .all(|other| other == axis || data.shape()[other] == update.shape()[other]);
        if !same || axis == 0 {
            return Err(Error::failed("updates that do not fit the tensor"));
        }
        let first = match call.integers(2)? {
            Some(first) if first.len() == data.shape()[0] => first,
            Some(_) => return Err(Error::failed("the indices are not one for each row")),
            None => vec![0; data.shape()[0]],
        };
        let (length, new, inner) = (
            data.shape()[axis],
            update.shape()[axis],
            product(&data.shape()[axis + 1..]),
        );
        let middle = product(&data.shape()[1..axis]);
        let mut starts = Vec::new();
        for (row, &first) in first.iter().enumerate() {
            for (block, step) in
                (0..middle).flat_map(|block| (0..new).map(move |step| (block, step)))
            {
                let slot = length_of(first)? + step;
                let slot = if is_circular {
                    slot % length.max(1)
                } else {
                    slot
                };
                if slot >= length {
                    return Err(Error::failed("an update outside the tensor"));
                }
                starts.push(((row * middle + block) * length + slot) * inner);
            }
        }
        scattered(data, update, &starts, inner, Meeting::Replace)
    })
}

fn one_hot(node: &Definition) -> Result<Built> {
    let axis = node.int("axis", -1)?;
    single(move |call| {
        let (indices, depth, values) =
            (call.tensor(0)?, call.tensor(1)?.number()?, call.tensor(2)?);
        let depth = length_of(depth as i64)?;
        if values.len() != 2 {
            return Err(Error::failed("not two values, off and on"));
        }
        let axis = axis_of(axis, indices.rank() + 1)?;
        let mut shape = indices.shape().to_vec();
        shape.insert(axis, depth);
        memory::temporary(shape_count(&shape)?.saturating_mul(size_of::<usize>()))?;
        let mut chosen = vec![0_usize; shape_count(&shape)?];
        let inner = product(&indices.shape()[axis..]);
        for (slot, index) in indices.doubles()?.into_iter().enumerate() {
            let counted = if index < 0.0 {
                index + depth as f64
            } else {
                index
            };
            if counted >= 0.0 && counted < depth as f64 {
                chosen[(slot / inner.max(1) * depth + counted as usize) * inner
                    + slot % inner.max(1)] = 1;
            }
        }
        values.runs(&chosen, 1, shape)
    })
}

fn compress(node: &Definition) -> Result<Built> {
    let axis = node.find_int("axis")?;
    single(move |call| {
        let data = call.tensor(0)?;
        let chosen = call
            .tensor(1)?
            .values::<bool>()?
            .iter()
            .enumerate()
            .filter(|(_, chosen)| **chosen)
            .map(|(slot, _)| slot as i64);
        let chosen = Tensor::vector(chosen.collect());
        match axis {
            Some(axis) => gathered(data, &chosen, axis),
            None => gathered(&data.clone().reshaped(vec![data.len()])?, &chosen, 0),
        }
    })
}

fn non_zero(data: &Tensor) -> Result<Tensor> {
    fn found<T: Element>(values: &[T]) -> Vec<usize> {
        values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value != T::zero())
            .map(|(slot, _)| slot)
            .collect()
    }
    // A list that grows has twice the positions that it needs.
    memory::temporary(data.len().saturating_mul(2 * size_of::<usize>()))?;
    let positions = any!(data.data(), values => found(values));
    let strides = strides_of(data.shape());
    let count = element_count(&[data.rank(), positions.len()])?;
    let axes = data.shape().iter().zip(&strides);
    let found = axes.flat_map(|(&length, &stride)| {
        positions
            .iter()
            .map(move |slot| (slot / stride % length) as i64)
    });
    let mut indices: Vec<i64> = Vec::with_capacity(count);
    indices.extend(found);
    Tensor::new(vec![data.rank(), positions.len()], indices)
}
