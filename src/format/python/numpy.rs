//! numpy's arrays and element types as files hold them: bytes of the file, read when asked for.
//!
//! Owns types, structured ones by field name and offset, and the order of elements. It must not
//! know where an array came from. Shapes are checked against the bytes when an array is made; no
//! element is read before somebody asks.

use std::sync::Arc;

use bytes::Bytes;

use super::record::Id;
use crate::error::{Error, Result};

/// The most axes that numpy gives an array.
const AXES_LIMIT: usize = 64;

/// What one element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One byte, 0 or 1.
    Boolean,
    /// A signed integer.
    Integer,
    /// An unsigned integer.
    Unsigned,
    /// A float of 2, 4 or 8 bytes.
    Float,
    /// Text of fixed length, four bytes a character.
    Text,
    /// Bytes of fixed length.
    Bytes,
    /// A Python object.
    Object,
    /// Several fields, or bytes without a meaning.
    Void,
    /// Anything else, such as complex numbers and dates: its size is known, its meaning unused.
    Other,
}

/// A field of a structured type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldType {
    pub(crate) name: String,
    pub(crate) data_type: Arc<DataType>,
    pub(crate) offset: usize,
}

/// The type of an array's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataType {
    pub(crate) kind: Kind,
    /// Bytes of one element.
    pub(crate) size: usize,
    pub(crate) is_big_endian: bool,
    /// The fields of a structured type.
    pub(crate) fields: Vec<FieldType>,
}

impl DataType {
    /// The type of a code such as `f8`, `<i4` or `|O`; none if it is not numpy's.
    pub(crate) fn parse(code: &str) -> Option<Self> {
        let (is_big_endian, code) = match code.as_bytes().first()? {
            b'>' => (true, &code[1..]),
            b'<' | b'=' | b'|' => (false, &code[1..]),
            _ => (false, code),
        };
        let letter = code.chars().next()?;
        let digits = code.get(1..)?.split('[').next()?;
        let size = if digits.is_empty() {
            None
        } else {
            Some(digits.parse::<usize>().ok()?)
        };
        let size = match (letter, size) {
            ('?', _) | ('b', None) => 1,
            ('U', Some(size)) => size.checked_mul(4)?,
            ('O', _) | ('M' | 'm', None) => 8,
            ('V' | 'S' | 'a' | 'U', None) => 0,
            (_, Some(size)) => size,
            _ => return None,
        };
        let kind = match (letter, size) {
            ('?' | 'b', 1) => Kind::Boolean,
            ('i', 1 | 2 | 4 | 8) => Kind::Integer,
            ('u', 1 | 2 | 4 | 8) => Kind::Unsigned,
            ('f', 2 | 4 | 8) => Kind::Float,
            ('U', _) => Kind::Text,
            ('S' | 'a', _) => Kind::Bytes,
            ('O', _) => Kind::Object,
            ('V', _) => Kind::Void,
            ('f' | 'c' | 'M' | 'm', _) => Kind::Other,
            _ => return None,
        };
        Some(Self {
            kind,
            size,
            is_big_endian,
            fields: Vec::new(),
        })
    }

    /// The field of this name.
    pub(crate) fn field(&self, name: &str) -> Option<&FieldType> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl std::fmt::Display for DataType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = self.size * 8;
        match self.kind {
            Kind::Boolean => f.write_str("bool"),
            Kind::Integer => write!(f, "int{bits}"),
            Kind::Unsigned => write!(f, "uint{bits}"),
            Kind::Float => write!(f, "float{bits}"),
            Kind::Text => f.write_str("text"),
            Kind::Bytes => f.write_str("bytes"),
            Kind::Object => f.write_str("object"),
            Kind::Void if self.fields.is_empty() => write!(f, "{} bytes", self.size),
            Kind::Void => write!(f, "{} fields", self.fields.len()),
            Kind::Other => f.write_str("another type"),
        }
    }
}

/// The elements of an array.
#[derive(Clone, Debug)]
pub(crate) enum Elements {
    /// Not known yet.
    Unset,
    /// As bytes.
    Raw(Bytes),
    /// As a list of values.
    Objects(Id),
}

