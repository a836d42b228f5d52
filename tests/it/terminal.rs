//! Names, labels and paths from data on a terminal: whatever they hold, they show themselves, and
//! no line is one of ours that is not.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float32Array, RecordBatch, StringArray};

use crate::harness::{Room, Run, data};

/// A window's title, a colour, a line that looks like an error of ours, C1's way to begin a
/// sequence, a reversed direction, a line separator.
const NASTY: &str =
    "x\u{1b}]0;pwned\u{7}\u{1b}[31mred\nerror: faked\rgone\u{9b}31m\u{202e}gpj.exe\u{2028}\u{7f}";

/// What a terminal would obey; line breaks and tabs are ours.
fn is_obeyed(character: char) -> bool {
    tallow::escape::is_unsafe(character) && character != '\n'
}

#[track_caller]
fn is_clean(what: &str, text: &str) {
    assert!(!text.contains(is_obeyed), "{what}: {text:?}");
    assert!(
        !text.lines().any(|line| line.starts_with("error: faked")),
        "{what}: a faked line: {text:?}"
    );
}

#[track_caller]
fn shows(what: &str, run: &Run) {
    is_clean(what, &run.stdout);
    is_clean(what, &run.stderr);
    let text = format!("{}{}", run.stdout, run.stderr);
    assert!(
        text.contains(r"\u{1b}") || text.contains(r"\u001b"),
        "{what} does not show the name: {text}"
    );
}

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    let numbers = || Arc::new(Float32Array::from(vec![0.25, 0.5, 0.75])) as ArrayRef;
    let words = || Arc::new(StringArray::from(vec!["p", "q", "r"])) as ArrayRef;
    let batch = |columns: Vec<(&str, ArrayRef)>| RecordBatch::try_from_iter(columns).unwrap();
    room.parquet(
        "nasty.parquet",
        &batch(vec![("a", numbers()), ("b", numbers()), (NASTY, words())]),
        10,
    );
    room.parquet(
        "twice.parquet",
        &batch(vec![
            ("a", numbers()),
            ("b", numbers()),
            (NASTY, words()),
            (NASTY, words()),
        ]),
        10,
    );
    room.parquet(
        "missing.parquet",
        &batch(vec![
            ("a", numbers()),
            ("B\u{1b}[31m\nerror: faked", numbers()),
        ]),
        10,
    );
    room.parquet(
        "words.parquet",
        &batch(vec![("a", numbers()), ("b", words())]),
        10,
    );
    let file = format!("a,b,\"{}\"\n1,2,x\n", NASTY.replace('"', "\"\""));
    room.file("nasty.csv", file);
    room.file("value.csv", "a,b\n1,\"\u{1b}[31m\nerror: faked\"\n");
    room
}

#[test]
fn names_of_columns_show_themselves() {
    let room = room();
    for table in ["nasty.parquet", "nasty.csv"] {
        for format in ["text", "json"] {
            shows(
                "inspect",
                &room
                    .tallow(&format!("inspect {table} --format {format}"))
                    .ok(),
            );
            shows(
                "check",
                &room
                    .tallow(&format!(
                        "check --model good.json {table} --format {format}"
                    ))
                    .ok(),
            );
        }
        let score = format!("score --model good.json {table} --output out.parquet --overwrite");
        let run = room
            .tallow(&format!(
                "{score} --on-null a=reject --log-format json --format json -v"
            ))
            .ok();
        is_clean("score", &format!("{}{}", run.stdout, run.stderr));
        run.stderr.lines().for_each(|line| {
            _ = serde_json::from_str::<serde_json::Value>(line)
                .unwrap_or_else(|error| panic!("{error}: {line}"));
        });
    }
}

