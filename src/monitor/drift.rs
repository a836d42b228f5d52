//! What changed between a baseline and current data, column by column.
//!
//! Owns the facts of drift and the verdict on a column. Counts of both sides lie in shared buckets,
//! so distances that are defined on bins are exact, and the others have a bracket that holds the
//! exact number. It must not know where profiles come from or how facts are shown.

use super::divergence::{chi_square, expected_divergence, jensen_shannon, psi};
use super::infinite::Infinite;
use super::kolmogorov::two_sample;
use crate::statistics::categories::{Categories, SideBySide};
use crate::statistics::distribution::Distribution;
use crate::statistics::quantile_sketch::SharedRange;

/// Bins of equal mass of the baseline that the Jensen–Shannon distance is taken over.
const JENSEN_SHANNON_BINS: usize = 20;

/// Bins of equal mass of the baseline that the population stability index is taken over.
const PSI_BINS: usize = 10;

/// From so many rows on, a probability says nothing that the distance does not.
pub const MAX_ROWS_OF_TESTS: u64 = 10_000;

/// From so many rows on, categories have drifted only if their test gives less: thousands of them
/// differ in two samples of one distribution, too.
const MAX_P_OF_MANY: f64 = 0.01;

/// The share of false alarms among alarms that tests may give.
pub const FALSE_DISCOVERY_RATE: f64 = 0.05;

/// Two numbers between which the exact one lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bracket {
    /// The exact number is at least this.
    pub low: f64,
    /// The exact number is at most this.
    pub high: f64,
}

/// Limits above which a column has drifted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Of the Jensen–Shannon distance.
    pub js: f64,
    /// Of the Kolmogorov–Smirnov distance.
    pub ks: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { js: 0.1, ks: 0.1 }
    }
}

/// What is said of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No distance is above its limit.
    Ok,
    /// A distance is above its limit.
    Drift,
    /// The limit lies within a bracket.
    Undecided,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Drift => "drift",
            Self::Undecided => "undecided",
        }
    }
}

/// How many values of either side are in ranges.
fn count(shared: &[SharedRange]) -> [u64; 2] {
    [0, 1].map(|side: usize| shared.iter().map(|one| one.counts[side]).sum())
}

/// Distances between two columns; what is not defined is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drift {
    /// The Jensen–Shannon distance, base 2; new values and categories are bins of their own.
    pub js: Option<f64>,
    /// What it is at most, where not every category is counted; `js` is the least then.
    pub js_high: Option<f64>,
    /// The Jensen–Shannon distance that samples of one distribution have on average.
    pub js_noise: Option<f64>,
    /// The population stability index over the baseline's bins or categories.
    pub psi: Option<f64>,
    /// What holds the Kolmogorov–Smirnov distance.
    pub ks: Option<Bracket>,
    /// What holds the Wasserstein distance, in standard deviations of the baseline.
    pub wasserstein: Option<Bracket>,
    /// The share of the current rows in categories that the baseline does not have.
    pub unseen_rate: Option<f64>,
    /// What it is at most, where not every category is counted; `unseen_rate` is the least then.
    pub unseen_rate_high: Option<f64>,
    /// The probability of the chi-square test of categories.
    pub chi_square_p: Option<f64>,
    /// The probability of the test that decides with few rows.
    pub p: Option<f64>,
    /// Rows with a value, of the baseline and now.
    pub rows: [u64; 2],
}

impl Drift {
    /// Between two columns of numbers.
    #[must_use]
    pub fn of_numbers(baseline: &Distribution, current: &Distribution) -> Self {
        let infinite = Infinite::of([baseline, current].map(Distribution::infinities));
        let shared = baseline.side_by_side(current);
        Self::of_shared(&shared, infinite, baseline.standard_deviation())
    }

