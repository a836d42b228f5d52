//! A run into a data set: parts that last one by one, published together.
//!
//! A run that finds finished parts of its own work goes on after them; one that corrects a finished
//! data set begins with the parts that stay.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use serde_json::Value as Json;

use super::challengers::Challengers;
use super::destination::{Begun, Destination};
use super::events::Events;
use super::{Run, Written};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::output::checkpoint::{Checkpoint, PartRecord};
use crate::output::dataset::{DatasetOutput, Layout};
use crate::output::identity::RunIdentity;
use crate::output::manifest::Manifest;
use crate::output::observed::{self, Observed};
use crate::output::profile as profile_file;
use crate::output::publication;
use crate::output::report;
use crate::pipeline::correction::Corrections;
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{Input, Outcomes, Receiver};
use crate::plan::identity;
use crate::report::Fact;
use crate::storage::Location;
use crate::table::hive::{NAME_OF_NULL, Partitioning};

/// The data set of a run.
pub(super) struct ToDataset<'a> {
    run: &'a Run<'a>,
    /// Corrected rows, and the data set that they are for.
    remake: Option<Remake>,
    /// What a remade data set was asked for.
    request: Option<Json>,
    identity: Option<RunIdentity>,
    /// Files of a data set whose manifest cannot be read, which this run was asked to replace.
    replaces: BTreeSet<Location>,
    output: Option<DatasetOutput>,
    /// How rows are sorted into directories.
    partitioning: Option<Partitioning>,
    /// The parts, once all are there.
    parts: Vec<PartRecord>,
}

/// A finished data set of which some parts are made again.
pub(super) struct Remake {
    /// The parts that stay.
    pub(super) checkpoint: Checkpoint,
    /// What made it.
    pub(super) identity: RunIdentity,
    /// What was asked of the run that made it, paths as they were given.
    pub(super) request: Json,
    /// All rows that were ever corrected.
    pub(super) corrections: Corrections,
}

