//! Sums of steps in registers of four doubles.
//!
//! Compilers shuffle the loop of [`tally`](super::tally) until most of its time goes into that;
//! written out, it takes two fifths of the time. The twin without these instructions is there.

#![expect(
    unsafe_code,
    reason = "the instructions are not part of every processor"
)]

use std::arch::x86_64::{
    _CMP_LE_OQ, _mm256_add_pd, _mm256_and_pd, _mm256_andnot_pd, _mm256_cmp_pd, _mm256_loadu_pd,
    _mm256_mul_pd, _mm256_set1_pd, _mm256_storeu_pd, _mm256_sub_pd,
};
use std::array;

use super::processor::features;
use super::tally::{Number, ROUNDING, StepSums, Steps};

/// Doubles in a register.
const LANES: usize = 4;

/// The sums of numbers of which none is far, if this processor has the instructions.
pub(super) fn near_sums<T: Number>(steps: Steps, values: &[T]) -> Option<StepSums> {
    // SAFETY: the processor has just been asked.
    features().avx2.then(|| unsafe { summed(steps, values) })
}

/// # Safety
/// The processor must have AVX2.
#[target_feature(enable = "avx2")]
unsafe fn summed<T: Number>(steps: Steps, values: &[T]) -> StepSums {
    let all = |value: f64| _mm256_set1_pd(value);
    let [center, per_unit, far] = [all(steps.center), all(steps.per_unit), all(steps.far)];
    let [parts_in_step, rounding, sign] = [all(steps.parts), all(ROUNDING), all(-0.0)];
    let mut sums = [all(0.0); 5];
    let (chunks, rest) = values.as_chunks::<LANES>();
    let chunks = chunks
        .iter()
        .map(|values| array::from_fn(|lane| values[lane].double()));
    let last: [f64; LANES] =
        array::from_fn(|lane| rest.get(lane).map_or(f64::NAN, |value| value.double()));
    for values in chunks.chain([last]) {
        // SAFETY: the array holds as many doubles as are read.
        let values = unsafe { _mm256_loadu_pd(values.as_ptr()) };
        let scaled = _mm256_mul_pd(_mm256_sub_pd(values, center), per_unit);
        // Zero for NaN.
        let is_near = _mm256_cmp_pd::<_CMP_LE_OQ>(_mm256_andnot_pd(sign, scaled), far);
        let scaled = _mm256_and_pd(is_near, scaled);
        let whole = _mm256_sub_pd(_mm256_add_pd(scaled, rounding), rounding);
        let rest = _mm256_mul_pd(_mm256_sub_pd(scaled, whole), parts_in_step);
        let parts = _mm256_sub_pd(_mm256_add_pd(rest, rounding), rounding);
        let more = [
            whole,
            parts,
            _mm256_mul_pd(whole, whole),
            _mm256_mul_pd(whole, parts),
            _mm256_mul_pd(parts, parts),
        ];
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum = _mm256_add_pd(*sum, more);
        }
    }
    let [steps, parts, square_steps, products, square_parts] = sums.map(|sum| {
        let mut lanes = [0.0; LANES];
        // SAFETY: the array holds as many doubles as are written.
        unsafe { _mm256_storeu_pd(lanes.as_mut_ptr(), sum) };
        lanes.iter().sum()
    });
    StepSums {
        steps,
        parts,
        square_steps,
        products,
        square_parts,
        ..StepSums::default()
    }
}
