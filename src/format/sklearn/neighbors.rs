//! Nearest neighbours by brute force, which finds the same as scikit-learn's trees but for ties.
//!
//! Sources: `sklearn/neighbors/_classification.py`, `_regression.py`, `_nearest_centroid.py` and
//! `sklearn/metrics/_dist_metrics.pyx` of 0.24 to 1.9.

use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, largest, squared_distance};
use super::labels::labels;
use super::object::Object;
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

/// How far two rows are apart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Euclidean,
    Manhattan,
    Chebyshev,
    Minkowski(f64),
    Cosine,
}

impl Metric {
    fn of(object: &Object) -> Result<Self> {
        let name = object.text("effective_metric_");
        let name = if name.is_empty() {
            object.text("metric")
        } else {
            name
        };
        let parameter = || -> Result<f64> {
            let id = object.need("effective_metric_params_")?;
            let power = object.arena.entry(id, "p");
            let power = power.and_then(|id| super::object::real(object.arena, id));
            power.map_or_else(|| object.real("p"), Ok)
        };
        Ok(match name {
            "euclidean" | "l2" => Self::Euclidean,
            "manhattan" | "cityblock" | "l1" => Self::Manhattan,
            "chebyshev" => Self::Chebyshev,
            "cosine" => Self::Cosine,
            "minkowski" => match parameter()? {
                1.0 => Self::Manhattan,
                2.0 => Self::Euclidean,
                power => Self::Minkowski(power),
            },
            other => {
                return Err(object.refuse(&format!("the metric `{other}` is not supported")));
            }
        })
    }

    fn distance(self, one: &[f64], other: &[f64]) -> f64 {
        let differences = || {
            one.iter()
                .zip(other)
                .map(|(one, other)| (one - other).abs())
        };
        match self {
            Self::Euclidean => squared_distance(one, other).sqrt(),
            Self::Manhattan => differences().sum(),
            Self::Chebyshev => differences().fold(0.0, f64::max),
            Self::Minkowski(power) => differences()
                .map(|difference| difference.powf(power))
                .sum::<f64>()
                .powf(1.0 / power),
            Self::Cosine => {
                let norm = |row: &[f64]| super::formula::dot(row, row).sqrt();
                1.0 - super::formula::dot(one, other) / (norm(one) * norm(other))
            }
        }
    }
}

/// The rows of training.
#[derive(Debug)]
pub(super) struct Points {
    values: Vec<f64>,
    width: usize,
    metric: Metric,
}

impl Points {
    /// Reads the rows that an estimator keeps.
    ///
    /// # Errors
    /// A contract error for metrics that are not known; fails for shapes that do not fit.
    pub(super) fn new(object: &Object, count: usize) -> Result<Self> {
        if object.arena.array(object.need("_fit_X")?).is_none() {
            return Err(object.refuse("it was fitted on a sparse matrix, which is not supported"));
        }
        let points = object.matrix("_fit_X")?;
        same_count(object, points.columns, count)?;
        if points.rows == 0 {
            return Err(object.refuse("it was fitted on no rows"));
        }
        Ok(Self {
            values: points.values,
            width: count.max(1),
            metric: Metric::of(object)?,
        })
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.width
    }

    fn distances(&self, values: &[f64]) -> Vec<(usize, f64)> {
        let points = self.values.chunks_exact(self.width).enumerate();
        points
            .map(|(index, point)| (index, self.metric.distance(values, point)))
            .collect()
    }

    /// The nearest rows and their distances, the nearest first; of several as near the first.
    pub(super) fn nearest(&self, values: &[f64], count: usize) -> Vec<(usize, f64)> {
        let order = |one: &(usize, f64), other: &(usize, f64)| {
            one.1.total_cmp(&other.1).then(one.0.cmp(&other.0))
        };
        let mut all = self.distances(values);
        if count < all.len() {
            all.select_nth_unstable_by(count, order);
            all.truncate(count);
        }
        all.sort_unstable_by(order);
        all
    }

    /// The rows within a radius.
    fn within(&self, values: &[f64], radius: f64) -> Vec<(usize, f64)> {
        let mut all = self.distances(values);
        all.retain(|(_, distance)| *distance <= radius);
        all
    }
}

/// Which rows are neighbours, and what each weighs.
struct Neighbourhood {
    points: Points,
    count: Option<usize>,
    radius: f64,
    by_distance: bool,
}

impl Neighbourhood {
    fn new(object: &Object, count: usize) -> Result<Self> {
        let by_distance = match object.text("weights") {
            "uniform" => false,
            "distance" => true,
            _ if object.find("weights").is_none() => false,
            _ => return Err(object.refuse("weights by a function are not supported")),
        };
        let by_radius = object.class().1.starts_with("Radius");
        Ok(Self {
            points: Points::new(object, count)?,
            count: if by_radius {
                None
            } else {
                Some(object.real("n_neighbors")? as usize)
            },
            radius: if by_radius {
                object.real("radius")?
            } else {
                0.0
            },
            by_distance,
        })
    }

