//! Nearest neighbours by brute force, which finds the same as scikit-learn's trees but for ties.
//!
//! Sources: `sklearn/neighbors/_classification.py`, `_regression.py` of 0.24 to 1.9.

use std::sync::Arc;

use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, largest};
use super::labels::{label_of, labels};
use super::metric::Metric;
use super::object::Object;
use crate::error::Result;
use crate::model::trace;
use crate::outcome::{Label, Shown, Task};

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
        let points = object.matrix("_fit_X")?;
        same_count(object, points.columns, count)?;
        if points.rows == 0 {
            return Err(object.refuse("it was fitted on no rows"));
        }
        Ok(Self {
            values: points.values,
            width: count.max(1),
            metric: Metric::of(object, count)?,
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
pub(super) struct Neighbourhood {
    points: Points,
    count: Option<usize>,
    radius: f64,
    by_distance: bool,
    takes_missing: bool,
}

impl Neighbourhood {
    /// Reads the rows that an estimator keeps, and how it weighs them.
    ///
    /// # Errors
    /// Those of [`Points::new`]; a contract error for weights by a function.
    pub(super) fn new(object: &Object, count: usize) -> Result<Self> {
        let by_distance = match object.text("weights") {
            "uniform" => false,
            "distance" => true,
            _ if object.find("weights").is_none() => false,
            _ => return Err(object.refuse("weights by a function are not supported")),
        };
        let by_radius = object.class().1.starts_with("Radius");
        let points = Points::new(object, count)?;
        // Before, only the metric itself took them.
        let takes_missing = points.metric.takes_missing() && object.is_since(1, 6);
        Ok(Self {
            points,
            takes_missing,
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

    /// The rows of training.
    pub(super) fn row_count(&self) -> usize {
        self.points.len()
    }

    /// The numbers of the rows of training.
    pub(super) fn number_count(&self) -> usize {
        self.points.values.len()
    }

    /// Whether rows may have missing values.
    pub(super) fn takes_missing(&self) -> bool {
        self.takes_missing
    }

    /// The neighbours of a row and their distances.
    fn distances(&self, values: &[f64]) -> Vec<(usize, f64)> {
        match self.count {
            Some(count) => self.points.nearest(values, count),
            None => self.points.within(values, self.radius),
        }
    }

    /// The neighbours of a row and their distances, for explanations; `target` shows what a row of
    /// training is.
    fn notes(&self, values: &[f64], target: impl Fn(usize) -> String) -> Vec<trace::Step> {
        let found = self.distances(values);
        let which = match self.count {
            Some(count) => format!("{count} nearest"),
            None => format!("those within {}", self.radius),
        };
        let output = |(row, distance): &(usize, f64)| trace::Value {
            name: format!("row {row}: {}", target(*row)),
            value: distance.to_string(),
        };
        vec![trace::Step {
            name: "neighbours".to_owned(),
            operation: format!("distances, {which} of {} rows", self.points.len()),
            outputs: found.iter().map(output).collect(),
            ..trace::Step::default()
        }]
    }

    /// The neighbours of a row and their weights.
    pub(super) fn of(&self, values: &[f64]) -> Vec<(usize, f64)> {
        let mut found = self.distances(values);
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
        _ => Err(object.unknown()),
    }
}

fn classifier(object: &Object, count: usize) -> Result<Fitted> {
    let labels = labels(object)?;
    let classes: Vec<usize> = object
        .reals("_y")?
        .into_iter()
        .map(|class| class as usize)
        .collect();
    let neighbourhood = Arc::new(Neighbourhood::new(object, count)?);
    let width = labels.len();
    if classes.len() != neighbourhood.row_count() || classes.iter().any(|one| *one >= width) {
        return Err(object.refuse("its classes do not fit its rows"));
    }
    let mut shown = labels.clone();
    let outlier = outliers(object)?.and_then(|labels| labels.into_iter().next());
    let outlier = outlier.map(|label| {
        let found = shown.iter().position(|one| *one == label);
        found.unwrap_or_else(|| {
            shown.push(label);
            width
        })
    });
    let takes_missing = neighbourhood.takes_missing();
    let numbers = neighbourhood.number_count() + classes.len();
    let outputs = if width == 2 { 2 } else { width + 1 };
    let noted = (Arc::clone(&neighbourhood), classes.clone(), labels.clone());
    let formula = Formula::new("neighbors", outputs, numbers, move |values, output| {
        let mut weights = vec![0.0; width];
        for (index, weight) in neighbourhood.of(values) {
            weights[classes[index]] += weight;
        }
        let sum: f64 = weights.iter().sum();
        let class = match outlier {
            _ if sum > 0.0 => largest(&weights) as f64,
            Some(class) => class as f64,
            None => f64::NAN,
        };
        if sum > 0.0 || outlier.is_none() {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        } else if class < width as f64 {
            weights[class as usize] = 1.0;
        }
        if width == 2 {
            output.copy_from_slice(&[weights[1], class]);
        } else {
            output[0] = class;
            output[1..].copy_from_slice(&weights);
        }
    });
    let formula = formula.noting(move |values| {
        let (neighbourhood, classes, labels) = &noted;
        neighbourhood.notes(values, |row| labels[classes[row]].to_string())
    });
    Ok(Fitted {
        takes_missing,
        ..Fitted::plain(Engine::Formula(formula), with_labels(&labels, shown))
    })
}

/// The label of each output for rows without neighbours.
pub(super) fn outliers(object: &Object) -> Result<Option<Vec<Label>>> {
    if !object.class().1.starts_with("Radius") || object.find("outlier_label_").is_none() {
        return Ok(None);
    }
    let list = object.list("outlier_label_")?;
    if list.is_empty() {
        return Err(object.refuse("its `outlier_label_` is empty"));
    }
    let labels = list.iter().map(|id| label_of(object, *id));
    labels.collect::<Result<_>>().map(Some)
}

/// The label, then the probabilities of all classes, or that of the second of two.
pub(super) fn with_label(labels: Vec<Label>) -> Task {
    with_labels(&labels.clone(), labels)
}

/// The same, where more labels may be predicted than there are probabilities.
fn with_labels(classes: &[Label], predicted: Vec<Label>) -> Task {
    if classes.len() == 2 {
        return Task::Listed(vec![
            Shown::number("probability"),
            Shown::label("prediction", predicted),
        ]);
    }
    let names = classes.iter().map(|label| format!("probability_{label}"));
    let odds: Vec<Shown> = names.map(Shown::number).collect();
    let mut shown = vec![Shown::label("prediction", predicted)];
    shown.extend(odds);
    Task::Listed(shown)
}

fn regressor(object: &Object, count: usize) -> Result<Fitted> {
    let targets = object.array("_y")?;
    let width = match *targets.shape {
        [_, width] => width.max(1),
        _ => 1,
    };
    let targets: Arc<[f64]> = targets.reals()?.into();
    let neighbourhood = Arc::new(Neighbourhood::new(object, count)?);
    if targets.len() != neighbourhood.row_count() * width {
        return Err(object.refuse("its targets do not fit its rows"));
    }
    let takes_missing = neighbourhood.takes_missing();
    let numbers = neighbourhood.number_count() + targets.len();
    let noted = (Arc::clone(&neighbourhood), Arc::clone(&targets));
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
    let formula = formula.noting(move |values| {
        let (neighbourhood, targets) = &noted;
        neighbourhood.notes(values, |row| {
            let own = targets[row * width..(row + 1) * width].iter();
            own.map(f64::to_string).collect::<Vec<_>>().join(", ")
        })
    });
    let task = match width {
        1 => Task::Value,
        _ => Task::Values((0..width).map(|output| output.to_string()).collect()),
    };
    Ok(Fitted {
        takes_missing,
        ..Fitted::plain(Engine::Formula(formula), task)
    })
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
