//! Functions of one number that follow a product, on vectors of 16.
//!
//! Against the functions in double precision GELU errs by at most 1.5e-6, SiLU and the GELU by tanh
//! by 2e-7 of the argument's size. NaN stays NaN.

#![expect(
    clippy::inline_always,
    reason = "a part that is not inlined is compiled without the instructions it was written for"
)]

use super::lanes::{Lanes, ROUNDER, Task};
use super::line::LINE;
use crate::kernel::processor::Instructions;

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// x · Φ(x), Φ being the normal distribution's.
    Gelu,
    /// The same by the hyperbolic tangent (Hendrycks and Gimpel, 2016).
    GeluTanh,
    /// The same by the logistic function: x / (1 + exp(−1.702 x)).
    GeluLogistic,
    /// x where it is positive, else 0.
    Relu,
    /// x / (1 + exp(−x)).
    Silu,
    /// The hyperbolic tangent.
    Tanh,
}

impl Activation {
    /// Applies it to the first `width` numbers of every row; row r begins at `r * stride`.
    pub(super) fn apply(
        self,
        instructions: Instructions,
        rows: &mut [f32],
        [stride, width]: [usize; 2],
    ) {
        match self {
            Self::Gelu => instructions.run(Each {
                rows,
                stride,
                width,
                curve: Gelu,
            }),
            Self::GeluTanh => instructions.run(Each {
                rows,
                stride,
                width,
                curve: GeluTanh,
            }),
            Self::GeluLogistic => instructions.run(Each {
                rows,
                stride,
                width,
                curve: Logistic(1.702),
            }),
            Self::Relu => instructions.run(Each {
                rows,
                stride,
                width,
                curve: Relu,
            }),
            Self::Tanh => instructions.run(Each {
                rows,
                stride,
                width,
                curve: Tanh,
            }),
            Self::Silu => instructions.run(Each {
                rows,
                stride,
                width,
                curve: Logistic(1.0),
            }),
        }
    }
}

/// A function on vectors.
trait Curve: Copy {
    fn at<L: Lanes>(self, lanes: L, x: L::Vector) -> L::Vector;
}

/// A function for every number of rows.
struct Each<'a, C> {
    rows: &'a mut [f32],
    stride: usize,
    width: usize,
    curve: C,
}

impl<C: Curve> Task for Each<'_, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for row in self.rows.chunks_mut(self.stride.max(1)) {
            let (lines, rest) = row[..self.width].as_chunks_mut::<LINE>();
            for line in lines {
                lanes.store(self.curve.at(lanes, lanes.load(line)), line);
            }
            if !rest.is_empty() {
                lanes.store_some(self.curve.at(lanes, lanes.load_some(rest, 0.0)), rest);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct Relu;
#[derive(Clone, Copy)]
struct Tanh;
/// x / (1 + exp(−c · x)).
#[derive(Clone, Copy)]
struct Logistic(f32);

impl Curve for Gelu {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, x: L::Vector) -> L::Vector {
        let half = lanes.multiply(lanes.splat(0.5), x);
        let erf = erf(
            lanes,
            lanes.multiply(x, lanes.splat(std::f32::consts::FRAC_1_SQRT_2)),
        );
        lanes.fused(half, erf, half)
    }
}

impl Curve for GeluTanh {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, x: L::Vector) -> L::Vector {
        // (1 + tanh(u)) / 2 = 1 / (1 + exp(−2 u)), u = √(2 / π) · (x + 0.044715 x³).
        const LINEAR: f32 = -1.595_769_2;
        const CUBIC: f32 = -0.071_354_814;
        let square = lanes.multiply(x, x);
        let exponent = lanes.multiply(
            x,
            lanes.fused(square, lanes.splat(CUBIC), lanes.splat(LINEAR)),
        );
        lanes.divide(x, lanes.add(lanes.splat(1.0), exp(lanes, exponent)))
    }
}

impl Curve for Logistic {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, x: L::Vector) -> L::Vector {
        let exponent = lanes.multiply(x, lanes.splat(-self.0));
        lanes.divide(x, lanes.add(lanes.splat(1.0), exp(lanes, exponent)))
    }
}

impl Curve for Relu {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, x: L::Vector) -> L::Vector {
        // Of a number and NaN it gives the second.
        lanes.greater(lanes.splat(0.0), x)
    }
}

impl Curve for Tanh {
    #[inline(always)]
    fn at<L: Lanes>(self, lanes: L, x: L::Vector) -> L::Vector {
        // 1 − 2 / (exp(2 x) + 1).
        let exponential = exp(lanes, lanes.add(x, x));
        lanes.subtract(
            lanes.splat(1.0),
            lanes.divide(lanes.splat(2.0), lanes.add(exponential, lanes.splat(1.0))),
        )
    }
}

/// exp(x) by 2ⁿ · p(r) with x = n · ln 2 + r; the polynomial is that of Cephes' `expf`. Above 88.4
/// it is infinite, below −87 it stays there.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    // What is above 0 of the first part has few digits, so that its product with n is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const POLYNOMIAL: [f32; 5] = [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        0.166_666_65,
        0.5,
    ];
    let x = lanes.greater(lanes.splat(-87.0), lanes.lesser(lanes.splat(89.0), x));
    let shifted = lanes.fused(
        x,
        lanes.splat(std::f32::consts::LOG2_E),
        lanes.splat(ROUNDER),
    );
    let n = lanes.subtract(shifted, lanes.splat(ROUNDER));
    let r = lanes.fused(n, lanes.splat(-LN_2_HIGH), x);
    let r = lanes.fused(n, lanes.splat(-LN_2_LOW), r);
    let mut p = lanes.splat(1.987_569_2e-4);
    for coefficient in POLYNOMIAL {
        p = lanes.fused(p, r, lanes.splat(coefficient));
    }
    let p = lanes.fused(lanes.multiply(p, r), r, lanes.add(r, lanes.splat(1.0)));
    lanes.multiply(p, lanes.power_of_two(shifted))
}

/// The error function as a rational function of its argument (coefficients of Eigen's
/// `generic_fast_erf_float`). Beyond ±3.8325, where single precision shows it from ±1 no more, it
/// is ±1 exactly: GELU of a large negative number must be nothing, not a small part of it.
#[inline(always)]
pub(crate) fn erf<L: Lanes>(lanes: L, x: L::Vector) -> L::Vector {
    const END: f32 = 3.832_507;
    /// Lifts what rounding leaves below 1 at the end above it.
    const LIFT: f32 = 1.0 + f32::EPSILON;
    const ABOVE: [f32; 6] = [
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906_3e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const BELOW: [f32; 4] = [
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329e-3,
        -1.426_473_9e-2,
    ];
    let x = hold(lanes, x, END);
    let square = lanes.multiply(x, x);
    let mut above = lanes.splat(-2.726_142_3e-10);
    for coefficient in ABOVE {
        above = lanes.fused(above, square, lanes.splat(coefficient));
    }
    let mut below = lanes.splat(-1.456_607_2e-5);
    for coefficient in BELOW {
        below = lanes.fused(below, square, lanes.splat(coefficient));
    }
    let lifted = lanes.multiply(x, lanes.splat(LIFT));
    hold(
        lanes,
        lanes.divide(lanes.multiply(lifted, above), below),
        1.0,
    )
}

/// A number held within ±`most`; NaN stays.
#[inline(always)]
fn hold<L: Lanes>(lanes: L, x: L::Vector, most: f32) -> L::Vector {
    // Of a number and NaN both give the second.
    lanes.greater(lanes.splat(-most), lanes.lesser(lanes.splat(most), x))
}
