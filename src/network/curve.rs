//! Exponentials and what is made of them, for whole rows: polynomials in plain arithmetic that the
//! compiler turns into vectors.
//!
//! Every step is rounded by itself, never fused, so that all processors give the same bits. Against
//! the functions in double precision sigmoid and tanh err by at most 2e-7, GELU by 4e-7 for
//! arguments up to 8. NaN stays NaN.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

/// Runs a function over a row with the widest vectors that this processor has.
macro_rules! vectorised {
    ($(#[$docs:meta])* $name:ident, $one:expr) => {
        $(#[$docs])*
        pub(crate) fn $name(row: &mut [f32]) {
            #[inline(always)]
            fn all(row: &mut [f32]) {
                for value in row {
                    *value = $one(*value);
                }
            }
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn widest(row: &mut [f32]) {
                    all(row);
                }
                #[target_feature(enable = "avx2")]
                fn wide(row: &mut [f32]) {
                    all(row);
                }
                if $crate::kernel::processor::features().avx512 {
                    #[expect(unsafe_code,
                        reason = "the instructions are not part of every processor")]
                    // SAFETY: the processor has been asked for them.
                    return unsafe { widest(row) };
                }
                if $crate::kernel::processor::features().avx2 {
                    #[expect(unsafe_code,
                        reason = "the instructions are not part of every processor")]
                    // SAFETY: the processor has been asked for them.
                    return unsafe { wide(row) };
                }
            }
            all(row);
        }
    };
}

vectorised! {
    /// 1 / (1 + exp(−x)).
    sigmoid, sigmoid_of
}
vectorised! {
    /// x / (1 + exp(−x)).
    silu, |x: f32| x * sigmoid_of(x)
}
vectorised! {
    /// The hyperbolic tangent.
    tanh, tanh_of
}
vectorised! {
    /// x · Φ(x), Φ being the normal distribution's.
    gelu, |x: f32| 0.5 * x * (1.0 + erf_of(x * std::f32::consts::FRAC_1_SQRT_2))
}
vectorised! {
    /// The same by the hyperbolic tangent (Hendrycks and Gimpel, 2016).
    gelu_tanh, |x: f32| 0.5 * x * (1.0 + tanh_of(SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)))
}

/// √(2 / π).
const SQRT_2_OVER_PI: f32 = 0.797_884_6;

/// exp(x) by 2ⁿ · p(r) with x = n · ln 2 + r; the polynomial is that of Cephes' `expf`. Above 88.4
/// it is infinite, below −87 it stays there.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added to a number of some hundreds it leaves the nearest integer in the last bits.
    const ROUNDER: f32 = 12_582_912.0;
    // What is above 0 of the first part has few digits, so that its product with n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 89.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let p = 1.987_569_2e-4 * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 0.166_666_65;
    let p = p * r + 0.5;
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    (p * r * r + r + 1.0) * power
}

#[inline(always)]
fn sigmoid_of(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Near 0 an odd polynomial (Cephes' `tanhf`), else by the exponential.
#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let square = x * x;
    let p = -5.704_988_7e-3 * square + 2.063_909_5e-2;
    let p = p * square - 5.373_971_5e-2;
    let p = p * square + 0.133_314_43;
    let p = p * square - 0.333_332_8;
    let near = p * square * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x) + 1.0);
    if x.abs() < 0.625 { near } else { far }
}

/// Abramowitz and Stegun 7.1.26, whose error is at most 1.5e-7.
#[inline(always)]
fn erf_of(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let p = 1.061_405_4 * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    (1.0 - p * t * exp(-size * size)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(function: fn(&mut [f32]), exact: impl Fn(f64) -> f64, tolerance: f64) {
        let arguments: Vec<f32> = (-80_000..=80_000)
            .map(|step| step as f32 * 2.5e-4)
            .chain([f32::MIN, f32::MAX, 1e-30, -1e-30, 0.0])
            .collect();
        let mut all = arguments.clone();
        function(&mut all);
        for (argument, found) in arguments.iter().zip(&all) {
            let expected = exact(f64::from(*argument));
            assert!(
                (f64::from(*found) - expected).abs() <= tolerance * expected.abs().max(1.0),
                "{argument}: {found}, exactly {expected}"
            );
            let mut alone = [*argument];
            function(&mut alone);
            assert_eq!(alone[0].to_bits(), found.to_bits(), "{argument} alone");
        }
        let mut edges = [f32::NAN];
        function(&mut edges);
        assert!(edges[0].is_nan());
    }

    #[test]
    fn curves_are_those_of_the_definition_and_the_same_alone() {
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        check(sigmoid, logistic, 2e-7);
        check(
            silu,
            |x| if x < -700.0 { 0.0 } else { x * logistic(x) },
            3e-7,
        );
        check(tanh, f64::tanh, 3e-7);
        check(
            gelu,
            |x| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            5e-7,
        );
        check(
            gelu_tanh,
            |x| 0.5 * x * (1.0 + (f64::from(SQRT_2_OVER_PI) * (x + 0.044_715 * x * x * x)).tanh()),
            5e-7,
        );
    }
}
