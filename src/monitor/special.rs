//! Tails of the distributions that tests and intervals need.
//!
//! Owns the normal and the chi-square distribution and the exact sign test, each accurate far into
//! its tail. The functions come from `libm`, so that the last bit is the same on every machine.

/// The 97.5 % quantile of the normal distribution.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// The probability that a normal number is at least as far from 0 as `z`.
#[must_use]
pub fn normal_two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The probability that a normal number is larger than `z`.
#[must_use]
pub fn normal_tail(z: f64) -> f64 {
    libm::erfc(z / std::f64::consts::SQRT_2) / 2.0
}

/// The probability that Student's t with so many degrees of freedom is at least as far from 0 as
/// `t`.
#[must_use]
pub fn student_two_sided(t: f64, degrees: f64) -> f64 {
    let square = t * t;
    lower_beta(
        degrees / 2.0,
        0.5,
        degrees / (degrees + square),
        square / (degrees + square),
    )
}

/// The regularised incomplete beta function I(a, b) at `x`, which is 1 − `rest`: the continued
/// fraction (modified Lentz) of *Numerical Recipes*, 6.4.
#[expect(
    clippy::many_single_char_names,
    reason = "the names of the formulas in the source"
)]
fn lower_beta(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    const TINY: f64 = 1e-300;
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    // The logarithm of the larger of both keeps its digits.
    let logarithm = |own: f64, other: f64| {
        if own > 0.5 {
            libm::log1p(-other)
        } else {
            libm::log(own)
        }
    };
    let size = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * logarithm(x, rest)
        + b * logarithm(rest, x);
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - lower_beta(b, a, rest, x);
    }
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0), TINY));
    let mut fraction = d;
    for index in 1..MAX_TERMS {
        let m = f64::from(index);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for numerator in [even, odd] {
            d = 1.0 / not_zero(numerator * d + 1.0, TINY);
            c = not_zero(1.0 + numerator / c, TINY);
            factor = d * c;
            fraction *= factor;
        }
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    libm::exp(size) * fraction / a
}

