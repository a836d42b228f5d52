//! PyTorch's weights: state dictionaries of `torch.save`, zips since 1.6 and the older form, as the
//! safetensors that the rest reads.
//!
//! Owns where a tensor's bytes lie: its storage, offset and strides. Nothing is loaded by Python's
//! rules; the pickles inside go through the machine. Source: `torch/serialization.py` and
//! `torch/_utils.py` of PyTorch 1.0 to 2.15.

use std::collections::HashMap;

use bytes::Bytes;

use super::archive::{self, Archive};
use super::cursor::Cursor;
use super::describe::{class_name, kind_of, shown};
use super::machine::load;
use super::record::{Arena, Id, Value};
use super::trust::Calls;
use crate::error::{Error, Result};
use crate::memory;

/// What an older file begins with: protocol 2 and a number of ten bytes.
const OLD: &[u8] = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19";

/// How weights become safetensors.
const HINT: &str = "save the weights alone, `torch.save(model.state_dict(), \"model.pt\")`, or as \
                    safetensors, `safetensors.torch.save_file(model.state_dict(), \
                    \"model.safetensors\")`";

/// The name of the pickle in a zip, behind the name of the file's own folder.
const PICKLE: &str = "/data.pkl";

/// Whether bytes are a checkpoint of PyTorch's, of either form; `TorchScript` is not.
pub(crate) fn is_checkpoint(bytes: &[u8]) -> bool {
    if bytes.starts_with(OLD) {
        return true;
    }
    bytes.starts_with(archive::START)
        && archive::directory_names(bytes).is_some_and(|names| {
            let is_script =
                |name: &String| name.contains("/code/") || name.ends_with("/constants.pkl");
            names.iter().any(|name| name.ends_with(PICKLE)) && !names.iter().any(is_script)
        })
}

/// Whether a file that begins so may be one.
pub(crate) fn may_begin(head: &[u8]) -> bool {
    head.starts_with(OLD) || archive::first_name(head).is_some_and(|name| name.ends_with(PICKLE))
}

/// The tensors of a checkpoint as a safetensors file.
///
/// # Errors
/// Fails for a broken file; a contract error for what is not a dictionary of tensors; a trust error
/// for calls that no weights need.
pub(crate) fn to_safetensors(bytes: Bytes) -> Result<Vec<u8>> {
    let mut checkpoint = if bytes.starts_with(OLD) {
        Checkpoint::old(&bytes)?
    } else {
        Checkpoint::zip(bytes)?
    };
    checkpoint.calls.refuse()?;
    let tensors = checkpoint.tensors()?;
    checkpoint.written(&tensors)
}

/// Where the bytes of storages lie.
enum Storages {
    /// Entries of an archive, below this prefix.
    Entries { archive: Archive, prefix: String },
    /// By key.
    Kept(HashMap<String, Bytes>),
}

struct Checkpoint {
    arena: Arena,
    root: Id,
    calls: Calls,
    storages: Storages,
    file_bytes: usize,
}

