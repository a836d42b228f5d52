//! What a renderer of reports is.
//!
//! Owns what renderers get: facts, and what else is known of the report. Each has a file of its own
//! in this room. A renderer must not know where its text goes.

use arrow::array::RecordBatch;
use serde_json::{Map, Value as Json};

use super::facts::Fact;
use crate::error::Result;

/// A run's facts, to be rendered.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// What is known besides facts, by name: the run's id, the files that it wrote, how it ended.
    pub head: Map<String, Json>,
    /// What was measured.
    pub facts: &'a [Fact],
    /// How much of it is needed.
    pub detail: Detail,
    /// The lines that a terminal has besides a summary: warnings before it, and warnings and the
    /// error that follow.
    pub lines_around: usize,
}

/// How much of a report is shown; only text for a user leaves anything out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Of many columns the first.
    Summary,
    /// The same, and the time per stage.
    Verbose,
    /// All of it, with what the run is called.
    All,
}

impl Report<'_> {
    /// A text of the head.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.head.get(name)?.as_str()
    }
}

/// What a renderer makes of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Rendered {
    /// Text, each line ended by a line break.
    Text(String),
    /// Rows, for a file of any format of tables.
    Table(RecordBatch),
}

/// Makes text or a table of a report.
pub trait Renderer: Sync {
    /// Its name, which is that of its file.
    fn name(&self) -> &'static str;

    /// The whole of it.
    ///
    /// # Errors
    /// An internal error for facts without a form.
    fn render(&self, report: &Report<'_>) -> Result<Rendered>;
}
