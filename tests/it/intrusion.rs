//! Files that are not ours: links are not followed, pipes not waited for, and what no manifest
//! lists is neither replaced nor removed.

use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Room, Run, data};

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file(
        "rows.csv",
        "id,region,a,b\n1,n,0.25,0.5\n2,s,0.9,0.1\n3,n,,0.5\n4,s,0.3,0.2\n5,n,0.1,0.1\n",
    );
    room.file("outside/precious.txt", "theirs");
    room
}

const FILE: &str =
    "score --quiet --model good.json rows.csv --output out.parquet --on-null a=reject";
const SET: &str =
    "score --quiet --model good.json rows.csv --output set/ --rows-per-part 2 --on-null a=reject";

#[track_caller]
fn outside_is_as_it_was(room: &Room) {
    assert_eq!(room.listing_of("outside"), ["precious.txt"]);
    assert_eq!(
        std::fs::read(room.path("outside/precious.txt")).unwrap(),
        b"theirs"
    );
}

/// Runs a command that must end by itself soon.
#[track_caller]
fn ends_soon(room: &Room, line: &str) -> Run {
    let mut run = room
        .command()
        .args(line.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while run.try_wait().unwrap().is_none() {
        assert!(
            start.elapsed() < Duration::from_mins(1) || run.kill().is_err(),
            "it hangs"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = run.wait_with_output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn a_lock_that_is_a_link_a_pipe_or_a_file_of_somebody_is_not_a_lock() {
    type Case = (
        &'static str,
        &'static str,
        fn(&std::path::Path, &std::path::Path),
    );
    let cases: [Case; 4] = [
        ("link", "is a symbolic link", |lock, precious| {
            symlink(precious, lock).unwrap();
        }),
        (
            "hard link",
            "the file has another name too",
            |lock, precious| std::fs::hard_link(precious, lock).unwrap(),
        ),
        ("file", "it holds something else", |lock, precious| {
            _ = std::fs::copy(precious, lock).unwrap();
        }),
        ("pipe", "it is a pipe, a socket or a device", |lock, _| {
            assert!(Command::new("mkfifo").arg(lock).status().unwrap().success());
        }),
    ];
    for (line, lock) in [(FILE, ".out.parquet.lock"), (SET, "set/_tallow/lock")] {
        for (what, text, put) in cases {
            let room = room();
            std::fs::create_dir_all(room.path("set/_tallow")).unwrap();
            put(&room.path(lock), &room.path("outside/precious.txt"));
            let run = ends_soon(&room, line).fails(1);
            assert!(
                run.stderr.starts_with("error: cannot lock the output")
                    && run.stderr.contains(text),
                "{what}: {run}"
            );
            outside_is_as_it_was(&room);
        }
    }
}

#[test]
fn the_state_of_a_data_set_may_not_be_a_link() {
    let room = room();
    std::fs::create_dir(room.path("set")).unwrap();
    symlink(room.path("outside"), room.path("set/_tallow")).unwrap();
    let run = ends_soon(&room, SET).fails(1);
    assert!(
        run.stderr.contains("`set/_tallow` is a symbolic link"),
        "{run}"
    );
    outside_is_as_it_was(&room);
}

#[test]
fn nothing_is_removed_or_replaced_through_a_link_in_a_data_set() {
    for (line, door) in [
        ("--partition-by region", "region=n"),
        ("", "_tallow/rejected"),
    ] {
        let room = room();
        room.tallow(&format!("{SET} {line}")).ok();
        // What the old data set's manifest lists there is to be removed.
        let files: Vec<String> = room.listing_of(&format!("set/{door}"));
        assert!(!files.is_empty());
        std::fs::rename(room.path(&format!("set/{door}")), room.path("moved")).unwrap();
        symlink(room.path("moved"), room.path(&format!("set/{door}"))).unwrap();
        let run = ends_soon(&room, &format!("{SET} --overwrite --threshold 0.4")).fails(1);
        assert!(run.stderr.contains("is a symbolic link"), "{door}: {run}");
        assert_eq!(room.listing_of("moved"), files, "{door}");
        outside_is_as_it_was(&room);
    }
}

#[test]
fn names_that_a_run_gives_by_itself_may_be_taken_by_files_of_others() {
    let room = room();
    room.tallow(FILE).ok();
    let again = format!("{FILE} --overwrite");
    for (name, flag) in [
        ("out.report.pq", "--report"),
        ("out.rejected.pq", "--rejected"),
    ] {
        let own = std::fs::read(room.path(name)).unwrap();
        let theirs = std::fs::read(room.path("out.parquet")).unwrap();
        room.file(name, &theirs);
        let run = room.tallow(&again).fails(1);
        assert!(
            run.stderr.contains(&format!("(`{name}`)")) && run.stderr.contains(flag),
            "{run}"
        );
        assert_eq!(std::fs::read(room.path(name)).unwrap(), theirs, "{name}");
        room.tallow(&format!("{again} {flag} mine.pq")).ok();
        assert_eq!(std::fs::read(room.path(name)).unwrap(), theirs, "{name}");
        room.file(name, own);
    }
    // A report of how far a run came replaces nothing either, and that a run is done removes
    // nothing.
    room.file("out.unfinished.report.pq", "precious");
    room.tallow(&format!("{again} --max-errors 0")).fails(4);
    room.tallow(&again).ok();
    assert_eq!(
        std::fs::read(room.path("out.unfinished.report.pq")).unwrap(),
        b"precious"
    );
}

#[test]
fn files_of_others_in_a_data_set_stay() {
    let room = room();
    room.tallow(SET).ok();
    let theirs = [
        "set/_tallow/notes.json",
        "set/_tallow/part-of-mine.json",
        "set/_tallow/rejected/mine.pq",
        "set/notes.txt",
    ];
    theirs
        .iter()
        .for_each(|name| _ = room.file(name, "precious"));
    room.tallow(&format!("{SET} --overwrite --threshold 0.4"))
        .ok();
    room.tallow(&format!("{SET} --overwrite --restart")).ok();
    for name in theirs {
        assert_eq!(
            std::fs::read(room.path(name)).unwrap(),
            b"precious",
            "{name}"
        );
    }
    for name in ["set/part-00003.parquet", "set/part-00007.parquet"] {
        room.file(name, "precious");
        let run = room
            .tallow(&format!("{SET} --overwrite --threshold 0.4"))
            .fails(1);
        assert!(
            run.stderr.starts_with(&format!(
                "error: a file that no manifest lists has the name of one of the data set's \
                 (`{name}`)\n"
            )),
            "{run}"
        );
        assert_eq!(
            std::fs::read(room.path(name)).unwrap(),
            b"precious",
            "{name}"
        );
        std::fs::remove_file(room.path(name)).unwrap();
    }
    // Hive's directories are looked at when the parts get their names.
    room.file("set/region=n/part-00000.parquet", "precious");
    let run = room
        .tallow(&format!("{SET} --overwrite --partition-by region"))
        .fails(1);
    assert!(
        run.stderr.contains("(`set/region=n/part-00000.parquet`)"),
        "{run}"
    );
    assert!(
        room.path("set/_SUCCESS").exists(),
        "nothing was changed yet"
    );
    assert_eq!(
        std::fs::read(room.path("set/region=n/part-00000.parquet")).unwrap(),
        b"precious"
    );
    std::fs::remove_dir_all(room.path("set/region=n")).unwrap();
    room.tallow(&format!("{SET} --overwrite --partition-by region"))
        .ok();
}

#[test]
fn a_manifest_of_somebody_names_no_file_that_retry_would_replace() {
    let room = room();
    room.tallow(&format!("{SET} --report facts.pq")).ok();
    let rejected = room.table("set/_tallow/rejected/part-00001.pq");
    assert_eq!(rejected.num_rows(), 1);
    room.file(
        "mended.csv",
        "id,region,a,b,rejected_file,rejected_row\n3,n,0.75,0.5,rows.csv,3\n",
    );
    // The run's own report is replaced.
    let before = std::fs::read(room.path("facts.pq")).unwrap();
    room.tallow("retry --quiet set --corrected mended.csv").ok();
    assert_ne!(std::fs::read(room.path("facts.pq")).unwrap(), before);
    for (name, content) in [("facts.pq", Some("theirs")), ("new.pq", None)] {
        std::fs::remove_dir_all(room.path("set")).unwrap();
        room.tallow(&format!("{SET} --overwrite --report {name}"))
            .ok();
        std::fs::remove_file(room.path(name)).unwrap();
        content
            .iter()
            .for_each(|content| _ = room.file(name, content));
        room.tallow("retry --quiet set --corrected mended.csv").ok();
        assert_eq!(
            std::fs::read_to_string(room.path(name)).ok().as_deref(),
            content,
            "{name}"
        );
        assert!(room.path("set/_tallow/report.pq").exists());
    }
}
