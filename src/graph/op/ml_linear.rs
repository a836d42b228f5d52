//! `ai.onnx.ml`: linear models and support vector machines.

use super::ml_features::{labels, table_shape};
use super::ml_scores::{Transform, labelled, largest};
use crate::error::{Error, Result};
use crate::feature::Columns;
use crate::graph::cast::cast;
use crate::graph::entry::{Entry, ML};
use crate::graph::layout::length_of;
use crate::graph::operator::{Built, Definition, missing_attribute, several, single};
use crate::graph::tensor::{ElementType, Tensor};
use crate::graph::value::Value;
use crate::kernel::product::{Dense, Rows};
use crate::model::trace::{self, Sum, Term};

pub(crate) const OPERATORS: &[Entry] = &[
    Entry::new("LinearRegressor", 1, 1, regressor)
        .of(ML)
        .family("linear")
        .blocks()
        .by_row(),
    Entry::new("LinearClassifier", 1, 1, classifier)
        .of(ML)
        .family("linear")
        .blocks()
        .by_row(),
    Entry::new("SVMRegressor", 1, 1, vector_regressor).of(ML),
    Entry::new("SVMClassifier", 1, 1, vector_classifier).of(ML),
];

/// A table in single precision.
fn table(tensor: &Tensor) -> Result<(Tensor, usize, usize)> {
    let (rows, columns) = table_shape(tensor)?;
    Ok((cast(tensor, ElementType::Float)?, rows, columns))
}

/// Weights, outputs × features, and intercepts.
struct Weights {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
    dense: Dense,
}

impl Weights {
    fn new(coefficients: Vec<f32>, intercepts: Option<Vec<f32>>, outputs: usize) -> Result<Self> {
        if outputs == 0 || coefficients.is_empty() || !coefficients.len().is_multiple_of(outputs) {
            return Err(Error::failed(format!(
                "{} coefficients for {outputs} outputs",
                coefficients.len()
            )));
        }
        let features = coefficients.len() / outputs;
        let intercepts = intercepts
            .filter(|intercepts| !intercepts.is_empty())
            .unwrap_or_else(|| vec![0.0; outputs]);
        if intercepts.len() != outputs {
            return Err(Error::failed(format!(
                "{} intercepts for {outputs} outputs",
                intercepts.len()
            )));
        }
        let dense = Dense::new(
            features,
            outputs,
            |feature, output| coefficients[output * features + feature],
            Some(&intercepts),
        )?;
        Ok(Self {
            coefficients,
            intercepts,
            dense,
        })
    }

    /// Rows × outputs; notes the sums of the first row where the run is followed.
    fn scores(&self, value: &Value) -> Result<(Vec<f32>, usize)> {
        let (scores, rows) = self.raw_scores(value)?;
        if trace::is_followed() && rows > 0 {
            let data = cast(&*value.table()?, ElementType::Float)?;
            self.note(data.values::<f32>()?, &scores);
        }
        Ok((scores, rows))
    }

    fn note(&self, values: &[f32], scores: &[f32]) {
        let rows = self.coefficients.chunks_exact(self.dense.inner());
        for (output, ((weights, intercept), sum)) in
            rows.zip(&self.intercepts).zip(scores).enumerate()
        {
            let terms = weights.iter().zip(values).enumerate();
            let terms = terms.map(|(feature, (coefficient, value))| Term {
                feature: trace::name(feature),
                value: (*value).into(),
                coefficient: (*coefficient).into(),
                product: (value * coefficient).into(),
            });
            trace::note_sum(Sum {
                output,
                intercept: (*intercept).into(),
                terms: terms.collect(),
                sum: (*sum).into(),
            });
        }
    }

    fn raw_scores(&self, value: &Value) -> Result<(Vec<f32>, usize)> {
        let (features, outputs) = (self.dense.inner(), self.dense.outer());
        let wrong = |columns: usize| {
            Error::failed(format!(
                "{columns} columns for a model of {features} features"
            ))
        };
        if let Some(columns) = value.block() {
            let fits = columns.row_count() == 0 || columns.feature_count() == features;
            return if fits {
                Ok((self.sums(columns), columns.row_count()))
            } else {
                Err(wrong(columns.feature_count()))
            };
        }
        let (data, rows, columns) = table(value.tensor()?)?;
        if columns != features {
            return Err(wrong(columns));
        }
        let mut scores = vec![0.0; crate::graph::tensor::element_count(&[rows, outputs])?];
        self.dense.multiply(
            Rows {
                values: data.values::<f32>()?,
                width: features,
                stride: features,
                count: rows,
            },
            &mut scores,
            outputs,
        );
        Ok((scores, rows))
    }

