//! Laws of the forward passes.

use candle_core::Device;

use super::architecture::{disentangled_index, relative_bucket};
use super::sample::{every_kind, texts, weights};
use super::{ProductPrecision, forward};
use crate::model::Scratch;

#[test]
fn a_text_alone_has_the_same_bits_as_beside_others() {
    for (name, architecture) in every_kind() {
        let lengths = [7, 1, 0, 33, 12, 64];
        let encoder = forward(architecture.clone(), weights(&architecture, 5), ProductPrecision::Single, &Device::Cpu).unwrap();
        let all = texts(&architecture, &lengths, 9);
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        encoder.hidden(&all, &mut encoder.scratch(), &mut together).unwrap();
        assert_eq!(together.len(), all.token_count() * architecture.hidden, "{name}");
        assert!(together.iter().all(|value| value.is_finite()), "{name}");
        for text in 0..lengths.len() {
            let (start, end) = (all.starts()[text], all.starts()[text + 1]);
            let mut one = super::packed::PackedTokens::new();
            one.push(&all.ids()[start..end], &all.types()[start..end], architecture.embedding.positions);
            encoder.hidden(&one, &mut Scratch::default(), &mut alone).unwrap();
            assert_eq!(alone, together[start * architecture.hidden..end * architecture.hidden], "{name}, text {text}");
        }
    }
}

#[test]
fn distances_fall_into_the_buckets_that_the_originals_give_them() {
    let mpnet: Vec<usize> = [0, 1, 7, 8, 20, 127, 500, -1, -8, -300].iter().map(|distance| relative_bucket(*distance, 32, 128)).collect();
    assert_eq!(mpnet, [0, 17, 23, 24, 26, 31, 31, 1, 8, 15]);
    let deberta: Vec<usize> =
        [0, 5, 128, 129, 300, 511, 600, -129].iter().map(|distance| disentangled_index(*distance, 256, Some(256), 512)).collect();
    assert_eq!(deberta, [256, 261, 384, 385, 463, 511, 511, 127]);
}
