//! A table being written to a file that has not its name yet: a sink, and a digest of every byte.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::DigestWriter;
use crate::error::{Error, Result};
use crate::storage::{Location, PendingFile};
use crate::table::Sink;
use crate::table::keyring::{Encryption, Keyring};
use crate::table::output_format::OutputFormat;

/// Writes a table of one batch to a file, in the format that its name asks for, with pairs for the
/// footer if it has one. It holds no rows of the data, so it is never encrypted.
///
/// # Errors
/// Fails if it cannot be written.
pub fn write_table(
    file: &mut PendingFile,
    batch: &RecordBatch,
    metadata: &[(String, String)],
) -> Result<()> {
    let format = OutputFormat::of_name(file.path())?;
    let mut sink = format.sink(Box::new(file), batch.schema(), metadata, None)?;
    sink.write(batch)?;
    sink.finish()
}

/// A file that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct WrittenFile {
    /// Its path; of a data set's, below the data set's directory.
    #[serde(deserialize_with = "path_below")]
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

/// A path that does not lead out of the directory it is relative to: records are read to rename and
/// remove what they name.
fn path_below<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if Location::from(&path).is_plain() {
        Ok(path)
    } else {
        Err(D::Error::custom(format!(
            "the path `{path}` leads out of the data set"
        )))
    }
}

/// A table being written.
pub struct TableWriter {
    path: Location,
    sink: Box<dyn Sink>,
    file: SharedWriter,
    rows: u64,
}

/// The file, of which the sink holds a clone until it is finished.
#[derive(Clone)]
struct SharedWriter(Arc<Mutex<DigestWriter<PendingFile>>>);

impl Write for SharedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .flush()
    }
}

impl TableWriter {
    /// Begins the file of rows at `path`; `metadata` goes to a Parquet file's footer. The file is
    /// encrypted if this process has keys to write with.
    ///
    /// # Errors
    /// Fails if the file cannot be made or a column has no form in the format.
    pub fn create(
        path: &Location,
        overwrite: bool,
        format: OutputFormat,
        schema: SchemaRef,
        metadata: &[(String, String)],
    ) -> Result<Self> {
        Self::new(
            PendingFile::create(path, overwrite)?,
            format,
            schema,
            metadata,
        )
    }

    /// Begins a file of rows that waits for its name; encrypted as with [`Self::create`].
    ///
    /// # Errors
    /// Fails if a column has no form in the format.
    pub fn new(
        file: PendingFile,
        format: OutputFormat,
        schema: SchemaRef,
        metadata: &[(String, String)],
    ) -> Result<Self> {
        let keyring = Keyring::of_process();
        Self::begin(file, format, schema, metadata, keyring.writing.as_ref())
    }

    /// Begins a Parquet file that holds no rows of the data: reports, profiles; with pairs for the
    /// footer. It is never encrypted.
    ///
    /// # Errors
    /// Fails if a column has no form in the format.
    pub fn plain(
        file: PendingFile,
        schema: SchemaRef,
        metadata: &[(String, String)],
    ) -> Result<Self> {
        Self::begin(file, OutputFormat::parquet(), schema, metadata, None)
    }

    fn begin(
        file: PendingFile,
        format: OutputFormat,
        schema: SchemaRef,
        metadata: &[(String, String)],
        encryption: Option<&Encryption>,
    ) -> Result<Self> {
        let path = file.path().to_owned();
        let file = SharedWriter(Arc::new(Mutex::new(DigestWriter::new(file))));
        let sink = format.sink(Box::new(file.clone()), schema, metadata, encryption)?;
        Ok(Self {
            path,
            sink,
            file,
            rows: 0,
        })
    }

    /// Appends rows.
    ///
    /// # Errors
    /// Fails if they cannot be written.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.sink
            .write(batch)
            .map_err(|error| error.at_path(&self.path))
    }

    /// Writes the table's end. The file still waits for its name; `path` is what it is called in
    /// accounts.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    pub fn finish(self, path: String) -> Result<(PendingFile, WrittenFile)> {
        let Self {
            path: own,
            sink,
            file,
            rows,
        } = self;
        sink.finish().map_err(|error| error.at_path(own))?;
        let file = Arc::into_inner(file.0)
            .ok_or_else(|| Error::internal("a finished table is still being written"))?;
        let (file, sha256, bytes) = file
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .finish();
        Ok((
            file,
            WrittenFile {
                path,
                rows,
                bytes,
                sha256,
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cannot_name_files_outside_its_data_set() {
        let record = |path: &str| {
            serde_json::from_value::<WrittenFile>(
                serde_json::json!({"path": path, "rows": 1, "bytes": 1, "sha256": ""}),
            )
        };
        assert_eq!(
            record("region=a%2Fb/part-00000.parquet").unwrap().path,
            "region=a%2Fb/part-00000.parquet"
        );
        for path in ["../precious", "/etc/passwd", "a/../../b", "", "./a/.."] {
            assert!(
                record(path)
                    .unwrap_err()
                    .to_string()
                    .contains("leads out of the data set"),
                "{path}"
            );
        }
    }
}