impl<'a> ToDataset<'a> {
    /// The run's data set, not begun.
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        Self {
            run,
            remake: None,
            request: None,
            identity: None,
            replaces: BTreeSet::new(),
            output: None,
            partitioning: None,
            parts: Vec::new(),
        }
    }

    /// A finished data set of which some parts are made again.
    pub(super) fn remaking(run: &'a Run<'a>, remake: Remake) -> Self {
        Self {
            remake: Some(remake),
            ..Self::new(run)
        }
    }

    fn open(&mut self) -> Result<&mut DatasetOutput> {
        self.output
            .as_mut()
            .ok_or_else(|| Error::internal("the output is not open"))
    }

    /// What an unfinished run of the same work left, or nothing. None if the data set is there.
    fn checkpoint(
        &mut self,
        identity: &RunIdentity,
        challengers: &Challengers<'_>,
    ) -> Result<Option<Checkpoint>> {
        let run = self.run;
        let (target, directory) = (run.target(), &run.target().path);
        let published = match Manifest::find(directory) {
            Err(_) if target.restart && target.overwrite => {
                self.replaces = publication::files_by_name(directory)?;
                None
            }
            published => published?,
        };
        if let Some(published) = &published {
            let changes = identity.changes_since(&published.identity);
            let is_same = changes.is_empty();
            // `--restart` does not care whether the old output is complete.
            let may_stay = is_same && !target.restart;
            let damaged = if may_stay {
                let changed = published.first_changed(directory, run.interrupt());
                changed.map_err(|error| run.stopped_at_output(error))?
            } else {
                None
            };
            let missing = if may_stay && damaged.is_none() {
                challengers.first_missing(identity)?
            } else {
                None
            };
            let is_signed = run.has_signature(directory);
            if may_stay && damaged.is_none() && missing.is_none() && is_signed {
                return Ok(None);
            }
            if !target.overwrite {
                let message = match damaged {
                    _ if missing.is_some() => format!(
                        "the output exists already, without the answers of the challenger `{}`",
                        missing.unwrap_or_default()
                    ),
                    Some(file) => format!(
                        "the output exists already, but its file `{file}` is missing or not \
                            as it was \
                         written"
                    ),
                    None if may_stay => {
                        "the output exists already, and it is not signed".to_owned()
                    }
                    None if is_same => "the output exists already, and it is finished".to_owned(),
                    None => format!(
                        "the output exists already, and since it was made these changed: {}",
                        changes.join("; ")
                    ),
                };
                let hint = "choose another directory, or pass `--overwrite` to replace it when the \
                            new one is whole";
                return Err(Error::failed(message).at_path(directory).hint(hint));
            }
        }
        if self.replaces.is_empty() {
            publication::check_names(directory, published.as_ref())?;
        }
        // What cannot be laid out so leaves no trace of a run.
        self.layout()?;
        Checkpoint::open(directory, identity, target.restart, run.interrupt()).map(Some)
    }

    /// How the files of a data set are written.
    fn layout(&self) -> Result<Layout> {
        let job = &self.run.plan().job;
        Ok(Layout {
            directory: self.run.target().path.clone(),
            format: self.run.target().format,
            partitioning: self
                .run
                .target()
                .partitioning(&job.output_schema, job.passthrough.len())?,
            schema: job.output_schema.clone(),
            metadata: self.run.footer(),
            observed: Observed::new(&job.observers),
        })
    }

    /// What is left to do after the parts of the checkpoint.
    fn go_on(
        &mut self,
        mut checkpoint: Checkpoint,
        corrections: Option<Corrections>,
        challengers: &mut Challengers<'_>,
    ) -> Result<Begun> {
        let (run, job) = (self.run, &self.run.plan().job);
        if let Some(identity) = &self.identity {
            challengers.find_parts(identity, &mut checkpoint);
        }
        let mut outcomes = Outcomes::new(job);
        for number in checkpoint.parts.keys().copied().collect::<Vec<_>>() {
            run.interrupt().check()?;
            self.refuse_damaged(&checkpoint.parts[&number])?;
            if let Some((account, seen)) = observed::restore(job, &mut checkpoint, number)? {
                outcomes.add(&account, &seen)?;
            }
        }
        if !checkpoint.parts.is_empty() {
            let (parts, rows) = (checkpoint.parts.len(), outcomes.ledger.total().rows_in);
            let verb = if parts == 1 { "is" } else { "are" };
            run.audience.noted(&format!(
                "{} {verb} finished already ({})",
                counted(parts, "part"),
                counted(rows, "row")
            ));
        }
        outcomes.rows_before = outcomes.ledger.total().rows_in;
        challengers.open_datasets(&checkpoint);
        let rows_per_part = job.rows_per_part.unwrap_or(u64::MAX);
        let segments = checkpoint.remaining(rows_per_part, job.limit.unwrap_or(u64::MAX));
        let layout = self.layout()?;
        self.partitioning = Some(layout.partitioning.clone());
        self.output = Some(DatasetOutput::new(
            layout,
            run.quarantine()?,
            checkpoint,
            run.interrupt().clone(),
        )?);
        let input = Input {
            segments,
            corrections,
        };
        Ok(Begun { input, outcomes })
    }

    /// Refuses a part's record whose numbers cannot be those of a part of this run.
    fn refuse_damaged(&self, record: &PartRecord) -> Result<()> {
        let written = record.files.iter().map(|file| file.rows);
        let written = written.into_iter().try_fold(0_u64, u64::checked_add);
        if self.run.plan().job.fits(&record.account, written) {
            return Ok(());
        }
        let message = format!(
            "the record of part {} is damaged: its counts do not add up",
            record.account.number
        );
        let error = Error::failed(message).at_path(&self.run.target().path);
        Err(error.hint("`tallow score` with `--restart` makes the data set again"))
    }

    /// Warns of texts that are read back as null. In delimited text an empty field says no more
    /// than that.
    fn warn_of_texts_as_null(&self) {
        let Some(partitioning) = &self.partitioning else {
            return;
        };
        if partitioning.met_empty_text() && !self.run.plan().job.dataset.is_text() {
            self.warn_of_text_as_null("the empty text", "''");
        }
        if partitioning.met_name_of_null() {
            let name = format!("'{NAME_OF_NULL}'");
            self.warn_of_text_as_null(&format!("the text `{NAME_OF_NULL}`"), &name);
        }
    }

    fn warn_of_text_as_null(&self, what: &str, literal: &str) {
        let warning = Error::failed(format!(
            "rows whose value of a column of `--partition-by` is {what} lie in the directory of \
             null, as Spark writes them: it is read back as null"
        ));
        let hint = format!(
            "partition by a derived column that names them, such as `CASE WHEN region = \
             {literal} THEN 'none' ELSE region END`"
        );
        self.run
            .audience
            .warn_at_end(warning.at_path(&self.run.target().path).hint(hint));
    }

    fn manifest(&mut self, outcomes: &Outcomes) -> Result<Manifest> {
        let (plan, caller) = (self.run.plan(), self.run.caller);
        let identity = self
            .identity
            .take()
            .ok_or_else(|| Error::internal("a data set without an identity"))?;
        let names = (plan.run_id.clone(), caller.invocation_id.clone());
        let request = self
            .request
            .take()
            .unwrap_or_else(|| plan.request.clone().into());
        let mut manifest =
            Manifest::new(names, identity, request, caller.working_directory.clone());
        manifest.rows_per_part = plan.job.rows_per_part.unwrap_or(u64::MAX);
        manifest.model = plan.model.named().into_iter().collect();
        manifest.baseline_digest = plan.monitor.baseline_digest();
        manifest.actor.clone_from(&caller.actor);
        manifest.scheduler.clone_from(&caller.scheduler);
        manifest.ledger = outcomes.ledger.total();
        manifest.bad_files = plan
            .bad_files
            .iter()
            .map(|file| (file.path.text(), file.reason.clone()))
            .collect();
        manifest.replaces = std::mem::take(&mut self.replaces);
        manifest.parts = std::mem::take(&mut self.parts);
        Ok(manifest)
    }
}

