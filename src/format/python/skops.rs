//! skops files: a ZIP archive of a JSON tree and arrays, translated to the records of pickles.
//!
//! Owns the kinds of nodes. Source: `skops.io._general`, `_numpy`, `_scipy` and `_sklearn` of skops
//! 0.6 to 0.15. A node that stands in several positions is translated once.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Map, Value as Json};

use super::archive::Archive;
use super::construct::element;
use super::container::{Compression, Document};
use super::npy;
use super::numpy::{Array, DataType, Elements, Kind};
use super::record::{Arena, Id, NONE, Origin, Record, Value};
use super::trust::Calls;
use crate::error::{Error, Result};
use crate::memory;

/// The entry that holds the tree.
pub(crate) const SCHEMA: &str = "schema.json";

/// Bytes that a tree takes in memory for each of its text.
const TREE_RATIO: u64 = 12;

/// The deepest nesting of nodes.
const DEPTH_LIMIT: usize = 100;

type Node = Map<String, Json>;

fn broken(message: &str) -> Error {
    Error::failed(format!("cannot read the skops file: {message}"))
        .hint("the file is damaged: copy or save the model again")
}

/// Reads a skops file.
///
/// # Errors
/// Fails for a broken file; a contract error for what is not supported.
pub(crate) fn read(bytes: &Bytes) -> Result<Document> {
    let mut archive = Archive::open(bytes.clone())?;
    let schema = archive.read(SCHEMA)?;
    let _held = memory::reserve(schema.len() as u64 * TREE_RATIO, "reading the skops file")?;
    let tree: Json = serde_json::from_slice(&schema)
        .map_err(|error| broken("its schema is not JSON").because(error))?;
    let arena = Arena::new(bytes.len())?;
    let mut reader = Reader {
        archive,
        arena,
        calls: Calls::default(),
        seen: HashMap::new(),
    };
    let node = tree
        .as_object()
        .ok_or_else(|| broken("its schema is not an object"))?;
    let root = reader.node(node, 0)?;
    Ok(Document::new(
        reader.arena,
        root,
        "skops",
        None,
        Compression::None,
        reader.calls,
    ))
}

struct Reader {
    archive: Archive,
    arena: Arena,
    calls: Calls,
    /// Translated nodes by their own number.
    seen: HashMap<i64, Id>,
}

impl Reader {
    fn node(&mut self, node: &Node, depth: usize) -> Result<Id> {
        if depth > DEPTH_LIMIT {
            return Err(broken("its objects are nested too deep"));
        }
        let loader = text(node, "__loader__")?;
        let number = node.get("__id__").and_then(Json::as_i64);
        let is_shared = !matches!(loader, "JsonNode" | "TypeNode");
        if let Some(known) = number
            .filter(|_| is_shared)
            .and_then(|one| self.seen.get(&one))
        {
            return Ok(*known);
        }
        let id = self.made(loader, node, depth)?;
        self.arena.account(32)?;
        number.map(|number| self.seen.insert(number, id));
        Ok(id)
    }

    fn made(&mut self, loader: &str, node: &Node, depth: usize) -> Result<Id> {
        match loader {
            "JsonNode" => {
                let content = text(node, "content")?;
                let special = match content {
                    "NaN" => Some(f64::NAN),
                    "Infinity" => Some(f64::INFINITY),
                    "-Infinity" => Some(f64::NEG_INFINITY),
                    _ => None,
                };
                if let Some(special) = special {
                    return self.arena.push(Value::Float(special));
                }
                let value = serde_json::from_str(content)
                    .map_err(|error| broken("a value is not JSON").because(error))?;
                self.json(&value)
            }
            "DictNode" | "DefaultDictNode" => self.dict(node, depth),
            "ListNode" | "TupleNode" | "SetNode" => {
                let items = self.list(node, depth)?;
                self.arena.push(match loader {
                    "ListNode" => Value::List(items),
                    "TupleNode" => Value::Tuple(items),
                    _ => Value::Set(items),
                })
            }
            "NdArrayNode" => self.array(node, depth),
            "SparseMatrixNode" => self.sparse(node),
            "TypeNode" | "FunctionNode" => {
                // A function's own name is in its content.
                let content = node.get("content").and_then(Json::as_object);
                let own = content.filter(|content| content.contains_key("function"));
                match own {
                    Some(own) => self.global(text(own, "module_path")?, text(own, "function")?),
                    None => self.class(node),
                }
            }
            "BytesNode" | "BytearrayNode" => {
                let file = text(node, "file").or_else(|_| text(node, "content"))?;
                let bytes = self.archive.read(file)?;
                self.arena.push(Value::Bytes(bytes))
            }
            "TreeNode" => {
                let reduce = node.get("__reduce__").and_then(Json::as_object);
                let arguments = reduce.and_then(|reduce| reduce.get("args"));
                let arguments = arguments.and_then(Json::as_object);
                let arguments = arguments.map(|one| self.node(one, depth + 1)).transpose()?;
                self.object(node, arguments, Origin::Call, depth)
            }
            "PartialNode" => {
                // As a pickle has it: the function is the first argument.
                let content = node.get("content").and_then(Json::as_object);
                let function = content.and_then(|content| content.get("func"));
                let function = function.and_then(Json::as_object);
                let function = function.map(|one| self.node(one, depth + 1)).transpose()?;
                let arguments = function.into_iter().collect();
                let arguments = self.arena.push(Value::Tuple(arguments))?;
                self.object(node, Some(arguments), Origin::Call, depth)
            }
            _ => self.object(node, None, Origin::Object, depth),
        }
    }

