//! A Parquet file's footer, checked before the reader beneath parses it, and put into words that
//! the reader knows.
//!
//! That reader passes over lists of booleans one by one though not a byte of them is there,
//! reserves memory for as many children as a schema says it has, follows a schema to any depth on
//! the stack, and reads the fields that it knows without looking at their type. A footer with
//! fields or names of a later version of the format, or with metadata that is no text, is written
//! anew without them; what then cannot be read is said of the columns alone. Owns which fields
//! there are. How records are walked is `thrift`'s, what they mean is the reader's.
//!
//! Source: `parquet.thrift` of Apache Parquet's format 2.12, as far as version 60 of the reader
//! knows it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::thrift::Kind::{
    self, Binary, Byte, Children, ChunkType, Chunks, Double, Enum, LeafType, List, Number, Offset,
    Struct, Text, Tree, Truth, Union, Unknown,
};
use super::thrift::{has_unknown, is_known};
use super::thrift_refusal::Refusal;
use super::thrift_tree::{Fields, Value};

/// The four bytes at both ends of a Parquet file.
pub const MAGIC: &[u8] = b"PAR1";

/// The same of a file whose footer is encrypted.
pub const ENCRYPTED_MAGIC: &[u8] = b"PARE";

/// The numbers of the names that the reader knows.
const TYPES: u32 = 0xff;
const REPETITIONS: u32 = 0b111;
const CONVERTED: u32 = 0x3f_ffff;
const CODECS: u32 = 0xff;
const PAGES: u32 = 0b1111;
/// All but `GROUP_VAR_INT`, which was never used.
const ENCODINGS: u32 = 0x7fd;

pub(super) const EMPTY: Kind = Struct(&[]);
const TIME_UNIT: Kind = Union(&[EMPTY, EMPTY, EMPTY]);
const TIME: Kind = Struct(&[Truth, TIME_UNIT]);

/// A union: by number, text, map, list, enumeration, decimal, date, time, timestamp, interval,
/// integer, null, JSON, BSON, UUID, half float, variant, geometry, geography, file.
const LOGICAL_TYPE: Kind = Union(&[
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    Struct(&[Number, Number]),
    EMPTY,
    TIME,
    TIME,
    Unknown,
    Struct(&[Byte, Truth]),
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    EMPTY,
    Struct(&[Byte]),
    Struct(&[Binary]),
    Struct(&[Binary, Number]),
    EMPTY,
]);

/// Type, type length, repetition, name, number of children, converted type, scale, precision, field
/// identifier, logical type.
const SCHEMA_ELEMENT: &[Kind] = &[
    LeafType(TYPES),
    Number,
    Enum(REPETITIONS),
    Text,
    Children,
    Enum(CONVERTED),
    Number,
    Number,
    Number,
    LOGICAL_TYPE,
];

/// Maximum and minimum as they once were, counts of nulls and distinct values, maximum and minimum,
/// whether they are exact, count of NaN.
pub(super) const STATISTICS: Kind = Struct(&[
    Binary, Binary, Number, Number, Binary, Binary, Truth, Truth, Number,
]);

const KEY_VALUE: Kind = Struct(&[Text, Text]);
const BOUNDING_BOX: Kind = Struct(&[
    Double, Double, Double, Double, Double, Double, Double, Double,
]);

/// Type, encodings, path, codec, values, sizes, key-value pairs, offsets of pages, statistics,
/// statistics of encodings, bloom filter, statistics of sizes, statistics of positions.
const COLUMN_META_DATA: Kind = Struct(&[
    ChunkType(TYPES),
    List(&Enum(ENCODINGS)),
    List(&Binary),
    Enum(CODECS),
    Number,
    Number,
    Number,
    List(&KEY_VALUE),
    Number,
    Number,
    Offset,
    STATISTICS,
    List(&Struct(&[Enum(PAGES), Enum(ENCODINGS), Number])),
    Number,
    Number,
    Struct(&[Number, List(&Number), List(&Number)]),
    Struct(&[BOUNDING_BOX, List(&Number)]),
]);

/// File, offset, metadata, positions of the page indexes.
const COLUMN_CHUNK: Kind = Struct(&[
    Binary,
    Number,
    COLUMN_META_DATA,
    Number,
    Number,
    Number,
    Number,
]);

/// Columns, size, rows, sorting columns, offset, compressed size, number.
const ROW_GROUP: Kind = Struct(&[
    Chunks(&COLUMN_CHUNK),
    Number,
    Number,
    List(&Struct(&[Number, Truth, Truth])),
    Number,
    Number,
    Number,
]);

/// Version, schema, rows, row groups, key-value pairs, writer, orders of columns, algorithm of
/// encryption, what the writer says of the footer's key.
static FILE_META_DATA: &[Kind] = &[
    Number,
    Tree(SCHEMA_ELEMENT),
    Number,
    List(&ROW_GROUP),
    List(&KEY_VALUE),
    Text,
    List(&Union(&[EMPTY, EMPTY, EMPTY])),
    Unknown,
    Binary,
];

