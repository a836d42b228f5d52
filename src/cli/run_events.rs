//! A run on the console: its notes, warnings, progress and summary, as text.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::HumanCount;
use serde_json::{Map, Value as Json, json};

use super::console::Console;
use super::json_log::JsonLog;
use super::progress;
use crate::contract::binding::BoundInput;
use crate::count::counted;
use crate::error::{Error, Result};
use crate::escape;
use crate::plan::Plan;
use crate::report::renderer::{Detail, Report};
use crate::report::text::Text;
use crate::report::watch_lines::is_withheld;
use crate::run::events::{Account, Events, Progress};
use crate::run::result::Failure;

/// A console that listens to a run.
#[derive(Debug)]
pub(super) struct ConsoleEvents<'a> {
    console: &'a Console,
    /// While rows are read.
    progress: Mutex<Option<progress::Progress>>,
    /// The lines that a reader has seen, or will: warnings, the summary, the error at the end.
    lines: AtomicUsize,
}

/// The most lines of a run: warnings, summary and error.
const LINES: usize = 10;

/// The most of them before the summary, so that it, its error and a line of warnings have room.
const LINES_BEFORE: usize = 4;

/// The heading above the columns that feed the model.
pub(super) const BINDING: &str = "features of the model, and the columns that feed them";

/// Who hears of a run at the terminal: text or a log of JSON.
pub(super) fn listener(console: &Console) -> Box<dyn Events + '_> {
    if console.has_json_log() {
        Box::new(JsonLog::new(console))
    } else {
        Box::new(ConsoleEvents::new(console))
    }
}

/// An input and its column, as JSON.
pub(super) fn bound_object(bound: &BoundInput) -> Json {
    json!({"input": bound.input.name, "column": bound.column, "type": bound.data_type.to_string()})
}

/// Warns of what the summary would show, where that is hidden.
pub(super) fn warn_of_losses(console: &Console, account: &Account<'_>) {
    if !console.shows_only_warnings() {
        return;
    }
    let total = account.outcomes.ledger.total();
    for file in &account.plan.bad_files {
        let warning = Error::failed(format!("a file was dropped: {}", file.reason));
        console.warning(&warning.at_path(&file.path));
    }
    if total.rejected == 0 {
        return;
    }
    let message = format!(
        "{} of {} were rejected",
        HumanCount(total.rejected),
        counted(total.rows_in, "row")
    );
    let warning = Error::failed(message).at_path(&account.context.output);
    let hint = account
        .written
        .rejected
        .as_ref()
        .map(|path| format!("each with its reason, they are in `{path}`"));
    console.warning(&hint.into_iter().fold(warning, Error::hint));
}

/// The first line of a run's summary.
pub(super) fn headline(account: &Account<'_>) -> String {
    let text = summary(account, Detail::Summary, 0);
    text.lines().next().unwrap_or_default().to_owned()
}

fn summary(account: &Account<'_>, detail: Detail, lines_before: usize) -> String {
    let files = [
        ("report", &account.written.report),
        ("rejected", &account.written.rejected),
    ];
    Text.text(&Report {
        head: Map::from_iter(files.map(|(name, path)| (name.to_owned(), json!(path)))),
        facts: account.facts,
        detail,
        lines_around: lines_before + account.lines_after,
    })
}

impl<'a> ConsoleEvents<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        Self {
            console,
            progress: Mutex::default(),
            lines: AtomicUsize::new(0),
        }
    }

    fn count(&self, lines: usize) -> usize {
        self.lines.fetch_add(lines, Ordering::Relaxed) + lines
    }

    /// Warnings in at most so many lines, without those that were shown before.
    fn warn_within(&self, warnings: &[Error], max: usize) {
        let room = max.saturating_sub(self.count(0));
        self.count(self.console.warnings(warnings, room));
    }

    fn summarise(&self, account: &Account<'_>) {
        let text = summary(account, self.console.detail(), self.count(0));
        self.count(text.lines().count());
        self.console.summary(&text);
    }
}

impl Events for ConsoleEvents<'_> {
    fn noted(&self, text: &str) {
        self.console.print_text(text);
        self.count(1);
    }

    fn planned(&self, plan: &Plan) -> Result<()> {
        self.console.name_run(&plan.run_id);
        self.warn_within(&plan.warnings, LINES_BEFORE);
        if self.console.is_verbose() && !self.console.is_quiet() {
            let text = plan
                .job
                .arms
                .inputs()
                .fold(format!("{BINDING}\n"), |text, bound| {
                    format!("{text}  {}\n", escape::line(&bound.to_string()))
                });
            self.console.lines(&text);
        }
        Ok(())
    }

    fn warned(&self, warning: &Error) {
        self.console.warning(warning);
        self.count(warning.line_count());
    }

    fn warned_at_end(&self, warnings: &[Error]) {
        self.warn_within(warnings, LINES);
    }

    fn progressed(&self, progress: Progress) {
        let mut shown = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Begun {
                row_count,
                rows_before,
            } => shown
                .insert(progress::Progress::new(self.console, row_count))
                .advance(self.console, rows_before),
            Progress::Rows(rows) => shown
                .iter()
                .for_each(|shown| shown.advance(self.console, rows)),
            Progress::Ended => shown.take().iter().for_each(progress::Progress::finish),
        }
    }

    fn delivered(&self, account: &Account<'_>) -> Result<()> {
        if !account.is_published && is_withheld(account.facts) {
            self.summarise(account);
            return Ok(());
        }
        if !account.is_published {
            return Ok(());
        }
        if !self.console.is_quiet() {
            self.summarise(account);
        }
        warn_of_losses(self.console, account);
        Ok(())
    }

    fn failed(&self, failure: &Failure) -> Result<()> {
        self.count(failure.error.as_ref().map_or(0, Error::line_count));
        Ok(())
    }
}