#[test]
fn errors_show_names_and_say_them_in_their_own_lines() {
    let room = room();
    for log in ["text", "json"] {
        let flags = format!("--output out.parquet --log-format {log}");
        shows(
            "a duplicate column",
            &room
                .tallow(&format!("score --model good.json twice.parquet {flags}"))
                .fails(3),
        );
        let run = room
            .tallow(&format!("score --model good.json missing.parquet {flags}"))
            .fails(3);
        is_clean("a missing column", &run.stderr);
        let run = room.tallow(&format!("score --model good.json value.csv {flags}"));
        is_clean("a bad value", &run.stderr);
        let run = room
            .run([
                "score",
                "--model",
                &format!("{NASTY}.json"),
                "nasty.csv",
                "--output",
                "o.parquet",
                "--log-format",
                log,
            ])
            .fails(2);
        shows("a missing model", &run);
        let run = room.run([
            "score",
            "--model",
            "good.json",
            &format!("{NASTY}.csv"),
            "--output",
            "o.parquet",
            "--log-format",
            log,
        ]);
        shows("a missing input", &run);
        let run = room.run([
            "score",
            "--model",
            "good.json",
            "nasty.csv",
            "--output",
            "o.parquet",
            "--where",
            &format!("{NASTY} >"),
            "--log-format",
            log,
        ]);
        is_clean("a broken expression", &run.stderr);
    }
    for format in ["text", "json"] {
        let run = room
            .run([
                "score",
                "--model",
                "good.json",
                "--format",
                format,
                &format!("--{NASTY}"),
            ])
            .fails(2);
        shows("an unknown flag", &run);
        let run = room
            .run(["inspect", "good.json", "--format", NASTY])
            .fails(2);
        shows("a value of a flag", &run);
        shows(
            "an unknown verb",
            &room.run([NASTY, "--format", format]).fails(2),
        );
    }
}

#[test]
fn packages_and_models_show_their_names() {
    let room = room();
    let toml = |text: &str| {
        serde_json::to_string(text)
            .unwrap()
            .replace("\\u007f", "\u{7f}")
    };
    let manifest = format!(
        "name = {0}\nversion = {0}\n[[artefacts]]\npath = \"good.json\"\n[outputs]\nlabels = \
         [{0}, \"no\"]\n[[inputs]]\nname = \"a\"\n",
        toml(&NASTY.replace('\u{7f}', ""))
    );
    room.file("package/tallow.toml", manifest);
    room.file(
        "package/good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    for format in ["text", "json"] {
        shows(
            "inspect",
            &room
                .tallow(&format!("inspect package --format {format}"))
                .ok(),
        );
        shows(
            "check",
            &room
                .tallow(&format!(
                    "check --model package nasty.parquet --format {format}"
                ))
                .ok(),
        );
        let flags = format!(
            "--overwrite --output out.parquet --metrics-file m.prom --lineage-file l.jsonl \
             --format {format}"
        );
        shows(
            "score",
            &room
                .tallow(&format!("score --model package nasty.parquet {flags}"))
                .ok(),
        );
        shows(
            "a report",
            &room
                .tallow(&format!("inspect out.report.pq --format {format}"))
                .ok(),
        );
        let text = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
        is_clean("metrics", &text("m.prom"));
        room.tallow(&format!(
            "score --model package nasty.parquet --output set/ --overwrite --format {format}"
        ))
        .ok();
        shows(
            "a data set",
            &room.tallow(&format!("inspect set --format {format}")).ok(),
        );
    }
    let broken = format!(
        "name = {}\n[[artefacts\n",
        toml(&NASTY.replace('\u{7f}', ""))
    );
    room.file("broken/tallow.toml", broken);
    is_clean(
        "a broken manifest",
        &room.tallow("inspect broken").fails(3).stderr,
    );
}

#[test]
fn a_note_that_another_process_left_shows_itself() {
    let room = room();
    room.file(".out.parquet.lock", format!("process 1 {NASTY}"));
    let run = room
        .tallow("score --model good.json nasty.parquet --output out.parquet")
        .ok();
    is_clean("the note", &run.stderr);
}
