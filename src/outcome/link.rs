//! Links: functions from margins to scores, in the precision of the margins.
//!
//! Owns their arithmetic. It must not know what a score means.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, Float64Array};

use crate::feature::Real;

/// The function from a margin to a score, in the precision of the margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// The margin itself.
    Identity,
    /// 1 / (1 + exp(−slope · margin)).
    Logistic {
        /// LightGBM's `sigmoid`; 1 elsewhere.
        slope: f64,
    },
    /// exp(margin).
    Exponential,
    /// ln(1 + exp(margin)): LightGBM's `cross_entropy_lambda`.
    SoftPlus,
    /// sign(margin) · margin²: LightGBM's `reg_sqrt`.
    SignedSquare,
    /// Softmax over all margins of a row.
    Softmax,
    /// 1 where the margin is above 0, else 0: XGBoost's `binary:hinge`.
    Hinge,
    /// The first margin, and exp(2 · margin) of the second: the mean and the variance of CatBoost's
    /// `RMSEWithUncertainty`.
    MeanAndVariance,
}

/// The arithmetic of links.
pub(super) trait Linked: Real {
    fn exponential(self) -> Self;
    fn logistic(self, slope: f64) -> Self;
    fn soft_plus(self) -> Self;
    fn square(self) -> Self;
    fn array(values: Vec<Self>) -> ArrayRef;
}

macro_rules! real {
    ($type:ty, $array:ty) => {
        impl Linked for $type {
            fn exponential(self) -> Self {
                self.exp()
            }
            fn logistic(self, slope: f64) -> Self {
                1.0 / (1.0 + (-(slope as Self) * self).exp())
            }
            fn soft_plus(self) -> Self {
                self.exp().ln_1p()
            }
            fn square(self) -> Self {
                self * self * self.signum()
            }
            fn array(values: Vec<Self>) -> ArrayRef {
                Arc::new(<$array>::from(values))
            }
        }
    };
}

real!(f32, Float32Array);

real!(f64, Float64Array);

impl Link {
    /// Turns a row's margins into scores in single precision, in place.
    pub(crate) fn apply_single(self, row: &mut [f32]) {
        self.apply(row);
    }

    /// Turns a row's margins into scores in double precision, in place.
    pub(crate) fn apply_double(self, row: &mut [f64]) {
        self.apply(row);
    }

    /// Turns a row's margins into scores, in place.
    pub(super) fn apply<T: Linked>(self, row: &mut [T]) {
        match self {
            Self::Identity => {}
            Self::Softmax => softmax(row),
            Self::Logistic { slope } => row
                .iter_mut()
                .for_each(|value| *value = value.logistic(slope)),
            Self::Exponential => row
                .iter_mut()
                .for_each(|value| *value = value.exponential()),
            Self::SoftPlus => row.iter_mut().for_each(|value| *value = value.soft_plus()),
            Self::SignedSquare => row.iter_mut().for_each(|value| *value = value.square()),
            Self::MeanAndVariance => row
                .iter_mut()
                .skip(1)
                .for_each(|value| *value = T::from_double(2.0 * value.to_double()).exponential()),
            Self::Hinge => row.iter_mut().for_each(|value| {
                *value = T::from_double(f64::from(u8::from(value.to_double() > 0.0)));
            }),
        }
    }
}

/// Shifted by the largest margin; the sum is taken in f64, as XGBoost does.
fn softmax<T: Linked>(row: &mut [T]) {
    let largest = row.iter().fold(f64::NEG_INFINITY, |largest, value| {
        largest.max(value.to_double())
    });
    let mut sum = 0.0;
    for value in row.iter_mut() {
        *value = T::from_double(value.to_double() - largest).exponential();
        sum += value.to_double();
    }
    for value in row.iter_mut() {
        *value = T::from_double(value.to_double() / sum);
    }
}
