//! The process that runs inputs: most of them in itself, some through the program.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::coverage::{Coverage, shape};
use super::judge::{End, Listing, difference, judge, listing};
use super::kept;
use super::seeds::{self, Case, Group};
use super::structure::mutate_structure;
use crate::mutation::{Generator, mutate};

/// One in so many inputs is run through the program too.
const THROUGH_THE_PROGRAM: usize = 25;

/// One in so many is run again with other threads and batches.
const AGAIN: usize = 3;

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
    "check --model {model} {data} --format json --scan",
    "inspect {model}",
    "inspect {data}",
    "inspect {data} --format json",
];

/// Runs the inputs that the environment names, in a folder of its own.
pub(crate) fn work(directory: &Path) {
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (first, count) = (number("TALLOW_FUZZ_SEED"), number("TALLOW_FUZZ_COUNT"));
    let corpus = std::env::var_os("TALLOW_FUZZ_KEPT").map(PathBuf::from);
    let mut worker = Worker {
        groups: seeds::groups(),
        kept: corpus.as_deref().map(kept::load).unwrap_or_default(),
        coverage: Coverage::new(&directory.join("coverage")),
        corpus,
        directory: directory.to_owned(),
    };
    for seed in first..first + count {
        std::fs::write(directory.join("progress"), seed.to_string()).unwrap();
        worker.try_seed(seed);
    }
}

struct Worker {
    groups: Vec<Group>,
    kept: Vec<Case>,
    coverage: Coverage,
    corpus: Option<PathBuf>,
    directory: PathBuf,
}

impl Worker {
    fn room(&self) -> PathBuf {
        self.directory.join("room")
    }

    /// Mutates one input and runs it.
    fn try_seed(&mut self, seed: u64) {
        let mut random = Generator::new(seed);
        let case = self.mutated(&mut random);
        if !self.write(&case) {
            return;
        }
        let before = listing(&self.room());
        self.coverage.clear();
        let end = self.run(&case, &[]);
        let after = listing(&self.room());
        self.count(&format!("exit {}", end.code));
        if self.coverage.is_new(end.code, &end.message)
            && let Some(corpus) = &self.corpus
        {
            kept::keep(corpus, &case);
            self.kept.push(case.clone());
        }
        let mut problem = judge(&case, &end, &before, &after);
        if problem.is_none() && random.below(AGAIN) == 0 && case.line.starts_with("score") {
            self.write(&case);
            let mut others = vec!["--threads=3"];
            if !case.line.contains("--batch-rows") {
                others.push("--batch-rows=5");
            }
            if case.line.contains("--threads") {
                others.remove(0);
            }
            let again = self.run(&case, &others);
            let listing = listing(&self.room());
            problem = difference((&end, &after), (&again, &listing));
        }
        if problem.is_none() && random.below(THROUGH_THE_PROGRAM) == 0 {
            self.write(&case);
            let end = self.run_program(&case);
            problem = judge(&case, &end, &before, &listing(&self.room()));
        }
        if let Some(problem) = problem {
            self.write(&case);
            let text = format!("{problem}, exit {}\n{}", end.code, end.message);
            keep_find(&self.directory, seed, &problem, &text);
        }
    }

    /// An input: a seed or a kept one, with one file or argument changed.
    fn mutated(&self, random: &mut Generator) -> Case {
        let pick = |random: &mut Generator| {
            if !self.kept.is_empty() && random.below(2) == 0 {
                random.pick(&self.kept).clone()
            } else {
                let group = random.pick(&self.groups);
                group.case(random)
            }
        };
        let (mut case, other) = (pick(random), pick(random));
        if case.line.is_empty() {
            case.line = Cow::Borrowed(*random.pick(&LINES));
        }
        let target = random.below(case.files.len());
        let donor = &random.pick(&other.files).1;
        let before = case.files[target].1.clone();
        let bytes = &mut case.files[target].1;
        if random.below(2) == 0 || !mutate_structure(random, bytes, donor) {
            mutate(random, bytes, donor);
        }
        if random.below(4) > 0 {
            reseal(&before, target, &mut case.files);
        }
        let (name, bytes) = &mut case.files[target];
        if name.contains("path") || name.contains("job") {
            *bytes = inside(bytes);
        }
        case
    }

    /// Writes the input's files into an empty room, and what is run next to it; false if the file
    /// system has no such names.
    fn write(&self, case: &Case) -> bool {
        let room = self.room();
        drop(std::fs::remove_dir_all(&room));
        std::fs::create_dir_all(&room).unwrap();
        std::fs::write(self.directory.join("input"), kept::encode(case)).unwrap();
        let files = case.files.iter().filter(|(name, _)| !name.starts_with('@'));
        for (name, bytes) in files {
            let path = room.join(filled(name, case));
            let made = path.parent().map(std::fs::create_dir_all);
            if !matches!(made, Some(Ok(()))) || std::fs::write(path, bytes).is_err() {
                return false;
            }
        }
        true
    }

    fn count(&self, what: &str) {
        let path = self.directory.join("counts");
        let file = File::options().append(true).create(true).open(path);
        writeln!(file.unwrap(), "{what}").unwrap();
    }

