//! Rotary positions: pairs of a query's or key's numbers turned by an angle that grows with the
//! position (Su et al., 2021).

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use crate::kernel::product::lanes::{Lanes, Task};

/// Cosines and sines of one base for positions from 0 on, made once and kept.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    base: f64,
    half: usize,
    /// For each position `half` cosines, then `half` sines.
    turns: Vec<f32>,
}

/// The rotations of all bases that were asked for.
#[derive(Debug, Default)]
pub(super) struct Rotations(Vec<Rotation>);

impl Rotations {
    /// The turns of pairs (i, i + size / 2) by `position × base^(−2i / size)`, for positions below
    /// `length` at least.
    pub(super) fn of(&mut self, base: f64, size: usize, length: usize) -> &Rotation {
        let half = size / 2;
        let index = self
            .0
            .iter()
            .position(|one| one.base == base && one.half == half)
            .unwrap_or_else(|| {
                self.0.push(Rotation {
                    base,
                    half,
                    turns: Vec::new(),
                });
                self.0.len() - 1
            });
        let rotation = &mut self.0[index];
        // In single precision, as the original computes them.
        let frequencies: Vec<f32> = (0..half)
            .map(|pair| 1.0 / (base as f32).powf((2 * pair) as f32 / size as f32))
            .collect();
        for position in rotation.turns.len() / size.max(1)..length {
            rotation.turns.extend(
                frequencies
                    .iter()
                    .map(|frequency| (position as f32 * frequency).cos()),
            );
            rotation.turns.extend(
                frequencies
                    .iter()
                    .map(|frequency| (position as f32 * frequency).sin()),
            );
        }
        rotation
    }
}

/// Turns the first numbers of heads that lie side by side in the rows of a text.
pub(super) struct Rotate<'a> {
    pub(super) rotation: &'a Rotation,
    /// The first row is position 0.
    pub(super) rows: &'a mut [f32],
    pub(super) stride: usize,
    pub(super) row_count: usize,
    pub(super) head_count: usize,
    pub(super) head_size: usize,
}

impl Task for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _lanes: L) {
        let half = self.rotation.half;
        let turns = self.rotation.turns.chunks_exact(2 * half.max(1));
        for (row, turns) in self
            .rows
            .chunks_mut(self.stride)
            .take(self.row_count)
            .zip(turns)
        {
            let (cosines, sines) = turns.split_at(half);
            for head in row.chunks_exact_mut(self.head_size).take(self.head_count) {
                let (left, right) = head[..2 * half].split_at_mut(half);
                for (((left, right), cosine), sine) in
                    left.iter_mut().zip(right).zip(cosines).zip(sines)
                {
                    (*left, *right) = (
                        *left * cosine - *right * sine,
                        *right * cosine + *left * sine,
                    );
                }
            }
        }
    }
}
