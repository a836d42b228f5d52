//! Two scores of the same rows: what their orders say.
//!
//! Owns two sorted walks in bounded memory. The first, in the order of one score, gives each row
//! its rank and its placement among the rows of the other class; the second, in the order of the
//! other score, multiplies them: Spearman's correlation with mid-ranks, deciles, the population
//! stability index, and both areas under the ROC curve with the covariance of `DeLong`. Ranks are
//! integers, so sums are exact and the order of rows changes nothing. It must not know columns.

use std::collections::{BTreeMap, HashMap};

use super::curve::{Costs, Curve};
use super::evaluate::gather::{order_bytes, ordered_number};
use super::interval::Estimate;
use super::paired_bootstrap::PairedTable;
use super::rank_bins::RankBins;
use super::tenths::Tenths;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::storage::Location;
use crate::table::sorted::{Record, Sorted, Sorter};

/// Tenths of the rows by score.
pub const DECILES: usize = 10;

/// Rows between two checks whether the process was asked to stop.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 16;

/// What a curve of scores costs nothing.
const NO_COSTS: Costs = Costs {
    false_positive: 1.0,
    false_negative: 1.0,
};

/// Rows with two scores, on their way to [`PairedRanks`].
#[derive(Debug)]
pub struct PairedScores {
    by_first: Sorter,
    /// The same rows once more: how many rows share a score is known before they are ranked.
    ahead: Sorter,
    directory: Location,
    run_bytes: usize,
    /// Rows by group and label.
    counts: BTreeMap<u32, HashMap<Option<u32>, u64>>,
}

/// Two scores of the same rows, compared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PairedRanks {
    /// The rows.
    pub rows: u64,
    /// Spearman's correlation; none if one of the scores is the same for all rows.
    pub rank_correlation: Option<f64>,
    /// Rows by decile of the first score and of the second, the lowest scores first.
    pub deciles: [[u64; DECILES]; DECILES],
    /// The population stability index of the second score, in deciles of the first.
    pub psi: Option<f64>,
    /// What labels add.
    pub curves: Option<PairedCurves>,
}

/// Two scores against the same labels of two classes.
#[derive(Clone, Debug, PartialEq)]
pub struct PairedCurves {
    /// The areas under the ROC curves.
    pub areas: [f64; 2],
    /// The second area less the first; its interval is that of `DeLong`.
    pub area_difference: Estimate,
    /// The two-sided probability of a difference at least as large if the areas were the same.
    pub p: Option<f64>,
    /// Average precision of each, and the difference with the interval of the bootstrap.
    pub average_precision: Option<([f64; 2], Estimate)>,
    /// The distance between the distributions of the classes, likewise.
    pub ks: Option<([f64; 2], Estimate)>,
}

impl PairedScores {
    /// No rows yet. Rows that do not fit into memory are put aside in `directory`.
    #[must_use]
    pub fn new(directory: &Location, run_bytes: usize) -> Self {
        Self {
            by_first: Sorter::new(directory, run_bytes),
            ahead: Sorter::new(directory, run_bytes),
            directory: directory.to_owned(),
            run_bytes,
            counts: BTreeMap::new(),
        }
    }

    /// Takes a row of a group: two scores that are not NaN, and its label.
    ///
    /// # Errors
    /// Fails if rows cannot be put aside.
    pub fn add(&mut self, group: u32, [first, second]: [f64; 2], label: Option<u32>) -> Result<()> {
        *self
            .counts
            .entry(group)
            .or_default()
            .entry(label)
            .or_default() += 1;
        let key = [&group.to_be_bytes()[..], &order_bytes(first)].concat();
        let label = label.map_or(u64::MAX, u64::from);
        let payload = [order_bytes(second), label.to_be_bytes()].concat();
        self.ahead.push(&key, &label.to_be_bytes())?;
        self.by_first.push(&key, &payload)
    }

