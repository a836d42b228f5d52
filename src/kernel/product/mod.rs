//! Rows times a matrix that never changes: the matrix packed once, bias and rectifier added in the
//! same pass.
//!
//! Every sum has one running total that goes through the inner dimension from first to last, so
//! that a row's bits depend neither on the rows alongside it nor on how rows are grouped; AVX-512
//! and AVX2 give the same bits, because both multiply and add in one rounding. Knows nothing of
//! layers, graphs or columns: [`crate::network`], [`crate::graph`] and [`crate::text::transformer`]
//! call it.
//!
//! [`Dense`] multiplies numbers of single precision, [`IntegerDense`] bytes, [`SplitDense`] single
//! precision in two parts on tiles of AMX; what is done to a result on its way to memory is a
//! [`Finish`].
//!
//! # Shape of the kernels
//!
//! A panel of 32 columns (the last one of 16, if that is enough) is multiplied with tiles of up to
//! 14 rows: 28 running vectors of AVX-512, the row's numbers broadcast from where they lie. Panels
//! go outside, tiles inside, so that a panel stays in the first two caches; callers pass blocks
//! of about a hundred rows, so that what lies between two layers stays in the second-level cache
//! too. Tiles of a block are of nearly equal height, so that none is left with one row. AVX2 works
//! on half panels with tiles of 6 rows, the portable form with 4.
//!
//! Measured on one core in November 2026 (Sapphire Rapids, shared machine), 112 rows of 512 to 512:
//! 14 × 32 gives 171–185 GFLOP/s, 8 × 48 gives 165–200, 6 × 64 gives 157–190, 14 × 16 gives
//! 124–134; the `gemm` crate's kernel on the same matrices, packing included, about 60.

/// The kernel `run` of a tile with so many rows, at most 14, and one or two lines.
#[cfg(target_arch = "x86_64")]
macro_rules! of_shape {
    ($run:ident, $row_count:expr, $width:expr) => {
        of_shape!($run, $row_count, $width, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    };
    ($run:ident, $row_count:expr, $width:expr, $($rows:literal)*) => {
        match ($row_count, $width) {
            $(($rows, 1) => $run::<$rows, 1>, ($rows, _) => $run::<$rows, 2>,)*
            _ => unreachable!("tiles are at most 14 rows high"),
        }
    };
}

mod activation;
#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod dense;
mod dispatch;
mod finish;
mod integer;
#[cfg(target_arch = "x86_64")]
mod integer_amx;
#[cfg(target_arch = "x86_64")]
mod integer_avx2;
#[cfg(target_arch = "x86_64")]
mod integer_avx512;
mod integer_portable;
#[cfg(test)]
mod integer_tests;
mod integer_tile;
pub(crate) mod lanes;
#[cfg(target_arch = "x86_64")]
mod lanes_avx2;
#[cfg(target_arch = "x86_64")]
mod lanes_avx512;
mod lanes_portable;
mod line;
mod portable;
mod quantised;
#[cfg(target_arch = "x86_64")]
mod split;
#[cfg(target_arch = "x86_64")]
mod split_amx;
#[cfg(target_arch = "x86_64")]
#[cfg(test)]
mod split_tests;
#[cfg(test)]
mod tests;
mod tile;

pub use self::activation::Activation;
pub(crate) use self::activation::{erf, exp};
pub use self::dense::Dense;
pub(crate) use self::dense::Panel;
pub use self::finish::Finish;
pub use self::integer::IntegerDense;
pub use self::line::Rows;
pub(crate) use self::line::{LINE, Line};
pub use self::quantised::QuantisedRows;
#[cfg(target_arch = "x86_64")]
pub use self::split::{SplitDense, SplitRows};
