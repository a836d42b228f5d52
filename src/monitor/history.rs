//! A fact of today among the same fact of earlier nights.
//!
//! Owns control limits and the detection of a lasting change in a series of daily values. It must
//! not know which facts these are.
//!
//! - Limits: the median and four times the scaled median absolute deviation of the last
//!   [`MAX_NIGHTS`] nights, which a few bad nights do not move. As both are estimated, and of many
//!   facts, limits are wider by a half for 14 nights, by a quarter for 30: beyond them lies one of
//!   700 normal values for 14 nights, one of 2,500 for 30.
//! - EWMA: the exponentially weighted mean of S. W. Roberts (1959), with the limits that follow
//!   from its own variance and that of the median.
//! - Page–Hinkley: E. S. Page, *Continuous inspection schemes* (1954), in both directions.
//! - ADWIN: A. Bifet and R. Gavaldà, *Learning from time-changing data with adaptive windowing*
//!   (2007), over all nights; there are few of them, so every cut is tried.

use super::control::{DEVIATIONS, Side, WEIGHT, average_deviations, deviations};

/// Nights without which nothing is learnt.
pub const MIN_NIGHTS: usize = 14;

/// The most nights that limits are learnt from: the last ones.
pub const MAX_NIGHTS: usize = 30;

/// A median absolute deviation times this is a standard deviation, of normal values.
const SCALED: f64 = 1.482_602_218_505_602;

/// Of a deviation: changes that Page–Hinkley does not add up.
const PAGE_TOLERANCE: f64 = 0.5;

/// Deviations, added up, from which Page–Hinkley sees a change.
const PAGE_THRESHOLD: f64 = 8.0;

/// The confidence of ADWIN: the chance that it sees a change where there is none.
const ADWIN_DELTA: f64 = 0.002;

/// The fewest nights on either side of a cut.
const ADWIN_NIGHTS: usize = 5;

/// What earlier nights say of today.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Control {
    /// The nights that were learnt from.
    pub nights: usize,
    /// Their median.
    pub median: f64,
    /// Their scaled median absolute deviation.
    pub deviation: f64,
    /// Today's distance from the median, in deviations.
    pub zscore: f64,
    /// The weighted mean, today included.
    pub ewma: f64,
    /// Its limits.
    pub ewma_limits: [f64; 2],
    /// Whether Page–Hinkley sees a change that ends today.
    pub page_hinkley: bool,
    /// Whether ADWIN sees one: the nights since then, today included.
    pub adwin: Option<usize>,
}

impl Control {
    /// What the values of earlier nights, oldest first, say of today's; none for fewer than
    /// [`MIN_NIGHTS`]. Values that are not finite are passed over.
    #[must_use]
    pub fn new(earlier: &[f64], today: f64) -> Option<Self> {
        let all: Vec<f64> = earlier
            .iter()
            .copied()
            .filter(|one| one.is_finite())
            .collect();
        let known = &all[all.len().saturating_sub(MAX_NIGHTS)..];
        if known.len() < MIN_NIGHTS {
            return None;
        }
        let median = middle(known.to_vec());
        let apart = known.iter().map(|one| (one - median).abs()).collect();
        // Facts that never changed have a deviation all the same: a rounding of the median.
        let least = median.abs().max(1e-6) * 1e-6;
        let deviation = (SCALED * middle(apart)).max(least);
        let (mut ewma, mut weight) = (median, 1.0);
        for value in known.iter().chain([&today]) {
            ewma += WEIGHT * (value - ewma);
            weight *= (1.0 - WEIGHT) * (1.0 - WEIGHT);
        }
        let limit = average_deviations(known.len(), 1.0 - weight) * deviation;
        let series: Vec<f64> = known.iter().copied().chain([today]).collect();
        let whole: Vec<f64> = all.iter().copied().chain([today]).collect();
        Some(Self {
            nights: known.len(),
            median,
            deviation,
            zscore: (today - median) / deviation,
            ewma,
            ewma_limits: [median - limit, median + limit],
            page_hinkley: page_hinkley(&series, median, deviation),
            adwin: adwin(&whole),
        })
    }

