//! Layers in single precision give what the definition in double precision gives, and a row the
//! same bits in any batch.

use std::sync::Arc;

use proptest::prelude::*;

use crate::graph::build::Builder;
use crate::graph::operator::{Attribute, Definition};
use crate::graph::{Graph, Tensor, Value, ValueId};
use crate::network::sample::noise;

/// A layer with everything that may vary.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an attribute of its own"
)]
struct Layer {
    operator: &'static str,
    direction: &'static str,
    width: usize,
    hidden: usize,
    is_batch_first: bool,
    /// What the attribute of this name is, for operators that have it.
    is_flagged: bool,
    clip: Option<f32>,
    has_peepholes: bool,
    has_rare_gates: bool,
}

impl Layer {
    fn directions(&self) -> usize {
        if self.direction == "bidirectional" {
            2
        } else {
            1
        }
    }

    fn gates(&self) -> usize {
        match self.operator {
            "RNN" => 1,
            "GRU" => 3,
            _ => 4,
        }
    }

    fn attributes(&self) -> Vec<(String, Attribute)> {
        let mut attributes = vec![
            ("hidden_size".to_owned(), Attribute::Int(self.hidden as i64)),
            (
                "direction".to_owned(),
                Attribute::String(self.direction.to_owned()),
            ),
            (
                "layout".to_owned(),
                Attribute::Int(i64::from(self.is_batch_first)),
            ),
        ];
        let flag = match self.operator {
            "GRU" => Some("linear_before_reset"),
            "LSTM" => Some("input_forget"),
            _ => None,
        };
        attributes
            .extend(flag.map(|name| (name.to_owned(), Attribute::Int(i64::from(self.is_flagged)))));
        attributes.extend(
            self.clip
                .map(|clip| ("clip".to_owned(), Attribute::Float(clip))),
        );
        if self.has_rare_gates {
            let count = self.gates().min(3) - usize::from(self.gates() == 3);
            let names = (0..count * self.directions())
                .map(|index| Arc::from(["HardSigmoid", "Softsign", "Elu"][index % count]));
            attributes.push((
                "activations".to_owned(),
                Attribute::Strings(names.collect()),
            ));
        }
        attributes
    }

    /// The weights, recurrent weights, biases and peepholes.
    fn weights(&self) -> [Tensor; 4] {
        let (count, rows) = (self.directions(), self.gates() * self.hidden);
        let tensor = |shape: Vec<usize>, seed: u64| {
            Tensor::new(shape.clone(), noise(shape.iter().product(), seed)).unwrap()
        };
        [
            tensor(vec![count, rows, self.width], 1),
            tensor(vec![count, rows, self.hidden], 2),
            tensor(vec![count, 2 * rows], 3),
            tensor(vec![count, 3 * self.hidden], 4),
        ]
    }

    /// The layer with its weights as constants, or as inputs behind the data and the lengths.
    fn graph(&self, is_constant: bool) -> Graph {
        let mut builder = Builder::default();
        let (data, lengths) = (builder.input(), builder.input());
        let weights = self.weights().map(|tensor| {
            if is_constant {
                builder.constant(tensor.into())
            } else {
                builder.input()
            }
        });
        let [inputs, recurrent, bias, peepholes] = weights.map(Some);
        let mut expected: Vec<Option<ValueId>> =
            vec![Some(data), inputs, recurrent, bias, Some(lengths), None];
        if self.operator == "LSTM" {
            expected.extend([None, peepholes.filter(|_| self.has_peepholes)]);
        }
        let definition = Definition {
            name: "layer".into(),
            operator: self.operator.into(),
            domain: String::new(),
            version: 14,
            attributes: self.attributes().into_iter().collect(),
            inputs: expected.iter().map(Option::is_some).collect(),
            outputs: vec![true; if self.operator == "LSTM" { 3 } else { 2 }],
        };
        let outputs = builder.node(&definition, &expected).unwrap();
        builder.finish(outputs)
    }
}

fn doubles(tensor: &Tensor) -> Tensor {
    Tensor::new(tensor.shape().to_vec(), tensor.doubles().unwrap()).unwrap()
}

