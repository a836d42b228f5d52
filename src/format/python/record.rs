//! The record that every Python file is read into: values in an arena, named by index.
//!
//! Owns the arena and how its values are looked at. A value is never copied: anyone who refers to
//! it holds its [`Id`], so that shared and circular structures cost what they cost in the file. It
//! must not know how a file is written down; the machine and the skops translator fill it.

use std::sync::Arc;

use bytes::Bytes;

use super::numpy::{Array, DataType};
use crate::error::{Error, Result};
use crate::memory::{self, Reservation};

/// What is being read, in refusals of the accountant.
const SUBJECT: &str = "reading the Python file";

/// Bytes that are counted before the accountant is asked again.
const STEP_BYTES: u64 = 1 << 20;

/// The index of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(pub(super) u32);

/// How a record came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A function or class would be called with the arguments.
    Call,
    /// An object of the class would be made without its constructor.
    Object,
}

/// An object that stays inert: its class, the arguments and the state.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// The class or function, a [`Value::Global`] in all honest files.
    pub(crate) class: Id,
    /// A tuple.
    pub(crate) arguments: Option<Id>,
    /// What is set on it, mostly a dictionary of its attributes.
    pub(crate) state: Option<Id>,
    /// What is appended to it.
    pub(crate) items: Vec<Id>,
    /// What is set in it by key.
    pub(crate) pairs: Vec<(Id, Id)>,
}

/// One value of a Python file.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `None`.
    None,
    /// A boolean.
    Boolean(bool),
    /// An integer of 64 bits.
    Integer(i64),
    /// An integer of more bits; nothing that is read has any.
    Huge,
    /// A float.
    Float(f64),
    /// A text in UTF-8.
    Text(Bytes),
    /// A text with lone surrogates, which is not Unicode.
    Surrogates,
    /// Bytes.
    Bytes(Bytes),
    /// A tuple.
    Tuple(Vec<Id>),
    /// A list.
    List(Vec<Id>),
    /// A set, in the file's order.
    Set(Vec<Id>),
    /// A dictionary, in the file's order.
    Dict(Vec<(Id, Id)>),
    /// A class or function by module and name.
    Global {
        /// The module's name, a text.
        module: Id,
        /// The name in the module, a text.
        name: Id,
    },
    /// An object.
    Record(Box<Record>),
    /// A type of array elements.
    DataType(Arc<DataType>),
    /// An array.
    Array(Box<Array>),
    /// A value that is kept outside of the stream, and what names it where a value does.
    Persistent(Option<Id>),
}

/// All values of a file.
#[derive(Debug)]
pub(crate) struct Arena {
    values: Vec<Value>,
    reservation: Reservation,
    /// Bytes that the accountant has not been asked for yet.
    pending: u64,
    /// Bytes that values copied from the file may still take.
    copies_left: u64,
    /// The bytes of the file.
    file_bytes: usize,
}

/// The index of `None`, which every arena begins with.
pub(super) const NONE: Id = Id(0);

impl Arena {
    /// An arena for a file of so many bytes.
    pub(super) fn new(file_bytes: usize) -> Result<Self> {
        Ok(Self {
            values: vec![Value::None],
            reservation: memory::reserve(0, SUBJECT)?,
            pending: 0,
            copies_left: 2 * file_bytes as u64 + 4096,
            file_bytes,
        })
    }

    /// The bytes of the file that was read.
    pub(crate) fn file_bytes(&self) -> usize {
        self.file_bytes
    }

    /// Counts bytes that reading takes.
    pub(super) fn account(&mut self, bytes: usize) -> Result<()> {
        self.pending += bytes as u64;
        if self.pending >= STEP_BYTES {
            let pending = std::mem::take(&mut self.pending);
            self.reservation.grow(pending, SUBJECT)?;
        }
        Ok(())
    }

    /// Counts bytes of a value that is written out anew; all together they take no more than the
    /// file twice, so that a few opcodes cannot repeat a large value without end.
    pub(super) fn copying(&mut self, bytes: usize) -> Result<()> {
        let bytes_left = self.copies_left.checked_sub(bytes as u64);
        self.copies_left = bytes_left.ok_or_else(|| {
            Error::failed("the file copies its own values over and over")
                .hint("no library writes such a file: do not trust where it is from")
        })?;
        self.account(bytes)
    }

    /// Adds a value.
    pub(super) fn push(&mut self, value: Value) -> Result<Id> {
        self.account(2 * size_of::<Value>())?;
        let index = u32::try_from(self.values.len())
            .ok()
            .filter(|index| *index < u32::MAX)
            .ok_or_else(|| Error::failed("the file holds more than 4 billion values"))?;
        self.values.push(value);
        Ok(Id(index))
    }

    /// Adds a text that is not in the file.
    pub(super) fn push_text(&mut self, text: &str) -> Result<Id> {
        self.account(text.len())?;
        self.push(Value::Text(Bytes::copy_from_slice(text.as_bytes())))
    }

    /// The indices of all values.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        // There are never more than 32 bits count.
        (0..self.values.len() as u32).map(Id)
    }

    /// The value of this index.
    pub(crate) fn get(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id.0 as usize]
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value as a text.
    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The elements of a tuple, a list or a set.
    pub(crate) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) | Value::List(items) | Value::Set(items) => Some(items),
            Value::Record(record) => Some(&record.items),
            _ => None,
        }
    }

    /// The entries of a dictionary.
    pub(crate) fn pairs(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(pairs) => Some(pairs),
            Value::Record(record) => Some(&record.pairs),
            _ => None,
        }
    }

    /// The entry of a dictionary under a text; of several the last, as in Python.
    pub(crate) fn entry(&self, dictionary: Id, key: &str) -> Option<Id> {
        let pairs = self.pairs(dictionary)?;
        let found = pairs
            .iter()
            .rev()
            .find(|(id, _)| self.text(*id) == Some(key));
        found.map(|(_, value)| *value)
    }

    /// Module and name of a class or function.
    pub(crate) fn global(&self, id: Id) -> Option<(&str, &str)> {
        match self.get(id) {
            Value::Global { module, name } => Some((self.text(*module)?, self.text(*name)?)),
            _ => None,
        }
    }

    /// The record of this index, if it is one.
    pub(crate) fn record(&self, id: Id) -> Option<&Record> {
        match self.get(id) {
            Value::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Module and name of a record's class.
    pub(crate) fn class(&self, id: Id) -> Option<(&str, &str)> {
        self.global(self.record(id)?.class)
    }

    /// A record's attribute; a state may be a dictionary, or a pair of one and one of slots.
    pub(crate) fn attribute(&self, record: Id, name: &str) -> Option<Id> {
        let state = self.record(record)?.state?;
        match self.get(state) {
            Value::Dict(_) => self.entry(state, name),
            Value::Tuple(parts) => parts.iter().rev().find_map(|part| match self.get(*part) {
                Value::Dict(_) => self.entry(*part, name),
                _ => None,
            }),
            _ => None,
        }
    }

    /// The array of this index, if it is one.
    pub(crate) fn array(&self, id: Id) -> Option<&Array> {
        match self.get(id) {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }
}