    /// Every group, compared; with the positive label also against the labels.
    ///
    /// # Errors
    /// Fails if rows cannot be read back, or if the process is asked to stop.
    pub fn finish(
        self,
        positive: Option<u32>,
        interrupt: &Interrupt,
    ) -> Result<BTreeMap<u32, PairedRanks>> {
        let Self {
            by_first,
            ahead,
            directory,
            run_bytes,
            counts,
        } = self;
        let mut walks: BTreeMap<u32, Walk> = counts
            .iter()
            .map(|(group, labels)| (*group, Walk::new(labels, positive)))
            .collect();
        let mut ahead = Ties::new(ahead.finish()?)?;
        let mut first = Ties::new(by_first.finish()?)?;
        let mut by_second = Sorter::new(&directory, run_bytes);
        let mut rows = 0_u64;
        while let Some((group, score)) = ahead.next_tie()? {
            let walk = walks.get_mut(&group).ok_or_else(damaged)?;
            let mut tied = Tied::default();
            while let Some(payload) = ahead.next_row()? {
                let label = number(&payload, 0).ok_or_else(damaged)?;
                tied.add(class_of(label, positive));
            }
            first.next_tie()?.ok_or_else(damaged)?;
            while let Some(payload) = first.next_row()? {
                rows += 1;
                if rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                    interrupt.check()?;
                }
                let label = number(&payload, 8).ok_or_else(damaged)?;
                let class = class_of(label, positive);
                let [rank, placement] = walk.first.ranks(tied, class);
                let bin = walk.first.bin(tied);
                let second = payload.first_chunk::<8>().ok_or_else(damaged)?;
                let key = [&group.to_be_bytes()[..], second].concat();
                let row = [
                    &rank.to_be_bytes()[..],
                    &placement.to_be_bytes(),
                    &class.to_be_bytes(),
                    &bin.to_be_bytes(),
                ]
                .concat();
                by_second.push(&key, &row)?;
            }
            walk.end_first(score, tied);
        }
        let mut second = Ties::new(by_second.finish()?)?;
        let mut found = BTreeMap::new();
        // Groups come one after the other: only one has a table for its bootstrap.
        let mut current: Option<(u32, Walk)> = None;
        while let Some((group, score)) = second.next_tie()? {
            interrupt.check()?;
            if let Some((last, walk)) = current.take_if(|current| current.0 != group) {
                found.insert(last, walk.finish());
            }
            let (_, walk) = if let Some(current) = &mut current {
                current
            } else {
                let walk = walks.remove(&group).ok_or_else(damaged)?;
                current.insert((group, walk))
            };
            let mut tie = SecondTie::default();
            while let Some(payload) = second.next_row()? {
                let row = FirstRanks::of_bytes(&payload).ok_or_else(damaged)?;
                tie.add(&row, walk.first.rows);
            }
            walk.end_second(score, &tie);
        }
        found.extend(current.map(|(last, walk)| (last, walk.finish())));
        Ok(found)
    }
}

fn damaged() -> Error {
    Error::internal("a row that was put aside is damaged")
}

/// The number that begins at an offset.
fn number(bytes: &[u8], offset: usize) -> Option<u64> {
    let bytes = bytes.get(offset..offset + 8)?;
    Some(u64::from_be_bytes(bytes.try_into().ok()?))
}

/// Without a label, negative, positive.
const CLASSES: usize = 3;

fn class_of(label: u64, positive: Option<u32>) -> u8 {
    match positive {
        Some(positive) if label != u64::MAX => 1 + u8::from(label == u64::from(positive)),
        _ => 0,
    }
}

/// Sorted rows, tie by tie.
struct Ties {
    sorted: Sorted,
    next: Option<Record>,
    key: Vec<u8>,
}

impl Ties {
    fn new(mut sorted: Sorted) -> Result<Self> {
        let next = sorted.next_record()?;
        Ok(Self {
            sorted,
            next,
            key: Vec::new(),
        })
    }

    /// The group and the score of the next rows; none after the last.
    fn next_tie(&mut self) -> Result<Option<(u32, f64)>> {
        let Some((key, _)) = &self.next else {
            return Ok(None);
        };
        self.key.clone_from(key);
        let (group, score) = key.split_first_chunk::<4>().ok_or_else(damaged)?;
        let score = score.try_into().map_err(|_| damaged())?;
        Ok(Some((u32::from_be_bytes(*group), ordered_number(score))))
    }

