//! The kernel's steps with AVX-512 (F, BW, DQ, VL, VBMI) and GFNI: a mask is one register.
#![expect(unsafe_code, reason = "the processor's own instructions; each block says why it may")]

use std::arch::x86_64::*;

use super::bins::Cuts;
use super::lanes::{ByteSet, Lanes, Mask, NARROW_LEAVES, SLICE, Slice, Task};

/// A processor that has them; only [`Avx512::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

impl Avx512 {
    /// Whether this processor has what it takes.
    pub(super) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("gfni");
        has.then_some(Self(()))
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,gfni,bmi1,bmi2,avx2,fma")]
fn vectorised<K: Task>(lanes: Avx512, task: K) {
    task.run(lanes);
}

impl Lanes for Avx512 {
    type Part = __m512i;

    const PARTS: usize = 1;

    fn vectorised<K: Task>(self, task: K) {
        // SAFETY: `self` exists, so the processor has the features.
        unsafe { vectorised(self, task) }
    }

    #[inline(always)]
    fn none(self) -> __m512i {
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn load(self, mask: &Mask, _part: usize) -> __m512i {
        unsafe { _mm512_load_si512(mask.0.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, rows: __m512i, mask: &mut Mask, _part: usize) {
        unsafe { _mm512_store_si512(mask.0.as_mut_ptr().cast(), rows) }
    }

    #[inline(always)]
    fn choose(self, condition: __m512i, yes: __m512i, no: __m512i) -> __m512i {
        unsafe { _mm512_ternarylogic_epi64::<0xCA>(condition, yes, no) }
    }

    #[inline(always)]
    fn split(self, low: __m512i, high: __m512i, condition: __m512i) -> __m512i {
        // low | (high & !condition) over the bits (low, high, condition).
        unsafe { _mm512_ternarylogic_epi64::<0xF4>(low, high, condition) }
    }

    #[inline(always)]
    fn xor(self, first: __m512i, second: __m512i) -> __m512i {
        unsafe { _mm512_xor_si512(first, second) }
    }

    #[inline(always)]
    fn not_above(self, bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
        unsafe {
            let rows: [__m512i; 8] = std::array::from_fn(|word| _mm512_load_si512(bins.0.as_ptr().add(64 * word).cast()));
            for (mask, &bound) in masks.iter_mut().zip(bounds) {
                let bound = _mm512_set1_epi8(bound as i8);
                for (word, rows) in mask.0.iter_mut().zip(rows) {
                    store_word(word, _mm512_cmple_epu8_mask(rows, bound));
                }
            }
        }
    }

    #[inline(always)]
    fn within(self, bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
        unsafe {
            let powers = _mm512_broadcast_i32x4(_mm_set1_epi64x(0x8040_2010_0804_0201_u64 as i64));
            let nibble = _mm512_set1_epi8(15);
            let rows: [__m512i; 8] = std::array::from_fn(|word| _mm512_load_si512(bins.0.as_ptr().add(64 * word).cast()));
            let low = rows.map(|rows| _mm512_and_si512(rows, nibble));
            let bit = rows.map(|rows| _mm512_shuffle_epi8(powers, _mm512_and_si512(_mm512_srli_epi16::<4>(rows), nibble)));
            for (mask, set) in masks.iter_mut().zip(sets) {
                let lower = _mm512_broadcast_i32x4(_mm_loadu_si128(set.as_ptr().cast()));
                let upper = _mm512_broadcast_i32x4(_mm_loadu_si128(set.as_ptr().add(16).cast()));
                for word in 0..8 {
                    let lower = _mm512_shuffle_epi8(lower, low[word]);
                    let bytes = _mm512_mask_shuffle_epi8(lower, _mm512_movepi8_mask(rows[word]), upper, low[word]);
                    store_word(&mut mask.0[word], _mm512_test_epi8_mask(bytes, bit[word]));
                }
            }
        }
    }

    #[inline(always)]
    fn bytes(self, planes: &[Mask; 8], bytes: &mut Slice<u8>) {
        unsafe {
            let quads: [__m512i; 8] = std::array::from_fn(|plane| self.load(&planes[plane], 0));
            let words = transposed_words(quads);
            // Byte 8 i + k of a word's register becomes byte i of plane 7 − k's word: the instruction counts rows of bits from the other end.
            let order: [u8; 64] = std::array::from_fn(|byte| ((7 - byte % 8) * 8 + byte / 8) as u8);
            let order = _mm512_loadu_si512(order.as_ptr().cast());
            let unit = _mm512_set1_epi64(0x8040_2010_0804_0201_u64 as i64);
            for (word, rows) in words.into_iter().enumerate() {
                let eights = _mm512_permutexvar_epi8(order, rows);
                let transposed = _mm512_gf2p8affine_epi64_epi8::<0>(unit, eights);
                _mm512_store_si512(bytes.0.as_mut_ptr().add(64 * word).cast(), transposed);
            }
        }
    }

    #[inline(always)]
    fn rank_single(self, values: &[f32], cuts: &Cuts<f32>, bins: &mut Slice<u16>) {
        unsafe { rank_single(values, cuts, bins) }
    }

    #[inline(always)]
    fn rank_double(self, values: &[f64], cuts: &Cuts<f64>, bins: &mut Slice<u16>) {
        unsafe { rank_double(values, cuts, bins) }
    }

    /// The bytes of 64 leaf values side by side: all lowest bytes, then the next ones.
    fn arrange_single(self, table: &mut Vec<f32>) {
        table.resize(table.len().max(64), 0.0);
        let bytes: Vec<[u8; 4]> = table.iter().map(|value| value.to_le_bytes()).collect();
        let planes: Vec<u8> = (0..4).flat_map(|plane| bytes.iter().map(move |bytes| bytes[plane])).collect();
        for (value, bytes) in table.iter_mut().zip(planes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }

    #[inline(always)]
    fn add_single(self, leaves: &Slice<u8>, levels: u32, table: &[f32; NARROW_LEAVES], sums: &mut Slice<f32>) {
        unsafe {
            match levels {
                0..=6 => add_single::<1>(leaves, table, sums),
                7 => add_single::<2>(leaves, table, sums),
                _ => add_single::<4>(leaves, table, sums),
            }
        }
    }

    /// The bytes of 64 leaf values side by side: all lowest bytes, then the next ones.
    fn arrange_double(self, table: &mut Vec<f64>) {
        table.resize(table.len().max(64), 0.0);
        let bytes: Vec<[u8; 8]> = table.iter().map(|value| value.to_le_bytes()).collect();
        let planes: Vec<u8> = (0..8).flat_map(|plane| bytes.iter().map(move |bytes| bytes[plane])).collect();
        for (value, bytes) in table.iter_mut().zip(planes.as_chunks().0) {
            *value = f64::from_le_bytes(*bytes);
        }
    }

    #[inline(always)]
    fn add_double(self, leaves: &Slice<u8>, levels: u32, table: &[f64; NARROW_LEAVES], sums: &mut Slice<f64>) {
        unsafe {
            match levels {
                0..=6 => add_double::<1>(leaves, table, sums),
                7 => add_double::<2>(leaves, table, sums),
                _ => add_double::<4>(leaves, table, sums),
            }
        }
    }
}

/// Stores a word from a mask register; left to itself, the compiler first builds a vector of eight of them, which takes four times as long.
#[inline(always)]
unsafe fn store_word(word: &mut u64, rows: u64) {
    unsafe { std::ptr::from_mut(word).write_volatile(rows) }
}

/// Quad word k of register i to quad word i of register k.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_words([a, b, c, d, e, f, g, h]: [__m512i; 8]) -> [__m512i; 8] {
    let even = [_mm512_unpacklo_epi64(a, b), _mm512_unpacklo_epi64(c, d), _mm512_unpacklo_epi64(e, f), _mm512_unpacklo_epi64(g, h)];
    let odd = [_mm512_unpackhi_epi64(a, b), _mm512_unpackhi_epi64(c, d), _mm512_unpackhi_epi64(e, f), _mm512_unpackhi_epi64(g, h)];
    let ([w0, w2, w4, w6], [w1, w3, w5, w7]) = (transposed_pairs(even), transposed_pairs(odd));
    [w0, w1, w2, w3, w4, w5, w6, w7]
}

/// Pair k of register i to pair i of register k.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_pairs([ab, cd, ef, gh]: [__m512i; 4]) -> [__m512i; 4] {
    let low = [_mm512_shuffle_i64x2::<0x44>(ab, cd), _mm512_shuffle_i64x2::<0x44>(ef, gh)];
    let high = [_mm512_shuffle_i64x2::<0xEE>(ab, cd), _mm512_shuffle_i64x2::<0xEE>(ef, gh)];
    [
        _mm512_shuffle_i64x2::<0x88>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0xDD>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0x88>(high[0], high[1]),
        _mm512_shuffle_i64x2::<0xDD>(high[0], high[1]),
    ]
}

/// The bytes of one plane of a table of `QUARTERS` × 64, looked up 64 at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn look_up<const QUARTERS: usize>(table: &[[u8; 64]; QUARTERS], leaves: __m512i) -> __m512i {
    let quarter = |quarter: usize| unsafe { _mm512_loadu_si512(table[quarter].as_ptr().cast()) };
    match QUARTERS {
        1 => _mm512_permutexvar_epi8(leaves, quarter(0)),
        2 => _mm512_permutex2var_epi8(quarter(0), leaves, quarter(1)),
        _ => {
            let lower = _mm512_permutex2var_epi8(quarter(0), leaves, quarter(1));
            let upper = _mm512_permutex2var_epi8(quarter(2), leaves, quarter(3));
            _mm512_mask_mov_epi8(lower, _mm512_movepi8_mask(leaves), upper)
        }
    }
}

/// Adds leaf values whose bytes lie apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn add_single<const QUARTERS: usize>(leaves: &Slice<u8>, table: &[f32; NARROW_LEAVES], sums: &mut Slice<f32>) {
    // SAFETY: a table of 256 numbers holds four planes of at most 256 bytes.
    let planes: &[[[u8; 64]; QUARTERS]; 4] = unsafe { &*table.as_ptr().cast() };
    // Unpacking interleaves within 128 bits; four by four transposed beforehand, the rows come out in order.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    for word in 0..SLICE / 64 {
        let leaves = unsafe { _mm512_load_si512(leaves.0.as_ptr().add(64 * word).cast()) };
        let leaves = _mm512_permutexvar_epi32(order, leaves);
        let [a, b, c, d] = [look_up(&planes[0], leaves), look_up(&planes[1], leaves), look_up(&planes[2], leaves), look_up(&planes[3], leaves)];
        let (ab, cd) = ([_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)], [_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)]);
        for half in 0..2 {
            let values = [_mm512_unpacklo_epi16(ab[half], cd[half]), _mm512_unpackhi_epi16(ab[half], cd[half])];
            for quarter in 0..2 {
                unsafe {
                    let sum = sums.0.as_mut_ptr().add(64 * word + 32 * half + 16 * quarter);
                    _mm512_store_ps(sum, _mm512_add_ps(_mm512_load_ps(sum), _mm512_castsi512_ps(values[quarter])));
                }
            }
        }
    }
}

