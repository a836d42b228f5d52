//! How tables of corrected rows are written, where they are delimited text: flags that clap
//! derives.

use clap::Args;

use crate::request::rows::Dialect;

/// How the tables of corrected rows are written. What their values mean the run that made the data
/// set has said.
#[derive(Clone, Debug, Args)]
pub struct CorrectedArgs {
    /// Field delimiter of the corrected rows; `tab` is one too [default: comma]
    #[arg(
        long,
        value_name = "CHARACTER",
        allow_hyphen_values = true,
        help_heading = "Delimited text"
    )]
    pub delimiter: Option<String>,
    /// Quote character, or `none`
    #[arg(
        long,
        value_name = "CHARACTER",
        allow_hyphen_values = true,
        default_value = "\"",
        help_heading = "Delimited text"
    )]
    pub quote: String,
    /// Escape character, or `none`
    #[arg(
        long,
        value_name = "CHARACTER",
        allow_hyphen_values = true,
        help_heading = "Delimited text"
    )]
    pub escape: Option<String>,
    /// Lines to skip before the header
    #[arg(
        long,
        value_name = "LINES",
        allow_negative_numbers = true,
        default_value_t,
        help_heading = "Delimited text"
    )]
    pub skip_rows: u64,
    /// Skip lines that begin with this character
    #[arg(
        long,
        value_name = "CHARACTER",
        allow_hyphen_values = true,
        help_heading = "Delimited text"
    )]
    pub comment: Option<String>,
    /// Trim spaces and tabs around values, except within quotes
    #[arg(long, help_heading = "Delimited text")]
    pub trim: bool,
    /// Encoding: `utf-8`, `utf-16`, `latin1`, `windows-1252`, … [default: utf-8]
    #[arg(long, value_name = "NAME", help_heading = "Delimited text")]
    pub encoding: Option<String>,
}

impl From<CorrectedArgs> for Dialect {
    fn from(args: CorrectedArgs) -> Self {
        let CorrectedArgs {
            delimiter,
            quote,
            escape,
            skip_rows,
            comment,
            trim,
            encoding,
        } = args;
        Self {
            delimiter,
            quote,
            escape,
            skip_rows,
            comment,
            trim,
            encoding,
            ..Self::default()
        }
    }
}
