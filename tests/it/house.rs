//! The house's own rules: what a reviewer would say of every file, said by a test.

use std::path::{Path, PathBuf};

use crate::harness::{data, root};

/// Past this many lines of code (tests apart) a file holds two rooms.
const MOST_LINES: usize = 420;

/// Names that say nothing.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "core", "helpers", "types", "misc"];

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]").next().unwrap().to_owned()
}

fn offenders(folder: &str, is_wrong: impl Fn(&Path, &str) -> bool) -> Vec<PathBuf> {
    sources(folder).into_iter().filter(|path| is_wrong(path, &code(path))).collect()
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    let silent = |_: &Path, text: &str| !text.starts_with("//!");
    for folder in ["src", "tests", "benches", "examples"] {
        assert_eq!(offenders(folder, silent), Vec::<PathBuf>::new(), "no module doc");
    }
}

#[test]
fn no_file_outgrows_its_room() {
    assert_eq!(offenders("src", |_, text| text.lines().count() > MOST_LINES), Vec::<PathBuf>::new(), "more than {MOST_LINES} lines of code");
}

#[test]
fn names_say_something_and_paths_stay_short() {
    let nameless =
        |path: &Path, _: &str| path.components().any(|part| EMPTY_NAMES.contains(&part.as_os_str().to_string_lossy().trim_end_matches(".rs")));
    let deep = |path: &Path, _: &str| path.strip_prefix(root()).unwrap().components().count() > 4;
    assert_eq!(offenders("src", nameless), Vec::<PathBuf>::new(), "a name that says nothing");
    assert_eq!(offenders("src", deep), Vec::<PathBuf>::new(), "deeper than src/a/b/c.rs");
}

#[test]
fn only_commit_touches_the_file_system() {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let touches = |path: &Path, text: &str| {
        !path.to_string_lossy().contains("table/commit/") && text.lines().filter(is_code).any(|line| line.contains("std::fs"))
    };
    assert_eq!(offenders("src", touches), Vec::<PathBuf>::new(), "std::fs outside table/commit");
}

#[test]
fn only_the_console_prints_and_libraries_stay_in_their_rooms() {
    let outside =
        |room: &'static str, word: &'static str| move |path: &Path, text: &str| !path.to_string_lossy().contains(room) && text.contains(word);
    assert_eq!(offenders("src", outside("src/cli/console.rs", "io::stdout")), Vec::<PathBuf>::new());
    assert_eq!(offenders("src", outside("src/table/", "polars::")), Vec::<PathBuf>::new());
    assert_eq!(offenders("src", outside("src/model/network", "candle_core::")), Vec::<PathBuf>::new());
    assert_eq!(offenders("src", outside("src/pipeline/", "std::thread::spawn")), Vec::<PathBuf>::new());
}

#[test]
fn every_test_file_is_wired_in() {
    let contents = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for path in sources("tests/it") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "main" || contents.contains(&format!("mod {name};")), "{name} is not in tests/it/main.rs");
    }
}

#[test]
fn the_repository_stays_small() {
    let mut bytes = 0;
    let mut open = vec![data("")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                bytes += entry.metadata().unwrap().len();
            }
        }
    }
    assert!(bytes < 8 << 20, "{bytes} bytes in data");
}
