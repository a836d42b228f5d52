//! ONNX files written here byte by byte: what is recognised, what is refused, and that no damage
//! panics.

use proptest::prelude::*;

use super::{Onnx, open_graph};
use crate::error::Kind;
use crate::format::wire::protobuf::{Budget, Message, Wire};
use crate::format::{Artefact, FileImporter, ImportOptions, Sidecars};
use crate::graph::{Tensor, Value};

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [
        varint(field << 3 | 2),
        varint(content.len() as u64),
        content.to_vec(),
    ]
    .concat()
}

/// A `ValueInfoProto` of a float tensor of ? × `width`.
fn port(name: &str, width: u64) -> Vec<u8> {
    let dimensions = [bytes(1, &bytes(2, b"n")), bytes(1, &number(1, width))].concat();
    let tensor = [number(1, 1), bytes(2, &dimensions)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

fn node(operator: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs: Vec<u8> = inputs
        .iter()
        .flat_map(|name| bytes(1, name.as_bytes()))
        .collect();
    [
        inputs,
        bytes(2, output.as_bytes()),
        bytes(3, b"n1"),
        bytes(4, operator.as_bytes()),
    ]
    .concat()
}

/// `y = x operator w`, where w is 2, 3.
fn model(operator: &str) -> Vec<u8> {
    let raw: Vec<u8> = [2.0_f32, 3.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    with_weights(
        operator,
        &[number(1, 2), number(2, 1), bytes(8, b"w"), bytes(9, &raw)].concat(),
    )
}

fn with_weights(operator: &str, weights: &[u8]) -> Vec<u8> {
    let graph = [
        bytes(1, &node(operator, &["x", "w"], "y")),
        bytes(5, weights),
        bytes(11, &port("x", 2)),
        bytes(12, &port("y", 2)),
    ]
    .concat();
    let names = [bytes(1, b"feature_names"), bytes(2, b"a,b")].concat();
    [
        number(1, 8),
        bytes(7, &graph),
        bytes(8, &number(2, 17)),
        bytes(14, &names),
    ]
    .concat()
}

fn external(location: &str) -> Vec<u8> {
    let entry = |key: &str, value: &str| {
        bytes(
            13,
            &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat(),
        )
    };
    with_weights(
        "Mul",
        &[
            number(1, 2),
            number(2, 1),
            bytes(8, b"w"),
            number(14, 1),
            entry("location", location),
            entry("offset", "4"),
        ]
        .concat(),
    )
}

#[test]
fn a_graph_multiplies() {
    let opened = open_graph(&model("Mul")).unwrap();
    let input = Value::Tensor(Tensor::new(vec![2, 2], vec![1.0_f32, 2.0, 3.0, 4.0]).unwrap());
    let outputs = opened.graph.run(vec![input]).unwrap();
    assert_eq!(
        outputs[0].tensor().unwrap().values::<f32>().unwrap(),
        [2.0, 6.0, 6.0, 12.0]
    );
}

/// `y = |x| + |x|`, its nodes in this order.
fn doubling(order: [usize; 2]) -> Vec<u8> {
    let nodes = [node("Add", &["a", "a"], "y"), node("Abs", &["x"], "a")];
    let nodes = order.map(|index| bytes(1, &nodes[index])).concat();
    let graph = [nodes, bytes(11, &port("x", 2)), bytes(12, &port("y", 2))].concat();
    let names = [bytes(1, b"feature_names"), bytes(2, b"a,b")].concat();
    [
        number(1, 8),
        bytes(7, &graph),
        bytes(8, &number(2, 17)),
        bytes(14, &names),
    ]
    .concat()
}

/// As ONNX Runtime does, which sorts nodes: `onnxruntime.transformers.float16` appends its casts.
#[test]
fn nodes_may_come_before_those_that_they_read() {
    let input = || Value::Tensor(Tensor::new(vec![1, 2], vec![-1.5_f32, 2.0]).unwrap());
    for order in [[0, 1], [1, 0]] {
        let outputs = open_graph(&doubling(order))
            .unwrap()
            .graph
            .run(vec![input()]);
        assert_eq!(
            outputs.unwrap()[0]
                .tensor()
                .unwrap()
                .values::<f32>()
                .unwrap(),
            [3.0, 4.0],
            "{order:?}"
        );
    }
}

#[test]
fn nodes_that_read_each_other_in_a_circle_are_refused() {
    let nodes = [node("Abs", &["y"], "a"), node("Abs", &["a"], "y")];
    let graph = [
        nodes.map(|node| bytes(1, &node)).concat(),
        bytes(11, &port("x", 2)),
        bytes(12, &port("y", 2)),
    ]
    .concat();
    let model = [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 17))].concat();
    let error = open_graph(&model).map(|_| ()).unwrap_err();
    assert!(
        error.message().contains("is read before anything makes it"),
        "{error}"
    );
}

/// What a `Constant` gives whose attribute `name` of this kind has these fields.
fn constant(name: &str, kind: u64, fields: &[u8]) -> Tensor {
    let attribute = [bytes(1, name.as_bytes()), fields.to_vec(), number(20, kind)].concat();
    let node = [node("Constant", &[], "y"), bytes(5, &attribute)].concat();
    let graph = [
        bytes(1, &node),
        bytes(11, &port("x", 2)),
        bytes(12, &port("y", 2)),
    ]
    .concat();
    let model = [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 17))].concat();
    let x = Value::Tensor(Tensor::new(vec![1, 2], vec![1.0_f32, 2.0]).unwrap());
    open_graph(&model)
        .unwrap()
        .graph
        .run(vec![x])
        .unwrap()
        .remove(0)
        .into_tensor()
        .unwrap()
}

