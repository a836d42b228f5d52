//! The fuzzer: mutated models, tables, records, manifests, job files, paths and arguments. Whatever
//! they hold, a run ends by itself with a documented exit code, a message that names what is wrong
//! and where, bounded memory and nothing left behind; what is accepted gives the same bytes twice.
//!
//! By default some hundred inputs, from seeds alone. `TALLOW_FUZZ_SECONDS=3600` goes on for an hour
//! and begins with, and adds to, a corpus in the user's cache (see `kept.rs`): an input that
//! reaches new behaviour is kept and mutated further. What was found lies below the build
//! directory's `tmp/fuzz`, each with its files, the command and the message.
//!
//! New behaviour is a new end (exit code and shape of the message), or new code where the build
//! counts it. The stable compiler can, in our code alone:
//!
//! ```text
//! RUSTC_WORKSPACE_WRAPPER=$PWD/tests/fuzz/instrumented TALLOW_FUZZ_SECONDS=3600 \
//!     cargo test --test it fuzz::
//! ```
//!
//! `TALLOW_FUZZ_GROUP=sql` fuzzes one group of seeds, `TALLOW_FUZZ_SEED=n` begins at another seed,
//! `TALLOW_FUZZ_WORKERS=n` is the number of processes. Finds become small files in `data/hostile`,
//! with their message in `hostile.rs`, or a row of a table in the test of their kind.

mod archive;
mod coverage;
mod judge;
mod kept;
mod pickle;
mod seeds;
mod seeds_further;
mod structure;
mod worker;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Inputs of a usual run.
const COUNT: u64 = 240;

/// Inputs after which a worker is replaced: every run in a process leaves a thread that waits for
/// signals.
const COUNT_PER_WORKER: u64 = 150;

/// The address space of a worker, in KiB: what the allocator and the threads reserve, and some
/// hundred MiB to use.
const LIMIT_KIBIBYTES: u32 = 8 << 20;

/// Time on the processors for one input, in a debug build; what takes longer hangs.
const HANG_SECONDS: f64 = 40.0;

/// What waits for this long hangs too.
const STILL: Duration = Duration::from_mins(3);

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

#[test]
fn mutated_inputs_end_with_a_message_and_leave_nothing() {
    let seconds = number("TALLOW_FUZZ_SECONDS");
    let first = number("TALLOW_FUZZ_SEED").unwrap_or(0);
    let count = seconds.map_or(COUNT, |_| u64::MAX / 2);
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(3600));
    let room = tempfile::tempdir().unwrap();
    // What a long run found is kept for anyone who started it.
    let directory = match seconds {
        Some(_) => Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz"),
        None => room.path().to_owned(),
    };
    let corpus = seconds.map(|_| kept::folder());
    for folder in corpus.iter().chain([&directory]) {
        std::fs::create_dir_all(folder).unwrap();
    }
    let next = AtomicU64::new(first);
    let work = |number: u64| {
        let directory = directory.join(format!("worker-{number}"));
        std::fs::create_dir_all(&directory).unwrap();
        while Instant::now() < end {
            let seed = next.fetch_add(COUNT_PER_WORKER, Ordering::Relaxed);
            if seed - first >= count {
                break;
            }
            let batch = Batch {
                seed,
                count: COUNT_PER_WORKER.min(count - (seed - first)),
                directory: &directory,
                corpus: corpus.as_deref(),
            };
            batch.run(end);
        }
    };
    let workers = number("TALLOW_FUZZ_WORKERS").unwrap_or(if seconds.is_some() { 1 } else { 2 });
    std::thread::scope(|scope| {
        (0..workers).for_each(|number| _ = scope.spawn(move || work(number)));
    });
    let (finds, summary) = results(&directory);
    assert!(
        finds.is_empty(),
        "{summary}; these failed:\n{}",
        finds.join("\n")
    );
    assert!(!summary.is_empty(), "nothing was run");
    if seconds.is_some() {
        std::fs::write(directory.join("summary.txt"), summary).unwrap();
    }
}

