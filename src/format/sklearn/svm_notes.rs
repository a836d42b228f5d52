//! What a support vector machine computes of a row, for explanations: the products of its vectors
//! and the decisions that they add up to.
//!
//! Source: the public `dual_coef_`, `intercept_` and `decision_function` of `sklearn/svm/_base.py`.

use super::formula::pairwise;
use super::svm::Machine;
use crate::model::trace::{Step, Sum, Term, VALUES_LIMIT, Value};
use crate::outcome::Label;

/// A weighted sum of kernels; of many vectors those with the largest products, the others as one.
fn sum(output: usize, intercept: f64, products: impl Iterator<Item = (usize, f64, f64)>) -> Sum {
    let mut terms: Vec<Term> = products
        .map(|(vector, kernel, coefficient)| Term {
            feature: format!("vector {vector}"),
            value: kernel,
            coefficient,
            product: kernel * coefficient,
        })
        .collect();
    let sum = terms.iter().fold(0.0, |sum, term| sum + term.product);
    if terms.len() > VALUES_LIMIT {
        terms.sort_by(|one, other| other.product.abs().total_cmp(&one.product.abs()));
        let others = terms.split_off(VALUES_LIMIT - 1);
        let value = others.iter().map(|term| term.product).sum();
        terms.push(Term {
            feature: format!("{} other vectors", others.len()),
            value,
            coefficient: 1.0,
            product: value,
        });
    }
    Sum {
        output,
        intercept,
        sum: sum + intercept,
        terms,
    }
}

fn value((name, value): (String, f64)) -> Value {
    Value {
        name,
        value: value.to_string(),
    }
}

impl Machine {
    fn step(&self, sums: Vec<Sum>, names: Vec<String>) -> Step {
        let outputs = names.into_iter().zip(sums.iter().map(|sum| sum.sum));
        Step {
            name: "support vectors".to_owned(),
            operation: format!("{} kernel of {} vectors", self.kernel_name(), self.len()),
            outputs: outputs.map(value).collect(),
            sums,
            ..Step::default()
        }
    }

    /// The sum over all vectors of a machine with one side.
    pub(super) fn note_sum(&self, values: &[f64]) -> Vec<Step> {
        let kernels = self.kernels(values);
        let products = kernels.iter().zip(&self.coefficients).enumerate();
        let products = products.map(|(vector, (kernel, own))| (vector, *kernel, *own));
        let sum = sum(0, self.intercepts[0], products);
        vec![self.step(vec![sum], vec!["decision".to_owned()])]
    }

    /// The sum of each pair of classes, and of more than two classes the decision of each. The sign
    /// of two classes is that of `decision_function`: positive for the second.
    pub(super) fn note_pairs(&self, values: &[f64], labels: &[Label]) -> Vec<Step> {
        let kernels = self.kernels(values);
        let classes = labels.len();
        let sign = if classes == 2 { -1.0 } else { 1.0 };
        let (mut sums, mut names) = (Vec::new(), Vec::new());
        for one in 0..classes {
            for other in one + 1..classes {
                let products = [(one, other - 1), (other, one)];
                let products = products.into_iter().flat_map(|(class, row)| {
                    let own = self.coefficients_of(class, row);
                    own.map(|(vector, own)| (vector, kernels[vector], sign * own))
                });
                let output = sums.len();
                sums.push(sum(output, sign * self.intercepts[output], products));
                names.push(if classes == 2 {
                    labels[other].to_string()
                } else {
                    format!("{} or {}", labels[one], labels[other])
                });
            }
        }
        if classes == 2 {
            return vec![self.step(sums, names)];
        }
        let mut decisions = vec![0.0; classes];
        let pairs: Vec<f64> = sums.iter().map(|sum| sum.sum).collect();
        pairwise(classes, &mut decisions, |pair| {
            (Some(pairs[pair] < 0.0), -pairs[pair])
        });
        let labelled = labels.iter().map(Label::to_string).zip(decisions);
        let decisions = Step {
            name: "decisions".to_owned(),
            operation: "votes and sums of the pairs".to_owned(),
            outputs: labelled.map(value).collect(),
            ..Step::default()
        };
        vec![self.step(sums, names), decisions]
    }
}
