//! The last estimator of a pipeline: what it computes of the columns, and what that means.
//!
//! Owns the way from fitted attributes to an engine, the labels and the link. Sources: the
//! `predict_proba`, `decision_function` and `predict` methods of scikit-learn 0.24 to 1.9.

use super::column::{Column, Inputs};
use super::engine::{Columnar, Engine, RunResult};
use super::object::{Matrix, Object, reals};
use super::transformer::{numbers, steps, transform};
use super::tree::{of_estimator, of_predictor};
use crate::error::{Error, Result};
use crate::feature::Precision;
use crate::forest::{Forest, Frame, Target};
use crate::format::importer::ImportOptions;
use crate::format::python::container::Document;
use crate::format::python::describe::texts;
use crate::format::python::numpy::{Elements, Kind, Number};
use crate::format::python::record::Value;
use crate::model::{Description, LoadedModel, TrainedModel};
use crate::outcome::{ABOVE_HALF, Label, Link, Outcome, Task};

/// scikit-learn clips the probabilities of training's classes by the precision of f32.
const EPSILON: f64 = f32::EPSILON as f64;

/// The estimator's engine and what its margins mean.
struct Fitted {
    engine: Engine,
    task: Task,
    link: Link,
    /// Whether it takes missing values.
    takes_missing: bool,
}

/// Translates the saved object.
///
/// # Errors
/// A contract error that names the first part that is not supported; fails for broken parts.
pub(super) fn translate(document: &Document, options: &ImportOptions) -> Result<LoadedModel> {
    let root = Object::root(&document.arena, document.root);
    let first = first(&root)?;
    let names = first.texts("feature_names_in_");
    let count = match first
        .find("n_features_in_")
        .or_else(|| first.find("n_features_"))
    {
        Some(id) => reals(root.arena, id).and_then(|one| one.first().copied()),
        None => names.as_ref().map(|names| names.len() as f64),
    };
    let count = count.map(|count| count as usize).or(options.feature_count);
    let count = count.ok_or_else(|| first.refuse("it does not say how many columns it reads"))?;
    if count > 1 << 20 {
        return Err(first.refuse("it reads more than a million columns"));
    }
    let mut inputs = Inputs::new(names.filter(|names| names.len() == count), count);
    let columns = (0..count).map(Column::of).collect();
    let (columns, fitted) = finish(&root, columns, &mut inputs)?;
    if !fitted.takes_missing {
        let missing = columns.iter().filter(|column| column.may_miss);
        missing.for_each(|column| inputs.reject_null(column.input));
    }
    let Fitted {
        engine, task, link, ..
    } = fitted;
    let model = Columnar::new(inputs.len(), columns, engine);
    Ok(LoadedModel {
        model: TrainedModel::numeric(model),
        contract: inputs.contract(),
        outcome: Outcome { task, link },
        description: Description::default(),
    })
}

/// The estimator that a search found or another one wraps without a change; else none.
fn inner<'a>(object: &Object<'a>) -> Result<Option<Object<'a>>> {
    Ok(match object.class() {
        ("model_selection", name) if name.ends_with("SearchCV") => {
            Some(object.attribute("best_estimator_")?)
        }
        ("frozen", "FrozenEstimator") => Some(object.attribute("estimator")?),
        _ => None,
    })
}

/// The part that reads the table first.
fn first<'a>(object: &Object<'a>) -> Result<Object<'a>> {
    if let Some(inner) = inner(object)? {
        return first(&inner);
    }
    if object.class() == ("pipeline", "Pipeline") {
        let mut steps = steps(object, "steps")?.into_iter();
        let step = steps.find(|step| step.arena.record(step.id).is_some());
        return step.map_or_else(
            || Err(object.refuse("it has no steps")),
            |step| first(&step),
        );
    }
    Ok(object.clone())
}

fn finish(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<(Vec<Column>, Fitted)> {
    if let Some(inner) = inner(object)? {
        return finish(&inner, columns, inputs);
    }
    if object.class() == ("pipeline", "Pipeline") {
        let mut steps = steps(object, "steps")?;
        let last = steps
            .pop()
            .ok_or_else(|| object.refuse("it has no steps"))?;
        let mut columns = columns;
        for step in steps {
            let is_skipped = match step.arena.get(step.id) {
                Value::None => true,
                _ => step.arena.text(step.id) == Some("passthrough"),
            };
            if !is_skipped {
                columns = transform(&step, columns, inputs)?;
            }
        }
        return finish(&last, columns, inputs);
    }
    numbers(object, &columns, inputs)?;
    let fitted = estimator(object, columns.len())?;
    Ok((columns, fitted))
}

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
        ("linear_model", "SGDClassifier") => match object.text("loss") {
            "log_loss" | "log" => classification(object, count, Odds::EachAlone),
            "modified_huber" => Err(object.refuse("`modified_huber` is not supported")),
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
        ) => averaged(object, count),
        ("ensemble", "GradientBoostingClassifier" | "GradientBoostingRegressor") => {
            boosted(object, count)
        }
        ("ensemble", "HistGradientBoostingClassifier" | "HistGradientBoostingRegressor") => {
            histogram_boosted(object, count)
        }
        _ => Err(object.unknown()),
    }
}

