//! What a user types about the console: the form of results and of the log. clap derives only. The
//! doc comments are the manual.

use clap::builder::PossibleValue;
use clap::{ArgAction, Args, ValueEnum};
use serde_json::{Map, Value as Json};

/// Between two lines of progress, where no one says otherwise.
pub const PROGRESS_SECONDS: u64 = 30;

/// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct ConsoleArgs {
    /// Results as text or json
    ///
    /// `text`: human-readable; run summaries go to standard error, requested output to standard
    /// output. `json`: one JSON object, the last line of standard output, on failure too.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        env = "TALLOW_FORMAT",
        help_heading = "Display"
    )]
    pub format: ResultFormat,
    /// Format of standard error
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        env = "TALLOW_LOG_FORMAT",
        help_heading = "Display"
    )]
    pub log_format: LogFormat,
    /// Print only warnings and errors; `-qq` only errors
    ///
    /// Warnings include skipped files and rejected rows.
    #[arg(short, long, global = true, action = ArgAction::Count, env = "TALLOW_QUIET",
        value_parser = quiet_level, help_heading = "Display")]
    pub quiet: u8,
    /// Print more: the column behind each feature, time per stage
    #[arg(short, long, global = true, help_heading = "Display")]
    pub verbose: bool,
    /// Color on standard error: auto, always or never
    ///
    /// `auto` colors a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_possible_values = true,
        env = "TALLOW_COLOR",
        help_heading = "Display"
    )]
    pub color: Color,
    /// Draw bars, histograms and arrows in ASCII
    ///
    /// As in a locale that is not UTF-8.
    #[arg(long, global = true, help_heading = "Display")]
    pub ascii: bool,
    /// Seconds between progress lines when standard error is not a terminal
    #[arg(
        long,
        global = true,
        value_name = "N",
        allow_negative_numbers = true,
        default_value_t = PROGRESS_SECONDS,
        env = "TALLOW_PROGRESS_SECONDS",
        help_heading = "Display"
    )]
    pub progress_seconds: u64,
}

impl ConsoleArgs {
    /// The flags by their names, but for those that have their defaults.
    pub(super) fn changed(&self) -> Map<String, Json> {
        let name = |value: Option<PossibleValue>| {
            value.map_or(Json::Null, |value| value.get_name().to_owned().into())
        };
        let Self {
            format,
            log_format,
            quiet,
            verbose,
            color,
            ascii,
            progress_seconds,
        } = self;
        let options = [
            (
                "format",
                *format != ResultFormat::default(),
                name(format.to_possible_value()),
            ),
            (
                "log_format",
                *log_format != LogFormat::default(),
                name(log_format.to_possible_value()),
            ),
            ("quiet", *quiet > 0, (*quiet).into()),
            ("verbose", *verbose, true.into()),
            (
                "color",
                *color != Color::default(),
                name(color.to_possible_value()),
            ),
            ("ascii", *ascii, true.into()),
            (
                "progress_seconds",
                *progress_seconds != PROGRESS_SECONDS,
                (*progress_seconds).into(),
            ),
        ];
        let changed = options.into_iter().filter(|(_, is_changed, _)| *is_changed);
        changed
            .map(|(name, _, value)| (name.to_owned(), value))
            .collect()
    }
}

/// How results go to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// A human-readable summary on standard error
    #[default]
    Text,
    /// One JSON object, the last line of standard output
    Json,
}

/// When standard error is colored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Also where it is not a terminal, such as for a pager
    Always,
    /// Never
    Never,
}

/// How standard error is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Human-readable lines; a progress bar on a terminal
    #[default]
    Text,
    /// One JSON object per line: time, level, message, run id and facts
    Json,
}

/// The level of `--quiet`: a number of flags, or a word that `TALLOW_QUIET` may hold.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for this signature")]
fn quiet_level(text: &str) -> Result<u8, String> {
    match text.to_ascii_lowercase().as_str() {
        "" | "n" | "no" | "f" | "false" | "off" => Ok(0),
        text => Ok(text.parse().unwrap_or(1)),
    }
}