    /// The neighbours of a row and their weights.
    fn of(&self, values: &[f64]) -> Vec<(usize, f64)> {
        let mut found = match self.count {
            Some(count) => self.points.nearest(values, count),
            None => self.points.within(values, self.radius),
        };
        let touches = found.iter().any(|(_, distance)| *distance == 0.0);
        for (_, distance) in &mut found {
            *distance = match (self.by_distance, touches) {
                (false, _) => 1.0,
                (true, true) => f64::from(u8::from(*distance == 0.0)),
                (true, false) => 1.0 / *distance,
            };
        }
        found
    }
}

/// Any estimator of neighbours.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    match object.class().1 {
        "KNeighborsClassifier" | "RadiusNeighborsClassifier" => classifier(object, count),
        "KNeighborsRegressor" | "RadiusNeighborsRegressor" => regressor(object, count),
        "NearestCentroid" => centroid(object, count),
        _ => Err(object.unknown()),
    }
}

fn classifier(object: &Object, count: usize) -> Result<Fitted> {
    if object.flag("outputs_2d_") {
        return Err(object.refuse("several outputs of classes are not supported"));
    }
    let labels = labels(object)?;
    let classes: Vec<usize> = object
        .reals("_y")?
        .into_iter()
        .map(|class| class as usize)
        .collect();
    let neighbourhood = Neighbourhood::new(object, count)?;
    let width = labels.len();
    if classes.len() != neighbourhood.points.len() || classes.iter().any(|one| *one >= width) {
        return Err(object.refuse("its classes do not fit its rows"));
    }
    if object.class().1.starts_with("Radius") && object.find("outlier_label").is_some() {
        return Err(object.refuse("`outlier_label` is not supported"));
    }
    let numbers = neighbourhood.points.values.len() + classes.len();
    let outputs = if width == 2 { 2 } else { width + 1 };
    let formula = Formula::new("neighbors", outputs, numbers, move |values, output| {
        let mut weights = vec![0.0; width];
        for (index, weight) in neighbourhood.of(values) {
            weights[classes[index]] += weight;
        }
        let sum: f64 = weights.iter().sum();
        let class = if sum > 0.0 {
            largest(&weights) as f64
        } else {
            f64::NAN
        };
        weights.iter_mut().for_each(|weight| *weight /= sum);
        if width == 2 {
            output.copy_from_slice(&[weights[1], class]);
        } else {
            output[0] = class;
            output[1..].copy_from_slice(&weights);
        }
    });
    Ok(Fitted::plain(Engine::Formula(formula), with_label(labels)))
}

/// The label, then the probabilities of all classes, or that of the second of two.
fn with_label(labels: Vec<Label>) -> Task {
    if labels.len() == 2 {
        return Task::Listed(vec![
            Shown::number("probability"),
            Shown::label("prediction", labels),
        ]);
    }
    let names = labels.iter().map(|label| format!("probability_{label}"));
    let odds: Vec<Shown> = names.map(Shown::number).collect();
    let mut shown = vec![Shown::label("prediction", labels)];
    shown.extend(odds);
    Task::Listed(shown)
}

fn regressor(object: &Object, count: usize) -> Result<Fitted> {
    let targets = object.array("_y")?;
    let width = match *targets.shape {
        [_, width] => width.max(1),
        _ => 1,
    };
    let targets = targets.reals()?;
    let neighbourhood = Neighbourhood::new(object, count)?;
    if targets.len() != neighbourhood.points.len() * width {
        return Err(object.refuse("its targets do not fit its rows"));
    }
    let numbers = neighbourhood.points.values.len() + targets.len();
    let formula = Formula::new("neighbors", width, numbers, move |values, output| {
        let mut sum = 0.0;
        for (index, weight) in neighbourhood.of(values) {
            sum += weight;
            for (to, target) in output.iter_mut().zip(&targets[index * width..]) {
                *to += target * weight;
            }
        }
        output.iter_mut().for_each(|value| *value /= sum);
    });
    let task = match width {
        1 => Task::Value,
        _ => Task::Values((0..width).map(|output| output.to_string()).collect()),
    };
    Ok(Fitted::plain(Engine::Formula(formula), task))
}

fn centroid(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let centroids = object.matrix("centroids_")?;
    same_count(object, centroids.columns, count)?;
    if centroids.rows != labels.len() {
        return Err(object.refuse("its centroids do not fit its classes"));
    }
    if object.find("class_prior_").is_some() {
        return centroid_with_odds(object, count, labels, centroids.values);
    }
    let metric = Metric::of(object)?;
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
fn centroid_with_odds(
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
    let metric = Metric::of(object)?;
    let task = with_label(labels);
    let outputs = if classes == 2 { 2 } else { classes + 1 };
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
        super::formula::softmax(&mut odds);
        if classes == 2 {
            output.copy_from_slice(&[odds[1], class as f64]);
        } else {
            output[0] = class as f64;
            output[1..].copy_from_slice(&odds);
        }
    });
    Ok(Fitted::plain(Engine::Formula(formula), task))
}

/// The distances to centres, with the sign turned, so that the nearest is the largest.
pub(super) fn nearest_of(
    centres: Vec<f64>,
    count: usize,
    distance: impl Fn(&[f64], &[f64]) -> f64 + Send + Sync + 'static,
) -> Formula {
    let count = count.max(1);
    let numbers = centres.len();
    Formula::new(
        "centres",
        numbers / count,
        numbers,
        move |values, output| {
            for (to, centre) in output.iter_mut().zip(centres.chunks_exact(count)) {
                *to = -distance(values, centre);
            }
        },
    )
}
