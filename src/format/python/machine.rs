//! The machine of pickle's opcodes, protocols 0 to 5: it builds values and calls nothing.
//!
//! Owns the stack, the marks and the memo. Names are never imported and nothing is called: what
//! Python would call becomes a record, unless [`super::construct`] knows it as numpy's or the
//! language's own. A value lies in the arena once and goes by its index, because a list is
//! remembered while it is empty and filled later. Every opcode costs at least a byte, and lengths
//! are compared with the bytes that are left, so that memory is bounded by the file. Source: the
//! comments of Python's `pickletools`.

use std::collections::HashMap;

use bytes::Bytes;

use super::construct;
use super::cursor::Cursor;
use super::record::{Arena, Id, NONE, Origin, Value};
use super::text::{from_latin1, quoted, raw_unicode_escape};
use super::trust::Calls;
use crate::error::{Error, Result};

/// What remains of the stream and of the values under work.
pub(super) struct Machine<'a> {
    pub(super) arena: &'a mut Arena,
    /// What Python would call.
    pub(super) calls: &'a mut Calls,
    pub(super) cursor: Cursor,
    /// Whether arrays follow their wrappers, as joblib writes them.
    pub(super) has_raw_arrays: bool,
    stack: Vec<Id>,
    /// The heights of the stack at its marks.
    marks: Vec<usize>,
    memo: Memo,
    /// The protocol that the stream states.
    protocol: u8,
}

/// Remembered values by slot; slots that leave gaps lie in a table of their own.
#[derive(Default)]
struct Memo {
    dense: Vec<Id>,
    sparse: HashMap<u64, Id>,
}

impl Memo {
    fn put(&mut self, slot: u64, id: Id) {
        let index = usize::try_from(slot).unwrap_or(usize::MAX);
        if let Some(held) = self.dense.get_mut(index) {
            *held = id;
        } else if index == self.dense.len() {
            self.sparse.remove(&slot);
            self.dense.push(id);
        } else {
            self.sparse.insert(slot, id);
        }
    }

    fn get(&self, slot: u64) -> Option<Id> {
        let dense = usize::try_from(slot)
            .ok()
            .and_then(|index| self.dense.get(index));
        dense.or_else(|| self.sparse.get(&slot)).copied()
    }

    fn next(&self) -> u64 {
        (self.dense.len() + self.sparse.len()) as u64
    }
}

/// What a stream was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) root: Id,
    /// The protocol that it states; 0 and 1 state none.
    pub(super) protocol: u8,
    /// Where it ends.
    pub(super) end: usize,
}

/// Reads the stream that begins at a position.
///
/// # Errors
/// Fails where it is broken; a contract error for values that the file does not hold.
pub(super) fn load(
    arena: &mut Arena,
    calls: &mut Calls,
    cursor: Cursor,
    has_raw_arrays: bool,
) -> Result<Loaded> {
    let mut machine = Machine {
        arena,
        calls,
        cursor,
        has_raw_arrays,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Memo::default(),
        protocol: 0,
    };
    loop {
        let opcode = machine.cursor.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            let (protocol, end) = (machine.protocol, machine.cursor.position);
            return Ok(Loaded {
                root,
                protocol,
                end,
            });
        }
        machine.step(opcode)?;
    }
}