fn layers() -> impl Strategy<Value = Layer> {
    let operator = prop_oneof![Just("RNN"), Just("GRU"), Just("LSTM")];
    let direction = prop_oneof![Just("forward"), Just("reverse"), Just("bidirectional")];
    let clip = prop_oneof![Just(None), Just(Some(0.4_f32))];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (operator, direction, 1_usize..20, 1_usize..40, clip, flags).prop_map(
        |(operator, direction, width, hidden, clip, flags)| {
            let (is_batch_first, is_flagged, has_peepholes, has_rare_gates) = flags;
            Layer {
                operator,
                direction,
                width,
                hidden,
                is_batch_first,
                is_flagged,
                clip,
                has_peepholes,
                has_rare_gates,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_layer_in_single_precision_gives_what_it_gives_in_double(
        layer in layers(),
        steps in 1_usize..9,
        batch in 1_usize..150,
    ) {
        let shape = if layer.is_batch_first {
            vec![batch, steps, layer.width]
        } else {
            vec![steps, batch, layer.width]
        };
        let data = Tensor::new(shape, noise(steps * batch * layer.width, 5)).unwrap();
        let lengths = Tensor::vector(
            (0..batch)
                .map(|row| (row * 7 % (steps + 1)) as i32)
                .collect::<Vec<i32>>(),
        );
        let found = layer
            .graph(true)
            .run(vec![data.clone().into(), lengths.clone().into()])
            .unwrap();
        let mut exact: Vec<Value> = vec![doubles(&data).into(), lengths.into()];
        exact.extend(
            layer
                .weights()
                .iter()
                .map(|tensor| Value::from(doubles(tensor))),
        );
        let expected = layer.graph(false).run(exact).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            let (found, expected) = (found.tensor().unwrap(), expected.tensor().unwrap());
            prop_assert_eq!(found.shape(), expected.shape());
            for (found, expected) in found
                .values::<f32>()
                .unwrap()
                .iter()
                .zip(expected.values::<f64>().unwrap())
            {
                prop_assert!(
                    (f64::from(*found) - expected).abs() < 2e-5,
                    "{} where {} is right",
                    found,
                    expected
                );
            }
        }
    }

    #[test]
    fn a_row_of_a_layer_has_the_same_bits_alone(layer in layers(), batch in 2_usize..140) {
        let layer = Layer {
            is_batch_first: true,
            ..layer
        };
        let (steps, graph) = (5, layer.graph(true));
        let values = noise(batch * steps * layer.width, 6);
        let run = |rows: &[f32], lengths: Vec<i32>| {
            let shape = vec![lengths.len(), steps, layer.width];
            let outputs = graph
                .run(vec![
                    Tensor::new(shape, rows.to_vec()).unwrap().into(),
                    Tensor::vector(lengths).into(),
                ])
                .unwrap();
            outputs
                .iter()
                .map(|output| output.tensor().unwrap().values::<f32>().unwrap().to_vec())
                .collect::<Vec<Vec<f32>>>()
        };
        let lengths: Vec<i32> = (0..batch).map(|row| (row % (steps + 1)) as i32).collect();
        let together = run(&values, lengths.clone());
        let row = batch - 1;
        let alone = run(&values[row * steps * layer.width..], vec![lengths[row]]);
        for (together, alone) in together.iter().zip(&alone) {
            prop_assert_eq!(&together[row * alone.len()..], alone.as_slice());
        }
    }
}

#[test]
fn a_layer_without_a_state_is_refused() {
    let definition = Definition {
        name: "layer".into(),
        operator: "RNN".into(),
        domain: String::new(),
        version: 14,
        attributes: [("hidden_size".to_owned(), Attribute::Int(0))]
            .into_iter()
            .collect(),
        inputs: vec![true; 3],
        outputs: vec![true],
    };
    let mut builder = Builder::default();
    let inputs = [(); 3].map(|()| Some(builder.input()));
    assert!(
        builder
            .node(&definition, &inputs)
            .unwrap_err()
            .to_string()
            .contains("a state of 0 numbers")
    );
}