/// Adds leaf values whose bytes lie apart.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
#[inline]
fn add_double<const QUARTERS: usize>(leaves: &Slice<u8>, table: &[f64; NARROW_LEAVES], sums: &mut Slice<f64>) {
    // SAFETY: a table of 256 numbers holds eight planes of at most 256 bytes.
    let planes: &[[[u8; 64]; QUARTERS]; 8] = unsafe { &*table.as_ptr().cast() };
    let order: [u16; 32] = const { pairs_in_order() };
    let order = unsafe { _mm512_loadu_si512(order.as_ptr().cast()) };
    for word in 0..SLICE / 64 {
        let leaves = unsafe { _mm512_load_si512(leaves.0.as_ptr().add(64 * word).cast()) };
        let leaves = _mm512_permutexvar_epi16(order, leaves);
        let [a, b, c, d] = [look_up(&planes[0], leaves), look_up(&planes[1], leaves), look_up(&planes[2], leaves), look_up(&planes[3], leaves)];
        let [e, f, g, h] = [look_up(&planes[4], leaves), look_up(&planes[5], leaves), look_up(&planes[6], leaves), look_up(&planes[7], leaves)];
        let (ab, cd) = ([_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)], [_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)]);
        let (ef, gh) = ([_mm512_unpacklo_epi8(e, f), _mm512_unpackhi_epi8(e, f)], [_mm512_unpacklo_epi8(g, h), _mm512_unpackhi_epi8(g, h)]);
        for half in 0..2 {
            let low = [_mm512_unpacklo_epi16(ab[half], cd[half]), _mm512_unpackhi_epi16(ab[half], cd[half])];
            let high = [_mm512_unpacklo_epi16(ef[half], gh[half]), _mm512_unpackhi_epi16(ef[half], gh[half])];
            for quarter in 0..2 {
                let values = [_mm512_unpacklo_epi32(low[quarter], high[quarter]), _mm512_unpackhi_epi32(low[quarter], high[quarter])];
                for eighth in 0..2 {
                    unsafe {
                        let sum = sums.0.as_mut_ptr().add(64 * word + 32 * half + 16 * quarter + 8 * eighth);
                        _mm512_store_pd(sum, _mm512_add_pd(_mm512_load_pd(sum), _mm512_castsi512_pd(values[eighth])));
                    }
                }
            }
        }
    }
}

