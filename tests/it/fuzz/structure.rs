//! Mutations that know what a file is: a value of JSON or TOML, a field of a protocol buffer, the
//! footer of a Parquet file, what a compressed stream holds, a record of delimited text.
//!
//! They leave lengths and checksums right, so that what is behind them is reached.

use std::io::{Read, Write};

use serde_json::{Map, Number, Value};

use super::{archive, pickle};
use crate::mutation::{Generator, mutate};

/// Deeper or larger documents are left to the mutations of bytes.
const MAX_BYTES: usize = 400_000;

/// Mutates by structure, if the file has one that is known; reports whether it did.
pub(crate) fn mutate_structure(random: &mut Generator, bytes: &mut Vec<u8>, donor: &[u8]) -> bool {
    let new = if bytes.len() > MAX_BYTES {
        None
    } else if bytes.starts_with(b"PAR1") {
        footer(random, bytes, donor)
    } else if bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        compressed(random, bytes, donor)
    } else if archive::is_zip(bytes) {
        archive::zip(random, bytes, &mut |random, bytes| {
            within(random, bytes, donor);
        })
    } else if archive::is_zlib(bytes) {
        archive::zlib(random, bytes, &mut |random, bytes| {
            within(random, bytes, donor);
        })
    } else if bytes.starts_with(b"CBM1") {
        flat(random, bytes)
    } else if pickle::is_pickle(bytes) {
        pickle::mutated(random, bytes, donor)
    } else if bytes.get(8) == Some(&b'{') {
        safetensors(random, bytes, donor)
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        json(random, text, donor)
            .or_else(|| toml(random, text))
            .or_else(|| delimited(random, text))
    } else {
        message(random, bytes, donor)
    };
    let is_done = new.is_some();
    if let Some(new) = new {
        *bytes = new;
    }
    is_done
}

/// Mutates what an archive or a stream holds.
fn within(random: &mut Generator, bytes: &mut Vec<u8>, donor: &[u8]) {
    if random.below(3) == 0 || !mutate_structure(random, bytes, donor) {
        mutate(random, bytes, donor);
    }
}

/// Changes numbers of a `FlatBuffer`: offsets, lengths and values stand at multiples of four.
fn flat(random: &mut Generator, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut all = bytes.to_vec();
    let words = all.len() / 4;
    for _ in 0..=random.below(4) {
        // The first two are the file's mark and the buffer's length.
        let start = 4 * (2 + random.below(words.checked_sub(2)?));
        let word = all.get_mut(start..start + 4)?;
        let own = u32::from_le_bytes(word.try_into().ok()?);
        let new = match random.below(8) {
            0 => own.wrapping_add(1),
            1 => own.wrapping_sub(1),
            2 => own.wrapping_add(4),
            3 => own.wrapping_sub(4),
            4 => own ^ (1 << random.below(32)),
            5 => u32::MAX - random.below(8) as u32,
            6 => random.below(64) as u32,
            _ => bytes.len() as u32 - random.below(16) as u32,
        };
        word.copy_from_slice(&new.to_le_bytes());
    }
    Some(all)
}

fn json(random: &mut Generator, text: &str, donor: &[u8]) -> Option<Vec<u8>> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    if !document.is_object() && !document.is_array() {
        return None;
    }
    let other = serde_json::from_slice(donor).unwrap_or(Value::Null);
    for _ in 0..=random.below(3) {
        change(random, &mut document, &other);
    }
    let mut text = serde_json::to_string(&document).ok()?;
    // A duplicate key is not a document of serde_json's.
    if random.below(8) == 0
        && let Some(object) = text.find('{')
    {
        let keys: Vec<&str> = text
            .split('"')
            .filter(|part| !part.is_empty() && part.len() < 40)
            .take(40)
            .collect();
        if !keys.is_empty() {
            let again = format!("\"{}\":{},", random.pick(&keys), scalar(random));
            text.insert_str(object + 1, &again);
        }
    }
    Some(text.into_bytes())
}

fn toml(random: &mut Generator, text: &str) -> Option<Vec<u8>> {
    if !text.contains(" = ") {
        return None;
    }
    let mut document = serde_json::to_value(toml::from_str::<toml::Table>(text).ok()?).ok()?;
    for _ in 0..=random.below(3) {
        change(random, &mut document, &Value::Null);
    }
    without_nulls(&mut document);
    toml::to_string(&document).ok().map(String::into_bytes)
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(values) => {
            values.retain(|value| !value.is_null());
            values.iter_mut().for_each(without_nulls);
        }
        _ => {}
    }
}

