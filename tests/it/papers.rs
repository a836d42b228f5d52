//! README and the guide: every command in them is run, every session prints what they show, and
//! they name every format, flag and exit code.
//!
//! A code block is run by its first words: `sh` must succeed, `console` must also print the lines
//! that follow (`…` is any number of lines). The word `python` leaves a block to
//! `tests/examples/run_examples.py`, which runs all but `unrun`: builds, downloads and kills.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use regex::Regex;
use tallow::guide::{TOPICS, layout};

use crate::harness::{Room, root};
use crate::house::sources;

/// Blocks that no test runs, of all papers together: builds (6), a download, a second run, a kill,
/// a table of hundreds of megabytes.
const MAX_UNRUN: usize = 9;

/// A fenced block of code.
struct Block {
    words: Vec<String>,
    lines: Vec<String>,
}

/// A command and the lines that it prints, as a session shows them.
#[derive(Default)]
struct Step {
    command: String,
    output: Vec<String>,
}

fn papers() -> Vec<PathBuf> {
    let guide = TOPICS
        .iter()
        .map(|topic| root().join(format!("src/guide/{}.md", topic.name)));
    std::iter::once(root().join("README.md"))
        .chain(guide)
        .collect()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block {
                    words: info.split_whitespace().map(str::to_owned).collect(),
                    lines: Vec::new(),
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

impl Block {
    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }

    /// The commands of a block, each with the lines after it.
    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut is_continued = false;
        for line in &self.lines {
            let begins = !is_continued && (self.is("sh") || line.starts_with("$ "));
            if begins {
                steps.push(Step::default());
            }
            let step = steps.last_mut().expect("a session begins with a command");
            if begins || is_continued {
                step.command += line.strip_prefix("$ ").unwrap_or(line);
                step.command.push('\n');
                is_continued = line.ends_with('\\');
            } else {
                step.output.push(line.clone());
            }
        }
        steps
    }
}

/// A room in which the repository's `data` and `examples` are where its root has them.
fn clone() -> Room {
    let room = Room::new();
    for folder in ["data", "examples"] {
        std::os::unix::fs::symlink(root().join(folder), room.path(folder)).unwrap();
    }
    room
}

