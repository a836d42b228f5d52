//! The mean of what a user's loss model expects of each row.
//!
//! Owns the sums over a column of expected losses: for regressions, whose scores say nothing of
//! their own errors (in `NannyML`: direct loss estimation). Rejected rows do not count, and a loss
//! below 0 counts as 0. It must not know where the losses come from.

use std::any::Any;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};

use crate::error::{Error, Result};
use crate::monitor::interval::{Estimate, Mean};
use crate::pipeline::observer::{Observer, Partial, ScoredPortion};
use crate::statistics::bytes::{Reader, Writer};

/// Adds up a column of expected losses.
#[derive(Debug)]
pub struct LossObserver {
    column: String,
}

/// What was added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossCounts {
    /// The losses.
    pub mean: Mean,
    /// Rows without one.
    pub missing: u64,
}

impl LossObserver {
    /// The observer of this column.
    #[must_use]
    pub fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
        }
    }
}

/// How far single losses scatter about what is expected of them, over that: as squares of normal
/// errors do, √2. Absolute errors scatter less (√(π/2 − 1)), so that their band is rather too wide.
const SCATTER: f64 = std::f64::consts::SQRT_2;

impl LossCounts {
    /// The mean loss that labels will show, with a band for it if the losses are right; none
    /// without a loss.
    #[must_use]
    pub fn estimate(&self) -> Option<Estimate> {
        let (value, count) = (self.mean.value()?, self.mean.count() as f64);
        let squares = self.mean.squared_deviations() + count * value * value;
        let error = SCATTER * squares.sqrt() / count;
        Some(Estimate::normal(value, error, (0.0, f64::MAX)))
    }
}

impl Observer for LossObserver {
    fn name(&self) -> &'static str {
        "loss"
    }

    fn version(&self) -> u32 {
        2
    }

    fn empty(&self) -> Box<dyn Partial> {
        Box::<LossCounts>::default()
    }

    fn observe(&self, portion: &ScoredPortion<'_>) -> Result<Box<dyn Partial>> {
        let column = portion.rows.column_by_name(&self.column).ok_or_else(|| {
            Error::internal("the column of losses is not read").at_column(&self.column)
        })?;
        let losses = cast(column, &DataType::Float64).map_err(|error| {
            Error::contract("the column of losses holds no numbers")
                .at_column(&self.column)
                .because(error)
        })?;
        let losses = losses.as_primitive::<Float64Type>();
        let mut counts = LossCounts::default();
        let mut rejected = portion.rejections.iter().map(|one| one.row).peekable();
        for row in 0..losses.len() {
            if rejected.next_if_eq(&row).is_some() {
                continue;
            }
            if losses.is_valid(row) && losses.value(row).is_finite() {
                // A loss is not negative, though a model of it may say so (NannyML cuts it, too).
                counts.mean.add(losses.value(row).max(0.0));
            } else {
                counts.missing += 1;
            }
        }
        Ok(Box::new(counts))
    }

    fn needs_only_scores(&self) -> bool {
        false
    }

    fn partial_of(&self, bytes: &[u8]) -> Option<Box<dyn Partial>> {
        let mut reader = Reader::new(bytes);
        let missing = reader.count()?;
        let mean = Mean::read(&mut reader)?;
        reader
            .is_at_end()
            .then(|| Box::new(LossCounts { mean, missing }) as Box<dyn Partial>)
    }
}

impl Partial for LossCounts {
    fn merge(&mut self, other: &dyn Partial) -> Result<()> {
        let other: &dyn Any = other;
        let other: &Self = other
            .downcast_ref()
            .ok_or_else(|| Error::internal("not sums of losses"))?;
        self.mean.merge(&other.mean);
        self.missing += other.missing;
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.integer(self.missing);
        self.mean.write(&mut writer);
        writer.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::hash::spread;

    /// Normal numbers of the given standard deviation (Box and Muller, 1958).
    fn normal(index: u64, deviation: f64) -> f64 {
        let uniform = |index| (spread(index) >> 11) as f64 / (1_u64 << 53) as f64;
        let [radius, angle] = [uniform(2 * index), uniform(2 * index + 1)];
        let angle = 2.0 * std::f64::consts::PI * angle;
        deviation * (-2.0 * (1.0 - radius).ln()).sqrt() * angle.cos()
    }

    #[test]
    fn the_band_holds_what_labels_show() {
        const NIGHTS: u64 = 2000;
        const ROWS: u64 = 300;
        // What is expected of an error with a standard deviation, and the loss that it shows.
        type Loss = fn(f64) -> f64;
        let squared: [Loss; 2] = [|deviation| deviation * deviation, |error| error * error];
        let absolute: [Loss; 2] = [
            |deviation| deviation * (2.0 / std::f64::consts::PI).sqrt(),
            f64::abs,
        ];
        for ([expected, shown], least) in [(squared, 0.92), (absolute, 0.99)] {
            let holds = |night: u64| {
                let (mut counts, mut sum) = (LossCounts::default(), 0.0);
                for row in 0..ROWS {
                    let deviation = 1.0 + (row % 5) as f64;
                    counts.mean.add(expected(deviation));
                    sum += shown(normal(night * ROWS + row, deviation));
                }
                let (low, high) = counts.estimate().unwrap().interval.unwrap();
                (low..=high).contains(&(sum / ROWS as f64))
            };
            let held = (0..NIGHTS).filter(|night| holds(*night)).count();
            let share = held as f64 / NIGHTS as f64;
            assert!(share >= least, "{share}");
        }
    }

    #[test]
    fn nothing_is_estimated_of_no_losses_and_no_band_of_losses_of_zero() {
        assert_eq!(LossCounts::default().estimate(), None);
        let mut counts = LossCounts::default();
        counts.mean.add(0.0);
        assert_eq!(counts.estimate().unwrap().interval, None);
    }
}