/// Changes one value of a document, anywhere in it.
fn change(random: &mut Generator, document: &mut Value, other: &Value) {
    let target = random.below(count(document));
    let value = nth_mut(document, &mut { target });
    let Some(value) = value else { return };
    match (random.below(8), &mut *value) {
        (0, Value::Object(object)) if !object.is_empty() => {
            let key = random
                .pick(&object.keys().cloned().collect::<Vec<_>>())
                .clone();
            object.remove(&key);
        }
        (0 | 1, Value::Array(values)) if !values.is_empty() => {
            let index = random.below(values.len());
            if random.below(2) == 0 {
                values.remove(index);
            } else {
                let again = values[index].clone();
                values.insert(random.below(values.len()), again);
            }
        }
        (2, Value::Array(values)) if !values.is_empty() => {
            let last = values[random.below(values.len())].clone();
            values.extend(vec![last; 1 + random.below(300)]);
        }
        (3, Value::Array(values)) => {
            let length = random.below(values.len() + 1);
            values.truncate(length);
        }
        (2 | 3, Value::Object(object)) => {
            let (key, own) = (random.pick(&KEYS), scalar(random));
            object.insert((*key).to_owned(), own);
        }
        (4, _) if !other.is_null() => {
            let index = random.below(count(other));
            if let Some(piece) = nth_mut(&mut other.clone(), &mut { index }) {
                *value = std::mem::take(piece);
            }
        }
        (5, Value::Number(number)) => {
            let near = number.as_f64().unwrap_or(0.0) + [-1.0, 1.0, 0.5][random.below(3)];
            *value = if number.is_f64() {
                Value::from(near)
            } else {
                Value::from(near as i64)
            };
        }
        (6, _) => {
            let inner = value.take();
            *value = if random.below(2) == 0 {
                Value::Array(vec![inner])
            } else {
                Value::Object(Map::from_iter([("a".to_owned(), inner)]))
            };
        }
        _ => *value = scalar(random),
    }
}

/// Keys that some reader knows.
const KEYS: [&str; 16] = [
    "name",
    "type",
    "path",
    "version",
    "dtype",
    "shape",
    "offset",
    "length",
    "expression",
    "categories",
    "labels",
    "threshold",
    "weight",
    "size",
    "prefix",
    "",
];

/// A value at an edge.
fn scalar(random: &mut Generator) -> Value {
    const INTEGERS: [i64; 14] = [
        0,
        1,
        -1,
        2,
        127,
        128,
        255,
        65_536,
        i32::MAX as i64,
        i32::MAX as i64 + 1,
        u32::MAX as i64,
        i64::MAX,
        i64::MIN,
        1 << 53,
    ];
    const TEXTS: [&str; 12] = [
        "",
        "0",
        "-1",
        "NaN",
        "1e999",
        "a",
        "\u{0}",
        "..",
        "/",
        "\u{1b}[2J",
        "é",
        "a b",
    ];
    match random.below(7) {
        0 => Value::Null,
        1 => Value::Bool(random.below(2) == 0),
        2 => Number::from_f64(*random.pick(&[0.5, -0.0, 1e308, 5e-324, 1e19]))
            .map_or(Value::Null, Value::Number),
        3 => Value::String((*random.pick(&TEXTS)).to_owned()),
        4 => Value::Array(Vec::new()),
        5 => Value::from(u64::MAX - random.below(2) as u64),
        _ => Value::from(*random.pick(&INTEGERS)),
    }
}

/// The number of values in a document, itself included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(object) => object.values().map(count).sum(),
        _ => 0,
    }
}

fn nth_mut<'a>(value: &'a mut Value, remaining: &mut usize) -> Option<&'a mut Value> {
    if *remaining == 0 {
        return Some(value);
    }
    *remaining -= 1;
    match value {
        Value::Array(values) => values
            .iter_mut()
            .find_map(|value| nth_mut(value, remaining)),
        Value::Object(object) => object
            .values_mut()
            .find_map(|value| nth_mut(value, remaining)),
        _ => None,
    }
}

