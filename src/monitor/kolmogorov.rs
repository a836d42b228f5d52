//! The probability of a Kolmogorov–Smirnov distance.
//!
//! Owns the exact probability for two samples and the distribution of one sample's distance, which
//! large samples use with n·m/(n + m). The choice of method is that of `SciPy`
//! (`ks_2samp`, `kstwo`): R. Simard and P. L'Ecuyer, *Computing the two-sided Kolmogorov–Smirnov
//! distribution* (2011).

use std::f64::consts::PI;

/// The most pairs of rows whose probability is exact: beyond them, counting paths takes longer than
/// reading the rows. `SciPy` counts up to 10 000 rows of each.
const MAX_EXACT_PAIRS: u64 = 4_000_000;

/// The probability of a distance of at least `distance` between two samples of one distribution.
#[must_use]
pub fn two_sample(distance: f64, n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 || distance <= 0.0 {
        return 1.0;
    }
    if n.saturating_mul(m) <= MAX_EXACT_PAIRS {
        exact(distance, n, m)
    } else {
        let effective = (n as f64 * m as f64 / (n as f64 + m as f64)).round();
        one_sample(distance, effective as u64)
    }
}

/// The share of all paths from (0, 0) to (n, m) that leave the band around the diagonal: the inner
/// rows of a table of such shares, of which each is a mean of two others.
fn exact(distance: f64, n: u64, m: u64) -> f64 {
    // Distances are multiples of 1 / (n · m).
    let limit = (distance * (n * m) as f64 - 1e-7).ceil().max(0.0) as i128;
    let is_outside = |i: u64, j: u64| {
        (i128::from(i) * i128::from(m) - i128::from(j) * i128::from(n)).abs() >= limit
    };
    let mut row: Vec<f64> = vec![0.0; m as usize + 1];
    for j in 1..=m {
        row[j as usize] = if is_outside(0, j) {
            1.0
        } else {
            row[j as usize - 1]
        };
    }
    for i in 1..=n {
        if is_outside(i, 0) {
            row[0] = 1.0;
        }
        for j in 1..=m {
            let at = j as usize;
            row[at] = if is_outside(i, j) {
                1.0
            } else {
                (i as f64 * row[at] + j as f64 * row[at - 1]) / (i + j) as f64
            };
        }
    }
    row[m as usize].min(1.0)
}

/// The probability that a sample of `n` is at least `distance` away from its distribution.
#[must_use]
pub fn one_sample(distance: f64, n: u64) -> f64 {
    let size = n as f64;
    let product = size * distance;
    let scaled = product * distance;
    if n == 0 || distance <= 0.0 || product <= 0.5 {
        return 1.0;
    }
    if distance >= 1.0 || scaled >= 370.0 {
        return 0.0;
    }
    if scaled >= 2.2 && n > 140 || scaled > 4.0 || distance > 0.5 {
        return (2.0 * one_sided(distance, n)).min(1.0);
    }
    let is_small = n <= 140 || (n <= 100_000 && size * distance.powf(1.5) <= 1.4);
    let inside = if is_small {
        durbin(distance, n)
    } else {
        pelz_good(distance, n)
    };
    (1.0 - inside).clamp(0.0, 1.0)
}

/// The largest sample whose one-sided probability is summed term by term.
const MAX_SUMMED: u64 = 100_000;

/// The probability of a distance to one side: the sum of Birnbaum and Tingey.
fn one_sided(distance: f64, n: u64) -> f64 {
    let size = n as f64;
    if n > MAX_SUMMED {
        let bracket = 6.0 * size * distance + 1.0;
        return libm::exp(-bracket * bracket / (18.0 * size));
    }
    let last = (size * (1.0 - distance)).floor() as u64;
    let log_factorial = libm::lgamma(size + 1.0);
    let term = |j: u64| {
        let (count, part) = (j as f64, j as f64 / size);
        let log_choose =
            log_factorial - libm::lgamma(count + 1.0) - libm::lgamma(size - count + 1.0);
        let rest = 1.0 - distance - part;
        let log_rest = if j == n || rest <= 0.0 {
            if size - count > 0.0 {
                f64::NEG_INFINITY
            } else {
                0.0
            }
        } else {
            (size - count) * libm::log(rest)
        };
        libm::exp(log_choose + (count - 1.0) * libm::log(distance + part) + log_rest)
    };
    distance * (0..=last).map(term).sum::<f64>()
}

