//! Runs that are stopped from outside: no output, and what they left is gone after the next run.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Room, data};

/// Rows enough for a run that is cut into the smallest batches to last until it is stopped.
const ROWS: usize = 300_000;

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
    room
}

fn hidden(room: &Room) -> Vec<String> {
    room.listing()
        .into_iter()
        .filter(|name| name.starts_with(".tmp-"))
        .collect()
}

/// What is there under a name of the output's.
fn outputs(room: &Room) -> Vec<String> {
    room.listing()
        .into_iter()
        .filter(|name| name.starts_with("out."))
        .collect()
}

/// Starts a run, waits until both of its hidden files are there, and sends it the signals, all
/// before it can answer the first.
fn stop(room: &Room, signals: &[&str]) -> ExitStatus {
    let arguments =
        "score --quiet --model good.json rows.csv --output out.parquet --threads 1 --batch-rows 16";
    let mut run = room
        .command()
        .args(arguments.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while hidden(room).len() < 2 {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before it could be stopped"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    let id = run.id().to_string();
    for signal in [&["-STOP"], signals, &["-CONT"]].concat() {
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }
    run.wait().unwrap()
}

#[test]
fn what_a_stopped_run_leaves_is_hidden_and_the_next_run_sweeps_it_away() {
    for (signals, code, signal) in [
        (vec!["-TERM"], Some(143), None),
        (vec!["-INT"], Some(130), None),
        (vec!["-KILL"], None, Some(9)),
    ] {
        let room = room();
        let status = stop(&room, &signals);
        assert_eq!(
            (status.code(), status.signal()),
            (code, signal),
            "{signals:?}"
        );
        if code.is_some() {
            assert_eq!(
                outputs(&room),
                ["out.unfinished.report.pq"],
                "only a report of how far it came"
            );
        } else {
            assert!(
                outputs(&room).is_empty(),
                "half an output: {:?}",
                outputs(&room)
            );
        }
        room.tallow("score --quiet --model good.json rows.csv --output out.parquet")
            .ok();
        assert_eq!(
            room.listing(),
            ["good.json", "out.parquet", "out.report.pq", "rows.csv"]
        );
        assert_eq!(room.table("out.parquet").num_rows(), ROWS);
    }
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let room = room();
    let status = stop(&room, &["-TERM", "-INT"]);
    // Both wait for a process that is held still, and the system hands them over in an order of its
    // own.
    assert!(matches!(status.code(), Some(130 | 143)), "{status}");
    assert!(
        outputs(&room).is_empty(),
        "it took its time to write {:?}",
        outputs(&room)
    );
    room.tallow("score --quiet --model good.json rows.csv --output out.parquet")
        .ok();
    assert_eq!(
        room.listing(),
        ["good.json", "out.parquet", "out.report.pq", "rows.csv"]
    );
}

/// Megabytes of gzip that hold many gigabytes: `text` in each of many members.
fn long_gzip(text: &[u8], member_count: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap().repeat(member_count)
}

#[test]
fn a_run_that_has_not_reached_its_first_row_hears_the_signal() {
    let comments = b"# nothing\n".repeat(400_000);
    // (what is asked for, what the file holds)
    let cases = [
        ("--skip-rows=18446744073709551615", &comments),
        ("--comment=#", &comments),
        ("--no-header --comment=#", &comments),
        ("--on-bad-file=skip --comment=#", &comments),
        // Empty members of gzip: nothing to return for a long time.
        ("--on-bad-file=skip", &Vec::new()),
    ];
    let room = room();
    room.file(
        "good.parquet",
        std::fs::read(data("hostile/good.parquet")).unwrap(),
    );
    for (flags, text) in cases {
        let member_count = if text.is_empty() { 5_000_000 } else { 20_000 };
        room.file("long.csv.gz", long_gzip(text, member_count));
        for verb in ["score", "check"] {
            let mut run = room
                .command()
                .args(format!("{verb} -qq --model good.json long.csv.gz {flags}").split(' '))
                .args(["--output", "out.parquet"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(300));
            let id = run.id().to_string();
            assert_eq!(run.try_wait().unwrap(), None, "{verb} {flags} ended early");
            Command::new("kill").arg(&id).status().unwrap();
            let sent = Instant::now();
            let status = loop {
                match run.try_wait().unwrap() {
                    Some(status) => break status,
                    None if sent.elapsed() > Duration::from_secs(10) => {
                        run.kill().unwrap();
                        panic!("{verb} {flags} did not hear the signal");
                    }
                    None => std::thread::sleep(Duration::from_millis(5)),
                }
            };
            let ended = (status.code(), status.signal());
            assert!(
                matches!(ended, (Some(143), None) | (None, Some(15))),
                "{verb} {flags}: {status}"
            );
            assert!(outputs(&room).is_empty(), "{flags}: {:?}", outputs(&room));
        }
    }
}
