//! Why bytes are not the record that they should be.
//!
//! It must not know records.

use std::fmt;

/// Why a record cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It goes on behind the end of the bytes.
    CutOff,
    /// What is wrong with it.
    Wrong(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("it ends in the middle of a field"),
            Self::Wrong(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Refusal {}

pub(super) fn wrong<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Wrong(text.into()))
}