/// An array.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) data_type: Arc<DataType>,
    /// Whether the first axis varies fastest.
    pub(crate) is_fortran: bool,
    pub(crate) elements: Elements,
}

/// One number in raw bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    pub(crate) fn real(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Unsigned(value) => value as f64,
            Self::Float(value) => value,
        }
    }
}

/// The number that an element's bytes are; none for types that are no numbers.
pub(super) fn number(data_type: &DataType, bytes: &[u8]) -> Option<Number> {
    let bytes = bytes.get(..data_type.size)?;
    let mut word = [0_u8; 8];
    let size = bytes.len();
    if size > 8 {
        return None;
    }
    word[..size].copy_from_slice(bytes);
    if data_type.is_big_endian {
        word[..size].reverse();
    }
    let bits = u64::from_le_bytes(word);
    Some(match (data_type.kind, size) {
        (Kind::Boolean, _) => Number::Integer(i64::from(bits != 0)),
        (Kind::Integer, 1..=8) => {
            let shift = 64 - 8 * size as u32;
            Number::Integer((bits << shift) as i64 >> shift)
        }
        (Kind::Unsigned, _) => Number::Unsigned(bits),
        (Kind::Float, 2) => Number::Float(half::f16::from_bits(bits as u16).to_f64()),
        (Kind::Float, 4) => Number::Float(f64::from(f32::from_bits(bits as u32))),
        (Kind::Float, 8) => Number::Float(f64::from_bits(bits)),
        _ => return None,
    })
}

/// The text that an element of fixed length is, without the zeros at its end.
pub(super) fn fixed_text(data_type: &DataType, bytes: &[u8]) -> Option<String> {
    let decode = |word: &[u8]| {
        let word: [u8; 4] = word.try_into().unwrap_or_default();
        let code = if data_type.is_big_endian {
            u32::from_be_bytes(word)
        } else {
            u32::from_le_bytes(word)
        };
        char::from_u32(code)
    };
    let text: Option<String> = bytes.chunks_exact(4).map(decode).collect();
    text.map(|text| text.trim_end_matches('\0').to_owned())
}

/// The number of elements of a shape, checked against what holds them.
fn fits(shape: &[usize], unit: usize, available: usize) -> bool {
    if shape.contains(&0) {
        return available == 0 && shape.len() <= AXES_LIMIT;
    }
    // Elements without bytes could be any number.
    let product = shape.iter().try_fold(unit as u128, |product, &length| {
        product.checked_mul(length as u128)
    });
    unit > 0 && product == Some(available as u128) && shape.len() <= AXES_LIMIT
}

impl Array {
    /// An array whose elements follow later.
    pub(super) fn unset() -> Self {
        let kind = Kind::Void;
        Self {
            shape: Vec::new(),
            data_type: Arc::new(DataType {
                kind,
                size: 0,
                is_big_endian: false,
                fields: vec![],
            }),
            is_fortran: false,
            elements: Elements::Unset,
        }
    }

    /// An array of raw bytes.
    ///
    /// # Errors
    /// Fails if shape, type and bytes do not fit each other.
    pub(super) fn raw(
        shape: Vec<usize>,
        data_type: Arc<DataType>,
        is_fortran: bool,
        bytes: Bytes,
    ) -> Result<Self> {
        if data_type.kind == Kind::Object || !fits(&shape, data_type.size, bytes.len()) {
            return Err(Error::failed(format!(
                "{} bytes do not make an array of {data_type} and shape {shape:?}",
                bytes.len()
            )));
        }
        Ok(Self {
            shape,
            data_type,
            is_fortran,
            elements: Elements::Raw(bytes),
        })
    }

    /// An array of the values of a list, which numpy writes in C order whatever the array's own.
    ///
    /// # Errors
    /// Fails if the list has another length than the shape.
    pub(super) fn objects(
        shape: Vec<usize>,
        data_type: Arc<DataType>,
        (list, length): (Id, usize),
    ) -> Result<Self> {
        if !fits(&shape, 1, length) {
            return Err(Error::failed(format!(
                "{length} values do not make an array of shape {shape:?}"
            )));
        }
        Ok(Self {
            shape,
            data_type,
            is_fortran: false,
            elements: Elements::Objects(list),
        })
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        if self.shape.contains(&0) {
            return 0;
        }
        self.shape.iter().product()
    }

