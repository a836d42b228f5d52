//! Vectors of 16 numbers in one register of AVX-512.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]
#![expect(
    unsafe_code,
    reason = "the instructions are not part of every processor"
)]

use std::arch::x86_64::{
    __m512, __mmask16, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehl_ps, _mm_shuffle_ps,
    _mm_storeu_si128, _mm256_add_ps, _mm256_castps256_ps128, _mm256_extractf128_ps,
    _mm512_add_epi32, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd, _mm512_castps_si512,
    _mm512_castps512_ps256, _mm512_castsi512_ps, _mm512_cvtepi32_epi8, _mm512_cvtps_epi32,
    _mm512_div_ps, _mm512_extractf64x4_pd, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_blend_ps,
    _mm512_mask_loadu_ps, _mm512_mask_storeu_ps, _mm512_max_ps, _mm512_min_ps, _mm512_mul_ps,
    _mm512_permutex2var_ps, _mm512_reduce_max_ps, _mm512_set_epi32, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_shuffle_f32x4, _mm512_slli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
    _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};

use super::lanes::{Lanes, Task};
use super::line::LINE;
use crate::kernel::processor::features;

/// A processor with AVX-512 F.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx512(());

impl Avx512 {
    /// The lanes, if this processor has them.
    pub(super) fn detect() -> Option<Self> {
        features().avx512.then_some(Self(()))
    }
}

/// # Safety
/// The processor must have the instructions.
#[target_feature(enable = "avx512f")]
unsafe fn run<T: Task>(lanes: Avx512, task: T) -> T::Output {
    task.run(lanes)
}

/// An operation that the proof makes safe.
macro_rules! safe {
    ($operation:expr) => {
        // SAFETY: `self` exists only where the processor has AVX-512 F, and what is read or written
        // is a whole reference.
        unsafe { $operation }
    };
}

impl Lanes for Avx512 {
    type Vector = __m512;

    #[inline(always)]
    fn vectorised<T: Task>(self, task: T) -> T::Output {
        safe!(run(self, task))
    }

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        safe!(_mm512_set1_ps(value))
    }

    #[inline(always)]
    fn load(self, values: &[f32; LINE]) -> __m512 {
        safe!(_mm512_loadu_ps(values.as_ptr()))
    }

    #[inline(always)]
    fn store(self, vector: __m512, values: &mut [f32; LINE]) {
        safe!(_mm512_storeu_ps(values.as_mut_ptr(), vector));
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn subtract(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_sub_ps(a, b))
    }

    #[inline(always)]
    fn multiply(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn divide(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_div_ps(a, b))
    }

    #[inline(always)]
    fn fused(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        safe!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn greater(self, a: __m512, b: __m512) -> __m512 {
        // Where one is NaN it gives the second, as does the least.
        safe!(_mm512_max_ps(a, b))
    }

    #[inline(always)]
    fn lesser(self, a: __m512, b: __m512) -> __m512 {
        safe!(_mm512_min_ps(a, b))
    }

    #[inline(always)]
    fn power_of_two(self, shifted: __m512) -> __m512 {
        let exponents = safe!(_mm512_slli_epi32::<23>(_mm512_castps_si512(shifted)));
        safe!(_mm512_castsi512_ps(_mm512_add_epi32(
            exponents,
            _mm512_set1_epi32(1.0_f32.to_bits().cast_signed())
        )))
    }

    #[inline(always)]
    fn sum(self, vector: __m512) -> f32 {
        let high = safe!(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(vector)));
        // SAFETY: `self` exists only where the processor has AVX-512 F.
        unsafe {
            let eight = _mm256_add_ps(
                _mm512_castps512_ps256(vector),
                std::arch::x86_64::_mm256_castpd_ps(high),
            );
            let four = _mm_add_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn largest(self, vector: __m512) -> f32 {
        safe!(_mm512_reduce_max_ps(vector))
    }

    #[inline(always)]
    fn first(self, vector: __m512, count: usize, others: __m512) -> __m512 {
        safe!(_mm512_mask_blend_ps(
            ((1_u32 << count.min(LINE)) - 1) as u16,
            others,
            vector
        ))
    }

    #[inline(always)]
    fn load_some(self, values: &[f32], fill: f32) -> __m512 {
        let mask = some(values.len());
        // SAFETY: the value proves that the processor has the instructions; lanes that the mask
        // drops are not read.
        unsafe { _mm512_mask_loadu_ps(_mm512_set1_ps(fill), mask, values.as_ptr()) }
    }

    #[inline(always)]
    fn store_some(self, vector: __m512, values: &mut [f32]) {
        let mask = some(values.len());
        // SAFETY: the value proves that the processor has the instructions; lanes that the mask
        // drops are not written.
        unsafe { _mm512_mask_storeu_ps(values.as_mut_ptr(), mask, vector) }
    }

    #[inline(always)]
    fn store_bytes(self, vector: __m512, bytes: &mut [u8; LINE]) {
        safe!(_mm_storeu_si128(
            bytes.as_mut_ptr().cast(),
            _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(vector))
        ));
    }

    #[inline(always)]
    fn evens(self, a: __m512, b: __m512) -> __m512 {
        let indices = safe!(_mm512_set_epi32(
            30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0
        ));
        safe!(_mm512_permutex2var_ps(a, indices, b))
    }

    #[inline(always)]
    fn transpose(self, rows: [__m512; LINE]) -> [__m512; LINE] {
        let mut pairs = rows;
        for first in (0..LINE).step_by(2) {
            pairs[first] = safe!(_mm512_unpacklo_ps(rows[first], rows[first + 1]));
            pairs[first + 1] = safe!(_mm512_unpackhi_ps(rows[first], rows[first + 1]));
        }
        let mut fours = pairs;
        for first in (0..LINE).step_by(4) {
            for half in 0..2 {
                let (a, b) = safe!((
                    _mm512_castps_pd(pairs[first + half]),
                    _mm512_castps_pd(pairs[first + half + 2])
                ));
                fours[first + 2 * half] = safe!(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)));
                fours[first + 2 * half + 1] = safe!(_mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
            }
        }
        // Vector 4 g + c holds, in each quarter q, rows 4 g to 4 g + 3 of column 4 q + c.
        let mut columns = fours;
        for column in 0..4 {
            let [a, b, c, d] = [
                fours[column],
                fours[4 + column],
                fours[8 + column],
                fours[12 + column],
            ];
            let (low, next) = safe!((
                _mm512_shuffle_f32x4::<0x44>(a, b),
                _mm512_shuffle_f32x4::<0x44>(c, d)
            ));
            let (high, last) = safe!((
                _mm512_shuffle_f32x4::<0xee>(a, b),
                _mm512_shuffle_f32x4::<0xee>(c, d)
            ));
            columns[column] = safe!(_mm512_shuffle_f32x4::<0x88>(low, next));
            columns[4 + column] = safe!(_mm512_shuffle_f32x4::<0xdd>(low, next));
            columns[8 + column] = safe!(_mm512_shuffle_f32x4::<0x88>(high, last));
            columns[12 + column] = safe!(_mm512_shuffle_f32x4::<0xdd>(high, last));
        }
        columns
    }
}

/// The lanes of the first `count` numbers, at most all.
#[inline(always)]
fn some(count: usize) -> __mmask16 {
    if count >= LINE {
        __mmask16::MAX
    } else {
        (1 << count) - 1
    }
}
