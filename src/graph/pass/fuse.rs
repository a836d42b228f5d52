//! Chains of dense layers, found among a graph's nodes and handed to the network's steps: one node
//! in the place of `Gemm` or `MatMul`, `Add` and activations.
//!
//! A chain begins with a product by a constant matrix in single precision and goes on while its
//! result has one reader that a step can do. What does not fit stays as it was.

use crate::graph::operator::Built;
use std::collections::HashMap;

use super::gelu::join_gelus;
use super::role::{Matrix, Part, Role};
use crate::error::{Error, Result};
use crate::feature::Columns;
use crate::graph::ir::Node;
use crate::graph::operator::{Call, single};
use crate::graph::tensor::{Tensor, room_of};
use crate::graph::value::{Value, ValueId};
use crate::graph::widening::Widening;
use crate::kernel::product::{Dense, Rows};
use crate::network::block::Pool;
use crate::network::step::{BLOCK_ROWS, RowStep, Step, activate, memory_bytes, run, then};

/// One number for each of `count` columns.
fn spread(tensor: &Tensor, count: usize, scale: f32) -> Result<Vec<f32>> {
    match tensor.values::<f32>()? {
        [one] => Ok(vec![one * scale; count]),
        all if all.len() == count => Ok(all.iter().map(|value| value * scale).collect()),
        all => Err(Error::failed(format!(
            "{} numbers for {count} columns",
            all.len()
        ))),
    }
}

/// Dense layers one after another, ready to run.
struct Chain {
    steps: Vec<Step>,
    inner: usize,
    outer: usize,
    /// Products of numbers for each row.
    products: usize,
    /// The least number of axes that the operators take, and the result has.
    min_rank: usize,
    is_strict: bool,
}

impl Chain {
    fn new(parts: &[&Part]) -> Result<Self> {
        let [Part::Product(first), ..] = parts else {
            return Err(Error::internal("a chain that begins with no product"));
        };
        let inner = first.weight.shape()[usize::from(first.is_transposed)];
        let mut chain = Self {
            steps: Vec::new(),
            inner,
            outer: inner,
            products: 0,
            min_rank: 1,
            is_strict: false,
        };
        let mut left = parts;
        while let [part, rest @ ..] = left {
            left = rest;
            match (part, rest) {
                // The bias behind a product without one becomes the product's own.
                (Part::Product(matrix), [Part::Add(addend), after @ ..])
                    if matrix.bias.is_none() =>
                {
                    chain.min_rank = chain.min_rank.max(addend.rank());
                    chain.product(matrix, Some((addend, 1.0)))?;
                    left = after;
                }
                (Part::Product(matrix), _) => chain.product(
                    matrix,
                    matrix.bias.as_ref().map(|(addend, beta)| (addend, *beta)),
                )?,
                (Part::Activation(activation), _) => activate(&mut chain.steps, *activation),
                (Part::Add(tensor), _) => {
                    chain.affine(tensor, |values| (vec![1.0; values.len()], values))?;
                }
                (Part::Multiply(tensor), _) => {
                    chain.affine(tensor, |values| (values.clone(), vec![0.0; values.len()]))?;
                }
                (Part::Divide(_) | Part::Erf | Part::Times(_), _) => {
                    return Err(Error::internal("a chain of what is not a step"));
                }
            }
        }
        Ok(chain)
    }

    fn product(&mut self, matrix: &Matrix, bias: Option<(&Tensor, f32)>) -> Result<()> {
        let (&[rows, columns], weights) = (matrix.weight.shape(), matrix.weight.values::<f32>()?)
        else {
            return Err(Error::internal("a matrix of other than two axes"));
        };
        let (inner, outer) = if matrix.is_transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        if inner != self.outer {
            return Err(Error::failed(format!(
                "a matrix of {inner} rows for {} columns",
                self.outer
            )));
        }
        let weight = |row: usize, column: usize| {
            matrix.scale
                * if matrix.is_transposed {
                    weights[column * inner + row]
                } else {
                    weights[row * outer + column]
                }
        };
        let bias = bias
            .map(|(addend, beta)| spread(addend, outer, beta))
            .transpose()?;
        self.steps.push(Step::Product(Dense::new(
            inner,
            outer,
            weight,
            bias.as_deref(),
        )?));
        self.outer = outer;
        self.products = self.products.saturating_add(inner.saturating_mul(outer));
        self.is_strict |= matrix.is_strict;
        Ok(())
    }

    fn affine(
        &mut self,
        tensor: &Tensor,
        of: impl Fn(Vec<f32>) -> (Vec<f32>, Vec<f32>),
    ) -> Result<()> {
        // A single column would be widened by more numbers, which no step does.
        let (scale, shift) = of(spread(tensor, self.outer, 1.0)?);
        self.min_rank = self.min_rank.max(tensor.rank());
        then(&mut self.steps, RowStep::Affine { scale, shift });
        Ok(())
    }

    fn run_counted(&self, call: &Call) -> Result<Tensor> {
        let out = self.run(call.value(0)?)?;
        call.fuel.burn_products(
            (out.len() / self.outer.max(1)).saturating_mul(self.products),
            out.len(),
        )?;
        Ok(out)
    }

