//! A recorded run done again, to prove that it gives the same bytes.
//!
//! Owns what is checked before (inputs, model, options and this program are those of the manifest),
//! and the comparison of every file afterwards. It must not know how that is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::Run;
use super::caller::Caller;
use super::challenger_record::is_of_challenger;
use super::events::{Audience, Events, Progress};
use super::record::{Recorded, recorded};
use super::result::{Failure, RunResult};
use super::retry::{Retry, names_of};
use super::retry_request::request;
use super::score::into;
use super::scratch::Scratch;
use super::to_dataset::ToDataset;
use super::to_file::ToFile;
use crate::count::{counted, listed};
use crate::error::{Error, Result, shell_word};
use crate::interrupt::Interrupt;
use crate::output::checkpoint::sha256_of;
use crate::output::identity::{InputRecord, RunIdentity};
use crate::output::manifest::Manifest;
use crate::output::table_writer::WrittenFile;
use crate::package::Resolved;
use crate::plan::identity::{self, REFERENCE};
use crate::request::Request;
use crate::request::keys::Keys;
use crate::request::monitoring::Monitoring;
use crate::request::output::Output;
use crate::request::work::{Resources, Work};
use crate::storage::{Location, find};
use crate::table::ReadOptions;
use crate::table::dataset::{Dataset, Position};

/// The most files that an error names.
const FILES_NAMED: usize = 5;

/// What is asked of a replay.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The data set.
    pub directory: Location,
    /// The directory for its temporary results.
    pub scratch: Location,
    /// What it may take.
    pub resources: Resources,
    /// Keys of encrypted files; none for those of the run.
    pub keys: Keys,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The replay gave the bytes that the manifest records, and the file has them.
    Same,
    /// The file has the bytes that the manifest records, and the rows that the replay gave: bytes
    /// of encrypted files are never the same twice.
    SameRows,
    /// The replay gave other bytes than the manifest records, or other rows.
    Differs,
    /// The file has other bytes than the manifest records.
    Edited,
    /// The file is not there.
    Gone,
    /// Rows of the part were corrected later, so the first run alone does not give it.
    Corrected,
}

impl Verdict {
    /// The word of reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::SameRows => "same_rows",
            Self::Differs => "differs",
            Self::Edited => "edited",
            Self::Gone => "gone",
            Self::Corrected => "corrected",
        }
    }

    fn is_good(self) -> bool {
        matches!(self, Self::Same | Self::SameRows | Self::Corrected)
    }
}

/// A run done again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The name of the run.
    pub run_id: String,
    /// The rows of the input.
    pub row_count: u64,
    /// Facts about the model, as the manifest records them: its version and the head of the
    /// registry's log among them.
    pub model: BTreeMap<String, String>,
    /// The files, by path.
    pub files: BTreeMap<String, Verdict>,
}

impl Replayed {
    /// What was found, in a line.
    #[must_use]
    pub fn headline(&self) -> String {
        let is_same = |one: &&Verdict| matches!(one, Verdict::Same | Verdict::SameRows);
        let same = self.files.values().filter(is_same).count();
        let has_rows = self.files.values().any(|one| *one == Verdict::SameRows);
        format!(
            "replayed {}: {same} of {} have the same {}",
            counted(self.row_count, "row"),
            counted(self.files.len(), "file"),
            if has_rows { "rows" } else { "bytes" }
        )
    }

    /// A line for each file.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.files
            .iter()
            .map(|(path, verdict)| format!("  {:10} {path}", verdict.word()))
    }

    /// The same as JSON.
    #[must_use]
    pub fn object(&self) -> Map<String, Json> {
        let files = self.files.iter();
        let files: Map<String, Json> = files
            .map(|(path, verdict)| (path.clone(), verdict.word().into()))
            .collect();
        let object = json!({
            "status": if self.is_same() { "same" } else { "failed" },
            "run_id": self.run_id,
            "rows": self.row_count,
            "model": self.model,
            "files": files,
        });
        object.as_object().cloned().unwrap_or_default()
    }

    fn has_other_bytes(&self) -> bool {
        let mut verdicts = self.files.values();
        verdicts.any(|verdict| *verdict == Verdict::Differs)
    }

    fn is_same(&self) -> bool {
        self.files.values().all(|verdict| verdict.is_good())
    }

    /// The error of bytes that are not the same; none if they are.
    #[must_use]
    pub fn error(&self, directory: &Location) -> Option<Error> {
        if self.is_same() {
            return None;
        }
        let others: Vec<String> = self
            .files
            .iter()
            .filter(|(_, verdict)| !verdict.is_good())
            .take(FILES_NAMED)
            .map(|(path, verdict)| format!("`{path}` {}", phrase(*verdict)))
            .collect();
        let error = Error::trust(others.join("; ")).at_path(directory);
        Some(error.hint("score the same inputs again with `--overwrite`, or restore the files"))
    }
}

