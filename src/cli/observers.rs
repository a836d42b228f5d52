//! Who is told of a run beside people: the metrics file and the lineage file, from before the plan
//! to after the end.
//!
//! Both are opened before the first row, so that a name that cannot be written is told while that
//! is cheap. Later, what cannot be written is a warning: the run's result stands. A run that a
//! second signal or SIGKILL ends at once is told of by neither.

use std::cell::RefCell;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value as Json;

use super::console::Console;
use super::run::Written;
use super::{Ending, Failure, scheduler};
use crate::error::{Error, Kind, Result, shell_word};
use crate::pipeline::Outcomes;
use crate::plan::Plan;
use crate::plan::target::Target;
use crate::process;
use crate::report::Fact;
use crate::report::lineage::{
    EventType, LineageDataset, RunLineage, Statistics, time_ordered_uuid,
};
use crate::report::metrics::{self, Labels, OPENING, PreviousMetrics, RunEnd};
use crate::request::output::{Output, Telemetry};
use crate::storage::{AppendFile, PendingFile, find, read, read_head};

/// The most that is read of an earlier run's metrics: far above what a run writes.
const METRICS_BYTES_LIMIT: u64 = 16 << 20;

/// What every event holds, to know a file of events from what is none.
const EVENT_MARK: &[u8] = b"\"eventT";

/// The files that a run tells of itself in, and what it has told so far.
pub(super) struct Observers<'a> {
    console: &'a Console,
    metrics: Option<Metrics>,
    lineage: Option<AppendFile>,
    job: Option<String>,
    invocation_id: String,
    start: Instant,
    seen: RefCell<Seen>,
}

struct Metrics {
    /// Replaced, not opened, while the run works: readers see the last run until this one is done.
    file: RefCell<Option<PendingFile>>,
    previous: Option<PreviousMetrics>,
}

/// What is known of the run.
struct Seen {
    /// The model's path until the model was opened.
    model: String,
    is_planned: bool,
    has_started: bool,
    started_at: String,
    lineage: RunLineage,
    facts: Vec<Fact>,
    warnings: Vec<Error>,
}

impl<'a> Observers<'a> {
    /// Opens the files that the arguments name; `outputs` are the run's other files, each with its
    /// flag, and `model` is the model's path, where that is known yet.
    ///
    /// # Errors
    /// A usage error for a name that another file of the run has; fails if a file cannot be made or
    /// is there and holds something else.
    pub(super) fn open(
        args: &Telemetry,
        outputs: &[(&'static str, &Path)],
        model: Option<&Path>,
        console: &'a Console,
    ) -> Result<Self> {
        let Telemetry {
            metrics_file,
            lineage_file,
            job_name,
        } = args;
        refuse_doubled(args, outputs)?;
        let model = model.and_then(Path::file_stem).map_or_else(
            || "unknown".into(),
            |stem| stem.to_string_lossy().into_owned(),
        );
        let milliseconds = u64::try_from(process::since_1970().as_millis()).unwrap_or(u64::MAX);
        let namespace = scheduler::lineage_namespace();
        let invocation_id = time_ordered_uuid(milliseconds, &process::unique_text());
        console.name_invocation(&invocation_id);
        let lineage = RunLineage {
            run_id: invocation_id.clone(),
            parent: scheduler::parent(&namespace),
            namespace,
            ..RunLineage::default()
        };
        let seen = Seen {
            model,
            is_planned: false,
            has_started: false,
            started_at: process::precise_now(),
            lineage,
            facts: Vec::new(),
            warnings: Vec::new(),
        };
        Ok(Self {
            console,
            metrics: metrics_file.as_deref().map(Metrics::open).transpose()?,
            lineage: lineage_file.as_deref().map(open_lineage).transpose()?,
            job: job_name.clone(),
            invocation_id,
            start: Instant::now(),
            seen: RefCell::new(seen),
        })
    }

    /// The name of this one attempt: a UUID, another one for every process. In lineage it is the
    /// run's identifier.
    pub(super) fn invocation_id(&self) -> &str {
        &self.invocation_id
    }

    /// Does the work and tells how it ended, also if it panics.
    pub(super) fn watch(
        &self,
        work: impl FnOnce() -> Result<Ending, Failure>,
    ) -> Result<Ending, Failure> {
        let mut result = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Error::internal("tallow panicked").into()));
        let error = result
            .as_ref()
            .err()
            .and_then(|failure| failure.error.as_ref());
        let mut seen = self.seen.borrow_mut();
        self.tell_lineage(&mut seen, error);
        if let Some(error) = self
            .metrics
            .as_ref()
            .and_then(|metrics| metrics.publish(self, &seen, &result).err())
        {
            seen.warn(error);
        }
        seen.warnings
            .iter()
            .for_each(|warning| self.console.warning(warning));
        let object = result
            .as_mut()
            .map_or_else(|failure| &mut failure.object, |ending| &mut ending.object);
        object.insert("invocation_id".into(), self.invocation_id.clone().into());
        if !seen.warnings.is_empty() {
            object.insert(
                "warnings".into(),
                seen.warnings
                    .iter()
                    .map(|warning| Json::from(whole_text(warning)))
                    .collect(),
            );
        }
        result
    }

