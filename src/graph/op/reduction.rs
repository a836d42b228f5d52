//! Along an axis, many numbers to one: sums, means, extremes and their positions; running sums; the
//! largest few; normalised exponentials.

use super::broadcast::change_all;
use super::elementwise::{Arithmetic, Number};
use super::shape::axes_source;
use super::vectors;
use crate::error::{Error, Result};
use crate::graph::element::{number, unsupported};
use crate::graph::entry::Entry;
use crate::graph::layout::{axes_of, axis_of, product, split_at_axis, transposed};
use crate::graph::operator::{Built, Definition, single};
use crate::graph::tensor::{Data, Tensor};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("ReduceSum", 1, 2, |node| reduce(node, Reduction::Sum)).widened(),
    Entry::new("ReduceMean", 1, 2, |node| reduce(node, Reduction::Mean)).widened(),
    Entry::new("ReduceProd", 1, 2, |node| reduce(node, Reduction::Product)).widened(),
    Entry::new("ReduceMax", 1, 2, |node| reduce(node, Reduction::Greatest)).widened(),
    Entry::new("ReduceMin", 1, 2, |node| reduce(node, Reduction::Least)).widened(),
    Entry::new("ReduceL1", 1, 2, |node| reduce(node, Reduction::Magnitudes)).widened(),
    Entry::new("ReduceL2", 1, 2, |node| reduce(node, Reduction::Length)).widened(),
    Entry::new("ReduceSumSquare", 1, 2, |node| {
        reduce(node, Reduction::Squares)
    })
    .widened(),
    Entry::new("ReduceLogSum", 1, 2, |node| reduce(node, Reduction::LogSum)).widened(),
    Entry::new("ReduceLogSumExp", 1, 2, |node| {
        reduce(node, Reduction::LogSumExp)
    })
    .widened(),
    Entry::new("ArgMax", 1, 1, |node| arg(node, true)).widened_in(),
    Entry::new("ArgMin", 1, 1, |node| arg(node, false)).widened_in(),
    Entry::new("CumSum", 2, 2, |node| running(node, Arithmetic::Add)).floats(),
    Entry::new("CumProd", 2, 2, |node| running(node, Arithmetic::Multiply)).floats(),
    Entry::new("Softmax", 1, 1, |node| {
        exponentials(node, soft_max, Some(vectors::shares))
    })
    .floats(),
    Entry::new("LogSoftmax", 1, 1, |node| {
        exponentials(node, log_soft_max, None)
    })
    .floats(),
    Entry::new("Hardmax", 1, 1, |node| exponentials(node, hard_max, None)).floats(),
];

/// What becomes of the numbers.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    Product,
    Greatest,
    Least,
    Magnitudes,
    Length,
    Squares,
    LogSum,
    LogSumExp,
}

fn reduce(node: &Definition, reduction: Reduction) -> Result<Built> {
    let (axes, keeps, skips) = (
        axes_source(node)?,
        node.flag("keepdims", true)?,
        node.flag("noop_with_empty_axes", false)?,
    );
    single(move |call| {
        let axes = axes(call)?.filter(|axes| !axes.is_empty());
        let data = call.tensor(0)?;
        let axes = match axes {
            Some(axes) => axes_of(&axes, data.rank())?,
            None if skips => Vec::new(),
            None => (0..data.rank()).collect(),
        };
        reduced(data, &axes, keeps, reduction)
    })
}

/// The tensor with these axes brought down to one number each.
pub(super) fn reduced(
    data: &Tensor,
    axes: &[usize],
    keeps: bool,
    reduction: Reduction,
) -> Result<Tensor> {
    fn typed<T: Number>(
        _: &[T],
        moved: &Tensor,
        run: usize,
        reduction: Reduction,
        shape: Vec<usize>,
    ) -> Result<Tensor> {
        let values = moved.values::<T>()?;
        if run == 0 {
            let count = crate::graph::tensor::element_count(&shape)?;
            return Tensor::new(shape, vec![one(reduction, &[] as &[T]); count]);
        }
        Tensor::new(
            shape,
            values
                .chunks_exact(run)
                .map(|run| one(reduction, run))
                .collect(),
        )
    }
    fn booleans(
        moved: &Tensor,
        run: usize,
        reduction: Reduction,
        shape: Vec<usize>,
    ) -> Result<Tensor> {
        let values = moved.values::<bool>()?;
        let rows: Vec<&[bool]> = if run == 0 {
            vec![&[]; crate::graph::tensor::element_count(&shape)?]
        } else {
            values.chunks_exact(run).collect()
        };
        match reduction {
            Reduction::Greatest => {
                Tensor::new(shape, rows.iter().map(|row| row.contains(&true)).collect())
            }
            Reduction::Least => Tensor::new(
                shape,
                rows.iter().map(|row| !row.contains(&false)).collect(),
            ),
            _ => Err(unsupported(moved.data())),
        }
    }
    let kept: Vec<usize> = (0..data.rank())
        .filter(|axis| !axes.contains(axis))
        .collect();
    let mut inner = axes.to_vec();
    inner.sort_unstable();
    let run = inner.iter().map(|&axis| data.shape()[axis]).product();
    let order = [kept.clone(), inner].concat();
    let moved = if order.is_sorted() {
        data.clone()
    } else {
        transposed(data, &order)?
    };
    let shape = if keeps {
        (0..data.rank())
            .map(|axis| {
                if axes.contains(&axis) {
                    1
                } else {
                    data.shape()[axis]
                }
            })
            .collect()
    } else {
        kept.iter().map(|&axis| data.shape()[axis]).collect()
    };
    if matches!(data.data(), Data::Bool(_)) {
        return booleans(&moved, run, reduction, shape);
    }
    number!(data.data(), values => typed(values, &moved, run, reduction, shape))
}