/// The labels of the classes.
fn labels(object: &Object) -> Result<Vec<Label>> {
    let holder = if object.find("classes_").is_some() {
        object.clone()
    } else {
        object.attribute("_label_binarizer")?
    };
    let array = holder.array("classes_")?;
    let real = |value: f64| {
        if value.fract() == 0.0 && value.abs() < 1e15 {
            Label::Integer(value as i64)
        } else {
            Label::Text(value.to_string())
        }
    };
    let boolean = |value: bool| Label::Text(if value { "True" } else { "False" }.to_owned());
    if let Elements::Objects(list) = array.elements {
        let label = |id: &_| match object.arena.get(*id) {
            Value::Integer(value) => Ok(Label::Integer(*value)),
            Value::Float(value) => Ok(real(*value)),
            Value::Boolean(value) => Ok(boolean(*value)),
            _ => match object.arena.text(*id) {
                Some(text) => Ok(Label::Text(text.to_owned())),
                None => Err(object.refuse("a class is of an unknown type")),
            },
        };
        return object
            .arena
            .items(list)
            .unwrap_or_default()
            .iter()
            .map(label)
            .collect();
    }
    if array.data_type.kind == Kind::Text {
        let texts = texts(object.arena, array).unwrap_or_default();
        return Ok(texts.into_iter().map(Label::Text).collect());
    }
    let is_boolean = array.data_type.kind == Kind::Boolean;
    let label = |number: Number| match number {
        Number::Integer(value) if is_boolean => boolean(value != 0),
        Number::Integer(value) => Label::Integer(value),
        Number::Unsigned(value) => Label::Integer(value as i64),
        Number::Float(value) => real(value),
    };
    Ok(array.numbers()?.into_iter().map(label).collect())
}

/// The task of a classifier with probabilities: of two classes, that of the second.
fn classes(object: &Object) -> Result<(Task, usize)> {
    let labels = labels(object)?;
    let count = labels.len();
    let task = match <[Label; 2]>::try_from(labels) {
        Ok(labels) => Task::Binary {
            labels,
            threshold: ABOVE_HALF,
        },
        Err(labels) => Task::Classes {
            labels,
            probabilities: true,
        },
    };
    if count < 2 {
        return Err(object.refuse("a classifier of one class is not supported"));
    }
    Ok((task, count))
}

/// Coefficients and intercepts, one row an output.
fn coefficients(object: &Object, count: usize) -> Result<(Matrix, Vec<f64>)> {
    let matrix = object.matrix("coef_")?;
    if matrix.columns != count {
        return Err(object.refuse(&format!(
            "it has coefficients of {} columns and is given {count}",
            matrix.columns
        )));
    }
    let mut intercepts = object.reals("intercept_")?;
    if intercepts.len() == 1 {
        intercepts = vec![intercepts[0]; matrix.rows];
    }
    if intercepts.len() != matrix.rows || matrix.rows == 0 {
        return Err(object.refuse("its intercepts do not fit its coefficients"));
    }
    Ok((matrix, intercepts))
}

fn linear(object: &Object, count: usize, ending: RunResult) -> Result<(Engine, usize)> {
    let (matrix, intercepts) = coefficients(object, count)?;
    let rows = matrix.rows;
    Ok((
        Engine::Linear {
            intercepts,
            coefficients: matrix.values,
            ending,
        },
        rows,
    ))
}

fn regression(object: &Object, count: usize, link: Link) -> Result<Fitted> {
    let (engine, outputs) = linear(object, count, RunResult::None)?;
    let task = match outputs {
        1 => Task::Value,
        _ => Task::Values((0..outputs).map(|output| output.to_string()).collect()),
    };
    Ok(Fitted {
        engine,
        task,
        link,
        takes_missing: false,
    })
}

/// How probabilities come of a classifier's margins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Odds {
    /// There are none.
    None,
    /// The logistic function of two classes, softmax of several.
    Softmax,
    /// The logistic function of each class, divided by the sum.
    EachAlone,
    /// Softmax of two classes, too, as (−z, z).
    Both,
}

