//! How many tokens a second does an encoder of MiniLM's shape take on one core, and what do its
//! parts cost?
//!
//! `cargo bench --bench encoder`. Weights are random: the arithmetic does not depend on them.

use candle_core::{Device, Tensor};
use divan::Bencher;
use divan::counter::ItemsCount;
use tallow::kernel::processor::Instructions;
use tallow::kernel::product::{
    Activation as Curve, Dense, Finish, IntegerDense, QuantisedRows, Rows,
};
use tallow::text::encoder::architecture::{
    Activation, Architecture, AttentionPositions, Embedding, FeedForward, Layer, NormOrder,
    Positions,
};
use tallow::text::encoder::packed::{Forward, PackedTokens};
use tallow::text::encoder::reference::Reference;
use tallow::text::encoder::weights::{EmbeddingWeights, LayerWeights, Linear, Norm, Weights};
use tallow::text::transformer::{Arithmetic, Transformer};

const VOCABULARY: usize = 30_522;

/// (rows that go in, columns that come out): queries, keys and values; up; down.
const SHAPES: [[usize; 2]; 3] = [[384, 1152], [384, 1536], [1536, 384]];

const ROWS: usize = 128;

fn main() {
    divan::main();
}

fn noise(count: usize, scale: f32) -> Vec<f32> {
    (0..count)
        .map(|index| ((index * 2_654_435_761 % 1_000_003) as f32 / 500_001.5 - 1.0) * scale)
        .collect()
}

fn tensor(shape: &[usize], scale: f32) -> Tensor {
    Tensor::from_vec(noise(shape.iter().product(), scale), shape, &Device::Cpu)
        .expect("as many numbers as the shape has")
}

fn linear(outer: usize, inner: usize) -> Linear {
    Linear {
        weight: tensor(&[outer, inner], 0.05),
        bias: Some(tensor(&[outer], 0.1)),
    }
}

fn norm(width: usize) -> Norm {
    Norm {
        weight: tensor(&[width], 1.0),
        bias: Some(tensor(&[width], 0.1)),
    }
}

/// MiniLM's shape but for the number of layers and the feed-forward part's size.
fn architecture(layer_count: usize, size: usize) -> Architecture {
    let positions = Positions {
        count: 8192,
        first: 0,
        padding_id: None,
    };
    Architecture {
        hidden: 384,
        head_count: 12,
        head_size: 32,
        embedding: Embedding {
            vocabulary: VOCABULARY,
            width: 384,
            positions: Some(positions),
            type_count: 2,
            projection: None,
        },
        layers: (0..layer_count)
            .map(|weights| Layer {
                weights,
                window: None,
                rotary_base: None,
            })
            .collect(),
        norm_order: NormOrder::Post,
        epsilon: 1e-12,
        attention: AttentionPositions::None,
        score_scale: 1.0 / 32_f64.sqrt(),
        feed_forward: FeedForward {
            size,
            activation: Activation::Gelu,
            is_gated: false,
        },
    }
}

fn weights(architecture: &Architecture) -> Weights {
    let (hidden, size) = (architecture.hidden, architecture.feed_forward.size);
    let layer = |_: &Layer| LayerWeights {
        query: linear(hidden, hidden),
        key: linear(hidden, hidden),
        value: linear(hidden, hidden),
        attention_output: linear(hidden, hidden),
        attention_norm: Some(norm(hidden)),
        feed_forward_norm: Some(norm(hidden)),
        up: linear(size, hidden),
        gate: None,
        down: linear(hidden, size),
        position_key: None,
        position_query: None,
    };
    Weights {
        embedding: EmbeddingWeights {
            words: tensor(&[VOCABULARY, hidden], 0.5),
            positions: Some(tensor(&[8192, hidden], 0.2)),
            types: Some(tensor(&[2, hidden], 0.2)),
            norm: Some(norm(hidden)),
            projection: None,
        },
        layers: architecture.layers.iter().map(layer).collect(),
        final_norm: None,
        relative_bias: None,
    }
}

/// Texts of about this length, a third longer and shorter.
fn texts(token_count: usize, length: usize) -> PackedTokens {
    let mut tokens = PackedTokens::new();
    let mut text = 0;
    while tokens.token_count() < token_count {
        let own = (length - length / 3 + text * 7919 % (2 * (length / 3) + 1)).max(1);
        let ids: Vec<u32> = (0..own)
            .map(|index| ((text * 31 + index) * 7919 % VOCABULARY) as u32)
            .collect();
        tokens.push(
            &ids,
            &vec![0; own],
            Some(Positions {
                count: 8192,
                first: 0,
                padding_id: None,
            }),
        );
        text += 1;
    }
    tokens
}

