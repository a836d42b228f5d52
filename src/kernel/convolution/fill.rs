//! Numbers brought to where kernels read them: images with their pads and phases into a buffer, and
//! rows of a buffer into panels.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::geometry::Row;
use super::offsets::{Offsets, PANEL, Part};
use crate::kernel::product::LINE;
use crate::kernel::product::lanes::{Lanes, Task};

/// Channels of an image, written phase by phase between pads that are there.
pub(super) struct Fill<'a> {
    pub(super) channels: &'a [f32],
    pub(super) input_size: usize,
    pub(super) rows: &'a [Row],
    /// From one number of a row to the next one in the image.
    pub(super) stride: usize,
    pub(super) channel_size: usize,
    pub(super) buffer: &'a mut [f32],
}

impl Task for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for (channel, target) in self
            .channels
            .chunks_exact(self.input_size)
            .zip(self.buffer.chunks_exact_mut(self.channel_size))
        {
            for row in self.rows {
                let inside = &mut target[row.to..row.to + row.length];
                match self.stride {
                    1 => copy(lanes, &channel[row.from..row.from + row.length], inside),
                    2 => halve(
                        lanes,
                        &channel[row.from..channel.len().min(row.from + 2 * row.length)],
                        inside,
                    ),
                    stride => inside
                        .iter_mut()
                        .zip(channel[row.from..].iter().step_by(stride))
                        .for_each(|(to, from)| *to = *from),
                }
            }
        }
    }
}

#[inline(always)]
fn copy<L: Lanes>(lanes: L, from: &[f32], to: &mut [f32]) {
    let (lines, rest) = to.as_chunks_mut::<LINE>();
    let (sources, last) = from.as_chunks::<LINE>();
    for (line, source) in lines.iter_mut().zip(sources) {
        lanes.store(lanes.load(source), line);
    }
    for (to, from) in rest.iter_mut().zip(last) {
        *to = *from;
    }
}

/// Every other number.
#[inline(always)]
fn halve<L: Lanes>(lanes: L, from: &[f32], to: &mut [f32]) {
    let (lines, _) = to.as_chunks_mut::<LINE>();
    let (pairs, _) = from.as_chunks::<{ 2 * LINE }>();
    let whole = lines.len().min(pairs.len());
    for (line, pair) in lines.iter_mut().zip(pairs) {
        if let (Some(low), Some(high)) = (pair.first_chunk(), pair.last_chunk()) {
            lanes.store(lanes.evens(lanes.load(low), lanes.load(high)), line);
        }
    }
    to[whole * LINE..]
        .iter_mut()
        .zip(from[2 * whole * LINE..].iter().step_by(2))
        .for_each(|(to, from)| *to = *from);
}

/// The outputs of a part, packed tap by tap.
pub(super) struct Pack<'a> {
    pub(super) buffer: &'a [f32],
    pub(super) taps: &'a [usize],
    pub(super) offsets: &'a Offsets,
    pub(super) part: &'a Part,
    /// A row of [`PANEL`] numbers for each tap, and a line for what copies write beyond.
    pub(super) panel: &'a mut [f32],
}

impl Task for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        match self.offsets.step_width {
            4 => self.copy::<4>(),
            8 => self.copy::<8>(),
            _ => self.copy::<LINE>(),
        }
    }
}

impl Pack<'_> {
    /// Copies of `N` numbers each: the fewer, the fewer of them lie on two lines of the cache.
    #[inline(always)]
    fn copy<const N: usize>(self) {
        let (from, to) = self.offsets.max_step();
        let max_tap = self.taps.iter().copied().max().unwrap_or(0);
        let are_inside = max_tap + from + N <= self.buffer.len();
        assert!(
            to <= PANEL && N <= LINE && self.taps.len() * PANEL + LINE <= self.panel.len(),
            "the panel is wide and deep enough"
        );
        let steps = &self.offsets.steps[self.part.steps.clone()];
        for (index, tap) in self.taps.iter().enumerate() {
            let (target, source) = (
                &mut self.panel[index * PANEL..][..PANEL + LINE],
                &self.buffer[*tap..],
            );
            for step in steps {
                if are_inside {
                    #[expect(unsafe_code, reason = "reads and writes without a check for each")]
                    // SAFETY: the largest tap and the largest step leave as many numbers of the
                    // buffer, and no step begins behind its panel's row.
                    unsafe {
                        let numbers = *source.as_ptr().add(step.from).cast::<[f32; N]>();
                        *target.as_mut_ptr().add(step.to).cast::<[f32; N]>() = numbers;
                    }
                } else {
                    // The last numbers of the last image, read where it lies.
                    target[step.to..][..N]
                        .iter_mut()
                        .zip(&source[step.from..])
                        .for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}
