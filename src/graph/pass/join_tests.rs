//! Convolutions joined with what follows them give what their operators give one by one.

use crate::graph::operator::Attribute;
use crate::graph::tests::Sketch;
use crate::graph::{Graph, Tensor, Value, ValueId};
use crate::network::sample::noise;

/// A graph of single or double precision; in double precision the windows are laid out as a matrix,
/// and nothing is joined.
struct Reals {
    sketch: Sketch,
    is_double: bool,
}

impl Reals {
    fn tensor(&self, shape: &[usize], values: Vec<f32>) -> Value {
        let shape = shape.to_vec();
        if self.is_double {
            Tensor::new(shape, values.into_iter().map(f64::from).collect()).unwrap()
        } else {
            Tensor::new(shape, values).unwrap()
        }
        .into()
    }

    fn constant(&mut self, shape: &[usize], seed: u64) -> ValueId {
        let value = self.tensor(shape, noise(shape.iter().product(), seed));
        self.sketch.builder.constant(value)
    }

    fn limit(&mut self, value: f32) -> ValueId {
        let value = self.tensor(&[], vec![value]);
        self.sketch.builder.constant(value)
    }

    fn convolution(
        &mut self,
        data: ValueId,
        shape: [usize; 4],
        attributes: &[(&str, Attribute)],
        seed: u64,
    ) -> ValueId {
        let (weights, bias) = (
            self.constant(&shape, seed),
            self.constant(&shape[..1], seed + 1),
        );
        self.sketch
            .node("", "Conv", &[data, weights, bias], attributes)
    }

    fn normalization(&mut self, data: ValueId, channels: usize) -> ValueId {
        let (scale, shift, mean) = (
            self.constant(&[channels], 11),
            self.constant(&[channels], 12),
            self.constant(&[channels], 13),
        );
        let variance = self.tensor(
            &[channels],
            noise(channels, 14)
                .into_iter()
                .map(|value| value.abs() + 0.5)
                .collect(),
        );
        let variance = self.sketch.builder.constant(variance);
        self.sketch.node(
            "",
            "BatchNormalization",
            &[data, scale, shift, mean, variance],
            &[],
        )
    }
}

