//! Directories whose log decides which of their files are the table: Delta Lake, Iceberg, Hudi and
//! others.
//!
//! Owns how such a table is recognised and what to type instead. Reading its files one by one would
//! give rows that were deleted or replaced, so every path into one is refused: the directory, a
//! pattern, a single file, a directory below it. It must not know what the logs say.

use std::collections::HashSet;

use serde::Deserialize;

use crate::error::{Error, Result, shell_word};
use crate::storage::{self, Location, canonical, find};

/// A kind of table that is more than its files.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    /// Whether a directory is the root of such a table.
    is_root: fn(&Location) -> bool,
    /// What to type to get a plain table; `TABLE` is the table's path.
    export: &'static str,
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "a Delta Lake table",
        is_root: |directory| is_directory(&directory.join("_delta_log")),
        export: "duckdb -c \"COPY (FROM delta_scan('TABLE')) TO 'export.parquet'\"",
    },
    Kind {
        name: "an Apache Iceberg table",
        is_root: |directory| {
            let is_metadata =
                |name: &str| name.contains(".metadata.json") || name == "version-hint.text";
            holds(&directory.join("metadata"), is_metadata)
        },
        export: "duckdb -c \"COPY (FROM iceberg_scan('TABLE')) TO 'export.parquet'\"",
    },
    Kind {
        name: "an Apache Hudi table",
        is_root: |directory| {
            // A partition that was copied without its table holds all versions too.
            let is_partition = find(directory.join(".hoodie_partition_metadata"));
            is_directory(&directory.join(".hoodie")) || is_partition.is_ok_and(|it| it.is_some())
        },
        export: "pyspark: spark.read.format('hudi').load('TABLE').write.parquet('export')",
    },
    Kind {
        name: "an Apache Paimon table",
        is_root: |directory| {
            let has = |name: &str| is_directory(&directory.join(name));
            let is_snapshot = |name: &str| name.starts_with("snapshot-") || name == "LATEST";
            has("schema") && has("manifest") && holds(&directory.join("snapshot"), is_snapshot)
        },
        export: "pyspark: spark.read.format('paimon').load('TABLE').write.parquet('export')",
    },
    Kind {
        name: "a Lance data set",
        is_root: |directory| {
            holds(&directory.join("_versions"), |name| {
                name.ends_with(".manifest")
            })
        },
        export: "python: pyarrow.parquet.write_table(lance.dataset('TABLE').to_table(), \
                 'export.parquet')",
    },
    Kind {
        name: "a transactional Hive table",
        is_root: |directory| is_acid_root(directory),
        export: "Hive: INSERT OVERWRITE DIRECTORY '/export' STORED AS PARQUET SELECT * FROM \
                 the_table",
    },
    Kind {
        name: "the output of a Spark stream",
        is_root: |directory| is_directory(&directory.join("_spark_metadata")),
        export: "pyspark: spark.read.parquet('TABLE').write.parquet('export')",
    },
    Kind {
        name: DUCK_LAKE,
        is_root: |directory| {
            let name = directory.file_name().unwrap_or_default();
            name.to_string_lossy().ends_with(".ducklake.files")
        },
        export: DUCK_LAKE_EXPORT,
    },
];

/// `DuckLake`'s log is in a database elsewhere; its files are known by their names.
const DUCK_LAKE: &str = "a DuckLake table";
const DUCK_LAKE_EXPORT: &str =
    "duckdb -c \"ATTACH 'ducklake:CATALOG' AS lake; COPY lake.the_table TO 'export.parquet'\"";

/// Files that Databricks writes have this in their names, before the number of their transaction.
const TRANSACTION: &str = "-tid-";
const UNSETTLED: &str = "a directory with unfinished or replaced transactions of Databricks";
const UNSETTLED_EXPORT: &str =
    "pyspark on Databricks: spark.read.parquet('TABLE').write.parquet('export')";

/// The ending of a file that is a `DuckLake` catalog.
const CATALOG_ENDING: &str = ".ducklake";

/// Looks for such tables above files and directories; remembers where it looked.
#[derive(Debug, Default)]
pub(super) struct Lakes {
    /// Directories as they were named, so that each is resolved once.
    named: HashSet<Location>,
    searched: HashSet<Location>,
    /// Directories whose transactions of Databricks are settled.
    settled: HashSet<Location>,
}

impl Lakes {
    /// Refuses a directory that is, lies in, or is the data of such a table.
    ///
    /// # Errors
    /// Names the table's kind and root, and what to type to export it.
    pub(super) fn refuse_directory(&mut self, directory: &Location) -> Result<()> {
        if !self.named.insert(directory.clone()) {
            return Ok(());
        }
        // A directory that cannot be resolved is refused by anyone who lists it.
        let Ok(real) = canonical(directory) else {
            return Ok(());
        };
        for above in real.ancestors() {
            if !self.searched.insert(above.clone()) {
                return Ok(());
            }
            if let Some(kind) = KINDS.iter().find(|kind| (kind.is_root)(&above)) {
                return Err(refusal(kind.name, kind.export, directory, &above));
            }
        }
        Ok(())
    }

    /// Refuses a file of such a table, and a link to one.
    ///
    /// # Errors
    /// As [`Lakes::refuse_directory`].
    pub(super) fn refuse_file(&mut self, file: &Location) -> Result<()> {
        self.refuse_named(file, file)?;
        // A file that cannot be resolved is refused by anyone who opens it.
        canonical(file).map_or(Ok(()), |target| self.refuse_named(&target, file))
    }

