//! The kernel's steps with AVX2: a mask is two registers, one after the other.
#![expect(
    unsafe_code,
    reason = "the processor's own instructions, and reads and writes of whole registers"
)]

use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_and_si256, _mm256_andnot_si256,
    _mm256_blendv_epi8, _mm256_broadcastsi128_si256, _mm256_cmpeq_epi8, _mm256_loadu_si256,
    _mm256_min_epu8, _mm256_movemask_epi8, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi64x,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16, _mm256_storeu_si256,
    _mm256_xor_si256,
};

use super::lanes::{Lanes, Task};
use super::slice::{ByteSet, Mask, Slice};
use crate::kernel::processor::features;

/// A processor that has them; only [`Avx2::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Whether this processor has what it takes.
    pub(super) fn detect() -> Option<Self> {
        features().avx2_bits.then_some(Self(()))
    }
}

#[target_feature(enable = "avx2,bmi1,bmi2")]
fn vectorised<K: Task>(lanes: Avx2, task: K) {
    task.run(lanes);
}

// SAFETY, in every method: a value of this type exists only where the processor has the features
// (see `detect`).
impl Lanes for Avx2 {
    type Part = __m256i;

    const PARTS: usize = 2;

    fn vectorised<K: Task>(self, task: K) {
        // SAFETY: as above.
        unsafe { vectorised(self, task) }
    }

    #[inline(always)]
    fn none(self) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn load(self, mask: &Mask, part: usize) -> __m256i {
        let half: &[u64; 4] = &mask.0.as_chunks().0[part];
        // SAFETY: as above, and half a mask is 32 bytes.
        unsafe { _mm256_loadu_si256(half.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, rows: __m256i, mask: &mut Mask, part: usize) {
        let half: &mut [u64; 4] = &mut mask.0.as_chunks_mut().0[part];
        // SAFETY: as above, and half a mask is 32 bytes.
        unsafe { _mm256_storeu_si256(half.as_mut_ptr().cast(), rows) }
    }

    #[inline(always)]
    fn fetch<T>(self, line: &T) {
        // SAFETY: as above; nothing is read.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast()) }
    }

    #[inline(always)]
    fn choose(self, condition: __m256i, yes: __m256i, no: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe {
            _mm256_or_si256(
                _mm256_and_si256(condition, yes),
                _mm256_andnot_si256(condition, no),
            )
        }
    }

    #[inline(always)]
    fn split(self, low: __m256i, high: __m256i, condition: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_or_si256(low, _mm256_andnot_si256(condition, high)) }
    }

    #[inline(always)]
    fn xor(self, first: __m256i, second: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_xor_si256(first, second) }
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
}

/// 32 bytes.
#[target_feature(enable = "avx2")]
#[inline]
fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: 32 bytes are there to be read.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

/// The bytes that are all ones.
#[target_feature(enable = "avx2")]
#[inline]
fn ones(bytes: __m256i) -> u64 {
    u64::from(_mm256_movemask_epi8(bytes).cast_unsigned())
}

#[target_feature(enable = "avx2")]
#[inline]
fn not_above(bins: &Slice<u8>, bounds: &[u8], masks: &mut [Mask]) {
    for (mask, &bound) in masks.iter_mut().zip(bounds) {
        let bound = _mm256_set1_epi8(bound.cast_signed());
        for (word, [low, high]) in mask.0.iter_mut().zip(bins.0.as_chunks().0.as_chunks().0) {
            let (low, high) = (load(low), load(high));
            let [low, high] = [
                _mm256_cmpeq_epi8(_mm256_min_epu8(low, bound), low),
                _mm256_cmpeq_epi8(_mm256_min_epu8(high, bound), high),
            ];
            *word = ones(low) | ones(high) << 32;
        }
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn within(bins: &Slice<u8>, sets: &[ByteSet], masks: &mut [Mask]) {
    for (mask, set) in masks.iter_mut().zip(sets) {
        // SAFETY: a set is twice 16 bytes.
        let (lower, upper) = unsafe {
            (
                _mm_loadu_si128(set.as_ptr().cast()),
                _mm_loadu_si128(set.as_ptr().add(16).cast()),
            )
        };
        let set = [
            _mm256_broadcastsi128_si256(lower),
            _mm256_broadcastsi128_si256(upper),
        ];
        for (word, [low, high]) in mask.0.iter_mut().zip(bins.0.as_chunks().0.as_chunks().0) {
            *word = ones(members(load(low), set)) | ones(members(load(high), set)) << 32;
        }
    }
}

/// The bytes that are in a set.
#[target_feature(enable = "avx2")]
#[inline]
fn members(bins: __m256i, [lower, upper]: [__m256i; 2]) -> __m256i {
    let nibble = _mm256_set1_epi8(15);
    let low = _mm256_and_si256(bins, nibble);
    let powers = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
    let bit = _mm256_shuffle_epi8(
        powers,
        _mm256_and_si256(_mm256_srli_epi16::<4>(bins), nibble),
    );
    let bytes = _mm256_blendv_epi8(
        _mm256_shuffle_epi8(lower, low),
        _mm256_shuffle_epi8(upper, low),
        bins,
    );
    _mm256_cmpeq_epi8(_mm256_and_si256(bytes, bit), bit)
}
