//! Challengers of a run: where their answers go, from the first row to publication.
//!
//! Owns that nothing which happens to a challenger's output happens to the run: a challenger whose
//! output cannot be opened, written or published drops out, and the report says so. Their outputs
//! are published before the run's own, so that a reader who finds the run's results finds theirs. A
//! challenger's part is finished before the run's: a run that goes on makes a part again unless all
//! models have it.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::Run;
use super::challenger_record::{alone, is_of_challenger};
use crate::error::{Error, Result};
use crate::output::checkpoint::{Checkpoint, PartRecord, forget};
use crate::output::dataset::{DatasetOutput, Layout};
use crate::output::file::{FileOutput, FinishedFiles};
use crate::output::identity::RunIdentity;
use crate::output::manifest::Manifest;
use crate::output::names::{self, DROPPED, STATE};
use crate::output::observed::{Observed, restore_challenger};
use crate::output::publication;
use crate::output::records::{from_json, write_json};
use crate::output::table_writer::TableWriter;
use crate::panics::caught;
use crate::pipeline::challenger::Challenger;
use crate::pipeline::lane::{ChallengerReceiver, Entry};
use crate::pipeline::observer::Partials;
use crate::pipeline::part::PartAccount;
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{Outcomes, Receiver};
use crate::plan::challenger::Contender;
use crate::plan::signed;
use crate::plan::target::Target;
use crate::report::models::Model;
use crate::storage::{
    Location, Lock, PendingFile, find, find_below, list, make_directory, remove, remove_below,
    remove_empty_directory_below,
};
use crate::table::challenger::{CHALLENGER, CHAMPION};
use crate::table::hive::Partitioning;
use crate::table::origin::{MODEL_DIGEST, MODEL_FILE_DIGEST, MODEL_NAME, MODEL_VERSION, RUN_ID};
use crate::table::output_format::OutputFormat;
use crate::table::parquet::footer_value;

/// All challengers of a run.
pub(super) struct Challengers<'a> {
    run: &'a Run<'a>,
    arms: Vec<Arm<'a>>,
}

/// A challenger in the run.
struct Arm<'a> {
    contender: &'a Contender,
    challenger: &'a Challenger,
    sink: Sink,
    /// The file of the signature of a single file, where the run signs.
    signature: Option<PendingFile>,
    outcomes: Outcomes,
    dropped: Option<Error>,
    /// What an earlier run finished, until the output is open.
    earlier: Option<Earlier>,
    /// Held until the run is over.
    lock: Option<Lock>,
}

/// Where a challenger's answers go.
struct Sink {
    path: Location,
    output: Output,
    /// What its data set is made of.
    identity: Option<RunIdentity>,
}

enum Output {
    Nowhere,
    File(Box<FileOutput>),
    Dataset(Box<DatasetOutput>),
    /// Whole, and waiting for its name.
    FinishedFile(Box<FinishedFiles>),
    /// Whole, and waiting for the names of its parts.
    FinishedDataset(Box<Manifest>),
}

/// Parts that an earlier run finished, with what its observers saw.
struct Earlier {
    checkpoint: Checkpoint,
    parts: BTreeMap<u64, (PartAccount, Partials)>,
}

/// What a data set holds of a challenger that dropped out.
#[derive(Deserialize, Serialize)]
struct Dropped {
    identity: RunIdentity,
    reason: String,
}

