//! What the user calls the input, as an ordered list of files.
//!
//! Owns the order of files, and what the directories above one say of its rows. Which files a
//! pattern or a directory stands for is `walk`'s. It must not open the files.

use std::ffi::OsStr;

use glob::Pattern;

use super::hive::partition;
use super::hive_file::Partition;
use super::walk::{MATCHING, MISSING, NO_FILES, NO_MATCH, Walk, is_pattern, is_spelt_out, is_wild};
use crate::error::{Error, Result};
use crate::storage::{self, Location};

/// Turns inputs into files, in the order given.
///
/// - `-` is standard input, which is one file.
/// - A path that exists is itself, even if it contains `*`, `?` or `[`.
/// - A directory stands for all files in it and below, sorted by path, without names that start
///   with `_` or `.`.
/// - Anything else with `*`, `?` or `[` is a pattern: `*` and `?` stay within a name, `**` stands
///   for any number of directories. It gives each file it matches once, sorted by path; matched
///   directories give their files. Names that start with `_` or `.` match only where the pattern
///   spells that character out; in names that are not UTF-8, `?` stands for a byte that is not.
///
/// A file that several inputs name is given as often as it was named: anyone who names a file twice
/// gets its rows twice.
///
/// # Errors
/// Fails if a file is missing, a directory has no files, a pattern matches nothing, or nothing was
/// given.
pub fn resolve(inputs: &[Location]) -> Result<Vec<Location>> {
    locate(inputs, true).map(|found| found.files.into_iter().map(|file| file.path).collect())
}

/// What inputs stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The files to read, in order.
    pub files: Vec<Located>,
    /// Files in directories that are not read, because their names do not end as those of tables
    /// do.
    pub ignored: Vec<Location>,
}

/// As [`resolve`] for one input, but nothing where nothing is there.
///
/// # Errors
/// Fails if the file system refuses to say what is there.
pub fn resolve_present(input: &Location) -> Result<Vec<Location>> {
    match resolve(&[input.to_owned()]) {
        Err(error) if [MISSING, NO_FILES, NO_MATCH].contains(&error.message()) => Ok(Vec::new()),
        resolved => resolved,
    }
}

/// A file, and what the directories between it and the input that stands for it say of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The file.
    pub path: Location,
    /// Columns with their values, from the outermost directory on.
    pub partitions: Vec<Partition>,
}

impl From<Location> for Located {
    fn from(path: Location) -> Self {
        Self {
            path,
            partitions: Vec::new(),
        }
    }
}

impl Located {
    fn below(path: Location, base: &Location) -> Result<Self> {
        let directories = path
            .parent()
            .and_then(|parent| parent.strip_prefix(base))
            .unwrap_or_default();
        let mut partitions: Vec<Partition> = Vec::new();
        for name in directories.names() {
            let Some((column, value)) = partition(name).map_err(|error| error.at_path(&path))?
            else {
                continue;
            };
            match partitions.iter().find(|(other, _)| *other == column) {
                Some((_, other)) if *other == value => {}
                Some(_) => {
                    let error = Error::failed(
                        "two directories in the path give different values of one column",
                    );
                    return Err(error
                        .at_path(&path)
                        .at_column(column)
                        .hint("name the inner directory as the input, or rename one of them"));
                }
                None => partitions.push((column, value)),
            }
        }
        Ok(Self { path, partitions })
    }
}

/// As [`resolve`], with what Hive's directories, `column=value`, say: those below an input that is
/// a directory, or from the first one on that a pattern leaves open. Without `any_ending`,
/// directories give only files whose names end as those of tables do.
///
/// # Errors
/// As [`resolve`]; fails for paths into tables that are more than their files, such as Delta
/// Lake's.
pub fn locate(inputs: &[Location], any_ending: bool) -> Result<Found> {
    if inputs.is_empty() {
        return Err(
            Error::usage("no input was given").hint("name at least one file, directory or pattern")
        );
    }
    let mut walk = Walk {
        any_ending,
        ..Walk::default()
    };
    let mut files: Vec<Located> = Vec::new();
    for input in inputs {
        match storage::find(input)? {
            Some(found) if found.is_directory => {
                walk.lakes.refuse_directory(input)?;
                for path in walk.directory(input)? {
                    files.push(Located::below(path, input)?);
                }
            }
            Some(_) => files.push(input.clone().into()),
            None => {
                let base: Location = input.names().take_while(|part| !is_wild(part)).collect();
                for path in walk.pattern(input)? {
                    files.push(Located::below(path, &base)?);
                }
            }
        }
    }
    files
        .iter()
        .try_for_each(|file| walk.lakes.refuse_file(&file.path))?;
    Ok(Found {
        files,
        ignored: walk.ignored.into_iter().collect(),
    })
}

