//! Inputs that change while they are read: the run fails, names the file and says what changed, and
//! nothing is published.

use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::{Room, data};

/// Rows enough for a run that is cut into small batches to last until it is stopped.
const ROWS: usize = 200_000;

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(ROWS)),
    );
    room.file("last.csv", "id,a,b\n2,0.75,0.5\n");
    room
}

fn send(run: &Child, signal: &str) {
    assert!(
        Command::new("kill")
            .args([signal, &run.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

fn is_stopped(run: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", run.id())).unwrap();
    status
        .rsplit(')')
        .next()
        .is_some_and(|fields| fields.trim_start().starts_with('T'))
}

/// Does something to the inputs while the run stands still, in its first rows.
fn change_during(room: &Room, line: &str, sign: &str, change: &dyn Fn()) -> (Option<i32>, String) {
    let mut run = room
        .command()
        .args(line.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !room.listing().iter().any(|name| name.starts_with(sign)) && !room.path(sign).exists() {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before its input could change"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
    send(&run, "-STOP");
    // The signal is on its way: a look at a file that is being written to may see its new time and
    // its old size.
    while !is_stopped(&run) {
        std::thread::sleep(Duration::from_micros(200));
    }
    change();
    send(&run, "-CONT");
    let output = run.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    file.seek(std::io::SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn an_input_that_changes_ends_the_run_and_is_named_with_what_changed() {
    type Change = (&'static str, fn(&Path), &'static str);
    let changes: [Change; 5] = [
        (
            "written to in place",
            |path| overwrite(path, 1_496_007, b"9,0.99,0.1"),
            "it was written to",
        ),
        (
            "cut at the end of a row",
            |path| {
                _ = std::fs::File::options()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_len(1_100_007);
            },
            "it had 2,200,007 bytes and has 1,100,007 bytes",
        ),
        (
            "appended to",
            |path| {
                _ = std::fs::File::options()
                    .append(true)
                    .open(path)
                    .unwrap()
                    .write_all(b"3,1,1\n");
            },
            "it had 2,200,007 bytes and has 2,200,013 bytes",
        ),
        (
            "replaced",
            |path| {
                std::fs::copy(path, path.with_extension("new")).unwrap();
                std::fs::rename(path.with_extension("new"), path).unwrap();
            },
            "another file has its name now",
        ),
        (
            "removed",
            |path| std::fs::remove_file(path).unwrap(),
            "it is gone",
        ),
    ];
    for (output, sign) in [
        ("out.parquet", ".tmp-out"),
        ("out/", "out/_tallow/part-00000.json"),
    ] {
        for (what, change, text) in &changes {
            let room = room();
            let rows = if output.ends_with('/') {
                " --rows-per-part 5000"
            } else {
                ""
            };
            let line = format!(
                "score --quiet --model good.json rows.csv --output {output} --threads 1 \
                 --batch-rows 16{rows}"
            );
            let (code, message) =
                change_during(&room, &line, sign, &|| change(&room.path("rows.csv")));
            let expected = format!(
                "error: the file changed while it was in use: {text} (`rows.csv`)\nhint: run \
                 again once nothing writes"
            );
            assert!(
                code == Some(1) && message.starts_with(&expected),
                "{what}, {output}: {code:?} {message}"
            );
            assert!(
                !room.path("out.parquet").exists() && !room.path("out/_SUCCESS").exists(),
                "{what}, {output}"
            );
        }
    }
}

#[test]
fn an_input_that_changes_after_its_last_row_was_read_is_noticed_too() {
    let room = room();
    // The second file is read to its end before the first portion of the first one is; so the last
    // look at all of them must find it.
    let line = "score --quiet --model good.json last.csv rows.csv --output out.parquet --threads \
                1 --batch-rows 16";
    let (code, message) = change_during(&room, line, ".tmp-out", &|| {
        std::thread::sleep(Duration::from_millis(50));
        room.file("last.csv", "id,a,b\n2,0.11,0.5\n");
    });
    assert!(
        code == Some(1) && message.contains("while it was in use: it was written to (`last.csv`)"),
        "{code:?} {message}"
    );
    assert!(!room.path("out.parquet").exists());
}

#[test]
fn a_changed_input_of_an_unfinished_data_set_is_named_by_the_next_run() {
    let room = room();
    let line = "score --quiet --model good.json rows.csv --output out/ --threads 1 --batch-rows \
                16 --rows-per-part 5000";
    let (code, message) = change_during(&room, line, "out/_tallow/part-00001.json", &|| {
        overwrite(&room.path("rows.csv"), 1_496_007, b"9,0.99,0.1");
    });
    assert_eq!(code, Some(1), "{message}");
    let run = room.tallow(line).fails(3);
    assert!(
        run.stderr
            .contains("since then these changed: the input `rows.csv`"),
        "{run}"
    );
    room.tallow(&format!(
        "{} --restart",
        line.replace(" --batch-rows 16", "")
    ))
    .ok();
}
