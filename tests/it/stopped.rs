//! Runs that are stopped from outside: no output, and what they left is gone after the next run.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::harness::{Room, data};

/// Rows enough for a run that is cut into the smallest batches to last until it is stopped.
const ROWS: usize = 300_000;

fn room() -> Room {
    let room = Room::new();
    room.file("good.json", std::fs::read(data("hostile/good.json")).unwrap());
    room.file("rows.csv", format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(ROWS)));
    room
}

fn hidden(room: &Room) -> Vec<String> {
    room.listing().into_iter().filter(|name| name.starts_with(".tmp-")).collect()
}

/// Starts a run, waits until both of its hidden files are there, and sends it the signal.
fn stop(room: &Room, signal: &str) -> ExitStatus {
    let arguments = "score --quiet --model good.json rows.csv --output out.parquet --threads 1 --batch-rows 16";
    let mut run = room.command().args(arguments.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while hidden(room).len() < 2 {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be stopped");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
    run.wait().unwrap()
}

#[test]
fn what_a_stopped_run_leaves_is_hidden_and_the_next_run_sweeps_it_away() {
    for (signal, number) in [("-TERM", 15), ("-KILL", 9)] {
        let room = room();
        let status = stop(&room, signal);
        let code = status.signal().unwrap_or_else(|| status.code().unwrap_or(0) - 128);
        assert_eq!(code, number, "{signal}: {status}");
        let left: Vec<String> = room.listing().into_iter().filter(|name| name.starts_with("out.")).collect();
        if signal == "-TERM" {
            assert_eq!(left, ["out.unfinished.report.parquet"], "only a report of how far it came");
        } else {
            assert!(left.is_empty(), "half an output: {left:?}");
        }
        room.tallow("score --quiet --model good.json rows.csv --output out.parquet").ok();
        assert_eq!(room.listing(), ["good.json", "out.parquet", "out.report.parquet", "rows.csv"]);
        assert_eq!(room.table("out.parquet").num_rows(), ROWS);
    }
}
