//! `tallow score`: the main job, from plan to published output and report.

use std::time::{Duration, Instant};

use super::args::{OutputFormat, ScoreArgs};
use super::console::Console;
use crate::error::Result;
use crate::model::open::Identity;
use crate::pipeline::{self, Outcomes};
use crate::plan::{OutputPlan, Plan};
use crate::process;
use crate::report::run::{Circumstances, facts};
use crate::report::{Fact, facts as fact_table, json, summary};
use crate::table::Sink;
use crate::table::commit::PendingFile;
use crate::table::csv_sink::CsvSink;
use crate::table::parquet_sink::ParquetSink;

pub(super) fn run(args: ScoreArgs, console: &Console) -> Result<()> {
    let start = Instant::now();
    let started_at = process::now();
    let plan = Plan::resolve(&args.work)?;
    let OutputPlan { output, path, format, report, overwrite } = OutputPlan::resolve(args, &plan)?;
    let (outcomes, mut output) = score(&plan, output, format, console)?;
    let circumstances = circumstances(&plan, &started_at, start.elapsed(), path.display().to_string(), output.byte_count()?);
    let facts = facts(&plan.job, &outcomes, &circumstances);
    let report_path = report.as_ref().map(|(_, path)| path.display().to_string());
    let report = report.map(|(file, _)| write_report(file, &plan.run_id, &facts)).transpose()?;
    // Both files are written before either gets its name, so what can still fail is only the naming.
    output.publish(overwrite)?;
    report.map(|file| file.publish(overwrite)).transpose()?;
    for line in summary::lines(&plan.job, &outcomes, &circumstances, report_path.as_deref(), console.is_verbose()) {
        console.tell(&line);
    }
    if console.is_json() {
        let mut object = json::sections(&facts);
        object.insert("status".into(), "done".into());
        object.insert("run_id".into(), plan.run_id.clone().into());
        object.insert("report".into(), report_path.into());
        console.data(&format!("{}\n", serde_json::Value::Object(object)))?;
    }
    Ok(())
}

fn write_report(mut file: PendingFile, run_id: &str, facts: &[Fact]) -> Result<PendingFile> {
    let mut sink = Box::new(ParquetSink::new(&mut file, fact_table::schema(), &[])?);
    sink.write(&fact_table::table(run_id, facts)?)?;
    sink.finish()?;
    Ok(file)
}

/// Runs the job into the pending file; both come back when all rows are in it.
fn score(plan: &Plan, mut output: PendingFile, format: OutputFormat, console: &Console) -> Result<(Outcomes, PendingFile)> {
    let total = plan.job.row_count();
    let progress = console.progress(total);
    let sink: Box<dyn Sink + '_> = match format {
        OutputFormat::Parquet => Box::new(ParquetSink::new(&mut output, plan.job.output_schema.clone(), &footer(plan))?),
        OutputFormat::Csv => Box::new(CsvSink::new(&mut output, plan.job.output_schema.clone(), b',')?),
    };
    let outcomes = pipeline::run(&plan.job, sink, &|rows| progress.advance(rows));
    progress.finish();
    Ok((outcomes?, output))
}

/// What the output's footer says of where it comes from.
fn footer(plan: &Plan) -> Vec<(String, String)> {
    let Identity { name, version, digest, .. } = &plan.model;
    let pairs = [
        ("tallow.run_id", Some(plan.run_id.as_str())),
        ("tallow.version", Some(env!("CARGO_PKG_VERSION"))),
        ("tallow.model_name", Some(name.as_str())),
        ("tallow.model_version", version.as_deref()),
        ("tallow.model_digest", Some(digest.as_str())),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

fn circumstances(plan: &Plan, started_at: &str, wall: Duration, output: String, output_bytes: u64) -> Circumstances {
    Circumstances {
        run_id: plan.run_id.clone(),
        started_at: started_at.to_owned(),
        wall,
        processor_seconds: process::processor_seconds(),
        peak_memory_bytes: process::peak_memory_bytes(),
        model: plan.model.clone(),
        output,
        output_bytes,
    }
}
