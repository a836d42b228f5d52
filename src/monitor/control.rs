//! Control charts: whether a value lies outside the range of the nights before it.
//!
//! Owns the limits: median and scaled median absolute deviation (Rousseeuw and Croux, "Alternatives
//! to the Median Absolute Deviation", 1993), and on the same scale the exponentially weighted
//! moving average (Roberts, "Control Chart Tests Based on Geometric Moving Averages", 1959). It
//! must not know what is measured.

/// Nights that limits are taken from.
pub const WINDOW: usize = 30;

/// Fewer nights than this give no limits.
pub const MIN_NIGHTS: usize = 14;

/// Standard deviations from the median to a limit, if median and deviation were known.
pub const DEVIATIONS: f64 = 4.0;

/// How much wider limits are, as both are estimated: divided by the number of nights.
const WIDENING: f64 = 7.0;

/// Makes the median absolute deviation of a normal distribution its standard deviation.
const MAD_TO_SIGMA: f64 = 1.4826;

/// The weight of the newest value in the moving average.
pub const WEIGHT: f64 = 0.2;

/// Standard deviations of the moving average to its limit.
const EWMA_DEVIATIONS: f64 = 3.0;

/// The most standard deviations by which one value moves the average.
const MAX_STEP: f64 = 4.0;

/// One night.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// The value; none if the night has none.
    pub value: Option<f64>,
    /// Whether later nights may be measured by it.
    pub is_reference: bool,
    /// Values of another epoch, such as another model, are not compared.
    pub epoch: usize,
}

/// Which side of the range is trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Larger values.
    High,
    /// Smaller values.
    Low,
    /// Both.
    Both,
}

impl Side {
    /// How far a difference goes to this side: below 0 for one to the other.
    #[must_use]
    pub fn distance(self, difference: f64) -> f64 {
        match self {
            Self::High => difference,
            Self::Low => -difference,
            Self::Both => difference.abs(),
        }
    }
}

/// Standard deviations from the median to a limit that so many nights taught: many facts are
/// followed, and of 14 normal nights one in 100 is followed by one beyond 4 deviations.
#[must_use]
pub fn deviations(nights: usize) -> f64 {
    DEVIATIONS * (1.0 + WIDENING / nights as f64)
}

/// Standard deviations of single nights from the median to the limit of the moving average, if
/// `settled` of the variance that it comes to is reached.
#[must_use]
pub fn average_deviations(nights: usize, settled: f64) -> f64 {
    // The median of `n` normal values has the variance π / 2n.
    let of_median = std::f64::consts::FRAC_PI_2 / nights as f64;
    EWMA_DEVIATIONS * (WEIGHT / (2.0 - WEIGHT) * settled + of_median).sqrt()
}

/// The range of the nights before one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    /// How many they are.
    pub nights: usize,
    /// The median.
    pub median: f64,
    /// The scaled median absolute deviation.
    pub sigma: f64,
    /// The moving average up to and with this night.
    pub average: f64,
}

impl Control {
    /// The lower limit.
    #[must_use]
    pub fn low(&self) -> f64 {
        self.median - deviations(self.nights) * self.sigma
    }

    /// The upper limit.
    #[must_use]
    pub fn high(&self) -> f64 {
        self.median + deviations(self.nights) * self.sigma
    }

    /// Whether a value lies beyond a limit on the side that is trouble.
    #[must_use]
    pub fn is_outside(&self, value: f64, side: Side) -> bool {
        beyond(value, [self.low(), self.high()], side)
    }

    /// Whether the moving average has left its own, narrower limits: a small change that lasts.
    #[must_use]
    pub fn is_shifted(&self, side: Side) -> bool {
        let width = average_deviations(self.nights, 1.0) * self.sigma;
        beyond(
            self.average,
            [self.median - width, self.median + width],
            side,
        )
    }
}

fn beyond(value: f64, [low, high]: [f64; 2], side: Side) -> bool {
    (side != Side::Low && value > high) || (side != Side::High && value < low)
}