impl<'a> Challengers<'a> {
    /// The challengers of a run, whose outputs are not open.
    pub(super) fn new(run: &'a Run<'a>) -> Self {
        let job = &run.plan().job;
        let target = run.target();
        let arm = |contender: &'a Contender| {
            let index = contender.index.as_ref().ok()?;
            let challenger = job.challengers.as_ref()?.arms.get(*index)?;
            let sink = Sink {
                path: names::challenger(&target.path, target.is_dataset(), &contender.name),
                output: Output::Nowhere,
                identity: None,
            };
            Some(Arm {
                contender,
                challenger,
                sink,
                signature: None,
                outcomes: Outcomes::of_challenger(job, challenger),
                dropped: None,
                earlier: None,
                lock: None,
            })
        };
        Self {
            run,
            arms: run.plan().challengers.iter().filter_map(arm).collect(),
        }
    }

    /// What the pipeline hands results to.
    pub(super) fn entries(&mut self) -> Vec<Entry<'_>> {
        let arms = self.arms.iter_mut();
        arms.map(|arm| Entry {
            receiver: &mut arm.sink,
            outcomes: &mut arm.outcomes,
            dropped: &mut arm.dropped,
        })
        .collect()
    }

    /// Opens the file of each challenger.
    pub(super) fn open_files(&mut self) {
        let run = self.run;
        self.each(|arm| {
            let path = arm.sink.path.clone();
            make_directory(path.directory())?;
            let overwrite = run.target().overwrite || arm.is_file_of(run);
            let writer = TableWriter::create(
                &path,
                overwrite,
                OutputFormat::parquet(),
                arm.challenger.output_schema.clone(),
                &arm.footer(run),
            )?;
            if run.signer.is_some() {
                let path = signed::default_signature_of_file(&path);
                arm.signature = Some(PendingFile::create(&path, overwrite)?);
            }
            let output = FileOutput::new(writer, path, None, Location::default(), overwrite);
            arm.sink.output = Output::File(Box::new(output));
            Ok(())
        });
    }

    /// Whether every challenger's file is there, made by the same run, and signed if it signs.
    pub(super) fn have_files(&self) -> bool {
        let has_signature = |arm: &Arm<'_>| self.run.has_signature(&arm.sink.path);
        let mut arms = self.arms.iter();
        arms.all(|arm| arm.is_file_of(self.run) && has_signature(arm))
    }

    /// The first challenger whose data set is not there as a run of this identity makes it. Where
    /// there is none, warns of those that dropped out of that run.
    ///
    /// # Errors
    /// Fails if a data set cannot be read.
    pub(super) fn first_missing(&self, identity: &RunIdentity) -> Result<Option<&str>> {
        let mut dropped = Vec::new();
        for arm in &self.arms {
            let own = arm.identity(identity);
            let directory = &arm.sink.path;
            if let Some(reason) = dropped_before(directory, &own) {
                dropped.push((&arm.contender.name, reason));
            } else if finished(directory, &own, self.run)?.is_none()
                || !self.run.has_signature(directory)
            {
                return Ok(Some(&arm.contender.name));
            }
        }
        for (name, reason) in dropped {
            let message = format!("the challenger `{name}` dropped out of the run: {reason}");
            let warning = Error::failed(message);
            let hint = "`--restart --overwrite` scores again, with its answers";
            self.run.audience.warn_at_end(warning.hint(hint));
        }
        Ok(None)
    }

    /// Finds what an earlier run finished of the data set of each challenger. A part of the run's
    /// own that a challenger does not have is made again.
    pub(super) fn find_parts(&mut self, identity: &RunIdentity, checkpoint: &mut Checkpoint) {
        let run = self.run;
        self.each(|arm| arm.find_earlier(run, identity));
        let numbers: Vec<u64> = checkpoint.parts.keys().copied().collect();
        let open = self.arms.iter().filter(|arm| arm.dropped.is_none());
        let earlier: Vec<&Earlier> = open.filter_map(|arm| arm.earlier.as_ref()).collect();
        numbers
            .into_iter()
            .filter(|number| earlier.iter().any(|one| !one.parts.contains_key(number)))
            .for_each(|number| checkpoint.reopen(number));
    }

    /// Opens the data set of each challenger, after the parts that the run itself has too.
    pub(super) fn open_datasets(&mut self, checkpoint: &Checkpoint) {
        let run = self.run;
        self.each(|arm| arm.open_dataset(run, checkpoint));
    }

    /// Ends the outputs of all challengers, which are whole and still wait for their names.
    pub(super) fn finish(&mut self) {
        let run = self.run;
        self.each(|arm| arm.finish(run));
    }

    /// Publishes the outputs of all challengers, and removes what earlier runs left of those that
    /// dropped out: what they published, where it was to be replaced, and what is unfinished.
    pub(super) fn publish(&mut self) {
        let run = self.run;
        self.each(|arm| arm.publish(run));
        let target = self.run.target();
        for contender in &self.run.plan().challengers {
            let arm = self
                .arms
                .iter()
                .find(|arm| arm.contender.name == contender.name);
            if arm.is_some_and(|arm| arm.dropped.is_none()) {
                continue;
            }
            let path = names::challenger(&target.path, target.is_dataset(), &contender.name);
            let lock = arm.and_then(|arm| arm.lock.as_ref());
            // What cannot be removed is only older than the report says.
            let _ = clear(&path, target, lock, self.run);
        }
    }

    /// Removes the answers of challengers that this run does not have, where it replaces the output
    /// that they belonged to.
    pub(super) fn remove_others(&self) {
        let target = self.run.target();
        if !target.overwrite || target.is_stream() {
            return;
        }
        let path = |name: &str| names::challenger(&target.path, target.is_dataset(), name);
        let contenders = self.run.plan().challengers.iter();
        let own: Vec<Location> = contenders.map(|one| path(&one.name)).collect();
        let is_own = |other: &Location| own.iter().any(|one| one.file_name() == other.file_name());
        let others = list(path("any").directory()).unwrap_or_default();
        for other in others.iter().filter(|other| !is_own(other)) {
            // What cannot be removed is only older than the report says.
            let _ = remove_answers(other, self.run);
        }
    }

    /// The challengers, for the report.
    pub(super) fn models(&self) -> Vec<Model<'_>> {
        let of = |contender: &'a Contender| {
            let arm = self
                .arms
                .iter()
                .find(|arm| arm.contender.name == contender.name);
            let dropped = match (&contender.index, arm.and_then(|arm| arm.dropped.as_ref())) {
                (Err(reason), _) => Some(reason.clone()),
                (Ok(_), Some(error)) => Some(error.in_one_line()),
                (Ok(_), None) => None,
            };
            Model {
                name: &contender.name,
                identity: contender.identity.as_ref(),
                outcomes: arm.map(|arm| &arm.outcomes),
                inputs: arm.map(|arm| arm.challenger.scoring.encoder()),
                output: arm.map(|arm| arm.sink.path.display().to_string()),
                dropped,
            }
        };
        self.run.plan().challengers.iter().map(of).collect()
    }

    /// Warnings of challengers that dropped out.
    pub(super) fn warnings(&self) -> Vec<Error> {
        let models = self.models().into_iter();
        models
            .filter_map(|model| {
                let reason = model.dropped?;
                Some(Error::failed(format!(
                    "the challenger `{}` dropped out: {reason}",
                    model.name
                )))
            })
            .collect()
    }

    /// Does a step for each challenger that is in the run; one for which it fails drops out.
    fn each(&mut self, step: impl Fn(&mut Arm<'a>) -> Result<()>) {
        for arm in self.arms.iter_mut().filter(|arm| arm.dropped.is_none()) {
            if let Err(error) = caught("it panicked", || step(arm)) {
                (arm.sink.output, arm.signature) = (Output::Nowhere, None);
                let reason = Error::failed("it dropped out before the first row");
                arm.challenger.state.drop_out(reason);
                arm.dropped = Some(error);
            }
        }
    }
}

