//! A run that scores the corrected rows of a data set and puts them where they belong.
//!
//! The parts that corrected rows belong to are made again, from the input and the corrected rows,
//! exactly as if the rows had never been bad; all other parts stay as they are.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;

use super::caller::Caller;
use super::events::{Audience, Events};
use super::inspect::refuse_unfinished;
use super::result::{Failure, RunResult};
use super::retry_request::{has_challengers, request};
use super::score::into;
use super::to_dataset::{Remake, ToDataset};
use super::{Run, telemetry};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::checkpoint::{Checkpoint, PartRecord, sha256_of};
use crate::output::corrected::{CorrectedRows, is_delimited};
use crate::output::correction_origin::origin;
use crate::output::identity::RunIdentity;
use crate::output::manifest::Manifest;
use crate::output::names::{self, CORRECTIONS, REJECTED, earlier};
use crate::output::quarantine;
use crate::pipeline::Job;
use crate::pipeline::budget::Budget;
use crate::plan::identity;
use crate::plan::reading::dialect_options;
use crate::request::keys::Keys;
use crate::request::output::Telemetry;
use crate::request::rows::Dialect;
use crate::request::work::Resources;
use crate::storage::{Location, Metadata, find};
use crate::table::ReadOptions;
use crate::table::location::{resolve, resolve_present};

/// What is asked of a run that corrects a data set.
#[derive(Clone, Debug, Default)]
pub struct Retry {
    /// The data set.
    pub directory: Location,
    /// Tables of corrected rows; none for the data set's own.
    pub corrected: Vec<Location>,
    /// How they are written, where they are delimited text.
    pub dialect: Dialect,
    /// Keys of encrypted files; none for those of the run that made the data set.
    pub keys: Keys,
    /// The exit code if no row was corrected.
    pub skip_code: Option<u8>,
    /// Notifications: metrics, lineage and logs.
    pub telemetry: Telemetry,
    /// What it may take.
    pub resources: Resources,
}

/// Corrects a data set; `listener` hears of it first, then the files that the request names.
///
/// # Errors
/// Whatever ends the run.
pub fn retry(
    retry: &Retry,
    caller: &Caller,
    interrupt: &Interrupt,
    listener: Box<dyn Events + '_>,
) -> Result<RunResult, Failure> {
    let outputs = [("DIR", &retry.directory)];
    let files = telemetry::open(&retry.telemetry, &outputs, &[], None, caller)?;
    let audience = Audience::new(std::iter::once(listener).chain(files).collect());
    audience.watch(&caller.invocation_id, || {
        // Read before the output is taken, to know what it is.
        let manifest = manifest_of(&retry.directory)?;
        let is_there = caller.working_directory == manifest.working_directory;
        let base = if is_there {
            Location::default()
        } else {
            manifest.working_directory.clone()
        };
        let request = request(retry, &manifest, &base)?;
        // Relative paths in the new manifest begin where they did.
        let caller = Caller {
            working_directory: manifest.working_directory.clone(),
            ..caller.clone()
        };
        let names = names_of(&manifest, &base);
        if has_challengers(&manifest) {
            audience.noted(
                "challengers do not score corrected rows: their answers are those of the run that \
                 made the data set",
            );
        }
        let run = Run::begin(&request, &names, &caller, &audience, interrupt)?;
        run.carry_out(|| correct(&run, retry))
    })
}

fn manifest_of(directory: &Location) -> Result<Manifest> {
    if find(directory)?.is_none_or(|found| !found.is_directory) {
        return Err(no_data_set(directory));
    }
    Manifest::find(directory)?.ok_or_else(|| no_data_set(directory))
}

/// The input's files by where they lie, each with the name that the manifest has for it.
pub(super) fn names_of(manifest: &Manifest, base: &Location) -> HashMap<Location, Location> {
    let inputs = manifest.identity.inputs.iter();
    let path = |name: &Location| {
        if name.is_stream() {
            name.clone()
        } else {
            base.join(name)
        }
    };
    inputs
        .map(|input| (path(&input.path), input.path.clone()))
        .collect()
}

