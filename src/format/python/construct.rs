//! What the constructors of a pickle mean: arrays, types and containers become themselves, all else
//! an inert record.
//!
//! Owns the names that are understood, of numpy 1 and 2, of Python 2 and 3, and of joblib. It must
//! not know estimators. Sources: `ndarray.__reduce__`, `dtype.__reduce__`,
//! `joblib.numpy_pickle.NumpyArrayWrapper.read_array`.

use std::sync::Arc;

use bytes::Bytes;

use super::machine::{Machine, load};
use super::numpy::{Array, DataType, FieldType, Kind, Number, fixed_text, number};
use super::record::{Arena, Id, Origin, Record, Value};
use super::text::to_latin1;
use crate::error::{Error, Result};

/// The longest name of a class or module.
const NAME_BYTES: usize = 1 << 10;

/// The most levels of structured types.
const TYPE_DEPTH: usize = 8;

/// A class or function by its two names.
pub(super) fn global(machine: &mut Machine, module: Id, name: Id) -> Result<Id> {
    let is_name = |id: Id| {
        let text = machine.arena.text(id);
        text.is_some_and(|text| !text.is_empty() && text.len() <= NAME_BYTES)
    };
    if !is_name(module) || !is_name(name) {
        return Err(machine.broken("the name of a class is not a name"));
    }
    machine.arena.push(Value::Global { module, name })
}

/// What a call or a construction makes.
pub(super) fn make(machine: &mut Machine, callee: Id, arguments: Id, origin: Origin) -> Result<Id> {
    machine
        .calls
        .note(machine.arena, callee, Some(arguments), origin);
    let items = match machine.arena.get(arguments) {
        Value::Tuple(items) if items.len() <= 8 => items.clone(),
        Value::Tuple(_) => Vec::new(),
        _ => return Err(machine.broken("the arguments of a call are not a tuple")),
    };
    let known = machine.arena.global(callee).and_then(Known::find);
    let value = match known.filter(|known| origin == Origin::Call || known.is_container()) {
        Some(known) => known.make(machine, &items)?,
        None => None,
    };
    match value {
        Some(Made::Value(value)) => machine.arena.push(value),
        Some(Made::Same(id)) => Ok(id),
        Some(Made::Object { class, arguments }) => record(machine, class, arguments),
        None => record(machine, callee, Some(arguments)),
    }
}

fn record(machine: &mut Machine, class: Id, arguments: Option<Id>) -> Result<Id> {
    let (state, items, pairs) = (None, Vec::new(), Vec::new());
    let record = Record {
        class,
        arguments,
        state,
        items,
        pairs,
    };
    machine.arena.account(size_of::<Record>())?;
    machine.arena.push(Value::Record(Box::new(record)))
}

/// What is made.
enum Made {
    Value(Value),
    Same(Id),
    Object { class: Id, arguments: Option<Id> },
}

/// A constructor that is understood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    DataType,
    Reconstruct,
    Scalar,
    FromBuffer,
    DillArray,
    DillType,
    Encode,
    Reconstructor,
    NewObject,
    Dict,
    OrderedDict,
    List,
    Tuple,
    Set,
    Bytes,
}

impl Known {
    fn find((module, name): (&str, &str)) -> Option<Self> {
        Some(match (module, name) {
            ("numpy", "dtype") => Self::DataType,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Self::Reconstruct
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("dill._dill", "_create_array") => Self::DillArray,
            ("dill._dill", "_load_type") => Self::DillType,
            ("_codecs", "encode") => Self::Encode,
            ("copyreg" | "copy_reg", "_reconstructor") => Self::Reconstructor,
            ("copyreg" | "copy_reg", "__newobj__") => Self::NewObject,
            ("collections", "OrderedDict" | "defaultdict") => Self::OrderedDict,
            ("builtins" | "__builtin__", name) => match name {
                "dict" => Self::Dict,
                "list" => Self::List,
                "tuple" => Self::Tuple,
                "set" | "frozenset" => Self::Set,
                "bytes" | "bytearray" => Self::Bytes,
                _ => return None,
            },
            _ => return None,
        })
    }

    fn is_container(self) -> bool {
        matches!(
            self,
            Self::Dict | Self::OrderedDict | Self::List | Self::Set
        )
    }

