//! `tallow score`: the main job, from plan to published output and report.

use super::console::Console;
use super::observers::{Observers, named_outputs};
use super::run::{Run, Written};
use super::{Ending, Failure, scheduler, signal};
use crate::count::counted;
use crate::error::{Error, Kind, Result};
use crate::output::checkpoint::{Checkpoint, RunIdentity};
use crate::output::dataset::DatasetOutput;
use crate::output::file::FileOutput;
use crate::output::publication::{self, Manifest};
use crate::output::quarantine;
use crate::output::table_writer::TableWriter;
use crate::output::{reading, report};
use crate::path_text;
use crate::pipeline::Outcomes;
use crate::pipeline::part::Segment;
use crate::plan::identity;
use crate::plan::target::{Target, refuse_inside};
use crate::report::stored::StoredReport;
use crate::request::Request;
use crate::request::output::Telemetry;
use crate::storage::remove;
use crate::table::dataset::Position;

pub(super) fn run(request: Request, console: &Console) -> Result<Ending, Failure> {
    let interrupt = signal::watch(console)?;
    // Before anything is written: what tells of a failure would be the next run's data.
    let Telemetry {
        metrics_file,
        lineage_file,
        job_name: _,
    } = &request.telemetry;
    let told = [
        ("metrics file", metrics_file),
        ("lineage file", lineage_file),
    ]
    .into_iter()
    .filter_map(|(what, path)| Some((what, path.as_ref()?)));
    told.into_iter()
        .try_for_each(|(what, path)| refuse_inside(what, path, path, &request.work.inputs))?;
    let observers = Observers::open(
        &request.telemetry,
        &named_outputs(&request.output),
        Some(&request.work.model),
        console,
    )?;
    observers.watch(|| {
        let run = Run::begin(request, console, &observers, &interrupt)?;
        run.account_for(|run| {
            if run.target.is_dataset() {
                into_dataset(run)
            } else {
                into_file(run)
            }
        })
    })
}

/// Why there may be nothing to do.
const SAME: &str = "it is there, made from the same inputs by the same model";

fn into_file(run: &Run) -> Result<Ending, Failure> {
    if run.is_done_already()? {
        return Ok(run.nothing_to_do("do with", SAME));
    }
    let Target {
        path,
        format,
        overwrite,
        ..
    } = run.target.clone();
    let rejected_path = run.target.rejected.clone().unwrap_or_default();
    let writer = TableWriter::create(
        &path,
        overwrite,
        format,
        run.plan.job.output_schema.clone(),
        &run.footer(),
    )?;
    let mut report = run.open_report()?;
    forget_withheld(run)?;
    let mut output = FileOutput::new(writer, path, run.quarantine()?, rejected_path, overwrite);
    let mut outcomes = Outcomes::new(&run.plan.job);
    let whole = Segment {
        first_part: 0,
        start: Position::default(),
        start_byte: None,
        row_count: run.plan.job.limit.unwrap_or(u64::MAX),
    };
    if let Err(error) = run.score(vec![whole], &mut output, &mut outcomes) {
        drop(report);
        let is_over_budget = error.kind() == Kind::ErrorBudget;
        let rejected = output
            .rejected_path()
            .filter(|_| is_over_budget)
            .map(|path| path.display().to_string());
        if is_over_budget {
            output.finish()?.publish_rejected()?;
        }
        return Err(run.unfinished(error, &outcomes, rejected));
    }
    let finished = output.finish()?;
    outcomes.ledger.check(finished.predictions.1.rows)?;
    let mut written = Written {
        output_bytes: finished.predictions.1.bytes,
        ..Written::default()
    };
    written.rejected = finished
        .rejected
        .as_ref()
        .map(|(_, file)| file.path.clone());
    let facts = run.facts(&outcomes, run.final_status(&outcomes), written.output_bytes);
    if let Some(report) = &mut report {
        report::write(report, &run.plan.run_id, &facts)?;
        written.report = run
            .target
            .report
            .as_ref()
            .map(|path| path.display().to_string());
    }
    // All files are written before any gets its name, so what can still fail is only the naming.
    if let Err(error) = run.note_publication() {
        return Err(run.unfinished(error, &outcomes, None));
    }
    finished.publish(report)?;
    run.finish(&outcomes, &facts, &written)
}

/// Removes the rejected rows of a run that withheld its output: they must not stand in the way of
/// the next one. Its report says that they are its own.
fn forget_withheld(run: &Run) -> Result<()> {
    let is_left = run
        .target
        .unfinished_report()
        .is_some_and(|path| StoredReport::read(&path).is_ok());
    let has_own_name = run.request.output.rejected.is_none();
    let rejected = run
        .target
        .rejected
        .as_ref()
        .filter(|path| is_left && has_own_name && quarantine::is_table(path));
    rejected.map_or(Ok(()), |path| remove(path))
}

