//! A recorded run done again, to prove that it gives the same bytes.
//!
//! Owns what is checked before (inputs, model, options and this program are those of the manifest),
//! and the comparison of every file afterwards. It must not know how that is shown.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::Run;
use super::caller::Caller;
use super::ending::{Failure, RunResult};
use super::events::{Audience, Events, Progress};
use super::retry::{Retry, names_of, request};
use super::score::into;
use super::scratch::Scratch;
use super::to_dataset::ToDataset;
use crate::count::{counted, listed};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::checkpoint::{RunIdentity, sha256_of};
use crate::output::publication::Manifest;
use crate::output::table_writer::WrittenFile;
use crate::plan::identity;
use crate::request::Request;
use crate::request::output::Output;
use crate::request::work::Resources;
use crate::storage::{Location, find};

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
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The replay gave the bytes that the manifest records, and the file has them.
    Same,
    /// The replay gave other bytes than the manifest records.
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
            Self::Differs => "differs",
            Self::Edited => "edited",
            Self::Gone => "gone",
            Self::Corrected => "corrected",
        }
    }
}

/// A run done again.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// The name of the run.
    pub run_id: String,
    /// The rows of the input.
    pub row_count: u64,
    /// The files, by path.
    pub files: BTreeMap<String, Verdict>,
}

impl Replayed {
    /// What was found, in a line.
    #[must_use]
    pub fn headline(&self) -> String {
        let same = self
            .files
            .values()
            .filter(|one| **one == Verdict::Same)
            .count();
        format!(
            "replayed {}: {same} of {} have the same bytes",
            counted(self.row_count, "row"),
            counted(self.files.len(), "file")
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
            "files": files,
        });
        object.as_object().cloned().unwrap_or_default()
    }

    fn is_same(&self) -> bool {
        let is_good = |verdict: &Verdict| matches!(verdict, Verdict::Same | Verdict::Corrected);
        self.files.values().all(is_good)
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
            .filter(|(_, verdict)| !matches!(verdict, Verdict::Same | Verdict::Corrected))
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
    let manifest = recorded(&asked.directory)?;
    let is_there = caller.working_directory == manifest.working_directory;
    let base = if is_there {
        Location::default()
    } else {
        manifest.working_directory.clone()
    };
    check_inputs(&manifest, &base)?;
    let scratch = Scratch::new(&asked.scratch)?;
    let output = scratch.path().join("scores");
    let request = recorded_request(&asked.resources, &manifest, &base, &output)?;
    let caller = Caller {
        working_directory: manifest.working_directory.clone(),
        ..caller.clone()
    };
    let names = names_of(&manifest, &base);
    let audience = Audience::new(vec![Box::new(ProgressOnly(listener)) as Box<dyn Events>]);
    audience.watch(&caller.invocation_id, || -> Result<RunResult, Failure> {
        let run = Run::begin(&request, &names, &caller, &audience, interrupt)?;
        check_identity(&run, &manifest, &asked.directory)?;
        run.carry_out(|| into(&run, &mut ToDataset::new(&run)))
    })?;
    let made =
        Manifest::find(&output)?.ok_or_else(|| Error::internal("a replay without a manifest"))?;
    Ok(compared(&manifest, &made, &asked.directory, interrupt)?)
}

/// Passes on how far the rows are, and no more: nothing is published.
struct ProgressOnly<'a>(Box<dyn Events + 'a>);

impl Events for ProgressOnly<'_> {
    fn progressed(&self, progress: Progress) {
        self.0.progressed(progress);
    }
}

pub(super) fn recorded(directory: &Location) -> Result<Manifest> {
    let is_directory = find(directory)?.is_some_and(|found| found.is_directory);
    let manifest = if is_directory {
        Manifest::find(directory)?
    } else {
        None
    };
    manifest.ok_or_else(|| {
        let error = Error::failed("there is no manifest of a finished data set").at_path(directory);
        error.hint(
            "only a data set records its inputs and options: `tallow score --output DIR/` makes \
             one",
        )
    })
}

/// Names the inputs that are gone or have another size, before anything is read.
fn check_inputs(manifest: &Manifest, base: &Location) -> Result<()> {
    let mut missing = Vec::new();
    for input in &manifest.identity.inputs {
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
    manifest: &Manifest,
    base: &Location,
    output: &Location,
) -> Result<Request> {
    let retry = Retry {
        directory: output.to_owned(),
        resources: resources.clone(),
        ..Retry::default()
    };
    let mut request = request(&retry, manifest, base)?;
    request
        .work
        .resolved
        .clone_from(&manifest.identity.model_version);
    // Files that came to a directory or a pattern later were not inputs then.
    let recorded = manifest.identity.inputs.iter().map(|input| &input.path);
    let is_partition = |path: &Location| {
        path.names()
            .any(|name| name.to_string_lossy().contains('='))
    };
    if !recorded.clone().any(is_partition) {
        request.work.inputs = recorded.map(|path| base.join(path)).collect();
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

fn check_identity(run: &Run, manifest: &Manifest, directory: &Location) -> Result<()> {
    let now = identity::of(run.plan(), run.interrupt())?;
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

fn compared(
    manifest: &Manifest,
    made: &Manifest,
    directory: &Location,
    interrupt: &Interrupt,
) -> Result<Replayed> {
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
            let again = made.get(file.path.as_str());
            let verdict = if part.corrections.is_some() {
                Verdict::Corrected
            } else if again.is_none_or(|again| again.sha256 != file.sha256) {
                Verdict::Differs
            } else {
                // Rejected rows are there to be edited.
                stored(&directory.join(&file.path), file, is_scores, interrupt)?
            };
            files.insert(file.path.clone(), verdict);
        }
    }
    Ok(Replayed {
        run_id: manifest.run_id.clone(),
        row_count: manifest.ledger.rows_in,
        files,
    })
}

/// Whether a file still has the bytes that were written.
fn stored(
    path: &Location,
    file: &WrittenFile,
    must_be_whole: bool,
    interrupt: &Interrupt,
) -> Result<Verdict> {
    if !must_be_whole {
        return Ok(Verdict::Same);
    }
    if find(path)?.is_none() {
        return Ok(Verdict::Gone);
    }
    Ok(if sha256_of(path, interrupt)? == file.sha256 {
        Verdict::Same
    } else {
        Verdict::Edited
    })
}
