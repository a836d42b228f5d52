//! Estimators that are written here as pickles: what is refused, and answers that no golden case
//! reaches.

use bytes::Bytes;

use super::column::Column;
use super::engine::Engine;
use super::fitted::Fitted;
use super::inputs::{Inputs, Translator};
use super::labels::labels;
use super::object::Object;
use super::{calibration, decision, estimator, kernel, propagation};
use crate::error::Result;
use crate::feature::Columns;
use crate::format::importer::ImportOptions;
use crate::format::python::container::{Document, read};
use crate::outcome::Task;

/// The opcodes of a value, protocol 2.
pub(super) type Pickled = Vec<u8>;

pub(super) fn joined(parts: &[&[u8]]) -> Pickled {
    parts.concat()
}

pub(super) fn text(value: &str) -> Pickled {
    joined(&[b"X", &(value.len() as u32).to_le_bytes(), value.as_bytes()])
}

pub(super) fn float(value: f64) -> Pickled {
    joined(&[b"G", &value.to_be_bytes()])
}

pub(super) fn integer(value: i32) -> Pickled {
    joined(&[b"J", &value.to_le_bytes()])
}

pub(super) fn list(items: &[Pickled]) -> Pickled {
    joined(&[b"](", &items.concat(), b"e"])
}

fn dictionary(pairs: &[(&str, Pickled)]) -> Pickled {
    let pairs: Vec<Pickled> = pairs
        .iter()
        .map(|(name, value)| joined(&[&text(name), value]))
        .collect();
    joined(&[b"}(", &pairs.concat(), b"u"])
}

/// An object of a class of scikit-learn.
pub(super) fn record(class: &str, attributes: &[(&str, Pickled)]) -> Pickled {
    let (module, name) = class.rsplit_once('.').unwrap();
    let head = format!("csklearn.{module}\n{name}\n)");
    joined(&[head.as_bytes(), b"\x81", &dictionary(attributes), b"b"])
}

/// The value, which `again` names from there on.
fn kept(index: u8, value: &[u8]) -> Pickled {
    joined(&[value, b"q", &[index]])
}

fn again(index: u8) -> Pickled {
    vec![b'h', index]
}