/// The probability of less than `distance`: J. Durbin's matrix, raised to a power as by G.
/// Marsaglia, W. W. Tsang and J. Wang, *Evaluating Kolmogorov's distribution* (2003).
fn durbin(distance: f64, n: u64) -> f64 {
    let product = n as f64 * distance;
    let k = product.ceil() as usize;
    let size = 2 * k - 1;
    let h = k as f64 - product;
    let mut matrix = vec![0.0; size * size];
    for row in 0..size {
        for column in 0..size {
            if row + 1 >= column {
                matrix[row * size + column] = 1.0;
            }
        }
    }
    for index in 0..size {
        let power = libm::pow(h, (index + 1) as f64);
        matrix[index * size] -= power;
        matrix[(size - 1) * size + index] -= libm::pow(h, (size - index) as f64);
    }
    if 2.0 * h > 1.0 {
        matrix[(size - 1) * size] += libm::pow(2.0 * h - 1.0, size as f64);
    }
    for row in 0..size {
        for column in 0..size {
            if row + 1 > column {
                let entry = &mut matrix[row * size + column];
                for divisor in 1..=(row + 1 - column) {
                    *entry /= divisor as f64;
                }
            }
        }
    }
    let (power, mut exponent) = matrix_power(&matrix, size, n);
    let mut probability = power[(k - 1) * size + k - 1];
    for index in 1..=n {
        probability *= index as f64 / n as f64;
        if probability < 1e-140 {
            probability *= 1e140;
            exponent -= 140;
        }
    }
    probability * libm::pow(10.0, f64::from(exponent))
}

/// A matrix to the power `n`, as entries and a power of ten.
fn matrix_power(matrix: &[f64], size: usize, n: u64) -> (Vec<f64>, i32) {
    if n == 1 {
        return (matrix.to_vec(), 0);
    }
    let (half, exponent) = matrix_power(matrix, size, n / 2);
    let (mut power, mut exponent) = (matrix_product(&half, &half, size), 2 * exponent);
    if n % 2 == 1 {
        power = matrix_product(&power, matrix, size);
    }
    if power[size / 2 * size + size / 2] > 1e140 {
        power.iter_mut().for_each(|entry| *entry *= 1e-140);
        exponent += 140;
    }
    (power, exponent)
}

fn matrix_product(left: &[f64], right: &[f64], size: usize) -> Vec<f64> {
    let mut product = vec![0.0; size * size];
    for row in 0..size {
        for inner in 0..size {
            let factor = left[row * size + inner];
            for column in 0..size {
                product[row * size + column] += factor * right[inner * size + column];
            }
        }
    }
    product
}

