//! Tree ensembles: the neutral ensemble that importers build, its compiled layout, and the kernel that walks it.
//!
//! [`Ensemble`] says what the trees mean and is checked once; [`Forest`] is the same ensemble laid out for speed, one
//! instance for each precision. The comparison, the missing rule and the order of additions are data of the ensemble, so that a
//! score is the original library's, bit for bit. Nothing here knows formats, columns or links.

#![expect(clippy::inline_always, reason = "a part of the kernel that is not inlined is compiled without the instructions it was written for")]

mod bins;
mod choice;
mod compiled;
mod conditions;
pub mod ensemble;
mod kernel;
mod lanes;
#[cfg(target_arch = "x86_64")]
mod lanes_avx2;
#[cfg(target_arch = "x86_64")]
mod lanes_avx512;
mod lanes_portable;
#[cfg(target_arch = "x86_64")]
mod leaves_avx512;
mod program;
#[cfg(target_arch = "x86_64")]
mod ranks_avx512;
mod real;
mod sliced;
#[cfg(test)]
mod tests;
mod walk;

pub use ensemble::{Child, Condition, Ensemble, LinearLeaf, Missing, Node, Shape, Target, Test, Tree};
pub use kernel::{Forest, Kernel};
pub use lanes::Instructions;
