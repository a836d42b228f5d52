//! numpy's own files, `.npy` and `.npz`, without pickled objects.
//!
//! Owns the header, which is the text of a Python dictionary. Source: `numpy.lib.format`.

use std::sync::Arc;

use bytes::Bytes;

use super::numpy::{Array, DataType, FieldType, Kind};
use crate::error::{Error, Result};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read.
const HEADER_BYTES: usize = 1 << 16;

fn broken(message: &str) -> Error {
    Error::failed(format!("cannot read an array of the file: {message}"))
        .hint("the file is damaged: copy or save the model again")
}

/// Reads an array.
///
/// # Errors
/// Fails for a broken file; a contract error for objects.
pub(super) fn read(bytes: &Bytes) -> Result<Array> {
    let version = bytes.get(MAGIC.len()).filter(|_| bytes.starts_with(MAGIC));
    let wide = match version {
        Some(1) => false,
        Some(2 | 3) => true,
        _ => return Err(broken("it does not begin as numpy's files do")),
    };
    let at = MAGIC.len() + 2;
    let length_bytes = if wide { 4 } else { 2 };
    let length = bytes
        .get(at..at + length_bytes)
        .ok_or_else(|| broken("it is cut short"))?;
    let length = length
        .iter()
        .rev()
        .fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let start = at + length_bytes;
    let header = bytes
        .get(start..start.saturating_add(length))
        .filter(|header| header.len() <= HEADER_BYTES)
        .and_then(|header| std::str::from_utf8(header).ok())
        .ok_or_else(|| broken("its header is cut short"))?;
    let Header {
        code,
        is_fortran,
        shape,
    } = Header::parse(header).ok_or_else(|| broken("its header is not understood"))?;
    let data_type = data_type(code).filter(|found| found.kind != Kind::Object);
    let data_type = data_type.ok_or_else(|| {
        let shown: String = code.chars().take(60).collect();
        Error::contract(format!("an array of the type `{shown}` is not read"))
    })?;
    Array::raw(
        shape,
        Arc::new(data_type),
        is_fortran,
        bytes.slice(start + length..),
    )
}

struct Header<'a> {
    code: &'a str,
    is_fortran: bool,
    shape: Vec<usize>,
}

impl<'a> Header<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let after = |key: &str| Some(text.split_once(key)?.1.trim_start());
        let code = after("'descr':")?.split_once(", 'fortran_order'")?.0.trim();
        let is_fortran = after("'fortran_order':")?.starts_with("True");
        let inner = after("'shape':")?.strip_prefix('(')?.split_once(')')?.0;
        let lengths = inner
            .split(',')
            .map(str::trim)
            .filter(|length| !length.is_empty());
        let shape = lengths
            .map(|length| length.parse().ok())
            .collect::<Option<Vec<usize>>>()?;
        Some(Self {
            code,
            is_fortran,
            shape,
        })
    }
}

/// A type of one code in quotes, or of a list of named ones; an empty name is padding.
fn data_type(text: &str) -> Option<DataType> {
    let quoted = |text: &str| {
        Some(
            text.trim()
                .strip_prefix('\'')?
                .strip_suffix('\'')?
                .to_owned(),
        )
    };
    let Some(list) = text.strip_prefix('[') else {
        return DataType::parse(&quoted(text)?);
    };
    let (mut fields, mut size) = (Vec::new(), 0_usize);
    for part in list.strip_suffix(']')?.split('(').skip(1) {
        let part = part.trim().trim_end_matches(',').strip_suffix(')')?;
        let (name, code) = part.split_once(',')?;
        let (name, data_type) = (quoted(name)?, Arc::new(DataType::parse(&quoted(code)?)?));
        let offset = size;
        size = size.checked_add(data_type.size)?;
        if data_type.kind == Kind::Object {
            return None;
        }
        if !name.is_empty() {
            fields.push(FieldType {
                name,
                data_type,
                offset,
            });
        }
    }
    Some(DataType {
        kind: Kind::Void,
        size,
        is_big_endian: false,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `numpy.save` writes it.
    fn file(header: &str, data: &[u8]) -> Bytes {
        let mut bytes = b"\x93NUMPY\x01\0".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes.into()
    }

    #[test]
    fn arrays_are_read_in_either_order() {
        let header = "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 2), }\n";
        let array = read(&file(header, &[1, 0, 2, 0, 3, 0, 4, 0])).unwrap();
        assert_eq!(array.field_integers("").unwrap(), [1, 3, 2, 4]);
        let header = "{'descr': '|b1', 'fortran_order': False, 'shape': (), }\n";
        assert_eq!(read(&file(header, &[1])).unwrap().reals().unwrap(), [1.0]);
        let header = "{'descr': [('a', '|u1'), ('', '|V1'), ('b', '<i2')], \
                      'fortran_order': False, 'shape': (2,), }";
        let records = read(&file(header, &[7, 0, 1, 0, 8, 0, 2, 0])).unwrap();
        assert_eq!(records.field_integers("a").unwrap(), [7, 8]);
        assert_eq!(records.field_integers("b").unwrap(), [1, 2]);
    }

    #[test]
    fn broken_files_are_errors() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n";
        let whole = file(header, &[0; 24]);
        for length in 0..whole.len() {
            assert!(read(&whole.slice(..length)).is_err(), "{length} bytes");
        }
        for header in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615, 9), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': [('a', '<f8'), ('b', 'O')], 'fortran_order': False, 'shape': (3,), }",
            "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (4,), }",
            "{'descr': [('a', '<f8', 'fortran_order': False, 'shape': (3,), }",
            "{'descr': '|V0', 'fortran_order': False, 'shape': (4611686018427387904,), }",
        ] {
            assert!(read(&file(header, &[0; 24])).is_err(), "{header}");
        }
    }
}
