//! Tensors that a model's files hold and its task does not need.
//!
//! Owns the names of heads that transformers' own classes put on an encoder: they may be passed
//! over. Every other tensor that is not read is a refusal, because it would decide the answer in
//! the library that saved it.

use super::family::Family;
use super::load::TensorFiles;
use super::names::prefix;
use crate::error::Result;

/// Heads for other tasks: what follows the encoder in transformers' classes for language modelling
/// and questions.
const OTHER_HEADS: [&str; 15] = [
    "cls.",
    "lm_head.",
    "lm_predictions.",
    "mask_predictions.",
    "predictions.",
    "sop_classifier.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "discriminator_predictions.",
    "generator_predictions.",
    "generator_lm_head.",
    "head.",
    "decoder.",
    "qa_outputs.",
];

/// Heads that classify.
const CLASSIFIERS: [&str; 3] = ["classifier.", "pre_classifier.", "pooler."];

/// Tables that older versions saved and that every version computes by itself.
const COMPUTED: [&str; 4] = [
    "position_ids",
    "token_type_ids",
    "inv_freq",
    "original_inv_freq",
];

/// What the encoder itself consists of.
const ENCODER_PARTS: [&str; 7] = [
    "embeddings.",
    "encoder.",
    "transformer.",
    "layers.",
    "embeddings_project.",
    "emb_ln.",
    "final_norm.",
];

/// What may be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassOver {
    /// Heads for language modelling.
    Other,
    /// All heads that transformers' classes have.
    Known,
    /// All that is not the encoder's: the user asked for the encoder alone.
    All,
}

/// Fails if the weights hold a tensor that nothing read and that may not be passed over.
///
/// # Errors
/// A contract error that names it.
pub(super) fn check(family: Family, files: &TensorFiles<'_>, pass: PassOver) -> Result<()> {
    let prefix = prefix(family, files);
    let may_pass = |name: &str| {
        let inner = name.strip_prefix(prefix).unwrap_or(name);
        let starts = |heads: &[&str]| {
            heads
                .iter()
                .any(|head| name.starts_with(head) || inner.starts_with(head))
        };
        let is_part = ENCODER_PARTS.iter().any(|part| inner.starts_with(part));
        let last = name.rsplit('.').next().unwrap_or_default();
        // A table of positions that relative attention replaces: transformers ignores it too.
        let is_replaced =
            family == Family::DebertaV2 && inner.starts_with("embeddings.position_embeddings.");
        // The pooler of a model without a head is read by nothing.
        COMPUTED.contains(&last)
            || is_replaced
            || inner.starts_with("pooler.")
            || !is_part
                && match pass {
                    PassOver::Other => starts(&OTHER_HEADS),
                    PassOver::Known => starts(&OTHER_HEADS) || starts(&CLASSIFIERS),
                    PassOver::All => true,
                }
    };
    files.check_all_read(&may_pass).map_err(|error| {
        error.at_node("model.safetensors").hint(
            "the model has a part that tallow does not know, such as a late-interaction layer or \
             an adapter; `--task embedding` takes an encoder without its head",
        )
    })
}