/// The probability of less than `distance` for large samples: the expansion of W. Pelz and I. J.
/// Good, *Approximating the lower tail-areas of the Kolmogorov–Smirnov one-sample statistic*
/// (1976).
fn pelz_good(distance: f64, n: u64) -> f64 {
    const TERMS: i32 = 20;
    let root = (n as f64).sqrt();
    let z = root * distance;
    let (z2, z3, z4, z6) = (z * z, z.powi(3), z.powi(4), z.powi(6));
    let (z7, z8, z10) = (z.powi(7), z.powi(8), z.powi(10));
    let (pi2, pi4, pi6) = (PI * PI, PI.powi(4), PI.powi(6));
    let decay = pi2 / (2.0 * z2);
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    for index in -TERMS..=TERMS {
        let h = f64::from(index) + 0.5;
        let (h2, h4, h6) = (h * h, h.powi(4), h.powi(6));
        let weight = libm::exp(-decay * h2);
        k0 += weight;
        k1 += (pi2 * h2 - z2) * weight;
        k2 +=
            (6.0 * z6 + 2.0 * z4 + pi2 * (2.0 * z4 - 5.0 * z2) * h2 + pi4 * (1.0 - 2.0 * z2) * h4)
                * weight;
        k3 += (-30.0 * z6 - 90.0 * z8
            + pi2 * (135.0 * z4 - 96.0 * z6) * h2
            + pi4 * (212.0 * z4 - 60.0 * z2) * h4
            + pi6 * (5.0 - 30.0 * z2) * h6)
            * weight;
    }
    let (mut k2_rest, mut k3_rest) = (0.0, 0.0);
    for index in (-TERMS..=TERMS).filter(|index| *index != 0) {
        let h = f64::from(index);
        let h2 = h * h;
        let weight = libm::exp(-decay * h2);
        k2_rest += pi2 * h2 * weight;
        k3_rest += (3.0 * pi2 * h2 * z2 - pi4 * h2 * h2) * weight;
    }
    let half_root = (PI / 2.0).sqrt();
    let k0 = k0 * half_root / z;
    let k1 = k1 * half_root / (6.0 * z4);
    let k2 = k2 * half_root / (72.0 * z7) - k2_rest * half_root / (36.0 * z3);
    let k3 = k3 * half_root / (6480.0 * z10) + k3_rest * half_root / (216.0 * z6);
    k0 + k1 / root + k2 / (root * root) + k3 / root.powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_scipy() {
        // scipy 1.17.1: kstwo.sf(d, n)
        let one = [
            (10, 0.3, 0.27053557479999946, 1e-12),
            (100, 0.05, 0.9532159710635725, 1e-12),
            (100, 0.1, 0.2526927570063874, 1e-12),
            (140, 0.12, 0.03252638258561632, 1e-12),
            (500, 0.03, 0.7473166700457021, 1e-12),
            (500, 0.06, 0.05243463489026223, 1e-12),
            (667, 0.0385, 0.26920464217523166, 1e-12),
            (5000, 0.01, 0.6954557253913853, 1e-12),
            (5000, 0.02, 0.03613941395325637, 1e-12),
            (5000, 0.03, 0.00024159234422666817, 1e-9),
            (100_000, 0.002, 0.8178408363081542, 1e-12),
            (100_000, 0.005, 0.013430824977799608, 1e-9),
            (1_000_000, 0.001, 0.26982107442589376, 1e-12),
            (1_000_000, 0.002, 0.0006700277103670718, 1e-6),
        ];
        for (n, distance, expected, tolerance) in one {
            let found = one_sample(distance, n);
            assert!(
                (found - expected).abs() <= tolerance,
                "{n} {distance}: {found}"
            );
        }
        // scipy 1.17.1: ks_2samp(…, method="exact"), method="asymp"
        let found = two_sample(0.137, 1500, 1200);
        assert!(
            (found / 2.3088534877863334e-11 - 1.0).abs() < 1e-9,
            "{found}"
        );
        let found = one_sample(0.137, 667);
        assert!(
            (found / 2.2140414686965328e-11 - 1.0).abs() < 1e-9,
            "{found}"
        );
    }

    #[test]
    fn large_samples_follow_the_limit_of_kolmogorov() {
        // scipy 1.17.1: special.kolmogorov(x); corrections are of the size of 1 / √n.
        let n = 1e12_f64;
        for (x, expected) in [
            (0.3, 0.9999906941986655),
            (0.5, 0.9639452436648751),
            (0.8, 0.5441424115741981),
            (1.0, 0.26999967167735456),
            (1.36, 0.049485876755377876),
            (1.63, 0.009846364888486529),
            (2.0, 0.0006709252557796953),
            (3.0, 3.045995948942526e-08),
        ] {
            let found = one_sample(x / n.sqrt(), n as u64);
            assert!((found - expected).abs() <= 1e-6, "{x}: {found}");
        }
        // The golden sample by the limit: 0.137 · √(1500 · 1200 / 2700)
        let x = 0.137 * (1500.0 * 1200.0 / 2700.0_f64).sqrt();
        let found = one_sample(x / n.sqrt(), n as u64);
        assert!((found - 2.708107009035037e-11).abs() <= 1e-15, "{found}");
    }

    #[test]
    fn the_ends_are_certain() {
        assert_eq!(two_sample(0.0, 5, 5), 1.0);
        assert_eq!(two_sample(0.5, 0, 5), 1.0);
        assert_eq!(two_sample(1.0, 1, 1), 1.0);
        // All ten paths but the two along the edges: 2 / C(6, 3).
        assert!((two_sample(1.0, 3, 3) - 0.1).abs() < 1e-15);
        assert_eq!(one_sample(1.0, 50), 0.0);
        assert_eq!(one_sample(0.001, 50), 1.0);
    }
}
