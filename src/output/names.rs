//! The names of what a run writes: inside a data set, and next to a single file.
//!
//! What is not predictions does not end in `.parquet`, so that no reader's pattern takes it for
//! them; in a data set it lies below [`STATE`]. Owns these names, and those of earlier versions,
//! which are still read. It must not know what the files hold.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::storage::Location;
use crate::table::challenger::{self, CHALLENGERS};
use crate::table::output_format::OutputFormat;

/// The directory in a data set that holds all but its predictions; readers of data sets skip names
/// that begin with `_`.
pub const STATE: &str = "_tallow";

/// The data set's own account of itself.
pub const MANIFEST: &str = challenger::MANIFEST;

/// The manifest of a publication that was begun and is not finished.
pub const PENDING_MANIFEST: &str = challenger::PENDING_MANIFEST;

/// The signature of [`MANIFEST`], if the data set is signed.
pub const SIGNATURE: &str = "_tallow/manifest.json.sig";

/// The identity of an unfinished run.
pub const IDENTITY: &str = "_tallow/identity.json";

/// The empty file that marks a data set as whole.
pub const SUCCESS: &str = "_SUCCESS";

/// The report in a data set.
pub const REPORT: &str = "_tallow/report.pq";

/// The profile of the run in a data set.
pub const PROFILE: &str = "_tallow/profile.pq";

/// The rejected rows of a data set.
pub const REJECTED: &str = "_tallow/rejected";

/// The rows of a data set that replace rejected ones.
pub const CORRECTIONS: &str = "_tallow/corrections";

/// What observers saw of the parts of a data set.
pub const OBSERVED: &str = "_tallow/observed";

/// Files that wait for their names.
pub const STAGED: &str = "_tallow/staged";

/// The report of a run that did not finish its data set.
const UNFINISHED_REPORT: &str = "_tallow/unfinished.report.pq";

/// Why a challenger's data set is not finished, and will not be by a run that goes on.
pub const DROPPED: &str = "_tallow/dropped.json";

/// The extension of tables that are not predictions.
const SIDECAR_EXTENSION: &str = "pq";

/// The names that earlier versions gave. They are read, and replaced by those of this version.
pub mod earlier {
    use crate::storage::Location;

    /// The manifest of a data set.
    pub const MANIFEST: &str = "_manifest.json";

    /// The manifest of a publication that was begun and is not finished.
    pub const PENDING_MANIFEST: &str = super::MANIFEST;

    /// The report in a data set.
    pub const REPORT: &str = "_report.parquet";

    /// The rejected rows of a data set.
    pub const REJECTED: &str = "_rejected";

    /// The rows of a data set that replace rejected ones.
    pub const CORRECTIONS: &str = "_corrections";

    /// The report of the output at `path`.
    #[must_use]
    pub fn report(path: &Location, is_dataset: bool) -> Location {
        if is_dataset {
            path.join(REPORT)
        } else {
            path.with_extension("report.parquet")
        }
    }

    /// The rejected rows of a single file.
    #[must_use]
    pub fn rejected(path: &Location) -> Location {
        path.with_extension("rejected.parquet")
    }

    /// The report of a run that did not finish the output at `path`.
    #[must_use]
    pub fn unfinished_report(path: &Location, is_dataset: bool) -> Location {
        let name = "unfinished.report.parquet";
        if is_dataset {
            path.join(format!("_{name}"))
        } else {
            path.with_extension(name)
        }
    }
}

/// The report of the output at `path`.
#[must_use]
pub fn report(path: &Location, is_dataset: bool) -> Location {
    if is_dataset {
        path.join(REPORT)
    } else {
        path.with_extension(format!("report.{SIDECAR_EXTENSION}"))
    }
}

/// The profile of the run that made the output at `path`.
#[must_use]
pub fn profile(path: &Location, is_dataset: bool) -> Location {
    if is_dataset {
        path.join(PROFILE)
    } else {
        path.with_extension(format!("profile.{SIDECAR_EXTENSION}"))
    }
}

