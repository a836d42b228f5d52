//! The Arrow schema that writers keep in a Parquet file's footer.
//!
//! Owns how it is decoded, also where names and values of metadata are no text: pyarrow stores the
//! parameters of extension types as the bytes that their class makes, such as a pickle. The readers
//! beneath refuse such a schema, so it is written anew without these pairs: what is left of an
//! extension type is the type that it is stored as, which is what pyarrow reads, too.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Metadata, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flatbuffers::InvalidFlatbuffer;
use parquet::arrow::encode_arrow_schema;
use parquet::file::metadata::{FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataBuilder};

/// The key of a footer's metadata under which writers keep the Arrow schema.
pub(super) const KEY: &str = "ARROW:schema";

/// The keys of an extension type's name and parameters.
const EXTENSION: [&str; 2] = ["ARROW:extension:name", "ARROW:extension:metadata"];

/// What stands for bytes that are no text: no name or value has this symbol.
const MARK: u8 = 0x1a;

/// The most bytes that are looked through for texts which are none: each text takes a whole pass.
const MAX_WORK: usize = 1 << 31;

/// The text under [`KEY`].
pub(super) fn text_of(metadata: Option<&Vec<KeyValue>>) -> Option<&str> {
    let mut pairs = metadata.into_iter().flatten();
    pairs.find(|pair| pair.key == KEY)?.value.as_deref()
}

/// The message that a text holds.
pub(super) fn message_of(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    // A mark and a length may precede the message.
    match bytes.strip_prefix(&[0xff; 4]) {
        Some(rest) => rest.get(4..).map(<[u8]>::to_vec),
        None => Some(bytes),
    }
}

/// The schema that a message holds; none if it holds none that can be read.
pub(super) fn schema_of(message: &[u8]) -> Option<Schema> {
    let schema = arrow_ipc::root_as_message(message)
        .ok()?
        .header_as_schema()?;
    arrow_ipc::convert::try_fb_to_schema(schema).ok()
}

/// A footer whose Arrow schema has texts alone.
pub(super) fn legible(metadata: ParquetMetaData) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let pairs = file.key_value_metadata();
    let repaired = text_of(pairs).and_then(repaired);
    let Some(repaired) = repaired else {
        return metadata;
    };
    let known = |pair: &KeyValue| {
        if pair.key == KEY {
            KeyValue::new(KEY.to_owned(), repaired.clone())
        } else {
            pair.clone()
        }
    };
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        Some(pairs.into_iter().flatten().map(known).collect()),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let groups = metadata.row_groups().to_vec();
    ParquetMetaDataBuilder::new(file)
        .set_row_groups(groups)
        .build()
}

/// The schema without what is no text; none if there is no such thing, or nothing can be done.
fn repaired(text: &str) -> Option<String> {
    let mut message = message_of(text)?;
    let mut left = MAX_WORK;
    let mut is_changed = false;
    while let Err(InvalidFlatbuffer::Utf8Error { range, .. }) = arrow_ipc::root_as_message(&message)
    {
        left = left.checked_sub(message.len())?;
        mark(message.get_mut(range)?);
        is_changed = true;
    }
    let schema = schema_of(&message).filter(|_| is_changed)?;
    let fields: Vec<FieldRef> = schema.fields().iter().map(without_marks).collect();
    let schema = Schema::new_with_metadata(fields, unmarked(schema.metadata()));
    Some(encode_arrow_schema(&schema))
}

/// Puts marks where bytes are no text.
fn mark(bytes: &mut [u8]) {
    let mut start = 0;
    while let Err(error) = std::str::from_utf8(&bytes[start..]) {
        let first = start + error.valid_up_to();
        let end = error
            .error_len()
            .map_or(bytes.len(), |length| first + length);
        bytes[first..end].fill(MARK);
        start = end;
    }
}

/// The pairs without marks; without its parameters an extension type has no name.
fn unmarked(metadata: &Metadata) -> Metadata {
    let is_marked = |(key, value): &(&String, &String)| {
        key.as_bytes().contains(&MARK) || value.as_bytes().contains(&MARK)
    };
    let (marked, kept): (Vec<_>, Vec<_>) = metadata.iter().partition(is_marked);
    let is_extension = |(key, _): &(&String, &String)| EXTENSION.contains(&key.as_str());
    let is_plain = marked.iter().any(is_extension);
    let kept = kept.into_iter();
    kept.filter(|pair| !(is_plain && is_extension(pair)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn without_marks(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(without_marks(item)),
        DataType::LargeList(item) => DataType::LargeList(without_marks(item)),
        DataType::ListView(item) => DataType::ListView(without_marks(item)),
        DataType::LargeListView(item) => DataType::LargeListView(without_marks(item)),
        DataType::FixedSizeList(item, length) => {
            DataType::FixedSizeList(without_marks(item), *length)
        }
        DataType::Map(entries, is_sorted) => DataType::Map(without_marks(entries), *is_sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(without_marks).collect()),
        other => other.clone(),
    };
    let own: &Field = field;
    let own = own.clone().with_data_type(data_type);
    Arc::new(own.with_metadata(unmarked(field.metadata())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_marked_and_the_rest_stays() {
        for (bytes, expected) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"\x80\x04\xff", b"\x1a\x04\x1a"),
            (b"a\xffb\xc3\xa4c\xc3", b"a\x1ab\xc3\xa4c\x1a"),
            (b"\xe2\x82", b"\x1a\x1a"),
            (b"", b""),
        ] {
            let mut own = bytes.to_vec();
            mark(&mut own);
            assert_eq!(own, expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_schema_of_texts_stays_as_it_is_and_a_damaged_one_too() {
        let schema = Schema::new(vec![Field::new("ä", DataType::Int8, true)]);
        for text in [encode_arrow_schema(&schema), "AAAA".into(), String::new()] {
            assert_eq!(repaired(&text), None, "{text}");
        }
    }
}