    /// The same of a table that comes column after column.
    fn sums(&self, columns: &Columns<f32>) -> Vec<f32> {
        let (rows, outputs) = (columns.row_count(), self.dense.outer());
        let mut scores = vec![0.0; rows * outputs];
        let mut sums = vec![0.0_f32; rows];
        let weights = self
            .coefficients
            .chunks_exact(self.dense.inner())
            .zip(&self.intercepts)
            .take(if rows == 0 { 0 } else { outputs });
        for (output, (weights, intercept)) in weights.enumerate() {
            sums.fill(0.0);
            for (feature, weight) in weights.iter().enumerate() {
                sums.iter_mut()
                    .zip(columns.column(feature))
                    .for_each(|(sum, value)| *sum += value * weight);
            }
            scores[output..]
                .iter_mut()
                .step_by(outputs)
                .zip(&sums)
                .for_each(|(score, sum)| *score = sum + intercept);
        }
        scores
    }
}

fn regressor(node: &Definition) -> Result<Built> {
    let outputs = length_of(node.int("targets", 1)?)?;
    let coefficients = node
        .find_floats("coefficients")?
        .ok_or_else(|| missing_attribute("coefficients"))?;
    let weights = Weights::new(coefficients, node.find_floats("intercepts")?, outputs)?;
    let transform = Transform::of(node)?;
    single(move |call| {
        let (mut scores, rows) = weights.scores(call.value(0)?)?;
        // ONNX Runtime leaves a single target alone, but for the probit.
        if outputs > 1 || transform == Transform::Probit {
            scores
                .chunks_exact_mut(outputs)
                .for_each(|row| transform.apply(row));
        }
        Tensor::new(vec![rows, outputs], scores)
    })
}

fn classifier(node: &Definition) -> Result<Built> {
    let labels = labels(node, "classlabels_strings", "classlabels_ints")?;
    let intercepts = node.find_floats("intercepts")?;
    let outputs = intercepts.as_ref().map_or(labels.len(), Vec::len);
    let coefficients = node
        .find_floats("coefficients")?
        .ok_or_else(|| missing_attribute("coefficients"))?;
    let weights = Weights::new(coefficients, intercepts, outputs)?;
    let transform = Transform::of(node)?;
    if outputs != labels.len() && (outputs, labels.len()) != (1, 2) {
        return Err(Error::failed(format!(
            "{outputs} outputs for {} classes",
            labels.len()
        )));
    }
    several(move |call| {
        let (mut scores, rows) = weights.scores(call.value(0)?)?;
        let is_one = outputs == 1 && labels.len() == 2;
        let class = |row: &[f32]| {
            if is_one {
                usize::from(row[0] > 0.0)
            } else {
                largest(row)
            }
        };
        let classes: Vec<usize> = scores.chunks_exact(outputs).map(class).collect();
        if is_one {
            scores = scores
                .into_iter()
                .flat_map(|score| second_class(score, transform))
                .collect();
        } else {
            scores
                .chunks_exact_mut(outputs)
                .for_each(|row| transform.apply(row));
        }
        labelled(
            &labels,
            &classes,
            Tensor::new(vec![rows, labels.len()], scores)?,
        )
    })
}

/// The scores of both classes where the model gives one.
fn second_class(score: f32, transform: Transform) -> [f32; 2] {
    let mut one = [score];
    if matches!(transform, Transform::Logistic | Transform::Probit) {
        transform.apply(&mut one);
    }
    [1.0 - one[0], one[0]]
}

/// A kernel function of two rows.
#[derive(Clone, Copy)]
enum Similarity {
    Linear,
    Polynomial,
    Radial,
    Sigmoid,
}

struct Machine {
    similarity: Similarity,
    gamma: f32,
    offset: f32,
    degree: f32,
    vectors: Vec<f32>,
    coefficients: Vec<f32>,
    rho: Vec<f32>,
    transform: Transform,
}

impl Machine {
    fn of(node: &Definition) -> Result<Self> {
        let all = [
            Similarity::Linear,
            Similarity::Polynomial,
            Similarity::Radial,
            Similarity::Sigmoid,
        ];
        let parameters = node.find_floats("kernel_params")?.unwrap_or_default();
        let [gamma, offset, degree] =
            [0, 1, 2].map(|index| parameters.get(index).copied().unwrap_or(0.0));
        Ok(Self {
            similarity: all
                [node.choice("kernel_type", &["LINEAR", "POLY", "RBF", "SIGMOID"], 0)?],
            gamma,
            offset,
            degree,
            vectors: node.find_floats("support_vectors")?.unwrap_or_default(),
            coefficients: node
                .find_floats("coefficients")?
                .ok_or_else(|| missing_attribute("coefficients"))?,
            rho: node
                .find_floats("rho")?
                .ok_or_else(|| missing_attribute("rho"))?,
            transform: Transform::of(node)?,
        })
    }

