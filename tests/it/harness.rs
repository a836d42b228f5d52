//! A clean room for running the program: no environment, a working directory of its own, results as
//! values.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Float64Type};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

/// A temporary working directory.
pub(crate) struct Room(TempDir);

/// What a run of the program gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path under the repository's `data`.
pub(crate) fn data(path: &str) -> PathBuf {
    root().join("data").join(path)
}

impl Room {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a Parquet file, with row groups of `row_group_rows`.
    pub(crate) fn parquet(
        &self,
        name: &str,
        batch: &RecordBatch,
        row_group_rows: usize,
    ) -> PathBuf {
        let path = self.path(name);
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_max_row_group_row_count(Some(row_group_rows))
            .build();
        let mut writer = ArrowWriter::try_new(
            std::fs::File::create(&path).unwrap(),
            batch.schema(),
            Some(properties),
        )
        .unwrap();
        writer.write(batch).unwrap();
        writer.close().unwrap();
        path
    }

    /// Names of everything in the room, hidden files included, sorted.
    pub(crate) fn listing(&self) -> Vec<String> {
        self.listing_of("")
    }

    /// Names of everything in a directory of the room, sorted.
    pub(crate) fn listing_of(&self, directory: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallow"));
        command
            .env_clear()
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .env("HOME", self.0.path())
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        // Where the toolkit's libraries lie, without which that build does not start.
        #[cfg(feature = "cuda")]
        command.envs(std::env::var_os("LD_LIBRARY_PATH").map(|path| ("LD_LIBRARY_PATH", path)));
        command
    }

    /// Runs `tallow` with these arguments, split at blanks.
    pub(crate) fn tallow(&self, line: &str) -> Run {
        self.run(line.split_whitespace())
    }

    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Run {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command().args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes)
                .unwrap()
                .replace(&*self.0.path().to_string_lossy(), "[ROOM]")
                .replace(&*root().to_string_lossy(), "[ROOT]")
        };
        Run {
            code: status.code().unwrap_or(-1),
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }

    /// Reads a Parquet file whole.
    pub(crate) fn table(&self, name: &str) -> RecordBatch {
        table(&self.path(name))
    }
}

impl Run {
    /// Fails the test, showing everything, unless the run succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// Fails the test, showing everything, unless the run ended with this code.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// The last line of standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.stdout.lines().last().expect("a line of output")).expect("JSON")
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}--- stderr\n{}--- exit {}",
            self.stdout, self.stderr, self.code
        )
    }
}

/// Reads a Parquet file whole.
#[track_caller]
pub(crate) fn table(path: &Path) -> RecordBatch {
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap();
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// A numeric column as f64; NaN for null.
#[track_caller]
pub(crate) fn numbers(column: &ArrayRef) -> Vec<f64> {
    let column = cast(column, &DataType::Float64).unwrap();
    column
        .as_primitive::<Float64Type>()
        .iter()
        .map(|value| value.unwrap_or(f64::NAN))
        .collect()
}

/// A column as texts.
#[track_caller]
pub(crate) fn texts(column: &ArrayRef) -> Vec<Option<String>> {
    let column = cast(column, &DataType::Utf8).unwrap();
    column
        .as_string::<i32>()
        .iter()
        .map(|value| value.map(str::to_owned))
        .collect()
}

/// The column of this name.
#[track_caller]
pub(crate) fn column<'a>(batch: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    batch.column_by_name(name).unwrap_or_else(|| {
        panic!(
            "no column `{name}` in {:?}",
            batch
                .schema()
                .fields()
                .iter()
                .map(|field| field.name())
                .collect::<Vec<_>>()
        )
    })
}
