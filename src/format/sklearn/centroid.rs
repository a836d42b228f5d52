//! `NearestCentroid`: the class of the nearest mean.
//!
//! Source: `sklearn/neighbors/_nearest_centroid.py` of 0.24 to 1.9.

use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, largest, softmax};
use super::labels::labels;
use super::metric::Metric;
use super::neighbors::{nearest_of, with_label};
use super::object::Object;
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

/// `NearestCentroid`.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let centroids = object.matrix("centroids_")?;
    same_count(object, centroids.columns, count)?;
    if centroids.rows != labels.len() {
        return Err(object.refuse("its centroids do not fit its classes"));
    }
    if object.find("class_prior_").is_some() {
        return with_odds(object, count, labels, centroids.values);
    }
    let metric = Metric::of(object, count)?;
    let formula = nearest_of(centroids.values, count, move |one, other| {
        metric.distance(one, other)
    });
    let task = Task::Classes {
        labels,
        probabilities: false,
    };
    Ok(Fitted::plain(Engine::Formula(formula), task))
}

/// `NearestCentroid` since 1.6: the nearest where all classes are as likely, else the largest
/// discriminant, whose softmax are the probabilities.
fn with_odds(
    object: &Object,
    count: usize,
    labels: Vec<Label>,
    centroids: Vec<f64>,
) -> Result<Fitted> {
    let (priors, mut scales) = (
        object.reals("class_prior_")?,
        object.reals("within_class_std_dev_")?,
    );
    let classes = labels.len();
    if priors.len() != classes || scales.len() != count {
        return Err(object.refuse("its priors do not fit its classes"));
    }
    scales
        .iter_mut()
        .filter(|scale| **scale == 0.0)
        .for_each(|scale| *scale = 1.0);
    let even = 1.0 / classes as f64;
    let is_even = priors
        .iter()
        .all(|prior| (prior - even).abs() <= 1e-8 + 1e-5 * even);
    let metric = Metric::of(object, count)?;
    // Other metrics have no probabilities.
    let has_odds = metric == Metric::Euclidean;
    let task = if has_odds {
        with_label(labels)
    } else {
        Task::Listed(vec![Shown::label("prediction", labels)])
    };
    let outputs = match classes {
        _ if !has_odds => 1,
        2 => 2,
        _ => classes + 1,
    };
    let numbers = centroids.len() + scales.len();
    let formula = Formula::new("neighbors", outputs, numbers, move |values, output| {
        let scaled = |row: &[f64]| -> Vec<f64> {
            row.iter()
                .zip(&scales)
                .map(|(value, scale)| value / scale)
                .collect()
        };
        let own = scaled(values);
        let rows = centroids.chunks_exact(count.max(1));
        let mut odds: Vec<f64> = rows
            .clone()
            .zip(&priors)
            .map(|(row, prior)| {
                let distance = metric.distance(&own, &scaled(row));
                -(distance * distance) + 2.0 * prior.ln()
            })
            .collect();
        let class = if is_even {
            let near: Vec<f64> = rows.map(|row| -metric.distance(values, row)).collect();
            largest(&near)
        } else {
            largest(&odds)
        };
        softmax(&mut odds);
        if !has_odds {
            output[0] = class as f64;
        } else if classes == 2 {
            output.copy_from_slice(&[odds[1], class as f64]);
        } else {
            output[0] = class as f64;
            output[1..].copy_from_slice(&odds);
        }
    });
    Ok(Fitted::plain(Engine::Formula(formula), task))
}
