//! Mutated files: whatever a seeded generator does to tables, models and records, a run ends by
//! itself, with a message, leaving nothing.
//!
//! By default some hundred mutations; `TALLOW_FUZZ_SECONDS=3600` goes on for an hour with one
//! worker, and keeps what it found below the build directory's `tmp/fuzz`. A mutation is its seed:
//! `TALLOW_FUZZ_SEED=n TALLOW_FUZZ_COUNT=1` makes it again, `TALLOW_FUZZ_SEED=n` begins there.
//! Finds become small files in `data/hostile`, with their message in `hostile.rs`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::fuzz_corpus::{Case, corpus};
use crate::harness::Room;
use crate::mutation::{Generator, mutate};

/// Mutations of a usual run.
const COUNT: u64 = 200;

/// Seconds that a run over a file of some kilobytes may take on a busy machine; whoever needs more
/// hangs.
const LIMIT_SECONDS: u32 = 30;

/// The address space of a run, in KiB: what the allocator and the threads reserve, and a few
/// hundred MiB to use.
const LIMIT_KIBIBYTES: u32 = 4 << 20;

/// How a run is asked for; `{model}`, `{data}`: the files.
const LINES: [&str; 12] = [
    "score --model {model} {data} --output out.parquet",
    "score --model {model} {data} --output out.parquet --raw --passthrough all --threads 2 \
     --batch-rows 7",
    "score --model {model} {data} --output out.csv --on-null reject --on-unseen reject",
    "score --model {model} {data} --output out.parquet --on-null null --on-unseen null \
     --passthrough all --memory 300MiB",
    "score --model {model} {data} --output out.csv --on-null 0 --on-unseen 0 --limit 9 --trees all",
    "score --model {model} {data} --output out/ --rows-per-part 7 --on-null reject --on-unseen \
     reject --on-bad-file skip",
    "score --model {model} {data} --output out.parquet --format json --report none",
    "check --model {model} {data}",
    "check --model {model} {data} --format json",
    "inspect {model}",
    "inspect {data}",
    "inspect {data} --format json",
];

#[test]
fn mutated_files_get_a_message_and_leave_nothing() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().expect("a number"))
    };
    let (seconds, first) = (
        number("TALLOW_FUZZ_SECONDS"),
        number("TALLOW_FUZZ_SEED").unwrap_or(0),
    );
    let count =
        number("TALLOW_FUZZ_COUNT").unwrap_or(if seconds.is_some() { u64::MAX } else { COUNT });
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (cases, next, codes) = (
        corpus(),
        AtomicU64::new(first),
        std::sync::Mutex::new(BTreeMap::<i32, u64>::new()),
    );
    let finds = std::sync::Mutex::new(BTreeMap::<String, String>::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed - first >= count || end.is_some_and(|end| Instant::now() > end) {
                return;
            }
            match try_seed(&cases, seed) {
                Ok(code) => *codes.lock().unwrap().entry(code).or_default() += 1,
                Err(find) => {
                    let (kind, text) = (find.kind.clone(), format!("seed {seed}: {}", find.text));
                    if finds.lock().unwrap().insert(kind, text.clone()).is_none()
                        && seconds.is_some()
                    {
                        keep(seed, &find, &text);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..if seconds.is_some() { 1 } else { 2 }).for_each(|_| _ = scope.spawn(work));
    });
    let (finds, tried) = (finds.into_inner().unwrap(), next.into_inner() - first);
    let texts: Vec<String> = finds.into_values().collect();
    assert!(
        texts.is_empty(),
        "of {tried} mutations, with exit codes {:?}, these failed:\n{}",
        codes.into_inner().unwrap(),
        texts.join("\n")
    );
    if seconds.is_some() {
        let summary = format!(
            "{tried} mutations, exit codes {:?}",
            codes.into_inner().unwrap()
        );
        std::fs::write(kept().join("summary.txt"), summary).unwrap();
    }
}

/// What is wrong with a run.
struct Find {
    /// The same for finds that are alike.
    kind: String,
    text: String,
    files: Vec<(String, Vec<u8>)>,
}