    /// Between the numbers of two columns in shared ranges, and those that are infinite;
    /// `deviation` is the baseline's. The infinities are the least and the largest of all values,
    /// and have no part in the Wasserstein distance, which they would make infinite.
    #[must_use]
    pub fn of_shared(shared: &[SharedRange], infinite: Infinite, deviation: Option<f64>) -> Self {
        let finite_rows = count(shared);
        let finite = shared;
        let shared = infinite.around(shared);
        let shared = shared.as_ref();
        let rows = count(shared);
        if rows.contains(&0) {
            return Self {
                rows,
                ..Self::default()
            };
        }
        let ks = kolmogorov_smirnov(shared, rows);
        let in_deviations = |Bracket { low, high }: Bracket| {
            // That of numbers near 1e200 is beyond double precision.
            let deviation = deviation.filter(|one| *one > 0.0 && one.is_finite())?;
            Some(Bracket {
                low: low / deviation,
                high: high / deviation,
            })
        };
        let [left, right] = in_bins(shared, rows[0], JENSEN_SHANNON_BINS, true);
        let [few_left, few_right] = in_bins(shared, rows[0], PSI_BINS, false);
        Self {
            js: jensen_shannon(&left, &right),
            js_noise: Some(expected_divergence(left.len(), rows).sqrt()),
            psi: psi(&few_left, &few_right),
            ks: Some(ks),
            wasserstein: Some(finite_rows)
                .filter(|rows| !rows.contains(&0))
                .and_then(|rows| in_deviations(wasserstein(finite, rows))),
            p: Some(rows)
                .filter(|rows| rows.iter().max() < Some(&MAX_ROWS_OF_TESTS))
                .map(|[n, m]| two_sample(ks.low, n, m)),
            rows,
            ..Self::default()
        }
    }

    /// Between two columns of categories.
    #[must_use]
    pub fn of_categories(baseline: &Categories, current: &Categories) -> Self {
        let rows = [baseline.total(), current.total()];
        Self::of_sides(&baseline.side_by_side(current), rows)
    }

    /// Between two columns of categories, whose counts lie side by side; `rows` are those of all.
    ///
    /// A bucket of categories that are not counted one by one has the least distance if both sides
    /// have the same in it, and the largest if they share none.
    #[must_use]
    pub fn of_sides(sides: &SideBySide, rows: [u64; 2]) -> Self {
        let all = || sides.shared.iter().chain(&sides.rest);
        let side = |which: usize| all().map(|counts| counts[which]).collect::<Vec<u64>>();
        let known = all().filter(|counts| counts[0] > 0);
        let (known_left, known_right): (Vec<u64>, Vec<u64>) =
            known.map(|counts| (counts[0], counts[1])).unzip();
        let (left, right) = (side(0), side(1));
        let js = jensen_shannon(&left, &right);
        let unseen = sides.unseen();
        let rate = |unseen: u64| (rows[1] > 0).then(|| unseen as f64 / rows[1] as f64);
        let p = chi_square(&left, &right).map(|(_, p)| p);
        let noise = expected_divergence(left.len(), rows).sqrt();
        Self {
            js,
            js_high: js.and_then(|js| most(sides, rows, js)),
            js_noise: js.map(|_| noise),
            psi: psi(&known_left, &known_right),
            unseen_rate: rate(unseen[0]),
            unseen_rate_high: rate(unseen[1]).filter(|_| unseen[1] > unseen[0]),
            chi_square_p: p,
            p: p.filter(|_| rows.iter().max() < Some(&MAX_ROWS_OF_TESTS)),
            rows,
            ..Self::default()
        }
    }

    /// The verdict on the distances alone.
    #[must_use]
    pub fn verdict(&self, limits: Limits) -> Verdict {
        let is_above = |distance: Option<f64>, limit: f64| distance.is_some_and(|one| one >= limit);
        let differs = self.p.is_some() || self.chi_square_p.is_none_or(|p| p <= MAX_P_OF_MANY);
        let has_drifted = differs && is_above(self.beyond_chance(self.js), limits.js);
        if has_drifted || is_above(self.ks.map(|ks| ks.low), limits.ks) {
            Verdict::Drift
        } else if is_above(self.ks.map(|ks| ks.high), limits.ks)
            || is_above(self.beyond_chance(self.js_high), limits.js)
        {
            Verdict::Undecided
        } else {
            Verdict::Ok
        }
    }

