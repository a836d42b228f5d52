//! Numbers as the bit-sliced kernel takes them: ranked, looked up and added in lanes.

use super::bins::Cuts;
use super::cut::Ordered;
use super::lanes::Lanes;
use super::processor::Processor;
use super::slice::{NARROW_LEAVES, Rows, Slice};

/// `f32` or `f64`, with the method of [`Lanes`] for each of them.
pub(super) trait LaneNumber: Ordered {
    /// [`Lanes::rank_single`] or its twin.
    fn rank_values<L: Lanes>(lanes: L, values: &[Self], cuts: &Cuts<Self>, bins: &mut Slice<u16>);
    /// [`Lanes::arrange_single`] or its twin.
    fn arrange(processor: Processor, table: &mut Vec<Self>);
    /// [`Lanes::leaf_single`] or its twin.
    fn leaf<L: Lanes>(lanes: L, table: &[Self], leaf: usize) -> Self;
    /// [`Lanes::add_single`] or its twin.
    fn add_leaves<L: Lanes>(
        lanes: L,
        leaves: &Slice<u8>,
        levels: u32,
        values: &[Self; NARROW_LEAVES],
        sums: &mut Slice<Self>,
    );
}

/// Numbers whose place among cuts of precision `T` is known exactly: those of `T` itself, and `f32`
/// among cuts in double precision.
pub(super) trait Ranked<T: LaneNumber>: LaneNumber {
    /// The same cuts in this precision.
    fn cuts(cuts: &Cuts<T>) -> &Cuts<Self>;
    /// The rows as the walking kernel reads them, if it can.
    fn walked(rows: Rows<'_, Self>) -> Option<Rows<'_, T>>;
}

impl<T: LaneNumber> Ranked<T> for T {
    #[inline(always)]
    fn cuts(cuts: &Cuts<T>) -> &Cuts<T> {
        cuts
    }

    fn walked(rows: Rows<'_, T>) -> Option<Rows<'_, T>> {
        Some(rows)
    }
}

impl Ranked<f64> for f32 {
    #[inline(always)]
    fn cuts(cuts: &Cuts<f64>) -> &Cuts<Self> {
        cuts.single()
            .expect("cuts in double precision have twins in single precision")
    }

    fn walked(_rows: Rows<'_, Self>) -> Option<Rows<'_, f64>> {
        None
    }
}

macro_rules! lane_number {
    ($type:ty, $rank:ident, $add:ident, $arrange:ident, $leaf:ident) => {
        impl LaneNumber for $type {
            #[inline(always)]
            fn rank_values<L: Lanes>(
                lanes: L,
                values: &[Self],
                cuts: &Cuts<Self>,
                bins: &mut Slice<u16>,
            ) {
                lanes.$rank(values, cuts, bins);
            }

            fn arrange(processor: Processor, table: &mut Vec<Self>) {
                processor.$arrange(table);
            }

            #[inline(always)]
            fn leaf<L: Lanes>(lanes: L, table: &[Self], leaf: usize) -> Self {
                lanes.$leaf(table, leaf)
            }

            #[inline(always)]
            fn add_leaves<L: Lanes>(
                lanes: L,
                leaves: &Slice<u8>,
                levels: u32,
                values: &[Self; NARROW_LEAVES],
                sums: &mut Slice<Self>,
            ) {
                lanes.$add(leaves, levels, values, sums);
            }
        }
    };
}

lane_number!(f32, rank_single, add_single, arrange_single, leaf_single);
lane_number!(f64, rank_double, add_double, arrange_double, leaf_double);
