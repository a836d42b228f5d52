//! Directories and files that the user may not read or write: an error names the path and what to
//! check, and whatever was there stays as it was.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::harness::{Room, data};
use crate::recovery::files;

/// A user that root can become and who owns nothing.
const OTHER: u32 = 65_534;

const SCORE: &str = "score --model good.json rows.csv --on-null a=reject";

/// A room that another user may enter, with the program in it.
fn room() -> Room {
    let room = Room::new();
    let mode = |name: &str, mode| set_mode(&room, name, mode);
    room.file("good.json", fs::read(data("hostile/good.json")).unwrap());
    let rows = "id,region,a,b\n1,n,0.25,0.5\n2,s,0.9,0.1\n3,n,,0.5\n4,s,0.3,0.2\n";
    room.file("rows.csv", rows);
    room.file("secret/rows.csv", rows);
    room.file(
        "secret/good.json",
        fs::read(data("hostile/good.json")).unwrap(),
    );
    room.file("outer/inner/rows.csv", rows);
    fs::create_dir(room.path("open")).unwrap();
    fs::create_dir(room.path("closed")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_tallow"), room.path("tallow")).unwrap();
    mode("", 0o755);
    mode("open", 0o777);
    for line in [
        format!("{SCORE} --output closed/old.parquet"),
        format!("{SCORE} --output closed/set/ --rows-per-part 2"),
    ] {
        room.tallow(&line).ok();
    }
    for name in ["closed", "closed/set", "closed/set/_tallow"] {
        mode(name, 0o555);
    }
    room
}

fn set_mode(room: &Room, name: &str, mode: u32) {
    fs::set_permissions(room.path(name), Permissions::from_mode(mode)).unwrap();
}

/// Runs a line as a user who does not own the room; gives its exit code and standard error.
fn run(room: &Room, line: &str) -> (i32, String) {
    let mut command = Command::new(room.path("tallow"));
    command
        .args(line.split_whitespace())
        .env_clear()
        .env("NO_COLOR", "1")
        .current_dir(room.path(""));
    if fs::metadata(room.path("")).unwrap().uid() == 0 {
        command.uid(OTHER).gid(OTHER);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap_or(-1), text)
}

/// Takes the right to write a directory and all that is in it.
fn close(path: &Path) {
    let mode = if path.is_dir() { 0o555 } else { 0o444 };
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let entries = fs::read_dir(path).into_iter().flatten();
    entries.for_each(|entry| close(&entry.unwrap().path()));
}

const DENIED: &str = "\n  caused by: Permission denied (os error 13)\nhint: check the permissions \
                      of the file and of the directories above it\n";

fn check_denied(room: &Room, line: &str, error: &str) {
    let (code, rendered) = run(room, line);
    assert_eq!(
        (code, rendered),
        (1, format!("error: {error}{DENIED}")),
        "{line}"
    );
}

#[test]
fn nothing_is_written_to_directories_that_may_not_be_written() {
    let room = room();
    let closed = || -> BTreeMap<String, Vec<u8>> { files(&room.path("closed")) };
    let before = closed();
    let lock = |path: &str| format!("cannot lock the output (`{path}`)");
    let cases = [
        (
            format!("{SCORE} --output closed/new.csv"),
            lock("closed/.new.csv.lock"),
        ),
        (
            format!("{SCORE} --output closed/old.parquet --overwrite"),
            lock("closed/.old.parquet.lock"),
        ),
        (
            format!("{SCORE} --output closed/new/"),
            "cannot make the directory (`closed/new/`)".to_owned(),
        ),
        (
            format!("{SCORE} --output closed/set/ --rows-per-part 1 --overwrite"),
            lock("closed/set/_tallow/lock"),
        ),
        (
            "retry closed/set".to_owned(),
            lock("closed/set/_tallow/lock"),
        ),
        (
            "profile rows.csv --output closed/profile.pq".to_owned(),
            "cannot create a temporary file alongside it (`closed/profile.pq`)".to_owned(),
        ),
        (
            "drift rows.csv rows.csv --output closed/drift.pq".to_owned(),
            "cannot create a temporary file alongside it (`closed/drift.pq`)".to_owned(),
        ),
    ];
    for (line, error) in cases {
        check_denied(&room, &line, &error);
        assert!(closed() == before, "{line} changed something");
    }
    // Reading needs no more than the right to read.
    assert_eq!(run(&room, "inspect closed/set").0, 0);
    set_mode(&room, "closed/set/_tallow/manifest.json", 0o000);
    check_denied(
        &room,
        "inspect closed/set",
        "cannot open the file (`closed/set/_tallow/manifest.json`)",
    );
    set_mode(&room, "closed/set/_tallow", 0o755);
    room.file("job.toml", "model = \"good.json\"\n");
    set_mode(&room, "job.toml", 0o000);
    check_denied(
        &room,
        "score --job job.toml",
        "cannot open the file (`job.toml`)",
    );
}

#[test]
fn a_registry_that_may_not_be_written_is_said_to_be_as_it_was() {
    let room = room();
    room.tallow("registry push good.json --name churn --registry models")
        .ok();
    let before = files(&room.path("models"));
    close(&room.path("models"));
    let line = "registry promote churn:1 champion --registry models";
    let (code, shown) = run(&room, line);
    assert_eq!(code, 1, "{shown}");
    assert!(
        shown.contains("cannot add to the log of `churn`, which is as it was"),
        "{shown}"
    );
    assert!(shown.contains("Permission denied"), "{shown}");
    assert!(shown.contains("hint: check the permissions"), "{shown}");
    assert!(files(&room.path("models")) == before, "{shown}");
}

#[test]
fn inputs_that_may_not_be_read_are_named_and_never_passed_over() {
    let room = room();
    set_mode(&room, "secret", 0o711);
    let score =
        |inputs: &str| format!("score --model good.json {inputs} --output open/out.parquet");
    for inputs in [
        "secret",
        "secret/*.csv",
        "secret/**/*.csv",
        "rows.csv secret",
    ] {
        check_denied(
            &room,
            &score(inputs),
            "cannot list the directory (`secret`)",
        );
    }
    set_mode(&room, "outer/inner", 0o000);
    for inputs in ["outer", "outer/**/*.csv", "outer/*/rows.csv"] {
        let (code, rendered) = run(&room, &score(inputs));
        assert!(
            code == 1 && rendered.contains("`outer/inner"),
            "{inputs}: {code} {rendered}"
        );
        assert!(
            rendered.contains("Permission denied"),
            "{inputs}: {rendered}"
        );
    }
    set_mode(&room, "outer/inner", 0o755);
    set_mode(&room, "secret/rows.csv", 0o000);
    set_mode(&room, "secret/good.json", 0o000);
    let unreadable = "cannot open the file (`secret/rows.csv`)";
    check_denied(&room, &score("secret/rows.csv rows.csv"), unreadable);
    check_denied(
        &room,
        "profile secret/rows.csv --output open/p.pq",
        unreadable,
    );
    check_denied(
        &room,
        "score --model secret/good.json rows.csv --output open/out.parquet",
        "cannot open the file (`secret/good.json`)",
    );
    assert!(room.listing_of("open").is_empty());
    let line = score("secret/rows.csv rows.csv --on-bad-file skip");
    let (code, rendered) = run(&room, &line);
    let reason = "secret/rows.csv: cannot open the file: Permission denied (os error 13)";
    assert!(code == 0 && rendered.contains(reason), "{code} {rendered}");
}