    /// A distance without what samples of one distribution have on average. Of few rows, a test
    /// says whether it is chance.
    fn beyond_chance(&self, js: Option<f64>) -> Option<f64> {
        let noise = self.js_noise.filter(|_| self.p.is_none()).unwrap_or(0.0);
        js.map(|js| (js * js - noise * noise).max(0.0).sqrt())
    }
}

/// The largest distance, if no bucket's categories are shared; none if the least is exact.
fn most(sides: &SideBySide, [n, m]: [u64; 2], least: f64) -> Option<f64> {
    let open = || {
        sides
            .rest
            .iter()
            .filter(|[one, other]| *one > 0 && *other > 0)
    };
    let term = |[one, other]: &[u64; 2]| {
        let (p, q) = (*one as f64 / n as f64, *other as f64 / m as f64);
        let middle = f64::midpoint(p, q);
        let part = |p: f64| p * libm::log2(p / middle);
        // Half a row's share is apart on either side, instead of what is counted now.
        f64::midpoint(p - part(p), q - part(q))
    };
    let more: f64 = open().map(term).sum();
    (open().next().is_some()).then(|| (least * least + more).sqrt().min(1.0))
}

/// The verdicts on all columns of a table: with few rows, an alarm needs a probability that is
/// small among those of all columns (Y. Benjamini and Y. Hochberg, 1995).
#[must_use]
pub fn verdicts(columns: &[Drift], limits: Limits) -> Vec<Verdict> {
    verdicts_within(columns, &vec![limits; columns.len()])
}

/// The same with limits for each column.
#[must_use]
pub fn verdicts_within(columns: &[Drift], limits: &[Limits]) -> Vec<Verdict> {
    let mut tested: Vec<f64> = columns.iter().filter_map(|column| column.p).collect();
    tested.sort_unstable_by(f64::total_cmp);
    let count = tested.len() as f64;
    let allowed = |(rank, p): (usize, &f64)| *p <= FALSE_DISCOVERY_RATE * (rank + 1) as f64 / count;
    let largest = tested
        .iter()
        .enumerate()
        .rev()
        .find(|one| allowed(*one))
        .map(|(_, p)| *p);
    columns
        .iter()
        .zip(limits)
        .map(|(column, limits)| match column.p {
            Some(p) if largest.is_none_or(|largest| p > largest) => Verdict::Ok,
            _ => column.verdict(*limits),
        })
        .collect()
}

/// The share of columns that have drifted, of those that can be compared.
#[must_use]
pub fn drifted_share(columns: &[Drift], verdicts: &[Verdict]) -> Option<f64> {
    share_of(columns, verdicts, &[Verdict::Drift])
}

/// The same with undecided columns counted as drifted.
#[must_use]
pub fn drifted_share_high(columns: &[Drift], verdicts: &[Verdict]) -> Option<f64> {
    share_of(columns, verdicts, &[Verdict::Drift, Verdict::Undecided])
}

fn share_of(columns: &[Drift], verdicts: &[Verdict], counted: &[Verdict]) -> Option<f64> {
    let is_known =
        |(column, verdict): &(&Drift, &Verdict)| column.js.is_some() || **verdict == Verdict::Drift;
    let known = columns.iter().zip(verdicts).filter(is_known).count();
    let found = verdicts
        .iter()
        .filter(|verdict| counted.contains(verdict))
        .count();
    (known > 0).then(|| found as f64 / known as f64)
}

