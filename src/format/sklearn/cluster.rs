//! Clusterings and mixtures: `prediction` is the cluster, mixtures add probabilities.
//!
//! Sources: `sklearn/cluster/_kmeans.py`, `_bisect_k_means.py`, `_birch.py`, and
//! `mixture/_gaussian_mixture.py`, `_bayesian_mixture.py` of 0.24 to 1.9.

use std::collections::HashSet;

use super::bayes::of_classes;
use super::column::Column;
use super::engine::Engine;
use super::fitted::{Fitted, same_count};
use super::formula::{Formula, dot, squared_distance};
use super::inputs::{Inputs, bytes_limit};
use super::neighbors::nearest_of;
use super::object::{Matrix, Object, positions, reals};
use crate::error::Result;
use crate::outcome::{Label, Shown, Task};

/// The most nodes of a tree of clusters.
const NODES_LIMIT: usize = 1 << 20;

/// Any clustering that assigns new rows.
pub(super) fn fitted(object: &Object, count: usize) -> Result<Fitted> {
    match object.class() {
        ("cluster", "KMeans" | "MiniBatchKMeans" | "MeanShift" | "AffinityPropagation") => {
            centres(object, count)
        }
        ("cluster", "Birch") => subclusters(object, count),
        ("cluster", "BisectingKMeans") => bisected(object, count),
        ("mixture", "GaussianMixture" | "BayesianGaussianMixture") => mixture(object, count),
        _ => Err(object.unknown()),
    }
}

fn numbered(count: usize) -> Vec<Label> {
    (0..count as i64).map(Label::Integer).collect()
}

/// The centres of an attribute, of which there is at least one.
fn centres_of(object: &Object, name: &str, count: usize) -> Result<Matrix> {
    let centres = object.matrix(name)?;
    same_count(object, centres.columns, count)?;
    if centres.rows == 0 {
        return Err(object.refuse(&format!("`{name}` has no rows")));
    }
    Ok(centres)
}

fn centres(object: &Object, count: usize) -> Result<Fitted> {
    let centres = centres_of(object, "cluster_centers_", count)?;
    let labels = numbered(centres.rows);
    let formula = nearest_of(centres.values, count, squared_distance);
    let task = Task::Classes {
        labels,
        probabilities: false,
    };
    Ok(Fitted::plain(Engine::Formula(formula), task))
}

/// `Birch`: the label of the nearest subcluster.
fn subclusters(object: &Object, count: usize) -> Result<Fitted> {
    let centres = centres_of(object, "subcluster_centers_", count)?;
    let labels = positions(object.arena, object.need("subcluster_labels_")?);
    let labels = labels.filter(|labels| {
        labels.len() == centres.rows && labels.iter().all(|label| *label < centres.rows)
    });
    let labels = labels.ok_or_else(|| object.refuse("its labels do not fit its subclusters"))?;
    let width = labels.iter().max().map_or(1, |label| label + 1);
    let held = centres.values.len();
    let formula = Formula::new("centres", 1, held, move |values, output| {
        let centres = centres.values.chunks_exact(count.max(1));
        let distances = centres.map(|centre| squared_distance(values, centre));
        output[0] = labels[nearest(distances)] as f64;
    });
    Ok(labelled(formula, width))
}

/// The index of the first of the smallest.
fn nearest(distances: impl Iterator<Item = f64>) -> usize {
    let found = distances
        .enumerate()
        .reduce(|best, one| if one.1 < best.1 { one } else { best });
    found.map_or(0, |(index, _)| index)
}

/// A formula that gives the number of the cluster.
fn labelled(formula: Formula, count: usize) -> Fitted {
    let shown = vec![Shown::label("prediction", numbered(count))];
    Fitted::plain(Engine::Formula(formula), Task::Listed(shown))
}

/// A node of the tree of a `BisectingKMeans`.
enum Branch {
    Leaf(usize),
    /// The centres of the two sides, and where each goes on.
    Split([Vec<f64>; 2], [usize; 2]),
}