/// Pairs of rows, so that they come out in order after three steps of unpacking.
const fn pairs_in_order() -> [u16; 32] {
    let mut order = [0; 32];
    let mut place = 0;
    while place < 32 {
        order[place] = (place % 8 * 4 + place / 8) as u16;
        place += 1;
    }
    order
}

/// The bins of values, sixteen at a time: the upper levels of the search tree lie in registers, the rest is gathered.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn rank_single(values: &[f32], cuts: &Cuts<f32>, bins: &mut Slice<u16>) {
    let (tree, levels) = (cuts.tree(), cuts.levels());
    let load = |from: usize| if from < tree.len() { unsafe { _mm512_loadu_ps(tree.as_ptr().add(from)) } } else { _mm512_setzero_ps() };
    let (top, fifth, sixth, seventh) = (load(0), load(16), [load(32), load(48)], [load(64), load(80), load(96), load(112)]);
    let eighth = [load(128), load(144), load(160), load(176), load(192), load(208), load(224), load(240)];
    let one = _mm512_set1_epi32(1);
    for first in (0..values.len()).step_by(16) {
        let present = if values.len() - first >= 16 { 0xFFFF } else { (1 << (values.len() - first)) - 1 };
        let rows = unsafe { _mm512_maskz_loadu_ps(present, values.as_ptr().add(first)) };
        let mut node = one;
        for level in 0..levels {
            let cut = match level {
                0..4 => _mm512_permutexvar_ps(node, top),
                4 => _mm512_permutexvar_ps(node, fifth),
                5 => _mm512_permutex2var_ps(sixth[0], node, sixth[1]),
                6 => {
                    let lower = _mm512_permutex2var_ps(seventh[0], node, seventh[1]);
                    let upper = _mm512_test_epi32_mask(node, _mm512_set1_epi32(32));
                    _mm512_mask_mov_ps(lower, upper, _mm512_permutex2var_ps(seventh[2], node, seventh[3]))
                }
                7 => {
                    let odd = _mm512_test_epi32_mask(node, _mm512_set1_epi32(32));
                    let quarter = |first: usize| _mm512_permutex2var_ps(eighth[first], node, eighth[first + 1]);
                    let lower = _mm512_mask_mov_ps(quarter(0), odd, quarter(2));
                    let upper = _mm512_mask_mov_ps(quarter(4), odd, quarter(6));
                    _mm512_mask_mov_ps(lower, _mm512_test_epi32_mask(node, _mm512_set1_epi32(64)), upper)
                }
                _ => unsafe { _mm512_i32gather_ps::<4>(node, tree.as_ptr()) },
            };
            let above = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(cut, rows);
            node = _mm512_add_epi32(node, node);
            node = _mm512_mask_add_epi32(node, above, node, one);
        }
        let missing = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(rows, rows);
        let rank = _mm512_sub_epi32(node, _mm512_set1_epi32(1 << levels));
        let rank = _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rank, missing, _mm512_set1_epi32(-1)));
        unsafe { _mm256_store_si256(bins.0.as_mut_ptr().add(first).cast(), rank) };
    }
}

