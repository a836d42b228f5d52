//! What the bit-sliced kernel asks of a processor: bit logic on masks of 512 rows, and the few
//! steps between masks, bytes and numbers.
//!
//! Where a method has a body, it is portable and defines the method; a processor's own file
//! overrides those that it does faster, bit for bit the same. A value of a type that implements
//! [`Lanes`] proves that the processor can do it: only [`Processor::with`] makes one. Knows nothing
//! of trees.

use super::bins::{self, Cuts};
#[cfg(target_arch = "x86_64")]
use super::lanes_avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use super::lanes_avx512::Avx512;
use super::lanes_portable::{self as portable, Portable};
use crate::feature::Columns;

/// Rows of a slice: the bits of the widest register.
pub(super) const SLICE: usize = 512;

/// Leaves that a byte can number.
pub(super) const NARROW_LEAVES: usize = 256;

/// One bit for each row of a slice: row r is bit `r % 64` of word `r / 64`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(super) struct Mask(pub(super) [u64; SLICE / 64]);

/// Masks that are found by 16 bits; only those that are used are ever touched.
pub(super) type Masks = [Mask; 1 << 16];

/// One value for each row of a slice.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Slice<T>(pub(super) [T; SLICE]);

impl<T: Copy + Default> Default for Slice<T> {
    fn default() -> Self {
        Self([T::default(); SLICE])
    }
}

/// Rows of a block: those from `first` on, `count` of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a, T> {
    pub(super) columns: &'a Columns<T>,
    pub(super) first: usize,
    pub(super) count: usize,
}

impl<T: Copy> Rows<'_, T> {
    /// The values of a feature.
    #[inline(always)]
    pub(super) fn values(&self, feature: usize) -> &[T] {
        &self.columns.column(feature)[self.first..self.first + self.count]
    }
}

/// A set of bytes: b is in it where bit `b / 16 % 8` of byte `b % 16 + b / 128 * 16` is set, an
/// order that suits look-ups by nibbles.
pub(super) type ByteSet = [u8; 32];

/// Puts a byte into a set, or out of it.
pub(super) fn put(set: &mut ByteSet, byte: u8, is_in: bool) {
    let eight = &mut set[usize::from(byte % 16 + byte / 128 * 16)];
    *eight = *eight & !(1 << (byte / 16 % 8)) | u8::from(is_in) << (byte / 16 % 8);
}

/// Whether a byte is in a set.
pub(super) fn contains(set: &ByteSet, byte: u8) -> bool {
    set[usize::from(byte % 16 + byte / 128 * 16)] >> (byte / 16 % 8) & 1 == 1
}

/// The instructions that the bit-sliced kernel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instructions {
    /// What every processor can do.
    Portable,
    /// x86-64 with AVX2, BMI1 and BMI2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL, VBMI and GFNI: Ice Lake, Zen 4 and later.
    Avx512,
}

/// The kinds of lanes that this processor has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Processor {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Processor {
    /// These instructions, if this processor has them.
    pub(super) fn with(instructions: Instructions) -> Option<Self> {
        match instructions {
            Instructions::Portable => Some(Self::Portable(Portable)),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(not(target_arch = "x86_64"))]
            Instructions::Avx2 | Instructions::Avx512 => None,
        }
    }

    /// The widest that this processor has.
    pub(super) fn best() -> Self {
        let wide = [Instructions::Avx512, Instructions::Avx2];
        wide.into_iter()
            .find_map(Self::with)
            .unwrap_or(Self::Portable(Portable))
    }

    /// Which these are.
    pub(super) fn instructions(self) -> Instructions {
        match self {
            Self::Portable(_) => Instructions::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Instructions::Avx2,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Instructions::Avx512,
        }
    }

    /// See [`Lanes::arrange_single`].
    pub(super) fn arrange_single(self, table: &mut Vec<f32>) {
        match self {
            Self::Portable(lanes) => lanes.arrange_single(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(lanes) => lanes.arrange_single(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(lanes) => lanes.arrange_single(table),
        }
    }

    /// See [`Lanes::arrange_double`].
    pub(super) fn arrange_double(self, table: &mut Vec<f64>) {
        match self {
            Self::Portable(lanes) => lanes.arrange_double(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(lanes) => lanes.arrange_double(table),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(lanes) => lanes.arrange_double(table),
        }
    }

    /// Does a task with these instructions.
    pub(super) fn run<K: Task>(self, task: K) {
        match self {
            Self::Portable(lanes) => lanes.vectorised(task),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(lanes) => lanes.vectorised(task),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(lanes) => lanes.vectorised(task),
        }
    }
}

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
    /// The rows of `yes` where the condition holds, else of `no`.
    fn choose(self, condition: Self::Part, yes: Self::Part, no: Self::Part) -> Self::Part;
    /// `low | (high & !condition)`.
    fn split(self, low: Self::Part, high: Self::Part, condition: Self::Part) -> Self::Part;
    /// The rows that are in one of both.
    fn xor(self, first: Self::Part, second: Self::Part) -> Self::Part;

    /// Does a task with the instructions that this type stands for.
    fn vectorised<K: Task>(self, task: K);

    /// The bins of up to [`SLICE`] values; see [`bins::rank`].
    #[inline(always)]
    fn rank_single(self, values: &[f32], cuts: &Cuts<f32>, bins: &mut Slice<u16>) {
        bins::rank(values, cuts, bins);
    }

    /// The bins of up to [`SLICE`] values; see [`bins::rank`].
    #[inline(always)]
    fn rank_double(self, values: &[f64], cuts: &Cuts<f64>, bins: &mut Slice<u16>) {
        bins::rank(values, cuts, bins);
    }

    /// For each bound, the rows whose bin is not above it; the bounds ascend.
    #[inline(always)]
    fn not_above(self, bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
        portable::not_above(bins, bounds, masks);
    }

    /// For each set, the rows whose bin is in it.
    #[inline(always)]
    fn within(self, bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
        portable::within(bins, sets, masks);
    }

    /// The number that each row's bits spell, plane 0 the lowest.
    #[inline(always)]
    fn bytes(self, planes: &[Mask; 8], bytes: &mut Slice<u8>) {
        portable::bytes(planes, bytes);
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
        portable::add(leaves, values, sums);
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
        portable::add(leaves, values, sums);
    }
}
