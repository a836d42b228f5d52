//! Tree ensembles: the neutral ensemble, its two compiled forms, and the kernels that run them.
//!
//! [`Ensemble`] says what the trees mean and is checked once; [`Forest`] is the same ensemble laid
//! out for speed, one instance for each precision. The comparison, the missing rule and the order
//! of additions are data of the ensemble, so that a score is the original library's, bit for bit,
//! whichever kernel ran. Nothing here knows formats, columns or links.
//!
//! # The kernels
//!
//! The **bit-sliced** kernel ([`sliced`]) turns the problem by 90 degrees. For a slice of 512 rows,
//! every value becomes its rank among the model's own cuts of its column ([`bins`]), every distinct
//! condition of the ensemble ([`collector`]) one mask of 512 bits ([`conditions`]), every tree bit
//! logic on masks ([`program`]), every row's leaf a byte, every byte a leaf value. What depends on
//! the processor is behind [`lanes::Lanes`]: AVX-512, AVX2 and portable twins, chosen at run time.
//! The **walking** kernel ([`compiled`], [`walk`]) follows each row through the nodes; it does what
//! the other cannot (linear leaves, sets of more than 16 384 categories, symmetric trees of more
//! than 16 conditions) and what it does dearly (huge trees). Where the rows of a slice are few,
//! each walks alone through what is laid out for slicing ([`small_batch`], [`leaf_lookup`]).
//! [`cost_model`] estimates what is cheaper, [`layout`] lays each tree out for it and gives the
//! tree up.
//!
//! # What was tried, and what it gave
//!
//! Nanoseconds for a row and a tree on one core, rows in memory, best of many runs on a shared
//! machine in November 2026 (2.8 GHz Ice Lake); the libraries with one thread, in turn with us.
//! XGBoost: 500 trees of depth 8, 28 columns with missing values. LightGBM: 500 trees of 255
//! leaves, one categorical column.
//!
//! | | XGBoost model | LightGBM model |
//! |---|---|---|
//! | the library itself | 22–27 | 98–172 |
//! | walking | 19.5 | 61–68 |
//! | bit-sliced, portable | 5.6 | 9.0 |
//! | bit-sliced, AVX2 | 2.2 | 4.1 |
//! | bit-sliced, AVX-512, first version: gathers, masks built in vectors, checked indices | 2.8 | 4.6 |
//! | … masks stored from mask registers, leaf tables and search trees in registers | 1.4 | |
//! | … indices that need no check: an array of 2^16 masks, of which only the used are touched | 0.85 | 2.7 |
//! | … **all conditions in one group** (19 000 masks; two groups before) | **0.85** | **2.3** |
//! | … the masks of the next nodes fetched ahead (12, 24, 48 nodes): dropped | | 2.3 |
//! | … groups of at most 8 000, 4 000, 2 000 conditions, to stay far inside the cache: dropped | 1.6, 2.3, 4.1 | 5.3, 6.7, 9.4 |
//!
//! With AVX2 a mask is two registers. Both halves in one pass over a tree's nodes, and masks that
//! are fetched 16 nodes ahead, take 6 to 9 % off a run of a forest of 200 trees whose masks do not
//! fit the second-level cache (EPYC, 512 KiB); trees that are chosen stay as they were.
//!
//! Large trees of classifiers have few distinct leaf values, which a byte numbers ([`distinct`]):
//! a forest of 200 trees of 450 leaves in double precision takes 8.2 instead of 10.7 ns, in single
//! precision 8.3 instead of 9.7; of 1 700 leaves 31 instead of 40.
//!
//! Of the AVX-512 time on the XGBoost model conditions take 17 %, ranks 10 %, the trees 48 %,
//! transposition 2 %, leaves 18 %; on the LightGBM model the trees take 59 %, most of it waiting
//! for masks from the second-level cache. With two threads a LightGBM model of 14 MB is read and
//! laid out in 28 to 31 ms, a forest of 200 trees and 320 000 nodes in ONNX (15 MB) in 35 to 40, 19
//! of them for laying it out.

#![expect(
    clippy::inline_always,
    reason = "a part of the kernel that is not inlined is compiled without the instructions it \
              was written for"
)]

mod bins;
mod collector;
mod compiled;
mod conditions;
mod cost_model;
pub mod ctr;
mod cut;
mod distinct;
mod engine;
pub mod ensemble;
mod kernel;
mod lane_number;
mod lanes;
#[cfg(target_arch = "x86_64")]
mod lanes_avx2;
#[cfg(target_arch = "x86_64")]
mod lanes_avx512;
mod lanes_portable;
mod layout;
mod leaf_lookup;
#[cfg(target_arch = "x86_64")]
mod leaves_avx512;
mod numbering;
mod processor;
mod program;
#[cfg(target_arch = "x86_64")]
mod ranks_avx512;
mod record;
mod slice;
mod sliced;
mod small_batch;
#[cfg(test)]
mod small_batch_tests;
mod steps;
#[cfg(test)]
mod tests;
pub mod virtual_ensembles;
mod walk;

pub use cost_model::Kernel;
pub use ensemble::{
    Child, Condition, Ensemble, Frame, LinearLeaf, Missing, Node, Shape, Target, Test, Tree,
};
pub use kernel::Forest;
pub(crate) use kernel::ForestWorkspace;
