//! A field of an array's elements, read in place.
//!
//! Owns how an element's number lies in the bytes of the file. What a field is, and whether it
//! holds numbers, is checked once; an element is read where it is asked for, and nothing is copied.

use super::numpy::{Array, DataType, Elements, Kind, Number, number};
use crate::error::{Error, Result};

/// The numbers that most files hold; all others go the long way.
#[derive(Clone, Copy, Debug)]
enum Word {
    Integer8,
    Integer4,
    Float8,
    Float4,
    Byte,
    Other,
}

/// One number of each element of an array.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    array: &'a Array,
    bytes: &'a [u8],
    data_type: &'a DataType,
    /// Where the number begins in an element.
    offset: usize,
    word: Word,
    is_in_order: bool,
}

impl<'a> Field<'a> {
    /// The field of this name, or the elements themselves where the name is empty.
    ///
    /// # Errors
    /// Fails if there is no such field, or it holds no numbers.
    pub(crate) fn of(array: &'a Array, name: &str) -> Result<Self> {
        let (data_type, offset) = if name.is_empty() {
            (&array.data_type, 0)
        } else {
            let field = array.data_type.field(name);
            let field =
                field.ok_or_else(|| Error::failed(format!("the array has no field `{name}`")))?;
            (&field.data_type, field.offset)
        };
        let wrong = || {
            Error::failed(format!(
                "an array of {} instead of numbers",
                array.data_type
            ))
        };
        let Elements::Raw(bytes) = &array.elements else {
            return Err(wrong());
        };
        if array.len() > 0 && number(data_type, &[0; 8]).is_none() {
            return Err(wrong());
        }
        let end = offset.checked_add(data_type.size);
        if array.len() > 0 && end.is_none_or(|end| end > array.data_type.size) {
            return Err(Error::failed("a field ends behind its element"));
        }
        let word = match (data_type.kind, data_type.size) {
            (Kind::Unsigned, 1) => Word::Byte,
            _ if data_type.is_big_endian => Word::Other,
            (Kind::Integer, 8) => Word::Integer8,
            (Kind::Integer, 4) => Word::Integer4,
            (Kind::Float, 8) => Word::Float8,
            (Kind::Float, 4) => Word::Float4,
            _ => Word::Other,
        };
        Ok(Self {
            array,
            bytes,
            data_type,
            offset,
            word,
            is_in_order: !array.is_fortran || array.shape.len() < 2,
        })
    }

    /// The same, of integers.
    ///
    /// # Errors
    /// Fails if there is no such field, or it holds no integers.
    pub(crate) fn of_integers(array: &'a Array, name: &str) -> Result<Self> {
        let field = Self::of(array, name)?;
        if field.data_type.kind == Kind::Float {
            return Err(Error::failed("an array of floats instead of integers"));
        }
        Ok(field)
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        self.array.len()
    }

    #[inline]
    fn bytes_of<const LENGTH: usize>(&self, index: usize) -> Option<[u8; LENGTH]> {
        let index = if self.is_in_order {
            index
        } else {
            self.array.fortran_index(index)
        };
        let start = index.checked_mul(self.array.data_type.size)? + self.offset;
        self.bytes.get(start..)?.first_chunk().copied()
    }

    /// The number of an element, in C order; none behind the last.
    #[inline]
    pub(crate) fn number(&self, index: usize) -> Option<Number> {
        Some(match self.word {
            Word::Integer8 => Number::Integer(i64::from_le_bytes(self.bytes_of(index)?)),
            Word::Integer4 => Number::Integer(i32::from_le_bytes(self.bytes_of(index)?).into()),
            Word::Float8 => Number::Float(f64::from_le_bytes(self.bytes_of(index)?)),
            Word::Float4 => Number::Float(f32::from_le_bytes(self.bytes_of(index)?).into()),
            Word::Byte => Number::Unsigned(self.bytes_of::<1>(index)?[0].into()),
            Word::Other => return self.other(index),
        })
    }

    #[cold]
    fn other(&self, index: usize) -> Option<Number> {
        let mut word = [0; 8];
        for (at, byte) in word.iter_mut().take(self.data_type.size).enumerate() {
            let from = Self {
                offset: self.offset + at,
                ..*self
            };
            [*byte] = from.bytes_of::<1>(index)?;
        }
        number(self.data_type, &word)
    }

    /// The number of an element as a double.
    #[inline]
    pub(crate) fn real(&self, index: usize) -> Option<f64> {
        self.number(index).map(Number::real)
    }

    /// The integer of an element; none for floats and what 64 bits do not hold.
    #[inline]
    pub(crate) fn integer(&self, index: usize) -> Option<i64> {
        match self.number(index)? {
            Number::Integer(value) => Some(value),
            Number::Unsigned(value) => i64::try_from(value).ok(),
            Number::Float(_) => None,
        }
    }
}

impl Array {
    /// What the numbers of one field, or of plain elements where the name is empty, become, in C
    /// order.
    ///
    /// # Errors
    /// Fails if there is no such field, or it holds no numbers.
    fn each_number<T>(&self, name: &str, convert: impl Fn(Number) -> Result<T>) -> Result<Vec<T>> {
        let field = Field::of(self, name)?;
        let behind = || Error::failed("an array ends behind its bytes");
        (0..field.len())
            .map(|index| field.number(index).ok_or_else(behind).and_then(&convert))
            .collect()
    }

    /// The elements as doubles, in C order.
    ///
    /// # Errors
    /// Fails if they are no numbers.
    pub(crate) fn reals(&self) -> Result<Vec<f64>> {
        self.field_reals("")
    }

    /// The elements of a field as doubles, in C order.
    ///
    /// # Errors
    /// Fails if there is no such field, or it holds no numbers.
    pub(crate) fn field_reals(&self, name: &str) -> Result<Vec<f64>> {
        self.each_number(name, |number| Ok(number.real()))
    }

    /// The elements of a field, or of all if the name is empty, as integers, in C order.
    ///
    /// # Errors
    /// Fails if there is no such field, or it holds no integers.
    pub(crate) fn field_integers(&self, name: &str) -> Result<Vec<i64>> {
        let integer = |number: Number| match number {
            Number::Integer(value) => Ok(value),
            Number::Unsigned(value) => i64::try_from(value)
                .map_err(|_| Error::failed(format!("{value} is more than 64 bits hold"))),
            Number::Float(_) => Err(Error::failed("an array of floats instead of integers")),
        };
        self.each_number(name, integer)
    }

    /// The numbers as they are, in C order.
    ///
    /// # Errors
    /// Fails if they are no numbers.
    pub(crate) fn numbers(&self) -> Result<Vec<Number>> {
        self.each_number("", Ok)
    }
}
