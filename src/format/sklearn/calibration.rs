//! Calibrated probabilities and thresholds on them.
//!
//! Sources: `sklearn/calibration.py`, `isotonic.py` and
//! `model_selection/_classification_threshold.py` of 0.24 to 1.9.

use super::answer::{Answer, answer};
use super::column::{Column, Step};
use super::engine::Engine;
use super::fitted::{Finished, Fitted, same_count};
use super::formula::{Formula, interpolated, interpolated_single, logistic, softmax};
use super::inputs::{Inputs, numbers};
use super::labels::labels;
use super::object::Object;
use super::steps::members;
use super::vote::shown_probabilities;
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

/// The estimator in a calibrated one; none for other objects.
pub(super) fn inner<'a>(object: &Object<'a>) -> Result<Option<Object<'a>>> {
    if object.class() != ("calibration", "_CalibratedClassifier") {
        return Ok(None);
    }
    // Both are there where one was renamed.
    let name = ["estimator", "base_estimator"]
        .into_iter()
        .find(|name| {
            object
                .find(name)
                .is_some_and(|id| object.arena.record(id).is_some())
        })
        .unwrap_or("estimator");
    object.attribute(name).map(Some)
}

/// `CalibratedClassifierCV`: the mean over its calibrated classifiers.
pub(super) fn calibrated(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let labels = labels(object)?;
    let width = labels.len();
    if width < 2 {
        return Err(object.refuse("a classifier of one class is not supported"));
    }
    let members = members(object, "calibrated_classifiers_")?;
    let mut all = Vec::new();
    for member in &members {
        all.extend(one(member, &labels, columns, inputs)?);
    }
    let mean = Formula::mean(vec![1.0; members.len()], width);
    let mean = inputs.push(all, Engine::Formula(mean));
    Ok(shown_probabilities(mean, labels))
}

/// The calibrated probabilities of one classifier.
fn one(
    object: &Object,
    labels: &[Label],
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let width = labels.len();
    let estimator = inner(object)?.ok_or_else(|| object.unknown())?;
    let (mut read, are_decisions) = match inputs.decisions(&estimator, columns)? {
        Some(read) => (read, true),
        None => (
            answer(&estimator, columns, inputs)?
                .probabilities(inputs)
                .ok_or_else(|| estimator.refuse("it has neither decisions nor probabilities"))?,
            false,
        ),
    };
    let calibrators = if object.find("calibrators").is_some() {
        "calibrators"
    } else {
        "calibrators_"
    };
    if object.text("method") == "temperature" {
        let scaling = members(object, calibrators)?.swap_remove(0);
        return temperature(&scaling, read, are_decisions, width, inputs);
    }
    if width == 2 && read.len() == 2 {
        read.drain(..1);
    }
    let calibrators = members(object, calibrators)?;
    let expected = if width == 2 { 1 } else { width };
    if calibrators.len() != expected || read.len() != expected {
        return Err(object.refuse("its calibrators do not fit its classes"));
    }
    let mut made = Vec::new();
    for (calibrator, column) in calibrators.iter().zip(read) {
        made.push(column.then([step(calibrator)?]));
    }
    let near_one = |value: f64| {
        if value > 1.0 && value <= 1.0 + 1e-5 {
            1.0
        } else {
            value
        }
    };
    if let ([positive], true) = (made.as_slice(), width == 2) {
        let negative = positive
            .clone()
            .then([Step::Multiply(-1.0), Step::Add(1.0)]);
        let both = [negative, positive.clone()];
        return Ok(both
            .map(|one| one.then([Step::Function(near_one)]))
            .to_vec());
    }
    let shares = inputs.push(made, Engine::Formula(Formula::shares(width)));
    Ok(shares
        .into_iter()
        .map(|one| one.then([Step::Function(near_one)]))
        .collect())
}

/// What a calibrator does to a decision.
fn step(calibrator: &Object) -> Result<Step> {
    match calibrator.class() {
        ("calibration", "_SigmoidCalibration") => {
            let (slope, start) = (calibrator.real("a_")?, calibrator.real("b_")?);
            Ok(Step::mapping(move |value| {
                logistic(-(slope * value + start))
            }))
        }
        ("isotonic", "IsotonicRegression") => isotonic(calibrator),
        _ => Err(calibrator.unknown()),
    }
}

/// `IsotonicRegression` of one column.
pub(super) fn regression(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    same_count(object, 1, columns.len())?;
    numbers(object, columns, inputs)?;
    inputs.reject_missing(columns);
    let step = isotonic(object)?;
    let made = columns
        .iter()
        .map(|column| column.clone().then([step.clone()]));
    Ok((made.collect(), Fitted::columns(Task::Value)))
}