#[test]
fn lists_are_read_one_by_one_or_packed_and_as_wide_as_their_numbers() {
    let lists: [&[i64]; 4] = [
        &[1, -1, 300, 32_767, -32_768],
        &[1, 32_768, -5],
        &[7, -40_000, 1 << 31, 2],
        &[5, i64::MAX, i64::MIN, 127, 128],
    ];
    for list in lists {
        let single: Vec<u8> = list
            .iter()
            .flat_map(|value| number(8, *value as u64))
            .collect();
        let packed = bytes(
            8,
            &list
                .iter()
                .flat_map(|value| varint(*value as u64))
                .collect::<Vec<u8>>(),
        );
        let twofold = [list, list].concat();
        assert_eq!(
            constant("value_ints", 7, &single).values::<i64>().unwrap(),
            list
        );
        assert_eq!(
            constant("value_ints", 7, &[packed.clone(), single.clone()].concat())
                .values::<i64>()
                .unwrap(),
            twofold
        );
        // What stands between them ends one run and begins another.
        assert_eq!(
            constant(
                "value_ints",
                7,
                &[single.clone(), number(3, 4), single].concat()
            )
            .values::<i64>()
            .unwrap(),
            twofold
        );
    }
    let floats: Vec<u8> = [1.5_f32, -2.0]
        .iter()
        .flat_map(|value| [varint(7 << 3 | 5), value.to_le_bytes().to_vec()].concat())
        .collect();
    let packed = bytes(
        7,
        &[3.0_f32, 4.0]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<u8>>(),
    );
    assert_eq!(
        constant("value_floats", 6, &[floats, packed].concat())
            .values::<f32>()
            .unwrap(),
        [1.5, -2.0, 3.0, 4.0]
    );
    let texts = ["a", "b", "a", "", "c", "b", "a", "é"];
    let fields: Vec<u8> = texts
        .iter()
        .flat_map(|text| bytes(9, text.as_bytes()))
        .collect();
    let read = constant("value_strings", 8, &fields);
    assert_eq!(
        read.values::<std::sync::Arc<str>>()
            .unwrap()
            .iter()
            .map(|text| &**text)
            .collect::<Vec<_>>(),
        texts
    );
}