/// The value below which the share `p` of normal numbers lies: M. J. Wichura, *Algorithm AS 241*
/// (1988), PPND7, accurate to 7 digits.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        let above =
            ((59.109_374_72 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9;
        let below = ((67.187_563_6 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0;
        return q * above / below;
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return f64::INFINITY.copysign(q);
    }
    let r = (-libm::log(tail)).sqrt();
    let size = if r <= 5.0 {
        let r = r - 1.6;
        (((0.170_238_210_3 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7)
            / ((0.120_211_329_75 * r + 0.737_001_642_50) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_386_0) * r + 6.657_905_115_0)
            / ((0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0)
    };
    size.copysign(q)
}

/// The probability of a chi-square of at least `statistic` with so many degrees of freedom; 1 for
/// none.
#[must_use]
pub fn chi_square_tail(statistic: f64, degrees: f64) -> f64 {
    if degrees <= 0.0 || statistic <= 0.0 {
        return 1.0;
    }
    if statistic.is_infinite() {
        return 0.0;
    }
    upper_gamma(degrees / 2.0, statistic / 2.0)
}

/// The most terms of a series or a continued fraction.
const MAX_TERMS: u32 = 100_000;

/// The regularised upper incomplete gamma function Q(a, x): the series below, the continued
/// fraction (modified Lentz) above a + 1, as in *Numerical Recipes*, 6.2.
#[expect(
    clippy::many_single_char_names,
    reason = "the names of the formulas in the source"
)]
fn upper_gamma(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let scale = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        for _ in 0..MAX_TERMS {
            n += 1.0;
            term *= x / n;
            sum += term;
            if term.abs() < sum.abs() * 1e-17 {
                break;
            }
        }
        return 1.0 - sum * scale;
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut fraction = d;
    for index in 1..MAX_TERMS {
        let i = f64::from(index);
        let numerator = -i * (i - a);
        b += 2.0;
        d = 1.0 / not_zero(numerator * d + b, TINY);
        c = not_zero(b + numerator / c, TINY);
        let factor = d * c;
        fraction *= factor;
        if (factor - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction * scale
}

fn not_zero(value: f64, tiny: f64) -> f64 {
    if value.abs() < tiny { tiny } else { value }
}

/// The exact two-sided probability of a split at least as uneven as `left` to `right` of tosses of
/// a fair coin.
#[must_use]
pub fn sign_test(left: u64, right: u64) -> f64 {
    let (few, all) = (left.min(right), left + right);
    // Terms of the tail relative to its last one, which is the largest.
    let (mut term, mut sum) = (1.0, 1.0);
    for k in (1..=few).rev() {
        term *= k as f64 / (all - k + 1) as f64;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    let n = all as f64;
    let last = libm::lgamma(n + 1.0)
        - libm::lgamma(few as f64 + 1.0)
        - libm::lgamma(n - few as f64 + 1.0)
        - n * std::f64::consts::LN_2;
    (2.0 * sum * libm::exp(last)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64, tolerance: f64) -> bool {
        (left - right).abs() <= tolerance * right.abs()
    }

    #[test]
    fn tails_are_those_of_scipy() {
        // scipy 1.17.1: 2 · norm.sf(z), chi2.sf(x, df)
        let normal = [
            (0.1, 0.920344325445942),
            (1.96, 0.04999579029644087),
            (5.0, 5.733031437583866e-07),
            (10.0, 1.523970604832094e-23),
            (20.0, 5.507248237212311e-89),
            (37.0, 1.1451142445047853e-299),
        ];
        for (z, expected) in normal {
            assert!(close(normal_two_sided(z), expected, 1e-12), "{z}");
        }
        let chi_square = [
            (0.5, 1.0, 0.47950012218695337),
            (3.84, 1.0, 0.05004352124870519),
            (30.0, 1.0, 4.3204630578274955e-08),
            (100.0, 1.0, 1.5239706048320995e-23),
            (5.0, 5.0, 0.4158801869955079),
            (11.07, 5.0, 0.050009618622405425),
            (200.0, 5.0, 2.8406228986415534e-41),
            (90.0, 100.0, 0.7531979655998298),
            (150.0, 100.0, 0.0009039320423540184),
            (1000.0, 999.0, 0.48513148927490146),
            (1200.0, 999.0, 1.112935044825893e-05),
        ];
        for (statistic, degrees, expected) in chi_square {
            let tail = chi_square_tail(statistic, degrees);
            assert!(
                close(tail, expected, 1e-11),
                "{statistic} {degrees}: {tail}"
            );
        }
        // scipy 1.17.1: norm.sf(z), 2 · t.sf(t, df)
        for (z, expected) in [
            (-3.0, 0.9986501019683699),
            (0.0, 0.5),
            (1.5, 0.06680720126885807),
            (8.0, 6.22096057427174e-16),
            (-40.0, 1.0),
        ] {
            assert!(close(normal_tail(z), expected, 1e-12), "{z}");
        }
        for (t, degrees, expected) in [
            (0.1, 1.0, 0.936548965138893),
            (2.0, 10.0, 0.07338803477074037),
            (8.5, 2698.0, 3.089654352872196e-17),
            (30.0, 5.0, 7.718648620496053e-07),
            (0.001, 100.0, 0.9992041077601035),
            (5.0, 1e6, 5.733997870890745e-07),
        ] {
            let found = student_two_sided(t, degrees);
            assert!(close(found, expected, 1e-8), "{t} {degrees}: {found}");
        }
        assert_eq!(student_two_sided(0.0, 3.0), 1.0);
        // golden_monitoring.json: DeLong's z with its probability, McNemar's corrected chi-square
        assert!(close(
            normal_two_sided(-2.835107586561194),
            0.004581025550741474,
            1e-12
        ));
        let (b, c) = (167.0_f64, 178.0_f64);
        let corrected = ((b - c).abs() - 1.0).powi(2) / (b + c);
        assert!(close(corrected, 0.2898550724637681, 1e-12));
        assert!(close(
            chi_square_tail(corrected, 1.0),
            0.5903134182039969,
            1e-12
        ));
        assert_eq!(chi_square_tail(f64::INFINITY, 3.0), 0.0);
        assert_eq!(chi_square_tail(0.0, 0.0), 1.0);
    }

    #[test]
    fn quantiles_and_the_sign_test_are_those_of_scipy() {
        // scipy 1.17.1: norm.ppf
        let quantiles = [
            (0.975, Z_95),
            (0.5, 0.0),
            (0.1, -1.2815515655446004),
            (1e-12, -7.034483825301132),
        ];
        for (p, expected) in quantiles {
            assert!((normal_quantile(p) - expected).abs() < 1e-6, "{p}");
        }
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        // statsmodels 0.15.0: mcnemar, exact
        assert!(close(sign_test(167, 178), 0.5903775436602208, 1e-12));
        assert_eq!(sign_test(0, 0), 1.0);
        assert_eq!(sign_test(0, 2), 0.5);
    }
}
