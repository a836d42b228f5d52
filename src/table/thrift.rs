//! Records in Thrift's compact protocol, walked without being parsed: are their counts and types
//! what a parser may trust?
//!
//! A parser that takes a count at its word can be kept busy, or made to reserve memory, by a few
//! bytes. Here every step takes at least a byte of the record, so a walk is linear in its size, and
//! the records' tables ([`Kind`]) fix the type of each field that the parser reads without
//! looking at its type, so that both see the same fields. Owns the protocol. Values it does not
//! look at, but for numbers of children.
//!
//! Source: Apache Thrift, "Thrift compact protocol encoding".

use super::thrift_refusal::{Refusal, wrong};

pub(super) use super::thrift_kind::{Kind, code, is_known};

/// Structs, lists and maps inside each other: the depth at which parsers give up, too.
pub(super) const MAX_DEPTH: usize = 64;

/// How the reason for a deeper schema begins.
pub(super) const TOO_DEEP: &str = "the schema is more than";

/// The deepest schema: what Apache Arrow's C++ reader takes, too.
const MAX_SCHEMA_DEPTH: usize = 100;

/// Bits of a number in a run of bytes; each byte holds seven.
const NUMBER_BITS: u32 = 64;

/// The length of the struct with these fields that `bytes` begin with.
pub(super) fn struct_length(bytes: &[u8], fields: &'static [Kind]) -> Result<usize, Refusal> {
    let mut walk = Walk::new(bytes);
    walk.fields(fields, MAX_DEPTH)?;
    Ok(walk.position)
}

/// Whether the struct has fields, or names, that its kinds do not know: of a later version of the
/// format.
pub(super) fn has_unknown(bytes: &[u8], fields: &'static [Kind]) -> Result<bool, Refusal> {
    let mut walk = Walk {
        passes_others: true,
        ..Walk::new(bytes)
    };
    walk.fields(fields, MAX_DEPTH)?;
    Ok(walk.has_unknown)
}

/// A number with the identifier of its field.
type FieldNumber = (i16, i64);

/// Numbers with the identifiers of their fields.
pub(super) type Numbers = Vec<FieldNumber>;

/// The numbers that a struct begins with, and those that the struct behind them begins with, with
/// the identifier of that struct.
pub(super) fn leading_numbers(bytes: &[u8]) -> Result<(Numbers, Option<(i16, Numbers)>), Refusal> {
    let mut walk = Walk::new(bytes);
    let (numbers, next) = walk.numbers()?;
    match next {
        Some((identifier, code::STRUCT)) => Ok((numbers, Some((identifier, walk.numbers()?.0)))),
        _ => Ok((numbers, None)),
    }
}

pub(super) struct Walk<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) position: usize,
    /// For each element of the tree at work, how many children it says it has.
    children: Vec<usize>,
    has_unknown: bool,
    /// The type of the element of the schema at work, and of each leaf before it.
    element_type: i64,
    leaf_types: Vec<i8>,
    /// The column chunk at work, in its row group.
    chunk: usize,
    /// Whether fields may have another type than their kind's, and lists of booleans be in
    /// fields that are not known: no parser sees them.
    pub(super) passes_others: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            children: Vec::new(),
            has_unknown: false,
            element_type: -1,
            leaf_types: Vec::new(),
            chunk: 0,
            passes_others: false,
        }
    }
}