    fn make(self, machine: &mut Machine, items: &[Id]) -> Result<Option<Made>> {
        let value = match (self, items) {
            (Self::DataType, [code, ..]) => data_type(machine.arena, *code),
            (Self::Reconstruct, [_, ..]) => Value::Array(Box::new(Array::unset())),
            (Self::Scalar, [kind, value]) => return scalar(machine, *kind, *value).map(Some),
            (Self::FromBuffer, [buffer, kind, shape, order]) => {
                let is_fortran = machine.arena.text(*order) == Some("F");
                Value::Array(Box::new(array(
                    machine, *shape, *kind, is_fortran, *buffer,
                )?))
            }
            (Self::DillArray, [_, _, state, ..]) => {
                Value::Array(Box::new(stated_array(machine, *state)?))
            }
            // A type of the language by dill's name, such as `SliceType`.
            (Self::DillType, [name]) => {
                let name = machine.arena.text(*name).unwrap_or_default();
                let name = name.strip_suffix("Type").unwrap_or(name).to_lowercase();
                let module = machine.arena.push_text("builtins")?;
                let name = machine.arena.push_text(&name)?;
                Value::Global { module, name }
            }
            (Self::Encode, [text, ..]) => Value::Bytes(latin1_bytes(machine, *text)?),
            (Self::Reconstructor, [class, ..]) => {
                return Ok(Some(Made::Object {
                    class: *class,
                    arguments: None,
                }));
            }
            (Self::NewObject, [class, rest @ ..]) => {
                let rest = machine.arena.push(Value::Tuple(rest.to_vec()))?;
                return Ok(Some(Made::Object {
                    class: *class,
                    arguments: Some(rest),
                }));
            }
            (Self::OrderedDict, [list]) if machine.arena.items(*list).is_some() => {
                Value::Dict(listed_pairs(machine, *list)?)
            }
            (Self::Dict, [dict]) if machine.arena.pairs(*dict).is_some() => {
                let pairs = machine.arena.pairs(*dict).unwrap_or_default().to_vec();
                machine.arena.copying(8 * pairs.len())?;
                Value::Dict(pairs)
            }
            (Self::Dict, []) | (Self::OrderedDict, _) => Value::Dict(Vec::new()),
            (Self::List | Self::Tuple | Self::Set, []) => self.container(Vec::new()),
            (Self::List | Self::Tuple | Self::Set, [list]) => {
                let Some(items) = machine.arena.items(*list) else {
                    return Ok(None);
                };
                let bytes = 4 * items.len();
                machine.arena.copying(bytes)?;
                self.container(machine.arena.items(*list).unwrap_or_default().to_vec())
            }
            (Self::Bytes, []) => Value::Bytes(Bytes::new()),
            (Self::Bytes, [bytes]) if matches!(machine.arena.get(*bytes), Value::Bytes(_)) => {
                machine.arena.get(*bytes).clone()
            }
            (Self::Bytes, [text, encoding]) if machine.arena.text(*encoding).is_some() => {
                Value::Bytes(latin1_bytes(machine, *text)?)
            }
            _ => return Ok(None),
        };
        Ok(Some(Made::Value(value)))
    }

    fn container(self, items: Vec<Id>) -> Value {
        match self {
            Self::List => Value::List(items),
            Self::Tuple => Value::Tuple(items),
            _ => Value::Set(items),
        }
    }
}

/// The entries of a list of pairs.
fn listed_pairs(machine: &mut Machine, list: Id) -> Result<Vec<(Id, Id)>> {
    let items = machine.arena.items(list).unwrap_or_default();
    let pairs: Option<Vec<(Id, Id)>> = items
        .iter()
        .map(|item| match machine.arena.items(*item)? {
            [key, value] => Some((*key, *value)),
            _ => None,
        })
        .collect();
    let pairs = pairs.ok_or_else(|| machine.broken("an ordered dictionary is not of pairs"))?;
    machine.arena.copying(8 * pairs.len())?;
    Ok(pairs)
}

/// The bytes that a text of latin-1 characters stands for.
fn latin1_bytes(machine: &mut Machine, text: Id) -> Result<Bytes> {
    if let Value::Bytes(bytes) = machine.arena.get(text) {
        return Ok(bytes.clone());
    }
    let length = machine.arena.text(text).map_or(0, str::len);
    machine.arena.copying(length)?;
    let bytes = machine.arena.text(text).and_then(to_latin1);
    let bytes = bytes.ok_or_else(|| machine.broken("bytes are written as no latin-1 text"))?;
    Ok(bytes.into())
}

/// A type by its code; one that numpy builds in another way stays unknown.
fn data_type(arena: &Arena, code: Id) -> Value {
    let known = arena.text(code).and_then(DataType::parse);
    let unknown = DataType {
        kind: Kind::Other,
        size: 0,
        is_big_endian: false,
        fields: Vec::new(),
    };
    Value::DataType(Arc::new(known.unwrap_or(unknown)))
}

