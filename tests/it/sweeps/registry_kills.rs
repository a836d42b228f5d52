//! Registry commands killed at every system call that changes a file, and at random times: the
//! registry stays valid, and the same command again finishes the work.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Sweep;
use crate::harness::{Room, data};
use crate::recovery::room;

/// The system calls that change files.
const CALLS: [&str; 8] = [
    "mkdirat",
    "linkat",
    "unlinkat",
    "renameat",
    "renameat2",
    "fsync",
    "syncfs",
    "write",
];

/// A command, what was done before it, and the log entries after it.
struct Scenario {
    before: &'static [&'static str],
    line: &'static str,
    entries: usize,
}

const PUSH: &str = "registry push good.json --name churn";
const PUSH_NEXT: &str = "registry push next --name churn";

const SCENARIOS: [Scenario; 4] = [
    Scenario {
        before: &[],
        line: PUSH,
        entries: 1,
    },
    Scenario {
        before: &[PUSH],
        line: PUSH_NEXT,
        entries: 2,
    },
    Scenario {
        before: &[PUSH, PUSH_NEXT, "registry promote churn:1 champion"],
        line: "registry promote churn:2 champion --expect 1",
        entries: 4,
    },
    Scenario {
        before: &[PUSH, "registry promote churn:1 champion"],
        line: "score -qq --model churn@champion in-0.parquet --output out.parquet --overwrite",
        entries: 2,
    },
];

struct Stage {
    room: Room,
    scenario: &'static Scenario,
}

impl Stage {
    /// A room that holds what the scenario begins with.
    fn new(scenario: &'static Scenario) -> Self {
        let room = room();
        let text = std::fs::read_to_string(room.path("good.json")).unwrap();
        room.file("next/model.json", format!("{text}\n"));
        room.file("next/notes.txt", "second");
        let stage = Self { room, scenario };
        for line in scenario.before {
            assert!(stage.command(line).status().unwrap().success(), "{line}");
        }
        for directory in ["models", "home"] {
            std::fs::create_dir_all(stage.room.path(directory)).unwrap();
            copy(&stage.room.path(directory), &stage.kept(directory));
        }
        stage
    }

    fn kept(&self, directory: &str) -> std::path::PathBuf {
        self.room.path(&format!("kept-{directory}"))
    }

    fn reset(&self) {
        for directory in ["models", "home"] {
            copy(&self.kept(directory), &self.room.path(directory));
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.room.command();
        self.prepare(&mut command);
        command.args(line.split_whitespace());
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .env("HOME", self.room.path("home"))
            .env("TALLOW_REGISTRY", "models")
            .env("TALLOW_ACTOR", "ann@ci")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
    }

    /// The command, killed as its `number`th call of `call` begins.
    fn traced(&self, call: &str, number: u32) -> Command {
        let mut command = traced(&self.room, self.scenario.line, call, number);
        self.prepare(&mut command);
        command
    }

    /// What a killed command left is valid, and the same command again finishes the work.
    fn check(&self, when: &str) {
        let line = self.scenario.line;
        let has_entries = self.room.path("models/models/churn/log").exists();
        let has_registry = self.room.path("models/tallow-registry.json").exists();
        if has_registry {
            let verified = self.command("registry verify").status().unwrap();
            assert!(verified.success(), "{line}, {when}: not valid");
        }
        assert!(has_registry || !has_entries, "{line}, {when}");
        let again = self.command(line).stderr(Stdio::piped()).output().unwrap();
        let message = String::from_utf8_lossy(&again.stderr).into_owned();
        // A move that was made before the kill is refused by its own `--expect`.
        let is_done = message.contains("points at version 2, and version 1 was expected");
        assert!(
            again.status.success() || is_done,
            "{line}, {when}: {message}"
        );
        let log = self.room.path("models/models/churn/log");
        let entries = std::fs::read_dir(log).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            !name.to_string_lossy().starts_with(".tmp-")
        });
        assert_eq!(entries.count(), self.scenario.entries, "{line}, {when}");
        let verified = self.command("registry verify").status().unwrap();
        assert!(verified.success(), "{line}, {when}: not valid at the end");
        self.reset();
    }
}