fn pads(one: i64) -> [(&'static str, Attribute); 1] {
    [("pads", Attribute::integers(vec![one; 4]))]
}

/// Runs what `draw` draws in single precision, and checks its numbers against those in double
/// precision.
fn check(draw: impl Fn(&mut Reals, &[ValueId]), shapes: &[&[usize]], node_count: usize) {
    let graph = |is_double: bool| -> (Graph, Vec<Value>) {
        let mut reals = Reals {
            sketch: Sketch::default(),
            is_double,
        };
        let inputs: Vec<ValueId> = shapes
            .iter()
            .map(|_| reals.sketch.builder.input())
            .collect();
        draw(&mut reals, &inputs);
        let values = shapes
            .iter()
            .zip(31..)
            .map(|(shape, seed)| reals.tensor(shape, noise(shape.iter().product(), seed)))
            .collect();
        (reals.sketch.fused(), values)
    };
    let ((joined, single), (plain, double)) = (graph(false), graph(true));
    assert_eq!(joined.node_count(), node_count, "{joined:?}");
    let (found, expected) = (joined.run(single).unwrap(), plain.run(double).unwrap());
    let (found, expected) = (found[0].tensor().unwrap(), expected[0].tensor().unwrap());
    assert_eq!(found.shape(), expected.shape());
    for (found, expected) in found
        .values::<f32>()
        .unwrap()
        .iter()
        .zip(expected.values::<f64>().unwrap())
    {
        assert!(
            (f64::from(*found) - expected).abs() < 2e-5,
            "{found}, the operators give {expected}"
        );
    }
}

#[test]
fn a_convolution_its_normalisation_a_sum_and_limits_are_one_node() {
    let draw = |reals: &mut Reals, inputs: &[ValueId]| {
        let first = reals.convolution(inputs[0], [8, 3, 3, 3], &pads(1), 1);
        let first = reals.sketch.node(
            "",
            "LeakyRelu",
            &[first],
            &[("alpha", Attribute::Float(0.2))],
        );
        let second = reals.convolution(
            first,
            [8, 4, 3, 3],
            &[
                ("pads", Attribute::integers(vec![1; 4])),
                ("group", Attribute::Int(2)),
            ],
            3,
        );
        let second = reals.normalization(second, 8);
        let sum = reals.sketch.node("", "Add", &[first, second], &[]);
        let (least, most) = (reals.limit(-0.5), reals.limit(0.75));
        reals.sketch.node("", "Clip", &[sum, least, most], &[]);
    };
    check(draw, &[&[3, 3, 7, 9]], 2);
}

#[test]
fn of_two_convolutions_that_are_added_one_adds_the_other() {
    let draw = |reals: &mut Reals, inputs: &[ValueId]| {
        let first = reals.convolution(inputs[0], [5, 3, 3, 3], &pads(1), 1);
        let second = reals.convolution(inputs[0], [5, 3, 1, 1], &pads(0), 3);
        let sum = reals.sketch.node("", "Add", &[first, second], &[]);
        reals.sketch.node("", "Relu", &[sum], &[]);
    };
    check(draw, &[&[2, 3, 6, 6]], 2);
}

#[test]
fn a_sum_that_broadcasts_has_the_operators_numbers() {
    let draw = |reals: &mut Reals, inputs: &[ValueId]| {
        let product = reals.convolution(inputs[0], [5, 3, 2, 2], &pads(0), 1);
        let sum = reals.sketch.node("", "Add", &[product, inputs[1]], &[]);
        reals.sketch.node("", "Relu", &[sum], &[]);
    };
    for other in [&[1, 5, 1, 1][..], &[2, 1, 5, 5, 5], &[]] {
        check(draw, &[&[2, 3, 6, 6], other], 1);
    }
}

#[test]
fn what_others_read_too_is_not_joined() {
    let draw = |reals: &mut Reals, inputs: &[ValueId]| {
        let product = reals.convolution(inputs[0], [2, 2, 3, 3], &pads(0), 1);
        let rectified = reals.sketch.node("", "Relu", &[product], &[]);
        let twofold = reals.sketch.node("", "Add", &[product, product], &[]);
        reals.sketch.node("", "Sub", &[rectified, twofold], &[]);
    };
    check(draw, &[&[2, 2, 6, 6]], 4);
}

#[test]
fn filters_that_come_with_the_rows_are_packed_on_the_way() {
    let draw = |reals: &mut Reals, inputs: &[ValueId]| {
        reals.sketch.node(
            "",
            "Conv",
            inputs,
            &[
                ("strides", Attribute::integers(vec![2])),
                ("dilations", Attribute::integers(vec![3])),
            ],
        );
    };
    check(draw, &[&[2, 3, 40], &[6, 3, 5], &[6]], 1);
}

#[test]
fn a_window_that_reaches_beyond_any_memory_is_an_error() {
    let mut reals = Reals {
        sketch: Sketch::default(),
        is_double: false,
    };
    let data = reals.sketch.builder.input();
    let far = [
        ("dilations", Attribute::integers(vec![1 << 40])),
        ("pads", Attribute::integers(vec![1 << 39; 2])),
    ];
    let weights = reals.constant(&[1, 1, 2], 1);
    reals.sketch.node("", "Conv", &[data, weights], &far);
    let rows = reals.tensor(&[1, 1, 3], vec![1.0; 3]);
    let refused = reals.sketch.fused().run(vec![rows]).unwrap_err();
    assert!(refused.to_string().contains("a buffer of"), "{refused}");
}

#[test]
fn axes_of_one_position_in_front_say_nothing_and_bands_of_endless_rows_are_refused() {
    let row_mixing = [("pads", Attribute::integers(vec![0, 0, 1, 0, 0, 1]))];
    let draw = |reals: &mut Reals, inputs: &[ValueId]| {
        reals.convolution(inputs[0], [2, 1, 1, 3], &pads(0), 1);
    };
    check(draw, &[&[2, 1, 1, 9]], 1);
    let mut reals = Reals {
        sketch: Sketch::default(),
        is_double: false,
    };
    let data = reals.sketch.builder.input();
    let weights = reals.constant(&[1, 1, 1, 1, 3], 1);
    reals.sketch.node("", "Conv", &[data, weights], &row_mixing);
    let graph = reals.sketch.fused();
    let run = |shape: &[usize]| {
        graph.run(vec![
            Tensor::new(shape.to_vec(), vec![1.0_f32; shape.iter().product()])
                .unwrap()
                .into(),
        ])
    };
    assert_eq!(
        run(&[1, 1, 1, 1 << 21, 1]).unwrap()[0]
            .tensor()
            .unwrap()
            .shape(),
        [1, 1, 1, 1 << 21, 1]
    );
    assert!(
        run(&[1, 1, 2, 1 << 21, 1])
            .unwrap_err()
            .to_string()
            .contains("a band has more than")
    );
}