/// `BisectingKMeans`: down the tree, to the nearer of two centres each time.
fn bisected(object: &Object, count: usize) -> Result<Fitted> {
    let mean = match object.find("_X_mean") {
        Some(_) => object.reals("_X_mean")?,
        None => vec![0.0; count],
    };
    same_count(object, mean.len(), count)?;
    let centre = |node: &Object| -> Result<Vec<f64>> {
        let values = node.reals("center")?;
        same_count(object, values.len(), count)?;
        Ok(values
            .iter()
            .zip(&mean)
            .map(|(value, mean)| value + mean)
            .collect())
    };
    // Paths of nodes would be too deep for names.
    let root = object.need("_bisecting_tree")?;
    let mut branches: Vec<Branch> = Vec::new();
    let mut open = vec![root];
    let mut seen = HashSet::from([root]);
    let mut width = 1;
    while branches.len() < open.len() {
        let bytes = (2 * size_of::<f64>() * count).saturating_mul(branches.len());
        if open.len() > NODES_LIMIT || bytes > bytes_limit(object) {
            return Err(object.refuse("its tree has more nodes than a file of its size can hold"));
        }
        let node = object.part("_bisecting_tree", open[branches.len()])?;
        let (Some(left), Some(right)) = (node.find("left"), node.find("right")) else {
            let label = node.real("label")?;
            if !(0.0..NODES_LIMIT as f64).contains(&label) {
                return Err(object.refuse("its labels are not clusters"));
            }
            width = width.max(label as usize + 1);
            branches.push(Branch::Leaf(label as usize));
            continue;
        };
        if !seen.insert(left) || !seen.insert(right) {
            return Err(object.refuse("its tree has a node with two parents"));
        }
        let sides = [node.part("left", left)?, node.part("right", right)?];
        let centres = [centre(&sides[0])?, centre(&sides[1])?];
        branches.push(Branch::Split(centres, [open.len(), open.len() + 1]));
        open.extend([left, right]);
    }
    let held = 2 * count * branches.len();
    let formula = Formula::new("centres", 1, held, move |values, output| {
        // Children come after their parents.
        let mut at = 0;
        while let Branch::Split(centres, next) = &branches[at] {
            let distances = centres
                .iter()
                .map(|centre| squared_distance(values, centre));
            at = next[nearest(distances)];
        }
        if let Branch::Leaf(label) = &branches[at] {
            output[0] = *label as f64;
        }
    });
    Ok(labelled(formula, width))
}

/// How the precisions of a mixture's parts are held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Full,
    Tied,
    Diagonal,
    Spherical,
}

/// Mixtures: log density of each part plus the log of its weight.
fn mixture(object: &Object, count: usize) -> Result<Fitted> {
    let means = object.matrix("means_")?;
    same_count(object, means.columns, count)?;
    let parts = means.rows;
    let weights = if object.class().1 == "BayesianGaussianMixture" {
        expected_weights(object, parts, count)?
    } else {
        let weights = object.reals("weights_")?;
        weights.into_iter().map(f64::ln).collect()
    };
    let factors = object.reals("precisions_cholesky_")?;
    let (shape, expected) = match object.text("covariance_type") {
        "full" => (Shape::Full, parts * count * count),
        "tied" => (Shape::Tied, count * count),
        "diag" => (Shape::Diagonal, parts * count),
        "spherical" => (Shape::Spherical, parts),
        other => return Err(object.refuse(&format!("`covariance_type` {other} is not known"))),
    };
    if factors.len() != expected || weights.len() != parts || parts == 0 {
        return Err(object.refuse("its precisions do not fit its means"));
    }
    let starts: Vec<f64> = (0..parts)
        .map(|part| {
            let logs = log_determinant(shape, &factors, part, count);
            let constant = count as f64 * (2.0 * std::f64::consts::PI).ln();
            -0.5 * constant + logs + weights[part]
        })
        .collect();
    let numbers = factors.len() + means.values.len();
    let means = means.values;
    let formula = Formula::new("mixture", parts, numbers, move |values, output| {
        for (part, to) in output.iter_mut().enumerate() {
            let mean = &means[part * count..(part + 1) * count];
            let centred: Vec<f64> = values
                .iter()
                .zip(mean)
                .map(|(value, mean)| value - mean)
                .collect();
            *to = starts[part] - 0.5 * distance(shape, &factors, part, &centred);
        }
    });
    Ok(of_classes(formula, numbered(parts)))
}