#[test]
fn columns_are_named_by_the_metadata_and_the_answer_by_the_graph() {
    let artefact = Artefact::new("m.onnx", model("Mul"));
    assert!(Onnx.recognises(&artefact));
    let loaded = Onnx.import(&artefact, &ImportOptions::default()).unwrap();
    assert_eq!(
        loaded
            .contract
            .inputs
            .iter()
            .map(|input| input.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    let fields = loaded.outcome.fields(1, loaded.model.precision(), true);
    assert_eq!(
        fields
            .iter()
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>(),
        ["y"]
    );
}

#[test]
fn what_is_not_supported_is_named_with_its_node_and_can_still_be_looked_at() {
    let artefact = Artefact::new("m.onnx", model("Levitate"));
    let error = Onnx
        .import(&artefact, &ImportOptions::default())
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Contract);
    assert!(
        error
            .message()
            .ends_with("that tallow does not have: `Levitate` (ai.onnx 17) at `n1` (Levitate)"),
        "{error}"
    );
    let loaded = Onnx
        .import(
            &artefact,
            &ImportOptions {
                for_inspection: true,
                ..ImportOptions::default()
            },
        )
        .unwrap();
    assert!(
        loaded
            .description
            .facts
            .contains(&("operators".into(), "Levitate × 1".into()))
    );
}

#[test]
fn external_data_are_read_alongside_the_model_and_nowhere_else() {
    let raw: Vec<u8> = [0.0_f32, 2.0, 3.0]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    assert_eq!(raw.len(), 12);
    let sidecars = Sidecars {
        read: |_| {
            Ok([0.0_f32, 2.0, 3.0]
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect())
        },
        resolve: |path| {
            Ok(if path.ends_with("link") {
                "/etc/link".into()
            } else {
                path.to_owned()
            })
        },
    };
    let import = |location: &str| {
        Onnx.import(
            &Artefact {
                sidecars: Some(sidecars),
                ..Artefact::new("/m/m.onnx", external(location))
            },
            &ImportOptions::default(),
        )
    };
    assert!(import("weights.bin").is_ok());
    for outside in ["../weights.bin", "/etc/passwd", "a/../../b", "link", ""] {
        assert_eq!(
            import(outside).unwrap_err().kind(),
            Kind::Trust,
            "{outside}"
        );
    }
    assert_eq!(
        Onnx.import(
            &Artefact::new("m.onnx", external("w")),
            &ImportOptions::default()
        )
        .unwrap_err()
        .kind(),
        Kind::Contract
    );
}

#[test]
fn no_truncation_panics_or_is_taken_for_the_whole() {
    let whole = model("Mul");
    let names_start =
        whole.len() - bytes(14, &[bytes(1, b"feature_names"), bytes(2, b"a,b")].concat()).len();
    for length in 0..whole.len() {
        let opened = open_graph(&whole[..length]);
        assert!(
            opened.is_err() || length == names_start,
            "the first {length} bytes"
        );
    }
}

#[test]
fn lengths_that_the_file_does_not_have_are_refused_before_anything_is_allocated() {
    let huge = with_weights(
        "Mul",
        &[
            number(1, 1 << 40),
            number(2, 1),
            bytes(8, b"w"),
            bytes(9, b"1234"),
        ]
        .concat(),
    );
    assert!(
        open_graph(&huge)
            .unwrap_err()
            .to_string()
            .contains("larger than")
    );
    let budget = Budget::new();
    let mut message = Message::new(&[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1], &budget);
    assert!(message.next().is_err());
}

#[test]
fn nesting_has_an_end() {
    let mut graph = Vec::new();
    for _ in 0..400 {
        let attribute = [bytes(1, b"body"), number(20, 5), bytes(6, &graph)].concat();
        graph = bytes(1, &[bytes(4, b"If"), bytes(5, &attribute)].concat());
    }
    let file = [number(1, 8), bytes(7, &graph), bytes(8, &number(2, 17))].concat();
    assert!(
        open_graph(&file)
            .unwrap_err()
            .to_string()
            .contains("nest more than")
    );
}

#[test]
fn every_wire_type_is_read() {
    let file = [
        number(1, 300),
        vec![0x15, 0, 0, 0x80, 0x3F],
        vec![0x19, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F],
        bytes(4, b"x"),
    ]
    .concat();
    let budget = Budget::new();
    let mut message = Message::new(&file, &budget);
    assert!(matches!(
        message.next().unwrap(),
        Some((1, Wire::Varint(300)))
    ));
    assert_eq!(message.next().unwrap().unwrap().1.float().unwrap(), 1.0);
    assert!(
        matches!(message.next().unwrap(), Some((3, Wire::Fixed64(bits)))
            if f64::from_bits(bits) == 1.0)
    );
    assert_eq!(message.next().unwrap().unwrap().1.text().unwrap(), "x");
    assert!(message.next().unwrap().is_none());
}

proptest! {
    #[test]
    fn mutated_models_never_panic(
        index in 0_usize..400,
        byte: u8,
        second in 0_usize..400,
        other: u8,
    ) {
        for operator in [
            "Mul", "MatMul", "Concat", "Gather", "Pad", "Reshape", "Conv",
        ] {
            let mut file = model(operator);
            let length = file.len();
            file[index % length] = byte;
            file[second % length] = other;
            let artefact = Artefact::new("m.onnx", file);
            let _ = Onnx.recognises(&artefact);
            let _ = Onnx.import(&artefact, &ImportOptions::default());
        }
    }
}
