//! The rising function that fits labels best.
//!
//! Owns isotonic regression as scikit-learn does it: labels of equal scores are averaged, violators
//! pooled, points whose neighbours have the same value dropped, and values interpolated between the
//! points that are left, clamped outside. Scores come in rising order and are not kept. It must not
//! know what the scores are for.

/// A rising function through points.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub struct Isotonic {
    points: Vec<(f64, f64)>,
}

/// Scores whose labels have one mean.
#[derive(Clone, Debug)]
struct Block {
    first: f64,
    last: f64,
    weight: f64,
    sum: f64,
}

impl Block {
    fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

/// A function on its way.
#[derive(Clone, Debug, Default)]
pub struct IsotonicFit {
    blocks: Vec<Block>,
}

impl IsotonicFit {
    /// Takes the next higher score, the sum of its labels and its rows.
    pub fn add(&mut self, score: f64, sum: f64, weight: f64) {
        let mut block = Block {
            first: score,
            last: score,
            weight,
            sum,
        };
        while let Some(before) = self.blocks.pop_if(|before| before.mean() >= block.mean()) {
            block.first = before.first;
            block.weight += before.weight;
            block.sum += before.sum;
        }
        self.blocks.push(block);
    }

    /// The function.
    #[must_use]
    pub fn finish(self) -> Isotonic {
        let ends = |block: &Block| {
            let mean = block.mean();
            let last = (block.last > block.first).then_some((block.last, mean));
            std::iter::once((block.first, mean)).chain(last)
        };
        Isotonic {
            points: self.blocks.iter().flat_map(ends).collect(),
        }
    }
}

impl Isotonic {
    /// The points between which values are interpolated.
    #[must_use]
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Whether the points rise, as those of a file may not.
    #[must_use]
    pub fn is_rising(&self) -> bool {
        let is_number = |point: &(f64, f64)| !point.0.is_nan() && (0.0..=1.0).contains(&point.1);
        !self.points.is_empty()
            && self.points.iter().all(is_number)
            && self
                .points
                .windows(2)
                .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1)
    }

    /// The value at a score; NaN without points.
    #[must_use]
    pub fn value(&self, score: f64) -> f64 {
        let above = self.points.partition_point(|point| point.0 <= score);
        let point = |index: usize| self.points.get(index).copied();
        match (above.checked_sub(1).and_then(point), point(above)) {
            (Some((left, low)), Some((right, high))) if (right - left).is_finite() => {
                low + (high - low) * ((score - left) / (right - left))
            }
            (Some((_, value)), _) | (None, Some((_, value))) => value,
            (None, None) => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit<const N: usize>(groups: [(f64, f64, f64); N]) -> Isotonic {
        let mut fit = IsotonicFit::default();
        groups
            .iter()
            .for_each(|(score, sum, weight)| fit.add(*score, *sum, *weight));
        fit.finish()
    }

    #[test]
    fn values_are_those_of_scikit_learn() {
        // scikit-learn 1.9.1: IsotonicRegression(out_of_bounds="clip")
        //   .fit([1, 2, 3, 3, 4, 6], [1, 3, 2, 2, 5, 4]).predict([0, 1, 1.5, 2.5, 3.5, 5, 7])
        let fitted = fit([
            (1.0, 1.0, 1.0),
            (2.0, 3.0, 1.0),
            (3.0, 4.0, 2.0),
            (4.0, 5.0, 1.0),
            (6.0, 4.0, 1.0),
        ]);
        let third = 7.0 / 3.0;
        let expected = [
            1.0,
            1.0,
            f64::midpoint(1.0, third),
            third,
            f64::midpoint(third, 4.5),
            4.5,
            4.5,
        ];
        for (score, expected) in [0.0, 1.0, 1.5, 2.5, 3.5, 5.0, 7.0]
            .into_iter()
            .zip(expected)
        {
            let found = fitted.value(score);
            assert!((found - expected).abs() < 1e-12, "{score}: {found}");
        }
        assert!(fit([]).value(0.5).is_nan());
        assert_eq!(fit([(0.5, 1.0, 2.0)]).value(9.0), 0.5);
        let infinite = fit([(f64::NEG_INFINITY, 0.0, 1.0), (f64::INFINITY, 1.0, 1.0)]);
        assert_eq!(infinite.value(0.5), 0.0);
    }
}
