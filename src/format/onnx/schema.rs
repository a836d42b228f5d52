//! The faithful struct of an ONNX file: `ModelProto` and all that it holds, borrowed from the
//! file's bytes.
//!
//! Owns field numbers and nothing else: names are unresolved, tensors undecoded. Source:
//! `onnx.proto`, IR version 14.

use super::attribute::{AttributeProto, UNREAD};
use crate::background::each;
use crate::error::Result;
use crate::format::wire::protobuf::{Message, Wire};

/// Implements reading a message: each arm takes a field of that number; others are skipped, as the
/// format asks.
macro_rules! outermost {
    ($name:ident { $($number:literal => |$self:ident, $wire:ident| $body:expr,)* }) => {
        impl<'a> $name<'a> {
            pub(super) fn read(mut message: Message<'a>) -> Result<Self> {
                let mut value = Self::default();
                while let Some((number, wire)) = message.next()? {
                    match number {
                        $($number => { let ($self, $wire) = (&mut value, wire); $body; })*
                        _ => {}
                    }
                }
                Ok(value)
            }
        }
    };
}

/// The same, of a message that lies in a field of another.
macro_rules! message {
    ($name:ident { $($arms:tt)* }) => {
        outermost!($name { $($arms)* });

        impl<'a> $name<'a> {
            pub(super) fn inside(wire: Wire<'a>) -> Result<Self> {
                Self::read(wire.message()?)
            }
        }
    };
}

#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    pub(super) ir_version: i64,
    pub(super) producer_name: &'a str,
    pub(super) producer_version: &'a str,
    pub(super) graph: Option<Graph<'a>>,
    pub(super) opset_import: Vec<OperatorSet<'a>>,
    pub(super) metadata: Vec<Pair<'a>>,
    pub(super) functions: Vec<Function<'a>>,
}

outermost!(Model {
    1 => |model, wire| model.ir_version = wire.integer()?,
    2 => |model, wire| model.producer_name = wire.text()?,
    3 => |model, wire| model.producer_version = wire.text()?,
    7 => |model, wire| model.graph = Some(Graph::inside(wire)?),
    8 => |model, wire| model.opset_import.push(OperatorSet::inside(wire)?),
    14 => |model, wire| model.metadata.push(Pair::inside(wire)?),
    25 => |model, wire| model.functions.push(Function::inside(wire)?),
});

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct OperatorSet<'a> {
    pub(super) domain: &'a str,
    pub(super) version: i64,
}

message!(OperatorSet {
    1 => |set, wire| set.domain = wire.text()?,
    2 => |set, wire| set.version = wire.integer()?,
});

#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) key: &'a str,
    pub(super) value: &'a str,
}

message!(Pair {
    1 => |pair, wire| pair.key = wire.text()?,
    2 => |pair, wire| pair.value = wire.text()?,
});

#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: Vec<TensorProto<'a>>,
    pub(super) sparse_initializers: Vec<SparseTensorProto<'a>>,
    pub(super) inputs: Vec<ValueInfo<'a>>,
    pub(super) outputs: Vec<ValueInfo<'a>>,
}

message!(Graph {
    1 => |graph, wire| graph.nodes.push(Node::inside(wire)?),
    5 => |graph, wire| graph.initializers.push(TensorProto::inside(wire)?),
    11 => |graph, wire| graph.inputs.push(ValueInfo::inside(wire)?),
    12 => |graph, wire| graph.outputs.push(ValueInfo::inside(wire)?),
    15 => |graph, wire| graph.sparse_initializers.push(SparseTensorProto::inside(wire)?),
});

#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) name: &'a str,
    pub(super) operator: &'a str,
    pub(super) domain: &'a str,
    pub(super) overload: &'a str,
    pub(super) attributes: Vec<AttributeProto<'a>>,
}

impl<'a> Node<'a> {
    /// A node without attributes, for tests.
    #[cfg(test)]
    pub(super) fn new(operator: &'a str, inputs: &[&'a str], outputs: &[&'a str]) -> Self {
        Self {
            operator,
            inputs: inputs.to_vec(),
            outputs: outputs.to_vec(),
            ..Self::default()
        }
    }

