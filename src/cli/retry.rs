//! `tallow retry`: scores the mended rows of a data set and puts them where they belong.
//!
//! The parts that mended rows belong to are made again, from the input and the mended rows, exactly as if the rows had never been bad; all
//! other parts stay as they are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::args::{GuardArgs, ObserverArgs, OutputArgs, RetryArgs, ScoreArgs, WorkArgs};
use super::console::Console;
use super::observers::{Observers, absolute_path};
use super::run::Run;
use super::{Ending, Failure, score, signal};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::checkpoint::{Checkpoint, PartRecord, RunIdentity, sha256_of};
use crate::output::mended::MendedRows;
use crate::output::names::{CORRECTIONS, REJECTED, earlier};
use crate::output::publication::Manifest;
use crate::path_text;
use crate::plan::identity;
use crate::table::commit::{canonical, find};
use crate::table::location::resolve;

pub(super) fn run(mut args: RetryArgs, console: &Console) -> Result<Ending, Failure> {
    // The files that tell of this run belong to the directory that it was started in.
    let ObserverArgs { metrics_file, lineage_file, job: _ } = &mut args.observers;
    [metrics_file, lineage_file].into_iter().flatten().for_each(|path| *path = absolute_path(path));
    let interrupt = signal::watch()?;
    let observers = Observers::open(&args.observers, &[("DIR", &args.directory)], None, console)?;
    observers.watch(|| {
        let manifest = find_data_set(&mut args)?;
        let run = Run::begin(score_args(&args, &manifest)?, console, &observers, &interrupt)?;
        run.account_for(|run| mend(run, &args))
    })
}

/// The manifest of the data set, from the directory where it was made: read before the output is taken, to know what it is.
fn find_data_set(args: &mut RetryArgs) -> Result<Manifest> {
    let directory = args.directory.clone();
    let none = || {
        Error::failed("there is no finished data set of tallow's").at_path(&directory).hint("name the directory that `tallow score --output` wrote")
    };
    if find(&directory)?.is_none_or(|found| !found.is_directory) {
        return Err(none());
    }
    let manifest = Manifest::find(&directory)?.ok_or_else(none)?;
    go_back_to(&manifest, args)?;
    Ok(manifest)
}

fn mend(run: &mut Run, args: &RetryArgs) -> Result<Ending, Failure> {
    let directory = args.directory.clone();
    // Read again now that it is ours.
    let manifest = Manifest::find(&directory)?.ok_or_else(|| Error::failed("the data set is gone").at_path(&directory))?;
    run.plan.job.rows_per_part = Some(manifest.rows_per_part);
    if manifest.parts.iter().all(|part| part.rejected.is_none()) {
        return Ok(run.nothing_to_do("mend in", "no row of it was rejected"));
    }
    check_unchanged(run, &manifest)?;
    let rejected = Rejected::of(&manifest, &directory, run.interrupt())?;
    let changed = changed_tables(args, &directory, &manifest, &rejected, run.interrupt())?;
    if changed.is_empty() {
        return Ok(run.nothing_to_do("mend in", "the rejected rows are as they were: change what is wrong with them in `_tallow/rejected/`"));
    }
    let names: Vec<String> = manifest.identity.inputs.iter().map(|input| path_text::text(&input.path)).collect();
    let files: HashMap<String, usize> = names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
    let kept = there(&directory, [CORRECTIONS, earlier::CORRECTIONS])?;
    let kept = if kept.is_empty() { kept } else { resolve(&kept)? };
    let (before, now) = (MendedRows::read(&kept, &run.plan.job, &files)?, MendedRows::read(&changed, &run.plan.job, &files)?);
    now.must_have_been_rejected(&before, &MendedRows::places(&rejected.tables, &files)?, &rejected.open, &files)?;
    let (mending, others): (Vec<&PartRecord>, Vec<&PartRecord>) =
        manifest.parts.iter().partition(|part| part.rejected.is_some() && now.touches(part));
    if mending.is_empty() {
        return Ok(run.nothing_to_do("mend in", "the mended rows belong to parts that have no rejected ones"));
    }
    let mended = before.replaced_by(&now)?;
    let (parts, rows) = (counted(manifest.parts.len(), "part"), counted(now.len(), "mended row"));
    run.console.tell(&format!("making {} of {parts} again with {rows}", mending.len()));
    let mut checkpoint = Checkpoint::of_finished(&directory, others.into_iter().cloned().collect())?;
    for part in mending {
        if let Some(written) = mended.stage(part, &directory, &run.plan.job, &names)? {
            checkpoint.corrections.insert(part.account.number, written);
        }
    }
    run.plan.job.corrections = Some(mended.into_corrections()?);
    score::score_parts(run, checkpoint, manifest.identity)
}

