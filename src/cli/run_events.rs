//! A run on the console: its notes, warnings, progress and summary.

use std::sync::{Mutex, PoisonError};

use indicatif::HumanCount;
use serde_json::{Map, json};

use super::console::{self, Console};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::report::renderer::{Detail, Renderer, Report};
use crate::report::text::Text;
use crate::run::events::{Account, Events, Progress};

/// A console that listens to a run.
#[derive(Debug)]
pub(super) struct ConsoleEvents<'a> {
    console: &'a Console,
    /// While rows are read.
    progress: Mutex<Option<console::Progress<'a>>>,
}

impl<'a> ConsoleEvents<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        Self {
            console,
            progress: Mutex::default(),
        }
    }

    /// Warns of what the summary would show, where that is hidden.
    fn warn_of_losses(&self, account: &Account<'_>) {
        let total = account.outcomes.ledger.total();
        for file in &account.plan.bad_files {
            let warning = Error::failed(format!("a file was dropped: {}", file.reason));
            self.console.warning(&warning.at_path(&file.path));
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
        self.console
            .warning(&hint.into_iter().fold(warning, Error::hint));
    }
}

impl Events for ConsoleEvents<'_> {
    fn noted(&self, text: &str) {
        self.console.print_text(text);
    }

    fn planned(&self, plan: &Plan) -> Result<()> {
        self.console.name_run(&plan.run_id);
        plan.warnings
            .iter()
            .for_each(|warning| self.console.warning(warning));
        self.console.binding(plan.job.arms.inputs());
        Ok(())
    }

    fn warned(&self, warning: &Error) {
        self.console.warning(warning);
    }

    fn progressed(&self, progress: Progress) {
        let mut shown = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Begun {
                row_count,
                rows_before,
            } => shown
                .insert(self.console.progress(row_count))
                .advance(rows_before),
            Progress::Rows(rows) => shown.iter().for_each(|shown| shown.advance(rows)),
            Progress::Ended => shown.take().iter().for_each(console::Progress::finish),
        }
    }

    fn delivered(&self, account: &Account<'_>) -> Result<()> {
        if !account.is_published {
            return Ok(());
        }
        let files = [
            ("report", &account.written.report),
            ("rejected", &account.written.rejected),
        ];
        let report = Report {
            head: Map::from_iter(files.map(|(name, path)| (name.to_owned(), json!(path)))),
            facts: account.facts,
            detail: if self.console.is_verbose() {
                Detail::Verbose
            } else {
                Detail::Summary
            },
        };
        self.console.summary(&Text.render(&report), account.object);
        if self.console.shows_only_warnings() {
            self.warn_of_losses(account);
        }
        Ok(())
    }
}
