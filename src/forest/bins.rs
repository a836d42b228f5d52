//! Values to bin numbers: where a value lies among a column's own cuts, or which category it stands
//! for.
//!
//! Quantising loses nothing that a condition of the model can see: `value < cuts[j]` exactly where
//! `bin <= j`. Knows nothing of conditions or trees.

use super::cut::Ordered;
use super::ensemble::{ZERO_THRESHOLD, category};
use super::slice::{SLICE, Slice};

/// The bin of a missing value: above every bin of a present one, so that it answers every
/// comparison with no.
pub(super) const MISSING: u16 = u16::MAX;

/// Cuts that bins of a byte distinguish: numbers from 0 to this one, and 255 for missing values.
pub(super) const CHUNK_CUTS: u16 = 254;

/// Values that are searched at the same time, to hide the latency of the loads.
const IN_FLIGHT: usize = 8;

/// A column's cuts, for two ways of searching; both are filled up to 2^levels − 1 cuts.
#[derive(Debug)]
pub(super) struct Cuts<T> {
    /// In ascending order, filled up with +∞: `!(value < cut)` is one comparison.
    ascending: Vec<T>,
    /// As a search tree, filled up with NaN, which is below nothing: node i has the children 2i
    /// and 2i + 1, the root is node 1.
    tree: Vec<T>,
    count: usize,
    /// The same cuts for values that are all `f32`; none if these are.
    single: Option<Box<Cuts<f32>>>,
}

impl<T: Ordered> Cuts<T> {
    /// Cuts in ascending order, each once; a group has at most 65 535 conditions, so that ranks fit
    /// 16 bits and [`MISSING`] stays free.
    pub(super) fn new(cuts: Vec<T>) -> Self {
        let (count, mut ascending) = (cuts.len(), cuts);
        let nodes = (count + 1).next_power_of_two();
        let tree = (0..nodes).map(|node| {
            let index = node
                .checked_ilog2()
                .map(|level| (2 * (node - (1 << level)) + 1) * (nodes >> (level + 1)) - 1);
            index
                .and_then(|index| ascending.get(index).copied())
                .unwrap_or(T::from_double(f64::NAN))
        });
        let tree = tree.collect();
        let single = T::singles(&ascending).map(|cuts| Box::new(Cuts::<f32>::new(cuts)));
        ascending.resize(nodes - 1, T::from_double(f64::INFINITY));
        Self {
            ascending,
            tree,
            count,
            single,
        }
    }

    /// The same cuts for values that are all `f32`, each of which has the same rank among these;
    /// none if the cuts are `f32` themselves.
    pub(super) fn single(&self) -> Option<&Cuts<f32>> {
        self.single.as_deref()
    }

    /// The number of cuts.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The cuts as a search tree of 2^levels nodes, the first of which is not used: node i has the
    /// children 2i and 2i + 1.
    pub(super) fn tree(&self) -> &[T] {
        &self.tree
    }

    /// How many questions find a value's place.
    pub(super) fn levels(&self) -> u32 {
        self.ascending.len().count_ones()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let single = self
            .single
            .as_ref()
            .map_or(0, |single| single.memory_bytes());
        2 * size_of_val(self.ascending.as_slice()) + single
    }
}

/// The bins of up to [`SLICE`] values: how many cuts are not above each; [`MISSING`] for NaN. Bins
/// past the values may be anything.
#[inline(always)]
pub(super) fn rank<T: Ordered>(values: &[T], cuts: &Cuts<T>, bins: &mut Slice<u16>) {
    for (values, bins) in values.chunks(IN_FLIGHT).zip(bins.0.as_chunks_mut().0) {
        if let Some(values) = values.as_array() {
            rank_together(values, cuts, bins);
        } else {
            let mut last = [T::default(); IN_FLIGHT];
            last[..values.len()].copy_from_slice(values);
            rank_together(&last, cuts, bins);
        }
    }
}

/// The bin of one value.
#[inline(always)]
pub(super) fn rank_one<T: Ordered>(value: T, cuts: &Cuts<T>) -> u16 {
    let mut bin = [0];
    rank_together(&[value], cuts, &mut bin);
    bin[0]
}

#[inline(always)]
fn rank_together<T: Ordered, const COUNT: usize>(
    values: &[T; COUNT],
    cuts: &Cuts<T>,
    bins: &mut [u16; COUNT],
) {
    let mut at = [0_usize; COUNT];
    for level in (0..cuts.levels()).rev() {
        let half = 1 << level;
        for (at, &value) in at.iter_mut().zip(values) {
            *at += half * usize::from(!is_below(value, cuts.ascending[*at + half - 1]));
        }
    }
    for ((bin, at), &value) in bins.iter_mut().zip(at).zip(values) {
        *bin = if is_nan(value) {
            MISSING
        } else {
            at.min(cuts.count) as u16
        };
    }
}

