//! Laws of the registry: concurrent writers, a crash at every step, edits of every byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::cache;
use super::collect::{Collected, MIN_AGE_SECONDS};
use super::entry::{Action, Entry};
use super::history::History;
use super::log::{Author, Head, file_name};
use super::name::Reference;
use super::push::{Push, Pushed};
use super::*;
use crate::error::Kind;
use crate::storage::{Failure, Location, Ordered};

struct Room {
    _directory: tempfile::TempDir,
    root: PathBuf,
}

impl Room {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        Self {
            _directory: directory,
            root,
        }
    }

    fn registry_path(&self) -> PathBuf {
        self.root.join("registry")
    }

    fn registry(&self) -> Registry {
        Registry::open_or_create(&Location::from(&self.registry_path())).unwrap()
    }

    /// A package of two files.
    fn package(&self, name: &str) -> PathBuf {
        let directory = self.root.join("packages").join(name);
        std::fs::create_dir_all(directory.join("golden")).unwrap();
        std::fs::write(directory.join("model.json"), format!("model {name}")).unwrap();
        std::fs::write(directory.join("golden/rows.csv"), "a,b\n1,2\n").unwrap();
        directory
    }
}

fn ann() -> Author {
    Author {
        actor: "ann@host".into(),
        ..Author::default()
    }
}

fn push(registry: &Registry, path: &Path) -> Result<Pushed> {
    registry.push(
        &Push {
            path: &Location::from(path),
            model: "churn",
            label: None,
        },
        &ann(),
    )
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

fn resolve(registry: &Registry, text: &str) -> Result<u64> {
    Ok(registry.resolve(&reference(text), None)?.version)
}

/// All files of a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    crate::storage::files_below(directory, "")
        .unwrap()
        .into_iter()
        .map(|path| directory.join(path))
        .collect()
}

#[test]
fn versions_stay_and_aliases_move() {
    let room = Room::new();
    let registry = room.registry();
    for (number, name) in (1..).zip(["a", "b", "c"]) {
        let pushed = push(&registry, &room.package(name)).unwrap();
        assert_eq!((pushed.version, pushed.is_new), (number, true));
    }
    let again = push(&registry, &room.package("b")).unwrap();
    assert_eq!((again.version, again.is_new), (2, false));
    for version in [1, 2, 3] {
        let to = reference(&format!("churn:{version}"));
        let moved = registry.promote(&to, "champion", &ann()).unwrap();
        assert_eq!(
            (moved.version, moved.from),
            (version, (version > 1).then(|| version - 1))
        );
    }
    assert!(
        !registry
            .promote(&reference("churn:3"), "champion", &ann())
            .unwrap()
            .is_new
    );
    let back = |expected| {
        let author = Author { expected, ..ann() };
        registry
            .rollback("churn", "champion", &author)
            .map(|moved| moved.version)
    };
    assert_eq!(back(None).unwrap(), 2);
    let error = back(Some(3)).unwrap_err();
    assert_eq!(
        error.message(),
        "`churn@champion` points at version 2, and version 3 was expected"
    );
    assert_eq!(back(Some(2)).unwrap(), 1);
    let error = back(None).unwrap_err();
    assert_eq!(
        error.message(),
        "`churn@champion` has no earlier version to go back to"
    );
    assert_eq!(resolve(&registry, "churn@champion").unwrap(), 1);
    registry
        .promote(&reference("churn@champion"), "stable", &ann())
        .unwrap();
    assert_eq!(resolve(&registry, "churn@stable").unwrap(), 1);
    let digest = registry
        .resolve(&reference("churn:2"), None)
        .unwrap()
        .digest;
    assert_eq!(resolve(&registry, &format!("churn@{digest}")).unwrap(), 2);
    assert_eq!(registry.models().unwrap(), ["churn"]);
    let log = registry.log("churn").unwrap();
    assert_eq!(log.entries().len(), 9);
    assert!(
        registry
            .verify(None, &[log.head().unwrap()])
            .unwrap()
            .errors
            .is_empty()
    );
}