/// For each night the range of up to [`WINDOW`] reference nights of its epoch before it; none where
/// there are fewer than [`MIN_NIGHTS`].
#[must_use]
pub fn control(observations: &[Observation]) -> Vec<Option<Control>> {
    let mut history: Vec<f64> = Vec::new();
    let mut epoch = None;
    // In standard deviations from the median.
    let mut average = 0.0;
    let mut controls = Vec::with_capacity(observations.len());
    for observation in observations {
        if epoch != Some(observation.epoch) {
            epoch = Some(observation.epoch);
            history.clear();
            average = 0.0;
        }
        let window = &history[history.len().saturating_sub(WINDOW)..];
        let range = (window.len() >= MIN_NIGHTS).then(|| median_and_sigma(window));
        controls.push(range.map(|(median, sigma)| {
            if let Some(value) = observation.value {
                let step = match value - median {
                    0.0 => 0.0,
                    distance => (distance / sigma).clamp(-MAX_STEP, MAX_STEP),
                };
                average = WEIGHT * step + (1.0 - WEIGHT) * average;
            }
            Control {
                nights: window.len(),
                median,
                sigma,
                average: median + average * sigma,
            }
        }));
        let value = observation.value.filter(|value| value.is_finite());
        history.extend(value.filter(|_| observation.is_reference));
    }
    controls
}

fn median_and_sigma(values: &[f64]) -> (f64, f64) {
    let center = median(values.to_vec());
    let distances = values.iter().map(|value| (value - center).abs());
    (center, MAD_TO_SIGMA * median(distances.collect()))
}

/// The median of at least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nights(values: impl IntoIterator<Item = f64>) -> Vec<Observation> {
        let night = |value| Observation {
            value: Some(value),
            is_reference: true,
            epoch: 0,
        };
        values.into_iter().map(night).collect()
    }

    #[test]
    fn limits_are_median_and_scaled_deviation_of_the_nights_before() {
        // scipy 1.16: median_abs_deviation([1..14], scale="normal") = 5.1891
        let mut all = nights((1..=14).map(f64::from));
        all.extend(nights([100.0]));
        let controls = control(&all);
        assert!(controls[..14].iter().all(Option::is_none));
        let last = controls[14].unwrap();
        assert_eq!(last.median, 7.5);
        assert!((last.sigma - 5.1891).abs() < 1e-4);
        assert!(last.is_outside(100.0, Side::Both) && !last.is_outside(100.0, Side::Low));
        // 7.5 + 4 · 1.5 · 5.1891
        assert!(!last.is_outside(38.6, Side::High) && last.is_outside(38.7, Side::High));
    }

    #[test]
    fn nights_that_failed_and_other_models_are_no_measure() {
        let mut all = nights((0..20).map(|night| f64::from(night % 3)));
        all[3].is_reference = false;
        all[3].value = Some(1e9);
        all.extend(
            nights([1.0])
                .into_iter()
                .map(|night| Observation { epoch: 1, ..night }),
        );
        let controls = control(&all);
        assert_eq!(controls[14], None, "thirteen nights");
        assert!(controls[15].is_some());
        assert_eq!(controls[20], None, "another epoch");
    }

    #[test]
    fn a_small_change_that_lasts_moves_the_average_out_of_its_limits() {
        let noise = [0.0, 1.0, -1.0, 2.0, -2.0];
        let steady = (0..20).map(|night| noise[night % 5]);
        let shifted = (0..8).map(|night| 4.0 + noise[night % 5] / 2.0);
        let all = nights(steady.chain(shifted));
        let controls = control(&all);
        assert!(!controls[19].unwrap().is_shifted(Side::Both));
        let last = controls[27].unwrap();
        assert!(last.is_shifted(Side::High) && !last.is_shifted(Side::Low));
        assert!(
            !last.is_outside(4.0, Side::High),
            "no single night is outside"
        );
    }

    #[test]
    fn a_constant_history_makes_every_change_an_alarm_and_no_nan() {
        let mut all = nights([0.0; 20]);
        all.extend(nights([0.0, 0.1, f64::NAN, f64::INFINITY]));
        all.push(Observation {
            value: None,
            ..all[0]
        });
        let controls = control(&all);
        assert!(!controls[20].unwrap().is_outside(0.0, Side::Both));
        assert!(controls[21].unwrap().is_outside(0.1, Side::High));
        assert_eq!(controls[24].unwrap().median, 0.0);
    }
}
