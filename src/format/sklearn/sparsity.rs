//! Which transformers make sparse matrices.
//!
//! Nearly all estimators take a zero that a sparse matrix does not store for a zero, so the numbers
//! are the same. `XGBoost` takes it for a missing value. Owns where that difference arises.
//! Sources: the `transform` methods of 0.24 to 1.9.

use super::column::Column;
use super::object::Object;

/// Notes whether the columns that a transformer made are those of a sparse matrix; `was_sparse` is
/// whether it read one.
pub(super) fn mark(object: &Object, was_sparse: bool, columns: &mut [Column]) {
    let is_sparse = match object.class() {
        // Its last step has marked them.
        ("pipeline", "Pipeline") => return,
        ("pipeline", "FeatureUnion") => columns.iter().any(|column| column.is_sparse),
        ("compose", "ColumnTransformer") => object.flag("sparse_output_"),
        ("feature_extraction", _) => true,
        ("preprocessing", "OneHotEncoder") => {
            let name = ["sparse_output", "sparse"];
            name.into_iter()
                .find(|name| object.has(name))
                .is_some_and(|name| object.flag(name))
        }
        ("preprocessing", "KBinsDiscretizer") => object.text("encode") == "onehot",
        ("preprocessing", "SplineTransformer") | ("ensemble", "RandomTreesEmbedding") => {
            object.flag("sparse_output")
        }
        ("impute", "MissingIndicator") if object.text("sparse") != "auto" => object.flag("sparse"),
        ("random_projection", _) => was_sparse && !object.flag("dense_output"),
        ("preprocessing" | "impute" | "feature_selection", _)
        | ("kernel_approximation", "AdditiveChi2Sampler") => was_sparse,
        _ => false,
    };
    for column in columns {
        column.is_sparse = is_sparse;
    }
}
