//! What is there already where a run would write: its own output, files of earlier runs and
//! versions, and files of others.
//!
//! Owns who made them: nothing is replaced or removed that is not a run's own.

use super::Run;
use crate::error::{Error, Result};
use crate::output::names::{self, earlier};
use crate::output::quarantine;
use crate::plan::signed;
use crate::plan::target::Target;
use crate::report::previous::PreviousRun;
use crate::report::run::Status;
use crate::report::stored::StoredReport;
use crate::storage::{Location, find, is_newer, read_head, remove};
use crate::table::origin::RUN_ID;
use crate::table::parquet;

/// Whether the only thing in this run's way is the report of an output that had the same name and
/// was removed since.
pub(super) fn is_left_behind(target: &Target) -> Result<bool> {
    let Some(report) = target
        .report
        .as_ref()
        .filter(|_| !target.is_report_named && !target.is_dataset())
    else {
        return Ok(false);
    };
    if find(&target.path)?.is_some() || find(report)?.is_none() {
        return Ok(false);
    }
    Ok(is_report_of(report, &target.path))
}

/// Whether a file is the report of a run that made an output of this name.
fn is_report_of(report: &Location, output: &Location) -> bool {
    // What cannot be read as a report is no one's that this run knows.
    PreviousRun::read(report)
        .is_ok_and(|previous| previous.output.file_name() == output.file_name())
}

impl Run<'_> {
    /// Whether the file is there, and is what this run would make: of the same name and size, made
    /// by a run of the same name, and nothing was done to an input since. Not asked where it is to
    /// be replaced, but for who wants to know by the exit code.
    pub(super) fn is_done_already(&self) -> Result<bool> {
        let Target { path, format, .. } = &self.target;
        if self.target.is_stream() {
            return Ok(false);
        }
        let is_asked = self.plan.skip_code.is_some() || !self.target.overwrite;
        let Some(found) = find(path)?.filter(|found| is_asked && found.is_file) else {
            return Ok(false);
        };
        if !format.may_have_written(&read_head(path)?)
            || !self.was_made_by_this_run(found.byte_count)?
            || !self.has_signature(path)
        {
            return Ok(false);
        }
        for file in &self.plan.job.dataset.files {
            if is_newer(&file.path, path)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether an output has a signature, or needs none.
    pub(super) fn has_signature(&self, output: &Location) -> bool {
        let path = if self.target.is_dataset() {
            output.join(names::SIGNATURE)
        } else {
            signed::default_signature_of_file(output)
        };
        self.signer.is_none() || find(path).is_ok_and(|found| found.is_some())
    }

    /// Whether its report says so; or, where none is needed, the file itself.
    fn was_made_by_this_run(&self, output_bytes: u64) -> Result<bool> {
        let Target {
            path,
            report,
            rejected,
            ..
        } = &self.target;
        if report.is_none() {
            return Ok(parquet::footer_value(path, RUN_ID)
                .is_some_and(|run_id| run_id == self.plan.run_id));
        }
        let Some(previous) = self
            .target
            .last_report()?
            .and_then(|report| PreviousRun::read(&report).ok())
        else {
            return Ok(false);
        };
        let is_of_output = previous.output.file_name() == path.file_name()
            && previous.output_bytes == output_bytes;
        let published = [Status::Done, Status::OverBudget, Status::GatesFailed];
        let is_published = published.map(Status::name).contains(&&*previous.status);
        let needs_rejected = rejected.as_ref().filter(|_| previous.rows.rejected > 0);
        let has_rejected =
            needs_rejected.map_or(Ok(true), |path| find(path).map(|found| found.is_some()))?;
        Ok(previous.run_id == self.plan.run_id && is_of_output && is_published && has_rejected)
    }

    /// Checks that no file that is not a run's has a name that this run gives by itself: such a
    /// file is somebody's.
    pub(super) fn refuse_foreign(&self) -> Result<()> {
        let Target {
            report,
            rejected,
            overwrite,
            is_report_named,
            ..
        } = &self.target;
        if self.target.is_dataset() || !overwrite {
            return Ok(());
        }
        let is_there = |path: &&Location| find(*path).is_ok_and(|found| found.is_some());
        if let Some(path) = report
            .as_ref()
            .filter(|_| !is_report_named)
            .filter(is_there)
            .filter(|path| StoredReport::read(path).is_err())
        {
            let error =
                Error::failed("the file has the name of this run's report, and is not a report")
                    .at_path(path);
            return Err(error.hint("move it elsewhere, or name the report: `--report FILE`"));
        }
        let has_own_name = !self.target.is_rejected_named;
        if let Some(path) = rejected
            .as_ref()
            .filter(|_| has_own_name)
            .filter(is_there)
            .filter(|path| !quarantine::is_table(path))
        {
            let error = Error::failed(
                "the file has the name of this run's rejected rows, and holds something else",
            )
            .at_path(path);
            return Err(error
                .hint("move it elsewhere, or name the table of rejected rows: `--rejected FILE`"));
        }
        Ok(())
    }

    /// Removes an older run's account of its failure, and what earlier versions wrote next to an
    /// output that this run replaced.
    pub(super) fn forget_earlier_files(&self) -> Result<()> {
        let Target {
            path,
            overwrite,
            is_report_named,
            ..
        } = &self.target;
        if self.target.is_stream() {
            return Ok(());
        }
        let is_dataset = self.target.is_dataset();
        let own = self
            .target
            .unfinished_report()
            .filter(|report| StoredReport::read(report).is_ok());
        own.map_or(Ok(()), |report| remove(&report))?;
        let [report, unfinished] = [
            earlier::report(path, is_dataset),
            earlier::unfinished_report(path, is_dataset),
        ];
        let is_own = |report: &Location| is_report_of(report, path);
        if is_own(&unfinished) {
            remove(&unfinished)?;
        }
        if is_dataset || !overwrite || *is_report_named || !is_own(&report) {
            return Ok(());
        }
        let rejected = earlier::rejected(path);
        if !self.target.is_rejected_named && quarantine::is_table(&rejected) {
            remove(&rejected)?;
        }
        remove(&report)
    }
}
