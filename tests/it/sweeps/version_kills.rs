//! Runs of a registry's models, killed on their way to the end: once anything of a run is there,
//! the same command finishes it with the versions that it began with, though the aliases have
//! moved or the registry is away.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::registry_kills::{can_trace, copy, traced};
use crate::harness::Room;
use crate::registry::{registered, tallow};

/// The system calls that give and take names, and those that write notes.
const CALLS: [&str; 6] = [
    "renameat",
    "renameat2",
    "linkat",
    "unlinkat",
    "mkdirat",
    "fdatasync",
];

const SCORE: &str = "score --quiet --model churn@champion --challenger b=churn@next in-0.parquet \
                     --on-null a=reject";

/// An output, and the file by which a reader knows that it is whole.
struct Kind {
    output: &'static str,
    challenger: &'static str,
    last: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind {
        output: "out/set/",
        challenger: "out/set.challengers/b",
        last: "out/set/_SUCCESS",
    },
    Kind {
        output: "out/all.parquet",
        challenger: "out/all.parquet.challengers/b.pq",
        last: "out/all.parquet",
    },
];

/// A room whose registry holds two versions: `champion` and `next` point at the first.
fn room() -> Room {
    let room = registered();
    tallow(&room, "registry promote churn:1 next").ok();
    std::fs::create_dir(room.path("out")).unwrap();
    for directory in ["models", "home", "out"] {
        let _ = std::fs::create_dir(room.path(directory));
        copy(
            &room.path(directory),
            &room.path(&format!("kept-{directory}")),
        );
    }
    room
}

fn reset(room: &Room) {
    let _ = std::fs::remove_dir_all(room.path("away"));
    for directory in ["models", "home", "out"] {
        copy(
            &room.path(&format!("kept-{directory}")),
            &room.path(directory),
        );
    }
}

/// Whether something is there that the run must go on from: its record or its note.
fn has_begun(room: &Room) -> bool {
    let noted = ["out/set/_tallow/lock", "out/.all.parquet.lock"].map(|lock| {
        let text = std::fs::read_to_string(room.path(lock)).unwrap_or_default();
        text.contains("\npublishing ")
    });
    let has_record = room.path("out/set/_tallow/identity.json").exists();
    noted.contains(&true) || has_record
}

/// What happens between the kill and the next run.
fn change(room: &Room, is_away: bool) {
    if is_away {
        std::fs::rename(room.path("models"), room.path("away")).unwrap();
        return;
    }
    for alias in ["champion", "next"] {
        tallow(room, &format!("registry promote churn:2 {alias}")).ok();
    }
}

fn version(room: &Room, path: &str) -> String {
    let log = tallow(room, &format!("log {path} --format json"))
        .ok()
        .json();
    log["runs"][0]["registered"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Checks a room in which a run was killed and then something changed.
fn check(room: &Room, kind: &Kind, has_begun: bool, is_away: bool, when: &str) {
    let line = format!("{SCORE} --output {}", kind.output);
    let is_over = !has_begun && room.path(kind.last).exists();
    let run = tallow(room, &line);
    if is_over && !is_away {
        // Killed after it had given back its lock, in the last moment of the process.
        assert!(run.stderr.contains("exists already"), "{when}: {run}");
        return;
    }
    if is_away && !has_begun {
        assert!(run.stderr.contains("is not a registry"), "{when}: {run}");
        return;
    }
    assert_eq!(run.code, 0, "{when}: {run}");
    assert!(room.path(kind.last).exists(), "{when}: {run}");
    let expected = if has_begun { "churn:1" } else { "churn:2" };
    assert_eq!(version(room, kind.output), expected, "{when}: {run}");
    assert_eq!(version(room, kind.challenger), expected, "{when}: {run}");
    let lock = Path::new(kind.last).with_file_name(".all.parquet.lock");
    assert!(!room.path(lock.to_str().unwrap()).exists(), "{when}");
    if has_begun && !is_away {
        // It is over: a new run takes the new version, and the old output is in its way.
        let error = tallow(room, &line).fails(1);
        assert!(error.stderr.contains("exists already"), "{when}: {error}");
    }
}

#[test]
fn a_run_killed_at_any_name_that_it_gives_keeps_its_versions() {
    if !can_trace() {
        return;
    }
    let room = room();
    let mut begun = 0;
    for kind in &KINDS {
        let line = format!("{SCORE} --output {}", kind.output);
        for call in CALLS {
            // Every second call: the others are of the same kinds.
            for number in (1..).step_by(2) {
                reset(&room);
                if !is_killed(&room, &line, call, number) {
                    break;
                }
                let (has_begun, is_away) = (has_begun(&room), number % 4 == 1);
                begun += u32::from(has_begun);
                change(&room, is_away);
                let when = format!("{}, {call} {number}, {is_away}", kind.output);
                check(&room, kind, has_begun, is_away, &when);
            }
        }
    }
    assert!(begun >= 20, "only {begun} kills of runs that had begun");
}

/// A run's command, killed as its `number`th call of `call` begins; whether it was.
fn is_killed(room: &Room, line: &str, call: &str, number: u32) -> bool {
    let mut run = traced(room, line, call, number);
    run.env("HOME", room.path("home"))
        .env("TALLOW_REGISTRY", "models");
    run.status().unwrap().signal() == Some(9)
}

/// Kills a run after its last note, before its results are whole.
fn kill_while_it_publishes(room: &Room, kind: &Kind, line: &str) {
    for call in ["renameat", "renameat2", "linkat"] {
        for number in 1.. {
            reset(room);
            if !is_killed(room, line, call, number) {
                break;
            }
            let is_whole = room.path(kind.last).exists();
            let publishes = room.path("out/set/_tallow/publication.json").exists();
            let is_noted = room.path("out/.all.parquet.lock").exists();
            if has_begun(room) && !is_whole && (publishes || is_noted) {
                return;
            }
        }
    }
    panic!("{}: never killed while it published", kind.output);
}

#[test]
fn a_run_that_goes_on_and_is_killed_itself_keeps_the_versions_of_the_first() {
    if !can_trace() {
        return;
    }
    let room = room();
    let mut kills = 0;
    for kind in &KINDS {
        let line = format!("{SCORE} --output {}", kind.output);
        kill_while_it_publishes(&room, kind, &line);
        change(&room, false);
        copy(&room.path("out"), &room.path("killed-out"));
        for call in CALLS {
            for number in (1..).step_by(4) {
                copy(&room.path("killed-out"), &room.path("out"));
                if !is_killed(&room, &line, call, number) {
                    break;
                }
                kills += 1;
                let when = format!("{}, again at {call} {number}", kind.output);
                let has_begun = has_begun(&room);
                check(&room, kind, has_begun, false, &when);
            }
        }
    }
    assert!(kills > 5, "only {kills} kills of runs that went on");
}
