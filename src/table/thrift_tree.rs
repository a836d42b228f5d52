//! Records in Thrift's compact protocol as trees: read, changed and written again without the
//! fields that no one here knows.
//!
//! Only footers of later versions of a format need it: a parser that knows fewer fields may stumble
//! over them. Owns the tree and both ways. What is a field, and of which kind, is said by its
//! user's tables; how a record is walked is `thrift`'s.

use super::thrift::{Kind, MAX_DEPTH, Walk, code, deeper};
use super::thrift_refusal::{Refusal, wrong};

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A boolean.
    Truth(bool),
    /// A byte.
    Byte(u8),
    /// A number, and the type it is written as.
    Number(u8, i64),
    /// A floating-point number, as its bytes.
    Double(&'a [u8]),
    /// A text or bytes.
    Bytes(&'a [u8]),
    /// A list, and the type of its elements.
    List(u8, Vec<Value<'a>>),
    /// A struct.
    Struct(Fields<'a>),
    /// A value of a field that is not known, or a union whose field is not known: it is there, and
    /// will not be written.
    Unknown,
}

/// The fields of a struct, in the order of the record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fields<'a>(Vec<(i16, Value<'a>)>);

impl<'a> Fields<'a> {
    /// The record that `bytes` begin with.
    pub(super) fn read(bytes: &'a [u8], kinds: &'static [Kind]) -> Result<Self, Refusal> {
        let mut walk = Walk::new(bytes);
        walk.passes_others = true;
        read_fields(&mut walk, kinds, MAX_DEPTH)
    }

    /// The field of this identifier.
    pub(super) fn get(&self, identifier: i16) -> Option<&Value<'a>> {
        self.0
            .iter()
            .find(|(own, _)| *own == identifier)
            .map(|(_, value)| value)
    }

    /// The number in the field of this identifier.
    pub(super) fn number(&self, identifier: i16) -> Option<i64> {
        if let Some(Value::Number(_, number)) = self.get(identifier) {
            Some(*number)
        } else {
            None
        }
    }

    /// The bytes in the field of this identifier.
    pub(super) fn bytes(&self, identifier: i16) -> Option<&'a [u8]> {
        match self.get(identifier) {
            Some(Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The elements of the list in the field of this identifier; none if it is not there.
    pub(super) fn elements(&mut self, identifier: i16) -> &mut [Value<'a>] {
        match self.0.iter_mut().find(|(own, _)| *own == identifier) {
            Some((_, Value::List(_, elements))) => elements,
            _ => &mut [],
        }
    }

    /// The struct in the field of this identifier.
    pub(super) fn fields(&mut self, identifier: i16) -> Option<&mut Self> {
        match self.0.iter_mut().find(|(own, _)| *own == identifier) {
            Some((_, Value::Struct(fields))) => Some(fields),
            _ => None,
        }
    }

    /// Puts a number into a field that is there.
    pub(super) fn set_number(&mut self, identifier: i16, number: i64) {
        if let Some((_, Value::Number(_, own))) =
            self.0.iter_mut().find(|(own, _)| *own == identifier)
        {
            *own = number;
        }
    }

    /// Takes a field out.
    pub(super) fn remove(&mut self, identifier: i16) {
        self.0.retain(|(own, _)| *own != identifier);
    }

    /// Takes out those elements of a list that `keep` does not keep.
    pub(super) fn retain(&mut self, identifier: i16, keep: impl Fn(&Value<'a>) -> bool) {
        if let Some((_, Value::List(_, elements))) =
            self.0.iter_mut().find(|(own, _)| *own == identifier)
        {
            elements.retain(keep);
        }
    }

    /// The record.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        let mut before = 0;
        for (identifier, value) in self.0.iter().filter(|(_, value)| *value != Value::Unknown) {
            let code = value.code();
            if let Some(step) = identifier
                .checked_sub(before)
                .and_then(|step| u8::try_from(step).ok())
                .filter(|step| (1..16).contains(step))
            {
                bytes.push(step << 4 | code);
            } else {
                bytes.push(code);
                push_signed(bytes, i64::from(*identifier));
            }
            before = *identifier;
            // A field's truth is in its type.
            if !matches!(value, Value::Truth(_)) {
                value.write(bytes);
            }
        }
        bytes.push(0);
    }
}

impl Value<'_> {
    const fn code(&self) -> u8 {
        match self {
            Self::Truth(true) => code::TRUE,
            Self::Truth(false) => code::FALSE,
            Self::Byte(_) | Self::Unknown => code::BYTE,
            Self::Number(code, _) => *code,
            Self::Double(_) => code::DOUBLE,
            Self::Bytes(_) => code::BINARY,
            Self::List(..) => code::LIST,
            Self::Struct(_) => code::STRUCT,
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Truth(is_true) => bytes.push(if *is_true { code::TRUE } else { code::FALSE }),
            Self::Byte(byte) => bytes.push(*byte),
            Self::Number(_, number) => push_signed(bytes, *number),
            Self::Double(own) => bytes.extend_from_slice(own),
            Self::Bytes(own) => {
                push_length(bytes, own.len());
                bytes.extend_from_slice(own);
            }
            Self::List(code, elements) => {
                if let Some(count) = u8::try_from(elements.len())
                    .ok()
                    .filter(|count| *count < 15)
                {
                    bytes.push(count << 4 | code);
                } else {
                    bytes.push(0xf0 | code);
                    push_length(bytes, elements.len());
                }
                elements.iter().for_each(|element| element.write(bytes));
            }
            Self::Struct(fields) => fields.write(bytes),
            Self::Unknown => {}
        }
    }
}

/// A struct that begins with numbers, with one more of them among these: a field of 32 bits, which
/// the struct does not have yet.
pub(super) fn with_number(bytes: &[u8], identifier: i16, value: i64) -> Result<Vec<u8>, Refusal> {
    let mut walk = Walk::new(bytes);
    let mut before = 0_i16;
    loop {
        let start = walk.position;
        let head = walk.byte()?;
        let (step, code) = (i16::from(head >> 4), head & 0x0f);
        let next = before + step;
        if code != 0 && step == 0 {
            return wrong("a field's identifier is spelled out");
        }
        if code == 0 || next > identifier {
            let own = u8::try_from(identifier - before)
                .ok()
                .filter(|step| (1..16).contains(step));
            let own = own.map_or_else(
                || wrong("a field's identifier is too far from the one before"),
                Ok,
            )?;
            let head = if code == 0 {
                0
            } else {
                (next - identifier) as u8 & 0x0f
            };
            let mut with = bytes[..start].to_vec();
            with.push(own << 4 | code::INTEGER_32);
            push_signed(&mut with, value);
            with.push(head << 4 | code);
            with.extend_from_slice(&bytes[start + 1..]);
            return Ok(with);
        }
        if !Kind::Number.is(code) {
            return wrong("a field that is not a number comes first");
        }
        walk.signed()?;
        before = next;
    }
}

/// A number whose lowest bit is its sign, in runs of seven bits.
fn push_signed(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = (value << 1 ^ value >> 63) as u64;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn push_length(bytes: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

fn read_fields<'a>(
    walk: &mut Walk<'a>,
    kinds: &'static [Kind],
    depth: usize,
) -> Result<Fields<'a>, Refusal> {
    let depth = deeper(depth)?;
    let (mut fields, mut identifier) = (Fields::default(), 0);
    while let Some((next, code, kind)) = walk.field_head(identifier, kinds)? {
        identifier = next;
        let value = read_value(walk, kind, code, depth)?;
        fields.0.push((identifier, value));
    }
    Ok(fields)
}

fn read_value<'a>(
    walk: &mut Walk<'a>,
    kind: Kind,
    code: u8,
    depth: usize,
) -> Result<Value<'a>, Refusal> {
    let taken = |walk: &mut Walk<'a>, count: usize| {
        let start = walk.position;
        walk.pass(count)?;
        let bytes: &'a [u8] = walk.bytes;
        Ok(&bytes[start..walk.position])
    };
    Ok(match kind {
        Kind::Unknown => {
            walk.value(kind, code, depth)?;
            Value::Unknown
        }
        Kind::Truth => Value::Truth(code == code::TRUE),
        Kind::Byte => Value::Byte(walk.byte()?),
        Kind::Number
        | Kind::Offset
        | Kind::Children
        | Kind::Enum(_)
        | Kind::LeafType(_)
        | Kind::ChunkType(_) => Value::Number(code, walk.signed()?),
        Kind::Double => Value::Double(taken(walk, 8)?),
        Kind::Binary | Kind::Text => {
            let length = walk.number()?;
            Value::Bytes(taken(walk, usize::try_from(length).unwrap_or(usize::MAX))?)
        }
        Kind::List(element) | Kind::Chunks(element) => read_list(walk, *element, depth)?,
        Kind::Tree(kinds) => read_list(walk, Kind::Struct(kinds), depth)?,
        Kind::Struct(kinds) => Value::Struct(read_fields(walk, kinds, depth)?),
        Kind::Union(kinds) => {
            let fields = read_fields(walk, kinds, depth)?;
            let is_known = fields.0.iter().any(|(_, value)| *value != Value::Unknown);
            if is_known {
                Value::Struct(fields)
            } else {
                Value::Unknown
            }
        }
    })
}

