//! One SQL expression: its text, parsed, checked against a table's columns and evaluated.
//!
//! Owns the calls into polars' parser and engine, and the messages when they refuse. It must not know what the values are for.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Schema};
use polars::prelude::{Column, DataFrame, Expr, IntoLazy, OptFlags, PolarsError, PolarsResult};
use polars::sql::sql_expr;

use super::spelling::distance;
use super::{polars_bridge, row_wise, temporal};
use crate::count::counted;
use crate::error::{Error, Result};

/// The longest text of one expression, in bytes: room for thousands of literals behind `IN`.
const LONGEST_EXPRESSION: usize = 64 << 10;

/// The most operators in one expression: polars' translator calls itself once for each operator of a chain, and its planner's time
/// grows faster than their number.
pub(super) const MOST_OPERATORS: usize = 200;

/// The stack of the short-lived thread that parses: the translator takes some 16 KiB for each operator.
const PARSER_STACK: usize = 64 << 20;

/// What to do where a date meets a text.
const DATE_HINT: &str =
    "write `DATE '2024-01-31'` or `TIMESTAMP '2024-01-31 10:00:00'` beside dates, and plain texts beside the text columns of CSV files";

/// What went wrong inside polars.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An expression and the column of a frame that takes its values.
pub(super) struct Expression {
    text: String,
    target: String,
    tree: Expr,
}

impl Expression {
    /// Parses `text` and finds the columns that it reads in `schema`; gives them too.
    ///
    /// # Errors
    /// A usage error for text that is no expression or looks at other rows; a contract error for columns that the schema lacks.
    pub(super) fn parse(text: &str, target: &str, schema: &Schema) -> Result<(Self, BTreeSet<String>)> {
        let tree = parse(text)?;
        let columns = row_wise::columns_of(&tree).map_err(|name| {
            Error::usage(format!("the expression `{text}` does not look at its own row alone: `{name}`"))
                .hint("rows are scored in batches, so an expression may use only the values of its own row; compute the rest beforehand")
        })?;
        for name in &columns {
            match schema.fields().iter().filter(|field| field.name() == name).count() {
                1 => {}
                0 => return Err(unknown_column(text, name, schema)),
                _ => return Err(Error::contract(format!("the expression `{text}` reads a column that the table has twice")).at_column(name)),
            }
        }
        let tree = temporal::with_instants(tree, schema)?;
        Ok((Self { text: text.to_owned(), target: target.to_owned(), tree }, columns))
    }

    /// The expression as the user wrote it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The name of the column that takes the values.
    pub(super) fn target(&self) -> &str {
        &self.target
    }

    /// Appends the step's column to the frame.
    pub(super) fn evaluate(&self, frame: DataFrame) -> Result<DataFrame> {
        let row_count = frame.height();
        let frame = self.run(frame).map_err(|source| self.failure(source))?;
        match frame.column(&self.target) {
            Ok(column) if column.len() == row_count => Ok(frame),
            _ => Err(Error::internal(format!("the expression `{}` did not give one value per row", self.text))),
        }
    }

    /// Evaluates over no rows, to learn whether the types fit.
    pub(super) fn check(&self, frame: DataFrame) -> Result<DataFrame> {
        self.run(frame).map_err(|source| {
            let is_of_dates = source.to_string().contains("date");
            let error = Error::contract(format!("the expression `{}` does not fit the table's columns", self.text)).because(source);
            if is_of_dates { error.hint(DATE_HINT) } else { error }
        })
    }

    fn run(&self, frame: DataFrame) -> Result<DataFrame, Cause> {
        // One projection needs no optimiser; coercing types is part of the language.
        let flags = OptFlags::TYPE_COERCION | OptFlags::TYPE_CHECK;
        let plan = || frame.lazy().with_optimizations(flags).with_columns([self.tree.clone().alias(self.target.as_str())]).collect();
        caught(plan)
    }

    fn failure(&self, source: impl Into<Cause>) -> Error {
        Error::failed(format!("cannot compute the expression `{}`", self.text)).because(source)
    }

