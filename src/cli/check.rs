//! `tallow check`: everything `score` would do before the first row, shown instead of done.

use indicatif::HumanBytes;
use serde_json::{Map, Value as Json, json};

use super::args::{CheckArgs, OnBadFile};
use super::console::{BINDING, Console, bound_object};
use super::page::Page;
use crate::count::counted;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::path_text;
use crate::pipeline::verification;
use crate::plan::Plan;
use crate::plan::replay::{Replay, replay};
use crate::report::summary::ignored_told;

pub(super) fn run(args: CheckArgs, console: &Console) -> Result<()> {
    let CheckArgs { work } = args;
    let mut plan = Plan::resolve(&work)?;
    if work.rows.on_bad_file == OnBadFile::Skip {
        plan.leave_out(verification::unreadable(&plan.job, &Interrupt::default())?)?;
    }
    let estimated_bytes = plan.estimated_bytes()?;
    plan.warnings.iter().for_each(|warning| console.warning(warning));
    let replay = replay(&work)?;
    if console.is_json() { console.json(&object(&plan, estimated_bytes, replay)) } else { console.show(&page(&plan, estimated_bytes, replay)) }
}

fn page(plan: &Plan, estimated_bytes: u64, replay: Option<Replay>) -> Page {
    let job = &plan.job;
    let mut page = Page::new("model and data fit");
    let model_bytes = HumanBytes(job.scoring.model().model.memory_bytes() as u64);
    page.line(format!("  model   {} ({}, {model_bytes})", plan.model.name, plan.model.format));
    if let Some(Replay { row_count, greatest_difference, tolerance }) = replay {
        let rows = counted(row_count as u64, "row");
        page.line(format!("  golden  {rows} agree (greatest difference {greatest_difference:.1e}, allowed {tolerance:e})"));
    }
    for file in &job.dataset.files {
        let rows = file.table.row_count().map_or_else(|| "rows known once read".to_owned(), |rows| counted(rows, "row"));
        let groups = file.table.row_group_count().map_or(String::new(), |groups| format!(", {}", counted(groups, "row group")));
        let bytes = HumanBytes(file.table.identity().byte_count());
        page.line(format!("  input   {} ({}, {rows}{groups}, {bytes})", file.path.display(), file.format));
    }
    page.line(format!("  threads {}", job.threads));
    page.line(format!("  memory  about {} at most", HumanBytes(estimated_bytes)));
    plan.bad_files.iter().for_each(|file| page.line(format!("  left out {}: {}", file.path.display(), file.reason)));
    ignored_told(&plan.ignored).iter().for_each(|told| page.line(format!("  ignored {told}")));
    page.line(BINDING);
    job.scoring.encoder().inputs().for_each(|bound| page.line(format!("  {bound}")));
    page.line("columns of the output");
    job.output_schema.fields().iter().for_each(|field| page.line(format!("  {} ({})", field.name(), field.data_type())));
    page
}

fn object(plan: &Plan, estimated_bytes: u64, replay: Option<Replay>) -> Json {
    let job = &plan.job;
    json!({
        "status": "fits",
        "run_id": plan.run_id,
        "model": plan.model.named().into_iter().map(|(name, value)| (name, Json::from(value))).collect::<Map<_, _>>(),
        "rows": job.row_count(),
        "golden": replay.map(|replay| json!({
            "rows": replay.row_count, "greatest_difference": replay.greatest_difference, "tolerance": replay.tolerance
        })),
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
