//! The sole owner of standard output and standard error.
//!
//! Data goes to standard output, all else to standard error: text, or, where the log is JSON, one
//! object per line. What a run says is in [`run_events`](super::run_events) and
//! [`json_log`](super::json_log).

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::ProgressDrawTarget;
use serde_json::{Map, Value as Json};

use super::console_args::{Color, ConsoleArgs, LogFormat, ResultFormat};
use super::fitting;
use super::log::{self, Level};
use super::page::Page;
use crate::error::{Error, Result};
use crate::escape;
use crate::process;
use crate::report::json::failure;
use crate::report::renderer;
use crate::report::renderer::{Detail, Rendered, Report};

/// Where the process speaks.
#[derive(Clone, Debug)]
pub struct Console {
    args: ConsoleArgs,
    has_color: bool,
    /// Whether pictures are drawn in ASCII.
    is_ascii: bool,
    /// Known once a run begins.
    invocation_id: OnceLock<String>,
    /// Known once there is a plan.
    run_id: OnceLock<String>,
}

impl Console {
    /// A console as the flags and the environment want it (`NO_COLOR`, `TERM=dumb`).
    #[must_use]
    pub fn new(args: &ConsoleArgs) -> Self {
        let has_color = match args.color {
            Color::Auto => io::stderr().is_terminal() && !fitting::is_plain(),
            Color::Always => true,
            Color::Never => false,
        };
        Self {
            args: args.clone(),
            has_color: has_color && args.log_format == LogFormat::Text,
            is_ascii: args.ascii || fitting::needs_ascii(),
            invocation_id: OnceLock::new(),
            run_id: OnceLock::new(),
        }
    }

    /// Notes the name of this attempt for the log.
    pub fn name_invocation(&self, invocation_id: &str) {
        let _ = self.invocation_id.set(invocation_id.to_owned());
    }

    /// Notes the run's name for the log.
    pub fn name_run(&self, run_id: &str) {
        // A process is one run: a second name would be the same.
        let _ = self.run_id.set(run_id.to_owned());
    }