fn read_list<'a>(walk: &mut Walk<'a>, element: Kind, depth: usize) -> Result<Value<'a>, Refusal> {
    let depth = deeper(depth)?;
    let (code, count) = walk.list_head(element)?;
    if Kind::Truth.is(code) && count > 0 {
        return wrong(format!(
            "a list of {count} booleans, of which the format has none"
        ));
    }
    let elements = (0..count)
        .map(|_| read_value(walk, element, code, depth))
        .collect::<Result<_, _>>()?;
    Ok(Value::List(code, elements))
}

#[cfg(test)]
mod tests {
    use super::super::thrift::struct_length;
    use super::*;

    static NAMED: Kind = Kind::Union(&[Kind::Struct(&[]), Kind::Struct(&[Kind::Number])]);
    static RECORD: &[Kind] = &[
        Kind::Number,
        Kind::List(&Kind::Binary),
        Kind::Truth,
        NAMED,
        Kind::Double,
        Kind::Byte,
        Kind::List(&NAMED),
    ];

    #[test]
    fn a_record_is_written_without_what_is_not_known() {
        // Number, list of two texts, truth, union of a number, double, byte.
        let known = [
            &[
                0x15, 5, 0x19, 0x28, 1, b'a', 2, b'b', b'c', 0x11, 0x1c, 0x2c, 0x15, 8, 0, 0, 0x17,
            ][..],
            &[9; 8],
            &[0x13, 7],
        ]
        .concat();
        let plain = [&known[..], &[0]].concat();
        let fields = Fields::read(&plain, RECORD).unwrap();
        let mut written = Vec::new();
        fields.write(&mut written);
        assert_eq!(written, plain);
        // Behind it fields 9 to 14: a list of three booleans, a map, a struct of a set, a UUID,
        // a false and a double.
        let later = [
            &[
                0x39, 0x31, 1, 2, 1, 0x1b, 1, 0x38, 7, 1, b'x', 0x1c, 0x1a, 0x13, 9, 0, 0x1d,
            ][..],
            &[1; 16],
            &[0x12, 0x17],
            &[3; 8],
        ]
        .concat();
        let later = [&known[..], &later, &[0]].concat();
        let mut written = Vec::new();
        let fields = Fields::read(&later, RECORD).unwrap();
        fields.write(&mut written);
        assert_eq!(written, plain);
        assert_eq!(
            (fields.get(9), fields.get(15)),
            (Some(&Value::Unknown), None)
        );
        assert_eq!(struct_length(&written, RECORD), Ok(written.len()));
        for length in 0..later.len() - 1 {
            assert_eq!(
                Fields::read(&later[..length], RECORD),
                Err(Refusal::CutOff),
                "{length}"
            );
        }
    }

    #[test]
    fn a_union_of_a_later_field_is_unknown() {
        let fields = Fields::read(&[0x4c, 0x7c, 0, 0, 0x39, 0x1c, 0x1c, 0, 0, 0], RECORD).unwrap();
        assert_eq!(fields.get(4), Some(&Value::Unknown));
        let mut written = Vec::new();
        fields.write(&mut written);
        assert_eq!(written, [0x79, 0x1c, 0x1c, 0, 0, 0]);
    }
}
