//! What happens in a run, for those who listen: the console, the metrics file, the lineage file.
//!
//! Owns the events and the audience that hears them. What a listener cannot write is a warning: the
//! run's result stands. A run that a second signal or SIGKILL ends at once is heard of by no one.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value as Json};

use super::Written;
use super::result::{Failure, RunResult};
use crate::error::{Error, Result};
use crate::panics::caught;
use crate::pipeline::Outcomes;
use crate::plan::Plan;
use crate::report::Fact;
use crate::report::run::RunContext;

/// How far the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The first row is about to be read.
    Begun {
        /// All rows, where that is known.
        row_count: Option<u64>,
        /// Rows that an earlier run has done.
        rows_before: u64,
    },
    /// So many more rows are done.
    Rows(u64),
    /// No more rows will be done.
    Ended,
}

/// What a run did, as far as it came.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// What was to be done.
    pub plan: &'a Plan,
    /// What the pipeline counted.
    pub outcomes: &'a Outcomes,
    /// What the report says.
    pub facts: &'a [Fact],
    /// How the run ended, when and where.
    pub context: &'a RunContext,
    /// What was written.
    pub written: &'a Written,
    /// The JSON object of the run.
    pub object: &'a Map<String, Json>,
    /// Whether all rows are in the output, which has its name.
    pub is_published: bool,
    /// The lines that follow: of the error that the run ends with, and of warnings.
    pub lines_after: usize,
}

/// Listens to a run. The errors of a listener are what it could not write.
pub trait Events: Sync {
    /// Something was found that the user should know, though all is well.
    fn noted(&self, _text: &str) {}

    /// There is a plan, and work on it begins.
    ///
    /// # Errors
    /// Fails if this cannot be passed on.
    fn planned(&self, _plan: &Plan) -> Result<()> {
        Ok(())
    }

    /// The run goes on or its result stands, but the user should look at this.
    fn warned(&self, _warning: &Error) {}

    /// All that was kept for the end: the same as [`Self::warned`] of each.
    fn warned_at_end(&self, warnings: &[Error]) {
        warnings.iter().for_each(|warning| self.warned(warning));
    }

    /// Rows were done.
    fn progressed(&self, _progress: Progress) {}

    /// What was done is known: all of it, or how far the run came.
    ///
    /// # Errors
    /// Fails if this cannot be passed on.
    fn delivered(&self, _account: &Account<'_>) -> Result<()> {
        Ok(())
    }

    /// The gates were judged again over what an earlier run found.
    fn judged(&self, _facts: &[Fact]) {}

    /// The run did what there was to do.
    ///
    /// # Errors
    /// Fails if this cannot be passed on.
    fn finished(&self, _ending: &RunResult) -> Result<()> {
        Ok(())
    }

    /// The run failed.
    ///
    /// # Errors
    /// Fails if this cannot be passed on.
    fn failed(&self, _failure: &Failure) -> Result<()> {
        Ok(())
    }
}

/// All who listen to a run, in the order in which they hear of it.
pub struct Audience<'a> {
    listeners: Vec<Box<dyn Events + 'a>>,
    /// Warnings that are shown at the end, and are in the run's JSON object.
    late: Mutex<Vec<Error>>,
}

impl<'a> Audience<'a> {
    /// These listeners.
    #[must_use]
    pub fn new(listeners: Vec<Box<dyn Events + 'a>>) -> Self {
        Self {
            listeners,
            late: Mutex::default(),
        }
    }

    /// Does the work of a run and says how it ended, also if it panics.
    ///
    /// # Errors
    /// As `work`.
    pub fn watch(
        &self,
        invocation_id: &str,
        work: impl FnOnce() -> Result<RunResult, Failure>,
    ) -> Result<RunResult, Failure> {
        let caught = caught("tallow panicked", || Ok(work()));
        let mut result = caught.unwrap_or_else(|error| Err(error.into()));
        self.each(|listener| match &result {
            Ok(ending) => listener.finished(ending),
            Err(failure) => listener.failed(failure),
        });
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        self.warned_at_end(&late);
        let object = result
            .as_mut()
            .map_or_else(|failure| &mut failure.object, |ending| &mut ending.object);
        object.insert("invocation_id".into(), invocation_id.into());
        if !late.is_empty() {
            let texts = late.iter().map(|warning| Json::from(warning.in_one_line()));
            object.insert("warnings".into(), texts.collect());
        }
        result
    }

