//! `tallow retry`: scores the mended rows of a data set and puts them where they belong.
//!
//! The parts that mended rows belong to are made again, from the input and the mended rows, exactly
//! as if the rows had never been bad; all other parts stay as they are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::args::{ObserverArgs, RetryArgs};
use super::console::Console;
use super::observers::{Observers, absolute_path};
use super::run::Run;
use super::{Ending, Failure, score, signal};
use crate::count::counted;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::output::checkpoint::{Checkpoint, PartRecord, RunIdentity, sha256_of};
use crate::output::mended::MendedRows;
use crate::output::names::{self, CORRECTIONS, REJECTED, earlier};
use crate::output::publication::Manifest;
use crate::output::quarantine;
use crate::path_text;
use crate::plan::identity;
use crate::report::previous::PreviousRun;
use crate::request::output::{Limits, Output};
use crate::request::work::Work;
use crate::request::{Request, VERSION};
use crate::storage::{Metadata, canonical, find};
use crate::table::location::{resolve, resolve_present};

pub(super) fn run(mut args: RetryArgs, console: &Console) -> Result<Ending, Failure> {
    // The files that tell of this run belong to the directory that it was started in.
    let ObserverArgs {
        metrics_file,
        lineage_file,
        job_name: _,
    } = &mut args.observers;
    [metrics_file, lineage_file]
        .into_iter()
        .flatten()
        .for_each(|path| *path = absolute_path(path));
    let interrupt = signal::watch(console)?;
    let observers = Observers::open(
        &args.observers.clone().into(),
        &[("DIR", &args.directory)],
        None,
        console,
    )?;
    observers.watch(|| {
        let manifest = find_data_set(&mut args)?;
        let run = Run::begin(request(&args, &manifest)?, console, &observers, &interrupt)?;
        run.account_for(|run| mend(run, &args))
    })
}