/// A footer that the reader beneath may parse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CheckedFooter {
    /// Its record.
    pub(super) bytes: bytes::Bytes,
    /// The leaves that cannot be read, each with the reason.
    pub(super) unreadable: Vec<(usize, String)>,
    /// What it says of its encryption, if columns are encrypted.
    pub(super) encryption: Option<ColumnEncryption>,
}

/// What a readable footer says of encrypted columns.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnEncryption {
    /// What the writer says of the footer's key.
    pub(super) key_id: Option<Vec<u8>>,
    /// The leaves that are encrypted.
    pub(super) leaves: BTreeSet<usize>,
}

/// Checks a footer's record; what may follow it is not looked at.
pub(super) fn check_footer(bytes: &bytes::Bytes) -> Result<CheckedFooter, Refusal> {
    if !has_unknown(bytes, FILE_META_DATA)? {
        return Ok(CheckedFooter {
            bytes: bytes.clone(),
            unreadable: Vec::new(),
            encryption: None,
        });
    }
    let mut file = Fields::read(bytes, FILE_META_DATA)?;
    let mut unreadable = BTreeMap::new();
    let mut encryption = file.get(8).is_some().then(|| ColumnEncryption {
        key_id: file.bytes(9).map(<[u8]>::to_vec),
        leaves: BTreeSet::new(),
    });
    for (index, element) in file.elements(2).iter_mut().enumerate() {
        let Value::Struct(element) = element else {
            continue;
        };
        clear_schema_element(element)
            .map_err(|name| Refusal::Wrong(format!("element {index} of the schema {name}")))?;
    }
    for group in file.elements(4) {
        let Value::Struct(group) = group else {
            continue;
        };
        for (leaf, chunk) in group.elements(1).iter_mut().enumerate() {
            let Value::Struct(chunk) = chunk else {
                continue;
            };
            if let Some(encryption) = &mut encryption
                && (chunk.get(8).is_some() || chunk.get(9).is_some())
            {
                encryption.leaves.insert(leaf);
            }
            if let Some(reason) = clear_column_chunk(chunk) {
                unreadable
                    .entry(leaf)
                    .or_insert_with(|| reason.into_owned());
            }
        }
    }
    file.retain(5, is_text);
    if file
        .bytes(6)
        .is_some_and(|writer| std::str::from_utf8(writer).is_err())
    {
        file.remove(6);
    }
    // One for each column: without one of them the others are of no use.
    if file.elements(7).contains(&Value::Unknown) {
        file.remove(7);
    }
    let mut known = Vec::with_capacity(bytes.len());
    file.write(&mut known);
    Ok(CheckedFooter {
        bytes: known.into(),
        unreadable: unreadable.into_iter().collect(),
        encryption,
    })
}

/// Whether a pair of the metadata is text: writers put bytes there, too, which no reader needs.
fn is_text(pair: &Value<'_>) -> bool {
    let Value::Struct(pair) = pair else {
        return false;
    };
    let mut texts = [1, 2].into_iter().filter_map(|field| pair.bytes(field));
    texts.all(|text| std::str::from_utf8(text).is_ok())
}

/// A column without a logical type that is not known: it is read as the values that are stored.
fn clear_schema_element(element: &mut Fields<'_>) -> Result<(), String> {
    if let Some(Err(_)) = element.bytes(4).map(std::str::from_utf8) {
        return Err("has a name that is not UTF-8".to_owned());
    }
    for (field, known, name) in [
        (1, TYPES, "a type of values"),
        (3, REPETITIONS, "a repetition"),
    ] {
        if let Some(number) = element
            .number(field)
            .filter(|number| !is_known(known, *number))
        {
            return Err(format!("has {name} that is not known ({number})"));
        }
    }
    if element
        .number(6)
        .is_some_and(|number| !is_known(CONVERTED, number))
    {
        element.remove(6);
    }
    Ok(())
}