fn logistic(object: &Object, count: usize) -> Result<Fitted> {
    let (way, two) = (object.text("multi_class"), labels(object)?.len() <= 2);
    let odds = match way {
        "ovr" | "warn" => Odds::EachAlone,
        "multinomial" if two => Odds::Both,
        "multinomial" => Odds::Softmax,
        _ if object.text("solver") == "liblinear" => Odds::EachAlone,
        _ => Odds::Softmax,
    };
    classification(object, count, odds)
}

fn classification(object: &Object, count: usize, odds: Odds) -> Result<Fitted> {
    let labels = labels(object)?;
    let two = labels.len() == 2;
    let ending = match odds {
        Odds::None if two => RunResult::BothSides,
        Odds::EachAlone if !two => RunResult::EachAlone,
        _ => RunResult::None,
    };
    let (engine, rows) = linear(object, count, ending)?;
    if rows != if two { 1 } else { labels.len() } {
        return Err(object.refuse("its coefficients do not fit its classes"));
    }
    let (task, link) = match odds {
        Odds::None => (
            Task::Classes {
                labels,
                probabilities: false,
            },
            Link::Identity,
        ),
        Odds::Both => (classes(object)?.0, Link::Logistic { slope: 2.0 }),
        _ if two => (classes(object)?.0, Link::Logistic { slope: 1.0 }),
        Odds::EachAlone => (classes(object)?.0, Link::Identity),
        Odds::Softmax => (classes(object)?.0, Link::Softmax),
    };
    Ok(Fitted {
        engine,
        task,
        link,
        takes_missing: false,
    })
}

/// Fails if trees share their nodes: each is laid out on its own, so a small file could make a
/// large forest.
fn not_repeated(object: &Object, members: &[Object], tree: &str) -> Result<()> {
    /// What an inflated archive may hold more than its file.
    const INFLATED: usize = 16;
    let mut bytes = 0_usize;
    for member in members {
        let holder = if tree.is_empty() {
            member.clone()
        } else {
            member.attribute(tree)?
        };
        let nodes = holder.array("nodes")?;
        bytes = bytes.saturating_add(nodes.len().saturating_mul(nodes.data_type.size));
    }
    if bytes > object.arena.file_bytes().saturating_mul(INFLATED) {
        return Err(Error::failed("the file repeats its trees over and over")
            .hint("no library writes such a file: do not trust where it is from"));
    }
    Ok(())
}

fn frame(feature_count: usize, base: Vec<f64>) -> Frame {
    Frame {
        precision: Precision::Double,
        feature_count,
        base,
        scale: 1.0,
        bias: Vec::new(),
    }
}

/// Trees whose answers are averaged, or one tree.
fn averaged(object: &Object, count: usize) -> Result<Fitted> {
    let (package, name) = object.class();
    let is_classifier = name.ends_with("Classifier");
    let members = if package == "tree" {
        vec![object.clone()]
    } else {
        let list = object.list("estimators_")?.iter().enumerate();
        list.map(|(index, id)| object.part(&format!("estimators_[{index}]"), *id))
            .collect::<Result<Vec<_>>>()?
    };
    if members.is_empty() {
        return Err(object.refuse("it has no trees"));
    }
    let (task, width) = if is_classifier {
        classes(object)?
    } else {
        (Task::Value, 1)
    };
    // Up to 1.3 a leaf of a classifier holds weights, since 1.4 fractions.
    let has_weights = is_classifier && !object.is_since(1, 4);
    let leaf = |values: &[f64]| -> Vec<f64> {
        let used = &values[..values.len().min(width)];
        let sum: f64 = used.iter().sum();
        let sum = if sum == 0.0 || !has_weights { 1.0 } else { sum };
        let share = |value: &f64| if has_weights { value / sum } else { *value };
        match width {
            2 => used.get(1).map(share).into_iter().collect(),
            _ => used.iter().map(share).collect(),
        }
    };
    not_repeated(object, &members, "tree_")?;
    let margins = if width == 2 { 1 } else { width };
    let target = if margins == 1 {
        Target::Margin(0)
    } else {
        Target::All
    };
    let trees = members
        .iter()
        .map(|member| of_estimator(member, count, target, leaf));
    let forest = Forest::new(&frame(count, vec![0.0; margins]), trees)?;
    let takes_missing = match name {
        "DecisionTreeClassifier" | "DecisionTreeRegressor" => object.is_since(1, 3),
        "RandomForestClassifier" | "RandomForestRegressor" => object.is_since(1, 4),
        _ => object.is_since(1, 6),
    };
    let divisor = members.len() as f64;
    let engine = Engine::Forest {
        forest: Box::new(forest),
        rounds: true,
        divisor,
    };
    Ok(Fitted {
        engine,
        task,
        link: Link::Identity,
        takes_missing,
    })
}