/// The rejected rows of the output at `path`: a directory in a data set, else a file.
#[must_use]
pub fn rejected(path: &Location, is_dataset: bool) -> Location {
    if is_dataset {
        path.join(REJECTED)
    } else {
        path.with_extension(format!("rejected.{SIDECAR_EXTENSION}"))
    }
}

/// The report of a run that did not finish the output at `path`.
#[must_use]
pub fn unfinished_report(path: &Location, is_dataset: bool) -> Location {
    if is_dataset {
        path.join(UNFINISHED_REPORT)
    } else {
        path.with_extension(format!("unfinished.report.{SIDECAR_EXTENSION}"))
    }
}

/// The hidden name next to `path` of a table that waits for `path` until a run publishes it.
#[must_use]
pub fn hidden(path: &Location) -> Location {
    hidden_with(path, "")
}

/// The record of what is kept under the hidden name of `path`.
#[must_use]
pub fn hidden_record(path: &Location) -> Location {
    hidden_with(path, ".json")
}

/// What observers saw of the rows that are kept under the hidden name of `path`.
#[must_use]
pub fn hidden_observed(path: &Location) -> Location {
    hidden_with(path, ".observed")
}

fn hidden_with(path: &Location, extension: &str) -> Location {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".withheld");
    name.push(extension);
    path.with_file_name(name)
}

/// The answers of the challenger `name` of the output at `path`: a data set of a data set, else a
/// file. They lie outside of the output, so that no reader of it takes them for its rows.
#[must_use]
pub fn challenger(path: &Location, is_dataset: bool, name: &str) -> Location {
    let mut directory = path.tidied().as_os_str().to_owned();
    if path.file_name().is_none() {
        // `.` and `..` have no name of their own to extend.
        directory.push("/");
    }
    directory.push(CHALLENGERS);
    let name = if is_dataset {
        name.to_owned()
    } else {
        format!("{name}.{SIDECAR_EXTENSION}")
    };
    Location::from(&directory).join(name)
}

/// The output whose challenger's file or data set this is; none if it lies elsewhere.
#[must_use]
pub fn challenged(path: &Location) -> Option<Location> {
    let directory = path.tidied().parent()?;
    let bytes = directory.as_os_str().as_bytes();
    let output = bytes.strip_suffix(CHALLENGERS.as_bytes())?;
    (!output.is_empty()).then(|| Location::from(OsStr::from_bytes(output)))
}

/// A part's name in files and records.
#[must_use]
pub fn part_name(number: u64) -> String {
    format!("part-{number:05}")
}

/// The table of a part's rejected rows, or of those that replace them, in the directory `kind`.
#[must_use]
pub fn part_sidecar(kind: &str, number: u64) -> String {
    format!("{kind}/{}.{SIDECAR_EXTENSION}", part_name(number))
}

/// Where a file of the final name `path` lies until publication, below the data set's directory.
/// Predictions have a name there that no pattern of readers matches.
#[must_use]
pub fn staged(path: &str) -> Location {
    let is_sidecar = Location::from(path)
        .extension()
        .is_none_or(|extension| extension == SIDECAR_EXTENSION);
    Location::from(STAGED).join(if is_sidecar {
        path.to_owned()
    } else {
        format!("{path}.staged")
    })
}

/// Whether a file in the data set's directory, by its path there, has a name that data sets give:
/// of a part in Hive's directories, of a table that belongs to one, of a report.
#[must_use]
pub fn is_of_data_set(below: &Location) -> bool {
    let directory = below.parent().unwrap_or_default();
    if [REPORT, PROFILE, earlier::REPORT]
        .iter()
        .any(|report| below == *report)
    {
        return true;
    }
    let is_hive = directory
        .names()
        .all(|name| name.as_encoded_bytes().contains(&b'='));
    let is_sidecar = [
        REJECTED,
        CORRECTIONS,
        OBSERVED,
        earlier::REJECTED,
        earlier::CORRECTIONS,
    ]
    .iter()
    .any(|kind| directory == *kind);
    (is_hive || is_sidecar) && is_table_part(below)
}

