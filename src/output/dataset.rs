//! The destination of a run that writes a directory: a file for each part (and partition), hidden
//! until all are there.
//!
//! Owns the names in the directory and the order in which things become durable: a part's files,
//! then its record. Everything lies under [`super::names::STATE`] until publication, which is
//! `publication`'s. What a run may resume from is `checkpoint`'s.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::checkpoint::{Checkpoint, PartRecord};
use super::names::{REJECTED, STAGED, part_name, part_sidecar, staged};
use super::observed::Observed;
use super::partition::{PartitionedRows, WAITING_BYTES};
use super::quarantine::Quarantine;
use super::table_writer::{TableWriter, WrittenFile};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pipeline::Receiver;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::storage::{Location, PendingFile, find};
use crate::table::hive::Partitioning;
use crate::table::output_format::OutputFormat;

/// How the files of a data set are written.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The data set's directory.
    pub directory: Location,
    /// The files' format.
    pub format: OutputFormat,
    /// The output's columns.
    pub schema: SchemaRef,
    /// Which of them name directories.
    pub partitioning: Partitioning,
    /// Key-value pairs for the footers.
    pub metadata: Vec<(String, String)>,
    /// The table of what the run's observers saw.
    pub observed: Observed,
}

/// The files of the part at work.
pub struct DatasetOutput {
    layout: Layout,
    file_schema: SchemaRef,
    quarantine: Option<Quarantine>,
    checkpoint: Checkpoint,
    interrupt: Interrupt,
    /// The part's file, if its rows are not sorted into directories.
    open: Option<TableWriter>,
    sorted: PartitionedRows,
    rejected: Option<TableWriter>,
}

impl DatasetOutput {
    /// Parts go to the layout's directory and their records to the checkpoint; `interrupt` ends the
    /// work between two files.
    ///
    /// # Errors
    /// Fails if no column would be left for the files.
    pub fn new(
        layout: Layout,
        quarantine: Option<Quarantine>,
        checkpoint: Checkpoint,
        interrupt: Interrupt,
    ) -> Result<Self> {
        let kept = layout
            .schema
            .project(layout.partitioning.kept())
            .map_err(|error| Error::internal("partition columns").because(error))?;
        if kept.fields().is_empty() {
            return Err(Error::usage(
                "`--partition-by` names every column of the output: nothing is left for the files",
            ));
        }
        let file_schema: SchemaRef = Arc::new(kept);
        let sorted = PartitionedRows::new(
            file_schema.clone(),
            &layout.directory.join(STAGED),
            WAITING_BYTES,
        );
        Ok(Self {
            layout,
            file_schema,
            quarantine,
            checkpoint,
            interrupt,
            open: None,
            sorted,
            rejected: None,
        })
    }

    /// What was done, to be published.
    #[must_use]
    pub fn into_checkpoint(self) -> Checkpoint {
        self.checkpoint
    }

    /// Ends the table of rejected rows of a part that will not be finished, so that users can look
    /// at it; gives the directory where all such tables lie, if there is one.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    pub fn keep_rejected(&mut self) -> Result<Option<Location>> {
        if let Some(writer) = self.rejected.take() {
            Self::finish(writer, String::new())?;
        }
        let directory = self.layout.directory.join(staged(REJECTED));
        Ok(find(&directory)?.map(|_| directory))
    }

    fn open_writer(
        &self,
        path: &str,
        format: OutputFormat,
        schema: &SchemaRef,
    ) -> Result<TableWriter> {
        let file = PendingFile::create_below(&self.layout.directory, staged(path))?;
        TableWriter::new(file, format, schema.clone(), &self.layout.metadata)
    }

    fn open_part(&self, directory: &str, part: u64) -> Result<TableWriter> {
        self.open_writer(
            &self.path(directory, part),
            self.layout.format,
            &self.file_schema,
        )
    }

    /// Writes the files of all directories, one after the other.
    fn write_sorted(&mut self, part: u64, files: &mut Vec<WrittenFile>) -> Result<()> {
        let none = PartitionedRows::new(
            self.file_schema.clone(),
            &self.layout.directory.join(STAGED),
            WAITING_BYTES,
        );
        let sorted = std::mem::replace(&mut self.sorted, none);
        let mut open: Option<TableWriter> = None;
        sorted.drain(|directory, rows| match rows {
            Some(rows) => {
                if open.is_none() {
                    // A part may have thousands of them, each of which waits for the disk.
                    self.interrupt.check()?;
                    open = Some(self.open_part(directory, part)?);
                }
                open.as_mut().map_or(Ok(()), |writer| writer.write(rows))
            }
            None => open.take().map_or(Ok(()), |writer| {
                Self::finish(writer, self.path(directory, part)).map(|file| files.push(file))
            }),
        })
    }

    fn path(&self, directory: &str, part: u64) -> String {
        let separator = if directory.is_empty() { "" } else { "/" };
        format!(
            "{directory}{separator}{}.{}",
            part_name(part),
            self.layout.format.name()
        )
    }

    fn finish(writer: TableWriter, path: String) -> Result<WrittenFile> {
        let (file, written) = writer.finish(path)?;
        file.publish(true)?;
        Ok(written)
    }
}

impl Receiver for DatasetOutput {
    fn write(&mut self, part: u64, output: &RecordBatch) -> Result<()> {
        if self.layout.partitioning.is_none() {
            if self.open.is_none() {
                self.open = Some(self.open_part("", part)?);
            }
            return self
                .open
                .as_mut()
                .map_or(Ok(()), |writer| writer.write(output));
        }
        let at_position = |error: Error| error.at_path(&self.layout.directory);
        self.layout
            .partitioning
            .split(output)
            .map_err(at_position)?
            .into_iter()
            .try_for_each(|(directory, rows)| self.sorted.push(&directory, &rows))
            .map_err(at_position)
    }

    fn reject(
        &mut self,
        part: u64,
        file: usize,
        rows: &RecordBatch,
        rejections: &[Rejection],
    ) -> Result<()> {
        let Some(quarantine) = &self.quarantine else {
            return Ok(());
        };
        let batch = quarantine.batch(file, rows, rejections)?;
        if self.rejected.is_none() {
            let path = part_sidecar(REJECTED, part);
            self.rejected =
                Some(self.open_writer(&path, OutputFormat::parquet(), &quarantine.schema())?);
        }
        self.rejected
            .as_mut()
            .map_or(Ok(()), |writer| writer.write(&batch))
    }

    fn end_part(&mut self, account: &PartAccount, seen: &Partials) -> Result<()> {
        let number = account.number;
        let mut files = Vec::new();
        if self.layout.partitioning.is_none() {
            // A part without rows is a file all the same, so that a data set always says which
            // columns it has.
            let writer = self
                .open
                .take()
                .map_or_else(|| self.open_part("", number), Ok)?;
            files.push(Self::finish(writer, self.path("", number))?);
        } else {
            self.write_sorted(number, &mut files)?;
        }
        let rejected = self
            .rejected
            .take()
            .map(|writer| Self::finish(writer, part_sidecar(REJECTED, number)))
            .transpose()?;
        let observed = self
            .layout
            .observed
            .stage(&self.layout.directory, number, seen)?;
        let corrections = self.checkpoint.corrections.remove(&number);
        self.checkpoint.note(PartRecord {
            account: account.clone(),
            files,
            rejected,
            corrections,
            observed,
        })
    }
}
