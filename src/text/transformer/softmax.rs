//! Scores to shares: what attention does to a row of scores between its two products.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use crate::kernel::product::lanes::{Lanes, Task};
use crate::kernel::product::{LINE, exp};

/// A block of queries of a text and the keys that stand alongside them.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    pub(super) first_query: usize,
    pub(super) query_count: usize,
    pub(super) first_key: usize,
    pub(super) key_count: usize,
    /// The largest distance at which a query sees a key.
    pub(super) window: Option<usize>,
}

impl View {
    /// The keys that a query sees, both counted from the block's first.
    #[inline(always)]
    pub(super) fn of(&self, row: usize) -> std::ops::Range<usize> {
        let Some(window) = self.window else {
            return 0..self.key_count;
        };
        let query = self.first_query + row;
        query.saturating_sub(window).saturating_sub(self.first_key)
            ..(query + window + 1 - self.first_key).min(self.key_count)
    }
}

/// Turns rows of scores into exponentials of their distance to the largest, and shows by what they
/// must be multiplied to sum to 1.
pub(super) struct Softmax<'a> {
    /// Row r begins at `r * stride`, on whole lines; what lies behind its keys up to the end of a
    /// line is written over.
    pub(super) scores: &'a mut [f32],
    pub(super) stride: usize,
    /// The keys that each row sees; its other scores become 0.
    pub(super) view: View,
    /// What scores are multiplied by first.
    pub(super) scale: f32,
    /// One factor a row.
    pub(super) factors: &'a mut Vec<f32>,
}

impl Task for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        self.factors.clear();
        let (stride, count) = (self.stride, self.view.query_count);
        // Two rounds, so that the processor works on many rows at a time.
        for (index, row) in self.scores.chunks_mut(stride).take(count).enumerate() {
            self.factors.push(largest(lanes, row, self.view.of(index)));
        }
        for (index, row) in self.scores.chunks_mut(stride).take(count).enumerate() {
            let seen = self.view.of(index);
            let (first, end) = (seen.start / LINE * LINE, seen.end.next_multiple_of(LINE));
            let (lines, _) = row[first..end].as_chunks_mut::<LINE>();
            self.factors[index] = 1.0 / exponentials(lanes, lines, self.scale, self.factors[index]);
            if self.view.window.is_some() {
                row[..first].fill(0.0);
                row[end..self.view.key_count.next_multiple_of(LINE)].fill(0.0);
            }
        }
    }
}

/// The largest score that a query sees; those that it does not see are put to minus infinity in
/// lines that hold others.
#[inline(always)]
fn largest<L: Lanes>(lanes: L, row: &mut [f32], seen: std::ops::Range<usize>) -> f32 {
    let nothing = lanes.splat(f32::NEG_INFINITY);
    let first = seen.start / LINE * LINE;
    row[first..seen.start].fill(f32::NEG_INFINITY);
    let (lines, last) =
        row[first..seen.end.next_multiple_of(LINE)].split_at_mut(seen.end / LINE * LINE - first);
    let mut largest = nothing;
    for line in lines.as_chunks::<LINE>().0 {
        largest = lanes.greater(lanes.load(line), largest);
    }
    if let Some(line) = last.first_chunk_mut::<LINE>() {
        let scores = lanes.first(lanes.load(line), seen.end % LINE, nothing);
        lanes.store(scores, line);
        largest = lanes.greater(scores, largest);
    }
    lanes.largest(largest)
}

/// The exponentials of the distance to the largest, in place, and their sum.
#[inline(always)]
fn exponentials<L: Lanes>(lanes: L, lines: &mut [[f32; LINE]], scale: f32, largest: f32) -> f32 {
    /// More than the least that [`exp`] gives, so that what is further from the largest counts for
    /// nothing, by so much that no difference is a subnormal number: those cost a hundred times as
    /// much.
    const LEAST: f32 = 1e-37;
    let (factor, least) = (lanes.splat(scale), lanes.splat(LEAST));
    let shift = lanes.splat(-scale * largest);
    let mut sum = lanes.splat(0.0);
    for line in lines {
        let exponential = exp(lanes, lanes.fused(lanes.load(line), factor, shift));
        let share = lanes.greater(lanes.splat(0.0), lanes.subtract(exponential, least));
        sum = lanes.add(sum, share);
        lanes.store(share, line);
    }
    lanes.sum(sum)
}

/// Multiplies each row's numbers by its factor.
pub(super) struct Scale<'a> {
    pub(super) rows: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) width: usize,
    pub(super) factors: &'a [f32],
}

impl Task for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for (row, factor) in self.rows.chunks_mut(self.stride).zip(self.factors) {
            let (lines, rest) = row[..self.width].as_chunks_mut::<LINE>();
            let factors = lanes.splat(*factor);
            for line in lines {
                lanes.store(lanes.multiply(lanes.load(line), factors), line);
            }
            rest.iter_mut().for_each(|value| *value *= factor);
        }
    }
}
