//! The kernels against sums in double precision, against each other, and rows alone against rows in
//! company.

use super::lanes::{Lanes, Task};
use super::{Activation, Dense, Finish, LINE, Rows};
use crate::kernel::processor::Instructions;

/// (inner, outer): every width of the last panel's kind, and inner dimensions from one up.
const SHAPES: [[usize; 2]; 9] = [
    [1, 1],
    [3, 15],
    [7, 16],
    [16, 17],
    [33, 31],
    [64, 32],
    [100, 33],
    [130, 50],
    [513, 70],
];

pub(super) fn noise(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
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
        Self {
            weights: noise(inner * outer, 1),
            bias: noise(outer, 2),
            rows: noise(inner * row_count, 3),
            shape,
            row_count,
        }
    }

    fn dense(&self, instructions: Instructions) -> Dense {
        Dense::with(
            instructions,
            self.shape,
            |k, j| self.weights[k * self.shape[1] + j],
            Some(&self.bias),
        )
        .unwrap()
    }

    fn product(&self, dense: &Dense) -> Vec<f32> {
        let mut out = vec![f32::NAN; self.row_count * self.shape[1]];
        dense.multiply(
            Rows {
                values: &self.rows,
                width: self.shape[0],
                stride: self.shape[0],
                count: self.row_count,
            },
            &mut out,
            self.shape[1],
        );
        out
    }

    fn exact(&self) -> Vec<f64> {
        let [inner, outer] = self.shape;
        let sum = |row: usize, column: usize| {
            let products = (0..inner).map(|k| {
                f64::from(self.rows[row * inner + k]) * f64::from(self.weights[k * outer + column])
            });
            products.sum::<f64>() + f64::from(self.bias[column])
        };
        (0..self.row_count)
            .flat_map(|row| (0..outer).map(move |column| (row, column)))
            .map(|(row, column)| sum(row, column))
            .collect()
    }
}

pub(super) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn every_kind_of_instructions_gives_the_sums() {
    for instructions in Instructions::available() {
        for shape in SHAPES {
            for row_count in [1, 2, 5, 13, 14, 15, 29, 112] {
                let case = Case::new(shape, row_count);
                let tolerance = 1e-6 * (shape[0] as f64).sqrt().max(1.0);
                for (found, exact) in case
                    .product(&case.dense(instructions))
                    .iter()
                    .zip(case.exact())
                {
                    assert!(
                        (f64::from(*found) - exact).abs() <= tolerance,
                        "{instructions:?} {shape:?} × {row_count}: {found}, exactly {exact}"
                    );
                }
            }
        }
    }
}

#[test]
fn instructions_that_round_once_agree_to_the_bit() {
    let fused: Vec<Instructions> = Instructions::available()
        .into_iter()
        .filter(|one| *one != Instructions::Portable)
        .collect();
    for shape in SHAPES {
        let case = Case::new(shape, 31);
        let all: Vec<Vec<u32>> = fused
            .iter()
            .map(|instructions| bits(&case.product(&case.dense(*instructions))))
            .collect();
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
                dense.multiply(
                    Rows {
                        values: &case.rows[first * inner..],
                        width: inner,
                        stride: inner,
                        count,
                    },
                    &mut part,
                    outer,
                );
                assert_eq!(
                    bits(&part),
                    bits(&together[first * outer..(first + count) * outer]),
                    "{instructions:?} {shape:?}"
                );
            }
        }
    }
}

#[test]
fn what_lies_between_rows_is_neither_read_nor_written() {
    for instructions in Instructions::available() {
        let case = Case::new([5, 19], 16);
        let dense = case.dense(instructions);
        let spread: Vec<f32> = case
            .rows
            .chunks(5)
            .flat_map(|row| row.iter().copied().chain([f32::NAN; 3]))
            .collect();
        let mut out = vec![-7.0; 16 * 23];
        dense.multiply(
            Rows {
                values: &spread,
                width: 5,
                stride: 8,
                count: 16,
            },
            &mut out,
            23,
        );
        let found: Vec<f32> = out.chunks(23).flat_map(|row| row[..19].to_vec()).collect();
        assert_eq!(bits(&found), bits(&case.product(&dense)));
        assert!(
            out.chunks(23).all(|row| row[19..] == [-7.0; 4]),
            "{instructions:?}"
        );
    }
}

#[test]
fn the_rectifier_keeps_nan_and_what_is_not_negative() {
    for instructions in Instructions::available() {
        let dense = Dense::with(
            instructions,
            [1, 20],
            |_, column| column as f32 - 10.0,
            None,
        )
        .unwrap()
        .rectified();
        let mut out = vec![0.0; 60];
        dense.multiply(
            Rows {
                values: &[1.0, f32::NAN, -2.0],
                width: 1,
                stride: 1,
                count: 3,
            },
            &mut out,
            20,
        );
        let expected: Vec<f32> = (0..20)
            .map(|column| (column as f32 - 10.0).max(0.0))
            .collect();
        assert_eq!(out[..20], expected, "{instructions:?}");
        assert!(
            out[20..40].iter().all(|value| value.is_nan()),
            "{instructions:?}"
        );
        assert!(
            out[40..]
                .iter()
                .zip(0_u8..)
                .all(|(value, column)| *value == (-2.0 * (f32::from(column) - 10.0)).max(0.0)),
            "{instructions:?}"
        );
    }
}