/// An input that was given relative to the directory `base`, from anywhere.
///
/// # Errors
/// Fails if the file system refuses to say whether it is there.
pub fn anchored_at(base: &Location, input: &Location) -> Result<Location> {
    if input.is_stream() {
        return Ok(input.clone());
    }
    let plain = base.join(input);
    if input.is_absolute() || !is_pattern(input) || storage::find(&plain)?.is_some() {
        return Ok(plain);
    }
    // What looks like a pattern in the directory's own name is none.
    Ok(Location::from(Pattern::escape(&base.to_string_lossy())).join(input))
}

/// The first of `inputs`, directories and patterns, that a file at `path` would be part of; the
/// file need not be there.
///
/// # Errors
/// Fails if the file system refuses to say what is where.
pub fn inside<'a>(path: &Location, inputs: &'a [Location]) -> Result<Option<&'a Location>> {
    let path = anchored(path)?;
    for input in inputs.iter().filter(|input| !input.is_stream()) {
        let is_part = match storage::find(input)? {
            Some(found) if found.is_directory => path
                .strip_prefix(storage::canonical(input)?)
                .is_some_and(|below| below.names().all(is_plain)),
            Some(_) => false,
            None => matches(input, &path)?,
        };
        if is_part {
            return Ok(Some(input));
        }
    }
    Ok(None)
}

/// The path from the root on, without symbolic links; what is not there yet follows as it is
/// written.
fn anchored(path: &Location) -> Result<Location> {
    let name = path.file_name().unwrap_or_default();
    let directory = path.directory();
    if storage::find(&directory)?.is_some() || directory.file_name().is_none() {
        return Ok(storage::canonical(directory)?.join(name));
    }
    Ok(anchored(&directory)?.join(name))
}

/// Whether a pattern would give the file, by itself or with a directory above it.
fn matches(pattern: &Location, path: &Location) -> Result<bool> {
    let fixed: Location = pattern.names().take_while(|part| !is_wild(part)).collect();
    let rest: Location = pattern.names().skip_while(|part| !is_wild(part)).collect();
    let start = if fixed.is_empty() {
        Location::from(".")
    } else {
        fixed
    };
    let rest = rest.to_string_lossy();
    if rest.is_empty() || storage::find(&start)?.is_none() {
        return Ok(false);
    }
    let start = storage::canonical(start)?;
    let Some(below) = path.strip_prefix(&start) else {
        return Ok(false);
    };
    let Ok(whole) = Pattern::new(&rest) else {
        return Ok(false);
    };
    let names: Vec<Pattern> = rest
        .split('/')
        .filter_map(|name| Pattern::new(name).ok())
        .collect();
    let is_set = |above: Location| {
        let rest_is_plain = below
            .strip_prefix(&above)
            .is_some_and(|rest| rest.names().all(is_plain));
        rest_is_plain
            && above.names().all(|name| is_spelt_out(name, &names))
            && whole.matches_with(&above.to_string_lossy(), MATCHING)
    };
    Ok(below.ancestors().any(is_set))
}