    fn inside(wire: Wire<'a>) -> Result<Self> {
        let mut message = wire.message()?;
        let (mut node, mut attributes) = (Self::default(), Vec::new());
        while let Some((number, wire)) = message.next()? {
            match number {
                1 => node.inputs.push(wire.text()?),
                2 => node.outputs.push(wire.text()?),
                3 => node.name = wire.text()?,
                4 => node.operator = wire.text()?,
                5 => attributes.push(wire.message()?),
                7 => node.domain = wire.text()?,
                8 => node.overload = wire.text()?,
                _ => {}
            }
        }
        // A forest's are as large as its file.
        let attributes = each(&attributes, Message::byte_count, |message| {
            AttributeProto::read(*message)
        })?;
        node.attributes = attributes
            .into_iter()
            .filter(|one| one.as_ref().map_or(true, |one| !UNREAD.contains(&one.name)))
            .collect::<Result<_>>()?;
        Ok(node)
    }
}

#[derive(Debug, Default)]
pub(super) struct TensorProto<'a> {
    pub(super) name: &'a str,
    pub(super) dims: Vec<i64>,
    pub(super) data_type: i64,
    pub(super) floats: Vec<f32>,
    pub(super) int32s: Vec<i64>,
    pub(super) strings: Vec<&'a [u8]>,
    pub(super) int64s: Vec<i64>,
    pub(super) raw: Option<&'a [u8]>,
    pub(super) doubles: Vec<f64>,
    pub(super) uint64s: Vec<i64>,
    pub(super) external: Vec<Pair<'a>>,
    pub(super) location: i64,
    pub(super) is_segmented: bool,
}

message!(TensorProto {
    1 => |tensor, wire| wire.integers(&mut tensor.dims)?,
    2 => |tensor, wire| tensor.data_type = wire.integer()?,
    3 => |tensor, _wire| tensor.is_segmented = true,
    4 => |tensor, wire| wire.floats(&mut tensor.floats)?,
    5 => |tensor, wire| wire.integers(&mut tensor.int32s)?,
    6 => |tensor, wire| tensor.strings.push(wire.bytes()?),
    7 => |tensor, wire| wire.integers(&mut tensor.int64s)?,
    8 => |tensor, wire| tensor.name = wire.text()?,
    9 => |tensor, wire| tensor.raw = Some(wire.bytes()?),
    10 => |tensor, wire| wire.doubles(&mut tensor.doubles)?,
    11 => |tensor, wire| wire.integers(&mut tensor.uint64s)?,
    13 => |tensor, wire| tensor.external.push(Pair::inside(wire)?),
    14 => |tensor, wire| tensor.location = wire.integer()?,
});

/// A tensor most of whose elements are 0: the others, their indices, and the shape.
#[derive(Debug, Default)]
pub(super) struct SparseTensorProto<'a> {
    pub(super) values: Option<TensorProto<'a>>,
    pub(super) indices: Option<TensorProto<'a>>,
    pub(super) dims: Vec<i64>,
}

message!(SparseTensorProto {
    1 => |sparse, wire| sparse.values = Some(TensorProto::inside(wire)?),
    2 => |sparse, wire| sparse.indices = Some(TensorProto::inside(wire)?),
    3 => |sparse, wire| wire.integers(&mut sparse.dims)?,
});

impl<'a> SparseTensorProto<'a> {
    /// The name of the initializer, which is that of its values.
    pub(super) fn name(&self) -> &'a str {
        self.values.as_ref().map_or("", |values| values.name)
    }
}

#[derive(Debug, Default)]
pub(super) struct ValueInfo<'a> {
    pub(super) name: &'a str,
    pub(super) value_type: Option<TypeProto<'a>>,
}

message!(ValueInfo {
    1 => |info, wire| info.name = wire.text()?,
    2 => |info, wire| info.value_type = Some(TypeProto::inside(wire)?),
});

