//! Matrix products: `MatMul`, `Gemm` and `Einsum`.
//!
//! A row of a product has the same bits whatever rows stand alongside it. In single precision the
//! right matrix is packed for tallow's own kernels, which see to it. Doubles go through the kernels
//! of the `gemm` crate in groups of [`GROUP_ROWS`], the last one filled up with zeros, because
//! those choose their order of addition by the number of rows.

use std::sync::Arc;

use super::broadcast::map;
use super::elementwise::{Arithmetic, Number, combine};
use crate::error::{Error, Result};
use crate::graph::element::{number, numbers};
use crate::graph::entry::{ANY, Entry, MICROSOFT};
use crate::graph::layout::{broadcast, broadcast_strides, product, transposed, viewed, walk};
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::tensor::{Data, Tensor, element_count, room_of};
use crate::kernel::product::{Dense, LINE, Rows};
use crate::network::step::BLOCK_ROWS;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("MatMul", 2, 2, |_| {
        single(|call| counted_product(call, call.tensor(0)?, call.tensor(1)?))
    })
    .widened(),
    Entry::new("Gemm", 2, 3, general).widened(),
    Entry::new("Einsum", 1, ANY, einsum).widened(),
    Entry::new("FusedMatMul", 2, 2, fused_product)
        .of(MICROSOFT)
        .widened(),
    Entry::new("TransposeMatMul", 2, 2, fused_product)
        .of(MICROSOFT)
        .widened(),
    Entry::new("Det", 1, 1, |_| single(determinant)).floats(),
];

/// Numbers of a right matrix that is packed for one product, its filling included: 256 MiB.
const MAX_PACKED: usize = 1 << 26;

/// Rows of the left factor that go through together.
const GROUP_ROWS: usize = 64;

/// A type whose matrices are multiplied.
pub(crate) trait Factor: Number {
    /// `out = left · right`, where `out` is all zeros; the bits of a row do not depend on the other
    /// rows.
    fn multiply_rows(left: &[Self], right: &[Self], out: &mut [Self], shape: [usize; 3]) {
        multiply_groups(left, right, out, shape);
    }

    /// `out = left · right`; row-major, `rows × depth` by `depth × columns`.
    fn multiply_matrices(left: &[Self], right: &[Self], out: &mut [Self], shape: [usize; 3]) {
        let [_, depth, columns] = shape;
        for (left, out) in left
            .chunks_exact(depth.max(1))
            .zip(out.chunks_exact_mut(columns.max(1)))
        {
            for (factor, row) in left.iter().zip(right.chunks_exact(columns.max(1))) {
                out.iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum = sum.add(factor.multiply(*value)));
            }
        }
    }
}

impl Factor for i32 {}
impl Factor for i64 {}
impl Factor for u64 {}

macro_rules! real {
    ($type:ty $(, $own:item)?) => {
        impl Factor for $type {
            $($own)?

            fn multiply_matrices(left: &[Self], right: &[Self], out: &mut [Self],
                [rows, depth, columns]: [usize; 3]) {
                assert!(left.len() == rows * depth && right.len() == depth * columns &&
                    out.len() == rows * columns,
                        "matrices of their shapes");
                if rows == 0 || depth == 0 || columns == 0 {
                    return;
                }
                #[expect(unsafe_code, reason = "the kernels take pointers and strides")]
                // SAFETY: the assertion above makes every index that these shapes and row-major
                // strides reach lie inside the three slices, `out` is borrowed mutably and so
                // overlaps neither factor.
                unsafe {
                    gemm::gemm(
                        rows,
                        columns,
                        depth,
                        out.as_mut_ptr(),
                        1,
                        columns as isize,
                        false,
                        left.as_ptr(),
                        1,
                        depth as isize,
                        right.as_ptr(),
                        1,
                        columns as isize,
                        0.0,
                        1.0,
                        false,
                        false,
                        false,
                        gemm::Parallelism::None,
                    );
                }
            }
        }
    };
}

real!(
    f32,
    fn multiply_rows(
        left: &[Self],
        right: &[Self],
        out: &mut [Self],
        [rows, depth, columns]: [usize; 3],
    ) {
        if left.is_empty() || right.is_empty() {
            return;
        }
        // A long matrix of one column would be nearly all filling.
        let packed = if depth.saturating_mul(columns.next_multiple_of(LINE)) <= MAX_PACKED {
            Dense::of_rows(right, [depth, columns]).ok()
        } else {
            None
        };
        let Some(packed) = packed else {
            return multiply_groups(left, right, out, [rows, depth, columns]);
        };
        for (left, out) in left
            .chunks(BLOCK_ROWS * depth)
            .zip(out.chunks_mut(BLOCK_ROWS * columns))
        {
            packed.multiply(
                Rows {
                    values: left,
                    width: depth,
                    stride: depth,
                    count: left.len() / depth,
                },
                out,
                columns,
            );
        }
    }
);
real!(f64);