impl Machine<'_> {
    pub(super) fn broken(&self, message: &str) -> Error {
        self.cursor.broken(message)
    }

    fn push(&mut self, value: Value) -> Result<()> {
        let id = self.arena.push(value)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: Id) -> Result<()> {
        self.arena.account(size_of::<Id>() * 2)?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err(self.broken("an opcode takes a value where there is none"));
        }
        self.stack
            .pop()
            .ok_or_else(|| self.broken("an opcode takes a value where there is none"))
    }

    pub(super) fn top(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(<[Id]>::last).copied();
        top.ok_or_else(|| self.broken("an opcode reads a value where there is none"))
    }

    /// The values above the last mark, which goes with them.
    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        let height = self
            .marks
            .pop()
            .ok_or_else(|| self.broken("a mark is missing"))?;
        Ok(self.stack.split_off(height))
    }

    fn pairs(&self, flat: &[Id]) -> Result<Vec<(Id, Id)>> {
        if !flat.len().is_multiple_of(2) {
            return Err(self.broken("a key of a dictionary has no value"));
        }
        Ok(flat
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect())
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // PROTO, FRAME (joblib's arrays lie between frames: their lengths say nothing)
            0x80 => {
                self.protocol = self.cursor.byte()?;
                if self.protocol > 5 {
                    let message = format!("the pickle is of protocol {}", self.protocol);
                    let hint = "tallow reads protocols 0 to 5: save it with `protocol=5`";
                    return Err(Error::contract(message).hint(hint));
                }
                Ok(())
            }
            0x95 => self.cursor.array::<8>().map(drop),
            b'N' | 0x88 | 0x89 | b'I' | b'K' | b'M' | b'J' | b'L' | 0x8a | 0x8b | b'F' | b'G' => {
                self.number(opcode)
            }
            b'X' | 0x8c | 0x8d | b'V' | b'S' | b'T' | b'U' | b'B' | b'C' | 0x8e | 0x96 => {
                self.text_or_bytes(opcode)
            }
            b'(' | b'0' | b'1' | b'2' | b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => {
                self.stack_or_memo(opcode)
            }
            b')' | b't' | 0x85 | 0x86 | 0x87 | b']' | b'l' | b'}' | b'd' | 0x8f | 0x91 => {
                self.container(opcode)
            }
            b'a' | b'e' | b's' | b'u' | 0x90 => self.fill(opcode),
            b'c' | 0x93 | b'R' | 0x81 | 0x92 | b'i' | b'o' | b'b' => self.object(opcode),
            b'P' => {
                self.cursor.line()?;
                self.push(Value::Persistent(None))
            }
            b'Q' => {
                let name = self.pop()?;
                self.push(Value::Persistent(Some(name)))
            }
            0x82..=0x84 => Err(elsewhere("a code of Python's extension registry")),
            0x97 | 0x98 => Err(elsewhere("a buffer that was kept out of the file")),
            other => Err(self.broken(&format!("there is no opcode 0x{other:02x}"))),
        }
    }

    fn number(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            b'N' => return self.push_id(NONE),
            0x88 => Value::Boolean(true),
            0x89 => Value::Boolean(false),
            b'K' => Value::Integer(self.cursor.byte()?.into()),
            b'M' => Value::Integer(u16::from_le_bytes(self.cursor.array()?).into()),
            b'J' => Value::Integer(i32::from_le_bytes(self.cursor.array()?).into()),
            b'G' => Value::Float(f64::from_be_bytes(self.cursor.array()?)),
            b'F' => Value::Float(self.cursor.number()?),
            0x8a => {
                let length = self.cursor.byte()?;
                little_endian(&self.cursor.take(length.into())?)
            }
            0x8b => {
                let length = self.length32()?;
                little_endian(&self.cursor.take(length)?)
            }
            _ => {
                let line = self.cursor.line()?;
                let value = if opcode == b'I' { boolean(&line) } else { None };
                let value = value.or_else(|| decimal(&line));
                value.ok_or_else(|| self.broken("a line is not an integer"))?
            }
        };
        self.push(value)
    }

    /// A length that is written as a signed number.
    fn length32(&mut self) -> Result<u64> {
        let length = i32::from_le_bytes(self.cursor.array()?);
        u64::try_from(length).map_err(|_| self.broken("a length is below 0"))
    }

    fn text_or_bytes(&mut self, opcode: u8) -> Result<()> {
        if matches!(opcode, b'V' | b'S') {
            let line = self.cursor.line()?;
            let text = if opcode == b'V' {
                raw_unicode_escape(&line)
            } else {
                quoted(&line).map(|bytes| from_latin1(&bytes))
            };
            self.arena.account(2 * line.len())?;
            return self.push(match text {
                Some(text) => Value::Text(text.into()),
                None if opcode == b'V' => Value::Surrogates,
                None => return Err(self.broken("a quoted text is broken")),
            });
        }
        let length = match opcode {
            0x8c | b'C' | b'U' => self.cursor.byte()?.into(),
            b'X' | b'B' => u32::from_le_bytes(self.cursor.array()?).into(),
            b'T' => self.length32()?,
            _ => u64::from_le_bytes(self.cursor.array()?),
        };
        let bytes = self.cursor.take(length)?;
        // Texts of Python 2 are bytes, which are read as latin-1.
        let is_python2 = matches!(opcode, b'T' | b'U');
        let value = match opcode {
            b'B' | b'C' | 0x8e | 0x96 => Value::Bytes(bytes),
            _ if is_python2 && !bytes.is_ascii() => {
                self.arena.account(2 * bytes.len())?;
                Value::Text(from_latin1(&bytes).into())
            }
            _ if std::str::from_utf8(&bytes).is_ok() => Value::Text(bytes),
            _ => Value::Surrogates,
        };
        self.push(value)
    }

    fn stack_or_memo(&mut self, opcode: u8) -> Result<()> {
        let slot = match opcode {
            b'(' => {
                self.arena.account(size_of::<usize>() * 2)?;
                self.marks.push(self.stack.len());
                return Ok(());
            }
            // POP takes a mark where nothing lies above it.
            b'0' => {
                let floor = self.marks.last().copied();
                return if floor == Some(self.stack.len()) {
                    self.pop_mark().map(drop)
                } else {
                    self.pop().map(drop)
                };
            }
            b'1' => return self.pop_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                return self.push_id(top);
            }
            b'p' | b'g' => self.cursor.number()?,
            b'q' | b'h' => self.cursor.byte()?.into(),
            0x94 => self.memo.next(),
            _ => u32::from_le_bytes(self.cursor.array()?).into(),
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let found = self.memo.get(slot);
            let found = found.ok_or_else(|| self.broken("a value was never remembered"))?;
            return self.push_id(found);
        }
        let top = self.top()?;
        self.arena.account(size_of::<(u64, Id)>() * 2)?;
        self.memo.put(slot, top);
        Ok(())
    }

    fn container(&mut self, opcode: u8) -> Result<()> {
        let value = match opcode {
            b')' => Value::Tuple(Vec::new()),
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            0x8f => Value::Set(Vec::new()),
            b'd' => {
                let flat = self.pop_mark()?;
                Value::Dict(self.pairs(&flat)?)
            }
            b't' => Value::Tuple(self.pop_mark()?),
            b'l' => Value::List(self.pop_mark()?),
            0x91 => Value::Set(self.pop_mark()?),
            _ => {
                let mut items = Vec::new();
                for _ in 0..=opcode - 0x85 {
                    items.push(self.pop()?);
                }
                items.reverse();
                Value::Tuple(items)
            }
        };
        self.push(value)
    }

    fn fill(&mut self, opcode: u8) -> Result<()> {
        let mut more = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let pairs = if matches!(opcode, b's' | b'u') {
            self.pairs(&more)?
        } else {
            Vec::new()
        };
        self.arena.account(more.len() * size_of::<Id>() * 2)?;
        let top = self.top()?;
        match (opcode, self.arena.get_mut(top)) {
            (b's' | b'u', Value::Dict(held)) => held.extend(pairs),
            (b's' | b'u', Value::Record(record)) => record.pairs.extend(pairs),
            (b'a' | b'e', Value::List(held)) | (0x90, Value::Set(held)) => held.append(&mut more),
            (b'a' | b'e' | 0x90, Value::Record(record)) => record.items.append(&mut more),
            _ => return Err(self.broken("values are added to what cannot hold them")),
        }
        Ok(())
    }

    fn object(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            b'c' => {
                let class = self.global_lines()?;
                self.push_id(class)
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let class = construct::global(self, module, name)?;
                self.push_id(class)
            }
            b'R' => {
                let arguments = self.pop()?;
                let callee = self.pop()?;
                self.make(callee, arguments, Origin::Call)
            }
            0x81 => {
                let arguments = self.pop()?;
                let class = self.pop()?;
                self.make(class, arguments, Origin::Object)
            }
            0x92 => {
                let _keywords = self.pop()?;
                let arguments = self.pop()?;
                let class = self.pop()?;
                self.make(class, arguments, Origin::Object)
            }
            b'i' => {
                let class = self.global_lines()?;
                let arguments = self.pop_mark()?;
                let arguments = self.arena.push(Value::Tuple(arguments))?;
                self.make(class, arguments, Origin::Call)
            }
            b'o' => {
                let mut parts = self.pop_mark()?;
                if parts.is_empty() {
                    return Err(self.broken("an object has no class"));
                }
                let class = parts.remove(0);
                let arguments = self.arena.push(Value::Tuple(parts))?;
                self.make(class, arguments, Origin::Call)
            }
            _ => {
                let state = self.pop()?;
                let top = self.top()?;
                construct::build(self, top, state)
            }
        }
    }

    fn global_lines(&mut self) -> Result<Id> {
        let module = self.cursor.line()?;
        let name = self.cursor.line()?;
        let mut text = |bytes: Bytes| -> Result<Id> {
            if std::str::from_utf8(&bytes).is_err() {
                return Err(self.cursor.broken("the name of a class is not UTF-8"));
            }
            self.arena.push(Value::Text(bytes))
        };
        let (module, name) = (text(module)?, text(name)?);
        construct::global(self, module, name)
    }

    fn make(&mut self, callee: Id, arguments: Id, origin: Origin) -> Result<()> {
        let made = construct::make(self, callee, arguments, origin)?;
        self.push_id(made)
    }
}

fn elsewhere(what: &str) -> Error {
    Error::contract(format!(
        "the pickle refers to {what}, which the file does not hold"
    ))
    .hint("save the model with `pickle.dump(model, file)` or `joblib.dump(model, path)`")
}

fn boolean(line: &[u8]) -> Option<Value> {
    match line {
        b"00" => Some(Value::Boolean(false)),
        b"01" => Some(Value::Boolean(true)),
        _ => None,
    }
}

/// Decimal digits, which in Python 2 end in `L`; of more than 64 bits only that they are.
fn decimal(line: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?.trim().trim_end_matches('L');
    let digits = text.trim_start_matches(['-', '+']);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().map_or(Value::Huge, Value::Integer))
}

/// An integer in two's complement.
fn little_endian(bytes: &[u8]) -> Value {
    let is_negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if is_negative { 0xff } else { 0 };
    if bytes.len() > 8 && bytes[8..].iter().any(|&byte| byte != fill)
        || bytes.len() > 8 && (bytes[7] & 0x80 != 0) != is_negative
    {
        return Value::Huge;
    }
    let mut word = [fill; 8];
    let length = bytes.len().min(8);
    word[..length].copy_from_slice(&bytes[..length]);
    Value::Integer(i64::from_le_bytes(word))
}
