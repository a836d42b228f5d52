//! Matrix products: `MatMul`, `Gemm` and what ONNX Runtime makes of them.
//!
//! A row of a product has the same bits whatever rows stand alongside it. In single precision the
//! right matrix is packed for tallow's own kernels, which see to it. Doubles go through the kernels
//! of the `gemm` crate in groups of [`GROUP_ROWS`], the last one filled up with zeros, because
//! those choose their order of addition by the number of rows.

use super::broadcast::map;
use super::elementwise::{Arithmetic, Number, combine};
use crate::error::{Error, Result};
use crate::graph::element::{number, numbers};
use crate::graph::entry::{Entry, MICROSOFT};
use crate::graph::layout::{broadcast, broadcast_strides, product, transposed, walk};
use crate::graph::operator::{Built, Call, Definition, single};
use crate::graph::pass::role_chain;
use crate::graph::tensor::{Tensor, room_of};
use crate::kernel::product::{Dense, LINE, Rows};
use crate::network::step::BLOCK_ROWS;

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("MatMul", 2, 2, |_| {
        single(|call| counted_product(call, call.tensor(0)?, call.tensor(1)?))
    })
    .chains(role_chain::product)
    .widened(),
    Entry::new("Gemm", 2, 3, general)
        .chains(role_chain::general_product)
        .widened(),
    Entry::new("FusedMatMul", 2, 2, fused_product)
        .of(MICROSOFT)
        .widened(),
    Entry::new("TransposeMatMul", 2, 2, fused_product)
        .of(MICROSOFT)
        .widened(),
];

/// Numbers of a right matrix that is packed for one product, its filling included: 256 MiB.
const MAX_PACKED: usize = 1 << 26;

/// Rows of the left factor that go through together.
const GROUP_ROWS: usize = 64;

/// A type whose matrices are multiplied.
pub(super) trait Factor: Number {
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