    /// Runs the command in this process.
    fn run(&self, case: &Case, more: &[&str]) -> End {
        std::env::set_current_dir(self.room()).unwrap();
        let log = self.directory.join("stderr");
        File::options()
            .write(true)
            .open(&log)
            .unwrap()
            .set_len(0)
            .unwrap();
        let arguments = std::iter::once(OsString::from("tallow"))
            .chain(arguments(case))
            .chain(more.iter().map(OsString::from));
        let arguments: Vec<OsString> = arguments.collect();
        // The peak is counted anew.
        drop(std::fs::write("/proc/self/clear_refs", "5"));
        let (memory, time) = (memory("VmRSS:"), processor_seconds());
        let code = tallow::cli::run(arguments);
        let code = (0..=255).find(|number| code == ExitCode::from(*number));
        std::env::set_current_dir(&self.directory).unwrap();
        End {
            code: code.map_or(-1, i32::from),
            message: String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned(),
            seconds: processor_seconds() - time,
            peak_bytes: self::memory("VmHWM:").saturating_sub(memory),
        }
    }

    /// Runs the command through the program, under limits of its own.
    fn run_program(&self, case: &Case) -> End {
        let start = Instant::now();
        let output = Command::new("bash")
            .args([
                "-c",
                "ulimit -v 4194304; exec timeout -s KILL 60 \"$@\"",
                "-",
            ])
            .arg(env!("CARGO_BIN_EXE_tallow"))
            .args(arguments(case))
            .current_dir(self.room())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .output()
            .unwrap();
        self.count("through the program");
        End {
            code: output.status.code().unwrap_or(-1),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
            // On a busy machine a second is not one of ours.
            seconds: start.elapsed().min(Duration::from_secs(1)).as_secs_f64(),
            peak_bytes: 0,
        }
    }
}

/// Keeps what failed, unless one of its kind is kept already.
pub(crate) fn keep_find(directory: &Path, seed: u64, problem: &str, text: &str) {
    let kind = shape(0, text.lines().take(2).collect::<String>().as_str());
    let find = directory.join(format!("find-{kind:016x}"));
    if find.exists() {
        return;
    }
    std::fs::create_dir_all(&find).unwrap();
    let input = std::fs::read(directory.join("input")).unwrap_or_default();
    let mut line = String::new();
    if let Some(case) = kept::decode(&input) {
        line = format!("{:?}", arguments(&case).collect::<Vec<_>>());
        for (name, bytes) in &case.files {
            let path = find.join("files").join(filled(name, &case));
            drop(path.parent().map(std::fs::create_dir_all));
            drop(std::fs::write(path, bytes));
        }
    }
    std::fs::write(find.join("input"), input).unwrap();
    let text = format!("seed {seed}: {problem}\n{line}\n{text}\n{}", find.display());
    std::fs::write(find.join("message.txt"), text).unwrap();
}

/// The arguments of a run: `{@name}` is replaced by what the input says of it.
fn arguments(case: &Case) -> impl Iterator<Item = OsString> {
    let argument = |token: &str| {
        let token = token
            .replace("{model}", &case.model)
            .replace("{data}", &case.data);
        let Some((start, rest)) = token.split_once("{@") else {
            return OsString::from(token);
        };
        let Some((name, end)) = rest.split_once('}') else {
            return OsString::from(token);
        };
        let value = case
            .files
            .iter()
            .find(|(own, _)| own.strip_prefix('@') == Some(name));
        let mut bytes = start.as_bytes().to_vec();
        bytes.extend(value.iter().flat_map(|(_, value)| value));
        bytes.extend_from_slice(end.as_bytes());
        bytes.retain(|byte| *byte != 0);
        OsString::from_vec(bytes)
    };
    let all: Vec<OsString> = case.line.split_whitespace().map(argument).collect();
    all.into_iter()
}

/// A file's name, in which `{@name}` is replaced too.
fn filled(name: &str, case: &Case) -> PathBuf {
    let mut filled = name.as_bytes().to_vec();
    for (own, bytes) in &case.files {
        if let Some(own) = own.strip_prefix('@') {
            let mark = format!("{{@{own}}}");
            while let Some(at) = find(&filled, mark.as_bytes()) {
                let value: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
                filled.splice(at..at + mark.len(), value);
            }
        }
    }
    PathBuf::from(OsString::from_vec(filled))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A path, or text with paths, that stays in the room.
fn inside(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    while let Some(at) = find(&bytes, b"..") {
        bytes[at] = b'_';
    }
    for outside in [&b"\"/"[..], b"'/", b"=/"] {
        while let Some(at) = find(&bytes, outside) {
            bytes.remove(at + 1);
        }
    }
    let start = bytes.iter().position(|byte| *byte != b'/');
    bytes.drain(..start.unwrap_or(bytes.len()));
    bytes.retain(|byte| *byte != b'{');
    bytes
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

/// A figure of this process, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse::<u64>().ok())
        .unwrap_or(0)
        << 10
}

fn processor_seconds() -> f64 {
    tallow::process::processor_seconds().unwrap_or(0.0)
}

#[test]
fn arguments_and_names_are_filled_from_an_input() {
    let case = Case {
        files: vec![
            ("@path-day".into(), b"d=1".to_vec()),
            ("x/{@path-day}/a.csv".into(), Vec::new()),
        ],
        model: "m".into(),
        data: "x".into(),
        line: "score --model {model} {data} --where={@path-day}!".into(),
    };
    let all: Vec<OsString> = arguments(&case).collect();
    assert_eq!(all, ["score", "--model", "m", "x", "--where=d=1!"]);
    assert_eq!(
        filled("x/{@path-day}/a.csv", &case),
        Path::new("x/d=1/a.csv")
    );
    assert_eq!(inside(b"/../a=/b"), b"_./a=b");
}

/// The outcome of the same files twice is the same only if they are written anew.
#[test]
fn a_listing_holds_files_of_all_depths() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
    std::fs::write(folder.path().join("a/b/c"), "x").unwrap();
    let expected = Listing::from([("a/b/c".to_owned(), b"x".to_vec())]);
    assert_eq!(listing(folder.path()), expected);
}
