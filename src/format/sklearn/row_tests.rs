//! Rows through whole estimators that are written here as pickles: rows that a step refuses, ties,
//! thresholds, and sparse components.

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::tests::{Pickled, array, document, float, integer, joined, list, record, row, text};
use crate::feature::verdict::Reason;
use crate::feature::{Columns, FeatureBlock, Precision};
use crate::format::importer::ImportOptions;
use crate::model::{LoadedModel, Scores, Wants};
use crate::outcome::Margins;

fn loaded(value: &[u8]) -> LoadedModel {
    super::translate(&document(value), &ImportOptions::default()).unwrap()
}

/// The scores of rows of one column.
fn scores(model: &LoadedModel, values: &[f64]) -> Scores {
    let mut columns = Columns::filled(values.len(), 1, 0.0);
    columns.column_mut(0).copy_from_slice(values);
    let numeric = model.model.as_numeric().unwrap();
    let mut scores = Scores::empty(Precision::Double);
    let block = FeatureBlock::Double(columns);
    let mut worker = numeric.worker();
    worker
        .score(&block, &Wants::default(), &mut scores)
        .unwrap();
    scores
}

fn margins(scores: &Scores) -> &[f64] {
    let Margins::Double(margins) = &scores.margins else {
        panic!("not in double precision");
    };
    margins
}

fn pipeline(steps: &[Pickled]) -> Pickled {
    let pairs: Vec<Pickled> = steps
        .iter()
        .map(|step| joined(&[&text("step"), step, b"\x86"]))
        .collect();
    record("pipeline.Pipeline", &[("steps", list(&pairs))])
}

/// What scikit-learn 1.9.1 raises at, behind a step that computes its column anew: "Negative values
/// in data passed to X in AdditiveChi2Sampler.transform", "X may not contain entries smaller than
/// -skewedness", "Negative values in data passed to LatentDirichletAllocation.transform", "The
/// Box-Cox transformation can only be applied to strictly positive data".
#[test]
fn numbers_that_a_step_makes_too_small_for_the_next_are_refused() {
    let additive = record(
        "kernel_approximation.AdditiveChi2Sampler",
        &[
            ("sample_steps", integer(1)),
            ("sample_interval", float(0.8)),
        ],
    );
    let skewed = record(
        "kernel_approximation.SkewedChi2Sampler",
        &[
            ("skewedness", float(1.0)),
            ("random_weights_", array(&[1, 1], &[0.5])),
            ("random_offset_", row(&[0.0])),
        ],
    );
    let topics = record(
        "decomposition._lda.LatentDirichletAllocation",
        &[
            ("exp_dirichlet_component_", array(&[2, 1], &[0.5, 0.25])),
            ("max_doc_update_iter", integer(10)),
            ("doc_topic_prior_", float(0.5)),
            ("mean_change_tol", float(0.001)),
        ],
    );
    let box_cox = record(
        "preprocessing._data.PowerTransformer",
        &[("method", text("box-cox")), ("lambdas_", row(&[0.5]))],
    );
    let computes = record(
        "decomposition._truncated_svd.TruncatedSVD",
        &[
            ("n_features_in_", integer(1)),
            ("components_", array(&[1, 1], &[1.0])),
        ],
    );
    let shifts = record(
        "preprocessing._data.StandardScaler",
        &[
            ("n_features_in_", integer(1)),
            ("mean_", row(&[0.0])),
            ("scale_", row(&[1.0])),
        ],
    );
    for (name, step, values, expected) in [
        ("additive", additive, [1.0, -1.0, 0.0, -0.0], &[1][..]),
        ("skewed", skewed, [-0.5, -1.0, -2.0, 3.0], &[1, 2]),
        ("topics", topics, [1.0, 0.0, -1e-9, 2.0], &[2]),
        ("box-cox", box_cox, [1.0, 0.0, -3.0, 2.0], &[1, 2]),
    ] {
        for first in [&computes, &shifts] {
            let model = loaded(&pipeline(&[first.clone(), step.clone()]));
            let found = scores(&model, &values);
            let mut rows: Vec<usize> = found.refused.iter().map(|one| one.row).collect();
            rows.sort_unstable();
            rows.dedup();
            assert_eq!(rows, expected, "{name}");
            let undefined = |one: &crate::model::RefusedRow| one.reason == Reason::Undefined;
            assert!(found.refused.iter().all(undefined), "{name}: {found:?}");
        }
    }
}

/// scikit-learn 1.7.2 and 1.8.0: `OneVsRestClassifier.predict` where all decisions are the same.
#[test]
fn of_equal_classes_one_against_the_rest_takes_that_of_the_version() {
    let member = || record("multiclass._ConstantPredictor", &[("y_", row(&[0.0]))]);
    for (version, expected) in [
        ("0.24.2", 2.0),
        ("1.7.2", 2.0),
        ("1.8.0", 0.0),
        ("1.9.1", 0.0),
        ("1.10.0", 0.0),
    ] {
        let binarizer = record(
            "preprocessing._label.LabelBinarizer",
            &[
                ("classes_", row(&[0.0, 1.0, 2.0])),
                ("y_type_", text("multiclass")),
            ],
        );
        let rest = record(
            "multiclass.OneVsRestClassifier",
            &[
                ("n_features_in_", integer(1)),
                ("label_binarizer_", binarizer),
                ("estimators_", list(&[member(), member(), member()])),
                ("_sklearn_version", text(version)),
            ],
        );
        let found = scores(&loaded(&rest), &[1.0]);
        assert_eq!(
            margins(&found)[0].to_bits(),
            f64::to_bits(expected),
            "{version}"
        );
    }
}

