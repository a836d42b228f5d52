//! Random convolutions against the definition, by every kind of instructions.

use proptest::prelude::*;

use super::{Activation, Axis, Filters, Finish, Images};
use crate::kernel::processor::Instructions;
use crate::network::sample::noise;

const PLAIN: Finish<'static> = Finish {
    residual: None,
    activation: Activation::None,
};

#[derive(Clone, Debug)]
struct Case {
    images: usize,
    groups: usize,
    /// Filters and channels of a group.
    filters: usize,
    channels: usize,
    axes: Vec<Axis>,
}

fn axis([input, kernel, stride, dilation]: [usize; 4], [before, after]: [i64; 2]) -> Axis {
    let extent = (kernel - 1) * dilation + 1;
    let room = input as i64 + before + after - extent as i64;
    let output = if room < 0 {
        0
    } else {
        room as usize / stride + 1
    };
    Axis {
        input,
        output,
        kernel,
        stride,
        dilation,
        before,
    }
}

impl Case {
    fn values(&self) -> Vec<f32> {
        noise(
            self.images
                * self.groups
                * self.channels
                * self.axes.iter().map(|axis| axis.input).product::<usize>(),
            1,
        )
    }

    fn window(&self) -> usize {
        self.axes.iter().map(|axis| axis.kernel).product()
    }

    fn output_size(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product()
    }

    fn weights(&self) -> Vec<f32> {
        noise(
            self.groups * self.filters * self.channels * self.window(),
            2,
        )
    }

    fn bias(&self) -> Vec<f32> {
        noise(self.groups * self.filters, 3)
    }

    fn packed(&self, instructions: Instructions) -> Filters {
        let shape = [self.groups * self.filters, self.channels, self.window()];
        Filters::with(
            instructions,
            self.groups,
            shape,
            &self.weights(),
            Some(&self.bias()),
        )
        .unwrap()
    }

    fn found(&self, instructions: Instructions, finish: Finish<'_>) -> Vec<f32> {
        self.packed(instructions)
            .convolve(
                Images {
                    values: &self.values(),
                    count: self.images,
                },
                &self.axes,
                finish,
            )
            .unwrap()
    }

    /// The definition, in double precision.
    fn exact(&self) -> Vec<f64> {
        let (values, weights, bias) = (self.values(), self.weights(), self.bias());
        let (outputs, window) = (self.output_size(), self.window());
        let mut results = Vec::new();
        for (image, filter) in (0..self.images)
            .flat_map(|image| (0..self.groups * self.filters).map(move |filter| (image, filter)))
        {
            for index in 0..outputs {
                let mut sum = f64::from(bias[filter]);
                for (channel, step) in (0..self.channels)
                    .flat_map(|channel| (0..window).map(move |step| (channel, step)))
                {
                    let own =
                        (image * self.groups + filter / self.filters) * self.channels + channel;
                    if let Some(read) = self.read(index, step) {
                        let size: usize = self.axes.iter().map(|axis| axis.input).product();
                        sum += f64::from(values[own * size + read])
                            * f64::from(
                                weights[(filter * self.channels + channel) * window + step],
                            );
                    }
                }
                results.push(sum);
            }
        }
        results
    }

    /// The place of a channel that a place of the window over an output reads.
    fn read(&self, mut index: usize, mut step: usize) -> Option<usize> {
        let (mut read, mut size) = (0, 1);
        for axis in self.axes.iter().rev() {
            let along = (index % axis.output * axis.stride + step % axis.kernel * axis.dilation)
                as i64
                - axis.before;
            (index, step) = (index / axis.output, step / axis.kernel);
            read += size
                * usize::try_from(along)
                    .ok()
                    .filter(|along| *along < axis.input)?;
            size *= axis.input;
        }
        Some(read)
    }

