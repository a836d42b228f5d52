//! Profiles from their request to their file: of tables as they are, or as a model reads them with
//! the scores that it gives, which is a run that writes nothing else.

use std::sync::Arc;

use super::caller::Caller;
use super::check::Nowhere;
use super::events::Events;
use super::named_model;
use super::report_path::refuse_taken;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::monitor::profile::Profile;
use crate::monitor::profile_table::profile_of_dataset;
use crate::monitor::profiling::{COLUMN_BYTES, RunProfile};
use crate::output::profile as profile_file;
use crate::package::open::Identity;
use crate::pipeline::budget::Budget;
use crate::pipeline::{self, Control, Input, Outcomes};
use crate::plan::Plan;
use crate::plan::memory::of_one_reader;
use crate::plan::options::byte_size;
use crate::plan::reading::dialect_options;
use crate::request::comparison::Profiling;
use crate::request::rows::Rows;
use crate::request::work::{Binding, Work};
use crate::storage::Location;
use crate::table::ReadOptions;
use crate::table::dataset::Dataset;
use crate::table::location::locate;
use crate::table::output_format::OutputFormat;

/// Profiles tables and writes the profile.
///
/// # Errors
/// A usage error for an output that is not a Parquet file; fails if a table or the model cannot be
/// read, or the file cannot be written.
pub fn profile(
    request: &Profiling,
    caller: &Caller,
    interrupt: &Interrupt,
    events: &dyn Events,
) -> Result<Profile> {
    let path = &request.output;
    if OutputFormat::of_name(path)? != OutputFormat::parquet() {
        let error = Error::usage("a profile is a Parquet file").at_path(path);
        return Err(error.hint("end the name in `.parquet` or `.pq`"));
    }
    refuse_taken(path, request.overwrite, &request.inputs)?;
    let (profile, origin) = if let Some(model) = &request.model {
        let work = work(request, model, caller, events)?;
        let (profile, model) = profile_as_read(&work, interrupt)?;
        (profile, Some(model.origin()))
    } else {
        if request.binding != Binding::default() {
            let error = Error::usage("how columns meet a model, and no model is named");
            return Err(error.hint("add `--model PATH`"));
        }
        let options = dialect_options(&request.text, &[])?;
        let memory = request.memory.as_deref();
        let profile = profile_of_tables(&request.inputs, &options, memory, interrupt)?;
        (profile, None)
    };
    profile_file::create(path, request.overwrite, &profile, origin.as_ref())?;
    Ok(profile)
}

/// The work of a run that scores what is profiled.
fn work(
    request: &Profiling,
    model: &Location,
    caller: &Caller,
    events: &dyn Events,
) -> Result<Work> {
    let mut work = Work {
        model: model.to_owned(),
        inputs: request.inputs.clone(),
        binding: request.binding.clone(),
        rows: Rows {
            text: request.text.clone(),
            ..Rows::default()
        },
        ..Work::default()
    };
    work.outcome.passthrough = Some(vec!["none".into()]);
    work.resources.memory.clone_from(&request.memory);
    named_model::locate(&mut work, None, &caller.local, &caller.trust)?
        .iter()
        .for_each(|warning| events.warned(warning));
    Ok(work)
}

/// Scores every row and profiles inputs and scores; returns the model, too.
///
/// # Errors
/// Whatever ends a run.
pub fn profile_as_read(work: &Work, interrupt: &Interrupt) -> Result<(Profile, Identity)> {
    let plan = Plan::bind_profiled(work)?;
    let control = Control {
        interrupt: interrupt.clone(),
        budget: Budget::default(),
    };
    let mut outcomes = Outcomes::new(&plan.job);
    let input = Input::whole(&plan.job);
    pipeline::run(
        &plan.job,
        input,
        &mut Nowhere,
        &control,
        &mut outcomes,
        Vec::new(),
        &|_| {},
    )?;
    let seen: Option<RunProfile> = outcomes.seen.into_partial();
    let seen = seen.ok_or_else(|| Error::internal("a run without its profile"))?;
    Ok((seen.profile, plan.model))
}

/// The profile of tables, or the one that a path holds, in as much memory as is allowed.
///
/// # Errors
/// Fails if a table cannot be read or a profile is damaged; a usage error for too little memory.
pub fn profile_of_tables(
    paths: &[Location],
    options: &ReadOptions,
    memory: Option<&str>,
    interrupt: &Interrupt,
) -> Result<Profile> {
    let memory = memory.map(|text| byte_size("--memory", text)).transpose()?;
    let mut table = Dataset::open(&locate(paths, false)?.files, &[], options)?;
    if let Some(bytes) = memory {
        let held = table.schema().fields().len() as u64 * COLUMN_BYTES;
        table.set_options(of_one_reader(bytes, &table, held)?);
    }
    profile_of_dataset(&Arc::new(table), interrupt)
}
