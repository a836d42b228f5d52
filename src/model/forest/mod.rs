//! Tree ensembles: the neutral ensemble that importers build, its compiled layout, and the kernel that walks it.
//!
//! [`Ensemble`] says what the trees mean and is checked once; [`Forest`] is the same ensemble laid out for speed, one
//! instance for each precision. The comparison, the missing rule and the order of additions are data of the ensemble, so that a
//! score is the original library's, bit for bit. Nothing here knows formats, columns or links.

mod compiled;
pub mod ensemble;
mod walk;

pub use compiled::Forest;
pub use ensemble::{Child, Condition, Ensemble, LinearLeaf, Missing, Node, Shape, Target, Test, Tree};