    fn check(&self) {
        let exact = self.exact();
        let depth = (self.channels * self.window()) as f32;
        for instructions in Instructions::available() {
            let found = self.found(instructions, PLAIN);
            assert_eq!(found.len(), exact.len());
            for (index, (found, exact)) in found.iter().zip(&exact).enumerate() {
                let tolerance = 3e-6 * f64::from(depth.sqrt().max(1.0));
                assert!(
                    (f64::from(*found) - exact).abs() <= tolerance,
                    "{instructions:?} {self:?} at {index}: {found}, exactly {exact}"
                );
            }
        }
    }
}

fn any_axis(longest: usize) -> impl Strategy<Value = Axis> {
    (
        1..=longest,
        1..=5_usize,
        1..=3_usize,
        1..=3_usize,
        -1..=3_i64,
        -1..=3_i64,
    )
        .prop_map(|(input, kernel, stride, dilation, before, after)| {
            axis([input, kernel, stride, dilation], [before, after])
        })
        .prop_filter("no room for a window", |axis| axis.output > 0)
}

fn any_case() -> impl Strategy<Value = Case> {
    let axes = prop_oneof![
        proptest::collection::vec(any_axis(70), 1),
        proptest::collection::vec(any_axis(20), 2),
        proptest::collection::vec(any_axis(6), 3),
    ];
    let filters = prop_oneof![Just(1_usize), 2..=6_usize, 7..=33_usize];
    (1..=5_usize, 1..=3_usize, filters, 1..=4_usize, axes).prop_map(
        |(images, groups, filters, channels, axes)| Case {
            images,
            groups,
            filters,
            channels,
            axes,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_convolution_is_the_definition(case in any_case()) {
        case.check();
    }

    #[test]
    fn an_image_alone_has_the_bits_that_it_has_among_others(case in any_case()) {
        for instructions in Instructions::available() {
            let together = case.found(instructions, PLAIN);
            let (values, filters) = (case.values(), case.packed(instructions));
            let own = together.len() / case.images;
            for (image, expected) in values
                .chunks(values.len() / case.images)
                .zip(together.chunks(own))
            {
                let alone = filters
                    .convolve(
                        Images {
                            values: image,
                            count: 1,
                        },
                        &case.axes,
                        PLAIN,
                    )
                    .unwrap();
                assert!(
                    alone
                        .iter()
                        .zip(expected)
                        .all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{instructions:?}"
                );
            }
        }
    }

    #[test]
    fn instructions_that_round_once_agree_to_the_bit(case in any_case()) {
        let fused = Instructions::available()
            .into_iter()
            .filter(|one| *one != Instructions::Portable);
        let all: Vec<Vec<u32>> = fused
            .map(|one| {
                case.found(one, PLAIN)
                    .iter()
                    .map(|value| value.to_bits())
                    .collect()
            })
            .collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    }
}

fn square(size: usize, kernel: usize, stride: usize) -> Vec<Axis> {
    vec![axis([size, kernel, stride, 1], [(kernel / 2) as i64; 2]); 2]
}

#[test]
fn deep_and_large_convolutions_are_the_definition_in_blocks_too() {
    for (images, groups, filters, channels, axes) in [
        // Several blocks of taps, packed, with images that share a vector.
        (9, 1, 30, 70, square(3, 3, 1)),
        (3, 1, 16, 64, square(8, 3, 2)),
        (2, 1, 20, 600, square(1, 1, 1)),
        // Bands of rows; windows of single positions, read where they lie.
        (1, 1, 5, 40, square(72, 5, 1)),
        (2, 1, 16, 3, square(50, 1, 1)),
        (3, 1, 40, 300, square(7, 1, 1)),
        (2, 2, 9, 4, square(8, 1, 1)),
        (2, 17, 1, 1, square(16, 3, 1)),
        (2, 1, 8, 3, vec![axis([48, 16, 16, 1], [0, 0]); 2]),
        // Pads alone.
        (
            2,
            1,
            3,
            2,
            vec![axis([0, 3, 1, 1], [2, 2]), axis([4, 2, 1, 1], [0, 0])],
        ),
    ] {
        Case {
            images,
            groups,
            filters,
            channels,
            axes,
        }
        .check();
    }
}

#[test]
fn what_follows_is_done_to_every_result() {
    for (filters, axes) in [
        (20, square(5, 3, 1)),
        (3, square(16, 3, 1)),
        (1, square(9, 1, 1)),
    ] {
        let case = Case {
            images: 3,
            groups: 2,
            filters,
            channels: 40,
            axes,
        };
        for instructions in Instructions::available() {
            let plain = case.found(instructions, PLAIN);
            let other = noise(plain.len(), 4);
            let clamp = Activation::Clamp {
                least: -0.25,
                most: 0.5,
            };
            let clamped = case.found(
                instructions,
                Finish {
                    residual: None,
                    activation: clamp,
                },
            );
            assert_eq!(
                clamped,
                plain
                    .iter()
                    .map(|value| value.clamp(-0.25, 0.5))
                    .collect::<Vec<_>>(),
                "{instructions:?}"
            );
            let joined = case.found(
                instructions,
                Finish {
                    residual: Some(&other),
                    activation: Activation::Leaky(0.5),
                },
            );
            let leaky = |sum: f32| if sum < 0.0 { 0.5 * sum } else { sum };
            assert_eq!(
                joined,
                plain
                    .iter()
                    .zip(&other)
                    .map(|(a, b)| leaky(a + b))
                    .collect::<Vec<_>>(),
                "{instructions:?}"
            );
        }
    }
}

#[test]
fn nan_goes_through_what_follows() {
    for instructions in Instructions::available() {
        let filters = Filters::with(instructions, 1, [1, 1, 1], &[1.0], None).unwrap();
        for activation in [
            Activation::Clamp {
                least: 0.0,
                most: 6.0,
            },
            Activation::Leaky(0.1),
        ] {
            let images = Images {
                values: &[f32::NAN, 7.0, -1.0],
                count: 1,
            };
            let found = filters
                .convolve(
                    images,
                    &[axis([3, 1, 1, 1], [0, 0])],
                    Finish {
                        residual: None,
                        activation,
                    },
                )
                .unwrap();
            assert!(
                found[0].is_nan() && !found[1].is_nan() && !found[2].is_nan(),
                "{instructions:?} {activation:?}: {found:?}"
            );
        }
    }
}

#[test]
fn shapes_that_do_not_fit_and_buffers_that_no_memory_holds_are_refused() {
    assert!(Filters::new(1, [2, 3, 4], &[0.0; 23], None).is_err());
    assert!(Filters::new(2, [3, 1, 1], &[0.0; 3], None).is_err());
    assert!(Filters::new(1, [1, usize::MAX, 2], &[], None).is_err());
    assert!(Filters::new(1, [1, 1, 1], &[0.0], Some(&[0.0; 2])).is_err());
    let filters = Filters::new(1, [1, 1, 2], &[1.0; 2], None).unwrap();
    let far = Axis {
        input: 1,
        output: 1,
        kernel: 2,
        stride: 1,
        dilation: 1 << 40,
        before: 0,
    };
    assert!(
        filters
            .convolve(
                Images {
                    values: &[1.0],
                    count: 1
                },
                &[far],
                PLAIN
            )
            .is_err()
    );
    let long = Axis {
        input: 4,
        output: 3,
        kernel: 2,
        stride: 1,
        dilation: 1,
        before: 0,
    };
    assert!(
        filters
            .convolve(
                Images {
                    values: &[1.0; 3],
                    count: 1
                },
                &[long],
                PLAIN
            )
            .is_err()
    );
    assert!(
        filters
            .convolve(
                Images {
                    values: &[],
                    count: 0
                },
                &[long],
                PLAIN
            )
            .unwrap()
            .is_empty()
    );
}
