//! Columns that are numbers to expressions and were written as text.
//!
//! Owns which parts of an expression see the text: what makes a text of the column itself. A number
//! has lost how it was written, so `CAST(amount AS VARCHAR)` of `2.50` would be `2.5`, and of `1`
//! `1.0`. It must not know where the text comes from.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;

use super::node::Node;

/// Behind the name of a column: its text. No column of a table has such a name.
const SUFFIX: &str = "\0as written";

/// Functions that take values of any type and make a text of them.
const JOINERS: [&str; 3] = ["||", "concat", "concat_ws"];

/// The name under which expressions read the text of a column.
#[must_use]
pub fn text_name(column: &str) -> String {
    format!("{column}{SUFFIX}")
}

/// The column that a name reads, and whether it reads its text.
pub(super) fn column_of(name: &str) -> (&str, bool) {
    match name.strip_suffix(SUFFIX) {
        Some(column) => (column, true),
        None => (name, false),
    }
}

/// The expression, in which those of the columns that are made text are read as they are written.
pub(super) fn read_as_written(node: &mut Node, written: &BTreeSet<String>) {
    if written.is_empty() {
        return;
    }
    if let Node::Cast { value, target, .. } = node
        && *target == DataType::Utf8
        && let Some(text) = text_of(value, written)
    {
        *node = text;
        return;
    }
    let is_joiner = matches!(node, Node::Call(name, _) if JOINERS.contains(name));
    for inner in node.inner_mut() {
        match text_of(inner, written).filter(|_| is_joiner) {
            Some(text) => *inner = text,
            None => read_as_written(inner, written),
        }
    }
}

/// The text of a column that is written.
fn text_of(node: &Node, written: &BTreeSet<String>) -> Option<Node> {
    match node {
        Node::Column(name) if written.contains(name) => Some(Node::Column(text_name(name))),
        _ => None,
    }
}
