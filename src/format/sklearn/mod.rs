//! scikit-learn's estimators, 0.24 to 1.9: from records to engines.
//!
//! # Design
//!
//! Nearly all transformers work on one column at a time, so a pipeline is not run transformer by
//! transformer. A translated pipeline is a list of parts ([`part`], [`pipeline`]): an engine
//! ([`engine`]: linear sums, a forest, a formula of a row, a model of another library) and the
//! columns that it reads, each an input of the table or an output of a part before it, and a chain
//! of steps on its values ([`mod@column`]). What mixes columns, such as PCA, and every estimator in
//! an estimator, such as the members of a vote, is a part; the last part makes the margins.
//! Families know no other family: what is inside them is translated through [`inputs`].
//! Columns of texts and categories enter as codes: their vocabulary, the encoder's
//! `categories_`, is part of the contract, so that the encoder of features looks values up and
//! counts unseen ones. All arithmetic is in f64 with scikit-learn's own operations in its own order
//! (it divides by a scale, it does not multiply by the inverse); trees round their inputs to f32
//! first and run on the forest's kernels with leaf values and sums in f64. ONNX could not promise
//! that: its operators of classical models are f32.
//!
//! Translation refuses by path (`prep → cat`) and class what it does not know. A null where
//! scikit-learn would raise an error rejects the row.

mod adaboost;
mod affine;
mod analysis;
mod answer;
mod bayes;
mod boosting;
mod calibration;
mod centroid;
mod class_outputs;
mod cluster;
mod codes;
mod column;
mod components;
mod compose;
mod coupling;
mod decision;
mod decomposition;
mod discriminant;
mod dummy;
mod embedding;
mod encoder;
mod engine;
mod estimator;
mod expansion;
mod finite;
mod fitted;
mod follow;
mod foreign;
mod forests;
mod formula;
mod function;
mod grove;
mod importance;
mod impute;
mod impute_rows;
mod inputs;
mod kernel;
mod label;
mod labels;
mod linear;
mod metric;
mod multiple;
mod names;
mod neighbors;
mod network;
mod object;
mod outlier;
mod part;
mod pattern;
mod pipeline;
mod propagation;
mod read_columns;
#[cfg(test)]
mod row_tests;
mod scaling;
mod selection;
mod sparse_matrix;
mod sparsity;
mod stacking;
mod steps;
mod svm;
mod svm_kernel;
mod svm_notes;
mod target;
#[cfg(test)]
mod tests;
mod textual;
mod topics;
mod transformer;
mod tree;
mod vote;
mod words;

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
