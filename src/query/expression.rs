//! One SQL expression: its text, understood, checked against a table's columns and computed.
//!
//! Owns the bounds on texts, and the messages when one is refused or cannot be computed. It must
//! not know what the values are for.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};

use super::evaluate::{Rows, evaluate};
use super::node::Node;
use super::parse::{Refusal, parse};
use super::pieces::in_pieces;
use super::value::{Fault, Outcome, name_of};
use super::written::{column_of, read_as_written};
use crate::count::counted;
use crate::error::{Error, Result, shell_word};
use crate::table::spelling::distance;

/// The longest text of one expression, in bytes: room for thousands of literals behind `IN`.
const LONGEST_EXPRESSION: usize = 64 << 10;

/// The most operators in one expression: each may nest one deeper.
pub(super) const MAX_OPERATORS: usize = 200;

/// The stack of the short-lived thread that parses.
const PARSER_STACK: usize = 64 << 20;

/// An expression, bound to nothing yet.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    text: String,
    node: Node,
}

impl Expression {
    /// Parses `text`; every column that it reads is in `schema` once. Those that are `written` as
    /// text are read so where a text is made of them.
    ///
    /// # Errors
    /// A usage error for text that is not an expression or looks at other rows; a contract error
    /// for columns that the schema does not have.
    pub(super) fn parse(text: &str, schema: &Schema, written: &BTreeSet<String>) -> Result<Self> {
        let mut expression = Self {
            text: text.to_owned(),
            node: understood(text)?,
        };
        for name in &expression.columns() {
            match schema
                .fields()
                .iter()
                .filter(|field| field.name() == name)
                .count()
            {
                1 => {}
                0 => return Err(unknown_column(text, name, schema)),
                _ => {
                    return Err(Error::contract(format!(
                        "the expression `{text}` reads a column that the table has twice"
                    ))
                    .at_column(name));
                }
            }
        }
        read_as_written(&mut expression.node, written);
        Ok(expression)
    }

    /// The expression as the user wrote it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What it is.
    pub(super) fn node(&self) -> &Node {
        &self.node
    }

    /// The columns that it reads.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        let names = self.node.columns();
        names
            .iter()
            .map(|name| column_of(name).0.to_owned())
            .collect()
    }

    /// Those of them that it reads as they are written.
    pub(super) fn texts(&self) -> impl Iterator<Item = String> {
        let names = self.node.columns().into_iter();
        names.filter_map(|name| match column_of(&name) {
            (column, true) => Some(column.to_owned()),
            _ => None,
        })
    }

    /// The column whose values it gives as they are, if it is one.
    pub(super) fn as_column(&self) -> Option<&str> {
        if let Node::Column(name) = &self.node {
            Some(name)
        } else {
            None
        }
    }

    /// The type of its values, learnt from no rows.
    ///
    /// # Errors
    /// A contract error if the types do not fit.
    pub(super) fn check(&self, rows: &Rows) -> Result<DataType> {
        let array = self.compute(&rows.slice(0, 0)).map_err(|fault| {
            let error = Error::contract(format!(
                "the expression `{}` does not fit the table's columns: {}",
                self.text, fault.message
            ));
            let is_of_types = |hint: &&String| hint.contains("CAST") || hint.contains("DATE '");
            let of_text = fault.hint.as_ref().filter(is_of_types);
            let hint = of_text.and_then(|_| text_hint(&self.node, &rows.slice(0, 0)));
            hint.or(fault.hint).into_iter().fold(error, Error::hint)
        })?;
        // A narrow integer is computed with as a wide one.
        Ok(match &self.node {
            Node::Cast { target, .. } => target.clone(),
            _ => array.data_type().clone(),
        })
    }

    /// The values, one for each row.
    ///
    /// # Errors
    /// Fails at the first row, counted from 1 among these, for which the value cannot be computed.
    pub(super) fn values(&self, rows: &Rows) -> Result<ArrayRef> {
        in_pieces(
            rows,
            |piece| self.compute(piece),
            |fault, piece| self.failure(fault, rows, piece),
        )
    }

    /// The error of a fault that came among these rows.
    fn failure(&self, fault: Fault, rows: &Rows, piece: Range<usize>) -> Error {
        let row = if fault.is_memory {
            None
        } else {
            self.first_fault(rows, piece.start, piece.end)
        };
        let (fault, index) = row.map_or((fault, None), |(row, fault)| (fault, Some(row)));
        let error = Error::failed(format!(
            "cannot compute the expression `{}`: {}",
            self.text, fault.message
        ));
        let error = index
            .into_iter()
            .fold(error, |error, row| error.at_row(row as u64 + 1));
        fault.hint.into_iter().fold(error, Error::hint)
    }

    fn compute(&self, rows: &Rows) -> Outcome<ArrayRef> {
        let work = || evaluate(&self.node, rows).and_then(|value| value.expanded(rows.count));
        let array = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(Fault::new("its values are too many or too large")))?;
        if array.len() == rows.count {
            Ok(array)
        } else {
            Err(Fault::new("it did not give one value for each row"))
        }
    }

    /// The first row that cannot be computed by itself.
    fn first_fault(&self, rows: &Rows, start: usize, end: usize) -> Option<(usize, Fault)> {
        let fault = self.compute(&rows.slice(start, end - start)).err()?;
        if end - start <= 1 {
            return (end > start).then_some((start, fault));
        }
        let half = start + (end - start) / 2;
        self.first_fault(rows, start, half)
            .or_else(|| self.first_fault(rows, half, end))
    }
}