fn kept() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn keep(seed: u64, find: &Find, text: &str) {
    let directory = kept().join(format!("seed-{seed}"));
    for (name, bytes) in &find.files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(directory.join("message.txt"), text).unwrap();
    let mut log = std::fs::File::options()
        .append(true)
        .create(true)
        .open(kept().join("finds.txt"))
        .unwrap();
    writeln!(log, "{text}").unwrap();
}

/// Mutates one file of one case and runs one line over it.
fn try_seed(groups: &[Vec<Case>], seed: u64) -> Result<i32, Box<Find>> {
    let mut random = Generator::new(seed);
    let [case, other] = [(); 2].map(|()| {
        let group = random.pick(groups);
        random.pick(group)
    });
    let mut files = case.files.clone();
    let target = random.below(files.len());
    let donor = &random.pick(&other.files).1;
    mutate(&mut random, &mut files[target].1, donor);
    if random.below(4) > 0 {
        reseal(&case.files[target].1, target, &mut files);
    }
    let line = if case.line.is_empty() {
        *random.pick(&LINES)
    } else {
        case.line
    };
    let line = line
        .replace("{model}", &case.model)
        .replace("{data}", &case.data);
    let room = Room::new();
    files
        .iter()
        .for_each(|(name, bytes)| _ = room.file(name, bytes));
    let before = room.listing();
    let (code, message) = run(&room, &line);
    let problem = judge(&room, &before, code, &message);
    problem.map_or(Ok(code), |(kind, problem)| {
        let text = format!(
            "{problem}, exit {code}: tallow {line} ({} mutated)\n{message}",
            files[target].0
        );
        Err(Box::new(Find { kind, text, files }))
    })
}

/// Puts the digest of the mutated file where another names that of the file before, so that what is
/// behind the digest is reached too.
fn reseal(before: &[u8], target: usize, files: &mut [(String, Vec<u8>)]) {
    let digest = |bytes: &[u8]| tallow::digest::hexadecimal(&Sha256::digest(bytes));
    let (then, now) = (digest(before), digest(&files[target].1));
    for (_, bytes) in files {
        if let Ok(text) = std::str::from_utf8(bytes)
            && text.contains(&then)
        {
            *bytes = text.replace(&then, &now).into_bytes();
        }
    }
}

/// Runs the program under its limits; gives the exit code (above 128 for a signal) and what it said
/// on standard error.
fn run(room: &Room, line: &str) -> (i32, String) {
    let program = env!("CARGO_BIN_EXE_tallow");
    let script = format!(
        "ulimit -v {LIMIT_KIBIBYTES}; ulimit -c 0; exec timeout -s KILL {LIMIT_SECONDS} {program} \
         {line}"
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .env("NO_COLOR", "1")
        .current_dir(room.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let output = command.output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// What is wrong with the end of a run, in a form that is the same for like runs, and in words.
fn judge(room: &Room, before: &[String], code: i32, message: &str) -> Option<(String, String)> {
    let kind = || {
        message
            .lines()
            .take(2)
            .map(|line| {
                line.chars()
                    .filter(|character| !character.is_ascii_digit())
                    .collect::<String>()
            })
            .collect::<String>()
    };
    if message.contains("internal error") || message.contains("panick") {
        return Some((kind(), "a panic or an error of ours".to_owned()));
    }
    if ![0, 1, 2, 3, 5, 6].contains(&code) {
        return Some((
            format!("exit {code}, {}", kind()),
            if code == 137 {
                "killed or too slow"
            } else {
                "an end of no kind"
            }
            .to_owned(),
        ));
    }
    if code != 0 && message.trim().is_empty() {
        return Some(("silent".to_owned(), "no message".to_owned()));
    }
    let left: Vec<String> = room
        .listing()
        .into_iter()
        .filter(|name| !before.contains(name))
        .collect();
    // The state of an unfinished data set stays, hidden, for the next run.
    let is_state = |name: &String| {
        name == "out"
            && !room.path("out/_SUCCESS").exists()
            && !room.path("out/part-00000.parquet").exists()
    };
    let is_wrong = code != 0 && !left.iter().all(is_state);
    let lost: Vec<&String> = before
        .iter()
        .filter(|name| !room.path(name).exists())
        .collect();
    if is_wrong || !lost.is_empty() {
        return Some((
            format!("left {left:?}, lost {lost:?}"),
            format!("left {left:?}, lost {lost:?}"),
        ));
    }
    None
}
