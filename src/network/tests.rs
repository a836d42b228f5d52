//! The laws of networks, the arithmetic of each layer, and hostile files.

use super::sample::{architecture, noise, plain, raw, safetensors, score};
use super::{Encoding, Network};
use crate::error::{Error, Kind};
use crate::model::{Model, NumericModel};

const TWO_LAYERS: &str = r#"
layers = [
  { kind = "linear", weights = "0" },
  { kind = "gelu" },
  { kind = "layer_norm" },
  { kind = "linear", weights = "3", bias = false },
]"#;

fn two_layers(inner: usize, middle: usize, outer: usize) -> Vec<u8> {
    let seed = (inner * 31 + middle * 7 + outer) as u64;
    safetensors(&[
        ("0.weight", &[middle, inner], noise(middle * inner, seed)),
        ("0.bias", &[middle], noise(middle, seed + 1)),
        (
            "3.weight",
            &[outer, middle],
            noise(outer * middle, seed + 2),
        ),
    ])
}

fn rows(count: usize, width: usize) -> Vec<Vec<f32>> {
    (0..count)
        .map(|row| noise(width, row as u64 + 1000))
        .collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn one_layer(layer: &str, width: usize, row: Vec<f32>) -> Vec<f32> {
    let network = Network::load(
        &architecture(&format!("layers = [{layer}]")),
        &plain(width),
        &safetensors(&[]),
    )
    .unwrap();
    score(&network, &[row]).unwrap()
}

fn close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let differs = found.iter().zip(expected).any(|(found, expected)| {
        (f64::from(*found) - expected).abs() > 1e-6 * expected.abs().max(1.0)
    });
    assert!(!differs, "found {found:?}, expected {expected:?}");
}

#[test]
fn a_row_has_the_same_bits_alone_in_any_batch_and_in_any_order() {
    // Widths on both sides of every tile of the kernels, and those for which the engine takes
    // another way altogether.
    for (inner, middle, outer) in [
        (1, 1, 1),
        (2, 3, 2),
        (3, 8, 1),
        (5, 24, 3),
        (7, 33, 1),
        (17, 64, 9),
        (40, 100, 2),
        (130, 257, 25),
        (1500, 8, 3),
    ] {
        let network = Network::load(
            &architecture(TWO_LAYERS),
            &plain(inner),
            &two_layers(inner, middle, outer),
        )
        .unwrap();
        let all = rows(300, inner);
        let together = score(&network, &all).unwrap();
        let alone: Vec<f32> = all
            .iter()
            .flat_map(|row| score(&network, std::slice::from_ref(row)).unwrap())
            .collect();
        assert_eq!(bits(&alone), bits(&together), "{inner}, {middle}, {outer}");
        let order = || (0..300).map(|row| (row * 37 + 11) % 300);
        let shifted: Vec<Vec<f32>> = order().map(|row| all[row].clone()).collect();
        let permuted: Vec<f32> = order()
            .flat_map(|row| &together[row * outer..(row + 1) * outer])
            .copied()
            .collect();
        assert_eq!(
            bits(&score(&network, &shifted).unwrap()),
            bits(&permuted),
            "{inner}, {middle}, {outer}"
        );
        assert_eq!(
            bits(&score(&network, &all[..129]).unwrap()),
            bits(&together[..129 * outer])
        );
    }
}

#[test]
fn products_and_biases_are_those_of_the_definition() {
    let (inner, outer) = (19, 6);
    let (weight, bias) = (noise(inner * outer, 1), noise(outer, 2));
    let file = safetensors(&[
        ("0.weight", &[outer, inner], weight.clone()),
        ("0.bias", &[outer], bias.clone()),
    ]);
    let network = Network::load(
        &architecture("layers = [{ kind = \"linear\", weights = \"0\" }]"),
        &plain(inner),
        &file,
    )
    .unwrap();
    let row = noise(inner, 3);
    let dot = |weights: &[f32]| {
        weights
            .iter()
            .zip(&row)
            .map(|(weight, value)| f64::from(*weight) * f64::from(*value))
            .sum::<f64>()
    };
    let expected: Vec<f64> = weight
        .chunks(inner)
        .zip(&bias)
        .map(|(weights, bias)| dot(weights) + f64::from(*bias))
        .collect();
    close(
        &score(&network, std::slice::from_ref(&row)).unwrap(),
        &expected,
    );
    assert_eq!(
        (network.margin_count(), network.parameter_count()),
        (6, 120)
    );
    assert!(
        network.memory_bytes() >= 480,
        "packed, the numbers take no less"
    );
}