#[test]
fn what_does_not_exist_names_what_does() {
    let room = Room::new();
    let error = Registry::open(&Location::from(&room.registry_path())).unwrap_err();
    assert_eq!(error.message(), "the directory is not a registry");
    let error = Registry::open_or_create(&Location::from(&room.package("a"))).unwrap_err();
    assert_eq!(
        error.message(),
        "the directory is not empty and not a registry"
    );
    let registry = room.registry();
    let hint = |text: &str| {
        let error = registry.resolve(&reference(text), None).unwrap_err();
        format!(
            "{}: {}",
            error.message(),
            error.hint_text().unwrap_or_default()
        )
    };
    assert_eq!(
        hint("churn:1"),
        "the registry has no model `churn`: the registry is empty: `tallow registry push PACKAGE`"
    );
    push(&registry, &room.package("a")).unwrap();
    push(&registry, &room.package("b")).unwrap();
    assert_eq!(
        hint("other:1"),
        "the registry has no model `other`: it has: churn"
    );
    assert_eq!(
        hint("churn@champion"),
        "there is no `churn@champion` in the registry: there are: churn:1 to churn:2; no alias was \
         set yet"
    );
    registry
        .promote(&reference("churn:1"), "champion", &ann())
        .unwrap();
    assert_eq!(
        hint("churn:3"),
        "there is no `churn:3` in the registry: there are: churn:1 to churn:2, churn@champion"
    );
    for name in ["Churn", "", "-x", "a b", "../x", "a/b", &"x".repeat(101)] {
        let path = room.package("a");
        let error = registry.push(
            &Push {
                path: &Location::from(&path),
                model: name,
                label: None,
            },
            &ann(),
        );
        assert_eq!(error.unwrap_err().kind(), Kind::Usage, "{name}");
    }
    let error = registry
        .promote(&reference("churn:1"), "7", &ann())
        .unwrap_err();
    assert_eq!(error.message(), "`7` is not an alias name");
}

