//! The kernel's steps with AVX-512 and GFNI: a mask is one register.
//!
//! Nothing is gathered: on processors that guard against reading other users's data (Downfall), 8
//! gathered numbers took 40 cycles, and tables in registers a tenth of that.
#![expect(
    unsafe_code,
    reason = "the processor's own instructions, and reads and writes of whole registers"
)]

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm_set1_epi64x, _mm512_and_si512, _mm512_broadcast_i32x4,
    _mm512_cmple_epu8_mask, _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512,
    _mm512_mask_shuffle_epi8, _mm512_movepi8_mask, _mm512_permutexvar_epi8, _mm512_set1_epi8,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm512_shuffle_i64x2,
    _mm512_srli_epi16, _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_test_epi8_mask,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use super::bins::Cuts;
use super::lanes::{Lanes, Task};
use super::slice::{ByteSet, Mask, NARROW_LEAVES, Slice};
use super::{leaves_avx512 as leaf, ranks_avx512 as rank};
use crate::kernel::processor::features;

/// A processor that has AVX-512 F, BW, DQ, VL, VBMI and GFNI; only [`Avx512::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

/// Byte i is 1 << i, the unit matrix of bits.
const UNIT: i64 = 0x8040_2010_0804_0201_u64.cast_signed();

impl Avx512 {
    /// The proof that this processor has what it takes, if it has.
    pub(super) fn detect() -> Option<Self> {
        features().avx512_bits.then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,gfni,avx2,bmi1,bmi2")]
fn vectorised<K: Task>(lanes: Avx512, task: K) {
    task.run(lanes);
}

// SAFETY, in every method: a value of this type exists only where the processor has the features
// (see `detect`).
impl Lanes for Avx512 {
    type Part = __m512i;

    const PARTS: usize = 1;

    fn vectorised<K: Task>(self, task: K) {
        // SAFETY: as above.
        unsafe { vectorised(self, task) }
    }

    #[inline(always)]
    fn none(self) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn load(self, mask: &Mask, _part: usize) -> __m512i {
        // SAFETY: as above, and a mask is 64 bytes.
        unsafe { _mm512_loadu_si512(mask.0.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, rows: __m512i, mask: &mut Mask, _part: usize) {
        // SAFETY: as above, and a mask is 64 bytes.
        unsafe { _mm512_storeu_si512(mask.0.as_mut_ptr().cast(), rows) }
    }

    #[inline(always)]
    fn choose(self, condition: __m512i, yes: __m512i, no: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_ternarylogic_epi64::<0xCA>(condition, yes, no) }
    }

    #[inline(always)]
    fn split(self, low: __m512i, high: __m512i, condition: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_ternarylogic_epi64::<0xF4>(low, high, condition) }
    }

    #[inline(always)]
    fn xor(self, first: __m512i, second: __m512i) -> __m512i {
        // SAFETY: as above.
        unsafe { _mm512_xor_si512(first, second) }
    }

    #[inline(always)]
    fn rank_single(self, values: &[f32], cuts: &Cuts<f32>, bins: &mut Slice<u16>) {
        // SAFETY: as above.
        unsafe { rank::rank_single(values, cuts, bins) }
    }

    #[inline(always)]
    fn rank_double(self, values: &[f64], cuts: &Cuts<f64>, bins: &mut Slice<u16>) {
        // SAFETY: as above.
        unsafe { rank::rank_double(values, cuts, bins) }
    }

    #[inline(always)]
    fn not_above(self, bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
        // SAFETY: as above.
        unsafe { not_above(bins, bounds, masks) }
    }

    #[inline(always)]
    fn within(self, bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
        // SAFETY: as above.
        unsafe { within(bins, sets, masks) }
    }

    #[inline(always)]
    fn bytes(self, planes: &[Mask; 8], bytes: &mut Slice<u8>) {
        // SAFETY: as above.
        unsafe { bytes_of(planes, bytes) }
    }

    /// All lowest bytes of the table, then all next ones.
    fn arrange_single(self, table: &mut Vec<f32>) {
        leaf::arrange_single(table);
    }

    /// All lowest bytes of the table, then all next ones.
    fn arrange_double(self, table: &mut Vec<f64>) {
        leaf::arrange_double(table);
    }

    #[inline(always)]
    fn leaf_single(self, table: &[f32], leaf: usize) -> f32 {
        leaf::value_single(table, leaf)
    }

    #[inline(always)]
    fn leaf_double(self, table: &[f64], leaf: usize) -> f64 {
        leaf::value_double(table, leaf)
    }

    #[inline(always)]
    fn add_single(
        self,
        leaves: &Slice<u8>,
        levels: u32,
        table: &[f32; NARROW_LEAVES],
        sums: &mut Slice<f32>,
    ) {
        // SAFETY: as above.
        unsafe { leaf::add_single(leaves, levels, table, sums) }
    }

    #[inline(always)]
    fn add_double(
        self,
        leaves: &Slice<u8>,
        levels: u32,
        table: &[f64; NARROW_LEAVES],
        sums: &mut Slice<f64>,
    ) {
        // SAFETY: as above.
        unsafe { leaf::add_double(leaves, levels, table, sums) }
    }
}

/// 64 bytes.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: 64 bytes are there to be read.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// The bins of the rows of each word of a mask.
#[target_feature(enable = "avx512f")]
#[inline]
fn load_words(bins: &Slice<u8>) -> [__m512i; 8] {
    let mut words = [_mm512_setzero_si512(); 8];
    for (word, bins) in words.iter_mut().zip(bins.0.as_chunks().0) {
        *word = load(bins);
    }
    words
}

/// Stores a word from a mask register; left to itself, the compiler first builds a vector of eight
/// of them, which takes four times as long.
#[inline(always)]
fn store_word(word: &mut u64, rows: u64) {
    // SAFETY: a reference may be written through.
    unsafe { std::ptr::from_mut(word).write_volatile(rows) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn not_above(bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
    let words = load_words(bins);
    for (mask, &bound) in masks.iter_mut().zip(bounds) {
        let bound = _mm512_set1_epi8(bound.cast_signed());
        for (word, rows) in mask.0.iter_mut().zip(words) {
            store_word(word, _mm512_cmple_epu8_mask(rows, bound));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
#[inline]
fn within(bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
    let powers = _mm512_broadcast_i32x4(_mm_set1_epi64x(UNIT));
    let nibble = _mm512_set1_epi8(15);
    let words = load_words(bins);
    let (mut low, mut bits) = (words, words);
    for word in 0..8 {
        low[word] = _mm512_and_si512(words[word], nibble);
        bits[word] = _mm512_shuffle_epi8(
            powers,
            _mm512_and_si512(_mm512_srli_epi16::<4>(words[word]), nibble),
        );
    }
    for (mask, set) in masks.iter_mut().zip(sets) {
        // SAFETY: a set is twice 16 bytes.
        let (lower, upper) = unsafe {
            (
                _mm_loadu_si128(set.as_ptr().cast()),
                _mm_loadu_si128(set.as_ptr().add(16).cast()),
            )
        };
        let (lower, upper) = (_mm512_broadcast_i32x4(lower), _mm512_broadcast_i32x4(upper));
        for word in 0..8 {
            let bytes = _mm512_shuffle_epi8(lower, low[word]);
            let bytes =
                _mm512_mask_shuffle_epi8(bytes, _mm512_movepi8_mask(words[word]), upper, low[word]);
            store_word(&mut mask.0[word], _mm512_test_epi8_mask(bytes, bits[word]));
        }
    }
}

/// Eight rows of 64 at a time, as a matrix of 8 × 8 bits that is transposed by a multiplication
/// with the unit matrix.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,gfni")]
#[inline]
fn bytes_of(planes: &[Mask; 8], bytes: &mut Slice<u8>) {
    let mut rows = [_mm512_setzero_si512(); 8];
    for (rows, plane) in rows.iter_mut().zip(planes) {
        // SAFETY: a mask is 64 bytes.
        *rows = unsafe { _mm512_loadu_si512(plane.0.as_ptr().cast()) };
    }
    let order = load(&const { matrices() });
    for (rows, bytes) in transposed_words(&rows)
        .into_iter()
        .zip(bytes.0.as_chunks_mut::<64>().0)
    {
        let transposed = _mm512_gf2p8affine_epi64_epi8::<0>(
            _mm512_set1_epi64(UNIT),
            _mm512_permutexvar_epi8(order, rows),
        );
        // SAFETY: 64 bytes are there to be written.
        unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), transposed) }
    }
}

/// Byte 8 i + k of the matrices is byte i of the word of plane 7 − k: the multiplication counts
/// rows from the other end.
const fn matrices() -> [u8; 64] {
    let mut order = [0; 64];
    let mut byte = 0;
    while byte < 64 {
        order[byte] = ((7 - byte % 8) * 8 + byte / 8) as u8;
        byte += 1;
    }
    order
}

/// Word k of register i to word i of register k.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_words(rows: &[__m512i; 8]) -> [__m512i; 8] {
    let (mut even, mut odd) = ([rows[0]; 4], [rows[0]; 4]);
    for pair in 0..4 {
        even[pair] = _mm512_unpacklo_epi64(rows[2 * pair], rows[2 * pair + 1]);
        odd[pair] = _mm512_unpackhi_epi64(rows[2 * pair], rows[2 * pair + 1]);
    }
    let (even, odd) = (transposed_pairs(even), transposed_pairs(odd));
    [
        even[0], odd[0], even[1], odd[1], even[2], odd[2], even[3], odd[3],
    ]
}

/// Pair of words k of register i to pair i of register k.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_pairs(rows: [__m512i; 4]) -> [__m512i; 4] {
    let low = [
        _mm512_shuffle_i64x2::<0x44>(rows[0], rows[1]),
        _mm512_shuffle_i64x2::<0x44>(rows[2], rows[3]),
    ];
    let high = [
        _mm512_shuffle_i64x2::<0xEE>(rows[0], rows[1]),
        _mm512_shuffle_i64x2::<0xEE>(rows[2], rows[3]),
    ];
    [
        _mm512_shuffle_i64x2::<0x88>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0xDD>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0x88>(high[0], high[1]),
        _mm512_shuffle_i64x2::<0xDD>(high[0], high[1]),
    ]
}