/// Whether a staged file, by its path below the data set's directory, is one that a run left.
#[must_use]
pub fn is_left_by_run(below: &Location) -> bool {
    let is_temporary = below
        .file_name()
        .is_some_and(|name| name.as_encoded_bytes().starts_with(b".tmp-"));
    is_temporary
        || is_table_part(below)
        || is_part(below, &["staged"])
        || *below == staged(REPORT)
        || *below == staged(PROFILE)
        || *below == Location::from(STAGED).join(earlier::REPORT)
}

/// Whether a file is a part of predictions, in any format that is written, or a sidecar of one.
fn is_table_part(path: &Location) -> bool {
    let names: Vec<&str> = OutputFormat::all()
        .map(OutputFormat::name)
        .chain([SIDECAR_EXTENSION])
        .collect();
    is_part(path, &names)
}

/// Whether a file is the record of a finished part.
#[must_use]
pub fn is_part_record(path: &Location) -> bool {
    is_part(path, &["json"])
}

/// Whether a file is called `part-00000`, with one of these extensions.
fn is_part(path: &Location, extensions: &[&str]) -> bool {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy())
        .unwrap_or_default();
    let Some((number, extension)) = name
        .strip_prefix("part-")
        .and_then(|rest| rest.split_once('.'))
    else {
        return false;
    };
    let extension = extension.rsplit('.').next().unwrap_or(extension);
    number.len() >= 5
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && extensions.contains(&extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_predictions_under_their_final_names_end_in_parquet() {
        let (file, set) = (&Location::from("out/o.parquet"), &Location::from("out/set"));
        let sidecars = [false, true].map(|is_dataset| {
            let path = if is_dataset { set } else { file };
            [
                report(path, is_dataset),
                rejected(path, is_dataset),
                unfinished_report(path, is_dataset),
            ]
        });
        let waiting = [
            "part-00000.parquet",
            "a=b/part-00000.parquet",
            "part-00000.csv",
            "",
        ]
        .map(staged);
        for path in sidecars.iter().flatten().chain(&waiting) {
            assert!(
                path.extension()
                    .is_none_or(|end| end == "pq" || end == "staged"),
                "{}",
                path.display()
            );
        }
        assert_eq!(report(file, false), "out/o.report.pq");
        assert_eq!(staged(REPORT), "_tallow/staged/_tallow/report.pq");
        assert_eq!(waiting[1], "_tallow/staged/a=b/part-00000.parquet.staged");
    }

    #[test]
    fn challengers_answer_outside_of_the_output() {
        for (path, is_dataset, expected) in [
            ("out/p.parquet", false, "out/p.parquet.challengers/b.pq"),
            ("p.csv", false, "p.csv.challengers/b.pq"),
            ("out/scores/", true, "out/scores.challengers/b"),
            ("scores", true, "scores.challengers/b"),
        ] {
            let found = challenger(&Location::from(path), is_dataset, "b");
            assert_eq!(found, Location::from(expected));
        }
    }

    #[test]
    fn the_files_of_a_data_set_are_known_by_their_names() {
        for path in [
            "part-00000.parquet",
            "a=b/c=%2F/part-123456.csv",
            "_tallow/rejected/part-00001.pq",
            "_tallow/observed/part-00001.pq",
            "_rejected/part-00001.parquet",
            REPORT,
        ] {
            assert!(is_of_data_set(&Location::from(path)), "{path}");
        }
        for path in [
            "mine.parquet",
            "part-1.parquet",
            "sub/part-00000.parquet",
            "_tallow/notes.json",
            "part-00000.txt",
            MANIFEST,
        ] {
            assert!(!is_of_data_set(&Location::from(path)), "{path}");
        }
        for path in [
            "a=b/part-00000.parquet.staged",
            "part-00000.parquet",
            ".tmp-rows-1",
            "_tallow/report.pq",
            "_report.parquet",
        ] {
            assert!(is_left_by_run(&Location::from(STAGED).join(path)), "{path}");
        }
        assert!(!is_left_by_run(
            &Location::from(STAGED).join("precious.txt")
        ));
    }
}