/// A type that is completed: byte order, fields, size.
fn complete(machine: &Machine, plain: &DataType, state: Id) -> Result<DataType> {
    let broken = || machine.broken("the state of a numpy type is broken");
    let arena = &*machine.arena;
    let parts = arena
        .items(state)
        .filter(|parts| parts.len() >= 6)
        .ok_or_else(broken)?;
    let mut complete = plain.clone();
    complete.is_big_endian = arena.text(parts[1]) == Some(">");
    let has_subarray = !matches!(arena.get(parts[2]), Value::None);
    if let (Value::Integer(size), true) = (arena.get(parts[5]), complete.kind == Kind::Void) {
        complete.size = usize::try_from(*size).map_err(|_| broken())?;
    }
    if has_subarray {
        complete.kind = Kind::Other;
        return Ok(complete);
    }
    let Some(names) = arena.items(parts[3]) else {
        return Ok(complete);
    };
    for name in names {
        let name = arena.text(*name).ok_or_else(broken)?;
        let field = arena
            .entry(parts[4], name)
            .and_then(|field| arena.items(field));
        let Some([kind, offset, ..]) = field else {
            return Err(broken());
        };
        let (Value::DataType(data_type), Value::Integer(offset)) =
            (arena.get(*kind), arena.get(*offset))
        else {
            return Err(broken());
        };
        let offset = usize::try_from(*offset).map_err(|_| broken())?;
        let end = offset.checked_add(data_type.size);
        if end.is_none_or(|end| end > complete.size) || depth(data_type) >= TYPE_DEPTH {
            return Err(broken());
        }
        let (name, data_type) = (name.to_owned(), data_type.clone());
        complete.fields.push(FieldType {
            name,
            data_type,
            offset,
        });
    }
    Ok(complete)
}

fn depth(data_type: &DataType) -> usize {
    let below = data_type
        .fields
        .first()
        .map(|field| depth(&field.data_type));
    below.map_or(0, |below| below + 1)
}

/// A numpy scalar: a number, a text, or what it holds.
fn scalar(machine: &mut Machine, kind: Id, value: Id) -> Result<Made> {
    let Value::DataType(data_type) = machine.arena.get(kind) else {
        return Err(machine.broken("a scalar is of no type"));
    };
    let data_type = data_type.clone();
    if data_type.kind == Kind::Object {
        return Ok(Made::Same(value));
    }
    let bytes = latin1_bytes(machine, value)?;
    if bytes.len() != data_type.size {
        return Err(machine.broken("a scalar has more or fewer bytes than its type"));
    }
    Ok(Made::Value(element(&data_type, &bytes)?))
}

/// One element of raw bytes as a value of its own.
pub(super) fn element(data_type: &Arc<DataType>, bytes: &Bytes) -> Result<Value> {
    Ok(match data_type.kind {
        Kind::Boolean => Value::Boolean(bytes.iter().any(|&byte| byte != 0)),
        Kind::Text => match fixed_text(data_type, bytes) {
            Some(text) => Value::Text(text.into()),
            None => Value::Surrogates,
        },
        Kind::Bytes => Value::Bytes(bytes.clone()),
        _ => match number(data_type, bytes) {
            Some(Number::Integer(value)) => Value::Integer(value),
            Some(Number::Unsigned(value)) => {
                i64::try_from(value).map_or(Value::Huge, Value::Integer)
            }
            Some(Number::Float(value)) => Value::Float(value),
            None => {
                let array = Array::raw(vec![1], data_type.clone(), false, bytes.clone())?;
                Value::Array(Box::new(Array {
                    shape: Vec::new(),
                    ..array
                }))
            }
        },
    })
}

fn shape(machine: &Machine, shape: Id) -> Result<Vec<usize>> {
    let length = |id: &Id| match machine.arena.get(*id) {
        Value::Integer(length) => usize::try_from(*length).ok(),
        _ => None,
    };
    let lengths = machine
        .arena
        .items(shape)
        .filter(|lengths| lengths.len() <= 64);
    let lengths: Option<Vec<usize>> =
        lengths.and_then(|lengths| lengths.iter().map(length).collect());
    lengths.ok_or_else(|| machine.broken("the shape of an array is broken"))
}

