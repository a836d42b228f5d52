//! What models write and links read: the margins of a block of rows.

use crate::feature::Precision;

/// Raw scores before any link, row-major: the margin of (row, output) lies at `row * margin_count +
/// output`.
#[derive(Clone, Debug, PartialEq)]
pub enum Margins {
    /// Of models that compute in [`Precision::Single`].
    Single(Vec<f32>),
    /// Of models that compute in [`Precision::Double`].
    Double(Vec<f64>),
}

impl Margins {
    /// No margins of this precision.
    #[must_use]
    pub fn empty(precision: Precision) -> Self {
        match precision {
            Precision::Single => Self::Single(Vec::new()),
            Precision::Double => Self::Double(Vec::new()),
        }
    }

    /// The number of margins: rows times outputs.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Single(values) => values.len(),
            Self::Double(values) => values.len(),
        }
    }

    /// Whether there is no margin at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
