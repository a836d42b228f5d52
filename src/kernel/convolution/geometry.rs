//! Where the numbers that a convolution reads and writes lie: axes cut into phases by their
//! strides, taps as offsets, positions as runs.
//!
//! An axis of stride s becomes s phases, each of every s-th number: what the tap t of the output
//! place o reads, place o · s + t · d of the padded axis (d is the dilation), is place o + t · d
//! div s of phase t · d mod s. So every tap reads neighbours for neighbouring outputs, at a
//! distance that depends on the tap alone. It must not know weights or instructions.

use crate::error::{Error, Result};

/// The most numbers of one buffer: 1 GiB.
const MAX_NUMBERS: usize = 1 << 28;

/// One axis that the filters slide along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Its length in the images.
    pub input: usize,
    /// Its length in the results.
    pub output: usize,
    /// Its length in the filters.
    pub kernel: usize,
    /// From one position of a filter to the next.
    pub stride: usize,
    /// From one number of a filter to the next.
    pub dilation: usize,
    /// The zeros before the images; below 0, the positions that are dropped.
    pub before: i64,
}

impl Axis {
    fn is_plain(&self) -> bool {
        self.kernel == 1 && self.stride == 1 && self.before == 0 && self.input == self.output
    }

    /// The phases that some tap reads, in ascending order.
    fn phases(&self) -> Vec<usize> {
        let mut phases: Vec<usize> = (0..self.kernel.min(MAX_NUMBERS))
            .map(|tap| tap.saturating_mul(self.dilation) % self.stride)
            .collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    }

    /// How far beyond an output's place taps read in a phase.
    fn reach(&self) -> usize {
        (self.kernel - 1).saturating_mul(self.dilation) / self.stride
    }
}

/// The axes of a convolution, and what follows from them.
#[derive(Debug)]
pub(super) struct Geometry {
    pub(super) axes: Vec<Axis>,
    /// The phases of each axis that are read.
    phases: Vec<Vec<usize>>,
    /// Channels of a group.
    channels: usize,
}

/// Outputs that follow one another in a row: the first one's place in a buffer and among the
/// results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) from: usize,
    pub(super) out: usize,
    pub(super) length: usize,
}

/// Numbers of an image, at equal distances, that lie together in a phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Where they begin in a channel's part of a buffer.
    pub(super) to: usize,
    pub(super) length: usize,
    /// The place of the first one in a channel of the image.
    pub(super) from: usize,
}

/// The product of lengths, if a buffer may be so large.
pub(super) fn number_count(lengths: &[usize]) -> Result<usize> {
    let count = lengths
        .iter()
        .try_fold(1_usize, |product, length| product.checked_mul(*length));
    count.filter(|count| *count <= MAX_NUMBERS).ok_or_else(|| {
        Error::failed(format!(
            "a convolution that needs a buffer of {lengths:?} numbers"
        ))
    })
}

impl Geometry {
    /// Axes none of whose lengths is 0, and filters of so many channels.
    pub(super) fn new(axes: &[Axis], channels: usize) -> Self {
        let axes = if axes.iter().all(Axis::is_plain) {
            let length = axes.iter().map(|axis| axis.input).product();
            vec![Axis {
                input: length,
                output: length,
                kernel: 1,
                stride: 1,
                dilation: 1,
                before: 0,
            }]
        } else {
            axes.to_vec()
        };
        Self {
            phases: axes.iter().map(Axis::phases).collect(),
            axes,
            channels,
        }
    }

    /// Whether the images can be read where they lie.
    pub(super) fn is_plain(&self) -> bool {
        self.axes.iter().all(Axis::is_plain)
    }

    /// The outputs along the first axis.
    pub(super) fn height(&self) -> usize {
        self.axes[0].output
    }

    /// How many rows of a phase along the first axis a band of outputs reads alongside its own.
    pub(super) fn halo(&self) -> usize {
        self.axes[0].reach()
    }

    /// Numbers of a channel of an image.
    pub(super) fn input_size(&self) -> usize {
        self.axes.iter().map(|axis| axis.input).product()
    }

    /// Numbers of a filter's results for an image.
    pub(super) fn output_size(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product()
    }

    /// Results of a filter for one place along the first axis.
    pub(super) fn row_size(&self) -> usize {
        self.axes[1..].iter().map(|axis| axis.output).product()
    }

    /// From one number of a phase's row to the next one in the image.
    pub(super) fn row_stride(&self) -> usize {
        self.axes[self.axes.len() - 1].stride
    }

    /// The lengths of a phase for a band of so many outputs along the first axis.
    fn lengths(&self, band: usize) -> Vec<usize> {
        let own = |(position, axis): (usize, &Axis)| {
            (if position == 0 { band } else { axis.output }).saturating_add(axis.reach())
        };
        self.axes.iter().enumerate().map(own).collect()
    }

    /// Numbers of a channel's phases.
    ///
    /// # Errors
    /// Fails if they are more than a buffer may hold.
    pub(super) fn channel_size(&self, band: usize) -> Result<usize> {
        let counts: Vec<usize> = self
            .phases
            .iter()
            .map(Vec::len)
            .chain(self.lengths(band))
            .collect();
        number_count(&counts)
    }