fn correct(run: &Run, retry: &Retry) -> Result<RunResult, Failure> {
    let (directory, job) = (&retry.directory, &run.plan().job);
    // Read again now that it is ours.
    let manifest = Manifest::find(directory)?
        .ok_or_else(|| Error::failed("the data set is gone").at_path(directory))?;
    if manifest.parts.iter().all(|part| part.rejected.is_none()) {
        return nothing_to_correct(run, "no row of it was rejected");
    }
    check_unchanged(run, &manifest)?;
    let rejected = Rejected::of(&manifest, directory, run.interrupt())?;
    let options = dialect_options(&retry.dialect, &[])?;
    let changed = changed_tables(retry, &manifest, &rejected, run.interrupt())?;
    if changed.is_empty() {
        return nothing_to_correct(run, "no row in `_tallow/rejected/` was changed");
    }
    let names: Vec<String> = manifest
        .identity
        .inputs
        .iter()
        .map(|input| input.path.text())
        .collect();
    let files: HashMap<String, usize> = names
        .iter()
        .enumerate()
        .map(|(index, name)| (name.clone(), index))
        .collect();
    let kept = there(directory, [CORRECTIONS, earlier::CORRECTIONS])?;
    let kept = if kept.is_empty() {
        kept
    } else {
        resolve(&kept)?
    };
    let (before, now) = (
        CorrectedRows::read(&kept, job, &files, &ReadOptions::default())?,
        CorrectedRows::read(&changed, job, &files, &options)?,
    );
    let flags = retry.dialect.set_flags();
    if !flags.is_empty() && !changed.iter().any(|path| is_delimited(path, &options)) {
        let message = format!(
            "the corrected rows are not delimited text, so nothing reads `{}`",
            flags.join("`, `")
        );
        run.audience
            .warned(&Error::usage(message).hint("remove the flag"));
    }
    now.must_have_been_rejected(
        &before,
        &CorrectedRows::locations(&rejected.tables, &files)?,
        &rejected.open,
        &files,
    )?;
    let (remade, others): (Vec<&PartRecord>, Vec<&PartRecord>) = manifest
        .parts
        .iter()
        .partition(|part| part.rejected.is_some() && now.touches(part));
    if remade.is_empty() {
        let why = "the corrected rows belong to parts without rejected rows";
        return nothing_to_correct(run, why);
    }
    let all = before.replaced_by(&now)?;
    let (parts, rows) = (
        counted(manifest.parts.len(), "part"),
        counted(now.len(), "corrected row"),
    );
    run.audience
        .noted(&format!("remaking {} of {parts} with {rows}", remade.len()));
    let mut checkpoint = Checkpoint::of_finished(directory, others.into_iter().cloned().collect())?;
    for part in remade {
        if let Some(written) = all.stage(part, directory, job, &names)? {
            checkpoint.corrections.insert(part.account.number, written);
        }
    }
    let of_table = |failure| in_its_table(failure, job, &changed, &files, &options);
    let remake = Remake {
        checkpoint,
        corrections: all.into_corrections(job)?,
        identity: manifest.identity,
        request: manifest.request,
    };
    into(run, &mut ToDataset::remaking(run, remake)).map_err(of_table)
}

/// A failure at a corrected row as one of the table that it was read from: the input's own row is
/// not what is wrong, and `retry` takes no flags of how a run treats values.
fn in_its_table(
    failure: Failure,
    job: &Job,
    tables: &[Location],
    files: &HashMap<String, usize>,
    options: &ReadOptions,
) -> Failure {
    let Failure {
        error: Some(error),
        object,
        code,
    } = failure
    else {
        return failure;
    };
    let reported = error.location();
    let input = |path: &OsStr| {
        job.dataset
            .files
            .iter()
            .position(|file| file.path.as_os_str() == path)
    };
    let location = reported.path.as_deref().and_then(input).zip(reported.row);
    let table = location.and_then(|(file, row)| {
        let location = (file, row.checked_sub(1)?);
        origin(tables, files, options, location).ok().flatten()
    });
    let error = match table {
        Some((path, row)) => error
            .map_path(|_| Some(path.as_os_str().to_owned()))
            .map_row(|_| row)
            .hint(
                "correct the value there and retry again; a row that the table does not have stays \
                 rejected",
            ),
        None => error,
    };
    Failure {
        error: Some(error),
        object,
        code,
    }
}