/// The product in groups of rows.
fn multiply_groups<T: Factor>(
    left: &[T],
    right: &[T],
    out: &mut [T],
    [rows, depth, columns]: [usize; 3],
) {
    let whole = rows / GROUP_ROWS * GROUP_ROWS;
    for start in (0..whole).step_by(GROUP_ROWS) {
        let end = start + GROUP_ROWS;
        T::multiply_matrices(
            &left[start * depth..end * depth],
            right,
            &mut out[start * columns..end * columns],
            [GROUP_ROWS, depth, columns],
        );
    }
    if whole < rows {
        let mut padded = left[whole * depth..].to_vec();
        padded.resize(GROUP_ROWS * depth, T::zero());
        let mut result = vec![T::zero(); GROUP_ROWS * columns];
        T::multiply_matrices(&padded, right, &mut result, [GROUP_ROWS, depth, columns]);
        out[whole * columns..].copy_from_slice(&result[..(rows - whole) * columns]);
    }
}

/// A product that the run accounts for.
fn counted_product(call: &Call, left: &Tensor, right: &Tensor) -> Result<Tensor> {
    let product = matrix_product(left, right)?;
    let depth = left.shape().last().copied().unwrap_or(1);
    call.fuel.burn_products(
        product.len().saturating_mul(depth),
        left.len() + right.len(),
    )?;
    Ok(product)
}

/// The product of the last two axes, broadcast over the others, as numpy's `matmul`.
pub(crate) fn matrix_product(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    numbers!((left.data(), right.data()), (a, b) => typed_product(left, a, right, b))
}

fn typed_product<T: Factor>(left: &Tensor, a: &[T], right: &Tensor, b: &[T]) -> Result<Tensor> {
    let (mut left_shape, mut right_shape) = (left.shape().to_vec(), right.shape().to_vec());
    if left_shape.is_empty() || right_shape.is_empty() {
        return Err(Error::failed("a matrix product of a scalar"));
    }
    let (is_left_vector, is_right_vector) = (left_shape.len() == 1, right_shape.len() == 1);
    if is_left_vector {
        left_shape.insert(0, 1);
    }
    if is_right_vector {
        right_shape.push(1);
    }
    let (left_outer, [rows, depth]) = cut(&left_shape);
    let (right_outer, [right_depth, columns]) = cut(&right_shape);
    if depth != right_depth {
        return Err(Error::failed(format!(
            "a product of matrices of shapes {:?} and {:?}",
            left.shape(),
            right.shape()
        )));
    }
    let outer = broadcast(left_outer, right_outer)?;
    let mut shape = [outer.as_slice(), &[rows, columns]].concat();
    let mut out = vec![T::zero(); room_of::<T>(&shape)?];
    if product(right_outer) == 1 && outer == left_outer {
        // One right matrix for all: one tall product.
        T::multiply_rows(a, b, &mut out, [product(left_outer) * rows, depth, columns]);
    } else if !out.is_empty() {
        let strides = [
            broadcast_strides(left_outer, &outer),
            broadcast_strides(right_outer, &outer),
        ];
        let mut blocks = out.chunks_exact_mut(rows * columns);
        walk(&outer, [&strides[0], &strides[1]], |[x, y]| {
            let Some(block) = blocks.next() else { return };
            let (a, b) = (
                &a[x * rows * depth..(x + 1) * rows * depth],
                &b[y * depth * columns..(y + 1) * depth * columns],
            );
            T::multiply_rows(a, b, block, [rows, depth, columns]);
        });
    }
    if is_right_vector {
        shape.pop();
    }
    if is_left_vector {
        shape.remove(shape.len() - if is_right_vector { 1 } else { 2 });
    }
    Tensor::new(shape, out)
}

fn cut(shape: &[usize]) -> (&[usize], [usize; 2]) {
    let (outer, matrix) = shape.split_at(shape.len() - 2);
    (outer, [matrix[0], matrix[1]])
}

