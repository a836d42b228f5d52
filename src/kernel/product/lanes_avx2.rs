//! Vectors of 16 numbers in two registers of AVX2.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]
#![expect(
    unsafe_code,
    reason = "the instructions are not part of every processor"
)]

use std::arch::x86_64::{
    __m256, _mm_add_ps, _mm_add_ss, _mm_cvtss_f32, _mm_movehl_ps, _mm_packs_epi32,
    _mm_packus_epi16, _mm_shuffle_ps, _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps,
    _mm256_castpd_ps, _mm256_castps_pd, _mm256_castps_si256, _mm256_castps256_ps128,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cvtps_epi32, _mm256_div_ps,
    _mm256_extractf128_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_min_ps, _mm256_mul_ps, _mm256_permute2f128_ps, _mm256_permute4x64_pd,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_shuffle_ps, _mm256_slli_epi32, _mm256_storeu_ps,
    _mm256_sub_ps, _mm256_unpackhi_pd, _mm256_unpackhi_ps, _mm256_unpacklo_pd, _mm256_unpacklo_ps,
};

use super::lanes::{Lanes, Task};
use super::line::LINE;
use crate::kernel::processor::features;

/// A processor with AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avx2(());

impl Avx2 {
    /// The lanes, if this processor has them.
    pub(super) fn detect() -> Option<Self> {
        features().avx2_fma.then_some(Self(()))
    }
}

/// # Safety
/// The processor must have the instructions.
#[target_feature(enable = "avx2,fma")]
unsafe fn run<T: Task>(lanes: Avx2, task: T) -> T::Output {
    task.run(lanes)
}

/// An operation that the proof makes safe.
macro_rules! safe {
    ($operation:expr) => {
        // SAFETY: `self` exists only where the processor has AVX2 and FMA, and what is read or
        // written is a whole reference.
        unsafe { $operation }
    };
}

/// The same operation on both halves.
macro_rules! halves {
    ($operation:ident($($vector:expr),+)) => {
        safe!([$operation($($vector[0]),+), $operation($($vector[1]),+)])
    };
}

impl Lanes for Avx2 {
    type Vector = [__m256; 2];

    #[inline(always)]
    fn vectorised<T: Task>(self, task: T) -> T::Output {
        safe!(run(self, task))
    }

    #[inline(always)]
    fn splat(self, value: f32) -> Self::Vector {
        [safe!(_mm256_set1_ps(value)); 2]
    }

    #[inline(always)]
    fn load(self, values: &[f32; LINE]) -> Self::Vector {
        safe!([
            _mm256_loadu_ps(values.as_ptr()),
            _mm256_loadu_ps(values.as_ptr().add(8))
        ])
    }

    #[inline(always)]
    fn store(self, vector: Self::Vector, values: &mut [f32; LINE]) {
        safe!(_mm256_storeu_ps(values.as_mut_ptr(), vector[0]));
        safe!(_mm256_storeu_ps(values.as_mut_ptr().add(8), vector[1]));
    }

    #[inline(always)]
    fn add(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn subtract(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_sub_ps(a, b))
    }

    #[inline(always)]
    fn multiply(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn divide(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_div_ps(a, b))
    }

    #[inline(always)]
    fn fused(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector {
        halves!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn greater(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        // Where one is NaN it gives the second, as does the least.
        halves!(_mm256_max_ps(a, b))
    }

    #[inline(always)]
    fn lesser(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        halves!(_mm256_min_ps(a, b))
    }

    #[inline(always)]
    fn power_of_two(self, shifted: Self::Vector) -> Self::Vector {
        let one = safe!(_mm256_set1_epi32(1.0_f32.to_bits().cast_signed()));
        let mut powers = shifted;
        for half in &mut powers {
            *half = safe!(_mm256_castsi256_ps(_mm256_add_epi32(
                _mm256_slli_epi32::<23>(_mm256_castps_si256(*half)),
                one
            )));
        }
        powers
    }

    #[inline(always)]
    fn sum(self, vector: Self::Vector) -> f32 {
        // SAFETY: `self` exists only where the processor has AVX2.
        unsafe {
            let eight = _mm256_add_ps(vector[0], vector[1]);
            let four = _mm_add_ps(
                _mm256_castps256_ps128(eight),
                _mm256_extractf128_ps::<1>(eight),
            );
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
        }
    }

    #[inline(always)]
    fn store_bytes(self, vector: Self::Vector, bytes: &mut [u8; LINE]) {
        let [low, high] = halves!(_mm256_cvtps_epi32(vector));
        // SAFETY: `self` exists only where the processor has AVX2, and sixteen bytes are written.
        unsafe {
            let low = _mm_packs_epi32(
                _mm256_castsi256_si128(low),
                _mm256_extracti128_si256::<1>(low),
            );
            let high = _mm_packs_epi32(
                _mm256_castsi256_si128(high),
                _mm256_extracti128_si256::<1>(high),
            );
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm_packus_epi16(low, high));
        }
    }

    #[inline(always)]
    fn evens(self, a: Self::Vector, b: Self::Vector) -> Self::Vector {
        [a, b].map(|[low, high]| {
            // Two of the first and two of the second in each half, brought into order in pairs.
            let mixed = safe!(_mm256_castps_pd(_mm256_shuffle_ps::<0x88>(low, high)));
            safe!(_mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(mixed)))
        })
    }

    #[inline(always)]
    fn transpose(self, rows: [Self::Vector; LINE]) -> [Self::Vector; LINE] {
        let mut columns = rows;
        for (row_half, column_half) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let mut square = [rows[0][0]; 8];
            for (row, index) in square.iter_mut().enumerate() {
                *index = rows[8 * row_half + row][column_half];
            }
            let square = safe!(transpose_eight(square));
            for (column, vector) in square.iter().enumerate() {
                columns[8 * column_half + column][row_half] = *vector;
            }
        }
        columns
    }
}

/// # Safety
/// The processor must have the instructions.
#[inline(always)]
unsafe fn transpose_eight(rows: [__m256; 8]) -> [__m256; 8] {
    let (mut pairs, mut fours, mut columns) = (rows, rows, rows);
    // SAFETY: the caller's promise.
    unsafe {
        for first in (0..8).step_by(2) {
            pairs[first] = _mm256_unpacklo_ps(rows[first], rows[first + 1]);
            pairs[first + 1] = _mm256_unpackhi_ps(rows[first], rows[first + 1]);
        }
        for first in (0..8).step_by(4) {
            for half in 0..2 {
                let (a, b) = (
                    _mm256_castps_pd(pairs[first + half]),
                    _mm256_castps_pd(pairs[first + half + 2]),
                );
                fours[first + 2 * half] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                fours[first + 2 * half + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
            }
        }
        for column in 0..4 {
            columns[column] = _mm256_permute2f128_ps::<0x20>(fours[column], fours[4 + column]);
            columns[4 + column] = _mm256_permute2f128_ps::<0x31>(fours[column], fours[4 + column]);
        }
    }
    columns
}
