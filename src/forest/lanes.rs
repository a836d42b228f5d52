//! What the bit-sliced kernel asks of a processor: bit logic on masks of 512 rows, and the few
//! steps between masks, bytes and numbers.
//!
//! Where a method has a body, it is portable and defines the method; a processor's own file
//! overrides those that it does faster, bit for bit the same. A value of a type that implements
//! [`Lanes`] proves that the processor can do it: only `detect` of its file makes one. Knows
//! nothing of trees.

use super::bins::{self, Cuts};
use super::slice::{ByteSet, Mask, NARROW_LEAVES, Slice};
use super::steps;

/// Work that is compiled once for each kind of lanes; all of it must be inlined into
/// [`Lanes::vectorised`].
pub(super) trait Task {
    /// Does the work.
    fn run<L: Lanes>(self, lanes: L);
}

/// What the kernel asks of a processor.
pub(super) trait Lanes: Copy {
    /// A part of a mask that fits a register.
    type Part: Copy;

    /// How many parts a mask has.
    const PARTS: usize;

    /// No row.
    fn none(self) -> Self::Part;
    /// The rows of a part of a mask.
    fn load(self, mask: &Mask, part: usize) -> Self::Part;
    /// Writes a part of a mask.
    fn store(self, rows: Self::Part, mask: &mut Mask, part: usize);
    /// Fetches what is read soon, a line of the cache, where that pays.
    #[inline(always)]
    fn fetch<T>(self, _line: &T) {}
    /// The rows of `yes` where the condition holds, else of `no`.
    fn choose(self, condition: Self::Part, yes: Self::Part, no: Self::Part) -> Self::Part;
    /// `low | (high & !condition)`.
    fn split(self, low: Self::Part, high: Self::Part, condition: Self::Part) -> Self::Part;
    /// The rows that are in one of both.
    fn xor(self, first: Self::Part, second: Self::Part) -> Self::Part;

    /// Does a task with the instructions that this type stands for.
    fn vectorised<K: Task>(self, task: K);

    /// The bins of up to a slice of values; see [`bins::rank`].
    #[inline(always)]
    fn rank_single(self, values: &[f32], cuts: &Cuts<f32>, bins: &mut Slice<u16>) {
        bins::rank(values, cuts, bins);
    }

    /// The bins of up to a slice of values; see [`bins::rank`].
    #[inline(always)]
    fn rank_double(self, values: &[f64], cuts: &Cuts<f64>, bins: &mut Slice<u16>) {
        bins::rank(values, cuts, bins);
    }

    /// For each bound, the rows whose bin is not above it; the bounds ascend.
    #[inline(always)]
    fn not_above(self, bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
        steps::not_above(bins, bounds, masks);
    }

    /// For each set, the rows whose bin is in it.
    #[inline(always)]
    fn within(self, bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
        steps::within(bins, sets, masks);
    }

    /// The number that each row's bits spell, plane 0 the lowest.
    #[inline(always)]
    fn bytes(self, planes: &[Mask; 8], bytes: &mut Slice<u8>) {
        steps::bytes(planes, bytes);
    }

    /// The same for [`Lanes::add_double`].
    fn arrange_double(self, _table: &mut Vec<f64>) {}

    /// Puts a table of leaf values, a power of two of them and at most [`NARROW_LEAVES`], into the
    /// form that [`Lanes::add_single`] reads.
    fn arrange_single(self, _table: &mut Vec<f32>) {}

    /// The value of one leaf out of a table in the form of [`Lanes::arrange_single`].
    #[inline(always)]
    fn leaf_single(self, table: &[f32], leaf: usize) -> f32 {
        table[leaf]
    }

    /// The value of one leaf out of a table in the form of [`Lanes::arrange_double`].
    #[inline(always)]
    fn leaf_double(self, table: &[f64], leaf: usize) -> f64 {
        table[leaf]
    }

    /// Adds to each row's sum the value of its leaf, out of 2^`levels`.
    #[inline(always)]
    fn add_single(
        self,
        leaves: &Slice<u8>,
        _levels: u32,
        values: &[f32; NARROW_LEAVES],
        sums: &mut Slice<f32>,
    ) {
        steps::add(leaves, values, sums);
    }

    /// Adds to each row's sum the value of its leaf, out of 2^`levels`.
    #[inline(always)]
    fn add_double(
        self,
        leaves: &Slice<u8>,
        _levels: u32,
        values: &[f64; NARROW_LEAVES],
        sums: &mut Slice<f64>,
    ) {
        steps::add(leaves, values, sums);
    }
}
