//! Records in Thrift's compact protocol, walked without being parsed: are their counts and types what a parser may trust?
//!
//! A parser that takes a count at its word can be kept busy, or made to reserve memory, by a few bytes. Here every step takes at least a byte of
//! the record, so a walk is linear in its size, and the records' tables ([`Kind`]) fix the type of each field that the parser reads without
//! looking at its type, so that both see the same fields. Owns the protocol. Values it does not look at, but for numbers of children.
//!
//! Source: Apache Thrift, "Thrift compact protocol encoding".

use std::fmt;

/// Structs, lists and maps inside each other: the depth at which parsers give up, too.
const MOST_DEPTH: usize = 64;

/// The deepest schema: what Apache Arrow's C++ reader takes, too.
const MOST_SCHEMA_DEPTH: usize = 100;

/// Bits of a number in a run of bytes; each byte holds seven.
const NUMBER_BITS: u32 = 64;

/// What a field or an element is.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Not known to the parser, which passes over it by its own type.
    Unknown,
    Truth,
    Byte,
    /// An integer of 16 to 64 bits: all are written alike.
    Number,
    /// A number that says how many of the next elements of the list are children of this one.
    Children,
    Double,
    Binary,
    List(&'static Kind),
    /// The kinds of its fields, the first of which has the identifier 1.
    Struct(&'static [Kind]),
    /// A list of structs that are a tree in depth-first order, by their [`Kind::Children`].
    Tree(&'static [Kind]),
}

/// Why a record cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It goes on behind the end of the bytes.
    CutOff,
    /// What is wrong with it.
    Wrong(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => f.write_str("it ends in the middle of a field"),
            Self::Wrong(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Refusal {}

fn wrong<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Wrong(text.into()))
}

/// The length of the struct with these fields that `bytes` begin with.
pub(super) fn struct_length(bytes: &[u8], fields: &'static [Kind]) -> Result<usize, Refusal> {
    let mut walk = Walk { bytes, position: 0, children: Vec::new() };
    walk.fields(fields, MOST_DEPTH)?;
    Ok(walk.position)
}

/// A number with the identifier of its field.
type FieldNumber = (i16, i64);

/// The numbers that a struct begins with, each with its field's identifier, and the first number of the struct that follows them, with the
/// identifier of that struct.
pub(super) fn leading_numbers(bytes: &[u8]) -> Result<(Vec<FieldNumber>, Option<FieldNumber>), Refusal> {
    let mut walk = Walk { bytes, position: 0, children: Vec::new() };
    let (mut numbers, mut identifier) = (Vec::new(), 0);
    loop {
        let head = walk.byte()?;
        identifier += i16::from(head >> 4);
        match head & 0x0f {
            code::INTEGER_16 | code::INTEGER_32 | code::INTEGER_64 => numbers.push((identifier, walk.signed()?)),
            code::STRUCT => {
                let is_number = matches!(walk.byte()? & 0x0f, code::INTEGER_16 | code::INTEGER_32 | code::INTEGER_64);
                let inner = if is_number { Some((identifier, walk.signed()?)) } else { None };
                return Ok((numbers, inner));
            }
            _ => return Ok((numbers, None)),
        }
    }
}

/// The protocol's types.
mod code {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const INTEGER_16: u8 = 4;
    pub(super) const INTEGER_32: u8 = 5;
    pub(super) const INTEGER_64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
    pub(super) const UUID: u8 = 13;
}

impl Kind {
    const fn is(self, code: u8) -> bool {
        match self {
            Self::Unknown => true,
            Self::Truth => matches!(code, code::TRUE | code::FALSE),
            Self::Byte => code == code::BYTE,
            Self::Number | Self::Children => matches!(code, code::INTEGER_16 | code::INTEGER_32 | code::INTEGER_64),
            Self::Double => code == code::DOUBLE,
            Self::Binary => code == code::BINARY,
            Self::List(_) | Self::Tree(_) => code == code::LIST,
            Self::Struct(_) => code == code::STRUCT,
        }
    }
}

struct Walk<'a> {
    bytes: &'a [u8],
    position: usize,
    /// For each element of the tree at work, how many children it says it has.
    children: Vec<usize>,
}

impl Walk<'_> {
    fn pass(&mut self, count: usize) -> Result<(), Refusal> {
        let end = self.position.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or(Refusal::CutOff)?;
        self.position = end;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Refusal> {
        let byte = *self.bytes.get(self.position).ok_or(Refusal::CutOff)?;
        self.position += 1;
        Ok(byte)
    }

    fn number(&mut self) -> Result<u64, Refusal> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let (mut number, mut shift) = (u64::from(first & 0x7f), 7);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
            if shift >= NUMBER_BITS {
                return wrong("a number has more than ten bytes");
            }
        }
    }

    /// A number whose lowest bit is its sign.
    fn signed(&mut self) -> Result<i64, Refusal> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fields(&mut self, kinds: &'static [Kind], depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let mut identifier = 0_i16;
        loop {
            let head = self.byte()?;
            let code = head & 0x0f;
            if code == 0 {
                return Ok(());
            }
            identifier = match head >> 4 {
                0 => self.signed()? as i16,
                step => identifier.checked_add(i16::from(step)).map_or_else(|| wrong("a field's identifier is too large"), Ok)?,
            };
            let known = usize::try_from(identifier).ok().and_then(|identifier| kinds.get(identifier.checked_sub(1)?));
            let kind = known.copied().unwrap_or(Kind::Unknown);
            if !kind.is(code) {
                return wrong(format!("field {identifier} of a record has the wrong type ({code})"));
            }
            self.value(kind, code, depth)?;
        }
    }

    fn value(&mut self, kind: Kind, code: u8, depth: usize) -> Result<(), Refusal> {
        match (kind, code) {
            (Kind::Children, _) => {
                let count = self.signed()?;
                let count = usize::try_from(count).map_or_else(|_| wrong("an element of the schema has fewer than no children"), Ok)?;
                self.children.last_mut().map_or(Ok(()), |last| Ok(*last = count))
            }
            (Kind::Tree(kinds), _) => self.tree(kinds, depth),
            (Kind::List(element), _) => self.list(*element, depth),
            (Kind::Struct(kinds), _) => self.fields(kinds, depth),
            // A field's truth is in its type.
            (_, code::TRUE | code::FALSE) => Ok(()),
            (_, code::BYTE) => self.pass(1),
            (_, code::INTEGER_16 | code::INTEGER_32 | code::INTEGER_64) => self.number().map(|_| ()),
            (_, code::DOUBLE) => self.pass(8),
            (_, code::BINARY) => self.number().and_then(|length| self.pass(usize::try_from(length).unwrap_or(usize::MAX))),
            (_, code::LIST | code::SET) => self.list(Kind::Unknown, depth),
            (_, code::MAP) => self.map(depth),
            (_, code::STRUCT) => self.fields(&[], depth),
            (_, code::UUID) => self.pass(16),
            _ => wrong(format!("a value has a type that there is not ({code})")),
        }
    }

    /// The type and number of a list's elements.
    fn list_head(&mut self, element: Kind) -> Result<(u8, usize), Refusal> {
        let head = self.byte()?;
        // Some writers give an empty list no type.
        if head == 0 {
            return Ok((code::BYTE, 0));
        }
        let (code, count) = (head & 0x0f, usize::from(head >> 4));
        let count = if count == 15 { self.count()? } else { count };
        if !element.is(code) {
            return wrong(format!("a list has elements of the wrong type ({code})"));
        }
        self.check_collection(count, &[code])?;
        Ok((code, count))
    }

    fn list(&mut self, element: Kind, depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let (code, count) = self.list_head(element)?;
        (0..count).try_for_each(|_| self.value(element, code, depth))
    }

    fn map(&mut self, depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let count = self.count()?;
        if count == 0 {
            return Ok(());
        }
        let codes = self.byte()?;
        let codes = [codes >> 4, codes & 0x0f];
        self.check_collection(count, &codes)?;
        (0..count).try_for_each(|_| codes.iter().try_for_each(|code| self.value(Kind::Unknown, *code, depth)))
    }

    fn count(&mut self) -> Result<usize, Refusal> {
        let count = self.number()?;
        i32::try_from(count).map_or_else(|_| wrong(format!("a list says that it has {count} elements")), |count| Ok(count as usize))
    }

    /// Parquet has no collections of truth values in its records, and parsers pass over their elements without taking a byte for each.
    fn check_collection(&self, count: usize, codes: &[u8]) -> Result<(), Refusal> {
        if count > 0 && codes.iter().any(|code| Kind::Truth.is(*code)) {
            return wrong(format!("a list of {count} truth values, of which the format has none"));
        }
        if count > self.bytes.len() - self.position { Err(Refusal::CutOff) } else { Ok(()) }
    }

    fn tree(&mut self, kinds: &'static [Kind], depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let (_, count) = self.list_head(Kind::Struct(kinds))?;
        self.children.clear();
        for _ in 0..count {
            self.children.push(0);
            self.fields(kinds, depth)?;
        }
        check_tree(&self.children)
    }
}