impl Destination for ToDataset<'_> {
    fn begin(&mut self, challengers: &mut Challengers<'_>) -> Result<Option<Begun>> {
        let (checkpoint, corrections) = if let Some(remake) = self.remake.take() {
            self.identity = Some(remake.identity);
            self.request = Some(remake.request);
            (remake.checkpoint, Some(remake.corrections))
        } else {
            let identity = identity::of(self.run.plan(), self.run.interrupt())?;
            let Some(checkpoint) = self.checkpoint(&identity, challengers)? else {
                return Ok(None);
            };
            self.identity = Some(identity);
            (checkpoint, None)
        };
        self.go_on(checkpoint, corrections, challengers).map(Some)
    }

    fn corrects(&self) -> bool {
        self.request.is_some()
    }

    fn finish(&mut self) -> Result<Written> {
        let output = self.output.take();
        let output = output.ok_or_else(|| Error::internal("the output is not open"))?;
        self.parts = output.into_checkpoint().parts.into_values().collect();
        let files = || self.parts.iter().flat_map(|part| &part.files);
        let has_rejected = self.parts.iter().any(|part| part.rejected.is_some());
        let rejected = self.run.target().rejected.as_ref().filter(|_| has_rejected);
        Ok(Written {
            row_count: files().map(|file| file.rows).sum(),
            output_bytes: files().map(|file| file.bytes).sum(),
            rejected: rejected.map(|path| path.display().to_string()),
            report: None,
        })
    }

    fn seal(&mut self, _facts: &[Fact]) -> Result<()> {
        self.run.note_publication()
    }

    fn publish(&mut self, outcomes: &Outcomes, facts: &[Fact]) -> Result<Option<String>> {
        let (target, run_id) = (self.run.target(), &self.run.plan().run_id);
        let mut manifest = self.manifest(outcomes)?;
        if let Some(path) = &target.report {
            if target.has_report_inside() {
                manifest.report = Some(report::stage(&target.path, run_id, facts)?);
            } else {
                report::create(path, run_id, facts)?;
            }
        }
        if let Some(profile) = self.run.profile(outcomes) {
            let model = self.run.origin();
            let model = model.as_ref();
            match self.run.profile_path() {
                None => {
                    manifest.profile = Some(profile_file::stage(&target.path, profile, model)?);
                }
                Some(path) => profile_file::create(&path, target.overwrite, profile, model)?,
            }
        }
        publication::publish(&target.path, &manifest, self.run.signer.as_ref())?;
        self.warn_of_texts_as_null();
        Ok(target
            .report
            .as_ref()
            .map(|path| path.display().to_string()))
    }

    fn withhold(&mut self, _error: &Error, _outcomes: &Outcomes) -> Result<Option<String>> {
        let rejected = self.open()?.keep_rejected()?;
        Ok(rejected.map(|path| path.display().to_string()))
    }
}

impl Receiver for ToDataset<'_> {
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
