//! How tables are read: flags that clap derives.

use clap::Args;

use super::key_args::DecryptionArgs;
use crate::request::rows::Dialect;

/// How tables are read: delimited text, and encrypted Parquet.
#[derive(Clone, Debug, Args)]
pub struct DialectArgs {
    /// Keys of encrypted Parquet
    #[command(flatten)]
    pub keys: DecryptionArgs,
    /// How lines become fields
    #[command(flatten)]
    pub fields: FieldArgs,
    /// What fields mean
    #[command(flatten)]
    pub values: ValueArgs,
}

/// How lines of delimited text become fields.
#[derive(Clone, Debug, Args)]
pub struct FieldArgs {
    /// Field delimiter; `tab` is one too [default: comma; tab for `.tsv`]
    ///
    /// A first line `sep=;` sets it as well.
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
    ///
    /// Use `\` for files from Spark, `MySQL` and Redshift. It escapes a quote, a delimiter, a line
    /// end and itself, inside and outside quotes; before anything else it is an ordinary character.
    /// By default quotes are escaped by doubling them, and a backslash that looks like an escape
    /// stops the run; `none` reads it as text.
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
    ///
    /// Any name from the WHATWG encoding standard.
    #[arg(long, value_name = "NAME", help_heading = "Delimited text")]
    pub encoding: Option<String>,
}

/// What fields of delimited text mean.
#[derive(Clone, Debug, Args)]
pub struct ValueArgs {
    /// Decimal mark of numbers [default: a point]
    #[arg(
        long,
        value_name = "CHARACTER",
        allow_hyphen_values = true,
        help_heading = "Delimited text"
    )]
    pub decimal: Option<String>,
    /// Thousands separator, as in `1,234,567` [default: none]
    #[arg(
        long,
        value_name = "CHARACTER",
        allow_hyphen_values = true,
        help_heading = "Delimited text"
    )]
    pub thousands: Option<String>,
    /// Column types instead of string: `id=int64,day=date`; may be repeated
    ///
    /// For delimited text and for columns from Hive directories. An empty field or a value of
    /// `--missing` is missing, and a value that is not of the type stops the run. Types: int8 to
    /// int64, uint8 to uint64, float32, float64, boolean, string, date, timestamp, decimal(P,S).
    #[arg(
        long,
        value_name = "COLUMN=TYPE",
        allow_hyphen_values = true,
        help_heading = "Delimited text"
    )]
    pub types: Vec<String>,
    /// There is no header; columns are `column_1`, `column_2`, …
    #[arg(long, help_heading = "Delimited text")]
    pub no_header: bool,
}

impl From<FieldArgs> for Dialect {
    fn from(args: FieldArgs) -> Self {
        let FieldArgs {
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

impl From<DialectArgs> for Dialect {
    fn from(args: DialectArgs) -> Self {
        let DialectArgs {
            keys: _,
            fields,
            values,
        } = args;
        let ValueArgs {
            decimal,
            thousands,
            types,
            no_header,
        } = values;
        Self {
            decimal,
            thousands,
            types,
            no_header,
            ..fields.into()
        }
    }
}
