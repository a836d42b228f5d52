//! `tallow retry`: scores the mended rows of a data set and puts them where they belong.
//!
//! The parts that had rejected rows are made again, from the input and the mended rows, exactly as if the rows had never been bad; all
//! other parts stay as they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::args::{GuardArgs, ObserverArgs, OutputArgs, RetryArgs, ScoreArgs, WorkArgs};
use super::console::Console;
use super::run::Run;
use super::{Ending, Failure, score};
use crate::error::{Error, Result};
use crate::output::checkpoint::{Checkpoint, PartRecord, RunIdentity};
use crate::output::dataset::REJECTED;
use crate::output::mended::{CORRECTIONS, MendedRows};
use crate::output::publication::Manifest;
use crate::plan::identity;
use crate::table::commit::{canonical, find};
use crate::table::location::resolve;

pub(super) fn run(mut args: RetryArgs, console: &Console) -> Result<Ending, Failure> {
    let directory = args.directory.clone();
    let none = || {
        Error::failed("there is no finished data set of tallow's").at_path(&directory).hint("name the directory that `tallow score --output` wrote")
    };
    if find(&directory)?.is_none_or(|found| !found.is_directory) {
        return Err(none().into());
    }
    // Read before the output is taken, to know what it is; read again once it is ours.
    let manifest = Manifest::find(&directory)?.ok_or_else(none)?;
    go_back_to(&manifest, &mut args)?;
    let directory = args.directory.clone();
    let mut run = Run::begin(score_args(&args, &manifest)?, console, None)?;
    let manifest = Manifest::find(&directory)?.ok_or_else(none)?;
    run.plan.job.rows_per_part = Some(manifest.rows_per_part);
    let bad: Vec<&PartRecord> = manifest.parts.iter().filter(|part| part.rejected.is_some()).collect();
    if bad.is_empty() {
        return Ok(run.nothing_to_do("no row of it was rejected"));
    }
    check_unchanged(&run, &manifest)?;
    let tables = tables(&args, &directory)?;
    let names: Vec<String> = manifest.identity.inputs.iter().map(|input| input.path.display().to_string()).collect();
    let files: HashMap<String, usize> = names.iter().enumerate().map(|(index, name)| (name.clone(), index)).collect();
    let mended = MendedRows::read(&tables, &run.plan.job, &files)?;
    let unaffected = manifest.parts.iter().filter(|part| part.rejected.is_none()).cloned().collect();
    let mut checkpoint = Checkpoint::of_finished(&directory, unaffected)?;
    for part in bad {
        if let Some(written) = mended.stage(part, &directory, &run.plan.job, &names)? {
            checkpoint.corrections.insert(part.account.number, written);
        }
    }
    console.tell(&format!(
        "making {} of {} parts again with {} mended rows",
        manifest.parts.len() - checkpoint.parts.len(),
        manifest.parts.len(),
        mended.len()
    ));
    run.plan.job.corrections = Some(mended.into_corrections()?);
    score::score_parts(&run, checkpoint, manifest.identity)
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
        guards: GuardArgs::default(),
        observers: ObserverArgs::default(),
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
    let now = identity::of(&run.args.work, &run.plan, &run.target)?;
    let changes = RunIdentity::changes_since(&now, &manifest.identity);
    if changes.is_empty() {
        return Ok(());
    }
    let message = format!("the data set cannot be mended, because since it was made these changed: {}", changes.join("; "));
    Err(Error::contract(message).at_path(&run.target.path).hint("score the input again, with `--overwrite`"))
}

/// What was mended before, then what was mended now.
fn tables(args: &RetryArgs, directory: &Path) -> Result<Vec<PathBuf>> {
    let kept = directory.join(CORRECTIONS);
    let mut tables = if find(&kept)?.is_some() { resolve(&[kept])? } else { Vec::new() };
    let mended = if args.mended.is_empty() { vec![directory.join(REJECTED)] } else { args.mended.clone() };
    tables.extend(resolve(&mended)?);
    Ok(tables)
}
