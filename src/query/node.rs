//! What an expression is once it is understood: a small tree of our own, of which every part looks
//! at its own row alone.
//!
//! It must not know SQL's text or Arrow's kernels.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;

use super::calendar::{Field, Span};

/// A value that stands in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Digits and how many of them stand behind the point.
    Decimal(i128, u8),
    Double(f64),
    Text(String),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970.
    Timestamp(i64),
}

/// `+ - * / // %`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Remainder,
}

/// `= <> < <= > >=`, and equality in which null equals null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Distinct,
    NotDistinct,
}

/// How a text is compared with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// `LIKE` and `ILIKE`, with the character that takes the next one literally.
    Like {
        folds_case: bool,
        escape: Option<char>,
    },
    /// A regular expression: anywhere, or for the whole text.
    Regex { folds_case: bool, is_whole: bool },
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Column(String),
    Literal(Literal),
    Span(Span),
    Negate(Box<Node>),
    Not(Box<Node>),
    Arithmetic(Operator, Box<Node>, Box<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    Between {
        value: Box<Node>,
        low: Box<Node>,
        high: Box<Node>,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    IsNull(Box<Node>),
    /// Whether a boolean is this one; never null.
    IsTruth(Box<Node>, bool),
    In(Box<Node>, Vec<Node>),
    Case {
        operand: Option<Box<Node>>,
        branches: Vec<(Node, Node)>,
        otherwise: Option<Box<Node>>,
    },
    Coalesce(Vec<Node>),
    Matches {
        value: Box<Node>,
        pattern: Box<Node>,
        how: Pattern,
    },
    Cast {
        value: Box<Node>,
        target: DataType,
        tries: bool,
    },
    /// Null where the value cannot be computed.
    Try(Box<Node>),
    Extract(Field, Box<Node>),
    Call(&'static str, Vec<Node>),
}

/// The parts of a node, by the methods that borrow them.
macro_rules! inner {
    ($node:expr, $iter:ident, $as_ref:ident, $as_deref:ident) => {
        match $node {
            Self::Column(_) | Self::Literal(_) | Self::Span(_) => Vec::new(),
            Self::Negate(one)
            | Self::Not(one)
            | Self::IsNull(one)
            | Self::IsTruth(one, _)
            | Self::Try(one)
            | Self::Extract(_, one) => vec![one],
            Self::Cast { value, .. } => vec![value],
            Self::Arithmetic(_, left, right)
            | Self::Compare(_, left, right)
            | Self::And(left, right)
            | Self::Or(left, right) => vec![left, right],
            Self::Between { value, low, high } => vec![value, low, high],
            Self::Matches { value, pattern, .. } => vec![value, pattern],
            Self::In(value, list) => std::iter::once(value.$as_ref()).chain(list).collect(),
            Self::Coalesce(nodes) | Self::Call(_, nodes) => nodes.$iter().collect(),
            Self::Case {
                operand,
                branches,
                otherwise,
            } => {
                let branches = branches.$iter().flat_map(|(when, then)| [when, then]);
                operand
                    .$as_deref()
                    .into_iter()
                    .chain(branches)
                    .chain(otherwise.$as_deref())
                    .collect()
            }
        }
    };
}

impl Node {
    /// The parts that stand directly in this one.
    pub(super) fn inner(&self) -> Vec<&Self> {
        inner!(self, iter, as_ref, as_deref)
    }

    /// The same, to be changed.
    pub(super) fn inner_mut(&mut self) -> Vec<&mut Self> {
        inner!(self, iter_mut, as_mut, as_deref_mut)
    }

    /// The columns that the expression reads, as numbers or as they are written.
    pub(super) fn columns(&self) -> BTreeSet<String> {
        let mut columns = BTreeSet::new();
        let mut open = vec![self];
        while let Some(node) = open.pop() {
            if let Self::Column(name) = node {
                columns.insert(name.clone());
            }
            open.extend(node.inner());
        }
        columns
    }
}