    /// The column that [`Self::evaluate`] or [`Self::check`] appended.
    pub(super) fn column<'frame>(&self, frame: &'frame DataFrame) -> Result<&'frame Column> {
        frame.column(&self.target).map_err(|source| self.failure(in_short(&source)))
    }

    /// The values that [`Self::evaluate`] appended, which have the type that the check promised.
    pub(super) fn array(&self, frame: &DataFrame, data_type: &DataType) -> Result<ArrayRef> {
        let column = self.column(frame)?;
        polars_bridge::to_arrow(column)
            .filter(|array| array.data_type() == data_type)
            .ok_or_else(|| Error::internal(format!("the expression `{}` changed its type to `{}`", self.text, column.dtype())))
    }
}

/// polars' own words, once and in one line. Its errors repeat themselves as their own causes, tell the whole plan after a blank line,
/// and list values of rows, which are nobody's business but the data's.
fn in_short(error: &PolarsError) -> Cause {
    const VALUES: &str = " values: [";
    let text = error.to_string();
    let part = text.split("\n\n").find(|part| !part.trim().is_empty()).unwrap_or("no reason given");
    let part = part.find(VALUES).map_or(part, |place| &part[..place + " values".len()]);
    part.split_whitespace().collect::<Vec<_>>().join(" ").into()
}

/// Runs polars; a panic becomes an error. (The panic hook still prints its line.)
fn caught<T>(work: impl FnOnce() -> PolarsResult<T>) -> Result<T, Cause> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| in_short(&error)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("polars gave up: {}", text.unwrap_or("no reason given")).into())
        }
    }
}

fn parse(text: &str) -> Result<Expr> {
    if text.len() > LONGEST_EXPRESSION || operator_count(text) > MOST_OPERATORS {
        let start: String = text.chars().take(40).collect();
        return Err(Error::usage(format!("the expression that begins with `{start}` is too long"))
            .hint(format!("at most {LONGEST_EXPRESSION} bytes and {MOST_OPERATORS} operators work; `IN (…)` counts as one")));
    }
    let expression = parsed_apart(text).map_err(|source| Error::usage(format!("cannot understand the expression `{text}`")).because(source))?;
    match expression {
        Expr::Alias(..) => Err(Error::usage(format!("the expression `{text}` names its result")).hint("leave out the AS")),
        expression => Ok(expression),
    }
}

/// Parses on a thread of its own, whose stack does not depend on who calls.
fn parsed_apart(text: &str) -> Result<Expr, Cause> {
    // polars writes its deprecation notices to stderr, once a batch; they are about its own SQL, not about the user's.
    polars::error::set_warning_function(|_, _| {});
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(PARSER_STACK).spawn_scoped(scope, || caught(|| sql_expr(text)))?;
        parser.join().unwrap_or_else(|_| Err("the parser's thread ended early".into()))
    })
}

/// A bound on how deep the parsed expression can nest: symbols and words outside quotes, commas aside.
fn operator_count(text: &str) -> usize {
    let mut quote = None;
    let mut count = 0;
    let mut in_word = false;
    for character in text.chars() {
        let is_word = character.is_alphanumeric() || character == '_' || character == '.';
        match quote {
            Some(open) if open == character => quote = None,
            Some(_) => {}
            None if matches!(character, '\'' | '"' | '`') => quote = Some(character),
            None if is_word => count += usize::from(!in_word && character.is_alphabetic()),
            None => count += usize::from(!character.is_whitespace() && character != ','),
        }
        in_word = is_word && quote.is_none();
    }
    count
}

fn unknown_column(text: &str, name: &str, schema: &Schema) -> Error {
    let mut near: Vec<(usize, &str)> = schema.fields().iter().map(|field| (distance(name, field.name()), field.name().as_str())).collect();
    near.sort_unstable();
    let hint = match near
        .iter()
        .take_while(|(distance, _)| *distance <= 2 + name.len() / 4)
        .map(|(_, name)| format!("`{name}`"))
        .take(3)
        .collect::<Vec<_>>()
    {
        names if names.is_empty() => {
            format!(
                "the table has {}; text needs single quotes, `'north'`, and names with spaces or of another case need double quotes",
                counted(near.len(), "column")
            )
        }
        names => format!("near names are {}", names.join(", ")),
    };
    Error::contract(format!("the expression `{text}` reads a column that the table lacks")).at_column(name).hint(hint)
}
