//! What a run's options ask of the import of a model.
//!
//! Owns which of them the importer must know before the model is open.

use super::options::{binding_options, graph_features, rows_axes, tree_selection};
use super::text;
use crate::error::Result;
use crate::format::ImportOptions;
use crate::request::text::TextModel;
use crate::request::work::{Binding, Prediction};

/// What is asked of the import, whatever the model turns out to be.
///
/// # Errors
/// A usage error for an option that has no meaning.
pub fn import_options(
    binding: &Binding,
    outcome: &Prediction,
    text: &TextModel,
) -> Result<ImportOptions> {
    let trees = tree_selection(outcome.trees.as_deref())?;
    // One name may be that of a column of lists, and a regex stands for as many columns as there
    // are.
    let features = binding_options(binding)?
        .features
        .map(|features| features.len());
    let feature_count = features.filter(|count| *count > 1);
    let (graph_features, rows_axes) = (graph_features(binding)?, rows_axes(binding)?);
    let virtual_ensembles = outcome.virtual_ensembles;
    Ok(ImportOptions {
        virtual_ensembles,
        trees,
        text: text::options(text, outcome)?,
        feature_count,
        graph_features,
        rows_axes,
        ..ImportOptions::default()
    })
}