/// The manifest of the data set, from the directory where it was made: read before the output is
/// taken, to know what it is.
fn find_data_set(args: &mut RetryArgs) -> Result<Manifest> {
    let directory = args.directory.clone();
    let none = || no_data_set(&directory);
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
    let manifest = Manifest::find(&directory)?
        .ok_or_else(|| Error::failed("the data set is gone").at_path(&directory))?;
    run.plan.job.rows_per_part = Some(manifest.rows_per_part);
    if manifest.parts.iter().all(|part| part.rejected.is_none()) {
        return Ok(run.nothing_to_do("correct in", "no row of it was rejected"));
    }
    check_unchanged(run, &manifest)?;
    let rejected = Rejected::of(&manifest, &directory, run.interrupt())?;
    let changed = changed_tables(args, &directory, &manifest, &rejected, run.interrupt())?;
    if changed.is_empty() {
        return Ok(run.nothing_to_do("correct in", "no row in `_tallow/rejected/` was changed"));
    }
    let names: Vec<String> = manifest
        .identity
        .inputs
        .iter()
        .map(|input| path_text::text(&input.path))
        .collect();
    let files: HashMap<String, usize> = names
        .iter()
        .enumerate()
        .map(|(index, name)| (name.clone(), index))
        .collect();
    let kept = there(&directory, [CORRECTIONS, earlier::CORRECTIONS])?;
    let kept = if kept.is_empty() {
        kept
    } else {
        resolve(&kept)?
    };
    let (before, now) = (
        MendedRows::read(&kept, &run.plan.job, &files)?,
        MendedRows::read(&changed, &run.plan.job, &files)?,
    );
    now.must_have_been_rejected(
        &before,
        &MendedRows::places(&rejected.tables, &files)?,
        &rejected.open,
        &files,
    )?;
    let (mending, others): (Vec<&PartRecord>, Vec<&PartRecord>) = manifest
        .parts
        .iter()
        .partition(|part| part.rejected.is_some() && now.touches(part));
    if mending.is_empty() {
        return Ok(run.nothing_to_do(
            "correct in",
            "the corrected rows belong to parts without rejected rows",
        ));
    }
    let mended = before.replaced_by(&now)?;
    let (parts, rows) = (
        counted(manifest.parts.len(), "part"),
        counted(now.len(), "corrected row"),
    );
    run.console.tell(&format!(
        "remaking {} of {parts} with {rows}",
        mending.len()
    ));
    let mut checkpoint =
        Checkpoint::of_finished(&directory, others.into_iter().cloned().collect())?;
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

/// What was asked of the run that made the data set, with this run's resources.
fn request(args: &RetryArgs, manifest: &Manifest) -> Result<Request> {
    let made = Request::from_json(manifest.request.clone()).map_err(|error| {
        Error::failed("cannot read the options in the manifest")
            .at_path(&args.directory)
            .because(error)
    })?;
    let is_kept = |report: &PathBuf| report.as_os_str() == "none" || is_report_of(report, manifest);
    Ok(Request {
        version: VERSION,
        work: Work {
            resources: args.resources.clone().into(),
            ..made.work
        },
        output: Output {
            output: args.directory.join(""),
            overwrite: true,
            restart: false,
            report: made.output.report.filter(is_kept),
            ..made.output
        },
        limits: Limits {
            skip_code: args.skip_code,
            ..Limits::default()
        },
        telemetry: args.observers.clone().into(),
    })
}

/// Whether a file is the report that the manifest's own run wrote. Whoever made the manifest may
/// have named any file in it: one that is something else is not replaced, and the report goes into
/// the data set.
fn is_report_of(report: &Path, manifest: &Manifest) -> bool {
    PreviousRun::read(report).is_ok_and(|previous| previous.run_id == manifest.run_id)
}

/// What is said of a path that is no data set: of one file, its rejected rows are scored by
/// themselves.
fn no_data_set(path: &Path) -> Error {
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
    Error::failed("not a finished data set of tallow")
        .at_path(path)
        .hint("name the directory that `tallow score --output` wrote")
}

/// Relative paths of the first run begin at its working directory, so this run works there too.
fn go_back_to(manifest: &Manifest, args: &mut RetryArgs) -> Result<()> {
    if std::env::current_dir().is_ok_and(|current| current == manifest.working_directory) {
        return Ok(());
    }
    args.directory = canonical(&args.directory)?;
    args.corrected = args
        .corrected
        .iter()
        .map(|path| canonical(path))
        .collect::<Result<_>>()?;
    std::env::set_current_dir(&manifest.working_directory).map_err(|error| {
        let error = Error::failed("cannot go to the directory where the data set was made")
            .at_path(&manifest.working_directory)
            .because(error);
        error.hint("the inputs are needed again: their paths begin there")
    })
}

/// The parts are made of the input as it was; so it must still be that.
fn check_unchanged(run: &Run, manifest: &Manifest) -> Result<()> {
    let now = identity::of(&run.request.work, &run.plan, &run.target, run.interrupt())?;
    let changes = RunIdentity::changes_since(&now, &manifest.identity);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the data set cannot be corrected, because these changed since it was made: {}",
        changes.join("; ")
    );
    Err(Error::contract(message)
        .at_path(&run.target.path)
        .hint("score the input again, with `--overwrite`"))
}

/// Which of these are there: names of this version and of an earlier one, both if a data set of the
/// latter was mended.
fn there(directory: &Path, names: [&str; 2]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in names.map(|name| directory.join(name)) {
        if !resolve_present(&path)?.is_empty() {
            found.push(path);
        }
    }
    Ok(found)
}

/// The tables of mended rows but for those that are, byte for byte, what a run rejected: they mend
/// nothing.
fn changed_tables(
    args: &RetryArgs,
    directory: &Path,
    manifest: &Manifest,
    rejected: &Rejected<'_>,
    interrupt: &Interrupt,
) -> Result<Vec<PathBuf>> {
    let digests: HashSet<&str> = manifest
        .parts
        .iter()
        .filter_map(|part| part.rejected.as_ref())
        .map(|file| file.sha256.as_str())
        .collect();
    let named = if args.corrected.is_empty() {
        there(directory, [REJECTED, earlier::REJECTED])?
    } else {
        args.corrected.clone()
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