fn phrase(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Same => "has the same bytes",
        Verdict::SameRows => "has the same rows",
        Verdict::Differs => "has other bytes than the replay",
        Verdict::Edited => "was edited since it was written",
        Verdict::Gone => "is gone",
        Verdict::Corrected => "was corrected",
    }
}

/// Does the run of a data set again; `listener` hears of its progress.
///
/// # Errors
/// A contract error if an input, the model, or this program is another one than then; whatever ends
/// the run.
pub fn replay(
    asked: &Replay,
    caller: &Caller,
    interrupt: &Interrupt,
    listener: Box<dyn Events + '_>,
) -> Result<Replayed, Failure> {
    let Recorded {
        manifest,
        directory,
        is_file,
        champion,
    } = recorded(&asked.directory)?;
    if is_of_challenger(&manifest) || champion.is_some() {
        return Err(no_replay(&asked.directory, champion.as_ref()).into());
    }
    let is_there = caller.working_directory == manifest.working_directory;
    let base = if is_there {
        Location::default()
    } else {
        manifest.working_directory.clone()
    };
    check_inputs(&manifest, &base)?;
    let scratch = Scratch::new(&asked.scratch)?;
    let output = match manifest.parts.first().and_then(|part| part.files.first()) {
        // A report may be another's: it must not choose a directory.
        Some(file) if is_file => {
            let name = Location::from(&file.path);
            let name = name.file_name().map(Location::from).unwrap_or_default();
            scratch.path().join(name)
        }
        _ => scratch.path().join("scores"),
    };
    let mut request = recorded_request(&asked.resources, &asked.keys, &manifest, &base, &output)?;
    // What watches rows changes none, and must write nothing.
    request.monitoring = Monitoring {
        baseline: Some("none".into()),
        ..Monitoring::default()
    };
    if is_file {
        request.output.output.clone_from(&output);
        request.output.rows_per_part = None;
    }
    let caller = Caller {
        working_directory: manifest.working_directory.clone(),
        ..caller.clone()
    };
    let names = names_of(&manifest, &base);
    let audience = Audience::new(vec![Box::new(ProgressOnly(listener)) as Box<dyn Events>]);
    audience.watch(&caller.invocation_id, || -> Result<RunResult, Failure> {
        refuse_missing_model(&request.work)?;
        let run = Run::begin(&request, &names, &caller, &audience, interrupt)?;
        check_identity(&run, &manifest, &asked.directory, is_file)?;
        run.carry_out(|| {
            if is_file {
                into(&run, &mut ToFile::new(&run))
            } else {
                into(&run, &mut ToDataset::new(&run))
            }
        })
    })?;
    let made = recorded(&output)?;
    let replayed = Comparing {
        directory: &directory,
        output: &made.directory,
        is_encrypted: !request.keys.encryption_key.is_empty(),
        interrupt,
    };
    let replayed = replayed.files(&manifest, &made.manifest)?;
    if replayed.has_other_bytes() {
        refuse_touched(&manifest, &made.manifest)?;
    }
    Ok(replayed)
}

/// Refuses to call an output changed where an input was written to since. The record of a single
/// file has no digests of inputs: that the bytes are the same would have proved that they are.
fn refuse_touched(recorded: &Manifest, made: &Manifest) -> Result<()> {
    let now = &made.identity.inputs;
    let is_touched = |input: &&InputRecord| {
        let mut same = now.iter().filter(|now| now.path == input.path);
        input.digest.is_empty() && same.any(|now| now.modified != input.modified)
    };
    let inputs = &recorded.identity.inputs;
    let Some(input) = inputs.iter().find(is_touched) else {
        return Ok(());
    };
    let message = "the run cannot be replayed: the input was written to since, and its rows give \
                   other scores";
    let error = Error::contract(message).at_path(&input.path);
    Err(error.hint("restore the input as it was when the output was made"))
}

