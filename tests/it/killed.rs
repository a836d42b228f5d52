//! Data sets whose runs are killed or told to stop, at any moment: the same command again ends in the same bytes.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Room, table};
use crate::recovery::{SCORE, files, mend, room};

/// How often a run is killed while it works; `TALLOW_KILLS=1000` makes it more.
const KILLS: u64 = 50;

fn kills_wanted() -> u64 {
    std::env::var("TALLOW_KILLS").map_or(KILLS, |text| text.parse().unwrap())
}

fn start(room: &Room, line: &str) -> Child {
    room.command().args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(run: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &run.id().to_string()]).status().unwrap().success());
}

fn wait_for(room: &Room, run: &mut Child, path: &str) {
    while !room.path(path).exists() {
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be stopped");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// How a run ended: its code, the object that it printed, and what it told people.
fn end(run: Child) -> (Option<i32>, serde_json::Value, String) {
    let output = run.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {message}")), message)
}

/// Moments that look random and are the same in every run of the tests, as shares of a run's length (Knuth, "The Art of Computer Programming",
/// 3.3.4). Some lie behind its end.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 31) as f64 * 1.2
    }
}

/// Runs a command that takes about `length` until its work is done, killed each time at another moment; gives how often it was killed while it
/// ran.
fn kill_until_done(room: &Room, line: &str, length: Duration, moments: &mut Moments, is_done: impl Fn() -> bool) -> u64 {
    let mut kills = 0;
    for attempt in 0..500_u32 {
        let mut run = room.command().args(line.split(' ')).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Later and later, for machines that have become slower since the length was taken.
        std::thread::sleep(length.mul_f64(moments.next()) + length * attempt / 50);
        run.kill().unwrap();
        let status = run.wait().unwrap();
        kills += u64::from(status.signal() == Some(9));
        if is_done() {
            return kills;
        }
        assert_eq!(status.signal(), Some(9), "ended by itself without success: {status}");
    }
    panic!("never comes to its end");
}

/// Runs a command undisturbed; gives its length.
fn length_of(room: &Room, line: &str) -> Duration {
    let start = Instant::now();
    room.tallow(line).ok();
    start.elapsed()
}

#[test]
fn a_run_that_is_killed_at_fifty_moments_ends_in_the_same_bytes() {
    let room = room();
    let line = format!("{SCORE} --output out/ --batch-rows 100");
    let length = length_of(&room, &line.replace("out/", "whole/"));
    let whole = files(&room.path("whole"));
    let (mut moments, mut kills) = (Moments(1), 0);
    while kills < kills_wanted() {
        kills += kill_until_done(&room, &line, length, &mut moments, || room.path("out/_SUCCESS").exists());
        room.tallow(&line).ok();
        assert!(whole == files(&room.path("out")), "after {kills} kills");
        std::fs::remove_dir_all(room.path("out")).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
}

#[test]
fn mending_that_is_killed_again_and_again_ends_in_the_same_bytes() {
    let room = room();
    room.tallow(&format!("{SCORE} --output start/")).ok();
    let parts: Vec<String> = room.listing_of("start/_rejected").iter().map(|name| name.trim_end_matches(".parquet").to_owned()).collect();
    parts.iter().for_each(|part| mend(&room, "start", part, 10));
    copy(&room.path("start"), &room.path("whole"));
    let retry = "retry --quiet --batch-rows 100 --threads 1";
    let length = length_of(&room, &format!("{retry} whole"));
    let whole = files(&room.path("whole"));
    assert!(!whole.keys().any(|name| name.starts_with("_rejected")), "all rows were mended");
    let (mut moments, mut kills) = (Moments(2), 0);
    while kills < kills_wanted() {
        copy(&room.path("start"), &room.path("out"));
        let is_done = || room.path("out/_SUCCESS").exists() && !room.path("out/_rejected").exists();
        kills += kill_until_done(&room, &format!("{retry} out"), length, &mut moments, is_done);
        room.tallow(&format!("{retry} out")).ok();
        assert!(whole == files(&room.path("out")), "after {kills} kills");
        std::fs::remove_dir_all(room.path("out")).unwrap();
    }
}

#[test]
fn a_data_set_that_is_told_to_stop_goes_on_after_its_last_finished_part() {
    let room = room();
    let line = format!("{SCORE} --threads 1 --batch-rows 1").replace("--quiet ", "");
    room.tallow(&format!("{line} --output whole/")).ok();
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let mut run = start(&room, &format!("{line} --format json --output out/"));
        wait_for(&room, &mut run, "out/_tallow/part-00002.json");
        send(&run, signal);
        let (ended, told, message) = end(run);
        assert_eq!((ended, &told["status"], &told["exit_code"]), (Some(code), &"interrupted".into(), &code.into()), "{message}");
        assert!(message.contains("goes on after its last finished part; how far it came is in `out/_unfinished.report.parquet`"), "{message}");
        assert!(table(&room.path("out/_unfinished.report.parquet")).num_rows() > 20);
        assert!(!room.path("out/_SUCCESS").exists());
        let run = room.tallow(&format!("{line} --output out/")).ok();
        assert!(run.stderr.contains(" parts are finished already ("), "{run}");
        assert!(files(&room.path("whole")) == files(&room.path("out")), "{signal}");
        std::fs::remove_dir_all(room.path("out")).unwrap();
    }
}

#[test]
fn a_run_that_is_told_to_stop_while_it_publishes_ends_its_output_and_says_so() {
    let room = room();
    let line = format!("{SCORE} --format json --output out/").replace("--rows-per-part 1000", "--rows-per-part 20").replace("--quiet ", "");
    let mut run = start(&room, &line);
    wait_for(&room, &mut run, "out/_tallow/manifest.json");
    ["-STOP", "-TERM", "-CONT"].iter().for_each(|signal| send(&run, signal));
    let (code, told, message) = end(run);
    assert_eq!((code, &told["status"], &told["exit_code"]), (Some(143), &"done".into(), &143.into()), "{message}");
    assert!(message.contains("when the output was being published: it is whole"), "{message}");
    assert!(room.path("out/_SUCCESS").exists());
    room.tallow(&format!("{line} --skip-code 99")).fails(99);
}

#[test]
fn a_run_that_is_told_to_stop_while_it_looks_for_broken_files_accounts_for_itself() {
    let room = room();
    room.file("rows.csv", format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(400_000)));
    let told = "--metrics-file m.prom --lineage-file l.jsonl --format json";
    let mut run =
        start(&room, &format!("score --model good.json rows.csv --output out.parquet --threads 1 --batch-rows 4 --on-bad-file skip {told}"));
    wait_for(&room, &mut run, ".lock-out.parquet");
    std::thread::sleep(Duration::from_millis(100));
    assert!(!room.listing().iter().any(|name| name.starts_with(".tmp-out")), "it is scoring already");
    send(&run, "-TERM");
    let (code, told, message) = end(run);
    assert_eq!((code, &told["status"], &told["ledger"]["rows_in"]), (Some(143), &"interrupted".into(), &0.into()), "{message}");
    assert!(message.contains("how far it came is in `out.unfinished.report.parquet`"), "{message}");
    assert!(room.path("out.unfinished.report.parquet").exists() && !room.path("out.parquet").exists());
    let text = |name: &str| std::fs::read_to_string(room.path(name)).unwrap();
    assert!(text("m.prom").lines().any(|line| line.starts_with("tallow_last_exit_code") && line.ends_with(" 143")), "{}", text("m.prom"));
    assert!(text("l.jsonl").lines().last().unwrap().contains("ABORT"), "{}", text("l.jsonl"));
}
