//! The groups of what was found in the values of inputs, by which they are counted for a user.
//!
//! Owns which kind belongs to which group.

/// The groups, in the order in which they are shown.
pub(super) const GROUPS: [&str; 4] = ["missing", "unseen", "invalid", "coerced"];

/// The group of a kind of values; none for numbers in delimited text, which are what they should
/// be.
pub(super) fn value_group(kind: &str) -> Option<&'static str> {
    match kind {
        "text_to_number" => None,
        "missing" => Some("missing"),
        "unseen" => Some("unseen"),
        "not_a_number" => Some("invalid"),
        _ => Some("coerced"),
    }
}
