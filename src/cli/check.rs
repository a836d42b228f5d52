//! `tallow check`: everything `score` would do before the first row, shown instead of done.

use arrow::array::RecordBatch;
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Map, Value as Json, json};

use super::args::CheckArgs;
use super::console::{BINDING, Console, bound_object};
use super::page::Page;
use super::signal;
use crate::count::counted;
use crate::error::{Error, Kind, Result};
use crate::interrupt::Interrupt;
use crate::path_text;
use crate::pipeline::part::{PartAccount, Segment};
use crate::pipeline::scoring::Rejection;
use crate::pipeline::{self, Control, Destination, Outcomes, verification};
use crate::plan::guard::{Guards, budget};
use crate::plan::replay::{Replay, replay};
use crate::plan::target::Target;
use crate::plan::{Plan, effect};
use crate::process;
use crate::report::summary::ignored_told;
use crate::request::output::{Limits, Output, Telemetry};
use crate::request::rows::OnBadFile;
use crate::request::work::Work;
use crate::storage::find;
use crate::table::dataset::Position;

pub(super) fn run(args: CheckArgs, console: &Console) -> Result<()> {
    let CheckArgs {
        job: _,
        work,
        scan,
        output,
        guards,
        observers,
    } = args;
    let work = Work::from(work);
    let output = output.map(Output::from);
    let (limits, telemetry) = (Limits::from(guards), Telemetry::from(observers));
    let target = output.as_ref().map(Target::resolve).transpose()?;
    if let Some((output, target)) = output.as_ref().zip(target.as_ref()) {
        effect::refuse_alone(output, &limits, &telemetry, target)?;
        target.refuse_inside_inputs(&work.inputs)?;
    }
    let mut plan = Plan::resolve(&work)?;
    if work.rows.on_bad_file == OnBadFile::Skip {
        plan.leave_out(verification::unreadable(&plan.job, &Interrupt::default())?)?;
    }
    if let Some(target) = &target {
        target.refuse_inputs(&work.model, &plan.job.dataset)?;
        target.partitioning(&plan.job.output_schema, plan.job.passthrough.len())?;
        refuse_existing(target)?;
    }
    let (guard, unguarded) = Guards::resolve(
        &limits,
        target.as_ref().and_then(|target| target.report.as_deref()),
    )?;
    plan.warnings.extend(unguarded);
    guard.before(
        &plan.job.dataset,
        plan.job.row_count(),
        process::seconds_now(),
    )?;
    let may_reject = effect::may_reject(plan.job.scoring.encoder().inputs());
    plan.warnings
        .extend(effect::of_rejections(output.as_ref(), &limits, may_reject));
    let estimated_bytes = plan.estimated_bytes()?;
    plan.warnings
        .iter()
        .for_each(|warning| console.warning(warning));
    let replay = replay(&work)?;
    let scanned = if scan {
        Some(scanned(&plan, &limits, &guard, console)?)
    } else {
        None
    };
    let found = Found {
        estimated_bytes,
        replay,
        scanned,
    };
    if console.is_json() {
        console.json(&object(&plan, &found))
    } else {
        console.show(&page(&plan, &found))
    }
}

/// What was found out about a plan.
struct Found {
    estimated_bytes: u64,
    replay: Option<Replay>,
    scanned: Option<Outcomes>,
}

/// A file that `score` would not replace.
fn refuse_existing(target: &Target) -> Result<()> {
    if target.is_dataset() || target.overwrite || find(&target.path)?.is_none() {
        return Ok(());
    }
    let error = Error::failed("the output exists already").at_path(&target.path);
    Err(error.hint("pass `--overwrite` to replace it, or choose another name"))
}

/// Reads, filters and scores every row, and forgets the answers.
fn scanned(plan: &Plan, limits: &Limits, guard: &Guards, console: &Console) -> Result<Outcomes> {
    let interrupt = signal::watch(console)?;
    let control = Control {
        interrupt,
        budget: budget(limits, plan.job.row_count())?,
    };
    let mut outcomes = Outcomes::new(&plan.job);
    let whole = Segment {
        first_part: 0,
        start: Position::default(),
        start_byte: None,
        row_count: plan.job.limit.unwrap_or(u64::MAX),
    };
    let progress = console.progress(plan.job.row_count());
    let ended = pipeline::run(
        &plan.job,
        vec![whole],
        &mut Nowhere,
        &control,
        &mut outcomes,
        &|rows| progress.advance(rows),
    );
    progress.finish();
    let elsewhere = |error: Error| match error.kind() {
        Kind::ErrorBudget => error.hint(
            "`tallow score` writes the rejected rows, with the reason for each, next to its output",
        ),
        _ => error,
    };
    ended.map_err(elsewhere)?;
    let total = outcomes.ledger.total();
    guard.rows(total.rows_in)?;
    control
        .budget
        .judge(&total)
        .map_or(Ok(outcomes), |error| Err(elsewhere(error)))
}