#[test]
fn activations_are_those_of_the_definition() {
    let row = vec![-1.0, 0.5, 3.0];
    let apply = |layer: &str| one_layer(&format!("{{ kind = {layer} }}"), 3, row.clone());
    close(&apply("\"relu\""), &[0.0, 0.5, 3.0]);
    close(&apply("\"leaky_relu\", slope = 0.2"), &[-0.2, 0.5, 3.0]);
    close(&apply("\"elu\""), &[-0.632_120_558_8, 0.5, 3.0]);
    close(
        &apply("\"gelu\""),
        &[-0.158_655_253_9, 0.345_731_230_6, 2.995_950_305_9],
    );
    close(
        &apply("\"gelu_tanh\""),
        &[-0.158_808_009_4, 0.345_714_010_0, 2.996_362_658_9],
    );
    close(
        &apply("\"silu\""),
        &[-0.268_941_421_4, 0.311_229_665_6, 2.857_722_380_4],
    );
    close(
        &apply("\"tanh\""),
        &[-0.761_594_156_0, 0.462_117_157_3, 0.995_054_753_7],
    );
    close(
        &apply("\"sigmoid\""),
        &[0.268_941_421_4, 0.622_459_331_2, 0.952_574_126_8],
    );
    close(&apply("\"dropout\", p = 0.9"), &[-1.0, 0.5, 3.0]);
}

#[test]
fn layer_norm_keeps_its_digits_where_the_mean_is_large() {
    let found = one_layer(
        "{ kind = \"layer_norm\", epsilon = 0.0 }",
        4,
        vec![30_000.0, 30_001.0, 30_002.0, 30_003.0],
    );
    close(
        &found,
        &[
            -1.341_640_786_5,
            -0.447_213_595_5,
            0.447_213_595_5,
            1.341_640_786_5,
        ],
    );
}

#[test]
fn batch_norm_uses_the_running_statistics() {
    let file = safetensors(&[
        ("b.weight", &[2], vec![2.0, 1.0]),
        ("b.bias", &[2], vec![1.0, 0.0]),
        ("b.running_mean", &[2], vec![3.0, -1.0]),
        ("b.running_var", &[2], vec![4.0, 0.25]),
        ("b.num_batches_tracked", &[1], vec![7.0]),
    ]);
    let layers =
        architecture("layers = [{ kind = \"batch_norm\", weights = \"b\", epsilon = 0.0 }]");
    let network = Network::load(&layers, &plain(2), &file).unwrap();
    close(&score(&network, &[vec![5.0, 0.0]]).unwrap(), &[3.0, 2.0]);
}

#[test]
fn a_residual_block_adds_its_shortcut() {
    let file = safetensors(&[
        ("a.weight", &[1, 2], vec![1.0, 1.0]),
        ("s.weight", &[1, 2], vec![10.0, 0.0]),
    ]);
    let layers = architecture(
        r#"layers = [{ kind = "residual", layers = [{ kind = "linear", weights = "a", bias = false }, { kind = "relu" }],
                       shortcut = [{ kind = "linear", weights = "s", bias = false }] }]"#,
    );
    let network = Network::load(&layers, &plain(2), &file).unwrap();
    close(
        &score(&network, &[vec![1.0, 2.0], vec![-1.0, -2.0]]).unwrap(),
        &[13.0, -10.0],
    );
}

