//! What is known of an operator before a node of it is built: its names, versions and number of
//! inputs, what it does to rows and element types, and the function that builds it.

use super::operator::{Definition, Kernel};
use super::widening::Widening;
use crate::error::Result;

/// One operator.
pub(crate) struct Entry {
    /// The domain; empty for `ai.onnx`.
    pub(super) domain: &'static str,
    /// The name in `NodeProto.op_type`.
    pub(super) name: &'static str,
    /// The first operator set whose meaning is implemented.
    pub(super) since: i64,
    /// The last operator set that has the operator in this form.
    pub(super) until: i64,
    /// The least and the greatest number of inputs.
    pub(super) inputs: (usize, usize),
    /// What is done about narrow element types.
    pub(super) widening: Widening,
    /// Whether the first input may be a block of columns.
    pub(super) takes_blocks: bool,
    /// Whether it makes of each row of its first input, which is the same row of its outputs, what
    /// it would make of it alone.
    pub(super) keeps_rows_apart: bool,
    /// Makes a kernel of a node.
    pub(super) build: fn(&Definition) -> Result<Kernel>,
}

/// As many inputs as the node likes.
pub(super) const ANY: usize = usize::MAX;

impl Entry {
    /// An operator of `ai.onnx`, of every version, that takes what it gets.
    pub(super) const fn new(
        name: &'static str,
        least: usize,
        most: usize,
        build: fn(&Definition) -> Result<Kernel>,
    ) -> Self {
        let (inputs, widening) = ((least, most), Widening::None);
        Self {
            domain: "",
            name,
            since: 1,
            until: i64::MAX,
            inputs,
            widening,
            takes_blocks: false,
            keeps_rows_apart: false,
            build,
        }
    }

    /// The same in another domain.
    pub(super) const fn of(mut self, domain: &'static str) -> Self {
        self.domain = domain;
        self
    }

    /// From this operator set on.
    pub(super) const fn since(mut self, version: i64) -> Self {
        self.since = version;
        self
    }

    /// With blocks of columns as they are.
    pub(super) const fn blocks(mut self) -> Self {
        self.takes_blocks = true;
        self
    }

    /// Whatever stands beside a row.
    pub(super) const fn by_row(mut self) -> Self {
        self.keeps_rows_apart = true;
        self
    }

    /// With 16-bit floats widened.
    pub(super) const fn floats(mut self) -> Self {
        self.widening = Widening::Floats;
        self
    }

    /// With all narrow numbers widened on the way in only.
    pub(super) const fn widened_in(mut self) -> Self {
        self.widening = Widening::In;
        self
    }

    /// With all narrow numbers widened.
    pub(super) const fn widened(mut self) -> Self {
        self.widening = Widening::All;
        self
    }
}

/// The domain of classical machine learning.
pub(super) const ML: &str = "ai.onnx.ml";

/// The domain of what ONNX Runtime adds.
pub(super) const MICROSOFT: &str = "com.microsoft";