/// Takes rows and keeps none.
struct Nowhere;

impl Destination for Nowhere {
    fn write(&mut self, _part: u64, _output: &RecordBatch) -> Result<()> {
        Ok(())
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

    fn end_part(&mut self, _account: &PartAccount) -> Result<()> {
        Ok(())
    }
}

fn page(plan: &Plan, found: &Found) -> Page {
    let Found {
        estimated_bytes,
        replay,
        scanned,
    } = found;
    let job = &plan.job;
    let mut page = Page::new("model and data fit");
    let model_bytes = HumanBytes(job.scoring.model().model.memory_bytes() as u64);
    page.line(format!(
        "  model   {} ({}, {model_bytes})",
        plan.model.name, plan.model.format
    ));
    if let Some(Replay {
        row_count,
        greatest_difference,
        tolerance,
    }) = replay
    {
        let rows = counted(*row_count as u64, "row");
        page.line(format!(
            "  golden  {rows} agree (greatest difference {greatest_difference:.1e}, allowed \
             {tolerance:e})"
        ));
    }
    for file in &job.dataset.files {
        let rows = file.table.row_count().map_or_else(
            || "rows known once read".to_owned(),
            |rows| counted(rows, "row"),
        );
        let groups = file
            .table
            .row_group_count()
            .map_or(String::new(), |groups| {
                format!(", {}", counted(groups, "row group"))
            });
        let bytes = HumanBytes(file.table.identity().byte_count());
        page.line(format!(
            "  input   {} ({}, {rows}{groups}, {bytes})",
            file.path.display(),
            file.format
        ));
    }
    page.line(match scanned {
        Some(outcomes) => {
            let total = outcomes.ledger.total();
            let (scored, rejected, filtered) = (
                HumanCount(total.scored),
                HumanCount(total.rejected),
                HumanCount(total.filtered),
            );
            let rows = counted(total.rows_in, "row");
            format!(
                "  scanned {rows} = {scored} that would be scored + {rejected} rejected + \
                 {filtered} filtered"
            )
        }
        None => "  scanned no row: `--scan` reads and scores them all".to_owned(),
    });
    page.line(format!("  threads {}", job.threads));
    page.line(format!(
        "  memory  about {} at most",
        HumanBytes(*estimated_bytes)
    ));
    plan.bad_files.iter().for_each(|file| {
        page.line(format!(
            "  left out {}: {}",
            file.path.display(),
            file.reason
        ));
    });
    ignored_told(&plan.ignored)
        .iter()
        .for_each(|told| page.line(format!("  ignored {told}")));
    page.line(BINDING);
    job.scoring
        .encoder()
        .inputs()
        .for_each(|bound| page.line(format!("  {bound}")));
    page.line("columns of the output");
    job.output_schema
        .fields()
        .iter()
        .for_each(|field| page.line(format!("  {} ({})", field.name(), field.data_type())));
    page
}

fn object(plan: &Plan, found: &Found) -> Json {
    let Found {
        estimated_bytes,
        replay,
        scanned,
    } = found;
    let job = &plan.job;
    json!({
        "status": "fits",
        "run_id": plan.run_id,
        "model": plan.model.named().into_iter().map(|(name, value)| (name, Json::from(value))).collect::<Map<_, _>>(),
        "rows": job.row_count(),
        "golden": replay.map(|replay| json!({
            "rows": replay.row_count, "greatest_difference": replay.greatest_difference, "tolerance": replay.tolerance
        })),
        "scanned": scanned.as_ref().map(|outcomes| {
            let total = outcomes.ledger.total();
            json!({"rows_in": total.rows_in, "scored": total.scored, "rejected": total.rejected, "filtered": total.filtered})
        }),
        "threads": job.threads,
        "estimated_memory_bytes": estimated_bytes,
        "warnings": plan.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "ignored_files": plan.ignored.iter().map(|path| path_text::text(path)).collect::<Vec<_>>(),
        "bad_files": plan.bad_files.iter().map(|file| json!({"path": path_text::text(&file.path), "reason": file.reason})).collect::<Vec<_>>(),
        "inputs": job.dataset.files.iter().map(|file| json!({
            "path": path_text::text(&file.path), "format": file.format, "rows": file.table.row_count(), "row_groups": file.table.row_group_count(), "bytes": file.table.identity().byte_count()
        })).collect::<Vec<_>>(),
        "binding": job.scoring.encoder().inputs().map(bound_object).collect::<Vec<_>>(),
        "output": job.output_schema.fields().iter().map(|field| json!({"name": field.name(), "type": field.data_type().to_string()})).collect::<Vec<_>>(),
    })
}
