//! Laws of the forward passes, and settings as the hub has them.

use candle_core::Device;

use super::architecture::{
    Activation, AttentionPositions, NormOrder, disentangled_index, relative_bucket,
};
use super::config::Config;
use super::family::{Described, describe};
use super::packed::Forward;
use super::reference::Reference;
use super::sample::{bert, every_kind, texts, weights};
use super::{ProductPrecision, forward};

#[test]
fn a_text_alone_has_the_same_bits_as_alongside_others() {
    for (name, architecture) in every_kind() {
        let lengths = [7, 1, 0, 33, 12, 64];
        let encoder = forward(
            architecture.clone(),
            weights(&architecture, 5),
            ProductPrecision::Single,
            None,
        )
        .unwrap();
        let all = texts(&architecture, &lengths, 9);
        let (mut together, mut alone) = (Vec::new(), Vec::new());
        encoder.pass().hidden(&all, &mut together).unwrap();
        assert_eq!(
            together.len(),
            all.token_count() * architecture.hidden,
            "{name}"
        );
        assert!(together.iter().all(|value| value.is_finite()), "{name}");
        for text in 0..lengths.len() {
            let (start, end) = (all.starts()[text], all.starts()[text + 1]);
            let mut one = super::packed::PackedTokens::new();
            one.push(
                &all.ids()[start..end],
                &all.types()[start..end],
                architecture.embedding.positions,
            );
            encoder.pass().hidden(&one, &mut alone).unwrap();
            assert_eq!(
                alone,
                together[start * architecture.hidden..end * architecture.hidden],
                "{name}, text {text}"
            );
        }
    }
}

#[test]
fn texts_that_go_together_on_a_device_have_the_numbers_that_they_have_alone() {
    let lengths = [7, 7, 7, 1, 1, 0, 0, 33, 33, 12];
    for (name, architecture) in every_kind() {
        let tokens = texts(&architecture, &lengths, 9);
        let hidden = |encoder: &dyn Forward| {
            let mut out = Vec::new();
            encoder.pass().hidden(&tokens, &mut out).unwrap();
            out
        };
        let alone = hidden(&Reference::new(
            architecture.clone(),
            weights(&architecture, 5),
        ));
        let together = forward(
            architecture.clone(),
            weights(&architecture, 5),
            ProductPrecision::SingleExact,
            Some(Device::Cpu),
        )
        .unwrap();
        let together = hidden(together.as_ref());
        assert_eq!(alone.len(), together.len(), "{name}");
        let difference = alone
            .iter()
            .zip(&together)
            .map(|(alone, together)| (alone - together).abs())
            .fold(0.0, f32::max);
        assert!(difference < 1e-5, "{name}: {difference}");
    }
}

#[test]
fn a_text_that_a_device_cannot_count_the_scores_of_is_refused_before_it_is_computed() {
    let architecture = bert(48, 4, 1, 80);
    let reference =
        Reference::on(Device::Cpu, architecture.clone(), weights(&architecture, 5)).unwrap();
    let error = reference
        .pass()
        .hidden(&texts(&architecture, &[23_171], 9), &mut Vec::new())
        .unwrap_err();
    assert_eq!(
        error.message(),
        "a text of 23171 tokens is too long for `--device`"
    );
    assert_eq!(
        error.hint_text(),
        Some("`--max-tokens 23170` is the most there")
    );
}

#[test]
fn bytes_are_refused_on_a_device() {
    let architecture = bert(48, 4, 1, 80);
    let error = forward(
        architecture.clone(),
        weights(&architecture, 5),
        ProductPrecision::Bytes,
        Some(Device::Cpu),
    )
    .unwrap_err();
    assert!(
        error.kind().exit_code() == 2 && error.message().contains("runs on the CPU only"),
        "{error}"
    );
}

#[test]
fn distances_fall_into_the_buckets_that_the_originals_give_them() {
    let mpnet: Vec<usize> = [0, 1, 7, 8, 20, 127, 500, -1, -8, -300]
        .iter()
        .map(|distance| relative_bucket(*distance, 32, 128))
        .collect();
    assert_eq!(mpnet, [0, 17, 23, 24, 26, 31, 31, 1, 8, 15]);
    let deberta: Vec<usize> = [0, 5, 128, 129, 300, 511, 600, -129]
        .iter()
        .map(|distance| disentangled_index(*distance, 256, Some(256), 512))
        .collect();
    assert_eq!(deberta, [256, 261, 384, 385, 463, 511, 511, 127]);
}

fn described(config: &str) -> crate::error::Result<Described> {
    describe(&Config::parse(config.as_bytes()).unwrap())
}

