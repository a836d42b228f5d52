//! The outputs of a block, sixteen to a vector: where each vector's numbers are read, and where its
//! results go.
//!
//! Rows are cut into vectors where they lie, or, where that would leave too many of their lanes
//! empty, packed one behind another. It must not know weights or instructions.

use std::ops::Range;

use super::geometry::Run;
use crate::kernel::product::LINE;

/// Outputs that are packed together.
pub(super) const PANEL: usize = 2 * LINE;

/// Sixteen outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector {
    /// Where the first one reads, but for the tap's offset.
    pub(super) base: usize,
    /// Where the first one's result goes.
    pub(super) out: usize,
    /// Whether all sixteen results lie together.
    pub(super) is_whole: bool,
    first_piece: usize,
    end_piece: usize,
}

/// Lanes of a vector whose results lie together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) lane: usize,
    pub(super) out: usize,
    pub(super) length: usize,
}

/// Some numbers that are copied into a panel; those beyond the row are overwritten by the next
/// copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Outputs that are done together: of a panel, if they are packed, else all.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) vectors: Range<usize>,
    /// What the panel is made of.
    pub(super) steps: Range<usize>,
}

/// The outputs of a block.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    pub(super) vectors: Vec<Vector>,
    pieces: Vec<Piece>,
    /// Outputs that are done together.
    pub(super) parts: Vec<Part>,
    pub(super) steps: Vec<Step>,
    /// The numbers of a step: 4, 8 or 16.
    pub(super) step_width: usize,
    /// The largest base, and of whole vectors the largest place of results.
    largest: (usize, Option<usize>),
    /// Of the steps, where the last ones read and write.
    max_step: (usize, usize),
}

impl Offsets {
    /// Vectors that lie where their numbers do.
    pub(super) fn in_rows(runs: &[Run]) -> Self {
        let mut offsets = Self::default();
        for run in runs {
            for start in (0..run.length).step_by(LINE) {
                offsets.put(
                    0,
                    run.out + start,
                    LINE.min(run.length - start),
                    run.from + start,
                );
            }
        }
        offsets.parts.push(Part {
            vectors: 0..offsets.vectors.len(),
            steps: 0..0,
        });
        offsets.closed()
    }

    /// Vectors of panels of two each.
    pub(super) fn packed(runs: &[Run]) -> Self {
        let longest = runs.iter().map(|run| run.length).max().unwrap_or(0);
        let mut offsets = Self {
            step_width: longest.next_power_of_two().clamp(4, LINE),
            ..Self::default()
        };
        let mut lane = 0;
        for run in runs {
            let mut done = 0;
            while done < run.length {
                let count = (run.length - done).min(LINE - lane % LINE);
                offsets.put(lane, run.out + done, count, lane % PANEL);
                (lane, done) = (lane + count, done + count);
            }
        }
        lane = 0;
        for run in runs {
            let mut done = 0;
            while done < run.length {
                if lane % PANEL == 0 {
                    let (vector, step) = (lane / LINE, offsets.steps.len());
                    offsets.parts.push(Part {
                        vectors: vector..offsets.vectors.len().min(vector + PANEL / LINE),
                        steps: step..step,
                    });
                }
                let count = (run.length - done)
                    .min(offsets.step_width)
                    .min(PANEL - lane % PANEL);
                offsets.steps.push(Step {
                    from: run.from + done,
                    to: lane % PANEL,
                });
                let end = offsets.steps.len();
                offsets
                    .parts
                    .last_mut()
                    .into_iter()
                    .for_each(|part| part.steps.end = end);
                (lane, done) = (lane + count, done + count);
            }
        }
        offsets.closed()
    }

    /// Results of some lanes of one vector, joined with those before if they go behind them.
    fn put(&mut self, lane: usize, out: usize, length: usize, base: usize) {
        let is_new = lane.is_multiple_of(LINE);
        match self
            .pieces
            .last_mut()
            .filter(|last| !is_new && last.out + last.length == out)
        {
            Some(last) => last.length += length,
            None => self.pieces.push(Piece {
                lane: lane % LINE,
                out,
                length,
            }),
        }
        let end_piece = self.pieces.len();
        if is_new {
            self.vectors.push(Vector {
                base,
                out,
                is_whole: false,
                first_piece: end_piece - 1,
                end_piece,
            });
        }
        self.vectors
            .last_mut()
            .into_iter()
            .for_each(|vector| vector.end_piece = end_piece);
    }

    fn closed(mut self) -> Self {
        for step in &self.steps {
            self.max_step = (self.max_step.0.max(step.from), self.max_step.1.max(step.to));
        }
        for vector in &mut self.vectors {
            vector.is_whole = self.pieces[vector.first_piece].length == LINE;
            let out = vector.is_whole.then_some(vector.out);
            self.largest = (self.largest.0.max(vector.base), self.largest.1.max(out));
        }
        self
    }

    pub(super) fn pieces(&self, vector: &Vector) -> &[Piece] {
        &self.pieces[vector.first_piece..vector.end_piece]
    }

    /// Where the last step reads, and where one writes farthest into a row of a panel.
    pub(super) fn max_step(&self) -> (usize, usize) {
        self.max_step
    }

    /// The largest base, and of whole vectors the largest place of results.
    pub(super) fn largest(&self) -> (usize, Option<usize>) {
        self.largest
    }
}
