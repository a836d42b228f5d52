//! Disks that fill up, directories that vanish, readers that never look away: the old output or the
//! new one, and the same command goes on.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Float32Array, Int64Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sha2::{Digest, Sha256};

use crate::harness::{Room, data};

fn room() -> Room {
    let room = Room::new();
    room.file(
        "good.json",
        std::fs::read(data("hostile/good.json")).unwrap(),
    );
    room.parquet("old.parquet", &rows(500), 500);
    room.parquet("new.parquet", &rows(20_000), 5_000);
    room
}

fn rows(count: i64) -> RecordBatch {
    // Ids that no compression makes small.
    let scattered = |id: i64| id.wrapping_mul(0x5851_f42d_4c95_7f2d) >> 7;
    let numbers = || {
        Arc::new(
            (0..count)
                .map(|id| (id % 9 != 5).then(|| (id % 1_000) as f32 / 1_000.0))
                .collect::<Float32Array>(),
        ) as ArrayRef
    };
    let ids = Arc::new((0..count).map(scattered).collect::<Int64Array>()) as ArrayRef;
    RecordBatch::try_from_iter([("id", ids), ("a", numbers()), ("b", numbers())]).unwrap()
}

const NEW: &str = "score --quiet --model good.json new.parquet --output out/set/ --rows-per-part \
                   2000 --on-null a=reject --overwrite";
const OLD: &str = "score --quiet --model good.json old.parquet --output out/set/ --rows-per-part \
                   200 --on-null a=reject --overwrite";