fn array(
    machine: &mut Machine,
    lengths: Id,
    kind: Id,
    is_fortran: bool,
    data: Id,
) -> Result<Array> {
    let lengths = shape(machine, lengths)?;
    let data_type = match machine.arena.get(kind) {
        Value::DataType(data_type) => data_type.clone(),
        // A type of a package's own: its elements are objects, or of no meaning here.
        Value::Record(_) => Arc::new(DataType {
            kind: Kind::Other,
            size: 0,
            is_big_endian: false,
            fields: Vec::new(),
        }),
        _ => return Err(machine.broken("an array is of no type")),
    };
    let here = machine.broken("an array is broken");
    let made = if let Value::List(items) = machine.arena.get(data) {
        let list = (data, items.len());
        Array::objects(lengths, data_type, list)
    } else {
        let bytes = latin1_bytes(machine, data)?;
        Array::raw(lengths, data_type, is_fortran, bytes)
    };
    made.map_err(|error| here.because(error))
}

/// An array by its state: (version, shape, type, Fortran order, data); the oldest have no version.
fn stated_array(machine: &mut Machine, state: Id) -> Result<Array> {
    let parts = machine.arena.items(state).unwrap_or_default();
    let [.., lengths, kind, order, data] = *parts else {
        return Err(machine.broken("the state of an array is broken"));
    };
    let is_fortran = match machine.arena.get(order) {
        Value::Boolean(order) => *order,
        Value::Integer(order) => *order != 0,
        _ => false,
    };
    array(machine, lengths, kind, is_fortran, data)
}

/// Sets the state of a value.
pub(super) fn build(machine: &mut Machine, target: Id, state: Id) -> Result<()> {
    let built = match machine.arena.get(target) {
        Value::Array(_) => Value::Array(Box::new(stated_array(machine, state)?)),
        Value::DataType(plain) => {
            let plain = plain.clone();
            Value::DataType(Arc::new(complete(machine, &plain, state)?))
        }
        // The attributes of a dictionary, such as the versions in a state dict of PyTorch.
        Value::Dict(_) | Value::List(_) | Value::Set(_) => return Ok(()),
        Value::Record(_) => {
            if let Value::Record(record) = machine.arena.get_mut(target) {
                record.state = Some(state);
            }
            let class = machine.arena.class(target);
            if let Some((module, name)) = class.filter(|_| machine.has_raw_arrays)
                && module.ends_with("joblib.numpy_pickle")
            {
                match name {
                    "NumpyArrayWrapper" => wrapped(machine, target)?,
                    "NDArrayWrapper" | "ZNDArrayWrapper" => return Err(in_other_files()),
                    _ => return Ok(()),
                }
            } else {
                return Ok(());
            }
        }
        _ => return Err(machine.broken("a state is set on what has none")),
    };
    *machine.arena.get_mut(target) = built;
    Ok(())
}

fn in_other_files() -> Error {
    Error::contract("joblib before 0.10 kept arrays in files of their own, which are not read")
        .hint("load the model in Python and save it again, `joblib.dump(model, \"model.joblib\")`")
}

/// The array that follows its wrapper in a joblib stream.
fn wrapped(machine: &mut Machine, wrapper: Id) -> Result<Value> {
    let arena = &*machine.arena;
    let part = |name: &str| {
        arena
            .attribute(wrapper, name)
            .ok_or_else(|| machine.broken("an array's wrapper is broken"))
    };
    let (lengths, kind, order) = (part("shape")?, part("dtype")?, part("order")?);
    let is_fortran = arena.text(order) == Some("F");
    let alignment = arena.attribute(wrapper, "numpy_array_alignment_bytes");
    let is_aligned = alignment.is_some_and(|id| !matches!(arena.get(id), Value::None));
    let Value::DataType(data_type) = arena.get(kind) else {
        return Err(machine.broken("an array is of no type"));
    };
    let data_type = data_type.clone();
    if data_type.kind == Kind::Object {
        // A stream of its own, which knows no wrappers.
        let loaded = load(machine.arena, machine.calls, machine.cursor.clone(), false)?;
        machine.cursor.position = loaded.end;
        return Ok(machine.arena.get(loaded.root).clone());
    }
    let lengths = shape(machine, lengths)?;
    if is_aligned {
        let padding = machine.cursor.byte()?;
        machine.cursor.take(padding.into())?;
    }
    let bytes = lengths
        .iter()
        .try_fold(data_type.size as u64, |product, &length| {
            product.checked_mul(length as u64)
        });
    let bytes = bytes.ok_or_else(|| machine.broken("an array is larger than any file"))?;
    let bytes = machine.cursor.take(bytes)?;
    let here = machine.broken("an array is broken");
    let array = Array::raw(lengths, data_type, is_fortran, bytes);
    Ok(Value::Array(Box::new(
        array.map_err(|error| here.because(error))?,
    )))
}
