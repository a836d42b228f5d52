//! The kernel's steps with AVX2: a mask is two registers, one after the other.
#![expect(unsafe_code, reason = "the processor's own instructions; each block says why it may")]

use std::arch::x86_64::*;

use super::lanes::{ByteSet, Lanes, Mask, Slice, Task};

/// A processor that has them; only [`Avx2::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Whether this processor has what it takes.
    pub(super) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")).then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn vectorised<K: Task>(lanes: Avx2, task: K) {
    task.run(lanes);
}

impl Lanes for Avx2 {
    type Part = __m256i;

    const PARTS: usize = 2;

    fn vectorised<K: Task>(self, task: K) {
        // SAFETY: `self` exists, so the processor has the features.
        unsafe { vectorised(self, task) }
    }

    #[inline(always)]
    fn none(self) -> __m256i {
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn load(self, mask: &Mask, part: usize) -> __m256i {
        let half: &[u64; 4] = &mask.0.as_chunks().0[part];
        unsafe { _mm256_load_si256(half.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, rows: __m256i, mask: &mut Mask, part: usize) {
        let half: &mut [u64; 4] = &mut mask.0.as_chunks_mut().0[part];
        unsafe { _mm256_store_si256(half.as_mut_ptr().cast(), rows) }
    }

    #[inline(always)]
    fn choose(self, condition: __m256i, yes: __m256i, no: __m256i) -> __m256i {
        unsafe { _mm256_or_si256(_mm256_and_si256(condition, yes), _mm256_andnot_si256(condition, no)) }
    }

    #[inline(always)]
    fn split(self, low: __m256i, high: __m256i, condition: __m256i) -> __m256i {
        unsafe { _mm256_or_si256(low, _mm256_andnot_si256(condition, high)) }
    }

    #[inline(always)]
    fn xor(self, first: __m256i, second: __m256i) -> __m256i {
        unsafe { _mm256_xor_si256(first, second) }
    }

    #[inline(always)]
    fn not_above(self, bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
        unsafe {
            for (mask, &bound) in masks.iter_mut().zip(bounds) {
                let bound = _mm256_set1_epi8(bound as i8);
                for (word, rows) in mask.0.iter_mut().zip(bins.0.as_chunks::<64>().0) {
                    let half = |offset: usize| {
                        let rows = _mm256_load_si256(rows.as_ptr().add(offset).cast());
                        u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(rows, bound), rows)).cast_unsigned())
                    };
                    *word = half(0) | half(32) << 32;
                }
            }
        }
    }

    #[inline(always)]
    fn within(self, bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
        unsafe {
            let powers = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
            let nibble = _mm256_set1_epi8(15);
            for (mask, set) in masks.iter_mut().zip(sets) {
                let lower = _mm256_broadcastsi128_si256(_mm_loadu_si128(set.as_ptr().cast()));
                let upper = _mm256_broadcastsi128_si256(_mm_loadu_si128(set.as_ptr().add(16).cast()));
                for (word, rows) in mask.0.iter_mut().zip(bins.0.as_chunks::<64>().0) {
                    let half = |offset: usize| {
                        let rows = _mm256_load_si256(rows.as_ptr().add(offset).cast());
                        let low = _mm256_and_si256(rows, nibble);
                        let bit = _mm256_shuffle_epi8(powers, _mm256_and_si256(_mm256_srli_epi16::<4>(rows), nibble));
                        let bytes = _mm256_blendv_epi8(_mm256_shuffle_epi8(lower, low), _mm256_shuffle_epi8(upper, low), rows);
                        u64::from(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit)).cast_unsigned())
                    };
                    *word = half(0) | half(32) << 32;
                }
            }
        }
    }
}
