//! The house's own rules: what a reviewer would say of every file, said by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::harness::{data, root};

/// Past this many lines of code (tests apart) a file holds two rooms.
const MAX_LINES: usize = 660;

/// Names that say nothing.
const EMPTY_NAMES: [&str; 7] = [
    "util", "utils", "common", "core", "helpers", "types", "misc",
];

pub(crate) fn sources(folder: &str) -> Vec<PathBuf> {
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

/// What a file compiles to outside tests, comments dropped.
fn code(path: &Path) -> String {
    let text = whole(path);
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A file up to its tests.
fn whole(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap()
        .to_owned()
}

/// Files that only tests compile: their `mod` line says so.
fn is_test(path: &Path) -> bool {
    let Ok(room) = std::fs::read_to_string(path.with_file_name("mod.rs")) else {
        return false;
    };
    let name = path.file_stem().unwrap().to_string_lossy();
    Regex::new(&format!(r"#\[cfg\(test\)\]\s*(pub(\(\w+\))? )?mod {name};"))
        .unwrap()
        .is_match(&room)
}

fn offenders(folder: &str, is_wrong: impl Fn(&Path, &str) -> bool) -> Vec<PathBuf> {
    sources(folder)
        .into_iter()
        .filter(|path| !is_test(path) && is_wrong(path, &whole(path)))
        .collect()
}

#[test]
fn every_file_opens_by_saying_what_it_owns() {
    let silent = |_: &Path, text: &str| !text.starts_with("//!");
    for folder in ["src", "tests", "benches", "examples"] {
        assert_eq!(
            offenders(folder, silent),
            Vec::<PathBuf>::new(),
            "no module doc"
        );
    }
}

/// Past this many lines of code (tests apart) a file has a noun that wants a file of its own.
const LONG_FILE_LINES: usize = 400;

/// The files below `src` that are still longer. The list may only shrink.
const LONG_FILES: &str = "
    forest/ctr/mod.rs forest/ensemble.rs forest/sliced.rs format/catboost/described.rs
    format/lightgbm/text.rs format/onnx/graph.rs format/python/construct.rs
    format/python/machine.rs format/python/torch.rs
    format/pytorch/arithmetic.rs format/sklearn/inputs.rs
    format/sklearn/kernel.rs format/xgboost/mod.rs format/xgboost/schema.rs
    graph/op/convolution.rs graph/op/gather.rs graph/op/ml_linear.rs graph/op/ml_trees_listed.rs
    graph/op/ml_trees_vote.rs graph/op/movement.rs graph/op/recurrent_packed.rs graph/op/region.rs
    graph/op/resize.rs graph/op/text.rs graph/pass/assembly.rs graph/table.rs kernel/cells.rs
    kernel/convolution/mod.rs monitor/against.rs monitor/compare/mod.rs monitor/compat.rs
    monitor/evaluate/columns.rs monitor/evaluate/walk.rs monitor/paired.rs monitor/profile.rs
    output/corrected.rs package/apply.rs pipeline/challenger.rs plan/challenger.rs plan/mod.rs
    plan/monitoring.rs plan/options.rs plan/target.rs query/calendar.rs query/condition/tests.rs
    query/conversion.rs query/maths.rs query/mod.rs query/parse.rs
    report/page/night.rs run/challengers.rs run/replay.rs
    table/csv_record.rs table/dataset.rs table/parquet_encryption.rs table/parquet_sink.rs
    text/encoder/bounded.rs text/encoder/pooling.rs text/encoder/reference.rs
    text/encoder/text_model.rs
";

#[test]
fn long_files_become_fewer() {
    let is_long = |_: &Path, text: &str| text.lines().count() > LONG_FILE_LINES;
    let within = |path: PathBuf| {
        let within = path.strip_prefix(root().join("src")).unwrap();
        within.to_string_lossy().into_owned()
    };
    let long: BTreeSet<String> = offenders("src", is_long).into_iter().map(within).collect();
    let known: BTreeSet<String> = LONG_FILES.split_whitespace().map(str::to_owned).collect();
    let new: Vec<_> = long.difference(&known).collect();
    assert!(
        new.is_empty(),
        "more than {LONG_FILE_LINES} lines of code: look for the missing noun in {new:?}"
    );
    let short: Vec<_> = known.difference(&long).collect();
    assert!(
        short.is_empty(),
        "no longer long, drop from the list: {short:?}"
    );
}

#[test]
fn no_file_outgrows_its_room() {
    assert_eq!(
        offenders("src", |_, text| text.lines().count() > MAX_LINES),
        Vec::<PathBuf>::new(),
        "more than {MAX_LINES} lines of code"
    );
}

/// Past this many lines the file of a verb does work that belongs in `run/`.
const MAX_VERB_LINES: usize = 60;

#[test]
fn the_file_of_each_verb_is_short() {
    let cli = root().join("src/cli");
    let read = |name: &str| std::fs::read_to_string(cli.join(name)).unwrap();
    let args = read("args.rs");
    let (_, list) = args.split_once("pub enum Verb {").unwrap();
    let (list, _) = list.split_once("\n}").unwrap();
    let variant = Regex::new(r"(?m)^    ([A-Z]\w*)\(").unwrap();
    let verbs: BTreeSet<_> = variant
        .captures_iter(list)
        .map(|found| found[1].to_owned())
        .collect();
    assert!(verbs.len() > 15, "only {verbs:?}");
    let arm = Regex::new(r"Verb::(\w+)\(args\) => .*?\b(\w+)::run\(").unwrap();
    let dispatch = read("mod.rs");
    let files: BTreeMap<_, _> = arm
        .captures_iter(&dispatch)
        .map(|found| (found[1].to_owned(), format!("{}.rs", &found[2])))
        .collect();
    assert_eq!(files.keys().cloned().collect::<BTreeSet<_>>(), verbs);
    for file in files.values() {
        let count = read(file).lines().count();
        assert!(
            count <= MAX_VERB_LINES,
            "src/cli/{file} has {count} lines: work belongs in `run/`, arguments in `*_args.rs`"
        );
    }
}

#[test]
fn names_say_something_and_paths_stay_short() {
    let nameless = |path: &Path, _: &str| {
        path.components().any(|part| {
            EMPTY_NAMES.contains(&part.as_os_str().to_string_lossy().trim_end_matches(".rs"))
        })
    };
    let deep = |path: &Path, _: &str| path.strip_prefix(root()).unwrap().components().count() > 4;
    assert_eq!(
        offenders("src", nameless),
        Vec::<PathBuf>::new(),
        "a name that says nothing"
    );
    assert_eq!(
        offenders("src", deep),
        Vec::<PathBuf>::new(),
        "deeper than src/a/b/c.rs"
    );
}

/// (what, a pattern of code that does it, the positions under `src` that may).
const RESERVED: [(&str, &str, &[&str]); 9] = [
    (
        "the file system",
        r"\bfs::|\bFile::(open|create|options)|\bOpenOptions\b|\bstd::fs\b|\bstd::\{[^;]*\bfs\b",
        &["storage/"],
    ),
    // Above `storage/` data, models and results have locations. clap knows how to parse paths, and
    // `cli` makes locations of them.
    (
        "paths of the local file system",
        r"\bstd::path\b|\bstd::\{[^;]*\bpath\b|\bPath(Buf)?\b|\blocal_path\(",
        &[
            "storage/",
            "cli/arguments.rs",
            "cli/challenger_args.rs",
            "cli/compare_args.rs",
            "cli/drift_args.rs",
            "cli/evaluate_args.rs",
            "cli/inspect_args.rs",
            "cli/job.rs",
            "cli/key_args.rs",
            "cli/merge_args.rs",
            "cli/monitoring_args.rs",
            "cli/output_args.rs",
            "cli/pack_args.rs",
            "cli/paths.rs",
            "cli/quality_args.rs",
            "cli/record_args.rs",
            "cli/registry_args.rs",
            "cli/report_args.rs",
            "cli/retry_args.rs",
            "cli/score_args.rs",
            "cli/shell_args.rs",
            "cli/signature_args.rs",
            "cli/work_args.rs",
        ],
    ),
    (
        "the environment",
        r"\benv::|\bstd::env\b|\bstd::\{[^;]*\benv\b",
        &["cli/", "process.rs", "main.rs", "storage/streams.rs"],
    ),
    // `beside` shortens the way to the first row; the parser of expressions needs a deep stack of
    // its own for a moment.
    (
        "threads",
        r"\bthread::(spawn|scope|Builder)|\bspawn_scoped\b|\brayon::",
        &["background.rs", "pipeline/", "query/expression.rs"],
    ),
    (
        "standard output and error",
        r"\bio::std(out|err)\b|\b(std(out|err)|e?println!|e?print!)\(",
        &["cli/console.rs", "storage/streams.rs"],
    ),
    ("the end of the process", r"\bprocess::(exit|abort)\b", &[]),
    (
        "the question what the processor can do",
        r"\bis_x86_feature_detected!|\b__cpuid",
        &["kernel/processor.rs"],
    ),
    (
        "the parser of SQL",
        r"\bsqlparser::",
        &["query/parse.rs", "query/sql_type.rs"],
    ),
    (
        "candle",
        r"\bcandle_(core|nn)::",
        &["text/encoder/", "network/", "text/transformer/build.rs"],
    ),
];

#[test]
fn what_is_reserved_to_a_room_stays_in_it() {
    for (what, pattern, indices) in RESERVED {
        let pattern = Regex::new(pattern).unwrap();
        let is_allowed = |path: &Path| {
            let within = path
                .strip_prefix(root().join("src"))
                .unwrap()
                .to_string_lossy()
                .into_owned();
            indices.iter().any(|index| {
                if index.ends_with('/') {
                    within.starts_with(index)
                } else {
                    within == *index
                }
            })
        };
        let outside = offenders("src", |path, _| {
            !is_allowed(path) && pattern.is_match(&code(path))
        });
        assert_eq!(outside, Vec::<PathBuf>::new(), "{what} outside {indices:?}");
        let users = sources("src")
            .into_iter()
            .filter(|path| is_allowed(path) && pattern.is_match(&code(path)))
            .count();
        assert!(
            users > 0 || indices.is_empty(),
            "nobody uses {what} any more: is the rule still right?"
        );
    }
}

#[test]
fn every_format_of_tables_has_a_demo_and_a_hostile_file() {
    for format in tallow::table::FORMATS {
        let name = format.name;
        assert!(
            data(&format!("demo/customers.{name}")).exists(),
            "no demo in {name}"
        );
        let is_one = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end == name)
        };
        assert!(
            std::fs::read_dir(data("hostile")).unwrap().any(is_one),
            "no hostile file in {name}"
        );
    }
}

