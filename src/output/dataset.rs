//! The destination of a run that writes a directory: a file for each part (and partition), hidden until all are there.
//!
//! Owns the names in the directory and the order in which things become durable: a part's files, then its record. Everything lies under
//! [`STATE`] until publication, which is `publication`'s. What a run may resume from is `checkpoint`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::checkpoint::{Checkpoint, PartRecord};
use super::quarantine::Quarantine;
use super::table_writer::{TableFormat, TableWriter, WrittenFile};
use crate::error::{Error, Result};
use crate::pipeline::Destination;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::table::commit::{find, make_directory};
use crate::table::hive::Partitioning;

/// The directory of an unfinished run inside its output; readers of data sets pass over names that begin with `_`.
pub const STATE: &str = "_tallow";

/// Where rejected rows lie in a data set. The underscore keeps readers of the data set from taking them for predictions.
pub const REJECTED: &str = "_rejected";

/// The most partitions of one part: each is an open file and a row group in memory.
const MOST_PARTITIONS: usize = 256;

/// A part's name in files and records.
#[must_use]
pub fn part_name(number: u64) -> String {
    format!("part-{number:05}")
}

/// How the files of a data set are written.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The data set's directory.
    pub directory: PathBuf,
    /// The files' format.
    pub format: TableFormat,
    /// The output's columns.
    pub schema: SchemaRef,
    /// Which of them name directories.
    pub partitioning: Partitioning,
    /// Key-value pairs for the footers.
    pub metadata: Vec<(String, String)>,
}

/// The files of the part at work.
pub struct DatasetOutput {
    layout: Layout,
    file_schema: SchemaRef,
    quarantine: Option<Quarantine>,
    checkpoint: Checkpoint,
    /// By directory.
    open: BTreeMap<String, TableWriter>,
    rejected: Option<TableWriter>,
}

impl DatasetOutput {
    /// Parts go to the layout's directory and their records to the checkpoint.
    ///
    /// # Errors
    /// Fails if no column would be left for the files.
    pub fn new(layout: Layout, quarantine: Option<Quarantine>, checkpoint: Checkpoint) -> Result<Self> {
        let kept = layout.schema.project(layout.partitioning.kept()).map_err(|error| Error::internal("partition columns").because(error))?;
        if kept.fields().is_empty() {
            return Err(Error::usage("`--partition-by` names every column of the output: nothing is left for the files"));
        }
        Ok(Self { layout, file_schema: Arc::new(kept), quarantine, checkpoint, open: BTreeMap::new(), rejected: None })
    }

    /// What was done, to be published.
    #[must_use]
    pub fn into_checkpoint(self) -> Checkpoint {
        self.checkpoint
    }

    /// Where a file of the final name `path` lies until publication.
    fn staged(&self, path: &str) -> PathBuf {
        staged(&self.layout.directory, path)
    }

    /// Ends the table of rejected rows of a part that will not be finished, so that people can look at it; gives the directory where all such
    /// tables lie, if there is one.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    pub fn keep_rejected(&mut self) -> Result<Option<PathBuf>> {
        if let Some(writer) = self.rejected.take() {
            Self::finish(writer, String::new())?;
        }
        let directory = self.staged(REJECTED);
        Ok(find(&directory)?.map(|_| directory))
    }

    fn open_writer(&self, path: &str, format: TableFormat, schema: &SchemaRef) -> Result<TableWriter> {
        let staged = self.staged(path);
        staged.parent().map_or(Ok(()), make_directory)?;
        TableWriter::create(&staged, true, format, schema.clone(), &self.layout.metadata)
    }

    fn path(&self, directory: &str, part: u64) -> String {
        let separator = if directory.is_empty() { "" } else { "/" };
        format!("{directory}{separator}{}.{}", part_name(part), self.layout.format.extension())
    }

    fn finish(writer: TableWriter, path: String) -> Result<WrittenFile> {
        let (file, written) = writer.finish(path)?;
        file.publish(true)?;
        Ok(written)
    }
}

/// Where a file of the final name `path` lies until publication.
#[must_use]
pub(super) fn staged(directory: &Path, path: &str) -> PathBuf {
    directory.join(STATE).join("staged").join(path)
}

impl Destination for DatasetOutput {
    fn write(&mut self, part: u64, output: &RecordBatch) -> Result<()> {
        for (directory, rows) in self.layout.partitioning.split(output)? {
            if !self.open.contains_key(&directory) {
                if self.open.len() == MOST_PARTITIONS {
                    let error = Error::failed(format!("a part has more than {MOST_PARTITIONS} partitions")).at_path(&self.layout.directory);
                    return Err(error.hint("partition by columns with fewer values, or pass a lower `--rows-per-part`"));
                }
                let writer = self.open_writer(&self.path(&directory, part), self.layout.format, &self.file_schema)?;
                self.open.insert(directory.clone(), writer);
            }
            self.open.get_mut(&directory).map_or(Ok(()), |writer| writer.write(&rows))?;
        }
        Ok(())
    }

    fn reject(&mut self, part: u64, file: usize, rows: &RecordBatch, rejections: &[Rejection]) -> Result<()> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let batch = quarantine.batch(file, rows, rejections)?;
        if self.rejected.is_none() {
            let path = format!("{REJECTED}/{}.parquet", part_name(part));
            self.rejected = Some(self.open_writer(&path, TableFormat::Parquet, &quarantine.schema())?);
        }
        self.rejected.as_mut().map_or(Ok(()), |writer| writer.write(&batch))
    }

    fn end_part(&mut self, account: &PartAccount) -> Result<()> {
        let number = account.number;
        if self.open.is_empty() && self.layout.partitioning.kept().len() == self.layout.schema.fields().len() {
            // A part without rows is a file all the same, so that a data set always says which columns it has.
            let writer = self.open_writer(&self.path("", number), self.layout.format, &self.file_schema)?;
            self.open.insert(String::new(), writer);
        }
        let mut files = Vec::new();
        for (directory, writer) in std::mem::take(&mut self.open) {
            files.push(Self::finish(writer, self.path(&directory, number))?);
        }
        let rejected = self.rejected.take().map(|writer| Self::finish(writer, format!("{REJECTED}/{}.parquet", part_name(number)))).transpose()?;
        let corrections = self.checkpoint.corrections.remove(&number);
        self.checkpoint.note(PartRecord { account: account.clone(), files, rejected, corrections })
    }
}
