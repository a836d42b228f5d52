//! Which rows a run reads, and how delimited text is read: flags that clap derives.

use clap::Args;

use super::dialect_args::DialectArgs;
use crate::request::rows::OnBadFile;

/// Which rows, and how text is read.
#[derive(Clone, Debug, Args)]
pub struct RowsArgs {
    /// Score only rows that meet this SQL
    ///
    /// An expression such as `region = 'north' AND signup_date >= '2024-01-31'`, evaluated row by
    /// row as `DuckDB` does. The other rows count as filtered.
    ///
    /// Operators: + - * / // % || = <> < <= > >= AND OR NOT, `IS [NOT] NULL`, TRUE, FALSE or
    /// DISTINCT FROM, BETWEEN, IN (…), LIKE, ILIKE (with ESCAPE), SIMILAR TO, REGEXP, CASE, CAST,
    /// `TRY_CAST`, TRY(…), DATE '2024-01-31', TIMESTAMP '2024-01-31 10:00:00', + INTERVAL '1 day'.
    ///
    /// Functions: COALESCE IFNULL NULLIF IF GREATEST LEAST; ABS CEIL FLOOR ROUND TRUNC SIGN SQRT
    /// CBRT EXP LN LOG LOG2 LOG10 LOG1P POWER MOD PI, SIN and the other trigonometric functions,
    /// ISNAN ISINF ISFINITE; LOWER UPPER LENGTH STRLEN TRIM LTRIM RTRIM LPAD RPAD LEFT RIGHT SUBSTR
    /// REPLACE REVERSE REPEAT CONCAT `CONCAT_WS` `SPLIT_PART` STRPOS `STARTS_WITH` `ENDS_WITH`
    /// CONTAINS `REGEXP_MATCHES` `REGEXP_FULL_MATCH`; EXTRACT `DATE_PART` `DATE_TRUNC` `DATE_DIFF`
    /// STRFTIME STRPTIME YEAR MONTH DAY and the other date parts.
    #[arg(
        long = "where",
        value_name = "SQL",
        allow_hyphen_values = true,
        help_heading = "Rows"
    )]
    pub filter: Option<String>,
    /// Read at most this many rows, counted before `--where`
    #[arg(
        long,
        value_name = "ROWS",
        allow_negative_numbers = true,
        help_heading = "Rows"
    )]
    pub limit: Option<u64>,
    /// Values that mean missing, such as `-999`
    ///
    /// Numbers and texts, of all columns or one: `NA`, `age=-1`. May be repeated; several are
    /// separated by commas: `NA,unknown`.
    ///
    /// They count in every format, in the model's columns. Numbers are compared as numbers: `-999`
    /// is also `-999.0`. In delimited text they replace the defaults
    /// `,NA,N/A,NaN,nan,null,NULL,None`; values for one column are added to them. A category of the
    /// model that is spelled the same stays a category, unless its own column is named.
    #[arg(
        long,
        value_name = "[COLUMN=]VALUES",
        allow_hyphen_values = true,
        help_heading = "Rows"
    )]
    pub missing: Vec<String>,
    /// What to do with a file that cannot be read
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        default_value_t,
        help_heading = "Rows"
    )]
    pub on_bad_file: OnBadFile,
    /// Read every file in a directory, whatever its extension
    ///
    /// By default only files that end in `.parquet`, `.pq`, `.parq`, `.csv`, `.tsv` or `.tab` are
    /// read from directories, compressed or not. The others are counted and reported.
    #[arg(long, help_heading = "Rows")]
    pub any_ending: bool,
    /// How delimited text is read
    #[command(flatten)]
    pub text: DialectArgs,
}