#[test]
fn every_test_file_is_wired_in() {
    let contents = std::fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    for path in sources("tests/it") {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let room = std::fs::read_to_string(path.with_file_name("mod.rs")).unwrap_or_default();
        let (list, name) = match name.as_str() {
            "mod" => (
                &contents,
                path.parent()
                    .unwrap()
                    .file_name()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned(),
            ),
            _ if room.is_empty() => (&contents, name),
            _ => (&room, name),
        };
        assert!(
            name == "main" || list.contains(&format!("mod {name};")),
            "{name} is not listed by `mod`"
        );
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
    assert!(bytes < 13 << 20, "{bytes} bytes in data");
}

/// Words of which `CONTRIBUTING.md` gives the plain ones: no part of an identifier is one of these.
const FORBIDDEN_PARTS: &str = "told tell tells mend mends mended mending whoever nobody people \
    lacks beside planting rehearsal reckon wanted unwanted";

/// Identifiers that have a plainer name.
const FORBIDDEN_NAMES: &str = "place places Place Places given truth truths turned greatest \
    doubled Circumstances Ending Performed";

/// What identifiers must not begin with.
const FORBIDDEN_STARTS: [&str; 6] = [
    "most_",
    "least_",
    "greatest_",
    "MOST_",
    "LEAST_",
    "GREATEST_",
];

/// Words and phrases that comments and pages must not hold.
const FORBIDDEN_PHRASES: &str =
    r"(?i)\b(whole numbers?|truth values?|beside|mended|reckon|whoever|nobody|people|lacks)\b";

/// Raw strings of Rust.
const RAW_STRING: &str = r###"\b[bc]?r##".*?"##|\b[bc]?r#".*?"#|\b[bc]?r"[^"]*""###;

/// The identifiers of a source that have a forbidden word.
fn forbidden_names(source: &str) -> BTreeSet<String> {
    let string = r#""(?:\\.|[^"\\])*""#;
    let character = r"'(?:\\.[^']*|[^'\\\n])'";
    let name = r"(?P<name>[A-Za-z_]\w*)";
    let tokens = Regex::new(&format!(
        r"(?s)//[^\n]*|{RAW_STRING}|{string}|{character}|{name}"
    ))
    .unwrap();
    let is_forbidden = |name: &str| {
        name.split('_')
            .any(|part| FORBIDDEN_PARTS.split_whitespace().any(|word| word == part))
            || FORBIDDEN_NAMES.split_whitespace().any(|word| word == name)
            || FORBIDDEN_STARTS.iter().any(|start| name.starts_with(start))
    };
    tokens
        .captures_iter(source)
        .filter_map(|found| Some(found.name("name")?.as_str().to_owned()))
        .filter(|name| is_forbidden(name))
        .collect()
}

#[test]
fn identifiers_are_words_of_the_field() {
    assert_eq!(
        forbidden_names("let kind = \"told\"; // told\nlet is_told = '\"'; let wanted = 1;"),
        ["is_told", "wanted"].map(str::to_owned).into()
    );
    let offenders: Vec<_> = ["src", "tests", "benches", "examples"]
        .into_iter()
        .flat_map(sources)
        .filter_map(|path| {
            let names = forbidden_names(&std::fs::read_to_string(&path).unwrap());
            (!names.is_empty()).then_some((path, names))
        })
        .collect();
    assert_eq!(offenders, [], "the words of `.github/CONTRIBUTING.md`");
}

/// The files that people read: sources, the manual and the pages at the top.
fn texts() -> Vec<PathBuf> {
    let pages = std::fs::read_dir(root().join("src/guide"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"));
    let top =
        ["README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md"].map(|name| root().join(name));
    ["src", "tests", "benches", "examples"]
        .into_iter()
        .flat_map(sources)
        .chain(pages)
        .chain(top)
        .collect()
}

/// The lines of a file that are prose: a page's, and the comments of a source. Two files
/// name the words that they forbid.
fn prose(path: &Path, text: &str) -> String {
    if path.ends_with(".github/CONTRIBUTING.md") || path.ends_with("tests/it/house.rs") {
        return String::new();
    }
    let is_page = path.extension().is_some_and(|end| end == "md");
    text.lines()
        .filter(|line| is_page || line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn prose_has_no_private_words() {
    let forbidden = Regex::new(FORBIDDEN_PHRASES).unwrap();
    let offenders: Vec<_> = texts()
        .into_iter()
        .flat_map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            forbidden
                .find_iter(&prose(&path, &text))
                .map(|found| (path.clone(), found.as_str().to_owned()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(offenders, [], "the words of `.github/CONTRIBUTING.md`");
}

/// Words and phrases that messages, help and other string literals must not hold.
const FORBIDDEN_IN_STRINGS: &str = r"(?ix) \b (
    places? | (is|are)\ no\ [a-z]+ | wants | tells? | told | leaves?\ (\S+\ ){1,3}out | left\ out |
    whole\ numbers? | truth\ values? | mend(s|ed|ing)? | reckon | whoever | nobody | people | lacks
) \b";

/// What is plain English all the same: there "is no" such thing, and changes "in place".
const ALLOWED_IN_STRINGS: &str =
    r"(?i)there (is|are) no |in place\b|told apart|tells \S+ and \S+ apart|leave `--trees` out";

/// The forbidden phrases in the string literals of a source, outside tests.
fn forbidden_in_strings(source: &str) -> Vec<String> {
    let literal = Regex::new(&format!(
        r#"(?s)//[^\n]*|'(?:\\.[^']*|[^'\\\n])'|(?P<text>{RAW_STRING}|"(?:\\.|[^"\\])*")"#
    ))
    .unwrap();
    let joined = Regex::new(r"\\\n\s*").unwrap();
    let allowed = Regex::new(ALLOWED_IN_STRINGS).unwrap();
    let forbidden = Regex::new(FORBIDDEN_IN_STRINGS).unwrap();
    literal
        .captures_iter(source)
        .filter_map(|found| Some(found.name("text")?.as_str().to_owned()))
        .filter(|text| text.contains(' '))
        .flat_map(|text| {
            let text = joined.replace_all(&text, "").into_owned();
            let text = allowed.replace_all(&text, "").into_owned();
            let found: Vec<_> = forbidden
                .find_iter(&text)
                .map(|found| format!("{}: {text}", found.as_str()))
                .collect();
            found
        })
        .collect()
}

#[test]
fn messages_have_no_private_words() {
    let source =
        "error(\"the place is told\"); // a place\nhint(\"there is no \\\n   place in place\");";
    assert_eq!(forbidden_in_strings(source).len(), 3);
    let offenders: Vec<_> = sources("src")
        .into_iter()
        .filter(|path| !is_test(path))
        .flat_map(|path| {
            forbidden_in_strings(&whole(&path))
                .into_iter()
                .map(move |text| (path.clone(), text))
        })
        .collect();
    assert_eq!(offenders, [], "the words of `.github/CONTRIBUTING.md`");
}

/// Everything that a visitor sees in the repository's own folder, hidden names apart.
const TOP_LEVEL: &str = "CHANGELOG.md Cargo.lock Cargo.toml LICENSE-APACHE LICENSE-MIT README.md \
    benches data examples src tests";

#[test]
fn the_top_level_holds_what_it_should_and_nothing_else() {
    let output = std::process::Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output();
    // Without git, as in an archive of the sources, there is nothing to ask.
    let Ok(output) = output else { return };
    let files = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<_> = files
        .lines()
        .filter_map(|file| file.split('/').next())
        .filter(|name| !name.starts_with('.'))
        .collect();
    let expected: BTreeSet<_> = TOP_LEVEL.split_whitespace().collect();
    assert!(names.is_empty() || names == expected, "{names:?}");
}

#[test]
fn the_map_names_every_room_and_the_glossary_every_word() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let (map, rooms) = lib.split_once("//! # Invariants").unwrap();
    let module = Regex::new(r"(?m)^pub mod (\w+);").unwrap();
    for found in module.captures_iter(rooms) {
        let row = Regex::new(&format!(r"(?m)^//! \|.*\[`(mod@)?{}`\].*\|", &found[1])).unwrap();
        assert!(row.is_match(map), "no row for the room {}", &found[1]);
    }
    for word in [
        "batch",
        "row group",
        "portion",
        "block",
        "outcome",
        "task",
        "part",
        "segment",
        "shard",
        "arm",
        "challenger",
        "observer",
        "guard",
        "gate",
        "target",
        "destination",
    ] {
        assert!(
            rooms.contains(&format!("//! | {word} | ")),
            "no row for `{word}`"
        );
    }
}

/// Lines that cannot be broken: rows of tables, links, and data in raw strings and snapshots.
fn is_unbreakable(line: &str) -> bool {
    let text = line
        .trim_start()
        .trim_start_matches(['/', '!'])
        .trim_start();
    text.starts_with('|') || text.contains("https://")
}

/// The lines of a source that are not inside raw strings.
fn outside_raw_strings(source: &str) -> String {
    Regex::new(&format!("(?s){RAW_STRING}"))
        .unwrap()
        .replace_all(source, |found: &regex::Captures<'_>| {
            "\n".repeat(found[0].matches('\n').count())
        })
        .into_owned()
}

#[test]
fn no_line_is_longer_than_100_characters() {
    let offenders: Vec<_> = texts()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .flat_map(|path| {
            let text = outside_raw_strings(&std::fs::read_to_string(&path).unwrap());
            text.lines()
                .enumerate()
                .filter(|(_, line)| line.chars().count() > 100 && !is_unbreakable(line))
                .map(|(index, _)| (path.clone(), index + 1))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(offenders, [], "lines of more than 100 characters");
}
