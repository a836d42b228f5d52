//! What is known of an operator before a node of it is built: its names, versions and number of
//! inputs, what it does to rows and element types, what it can be to the passes, and the function
//! that builds it.

use super::operand::Operands;
use super::operator::{Built, Definition};
use super::pass::role::{ColumnRole, Joint, Role};
use super::pass::writer::{Made, Writer};
use super::tensor::Tensor;
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
    /// The least and the largest number of inputs.
    pub(super) inputs: (usize, usize),
    /// What is done about narrow element types.
    pub(super) widening: Widening,
    /// Whether the first input may be a block of columns.
    pub(super) takes_blocks: bool,
    /// What the other rows of its first input are to a row, which is the same row of its outputs.
    pub(super) row_mixing: RowMixing,
    /// The family whose kernels do its work, if one does.
    pub(super) family: Option<&'static str>,
    /// What a node of it can be to the passes.
    pub(super) roles: Roles,
    /// Builds a kernel of a node.
    pub(super) build: Build,
}

/// Finds out of a node's definition and its operands, which are all listed, what the node can be.
type Recognise<T> = fn(&Definition, &Operands<'_>) -> Option<T>;

/// What a node of an operator can be to the passes.
#[derive(Clone, Copy)]
pub(super) struct Roles {
    /// In a chain of layers.
    pub(super) chain: Option<Recognise<Role>>,
    /// Next to a convolution.
    pub(super) joint: Option<Recognise<Joint>>,
    /// To the columns of a table.
    pub(super) column: Option<Recognise<ColumnRole>>,
}

impl Roles {
    /// None.
    pub(super) const NONE: Self = Self {
        chain: None,
        joint: None,
        column: None,
    };
}

/// What the rows alongside a row are to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowMixing {
    /// Nothing, where the rows are the first axis of its input.
    Nothing,
    /// Not known.
    Unknown,
    /// Its result for a row depends on them.
    Mixed,
}

/// How an operator builds a kernel of a node.
#[derive(Clone, Copy)]
pub(super) enum Build {
    /// Of its definition.
    Plain(fn(&Definition) -> Result<Built>),
    /// Of its definition and those inputs that never change, which are packed once.
    Packing(fn(&Definition, &[Option<Tensor>]) -> Result<Built>),
    /// Of other operators, as which it is written out; outputs that nothing reads may be dropped.
    Written(fn(&mut Writer<'_>) -> Result<Made>),
}

/// As many inputs as the node likes.
pub(super) const ANY: usize = usize::MAX;

impl Entry {
    /// An operator of `ai.onnx`, of every version, that takes what it gets.
    pub(super) const fn new(
        name: &'static str,
        least: usize,
        most: usize,
        build: fn(&Definition) -> Result<Built>,
    ) -> Self {
        Self::with(name, (least, most), Build::Plain(build))
    }

    /// The same for one that packs inputs that never change.
    pub(super) const fn packing(
        name: &'static str,
        least: usize,
        most: usize,
        build: fn(&Definition, &[Option<Tensor>]) -> Result<Built>,
    ) -> Self {
        Self::with(name, (least, most), Build::Packing(build))
    }

    /// An operator of ONNX Runtime that is written out as several of `ai.onnx`.
    pub(super) const fn written(
        name: &'static str,
        least: usize,
        most: usize,
        write: fn(&mut Writer<'_>) -> Result<Made>,
    ) -> Self {
        Self::with(name, (least, most), Build::Written(write)).of(MICROSOFT)
    }

    const fn with(name: &'static str, inputs: (usize, usize), build: Build) -> Self {
        Self {
            domain: "",
            name,
            since: 1,
            until: i64::MAX,
            inputs,
            widening: Widening::None,
            takes_blocks: false,
            row_mixing: RowMixing::Unknown,
            family: None,
            roles: Roles::NONE,
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

    /// Whatever stands alongside a row.
    pub(super) const fn by_row(mut self) -> Self {
        self.row_mixing = RowMixing::Nothing;
        self
    }

    /// Where the result for a row depends on all rows.
    pub(super) const fn by_all_rows(mut self) -> Self {
        self.row_mixing = RowMixing::Mixed;
        self
    }

    /// With a role in chains of layers.
    pub(super) const fn chains(mut self, recognise: Recognise<Role>) -> Self {
        self.roles.chain = Some(recognise);
        self
    }

    /// With a role next to convolutions.
    pub(super) const fn joins(mut self, recognise: Recognise<Joint>) -> Self {
        self.roles.joint = Some(recognise);
        self
    }

    /// With a role among the columns of a table.
    pub(super) const fn columns(mut self, recognise: Recognise<ColumnRole>) -> Self {
        self.roles.column = Some(recognise);
        self
    }

    /// With the kernels of this family.
    pub(super) const fn family(mut self, family: &'static str) -> Self {
        self.family = Some(family);
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