impl Drop for Challengers<'_> {
    /// A run that ends without their files leaves no directory for them.
    fn drop(&mut self) {
        let paths: Vec<Location> = self.arms.iter().map(|arm| arm.sink.path.clone()).collect();
        if self.run.target().is_dataset() {
            return;
        }
        // What is not published goes first.
        self.arms.clear();
        for directory in paths.iter().map(Location::directory) {
            let name = directory.file_name().unwrap_or_default();
            remove_empty_directory_below(directory.directory(), name);
        }
    }
}

impl Arm<'_> {
    /// What its data set is made of: what the run's is, and the models of both.
    fn identity(&self, of_run: &RunIdentity) -> RunIdentity {
        let mut own = of_run.clone();
        let champion = std::mem::take(&mut own.model_digest);
        own.configuration
            .insert(CHAMPION.to_owned(), champion.into());
        let model = self.contender.identity.as_ref();
        own.model_digest = model.map(|model| model.digest.clone()).unwrap_or_default();
        own.model_version.clone_from(&self.contender.resolved);
        own.challenger_versions.clear();
        own
    }

    fn footer(&self, run: &Run) -> Vec<(String, String)> {
        let mut pairs = vec![
            (RUN_ID.to_owned(), run.plan().run_id.clone()),
            (
                "tallow.version".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
            (CHALLENGER.to_owned(), self.contender.name.clone()),
        ];
        if let Some(model) = &self.contender.identity {
            pairs.push((MODEL_NAME.to_owned(), model.name.clone()));
            let version = model.version.iter();
            pairs.extend(version.map(|text| (MODEL_VERSION.to_owned(), text.clone())));
            pairs.push((MODEL_DIGEST.to_owned(), model.digest.clone()));
            if model.file_digest != model.digest {
                pairs.push((MODEL_FILE_DIGEST.to_owned(), model.file_digest.clone()));
            }
        }
        pairs
    }

    /// Whether its file is there, made by the same run with the same model.
    fn is_file_of(&self, run: &Run) -> bool {
        let path = &self.sink.path;
        let digest = self.contender.identity.as_ref().map(|one| &one.digest);
        find(path).is_ok_and(|found| found.is_some())
            && footer_value(path, RUN_ID).as_ref() == Some(&run.plan().run_id)
            && footer_value(path, MODEL_DIGEST).as_ref() == digest
    }

    fn find_earlier(&mut self, run: &Run, of_run: &RunIdentity) -> Result<()> {
        let (target, directory) = (run.target(), self.sink.path.clone());
        publication::check_directory(&directory)?;
        self.lock = Some(locked(&directory, run)?);
        let own = self.identity(of_run);
        if target.restart {
            publication::abandon(&directory)?;
        } else {
            publication::recover(&directory)?;
        }
        if let Some(reason) = dropped_before(&directory, &own).filter(|_| !target.restart) {
            return Err(Error::failed(reason));
        }
        remove_below(&directory, DROPPED)?;
        let checkpoint = if let Some(manifest) = finished(&directory, &own, run)? {
            Checkpoint::of_finished(&directory, manifest.parts)?
        } else {
            let published = Manifest::find(&directory)?;
            if published.is_some() && !target.overwrite {
                let error = Error::failed("its output exists already").at_path(&directory);
                return Err(error.hint("pass `--overwrite` to replace it"));
            }
            publication::check_names(&directory, published.as_ref())?;
            // What is unfinished there may be another run's: its parts are of no use.
            let interrupt = run.interrupt();
            Checkpoint::open(&directory, &own, target.restart, interrupt)
                .or_else(|_| Checkpoint::open(&directory, &own, true, interrupt))?
        };
        self.sink.identity = Some(own);
        let mut parts = BTreeMap::new();
        for number in checkpoint.parts.keys() {
            let observers = &self.challenger.observers;
            if let Some(part) = restore_challenger(observers, &checkpoint, *number)? {
                parts.insert(*number, part);
            }
        }
        self.earlier = Some(Earlier { checkpoint, parts });
        Ok(())
    }

    fn open_dataset(&mut self, run: &Run, of_run: &Checkpoint) -> Result<()> {
        let Some(Earlier {
            mut checkpoint,
            parts,
        }) = self.earlier.take()
        else {
            return Err(Error::internal(
                "a challenger whose data set was not looked for",
            ));
        };
        let is_kept = |number: &u64| of_run.parts.contains_key(number);
        let numbers: Vec<u64> = checkpoint.parts.keys().copied().collect();
        numbers
            .iter()
            .filter(|number| !is_kept(number) || !parts.contains_key(number))
            .for_each(|number| checkpoint.reopen(*number));
        for (_, (account, seen)) in parts.iter().filter(|(number, _)| is_kept(number)) {
            self.outcomes.add(account, seen)?;
        }
        self.outcomes.rows_before = self.outcomes.ledger.total().rows_in;
        let layout = Layout {
            directory: self.sink.path.clone(),
            format: run.target().format,
            partitioning: self.partitioning(run)?,
            schema: self.challenger.output_schema.clone(),
            metadata: self.footer(run),
            observed: Observed::new(&self.challenger.observers),
        };
        let output = DatasetOutput::new(layout, None, checkpoint, run.interrupt().clone())?;
        self.sink.output = Output::Dataset(Box::new(output));
        Ok(())
    }

    fn partitioning(&self, run: &Run) -> Result<Partitioning> {
        let along = run.plan().job.passthrough.len();
        run.target()
            .partitioning(&self.challenger.output_schema, along)
    }

    fn finish(&mut self, run: &Run) -> Result<()> {
        self.sink.output = match std::mem::replace(&mut self.sink.output, Output::Nowhere) {
            Output::File(output) => {
                let finished = output.finish()?;
                self.outcomes.ledger.check(finished.predictions.1.rows)?;
                Output::FinishedFile(Box::new(finished))
            }
            Output::Dataset(output) => {
                let parts = output.into_checkpoint().parts.into_values();
                let manifest = self.manifest(run, parts.collect())?;
                let files = manifest.parts.iter().flat_map(|part| &part.files);
                let written = files.map(|file| file.rows).sum();
                self.outcomes.ledger.check(written)?;
                Output::FinishedDataset(Box::new(manifest))
            }
            _ => return Err(Error::internal("a challenger without an output")),
        };
        Ok(())
    }

    fn publish(&mut self, run: &Run) -> Result<()> {
        let signer = run.signer.as_ref();
        let mut signature = self.signature.take();
        match std::mem::replace(&mut self.sink.output, Output::Nowhere) {
            Output::FinishedFile(finished) => {
                if let Some((file, signer)) = signature.as_mut().zip(signer) {
                    finished.sign(file, signer)?;
                }
                finished.publish(None, signature)
            }
            Output::FinishedDataset(manifest) => {
                publication::publish(&self.sink.path, &manifest, signer)
            }
            _ => Err(Error::internal("a challenger whose output is not whole")),
        }
    }

    fn manifest(&mut self, run: &Run, parts: Vec<PartRecord>) -> Result<Manifest> {
        let (plan, caller) = (run.plan(), run.caller);
        let identity = self.sink.identity.take();
        let identity = identity.ok_or_else(|| Error::internal("a data set without an identity"))?;
        let names = (plan.run_id.clone(), caller.invocation_id.clone());
        let directory = caller.working_directory.clone();
        let mut manifest = Manifest::new(names, identity, self.request(run), directory);
        manifest.rows_per_part = plan.job.rows_per_part.unwrap_or(u64::MAX);
        let model = self.contender.identity.iter();
        manifest.model = model
            .flat_map(super::super::package::open::Identity::named)
            .collect();
        manifest.actor.clone_from(&caller.actor);
        manifest.scheduler.clone_from(&caller.scheduler);
        manifest.ledger = self.outcomes.ledger.total();
        manifest.parts = parts;
        Ok(manifest)
    }

    /// What a run would have to be asked for to give these answers alone.
    fn request(&self, run: &Run) -> Json {
        let request = run.plan().request.clone();
        let (contender, output) = (self.contender, &self.sink.path);
        alone(
            request,
            &contender.model,
            output,
            contender.resolved.as_ref(),
        )
        .into()
    }
}

