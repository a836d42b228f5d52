//! Tables through pipes: `-` as input and as output.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::harness::{Room, Run, data};

/// The model of the demo, and its rows as CSV.
fn model() -> String {
    data("demo/churn").display().to_string()
}

fn rows() -> Vec<u8> {
    fs::read(data("demo/customers.csv")).unwrap()
}

/// Runs `tallow` with these bytes on its standard input, through a pipe.
fn piped(room: &Room, input: &[u8], arguments: &[&str]) -> Run {
    let mut command = room.command();
    let command = command.args(arguments).stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // A program that ends before it has read all of its input is none of this test's business.
        scope.spawn(move || _ = pipe.write_all(input));
        run_of(room, child.wait_with_output().unwrap())
    })
}

fn run_of(room: &Room, output: Output) -> Run {
    let text = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&*room.path("").to_string_lossy(), "[ROOM]/")
    };
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The predictions for a file of the demo as CSV, from the file into a file.
fn expected(name: &str) -> String {
    let room = Room::new();
    let (model, rows) = (model(), data("demo").join(name));
    let line = ["score", "--model", &model, "--output", "out.csv"];
    let line = line.map(OsStr::new).into_iter().chain([rows.as_os_str()]);
    room.run(line).ok();
    fs::read_to_string(room.path("out.csv")).unwrap()
}

#[test]
fn rows_that_come_through_a_pipe_score_as_those_of_a_file() {
    let (room, model) = (Room::new(), model());
    let line = ["score", "--model", &model, "-", "--output", "out.csv"];
    piped(&room, &rows(), &line).ok();
    let written = fs::read_to_string(room.path("out.csv")).unwrap();
    assert_eq!(written, expected("customers.csv"));
    // Parquet needs its end first; compressed text is recognised by its beginning.
    let parquet = fs::read(data("demo/customers.parquet")).unwrap();
    let compressed = zstd::stream::encode_all(rows().as_slice(), 1).unwrap();
    for (input, name) in [
        (parquet, "customers.parquet"),
        (compressed, "customers.csv"),
    ] {
        let line = ["score", "--model", &model, "-", "--output", "-"];
        assert_eq!(piped(&room, &input, &line).ok().stdout, expected(name));
        piped(&room, &input, &["check", "--model", &model, "-"]).ok();
    }
    // A file that the shell opened is read where it is.
    let file = File::open(data("demo/customers.csv")).unwrap();
    let mut command = room.command();
    let redirected = command
        .args(["score", "--model", &model, "-", "--output", "-"])
        .stdin(file);
    let run = run_of(&room, redirected.output().unwrap()).ok();
    assert_eq!(run.stdout, expected("customers.csv"));
    assert!(run.stderr.contains("rows"), "the summary: {run}");
}

#[test]
fn standard_output_gets_all_predictions_or_nothing_and_no_file_is_left() {
    let (room, model) = (Room::new(), model());
    let line = ["score", "--model", &model, "-", "--output", "-"];
    let run = piped(&room, &rows(), &line).ok();
    assert_eq!(run.stdout, expected("customers.csv"));
    assert_eq!(room.listing(), Vec::<String>::new());
    let parquet = [&line[..], &["--output-format", "parquet"]].concat();
    let mut command = room.command();
    command.args(&parquet[..3]).arg(data("demo/customers.csv"));
    let output = command.args(&parquet[4..]).output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.starts_with(b"PAR1") && output.stdout.ends_with(b"PAR1"));
    // One bad row in the middle: what came before it does not come out.
    let text = String::from_utf8(rows()).unwrap();
    let count = text.lines().count();
    let bad = text.lines().nth(count / 2).unwrap();
    let spoilt = text.replace(
        bad,
        &bad.replace(|symbol: char| symbol.is_ascii_digit(), "x"),
    );
    let run = piped(&room, spoilt.as_bytes(), &line);
    assert!(run.code != 0 && run.stdout.is_empty(), "{run}");
    assert_eq!(room.listing(), Vec::<String>::new());
}