/// α · A · B + β · C.
fn general(node: &Definition) -> Result<Built> {
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let (turns_left, turns_right) = (node.flag("transA", false)?, node.flag("transB", false)?);
    single(move |call| {
        let oriented = |tensor: &Tensor, turns: bool| {
            if tensor.rank() != 2 {
                return Err(Error::failed(format!(
                    "a tensor of {} axes is not a matrix",
                    tensor.rank()
                )));
            }
            if turns {
                transposed(tensor, &[1, 0])
            } else {
                Ok(tensor.clone())
            }
        };
        let product = counted_product(
            call,
            &oriented(call.tensor(0)?, turns_left)?,
            &oriented(call.tensor(1)?, turns_right)?,
        )?;
        let product = scaled(product, alpha)?;
        match call.optional(2)? {
            None => Ok(product),
            Some(addend) => combine(Arithmetic::Add, &product, &scaled(addend.clone(), beta)?),
        }
    })
}

/// α · A · B of matrices whose last two axes may be turned.
fn fused_product(node: &Definition) -> Result<Built> {
    let alpha = node.float("alpha", 1.0)?;
    let (turns_left, turns_right) = (node.flag("transA", false)?, node.flag("transB", false)?);
    if node.flag("transBatchA", false)? || node.flag("transBatchB", false)? {
        return Err(Error::contract(
            "`transBatchA` and `transBatchB` are not supported",
        ));
    }
    let oriented = |tensor: &Tensor, turns: bool| {
        let rank = tensor.rank();
        if !turns || rank < 2 {
            return Ok(tensor.clone());
        }
        transposed(
            tensor,
            &[(0..rank - 2).collect(), vec![rank - 1, rank - 2]].concat(),
        )
    };
    single(move |call| {
        let product = counted_product(
            call,
            &oriented(call.tensor(0)?, turns_left)?,
            &oriented(call.tensor(1)?, turns_right)?,
        )?;
        scaled(product, alpha)
    })
}

fn scaled(tensor: Tensor, by: f32) -> Result<Tensor> {
    fn typed<T: Number>(tensor: &Tensor, _: &[T], by: f32) -> Result<Tensor> {
        let by = T::from_double(f64::from(by));
        map(tensor, |value: &T| value.multiply(by))
    }
    if by == 1.0 {
        return Ok(tensor);
    }
    number!(tensor.data(), values => typed(&tensor, values, by))
}

/// One letter per axis for each operand and for the result; a letter that the result is missing is
/// summed over.
struct Equation {
    operands: Vec<Vec<u8>>,
    result: Vec<u8>,
}

/// Stands for the axes of an ellipsis, which are numbered from the last one.
const ELLIPSIS: u8 = b'.';

fn einsum(node: &Definition) -> Result<Built> {
    let text = node
        .find_string("equation")?
        .ok_or_else(|| crate::graph::operator::missing_attribute("equation"))?;
    let text: String = text
        .replace("...", ".")
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || b".,->".contains(&byte))
    {
        return Err(Error::failed(format!("the equation `{text}` is broken")));
    }
    let (left, result) = text
        .split_once("->")
        .map_or((text.as_str(), None), |(left, right)| (left, Some(right)));
    let operands: Vec<Vec<u8>> = left
        .split(',')
        .map(|operand| operand.as_bytes().to_vec())
        .collect();
    let result = result.map_or_else(|| implied(&operands), |result| result.as_bytes().to_vec());
    if operands.len() != node.inputs.len() {
        return Err(Error::failed(format!(
            "the equation `{text}` is not for {} inputs",
            node.inputs.len()
        )));
    }
    single(move |call| {
        evaluate(
            &Equation {
                operands: operands.clone(),
                result: result.clone(),
            },
            call,
        )
    })
}

/// Whether a letter occurs in one place alone.
fn is_once(letters: &[u8], letter: u8) -> bool {
    letters.iter().position(|other| *other == letter)
        == letters.iter().rposition(|other| *other == letter)
}

/// Without a result, the letters that occur once, in alphabetical order, after the ellipsis.
fn implied(operands: &[Vec<u8>]) -> Vec<u8> {
    let all: Vec<u8> = operands.concat();
    let mut once: Vec<u8> = all
        .iter()
        .copied()
        .filter(|letter| *letter == ELLIPSIS || is_once(&all, *letter))
        .collect();
    once.sort_unstable();
    once.dedup();
    once
}