/// As `nomic-ai/nomic-embed-text-v1.5` has it on the hub, where numbers have the names of GPT-2's.
#[test]
fn nomics_own_settings_are_read_under_their_own_names() {
    let config = r#"{"model_type": "nomic_bert", "n_embd": 768, "n_head": 12, "n_inner": 3072, "n_layer": 12, "n_positions": 8192, "vocab_size": 30528,
        "activation_function": "swiglu", "layer_norm_epsilon": 1e-12, "max_trained_positions": 2048, "mlp_fc1_bias": false, "mlp_fc2_bias": false,
        "prenorm": false, "qkv_proj_bias": false, "rotary_emb_base": 1000, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false,
        "rotary_emb_scale_base": null, "rotary_scaling_factor": null, "type_vocab_size": 2, "use_rms_norm": false, "causal": false}"#;
    let Described {
        architecture,
        biases,
        max_tokens,
        ..
    } = described(config).unwrap();
    assert_eq!(
        (
            architecture.hidden,
            architecture.head_size,
            architecture.layers.len(),
            max_tokens
        ),
        (768, 64, 12, Some(2048))
    );
    assert_eq!(
        architecture.attention,
        AttentionPositions::Rotary { size: 64 }
    );
    assert_eq!(architecture.layers[3].rotary_base, Some(1000.0));
    assert_eq!(
        (
            architecture.feed_forward.activation,
            architecture.feed_forward.is_gated
        ),
        (Activation::Silu, true)
    );
    assert_eq!(
        (biases.attention, biases.feed_forward, biases.norm),
        (false, false, true)
    );
    for (from, to, refused) in [
        (
            "\"prenorm\": false",
            "\"prenorm\": true",
            "`prenorm` is `true`",
        ),
        (
            "\"rotary_emb_fraction\": 1.0",
            "\"rotary_emb_fraction\": 0.5",
            "`rotary_emb_fraction` is `0.5`",
        ),
        ("swiglu", "gelu", "the activation `gelu`"),
        (
            "\"causal\"",
            "\"num_experts\": 8, \"causal\"",
            "`num_experts` is `8`",
        ),
    ] {
        let error = described(&config.replace(from, to)).unwrap_err();
        assert!(error.message().contains(refused), "{error}");
    }
}

/// As `answerdotai/ModernBERT-base` has it on the hub.
#[test]
fn older_settings_of_modernbert_say_where_windows_are() {
    let config = r#"{"model_type": "modernbert", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 22, "intermediate_size": 1152, "vocab_size": 50368,
        "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_attention": 128, "local_rope_theta": 10000.0, "max_position_embeddings": 8192,
        "norm_eps": 1e-05, "norm_bias": false, "mlp_bias": false, "attention_bias": false, "hidden_activation": "gelu", "position_embedding_type": "absolute"}"#;
    let Described {
        architecture,
        max_tokens,
        ..
    } = described(config).unwrap();
    let windows: Vec<Option<usize>> = architecture
        .layers
        .iter()
        .take(4)
        .map(|layer| layer.window)
        .collect();
    assert_eq!(
        (windows, max_tokens),
        (vec![None, Some(64), Some(64), None], Some(8192))
    );
    assert_eq!(
        (
            architecture.layers[0].rotary_base,
            architecture.layers[1].rotary_base
        ),
        (Some(160_000.0), Some(10_000.0))
    );
    assert_eq!(
        (
            architecture.norm_order,
            architecture.epsilon,
            architecture.embedding.positions
        ),
        (NormOrder::Pre, 1e-5, None)
    );
}

/// As `microsoft/deberta-v3-small` has it on the hub.
#[test]
fn deberta_v3_keeps_no_absolute_positions_and_shares_its_layers() {
    let config = r#"{"model_type": "deberta-v2", "hidden_size": 768, "num_attention_heads": 12, "num_hidden_layers": 6, "intermediate_size": 3072, "vocab_size": 128100,
        "relative_attention": true, "position_buckets": 256, "norm_rel_ebd": "layer_norm", "share_att_key": true, "pos_att_type": "p2c|c2p", "max_position_embeddings": 512,
        "max_relative_positions": -1, "position_biased_input": false, "type_vocab_size": 0, "hidden_act": "gelu", "layer_norm_eps": 1e-7}"#;
    let Described {
        architecture,
        max_tokens,
        shares_positions,
        ..
    } = described(config).unwrap();
    let expected = AttentionPositions::Disentangled {
        content_to_position: true,
        position_to_content: true,
        span: 256,
        bucket_count: Some(256),
        max_distance: 512,
    };
    assert_eq!(
        (architecture.attention, max_tokens, shares_positions),
        (expected, Some(512), true)
    );
    assert!((architecture.score_scale - 1.0 / 192_f64.sqrt()).abs() < 1e-12);
    assert!(
        described(&config.replace("\"hidden_act\"", "\"conv_kernel_size\": 3, \"hidden_act\""))
            .unwrap_err()
            .message()
            .contains("conv_kernel_size")
    );
}
