//! Convolutions in single precision over any number of axes, without a matrix of windows: taps are
//! offsets into padded images.
//!
//! Owns the packed filters, the padded buffers and the kernel. Knows nothing of graphs or of the
//! attributes that operators have: [`crate::graph`] calls it.
//!
//! # How it goes
//!
//! A block is a band of rows of an image, or several small images. Its channels are copied into a
//! buffer with their pads, cut into phases by the strides ([`geometry`]), so that sixteen
//! neighbouring outputs read sixteen neighbouring numbers for every tap, wherever the stride and
//! the dilation lead. The kernel ([`tile`]) holds up to 14 filters × 32 outputs in registers and
//! goes through the taps: two vectors are read, fourteen weights spread, 28 times multiplied and
//! added. Rows that would leave many of a vector's lanes empty are packed one behind another,
//! images too, into panels that all filters share ([`offsets`]). Filters over single channels take
//! eight vectors at a time. Where windows are single positions the images are read where they lie.
//!
//! Taps go in blocks of [`MAX_DEPTH`], so that a tile's weights stay in the first-level cache;
//! between two blocks the sums wait among the results. Every sum has one running total that begins
//! with the bias and goes through the taps in the order of the filter's weights, so its bits depend
//! neither on the images alongside it nor on where it lies in a tile; AVX-512 and AVX2 give the
//! same bits, because both multiply and add in one rounding.
//!
//! # What was measured
//!
//! GFLOP/s on one core in November 2026 (Sapphire Rapids, shared machine), the best of many runs of
//! 8 or 16 images, copies and packing included:
//!
//! | filters and images | AVX-512 | AVX2 | portable |
//! |---|---|---|---|
//! | 32 of 32 × 3 × 3 over 32 × 32 | 210 | 109 | 32 |
//! | 64 of 64 × 3 × 3 over 16 × 16 | 211 | 109 | 32 |
//! | 128 of 128 × 3 × 3 over 8 × 8, packed | 181 | 98 | 31 |
//! | 256 of 256 × 3 × 3 over 4 × 4, packed | 180 | 99 | 31 |
//! | 64 of 64 × 3 × 3 over 56 × 56 | 169 | | |
//! | 128 of 32 × 1 × 1 over 32 × 32, where they lie | 188 | 105 | 30 |
//! | 1 of 1 × 3 × 3 over each of 128 channels of 32 × 32 | 40 | 37 | 23 |
//!
//! What whole networks take is in [`crate::graph`]'s doc.

mod fill;
mod finish;
mod geometry;
mod offsets;
#[cfg(test)]
mod tests;
mod tile;

use std::mem::MaybeUninit;

use self::fill::{Fill, Pack};
pub use self::finish::{Activation, Finish};
pub use self::geometry::Axis;
use self::geometry::{Geometry, Row, number_count};
use self::offsets::{Offsets, PANEL};
use self::tile::{Sweep, max_filters};
use super::processor::Instructions;
use super::product::LINE;
use crate::error::{Error, Result};

/// Taps that are done together: as many weights of fourteen filters take a third of the first-level
/// cache.
const MAX_DEPTH: usize = 288;

/// Numbers of a buffer that are aimed at: a quarter of the second-level cache.
const BUFFER_NUMBERS: usize = 1 << 17;

/// The most numbers of a buffer: 256 MiB, for windows that reach very far.
const MAX_BUFFER_NUMBERS: usize = 1 << 26;

/// Outputs of a block that are aimed at, so that weights are not read too often; and the most if
/// they are packed, [`MAX_DEPTH`] numbers for each.
const BLOCK_OUTPUTS: usize = 256;

/// What packing sixteen outputs costs for each tap and row, in filters that the kernel does
/// meanwhile.
const PACKING_FILTERS: usize = 8;

/// Images: count × channels × positions.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    /// The numbers.
    pub values: &'a [f32],
    /// How many images.
    pub count: usize,
}

/// Filters in groups, packed for one kind of instructions.
#[derive(Debug)]
pub struct Filters {
    groups: usize,
    /// Of all groups.
    count: usize,
    /// Channels of a group.
    channels: usize,
    /// Channels of a group times positions of the window.
    depth: usize,
    /// Filters that are done together, those of a group one after another.
    tiles: Vec<FilterTile>,
    tiles_of_group: usize,
    /// For each tile, for each tap, a number for each filter.
    weights: Vec<f32>,
    bias: Vec<f32>,
    instructions: Instructions,
}

#[derive(Clone, Copy, Debug)]
struct FilterTile {
    first: usize,
    height: usize,
}

