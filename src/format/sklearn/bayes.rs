//! Naive Bayes: sums of log probabilities, normalised.
//!
//! Source: `sklearn/naive_bayes.py` of 0.24 to 1.9.

use super::engine::{Engine, Finish};
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, dot};
use super::labels::{labels, task_of};
use super::object::{Matrix, Object, reals};
use crate::error::Result;
use crate::outcome::{Label, Link};

/// Any of the five.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let width = labels.len();
    let formula = match object.class().1 {
        "GaussianNB" => gaussian(object, count, width)?,
        "MultinomialNB" => return products(object, count, labels, true),
        "ComplementNB" => return products(object, count, labels, width == 1),
        "BernoulliNB" => bernoulli(object, count, width)?,
        "CategoricalNB" => categorical(object, width)?,
        _ => return Err(object.unknown()),
    };
    Ok(of_classes(formula, labels))
}

/// Softmax of what a formula makes for each class.
pub(super) fn of_classes(formula: Formula, labels: Vec<Label>) -> Fitted {
    let (formula, link) = if labels.len() == 2 {
        (formula.difference(), Link::Logistic { slope: 1.0 })
    } else {
        (formula, Link::Softmax)
    };
    Fitted {
        link,
        ..Fitted::plain(Engine::Formula(formula), task_of(labels))
    }
}

/// A matrix with one row a class and one column a feature.
fn table(object: &Object, name: &str, count: usize, width: usize) -> Result<Matrix> {
    let matrix = object.matrix(name)?;
    same_count(object, matrix.columns, count)?;
    if matrix.rows != width {
        return Err(object.refuse(&format!("`{name}` does not fit its classes")));
    }
    Ok(matrix)
}

/// One number a class.
pub(super) fn by_class(object: &Object, name: &str, width: usize) -> Result<Vec<f64>> {
    let values = object.reals(name)?;
    if values.len() != width {
        return Err(object.refuse(&format!("`{name}` does not fit its classes")));
    }
    Ok(values)
}

fn gaussian(object: &Object, count: usize, width: usize) -> Result<Formula> {
    let means = table(object, "theta_", count, width)?.values;
    // Up to 0.24 it is called `sigma_`.
    let variances = if object.find("var_").is_some() {
        "var_"
    } else {
        "sigma_"
    };
    let variances = table(object, variances, count, width)?.values;
    let priors = by_class(object, "class_prior_", width)?;
    let starts: Vec<f64> = variances
        .chunks_exact(count.max(1))
        .zip(&priors)
        .map(|(own, prior)| {
            let logs = own
                .iter()
                .map(|one| (2.0 * std::f64::consts::PI * one).ln());
            prior.ln() - 0.5 * logs.sum::<f64>()
        })
        .collect();
    let numbers = 2 * means.len();
    Ok(Formula::new(
        "bayes",
        width,
        numbers,
        move |values, output| {
            for (class, to) in output.iter_mut().enumerate() {
                let own = class * count..(class + 1) * count;
                let parts = values.iter().zip(&means[own.clone()]).zip(&variances[own]);
                let sum: f64 = parts
                    .map(|((value, mean), variance)| (value - mean) * (value - mean) / variance)
                    .sum();
                *to = starts[class] - 0.5 * sum;
            }
        },
    ))
}

fn products(object: &Object, count: usize, labels: Vec<Label>, has_prior: bool) -> Result<Fitted> {
    let width = labels.len();
    let mut coefficients = table(object, "feature_log_prob_", count, width)?.values;
    let mut intercepts = if has_prior {
        by_class(object, "class_log_prior_", width)?
    } else {
        vec![0.0; width]
    };
    let mut link = Link::Softmax;
    if width == 2 {
        let (first, second) = coefficients.split_at(count);
        coefficients = second
            .iter()
            .zip(first)
            .map(|(one, other)| one - other)
            .collect();
        intercepts = vec![intercepts[1] - intercepts[0]];
        link = Link::Logistic { slope: 1.0 };
    }
    let engine = Engine::Linear {
        intercepts,
        coefficients,
        ending: Finish::None,
    };
    Ok(Fitted {
        link,
        ..Fitted::plain(engine, task_of(labels))
    })
}

fn bernoulli(object: &Object, count: usize, width: usize) -> Result<Formula> {
    let logs = table(object, "feature_log_prob_", count, width)?.values;
    let priors = by_class(object, "class_log_prior_", width)?;
    let others: Vec<f64> = logs.iter().map(|log| (1.0 - log.exp()).ln()).collect();
    let slopes: Vec<f64> = logs
        .iter()
        .zip(&others)
        .map(|(log, other)| log - other)
        .collect();
    let starts: Vec<f64> = others
        .chunks_exact(count.max(1))
        .zip(&priors)
        .map(|(own, prior)| prior + own.iter().sum::<f64>())
        .collect();
    let threshold = match object.find("binarize") {
        Some(_) => Some(object.real("binarize")?),
        None => None,
    };
    Ok(Formula::new(
        "bayes",
        width,
        slopes.len(),
        move |values, output| {
            let read: Vec<f64> = values
                .iter()
                .map(|value| {
                    threshold.map_or(*value, |threshold| f64::from(u8::from(*value > threshold)))
                })
                .collect();
            let rows = slopes.chunks_exact(count.max(1));
            for ((to, own), start) in output.iter_mut().zip(rows).zip(&starts) {
                *to = dot(&read, own) + start;
            }
        },
    ))
}

/// A category that training did not see is an error in scikit-learn: it becomes NaN here.
fn categorical(object: &Object, width: usize) -> Result<Formula> {
    let mut tables = Vec::new();
    for id in object.list("feature_log_prob_")? {
        let values = reals(object.arena, *id)
            .filter(|values| !values.is_empty() && values.len().is_multiple_of(width.max(1)));
        tables.push(values.ok_or_else(|| object.refuse("its tables do not fit its classes"))?);
    }
    let priors = by_class(object, "class_log_prior_", width)?;
    let numbers = tables.iter().map(Vec::len).sum();
    Ok(Formula::new(
        "bayes",
        width,
        numbers,
        move |values, output| {
            output.copy_from_slice(&priors);
            for (value, table) in values.iter().zip(&tables) {
                let categories = table.len() / width;
                let category = (*value >= 0.0).then_some(*value as usize);
                for (class, to) in output.iter_mut().enumerate() {
                    *to += category
                        .filter(|category| *category < categories)
                        .map_or(f64::NAN, |category| table[class * categories + category]);
                }
            }
        },
    ))
}
