//! What a verb finds that scores no rows: facts, and the gate that failed over them.
//!
//! Owns what every such report begins with. It must not know how facts are shown.

use crate::error::Error;
use crate::report::Fact;

/// Facts, and what gates say of them.
#[derive(Debug)]
pub struct Findings {
    /// Facts for the report.
    pub facts: Vec<Fact>,
    /// The gate that failed.
    pub failure: Option<Error>,
}

/// The facts that a report of a finished verb begins with.
#[must_use]
pub fn head(started_at: impl Into<String>) -> Vec<Fact> {
    vec![
        Fact::text("run", "", "status", "done"),
        Fact::text("run", "", "tool_version", env!("CARGO_PKG_VERSION")),
        Fact::text("run", "", "started_at", started_at),
    ]
}
