//! The lineage file: OpenLineage events of a run, one JSON object per line.
//!
//! A run appends START once it is planned, or at its end if it never was, then how it ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::caller::Caller;
use super::events::{Account, Events};
use super::result::{Failure, RunResult};
use super::telemetry::{absolute_path, foreign};
use crate::error::{Error, Kind, Result};
use crate::plan::Plan;
use crate::process;
use crate::report::Fact;
use crate::report::openlineage::{
    Event, EventType, LineageDataset, OpenLineage, RunLineage, Statistics,
};
use crate::report::renderer::{Detail, Report};
use crate::storage::{AppendFile, Location, find, read_head};

/// What tags say of the model, and of the registry that it comes from.
const TAGS: [&str; 6] = [
    "name",
    "version",
    "digest",
    "registry_model",
    "registry_version",
    "log_head",
];

/// What every event holds, to know a file of events from another one.
const EVENT_MARK: &[u8] = b"\"eventT";

/// The events of a run.
pub(super) struct LineageFile {
    file: AppendFile,
    job: Option<String>,
    started_at: String,
    state: Mutex<State>,
}

/// What is known of the run.
struct State {
    /// The model's file name until the model was opened.
    model: String,
    has_started: bool,
    lineage: RunLineage,
    facts: Vec<Fact>,
}

impl LineageFile {
    /// Opens the file at `path`, to append to it.
    ///
    /// # Errors
    /// A usage error if it holds something else; fails if it cannot be opened.
    pub(super) fn open(
        path: &Location,
        job: Option<&str>,
        model: &str,
        caller: &Caller,
    ) -> Result<Self> {
        let is_filled = find(path)?.is_some_and(|found| found.is_file && found.byte_count > 0);
        if is_filled
            && !read_head(path)?
                .windows(EVENT_MARK.len())
                .any(|window| window == EVENT_MARK)
        {
            return Err(foreign("--lineage-file", path));
        }
        let lineage = RunLineage {
            run_id: caller.invocation_id.clone(),
            parent: caller.parent.clone(),
            namespace: caller.namespace.clone(),
            ..RunLineage::default()
        };
        let state = State {
            model: model.to_owned(),
            has_started: false,
            lineage,
            facts: Vec::new(),
        };
        Ok(Self {
            file: AppendFile::open(path)?,
            job: job.map(str::to_owned),
            started_at: process::precise_now(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, state: &mut State) -> Result<()> {
        let job = self.job.as_ref().unwrap_or(&state.model);
        state.lineage.job.clone_from(job);
        state.has_started = true;
        self.append(state, EventType::Start, None)
    }

    fn end(&self, error: Option<&Error>) -> Result<()> {
        let mut state = self.state();
        // A run that ended before it was planned has begun all the same.
        let started = if state.has_started {
            Ok(())
        } else {
            self.start(&mut state)
        };
        let event_type = match error.map(Error::kind) {
            None => EventType::Complete,
            Some(Kind::Signal(_)) => EventType::Abort,
            Some(_) => EventType::Fail,
        };
        started.and(self.append(&state, event_type, error.map(Error::in_one_line)))
    }

    fn append(&self, state: &State, event_type: EventType, error: Option<String>) -> Result<()> {
        let time = if event_type == EventType::Start {
            self.started_at.clone()
        } else {
            process::precise_now()
        };
        let head = Event {
            event_type,
            time,
            error,
            lineage: state.lineage.clone(),
        };
        let report = Report {
            head: head.into_object()?,
            facts: &state.facts,
            detail: Detail::All,
            lines_around: 0,
        };
        self.file.append_line(OpenLineage.text(&report).trim_end())
    }
}

impl Events for LineageFile {
    fn planned(&self, plan: &Plan) -> Result<()> {
        let mut state = self.state();
        state.model.clone_from(&plan.model.name);
        let files = plan.job.dataset.files.iter();
        state.lineage.inputs = files
            .map(|file| LineageDataset::new(absolute_path(&file.path), &file.table.schema()))
            .collect();
        let output = plan.target.as_ref().map(|target| {
            LineageDataset::new(absolute_path(&target.path), &plan.job.output_schema)
        });
        state.lineage.outputs = output.into_iter().collect();
        let model = plan
            .model
            .named()
            .into_iter()
            .filter(|(name, _)| TAGS.contains(&name.as_str()));
        state.lineage.tags = model
            .map(|(name, value)| {
                let tag = match name.as_str() {
                    "log_head" => "registry_log_head".to_owned(),
                    own if own.starts_with("registry_") => name,
                    own => format!("model_{own}"),
                };
                (tag, value)
            })
            .chain([("tallow_run_id".to_owned(), plan.run_id.clone())])
            .collect();
        self.start(&mut state)
    }

    fn delivered(&self, account: &Account<'_>) -> Result<()> {
        let mut state = self.state();
        let (plan, outcomes, written) = (account.plan, account.outcomes, account.written);
        let accounts = outcomes.ledger.files.iter().zip(&plan.job.dataset.files);
        for (dataset, (account, file)) in state.lineage.inputs.iter_mut().zip(accounts) {
            dataset.statistics = Some(Statistics {
                rows: account.rows.rows_in,
                bytes: Some(file.table.identity().byte_count()),
            });
        }
        let total = outcomes.ledger.total();
        state.facts = account.facts.to_vec();
        if written.output_bytes > 0 {
            let statistics = Statistics {
                rows: total.scored,
                bytes: Some(written.output_bytes),
            };
            state
                .lineage
                .outputs
                .iter_mut()
                .for_each(|output| output.statistics = Some(statistics));
        }
        if let Some(path) = &written.rejected {
            let statistics = Some(Statistics {
                rows: total.rejected,
                bytes: None,
            });
            state.lineage.outputs.push(LineageDataset {
                path: absolute_path(&Location::from(path)),
                columns: Vec::new(),
                statistics,
            });
        }
        Ok(())
    }

    fn finished(&self, _ending: &RunResult) -> Result<()> {
        self.end(None)
    }

    fn failed(&self, failure: &Failure) -> Result<()> {
        self.end(failure.error.as_ref())
    }
}