fn into_dataset(run: &mut Run) -> Result<Ending, Failure> {
    let directory = &run.target.path;
    let identity = identity::of(&run.request.work, &run.plan, &run.target, run.interrupt())?;
    let published = match Manifest::find(directory) {
        Err(_) if run.target.restart && run.target.overwrite => {
            run.replaces = publication::files_by_name(directory)?;
            None
        }
        published => published?,
    };
    if let Some(published) = &published {
        let changes = identity.changes_since(&published.identity);
        let is_same = changes.is_empty();
        // Whoever starts over need not hear whether it is whole.
        let may_stay = is_same && !run.target.restart;
        let damaged = if may_stay {
            published.first_changed(directory, run.interrupt())?
        } else {
            None
        };
        if may_stay && damaged.is_none() {
            return Ok(run.nothing_to_do("do with", SAME));
        }
        if !run.target.overwrite {
            let message = match damaged {
                Some(file) => format!(
                    "the output exists already, but its file `{file}` is missing or not as it was \
                     written"
                ),
                None if is_same => "the output exists already, and it is finished".to_owned(),
                None => format!(
                    "the output exists already, and since it was made these changed: {}",
                    changes.join("; ")
                ),
            };
            let hint = "choose another directory, or pass `--overwrite` to replace it when the \
                        new one is whole";
            return Err(Error::failed(message).at_path(directory).hint(hint).into());
        }
    }
    if run.replaces.is_empty() {
        publication::check_names(directory, published.as_ref())?;
    }
    // What cannot be laid out so leaves no trace of a run.
    run.layout()?;
    let checkpoint = Checkpoint::open(directory, &identity, run.target.restart, run.interrupt())?;
    score_parts(run, checkpoint, identity)
}

/// Scores what the checkpoint says is left, and publishes.
pub(super) fn score_parts(
    run: &Run,
    checkpoint: Checkpoint,
    identity: RunIdentity,
) -> Result<Ending, Failure> {
    let mut outcomes = Outcomes::new(&run.plan.job);
    for record in checkpoint.parts.values() {
        run.interrupt().check()?;
        outcomes.add(&record.account);
        reading::observe(
            &run.plan.job,
            checkpoint.files_of(record)?,
            &mut outcomes.scores,
        )?;
    }
    if !checkpoint.parts.is_empty() {
        let (parts, rows) = (checkpoint.parts.len(), outcomes.ledger.total().rows_in);
        let verb = if parts == 1 { "is" } else { "are" };
        run.console.tell(&format!(
            "{} {verb} finished already ({})",
            counted(parts, "part"),
            counted(rows, "row")
        ));
    }
    outcomes.rows_before = outcomes.ledger.total().rows_in;
    let rows_per_part = run.plan.job.rows_per_part.unwrap_or(u64::MAX);
    let segments = checkpoint.remaining(rows_per_part, run.plan.job.limit.unwrap_or(u64::MAX));
    let mut output = DatasetOutput::new(
        run.layout()?,
        run.quarantine()?,
        checkpoint,
        run.interrupt().clone(),
    )?;
    if let Err(error) = run.score(segments, &mut output, &mut outcomes) {
        let rejected = output
            .keep_rejected()?
            .map(|path| path.display().to_string());
        return Err(run.unfinished(error, &outcomes, rejected));
    }
    publish(run, output.into_checkpoint(), identity, &outcomes)
}

fn publish(
    run: &Run,
    checkpoint: Checkpoint,
    identity: RunIdentity,
    outcomes: &Outcomes,
) -> Result<Ending, Failure> {
    let directory = run.target.path.clone();
    // The last moment at which the run can be stopped and resumed; from here on it takes
    // milliseconds.
    if let Err(error) = run
        .interrupt()
        .check()
        .and_then(|()| run.plan.check_unchanged())
    {
        return Err(run.unfinished(error, outcomes, None));
    }
    let files = || checkpoint.parts.values().flat_map(|part| &part.files);
    outcomes.ledger.check(files().map(|file| file.rows).sum())?;
    let mut written = Written {
        output_bytes: files().map(|file| file.bytes).sum(),
        ..Written::default()
    };
    if checkpoint
        .parts
        .values()
        .any(|part| part.rejected.is_some())
    {
        written.rejected = run
            .target
            .rejected
            .as_ref()
            .map(|path| path.display().to_string());
    }
    let facts = run.facts(outcomes, run.final_status(outcomes), written.output_bytes);
    let names = (run.plan.run_id.clone(), run.invocation_id().to_owned());
    let mut manifest = Manifest::new(
        names,
        identity,
        run.options()?,
        run.working_directory.clone(),
    );
    manifest.rows_per_part = run.plan.job.rows_per_part.unwrap_or(u64::MAX);
    manifest.model = run.plan.model.named().into_iter().collect();
    manifest.scheduler = scheduler::context();
    manifest.ledger = outcomes.ledger.total();
    manifest.bad_files = run
        .plan
        .bad_files
        .iter()
        .map(|file| (path_text::text(&file.path), file.reason.clone()))
        .collect();
    manifest.replaces.clone_from(&run.replaces);
    manifest.parts = checkpoint.parts.into_values().collect();
    if let Some(path) = &run.target.report {
        written.report = Some(path.display().to_string());
        if run.target.has_report_inside() {
            manifest.report = Some(report::stage(&directory, &run.plan.run_id, &facts)?);
        } else {
            report::create(path, &run.plan.run_id, &facts)?;
        }
    }
    publication::publish(&directory, &manifest)?;
    run.finish(outcomes, &facts, &written)
}