/// Ends a run that corrects nothing. How many rows may be rejected was settled when the data set
/// was made.
fn nothing_to_correct(run: &Run, because: &str) -> Result<RunResult, Failure> {
    let budget = Budget {
        max_error_rate: Some(1.0),
        ..Budget::default()
    };
    run.nothing_to_do("correct in", because, &budget)
}

/// What is known of the rejected rows of a data set.
struct Rejected<'a> {
    /// The tables that are as the run wrote them.
    tables: HashSet<Location>,
    /// The parts whose tables are not: the user corrects rows there.
    open: Vec<&'a PartRecord>,
}

impl<'a> Rejected<'a> {
    fn of(manifest: &'a Manifest, directory: &Location, interrupt: &Interrupt) -> Result<Self> {
        let mut rejected = Self {
            tables: HashSet::new(),
            open: Vec::new(),
        };
        for (part, file) in manifest
            .parts
            .iter()
            .filter_map(|part| Some((part, part.rejected.as_ref()?)))
        {
            let path = directory.join(&file.path);
            if find(&path)?.is_some() && sha256_of(&path, interrupt)? == file.sha256 {
                rejected.tables.insert(path);
            } else {
                rejected.open.push(part);
            }
        }
        Ok(rejected)
    }
}

/// What is said of a path that is not a data set: of one file, its rejected rows are scored by
/// themselves.
fn no_data_set(path: &Location) -> Error {
    let rejected = names::rejected(path, false);
    let is_output = |found: Metadata| found.is_file && quarantine::is_table(&rejected);
    if find(path).is_ok_and(|found| found.is_some_and(is_output)) {
        let error =
            Error::failed("`retry` works on data sets, and this is a single file").at_path(path);
        return error.hint(format!(
            "correct the rows of `{}` where they come from, and score again with `--overwrite`; \
             `--output DIR/` makes a data set, which `retry` completes",
            rejected.display()
        ));
    }
    if let Err(error) = refuse_unfinished(path) {
        return error;
    }
    Error::failed("not a finished data set of tallow")
        .at_path(path)
        .hint("name the directory that `tallow score --output` wrote")
}

/// The parts are made of the input as it was; so it must still be that.
fn check_unchanged(run: &Run, manifest: &Manifest) -> Result<()> {
    let now = identity::of(run.plan(), run.interrupt())?;
    let changes = RunIdentity::changes_since(&now, &manifest.identity);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the data set cannot be corrected, because these changed since it was made: {}",
        changes.join("; ")
    );
    Err(Error::contract(message)
        .at_path(&run.target().path)
        .hint("restore what changed, or score the input again with `--overwrite`"))
}

/// Which of these are there: names of this version and of an earlier one, both if a data set of the
/// latter was corrected.
fn there(directory: &Location, names: [&str; 2]) -> Result<Vec<Location>> {
    let mut found = Vec::new();
    for path in names.map(|name| directory.join(name)) {
        if !resolve_present(&path)?.is_empty() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The tables of corrected rows but for those that are, byte for byte, what a run rejected: they
/// correct nothing.
fn changed_tables(
    retry: &Retry,
    manifest: &Manifest,
    rejected: &Rejected<'_>,
    interrupt: &Interrupt,
) -> Result<Vec<Location>> {
    let directory = &retry.directory;
    let digests: HashSet<&str> = manifest
        .parts
        .iter()
        .filter_map(|part| part.rejected.as_ref())
        .map(|file| file.sha256.as_str())
        .collect();
    let named = if retry.corrected.is_empty() {
        there(directory, [REJECTED, earlier::REJECTED])?
    } else {
        retry.corrected.clone()
    };
    let named = if named.is_empty() {
        vec![directory.join(REJECTED)]
    } else {
        named
    };
    let mut changed = Vec::new();
    for table in resolve(&named)? {
        if !rejected.tables.contains(&table)
            && !digests.contains(sha256_of(&table, interrupt)?.as_str())
        {
            changed.push(table);
        }
    }
    Ok(changed)
}
