//! Neighbouring scores, joined to bins that a bootstrap can draw.
//!
//! Owns which scores share a bin. Of few rows every score is a bin of its own, so that drawing bins
//! is drawing rows. Of many, bins are narrow where scores are highest: average precision is decided
//! there, and a bin that is narrow against all that lies above it changes no precision by much. It
//! must not know what is drawn.

/// Up to so many rows every score is a bin of its own.
const MAX_EXACT_ROWS: u64 = 1 << 12;

/// A bin holds at most this part of the positives, and at most this part of the rows, at and above
/// it: precision hardly changes within it.
const PART_OF_HIGHER: u64 = 16;

/// A bin holds at most this part of all positives, and at most this part of all negatives.
const PART_OF_ALL: u64 = 64;

/// Bins of rising scores.
#[derive(Clone, Debug)]
pub struct RankBins {
    totals: [u64; 2],
    /// Whether scores are joined at all.
    joins: bool,
    /// Positives and negatives at and above the lowest score of the bin.
    at_lowest: [u64; 2],
    /// Positives and negatives above all scores so far.
    above: [u64; 2],
    bin: Option<u32>,
}

impl RankBins {
    /// The bins of so many positives and negatives.
    #[must_use]
    pub fn new(positives: u64, negatives: u64) -> Self {
        Self {
            totals: [positives, negatives],
            joins: positives + negatives > MAX_EXACT_ROWS,
            at_lowest: [0; 2],
            above: [positives, negatives],
            bin: None,
        }
    }

    /// The bin of the next higher score with these rows: that of the one before, or the next.
    pub fn step(&mut self, positives: u64, negatives: u64) -> u32 {
        let from = self.above;
        self.above[0] = self.above[0].saturating_sub(positives);
        self.above[1] = self.above[1].saturating_sub(negatives);
        let own = [0, 1].map(|class| self.at_lowest[class].saturating_sub(self.above[class]));
        let bin = match self.bin {
            None => 0,
            Some(bin) if self.joins && self.holds(own, positives > 0) => bin,
            Some(bin) => bin + 1,
        };
        if self.bin != Some(bin) {
            self.at_lowest = from;
            self.bin = Some(bin);
        }
        bin
    }

    /// Whether so many positives and negatives are one bin. Negatives above the positives of a bin
    /// change no precision, so that only positives have to be close to those below.
    fn holds(&self, own: [u64; 2], has_positives: bool) -> bool {
        let is_part = |count: u64, of: u64, part: u64| count.saturating_mul(part) <= of;
        let [positives, negatives] = self.at_lowest;
        let rows = own[0] + own[1];
        let is_close = !has_positives
            || is_part(own[0], positives, PART_OF_HIGHER)
                && is_part(own[0], self.totals[0], PART_OF_ALL)
                && is_part(rows, positives + negatives, PART_OF_HIGHER);
        is_close && is_part(own[1], self.totals[1], PART_OF_ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bins of rows one by one, given by whether they are positive.
    fn bins(mut bins: RankBins, rows: &[bool]) -> Vec<u32> {
        let step = |row: &bool| bins.step(u64::from(*row), u64::from(!*row));
        rows.iter().map(step).collect()
    }

    fn rows(count: u32, share: u32) -> Vec<bool> {
        (0..count)
            .map(|row| row.wrapping_mul(2_654_435_761) >> 16 < share)
            .collect()
    }

    #[test]
    fn of_few_rows_every_score_is_a_bin() {
        let rows = rows(4096, 3000);
        let positives = rows.iter().filter(|row| **row).count() as u64;
        let found = bins(RankBins::new(positives, 4096 - positives), &rows);
        assert!(found.iter().copied().eq(0..4096));
    }

    #[test]
    fn of_many_rows_there_are_few_bins_which_are_narrow_at_the_head() {
        for share in [200, 3000, 30_000, 65_000] {
            let rows = rows(400_000, share);
            let positives = rows.iter().filter(|row| **row).count() as u64;
            let of = RankBins::new(positives, rows.len() as u64 - positives);
            let found = bins(of, &rows);
            let last = found[found.len() - 1];
            assert!(last < 600, "{share}: {last}");
            let from_top: Vec<(bool, u32)> = rows.into_iter().zip(found).rev().collect();
            let (mut above, mut seen) = ([0_u64; 2], std::collections::HashMap::new());
            for (is_positive, bin) in &from_top {
                above[usize::from(!is_positive)] += 1;
                let own: &mut [u64; 2] = seen.entry(*bin).or_default();
                own[usize::from(!is_positive)] += 1;
                if own[0] > 1 {
                    assert!(own[0] * PART_OF_HIGHER <= positives, "{share}");
                }
            }
            // Of the sixteen highest positives none shares a bin with another.
            let highest = from_top.iter().filter(|row| row.0).take(16);
            let highest: Vec<u32> = highest.map(|row| row.1).collect();
            assert!(
                highest.windows(2).all(|pair| pair[0] > pair[1]),
                "{highest:?}"
            );
            assert!(
                seen.values()
                    .all(|own| own[0] * PART_OF_ALL <= positives.max(PART_OF_ALL))
            );
        }
    }
}
