//! The operators that are written here.
//!
//! Owns the list and the search in it. Families of operators are in [`op`].

use super::entry::{Entry, MICROSOFT, ML};
use super::{op, pass};

/// The largest version of each domain that is known.
const NEWEST: [(&str, i64); 3] = [("", 28), (ML, 5), (MICROSOFT, 1)];

static FAMILIES: &[&[Entry]] = &[
    op::elementwise::OPERATORS,
    op::activation::OPERATORS,
    op::logic::OPERATORS,
    op::shape::OPERATORS,
    op::conversion::OPERATORS,
    op::movement::OPERATORS,
    op::gather::OPERATORS,
    op::reduction::OPERATORS,
    op::product::OPERATORS,
    op::einsum::OPERATORS,
    op::determinant::OPERATORS,
    op::selection::OPERATORS,
    op::normalization::OPERATORS,
    op::ml_features::OPERATORS,
    op::ml_categories::OPERATORS,
    op::ml_linear::OPERATORS,
    op::ml_trees::OPERATORS,
    op::control::OPERATORS,
    op::convolution::OPERATORS,
    op::pooling::OPERATORS,
    op::power::OPERATORS,
    op::recurrent::OPERATORS,
    op::quantised::OPERATORS,
    op::quantised_fused::OPERATORS,
    op::heads::OPERATORS,
    op::text::OPERATORS,
    op::resize::OPERATORS,
    op::grid::OPERATORS,
    op::region::OPERATORS,
    op::attention::OPERATORS,
    op::sequence::OPERATORS,
    op::loss::OPERATORS,
    op::spectrum::OPERATORS,
    pass::expansion::OPERATORS,
];

/// Whether an operator set is newer than any that is known, so that its operators may mean
/// something else.
pub(crate) fn is_too_new(domain: &str, version: i64) -> bool {
    NEWEST
        .iter()
        .any(|(known, newest)| *known == domain && version > *newest)
}

/// Every operator.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The operator of this name, in this domain and version.
pub(crate) fn find(domain: &str, name: &str, version: i64) -> Option<&'static Entry> {
    all().find(|entry| {
        entry.domain == domain
            && entry.name == name
            && (entry.since..=entry.until).contains(&version)
    })
}