    /// The next row of the tie; none after its last.
    fn next_row(&mut self) -> Result<Option<Vec<u8>>> {
        let Some((_, payload)) = self.next.take_if(|(key, _)| *key == self.key) else {
            return Ok(None);
        };
        self.next = self.sorted.next_record()?;
        Ok(Some(payload))
    }
}

/// Rows of one score, by class.
#[derive(Clone, Copy, Debug, Default)]
struct Tied([u64; CLASSES]);

impl Tied {
    fn add(&mut self, class: u8) {
        self.0[usize::from(class)] += 1;
    }

    fn rows(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The rows below a score, and sums over all rows.
#[derive(Debug)]
struct Order {
    rows: u64,
    below: [u64; CLASSES],
    /// Σ of squares of centred ranks.
    squares: i128,
    /// By class, Σ of placements and of their squares.
    placements: [[i128; 2]; CLASSES],
    curve: Curve,
    bins: RankBins,
    /// The bin of the rows of the score, once one of them has asked.
    bin: Option<u32>,
}

impl Order {
    fn new(counts: [u64; CLASSES]) -> Self {
        Self {
            rows: counts.iter().sum(),
            below: [0; CLASSES],
            squares: 0,
            placements: [[0; 2]; CLASSES],
            curve: Curve::new(counts[2], counts[1], &[], NO_COSTS).without_intervals(),
            bins: RankBins::new(counts[2], counts[1]),
            bin: None,
        }
    }

    /// The bin of the rows of a score, as far as they have labels.
    fn bin(&mut self, tied: Tied) -> u32 {
        if tied.0[1] + tied.0[2] == 0 {
            return 0;
        }
        let bins = &mut self.bins;
        *self
            .bin
            .get_or_insert_with(|| bins.step(tied.0[2], tied.0[1]))
    }

    fn rows_below(&self) -> u64 {
        self.below.iter().sum()
    }

    /// Twice the mid-rank of a row less `rows + 1`, so that the mean is 0, and its placement: the
    /// number of rows of the other class below it, in halves; a tie counts half.
    fn ranks(&self, tied: Tied, class: u8) -> [i64; 2] {
        let rank = 2 * self.rows_below() + tied.rows() + 1;
        let other = match class {
            0 => return [rank as i64 - (self.rows + 1) as i64, 0],
            1 => 2,
            _ => 1,
        };
        let placement = 2 * self.below[other] + tied.0[other];
        [rank as i64 - (self.rows + 1) as i64, placement as i64]
    }

    /// Ends the rows of a score.
    fn end(&mut self, score: f64, tied: Tied) {
        for class in 0..CLASSES as u8 {
            let [rank, placement] = self.ranks(tied, class).map(i128::from);
            let count = i128::from(tied.0[usize::from(class)]);
            self.squares += count * rank * rank;
            let sums = &mut self.placements[usize::from(class)];
            sums[0] += count * placement;
            sums[1] += count * placement * placement;
        }
        if tied.0[1] + tied.0[2] > 0 {
            self.curve.step(score, tied.0[2], tied.0[1]);
        }
        self.bin = None;
        for (below, tied) in self.below.iter_mut().zip(tied.0) {
            *below += tied;
        }
    }
}

/// What the first walk found of a row.
struct FirstRanks {
    rank: i64,
    placement: i64,
    class: u8,
    bin: u32,
}

impl FirstRanks {
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            rank: number(bytes, 0)? as i64,
            placement: number(bytes, 8)? as i64,
            class: *bytes
                .get(16)
                .filter(|class| usize::from(**class) < CLASSES)?,
            bin: u32::from_be_bytes(*bytes.get(17..)?.first_chunk()?),
        })
    }
}

/// Rows with the same second score.
#[derive(Default)]
struct SecondTie {
    tied: Tied,
    rank_sum: i128,
    place_sums: [i128; CLASSES],
    deciles: [u64; DECILES],
    /// By bin of the first score and class.
    bins: HashMap<(u32, u8), u64>,
}