    /// The offset of every tap, channels outside, in the order of a filter's weights; a channel has
    /// `channel_size` numbers.
    pub(super) fn taps(&self, band: usize, channel_size: usize) -> Result<Vec<usize>> {
        let lengths = self.lengths(band);
        let strides = strides_of(&lengths);
        let phase_size: usize = lengths.iter().product();
        let phase_counts: Vec<usize> = self.phases.iter().map(Vec::len).collect();
        let phase_strides = strides_of(&phase_counts);
        let mut window = vec![0];
        for (position, axis) in self.axes.iter().enumerate() {
            let along: Vec<usize> = (0..axis.kernel)
                .map(|tap| {
                    let phase = self.phases[position]
                        .binary_search(&(tap * axis.dilation % axis.stride))
                        .unwrap_or(0);
                    phase * phase_strides[position] * phase_size
                        + tap * axis.dilation / axis.stride * strides[position]
                })
                .collect();
            window = window
                .iter()
                .flat_map(|outer| along.iter().map(move |inner| outer + inner))
                .collect();
        }
        number_count(&[self.channels, window.len()])?;
        Ok((0..self.channels)
            .flat_map(|channel| {
                window
                    .iter()
                    .map(move |offset| channel * channel_size + offset)
            })
            .collect())
    }

    fn outputs(&self, band: usize) -> Vec<usize> {
        self.axes
            .iter()
            .enumerate()
            .map(|(position, axis)| if position == 0 { band } else { axis.output })
            .collect()
    }

    /// The axis from which on outputs lie together: phases that are as long as the outputs leave
    /// nothing between two rows.
    fn run_axis(&self, band: usize) -> usize {
        let (lengths, outputs) = (self.lengths(band), self.outputs(band));
        (1..outputs.len())
            .rev()
            .find(|axis| lengths[*axis] != outputs[*axis])
            .unwrap_or(0)
    }

    /// The runs of an image, and the length of each.
    pub(super) fn run_shape(&self, band: usize) -> (usize, usize) {
        let (outputs, axis) = (self.outputs(band), self.run_axis(band));
        (
            outputs[..axis].iter().product(),
            outputs[axis..].iter().product(),
        )
    }

    /// All outputs of `images` images and a band, in order; an image lies `image_size` numbers
    /// behind the one before, its results `out_size`.
    pub(super) fn runs(
        &self,
        [images, band]: [usize; 2],
        image_size: usize,
        out_size: usize,
    ) -> Vec<Run> {
        let lengths = self.lengths(band);
        let outputs = self.outputs(band);
        let (strides, out_strides) = (strides_of(&lengths), strides_of(&outputs));
        let axis = self.run_axis(band);
        let length = outputs[axis..].iter().product();
        let mut offsets: Vec<(usize, usize)> = (0..images)
            .map(|image| (image * image_size, image * out_size))
            .collect();
        for outer in 0..axis {
            let step = |position: usize| (position * strides[outer], position * out_strides[outer]);
            offsets = offsets
                .iter()
                .flat_map(|from| {
                    (0..outputs[outer])
                        .map(move |position| (from.0 + step(position).0, from.1 + step(position).1))
                })
                .collect();
        }
        offsets
            .into_iter()
            .map(|(from, out)| Run { from, out, length })
            .collect()
    }

    /// The image's rows of a channel's phases for a band of outputs that begins at `start`.
    pub(super) fn rows(&self, start: usize, band: usize) -> Vec<Row> {
        let lengths = self.lengths(band);
        let phase_size: usize = lengths.iter().product();
        let (strides, last) = (strides_of(&lengths), self.axes.len() - 1);
        let inputs: Vec<usize> = self.axes.iter().map(|axis| axis.input).collect();
        let input_strides = strides_of(&inputs);
        let begin = |position: usize| if position == 0 { start } else { 0 };
        let mut rows = Vec::new();
        let counts: Vec<usize> = self.phases.iter().map(Vec::len).collect();
        let phase_strides = strides_of(&counts);
        for combination in 0..counts.iter().product() {
            let phase = |position: usize| {
                self.phases[position][combination / phase_strides[position] % counts[position]]
            };
            // Where a row begins in the phase and in the image, if it lies in the image.
            let mut outer = vec![(combination * phase_size, Some(0))];
            for position in 0..last {
                let (axis, phase) = (&self.axes[position], phase(position));
                let source = |index: usize| {
                    axis.source(begin(position) + index, phase)
                        .map(|found| found * input_strides[position])
                };
                let along: Vec<(usize, Option<usize>)> = (0..lengths[position])
                    .map(|index| (index * strides[position], source(index)))
                    .collect();
                let join = |a: &(usize, Option<usize>), b: &(usize, Option<usize>)| {
                    (a.0 + b.0, a.1.zip(b.1).map(|(a, b)| a + b))
                };
                outer = outer
                    .iter()
                    .flat_map(|a| along.iter().map(move |b| join(a, b)))
                    .collect();
            }
            let (axis, phase, length) = (&self.axes[last], phase(last), lengths[last]);
            let inside = |index: &usize| axis.source(begin(last) + index, phase).is_some();
            let first = (0..length).find(inside).unwrap_or(length);
            let end = (first..length)
                .rev()
                .find(inside)
                .map_or(first, |index| index + 1);
            let start = axis.source(begin(last) + first, phase).unwrap_or(0);
            let inside = outer.into_iter().filter_map(|(to, from)| {
                from.map(|from| Row {
                    to: to + first,
                    length: end - first,
                    from: from + start,
                })
            });
            rows.extend(inside.filter(|row| row.length > 0));
        }
        rows
    }
}

impl Axis {
    /// The place in the image that a place of a phase stands for, if it lies in the image.
    fn source(&self, index: usize, phase: usize) -> Option<usize> {
        let position = (index as i64)
            .saturating_mul(self.stride as i64)
            .saturating_add(phase as i64)
            .saturating_sub(self.before);
        usize::try_from(position)
            .ok()
            .filter(|position| *position < self.input)
    }
}

fn strides_of(lengths: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; lengths.len()];
    for axis in (1..lengths.len()).rev() {
        strides[axis - 1] = strides[axis] * lengths[axis];
    }
    strides
}
