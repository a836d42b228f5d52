use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::Python;
use super::container::Document;
use super::import::read;
use super::numpy::{Array, DataType, Elements, Kind, number};
use super::record::{Arena, Id, Value};
use crate::error::{Error, Kind as ErrorKind};
use crate::format::importer::{Artefact, FileImporter, ImportOptions};

/// Attributes that no model is computed from.
const UNREAD: [&str; 6] = [
    "random_state",
    "_random_state",
    "loss_",
    "_loss",
    "_metadata_request",
    "_rng",
];

/// The outline of a value as `data/golden/pickles.py` writes it.
fn outline(arena: &Arena, id: Id, path: &str, lines: &mut Vec<String>) {
    let items = |kind: &str, items: &[Id], lines: &mut Vec<String>| {
        lines.push(format!("{path} = {kind} of {}", items.len()));
        for (index, item) in items.iter().enumerate() {
            outline(arena, *item, &format!("{path}[{index}]"), lines);
        }
    };
    match arena.get(id) {
        Value::None => lines.push(format!("{path} = None")),
        Value::Boolean(true) => lines.push(format!("{path} = True")),
        Value::Boolean(false) => lines.push(format!("{path} = False")),
        Value::Integer(value) => lines.push(format!("{path} = {value}")),
        Value::Huge => lines.push(format!("{path} = huge")),
        Value::Float(value) if value.is_nan() => lines.push(format!("{path} = nan")),
        Value::Float(value) => lines.push(format!("{path} = float {:016x}", value.to_bits())),
        Value::Text(text) => lines.push(format!("{path} = text {:08x}", crc32fast::hash(text))),
        Value::Bytes(bytes) => {
            let checksum = crc32fast::hash(bytes);
            lines.push(format!("{path} = bytes {} {checksum:08x}", bytes.len()));
        }
        Value::List(list) => items("list", list, lines),
        Value::Tuple(list) => items("tuple", list, lines),
        Value::Set(set) => {
            let distinct: std::collections::BTreeSet<String> = set
                .iter()
                .map(|one| format!("{:?}", arena.get(*one)))
                .collect();
            lines.push(format!("{path} = set of {}", distinct.len()));
        }
        Value::Dict(pairs) => {
            lines.push(format!("{path} = dict of {}", pairs.len()));
            entries(arena, pairs, path, lines);
        }
        Value::Array(array) => outline_array(arena, array, path, lines),
        Value::Record(record) => match arena.class(id) {
            Some((module, _)) if module.starts_with("scipy.sparse") => {
                for part in ["data", "indices", "indptr"] {
                    let part_id = arena
                        .attribute(id, part)
                        .expect("a sparse matrix has parts");
                    outline(arena, part_id, &format!("{path}.{part}"), lines);
                }
            }
            Some((module, name)) if module.starts_with("sklearn.") => {
                lines.push(format!("{path} = {module}.{name}"));
                if let Some(pairs) = record.state.and_then(|state| arena.pairs(state)) {
                    entries(arena, pairs, path, lines);
                }
            }
            _ => lines.push(format!("{path} = object")),
        },
        _ => lines.push(format!("{path} = object")),
    }
}

fn entries(arena: &Arena, pairs: &[(Id, Id)], path: &str, lines: &mut Vec<String>) {
    for (key, value) in pairs {
        if let Some(key) = arena.text(*key).filter(|key| !UNREAD.contains(key)) {
            outline(arena, *value, &format!("{path}.{key}"), lines);
        }
    }
}