fn evaluate(equation: &Equation, call: &Call) -> Result<Tensor> {
    let tensors = call.tensors()?;
    // Ellipsis axes become letters below 64, counted from the last.
    let spelt = |letters: &[u8], more: usize| -> Vec<u8> {
        letters
            .iter()
            .flat_map(|&letter| {
                if letter == ELLIPSIS {
                    (0..more as u8).rev().collect()
                } else {
                    vec![letter]
                }
            })
            .collect()
    };
    let extra = |letters: &[u8], rank: usize| {
        if letters.contains(&ELLIPSIS) {
            (rank + 1).checked_sub(letters.len())
        } else {
            (rank == letters.len()).then_some(0)
        }
    };
    let mut lengths = std::collections::BTreeMap::<u8, usize>::new();
    let (mut operands, mut most) = (Vec::new(), 0);
    for (letters, tensor) in equation.operands.iter().zip(&tensors) {
        let more = extra(letters, tensor.rank()).ok_or_else(|| {
            Error::failed(format!(
                "an operand of {} axes does not fit the equation",
                tensor.rank()
            ))
        })?;
        most = most.max(more);
        let letters = spelt(letters, more);
        for (letter, &length) in letters.iter().zip(tensor.shape()) {
            let known = lengths.entry(*letter).or_insert(length);
            if *known == 1 {
                *known = length;
            } else if length != 1 && *known != length {
                return Err(Error::failed("axes of one letter have different lengths"));
            }
        }
        operands.push(letters);
    }
    let result = spelt(&equation.result, most);
    let mut sums: Vec<u8> = lengths
        .keys()
        .copied()
        .filter(|letter| !result.contains(letter))
        .collect();
    sums.sort_unstable();
    let all = [result.clone(), sums].concat();
    let length = |letter: &u8| {
        lengths
            .get(letter)
            .copied()
            .ok_or_else(|| Error::failed("the result has a letter that no operand has"))
    };
    let shape = all.iter().map(length).collect::<Result<Vec<usize>>>()?;
    if let Some(fast) = as_product(&tensors, &operands, &result, &lengths)? {
        return Ok(fast);
    }
    element_count(&shape)?;
    let strides = tensors
        .iter()
        .zip(&operands)
        .map(|(tensor, letters)| diagonal_strides(tensor, letters, &all))
        .collect::<Vec<_>>();
    let mut total: Option<Tensor> = None;
    for (tensor, strides) in tensors.iter().zip(&strides) {
        let spread = viewed(tensor, 0, &shape, strides)?;
        total = Some(match total {
            None => spread,
            Some(total) => combine(Arithmetic::Multiply, &total, &spread)?,
        });
    }
    let total = total.ok_or_else(|| Error::failed("no operand"))?;
    super::reduction::reduced(
        &total,
        &(result.len()..all.len()).collect::<Vec<_>>(),
        false,
        super::reduction::Reduction::Sum,
    )
}

/// The strides with which a tensor is read over all letters: 0 where it is missing one, added up
/// where it has one twice.
fn diagonal_strides(tensor: &Tensor, letters: &[u8], all: &[u8]) -> Vec<usize> {
    let own = crate::graph::layout::strides_of(tensor.shape());
    let stride = |letter: &u8| {
        letters
            .iter()
            .enumerate()
            .filter(|(axis, other)| *other == letter && tensor.shape()[*axis] != 1)
            .map(|(axis, _)| own[axis])
            .sum()
    };
    all.iter().map(stride).collect()
}

/// Two operands without doubled or stretched letters are one matrix product between transpositions.
fn as_product(
    tensors: &[&Tensor],
    operands: &[Vec<u8>],
    result: &[u8],
    lengths: &std::collections::BTreeMap<u8, usize>,
) -> Result<Option<Tensor>> {
    let ([left, right], [a, b]) = (tensors, operands) else {
        return Ok(None);
    };
    let is_plain = |tensor: &Tensor, letters: &[u8]| {
        letters
            .iter()
            .zip(tensor.shape())
            .all(|(letter, length)| lengths[letter] == *length)
            && letters.iter().all(|letter| is_once(letters, *letter))
    };
    let lonely = |own: &[u8], other: &[u8]| {
        own.iter()
            .any(|letter| !other.contains(letter) && !result.contains(letter))
    };
    if !is_plain(left, a) || !is_plain(right, b) || lonely(a, b) || lonely(b, a) {
        return Ok(None);
    }
    let (batch, sums): (Vec<u8>, Vec<u8>) = a
        .iter()
        .copied()
        .filter(|letter| b.contains(letter))
        .partition(|letter| result.contains(letter));
    let rows: Vec<u8> = a
        .iter()
        .copied()
        .filter(|letter| !b.contains(letter))
        .collect();
    let columns: Vec<u8> = b
        .iter()
        .copied()
        .filter(|letter| !a.contains(letter))
        .collect();
    let size = |letters: &[u8]| {
        letters
            .iter()
            .map(|letter| lengths[letter])
            .product::<usize>()
    };
    let ordered = |tensor: &Tensor, own: &[u8], expected: &[u8]| {
        let order: Vec<usize> = expected
            .iter()
            .filter_map(|letter| own.iter().position(|other| other == letter))
            .collect();
        transposed(tensor, &order)
    };
    let left = ordered(
        left,
        a,
        &[batch.clone(), rows.clone(), sums.clone()].concat(),
    )?
    .reshaped(vec![size(&batch), size(&rows), size(&sums)])?;
    let right = ordered(
        right,
        b,
        &[batch.clone(), sums.clone(), columns.clone()].concat(),
    )?
    .reshaped(vec![size(&batch), size(&sums), size(&columns)])?;
    let letters = [batch, rows, columns].concat();
    let shape = letters.iter().map(|letter| lengths[letter]).collect();
    let product = matrix_product(&left, &right)?.reshaped(shape)?;
    ordered(&product, &letters, result).map(Some)
}