    /// The limits of a single night.
    #[must_use]
    pub fn limits(&self) -> [f64; 2] {
        let apart = deviations(self.nights) * self.deviation;
        [self.median - apart, self.median + apart]
    }

    /// Whether today is beyond a limit on the side that is trouble.
    #[must_use]
    pub fn is_beyond(&self, side: Side) -> bool {
        self.zscore.is_nan() || side.distance(self.zscore) > deviations(self.nights)
    }

    /// Whether the last nights together moved to that side, though each may be within its limits.
    #[must_use]
    pub fn has_shifted(&self, side: Side) -> bool {
        let [low, high] = self.ewma_limits;
        let is_outside = self.ewma < low || self.ewma > high;
        let has_moved = is_outside || self.page_hinkley || self.adwin.is_some();
        has_moved && side.distance(self.ewma - self.median) >= 0.0
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values[half]
    } else {
        f64::midpoint(values[half - 1], values[half])
    }
}

/// Whether the sum of deviations beyond the tolerance, upward or downward, is beyond the threshold
/// at the end of the series.
fn page_hinkley(series: &[f64], center: f64, deviation: f64) -> bool {
    let (mut up, mut down) = (0.0_f64, 0.0_f64);
    for value in series {
        // One bad night alone is not a change.
        let scaled = ((value - center) / deviation).clamp(-DEVIATIONS, DEVIATIONS);
        up = (up + scaled - PAGE_TOLERANCE).max(0.0);
        down = (down - scaled - PAGE_TOLERANCE).max(0.0);
    }
    up > PAGE_THRESHOLD || down > PAGE_THRESHOLD
}