/// One comparison that NaN fails; its contrary, which NaN passes, is meant.
#[inline(always)]
fn is_below<T: Ordered>(value: T, cut: T) -> bool {
    value < cut
}

#[inline(always)]
fn is_nan<T: Ordered>(value: T) -> bool {
    value.partial_cmp(&value).is_none()
}

/// A categorical column's bins: one for each code up to the largest that a condition knows, one for
/// all others, and those of [`Oddity`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Codes {
    /// Codes from here on are known to no condition; also the bin of values that are no known
    /// category.
    pub(super) known: u16,
}

/// Values of a categorical column that conditions judge each in their own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oddity {
    /// Not negative, within [`ZERO_THRESHOLD`] of 0.
    Zero,
    /// Negative, within [`ZERO_THRESHOLD`] of 0.
    BarelyNegative,
    /// Between −1 and that: cut to an integer, 0.
    NegativeFraction,
    /// NaN.
    Missing,
}

impl Oddity {
    /// All of them, in the order of their bins.
    pub(super) const ALL: [Self; 4] = [
        Self::Zero,
        Self::BarelyNegative,
        Self::NegativeFraction,
        Self::Missing,
    ];

    #[inline(always)]
    fn of(value: f64) -> Option<Self> {
        match value {
            _ if value.is_nan() => Some(Self::Missing),
            _ if value.abs() <= ZERO_THRESHOLD => Some(if value < 0.0 {
                Self::BarelyNegative
            } else {
                Self::Zero
            }),
            _ if value < 0.0 && value > -1.0 => Some(Self::NegativeFraction),
            _ => None,
        }
    }
}

impl Codes {
    /// The most codes: a set of them takes 2 KiB.
    pub(super) const MOST: u32 = 1 << 14;

    /// The bins that also distinguish these categories, ascending and below [`Self::MOST`].
    pub(super) fn with(self, categories: &[u32]) -> Self {
        Self {
            known: categories
                .last()
                .map_or(self.known, |&code| self.known.max(code as u16 + 1)),
        }
    }

    /// Whether a byte holds every bin.
    pub(super) fn is_narrow(self) -> bool {
        self.bin_count() <= 256
    }

    /// The bin of an odd value.
    pub(super) fn odd(self, oddity: Oddity) -> u16 {
        self.known + 1 + oddity as u16
    }

    /// The number of bins.
    pub(super) fn bin_count(self) -> usize {
        usize::from(self.known) + 1 + Oddity::ALL.len()
    }

    /// The bins of up to [`SLICE`] values. Bins past the values are left as they were.
    pub(super) fn bins<T: Ordered>(self, values: &[T], bins: &mut Slice<u16>) {
        bins.0
            .iter_mut()
            .zip(values)
            .for_each(|(bin, &value)| *bin = self.bin(value));
    }

    /// The bin of one value.
    #[inline(always)]
    pub(super) fn bin<T: Ordered>(self, value: T) -> u16 {
        let value = value.to_double();
        match (Oddity::of(value), category(value)) {
            (Some(oddity), _) => self.odd(oddity),
            (None, Some(code)) if code < u32::from(self.known) => code as u16,
            (None, _) => self.known,
        }
    }
}

/// A rank as seen by the cuts from `first` on, [`CHUNK_CUTS`] of them: 0 for below all, 254 for
/// above all, 255 for a missing value.
#[inline(always)]
pub(super) fn within_chunk(rank: u16, first: u16) -> u8 {
    rank.saturating_sub(first)
        .min(CHUNK_CUTS + u16::from(rank == MISSING)) as u8
}

/// The same with missing values at the bottom: every bin one up, 255 at 0.
#[inline(always)]
pub(super) fn missing_first(bin: u8) -> u8 {
    bin.wrapping_add(1)
}

/// [`within_chunk`] of every row.
#[inline(always)]
pub(super) fn chunk(ranks: &Slice<u16>, first: u16, bins: &mut Slice<u8>) {
    bins.0
        .iter_mut()
        .zip(&ranks.0)
        .for_each(|(bin, &rank)| *bin = within_chunk(rank, first));
}

/// [`missing_first`] of every row.
#[inline(always)]
pub(super) fn move_missing(bins: &mut Slice<u8>) {
    bins.0.iter_mut().for_each(|bin| *bin = missing_first(*bin));
}

/// Bins below 256 in a byte each.
#[inline(always)]
pub(super) fn narrow(bins: &Slice<u16>, narrow: &mut Slice<u8>) {
    narrow
        .0
        .iter_mut()
        .zip(&bins.0)
        .for_each(|(narrow, &bin)| *narrow = bin as u8);
}

const _: () = assert!(SLICE.is_multiple_of(IN_FLIGHT));