    /// The rows along the last axis, each taken through all layers.
    fn run(&self, value: &Value) -> Result<Tensor> {
        if let Some(columns) = value.block() {
            return self.run_columns(columns);
        }
        let data = value.tensor()?;
        let values = data.values::<f32>()?;
        let Some((&width, outer_axes)) = data.shape().split_last() else {
            return Err(Error::failed("a matrix product of a scalar"));
        };
        if width != self.inner || self.is_strict && data.rank() != 2 {
            return Err(Error::failed(format!(
                "a tensor of shape {:?} for a matrix of {} rows",
                data.shape(),
                self.inner
            )));
        }
        let mut shape = [outer_axes, &[self.outer]].concat();
        while shape.len() < self.min_rank {
            shape.insert(0, 1);
        }
        let mut out = Vec::with_capacity(room_of::<f32>(&shape)?);
        let mut pool = Pool::default();
        for rows in values.chunks(BLOCK_ROWS * width) {
            self.take(
                Rows {
                    values: rows,
                    width,
                    stride: width,
                    count: rows.len() / width,
                },
                &mut pool,
                &mut out,
            );
        }
        Tensor::new(shape, out)
    }

    fn run_columns(&self, columns: &Columns<f32>) -> Result<Tensor> {
        let row_count = columns.row_count();
        if row_count > 0 && columns.feature_count() != self.inner {
            return Err(Error::failed(format!(
                "a table of {} columns for a matrix of {} rows",
                columns.feature_count(),
                self.inner
            )));
        }
        let shape = vec![row_count, self.outer];
        let mut out = Vec::with_capacity(room_of::<f32>(&shape)?);
        let mut pool = Pool::default();
        for first_row in (0..row_count).step_by(BLOCK_ROWS) {
            let count = BLOCK_ROWS.min(row_count - first_row);
            let entered = pool.enter(columns, first_row, count);
            self.take(entered.rows(), &mut pool, &mut out);
            pool.give(entered);
        }
        Tensor::new(shape, out)
    }

    fn take(&self, rows: Rows<'_>, pool: &mut Pool, out: &mut Vec<f32>) {
        let block = run(&self.steps, rows, pool);
        block.append_to(out);
        pool.give(block);
    }
}

/// The positions of the nodes that read each value; a graph's output is read from outside too.
pub(crate) fn readers(nodes: &[Node], outputs: &[ValueId]) -> HashMap<ValueId, Vec<usize>> {
    let mut readers = HashMap::<ValueId, Vec<usize>>::new();
    for (index, node) in nodes.iter().enumerate() {
        node.inputs
            .iter()
            .flatten()
            .for_each(|(id, _)| readers.entry(*id).or_default().push(index));
    }
    outputs
        .iter()
        .for_each(|id| readers.entry(*id).or_default().push(usize::MAX));
    readers
}

/// Leaves out the nodes that others stand for.
pub(crate) fn remove_nodes(nodes: &mut Vec<Node>, is_gone: &[bool]) {
    let mut index = 0;
    nodes.retain(|_| {
        index += 1;
        !is_gone[index - 1]
    });
}

/// Puts one node in the place of each chain, as long as packed matrices take no more than `room`
/// bytes; `outputs` are the graph's.
pub(crate) fn fuse(nodes: &mut Vec<Node>, outputs: &[ValueId], mut room: usize) {
    join_gelus(nodes, outputs);
    let readers = readers(nodes, outputs);
    let mut is_gone = vec![false; nodes.len()];
    for first in 0..nodes.len() {
        let is_start = matches!(
            &nodes[first].role,
            Some(Role {
                part: Part::Product(_),
                ..
            })
        ) && !is_gone[first];
        let indices = if is_start && room > 0 {
            chain_from(first, nodes, &readers)
        } else {
            Vec::new()
        };
        let parts: Vec<&Part> = indices
            .iter()
            .filter_map(|index| nodes[*index].role.as_ref())
            .map(|role| &role.part)
            .collect();
        if let (Some(&last), Ok(chain)) = (indices.last(), Chain::new(&parts)) {
            let label = if first == last {
                nodes[first].label.clone()
            } else {
                format!("{} to {}", nodes[first].label, nodes[last].label)
            };
            let data = nodes[first].role.as_ref().map(|role| role.data);
            indices
                .iter()
                .for_each(|index| is_gone[*index] = *index != last);
            let node = &mut nodes[last];
            node.memory_bytes = memory_bytes(&chain.steps);
            room = room.saturating_sub(node.memory_bytes);
            if let Ok(Built { kernel, .. }) = single(move |call| chain.run_counted(call)) {
                (node.label, node.kernel, node.widening, node.role) =
                    (label, kernel, Widening::None, None);
                (node.column_role, node.takes_blocks, node.family) = (None, true, Some("network"));
                node.inputs = vec![data.map(|id| (id, false))];
            }
        }
    }
    remove_nodes(nodes, &is_gone);
}

/// The nodes that follow one another from this one, each the only reader of the one before.
fn chain_from(first: usize, nodes: &[Node], readers: &HashMap<ValueId, Vec<usize>>) -> Vec<usize> {
    let mut indices = vec![first];
    loop {
        let last = &nodes[indices[indices.len() - 1]];
        let [Some(result)] = last.outputs.as_slice() else {
            return indices;
        };
        let [reader] = readers.get(result).map_or(&[][..], Vec::as_slice) else {
            return indices;
        };
        let is_step =
            |role: &Role| !matches!(role.part, Part::Divide(_) | Part::Erf | Part::Times(_));
        let follows = nodes
            .get(*reader)
            .and_then(|node| node.role.as_ref())
            .is_some_and(|role| role.data == *result && is_step(role));
        if !follows {
            return indices;
        }
        indices.push(*reader);
    }
}
