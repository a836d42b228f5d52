//! The kernels against sums in double precision, against each other, and rows alone against rows in company.

use super::{Dense, Instructions, Rows};

/// (inner, outer): every width of the last panel's kind, and inner dimensions from one up.
const SHAPES: [[usize; 2]; 9] = [[1, 1], [3, 15], [7, 16], [16, 17], [33, 31], [64, 32], [100, 33], [130, 50], [513, 70]];

fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

struct Case {
    weights: Vec<f32>,
    bias: Vec<f32>,
    rows: Vec<f32>,
    shape: [usize; 2],
    row_count: usize,
}

impl Case {
    fn new(shape: [usize; 2], row_count: usize) -> Self {
        let [inner, outer] = shape;
        Self { weights: noise(inner * outer, 1), bias: noise(outer, 2), rows: noise(inner * row_count, 3), shape, row_count }
    }

    fn dense(&self, instructions: Instructions) -> Dense {
        Dense::with(instructions, self.shape, |k, j| self.weights[k * self.shape[1] + j], Some(&self.bias)).unwrap()
    }

    fn product(&self, dense: &Dense) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.row_count * self.shape[1]];
        dense.multiply(Rows { values: &self.rows, width: self.shape[0], stride: self.shape[0], count: self.row_count }, &mut out, self.shape[1]);
        out
    }

    fn exact(&self) -> Vec<f64> {
        let [inner, outer] = self.shape;
        let sum = |row: usize, column: usize| {
            let products = (0..inner).map(|k| f64::from(self.rows[row * inner + k]) * f64::from(self.weights[k * outer + column]));
            products.sum::<f64>() + f64::from(self.bias[column])
        };
        (0..self.row_count).flat_map(|row| (0..outer).map(move |column| (row, column))).map(|(row, column)| sum(row, column)).collect()
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_kind_of_instructions_gives_the_sums() {
    for instructions in Instructions::available() {
        for shape in SHAPES {
            for row_count in [1, 2, 5, 13, 14, 15, 29, 112] {
                let case = Case::new(shape, row_count);
                let tolerance = 1e-6 * (shape[0] as f64).sqrt().max(1.0);
                for (found, exact) in case.product(&case.dense(instructions)).iter().zip(case.exact()) {
                    assert!((f64::from(*found) - exact).abs() <= tolerance, "{instructions:?} {shape:?} × {row_count}: {found}, exactly {exact}");
                }
            }
        }
    }
}

#[test]
fn instructions_that_round_once_agree_to_the_bit() {
    let fused: Vec<Instructions> = Instructions::available().into_iter().filter(|one| *one != Instructions::Portable).collect();
    for shape in SHAPES {
        let case = Case::new(shape, 31);
        let all: Vec<Vec<u32>> = fused.iter().map(|instructions| bits(&case.product(&case.dense(*instructions)))).collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{shape:?}");
    }
}

#[test]
fn a_row_alone_has_the_bits_that_it_has_in_any_block() {
    for instructions in Instructions::available() {
        for shape in SHAPES {
            let [inner, outer] = shape;
            let case = Case::new(shape, 43);
            let dense = case.dense(instructions);
            let together = case.product(&dense);
            for first in 0..case.row_count {
                let count = (1 + first % 17).min(case.row_count - first);
                let mut part = vec![0.0; count * outer];
                dense.multiply(Rows { values: &case.rows[first * inner..], width: inner, stride: inner, count }, &mut part, outer);
                assert_eq!(bits(&part), bits(&together[first * outer..(first + count) * outer]), "{instructions:?} {shape:?}");
            }
        }
    }
}

#[test]
fn what_lies_between_rows_is_neither_read_nor_written() {
    for instructions in Instructions::available() {
        let case = Case::new([5, 19], 16);
        let dense = case.dense(instructions);
        let spread: Vec<f32> = case.rows.chunks(5).flat_map(|row| row.iter().copied().chain([f32::NAN; 3])).collect();
        let mut out = vec![-7.0; 16 * 23];
        dense.multiply(Rows { values: &spread, width: 5, stride: 8, count: 16 }, &mut out, 23);
        let found: Vec<f32> = out.chunks(23).flat_map(|row| row[..19].to_vec()).collect();
        assert_eq!(bits(&found), bits(&case.product(&dense)));
        assert!(out.chunks(23).all(|row| row[19..] == [-7.0; 4]), "{instructions:?}");
    }
}

#[test]
fn the_rectifier_keeps_nan_and_what_is_not_negative() {
    for instructions in Instructions::available() {
        let dense = Dense::with(instructions, [1, 20], |_, column| column as f32 - 10.0, None).unwrap().rectified();
        let mut out = vec![0.0; 60];
        dense.multiply(Rows { values: &[1.0, f32::NAN, -2.0], width: 1, stride: 1, count: 3 }, &mut out, 20);
        let expected: Vec<f32> = (0..20).map(|column| (column as f32 - 10.0).max(0.0)).collect();
        assert_eq!(out[..20], expected, "{instructions:?}");
        assert!(out[20..40].iter().all(|value| value.is_nan()), "{instructions:?}");
        assert!(out[40..].iter().zip(0_u8..).all(|(value, column)| *value == (-2.0 * (f32::from(column) - 10.0)).max(0.0)), "{instructions:?}");
    }
}

#[test]
fn shapes_without_numbers_and_biases_of_another_length_are_refused() {
    assert!(Dense::new(0, 3, |_, _| 1.0, None).is_err());
    assert!(Dense::new(3, 0, |_, _| 1.0, None).is_err());
    assert!(Dense::new(1, 2, |_, _| 1.0, Some(&[1.0])).is_err());
    assert!(Dense::new(usize::MAX / 2, 64, |_, _| 1.0, None).is_err());
}