/// A command that is killed as its `number`th call of `call` begins.
pub(super) fn traced(room: &Room, line: &str, call: &str, number: u32) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-f", "-qq", "-e", &format!("trace={call}"), "-e"])
        .arg(format!("inject={call}:signal=KILL:when={number}"))
        .arg(env!("CARGO_BIN_EXE_tallow"))
        .args(line.split_whitespace())
        .current_dir(room.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Whether this machine has `strace`, and it may trace.
pub(super) fn can_trace() -> bool {
    let traced = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=none", "true"])
        .output();
    traced.is_ok_and(|output| output.status.success())
}

pub(super) fn copy(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

#[test]
fn a_registry_command_killed_at_any_change_of_a_file_leaves_a_valid_registry() {
    if !can_trace() {
        // Random times are tried below on every machine.
        return;
    }
    for scenario in &SCENARIOS {
        let stage = Stage::new(scenario);
        let mut kills = 0;
        for call in CALLS {
            for number in 1.. {
                if stage.traced(call, number).status().unwrap().signal() != Some(9) {
                    stage.reset();
                    break;
                }
                kills += 1;
                stage.check(&format!("{call} {number}"));
            }
        }
        assert!(kills >= 8, "{}: only {kills} kills", scenario.line);
    }
}

#[test]
fn a_registry_command_killed_at_random_times_leaves_a_valid_registry() {
    for scenario in &SCENARIOS {
        let stage = Stage::new(scenario);
        let began = Instant::now();
        assert!(stage.command(scenario.line).status().unwrap().success());
        let length = began.elapsed();
        stage.reset();
        for (seed, mut random) in Sweep::new(8) {
            let mut run = stage.command(scenario.line).spawn().unwrap();
            let wait: Duration = length.mul_f64(random.below(1_000) as f64 / 1_000.0);
            std::thread::sleep(wait);
            let _ = run.kill();
            run.wait().unwrap();
            stage.check(&format!("seed {seed}"));
        }
    }
}

#[test]
fn a_hundred_processes_push_at_once_and_every_version_is_there() {
    const COUNT: usize = 100;
    let room = room();
    let text = std::fs::read_to_string(room.path("good.json")).unwrap();
    for index in 0..COUNT {
        room.file(
            &format!("{index}.json"),
            format!("{text}{}", " ".repeat(index)),
        );
    }
    let mut runs: Vec<_> = (0..COUNT)
        .map(|index| {
            room.command()
                .args([
                    "registry",
                    "push",
                    &format!("{index}.json"),
                    "--name",
                    "churn",
                ])
                .args(["--registry", "models"])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    // Some die on the way, each in its own step.
    for run in runs.iter_mut().step_by(10) {
        let _ = run.kill();
    }
    let mut killed = 0;
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        killed += usize::from(output.status.signal() == Some(9));
        assert!(
            output.status.success() || output.status.signal() == Some(9),
            "{message}"
        );
    }
    let verified = room
        .tallow("registry verify --registry models --format json")
        .ok()
        .json();
    let versions = verified["versions"].as_u64().unwrap() as usize;
    assert!(
        versions >= COUNT - killed && versions <= COUNT,
        "{versions} versions, {killed} killed"
    );
    assert_eq!(verified["log_entries"], verified["versions"]);
    let shown = room
        .tallow("registry show churn --registry models --format json")
        .ok()
        .json();
    let numbers: Vec<u64> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=versions as u64).collect::<Vec<_>>());
}

#[test]
fn a_signed_data_set_whose_run_is_killed_is_verified_once_it_is_finished() {
    if !can_trace() {
        return;
    }
    let room = room();
    let (key, public) = (
        data("signatures/prime256v1.key"),
        data("signatures/prime256v1.pub"),
    );
    let other = data("signatures/secp384r1.key");
    let verify = format!("verify out --key {}", public.display());
    let score = "score --quiet --model good.json in-0.parquet --on-null a=reject --output out/";
    let before = [
        None,
        Some(format!("{score} --raw --sign-key {}", other.display())),
    ];
    let line = format!("{score} --overwrite --sign-key {}", key.display());
    let mut kills = 0;
    for before in before {
        for call in ["renameat", "renameat2", "unlinkat"] {
            // Every second call: the others are of the same kinds.
            for number in (1..).step_by(2) {
                drop(std::fs::remove_dir_all(room.path("out")));
                if let Some(before) = &before {
                    room.tallow(before).ok();
                }
                let status = traced(&room, &line, call, number).status().unwrap();
                if status.signal() != Some(9) {
                    break;
                }
                kills += 1;
                room.tallow(&line).ok();
                let verified = room.tallow(&verify);
                assert_eq!(verified.code, 0, "{before:?}, {call} {number}: {verified}");
            }
        }
    }
    assert!(kills >= 10, "only {kills} kills");
}
