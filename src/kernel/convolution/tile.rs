//! The kernel: a few filters over a few vectors of outputs, every sum in a register, tap after tap.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use std::mem::MaybeUninit;

use super::finish::{Activation, Finish};
use super::offsets::{Offsets, Vector};
use crate::kernel::processor::Instructions;
use crate::kernel::product::LINE;
use crate::kernel::product::lanes::{Lanes, Task};

/// Filters over outputs of a block.
pub(super) struct Sweep<'a> {
    pub(super) input: &'a [f32],
    /// The offset of each tap.
    pub(super) taps: &'a [usize],
    /// The largest of them.
    pub(super) max_tap: usize,
    /// For each tap a number for each filter.
    pub(super) weights: &'a [f32],
    /// What sums begin with, one number for each filter; none if they go on from the results.
    pub(super) bias: Option<&'a [f32]>,
    pub(super) offsets: &'a Offsets,
    /// Those that are meant.
    pub(super) vectors: &'a [Vector],
    /// From one filter's results to the next one's.
    pub(super) stride: usize,
    /// What is done to sums that are complete.
    pub(super) finish: Option<Finish<'a>>,
    /// Where results go; sums go on only from results that were written.
    pub(super) out: &'a mut [MaybeUninit<f32>],
}

/// Filters of the highest tile.
pub(super) fn max_filters(instructions: Instructions) -> usize {
    match instructions {
        Instructions::Amx | Instructions::Avx512 => 14,
        Instructions::Avx2 => 6,
        Instructions::Portable => 4,
    }
}

impl Sweep<'_> {
    /// Runs with so many filters, at most [`max_filters`].
    pub(super) fn run(self, instructions: Instructions, filters: usize) {
        assert!(
            self.weights.len() == self.taps.len() * filters,
            "each tap has a weight for each filter"
        );
        let (base, out) = self.offsets.largest();
        assert!(
            base + self.max_tap + LINE <= self.input.len(),
            "vectors lie inside their buffer"
        );
        assert!(
            out.is_none_or(|out| (filters - 1) * self.stride + out + LINE <= self.out.len()),
            "whole vectors lie inside the results"
        );
        macro_rules! shapes {
            ($(($filters:literal, $vectors:literal))*) => {
                match filters {
                    $($filters => instructions.run(Shape::<'_, $filters, $vectors>(self)),)*
                    _ => unreachable!("tiles have at most as many filters"),
                }
            };
        }
        match instructions {
            Instructions::Amx | Instructions::Avx512 => {
                shapes!((1, 8)(2, 8)(3, 4)(4, 4)(5, 4)(6, 4)(7, 2)(8, 2)(9, 2)(
                    10, 2
                )(11, 2)(12, 2)(13, 2)(14, 2));
            }
            Instructions::Avx2 => shapes!((1, 4)(2, 2)(3, 2)(4, 1)(5, 1)(6, 1)),
            Instructions::Portable => shapes!((1, 1)(2, 1)(3, 1)(4, 1)),
        }
    }
}

/// Tiles of `F` filters and `V` vectors.
struct Shape<'a, const F: usize, const V: usize>(Sweep<'a>);

impl<const F: usize, const V: usize> Task for Shape<'_, F, V> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        for vectors in self.0.vectors.chunks(V) {
            if let [vector] = vectors {
                tile::<L, F, 1>(lanes, &mut self.0, [vector]);
            } else {
                let mut all = [&vectors[0]; V];
                for (index, vector) in all.iter_mut().enumerate() {
                    // A tile that is not full does its last vector several times, with one result.
                    *vector = &vectors[index.min(vectors.len() - 1)];
                }
                tile::<L, F, V>(lanes, &mut self.0, all);
            }
        }
    }
}

/// Sums on their way between registers and scattered results.
#[repr(C, align(64))]
struct Waiting<const F: usize, const V: usize>([[[f32; LINE]; V]; F]);

// The loops over sums do no more than arithmetic, a load or a store each: others would not be
// unrolled, and keep all sums in memory.
#[inline(always)]
fn tile<L: Lanes, const F: usize, const V: usize>(
    lanes: L,
    sweep: &mut Sweep<'_>,
    vectors: [&Vector; V],
) {
    let mut sums = [[lanes.splat(0.0); V]; F];
    let is_whole = vectors.iter().all(|vector| vector.is_whole);
    if let Some(bias) = sweep.bias.and_then(|bias| bias.first_chunk::<F>()) {
        for (sums, bias) in sums.iter_mut().zip(bias) {
            for sum in sums {
                *sum = lanes.splat(*bias);
            }
        }
    } else {
        #[expect(
            unsafe_code,
            reason = "reads what was not there when the memory was given"
        )]
        // SAFETY: sums go on only behind a block of taps that wrote these very results.
        let waiting = unsafe {
            gathered::<L, F, V>(
                lanes,
                sweep.offsets,
                vectors,
                is_whole,
                sweep.out,
                sweep.stride,
            )
        };
        for (sums, waiting) in sums.iter_mut().zip(&waiting.0) {
            for (sum, line) in sums.iter_mut().zip(waiting) {
                *sum = lanes.load(line);
            }
        }
    }
    let mut starts = [sweep.input.as_ptr(); V];
    for (start, vector) in starts.iter_mut().zip(vectors) {
        *start = start.wrapping_add(vector.base);
    }
    for (tap, weights) in sweep.taps.iter().zip(sweep.weights.as_chunks::<F>().0) {
        let mut values = [lanes.splat(0.0); V];
        for (value, start) in values.iter_mut().zip(&starts) {
            #[expect(unsafe_code, reason = "reads without a check for each")]
            // SAFETY: `Sweep::run` has seen that the largest base and the largest tap leave
            // sixteen numbers of the input.
            let line = unsafe { &*start.add(*tap).cast::<[f32; LINE]>() };
            *value = lanes.load(line);
        }
        for (weight, sums) in weights.iter().zip(&mut sums) {
            let weight = lanes.splat(*weight);
            for (value, sum) in values.iter().zip(sums) {
                *sum = lanes.fused(weight, *value, *sum);
            }
        }
    }
    if let Some(finish) = sweep.finish {
        if let Some(residual) = finish.residual {
            #[expect(unsafe_code, reason = "reads as if it might not have been written")]
            // SAFETY: what is added is a slice of numbers, all of which are there.
            let waiting = unsafe {
                gathered::<L, F, V>(
                    lanes,
                    sweep.offsets,
                    vectors,
                    is_whole,
                    as_written(residual),
                    sweep.stride,
                )
            };
            for (sums, waiting) in sums.iter_mut().zip(&waiting.0) {
                for (sum, line) in sums.iter_mut().zip(waiting) {
                    *sum = lanes.add(*sum, lanes.load(line));
                }
            }
        }
        activate(lanes, &mut sums, finish.activation);
    }
    put(lanes, sweep, vectors, is_whole, &sums);
}

