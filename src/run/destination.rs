//! Where the results of a run go, for its whole life.
//!
//! Owns the order of the steps: begin, rows, finish, seal, publish; or begin, some rows, withhold.
//! What each step does is the file's and the data set's.

use super::Written;
use super::challengers::Challengers;
use crate::error::{Error, Result};
use crate::pipeline::{Input, Outcomes, Receiver};
use crate::report::Fact;

/// What is left to do in a destination.
#[derive(Debug)]
pub(super) struct Begun {
    /// The rows to be scored.
    pub(super) input: Input,
    /// What earlier runs did of the same work.
    pub(super) outcomes: Outcomes,
}

/// Takes the results of a run, from its first step to its last.
pub(super) trait Destination: Receiver {
    /// Opens what the rows go to, and what those of challengers go to. None if the output is there
    /// already.
    ///
    /// # Errors
    /// Fails if another output is there, or if nothing can be written.
    fn begin(&mut self, challengers: &mut Challengers<'_>) -> Result<Option<Begun>>;

    /// Whether rows of an output that is there are corrected, and the others stay.
    fn corrects(&self) -> bool {
        false
    }

    /// Ends the tables, which are all there; they still wait for their names.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    fn finish(&mut self) -> Result<Written>;

    /// Makes all ready that publication needs. After this the run cannot be stopped any more.
    ///
    /// # Errors
    /// Fails if an input was changed meanwhile; [`crate::error::Kind::Signal`] if the run is to
    /// stop.
    fn seal(&mut self, facts: &[Fact]) -> Result<()>;

    /// Gives the results their names; returns the report's.
    ///
    /// # Errors
    /// Fails if a name cannot be given.
    fn publish(&mut self, outcomes: &Outcomes, facts: &[Fact]) -> Result<Option<String>>;

    /// Ends without an output because of `error`; returns the name of the rejected rows, if they
    /// can be looked at. What a gate withholds is kept for the next run where that can find it.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    fn withhold(&mut self, error: &Error, outcomes: &Outcomes) -> Result<Option<String>>;
}