#[test]
fn thresholds_decide_between_two_classes_of_an_estimator_with_labels_of_its_own() {
    let labelled = |classes: &[f64]| {
        let count = classes.len();
        let mut shares = vec![0.0; count * count];
        (0..count).for_each(|one| shares[one * count + one] = 1.0);
        record(
            "semi_supervised._label_propagation.LabelSpreading",
            &[
                ("n_features_in_", integer(1)),
                ("classes_", row(classes)),
                ("X_", array(&[count, 1], classes)),
                ("label_distributions_", array(&[count, count], &shares)),
                ("kernel", text("rbf")),
                ("gamma", float(1.0)),
            ],
        )
    };
    let mut model = loaded(&labelled(&[0.0, 1.0]));
    // The probabilities of 1 are 1 / (1 + exp(1 − 2 x)), and NaN where no weight is left.
    let found = scores(&model, &[0.25, 0.45, 0.75, 1e9]);
    for (threshold, expected) in [
        (None, [Some(0), Some(0), Some(1), Some(0)]),
        (Some(0.4), [Some(0), Some(1), Some(1), None]),
        (Some(0.7), [Some(0), Some(0), Some(0), None]),
        (Some(0.0), [Some(1), Some(1), Some(1), None]),
    ] {
        if let Some(threshold) = threshold {
            model.outcome.task.set_threshold(threshold).unwrap();
        }
        let columns = model.outcome.columns(&found.margins, 2, false);
        let labels: &Int64Array = columns[1].as_primitive::<Int64Type>();
        let labels: Vec<Option<i64>> = labels.iter().collect();
        assert_eq!(labels, expected, "{threshold:?}");
        assert_eq!(columns[0].len(), 4);
    }
    let mut three = loaded(&labelled(&[0.0, 1.0, 2.0]));
    let error = three.outcome.task.set_threshold(0.3).unwrap_err();
    assert!(error.to_string().contains("two classes"), "{error}");
}

/// A sparse matrix of two rows and three columns: 2 at (0, 2), 3 and −1 at (1, 0) and (1, 1).
fn sparse(indices: &[f64], starts: &[f64]) -> Pickled {
    sparse_of(
        b"cscipy.sparse._csr\ncsr_matrix\n)\x81}(",
        &[2.0, 3.0, -1.0],
        indices,
        starts,
    )
}

/// The same matrix in the form that `head` makes.
fn sparse_of(head: &[u8], values: &[f64], indices: &[f64], starts: &[f64]) -> Pickled {
    let pairs = [
        ("_shape", row(&[2.0, 3.0])),
        ("data", row(values)),
        ("indices", row(indices)),
        ("indptr", row(starts)),
    ];
    let pairs = pairs.map(|(name, value)| joined(&[&text(name), &value]));
    joined(&[head, &pairs.concat(), b"ub"])
}

fn projection(components: Pickled) -> Pickled {
    record(
        "random_projection.SparseRandomProjection",
        &[("n_features_in_", integer(3)), ("components_", components)],
    )
}

#[test]
fn random_projections_read_their_sparse_components() {
    let by_columns = b"cscipy.sparse._csc\ncsc_array\n)\x81}(";
    for components in [
        sparse(&[2.0, 0.0, 1.0], &[0.0, 1.0, 3.0]),
        // Those of a row may be in any order.
        sparse_of(
            b"cscipy.sparse.csr\ncsr_matrix\n)\x81}(",
            &[2.0, -1.0, 3.0],
            &[2.0, 1.0, 0.0],
            &[0.0, 1.0, 3.0],
        ),
        sparse_of(
            by_columns,
            &[3.0, -1.0, 2.0],
            &[1.0, 1.0, 0.0],
            &[0.0, 1.0, 2.0, 3.0],
        ),
    ] {
        let model = loaded(&projection(components));
        let mut columns = Columns::filled(1, 3, 0.0);
        (0..3).for_each(|column| columns.column_mut(column)[0] = 10.0 + column as f64);
        let numeric = model.model.as_numeric().unwrap();
        let found = numeric.margins(&FeatureBlock::Double(columns)).unwrap();
        // [10, 11, 12] · [[0, 0, 2], [3, −1, 0]]ᵀ
        assert_eq!(found, Margins::Double(vec![24.0, 19.0]));
    }
    for (indices, starts) in [
        ([3.0, 0.0, 1.0], vec![0.0, 1.0, 3.0]),
        ([2.0, 0.0, 1.0], vec![0.0, 1.0, 4.0]),
        ([2.0, 0.0, 1.0], vec![0.0, 2.0, 1.0]),
        ([2.0, 0.0, 1.0], vec![0.0, 3.0]),
        ([2.0, 0.0, -1.0], vec![0.0, 1.0, 3.0]),
    ] {
        let broken = document(&projection(sparse(&indices, &starts)));
        let error = super::translate(&broken, &ImportOptions::default()).unwrap_err();
        assert!(error.to_string().contains("sparse matrix"), "{error}");
    }
}
