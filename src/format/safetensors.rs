//! Weights by themselves, safetensors and PyTorch's state dictionaries: recognised, and sent back
//! for the layers that only a manifest can say.
//!
//! A package with a `[network]` hands the file to [`crate::network`].

use std::borrow::Cow;

use super::python::torch;
use super::{Artefact, FileImporter, ImportOptions};
use crate::error::{Error, Result};
use crate::model::LoadedModel;

/// What a manifest must at least say.
const EXAMPLE: &str = "put the file into a folder as `model.safetensors`, \
    add a `tallow.toml` alongside \
    it and pass \
     the folder as the model; for example\nname = \"churn\"\n[[inputs]]\nname = \"age\"\nmean = \
     41.5\nscale = 12.0\n[[network.layers]]\nkind = \"linear\"\nweights = \"0\"  # reads \
     `0.weight` and `0.bias`\n[[network.layers]]\nkind = \"relu\"\n[[network.layers]]\nkind = \
     \"linear\"\nweights = \"2\"\n[outputs]\nlink = \"logistic\"";

/// Weights without layers.
#[derive(Debug)]
pub(super) struct Safetensors;

impl FileImporter for Safetensors {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn recognises(&self, artefact: &Artefact) -> bool {
        if torch::is_checkpoint(&artefact.bytes) {
            return true;
        }
        let Some((length, rest)) = artefact.bytes.split_first_chunk::<8>() else {
            return false;
        };
        let fits = usize::try_from(u64::from_le_bytes(*length))
            .is_ok_and(|length| (2..=rest.len()).contains(&length));
        fits && rest.first() == Some(&b'{')
    }

    fn may_begin(&self, head: &Artefact) -> bool {
        if torch::may_begin(&head.bytes) {
            return true;
        }
        head.bytes
            .split_first_chunk::<8>()
            .is_some_and(|(length, rest)| {
                u64::from_le_bytes(*length) >= 2 && rest.first() == Some(&b'{')
            })
    }

    fn import(&self, artefact: &Artefact, _options: &ImportOptions) -> Result<LoadedModel> {
        if torch::is_checkpoint(&artefact.bytes) {
            weights(&artefact.bytes)?;
            return Err(Error::contract(
                "a PyTorch checkpoint holds weights, but not the layers that they belong to",
            )
            .hint(EXAMPLE.replacen("model.safetensors", "model.pt", 1)));
        }
        Err(Error::contract(
            "a safetensors file holds weights, but not the layers that they belong to",
        )
        .hint(EXAMPLE))
    }
}

/// The bytes of a safetensors file: the file's own, or what a checkpoint of PyTorch holds.
///
/// # Errors
/// Fails for a broken checkpoint; a contract error for one that holds no dictionary of tensors; a
/// trust error for calls that no weights need.
pub(crate) fn weights(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    if torch::is_checkpoint(bytes) {
        let copied = bytes::Bytes::copy_from_slice(bytes);
        return torch::to_safetensors(copied).map(Cow::Owned);
    }
    Ok(Cow::Borrowed(bytes))
}