    /// Refuses a file by its own name and directory; the error names `shown`.
    fn refuse_named(&mut self, file: &Location, shown: &Location) -> Result<()> {
        refuse_catalog(file)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if is_duck_lake(&name) {
            let directory = file.directory();
            return Err(refusal(DUCK_LAKE, DUCK_LAKE_EXPORT, shown, &directory));
        }
        if name.contains(TRANSACTION) && self.settled.insert(file.directory()) {
            let directory = file.directory();
            if !is_settled(&directory) {
                return Err(refusal(UNSETTLED, UNSETTLED_EXPORT, shown, &directory));
            }
        }
        self.refuse_directory(&file.directory())
            .map_err(|error| error.at_path(shown))
    }
}

/// Refuses a directory that is, or lies in, such a table.
///
/// # Errors
/// Names the table's kind and root, and what to type to export it.
pub fn refuse(directory: &Location) -> Result<()> {
    if holds(directory, is_duck_lake) {
        return Err(refusal(DUCK_LAKE, DUCK_LAKE_EXPORT, directory, directory));
    }
    Lakes::default().refuse_directory(directory)
}

/// Refuses a file that is the catalog of a lake, by its name.
///
/// # Errors
/// Names what it is, and what to type to export a table.
pub fn refuse_catalog(file: &Location) -> Result<()> {
    let name = file.display().to_string();
    if !name.to_ascii_lowercase().ends_with(CATALOG_ENDING) {
        return Ok(());
    }
    let catalog = if shell_word(&name) == name {
        &name
    } else {
        "CATALOG"
    };
    let error = Error::failed("cannot read the file: it is a DuckLake catalog, not a table");
    Err(error.at_path(file).hint(format!(
        "export the table first: {}",
        DUCK_LAKE_EXPORT.replace("CATALOG", catalog)
    )))
}

fn is_duck_lake(name: &str) -> bool {
    name.starts_with("ducklake-") && name.ends_with(".parquet")
}

fn refusal(name: &str, export: &str, path: &Location, root: &Location) -> Error {
    let root = root.display().to_string();
    let export = export.replace("TABLE", &root);
    let error = Error::failed(format!(
        "cannot read the files of {name} one by one: its log decides which rows are valid"
    ));
    error.at_path(path).hint(format!(
        "export the table {} first: {export}",
        shell_word(&root)
    ))
}

fn is_directory(path: &Location) -> bool {
    find(path).is_ok_and(|found| found.is_some_and(|found| found.is_directory))
}

/// Whether a directory is there and holds a name like this.
fn holds(directory: &Location, is_it: impl Fn(&str) -> bool) -> bool {
    let name = |path: &Location| {
        path.file_name()
            .is_some_and(|name| is_it(&name.to_string_lossy()))
    };
    is_directory(directory) && storage::list(directory).is_ok_and(|paths| paths.iter().any(name))
}

/// Whether each transaction that Databricks began in a directory is committed, and what committed
/// ones removed is gone: its files are then its rows.
fn is_settled(directory: &Location) -> bool {
    let paths = storage::list(directory).unwrap_or_default();
    let names: HashSet<String> = paths
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let is_committed = |id: &str| names.contains(&format!("{COMMITTED}{id}"));
    let is_left = |name: &String| {
        let commit = storage::read(directory.join(name), COMMIT_BYTES).unwrap_or_default();
        let commit: Commit = serde_json::from_slice(&commit).unwrap_or_default();
        commit.removed.iter().any(|removed| names.contains(removed))
    };
    names
        .iter()
        .filter_map(|name| name.strip_prefix(STARTED))
        .all(is_committed)
        && !names
            .iter()
            .filter(|name| name.starts_with(COMMITTED))
            .any(is_left)
}

/// What the names begin with of files that say that a transaction has begun, and what it did.
const STARTED: &str = "_started_";
const COMMITTED: &str = "_committed_";

/// The most bytes of such a file: a name for each file that it added or removed.
const COMMIT_BYTES: u64 = 64 << 20;

/// What a transaction did.
#[derive(Default, Deserialize)]
struct Commit {
    #[serde(default)]
    removed: Vec<String>,
}

/// Whether a directory is `base_0000005`, `delta_0000001_0000001` or `delete_delta_…`, or holds
/// one.
fn is_acid_root(directory: &Location) -> bool {
    let own = directory
        .file_name()
        .is_some_and(|name| is_acid_name(&name.to_string_lossy()));
    own || find(directory.join("_orc_acid_version")).is_ok_and(|found| found.is_some())
}

fn is_acid_name(name: &str) -> bool {
    let numbers = ["base_", "delta_", "delete_delta_"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    numbers.is_some_and(|numbers| numbers.bytes().take_while(u8::is_ascii_digit).count() >= 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_transactional_hive_tables_are_known_by_their_names() {
        for name in [
            "base_0000005",
            "delta_0000001_0000001",
            "delta_0000001_0000001_0000",
            "delete_delta_0000003_0000003",
            "base_0000002_v0000012",
        ] {
            assert!(is_acid_name(name), "{name}");
        }
        for name in [
            "base",
            "base_2024",
            "delta_x",
            "deltas",
            "base_",
            "day=2024",
        ] {
            assert!(!is_acid_name(name), "{name}");
        }
    }
}
