//! The corpus that grows: inputs that reached something new, one file each, in the user's cache.
//!
//! `TALLOW_FUZZ_CORPUS` names another folder. A file is a line of JSON (what is run, and which
//! files with how many bytes) and then the bytes.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::seeds::Case;

/// Larger inputs cost more than they find.
const MAX_BYTES: usize = 256 << 10;

/// As many are read at most: the newest.
const MAX_COUNT: usize = 8_000;

/// The folder of kept inputs.
pub(crate) fn folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = || {
        variable("XDG_CACHE_HOME").map_or_else(
            || PathBuf::from(variable("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache"),
            PathBuf::from,
        )
    };
    variable("TALLOW_FUZZ_CORPUS").map_or_else(|| cache().join("tallow/fuzz"), PathBuf::from)
}

/// Every input of the folder that still has the form of one.
pub(crate) fn load(folder: &Path) -> Vec<Case> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    paths.sort();
    paths
        .into_iter()
        .rev()
        .take(MAX_COUNT)
        .filter_map(|(_, path)| decode(&std::fs::read(path).ok()?))
        .collect()
}

/// Keeps an input, under a name that follows from its content.
pub(crate) fn keep(folder: &Path, case: &Case) {
    let bytes = encode(case);
    if bytes.len() > MAX_BYTES {
        return;
    }
    let name = tallow::digest::hexadecimal(&Sha256::digest(&bytes));
    let (pending, path) = (
        folder.join(format!(".{name}-{}", std::process::id())),
        folder.join(name),
    );
    std::fs::write(&pending, bytes).unwrap();
    std::fs::rename(pending, path).unwrap();
}

/// An input as one file.
pub(crate) fn encode(case: &Case) -> Vec<u8> {
    let sizes: Vec<Value> = case
        .files
        .iter()
        .map(|(name, bytes)| json!([name, bytes.len()]))
        .collect();
    let head = json!({"line": case.line, "model": case.model, "data": case.data, "files": sizes});
    let mut all = format!("{head}\n").into_bytes();
    case.files
        .iter()
        .for_each(|(_, bytes)| all.extend_from_slice(bytes));
    all
}

/// The input of a file, if it is whole.
pub(crate) fn decode(bytes: &[u8]) -> Option<Case> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, mut rest) = (&bytes[..end], &bytes[end + 1..]);
    let head: Value = serde_json::from_slice(head).ok()?;
    let text = |key: &str| Some(head[key].as_str()?.to_owned());
    let mut files = Vec::new();
    for entry in head["files"].as_array()? {
        let length = usize::try_from(entry[1].as_u64()?).ok()?;
        let (own, others) = rest.split_at_checked(length)?;
        files.push((entry[0].as_str()?.to_owned(), own.to_vec()));
        rest = others;
    }
    Some(Case {
        files,
        model: text("model")?,
        data: text("data")?,
        line: Cow::Owned(text("line")?),
    })
}

#[test]
fn an_input_is_read_as_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let case = Case {
        files: vec![
            ("a.bin".into(), vec![0, 10, 255]),
            ("@where".into(), b"a > 1".to_vec()),
        ],
        model: "m".into(),
        data: "a.bin".into(),
        line: "inspect {data}".into(),
    };
    keep(folder.path(), &case);
    keep(folder.path(), &case);
    let loaded = load(folder.path());
    assert_eq!(loaded.len(), 1);
    assert_eq!(encode(&loaded[0]), encode(&case));
    assert!(decode(&encode(&case)[..encode(&case).len() - 1]).is_none());
}
