//! Which types there are in Thrift's compact protocol, and what a record's tables say of its
//! fields.
//!
//! Owns the types' numbers and the kinds of fields. How records are walked is `thrift`'s.
//!
//! Source: Apache Thrift, "Thrift compact protocol encoding".

/// What a field or an element is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Not known to the parser, which passes over it by its own type.
    Unknown,
    Truth,
    Byte,
    /// An integer of 16 to 64 bits: all are written alike.
    Number,
    /// A number of bytes from the file's beginning, which is 0 where some writers mean that there
    /// is nothing.
    Offset,
    /// A number of a list of names: those that the parser knows are bits of the mask.
    Enum(u32),
    /// An [`Kind::Enum`] that says of which type the values of an element of the schema are, if it
    /// has no children.
    LeafType(u32),
    /// The same of a column chunk, which must agree.
    ChunkType(u32),
    /// A number that says how many of the next elements of the list are children of this one.
    Children,
    Double,
    Binary,
    /// Bytes that the parser takes for text.
    Text,
    List(&'static Kind),
    /// A list of the column chunks of a row group, one for each leaf of the schema.
    Chunks(&'static Kind),
    /// The kinds of its fields, the first of which has the identifier 1.
    Struct(&'static [Kind]),
    /// A struct with exactly one of its fields.
    Union(&'static [Kind]),
    /// A list of structs that are a tree in depth-first order, by their [`Kind::Children`].
    Tree(&'static [Kind]),
}

/// The protocol's types.
pub(super) mod code {
    pub(in crate::table) const TRUE: u8 = 1;
    pub(in crate::table) const FALSE: u8 = 2;
    pub(in crate::table) const BYTE: u8 = 3;
    pub(in crate::table) const INTEGER_16: u8 = 4;
    pub(in crate::table) const INTEGER_32: u8 = 5;
    pub(in crate::table) const INTEGER_64: u8 = 6;
    pub(in crate::table) const DOUBLE: u8 = 7;
    pub(in crate::table) const BINARY: u8 = 8;
    pub(in crate::table) const LIST: u8 = 9;
    pub(in crate::table) const SET: u8 = 10;
    pub(in crate::table) const MAP: u8 = 11;
    pub(in crate::table) const STRUCT: u8 = 12;
    pub(in crate::table) const UUID: u8 = 13;
}

impl Kind {
    pub(super) const fn is(self, code: u8) -> bool {
        match self {
            Self::Unknown => true,
            Self::Truth => matches!(code, code::TRUE | code::FALSE),
            Self::Byte => code == code::BYTE,
            Self::Number
            | Self::Offset
            | Self::Children
            | Self::Enum(_)
            | Self::LeafType(_)
            | Self::ChunkType(_) => {
                matches!(code, code::INTEGER_16 | code::INTEGER_32 | code::INTEGER_64)
            }
            Self::Double => code == code::DOUBLE,
            Self::Binary | Self::Text => code == code::BINARY,
            Self::List(_) | Self::Tree(_) | Self::Chunks(_) => code == code::LIST,
            Self::Struct(_) | Self::Union(_) => code == code::STRUCT,
        }
    }
}

/// Whether a number is among the names of an [`Kind::Enum`].
pub(super) fn is_known(known: u32, name: i64) -> bool {
    u32::try_from(name).is_ok_and(|name| name < u32::BITS && known & 1 << name != 0)
}