/// Mutates a Parquet file's footer and keeps its length right.
fn footer(random: &mut Generator, bytes: &[u8], donor: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.len().checked_sub(8).filter(|end| *end > 4)?;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().ok()?) as usize;
    let start = end.checked_sub(length).filter(|start| *start >= 4)?;
    let mut footer = bytes[start..end].to_vec();
    mutate(random, &mut footer, donor);
    let mut all = bytes[..start].to_vec();
    all.extend_from_slice(&footer);
    all.extend_from_slice(&(footer.len() as u32).to_le_bytes());
    all.extend_from_slice(b"PAR1");
    Some(all)
}

/// Mutates what a compressed stream holds.
fn compressed(random: &mut Generator, bytes: &[u8], donor: &[u8]) -> Option<Vec<u8>> {
    let mut inner = Vec::new();
    let is_gzip = bytes[0] == 0x1f;
    let mut reader: Box<dyn Read> = if is_gzip {
        Box::new(flate2::read::MultiGzDecoder::new(bytes))
    } else {
        Box::new(zstd::stream::read::Decoder::new(bytes).ok()?)
    };
    reader
        .by_ref()
        .take(MAX_BYTES as u64)
        .read_to_end(&mut inner)
        .ok()?;
    mutate(random, &mut inner, donor);
    if !is_gzip {
        return zstd::encode_all(&inner[..], 1).ok();
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&inner).ok()?;
    encoder.finish().ok()
}

/// Mutates the header of a safetensors file and keeps its length right.
fn safetensors(random: &mut Generator, bytes: &[u8], donor: &[u8]) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().ok()?)).ok()?;
    let header = std::str::from_utf8(bytes.get(8..8_usize.checked_add(length)?)?).ok()?;
    let new = json(random, header, donor)?;
    let mut all = (new.len() as u64).to_le_bytes().to_vec();
    all.extend_from_slice(&new);
    all.extend_from_slice(&bytes[8 + length..]);
    Some(all)
}

/// Mutates a record or a field of delimited text.
fn delimited(random: &mut Generator, text: &str) -> Option<Vec<u8>> {
    const FIELDS: [&str; 24] = [
        "",
        "\"\"",
        "\"",
        "\"a\"b\"",
        "\"a\nb\"",
        "\"a\"\"b\"",
        "NA",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "-0",
        "0x10",
        "1_000",
        "1,5",
        "1.5e-400",
        "9223372036854775808",
        " 1 ",
        "true",
        "2024-02-30",
        "\\N",
        "\u{feff}",
        "\u{1b}[31m",
        "é",
    ];
    let delimiter = *[',', ';', '\t', '|']
        .iter()
        .max_by_key(|delimiter| text.matches(**delimiter).count())?;
    if !text.contains(delimiter) || !text.contains('\n') {
        return None;
    }
    let mut records: Vec<Vec<String>> = text
        .split('\n')
        .map(|line| line.split(delimiter).map(str::to_owned).collect())
        .collect();
    for _ in 0..=random.below(3) {
        let row = random.below(records.len());
        let column = random.below(records[row].len());
        match random.below(6) {
            0 => {
                let again = records[row].clone();
                let copies = 1 + random.below(400);
                records.splice(row..row, vec![again; copies]);
            }
            1 if records.len() > 1 => _ = records.remove(row),
            2 => records[row].push((*random.pick(&FIELDS)).to_owned()),
            3 if records[row].len() > 1 => _ = records[row].remove(column),
            _ => (*random.pick(&FIELDS)).clone_into(&mut records[row][column]),
        }
    }
    let lines: Vec<String> = records
        .iter()
        .map(|fields| fields.join(&delimiter.to_string()))
        .collect();
    Some(lines.join("\n").into_bytes())
}

/// A field of a protocol buffer.
#[derive(Clone)]
struct Field {
    key: u64,
    value: Wire,
}