    /// Keeps a warning for the end; once, if it is the same again.
    pub fn warn_at_end(&self, warning: Error) {
        let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let text = warning.in_one_line();
        if late.iter().all(|other| other.in_one_line() != text) {
            late.push(warning);
        }
    }

    /// Each listener hears of it; what one cannot pass on becomes a warning.
    fn each(&self, print_text: impl Fn(&dyn Events) -> Result<()>) {
        for listener in &self.listeners {
            if let Err(error) = print_text(&**listener) {
                self.warn_at_end(error);
            }
        }
    }
}

impl Events for Audience<'_> {
    fn noted(&self, text: &str) {
        self.listeners
            .iter()
            .for_each(|listener| listener.noted(text));
    }

    fn planned(&self, plan: &Plan) -> Result<()> {
        self.each(|listener| listener.planned(plan));
        Ok(())
    }

    fn warned(&self, warning: &Error) {
        self.listeners
            .iter()
            .for_each(|listener| listener.warned(warning));
    }

    fn progressed(&self, progress: Progress) {
        self.listeners
            .iter()
            .for_each(|listener| listener.progressed(progress));
    }

    fn warned_at_end(&self, warnings: &[Error]) {
        self.listeners
            .iter()
            .for_each(|listener| listener.warned_at_end(warnings));
    }

    fn delivered(&self, account: &Account<'_>) -> Result<()> {
        let late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        let late_lines: usize = late.iter().map(Error::line_count).sum();
        drop(late);
        let account = Account {
            lines_after: account.lines_after + late_lines,
            ..*account
        };
        self.each(|listener| listener.delivered(&account));
        Ok(())
    }

    fn judged(&self, facts: &[Fact]) {
        self.listeners
            .iter()
            .for_each(|listener| listener.judged(facts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cannot pass anything on, and remembers warnings.
    #[derive(Default)]
    struct Mute(Mutex<Vec<String>>);

    impl Events for &Mute {
        fn warned(&self, warning: &Error) {
            self.0.lock().unwrap().push(warning.to_string());
        }

        fn finished(&self, _ending: &RunResult) -> Result<()> {
            Err(Error::failed("cannot write the file"))
        }

        fn failed(&self, failure: &Failure) -> Result<()> {
            Err(Error::failed(format!(
                "cannot write that it failed: {}",
                failure.code
            )))
        }
    }

    fn ending() -> RunResult {
        RunResult {
            object: Map::new(),
            code: 0,
            was_idle: false,
        }
    }

    #[test]
    fn what_a_listener_cannot_pass_on_is_one_warning_and_the_result_stands() {
        let mute = Mute::default();
        let audience = Audience::new(vec![Box::new(&mute), Box::new(&mute)]);
        let ended = audience.watch("id", || Ok(ending())).unwrap();
        assert_eq!(ended.object["invocation_id"], "id");
        assert_eq!(ended.object["warnings"][0], "cannot write the file");
        assert_eq!(*mute.0.lock().unwrap(), ["cannot write the file"; 2]);
    }

    #[test]
    fn a_panic_is_a_failure_that_listeners_hear_of() {
        let mute = Mute::default();
        let audience = Audience::new(vec![Box::new(&mute)]);
        let failure = audience.watch("id", || panic!("boom")).unwrap_err();
        let error = failure.error.unwrap();
        assert_eq!(error.message(), "tallow panicked");
        assert!(error.in_one_line().contains(": boom"));
        assert_eq!(*mute.0.lock().unwrap(), ["cannot write that it failed: 1"]);
    }
}