    fn class(&mut self, node: &Node) -> Result<Id> {
        self.global(text(node, "__module__")?, text(node, "__class__")?)
    }

    fn global(&mut self, module: &str, name: &str) -> Result<Id> {
        let (module, name) = (self.arena.push_text(module)?, self.arena.push_text(name)?);
        self.arena.push(Value::Global { module, name })
    }

    /// An object; its state is its content, where that is a node.
    fn object(
        &mut self,
        node: &Node,
        arguments: Option<Id>,
        origin: Origin,
        depth: usize,
    ) -> Result<Id> {
        let class = self.class(node)?;
        self.calls.note(&self.arena, class, arguments, origin);
        let content = node.get("content").and_then(Json::as_object);
        let content = content.filter(|content| content.contains_key("__loader__"));
        let state = content
            .map(|content| self.node(content, depth + 1))
            .transpose()?;
        let (items, pairs) = (Vec::new(), Vec::new());
        let record = Record {
            class,
            arguments,
            state,
            items,
            pairs,
        };
        self.arena.account(size_of::<Record>())?;
        self.arena.push(Value::Record(Box::new(record)))
    }

    fn json(&mut self, value: &Json) -> Result<Id> {
        let value = match value {
            Json::Null => return Ok(NONE),
            Json::Bool(value) => Value::Boolean(*value),
            Json::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(value), _) => Value::Integer(value),
                (None, Some(value)) if number.is_f64() => Value::Float(value),
                _ => Value::Huge,
            },
            Json::String(text) => return self.arena.push_text(text),
            Json::Array(values) => {
                let items = values.iter().map(|value| self.json(value));
                Value::List(items.collect::<Result<_>>()?)
            }
            Json::Object(entries) => {
                let mut pairs = Vec::new();
                for (key, value) in entries {
                    pairs.push((self.arena.push_text(key)?, self.json(value)?));
                }
                Value::Dict(pairs)
            }
        };
        self.arena.push(value)
    }

    fn list(&mut self, node: &Node, depth: usize) -> Result<Vec<Id>> {
        let content = node.get("content").and_then(Json::as_array);
        let content = content.ok_or_else(|| broken("a list has no content"))?;
        content.iter().map(|item| self.inner(item, depth)).collect()
    }

    fn inner(&mut self, item: &Json, depth: usize) -> Result<Id> {
        let item = item
            .as_object()
            .ok_or_else(|| broken("a node is not an object"))?;
        self.node(item, depth + 1)
    }

    /// JSON's keys are texts; `key_types` lists what they were.
    fn dict(&mut self, node: &Node, depth: usize) -> Result<Id> {
        let content = node.get("content").and_then(Json::as_object);
        let content = content.ok_or_else(|| broken("a dictionary has no content"))?;
        let types = node.get("key_types").and_then(|types| types.get("content"));
        let types = types
            .and_then(Json::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let is_integer = |kind: &&Json| {
            let class = kind.get("__class__").and_then(Json::as_str);
            class.is_some_and(|class| class.contains("int"))
        };
        // The order of the keys is lost in reading, so the types count together.
        let integers = types.iter().filter(is_integer).count();
        let has_integers = integers > 0
            && integers
                == content
                    .keys()
                    .filter(|key| key.parse::<i64>().is_ok())
                    .count();
        let mut pairs = Vec::new();
        for (key, value) in content {
            let key = match key.parse::<i64>() {
                Ok(number) if has_integers => self.arena.push(Value::Integer(number))?,
                _ => self.arena.push_text(key)?,
            };
            pairs.push((key, self.inner(value, depth)?));
        }
        self.arena.push(Value::Dict(pairs))
    }

    /// An array in a file of its own, or of nodes; a scalar of numpy is an array without axes.
    fn array(&mut self, node: &Node, depth: usize) -> Result<Id> {
        if text(node, "type")? == "numpy" {
            let bytes = self.archive.read(text(node, "file")?)?;
            let array = npy::read(&bytes)?;
            let value = match &array.elements {
                Elements::Raw(raw) if array.shape.is_empty() => element(&array.data_type, raw)?,
                _ => Value::Array(Box::new(array)),
            };
            return self.arena.push(value);
        }
        let shape = match node.get("shape") {
            Some(Json::Object(shape)) => self.node(shape, depth + 1)?,
            Some(shape) => self.json(shape)?,
            None => return Err(broken("an array has no shape")),
        };
        let length = |id: &Id| match self.arena.get(*id) {
            Value::Integer(length) => usize::try_from(*length).ok(),
            _ => None,
        };
        let lengths = self
            .arena
            .items(shape)
            .unwrap_or_default()
            .iter()
            .map(length);
        let lengths: Option<Vec<usize>> = lengths.collect();
        let lengths = lengths.ok_or_else(|| broken("the shape of an array is broken"))?;
        let items = match node.get("content") {
            Some(Json::Array(items)) => items
                .iter()
                .map(|item| self.inner(item, depth))
                .collect::<Result<Vec<Id>>>()?,
            Some(Json::Object(content)) => {
                let list = self.node(content, depth + 1)?;
                self.arena.items(list).unwrap_or_default().to_vec()
            }
            _ => return Err(broken("an array has no content")),
        };
        // Inner axes are lists.
        let mut flat = items;
        for _ in 1..lengths.len() {
            let inner = flat
                .iter()
                .map(|id| self.arena.items(*id).map(<[Id]>::to_vec));
            let inner: Option<Vec<Vec<Id>>> = inner.collect();
            flat = inner.ok_or_else(|| broken("an array is ragged"))?.concat();
            self.arena.copying(4 * flat.len())?;
        }
        let count = flat.len();
        let list = self.arena.push(Value::List(flat))?;
        let data_type = DataType {
            kind: Kind::Object,
            size: 8,
            is_big_endian: false,
            fields: Vec::new(),
        };
        let array = Array::objects(lengths, data_type.into(), (list, count))?;
        self.arena.push(Value::Array(Box::new(array)))
    }

    /// A sparse matrix: an archive in the archive, to the state that pickles hold.
    fn sparse(&mut self, node: &Node) -> Result<Id> {
        let bytes = self.archive.read(text(node, "file")?)?;
        let mut inner = Archive::open(bytes)?;
        let mut pairs = Vec::new();
        for (key, file) in [
            ("_shape", "shape.npy"),
            ("data", "data.npy"),
            ("indices", "indices.npy"),
            ("indptr", "indptr.npy"),
        ] {
            let array = npy::read(&inner.read(file)?)?;
            let key = self.arena.push_text(key)?;
            let value = if key_is_shape(file) {
                let lengths = array.field_integers("")?;
                let lengths = lengths
                    .into_iter()
                    .map(|one| self.arena.push(Value::Integer(one)));
                let lengths = lengths.collect::<Result<Vec<Id>>>()?;
                Value::Tuple(lengths)
            } else {
                Value::Array(Box::new(array))
            };
            let value = self.arena.push(value)?;
            pairs.push((key, value));
        }
        let state = Some(self.arena.push(Value::Dict(pairs))?);
        let class = self.class(node)?;
        let (items, pairs, arguments) = (Vec::new(), Vec::new(), None);
        let record = Record {
            class,
            arguments,
            state,
            items,
            pairs,
        };
        self.arena.push(Value::Record(Box::new(record)))
    }
}

fn key_is_shape(file: &str) -> bool {
    file == "shape.npy"
}

fn text<'a>(node: &'a Node, key: &str) -> Result<&'a str> {
    let found = node.get(key).and_then(Json::as_str);
    found.ok_or_else(|| broken(&format!("a node has no `{key}`")))
}