/// The nights since the mean changed: of all cuts at which both sides differ by more than chance
/// allows, the last. The bound is for values between 0 and 1, so the series is scaled to that.
fn adwin(series: &[f64]) -> Option<usize> {
    let count = series.len();
    let ends = series
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |ends, one| {
            (ends.0.min(*one), ends.1.max(*one))
        });
    let width = ends.1 / 2.0 - ends.0 / 2.0;
    let is_varied = width > 0.0 && width.is_finite();
    if !is_varied {
        return None;
    }
    let scaled: Vec<f64> = series
        .iter()
        .map(|one| (one / 2.0 - ends.0 / 2.0) / width)
        .collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let whole = mean(&scaled);
    let squares = scaled.iter().map(|one| (one - whole) * (one - whole));
    let variance = squares.sum::<f64>() / count as f64;
    let confidence = (2.0 * (count as f64).ln() / ADWIN_DELTA).ln();
    (ADWIN_NIGHTS..=count.saturating_sub(ADWIN_NIGHTS))
        .rev()
        .find(|cut| {
            let (before, after) = scaled.split_at(*cut);
            let harmonic = 1.0 / (1.0 / before.len() as f64 + 1.0 / after.len() as f64);
            let bound = (2.0 / harmonic * variance * confidence).sqrt()
                + 2.0 / (3.0 * harmonic) * confidence;
            (mean(before) - mean(after)).abs() > bound
        })
        .map(|cut| count - cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values around a center that repeat every 7 nights.
    fn nights(count: usize, center: f64) -> Vec<f64> {
        let wave = [0.0, 0.5, -0.5, 1.0, -1.0, 0.2, -0.2];
        (0..count).map(|night| center + wave[night % 7]).collect()
    }

    #[test]
    fn limits_come_from_median_and_deviation_of_the_last_nights() {
        // numpy: np.median, scipy.stats.median_abs_deviation(scale="normal")
        let known: Vec<f64> = (1..=15).map(f64::from).collect();
        let found = Control::new(&known, 30.0).unwrap();
        assert_eq!((found.nights, found.median), (15, 8.0));
        assert!((found.deviation - 5.930_408_874_022_408).abs() < 1e-12);
        assert!((found.zscore - 22.0 / 5.930_408_874_022_408).abs() < 1e-12);
        assert!(!found.is_beyond(Side::Both));
        assert!(Control::new(&known, 50.0).unwrap().is_beyond(Side::Both));
        assert!(
            Control::new(&known[..13], 8.0).is_none(),
            "13 nights teach nothing"
        );
        let mut long = vec![1e6; 50];
        long.extend(nights(30, 5.0));
        assert_eq!(Control::new(&long, 5.0).unwrap().median, 5.0);
    }

    #[test]
    fn a_few_bad_nights_do_not_move_the_limits() {
        let mut known = nights(28, 10.0);
        (known[3], known[9], known[20]) = (500.0, f64::NAN, -300.0);
        let found = Control::new(&known, 10.4).unwrap();
        assert!(
            (found.median - 10.0).abs() < 0.3 && !found.is_beyond(Side::Both),
            "{found:?}"
        );
        assert!(
            Control::new(&known, f64::NAN)
                .unwrap()
                .is_beyond(Side::Both)
        );
    }

    #[test]
    fn a_fact_that_never_changed_is_beyond_its_limits_once_it_does() {
        let found = Control::new(&[0.0; 20], 0.0).unwrap();
        assert!(
            found.zscore == 0.0 && !found.is_beyond(Side::Both) && !found.has_shifted(Side::Both)
        );
        assert!(
            Control::new(&[0.0; 20], 0.01)
                .unwrap()
                .is_beyond(Side::Both)
        );
        assert!(Control::new(&[7.0; 20], 7.1).unwrap().is_beyond(Side::Both));
    }

    #[test]
    fn a_small_lasting_change_is_a_shift_though_no_night_is_beyond_its_limits() {
        let steady = Control::new(&nights(28, 10.0), 10.2).unwrap();
        assert!(!steady.has_shifted(Side::Both), "{steady:?}");
        let mut moved = nights(21, 10.0);
        moved.extend(nights(8, 12.0));
        let found = Control::new(&moved, 12.0).unwrap();
        assert!(
            !found.is_beyond(Side::Both) && found.has_shifted(Side::Both),
            "{found:?}"
        );
    }

    #[test]
    fn only_the_side_that_is_trouble_counts() {
        let known = nights(28, 10.0);
        let [high, low] = [30.0, -10.0].map(|today| Control::new(&known, today).unwrap());
        for (side, expected) in [
            (Side::Both, [true, true]),
            (Side::High, [true, false]),
            (Side::Low, [false, true]),
        ] {
            assert_eq!([high, low].map(|one| one.is_beyond(side)), expected);
            assert_eq!([high, low].map(|one| one.has_shifted(side)), expected);
        }
        let unknown = Control::new(&known, f64::NAN).unwrap();
        assert!(unknown.is_beyond(Side::High) && unknown.is_beyond(Side::Low));
    }

    #[test]
    fn adwin_sees_a_change_in_the_night_in_which_river_does() {
        // river 0.26.1, by data/golden/adwin.py
        for (before, after, start, end, noise, expected) in [
            (100, 100, 0.2, 0.8, 0.2, Some(121)),
            (100, 100, 0.4, 0.6, 0.2, Some(188)),
            (60, 140, 0.3, 0.5, 0.1, None),
            (40, 60, 0.1, 0.9, 0.05, Some(66)),
            (150, 50, 0.7, 0.2, 0.3, Some(173)),
            (200, 0, 0.5, 0.5, 0.4, None),
            (30, 30, 0.45, 0.55, 0.3, None),
            (300, 100, 0.5, 0.65, 0.2, Some(375)),
        ] {
            let value = |i: usize| {
                let mean = if i < before { start } else { end };
                mean + noise * (((i * 37 + 11) % 101) as f64 / 100.0 - 0.5)
            };
            let mut series = vec![0.0, 1.0];
            series.extend((0..before + after).map(value));
            let found = (1..=series.len()).find(|nights| adwin(&series[..*nights]).is_some());
            assert_eq!(found, expected, "{start} to {end}");
        }
    }

    #[test]
    fn adwin_cuts_a_long_series_where_its_mean_changes() {
        let mut series = nights(140, 0.0);
        series.extend(nights(60, 40.0));
        let found = adwin(&series).unwrap();
        assert!((5..=60).contains(&found), "{found}");
        assert_eq!(adwin(&nights(200, 3.0)), None);
        assert_eq!(adwin(&[1.0; 50]), None);
        assert_eq!(adwin(&[f64::MAX, -f64::MAX]), None);
    }
}