/// Values as the type that the check promised.
pub(super) fn as_promised(array: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(array);
    }
    let wrong = || {
        Error::internal(format!(
            "an expression gave {} where {} was promised",
            name_of(array.data_type()),
            name_of(data_type)
        ))
    };
    cast(&array, data_type).map_err(|_| wrong())
}

fn understood(text: &str) -> Result<Node> {
    if text.len() > LONGEST_EXPRESSION || operator_count(text) > MAX_OPERATORS {
        let start: String = text.chars().take(40).collect();
        return Err(Error::usage(format!(
            "the expression that begins with `{start}` is too long"
        ))
        .hint(format!(
            "at most {LONGEST_EXPRESSION} bytes and {MAX_OPERATORS} operators work; `IN (…)` \
             counts as one"
        )));
    }
    parsed_apart(text)?.map_err(|refusal| match refusal {
        Refusal::NotUnderstood(reason) => Error::usage(format!(
            "cannot understand the expression `{text}`: {reason}"
        )),
        Refusal::Named => Error::usage(format!("the expression `{text}` names its result"))
            .hint("leave out the AS"),
        Refusal::OtherRows(what) => Error::usage(format!(
            "the expression `{text}` depends on more than its own row: `{what}`"
        ))
        .hint(
            "rows are scored in batches, so an expression may use only the values of its own row; \
             compute the rest beforehand",
        ),
        Refusal::Unsupported { what, hint } => Error::usage(format!(
            "the expression `{text}` uses {what}, which is not supported"
        ))
        .hint(hint),
    })
}

/// Parses on a thread of its own, whose stack does not depend on who calls.
fn parsed_apart(text: &str) -> Result<std::result::Result<Node, Refusal>> {
    let failed = |_| Error::internal("the parser's thread ended early");
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new()
            .stack_size(PARSER_STACK)
            .spawn_scoped(scope, || parse(text, 2 * MAX_OPERATORS));
        let parser = parser.map_err(|error| {
            Error::failed("cannot start a thread to parse an expression").because(error)
        })?;
        parser.join().map_err(failed)
    })
}

/// A bound on how deep the parsed expression can nest: symbols and words outside quotes, commas
/// aside.
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
    let mut near: Vec<(usize, &str)> = schema
        .fields()
        .iter()
        .map(|field| (distance(name, field.name()), field.name().as_str()))
        .collect();
    near.sort_unstable();
    let near_names = near
        .iter()
        .take_while(|(distance, _)| *distance <= 2 + name.len() / 4)
        .map(|(_, name)| format!("`{name}`"));
    let hint = match near_names.take(3).collect::<Vec<_>>() {
        names if names.is_empty() => format!(
            "the table has {}; text needs single quotes, `'north'`, and names with spaces or of \
             another case need double quotes",
            counted(near.len(), "column")
        ),
        names => format!("near names are {}", names.join(", ")),
    };
    Error::contract(format!(
        "the expression `{text}` reads a column that the table does not have"
    ))
    .at_column(name)
    .hint(hint)
}

/// How the column of texts that does not fit becomes a number or a date; none if there is none.
fn text_hint(node: &Node, rows: &Rows) -> Option<String> {
    let mut innermost = node;
    while let Some(inner) = innermost
        .inner()
        .into_iter()
        .find(|inner| evaluate(inner, rows).is_err())
    {
        innermost = inner;
    }
    let operands = innermost.inner();
    let name = operands.iter().find_map(|operand| match operand {
        Node::Column(name) if *rows.columns.get(name)?.data_type() == DataType::Utf8 => Some(name),
        _ => None,
    })?;
    let is_of = |test: fn(&DataType) -> bool| {
        let values = operands.iter().filter_map(|one| evaluate(one, rows).ok());
        values.into_iter().any(|value| test(value.data_type()))
    };
    let (sql, flag) = if is_of(|found| matches!(found, DataType::Date32 | DataType::Timestamp(..)))
    {
        ("DATE", "date")
    } else if is_of(|found| *found == DataType::Boolean) {
        ("BOOLEAN", "boolean")
    } else {
        ("DOUBLE", "float64")
    };
    let is_plain = name
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let quoted = if is_plain {
        name.clone()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    };
    let listed = if name.contains([',', '"', '=']) {
        &quoted
    } else {
        name
    };
    let typed = shell_word(&format!("{listed}={flag}"));
    let numbers = if flag == "float64" {
        ", which reads numbers as `--decimal` and `--thousands` say"
    } else {
        ""
    };
    Some(format!(
        "`{name}` is text: for delimited text pass `--types {typed}`{numbers}; else write \
         `CAST({quoted} AS {sql})`"
    ))
}