#[test]
fn shapes_without_numbers_and_biases_of_another_length_are_refused() {
    assert!(Dense::new(0, 3, |_, _| 1.0, None).is_err());
    assert!(Dense::new(3, 0, |_, _| 1.0, None).is_err());
    assert!(Dense::new(1, 2, |_, _| 1.0, Some(&[1.0])).is_err());
    assert!(Dense::new(usize::MAX / 2, 64, |_, _| 1.0, None).is_err());
}

#[test]
fn a_finish_joins_what_is_there() {
    for instructions in Instructions::available() {
        let case = Case::new([33, 50], 31);
        let dense = case.dense(instructions);
        let plain = case.product(&dense);
        let rows = Rows {
            values: &case.rows,
            width: 33,
            stride: 33,
            count: 31,
        };
        let joined = |finish: Finish| {
            let mut out = vec![2.0; 31 * 53];
            dense.multiply_into(rows, finish, &mut out, 53);
            assert!(
                out.chunks(53).all(|row| row[50..] == [2.0; 3]),
                "{instructions:?} {finish:?} writes between rows"
            );
            out.chunks(53)
                .flat_map(|row| row[..50].to_vec())
                .collect::<Vec<f32>>()
        };
        assert_eq!(
            joined(Finish::Add),
            plain.iter().map(|value| 2.0 + value).collect::<Vec<_>>()
        );
        assert_eq!(
            joined(Finish::Multiply),
            plain.iter().map(|value| 2.0 * value).collect::<Vec<_>>()
        );
        assert_eq!(
            joined(Finish::Activate(Activation::Relu)),
            plain.iter().map(|value| value.max(0.0)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn activations_are_those_of_the_definition_and_the_same_alone() {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let tanh_form = |x: f64| {
        0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
    };
    let erf_form = |x: f64| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2));
    let functions: [(Activation, &dyn Fn(f64) -> f64); 6] = [
        (Activation::Gelu, &erf_form),
        (Activation::GeluTanh, &tanh_form),
        (Activation::GeluLogistic, &|x| {
            x * logistic(f64::from(1.702_f32) * x)
        }),
        (Activation::Relu, &|x| x.max(0.0)),
        (Activation::Tanh, &f64::tanh),
        (Activation::Silu, &|x| x * logistic(x)),
    ];
    let arguments: Vec<f32> = (-80_000..=80_000)
        .map(|step| step as f32 * 2.5e-4)
        .chain([1e-30, -1e-30, 0.0, 1e30, -1e30])
        .collect();
    for instructions in Instructions::available() {
        for (activation, exact) in functions {
            let mut all = arguments.clone();
            activation.apply(instructions, &mut all, [arguments.len(), arguments.len()]);
            for (argument, found) in arguments.iter().zip(&all) {
                let requested = exact(f64::from(*argument));
                let tolerance = 1.5e-6 * requested.abs().max(1.0);
                assert!(
                    (f64::from(*found) - requested).abs() <= tolerance,
                    "{instructions:?} {activation:?} of {argument}: {found}, exactly {requested}"
                );
            }
            for (argument, found) in arguments.iter().zip(&all).step_by(97) {
                let mut alone = [*argument, f32::NAN];
                activation.apply(instructions, &mut alone, [2, 2]);
                assert!(
                    alone[0].to_bits() == found.to_bits() && alone[1].is_nan(),
                    "{instructions:?} {activation:?} of {argument} alone"
                );
            }
        }
    }
}

/// Each of sixteen vectors, turned; the sum and the largest of the first; and every other number
/// of the first two.
struct Turn<'a>(&'a [f32; LINE * LINE]);

impl Task for Turn<'_> {
    type Output = (Vec<f32>, [f32; 2], Vec<f32>);

    #[expect(
        clippy::inline_always,
        reason = "compiled with the lanes' instructions"
    )]
    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> Self::Output {
        let (rows, _) = self.0.as_chunks::<LINE>();
        let vectors = std::array::from_fn(|row| lanes.load(&rows[row]));
        let mut transposed = vec![0.0; LINE * LINE];
        for (vector, index) in lanes
            .transpose(vectors)
            .into_iter()
            .zip(transposed.as_chunks_mut::<LINE>().0)
        {
            lanes.store(vector, index);
        }
        let mut evens = vec![0.0; LINE];
        lanes.store_some(lanes.evens(vectors[0], vectors[1]), &mut evens);
        (
            transposed,
            [lanes.sum(vectors[0]), lanes.largest(vectors[0])],
            evens,
        )
    }
}

#[test]
fn lanes_turn_matrices_sum_in_one_order_and_pick_every_other_number() {
    let values: [f32; LINE * LINE] = noise(LINE * LINE, 9).try_into().unwrap();
    let transposed: Vec<f32> = (0..LINE * LINE)
        .map(|index| values[index % LINE * LINE + index / LINE])
        .collect();
    let expected = Instructions::Portable.run(Turn(&values));
    assert_eq!(expected.0, transposed);
    assert_eq!(
        expected.2,
        values[..2 * LINE]
            .iter()
            .copied()
            .step_by(2)
            .collect::<Vec<_>>()
    );
    for instructions in Instructions::available() {
        assert_eq!(
            instructions.run(Turn(&values)),
            expected,
            "{instructions:?}"
        );
    }
}
