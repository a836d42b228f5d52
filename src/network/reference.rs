//! The same networks built from candle-nn's own modules, as the reference for ours: same weights,
//! same rows, agreement to 1e-6.
//!
//! Reads the architecture anew, layer by layer, so that a layer understood wrongly here and there
//! would have to be wrong twice.

use std::collections::HashMap;

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{Activation, BatchNormConfig, Dropout, LayerNorm, LayerNormConfig, VarBuilder};

use super::sample::{architecture, noise, plain, safetensors, score};
use super::{Encoding, Layer, Network};

/// The largest difference, relative to the number, or to 1 if that is more.
const TOLERANCE: f32 = 1e-6;

/// (name, shape, values).
type Weights<'a> = Vec<(&'a str, &'a [usize], Vec<f32>)>;

fn builder(weights: &Weights<'_>) -> VarBuilder<'static> {
    let tensor = |(name, shape, values): &(&str, &[usize], Vec<f32>)| {
        (
            (*name).to_owned(),
            Tensor::from_vec(values.clone(), shape.to_vec(), &Device::Cpu).unwrap(),
        )
    };
    VarBuilder::from_tensors(
        weights.iter().map(tensor).collect::<HashMap<_, _>>(),
        DType::F32,
        &Device::Cpu,
    )
}

fn through(layers: &[Layer], weights: &VarBuilder<'_>, rows: Tensor) -> Result<Tensor> {
    layers
        .iter()
        .try_fold(rows, |rows, layer| forward(layer, weights, &rows))
}

fn forward(layer: &Layer, all: &VarBuilder<'_>, rows: &Tensor) -> Result<Tensor> {
    let width = rows.dim(1)?;
    match layer {
        Layer::Linear { weights, bias } => {
            let outer = all.pp(weights).get_unchecked("weight")?.dim(0)?;
            candle_nn::linear_b(width, outer, *bias, all.pp(weights))?.forward(rows)
        }
        Layer::BatchNorm {
            weights,
            affine,
            epsilon,
        } => {
            let config = BatchNormConfig {
                eps: *epsilon,
                remove_mean: true,
                affine: *affine,
                momentum: 0.1,
            };
            candle_nn::batch_norm(width, config, all.pp(weights))?.forward_t(rows, false)
        }
        Layer::LayerNorm {
            weights: None,
            epsilon,
            ..
        } => LayerNorm::new_no_bias(Tensor::ones(width, DType::F32, &Device::Cpu)?, *epsilon)
            .forward(rows),
        Layer::LayerNorm {
            weights: Some(weights),
            bias: false,
            epsilon,
        } => candle_nn::layer_norm_no_bias(width, *epsilon, all.pp(weights))?.forward(rows),
        Layer::LayerNorm {
            weights: Some(weights),
            bias: true,
            epsilon,
        } => {
            let config = LayerNormConfig {
                eps: *epsilon,
                ..LayerNormConfig::default()
            };
            candle_nn::layer_norm(width, config, all.pp(weights))?.forward(rows)
        }
        Layer::Dropout { p } => Dropout::new(p.unwrap_or(0.5) as f32).forward(rows, false),
        Layer::Relu {} => Activation::Relu.forward(rows),
        Layer::LeakyRelu { slope } => Activation::LeakyRelu(*slope).forward(rows),
        Layer::Elu { alpha } => Activation::Elu(*alpha).forward(rows),
        Layer::Gelu {} => Activation::Gelu.forward(rows),
        Layer::GeluTanh {} => Activation::GeluPytorchTanh.forward(rows),
        Layer::Silu {} => Activation::Silu.forward(rows),
        Layer::Sigmoid {} => Activation::Sigmoid.forward(rows),
        Layer::Tanh {} => rows.tanh(),
        Layer::Residual { layers, shortcut } => {
            through(layers, all, rows.clone())? + through(shortcut, all, rows.clone())?
        }
    }
}

/// The first layer's rows: each feature's positions side by side.
fn entered(encodings: &[Encoding], weights: &VarBuilder<'_>, rows: &[Vec<f32>]) -> Result<Tensor> {
    let column = |index: usize| rows.iter().map(|row| row[index]).collect::<Vec<f32>>();
    let codes = |index: usize| {
        Tensor::from_vec(
            column(index).iter().map(|code| *code as u32).collect(),
            rows.len(),
            &Device::Cpu,
        )
    };
    let indices = encodings
        .iter()
        .enumerate()
        .map(|(index, encoding)| match encoding {
            Encoding::Number { mean, scale } => {
                let values = Tensor::from_vec(column(index), (rows.len(), 1), &Device::Cpu)?;
                values
                    .broadcast_sub(&Tensor::new(*mean, &Device::Cpu)?)?
                    .broadcast_div(&Tensor::new(*scale, &Device::Cpu)?)
            }
            Encoding::Embedding { weights: prefix } => {
                let (count, width) = weights.pp(prefix).get_unchecked("weight")?.dims2()?;
                candle_nn::embedding(count, width, weights.pp(prefix))?.forward(&codes(index)?)
            }
            Encoding::OneHot { categories } => {
                candle_nn::encoding::one_hot(codes(index)?, *categories, 1_f32, 0_f32)
            }
        });
    Tensor::cat(&indices.collect::<Result<Vec<_>>>()?, 1)
}

#[track_caller]
fn agree(layers: &str, encodings: &[Encoding], weights: &Weights<'_>, rows: &[Vec<f32>]) {
    let layers = architecture(layers);
    let own = score(
        &Network::load(&layers, encodings, &safetensors(weights)).unwrap(),
        rows,
    )
    .unwrap();
    let builder = builder(weights);
    let reference = entered(encodings, &builder, rows)
        .and_then(|rows| through(&layers.layers, &builder, rows))
        .unwrap();
    let reference: Vec<f32> = reference
        .flatten_all()
        .and_then(|flat| flat.to_vec1())
        .unwrap();
    assert_eq!(own.len(), reference.len());
    for (location, (own, reference)) in own.iter().zip(&reference).enumerate() {
        assert!(
            (own - reference).abs() <= TOLERANCE * reference.abs().max(1.0),
            "number {location}: {own}, candle-nn has {reference}"
        );
    }
}

fn rows(count: usize, width: usize) -> Vec<Vec<f32>> {
    (0..count)
        .map(|row| noise(width, row as u64 + 77))
        .collect()
}

/// Weights of a layer of `inner` inputs, small enough that sums stay near 1.
fn small(count: usize, inner: usize, seed: u64) -> Vec<f32> {
    noise(count, seed)
        .into_iter()
        .map(|value| value / (inner as f32).sqrt())
        .collect()
}

#[test]
fn perceptrons_of_every_activation_agree() {
    for activation in [
        "relu",
        "leaky_relu",
        "elu",
        "gelu",
        "gelu_tanh",
        "silu",
        "tanh",
        "sigmoid",
        "dropout",
    ] {
        let layers = format!(
            "layers = [{{ kind = \"linear\", weights = \"0\" }}, {{ kind = \"{activation}\" }}, \
             {{ kind = \"linear\", weights = \"2\", bias = false }}]"
        );
        for (inner, middle, outer) in [(1, 1, 1), (7, 33, 3), (40, 100, 2)] {
            let shapes = [[middle, inner], [outer, middle]];
            let weights: Weights<'_> = vec![
                ("0.weight", &shapes[0], small(middle * inner, inner, 1)),
                ("0.bias", &shapes[0][..1], noise(middle, 2)),
                ("2.weight", &shapes[1], small(outer * middle, middle, 3)),
            ];
            agree(&layers, &plain(inner), &weights, &rows(130, inner));
        }
    }
    let slopes =
        "layers = [{ kind = \"leaky_relu\", slope = 0.3 }, { kind = \"elu\", alpha = 0.7 }]";
    agree(slopes, &plain(9), &Vec::new(), &rows(20, 9));
}