/// How a convolution is cut into blocks.
struct Cut {
    images: usize,
    /// Outputs along the first axis.
    band: usize,
    is_packed: bool,
    /// Whether images are read where they lie.
    is_plain: bool,
}

/// What blocks of one size have in common.
struct Block {
    /// Images, and outputs along the first axis.
    shape: [usize; 2],
    channel_size: usize,
    offsets: Offsets,
    /// The offset of every tap in the buffer, and of those of a block in a panel.
    taps: Vec<usize>,
    panel_taps: Vec<usize>,
    /// From one filter's results to the next one's.
    stride: usize,
}

impl Filters {
    /// Packs filters for the best instructions of this processor; `weights` are filters × channels
    /// of a group × window.
    ///
    /// # Errors
    /// Fails for filters of another shape or without numbers, for a bias of another length, or if
    /// memory does not hold them.
    pub fn new(
        groups: usize,
        [count, channels, window]: [usize; 3],
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        Self::with(
            Instructions::exact(),
            groups,
            [count, channels, window],
            weights,
            bias,
        )
    }

    /// The same for these instructions, which the processor must have.
    fn with(
        instructions: Instructions,
        groups: usize,
        [count, channels, window]: [usize; 3],
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let depth = number_count(&[channels, window])?;
        let is_whole = groups > 0
            && count > 0
            && depth > 0
            && count.is_multiple_of(groups)
            && number_count(&[count, depth])? == weights.len();
        if !is_whole || bias.is_some_and(|bias| bias.len() != count) {
            return Err(Error::failed(format!(
                "{count} filters of {channels} channels and {window} elements in {groups} groups"
            )));
        }
        let (own, mut tiles) = (count / groups, Vec::new());
        let tiles_of_group = own.div_ceil(max_filters(instructions));
        let mut packed = buffer(weights.len())?;
        for group in 0..groups {
            for tile in 0..tiles_of_group {
                let (first, end) = (
                    tile * own / tiles_of_group,
                    (tile + 1) * own / tiles_of_group,
                );
                tiles.push(FilterTile {
                    first,
                    height: end - first,
                });
                let filters = group * own + first..group * own + end;
                packed.extend((0..depth).flat_map(|tap| {
                    filters
                        .clone()
                        .map(move |filter| weights[filter * depth + tap])
                }));
            }
        }
        let bias = bias.map_or_else(|| vec![0.0; count], <[f32]>::to_vec);
        Ok(Self {
            groups,
            count,
            channels,
            depth,
            tiles,
            tiles_of_group,
            weights: packed,
            bias,
            instructions,
        })
    }