fn raw_array(kind: &str, shape: &[usize], bytes: &[u8]) -> Pickled {
    let shape: Vec<Pickled> = shape.iter().map(|one| integer(*one as i32)).collect();
    joined(&[
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\0\0\0\0\x85C\x01b\x87R(",
        &integer(1),
        b"(",
        &shape.concat(),
        b"tcnumpy\ndtype\n",
        &text(kind),
        b"\x89\x88\x87R(",
        &integer(3),
        &text("<"),
        b"NNN",
        &integer(-1),
        &integer(-1),
        &integer(0),
        b"tb\x89B",
        &(bytes.len() as u32).to_le_bytes(),
        bytes,
        b"tb",
    ])
}

pub(super) fn array(shape: &[usize], values: &[f64]) -> Pickled {
    let bytes: Vec<u8> = values.iter().flat_map(|one| one.to_le_bytes()).collect();
    raw_array("f8", shape, &bytes)
}

pub(super) fn row(values: &[f64]) -> Pickled {
    array(&[values.len()], values)
}

fn singles(values: &[f32]) -> Pickled {
    let bytes: Vec<u8> = values.iter().flat_map(|one| one.to_le_bytes()).collect();
    raw_array("f4", &[values.len()], &bytes)
}

pub(super) fn document(value: &[u8]) -> Document {
    let bytes = joined(&[b"\x80\x02", value, b"."]);
    read(Bytes::from(bytes)).unwrap()
}

pub(super) fn inputs(count: usize) -> (Inputs, Vec<Column>) {
    let translator = Translator {
        finish: estimator::finish,
        transform: super::transformer::transform,
        decisions: decision::decisions,
    };
    let columns = (0..count).map(Column::of).collect();
    (Inputs::new(None, count, translator), columns)
}

/// What the formula of an estimator of one column gives for each value.
fn outputs(fitted: Fitted, values: &[f64]) -> Vec<f64> {
    let Engine::Formula(formula) = fitted.engine else {
        panic!("not a formula: {:?}", fitted.engine);
    };
    let mut columns = Columns::filled(values.len(), 1, 0.0);
    columns.column_mut(0).copy_from_slice(values);
    let mut outputs = Vec::new();
    formula.run(&columns, &mut outputs).unwrap();
    outputs
}

#[track_caller]
fn refused<T>(found: Result<T>, message: &str) {
    let Err(error) = found else {
        panic!("not refused, and should be: {message}");
    };
    let shown = error.to_string();
    assert!(shown.contains(message), "{shown}\ndoes not say: {message}");
}

#[test]
fn the_class_of_a_gaussian_process_is_by_the_sign_of_the_mean() {
    let fitted = record(
        "gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        &[
            ("classes_", row(&[0.0, 1.0])),
            ("X_train_", array(&[2, 1], &[0.0, 1.0])),
            ("y_train_", row(&[0.0, 1.0])),
            ("pi_", row(&[0.4, 0.6])),
            ("W_sr_", row(&[0.5, 0.5])),
            ("L_", array(&[2, 2], &[1.0, 0.0, 0.0, 1.0])),
            (
                "kernel_",
                record(
                    "gaussian_process.kernels.RBF",
                    &[("length_scale", float(1.0))],
                ),
            ),
        ],
    );
    let document = document(&fitted);
    let object = Object::root(&document.arena, document.root);
    let fitted = kernel::process_classes(&object, 1).unwrap();
    assert!(matches!(&fitted.task, Task::Listed(shown) if shown[1].labels.is_some()));
    let found = outputs(fitted, &[9.0, -9.0, 100.0]);
    // scikit-learn 1.9.1: f_star is above 0 for 9, below for -9, and 0 where the kernel is.
    let half = 0.499_999_995;
    for (row, class) in found.chunks_exact(2).zip([1.0, 0.0, 0.0]) {
        assert!((row[0] - half).abs() < 1e-9, "{row:?}");
        assert_eq!(row[1].to_bits(), f64::to_bits(class), "{row:?}");
    }
}

#[test]
fn rows_far_from_all_that_is_labelled_are_of_the_first_class() {
    for classes in [2_usize, 3] {
        let labels: Vec<f64> = (0..classes).map(|one| one as f64).collect();
        let mut shares = vec![0.0; classes * classes];
        (0..classes).for_each(|one| shares[one * classes + one] = 1.0);
        let spread = record(
            "semi_supervised._label_propagation.LabelSpreading",
            &[
                ("classes_", row(&labels)),
                ("X_", array(&[classes, 1], &labels)),
                ("label_distributions_", array(&[classes, classes], &shares)),
                ("kernel", text("rbf")),
                ("gamma", float(20.0)),
            ],
        );
        let document = document(&spread);
        let object = Object::root(&document.arena, document.root);
        let found = outputs(propagation::fitted(&object, 1).unwrap(), &[1.0, 1e6]);
        let (near, far) = found.split_at(found.len() / 2);
        let (class, odds) = if classes == 2 { (1, 0..1) } else { (0, 1..4) };
        assert_eq!(near[class].to_bits(), 1.0_f64.to_bits());
        // scikit-learn 1.9.1: predict is classes_[0], predict_proba is NaN (0 / 0).
        assert_eq!(far[class].to_bits(), 0.0_f64.to_bits());
        assert!(far[odds].iter().all(|one| one.is_nan()), "{far:?}");
    }
}

/// `IsotonicRegression` with these thresholds.
fn isotonic(knots: Pickled, values: Pickled, bounds: (f64, f64), way: &str) -> Pickled {
    record(
        "isotonic.IsotonicRegression",
        &[
            ("X_thresholds_", knots),
            ("y_thresholds_", values),
            ("X_min_", float(bounds.0)),
            ("X_max_", float(bounds.1)),
            ("out_of_bounds", text(way)),
        ],
    )
}