/// Sums on their way to memory.
#[inline(always)]
fn put<L: Lanes, const F: usize, const V: usize>(
    lanes: L,
    sweep: &mut Sweep<'_>,
    vectors: [&Vector; V],
    is_whole: bool,
    sums: &[[L::Vector; V]; F],
) {
    if is_whole {
        let out = sweep.out.as_mut_ptr().cast::<f32>();
        for (filter, sums) in sums.iter().enumerate() {
            for (sum, vector) in sums.iter().zip(vectors) {
                #[expect(unsafe_code, reason = "writes without a check for each")]
                // SAFETY: `Sweep::run` has seen that the last filter's results leave sixteen
                // numbers behind the largest place.
                unsafe {
                    out.add(filter * sweep.stride + vector.out)
                        .cast::<L::Vector>()
                        .write_unaligned(*sum);
                };
            }
        }
    } else {
        let mut waiting = Waiting([[[0.0; LINE]; V]; F]);
        for (sums, waiting) in sums.iter().zip(&mut waiting.0) {
            for (sum, line) in sums.iter().zip(waiting) {
                lanes.store(*sum, line);
            }
        }
        for (filter, waiting) in waiting.0.iter().enumerate() {
            for (line, vector) in waiting.iter().zip(vectors) {
                for piece in sweep.offsets.pieces(vector) {
                    let results =
                        &mut sweep.out[filter * sweep.stride + piece.out..][..piece.length];
                    results.write_copy_of_slice(&line[piece.lane..piece.lane + piece.length]);
                }
            }
        }
    }
}

/// Numbers as a place for them.
#[inline(always)]
fn as_written(values: &[f32]) -> &[MaybeUninit<f32>] {
    #[expect(unsafe_code, reason = "numbers are allowed where none are expected")]
    // SAFETY: the same memory, of which less is promised.
    unsafe {
        std::slice::from_raw_parts(values.as_ptr().cast(), values.len())
    }
}

/// Numbers that are there.
///
/// # Safety
/// They must have been written.
#[expect(unsafe_code, reason = "whether memory was written cannot be seen")]
#[inline(always)]
unsafe fn written(values: &[MaybeUninit<f32>]) -> &[f32] {
    // SAFETY: as the caller says.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), values.len()) }
}

/// The numbers at the positions of a tile.
///
/// # Safety
/// They must have been written.
#[expect(
    unsafe_code,
    reason = "reads what was not there when the memory was given"
)]
#[inline(always)]
unsafe fn gathered<L: Lanes, const F: usize, const V: usize>(
    lanes: L,
    offsets: &Offsets,
    vectors: [&Vector; V],
    is_whole: bool,
    values: &[MaybeUninit<f32>],
    stride: usize,
) -> Waiting<F, V> {
    let mut waiting = Waiting([[[0.0; LINE]; V]; F]);
    for (filter, waiting) in waiting.0.iter_mut().enumerate() {
        for (line, vector) in waiting.iter_mut().zip(vectors) {
            let values = &values[filter * stride..];
            for piece in offsets.pieces(vector) {
                // SAFETY: as the caller says.
                let found = unsafe { written(&values[piece.out..piece.out + piece.length]) };
                match found.first_chunk() {
                    Some(whole) if is_whole => lanes.store(lanes.load(whole), line),
                    _ => line[piece.lane..piece.lane + piece.length].copy_from_slice(found),
                }
            }
        }
    }
    waiting
}

#[inline(always)]
fn activate<L: Lanes, const F: usize, const V: usize>(
    lanes: L,
    sums: &mut [[L::Vector; V]; F],
    activation: Activation,
) {
    match activation {
        Activation::None => {}
        Activation::Clamp { least, most } => {
            let (least, most) = (lanes.splat(least), lanes.splat(most));
            for sums in sums {
                for sum in sums {
                    // Of a number and NaN both give the second.
                    *sum = lanes.lesser(most, lanes.greater(least, *sum));
                }
            }
        }
        Activation::Leaky(slope) => {
            let (zero, slope) = (lanes.splat(0.0), lanes.splat(slope));
            for sums in sums {
                for sum in sums {
                    *sum = lanes.add(
                        lanes.greater(zero, *sum),
                        lanes.multiply(slope, lanes.lesser(zero, *sum)),
                    );
                }
            }
        }
    }
}