    /// Notes a warning: it is shown at the run's end, and is in its JSON object.
    pub(super) fn warn(&self, warning: Error) {
        self.seen.borrow_mut().warn(warning);
    }

    /// Notes what will be done, and tells that it begins.
    pub(super) fn planned(&self, plan: &Plan, target: &Target) {
        let mut seen = self.seen.borrow_mut();
        seen.model.clone_from(&plan.model.name);
        seen.is_planned = true;
        let files = plan.job.dataset.files.iter();
        seen.lineage.inputs = files
            .map(|file| LineageDataset::new(absolute_path(&file.path), &file.table.schema()))
            .collect();
        seen.lineage.outputs = vec![LineageDataset::new(
            absolute_path(&target.path),
            &plan.job.output_schema,
        )];
        let model = plan
            .model
            .named()
            .into_iter()
            .filter(|(name, _)| ["name", "version", "digest"].contains(&name.as_str()));
        seen.lineage.tags = model
            .map(|(name, value)| (format!("model_{name}"), value))
            .collect();
        seen.lineage
            .tags
            .push(("tallow_run_id".into(), plan.run_id.clone()));
        self.tell_start(&mut seen);
    }

    /// Notes what was done, as far as the run came.
    pub(super) fn done(&self, plan: &Plan, outcomes: &Outcomes, facts: &[Fact], written: &Written) {
        let mut seen = self.seen.borrow_mut();
        seen.facts = facts.to_vec();
        let accounts = outcomes.ledger.files.iter().zip(&plan.job.dataset.files);
        for (dataset, (account, file)) in seen.lineage.inputs.iter_mut().zip(accounts) {
            dataset.statistics = Some(Statistics {
                rows: account.rows.rows_in,
                bytes: Some(file.table.identity().byte_count()),
            });
        }
        let total = outcomes.ledger.total();
        if written.output_bytes > 0 {
            let statistics = Statistics {
                rows: total.scored,
                bytes: Some(written.output_bytes),
            };
            seen.lineage
                .outputs
                .iter_mut()
                .for_each(|output| output.statistics = Some(statistics));
        }
        if let Some(path) = &written.rejected {
            let statistics = Some(Statistics {
                rows: total.rejected,
                bytes: None,
            });
            seen.lineage.outputs.push(LineageDataset {
                path: absolute_path(Path::new(path)),
                columns: Vec::new(),
                statistics,
            });
        }
    }

    fn job<'s>(&'s self, seen: &'s Seen) -> &'s str {
        self.job.as_deref().unwrap_or(&seen.model)
    }

    fn tell_start(&self, seen: &mut Seen) {
        seen.lineage.job = self.job(seen).to_owned();
        seen.has_started = true;
        self.tell_event(seen, EventType::Start, None);
    }

    fn tell_lineage(&self, seen: &mut Seen, error: Option<&Error>) {
        // A run that ended before it was planned has begun all the same.
        if !seen.has_started {
            self.tell_start(seen);
        }
        let event_type = match error.map(Error::kind) {
            None => EventType::Complete,
            Some(Kind::Signal(_)) => EventType::Abort,
            Some(_) => EventType::Fail,
        };
        let told = error.map(whole_text);
        self.tell_event(seen, event_type, told.as_deref());
    }

    fn tell_event(&self, seen: &mut Seen, event_type: EventType, error: Option<&str>) {
        let Some(file) = &self.lineage else { return };
        let now = process::precise_now();
        let time = if event_type == EventType::Start {
            &seen.started_at
        } else {
            &now
        };
        if let Err(error) =
            file.append_line(&seen.lineage.event(event_type, time, error).to_string())
        {
            seen.warn(error);
        }
    }
}

impl Seen {
    /// Notes what could not be written; once, if it is the same again.
    fn warn(&mut self, error: Error) {
        if self
            .warnings
            .iter()
            .all(|warning| whole_text(warning) != whole_text(&error))
        {
            self.warnings.push(error);
        }
    }
}