    /// Bytes of the packed filters.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of_val(self.weights.as_slice())
            + size_of_val(self.bias.as_slice())
            + size_of_val(self.tiles.as_slice())
    }

    /// Slides the filters over images: count × filters × positions.
    ///
    /// # Errors
    /// Fails if the images or what is added have another shape than the axes say, or if memory does
    /// not hold the results and a block.
    pub fn convolve(
        &self,
        images: Images<'_>,
        axes: &[Axis],
        finish: Finish<'_>,
    ) -> Result<Vec<f32>> {
        let inputs: Vec<usize> = axes.iter().map(|axis| axis.input).collect();
        let outputs: Vec<usize> = axes.iter().map(|axis| axis.output).collect();
        let window: Vec<usize> = axes.iter().map(|axis| axis.kernel).collect();
        let (input_size, output_size) = (number_count(&inputs)?, number_count(&outputs)?);
        let result_count = number_count(&[images.count, self.count, output_size])?;
        let are_whole = number_count(&[images.count, self.groups, self.channels, input_size])?
            == images.values.len()
            && number_count(&[self.channels, number_count(&window)?])? == self.depth
            && axes.iter().all(|axis| axis.stride > 0 && axis.dilation > 0)
            && finish
                .residual
                .is_none_or(|residual| residual.len() == result_count);
        if !are_whole {
            return Err(Error::failed(format!(
                "images of size {inputs:?} to {outputs:?} by filters of {window:?}"
            )));
        }
        let mut out = buffer(result_count)?;
        if result_count == 0 {
            return Ok(out);
        }
        let point = [Axis {
            input: 1,
            output: 1,
            kernel: 1,
            stride: 1,
            dilation: 1,
            before: 0,
        }];
        let geometry = Geometry::new(if axes.is_empty() { &point } else { axes }, self.channels);
        self.slide(
            images,
            &geometry,
            finish,
            &mut out.spare_capacity_mut()[..result_count],
        )?;
        #[expect(
            unsafe_code,
            reason = "results are written once, to memory that was not written before"
        )]
        // SAFETY: `slide` writes every filter's results for every place of every image, and fails
        // otherwise.
        unsafe {
            out.set_len(result_count);
        }
        Ok(out)
    }

    fn slide(
        &self,
        images: Images<'_>,
        geometry: &Geometry,
        finish: Finish<'_>,
        out: &mut [MaybeUninit<f32>],
    ) -> Result<()> {
        let cut = self.cut(geometry, images.count)?;
        let image_results = self.count * geometry.output_size();
        let mut block = self.block(geometry, &cut, [cut.images, cut.band])?;
        let mut padded = if cut.is_plain {
            Vec::new()
        } else {
            zeros(number_count(&[cut.images, self.channels, block.channel_size])? + LINE)?
        };
        let mut panel = if cut.is_packed {
            zeros(number_count(&[self.block_depth(), PANEL])? + LINE)?
        } else {
            Vec::new()
        };
        // Where the buffer's pads are for now.
        let (mut rows, mut filled) = (Vec::new(), None);
        for first_image in (0..images.count).step_by(cut.images) {
            let image_count = cut.images.min(images.count - first_image);
            let start = first_image * image_results;
            for first_row in (0..geometry.height()).step_by(cut.band) {
                let band = cut.band.min(geometry.height() - first_row);
                if block.shape != [image_count, band] {
                    block = self.block(geometry, &cut, [image_count, band])?;
                }
                if !cut.is_plain && filled != Some([first_row, image_count]) {
                    (rows, filled) = (
                        geometry.rows(first_row, band),
                        Some([first_row, image_count]),
                    );
                    padded.fill(0.0);
                }
                for group in 0..self.groups {
                    let shift = start
                        + group * (self.count / self.groups) * geometry.output_size()
                        + first_row * geometry.row_size();
                    let finish = Finish {
                        residual: finish.residual.map(|residual| &residual[shift..]),
                        ..finish
                    };
                    let sources = (0..image_count).map(|image| {
                        let first = ((first_image + image) * self.groups + group)
                            * self.channels
                            * geometry.input_size();
                        &images.values[first..]
                    });
                    if !cut.is_plain {
                        self.fill(geometry, &block, sources.clone(), &rows, &mut padded);
                    }
                    let input = if cut.is_plain {
                        sources
                            .clone()
                            .next()
                            .map_or(&[][..], |source| &source[first_row..])
                    } else {
                        &padded
                    };
                    self.sweep(&block, input, &mut panel, group, finish, &mut out[shift..]);
                }
            }
        }
        Ok(())
    }

    /// Channels of a group of some images with their pads, phase by phase.
    fn fill<'a>(
        &self,
        geometry: &Geometry,
        block: &Block,
        sources: impl Iterator<Item = &'a [f32]>,
        rows: &[Row],
        padded: &mut [f32],
    ) {
        let input_size = geometry.input_size();
        if input_size == 0 {
            return;
        }
        for (source, buffer) in
            sources.zip(padded.chunks_exact_mut(self.channels * block.channel_size))
        {
            let channels = &source[..self.channels * input_size];
            self.instructions.run(Fill {
                channels,
                input_size,
                rows,
                stride: geometry.row_stride(),
                channel_size: block.channel_size,
                buffer,
            });
        }
    }

    /// All filters of a group over all outputs of a block.
    fn sweep(
        &self,
        block: &Block,
        input: &[f32],
        panel: &mut [f32],
        group: usize,
        finish: Finish<'_>,
        out: &mut [MaybeUninit<f32>],
    ) {
        let (own, depth) = (self.count / self.groups, self.block_depth());
        for first_tap in (0..self.depth).step_by(depth) {
            let own_taps = first_tap..self.depth.min(first_tap + depth);
            for part in &block.offsets.parts {
                let mut taps = &block.taps[own_taps.clone()];
                let mut source = input;
                if !panel.is_empty() {
                    self.instructions.run(Pack {
                        buffer: input,
                        taps,
                        offsets: &block.offsets,
                        part,
                        panel: &mut *panel,
                    });
                    (source, taps) = (&*panel, &block.panel_taps[..taps.len()]);
                }
                let max_tap = taps.iter().copied().max().unwrap_or(0);
                for tile in
                    &self.tiles[group * self.tiles_of_group..(group + 1) * self.tiles_of_group]
                {
                    let filters = group * own + tile.first;
                    let weights =
                        &self.weights[filters * self.depth..(filters + tile.height) * self.depth];
                    let shift = tile.first * block.stride;
                    let finish = Finish {
                        residual: finish.residual.map(|residual| &residual[shift..]),
                        ..finish
                    };
                    let sweep = Sweep {
                        input: source,
                        taps,
                        max_tap,
                        weights: &weights[own_taps.start * tile.height..own_taps.end * tile.height],
                        bias: (first_tap == 0)
                            .then_some(&self.bias[filters..filters + tile.height]),
                        offsets: &block.offsets,
                        vectors: &block.offsets.vectors[part.vectors.clone()],
                        stride: block.stride,
                        finish: (own_taps.end == self.depth).then_some(finish),
                        out: &mut out[shift..],
                    };
                    sweep.run(self.instructions, tile.height);
                }
            }
        }
    }

    /// Taps of a block of them: all blocks are of nearly equal depth.
    fn block_depth(&self) -> usize {
        self.depth.div_ceil(self.depth.div_ceil(MAX_DEPTH))
    }

    fn block(&self, geometry: &Geometry, cut: &Cut, shape: [usize; 2]) -> Result<Block> {
        let [images, band] = shape;
        let (channel_size, image_channels) = if cut.is_plain {
            (geometry.input_size(), self.groups * self.channels)
        } else {
            (geometry.channel_size(band)?, self.channels)
        };
        let image_size = number_count(&[image_channels, channel_size])?;
        number_count(&[images, image_size])?;
        let runs = geometry.runs(
            [images, band],
            image_size,
            self.count * geometry.output_size(),
        );
        let offsets = if cut.is_packed {
            Offsets::packed(&runs)
        } else {
            Offsets::in_rows(&runs)
        };
        let panel_taps = if cut.is_packed {
            (0..self.block_depth()).map(|tap| tap * PANEL).collect()
        } else {
            Vec::new()
        };
        let taps = geometry.taps(band, channel_size)?;
        Ok(Block {
            shape,
            channel_size,
            offsets,
            taps,
            panel_taps,
            stride: geometry.output_size(),
        })
    }

    fn cut(&self, geometry: &Geometry, image_count: usize) -> Result<Cut> {
        let (height, own, outputs) = (
            geometry.height(),
            self.count / self.groups,
            geometry.output_size(),
        );
        let (runs, length) = geometry.run_shape(height);
        let rows = runs * length.div_ceil(LINE);
        let all = image_count.min(BLOCK_OUTPUTS.div_ceil(outputs));
        // For each tap, in vectors that the kernel multiplies.
        let is_packed =
            (all * outputs).div_ceil(LINE) * own + PACKING_FILTERS * all * rows < all * rows * own;
        let is_plain = geometry.is_plain() && (is_packed || outputs.is_multiple_of(LINE));
        let whole =
            number_count(&[self.channels, geometry.channel_size(height)?]).unwrap_or(usize::MAX);
        let max_outputs = if is_packed {
            2 * BLOCK_OUTPUTS
        } else {
            usize::MAX
        };
        if whole <= BUFFER_NUMBERS && outputs <= max_outputs || is_plain && !is_packed {
            let images = (BLOCK_OUTPUTS / outputs)
                .min(BUFFER_NUMBERS / whole.max(1))
                .clamp(1, image_count);
            return Ok(Cut {
                images,
                band: height,
                is_packed,
                is_plain,
            });
        }
        let row =
            number_count(&[self.channels, geometry.channel_size(1)?])? / (1 + geometry.halo());
        let fitting = (BUFFER_NUMBERS / row.max(1))
            .saturating_sub(geometry.halo())
            .min(max_outputs / geometry.row_size().max(1));
        // A band that is lower than what it reads alongside its own rows would copy more than it
        // uses.
        let band = fitting.max(geometry.halo()).clamp(1, height);
        let band = height.div_ceil(height.div_ceil(band));
        if number_count(&[self.channels, geometry.channel_size(band)?])? > MAX_BUFFER_NUMBERS {
            return Err(Error::failed(
                "a convolution whose window reaches farther than its buffer may",
            ));
        }
        Ok(Cut {
            images: 1,
            band,
            is_packed,
            is_plain,
        })
    }
}

/// A vector without numbers that has room for so many.
fn buffer(count: usize) -> Result<Vec<f32>> {
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(count).map_err(|_| {
        Error::failed(format!(
            "memory does not hold {count} numbers of a convolution"
        ))
    })?;
    Ok(numbers)
}

fn zeros(count: usize) -> Result<Vec<f32>> {
    let mut numbers = buffer(count)?;
    numbers.resize(count, 0.0);
    Ok(numbers)
}