/// The process in which inputs are run, one after the other; started by the fuzzer alone.
#[test]
#[ignore = "the fuzzer starts it"]
fn worker_process() {
    if let Some(directory) = std::env::var_os("TALLOW_FUZZ_WORKER") {
        worker::work(&PathBuf::from(directory));
    }
}

/// Inputs that one process runs.
struct Batch<'a> {
    seed: u64,
    count: u64,
    directory: &'a Path,
    corpus: Option<&'a Path>,
}

impl Batch<'_> {
    /// Runs the inputs; where one ends the process, that is a find and another process goes on.
    fn run(&self, end: Instant) {
        let mut seed = self.seed;
        while seed < self.seed + self.count && Instant::now() < end {
            let log = self.directory.join("stderr");
            drop(std::fs::remove_file(&log));
            std::fs::write(self.directory.join("progress"), seed.to_string()).unwrap();
            let mut child = self.start(seed, &log);
            let how = self.wait(&mut child);
            let progress = std::fs::read_to_string(self.directory.join("progress")).unwrap();
            let Some(how) = how else {
                return;
            };
            let at: u64 = progress.trim().parse().unwrap_or(seed);
            worker::keep_find(self.directory, at, "ended", &how);
            seed = at + 1;
        }
    }

    fn start(&self, seed: u64, log: &Path) -> Child {
        let log = File::options().append(true).create(true).open(log).unwrap();
        let script = format!(
            "ulimit -v {LIMIT_KIBIBYTES}; ulimit -c 0; exec \"$0\" --exact fuzz::worker_process \
             --ignored --nocapture --test-threads 1"
        );
        let mut command = Command::new("bash");
        command
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .env_clear()
            .env("TALLOW_FUZZ_WORKER", self.directory)
            .env("TALLOW_FUZZ_SEED", seed.to_string())
            .env(
                "TALLOW_FUZZ_COUNT",
                (self.seed + self.count - seed).to_string(),
            )
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .env("MALLOC_ARENA_MAX", "2")
            .env("LLVM_PROFILE_FILE", "/dev/null")
            .current_dir(self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(corpus) = self.corpus {
            command.env("TALLOW_FUZZ_KEPT", corpus);
        }
        for name in ["PATH", "LD_LIBRARY_PATH", "TALLOW_FUZZ_GROUP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.spawn().unwrap()
    }

    /// How the process ended, if not by having done its work.
    fn wait(&self, child: &mut Child) -> Option<String> {
        let (mut last, mut since) = (String::new(), (Instant::now(), 0.0));
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return (!status.success()).then(|| format!("the process ended: {status}"));
            }
            let now = std::fs::read_to_string(self.directory.join("progress")).unwrap_or_default();
            let used = processor_seconds(child.id());
            if now != last {
                (last, since) = (now, (Instant::now(), used));
            }
            if used - since.1 > HANG_SECONDS || since.0.elapsed() > STILL {
                child.kill().unwrap();
                child.wait().unwrap();
                return Some(format!("no end after {:.0} s", used - since.1));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Time on the processors of another process.
fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// The messages of all finds, and how many inputs ended how.
fn results(directory: &Path) -> (Vec<String>, String) {
    let (mut finds, mut codes) = (Vec::new(), BTreeMap::<String, u64>::new());
    for worker in std::fs::read_dir(directory).unwrap() {
        let worker = worker.unwrap().path();
        let Ok(entries) = std::fs::read_dir(&worker) else {
            continue;
        };
        for entry in entries {
            if let Ok(text) = std::fs::read_to_string(entry.unwrap().path().join("message.txt")) {
                finds.push(text);
            }
        }
        let counts = std::fs::read_to_string(worker.join("counts")).unwrap_or_default();
        for line in counts.lines() {
            *codes.entry(line.to_owned()).or_default() += 1;
        }
    }
    let summary = codes
        .into_iter()
        .map(|(end, count)| format!("{end}: {count}"))
        .collect::<Vec<_>>();
    (finds, summary.join(", "))
}