#[test]
fn categories_become_rows_of_a_table_and_unknown_codes_nothing() {
    let file = safetensors(&[("e.weight", &[3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]);
    let table = || Encoding::Embedding {
        weights: "e".to_owned(),
    };
    let encodings = [
        table(),
        Encoding::Number {
            mean: 1.0,
            scale: 2.0,
        },
        table(),
        Encoding::OneHot { categories: 2 },
    ];
    let network = Network::load(
        &architecture("layers = [{ kind = \"relu\" }]"),
        &encodings,
        &file,
    )
    .unwrap();
    assert_eq!(
        (
            network.margin_count(),
            network.codes(0),
            network.codes(1),
            network.codes(3)
        ),
        (7, Some(3), None, Some(2))
    );
    let found = score(&network, &[vec![2.0, 9.0, 0.0, 1.0]]).unwrap();
    close(&found, &[5.0, 6.0, 4.0, 1.0, 2.0, 0.0, 1.0]);
    for code in [
        3.0,
        -1.0,
        0.5,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        1e30,
    ] {
        let found = score(&network, &[vec![code, 0.0, 0.0, 0.0]]).unwrap();
        assert!(
            found[0].is_nan() && found[1].is_nan() && !found[3].is_nan(),
            "{code}"
        );
    }
}

#[test]
fn nan_stays_nan_and_stays_in_its_row() {
    for kind in [
        "relu",
        "leaky_relu",
        "elu",
        "gelu",
        "gelu_tanh",
        "silu",
        "tanh",
        "sigmoid",
        "layer_norm",
        "dropout",
    ] {
        let found = one_layer(
            &format!("{{ kind = \"{kind}\" }}"),
            2,
            vec![f32::NAN, f32::NAN],
        );
        assert!(found.iter().all(|value| value.is_nan()), "{kind}");
    }
    let network =
        Network::load(&architecture(TWO_LAYERS), &plain(4), &two_layers(4, 9, 1)).unwrap();
    let mut all = rows(140, 4);
    let clean = score(&network, &all).unwrap();
    all[70][2] = f32::NAN;
    let found = score(&network, &all).unwrap();
    assert!(found[70].is_nan());
    assert_eq!(
        (bits(&found[..70]), bits(&found[71..])),
        (bits(&clean[..70]), bits(&clean[71..]))
    );
}

#[test]
fn weights_of_other_widths_are_widened() {
    let half = |values: &[u16]| {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let double: Vec<u8> = [0.25_f64]
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let layers = architecture("layers = [{ kind = \"linear\", weights = \"\" }]");
    // 1.5 and −2 in half precision, then in bfloat16.
    for (dtype, weight) in [("F16", [0x3e00, 0xc000]), ("BF16", [0x3fc0, 0xc000])] {
        let file = raw(&[
            ("weight", dtype, vec![1, 2], half(&weight)),
            ("bias", "F64", vec![1], double.clone()),
        ]);
        let network = Network::load(&layers, &plain(2), &file).unwrap();
        close(&score(&network, &[vec![2.0, 1.0]]).unwrap(), &[1.25]);
    }
}

fn refused(layers: &str, width: usize, file: &[u8]) -> Error {
    Network::load(&architecture(layers), &plain(width), file).unwrap_err()
}

#[test]
fn a_file_cut_at_any_length_is_refused() {
    let file = two_layers(2, 3, 1);
    for length in 0..file.len() {
        assert_eq!(
            refused(TWO_LAYERS, 2, &file[..length]).message(),
            "cannot read the weights",
            "{length}"
        );
    }
}

#[test]
fn a_changed_byte_never_panics() {
    let file = two_layers(2, 3, 1);
    for at in 0..file.len() {
        for byte in [0, 1, b'9', b'}', 0x7f, 0xff] {
            let mut changed = file.clone();
            changed[at] = byte;
            if let Ok(network) = Network::load(&architecture(TWO_LAYERS), &plain(2), &changed) {
                score(&network, &rows(3, 2)).unwrap();
            }
        }
    }
}

#[test]
fn absurd_sizes_are_refused_before_anything_is_allocated() {
    let header = |text: &str| {
        [
            (text.len() as u64).to_le_bytes().as_slice(),
            text.as_bytes(),
        ]
        .concat()
    };
    let huge = header(
        r#"{"0.weight":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#,
    );
    assert_eq!(
        refused(TWO_LAYERS, 4, &huge).message(),
        "cannot read the weights"
    );
    let empty = header(r#"{"0.weight":{"dtype":"F32","shape":[0,2],"data_offsets":[0,0]}}"#);
    assert_eq!(
        refused(TWO_LAYERS, 2, &empty).message(),
        "the tensor `0.weight` has the shape [0, 2], expected [any, 2]"
    );
    let endless = [u64::MAX.to_le_bytes().as_slice(), b"{}"].concat();
    assert_eq!(
        refused(TWO_LAYERS, 2, &endless).message(),
        "cannot read the weights"
    );
    let wide = Network::load(
        &architecture("layers = []"),
        &[
            Encoding::OneHot {
                categories: usize::MAX,
            },
            Encoding::OneHot { categories: 1 },
        ],
        &safetensors(&[]),
    );
    assert_eq!(wide.unwrap_err().kind(), Kind::Contract);
}

#[test]
fn layers_and_tensors_that_do_not_fit_are_named() {
    let file = two_layers(2, 3, 1);
    let missing = refused(
        "layers = [{ kind = \"linear\", weights = \"1\" }]",
        2,
        &file,
    );
    assert_eq!(
        missing.to_string(),
        "the weights have no tensor `1.weight` (expected [any, 2]) (layers[0], linear)"
    );
    assert_eq!(
        missing.hint_text(),
        Some("the file holds `0.bias`, `0.weight`, `3.weight`")
    );
    let width = refused(TWO_LAYERS, 5, &file);
    assert_eq!(
        width.to_string(),
        "the tensor `0.weight` has the shape [3, 2], expected [any, 5] (layers[0], linear)"
    );
    let no_chain =
        "layers = [{ kind = \"linear\", weights = \"0\" }, { kind = \"linear\", weights = \"0\" }]";
    assert_eq!(
        refused(no_chain, 2, &file).to_string(),
        "the tensor `0.weight` has the shape [3, 2], expected [any, 3] (layers[1], linear)"
    );
    let no_bias =
        "layers = [{ kind = \"linear\", weights = \"0\" }, { kind = \"linear\", weights = \"3\" }]";
    assert_eq!(
        refused(no_bias, 2, &file).to_string(),
        "the weights have no tensor `3.bias` (expected [1]) (layers[1], linear)"
    );
    let forgotten = "layers = [{ kind = \"linear\", weights = \"0\" }]";
    assert_eq!(
        refused(forgotten, 2, &file).message(),
        "no layer reads the tensor `3.weight`"
    );
    assert!(
        Network::load(
            &architecture(&format!("{forgotten}\nunused = [\"3.\"]")),
            &plain(2),
            &file
        )
        .is_ok()
    );
    let branch = "layers = [{ kind = \"residual\", layers = [{ kind = \"relu\" }, { kind = \
                  \"linear\", weights = \"0\" }] }]";
    assert_eq!(
        refused(branch, 2, &file).to_string(),
        "the branch ends in 3 numbers a row, and what is added to it has 2 (layers[0], residual)"
    );
    let nested = "layers = [{ kind = \"residual\", layers = [{ kind = \"relu\" }, { kind = \
                  \"linear\", weights = \"9\" }] }]";
    assert_eq!(
        refused(nested, 2, &file).location().node.as_deref(),
        Some("layers[0].layers[1], linear")
    );
    let twice = safetensors(&[("0.weight", &[2, 2], noise(4, 1))]);
    let tied = "layers = [{ kind = \"linear\", weights = \"0\", bias = false }, { kind = \
                \"linear\", weights = \"0\", bias = false }]";
    assert_eq!(
        refused(tied, 2, &twice).message(),
        "two layers read the tensor `0.weight`"
    );
}

#[test]
fn numbers_that_no_training_should_leave_are_refused() {
    let layers = "layers = [{ kind = \"linear\", weights = \"0\", bias = false }]";
    let nan = safetensors(&[("0.weight", &[1, 2], vec![1.0, f32::NAN])]);
    assert_eq!(
        refused(layers, 2, &nan).message(),
        "the tensor `0.weight` holds `NaN` at position 1"
    );
    let integers = raw(&[("0.weight", "I32", vec![1, 2], vec![0; 8])]);
    assert_eq!(
        refused(layers, 2, &integers).message(),
        "the tensor `0.weight` is of type `I32`, expected f16, bf16, f32 or f64"
    );
    let statistics = safetensors(&[
        ("0.running_mean", &[1], vec![0.0]),
        ("0.running_var", &[1], vec![-1.0]),
    ]);
    let found = refused(
        "layers = [{ kind = \"batch_norm\", weights = \"0\", affine = false }]",
        1,
        &statistics,
    );
    assert_eq!(
        found.message(),
        "the tensor `0.running_var` holds `-1` at position 0, which is not a variance"
    );
}