fn one<T: Number>(reduction: Reduction, run: &[T]) -> T {
    let wide = || run.iter().map(|value| value.to_double());
    match reduction {
        Reduction::Sum => limited(sum(run)),
        Reduction::Mean => limited(sum(run) / run.len() as f64),
        Reduction::Product if T::TYPE.is_float() => {
            run.iter().fold(T::from_double(1.0), |product, value| {
                product.multiply(*value)
            })
        }
        Reduction::Product => limited(wide().product()),
        Reduction::Greatest => run
            .iter()
            .copied()
            .reduce(T::largest)
            .unwrap_or_else(|| T::from_double(f64::NEG_INFINITY)),
        Reduction::Least => run
            .iter()
            .copied()
            .reduce(T::least)
            .unwrap_or_else(|| T::from_double(f64::INFINITY)),
        Reduction::Magnitudes => limited(wide().map(f64::abs).sum()),
        Reduction::Length => limited(wide().map(|value| value * value).sum::<f64>().sqrt()),
        Reduction::Squares if T::TYPE.is_float() => run
            .iter()
            .fold(T::zero(), |sum, value| sum.add(value.multiply(*value))),
        Reduction::Squares => limited(wide().map(|value| value * value).sum()),
        Reduction::LogSum => limited(wide().sum::<f64>().ln()),
        Reduction::LogSumExp => {
            let largest = wide().fold(f64::NEG_INFINITY, f64::max);
            let shift = if largest.is_finite() { largest } else { 0.0 };
            limited(wide().map(|value| (value - shift).exp()).sum::<f64>().ln() + shift)
        }
    }
}

/// A number that was computed in double precision: for an integer type the nearest it has, and the
/// least for NaN, as ONNX Runtime's reductions give it.
fn limited<T: Number>(value: f64) -> T {
    let is_none = value.is_nan() && !T::TYPE.is_float();
    T::from_double(if is_none { f64::NEG_INFINITY } else { value })
}

/// Reals are added in double precision, integers exactly.
fn sum<T: Number>(run: &[T]) -> f64 {
    if T::TYPE.is_float() {
        run.iter().map(|value| value.to_double()).sum()
    } else {
        run.iter().map(|value| value.to_whole()).sum::<i128>() as f64
    }
}

fn arg(node: &Definition, wants_max: bool) -> Result<Built> {
    let (axis, keeps, takes_last) = (
        node.int("axis", 0)?,
        node.flag("keepdims", true)?,
        node.flag("select_last_index", false)?,
    );
    single(move |call| {
        fn typed<T: Number>(
            values: &[T],
            cut: (usize, usize, usize),
            better: impl Fn(T, T) -> bool,
        ) -> Vec<i64> {
            let (outer, length, inner) = cut;
            let position = |block: usize, lane: usize| {
                let value = |index: usize| values[(block * length + index) * inner + lane];
                (1..length).fold(0, |best, index| {
                    if better(value(index), value(best)) {
                        index
                    } else {
                        best
                    }
                }) as i64
            };
            (0..outer)
                .flat_map(|block| (0..inner).map(move |lane| (block, lane)))
                .map(|(block, lane)| position(block, lane))
                .collect()
        }
        let data = call.tensor(0)?;
        let axis = axis_of(axis, data.rank())?;
        let cut = split_at_axis(data.shape(), axis);
        if cut.1 == 0 {
            return Err(Error::failed("an axis without elements has no largest one"));
        }
        let mut shape = data.shape().to_vec();
        if keeps {
            shape[axis] = 1;
        } else {
            shape.remove(axis);
        }
        let indices = number!(data.data(), values => Ok::<_, Error>(typed(values, cut, |new, old| {
            let is_better = if wants_max { new > old } else { new < old };
            is_better || takes_last && new == old
        })))?;
        Tensor::new(shape, indices)
    })
}

