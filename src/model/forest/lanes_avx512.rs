//! The kernel's steps with AVX-512 (F, BW, DQ, VL, VBMI) and GFNI: a mask is one register.
#![expect(unsafe_code, reason = "the processor's own instructions; each block says why it may")]

use std::arch::x86_64::*;

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
    fn not_above(self, bins: &Slice<u8>, bounds: &[u16], masks: &mut [Mask]) {
        unsafe {
            let rows: [__m512i; 8] = std::array::from_fn(|word| _mm512_load_si512(bins.0.as_ptr().add(64 * word).cast()));
            for (mask, &bound) in masks.iter_mut().zip(bounds) {
                let bound = _mm512_set1_epi8(bound as i8);
                for (word, rows) in mask.0.iter_mut().zip(rows) {
                    *word = _mm512_cmple_epu8_mask(rows, bound);
                }
            }
        }
    }

    #[inline(always)]
    fn not_above_wide(self, bins: &Slice<u16>, bounds: &[u16], masks: &mut [Mask]) {
        unsafe {
            let rows: [__m512i; 16] = std::array::from_fn(|half| _mm512_load_si512(bins.0.as_ptr().add(32 * half).cast()));
            for (mask, &bound) in masks.iter_mut().zip(bounds) {
                let bound = _mm512_set1_epi16(bound as i16);
                for (word, rows) in mask.0.iter_mut().zip(rows.as_chunks::<2>().0) {
                    *word = u64::from(_mm512_cmple_epu16_mask(rows[0], bound)) | u64::from(_mm512_cmple_epu16_mask(rows[1], bound)) << 32;
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
                    mask.0[word] = _mm512_test_epi8_mask(bytes, bit[word]);
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
    fn add_single(self, leaves: &Slice<u8>, values: &[f32; NARROW_LEAVES], sums: &mut Slice<f32>) {
        unsafe {
            for row in (0..SLICE).step_by(16) {
                let leaves = _mm512_cvtepu8_epi32(_mm_load_si128(leaves.0.as_ptr().add(row).cast()));
                let values = _mm512_i32gather_ps::<4>(leaves, values.as_ptr());
                let sum = sums.0.as_mut_ptr().add(row);
                _mm512_store_ps(sum, _mm512_add_ps(_mm512_load_ps(sum), values));
            }
        }
    }

    #[inline(always)]
    fn add_double(self, leaves: &Slice<u8>, values: &[f64; NARROW_LEAVES], sums: &mut Slice<f64>) {
        unsafe {
            for row in (0..SLICE).step_by(8) {
                let leaves = _mm256_cvtepu8_epi32(_mm_loadl_epi64(leaves.0.as_ptr().add(row).cast()));
                let values = _mm512_i32gather_pd::<8>(leaves, values.as_ptr());
                let sum = sums.0.as_mut_ptr().add(row);
                _mm512_store_pd(sum, _mm512_add_pd(_mm512_load_pd(sum), values));
            }
        }
    }
}

/// Quad word k of register i to quad word i of register k.
#[inline(always)]
fn transposed_words(rows: [__m512i; 8]) -> [__m512i; 8] {
    unsafe {
        let [a, b, c, d, e, f, g, h] = rows;
        let pairs = |x, y| (_mm512_unpacklo_epi64(x, y), _mm512_unpackhi_epi64(x, y));
        let ((ab0, ab1), (cd0, cd1), (ef0, ef1), (gh0, gh1)) = (pairs(a, b), pairs(c, d), pairs(e, f), pairs(g, h));
        // Lanes of 128 bits: abX holds words X, X+2, X+4, X+6.
        let lanes = |ab, cd, ef, gh| {
            let (low_abcd, high_abcd) = (_mm512_shuffle_i64x2::<0x44>(ab, cd), _mm512_shuffle_i64x2::<0xEE>(ab, cd));
            let (low_efgh, high_efgh) = (_mm512_shuffle_i64x2::<0x44>(ef, gh), _mm512_shuffle_i64x2::<0xEE>(ef, gh));
            [
                _mm512_shuffle_i64x2::<0x88>(low_abcd, low_efgh),
                _mm512_shuffle_i64x2::<0xDD>(low_abcd, low_efgh),
                _mm512_shuffle_i64x2::<0x88>(high_abcd, high_efgh),
                _mm512_shuffle_i64x2::<0xDD>(high_abcd, high_efgh),
            ]
        };
        let [w0, w2, w4, w6] = lanes(ab0, cd0, ef0, gh0);
        let [w1, w3, w5, w7] = lanes(ab1, cd1, ef1, gh1);
        [w0, w1, w2, w3, w4, w5, w6, w7]
    }
}
