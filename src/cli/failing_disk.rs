//! Whole runs on a disk that fails: at every operation in turn, once or from there on. Whenever it
//! happens, the run ends with an error or with all it promises, readers see the old output or the
//! new one, and the same command again ends as if nothing had happened.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::arguments::parse;
use super::console::Console;
use super::dispatch;
use crate::interrupt::Interrupt;
use crate::output::checkpoint::{PartRecord, sha256_of};
use crate::output::manifest::Manifest;
use crate::output::names::SUCCESS;
use crate::storage::{Failure, Location, Ordered};

/// Files by their path.
pub(super) type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// No run of these tests does more.
const MAX_OPERATIONS: u64 = 2_000;

/// A directory in memory where there is one: thousands of runs wait for the disk otherwise.
pub(super) fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

/// Runs a line in which `{}` is the directory.
pub(super) fn tallow(room: &Path, line: &str) -> Result<(), String> {
    let line = line.replace("{}", &room.display().to_string());
    let arguments: Vec<OsString> = std::iter::once("tallow")
        .chain(line.split_whitespace())
        .map(OsString::from)
        .collect();
    let cli = parse(&arguments).unwrap();
    dispatch(cli.verb, &Console::new(&cli.console)).map_err(|failure| {
        let error = failure.error.expect("an error, not only a code");
        std::error::Error::source(&error)
            .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
    })
}

pub(super) fn tree(directory: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(
                    path.strip_prefix(directory).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

/// A tree with what differs from run to run, the times in reports and manifests, left empty.
pub(super) fn timeless(mut tree: Tree) -> Tree {
    let is_timed = |path: &Path| {
        path.to_string_lossy().ends_with("report.pq") || path.ends_with("manifest.json")
    };
    tree.iter_mut()
        .filter(|(path, _)| is_timed(path))
        .for_each(|(_, bytes)| bytes.clear());
    tree
}

/// Whether readers pass over it: a temporary file, a lock, the state of a run.
fn is_hidden(path: &Path) -> bool {
    path.iter().any(|name| {
        [".", "_tallow"]
            .iter()
            .any(|hidden| name.to_string_lossy().starts_with(hidden))
    })
}

fn put(directory: &Path, tree: &Tree) {
    let _ = fs::remove_dir_all(directory);
    fs::create_dir(directory).unwrap();
    for (path, bytes) in tree {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// A model, and two inputs with bad rows.
pub(super) fn room() -> TempDir {
    let room = directory();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/hostile/good.json");
    fs::copy(model, room.path().join("good.json")).unwrap();
    fs::write(
        room.path().join("old.csv"),
        "id,region,a,b\n1,n,0.5,0.5\n2,s,,1\n3,n,0.1,0.9\n",
    )
    .unwrap();
    fs::write(
        room.path().join("new.csv"),
        "id,region,a,b\n1,n,0.25,0.5\n2,s,0.9,0.1\n3,n,,0.5\n4,s,0.3,0.2\n5,n,0.1,0.1\n",
    )
    .unwrap();
    let corrected = format!(
        "id,region,a,b,rejected_file,rejected_row\n3,n,0.75,0.5,{0},3\n",
        room.path().join("new.csv").display()
    );
    fs::write(room.path().join("mended.csv"), corrected).unwrap();
    fs::create_dir(room.path().join("out")).unwrap();
    super::failing_input::write_inputs(room.path());
    room
}

/// Looks at a directory after a failure, given all that was there before and all that is there
/// after an undisturbed run.
pub(super) type Check = dyn Fn(&Path, &[Tree], &str);

/// Fails every operation of `line` on the outputs in turn, on a disk on which `before` was run.
fn at_every_operation(before: &[&str], line: &str, failure: Failure, check: &Check) {
    let sweep = Sweep {
        before,
        line,
        directory: "out",
        min_failures: 20,
        failure,
        check,
    };
    sweep.run();
}

/// Failures of every operation of a run in turn.
pub(super) struct Sweep<'a> {
    /// What was run before, on a disk that works.
    pub(super) before: &'a [&'a str],
    /// What is run.
    pub(super) line: &'a str,
    /// The directory whose operations fail.
    pub(super) directory: &'a str,
    /// So many failures at least end the run.
    pub(super) min_failures: u64,
    pub(super) failure: Failure,
    /// Looks at what readers see after the failure.
    pub(super) check: &'a Check,
}

impl Sweep<'_> {
    /// Sweeps. The kinds of failures take turns; with `TALLOW_SWEEP_SECONDS` every operation fails
    /// in every way.
    pub(super) fn run(&self) {
        let shifts = if std::env::var_os("TALLOW_SWEEP_SECONDS").is_some() {
            3
        } else {
            1
        };
        (0..shifts).for_each(|shift| at_every_operation_once(self, shift));
    }
}

fn at_every_operation_once(sweep: &Sweep<'_>, shift: u64) {
    let Sweep { line, failure, .. } = *sweep;
    let room = room();
    let (room, out) = (room.path(), room.path().join("out"));
    let before = sweep.before.iter();
    before.for_each(|line| tallow(room, line).unwrap());
    let start = tree(&out);
    tallow(room, line).unwrap();
    let requested = timeless(tree(&out));
    let versions = [timeless(start.clone()), requested.clone()];
    let mut failed = 0;
    for number in 1..=MAX_OPERATIONS {
        put(&out, &start);
        let order = Ordered::new(&room.join(sweep.directory), number, failure, number + shift);
        let result = tallow(room, line);
        let has_come = order.has_come();
        drop(order);
        let index = format!("operation {number}, {failure:?}, {result:?}");
        if !has_come {
            assert_eq!(result, Ok(()), "{index}");
            assert!(
                failed >= sweep.min_failures,
                "only {failed} of {number} failures were noticed"
            );
            return;
        }
        match result {
            // Only what is done out of courtesy may fail unnoticed, and leaves nothing but hidden
            // names.
            Ok(()) => {
                let found = timeless(tree(&out));
                assert!(
                    requested
                        .iter()
                        .all(|(path, bytes)| found.get(path) == Some(bytes)),
                    "{index}: not all there"
                );
                assert!(
                    found
                        .keys()
                        .all(|path| requested.contains_key(path) || is_hidden(path)),
                    "{index}: too much in {:?}",
                    found.keys()
                );
                continue;
            }
            Err(_) => failed += 1,
        }
        (sweep.check)(&out, &versions, &index);
        let again = tallow(room, line);
        assert_eq!(again, Ok(()), "{index}: again");
        let found = timeless(tree(&out));
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            requested.keys().collect::<Vec<_>>(),
            "{index}: names"
        );
        assert!(found == requested, "{index}: other bytes");
    }
    panic!("the failures never end");
}

