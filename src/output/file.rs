//! The destination of a run that writes one file, and one more for rejected rows if there are any.

use std::io::Write;

use arrow::array::RecordBatch;

use super::quarantine::{self, Quarantine};
use super::table_writer::{TableWriter, WrittenFile};
use crate::digest::from_hexadecimal;
use crate::error::{Error, Result};
use crate::package::signature::sign::{SigningIdentity, sign_digest};
use crate::pipeline::Receiver;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::storage::{Location, PendingFile, remove};
use crate::table::output_format::OutputFormat;

/// The tables of a run that is not split into parts.
pub struct FileOutput {
    predictions: TableWriter,
    path: Location,
    /// None if rejected rows are not needed.
    quarantine: Option<Quarantine>,
    rejected_path: Location,
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
    pub(super) rejected_path: Location,
    pub(super) overwrite: bool,
}

impl FileOutput {
    /// Rows go to `predictions`, which will be at `path`, rejected ones to `rejected_path`, whose
    /// name says the format.
    #[must_use]
    pub fn new(
        predictions: TableWriter,
        path: Location,
        quarantine: Option<Quarantine>,
        rejected_path: Location,
        overwrite: bool,
    ) -> Self {
        Self {
            predictions,
            path,
            quarantine,
            rejected_path,
            rejected: None,
            overwrite,
        }
    }

    /// Where rejected rows go, if there are any.
    #[must_use]
    pub fn rejected_path(&self) -> Option<&Location> {
        self.rejected.as_ref().map(|_| &self.rejected_path)
    }

    /// Ends the tables.
    ///
    /// # Errors
    /// Fails if what is left cannot be written.
    pub fn finish(self) -> Result<FinishedFiles> {
        let rejected_name = self.rejected_path.display().to_string();
        let rejected = self
            .rejected
            .map(|writer| writer.finish(rejected_name))
            .transpose()?;
        let predictions = self.predictions.finish(self.path.display().to_string())?;
        Ok(FinishedFiles {
            predictions,
            rejected,
            rejected_path: self.rejected_path,
            overwrite: self.overwrite,
        })
    }
}

impl FinishedFiles {
    /// Gives the tables and the report their names; what an earlier run rejected is removed if this
    /// one rejects nothing.
    ///
    /// The rejected rows come first: predictions are never there without them. A report that
    /// replaces another comes last, because it says which run the predictions are of. Where nothing
    /// is replaced the predictions come last, and if a name cannot be given, those that were
    /// are taken back: the same run can be tried again.
    ///
    /// # Errors
    /// Fails if a name was taken meanwhile or cannot be given.
    pub fn publish(
        self,
        report: Option<PendingFile>,
        signature: Option<PendingFile>,
    ) -> Result<()> {
        let Self {
            predictions: (predictions, _),
            rejected,
            rejected_path,
            overwrite,
        } = self;
        if overwrite && rejected.is_none() && quarantine::is_table(&rejected_path) {
            remove(&rejected_path)?;
        }
        let (rejected, predictions) = (rejected.map(|(file, _)| file), Some(predictions));
        let files = if overwrite {
            [rejected, signature, predictions, report]
        } else {
            [rejected, report, signature, predictions]
        };
        let mut named = Vec::new();
        for file in files.into_iter().flatten() {
            let path = file.path().to_owned();
            if let Err(error) = file.publish(overwrite) {
                let returned = if overwrite { Vec::new() } else { named };
                // The first error is the one to report.
                returned.iter().for_each(|path: &Location| _ = remove(path));
                return Err(error);
            }
            named.push(path);
        }
        Ok(())
    }

    /// Writes the signature of the predictions.
    ///
    /// # Errors
    /// Fails if it cannot be made or written.
    pub fn sign(&self, file: &mut PendingFile, signer: &SigningIdentity) -> Result<()> {
        let predictions = &self.predictions.1;
        let location = Location::from(&predictions.path);
        let name = location.file_name().unwrap_or_default();
        let digest = from_hexadecimal(&predictions.sha256)
            .ok_or_else(|| Error::internal("a digest that is not one"))?;
        let bytes = sign_digest(&name.to_string_lossy(), &digest, signer)?;
        file.write_all(&bytes).map_err(|error| {
            Error::failed("cannot write the signature")
                .because(error)
                .at_path(file.path())
        })
    }

    /// Gives only the rejected rows their name: the predictions are withheld.
    ///
    /// # Errors
    /// Fails if the name was taken meanwhile or cannot be given.
    pub fn publish_rejected(self) -> Result<()> {
        self.rejected
            .map_or(Ok(()), |(rejected, _)| rejected.publish(true))
    }
}

impl Receiver for FileOutput {
    fn write(&mut self, _part: u64, output: &RecordBatch) -> Result<()> {
        self.predictions.write(output)
    }

    fn reject(
        &mut self,
        _part: u64,
        file: usize,
        rows: &RecordBatch,
        rejections: &[Rejection],
    ) -> Result<()> {
        let Some(quarantine) = &self.quarantine else {
            return Ok(());
        };
        let batch = quarantine.batch(file, rows, rejections)?;
        if self.rejected.is_none() {
            let format = OutputFormat::of_name(&self.rejected_path)?;
            self.rejected = Some(TableWriter::create(
                &self.rejected_path,
                self.overwrite,
                format,
                quarantine.schema(),
                &[],
            )?);
        }
        self.rejected
            .as_mut()
            .map_or(Ok(()), |writer| writer.write(&batch))
    }

    fn end_part(&mut self, _account: &PartAccount, _seen: &Partials) -> Result<()> {
        Ok(())
    }
}