#[test]
fn isotonic_regressions_are_constant_with_one_threshold_and_keep_their_precision() {
    let one = || (row(&[2.0]), row(&[0.25]));
    let pair = || (singles(&[0.1, 0.7]), singles(&[0.2, 0.9]));
    for ((knots, values), bounds, way, value, expected) in [
        // scikit-learn 1.9.1: IsotonicRegression(out_of_bounds=…).fit([2], [0.25]).predict([7])
        (one(), (2.0, 2.0), "nan", 7.0, 0.25),
        (one(), (2.0, 2.0), "clip", -7.0, 0.25),
        // … .fit(np.float32([.1, .7]), np.float32([.2, .9])).predict([.3])
        (
            pair(),
            (f64::from(0.1_f32), f64::from(0.7_f32)),
            "nan",
            0.3,
            SINGLE,
        ),
        (
            pair(),
            (f64::from(0.1_f32), f64::from(0.7_f32)),
            "nan",
            0.9,
            f64::NAN,
        ),
    ] {
        let document = document(&isotonic(knots, values, bounds, way));
        let object = Object::root(&document.arena, document.root);
        let mut found = [value];
        Column::of(0)
            .then([calibration::isotonic(&object).unwrap()])
            .run(&mut found);
        assert_eq!(
            found[0].to_bits(),
            expected.to_bits(),
            "{value} {way}: {found:?}"
        );
    }
}

/// What scikit-learn 1.9.1 gives in single precision for 0.3.
const SINGLE: f64 = 0.433_333_367_109_298_7;

