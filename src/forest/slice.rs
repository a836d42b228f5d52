//! What the bit-sliced kernel works on: rows in slices of 512, masks with a bit for each row, and
//! sets of bytes. Knows nothing of trees.

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