    fn alike(&self, a: &[f32], b: &[f32]) -> f32 {
        let dot = || a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        match self.similarity {
            Similarity::Linear => dot(),
            Similarity::Polynomial => (self.gamma * dot() + self.offset).powf(self.degree),
            Similarity::Sigmoid => (self.gamma * dot() + self.offset).tanh(),
            Similarity::Radial => {
                (-self.gamma * a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>()).exp()
            }
        }
    }

    /// The likeness of a row to every support vector.
    fn likenesses(&self, row: &[f32]) -> Vec<f32> {
        self.vectors
            .chunks_exact(row.len().max(1))
            .map(|vector| self.alike(row, vector))
            .collect()
    }
}

fn vector_regressor(node: &Definition) -> Result<Built> {
    let machine = Machine::of(node)?;
    let count = length_of(node.int("n_supports", 0)?)?;
    let is_one_class = node.flag("one_class", false)?;
    let rho = *machine
        .rho
        .first()
        .ok_or_else(|| missing_attribute("rho"))?;
    single(move |call| {
        let (data, rows, columns) = table(call.tensor(0)?)?;
        let (expected, actual) = if count > 0 {
            (count.saturating_mul(columns), count)
        } else {
            (0, columns)
        };
        if machine.vectors.len() != expected || machine.coefficients.len() != actual {
            return Err(Error::failed(format!(
                "{} support values and {} coefficients for {columns} columns",
                machine.vectors.len(),
                machine.coefficients.len()
            )));
        }
        let score = |row: &[f32]| {
            let sum: f32 = if count > 0 {
                machine
                    .likenesses(row)
                    .iter()
                    .zip(&machine.coefficients)
                    .map(|(alike, coefficient)| alike * coefficient)
                    .sum()
            } else {
                machine.alike(row, &machine.coefficients)
            };
            let score = sum + rho;
            if is_one_class {
                if score > 0.0 { 1.0 } else { -1.0 }
            } else {
                score
            }
        };
        let mut scores: Vec<f32> = data
            .values::<f32>()?
            .chunks_exact(columns.max(1))
            .map(score)
            .collect();
        if machine.transform == Transform::Probit {
            scores
                .iter_mut()
                .for_each(|score| machine.transform.apply(std::slice::from_mut(score)));
        }
        Tensor::new(vec![rows, 1], scores)
    })
}

/// Classes voted on in pairs, with Platt's probabilities coupled as LIBSVM does; without support
/// vectors, one linear score for each class.
fn vector_classifier(node: &Definition) -> Result<Built> {
    let labels = labels(node, "classlabels_strings", "classlabels_ints")?;
    let machine = Machine::of(node)?;
    let counts = node
        .find_ints("vectors_per_class")?
        .unwrap_or_default()
        .into_iter()
        .map(length_of)
        .collect::<Result<Vec<usize>>>()?;
    let platt = (
        node.find_floats("prob_a")?.unwrap_or_default(),
        node.find_floats("prob_b")?.unwrap_or_default(),
    );
    let classes = labels.len();
    if counts.len() != classes || classes < 2 {
        return Err(Error::contract(
            "linear support vector classifiers without support vectors are not supported",
        ));
    }
    let vector_count = counts
        .iter()
        .fold(0_usize, |sum, count| sum.saturating_add(*count));
    let pairs = classes * (classes - 1) / 2;
    let has_probabilities = !platt.0.is_empty();
    if machine.rho.len() < pairs
        || has_probabilities && (platt.0.len() < pairs || platt.1.len() < pairs)
        || machine.coefficients.len() != vector_count.saturating_mul(classes - 1)
    {
        return Err(Error::failed(
            "the parameters are not as many as the classes need",
        ));
    }
    several(move |call| {
        let (data, rows, columns) = table(call.tensor(0)?)?;
        if machine.vectors.len() != vector_count.saturating_mul(columns) {
            return Err(Error::failed(format!(
                "{} support values for {vector_count} vectors of {columns} columns",
                machine.vectors.len()
            )));
        }
        let (mut chosen, mut scores) = (Vec::with_capacity(rows), Vec::new());
        let width = if has_probabilities || classes > 2 {
            if has_probabilities { classes } else { pairs }
        } else {
            classes
        };
        for row in data
            .values::<f32>()?
            .chunks_exact(columns.max(1))
            .take(rows)
        {
            let decisions = decisions(&machine, &machine.likenesses(row), &counts, vector_count);
            let mut votes = vec![0_u32; classes];
            pairs_of(classes)
                .zip(&decisions)
                .for_each(|((a, b), decision)| votes[if *decision > 0.0 { a } else { b }] += 1);
            let mut row_scores = if has_probabilities {
                coupled(&pairwise(&decisions, &platt, classes), classes)
            } else if classes == 2 {
                vec![-decisions[0], decisions[0]]
            } else {
                decisions.clone()
            };
            // ONNX Runtime, as LIBSVM, names the class with the most votes, not the one with the
            // largest probability.
            chosen.push(votes.iter().enumerate().fold(0, |best, (index, vote)| {
                if *vote > votes[best] { index } else { best }
            }));
            match machine.transform {
                _ if has_probabilities || classes > 2 => machine.transform.apply(&mut row_scores),
                Transform::None => {}
                transform => row_scores.copy_from_slice(&second_class(decisions[0], transform)),
            }
            scores.extend(row_scores);
        }
        labelled(&labels, &chosen, Tensor::new(vec![rows, width], scores)?)
    })
}