impl Receiver for Sink {
    fn write(&mut self, part: u64, output: &RecordBatch) -> Result<()> {
        match &mut self.output {
            Output::File(file) => file.write(part, output),
            Output::Dataset(dataset) => dataset.write(part, output),
            _ => Ok(()),
        }
    }

    fn reject(
        &mut self,
        _part: u64,
        _file: usize,
        _rows: &RecordBatch,
        _rejections: &[Rejection],
    ) -> Result<()> {
        Ok(())
    }

    fn end_part(&mut self, account: &PartAccount, seen: &Partials) -> Result<()> {
        match &mut self.output {
            Output::File(file) => file.end_part(account, seen),
            Output::Dataset(dataset) => dataset.end_part(account, seen),
            _ => Ok(()),
        }
    }
}

impl ChallengerReceiver for Sink {
    fn drop_out(&mut self, error: &Error) {
        let is_dataset = matches!(self.output, Output::Dataset(_));
        self.output = Output::Nowhere;
        // The run that goes on after a signal scores it.
        let is_noted = is_dataset && !error.is_signal();
        if let Some(identity) = self.identity.take().filter(|_| is_noted) {
            let dropped = Dropped {
                identity,
                reason: error.in_one_line(),
            };
            // Without the note, a run that goes on tries the challenger again.
            let _ = write_json(&self.path, DROPPED, &dropped);
        }
    }
}