fn run(bencher: Bencher, encoder: &dyn Forward, tokens: &PackedTokens) {
    let (mut pass, mut out) = (encoder.pass(), Vec::new());
    let bencher = bencher.counter(ItemsCount::new(tokens.token_count()));
    bencher.bench_local(|| {
        pass.hidden(tokens, &mut out)
            .expect("a pass over tokens of the table");
    });
}

#[divan::bench(args = [Arithmetic::Single, Arithmetic::Bytes], sample_count = 20)]
fn minilm(bencher: Bencher, arithmetic: Arithmetic) {
    let architecture = architecture(6, 1536);
    let encoder = Transformer::new(&architecture, &weights(&architecture), arithmetic)
        .expect("weights of its shapes");
    run(bencher, &encoder, &texts(4096, 29));
}

#[divan::bench(args = Instructions::available(), sample_count = 5)]
fn minilm_in_single_precision_with(bencher: Bencher, instructions: Instructions) {
    let architecture = architecture(6, 1536);
    let encoder = Transformer::with(
        instructions,
        &architecture,
        &weights(&architecture),
        Arithmetic::Single,
    )
    .expect("weights of its shapes");
    run(bencher, &encoder, &texts(1024, 29));
}

#[divan::bench(sample_count = 3)]
fn minilm_on_candle(bencher: Bencher) {
    let architecture = architecture(6, 1536);
    let weights = weights(&architecture);
    run(
        bencher,
        &Reference::new(architecture, weights),
        &texts(1024, 29),
    );
}

/// One layer with next to no feed-forward part.
#[divan::bench(args = [29, 128, 512, 2048], sample_count = 20)]
fn attention(bencher: Bencher, length: usize) {
    let architecture = architecture(1, 16);
    let encoder = Transformer::new(&architecture, &weights(&architecture), Arithmetic::Bytes)
        .expect("weights of its shapes");
    run(bencher, &encoder, &texts(4096, length));
}

/// An embedding alone: rows of three tables added and normalised.
#[divan::bench(sample_count = 20)]
fn embedding_and_norm(bencher: Bencher) {
    let architecture = architecture(0, 16);
    let encoder = Transformer::new(&architecture, &weights(&architecture), Arithmetic::Single)
        .expect("weights of its shapes");
    run(bencher, &encoder, &texts(4096, 29));
}

/// Numbers packed a second.
#[divan::bench(args = [Arithmetic::Single, Arithmetic::Bytes], sample_count = 10)]
fn packing(bencher: Bencher, arithmetic: Arithmetic) {
    let architecture = architecture(1, 1536);
    let weights = weights(&architecture);
    let count = weights
        .layers
        .iter()
        .map(|_| 4 * 384 * 384 + 2 * 384 * 1536)
        .sum::<usize>();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        Transformer::new(&architecture, &weights, arithmetic).expect("weights of its shapes")
    });
}

/// Items are multiplications and additions.
#[divan::bench(args = SHAPES)]
fn single_precision_product(bencher: Bencher, [inner, outer]: [usize; 2]) {
    let (weights, values, mut out) = (
        noise(inner * outer, 0.1),
        noise(ROWS * (inner + 16), 1.0),
        vec![0.0; ROWS * (outer + 16)],
    );
    let dense = Dense::new(
        inner,
        outer,
        |row, column| weights[row * outer + column],
        None,
    )
    .expect("a matrix");
    let rows = Rows {
        values: &values,
        width: inner,
        stride: inner + 16,
        count: ROWS,
    };
    let bencher = bencher.counter(ItemsCount::new(2 * ROWS * inner * outer));
    bencher.bench_local(|| {
        dense.multiply_into(rows, Finish::Activate(Curve::Gelu), &mut out, outer + 16);
    });
}

/// Items are multiplications and additions; rows are made bytes each time.
#[divan::bench(args = SHAPES)]
fn byte_product(bencher: Bencher, [inner, outer]: [usize; 2]) {
    let (weights, values, mut out) = (
        noise(inner * outer, 0.1),
        noise(ROWS * (inner + 16), 1.0),
        vec![0.0; ROWS * (outer + 16)],
    );
    let instructions = Instructions::available()[0];
    let dense = IntegerDense::new(
        instructions,
        [inner, outer],
        |row, column| weights[row * outer + column],
        None,
    )
    .expect("a matrix");
    let mut rows = QuantisedRows::default();
    bencher
        .counter(ItemsCount::new(2 * ROWS * inner * outer))
        .bench_local(|| {
            rows.fill(
                instructions,
                Rows {
                    values: &values,
                    width: inner,
                    stride: inner + 16,
                    count: ROWS,
                },
            );
            dense.multiply_into(
                &rows,
                [0, ROWS],
                Finish::Activate(Curve::Gelu),
                &mut out,
                outer + 16,
            );
        });
}