/// A selection of columns around an estimator of three classes.
/// An array of objects.
fn objects(items: &[Pickled]) -> Pickled {
    joined(&[
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\0\0\0\0\x85C\x01b\x87R(",
        &integer(1),
        &integer(items.len() as i32),
        b"\x85cnumpy\ndtype\n",
        &text("O8"),
        b"\x89\x88\x87R(",
        &integer(3),
        &text("|"),
        b"NNN",
        &integer(-1),
        &integer(-1),
        &integer(63),
        b"tb\x89",
        &list(items),
        b"tb",
    ])
}

#[test]
fn a_column_whose_null_may_be_one_of_two_categories_is_refused() {
    let encoder = |missing: &[Pickled]| {
        let categories = objects(&[&[text("a")], missing].concat());
        record(
            "preprocessing._encoders.OrdinalEncoder",
            &[("categories_", list(&[categories]))],
        )
    };
    let (none, nan) = (b"N".to_vec(), float(f64::NAN));
    for missing in [vec![none.clone()], vec![nan.clone()]] {
        let document = document(&encoder(&missing));
        let object = Object::root(&document.arena, document.root);
        let (mut inputs, columns) = inputs(1);
        assert_eq!(inputs.transform(&object, columns).unwrap().len(), 1);
    }
    let document = document(&encoder(&[none, nan]));
    let object = Object::root(&document.arena, document.root);
    let (mut inputs, columns) = inputs(1);
    refused(
        inputs.transform(&object, columns),
        "`None` and NaN are two of its categories, and a null may be either",
    );
}

#[test]
fn classes_of_several_outputs_are_no_broken_file() {
    let stacking = record(
        "ensemble._stacking.StackingClassifier",
        &[("classes_", list(&[row(&[0.0, 1.0]), row(&[0.0, 1.0])]))],
    );
    let document = document(&stacking);
    let object = Object::root(&document.arena, document.root);
    let found = labels(&object);
    refused(found, "several outputs of classes are not supported");
}

#[test]
fn only_an_estimator_without_fitted_attributes_was_never_fitted() {
    let shown = |class: &str, attributes: &[(&str, Pickled)]| {
        let version = [("_sklearn_version", text("1.9.1"))];
        let document = document(&record(class, &[&version, attributes].concat()));
        let error = Object::root(&document.arena, document.root)
            .reals("coef_")
            .unwrap_err();
        let hint = error.hint_text().unwrap_or_default().to_owned();
        (error.to_string(), hint)
    };
    let ridge = "linear_model._ridge.Ridge";
    let (message, hint) = shown(ridge, &[("alpha", float(1.0))]);
    assert!(message.contains("was never fitted"), "{message}");
    assert_eq!(hint, "fit the estimator, then save it again");
    for attributes in [
        vec![("n_features_in_", integer(3))],
        vec![("coef_", text("?")), ("n_features_in_", integer(3))],
    ] {
        let (message, hint) = shown(ridge, &attributes);
        assert!(message.contains("`coef_` is not"), "{message}");
        assert!(hint.contains("to_onnx"), "{hint}");
    }
}

#[test]
fn what_skl2onnx_does_not_convert_is_not_sent_to_it() {
    let hint = |value: &[u8]| {
        let document = document(value);
        let object = Object::root(&document.arena, document.root);
        object.unknown().hint_text().unwrap_or_default().to_owned()
    };
    let booster = b"cxgboost.sklearn\nXGBClassifier\n)\x81";
    assert!(!hint(booster).contains("to_onnx"));
    assert!(hint(&record("nothing.Known", &[])).contains("to_onnx"));
}

fn selection(inner: Pickled) -> Pickled {
    let support = raw_array("b1", &[2], &[1, 0]);
    record(
        "feature_selection._rfe.RFE",
        &[("support_", support), ("estimator_", inner)],
    )
}

#[test]
fn decisions_of_a_selection_are_those_of_its_estimator() {
    let logistic = record(
        "linear_model._logistic.LogisticRegression",
        &[
            ("classes_", row(&[0.0, 1.0, 2.0])),
            ("coef_", array(&[3, 1], &[1.0, 2.0, 3.0])),
            ("intercept_", row(&[0.0, 0.5, 1.0])),
            ("multi_class", text("ovr")),
        ],
    );
    let document = document(&selection(logistic));
    let object = Object::root(&document.arena, document.root);
    let (mut inputs, columns) = inputs(2);
    let found = decision::decisions(&object, &columns, &mut inputs).unwrap();
    assert_eq!(found.map(|all| all.len()), Some(3));
    let (_, parts) = inputs.into_parts(&mut []);
    assert_eq!(
        parts.len(),
        1,
        "the selected column is read at once: {parts:?}"
    );
    assert_eq!(parts[0].columns.len(), 1);
}

#[test]
fn estimators_without_decisions_have_none_and_are_not_built() {
    for class in [
        "neighbors._classification.KNeighborsClassifier",
        "ensemble._forest.RandomForestClassifier",
        "tree._classes.DecisionTreeClassifier",
        "neural_network._multilayer_perceptron.MLPClassifier",
        "semi_supervised._label_propagation.LabelSpreading",
        "dummy.DummyClassifier",
    ] {
        // Building any of them would fail: they have no attributes.
        let document = document(&record(class, &[("n_features_in_", integer(1))]));
        let object = Object::root(&document.arena, document.root);
        let (mut inputs, columns) = inputs(1);
        let found = decision::decisions(&object, &columns, &mut inputs);
        assert!(found.unwrap().is_none(), "{class}");
    }
}

/// A kernel of so many sums, each of which adds the one below to itself.
fn repeated_sum(depth: u8) -> Pickled {
    let constant = record(
        "gaussian_process.kernels.ConstantKernel",
        &[("constant_value", float(1.0))],
    );
    (0..depth).fold(constant, |inner, index| {
        let both = [("k1", kept(index, &inner)), ("k2", again(index))];
        record("gaussian_process.kernels.Sum", &both)
    })
}

/// A mixture of one part and two columns.
fn mixture(freedom: f64, concentration: f64) -> Pickled {
    record(
        "mixture._bayesian_mixture.BayesianGaussianMixture",
        &[
            ("n_features_in_", integer(2)),
            ("means_", array(&[1, 2], &[0.0, 0.0])),
            ("covariance_type", text("diag")),
            ("precisions_cholesky_", array(&[1, 2], &[1.0, 1.0])),
            (
                "weight_concentration_prior_type",
                text("dirichlet_distribution"),
            ),
            ("weight_concentration_", row(&[concentration])),
            ("degrees_of_freedom_", row(&[freedom])),
            ("mean_precision_", row(&[1.0])),
        ],
    )
}

/// A tree of clusters whose root has these sides.
fn bisecting(left: Pickled, right: Pickled) -> Pickled {
    let root = [("left", left), ("right", right), ("center", row(&[0.0]))];
    record(
        "cluster._bisect_k_means.BisectingKMeans",
        &[
            ("n_features_in_", integer(1)),
            (
                "_bisecting_tree",
                record("cluster._bisect_k_means._BisectingTree", &root),
            ),
        ],
    )
}

#[test]
fn broken_estimators_are_refused_by_name() {
    let leaf = || {
        let own = [("label", integer(0)), ("center", row(&[0.0]))];
        record("cluster._bisect_k_means._BisectingTree", &own)
    };
    let process = record(
        "gaussian_process._gpr.GaussianProcessRegressor",
        &[
            ("n_features_in_", integer(1)),
            ("X_train_", array(&[1, 1], &[0.0])),
            ("kernel_", repeated_sum(30)),
        ],
    );
    let empty = record(
        "cluster._birch.Birch",
        &[
            ("n_features_in_", integer(1)),
            ("subcluster_centers_", array(&[0, 1], &[])),
            ("subcluster_labels_", row(&[])),
        ],
    );
    let thresholds = || (row(&[0.0, 1.0]), row(&[0.0, 1.0]));
    let (knots, values) = thresholds();
    for (value, message) in [
        (process, "more than 1,000 parts"),
        (empty, "`subcluster_centers_` has no rows"),
        (
            bisecting(kept(0, &leaf()), again(0)),
            "a node with two parents",
        ),
        (mixture(-1e300, 1.0), "`degrees_of_freedom_`"),
        (mixture(1.0, 1.0), "`degrees_of_freedom_`"),
        (mixture(3.0, -1e300), "`weight_concentration_`"),
        (
            isotonic(knots, values, (f64::NAN, 1.0), "clip"),
            "`X_min_` or `X_max_`",
        ),
    ] {
        let document = document(&value);
        refused(
            super::translate(&document, &ImportOptions::default()),
            message,
        );
    }
    // The neighbours of these are fine.
    for value in [bisecting(leaf(), leaf()), mixture(3.0, 1.0)] {
        let document = document(&value);
        let translated = super::translate(&document, &ImportOptions::default());
        assert!(translated.is_ok(), "{:?}", translated.err());
    }
}

#[test]
fn transformers_that_do_not_fit_are_refused() {
    let nystroem = |parameters: &[(&str, Pickled)]| {
        record(
            "kernel_approximation.Nystroem",
            &[
                ("kernel", text("rbf")),
                ("kernel_params", dictionary(parameters)),
                ("components_", array(&[1, 1], &[0.0])),
                ("normalization_", array(&[1, 1], &[1.0])),
            ],
        )
    };
    let empty = record(
        "decomposition._truncated_svd.TruncatedSVD",
        &[("components_", array(&[0, 1], &[]))],
    );
    for (value, message) in [
        (nystroem(&[("gamma", float(2.0))]), "`kernel_params`"),
        (empty, "its components do not fit its columns"),
    ] {
        let document = document(&value);
        let object = Object::root(&document.arena, document.root);
        let (mut inputs, columns) = inputs(1);
        refused(inputs.transform(&object, columns), message);
    }
}

#[test]
fn transformers_that_are_repeated_are_counted() {
    // 128 KB of components, which each step names again.
    let width = 128;
    let steps: Vec<Pickled> = (0..40_u8)
        .map(|index| {
            let svd = if index == 0 {
                let components = array(&[width, width], &vec![0.0; width * width]);
                let own = [("components_", components)];
                kept(
                    0,
                    &record("decomposition._truncated_svd.TruncatedSVD", &own),
                )
            } else {
                again(0)
            };
            joined(&[&text("svd"), &svd, b"\x86"])
        })
        .collect();
    let document = document(&record("pipeline.Pipeline", &[("steps", list(&steps))]));
    let object = Object::root(&document.arena, document.root);
    let (mut inputs, mut columns) = inputs(width);
    let mut rounds = 0;
    let found = loop {
        match inputs.transform(&object, columns) {
            Ok(made) if rounds < 40 => columns = made,
            found => break found,
        }
        rounds += 1;
    };
    refused(found, "over and over");
}