#[test]
fn of_a_hundred_writers_at_once_each_adds_its_own() {
    let room = Room::new();
    let registry = room.registry();
    let packages: Vec<PathBuf> = (0..100)
        .map(|index| room.package(&index.to_string()))
        .collect();
    let same = room.package("same");
    let numbers: Vec<(u64, u64)> = std::thread::scope(|scope| {
        let writers: Vec<_> = packages
            .iter()
            .map(|package| {
                let (registry, same) = (&registry, &same);
                scope.spawn(move || {
                    let own = push(registry, package).unwrap().version;
                    let to = reference(&format!("churn:{own}"));
                    registry.promote(&to, "latest", &ann()).unwrap();
                    (own, push(registry, same).unwrap().version)
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    let own: BTreeSet<u64> = numbers.iter().map(|(own, _)| *own).collect();
    let same: BTreeSet<u64> = numbers.iter().map(|(_, same)| *same).collect();
    assert_eq!((own.len(), same.len()), (100, 1));
    let log = registry.log("churn").unwrap();
    assert_eq!(log.entries().len(), 201, "101 versions, 100 moves");
    // Each move says truly where the alias was before it.
    let mut at = None;
    for entry in log.entries() {
        if let Action::Promote(target) = &entry.action {
            assert_eq!(target.from, at);
            at = Some(target.version);
        }
    }
    let verified = registry.verify(None, &[]).unwrap();
    assert!(verified.errors.is_empty(), "{:?}", verified.errors);
    assert_eq!((verified.version_count, verified.entry_count), (101, 201));
    assert_eq!(registry.store.leftovers().unwrap(), Vec::<String>::new());
}

/// Does `work` on a registry whose disk fails at operation 1, 2, 3, …, until no failure comes;
/// after each, `check` sees what is left.
fn fail_at_every_step(
    prepare: impl Fn(&Room),
    work: impl Fn(&Room, &Registry) -> Result<()>,
    check: impl Fn(&Room, &Registry, bool),
) {
    for failure in [Failure::Once, Failure::FromThenOn] {
        let mut step_count = 0;
        for step in 1.. {
            let room = Room::new();
            prepare(&room);
            let registry = room.registry();
            let order = Ordered::new(&room.registry_path(), step, failure, step);
            let done = work(&room, &registry).is_ok();
            let has_come = order.has_come();
            drop(order);
            // What a writer left does not stop readers.
            check(&room, &registry, done);
            // The same again does what was to be done.
            work(&room, &registry).unwrap();
            check(&room, &registry, true);
            let verified = registry.verify(None, &[]).unwrap();
            assert!(
                verified.errors.is_empty(),
                "step {step}: {:?}",
                verified.errors
            );
            if !has_come {
                break;
            }
            step_count = step;
        }
        assert!(step_count > 5, "{step_count} steps");
    }
}

#[test]
fn a_push_that_dies_at_any_step_is_finished_by_the_next() {
    fail_at_every_step(
        |room| {
            push(&room.registry(), &room.package("first")).unwrap();
        },
        |room, registry| push(registry, &room.package("second")).map(|_| ()),
        |_, registry, done| {
            let log = registry.log("churn").unwrap();
            let count = History::of(&log, None).versions().len();
            assert!(count == 2 || count == 1 && !done, "{count} versions");
            for number in 1..=count {
                let resolved = registry
                    .resolve(&reference(&format!("churn:{number}")), None)
                    .unwrap();
                assert_eq!(registry.record(&resolved.digest).unwrap().files.len(), 2);
            }
            assert!(registry.verify(None, &[]).unwrap().errors.is_empty());
        },
    );
}

#[test]
fn a_registry_whose_creation_dies_is_created_by_the_next() {
    for step in 1..40 {
        let room = Room::new();
        let order = Ordered::new(&room.registry_path(), step, Failure::FromThenOn, step);
        let _ = Registry::open_or_create(&Location::from(&room.registry_path()));
        drop(order);
        push(&room.registry(), &room.package("first")).unwrap();
    }
}

#[test]
fn a_move_that_dies_at_any_step_has_been_made_or_not() {
    let prepare = |room: &Room| {
        let registry = room.registry();
        for name in ["a", "b"] {
            let version = push(&registry, &room.package(name)).unwrap().version;
            let to = reference(&format!("churn:{version}"));
            registry.promote(&to, "champion", &ann()).unwrap();
        }
    };
    fail_at_every_step(
        prepare,
        |_, registry| {
            // Again after a failure: done already, or made now.
            let expected = resolve(registry, "churn@champion")?;
            if expected == 2 {
                let author = Author {
                    expected: Some(2),
                    ..ann()
                };
                registry.rollback("churn", "champion", &author)?;
            }
            Ok(())
        },
        |_, registry, done| {
            let at = resolve(registry, "churn@champion").unwrap();
            assert!(at == 1 || at == 2 && !done);
        },
    );
    fail_at_every_step(
        prepare,
        |_, registry| {
            registry
                .promote(&reference("churn:1"), "next", &ann())
                .map(|_| ())
        },
        |_, registry, done| {
            assert!(resolve(registry, "churn@next").is_ok() || !done);
        },
    );
}

#[test]
fn an_edit_of_any_byte_of_a_log_is_detected() {
    let room = Room::new();
    let registry = room.registry();
    for name in ["a", "b"] {
        push(&registry, &room.package(name)).unwrap();
    }
    registry
        .promote(&reference("churn:1"), "champion", &ann())
        .unwrap();
    let head = registry.log("churn").unwrap().head().unwrap();
    assert_eq!(Head::parse(&head.to_string()).unwrap(), head);
    let log = room.registry_path().join("models/churn/log");
    for path in files(&log) {
        let bytes = std::fs::read(&path).unwrap();
        let is_detected = |edited: &[u8], what: &str| {
            std::fs::write(&path, edited).unwrap();
            let error = registry.log("churn").expect_err(what);
            assert_eq!(error.kind(), Kind::Trust, "{what}: {error}");
        };
        for index in 0..bytes.len() {
            let mut edited = bytes.clone();
            edited[index] ^= 1;
            is_detected(&edited, &format!("byte {index}"));
            is_detected(&bytes[..index], &format!("cut to {index}"));
        }
        is_detected(&[&bytes[..], b" "].concat(), "one more byte");
        std::fs::write(&path, &bytes).unwrap();
    }
    // Missing at the beginning, in the middle, at the end.
    let paths = files(&log);
    for (index, path) in paths.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        std::fs::remove_file(path).unwrap();
        let lost = registry
            .log("churn")
            .and_then(|log| log.check_contains(&head));
        assert_eq!(lost.unwrap_err().kind(), Kind::Trust, "entry {}", index + 1);
        let verified = registry.verify(None, std::slice::from_ref(&head)).unwrap();
        assert!(!verified.errors.is_empty());
        std::fs::write(path, bytes).unwrap();
    }
    // Exchanged, and a foreign file.
    std::fs::rename(&paths[1], log.join("x")).unwrap();
    assert_eq!(registry.log("churn").unwrap_err().kind(), Kind::Trust);
    std::fs::rename(&paths[0], &paths[1]).unwrap();
    std::fs::rename(log.join("x"), &paths[0]).unwrap();
    assert_eq!(registry.log("churn").unwrap_err().kind(), Kind::Trust);
    // Put where another model's log is.
    let other = room.registry_path().join("models/other/log");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::copy(&paths[1], other.join("000000000001.json")).unwrap();
    let error = registry.log("other").unwrap_err();
    assert_eq!(
        error.message(),
        "the log was edited: this is entry 1 of `churn`"
    );
}

#[test]
fn a_log_that_is_rewritten_from_some_entry_on_has_another_head() {
    let room = Room::new();
    let registry = room.registry();
    for name in ["a", "b"] {
        push(&registry, &room.package(name)).unwrap();
    }
    let state = room.root.join("state");
    let log = cache::checked_log(&Location::from(&state), &registry, "churn").unwrap();
    let (head, mut last) = (log.head().unwrap(), log.entries()[1].clone());
    last.actor = "mallory@host".into();
    let path = room.registry_path().join(file_name("churn", 2));
    std::fs::write(&path, last.to_bytes().unwrap().0).unwrap();
    // The chain is whole; only who has seen the head knows.
    let log = registry.log("churn").unwrap();
    assert_eq!(
        log.check_contains(&head).unwrap_err().message(),
        "the log of `churn` was cut short or rewritten: its entry 2 was another one"
    );
    let error = cache::checked_log(&Location::from(&state), &registry, "churn").unwrap_err();
    assert_eq!(error.kind(), Kind::Trust);
    std::fs::remove_file(&path).unwrap();
    let error = cache::checked_log(&Location::from(&state), &registry, "churn").unwrap_err();
    assert_eq!(
        error.message(),
        "the log of `churn` was cut short or rewritten: it had 2 entries and has 1"
    );
    std::fs::remove_file(room.registry_path().join(file_name("churn", 1))).unwrap();
    let error = cache::checked_log(&Location::from(&state), &registry, "churn").unwrap_err();
    assert_eq!(
        error.message(),
        "the log of `churn` was cut short or rewritten: it had 2 entries and has 0"
    );
}

#[test]
fn a_copy_of_a_registry_has_a_log_of_its_own() {
    let room = Room::new();
    let registry = room.registry();
    for name in ["a", "b"] {
        push(&registry, &room.package(name)).unwrap();
    }
    let state = Location::from(&room.root.join("state"));
    let checked = |path: &std::path::Path| {
        let registry = Registry::open(&Location::from(path)).unwrap();
        cache::checked_log(&state, &registry, "churn").map(|log| log.entries().len())
    };
    let (own, copy) = (room.registry_path(), room.root.join("staging"));
    assert_eq!(checked(&own).unwrap(), 2);
    copy_directory(&own, &copy);
    let staging = Registry::open(&Location::from(&copy)).unwrap();
    staging
        .promote(&reference("churn:1"), "champion", &ann())
        .unwrap();
    assert_eq!(checked(&copy).unwrap(), 3);
    assert_eq!(checked(&own).unwrap(), 2, "the original goes on as it was");
    registry
        .promote(&reference("churn:2"), "champion", &ann())
        .unwrap();
    assert_eq!(checked(&own).unwrap(), 3);
    assert_eq!(checked(&copy).unwrap(), 3);
    // One that was moved, and cut, is seen to be the same.
    let moved = room.root.join("moved");
    std::fs::rename(&copy, &moved).unwrap();
    assert_eq!(checked(&moved).unwrap(), 3);
    std::fs::remove_file(moved.join(file_name("churn", 3))).unwrap();
    assert_eq!(checked(&moved).unwrap_err().kind(), Kind::Trust);
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_directory(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_moment_in_the_past_sees_what_was_there_then() {
    let room = Room::new();
    let registry = room.registry();
    for name in ["a", "b"] {
        let version = push(&registry, &room.package(name)).unwrap().version;
        let to = reference(&format!("churn:{version}"));
        registry.promote(&to, "champion", &ann()).unwrap();
    }
    // The same log, an hour between two entries.
    let log = registry.log("churn").unwrap();
    let mut previous = None;
    for (index, entry) in log.entries().iter().enumerate() {
        let entry = Entry {
            previous,
            seconds: 3600 * (index as u64 + 1),
            ..entry.clone()
        };
        let (bytes, digest) = entry.to_bytes().unwrap();
        std::fs::write(
            room.registry_path().join(file_name("churn", entry.seq)),
            bytes,
        )
        .unwrap();
        previous = Some(digest);
    }
    let at = |time| registry.resolve(&reference("churn@champion"), Some(time));
    let version = |time| at(time).map(|resolved| resolved.version).ok();
    assert_eq!(
        [3599, 7199, 7200, 14_399, 14_400].map(version),
        [None, None, Some(1), Some(1), Some(2)]
    );
    assert_eq!(
        at(3600).unwrap_err().message(),
        "there is no `churn@champion` in the registry on 1970-01-01T01:00:00Z"
    );
}

#[test]
fn a_wrong_byte_of_any_object_is_detected_and_pushed_over() {
    let room = Room::new();
    let registry = room.registry();
    let package = room.package("a");
    let digest = push(&registry, &package).unwrap().digest;
    let objects = files(&room.registry_path().join("objects"));
    assert_eq!(objects.len(), 3);
    for (index, path) in objects.iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        for edited in [&[b"x", &bytes[1..]].concat()[..], &bytes[1..], &[]] {
            std::fs::write(path, edited).unwrap();
            let verified = registry.verify(None, &[]).unwrap();
            assert!(!verified.errors.is_empty());
            assert!(
                verified
                    .errors
                    .iter()
                    .all(|error| error.kind() == Kind::Trust)
            );
            let cache = room.root.join(format!("cache{index}-{}", edited.len()));
            let error =
                cache::fetch(&Location::from(&cache), &digest, Some(&registry)).unwrap_err();
            assert_eq!(error.kind(), Kind::Trust, "{error}");
            assert!(!push(&registry, &package).unwrap().is_new);
            assert!(registry.verify(None, &[]).unwrap().errors.is_empty());
            assert_eq!(std::fs::read(path).unwrap(), bytes);
        }
        std::fs::remove_file(path).unwrap();
        assert!(!registry.verify(None, &[]).unwrap().errors.is_empty());
        push(&registry, &package).unwrap();
        assert!(registry.verify(None, &[]).unwrap().errors.is_empty());
    }
}

#[test]
fn only_old_objects_that_nothing_refers_to_are_collected() {
    let room = Room::new();
    let registry = room.registry();
    push(&registry, &room.package("a")).unwrap();
    // A push that died before its entry.
    let other = room.root.join("other");
    drop(room.registry().store);
    let lost = Registry::open_or_create(&Location::from(&other)).unwrap();
    push(&lost, &room.package("b")).unwrap();
    for path in files(&other.join("objects")) {
        let to = room
            .registry_path()
            .join(path.strip_prefix(&other).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        if !to.exists() {
            std::fs::copy(&path, to).unwrap();
        }
    }
    std::fs::write(room.registry_path().join(".tmp-1-0"), "half").unwrap();
    let error = registry.collect(60, false).unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    let young = Collected {
        young_count: 2,
        ..Collected::default()
    };
    assert_eq!(registry.collect(MIN_AGE_SECONDS, false).unwrap(), young);
    let old = std::time::SystemTime::now() - std::time::Duration::from_hours(3);
    for path in files(&room.registry_path()) {
        std::fs::File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    }
    let collected = Collected {
        object_count: 2,
        leftover_count: 1,
        young_count: 0,
    };
    assert_eq!(registry.collect(MIN_AGE_SECONDS, true).unwrap(), collected);
    assert_eq!(registry.collect(MIN_AGE_SECONDS, false).unwrap(), collected);
    assert_eq!(
        registry.collect(MIN_AGE_SECONDS, false).unwrap(),
        Collected::default()
    );
    assert!(registry.verify(None, &[]).unwrap().errors.is_empty());
    // A push refreshes what it finds, so that it cannot be collected before its entry is there.
    push(&registry, &room.package("a")).unwrap();
    let ages = registry.store.list("objects").unwrap().into_iter();
    assert!(
        ages.map(|name| registry.store.age_seconds(&name).unwrap())
            .all(|age| age < Some(60))
    );
}

#[test]
fn a_cache_heals_works_without_the_registry_and_refuses_what_it_did_not_fetch() {
    let room = Room::new();
    let registry = room.registry();
    let digest = push(&registry, &room.package("a")).unwrap().digest;
    let cache = room.root.join("cache");
    let error = cache::fetch(&Location::from(&cache), &digest, None).unwrap_err();
    assert_eq!(
        error.message(),
        format!("`{digest}` is not in the cache, and no registry is named")
    );
    let fetched = cache::fetch(&Location::from(&cache), &digest, Some(&registry)).unwrap();
    assert_eq!(
        std::fs::read(fetched.path().join("model.json")).unwrap(),
        b"model a"
    );
    std::fs::remove_dir_all(room.registry_path()).unwrap();
    assert_eq!(
        cache::fetch(&Location::from(&cache), &digest, None).unwrap(),
        fetched
    );
    let registry = room.registry();
    push(&registry, &room.package("a")).unwrap();
    for file in files(&cache) {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, "tampered").unwrap();
        assert!(cache::fetch(&Location::from(&cache), &digest, None).is_err());
        cache::fetch(&Location::from(&cache), &digest, Some(&registry)).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
    }
    std::fs::write(fetched.directory.join("tallow.toml"), "name = \"x\"").unwrap();
    let error = cache::fetch(&Location::from(&cache), &digest, Some(&registry)).unwrap_err();
    assert_eq!(error.kind(), Kind::Trust);
    assert_eq!(
        error.message(),
        "the cache holds a file that the version does not"
    );
}

#[test]
fn a_list_of_files_that_leads_elsewhere_is_refused() {
    for path in [
        "../x",
        "/x",
        "a/../../x",
        "",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\0b",
    ] {
        let sha256 = "a".repeat(64);
        let file = super::record::RecordFile {
            path: path.into(),
            sha256,
            size_bytes: 1,
        };
        let error = Record::new(vec![file]).unwrap_err();
        assert_eq!(error.kind(), Kind::Trust, "{path:?}");
    }
}