/// Why a challenger dropped out of the run that goes on, if it did.
fn dropped_before(directory: &Location, identity: &RunIdentity) -> Option<String> {
    find_below(directory, DROPPED).ok()??;
    let dropped: Dropped = from_json(directory, DROPPED).ok()?;
    let is_same = identity.changes_since(&dropped.identity).is_empty();
    is_same.then_some(dropped.reason)
}

/// The data set, if it is whole and was made of the same.
fn finished(directory: &Location, identity: &RunIdentity, run: &Run) -> Result<Option<Manifest>> {
    let Some(manifest) = Manifest::find(directory)? else {
        return Ok(None);
    };
    let is_same = identity.changes_since(&manifest.identity).is_empty();
    let may_stay = is_same && !run.target().restart;
    let is_whole = may_stay
        && manifest
            .first_changed(directory, run.interrupt())?
            .is_none();
    Ok(Some(manifest).filter(|_| is_whole))
}

/// Removes what is left of an output of a challenger that dropped out.
fn clear(path: &Location, target: &Target, lock: Option<&Lock>, run: &Run) -> Result<()> {
    if find(path)?.is_none() {
        return Ok(());
    }
    if !target.is_dataset() {
        let is_own = footer_value(path, CHALLENGER).is_some();
        if is_own && target.overwrite {
            remove(path)?;
            remove(signed::default_signature_of_file(path))?;
        }
        return Ok(());
    }
    // Another run may be at work there.
    let _own = match lock {
        Some(_) => None,
        None => Some(locked(path, run)?),
    };
    if target.overwrite {
        publication::withdraw(path)?;
    }
    forget(path)
}

/// Removes a file or a data set that holds the answers of a challenger; anything else stays.
fn remove_answers(path: &Location, run: &Run) -> Result<()> {
    if find(path)?.is_some_and(|found| !found.is_directory) {
        if footer_value(path, CHALLENGER).is_some() {
            remove(path)?;
            remove(signed::default_signature_of_file(path))?;
        }
        return Ok(());
    }
    if !Manifest::find(path)?.is_some_and(|manifest| is_of_challenger(&manifest)) {
        return Ok(());
    }
    let own = locked(path, run)?;
    publication::withdraw(path)?;
    forget(path)?;
    drop(own);
    remove_empty_directory_below(path.directory(), path.file_name().unwrap_or_default());
    Ok(())
}

/// Takes the data set of a challenger for this run alone.
fn locked(directory: &Location, run: &Run) -> Result<Lock> {
    let owner = format!("process {} since {}", std::process::id(), run.started_at);
    Lock::acquire_inside(directory, Location::from(STATE).join("lock"), &owner)
}
