//! The last estimator of a pipeline: what it computes of the columns, and what that means.
//!
//! Owns the choice of the translation by class, the way through pipelines and searches, and the
//! assembly of the model. The families have files of their own.

use super::column::Column;
use super::fitted::{Finished, Fitted};
use super::inputs::{Inputs, Translator, numbers};
use super::linear::{
    Odds, classification, has_several_labels, linear_labels, logistic, modified_huber, regression,
};
use super::object::Object;
use super::part::Part;
use super::pipeline::Columnar;
use super::read_columns::{columns_read, first};
use super::steps::{inner, is_skipped, steps};
use super::transformer::transform;
use super::{
    adaboost, bayes, boosting, calibration, centroid, class_outputs, cluster, compose, decision,
    discriminant, dummy, foreign, forests, kernel, multiple, neighbors, network, outlier,
    propagation, stacking, svm, target, textual, vote,
};
use crate::error::{Error, Result};
use crate::format::importer::{ImportOptions, TreeSelection};
use crate::format::python::container::Document;
use crate::model::{Description, LoadedModel, TrainedModel};
use crate::outcome::{Link, Outcome};

/// Translates the saved object.
///
/// # Errors
/// A contract error that names the first part that is not supported; fails for broken parts.
pub(super) fn translate(document: &Document, options: &ImportOptions) -> Result<LoadedModel> {
    let root = Object::root(&document.arena, document.root);
    if let Some(loaded) = foreign::alone(&root, options)? {
        return Ok(loaded);
    }
    if options.trees != TreeSelection::default() {
        return Err(Error::usage(
            "`--trees` is for XGBoost, LightGBM and CatBoost, and this is a model of scikit-learn",
        )
        .hint("leave `--trees` out: scikit-learn predicts with all trees that it fitted"));
    }
    let first = first(&root)?;
    let (names, count) = columns_read(&first, options)?;
    let count = count.ok_or_else(|| {
        first
            .refuse("it does not say how many columns it reads")
            .hint("name the columns, `--features age,income`")
    })?;
    if count > 1 << 20 {
        return Err(first.refuse("it reads more than a million columns"));
    }
    let translator = Translator {
        finish,
        transform,
        decisions: decision::decisions,
    };
    let names = names.filter(|names| names.len() == count);
    let mut inputs = Inputs::new(names, count, translator);
    let read = inputs.columns();
    let (mut columns, mut fitted) = finish(&root, read.clone(), &mut inputs)?;
    if let Some(merged) = inputs.merged() {
        inputs = merged;
        (columns, fitted) = finish(&root, read, &mut inputs)?;
    }
    if !fitted.takes_missing {
        inputs.reject_missing(&columns);
    }
    let Fitted {
        engine,
        task,
        link,
        takes_missing,
    } = fitted;
    inputs.bound_by(&columns, &engine);
    let has_texts = inputs.has_texts();
    let passed = inputs.take_passed();
    let facts = inputs.take_facts();
    let label = inputs.label();
    let mut columns = columns;
    let (contract, parts) = inputs.into_parts(&mut columns);
    let passed = passed.into_iter().filter_map(|(output, filled)| {
        let input = columns.get(output)?.input;
        Some(textual::Passed {
            output,
            input,
            filled,
        })
    });
    let passed = passed.collect();
    let input_count = contract.inputs.len();
    let last = Part {
        rejects_missing: !takes_missing,
        label,
        ..Part::new(columns, engine)
    };
    let model = Columnar::new(input_count, parts, last);
    let outcome = Outcome { task, link };
    if has_texts {
        return Ok(textual::loaded(model, contract, outcome, passed));
    }
    Ok(LoadedModel {
        model: TrainedModel::numeric(model),
        contract,
        outcome,
        description: Description {
            facts,
            ..Description::default()
        },
    })
}

