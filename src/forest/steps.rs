//! The kernel's steps between masks, bytes and numbers in plain Rust: what they mean, and what runs
//! where a processor has nothing faster.
//!
//! Comparisons with many bounds go through the rows in the order of their bins, so that a bound
//! costs one copy of a mask, however wide the bins are.

use std::ops::Add;

use super::slice::{ByteSet, Mask, NARROW_LEAVES, SLICE, Slice, contains};

/// The rows in the order of their bins.
fn ascending(bins: &Slice<u8>) -> Slice<u16> {
    let mut starts = [0_u16; 257];
    bins.0
        .iter()
        .for_each(|&bin| starts[usize::from(bin) + 1] += 1);
    for bin in 0..256 {
        starts[bin + 1] += starts[bin];
    }
    let mut rows = Slice::default();
    for (row, &bin) in bins.0.iter().enumerate() {
        let start = &mut starts[usize::from(bin)];
        rows.0[usize::from(*start)] = row as u16;
        *start += 1;
    }
    rows
}

/// For each bound, the rows whose bin is not above it; the bounds ascend.
pub(super) fn not_above(bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
    let rows = ascending(bins);
    let mut so_far = Mask::default();
    let mut rows = rows
        .0
        .iter()
        .map(|&row| usize::from(row) % SLICE)
        .peekable();
    for (mask, &bound) in masks.iter_mut().zip(bounds) {
        while let Some(row) = rows.next_if(|&row| bins.0[row] <= bound) {
            so_far.0[row / 64] |= 1 << (row % 64);
        }
        *mask = so_far;
    }
}

/// For each set, the rows whose bin is in it.
pub(super) fn within(bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
    let mut rows_of = [Mask::default(); 256];
    for (row, &bin) in bins.0.iter().enumerate() {
        rows_of[usize::from(bin)].0[row / 64] |= 1 << (row % 64);
    }
    let mut present: Vec<u8> = bins.0.to_vec();
    present.sort_unstable();
    present.dedup();
    for (mask, set) in masks.iter_mut().zip(sets) {
        *mask = Mask::default();
        for bin in present.iter().filter(|&&bin| contains(set, bin)) {
            mask.0
                .iter_mut()
                .zip(rows_of[usize::from(*bin)].0)
                .for_each(|(word, rows)| *word |= rows);
        }
    }
}

/// One step of a transposition: swaps the bits of `high` under the mask with those of `low` that
/// lie `shift` higher.
#[inline(always)]
fn exchange(low: &mut [u64; 8], high: &mut [u64; 8], shift: u32, mask: u64) {
    for (low, high) in low.iter_mut().zip(high) {
        let moved = (*low >> shift ^ *high) & mask;
        *high ^= moved;
        *low ^= moved << shift;
    }
}

/// The number that each row's bits spell, plane 0 the lowest.
#[inline(always)]
pub(super) fn bytes(planes: &[Mask; 8], bytes: &mut Slice<u8>) {
    // First between the planes, byte by byte: word i then holds, for eight rows, a byte of every
    // plane.
    let mut words: [[u64; 8]; 8] = std::array::from_fn(|plane| planes[plane].0);
    for (distance, shift, mask) in [
        (4, 32, 0x0000_0000_FFFF_FFFF),
        (2, 16, 0x0000_FFFF_0000_FFFF),
        (1, 8, 0x00FF_00FF_00FF_00FF),
    ] {
        for low in (0..8).filter(|plane| plane & distance == 0) {
            let (first, second) = words.split_at_mut(low + distance);
            exchange(&mut first[low], &mut second[0], shift, mask);
        }
    }
    for (group, words) in words.iter_mut().enumerate() {
        for (word, bits) in words.iter_mut().enumerate() {
            let start = word * 64 + group * 8;
            bytes.0[start..start + 8].copy_from_slice(&transposed(*bits).to_le_bytes());
        }
    }
}

/// The 8 × 8 bits of a word with rows and columns exchanged.
#[inline(always)]
fn transposed(mut bits: u64) -> u64 {
    for (shift, mask) in [
        (7, 0x00AA_00AA_00AA_00AA),
        (14, 0x0000_CCCC_0000_CCCC),
        (28, 0x0000_0000_F0F0_F0F0),
    ] {
        let moved = (bits ^ bits >> shift) & mask;
        bits ^= moved ^ moved << shift;
    }
    bits
}

/// Adds to each row's sum the value of its leaf.
#[inline(always)]
pub(super) fn add<T: Copy + Add<Output = T>>(
    leaves: &Slice<u8>,
    values: &[T; NARROW_LEAVES],
    sums: &mut Slice<T>,
) {
    for row in 0..SLICE {
        sums.0[row] = sums.0[row] + values[usize::from(leaves.0[row])];
    }
}
