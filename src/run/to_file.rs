//! A run into a single file: the table, its report, its rejected rows.
//!
//! All files are written before any gets its name, so what can still fail at the end is only the
//! naming.

use arrow::array::RecordBatch;

use super::challengers::Challengers;
use super::destination::{Begun, Destination};
use super::record::{self, RECORD};
use super::{Run, Written};
use crate::error::{Error, Kind, Result};
use crate::output::file::{FileOutput, FinishedFiles};
use crate::output::profile as profile_file;
use crate::output::table_writer::TableWriter;
use crate::output::{quarantine, report};
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{Input, Outcomes, Receiver};
use crate::plan::signed;
use crate::plan::target::Target;
use crate::report::Fact;
use crate::report::stored::StoredReport;
use crate::storage::{PendingFile, find, remove};

/// The file of a run.
pub(super) struct ToFile<'a> {
    run: &'a Run<'a>,
    state: State,
    report: Option<PendingFile>,
    profile: Option<PendingFile>,
    signature: Option<PendingFile>,
}

/// How far the tables are.
enum State {
    New,
    Open(Box<FileOutput>),
    Finished(Box<FinishedFiles>),
    Ended,
}

fn not_open() -> Error {
    Error::internal("the output is not open")
}

impl<'a> ToFile<'a> {
    /// The run's file, not begun.
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        Self {
            run,
            state: State::New,
            report: None,
            profile: None,
            signature: None,
        }
    }

    fn open(&mut self) -> Result<&mut FileOutput> {
        match &mut self.state {
            State::Open(output) => Ok(output),
            _ => Err(not_open()),
        }
    }

    fn take_open(&mut self) -> Result<FileOutput> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Open(output) => Ok(*output),
            _ => Err(not_open()),
        }
    }
}

impl Destination for ToFile<'_> {
    fn begin(&mut self, challengers: &mut Challengers<'_>) -> Result<Option<Begun>> {
        let run = self.run;
        if challengers.have_files() && run.is_done_already()? {
            return Ok(None);
        }
        let Target {
            path,
            format,
            overwrite,
            ..
        } = run.target().clone();
        let rejected_path = run.target().rejected.clone().unwrap_or_default();
        let schema = run.plan().job.output_schema.clone();
        let writer = TableWriter::create(&path, overwrite, format, schema, &run.footer())?;
        self.report = open_report(run.target())?;
        self.profile = run
            .profile_path()
            .map(|path| PendingFile::create(&path, overwrite))
            .transpose()?;
        if run.signer.is_some() {
            let path = signed::default_signature_of_file(&path);
            self.signature = Some(PendingFile::create(&path, overwrite)?);
        }
        forget_withheld(run.target())?;
        let output = FileOutput::new(writer, path, run.quarantine()?, rejected_path, overwrite);
        self.state = State::Open(Box::new(output));
        challengers.open_files();
        Ok(Some(Begun {
            input: Input::whole(&run.plan().job),
            outcomes: Outcomes::new(&run.plan().job),
        }))
    }

    fn finish(&mut self) -> Result<Written> {
        let finished = self.take_open()?.finish()?;
        let predictions = &finished.predictions.1;
        let rejected = finished.rejected.as_ref();
        let written = Written {
            row_count: predictions.rows,
            output_bytes: predictions.bytes,
            rejected: rejected.map(|(_, file)| file.path.clone()),
            report: None,
        };
        self.state = State::Finished(Box::new(finished));
        Ok(written)
    }

    fn seal(&mut self, facts: &[Fact]) -> Result<()> {
        let State::Finished(finished) = &self.state else {
            return Err(Error::internal("the output is not finished"));
        };
        if let Some(report) = &mut self.report {
            let record = record::of_file(self.run, &finished.predictions.1, facts)?;
            let run_id = &self.run.plan().run_id;
            report::write_with(report, run_id, facts, (RECORD, record))?;
        }
        self.run.note_publication()
    }

    fn publish(&mut self, outcomes: &Outcomes, _facts: &[Fact]) -> Result<Option<String>> {
        if let (Some(file), Some(profile)) = (&mut self.profile, self.run.profile(outcomes)) {
            profile_file::write(file, profile)?;
        }
        let State::Finished(finished) = std::mem::replace(&mut self.state, State::Ended) else {
            return Err(Error::internal("the output is not finished"));
        };
        let report = self.report.take();
        let name = report
            .as_ref()
            .map(|file| file.path().display().to_string());
        let signature = match (self.signature.take(), &self.run.signer) {
            (Some(mut file), Some(signer)) => {
                finished.sign(&mut file, signer)?;
                Some(file)
            }
            _ => None,
        };
        finished.publish(report, signature)?;
        if let Some(file) = self.profile.take() {
            file.publish(self.run.target().overwrite)?;
        }
        Ok(name)
    }

    fn withhold(&mut self, error: &Error) -> Result<Option<String>> {
        (self.report, self.profile, self.signature) = (None, None, None);
        let output = self.take_open()?;
        if error.kind() != Kind::ErrorBudget {
            return Ok(None);
        }
        let rejected = output
            .rejected_path()
            .map(|path| path.display().to_string());
        output.finish()?.publish_rejected()?;
        Ok(rejected)
    }
}

impl Receiver for ToFile<'_> {
    fn write(&mut self, part: u64, output: &RecordBatch) -> Result<()> {
        self.open()?.write(part, output)
    }

    fn reject(
        &mut self,
        part: u64,
        file: usize,
        rows: &RecordBatch,
        rejections: &[Rejection],
    ) -> Result<()> {
        self.open()?.reject(part, file, rows, rejections)
    }

    fn end_part(&mut self, account: &PartAccount, seen: &Partials) -> Result<()> {
        self.open()?.end_part(account, seen)
    }
}

/// The report's file. That its name is taken, while the output's is not, is a surprise to
/// anyone who named only the output.
fn open_report(target: &Target) -> Result<Option<PendingFile>> {
    let Target {
        report,
        overwrite,
        is_report_named,
        ..
    } = target;
    let Some(path) = report else { return Ok(None) };
    let created = PendingFile::create(path, *overwrite).map_err(|error| {
        let is_taken = !overwrite
            && find(path).is_ok_and(|found| found.is_some())
            && find(&target.path).is_ok_and(|found| found.is_none());
        if *is_report_named || !is_taken {
            return error;
        }
        error.hint(
            "another run's report has the name that this one's would have: name it with \
             `--report FILE`, or pass `--overwrite` to replace it",
        )
    });
    created.map(Some)
}

/// Removes the rejected rows of a run that withheld its output: they must not stand in the way of
/// the next one. Its report says that they are its own.
fn forget_withheld(target: &Target) -> Result<()> {
    let is_left = target
        .unfinished_report()
        .is_some_and(|path| StoredReport::read(&path).is_ok());
    let has_own_name = !target.is_rejected_named;
    let rejected = target
        .rejected
        .as_ref()
        .filter(|path| is_left && has_own_name && quarantine::is_table(path));
    rejected.map_or(Ok(()), remove)
}