impl Walk<'_> {
    pub(super) fn pass(&mut self, count: usize) -> Result<(), Refusal> {
        let end = self
            .position
            .checked_add(count)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(Refusal::CutOff)?;
        self.position = end;
        Ok(())
    }

    pub(super) fn byte(&mut self) -> Result<u8, Refusal> {
        let byte = *self.bytes.get(self.position).ok_or(Refusal::CutOff)?;
        self.position += 1;
        Ok(byte)
    }

    pub(super) fn number(&mut self) -> Result<u64, Refusal> {
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

    /// The numbers that a struct begins with, and the identifier and type of the field behind them.
    fn numbers(&mut self) -> Result<(Numbers, Option<(i16, u8)>), Refusal> {
        let (mut numbers, mut identifier) = (Vec::new(), 0);
        while let Some((next, code, _)) = self.field_head(identifier, &[])? {
            identifier = next;
            if !Kind::Number.is(code) {
                return Ok((numbers, Some((identifier, code))));
            }
            numbers.push((identifier, self.signed()?));
        }
        Ok((numbers, None))
    }

    /// A number whose lowest bit is its sign.
    pub(super) fn signed(&mut self) -> Result<i64, Refusal> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn fields(&mut self, kinds: &'static [Kind], depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let mut identifier = 0_i16;
        while let Some((next, code, kind)) = self.field_head(identifier, kinds)? {
            identifier = next;
            self.has_unknown |= matches!(kind, Kind::Unknown);
            self.value(kind, code, depth)?;
        }
        Ok(())
    }

    /// The identifier, the type and the kind of the field after the one with the identifier
    /// `before`; none at the end of the struct.
    pub(super) fn field_head(
        &mut self,
        before: i16,
        kinds: &'static [Kind],
    ) -> Result<Option<(i16, u8, Kind)>, Refusal> {
        let head = self.byte()?;
        let code = head & 0x0f;
        if code == 0 {
            return Ok(None);
        }
        let identifier = match head >> 4 {
            0 => self.signed()? as i16,
            step => before
                .checked_add(i16::from(step))
                .map_or_else(|| wrong("a field's identifier is too large"), Ok)?,
        };
        let known = usize::try_from(identifier)
            .ok()
            .and_then(|identifier| kinds.get(identifier.checked_sub(1)?));
        let kind = known.copied().unwrap_or(Kind::Unknown);
        if !kind.is(code) {
            // Another field under the same number: what Thrift's own parsers pass over, and this
            // one only where no other parser sees it.
            if self.passes_others {
                return Ok(Some((identifier, code, Kind::Unknown)));
            }
            return wrong(format!(
                "field {identifier} of a record has the wrong type ({code})"
            ));
        }
        Ok(Some((identifier, code, kind)))
    }

    /// Bytes that should be text.
    fn text(&mut self) -> Result<(), Refusal> {
        let length = self.number()?;
        let start = self.position;
        self.pass(usize::try_from(length).unwrap_or(usize::MAX))?;
        let bytes = &self.bytes[start..self.position];
        Ok(self.has_unknown |= std::str::from_utf8(bytes).is_err())
    }

    pub(super) fn value(&mut self, kind: Kind, code: u8, depth: usize) -> Result<(), Refusal> {
        match (kind, code) {
            (Kind::Children, _) => {
                let count = self.signed()?;
                let count = usize::try_from(count).map_or_else(
                    |_| wrong("an element of the schema has fewer than no children"),
                    Ok,
                )?;
                self.children
                    .last_mut()
                    .map_or(Ok(()), |last| Ok(*last = count))
            }
            (Kind::Tree(kinds), _) => self.tree(kinds, depth),
            (Kind::List(element), _) => self.list(*element, depth),
            (Kind::Struct(kinds) | Kind::Union(kinds), _) => self.fields(kinds, depth),
            (Kind::Offset, _) => {
                let offset = self.signed()?;
                Ok(self.has_unknown |= offset == 0)
            }
            (Kind::Enum(known) | Kind::LeafType(known) | Kind::ChunkType(known), _) => {
                let name = self.signed()?;
                self.has_unknown |= !is_known(known, name);
                match kind {
                    Kind::LeafType(_) => Ok(self.element_type = name),
                    Kind::ChunkType(_) => self.check_chunk_type(name),
                    _ => Ok(()),
                }
            }
            (Kind::Chunks(element), _) => self.chunks(*element, depth),
            (Kind::Text, _) => self.text(),
            // A field's truth is in its type.
            (_, code::TRUE | code::FALSE) => Ok(()),
            (_, code::BYTE) => self.pass(1),
            (_, code::INTEGER_16 | code::INTEGER_32 | code::INTEGER_64) => {
                self.number().map(|_| ())
            }
            (_, code::DOUBLE) => self.pass(8),
            (_, code::BINARY) => self
                .number()
                .and_then(|length| self.pass(usize::try_from(length).unwrap_or(usize::MAX))),
            (_, code::LIST | code::SET) => self.list(Kind::Unknown, depth),
            (_, code::MAP) => self.map(depth),
            (_, code::STRUCT) => self.fields(&[], depth),
            (_, code::UUID) => self.pass(16),
            _ => wrong(format!("a value has a type that there is not ({code})")),
        }
    }

    /// The type and number of a list's elements.
    pub(super) fn list_head(&mut self, element: Kind) -> Result<(u8, usize), Refusal> {
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
        (0..count).try_for_each(|_| self.element(element, code, depth))
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
        (0..count).try_for_each(|_| {
            codes
                .iter()
                .try_for_each(|code| self.element(Kind::Unknown, *code, depth))
        })
    }

    /// An element of a list or map, in which a boolean takes a byte.
    fn element(&mut self, kind: Kind, code: u8, depth: usize) -> Result<(), Refusal> {
        if Kind::Truth.is(code) {
            self.pass(1)
        } else {
            self.value(kind, code, depth)
        }
    }

    pub(super) fn count(&mut self) -> Result<usize, Refusal> {
        let count = self.number()?;
        i32::try_from(count).map_or_else(
            |_| wrong(format!("a list claims {count} elements")),
            |count| Ok(count as usize),
        )
    }

    /// Parquet has no collections of booleans in its records, and parsers pass over their
    /// elements without taking a byte for each.
    fn check_collection(&self, count: usize, codes: &[u8]) -> Result<(), Refusal> {
        if count > 0 && !self.passes_others && codes.iter().any(|code| Kind::Truth.is(*code)) {
            return wrong(format!(
                "a list of {count} booleans, of which the format has none"
            ));
        }
        if count > self.bytes.len() - self.position {
            Err(Refusal::CutOff)
        } else {
            Ok(())
        }
    }

    fn chunks(&mut self, element: Kind, depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let (code, count) = self.list_head(element)?;
        for chunk in 0..count {
            self.chunk = chunk;
            self.element(element, code, depth)?;
        }
        Ok(())
    }

    fn check_chunk_type(&self, name: i64) -> Result<(), Refusal> {
        match self.leaf_types.get(self.chunk) {
            Some(own) if i64::from(*own) != name => wrong(format!(
                "column chunk {} has values of type {name}, its column of type {own}",
                self.chunk
            )),
            _ => Ok(()),
        }
    }

    fn tree(&mut self, kinds: &'static [Kind], depth: usize) -> Result<(), Refusal> {
        let depth = deeper(depth)?;
        let (_, count) = self.list_head(Kind::Struct(kinds))?;
        self.children.clear();
        for _ in 0..count {
            self.children.push(0);
            self.element_type = -1;
            self.fields(kinds, depth)?;
            if self.children.last() == Some(&0) {
                self.leaf_types
                    .push(i8::try_from(self.element_type).unwrap_or(-1));
            }
        }
        check_tree(&self.children)
    }
}