/// Every pair of classes, in LIBSVM's order.
fn pairs_of(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
}

fn decisions(
    machine: &Machine,
    likenesses: &[f32],
    counts: &[usize],
    vector_count: usize,
) -> Vec<f32> {
    let starts: Vec<usize> = counts
        .iter()
        .scan(0, |sum, count| {
            *sum += count;
            Some(*sum - count)
        })
        .collect();
    let part = |own: usize, row: usize| -> f64 {
        let range = starts[own]..starts[own] + counts[own];
        let coefficients = &machine.coefficients[row * vector_count..][range.clone()];
        coefficients
            .iter()
            .zip(&likenesses[range])
            .map(|(coefficient, alike)| f64::from(coefficient * alike))
            .sum()
    };
    pairs_of(counts.len())
        .zip(&machine.rho)
        .map(|((a, b), rho)| (part(a, b - 1) + part(b, a)) as f32 + rho)
        .collect()
}

/// For each pair the probability of the first class, kept from 0 and 1.
fn pairwise(decisions: &[f32], (a, b): &(Vec<f32>, Vec<f32>), classes: usize) -> Vec<f32> {
    let mut table = vec![0.0; classes * classes];
    for (pair, (first, second)) in pairs_of(classes).enumerate() {
        let value = decisions[pair] * a[pair] + b[pair];
        let probability = 1.0 - super::ml_scores::logistic(value);
        let kept = probability.clamp(1e-7, 1.0 - 1e-7);
        table[first * classes + second] = kept;
        table[second * classes + first] = 1.0 - kept;
    }
    table
}

/// The second method of Wu, Lin and Weng (2004), as LIBSVM iterates it.
fn coupled(pairwise: &[f32], classes: usize) -> Vec<f32> {
    let r = |a: usize, b: usize| pairwise[a * classes + b];
    let mut matrix = vec![0.0_f32; classes * classes];
    for (a, b) in (0..classes).flat_map(|a| (0..classes).map(move |b| (a, b))) {
        matrix[a * classes + b] = if a == b {
            (0..classes)
                .filter(|other| *other != a)
                .map(|other| r(other, a) * r(other, a))
                .sum()
        } else {
            -r(b, a) * r(a, b)
        };
    }
    let mut p = vec![1.0 / classes as f32; classes];
    let tolerance = 0.005 / classes as f32;
    for _ in 0..classes.max(100) {
        let mut products: Vec<f32> = (0..classes)
            .map(|a| (0..classes).map(|b| matrix[a * classes + b] * p[b]).sum())
            .collect();
        let mut total: f32 = products
            .iter()
            .zip(&p)
            .map(|(product, p)| product * p)
            .sum();
        let error = products
            .iter()
            .map(|product| (product - total).abs())
            .fold(0.0, f32::max);
        if error < tolerance {
            break;
        }
        for a in 0..classes {
            let own = matrix[a * classes + a];
            let difference = (total - products[a]) / own;
            p[a] += difference;
            let scale = 1.0 + difference;
            total = (total + difference * (difference * own + 2.0 * products[a])) / scale / scale;
            for b in 0..classes {
                products[b] = (products[b] + difference * matrix[a * classes + b]) / scale;
                p[b] /= scale;
            }
        }
    }
    p
}