/// The error of answers of a challenger, which are made with those of its run.
fn no_replay(path: &Location, champion: Option<&Location>) -> Error {
    let error = Error::failed("the answers of a challenger are not replayed").at_path(path);
    error.hint(champion.map_or_else(
        || "replay the run itself, which they were moved away from".to_owned(),
        |output| {
            let output = shell_word(&output.to_string_lossy());
            format!("replay the run itself: tallow replay {output}")
        },
    ))
}

/// What the manifest records of the model, its version in a registry included.
fn model_facts(manifest: &Manifest) -> BTreeMap<String, String> {
    let registered = manifest.identity.model_version.iter();
    let mut facts = manifest.model.clone();
    facts.extend(registered.flat_map(Resolved::facts));
    facts
}

/// Passes on how far the rows are, and no more: nothing is published.
struct ProgressOnly<'a>(Box<dyn Events + 'a>);

impl Events for ProgressOnly<'_> {
    fn progressed(&self, progress: Progress) {
        self.0.progressed(progress);
    }
}

/// Refuses a model whose files are gone; one of a registry is looked for there.
pub(super) fn refuse_missing_model(work: &Work) -> Result<()> {
    if work.resolved.is_some() || find(&work.model)?.is_some() {
        return Ok(());
    }
    let error = Error::contract("the model of the recorded run is gone").at_path(&work.model);
    Err(error.hint("restore the model as it was when the output was made"))
}

/// Names the inputs that are gone or have another size, before anything is read.
pub(super) fn check_inputs(manifest: &Manifest, base: &Location) -> Result<()> {
    let mut missing = Vec::new();
    // How long a stream is, is known once it was read.
    let inputs = manifest.identity.inputs.iter();
    for input in inputs.filter(|input| !input.path.is_stream()) {
        let path = base.join(&input.path);
        let state = match find(&path)? {
            None => "is gone",
            Some(found) if found.byte_count != input.bytes => "has another size",
            Some(_) => continue,
        };
        missing.push(format!("`{}` {state}", input.path.display()));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let error = Error::contract(format!(
        "the run cannot be replayed: {}",
        listed(missing, FILES_NAMED, "; ", "more inputs")
    ));
    Err(error.hint("restore the inputs as they were when the data set was made"))
}

/// What was asked then, with results that go to `output`.
pub(super) fn recorded_request(
    resources: &Resources,
    keys: &Keys,
    manifest: &Manifest,
    base: &Location,
    output: &Location,
) -> Result<Request> {
    let retry = Retry {
        directory: output.to_owned(),
        resources: resources.clone(),
        keys: keys.clone(),
        ..Retry::default()
    };
    let mut request = request(&retry, manifest, base)?;
    request
        .work
        .resolved
        .clone_from(&manifest.identity.model_version);
    // What rows are compared with changes none of them, but is part of the run's name.
    let digest = manifest.identity.configuration.get(REFERENCE);
    let quality = &mut request.work.quality;
    quality.reference = Some("none".into());
    quality.reference_digest = digest.and_then(Json::as_str).map(str::to_owned);
    // Files that came to a directory or a pattern later were not inputs then.
    let recorded = manifest.identity.inputs.iter().map(|input| &input.path);
    let is_partition = |path: &Location| {
        path.names()
            .any(|name| name.to_string_lossy().contains('='))
    };
    if !recorded.clone().any(is_partition) {
        let located = |path: &Location| {
            if path.is_stream() {
                path.clone()
            } else {
                base.join(path)
            }
        };
        request.work.inputs = recorded.map(located).collect();
    }
    let is_none = |path: &Location| path.as_os_str() == "none";
    request.output = Output {
        overwrite: false,
        report: None,
        rejected: request.output.rejected.clone().filter(is_none),
        sign_key: None,
        sign_certificate: Vec::new(),
        ..request.output
    };
    Ok(request)
}

fn check_identity(
    run: &Run,
    manifest: &Manifest,
    directory: &Location,
    is_file: bool,
) -> Result<()> {
    let now = if is_file {
        identity::without_digests(run.plan())?
    } else {
        identity::of(run.plan(), run.interrupt())?
    };
    let changes = RunIdentity::changes_since(&now, &manifest.identity);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the run cannot be replayed, because these changed since: {}",
        changes.join("; ")
    );
    Err(Error::contract(message)
        .at_path(directory)
        .hint("restore what changed, or score again with `--overwrite`"))
}

