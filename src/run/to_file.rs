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
use crate::output::observed::Observed;
use crate::output::profile as profile_file;
use crate::output::table_writer::TableWriter;
use crate::output::withheld::{self, Withheld};
use crate::output::{quarantine, report};
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{Input, Outcomes, Receiver};
use crate::plan::target::Target;
use crate::plan::{identity, signed};
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
    /// What became of the rows.
    account: Option<PartAccount>,
}

/// How far the tables are.
enum State {
    New,
    Open(Box<FileOutput>),
    /// An earlier run of the same work made them, and a gate withheld them.
    Kept(Box<Withheld>),
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
            account: None,
        }
    }

    fn open(&mut self) -> Result<&mut FileOutput> {
        match &mut self.state {
            State::Open(output) => Ok(output),
            _ => Err(not_open()),
        }
    }

    fn take_finished(&mut self) -> Result<FinishedFiles> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Open(output) => output.finish(),
            State::Kept(kept) => kept.finished(self.run.target().overwrite),
            State::Finished(files) => Ok(*files),
            _ => Err(not_open()),
        }
    }

    /// What an earlier run of the same work made, and a gate withheld.
    fn find_kept(&self) -> Result<Option<Withheld>> {
        let (run, target) = (self.run, self.run.target());
        if !run.keeps_withheld() || !withheld::is_there(&target.path)? {
            return Ok(None);
        }
        let interrupt = run.interrupt();
        let (plan, rejected) = (run.plan(), target.rejected.as_ref());
        let identity = identity::of(plan, interrupt)?;
        let kept = withheld::kept(&target.path, rejected, &identity, &plan.job, interrupt)?;
        if kept.is_none() {
            withheld::forget(&target.path, rejected)?;
        }
        Ok(kept)
    }

    fn keep(&mut self, files: FinishedFiles, outcomes: &Outcomes) -> Result<()> {
        let account = self.account.take();
        let account = account.ok_or_else(|| Error::internal("a run without a part"))?;
        let plan = self.run.plan();
        let identity = identity::of(plan, self.run.interrupt())?;
        let observed = Observed::new(&plan.job.observers);
        withheld::keep(files, &observed, (&account, &outcomes.seen), identity)
    }

    /// Nothing is left to do but to judge the gates.
    fn go_on(&mut self, kept: Withheld) -> Result<Begun> {
        let mut outcomes = Outcomes::new(&self.run.plan().job);
        let (account, seen) = kept.part();
        outcomes.add(account, seen)?;
        outcomes.rows_before = outcomes.ledger.total().rows_in;
        self.state = State::Kept(Box::new(kept));
        Ok(Begun {
            input: Input {
                segments: Vec::new(),
                corrections: None,
            },
            outcomes,
        })
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
        let kept = self.find_kept()?;
        let rejected_path = run.target().rejected.clone().unwrap_or_default();
        let schema = run.plan().job.output_schema.clone();
        let file = PendingFile::create(&path, overwrite)?;
        self.report = open_report(run.target())?;
        self.profile = run
            .profile_path()
            .map(|path| PendingFile::create(&path, overwrite))
            .transpose()?;
        if run.signer.is_some() {
            let path = signed::default_signature_of_file(&path);
            self.signature = Some(PendingFile::create(&path, overwrite)?);
        }
        if let Some(kept) = kept {
            return self.go_on(kept).map(Some);
        }
        let writer = TableWriter::new(file, format, schema, &run.footer())?;
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
        let finished = self.take_finished()?;
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
            profile_file::write(file, profile, self.run.origin().as_ref())?;
        }
        let finished = self.take_finished()?;
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
        let target = self.run.target();
        withheld::forget(&target.path, target.rejected.as_ref())?;
        if let Some(file) = self.profile.take() {
            file.publish(self.run.target().overwrite)?;
        }
        Ok(name)
    }

    fn withhold(&mut self, error: &Error, outcomes: &Outcomes) -> Result<Option<String>> {
        (self.report, self.profile, self.signature) = (None, None, None);
        let State::Open(output) = std::mem::replace(&mut self.state, State::Ended) else {
            // What was kept stays.
            return Ok(None);
        };
        if self.run.has_failed_verdict() && self.run.keeps_withheld() {
            // The gates' failure is the one to report.
            if let Err(error) = self.keep(output.finish()?, outcomes) {
                self.run.audience.warn_at_end(error);
            }
            return Ok(None);
        }
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
        self.account = Some(account.clone());
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
