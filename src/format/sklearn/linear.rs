//! Linear models: coefficients, intercepts and the ways that probabilities come of their margins.
//!
//! Sources: the `predict_proba`, `decision_function` and `predict` methods of scikit-learn's linear
//! models, 0.24 to 1.9.

use super::column::Column;
use super::engine::{Engine, Finish};
use super::fitted::{Finished, Fitted, same_count};
use super::formula::{Formula, dot, largest, share};
use super::inputs::{Inputs, numbers};
use super::labels::{classes, labels};
use super::multiple::multilabel;
use super::object::{Matrix, Object};
use crate::error::Result;
use crate::outcome::{Link, Shown, Task};

/// Coefficients and intercepts, one row an output.
pub(super) fn coefficients(object: &Object, count: usize) -> Result<(Matrix, Vec<f64>)> {
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

pub(super) fn linear(object: &Object, count: usize, ending: Finish) -> Result<(Engine, usize)> {
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

pub(super) fn regression(object: &Object, count: usize, link: Link) -> Result<Fitted> {
    let (engine, outputs) = linear(object, count, Finish::None)?;
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
pub(super) enum Odds {
    /// There are none.
    None,
    /// The logistic function of two classes, softmax of several.
    Softmax,
    /// The logistic function of each class, divided by the sum.
    EachAlone,
    /// Softmax of two classes, too, as (−z, z).
    Both,
}

pub(super) fn logistic(object: &Object, count: usize) -> Result<Fitted> {
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

pub(super) fn classification(object: &Object, count: usize, odds: Odds) -> Result<Fitted> {
    let labels = labels(object)?;
    let two = labels.len() == 2;
    let ending = match odds {
        Odds::None if two => Finish::BothSides,
        Odds::EachAlone if !two => Finish::EachAlone,
        _ => Finish::None,
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

/// Whether a linear classifier was fitted on several labels a row.
pub(super) fn has_several_labels(object: &Object) -> bool {
    let has_binarizer = object.find("_label_binarizer").is_some();
    let is_multilabel = |binarizer: Object| binarizer.text("y_type_").starts_with("multilabel");
    has_binarizer
        && object
            .attribute("_label_binarizer")
            .is_ok_and(is_multilabel)
}

/// `RidgeClassifier` of several labels: each that has a decision above 0.
pub(super) fn linear_labels(
    object: &Object,
    columns: &[Column],
    inputs: &mut Inputs,
) -> Result<Finished> {
    numbers(object, columns, inputs)?;
    inputs.reject_missing(columns);
    let labels = labels(object)?;
    let (engine, outputs) = linear(object, columns.len(), Finish::None)?;
    same_count(object, labels.len(), outputs)?;
    let scores = inputs.push_reading(columns.to_vec(), engine, true);
    Ok(multilabel(&labels, scores, &[0.0], Vec::new()))
}

/// `SGDClassifier` with the loss `modified_huber`: (clip(z, −1, 1) + 1) / 2, divided by the sum;
/// the class is that of the largest z.
pub(super) fn modified_huber(object: &Object, count: usize) -> Result<Fitted> {
    let (matrix, intercepts) = coefficients(object, count)?;
    let (task, class_count) = classes(object)?;
    let rows = if class_count == 2 { 1 } else { class_count };
    if matrix.rows != rows {
        return Err(object.refuse("its coefficients do not fit its classes"));
    }
    let (task, width) = match task {
        Task::Classes { labels, .. } => {
            let names = labels.iter().map(|label| format!("probability_{label}"));
            let odds: Vec<Shown> = names.map(Shown::number).collect();
            let mut shown = vec![Shown::label("prediction", labels)];
            shown.extend(odds);
            (Task::Listed(shown), rows + 1)
        }
        task => (task, 1),
    };
    let numbers = matrix.values.len();
    let formula = Formula::new("linear", width, numbers, move |values, output| {
        let own = matrix.values.chunks_exact(count.max(1));
        let margins = own.zip(&intercepts);
        let margins: Vec<f64> = margins
            .map(|(coefficients, intercept)| dot(values, coefficients) + intercept)
            .collect();
        let first = width - rows;
        for (to, margin) in output[first..].iter_mut().zip(&margins) {
            *to = f64::midpoint(margin.clamp(-1.0, 1.0), 1.0);
        }
        if first > 0 {
            share(&mut output[first..]);
            output[0] = largest(&margins) as f64;
        }
    });
    Ok(Fitted::plain(Engine::Formula(formula), task))
}