impl Metrics {
    fn open(path: &Path) -> Result<Self> {
        let mut previous = None;
        if find(path)?.is_some_and(|found| found.is_file) {
            let text = String::from_utf8_lossy(&read(path, METRICS_BYTES_LIMIT)?).into_owned();
            if !text.is_empty() && !text.starts_with(OPENING) {
                return Err(foreign("--metrics-file", path));
            }
            previous = PreviousMetrics::read(&text);
        }
        Ok(Self {
            file: RefCell::new(Some(PendingFile::create(path, true)?)),
            previous,
        })
    }

    /// Writes the file. Until the model was opened only its path is known, so the labels are those
    /// of the last run of the job, if there was one.
    fn publish(
        &self,
        observers: &Observers,
        seen: &Seen,
        result: &Result<Ending, Failure>,
    ) -> Result<()> {
        let Some(mut file) = self.file.take() else {
            return Ok(());
        };
        let finished_at = process::seconds_now() as f64;
        let own = Labels::new(observers.job(seen), &seen.model);
        let known = self.previous.as_ref().filter(|previous| {
            !seen.is_planned && observers.job.as_ref().is_none_or(|job| previous.is_of(job))
        });
        let last_success = self
            .previous
            .as_ref()
            .map_or(0.0, |previous| previous.last_success);
        let end = RunEnd {
            exit_code: result
                .as_ref()
                .map_or_else(|failure| failure.code, |ending| ending.code),
            had_nothing_to_do: result.as_ref().is_ok_and(|ending| ending.was_idle),
            finished_at,
            last_success: if result.is_ok() {
                finished_at
            } else {
                last_success
            },
            duration_seconds: observers.start.elapsed().as_secs_f64(),
            processor_seconds: process::processor_seconds(),
            peak_memory_bytes: process::peak_memory_bytes(),
        };
        let text = metrics::text(
            known.map_or(&own, |previous| &previous.labels),
            &end,
            &seen.facts,
        );
        let written = file.write_all(text.as_bytes());
        written.map_err(|error| {
            Error::failed("cannot write the file")
                .at_path(file.path())
                .because(error)
        })?;
        file.publish(true)
    }
}

fn open_lineage(path: &Path) -> Result<AppendFile> {
    let holds_events = || {
        Ok::<_, Error>(
            read_head(path)?
                .windows(EVENT_MARK.len())
                .any(|window| window == EVENT_MARK),
        )
    };
    if find(path)?.is_some_and(|found| found.is_file && found.byte_count > 0) && !holds_events()? {
        return Err(foreign("--lineage-file", path));
    }
    AppendFile::open(path)
}

fn foreign(flag: &str, path: &Path) -> Error {
    let error =
        Error::usage(format!("`{flag}` names a file that holds something else")).at_path(path);
    error.hint(format!(
        "choose another name; if the file is not needed: rm {}",
        shell_word(&path.to_string_lossy())
    ))
}

/// The files that the output's flags name, each with its flag.
pub(super) fn named_outputs(args: &Output) -> Vec<(&'static str, &Path)> {
    let beside = [("--report", &args.report), ("--rejected", &args.rejected)];
    let beside = beside
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, path.as_deref()?)));
    [("--output", args.output.as_path())]
        .into_iter()
        .chain(beside)
        .collect()
}

/// Each file of a run has a name of its own.
fn refuse_doubled(args: &Telemetry, outputs: &[(&'static str, &Path)]) -> Result<()> {
    let Telemetry {
        metrics_file,
        lineage_file,
        job_name: _,
    } = args;
    let mut taken: Vec<(&str, PathBuf)> = outputs
        .iter()
        .map(|(flag, path)| (*flag, absolute_path(path)))
        .collect();
    let named = [
        ("--metrics-file", metrics_file),
        ("--lineage-file", lineage_file),
    ];
    for (flag, path) in named
        .into_iter()
        .filter_map(|(flag, path)| Some((flag, absolute_path(path.as_ref()?))))
    {
        if let Some((other, path)) = taken.iter().find(|(_, taken)| *taken == path) {
            return Err(
                Error::usage(format!("`{other}` and `{flag}` have the same name"))
                    .at_path(path)
                    .hint("give each file a name of its own"),
            );
        }
        taken.push((flag, path));
    }
    Ok(())
}

/// The path from the root on, without `.` and a slash at its end; links and `..` stay as they are.
pub(super) fn absolute_path(path: &Path) -> PathBuf {
    std::path::absolute(path)
        .unwrap_or_else(|_| path.to_owned())
        .components()
        .collect()
}

/// Message, place and causes in one line.
fn whole_text(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}
