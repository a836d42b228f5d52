//! Progress through the rows on standard error: a bar on a terminal, and off it a plain line now
//! and then, so that a log shows life without filling up.
//!
//! Owns how progress looks. It must not know what the rows are.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use super::console::Console;
use crate::process;

/// The widest bar, in characters.
const MAX_BAR: usize = 70;

/// The width of a terminal in which such a bar leaves room for all numbers.
const WIDE_TERMINAL: usize = 120;

/// A line of the terminal: the bar takes what the numbers leave, which is something from 50 columns
/// on, and no more than [`MAX_BAR`] characters.
fn style(is_total_known: bool, is_ascii: bool, width: Option<usize>) -> ProgressStyle {
    let is_wide = width.is_some_and(|width| width >= WIDE_TERMINAL);
    let template = match (is_total_known, is_wide) {
        (true, false) => "{percent:>3}% {wide_bar}  {human_pos} rows{speed}{left}".to_owned(),
        (true, true) => {
            format!("{{percent:>3}}% {{bar:{MAX_BAR}}}  {{human_pos}} rows{{speed}}{{left}}")
        }
        (false, _) => "{spinner} {human_pos} rows{speed}  {elapsed}".to_owned(),
    };
    let style =
        ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style = if is_ascii {
        style.progress_chars("##.").tick_chars("-\\|/ ")
    } else {
        style
    };
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
    let indices = if unit.is_empty() || number >= 100.0 {
        0
    } else {
        1 + usize::from(number < 10.0)
    };
    format!("{number:.indices$}{unit}")
}

/// Counts rows, and says now and then how many they are.
#[derive(Debug)]
pub(super) struct Ticker {
    total: Option<u64>,
    interval: Duration,
    start: Instant,
    /// Rows done, the time of the last report.
    state: Mutex<(u64, Instant)>,
}

/// Rows that were done at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tick {
    /// So many.
    pub(super) rows: u64,
    /// Rows in all, if known.
    pub(super) total: Option<u64>,
    /// The time since the start.
    pub(super) elapsed: Duration,
}

impl Ticker {
    /// A ticker that reports in this interval.
    pub(super) fn new(total: Option<u64>, interval: Duration) -> Self {
        let start = Instant::now();
        Self {
            total,
            interval,
            start,
            state: Mutex::new((0, start)),
        }
    }

    /// Notes that rows were done; a report if one is due.
    pub(super) fn advance(&self, rows: u64) -> Option<Tick> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += rows;
        if state.1.elapsed() < self.interval {
            return None;
        }
        state.1 = Instant::now();
        Some(Tick {
            rows: state.0,
            total: self.total,
            elapsed: self.start.elapsed(),
        })
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = plain_line(self.rows, self.total, self.elapsed);
        write!(f, "{} {line}", process::now())
    }
}

/// Progress through the rows, as text.
#[derive(Debug)]
pub(super) enum Progress {
    /// None is shown.
    Silent,
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// A line now and then.
    Plain(Ticker),
}

impl Progress {
    /// Progress over `total` rows, if the total is known.
    pub(super) fn new(console: &Console, total: Option<u64>) -> Self {
        if console.is_quiet() {
            return Self::Silent;
        }
        let Some(target) = console.bar_target() else {
            return Self::Plain(Ticker::new(total, console.progress_interval()));
        };
        let bar = total
            .map_or_else(ProgressBar::new_spinner, ProgressBar::new)
            .with_style(style(
                total.is_some(),
                console.is_ascii(),
                console.log_width(),
            ));
        bar.set_draw_target(target);
        Self::Bar(bar)
    }

    /// Notes that rows were done.
    pub(super) fn advance(&self, console: &Console, rows: u64) {
        match self {
            Self::Silent => {}
            Self::Bar(bar) => bar.inc(rows),
            Self::Plain(ticker) => {
                if let Some(tick) = ticker.advance(rows) {
                    console.lines(&format!("{tick}\n"));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
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
    let share = total
        .filter(|total| *total > 0)
        .map_or(String::new(), |total| {
            format!("{:.0}% ", 100.0 * rows as f64 / total as f64)
        });
    format!(
        "{share}{}{of} rows, {} rows/s{left}",
        HumanCount(rows),
        HumanCount(speed as u64)
    )
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::{ProgressDrawTarget, TermLike};

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
                .with_style(style(total.is_some(), false, None));
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