/// A data set that says it is whole is whole.
pub(super) fn check_dataset(out: &Path, _versions: &[Tree], index: &str) {
    let directory = out.join("set");
    if !directory.join(SUCCESS).exists() {
        return;
    }
    let manifest = Manifest::find(&Location::from(&directory))
        .unwrap()
        .unwrap();
    assert!(
        manifest.is_whole(&Location::from(&directory)).unwrap(),
        "{index}: `_SUCCESS` without all files"
    );
    for file in manifest
        .parts
        .iter()
        .flat_map(PartRecord::all_files)
        .chain(&manifest.report)
    {
        assert_eq!(
            sha256_of(
                &Location::from(&directory.join(&file.path)),
                &Interrupt::default()
            )
            .unwrap(),
            file.sha256,
            "{index}: {}",
            file.path
        );
    }
}

const SET: &str = "score -qq --threads 1 --model {}/good.json {}/new.csv --output {}/out/set/ \
                   --rows-per-part 2 --on-null a=reject";
const OLD_SET: &str = "score -qq --threads 1 --model {}/good.json {}/old.csv --output {}/out/set/ \
                       --rows-per-part 1 --on-null a=reject";
const FILE: &str = "score -qq --threads 1 --model {}/good.json {}/new.csv --output \
                    {}/out/new.parquet --on-null a=reject";
const OLD_FILE: &str = "score -qq --threads 1 --model {}/good.json {}/old.csv --output \
                        {}/out/new.parquet --on-null a=reject";

#[test]
fn a_data_set_survives_every_failure() {
    at_every_operation(
        &[],
        &format!("{SET} --partition-by region"),
        Failure::Once,
        &check_dataset,
    );
    at_every_operation(&[], SET, Failure::FromThenOn, &check_dataset);
}

#[test]
fn a_data_set_over_an_old_one_survives_every_failure() {
    at_every_operation(
        &[OLD_SET],
        &format!("{SET} --overwrite"),
        Failure::Once,
        &check_dataset,
    );
    at_every_operation(
        &[OLD_SET],
        &format!("{SET} --overwrite"),
        Failure::FromThenOn,
        &check_dataset,
    );
}

const RETRY: &str = "retry -qq --threads 1 {}/out/set --corrected {}/mended.csv";

#[test]
fn correcting_a_data_set_survives_every_failure() {
    at_every_operation(&[SET], RETRY, Failure::Once, &check_dataset);
    at_every_operation(
        &[&format!("{SET} --partition-by region")],
        RETRY,
        Failure::FromThenOn,
        &check_dataset,
    );
}

/// What readers of single files see: each of them whole, and the old one or the new one.
pub(super) fn check_files(out: &Path, versions: &[Tree], index: &str) {
    for (path, bytes) in timeless(tree(out)) {
        assert!(
            is_hidden(&path)
                || versions
                    .iter()
                    .any(|version| version.get(&path) == Some(&bytes)),
            "{index}: {} is torn",
            path.display()
        );
    }
}

#[test]
fn a_single_file_survives_every_failure() {
    at_every_operation(&[], FILE, Failure::Once, &check_files);
    at_every_operation(&[], FILE, Failure::FromThenOn, &check_files);
}

#[test]
fn a_single_file_over_an_old_one_survives_every_failure() {
    at_every_operation(
        &[OLD_FILE],
        &format!("{FILE} --overwrite"),
        Failure::Once,
        &check_files,
    );
    at_every_operation(
        &[OLD_FILE],
        &format!("{FILE} --overwrite"),
        Failure::FromThenOn,
        &check_files,
    );
}