impl SecondTie {
    fn add(&mut self, row: &FirstRanks, rows: u64) {
        self.tied.add(row.class);
        self.rank_sum += i128::from(row.rank);
        self.place_sums[usize::from(row.class)] += i128::from(row.placement);
        self.deciles[decile(row.rank, rows)] += 1;
        if row.class > 0 {
            *self.bins.entry((row.bin, row.class)).or_default() += 1;
        }
    }
}

/// The decile of a centred, doubled mid-rank.
fn decile(rank: i64, rows: u64) -> usize {
    let from_zero = i128::from(rank) + i128::from(rows);
    let decile = from_zero * DECILES as i128 / (2 * i128::from(rows.max(1)));
    (decile.max(0) as usize).min(DECILES - 1)
}

/// Both walks through one group.
struct Walk {
    first: Order,
    second: Order,
    /// Σ of products of centred ranks.
    products: i128,
    /// By class, Σ of products of placements.
    place_products: [i128; CLASSES],
    deciles: [[u64; DECILES]; DECILES],
    /// Rows of both scores in the tenths of the first.
    tenths: Tenths,
    /// Rows with labels by bins of both scores.
    table: PairedTable,
}

impl Walk {
    fn new(labels: &HashMap<Option<u32>, u64>, positive: Option<u32>) -> Self {
        let mut counts = [0; CLASSES];
        for (label, count) in labels {
            let label = label.map_or(u64::MAX, u64::from);
            counts[usize::from(class_of(label, positive))] += count;
        }
        Self {
            first: Order::new(counts),
            second: Order::new(counts),
            products: 0,
            place_products: [0; CLASSES],
            deciles: [[0; DECILES]; DECILES],
            tenths: Tenths::new(counts.iter().sum()),
            table: PairedTable::default(),
        }
    }

    fn end_first(&mut self, score: f64, tied: Tied) {
        self.tenths.add_first(score, tied.rows());
        self.first.end(score, tied);
    }

    fn end_second(&mut self, score: f64, tie: &SecondTie) {
        for class in 0..CLASSES as u8 {
            let [_, placement] = self.second.ranks(tie.tied, class).map(i128::from);
            let class = usize::from(class);
            self.place_products[class] += tie.place_sums[class] * placement;
        }
        let [rank, _] = self.second.ranks(tie.tied, 0);
        self.products += tie.rank_sum * i128::from(rank);
        let rows = self.second.rows;
        let decile = decile(rank, rows);
        for (row, count) in self.deciles.iter_mut().zip(tie.deciles) {
            row[decile] += count;
        }
        self.tenths.add_second(score, tie.tied.rows());
        let bin = self.second.bin(tie.tied);
        for ((first, class), count) in &tie.bins {
            self.table.add([*first, bin], *class == 2, *count);
        }
        self.second.end(score, tie.tied);
    }

    fn finish(self) -> PairedRanks {
        let spread = (self.first.squares as f64).sqrt() * (self.second.squares as f64).sqrt();
        PairedRanks {
            rows: self.first.rows,
            rank_correlation: (spread > 0.0)
                .then(|| (self.products as f64 / spread).clamp(-1.0, 1.0)),
            deciles: self.deciles,
            psi: self.tenths.psi(),
            curves: self.curves(),
        }
    }

    fn curves(self) -> Option<PairedCurves> {
        let [area, variance, precision, ks] = self.first.curve.values();
        let [other_area, other_variance, other_precision, other_ks] = self.second.curve.values();
        let areas = [area?, other_area?];
        let difference = areas[1] - areas[0];
        let variance = self
            .covariance()
            .zip(variance.zip(other_variance))
            .map(|(both, (first, second))| (first + second - 2.0 * both).max(0.0));
        let error = variance.map_or(f64::NAN, f64::sqrt);
        let p = variance.map(|variance| probability(difference, variance.sqrt()));
        let pairs = [precision.zip(other_precision), ks.zip(other_ks)];
        let moved = pairs.map(|pair| pair.map_or(f64::NAN, |(first, second)| second - first));
        let [precision, ks] = self.table.differences(moved);
        let known = |pair: Option<(f64, f64)>, estimate| Some((<[f64; 2]>::from(pair?), estimate));
        Some(PairedCurves {
            areas,
            area_difference: Estimate::normal(difference, error, (-1.0, 1.0)),
            p,
            average_precision: known(pairs[0], precision),
            ks: known(pairs[1], ks),
        })
    }