fn outline_array(arena: &Arena, array: &Array, path: &str, lines: &mut Vec<String>) {
    let shape: Vec<String> = array.shape.iter().map(ToString::to_string).collect();
    let shape = shape.join("x");
    if let Elements::Objects(list) = &array.elements {
        lines.push(format!("{path} = array object {shape}"));
        let list = arena.items(*list).expect("objects are listed");
        for (index, from) in array.order().enumerate() {
            outline(arena, list[from], &format!("{path}[{index}]"), lines);
        }
        return;
    }
    if !array.data_type.fields.is_empty() {
        lines.push(format!("{path} = array fields {shape}"));
    }
    for field in &array.data_type.fields {
        outline_numbers(
            array,
            &field.data_type,
            field.offset,
            &format!("{path}.{}", field.name),
            &shape,
            lines,
        );
    }
    if array.data_type.fields.is_empty() {
        outline_numbers(array, &array.data_type, 0, path, &shape, lines);
    }
}

fn outline_numbers(
    array: &Array,
    kind: &DataType,
    offset: usize,
    path: &str,
    shape: &str,
    lines: &mut Vec<String>,
) {
    let letter = match kind.kind {
        Kind::Boolean => 'b',
        Kind::Integer => 'i',
        Kind::Unsigned => 'u',
        Kind::Float => 'f',
        Kind::Text => {
            let texts = array.texts().expect("texts").join("\0");
            let checksum = crc32fast::hash(texts.as_bytes());
            return lines.push(format!("{path} = array text {shape} {checksum:08x}"));
        }
        _ => return lines.push(format!("{path} = array other {shape}")),
    };
    let Elements::Raw(bytes) = &array.elements else {
        panic!("numbers are bytes")
    };
    let mut plain = Vec::new();
    for index in array.order() {
        let start = index * array.data_type.size + offset;
        let element = &bytes[start..start + kind.size];
        assert!(number(kind, element).is_some());
        let mut element = element.to_vec();
        if kind.is_big_endian {
            element.reverse();
        }
        plain.extend(element);
    }
    let checksum = crc32fast::hash(&plain);
    lines.push(format!(
        "{path} = array {letter}{} {shape} {checksum:08x}",
        kind.size
    ));
}

fn golden() -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden/pickles");
    std::env::var_os("TALLOW_PICKLES").map_or(kept, PathBuf::from)
}

/// The golden files, and the outlines of what Python reads from them.
fn cases() -> Vec<(PathBuf, String)> {
    let directory = golden();
    let entries = std::fs::read_dir(&directory).expect("the golden files are there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_none());
    paths.sort();
    let outline = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let parts: Vec<&str> = name.split('_').collect();
        let version = parts[parts.len() - 3..].join("_");
        let own = directory.join(format!("{name}.outline"));
        let shared = directory.join(format!("{}_{version}.outline", parts[0]));
        std::fs::read_to_string(own)
            .or_else(|_| std::fs::read_to_string(shared))
            .unwrap()
    };
    paths
        .iter()
        .map(|path| (path.clone(), outline(path)))
        .collect()
}