    /// Whether results are needed as JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.args.format == ResultFormat::Json
    }

    /// Whether more than the usual is needed.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.args.verbose
    }

    /// How much of a report is shown once work is done.
    pub(super) fn detail(&self) -> Detail {
        if self.args.verbose {
            Detail::Verbose
        } else {
            Detail::Summary
        }
    }

    /// The flags that it was made of, by their names, but for those that have their defaults.
    pub(super) fn changed_options(&self) -> Map<String, Json> {
        self.args.changed()
    }

    /// Whether standard error gets JSON.
    pub(super) fn has_json_log(&self) -> bool {
        self.args.log_format == LogFormat::Json
    }

    /// Whether nothing but warnings and errors is shown.
    pub(super) fn is_quiet(&self) -> bool {
        self.args.quiet > 0
    }

    /// The time between two lines of progress.
    pub(super) fn progress_interval(&self) -> Duration {
        Duration::from_secs(self.args.progress_seconds)
    }

    /// Where a progress bar is drawn; none where standard error is not a terminal.
    #[expect(clippy::unused_self, reason = "the console owns the streams")]
    pub(super) fn bar_target(&self) -> Option<ProgressDrawTarget> {
        io::stderr().is_terminal().then(ProgressDrawTarget::stderr)
    }

    /// Whether pictures are drawn in ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.is_ascii
    }

    /// Whether standard output is a terminal.
    pub(super) fn is_on_terminal(&self) -> bool {
        self.args.format == ResultFormat::Text && io::stdout().is_terminal()
    }

    /// Characters in a line of the terminal that standard output is, as far as that is known.
    #[expect(clippy::unused_self, reason = "the console owns the streams")]
    pub(super) fn width(&self) -> usize {
        let size = terminal_size::terminal_size_of(io::stdout());
        let width = size.and_then(|(columns, _)| fitting::line_width(columns.0));
        width.unwrap_or(fitting::USUAL_WIDTH)
    }

    /// Writes to standard output. A reader that went away is not an error here; it is when the
    /// caller asks.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub fn data(&self, text: &str) -> Result<()> {
        if process::output_is_closed() {
            return Err(Error::failed(
                "cannot write to standard output: it is closed",
            ));
        }
        let mut output = io::stdout().lock();
        let written = output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush());
        written.map_err(|error| Error::failed("cannot write to standard output").because(error))
    }

    /// Writes lines for users to standard output.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(super) fn show(&self, page: &Page) -> Result<()> {
        self.data(&self.drawn(page.text()))
    }

    /// Writes a report to standard output, in the form that `--format` asks for.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(super) fn report(&self, report: &Report<'_>) -> Result<()> {
        let name = match self.args.format {
            ResultFormat::Text => "text",
            ResultFormat::Json => "json",
        };
        let renderer = renderer(name).ok_or_else(|| Error::internal("a form without renderer"))?;
        match renderer.render(report)? {
            Rendered::Text(text) => self.data(&self.drawn(&text)),
            Rendered::Table(_) => Err(Error::internal("a table on a console")),
        }
    }

    /// Writes an object to standard output, in a line of its own.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub fn json(&self, object: &Json) -> Result<()> {
        self.data(&format!("{}\n", escape::json(&object.to_string())))
    }

    /// Tells a user something, on standard error, in one line.
    pub fn print_text(&self, text: &str) {
        if self.args.quiet == 0 {
            self.write(
                Level::Info,
                text,
                &format!("{}\n", escape::line(text)),
                Map::new,
            );
        }
    }

    /// Whether summaries are hidden, and warnings are not.
    #[must_use]
    pub fn shows_only_warnings(&self) -> bool {
        self.args.quiet == 1
    }

    /// Shows what a user should know of a run that goes on: losses, doubts, files that could not be
    /// written. Only `-qq` hides it.
    pub fn warning(&self, error: &Error) {
        if self.args.quiet > 1 {
            return;
        }
        let text = self.rendered(&self.paint("1;33", "warning"), error);
        self.write(Level::Warn, error.message(), &text, || {
            log::error_fields(Level::Warn, error)
        });
    }

    /// Shows warnings in at most `max` lines, and one at least; returns how many these are. Where
    /// that is not enough hints are dropped, then warnings, which are counted. All are shown with
    /// `--verbose`, where there is no summary, and in JSON.
    pub(super) fn warnings(&self, warnings: &[Error], max: usize) -> usize {
        let line_count = warnings.iter().map(Error::line_count).sum();
        let has_limit = !self.args.verbose && self.args.quiet == 0 && !self.has_json_log();
        if line_count <= max || !has_limit {
            warnings.iter().for_each(|warning| self.warning(warning));
            return line_count;
        }
        let heading = self.paint("1;33", "warning");
        let shown = if warnings.len() <= max {
            warnings.len()
        } else {
            max.saturating_sub(1)
        };
        for warning in &warnings[..shown] {
            let first = self.rendered(&heading, warning);
            let first = first.lines().next().unwrap_or_default().to_owned();
            self.lines(&format!("{first}\n"));
        }
        let hidden = warnings.len() - shown;
        if hidden > 0 {
            self.lines(&format!("{heading}: {hidden} not shown: `-v` shows all\n"));
        }
        shown + usize::from(hidden > 0)
    }

    /// Shows an error: heading, message and place, causes, hint; in JSON also what `object` holds.
    pub fn error(&self, error: &Error, mut object: Map<String, Json>) {
        let (heading, _) = error.kind().heading_and_code();
        let text = self.rendered(&self.paint("1;31", heading), error);
        self.write(Level::Error, error.message(), &text, || {
            log::error_fields(Level::Error, error)
        });
        if self.is_json() {
            failure(error)
                .into_iter()
                .for_each(|(name, value)| _ = object.entry(name).or_insert(value));
            let _ = self.json(&Json::Object(object));
        }
    }

    fn rendered(&self, heading: &str, error: &Error) -> String {
        let mut text = format!("{heading}: {}", escape::line(error.message()));
        // Cut apart: a long value in the message does not push out where it is.
        let index = error.location().to_string();
        if !index.is_empty() {
            text.push_str(&format!(" ({})", escape::line(&index)));
        }
        text.push('\n');
        for cause in error.causes() {
            text.push_str(&format!(
                "  caused by: {}\n",
                escape::lines(&cause.to_string(), "    ")
            ));
        }
        if let Some(hint) = error.hint_text() {
            text.push_str(&format!(
                "{}: {}\n",
                self.paint("1", "hint"),
                escape::lines(hint, "  ")
            ));
        }
        text
    }

    fn write(
        &self,
        level: Level,
        message: &str,
        text: &str,
        further: impl FnOnce() -> Map<String, Json>,
    ) {
        match self.args.log_format {
            LogFormat::Text => self.lines(text),
            LogFormat::Json => self.entry(level, message, further()),
        }
    }

    /// Writes lines to standard error.
    pub(super) fn lines(&self, text: &str) {
        // Nothing can be done about a standard error that is closed.
        let _ = io::stderr().lock().write_all(self.drawn(text).as_bytes());
    }

    /// The width of lines on the terminal that standard error is; none where it is not one, so that
    /// a log can be searched.
    #[expect(clippy::unused_self, reason = "the console owns the streams")]
    pub(super) fn log_width(&self) -> Option<usize> {
        let (columns, _) = terminal_size::terminal_size_of(io::stderr())?;
        fitting::line_width(columns.0)
    }

    /// Writes a summary to standard error, broken to the width of the terminal.
    pub(super) fn summary(&self, text: &str) {
        match self.log_width() {
            Some(width) => self.lines(&fitting::broken(text, width)),
            None => self.lines(text),
        }
    }

    /// The text with pictures that the locale can show.
    fn drawn<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.is_ascii {
            fitting::in_ascii(text).into()
        } else {
            text.into()
        }
    }

    /// Writes an object to standard error, in a line of its own.
    pub(super) fn entry(&self, level: Level, message: &str, further: Map<String, Json>) {
        let line = log::line(level, message, &self.names(), further);
        let _ = io::stderr()
            .lock()
            .write_all(escape::json(&line).as_bytes());
    }

    /// What this attempt and its work are called, as far as that is known.
    fn names(&self) -> Vec<(&'static str, &str)> {
        let names = [
            ("invocation_id", &self.invocation_id),
            ("run_id", &self.run_id),
        ];
        names
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.get()?.as_str())))
            .collect()
    }

    /// The text in a colour, on a terminal.
    #[must_use]
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.has_color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