/// Counts of both sides in bins of about equal mass of the baseline; with `has_ends`, values
/// outside the baseline's range have two bins of their own.
fn in_bins(shared: &[SharedRange], baseline: u64, bins: usize, has_ends: bool) -> [Vec<u64>; 2] {
    let mut counts = [vec![0; bins + 2], vec![0; bins + 2]];
    let mut before = 0;
    for range in shared {
        let [own, _] = range.counts;
        // A bucket belongs to the bin of its middle.
        let middle = u128::from(before) * 2 + u128::from(own);
        let inner = (middle * bins as u128 / (2 * u128::from(baseline))).min(bins as u128 - 1);
        let bin = match (own, before) {
            (0, 0) if has_ends => 0,
            (0, all) if all == baseline && has_ends => bins + 1,
            _ => inner as usize + 1,
        };
        for (counts, count) in counts.iter_mut().zip(range.counts) {
            counts[bin] += count;
        }
        before += own;
    }
    // Bins without a row of the baseline are those of repeated values.
    let is_kept = |bin: usize| counts[0][bin] > 0 || counts[1][bin] > 0;
    let kept: Vec<usize> = (0..bins + 2).filter(|bin| is_kept(*bin)).collect();
    [0, 1].map(|side: usize| kept.iter().map(|bin| counts[side][*bin]).collect())
}

/// The shares of both sides before and after each bucket.
fn shares(shared: &[SharedRange], [n, m]: [u64; 2]) -> impl Iterator<Item = ([f64; 2], [f64; 2])> {
    let mut below = [0_u64; 2];
    let share = move |below: [u64; 2]| [below[0] as f64 / n as f64, below[1] as f64 / m as f64];
    shared.iter().map(move |range| {
        let before = share(below);
        below[0] += range.counts[0];
        below[1] += range.counts[1];
        (before, share(below))
    })
}

fn kolmogorov_smirnov(shared: &[SharedRange], rows: [u64; 2]) -> Bracket {
    let mut bracket = Bracket {
        low: 0.0,
        high: 0.0,
    };
    for (range, (before, after)) in shared.iter().zip(shares(shared, rows)) {
        bracket.low = bracket.low.max((after[0] - after[1]).abs());
        // Within a bucket of several values one function may rise before the other.
        if range.low < range.high {
            let apart = (after[0] - before[1]).max(after[1] - before[0]);
            bracket.high = bracket.high.max(apart);
        }
    }
    bracket.high = bracket.high.max(bracket.low);
    bracket
}

fn wasserstein(shared: &[SharedRange], rows: [u64; 2]) -> Bracket {
    let mut bracket = Bracket {
        low: 0.0,
        high: 0.0,
    };
    let mut end: Option<f64> = None;
    for (range, (before, after)) in shared.iter().zip(shares(shared, rows)) {
        let apart = (before[0] - before[1]).abs();
        let gap = end.map_or(0.0, |end| width(end, range.low)) * apart;
        let inside = width(range.low, range.high);
        let most = (after[0] - before[1]).max(after[1] - before[0]).max(0.0);
        let [rise, other] = [after[0] - before[0], after[1] - before[1]];
        let least = (apart - rise.max(other)).max(0.0);
        bracket.low += gap + inside * least;
        bracket.high += gap + inside * most;
        end = Some(range.high);
    }
    bracket
}

