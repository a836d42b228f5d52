//! What a graph's inputs and outputs are declared to be, and values of such kinds as test data
//! files hold them.

use super::schema::{OptionalProto, SequenceProto, TensorProto, TypeProto, ValueInfo};
use super::tensor::{External, decode};
use crate::error::{Error, Result};
use crate::format::wire::protobuf::{Budget, Message};
use crate::graph::{ElementType, Value};

/// What flows through an input or output.
#[derive(Clone, Debug, PartialEq)]
pub enum PortKind {
    /// A tensor.
    Tensor {
        /// What its elements are; none if the file does not say.
        element: Option<ElementType>,
        /// The lengths of its axes, none where they may vary; none if even their number is open.
        shape: Option<Vec<Option<usize>>>,
    },
    /// A sequence; true if its elements are maps, as `ZipMap` gives.
    Sequence {
        /// Whether its elements are maps.
        of_maps: bool,
    },
    /// An optional value; true if it holds a sequence.
    Optional {
        /// Whether it holds a sequence.
        of_sequence: bool,
    },
    /// A map.
    Map,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What flows through it.
    pub kind: PortKind,
    /// What the file calls the axes of a tensor; empty for those without a name.
    pub axis_names: Vec<String>,
}

impl Port {
    /// # Errors
    /// A contract error for tensors of types that tallow does not compute with.
    pub(super) fn of(info: &ValueInfo) -> Result<Self> {
        let kind = match &info.value_type {
            None => PortKind::Tensor {
                element: None,
                shape: None,
            },
            Some(declared) => {
                kind(declared).map_err(|error| error.at_node(format!("`{}`", info.name)))?
            }
        };
        let shape = info
            .value_type
            .as_ref()
            .and_then(|declared| declared.tensor.as_ref())
            .and_then(|tensor| tensor.shape.as_ref());
        let axis_names = shape
            .map(|shape| {
                shape
                    .dimensions
                    .iter()
                    .map(|one| one.name.to_owned())
                    .collect()
            })
            .unwrap_or_default();
        Ok(Self {
            name: info.name.to_owned(),
            kind,
            axis_names,
        })
    }
}

fn kind(declared: &TypeProto) -> Result<PortKind> {
    if let Some(tensor) = &declared.tensor {
        let length = |value: i64| usize::try_from(value).ok();
        let shape = tensor.shape.as_ref().map(|shape| {
            shape
                .dimensions
                .iter()
                .map(|one| one.value.and_then(length))
                .collect()
        });
        let element = if tensor.element == 0 {
            None
        } else {
            Some(ElementType::from_code(tensor.element)?)
        };
        return Ok(PortKind::Tensor { element, shape });
    }
    if let Some(sequence) = &declared.sequence {
        return Ok(PortKind::Sequence {
            of_maps: sequence
                .element
                .as_ref()
                .is_some_and(|element| element.map.is_some()),
        });
    }
    if let Some(optional) = &declared.optional {
        return Ok(PortKind::Optional {
            of_sequence: optional
                .element
                .as_ref()
                .is_some_and(|element| element.sequence.is_some()),
        });
    }
    if declared.map.is_some() {
        return Ok(PortKind::Map);
    }
    Err(Error::contract(
        "sparse and opaque values are not supported",
    ))
}

/// A value of this port in the form in which the ONNX project's test data hold it: `TensorProto`,
/// `SequenceProto` or `OptionalProto`.
///
/// # Errors
/// Fails for a broken file; a contract error for types that are not supported.
pub fn read_value(bytes: &[u8], kind: &PortKind) -> Result<Value> {
    let budget = Budget::new();
    let external = External::new(None);
    let message = Message::new(bytes, &budget);
    let sequence = |sequence: &SequenceProto| {
        let tensors = sequence
            .tensors
            .iter()
            .map(|tensor| decode(tensor, &external).map(Value::Tensor));
        Ok::<_, Error>(Value::Sequence(tensors.collect::<Result<Vec<Value>>>()?))
    };
    match kind {
        PortKind::Tensor { .. } => {
            decode(&TensorProto::read(message)?, &external).map(Value::Tensor)
        }
        PortKind::Sequence { .. } => sequence(&SequenceProto::read(message)?),
        PortKind::Optional { .. } => {
            let optional = OptionalProto::read(message)?;
            let inner = match (&optional.tensor, &optional.sequence) {
                (Some(tensor), _) => Some(Value::Tensor(decode(tensor, &external)?)),
                (None, Some(inner)) => Some(sequence(inner)?),
                (None, None) => None,
            };
            Ok(Value::Optional(inner.map(Box::new)))
        }
        PortKind::Map => Err(Error::contract("maps are not read from files")),
    }
}

impl std::fmt::Display for PortKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tensor { element, shape } => {
                let element = element.map_or_else(|| "any".to_owned(), ElementType::name);
                let length = |length: &Option<usize>| {
                    length.map_or_else(|| "?".to_owned(), |length| length.to_string())
                };
                let shape = shape.as_ref().map_or_else(
                    || "…".to_owned(),
                    |shape| shape.iter().map(length).collect::<Vec<_>>().join(" × "),
                );
                write!(f, ": {element}[{shape}]")
            }
            Self::Sequence { of_maps: true } => f.write_str(": sequence of maps"),
            Self::Sequence { .. } => f.write_str(": sequence"),
            Self::Optional { .. } => f.write_str(": optional"),
            Self::Map => f.write_str(": map"),
        }
    }
}
