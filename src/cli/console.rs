//! The sole owner of standard output, standard error and the progress bar.
//!
//! Data goes to standard output, all else to standard error. On a terminal there is a bar; off it a
//! plain line now and then, so that a log shows life without filling up. Where the log is needed as
//! JSON, every line on standard error is an object, and there is no bar.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use super::args::{ConsoleArgs, LogFormat, ResultFormat};
use super::log::{self, Level};
use super::page::Page;
use serde_json::{Map, Value as Json, json};

use crate::contract::binding::BoundInput;
use crate::error::{Error, Result};
use crate::escape;
use crate::process;
use crate::report::json::failure;
use crate::report::renderer;
use crate::report::renderer::Report;

/// The heading above the columns that feed the model.
pub(super) const BINDING: &str = "features of the model, and the columns that feed them";

/// Where the process speaks.
#[derive(Clone, Debug)]
pub struct Console {
    format: ResultFormat,
    log_format: LogFormat,
    quiet: u8,
    verbose: bool,
    color: bool,
    /// Between two plain progress lines.
    plain_interval: Duration,
    /// Known once a run begins.
    invocation_id: OnceLock<String>,
    /// Known once there is a plan.
    run_id: OnceLock<String>,
}

impl Console {
    /// A console as the flags and the environment want it (`NO_COLOR`, `TERM=dumb`).
    #[must_use]
    pub fn new(args: &ConsoleArgs) -> Self {
        let ConsoleArgs {
            format,
            log_format,
            quiet,
            verbose,
            progress_seconds,
        } = *args;
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let color = io::stderr().is_terminal() && !plain && log_format == LogFormat::Text;
        let plain_interval = Duration::from_secs(progress_seconds);
        Self {
            format,
            log_format,
            quiet,
            verbose,
            color,
            plain_interval,
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
        self.format == ResultFormat::Json
    }

    /// Whether more than the usual is needed.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Whether standard output is a terminal.
    pub(super) fn is_on_terminal(&self) -> bool {
        self.format == ResultFormat::Text && io::stdout().is_terminal()
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
        self.data(page.text())
    }

    /// Writes a report to standard output, in the form that `--format` asks for.
    ///
    /// # Errors
    /// Fails if standard output cannot be written.
    pub(super) fn report(&self, report: &Report<'_>) -> Result<()> {
        let name = match self.format {
            ResultFormat::Text => "text",
            ResultFormat::Json => "json",
        };
        let renderer = renderer(name).ok_or_else(|| Error::internal("a form without renderer"))?;
        self.data(&renderer.render(report))
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
        if self.quiet == 0 {
            self.write(
                Level::Info,
                text,
                &format!("{}\n", escape::line(text)),
                Map::new,
            );
        }
    }

    /// Tells a user what was done, in lines of which the first says it in short; a log as JSON
    /// gets `object` instead of the others.
    pub fn summary(&self, text: &str, object: &Map<String, Json>) {
        if self.quiet == 0 {
            let headline = text.lines().next().unwrap_or_default();
            self.write(Level::Info, headline, text, || {
                Map::from_iter([("summary".to_owned(), Json::Object(object.clone()))])
            });
        }
    }

    /// Shows which column feeds which feature, to who wants to hear more.
    pub fn binding<'a>(&self, inputs: impl Iterator<Item = &'a BoundInput>) {
        if self.verbose && self.quiet == 0 {
            let inputs: Vec<&BoundInput> = inputs.collect();
            let text = inputs.iter().fold(format!("{BINDING}\n"), |text, bound| {
                format!("{text}  {}\n", escape::line(&bound.to_string()))
            });
            let objects = || {
                inputs
                    .iter()
                    .map(|bound| bound_object(bound))
                    .collect::<Vec<_>>()
            };
            self.write(Level::Info, BINDING, &text, || {
                Map::from_iter([("binding".to_owned(), objects().into())])
            });
        }
    }

    /// Whether summaries are hidden, and warnings are not.
    #[must_use]
    pub fn shows_only_warnings(&self) -> bool {
        self.quiet == 1
    }

    /// Shows what a user should know of a run that goes on: losses, doubts, files that could not be
    /// written. Only `-qq` hides it.
    pub fn warning(&self, error: &Error) {
        if self.quiet > 1 {
            return;
        }
        let text = self.rendered(&self.paint("1;33", "warning"), error);
        self.write(Level::Warn, error.message(), &text, || {
            log::error_fields(Level::Warn, error)
        });
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
                self.paint("1;36", "hint"),
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
        // Nothing can be done about a standard error that is closed.
        let _ = match self.log_format {
            LogFormat::Text => io::stderr().lock().write_all(text.as_bytes()),
            LogFormat::Json => io::stderr().lock().write_all(
                escape::json(&log::line(level, message, &self.names(), further())).as_bytes(),
            ),
        };
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
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Progress over `total` rows, if the total is known.
    #[must_use]
    pub fn progress(&self, total: Option<u64>) -> Progress<'_> {
        if self.quiet > 0 {
            return Progress::Silent;
        }
        if !io::stderr().is_terminal() || self.log_format == LogFormat::Json {
            return Progress::Plain {
                console: self,
                total,
                state: Mutex::new((0, Instant::now(), Instant::now())),
            };
        }
        let bar = total
            .map_or_else(ProgressBar::new_spinner, ProgressBar::new)
            .with_style(style(total.is_some()));
        bar.set_draw_target(ProgressDrawTarget::stderr());
        Progress::Bar(bar)
    }
}

