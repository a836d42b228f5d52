//! Labels of a pipeline's steps, which are kept only where it is imported to be followed.
//!
//! Owns what a step is called. It must not know what steps do.

use std::sync::Arc;

use crate::model::trace::{self, Keep};

/// Which step of the saved object it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Label {
    /// The steps that lead to it, such as `prep → cat`; its class for the whole.
    pub(super) path: String,
    /// Its class.
    pub(super) class: String,
}

/// That a column is an output of a step.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) label: Arc<Label>,
    /// Which output of the step the column is.
    pub(super) index: usize,
    /// The outputs of the step.
    pub(super) count: usize,
}

/// Whether a pipeline that is imported now will be followed.
pub(super) fn is_kept() -> bool {
    trace::kept() > Keep::Nothing
}
