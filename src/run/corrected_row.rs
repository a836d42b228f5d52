//! The rows of a recorded run that `retry` corrected, for those who explain them.
//!
//! Owns where the values that `retry` read are kept: with the data set. It must not know how a row
//! is scored.

use std::collections::{BTreeMap, HashMap};

use arrow::array::RecordBatch;

use crate::error::Result;
use crate::output::corrected::CorrectedRows;
use crate::output::manifest::Manifest;
use crate::pipeline::Job;
use crate::pipeline::correction::Corrections;
use crate::report::explanation::Correction;
use crate::storage::{Location, find};

/// All corrected rows of a data set.
pub(super) struct CorrectedRun {
    corrections: Corrections,
    /// The table of each row, by (file, row in it from 0).
    tables: BTreeMap<(usize, u64), Location>,
    /// The first table that the manifest lists and that is gone.
    lost: Option<Location>,
    /// When the data set was finished, by the last `retry`.
    finished_at: String,
}

impl CorrectedRun {
    /// The corrected rows of the data set in `directory`; none if no row of it was corrected.
    ///
    /// # Errors
    /// Fails if a table of corrected rows cannot be read.
    pub(super) fn find(
        manifest: &Manifest,
        directory: &Location,
        job: &Job,
    ) -> Result<Option<Self>> {
        let inputs = manifest.identity.inputs.iter().enumerate();
        let files: HashMap<String, usize> = inputs
            .map(|(index, input)| (input.path.text(), index))
            .collect();
        let listed = manifest.parts.iter();
        let listed =
            listed.filter_map(|part| Some(directory.join(&part.corrections.as_ref()?.path)));
        let (mut kept, mut lost) = (Vec::new(), None);
        for path in listed {
            if find(&path)?.is_some() {
                kept.push(path);
            } else {
                lost.get_or_insert(path);
            }
        }
        if kept.is_empty() && lost.is_none() {
            return Ok(None);
        }
        let mut tables = BTreeMap::new();
        for path in &kept {
            let rows = CorrectedRows::locations([path], &files)?;
            tables.extend(rows.into_iter().map(|location| (location, path.clone())));
        }
        let rows = CorrectedRows::read_kept(&kept, job, &files)?;
        Ok(Some(Self {
            corrections: rows.into_corrections(job)?,
            tables,
            lost,
            finished_at: manifest.finished_at.clone(),
        }))
    }

    /// The batch, which begins at row `first_row` of file `file`, as `retry` read it.
    ///
    /// # Errors
    /// An internal error if the columns differ.
    pub(super) fn apply(
        &self,
        batch: RecordBatch,
        file: usize,
        first_row: u64,
    ) -> Result<RecordBatch> {
        self.corrections.apply(batch, file, first_row)
    }

    /// What is to be said of a row; nothing of one that was never corrected. Of a row that is
    /// rejected it may be that it was, and that its values are lost.
    pub(super) fn of_row(
        &self,
        (file, row): (usize, u64),
        is_rejected: bool,
    ) -> Option<Correction> {
        let kept = self.tables.get(&(file, row));
        let table = kept.or(self.lost.as_ref().filter(|_| is_rejected))?;
        Some(Correction {
            table: table.display().to_string(),
            is_kept: kept.is_some(),
            finished_at: self.finished_at.clone(),
            rejected_because: None,
        })
    }
}