#[test]
fn what_has_no_place_next_to_a_stream_is_refused() {
    let (room, model) = (Room::new(), model());
    let line = ["score", "--model", &model, "-", "--output", "-"];
    for (flags, message) in [
        (&["--format", "json"][..], "both write to standard output"),
        (
            &["--rows-per-part", "100"],
            "`--output -` is standard output",
        ),
        (
            &["--partition-by", "region"],
            "`--output -` is standard output",
        ),
        (&["--report", "-"], "`--report -`: only predictions"),
        (
            &["--metrics-file", "-"],
            "`--metrics-file -`: only predictions",
        ),
        (
            &["--lineage-file", "-"],
            "`--lineage-file -`: only predictions",
        ),
        (
            &["--profile", "auto"],
            "`--profile` has no name next to standard output",
        ),
        (
            &["--challenger", "other=model.json"],
            "answers of challengers",
        ),
    ] {
        let run = piped(&room, &rows(), &[&line[..], flags].concat()).fails(2);
        assert!(run.stderr.contains(message), "{flags:?}: {run}");
        assert!(run.stdout.is_empty() || flags.contains(&"json"), "{run}");
    }
    let run = piped(
        &room,
        b"",
        &["score", "--model", "-", "-", "--output", "out.csv"],
    )
    .fails(2);
    assert!(
        run.stderr
            .contains("a model is not read from standard input"),
        "{run}"
    );
    let report = ["evaluate", "-", "--label", "churned", "--output", "-"];
    let run = piped(&room, &rows(), &report).fails(2);
    assert!(
        run.stderr.contains("`--output -`: only predictions"),
        "{run}"
    );
    assert_eq!(room.listing(), Vec::<String>::new());
}

#[test]
fn a_data_set_made_from_a_pipe_is_recognised_and_resumed_by_its_content() {
    let (room, model) = (Room::new(), model());
    let line = ["score", "--model", &model, "-", "--output", "scores/"];
    piped(&room, &rows(), &line).ok();
    let run = piped(&room, &rows(), &line).ok();
    assert!(run.stderr.contains("nothing to do"), "{run}");
    let text = String::from_utf8(rows()).unwrap();
    let fewer: Vec<&str> = text.lines().take(100).collect();
    let run = piped(&room, fewer.join("\n").as_bytes(), &line);
    assert!(run.code != 0, "other rows under the same name: {run}");
}

#[test]
fn a_data_set_made_from_a_pipe_is_replayed_from_the_same_pipe() {
    let (room, model) = (Room::new(), model());
    let line = ["score", "--model", &model, "-", "--output", "scores/"];
    piped(&room, &rows(), &line).ok();
    let run = piped(&room, &rows(), &["replay", "scores"]).ok();
    assert!(run.to_string().contains("same"), "{run}");
    let text = String::from_utf8(rows()).unwrap();
    let fewer: Vec<&str> = text.lines().take(20).collect();
    piped(&room, fewer.join("\n").as_bytes(), &["replay", "scores"]).fails(3);
}

#[test]
fn a_profile_never_replaces_what_the_run_reads() {
    let (room, model) = (Room::new(), model());
    room.file("rows.csv", rows());
    let line = ["score", "--model", &model, "rows.csv", "--output", "o.csv"];
    for profile in ["./rows.csv", "rows.csv"] {
        let run = room.run([&line[..], &["--overwrite", "--profile", profile]].concat());
        assert!(
            run.fails(2).stderr.contains("one of the inputs"),
            "{profile}"
        );
    }
    let taken = room.run([&line[..], &["--profile", "./o.csv"]].concat());
    assert!(taken.fails(2).stderr.contains("another file of the run"));
    assert_eq!(std::fs::read(room.path("rows.csv")).unwrap(), rows());
}

#[test]
fn other_verbs_read_standard_input_too_and_a_file_of_that_name_has_a_path() {
    let room = Room::new();
    let run = piped(&room, &rows(), &["inspect", "-"]).ok();
    assert!(run.stdout.contains("tenure_months"), "{run}");
    let run = piped(&room, b"", &["inspect", "-"]);
    assert!(run.code != 0 && run.stderr.contains('-'), "{run}");
    room.file("-", rows());
    let model = model();
    room.tallow(&format!("score --model {model} ./- --output out.csv"))
        .ok();
    assert_eq!(
        fs::read_to_string(room.path("out.csv")).unwrap(),
        expected("customers.csv")
    );
    let mut command = room.command();
    let closed = command.args(["score", "--model", &model, "-", "--output", "o.csv"]);
    let run = run_of(&room, closed.output().unwrap());
    assert!(run.code != 0, "an empty input is not a table: {run}");
}

/// Sends TERM once, and returns the exit code: a program that goes on waiting fails the test.
fn terminated(mut child: Child) -> Option<i32> {
    let id = child.id().to_string();
    assert!(Command::new("kill").arg(id).status().unwrap().success());
    for _ in 0..600 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    panic!("one TERM does not stop a program that waits for a pipe");
}