fn running(node: &Definition, operation: Arithmetic) -> Result<Built> {
    let (is_exclusive, is_reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
    single(move |call| {
        fn typed<T: Number>(
            data: &Tensor,
            values: &[T],
            axis: usize,
            (is_exclusive, is_reverse): (bool, bool),
            operation: Arithmetic,
        ) -> Result<Tensor> {
            let (outer, length, inner) = split_at_axis(data.shape(), axis);
            let start = if matches!(operation, Arithmetic::Add) {
                T::zero()
            } else {
                T::from_double(1.0)
            };
            let mut results = values.to_vec();
            for (block, lane) in
                (0..outer).flat_map(|block| (0..inner).map(move |lane| (block, lane)))
            {
                let mut total = start;
                for step in 0..length {
                    let index = if is_reverse { length - 1 - step } else { step };
                    let position = (block * length + index) * inner + lane;
                    let next = if matches!(operation, Arithmetic::Add) {
                        total.add(values[position])
                    } else {
                        total.multiply(values[position])
                    };
                    results[position] = if is_exclusive { total } else { next };
                    total = next;
                }
            }
            Tensor::new(data.shape().to_vec(), results)
        }
        let data = call.tensor(0)?;
        let axis = axis_of(call.tensor(1)?.integer()?, data.rank())?;
        number!(
            data.data(), values => typed(data, values, axis, (is_exclusive, is_reverse), operation))
    })
}

/// Before operator set 13 all axes from the named one on are taken together. Rows of single
/// precision that lie side by side have their own function.
fn exponentials(
    node: &Definition,
    row: fn(&mut [f64]),
    side_by_side: Option<fn(&mut [f32], usize)>,
) -> Result<Built> {
    let is_flat = node.version < 13;
    let axis = node.int("axis", if is_flat { 1 } else { -1 })?;
    single(move |call| {
        let data = call.take(0)?;
        let shape = data.shape().to_vec();
        let (data, axis) = if is_flat {
            let axis = if axis == data.rank() as i64 {
                data.rank()
            } else {
                axis_of(axis, data.rank())?
            };
            (
                data.reshaped(vec![product(&shape[..axis]), product(&shape[axis..])])?,
                1,
            )
        } else {
            let axis = axis_of(axis, data.rank())?;
            (data, axis)
        };
        let (_, length, inner) = split_at_axis(data.shape(), axis);
        match (side_by_side, data.data()) {
            (Some(rows), Data::Float(_)) if inner == 1 => {
                change_all(data, |values| rows(values, length))?.reshaped(shape)
            }
            _ => by_rows(&data, axis, row)?.reshaped(shape),
        }
    })
}

/// The tensor with a function applied to every line along an axis, in double precision.
pub(crate) fn by_rows(data: &Tensor, axis: usize, row: impl Fn(&mut [f64])) -> Result<Tensor> {
    fn typed<T: Number>(
        data: &Tensor,
        values: &[T],
        axis: usize,
        row: impl Fn(&mut [f64]),
    ) -> Result<Tensor> {
        let (outer, length, inner) = split_at_axis(data.shape(), axis);
        let mut results = values.to_vec();
        let mut line = vec![0.0; length];
        for (block, lane) in (0..outer).flat_map(|block| (0..inner).map(move |lane| (block, lane)))
        {
            let position = |index: usize| (block * length + index) * inner + lane;
            line.iter_mut()
                .enumerate()
                .for_each(|(index, value)| *value = values[position(index)].to_double());
            row(&mut line);
            line.iter()
                .enumerate()
                .for_each(|(index, value)| results[position(index)] = T::from_double(*value));
        }
        Tensor::new(data.shape().to_vec(), results)
    }
    match data.data() {
        Data::Float(values) => typed(data, values, axis, row),
        Data::Double(values) => typed(data, values, axis, row),
        other => Err(unsupported(other)),
    }
}

pub(super) fn soft_max(line: &mut [f64]) {
    let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    line.iter_mut()
        .for_each(|value| *value = (*value - largest).exp());
    let sum: f64 = line.iter().sum();
    line.iter_mut().for_each(|value| *value /= sum);
}

pub(super) fn log_soft_max(line: &mut [f64]) {
    let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = line.iter().map(|value| (value - largest).exp()).sum();
    line.iter_mut()
        .for_each(|value| *value -= largest + sum.ln());
}

fn hard_max(line: &mut [f64]) {
    let best = (1..line.len()).fold(0, |best, index| {
        if line[index] > line[best] {
            index
        } else {
            best
        }
    });
    line.iter_mut()
        .enumerate()
        .for_each(|(index, value)| *value = f64::from(u8::from(index == best)));
}