#[derive(Clone)]
enum Wire {
    Varint(u64),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// Mutates a field of a protocol buffer, anywhere in it, and keeps the lengths around it right.
fn message(random: &mut Generator, bytes: &[u8], donor: &[u8]) -> Option<Vec<u8>> {
    let mut fields = parse(bytes, 0)?;
    let other = parse(donor, 0).unwrap_or_default();
    for _ in 0..=random.below(3) {
        change_field(random, &mut fields, &other);
    }
    let mut all = Vec::new();
    write(&fields, &mut all);
    Some(all)
}

fn change_field(random: &mut Generator, fields: &mut Vec<Field>, other: &[Field]) {
    if fields.is_empty() {
        return;
    }
    let index = random.below(fields.len());
    if let Wire::Message(inner) = &mut fields[index].value
        && random.below(8) > 0
    {
        return change_field(random, inner, other);
    }
    match random.below(7) {
        0 => _ = fields.remove(index),
        1 => {
            let again = fields[index].clone();
            fields.insert(random.below(fields.len()), again);
        }
        2 if !other.is_empty() => {
            let mut piece = random.pick(other);
            while let Wire::Message(inner) = &piece.value
                && !inner.is_empty()
                && random.below(3) > 0
            {
                piece = random.pick(inner);
            }
            fields.insert(index, piece.clone());
        }
        3 => fields[index].key ^= 1 << (3 + random.below(4)),
        _ => match &mut fields[index].value {
            Wire::Varint(number) => {
                *number = match random.below(3) {
                    0 => number.wrapping_add(1),
                    1 => number.wrapping_sub(1),
                    _ => *random.pick(&[
                        0,
                        1,
                        u64::MAX,
                        1 << 31,
                        u64::from(u32::MAX),
                        1 << 63,
                        i64::MAX as u64,
                        100,
                    ]),
                };
            }
            Wire::Fixed(bytes) => {
                let edge =
                    f32::to_le_bytes(*random.pick(&[f32::NAN, f32::INFINITY, -0.0, 0.0, f32::MAX]));
                let width = bytes.len();
                bytes[width - 4..].copy_from_slice(&edge);
            }
            Wire::Bytes(bytes) => mutate(random, bytes, b"-1,0,1"),
            Wire::Message(inner) => inner.clear(),
        },
    }
}

/// The fields of a message, if the bytes are one from their beginning to their end.
fn parse(bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let (mut rest, mut fields) = (bytes, Vec::new());
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Wire::Varint(varint(&mut rest)?),
            1 | 5 => Wire::Fixed(take(&mut rest, if key & 7 == 1 { 8 } else { 4 })?.to_vec()),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let inner = take(&mut rest, length)?;
                match parse(inner, depth + 1) {
                    Some(fields)
                        if depth < 12 && fields.iter().all(|field| field.key >> 3 < 40) =>
                    {
                        Wire::Message(fields)
                    }
                    _ => Wire::Bytes(inner.to_vec()),
                }
            }
            _ => return None,
        };
        if key >> 3 == 0 || key >> 3 > 5_000 {
            return None;
        }
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(rest, 1)?.first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (own, others) = rest.split_at_checked(length)?;
    *rest = others;
    Some(own)
}

fn write(fields: &[Field], all: &mut Vec<u8>) {
    for field in fields {
        write_varint(field.key, all);
        match &field.value {
            Wire::Varint(number) => write_varint(*number, all),
            Wire::Fixed(bytes) => all.extend_from_slice(bytes),
            Wire::Bytes(bytes) => {
                write_varint(bytes.len() as u64, all);
                all.extend_from_slice(bytes);
            }
            Wire::Message(inner) => {
                let mut bytes = Vec::new();
                write(inner, &mut bytes);
                write_varint(bytes.len() as u64, all);
                all.extend_from_slice(&bytes);
            }
        }
    }
}

fn write_varint(mut number: u64, all: &mut Vec<u8>) {
    while number >= 0x80 {
        all.push(number as u8 | 0x80);
        number >>= 7;
    }
    all.push(number as u8);
}

#[test]
fn a_protocol_buffer_is_written_as_it_was_read() {
    let path = crate::harness::data("golden/onnx_linear/model.onnx");
    let bytes = std::fs::read(path).unwrap();
    let (fields, mut again) = (parse(&bytes, 0).unwrap(), Vec::new());
    write(&fields, &mut again);
    assert_eq!(again, bytes);
}

#[test]
fn every_known_structure_is_mutated_into_one_of_its_kind() {
    let mut random = Generator::new(1);
    let parquet = std::fs::read(crate::harness::data("hostile/good.parquet")).unwrap();
    for original in [
        &b"{\"a\": [1, 2, {\"b\": null}]}"[..],
        b"a = 1\n[[b]]\nc = \"d\"\n",
        b"id,a\n1,2\n",
        &parquet,
        &zstd::encode_all(&b"id,a\n1,2\n"[..], 1).unwrap(),
    ] {
        // Not every change of a document leaves one that has a form in TOML.
        let changed = (0..40).filter(|_| {
            let mut bytes = original.to_vec();
            mutate_structure(&mut random, &mut bytes, b"[3]") && bytes != original
        });
        assert!(changed.count() > 20);
    }
}