/// What readers see of a data set, times apart.
fn seen(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(directory)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let is_seen =
                |name: &str| !name.starts_with("_tallow/") || name.starts_with("_tallow/rejected");
            if path.is_dir() && is_seen(&name) {
                open.push(path);
            } else if path.is_file() && is_seen(&name) {
                files.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    files
}

fn bash(room: &Room, script: &str) -> (Option<i32>, String) {
    let output = Command::new("bash")
        .args(["-c", script])
        .env("NO_COLOR", "1")
        .current_dir(room.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Whether this process may mount, in a name space of its own.
fn may_mount(room: &Room) -> bool {
    bash(
        room,
        "unshare -rm bash -c 'mkdir -p probe && mount -t tmpfs -o size=64k tmpfs probe'",
    )
    .0 == Some(0)
}

#[test]
fn a_data_set_on_a_full_disk_keeps_the_old_one_and_goes_on_when_there_is_space() {
    let room = room();
    std::fs::create_dir(room.path("out")).unwrap();
    room.tallow(OLD).ok();
    let old = seen(&room.path("out/set"));
    room.tallow(NEW).ok();
    let new = seen(&room.path("out/set"));
    let program = env!("CARGO_BIN_EXE_tallow");
    let (full, space) = if may_mount(&room) {
        (
            "mount -t tmpfs -o size=160k tmpfs out",
            "mount -o remount,size=64m out",
        )
    } else {
        // Without a disk of our own, a limit on the size of files stands for a full one.
        (
            "rm -rf out/set; trap '' XFSZ; ulimit -S -f 8",
            "ulimit -S -f unlimited",
        )
    };
    let script = format!(
        "set -e; {full}; {program} {OLD}; cp -r out/set before
         code=0; {program} {NEW} || code=$?; [ $code = 1 ]; cp -r out/set after
         {space}; {program} {NEW}; cp -r out/set end"
    );
    let in_own_space = if may_mount(&room) {
        "unshare -rm bash -c \"$SCRIPT\""
    } else {
        "bash -c \"$SCRIPT\""
    };
    let (code, message) = bash(
        &room,
        &format!("SCRIPT=$(cat <<'END'\n{script}\nEND\n); {in_own_space}"),
    );
    assert_eq!(code, Some(0), "{message}");
    let text = message
        .lines()
        .find(|line| line.starts_with("error: cannot write the Parquet file (`out/set/"));
    assert!(
        text.is_some() && message.contains("`)\n  caused by: ") && !message.contains("External"),
        "{message}"
    );
    assert!(
        seen(&room.path("before")) == old && seen(&room.path("after")) == old,
        "the old data set: {:?}",
        seen(&room.path("after")).keys()
    );
    assert!(
        seen(&room.path("end")) == new,
        "{:?}",
        seen(&room.path("end")).keys()
    );
}

/// Starts a long run and waits until it has finished parts.
fn start(room: &Room, line: &str) -> std::process::Child {
    let mut run = room
        .command()
        .args(line.split(' '))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !room.path("out/set/_tallow/part-00002.json").exists() {
        assert!(
            run.try_wait().unwrap().is_none(),
            "the run ended before anything could be taken from it"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    run
}

#[test]
fn what_is_taken_away_during_a_run_is_missed_and_made_again() {
    let room = room();
    std::fs::create_dir(room.path("out")).unwrap();
    room.file(
        "rows.csv",
        format!("id,a,b\n{}", "1,0.25,0.5\n2,,0.5\n".repeat(12_000)),
    );
    let line = "score --quiet --model good.json rows.csv --output out/set/ --rows-per-part 1000 \
                --batch-rows 16 --threads 1 --on-null a=reject";
    room.tallow(line).ok();
    let whole = seen(&room.path("out/set"));
    // The whole directory, a finished part, and the right to write; the last means nothing to the
    // superuser, who gets a file in the way.
    let thefts: [(&str, &str); 3] = [
        ("mv out/set gone", "true"),
        (
            "rm out/set/_tallow/staged/part-00001.parquet.staged",
            "true",
        ),
        (
            "if [ $(id -u) = 0 ]; then mv out/set/_tallow/staged away; echo > \
             out/set/_tallow/staged; else chmod a-w out/set/_tallow out/set/_tallow/staged; fi",
            "if [ -d away ]; then rm out/set/_tallow/staged; mv away out/set/_tallow/staged; else \
             chmod u+w out/set/_tallow out/set/_tallow/staged; fi",
        ),
    ];
    for (take, give_back) in thefts {
        std::fs::remove_dir_all(room.path("out/set")).unwrap();
        let run = start(&room, line);
        // While it is taken away the run stands still: it would make what is missing again in
        // between.
        let pid = run.id();
        let taken = bash(
            &room,
            &format!("kill -STOP {pid}; {take}; code=$?; kill -CONT {pid}; exit $code"),
        );
        assert_eq!(taken.0, Some(0), "{take}: {}", taken.1);
        let output = run.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{take}: {message}");
        assert!(
            message.starts_with("error: ") && message.contains("out/set"),
            "{take}: {message}"
        );
        assert!(
            !room.path("out/set/_SUCCESS").exists()
                && !room.path("out/set/part-00000.parquet").exists(),
            "{take}"
        );
        assert_eq!(bash(&room, give_back).0, Some(0));
        room.tallow(line).ok();
        assert!(seen(&room.path("out/set")) == whole, "{take}");
    }
}

#[test]
fn a_publication_that_cannot_be_finished_is_forgotten_on_request() {
    let room = room();
    std::fs::create_dir(room.path("out")).unwrap();
    room.tallow(NEW).ok();
    let whole = seen(&room.path("out/set"));
    // As if the run had died before it could write the manifest under its name, and a file had been
    // lost since.
    std::fs::create_dir_all(room.path("out/set/_tallow")).unwrap();
    std::fs::rename(
        room.path("out/set/_tallow/manifest.json"),
        room.path("out/set/_tallow/publication.json"),
    )
    .unwrap();
    std::fs::remove_file(room.path("out/set/part-00001.parquet")).unwrap();
    let run = room.tallow(NEW).fails(1);
    assert!(
        run.stderr
            .contains("a finished file of the data set is gone")
            && run.stderr.contains("`--restart`"),
        "{run}"
    );
    assert!(!room.path("out/set/_SUCCESS").exists());
    // A coarser cut: files of the forgotten publication would be in the way.
    room.tallow(
        &NEW.replace("2000", "9000")
            .replace("score", "score --restart"),
    )
    .ok();
    assert_eq!(
        seen(&room.path("out/set"))
            .keys()
            .filter(|name| name.starts_with("part-"))
            .count(),
        3
    );
    room.tallow(NEW).ok();
    assert!(seen(&room.path("out/set")) == whole);
}

/// A file's rows, read whole; none if it went before it could be opened.
fn row_count(path: &Path) -> Option<usize> {
    let file = std::fs::File::open(path).ok()?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(
        reader
            .build()
            .unwrap()
            .map(|batch| {
                batch
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
                    .num_rows()
            })
            .sum(),
    )
}

/// Which file `_SUCCESS` is.
fn success(directory: &Path) -> Option<(u64, i64, i64)> {
    std::fs::metadata(directory.join("_SUCCESS"))
        .ok()
        .map(|found| (found.ino(), found.mtime(), found.mtime_nsec()))
}

/// Checks a data set that is whole from before the first look to after the last one.
fn look_at_set(directory: &Path) -> bool {
    let Some(before) = success(directory) else {
        return false;
    };
    let Ok(manifest) = std::fs::read(directory.join("_tallow/manifest.json")) else {
        return false;
    };
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let parts = manifest["parts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|part| part["files"].as_array().unwrap());
    let digests: Vec<(&str, Option<String>)> = parts
        .map(|file| {
            let bytes = std::fs::read(directory.join(file["path"].as_str().unwrap())).ok();
            (
                file["sha256"].as_str().unwrap(),
                bytes.map(|bytes| tallow::digest::hexadecimal(&Sha256::digest(bytes))),
            )
        })
        .collect();
    if success(directory) != Some(before) {
        return false;
    }
    assert!(
        digests
            .iter()
            .all(|(expected, found)| found.as_deref() == Some(*expected)),
        "`_SUCCESS`, and not what the manifest says"
    );
    true
}

#[test]
fn a_reader_that_never_looks_away_sees_whole_files_only() {
    let room = room();
    let file = |input: &str| {
        format!(
            "score --quiet --model good.json {input}.parquet --output out.parquet --on-null \
             a=reject --overwrite"
        )
    };
    room.tallow(OLD).ok();
    room.tallow(&file("old")).ok();
    let scored = [500, 20_000].map(|count| (0..count).filter(|id| id % 9 != 5).count());
    let (is_over, files, sets) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let rows = row_count(&room.path("out.parquet")).expect("there is always one");
                assert!(scored.contains(&rows), "{rows} rows");
                row_count(&room.path("out.report.pq")).expect("there is always one");
                for entry in std::fs::read_dir(room.path("out/set")).unwrap().flatten() {
                    let is_part = entry.file_name().to_string_lossy().starts_with("part-");
                    files.fetch_add(
                        u64::from(is_part && row_count(&entry.path()).is_some()),
                        Ordering::Relaxed,
                    );
                }
                sets.fetch_add(
                    u64::from(look_at_set(&room.path("out/set"))),
                    Ordering::Relaxed,
                );
            }
        });
        let runs = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..6 {
                [NEW.to_owned(), file("new"), OLD.to_owned(), file("old")]
                    .iter()
                    .for_each(|line| _ = room.tallow(line).ok());
            }
        }));
        is_over.store(true, Ordering::Relaxed);
        runs.unwrap();
    });
    let (files, sets) = (files.into_inner(), sets.into_inner());
    assert!(
        files > 20 && sets > 2,
        "the reader saw only {files} files and {sets} whole data sets"
    );
}