#[test]
fn one_term_stops_a_program_that_waits_for_its_input() {
    let (room, model) = (Room::new(), model());
    let line = ["score", "-qq", "--model", &model, "-", "--output"];
    let mut command = room.command();
    let command = command.args(line).arg("out.csv").stdin(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // Ends once most of it was read: more than a pipe holds.
    pipe.write_all(&b"customer_id\n".repeat(100_000)).unwrap();
    assert_eq!(terminated(child), Some(143));
    assert!(!room.path("out.csv").exists());
    drop(pipe);
}

#[test]
fn one_term_stops_a_program_that_waits_for_the_reader_of_its_output() {
    let room = Room::new();
    let good = fs::read(data("hostile/good.json")).unwrap();
    room.file("good.json", good);
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n".repeat(100_000)),
    );
    let line = "score -qq --model good.json rows.csv --output -";
    let mut command = room.command();
    let command = command.args(line.split(' ')).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    // The first byte comes once the output is whole; no one reads the rest.
    pipe.read_exact(&mut [0]).unwrap();
    assert_eq!(terminated(child), Some(143));
    drop(pipe);
}

/// What the files without a name hold that a process keeps rows in, once it is at least this much.
#[cfg(target_os = "linux")]
fn kept_rows(child: &mut Child, min_bytes: usize) -> Vec<u8> {
    let directory = format!("/proc/{}/fd", child.id());
    let is_kept = |path: &std::path::Path| {
        fs::read_link(path).is_ok_and(|link| link.to_string_lossy().contains("/.tmp-rows-"))
    };
    for _ in 0..1200 {
        let open = fs::read_dir(&directory).unwrap();
        let paths = open.map(|entry| entry.unwrap().path());
        let kept: Vec<_> = paths.filter(|path| is_kept(path)).collect();
        let bytes: Vec<u8> = kept
            .iter()
            .flat_map(|path| fs::read(path).unwrap_or_default())
            .collect();
        if bytes.len() >= min_bytes {
            return bytes;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("no rows were kept in {directory}");
}

/// The name of a customer, in every row.
const SECRET: &str = "ZZ-SECRET-CUSTOMER";

fn has_secret(bytes: &[u8]) -> bool {
    bytes
        .windows(SECRET.len())
        .any(|part| part == SECRET.as_bytes())
}

/// More rows than a pipe holds, for the model of `hostile/good.json`.
fn secret_rows(room: &Room) -> String {
    room.file("good.json", fs::read(data("hostile/good.json")).unwrap());
    room.file("footer.key", [7; 32]);
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(room.path("footer.key"), permissions).unwrap();
    let row = |row| format!("{SECRET}-{row},0.25,{}\n", row % 7);
    let rows: String = (0..40_000).map(row).collect();
    format!("id,a,b\n{rows}")
}

#[test]
#[cfg(target_os = "linux")]
fn rows_that_wait_for_the_end_of_a_pipe_are_sealed_where_there_are_keys() {
    let room = Room::new();
    let rows = secret_rows(&room);
    let line = "score -qq --model good.json - --output";
    let cases = [
        ("plain", "", true),
        ("written", " --encryption-key footer.key", false),
        ("read", " --decryption-key footer.key", false),
    ];
    for (name, keys, is_plain) in cases {
        let mut command = room.command();
        let command = command.args(format!("{line} {name}.parquet{keys}").split(' '));
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(rows.as_bytes()).unwrap();
        let kept = kept_rows(&mut child, rows.len() / 2);
        assert_eq!(has_secret(&kept), is_plain, "{name}");
        drop(pipe);
        assert!(child.wait().unwrap().success(), "{name}");
    }
    let read = |name: &str| fs::read(room.path(name)).unwrap();
    assert!(read("read.parquet") == read("plain.parquet"));
    assert!(!has_secret(&read("written.parquet")));
    let same = "compare plain.parquet written.parquet --key id --decryption-key footer.key";
    let same = room.tallow(same).ok().stdout;
    assert!(
        same.contains("40,000 compared of 40,000 and 40,000"),
        "{same}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn rows_that_wait_for_standard_output_are_sealed_where_there_are_keys() {
    let room = Room::new();
    let rows = secret_rows(&room);
    room.file("rows.csv", &rows);
    let mut outputs = Vec::new();
    for (keys, is_plain) in [("", true), (" --decryption-key footer.key", false)] {
        let line = format!("score -qq --model good.json rows.csv --output -{keys}");
        let mut command = room.command();
        let command = command.args(line.split(' ')).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // No one reads, so it goes on waiting.
        let kept = kept_rows(&mut child, rows.len() / 2);
        assert_eq!(has_secret(&kept), is_plain, "{keys}");
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && has_secret(&output.stdout));
        outputs.push(output.stdout);
    }
    assert!(outputs[0] == outputs[1]);
}