    /// Where the elements lie, in C order.
    pub(crate) fn order(&self) -> impl Iterator<Item = usize> + '_ {
        let length = self.len();
        let is_plain = !self.is_fortran || self.shape.len() < 2;
        (0..length).map(move |index| {
            if is_plain {
                index
            } else {
                self.fortran_index(index)
            }
        })
    }

    /// Where the element of an index in C order lies, of an array whose first axis varies fastest.
    pub(super) fn fortran_index(&self, mut index: usize) -> usize {
        let mut below = self.len();
        let mut position = 0;
        for &length in self.shape.iter().rev() {
            below /= length.max(1);
            position += index % length.max(1) * below;
            index /= length.max(1);
        }
        position
    }

    /// The texts of an array of fixed-length texts, in C order.
    ///
    /// # Errors
    /// Fails if it holds no texts, or broken ones.
    pub(crate) fn texts(&self) -> Result<Vec<String>> {
        let wrong = || Error::failed(format!("an array of {} instead of texts", self.data_type));
        let (Elements::Raw(bytes), Kind::Text) = (&self.elements, self.data_type.kind) else {
            return Err(wrong());
        };
        let size = self.data_type.size;
        let element = |index: usize| {
            bytes
                .get(index * size..(index + 1) * size)
                .and_then(|bytes| fixed_text(&self.data_type, bytes))
        };
        self.order()
            .map(|index| element(index).ok_or_else(wrong))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Elements of 13 bytes, the second field of which is of a type.
    fn array(code: &str, words: &[u8]) -> Array {
        let data_type = Arc::new(DataType::parse(code).unwrap());
        let size = data_type.size;
        let bytes: Vec<u8> = words
            .chunks(size)
            .flat_map(|word| [&[7; 3][..], word, &[9; 2]].concat())
            .collect();
        let whole = DataType {
            kind: Kind::Void,
            size: size + 5,
            is_big_endian: false,
            fields: vec![FieldType {
                name: "field".to_owned(),
                data_type,
                offset: 3,
            }],
        };
        let shape = vec![words.len() / size];
        Array::raw(shape, Arc::new(whole), false, bytes.into()).unwrap()
    }

    #[test]
    fn fields_of_every_type_are_read() {
        for (code, words, expected) in [
            (
                "<f8",
                [1.5_f64.to_le_bytes(), (-2.0_f64).to_le_bytes()].concat(),
                [1.5, -2.0],
            ),
            (
                ">f8",
                [1.5_f64.to_be_bytes(), (-2.0_f64).to_be_bytes()].concat(),
                [1.5, -2.0],
            ),
            (
                "<f4",
                [1.5_f32.to_le_bytes(), (-2.0_f32).to_le_bytes()].concat(),
                [1.5, -2.0],
            ),
            (
                "<i8",
                [3_i64.to_le_bytes(), (-2_i64).to_le_bytes()].concat(),
                [3.0, -2.0],
            ),
            (
                "<i4",
                [3_i32.to_le_bytes(), (-2_i32).to_le_bytes()].concat(),
                [3.0, -2.0],
            ),
            (
                ">i4",
                [3_i32.to_be_bytes(), (-2_i32).to_be_bytes()].concat(),
                [3.0, -2.0],
            ),
            ("|u1", vec![3, 254], [3.0, 254.0]),
            ("?", vec![1, 0], [1.0, 0.0]),
        ] {
            let array = array(code, &words);
            assert_eq!(array.field_reals("field").unwrap(), expected, "{code}");
            let integers = array.field_integers("field");
            if code.contains('f') {
                assert!(integers.is_err(), "{code}");
            } else {
                assert_eq!(integers.unwrap(), expected.map(|one| one as i64), "{code}");
            }
            assert!(array.field_reals("other").is_err());
        }
        let empty = Array::raw(
            vec![0],
            Arc::new(DataType::parse("f8").unwrap()),
            false,
            Bytes::new(),
        );
        assert_eq!(empty.unwrap().reals().unwrap(), Vec::<f64>::new());
    }
}