/// Where gradient boosting starts: what its first estimator says, as a margin.
fn start(object: &Object, width: usize, classes: usize) -> Result<Vec<f64>> {
    if object.text("init") == "zero" {
        return Ok(vec![0.0; width]);
    }
    let first = object.attribute("init_")?;
    let clipped = |value: f64| value.clamp(EPSILON, 1.0 - EPSILON);
    match first.class() {
        ("dummy", "DummyRegressor") => first.reals("constant_"),
        ("dummy", "DummyClassifier") if first.text("strategy") == "prior" => {
            let prior = first.reals("class_prior_")?;
            if prior.len() != classes {
                return Err(first.refuse("its classes are not those of the boosting"));
            }
            if width == 1 {
                let positive = clipped(prior[1]);
                let odds = (positive / (1.0 - positive)).ln();
                let is_exponential = object.text("loss") == "exponential";
                return Ok(vec![if is_exponential { 0.5 * odds } else { odds }]);
            }
            let logs: Vec<f64> = prior.into_iter().map(|prior| clipped(prior).ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            let centre = if object.is_since(1, 4) { mean } else { 0.0 };
            Ok(logs.into_iter().map(|log| log - centre).collect())
        }
        _ => Err(first.refuse("gradient boosting that starts from it is not supported")),
    }
}

fn boosted(object: &Object, count: usize) -> Result<Fitted> {
    let is_classifier = object.class().1.ends_with("Classifier");
    let (task, class_count) = if is_classifier {
        classes(object)?
    } else {
        (Task::Value, 1)
    };
    let width = if class_count == 2 { 1 } else { class_count };
    let base = start(object, width, class_count)?;
    if base.len() != width {
        return Err(object.refuse("it starts from more or fewer values than it has outputs"));
    }
    let rate = object.real("learning_rate")?;
    let list = object.list("estimators_")?;
    if list.is_empty() || !list.len().is_multiple_of(width) {
        return Err(Error::failed("its trees do not make whole stages"));
    }
    let member = |(index, id): (usize, &_)| {
        let (stage, output) = (index / width, index % width);
        object.part(&format!("estimators_[{stage}, {output}]"), *id)
    };
    let members = list.iter().enumerate().map(member);
    let members = members.collect::<Result<Vec<_>>>()?;
    not_repeated(object, &members, "tree_")?;
    let trees = members.iter().enumerate().map(|(index, member)| {
        let target = Target::Margin((index % width) as u32);
        of_estimator(member, count, target, |values| vec![rate * values[0]])
    });
    let forest = Forest::new(&frame(count, base), trees)?;
    let link = match (class_count, object.text("loss")) {
        (1, _) => Link::Identity,
        (2, "exponential") => Link::Logistic { slope: 2.0 },
        (2, _) => Link::Logistic { slope: 1.0 },
        _ => Link::Softmax,
    };
    let engine = Engine::Forest {
        forest: Box::new(forest),
        rounds: true,
        divisor: 1.0,
    };
    Ok(Fitted {
        engine,
        task,
        link,
        takes_missing: false,
    })
}

fn histogram_boosted(object: &Object, count: usize) -> Result<Fitted> {
    if object.find("_preprocessor").is_some() {
        return Err(object.refuse("categorical features are not supported"));
    }
    let is_classifier = object.class().1.ends_with("Classifier");
    let (task, class_count) = if is_classifier {
        classes(object)?
    } else {
        (Task::Value, 1)
    };
    let width = if class_count == 2 { 1 } else { class_count };
    let base = object.reals("_baseline_prediction")?;
    if base.len() != width {
        return Err(object.refuse("it starts from more or fewer values than it has outputs"));
    }
    let mut trees = Vec::new();
    for (round, stage) in object.list("_predictors")?.iter().enumerate() {
        let stage = object.arena.items(*stage).unwrap_or_default();
        if stage.len() != width {
            return Err(Error::failed("its trees do not make whole stages"));
        }
        for (output, id) in stage.iter().enumerate() {
            trees.push((
                object.part(&format!("_predictors[{round}][{output}]"), *id)?,
                output,
            ));
        }
    }
    let members: Vec<Object> = trees.iter().map(|(tree, _)| tree.clone()).collect();
    not_repeated(object, &members, "")?;
    let trees = trees
        .iter()
        .map(|(tree, output)| of_predictor(tree, count, Target::Margin(*output as u32)));
    let forest = Forest::new(&frame(count, base), trees)?;
    let link = match (class_count, object.text("loss")) {
        (1, "poisson" | "gamma") => Link::Exponential,
        (1, _) => Link::Identity,
        (2, _) => Link::Logistic { slope: 1.0 },
        _ => Link::Softmax,
    };
    let engine = Engine::Forest {
        forest: Box::new(forest),
        rounds: false,
        divisor: 1.0,
    };
    Ok(Fitted {
        engine,
        task,
        link,
        takes_missing: true,
    })
}