#[test]
fn norms_agree() {
    let positive = |seed: u64| {
        noise(12, seed)
            .iter()
            .map(|value| value.abs() + 0.5)
            .collect::<Vec<f32>>()
    };
    let layers = r#"layers = [
      { kind = "batch_norm", weights = "b" },
      { kind = "layer_norm", weights = "l", epsilon = 1e-3 },
      { kind = "batch_norm", weights = "plain", affine = false, epsilon = 1e-2 },
      { kind = "layer_norm", weights = "gain", bias = false },
      { kind = "layer_norm" },
    ]"#;
    let weights: Weights<'_> = vec![
        ("b.weight", &[12], noise(12, 1)),
        ("b.bias", &[12], noise(12, 2)),
        ("b.running_mean", &[12], noise(12, 3)),
        ("b.running_var", &[12], positive(4)),
        ("l.weight", &[12], noise(12, 5)),
        ("l.bias", &[12], noise(12, 6)),
        ("plain.running_mean", &[12], noise(12, 7)),
        ("plain.running_var", &[12], positive(8)),
        ("gain.weight", &[12], noise(12, 9)),
    ];
    agree(layers, &plain(12), &weights, &rows(200, 12));
}

#[test]
fn embeddings_one_hot_positions_and_standardised_numbers_agree() {
    let encodings = [
        Encoding::Embedding {
            weights: "city".into(),
        },
        Encoding::Number {
            mean: 3.5,
            scale: 2.25,
        },
        Encoding::OneHot { categories: 4 },
        Encoding::Embedding {
            weights: "city".into(),
        },
    ];
    let weights: Weights<'_> = vec![
        ("city.weight", &[6, 3], noise(18, 1)),
        ("0.weight", &[2, 11], small(22, 11, 2)),
        ("0.bias", &[2], noise(2, 3)),
    ];
    let rows: Vec<Vec<f32>> = (0..150)
        .map(|row| {
            vec![
                (row % 6) as f32,
                row as f32 / 10.0,
                (row % 4) as f32,
                (row * 5 % 6) as f32,
            ]
        })
        .collect();
    agree(
        "layers = [{ kind = \"linear\", weights = \"0\" }]",
        &encodings,
        &weights,
        &rows,
    );
}

#[test]
fn residual_blocks_agree() {
    let layers = r#"layers = [
      { kind = "residual", layers = [{ kind = "linear", weights = "a" }, { kind = "gelu" }, { kind = "linear", weights = "b" }] },
      { kind = "residual", layers = [{ kind = "linear", weights = "c" }, { kind = "silu" }], shortcut = [{ kind = "linear", weights = "s", bias = false }] },
      { kind = "tanh" },
    ]"#;
    let weights: Weights<'_> = vec![
        ("a.weight", &[24, 10], small(240, 10, 1)),
        ("a.bias", &[24], noise(24, 2)),
        ("b.weight", &[10, 24], small(240, 24, 3)),
        ("b.bias", &[10], noise(10, 4)),
        ("c.weight", &[5, 10], small(50, 10, 5)),
        ("c.bias", &[5], noise(5, 6)),
        ("s.weight", &[5, 10], small(50, 10, 7)),
    ];
    agree(layers, &plain(10), &weights, &rows(140, 10));
}
