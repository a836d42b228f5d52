//! `LatentDirichletAllocation`: the topics of a document, by iterating over it alone.
//!
//! Owns the iteration, step for step as scikit-learn's, so that it stops after the same one.
//! Sources: `sklearn/decomposition/_lda.py` and `_online_lda_fast.pyx` of 0.24 to 1.9.

use super::column::Column;
use super::components::at_least;
use super::fitted::same_count;
use super::formula::Formula;
use super::inputs::Inputs;
use super::object::Object;
use crate::error::Result;

/// The most iterations of a document.
const ITERATIONS_LIMIT: f64 = 100_000.0;

/// The logarithmic derivative of the gamma function, with the few terms that scikit-learn computes
/// (algorithm AS 103).
fn psi(mut x: f64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if x <= 1e-6 {
        return -EULER - 1.0 / x;
    }
    let mut result = 0.0;
    while x < 6.0 {
        result -= 1.0 / x;
        x += 1.0;
    }
    let mut r = 1.0 / x;
    result += x.ln() - 0.5 * r;
    r *= r;
    result - r * ((1.0 / 12.0) - r * ((1.0 / 120.0) - r * (1.0 / 252.0)))
}

/// A fitted model.
struct Topics {
    /// Topic after topic: exp(E[log β]) of each term.
    words: Vec<f64>,
    terms: usize,
    /// How many topics there are.
    count: usize,
    prior: f64,
    iterations: usize,
    tolerance: f64,
}

impl Topics {
    fn new(object: &Object, count: usize) -> Result<Self> {
        let words = object.matrix("exp_dirichlet_component_")?;
        same_count(object, words.columns, count)?;
        let iterations = object.real("max_doc_update_iter")?;
        if !(1.0..=ITERATIONS_LIMIT).contains(&iterations) || words.rows == 0 {
            return Err(object.refuse("its iterations are not from 1 to 100,000"));
        }
        Ok(Self {
            terms: count,
            count: words.rows,
            words: words.values,
            prior: object.real("doc_topic_prior_")?,
            iterations: iterations as usize,
            tolerance: object.real("mean_change_tol")?,
        })
    }

    /// The share of each topic in a document of so many of each term.
    fn run(&self, counts: &[f64], shares: &mut [f64]) {
        let terms: Vec<usize> = (0..self.terms)
            .filter(|term| counts[*term] != 0.0)
            .collect();
        let word = |topic: usize, term: usize| self.words[topic * self.terms + term];
        let mut document = vec![1.0; self.count];
        let start = (psi(1.0) - psi(self.count as f64)).exp();
        let mut weights = vec![start; self.count];
        for _ in 0..self.iterations {
            let last = document.clone();
            let parts: Vec<f64> = terms
                .iter()
                .map(|term| {
                    let sum: f64 = (0..self.count)
                        .map(|topic| weights[topic] * word(topic, *term))
                        .sum();
                    counts[*term] / (sum + f64::EPSILON)
                })
                .collect();
            for (topic, to) in document.iter_mut().enumerate() {
                let sum: f64 = terms
                    .iter()
                    .zip(&parts)
                    .map(|(term, part)| part * word(topic, *term))
                    .sum();
                *to = weights[topic] * sum + self.prior;
            }
            let total = psi(document.iter().sum());
            for (weight, value) in weights.iter_mut().zip(&document) {
                *weight = (psi(*value) - total).exp();
            }
            let changes = last.iter().zip(&document);
            let change: f64 = changes.map(|(one, other)| (one - other).abs()).sum();
            if change / (self.count as f64) < self.tolerance {
                break;
            }
        }
        let sum: f64 = document.iter().sum();
        for (to, value) in shares.iter_mut().zip(&document) {
            *to = value / sum;
        }
    }
}

/// `LatentDirichletAllocation`.
///
/// # Errors
/// A contract error for a model that does not fit its columns.
pub(super) fn allocated(
    object: &Object,
    columns: Vec<Column>,
    inputs: &mut Inputs,
) -> Result<Vec<Column>> {
    let topics = Topics::new(object, columns.len())?;
    let (width, held) = (topics.count, topics.words.len());
    let formula = Formula::new("topics", width, held, move |counts, shares| {
        topics.run(counts, shares);
    });
    Ok(inputs.compute(at_least(columns, 0.0, false), formula))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psi_has_the_digits_that_scikit_learn_has() {
        // sklearn.decomposition._online_lda_fast._dirichlet_expectation_1d of one value is 1;
        // scipy.special.digamma: -0.5772156649015329, 1.4727... at 5, -1000000.577 at 1e-6.
        for (x, expected) in [
            (1.0, -0.577_215_664_901_532_9),
            (5.0, 1.506_117_668_431_800_3),
            (100.0, 4.600_161_852_738_087),
        ] {
            let error: f64 = psi(x) - expected;
            assert!(error.abs() < 1e-7, "{x}: {error}");
        }
        assert!((psi(1e-6) + 1_000_000.577_215_664_9).abs() < 1e-6);
    }
}