/// The columns that an estimator reads, and what it computes of them.
///
/// # Errors
/// A contract error for an estimator, or a way of it, that is not supported.
pub(super) fn finish(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Finished> {
    let around = inputs.enter(object);
    let made = finish_inside(object, columns, inputs);
    let label = inputs.leave(around);
    inputs.finished(label);
    made
}

fn finish_inside(object: &Object, columns: Vec<Column>, inputs: &mut Inputs) -> Result<Finished> {
    if !inputs.visit() {
        return Err(object.refuse("the file repeats its estimators over and over"));
    }
    inputs.check_bytes(object)?;
    if let Some(inner) = inner(object)? {
        return finish(&inner, columns, inputs);
    }
    if object.class() == ("pipeline", "Pipeline") {
        let mut steps = steps(object, "steps")?;
        let last = steps
            .pop()
            .ok_or_else(|| object.refuse("it has no steps"))?;
        let mut columns = columns;
        for step in steps.iter().filter(|step| !is_skipped(step)) {
            columns = transform(step, columns, inputs)?;
        }
        return finish(&last, columns, inputs);
    }
    if let Some(finished) = foreign::finish(object, &columns, inputs)? {
        return Ok(finished);
    }
    if let Some(finished) = composite(object, &columns, inputs)? {
        return Ok(finished);
    }
    if let Some(transformed) = compose::transformed(object, &columns, inputs)? {
        return Ok(transformed);
    }
    numbers(object, &columns, inputs)?;
    let fitted = estimator(object, columns.len())?;
    Ok((columns, fitted))
}

/// Estimators of estimators, which compute further columns.
fn composite(object: &Object, columns: &[Column], inputs: &mut Inputs) -> Result<Option<Finished>> {
    let made = match object.class() {
        ("ensemble", "VotingClassifier" | "VotingRegressor") => {
            vote::voting(object, columns, inputs)
        }
        ("ensemble", "StackingClassifier" | "StackingRegressor") => {
            stacking::stacking(object, columns, inputs)
        }
        ("ensemble", "BaggingClassifier" | "BaggingRegressor") => {
            vote::bagging(object, columns, inputs)
        }
        ("ensemble", "AdaBoostClassifier") => adaboost::classifier(object, columns, inputs),
        ("ensemble", "AdaBoostRegressor") => adaboost::regressor(object, columns, inputs),
        ("ensemble", "GradientBoostingClassifier" | "GradientBoostingRegressor")
            if boosting::starts_from_estimator(object) =>
        {
            boosting::boosted_on(object, columns, inputs)
        }
        ("ensemble", "IsolationForest") => outlier::isolation(object, columns, inputs),
        ("ensemble", "HistGradientBoostingClassifier" | "HistGradientBoostingRegressor") => {
            forests::histogram_boosted(object, columns, inputs)
        }
        ("calibration", "CalibratedClassifierCV") => {
            calibration::calibrated(object, columns, inputs)
        }
        ("model_selection", "TunedThresholdClassifierCV" | "FixedThresholdClassifier") => {
            calibration::threshold(object, columns, inputs)
        }
        ("compose", "TransformedTargetRegressor") => target::transformed(object, columns, inputs),
        ("multiclass", "OneVsRestClassifier") => multiple::one_vs_rest(object, columns, inputs),
        ("multiclass", "OneVsOneClassifier") => multiple::one_vs_one(object, columns, inputs),
        ("multiclass", "OutputCodeClassifier") => multiple::output_codes(object, columns, inputs),
        ("feature_selection", "RFE" | "RFECV") => {
            let columns = transform(object, columns.to_vec(), inputs)?;
            finish(&object.attribute("estimator_")?, columns, inputs)
        }
        ("isotonic", "IsotonicRegression") => calibration::regression(object, columns, inputs),
        ("multioutput", "MultiOutputRegressor" | "RegressorChain") => {
            multiple::regressors(object, columns, inputs)
        }
        ("multioutput", "MultiOutputClassifier" | "ClassifierChain") => {
            multiple::classifiers(object, columns, inputs)
        }
        (
            "tree" | "ensemble",
            "DecisionTreeClassifier"
            | "ExtraTreeClassifier"
            | "RandomForestClassifier"
            | "ExtraTreesClassifier",
        ) if class_outputs::has_several(object) => class_outputs::averaged(object, columns, inputs),
        ("linear_model", "RidgeClassifier" | "RidgeClassifierCV") if has_several_labels(object) => {
            linear_labels(object, columns, inputs)
        }
        ("svm", "SVC" | "NuSVC") => svm::classifier(object, columns, inputs),
        ("svm" | "linear_model" | "covariance" | "neighbors", name)
            if outlier::DETECTORS.contains(&name) =>
        {
            outlier::detector(object, columns, inputs)
        }
        _ => return Ok(None),
    };
    made.map(Some)
}

/// Estimators that read columns alone.
fn estimator(object: &Object, count: usize) -> Result<Fitted> {
    match object.class() {
        (
            "linear_model",
            "LinearRegression"
            | "Ridge"
            | "RidgeCV"
            | "Lasso"
            | "LassoCV"
            | "ElasticNet"
            | "ElasticNetCV"
            | "MultiTaskLasso"
            | "MultiTaskElasticNet"
            | "MultiTaskLassoCV"
            | "MultiTaskElasticNetCV"
            | "Lars"
            | "LarsCV"
            | "LassoLars"
            | "LassoLarsCV"
            | "LassoLarsIC"
            | "HuberRegressor"
            | "BayesianRidge"
            | "ARDRegression"
            | "TheilSenRegressor"
            | "QuantileRegressor"
            | "SGDRegressor"
            | "PassiveAggressiveRegressor"
            | "OrthogonalMatchingPursuit"
            | "OrthogonalMatchingPursuitCV",
        )
        | ("svm", "LinearSVR") => regression(object, count, Link::Identity),
        ("linear_model", "PoissonRegressor" | "GammaRegressor") => {
            regression(object, count, Link::Exponential)
        }
        ("linear_model", "TweedieRegressor") => {
            let is_identity = match object.text("link") {
                "identity" => true,
                "log" => false,
                _ => object.real("power")? <= 0.0,
            };
            let link = if is_identity {
                Link::Identity
            } else {
                Link::Exponential
            };
            regression(object, count, link)
        }
        ("linear_model", "LogisticRegression" | "LogisticRegressionCV") => logistic(object, count),
        ("discriminant_analysis", "LinearDiscriminantAnalysis") => {
            classification(object, count, Odds::Softmax)
        }
        ("discriminant_analysis", "QuadraticDiscriminantAnalysis") => {
            discriminant::quadratic(object, count)
        }
        ("linear_model", "SGDClassifier") => match object.text("loss") {
            "log_loss" | "log" => classification(object, count, Odds::EachAlone),
            "modified_huber" => modified_huber(object, count),
            _ => classification(object, count, Odds::None),
        },
        (
            "linear_model",
            "RidgeClassifier" | "RidgeClassifierCV" | "Perceptron" | "PassiveAggressiveClassifier",
        )
        | ("svm", "LinearSVC") => classification(object, count, Odds::None),
        (
            "tree",
            "DecisionTreeClassifier"
            | "DecisionTreeRegressor"
            | "ExtraTreeClassifier"
            | "ExtraTreeRegressor",
        )
        | (
            "ensemble",
            "RandomForestClassifier"
            | "RandomForestRegressor"
            | "ExtraTreesClassifier"
            | "ExtraTreesRegressor",
        ) => forests::averaged(object, count),
        ("ensemble", "GradientBoostingClassifier" | "GradientBoostingRegressor") => {
            boosting::boosted(object, count)
        }
        ("naive_bayes", _) => bayes::fitted(object, count),
        ("neural_network", "MLPClassifier" | "MLPRegressor") => network::fitted(object, count),
        ("neighbors", "KNeighborsClassifier" | "RadiusNeighborsClassifier")
            if object.flag("outputs_2d_") =>
        {
            class_outputs::neighbours(object, count)
        }
        ("neighbors", "NearestCentroid") => centroid::fitted(object, count),
        ("neighbors", _) => neighbors::fitted(object, count),
        ("svm", "SVR" | "NuSVR") => svm::regressor(object, count),
        ("cluster" | "mixture", _) => cluster::fitted(object, count),
        ("dummy", _) => dummy::fitted(object, count),
        ("kernel_ridge", "KernelRidge") => kernel::ridge(object, count),
        ("gaussian_process", "GaussianProcessRegressor") => kernel::process(object, count),
        ("gaussian_process", "_BinaryGaussianProcessClassifierLaplace") => {
            kernel::process_classes(object, count)
        }
        ("semi_supervised", "LabelPropagation" | "LabelSpreading") => {
            propagation::fitted(object, count)
        }
        ("cross_decomposition", "PLSRegression" | "PLSCanonical" | "CCA") => {
            kernel::partial_squares(object, count)
        }
        _ => Err(object.unknown()),
    }
}