/// An input and its column, as JSON.
pub(super) fn bound_object(bound: &BoundInput) -> Json {
    json!({"input": bound.input.name, "column": bound.column, "type": bound.data_type.to_string()})
}

/// A line of the terminal: the bar takes what the numbers leave, which is something from 50 columns
/// on.
fn style(is_total_known: bool) -> ProgressStyle {
    let template = if is_total_known {
        "{wide_bar} {percent:>3}%  {human_pos} rows{speed}{left}"
    } else {
        "{spinner} {human_pos} rows{speed}  {elapsed}"
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    // Before the first rows nothing is known of either. A bar that cannot be drawn is no reason to
    // stop.
    let style = style.with_key(
        "speed",
        |state: &ProgressState, text: &mut dyn fmt::Write| {
            let _ = if state.pos() > 0 {
                write!(text, "  {}/s", short(state.per_sec()))
            } else {
                Ok(())
            };
        },
    );
    style.with_key(
        "left",
        |state: &ProgressState, text: &mut dyn fmt::Write| {
            let _ = if state.pos() > 0 {
                write!(text, "  {:#} left", HumanDuration(state.eta()))
            } else {
                Ok(())
            };
        },
    )
}

/// A number in three digits: `412`, `98.5k`, `1.62M`.
fn short(number: f64) -> String {
    let (unit, number) = [("G", 1e9), ("M", 1e6), ("k", 1e3)]
        .iter()
        .find(|(_, size)| number >= *size)
        .map_or(("", number), |(unit, size)| (unit, number / size));
    let decimals = if unit.is_empty() || number >= 100.0 {
        0
    } else {
        1 + usize::from(number < 10.0)
    };
    format!("{number:.decimals$}{unit}")
}

/// Progress through the rows.
#[derive(Debug)]
pub enum Progress<'a> {
    /// None is shown.
    Silent,
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// A line now and then.
    Plain {
        /// Who writes it.
        console: &'a Console,
        /// Rows in all, if known.
        total: Option<u64>,
        /// Rows done, start, last line.
        state: Mutex<(u64, Instant, Instant)>,
    },
}

impl Progress<'_> {
    /// Notes that rows were done.
    pub fn advance(&self, rows: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.inc(rows),
            Self::Plain {
                console,
                total,
                state,
            } => {
                let Ok(mut state) = state.lock() else { return };
                state.0 += rows;
                if state.2.elapsed() >= console.plain_interval {
                    state.2 = Instant::now();
                    let (text, elapsed) = (
                        plain_line(state.0, *total, state.1.elapsed()),
                        state.1.elapsed().as_secs_f64(),
                    );
                    let numbers = || {
                        Map::from_iter([(
                            "progress".to_owned(),
                            json!({"rows": state.0, "total_rows": total, "seconds": elapsed}),
                        )])
                    };
                    console.write(Level::Info, &text, &format!("{text}\n"), numbers);
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn plain_line(rows: u64, total: Option<u64>, elapsed: Duration) -> String {
    let speed = rows as f64 / elapsed.as_secs_f64().max(1e-9);
    let of = total.map_or(String::new(), |total| format!(" of {}", HumanCount(total)));
    let left = total.map_or(String::new(), |total| {
        format!(
            ", {:.0} s left",
            (total.saturating_sub(rows)) as f64 / speed.max(1e-9)
        )
    });
    format!(
        "{}{of} rows, {} rows/s{left}",
        HumanCount(rows),
        HumanCount(speed as u64)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;

    /// A terminal of 50 columns that remembers what was written.
    #[derive(Clone, Debug, Default)]
    struct Narrow(Arc<Mutex<String>>);

    impl TermLike for Narrow {
        fn width(&self) -> u16 {
            50
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            self.write_str("\n")
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_bar_fits_a_terminal_of_fifty_columns() {
        for total in [Some(2_000_000_000), None] {
            let terminal = Narrow::default();
            let bar = total
                .map_or_else(ProgressBar::new_spinner, ProgressBar::new)
                .with_style(style(total.is_some()));
            bar.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
            bar.inc(1_999_999_999);
            bar.tick();
            let drawn = terminal.0.lock().unwrap().clone();
            let lines: Vec<&str> = drawn
                .lines()
                .map(str::trim_end)
                .filter(|line| !line.is_empty())
                .collect();
            assert!(
                lines.iter().any(|line| line.contains("1,999,999,999 rows")),
                "{drawn}"
            );
            assert!(
                lines.iter().all(|line| line.chars().count() <= 50),
                "{drawn}"
            );
        }
    }

    #[test]
    fn a_speed_has_three_digits() {
        assert_eq!(
            [0.0, 412.3, 9_999.0, 98_500.0, 412_345.0, 1_623_392.0, 2.5e9].map(short),
            ["0", "412", "10.00k", "98.5k", "412k", "1.62M", "2.50G"]
        );
    }
}