/// The distance of two numbers, which may be beyond the range of half of them.
fn width(low: f64, high: f64) -> f64 {
    2.0 * (high / 2.0 - low / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::distance;
    use super::*;
    use crate::monitor::golden::{categories, distribution as of, numbers};

    fn counted(counts: &[u64]) -> Categories {
        let mut categories = Categories::default();
        for (index, count) in counts.iter().enumerate() {
            categories.add(&index.to_string(), *count);
        }
        categories
    }

    #[test]
    fn infinite_numbers_are_the_least_and_the_largest() {
        let usual: Vec<f64> = (0..20_000).map(|index| f64::from(index % 100)).collect();
        let with = |value: f64| {
            let others = usual.iter().enumerate();
            let all = others.map(|(index, one)| if index % 20 == 0 { value } else { *one });
            all.collect::<Vec<f64>>()
        };
        let between = |one: &[f64], other: &[f64]| Drift::of_numbers(&of(one), &of(other));
        for infinity in [f64::INFINITY, f64::NEG_INFINITY] {
            let found = between(&usual, &with(infinity));
            // The same as of numbers far outside.
            let far = between(&usual, &with(infinity.signum() * 1e9));
            assert_eq!(
                (found.js, found.psi, found.rows),
                (far.js, far.psi, far.rows)
            );
            assert!((found.ks.unwrap().low - far.ks.unwrap().low).abs() < 1e-12);
            assert!(found.wasserstein.unwrap().high < 0.1);
            assert_eq!(found.verdict(Limits::default()), Verdict::Drift);
            let same = between(&with(infinity), &with(infinity));
            assert_eq!((same.js, same.ks.unwrap().low), (Some(0.0), 0.0));
            // Not a number of the usual range is left.
            let all = vec![infinity; 20_000];
            let found = between(&usual, &all);
            assert!(found.js.unwrap() > 0.99 && found.wasserstein.is_none());
        }
        assert!(
            between(&with(f64::INFINITY), &with(f64::NEG_INFINITY))
                .js
                .unwrap()
                > 0.15
        );
    }

    #[test]
    fn few_distinct_numbers_have_the_distances_of_scipy() {
        // SciPy 1.17.1
        let [baseline, current] = numbers();
        let found = Drift::of_numbers(&of(&baseline), &of(&current));
        let ks = found.ks.unwrap();
        assert!(
            (ks.low - 0.137).abs() < 1e-12 && (ks.high - 0.137).abs() < 1e-12,
            "{ks:?}"
        );
        let deviation = of(&baseline).standard_deviation().unwrap();
        let wasserstein = found.wasserstein.unwrap();
        for end in [wasserstein.low, wasserstein.high] {
            assert!(
                (end * deviation - 0.9975932273198851).abs() < 1e-9,
                "{wasserstein:?}"
            );
        }
        assert!((found.p.unwrap() / 2.3088534877863334e-11 - 1.0).abs() < 1e-9);
        assert_eq!(found.verdict(Limits::default()), Verdict::Drift);
    }

    #[test]
    fn categories_have_the_distances_of_nannyml_and_new_ones_their_own_fact() {
        // NannyML 0.13.1; the category g is new
        let [baseline, current] = categories();
        let found = Drift::of_categories(&counted(&baseline), &counted(&current));
        assert!((found.js.unwrap() - 0.3239172742967533).abs() < 1e-12);
        assert!((found.chi_square_p.unwrap() / 2.102293772384603e-71 - 1.0).abs() < 1e-9);
        assert_eq!(found.unseen_rate, Some(83.0 / 1200.0));
        let seen = psi(&baseline[..6], &current[..6]);
        assert_eq!(
            found.psi.map(|psi| (psi * 1e9).round()),
            seen.map(|psi| (psi * 1e9).round())
        );
        let many: Vec<u64> = vec![1; 10_000];
        let found = Drift::of_categories(&counted(&many), &counted(&many));
        assert_eq!((found.js, found.unseen_rate), (Some(0.0), Some(0.0)));
        assert!(found.js_high > Some(0.8) && found.unseen_rate_high > Some(0.7));
    }

    #[test]
    fn columns_without_values_and_constant_columns_are_defined() {
        let nothing = Drift::of_numbers(&of(&[]), &of(&[1.0]));
        assert_eq!(
            (nothing.js, nothing.verdict(Limits::default())),
            (None, Verdict::Ok)
        );
        let constant = Drift::of_numbers(&of(&[2.0; 50]), &of(&[2.0; 70]));
        assert_eq!((constant.js, constant.wasserstein), (Some(0.0), None));
        let moved = Drift::of_numbers(&of(&[2.0; 50]), &of(&[3.0; 70]));
        assert_eq!(
            (moved.js, moved.ks.map(|ks| ks.low)),
            (Some(1.0), Some(1.0))
        );
        let hostile = [f64::NAN, f64::INFINITY, 1e300, -1e300, 5e-324, -0.0];
        let found = Drift::of_numbers(&of(&hostile), &of(&hostile));
        assert_eq!(
            (found.js, found.ks.map(|ks| ks.high)),
            (Some(0.0), Some(0.0))
        );
        assert_eq!(found.rows, [5, 5]);
        let nothing = Drift::of_categories(&counted(&[]), &counted(&[5]));
        assert_eq!((nothing.js, nothing.unseen_rate), (None, Some(1.0)));
    }

    #[test]
    fn a_limit_within_the_bracket_is_undecided_and_few_rows_need_a_small_probability() {
        let drift = |low: f64, high: f64, p: Option<f64>| Drift {
            js: Some(0.01),
            ks: Some(Bracket { low, high }),
            p,
            ..Drift::default()
        };
        let columns = [
            drift(0.2, 0.2, None),
            drift(0.09, 0.11, None),
            drift(0.01, 0.02, None),
            drift(0.3, 0.3, Some(0.001)),
            drift(0.3, 0.3, Some(0.04)),
        ];
        let found = verdicts(&columns, Limits::default());
        let expected = ["drift", "undecided", "ok", "drift", "drift"];
        assert_eq!(
            found.iter().map(|one| one.name()).collect::<Vec<_>>(),
            expected
        );
        assert_eq!(drifted_share(&columns, &found), Some(0.6));
        let alone = [drift(0.3, 0.3, Some(0.04)), drift(0.3, 0.3, Some(0.9))];
        assert_eq!(
            verdicts(&alone, Limits::default()),
            [Verdict::Ok, Verdict::Ok]
        );
    }

    /// Rows of pseudo-random categories among `count`.
    fn sampled(seed: u64, count: u64, rows: u64) -> Categories {
        let mut categories = Categories::default();
        for row in 0..rows {
            let value = crate::statistics::hash::of_number((seed << 32 | row) as f64);
            categories.add(&(value as u64 % count).to_string(), 1);
        }
        categories
    }

    #[test]
    fn categories_beyond_the_cap_are_seen_to_come_and_go() {
        let limits = Limits::default();
        let few = counted(&[1000, 1000, 1000]);
        let mut ids = Categories::default();
        (0..300_000).for_each(|row| ids.add(&format!("id-{row}"), 1));
        let found = Drift::of_categories(&few, &ids);
        assert!(
            found.js > Some(0.99) && found.unseen_rate > Some(0.99),
            "{found:?}"
        );
        assert_eq!(found.verdict(limits), Verdict::Drift);
        // One that had half of the rows is gone, among many that come once.
        let with_big = |big: u64, first: u64| {
            let mut categories = Categories::default();
            categories.add("big", big);
            (0..100_000).for_each(|row| categories.add(&format!("{}", first + row), 1));
            categories
        };
        let found = Drift::of_categories(&with_big(100_000, 0), &with_big(0, 1 << 20));
        assert!(found.js > Some(0.4), "{found:?}");
        assert_eq!(found.verdict(limits), Verdict::Drift);
        // New ids instead of old ones: what they share is not known.
        let found = Drift::of_categories(&with_big(0, 0), &with_big(0, 1 << 20));
        assert!(found.js_high > Some(0.99) && found.unseen_rate_high > Some(0.99));
        assert_eq!(found.verdict(limits), Verdict::Undecided, "{found:?}");
        let found = Drift::of_categories(&with_big(0, 0), &with_big(0, 0));
        assert_eq!((found.js, found.unseen_rate), (Some(0.0), Some(0.0)));
        assert_eq!(found.verdict(limits), Verdict::Undecided, "{found:?}");
    }

    #[test]
    fn samples_of_one_distribution_of_many_categories_have_not_drifted() {
        let limits = Limits::default();
        let found = Drift::of_categories(&sampled(1, 2000, 20_000), &sampled(2, 2000, 20_000));
        assert!(found.js > Some(limits.js) && found.p.is_none(), "{found:?}");
        let noise = found.js_noise.unwrap();
        assert!((found.js.unwrap() / noise - 1.0).abs() < 0.1, "{found:?}");
        assert_eq!(found.verdict(limits), Verdict::Ok);
        // A fifth of the rows is in 20 of the 2,000 categories now.
        let mut moved = sampled(3, 2000, 16_000);
        moved.merge(&sampled(4, 20, 4_000));
        let found = Drift::of_categories(&sampled(1, 2000, 20_000), &moved);
        assert_eq!(found.verdict(limits), Verdict::Drift, "{found:?}");
        // The same of numbers, where the distance is small anyway.
        let numbers = |seed: u64| {
            let values = (0..20_000_u64).map(|row| {
                crate::statistics::hash::of_number((seed << 32 | row) as f64) as u64 as f64
            });
            of(&values.collect::<Vec<f64>>())
        };
        let found = Drift::of_numbers(&numbers(1), &numbers(2));
        let ratio = found.js.unwrap() / found.js_noise.unwrap();
        assert!((0.5..1.6).contains(&ratio), "{found:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn brackets_of_many_categories_hold_the_exact_distances(
            seed in 0u64..1000,
            counts in (1u64..9000, 1u64..9000),
            rows in (1u64..12_000, 1u64..12_000),
        ) {
            let texts = |seed: u64, count: u64, rows: u64| {
                let value = move |row: u64| {
                    crate::statistics::hash::of_number((seed << 32 | row) as f64) as u64 % count
                };
                (0..rows).map(value)
            };
            let sides = [(seed, counts.0, rows.0), (seed + 1, counts.1, rows.1)];
            let mut tables = [Categories::default(), Categories::default()];
            let mut exact = [vec![0; 9000], vec![0; 9000]];
            for (side, (seed, count, rows)) in sides.into_iter().enumerate() {
                for value in texts(seed, count, rows) {
                    tables[side].add(&value.to_string(), 1);
                    exact[side][value as usize] += 1;
                }
            }
            let found = Drift::of_categories(&tables[0], &tables[1]);
            let js = jensen_shannon(&exact[0], &exact[1]).unwrap();
            let low = found.js.unwrap();
            let high = found.js_high.unwrap_or(low);
            prop_assert!(low <= js + 1e-9 && js <= high + 1e-9, "{} {:?}", js, found);
            let unseen: u64 = exact[0]
                .iter()
                .zip(&exact[1])
                .map(|(known, now)| if *known == 0 { *now } else { 0 })
                .sum();
            let unseen = unseen as f64 / rows.1 as f64;
            let low = found.unseen_rate.unwrap();
            let high = found.unseen_rate_high.unwrap_or(low);
            prop_assert!(low <= unseen && unseen <= high, "{} {:?}", unseen, found);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn brackets_hold_the_exact_distances(
            seed in 1u64..u64::MAX,
            n in 1usize..9000,
            m in 1usize..9000,
            shift in -2i32..3,
        ) {
            let mut state = seed;
            let mut values = |count: usize, shift: f64| -> Vec<f64> {
                let mut values: Vec<f64> = (0..count)
                    .map(|_| {
                        state = state
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1_442_695_040_888_963_407);
                        let uniform = (state >> 11) as f64 / (1_u64 << 53) as f64;
                        (uniform * 20.0 - 10.0).exp() + shift
                    })
                    .collect();
                values.sort_unstable_by(f64::total_cmp);
                values
            };
            let (baseline, current) = (values(n, 0.0), values(m, f64::from(shift)));
            let found = Drift::of_numbers(&of(&baseline), &of(&current));
            let ks = distance::kolmogorov_smirnov(&baseline, &current).unwrap();
            let bracket = found.ks.unwrap();
            prop_assert!(
                bracket.low <= ks + 1e-12 && ks <= bracket.high + 1e-12,
                "{} {:?}",
                ks,
                bracket
            );
            if let (Some(bracket), Some(deviation)) =
                (found.wasserstein, of(&baseline).standard_deviation())
            {
                let exact = distance::wasserstein(&baseline, &current).unwrap() / deviation;
                prop_assert!(
                    bracket.low <= exact * (1.0 + 1e-9) && exact <= bracket.high * (1.0 + 1e-9),
                    "{} {:?}",
                    exact,
                    bracket
                );
            }
        }
    }
}
