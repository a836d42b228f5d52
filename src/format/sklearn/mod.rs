//! scikit-learn's estimators, 0.24 to 1.9: from records to engines.
//!
//! # Design
//!
//! Nearly all transformers work on one column at a time, so a pipeline is not run transformer by
//! transformer. A translated pipeline is a list of columns, each an input of the table and a chain
//! of steps on its values ([`mod@column`]), and one estimator at the end ([`estimator`],
//! [`engine`]). Columns of texts and categories enter as codes: their vocabulary, the encoder's
//! `categories_`, is part of the contract, so that the encoder of features looks values up and
//! counts unseen ones. All arithmetic is in f64 with scikit-learn's own operations in its own order
//! (it divides by a scale, it does not multiply by the inverse); trees round their inputs to f32
//! first and run on the forest's kernels with leaf values and sums in f64. ONNX could not promise
//! that: its operators of classical models are f32.
//!
//! Translation refuses by path (`prep → cat`) and class what it does not know. A null where
//! scikit-learn would raise an error rejects the row.

mod column;
mod encoder;
mod engine;
mod estimator;
mod object;
mod transformer;
mod tree;

use super::python::container::Document;
use crate::error::Result;
use crate::format::importer::ImportOptions;
use crate::model::LoadedModel;

/// Translates the saved object.
///
/// # Errors
/// A contract error that names the first part that is not supported; fails for broken parts.
pub(super) fn translate(document: &Document, options: &ImportOptions) -> Result<LoadedModel> {
    estimator::translate(document, options)
}