/// `IsotonicRegression`: linear between its thresholds, in their precision; one threshold is the
/// answer for every row.
pub(super) fn isotonic(object: &Object) -> Result<Step> {
    let thresholds = object.array("X_thresholds_")?;
    let is_single = thresholds.data_type.size == 4;
    let knots = object.reals("X_thresholds_")?;
    let values = object.reals("y_thresholds_")?;
    if knots.is_empty() || knots.len() != values.len() {
        return Err(object.refuse("its thresholds do not fit its values"));
    }
    let (low, high) = (object.real("X_min_")?, object.real("X_max_")?);
    if low.is_nan() || high.is_nan() {
        return Err(object.refuse("`X_min_` or `X_max_` is not a number"));
    }
    let clips = object.text("out_of_bounds") == "clip";
    if object.text("out_of_bounds") == "raise" {
        return Err(object.refuse("`out_of_bounds=\"raise\"` is not supported"));
    }
    let single = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
    let (single_knots, single_values): (Vec<f32>, Vec<f32>) = (single(&knots), single(&values));
    Ok(Step::mapping(move |value| {
        let value = if is_single {
            f64::from(value as f32)
        } else {
            value
        };
        if value.is_nan() {
            return f64::NAN;
        }
        if let [constant] = values[..] {
            return constant;
        }
        if !clips && (value < low || value > high) {
            return f64::NAN;
        }
        let value = value.clamp(low.min(high), high.max(low));
        if is_single {
            let found = interpolated_single(value as f32, &single_knots, &single_values);
            return f64::from(found);
        }
        interpolated(value, &knots, &values)
    }))
}

/// Temperature scaling (since 1.8): softmax of the logits times a factor.
fn temperature(
    object: &Object,
    read: Vec<Column>,
    are_decisions: bool,
    width: usize,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    if object.class() != ("calibration", "_TemperatureScaling") {
        return Err(object.unknown());
    }
    let factor = object.real("beta_")?;
    let formula = Formula::new("pipeline", width, 1, move |values, output| {
        match (values, are_decisions) {
            ([decision], _) => output.copy_from_slice(&[-decision, *decision]),
            (decisions, true) => output.copy_from_slice(decisions),
            (shares, false) => {
                for (to, share) in output.iter_mut().zip(shares) {
                    *to = (share + 1e-12).ln();
                }
            }
        }
        output.iter_mut().for_each(|value| *value *= factor);
        softmax(output);
    });
    Ok(inputs.push(read, Engine::Formula(formula)))
}

/// `TunedThresholdClassifierCV` and `FixedThresholdClassifier`.
pub(super) fn threshold(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    let is_fixed = object.class().1 == "FixedThresholdClassifier";
    let estimator = if object.find("estimator_").is_some() {
        object.attribute("estimator_")?
    } else {
        object.attribute("estimator")?
    };
    let own = answer(&estimator, columns, inputs)?;
    let pair = own
        .labels()
        .and_then(|labels| <[Label; 2]>::try_from(labels).ok())
        .ok_or_else(|| estimator.refuse("a threshold is for two classes"))?;
    let positive = positive_label(object, is_fixed);
    let is_first = positive.is_some_and(|positive| positive == pair[0].to_string());
    let name = if is_fixed {
        "threshold"
    } else {
        "best_threshold_"
    };
    let is_auto = object.text(name) == "auto";
    let method = object.text("response_method");
    let probability = if method == "decision_function" {
        None
    } else {
        positive_probability(&own, inputs)
    };
    if let Some(probability) = probability {
        let threshold = if is_auto { 0.5 } else { object.real(name)? };
        if is_first {
            let first = own.probabilities(inputs).unwrap_or_default();
            let first = first.into_iter().take(1);
            let predicted = first.map(|one| one.then([Step::AtLeast(threshold)]));
            let made = std::iter::once(probability).chain(predicted).collect();
            let [first, second] = pair;
            let shown = vec![
                Shown::number("probability"),
                Shown::label("prediction", vec![second, first]),
            ];
            return Ok((made, Fitted::columns(Task::Listed(shown))));
        }
        let task = Task::Binary {
            labels: pair,
            threshold,
        };
        return Ok((vec![probability], Fitted::columns(task)));
    }
    let mut decisions = inputs
        .decisions(&estimator, columns)?
        .ok_or_else(|| estimator.refuse("it has neither decisions nor probabilities"))?;
    let threshold = if is_auto { 0.0 } else { object.real(name)? };
    let mut decision = decisions.swap_remove(0);
    let mut labels = pair.to_vec();
    if is_first {
        decision = decision.then([Step::Multiply(-1.0)]);
        labels.reverse();
    }
    let mut shown = Vec::new();
    let mut made = Vec::new();
    if let Some(probability) = positive_probability(&own, inputs) {
        shown.push(Shown::number("probability"));
        made.push(probability);
    }
    shown.push(Shown::label("prediction", labels));
    made.push(decision.then([Step::AtLeast(threshold)]));
    Ok((made, Fitted::columns(Task::Listed(shown))))
}

fn positive_probability(own: &Answer, inputs: &mut Inputs) -> Option<Column> {
    own.probabilities(inputs)?.pop()
}

/// The label that is said to be the positive one.
fn positive_label(object: &Object, is_fixed: bool) -> Option<String> {
    let shown = |object: &Object, name: &str| {
        let id = object.find(name)?;
        if let Some(text) = object.arena.text(id) {
            return Some(text.to_owned());
        }
        super::object::real(object.arena, id).map(|value| value.to_string())
    };
    if is_fixed {
        return shown(object, "pos_label");
    }
    let scorer = object.attribute("_curve_scorer").ok()?;
    let arguments = scorer.attribute("_kwargs").ok()?;
    let id = arguments.arena.entry(arguments.id, "pos_label")?;
    arguments
        .arena
        .text(id)
        .map(str::to_owned)
        .or_else(|| super::object::real(arguments.arena, id).map(|value| value.to_string()))
}
