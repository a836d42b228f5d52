//! The names of classes, and columns of them.
//!
//! It must not know how a class is chosen.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};

/// A class's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Label {
    /// An integer.
    Integer(i64),
    /// A text.
    Text(String),
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

/// The labels of what is true or not.
pub(super) const FLAGS: [Label; 2] = [Label::Integer(0), Label::Integer(1)];

pub(super) fn flag_field(name: &str) -> Field {
    label_field(&FLAGS).with_name(format!("prediction_{name}"))
}

pub(super) fn label_field(labels: &[Label]) -> Field {
    let numbers = labels
        .iter()
        .all(|label| matches!(label, Label::Integer(_)));
    Field::new(
        "prediction",
        if numbers {
            DataType::Int64
        } else {
            DataType::Utf8
        },
        true,
    )
}

/// The labels of the classes; null where there is none, because a score that decides is NaN.
pub(super) fn label_array(
    labels: &[Label],
    classes: impl Iterator<Item = Option<usize>>,
) -> ArrayRef {
    let labels_of = classes.map(|class| class.and_then(|class| labels.get(class)));
    let number = |label: &Label| {
        if let Label::Integer(value) = label {
            Some(*value)
        } else {
            None
        }
    };
    if labels.iter().all(|label| number(label).is_some()) {
        return Arc::new(
            labels_of
                .map(|label| label.and_then(number))
                .collect::<Int64Array>(),
        );
    }
    Arc::new(
        labels_of
            .map(|label| label.map(ToString::to_string))
            .collect::<StringArray>(),
    )
}