/// Runs a line of a shell, as a user whose `PATH` has tallow; all that it prints, and its exit
/// code.
fn shell(room: &Room, command: &str) -> (String, Option<i32>) {
    let program = Path::new(env!("CARGO_BIN_EXE_tallow")).parent().unwrap();
    let output = Command::new("/bin/sh")
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", program.display()))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .current_dir(room.path(""))
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

/// The text with what differs from run to run replaced: times, rates, memory and sizes of files.
fn settled(line: &str) -> String {
    let changes = [
        (
            r"in [\d.]+ s \([\d,]+ rows/s, [\d.]+ [KMG]iB peak\)",
            "in T",
        ),
        (r"\([\d.]+ [KMG]?i?B\)", "(SIZE)"),
        (r"[\d.]+ times the work", "N times the work"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
        (r":([0-9a-f]{64}|[0-9a-f]{8}…)", ":DIGEST"),
        (r"^too many bad rows: [\d,]+ of", "too many bad rows: N of"),
    ];
    changes.iter().fold(line.to_owned(), |line, (from, to)| {
        Regex::new(from).unwrap().replace(&line, *to).into_owned()
    })
}

/// Whether a program printed what a session shows; `…` stands for any number of lines.
fn is_shown(expected: &[String], actual: &[&str]) -> bool {
    match expected.split_first() {
        None => actual.is_empty(),
        Some((first, rest)) if first.trim() == "…" => {
            (0..=actual.len()).any(|skipped| is_shown(rest, &actual[skipped..]))
        }
        Some((first, rest)) => actual.split_first().is_some_and(|(line, others)| {
            settled(first) == settled(line) && is_shown(rest, others)
        }),
    }
}

#[test]
fn every_command_in_readme_and_guide_runs_and_prints_what_they_show() {
    for paper in papers() {
        let text = std::fs::read_to_string(&paper).unwrap();
        let room = clone();
        for block in blocks(&text) {
            let is_code = block.is("sh") || block.is("console");
            if !is_code || block.is("unrun") || block.is("python") {
                continue;
            }
            for Step { command, output } in block.steps() {
                // This run is the one of README's two commands, its program the other.
                if command.trim() == "cargo test --release" {
                    continue;
                }
                let command = command.replace("cargo run --release -- ", "tallow ");
                let (printed, code) = shell(&room, &command);
                let index = format!("{}: {command}", paper.display());
                if block.is("sh") {
                    assert_eq!(code, Some(0), "{index}{printed}");
                } else {
                    let actual: Vec<&str> = printed.lines().collect();
                    assert!(is_shown(&output, &actual), "{index}{printed}");
                }
            }
        }
    }
}

#[test]
fn a_session_is_compared_line_by_line() {
    let expected = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(is_shown(&expected(&["a", "…", "d"]), &["a", "b", "c", "d"]));
    assert!(is_shown(&expected(&["a", "…"]), &["a"]));
    assert!(!is_shown(&expected(&["a", "…", "d"]), &["a", "b", "c"]));
    assert!(!is_shown(&expected(&["a"]), &["a", "b"]));
    assert!(!is_shown(&expected(&["a"]), &[]));
}

/// Lines that Markdown takes for code although no fence says so, in which language they are: four
/// blanks after an empty line, or more within an item of a list. rustdoc compiles them as Rust.
fn indented_code(text: &str) -> Vec<&str> {
    let (mut found, mut is_fenced, mut item_width) = (Vec::new(), false, 0);
    let mut last_is_empty = true;
    for line in text.lines() {
        let content = line.trim_start();
        let width = line.len() - content.len();
        is_fenced ^= content.starts_with("```");
        let begins_item = content.starts_with("- ")
            || content.starts_with("* ")
            || content
                .split_once(". ")
                .is_some_and(|(number, _)| number.parse::<u8>().is_ok());
        if is_fenced {
            // A fence within an item is a fence of its own.
        } else if content.is_empty() {
            last_is_empty = true;
            continue;
        } else if last_is_empty && width >= item_width + 4 {
            found.push(line);
        } else if begins_item {
            item_width = width + content.find(' ').map_or(0, |blank| blank + 1);
        } else if width == 0 {
            item_width = 0;
        }
        last_is_empty = false;
    }
    found
}

/// The doc comments of a source, each as rustdoc reads it.
fn doc_comments(source: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in source.lines() {
        let line = line.trim_start();
        let text = ["///", "//!"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark));
        match (text, found.last_mut()) {
            (Some(text), Some(open)) => {
                open.push_str(text.strip_prefix(' ').unwrap_or(text));
                open.push('\n');
            }
            (None, Some(open)) if !open.is_empty() => found.push(String::new()),
            _ => {}
        }
    }
    found
}

#[test]
fn code_is_fenced_in_papers_and_in_doc_comments() {
    let listed = "- item\n\n  more\n\n      code too\n\n";
    let text = format!("a\n\n    code\n\n{listed}```sh\n\n    fenced\n```\n");
    assert_eq!(indented_code(&text), ["    code", "      code too"]);
    for paper in papers() {
        let text = std::fs::read_to_string(&paper).unwrap();
        assert_eq!(
            indented_code(&text),
            Vec::<&str>::new(),
            "{}",
            paper.display()
        );
        let is_inner_fence =
            |line: &&str| line.trim_start().starts_with("```") && !line.starts_with("```");
        let inner: Vec<&str> = text.lines().filter(is_inner_fence).collect();
        assert_eq!(
            inner,
            Vec::<&str>::new(),
            "a fence begins its line: {}",
            paper.display()
        );
    }
    for path in sources("src") {
        for comment in doc_comments(&std::fs::read_to_string(&path).unwrap()) {
            assert_eq!(
                indented_code(&comment),
                Vec::<&str>::new(),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn blocks_that_no_test_runs_are_few_and_marked() {
    let mut unrun = 0;
    for paper in papers() {
        let text = std::fs::read_to_string(&paper).unwrap();
        for block in blocks(&text) {
            let index = format!("{}: {:?}", paper.display(), block.lines);
            assert!(
                !block.words.is_empty(),
                "a block without a language: {index}"
            );
            let known = ["sh", "console", "text", "toml", "sql", "python"];
            assert!(known.contains(&block.words[0].as_str()), "{index}");
            let has_commands = block
                .lines
                .iter()
                .any(|line| line.starts_with("$ ") || line.starts_with("tallow "));
            assert!(
                !has_commands || block.is("sh") || block.is("console"),
                "commands in a block that is not run: {index}"
            );
            unrun += usize::from(block.is("unrun"));
        }
    }
    assert!(unrun <= MAX_UNRUN, "{unrun} blocks are not run");
}

#[test]
fn readme_is_short_and_no_line_of_a_paper_is_wide() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.lines().count() <= 200,
        "README has more than 200 lines"
    );
    let others = ["CHANGELOG.md", ".github/CONTRIBUTING.md"].map(|name| root().join(name));
    // README's first command is one line, so that it can be copied.
    let may_be_wide = |line: &str| line.contains("](") || line.starts_with("cargo run --release");
    for paper in papers().into_iter().chain(others) {
        let text = std::fs::read_to_string(&paper).unwrap();
        let wide: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > 100 && !may_be_wide(line))
            .collect();
        assert_eq!(wide, Vec::<&str>::new(), "{}", paper.display());
    }
}

/// More words than this make a sentence two.
const MAX_WORDS: usize = 30;

/// The sentences of a page, tables and code apart. Code within a line counts as one word.
fn sentences(text: &str) -> Vec<String> {
    let code = Regex::new("`[^`]*`").unwrap();
    let item = Regex::new(r"^(- |\d+\. )").unwrap();
    let end = Regex::new(r"[.?!]\)? ").unwrap();
    let (mut blocks, mut is_code) = (vec![String::new()], false);
    for line in text.lines() {
        let line = line.trim();
        is_code ^= line.starts_with("```");
        let is_prose = !is_code && !line.starts_with(['|', '#']) && !line.starts_with("```");
        if !is_prose || line.is_empty() || item.is_match(line) {
            blocks.push(String::new());
        }
        if is_prose {
            let block = blocks.last_mut().unwrap();
            block.push_str(line);
            block.push(' ');
        }
    }
    let split = |block: &String| {
        let block = code.replace_all(block, "X").into_owned();
        end.split(&block).map(str::to_owned).collect::<Vec<_>>()
    };
    blocks.iter().flat_map(split).collect()
}

#[test]
fn sentences_of_papers_are_short() {
    let text = "One two.\nThree `a. b`\nfour.\n\n| five |\n- six\n  seven\n```sh\neight\n```\n";
    let found: Vec<String> = sentences(text)
        .iter()
        .map(|one| one.trim().to_owned())
        .filter(|one| !one.is_empty())
        .collect();
    assert_eq!(found, ["One two", "Three X four", "- six seven"]);
    for paper in papers() {
        let text = std::fs::read_to_string(&paper).unwrap();
        for sentence in sentences(&text) {
            let words = sentence.split_whitespace();
            let count = words
                .filter(|word| word.contains(char::is_alphanumeric))
                .count();
            assert!(count <= MAX_WORDS, "{}: {sentence}", paper.display());
        }
    }
}

#[test]
fn every_topic_of_the_guide_is_a_file_that_readme_names() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut files: Vec<String> = std::fs::read_dir(root().join("src/guide"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
        .collect();
    files.sort();
    let mut topics: Vec<String> = TOPICS.iter().map(|topic| topic.name.to_owned()).collect();
    topics.sort();
    assert_eq!(files, topics);
    for topic in topics {
        let link = format!("(src/guide/{topic}.md)");
        assert!(readme.contains(&link), "README does not name {topic}");
    }
}

#[test]
fn links_and_topics_that_papers_name_exist() {
    let link = Regex::new(r"\]\(([^)#]+)\)").unwrap();
    let topic = Regex::new(r"`tallow guide ([a-z-]+)`").unwrap();
    for paper in papers() {
        let text = std::fs::read_to_string(&paper).unwrap();
        for found in link
            .captures_iter(&text)
            .filter(|found| !found[1].contains("://"))
        {
            let path = paper.parent().unwrap().join(&found[1]);
            assert!(path.exists(), "{}: {}", paper.display(), &found[1]);
        }
        for found in topic.captures_iter(&text) {
            let is_topic = TOPICS.iter().any(|topic| topic.name == &found[1]);
            assert!(is_topic, "{}: {}", paper.display(), &found[0]);
        }
    }
}

/// The text of a topic.
fn topic(name: &str) -> &'static str {
    TOPICS.iter().find(|topic| topic.name == name).unwrap().text
}

#[test]
fn the_guide_names_every_format_and_importer() {
    for format in tallow::table::FORMATS {
        for name in std::iter::once(&format.name).chain(format.reader.endings()) {
            let is_named = topic("data").contains(&format!("`{name}`"))
                || topic("data").contains(&format!("`.{name}`"));
            assert!(is_named, "the guide does not name the table format {name}");
        }
    }
    for importer in tallow::format::IMPORTERS {
        let row = format!("| `{}` |", importer.name());
        assert!(topic("models").contains(&row), "{row} is missing");
    }
}

#[test]
fn the_guide_explains_every_exit_code() {
    use tallow::error::Kind::{
        Busy, Contract, ErrorBudget, Failed, Gate, Internal, Signal, Trust, Usage,
    };
    let kinds = [
        Failed,
        Usage,
        Contract,
        ErrorBudget,
        Gate,
        Trust,
        Busy,
        Signal(2),
        Signal(15),
        Internal,
    ];
    for kind in kinds {
        // A new kind needs a row in the table.
        match kind {
            Failed | Usage | Contract | ErrorBudget | Gate | Trust | Busy | Signal(_)
            | Internal => {}
        }
        let row = Regex::new(&format!(r"(?m)^\| (\d+, )?{}[ ,]", kind.exit_code())).unwrap();
        assert!(row.is_match(topic("exit-codes")), "{kind:?}");
    }
}

#[test]
fn the_guide_names_every_flag_verb_and_variable() {
    let all: String = TOPICS.iter().map(|topic| topic.text).collect();
    let mut command = tallow::cli::args::Cli::command();
    command.build();
    let verbs: Vec<_> = command.get_subcommands().collect();
    for verb in &verbs {
        let name = verb.get_name();
        let is_named = topic("getting-started").contains(&format!("`{name}`"));
        assert!(is_named || name == "help", "the guide does not name {name}");
    }
    for verb in verbs
        .iter()
        .flat_map(|verb| std::iter::once(*verb).chain(verb.get_subcommands()))
    {
        for arg in verb.get_arguments() {
            if let Some(flag) = arg
                .get_long()
                .filter(|flag| !["help", "version"].contains(flag))
            {
                let named = Regex::new(&format!(r"--{flag}\b")).unwrap();
                assert!(named.is_match(&all), "the guide does not name --{flag}");
            }
            if let Some(variable) = arg.get_env() {
                let variable = variable.to_string_lossy().into_owned();
                assert!(all.contains(&format!("`{variable}`")), "{variable}");
            }
        }
    }
}

#[test]
fn guide_lists_topics_shows_one_and_names_the_nearest_to_an_unknown_one() {
    let room = Room::new();
    insta::assert_snapshot!("guide_topics", room.tallow("guide").ok().stdout);
    let shown = room.tallow("guide exit-codes").ok();
    assert_eq!(shown.stdout, layout::unmarked(topic("exit-codes")));
    let recovery = room.tallow("guide recovery").ok().stdout;
    assert!(recovery.contains("\n```console\n") && !recovery.contains("unrun"));
    assert_eq!(room.tallow("guide Exit_Codes").ok().stdout, shown.stdout);
    let unknown = room.tallow("guide memroy").fails(2);
    insta::assert_snapshot!(unknown.stderr, @r"
    usage error: `memroy` is not a topic of the guide
    hint: tallow guide memory; `tallow guide` lists all topics
    ");
    let word = room.tallow("guide job").fails(2);
    insta::assert_snapshot!(word.stderr, @r#"
    usage error: `job` is not a topic of the guide
    hint: "Job files" in tallow guide getting-started; `tallow guide` lists all topics
    "#);
    let nonsense = room.tallow("guide xyzzy").fails(2);
    insta::assert_snapshot!(nonsense.stderr, @r"
    usage error: `xyzzy` is not a topic of the guide
    hint: `tallow guide` lists all topics
    ");
}

#[test]
fn guide_pages_on_a_terminal_only() {
    let room = Room::new();
    let pager = room.file("pager", "#!/bin/sh\necho paged; head -n 1\n");
    let mut mode = std::fs::metadata(&pager).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&pager, mode).unwrap();
    let on_terminal = |pager: &str| {
        let line = format!(
            "PAGER={pager} {} guide limits",
            env!("CARGO_BIN_EXE_tallow")
        );
        let output = room
            .command()
            .args(["guide", "limits"])
            .env("PAGER", pager)
            .output();
        let plain = String::from_utf8(output.unwrap().stdout).unwrap();
        assert_eq!(plain, layout::unmarked(topic("limits")), "not a terminal");
        let mut script = Command::new("script");
        script
            .args(["-qec", &line, "/dev/null"])
            .current_dir(room.path(""));
        let output = script.output().ok()?;
        Some(String::from_utf8(output.stdout).unwrap().replace('\r', ""))
    };
    // `script` makes the terminal; a machine without it has nothing to see here.
    let Some(paged) = on_terminal("./pager") else {
        return;
    };
    assert_eq!(paged, "paged\n# Limits\n");
    assert_eq!(
        on_terminal("./missing")
            .unwrap()
            .matches("# Limits")
            .count(),
        1
    );
}

#[test]
fn help_of_every_verb_is_a_snapshot_and_its_short_form_fits_a_screen() {
    let room = Room::new();
    for verb in [
        "",
        "score",
        "inspect",
        "check",
        "retry",
        "profile",
        "drift",
        "evaluate",
        "compare",
        "report",
        "replay",
        "explain",
        "log",
        "pack",
        "registry",
        "sign",
        "verify",
        "guide",
        "completions",
        "man",
    ] {
        let name = if verb.is_empty() { "tallow" } else { verb };
        let short = room.tallow(&format!("{verb} -h")).ok().stdout;
        let lines = short.lines().count();
        assert!(lines <= 40, "{name} -h has {lines} lines");
        assert!(
            short.contains("tallow guide") || short.contains("Read the manual"),
            "{name}"
        );
        insta::assert_snapshot!(format!("{name}_short_help"), short);
        let long = room.tallow(&format!("{verb} --help")).ok().stdout;
        insta::assert_snapshot!(format!("{name}_help"), long);
    }
    let nested = [
        "push", "list", "show", "promote", "rollback", "log", "verify", "gc",
    ];
    let long = nested
        .iter()
        .map(|verb| {
            let help = room.tallow(&format!("registry {verb} --help")).ok().stdout;
            format!("$ tallow registry {verb} --help\n{help}\n")
        })
        .collect::<Vec<_>>()
        .concat();
    insta::assert_snapshot!("registry_verbs_help", long);
}
