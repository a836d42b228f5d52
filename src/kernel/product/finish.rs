//! What happens to the results of a product on their way to memory, tile by tile while they are in
//! the first-level cache.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::activation::Activation;
use super::lanes::{Lanes, Task};
use super::line::LINE;
use crate::kernel::processor::Instructions;

/// Rows of the highest tile of all.
const MAX_ROWS: usize = 32;

/// How results join what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// They take its place.
    Store,
    /// A function of them takes its place.
    Activate(Activation),
    /// They are added to it: the residual of a layer.
    Add,
    /// They are multiplied with it: the gate of a layer.
    Multiply,
}

/// A tile that is not yet joined.
#[repr(C, align(64))]
struct Waiting([f32; MAX_ROWS * 2 * LINE]);

impl Finish {
    /// Lets `tile` write its rows of `columns` numbers, at the beginning of a slice and with a
    /// stride that it is given, and joins them with `out`.
    pub(super) fn join(
        self,
        instructions: Instructions,
        [row_count, columns]: [usize; 2],
        out: &mut [f32],
        out_stride: usize,
        tile: impl FnOnce(&mut [f32], usize),
    ) {
        match self {
            Self::Store => tile(out, out_stride),
            Self::Activate(activation) => {
                tile(out, out_stride);
                activation.apply(
                    instructions,
                    &mut out[..(row_count - 1) * out_stride + columns],
                    [out_stride, columns],
                );
            }
            Self::Add | Self::Multiply => {
                let mut waiting = Waiting([0.0; MAX_ROWS * 2 * LINE]);
                tile(&mut waiting.0, 2 * LINE);
                instructions.run(Join {
                    finish: self,
                    waiting: &waiting.0[..row_count * 2 * LINE],
                    columns,
                    out,
                    out_stride,
                });
            }
        }
    }
}

/// Results added to, or multiplied with, what is there.
struct Join<'a> {
    finish: Finish,
    waiting: &'a [f32],
    columns: usize,
    out: &'a mut [f32],
    out_stride: usize,
}

impl Task for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self {
            finish,
            waiting,
            columns,
            out,
            out_stride,
        } = self;
        for (row, results) in out
            .chunks_mut(out_stride)
            .zip(waiting.chunks_exact(2 * LINE))
        {
            let (lines, rest) = row[..columns].as_chunks_mut::<LINE>();
            let (new, _) = results.as_chunks::<LINE>();
            for (line, new) in lines.iter_mut().zip(new) {
                let (old, new) = (lanes.load(line), lanes.load(new));
                lanes.store(
                    if finish == Finish::Add {
                        lanes.add(old, new)
                    } else {
                        lanes.multiply(old, new)
                    },
                    line,
                );
            }
            for (old, new) in rest.iter_mut().zip(&results[columns / LINE * LINE..]) {
                *old = if finish == Finish::Add {
                    *old + new
                } else {
                    *old * new
                };
            }
        }
    }
}
