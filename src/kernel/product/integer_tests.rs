//! The integer product against sums of integers, all kinds of instructions against each other,
//! and rows alone against rows in company.

use super::integer::ByteInstructions;
use super::tests::{bits, noise};
use super::{Finish, IntegerDense, QuantisedRows, Rows};
use crate::kernel::processor::Instructions;

/// (inner, outer): sums that fill no instruction, and every width of the last panel's kind.
const SHAPES: [[usize; 2]; 8] = [
    [1, 1],
    [3, 15],
    [4, 16],
    [17, 17],
    [33, 31],
    [64, 32],
    [131, 50],
    [1536, 70],
];

fn weights([inner, outer]: [usize; 2]) -> Vec<f32> {
    noise(inner * outer, 1)
}

fn dense(shape: [usize; 2], byte_instructions: ByteInstructions) -> IntegerDense {
    let (weights, bias) = (weights(shape), noise(shape[1], 2));
    IntegerDense::with(
        shape,
        Instructions::available()[0],
        byte_instructions,
        |k, j| weights[k * shape[1] + j],
        Some(&bias),
    )
    .unwrap()
}

fn quantised(instructions: Instructions, values: &[f32], width: usize) -> QuantisedRows {
    let mut rows = QuantisedRows::default();
    rows.fill(
        instructions,
        Rows {
            values,
            width,
            stride: width,
            count: values.len() / width,
        },
    );
    rows
}

fn product(dense: &IntegerDense, rows: &QuantisedRows, share: [usize; 2]) -> Vec<f32> {
    let mut out = vec![f32::NAN; share[1] * dense.outer()];
    dense.multiply_into(rows, share, Finish::Store, &mut out, dense.outer());
    out
}

/// The definition, word for word: bytes of the matrix, sums of integers, one scale.
fn by_whole_numbers(shape: [usize; 2], rows: &QuantisedRows) -> Vec<f32> {
    let [inner, outer] = shape;
    let (weights, bias) = (weights(shape), noise(outer, 2));
    let largest = |column: usize| {
        (0..inner)
            .map(|row| weights[row * outer + column].abs())
            .fold(0.0, f32::max)
    };
    let scales: Vec<f32> = (0..outer).map(|column| largest(column) / 127.0).collect();
    let bytes: Vec<i64> = weights
        .iter()
        .enumerate()
        .map(|(index, weight)| (weight / scales[index % outer]).round_ties_even() as i64)
        .collect();
    let entry = |(row, scale): &(Vec<i64>, f32), column: usize| {
        let sum: i64 = row
            .iter()
            .enumerate()
            .map(|(index, value)| value * bytes[index * outer + column])
            .sum();
        sum as f32 * (scale * scales[column]) + bias[column]
    };
    let rows = rows.shifted_bytes();
    rows.iter()
        .flat_map(|row| {
            (0..outer)
                .map(|column| entry(row, column))
                .collect::<Vec<f32>>()
        })
        .collect()
}

#[test]
fn every_kind_of_instructions_gives_the_bits_of_whole_numbers() {
    for shape in SHAPES {
        for row_count in [1, 2, 5, 14, 15, 43] {
            let values: Vec<f32> = noise(row_count * shape[0], 3)
                .iter()
                .map(|value| value * 3.0 + 1.0)
                .collect();
            let rows = quantised(Instructions::Portable, &values, shape[0]);
            let exact = by_whole_numbers(shape, &rows);
            for instructions in ByteInstructions::available() {
                assert_eq!(
                    bits(&product(&dense(shape, instructions), &rows, [0, row_count])),
                    bits(&exact),
                    "{instructions:?} {shape:?}"
                );
            }
        }
    }
}

#[test]
fn bytes_stand_for_the_numbers_within_half_a_step_and_are_the_same_everywhere() {
    let scales = [1.0, 1e-20, 1e20];
    for width in [1, 15, 16, 70] {
        let values: Vec<f32> = scales
            .iter()
            .flat_map(|scale| {
                noise(width * 4, 5)
                    .into_iter()
                    .map(move |value| value * scale)
            })
            .collect();
        let portable = quantised(Instructions::Portable, &values, width);
        for (row, found) in values.chunks(width).zip(portable.numbers()) {
            let span = row.iter().fold(0.0, |most: f32, value| most.max(*value))
                - row.iter().fold(0.0, |least: f32, value| least.min(*value));
            // Half a step for the number, half a step for the zero.
            let tolerance = f64::from(span) / 255.0 * 1.01;
            assert!(
                row.iter()
                    .zip(&found)
                    .all(|(value, found)| (f64::from(*value) - found).abs() <= tolerance),
                "{row:?} {found:?}"
            );
        }
        for instructions in Instructions::available() {
            assert_eq!(
                quantised(instructions, &values, width).numbers(),
                portable.numbers(),
                "{instructions:?}"
            );
        }
    }
}