fn is_plain(name: &OsStr) -> bool {
    !name.to_string_lossy().starts_with(['_', '.'])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::TempDir;

    use super::*;

    fn tree(names: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for name in names {
            let path = root.path().join(name);
            let mut directory = root.path().to_owned();
            for part in Location::from(name).parent().unwrap().names() {
                directory.push(part);
                if storage::find(&directory).unwrap().is_none() {
                    let made = tempfile::Builder::new()
                        .prefix(part)
                        .rand_bytes(0)
                        .tempdir_in(directory.parent().unwrap())
                        .unwrap();
                    let _ = made.keep();
                }
            }
            let mut file = storage::PendingFile::create(&path, false).unwrap();
            file.write_all(b"x").unwrap();
            file.publish(false).unwrap();
        }
        root
    }

    fn resolved(root: &TempDir, inputs: &[&str]) -> Result<Vec<String>> {
        let inputs: Vec<Location> = inputs
            .iter()
            .map(|input| root.path().join(input).into())
            .collect();
        let files = resolve(&inputs)?;
        Ok(files
            .iter()
            .map(|file| {
                file.strip_prefix(root.path())
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect())
    }

    #[test]
    fn inputs_keep_their_order_and_what_they_stand_for_is_sorted() {
        let root = tree(&[
            "b.csv",
            "a.csv",
            "d/2/x.csv",
            "d/10/x.csv",
            "d/1.csv",
            "d-1.csv",
        ]);
        assert_eq!(
            resolved(&root, &["b.csv", "a.csv", "b.csv"]).unwrap(),
            ["b.csv", "a.csv", "b.csv"],
            "twice named, twice read"
        );
        assert_eq!(
            resolved(&root, &["d", "*.csv"]).unwrap(),
            [
                "d/1.csv",
                "d/10/x.csv",
                "d/2/x.csv",
                "a.csv",
                "b.csv",
                "d-1.csv"
            ]
        );
        let all = ["d/1.csv", "d/10/x.csv", "d/2/x.csv"];
        assert_eq!(
            resolved(&root, &["d/**/*"]).unwrap(),
            all,
            "matched with its directory and by itself, but read once"
        );
        assert_eq!(
            resolved(&root, &["d*"]).unwrap(),
            ["d/1.csv", "d/10/x.csv", "d/2/x.csv", "d-1.csv"]
        );
        assert_eq!(resolved(&root, &["d/[0-9]/?.csv"]).unwrap(), ["d/2/x.csv"]);
    }

    #[test]
    fn marker_files_are_passed_over_unless_they_are_spelt_out() {
        let root = tree(&[
            "d/_SUCCESS",
            "d/.hidden",
            "d/_temporary/x.csv",
            "d/a.csv",
            "e/_SUCCESS",
        ]);
        for input in ["d", "d/*", "d/**/*", "*/*"] {
            assert_eq!(resolved(&root, &[input]).unwrap(), ["d/a.csv"], "{input}");
        }
        assert_eq!(
            resolved(&root, &["d/_S*", "d/_temporary/*", "d/.h*"]).unwrap(),
            ["d/_SUCCESS", "d/_temporary/x.csv", "d/.hidden"]
        );
        assert_eq!(resolved(&root, &["d/_SUCCESS"]).unwrap(), ["d/_SUCCESS"]);
        let error = resolved(&root, &["e"]).unwrap_err();
        assert_eq!(
            (error.message(), error.hint_text()),
            (
                "there are no files in the directory",
                Some("names that start with `_` or `.` are not read")
            )
        );
    }

    #[test]
    fn a_path_that_exists_is_not_a_pattern() {
        let root = tree(&["a[1].csv", "a1.csv", "[x"]);
        assert_eq!(
            resolved(&root, &["a[1].csv", "[x"]).unwrap(),
            ["a[1].csv", "[x"]
        );
        assert_eq!(resolved(&root, &["a[0-9].csv"]).unwrap(), ["a1.csv"]);
    }

    #[test]
    fn what_stands_for_nothing_is_an_error_with_its_path() {
        let root = tree(&["a.csv"]);
        let message = |input: &str| resolved(&root, &[input]).unwrap_err().to_string();
        assert_eq!(
            message("b.csv"),
            format!(
                "there is no such file or directory (`{}`)",
                root.path().join("b.csv").display()
            )
        );
        let hint = |input: &str| {
            resolved(&root, &[input])
                .unwrap_err()
                .hint_text()
                .unwrap()
                .to_owned()
        };
        assert!(hint("b.csv").starts_with("check the spelling"));
        std::os::unix::fs::symlink(root.path().join("gone.csv"), root.path().join("link.csv"))
            .unwrap();
        assert!(hint("link.csv").starts_with("it is a symbolic link"));
        assert_eq!(
            message("b*"),
            format!(
                "no file matches the pattern (`{}`)",
                root.path().join("b*").display()
            )
        );
        assert_eq!(
            message("a.csv/b"),
            format!(
                "there is no such file or directory (`{}`)",
                root.path().join("a.csv/b").display()
            )
        );
        assert_eq!(
            resolved(&root, &["a[.csv"]).unwrap_err().kind(),
            crate::error::Kind::Usage
        );
        assert_eq!(resolve(&[]).unwrap_err().kind(), crate::error::Kind::Usage);
        assert!(
            resolve(&["s3://bucket/a.csv".into()])
                .unwrap_err()
                .hint_text()
                .unwrap()
                .contains("only local files")
        );
    }

    #[test]
    fn a_file_to_be_written_is_part_of_what_would_give_it() {
        let root = tree(&["d/a.csv", "d/2/x.csv", "b.csv"]);
        let is_part = |path: &str, input: &str| {
            let below = |name: &str| Location::from(root.path().join(name));
            let inputs = [below("b.csv"), below(input)];
            inside(&below(path), &inputs).unwrap() == Some(&inputs[1])
        };
        for (path, input) in [
            ("d/out.csv", "d"),
            ("d/2/new/out.csv", "d"),
            ("d/../d/out.csv", "d/2/.."),
            ("out.csv", "*.csv"),
            ("d/out.csv", "d/*"),
            ("d/2/out.csv", "d/*"),
            ("d/new/out.csv", "d/*"),
            ("d/new/out.csv", "**/*.csv"),
            ("d/_out.csv", "d/_*"),
        ] {
            assert!(is_part(path, input), "{path} {input}");
        }
        for (path, input) in [
            ("out.csv", "d"),
            ("d/_out.csv", "d"),
            ("d/_new/out.csv", "d"),
            ("d/.new/out.csv", "d/*"),
            ("d/_out.csv", "d/*"),
            ("out.parquet", "*.csv"),
            ("d/out.csv", "*.csv"),
            ("d2/out.csv", "d"),
            ("b.csv", "a.csv"),
        ] {
            assert!(!is_part(path, input), "{path} {input}");
        }
    }

    #[test]
    fn a_link_that_leads_back_is_not_a_endless_walk() {
        let root = tree(&["d/e/a.csv"]);
        std::os::unix::fs::symlink(root.path().join("d"), root.path().join("d/e/loop")).unwrap();
        assert!(
            resolved(&root, &["d"])
                .unwrap_err()
                .message()
                .contains("leads back")
        );
    }
}