/// Says why the column cannot be read, if it cannot.
fn clear_column_chunk(chunk: &mut Fields<'_>) -> Option<Cow<'static, str>> {
    // Its keys, or its description in secret.
    let is_encrypted = chunk.get(8).is_some() || chunk.get(9).is_some();
    let data = chunk.fields(3)?;
    let codec = data.number(4).filter(|codec| !is_known(CODECS, *codec));
    if codec.is_some() {
        data.set_number(4, 0);
    }
    if data.number(11) == Some(0) {
        data.remove(11);
    }
    let is_encoding =
        |value: &Value<'_>| matches!(value, Value::Number(_, name) if is_known(ENCODINGS, *name));
    data.retain(2, is_encoding);
    data.retain(8, is_text);
    let has_later = data.elements(13).iter_mut().any(|one| {
        let Value::Struct(one) = one else { return true };
        !one.number(1).is_some_and(|page| is_known(PAGES, page))
            || !one.number(2).is_some_and(|name| is_known(ENCODINGS, name))
    });
    if has_later {
        data.remove(13);
    }
    if is_encrypted {
        return Some("it is encrypted".into());
    }
    codec.map(|codec| format!("its compression is not known (codec {codec})").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer of one column and one row group: version, schema of a root and a leaf, rows, row
    /// groups; `more` of the leaf, of the column chunk, of its description with this codec, and of
    /// the file.
    fn footer(leaf: &[u8], chunk: &[u8], codec: u8, data: &[u8], file: &[u8]) -> Vec<u8> {
        let data = [
            &[
                0x15,
                4,
                0x19,
                0x15,
                0,
                0x19,
                0x18,
                1,
                b'a',
                0x15,
                codec << 1,
                0x16,
                2,
                0x16,
                40,
                0x16,
                40,
                0x26,
                8,
            ][..],
            data,
            &[0],
        ]
        .concat();
        let chunk = [&[0x26, 8, 0x1c][..], &data, chunk, &[0]].concat();
        let schema = [
            &[
                0x19, 0x2c, 0x48, 1, b'r', 0x15, 2, 0, 0x15, 4, 0x25, 0, 0x18, 1, b'a',
            ][..],
            leaf,
            &[0],
        ]
        .concat();
        let group = [
            &[0x19, 0x1c, 0x19, 0x1c][..],
            &chunk,
            &[0x16, 40, 0x16, 2, 0],
        ]
        .concat();
        [&[0x15, 2][..], &schema, &[0x16, 2], &group, file, &[0]].concat()
    }

    fn checked(bytes: Vec<u8>) -> Result<CheckedFooter, Refusal> {
        check_footer(&bytes.into())
    }

    #[test]
    fn what_a_later_version_adds_is_dropped_and_the_rest_is_as_it_was() {
        let plain = footer(&[], &[], 0, &[], &[]);
        assert_eq!(
            checked(plain.clone()),
            Ok(CheckedFooter {
                bytes: plain.clone().into(),
                unreadable: Vec::new(),
                encryption: None
            })
        );
        // A list of booleans, a struct, a map, a logical type, a name of an annotation,
        // columns' orders that are not known.
        let booleans = [0x09, 0x80, 0x02, 0x31, 1, 2, 1];
        let later = [
            footer(&[0x0c, 0x80, 0x04, 0x15, 2, 0], &[], 0, &[], &[]),
            footer(&[0x6c, 0x0c, 80, 0, 0], &[], 0, &[], &[]),
            footer(&[0x25, 80], &[], 0, &[], &[]),
            footer(&[], &booleans, 0, &[], &[]),
            footer(&[], &[], 0, &booleans, &booleans),
            footer(
                &[],
                &[],
                0,
                &[0x49, 0x1c, 0x15, 0, 0x15, 30, 0x15, 2, 0],
                &[],
            ),
            footer(&[], &[], 0, &[], &[0x39, 0x1c, 0x5c, 0, 0]),
            // A dictionary at byte 0, which there is not; a list where later versions have the
            // length of a bloom filter.
            footer(&[], &[], 0, &[0x26, 0], &[]),
            footer(&[], &[], 0, &[0x69, 0x18, 1, b'x'], &[]),
            footer(
                &[],
                &[],
                0,
                &[],
                &[0x0b, 0x80, 0x02, 1, 0x88, 1, b'k', 1, b'v'],
            ),
        ];
        for (index, later) in later.into_iter().enumerate() {
            let found = checked(later).unwrap();
            assert_eq!(
                (found.bytes.to_vec(), found.unreadable),
                (plain.clone(), Vec::new()),
                "{index}"
            );
        }
    }

    #[test]
    fn a_column_that_cannot_be_read_is_named_and_the_others_can() {
        let reason = |bytes: Vec<u8>| checked(bytes).unwrap().unreadable;
        assert_eq!(
            reason(footer(&[], &[], 9, &[], &[])),
            [(0, "its compression is not known (codec 9)".to_owned())]
        );
        // The footer's key, and a key of its own.
        assert_eq!(
            reason(footer(&[], &[0x5c, 0x1c, 0, 0], 0, &[], &[])),
            [(0, "it is encrypted".to_owned())]
        );
        assert_eq!(
            reason(footer(
                &[],
                &[0x5c, 0x2c, 0x19, 0x18, 1, b'a', 0, 0, 0x18, 1, 0],
                0,
                &[],
                &[]
            )),
            [(0, "it is encrypted".to_owned())]
        );
    }

    #[test]
    fn values_of_a_type_that_is_not_known_are_refused() {
        let mut bytes = footer(&[], &[], 0, &[], &[]);
        let slot = bytes
            .windows(5)
            .position(|window| window == [0x15, 4, 0x25, 0, 0x18])
            .unwrap();
        bytes[slot + 1] = 18;
        assert_eq!(
            checked(bytes).unwrap_err().to_string(),
            "column chunk 0 has values of type 2, its column of type 9"
        );
    }
}
