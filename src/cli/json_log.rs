//! A run in a log of JSON: one object per line on standard error.
//!
//! Owns what the objects of a run hold alongside the names that every entry has. There is no bar.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value as Json, json};

use super::console::Console;
use super::log::Level;
use super::progress::Ticker;
use super::run_events::{BINDING, bound_object, headline, warn_of_losses};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::run::events::{Account, Events, Progress};

/// A log that listens to a run.
#[derive(Debug)]
pub(super) struct JsonLog<'a> {
    console: &'a Console,
    /// While rows are read.
    progress: Mutex<Option<Ticker>>,
}

impl<'a> JsonLog<'a> {
    pub(super) fn new(console: &'a Console) -> Self {
        Self {
            console,
            progress: Mutex::default(),
        }
    }

    /// An entry that `--quiet` hides.
    fn info(&self, message: &str, name: &str, value: Json) {
        if !self.console.is_quiet() {
            let fields = Map::from_iter([(name.to_owned(), value)]);
            self.console.entry(Level::Info, message, fields);
        }
    }

    fn advance(&self, ticker: &Ticker, rows: u64) {
        if let Some(tick) = ticker.advance(rows) {
            let seconds = tick.elapsed.as_secs_f64();
            let numbers = json!({"rows": tick.rows, "total_rows": tick.total, "seconds": seconds});
            self.info(&tick.to_string(), "progress", numbers);
        }
    }
}

impl Events for JsonLog<'_> {
    fn noted(&self, text: &str) {
        self.console.print_text(text);
    }

    fn planned(&self, plan: &Plan) -> Result<()> {
        self.console.name_run(&plan.run_id);
        let warnings = plan.warnings.iter();
        warnings.for_each(|warning| self.console.warning(warning));
        if self.console.is_verbose() {
            let objects = plan.job.arms.inputs().map(bound_object);
            self.info(BINDING, "binding", objects.collect());
        }
        Ok(())
    }

    fn warned(&self, warning: &Error) {
        self.console.warning(warning);
    }

    fn progressed(&self, progress: Progress) {
        let mut ticker = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match progress {
            Progress::Begun {
                row_count,
                rows_before,
            } => {
                let interval = self.console.progress_interval();
                self.advance(ticker.insert(Ticker::new(row_count, interval)), rows_before);
            }
            Progress::Rows(rows) => ticker.iter().for_each(|ticker| self.advance(ticker, rows)),
            Progress::Ended => *ticker = None,
        }
    }

    fn delivered(&self, account: &Account<'_>) -> Result<()> {
        if account.is_published {
            let summary = Json::Object(account.object.clone());
            self.info(&headline(account), "summary", summary);
            warn_of_losses(self.console, account);
        }
        Ok(())
    }
}
