//! The destination of a run that writes one file, and one more for rejected rows if there are any.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use super::quarantine::Quarantine;
use super::table_writer::{TableFormat, TableWriter, WrittenFile};
use crate::error::Result;
use crate::pipeline::Destination;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::table::commit::{PendingFile, remove};

/// The tables of a run that is not split into parts.
pub struct FileOutput {
    predictions: TableWriter,
    path: PathBuf,
    /// None if rejected rows are not wanted.
    quarantine: Option<Quarantine>,
    rejected_path: PathBuf,
    rejected: Option<TableWriter>,
    overwrite: bool,
}

/// Tables that are whole and wait for their names.
#[derive(Debug)]
pub struct FinishedFiles {
    /// The predictions, with what is known of them.
    pub predictions: (PendingFile, WrittenFile),
    /// The rejected rows, if there are any.
    pub rejected: Option<(PendingFile, WrittenFile)>,
    rejected_path: PathBuf,
    overwrite: bool,
}

impl FileOutput {
    /// Rows go to `predictions`, which will be at `path`, rejected ones to a Parquet file at `rejected_path`.
    #[must_use]
    pub fn new(predictions: TableWriter, path: PathBuf, quarantine: Option<Quarantine>, rejected_path: PathBuf, overwrite: bool) -> Self {
        Self { predictions, path, quarantine, rejected_path, rejected: None, overwrite }
    }

    /// Where rejected rows go, if there are any.
    #[must_use]
    pub fn rejected_path(&self) -> Option<&Path> {
        self.rejected.as_ref().map(|_| self.rejected_path.as_path())
    }

    /// Ends the tables.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    pub fn finish(self) -> Result<FinishedFiles> {
        let rejected_name = self.rejected_path.display().to_string();
        let rejected = self.rejected.map(|writer| writer.finish(rejected_name)).transpose()?;
        let predictions = self.predictions.finish(self.path.display().to_string())?;
        Ok(FinishedFiles { predictions, rejected, rejected_path: self.rejected_path, overwrite: self.overwrite })
    }
}

impl FinishedFiles {
    /// Gives the tables their names, the rejected rows first: predictions are never there without them. What an earlier run rejected is
    /// removed if this one rejects nothing.
    ///
    /// # Errors
    /// Fails if a name was taken meanwhile or cannot be given.
    pub fn publish(self) -> Result<()> {
        let (overwrite, rejected_path) = (self.overwrite, self.rejected_path.clone());
        let predictions = self.predictions.0;
        match self.rejected {
            Some((rejected, _)) => rejected.publish(overwrite)?,
            None if overwrite => remove(&rejected_path)?,
            None => {}
        }
        predictions.publish(overwrite)
    }

    /// Gives only the rejected rows their name: the predictions are withheld.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile or cannot be given.
    pub fn publish_rejected(self) -> Result<()> {
        self.rejected.map_or(Ok(()), |(rejected, _)| rejected.publish(true))
    }
}

impl Destination for FileOutput {
    fn write(&mut self, _part: u64, output: &RecordBatch) -> Result<()> {
        self.predictions.write(output)
    }

    fn reject(&mut self, _part: u64, file: usize, rows: &RecordBatch, rejections: &[Rejection]) -> Result<()> {
        let Some(quarantine) = &self.quarantine else { return Ok(()) };
        let batch = quarantine.batch(file, rows, rejections)?;
        if self.rejected.is_none() {
            self.rejected = Some(TableWriter::create(&self.rejected_path, self.overwrite, TableFormat::Parquet, quarantine.schema(), &[])?);
        }
        self.rejected.as_mut().map_or(Ok(()), |writer| writer.write(&batch))
    }

    fn end_part(&mut self, _account: &PartAccount) -> Result<()> {
        Ok(())
    }
}
