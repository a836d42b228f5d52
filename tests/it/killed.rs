//! Runs that are asked to stop at a certain moment: they say how far they came, and the same
//! command goes on. Kills are swept in `sweeps/kills.rs`.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::harness::{Room, table};
use crate::recovery::{SCORE, files, room};

fn start(room: &Room, line: &str) -> Child {
    room.command()
        .args(line.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
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

fn wait_for(room: &Room, run: &mut Child, path: &str) {
    while !room.path(path).exists() {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before it could be stopped"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// How a run ended: its code, the object that it printed, and what it told users.
fn end(run: Child) -> (Option<i32>, serde_json::Value, String) {
    let output = run.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {message}")),
        message,
    )
}

#[test]
fn a_data_set_that_is_stopped_goes_on_after_its_last_finished_part() {
    let room = room();
    let line = format!("{SCORE} --threads 1 --batch-rows 1").replace("--quiet ", "");
    room.tallow(&format!("{line} --output whole/")).ok();
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut run = start(&room, &format!("{line} --format json --output out/"));
        wait_for(&room, &mut run, "out/_tallow/part-00002.json");
        send(&run, signal);
        let (ended, rendered, message) = end(run);
        assert_eq!(
            (ended, &rendered["status"], &rendered["exit_code"]),
            (Some(code), &"interrupted".into(), &code.into()),
            "{message}"
        );
        assert!(
            message.contains(
                "goes on after its last finished part; how far it came is in \
                 `out/_tallow/unfinished.report.pq`"
            ),
            "{message}"
        );
        assert!(table(&room.path("out/_tallow/unfinished.report.pq")).num_rows() > 20);
        assert!(!room.path("out/_SUCCESS").exists());
        let run = room.tallow(&format!("{line} --output out/")).ok();
        assert!(
            run.stderr.contains(" parts are finished already ("),
            "{run}"
        );
        assert!(
            files(&room.path("whole")) == files(&room.path("out")),
            "{signal}"
        );
        std::fs::remove_dir_all(room.path("out")).unwrap();
    }
}

#[test]
fn a_run_that_is_stopped_while_it_publishes_ends_its_output_and_reports_it() {
    let room = room();
    let line = format!("{SCORE} --format json --output out/")
        .replace("--rows-per-part 1000", "--rows-per-part 20")
        .replace("--quiet ", "");
    let mut run = start(&room, &line);
    wait_for(&room, &mut run, "out/_tallow/publication.json");
    ["-STOP", "-TERM", "-CONT"]
        .iter()
        .for_each(|signal| send(&run, signal));
    let (code, rendered, message) = end(run);
    assert_eq!(
        (code, &rendered["status"], &rendered["exit_code"]),
        (Some(143), &"done".into(), &143.into()),
        "{message}"
    );
    assert!(
        message.contains("when the output was being published: it is whole"),
        "{message}"
    );
    assert!(room.path("out/_SUCCESS").exists());
    room.tallow(&format!("{line} --skip-code 99")).fails(99);
}

#[test]
fn a_run_that_is_stopped_while_it_looks_for_broken_files_accounts_for_itself() {
    let room = room();
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(400_000)),
    );
    let rendered = "--metrics-file m.prom --lineage-file l.jsonl --format json";
    let mut run = start(
        &room,
        &format!(
            "score --model good.json rows.csv --output out.parquet --threads 1 --batch-rows 4 \
             --on-bad-file skip {rendered}"
        ),
    );
    wait_for(&room, &mut run, ".out.parquet.lock");
    std::thread::sleep(Duration::from_millis(100));
    assert!(
        !room
            .listing()
            .iter()
            .any(|name| name.starts_with(".tmp-out")),
        "it is scoring already"
    );
    send(&run, "-TERM");
    let (code, rendered, message) = end(run);
    assert_eq!(
        (code, &rendered["status"], &rendered["ledger"]["rows_in"]),
        (Some(143), &"interrupted".into(), &0.into()),
        "{message}"
    );
    assert!(
        message.contains("how far it came is in `out.unfinished.report.pq`"),
        "{message}"
    );
    assert!(room.path("out.unfinished.report.pq").exists() && !room.path("out.parquet").exists());
    let text = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    assert!(
        text("m.prom")
            .lines()
            .any(|line| line.starts_with("tallow_last_exit_code") && line.ends_with(" 143")),
        "{}",
        text("m.prom")
    );
    assert!(
        text("l.jsonl").lines().last().unwrap().contains("ABORT"),
        "{}",
        text("l.jsonl")
    );
}