#[test]
fn rows_of_zeros_and_of_one_sign_are_exact_where_they_are_zero() {
    let rows = quantised(
        Instructions::available()[0],
        &[0.0, 0.0, 0.0, 2.0, -3.0, 0.0],
        2,
    );
    let numbers = rows.numbers();
    assert_eq!(numbers[0], [0.0, 0.0]);
    assert_eq!(numbers[1][0], 0.0);
    assert!((numbers[1][1] - 2.0).abs() < 1e-6);
    assert_eq!(numbers[2][1], 0.0);
}

#[test]
fn a_row_alone_has_the_bits_that_it_has_in_any_block() {
    for instructions in ByteInstructions::available() {
        for shape in SHAPES {
            let (inner, values) = (shape[0], noise(29 * shape[0], 4));
            let (dense, rows) = (
                dense(shape, instructions),
                quantised(Instructions::available()[0], &values, shape[0]),
            );
            let together = product(&dense, &rows, [0, 29]);
            for first in 0..29 {
                let count = (1 + first % 16).min(29 - first);
                let alone = quantised(
                    Instructions::available()[0],
                    &values[first * inner..(first + count) * inner],
                    inner,
                );
                let expected = &together[first * shape[1]..(first + count) * shape[1]];
                assert_eq!(
                    bits(&product(&dense, &alone, [0, count])),
                    bits(expected),
                    "{instructions:?} {shape:?}"
                );
                assert_eq!(
                    bits(&product(&dense, &rows, [first, count])),
                    bits(expected),
                    "{instructions:?} {shape:?}"
                );
            }
        }
    }
}

#[test]
fn numbers_that_are_not_finite_give_nan_in_their_row_alone() {
    for instructions in Instructions::available() {
        for fault in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut values = noise(3 * 17, 6);
            values[17 + 4] = fault;
            let dense = IntegerDense::new(
                instructions,
                [17, 5],
                |row, column| (row + column) as f32,
                None,
            )
            .unwrap();
            let found = product(&dense, &quantised(instructions, &values, 17), [0, 3]);
            assert!(
                found
                    .iter()
                    .enumerate()
                    .all(|(index, value)| value.is_nan() == (5..10).contains(&index)),
                "{instructions:?} {fault}: {found:?}"
            );
        }
    }
}

#[test]
fn a_finish_joins_what_is_there() {
    let shape = [64, 50];
    let rows = quantised(Instructions::available()[0], &noise(20 * 64, 3), 64);
    for instructions in ByteInstructions::available() {
        let dense = dense(shape, instructions);
        let plain = product(&dense, &rows, [0, 20]);
        for (finish, expected) in [
            (
                Finish::Add,
                plain.iter().map(|value| 2.0 + value).collect::<Vec<_>>(),
            ),
            (
                Finish::Multiply,
                plain.iter().map(|value| 2.0 * value).collect(),
            ),
        ] {
            let mut out = vec![2.0; 20 * 50];
            dense.multiply_into(&rows, [0, 20], finish, &mut out, 50);
            assert_eq!(bits(&out), bits(&expected), "{instructions:?} {finish:?}");
        }
    }
}

#[test]
fn matrices_that_bytes_cannot_stand_for_are_refused() {
    let best = Instructions::available()[0];
    assert!(IntegerDense::new(best, [0, 3], |_, _| 1.0, None).is_err());
    assert!(IntegerDense::new(best, [3, 0], |_, _| 1.0, None).is_err());
    assert!(IntegerDense::new(best, [1, 2], |_, _| 1.0, Some(&[1.0])).is_err());
    assert!(IntegerDense::new(best, [40_000, 1], |_, _| 1.0, None).is_err());
    let message = IntegerDense::new(
        best,
        [2, 2],
        |row, column| {
            if [row, column] == [1, 0] {
                f32::NAN
            } else {
                1.0
            }
        },
        None,
    )
    .unwrap_err()
    .to_string();
    assert!(message.contains("row 1 and column 0"), "{message}");
    assert!(
        IntegerDense::new(best, [2, 2], |_, _| 0.0, None)
            .unwrap()
            .memory_bytes()
            > 0
    );
}