/// What a data set tells of its rejected rows.
struct Rejected<'a> {
    /// The tables that are as the run wrote them.
    tables: HashSet<PathBuf>,
    /// The parts whose tables are not: a person mends there.
    open: Vec<&'a PartRecord>,
}

impl<'a> Rejected<'a> {
    fn of(manifest: &'a Manifest, directory: &Path, interrupt: &Interrupt) -> Result<Self> {
        let mut rejected = Self { tables: HashSet::new(), open: Vec::new() };
        for (part, file) in manifest.parts.iter().filter_map(|part| Some((part, part.rejected.as_ref()?))) {
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

/// The command that made the data set, as it was given, with this run's resources.
fn score_args(args: &RetryArgs, manifest: &Manifest) -> Result<ScoreArgs> {
    let unreadable = |error| Error::failed("cannot read the options in the manifest").at_path(&args.directory).because(error);
    let options = |name: &str| manifest.arguments.get(name).cloned().unwrap_or_default();
    let mut work: WorkArgs = serde_json::from_value(options("work")).map_err(unreadable)?;
    let output: OutputArgs = serde_json::from_value(options("output")).map_err(unreadable)?;
    work.resources = args.resources.clone();
    Ok(ScoreArgs {
        work,
        output: OutputArgs { output: args.directory.join(""), overwrite: true, restart: false, ..output },
        guards: GuardArgs { skip_code: args.skip_code, ..GuardArgs::default() },
        observers: args.observers.clone(),
    })
}

/// Relative paths of the first run begin at its working directory, so this run works there too.
fn go_back_to(manifest: &Manifest, args: &mut RetryArgs) -> Result<()> {
    if std::env::current_dir().is_ok_and(|current| current == manifest.working_directory) {
        return Ok(());
    }
    args.directory = canonical(&args.directory)?;
    args.mended = args.mended.iter().map(|path| canonical(path)).collect::<Result<_>>()?;
    std::env::set_current_dir(&manifest.working_directory).map_err(|error| {
        let error = Error::failed("cannot go to the directory where the data set was made").at_path(&manifest.working_directory).because(error);
        error.hint("the inputs are needed again: their paths begin there")
    })
}

/// The parts are made of the input as it was; so it must still be that.
fn check_unchanged(run: &Run, manifest: &Manifest) -> Result<()> {
    let now = identity::of(&run.args.work, &run.plan, &run.target, run.interrupt())?;
    let changes = RunIdentity::changes_since(&now, &manifest.identity);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!("the data set cannot be mended, because since it was made these changed: {}", changes.join("; "));
    Err(Error::contract(message).at_path(&run.target.path).hint("score the input again, with `--overwrite`"))
}

/// Which of these are there: names of this version and of an earlier one, both if a data set of the latter was mended.
fn there(directory: &Path, names: [&str; 2]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in names.map(|name| directory.join(name)) {
        if find(&path)?.is_some() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The tables of mended rows but for those that are, byte for byte, what a run rejected: they mend nothing.
fn changed_tables(args: &RetryArgs, directory: &Path, manifest: &Manifest, rejected: &Rejected<'_>, interrupt: &Interrupt) -> Result<Vec<PathBuf>> {
    let digests: HashSet<&str> = manifest.parts.iter().filter_map(|part| part.rejected.as_ref()).map(|file| file.sha256.as_str()).collect();
    let named = if args.mended.is_empty() { there(directory, [REJECTED, earlier::REJECTED])? } else { args.mended.clone() };
    let named = if named.is_empty() { vec![directory.join(REJECTED)] } else { named };
    let mut changed = Vec::new();
    for table in resolve(&named)? {
        if !rejected.tables.contains(&table) && !digests.contains(sha256_of(&table, interrupt)?.as_str()) {
            changed.push(table);
        }
    }
    Ok(changed)
}
