//! The kernels against candle's own operations, texts alone against texts in company, and bytes
//! against single precision.

use super::{Arithmetic, Transformer};
use crate::kernel::processor::Instructions;
use crate::text::encoder::architecture::Architecture;
use crate::text::encoder::packed::{Forward, PackedTokens};
use crate::text::encoder::reference::Reference;
use crate::text::encoder::sample::{bert, every_kind, texts, weights};

/// Texts of one token, of a tile, of more than a block of queries, and one longer than a group.
const LENGTHS: [usize; 9] = [7, 1, 0, 33, 16, 64, 32, 131, 300];

fn hidden(encoder: &dyn Forward, tokens: &PackedTokens) -> Vec<f32> {
    let mut out = Vec::new();
    encoder.pass().hidden(tokens, &mut out).unwrap();
    out
}

fn reference(architecture: &Architecture, tokens: &PackedTokens) -> Vec<f32> {
    hidden(
        &Reference::new(architecture.clone(), weights(architecture, 5)),
        tokens,
    )
}

fn transformer(
    instructions: Instructions,
    architecture: &Architecture,
    arithmetic: Arithmetic,
) -> Transformer {
    Transformer::with(
        instructions,
        architecture,
        &weights(architecture, 5),
        arithmetic,
    )
    .unwrap()
}

/// The largest difference, by the largest number.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, f32::max)
        / largest
}

#[test]
fn every_architecture_agrees_with_candle_on_every_kind_of_instructions() {
    for (name, architecture) in every_kind() {
        let tokens = texts(&architecture, &LENGTHS, 9);
        let expected = reference(&architecture, &tokens);
        for instructions in Instructions::available() {
            let found = hidden(
                &transformer(instructions, &architecture, Arithmetic::Single),
                &tokens,
            );
            let difference = difference(&found, &expected);
            // Tiles multiply 17 of 24 bits.
            let tolerance = if instructions == Instructions::Amx {
                5e-5
            } else {
                1e-5
            };
            assert!(
                difference < tolerance,
                "{name} with {instructions:?}: {difference}"
            );
        }
    }
}

#[test]
fn instructions_that_round_once_agree_to_the_bit() {
    let fused: Vec<Instructions> = Instructions::available()
        .into_iter()
        .filter(|one| *one != Instructions::Portable)
        .collect();
    for (name, architecture) in every_kind() {
        let tokens = texts(&architecture, &[40, 3, 70], 2);
        for arithmetic in [Arithmetic::Single, Arithmetic::Bytes] {
            let same = fused
                .iter()
                .filter(|one| arithmetic == Arithmetic::Bytes || **one != Instructions::Amx);
            let all: Vec<Vec<f32>> = same
                .map(|one| hidden(&transformer(*one, &architecture, arithmetic), &tokens))
                .collect();
            assert!(
                all.windows(2).all(|pair| pair[0] == pair[1]),
                "{name} {arithmetic:?}"
            );
        }
    }
}

#[test]
fn a_text_alone_has_the_bits_that_it_has_in_any_company() {
    for (name, architecture) in every_kind() {
        for arithmetic in [Arithmetic::Single, Arithmetic::Bytes] {
            let encoder = transformer(Instructions::available()[0], &architecture, arithmetic);
            let tokens = texts(&architecture, &LENGTHS, 9);
            let together = hidden(&encoder, &tokens);
            let mut pass = encoder.pass();
            let (mut one, mut alone) = (PackedTokens::new(), Vec::new());
            for text in (0..LENGTHS.len()).rev() {
                let (start, end) = (tokens.starts()[text], tokens.starts()[text + 1]);
                one.clear();
                one.push(
                    &tokens.ids()[start..end],
                    &tokens.types()[start..end],
                    architecture.embedding.positions,
                );
                pass.hidden(&one, &mut alone).unwrap();
                assert_eq!(
                    alone,
                    together[start * architecture.hidden..end * architecture.hidden],
                    "{name} {arithmetic:?}, text {text}"
                );
            }
        }
    }
}

#[test]
fn bytes_stay_near_single_precision_and_take_a_quarter_of_its_memory() {
    for (name, architecture) in every_kind() {
        let tokens = texts(&architecture, &LENGTHS, 9);
        let single = transformer(
            Instructions::available()[0],
            &architecture,
            Arithmetic::Single,
        );
        let bytes = transformer(
            Instructions::available()[0],
            &architecture,
            Arithmetic::Bytes,
        );
        let (expected, found) = (hidden(&single, &tokens), hidden(&bytes, &tokens));
        let cosine = |start: usize| {
            let (a, b) = (
                &expected[start..start + architecture.hidden],
                &found[start..start + architecture.hidden],
            );
            let product = |a: &[f32], b: &[f32]| {
                a.iter()
                    .zip(b)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum::<f64>()
            };
            product(a, b) / (product(a, a) * product(b, b)).sqrt()
        };
        let worst = (0..expected.len())
            .step_by(architecture.hidden)
            .map(cosine)
            .fold(1.0, f64::min);
        assert!(worst > 0.99, "{name}: {worst}");
        assert!(bytes.memory_bytes() < single.memory_bytes(), "{name}");
    }
    let large = bert(384, 12, 2, 1536);
    let of_layers = |arithmetic| {
        transformer(Instructions::available()[0], &large, arithmetic)
            .layers
            .iter()
            .map(super::PackedLayer::memory_bytes)
            .sum::<usize>()
    };
    assert!(of_layers(Arithmetic::Bytes) * 10 < of_layers(Arithmetic::Single) * 3);
}

#[test]
fn tokens_without_a_row_and_weights_of_other_shapes_are_refused() {
    let architecture = bert(48, 4, 1, 80);
    let encoder = transformer(
        Instructions::available()[0],
        &architecture,
        Arithmetic::Single,
    );
    let mut tokens = PackedTokens::new();
    tokens.push(&[1, 97], &[0, 0], architecture.embedding.positions);
    let message = encoder
        .pass()
        .hidden(&tokens, &mut Vec::new())
        .unwrap_err()
        .to_string();
    assert!(message.contains("an id of 97"), "{message}");
    let wider = bert(64, 4, 1, 80);
    assert!(Transformer::new(&wider, &weights(&architecture, 1), Arithmetic::Single).is_err());
    let deeper = bert(48, 4, 2, 80);
    assert!(Transformer::new(&deeper, &weights(&architecture, 1), Arithmetic::Single).is_err());
}
