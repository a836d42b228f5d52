//! The labels of a classifier's classes.

use super::object::Object;
use crate::error::Result;
use crate::format::python::describe::texts;
use crate::format::python::numpy::{Array, Elements, Kind, Number};
use crate::format::python::record::{Id, Value};
use crate::outcome::{ABOVE_HALF, Label, Task};

/// Whether an estimator has classes.
pub(super) fn has_labels(object: &Object) -> bool {
    let holders = [
        "classes_",
        "_classes",
        "_label_binarizer",
        "label_binarizer_",
        "le_",
    ];
    holders.iter().any(|name| object.find(name).is_some())
}

/// Whether an attribute holds an array of classes for each of several outputs.
pub(super) fn has_outputs(object: &Object, name: &str) -> bool {
    let list = object.find(name).and_then(|id| object.arena.items(id));
    list.is_some_and(|list| {
        !list.is_empty() && list.iter().all(|id| object.arena.array(*id).is_some())
    })
}

/// The labels of the classes.
pub(super) fn labels(object: &Object) -> Result<Vec<Label>> {
    let own = object.find("classes_").or_else(|| object.find("_classes"));
    let holder = if own.is_some() {
        object.clone()
    } else if object.find("_label_binarizer").is_some() {
        object.attribute("_label_binarizer")?
    } else if object.find("label_binarizer_").is_some() {
        object.attribute("label_binarizer_")?
    } else {
        object.attribute("le_")?
    };
    let name = if holder.find("classes_").is_some() {
        "classes_"
    } else {
        "_classes"
    };
    if has_outputs(&holder, name) {
        return Err(object.refuse("several outputs of classes are not supported"));
    }
    labels_of(object, holder.array(name)?)
}

fn real(value: f64) -> Label {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        Label::Integer(value as i64)
    } else {
        Label::Text(value.to_string())
    }
}

fn boolean(value: bool) -> Label {
    Label::Text(if value { "True" } else { "False" }.to_owned())
}

/// The label that a value is.
pub(super) fn label_of(object: &Object, id: Id) -> Result<Label> {
    match object.arena.get(id) {
        Value::Integer(value) => Ok(Label::Integer(*value)),
        Value::Float(value) => Ok(real(*value)),
        Value::Boolean(value) => Ok(boolean(*value)),
        _ => match object.arena.text(id) {
            Some(text) => Ok(Label::Text(text.to_owned())),
            None => Err(object.refuse("a class is of an unknown type")),
        },
    }
}

/// The labels in an array.
pub(super) fn labels_of(object: &Object, array: &Array) -> Result<Vec<Label>> {
    if let Elements::Objects(list) = array.elements {
        let items = object.arena.items(list).unwrap_or_default().iter();
        return items.map(|id| label_of(object, *id)).collect();
    }
    if array.data_type.kind == Kind::Text {
        let texts = texts(object.arena, array).unwrap_or_default();
        return Ok(texts.into_iter().map(Label::Text).collect());
    }
    let is_boolean = array.data_type.kind == Kind::Boolean;
    let label = |number: Number| match number {
        Number::Integer(value) if is_boolean => boolean(value != 0),
        Number::Integer(value) => Label::Integer(value),
        Number::Unsigned(value) => Label::Integer(value as i64),
        Number::Float(value) => real(value),
    };
    Ok(array.numbers()?.into_iter().map(label).collect())
}

/// The task of a classifier with probabilities: of two classes, that of the second.
pub(super) fn task_of(labels: Vec<Label>) -> Task {
    match <[Label; 2]>::try_from(labels) {
        Ok(labels) => Task::Binary {
            labels,
            threshold: ABOVE_HALF,
        },
        Err(labels) => Task::Classes {
            labels,
            probabilities: true,
        },
    }
}

/// The task of a classifier with probabilities, and the number of its classes.
pub(super) fn classes(object: &Object) -> Result<(Task, usize)> {
    let labels = labels(object)?;
    let count = labels.len();
    if count < 2 {
        return Err(object.refuse("a classifier of one class is not supported"));
    }
    Ok((task_of(labels), count))
}

/// The labels as numbers.
pub(super) fn values_of(labels: &[Label]) -> Option<Vec<f64>> {
    let value = |label: &Label| match label {
        Label::Integer(value) => Some(*value as f64),
        Label::Text(text) => text.parse().ok(),
    };
    labels.iter().map(value).collect()
}