    /// The covariance of the areas; none with fewer than two rows of a class.
    fn covariance(&self) -> Option<f64> {
        let counts = self.first.below;
        let part = |class: usize, other: usize| {
            let (count, others) = (counts[class], counts[other]);
            let product = self.place_products[class];
            let sums = [&self.first, &self.second].map(|order| order.placements[class][0]);
            let wide = i128::from(count);
            // The numbers are exact up to some 2³¹ rows of each class.
            let deviations = match (wide.checked_mul(product), sums[0].checked_mul(sums[1])) {
                (Some(left), Some(right)) => (left - right) as f64 / count as f64,
                _ => product as f64 - sums[0] as f64 * (sums[1] as f64 / count as f64),
            };
            let scale = 2.0 * others as f64;
            deviations / (count - 1) as f64 / (scale * scale) / count as f64
        };
        (counts[1] > 1 && counts[2] > 1).then(|| part(1, 2) + part(2, 1))
    }
}

/// The two-sided probability of a difference with this standard error if there were none.
#[must_use]
pub fn probability(difference: f64, error: f64) -> f64 {
    if difference == 0.0 {
        1.0
    } else {
        super::special::normal_two_sided(difference / error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::golden::clf_rows;

    fn golden(run_bytes: usize, is_reversed: bool) -> PairedRanks {
        let (first, second) = (clf_rows(1), clf_rows(2));
        let directory = tempfile::tempdir().unwrap();
        let mut scores = PairedScores::new(&directory.path().into(), run_bytes);
        let mut rows: Vec<_> = first.into_iter().zip(second).collect();
        if is_reversed {
            rows.reverse();
        }
        for ((first, label), (second, _)) in rows {
            scores
                .add(7, [first, second], Some(u32::from(label)))
                .unwrap();
        }
        let mut found = scores.finish(Some(1), &Interrupt::default()).unwrap();
        found.remove(&7).unwrap()
    }

    #[test]
    fn paired_areas_are_those_of_delong_in_any_order_and_memory() {
        // pROC's formula in numpy 2.4.6: areas, variances, covariance, z, p
        let found = golden(1 << 20, false);
        let curves = found.curves.as_ref().unwrap();
        let expected = [0.6570159479833091, 0.6817913468836974];
        for (found, expected) in curves.areas.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert!((curves.p.unwrap() / 0.004581025550741474 - 1.0).abs() < 1e-9);
        let variance =
            0.00018739662075140448 + 0.0001706265825020748 - 2.0 * 0.00014082840997235198;
        let (low, high) = curves.area_difference.interval.unwrap();
        let expected = 2.0 * 1.959963984540054 * f64::sqrt(variance);
        assert!((high - low - expected).abs() < 1e-12);
        assert_eq!(golden(900, true), found);
    }

    #[test]
    fn equal_and_opposite_scores_have_the_correlations_that_they_must() {
        let directory = tempfile::tempdir().unwrap();
        let mut scores = PairedScores::new(&directory.path().into(), 1 << 20);
        for row in 0..100_u32 {
            let score = f64::from(row);
            scores.add(0, [score, score], Some(row % 2)).unwrap();
            scores.add(1, [score, -score], None).unwrap();
            scores.add(2, [0.5, score], None).unwrap();
        }
        let found = scores.finish(Some(1), &Interrupt::default()).unwrap();
        assert_eq!(found[&0].rank_correlation, Some(1.0));
        assert_eq!(found[&0].psi, Some(0.0));
        let curves = found[&0].curves.as_ref().unwrap();
        assert_eq!((curves.area_difference.value, curves.p), (0.0, Some(1.0)));
        assert_eq!(curves.area_difference.interval, None);
        assert_eq!(found[&1].rank_correlation, Some(-1.0));
        assert_eq!(found[&1].deciles[0][9], 10);
        assert_eq!(found[&1].curves, None);
        assert_eq!(found[&2].rank_correlation, None);
    }
}
