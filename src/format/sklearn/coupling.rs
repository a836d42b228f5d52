//! Probabilities of classes from those of their pairs, as libsvm couples them.
//!
//! Source: `sigmoid_predict` and `multiclass_probability` in `svm.cpp` of libsvm 3.25.

use super::formula::dot;

/// The probability of the first class of a pair.
pub(super) fn sigmoid(decision: f64, slope: f64, start: f64) -> f64 {
    /// What libsvm clips the probabilities of pairs to.
    const LEAST: f64 = 1e-7;
    let exponent = decision * slope + start;
    let odds = if exponent >= 0.0 {
        (-exponent).exp() / (1.0 + (-exponent).exp())
    } else {
        1.0 / (1.0 + exponent.exp())
    };
    odds.clamp(LEAST, 1.0 - LEAST)
}

/// The probabilities of classes from those of pairs: method 2 of Wu, Lin and Weng (2004), with
/// libsvm's steps and its end.
#[expect(
    clippy::needless_range_loop,
    reason = "both halves of a matrix are written"
)]
pub(super) fn coupled(odds: &[f64], classes: usize) -> Vec<f64> {
    let mut pair = vec![vec![0.0; classes]; classes];
    let mut next = 0;
    for one in 0..classes {
        for other in one + 1..classes {
            pair[one][other] = odds[next];
            pair[other][one] = 1.0 - odds[next];
            next += 1;
        }
    }
    let mut matrix = vec![vec![0.0; classes]; classes];
    for one in 0..classes {
        for other in 0..classes {
            if one == other {
                matrix[one][one] = (0..classes)
                    .filter(|third| *third != one)
                    .map(|third| pair[third][one] * pair[third][one])
                    .sum();
            } else {
                matrix[one][other] = -pair[other][one] * pair[one][other];
            }
        }
    }
    let mut found = vec![1.0 / classes as f64; classes];
    let enough = 0.005 / classes as f64;
    for _ in 0..classes.max(100) {
        let mut products: Vec<f64> = matrix.iter().map(|row| dot(row, &found)).collect();
        let mut total = dot(&found, &products);
        let worst = products
            .iter()
            .map(|product| (product - total).abs())
            .fold(0.0, f64::max);
        if worst < enough {
            break;
        }
        for class in 0..classes {
            let own = matrix[class][class];
            let change = (-products[class] + total) / own;
            found[class] += change;
            total = (total + change * (change * own + 2.0 * products[class]))
                / (1.0 + change)
                / (1.0 + change);
            for other in 0..classes {
                products[other] =
                    (products[other] + change * matrix[class][other]) / (1.0 + change);
                found[other] /= 1.0 + change;
            }
        }
    }
    found
}
