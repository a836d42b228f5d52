//! Protocol Buffers being written: the graph that a program becomes, as an ONNX file.
//!
//! Owns field numbers of `onnx.proto` and their encoding. It must not know PyTorch.

use crate::graph::ElementType;

/// A message in the making.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(pub(super) Vec<u8>);

impl Message {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub(super) fn integer(&mut self, field: u64, value: i64) {
        self.number(field << 3);
        self.number(value.cast_unsigned());
    }

    pub(super) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.number(field << 3 | 2);
        self.number(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.number(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }
}

/// An attribute's value.
#[derive(Clone, Debug)]
pub(super) enum Attribute<'a> {
    Integer(i64),
    Integers(&'a [i64]),
    Float(f32),
    Text(&'a str),
    /// A tensor of one element: its type and bytes.
    One(ElementType, Vec<u8>),
    Texts(&'a [&'a str]),
}

impl Attribute<'_> {
    fn message(&self, name: &str) -> Message {
        let mut message = Message::default();
        message.bytes(1, name.as_bytes());
        let kind = match self {
            Self::Float(value) => {
                message.float(2, *value);
                1
            }
            Self::Integer(value) => {
                message.integer(3, *value);
                2
            }
            Self::Text(text) => {
                message.bytes(4, text.as_bytes());
                3
            }
            Self::One(element, bytes) => {
                message.bytes(5, &tensor("", *element, &[1], bytes).0);
                4
            }
            Self::Integers(values) => {
                values.iter().for_each(|value| message.integer(8, *value));
                7
            }
            Self::Texts(texts) => {
                texts
                    .iter()
                    .for_each(|text| message.bytes(9, text.as_bytes()));
                8
            }
        };
        message.integer(20, kind);
        message
    }
}

/// The number of an element type in `TensorProto.DataType`.
pub(super) const fn code(element: ElementType) -> i64 {
    match element {
        ElementType::Float => 1,
        ElementType::Uint8 => 2,
        ElementType::Int8 => 3,
        ElementType::Uint16 => 4,
        ElementType::Int16 => 5,
        ElementType::Int32 => 6,
        ElementType::Int64 => 7,
        ElementType::String => 8,
        ElementType::Bool => 9,
        ElementType::Float16 => 10,
        ElementType::Double => 11,
        ElementType::Uint32 => 12,
        ElementType::Uint64 => 13,
        ElementType::Bfloat16 => 16,
    }
}

/// A `TensorProto` with raw bytes.
fn tensor(name: &str, element: ElementType, shape: &[i64], bytes: &[u8]) -> Message {
    let mut message = Message::default();
    shape.iter().for_each(|axis| message.integer(1, *axis));
    message.integer(2, code(element));
    message.bytes(8, name.as_bytes());
    message.bytes(9, bytes);
    message
}

/// The length of an axis: a number, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// That long.
    Fixed(i64),
    /// As long as all of this name.
    Named(String),
}

/// A `GraphProto` in the making.
#[derive(Debug, Default)]
pub(super) struct Graph(Message);

impl Graph {
    /// Adds a node.
    pub(super) fn node(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[String],
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|one| node.bytes(1, one.as_bytes()));
        outputs.iter().for_each(|one| node.bytes(2, one.as_bytes()));
        node.bytes(3, name.as_bytes());
        node.bytes(4, operator.as_bytes());
        for (name, attribute) in attributes {
            node.bytes(5, &attribute.message(name).0);
        }
        self.0.bytes(1, &node.0);
    }

    /// Adds a constant.
    pub(super) fn constant(
        &mut self,
        name: &str,
        element: ElementType,
        shape: &[i64],
        bytes: &[u8],
    ) {
        self.0.bytes(5, &tensor(name, element, shape, bytes).0);
    }

    /// Adds an input.
    pub(super) fn input(&mut self, name: &str, element: ElementType, shape: &[Length]) {
        self.0.bytes(11, &port(name, element, shape).0);
    }

    /// Adds an output.
    pub(super) fn output(&mut self, name: &str, element: ElementType, shape: &[Length]) {
        self.0.bytes(12, &port(name, element, shape).0);
    }

    /// The whole file, of this operator set.
    pub(super) fn file(self, operator_set: i64) -> Vec<u8> {
        let (mut file, mut set) = (Message::default(), Message::default());
        set.integer(2, operator_set);
        file.integer(1, 10);
        file.bytes(8, &set.0);
        file.bytes(7, &self.0.0);
        file.0
    }
}

fn port(name: &str, element: ElementType, lengths: &[Length]) -> Message {
    let mut shape = Message::default();
    for length in lengths {
        let mut dimension = Message::default();
        match length {
            Length::Fixed(value) => dimension.integer(1, *value),
            Length::Named(name) => dimension.bytes(2, name.as_bytes()),
        }
        shape.bytes(1, &dimension.0);
    }
    let (mut kind, mut declared, mut port) =
        (Message::default(), Message::default(), Message::default());
    kind.integer(1, code(element));
    kind.bytes(2, &shape.0);
    declared.bytes(1, &kind.0);
    port.bytes(1, name.as_bytes());
    port.bytes(2, &declared.0);
    port
}