/// By elimination with the largest pivot, in double precision.
fn determinant(call: &mut Call) -> Result<Tensor> {
    let data = call.tensor(0)?;
    let [.., rows, columns] = *data.shape() else {
        return Err(Error::failed("a tensor of fewer than two axes"));
    };
    if rows != columns {
        return Err(Error::failed("the matrices are not square"));
    }
    let values = data.doubles()?;
    let outer = data.shape()[..data.rank() - 2].to_vec();
    let matrices = if rows == 0 {
        vec![1.0; product(&outer)]
    } else {
        values
            .chunks_exact(rows * rows)
            .map(|matrix| eliminate(matrix.to_vec(), rows))
            .collect()
    };
    match data.data() {
        Data::Double(_) => Tensor::new(outer, matrices),
        _ => Tensor::from_data(
            outer,
            Data::Float(Arc::new(
                matrices.into_iter().map(|value| value as f32).collect(),
            )),
        ),
    }
}

fn eliminate(mut matrix: Vec<f64>, size: usize) -> f64 {
    let mut determinant = 1.0;
    for step in 0..size {
        let pivot = (step..size).fold(step, |best, row| {
            if matrix[row * size + step].abs() > matrix[best * size + step].abs() {
                row
            } else {
                best
            }
        });
        if matrix[pivot * size + step] == 0.0 {
            return 0.0;
        }
        if pivot != step {
            (0..size).for_each(|column| matrix.swap(pivot * size + column, step * size + column));
            determinant = -determinant;
        }
        determinant *= matrix[step * size + step];
        for row in step + 1..size {
            let factor = matrix[row * size + step] / matrix[step * size + step];
            (step..size).for_each(|column| {
                matrix[row * size + column] -= factor * matrix[step * size + column];
            });
        }
    }
    determinant
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f32> {
        (0..count)
            .map(|index| ((index * 2_654_435_761) % 1_000) as f32 / 500.0 - 1.0)
            .collect()
    }

    #[test]
    fn a_row_of_a_product_has_the_same_bits_whatever_rows_stand_alongside_it() {
        for (depth, columns) in [(1, 1), (3, 1), (17, 5), (64, 33), (300, 40), (700, 1)] {
            let (left, right) = (numbers(200 * depth), numbers(depth * columns));
            let mut all = vec![0.0; 200 * columns];
            f32::multiply_rows(&left, &right, &mut all, [200, depth, columns]);
            for rows in [1, 2, 3, 63, 64, 65, 130] {
                let mut some = vec![0.0; rows * columns];
                f32::multiply_rows(
                    &left[..rows * depth],
                    &right,
                    &mut some,
                    [rows, depth, columns],
                );
                assert_eq!(
                    some,
                    all[..rows * columns],
                    "{rows} rows by {depth} by {columns}"
                );
            }
        }
    }

    #[test]
    fn the_kernels_agree_with_the_plain_product() {
        let (left, right) = (numbers(70 * 33), numbers(33 * 9));
        let mut fast = vec![0.0; 70 * 9];
        f32::multiply_rows(&left, &right, &mut fast, [70, 33, 9]);
        for (row, column) in (0..70).flat_map(|row| (0..9).map(move |column| (row, column))) {
            let plain: f64 = (0..33)
                .map(|depth| {
                    f64::from(left[row * 33 + depth]) * f64::from(right[depth * 9 + column])
                })
                .sum();
            assert!((plain - f64::from(fast[row * 9 + column])).abs() < 1e-5);
        }
    }

    #[test]
    fn products_without_a_depth_are_zero() {
        let product = matrix_product(
            &Tensor::new(vec![2, 0], Vec::<f32>::new()).unwrap(),
            &Tensor::new(vec![0, 3], Vec::<f32>::new()).unwrap(),
        );
        assert_eq!(product.unwrap().values::<f32>().unwrap(), [0.0; 6]);
    }
}
