//! What tensors hold: the element types, shared storage of each, and ways to run the same code over
//! several of them.
//!
//! It must not know shapes or operators.

use std::sync::Arc;

use half::{bf16, f16};

use crate::error::{Error, Result};

/// What a tensor's elements are, named as ONNX names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the types' own")]
pub enum ElementType {
    Float,
    Double,
    Float16,
    Bfloat16,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Bool,
    String,
}

impl ElementType {
    /// The type of this number in `TensorProto.DataType`.
    ///
    /// # Errors
    /// A contract error for types that tallow does not compute with, such as 8-bit floats.
    pub fn from_code(code: i64) -> Result<Self> {
        Ok(match code {
            1 => Self::Float,
            2 => Self::Uint8,
            3 => Self::Int8,
            4 => Self::Uint16,
            5 => Self::Int16,
            6 => Self::Int32,
            7 => Self::Int64,
            8 => Self::String,
            9 => Self::Bool,
            10 => Self::Float16,
            11 => Self::Double,
            12 => Self::Uint32,
            13 => Self::Uint64,
            16 => Self::Bfloat16,
            other => {
                return Err(Error::contract(format!(
                    "tensors of the element type {} are not supported",
                    code_name(other)
                )));
            }
        })
    }

    /// The bytes of an element, a text's by its reference.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 | Self::Bool => 1,
            Self::Float16 | Self::Bfloat16 | Self::Int16 | Self::Uint16 => 2,
            Self::Float | Self::Int32 | Self::Uint32 => 4,
            Self::Double | Self::Int64 | Self::Uint64 => 8,
            Self::String => size_of::<Arc<str>>(),
        }
    }

    /// Whether it is one of the four floating-point types.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(
            self,
            Self::Float | Self::Double | Self::Float16 | Self::Bfloat16
        )
    }

    /// The name as ONNX writes it in lower case.
    #[must_use]
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

fn code_name(code: i64) -> String {
    const REST: [(i64, &str); 14] = [
        (14, "complex64"),
        (15, "complex128"),
        (17, "float8e4m3fn"),
        (18, "float8e4m3fnuz"),
        (19, "float8e5m2"),
        (20, "float8e5m2fnuz"),
        (21, "uint4"),
        (22, "int4"),
        (23, "float4e2m1"),
        (24, "float8e8m0"),
        (25, "uint2"),
        (26, "int2"),
        (27, "float6e2m3"),
        (28, "float6e3m2"),
    ];
    REST.iter()
        .find(|(known, _)| *known == code)
        .map_or_else(|| format!("number {code}"), |(_, name)| format!("`{name}`"))
}

/// The elements of a tensor, shared by its clones.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are the types' own")]
pub enum Data {
    Float(Arc<Vec<f32>>),
    Double(Arc<Vec<f64>>),
    Float16(Arc<Vec<f16>>),
    Bfloat16(Arc<Vec<bf16>>),
    Int8(Arc<Vec<i8>>),
    Int16(Arc<Vec<i16>>),
    Int32(Arc<Vec<i32>>),
    Int64(Arc<Vec<i64>>),
    Uint8(Arc<Vec<u8>>),
    Uint16(Arc<Vec<u16>>),
    Uint32(Arc<Vec<u32>>),
    Uint64(Arc<Vec<u64>>),
    Bool(Arc<Vec<bool>>),
    String(Arc<Vec<Arc<str>>>),
}

/// A type that tensors hold.
pub trait Element:
    Clone + PartialEq + PartialOrd + Send + Sync + std::fmt::Debug + 'static
{
    /// Its name.
    const TYPE: ElementType;
    /// What padding and absent elements are.
    fn zero() -> Self;
    /// The values as a tensor's elements.
    fn wrap(values: Arc<Vec<Self>>) -> Data;
    /// The elements, if they are of this type.
    fn slice(data: &Data) -> Option<&[Self]>;
    /// The elements, taken out without a copy where nothing shares them.
    fn take(data: Data) -> Option<Vec<Self>>;
}