pub(super) fn deeper(depth: usize) -> Result<usize, Refusal> {
    depth.checked_sub(1).map_or_else(
        || {
            wrong(format!(
                "records lie in each other more than {MAX_DEPTH} deep"
            ))
        },
        Ok,
    )
}

/// Whether a tree, by the numbers of children of its elements in depth-first order, has them all
/// and is not too deep to be followed.
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
                "element {index} of the schema claims {count} children, but {} elements \
                 follow",
                children.len() - index - 1
            ));
        }
        if count > 0 {
            open.push(count);
        }
        if open.len() > MAX_SCHEMA_DEPTH {
            return wrong(format!("{TOO_DEEP} {MAX_SCHEMA_DEPTH} levels deep"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    static RECORD: &[Kind] = &[
        Kind::Number,
        Kind::Tree(&[Kind::Binary, Kind::Children]),
        Kind::Truth,
        Kind::List(&Kind::Number),
    ];

    fn refusal(bytes: &[u8]) -> String {
        struct_length(bytes, RECORD).unwrap_err().to_string()
    }

    #[test]
    fn a_record_is_as_long_as_its_fields_and_what_follows_does_not_count() {
        assert_eq!(struct_length(&[0, 1, 2], RECORD), Ok(1));
        // A number of two bytes, a list of two structs of which the first has one child, a truth, a
        // list of three numbers; then unknown fields: a double, a map, a set, an identifier spelled
        // out.
        let record = [
            &[
                0x15, 0x80, 0x01, 0x19, 0x2c, 0x18, 1, b'r', 0x15, 2, 0, 0x18, 0, 0, 0x11, 0x19,
                0x35, 1, 2, 3,
            ][..],
            &[0x37, 0, 0, 0, 0, 0, 0, 0, 0],
        ];
        let record = [
            &record.concat()[..],
            &[
                0x1b, 1, 0x38, 7, 1, b'x', 0x1a, 0x13, 9, 0x08, 0x80, 0x02, 0, 0, 0xff,
            ],
        ]
        .concat();
        assert_eq!(struct_length(&record, RECORD), Ok(record.len() - 1));
        for length in 0..record.len() - 1 {
            assert_eq!(
                struct_length(&record[..length], RECORD),
                Err(Refusal::CutOff),
                "{length}"
            );
        }
    }

    #[test]
    fn counts_that_nothing_stands_behind_are_refused() {
        let many = [0xff, 0xff, 0xff, 0xff, 0x07];
        let with = |head: &[u8], tail: &[u8]| [head, &many, tail].concat();
        let booleans = "a list of 2147483647 booleans, of which the format has none";
        assert_eq!(refusal(&with(&[0x59, 0xf1], &[])), booleans);
        assert_eq!(refusal(&with(&[0x59, 0xf2], &[])), booleans);
        assert_eq!(
            refusal(&with(&[0x59, 0x19, 0xf2], &[])),
            booleans,
            "also inside others"
        );
        assert_eq!(refusal(&with(&[0x5b], &[0x12])), booleans);
        assert_eq!(
            refusal(&with(&[0x59, 0xf5], &[1, 2])),
            "it ends in the middle of a field"
        );
        assert_eq!(
            refusal(&[0x59, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            "a list claims 4294967295 elements"
        );
        assert_eq!(
            refusal(&[[0x15].as_slice(), &[0x80; 10], &[0]].concat()),
            "a number has more than ten bytes"
        );
    }

    #[test]
    fn a_field_that_the_parser_would_read_as_another_type_is_refused() {
        assert_eq!(
            refusal(&[0x18, 1, b'x', 0]),
            "field 1 of a record has the wrong type (8)"
        );
        assert_eq!(
            refusal(&[0x49, 0x18, 1, b'x', 0]),
            "a list has elements of the wrong type (8)"
        );
        assert_eq!(
            refusal(&[0x5e, 0]),
            "a value has a type that there is not (14)"
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |depth: usize| [&[0x5c][..], &vec![0x1c; depth - 1], &vec![0; depth + 1]].concat();
        assert_eq!(
            struct_length(&nested(MAX_DEPTH - 1), RECORD),
            Ok(2 * MAX_DEPTH - 1)
        );
        assert_eq!(
            refusal(&nested(MAX_DEPTH)),
            "records lie in each other more than 64 deep"
        );
        assert_eq!(
            refusal(&[&[0x59][..], &vec![0x19; 1_000_000]].concat()),
            "records lie in each other more than 64 deep"
        );
    }

    #[test]
    fn a_schema_has_the_children_that_it_states_and_a_depth_that_can_be_followed() {
        assert_eq!(check_tree(&[2, 1, 0, 0]), Ok(()));
        assert_eq!(check_tree(&[]), Ok(()));
        let text = |children: &[usize]| check_tree(children).unwrap_err().to_string();
        assert_eq!(
            text(&[2_147_483_647, 0]),
            "element 0 of the schema claims 2147483647 children, but 1 elements follow"
        );
        assert_eq!(
            text(&[[1; 101].as_slice(), &[0]].concat()),
            "the schema is more than 100 levels deep"
        );
        assert_eq!(check_tree(&[[1; 100].as_slice(), &[0]].concat()), Ok(()));
        let flat = [vec![1_000], [1, 0].repeat(500), vec![0; 500]].concat();
        assert_eq!(check_tree(&flat), Ok(()), "wide is not deep");
        assert_eq!(
            refusal(&[0x29, 0x1c, 0x25, 1, 0, 0]),
            "an element of the schema has fewer than no children"
        );
    }
}