fn outlined(document: &Document) -> String {
    let mut lines = Vec::new();
    outline(&document.arena, document.root, "", &mut lines);
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

#[test]
fn files_of_all_protocols_and_containers_hold_what_python_reads() {
    let cases = cases();
    assert!(cases.len() >= 30, "{} files", cases.len());
    let mut failures = Vec::new();
    for (path, expected) in &cases {
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let document = match read(bytes) {
            Ok(document) => document,
            Err(error) => {
                failures.push(format!(
                    "{name}: {error}: {:?}",
                    std::error::Error::source(&error)
                ));
                continue;
            }
        };
        if let Err(error) = document.calls.refuse() {
            failures.push(format!("{name}: {error}"));
        }
        let mut found: Vec<String> = outlined(&document).lines().map(str::to_owned).collect();
        let mut expected: Vec<&str> = expected.lines().collect();
        // JSON does not keep the order of keys.
        found.sort();
        expected.sort_unstable();
        let wrong = found
            .iter()
            .zip(&expected)
            .find(|(found, expected)| found != *expected);
        if let Some((found, expected)) = wrong {
            failures.push(format!("{name}: `{found}` instead of `{expected}`"));
        } else if found.len() != expected.len() {
            failures.push(format!(
                "{name}: {} lines instead of {}",
                found.len(),
                expected.len()
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
}

/// The small files of the newest version: every kind of stream once.
fn small() -> Vec<(PathBuf, Vec<u8>)> {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden/pickles");
    let files = [
        "arrays_joblib_gzip_1_9_1",
        "arrays_joblib_plain_1_9_1",
        "arrays_p0_1_9_1",
        "arrays_p5_1_9_1",
        "forest_p4_1_9_1",
    ];
    files
        .iter()
        .map(|name| (kept.join(name), std::fs::read(kept.join(name)).unwrap()))
        .collect()
}

#[test]
fn files_cut_anywhere_are_errors() {
    for (path, whole) in small() {
        let whole = Bytes::from(whole);
        for length in 0..whole.len() {
            if let Ok(document) = read(whole.slice(..length)) {
                // Behind the end of the stream only its checksum is missing.
                let is_tail = whole.len() - length <= 8;
                assert!(
                    is_tail,
                    "{} cut to {length}: {:?}",
                    path.display(),
                    document.root
                );
            }
        }
    }
}

/// Recognition, reading, translation: whatever a byte becomes.
#[test]
fn damaged_files_are_read_or_refused_and_never_a_panic() {
    let mut refused = 0;
    for (path, whole) in small() {
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= [0x01, 0xff, 0x80][at % 3];
            let artefact = Artefact::new(&path, damaged);
            if Python.recognises(&artefact) {
                let loaded = Python.import(&artefact, &ImportOptions::default());
                refused += usize::from(loaded.is_err());
            }
        }
    }
    assert!(refused > 1000, "{refused} refusals");
}

#[test]
fn trees_that_lead_nowhere_are_errors() {
    let path = "forest_p4_1_9_1";
    let whole = small().pop().unwrap().1;
    let nodes = read(whole.clone().into()).unwrap();
    let ids = (0..nodes.arena.len() as u32).map(Id);
    let arrays = ids.filter_map(|id| nodes.arena.array(id));
    let array = arrays
        .into_iter()
        .find(|array| array.data_type.field("left_child").is_some());
    let Elements::Raw(raw) = &array.unwrap().elements else {
        panic!("nodes are bytes")
    };
    let at = whole
        .windows(raw.len())
        .position(|window| window == raw.as_ref())
        .unwrap();
    for (offset, value, reason) in [
        (0, 0_i64, "is not behind its parent"),
        (0, 1 << 40, "is not behind its parent"),
        (8, i64::MIN, "is not behind its parent"),
        (16, 77, "a feature that there is not"),
        (16, -3, "a feature that there is not"),
    ] {
        let mut damaged = whole.clone();
        damaged[at + offset..at + offset + 8].copy_from_slice(&value.to_le_bytes());
        let error = Python.import(&Artefact::new(path, damaged), &ImportOptions::default());
        let error = error.unwrap_err();
        assert!(
            error.to_string().contains(reason),
            "{offset} {value}: {error}"
        );
    }
}

/// A pickle without its end.
fn pickle(parts: &[&[u8]]) -> Bytes {
    [&b"\x80\x04"[..], &parts.concat(), b"."].concat().into()
}

fn refusal(bytes: Bytes) -> Error {
    match read(bytes) {
        Ok(document) => document.calls.refuse().expect_err("the file is hostile"),
        Err(error) => error,
    }
}

fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "a table of hostile files, an entry after the other"
)]
fn hostile_pickles_are_refused_with_their_reason() {
    let dtype = [global("numpy", "dtype"), b"X\x02\0\0\0f8\x85R".to_vec()].concat();
    let array = |shape: &[u8], data: &[u8]| {
        let reconstruct = global("numpy.core.multiarray", "_reconstruct");
        let start = [
            reconstruct,
            global("numpy", "ndarray"),
            b"K\0\x85C\x01b\x87R(K\x01".to_vec(),
        ];
        pickle(&[&start.concat(), shape, &dtype, b"\x89", data, b"tb"])
    };
    let cases: Vec<(&str, Bytes, &str)> = vec![
        (
            "a length of 2^63",
            pickle(&[b"\x8e\0\0\0\0\0\0\0\x80"]),
            "in the middle of a value",
        ),
        (
            "a length of 2^32",
            pickle(&[b"B\xff\xff\xff\xff"]),
            "in the middle of a value",
        ),
        (
            "a length below 0",
            pickle(&[b"\x8b\xff\xff\xff\xff"]),
            "a length is below 0",
        ),
        (
            "no value",
            pickle(&[b""]),
            "takes a value where there is none",
        ),
        (
            "a value below a mark",
            pickle(&[b"N(\x85"]),
            "takes a value where there is none",
        ),
        ("no mark", pickle(&[b"Nt"]), "a mark is missing"),
        (
            "an unknown slot",
            pickle(&[b"h\x07"]),
            "a value was never remembered",
        ),
        (
            "an unknown opcode",
            pickle(&[b"\xff"]),
            "there is no opcode 0xff",
        ),
        (
            "protocol 6",
            Bytes::from_static(b"\x80\x06N."),
            "is of protocol 6",
        ),
        (
            "an extension",
            pickle(&[b"\x82\x01"]),
            "Python's extension registry",
        ),
        (
            "a buffer elsewhere",
            pickle(&[b"\x97"]),
            "kept out of the file",
        ),
        (
            "an odd dictionary",
            pickle(&[b"}(Nu"]),
            "a key of a dictionary has no value",
        ),
        (
            "an append to a tuple",
            pickle(&[b")Na"]),
            "what cannot hold them",
        ),
        (
            "a state of a number",
            pickle(&[b"K\x01Nb"]),
            "a state is set on what has none",
        ),
        (
            "a name of a number",
            pickle(&[b"K\x01K\x01\x93"]),
            "the name of a class is not a name",
        ),
        (
            "arguments of a number",
            pickle(&[&global("os", "system"), b"K\x01R"]),
            "not a tuple",
        ),
        (
            "a shape too large",
            array(b"K\x09\x85", b"C\x08\0\0\0\0\0\0\0\0"),
            "an array is broken",
        ),
        (
            "a shape below 0",
            array(b"J\xff\xff\xff\xff\x85", b"C\0"),
            "the shape of an array",
        ),
        (
            "objects as numbers",
            array(b"K\x02\x85", b"]"),
            "an array is broken",
        ),
        (
            "os.system",
            pickle(&[&global("os", "system"), b"X\x02\0\0\0ls\x85R"]),
            "would call `os.system`",
        ),
        (
            "INST",
            pickle(&[b"(X\x02\0\0\0lsiposix\nsystem\n"]),
            "would call `posix.system`",
        ),
        (
            "OBJ",
            pickle(&[b"(", &global("subprocess", "Popen"), b"No"]),
            "`subprocess.Popen`",
        ),
        (
            "a call of a call",
            pickle(&[&global("numpy", "frompyfunc"), b")R)R"]),
            "a function that the file makes itself",
        ),
        (
            "a call that makes a function of code",
            pickle(&[
                &global("cloudpickle.cloudpickle", "_builtin_type"),
                b"X\x08\0\0\0CodeType\x85R(K\x01X\x07\0\0\0file.pyX\x05\0\0\0scoretR",
            ]),
            "a function that the file holds as code, `score`",
        ),
        (
            "a known package's own loader",
            pickle(&[&global("joblib", "load"), b"X\x01\0\0\0m\x85R"]),
            "would call `joblib.load`",
        ),
    ];
    for (name, bytes, reason) in cases {
        let error = refusal(bytes);
        let whole = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(whole.contains(reason), "{name}: {whole}");
        let is_call = ["os.system", "INST", "OBJ"].contains(&name)
            || name.contains("call")
            || name.contains("loader");
        assert_eq!(error.kind() == ErrorKind::Trust, is_call, "{name}: {whole}");
    }
}

/// 30 pairs of pairs: 2^30 leaves for a reader that copies.
#[test]
fn shared_values_are_not_multiplied() {
    let pairs = [&b"K\x01"[..], &b"\x942\x86".repeat(30)].concat();
    assert!(read(pickle(&[&pairs])).unwrap().arena.len() < 100);
}

#[test]
fn cycles_and_deep_nesting_are_legal() {
    let cycle = read(pickle(&[b"]\x94h\0a"])).unwrap();
    assert_eq!(cycle.arena.items(cycle.root), Some(&[cycle.root][..]));
    let deep = pickle(&[&b"]".repeat(100_000), &b"a".repeat(99_999)]);
    assert!(read(deep).is_ok());
}

#[test]
fn lists_are_filled_after_they_are_remembered() {
    let document = read(pickle(&[b"]\x94(K\x01K\x02eh\0\x86"])).unwrap();
    let pair = document.arena.items(document.root).unwrap();
    assert_eq!(document.arena.items(pair[1]).unwrap().len(), 2);
}

/// One text that is written as bytes over and over, one list that is copied over and over, and
/// slots of the memo far apart.
#[test]
fn few_bytes_cannot_make_many() {
    let text = [&b"X\0\0\x01\0"[..], &vec![b'a'; 1 << 16], b"\x940"].concat();
    let encode = [global("_codecs", "encode"), b"\x940".to_vec()].concat();
    let call = b"h\x01h\0\x85R0".repeat(1000);
    let error = refusal(pickle(&[&text, &encode, &call, b"N"]));
    assert!(
        error.to_string().contains("copies its own values"),
        "{error}"
    );
    let list = [&b"]\x94("[..], &b"N".repeat(10_000), b"e0"].concat();
    let copy = [
        global("builtins", "list"),
        b"\x940".to_vec(),
        b"h\x01h\0\x85R0".repeat(1000),
    ];
    let error = refusal(pickle(&[&list, &copy.concat(), b"N"]));
    assert!(
        error.to_string().contains("copies its own values"),
        "{error}"
    );
    let sparse = [&b"N"[..], b"r\xff\xff\xff\xff", b"0", b"j\xff\xff\xff\xff"].concat();
    assert!(read(pickle(&[&sparse])).is_ok());
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn one_layer_of_compression_is_taken_off() {
    let inner = pickle(&[b"K\x07"]);
    let document = read(zlib(&inner).into()).unwrap();
    assert!(matches!(
        document.arena.get(document.root),
        Value::Integer(7)
    ));
    for nested in [
        zlib(&zlib(&inner)),
        zlib(b"id,a\n1,2\n"),
        zlib(&vec![0; 1 << 22]),
    ] {
        let error = refusal(nested.into());
        assert!(error.to_string().contains("holds no pickle"), "{error}");
    }
    let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut gzip, &inner).unwrap();
    assert!(read(gzip.finish().unwrap().into()).is_ok());
    // Python's `bz2.compress` and `lzma.compress` of the same pickle, and what is left of each.
    for other in [
        &b"BZh91AY&SY k\xd6;\x00\x00\x02T@\x04\x80\x00\x01\x00\x08@\x00 \x000\xcd\x00\
          \xc1\xa0lqw$S\x85\x09\x02\x06\xbdc\xb0"[..],
        b"\xfd7zXZ\x00\x00\x04\xe6\xd6\xb4F\x02\x00!\x01\x16\x00\x00\x00t/\xe5\xa3\x01\
          \x00\x04\x80\x04K\x07.\x00\x00\x00\x00\xf3\x0dx\xaf\xf8\xbe:W\x00\x01\x1d\x05\
          \xb8-\x80\xaf\x1f\xb6\xf3}\x01\x00\x00\x00\x00\x04YZ",
        b"]\x00\x00\x80\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00@\x01\x05\x15m\xe8\x99\
          \x13\xff\xff\xfe\x1f\x80\x00",
    ] {
        let document = read(Bytes::from_static(other)).unwrap();
        let value = document.arena.get(document.root);
        assert!(matches!(value, Value::Integer(7)), "{value:?}");
        for end in 3..other.len() - 8 {
            let cut = read(Bytes::from_static(&other[..end]));
            assert!(cut.is_err(), "cut at {end}");
        }
    }
}

/// An archive of stored entries: (name, data); `claim` is added to the sizes that the directory
/// states, and the second entry begins `overlap` bytes too early.
fn archive(entries: &[(&str, &[u8])], claim: u32, overlap: u32) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (index, (name, data)) in entries.iter().enumerate() {
        let early = if index == 1 { overlap } else { 0 };
        let offset = (bytes.len() as u32).saturating_sub(early);
        let sizes = [data.len() as u32 + claim; 2]
            .map(u32::to_le_bytes)
            .concat();
        let checksum = crc32fast::hash(data).to_le_bytes();
        let names = (name.len() as u16).to_le_bytes();
        let common = [&[0, 0][..], &[0; 6], &checksum, &sizes, &names, &[0, 0]].concat();
        bytes.extend([&b"PK\x03\x04\x14\0"[..], &common, name.as_bytes(), data].concat());
        directory.extend([&b"PK\x01\x02\x14\0\x14\0"[..], &common, &[0; 10]].concat());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let count = (entries.len() as u16).to_le_bytes();
    let location = (bytes.len() as u32).to_le_bytes();
    let size = (directory.len() as u32).to_le_bytes();
    bytes.extend(
        [
            &directory[..],
            b"PK\x05\x06\0\0\0\0",
            &count,
            &count,
            &size,
            &location,
            &[0, 0],
        ]
        .concat(),
    );
    bytes
}

#[test]
fn archives_of_tricks_are_refused() {
    let leaf = br#"{"__class__": "int", "__module__": "builtins", "__loader__": "JsonNode",
        "content": "7"}"#;
    let plain = read(archive(&[("schema.json", leaf)], 0, 0).into()).unwrap();
    assert!(matches!(plain.arena.get(plain.root), Value::Integer(7)));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            archive(&[("schema.json", leaf), ("schema.json", leaf)], 0, 0),
            "twice",
        ),
        (archive(&[("schema.json", leaf)], 7, 0), "is damaged"),
        (
            archive(&[("schema.json", leaf)], 1 << 30, 0),
            "outside the file",
        ),
        (archive(&[("a", leaf)], 0, 0), "no entry `schema.json`"),
        (archive(&[("schema.json", b"{")], 0, 0), "not JSON"),
        (archive(&[("schema.json", b"[]")], 0, 0), "not an object"),
        (
            archive(&[("schema.json", leaf), ("a", leaf)], 0, 9),
            "where its directory says",
        ),
    ];
    for (bytes, reason) in cases {
        let error = refusal(bytes.into());
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
    let mut overlapping = archive(&[("schema.json", leaf), ("a", leaf)], 0, 0);
    // The second entry of the directory points at the first one's data.
    let at = overlapping
        .windows(4)
        .rposition(|four| four == b"PK\x01\x02")
        .unwrap();
    overlapping[at + 42..at + 46].fill(0);
    let error = refusal(overlapping.into());
    assert!(error.to_string().contains("overlap"), "{error}");
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let error = refusal(archive(&[("schema.json", deep.as_bytes())], 0, 0).into());
    assert!(error.to_string().contains("not JSON"), "{error}");
    for path in ["../evil", "/etc/passwd", "a\0b"] {
        assert!(read(archive(&[("schema.json", leaf), (path, b"x")], 0, 0).into()).is_ok());
    }
}
