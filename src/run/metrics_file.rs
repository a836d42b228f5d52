//! The metrics file: Prometheus gauges of a run, for the textfile collector.
//!
//! It is replaced at the end of the run, so that readers see the last run until this one is done.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::events::{Account, Events};
use super::result::{Failure, RunResult};
use super::telemetry::foreign;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::process;
use crate::report::Fact;
use crate::report::prometheus::{Head, Labels, OPENING, PreviousMetrics, Prometheus, RunEnd};
use crate::report::renderer::{Detail, Report};
use crate::storage::{Location, PendingFile, find, read};

/// The most that is read of an earlier run's metrics: far above what a run writes.
const METRICS_BYTES_LIMIT: u64 = 16 << 20;

/// The gauges of a run.
pub(super) struct MetricsFile {
    previous: Option<PreviousMetrics>,
    job: Option<String>,
    start: Instant,
    state: Mutex<State>,
}

/// What is known of the run.
struct State {
    file: Option<PendingFile>,
    /// The model's file name until the model was opened.
    model: String,
    is_planned: bool,
    facts: Vec<Fact>,
}

/// How the run ended.
struct End {
    code: u8,
    was_idle: bool,
    is_success: bool,
}

impl MetricsFile {
    /// Begins the file that will be at `path`.
    ///
    /// # Errors
    /// A usage error if the file there is not one of metrics; fails if it cannot be made.
    pub(super) fn open(path: &Location, job: Option<&str>, model: &str) -> Result<Self> {
        let mut previous = None;
        if find(path)?.is_some_and(|found| found.is_file) {
            let text = String::from_utf8_lossy(&read(path, METRICS_BYTES_LIMIT)?).into_owned();
            if !text.is_empty() && !text.starts_with(OPENING) {
                return Err(foreign("--metrics-file", path));
            }
            previous = PreviousMetrics::read(&text);
        }
        let state = State {
            file: Some(PendingFile::create(path, true)?),
            model: model.to_owned(),
            is_planned: false,
            facts: Vec::new(),
        };
        Ok(Self {
            previous,
            job: job.map(str::to_owned),
            start: Instant::now(),
            state: Mutex::new(state),
        })
    }

    /// Writes the file. Until the model was opened only its path is known, so the labels are those
    /// of the last run of the job, if there was one.
    fn publish(&self, end: &End) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut file) = state.file.take() else {
            return Ok(());
        };
        let finished_at = process::seconds_now() as f64;
        let own = Labels::new(self.job.as_deref().unwrap_or(&state.model), &state.model);
        let known = self.previous.as_ref().filter(|previous| {
            !state.is_planned && self.job.as_ref().is_none_or(|job| previous.is_of(job))
        });
        let last_success = self
            .previous
            .as_ref()
            .map_or(0.0, |previous| previous.last_success);
        let run_end = RunEnd {
            exit_code: end.code,
            had_nothing_to_do: end.was_idle,
            finished_at,
            last_success: if end.is_success {
                finished_at
            } else {
                last_success
            },
            duration_seconds: self.start.elapsed().as_secs_f64(),
            processor_seconds: process::processor_seconds(),
            peak_memory_bytes: process::peak_memory_bytes(),
        };
        let head = Head {
            labels: known.map_or(own, |previous| previous.labels.clone()),
            end: run_end,
        };
        let text = Prometheus.text(&Report {
            head: head.into_object()?,
            facts: &state.facts,
            detail: Detail::All,
            lines_around: 0,
        });
        let written = file.write_all(text.as_bytes());
        written.map_err(|error| {
            Error::failed("cannot write the file")
                .at_path(file.path())
                .because(error)
        })?;
        file.publish(true)
    }
}

impl Events for MetricsFile {
    fn planned(&self, plan: &Plan) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.model.clone_from(&plan.model.name);
        state.is_planned = true;
        Ok(())
    }

    fn delivered(&self, account: &Account<'_>) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.facts = account.facts.to_vec();
        Ok(())
    }

    fn judged(&self, facts: &[Fact]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.facts = facts.to_vec();
    }

    fn finished(&self, ending: &RunResult) -> Result<()> {
        self.publish(&End {
            code: ending.code,
            was_idle: ending.was_idle,
            is_success: true,
        })
    }

    fn failed(&self, failure: &Failure) -> Result<()> {
        self.publish(&End {
            code: failure.code,
            was_idle: false,
            is_success: false,
        })
    }
}
