//! The operators that are known: domain, name, versions, number of inputs, and the function that
//! makes a kernel of a node.
//!
//! Owns the list and the search in it. Families of operators are in the files beside this one.

use super::operator::{Definition, Kernel};
use crate::error::Result;

/// What is done about element types that an operator's arithmetic does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Widening {
    /// Nothing: the operator takes what it gets.
    None,
    /// 16-bit floats become single precision on the way in and come back on the way out.
    Floats,
    /// As floats; narrow integers become 64-bit ones and come back, wrapping.
    All,
    /// All narrow numbers on the way in; what comes out stays.
    In,
}

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

/// The greatest version of each domain that is known.
const NEWEST: [(&str, i64); 3] = [("", 28), (ML, 5), (MICROSOFT, 1)];

static FAMILIES: &[&[Entry]] = &[
    super::op::elementwise::OPERATORS,
    super::op::activation::OPERATORS,
    super::op::logic::OPERATORS,
    super::op::shape::OPERATORS,
    super::op::conversion::OPERATORS,
    super::op::movement::OPERATORS,
    super::op::gather::OPERATORS,
    super::op::reduction::OPERATORS,
    super::op::product::OPERATORS,
    super::op::selection::OPERATORS,
    super::op::normalization::OPERATORS,
    super::op::ml_features::OPERATORS,
    super::op::ml_linear::OPERATORS,
    super::op::ml_trees::OPERATORS,
    super::op::control::OPERATORS,
    super::op::convolution::OPERATORS,
    super::op::pooling::OPERATORS,
    super::op::recurrent::OPERATORS,
    super::op::quantised::OPERATORS,
    super::op::quantised_fused::OPERATORS,
    super::op::heads::OPERATORS,
    super::op::text::OPERATORS,
    super::op::resize::OPERATORS,
    super::op::grid::OPERATORS,
    super::op::region::OPERATORS,
    super::op::attention::OPERATORS,
    super::op::sequence::OPERATORS,
    super::op::loss::OPERATORS,
    super::op::spectrum::OPERATORS,
];

/// Whether an operator set is newer than any that is known, so that its operators may mean
/// something else.
pub(crate) fn is_too_new(domain: &str, version: i64) -> bool {
    NEWEST
        .iter()
        .any(|(known, newest)| *known == domain && version > *newest)
}

/// Every operator.
fn all() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// Whether the operator of this name is known, in this domain and version.
pub(crate) fn is_known(domain: &str, name: &str, version: i64) -> bool {
    find(domain, name, version).is_some() || super::pass::expansion::is_written_out(domain, name)
}

/// The operator of this name, in this domain and version.
pub(crate) fn find(domain: &str, name: &str, version: i64) -> Option<&'static Entry> {
    all().find(|entry| {
        entry.domain == domain
            && entry.name == name
            && (entry.since..=entry.until).contains(&version)
    })
}

/// (domain, name) of every operator that is known, sorted; the domain of `ai.onnx` is spelt out.
#[must_use]
pub fn operators() -> Vec<(&'static str, &'static str)> {
    let own = all().map(|entry| {
        (
            if entry.domain.is_empty() {
                "ai.onnx"
            } else {
                entry.domain
            },
            entry.name,
        )
    });
    let mut names: Vec<_> = own
        .chain(super::pass::expansion::names().map(|name| (MICROSOFT, name)))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}