#[derive(Debug, Default)]
pub(super) struct TypeProto<'a> {
    pub(super) tensor: Option<TensorType<'a>>,
    pub(super) sequence: Option<Box<ElementHolder<'a>>>,
    pub(super) map: Option<Box<MapType<'a>>>,
    pub(super) optional: Option<Box<ElementHolder<'a>>>,
}

message!(TypeProto {
    1 => |one, wire| one.tensor = Some(TensorType::inside(wire)?),
    4 => |one, wire| one.sequence = Some(Box::new(ElementHolder::inside(wire)?)),
    5 => |one, wire| one.map = Some(Box::new(MapType::inside(wire)?)),
    9 => |one, wire| one.optional = Some(Box::new(ElementHolder::inside(wire)?)),
});

/// A type that holds values of another: a sequence or an optional.
#[derive(Debug, Default)]
pub(super) struct ElementHolder<'a> {
    pub(super) element: Option<TypeProto<'a>>,
}

message!(ElementHolder {
    1 => |holder, wire| holder.element = Some(TypeProto::inside(wire)?),
});

#[derive(Debug, Default)]
pub(super) struct MapType<'a> {
    pub(super) key: i64,
    pub(super) value: Option<TypeProto<'a>>,
}

message!(MapType {
    1 => |map, wire| map.key = wire.integer()?,
    2 => |map, wire| map.value = Some(TypeProto::inside(wire)?),
});

#[derive(Debug, Default)]
pub(super) struct TensorType<'a> {
    pub(super) element: i64,
    pub(super) shape: Option<ShapeProto<'a>>,
}

message!(TensorType {
    1 => |tensor, wire| tensor.element = wire.integer()?,
    2 => |tensor, wire| tensor.shape = Some(ShapeProto::inside(wire)?),
});

#[derive(Debug, Default)]
pub(super) struct ShapeProto<'a> {
    pub(super) dimensions: Vec<Dimension<'a>>,
}

message!(ShapeProto {
    1 => |shape, wire| shape.dimensions.push(Dimension::inside(wire)?),
});

/// A length that is known, has a name, or neither.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Dimension<'a> {
    pub(super) value: Option<i64>,
    pub(super) name: &'a str,
}

message!(Dimension {
    1 => |dimension, wire| dimension.value = Some(wire.integer()?),
    2 => |dimension, wire| dimension.name = wire.text()?,
});

#[derive(Debug, Default)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) domain: &'a str,
    pub(super) overload: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) opset_import: Vec<OperatorSet<'a>>,
    pub(super) defaults: Vec<AttributeProto<'a>>,
}

message!(Function {
    1 => |function, wire| function.name = wire.text()?,
    4 => |function, wire| function.inputs.push(wire.text()?),
    5 => |function, wire| function.outputs.push(wire.text()?),
    7 => |function, wire| function.nodes.push(Node::inside(wire)?),
    9 => |function, wire| function.opset_import.push(OperatorSet::inside(wire)?),
    10 => |function, wire| function.domain = wire.text()?,
    11 => |function, wire| function.defaults.push(AttributeProto::inside(wire)?),
    13 => |function, wire| function.overload = wire.text()?,
});

/// A sequence of values as test data files hold it: `SequenceProto`.
#[derive(Debug, Default)]
pub(super) struct SequenceProto<'a> {
    pub(super) tensors: Vec<TensorProto<'a>>,
}

message!(SequenceProto {
    3 => |sequence, wire| sequence.tensors.push(TensorProto::inside(wire)?),
});

/// An optional value as test data files hold it: `OptionalProto`.
#[derive(Debug, Default)]
pub(super) struct OptionalProto<'a> {
    pub(super) tensor: Option<TensorProto<'a>>,
    pub(super) sequence: Option<SequenceProto<'a>>,
}

outermost!(OptionalProto {
    3 => |optional, wire| optional.tensor = Some(TensorProto::inside(wire)?),
    5 => |optional, wire| optional.sequence = Some(SequenceProto::inside(wire)?),
});