/// What an element is: its name in safetensors and its bytes.
type Element = (&'static str, usize);

/// A tensor of a storage.
struct Tensor {
    name: String,
    element: Element,
    key: String,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Checkpoint {
    fn zip(bytes: Bytes) -> Result<Self> {
        let file_bytes = bytes.len();
        let names = archive::directory_names(&bytes).unwrap_or_default();
        let pickle = names.iter().find(|name| name.ends_with(PICKLE));
        let pickle = pickle.ok_or_else(|| Error::failed("the archive has no `data.pkl`"))?;
        let prefix = pickle[..pickle.len() - PICKLE.len()].to_owned();
        let mut archive = Archive::open(bytes)?;
        let order = format!("{prefix}/byteorder");
        if names.contains(&order) && archive.read(&order)?.trim_ascii() != b"little" {
            return Err(Error::contract("the weights are big-endian").hint(HINT));
        }
        let content = archive.read(pickle)?;
        let mut arena = Arena::new(content.len())?;
        let mut calls = Calls::default();
        let cursor = Cursor {
            bytes: content,
            position: 0,
        };
        let root = load(&mut arena, &mut calls, cursor, false)?.root;
        Ok(Self {
            arena,
            root,
            calls,
            storages: Storages::Entries { archive, prefix },
            file_bytes,
        })
    }

    /// Five pickles in a row: the magic number, the version, the system, the object, the keys of
    /// the storages; then each storage behind its length.
    fn old(bytes: &Bytes) -> Result<Self> {
        let file_bytes = bytes.len();
        let mut arena = Arena::new(file_bytes)?;
        let mut calls = Calls::default();
        let mut position = 0;
        let mut roots = Vec::new();
        for _ in 0..5 {
            let cursor = Cursor {
                bytes: bytes.clone(),
                position,
            };
            let loaded = load(&mut arena, &mut calls, cursor, false)?;
            position = loaded.end;
            roots.push(loaded.root);
        }
        let (root, keys) = (roots[3], roots[4]);
        let sizes = element_sizes(&arena);
        let mut kept = HashMap::new();
        for key in arena.items(keys).unwrap_or_default() {
            let Some(key) = arena.text(*key) else {
                return Err(broken("a storage has no key"));
            };
            let size = sizes.get(key).copied();
            let size = size.ok_or_else(|| broken("a storage belongs to no tensor"))?;
            let cut = || broken("a storage is cut short");
            let count = bytes.get(position..position + 8).ok_or_else(cut)?;
            let count = count
                .try_into()
                .map(i64::from_le_bytes)
                .map_err(|_| cut())?;
            let length = usize::try_from(count)
                .ok()
                .and_then(|count| count.checked_mul(size));
            let end = length.and_then(|length| length.checked_add(position + 8));
            let end = end.filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
            kept.insert(key.to_owned(), bytes.slice(position + 8..end));
            position = end;
        }
        Ok(Self {
            arena,
            root,
            calls,
            storages: Storages::Kept(kept),
            file_bytes,
        })
    }

    /// The dictionary of tensors: the object itself, or what it holds under the usual names.
    fn state(&self) -> Result<Vec<(Id, Id)>> {
        let arena = &self.arena;
        let own = if let Value::Dict(pairs) = arena.get(self.root) {
            pairs.clone()
        } else {
            let what = class_name(arena, self.root)
                .map_or_else(|| kind_of(arena, self.root), |class| format!("`{class}`"));
            return Err(Error::contract(format!(
                "the checkpoint holds {what}, not a dictionary of tensors: its layers are code"
            ))
            .hint(HINT));
        };
        let inner = ["state_dict", "model_state_dict", "model"]
            .iter()
            .find_map(|name| {
                let found = arena.entry(self.root, name)?;
                arena
                    .pairs(found)
                    .filter(|_| matches!(arena.get(found), Value::Dict(_)))
            });
        Ok(inner.map_or(own, <[(Id, Id)]>::to_vec))
    }

    fn tensors(&self) -> Result<Vec<Tensor>> {
        let mut tensors = Vec::new();
        for (key, value) in self.state()? {
            let Some(name) = self.arena.text(key) else {
                return Err(Error::contract("a tensor's name is not a text").hint(HINT));
            };
            let tensor =
                tensor(&self.arena, name, value).map_err(|error| error.at_node(shown(name)))?;
            tensors.extend(tensor);
        }
        if tensors.is_empty() {
            return Err(Error::contract("the checkpoint holds no tensors").hint(HINT));
        }
        Ok(tensors)
    }

    fn storage(&mut self, key: &str) -> Result<Bytes> {
        match &mut self.storages {
            Storages::Entries { archive, prefix } => archive.read(&format!("{prefix}/data/{key}")),
            Storages::Kept(kept) => kept
                .get(key)
                .cloned()
                .ok_or_else(|| broken("a tensor's storage is missing")),
        }
    }

    /// Header and bytes of a safetensors file.
    fn written(&mut self, tensors: &[Tensor]) -> Result<Vec<u8>> {
        let (mut header, mut at) = (serde_json::Map::new(), 0_usize);
        for tensor in tensors {
            let length = tensor
                .shape
                .iter()
                .try_fold(tensor.element.1, |length, axis| length.checked_mul(*axis));
            let end = length.and_then(|length| length.checked_add(at));
            // Tensors may share storages, but not over and over.
            let limit = self.file_bytes.saturating_mul(4);
            let end = end.filter(|end| *end <= limit).ok_or_else(|| {
                broken("its tensors are larger than the file").at_node(shown(&tensor.name))
            })?;
            let entry = serde_json::json!({
                "dtype": tensor.element.0,
                "shape": tensor.shape,
                "data_offsets": [at, end],
            });
            if header.insert(tensor.name.clone(), entry).is_some() {
                return Err(broken("a tensor is there twice").at_node(shown(&tensor.name)));
            }
            at = end;
        }
        let mut header = serde_json::Value::Object(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let _reservation = memory::reserve((header.len() + at) as u64, "reading the checkpoint")?;
        let mut written = Vec::new();
        written
            .try_reserve_exact(8 + header.len() + at)
            .map_err(|error| Error::failed("there is no memory for the weights").because(error))?;
        written.extend((header.len() as u64).to_le_bytes());
        written.extend(header);
        for tensor in tensors {
            let storage = self.storage(&tensor.key)?;
            tensor
                .copy(&storage, &mut written)
                .map_err(|error| error.at_node(shown(&tensor.name)))?;
        }
        Ok(written)
    }
}

impl Tensor {
    /// Copies the elements in C order.
    fn copy(&self, storage: &[u8], to: &mut Vec<u8>) -> Result<()> {
        copy_strided(
            storage,
            self.element.1,
            self.offset,
            (&self.shape, &self.strides),
            to,
        )
        .ok_or_else(|| broken("a tensor reaches beyond its storage"))
    }
}

/// The elements of `size` bytes in C order of a tensor that lies in a storage; none if it reaches
/// beyond, or is more than `most` bytes.
pub(crate) fn strided(
    storage: &[u8],
    size: usize,
    offset: usize,
    layout: (&[usize], &[usize]),
    most: usize,
) -> Option<Vec<u8>> {
    let length = layout
        .0
        .iter()
        .try_fold(size, |length, axis| length.checked_mul(*axis))?;
    if length > most || layout.0.len() != layout.1.len() {
        return None;
    }
    let mut elements = Vec::new();
    elements.try_reserve_exact(length).ok()?;
    copy_strided(storage, size, offset, layout, &mut elements)?;
    Some(elements)
}

/// Copies the elements of `size` bytes in C order, by shape and strides; none if the last one lies
/// beyond the storage. The product of the shape fits.
fn copy_strided(
    storage: &[u8],
    size: usize,
    offset: usize,
    (shape, strides): (&[usize], &[usize]),
    to: &mut Vec<u8>,
) -> Option<()> {
    let count: usize = shape.iter().product();
    if count == 0 {
        return Some(());
    }
    // The last element bounds all others.
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(offset, |at, (axis, stride)| {
            at.checked_add((axis - 1).checked_mul(*stride)?)
        })?;
    let end = last.checked_add(1)?.checked_mul(size)?;
    if end > storage.len() {
        return None;
    }
    let mut expected = 1;
    let is_plain = shape.iter().zip(strides).rev().all(|(axis, stride)| {
        let fits = *axis == 1 || *stride == expected;
        expected *= axis;
        fits
    });
    if is_plain {
        to.extend(&storage[offset * size..(offset + count) * size]);
        return Some(());
    }
    let mut index = vec![0; shape.len()];
    let mut at = offset;
    for _ in 0..count {
        to.extend(&storage[at * size..(at + 1) * size]);
        for axis in (0..index.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    Some(())
}

fn broken(what: &str) -> Error {
    Error::failed(format!("cannot read the checkpoint: {what}"))
        .hint("the file is damaged or cut short: copy it again")
}

/// The element of a storage's class, or of a type such as `torch.float32`.
fn element(name: &str) -> Option<Element> {
    Some(match name {
        "FloatStorage" | "float32" => ("F32", 4),
        "DoubleStorage" | "float64" => ("F64", 8),
        "HalfStorage" | "float16" => ("F16", 2),
        "BFloat16Storage" | "bfloat16" => ("BF16", 2),
        "LongStorage" | "int64" => ("I64", 8),
        "IntStorage" | "int32" => ("I32", 4),
        "ShortStorage" | "int16" => ("I16", 2),
        "CharStorage" | "int8" => ("I8", 1),
        "ByteStorage" | "uint8" => ("U8", 1),
        "BoolStorage" | "bool" => ("BOOL", 1),
        _ => return None,
    })
}

/// Class and key of a storage.
fn storage_of(arena: &Arena, id: Id) -> Option<(&str, &str)> {
    let Value::Persistent(Some(parts)) = arena.get(id) else {
        return None;
    };
    match arena.items(*parts)? {
        [kind, class, key, ..] if arena.text(*kind) == Some("storage") => {
            Some((arena.global(*class)?.1, arena.text(*key)?))
        }
        _ => None,
    }
}

/// The bytes of an element of each storage that is named in the file.
fn element_sizes(arena: &Arena) -> HashMap<String, usize> {
    let mut sizes = HashMap::new();
    for id in arena.ids() {
        if let Some((class, key)) = storage_of(arena, id) {
            let size = element(class).map_or(1, |(_, size)| size);
            sizes.insert(key.to_owned(), size);
        }
    }
    sizes
}

/// A tensor by the call that would rebuild it; none for what is not a tensor, such as a counter of
/// steps.
fn tensor(arena: &Arena, name: &str, id: Id) -> Result<Option<Tensor>> {
    let Some((module, function)) = arena.class(id) else {
        return Ok(None);
    };
    let arguments = arena.record(id).and_then(|record| record.arguments);
    let arguments = arguments
        .and_then(|arguments| arena.items(arguments))
        .unwrap_or_default();
    match (module, function, arguments) {
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state", [data, ..]) => {
            tensor(arena, name, *data)
        }
        ("torch._utils", "_rebuild_tensor_v2", [storage, offset, shape, strides, ..])
        | ("torch._utils", "_rebuild_tensor", [storage, offset, shape, strides]) => {
            let storage = storage_of(arena, *storage);
            let (class, key) = storage.ok_or_else(|| broken("a tensor has no storage"))?;
            let element = element(class).ok_or_else(|| {
                Error::contract(format!("tensors of `{}` are not read", shown(class))).hint(HINT)
            })?;
            positioned(arena, name, element, key, [*offset, *shape, *strides]).map(Some)
        }
        (
            "torch._utils",
            "_rebuild_tensor_v3",
            [storage, offset, shape, strides, _, _, kind, ..],
        ) => {
            let storage = storage_of(arena, *storage);
            let (_, key) = storage.ok_or_else(|| broken("a tensor has no storage"))?;
            let kind = arena.global(*kind).map_or("", |(_, name)| name);
            let element = element(kind).ok_or_else(|| {
                Error::contract(format!("tensors of `{}` are not read", shown(kind))).hint(HINT)
            })?;
            positioned(arena, name, element, key, [*offset, *shape, *strides]).map(Some)
        }
        ("torch._utils", function, _) => Err(Error::contract(format!(
            "tensors of the kind `{}` are not read",
            shown(function)
        ))
        .hint(HINT)),
        _ => Ok(None),
    }
}

fn positioned(
    arena: &Arena,
    name: &str,
    element: Element,
    key: &str,
    [offset, shape, strides]: [Id; 3],
) -> Result<Tensor> {
    let number = |id: Id| match arena.get(id) {
        Value::Integer(value) => usize::try_from(*value).ok(),
        _ => None,
    };
    let numbers = |id: Id| -> Option<Vec<usize>> {
        arena.items(id)?.iter().map(|one| number(*one)).collect()
    };
    let found = number(offset).zip(numbers(shape).zip(numbers(strides)));
    let found = found.filter(|(_, (shape, strides))| shape.len() == strides.len());
    let (offset, (shape, strides)) =
        found.ok_or_else(|| broken("a tensor's shape does not fit its strides"))?;
    Ok(Tensor {
        name: name.to_owned(),
        element,
        key: key.to_owned(),
        offset,
        shape,
        strides,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    fn kept(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden/torch");
        std::fs::read(folder.join(name)).unwrap()
    }

    /// Type, shape and bytes of each tensor of a safetensors file.
    fn tensors(bytes: &[u8]) -> BTreeMap<String, (String, String, Vec<u8>)> {
        let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let header: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(header).unwrap();
        let tensor = |(name, entry): (String, serde_json::Value)| {
            let at = |index: usize| entry["data_offsets"][index].as_u64().unwrap() as usize;
            let content = data[at(0)..at(1)].to_vec();
            let element = entry["dtype"].as_str().unwrap().to_owned();
            (name, (element, entry["shape"].to_string(), content))
        };
        header.into_iter().map(tensor).collect()
    }

    #[test]
    fn checkpoints_hold_what_pytorch_saves_as_safetensors() {
        let expected = tensors(&kept("expected.safetensors"));
        assert_eq!(expected.len(), 13);
        for name in ["zip.pt", "inside.pt", "old.pt"] {
            let bytes = kept(name);
            assert!(is_checkpoint(&bytes) && may_begin(&bytes[..200]), "{name}");
            let found = to_safetensors(bytes.into()).unwrap();
            assert_eq!(tensors(&found), expected, "{name}");
        }
    }

    #[test]
    fn whole_modules_are_refused_by_name() {
        let error = to_safetensors(kept("module.pt").into()).unwrap_err();
        let whole = error.to_string();
        assert!(
            whole.contains("torch.nn.modules.container.Sequential"),
            "{whole}"
        );
    }

    #[test]
    fn checkpoints_cut_or_damaged_anywhere_are_errors_and_never_a_panic() {
        for name in ["zip.pt", "old.pt"] {
            let bytes = kept(name);
            for end in (0..bytes.len()).step_by(7) {
                let cut = Bytes::copy_from_slice(&bytes[..end]);
                assert!(to_safetensors(cut).is_err(), "{name} cut at {end}");
            }
            for at in 0..bytes.len() {
                for byte in [0, 0x7f, 0xff, bytes[at] ^ 1] {
                    let mut damaged = bytes.clone();
                    damaged[at] = byte;
                    let _ = to_safetensors(damaged.into());
                }
            }
        }
    }
}
