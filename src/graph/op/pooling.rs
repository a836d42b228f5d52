//! Pools: the largest, the mean or the length of what a window covers; and the same over
//! everything.

use super::reduction::{Reduction, reduced};
use super::window::{OUTSIDE, Sliding, Window};
use crate::error::{Error, Result};
use crate::graph::element::unsupported;
use crate::graph::entry::Entry;
use crate::graph::layout::product;
use crate::graph::operator::{Built, Definition, missing_attribute, several, single};
use crate::graph::tensor::{Data, Element, Tensor, element_count};
use crate::graph::value::Value;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("MaxPool", 1, 1, max_pool).floats(),
    Entry::new("AveragePool", 1, 1, average_pool).floats(),
    Entry::new("LpPool", 1, 1, length_pool).floats(),
    Entry::new("GlobalAveragePool", 1, 1, |_| global(Reduction::Mean)).widened(),
    Entry::new("GlobalMaxPool", 1, 1, |_| global(Reduction::Greatest)).widened(),
];

fn global(reduction: Reduction) -> Result<Built> {
    single(move |call| {
        let data = call.tensor(0)?;
        reduced(data, &(2..data.rank()).collect::<Vec<_>>(), true, reduction)
    })
}

fn window_over(data: &Tensor, sliding: &Sliding) -> Result<Window> {
    let &[_, _, ref offsets @ ..] = data.shape() else {
        return Err(Error::failed("a pool of a tensor without channels"));
    };
    sliding.over(
        offsets,
        sliding
            .kernel
            .as_ref()
            .ok_or_else(|| missing_attribute("kernel_shape"))?,
    )
}

/// For each image and channel, for each position of the window, what `pool` makes of the positions
/// that it covers.
fn pooled<T: Element, U: Element>(
    data: &Tensor,
    values: &[T],
    window: &Window,
    pool: impl Fn(usize, &[T], &mut dyn Iterator<Item = (usize, usize)>) -> U,
) -> Result<Tensor> {
    let (map, size, input_size) = (
        window.offsets(),
        window.output_size(),
        product(&window.input),
    );
    let shape = [&data.shape()[..2], window.output.as_slice()].concat();
    let mut out = Vec::with_capacity(element_count(&shape)?);
    for plane in 0..data.shape()[0] * data.shape()[1] {
        let source = &values[plane * input_size..(plane + 1) * input_size];
        for position in 0..size {
            let mut covered = (0..window.kernel_size())
                .map(|step| (step, map[step * size + position]))
                .filter(|(_, slot)| *slot != OUTSIDE);
            out.push(pool(position, source, &mut covered));
        }
    }
    Tensor::new(shape, out)
}

fn max_pool(node: &Definition) -> Result<Built> {
    let (sliding, is_column_major, wants_indices) = (
        Sliding::of(node)?,
        node.flag("storage_order", false)?,
        node.has_output(1),
    );
    several(move |call| {
        let data = call.tensor(0)?;
        let window = window_over(data, &sliding)?;
        let best = match data.data() {
            Data::Float(values) => max_indices(data, values, &window)?,
            Data::Double(values) => max_indices(data, values, &window)?,
            Data::Uint8(values) => max_indices(data, values, &window)?,
            Data::Int8(values) => max_indices(data, values, &window)?,
            other => return Err(unsupported(other)),
        };
        let (size, input_size) = (window.output_size().max(1), product(&window.input));
        let flat: Vec<usize> = best
            .values::<i64>()?
            .iter()
            .enumerate()
            .map(|(index, slot)| index / size * input_size + *slot as usize)
            .collect();
        let result = data.runs(&flat, 1, best.shape().to_vec())?;
        if !wants_indices {
            return Ok(vec![Value::Tensor(result)]);
        }
        let slot = |flat: &usize| {
            let (plane, inside) = (flat / input_size, flat % input_size);
            (plane * input_size
                + if is_column_major {
                    row_major(inside, &window.input)
                } else {
                    inside
                }) as i64
        };
        Ok(vec![
            Value::Tensor(result),
            Value::Tensor(Tensor::new(
                best.shape().to_vec(),
                flat.iter().map(slot).collect(),
            )?),
        ])
    })
}

/// The place of an element when the first axis runs fastest.
fn row_major(mut slot: usize, shape: &[usize]) -> usize {
    let mut stride = product(shape);
    let mut sum = 0;
    for length in shape.iter().rev() {
        stride /= length;
        sum += slot % length * stride;
        slot /= length;
    }
    sum
}

fn max_indices<T: Element>(data: &Tensor, values: &[T], window: &Window) -> Result<Tensor> {
    pooled(data, values, window, |_, source, covered| {
        covered
            .map(|(_, slot)| slot)
            .reduce(|best, slot| {
                if source[slot] > source[best] {
                    slot
                } else {
                    best
                }
            })
            .unwrap_or(0) as i64
    })
}

fn wide(
    data: &Tensor,
    window: &Window,
    pool: impl Fn(usize, &[f64], &mut dyn Iterator<Item = (usize, usize)>) -> f64,
) -> Result<Tensor> {
    let result = pooled(data, &data.doubles()?, window, pool)?;
    crate::graph::cast::cast(&result, data.element_type())
}

fn average_pool(node: &Definition) -> Result<Built> {
    let (sliding, counts_pads) = (Sliding::of(node)?, node.flag("count_include_pad", false)?);
    single(move |call| {
        let data = call.tensor(0)?;
        let window = window_over(data, &sliding)?;
        let (covered, size) = (window.covered(), window.output_size());
        wide(data, &window, |position, source, offsets| {
            let (mut sum, mut count) = (0.0, 0);
            offsets.for_each(|(_, slot)| (sum, count) = (sum + source[slot], count + 1));
            if counts_pads {
                count = (0..window.kernel_size())
                    .filter(|step| covered[step * size + position])
                    .count();
            }
            sum / count as f64
        })
    })
}

fn length_pool(node: &Definition) -> Result<Built> {
    let (sliding, power) = (Sliding::of(node)?, node.int("p", 2)? as f64);
    single(move |call| {
        let data = call.tensor(0)?;
        let window = window_over(data, &sliding)?;
        wide(data, &window, |_, source, offsets| {
            offsets
                .map(|(_, slot)| source[slot].abs().powf(power))
                .sum::<f64>()
                .powf(1.0 / power)
        })
    })
}