macro_rules! element {
    ($($type:ty, $variant:ident, $zero:expr;)*) => {
        $(impl Element for $type {
            const TYPE: ElementType = ElementType::$variant;
            fn zero() -> Self {
                $zero
            }
            fn wrap(values: Arc<Vec<Self>>) -> Data {
                Data::$variant(values)
            }
            fn slice(data: &Data) -> Option<&[Self]> {
                if let Data::$variant(values) = data { Some(values) } else { None }
            }
            fn take(data: Data) -> Option<Vec<Self>> {
                if let Data::$variant(values) = data { Some(Arc::unwrap_or_clone(values))
                    } else { None }
            }
        })*

        impl Data {
            /// What the elements are.
            #[must_use]
            pub const fn element_type(&self) -> ElementType {
                match self {
                    $(Self::$variant(_) => ElementType::$variant,)*
                }
            }

            /// The number of elements.
            #[must_use]
            pub fn len(&self) -> usize {
                match self {
                    $(Self::$variant(values) => values.len(),)*
                }
            }
        }
    };
}

element! {
    f32, Float, 0.0;
    f64, Double, 0.0;
    f16, Float16, f16::ZERO;
    bf16, Bfloat16, bf16::ZERO;
    i8, Int8, 0;
    i16, Int16, 0;
    i32, Int32, 0;
    i64, Int64, 0;
    u8, Uint8, 0;
    u16, Uint16, 0;
    u32, Uint32, 0;
    u64, Uint64, 0;
    bool, Bool, false;
    Arc<str>, String, Arc::from("");
}

/// Runs an expression with the elements, of whatever type they are.
macro_rules! any {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::graph::element::Data::Float($values) => $body,
            $crate::graph::element::Data::Double($values) => $body,
            $crate::graph::element::Data::Float16($values) => $body,
            $crate::graph::element::Data::Bfloat16($values) => $body,
            $crate::graph::element::Data::Int8($values) => $body,
            $crate::graph::element::Data::Int16($values) => $body,
            $crate::graph::element::Data::Int32($values) => $body,
            $crate::graph::element::Data::Int64($values) => $body,
            $crate::graph::element::Data::Uint8($values) => $body,
            $crate::graph::element::Data::Uint16($values) => $body,
            $crate::graph::element::Data::Uint32($values) => $body,
            $crate::graph::element::Data::Uint64($values) => $body,
            $crate::graph::element::Data::Bool($values) => $body,
            $crate::graph::element::Data::String($values) => $body,
        }
    };
}

/// Runs an expression with the elements of one of the types that arithmetic is done in.
macro_rules! number {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            $crate::graph::element::Data::Float($values) => $body,
            $crate::graph::element::Data::Double($values) => $body,
            $crate::graph::element::Data::Int32($values) => $body,
            $crate::graph::element::Data::Int64($values) => $body,
            $crate::graph::element::Data::Uint64($values) => $body,
            other => Err($crate::graph::element::unsupported(other)),
        }
    };
}

/// Runs an expression with the elements of two tensors of one type that arithmetic is done in.
macro_rules! numbers {
    ($pair:expr, ($left:ident, $right:ident) => $body:expr) => {
        match $pair {
            (
                $crate::graph::element::Data::Float($left),
                $crate::graph::element::Data::Float($right),
            ) => $body,
            (
                $crate::graph::element::Data::Double($left),
                $crate::graph::element::Data::Double($right),
            ) => $body,
            (
                $crate::graph::element::Data::Int32($left),
                $crate::graph::element::Data::Int32($right),
            ) => $body,
            (
                $crate::graph::element::Data::Int64($left),
                $crate::graph::element::Data::Int64($right),
            ) => $body,
            (
                $crate::graph::element::Data::Uint64($left),
                $crate::graph::element::Data::Uint64($right),
            ) => $body,
            (left, right) => Err($crate::graph::element::mixed(left, right)),
        }
    };
}

pub(super) use {any, number, numbers};

/// The error for elements that an operator does not take.
pub(super) fn unsupported(data: &Data) -> Error {
    Error::contract(format!(
        "the operator does not take tensors of `{}`",
        data.element_type().name()
    ))
}

/// The error for two tensors whose elements do not go together.
pub(super) fn mixed(left: &Data, right: &Data) -> Error {
    let (left, right) = (left.element_type().name(), right.element_type().name());
    Error::contract(format!(
        "the operator does not take tensors of `{left}` and `{right}` together"
    ))
}

impl Data {
    /// The bytes of an element, a text's by its reference.
    pub(super) fn element_bytes(&self) -> usize {
        self.element_type().bytes()
    }

    /// Whether something else holds the same elements.
    pub(super) fn is_shared(&self) -> bool {
        any!(self, values => Arc::strong_count(values) > 1)
    }

    /// The bytes that the elements take, texts counted by their references.
    pub(super) fn byte_count(&self) -> usize {
        self.len().saturating_mul(self.element_bytes())
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
