//! What is to be inspected, and how it is read.

use crate::request::rows::Dialect;
use crate::storage::Location;

/// A path of anything that tallow reads or writes.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Inspection {
    /// A model, tables, a data set, a report or a profile
    pub path: Location,
    /// The registry of models that names are looked up in
    pub registry: Option<Location>,
    /// Trees of a model to count: `library`, `best`, `all` or a number
    pub trees: Option<String>,
    /// How delimited text is read
    pub text: Dialect,
}
