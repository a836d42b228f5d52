//! What is wrong with the end of a run.

use std::collections::BTreeMap;
use std::path::Path;

use super::seeds::Case;

/// A run that ended.
pub(crate) struct End {
    pub(crate) code: i32,
    /// What it wrote to standard error.
    pub(crate) message: String,
    /// Time on the processors.
    pub(crate) seconds: f64,
    /// What it took of memory above what was in use before.
    pub(crate) peak_bytes: u64,
}

/// The exit codes that the guide documents, but for signals, busy outputs and `--skip-code`.
const CODES: [i32; 7] = [0, 1, 2, 3, 4, 5, 6];

/// Time on the processors, in a debug build.
const MAX_SECONDS: f64 = 20.0;

/// Memory of a run over some kilobytes.
const MAX_BYTES: u64 = 1 << 30;

/// What a directory holds: paths below it, with their content.
pub(crate) type Listing = BTreeMap<String, Vec<u8>>;

/// All files below a directory; of an empty directory its name.
pub(crate) fn listing(directory: &Path) -> Listing {
    let mut found = Listing::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&path) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(directory).unwrap();
            let name = name.to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else {
                found.insert(name, std::fs::read(&path).unwrap_or_default());
            }
        }
    }
    found
}

/// What is wrong, in words that are the same for ends that are alike.
pub(crate) fn judge(case: &Case, end: &End, before: &Listing, after: &Listing) -> Option<String> {
    let End { code, message, .. } = end;
    if message.contains("internal error") || message.contains("panick") {
        return Some("a panic or a broken invariant".into());
    }
    if !CODES.contains(code) {
        return Some(format!("exit {code}"));
    }
    if *code != 0 && message.trim().is_empty() && !case.line.contains("-qq") {
        return Some("no message".into());
    }
    if message
        .chars()
        .any(|letter| letter.is_control() && letter != '\n')
    {
        return Some("a control character in the message".into());
    }
    if end.seconds > MAX_SECONDS {
        return Some("too slow".into());
    }
    if end.peak_bytes > MAX_BYTES {
        return Some("too much memory".into());
    }
    if matches!(code, 1 | 3 | 6) && !has_location(case, message) {
        return Some("the message names no file and no flag".into());
    }
    let lost = before.iter().find(|(name, _)| !after.contains_key(*name));
    if let Some((name, _)) = lost.filter(|(name, _)| !is_own(name)) {
        return Some(format!("lost {name}"));
    }
    let changed = before
        .iter()
        .find(|(name, bytes)| !is_own(name) && after.get(*name) != Some(bytes));
    if let Some((name, _)) = changed {
        return Some(format!("changed {name}"));
    }
    let left = after.keys().find(|name| !before.contains_key(*name));
    left.filter(|name| *code != 0 && !is_own(name))
        .map(|name| format!("left {name}"))
}

/// Whether it is an output, its report, or the state of an unfinished data set, which stays.
fn is_own(name: &str) -> bool {
    let is_sidecar = |mark: &str| name.starts_with("out.") && name.contains(mark);
    ["out/", "out.parquet/", "out.csv/"]
        .iter()
        .any(|set| name.starts_with(set))
        || is_sidecar("report")
        || is_sidecar("rejected")
        || name == "out.parquet"
        || name == "out.csv"
}

fn has_location(case: &Case, message: &str) -> bool {
    let named = |name: &str| {
        let last = Path::new(name).file_name().unwrap_or_default();
        message.contains(&*last.to_string_lossy())
    };
    message.contains("--")
        || message.contains("(`")
        || message.contains("`out")
        || message.contains("standard ")
        || case.files.iter().any(|(name, _)| named(name))
        || named(&case.model)
        || case
            .files
            .iter()
            .any(|(name, bytes)| name.starts_with('@') && contains_any_part(message, bytes))
}

/// Whether a message repeats some of an argument or a path.
fn contains_any_part(message: &str, bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.split('/')
        .chain([&*text])
        .any(|part| part.len() > 1 && message.contains(part))
}

/// What differs between two runs of the same input, in words that are the same for alike ones.
pub(crate) fn difference(first: (&End, &Listing), second: (&End, &Listing)) -> Option<String> {
    // Which of several bad rows is met first depends on the batches, and what fits under a limit
    // depends on them too; whether rows are bad does not.
    if (first.0.code == 0) != (second.0.code == 0) {
        let is_refusal = |end: &End| end.message.contains("of memory");
        let is_limit = is_refusal(first.0) || is_refusal(second.0);
        return (!is_limit).then(|| {
            format!(
                "exit {}, with other threads {}:\n{}",
                first.0.code, second.0.code, second.0.message
            )
        });
    }
    if first.0.code != 0 {
        return None;
    }
    let results = |listing: &Listing| {
        listing
            .iter()
            .filter(|(name, _)| {
                name.starts_with("out") && !name.contains("report") && !name.contains("_tallow")
            })
            .map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect::<Listing>()
    };
    let (first, second) = (results(first.1), results(second.1));
    let differing = first
        .iter()
        .find(|(name, bytes)| second.get(*name) != Some(bytes))
        .map(|(name, _)| name)
        .or_else(|| second.keys().find(|name| !first.contains_key(*name)));
    differing.map(|name| format!("other bytes in {name} with other threads"))
}