/// The bins of values, eight at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
#[inline]
fn rank_double(values: &[f64], cuts: &Cuts<f64>, bins: &mut Slice<u16>) {
    let (tree, levels) = (cuts.tree(), cuts.levels());
    let load = |from: usize| if from < tree.len() { unsafe { _mm512_loadu_pd(tree.as_ptr().add(from)) } } else { _mm512_setzero_pd() };
    let (top, fourth, fifth) = (load(0), load(8), [load(16), load(24)]);
    let sixth = [load(32), load(40), load(48), load(56)];
    let seventh: [__m512d; 8] = std::array::from_fn(|eight| load(64 + 8 * eight));
    let eighth: [__m512d; 16] = std::array::from_fn(|eight| load(128 + 8 * eight));
    let one = _mm512_set1_epi64(1);
    for first in (0..values.len()).step_by(8) {
        let present = if values.len() - first >= 8 { 0xFF } else { (1 << (values.len() - first)) - 1 };
        let rows = unsafe { _mm512_maskz_loadu_pd(present, values.as_ptr().add(first)) };
        let mut node = one;
        for level in 0..levels {
            let cut = match level {
                0..3 => _mm512_permutexvar_pd(node, top),
                3 => _mm512_permutexvar_pd(node, fourth),
                4 => _mm512_permutex2var_pd(fifth[0], node, fifth[1]),
                5 => thirty_two(&sixth, node),
                6 => sixty_four(&seventh, node),
                7 => {
                    let (lower, upper) = eighth.split_at(8);
                    let upper = sixty_four(upper.as_array().expect("eight"), node);
                    let odd = _mm512_test_epi64_mask(node, _mm512_set1_epi64(64));
                    _mm512_mask_mov_pd(sixty_four(lower.as_array().expect("eight"), node), odd, upper)
                }
                _ => unsafe { _mm512_i64gather_pd::<8>(node, tree.as_ptr()) },
            };
            let above = _mm512_cmp_pd_mask::<_CMP_LE_OQ>(cut, rows);
            node = _mm512_add_epi64(node, node);
            node = _mm512_mask_add_epi64(node, above, node, one);
        }
        let missing = _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(rows, rows);
        let rank = _mm512_sub_epi64(node, _mm512_set1_epi64(1 << levels));
        let rank = _mm512_cvtepi64_epi16(_mm512_mask_mov_epi64(rank, missing, _mm512_set1_epi64(-1)));
        unsafe { _mm_store_si128(bins.0.as_mut_ptr().add(first).cast(), rank) };
    }
}

/// One of 32 numbers, by the low five bits of each place.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn thirty_two(table: &[__m512d; 4], place: __m512i) -> __m512d {
    let lower = _mm512_permutex2var_pd(table[0], place, table[1]);
    let odd = _mm512_test_epi64_mask(place, _mm512_set1_epi64(16));
    _mm512_mask_mov_pd(lower, odd, _mm512_permutex2var_pd(table[2], place, table[3]))
}

/// One of 64 numbers, by the low six bits of each place.
#[target_feature(enable = "avx512f,avx512dq")]
#[inline]
fn sixty_four([a, b, c, d, e, f, g, h]: &[__m512d; 8], place: __m512i) -> __m512d {
    let odd = _mm512_test_epi64_mask(place, _mm512_set1_epi64(32));
    _mm512_mask_mov_pd(thirty_two(&[*a, *b, *c, *d], place), odd, thirty_two(&[*e, *f, *g, *h], place))
}