fn deeper(depth: usize) -> Result<usize, Refusal> {
    depth.checked_sub(1).map_or_else(|| wrong(format!("records lie in each other more than {MOST_DEPTH} deep")), Ok)
}

/// Whether a tree, by the numbers of children of its elements in depth-first order, has them all and is not too deep to be followed.
fn check_tree(children: &[usize]) -> Result<(), Refusal> {
    // How many elements each open one still waits for.
    let mut open: Vec<usize> = Vec::new();
    for (index, &count) in children.iter().enumerate() {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(last) = open.last_mut() {
            *last -= 1;
        }
        if count > children.len() - index - 1 {
            return wrong(format!(
                "element {index} of the schema says that it has {count} children, but {} elements follow",
                children.len() - index - 1
            ));
        }
        if count > 0 {
            open.push(count);
        }
        if open.len() > MOST_SCHEMA_DEPTH {
            return wrong(format!("the schema is more than {MOST_SCHEMA_DEPTH} deep"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    static RECORD: &[Kind] = &[Kind::Number, Kind::Tree(&[Kind::Binary, Kind::Children]), Kind::Truth, Kind::List(&Kind::Number)];

    fn refusal(bytes: &[u8]) -> String {
        struct_length(bytes, RECORD).unwrap_err().to_string()
    }

    #[test]
    fn a_record_is_as_long_as_its_fields_and_what_follows_does_not_count() {
        assert_eq!(struct_length(&[0, 1, 2], RECORD), Ok(1));
        // A number of two bytes, a list of two structs of which the first has one child, a truth, a list of three numbers; then unknown fields:
        // a double, a map, a set, an identifier spelt out.
        let record =
            [&[0x15, 0x80, 0x01, 0x19, 0x2c, 0x18, 1, b'r', 0x15, 2, 0, 0x18, 0, 0, 0x11, 0x19, 0x35, 1, 2, 3][..], &[0x37, 0, 0, 0, 0, 0, 0, 0, 0]];
        let record = [&record.concat()[..], &[0x1b, 1, 0x38, 7, 1, b'x', 0x1a, 0x13, 9, 0x08, 0x80, 0x02, 0, 0, 0xff]].concat();
        assert_eq!(struct_length(&record, RECORD), Ok(record.len() - 1));
        for length in 0..record.len() - 1 {
            assert_eq!(struct_length(&record[..length], RECORD), Err(Refusal::CutOff), "{length}");
        }
    }

    #[test]
    fn counts_that_nothing_stands_behind_are_refused() {
        let many = [0xff, 0xff, 0xff, 0xff, 0x07];
        let with = |head: &[u8], tail: &[u8]| [head, &many, tail].concat();
        let truths = "a list of 2147483647 truth values, of which the format has none";
        assert_eq!(refusal(&with(&[0x59, 0xf1], &[])), truths);
        assert_eq!(refusal(&with(&[0x59, 0xf2], &[])), truths);
        assert_eq!(refusal(&with(&[0x59, 0x19, 0xf2], &[])), truths, "also inside others");
        assert_eq!(refusal(&with(&[0x5b], &[0x12])), truths);
        assert_eq!(refusal(&with(&[0x59, 0xf5], &[1, 2])), "it ends in the middle of a field");
        assert_eq!(refusal(&[0x59, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f]), "a list says that it has 4294967295 elements");
        assert_eq!(refusal(&[[0x15].as_slice(), &[0x80; 10], &[0]].concat()), "a number has more than ten bytes");
    }

    #[test]
    fn a_field_that_the_parser_would_read_as_another_type_is_refused() {
        assert_eq!(refusal(&[0x18, 1, b'x', 0]), "field 1 of a record has the wrong type (8)");
        assert_eq!(refusal(&[0x49, 0x18, 1, b'x', 0]), "a list has elements of the wrong type (8)");
        assert_eq!(refusal(&[0x5e, 0]), "a value has a type that there is not (14)");
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [&[0x5c][..], &vec![0x1c; depth - 1], &vec![0; depth + 1]].concat();
        assert_eq!(struct_length(&nested(MOST_DEPTH - 1), RECORD), Ok(2 * MOST_DEPTH - 1));
        assert_eq!(refusal(&nested(MOST_DEPTH)), "records lie in each other more than 64 deep");
        assert_eq!(refusal(&[&[0x59][..], &vec![0x19; 1_000_000]].concat()), "records lie in each other more than 64 deep");
    }

    #[test]
    fn a_schema_has_the_children_that_it_says_and_a_depth_that_can_be_followed() {
        assert_eq!(check_tree(&[2, 1, 0, 0]), Ok(()));
        assert_eq!(check_tree(&[]), Ok(()));
        let text = |children: &[usize]| check_tree(children).unwrap_err().to_string();
        assert_eq!(text(&[2_147_483_647, 0]), "element 0 of the schema says that it has 2147483647 children, but 1 elements follow");
        assert_eq!(text(&[[1; 101].as_slice(), &[0]].concat()), "the schema is more than 100 deep");
        assert_eq!(check_tree(&[[1; 100].as_slice(), &[0]].concat()), Ok(()));
        let flat = [vec![1_000], [1, 0].repeat(500), vec![0; 500]].concat();
        assert_eq!(check_tree(&flat), Ok(()), "wide is not deep");
        assert_eq!(refusal(&[0x29, 0x1c, 0x25, 1, 0, 0]), "an element of the schema has fewer than no children");
    }
}
