//! Products in parts against sums in double precision, and rows alone against rows in company.
//! Where the processor has no tiles there is nothing to test.

use super::tests::{bits, noise};
use super::{Finish, Rows, SplitDense, SplitRows};
use crate::kernel::processor::Instructions;

/// (inner, outer): steps that are full and not, and every width of the last panel's kind.
const SHAPES: [[usize; 2]; 8] = [
    [1, 1],
    [3, 15],
    [31, 16],
    [32, 17],
    [33, 31],
    [64, 32],
    [131, 50],
    [1536, 70],
];

fn has_tiles() -> bool {
    Instructions::available()[0] == Instructions::Amx
}

fn dense(shape: [usize; 2]) -> SplitDense {
    let (weights, bias) = (noise(shape[0] * shape[1], 1), noise(shape[1], 2));
    SplitDense::new(
        Instructions::Amx,
        shape,
        |row, column| weights[row * shape[1] + column],
        Some(&bias),
    )
    .unwrap()
}

fn product(dense: &SplitDense, values: &[f32], finish: Finish, rows: &mut SplitRows) -> Vec<f32> {
    let (width, count) = (dense.inner(), values.len() / dense.inner());
    rows.fill(Rows {
        values,
        width,
        stride: width,
        count,
    });
    let mut out = vec![2.0; count * dense.outer()];
    dense.multiply_into(rows, finish, &mut out, dense.outer());
    out
}

#[test]
fn parts_give_the_sums_within_four_millionths_of_their_size() {
    if !has_tiles() {
        return;
    }
    for [inner, outer] in SHAPES {
        let (weights, bias) = (noise(inner * outer, 1), noise(outer, 2));
        // Of longer rows than those that come next: what is left of them must not be read.
        let mut rows = SplitRows::default();
        rows.fill(Rows {
            values: &vec![f32::NAN; 64 * 2000],
            width: 2000,
            stride: 2000,
            count: 64,
        });
        for row_count in [1, 16, 17, 32, 33, 61] {
            let values = noise(inner * row_count, 3);
            let found = product(&dense([inner, outer]), &values, Finish::Store, &mut rows);
            let size = (inner as f64).sqrt().max(1.0);
            for (index, found) in found.iter().enumerate() {
                let (row, column) = (index / outer, index % outer);
                let terms = (0..inner).map(|k| {
                    f64::from(values[row * inner + k]) * f64::from(weights[k * outer + column])
                });
                let exact = terms.sum::<f64>() + f64::from(bias[column]);
                assert!(
                    (f64::from(*found) - exact).abs() <= 1e-5 * size,
                    "{inner} × {outer} × {row_count}: {found}, exactly {exact}"
                );
            }
        }
    }
}

#[test]
fn a_row_alone_has_the_bits_that_it_has_in_any_block() {
    if !has_tiles() {
        return;
    }
    let mut rows = SplitRows::default();
    for shape in SHAPES {
        let (dense, values) = (dense(shape), noise(43 * shape[0], 4));
        let together = product(&dense, &values, Finish::Store, &mut rows);
        for first in 0..43 {
            let count = (1 + first % 35).min(43 - first);
            let part = product(
                &dense,
                &values[first * shape[0]..(first + count) * shape[0]],
                Finish::Store,
                &mut rows,
            );
            assert_eq!(
                bits(&part),
                bits(&together[first * shape[1]..(first + count) * shape[1]]),
                "{shape:?}"
            );
        }
    }
}

#[test]
fn a_finish_joins_what_is_there_and_nan_stays_in_its_row() {
    if !has_tiles() {
        return;
    }
    let mut rows = SplitRows::default();
    let (dense, mut values) = (dense([33, 50]), noise(20 * 33, 5));
    values[33 * 7 + 2] = f32::NAN;
    let plain = product(&dense, &values, Finish::Store, &mut rows);
    assert!(
        plain
            .iter()
            .enumerate()
            .all(|(index, value)| value.is_nan() == (index / 50 == 7))
    );
    let same = |found: Vec<f32>, expected: &dyn Fn(f32) -> f32| {
        found.iter().zip(&plain).all(|(found, plain)| {
            found.to_bits() == expected(*plain).to_bits() || (found.is_nan() && plain.is_nan())
        })
    };
    assert!(same(
        product(&dense, &values, Finish::Add, &mut rows),
        &|value| 2.0 + value
    ));
    assert!(same(
        product(&dense, &values, Finish::Multiply, &mut rows),
        &|value| 2.0 * value
    ));
}

#[test]
fn shapes_without_numbers_and_biases_of_another_length_are_refused() {
    assert!(SplitDense::new(Instructions::Amx, [0, 3], |_, _| 1.0, None).is_err());
    assert!(SplitDense::new(Instructions::Amx, [3, 0], |_, _| 1.0, None).is_err());
    assert!(SplitDense::new(Instructions::Amx, [1, 2], |_, _| 1.0, Some(&[1.0])).is_err());
}