/// Where the files of a run and those of its replay lie.
struct Comparing<'a> {
    /// The data set.
    directory: &'a Location,
    /// The replay.
    output: &'a Location,
    /// Whether rows are encrypted: then their bytes are never the same twice, and rows are
    /// compared.
    is_encrypted: bool,
    interrupt: &'a Interrupt,
}

impl Comparing<'_> {
    fn files(&self, manifest: &Manifest, made: &Manifest) -> Result<Replayed> {
        let made: BTreeMap<&str, &WrittenFile> = made
            .parts
            .iter()
            .flat_map(|part| part.files.iter().chain(&part.rejected))
            .map(|file| (file.path.as_str(), file))
            .collect();
        let mut files = BTreeMap::new();
        for part in &manifest.parts {
            for (file, is_scores) in part
                .files
                .iter()
                .map(|file| (file, true))
                .chain(part.rejected.iter().map(|file| (file, false)))
            {
                let again = made.get(file.path.as_str()).copied();
                let verdict = if part.corrections.is_some() {
                    Verdict::Corrected
                } else {
                    self.verdict(file, again, is_scores)?
                };
                files.insert(file.path.clone(), verdict);
            }
        }
        Ok(Replayed {
            run_id: manifest.run_id.clone(),
            row_count: manifest.ledger.rows_in,
            model: model_facts(manifest),
            files,
        })
    }

    fn verdict(
        &self,
        file: &WrittenFile,
        again: Option<&WrittenFile>,
        is_scores: bool,
    ) -> Result<Verdict> {
        let Some(again) = again else {
            return Ok(Verdict::Differs);
        };
        if again.sha256 == file.sha256 {
            // Rejected rows are there to be edited.
            return self.stored(file, is_scores);
        }
        if !self.is_encrypted || again.rows != file.rows {
            return Ok(Verdict::Differs);
        }
        match self.stored(file, true)? {
            Verdict::Same => {}
            _ if !is_scores => return Ok(Verdict::SameRows),
            other => return Ok(other),
        }
        let path = |directory: &Location| directory.join(&file.path);
        Ok(
            if same_rows(&path(self.directory), &path(self.output), self.interrupt)? {
                Verdict::SameRows
            } else {
                Verdict::Differs
            },
        )
    }

    /// Whether a file still has the bytes that were written.
    fn stored(&self, file: &WrittenFile, must_be_whole: bool) -> Result<Verdict> {
        if !must_be_whole {
            return Ok(Verdict::Same);
        }
        let path = self.directory.join(&file.path);
        if find(&path)?.is_none() {
            return Ok(Verdict::Gone);
        }
        Ok(if sha256_of(&path, self.interrupt)? == file.sha256 {
            Verdict::Same
        } else {
            Verdict::Edited
        })
    }
}

/// Whether two files hold the same rows, in the same order. Both were cut in the same way.
fn same_rows(first: &Location, second: &Location, interrupt: &Interrupt) -> Result<bool> {
    let open = |path: &Location| {
        Dataset::open(std::slice::from_ref(path), &[], &ReadOptions::default()).map(Arc::new)
    };
    let tables = [open(first)?, open(second)?];
    if tables[0].schema() != tables[1].schema() {
        return Ok(false);
    }
    let read = tables[0].as_read(&tables[0].schema());
    let [mut left, mut right] = tables.map(|table| table.portions(&read, Position::default()));
    loop {
        interrupt.check()?;
        match (left.next_portion(u64::MAX)?, right.next_portion(u64::MAX)?) {
            (None, None) => return Ok(true),
            (Some(left), Some(right)) => {
                if (left.portion.decode)()? != (right.portion.decode)()? {
                    return Ok(false);
                }
            }
            _ => return Ok(false),
        }
    }
}