/// The expected logs of the weights of a `BayesianGaussianMixture`, with what the densities of its
/// parts have more than those of a `GaussianMixture`.
fn expected_weights(object: &Object, parts: usize, count: usize) -> Result<Vec<f64>> {
    let unfit = || object.refuse("its weights do not fit its means");
    let unusable = |name: &str| object.refuse(&format!("`{name}` has numbers that are too small"));
    let all_positive = |values: &[f64]| values.iter().all(|value| *value > 0.0);
    let concentrations = object.need("weight_concentration_")?;
    let logs = if object.text("weight_concentration_prior_type") == "dirichlet_process" {
        let pair = object.arena.items(concentrations).unwrap_or_default();
        let pair: Vec<Vec<f64>> = pair
            .iter()
            .filter_map(|id| reals(object.arena, *id))
            .collect();
        let [first, second] = pair.as_slice() else {
            return Err(unfit());
        };
        if !all_positive(first) || !all_positive(second) {
            return Err(unusable("weight_concentration_"));
        }
        let mut before = 0.0;
        let logs = first.iter().zip(second).map(|(one, other)| {
            let sum = digamma(one + other);
            let own = digamma(*one) - sum + before;
            before += digamma(*other) - sum;
            own
        });
        logs.collect::<Vec<f64>>()
    } else {
        let all = object.reals("weight_concentration_")?;
        if !all_positive(&all) {
            return Err(unusable("weight_concentration_"));
        }
        let sum = digamma(all.iter().sum());
        all.into_iter().map(|one| digamma(one) - sum).collect()
    };
    let (mut freedom, precision) = (
        object.reals("degrees_of_freedom_")?,
        object.reals("mean_precision_")?,
    );
    if let [of_all] = freedom[..] {
        // Of covariances that all share.
        freedom = vec![of_all; parts];
    }
    if logs.len() != parts || freedom.len() != parts || precision.len() != parts {
        return Err(unfit());
    }
    let columns = count as f64;
    // The density of a part needs more degrees of freedom than there are columns, less one.
    if freedom
        .iter()
        .any(|one| one.is_nan() || *one <= columns - 1.0)
    {
        return Err(unusable("degrees_of_freedom_"));
    }
    let parts = logs.into_iter().zip(freedom).zip(precision);
    Ok(parts
        .map(|((log, freedom), precision)| {
            let sum: f64 = (0..count)
                .map(|one| digamma(0.5 * (freedom - one as f64)))
                .sum();
            let spread = columns * 2.0_f64.ln() + sum;
            log - 0.5 * columns * freedom.ln() + 0.5 * (spread - columns / precision)
        })
        .collect())
}

/// Bernoulli's numbers over twice their index.
const TERMS: [f64; 7] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32_760.0,
    1.0 / 12.0,
];

/// The logarithmic derivative of the gamma function, for positive numbers; NaN for others.
fn digamma(mut x: f64) -> f64 {
    if x <= 0.0 {
        return f64::NAN;
    }
    let mut result = 0.0;
    while x < 12.0 {
        result -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = TERMS
        .iter()
        .rev()
        .fold(0.0, |sum, term| (sum + term) * square);
    result + x.ln() - 0.5 / x - series
}

/// The factor of a part: the whole where all share one.
fn factor(shape: Shape, factors: &[f64], part: usize, count: usize) -> &[f64] {
    let (start, length) = match shape {
        Shape::Full => (part * count * count, count * count),
        Shape::Tied => (0, count * count),
        Shape::Diagonal => (part * count, count),
        Shape::Spherical => (part, 1),
    };
    &factors[start..start + length]
}

fn log_determinant(shape: Shape, factors: &[f64], part: usize, count: usize) -> f64 {
    let own = factor(shape, factors, part, count);
    match shape {
        Shape::Full | Shape::Tied => (0..count).map(|at| own[at * count + at].ln()).sum(),
        Shape::Diagonal => own.iter().map(|value| value.ln()).sum(),
        Shape::Spherical => count as f64 * own[0].ln(),
    }
}

fn distance(shape: Shape, factors: &[f64], part: usize, centred: &[f64]) -> f64 {
    let count = centred.len();
    let own = factor(shape, factors, part, count);
    match shape {
        Shape::Full | Shape::Tied => {
            let mut moved = vec![0.0; count];
            for (value, row) in centred.iter().zip(own.chunks_exact(count.max(1))) {
                for (to, weight) in moved.iter_mut().zip(row) {
                    *to += value * weight;
                }
            }
            dot(&moved, &moved)
        }
        Shape::Diagonal => centred
            .iter()
            .zip(own)
            .map(|(value, scale)| (value * scale) * (value * scale))
            .sum(),
        Shape::Spherical => dot(centred, centred) * own[0] * own[0],
    }
}

/// The distances to the centres: what k-means transforms to.
pub(super) fn distances(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let name = if object.class().1 == "Birch" {
        "subcluster_centers_"
    } else {
        "cluster_centers_"
    };
    let centres = centres_of(object, name, columns.len())?;
    let formula = nearest_of(centres.values, columns.len(), |one, other| {
        -squared_distance(one, other).sqrt()
    });
    Ok(inputs.compute(columns, formula))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digamma_is_scipys() {
        // scipy.special.digamma of scipy 1.17.
        for (x, expected) in [
            (1.0, -0.577_215_664_901_532_9),
            (0.5, -1.963_510_026_021_423_5),
            (7.25, 1.910_453_526_883_736_2),
            (1e-3, -1_000.575_571_931_810_3),
            (1e6, 13.815_510_057_964_19),
        ] {
            let error: f64 = digamma(x) / expected - 1.0;
            assert!(error.abs() < 1e-14, "{x}: {error}");
        }
        for x in [0.0, -1.0, -1e300, f64::NEG_INFINITY, f64::NAN] {
            assert!(digamma(x).is_nan(), "{x}");
        }
    }
}
